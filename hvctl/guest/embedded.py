"""Guests of every syntax that stand in other text: a log, a ticket, the output of a command."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from hvctl.guest.syntax import COMMAND_LINE, DOMAIN, KUBEVIRT, PROXMOX, Syntax
from hvctl.text.recognition import FileKind, kind_of

# Of a command line; Linux takes no longer word (MAX_ARG_STRLEN is 128 KiB).
_LONGEST = 256 << 10
_DOMAIN = r"<domain(?=[\s>])"
_END = "</domain>"
# QEMU's program with an option after it, so not in prose; or options alone at the beginning of a line, as in Proxmox'
# `args:`.
_COMMAND = (
    r"(?m)(?:^|(?<=[\s'\"(=]))(?:[\w.+~-]{0,80}/){0,20}(?:qemu-system-(?:x86_64|i386)|qemu-kvm|kvm(?:-spice)?)"
    r"(?=['\"]?[ \t]{1,80}(?:[\\^`]\r?\n\s{0,80})?--?\w)"
    r"|(?:^|(?<=^args: ))(?=--?(?:cpu|machine|M|accel|enable-kvm|global)\s)"
)
# An object of KubeVirt's: its first line, and all that go on with it or with another one.
_OBJECT = (
    r"(?m)^(?:apiVersion|kind|metadata|spec):[^\n]*\n"
    r"(?:(?:[ \t#-][^\n]*|(?:apiVersion|kind|metadata|spec|status):[^\n]*|[ \t]*)(?:\n|\Z))+"
)
# A line of Proxmox VE's VMID.conf, as `cat` or `qm config` prints it.
_LINE = re.compile(r"#|\[[^\]]*\]\s*$|[a-z][a-z_-]{0,40}\d{0,5}:[ \t]")
# What joins a line to the next: sh, cmd.exe, PowerShell.
_JOINS = ("\\", "^", "`")


class Embedded(NamedTuple):
    """A guest in a text: its syntax, the characters that are its own, and the numbers of its first and last line."""

    text: str
    syntax: Syntax
    start: int
    end: int
    first: int
    last: int

    @property
    def data(self) -> bytes:
        """What it is read from: with spaces before it, so that its columns are right."""
        column = self.start - (self.text.rfind("\n", 0, self.start) + 1)
        return (" " * column + self.text[self.start : self.end]).encode("utf-8", "surrogateescape")


def embedded(text: str) -> Iterator[Embedded]:
    """The guests in a text, domains first; a domain without an end is none, nor is what is too long for a command."""
    yield from _numbered(text, DOMAIN, _domains(text))
    if "kubevirt.io/" in text:
        yield from _numbered(text, KUBEVIRT, _objects(text))
    configurations = [] if "\0" in text else list(_configurations(text))
    yield from _numbered(text, PROXMOX, configurations)
    begin = text[:_LONGEST]
    # A script has variables; a process's arguments have no lines.
    if kind_of(begin) is FileKind.SHELL_SCRIPT or begin[:9].lower() == "@echo off" or "\0" in begin:
        found = iter([(0, len(text))])
    else:
        found = _outside(_commands(text), configurations)
    short = ((start, end) for start, end in found if end - start <= _LONGEST)
    yield from _numbered(text, COMMAND_LINE, short)


def _numbered(text: str, syntax: Syntax, places: Iterable[tuple[int, int]]) -> Iterator[Embedded]:
    """Guests with their lines, counted from one to the next."""
    line, at = 1, 0
    for start, end in places:
        line += text.count("\n", at, start)
        at = start
        yield Embedded(text, syntax, start, end, line, line + text.count("\n", start, end))


def _domains(text: str) -> Iterator[tuple[int, int]]:
    pattern, at = re.compile(_DOMAIN), 0
    while match := pattern.search(text, at):
        end = text.find(_END, match.start())
        if end < 0:
            return
        at = end + len(_END)
        yield match.start(), at


def _objects(text: str) -> Iterator[tuple[int, int]]:
    for match in re.finditer(_OBJECT, text):
        if kind_of(match[0]) is FileKind.KUBEVIRT:
            yield match.span()


def _configurations(text: str) -> Iterator[tuple[int, int]]:
    """Lines in a row that are a guest's of Proxmox VE; an empty one only goes before a section."""
    start = at = 0
    for line in (*text.split("\n"), "."):
        if not _LINE.match(line) and (line or text[at + 1 : at + 2] != "["):
            if start < at <= start + _LONGEST and kind_of(text[start:at]) is FileKind.PROXMOX:
                yield start, at
            start = at + len(line) + 1
        at += len(line) + 1


def _outside(found: Iterable[tuple[int, int]], others: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """What does not begin within others, both in the order of the text."""
    waiting = list(reversed(others))
    for start, end in found:
        while waiting and waiting[-1][1] <= start:
            waiting.pop()
        if not (waiting and waiting[-1][0] <= start):
            yield start, end


def _commands(text: str) -> Iterator[tuple[int, int]]:
    pattern, at = re.compile(_COMMAND), 0
    while match := pattern.search(text, at):
        start = match.start()
        at = _end_of_lines(text, start)
        yield start, _end_of_quotation(text, start, at)
        at = max(at, match.end() + 1)


def _end_of_lines(text: str, at: int) -> int:
    """The end of the line that a place is in, and of those that it goes on in."""
    while True:
        end = text.find("\n", at)
        if end < 0:
            return len(text)
        if not text[max(at, end - 2) : end].rstrip("\r").endswith(_JOINS):
            return end
        at = end + 1


def _end_of_quotation(text: str, start: int, end: int) -> int:
    """The end of a command, which may be quoted in a message: `command '/usr/bin/kvm ...' failed: exit code 1`."""
    mark = text[start - 1 : start]
    quoted = text.rfind(f"{mark} failed", start, end) if mark and mark in "'\"" else -1
    return quoted if quoted >= 0 else end
