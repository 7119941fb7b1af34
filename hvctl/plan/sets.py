"""The enlightenments that other platforms give a guest of a plan, instead of the plan's own."""

from hvctl.catalog import BY_ID, ROWS
from hvctl.catalog.sets import Member, PlatformSet
from hvctl.catalog.windows import SYSTEMS, System, system_of
from hvctl.model.host import Host
from hvctl.model.plan import Decision, Layer, Outcome, Plan
from hvctl.plan.support import State, support


def release_of(os: str) -> System:
    """The Windows release of a profile's `guest.os`; for another operating system, the newest client."""
    system = system_of(os)
    return system if system.build else max((one for one in SYSTEMS if _is_client(one)), key=_build)


def has_default(platform: PlatformSet, system: System) -> bool:
    """Whether a platform has a default for a release."""
    return not platform.releases or system.id in platform.releases


def with_set(plan: Plan, platform: PlatformSet, system: System, host: Host) -> Plan:
    """The plan with what a platform gives this release on this host, right or wrong, and nothing else."""
    values = {
        member.id: member.value
        for member in platform.members
        if _build(system) >= member.build and _given(member, host) and not (platform.probed and _lacks(host, member.id))
    }
    decisions = tuple(
        Decision(row.id, Outcome.ON, values[row.id], platform.title, Layer.PROFILE) for row in ROWS if row.id in values
    )
    return plan._replace(decisions=decisions, refusals=(), notes=())


def _is_client(system: System) -> bool:
    return bool(system.build) and "server" not in system.id


def _build(system: System) -> int:
    return system.build or 0


def _given(member: Member, host: Host) -> bool:
    hardware = host.hardware
    return (
        member.vendor in ("", hardware.vendor)
        and not (member.apicv and not hardware.apicv)
        and not (member.scaling and not hardware.tsc_scaling)
    )


def _lacks(host: Host, row_id: str) -> bool:
    """Whether KVM or QEMU has not what a row turns on; the hardware is not asked, as libvirt does not."""
    kernel, _, qemu, _ = support(host, BY_ID[row_id], host.qemu[0])
    return State.NO in (kernel.state, qemu.state)
