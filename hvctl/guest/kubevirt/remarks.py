"""What comments in YAML say to hvctl, and the lines that each is about."""

import re
from collections.abc import Iterator, Sequence

from hvctl.errors import Span

Lines = tuple[tuple[int, int], tuple[int, int]]

_COMMENT = re.compile(r"(?:^|(?<=\s))#[ \t]*(hvctl:[^\n\r]*)")
_BREAK = re.compile("\r\n|\r|\n")


def remarks(text: str, path: str) -> Iterator[tuple[str, Span, Lines]]:
    """Each comment of `# hvctl: ...` with its place. One on a line of its own is about the key after it and all that is
    below that, one before the first key of a document about the document; one after a key is about that key's."""
    if "hvctl:" not in text:
        return
    lines = _BREAK.split(text)
    for number, line in enumerate(lines):
        found = _COMMENT.search(line)
        if found is None:
            continue
        start = found.start() if line[found.start() : found.start() + 1] == "#" else line.index("#", found.start())
        span = Span(path, number + 1, start + 1, number + 1, len(line) + 1, line)
        yield found[1].strip(), span, _about(lines, number, own=not line[:start].strip())


def _about(lines: Sequence[str], number: int, *, own: bool) -> Lines:
    first = number
    if own:
        first = next((at for at in range(number + 1, len(lines)) if _says(lines[at])), len(lines) - 1)
        if _begins_document(lines, number):
            end = next((at for at in range(first + 1, len(lines)) if _separates(lines[at])), len(lines))
            return (first + 1, 0), (end + 1, 0)
    indent = _indent(lines[first])
    end = first + 1
    while end < len(lines) and (not _says(lines[end]) or _belongs(lines[end], indent, lines[first])):
        end += 1
    return (first + 1, 0), (end + 1, 0)


def _belongs(line: str, indent: int, first: str) -> bool:
    """Whether a line is below a key: further in, or an item of its list, which may be as far in as the key."""
    if _separates(line):
        return False
    return _indent(line) > indent or (
        _indent(line) == indent and line.lstrip().startswith("- ") and not first.lstrip().startswith("- ")
    )


def _begins_document(lines: Sequence[str], number: int) -> bool:
    """Whether nothing of the document is before a line."""
    for line in reversed(lines[:number]):
        if _separates(line):
            return True
        if _says(line):
            return False
    return True


def _says(line: str) -> bool:
    """Whether a line is more than a comment."""
    text = line.strip()
    return bool(text) and not text.startswith("#")


def _separates(line: str) -> bool:
    return line.startswith(("---", "..."))


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
