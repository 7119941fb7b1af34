"""What a rule is: a module below `hvctl.lint.rules` whose docstring is its page.

The module's name is the rule's id, its directory the rule's group. It has `SEVERITY` and `check(context)`, a pure
generator of findings, unless the engine makes them; and where it needs them `NEEDS` (facts without which it cannot
judge), `GUESTS` (the classes of guests that it judges), `ROWS` (the enlightenments of which one must be on) and `OF`
(the attribute of a guest that must not be empty).
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

from hvctl.catalog import ORDER, machines, roles
from hvctl.catalog.cpu_models import NESTED_FEATURE
from hvctl.catalog.roles import enclosing
from hvctl.catalog.types import Row
from hvctl.catalog.windows import GPU, USES
from hvctl.guest.domain.domain import Domain
from hvctl.lint import rules
from hvctl.model.finding import Finding, Fix, Safety, Severity, Skipped
from hvctl.model.guest import Changes, Edit, Guest, Place, Setting
from hvctl.model.host import Host
from hvctl.model.profile import Ask, Profile

Findings = Iterator[Finding]
"""What `check` of a rule gives."""

_HEADING = r"(?m)^## (.+)$"
_BLOCK = r"(?ms)^```(\w+)\n(.*?)^```$"
_SENTENCE = r"(?<=[a-z0-9)>'\"`][.!])\s+(?=[A-Z`<])"


class Group(StrEnum):
    """What a rule's findings come to."""

    FILE = "The file itself"
    START = "The guest does not start, or not as it is written"
    MIGRATE = "The guest cannot migrate"
    SLOW = "The guest is slow"
    DANGER = "Dangerous or pointless"


class Fact(StrEnum):
    """What a rule cannot judge without."""

    HOSTS = "hosts"


class Rule(NamedTuple):
    """One rule. `page` is its docstring; `check` yields findings, none where `rows` are not empty and none is on.

    `of` names an attribute of a guest, all that the rule looks at: where that is empty it has nothing to find.
    `after` are rules whose finding at the same place is about the same fault: then this one's is left out.
    """

    id: str
    severity: Severity
    group: Group
    page: str
    check: Callable[[Context], Findings]
    needs: tuple[Fact, ...] = ()
    guests: tuple[type[Guest], ...] = (Guest,)
    rows: frozenset[str] = frozenset()
    of: str = ""
    after: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """The first line of the page."""
        return self.page.partition("\n")[0].rstrip(".")

    @property
    def sections(self) -> dict[str, str]:
        """The page's text below each of its headings."""
        parts = re.split(_HEADING, self.page)
        return {heading: text.strip("\n") for heading, text in zip(parts[1::2], parts[2::2], strict=True)}

    @property
    def why(self) -> str:
        """The first sentence of why it matters."""
        return _why(self.page)

    def blocks(self, heading: str) -> list[tuple[str, str]]:
        """The examples below a heading: language and text."""
        return re.findall(_BLOCK, self.sections.get(heading, ""))


@functools.cache
def _why(page: str) -> str:
    after = page.partition("## Why it matters")[2].partition("##")[0]
    return re.split(_SENTENCE, " ".join(after.split()))[0]


def rule_of(module: ModuleType) -> Rule:
    """The rule that a module of `hvctl.lint.rules` is."""
    *_, group, name = module.__name__.split(".")
    return Rule(
        id=name.replace("_", "-"),
        severity=module.SEVERITY,
        group=Group[group.upper()],
        page=module.__doc__ or "",
        check=getattr(module, "check", _nothing),
        needs=getattr(module, "NEEDS", ()),
        guests=getattr(module, "GUESTS", (Guest,)),
        rows=frozenset(row.id for row in getattr(module, "ROWS", ())),
        of=getattr(module, "OF", ""),
        after=getattr(module, "AFTER", ()),
    )


def _nothing(_context: Context) -> Findings:
    yield from ()


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

    __slots__ = ("_change", "chosen", "findings", "guest", "hosts", "profile", "skipped")

    chosen: Chosen

    def __init__(self, guest: Guest, facts: Facts, change: Callable[[Guest], Changes] | None = None) -> None:
        """`change` collects changes to the guest's text; None where fixes are not to be worked out."""
        self.guest = guest
        self.hosts = facts.hosts
        self.profile = facts.profile
        self.findings: list[Finding] = []
        self.skipped: list[Skipped] = []
        self._change = change

    @property
    def domain(self) -> Domain:
        """The guest, for rules whose `GUESTS` are domains."""
        assert isinstance(self.guest, Domain), "the rule is for domains"
        return self.guest

    def on(self, rows: Sequence[Row]) -> Iterator[Setting]:
        """What is on of some rows, in their order."""
        on = self.guest.on
        return (on[row.id] for row in rows if row.id in on)

    @property
    def may_have_gpu(self) -> bool:
        """Whether the guest, or the profile, may have a graphics card assigned."""
        return self.guest.may_have_gpu or (self.profile is not None and GPU in self.profile.uses)

    @property
    def nests(self) -> bool:
        """Whether the guest runs a hypervisor itself: its CPU is asked for vmx or svm, or the profile has such a use
        and the CPU of the hosts' vendors is not written without."""
        switches = self.guest.switches
        if not switches and self.profile is None:
            return False
        written = {name: switches[name].on for name in NESTED_FEATURE.values() if name in switches}
        if any(written.values()):
            return True
        if self.profile is None:
            return False
        vendors = [host.hardware.vendor for host in self.hosts if host.hardware.vendor in NESTED_FEATURE]
        needed = [NESTED_FEATURE[vendor] for vendor in vendors if vendor] or NESTED_FEATURE.values()
        if all(written.get(name) is False for name in needed):
            return False
        return any(use.nested and use.id in self.profile.uses for use in USES)

    def place(self, fact: str) -> Place:
        """Where a fact is written; all of the guest where it is not."""
        place = self.guest.places.get(fact)
        return self.guest.root if place is None else place

    def finding(
        self,
        where: Place | Setting,
        message: str,
        instead: str = "",
        *,
        attribute: str = "",
        severity: Severity | None = None,
        fix: Fix | None = None,
        related: tuple[tuple[str, Place], ...] = (),
    ) -> Finding:
        """A finding of the rule at hand, at a place of the guest; `severity` where it is not the rule's own.

        For a setting the place is the value, where it has one. A guest with an assigned device hardly migrates anyway:
        what else is against that is an info. What a configuration says of a rule's severity counts for both.
        """
        guest = self.guest
        if isinstance(where, Setting):
            where, attribute = where.where, where.attribute
        if origin := guest.origin(where):
            message = f"{message} ({origin})"
            where = guest.cause(where)
        rule, wanted = self.chosen
        if rule.group is Group.MIGRATE and (guest.devices or self.may_have_gpu):
            severity = Severity.INFO
        return Finding(
            rule.id,
            severity if severity and wanted is rule.severity else wanted,
            message,
            guest.span(where, attribute),
            rule.why,
            instead,
            fix if guest.fixable else None,
            tuple((text, guest.span(place)) for text, place in related),
        )

    def safe(self, title: str, change: Callable[[Changes], None]) -> Fix:
        """A fix that keeps what the guest is meant to be."""
        return Fix(title, Safety.SAFE, self._edits(change))

    def unsafe(self, title: str, change: Callable[[Changes], None]) -> Fix:
        """A fix after which the guest sees another machine."""
        return Fix(title, Safety.UNSAFE, self._edits(change))

    def drop(self, setting: Setting, *, safe: bool = False) -> Fix | None:
        """The fix that removes what is written of a row; None where something else would lack it."""
        guest, name = self.guest, setting.row.properties[0].name
        # What an earlier -cpu turns on would then be thrown away by the last one.
        if any(name in earlier.names for earlier in guest.replaced) or (not safe and guest.needed(setting)):
            return None
        if guest.origin(setting.where):
            return None
        make = self.safe if safe else self.unsafe
        return make(f"drop {self.guest.name_of(setting.row)}", lambda changes: changes.drop(setting))

    def remove(self, where: Place, title: str) -> Fix | None:
        """The fix that removes something; None where it is not written here."""
        if self.guest.origin(where):
            return None
        return self.unsafe(title, lambda changes: changes.remove(where))

    def leave_out(self, setting: Setting) -> str:
        """To leave a setting out, with what else would lack it then."""
        return self.guest.leave_out((setting, *self.guest.needing(setting)))

    def turn_on(self, rows: Sequence[Row], *, safe: bool = False) -> Fix | None:
        """The fix that turns rows on; None where one of them cannot be written here, a host cannot give it, or the
        machine type, which is not changed, would have to be another one."""
        guest = self.guest
        if not all(map(guest.can_turn_on, rows)) or not self.attainable(*rows) or self.stranded(rows):
            return None
        make = self.safe if safe else self.unsafe
        names = ", ".join(guest.name_of(row) for row in rows)
        return make(f"turn on {names}", lambda changes: changes.turn_on(rows))

    def with_all(self, *rows: Row) -> list[Row]:
        """Rows, and all that they need and that is not there yet: also the elements around libvirt's."""
        guest, found = self.guest, dict[str, Row]()
        if len(rows) == 1 and not rows[0].requires and not (guest.libvirt and enclosing(rows[0])):
            return [*rows]  # most, in a fraction of the time
        waiting = list(rows)
        while waiting:
            for row in guest.with_needs(waiting.pop()):
                outer = enclosing(row) if guest.libvirt else None
                if outer is not None and outer.id not in guest.on and outer.id not in found:
                    waiting.append(outer)
                found[row.id] = row
        return [found[row_id] for row_id in sorted(found, key=ORDER.__getitem__)]

    def write(self, *rows: Row) -> str:
        """What to write to turn rows on, with all that they need; and what else, so that their clock can be carried."""
        wanted = self.with_all(*rows)
        text = f"write {self.guest.syntax_all(wanted)}"
        return f"{text}; and {machines.WITH_KVMCLOCK}" if self.stranded(wanted) else text

    def name_all(self, without: str = "") -> str:
        """What to write instead of what turns on all that a host has: nothing where the release uses none of it."""
        if not any(map(self.guest.uses, roles.RECOMMENDED)):
            return f"leave {without or 'it'} out"
        return "name what the guest should get" + (f", without {without}" if without else "")

    def stranded(self, rows: Sequence[Row]) -> bool:
        """Whether rows bring a clock whose time would jump back here, which would be found next."""
        return self.guest.lacks_kvmclock and any(row in roles.CLOCK for row in rows)

    def set(self, where: Place, name: str, value: str, *, title: str = "", safe: bool = False) -> Fix | None:
        """The fix that gives an attribute of an element a value; None where it is not written here."""
        if self.guest.origin(where):
            return None
        make = self.safe if safe else self.unsafe
        return make(title or f"write {value}", lambda changes: changes.set(where, name, value))

    def set_fact(self, fact: str, value: str, title: str) -> Fix | None:
        """The fix that gives a fact a value; None where it cannot be written here."""
        if not self.guest.can_set(fact):
            return None
        return self.unsafe(title, lambda changes: changes.set_fact(fact, value))

    def asked(self, row: Row) -> bool:
        """Whether there is a profile that turns a row on or prefers it."""
        wishes = self.profile.wishes if self.profile else ()
        return any(wish.id == row.id and wish.ask is not Ask.OFF for wish in wishes)

    def supported(self, row: Row) -> bool:
        """Whether every host is known to give a row, and to write it."""
        return all(state == "yes" for state in self._states(row))

    def with_controllers(self, rows: Sequence[Row]) -> list[Row]:
        """Rows, and what is advised beside a controller that comes with them: else its lack would be found next."""
        guest, more = self.guest, list[Row]()
        if self.hosts and any(one in roles.CONTROLLER for row in rows for one in guest.with_needs(row)):
            more = [row for row in roles.HARDWARE_APIC if row.id not in guest.settings and self._gains(row)]
        return [*rows, *(row for row in more if self.profile is None or self.asked(row))]

    def attainable(self, *rows: Row) -> bool:
        """Whether no host is known to lack the rows, or what they require that is not on, and the guest's release not
        known not to use them: else to write them is no advice."""
        wanted = self.with_all(*rows)
        if not all(map(self.guest.uses, wanted)):
            return False
        return not self.hosts or not any("no" in self._states(one) for one in wanted)

    def _gains(self, row: Row) -> bool:
        return self.guest.uses(row) and self.supported(row)

    def _states(self, row: Row) -> list[str]:
        """What each host answers about a row."""
        if not self.hosts:
            return []
        # Only where there are hosts: its import takes as long as all the rules.
        from hvctl.plan.support import support, verdict

        answers = (support(host, row, host.qemu[0] if host.qemu else None) for host in self.hosts)
        return [verdict(one, libvirt=self.guest.libvirt).state for one in answers]

    def is_open(self) -> bool:
        """Whether more may be on than is written, so that nobody can tell what is missing; what a shell hides is a
        reason to skip the rule."""
        guest = self.guest
        if guest.unknown and (reason := guest.unknown.get("options")):
            self.skip(reason)
        return guest.open

    def skip(self, reason: str) -> None:
        """Say that something could not be judged."""
        self.skipped.append(Skipped(self.chosen.rule.id, reason))

    def _edits(self, change: Callable[[Changes], None]) -> tuple[Edit, ...]:
        if self._change is None:
            return ()
        changes = self._change(self.guest)
        change(changes)
        return changes.edits()
