"""nova itself, from the package index, in an environment of its own: asked what it makes of what hvctl writes."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.testbed.cache import built, named

PINS = Path(__file__).with_name("nova.txt")
PROGRAM = Path(__file__).with_name("nova_program.py")
SECONDS = 600


def ready_nova() -> Path:
    """The directory of the environment, made unless it is there."""

    def build(part: Path) -> Path:
        print("nova: installing it from the package index, half a minute, once", file=sys.stderr, flush=True)
        place = part / "environment"
        _run([sys.executable, "-m", "venv", str(place)])
        install = ("--quiet", "--disable-pip-version-check", "--no-input", "--requirement", str(PINS))
        _run([str(place / "bin/python"), "-m", "pip", "install", *install])
        return place

    return built(named("nova", sys.version, PINS.read_text()), build)


def ask(questions: Sequence[Any]) -> list[Any]:
    """Nova's answer to each question; see `nova_program.py`."""
    command = [str(ready_nova() / "bin/python"), "-W", "ignore", str(PROGRAM)]
    answers: list[Any] = json.loads(_run(command, json.dumps(questions)))
    return answers


def _run(command: Sequence[str], given: str = "") -> str:
    # The order of what nova keeps in sets.
    environment = os.environ | {"PYTHONHASHSEED": "0"}
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=SECONDS, env=environment)
    assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout
