"""The synthetic timers are on, and the reference clock is not.

## What it does
Checks that what is built on the reference clock (hv-time, libvirt's timer hypervclock) has it.

## Why it matters
QEMU refuses to start the guest, and the missing element is far from `<hyperv>`, in `<clock>`.

## Example
```xml
<features>
  <hyperv>
    <vpindex state='on'/>
    <synic state='on'/>
    <stimer state='on'/>
  </hyperv>
</features>
```

## Use instead
```xml
<features>
  <hyperv>
    <vpindex state='on'/>
    <synic state='on'/>
    <stimer state='on'/>
  </hyperv>
</features>
<clock offset='localtime'>
  <timer name='hypervclock' present='yes'/>
</clock>
```

## Fix safety
Safe where the clock is not mentioned, unsafe where it is written as absent.

## Sources
- qemu:target/i386/kvm/kvm.c:1009-1016
- libvirt:docs/formatdomain.rst:2425-2426
- ruzickap/packer-templates issues 149 and 154, OpenNebula/one issue 6298
"""

from hvctl.catalog import BY_ID
from hvctl.lint.rule import Context, Findings
from hvctl.lint.rules.start.requirement_missing import missing
from hvctl.model.finding import Severity

SEVERITY = Severity.ERROR
# Where more is missing, that names the clock too.
AFTER = ("requirement-missing",)


def check(context: Context) -> Findings:
    if context.is_open() or context.guest.foreign or context.guest.hangs:
        return
    for setting, needed in context.guest.lacking:
        if BY_ID[needed].reference_clock:
            yield missing(context, setting, [BY_ID[needed]])
