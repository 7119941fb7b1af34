"""The guest reports long waits for spinlocks, and its vCPUs are pinned.

## What it does
Finds a number of retries in a domain in which each vCPU is pinned to one CPU, which no other one is pinned to.

## Why it matters
The report lets another vCPU run instead of the one that waits; where each has its own CPU, it only costs an exit.

## Example
```xml
<vcpu>1</vcpu>
<cputune>
  <vcpupin vcpu='0' cpuset='2'/>
</cputune>
<features>
  <hyperv>
    <spinlocks state='on' retries='8191'/>
  </hyperv>
</features>
```

## Use instead
```xml
<vcpu>1</vcpu>
<cputune>
  <vcpupin vcpu='0' cpuset='2'/>
</cputune>
<features>
  <hyperv>
    <relaxed state='on'/>
  </hyperv>
</features>
```

## Fix safety
Unsafe: the guest reads the number.

## Sources
- qemu:docs/system/i386/hyperv.rst:311-313
"""

from hvctl.catalog import roles
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.INFO
ROWS = roles.NUMBERS


def check(context: Context) -> Findings:
    guest = context.guest
    if guest.has(roles.EVERYTHING):
        return
    pinned = guest.pinned or (context.profile is not None and context.profile.pinned)
    for setting in context.on(ROWS) if pinned else ():
        message = f"{guest.name_of(setting.row)} is on, and the vCPUs are pinned"
        instead = "leave it out where each vCPU has a CPU of its own"
        yield context.finding(setting.where, message, instead, fix=context.drop(setting))
