"""The number of spinlock retries is one that libvirt refuses.

## What it does
Compares the number with libvirt's least, 4095, and with what 32 bits hold. Numbers from 2147483648 on are a warning:
libvirt takes them, and writes them back as negative ones.

## Why it matters
libvirt refuses to define the domain: "HyperV spinlock retry count must be at least 4095".

## Example
```xml
<features>
  <hyperv>
    <spinlocks state='on' retries='100'/>
  </hyperv>
</features>
```

## Use instead
```xml
<features>
  <hyperv>
    <spinlocks state='on' retries='8191'/>
  </hyperv>
</features>
```

## Fix safety
Unsafe: the guest reads the number.

## Sources
- libvirt:src/conf/domain_conf.c:17013-17016
- libvirt:src/conf/domain_conf.c:28485 (the number as `%d`)
- qemu:docs/system/i386/hyperv.rst:50-53
"""

from hvctl.catalog import roles
from hvctl.catalog.placement import HypervElement
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.ERROR
ROWS = roles.NUMBERS


_LARGEST = (1 << 32) - 1


def check(context: Context) -> Findings:
    for setting in context.on(ROWS):
        value, place = setting.value, setting.row.libvirt
        if setting.argument or not isinstance(place, HypervElement) or not isinstance(value, int):
            continue
        least, most = place.minimum or 0, setting.row.maximum or _LARGEST
        if least <= value <= most:
            continue
        attribute = setting.attribute
        instead = f"write a number from {least} to {most}"
        if not least <= value <= _LARGEST:
            message = f"{attribute} of <{setting.where.tag}> is {setting.text}, and libvirt takes {least} or more"
            fix = context.set(setting.where, attribute, str(least if value < least else most))
            yield context.finding(setting.where, message, instead, attribute=attribute, fix=fix)
        else:
            message = f"libvirt writes {setting.text} back as a negative number, and does not read that again"
            yield context.finding(setting.where, message, instead, attribute=attribute, severity=Severity.WARNING)
