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

from hvctl.catalog import roles
from hvctl.catalog.types import Row
from hvctl.guest.domain.domain import Domain
from hvctl.lint.rule import Context, Fact, Findings
from hvctl.model.finding import Severity
from hvctl.model.host import Host, and_more

SEVERITY = Severity.WARNING
ROWS = roles.NOT_COMPARED
NEEDS = (Fact.HOSTS,)
AFTER = ("not-supported-by-host",)
GUESTS = (Domain,)


def check(context: Context) -> Findings:
    for setting in context.on(ROWS):
        if setting.argument:
            continue
        can, cannot = _divided(context, setting.row)
        if can and cannot:
            message = (
                f"{setting.row.id} is on: {and_more(can)} can give it, {and_more(cannot)} cannot, "
                "and libvirt does not compare it"
            )
            fix = context.drop(setting)
            instead = f"{context.leave_out(setting)} where guests migrate"
            yield context.finding(setting.where, message, instead, fix=fix)


def _divided(context: Context, row: Row) -> tuple[list[Host], list[Host]]:
    """The hosts that can give a row, and those that cannot."""
    from hvctl.plan.support import State, support, verdict

    found: dict[State, list[Host]] = {State.YES: [], State.NO: [], State.UNKNOWN: []}
    for host in context.hosts:
        found[verdict(support(host, row, host.qemu[0] if host.qemu else None)).state].append(host)
    return found[State.YES], found[State.NO]
