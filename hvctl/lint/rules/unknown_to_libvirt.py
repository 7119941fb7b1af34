"""An element is written that the libvirt of a host does not know.

## What it does
Compares the elements with those in the schema of each host's libvirt, as `hvctl check-host --record` reads it.

## Why it matters
That libvirt refuses to define the domain, and to take it in by a migration.

## Example
```xml
<features>
  <hyperv>
    <relaxed state='on'/>
    <xmm_input state='on'/>
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
Unsafe: dropping it changes what the guest sees.

## Sources
- libvirt:docs/formatdomain.rst:2141-2157 (since when each element is there)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hvctl.lint.rule import Fact, Group, Kind
from hvctl.model.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hvctl.lint.context import Context
    from hvctl.model.finding import Finding

SEVERITY = Severity.ERROR
GROUP = Group.START
NEEDS = (Fact.HOSTS,)
GUESTS = (Kind.DOMAIN,)


def check(context: Context) -> Iterator[Finding]:
    """What is written and a libvirt does not know, with the first such host."""
    from hvctl.plan.support import State, support

    for entry in context.guest.written.values():
        if entry.argument or entry.row.libvirt is None:
            continue
        for host in context.hosts:
            answer = support(host, entry.row, None)[3]
            if host.libvirt is not None and answer.state is State.NO:
                message = f"the libvirt of {host.label} does not know {entry.row.libvirt.path}"
                fix = context.drop(entry)
                yield context.finding(entry.where, message, answer.remedy, fix=None if entry.row.takes_all else fix)
                break
