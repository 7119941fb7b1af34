"""The wheel holds all that hvctl needs, and works where no checkout is."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from hvctl.cli.schema import FILES
from hvctl.profile.source import shipped_names
from tests.paths import ROOT


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's files, as an installation lays them out."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_profiles_schemas_and_man_pages_are_in_it(unpacked: Path) -> None:
    data = unpacked / "hvctl" / "data"
    assert {path.stem for path in (data / "profiles").glob("*.yaml")} == set(shipped_names())
    assert (data / "profiles" / "profile.schema.json").is_file()
    assert all((unpacked / "hvctl" / "schemas" / f"{name}.schema.json").is_file() for name in FILES)
    for file in (
        "py.typed",
        "report/templates/pool.html.j2",
        "report/templates/bench.html.j2",
        "probe_guest/probe.bin",
        "data/hvctl-collect",
    ):
        assert (unpacked / "hvctl" / file).is_file()
    assert {path.name for path in unpacked.glob("*.data/data/share/man/man*/*")} == {
        "hvctl.1",
        "hvctl-profile.5",
        "hvctl-enlightenments.7",
        "hvctl-rules.7",
    }


@pytest.mark.parametrize(
    "words", [["--version"], ["profile", "list"], ["schema", "host"], ["explain", "evmcs"], ["collector"]]
)
def test_it_works_without_the_checkout(unpacked: Path, words: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hvctl", *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(unpacked)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout
