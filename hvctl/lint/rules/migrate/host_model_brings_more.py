"""`<hyperv mode='host-model'>`: libvirt chooses, and chooses more than migrates well.

## What it does
Finds the mode, which came with libvirt 11.9.

## Why it matters
It brings avic whether or not the hardware has it, and reenlightenment, with which a migration or a saved state without
tsc-frequency loses the guest; and another host makes another set.

## Example
```xml
<features>
  <hyperv mode='host-model'/>
</features>
```

## Use instead
```xml
<features>
  <hyperv>
    <relaxed state='on'/>
    <vapic state='on'/>
  </hyperv>
</features>
```

## Fix safety
There is no fix: `hvctl gen PROFILE --domain FILE` writes what a profile names.

## Sources
- observed with libvirt 12.8
- qemu:target/i386/machine.c:904-921
"""

from hvctl.guest.domain.domain import HOST_MODEL, Domain
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.WARNING
GUESTS = (Domain,)


def check(context: Context) -> Findings:
    guest = context.domain
    if guest.mode == HOST_MODEL:
        message = f"libvirt chooses the enlightenments when the guest starts (mode='{HOST_MODEL}')"
        yield context.finding(guest.hyperv_place, message, context.name_all(), attribute="mode")
