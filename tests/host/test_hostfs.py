"""/proc and /sys, from trees made below a folder."""

from pathlib import Path

import pytest

from hvctl.host.hostfs import read_host_files

CPUINFO = """\
processor\t: 0
vendor_id\t: {vendor}
cpu family\t: 6
model\t\t: 85
model name\t: A processor of a test
stepping\t: 7
flags\t\t: fpu vmx{flags}

processor\t: 1
vendor_id\t: Other
model name\t: the second processor is not looked at
"""


def put(root: Path, **files: str) -> str:
    for name, content in files.items():
        path = root / PLACES[name]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return str(root)


PLACES = {
    "cpuinfo": "proc/cpuinfo",
    "release": "proc/sys/kernel/osrelease",
    "intel_nested": "sys/module/kvm_intel/parameters/nested",
    "intel_apicv": "sys/module/kvm_intel/parameters/enable_apicv",
    "amd_nested": "sys/module/kvm_amd/parameters/nested",
    "amd_avic": "sys/module/kvm_amd/parameters/avic",
    "smt": "sys/devices/system/cpu/smt/control",
    "clocksource": "sys/devices/system/clocksource/clocksource0/current_clocksource",
}


def test_an_empty_root_knows_nothing(tmp_path: Path) -> None:
    files = read_host_files(str(tmp_path))
    assert set(files.hardware) == {None}
    assert files[1:] == (None, None, None)


def test_everything_is_read(tmp_path: Path) -> None:
    root = put(
        tmp_path,
        cpuinfo=CPUINFO.format(vendor="GenuineIntel", flags=""),
        release="6.1.0-1-amd64\n",
        intel_nested="Y\n",
        intel_apicv="N\n",
        smt="forceoff\n",
        clocksource="hpet\n",
    )
    files = read_host_files(root)
    hardware = files.hardware
    assert hardware[:5] == ("intel", "A processor of a test", 6, 85, 7)
    assert (hardware.nested, hardware.apicv, hardware.smt, hardware.clocksource) == (True, False, "forceoff", "hpet")
    assert (files.release, files.module, files.virtual) == ("6.1.0-1-amd64", "kvm_intel", False)


@pytest.mark.parametrize(("text", "value"), [("1", True), ("0", False), ("Y", True), ("N", False), ("?", None)])
def test_switches(tmp_path: Path, text: str, value: bool | None) -> None:
    assert read_host_files(put(tmp_path, amd_nested=f"{text}\n")).hardware.nested is value


def test_the_module_of_the_processor_counts_where_both_are_there(tmp_path: Path) -> None:
    root = put(
        tmp_path,
        cpuinfo=CPUINFO.format(vendor="AuthenticAMD", flags=" hypervisor"),
        intel_nested="N",
        intel_apicv="N",
        amd_nested="1",
        amd_avic="Y",
    )
    files = read_host_files(root)
    assert (files.hardware.vendor, files.hardware.nested, files.hardware.apicv) == ("amd", True, True)
    assert files.module == "kvm_amd"
    assert files.virtual


def test_another_vendor_keeps_its_name_and_uses_the_module_that_is_loaded(tmp_path: Path) -> None:
    root = put(tmp_path, cpuinfo=CPUINFO.format(vendor="HygonGenuine", flags=""), amd_nested="1", amd_avic="N")
    files = read_host_files(root)
    assert (files.hardware.vendor, files.module) == ("HygonGenuine", "kvm_amd")


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00\xff\x1b[31m", b"vendor_id\n" * 100, b"model : -1\nmodel name: \x1b]0;x\x07", b"x" * 1_000_000],
    ids=["empty", "binary", "no values", "escapes", "large"],
)
def test_strange_content_is_harmless(tmp_path: Path, content: bytes) -> None:
    for place in PLACES.values():
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_bytes(content)
    files = read_host_files(str(tmp_path))
    for value in (*files.hardware, files.release):
        assert value is None or (isinstance(value, str) and value.isprintable() and len(value) <= 200)


def test_folders_and_fifos_in_place_of_files(tmp_path: Path) -> None:
    import os

    (tmp_path / "proc/sys/kernel").mkdir(parents=True)
    (tmp_path / "proc/cpuinfo").mkdir()
    os.mkfifo(tmp_path / "proc/sys/kernel/osrelease")
    assert read_host_files(str(tmp_path)).release is None
