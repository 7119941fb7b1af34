"""avic is on, and a host has no APICv or AVIC.

## What it does
Looks at the KVM modules of the hosts: kvm_intel enable_apicv, kvm_amd avic.

## Why it matters
KVM reports the bit on all hardware; without APICv or AVIC it only takes the cheaper AutoEOI away from the guest.

## Example
```xml
<features>
  <hyperv>
    <vapic state='on'/>
    <avic state='on'/>
  </hyperv>
</features>
```

## Use instead
```xml
<features>
  <hyperv>
    <vapic state='on'/>
  </hyperv>
</features>
```

## Fix safety
Unsafe: dropping it changes what the guest sees.

## Sources
- qemu:docs/system/i386/hyperv.rst:180-185
- linux:arch/x86/kvm/hyperv.c:2887
"""

from __future__ import annotations

from collections.abc import Iterator

from hvctl.catalog import roles
from hvctl.lint.rule import Context, Fact
from hvctl.model.finding import Finding, Severity

SEVERITY = Severity.WARNING
ROWS = roles.HARDWARE_APIC
NEEDS = (Fact.HOSTS,)


def check(context: Context) -> Iterator[Finding]:
    """What needs hardware that a host lacks."""
    for row in roles.HARDWARE_APIC:
        entry = context.guest.on.get(row.id)
        lacking = next((host for host in context.hosts if host.hardware.apicv is False), None)
        if entry is None or lacking is None:
            continue
        message = f"{context.guest.name_of(row)} is on, and {lacking.label} has no APICv or AVIC that is active"
        fix = context.drop(entry)
        yield context.finding(entry.where, message, "leave it out for guests that can get there", fix=fix)
