"""What must hold after any run of hvctl: of its end, of what it printed, and of the files around it."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lxml import etree

from tests.paths import ROOT
from tests.torture.processes import HANG, Ended
from tests.torture.runs import Put, Run

Wrong = tuple[str, str]
"""The name of a count, and details."""

CODES = (0, 1, 2, 3, 130, 141)
SECONDS, MEGABYTES = 10.0, 300.0
TEMPORARY = ".hvctl-tmp"
DIED_IN_LIBVIRT = "died in libvirt"
"""A count, but nothing wrong with hvctl."""
_DEADLY = (-signal.SIGSEGV, -signal.SIGBUS, -signal.SIGABRT, -signal.SIGTRAP)
# What hvctl asks of libvirt's test driver, which reads its file in the process that asks. Here it is asked without
# hvctl; and with little memory, as what kills it may be a wish for very much.
_LIBVIRT_ALONE = """
import libvirt, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
connection = libvirt.openReadOnly(sys.argv[1])
for domain in connection.listAllDomains():
    domain.XMLDesc(), domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
"""
_KEEPS = ("/.cache/hvctl/", "/.local/state/hvctl/domains/")
_TRACES = (b"Traceback", b"Exception ignored", b"Fatal Python error")
_COLORS = re.compile(r"\x1b\[[0-9;]*m|\r\n|\r\x1b\[K|\r[-|/\\] ")
# C0 but newline and tab, C1 as characters and as bytes, and what turns the direction of text.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]|[\udc80-\udc9f]", re.UNICODE
)


def of_the_process(ended: Ended, limit: float = SECONDS, codes: Sequence[int] = CODES) -> Iterator[Wrong]:
    """Whether it ended in time, within its memory, with one of these codes, and alone."""
    if ended.hung:
        yield "hangs", f"more than {HANG:.0f} s"
    elif ended.code == 70:
        yield "exit 70", ""
    elif ended.code not in codes:
        yield "other exit codes", str(ended.code)
    if ended.megabytes > MEGABYTES:
        yield "over 300 MB", f"{ended.megabytes:.0f} MB"
    if ended.seconds > limit and not ended.hung:
        yield "over 10 s", f"{ended.seconds:.1f} s"
    if ended.left:
        yield "leaked processes", "; ".join(ended.left)


def of_libvirt(run: Run, ended: Ended, place: Path) -> Iterator[Wrong]:
    """Whether libvirt dies of the same file without hvctl, too: hvctl cannot live longer than its own process.

    Seen of 9.0: `<vcpu>-1</vcpu>` in a file of test:///FILE is 4294967295 vCPUs, for which it wants 34 GB and, given
    none, writes to NULL (virExpandN, of virDomainDefSetVcpusMax). virsh dies, too.
    """
    if ended.code not in _DEADLY:
        return
    for word in run.words:
        uri = word.replace("{cwd}", str(place / "cwd")).partition("#")[0]
        if uri.startswith("test://"):
            command = [sys.executable, "-c", _LIBVIRT_ALONE, uri]
            if subprocess.run(command, capture_output=True, check=False).returncode in _DEADLY:
                yield DIED_IN_LIBVIRT, uri


def of_the_output(run: Run, ended: Ended, place: Path) -> Iterator[Wrong]:
    both = ended.err + (ended.out if run.terminal else b"")
    # One of a lying program's own, which hvctl quotes, is none.
    quoted = any(f'"{folder}/'.encode() in both for folder in (place / "cwd", ROOT / "tests"))
    if any(word in both for word in _TRACES) and not quoted:
        yield "tracebacks", both.decode(errors="replace")[-600:]
    shown = {"stderr": ended.err}
    if run.terminal or run.stdout != "exact":
        shown["stdout"] = ended.out
    for name, data in shown.items():
        text = _COLORS.sub("\n", data.decode("utf-8", "surrogateescape"))
        if found := _CONTROL.search(text):
            yield "control characters", f"{name}: {text[max(0, found.start() - 40) : found.end() + 40]!r}"
    if run.stdout == "json" and not run.terminal and ended.code in (0, 1):
        documents = [place / name for name in run.makes if "sarif" in name]
        for data in (*(path.read_bytes() for path in documents if path.exists()), ended.out):
            yield from _json(data)


def _json(data: bytes) -> Iterator[Wrong]:
    def refuse(name: str) -> None:
        raise ValueError(name)

    try:
        if data:
            json.loads(data, parse_constant=refuse)
    except ValueError as error:
        yield "invalid JSON", f"{error}: {data[:200]!r}"


def of_the_files(run: Run, place: Path) -> Iterator[Wrong]:
    before = {put.path: put for put in run.puts}
    for put in run.puts:
        if put.form == "file" and put.path not in run.makes:
            yield from _of_the_file(run, put, place / put.path)
    for path in files_below(place):
        known = path in before or path in run.makes
        if path.endswith(TEMPORARY) or not (known or kept(path)):
            yield "leaked files", path


def _of_the_file(run: Run, put: Put, path: Path) -> Iterator[Wrong]:
    try:
        data, mode = path.read_bytes(), path.stat().st_mode
    except OSError as error:
        if not kept(put.path):  # --undo forgets what it has put back
            yield "lost", f"{put.path}: {error.strerror}"
        return
    if data == put.data or kept(put.path):
        return
    if not run.edits:
        yield "lost", f"{put.path} was changed"
    elif stat.S_IMODE(mode) != put.mode:
        yield "lost", f"{put.path} has the mode {mode:o}"
    elif not well_formed(data) and well_formed(put.data):
        yield "lost", f"{put.path} is no longer well-formed"


def kept(path: str) -> bool:
    """Whether hvctl may leave a file in HOME: its cache, and the definitions that apply has replaced."""
    return path.startswith("home/") and any(part in path for part in _KEEPS)


class _Nothing:
    """What a parser builds: a tree of 16 MiB of elements takes 500."""

    def close(self) -> None:
        """The end."""


_NOTHING: Any = _Nothing()  # lxml asks for no more methods than there are


def well_formed(data: bytes) -> bool:
    """Whether it is XML or the words of a command line."""
    try:
        if data.lstrip(b"\xef\xbb\xbf \r\n").startswith((b"<", b"\xff\xfe<", b"\xfe\xff\0<")):
            parser = etree.XMLParser(target=_NOTHING, huge_tree=True, resolve_entities=False)
            etree.fromstring(data, parser)
        else:
            shlex.split(data.decode("utf-8", "surrogateescape"))
    except (ValueError, etree.XMLSyntaxError):
        return False
    return True


def files_below(place: Path) -> Iterator[str]:
    """Every file and empty directory, by its path from there."""
    for folder, folders, files in os.walk(place):
        for name in (*files, *(one for one in folders if os.path.islink(os.path.join(folder, one)))):
            yield os.path.relpath(os.path.join(folder, name), place)
