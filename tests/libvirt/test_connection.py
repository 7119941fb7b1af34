"""Each way in which a libvirt can fail has its own sentence, and none makes hvctl wait for ever."""

from __future__ import annotations

import builtins
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import libvirt
import pytest

from hvctl.errors import HostError, RefusedError
from hvctl.libvirt import errors as libvirt_errors
from hvctl.libvirt.connection import Call, connected, is_local
from tests.libvirt.libvirt_server import AUTH_LIST, FRIENDLY, HOSTNAME, LOOKUP_BY_NAME, Act, Answer, Refusal, serving

SOON = 0.5
TEST = "test:///default"


def refused(uri: str, *, seconds: float = SOON) -> HostError:
    with pytest.raises(HostError) as raised, connected(uri, seconds=seconds) as connection:
        connection.domain("win11")
    return raised.value


def test_no_libvirt_python(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: object) -> object:
        if name == "libvirt":
            raise ModuleNotFoundError(name)
        return real(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.delitem(sys.modules, "libvirt")
    monkeypatch.setitem(sys.modules, "libvirt", None)
    libvirt_errors.load.cache_clear()
    try:
        error = refused(TEST)
    finally:
        libvirt_errors.load.cache_clear()
    assert error.message == "libvirt-python is not installed"
    assert "pip install 'hvctl[libvirt]'" in error.hint


def test_no_daemon(tmp_path: Path) -> None:
    error = refused(f"qemu+unix:///system?socket={tmp_path / 'none'}")
    assert "libvirt cannot be reached" in error.message
    assert "No such file or directory" in error.message
    assert "libvirtd or virtqemud" in error.hint


@pytest.mark.parametrize("uri", ["bogus", "/x", "qemu+bogus://x/system", "qemu+ssh://[::1/system"])
def test_a_uri_that_is_none(uri: str) -> None:
    with pytest.raises(HostError, match=r"libvirt cannot be reached: ") as caught, connected(uri):
        pass
    assert caught.value.hint == "write a URI as virsh takes it, as qemu:///system"


def test_a_socket_that_nobody_listens_on(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "sock"))
    assert "libvirt cannot be reached" in refused(f"qemu+unix:///system?socket={tmp_path / 'sock'}").message


@pytest.mark.skipif(os.geteuid() != 0, reason="another user's socket is made by root")
def test_a_socket_of_others(tmp_path: Path) -> None:
    script = f"""
import os, socket
folder = {str(tmp_path)!r}
socket.socket(socket.AF_UNIX).bind(folder + "/sock")
os.chmod(folder + "/sock", 0o700)
for path in (folder, os.path.dirname(folder), os.path.dirname(os.path.dirname(folder))):
    os.chmod(path, 0o755)
from hvctl.cli import run
from hvctl.libvirt.connection import connected
from hvctl.errors import HostError
import libvirt
os.setuid(65534)
try:
    with connected("qemu+unix:///system?socket=" + folder + "/sock"):
        pass
except HostError as error:
    print(error.message, error.hint, sep="|")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True, cwd=Path.cwd()
    )
    message, _, hint = done.stdout.partition("|")
    assert "access was refused" in message
    assert "Permission denied" in message
    assert "group libvirt" in hint


def test_a_daemon_that_never_answers(tmp_path: Path) -> None:
    with serving(tmp_path, {}) as uri:
        start = time.monotonic()
        error = refused(uri)
    assert time.monotonic() - start < 5
    assert error.message == f"{uri}: no answer within 0.5 s: the connection"
    assert "--timeout" in error.hint


def test_a_daemon_that_stops_answering(tmp_path: Path) -> None:
    with serving(tmp_path, FRIENDLY) as uri:
        start = time.monotonic()
        error = refused(uri)
    assert time.monotonic() - start < 5
    assert error.message == f"{uri}: no answer within 0.5 s: the domain win11"


def test_a_daemon_that_hangs_up_at_once(tmp_path: Path) -> None:
    with serving(tmp_path, {AUTH_LIST: Act.HANG_UP}) as uri:
        assert "libvirt cannot be reached" in refused(uri, seconds=10).message


def test_a_connection_that_is_lost_midway(tmp_path: Path) -> None:
    with serving(tmp_path, {**FRIENDLY, LOOKUP_BY_NAME: Act.HANG_UP}) as uri:
        error = refused(uri, seconds=10)
    assert error.message.startswith(f"{uri}: the connection was lost: the domain win11: ")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (libvirt.VIR_ERR_AUTH_FAILED, "access was refused"),
        (libvirt.VIR_ERR_AUTH_CANCELLED, "access was refused"),
        (libvirt.VIR_ERR_AUTH_UNAVAILABLE, "access was refused"),
        (libvirt.VIR_ERR_ACCESS_DENIED, "access was refused"),
        (libvirt.VIR_ERR_INTERNAL_ERROR, "libvirt cannot be reached"),
    ],
)
def test_a_refused_authentication(tmp_path: Path, code: int, message: str) -> None:
    with serving(tmp_path, {AUTH_LIST: Refusal(code, "authentication failed: no way")}) as uri:
        error = refused(uri, seconds=10)
    assert error.message.startswith(f"{uri}: {message}: ")
    assert "no way" in error.message


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Refusal(libvirt.VIR_ERR_NO_DOMAIN, "Domain not found"), "has no domain win11"),
        (Refusal(libvirt.VIR_ERR_ACCESS_DENIED, "denied"), "access was refused: the domain win11: "),
        (Refusal(libvirt.VIR_ERR_INTERNAL_ERROR, "a\x1b[31m\nb"), "the domain win11: a\\x1b[31m b"),
    ],
)
def test_what_a_daemon_says_no_to(tmp_path: Path, answer: Answer, message: str) -> None:
    with serving(tmp_path, {**FRIENDLY, LOOKUP_BY_NAME: answer}) as uri:
        assert message in refused(uri, seconds=10).message


def test_a_no_can_be_a_refusal_of_hvctls(tmp_path: Path) -> None:
    with (
        serving(tmp_path, {**FRIENDLY, HOSTNAME: Refusal(libvirt.VIR_ERR_CONFIG_UNSUPPORTED, "such things")}) as uri,
        connected(uri) as connection,
        pytest.raises(RefusedError, match=r"^libvirt does not want it: .*such things"),
    ):
        connection.ask("that", lambda _: connection.handle.getHostname(), refusal="libvirt does not want it")


def test_libvirt_prints_nothing_itself(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    refused(f"qemu+unix:///system?socket={tmp_path / 'none'}")
    with connected(TEST) as connection, pytest.raises(HostError):
        connection.domain("nosuch")
    assert capfd.readouterr() == ("", "")


def test_a_process_ends_though_a_call_hangs(tmp_path: Path) -> None:
    with serving(tmp_path, FRIENDLY) as uri:
        command = [sys.executable, "-m", "hvctl", "show", "--connect", uri, "--timeout", "0.5"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 3
    assert " ".join(done.stderr.split()).startswith(f"error: {uri}: no answer within 0.5 s: ")
    assert "Traceback" not in done.stderr


def test_many_steps_may_take_longer_than_one() -> None:
    def work(step: object) -> str:
        assert callable(step)
        for _ in range(6):
            time.sleep(0.1)
            step()
        return "done"

    assert Call(work).wait(0.3) == "done"
    with pytest.raises(TimeoutError):
        Call(lambda _: time.sleep(5)).wait(0.1)


@pytest.mark.parametrize(
    ("uri", "local"),
    [
        ("qemu:///system", True),
        ("qemu:///session", True),
        ("qemu+unix:///system?socket=/x", True),
        ("test:///default", True),
        ("qemu+ssh://root@node2/system", False),
        ("qemu+tls://node2/system", False),
        ("qemu://node2/system", False),
    ],
)
def test_which_uris_mean_this_machine(uri: str, local: bool) -> None:
    assert is_local(uri) is local


def test_domains_of_the_test_driver() -> None:
    with connected(TEST) as connection:
        (domain,) = connection.domains()
        assert (domain.name, domain.running) == ("test", True)
        assert connection.domain("test").uuid == domain.uuid
        assert "<name>test</name>" in connection.xml(domain)
        assert connection.xmls([domain]) == [connection.xml(domain)]
        assert " id='1'" not in connection.xml(domain, definition=True)


def test_a_domain_by_its_uuid() -> None:
    with connected(TEST) as connection:
        (known,) = connection.domains()
        assert connection.domain(known.uuid).name == known.name
        assert connection.domain(known.uuid.upper()).uuid == known.uuid
        other = f"{'0' * 8}{known.uuid[8:]}"
        with pytest.raises(HostError, match=f"{TEST} has no domain {other}"):
            connection.domain(other)


def test_a_domain_that_goes_meanwhile_is_left_out() -> None:
    with connected(TEST, write=True) as connection:
        domain = connection.domain("test")
        domain.handle.destroy()
        domain.handle.undefine()
        assert connection.domains() == []
        assert connection.xmls([domain]) == [None]
