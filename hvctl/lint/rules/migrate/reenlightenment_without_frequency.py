"""Reenlightenment is on, and the TSC's frequency is not written.

## What it does
Finds what needs tsc-frequency in a guest that is to migrate.

## Why it matters
Once the guest has turned it on, a destination without tsc-frequency dies while the source reports the migration as
completed, and a saved state or snapshot with memory cannot be loaded: the guest is lost.

## Example
```xml
<features>
  <hyperv>
    <reenlightenment state='on'/>
  </hyperv>
</features>
```

## Use instead
```xml
<features>
  <hyperv>
    <frequencies state='on'/>
  </hyperv>
</features>
```

## Fix safety
Unsafe: dropping it changes what the guest sees. Writing the frequency is the other way, and that is your hosts'.

## Sources
- qemu:target/i386/machine.c:904-921
- nova bug 2046549, kubevirt issues 7986, 8246, 8359, 9182
"""

from hvctl.catalog import roles
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.WARNING
ROWS = roles.TIED_TO_THE_TSC


def check(context: Context) -> Findings:
    # What turns on all that the host has is never migrated.
    guest = context.guest
    if guest.tsc_frequency or "tsc_frequency" in guest.unknown or guest.has(roles.EVERYTHING):
        return
    for setting in context.on(ROWS):
        message = f"{setting.row.id} is on, and the frequency of the TSC is not written"
        instead = "leave it out, or write the frequency that all hosts have or can scale to, in Hz"
        fix = context.drop(setting)
        yield context.finding(setting.where, message, instead, fix=fix)
