"""The machine type has no version.

## What it does
Looks at the machine type of guests with enlightenments, and of Windows. What the QEMU of a given host knows as an
alias counts too.

## Why it matters
`q35` is another machine after the next update of QEMU, and on another host: the migration fails, and the guest's
Hyper-V version and defaults change with it.

## Example
```xml
<os>
  <type arch='x86_64' machine='q35'>hvm</type>
</os>
<features>
  <hyperv>
    <relaxed state='on'/>
  </hyperv>
</features>
```

## Use instead
```xml
<os>
  <type arch='x86_64' machine='pc-q35-7.2'>hvm</type>
</os>
<features>
  <hyperv>
    <relaxed state='on'/>
  </hyperv>
</features>
```

## Fix safety
Unsafe: with hosts given, the newest type of the same kind that all of them have is written, which may be another than
the guest has now. Where no type is written there is none: what the guest has is libvirt's or QEMU's choice.

## Sources
- qemu:hw/i386/pc.c:129, 199, 220 (what versions change about Hyper-V)
"""

from __future__ import annotations

from collections.abc import Iterator

from hvctl.catalog import machines
from hvctl.lint.rule import Context
from hvctl.model.finding import Finding, Fix, Severity
from hvctl.text.problems import quoted

SEVERITY = Severity.WARNING

_NONE = "no machine type is written"
# Of libvirt and of QEMU, for x86.
_DEFAULT = "pc"


def check(context: Context) -> Iterator[Finding]:
    """A type that is an alias, or that is left to QEMU."""
    guest = context.guest
    if not (guest.windows or guest.alive) or guest.kvm is False:
        return
    aliases = {kind.alias for host in context.hosts for qemu in host.qemu for kind in qemu.machines}
    if guest.machine and guest.machine not in (*machines.FAMILIES, *aliases):
        return
    if guest.partial and not guest.machine:
        return
    named = f"the machine type {quoted(guest.machine)} has no version" if guest.machine else _NONE
    newest = _newest(context, guest.machine or "")
    example = machines.FAMILIES.get(guest.machine or _DEFAULT)
    such = f", such as {example}7.2" if example else ""
    instead = f"write {newest}" if newest else f"write one with a version that all hosts have{such}"
    where = guest.machine_where if guest.machine_where is not None else guest.root
    yield context.finding(where, named, instead, attribute="machine", fix=_fix(context, newest))


def _newest(context: Context, family: str) -> str | None:
    """The newest type of all hosts; None without hosts, or where they share none."""
    if family not in machines.FAMILIES or not context.hosts or not all(host.qemu for host in context.hosts):
        return None
    from hvctl.model.plan import Machine
    from hvctl.plan.machine import choose

    found = choose(family, context.hosts)
    return found.type if isinstance(found, Machine) else None


def _fix(context: Context, newest: str | None) -> Fix | None:
    if newest is None or not context.guest.can_set_machine():
        return None
    return context.unsafe(f"write {newest}", lambda changes: changes.set_machine(newest))
