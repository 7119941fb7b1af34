"""The guest has more processor sockets than its edition of Windows uses.

## What it does
Counts the sockets of guests that are known to be a Windows for clients, by libosinfo's id, the profile or their name.
Where no topology is written, libvirt makes a socket of each vCPU.

## Why it matters
The Home editions use one processor, the others two: the vCPUs in further sockets stay idle.

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
- Microsoft, "Compare Windows editions"
- Observed with libvirt 9.0: `virsh domxml-to-native` writes `-smp 4,sockets=4,cores=1,threads=1`
"""

from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.WARNING

_OTHER_EDITIONS = 2


def check(context: Context) -> Findings:
    guest = context.guest
    system, vcpus = guest.release, guest.most_vcpus or guest.vcpus or 1
    if system is None or system.sockets is None or "topology" in guest.unknown:
        return
    sockets = guest.topology.sockets if guest.topology else vcpus if guest.libvirt else None
    if sockets is None or sockets <= system.sockets:
        return
    idle = "other editions two" if sockets > _OTHER_EDITIONS else "only other editions both"
    written = "" if guest.topology else ": without a topology each vCPU is one"
    message = f"the guest has {sockets} processor sockets, of which {system.title} Home uses one, {idle}{written}"
    cores = str(vcpus // (guest.topology.threads or 1 if guest.topology else 1))
    fix = context.set_fact("topology", cores, "make it one socket")
    severity = Severity.WARNING if sockets > _OTHER_EDITIONS else Severity.INFO
    place = context.place("topology" if guest.topology else "vcpus")
    yield context.finding(place, message, "write one socket with all cores", severity=severity, fix=fix)
