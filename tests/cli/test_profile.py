"""`hvctl profile` as a process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hvctl.profile.reader import load_profile
from hvctl.profile.source import shipped_names
from tests.cli.run import hvctl
from tests.paths import HOSTS, PROFILES


def test_list_names_every_profile_with_its_description() -> None:
    lines = hvctl("profile", "list").stdout.splitlines()
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == list(shipped_names())
    assert f"windows-11             {load_profile('windows-11').description}" in lines


def test_list_as_json() -> None:
    content = json.loads(hvctl("profile", "list", "--format", "json").stdout)
    assert content["format_version"] == 1
    assert [entry["name"] for entry in content["profiles"]] == list(shipped_names())
    assert {tuple(entry) for entry in content["profiles"]} == {("name", "os", "description")}


def test_show_prints_the_file() -> None:
    assert hvctl("profile", "show", "windows-11").stdout == (PROFILES / "windows-11.yaml").read_text()


def test_show_merged_is_a_profile_of_its_own(tmp_path: Path) -> None:
    shown = hvctl("profile", "show", "windows-11", "--merged").stdout
    path = tmp_path / "p.yaml"
    path.write_text(shown)
    assert "extends" not in shown
    assert "  stimer: prefer\n" in shown
    assert hvctl("profile", "show", "--merged", str(path)).stdout == shown


def test_show_of_an_unknown_name() -> None:
    done = hvctl("profile", "show", "windows-1l", code=2)
    assert done.stderr == (
        "error: no profile 'windows-1l': neither a shipped one nor a file\n"
        "hint: did you mean 'windows-11'? see `hvctl profile list`\n"
    )


def test_check_tells_of_every_file(tmp_path: Path) -> None:
    good, bad, worse = tmp_path / "good.yaml", tmp_path / "bad.yaml", tmp_path / "worse.yaml"
    good.write_text("version: 1\n")
    bad.write_text("version: 1\nfoo: 1\nbar: 1\n")
    worse.write_text("")
    done = hvctl("profile", "check", str(bad), str(good), "windows-7", str(worse), code=2)
    assert f"{good}: ok\nwindows-7: ok\n" in done.stdout
    for place in (f"{bad}:2:1", f"{bad}:3:1", f"{worse}:1:1"):
        assert place in done.stdout
    assert done.stderr == ""


def test_check_is_quietly_content() -> None:
    names = shipped_names()
    assert hvctl("profile", "check", *names).stdout == "".join(f"{name}: ok\n" for name in names)


def test_check_as_json(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("version: 1\nenlightenments:\n  stimer: on\n  time: off\n")
    done = hvctl("profile", "check", "--format", "json", str(bad), "minimal", "nothing", code=2)
    assert json.loads(done.stdout) == {
        "format_version": 1,
        "files": [
            {
                "path": str(bad),
                "ok": False,
                "problems": [
                    {
                        "message": "stimer is on and requires time, which is off",
                        "hint": "write `time: on`, or `stimer: prefer` to do without both",
                        "path": str(bad),
                        "line": 3,
                        "column": 3,
                        "end_line": 3,
                        "end_column": 13,
                        "related": [
                            {
                                "message": "time is off here",
                                "path": str(bad),
                                "line": 4,
                                "column": 3,
                                "end_line": 4,
                                "end_column": 12,
                            }
                        ],
                    }
                ],
            },
            {"path": "minimal", "ok": True, "problems": []},
            {
                "path": "nothing",
                "ok": False,
                "problems": [
                    {
                        "message": "no profile 'nothing': neither a shipped one nor a file",
                        "hint": "see `hvctl profile list`",
                    }
                ],
            },
        ],
    }


def test_check_reads_stdin_as_a_dash() -> None:
    # stdin is empty here
    assert "<stdin> is empty" in hvctl("profile", "check", "-", code=2).stdout


def test_check_wants_a_file() -> None:
    assert "Missing argument" in hvctl("profile", "check", code=2).stderr


def test_colour_on_demand(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("")
    assert "\x1b[" in hvctl("profile", "check", "--color", "always", str(bad), code=2).stdout
    assert "\x1b[" not in hvctl("profile", "check", str(bad), code=2).stdout


def test_a_bad_profile_stops_gen_with_exit_2(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("version: 1\nenlightenments: {stimer: on, time: off}\n")
    host = HOSTS / "debian-12.json"
    done = hvctl("gen", str(bad), "--host", str(host), code=2)
    assert done.stdout == ""
    assert done.stderr.startswith(f"error: stimer is on and requires time, which is off\n --> {bad}:2:18\n")


@pytest.mark.parametrize("words", [["list"], ["show", "minimal"], ["check", "minimal"]], ids=lambda words: words[0])
def test_help_of_each_fits_80_columns(words: list[str]) -> None:
    shown = hvctl("profile", words[0], "--help").stdout
    assert max(len(line) for line in shown.splitlines()) <= 80


def test_the_list_fits_80_columns() -> None:
    assert max(map(len, hvctl("profile", "list").stdout.splitlines())) <= 80
