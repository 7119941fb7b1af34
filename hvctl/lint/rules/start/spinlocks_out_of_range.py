"""The number of spinlock retries is one that libvirt refuses.

## What it does
Compares the number with libvirt's least, 4095, and with what 32 bits hold. Numbers from 2147483648 on are a warning:
libvirt takes them, and writes them back as negative ones.

## Why it matters
libvirt refuses to define the domain: "HyperV spinlock retry count must be at least 4095".

## Example
```xml
<features>
  <hyperv>
    <spinlocks state='on' retries='100'/>
  </hyperv>
</features>
```

## Use instead
```xml
<features>
  <hyperv>
    <spinlocks state='on' retries='8191'/>
  </hyperv>
</features>
```

## Fix safety
Unsafe: the guest reads the number.

## Sources
- libvirt:src/conf/domain_conf.c:17013-17016
- libvirt:src/conf/domain_conf.c:28485 (the number as `%d`)
- qemu:docs/system/i386/hyperv.rst:50-53
"""

from __future__ import annotations

from collections.abc import Iterator

from hvctl.catalog import roles
from hvctl.guest.guest import Entry
from hvctl.lint.rule import Context
from hvctl.model.finding import Finding, Fix, Severity

SEVERITY = Severity.ERROR
ROWS = roles.NUMBERS


_LARGEST = (1 << 32) - 1


def check(context: Context) -> Iterator[Finding]:
    """Numbers that libvirt refuses, or cannot write back."""
    for row in roles.NUMBERS:
        entry = context.guest.on.get(row.id)
        if entry is None or entry.argument or row.libvirt is None or not isinstance(entry.value, int):
            continue
        least, most = row.libvirt.minimum or 0, row.maximum or _LARGEST
        instead = f"write a number from {least} to {most}"
        if not least <= entry.value <= _LARGEST:
            message = f"{entry.attribute} of <{entry.where.tag}> is {entry.text}, and libvirt takes {least} or more"
            number = str(least if entry.value < least else most)
            yield context.finding(
                entry.where, message, instead, attribute=entry.attribute, fix=_fix(context, entry, number)
            )
        elif entry.value > most:
            message = f"libvirt writes {entry.text} back as a negative number, and does not read that again"
            yield context.finding(entry.where, message, instead, attribute=entry.attribute, severity=Severity.WARNING)


def _fix(context: Context, entry: Entry, number: str) -> Fix:
    return context.unsafe(f"write {number}", lambda changes: changes.set(entry.where, entry.attribute, number))
