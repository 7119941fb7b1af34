"""An element stands inside of one that is off.

## What it does
Finds what is on inside `<stimer state='off'>` or `<tlbflush state='off'>`.

## Why it matters
libvirt does not read it: what was meant to be on is off.

## Example
```xml
<features>
  <hyperv>
    <relaxed state='on'/>
    <stimer state='off'>
      <direct state='on'/>
    </stimer>
  </hyperv>
</features>
```

## Use instead
```xml
<features>
  <hyperv>
    <relaxed state='on'/>
    <stimer state='off'/>
  </hyperv>
</features>
```

## Fix safety
There is no fix: one of the two states is not what was meant.

## Sources
- libvirt:src/conf/domain_conf.c:16959-17006
"""

from __future__ import annotations

from collections.abc import Iterator

from hvctl.guest.domain.reader import Domain
from hvctl.guest.guest import Kind
from hvctl.lint.rule import Context
from hvctl.model.finding import Finding, Severity

SEVERITY = Severity.INFO
GUESTS = (Kind.DOMAIN,)


def check(context: Context) -> Iterator[Finding]:
    """What is on where nothing is read."""
    guest = context.guest
    assert isinstance(guest, Domain), "the rule is for domains"
    for outer, element in guest.unread:
        if element.get("state") == "on":
            message = f"<{element.tag}> does not count: <{outer.where.tag}> around it is off"
            yield context.finding(
                element,
                message,
                f"turn <{outer.where.tag}> on, or take <{element.tag}> away",
                related=((f"<{outer.where.tag}> is off here", outer.where),),
            )
