"""Supervision of real QEMU processes: signals, ends of all kinds, and nothing left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from hvctl.errors import HostError
from hvctl.run.spawn import started
from hvctl.run.supervise import watch
from tests.run.running import (
    PAUSED,
    QEMU,
    WRAPPERS,
    Supervisor,
    descendants,
    fake_qemu,
    gone,
    qemu_of,
    running,
    wait_for,
    wrapper,
)
from tests.verify import firmware


def run(argv: Sequence[str], say: Callable[[str], None]) -> None:
    with started(argv, stdio=False) as child:
        watch(child, say)


def guest(folder: Path, image: bytes, *more: str) -> tuple[str, ...]:
    """A running guest with this firmware, whose debug console is the file `debug`."""
    (folder / "firmware").write_bytes(image)
    console = ("-debugcon", f"file:{folder / 'debug'}")
    return (*PAUSED[:-1], "-bios", str(folder / "firmware"), *console, *more)


def ready(folder: Path) -> bool:
    """Whether the guest has said that it runs."""
    debug = folder / "debug"
    return debug.exists() and debug.read_bytes().startswith(firmware.READY)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_powers_the_guest_down(tmp_path: Path, number: signal.Signals) -> None:
    with Supervisor(tmp_path, guest(tmp_path, firmware.power_button())) as supervisor:
        wait_for(lambda: ready(tmp_path))
        supervisor.process.send_signal(number)
        assert supervisor.line().startswith("hvctl: asked the guest to power down; ")
        ending = supervisor.ending()
    assert (ending["status"], ending["code"], ending["killed"]) == (0, 0, False)


def test_a_second_signal_ends_a_guest_that_does_not_listen(tmp_path: Path) -> None:
    with Supervisor(tmp_path) as supervisor:
        qemu = qemu_of(supervisor.process.pid)
        supervisor.process.send_signal(signal.SIGINT)
        assert "press Ctrl-C again to end it now" in supervisor.line()
        supervisor.process.send_signal(signal.SIGINT)
        assert supervisor.line() == "hvctl: ending QEMU\n"
        assert supervisor.ending()["status"] == 0
    assert gone(qemu)


def test_the_hang_up_that_comes_with_sigterm_is_not_a_second_wish(tmp_path: Path) -> None:
    with Supervisor(tmp_path, guest(tmp_path, firmware.power_button()), powerdown=60) as supervisor:
        wait_for(lambda: ready(tmp_path))
        supervisor.process.send_signal(signal.SIGTERM)
        supervisor.process.send_signal(signal.SIGHUP)
        assert supervisor.ending()["status"] == 0
        assert "ending QEMU" not in supervisor.line() + supervisor.line()


def test_time_ends_a_guest_that_does_not_listen(tmp_path: Path) -> None:
    with Supervisor(tmp_path, powerdown=0.2) as supervisor:
        qemu_of(supervisor.process.pid)
        supervisor.process.send_signal(signal.SIGTERM)
        assert "asked the guest" in supervisor.line()
        assert supervisor.line() == "hvctl: ending QEMU\n"
        assert supervisor.ending()["status"] == 0


def test_a_qemu_that_does_not_quit_is_killed(tmp_path: Path) -> None:
    with Supervisor(tmp_path, powerdown=0.2, quit_=0.2) as supervisor:
        os.kill(qemu_of(supervisor.process.pid), signal.SIGSTOP)
        supervisor.process.send_signal(signal.SIGTERM)
        ending = supervisor.ending()
    assert (ending["status"], ending["killed"], ending["code"]) == (-signal.SIGKILL, True, 1)
    assert ending["verdict"] == ["QEMU was killed by SIGKILL: hvctl, since it did not quit"]


def test_a_signal_before_qemu_listens_is_not_lost(tmp_path: Path) -> None:
    with Supervisor(tmp_path) as supervisor:
        wait_for(
            lambda: Path(f"/proc/{supervisor.process.pid}/status").read_text().find("SigCgt:\t0000000000000000") < 0
        )
        qemu_of(supervisor.process.pid)
        supervisor.process.send_signal(signal.SIGTERM)
        assert "asked the guest" in supervisor.line()
        supervisor.process.send_signal(signal.SIGTERM)
        assert supervisor.ending()["code"] == 0


def test_a_guest_that_crashes_at_once_is_not_missed(tmp_path: Path) -> None:
    with Supervisor(tmp_path, guest(tmp_path, firmware.pvpanic(), "-device", "pvpanic")) as supervisor:
        ending = supervisor.ending()
        assert supervisor.line() == "hvctl: the guest crashed, and gave no parameters\n"
    assert (ending["status"], ending["code"]) == (0, 1)


def test_kill_9_leaves_no_qemu(tmp_path: Path) -> None:
    with Supervisor(tmp_path) as supervisor:
        qemu = qemu_of(supervisor.process.pid)
        supervisor.process.kill()
        supervisor.process.wait(30)
        wait_for(lambda: gone(qemu))


@pytest.mark.parametrize("name", WRAPPERS)
def test_kill_9_leaves_nothing_of_a_wrapper(tmp_path: Path, name: str) -> None:
    with Supervisor(tmp_path, (wrapper(tmp_path, WRAPPERS[name]), *PAUSED[1:])) as supervisor:
        qemu_of(supervisor.process.pid)
        found = descendants(supervisor.process.pid)
        supervisor.process.kill()
        supervisor.process.wait(30)
        wait_for(lambda: all(gone(pid) for pid in found))


@pytest.mark.parametrize("name", WRAPPERS)
def test_a_wrapper_ends_with_its_qemu(tmp_path: Path, name: str) -> None:
    with Supervisor(tmp_path, (wrapper(tmp_path, WRAPPERS[name]), *PAUSED[1:]), quit_=1) as supervisor:
        qemu_of(supervisor.process.pid)
        found = descendants(supervisor.process.pid)
        supervisor.process.send_signal(signal.SIGTERM)
        assert "asked the guest" in supervisor.line()
        supervisor.process.send_signal(signal.SIGTERM)
        ending = supervisor.ending()
    # The last one sleeps when its QEMU has quit.
    assert ending["status"] == (-signal.SIGKILL if name == "a daemon" else 0)
    assert all(gone(pid) for pid in found)


def test_a_wrapper_that_leaves_its_qemu_is_no_supervision(tmp_path: Path) -> None:
    qemu = wrapper(tmp_path, 'setsid {qemu} "$@" & echo $! >"$(dirname "$0")"/pid; sleep 1')
    with Supervisor(tmp_path, (qemu, *PAUSED[1:])) as supervisor:
        ending = supervisor.ending()
    assert gone(int((tmp_path / "pid").read_text()))
    assert (ending["status"], ending["code"]) == (0, 1)
    (said,) = ending["verdict"]
    assert said.startswith("QEMU still ran when its wrapper ended, and was ended, too: ")


def test_a_daemon_of_a_wrapper_ends_with_qemu_and_is_no_error(tmp_path: Path) -> None:
    daemon = tmp_path / "pid"
    qemu = wrapper(tmp_path, f'setsid sleep 600 & echo $! >{daemon}; exec {{qemu}} "$@"')
    with Supervisor(tmp_path, (qemu, *PAUSED[1:])) as supervisor:
        qemu_of(supervisor.process.pid)
        supervisor.process.send_signal(signal.SIGTERM)
        assert "asked the guest" in supervisor.line()
        supervisor.process.send_signal(signal.SIGTERM)
        ending = supervisor.ending()
    assert (ending["status"], ending["code"], ending["verdict"]) == (0, 0, [])
    assert gone(int(daemon.read_text()))


@pytest.mark.parametrize("end", ["exit 7", "kill -SEGV $$"])
def test_the_end_of_a_wrapper_is_told(tmp_path: Path, end: str) -> None:
    with Supervisor(tmp_path, (wrapper(tmp_path, end),)) as supervisor:
        assert supervisor.ending()["status"] == (7 if end == "exit 7" else -signal.SIGSEGV)


def test_a_killed_watcher_takes_qemu_with_it(tmp_path: Path) -> None:
    with Supervisor(tmp_path) as supervisor:
        qemu = qemu_of(supervisor.process.pid)
        (watcher,) = (pid for pid in descendants(supervisor.process.pid) if pid != qemu)
        os.kill(watcher, signal.SIGKILL)
        assert supervisor.ending()["status"] == -signal.SIGKILL
        wait_for(lambda: gone(qemu))


def test_events_cost_no_memory(tmp_path: Path) -> None:
    fake = fake_qemu(tmp_path, "events")
    with Supervisor(tmp_path, (fake,)) as supervisor:
        wait_for(lambda: running(supervisor.process.pid, fake))
        supervisor.process.send_signal(signal.SIGTERM)
        assert "asked the guest" in supervisor.line()
        supervisor.process.send_signal(signal.SIGTERM)
        ending = supervisor.ending(100)
    assert ending["status"] == 0
    assert ending["peak"] < 60


@pytest.mark.parametrize("lie", ["panics-without-end", "events-without-end", "other-ids", "complains-without-end"])
def test_a_qemu_that_talks_without_end_can_be_ended(tmp_path: Path, lie: str) -> None:
    fake = fake_qemu(tmp_path, lie)
    with Supervisor(tmp_path, (fake,), quit_=1, stderr=subprocess.DEVNULL) as supervisor:
        found = wait_for(lambda: running(supervisor.process.pid, fake))
        time.sleep(2)  # of its talk
        supervisor.process.send_signal(signal.SIGTERM)
        supervisor.process.send_signal(signal.SIGHUP)
        supervisor.process.send_signal(signal.SIGINT)
        ending = supervisor.ending()
    assert ending["status"] == -signal.SIGKILL
    assert ending["crashes"] == (100 if lie == "panics-without-end" else 0)
    assert ending["peak"] < 60
    assert all(gone(pid) for pid in found)


@pytest.mark.parametrize("lie", ["ids-are-lists", "events-are-lists"])
def test_messages_of_odd_types_are_passed_over(tmp_path: Path, lie: str) -> None:
    fake = fake_qemu(tmp_path, lie)
    with Supervisor(tmp_path, (fake,)) as supervisor:
        wait_for(lambda: running(supervisor.process.pid, fake))
        supervisor.process.send_signal(signal.SIGTERM)
        assert "asked the guest" in supervisor.line()
        supervisor.process.send_signal(signal.SIGTERM)
        assert supervisor.ending()["status"] == 0


@pytest.mark.parametrize("lie", ["bytes", "list", "digits", "deep", "wide", "long-line"])
def test_what_is_no_message_ends_the_connection(tmp_path: Path, lie: str) -> None:
    with Supervisor(tmp_path, (fake_qemu(tmp_path, lie),), quit_=1) as supervisor:
        closed = "hvctl: QEMU's control connection is closed: it sent something else than QEMU sends\n"
        assert supervisor.line() == closed
        supervisor.process.send_signal(signal.SIGTERM)
        ending = supervisor.ending()
        assert supervisor.line().endswith("is gone, so the guest cannot be asked to power down\n")
    assert ending["status"] == -signal.SIGTERM
    assert ending["peak"] < 60


def test_a_guest_that_kvm_cannot_run_is_told_and_ended_at_once(tmp_path: Path) -> None:
    fake = Path(fake_qemu(tmp_path, "stops-for-good"))
    saying = tmp_path / "saying"
    saying.write_text(f'#!/bin/sh\necho "KVM: entry failed, hardware error 0x7" >&2\nexec "{fake}" "$@"\n')
    saying.chmod(0o755)
    for program, cause in ((fake, "an internal error"), (saying, "KVM: entry failed, hardware error 0x7")):
        with Supervisor(tmp_path, (str(program),)) as supervisor:
            if program == saying:
                assert supervisor.line() == f"{cause}\n"
            assert supervisor.line() == f"hvctl: KVM could not run the guest any further: {cause}\n"
            assert "dump_invalid_vmcs" in supervisor.line()
            assert supervisor.line() == "hvctl: ending QEMU\n"
            ending = supervisor.ending()
        assert (ending["status"], ending["code"]) == (0, 3)


def test_a_guest_that_is_only_paused_is_no_failure(tmp_path: Path) -> None:
    image = guest(tmp_path, firmware.pvpanic(), "-device", "pvpanic", "-action", "panic=pause")
    with Supervisor(tmp_path, image) as supervisor:
        assert supervisor.line() == "hvctl: the guest crashed, and gave no parameters\n"
        supervisor.process.send_signal(signal.SIGTERM)
        assert "asked the guest" in supervisor.line()


def test_an_exception_leaves_no_qemu(tmp_path: Path) -> None:
    pids: list[int] = []

    def fail(_line: str) -> None:
        pids.append(qemu_of(os.getpid()))
        raise RuntimeError

    # QEMU warns of an image whose format is not named: that line is what makes it fail.
    (tmp_path / "disk").write_bytes(bytes(65536))
    with pytest.raises(RuntimeError):
        run((*PAUSED, "-drive", f"file={tmp_path / 'disk'},if=virtio"), fail)
    assert pids
    assert all(gone(pid) for pid in pids)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
def test_a_killed_qemu_is_told(tmp_path: Path, number: signal.Signals) -> None:
    with Supervisor(tmp_path) as supervisor:
        os.kill(qemu_of(supervisor.process.pid), number)
        ending = supervisor.ending()
    assert (ending["status"], ending["code"], ending["killed"]) == (-number, 1, False)
    assert ending["verdict"][0].startswith(f"QEMU was killed by {number.name}: ")


def test_a_refusal_is_shown_and_kept(tmp_path: Path) -> None:
    with Supervisor(tmp_path, (*PAUSED, "-cpu", "max,hv-nosuch=on")) as supervisor:
        line = supervisor.line()
        ending = supervisor.ending()
    assert line.startswith("qemu-system-x86_64: ")
    assert ending["stderr"] == [line.rstrip("\n")]
    assert (ending["status"], ending["started"], ending["code"]) == (1, False, 1)
    assert ending["verdict"][0] == "QEMU refused to start (exit status 1)"


def test_other_programs_are_not_waited_for(tmp_path: Path) -> None:
    with Supervisor(tmp_path, ("/bin/true",)) as supervisor:
        ending = supervisor.ending()
    assert (ending["status"], ending["started"]) == (0, False)


def test_a_missing_program_is_an_error_of_the_host() -> None:
    with pytest.raises(HostError, match="QEMU was not found"):
        run(("/nonexistent/qemu",), print)


def test_descriptors_of_the_caller_reach_qemu(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        fd = theirs.fileno()
        netdev = ("-netdev", f"socket,id=n,fd={fd}", "-device", "virtio-net,netdev=n")
        with Supervisor(tmp_path, (*PAUSED, *netdev), pass_fds=[fd]) as supervisor:
            qemu = qemu_of(supervisor.process.pid)
            assert os.readlink(f"/proc/{qemu}/fd/{fd}") == f"socket:[{os.fstat(fd).st_ino}]"
            supervisor.process.send_signal(signal.SIGTERM)
            assert "asked the guest" in supervisor.line()


def test_python_ends_with_its_own_signal_handlers() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGTTOU)]
    run((QEMU, "-version"), print)
    after = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGTTOU)]
    assert before == after
