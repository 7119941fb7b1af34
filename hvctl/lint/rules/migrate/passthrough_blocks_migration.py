"""Everything that the host has is turned on (hv-passthrough).

## What it does
Finds `<hyperv mode='passthrough'>` and hv-passthrough.

## Why it matters
QEMU refuses to migrate the guest, to save it (`virsh save`, managedsave) and to take a snapshot with its memory:
"'hv-passthrough' CPU flag prevents migration". It also brings crash, reset, avic and reenlightenment, and a Windows
that boots by BIOS is reported to freeze.

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
from hvctl.catalog.types import blocked
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.WARNING
ROWS = roles.STUCK


def check(context: Context) -> Findings:
    for setting in context.on(ROWS):
        yield context.finding(setting, blocked("all that the host has"), context.name_all())
