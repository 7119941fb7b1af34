"""What kind of file describes a guest: told by how its text begins, never by its name."""

from __future__ import annotations

import re
from enum import StrEnum


class Description(StrEnum):
    """The kinds of text that describe a guest."""

    DOMAIN = "domain"
    LOCK = "lock"
    COMMAND_LINE = "command line"
    CPU = "-cpu value"
    PROFILE = "profile"


_OPTION = re.compile(r"(?:^|[\s\0'\"])--?(?:cpu|machine|M|accel|enable-kvm|global)(?:[\s\0'\"]|$)")
# A model and at least one property, and nothing else. QEMU passes over a comma too many, as strtok() does.
_CPU = re.compile(r"\s*[A-Za-z0-9._-]+(?:,+[^\s,]+(?: [^\s,]+)*)+,*\s*")
# The first key of a mapping, behind comments: a profile may speak of options.
_KEY = re.compile(r"(?:\s|#[^\n]*\n)*(?:---\s|%YAML|[\"']?[A-Za-z][\w-]*[\"']?[ \t]*:(?:\s|$))")
# A UTF-16 file says so by its first bytes, or by `<` in two of them.
_UTF16 = (b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<")


def description(data: bytes) -> Description:
    """The kind of a file, by its content."""
    if data.startswith(_UTF16):
        return Description.DOMAIN
    text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    start = text.lstrip()[:1]
    if start == "<":
        return Description.DOMAIN
    if start == "{":
        # What is no locked plan, but another file of hvctl's, is told so by the reader of locked plans.
        return Description.LOCK if '"format_version"' in text else Description.PROFILE
    if "\0" in text:
        return Description.COMMAND_LINE  # of a process, as /proc has it
    if _KEY.match(text):
        return Description.PROFILE
    if _OPTION.search(text):
        return Description.COMMAND_LINE
    return Description.CPU if _CPU.fullmatch(text) else Description.PROFILE
