"""`<hyperv mode='passthrough'>` has enlightenments inside.

## What it does
Finds elements inside a `<hyperv>` whose mode turns on all that the host has.

## Why it matters
libvirt 11.3 drops them when it reads the domain, 9.0 passes them to QEMU, which turns on everything all the same:
what is off in there is on in the guest.

## Example
```xml
<features>
  <hyperv mode='passthrough'>
    <relaxed state='on'/>
  </hyperv>
</features>
```

## Use instead
```xml
<features>
  <hyperv mode='passthrough'/>
</features>
```

## Fix safety
Safe where all of them are on: they do nothing. Where one is off there is no fix, since the mode is what must go.

## Sources
- libvirt:src/conf/domain_conf.c:16920-16921
- qemu:target/i386/kvm/kvm.c:1438-1494
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

from hvctl.catalog import roles
from hvctl.guest.domain.reader import Domain
from hvctl.guest.guest import Changes, Kind
from hvctl.lint.rule import Context
from hvctl.model.finding import Finding, Severity
from hvctl.xml.source import Element

SEVERITY = Severity.ERROR
GUESTS = (Kind.DOMAIN,)


def check(context: Context) -> Iterator[Finding]:
    """Elements that do not count."""
    guest = context.guest
    assert isinstance(guest, Domain), "the rule is for domains"
    for element in guest.hyperv:
        if element.get("mode") not in roles.MODES or not element.children:
            continue
        off = any(child.get("state") == "off" for child in element.walk() if child is not element)
        message = f"<hyperv mode='{element.get('mode')}'> turns on all that the host has, whatever stands inside"
        instead = "name what the guest should get, without the mode" if off else "take them away, or the mode"
        fix = None if off else context.safe("drop them", functools.partial(_drop, element=element))
        yield context.finding(element, message, instead, attribute="mode", fix=fix)


def _drop(changes: Changes, element: Element) -> None:
    for child in element.children:
        changes.remove(child)
