"""A running QEMU, asked by QMP: a real one, and sockets that answer what no QEMU answers."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hvctl.catalog import ROWS
from hvctl.errors import HostError
from hvctl.model.guest import Guest
from hvctl.run.running import read_running
from tests.made_guests import facts, made_guest, setting
from tests.paths import ROOT
from tests.run.running import PAUSED, wait_for

Behaviour = Callable[[socket.socket], None]
GREETING = {"QMP": {"version": {"qemu": {"major": 9, "minor": 0, "micro": 0}, "package": ""}, "capabilities": []}}
TRUTH: dict[str, Any] = {
    "qmp_capabilities": {},
    "query-cpus-fast": [{"qom-path": "/cpu"}],
    "qom-list": [
        *({"name": name, "type": "bool"} for name in ("hv-relaxed", "migratable", "kvm", "enforce", "svm", "avx")),
        *({"name": name, "type": "bool"} for name in ("lahf-lm", "lahf_lm", "x-own", "realized")),
        *({"name": name, "type": "int"} for name in ("hv-spinlocks", "tsc-frequency", "phys-bits")),
        {"name": "type", "type": "string"},
        {"name": "memory", "type": "link<memory-region>"},
        {"name": "crash-information", "type": "GuestPanicInformation"},
    ],
    "query-kvm": {"enabled": True, "present": True},
    "query-migrate": {},
}
PROPERTIES: dict[str, Any] = {
    "type": "host-x86_64-cpu",
    "hv-relaxed": True,
    "hv-spinlocks": 8191,
    "migratable": True,
    "kvm": True,
    "enforce": False,
    "tsc-frequency": 2_500_000_000,
    "phys-bits": 40,
    "crash-information": {"a": 1},
    **dict.fromkeys(("svm", "lahf-lm", "lahf_lm", "x-own", "realized"), True),
}


@contextlib.contextmanager
def fake_socket(path: Path, behave: Behaviour) -> Iterator[str]:
    """A unix socket at which each client meets this behaviour."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    clients: list[socket.socket] = []

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                clients.append(listener.accept()[0])
                with contextlib.suppress(OSError):
                    behave(clients[-1])

    thread = threading.Thread(target=serve, name="fake_socket", daemon=True)
    thread.start()
    try:
        yield str(path)
    finally:
        for one in (listener, *clients):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        thread.join(10)


def fake_bytes(data: bytes, *, then: str = "stays") -> Behaviour:
    """Says something, whatever it is asked, and hangs up or stays."""

    def behave(client: socket.socket) -> None:
        client.sendall(data)
        while then == "stays" and client.recv(65536):
            pass
        client.shutdown(socket.SHUT_RDWR)

    return behave


class Reply(dict[str, Any]):
    """A whole reply, instead of what stands under `return`."""


def fake_qemu(answers: dict[str, Any] | None = None, **properties: Any) -> Behaviour:
    """Speaks QMP and lies in some answers; "hang up" is what it does instead of an answer."""
    known = PROPERTIES | {name.replace("_", "-"): value for name, value in properties.items()}

    def answer(request: dict[str, Any]) -> Any:
        command, arguments = request["execute"], request.get("arguments", {})
        if command in (answers or {}):
            return (answers or {})[command]
        if command == "qom-get":
            return "pc-q35-9.0-machine" if arguments["path"] == "/machine" else known.get(arguments["property"], False)
        return TRUTH[command]

    def behave(client: socket.socket) -> None:
        client.sendall(json.dumps(GREETING).encode() + b"\r\n")
        text = ""
        while data := client.recv(65536):
            text += data.decode()
            with contextlib.suppress(ValueError):
                request, end = json.JSONDecoder().raw_decode(text.lstrip())
                text = text.lstrip()[end:]
                value = answer(request)
                if value == "hang up":
                    client.shutdown(socket.SHUT_RDWR)
                reply = value if isinstance(value, Reply) else {"return": value}
                client.sendall(json.dumps({**reply, "id": request.get("id")}).encode() + b"\r\n")

    return behave


def asked(path: Path, behave: Behaviour, limit: float = 5.0) -> Guest:
    with fake_socket(path / "qmp", behave) as name:
        return read_running(name, limit=limit)


def refused(path: Path, behave: Behaviour, limit: float = 5.0) -> HostError:
    with pytest.raises(HostError) as caught:
        asked(path, behave, limit)
    assert caught.value.message.startswith(f"{path}/qmp: ")
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 600
    return caught.value


ERROR = {"error": {"class": "GenericError", "desc": "no"}}
NO_QMP = {
    "garbage": fake_bytes(b"\xff\xfe\x00 hello\r\n"),
    "http": fake_bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "depth": fake_bytes(b"[" * 200_000 + b"\n"),
    "a list": fake_bytes(b"[]\n"),
    "no greeting": fake_bytes(b"{}\n"),
    "a greeting of wrong types": fake_bytes(b'{"QMP": 1}\n'),
    "an endless line": fake_bytes(b"x" * (11 << 20)),
    "hangs up": fake_bytes(b"", then="goes"),
    "hangs up after its greeting": fake_bytes(json.dumps(GREETING).encode() + b"\n", then="goes"),
    "refuses to negotiate": fake_qemu({"qmp_capabilities": Reply(ERROR)}),
    "hangs up later": fake_qemu({"qom-list": "hang up"}),
    "an error": fake_qemu({"query-cpus-fast": Reply(ERROR)}),
    "an error of wrong types": fake_qemu({"query-cpus-fast": Reply(error=5)}),
    "neither error nor return": fake_qemu({"query-cpus-fast": Reply()}),
    "no CPU": fake_qemu({"query-cpus-fast": []}),
    "CPUs are an object": fake_qemu({"query-cpus-fast": {}}),
    "CPUs are numbers": fake_qemu({"query-cpus-fast": [1]}),
    "CPUs are null": fake_qemu({"query-cpus-fast": None}),
    "a path is a number": fake_qemu({"query-cpus-fast": [{"qom-path": 5}]}),
    "a path has escapes": fake_qemu({"query-cpus-fast": [{"qom-path": "/\x1b[31m"}]}),
    "many properties": fake_qemu({"qom-list": [{"name": "hv-relaxed", "type": "bool"}] * 6000}),
    "names are lists": fake_qemu({"qom-list": [{"name": [1], "type": "bool"}]}),
    "no names": fake_qemu({"qom-list": [{"type": "bool"}]}),
    "no types": fake_qemu({"qom-list": [{"name": "hv-relaxed"}]}),
    "the type is a number": fake_qemu(type=5),
    "KVM is a list": fake_qemu({"query-kvm": []}),
    "migration is null": fake_qemu({"query-migrate": None}),
    "reasons are a text": fake_qemu({"query-migrate": {"blocked-reasons": "x"}}),
    "reasons are objects": fake_qemu({"query-migrate": {"blocked-reasons": [{"a": 1}]}}),
    "a number is a list": fake_qemu(hv_spinlocks=[1]),
    "a number is a fraction": fake_qemu(hv_spinlocks=1.5),
    "a number is too large": fake_qemu(hv_spinlocks=1 << 70),
    "a number has many digits": fake_qemu(hv_spinlocks=10**4000),
    "a switch is a text": fake_qemu(hv_relaxed="maybe"),
    "a switch is an object": fake_qemu(hv_relaxed={}),
}


@pytest.mark.parametrize("name", NO_QMP)
def test_what_answers_otherwise_is_no_qemu(name: str, tmp_path: Path) -> None:
    assert "this is no QMP socket that answers as QEMU does: " in refused(tmp_path, NO_QMP[name]).message


def test_what_never_answers_is_given_up_in_time(tmp_path: Path) -> None:
    begin = time.monotonic()
    error = refused(tmp_path, fake_bytes(b""), limit=0.3)
    assert error.message.endswith("qmp: no answer within 0.3 seconds")
    assert "one client at a time" in error.hint
    assert time.monotonic() - begin < 5


def test_messages_without_end_are_given_up(tmp_path: Path) -> None:
    event = json.dumps({"event": "RTC_CHANGE", "data": {}, "timestamp": {"seconds": 1, "microseconds": 0}}).encode()

    def behave(client: socket.socket) -> None:
        client.sendall(json.dumps(GREETING).encode() + b"\n")
        client.recv(65536)
        client.sendall(b'{"return": {}}\n')
        while True:
            client.sendall((event + b"\n") * 100)

    assert "it sends messages without end" in refused(tmp_path, behave).message


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b'{"return": [' + b"{}," * 3_000_000 + b"{}]}\n", "a message has more than 1048576 bytes"),
        (b'{"return": {}, "id": "another"}\n' * 100_000, "it sends messages without end"),
        (b'{"return": {}, "id": []}\n', "where a name is expected"),
        (b'{"event": {}}\n', "where a name is expected"),
    ],
    ids=["wide", "other ids", "an id of another type", "an event of another type"],
)
def test_what_breaks_the_conversation_is_told_and_costs_little(data: bytes, told: str, tmp_path: Path) -> None:
    begun = json.dumps(GREETING).encode() + b'\n{"return": {}}\n'
    code = """
import sys
from hvctl.errors import HostError
from hvctl.run.running import read_running
try:
    read_running(sys.argv[1])
except HostError as error:
    print(error.message)
print(int(open('/proc/self/status').read().partition('VmHWM:')[2].split()[0]) // 1024)
"""
    with fake_socket(tmp_path / "qmp", fake_bytes(begun + data)) as name:
        command = [sys.executable, "-c", code, name]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, cwd=ROOT)
    message, peak = done.stdout.splitlines()
    assert (told in message, done.stderr) == (True, "")
    assert int(peak) < 100


@pytest.mark.parametrize("make", ["missing", "file", "closed"])
def test_what_cannot_be_connected_to(make: str, tmp_path: Path) -> None:
    path = tmp_path / "qmp"
    if make == "file":
        path.write_text("")
    if make == "closed":
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(path))
    with pytest.raises(HostError, match="Failed to establish connection"):
        read_running(str(path))


def test_with_kvm_no_frequency_is_taken_for_written(tmp_path: Path) -> None:
    found = asked(tmp_path, fake_qemu())
    settings = setting("relaxed"), setting("spinlocks", 8191)
    assert facts(found) == facts(made_guest(*settings, machine="pc-q35-9.0", cpu="host", accelerator="kvm"))
    assert found.label == f"{tmp_path}/qmp"
    assert found.seen == (("svm", "on"), ("avx", "off"), ("lahf-lm", "on"), ("phys-bits", "40"))
    tcg = asked(tmp_path, fake_qemu({"query-kvm": {"enabled": False, "present": True}}))
    assert (tcg.tsc_frequency, tcg.accelerator) == (2_500_000_000, "tcg")


def test_what_a_newer_qemu_has_is_a_doubt(tmp_path: Path) -> None:
    names = ["hv-new", "hv-newer", "hv-relaxed", "hv-apicv"]
    more = [*TRUTH["qom-list"], *({"name": name, "type": "bool"} for name in names)]
    found = asked(tmp_path, fake_qemu({"qom-list": more}, hv_new=True, hv_newer=False, hv_apicv=True))
    assert found.doubts == ("hvctl does not know the QEMU property hv-new",)


def test_reasons_against_a_migration(tmp_path: Path) -> None:
    found = asked(tmp_path, fake_qemu({"query-migrate": {"blocked-reasons": ["a\x1b[31m  reason", "another"]}}))
    assert found.blockers == ("a[31m reason", "another")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = tmp_path_factory.mktemp("qemu") / "qmp"
    rows = [row for row in ROWS if row.properties[0].type == "bool" and row.id != "vpindex" and not row.experimental]
    flags = ",".join(f"{row.properties[0].name}=on" for row in rows)
    cpu = f"max,kvm=off,migratable=off,family=15,hv-spinlocks=0,hv-no-nonarch-coresharing=auto,{flags}"
    words = (*PAUSED, "-cpu", cpu, "-qmp", f"unix:{path},server=on,wait=off")
    process = subprocess.Popen(words)
    try:
        wait_for(path.exists)
        yield str(path)
    finally:
        process.kill()
        process.wait()


class TestReal:
    """A real QEMU by its emulator, in which enlightenments do nothing and are remembered all the same."""

    def test_what_it_has(self, path: str) -> None:
        found = read_running(path)
        ids = [row.id for row in ROWS if row.kind == "flag" and row.id != "vpindex" and not row.experimental]
        values: dict[str, Any] = {"spinlocks": 0, "no-nonarch-coresharing": "auto"}
        assert found.enabled() == dict.fromkeys(ids) | values
        assert (found.cpu, found.accelerator, found.hidden, found.migratable) == ("max", "tcg", True, False)
        assert found.machine
        assert found.machine.startswith("pc-i440fx-")
        assert (found.tsc_frequency, found.doubts, found.features) == (None, (), ())
        seen = dict(found.seen or ())
        assert (seen["svm"], seen["family"]) == ("on", "15")

    def test_it_can_be_asked_again(self, path: str) -> None:
        first, second = read_running(path), read_running(path)
        assert facts(first) | {"seen": first.seen} == facts(second) | {"seen": second.seen}

    def test_while_another_client_is_connected_it_is_given_up_in_time(self, path: str) -> None:
        with socket.socket(socket.AF_UNIX) as other:
            other.connect(path)
            assert other.recv(10)
            with pytest.raises(HostError, match="no answer within") as caught:
                read_running(path, limit=0.5)
            assert "one client at a time" in caught.value.hint
        assert read_running(path)
