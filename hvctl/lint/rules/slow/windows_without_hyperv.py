"""A Windows guest sees nothing of Hyper-V.

## What it does
Tells Windows by libosinfo's metadata; where there is none by `--profile`, by a name such as win11, or by a firmware
with Microsoft's keys beside a clock in local time. Looks whether any enlightenment is on. With hosts, not where they
cannot give any.

## Why it matters
Windows then reads clocks and the APIC by exits, spins on locks, and uses a third of a CPU when idle.

## Example
```xml
<name>win11</name>
<features>
  <acpi/>
</features>
```

## Use instead
```xml
<features>
  <hyperv>
    <relaxed state='on'/>
    <vapic state='on'/>
    <vpindex state='on'/>
  </hyperv>
</features>
```

## Fix safety
There is no fix: `hvctl gen PROFILE --domain FILE` writes what your hosts can give.

## Sources
- qemu:docs/system/i386/hyperv.rst:286-315
- truenas/middleware PR 9247, kubevirt issue 10126
"""

from hvctl.catalog import roles
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.WARNING
AFTER = ("args-replace-cpu",)


def check(context: Context) -> Findings:
    guest = context.guest
    if guest.alive or guest.open or guest.kvm is False or not guest.concerned:
        return
    if any(guest.uses(row) and context.attainable(row) for row in roles.RECOMMENDED):
        message = "this Windows guest has no enlightenment"
        instead = guest.way_to_hyperv
        yield context.finding(guest.root if guest.on else guest.hyperv_place, message, instead)
