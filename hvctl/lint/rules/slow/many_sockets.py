"""The guest has more processor sockets than its edition of Windows uses.

## What it does
Counts the sockets of guests that are known to be a Windows whose editions have limits, by libosinfo's id, the profile
or their name. Where no topology is written, libvirt makes a socket of each vCPU, and so does QEMU for machine types up
to 6.1; for later ones it makes one. Which edition it is, nobody can see: what Pro and Standard use is no finding.

## Why it matters
The vCPUs in sockets that an edition does not use stay idle: Windows Home uses one, Pro two, Pro for
Workstations and the Standard editions of Windows Server up to 2008 R2 four.

## Example
```xml
<vcpu>4</vcpu>
<cpu mode='host-passthrough' migratable='on'/>
```

## Use instead
```xml
<vcpu>4</vcpu>
<cpu mode='host-passthrough' migratable='on'>
  <topology sockets='1' cores='4' threads='1'/>
</cpu>
```

## Fix safety
Unsafe: the guest sees another processor.

## Sources
- Microsoft, "Compare Windows editions"; "Windows Server - Sockets, Logical Processors, Symmetric Multi Threading"
- qemu:hw/core/machine-smp.c, machine_parse_smp_config(); observed with QEMU 7.2 by `info hotpluggable-cpus`
- Observed with libvirt 9.0: `virsh domxml-to-native` writes `-smp 4,sockets=4,cores=1,threads=1`
"""

from hvctl.catalog.machines import prefers_sockets
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity
from hvctl.model.guest import Guest, Topology

SEVERITY = Severity.WARNING
OF = "release"


def check(context: Context) -> Findings:
    guest = context.guest
    system, vcpus = guest.release, guest.most_vcpus or guest.vcpus or 1
    assert system, "OF says so"
    if not system.sockets or "topology" in guest.unknown:
        return
    sockets = _sockets(guest, vcpus)
    (edition, most), *others = system.sockets
    if sockets is None or sockets <= most:
        return
    written = "" if guest.topology else ": without a topology each vCPU is one"
    if written and not guest.libvirt:
        written += " up to machine type 6.1"
    rest = ", ".join(f"{name} {number}" for name, number in others)
    message = f"the guest has {sockets} processor sockets, and {system.title} {edition} uses {most} ({rest}){written}"
    cores = str(vcpus // (guest.topology.threads or 1 if guest.topology else 1))
    fix = context.set_fact("topology", cores, "make it one socket")
    place = context.place("topology" if guest.topology else "vcpus")
    yield context.finding(place, message, "write one socket with all cores", fix=fix)


def _sockets(guest: Guest, vcpus: int) -> int | None:
    """How many sockets there will be; None where that is not known, or one."""
    shape = guest.topology or Topology()
    if shape.sockets or guest.libvirt:
        return shape.sockets if guest.topology else vcpus
    # What is left of the vCPUs is cores, and only where these are written sockets; before 6.2 sockets always.
    if shape.cores or prefers_sockets(guest.machine):
        return vcpus // ((shape.dies or 1) * (shape.cores or 1) * (shape.threads or 1))
    return None
