"""A unix socket that speaks libvirt's wire protocol as far as a test wants, then hangs up, refuses or falls silent.

The client is the real libvirt. Messages are XDR: length, program, version, procedure, type, serial, status, payload
(libvirt:src/rpc/virnetprotocol.x, src/remote/remote_protocol.x).
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

_HEADER = struct.Struct(">7I")
_REPLY, _OK, _ERROR = 1, 0, 1
OPEN, HOSTNAME, LOOKUP_BY_NAME, SUPPORTS_FEATURE, AUTH_LIST = 1, 59, 23, 60, 66
_DOMAIN_REMOTE, _LEVEL_ERROR = 13, 2


class Act(Enum):
    """What the server does instead of answering."""

    HANG_UP = "hang up"
    SILENCE = "silence"


class Refusal:
    """An error as libvirtd sends it."""

    def __init__(self, code: int, message: str) -> None:
        text = message.encode()
        padded = text.ljust(-(-len(text) // 4) * 4, b"\0")
        optional = struct.pack(">II", 1, len(text)) + padded
        # code, domain, message, level, then dom, str1 to str3, int1, int2, net: nothing and zeros.
        self.payload = struct.pack(">iI", code, _DOMAIN_REMOTE) + optional
        self.payload += struct.pack(">I4IiiI", _LEVEL_ERROR, 0, 0, 0, 0, 0, 0, 0)


Answer = bytes | Refusal | Act
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
            if length > _HEADER.size:
                connection.recv(length - _HEADER.size, socket.MSG_WAITALL)
            answer = answers.get(procedure, Act.SILENCE)
            if answer is Act.HANG_UP:
                connection.close()
                return
            if isinstance(answer, Act):
                continue
            payload = answer.payload if isinstance(answer, Refusal) else answer
            status = _ERROR if isinstance(answer, Refusal) else _OK
            size = _HEADER.size + len(payload)
            connection.sendall(_HEADER.pack(size, program, version, procedure, _REPLY, serial, status) + payload)
