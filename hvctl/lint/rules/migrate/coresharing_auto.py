"""hv-no-nonarch-coresharing is auto.

## What it does
Finds the value that takes the answer from the host.

## Why it matters
QEMU refuses to migrate the guest, to save it (`virsh save`, managedsave) and to take a snapshot with its memory:
"'hv-no-nonarch-coresharing=auto' CPU flag prevents migration".

## Example
```sh
qemu-system-x86_64 -accel kvm -machine pc-q35-7.2 -cpu host,hv_relaxed=on,hv_no_nonarch_coresharing=auto
```

## Use instead
```sh
qemu-system-x86_64 -accel kvm -machine pc-q35-7.2 -cpu host,hv_relaxed=on
```

## Fix safety
There is no fix: `on` only holds when vCPUs are pinned.

## Sources
- qemu:target/i386/kvm/kvm.c:1696-1708
"""

from hvctl.catalog import roles
from hvctl.catalog.types import blocked
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.WARNING
ROWS = roles.STUCK_BY_VALUE


def check(context: Context) -> Findings:
    for setting in context.on(ROWS):
        if setting.value == "auto":
            message = blocked(f"{setting.row.properties[0].name}=auto")
            instead = "write on where the vCPUs are pinned, else leave it out"
            yield context.finding(setting, message, instead)
