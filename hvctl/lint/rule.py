"""What a rule is: a module below `hvctl.lint.rules` whose docstring is its page.

The module's name is the rule's id, its directory the rule's group. It has `SEVERITY` and `check(context)`, a pure
generator of findings; and where it needs them `NEEDS` (facts without which it cannot judge), `GUESTS` (the kinds of
text that it judges) and `ROWS` (the enlightenments of which one must be on).
"""

from __future__ import annotations

import functools
import re
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from hvctl.lint.context import Context
    from hvctl.model.finding import Finding, Severity

_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SENTENCE = re.compile(r"(?<=[a-z0-9)>'\"`][.!])\s+(?=[A-Z`<])")


class Group(StrEnum):
    """What a rule's findings come to."""

    FILE = "The file itself"
    START = "The guest does not start, or not as it is written"
    MIGRATION = "The guest cannot migrate"
    SPEED = "The guest is slow"
    DANGER = "Dangerous or pointless"


class Fact(StrEnum):
    """What a rule cannot judge without."""

    HOSTS = "hosts"


class Kind(StrEnum):
    """The kinds of text that describe a guest."""

    DOMAIN = "domain"
    COMMAND_LINE = "command line"


class Rule(NamedTuple):
    """One rule. `page` is its docstring; `check` yields findings, none where `rows` are not empty and none is on."""

    id: str
    severity: Severity
    group: Group
    page: str
    check: Callable[[Context], Iterator[Finding]]
    needs: tuple[Fact, ...] = ()
    guests: tuple[Kind, ...] = tuple(Kind)
    rows: frozenset[str] = frozenset()

    @property
    def summary(self) -> str:
        """The first line of the page."""
        return self.page.partition("\n")[0].rstrip(".")

    @property
    def sections(self) -> dict[str, str]:
        """The page's text below each of its headings."""
        parts = _HEADING.split(self.page)
        return {heading: text.strip("\n") for heading, text in zip(parts[1::2], parts[2::2], strict=True)}

    @property
    def why(self) -> str:
        """The first sentence of why it matters."""
        return _why(self.page)

    def blocks(self, heading: str) -> list[tuple[str, str]]:
        """The examples below a heading: language and text."""
        return _BLOCK.findall(self.sections.get(heading, ""))


@functools.cache
def _why(page: str) -> str:
    after = page.partition("## Why it matters")[2].partition("##")[0]
    return _SENTENCE.split(" ".join(after.split()))[0]


def rule_of(module: ModuleType) -> Rule:
    """The rule that a module of `hvctl.lint.rules` is."""
    *_, group, name = module.__name__.split(".")
    return Rule(
        id=name.replace("_", "-"),
        severity=module.SEVERITY,
        group=Group[group.upper()],
        page=module.__doc__ or "",
        check=module.check,
        needs=getattr(module, "NEEDS", ()),
        guests=getattr(module, "GUESTS", tuple(Kind)),
        rows=frozenset(row.id for row in getattr(module, "ROWS", ())),
    )
