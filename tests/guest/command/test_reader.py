"""QEMU command lines as guests: read as the real QEMU reads them, and what gen writes comes back."""

from __future__ import annotations

import ctypes
import functools
import os
import random
import shlex
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvctl.catalog import ROWS
from hvctl.errors import HostError, InputError
from hvctl.guest.command.reader import read_command_line, read_command_lines, read_cpu
from hvctl.guest.command.writer import arguments
from hvctl.guest.plan import guest_of
from hvctl.host.host_file import read_host
from hvctl.migration.differences import in_effect
from hvctl.model.guest import Guest
from hvctl.plan.resolve import resolve
from hvctl.profile.reader import load_profile
from hvctl.profile.source import shipped_names
from hvctl.report.problems import render_error
from hvctl.run.running import read_running
from tests.catalog.test_against_qemu import qmp
from tests.made_guests import facts, setting
from tests.made_hosts import made_amd_host
from tests.paths import ROOT

QEMU = "/usr/bin/qemu-system-x86_64"
SECONDS = 8.0
# A QEMU that was built with such a C library reads binary numbers.
C23 = hasattr(ctypes.CDLL(None), "__isoc23_strtoull")
MACHINES = ("pc-q35-7.2", "pc-q35-5.0", "pc-q35-3.0", "pc-i440fx-6.1", "pc-i440fx-2.10")

RECORDED = ("debian-12", "debian-13", "debian-12-intel", "debian-13-intel")
HOSTS = {name: read_host(str(ROOT / "tests" / "hosts" / f"{name}.json")) for name in RECORDED}
HOSTS["made-amd"] = made_amd_host()


def guest(words: str) -> Guest:
    return read_command_line(words, "cmd")


def enabled(words: str) -> dict[str, Any]:
    return guest(words).enabled()


def message(words: str) -> str:
    with pytest.raises(InputError) as caught:
        guest(words)
    assert render_error(caught.value, False).endswith("\n")
    return "; ".join(problem.message for problem in caught.value.problems)


class TestRoundTrip:
    """What gen writes, check-migration reads."""

    @pytest.mark.parametrize("host", HOSTS)
    @pytest.mark.parametrize("name", shipped_names())
    def test_shipped_profiles(self, name: str, host: str) -> None:
        plan = resolve(load_profile(name), (HOSTS[host],))
        if plan.refusals:
            return
        found = guest(shlex.join(arguments(plan)))
        # A late tick of the RTC is QEMU's default, and not written.
        wanted = guest_of(plan)
        if wanted.timers["rtc"].policy == "delay":
            del wanted.timers["rtc"]
        assert facts(found) == facts(wanted)
        assert (found.mistakes, found.doubts) == ([], ())

    def test_nul_separated(self) -> None:
        plan = resolve(load_profile("windows-11"), (HOSTS["debian-12"],))
        line = shlex.join(arguments(plan))
        assert guest("".join(f"{word}\0" for word in arguments(plan))).enabled() == enabled(line)


class TestOptions:
    """What beside -cpu counts."""

    @pytest.mark.parametrize(
        ("words", "machine", "accelerator"),
        [
            ("-cpu host", None, None),
            ("-machine q35,accel=kvm:tcg -cpu host", "q35", "kvm"),
            ("-M smm=on -M pc-q35-7.2,smm=off --machine usb=off -enable-kvm", "pc-q35-7.2", "kvm"),
            ("-machine type=pc -accel tcg,thread=multi -accel kvm", "pc", "tcg"),
            ("-machine pc -accel accel=kvm,kernel-irqchip=split", "pc", "kvm"),
            ("-accel '' -machine ''", None, None),
            ("-accel thread=multi", None, None),
            ("/usr/bin/qemu-system-x86_64 -machine pc disk.img -cpu host", "pc", None),
            ("sudo -u qemu qemu-system-x86_64 -machine pc", "pc", None),
            ("qemu -name -machine -M pc", "pc", None),
        ],
    )
    def test_machine_and_accelerator(self, words: str, machine: str | None, accelerator: str | None) -> None:
        found = guest(words)
        assert (found.machine, found.accelerator, found.doubts) == (machine, accelerator, ())

    def test_the_last_cpu_counts_whole(self) -> None:
        found = guest("-cpu host,hv_relaxed,kvm=off -cpu EPYC,hv_time")
        assert (found.cpu, found.hidden, found.enabled()) == ("EPYC", False, {"time": None})

    def test_without_cpu_it_is_qemus_default(self) -> None:
        assert guest("-machine pc").cpu == "qemu64"

    @pytest.mark.parametrize(
        ("words", "doubt"),
        [
            ("-readconfig vm.cfg -cpu host", "-readconfig vm.cfg was not read"),
            ("-cpu host,$FLAGS", "what a shell puts for host,$FLAGS is not known"),
            ("qemu $ARGS -m 4G", "what a shell puts for $ARGS is not known"),
            ('-m 4G "$@"', "what a shell puts for $@ is not known"),
            ("-cpu host,hv-new=on", "hvctl does not know the QEMU property hv-new"),
            ("-cpu host -global cpu.hv-new=on -global cpu.hv-new=off", "hvctl does not know the QEMU property hv-new"),
        ],
    )
    def test_what_is_not_read_is_a_doubt(self, words: str, doubt: str) -> None:
        assert guest(words).doubts == (doubt,)

    def test_what_is_no_expansion_is_no_doubt(self) -> None:
        assert guest("-cpu 'host,hv_vendor_id=a$b' -drive file=$DISK").doubts == ()
        assert guest("-cpu\0host,hv_vendor_id=a$b\0").doubts == ()

    def test_a_text_without_options(self) -> None:
        assert message("make disk.img") == "cmd: this is no QEMU command line: it has no option"
        assert "no option" in message("")
        assert guest("qemu-system-x86_64 disk.img").cpu == "qemu64"


class TestCpu:
    """What QEMU makes of a -cpu value, where the real one is not asked below: what it calls a feature, and places."""

    def test_what_is_neither_an_enlightenment_nor_a_field(self) -> None:
        found = guest("-cpu host,+svm,-avx,pmu=off,phys-bits=40,model-id=on-a-day,check,hv_new=7,invtsc=yes")
        assert dict(found.features) == {"svm": True, "avx": False, "pmu": False, "invtsc": True}
        assert dict(found.properties) == {"phys-bits": "40", "model-id": "on-a-day", "hv-new": "7"}

    @pytest.mark.parametrize(
        ("value", "hertz"),
        [
            ("tsc-frequency=2500000000", 2_500_000_000),
            ("tsc-frequency=0", None),
            ("tsc-frequency=999", None),
            ("tsc_freq=2.5G", 2_500_000_000),
            ("tsc-freq=1G,tsc-frequency=2000000000", 2_000_000_000),
            ("tsc-frequency=2000000000,tsc-freq=1G", 1_000_000_000),
        ],
    )
    def test_frequencies(self, value: str, hertz: int | None) -> None:
        assert guest(f"-cpu host,{value}").tsc_frequency == hertz

    def test_all_problems_are_told_with_their_places(self) -> None:
        with pytest.raises(InputError) as caught:
            guest("qemu -cpu host,hv_time=maybe,+hv_relaxed \\\n -global cpu.hv-synic=x -global nonsense")
        places = [(problem.message, problem.span and problem.span[1:3]) for problem in caught.value.problems]
        assert places == [
            ("hv-time=maybe: a switch is on or off", (1, 16)),
            ("QEMU knows no property hv_relaxed", (1, 30)),
            ("hv-synic=x: a switch is on or off", (2, 10)),
            ("-global nonsense: it is written driver.property=value", (2, 33)),
        ]

    def test_a_value_alone(self) -> None:
        found = read_cpu(" host,hv_relaxed,hv_vendor_id=a b \n", "c")
        assert (found.cpu, found.enabled()) == ("host", {"relaxed": None, "vendor-id": "a b"})
        assert found.span(found.settings["relaxed"].where)[1:3] == (1, 7)

    @pytest.mark.parametrize("value", ["", ",hv_relaxed", "qemu64,migratable=on", "host,tsc-freq=x", "host,kvm=0"])
    def test_refused(self, value: str) -> None:
        assert message(f"-cpu '{value}'")


TEXTS = st.lists(
    st.sampled_from(
        [
            *(
                f"-{name} "
                for name in ("cpu", "machine", "M", "accel", "global", "enable-kvm", "readconfig", "S", "-cpu")
            ),
            *(
                "host",
                "max,",
                "hv-",
                "hv_time",
                "+",
                "-",
                ",",
                "=",
                "on",
                "0x",
                "'",
                '"',
                "\\",
                " ",
                "\n",
                "\0",
                "$a",
                "#",
            ),
            *("x86_64-cpu.", "driver=", "property=hv-time", "tsc-freq=", "kvm=off", "ä", "\U0001f600", "\x1b"),
        ]
    ),
    max_size=15,
).map("".join)


@given(TEXTS)
def test_any_text_is_read_or_explained(text: str) -> None:
    for read in (read_command_line, read_cpu):
        try:
            found = read(text, "cmd")
        except InputError as error:
            render_error(error, False)
        else:
            for setting in found.settings.values():
                assert found.span(setting.where).path == "cmd"


@functools.cache
def qemu_has() -> frozenset[str]:
    """The machines and CPU properties of the installed QEMU: newer ones lose some."""
    machines, properties, _ = qmp(
        {"execute": "query-machines"},
        {"execute": "device-list-properties", "arguments": {"typename": "max-x86_64-cpu"}},
    )
    return frozenset(entry["name"] for entry in machines + properties)


class Lines:
    """Random command lines of what concerns enlightenments, right ones and wrong ones."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        # QEMU 7.2 refuses vpindex with TCG.
        properties = qemu_has() - {"hv-vpindex"}
        self.properties = [known for row in ROWS for known in row.properties if known.name in properties]
        self.machines = [name for name in MACHINES if name in qemu_has()]

    def line(self) -> list[str]:
        pick = self.random
        machine = pick.choice(self.machines)
        model = pick.choice(["max", "max", "qemu64", "EPYC"])
        features = [self.feature() for _ in range(pick.randrange(7))]
        before, behind = ([*self.globals(model)] for _ in "ab")
        return ["-machine", machine, *before, "-cpu", ",".join([model, *features]), *behind]

    def feature(self) -> str:
        pick = self.random
        known = pick.choice(self.properties)
        name = pick.choice([known.name, known.name.replace("-", "_")])
        if known.name == "hv-avic":
            name = pick.choice([name, "hv-apicv"])
        kind = pick.random()
        if kind < 0.12:
            return pick.choice("+-") + (name if pick.random() < 0.1 else known.name)
        if kind < 0.2:
            return name
        if kind < 0.25:
            others = [
                "tsc-frequency=2500000000",
                "tsc-freq=2.5G",
                "tsc_freq=2M",
                "tsc-frequency=999",
                "kvm=off",
                "check",
            ]
            return pick.choice([*others, "tsc-frequency=0x9502F900", "tsc-freq=1.5", "migratable=off"])
        return f"{name}={self.value(known.type)}"

    def globals(self, model: str) -> Iterator[str]:
        pick = self.random
        for _ in range(pick.choice([0, 0, 1, 2])):
            known = pick.choice(self.properties)
            driver = pick.choice([f"{model}-x86_64-cpu", "x86_64-cpu", "cpu", "qemu32-x86_64-cpu"])
            name = known.name if pick.random() < 0.95 else known.name.replace("-", "_")
            value = self.value(known.type)
            yield "-global"
            written = f"driver={driver},property={name},value={value}"
            yield f"{driver}.{name}={value}" if pick.random() < 0.7 else written

    def value(self, kind: str) -> str:
        pick = self.random
        if pick.random() < 0.03:
            return pick.choice(["", "ON", "1", "maybe", "on=on", "Off"])
        if kind == "bool":
            return pick.choice(["on", "off", "yes", "no", "true", "false", "y", "n"])
        if kind == "OnOffAuto":
            return pick.choice(["on", "off", "auto"])
        if kind == "string":
            return pick.choice(["Microsoft Hv", "KVMKVMKVM", "a b", "", "abcdefghijklmnop", "it's", "a$b"])
        return self.number()

    def number(self) -> str:
        pick = self.random
        size = pick.choice([0, 1, 4095, 8191, 255, 255, 65535, (1 << 32) - 1, pick.randrange(1 << 32)])
        if pick.random() < 0.05:
            size = pick.choice([256, 65536, 1 << 31, 1 << 32, (1 << 64) - 1])
        form = pick.choice(["{}", "{:#x}", "0{:o}", "0X{:X}"])
        if pick.random() < 0.05:
            form = pick.choice(["+{}", " {}", "-{}", "{} ", "{}k", "0b{:b}", "0o{:o}", "1_{}", "{}.0"])
        return form.format(size)


def start(words: Sequence[str], folder: Path) -> Guest | str:
    """The guest of a real QEMU that was started with these words, or what it says and ends."""
    path = folder / "qmp"
    path.unlink(missing_ok=True)
    argv = (QEMU, *("-accel", "tcg", "-nodefaults", "-no-user-config", "-display", "none", "-S", "-m", "16"), *words)
    process = subprocess.Popen([*argv, "-qmp", f"unix:{path},server=on,wait=off"], stderr=subprocess.PIPE, text=True)
    try:
        while True:
            try:
                return read_running(str(path), limit=30)
            except HostError:
                # Either it does not listen yet, or it ends.
                if process.poll() is not None:
                    assert process.stderr
                    return process.stderr.read()
                time.sleep(0.005)
    finally:
        process.kill()
        process.communicate()


def unclear(found: Guest) -> bool:
    """Whether only some QEMUs take it."""
    return any(one.kind == "unclear" for one in found.mistakes)


def known(found: Guest) -> dict[str, Any]:
    """What a running QEMU tells and its command line too; QEMU counts the TSC in kHz."""
    doubts = () if unclear(found) else found.doubts
    fields = facts(found, "settings", "features", "properties", "accelerator") | {"doubts": doubts}
    # All others are in effect only beside one of these.
    found = found.replace(settings={**found.settings, "relaxed": setting("relaxed")})
    values = in_effect(found)
    return fields | {"values": values, "tsc_frequency": (found.tsc_frequency or 0) // 1000}


def test_the_real_qemu_reads_the_same(tmp_path: Path) -> None:
    """As many as there is time for; HVCTL_QEMU_SEED and HVCTL_QEMU_SECONDS say otherwise."""
    seed = int(os.environ.get("HVCTL_QEMU_SEED") or random.randrange(1 << 32))
    lines = Lines(seed)
    end = time.monotonic() + float(os.environ.get("HVCTL_QEMU_SECONDS") or SECONDS)
    started = refused = 0
    while time.monotonic() < end:
        words = lines.line()
        real = start(words, tmp_path)
        try:
            mine: Guest | str = guest(shlex.join(words))
        except InputError as error:
            mine = str(error)
        about = f"HVCTL_QEMU_SEED={seed}: {shlex.join(words)}\nQEMU: {real}\nhvctl: {mine}"
        assert isinstance(real, str) == (isinstance(mine, str) or (unclear(mine) and not C23)), about
        refused += isinstance(real, str)
        if isinstance(real, Guest) and isinstance(mine, Guest):
            started += 1
            assert known(real) == known(mine), about
    assert started, f"HVCTL_QEMU_SEED={seed}: no QEMU started, {refused} refused"


REAL = [
    "-cpu max,hv-spinlocks=0,hv-version-id-major=0",  # 0 is a value
    "-cpu max,hv-vendor-id=",
    "-cpu max,+hv-time,hv-time=off,-hv-synic,+hv-synic",  # a sign comes last, and minus after plus
    "-cpu max,hv-time=ON,hv-time=on",  # refused, though it does not last
    "-cpu max,+hv-vendor-id",
    "-cpu max,+hv_relaxed",
    "-cpu max,=on",
    "-cpu ,hv-relaxed",
    "-cpu max,,hv-relaxed,",
    "-cpu qemu64,migratable=off",
    "-cpu max -global cpu.hv-time=on -global max-x86_64-cpu.hv-time=off",
    "-cpu max -global cpu.hv_time=on",
    "-cpu max -global driver=cpu,property=hv-vendor-id,value=a,,b",
    "-cpu max -global cpu.hv-vendor-id=a,,b",
    "-cpu max -global cpu.hv-relaxed",
    "-cpu max -global driver=cpu,property=hv-relaxed",
    "-cpu max,hv-version-id-snumber=0xffffffff,x-hv-max-vps=-5",
    "-cpu max,hv-spinlocks=0b111,hv-version-id-build=0B0",
    "-cpu max,tsc-frequency=0b11111111111111111111 -global cpu.hv-version-id-major=-0b0",
    "-cpu max -machine pc-q35-3.0 -machine type=pc-q35-7.2,smm=off",
    "-cpu max -machine pc-q35-3.0",
    "-cpu max,x-hv-synic-kvm-only=off -machine pc-q35-3.0",
]


@pytest.mark.parametrize("line", REAL)
def test_what_the_real_qemu_makes_of_it(line: str, tmp_path: Path) -> None:
    machine = [] if "-machine" in line else ["-machine", "pc-q35-7.2"]
    if "pc-q35-3.0" in line and "pc-q35-3.0" not in qemu_has():
        pytest.skip("this QEMU has no machine so old")
    words = [*machine, *shlex.split(line)]
    real = start(words, tmp_path)
    if isinstance(real, str) and not ("0b" in line and not C23):
        assert message(shlex.join(words)), real
        return
    mine = guest(shlex.join(words))
    assert unclear(mine) == ("0b" in line)
    if isinstance(real, Guest):
        assert known(real) == known(mine)


@pytest.mark.parametrize(
    ("text", "cpu", "accelerator"),
    [
        ("(qemu-system-x86_64 -cpu host -accel kvm)", "host", "kvm"),
        ("/usr/bin/kvm-spice -cpu host", "host", "kvm"),
        ("\ufeffqemu-system-x86_64 -cpu host -accel kvm", "host", "kvm"),
        ("QEMU=/usr/bin/qemu-system-x86_64\n$QEMU -enable-kvm -cpu host\n", "host", "kvm"),
        ('rem a "quote\r\n:: qemu-system-x86_64 -cpu max\r\n@qemu-system-x86_64 -accel tcg -cpu EPYC', "EPYC", "tcg"),
        ("C:\\qemu\\qemu-system-x86_64.exe -accel whpx -cpu EPYC", "EPYC", "whpx"),
        ("& 'C:\\qemu\\qemu-system-x86_64.exe' `\r\n -accel whpx -cpu EPYC", None, None),
        ("qemu-system-i386 -accel kvm", "qemu32", "kvm"),
    ],
)
def test_scripts(text: str, cpu: str | None, accelerator: str | None) -> None:
    (found,) = read_command_lines(text, "x")
    if cpu is None:
        assert found.unknown["options"]  # PowerShell's lines are not joined, and that is not hidden
    assert (found.cpu, found.accelerator) == (cpu, accelerator)


def test_a_global_of_the_other_architecture_does_not_reach_the_cpu() -> None:
    words = "-global qemu32-i386-cpu.hv-time=on -global qemu32-x86_64-cpu.hv-relaxed=on"
    assert list(enabled(f"qemu-system-i386 {words}")) == ["time"]


@pytest.mark.parametrize("words", ["-smp 4,cores=x", "-smp -1", "-accel kvm,kernel-irqchip=no", "-rtc driftfix=slow"])
def test_words_that_qemu_refuses(words: str) -> None:
    assert message(f"-cpu host {words}")
