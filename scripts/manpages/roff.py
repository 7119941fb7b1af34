"""Parts of man pages: roff with the man macros."""

from __future__ import annotations

from hvctl import __version__

RELEASED = "2026-11-23"


def title(name: str, number: int, heading: str) -> str:
    """The head of a page."""
    return f'.TH {name} {number} "{RELEASED}" "hvctl {__version__}" "{heading}"'


def section(name: str) -> list[str]:
    """A heading."""
    return [f".SH {name}"]


def see_also(*pages: str) -> list[str]:
    """The last section: other pages."""
    found = []
    for number, page in enumerate(pages, 1):
        name, _, rest = page.partition("(")
        found.append(f".BR {text(name)} ({rest}{',' if number < len(pages) else ''}")
    return [*section("SEE ALSO"), *found]


def text(said: str) -> str:
    """Text as roff input on one line: nothing in it is a request or an escape."""
    return verbatim(" ".join(said.split()))


def verbatim(line: str) -> str:
    """The same for a line whose spaces count."""
    escaped = line.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga").replace("~", "\\(ti")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped
