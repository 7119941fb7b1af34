"""A fake QEMU for answers that no real one gives: speaks QMP on the inherited socket, as its name tells it to.

Called like QEMU; the file is copied under a name such as `endless-depth`, which chooses the lie.
"""

import json
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
    "many-machines": ("query-machines", [{"name": f"m{number}"} for number in range(100_000)]),
    "no-x86": ("device-list-properties", None),
}


def main() -> None:
    lie = Path(sys.argv[0]).name
    if "kvm" in sys.argv and lie == "dies-of-kvm":
        sys.exit("fake: failed to set MSR: Assertion failed")
    chardev = next(re.search(r"fd=(\d+)", word) for word in sys.argv if word.startswith("socket,"))
    assert chardev
    monitor = socket.socket(fileno=int(chardev[1]))
    if lie == "silent":
        time.sleep(600)
    greeting = {"QMP": {"version": TRUTH["query-version"], "capabilities": []}}
    send(monitor, "[" * 200_000 if lie == "endless-depth" else json.dumps(greeting))
    for request in requests(monitor):
        send(monitor, json.dumps(answer(request, lie)))


def send(monitor: socket.socket, text: str) -> None:
    monitor.sendall(text.encode() + b"\r\n")


def requests(monitor: socket.socket) -> Iterator[dict[str, Any]]:
    """What a client asks; QMP has no separator between requests."""
    text = ""
    while True:
        data = monitor.recv(65536)
        if not data:
            return
        text = (text + data.decode()).lstrip()
        try:
            request, end = json.JSONDecoder().raw_decode(text)
        except ValueError:
            continue
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
