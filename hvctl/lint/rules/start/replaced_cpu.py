"""A later `-cpu` throws away the enlightenments of an earlier one.

## What it does
Finds commands with several `-cpu`, `<qemu:commandline>` with a `-cpu` among them, whose last one lacks enlightenments
that an earlier one turns on.

## Why it matters
QEMU takes the last `-cpu` whole: model, features and enlightenments of all others are gone, and nothing reports it.
It is what `args: -cpu ...` does in Proxmox VE, and a `-cpu` in `<qemu:commandline>` to all that libvirt writes.

## Example
```sh
qemu-system-x86_64 -M pc-q35-7.2,accel=kvm,hpet=off \\
  -cpu host,hv_relaxed,hv_vapic,hv_vpindex,hv_time,hv_synic,hv_stimer \\
  -cpu host,kvm=off
```

## Use instead
```sh
qemu-system-x86_64 -M pc-q35-7.2,accel=kvm,hpet=off \\
  -cpu host,kvm=off,hv_relaxed,hv_vapic,hv_vpindex,hv_time,hv_synic,hv_stimer
```

## Fix safety
There is no fix: which of the two was meant is not written.

## Sources
- qemu:system/vl.c, qemu_init(): `case QEMU_OPTION_cpu: cpu_option = optarg`
- Observed with QEMU 7.2
"""

from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.ERROR
OF = "replaced"


def check(context: Context) -> Findings:
    from hvctl.guest.proxmox.guest import ProxmoxGuest  # see args-replace-cpu

    guest = context.guest
    for earlier in guest.replaced:
        if isinstance(guest, ProxmoxGuest) and earlier.where is guest.added:
            continue  # args-replace-cpu is about it
        gone = [name for name in earlier.names if name not in guest.qemu_names]
        if gone:
            message = f"this -cpu replaces an earlier CPU as a whole, and {', '.join(gone)} with it"
            instead = "write one -cpu with all that the guest should get"
            if guest.libvirt:
                instead = "write all of it as elements, without -cpu"
            related = (("the earlier one is here", earlier.where),)
            yield context.finding(context.place("cpu"), message, instead, attribute="value", related=related)
