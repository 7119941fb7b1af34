"""What a rule gets to look at, and how it says what it finds."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hvctl.lint.rule import Kind
from hvctl.model.finding import Finding, Fix, Safety, Skipped

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hvctl.catalog.types import Row
    from hvctl.guest.guest import Changes, Entry, Guest, Place
    from hvctl.lint.rule import Rule
    from hvctl.model.finding import Edit, Severity
    from hvctl.model.host import Host
    from hvctl.model.profile import Profile


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
