"""Whoever does what a reason against a migration says has a migration without that reason, and without a new one.

Each remedy is one of a table, with all of its alternatives: they change a command line, or the hosts as they are
recorded after it was done. A remedy that no entry knows fails.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from hvctl.catalog import BY_ID, ROWS
from hvctl.catalog.types import Kind
from hvctl.catalog.windows import system_of
from hvctl.guest.command.reader import read_command_line
from hvctl.migration.differences import Journey, Reason
from hvctl.migration.verdict import judge, judge_save
from hvctl.model.guest import Device, Guest
from hvctl.model.host import Host
from tests.made_hosts import made_amd_host, made_intel_host, made_libvirt, made_qemu
from tests.plan.test_remedies import POOR, nested, newest_kernel, recorded
from tests.plan_file.test_locking import hardware


class Side(NamedTuple):
    """A command line, and what of its guest is no part of one."""

    machine: str | None = "pc-q35-7.2"
    cpu: tuple[str, ...] = ("host", "migratable=on")
    changes: tuple[tuple[str, Any], ...] = ()

    def guest(self) -> Guest:
        words = [f"-machine {self.machine}"] if self.machine else []
        words += [f"-cpu {','.join(self.cpu)}"] if self.cpu else []
        return read_command_line(" ".join(["-accel kvm", *words]), "cmd").replace(**dict(self.changes))

    def with_words(self, *new: str) -> Side:
        names = {word.partition("=")[0] for word in new}
        return self._replace(cpu=(*self.without(*names).cpu, *new))

    def without(self, *names: str) -> Side:
        kept = (word for word in self.cpu if word.lstrip("+-").partition("=")[0].replace("_", "-") not in names)
        return self._replace(cpu=tuple(kept))

    def model(self, name: str) -> Side:
        return self.without("migratable")._replace(cpu=(name, *self.without("migratable").cpu[1:]))

    def fact(self, name: str, value: Any) -> Side:
        return self._replace(changes=(*((known, old) for known, old in self.changes if known != name), (name, value)))


class Move(NamedTuple):
    """What check-migration is given."""

    here: Side
    source: Host
    target: Host
    there: Side | None = None
    save: bool = False

    def reasons(self) -> dict[tuple[str, str, str], Reason]:
        incoming = self.there.guest() if self.there else None
        journey = Journey(self.here.guest(), self.source, incoming)
        found = judge_save(journey).reasons if self.save else judge(journey, self.target)
        return {(one.effect, one.id, one.text): one for one in found}

    def both(self, change: Callable[[Side], Side]) -> Move:
        return self._replace(here=change(self.here), there=self.there and change(self.there))

    def arriving(self, change: Callable[[Side], Side]) -> Move:
        return self._replace(there=change(self.there or self.here))


Change = Callable[[Move, Reason], Move]


def on_both(change: Callable[[Side], Side]) -> Change:
    return lambda move, _: move.both(change)


def on_target(change: Callable[[Host], Host]) -> Change:
    return lambda move, _: move._replace(target=change(move.target))


def record(move: Move, _: Reason) -> Move:
    """The hosts that lack something; a reason does not always say which."""
    return move._replace(source=recorded(move.source), target=recorded(move.target))


def shared_machine(move: Move, _: Reason) -> Move:
    qemus = [host.qemu[0] for host in (move.source, move.target) if host.qemu]
    known = [[kind.name for kind in qemu.machines] for qemu in qemus if qemu.machines]
    name = next(name for name in reversed(known[0]) if all(name in names for names in known) and "q35" in name)
    return move.both(lambda side: side._replace(machine=name))


def row_off(move: Move, reason: Reason) -> Move:
    return move.both(lambda side: side.without(*(known.name for known in BY_ID[reason.id].properties)))


def feature_gone(move: Move, reason: Reason) -> Move:
    return move.both(lambda side: side.without(reason.id.removeprefix("cpu.features.")))


def named(move: Move, _: Reason) -> Move:
    """What the guest should get, by name: here the least."""
    gone = [known.name for row in ROWS for known in row.properties]
    return move.both(lambda side: side.without(*gone).with_words("hv-relaxed=on"))


def proposed(move: Move, reason: Reason) -> Move:
    (model, features) = re.findall(r"-cpu ([\w-]+)((?:,[\w.=-]+)*)", reason.remedy)[0]
    return move.both(lambda side: side.model(model).with_words(*features.split(",")[1:]))


def fixed_frequency(move: Move, _: Reason) -> Move:
    """The source's own, which a guest that is started there can have whatever the source can."""
    word = f"tsc-frequency={move.source.hardware.tsc_hz or 2_500_000_000}"
    return move.both(lambda side: side.with_words(word).fact("seen", None))


def same_frequency(move: Move, _: Reason) -> Move:
    hertz = move.here.guest().tsc_frequency or move.source.hardware.tsc_hz
    return move.arriving(lambda side: side.with_words(f"tsc-frequency={hertz}"))


def without_frequency(move: Move, _: Reason) -> Move:
    return move.arriving(lambda side: side.without("tsc-frequency"))


def of_the_guests_frequency(move: Move, _: Reason) -> Move:
    demanded = (move.there or move.here).guest().tsc_frequency
    hertz = demanded or move.here.guest().tsc_frequency or move.source.hardware.tsc_hz
    return move._replace(target=hardware(move.target, tsc_hz=hertz))


def of_its_command_line(move: Move, _: Reason) -> Move:
    return move.both(lambda side: side.fact("seen", None))


def runs_on(move: Move, reason: Reason) -> Move:
    """A host that can give what the guest has."""
    vendors = BY_ID[reason.id].vendors if reason.id in BY_ID else ()
    host = made_intel_host("here") if "intel" in vendors else move.source
    return move._replace(source=newest_kernel(host))


REMEDIES: dict[str, tuple[Change, ...]] = {
    r"boot Linux .* or newer|use a newer kernel|boot a kernel built with CONFIG_KVM_HYPERV=y": (
        on_target(newest_kernel),
    ),
    r"load kvm_(intel|amd) with nested=1": (on_target(nested),),
    r"use QEMU .* or newer": (on_target(lambda host: host._replace(qemu=(made_qemu(),))),),
    r"use libvirt .* or newer": (on_target(lambda host: host._replace(libvirt=made_libvirt())),),
    r"use a processor with APICv/AVIC, and kvm_intel enable_apicv=1 or kvm_amd avic=1": (
        on_target(lambda host: hardware(host, apicv=True)),
    ),
    r"record the host that the guest runs on again": (record,),
    r"record (that|the) host again( with its QEMU| where QEMU can use KVM)?": (record,),
    r"record that host on itself: hvctl check-host --record FILE": (record,),
    r"name a versioned one|use a machine type that both QEMUs have": (shared_machine,),
    r"start the guest with a versioned machine type, on both hosts the same": (shared_machine,),
    r"choose a host with a processor of the same vendor": (
        lambda move, _: move._replace(target=move.source._replace(name="alike")),
    ),
    r"name one": (on_both(lambda side: side.model("EPYC")._replace(changes=())),),
    r"write -cpu [\w-]+(,[\w.=,-]+)?: every host can give it(, though it has few features)?": (proposed,),
    r"leave it out": (feature_gone,),
    r"start the destination with the same configuration": (lambda move, _: move._replace(there=move.here),),
    r"name its process id, or its command line": (of_its_command_line,),
    r"start the destination with the frequency of the guest, or without tsc-frequency": (
        same_frequency,
        without_frequency,
    ),
    r"start the destination with the frequency of the guest": (same_frequency,),
    r"write on where the vCPUs are pinned, else leave it out": (
        lambda move, reason: move.both(lambda side: side.with_words(f"hv-{reason.id}=on")),
        row_off,
    ),
    r"name what the guest shall get": (named,),
    r"turn it off": (row_off,),
    r"start the guest with tsc-frequency(, on both hosts the same)?": (fixed_frequency,),
    r"leave migratable=off out": (on_both(lambda side: side.without("migratable")),),
    r"detach it before, and attach one of the target's afterwards": (on_both(lambda side: side.fact("devices", [])),),
    r"use machine type 5\.2 or later, or leave KVM visible": (
        on_both(lambda side: side._replace(machine="pc-q35-7.2")),
        on_both(lambda side: side.without("kvm")),
    ),
    r"name the host that the guest runs on": (runs_on,),
    r"choose a host with TSC scaling, or of the same frequency within 250 ppm": (
        on_target(lambda host: hardware(host, tsc_scaling=True)),
        of_the_guests_frequency,
    ),
}
# What cannot be done to the hosts that are there.
NO_WAY = {
    r"use hosts with (Intel|AMD) processors for guests that need it",
    r"name a CPU model that every host can give; hvctl knows of none to propose",
}
# Reasons without a remedy, by what they are about: what hvctl could not read, and what QEMU itself says.
TOLD = {"accelerator", "guest", "qemu", "hv-nosuch"}


def changes_for(reason: Reason) -> tuple[Change, ...]:
    if not reason.remedy:
        assert reason.id in TOLD or "APICv/AVIC is active is not known" in reason.text or "libvirt" in reason.text, (
            reason
        )
        return ()
    if any(re.fullmatch(known, reason.remedy) for known in NO_WAY):
        return ()
    found = [changes for known, changes in REMEDIES.items() if re.fullmatch(known, reason.remedy)]
    assert len(found) == 1, f"what does {reason.remedy!r} mean?"
    return found[0]


def obey(move: Move, *, depth: int = 0) -> None:
    before = move.reasons()
    about = {reason.id for reason in before.values()}
    for key, reason in before.items():
        for number, change in enumerate(changes_for(reason)):
            which = f"{reason.effect} {reason.id}: {reason.text}; {reason.remedy} [{number}]"
            done = change(move, reason)
            after = done.reasons()
            assert key not in after, which
            new = {one: after[one] for one in after if one not in before}
            # Of another layer, where the same row is lacking; of another host all is looked at again.
            if not re.match(r"record |boot a kernel built|name |start the destination with the same", reason.remedy):
                assert {one.id for one in new.values()} <= about & set(BY_ID), (which, new)
            if new:
                assert depth < 5, which
                obey(done, depth=depth + 1)


def on(row_id: str) -> tuple[str, ...]:
    row = BY_ID[row_id]
    values = {Kind.NUMBER: "8191", Kind.STRING: "KVM", Kind.VERSION: "10", Kind.ON_OFF_AUTO: "auto"}
    return ("hv-relaxed=on", f"{row.properties[0].name}={values.get(row.kind, 'on')}")


@pytest.mark.parametrize("target", POOR.values(), ids=POOR)
@pytest.mark.parametrize("libvirt", [False, True], ids=["qemu", "libvirt"])
def test_of_each_row_on_poor_hosts(target: Host, libvirt: bool) -> None:
    target = target._replace(name="there")
    source = made_intel_host("here") if target.hardware.vendor == "intel" else made_amd_host("here")
    for row in ROWS:
        side = Side(changes=(("libvirt", libvirt),)).with_words(*on(row.id))
        obey(Move(side, source, target))
        obey(Move(side, target, source))


@pytest.mark.parametrize("source", [made_amd_host("here"), made_intel_host("here")], ids=["amd", "intel"])
def test_of_each_row_at_one_end_and_of_a_saved_state(source: Host) -> None:
    for row in ROWS:
        side = Side().with_words(*on(row.id))
        obey(Move(side, source, source, Side()))
        obey(Move(Side(), source, source, side))
        obey(Move(side, source, source, save=True))


def cases() -> Iterator[tuple[str, Move]]:
    plain, here = Side(), made_amd_host("here")
    there = here._replace(name="there")
    other = hardware(there, model=9)
    full = plain.with_words("hv-relaxed=on", "hv-vpindex=on", "hv-time=on")
    loses = full.with_words("hv-frequencies=on", "hv-reenlightenment=on")
    fixed = "tsc-frequency=2500000000"
    for name, machine in (("default", None), ("alias", "q35"), ("newer", "pc-q35-10.0")):
        older = there._replace(qemu=(made_qemu(newest="9.2"),))
        side = full._replace(machine=machine)
        yield f"machine-{name}", Move(side, here, older)
        unknown = here._replace(qemu=(made_qemu()._replace(machines=()),))
        yield f"machine-{name}-of-unknown", Move(side, unknown, there)
        yield f"machine-{name}-waits", Move(full, here, there, side)
    yield "host-model", Move(full, here, other)
    yield "max-model", Move(full.model("max"), here, other)
    yield "host-model-nothing-proposed", Move(full, here, other._replace(qemu=(made_qemu()._replace(models=()),)))
    for model in ("Skylake-Server", "EPYC,enforce", "EPYC"):
        poor = there._replace(qemu=(made_qemu()._replace(models=("qemu64",), expansion=(("svm", False),)),))
        yield (
            f"named-model-{model}",
            Move(full.model(model.split(",")[0]).with_words(*model.split(",")[1:], "svm=on"), here, poor),
        )
    eleven = system_of("windows-11")
    both = [host._replace(qemu=(made_qemu()._replace(models=("qemu64",)),)) for host in (here, other)]
    yield "unbootable", Move(full.model("qemu64").fact("release", eleven), here, there)
    gives = ("sse4.2", True), ("popcnt", True)
    first, second = (host._replace(qemu=(host.qemu[0]._replace(expansion=gives),)) for host in both)
    yield "only-an-old-model", Move(full.fact("release", eleven), first, second)
    yield "only-an-old-model-of-the-guest", Move(full.model("qemu64").fact("release", eleven), first, second)
    yield "only-too-old-a-model", Move(full.fact("release", eleven), both[0], both[1])
    yield "unknown-models", Move(full.model("EPYC"), here, there._replace(qemu=(made_qemu()._replace(models=None),)))
    yield "no-model", Move(plain.fact("cpu", None), here, there)
    yield "vendors", Move(full, here, made_intel_host("there"))
    for name, change in (("vendor", {"vendor": None}), ("family", {"family": None}), ("tsc", {"tsc_hz": None})):
        yield f"unknown-{name}-there", Move(full, here, hardware(there, **change))
        yield f"unknown-{name}-here", Move(full, hardware(here, **change), there)
    yield "no-qemu-here", Move(full, here._replace(qemu=()), there)
    yield "no-qemu-there", Move(full, here, there._replace(qemu=()))
    for frequency in ((), (fixed,)):
        for scaling in (False, None):
            side = full.with_words(*frequency)
            yield (
                f"clock-{scaling}-{frequency}",
                Move(side, here, hardware(there, tsc_hz=3 * 10**9, tsc_scaling=scaling)),
            )
    for name, side in (("blockers", full), ("reenlightenment", loses)):
        for word in ("invtsc=on", "migratable=off", "hv-passthrough=on", "hv-no-nonarch-coresharing=auto"):
            yield f"{name}-{word}", Move(side.with_words(word), here, there)
            yield f"{name}-{word}-save", Move(side.with_words(word), here, there, save=True)
        for waiting in (fixed, "tsc-frequency=2400000000"):
            yield f"{name}-waits-{waiting}", Move(side, here, there, side.with_words(waiting))
            yield (
                f"{name}-waits-{waiting}-scaling",
                Move(side, here, hardware(there, tsc_scaling=True), side.with_words(waiting)),
            )
            unknown = hardware(here, tsc_hz=None)
            yield f"{name}-waits-{waiting}-unknown", Move(side, unknown, there, side.with_words(waiting))
            yield f"{name}-fixed-waits-{waiting}", Move(side.with_words(fixed), here, there, side.with_words(waiting))
            running = side.with_words(fixed).fact("seen", ())
            yield f"{name}-runs-waits-{waiting}", Move(running, here, there, side.with_words(waiting))
        yield f"{name}-runs", Move(side.fact("seen", ()), here, there)
        yield f"{name}-runs-waits", Move(side.fact("seen", ()), here, there, side)
    for number, change_ in enumerate(
        (
            full.model("EPYC"), full.with_words("kvm=off"), full.with_words("migratable=off"), plain, loses,
            full.with_words("pcid=off"), full.with_words("hv-spinlocks=0x1fff"), full.with_words("phys-bits=40"),
        )
    ):  # fmt: skip
        yield f"differs-{number}", Move(full, here, there, change_)
        yield f"differs-back-{number}", Move(change_, here, there, full)
    yield "device", Move(full.fact("devices", [Device("pci", "0000:01:00.0")]), here, there)
    yield "no-kvmclock", Move(full._replace(machine="pc-q35-3.0").with_words("kvm=off"), here, there)
    yield "accelerator", Move(full.fact("accelerator", "tcg"), here, there)
    yield "doubts", Move(full.fact("doubts", ("what is this?",)), here, there)
    yield "blocked", Move(full.fact("blockers", ("VFIO device doesn't support migration",)), here, there)
    yield "unknown-property", Move(full.with_words("hv-nosuch=on"), here, there)
    yield "source-without", Move(full, POOR["kernel-without-bits"], there)
    yield "source-no-hyperv", Move(full, POOR["no-hyperv"], there)
    many = here._replace(
        kvm=here.kvm._replace(leaves=(*(leaf._replace(ebx=leaf.ebx ^ 1) for leaf in here.kvm.leaves),))
    )
    yield "leaves", Move(plain.with_words("hv-passthrough=on"), here, many._replace(name="there"))


CASES = dict(cases())


@pytest.mark.parametrize("move", CASES.values(), ids=CASES)
def test_of_what_is_against_a_move(move: Move) -> None:
    obey(move)


def test_every_entry_is_of_use() -> None:
    """No remedy stays in the table that hvctl no longer gives."""
    side = Side(changes=(("libvirt", True),)).with_words(*(word for row in ROWS for word in on(row.id)))
    every = [*CASES.values(), *(Move(side, made_intel_host("here"), target) for target in POOR.values())]
    given = {reason.remedy for move in every for reason in move.reasons().values()}
    for known in (*REMEDIES, *NO_WAY):
        assert any(re.fullmatch(known, remedy) for remedy in given), known
