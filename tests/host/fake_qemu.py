"""A fake QEMU for answers that no real one gives: speaks QMP on the inherited socket, as its name tells it to.

Called like QEMU; the file is copied under a name such as `endless-depth`, which chooses the lie.
"""

import contextlib
import json
import os
import re
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TRUTH: dict[str, Any] = {
    "query-kvm": {"enabled": True, "present": True},
    "qmp_capabilities": {},
    "cont": {},
    "system_powerdown": {},
    "quit": {},
    "query-status": {"status": "internal-error", "running": False},
    "query-version": {"qemu": {"major": 9, "minor": 8, "micro": 7}, "package": "fake"},
    "device-list-properties": [{"name": "hv-fake", "type": "bool"}, {"name": "avx", "type": "bool"}],
    "query-command-line-options": [
        {"option": "run-with", "parameters": [{"name": "exit-with-parent", "type": "boolean"}]},
        {"option": "", "parameters": []},
    ],
    "query-machines": [{"name": "pc-q35-9.8", "alias": "q35"}, {"name": "none"}],
    "qom-list-properties": [{"name": "hpet", "type": "bool"}],
    "query-cpu-model-expansion": {"model": {"name": "host", "props": {"avx": True, "hv-fake": True, "level": 7}}},
    "query-cpu-definitions": [
        {"name": "EPYC", "unavailable-features": []},
        {"name": "Huge", "unavailable-features": ["avx512f"]},
        {"name": "max", "unavailable-features": []},
    ],
}
LIES: dict[str, tuple[str, Any]] = {
    "falls-back-to-tcg": ("query-kvm", {"enabled": False, "present": True}),
    "version-is-a-list": ("query-version", []),
    "version-is-negative": ("query-version", {"qemu": {"major": -1, "minor": 0, "micro": 0}}),
    "properties-are-numbers": ("device-list-properties", [1, 2]),
    "name-with-escapes": ("query-machines", [{"name": "pc-q35-\x1b[31m"}]),
    "name-is-long": ("query-machines", [{"name": "pc-q35-" + "9" * 100_000}]),
    "many-machines": ("query-machines", [{"name": f"m{number}"} for number in range(10_000)]),
    "no-x86": ("device-list-properties", None),
    "million-properties": ("device-list-properties", [{"name": "hv-fake", "type": "bool"}] * 1_000_000),
}
EVENT = b'{"event": "RTC_CHANGE", "data": {}, "timestamp": {"seconds": 1, "microseconds": 0}}\n'
PANIC = EVENT.replace(b"RTC_CHANGE", b"GUEST_PANICKED")
STOPPED = EVENT.replace(b"RTC_CHANGE", b"RESUME") + EVENT.replace(b"RTC_CHANGE", b"STOP")
# What is sent instead of any answer but the first, and how many times.
INSTEAD: dict[str, tuple[bytes, int]] = {
    "events-without-end": (EVENT, 1 << 40),
    "events": (EVENT, 200_000),
    "panics-without-end": (PANIC, 1 << 40),
    "other-ids": (b'{"return": {}, "id": "another"}\n', 1 << 40),
    "no-ids": (b'{"return": {}}\n', 1 << 40),
    "ids-are-lists": (b'{"return": {}, "id": []}\n', 1),
    "events-are-lists": (b'{"event": []}\n', 1),
    "bytes": (b'{"return": "\xff"}\n', 1),
    "list": (b"[]\n", 1),
    "digits": (b'{"return": ' + b"9" * 5000 + b"}\n", 1),
    "deep": (b'{"return": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n", 1),
    "wide": (b'{"return": [' + b"{}," * 3_000_000 + b"{}]}\n", 1),
    "long-line": (b"x" * (1 << 20), 100),
    "error-without-id": (b'{"error": {"class": "GenericError", "desc": "no"}}\n', 1),
}


def main() -> None:
    lie = Path(sys.argv[0]).name
    if "kvm" in sys.argv and lie == "dies-of-kvm":
        sys.exit("fake: failed to set MSR: Assertion failed")
    while lie == "complains-without-end":
        os.write(2, b"fake: why?\n" * 1000)
    chardev = next(re.search(r"fd=(\d+)", word) for word in sys.argv if word.startswith("socket,"))
    assert chardev
    monitor = socket.socket(fileno=int(chardev[1]))
    if lie == "silent":
        time.sleep(600)
    greeting = {"QMP": {"version": TRUTH["query-version"], "capabilities": []}}
    send(monitor, "[" * 200_000 if lie == "endless-depth" else json.dumps(greeting))
    with contextlib.suppress(ConnectionError):
        talk(monitor, lie)
    time.sleep(600)  # like a QEMU, which does not mind that nobody asks any more


def talk(monitor: socket.socket, lie: str) -> None:
    for number, request in enumerate(requests(monitor)):
        if lie in INSTEAD and number:
            data, times = INSTEAD[lie]
            block = max(1, 65536 // len(data))
            for _ in range(0, times, block):
                monitor.sendall(data * min(block, times))
        send(monitor, json.dumps(answer(request, lie)))
        if lie == "stops-for-good" and request["execute"] == "cont":
            monitor.sendall(STOPPED)
        if request["execute"] == "quit":
            sys.exit(0)


def send(monitor: socket.socket, text: str) -> None:
    monitor.sendall(text.encode() + b"\r\n")


def requests(monitor: socket.socket) -> Iterator[dict[str, Any]]:
    """What a client asks; QMP has no separator between requests."""
    text = ""
    while data := monitor.recv(65536):
        text += data.decode()
        with contextlib.suppress(ValueError):
            while True:
                request, end = json.JSONDecoder().raw_decode(text := text.lstrip())
                text = text[end:]
                yield request


def answer(request: dict[str, Any], lie: str) -> dict[str, Any]:
    name = request["execute"]
    if lie == "dies-at-machines" and name == "query-machines":
        sys.exit(7)
    if lie == "hangs-at-machines" and name == "query-machines":
        time.sleep(600)
    about, value = LIES.get(lie, ("", None))
    reply = value if about == name else TRUTH[name]
    body = {"return": reply} if reply is not None else {"error": {"class": "GenericError", "desc": "no such type"}}
    return {**body, "id": request.get("id")}


if __name__ == "__main__":
    main()
