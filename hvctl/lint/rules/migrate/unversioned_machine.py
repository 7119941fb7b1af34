"""The machine type has no version.

## What it does
Looks at the machine type of guests with enlightenments, and of Windows. What the QEMU of a given host knows as an
alias counts too. KubeVirt's are left alone: a migration there carries the type that the guest was started with.

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

from hvctl.catalog import machines
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity
from hvctl.text.problems import quoted

SEVERITY = Severity.WARNING

# Of libvirt and of QEMU, for x86.
_DEFAULT = "pc"


def check(context: Context) -> Findings:
    guest = context.guest
    if not (guest.windows or guest.enlightened) or guest.kvm is False or "machine" in guest.unknown:
        return
    aliases = {kind.alias for host in context.hosts for qemu in host.qemu for kind in qemu.machines}
    kind = guest.machine
    if kind not in (*machines.FAMILIES, *aliases) if kind else guest.partial:
        return
    message = f"the machine type {quoted(kind)} has no version" if kind else "no machine type is written"
    newest = _newest(context, kind or "")
    example = machines.FAMILIES.get(kind or _DEFAULT)
    such = f", such as {example}7.2" if example else ""
    instead = f"write {newest}" if newest else f"write one with a version that all hosts have{such}"
    fix = context.set_fact("machine", newest, f"write {newest}") if newest else None
    yield context.finding(context.place("machine"), message, instead, attribute="machine", fix=fix)


def _newest(context: Context, family: str) -> str | None:
    """The newest type of all hosts; None without hosts, or where they share none."""
    if family not in machines.FAMILIES or not context.hosts or not all(host.qemu for host in context.hosts):
        return None
    from hvctl.model.plan import Machine
    from hvctl.plan.resolve import choose_machine

    found = choose_machine(family, context.hosts)
    return found.type if isinstance(found, Machine) else None
