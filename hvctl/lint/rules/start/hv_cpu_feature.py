"""An enlightenment is written as a feature of the CPU.

## What it does
Finds `<feature name='hv-...'>` in `<cpu>`.

## Why it matters
libvirt lets it be defined, and refuses to start the guest: "unknown CPU feature".

## Example
```xml
<cpu mode='host-passthrough'>
  <feature policy='require' name='hv-relaxed'/>
</cpu>
```

## Use instead
```xml
<features>
  <hyperv>
    <relaxed state='on'/>
  </hyperv>
</features>
<cpu mode='host-passthrough'/>
```

## Fix safety
Safe: as it is, the guest does not start. One that is required moves to `<hyperv>`, where it is not there already;
there is no fix where `<hyperv>` says otherwise.

## Sources
- libvirt:src/cpu/cpu_x86.c:3441
- observed with libvirt 9.0
"""

from __future__ import annotations

from collections.abc import Iterator

from hvctl.catalog import find
from hvctl.catalog.types import Row
from hvctl.guest.command.cpu_properties import PREFIXES
from hvctl.guest.domain.reader import Domain
from hvctl.guest.guest import Changes, Kind, Switch
from hvctl.lint.rule import Context
from hvctl.lint.rules.speed.recommended_missing import everywhere
from hvctl.model.finding import Finding, Fix, Severity
from hvctl.text.problems import quoted

SEVERITY = Severity.ERROR
GUESTS = (Kind.DOMAIN,)


def check(context: Context) -> Iterator[Finding]:
    """Every feature of the CPU that is an enlightenment."""
    guest = context.guest
    assert isinstance(guest, Domain), "the rule is for domains"
    for switch in guest.cpu_features:
        right = switch.name.replace("_", "-")
        if not right.startswith(PREFIXES):
            continue
        row = find(right)
        instead = f"write {context.guest.syntax(row)}" if row else "leave it out"
        message = f"libvirt knows no CPU feature {quoted(switch.name)}"
        yield context.finding(switch.where, message, instead, attribute="name", fix=_fix(context, switch, row))


def _fix(context: Context, switch: Switch, row: Row | None) -> Fix | None:
    if context.guest.kvm is False:
        return None
    if row is None:
        return None
    element = context.guest.written.get(row.id)
    if element is not None and element.on is not switch.on:
        return None  # one of the two is not what was meant
    wanted = switch.on and element is None
    if wanted and not context.guest.can_turn_on(row):
        return None
    if wanted and not (context.guest.can_have(row) and everywhere(context, row)):
        return None
    title = f"write {context.guest.syntax(row)}" if wanted else "drop it"
    return context.safe(title, lambda changes: _move(changes, switch, (row,) if wanted else ()))


def _move(changes: Changes, switch: Switch, rows: tuple[Row, ...]) -> None:
    changes.remove(switch.where)
    changes.turn_on(rows)
