"""Files given to the wrong command: each is named for what it is, and the command in the hint works."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from hvctl.text.recognition import COMMANDS, FileKind
from tests.cli.run import inside
from tests.paths import HOSTS, RECORDS

HOST = str(HOSTS / "debian-12.json")
SCRIPT = "#!/bin/sh\nexec qemu-system-x86_64 -accel kvm -cpu host,hv-relaxed,hv-time\n"
BATCH = "@echo off\r\nqemu-system-x86_64.exe ^\r\n -accel kvm -cpu host,hv-relaxed\r\n"
PROXMOX = "cores: 2\ncpu: host\nmachine: pc-q35-9.2\nmemory: 4096\nostype: win10\n"
MEASUREMENT = '{"format_version": 1, "kind": "measurement"}'


class Place(NamedTuple):
    """Where a command takes a file, `{}`: what it wants there, and the kinds that it can use."""

    words: str
    wanted: FileKind
    takes: tuple[FileKind, ...] = ()


GUESTS = (FileKind.DOMAIN, FileKind.XML, *COMMANDS, FileKind.CPU, FileKind.PROXMOX, FileKind.KUBEVIRT)
PLACES = (
    *(
        Place(words, FileKind.PROFILE)
        for words in (
            "gen {} --host HOST",
            "launch {} --dry-run",
            "verify {} --dry-run --host HOST",
            "bench {}",
            "check-host {}",
            "profile check {}",
            "profile show {}",
            "profile show --merged {}",
            "lint . --profile {}",
            "gen {} --domain x.xml",
        )
    ),
    *(
        Place(words, FileKind.PLAN)
        for words in ("gen --locked {} --host HOST", "launch --locked {}", "verify --locked {}")
    ),
    *(
        Place(words, FileKind.HOST, (FileKind.RECORD,))
        for words in (
            "gen windows-11 --host {}",
            "launch windows-11 --also-host {} --dry-run",
            "verify windows-11 --dry-run --host {}",
            "pool {}",
            "lint . --host {}",
            "check-migration windows-11 --to {}",
            "check-migration windows-11 --from {} --to HOST",
        )
    ),
    Place("check-host --raw {}", FileKind.RECORD),
    # Other XML is refused by its root.
    Place("gen windows-11 --domain {} --host HOST", FileKind.DOMAIN, (FileKind.XML,)),
    Place("verify --domain {}", FileKind.DOMAIN, (FileKind.XML,)),
    Place("lint . --config {}", FileKind.CONFIG),
    Place("bench --compare {}", FileKind.MEASUREMENT),
    Place("convert {}", FileKind.GUEST, (*GUESTS, FileKind.PROFILE, FileKind.PLAN)),
    Place("check-migration {} --from HOST --to HOST", FileKind.GUEST, (*GUESTS, FileKind.PROFILE, FileKind.PLAN)),
    Place("lint {}", FileKind.GUEST, GUESTS),
)
KINDS = tuple(kind for kind in FileKind if kind not in (FileKind.UNKNOWN, FileKind.GUEST))
PAIRS = [(place, kind) for place in PLACES for kind in KINDS if kind not in (place.wanted, *place.takes)]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file of each kind, named after it: with blanks, which a shell must be kept from."""
    path = tmp_path_factory.mktemp("kinds")
    inside(
        "gen",
        "windows-11",
        "--host",
        HOST,
        "-o",
        str(path / FileKind.COMMAND_LINE),
        "--lock",
        str(path / FileKind.PLAN),
    )
    inside("gen", "windows-11", "--host", HOST, "--libvirt", "-o", str(path / FileKind.DOMAIN))
    shutil.copy(HOST, path / FileKind.HOST)
    shutil.copy(RECORDS / "debian-12.json", path / FileKind.RECORD)
    texts = {
        FileKind.PROFILE: inside("profile", "show", "windows-10").stdout,
        FileKind.XML: "<network><name>default</name></network>",
        FileKind.CPU: "host,hv_relaxed,hv_time",
        FileKind.PROXMOX: PROXMOX,
        FileKind.CPU_MODELS: "cpu-model: a\n    reported-model host\n",
        FileKind.SHELL_SCRIPT: SCRIPT,
        FileKind.BATCH_SCRIPT: BATCH,
        FileKind.KUBEVIRT: inside("gen", "windows-10", "--for", "kubevirt", "--host", HOST).stdout,
        FileKind.MEASUREMENT: MEASUREMENT,
        FileKind.CONFIG: 'select = ["slow"]\n',
        FileKind.OUTPUT: inside("pool", HOST, "--format", "json").stdout,
    }
    for kind, text in texts.items():
        (path / kind).write_text(text)
    shutil.copy(path / FileKind.DOMAIN, path / "x.xml")
    return path


def words_of(command: str, file: str) -> list[str]:
    return [{"{}": file, "HOST": HOST}.get(word, word) for word in shlex.split(command)]


@pytest.mark.parametrize(("place", "kind"), PAIRS, ids=[f"{place.words}-{kind}" for place, kind in PAIRS])
def test_a_misplaced_file_is_named_and_the_hint_works(
    place: Place, kind: FileKind, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(directory)
    done = inside(*words_of(place.words, kind), code=1 if place.words == "lint {}" else 2)
    said = " ".join((done.stdout + done.stderr).split())
    if place.words == "lint {}":
        assert f"it is {kind}" in said
    else:
        assert f"{kind} is {kind}, not {place.wanted}" in said
    (command,) = re.findall("`hvctl ([^`]+)`", said)
    carry_out(shlex.split(command))


def carry_out(words: list[str]) -> None:
    """Run the command of a hint: on the recorded host where it would ask this machine."""
    codes: tuple[int, ...] = (0,)
    match words[0]:
        case "gen" if "--host" not in words:
            words += ["--host", HOST]
        case "verify" if "--dry-run" not in words:
            words += ["--dry-run", "--host", HOST]
        case "launch":  # needs this machine
            words, codes = [*words, "--dry-run"], (0, 3)
        case "check-migration":
            words += ["--from", HOST]
        case "lint":
            codes = (0, 1)
        case "check-host":  # the same
            codes = (0, 3)
        case "bench":  # takes minutes where there is a KVM
            return
    if "--domain" in words and words[0] == "launch":
        codes = (3,)
    done = inside(*words, code=None)
    assert done.returncode in codes, done.stderr


def test_a_directory_and_a_socket_are_named(tmp_path: Path) -> None:
    import socket

    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        for words in (
            ("gen", str(path)),
            ("gen", "--locked", str(path)),
            ("pool", str(path)),
            ("verify", "--domain", str(path)),
        ):
            said = inside(*words, code=2).stderr
            assert "it is a socket" in said
            assert f"`hvctl convert {path}`" in said
    for words in (("gen", str(tmp_path)), ("gen", "--locked", str(tmp_path)), ("convert", str(tmp_path))):
        assert "it is a directory" in inside(*words, code=2).stderr
