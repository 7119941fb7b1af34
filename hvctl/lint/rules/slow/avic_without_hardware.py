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

from hvctl.catalog import roles
from hvctl.lint.rule import Context, Fact, Findings
from hvctl.model.finding import Severity
from hvctl.model.host import and_more

SEVERITY = Severity.WARNING
ROWS = roles.HARDWARE_APIC
NEEDS = (Fact.HOSTS,)


def check(context: Context) -> Findings:
    lacking = [host for host in context.hosts if host.hardware.apicv is False]
    if not lacking:
        return
    for setting in context.on(ROWS):
        name = context.guest.name_of(setting.row)
        message = f"{name} is on, and APICv or AVIC is not active on {and_more(lacking)}"
        fix = context.drop(setting)
        instead = f"{context.leave_out(setting)} for guests that can get there"
        yield context.finding(setting.where, message, instead, fix=fix)
