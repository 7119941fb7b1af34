"""Where profiles come from: shipped names, files and their parents, stdin."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest
import yaml

from hvctl.errors import HvctlError, InputError, UsageError
from hvctl.model.profile import Ask, Profile
from hvctl.profile.reader import load_profile, profile_from_text
from hvctl.profile.source import shipped_names
from hvctl.text.files import LARGEST_TEXT


def write(folder: Path, **files: str) -> Path:
    """Write NAME.yaml files, and give the path of the first."""
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder / f"{next(iter(files))}.yaml"


def problems(path: str | Path) -> list[str]:
    """Every problem as `file:line:column message`."""
    with pytest.raises(InputError) as caught:
        load_profile(str(path))
    return [
        f"{Path(found.span.path).name}:{found.span.line}:{found.span.column} {found.message}"
        if found.span
        else found.message
        for found in caught.value.problems
    ]


def test_a_child_wins_key_by_key(tmp_path: Path) -> None:
    child = write(
        tmp_path,
        child="""\
version: 1
extends: parents/parent.yaml
guest: {uses: [wsl2]}
cpu: {features: {invtsc: off}}
enlightenments: {spinlocks: off, ipi: on}
clock: {timers: {pit: discard}}
""",
    )
    (tmp_path / "parents").mkdir()
    write(
        tmp_path / "parents",
        parent="""\
version: 1
name: parent
description: of the parent
extends: ./grand.yaml
guest: {os: windows-10, uses: [vbs]}
cpu: {model: EPYC, features: {invtsc: on, aes: on}}
tsc-frequency: auto
enlightenments: {spinlocks: 8191, relaxed: on}
clock: {timers: {rtc: delay, pit: delay}}
""",
        grand="version: 1\nmachine: pc\nmigration: none\n",
    )
    found = load_profile(str(child))
    assert (found.name, found.description, found.os, found.uses) == ("child", "", "windows-10", ("wsl2",))
    assert (found.machine, str(found.migration), found.tsc_frequency) == ("pc", "none", "auto")
    assert (found.cpu.model, found.cpu.features) == ("EPYC", (("invtsc", False), ("aes", True)))
    assert [(wish.id, wish.ask) for wish in found.wishes] == [
        ("relaxed", Ask.ON),
        ("spinlocks", Ask.OFF),
        ("ipi", Ask.ON),
    ]
    assert (found.clock.rtc, found.clock.pit) == ("delay", "discard")
    assert dict(found.spans)["enlightenments.relaxed"].path == str(tmp_path / "parents" / "parent.yaml")


def test_a_shipped_profile_can_be_extended_by_name(tmp_path: Path) -> None:
    found = load_profile(
        str(write(tmp_path, mine="version: 1\nextends: windows-11\nenlightenments: {evmcs: prefer}\n"))
    )
    assert found.name == "mine"
    assert {wish.id for wish in found.wishes} == {wish.id for wish in load_profile("windows-11").wishes} | {"evmcs"}


@pytest.mark.parametrize("name", shipped_names())
def test_yaml_without_its_c_parser_gives_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = load_profile(name)
    monkeypatch.setattr("hvctl.text.yaml_nodes._LOADER", yaml.Loader)
    assert load_profile(name) == profile


@pytest.mark.parametrize(
    "text", ["a: [", "- a\nb", "\ta: 1", "a: 'b", "a: *b", "a: @", "x: y: z", "a: !!int 1", "? ", "%A"]
)
def test_yaml_without_its_c_parser_finds_mistakes(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hvctl.text.yaml_nodes._LOADER", yaml.Loader)
    with pytest.raises(InputError) as caught:
        profile_from_text(f"version: 1\n{text}\n")
    assert next(problem.span.line for problem in caught.value.problems if problem.span) in (2, 3)


def test_a_circle_names_its_chain(tmp_path: Path) -> None:
    first = write(
        tmp_path,
        a="version: 1\nextends: ./b.yaml\n",
        b="version: 1\nextends: ./c.yaml\n",
        c="version: 1\nextends: ./a.yaml\n",
    )
    chain = " -> ".join(str(tmp_path / f"{name}.yaml") for name in "abca")
    assert problems(first) == [f"c.yaml:2:1 extends goes round in a circle: {chain}"]


def test_a_profile_that_extends_itself_by_a_link(tmp_path: Path) -> None:
    first = write(tmp_path, a="version: 1\nextends: ./b.yaml\n")
    (tmp_path / "b.yaml").symlink_to(first)
    assert "circle" in problems(first)[0]


def test_too_many_parents(tmp_path: Path) -> None:
    files = {f"p{number}": f"version: 1\nextends: ./p{number + 1}.yaml\n" for number in range(30)}
    assert "extends goes on for more than 16 parents" in problems(write(tmp_path, **files))[0]


def test_mistakes_of_parents_are_told_with_their_own_path(tmp_path: Path) -> None:
    child = write(
        tmp_path, child="version: 1\nextends: ./parent.yaml\nmachine: isapc\n", parent="version: 1\nmigration: maybe\n"
    )
    assert [line.split(" ")[0] for line in problems(child)] == ["child.yaml:3:10", "parent.yaml:2:12"]


@pytest.mark.parametrize(
    ("extends", "expected"),
    [
        ("windows-12", "child.yaml:2:1 extends: no profile 'windows-12' is shipped"),
        ("./gone.yaml", "child.yaml:2:1 extends: {}/gone.yaml cannot be read: no such file or directory"),
        ("../", "child.yaml:2:1 extends: {}/../ cannot be read: it is a directory"),
    ],
)
def test_a_parent_that_cannot_be_had_is_told_at_extends(tmp_path: Path, extends: str, expected: str) -> None:
    child = write(tmp_path, child=f"version: 1\nextends: {extends}\n")
    assert problems(child) == [expected.format(tmp_path)]


def test_a_conflict_between_child_and_parent_names_both_files(tmp_path: Path) -> None:
    child = write(tmp_path, child="version: 1\nextends: minimal\nenlightenments: {time: off}\n")
    with pytest.raises(InputError) as caught:
        load_profile(str(child))
    (problem,) = caught.value.problems
    assert problem.message == "stimer is on and requires time, which is off"
    assert problem.span
    assert Path(problem.span.path).name == "minimal.yaml"
    assert [(label, span.path) for label, span in problem.related] == [("time is off here", str(child))]


def test_an_unknown_name_is_a_usage_error_with_a_suggestion() -> None:
    with pytest.raises(UsageError) as caught:
        load_profile("windows11")
    assert caught.value.message == "no profile 'windows11': neither a shipped one nor a file"
    assert caught.value.hint == "did you mean 'windows-11'? see `hvctl profile list`"


def test_a_file_without_suffix_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plain").write_text("version: 1\n")
    monkeypatch.chdir(tmp_path)
    assert load_profile("plain").name == "plain"


def test_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    def loaded(data: bytes) -> Profile:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        return load_profile("-")

    assert loaded(b"version: 1\n").name == "stdin"
    assert loaded(b"\xef\xbb\xbfversion: 1\nname: b\n").name == "b"
    with pytest.raises(InputError, match="not UTF-8"):
        loaded(b"version: 1\nname: \xff\n")


def test_a_byte_that_is_not_utf_8_has_a_line_and_a_column(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_bytes("version: 1\r\n# é\r\nname: ü".encode() + b"\xe4\n")
    assert problems(path) == ["p.yaml:3:8 the byte 0xe4 is not UTF-8"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_other_unicode_encodings_are_refused(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_bytes("version: 1\n".encode(encoding))
    assert problems(path)


def test_a_large_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_bytes(b"version: 1\n#" + b"x" * LARGEST_TEXT)
    assert problems(path) == [f"{path} cannot be read: it is larger than 256 KiB"]
    path.write_bytes((b"version: 1\n#" + b"x" * LARGEST_TEXT)[:LARGEST_TEXT])
    assert load_profile(str(path)).name == "p"


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    fifo = tmp_path / "pipe.yaml"
    os.mkfifo(fifo)
    assert problems(fifo) == [f"{fifo} cannot be read: nothing writes to this pipe"]
    child = tmp_path / "child.yaml"
    child.write_text("version: 1\nextends: ./pipe.yaml\n")
    assert problems(child) == [f"child.yaml:2:1 extends: {fifo} cannot be read: it is not a regular file"]
    assert problems(tmp_path) == [f"{tmp_path} cannot be read: it is a directory"]
    assert problems("/dev/zero") == ["/dev/zero cannot be read: it is not a regular file"]
    assert problems(tmp_path / "gone.yaml") == [f"{tmp_path / 'gone.yaml'} cannot be read: no such file or directory"]


@pytest.mark.parametrize("name", ["", "\0", "a\0/b", "x" * 5000, "/" + "x" * 5000, "..", "../etc", "a\nb", "\ud800"])
def test_strange_names(name: str) -> None:
    with pytest.raises(HvctlError):
        load_profile(name)


def test_a_file_that_fails_while_it_is_read() -> None:
    assert problems("/proc/self/mem") == ["/proc/self/mem cannot be read: input/output error"]
