"""A fake QEMU for answers that no real one gives: speaks QMP on the inherited socket, as its name tells it to.

Called like QEMU; the file is copied under a name such as `endless-depth`, which chooses the lie.
"""

import json
import re
import socket
import sys
import time
from pathlib import Path

TRUTH = {
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
LIES: dict[str, object] = {
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
    if "kvm" in sys.argv and lie == "no-kvm":
        sys.exit("fake: failed to initialize kvm: Permission denied\n")
    if "tcg" in sys.argv and lie == "no-tcg":
        sys.exit("fake: invalid accelerator tcg")
    chardev = next(re.search(r"fd=(\d+)", word) for word in sys.argv if word.startswith("socket,"))
    assert chardev
    monitor = socket.socket(fileno=int(chardev[1]))
    stream = monitor.makefile("rw")
    if lie == "silent":
        time.sleep(600)
    greeting = {"QMP": {"version": TRUTH["query-version"], "capabilities": []}}
    stream.write("[" * 200_000 + "\n" if lie == "endless-depth" else json.dumps(greeting) + "\n")
    stream.flush()
    for line in stream:
        answer(stream, json.loads(line), lie)


def answer(stream: object, request: dict[str, object], lie: str) -> None:
    name = str(request["execute"])
    reply = TRUTH[name]
    if lie == "dies-at-machines" and name == "query-machines":
        sys.exit(7)
    if lie == "hangs-at-machines" and name == "query-machines":
        time.sleep(600)
    if lie in LIES:
        about, value = LIES[lie]  # type: ignore[misc]
        reply = value if about == name else reply
    body = {"return": reply} if reply is not None else {"error": {"class": "GenericError", "desc": "no such type"}}
    stream.write(json.dumps({**body, "id": request.get("id")}) + "\n")  # type: ignore[attr-defined]
    stream.flush()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
