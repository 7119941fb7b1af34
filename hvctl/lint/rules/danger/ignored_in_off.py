"""An element is nested in one that is off.

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

from hvctl.guest.domain.domain import Domain
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.INFO
GUESTS = (Domain,)
OF = "unread"


def check(context: Context) -> Findings:
    guest = context.domain
    for outer, element in guest.unread:
        if element.get("state") == "on":
            remove = f"remove <{element.tag}>"
            message = f"<{element.tag}> does not count: <{outer.where.tag}> around it is off"
            yield context.finding(
                element,
                message,
                f"{context.write(outer.row)}; or {remove}" if context.guest.uses(outer.row) else remove,
                related=((f"<{outer.where.tag}> is off here", outer.where),),
            )
