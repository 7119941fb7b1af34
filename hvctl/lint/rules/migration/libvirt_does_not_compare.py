"""An enlightenment that libvirt does not compare before a migration, in a pool that differs in it.

## What it does
Finds what libvirt's check of the ABI leaves out (direct and extended of `<tlbflush>`), where some of the hosts can
give it and others cannot.

## Why it matters
The migration is not stopped by libvirt, and the guest arrives with another CPUID, or does not arrive.

## Example
```xml
<features>
  <hyperv>
    <vapic state='on'/>
    <vpindex state='on'/>
    <tlbflush state='on'>
      <direct state='on'/>
    </tlbflush>
  </hyperv>
</features>
```

## Use instead
```xml
<features>
  <hyperv>
    <vapic state='on'/>
    <vpindex state='on'/>
    <tlbflush state='on'/>
  </hyperv>
</features>
```

## Fix safety
Unsafe: dropping it changes what the guest sees.

## Sources
- libvirt:src/conf/domain_conf.c:21319-21542, virDomainDefFeaturesCheckABIStability()
"""

from __future__ import annotations

from collections.abc import Iterator

from hvctl.catalog import roles
from hvctl.catalog.types import Row
from hvctl.guest.guest import Kind
from hvctl.lint.rule import Context, Fact
from hvctl.model.finding import Finding, Severity

SEVERITY = Severity.WARNING
ROWS = roles.NOT_COMPARED
NEEDS = (Fact.HOSTS,)
GUESTS = (Kind.DOMAIN,)


def check(context: Context) -> Iterator[Finding]:
    """What is on, not compared, and not the same on all hosts."""
    for row in ROWS:
        entry = context.guest.on.get(row.id)
        if entry is None or entry.argument:
            continue
        can, cannot = _divided(context, row)
        if can and cannot:
            message = f"{entry.row.id} is on: {can} has it, {cannot} does not, and libvirt does not compare it"
            fix = context.drop(entry)
            yield context.finding(entry.where, message, "leave it out where guests migrate", fix=fix)


def _divided(context: Context, row: Row) -> tuple[str, str]:
    """The first host that can give a row, and the first that cannot; empty where there is none."""
    from hvctl.plan.support import State, support, verdict

    found = {State.YES: "", State.NO: "", State.UNKNOWN: ""}
    for host in context.hosts:
        state = verdict(support(host, row, host.qemu[0] if host.qemu else None)).state
        found[state] = found[state] or host.label
    return found[State.YES], found[State.NO]
