"""An enlightenment is written as a feature of the CPU.

## What it does
Finds `<feature name='hv-...'>` in `<cpu>`.

## Why it matters
libvirt lets it be defined, and refuses to start the guest: "unknown CPU feature".

## Example
```xml
<cpu mode='host-passthrough'>
  <feature policy='require' name='hv-runtime'/>
</cpu>
```

## Use instead
```xml
<features>
  <hyperv>
    <runtime state='on'/>
  </hyperv>
</features>
<cpu mode='host-passthrough'/>
```

## Fix safety
Safe: as it is, the guest does not start. One that is required moves to `<hyperv>`, where it is not there already;
there is no fix where `<hyperv>` contradicts it.

## Sources
- libvirt:src/cpu/cpu_x86.c:3441
- observed with libvirt 9.0
"""

from hvctl.catalog import find
from hvctl.catalog.roles import PREFIXES
from hvctl.catalog.types import Row
from hvctl.guest.domain.domain import Domain
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Fix, Severity
from hvctl.model.guest import Changes, Switch
from hvctl.text.problems import quoted

SEVERITY = Severity.ERROR
GUESTS = (Domain,)
OF = "cpu_features"


def check(context: Context) -> Findings:
    guest = context.domain
    for switch in guest.cpu_features:
        right = switch.name.replace("_", "-")
        if not right.startswith(PREFIXES):
            continue
        row = find(right)
        instead = context.write(row) if row and guest.uses(row) else "leave it out"
        message = f"libvirt has no CPU feature {quoted(switch.name)}"
        yield context.finding(switch.where, message, instead, attribute="name", fix=_fix(context, switch, row))


def _fix(context: Context, switch: Switch, row: Row | None) -> Fix | None:
    if context.guest.kvm is False or row is None:
        return None
    element = context.guest.settings.get(row.id)
    if element is not None and element.on is not switch.on:
        return None  # one of the two is not what was meant
    wanted = switch.on and element is None
    guest = context.guest
    if wanted and not (guest.uses(row) and guest.can_turn_on(row) and guest.can_have(row) and context.supported(row)):
        return None
    if wanted and context.stranded((row,)):
        return None
    title = context.write(row) if wanted else "drop it"
    return context.safe(title, lambda changes: _move(changes, switch, (row,) if wanted else ()))


def _move(changes: Changes, switch: Switch, rows: tuple[Row, ...]) -> None:
    changes.remove(switch.where)
    changes.turn_on(rows)
