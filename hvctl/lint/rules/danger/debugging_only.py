"""An option for debugging is on.

## What it does
Finds hv-enforce-cpuid and hv-syndbg.

## Why it matters
hv-enforce-cpuid makes KVM refuse what a guest uses that was not offered to it; hv-syndbg opens a channel for a
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

from hvctl.catalog import roles
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.WARNING
ROWS = roles.FROM_THE_DEBUGGER


def check(context: Context) -> Findings:
    for setting in context.on(ROWS):
        message = f"{setting.row.properties[0].name} is on: it is for debugging only"
        fix = context.drop(setting)
        yield context.finding(setting, message, "leave it out", fix=fix)
