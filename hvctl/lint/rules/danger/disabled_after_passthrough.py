"""An enlightenment is turned off beside hv-passthrough, which turns it on.

## What it does
Finds `-hv-x` and `hv-x=off` on a command line, or in a domain's `<qemu:commandline>`, with hv-passthrough.

## Why it matters
QEMU adds all that KVM has after it has read the flags: what is turned off is on in the guest.

## Example
```sh
qemu-system-x86_64 -accel kvm -machine pc-q35-7.2 -cpu host,hv-passthrough,-hv-evmcs
```

## Use instead
```sh
qemu-system-x86_64 -accel kvm -machine pc-q35-7.2 -cpu host,hv-passthrough
```

## Fix safety
Safe: it does nothing.

## Sources
- qemu:target/i386/kvm/kvm.c:1438-1494
- qemus/qemu ships such a line
"""

from hvctl.catalog import roles
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.WARNING
ROWS = roles.EVERYTHING
OF = "removals"


def check(context: Context) -> Findings:
    guest = context.guest
    everything = next(context.on(ROWS))
    for setting in guest.removals:
        if not setting.row.in_passthrough:
            continue
        name, all_of_it = setting.row.properties[0].name, everything.row.properties[0].name
        message = f"{name} is turned off here, and {all_of_it} turns it on"
        fix = context.drop(setting, safe=True)
        yield context.finding(
            setting,
            message,
            context.name_all(all_of_it),
            fix=fix,
            related=((f"{all_of_it} is here", everything.where),),
        )
