"""The domain of the probe guest: what is taken of another one, and that nothing else is."""

from __future__ import annotations

import pytest
from lxml import etree

from hvctl.errors import InputError
from hvctl.guest.domain.reader import read_domain
from hvctl.verify.probe_subject import Boot, arguments, emulator, probe_domain, vcpus
from hvctl.xml.document import Document
from hvctl.xml.reader import parse
from tests.made_guests import facts

WHOLE = """\
<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0' xmlns:x='urn:x'>
  <name>mine</name><uuid>9d8f4f1e-3b6c-4c3a-9a56-0f6d5b4c8a11</uuid><metadata><x:note>hi</x:note></metadata>
  <memory unit='GiB'>8</memory><memoryBacking><hugepages/></memoryBacking>
  <vcpu placement='static' cpuset='0-1' current='2'>4</vcpu><cputune><vcpupin vcpu='0' cpuset='1'/></cputune>
  <os firmware='efi'><type arch='x86_64' machine='pc-q35-7.2'>hvm</type><loader secure='yes'/><boot dev='hd'/></os>
  <features>
    <acpi/><vmcoreinfo state='on'/><ioapic driver='qemu'/>
    <hyperv mode='custom'>
      <!-- seen by nobody --><relaxed state='on'/><vendor_id state='on' value='a&amp;&lt;b'/><x:odd state='on'/>
    </hyperv>
  </features>
  <cpu mode='custom' match='exact'>
    <model fallback='forbid'>EPYC</model><topology sockets='1' cores='4' threads='1'/>
    <feature policy='require' name='invtsc'/><numa><cell id='0' cpus='0-3' memory='8' unit='GiB'/></numa>
  </cpu>
  <clock offset='localtime'><timer name='hypervclock' present='yes'/></clock>
  <on_reboot>restart</on_reboot>
  <launchSecurity type='sev'/>
  <devices>
    <emulator>/usr/bin/qemu-kvm</emulator>
    <disk type='file'><source file='/secret'/><target dev='vda'/></disk>
    <serial type='tcp'><source mode='connect' host='192.0.2.1' service='1'/></serial>
    <hostdev mode='subsystem' type='pci'/><panic model='hyperv'/><panic model='isa'/>
  </devices>
  <qemu:commandline><qemu:arg value='-drive'/><qemu:arg value='file=/secret'/><qemu:env name='A' value='b'/>
  </qemu:commandline>
</domain>
"""
BOOT = Boot("probe", "/image", "/pipe")


def document(text: str = WHOLE) -> Document:
    return parse(text.encode(), "mine.xml")


def made(boot: Boot = BOOT, text: str = WHOLE) -> etree._Element:
    return etree.fromstring(probe_domain(document(text), boot))


def test_all_of_it() -> None:
    assert (
        probe_domain(document(), BOOT._replace(arguments=("-global", "cpu.hv-time=on"), emulator="/trusted/qemu"))
        == """\
<domain xmlns:qemu="http://libvirt.org/schemas/domain/qemu/1.0" type="kvm">
  <name>probe</name>
  <memory unit="MiB">64</memory>
  <vcpu current="2">4</vcpu>
  <os>
    <type arch="x86_64" machine="pc-q35-7.2">hvm</type>
    <loader readonly="yes" type="rom">/image</loader>
  </os>
  <features>
    <acpi/>
    <ioapic driver="qemu"/>
    <hyperv mode="custom">
      <relaxed state="on"/>
      <vendor_id state="on" value="a&amp;&lt;b"/>
    </hyperv>
  </features>
  <cpu mode="custom" match="exact">
    <model fallback="forbid">EPYC</model>
    <topology sockets="1" cores="4" threads="1"/>
    <feature policy="require" name="invtsc"/>
  </cpu>
  <clock offset="localtime">
    <timer name="hypervclock" present="yes"/>
  </clock>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>destroy</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <emulator>/trusted/qemu</emulator>
    <panic model="hyperv"/>
    <controller type="usb" model="none"/>
    <serial type="pipe">
      <source path="/pipe"/>
      <target type="isa-debug" port="0">
        <model name="isa-debugcon"/>
      </target>
      <address type="isa" iobase="0x402"/>
    </serial>
    <memballoon model="none"/>
  </devices>
  <qemu:commandline>
    <qemu:arg value="-global"/>
    <qemu:arg value="cpu.hv-time=on"/>
  </qemu:commandline>
</domain>
"""
    )


def test_the_guest_is_the_same() -> None:
    theirs = read_domain(WHOLE.encode(), "mine")
    assert theirs.enabled()
    ours = read_domain(probe_domain(document(), BOOT).encode(), "probe")
    assert facts(ours, "settings", "firmware") == facts(theirs, "settings", "firmware")
    assert ours.enabled() == theirs.enabled()
    assert (ours.label, ours.doubts) == ("probe", ())
    assert made().find("devices/emulator") is None


def test_other_vcpus_have_no_layout() -> None:
    found = made(BOOT._replace(vcpus=3))
    assert (found.findtext("vcpu"), found.find("vcpu").attrib) == ("3", {})  # type: ignore[union-attr]
    assert found.find("cpu/topology") is None
    assert found.find("cpu/feature") is not None


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("<vcpu>2</vcpu>", (2, 2)),
        ("<vcpu current='1'> 8 </vcpu>", (1, 8)),
        ("<vcpu current='9'>8</vcpu>", (8, 8)),
        ("<vcpu>100</vcpu>", (64, 64)),
        ("<vcpu>2</vcpu><vcpu>5</vcpu>", (2, 2)),
        ("<vcpu>0</vcpu>", (1, 1)),
        ("<vcpu>many</vcpu>", (1, 1)),
        ("<vcpu current='-1'/>", (1, 1)),
        ("", (1, 1)),
    ],
)
def test_how_many_vcpus(written: str, found: tuple[int, int]) -> None:
    assert vcpus(document(f"<domain>{written}</domain>")) == found


def test_what_stands_beside() -> None:
    assert arguments(document()) == ("-drive", "file=/secret")
    assert emulator(document()) == "/usr/bin/qemu-kvm"
    nothing = document("<domain/>")
    assert (arguments(nothing), emulator(nothing)) == ((), None)


def test_what_is_no_domain() -> None:
    with pytest.raises(InputError):
        probe_domain(document("<network/>"), BOOT)
