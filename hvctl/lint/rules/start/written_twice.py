"""An enlightenment is written both for libvirt and in `<qemu:commandline>`.

## What it does
Compares the elements with the `-global` and `-cpu` arguments that the domain passes to QEMU.

## Why it matters
What libvirt writes behind `-cpu` wins over a `-global`, so that this one does nothing, while a second `-cpu` throws
all of libvirt's away; neither is in libvirt's check before a migration.

## Example
```xml
<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>windows</name>
  <os>
    <type arch='x86_64' machine='pc-q35-7.2'>hvm</type>
  </os>
  <features>
    <hyperv>
      <relaxed state='on'/>
    </hyperv>
  </features>
  <qemu:commandline>
    <qemu:arg value='-global'/>
    <qemu:arg value='x86_64-cpu.hv-relaxed=on'/>
  </qemu:commandline>
</domain>
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
Safe for a `-global`, which does nothing beside the element. There is none for a `-cpu`.

## Sources
- observed with QEMU 7.2: a -cpu flag overrides -global, of several -cpu the last counts whole
- libvirt:docs/drvqemu.rst
"""

from __future__ import annotations

from collections.abc import Iterator

from hvctl.guest.domain.reader import Domain
from hvctl.guest.guest import Kind
from hvctl.lint.rule import Context
from hvctl.model.finding import Finding, Severity

SEVERITY = Severity.ERROR
GUESTS = (Kind.DOMAIN,)


def check(context: Context) -> Iterator[Finding]:
    """What stands in both places."""
    guest = context.guest
    assert isinstance(guest, Domain), "the rule is for domains"
    if guest.replaced is not None:
        if any(entry.on and not entry.argument for entry in guest.written.values()):
            message = "this -cpu throws away the CPU and the enlightenments that libvirt writes"
            yield context.finding(guest.replaced, message, "write them as elements", attribute="value")
        return
    for row_id, entry in guest.arguments.items():
        element = guest.written[row_id]
        if element.argument or not element.on:
            continue
        fix = context.drop(entry, safe=True)
        message = f"{guest.name_of(entry.row)} is written here and as an element, which wins"
        yield context.finding(
            entry.where,
            message,
            "take it away",
            attribute=entry.attribute,
            fix=fix,
            related=(("the element is here", element.where),),
        )
