"""What fixes change in a file, as a patch that `git apply` and `patch -p1` take."""

from __future__ import annotations

import difflib


def patch(before: bytes, after: bytes, path: str) -> str:
    """A unified diff; bytes that are not UTF-8 are surrogates, as in the names of files.

    An absolute path stays one (`patch -p0`). Of UTF-16 the diff is for people alone: git has none for it.
    """
    ours, theirs = ("", "") if path.startswith("/") else ("a/", "b/")
    lines = difflib.unified_diff(_lines(before), _lines(after), _name(ours + path), _name(theirs + path))
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _lines(data: bytes) -> list[str]:
    utf_16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    text = data.decode("utf-16", "replace") if utf_16 else data.decode("utf-8", "surrogateescape")
    # Not splitlines: of the line ends that it knows, git and patch know one.
    lines = text.split("\n")
    return [*(f"{line}\n" for line in lines[:-1]), *filter(None, lines[-1:])]


def _name(path: str) -> str:
    """A name as git writes it: quoted as in C where it must be; a tab tells that a space before it is part of it."""
    if path.isprintable() and not set(path) & set('"\\'):
        return f"{path}\t" if " " in path else path
    plain = (chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}" for byte in path.encode("utf-8", "surrogateescape"))
    return '"' + "".join(f"\\{char}" if char in '"\\' else char for char in plain) + '"'
