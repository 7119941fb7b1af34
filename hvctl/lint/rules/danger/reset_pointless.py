"""The reset MSR is on.

## What it does
Finds elements and properties from which no guest gains, and for which no profile asks.

## Why it matters
Real Hyper-V stopped offering it, and Windows resets well without.

## Example
```xml
<features>
  <hyperv>
    <relaxed state='on'/>
    <reset state='on'/>
  </hyperv>
</features>
```

## Use instead
```xml
<features>
  <hyperv>
    <relaxed state='on'/>
  </hyperv>
</features>
```

## Fix safety
Unsafe: the guest sees another machine.

## Sources
- qemu:docs/system/i386/hyperv.rst:132-135, 296
"""

from hvctl.catalog import roles
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.INFO
ROWS = roles.POINTLESS


def check(context: Context) -> Findings:
    # Beside what turns on all that the host has, it is on with or without.
    for setting in () if context.guest.has(roles.EVERYTHING) else context.on(ROWS):
        if context.asked(setting.row):
            continue
        message = f"{context.guest.name_of(setting.row)} is on, and no guest gains from it"
        yield context.finding(setting.where, message, context.leave_out(setting), fix=context.drop(setting))
