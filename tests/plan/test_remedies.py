"""Whoever does what a refused profile, a decision or a note says gets a plan without that complaint, and no new one.

Each sentence of advice is one of a table, with all of its alternatives: they change the profile's YAML, the hosts as
they are recorded after it was done, or the command line. A sentence that no entry knows fails.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hvctl.catalog import BY_ID, ROWS
from hvctl.catalog.cpu_models import NESTED_FEATURE, lacking
from hvctl.catalog.windows import SYSTEMS, USES, system_of, without_use
from hvctl.errors import InputError
from hvctl.model.host import Hardware, Host, Libvirt
from hvctl.model.plan import Decision, Layer, Outcome, Plan
from hvctl.model.profile import Ask, ClockChoice, CpuChoice, Profile, Wish
from hvctl.plan.pool import survey
from hvctl.plan.resolve import resolve
from hvctl.profile.reader import profile_from_text, to_yaml
from tests.made_hosts import (
    made_amd_host,
    made_intel_host,
    made_kvm,
    made_libvirt,
    made_no_hyperv_host,
    made_old_kernel_host,
    made_qemu,
)
from tests.made_pools import VALUES, pools, profiles
from tests.model.test_host import pool_of
from tests.plan_file.test_locking import hardware


class Switches(yaml.SafeDumper):
    """Writes on and off, as profiles have them."""


Switches.add_representer(
    bool, lambda dumper, on: dumper.represent_scalar("tag:yaml.org,2002:bool", "on" if on else "off")
)


def dumped(data: dict[str, Any]) -> str:
    return yaml.dump(data, Dumper=Switches)


class Case(NamedTuple):
    """What gen is given: a profile's YAML, hosts, whether it is for libvirt, and a domain's CPU model if it has one."""

    data: dict[str, Any]
    pool: tuple[Host, ...]
    libvirt: bool = False
    model: str | None = None

    def plan(self) -> Plan:
        profile = profile_from_text(dumped(self.data))
        if self.model and "cpu.model" not in dict(profile.spans):
            profile = profile._replace(cpu=profile.cpu._replace(model=self.model))
        return resolve(profile, self.pool, libvirt=self.libvirt)

    def written(self, path: str, value: Any) -> Case:
        """With a key of the profile; None leaves it out."""
        data = yaml.safe_load(dumped(self.data))
        *outer, last = path.split("/")
        place = data
        for name in outer:
            place = place.setdefault(name, {})
        if value is None:
            place.pop(last, None)
        else:
            place[last] = value
        return self._replace(data=data)

    def hosts(self, change: Callable[[Host], Host]) -> Case:
        return self._replace(pool=tuple(change(host) for host in self.pool))


Change = Callable[[Case, Decision], Case]


def case(profile: Profile, *pool: Host, libvirt: bool = False) -> Case:
    return Case(yaml.safe_load(to_yaml(profile)), pool, libvirt)


def write(path: str, value: Any) -> Change:
    return lambda one, decision: one.written(path.replace("ID", decision.id), value)


def on_hosts(change: Callable[[Host], Host]) -> Change:
    return lambda one, _: one.hosts(change)


def in_order(*changes: Change) -> Change:
    def change(one: Case, decision: Decision) -> Case:
        for each in changes:
            one = each(one, decision)
        return one

    return change


def newest_kernel(host: Host) -> Host:
    nests = host.hardware.vendor in ("intel", None) and host.hardware.nested is not False
    kvm = made_kvm(evmcs=nests, misc=0x84D12 | 1 << 11)
    return host._replace(kvm=kvm._replace(caps=tuple((name, int(nests or "VMCS" not in name)) for name, _ in kvm.caps)))


def nested(host: Host) -> Host:
    """QEMU can then give it to guests."""
    feature = {NESTED_FEATURE.get(host.hardware.vendor or "", "svm"): True}
    qemus = (
        qemu._replace(expansion=qemu.expansion and tuple((dict(qemu.expansion) | feature).items()))
        for qemu in host.qemu
    )
    return newest_kernel(hardware(host._replace(qemu=tuple(qemus)), nested=True))


def recorded(host: Host) -> Host:
    """A host of which all is known; what was known stays."""
    known = made_amd_host().hardware
    facts: list[Any] = [new if old is None else old for old, new in zip(host.hardware, known, strict=True)]
    qemu = made_qemu()
    if host.qemu:
        old = host.qemu[0]
        qemu = old._replace(models=old.models or qemu.models, expansion=old.expansion or qemu.expansion, partial=False)
    return newest_kernel(host._replace(hardware=Hardware(*facts), qemu=(qemu,), libvirt=host.libvirt or made_libvirt()))


def one_vendor(one: Case, _: Decision) -> Case:
    vendor = one.pool[0].hardware.vendor or one.pool[-1].hardware.vendor
    return one._replace(pool=tuple(host for host in one.pool if host.hardware.vendor == vendor))


def first_host(one: Case, _: Decision) -> Case:
    return one._replace(pool=one.pool[:1])


def fixed_frequency(one: Case, _: Decision) -> Case:
    """That of the hosts that cannot scale, where it is one; where not, hosts are left out."""
    fixed = [host for host in one.pool if not host.hardware.tsc_scaling]
    hertz = fixed[0].hardware.tsc_hz
    alike = tuple(host for host in one.pool if host.hardware.tsc_scaling or host.hardware.tsc_hz == hertz)
    return one.written("tsc-frequency", hertz)._replace(pool=alike)


def feature_gone(one: Case, decision: Decision) -> Case:
    names = one.data["cpu"]["features"]
    (name,) = (name for name in names if re.search(rf"(?<!\S){re.escape(name)}(?![\w-])", decision.reason))
    return one.written(f"cpu/features/{name}", None)


def proposed_cpu(one: Case, remedy: str) -> Case:
    cpu = yaml.safe_load(re.findall(r"`cpu: (.*?)` in the profile", remedy)[0])
    if isinstance(cpu, str):
        return one.written("cpu/model", cpu)
    written = one.data.get("cpu", {}).get("features", {})
    return one.written("cpu/model", cpu["model"]).written("cpu/features", {**written, **cpu["features"]})


NEVER_MIGRATES = write("migration", "none")
FREQUENCY = write("tsc-frequency", "auto")
PINNED = write("vcpus/pinned", True)
# By what the sentence is, as a regular expression: each of its alternatives.
ADVICE: dict[str, tuple[Change, ...]] = {
    r"boot Linux .* or newer|use a newer kernel": (on_hosts(newest_kernel),),
    r"boot Linux .* or newer and load kvm_(intel|amd|intel or kvm_amd) with nested=1": (
        on_hosts(lambda host: nested(newest_kernel(host))),
    ),
    r"boot a kernel built with CONFIG_KVM_HYPERV=y": (on_hosts(newest_kernel),),
    r"use QEMU .* or newer": (on_hosts(lambda host: host._replace(qemu=(made_qemu(),))),),
    r"use libvirt .* or newer": (
        on_hosts(lambda host: host._replace(libvirt=made_libvirt()._replace(version="12.8.0"))),
    ),
    r"use QEMU without libvirt": (lambda one, _: one._replace(libvirt=False),),
    r"load kvm_(intel|amd|intel or kvm_amd) with nested=1": (on_hosts(nested),),
    r"use a host with a processor of Intel or AMD": (on_hosts(lambda host: nested(hardware(host, vendor="amd"))),),
    r"use hosts with Intel processors for guests that need it": (on_hosts(lambda host: made_intel_host(host.label)),),
    r"leave .* out of `guest\.uses`": (write("guest/uses", None),),
    r"use a processor with APICv/AVIC, and kvm_intel enable_apicv=1 or kvm_amd avic=1": (
        on_hosts(lambda host: hardware(host, apicv=True)),
    ),
    r"record that host on itself: hvctl check-host --record FILE": (on_hosts(recorded),),
    r"record the host again( where KVM_GET_TSC_KHZ answers)?": (on_hosts(recorded),),
    r"record the host again where QEMU is installed, or name a QEMU binary": (on_hosts(recorded),),
    r"write `migration: none` if the guest never migrates": (NEVER_MIGRATES,),
    r"write `tsc-frequency: auto`, or write `migration: none` .*": (FREQUENCY, NEVER_MIGRATES),
    r"pin the vCPUs, and write `vcpus: \{pinned: on\}` and `[\w-]+: on`, or write `migration: none` .*": (
        in_order(PINNED, write("enlightenments/ID", True)),
        NEVER_MIGRATES,
    ),
    r"use machine type 5\.2 or later, leave KVM visible, or write `migration: none` .*": (
        write("machine", "pc-q35-7.2"),
        write("cpu/hidden", None),
        NEVER_MIGRATES,
    ),
    r"pin the vCPUs and write `vcpus: \{pinned: on\}`": (PINNED,),
    r"write `cpu: ([\w-]+|\{.*\})` in the profile(: every host can give it.*)?": (
        lambda one, decision: proposed_cpu(one, decision.remedy),
    ),
    r"make a pool of the hosts of one vendor": (one_vendor,),
    r"write `tsc-frequency` where all hosts but those of that frequency can scale, or leave hosts out": (
        fixed_frequency,
        first_host,
    ),
    r"use hosts with TSC scaling or with the same frequency \(within 250 ppm\)": (
        on_hosts(lambda host: hardware(host, tsc_scaling=True)),
        lambda one, _: one.hosts(lambda host: hardware(host, tsc_hz=one.data["tsc-frequency"])),
    ),
    r"write it in Hz": (write("tsc-frequency", 2_500_000_000),),
    r"leave it out": (feature_gone,),
    r"leave `[\w.]+: off` out": (feature_gone,),
    r"leave `hpet: on` out": (write("clock/timers/hpet", None),),
    r"name a machine type in the profile that every host has, or make the QEMU versions overlap": (
        lambda one, _: one.written("machine", shared_machine(one)),
        on_hosts(lambda host: host._replace(qemu=(made_qemu(),))),
    ),
    r"its newest types are .*": (lambda one, decision: one.written("machine", decision.remedy.split(", ")[-1]),),
}
# What nobody can do on the host that is there; nothing to write would be better than to leave it out.
NO_WAY = {r"name a CPU model that every host can give; hvctl knows of none to propose"}
# Reasons that have no advice: they name what the profile itself asks for, or a fact that no command changes.
SAID = {
    r"(.*: )?(it requires|libvirt writes it only inside) [\w-]+, which the profile turns off",
    r"it would turn on .*, which the profile turns off",
    r"it does nothing without another enlightenment that is on",
    r"(.*: )?whether APICv/AVIC is active is not known",
    r".* is not known to use it",
    r"turned off by the profile|the profile does not name it(; passthrough turns it on .*)?",
}


def shared_machine(one: Case) -> str:
    return sorted(set.intersection(*({kind.name for kind in host.qemu[0].machines} for host in one.pool)))[-1]


def complaints(plan: Plan) -> dict[tuple[str, str], Decision]:
    """What is refused or left out, by what it is about and why; of the same on several hosts one."""
    every = (*plan.decisions, *plan.refusals)
    return {(one.id, one.reason): one for one in every if one.state is not Outcome.ON and not spoken(one)}


def spoken(one: Decision) -> bool:
    if one.remedy:
        return False
    assert any(re.fullmatch(known, one.reason) for known in SAID), f"no advice: {one.id}: {one.reason}"
    return True


def changes_for(remedy: str) -> tuple[Change, ...]:
    if any(re.fullmatch(known, remedy) for known in NO_WAY):
        return ()
    found = [changes for known, changes in ADVICE.items() if re.fullmatch(known, remedy)]
    assert len(found) == 1, f"what does {remedy!r} mean?"
    return found[0]


def obey(one: Case, *, depth: int = 0) -> None:
    """Do each alternative of each piece of advice: the complaint goes, and nothing takes its place.

    Another layer of the same host may lack the same row, which is then said of it: that advice is obeyed, too.
    """
    before = complaints(one.plan())
    for key, decision in before.items():
        for number, change in enumerate(changes_for(decision.remedy)):
            which = f"{decision.id}: {decision.reason}; {decision.remedy} [{number}]"
            try:
                done = change(one, decision)
                after = complaints(done.plan())
            except InputError as error:
                raise AssertionError(f"{which}: {error.message}") from error
            assert key not in after, which
            new = {name for name in after if name not in before}
            # Of another host all is looked at again.
            if not re.match(r"record |boot a kernel built|use a host with |use hosts with Intel", decision.remedy):
                assert {one for one, _ in new} <= {one for one, _ in before} & set(BY_ID), (which, new)
            if new:
                assert depth < 6, which
                obey(done, depth=depth + 1)


EVERYTHING = tuple(known.name for row in ROWS for known in row.properties)
POOR = {
    "amd": made_amd_host(),
    "intel": made_intel_host(),
    "intel-not-nested": made_intel_host(nested=False),
    "amd-not-nested": hardware(made_amd_host(), nested=False),
    "no-hyperv": made_no_hyperv_host(),
    "hyperv-unknown": made_amd_host(kvm=made_kvm()._replace(leaves=(), caps=(), how="libvirt")),
    "4.19": made_old_kernel_host(),
    "kernel-without-bits": made_amd_host(kvm=made_kvm(features=0, misc=0, hints=0, nested=0)),
    "intel-without-bits": made_intel_host(kvm=made_kvm(features=0, misc=0, hints=0, nested=0)),
    "qemu-without-properties": made_amd_host(qemu=(made_qemu(unknown=EVERYTHING),)),
    "old-libvirt": made_amd_host(libvirt=Libvirt("1.0.0", ())),
    "no-qemu": made_amd_host(qemu=()),
    "nothing": made_amd_host(
        kvm=made_kvm(features=0, misc=0, hints=0, nested=0),
        qemu=(made_qemu(unknown=EVERYTHING),),
        libvirt=Libvirt("1.0.0", ()),
    ),
}
# One that lacks more than one thing at a time: what hvctl says of it are two steps.
POORER = made_intel_host(nested=False, kvm=made_kvm(features=0, misc=0, hints=0, nested=0))
WRITABLE = [row for row in ROWS if not row.experimental]


def asked(row_id: str, **changes: Any) -> Profile:
    row = BY_ID[row_id]
    wish = Wish(row_id, Ask.PREFER, VALUES.get(row.kind, [None])[0])
    # By itself a row may do nothing, which is another matter.
    wishes = (wish,) if row.enables_hyperv else (Wish("relaxed", Ask.PREFER), wish)
    return Profile("made", wishes=wishes)._replace(**changes)


@pytest.mark.parametrize("host", [*POOR.values(), POORER], ids=[*POOR, "intel-not-nested-without-bits"])
@pytest.mark.parametrize("libvirt", [False, True], ids=["qemu", "libvirt"])
def test_of_each_row_on_poor_hosts(host: Host, libvirt: bool) -> None:
    for row in WRITABLE:
        obey(case(asked(row.id), host, libvirt=libvirt))


def of_pools() -> Iterator[tuple[str, Case]]:
    """What is refused beside rows."""
    amd, intel, eleven = made_amd_host("a"), made_intel_host("b"), Profile("made", os="windows-11")
    other = hardware(amd, model=9)._replace(name="other")
    two = (amd, other)
    yield "host-model", case(eleven, *two)
    yield "vendors", case(eleven, hardware(amd, tsc_scaling=True), intel)
    yield "vendors-nested", case(eleven._replace(uses=("vbs",), cpu=CpuChoice("qemu64")), amd, intel)
    for system in SYSTEMS:
        for use in USES:
            if without_use(system, use):
                yield f"{use.id}-in-{system.id}", case(Profile("made", os=system.id, uses=(use.id,)), amd)
    yield "unknown-model", case(eleven._replace(cpu=CpuChoice("Skylake-Server-v9")), amd)
    yield "unbootable", case(eleven._replace(cpu=CpuChoice("qemu64")), amd)
    yield "unbootable-in-a-pool", case(eleven._replace(cpu=CpuChoice("qemu64")), *two)
    for model in ("host", "EPYC", "qemu64"):
        cpu = CpuChoice(model, features=(("popcnt", False), ("sse4.2", False)))
        yield f"unbootable-by-a-feature-{model}", case(eleven._replace(cpu=cpu), amd)
        yield f"unbootable-by-a-feature-in-a-pool-{model}", case(eleven._replace(cpu=cpu), *two)
    least = made_qemu()._replace(models=("qemu64",))
    for popcnt in (True, False):
        gives = least._replace(expansion=(*(least.expansion or ()), ("sse4.2", True), ("popcnt", popcnt)))
        old = tuple(host._replace(qemu=(gives,)) for host in two)
        yield f"only-an-old-model-{popcnt}", case(eleven, *old)
        yield f"only-an-old-model-written-{popcnt}", case(eleven._replace(cpu=CpuChoice("qemu64")), *old)
    for name in ("nosuch", "invtsc", "pcid"):
        poor = amd._replace(qemu=(made_qemu()._replace(expansion=(("pcid", False), ("invtsc", False))),))
        yield (
            f"feature-{name}",
            case(eleven._replace(cpu=CpuChoice(features=((name, True),)), tsc_frequency="auto"), poor),
        )
    yield "no-libvirt-feature", case(eleven._replace(cpu=CpuChoice(features=(("pmu", True),))), amd, libvirt=True)
    yield "fixed-tsc", case(eleven, amd, hardware(amd, tsc_hz=3 * 10**9)._replace(name="fast"))
    yield "two-fixed-tscs", case(eleven, *(hardware(amd, tsc_hz=n * 10**9)._replace(name=f"n{n}") for n in (2, 3, 4)))
    fast = hardware(amd, tsc_hz=3 * 10**9, tsc_scaling=True)._replace(name="fast")
    yield "one-scales", case(eleven, amd, fast)
    for frequency in ("auto", 3_000_000_000, None):
        chosen = eleven._replace(tsc_frequency=frequency)
        yield f"tsc-{frequency}", case(chosen, amd)
        for scaling in (True, False, None):
            unknown = hardware(amd, tsc_hz=None, tsc_scaling=scaling)
            yield f"tsc-{frequency}-unknown-scaling-{scaling}", case(chosen, unknown)
            yield f"tsc-{frequency}-of-two-unknown-{scaling}", case(chosen, amd, unknown._replace(name="unknown"))
    yield "machine", case(eleven._replace(machine="pc-q35-10.1"), amd)
    apart = [made_qemu()._replace(machines=made_qemu().machines[at : at + 2]) for at in (0, 4)]
    joined = [
        one._replace(machines=(*one.machines, made_qemu().machines[-1]._replace(name="pc-i440fx-10.0")))
        for one in apart
    ]
    yield "machines-apart", case(eleven, *(amd._replace(name=f"q{n}", qemu=(one,)) for n, one in enumerate(joined)))
    no_hpet = made_qemu()._replace(machines=tuple(one._replace(hpet=False) for one in made_qemu().machines))
    yield "hpet", case(eleven._replace(clock=ClockChoice(hpet=True)), amd._replace(qemu=(no_hpet,)))
    for vendor in ("amd", "intel", "hygon", None):
        host = intel if vendor == "intel" else amd
        for on in (True, False, None):
            of = hardware(host, vendor=vendor, nested=on)
            for features in ((), (("vmx", False),), (("svm", False),)):
                for model in ("host", "EPYC"):
                    chosen = eleven._replace(uses=("vbs",), cpu=CpuChoice(model, features=features))
                    yield f"nested-{vendor}-{on}-{model}-{features}", case(chosen, of)
    yield (
        "nested-without-svm",
        case(
            eleven._replace(uses=("vbs",), cpu=CpuChoice("EPYC")),
            amd._replace(qemu=(made_qemu()._replace(expansion=(("svm", False),)),)),
        ),
    )
    off = (("sse4.2", False), ("popcnt", False))
    yield "needed-to-boot", case(eleven._replace(cpu=CpuChoice(features=off)), amd)
    hidden = Profile("made", machine="pc-q35-3.0", cpu=CpuChoice(hidden=True), wishes=(Wish("time", Ask.PREFER),))
    yield "no-kvmclock", case(hidden, amd)
    auto = Wish("no-nonarch-coresharing", Ask.PREFER, "auto")
    yield "coresharing", case(Profile("made", wishes=(Wish("relaxed", Ask.PREFER), auto)), amd)
    yield "old-windows", case(Profile("made", os="windows-7", wishes=(Wish("synic", Ask.PREFER),)), amd)


OF_POOLS = dict(of_pools())


@pytest.mark.parametrize("one", OF_POOLS.values(), ids=OF_POOLS)
def test_of_what_is_refused_beside_rows(one: Case) -> None:
    obey(one)


@settings(max_examples=60, derandomize=True, database=None)
@given(pools(), profiles(), st.booleans())
def test_of_random_profiles(pool: tuple[Host, ...], profile: Profile, libvirt: bool) -> None:
    try:
        one = case(profile, *pool, libvirt=libvirt)
        one.plan()
    except InputError:
        return  # it contradicts itself: see below
    obey(one)


def of_notes() -> Iterator[tuple[str, Case]]:
    """What a plan has notes on."""
    for system in SYSTEMS:
        for host in (made_amd_host(), made_intel_host(), made_intel_host(nested=False)):
            yield f"{system.id}-{host.label}-{host.hardware.nested}", case(Profile("made", os=system.id), host)
    for name, host in POOR.items():
        for row in WRITABLE:
            for libvirt in (False, True):
                one = case(asked(row.id), host, libvirt=libvirt)
                if any("recommended" in note for note in one.plan().notes):
                    yield f"recommended-{row.id}-{name}-{libvirt}", one
    for vendor in ("amd", "intel"):
        unknown = hardware(made_intel_host(), vendor=vendor, nested=None)
        yield f"{vendor}-nested-unknown", case(Profile("made", os="windows-11"), unknown)
    yield "gpu", case(asked("passthrough", os="windows-11", uses=("gpu-passthrough",)), made_amd_host())
    yield (
        "unchecked",
        case(
            Profile("made", cpu=CpuChoice("EPYC", features=(("avx", True),))),
            made_amd_host(qemu=(made_qemu()._replace(models=None, expansion=None),)),
        ),
    )
    old = Profile("made", os="windows-server-2025")
    two = (made_amd_host("a"), hardware(made_amd_host("b"), model=9))
    for name, pool in (("one-host", two[:1]), ("two-hosts", two)):
        yield f"unbootable-{name}", case(old, *pool).written("cpu/model", None)._replace(model="qemu64")
    yield "no-libvirt", case(Profile("made"), made_amd_host(libvirt=None), libvirt=True)


OF_NOTES = dict(of_notes())
# Of notes that say what to write: each alternative, with what the expression found.
NOTED: dict[str, Callable[[Case, str], tuple[Case, ...]]] = {
    r".* `guest: \{uses: \[vbs\]\}` in the profile adds what makes it fast on Intel(.*); .*": lambda one, where: (
        (one.hosts(nested) if where else one).written("guest/uses", ["vbs"]),
        one.written("cpu/features/vmx", False),
    ),
    r"[\w-]+: ([\w-]+) is recommended with it: .*": lambda one, other: (
        one.written(f"enlightenments/{other}", "prefer"),
    ),
    r".* does not boot on CPU model .*; (write `cpu: .*` in the profile.*)": lambda one, remedy: (
        proposed_cpu(one, remedy),
    ),
    r"gpu-passthrough: few assigned GPUs .*(`migration: none`) in the profile allows .*": lambda one, _: (
        one.written("migration", "none"),
    ),
}
# Of those that only tell.
TOLD = {
    r".* uses no enlightenment",
    r".* hangs at a black screen with UEFI, .*",
    r".*: its clock source is .*",
    r".*: its libvirt is not known; .*",
    r".*: whether it (can give CPU model .*|has the CPU features of the profile) was not checked",
    r"gpu-passthrough: neither a vendor id nor a hidden KVM .*",
    r"the guest sees other CPUID leaves on each host; .*",
    r"whether machine type .* has an HPET is not known: .*",
    r"nothing in this plan turns Hyper-V on",
}


@pytest.mark.parametrize("one", OF_NOTES.values(), ids=OF_NOTES)
def test_of_notes(one: Case) -> None:
    plan = one.plan()
    for note in plan.notes:
        known = [(match, act) for text, act in NOTED.items() if (match := re.fullmatch(text, note))]
        assert len(known) + sum(bool(re.fullmatch(text, note)) for text in TOLD) == 1, f"what does {note!r} mean?"
        for match, act in known:
            for number, done in enumerate(act(one, match[1])):
                after = done.plan()
                assert note not in after.notes, (note, number)
                assert set(after.notes) <= set(plan.notes), (note, number)
                assert not after.refusals, (note, number, after.refusals)
                assert set(complaints(after)) <= set(complaints(plan)), (note, number)


def on_all(pool: tuple[Host, ...], remedy: str) -> tuple[tuple[Host, ...], ...]:
    """The hosts after each alternative of a remedy of `hvctl pool`."""
    about = Decision("pool", Outcome.REFUSED, None, "", Layer.KERNEL, remedy=remedy)
    one = case(Profile("made"), *pool)
    return tuple(change(one, about).pool for change in changes_for(remedy))


def test_of_what_falls_out_of_a_pool() -> None:
    seen = 0
    for host in POOR.values():
        pool = (made_amd_host("first"), host._replace(name="second"))
        before = survey(pool_of(*pool))
        for libvirt in (False, True):
            for removal in (before.libvirt if libvirt else before.qemu).removals:
                answer = removal.answer
                if not answer.remedy or (answer.layer is Layer.LIBVIRT and answer.remedy == "use QEMU without libvirt"):
                    continue
                # Of the table of gen nothing says it: gen refuses a host without QEMU before it looks at a row.
                remedy = "record the host again" if answer.remedy == "name one" else answer.remedy
                for done in on_all(pool, remedy):
                    found = survey(pool_of(*done))
                    left = (found.libvirt if libvirt else found.qemu).removals
                    assert (removal.id, answer) not in {(one.id, one.answer) for one in left}, (removal.id, answer)
                    seen += 1
    assert seen > 100


@pytest.mark.parametrize("one", OF_POOLS.values(), ids=OF_POOLS)
def test_of_what_keeps_a_guest_from_moving_in_a_pool(one: Case) -> None:
    if not all(host.qemu for host in one.pool):
        return
    before = survey(pool_of(*one.pool))
    for obstacle in (*before.obstacles, *before.unusable):
        for change in changes_for(obstacle.remedy):
            done = change(one, obstacle)
            after = survey(pool_of(*done.pool))
            # What is written in the profile, a pool does not know.
            if done.data.get("tsc-frequency") == one.data.get("tsc-frequency"):
                assert obstacle not in (*after.obstacles, *after.unusable), obstacle


@settings(max_examples=40, derandomize=True, database=None)
@given(pools(), st.sampled_from([system.id for system in SYSTEMS]))
def test_the_proposed_cpu_model_is_not_refused(pool: tuple[Host, ...], system: str) -> None:
    found = survey(pool_of(*pool))
    for candidate in found.cpu_models:
        if lacking(candidate.model, (), system_of(system).level):
            continue  # the report says that it cannot boot
        plan = case(Profile("made", os=system, cpu=CpuChoice(candidate.model)), *pool).plan()
        assert "cpu" not in {one.id for one in plan.refusals}, (candidate, plan.refusals)


def test_every_entry_is_of_use() -> None:
    """No advice stays in the table that hvctl no longer gives."""
    everything = Profile("made", wishes=tuple(wish for row in WRITABLE for wish in asked(row.id).wishes[-1:]))
    every = [*OF_POOLS.values()]
    every += [case(everything, host, libvirt=libvirt) for host in (*POOR.values(), POORER) for libvirt in (False, True)]
    advised = {decision.remedy for one in every for decision in complaints(one.plan()).values()}
    for known in (*ADVICE, *NO_WAY):
        assert any(re.fullmatch(known, remedy) for remedy in advised), known
    notes = {note for one in OF_NOTES.values() for note in one.plan().notes}
    for known in NOTED:
        assert any(re.fullmatch(known, note) for note in notes), known
