"""The commands that run QEMU, among the words of a shell script or of a text that is one command."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hvctl.text.shell_words import Word, split

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Not what is assigned to a variable, nor the device /dev/kvm.
_PROGRAM = re.compile(r"^(?!/dev/)(?:[^=]*/)?(?:qemu-system-(?:x86_64|i386)|qemu-kvm|kvm)$")
_OTHER_PROGRAM = re.compile(r"(?:^|/)qemu-system-\w+$")
_SEPARATOR = re.compile(r"(?<!\\)(?<!\\\r)(?:\\\\)*\r?\n|;|&&|\|")
_OPERATORS = ";|&"
# With these QEMU tells something, and runs no guest.
_TELLS = {"-h", "-help", "--help", "-version", "--version", "help"}


def qemu_commands(text: str, path: str) -> Iterator[list[Word]]:
    """The words of each QEMU command, its program first; a text of options alone is one command.

    Raises:
        InputError: a quotation has no end.
    """
    words = split(text, path)
    if "\0" not in text:
        words = [part for word in words for part in _without_operator(word, text)]
    return _commands(words, text)


def _without_operator(word: Word, text: str) -> Iterator[Word]:
    """A word, and apart from it what ends the command right behind it, as in `-cpu host;`."""
    size = len(word.rstrip(_OPERATORS))
    quoted = size < len(word) and (word.offsets[-1] > word.offsets[-2] + 1 or text[word.offsets[size] - 1] == "\\")
    if size in (0, len(word)) or quoted:
        yield word
        return
    yield Word(word[:size], word.offsets[: size + 1], expands=word.expands)
    yield word.part(size, len(word))


def _commands(words: Sequence[Word], text: str) -> Iterator[list[Word]]:
    if words and words[0].startswith("-"):
        if not any(_OTHER_PROGRAM.search(one) for one in words):
            yield [words[0], *words]
        return
    for command in _simple_commands(words, text):
        if found := _qemu(command):
            yield found


def _simple_commands(words: Sequence[Word], text: str) -> Iterator[list[Word]]:
    """The words of each command of the shell, whatever it runs."""
    command: list[Word] = []
    for position, word in enumerate(words):
        if position and "\0" not in text and _ends(words[position - 1], word, text):
            yield command
            command = []
        command.append(word)
    yield command


def _qemu(command: list[Word]) -> list[Word]:
    """The words of a command from QEMU's program on; empty where none runs, as in `command -v qemu-kvm`."""
    for position, word in enumerate(command):
        # Not the value of another program's option: `virt-install --virt-type kvm`.
        value = position > 0 and word == "kvm" and command[position - 1].startswith("-")
        if value or word.expands or not _PROGRAM.search(word):
            continue
        behind = command[position + 1 :]
        named = position > 0 and not any(one.startswith("-") or one.expands for one in behind)
        return [] if named or not _TELLS.isdisjoint(behind) else command[position:]
    return []


def _ends(before: Word, word: Word, text: str) -> bool:
    """Whether a command ends between two words."""
    operator = bool(before) and not before.strip(_OPERATORS)
    return operator or _SEPARATOR.search(text[before.offsets[-1] : word.offsets[0]]) is not None
