"""An enlightenment that every Windows guest should get is off, and all hosts have it.

## What it does
Compares what is on with what is advised in general, less what has a rule of its own or is turned off by the profile.

## Why it matters
The hosts could give more than the guest asks for.

## Example
```xml
<features>
  <hyperv>
    <relaxed state='on'/>
    <vapic state='on'/>
    <vpindex state='on'/>
    <synic state='on'/>
    <stimer state='on'/>
  </hyperv>
</features>
<clock offset='localtime'>
  <timer name='rtc' tickpolicy='catchup'/>
  <timer name='pit' tickpolicy='delay'/>
  <timer name='hpet' present='no'/>
  <timer name='hypervclock' present='yes'/>
</clock>
```

## Use instead
```xml
<features>
  <hyperv>
    <relaxed state='on'/>
    <vapic state='on'/>
    <vpindex state='on'/>
    <synic state='on'/>
    <stimer state='on'>
      <direct state='on'/>
    </stimer>
    <runtime state='on'/>
    <frequencies state='on'/>
    <tlbflush state='on'/>
    <ipi state='on'/>
  </hyperv>
</features>
<clock offset='localtime'>
  <timer name='rtc' tickpolicy='catchup'/>
  <timer name='pit' tickpolicy='delay'/>
  <timer name='hpet' present='no'/>
  <timer name='hypervclock' present='yes'/>
</clock>
```

## Fix safety
Unsafe: the guest sees another machine.

## Sources
- qemu:docs/system/i386/hyperv.rst:286-315
- `hvctl explain NAME` has those of each
"""

from collections.abc import Iterator

from hvctl.catalog import BY_ID, roles
from hvctl.catalog.types import Row
from hvctl.lint.rule import Context, Fact, Findings
from hvctl.model.finding import Severity
from hvctl.model.profile import Ask

SEVERITY = Severity.INFO
NEEDS = (Fact.HOSTS,)


# These have rules of their own.
_ELSEWHERE = (*roles.CLOCK, *roles.TIMERS, *roles.CONTROLLER, *roles.VIRTUAL_APIC, *roles.NUMBERS)


def check(context: Context) -> Findings:
    guest = context.guest
    if context.is_open() or not guest.alive or guest.kvm is False:
        return
    rows = [
        row
        for row in _advised(context)
        if guest.uses(row) and row.id not in guest.settings and all(map(context.supported, context.with_all(row)))
    ]
    if not rows:
        return
    rows = context.with_controllers(rows)
    able = [row for row in rows if guest.can_turn_on(row)]
    needed = [BY_ID[one] for row in able for one in row.requires if one not in guest.on]
    message = f"every host has {', '.join(row.id for row in rows)}, and the guest does not"
    fix = context.turn_on(tuple(dict.fromkeys((*needed, *able)))) if able else None
    yield context.finding(guest.hyperv_place, message, context.write(*rows), fix=fix)


def _advised(context: Context) -> Iterator[Row]:
    """The rows that are advised in general; with a profile, those of them that it wants."""
    wishes = {wish.id: wish.ask for wish in context.profile.wishes} if context.profile else None
    for row in roles.RECOMMENDED:
        if row not in _ELSEWHERE and (wishes is None or wishes.get(row.id, Ask.OFF) is not Ask.OFF):
            yield row
