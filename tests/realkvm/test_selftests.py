"""KVM's own selftests for Hyper-V: whether the worlds are what hvctl's tests believe them to be."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.testbed.selftests import PROGRAMS
from tests.testbed.world import SELFTESTS

# kselftest's exit code of a test that needs what is not there.
SKIPPED = 4
# Of the world: an emulated Intel processor takes four times as long.
SECONDS = 30
NO_SVM = "it is about AMD's SVM"
NO_EVMCS = "only Intel's VMX has it"
ONE_CPU = "it wants a receiver to run at the same time as the sender, and the world has one CPU"
# What does not pass: the exit code, and its cause.
EXPECTED = {("intel", "hyperv_svm_test"): (SKIPPED, NO_SVM), ("amd", "hyperv_evmcs"): (SKIPPED, NO_EVMCS)}


@pytest.mark.selftests
@pytest.mark.world("amd", "intel")
@pytest.mark.parametrize("program", PROGRAMS)
def test_what_kvms_own_selftest_says(program: str, testbed_world: str, note: Callable[[str], None]) -> None:
    path = Path(SELFTESTS) / program
    if not path.exists():
        note(f"{program}: the source of this kernel does not have it")
        return
    kind = "intel" if "intel" in testbed_world else "amd"
    code, cause = EXPECTED.get((kind, program), (0, ""))
    done = subprocess.run([str(path)], capture_output=True, text=True, timeout=SECONDS, check=False)
    note(f"{program}: {done.returncode}{f', since {cause}' if cause else ''}")
    assert done.returncode == code, done.stdout[-2000:] + done.stderr[-2000:]
