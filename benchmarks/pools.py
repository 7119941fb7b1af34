"""`python -m benchmarks.pools [SIZE]...`: what a pool of many host files costs, beside parsing the same files.

Host files, and raw records, are generated from the recorded ones: eight classes (kernels, QEMUs), every host with its
own name and TSC frequency. The peer reads each file and hands it to `json.loads`, in a process of its own, in turn with
hvctl's. The sizes 10 1000 10000 100000 show that the cost is linear; the last needs 8 GB in the temporary folder.
"""

from __future__ import annotations

import json
import os
import random
import runpy
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

RUNS = 3
SIZES = (10_000,)
# Below, the start of two Pythons is compared.
COUNTS_FROM = 10_000
MOST_MEGABYTES = 150
HVCTL = str(Path(sys.executable).with_name("hvctl"))
ROOT = Path(__file__).parent.parent
HOSTS, RECORDS = ROOT / "tests" / "hosts", ROOT / "tests" / "records"
# As the collector writes a record.
LINES = runpy.run_path(str(ROOT / "hvctl" / "data" / "hvctl-collect"))["lines"]
# Of hosts that differ, with what Windows 11 needs.
CPU = "cpu: {model: qemu64, features: {sse4.2: on, popcnt: on}}\n"
PEER = (
    "import json,sys,os\nfor entry in os.scandir(sys.argv[1]):\n with open(entry.path,'rb') as f: json.loads(f.read())"
)


class Case(NamedTuple):
    """A command over a folder of host files, and the largest ratio to the peer that is wanted."""

    name: str
    words: tuple[str, ...]
    limit: float


class Cost(NamedTuple):
    """Wall seconds and peak memory in MB of one process."""

    seconds: float
    megabytes: float


def generate(folder: Path, count: int, *, raw: bool) -> None:
    """Write `count` host files, or raw records, of eight classes."""
    dice = random.Random(count)
    texts = [raw_variant(number) if raw else variant(number) for number in range(8)]
    unit = 1000 if raw else 1
    for number in range(count):
        text = texts[number % 8].replace('"NAME"', f'"node{number:06}"')
        text = text.replace('"TSC"', str((2_596_150_000 + dice.randrange(100_000)) // unit))
        (folder / f"node{number:06}.json").write_text(text)


def variant(number: int) -> str:
    """A host file with other words in the places of its name and its TSC frequency."""
    document = json.loads((HOSTS / f"debian-{12 + number % 2}.json").read_text())
    document["name"] = "NAME"
    document["hardware"]["tsc_hz"] = "TSC"
    document["kvm"]["release"] = f"6.{number}.0"
    return json.dumps(document, indent=2)


def raw_variant(number: int) -> str:
    """The same of a raw record, in kHz."""
    document = json.loads((RECORDS / f"debian-{12 + number % 2}.json").read_text())
    document["name"] = "NAME"
    document["kvm"]["tsc_khz"] = "TSC"
    document["files"]["osrelease"] = f"6.{number}.0"
    return str(LINES(document))


def cost(command: tuple[str, ...]) -> Cost:
    """Run a command once, its output thrown away."""
    script = "import os,resource,subprocess,sys,time\nt=time.perf_counter()\n"
    script += "subprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL,stderr=subprocess.DEVNULL)\n"
    script += "print(time.perf_counter()-t,resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss/1024)"
    done = subprocess.run([sys.executable, "-c", script, *command], capture_output=True, text=True, check=True)
    seconds, megabytes = done.stdout.split()
    return Cost(float(seconds), float(megabytes))


def median(costs: list[Cost]) -> Cost:
    """The median of each column."""
    return Cost(*(statistics.median(column) for column in zip(*costs, strict=True)))


def cases(folder: Path, lock: Path, *, raw: bool) -> tuple[Case, ...]:
    """The commands of one size."""
    if raw:
        return (Case("pool, raw records", ("pool", str(folder)), 2.5),)
    return (
        Case("pool", ("pool", str(folder)), 2.5),
        Case("gen windows-11", ("gen", str(lock.with_suffix(".yaml")), "--host", str(folder)), 2.5),
        Case("check-migration", ("check-migration", str(lock), "--to", str(folder)), 3.0),
    )


def measure(size: int, scratch: Path, *, raw: bool) -> None:
    """Print the rows of one size."""
    folder = scratch / f"{size}-{raw}"
    folder.mkdir()
    generate(folder, size, raw=raw)
    lock = scratch / "plan.lock"
    for case in cases(folder, lock, raw=raw):
        pairs = [(cost((sys.executable, "-c", PEER, str(folder))), cost((HVCTL, *case.words))) for _ in range(RUNS)]
        peer, ours = (median(list(column)) for column in zip(*pairs, strict=True))
        ratio = ours.seconds / peer.seconds
        much = ratio > case.limit or ours.megabytes > MOST_MEGABYTES
        over = " over" if much and size >= COUNTS_FROM else ""
        print(
            f"{size:>7}  {case.name:17} {ours.seconds:8.2f} s  json.loads {peer.seconds:7.2f} s  "
            f"{ratio:5.2f} (limit {case.limit}) {ours.megabytes:5.0f} MB (limit {MOST_MEGABYTES}) "
            f"{ours.seconds / size * 1e6:7.0f} us/host{over}",
            flush=True,
        )


def lock_plan(scratch: Path) -> None:
    """A profile and its locked plan, for two of the classes."""
    profile = scratch / "plan.yaml"
    profile.write_text("version: 1\nname: bench\nextends: windows-11\n" + CPU)
    hosts: list[Any] = [word for name in ("debian-12", "debian-13") for word in ("--host", str(HOSTS / f"{name}.json"))]
    command = [HVCTL, "gen", str(profile), *hosts, "--lock", str(scratch / "plan.lock"), "-q"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    """Print the table for the sizes on the command line."""
    sizes = tuple(int(word) for word in sys.argv[1:]) or SIZES
    with tempfile.TemporaryDirectory(prefix="hvctl-bench-", dir=os.environ.get("TMPDIR")) as name:
        scratch = Path(name)
        lock_plan(scratch)
        for size in sizes:
            measure(size, scratch, raw=False)
            measure(size, scratch, raw=True)


if __name__ == "__main__":
    main()
