"""May a guest move? Each reason with its effect, its layer and a remedy; what is not known is never a yes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hvctl.catalog import BY_ID, ROWS
from hvctl.guest.command.reader import read_command_line
from hvctl.guest.domain import LIBOSINFO
from hvctl.guest.domain.reader import read_domain
from hvctl.guest.plan import guest_of
from hvctl.migration.differences import Answer, Effect, Journey, Move, Reason
from hvctl.migration.verdict import judge, judge_pool
from hvctl.model.guest import Guest
from hvctl.model.host import LIBVIRT, Host, Kvm
from hvctl.model.plan import Layer
from hvctl.model.profile import Migration
from hvctl.plan.resolve import resolve
from hvctl.plan_file.locking import LABEL, lock
from tests.made_guests import made_guest, setting
from tests.made_hosts import (
    made_amd_host,
    made_intel_host,
    made_kvm,
    made_libvirt,
    made_no_hyperv_host,
    made_old_kernel_host,
    made_qemu,
)
from tests.made_pools import TSC, Made, hosts, made, pools, profiles
from tests.model.test_host import pool_of
from tests.plan.test_resolve import profile, wish
from tests.plan_file.test_locking import hardware

MACHINE = "pc-q35-7.2"
FLAGS = "hv-relaxed,hv-vapic,hv-vpindex,hv-runtime,hv-time,hv-synic,hv-stimer,hv-stimer-direct,hv-frequencies,hv-ipi"
FULL = f"host,migratable=on,hv-spinlocks=0x1fff,{FLAGS}"
PLAIN = "host,migratable=on"
HOST = made_amd_host("here")
NESTED = f"{FULL},hv-reenlightenment=on"
Found = list[tuple[Effect, str, Layer]]


def guest(cpu: str = FULL, machine: str | None = MACHINE, **changes: Any) -> Guest:
    """The guest of a -cpu value."""
    words = f"-cpu '{cpu}'" if machine is None else f"-machine {machine} -cpu '{cpu}'"
    return read_command_line(words, "cmd").replace(**changes)


def without(*names: str, cpu: str = FULL) -> str:
    return ",".join(part for part in cpu.split(",") if part.removeprefix("hv-") not in names)


def reasons(
    one: Guest | str, target: Host = HOST, *, incoming: Guest | str | None = None, source: Host = HOST
) -> tuple[Reason, ...]:
    here = guest(one) if isinstance(one, str) else one
    there = guest(incoming) if isinstance(incoming, str) else incoming
    return judge(Journey(here, source, there), target)


def found(*args: Any, **kwargs: Any) -> Found:
    return [(reason.effect, reason.id, reason.layer) for reason in reasons(*args, **kwargs)]


def only(*args: Any, **kwargs: Any) -> Reason:
    (reason,) = reasons(*args, **kwargs)
    return reason


def answer(*args: Any, **kwargs: Any) -> Answer:
    return Move(("t",), reasons(*args, **kwargs)).answer


def newer(name: str = "newer", version: str = "9.2", **changes: Any) -> Host:
    return made_amd_host(name, qemu=(made_qemu(newest=version)._replace(**changes),))


def test_a_guest_moves_to_its_own_host_and_to_one_like_it() -> None:
    for cpu in (FULL, PLAIN, "EPYC,hv-relaxed", "max", f"{NESTED},tsc-frequency=2500000000"):
        assert reasons(cpu) == ()
        assert reasons(cpu, made_amd_host("there")) == ()
        assert reasons(cpu, incoming=cpu) == ()


class TestDeparture:
    """What is wrong wherever the guest goes."""

    @pytest.mark.parametrize(
        ("cpu", "effect", "row_id", "error"),
        [
            ("host,hv-passthrough", Effect.REFUSED, "passthrough", "'hv-passthrough' CPU flag prevents migration"),
            (
                f"{FULL},hv-no-nonarch-coresharing=auto",
                Effect.REFUSED,
                "no-nonarch-coresharing",
                "'hv-no-nonarch-coresharing=auto' CPU flag prevents migration",
            ),
            (f"{FULL},invtsc=on", Effect.REFUSED, "cpu.features.invtsc", "State blocked by non-migratable CPU device"),
            (f"EPYC,{FLAGS},+invtsc", Effect.REFUSED, "cpu.features.invtsc", "(invtsc flag)"),
            (NESTED, Effect.LOST, "reenlightenment", "'tsc-frequency=' has to be specified"),
            (f"{FULL},migratable=off", Effect.UNKNOWN, "cpu", ""),
        ],
    )
    def test_one_reason(self, cpu: str, effect: Effect, row_id: str, error: str) -> None:
        reason = only(cpu)
        assert (reason.effect, reason.id, reason.layer) == (effect, row_id, Layer.QEMU)
        assert error in reason.error
        assert bool(reason.error) == bool(error)
        assert reason.remedy

    @pytest.mark.parametrize(
        "cpu",
        [
            f"{FULL},invtsc=on,tsc-frequency=2500000000",
            f"{FULL},migratable=off,invtsc=off",
            f"{FULL},hv-no-nonarch-coresharing=on",
            "host,hv-no-nonarch-coresharing=auto",  # alone it turns nothing on, and is in no one's way
            f"{NESTED},tsc-frequency=2500000000",
        ],
    )
    def test_no_reason(self, cpu: str) -> None:
        assert reasons(cpu) == ()

    def test_the_state_of_the_debugger_is_not_carried(self) -> None:
        able = made_amd_host("here", kvm=made_kvm(misc=0x84D12 | 1 << 11))
        reason = only(f"{FULL},hv-syndbg", able, source=able)
        assert (reason.effect, reason.id) == (Effect.CHANGES, "syndbg")

    @pytest.mark.parametrize(("incoming", "effect"), [("2500000000", None), ("2400000000", Effect.LOST)])
    def test_reenlightenment_wants_a_frequency_at_the_destination_alone(
        self, incoming: str, effect: Effect | None
    ) -> None:
        """And it must be the one that the guest runs at."""
        target = hardware(HOST, tsc_scaling=True)
        effects = found(NESTED, target, incoming=f"{NESTED},tsc-frequency={incoming}")
        doubt = (Effect.UNKNOWN, "cpu.features.invtsc", Layer.QEMU)
        assert effects == [doubt, *([(effect, "tsc-frequency", Layer.QEMU)] if effect else [])]

    def test_reenlightenment_that_the_guest_may_use_loses_it_though_it_is_off_there(self) -> None:
        assert (Effect.LOST, "reenlightenment", Layer.QEMU) in found(NESTED, incoming=FULL)
        assert Effect.LOST not in [effect for effect, *_ in found(FULL, incoming=NESTED)]

    def test_what_a_running_qemu_says_is_said_once(self) -> None:
        said = "State blocked by non-migratable CPU device (invtsc flag)"
        other = "VFIO device doesn't support migration"
        running = guest(seen=(), blockers=(said, other))
        assert [(reason.effect, reason.id, reason.error) for reason in reasons(running)] == [
            (Effect.REFUSED, "qemu", said),
            (Effect.REFUSED, "qemu", other),
        ]
        passed = guest("host,hv-passthrough", seen=())
        blocked = passed.replace(blockers=(only(passed).error,))
        assert only(blocked).id == "passthrough"

    def test_doubts_and_other_accelerators(self) -> None:
        assert (
            found(guest(doubts=("a", "b")), incoming=guest(doubts=("b", "c")))
            == [(Effect.UNKNOWN, "guest", Layer.PROFILE)] * 3
        )
        reason = only(guest(accelerator="tcg"))
        assert (reason.effect, reason.id) == (Effect.UNKNOWN, "accelerator")

    def test_a_source_that_cannot_have_the_guest(self) -> None:
        poor = made_amd_host("here", kvm=made_kvm(features=0xAAFF & ~1))
        reason = only(FULL, source=poor)
        assert (reason.effect, reason.id, reason.layer) == (Effect.UNKNOWN, "runtime", Layer.KERNEL)
        assert "the source, here, cannot give it itself" in reason.text
        told = found(FULL, source=made_no_hyperv_host("here"))
        assert told == [(Effect.UNKNOWN, "kvm", Layer.KERNEL)]


BITS = [row for row in ROWS if row.checks and row.id != "syndbg"]


class TestArrival:
    """What a target cannot give."""

    @pytest.mark.parametrize("row", BITS, ids=lambda row: row.id)
    def test_what_its_kernel_lacks(self, row: Any) -> None:
        source = made_intel_host("here")
        one = guest(f"host,{row.properties[0].name}=on,tsc-frequency=2600000000")
        leaves = tuple(
            leaf._replace(**{bits.register: leaf.register(bits.register) & ~bits.mask})
            if (bits := row.checks[0]).leaf == leaf.leaf
            else leaf
            for leaf in source.kvm.leaves
        )
        target = source._replace(name="there", kvm=source.kvm._replace(leaves=leaves))
        assert reasons(one, source, source=source) == ()
        reason = only(one, target, source=source)
        assert (reason.effect, reason.id, reason.layer) == (Effect.FAILS, row.id, Layer.KERNEL)
        assert reason.error == f"Hyper-V {row.qemu_name} is not supported by kernel"
        assert f"KVM does not report {row.checks[0].names[0]}" in reason.text

    @pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
    def test_what_its_qemu_does_not_know(self, row: Any) -> None:
        source = made_intel_host("here")
        name = row.properties[-1].name
        value = {"bool": "on", "string": "KVM", "OnOffAuto": "on"}.get(row.properties[-1].type, "7")
        one = guest(f"host,hv-relaxed,{name}={value},tsc-frequency=2600000000")
        target = made_intel_host("there", qemu=(made_qemu(unknown=(name,)),))
        reason = next(
            reason
            for reason in reasons(one, target, source=source)
            if reason.layer is Layer.QEMU and reason.effect is Effect.FAILS
        )
        assert (reason.id, reason.error) == (row.id, f".{name}' not found")
        assert reason.text == f"its QEMU does not know {name}"

    def test_what_is_off_is_looked_up_too_but_not_by_libvirt(self) -> None:
        target = made_amd_host("there", qemu=(made_qemu(unknown=("hv-crash",)),))
        assert only(f"{FULL},hv-crash=off", target).id == "crash"
        assert reasons(guest(f"{FULL},hv-crash=off", libvirt=True), target) == ()

    def test_what_hvctl_does_not_know(self) -> None:
        assert found(f"{FULL},hv-nosuch=on") == [
            (Effect.UNKNOWN, "guest", Layer.PROFILE),
            (Effect.FAILS, "hv-nosuch", Layer.QEMU),
        ]
        knows = made_amd_host(
            "there", qemu=(made_qemu()._replace(properties=(*made_qemu().properties, ("hv-nosuch", "bool"))),)
        )
        assert found(f"{FULL},hv-nosuch=on", knows) == [(Effect.UNKNOWN, "guest", Layer.PROFILE)]

    def test_apicv_that_is_not_active(self) -> None:
        source = made_intel_host("here")
        target = hardware(made_intel_host("there"), apicv=False)
        one = guest("host,hv-avic")
        reason = only(one, target, source=source)
        assert (reason.effect, reason.id, reason.layer) == (Effect.CHANGES, "avic", Layer.HARDWARE)
        assert reason.remedy
        assert answer(one, hardware(target, apicv=None), source=source) is Answer.UNKNOWN

    def test_evmcs_and_another_vendor(self) -> None:
        source = made_intel_host("here")
        one = guest("Skylake-Server,hv-vapic,hv-evmcs,tsc-frequency=2500000000")
        assert found(one, HOST, source=source) == [
            (Effect.FAILS, "evmcs", Layer.KERNEL),
            (Effect.CHANGES, "cpu", Layer.HARDWARE),
        ]
        evmcs = reasons(one, HOST, source=source)[0]
        assert evmcs.remedy == "use hosts with Intel processors for guests that need it"
        assert found(one, made_intel_host("there", nested=False), source=source) == [
            (Effect.FAILS, "evmcs", Layer.KERNEL)
        ]

    @pytest.mark.parametrize(
        ("cpu", "effect"),
        [
            (FULL, Effect.FAILS),  # vpindex: "kernel doesn't allow setting HyperV VP_INDEX"
            ("host,hv-relaxed,hv-vapic", Effect.CHANGES),
            ("host,hv-relaxed,hv-enforce-cpuid", Effect.CHANGES),
        ],
    )
    def test_a_kvm_without_hyperv(self, cpu: str, effect: Effect) -> None:
        reason = only(cpu, made_no_hyperv_host("bad"))
        assert (reason.effect, reason.id, reason.layer) == (effect, "kvm", Layer.KERNEL)
        assert reason.remedy == "boot a kernel built with CONFIG_KVM_HYPERV=y"

    @pytest.mark.parametrize("cpu", [PLAIN, "host,hv-enforce-cpuid", "host,hv-vendor-id=KVM"])
    def test_a_guest_without_hyperv_needs_none(self, cpu: str) -> None:
        assert reasons(cpu, made_no_hyperv_host("bad"), source=made_no_hyperv_host("here")) == ()

    def test_what_is_not_known_is_unknown(self) -> None:
        assert found(FULL, made_amd_host("t", qemu=())) == [(Effect.UNKNOWN, "qemu", Layer.QEMU)]
        assert found(FULL, hardware(HOST, vendor=None))[0][:2] == (Effect.UNKNOWN, "cpu")
        assert answer(f"{FULL},hv-xmm-input", made_old_kernel_host("old"), source=HOST) is Answer.UNKNOWN
        libvirts = HOST._replace(kvm=Kvm(None, LIBVIRT, (), (), tuple(row.id for row in ROWS)))
        assert answer(FULL, libvirts) is Answer.UNKNOWN
        partial = made_amd_host("t", qemu=(made_qemu(unknown=("hv-time",))._replace(partial=True),))
        assert (Effect.UNKNOWN, "time", Layer.QEMU) in found(FULL, partial)


class TestMachine:
    """Machine types, by their own names."""

    def test_the_target_has_it_not(self) -> None:
        reason = only(guest(machine="pc-q35-10.0"), newer())
        assert (reason.effect, reason.id, reason.layer) == (Effect.FAILS, "machine", Layer.QEMU)
        assert (reason.text, reason.error) == ("its QEMU has no machine type pc-q35-10.0", "unsupported machine type")
        assert reason.remedy

    def test_an_alias_is_another_type_there(self) -> None:
        reason = only(guest(machine="q35"), newer())
        assert (reason.effect, reason.id, reason.layer) == (Effect.FAILS, "machine", Layer.QEMU)
        assert reason.error == "Machine type received is 'pc-q35-10.0' and local is 'pc-q35-9.2'"
        assert reason.text == "q35, which is pc-q35-10.0, at the source and q35, which is pc-q35-9.2, there"

    def test_an_alias_and_the_type_that_it_means_are_the_same(self) -> None:
        assert reasons(guest(machine="q35"), incoming=guest(machine="pc-q35-10.0")) == ()
        assert reasons(guest(machine="pc-q35-9.2"), newer(), incoming=guest(machine="q35")) == ()
        assert reasons(guest(machine="q35"), made_amd_host("t")) == ()

    def test_another_version_waits(self) -> None:
        reason = only(guest(machine="pc-q35-6.1"), incoming=guest(machine="pc-q35-6.2"))
        assert (reason.effect, reason.id) == (Effect.FAILS, "machine")
        assert reason.error == "Machine type received is 'pc-q35-6.1' and local is 'pc-q35-6.2'"

    @pytest.mark.parametrize("machine", [None, "q35"])
    def test_what_is_not_known(self, machine: str | None) -> None:
        source = made_amd_host("here", qemu=(made_qemu()._replace(machines=()),))
        reason = only(guest(machine=machine), source=source)
        assert (reason.effect, reason.id, reason.layer) == (Effect.UNKNOWN, "machine", Layer.QEMU)
        assert reasons(guest(), source=source) == ()


class TestCpu:
    """Processors and CPU models."""

    @pytest.mark.parametrize("change", [{"family": 1}, {"model": 9}, {"stepping": 9}])
    def test_host_on_another_processor(self, change: dict[str, Any]) -> None:
        for model in ("host", "max"):
            reason = only(model, hardware(made_amd_host("t"), **change))
            assert (reason.effect, reason.id, reason.layer) == (Effect.CHANGES, "cpu", Layer.HARDWARE)
            assert reason.text == f"CPU model {model} is another CPU on the target than on the source"
            assert reason.remedy == "write -cpu EPYC: every host can give it"
        assert reasons("EPYC", hardware(made_amd_host("t"), **change)) == ()

    def test_what_is_proposed_is_written_where_the_guest_is_and_boots(self) -> None:
        xml = b"""<domain type='kvm'><name>win11</name><os><type machine='pc-q35-7.2'>hvm</type></os>
        <cpu mode='host-passthrough' migratable='on'/></domain>"""
        plan = resolve(profile(migration=Migration.REQUIRED), (HOST,))
        other = hardware(made_amd_host("t"), model=9)
        for one, written in (
            (read_domain(xml, "win11.xml"), "<cpu mode='custom'><model>EPYC</model></cpu>"),
            (guest("host"), "-cpu EPYC"),
            (guest_of(plan), "`cpu: EPYC` in the profile"),
        ):
            reason = next(reason for reason in reasons(one, other) if reason.id == "cpu")
            assert reason.remedy == f"write {written}: every host can give it"
        # Windows 11 does not boot on the only model that both have; Windows of an unknown release may.
        poor = other._replace(qemu=(other.qemu[0]._replace(models=("qemu64",)),))
        nothing = "name a CPU model that every host can give; hvctl knows of none to propose"
        assert [reason.remedy for reason in reasons(read_domain(xml, "win11.xml"), poor)] == [nothing]
        unnamed = read_domain(xml.replace(b"win11", b"windows"), "w.xml")
        assert "qemu64" in only(unnamed, poor).remedy

    def test_a_model_on_which_the_guest_does_not_boot_is_a_note(self) -> None:
        xml = f"""<domain type='kvm'><name>w</name><metadata><libosinfo:libosinfo xmlns:libosinfo="{LIBOSINFO}">
        <libosinfo:os id="http://microsoft.com/win/2k25"/></libosinfo:libosinfo></metadata>
        <os><type machine='pc-q35-7.2'>hvm</type></os>
        <cpu mode='custom' match='exact'><model>qemu64</model></cpu></domain>"""
        one = read_domain(xml.encode(), "w.xml")
        reason = only(one, hardware(made_amd_host("t"), model=9))
        assert (reason.effect, reason.id) == (Effect.NOTE, "cpu")
        assert reason.text.startswith("Windows Server 2025 does not boot on CPU model qemu64, which lacks sse4.2")
        assert reason.remedy == "write <cpu mode='custom'><model>EPYC</model></cpu>: every host can give it"
        gives = (("sse4.2", True), ("popcnt", True))
        poor = HOST._replace(qemu=(made_qemu()._replace(models=("qemu64",), expansion=gives),))
        features = "".join(f"<feature policy='require' name='{name}'/>" for name in ("sse4.2", "popcnt"))
        written = f"<cpu mode='custom'><model>qemu64</model>{features}</cpu>"
        assert written in only(one, poor, source=poor).remedy
        assert reasons(read_domain(xml.replace("2k25", "2k22").encode(), "w.xml")) == ()

    @pytest.mark.parametrize("change", [{"family": None}, {"model": None}, {"stepping": None}])
    def test_host_where_the_processor_is_not_known(self, change: dict[str, Any]) -> None:
        for source, target in ((HOST, hardware(HOST, **change)), (hardware(HOST, **change), HOST)):
            reason = only("host", target, source=source)
            assert (reason.effect, reason.id) == (Effect.UNKNOWN, "cpu")
            assert "cannot be compared" in reason.text

    def test_host_with_other_features(self) -> None:
        qemu = made_qemu()
        target = made_amd_host("t", qemu=(qemu._replace(expansion=(*(qemu.expansion or ()), ("amx", True))),))
        reason = only("host", target)
        assert (reason.effect, reason.text) == (
            Effect.CHANGES,
            "CPU model host differs between the source and the target: amx",
        )
        unknown = made_amd_host("t", qemu=(qemu._replace(expansion=None),))
        assert only("host", unknown).effect is Effect.UNKNOWN
        assert only("host", source=made_amd_host("here", qemu=())).effect is Effect.UNKNOWN

    @pytest.mark.parametrize("cpu", ["host", "EPYC"])
    def test_no_model_hides_the_vendor(self, cpu: str) -> None:
        target = hardware(made_intel_host("t"), tsc_hz=TSC)
        reason = only(cpu, target)
        assert (reason.effect, reason.id, reason.layer) == (Effect.CHANGES, "cpu", Layer.HARDWARE)
        assert reason.text == "the processors are from AMD and Intel, and no CPU model hides that"

    @pytest.mark.parametrize(("enforce", "effect"), [("", Effect.CHANGES), (",enforce", Effect.FAILS)])
    def test_a_named_model_and_its_features(self, enforce: str, effect: Effect) -> None:
        qemu = made_qemu()
        poor = made_amd_host("t", qemu=(qemu._replace(models=("qemu64",), expansion=(("svm", False), ("avx", True))),))
        assert found(f"EPYC,+svm,-avx{enforce}", poor) == [
            (effect, "cpu", Layer.HARDWARE),
            (Effect.FAILS if enforce else Effect.LOST, "cpu.features.svm", Layer.HARDWARE),
        ]
        assert reasons(f"qemu64,svm=off{enforce}", poor) == ()
        # What the source does not give either does not go.
        assert reasons(f"qemu64,svm=on{enforce}", poor, source=poor) == ()
        unknown = made_amd_host("t", qemu=(qemu._replace(models=None),))
        assert only("EPYC", unknown).effect is Effect.UNKNOWN

    @pytest.mark.parametrize("feature", ["topoext", "kvm_hint_dedicated", "ht", "host-cache-info"])
    def test_what_no_expansion_has_is_not_taken_for_missing(self, feature: str) -> None:
        qemu = made_qemu()
        target = made_amd_host("t", qemu=(qemu._replace(expansion=((feature.replace("_", "-"), False),)),))
        assert reasons(f"qemu64,{feature}=on", target) == ()
        assert not resolve(profile(cpu=profile().cpu._replace(features=((feature, True),))), (target,)).refusals

    def test_a_model_that_is_not_known(self) -> None:
        reason = only(guest().replace(cpu=None))
        assert (reason.effect, reason.id, reason.layer) == (Effect.UNKNOWN, "cpu", Layer.PROFILE)


class TestClock:
    """TSC frequencies: 250 ppm are nothing, TSC scaling makes all alike."""

    @pytest.mark.parametrize(
        ("cpu", "there", "scaling", "expected"),
        [
            ("EPYC", TSC, False, None),
            ("EPYC", TSC + 600_000, False, None),
            ("EPYC", TSC + 700_000, False, Effect.CHANGES),
            ("EPYC", TSC + 700_000, True, None),
            ("EPYC", None, True, None),
            ("EPYC", None, False, Effect.UNKNOWN),
            ("EPYC", None, None, Effect.UNKNOWN),
            (f"EPYC,tsc-frequency={TSC}", TSC + 700_000, False, Effect.FAILS),
            (f"EPYC,tsc-frequency={TSC}", TSC + 700_000, True, None),
            (f"EPYC,tsc-frequency={TSC}", TSC + 600_000, False, None),
            (f"EPYC,tsc-frequency={TSC},hv-reenlightenment", 2 * TSC, False, Effect.FAILS),
        ],
    )
    def test_frequencies(self, cpu: str, there: int | None, scaling: bool | None, expected: Effect | None) -> None:
        target = hardware(made_amd_host("t"), tsc_hz=there, tsc_scaling=scaling)
        effects = found(cpu, target)
        assert effects == ([] if expected is None else [(expected, "tsc-frequency", Layer.HARDWARE)])
        assert all(reason.remedy for reason in reasons(cpu, target))

    def test_hosts_that_hardly_differ_have_one_verdict(self) -> None:
        far = [hardware(made_amd_host(f"t{number}"), tsc_hz=3_000_000_000 + 20_000 * number) for number in range(3)]
        (move,) = judge_pool(Journey(guest("EPYC"), HOST), pool_of(*far))
        assert move.targets == ("t0", "t1", "t2")
        assert "from 2500.0 MHz to 3000.0 MHz" in move.reasons[0].text

    def test_an_unknown_source(self) -> None:
        source = hardware(HOST, tsc_hz=None)
        assert only("EPYC", source=source).effect is Effect.UNKNOWN
        assert reasons(f"EPYC,tsc-frequency={TSC}", source=source) == ()

    def test_a_frequency_that_only_the_guest_was_started_with(self) -> None:
        """Where none is written the destination takes the guest's, and does not mind if it cannot."""
        scaled = f"EPYC,tsc-frequency={2 * TSC}"
        source = hardware(HOST, tsc_scaling=True)
        # Without Hyper-V the frequency is announced in a leaf of its own, which is lost.
        assert found(scaled, source=source, incoming="EPYC") == [
            (Effect.CHANGES, "cpuid", Layer.QEMU),
            (Effect.CHANGES, "tsc-frequency", Layer.HARDWARE),
        ]
        (reason,) = reasons(scaled, source, source=source, incoming="EPYC")
        assert reason.text == "the guest's CPUID changes in 0x40000000"


class TestIncoming:
    """What waits on the target differs from the guest: as real migrations have shown (tests/realkvm)."""

    @pytest.mark.parametrize(
        ("here", "there", "expected"),
        [
            (
                FULL,
                without("time", "stimer", "stimer-direct"),
                [("time", Effect.CHANGES), ("stimer", Effect.CHANGES), ("stimer-direct", Effect.CHANGES)],
            ),
            (FULL, without("relaxed", "vapic"), [("relaxed", Effect.CHANGES), ("vapic", Effect.CHANGES)]),
            (without("relaxed"), FULL, [("relaxed", Effect.CHANGES)]),
            (FULL, f"{FULL},hv-spinlocks=0xfff", [("spinlocks", Effect.CHANGES)]),
            (FULL, f"{FULL},hv-vendor-id=KVMKVMKVM", [("vendor-id", Effect.CHANGES)]),
            (FULL, f"{FULL},hv-version-id-build=7600", [("version-id", Effect.CHANGES)]),
            (FULL, f"{FULL},hv-passthrough", [("passthrough", Effect.CHANGES)]),
            (FULL, f"{PLAIN},hv-passthrough", [("passthrough", Effect.CHANGES)]),
            (f"{PLAIN},hv-passthrough", FULL, [("passthrough", Effect.REFUSED), ("passthrough", Effect.CHANGES)]),
            (FULL, f"{FULL},hv-evmcs", [("evmcs", Effect.FAILS), ("evmcs", Effect.CHANGES)]),
            (
                without("stimer", "stimer-direct"),
                without("stimer", "stimer-direct", "synic"),
                [("synic", Effect.FAILS)],
            ),
            (f"{FULL},tsc-frequency={TSC}", f"{FULL},tsc-frequency={TSC + 100_000}", [("tsc-frequency", Effect.LOST)]),
            (
                FULL,
                f"{FULL},tsc-frequency={TSC + 100_000}",
                [("cpu.features.invtsc", Effect.UNKNOWN), ("tsc-frequency", Effect.LOST)],
            ),
            (f"{FULL},tsc-frequency={TSC}", f"{FULL},tsc-frequency={TSC + 999}", []),
            (f"{FULL},tsc-frequency={TSC}", FULL, [("cpu.features.invtsc", Effect.UNKNOWN)]),
            (f"{FULL},tsc-frequency={TSC},invtsc=off", f"{FULL},invtsc=off", []),
            (f"EPYC,hv-relaxed,tsc-frequency={TSC}", "EPYC,hv-relaxed", []),
            (FULL, f"{FULL},kvm=off", [("cpu.hidden", Effect.CHANGES)]),
            (FULL, f"{FULL},svm=off", [("cpu.features.svm", Effect.LOST)]),
            (FULL, f"{FULL},svm=on", [("cpu.features.svm", Effect.CHANGES)]),
            (f"{FULL},tsc_adjust=on", f"{FULL},+tsc-adjust", []),
            (f"{FULL},phys-bits=40", f"{FULL},phys-bits=41", [("cpu.features.phys-bits", Effect.CHANGES)]),
            (FULL, f"{FULL},model-id=x", [("cpu.features.model-id", Effect.CHANGES)]),
            (FULL, f"{FULL},migratable=off", [("cpu", Effect.CHANGES)]),
            (
                FULL,
                FULL.replace("host,migratable=on", "EPYC"),
                [("cpu.features.svm", Effect.LOST), ("cpu", Effect.CHANGES)],
            ),
            (
                FULL,
                FULL.replace("host,migratable=on", "EPYC,svm=on"),
                [("cpu", Effect.CHANGES), ("cpu.features.svm", Effect.CHANGES)],
            ),
            (FULL, f"{FULL},enforce,check=off", []),
            # What is written need not be more than what there is without a word.
            (FULL, f"{FULL},hv-vendor-id=Microsoft Hv,hv-version-id-build=14393,hv-crash=off", []),
            (PLAIN, f"{PLAIN},hv-vendor-id=KVM,hv-enforce-cpuid", []),
            (f"{FULL},hv-vendor-id=a", f"{FULL},hv-vendor-id=a", []),
        ],
    )
    def test_differences(self, here: str, there: str, expected: list[tuple[str, Effect]]) -> None:
        got = reasons(here, incoming=there)
        assert [(reason.id, reason.effect) for reason in got] == expected
        assert all(reason.remedy for reason in got if reason.layer is Layer.QEMU)

    def test_the_memory_of_a_synic(self) -> None:
        reason = only(without("stimer", "stimer-direct"), incoming=without("stimer", "stimer-direct", "synic"))
        assert reason.error == 'Unknown ramblock "synic-0-msg-page", cannot accept migration'

    def test_a_synic_of_an_old_machine_type_has_none(self) -> None:
        def old(cpu: str) -> Guest:
            return guest(cpu, machine="pc-q35-3.0")

        gone = old(without("synic", "stimer", "stimer-direct"))
        lost = {reason.id: reason for reason in reasons(old(FULL), incoming=gone)}
        assert (lost["synic"].effect, lost["synic"].error) == (Effect.LOST, "error: failed to set MSR")
        assert only(old(without("stimer", "stimer-direct")), incoming=gone).effect is Effect.CHANGES

    def test_a_version_that_an_old_machine_type_has(self) -> None:
        def old(cpu: str) -> Guest:
            return guest(cpu, machine="pc-q35-6.1")

        own = "hv-version-id-major=6,hv-version-id-minor=1,hv-version-id-build=7100"
        assert reasons(old(FULL), incoming=old(f"{FULL},{own}")) == ()
        newest = "hv-version-id-major=10,hv-version-id-minor=0,hv-version-id-build=14393"
        reason = only(old(FULL), incoming=old(f"{FULL},{newest}"))
        assert (reason.id, reason.text) == ("version-id", "6.1.7100.0-0-0 becomes QEMU's default")

    def test_libvirt_does_not_look_at_some(self) -> None:
        both = f"{FULL},hv-tlbflush,hv-tlbflush-ext"
        here, there = guest(both, libvirt=True), guest(f"{FULL},hv-tlbflush", libvirt=True)
        assert "libvirt's own check of the ABI does not look at it" in only(here, incoming=there).text
        assert "libvirt" not in only(guest(both), incoming=guest(f"{FULL},hv-tlbflush")).text

    def test_what_depends_on_the_host_alone(self) -> None:
        auto = "EPYC,hv-relaxed,hv-no-nonarch-coresharing=auto"
        smt = made_amd_host("t", kvm=made_kvm(hints=0x40E2C & ~(1 << 18)))
        assert [reason.id for reason in reasons(auto, smt)] == ["no-nonarch-coresharing", "cpuid"]
        assert reasons(auto, smt)[1].text == "the guest's CPUID changes in 0x40000004"

    def test_a_running_qemu_and_what_is_written(self) -> None:
        running = guest(seen=(("svm", "on"), ("avx", "off"), ("phys-bits", "40")))
        unknown = (Effect.UNKNOWN, "cpu.features", Layer.QEMU)
        assert reasons(running) == ()
        assert found(running, incoming=FULL) == found(FULL, incoming=running) == [unknown]
        assert found(running, incoming=f"{FULL},svm=on,-avx,phys-bits=40,newer=on") == [unknown]
        for written in ("avx=on", "phys-bits=41"):
            name = f"cpu.features.{written.partition('=')[0]}"
            assert found(running, incoming=f"{FULL},{written}") == [unknown, (Effect.CHANGES, name, Layer.QEMU)]
        lost = (Effect.LOST, "cpu.features.svm", Layer.QEMU)
        assert found(running, incoming=f"{FULL},svm=off") == [lost, unknown]
        assert answer(running, incoming=f"{FULL},tsc-frequency={TSC}") is Answer.UNKNOWN

    def test_a_hypervisor_in_the_guest_needs_what_it_uses(self) -> None:
        intel = made_intel_host("here")
        gone = only(f"{FULL},hv-evmcs", intel, source=intel, incoming=FULL)
        assert (gone.effect, gone.id, gone.error) == (Effect.LOST, "evmcs", BY_ID["evmcs"].gone_error)
        without_vmx = made_qemu()._replace(expansion=(("avx", True), ("pcid", True), ("vmx", False)))
        plain = made_intel_host("there", nested=False, qemu=(without_vmx,))
        lost = (Effect.LOST, "cpu.features.vmx", Layer.HARDWARE)
        assert found(FULL, plain, source=intel) == [(Effect.CHANGES, "cpu", Layer.HARDWARE), lost]
        assert found("host,migratable=on,vmx=off", plain, source=intel) == [(Effect.CHANGES, "cpu", Layer.HARDWARE)]
        # A source without it has no such guest.
        assert lost[:2] not in [one[:2] for one in found(FULL, plain, source=plain)]
        assert found("Skylake-Server", plain, source=intel) == []

    def test_two_running_qemus(self) -> None:
        """A newer one has properties that the older one does not know."""
        here = guest(seen=(("svm", "on"), ("avx", "off")))
        there = guest(seen=(("svm", "on"), ("avx", "off"), ("newer", "on")))
        assert reasons(here, incoming=there) == ()
        changed = there.replace(seen=(("svm", "off"), ("avx", "off")))
        assert found(here, incoming=changed) == [(Effect.LOST, "cpu.features.svm", Layer.QEMU)]

    def test_a_running_qemu_and_what_it_was_started_with(self) -> None:
        nested = guest(NESTED, seen=())
        assert found(nested) == [(Effect.UNKNOWN, "reenlightenment", Layer.QEMU)]
        assert Effect.LOST in [effect for effect, *_ in found(nested, incoming=NESTED)]
        poor = made_amd_host("t", qemu=(made_qemu()._replace(expansion=(("svm", False),)),))
        named = guest("qemu64", seen=(("svm", "on"), ("avx", "off")))
        assert found(named, poor) == [(Effect.CHANGES, "cpu.features.svm", Layer.HARDWARE)]


class TestLibvirt:
    """Where libvirt starts the guest, it is one more layer."""

    ONE = guest(f"{FULL},hv-tlbflush,hv-tlbflush-ext,hv-xmm-input", libvirt=True)

    def test_an_element_that_it_does_not_know(self) -> None:
        reason = only(self.ONE, made_amd_host("t", libvirt=made_libvirt(without=("xmm_input",))))
        assert (reason.effect, reason.id, reason.layer) == (Effect.FAILS, "xmm-input", Layer.LIBVIRT)
        assert (reason.error, reason.remedy) == (
            "unsupported HyperV Enlightenment feature",
            "use libvirt 10.7.0 or newer",
        )

    def test_an_element_inside_another_is_dropped(self) -> None:
        reason = only(self.ONE, made_amd_host("t", libvirt=made_libvirt(without=("tlbflush/extended",))))
        assert (reason.effect, reason.id, reason.layer) == (Effect.CHANGES, "tlbflush-ext", Layer.LIBVIRT)
        assert "drops it without a word" in reason.text

    def test_an_unknown_libvirt(self) -> None:
        assert answer(self.ONE, made_amd_host("t", libvirt=None)) is Answer.UNKNOWN
        assert reasons(self.ONE.replace(libvirt=False), made_amd_host("t", libvirt=None)) == ()

    def test_what_libvirt_has_no_element_for_came_otherwise(self) -> None:
        assert reasons(guest(f"{FULL},hv-version-id-build=1", libvirt=True)) == ()


def against(journey: Journey, target: Host) -> list[Reason]:
    """What is against a move; not what is wrong wherever the guest runs."""
    return [reason for reason in judge(journey, target) if reason.effect is not Effect.NOTE]


@settings(max_examples=50)
@given(made(), st.data())
def test_among_the_hosts_of_its_pool_a_locked_plan_always_moves(given_: Made, data: st.DataObject) -> None:
    if given_.plan.migration is Migration.NONE:
        return
    kept = lock(given_.plan, given_.pool, argv=None, xml=None)
    one = guest_of(kept.plan, libvirt=given_.libvirt)
    source = data.draw(st.sampled_from([*given_.pool, kept.pool[0]._replace(name=LABEL)]))
    for target in given_.pool:
        assert against(Journey(one, source), target) == []
        assert against(Journey(one, source, one.replace(label="waiting")), target) == []


@settings(max_examples=50)
@given(made())
def test_what_resolves_moves_to_its_own_host(given_: Made) -> None:
    if given_.plan.migration is Migration.REQUIRED:
        one = guest_of(given_.plan, libvirt=given_.libvirt)
        assert all(against(Journey(one, host), host) == [] for host in given_.pool)


@st.composite
def journeys(draw: st.DrawFn) -> Journey:
    source = draw(pools())[0]
    cpus = st.sampled_from(
        [FULL, NESTED, "EPYC,hv-relaxed", "host,hv-passthrough", f"{NESTED},tsc-frequency={TSC}", PLAIN]
    )
    changes: dict[str, Any] = {"libvirt": draw(st.booleans()), "seen": draw(st.sampled_from([None, (("svm", "on"),)]))}
    machines = st.sampled_from([None, "q35", MACHINE])
    one = guest(draw(cpus), machine=draw(machines)).replace(**changes)
    incoming = draw(st.sampled_from([None, guest(draw(cpus), machine=draw(machines))]))
    return Journey(one, source, incoming)


@st.composite
def targets(draw: st.DrawFn) -> list[Host]:
    """Hosts of few classes and many frequencies, unknown facts among them."""
    bases = [
        draw(hosts(draw(st.sampled_from([made_amd_host(), made_intel_host(), made_no_hyperv_host()])), 0, False))
        for _ in range(3)
    ]
    bases = [*bases, made_amd_host(qemu=()), hardware(made_amd_host(), vendor=None)]
    pairs = draw(
        st.lists(
            st.tuples(st.sampled_from(bases), st.sampled_from([None, TSC, TSC + 600_000, 2 * TSC])),
            min_size=1,
            max_size=9,
        )
    )
    return [hardware(host, tsc_hz=hz)._replace(name=f"t{number}") for number, (host, hz) in enumerate(pairs)]


@settings(max_examples=50)
@given(journeys(), targets())
def test_a_pool_is_judged_as_each_host_alone(journey: Journey, those: list[Host]) -> None:
    moves = judge_pool(journey, pool_of(*those))
    judged = {name: move.reasons for move in moves for name in move.targets}
    assert judged == {host.name: judge(journey, host) for host in those}
    assert sum(len(move.targets) for move in moves) == len(those)
    assert len({move.reasons for move in moves}) == len(moves)


@settings(max_examples=40)
@given(journeys(), targets())
def test_every_reason_is_a_sentence_of_printable_text(journey: Journey, those: list[Host]) -> None:
    for host in those:
        for reason in judge(journey, host):
            assert reason.text
            assert reason.text.isprintable()
            assert reason.remedy.isprintable()
            assert not reason.text.endswith(".")


@settings(max_examples=40)
@given(journeys(), targets())
def test_more_is_not_less(journey: Journey, those: list[Host]) -> None:
    """A target that gets TSC scaling has no reason that it had not before."""
    for host in those:
        before, after = (judge(journey, hardware(host, tsc_scaling=scaling)) for scaling in (False, True))
        assert set(after) <= set(before)


@settings(max_examples=50)
@given(profiles(), pools())
def test_a_guest_of_any_plan_can_be_judged(wanted: Any, pool: tuple[Host, ...]) -> None:
    one = guest_of(resolve(wanted, pool))
    for host in pool:
        assert {reason.effect for reason in judge(Journey(one, pool[0]), host)} <= set(Effect)


def test_answers() -> None:
    unknown = Reason(Effect.UNKNOWN, "a", "b", Layer.QEMU)
    assert Move(("t",), ()).answer is Answer.YES
    assert Move(("t",), (unknown,)).answer is Answer.UNKNOWN
    note = unknown._replace(effect=Effect.NOTE)
    assert Move(("t",), (note,)).answer is Answer.YES
    assert Move(("t",), (note, unknown)).answer is Answer.UNKNOWN
    for effect in set(Effect) - {Effect.UNKNOWN, Effect.NOTE}:
        assert Move(("t",), (unknown, unknown._replace(effect=effect))).answer is Answer.NO


def test_settings_of_a_guest_that_are_off_do_not_count() -> None:
    assert guest_of(resolve(profile(wish("relaxed")), (HOST,))).enabled() == {"relaxed": None}
    assert made_guest(setting("relaxed", on=False)).enabled() == {}
