"""hv-no-nonarch-coresharing=on is promised, and the vCPUs are not pinned.

## What it does
Finds the promise in domains in which not every vCPU is pinned to a CPU of its own, or whose CPU has no `<topology>`.
Of a command line alone this cannot be seen.

## Why it matters
QEMU checks nothing, and Windows leaves out its protection between threads: a false promise opens the guest to attacks
from one vCPU on another.

## Example
```xml
<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>windows</name>
  <os>
    <type arch='x86_64' machine='pc-q35-7.2'>hvm</type>
  </os>
  <features>
    <hyperv>
      <relaxed state='on'/>
    </hyperv>
  </features>
  <qemu:commandline>
    <qemu:arg value='-global'/>
    <qemu:arg value='x86_64-cpu.hv-no-nonarch-coresharing=on'/>
  </qemu:commandline>
</domain>
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
- qemu:docs/system/i386/hyperv.rst:187-199, 300-301
- qemu:target/i386/kvm/kvm.c:1604-1609
"""

from __future__ import annotations

from collections.abc import Iterator

from hvctl.catalog import roles
from hvctl.guest.guest import Kind
from hvctl.lint.rule import Context
from hvctl.model.finding import Finding, Severity

SEVERITY = Severity.ERROR
ROWS = roles.PROMISES


def check(context: Context) -> Iterator[Finding]:
    """The promise without what keeps it."""
    guest = context.guest
    pinned = guest.pinned or (context.profile is not None and context.profile.pinned)
    for row in roles.PROMISES:
        entry = guest.on.get(row.id)
        if entry is None or entry.value == "auto":
            continue
        if guest.pinned is None and not pinned:
            context.skip("a command line does not tell whether its vCPUs are pinned")
            continue
        lacks = "the vCPUs are not pinned" if not pinned else "" if guest.threads else "the CPU has no <topology>"
        if lacks and not (pinned and guest.kind is Kind.COMMAND_LINE):
            message = f"{entry.row.properties[0].name}=on is a promise, and {lacks}"
            fix = context.drop(entry)
            yield context.finding(
                entry.where,
                message,
                "pin each vCPU, with a topology to match, or leave it out",
                attribute=entry.attribute,
                fix=fix,
            )
