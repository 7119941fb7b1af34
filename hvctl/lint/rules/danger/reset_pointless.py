"""The reset MSR is on.

## What it does
Finds elements and properties from which no guest gains.

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

from __future__ import annotations

from collections.abc import Iterator

from hvctl.catalog import roles
from hvctl.lint.rule import Context
from hvctl.model.finding import Finding, Severity

SEVERITY = Severity.INFO
ROWS = roles.POINTLESS


def check(context: Context) -> Iterator[Finding]:
    """What is on and of no use."""
    # Beside what turns on all that the host has, it is on with or without.
    for row in () if context.guest.has(roles.EVERYTHING) else roles.POINTLESS:
        entry = context.guest.on.get(row.id)
        if entry is not None:
            message = f"{context.guest.name_of(row)} is on, and no guest gains from it"
            fix = context.drop(entry)
            yield context.finding(entry.where, message, "leave it out", fix=fix)
