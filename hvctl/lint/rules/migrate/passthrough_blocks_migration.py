"""Everything that the host has is turned on (hv-passthrough).

## What it does
Finds `<hyperv mode='passthrough'>` and hv-passthrough.

## Why it matters
QEMU refuses to migrate the guest: "'hv-passthrough' CPU flag prevents migration". It also brings crash, reset, avic
and reenlightenment, and a Windows that boots by BIOS is reported to freeze.

## Example
```xml
<features>
  <hyperv mode='passthrough'/>
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
- qemu:target/i386/kvm/kvm.c:1438-1494, 1685-1694
- LXD issue 18536
"""

from hvctl.catalog import roles
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.WARNING
ROWS = roles.STUCK


def check(context: Context) -> Findings:
    for setting in context.on(ROWS):
        message = "QEMU does not migrate a guest that gets all that the host has"
        yield context.finding(setting, message, "name what the guest should get")
