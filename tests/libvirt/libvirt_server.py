"""A unix socket that speaks libvirt's wire protocol as far as a test wants, then hangs up, refuses or falls silent.

The client is the real libvirt. Messages are XDR: length, program, version, procedure, type, serial, status, payload
(libvirt:src/rpc/virnetprotocol.x, src/remote/remote_protocol.x).
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from pathlib import Path
from typing import NamedTuple

_HEADER = struct.Struct(">7I")
_REPLY, _EVENT, _OK, _ERROR = 1, 2, 0, 1
_REMOTE, _QEMU, _VERSION = 0x20008086, 0x20008087, 1
_DOMAIN_REMOTE, _LEVEL_ERROR = 13, 2
OPEN, CLOSE, GET_TYPE, VERSION, CAPABILITIES, CREATE, CREATE_XML, DESTROY, XML = 1, 2, 3, 4, 7, 9, 10, 12, 14
LOOKUP_BY_NAME, LOOKUP_BY_UUID, HOSTNAME, SUPPORTS_FEATURE, AUTH_LIST = 23, 24, 59, 60, 66
IS_PERSISTENT, LIBVIRT_VERSION, IS_SAVED, STATE, DOMAINS = 151, 157, 183, 212, 273
REGISTER, DEREGISTER, LIFECYCLE, DOMAIN_CAPABILITIES, DEFINE = 316, 317, 318, 342, 350
# Those of the QEMU program have so many more.
_MORE = 10_000
MONITOR, REGISTER_QEMU, DEREGISTER_QEMU, QEMU_EVENT = _MORE + 1, _MORE + 4, _MORE + 5, _MORE + 6


class Act(Enum):
    """What the server does instead of answering."""

    HANG_UP = "hang up"
    SILENCE = "silence"


class Refusal:
    """An error as libvirtd sends it; None is no message."""

    def __init__(self, code: int, message: str | bytes | None) -> None:
        optional = struct.pack(">I", 0) if message is None else struct.pack(">I", 1) + xdr(message)
        # code, domain, message, level, then dom, str1 to str3, int1, int2, net: nothing and zeros.
        self.payload = struct.pack(">iI", code, _DOMAIN_REMOTE) + optional
        self.payload += struct.pack(">I4IiiI", _LEVEL_ERROR, 0, 0, 0, 0, 0, 0, 0)


class Then(NamedTuple):
    """A reply, and events that follow it: each a procedure and its payload; then perhaps the end of the connection."""

    reply: bytes
    events: Iterable[tuple[int, bytes]] = ()
    hang_up: bool = False


Answer = bytes | Refusal | Act | Then | Callable[[bytes], "Answer"]
"""A function gets what was sent, and gives the answer."""


def xdr(text: str | bytes) -> bytes:
    """A string."""
    data = text.encode() if isinstance(text, str) else text
    return struct.pack(">I", len(data)) + data.ljust(-(-len(data) // 4) * 4, b"\0")


# One way to authenticate, none; no features; an open connection.
FRIENDLY: dict[int, Answer] = {AUTH_LIST: struct.pack(">II", 1, 0), SUPPORTS_FEATURE: struct.pack(">i", 0), OPEN: b""}


@contextlib.contextmanager
def serving(folder: Path, answers: dict[int, Answer]) -> Iterator[str]:
    """The URI of a server that answers procedures so; what is not listed is answered by silence."""
    path = folder / "libvirt-sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=_serve, args=(listener, answers), daemon=True)
        thread.start()
        yield f"qemu+unix:///system?socket={path}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def _serve(listener: socket.socket, answers: dict[int, Answer]) -> None:
    kept = []
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            kept.append(connection)
            threading.Thread(target=_talk, args=(connection, answers), daemon=True).start()


def _talk(connection: socket.socket, answers: dict[int, Answer]) -> None:
    with contextlib.suppress(OSError, struct.error):
        while True:
            length, program, version, procedure, _, serial, _ = _HEADER.unpack(connection.recv(28, socket.MSG_WAITALL))
            size = length - _HEADER.size
            sent = connection.recv(size, socket.MSG_WAITALL) if size else b""
            answer = answers.get(procedure + (_MORE if program == _QEMU else 0), Act.SILENCE)
            while callable(answer):
                answer = answer(sent)
            if answer is Act.HANG_UP:
                connection.close()
                return
            if isinstance(answer, Act):
                continue
            reply = (program, version, procedure, _REPLY, serial)
            if isinstance(answer, Refusal):
                _send(connection, (*reply, _ERROR), answer.payload)
                continue
            then = Then(answer) if isinstance(answer, bytes) else answer
            _send(connection, (*reply, _OK), then.reply)
            for number, event in then.events:
                home, number = (_QEMU, number - _MORE) if number > _MORE else (_REMOTE, number)
                _send(connection, (home, _VERSION, number, _EVENT, 0, _OK), event)
            if then.hang_up:
                connection.close()
                return


def _send(connection: socket.socket, header: tuple[int, ...], payload: bytes) -> None:
    connection.sendall(_HEADER.pack(_HEADER.size + len(payload), *header) + payload)
