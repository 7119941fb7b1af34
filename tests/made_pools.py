"""Strategies for pools of made hosts and for profiles that most of them can give, though not every one can all."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import strategies as st

from hvctl.catalog import BY_ID, ROWS
from hvctl.catalog.types import Kind
from hvctl.model.host import Host
from hvctl.model.plan import Plan
from hvctl.model.profile import Ask, ClockChoice, CpuChoice, Migration, Profile, Value, Wish
from hvctl.plan.resolve import resolve
from tests.made_hosts import made_amd_host, made_intel_host, made_kvm, made_libvirt, made_old_kernel_host, made_qemu

IDS = [row.id for row in ROWS if not row.experimental]
TSC = 2_500_000_000
VALUES: dict[Kind, list[Value]] = {
    Kind.NUMBER: [8191, 4095],
    Kind.STRING: ["Microsoft Hv", "KVMKVMKVM", "a $b='c\\"],
    Kind.ON_OFF_AUTO: ["on", "auto"],
    Kind.VERSION: ["10.0.14393", "6.1.7600", "10.0.14393.0-0-0", "10.0.14393.7-1-9"],
}
# Made hosts have these, and a name may have `_` for `-`.
FEATURES = ("avx", "pcid", "kvm_pv_unhalt")


class Made(NamedTuple):
    """A usable plan, and the hosts and the layers that it was made for."""

    plan: Plan
    pool: tuple[Host, ...]
    libvirt: bool


@st.composite
def hosts(draw: st.DrawFn, base: Host, number: int, scaling: bool | None) -> Host:
    """A host that differs from another one in what a cluster's hosts may differ in and a guest still moves."""
    kvm = base.kvm
    lacking = draw(st.sampled_from([0, 0, 1 << 2, 1 << 9, 1 << 14, 1 << 19]))
    if lacking and kvm.how != "synthesis":
        bits = (number & ~lacking for number in (0xAAFF, 0x84D12, 0x40E2C))
        kvm = made_kvm(
            **dict(zip(("features", "misc", "hints"), bits, strict=True)), evmcs=base.hardware.vendor == "intel"
        )
    unknown = draw(st.sampled_from([(), (), ("hv-emsr-bitmap",), ("hv-tlbflush-ext", "hv-tlbflush-direct")]))
    qemu = made_qemu(newest=draw(st.sampled_from(["7.2", "9.2", "10.0"])), unknown=unknown)
    expansion = (*(qemu.expansion or ()), ("kvm-pv-unhalt", True))
    if draw(st.booleans()):
        expansion = (*expansion, ("phys-bits", 40))
    if draw(st.booleans()):
        expansion = (*expansion, ("newer-feature", False))
    libvirt = made_libvirt(without=draw(st.sampled_from([(), (), ("xmm_input",), ("tlbflush/direct",)])))
    frequency = (
        draw(st.integers(TSC - 200_000, TSC + 200_000)) if not scaling else draw(st.sampled_from([TSC, 3 * TSC]))
    )
    hardware = base.hardware._replace(tsc_hz=frequency, tsc_scaling=scaling or None if scaling else scaling)
    qemu = qemu._replace(expansion=expansion)
    return base._replace(name=f"host{number}", kvm=kvm, hardware=hardware, qemu=(qemu,), libvirt=libvirt)


@st.composite
def pools(draw: st.DrawFn) -> tuple[Host, ...]:
    """One to five hosts of one processor, all with TSC scaling or all at one frequency."""
    base = draw(st.sampled_from([made_amd_host(), made_intel_host(), made_old_kernel_host()]))
    scaling = draw(st.booleans())
    count = draw(st.integers(1, 5))
    return tuple(draw(hosts(base, number, scaling)) for number in range(count))


@st.composite
def wishes(draw: st.DrawFn) -> tuple[Wish, ...]:
    """Mostly `prefer`: what is demanded is refused too often to be looked at."""
    asked = draw(st.dictionaries(st.sampled_from(IDS), st.sampled_from(["prefer", "prefer", "prefer", "on", "off"])))
    ids = [row_id for row_id in IDS if row_id in asked]
    return tuple(
        Wish(row_id, Ask(asked[row_id]), draw(st.sampled_from(VALUES.get(BY_ID[row_id].kind, [None]))))
        for row_id in ids
    )


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    """A profile without contradictions that matter here."""
    features = draw(st.dictionaries(st.sampled_from(FEATURES), st.booleans(), max_size=2))
    return Profile(
        "made",
        os=draw(st.sampled_from(["other", "windows-11"])),
        uses=draw(st.sampled_from([(), (), ("vbs",), ("nested-hyperv",)])),
        migration=draw(st.sampled_from([Migration.REQUIRED, Migration.REQUIRED, Migration.NONE])),
        machine=draw(st.sampled_from(["q35", "pc", "pc-q35-7.2", "pc-q35-3.0", "pc-i440fx-6.1"])),
        cpu=CpuChoice(
            draw(st.sampled_from(["host", "host", "EPYC", "qemu64"])), draw(st.booleans()), tuple(features.items())
        ),
        tsc_frequency=draw(st.sampled_from([None, None, "auto", TSC])),
        pinned=draw(st.booleans()),
        wishes=draw(wishes()),
        clock=ClockChoice(
            draw(st.sampled_from(["localtime", "utc"])),
            draw(st.booleans()),
            draw(st.sampled_from(["catchup", "delay"])),
            draw(st.sampled_from(["delay", "discard"])),
        ),
    )


@st.composite
def made(draw: st.DrawFn) -> Made:
    """A profile resolved for a pool; what cannot be had there is not demanded."""
    pool, profile, libvirt = draw(pools()), draw(profiles()), draw(st.booleans())
    plan = resolve(profile, pool, libvirt=libvirt)
    refused = {one.id for one in plan.refusals}
    kept = tuple(wish for wish in profile.wishes if wish.id not in refused)
    if plan.refusals:
        cpu = CpuChoice("qemu64", profile.cpu.hidden)
        plan = resolve(profile._replace(wishes=kept, cpu=cpu, uses=(), machine="q35"), pool, libvirt=libvirt)
    if plan.refusals:
        plan = resolve(Profile("made", cpu=CpuChoice("qemu64")), pool, libvirt=libvirt)
    assert not plan.refusals, plan.refusals
    return Made(plan, pool, libvirt)
