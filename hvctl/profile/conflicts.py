"""Contradictions inside a profile, which no host can resolve. Each names both of its lines."""

from collections.abc import Iterator

from hvctl.catalog import BY_ID, ROWS, machines
from hvctl.catalog.cpu_models import INVARIANT_TSC, NESTED_FEATURE
from hvctl.catalog.types import Need, Row, blocked, hazard
from hvctl.catalog.windows import USES
from hvctl.errors import Problem, Span
from hvctl.model.profile import Ask, Migration, Profile, Wish

_NEVER_MIGRATES = "write `migration: none` if the guest never migrates"


def conflicts(profile: Profile, *, partial: bool = False) -> tuple[Problem, ...]:
    """Everything in a profile that contradicts itself, whatever the host; empty if nothing does.

    Of a `partial` profile, from which mistakes were left out, only what holds whatever they were meant to be.
    """
    found = _Conflicts(profile)
    return tuple(found.requirements()) if partial else found.found()


class _Conflicts:
    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.spans = dict(profile.spans)
        self.wishes = {wish.id: wish for wish in profile.wishes}
        self.compat = machines.compat(profile.machine)
        self.required = [wish for wish in profile.wishes if wish.ask is Ask.ON]

    def found(self) -> tuple[Problem, ...]:
        problems = [*self.requirements(), *self.nesting(), *self.passthrough(), *self.unpinned()]
        if self.profile.migration is Migration.REQUIRED:
            problems += [*self.unmigratable(), *self.invariant_tsc()]
        return tuple(problems)

    def requirements(self) -> Iterator[Problem]:
        """Rows that are on, and need a row that is off."""
        for wish in self.required:
            for off, way in self.missing(BY_ID[wish.id], ()):
                through = f" (through {' and '.join(way)})" if way else ""
                yield Problem(
                    f"{wish.id} is on and requires {off.id}{through}, which is off",
                    wish.span,
                    f"write `{off.id}: on`, or {self.without(wish)}",
                    _related((f"{off.id} is off here", off.span)),
                )

    def without(self, wish: Wish) -> str:
        """How to ask for less than a row; what is on and needs it would contradict itself next."""
        ids = [one.id for one in self.required if one is wish or wish.id in self.needs(BY_ID[one.id])]
        written = " and ".join(f"`{row_id}: prefer`" for row_id in ids)
        return f"{written} to do without {'both' if len(ids) == 1 else 'all of them'}"

    def needs(self, row: Row) -> Iterator[str]:
        """What a row requires, directly or not."""
        for needed in () if row.requires_unless in self.compat else row.requires:
            yield needed
            yield from self.needs(BY_ID[needed])

    def missing(self, row: Row, way: tuple[str, ...]) -> Iterator[tuple[Wish, tuple[str, ...]]]:
        """The wishes that turn off what a row requires, and the rows on the way to them.

        A required row that is itself asked for with `on` speaks for its own requirements.
        """
        for needed in () if row.requires_unless in self.compat else row.requires:
            wish = self.wishes.get(needed)
            if wish is None or wish.ask is Ask.PREFER:
                yield from self.missing(BY_ID[needed], (*way, needed))
            elif wish.ask is Ask.OFF:
                yield wish, way

    def unmigratable(self) -> Iterator[Problem]:
        """Rows that are on, and with which no guest migrates, or only with a fixed TSC."""
        fixed = self.profile.tsc_frequency is not None
        for wish in self.required:
            if danger := hazard(BY_ID[wish.id], wish.value, fixed_tsc=fixed):
                first = f"{danger.remedy}, or " if danger.remedy else ""
                yield self.migration(wish.span, f"{wish.id} is on: {danger.reason}", first)

    def invariant_tsc(self) -> Iterator[Problem]:
        features = dict(self.profile.cpu.features)
        if features.get(INVARIANT_TSC) and self.profile.tsc_frequency is None:
            message = f"{INVARIANT_TSC} is on: {blocked('it and without tsc-frequency')}"
            yield self.migration(self.feature(INVARIANT_TSC), message, "write `tsc-frequency: auto`, or ")

    def migration(self, span: Span | None, message: str, first: str = "") -> Problem:
        """A problem with `migration: required`, which may be the default and then has no line."""
        return Problem(
            message,
            span,
            first + _NEVER_MIGRATES,
            _related(("migration is required here", self.spans.get("migration"))),
        )

    def nesting(self) -> Iterator[Problem]:
        """Uses that need nested virtualization, with a CPU that must have it of neither vendor."""
        features = dict(self.profile.cpu.features)
        uses = [use.id for use in USES if use.nested and use.id in self.profile.uses]
        if uses and all(features.get(name) is False for name in NESTED_FEATURE.values()):
            names = " and ".join(NESTED_FEATURE.values())
            yield Problem(
                f"guest.uses has {' and '.join(uses)}, which needs one of the CPU features {names}, and both are off",
                self.spans.get("guest.uses"),
                "leave the one of your processors out",
                _related(*((f"{name} is off here", self.feature(name)) for name in NESTED_FEATURE.values())),
            )

    def passthrough(self) -> Iterator[Problem]:
        """A row that takes all that the host has, beside rows that are off: QEMU lets nothing be taken back
        (qemu:target/i386/kvm/kvm.c, kvm_hyperv_expand_features())."""
        for everything in self.required:
            if not BY_ID[everything.id].takes_all:
                continue
            for row in ROWS:
                wish = self.wishes.get(row.id)
                if wish and wish.ask is Ask.ON and row.overwritten:
                    yield Problem(
                        f"{row.id} is on, but {everything.id} takes KVM's own value for it",
                        wish.span,
                        f"leave `{row.id}` out",
                        _related((f"{everything.id} is on here", everything.span)),
                    )
                if wish and wish.ask is Ask.OFF and row.in_passthrough:
                    yield Problem(
                        f"{row.id} is off, but {everything.id} turns on all that the host has; QEMU takes nothing back",
                        wish.span,
                        f"leave `{row.id}: off` out, or write `{everything.id}: off` and what the guest should get",
                        _related((f"{everything.id} is on here", everything.span)),
                    )

    def unpinned(self) -> Iterator[Problem]:
        """Promises that only pinned vCPUs keep."""
        for wish in self.required:
            if Need.PINNED in BY_ID[wish.id].needs and wish.value != "auto" and not self.profile.pinned:
                yield Problem(
                    f"{wish.id} is on without vcpus.pinned: it only holds when vCPUs are pinned",
                    wish.span,
                    f"pin the vCPUs and write `vcpus: {{pinned: on}}`, or `{wish.id}: prefer`",
                    _related(("vcpus.pinned is off here", self.spans.get("vcpus.pinned"))),
                )

    def feature(self, name: str) -> Span | None:
        return self.spans.get(f"cpu.features.{name}")


def _related(*places: tuple[str, Span | None]) -> tuple[tuple[str, Span], ...]:
    return tuple((text, span) for text, span in places if span)
