"""`python -m benchmarks`: what hvctl's start costs, beside the imports that it cannot do without.

Each command and its peer run in turn, 20 times after two runs that are not counted; the table holds the medians of the
whole wall time and their ratio, beside the limit. Nothing here is a test: a busy machine prints larger ratios.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

RUNS = 20
# Byte code that is not kept would be compiled anew in every run: a cold cache, which is not what is measured.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
HVCTL = str(Path(sys.executable).with_name("hvctl"))
TESTS = Path(__file__).parent.parent / "tests"
HOST = str(TESTS / "hosts" / "debian-12.json")
MACHINE = str(TESTS / "rules" / "kubevirt-tsc" / "fires.yaml")


class Case(NamedTuple):
    """A command, the import it is compared with, and the largest ratio that is wanted."""

    name: str
    command: tuple[str, ...]
    peer: str
    limit: float


CASES = (
    Case("hvctl --version", (HVCTL, "--version"), "import click", 1.3),
    Case("gen windows-11 --host FILE", (HVCTL, "gen", "windows-11", "--host", HOST), "import click, yaml", 1.4),
    Case(
        "gen windows-11 --libvirt --host FILE",
        (HVCTL, "gen", "windows-11", "--libvirt", "--host", HOST),
        "import click, yaml, lxml.etree",
        1.4,
    ),
    Case("lint vm.yaml", (HVCTL, "lint", MACHINE, "--no-config"), "import click, yaml", 1.5),
    Case("check-host --no-qemu", (HVCTL, "check-host", "--no-qemu"), "import click", 1.5),
)


def seconds(command: tuple[str, ...]) -> float:
    """The wall time of one run."""
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT, check=False)
    return time.perf_counter() - start


def measure(case: Case) -> tuple[float, float]:
    """Median seconds of the command and of its peer, taken in turn."""
    peer = (sys.executable, "-c", case.peer)
    pairs = [(seconds(case.command), seconds(peer)) for _ in range(RUNS + 2)][2:]
    ours, theirs = zip(*pairs, strict=True)
    return statistics.median(ours), statistics.median(theirs)


def launch() -> None:
    """Time from launch to QEMU's exec, over the program alone.

    `/bin/true` stands in for QEMU, and a recorded host for what KVM answers, so that it can be measured on any machine
    with a /dev/kvm; this machine is probed all the same, and the time counted. What QEMU said is remembered.
    """
    command = (sys.executable, "-m", "benchmarks.launch_stand_in", HOST)
    pairs = [(seconds(command), seconds(("/bin/true",))) for _ in range(RUNS + 2)][2:]
    ours, alone = (statistics.median(column) for column in zip(*pairs, strict=True))
    row = f"{'launch, to the exec of QEMU':38} {ours * 1000:6.1f}   {'/bin/true':32} {alone * 1000:6.1f}"
    print(f"{row}  +{(ours - alone) * 1000:.0f} ms (limit 250)")


def main() -> None:
    """Print the table."""
    print(f"{'command':38} {'ms':>6}   {'peer':32} {'ms':>6}  ratio  limit")
    for case in CASES:
        ours, theirs = measure(case)
        ratio = ours / theirs
        mark = "" if ratio <= case.limit else "  over"
        print(
            f"{case.name:38} {ours * 1000:6.1f}   {case.peer:32} {theirs * 1000:6.1f}  "
            f"{ratio:5.2f}  {case.limit:5.2f}{mark}"
        )
    launch()


if __name__ == "__main__":
    main()
