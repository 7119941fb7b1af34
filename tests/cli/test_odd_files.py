"""Every option and argument that names a file, with everything that a path can be: no wait, no bug, not much memory.

`make test` runs a part of the table, with a seed that is printed; HVCTL_ODD_FILES=all runs all of it.
"""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from hvctl.cli import cli
from tests.paths import HOSTS, ROOT

SECONDS, MEGABYTES = 20, 300
HOST = str(HOSTS / "debian-13.json")
DOMAIN = "<domain type='kvm'><name>a</name><os><type arch='x86_64' machine='q35'>hvm</type></os></domain>"

# Each parameter of a command that names a file, with a command line that gives it one.
READ = {
    "check-host profiles": "check-host {}",
    "check-host --qemu": "check-host --qemu {}",
    "check-host --root": "check-host --root {}",
    "check-host --domcapabilities": "check-host --no-qemu --domcapabilities {}",
    "pool hosts": "pool {}",
    "gen profile": "gen {} --host HOST",
    "gen --host": "gen minimal --host {}",
    "gen --qemu-binary": "gen minimal --qemu-binary {}",
    "gen --locked": "gen --locked {} --host HOST",
    "gen --domain": "gen minimal --host HOST --domain {}",
    "gen --crd": "gen minimal --host HOST --for kubevirt --crd {}",
    "gen --into": "gen minimal --host HOST --for kubevirt --into {}",
    "check-migration guest": "check-migration {} --from HOST --to HOST",
    "check-migration --from": "check-migration minimal --from {} --to HOST",
    "check-migration --to": "check-migration minimal --from HOST --to {}",
    "check-migration --incoming": "check-migration minimal --from HOST --to HOST --incoming {}",
    "apply words": "apply {} test --dry-run --connect test:///default",
    "apply --connect": "apply minimal test --dry-run --connect test://{} --timeout 3",
    "apply --host": "apply minimal test --dry-run --connect test:///default --host {}",
    "show --connect": "show --connect test://{} --timeout 3",
    "launch words": "launch {}",
    "launch --locked": "launch --locked {}",
    "launch --also-host": "launch minimal --also-host {}",
    "launch --host": "launch minimal --host {}",
    "launch --connect": "launch minimal --connect test://{} --domain test --timeout 3 --dry-run",
    "launch --domain": "launch minimal --connect test:///default --domain {} --dry-run",
    "launch --qemu": "launch minimal --qemu {}",
    "verify profile": "verify {}",
    "check-host --raw": "check-host --raw {}",
    "verify --host": "verify minimal --dry-run --host {}",
    "verify --also-host": "verify minimal --also-host {}",
    "verify --locked": "verify --locked {}",
    "verify --domain": "verify --domain {}",
    "verify --connect": "verify --connect test://{} --domain test",
    "verify --qemu": "verify --qemu {} --accel tcg minimal",
    "bench profile": "bench {}",
    "bench --compare": "bench --compare {}",
    "bench --qemu": "bench minimal --qemu {}",
    "convert guest": "convert {}",
    "convert --host": "convert DOMAIN --host {}",
    "diagnose file": "diagnose {}",
    "show domains": "show {}",
    "lint paths": "lint {} --no-config",
    "lint --host": "lint DOMAIN --host {}",
    "lint --profile": "lint DOMAIN --profile {}",
    "lint --connect": "lint --connect test://{}",
    "lint --config": "lint DOMAIN --config {}",
    "profile check files": "profile check {}",
    "profile show name": "profile show {}",
}
WRITTEN = {
    "check-host --record": "check-host --no-qemu --record {}",
    "check-host --output": "check-host --no-qemu -o {}",
    "collector --output": "collector -o {}",
    "pool --output": "pool HOST -o {}",
    "gen --lock": "gen minimal --host HOST --lock {}",
    "gen --output": "gen minimal --host HOST -o {}",
    "bench --output": "bench minimal --only clock --runs 1 --vcpus 1 -o {}",
    "convert --output": "convert DOMAIN -o {}",
    "lint --output": "lint DOMAIN -o {}",
}
# Of the others the name only counts.
NO_FILE = {
    *("check-host --name", "check-host --connect", "pool --without", "gen --machine", "gen --name", "launch --name"),
    *("gen --uses", "gen --timezone"),
    *("bench --only", "bench --set", "lint --select", "lint --ignore", "lint --stdin-filename", "explain names"),
}
# Files that are read because another one names them, or because of where they are: what that has.
NAMED = {
    "lint --qemu-args": ("lint --qemu-args --no-config {}", "", ""),
    "lint --fix": ("lint --fix --no-config {}", "", ""),
    "gen --in-place": ("gen minimal --host HOST --in-place --domain {}", "", ""),
    "extends": ("profile check BESIDE", "version: 1\nextends: {}\n", "p.yaml"),
    "gen --into, in place": ("gen minimal --host HOST --for kubevirt --in-place --into {}", "", ""),
    "YAML in a directory": ("lint --no-config IN", "{}", "a.yaml"),
    "lint in a directory": ("lint --no-config IN", "{}", "a.xml"),
    "hosts in a directory": ("pool IN", "{}", "a.json"),
    "hosts of hvctl.toml": ("lint DOMAIN --config BESIDE", 'hosts = ["{}"]\n', "hvctl.toml"),
    "profile of hvctl.toml": ("lint DOMAIN --config BESIDE", 'profile = "{}"\n', "hvctl.toml"),
    "profile of a path": ("lint DOMAIN --config BESIDE", '[paths."*"]\nprofile = "{}"\n', "hvctl.toml"),
    "hvctl.toml in a directory": ("lint IN", "{}", "hvctl.toml"),
    "pyproject.toml in a directory": ("lint IN", "{}", "pyproject.toml"),
    "/dev/kvm": ("check-host --no-qemu --root IN", "{}", "dev/kvm"),
    "/proc/cpuinfo": ("check-host --no-qemu --root IN", "{}", "proc/cpuinfo"),
    "/sys/module": ("check-host --no-qemu --root IN", "{}", "sys/module/kvm_amd/parameters/nested"),
    "schema": ("check-host --no-qemu --root IN", "{}", "usr/share/libvirt/schemas/domaincommon.rng"),
}


class Place(NamedTuple):
    """Where things are made, and what ends them."""

    path: Path
    stack: ExitStack

    def held(self, flags: int) -> str:
        """A pipe with its other end open, where nothing happens."""
        os.mkfifo(self.path)
        self.stack.callback(os.close, os.open(self.path, flags))
        return str(self.path)

    def of_a_process(self, end: int) -> str:
        """A pipe without a name, whose other end is silent."""
        ends = os.pipe()
        for number in ends:
            self.stack.callback(os.close, number)
        return f"/proc/self/fd/{ends[end]}"

    def with_bytes(self, data: bytes, times: int = 1) -> str:
        with self.path.open("wb") as stream:
            for _ in range(times):
                stream.write(data)
        return str(self.path)

    def link(self, target: str) -> str:
        self.path.symlink_to(target)
        return str(self.path)


def _fifo(place: Place) -> str:
    os.mkfifo(place.path)
    return str(place.path)


def _flood(place: Place) -> str:
    os.mkfifo(place.path)
    feeder = subprocess.Popen(["sh", "-c", 'while :; do cat /dev/zero; done 2>&- >"$0"', place.path])
    place.stack.callback(feeder.wait)
    place.stack.callback(feeder.kill)
    return str(place.path)


def _directory(place: Place) -> str:
    place.path.mkdir()
    return str(place.path)


def _bound(place: Place) -> socket.socket:
    server = place.stack.enter_context(socket.socket(socket.AF_UNIX))
    # The whole path may be longer than an address of a socket.
    folder = os.open(place.path.parent, os.O_PATH)
    server.bind(f"/proc/self/fd/{folder}/{place.path.name}")
    os.close(folder)
    return server


def _socket(place: Place) -> str:
    _bound(place)
    return str(place.path)


def _listening(place: Place) -> str:
    _bound(place).listen()
    return str(place.path)


def _unreadable(place: Place) -> str:
    place.with_bytes(b"version: 1\n")
    place.path.chmod(0)
    return str(place.path)


KINDS: dict[str, Callable[[Place], str]] = {
    "pipe": _fifo,
    "silent pipe": lambda place: place.held(os.O_RDWR),
    "flooding pipe": _flood,
    "silent pipe of a process": lambda place: place.of_a_process(0),
    "full pipe of a process": lambda place: place.of_a_process(1),
    "/dev/zero": lambda place: place.link("/dev/zero"),
    "/dev/full": lambda _: "/dev/full",
    "/dev/tty": lambda _: "/dev/tty",
    "/dev/null": lambda _: "/dev/null",
    "/proc/self/mem": lambda _: "/proc/self/mem",
    "/proc/self/pagemap": lambda _: "/proc/self/pagemap",
    "/proc/kmsg": lambda _: "/proc/kmsg",
    "/proc/kcore": lambda _: "/proc/kcore",
    "trace_pipe": lambda _: "/sys/kernel/debug/tracing/trace_pipe",
    "directory": _directory,
    "socket": _socket,
    "silent socket": _listening,
    "dangling link": lambda place: place.link("nowhere"),
    "link to itself": lambda place: place.link(place.path.name),
    "below a file": lambda place: f"{place.with_bytes(b'')}/x",
    "unreadable": _unreadable,
    "20 MB of nothing": lambda place: place.with_bytes(bytes(1 << 20), 20),
    "20 MB of XML": lambda place: place.with_bytes(b"<a><b c='d'/></a>\n" * 60_000, 20),
    "20 MB of JSON": lambda place: place.with_bytes(b'{"a": [1, 2]},\n' * 70_000, 20),
    "20 MB of YAML": lambda place: place.with_bytes(b"version: 1\n" * 95_000, 20),
}
# These are waited for, as long as a pipe may take.
SLOW = {"silent pipe", "silent pipe of a process", "full pipe of a process", "silent socket"}
# -o replaces what is no special file; what is written to the others is not to hurt this machine.
NOT_WRITTEN = {"/proc/kmsg", "/proc/kcore"}


def commands(group: click.Group, context: click.Context, words: str = "") -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command
        if isinstance(command, click.Group):
            yield from commands(command, click.Context(command), f"{name} ")
        else:
            yield f"{words}{name}", command


def test_no_option_is_forgotten() -> None:
    """Whoever adds an option or an argument that is a text adds it to one of the tables."""
    texts = {
        f"{name} {parameter.opts[-1]}"
        for name, command in commands(cli, click.Context(cli))
        for parameter in command.params
        if isinstance(parameter.type, click.types.StringParamType | click.types.UnprocessedParamType)
    }
    assert texts == READ.keys() | WRITTEN.keys() | NO_FILE
    assert not READ.keys() & NO_FILE


MEASURE = """
import json, os, resource, signal, subprocess, sys, time
begun = time.monotonic()
silent = os.pipe()[0]
process = subprocess.Popen(sys.argv[2:], stdin=silent, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           close_fds=False, start_new_session=True)
try:
    out, _ = process.communicate(timeout=float(sys.argv[1]))
except subprocess.TimeoutExpired:
    os.killpg(process.pid, signal.SIGKILL)
    out, _ = process.communicate()
memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10
print(json.dumps([process.returncode, time.monotonic() - begun, memory, out[-3000:].decode(errors="replace")]))
"""
# What root may read all the same.
AS_NOBODY_ELSE = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search") if os.geteuid() == 0 else ()


def fault(name: str, kind: str, folder: Path) -> str:
    """What is wrong with a run; empty if nothing is."""
    folder.mkdir()
    template, content, beside = NAMED.get(name, (READ.get(name) or WRITTEN.get(name, ""), "", ""))
    with ExitStack() as stack:
        path = folder / "odd"
        if content == "{}":
            path = folder / "in" / beside
            path.parent.mkdir(parents=True)
            if "--root" in template and beside != "dev/kvm":
                (folder / "in/dev").mkdir(exist_ok=True)
                (folder / "in/dev/kvm").symlink_to("/dev/kvm")
        made = KINDS[kind](Place(path, stack))
        if content == "{}":
            if not os.path.lexists(path):
                path.symlink_to(made)
        elif content:
            (folder / beside).write_text(content.format(made))
        (folder / "domain.xml").write_text(DOMAIN)
        names = {"HOST": HOST, "DOMAIN": str(folder / "domain.xml"), "BESIDE": f"{folder}/{beside}"}
        names["IN"] = f"{folder}/in"
        words = [names.get(word, word.format(made)) for word in template.split()]
        numbers = [int(made.rpartition("/")[2])] if made.startswith("/proc/self/fd/") else []
        hvctl = (*(AS_NOBODY_ELSE if kind == "unreadable" else ()), sys.executable, "-m", "hvctl", *words)
        done = subprocess.run(
            [sys.executable, "-S", "-E", "-c", MEASURE, str(2 * SECONDS), *hvctl],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            pass_fds=numbers,
            env={**os.environ, "XDG_CACHE_HOME": f"{folder}/cache", "XDG_STATE_HOME": f"{folder}/state"},
        )
    code, seconds, memory, said = json.loads(done.stdout)
    if code in (0, 1, 2, 3) and seconds < SECONDS and memory < MEGABYTES and "Traceback" not in said:
        return ""
    return f"{name}, {kind}: {' '.join(words)}: exit code {code}, {seconds:.1f} s, {memory} MB\n{said}"


def chosen(seed: int) -> list[tuple[str, str]]:
    """Every command line with one of the kinds, and some with the slow ones; or all with all."""
    names = [*READ, *WRITTEN, *NAMED]
    table = [(name, kind) for name in names for kind in KINDS if name not in WRITTEN or kind not in NOT_WRITTEN]
    if os.environ.get("HVCTL_ODD_FILES") == "all":
        return table
    pick = random.Random(seed)
    pick.shuffle(table)
    quick = [pair for pair in table if pair[1] not in SLOW]
    slow = [pair for pair in table if pair[1] in SLOW]
    return [*slow[:6], *(next(pair for pair in quick if pair[0] == name) for name in names)]


FROM_FILES = ["extends", "hosts of hvctl.toml", "profile of hvctl.toml", "profile of a path"]


@pytest.mark.parametrize("stdin", ["-", "/dev/stdin"])
@pytest.mark.parametrize("name", FROM_FILES)
def test_no_file_makes_hvctl_wait_for_stdin(name: str, stdin: str, tmp_path: Path) -> None:
    template, content, beside = NAMED[name]
    (tmp_path / beside).write_text(content.format(stdin))
    (tmp_path / "domain.xml").write_text(DOMAIN)
    words = [{"DOMAIN": "domain.xml", "BESIDE": beside}.get(word, word) for word in template.split()]
    with subprocess.Popen(
        [sys.executable, "-m", "hvctl", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stderr
        try:
            assert process.wait(SECONDS) == 2
        finally:
            process.kill()


@pytest.mark.timeout(3600)
def test_nothing_that_a_path_can_be_holds_hvctl_up(tmp_path: Path) -> None:
    seed = int(os.environ.get("HVCTL_ODD_SEED") or random.randrange(1 << 32))
    print(f"HVCTL_ODD_SEED={seed}")
    pairs = chosen(seed)
    with ThreadPoolExecutor(4) as pool:
        faults = pool.map(lambda at: fault(*pairs[at], tmp_path / str(at)), range(len(pairs)))
        found = [one for one in faults if one]
    assert not found, f"{len(found)} of {len(pairs)} runs, seed {seed}:\n" + "\n".join(found)
