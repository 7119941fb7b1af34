"""An enlightenment is on, and one that QEMU requires for it is not.

## What it does
Checks every requirement that QEMU's code enforces. The SynIC's need of the VP index is left out for machine types up
to 3.0, which have none, and where x-hv-synic-kvm-only is written. Guests of other hypervisors than QEMU are left alone.
Where the guest's release does not use what is missing, or a host lacks it, the advice is to leave out what needs it.

## Why it matters
QEMU refuses to start the guest: "Hyper-V ... requires Hyper-V ...". libvirt before 11.9 lets it be defined.

## Example
```xml
<features>
  <hyperv>
    <ipi state='on'/>
  </hyperv>
</features>
```

## Use instead
```xml
<features>
  <hyperv>
    <vpindex state='on'/>
    <ipi state='on'/>
  </hyperv>
</features>
```

## Fix safety
Safe where the requirement is not mentioned: without it the guest does not start at all. Unsafe where it, or what it
requires itself, is written as off, since the author may have meant that one.

## Sources
- qemu:target/i386/kvm/kvm.c:1496-1526
- libvirt 12.8 checks a part of it, 11.3 nothing
"""

from collections.abc import Sequence

from hvctl.catalog import BY_ID
from hvctl.catalog.types import Row
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Finding, Severity
from hvctl.model.guest import Setting

SEVERITY = Severity.ERROR


def check(context: Context) -> Findings:
    # Of what hangs, hangs-with-uefi says to leave all of it out.
    if context.is_open() or context.guest.foreign or context.guest.hangs:
        return
    lacking: dict[str, tuple[Setting, list[Row]]] = {}
    for setting, needed in context.guest.lacking:
        lacking.setdefault(setting.id, (setting, []))[1].append(BY_ID[needed])
    for setting, rows in lacking.values():
        # That only the clock is missing is a rule of its own.
        if not all(row.reference_clock for row in rows):
            yield missing(context, setting, rows)


def missing(context: Context, setting: Setting, needed: Sequence[Row]) -> Finding:
    """The finding about an enlightenment and all that it lacks."""
    guest = context.guest
    off = [guest.settings[row.id] for row in needed if row.id in guest.settings]
    absent = [row for row in needed if row.id not in guest.settings]
    states = [
        _which(context, rows, state) for rows, state in (([one.row for one in off], "off"), (absent, "not there"))
    ]
    if context.attainable(*needed):
        rows = context.with_all(*context.with_controllers(needed))
        instead = context.write(*rows)
        fix = context.turn_on(rows, safe=not off and all(map(guest.can_have, needed)))
    else:
        instead, fix = context.leave_out(setting), context.drop(setting)
    return context.finding(
        setting.where,
        f"{guest.name_of(setting.row)} is on and needs {', and '.join(filter(None, states))}",
        instead,
        fix=fix,
        related=tuple((f"{guest.name_of(one.row)} is off here", one.where) for one in off),
    )


def _which(context: Context, rows: Sequence[Row], state: str) -> str:
    names = " and ".join(map(context.guest.name_of, rows))
    return f"{names}, which {'is' if len(rows) == 1 else 'are'} {state}" if rows else ""
