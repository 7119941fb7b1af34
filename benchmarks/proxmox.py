"""`python -m benchmarks.proxmox [COUNT]`: what `hvctl lint` costs for configurations of Proxmox VE, beside the command
lines that they stand for.

All are different, of about 1 kB as configurations and 3 kB as command lines, as `qm showcmd --pretty` prints
them; one in five has findings. Ratios come from pairs of runs, one right after the other. Nothing here is a test.
"""

from __future__ import annotations

import os
import random
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.pools import HVCTL, cost
from hvctl.guest.proxmox.cpu import Facts
from hvctl.guest.proxmox.reader import command_line, read_guests

COUNT = 1_000
PAIRS = 5
NODE = Facts("amd", (10, 1))
CONF = """\
agent: 1
{args}bios: ovmf
boot: order=scsi0;ide2;net0
cores: {cores}
cpu: host
efidisk0: local-lvm:vm-{vmid}-disk-0,efitype=4m,pre-enrolled-keys=1,size=4M
ide2: none,media=cdrom
machine: pc-q35-9.2+pve1
memory: {memory}
meta: creation-qemu=9.2.0,ctime={time}
name: {name}
{disks}numa: 0
ostype: {ostype}
scsihw: virtio-scsi-single
smbios1: uuid={uuid}
sockets: 1
tpmstate0: local-lvm:vm-{vmid}-disk-1,size=4M,version=v2.0
vmgenid: {uuid}
"""
DISK_CONF = """\
net{n}: virtio={mac},bridge=vmbr0,firewall=1
scsi{n}: local-lvm:vm-{vmid}-disk-{m},discard=on,iothread=1,size=64G
"""
COMMAND = """\
/usr/bin/kvm \\
  -id {vmid} \\
  -name '{name},debug-threads=on' \\
  -no-shutdown \\
  -chardev 'socket,id=qmp,path=/var/run/qemu-server/{vmid}.qmp,server=on,wait=off' \\
  -mon 'chardev=qmp,mode=control' \\
  -pidfile /var/run/qemu-server/{vmid}.pid \\
  -daemonize \\
  -smbios 'type=1,uuid={uuid}' \\
  -blockdev '{{"driver":"raw","file":{{"driver":"file","filename":"/usr/share/pve-edk2-firmware/OVMF_CODE.fd"}}}}' \\
  -blockdev '{{"driver":"raw","file":{{"driver":"host_device","filename":"/dev/pve/vm-{vmid}-disk-0"}}}}' \\
  -boot 'menu=on,strict=on,reboot-timeout=1000,splash=/usr/share/qemu-server/bootsplash.jpg' \\
  -vnc 'unix:/var/run/qemu-server/{vmid}.vnc,password=on' \\
  -m {memory} \\
  -object 'iothread,id=iothread-virtioscsi0' \\
  -readconfig /usr/share/qemu-server/pve-q35-4.0.cfg \\
  -device 'vmgenid,guid={uuid}' \\
  -device 'usb-tablet,id=tablet,bus=ehci.0,port=1' \\
  -chardev 'socket,id=tpmchar,path=/var/run/qemu-server/{vmid}.swtpm' \\
  -tpmdev 'emulator,id=tpmdev,chardev=tpmchar' \\
  -device 'tpm-tis,tpmdev=tpmdev' \\
  -device 'VGA,id=vga,bus=pcie.0,addr=0x1,edid=off' \\
  -device 'virtio-serial,id=qga0,bus=pci.0,addr=0x8' \\
  -iscsi 'initiator-name=iqn.1993-08.org.debian:01:{time}' \\
{disks}{decides}"""
DISK_COMMAND = """\
  -device 'virtio-scsi-pci,id=virtioscsi{n},bus=pci.3,addr=0x{n:x},iothread=iothread-virtioscsi{n}' \\
  -blockdev '{{"driver":"raw","file":{{"driver":"host_device","filename":"/dev/pve/vm-{vmid}-disk-{m}"}}}}' \\
  -device 'scsi-hd,bus=virtioscsi{n}.0,channel=0,scsi-id=0,lun={n},drive=drive-scsi{n},id=scsi{n},bootindex=10{n}' \\
  -netdev 'type=tap,id=net{n},ifname=tap{vmid}i{n},script=/usr/libexec/qemu-server/pve-bridge,vhost=on' \\
  -device 'virtio-net-pci,mac={mac},netdev=net{n},bus=pci.0,addr=0x1{n},id=net{n},host_mtu=1500' \\
"""


def generate(folder: Path, count: int) -> None:
    """Write `count` configurations to `conf/`, and the command lines that they stand for to `args/`."""
    dice = random.Random(count)
    for name in ("conf", "args"):
        (folder / name).mkdir()
    for vmid in range(100, 100 + count):
        conf, command = guest(vmid, dice)
        (folder / "conf" / f"{vmid}.conf").write_text(conf)
        (folder / "args" / f"{vmid}.args").write_text(command)


def guest(vmid: int, dice: random.Random) -> tuple[str, str]:
    """One guest as both; every fifth throws away what Proxmox VE adds."""
    facts = {
        "vmid": vmid,
        "name": f"guest{vmid}",
        "uuid": f"{dice.randrange(16**8):08x}-0000-4000-8000-{vmid:012x}",
        "cores": dice.randrange(1, 33),
        "memory": dice.randrange(4, 64) << 10,
        "time": dice.randrange(10**9),
        "ostype": dice.choice(("win10", "win11")),
        "args": "args: -cpu host,kvm=off\n" if vmid % 5 == 0 else "",
    }
    disks = [
        {"vmid": vmid, "n": n, "m": n + 2, "mac": ":".join(f"{dice.randrange(256):02X}" for _ in range(6))}
        for n in range(dice.randrange(1, 5))
    ]
    conf = CONF.format(**facts, disks="".join(DISK_CONF.format(**disk) for disk in disks))
    words = [*command_line(read_guests(conf, "x", facts=NODE)[0]), *(["-cpu", "host,kvm=off"] if facts["args"] else [])]
    decides = " \\\n".join(f"  {option} '{value}'" for option, value in zip(words[::2], words[1::2], strict=True))
    shown = "".join(DISK_COMMAND.format(**disk) for disk in disks)
    return conf, COMMAND.format(**facts, disks=shown, decides=f"{decides}\n")


def main() -> None:
    """Print the table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    with tempfile.TemporaryDirectory(prefix="hvctl-bench-", dir=os.environ.get("TMPDIR")) as name:
        folder = Path(name)
        generate(folder, count)
        for kind in ("conf", "args"):
            size = sum(path.stat().st_size for path in (folder / kind).iterdir())
            print(f"{count} files *.{kind} of {size / count / 1000:.1f} kB")
        for jobs in (("--jobs", "1"), ()):
            compare(folder, count, jobs)


def compare(folder: Path, count: int, jobs: tuple[str, ...]) -> None:
    """Print what pairs of runs took."""
    pairs = []
    for _ in range(PAIRS):
        conf, args = (
            cost((HVCTL, "lint", str(folder / kind), "--no-config", "-q", *jobs)).seconds for kind in ("conf", "args")
        )
        pairs.append((conf, args))
    conf, args = (statistics.median(pair[place] for pair in pairs) for place in (0, 1))
    ratio = statistics.median(other / mine for mine, other in pairs)
    print(
        f"lint {' '.join(jobs) or '(default)':10} *.conf {conf:6.2f} s {count / conf:6.0f} files/s   "
        f"*.args {args:6.2f} s {count / args:6.0f} files/s   {ratio:5.2f} x the throughput of command lines"
    )


if __name__ == "__main__":
    main()
