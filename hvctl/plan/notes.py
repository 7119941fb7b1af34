"""What a person should know about a plan although nothing is wrong with it."""

from collections.abc import Iterator, Sequence

from hvctl.catalog import BY_ID, ROWS
from hvctl.catalog.cpu_models import NESTED_FEATURE
from hvctl.catalog.types import Row
from hvctl.catalog.windows import GPU, USES, system_of
from hvctl.model.guest import HOST_MODELS
from hvctl.model.host import Host
from hvctl.model.plan import Plan
from hvctl.model.profile import Migration, Profile
from hvctl.plan.cpu import instead_of_model, unbootable
from hvctl.plan.cpuid import predict
from hvctl.plan.support import State, support, verdict


def notes(plan: Plan, profile: Profile, pool: Sequence[Host], *, libvirt: bool) -> tuple[str, ...]:
    """The notes on a plan, each a sentence."""
    hint = _vbs(profile, pool)
    of_nested = not hint and _may_nest(profile)
    found = [
        *_unbootable(profile, pool),
        *_release(profile),
        *_clock_sources(plan, pool),
        *hint,
        *_recommended(plan, profile, pool, of_nested=of_nested, libvirt=libvirt),
    ]
    found += [*_hpet(plan), *_leaves_differ(plan, pool), *_empty(plan)]
    if libvirt:
        found += [
            f"{host.label}: its libvirt is not known; the newest libvirt known to hvctl is assumed"
            for host in pool
            if host.libvirt is None
        ]
    if profile.cpu.model != "host":
        found += [
            f"{host.label}: whether it can give CPU model {profile.cpu.model} was not checked"
            for host in pool
            if host.qemu[0].models is None
        ]
    if profile.cpu.features:
        found += [
            f"{host.label}: whether it has the CPU features of the profile was not checked"
            for host in pool
            if host.qemu[0].expansion is None
        ]
    if GPU in profile.uses:
        found.append(
            f"{GPU}: neither a vendor id nor a hidden KVM is written unless the profile names it; most drivers need "
            f"none (see `hvctl explain {GPU}`)"
        )
        if profile.migration is Migration.REQUIRED:
            found.append(
                f"{GPU}: few assigned GPUs can be migrated, saved or put into a snapshot with memory; "
                "`migration: none` in the profile allows what only migration forbids"
            )
    return tuple(found)


def _unbootable(profile: Profile, pool: Sequence[Host]) -> list[str]:
    """A domain's own CPU model, which stays, and what to write where its Windows is as new as its release can be."""
    reason = unbootable(profile)
    return [f"{reason}; {instead_of_model(profile, pool)}"] if reason else []


def _release(profile: Profile) -> list[str]:
    """What the guest's Windows does not use at all, or cannot bear with some firmware."""
    system = system_of(profile.os)
    if system.build is not None and all(system.build < row.windows_build for row in ROWS):
        return [f"{system.title} looks for no hypervisor: it uses no enlightenment"]
    if not system.harmed_by_uefi or profile.harmed is False:
        return []
    why = f"{system.title} hangs at a black screen with UEFI, several vCPUs and any enlightenment"
    if profile.harmed:
        return [f"{why}: none is written; with BIOS firmware, or one vCPU, it can have them"]
    return [f"{why}: BIOS is assumed; `gen --domain` looks at the guest's own firmware"]


def _clock_sources(plan: Plan, pool: Sequence[Host]) -> list[str]:
    # The reference TSC page is valid only with KVM's master clock: linux:arch/x86/kvm/hyperv.c:1123-1155.
    clock_on = any(BY_ID[one.id].reference_clock for one in plan.enabled())
    return [
        f"{host.label}: its clock source is {host.hardware.clocksource}, not tsc: the reference TSC page is then as "
        "slow as the MSR"
        for host in pool
        if clock_on and host.hardware.clocksource not in (None, "tsc")
    ]


def _vbs(profile: Profile, pool: Sequence[Host]) -> list[str]:
    guest = system_of(profile.os)
    nested = any(use.nested and use.id in profile.uses for use in USES)
    # Without nested virtualization no guest has VMX, and VBS does not start.
    intel = any(host.hardware.vendor == "intel" and host.hardware.nested is not False for host in pool)
    if not (guest and guest.vbs_default and intel) or nested or not _may_nest(profile):
        return []
    where = "" if all(host.hardware.nested for host in pool) else ", where every host has nested=1"
    return [
        (
            f"{guest.title} turns virtualization-based security on by default; `guest: {{uses: [vbs]}}` in the "
            f"profile adds what makes it fast on Intel{where}; `cpu: {{features: {{vmx: off}}}}` keeps it out"
        )
    ]


def _may_nest(profile: Profile) -> bool:
    """Whether the guest can have Intel's VMX: QEMU's named models are without it unless it is asked for."""
    asked = dict(profile.cpu.features).get(NESTED_FEATURE["intel"])
    return profile.cpu.model in HOST_MODELS if asked is None else asked


def _recommended(
    plan: Plan, profile: Profile, pool: Sequence[Host], *, of_nested: bool, libvirt: bool
) -> Iterator[str]:
    """What documents advise beside what is on and every host gives, but not what the profile turns off; `of_nested`,
    what is for a guest that runs a hypervisor itself, too. What is advised beside that follows at once, not when it is
    written."""
    on = [decision.id for decision in plan.enabled()]
    quiet = {wish.id for wish in profile.wishes} | {row.id for row in ROWS if row.for_nested and not of_nested}
    vendors = {host.hardware.vendor for host in pool}
    advised = list(on)
    for one in advised:  # it grows
        for other in BY_ID[one].recommends:
            if other.id in (*on, *quiet) or (other.vendor and other.vendor not in vendors):
                continue
            if other.beside and other.beside not in on:
                continue
            if not all(_gives(host, BY_ID[other.id], libvirt=libvirt) for host in pool):
                continue
            yield f"{one}: {other.id} is recommended with it: {other.reason}"
            if other.id not in advised:
                advised.append(other.id)


def _gives(host: Host, row: Row, *, libvirt: bool) -> bool:
    answers = support(host, row, host.qemu[0])
    return verdict(answers, libvirt=libvirt and host.libvirt is not None).state is not State.NO


def _hpet(plan: Plan) -> list[str]:
    if plan.machine.hpet_option is not None or plan.refusals:
        return []
    return [f"whether machine type {plan.machine.type} has an HPET is not known: nothing is written about it for QEMU"]


def _leaves_differ(plan: Plan, pool: Sequence[Host]) -> list[str]:
    if all(predict(plan, host) == predict(plan, pool[0]) for host in pool[1:]):
        return []
    return [f"the guest sees other CPUID leaves on each host; those of {pool[0].label} are shown"]


def _empty(plan: Plan) -> list[str]:
    if plan.refusals or any(BY_ID[one.id].enables_hyperv for one in plan.enabled()):
        return []
    return ["nothing in this plan turns Hyper-V on"]
