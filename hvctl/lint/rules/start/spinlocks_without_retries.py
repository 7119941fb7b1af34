"""The spinlock retries are on, and no number is written.

## What it does
Finds `<spinlocks state='on'/>` without `retries`.

## Why it matters
libvirt before 11.9 refuses to define the domain; a newer one takes "never", so that the element does nothing.

## Example
```xml
<features>
  <hyperv>
    <relaxed state='on'/>
    <spinlocks state='on'/>
  </hyperv>
</features>
```

## Use instead
```xml
<features>
  <hyperv>
    <relaxed state='on'/>
    <spinlocks state='on' retries='8191'/>
  </hyperv>
</features>
```

## Fix safety
Unsafe: a newer libvirt gives the guest another number than now.

## Sources
- libvirt:src/conf/domain_conf.c:17013-17016
- libvirt:docs/formatdomain.rst:2143
- observed with libvirt 9.0: "Missing required attribute 'retries' in element 'spinlocks'"
"""

from __future__ import annotations

from collections.abc import Iterator

from hvctl.catalog import roles
from hvctl.guest.guest import Entry, Kind
from hvctl.lint.rule import Context
from hvctl.model.finding import Finding, Fix, Severity

SEVERITY = Severity.WARNING
GUESTS = (Kind.DOMAIN,)
ROWS = roles.NUMBERS


def check(context: Context) -> Iterator[Finding]:
    """What is on and lacks its number."""
    for row in roles.NUMBERS:
        entry = context.guest.on.get(row.id)
        if entry is not None and not entry.argument and entry.text is None:
            message = f"{context.guest.name_of(row)} is on, and has no {entry.attribute}"
            instead = f"write {entry.attribute}='{roles.ADVISED_NUMBER}', or leave it out"
            yield context.finding(entry.where, message, instead, fix=_fix(context, entry))


def _fix(context: Context, entry: Entry) -> Fix:
    number = str(roles.ADVISED_NUMBER)
    return context.unsafe(f"write {number}", lambda changes: changes.set(entry.where, entry.attribute, number))
