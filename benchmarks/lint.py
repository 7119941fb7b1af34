"""`python -m benchmarks.lint [COUNT]`: what `hvctl lint` costs, beside parsing the same files.

One file: beside the import of click and lxml, which hvctl's other commands cannot do without. Many files, all
different, of 5 to 20 kB, one in five with findings: beside lxml parsing each in one process, and beside xmllint with
libvirt's schema where that is installed. Ratios come from one run, each command in turn. Nothing here is a test.
"""

from __future__ import annotations

import os
import random
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.__main__ import Case
from benchmarks.__main__ import measure as measure_one
from benchmarks.pools import HVCTL, Cost, cost, median

COUNT = 20_000
RUNS = 3
PEER_NAME = "lxml alone"
SCHEMA = "/usr/share/libvirt/schemas/domain.rng"
PEER = (
    "import os,sys\nfrom lxml import etree\nfor e in sorted(os.listdir(sys.argv[1])): etree.parse(sys.argv[1]+'/'+e)\n"
)
ENLIGHTENMENTS = ("runtime", "frequencies", "tlbflush", "ipi", "xmm_input", "emsr_bitmap")
DISK = """\
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='none' io='native' discard='unmap'/>
      <source file='/var/lib/libvirt/images/{name}-{n}.qcow2'/>
      <target dev='vd{letter}' bus='virtio'/>
      <serial>{serial}</serial>
      <address type='pci' domain='0x0000' bus='0x{n:02x}' slot='0x00' function='0x0'/>
    </disk>
    <controller type='pci' index='{n}' model='pcie-root-port'>
      <model name='pcie-root-port'/>
      <target chassis='{n}' port='0x{n:x}'/>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x02' function='0x{function}' multifunction='on'/>
    </controller>
    <interface type='network'>
      <mac address='52:54:00:{mac}'/>
      <source network='default'/>
      <model type='virtio'/>
      <address type='pci' domain='0x0000' bus='0x{m:02x}' slot='0x00' function='0x0'/>
    </interface>
"""
DOMAIN = """\
<domain type='kvm'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <metadata>
    <libosinfo:libosinfo xmlns:libosinfo="http://libosinfo.org/xmlns/libvirt/domain/1.0">
      <libosinfo:os id="http://microsoft.com/win/11"/>
    </libosinfo:libosinfo>
  </metadata>
  <memory unit='KiB'>{memory}</memory>
  <currentMemory unit='KiB'>{memory}</currentMemory>
  <vcpu placement='static'>{vcpus}</vcpu>
  <os>
    <type arch='x86_64' machine='pc-q35-7.2'>hvm</type>
    <loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.ms.fd</loader>
    <nvram>/var/lib/libvirt/qemu/nvram/{name}_VARS.fd</nvram>
  </os>
  <features>
    <acpi/>
    <apic/>
    <hyperv mode='custom'>
      <relaxed state='on'/>
      <vapic state='on'/>
      <spinlocks state='on' retries='{retries}'/>
      <vpindex state='{vpindex}'/>
      <synic state='on'/>
      <stimer state='on'/>
{more}    </hyperv>
  </features>
  <cpu mode='host-passthrough' check='none' migratable='on'>
    <topology sockets='1' dies='1' cores='{vcpus}' threads='1'/>
  </cpu>
  <clock offset='localtime'>
    <timer name='rtc' tickpolicy='catchup'/>
    <timer name='pit' tickpolicy='delay'/>
    <timer name='hpet' present='{hpet}'/>
    <timer name='hypervclock' present='yes'/>
  </clock>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
{devices}  </devices>
</domain>
"""


def generate(folder: Path, count: int) -> None:
    """Write `count` domains, no two alike."""
    dice = random.Random(count)
    for number in range(count):
        (folder / f"win{number:06}.xml").write_text(domain(number, dice))


def domain(number: int, dice: random.Random) -> str:
    """One domain; every fifth has findings."""
    name = f"win{number:06}"
    faulty = number % 5 == 0
    devices = [
        DISK.format(
            name=name,
            n=n,
            m=n + 32,
            letter="abcdefghijklmnopqrstuvwxyz"[n % 26],
            serial=dice.randrange(10**9),
            function=n % 8,
            mac=":".join(f"{dice.randrange(256):02x}" for _ in range(3)),
        )
        for n in range(1, dice.randrange(4, 14))
    ]
    more = [f"      <{one} state='{dice.choice(('on', 'off'))}'/>\n" for one in ENLIGHTENMENTS if dice.random() < 0.7]
    return DOMAIN.format(
        name=name,
        uuid=f"{dice.randrange(16**8):08x}-0000-4000-8000-{number:012x}",
        memory=dice.randrange(1, 64) << 20,
        vcpus=dice.randrange(1, 65),
        retries=dice.randrange(4095, 9000),
        vpindex="off" if faulty and dice.random() < 0.5 else "on",
        hpet="yes" if faulty else "no",
        more="".join(more),
        devices="".join(devices),
    )


def commands(folder: Path) -> dict[str, tuple[str, ...]]:
    """What is measured, by name; the peer is first."""
    lint = (HVCTL, "lint", str(folder), "--no-config", "-q")
    found: dict[str, tuple[str, ...]] = {
        PEER_NAME: (sys.executable, "-c", PEER, str(folder)),
        "lint --jobs 1": (*lint, "--jobs", "1"),
        "lint --jobs 2": (*lint, "--jobs", "2"),
        "lint --jobs 2 --format json": (*lint, "--jobs", "2", "--format", "json"),
    }
    if shutil.which("xmllint") and os.path.exists(SCHEMA):
        script = f"find {folder} -name '*.xml' -print0 | xargs -0 -n 500 xmllint --noout --relaxng {SCHEMA}"
        found["xmllint --relaxng"] = ("/bin/sh", "-c", script)
    return found


def main() -> None:
    """Print the table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    with tempfile.TemporaryDirectory(prefix="hvctl-bench-", dir=os.environ.get("TMPDIR")) as name:
        folder = Path(name)
        generate(folder, count)
        size = sum(path.stat().st_size for path in folder.iterdir())
        one = str(folder / "win000001.xml")
        ours, theirs = measure_one(Case("", (HVCTL, "lint", one), "import click, lxml.etree", 1.5))
        print(f"one file: {ours * 1000:.1f} ms, import click, lxml.etree {theirs * 1000:.1f} ms: {ours / theirs:.2f}")
        print(f"{count} files of {size / count / 1000:.1f} kB")
        compare(commands(folder), count)


def compare(found: dict[str, tuple[str, ...]], count: int) -> None:
    """Print a line for each command; each is compared with the peer right before and behind it, since a machine that
    is shared is slower at times."""
    peer = found.pop(PEER_NAME)
    taken: dict[str, list[tuple[Cost, float]]] = {label: [] for label in found}
    before = cost(peer)
    peers = [before]
    for _ in range(RUNS):
        for label, command in found.items():
            mine, behind = cost(command), cost(peer)
            taken[label].append((mine, (before.seconds + behind.seconds) / 2 / mine.seconds))
            before = behind
            peers.append(before)
    taken = {PEER_NAME: [(one, 1.0) for one in peers], **taken}
    for label, costs in taken.items():
        mine, ratio = median([one for one, _ in costs]), statistics.median(ratio for _, ratio in costs)
        print(
            f"{label:30} {mine.seconds:7.2f} s {count / mine.seconds:8.0f} files/s "
            f"{ratio:5.2f} x lxml's throughput {mine.megabytes:5.0f} MB"
        )


if __name__ == "__main__":
    main()
