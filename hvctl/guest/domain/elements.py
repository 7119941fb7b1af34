"""What is asked of every element of every file, as cheaply as it can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hvctl.text.problems import quoted

if TYPE_CHECKING:
    from hvctl.xml.source import Element


def local(element: Element) -> str:
    """The name without its prefix."""
    tag = element.tag
    return tag.rpartition(":")[2] if ":" in tag else tag


def named(tag: str) -> str:
    """A tag for a message: short, with nothing that a terminal would obey."""
    return f"<{quoted(tag)[1:-1]}>"


def plain_text(element: Element) -> str:
    """The text of an element, without the space around it; that of a plain one without looking for its parts."""
    document = element.document
    source = document.data[element.open_end : element.close_start]
    if document.codec != "utf-8" or b"&" in source or b"<" in source or not source.isascii():
        return element.text().strip()
    return source.decode("ascii").strip()
