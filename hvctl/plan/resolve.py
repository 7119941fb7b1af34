"""A profile and a pool of hosts become a plan, with a reason for every decision; the machine type is one of them."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hvctl.catalog import BY_ID, ROWS, machines
from hvctl.catalog.roles import enclosing
from hvctl.catalog.types import Hazard, Kind, Need, Row, hazard
from hvctl.catalog.windows import USES, system_of, without_use
from hvctl.model.host import Host, MachineType
from hvctl.model.plan import UNNAMED, CpuPlan, Decision, Layer, Machine, Outcome, Plan, Platform
from hvctl.model.profile import Ask, Migration, Profile, Value, Wish
from hvctl.plan.cpu import choose_cpu, refusal
from hvctl.plan.notes import notes
from hvctl.plan.support import NO_HYPERV, NOT_KNOWN, Answer, State, nested_on, support, verdict


class Obstacle(NamedTuple):
    """Why a row cannot be had: the layer and host that decide, and what would change it."""

    reason: str
    layer: Layer
    host: str | None = None
    remedy: str = ""
    more: int = 0


def resolve(
    profile: Profile,
    pool: Sequence[Host],
    *,
    libvirt: bool = False,
    commandline: bool = False,
    machine: str | None = None,
    platform: Platform | None = None,
) -> Plan:
    """Resolve a profile for every host of a pool.

    Args:
        profile: what is wanted; free of conflicts (`plan.conflicts`).
        pool: at least one host; the plan is valid on each of them, with the first QEMU of each.
        libvirt: whether the plan must be expressible in the domain XML that every host's libvirt knows.
        commandline: whether what libvirt has no element for may go through its `<qemu:commandline>`.
        machine: a machine type or family to use instead of the profile's.
        platform: what the plan is written for, where that is neither QEMU nor libvirt itself.

    Returns:
        The plan; it must not be used if its `refusals` are not empty.
    """
    libvirt = libvirt or (platform is not None and platform.libvirt)
    nothing = [why for host in pool if (why := unusable(host))]
    if nothing:
        return _no_plan(profile, nothing)
    chosen = choose_machine(machine or profile.machine, pool)
    cpu, refusals = choose_cpu(profile, pool, libvirt=libvirt)
    if isinstance(chosen, Decision):
        refusals = (chosen, *refusals)
        chosen = Machine(machine or profile.machine, hpet_option=None)
    elif profile.clock.hpet and chosen.hpet_option is False:
        reason = f"machine type {chosen.type} has no HPET"
        refusals = (*refusals, refusal("clock.timers.hpet", reason, Layer.QEMU, None, "leave `hpet: on` out"))
    refusals = (*refusals, *_uses(profile), *(platform.refusals if platform else ()))
    resolution = _Resolution(profile, pool, chosen.type, libvirt=libvirt, commandline=commandline)
    resolution.platform = platform
    decisions = resolution.decisions()
    refused = tuple(decision for decision in decisions if decision.state is Outcome.REFUSED)
    plan = Plan(
        profile.name,
        profile.os,
        profile.migration,
        chosen,
        cpu,
        profile.clock,
        decisions,
        (*refused, *refusals),
        uses=profile.uses,
    )
    return plan._replace(notes=notes(plan, profile, pool, libvirt=libvirt))


def _uses(profile: Profile) -> Iterator[Decision]:
    """The uses that the guest's Windows does not have."""
    system = system_of(profile.os)
    for use in USES:
        if use.id in profile.uses and without_use(system, use):
            reason, remedy = f"{system.title} has no {use.id}: {use.title}", f"leave {use.id} out of `guest.uses`"
            yield refusal("guest.uses", reason, Layer.GUEST, None, remedy)


def unusable(host: Host) -> Decision | None:
    """Why nothing at all can be had on a host."""
    if not host.kvm.hyperv:
        why = NOT_KNOWN if host.kvm.hyperv is None else NO_HYPERV
        return refusal("kvm", why.reason, why.layer, host.label, why.remedy)
    if not host.qemu:
        remedy = "record the host again where QEMU is installed, or name a QEMU binary"
        return refusal("qemu", "no QEMU is known there", Layer.QEMU, host.label, remedy)
    return None


def _no_plan(profile: Profile, refusals: Sequence[Decision]) -> Plan:
    cpu = CpuPlan(profile.cpu.model, profile.cpu.hidden, profile.cpu.features, None)
    machine = Machine(profile.machine, hpet_option=None)
    return Plan(profile.name, profile.os, profile.migration, machine, cpu, profile.clock, (), tuple(refusals))


def choose_machine(wanted: str, pool: Sequence[Host]) -> Machine | Decision:
    """The versioned type for `wanted`, a family (`q35`, `pc`) or a type; a refusal where there is none.

    A family becomes the newest upstream version that the first QEMU of every host has; a vendor's own type is taken
    only where it is the alias's target on every host.
    """
    known = [{kind.name: kind for kind in host.qemu[0].machines} for host in pool]
    if wanted not in machines.FAMILIES:
        return _exact(wanted, pool, known)
    common = set(known[0]).intersection(*known[1:])
    versions = {
        version: name
        for name in common
        if name.startswith(machines.FAMILIES[wanted]) and (version := machines.version(name)) is not None
    }
    if versions:
        return _machine(versions[max(versions)], known)
    targets = {frozenset(kind.name for kind in types.values() if kind.alias == wanted) for types in known}
    if len(targets) == 1 and len(target := targets.pop()) == 1:
        return _machine(next(iter(target)), known)
    reason = f"the hosts' QEMUs share no versioned {machines.FAMILIES[wanted]}* machine type"
    remedy = "name a machine type in the profile that every host has, or make the QEMU versions overlap"
    return refusal("machine", reason, Layer.QEMU, None, remedy)


def _exact(wanted: str, pool: Sequence[Host], known: list[dict[str, MachineType]]) -> Machine | Decision:
    for host, types in zip(pool, known, strict=True):
        if wanted not in types:
            reason = f"QEMU {host.qemu[0].path} has no machine type {wanted}"
            remedy = f"its newest types are {', '.join(list(types)[-4:])}"
            return refusal("machine", reason, Layer.QEMU, host.label, remedy)
    return _machine(wanted, known)


def _machine(name: str, known: list[dict[str, MachineType]]) -> Machine:
    answers = {types[name].hpet for types in known}
    return Machine(name, answers.pop() if len(answers) == 1 else None)


class _Resolution:
    """One run: remembers each row's obstacle, so that none is looked for twice."""

    def __init__(
        self, profile: Profile, pool: Sequence[Host], machine: str, *, libvirt: bool, commandline: bool
    ) -> None:
        self.profile = profile
        self.pool = pool
        self.libvirt = libvirt
        self.commandline = commandline
        self.compat = machines.compat(machine)
        self.kvmclock = not (profile.cpu.hidden and machines.lacks_kvmclock(machine))
        self.wishes = _wishes(profile)
        self.found: dict[str, Obstacle | None] = {}
        self.platform: Platform | None = None
        self.takes_all = ""

    def decisions(self) -> tuple[Decision, ...]:
        """One decision for each row, in the catalog's order."""
        enabled = [
            wish.id
            for wish in self.wishes.values()
            if wish.ask is not Ask.OFF and self.obstacle(BY_ID[wish.id]) is None
        ]
        required: dict[str, list[str]] = {}
        for row_id in enabled:
            for needed in self._closure(BY_ID[row_id]):
                required.setdefault(needed, []).append(row_id)
        self.takes_all = next((row_id for row_id in enabled if BY_ID[row_id].takes_all), "")
        alive = any(BY_ID[row_id].enables_hyperv for row_id in (*enabled, *required))
        return tuple(self._decide(row, required.get(row.id, []), alive=alive) for row in ROWS)

    def obstacle(self, row: Row) -> Obstacle | None:
        """What keeps a row out, of its own or of its requirements; None if nothing does."""
        if row.id not in self.found:
            self.found[row.id] = self._own(row) or self._inherited(row)
        return self.found[row.id]

    def requires(self, row: Row) -> tuple[str, ...]:
        """Direct requirements: those of QEMU's code, and the element around libvirt's."""
        needed = () if row.requires_unless in self.compat else row.requires
        outer = enclosing(row) if self.libvirt else None
        if outer is not None:
            needed = tuple(dict.fromkeys((*needed, outer.id)))
        return needed

    def _closure(self, row: Row) -> list[str]:
        found: list[str] = []
        for needed in self.requires(row):
            found += [needed, *self._closure(BY_ID[needed])]
        return found

    def _own(self, row: Row) -> Obstacle | None:
        return (
            self._release(row)
            or self._platform(row)
            or self._migration(row)
            or self._hosts(row)
            or self._nesting(row)
            or self._pinning(row)
            or self._passthrough(row)
        )

    def _release(self, row: Row) -> Obstacle | None:
        """What the guest's Windows does not use, or cannot bear."""
        system, wish = system_of(self.profile.os), self.wishes.get(row.id)
        if self.profile.harmed and row.enables_hyperv:
            return Obstacle(f"with UEFI and several vCPUs it hangs {system.title}", Layer.GUEST)
        unused = system.build is not None and system.build < row.windows_build
        if unused and wish is not None and wish.ask is Ask.PREFER:
            return Obstacle(f"{system.title} is not known to use it", Layer.GUEST)
        return None

    def _migration(self, row: Row) -> Obstacle | None:
        if self.profile.migration is Migration.NONE:
            return None
        found = hazard(row, self._value(row), fixed_tsc=self.profile.tsc_frequency is not None)
        if found is None and row.reference_clock and not self.kvmclock:
            reason = "KVM is hidden, and the machine type then has no kvmclock: the guest's time jumps back"
            found = Hazard(reason, "use machine type 5.2 or later, leave KVM visible")
        if found is None:
            return None
        none = "write `migration: none` if the guest never migrates"
        return Obstacle(found.reason, Layer.MIGRATION, None, f"{found.remedy}, or {none}" if found.remedy else none)

    def _platform(self, row: Row) -> Obstacle | None:
        if self.platform is None or row.id not in self.platform.lacking:
            return None
        reason, remedy = self.platform.lacking[row.id]
        return Obstacle(reason, self.platform.layer, None, remedy)

    def _passthrough(self, row: Row) -> Obstacle | None:
        """The row that turns on all that the host has does not go with rows that must stay off."""
        if not row.takes_all:
            return None
        off = [wish.id for wish in self.wishes.values() if wish.ask is Ask.OFF and BY_ID[wish.id].in_passthrough]
        if not off:
            return None
        return Obstacle(f"it would turn on {', '.join(off)}, which the profile turns off", Layer.PROFILE)

    def _hosts(self, row: Row) -> Obstacle | None:
        same: dict[Answer, list[Host]] = {}
        for host in self.pool:
            # An unknown libvirt is taken for the newest, and a note says so.
            assumed = self.libvirt and (host.libvirt is not None if row.libvirt else not self.commandline)
            answer = verdict(support(host, row, host.qemu[0]), libvirt=assumed)
            same.setdefault(answer, []).append(host)
        for state in (State.NO, State.UNKNOWN):
            for answer, hosts in same.items():
                if answer.state is state:
                    more = len(hosts) - 1 + sum(host.alike for host in hosts)
                    return Obstacle(answer.reason, answer.layer, hosts[0].label, answer.remedy, more)
        return None

    def _nesting(self, row: Row) -> Obstacle | None:
        """What only a hypervisor in the guest uses is left out where there can be none, unless it is demanded."""
        wish = self.wishes.get(row.id)
        without = [host for host in self.pool if host.hardware.nested is False]
        if not (row.nested_only and without and wish and wish.ask is Ask.PREFER):
            return None
        more = len(without) - 1 + sum(host.alike for host in without)
        reason, remedy = "of no use while nested virtualization is off", nested_on(without[0].hardware)
        return Obstacle(reason, Layer.HARDWARE, without[0].label, remedy, more)

    def _pinning(self, row: Row) -> Obstacle | None:
        if Need.PINNED not in row.needs or self.profile.pinned or self._value(row) == "auto":
            return None
        remedy = "pin the vCPUs and write `vcpus: {pinned: on}`"
        return Obstacle("it only holds when vCPUs are pinned", Layer.PROFILE, None, remedy)

    def _inherited(self, row: Row) -> Obstacle | None:
        for needed in self.requires(row):
            wish = self.wishes.get(needed)
            why = "it requires" if needed in row.requires else "libvirt writes it only inside"
            if wish and wish.ask is Ask.OFF:
                layer = Layer.REQUIREMENT if needed in row.requires else Layer.LIBVIRT
                return Obstacle(f"{why} {needed}, which the profile turns off", layer)
            if deeper := self.obstacle(BY_ID[needed]):
                return deeper._replace(reason=f"{why} {needed}: {deeper.reason}")
        return None

    def _value(self, row: Row) -> Value | None:
        wish = self.wishes.get(row.id)
        if wish and wish.value is not None:
            return wish.value
        return "on" if row.kind is Kind.ON_OFF_AUTO else None

    def _decide(self, row: Row, required_by: list[str], *, alive: bool) -> Decision:
        wish = self.wishes.get(row.id)
        asked = str(wish.ask) if wish else ""
        if (wish is None or wish.ask is Ask.OFF) and not required_by:
            reason = (wish.why or "turned off by the profile") if wish else UNNAMED
            if self.takes_all and row.in_passthrough:
                reason += f"; {self.takes_all} turns it on where KVM has it"
            return Decision(row.id, Outcome.OFF, None, reason, Layer.PROFILE, None, asked)
        obstacle = self.obstacle(row)
        if obstacle is None and (why := self._covered(row)):
            return Decision(row.id, Outcome.OFF, None, why, Layer.REQUIREMENT)
        if wish is None:
            reason = f"required by {', '.join(required_by)}"
            return Decision(row.id, Outcome.ON, None, reason, Layer.REQUIREMENT)
        if obstacle is None and not alive:
            obstacle = Obstacle("it does nothing without another enlightenment that is on", Layer.REQUIREMENT)
        if obstacle:
            demanded = wish.ask is Ask.ON and not self.profile.harmed
            return Decision(
                row.id,
                Outcome.REFUSED if demanded else Outcome.OFF,
                None,
                obstacle.reason,
                obstacle.layer,
                obstacle.host,
                asked,
                obstacle.remedy,
                obstacle.more,
            )
        reason = wish.why or ("asked for" if wish.ask is Ask.ON else "preferred, and every host can")
        return Decision(row.id, Outcome.ON, self._value(row), reason, Layer.PROFILE, None, asked)

    def _covered(self, row: Row) -> str:
        """Why a row is not written beside one that turns on all that the host has, as a sentence; empty where it is."""
        if not self.takes_all or not (row.in_passthrough or row.overwritten):
            return ""
        return f"{self.takes_all} {'takes the value of KVM' if row.overwritten else 'turns it on'}"


def _wishes(profile: Profile) -> dict[str, Wish]:
    """What the profile wishes, with what its `guest.uses` add: `prefer` for the rows of nested Hyper-V."""
    wishes = {wish.id: wish for wish in profile.wishes}
    if any(use.nested and use.id in profile.uses for use in USES):
        for row in ROWS:
            if row.for_nested:
                wishes.setdefault(row.id, Wish(row.id, Ask.PREFER, why="for the hypervisor that runs in the guest"))
    return wishes
