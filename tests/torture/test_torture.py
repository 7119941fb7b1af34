"""The short form of `make torture`, and that nothing is left out of the long one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from hvctl.cli import COMMANDS, cli
from tests.paths import ROOT
from tests.torture.runs import made
from tests.torture.templates import TEMPLATES

# 200 runs; 10 kills; so many seconds, whatever else the machine does.
SHORT = ("--runs", "140", "--all-kills", "10", "--sample", "40", "--lies", "10", "--seconds", "60")


def test_a_little_torture() -> None:
    command = [sys.executable, "-m", "tests.torture", *SHORT]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    print(done.stdout)  # the seed
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_run_can_be_made_again() -> None:
    for number in range(len(TEMPLATES)):
        assert made("1", number) == made("1", number)
    assert made("1", 0) != made("2", 0)


def options() -> Iterator[tuple[str, str]]:
    """Every option with a value, of every command."""
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        for option in command.params:
            if isinstance(option, click.Option) and not (option.is_flag or option.count or option.hidden):
                yield name, option.opts[-1]


@pytest.mark.parametrize(("command", "option"), list(options()), ids=" ".join)
def test_every_option_with_a_value_is_tried(command: str, option: str) -> None:
    """Switches and words of a list are drawn from click's own list."""
    found = [line.split() for line in TEMPLATES]
    short = {"--output": "-o"}.get(option, option)
    of_a_list = option in ("--format", "--color", "--fail-on", "--to", "--accel")
    assert of_a_list or any(words[0] == command and {option, short} & set(words) for words in found)
