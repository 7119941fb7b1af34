"""The difference of two versions of a file."""

from __future__ import annotations

import difflib


def unified(before: bytes, after: bytes, name: str) -> str:
    """A unified diff, as `diff -u` prints it; empty where nothing differs."""
    old, new = (_lines(data) for data in (before, after))
    lines = difflib.unified_diff(old, new, f"{name} (before)", f"{name} (after)", lineterm="")
    return "".join(f"{line}\n" for line in lines)


def _lines(data: bytes) -> list[str]:
    codec = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    return data.decode(codec, "replace").splitlines()
