"""Programs and servers that lie to hvctl: QEMUs, QMP sockets and libvirts. What tests have of them is all tried here.

A lie of a new kind is a line in one of the tables below; a new one of a known kind is found by itself: every lie of
tests/host/fake_qemu.py and tests/libvirt/lies.py, and every socket of tests/run/test_running.py.
"""

from __future__ import annotations

import contextlib
import re
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.host import fake_qemu
from tests.libvirt import lies as lies_of_libvirt
from tests.libvirt.libvirt_server import (
    AUTH_LIST,
    FRIENDLY,
    HOSTNAME,
    LOOKUP_BY_NAME,
    OPEN,
    SUPPORTS_FEATURE,
    Act,
    Answer,
    Refusal,
    serving,
)
from tests.paths import ROOT
from tests.run import test_running
from tests.torture.execute import Outcome, execute
from tests.torture.kinds import Kind, good
from tests.torture.odd_json import change
from tests.torture.runs import Put, Run

LIMIT = 40.0
"""Seconds: hvctl waits ten for an answer, and asks more than once; verify waits thirty for a start."""

_PUTS = (
    Put("cwd/host.json", good(Kind.HOST)[0]),
    Put("cwd/domain.xml", good(Kind.DOMAIN)[0]),
    Put("cwd/tcg.xml", lies_of_libvirt.WITHOUT_KVM.encode()),
)
Server = Callable[[Path], AbstractContextManager[str]]


class Lie(NamedTuple):
    """Something that lies, a program or a server, and the commands that meet it, as `{liar}`."""

    name: str
    commands: tuple[str, ...]
    program: bytes = b""
    server: Server | None = None


_QEMU_COMMANDS = (
    "check-host --qemu {liar} --format json",
    "gen minimal --qemu-binary {liar}",
    "verify minimal --accel tcg --qemu {liar} --timeout 2",
    "verify --accel tcg --qemu {liar} --timeout 2 -- -cpu max",
    "bench minimal --qemu {liar} --runs 1 -o out.json",
)
_QMP_COMMANDS = ("convert {liar} --to libvirt", "check-migration {liar} --from host.json --to host.json --format json")
_LIBVIRT_COMMANDS = (
    "show --connect {liar} --timeout 1",
    "show a --connect {liar} --timeout 1 --format json",
    "check-host --connect {liar} --timeout 1",
    "lint --connect {liar} --no-config",
    "apply windows-11 a --connect {liar} --timeout 1 --host host.json --yes",
    "apply --undo a --connect {liar} --timeout 1",
    "launch windows-11 --connect {liar} --domain a --timeout 1",
    "verify --domain tcg.xml --connect {liar} --timeout 1",
    "check-migration {liar}#a --from host.json --to host.json",
)

# Programs that are no QEMU, or not only.
_PROGRAMS = {
    "nothing": b"",
    "no program": b"\x7fELF\x02\x01\x01\0",
    "exits": b"#!/bin/sh\nexit 0\n",
    "dies": b"#!/bin/sh\nkill -9 $$\n",
    "prints": b"#!/bin/sh\nexec yes\n",
    "prints errors": b"#!/bin/sh\nexec yes >&2\n",
    "prints escapes": b"#!/bin/sh\nprintf '\\033[31m\\302\\233\\377\\n' >&2; exit 1\n",
    "waits": b"#!/bin/sh\nexec sleep 600\n",
    "ignores signals": b"#!/bin/sh\ntrap '' TERM INT HUP\nsleep 600\nsleep 600\n",
    "does not exec": b'#!/bin/sh\nqemu-system-x86_64 "$@"\nexit $?\n',
    "leaves another": b'#!/bin/sh\nsleep 600 &\nexec qemu-system-x86_64 "$@"\n',
    "leaves another session": b'#!/bin/sh\nsetsid sleep 600 &\nexec qemu-system-x86_64 "$@"\n',
}


def _fake_qemus() -> Iterator[Lie]:
    source = Path(fake_qemu.__file__).read_text()
    # Those that are no entry of its table are asked for by name.
    names = sorted({*fake_qemu.LIES, *re.findall(r'lie == "([a-z0-9-]+)"', source), "truth"})
    for name in names:
        yield Lie(name, _QEMU_COMMANDS, f"#!{sys.executable}\n{source}".encode())
    for name, data in _PROGRAMS.items():
        yield Lie(name.replace(" ", "-"), _QEMU_COMMANDS, data)


def _qmp(behave: test_running.Behaviour) -> Server:
    return lambda folder: test_running.fake_socket(folder / "qmp", behave)


def _libvirt(answers: dict[int, Answer]) -> Server:
    return lambda folder: serving(folder, answers)


_HUGE = struct.pack(">I", 0xFFFFFFFF)
_LIBVIRTS: dict[str, dict[int, Answer]] = {
    "silence": {},
    "silence after the greeting": FRIENDLY,
    "hangs up": {AUTH_LIST: Act.HANG_UP},
    "hangs up at open": {**FRIENDLY, OPEN: Act.HANG_UP},
    "hangs up later": {**FRIENDLY, **dict.fromkeys(range(3, 450), Act.HANG_UP)},
    "no answer fits": {**FRIENDLY, **dict.fromkeys(range(3, 450), b"\0\0\0\1")},
    "every answer is empty": {**FRIENDLY, **dict.fromkeys(range(3, 450), b"")},
    "every length is huge": {**FRIENDLY, **dict.fromkeys(range(3, 450), _HUGE * 4)},
    "every name has odd bytes": {**FRIENDLY, HOSTNAME: struct.pack(">I", 4) + b"\xff\x9b\x1b\n"},
    "refuses all": {**FRIENDLY, **dict.fromkeys(range(3, 450), Refusal(1, "a\x1b[31m\u202e\x9b\n"))},
    "refuses at length": {**FRIENDLY, LOOKUP_BY_NAME: Refusal(38, "x" * (4 << 20))},
    "a strange way to authenticate": {AUTH_LIST: struct.pack(">II", 1, 77)},
    "no way to authenticate": {AUTH_LIST: struct.pack(">I", 0)},
}


def lies() -> tuple[Lie, ...]:
    """Every lie that has a name."""
    return (
        *_fake_qemus(),
        *(Lie(name, _QMP_COMMANDS, server=_qmp(behave)) for name, behave in test_running.NO_QMP.items()),
        Lie("the truth of QMP", _QMP_COMMANDS, server=_qmp(test_running.fake_qemu())),
        *(Lie(name, _LIBVIRT_COMMANDS, server=_libvirt(_settled(answers))) for name, answers in _LIBVIRTS.items()),
        *(Lie(name, _LIBVIRT_COMMANDS, server=_libvirt(answers)) for name, answers in lies_of_libvirt.LIES.items()),
    )


def _settled(answers: dict[int, Answer]) -> dict[int, Answer]:
    """FRIENDLY wins over what is said of all others."""
    special = (OPEN, HOSTNAME, LOOKUP_BY_NAME, AUTH_LIST)
    kept = {number: answer for number, answer in FRIENDLY.items() if number not in special or number not in answers}
    return {**answers, **kept} if SUPPORTS_FEATURE in answers else answers


def cases() -> list[tuple[Lie, str]]:
    """Every command with every lie."""
    return [(lie, command) for lie in lies() for command in lie.commands]


def carry_out(number: int, folder: Path, failures: Path) -> Outcome:
    """One case."""
    lie, command = cases()[number]
    return _told(f"lie-{number:04}", lie, command, folder, failures)


def carry_out_random(number: int, seed: str, folder: Path, failures: Path) -> Outcome:
    """One of the lies that are made at random: of a QEMU, a QMP socket or a libvirt in turn."""
    random = Random(f"{seed}/lie/{number}")
    lie = (_random_qemu, _random_qmp, _random_libvirt)[number % 3](random)
    return _told(f"random-lie-{number:04}", lie, random.choice(lie.commands), folder, failures)


def _random_qemu(random: Random) -> Lie:
    source = (ROOT / "tests" / "torture" / "mutating_qemu.py").read_text()
    source = f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\n{source}"
    return Lie(f"mutating-{random.randrange(1 << 32)}", _QEMU_COMMANDS, source.encode())


def _random_qmp(random: Random) -> Lie:
    answers = {**test_running.TRUTH}
    for command in random.sample(list(answers), random.choice((1, 1, 2))):
        document = {"return": answers[command]}
        change(document, random)
        answers[command] = test_running.Reply(document) if random.random() < 0.2 else document.get("return")
    properties = {"return": dict(test_running.PROPERTIES)}
    if random.random() < 0.5:
        change(properties, random)
    found = properties.get("return")
    given = found if isinstance(found, dict) else {}
    return Lie("QMP", _QMP_COMMANDS, server=_qmp(test_running.fake_qemu(answers, **given)))


def _random_libvirt(random: Random) -> Lie:
    def answer() -> Answer:
        return random.choice(
            (
                b"",
                bytes(4),
                _HUGE + random.randbytes(8),
                struct.pack(">II", 1, 4) + random.randbytes(8),
                random.randbytes(random.randrange(200)),
                Refusal(random.randrange(110), random.choice(("no", "\x1b\u202e", "", "x" * 100_000))),
                random.choice(list(Act)),
            )
        )

    answers = {number: answer() for number in range(1, 450)}
    answers |= FRIENDLY if random.random() < 0.8 else {}
    return Lie("libvirt", _LIBVIRT_COMMANDS, server=_libvirt(answers))


def _told(name: str, lie: Lie, command: str, folder: Path, failures: Path) -> Outcome:
    puts = (*_PUTS, Put(f"cwd/{lie.name}", lie.program, mode=0o755)) if lie.server is None else _PUTS
    with TemporaryDirectory(dir=folder) as place, _served(lie, Path(place)) as liar:
        words = tuple(word.replace("{liar}", liar) for word in command.split())
        run = Run(name, words, puts, stdout="json" if "json" in words else "text", makes=("cwd/out.json",))
        outcome = execute(run, folder, failures, limit=LIMIT)
    if outcome.wrong:
        with (failures / run.name / "wrong").open("a") as stream:
            stream.write(f"lie: {lie.name}\n")
    return outcome


def _served(lie: Lie, place: Path) -> AbstractContextManager[str]:
    return lie.server(place) if lie.server else contextlib.nullcontext(f"{{cwd}}/{lie.name}")
