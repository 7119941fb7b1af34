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
    for setting, needed in context.guest.lacking:
        if not BY_ID[needed].reference_clock:
            yield missing(context, setting, BY_ID[needed])


def missing(context: Context, setting: Setting, needed: Row) -> Finding:
    """The finding about an enlightenment and what it lacks."""
    guest = context.guest
    off = guest.settings.get(needed.id)
    name = guest.name_of(needed)
    attainable = context.attainable(needed)
    turn_on = context.turn_on((needed,), safe=off is None and guest.can_have(needed))
    return context.finding(
        setting.where,
        f"{guest.name_of(setting.row)} is on and needs {name}, which is {'off' if off else 'not there'}",
        context.write(needed) if attainable else context.leave_out(setting),
        fix=turn_on if attainable else context.drop(setting),
        related=((f"{name} is off here", off.where),) if off else (),
    )
