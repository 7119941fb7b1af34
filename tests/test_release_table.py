"""Every release of Windows, with each firmware, with and without a GPU and a hypervisor inside: what lint says of a
domain without enlightenments, what `gen --domain` gives it, and that lint has nothing to say afterwards.

HVCTL_GOLDEN=write writes tests/golden/releases.txt anew; look at the difference.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

from hvctl import api
from hvctl.catalog.windows import GPU, SYSTEMS, System
from hvctl.errors import RefusedError
from hvctl.guest.syntax import DOMAIN
from hvctl.host.host_file import read_host
from hvctl.lint.engine import Job, choose, lint
from hvctl.lint.rule import Facts, all_rules
from hvctl.model.host import Host
from hvctl.model.profile import Profile
from tests.paths import HOSTS, ROOT

TABLE = ROOT / "tests" / "golden" / "releases.txt"
NESTED = "nested-hyperv"
TEXT = """\
<domain type='kvm'>
  <name>guest</name>
  <metadata>
    <libosinfo:libosinfo xmlns:libosinfo="http://libosinfo.org/xmlns/libvirt/domain/1.0">
      <libosinfo:os id="http://microsoft.com/win/{release}"/>
    </libosinfo:libosinfo>
  </metadata>
  <vcpu>4</vcpu>
  <os{firmware}>
    <type arch='x86_64' machine='{machine}'>hvm</type>
  </os>
  <features>
    <acpi/>
  </features>
  <cpu mode='host-passthrough' check='none' migratable='on'>
    <topology sockets='1' cores='4' threads='1'/>{nested}
  </cpu>
  <clock offset='utc'/>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>{gpu}
  </devices>
</domain>
"""
FEATURE = "\n    <feature policy='require' name='svm'/>"
HOSTDEV = """
    <hostdev mode='subsystem' type='pci' managed='yes'>
      <source>
        <address domain='0x0000' bus='0x01' slot='0x00' function='0x0'/>
      </source>
    </hostdev>"""


def domain(system: System, firmware: str, *, gpu: bool, nested: bool) -> bytes:
    return TEXT.format(
        release=system.libosinfo[0],
        firmware=" firmware='efi'" if firmware == "uefi" else "",
        machine="pc-i440fx-7.2" if system.machine == "pc" else "pc-q35-7.2",
        nested=FEATURE if nested else "",
        gpu=HOSTDEV if gpu else "",
    ).encode()


def rules(data: bytes, host: Host, profile: Profile | None) -> str:
    job = Job(choose(all_rules()), Facts((host,), profile))
    return " ".join(sorted({finding.rule for finding in lint(data, "guest.xml", DOMAIN, job).findings}))


def rows(host: Host) -> Iterator[str]:
    for system in SYSTEMS:
        if not system.libosinfo:
            continue
        for firmware, gpu, nested in itertools.product(("bios", "uefi"), (False, True), (False, True)):
            profile = api.load_profile(system.profile or system.id)
            uses = (*profile.uses, *([GPU] if gpu else []), *([NESTED] if nested else []))
            profile = profile._replace(uses=tuple(dict.fromkeys(uses)))
            data = domain(system, firmware, gpu=gpu, nested=nested)
            kind = f"{system.id} {firmware}{' gpu' if gpu else ''}{' nested' if nested else ''}"
            yield f"{kind}\n  lint: {rules(data, host, None)}"
            try:
                edited = api.edit_domain(data, profile, (host,))
            except RefusedError as error:
                yield f"  refused: {error}"
                continue
            yield f"  gives: {' '.join(one.id for one in edited.plan.enabled())}"
            assert [rules(edited.after, host, one) for one in (None, profile)] == ["", ""], kind


def test_every_kind_of_guest() -> None:
    text = "\n".join(rows(read_host(str(HOSTS / "debian-13.json")))) + "\n"
    if os.environ.get("HVCTL_GOLDEN") == "write":
        TABLE.write_text(text)
    assert TABLE.read_text() == text
