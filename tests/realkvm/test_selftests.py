"""KVM's own selftests for Hyper-V: whether the worlds are what hvctl's tests believe them to be."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.testbed.selftests import PROGRAMS
from tests.testbed.world import SELFTESTS, WORLDS

# kselftest's exit code of a test that needs what is not there.
SKIPPED = 4
SECONDS = 200
# What a program needs of the processor that KVM gives to guests; without it, it skips itself. Nothing may fail.
NEEDS = {"hyperv_svm_test": "svm", "hyperv_evmcs": "vmx", "evmcs_test": "vmx"}
# The source of Linux 6.1 has no others.
OF_LINUX_6_1 = ("evmcs_test", "hyperv_clock", "hyperv_cpuid", "hyperv_features", "hyperv_svm_test")


def nested_feature(world: str) -> str | None:
    """What a guest of this world can run a hypervisor with: the emulated processors all have it, if KVM gives it."""
    processor = WORLDS[world].processor
    if processor is None:
        return "svm"
    return None if "nested=0" in processor.parameters else "vmx"


@pytest.mark.selftests
@pytest.mark.world("amd", "intel")
@pytest.mark.parametrize("program", PROGRAMS)
def test_what_kvms_own_selftest_says(program: str, testbed_world: str, note: Callable[[str], None]) -> None:
    path = Path(SELFTESTS) / program
    old = testbed_world.startswith("debian-12")
    assert path.exists() is (program in OF_LINUX_6_1 if old else program != "evmcs_test")
    if not path.exists():
        note(f"{program}: not in the source of this kernel")
        return
    needed = NEEDS.get(program)
    expected = 0 if needed in (None, nested_feature(testbed_world)) else SKIPPED
    done = subprocess.run([str(path)], capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == expected, done.stdout[-2000:] + done.stderr[-2000:]
    note(f"{program}: {'passed' if expected == 0 else f'skipped, needs {needed}'}")
