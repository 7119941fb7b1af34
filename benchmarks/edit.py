"""`python -m benchmarks.edit`: putting a plan into a domain file, beside lxml's parse and serialise of it.

The files are domains of the sizes that libvirt's dumps have, most of each its devices; the plan changes a third of the
hyperv block and the clock. The edit itself costs the same in each.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from lxml import etree

from hvctl.guest.domain.edit import edit_domain
from hvctl.guest.domain.writer import domain
from hvctl.host.host_file import read_host
from hvctl.model.plan import Plan
from hvctl.plan.resolve import resolve
from hvctl.profile.reader import load_profile
from hvctl.xml.reader import parse

RUNS = 300
LIMIT = 2.0
HOST = Path(__file__).parent.parent / "tests" / "hosts" / "debian-13.json"
DISK = """\
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='none' discard='unmap'/>
      <source file='/var/lib/libvirt/images/disk{0}.qcow2'/>
      <target dev='vd{0}' bus='virtio'/>
      <address type='pci' domain='0x0000' bus='0x04' slot='0x{0:02}' function='0x0'/>
    </disk>
"""


def seconds(work: Callable[[], object]) -> float:
    """The wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Print a line for each size."""
    gc.set_threshold(100_000)  # as hvctl.__main__
    host = read_host(str(HOST))
    plan = resolve(load_profile("windows-11"), (host,), libvirt=True)
    other = resolve(load_profile("windows-7"), (host,), libvirt=True)
    for disks in (12, 32, 70):
        measure(plan, domain(other), "".join(DISK.format(number) for number in range(disks)))


def measure(plan: Plan, without: str, disks: str) -> None:
    """Print the line of one file."""
    text = without.replace("</domain>", f"  <devices>\n{disks}  </devices>\n</domain>")
    data = text.encode()

    def edit() -> bytes:
        document = parse(data, "x", shallow=True)
        edited = edit_domain(document, plan)
        # lxml's tree is gone at once, too.
        document.release()
        return edited

    def peer() -> bytes:
        return etree.tostring(etree.fromstring(data))

    assert edit() != data
    pairs = [(seconds(edit), seconds(peer)) for _ in range(RUNS)]
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    over = "  over" if ours > LIMIT * theirs else ""
    print(
        f"edit {len(data) / 1000:.1f} kB: {ours * 1e6:.0f} us, lxml parse and serialise {theirs * 1e6:.0f} us, "
        f"ratio {ours / theirs:.2f} (limit {LIMIT}){over}"
    )


if __name__ == "__main__":
    main()
