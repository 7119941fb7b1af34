"""What a rule is: a module below `hvctl.lint.rules` whose docstring is its page.

The module's name is the rule's id, its directory the rule's group. It has `SEVERITY` and `check(context)`, a pure
generator of findings; and where it needs them `NEEDS` (facts without which it cannot judge), `GUESTS` (the kinds of
text that it judges) and `ROWS` (the enlightenments of which one must be on).
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from types import ModuleType
from typing import NamedTuple

from hvctl.catalog.types import Row
from hvctl.guest.guest import Changes, Entry, Guest, Kind, Place
from hvctl.lint import rules
from hvctl.model.finding import Edit, Finding, Fix, Safety, Severity, Skipped
from hvctl.model.host import Host
from hvctl.model.profile import Profile

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


_GROUPS = list(Group)


@functools.cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule, by group and id."""
    modules = pkgutil.walk_packages(rules.__path__, f"{rules.__name__}.")
    found = [rule_of(importlib.import_module(module.name)) for module in modules if not module.ispkg]
    return tuple(sorted(found, key=lambda rule: (_GROUPS.index(rule.group), rule.id)))


def find_rule(name: str) -> Rule | None:
    """The rule of an id; `_` counts as `-`."""
    wanted = name.strip().lower().replace("_", "-")
    return next((rule for rule in all_rules() if rule.id == wanted), None)


class Facts(NamedTuple):
    """What is known beside the file: the hosts, which decide for the whole pool, and the profile."""

    hosts: tuple[Host, ...] = ()
    profile: Profile | None = None


NOTHING_KNOWN = Facts()


class Chosen(NamedTuple):
    """A rule that is to be asked, with the severity that its findings have."""

    rule: Rule
    severity: Severity


class Context:
    """One guest, the facts, the rule that looks at them now, and what was found so far."""

    chosen: Chosen

    def __init__(self, guest: Guest, facts: Facts, *, with_edits: bool) -> None:
        self.guest = guest
        self.hosts = facts.hosts
        self.profile = facts.profile
        self.findings: list[Finding] = []
        self.skipped: list[Skipped] = []
        self._with_edits = with_edits

    def finding(
        self,
        where: Place,
        message: str,
        instead: str = "",
        *,
        attribute: str = "",
        severity: Severity | None = None,
        fix: Fix | None = None,
        related: tuple[tuple[str, Place], ...] = (),
    ) -> Finding:
        """A finding of the rule at hand, at a place of the guest; `severity` where it is not the rule's own."""
        guest = self.guest
        rule, wanted = self.chosen
        return Finding(
            rule.id,
            severity if severity and wanted is rule.severity else wanted,
            message,
            guest.span(where, attribute),
            rule.why,
            instead,
            fix,
            tuple((text, guest.span(place)) for text, place in related),
        )

    def safe(self, title: str, change: Callable[[Changes], None]) -> Fix:
        """A fix that keeps what the guest is meant to be."""
        return Fix(title, Safety.SAFE, self._edits(change))

    def unsafe(self, title: str, change: Callable[[Changes], None]) -> Fix:
        """A fix after which the guest sees another machine."""
        return Fix(title, Safety.UNSAFE, self._edits(change))

    def drop(self, entry: Entry, *, safe: bool = False) -> Fix | None:
        """The fix that takes away what is written of a row; None where something else would lack it."""
        if not safe and self.guest.needed(entry):
            return None
        make = self.safe if safe else self.unsafe
        return make(f"drop {self.guest.name_of(entry.row)}", lambda changes: changes.drop(entry))

    def turn_on(self, rows: Sequence[Row], *, safe: bool = False) -> Fix | None:
        """The fix that turns rows on; None where one of them cannot be written here, or a host cannot give it."""
        guest = self.guest
        if not all(guest.can_turn_on(row) for row in rows):
            return None
        if self.hosts and any(self._refused(one) for row in rows for one in guest.with_needs(row)):
            return None
        make = self.safe if safe else self.unsafe
        names = ", ".join(guest.name_of(row) for row in rows)
        return make(f"turn on {names}", lambda changes: changes.turn_on(rows))

    def _refused(self, row: Row) -> bool:
        """Whether a host is known not to give a row."""
        # Only where there are hosts: its import takes as long as all the rules.
        from hvctl.plan.support import State, support, verdict

        libvirt = self.guest.kind is Kind.DOMAIN
        answers = (support(host, row, host.qemu[0] if host.qemu else None) for host in self.hosts)
        return any(verdict(one, libvirt=libvirt).state is State.NO for one in answers)

    def skip(self, reason: str) -> None:
        """Say that something could not be judged."""
        self.skipped.append(Skipped(self.chosen.rule.id, reason))

    def _edits(self, change: Callable[[Changes], None]) -> tuple[Edit, ...]:
        if not self._with_edits:
            return ()
        changes = self.guest.editor()
        change(changes)
        return changes.edits()
