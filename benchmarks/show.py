"""`python -m benchmarks.show`: what `hvctl show` of 1,000 domains costs, beside fetching their XML.

The domains are those of a libvirt test driver, read from a file: every one with its own name, disk, network address
and metadata like OpenStack's, in 60 kinds (Windows release, enlightenments, size). The peer is a Python process that
opens the same connection, lists the domains and fetches the XML of each. Both run in turn; the medians of whole
processes count.
"""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

from hvctl.catalog import ROWS
from hvctl.catalog.placement import HypervElement
from hvctl.catalog.windows import SYSTEMS
from hvctl.host.libvirt_schema import read_libvirt

DOMAINS, KINDS, RUNS, LIMIT = 1000, 60, 7, 1.3
HVCTL = str(Path(sys.executable).with_name("hvctl"))
PEER = "import libvirt,sys\nc=libvirt.openReadOnly(sys.argv[1])\nfor d in c.listAllDomains(): d.XMLDesc()"
DOMAIN = """\
<domain type='test'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <metadata>
    <libosinfo:libosinfo xmlns:libosinfo='http://libosinfo.org/xmlns/libvirt/domain/1.0'>
      <libosinfo:os id='http://microsoft.com/win/{system}'/>
    </libosinfo:libosinfo>
    <nova:instance xmlns:nova='http://openstack.org/xmlns/libvirt/nova/1.1'>
      <nova:name>{name}</nova:name>
      <nova:creationTime>2024-01-01 00:00:{number:05}</nova:creationTime>
    </nova:instance>
  </metadata>
  <memory unit='GiB'>{memory}</memory>
  <vcpu>{cpus}</vcpu>
  <os><type arch='x86_64'>hvm</type></os>
  <features><acpi/><apic/><hyperv mode='custom'>{hyperv}</hyperv></features>
  <cpu mode='host-passthrough'><topology sockets='1' cores='{cpus}' threads='1'/></cpu>
  <clock offset='localtime'>
    <timer name='rtc' tickpolicy='catchup'/><timer name='pit' tickpolicy='delay'/>
    <timer name='hpet' present='no'/><timer name='hypervclock' present='yes'/>
  </clock>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='none' io='native' discard='unmap'/>
      <source file='/var/lib/libvirt/images/{name}.qcow2'/><target dev='vda' bus='virtio'/>
    </disk>
    <interface type='network'>
      <mac address='52:54:00:00:{high:02x}:{low:02x}'/><source network='default'/><model type='virtio'/>
    </interface>
    <serial type='pty'/><console type='pty'/><input type='tablet' bus='usb'/>
    <graphics type='spice'/><video><model type='qxl'/></video><memballoon model='virtio'/>
  </devices>
</domain>
"""


def kind(dice: random.Random, known: tuple[str, ...]) -> dict[str, object]:
    """What the domains of one kind have in common."""
    places = [place for row in ROWS if isinstance(place := row.libvirt, HypervElement) and place.path in known]
    chosen = [place for place in places if not (place.inside or place.attribute) and dice.random() < 0.8]
    return {
        "system": dice.choice([short for guest in SYSTEMS for short in guest.libosinfo]),
        "memory": dice.choice((4, 8, 16, 64)),
        "cpus": dice.choice((2, 4, 8)),
        "hyperv": "".join(f"<{place.path} state='on'/>" for place in chosen),
    }


def generate(path: Path) -> None:
    """Write the test driver's file."""
    dice = random.Random(4)
    libvirt = read_libvirt("/")
    kinds = [kind(dice, libvirt.elements if libvirt else ()) for _ in range(KINDS)]
    with path.open("w") as stream:
        stream.write("<node>\n")
        for number in range(DOMAINS):
            own = {"number": number, "name": f"win-{number:04}", "high": number >> 8, "low": number & 255}
            identity = str(uuid.UUID(int=dice.getrandbits(128), version=4))
            stream.write(DOMAIN.format(**own, **dice.choice(kinds), uuid=identity))
        stream.write("</node>\n")


def seconds(*command: str) -> float:
    """The wall time of one run."""
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def main() -> None:
    """Print the ratio."""
    with tempfile.TemporaryDirectory(prefix="hvctl-bench-") as folder:
        path = Path(folder) / "node.xml"
        generate(path)
        uri = f"test://{path}"
        pairs = [
            (seconds(HVCTL, "show", "--connect", uri), seconds(sys.executable, "-c", PEER, uri)) for _ in range(RUNS)
        ]
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = ours / theirs
    over = "  over" if ratio > LIMIT else ""
    print(
        f"show of {DOMAINS} domains {ours:6.2f} s   fetching their XML {theirs:6.2f} s   "
        f"{ratio:5.2f} (limit {LIMIT}){over}"
    )


if __name__ == "__main__":
    main()
