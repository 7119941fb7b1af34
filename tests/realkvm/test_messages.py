"""The table of known messages against the real programs: the commands that its fixtures name, given again."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from hvctl.cli import run
from hvctl.text.diagnosis import diagnose
from tests.paths import ROOT
from tests.realkvm.conftest import Note
from tests.realkvm.migration import Move, Side, migrate
from tests.realkvm.real import QEMU

FIXTURES: list[dict[str, Any]] = yaml.safe_load((ROOT / "tests" / "catalog" / "messages.yaml").read_text())
COMMAND = rf"(?:(\w+) in the monitor of )?{QEMU} (.*)"


def said_by_qemu(arguments: str, monitor: str = "") -> str:
    """What QEMU says to arguments, and to a command in its monitor."""
    words = [QEMU, *shlex.split(arguments), "-S", "-nodefaults", "-display", "none", "-qmp", "stdio"]
    line = {"savevm": "savevm a", "migrate": "migrate exec:true"}.get(monitor, "info version")
    commands = [
        {"execute": "qmp_capabilities"},
        {"execute": "human-monitor-command", "arguments": {"command-line": line}},
        {"execute": "quit"},
    ]
    text = "".join(f"{json.dumps(command)}\n" for command in commands)
    done = subprocess.run(words, input=text, capture_output=True, text=True, timeout=120, check=False)
    answers = [json.loads(answer)["return"] for answer in done.stdout.splitlines() if '"return": "' in answer]
    return done.stderr + "".join(answers)


def test_each_command_gives_its_message_again(testbed_world: str, note: Note) -> None:
    tried = 0
    for fixture in FIXTURES:
        match = re.fullmatch(COMMAND, fixture.get("by", ""))
        if match is None or not fixture["with"].endswith(testbed_world):
            continue
        said = said_by_qemu(match[2], match[1] or "")
        assert fixture["id"] in [found.message.id for found in diagnose(said, "qemu").found], (fixture["by"], said)
        first = fixture["text"].splitlines()[0]
        assert first.split(" host (")[0] in said, (first, said)
        tried += 1
    note(f"messages: {tried} commands gave theirs again in {testbed_world}")
    assert tried >= {"debian-12": 12, "debian-13": 2}[testbed_world]


def test_migrations_that_fail_are_diagnosed(tmp_path: Path) -> None:
    def side(cpu: str, *more: str) -> Side:
        return Side((QEMU,), "q35", cpu, more)

    notifying = side("host,hv-reenlightenment,hv-frequencies,hv-time")
    for message, source, target, reenlightened in (
        ("synic-missing-at-the-destination", side("host,hv-vpindex,hv-synic"), side("host,hv-relaxed"), False),
        ("reenlightenment-loses-the-guest", notifying, notifying, True),
        ("device-missing-at-the-destination", side("host", "-device", "virtio-rng-pci"), side("host"), False),
        ("flag-blocks-migration", side("host,hv-passthrough"), side("host,hv-passthrough"), False),
    ):
        folder = tmp_path / message
        folder.mkdir()
        said = "\n".join(migrate(Move(source, target, reenlightened=reenlightened), folder).said())
        assert [found.message.id for found in diagnose(said, "qemu").found] == [message], said


def test_a_refusal_is_diagnosed_with_its_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As a user pastes it: the command, and what QEMU says."""
    arguments = "-accel kvm -machine q35 -cpu host,hv-stimer"
    path = tmp_path / "pasted"
    path.write_text(f"$ {QEMU} {arguments}\n{said_by_qemu(arguments)}")
    capsys.readouterr()
    assert run(["diagnose", "--format", "json", str(path)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [message["id"] for message in told["messages"]] == ["requirement-missing"]
    assert told["findings"][0]["rule"] == "requirement-missing"
    assert (told["findings"][0]["line"], told["messages"][0]["line"]) == (1, 2)
