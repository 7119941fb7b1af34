"""Running the probe guest: real QEMUs that hang, talk nonsense, die or refuse, each a clear error in time."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hvctl.errors import HostError, HvctlError, RefusedError
from hvctl.model.verification import LARGEST, Observation
from hvctl.verify.probe_run import Ran, observe, refused, start
from tests.made_observation import made_observation, printed, sealed
from tests.paths import ROOT
from tests.run.running import QEMU, WRAPPERS, descendants, gone, qemu_of, qemus, wait_for, wrapper

TCG = (QEMU, "-accel", "tcg", "-machine", "pc", "-cpu", "max")
GOOD = printed(made_observation(()))
_CLI, _HLT, _FOREVER = b"\xfa", b"\xf4", b"\xeb\xfe"
_EXIT = b"\xb0\x10\xe6\xf4" + _FOREVER  # mov al,0x10; out 0xf4,al
_NO_IDT = b"\x66\x31\xc0\x66\x0f\x01\x1e\x00\x00\x0f\x0b"  # xor eax,eax; lidt [0] (zeros); ud2: a triple fault


def firmware(*, says: bytes = b"", again: bool = False, ends: bytes = _EXIT) -> bytes:
    """Real-mode firmware that prints a text, once or without end, and then does something else."""
    where = 0x100
    code = _CLI + b"\xba\x02\x04"  # mov dx,0x402
    loop = b"\xbe" + struct.pack("<H", where) + b"\xb9" + struct.pack("<H", len(says)) + b"\xf3\x2e\x6e"  # cs rep outsb
    code += loop if says else b""
    code += b"\xeb" + struct.pack("b", -len(loop) - 2) if again else ends
    return (code.ljust(where, _HLT) + says).ljust(0xFFF0, _HLT) + b"\xea\x00\x00\x00\xf0".ljust(16, _HLT)


def outcome(image: bytes | None, *words: str, timeout: float = 10.0, argv: tuple[str, ...] = TCG) -> Observation:
    with start([*argv, *words], image) as guest:
        return observe(guest.finish(timeout), timeout)


def failure(image: bytes | None, *words: str, timeout: float = 10.0, argv: tuple[str, ...] = TCG) -> HvctlError:
    begin = time.monotonic()
    with pytest.raises(HvctlError) as caught:
        outcome(image, *words, timeout=timeout, argv=argv)
    # A busy machine may need a moment for QEMU's end.
    assert time.monotonic() - begin < timeout + 5
    return caught.value


def test_a_report_is_read_and_the_exit_status_told() -> None:
    assert outcome(firmware(says=GOOD)).reset is False


def test_a_reset_after_the_report_is_a_result() -> None:
    assert outcome(firmware(says=GOOD, ends=_NO_IDT)).reset is True


def test_a_guest_that_hangs() -> None:
    error = failure(firmware(says=b"hvctl-probe 3\ncpus 1 1\n", ends=_FOREVER), timeout=1.5)
    assert isinstance(error, HostError)
    assert "did not finish within 1.5 s" in error.message
    assert "the last that it printed was: cpus 1 1" in error.message
    assert "--timeout" in error.hint


def test_a_guest_that_never_starts() -> None:
    error = failure(firmware(), "-S", timeout=1.0)
    assert "did not finish within 1 s" in error.message
    assert "it has printed nothing" in error.message


def test_a_guest_that_has_finished_in_a_qemu_that_stays() -> None:
    error = failure(firmware(says=GOOD, ends=_FOREVER), timeout=5.0)
    assert "QEMU did not end within 5 s, though the probe guest has finished" in error.message


@pytest.mark.parametrize(
    ("says", "told"),
    [
        (b"", "printed nothing"),
        (b"SeaBIOS (version 1.16.2-debian-1.16.2-1)\r\n", "something else than a report"),
        (bytes(range(256)) * 8, "something else than a report"),
        (GOOD[:-4], "broke off its report"),
        (GOOD.replace(b"msr", b"mrs", 1), "checksum is wrong"),
        (sealed(["hvctl-probe 3", "cpus 1 1"]), "another number of vCPUs"),
        (sealed(["hvctl-probe 3", "cpus 1 1", "died e 2 8000"]), "died of exception 14"),
    ],
)
def test_a_guest_that_prints_nonsense(says: bytes, told: str) -> None:
    error = failure(firmware(says=says))
    assert isinstance(error, HostError)
    assert told in error.message
    assert all(line.isprintable() for line in error.message.split("\n"))


def test_a_guest_that_prints_without_end_is_stopped_at_once() -> None:
    begin = time.monotonic()
    error = failure(firmware(says=b"hvctl-probe 3\n", again=True), timeout=60)
    assert f"more than {LARGEST} bytes" in error.message
    assert time.monotonic() - begin < 30


def test_control_characters_do_not_reach_the_terminal() -> None:
    error = failure(firmware(says=b"\x1b]0;owned\x07\xff\xe2\x80\xae", ends=_FOREVER), timeout=5.0)
    assert all(line.isprintable() for line in error.message.split("\n"))
    assert r"\x1b]0;owned" in error.message


def test_a_guest_that_resets_before_it_has_reported() -> None:
    error = failure(firmware(says=b"hvctl-probe 3\n", ends=_NO_IDT))
    assert "broke off its report (QEMU's exit status was 0)" in error.message


def test_a_qemu_that_refuses_says_why() -> None:
    error = failure(None, argv=(QEMU, "-accel", "tcg", "-cpu", "nosuch"))
    assert isinstance(error, RefusedError)
    assert "unable to find CPU model 'nosuch'" in error.message
    assert "QEMU refused to start (exit status 1)" in error.message


def test_a_refusal_over_an_enlightenment_is_explained() -> None:
    ran = Ran(b"", 1, ("qemu-system-x86_64: kernel doesn't allow setting HyperV VP_INDEX",), 0.1)
    assert refused(ran)
    with pytest.raises(RefusedError, match="hvctl explain vpindex"):
        observe(ran, 10)


@pytest.mark.parametrize(
    ("log", "crash"),
    [
        (None, None),
        (b"", ()),
        (b"Guest crashed\nHV crash parameters: (0x9f 0x3 0 0 0xffffffffffffffff)\n", (0x9F, 3, 0, 0, (1 << 64) - 1)),
        (b"HV crash parameters: (0x9f 0x3 0)", ()),
        (b"HV crash parameters: (0x9f 0x3 0 0 0x12345678123456781)", ()),
        (b"\xff\0", ()),
    ],
)
def test_what_qemu_notes_of_a_crash(log: bytes | None, crash: tuple[int, ...] | None) -> None:
    assert observe(Ran(GOOD, 0, (), 0.1, log), 10)._replace(reset=None).crash == crash


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_qemu_that_dies(number: signal.Signals) -> None:
    with start([*TCG, "-S"], firmware()) as guest:
        os.kill(qemu_of(os.getpid()), number)
        ran = guest.finish(10)
    with pytest.raises(HostError, match=f"QEMU was killed by {number.name}"):
        observe(ran, 10)


def test_what_is_not_there_cannot_be_started() -> None:
    for path in ("/nonexistent/qemu", "/etc/passwd", "/"):
        with pytest.raises(HostError, match=f"{path} cannot be started"):
            start([path])


def test_what_is_no_qemu() -> None:
    assert "printed nothing (QEMU's exit status was 0)" in failure(None, argv=("/bin/true",)).message
    assert "QEMU refused to start" in failure(None, argv=("/bin/false",)).message


def test_what_a_wrapper_leaves_behind_is_ended_too(tmp_path: Path) -> None:
    script, pid = tmp_path / "qemu", tmp_path / "pid"
    script.write_text(f"#!/bin/sh\nsleep 1000 &\necho $! > {pid}\nexit 0\n")
    script.chmod(0o755)
    # It held the guest's end of the output open.
    assert "printed nothing (QEMU's exit status was 0)" in failure(None, argv=(str(script),)).message
    wait_for(lambda: gone(int(pid.read_text())))


def test_stderr_is_bounded_and_harmless(tmp_path: Path) -> None:
    script = tmp_path / "qemu"
    script.write_text("#!/bin/sh\nprintf '\\033[31mred\\n' >&2\nseq 1000000 >&2\nexit 1\n")
    script.chmod(0o755)
    error = failure(None, argv=(str(script),))
    assert error.message.startswith("\\x1b[31mred\n1\n")
    assert "(and more)" in error.message
    assert len(error.message.splitlines()) < 12


@pytest.mark.parametrize(
    "line",
    [
        "KVM: entry failed, hardware error 0x80000021",
        "KVM internal error. Suberror: 1",
        "error: kvm run failed Bad address",
    ],
)
def test_what_kvm_cannot_run_is_told_at_once(tmp_path: Path, line: str) -> None:
    lines = f"seq 200 >&2; echo '{line}' >&2; echo 'EAX=00000000 EBX=00000000' >&2"
    begin = time.monotonic()
    error = failure(None, argv=(wrapper(tmp_path, f"{lines}; exec sleep 600"),), timeout=300)
    assert time.monotonic() - begin < 60
    assert isinstance(error, HostError)
    assert error.message.startswith("KVM cannot run the probe guest any further, ")
    assert error.message.endswith(f": {line}")


@pytest.mark.parametrize("flood", ["exec yes >&2", r"exec tr '\000' x </dev/zero >&2"])
def test_complaints_without_end_are_given_up_in_time(tmp_path: Path, flood: str) -> None:
    error = failure(None, argv=(wrapper(tmp_path, flood),), timeout=1)
    assert "did not finish within 1 s" in error.message
    assert len(error.message) < 10_000


@pytest.mark.parametrize("name", WRAPPERS)
def test_kill_9_of_hvctl_leaves_nothing_of_a_wrapper(tmp_path: Path, name: str) -> None:
    argv = [wrapper(tmp_path, WRAPPERS[name]), *TCG[1:], "-S"]
    with subprocess.Popen(
        [sys.executable, "-c", f"from hvctl.verify.probe_run import start; start({argv!r}).finish(100)"], cwd=ROOT
    ) as process:
        qemu_of(process.pid)
        found = descendants(process.pid)
        process.kill()
        wait_for(lambda: all(gone(pid) for pid in found))


@pytest.mark.parametrize("name", WRAPPERS)
def test_the_time_that_is_over_leaves_nothing_of_a_wrapper(tmp_path: Path, name: str) -> None:
    before = descendants(os.getpid())  # the testbed's machines
    with start([wrapper(tmp_path, WRAPPERS[name]), *TCG[1:], "-S"]) as guest:
        wait_for(lambda: [pid for pid in qemus(os.getpid()) if int(pid) not in map(int, before)])
        found = set(descendants(os.getpid())) - set(before)
        assert guest.finish(0).status is None
    assert all(gone(pid) for pid in found)


def test_kill_9_of_hvctl_leaves_no_qemu() -> None:
    code = f"from hvctl.verify.probe_run import start; start({[*TCG, '-S']!r}).finish(100)"
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) as process:
        qemu = qemu_of(process.pid)
        process.kill()
        wait_for(lambda: gone(qemu))


def interrupted() -> None:
    with start([*TCG, "-S"], firmware()):
        raise KeyboardInterrupt


def test_an_exception_leaves_no_qemu() -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not qemus(os.getpid())
