"""Enlightenments are written beside hv-passthrough.

## What it does
Finds elements inside a `<hyperv>` whose mode turns on all that the host has, and values beside hv-passthrough.

## Why it matters
libvirt 11.3 drops them when it reads the domain, 9.0 passes them to QEMU, which turns on everything all the same:
what is off in there is on in the guest. The vendor id, the version and the spinlock retries are KVM's own, whatever
is written.

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

import functools

from hvctl.catalog import roles
from hvctl.guest.domain.domain import Domain
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity
from hvctl.model.guest import Changes
from hvctl.xml.document import Element

SEVERITY = Severity.ERROR


def check(context: Context) -> Findings:
    guest = context.guest
    for setting in guest.on.values() if guest.takes_all else ():
        if setting.argument and setting.row.overwritten:
            name = setting.row.properties[0].name
            message = f"{name} has no effect beside hv-passthrough: KVM's own value replaces it"
            fix = context.drop(setting, safe=True)
            yield context.finding(setting, message, "leave it out", severity=Severity.WARNING, fix=fix)
    # Of several <hyperv> the last one's mode counts, for what is in all of them.
    for element in guest.hyperv if isinstance(guest, Domain) and guest.takes_all else ():
        if element.get("mode") not in roles.MODES or not element.children:
            continue
        off = any(child.get("state") == "off" for child in element.walk() if child is not element)
        message = f"<hyperv mode='{element.get('mode')}'> turns on all that the host has, whatever is inside"
        instead = "name what the guest should get, without the mode" if off else "remove them, or the mode"
        fix = None if off else context.safe("drop them", functools.partial(_drop, element=element))
        yield context.finding(element, message, instead, attribute="mode", fix=fix)


def _drop(changes: Changes, element: Element) -> None:
    for child in element.children:
        changes.remove(child)
