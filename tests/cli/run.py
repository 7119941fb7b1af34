"""hvctl as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HOSTS = Path(__file__).parent.parent / "hosts"


def hvctl(*words: str, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run hvctl and demand its exit code."""
    clean = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    done = subprocess.run(
        [sys.executable, "-m", "hvctl", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**clean, **environment},
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == code, f"{words} gave {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done
