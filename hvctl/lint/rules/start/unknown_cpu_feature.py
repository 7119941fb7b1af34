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
Safe: as it is, the guest does not start. There is none for a switch, nor where the feature stands there twice.

## Sources
- libvirt:src/cpu/cpu_x86.c:3441
- libvirt:src/cpu_map/x86_features.xml, its aliases
- observed with libvirt 9.0 and 11.3
"""

from __future__ import annotations

from collections.abc import Iterator

from hvctl.catalog.cpu_features import called_otherwise, libvirt_name, unknown_to_libvirt
from hvctl.guest.domain.reader import Domain
from hvctl.guest.guest import Kind, Switch
from hvctl.lint.rule import Context
from hvctl.model.finding import Finding, Fix, Severity
from hvctl.text.problems import quoted

SEVERITY = Severity.ERROR
GUESTS = (Kind.DOMAIN,)


def check(context: Context) -> Iterator[Finding]:
    """Every feature of the CPU that libvirt does not know by its name."""
    guest = context.guest
    assert isinstance(guest, Domain), "the rule is for domains"
    if not guest.cpu_features or guest.foreign:
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
        fix = _fix(context, switch, right) if right and names.count(right) == 1 else None
        yield context.finding(switch.where, message, instead, attribute="name", fix=fix)


def _fix(context: Context, switch: Switch, right: str) -> Fix:
    return context.safe(f"call it {right}", lambda changes: changes.set(switch.where, "name", right))
