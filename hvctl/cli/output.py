"""What a command prints: its result on stdout or into a file, its talk on stderr, a sign of life on a terminal."""

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

import click

# How a write fails for want of room. Errors of files that hvctl opens itself are told where they are written; one that
# comes to `run`, and names no file, is stdout's.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FRAMES = "|/-\\"
_SECONDS = 0.1
_ERASE_LINE = "\r\x1b[K"


def write_result(text: str | bytes, path: str | None, was: bytes | None = None, *, people: bool = False) -> None:
    """Write to stdout (`path` None or `-`): exactly, but for `people` and terminals as `echo`; or replace a file.

    A file must still be what it `was`, if that is given.

    Raises:
        RefusedError: something of the file would be lost.
        HostError: there is no room for it.
        UsageError: it cannot be written for another reason.
    """
    # /dev/stdout may be a file that is appended to, and is not to be replaced.
    if path is None or path in ("-", "/dev/stdout"):
        if people or sys.stdout.isatty():
            echo(text if isinstance(text, str) else text.decode("utf-8", "surrogateescape"))
        else:
            click.echo(text, nl=False)
        return
    # Most results go to stdout.
    from hvctl.errors import HostError, UsageError
    from hvctl.text.writing import replace

    try:
        replace(path, text.encode() if isinstance(text, str) else text, was=was)
    except OSError as error:
        kind = HostError if error.errno in NO_ROOM else UsageError
        raise kind(f"{path} cannot be written: {error.strerror}") from error


def echo(text: str, *, err: bool = False) -> None:
    """Print a text for people, whose names may be anybody's: what a terminal would obey or hide is escaped."""
    from hvctl.text.problems import visible

    colors = use_color(sys.stderr if err else sys.stdout)
    # By itself click takes colours out of what goes to no terminal, also where they are asked for.
    click.echo(visible(text, colors=colors), nl=False, err=err, color=True)


def width() -> int:
    """The columns of tables on stdout: the terminal's, at most 100; 80 where it is none."""
    # Not shutil.get_terminal_size: shutil imports every compression module there is.
    try:
        return min(os.get_terminal_size(sys.stdout.fileno()).columns or 80, 100)
    except (OSError, ValueError):
        return 80


def say(message: str, *, level: int = 0) -> None:
    """Talk on stderr. Level 0 is silenced by -q, level 1 needs -v."""
    meta = click.get_current_context().meta
    if meta.get("hvctl.quiet") or level > meta.get("hvctl.verbose", 0):
        return
    echo(f"{message}\n", err=True)


def is_quiet() -> bool:
    """Whether -q is given."""
    context = click.get_current_context(silent=True)
    return bool(context and context.meta.get("hvctl.quiet"))


def show_line(line: str) -> None:
    """A line on stderr that is the point of the command: -q does not silence it."""
    echo(f"{line}\n", err=True)


def say_sentence(sentence: str) -> None:
    """Talk on stderr, in lines of 80 columns."""
    from hvctl.report.console import paragraph
    from hvctl.text.problems import printable

    say(paragraph(printable(sentence)))


@contextmanager
def spinner(text: str, stream: TextIO, *, quiet: bool = False) -> Iterator[None]:
    """Turn beside `text` on `stream` while the block runs, then erase it; not with -q."""
    if quiet or is_quiet() or not stream.isatty():
        yield
        return
    import threading

    done = threading.Event()
    thread = threading.Thread(target=_turn, args=(text, stream, done.wait), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _turn(text: str, stream: TextIO, wait: Callable[[float], bool]) -> None:
    frame = 0
    while not wait(_SECONDS):
        stream.write(f"\r{_FRAMES[frame % len(_FRAMES)]} {text}")
        stream.flush()
        frame += 1
    if frame:
        stream.write(_ERASE_LINE)
        stream.flush()


def use_color(stream: object) -> bool:
    """Whether to colour what goes to `stream`: --color decides, then NO_COLOR, FORCE_COLOR, then the terminal."""
    context = click.get_current_context(silent=True)
    asked = context.meta.get("hvctl.color") if context else _asked_color()
    if asked in ("always", "never"):
        return asked == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return bool(getattr(stream, "isatty", bool)())


def _asked_color() -> str | None:
    # After an error there is no context any more; the option's value stands on the command line.
    for word, following in zip(sys.argv, [*sys.argv[1:], ""], strict=True):
        if word == "--":
            break
        if word.startswith("--color"):
            return word.partition("=")[2] or following
    return None
