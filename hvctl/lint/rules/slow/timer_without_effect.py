"""A timer has a setting that libvirt does not pass to QEMU.

## What it does
Finds a `mode` of the tsc timer, and `present='no'` of rtc and pit.

## Why it matters
libvirt reads them and its QEMU driver does nothing with them: the guest has both timers, and its TSC is what the CPU
makes it. Who relies on them is mistaken.

## Example
```xml
<clock offset='localtime'>
  <timer name='pit' present='no' tickpolicy='delay'/>
  <timer name='tsc' present='yes' mode='native'/>
</clock>
```

## Use instead
```xml
<clock offset='localtime'>
  <timer name='pit' tickpolicy='delay'/>
</clock>
```

## Fix safety
There is no fix: nothing is wrong with the guest.

## Sources
- libvirt:docs/formatdomain.rst, "Time keeping": mode is Xen's
- libvirt:src/qemu/qemu_command.c, qemuBuildClockCommandLine()
"""

from hvctl.guest.domain.domain import Domain
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity
from hvctl.text.problems import quoted

SEVERITY = Severity.INFO
GUESTS = (Domain,)

_ALWAYS = ("rtc", "pit")


def check(context: Context) -> Findings:
    guest = context.guest
    if guest.foreign:
        return
    for name, timer in guest.timers.items():
        if name == "tsc" and timer.mode:
            message = f"mode={quoted(timer.mode)} of the tsc timer has no effect: libvirt does not pass it to QEMU"
            yield context.finding(timer.where, message, "leave it out", attribute="mode")
        elif name in _ALWAYS and timer.present is False:
            message = f"the {name} timer cannot be turned off: libvirt passes only its tick policy to QEMU"
            yield context.finding(timer.where, message, "leave present out", attribute="present")
