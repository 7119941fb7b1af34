"""A feature of the CPU has a name that is QEMU's and not libvirt's.

## What it does
Finds `<feature>` in `<cpu>` with a name that QEMU has for a feature, and libvirt another, or with a switch of QEMU's
that libvirt has no feature for, as `pmu` or `l3-cache`.

## Why it matters
libvirt lets it be defined, and refuses to start the guest: "unknown CPU feature".

## Example
```xml
<cpu mode='host-passthrough'>
  <feature policy='disable' name='lahf-lm'/>
</cpu>
```

## Use instead
```xml
<cpu mode='host-passthrough'>
  <feature policy='disable' name='lahf_lm'/>
</cpu>
```

## Fix safety
Safe: as it is, the guest does not start. There is none for a switch, nor where the feature is there twice.

## Sources
- libvirt:src/cpu/cpu_x86.c:3441
- libvirt:src/cpu_map/x86_features.xml, its aliases
- observed with libvirt 9.0 and 11.3
"""

from hvctl.catalog.cpu_models import called_otherwise, libvirt_name, unknown_to_libvirt
from hvctl.guest.domain.domain import Domain
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity
from hvctl.text.problems import quoted

SEVERITY = Severity.ERROR
GUESTS = (Domain,)
OF = "cpu_features"


def check(context: Context) -> Findings:
    guest = context.domain
    if guest.foreign:
        return
    names = [libvirt_name(one.name) for one in guest.cpu_features]
    for switch in guest.cpu_features:
        right = called_otherwise(switch.name)
        why = None if right else unknown_to_libvirt(switch.name)
        if right:
            instead = f"write name='{right}'"
        elif why:
            instead = f"leave it out: {why}"
        else:
            continue
        message = f"libvirt knows no CPU feature {quoted(switch.name)}"
        fix = None
        if right and names.count(right) == 1:
            fix = context.set(switch.where, "name", right, title=f"call it {right}", safe=True)
        yield context.finding(switch.where, message, instead, attribute="name", fix=fix)
