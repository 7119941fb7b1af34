"""What other tools start: the hooks of pre-commit, with the files that they name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.run import hvctl

ROOT = Path(__file__).parent.parent.parent
HOOKS: list[dict[str, Any]] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
BAD = {
    "xml": "<domain type='kvm'><features><hyperv><ipi state='on'/></hyperv></features></domain>\n",
    "args": "qemu-system-x86_64 -accel kvm -M pc-q35-7.2 -cpu host,hv_ipi\n",
}


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_a_hook_fails_for_a_finding(hook: dict[str, Any], tmp_path: Path) -> None:
    suffix = next(iter(hook.get("types", ["args"])))
    path = tmp_path / f"guest.{suffix}"
    path.write_text(BAD[suffix])
    assert re.search(hook.get("files", ""), path.name)
    program, *words = hook["entry"].split()
    assert program == "hvctl"
    assert "error[requirement-missing]" in hvctl(*words, str(path), code=1).stdout


def test_another_xml_file_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "pom.xml"
    path.write_text("<project xmlns='http://maven.apache.org/POM/4.0.0'/>\n")
    assert "its root is <project>, not a domain" in hvctl("lint", str(path)).stderr
