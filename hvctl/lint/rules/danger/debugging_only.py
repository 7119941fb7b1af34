"""An option for debugging is on.

## What it does
Finds hv-enforce-cpuid and hv-syndbg.

## Why it matters
hv-enforce-cpuid makes KVM refuse what a guest uses without being told of it; hv-syndbg opens a channel for a
debugger, and its state is lost in a migration.

## Example
```sh
qemu-system-x86_64 -accel kvm -machine pc-q35-7.2 -cpu host,hv_relaxed=on,hv_enforce_cpuid=on
```

## Use instead
```sh
qemu-system-x86_64 -accel kvm -machine pc-q35-7.2 -cpu host,hv_relaxed=on
```

## Fix safety
Unsafe: dropping it changes what the guest may do.

## Sources
- qemu:docs/system/i386/hyperv.rst:215-226, 279-284, 294-295
"""

from __future__ import annotations

from collections.abc import Iterator

from hvctl.catalog import roles
from hvctl.lint.rule import Context
from hvctl.model.finding import Finding, Severity

SEVERITY = Severity.WARNING
ROWS = roles.FROM_THE_DEBUGGER


def check(context: Context) -> Iterator[Finding]:
    """What is for debugging."""
    for row in roles.FROM_THE_DEBUGGER:
        entry = context.guest.on.get(row.id)
        if entry is not None:
            message = f"{row.properties[0].name} is on: it is for debugging only"
            fix = context.drop(entry)
            yield context.finding(entry.where, message, "leave it out", attribute=entry.attribute, fix=fix)
