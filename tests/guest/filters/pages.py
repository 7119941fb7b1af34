"""The pages on platforms that hand over a domain, and what their commands run with."""

import re
import shlex
import sys
from pathlib import Path

from tests.paths import HOSTS, ROOT

HERE = Path(__file__).parent
HOST = HOSTS / "debian-12-intel.json"
RECORDED = "/etc/hvctl/hosts"


def block(page: str, language: str = "sh") -> str:
    """The one block of a page, with the directory of hosts that the tests have."""
    (text,) = re.findall(rf"^```{language}\n(.*?)^```", (ROOT / "docs" / page).read_text(), re.MULTILINE | re.DOTALL)
    return str(text).replace(RECORDED, str(HOST))


def write_program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def write_hvctl(directory: Path) -> None:
    """A command `hvctl` in a directory of the PATH."""
    write_program(
        directory / "hvctl",
        f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(ROOT))} exec {shlex.quote(sys.executable)} -m hvctl "$@"\n',
    )
