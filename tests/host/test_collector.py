"""The collector beside hvctl's own probe: the same machine gives the same facts, and what lies to it does no harm."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hvctl.catalog import ROWS
from hvctl.catalog.kvm import KVM_CAPS
from hvctl.errors import InputError
from hvctl.host.host_file import dump_host, load_host
from hvctl.host.hostfs import read_host_files
from hvctl.host.kvm import ask_kvm
from hvctl.host.libvirt_schema import read_libvirt
from hvctl.host.qemu import probe_qemus
from hvctl.model.host import CpuidLeaf, Host
from tests.host.collector import document, loaded, written
from tests.host.fake_kvm import SYSTEM, FakeInsatiableKvm, FakeKvm, FakeOldKernelKvm, FakeVcpuOnlyKvm
from tests.host.fake_qemu import INSTEAD, LIES
from tests.host.test_hostfs import CPUINFO, put
from tests.paths import COLLECTOR
from tests.test_architecture import COMMON_WORDS

NEW = {"KVM_CAP_HYPERV": 1, "KVM_CAP_HYPERV_CPUID": 1, "KVM_CAP_SYS_HYPERV_CPUID": 1, "KVM_CAP_GET_TSC_KHZ": 1}
FEATURES = CpuidLeaf(0x40000003, 0x2AFF, 0x830, 0, 0x80D12)
FAKE_QEMU = Path(__file__).with_name("fake_qemu.py")
SECONDS = 3


def decoded(**sections: Any) -> Host:
    return load_host(written({**document(), **sections}), "n.json")


def collected_kvm(device: FakeKvm) -> Any:
    """What the collector records of a fake KVM, which knows the catalog's numbers only."""
    module = loaded()
    known = set(KVM_CAPS.values())
    check = module["REQUESTS"]["KVM_CHECK_EXTENSION"]

    def ioctl(descriptor: int, request: int, argument: Any = 0) -> int:
        return 0 if request == check and argument not in known else device.ioctl(descriptor, request, argument)

    names = module["ask_kvm"].__globals__
    names["fcntl"] = SimpleNamespace(ioctl=ioctl)
    names["os"] = SimpleNamespace(**{**vars(os), "open": lambda *_: device.open(), "close": device.close})
    return module["ask_kvm"]()


@pytest.mark.parametrize(
    "make",
    [
        lambda: FakeKvm(NEW, [FEATURES]),
        lambda: FakeKvm(NEW, [CpuidLeaf(0x40000000 + number, eax=number) for number in range(100)]),
        lambda: FakeKvm({"KVM_CAP_GET_TSC_KHZ": 1, "KVM_CAP_TSC_CONTROL": 1}),
        lambda: FakeKvm({**NEW, "KVM_CAP_GET_TSC_KHZ": 0}),
        lambda: FakeKvm(NEW, failing={"KVM_GET_TSC_KHZ": 5}),
        lambda: FakeVcpuOnlyKvm([FEATURES._replace(leaf=0x4000000A)], evmcs=True),
        lambda: FakeVcpuOnlyKvm([FEATURES._replace(leaf=0x4000000A)], evmcs=False),
        lambda: FakeOldKernelKvm({"KVM_CAP_HYPERV_TIME": 1}, range(0x40000000, 0x40000000 + 3000)),
    ],
    ids=["new", "many leaves", "no Hyper-V", "no TSC", "unstable TSC", "vCPU, Intel", "vCPU", "before 5.0"],
)
def test_every_kind_of_kvm_is_asked_as_hvctl_asks_it(make: Callable[[], FakeKvm]) -> None:
    ours = ask_kvm(make())
    theirs = make()
    host = decoded(kvm=collected_kvm(theirs))
    assert host.kvm._replace(release=None)[:3] == ours.kvm[:3]
    assert host.kvm.unseen == ours.kvm.unseen
    assert (host.hardware.tsc_hz, host.hardware.tsc_scaling) == (ours.tsc_hz, ours.tsc_scaling)
    assert theirs.opened == set()


@pytest.mark.parametrize("name", ["KVM_CREATE_VM", "KVM_CREATE_VCPU", "KVM_GET_SUPPORTED_HV_CPUID"])
def test_a_broken_ioctl_is_recorded_and_nothing_stays_open(name: str) -> None:
    device = FakeKvm(NEW, [FEATURES], failing={name: 16})
    kvm = collected_kvm(device)
    assert kvm["error"] == {"call": name, "errno": "EBUSY", "text": "Device or resource busy"}
    assert device.opened == set()


def test_growth_ends() -> None:
    device = FakeInsatiableKvm(NEW)
    assert collected_kvm(device)["error"]["errno"] == "E2BIG"
    assert device.largest < 5_000_000
    assert SYSTEM not in device.opened


@pytest.mark.parametrize("vendor", ["GenuineIntel", "AuthenticAMD", "Other"])
@pytest.mark.parametrize(
    "files",
    [
        {},
        {"intel_nested": "Y\n", "intel_apicv": "N\n", "smt": "forceoff\n", "clocksource": "hpet\n", "release": "6.1\n"},
        {"amd_nested": "1\n", "amd_avic": "0\n", "intel_nested": "0", "smt": "\n\n", "clocksource": "a\x1b b\n"},
    ],
    ids=["nothing", "intel", "both"],
)
def test_proc_and_sys_are_read_as_hvctl_reads_them(vendor: str, files: dict[str, str], tmp_path: Path) -> None:
    root = put(tmp_path, cpuinfo=CPUINFO.format(vendor=vendor, flags=" hypervisor"), **files)
    ours = read_host_files(root)
    host = decoded(files=loaded()["read_files"](root))
    assert host.hardware._replace(tsc_hz=None, tsc_scaling=None) == ours.hardware
    assert host.kvm.release == ours.release
    assert (ours.module or "no module") in dict(host.how)["kvm"] or ours.module is None
    assert bool(host.notes) is ours.virtual


def test_an_empty_root_and_this_machine_s_libvirt() -> None:
    empty = decoded(files=loaded()["read_files"]("/nonexistent"), libvirt=loaded()["read_libvirt"]("/nonexistent"))
    assert (empty.hardware.vendor, empty.kvm.release, empty.libvirt) == (None, None, None)
    assert decoded(libvirt=loaded()["read_libvirt"]("/")).libvirt == read_libvirt("/")


def fake(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{FAKE_QEMU.read_text()}")
    path.chmod(0o755)
    return path


def collected_qemu(path: Path | str) -> Any:
    module = loaded()
    module["ask_qemu"].__globals__["SECONDS"] = SECONDS
    return module["ask_qemu"](str(path))


@pytest.mark.parametrize("name", ["truth", "falls-back-to-tcg", "dies-of-kvm", "no-x86"])
def test_a_qemu_is_asked_as_hvctl_asks_it(name: str, tmp_path: Path) -> None:
    path = fake(tmp_path, name)
    ours = probe_qemus([str(path)])
    host = decoded(qemu=[collected_qemu(path)])
    # No real one lacks the property that turns on all the host has, and so this one alone is not asked for it.
    assert [qemu._replace(passthrough=None) for qemu in host.qemu] == [
        qemu._replace(passthrough=None) for qemu in ours.qemu
    ]
    assert len(host.notes) - 1 == len(ours.notes)
    if name != "no-x86":
        assert host.notes[1:] == ours.notes


ODD = sorted(
    {*LIES, *INSTEAD, "silent", "endless-depth", "hangs-at-machines", "complains-without-end", "dies-at-machines"}
)


@pytest.mark.parametrize("name", ODD)
def test_a_qemu_that_lies_is_recorded_within_bounds_and_refused_or_noted(name: str, tmp_path: Path) -> None:
    path = fake(tmp_path, name)
    begun = time.monotonic()
    record = collected_qemu(path)
    assert time.monotonic() - begun < 2 * SECONDS
    text = written({**document(), "qemu": [record]})
    if len(text) < 1 << 20:
        with contextlib.suppress(InputError):
            host = load_host(text, "n.json")
            assert load_host(dump_host(host), "n.json") == host
    assert not [line for line in children() if str(path) in line], "the fake goes on"


def children() -> list[str]:
    """The command lines of QEMUs that are asked."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [line for line in found if "socket,fd=" in line]


def test_it_ends_with_its_qemu_when_it_is_killed(tmp_path: Path) -> None:
    path = fake(tmp_path, "silent")
    process = subprocess.Popen([sys.executable, str(COLLECTOR), "--qemu", str(path)], stdout=subprocess.DEVNULL)
    end = time.monotonic() + 30
    while not any(str(path) in line for line in children()):
        assert time.monotonic() < end
        time.sleep(0.05)
    process.kill()
    process.wait()
    while any(str(path) in line for line in children()):
        assert time.monotonic() < end
        time.sleep(0.05)


def test_as_a_program_it_prints_one_json_text() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(COLLECTOR), "--no-qemu", "--name", "n"], capture_output=True, check=False
    )
    found = json.loads(done.stdout)
    assert (found["format_version"], found["kind"], found["name"], found["qemu"]) == (1, "raw record", "n", None)
    assert done.returncode == (3 if found["kvm"]["error"] else 0)
    assert bool(done.stderr) is bool(found["kvm"]["error"])
    assert list(found) == ["format_version", "kind", "name", "kvm", "files", "qemu", "libvirt"]


def test_it_can_be_read_in_ten_minutes() -> None:
    lines = COLLECTOR.read_text().splitlines()
    assert len(lines) <= 400
    modules = {
        alias.name
        for node in ast.walk(ast.parse("\n".join(lines)))
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert modules <= sys.stdlib_module_names
    assert not modules & {"http", "urllib", "ssl", "tempfile", "pickle"}


def test_it_knows_no_enlightenment() -> None:
    ids = {row.id for row in ROWS} - COMMON_WORDS
    literals = {
        node.value.strip("-").replace("_", "-")
        for node in ast.walk(ast.parse(COLLECTOR.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert not literals & (ids | {f"hv-{name}" for name in ids})
    assert "hv_" not in COLLECTOR.read_text()


def test_python_3_6_has_all_that_it_uses() -> None:
    words = ["--no-tips", "--violations", "--target=3.6-", str(COLLECTOR)]
    vermin = str(Path(sys.executable).with_name("vermin"))
    done = subprocess.run([vermin, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
