"""The probe guest's image: that it is what its sources say, small, and runs on every CPU that QEMU has."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from hvctl import probe_guest as probe
from hvctl.bench.compare import mask
from hvctl.bench.measuring import read_boot
from hvctl.catalog import ROWS
from hvctl.errors import HostError
from hvctl.model.verification import Observation
from hvctl.verify.probe_run import finished, observe, start
from tests.made_observation import LEAVES
from tests.realkvm.migration_guest import HYPERVISOR
from tests.run.running import QEMU
from tests.verify.firmware import other_evmcs_version

SOURCES = Path(probe.__file__).parent
IMAGES = (probe.IMAGE, probe.BENCH)
LARGEST = 16 * 1024
# Debian 12's packages gcc and binutils: the code that another compiler makes is another.
TOOLS = {"gcc": "12.2", "ld": "2.40"}


def version(tool: str) -> str:
    """`12.2`: the last thing in the first line that looks like one; empty where there is no such tool."""
    if not shutil.which(tool):
        return ""
    said = subprocess.run([tool, "--version"], capture_output=True, text=True, check=True, timeout=30).stdout
    return str(re.findall(r"\b(\d+\.\d+)(?:\.\d+)?\b", said.splitlines()[0])[-1])


def run(*words: str, image: bytes | None = None, timeout: float = 60.0) -> Observation:
    with start([QEMU, "-accel", "tcg", *words], image) as guest:
        return observe(guest.finish(timeout), timeout)


def make(folder: Path, *words: str, sources: Path = SOURCES) -> Path:
    """The images made anew in a folder, by the compiler that is here."""
    done = subprocess.run(
        ["make", "-C", str(sources), f"OUT={folder}", *words], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The images as they are shipped."""
    return make(tmp_path_factory.mktemp("built"))


def test_the_images_are_what_their_sources_make(built: Path) -> None:
    """Byte for byte where the compiler is the one they were made with."""
    same = {tool: version(tool) for tool in TOOLS} == TOOLS
    for image in IMAGES:
        made, shipped = (built / image).read_bytes(), (SOURCES / image).read_bytes()
        assert made == shipped or not same, "run `make -C hvctl/probe_guest`"
        assert len(made) <= LARGEST


def test_another_version_of_the_evmcs_is_what_the_sources_make_of_it(built: Path, tmp_path: Path) -> None:
    other = (make(tmp_path, "DEFINES=-DEVMCS_VERSION=2") / probe.IMAGE).read_bytes()
    same = {tool: version(tool) for tool in TOOLS} == TOOLS
    assert other == other_evmcs_version((built / probe.IMAGE).read_bytes()) or not same
    assert other_evmcs_version(probe.firmware())


def test_the_hypervisor_that_tests_move_is_what_its_sources_make(tmp_path: Path) -> None:
    made = (make(tmp_path, sources=HYPERVISOR.parent) / HYPERVISOR.name).read_bytes()
    same = {tool: version(tool) for tool in TOOLS} == TOOLS
    assert made == HYPERVISOR.read_bytes() or not same, f"run `make -C {HYPERVISOR.parent}`"


def test_images_of_any_compiler_work_alike(built: Path) -> None:
    words = ("-machine", "pc", "-cpu", "max", "-smp", "2")
    made = (built / probe.IMAGE).read_bytes().rjust(probe.FIRMWARE_SIZE, b"\0")
    assert run(*words, image=made).vcpus == run(*words).vcpus
    clocks = (built / probe.BENCH).read_bytes().rjust(probe.FIRMWARE_SIZE, b"\0")
    with start([QEMU, "-accel", "tcg", *words], probe.with_parameter(clocks, mask(("clock",)))) as guest:
        measured = finished(guest.finish(60.0), 60.0, read_boot)
    assert len(measured.took) > 2


@pytest.mark.parametrize("image", IMAGES)
def test_it_is_small_and_ends_the_firmware(image: str) -> None:
    content = (SOURCES / image).read_bytes()
    assert len(content) <= LARGEST
    assert probe.firmware(image) == content.rjust(64 * 1024, b"\0")


def test_the_sources_leave_nothing_behind() -> None:
    assert not list(SOURCES.glob("*.o")) + list(SOURCES.glob("*.elf"))


def test_it_looks_at_every_msr_of_the_catalog_and_every_leaf() -> None:
    seen = run("-machine", "pc", "-cpu", "max")
    assert [leaf.leaf for leaf in seen.vcpus[0].leaves] == list(LEAVES)
    wanted = {msr for row in ROWS for first, last in row.msrs for msr in range(first, last + 1)}
    assert {msr for msr in wanted if seen.run(msr) is None} == set()


@pytest.mark.parametrize("machine", ["pc", "q35", "microvm", "isapc"])
def test_it_runs_on_every_machine(machine: str) -> None:
    assert len(run("-machine", machine, "-cpu", "qemu64").vcpus) == 1


@pytest.mark.parametrize("cpu", ["max", "qemu64", "kvm64", "core2duo", "EPYC", "Skylake-Server"])
def test_it_runs_on_64_bit_cpus(cpu: str) -> None:
    assert len(run("-machine", "pc", "-cpu", cpu).vcpus) == 1


@pytest.mark.parametrize("cpu", ["qemu32", "486", "max,lm=off"])
def test_a_cpu_without_64_bit_mode_is_told(cpu: str) -> None:
    with pytest.raises(HostError, match="no 64-bit mode"):
        run("-machine", "pc", "-cpu", cpu)


@pytest.mark.parametrize(
    "smp", ["2", "3", "4,sockets=2,cores=1,threads=2", "5,maxcpus=9", "64"], ids=lambda smp: smp.replace(",", " ")
)
def test_every_vcpu_reports(smp: str) -> None:
    number = int(smp.partition(",")[0])
    seen = run("-machine", "q35", "-cpu", "max", "-smp", smp)
    assert (seen.wanted, len(seen.vcpus)) == (number, number)
    assert len({vcpu.apic_id for vcpu in seen.vcpus}) == number
    assert all(vcpu.leaves == seen.vcpus[0].leaves for vcpu in seen.vcpus)


def test_of_more_than_64_vcpus_64_report() -> None:
    seen = run("-machine", "q35", "-cpu", "max", "-smp", "70")
    assert (seen.wanted, len(seen.vcpus)) == (70, 64)
