"""The number of spinlock retries is one that libvirt refuses.

## What it does
Compares the number with libvirt's least, 4095, and with what 32 bits hold; KubeVirt documents 4096 as the least, and
its CRD takes at most 2147483647. In a domain larger numbers are a warning: libvirt takes them, and writes them back as
negative ones.

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
- kubevirt:staging/src/kubevirt.io/api/core/v1/schema.go, FeatureSpinlocks
"""

from hvctl.catalog import roles
from hvctl.catalog.placement import HypervElement
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.ERROR
ROWS = roles.NUMBERS


def check(context: Context) -> Findings:
    guest = context.guest
    for setting in context.on(ROWS):
        value, place = setting.value, setting.row.libvirt
        if setting.argument or not isinstance(place, HypervElement) or not isinstance(value, int):
            continue
        least, largest = guest.limits(setting.row)
        most = min(setting.row.maximum or largest, largest)
        if least <= value <= most:
            continue
        attribute = setting.attribute
        instead = f"write a number from {least} to {most}"
        if not least <= value <= largest:
            takes = f"{least} or more" if value < least else f"at most {largest}"
            message = f"{guest.value_name(setting)} is {setting.text}, and {guest.taker} takes {takes}"
            fix = context.set(setting.where, attribute, str(least if value < least else most))
            yield context.finding(setting.where, message, instead, attribute=attribute, fix=fix)
        else:
            message = f"libvirt writes {setting.text} back as a negative number, and does not read that again"
            yield context.finding(setting.where, message, instead, attribute=attribute, severity=Severity.WARNING)
