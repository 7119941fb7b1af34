"""`python -m benchmarks.verify`: what `hvctl verify` takes, beside QEMU alone with the same guest.

Both run in turn. Where this machine's KVM has no Hyper-V emulation, QEMU's emulator runs the guest, which then sees
none and has little to do: nearly all of that is QEMU's own start, and the ratio is not the one that is limited. That
is measured in the testbed: `python -m tests.testbed run -- python3 -m benchmarks.verify`.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import time

from benchmarks.__main__ import ENVIRONMENT, HVCTL
from hvctl.errors import HostError
from hvctl.host.probe import probe_host
from hvctl.verify.probe_run import FINISHED, start

RUNS = 7
LIMIT = 1.5
TIMEOUT = 60.0
PROFILE = ("windows-11", "--vcpus", "1")
# What QEMU up to 7.2 does not refuse under TCG.
EMULATED = ("--vcpus", "1", "--", "-accel", "tcg", "-machine", "q35", "-cpu", "max,hv_relaxed=on,hv_time=on")


def has_hyperv() -> bool:
    """Whether this machine's KVM emulates Hyper-V."""
    try:
        return probe_host(with_qemu=False, with_libvirt=False).kvm.hyperv is True
    except HostError:
        return False


def verified(words: tuple[str, ...]) -> tuple[float, list[str]]:
    """The seconds of one `hvctl verify`, and the command line that it gave QEMU."""
    command = (HVCTL, "verify", "-q", "--format", "json", "--timeout", f"{TIMEOUT:g}", *words)
    begin = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    seconds = time.perf_counter() - begin
    if done.returncode not in (0, 1) or not done.stdout:
        raise SystemExit(done.stderr)
    return seconds, json.loads(done.stdout)["argv"]


def bare(argv: list[str]) -> float:
    """The seconds of QEMU alone, from its start to its end."""
    with start(argv) as guest:
        ran = guest.finish(TIMEOUT)
    if ran.status not in (0, FINISHED):
        raise SystemExit("\n".join(ran.stderr))
    return ran.seconds


def main() -> None:
    """Print both medians, and the median of the ratios."""
    real = has_hyperv()
    words = PROFILE if real else EMULATED
    verified(words)  # QEMU's answers are remembered from here on
    rows = []
    for _ in range(RUNS):
        whole, argv = verified(words)
        rows.append((whole, alone := bare(argv), whole / alone))
    whole, alone, ratio = (statistics.median(column) for column in zip(*rows, strict=True))
    mark = "" if not real or ratio <= LIMIT else "  over"
    where = "KVM" if real else "QEMU's emulator, without Hyper-V"
    row = f"{'verify ' + PROFILE[0]:38} {whole * 1000:6.0f}   {'QEMU alone':32} {alone * 1000:6.0f}"
    print(f"{row}  {ratio:5.2f}  {LIMIT:5.2f}{mark}  ({where})")


if __name__ == "__main__":
    main()
