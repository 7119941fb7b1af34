"""A libvirtd of the test's own in the testbed, and domains that run a few bytes of firmware."""

from __future__ import annotations

import contextlib
import os
import signal
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import libvirt

from hvctl.model.host import CpuidLeaf
from tests.realkvm import cpuid_firmware
from tests.realkvm.real import SETTINGS, add_libvirt_user

URI = "qemu:///system"
# Looking without writing goes through a socket of its own, on which this daemon wants a ticket that nobody has.
READ_ONLY_THROUGH_RW = "qemu+unix:///system?socket=/run/libvirt/libvirt-sock"
_SOCKETS = (Path("/run/libvirt/libvirt-sock"), Path("/run/libvirt/libvirt-sock-ro"))
_DAEMON = 'auth_unix_rw = "none"\nauth_unix_ro = "sasl"\n'
DOMAIN = """\
<domain type='kvm'>
  <name>{name}</name>
  <memory unit='MiB'>32</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='{machine}'>hvm</type>
    <loader readonly='yes' type='rom'>{firmware}</loader>
  </os>
  <!-- a comment that libvirt does not keep -->
  <cpu mode='host-passthrough'/>
  <devices>
    <serial type='file'>
      <source path='{output}'/>
      <target type='isa-debug' port='0'><model name='isa-debugcon'/></target>
      <address type='isa' iobase='0x402'/>
    </serial>
    <memballoon model='none'/>
    <controller type='usb' model='none'/>
  </devices>
</domain>
"""


class Daemon:
    """A running libvirtd and a connection to it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.connection = libvirt.open(URI)

    def definition(self, name: str) -> str:
        flags = libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE
        return str(self.connection.lookupByName(name).XMLDesc(flags))

    def running(self, name: str) -> bool:
        """Whether the guest runs: a domain that is being started is active before, and paused."""
        flags = libvirt.VIR_CONNECT_LIST_DOMAINS_RUNNING
        return any(domain.name() == name for domain in self.connection.listAllDomains(flags))


@contextlib.contextmanager
def daemon() -> Iterator[Daemon]:
    """The system's daemon; its files are in the testbed's memory."""
    add_libvirt_user()
    Path("/etc/libvirt").mkdir(exist_ok=True)
    Path("/etc/libvirt/qemu.conf").write_text(SETTINGS)
    Path("/etc/libvirt/libvirtd.conf").write_text(_DAEMON)
    Path("/etc/sasl2").mkdir(exist_ok=True)
    Path("/etc/sasl2/libvirt.conf").write_text("mech_list: gssapi\n")
    for path in _SOCKETS:
        path.unlink(missing_ok=True)
    with subprocess.Popen(["libvirtd"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        end = time.monotonic() + 60
        while not all(path.exists() for path in _SOCKETS) and time.monotonic() < end:
            time.sleep(0.1)
        found = Daemon(process)
        try:
            yield found
        finally:
            _end(found)


def _end(found: Daemon) -> None:
    """End the domains and the daemon; a test may have ended it already."""
    with contextlib.suppress(libvirt.libvirtError):
        for domain in found.connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE):
            domain.destroy()
        found.connection.close()
    for path in Path("/run/libvirt/qemu").glob("*.pid"):
        with contextlib.suppress(OSError, ValueError):
            os.kill(int(path.read_text()), signal.SIGKILL)
    found.process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        found.process.wait(20)
    found.process.kill()


def leaves_of(output: Path, *, limit: float = 60.0) -> dict[int, CpuidLeaf]:
    """What the CPUID firmware has written, once all of it is there."""
    size = 16 * len(cpuid_firmware.LEAVES)
    end = time.monotonic() + limit
    while not output.exists() or output.stat().st_size < size:
        assert time.monotonic() < end, f"the guest wrote {output.stat().st_size if output.exists() else 0} bytes"
        time.sleep(0.05)
    numbers = struct.unpack(f"<{4 * len(cpuid_firmware.LEAVES)}I", output.read_bytes()[:size])
    rows = zip(cpuid_firmware.LEAVES, zip(*[iter(numbers)] * 4, strict=True), strict=True)
    return {leaf: CpuidLeaf(leaf, *registers) for leaf, registers in rows}
