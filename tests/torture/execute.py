"""A run carried out: its directory made, its process started, everything looked at, and a failure kept."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.torture.checks import SECONDS, Wrong, of_libvirt, of_the_files, of_the_output, of_the_process
from tests.torture.processes import HVCTL, Ended, start
from tests.torture.runs import Put, Run


class Outcome(NamedTuple):
    """What came of a run: its exit code (a signal is negative), and what is wrong: a count's name, and the details."""

    name: str
    code: int
    seconds: float
    megabytes: float
    wrong: tuple[Wrong, ...] = ()


def _nothing(_place: Path) -> tuple[()]:
    return ()


class Around(NamedTuple):
    """What a run is put into: words before its own, a tmpfs of these options, what is done before and looked at after.

    `undo` is what must be done before the place can be removed.
    """

    prefix: tuple[str, ...] = ()
    mount: str = ""
    prepare: Callable[[Path], object] = _nothing
    check: Callable[[Path], Iterable[Wrong]] = _nothing
    undo: Callable[[Path], object] = _nothing


NOTHING = Around()


def execute(run: Run, folder: Path, failures: Path, around: Around = NOTHING, *, limit: float = SECONDS) -> Outcome:
    """Carry out a run below `folder`, and keep all that it takes to do so again below `failures` if it fails.

    Others may use the machine: what took too long is tried twice more, and the best of it counts.
    """
    for _ in range(3):
        place = folder / run.name
        place.mkdir()
        with _mounted(place, around.mount):
            make(run, place)
            try:
                around.prepare(place)
                ended = start(run, place, around.prefix)
                wrong = (
                    *(tuple(of_libvirt(run, ended, place)) or of_the_process(ended, limit)),
                    *of_the_output(run, ended, place),
                    *of_the_files(run, place),
                    *around.check(place),
                )
            finally:
                around.undo(place)
                clear(place)
        place.rmdir()
        if [what for what, _ in wrong] != ["over 10 s"]:
            break
    outcome = Outcome(run.name, ended.code, ended.seconds, ended.megabytes, wrong)
    if wrong:
        keep(run, outcome, ended, failures / run.name, around.prefix)
    return outcome


@contextlib.contextmanager
def _mounted(place: Path, options: str) -> Iterator[None]:
    """A file system of memory at a place, if there are options for it."""
    if options:
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "torture", str(place)], check=True)
    try:
        yield
    finally:
        if options:
            subprocess.run(["umount", "--lazy", str(place)], check=True)


def clear(place: Path) -> None:
    """Remove what is in a directory."""
    for path in place.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def make(run: Run, place: Path) -> None:
    """The directories and files of a run."""
    for name in ("cwd", "home", "tmp"):
        (place / name).mkdir(parents=True)
    for put in run.puts:
        _make(put, place / put.path)


def _make(put: Put, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    match put.form:
        case "file":
            path.write_bytes(put.data)
            path.chmod(put.mode)
        case "link":
            path.symlink_to(os.fsdecode(put.data))
        case "fifo":
            os.mkfifo(path)
        case "directory":
            path.mkdir()
        case "socket":
            # The whole path may be longer than an address of a socket.
            with socket.socket(socket.AF_UNIX) as dead:
                folder = os.open(path.parent, os.O_PATH)
                dead.bind(f"/proc/self/fd/{folder}/{path.name}")
                os.close(folder)


def keep(run: Run, outcome: Outcome, ended: Ended, place: Path, prefix: Sequence[str] = ()) -> None:
    """A directory with all that a run met, a script that carries it out again, and what came of it."""
    shutil.rmtree(place, ignore_errors=True)
    make(run, place)
    names = {f"pipe{number}": f"<(cat ../pipe{number})" for number in range(len(run.pipes))}
    for name, data in (("stdin", run.stdin), *((f"pipe{number}", data) for number, data in enumerate(run.pipes))):
        if data is not None:
            (place / name).write_bytes(data)
    words = [_quoted(word, names) for word in run.words]
    settings = [f"{name}={shlex.quote(value)}" for name, value in run.environment]
    script = [
        "#!/bin/bash",
        *(f"# {what}: {line}" for what, detail in outcome.wrong for line in detail.splitlines() or [""]),
        'cd "$(dirname "$0")/cwd" || exit',
        f'HOME="$PWD/../home" TMPDIR="$PWD/../tmp" {" ".join(settings)} \\',
        f"  {shlex.join((*prefix, *HVCTL))} {' '.join(words)} <{'/dev/null' if run.stdin is None else '../stdin'}",
    ]
    (place / "again").write_bytes("\n".join((*script, "")).encode("utf-8", "surrogateescape"))
    (place / "again").chmod(0o755)
    (place / "wrong").write_text(
        "".join(f"{what}: {detail}\n" for what, detail in outcome.wrong), errors="backslashreplace"
    )
    for name, data in (("out", ended.out), ("err", ended.err)):
        (place / name).write_bytes(data[: 1 << 20])


def _quoted(word: str, names: Mapping[str, str]) -> str:
    if word[1:-1] in names:
        return names[word[1:-1]]
    before, found, after = word.partition("{cwd}")
    return f'{shlex.quote(before)}"$PWD"{shlex.quote(after)}' if found else shlex.quote(word)
