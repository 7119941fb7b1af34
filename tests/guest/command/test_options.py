"""QEMU's command line is split as the installed QEMU splits it."""

from __future__ import annotations

import re
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvctl.guest.command.options import FLAGS, Parameter, parameters, scan
from hvctl.run.terminal import default_monitor, uses_stdio
from tests.run.running import QEMU


def known_options() -> list[str]:
    help_text = subprocess.run([QEMU, "-help"], capture_output=True, text=True, timeout=30, check=True).stdout
    return sorted({name.lstrip("-") for name in re.findall(r"^-\S+", help_text, re.MULTILINE) if "/" not in name})


def test_which_options_take_a_value() -> None:
    options = known_options()
    assert "machine" in options
    for option in options:
        # QEMU first only looks for names: the word after a flag is unknown, the word after an option is its value.
        words = [QEMU, f"-{option}", "-first", "-second"]
        said = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False).stderr
        assert said.endswith("-first: invalid option\n" if option in FLAGS else "-second: invalid option\n"), option


def test_values_that_look_like_options() -> None:
    found = scan(["-name", "-cpu", "--cpu", "host", "disk", "-S", "-m"])
    assert [(each.name, each.value) for each in found] == [
        ("name", "-cpu"),
        ("cpu", "host"),
        ("", "disk"),
        ("S", None),
        ("m", None),
    ]


WORDS = st.lists(st.sampled_from(["-S", "--cpu", "-m", "disk", "-nographic", "", "-"]) | st.text(max_size=5))


@given(WORDS)
def test_no_word_is_lost(words: list[str]) -> None:
    assert [word for option in scan(words) for word in option.words] == words


def test_parameters() -> None:
    assert parameters("q35,smm=on,x=a,,b=c", "type") == (
        Parameter("type", "q35"),
        Parameter("smm", "on"),
        Parameter("x", "a,b=c"),
    )
    assert parameters("") == ()


@given(
    st.lists(
        st.tuples(
            st.from_regex(r"[a-z][a-z_.-]{0,8}", fullmatch=True),
            st.text(st.characters(codec="utf-8", exclude_characters="\0")),
        )
    )
)
def test_parameters_survive_writing(pairs: list[tuple[str, str]]) -> None:
    written = tuple(Parameter(key, value) for key, value in pairs)
    assert parameters(",".join(each.text() for each in written)) == written


@pytest.mark.parametrize(
    ("words", "stdio", "monitor"),
    [
        ("", False, "-monitor vc"),
        ("-nodefaults", False, ""),
        ("-nographic", True, "-serial mon:stdio"),
        ("-nographic -nodefaults", False, ""),
        ("-nographic -serial null", True, "-monitor stdio"),
        ("-nographic -serial null -monitor null", False, ""),
        ("-nographic -monitor null", True, ""),
        ("-nographic -device isa-serial,chardev=c", True, "-monitor stdio"),
        ("-serial mon:stdio", True, ""),
        ("-serial stdio -nodefaults", True, ""),
        ("-qmp stdio", True, ""),
        ("-chardev stdio,id=c -nodefaults", True, ""),
        ("-chardev backend=stdio,id=c -nodefaults", True, ""),
        ("-chardev null,id=stdio -nodefaults", False, ""),
        ("-display curses -nodefaults", True, ""),
        ("-display none -nodefaults", False, ""),
        ("-serial file:stdio -nodefaults", False, ""),
        ("-append stdio -nodefaults", False, ""),
    ],
)
def test_who_uses_stdio(words: str, stdio: bool, monitor: str) -> None:
    options = scan(words.split())
    assert (uses_stdio(options), " ".join(default_monitor(options))) == (stdio, monitor)
