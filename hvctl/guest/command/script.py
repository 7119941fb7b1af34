"""The commands that run QEMU, among the words of a shell script or of a text that is one command."""

import re
from collections.abc import Iterator, Sequence

from hvctl.text.shell_words import Word, split

# Not what is assigned to a variable, nor the device /dev/kvm. Windows' programs may have a window of their own (`w`).
_PROGRAM = re.compile(
    r"^(?!/dev/)[@(]?(?:[^=]*[/\\])?(?:qemu-system-(?:x86_64|i386)w?(?:\.exe)?|qemu-kvm|kvm(?:-spice)?)$"
)
_OTHER_PROGRAM = re.compile(r"(?:^|/)qemu-system-\w+$")
_SEPARATOR = re.compile(r"(?<!\\)(?<!\\\r)(?:\\\\)*\r?\n|;|&&|\|")
_BATCH_SEPARATOR = re.compile(r"(?<!\^)(?<!\^\r)\r?\n|&|\|")
# What cmd.exe joins to the next line, its comments and paths: sh has no use for a `^` there. PowerShell joins by
# another character, which sh takes for an expansion.
_BATCH = re.compile(r"(?im)\^\r?\n|^[ \t@]*(?:rem\s|::)|\b[a-z]:\\[^\n]{0,200}qemu-system")
_POWERSHELL = re.compile(r"`\r?\n")
_OPERATORS = ";|&)"
# Editors of Windows begin a file with it.
_MARK = "\ufeff"
_OPTIONS = {"-cpu", "-enable-kvm", "-accel", "-machine"}
# With these QEMU prints something, and runs no guest.
_PRINTS = {"-h", "-help", "--help", "-version", "--version", "help"}


def is_batch(text: str) -> bool:
    """Whether a text is for Windows' cmd.exe, by how it begins, joins lines, comments, or names files."""
    return not _POWERSHELL.search(text) and (text[:9].lower() == "@echo off" or _BATCH.search(text) is not None)


def qemu_commands(text: str, path: str) -> Iterator[list[Word]]:
    """The words of each QEMU command, its program first; a text of options alone is one command.

    Raises:
        InputError: a quotation has no end.
    """
    words = split(text, path, batch=is_batch(text))
    if words and words[0].startswith(_MARK):
        words[0] = words[0].part(len(_MARK), len(words[0]))
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
    separator = _BATCH_SEPARATOR if is_batch(text) else _SEPARATOR
    for position, word in enumerate(words):
        if position and "\0" not in text and _ends(words[position - 1], word, text, separator):
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
            # A script's own name for the program is only known by the options after it.
            if word.expands and word[0] in "$%" and _runs_qemu(command[position + 1 :]):
                return command[position:]
            continue
        behind = command[position + 1 :]
        named = position > 0 and not any(one.startswith("-") or one.expands for one in behind)
        return [] if named or not _PRINTS.isdisjoint(behind) else command[position:]
    return []


def _runs_qemu(behind: Sequence[Word]) -> bool:
    """Whether words can only be options of QEMU's, and none of them its program."""
    return not _OPTIONS.isdisjoint(behind) and not any(_PROGRAM.search(one) for one in behind)


def _ends(before: Word, word: Word, text: str, separator: re.Pattern[str]) -> bool:
    """Whether a command ends between two words."""
    operator = bool(before) and not before.strip(_OPERATORS)
    return operator or separator.search(text[before.offsets[-1] : word.offsets[0]]) is not None
