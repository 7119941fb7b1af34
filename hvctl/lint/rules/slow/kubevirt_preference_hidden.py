"""A key of a VirtualMachine hides more of its preference than it says.

## What it does
Compares a VirtualMachine with its preference, where both are in one file. KubeVirt takes each feature of
`features.hyperv` whole, and `clock.timer` whole: the preference's counts only where the VirtualMachine has no such key.

## Why it matters
`synictimer: {}` in the VirtualMachine turns off the `direct` that its preference turns on; a single timer turns off
all others, the reference clock of Hyper-V among them.

## Example
```yaml
        features:
          hyperv:
            synictimer: {}
```

## Use instead
```yaml
        features:
          hyperv:
            synictimer:
              direct: {}
```

## Fix safety
Unsafe: the VirtualMachine's key goes, and the guest gets what its preference says.

## Sources
- kubevirt:pkg/instancetype/preference/apply/features.go, applyHyperVFeaturePreferences()
- kubevirt:pkg/instancetype/preference/apply/clock.go, applyClockPreferences()
"""

from collections.abc import Iterator

from hvctl.catalog.kubevirt import has_field
from hvctl.guest.kubevirt.machine import Field, Machine, is_null
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.WARNING
GUESTS = (Machine,)
OF = "shadowed"


def check(context: Context) -> Findings:
    guest = context.guest
    assert isinstance(guest, Machine), "GUESTS says so"
    for own, other in guest.shadowed:
        hidden = [tag for tag in _said(other, own.path) if own.child(tag) is None]
        if not hidden or not (own.on and other.on):
            continue
        message = f"{own.path} hides {', '.join(hidden)} of {other.path} in the preference"
        instead = f"write {', '.join(hidden)} here too, or leave {own.tag} to the preference"
        fix = context.remove(own, f"leave {own.tag} to the preference")
        yield context.finding(own, message, instead, fix=fix, related=(("hidden here", other),))


def _said(field: Field, path: str) -> Iterator[str]:
    """The keys below a field that say more than that it is on, and can be read; `path` is the VirtualMachine's."""
    for child in field.children():
        below = f"{path}.{child.tag}"
        if child.tag != "enabled" and not is_null(child.entry.value) and has_field(below, leaf=child.mapping is None):
            yield child.tag
