"""The enlightened VMCS is on, and a host is not Intel's or has nested virtualization off.

## What it does
Looks at the processors of the hosts that are given, and at the parameter `nested` of their KVM modules.

## Why it matters
QEMU refuses to start the guest: "Hyper-V enlightened VMCS (hv-evmcs) is not supported by kernel".

## Example
```xml
<features>
  <hyperv>
    <vapic state='on'/>
    <evmcs state='on'/>
  </hyperv>
</features>
```

## Use instead
```xml
<features>
  <hyperv>
    <vapic state='on'/>
  </hyperv>
</features>
```

## Fix safety
Unsafe: dropping it changes what the guest sees, though it cannot start there with it.

## Sources
- linux:arch/x86/kvm/vmx/hyperv.c:30-46, linux:arch/x86/kvm/hyperv.c:2803-2804
- qemu:target/i386/kvm/kvm.c:1042-1049
- nova bug 2009280, kubevirt issue 8840, dockur/windows issues 297 and 369
"""

from hvctl.catalog.cpu_models import VENDOR_NAMES
from hvctl.catalog.types import Row
from hvctl.lint.rule import Context, Fact, Findings
from hvctl.model.finding import Severity
from hvctl.model.host import Host, and_more

SEVERITY = Severity.ERROR
NEEDS = (Fact.HOSTS,)


def check(context: Context) -> Findings:
    for setting in context.guest.on.values():
        reasons: dict[str, list[Host]] = {}
        for host in context.hosts:
            if why := unfit(setting.row, host):
                reasons.setdefault(why, []).append(host)
        if reasons:
            said = " and ".join(f"{why} {and_more(hosts)}" for why, hosts in reasons.items())
            yield context.finding(
                setting.where,
                f"{context.guest.name_of(setting.row)} is on, and {said}",
                f"{context.leave_out(setting)} for guests that can get there",
                fix=context.drop(setting),
            )


def unfit(row: Row, host: Host) -> str | None:
    """Why a host's processor cannot give a row that is one vendor's, with the host to follow; None where it can, or
    that is not known."""
    if not row.vendors:
        return None
    vendor = host.hardware.vendor
    if vendor and vendor not in row.vendors:
        return f"the processor is {VENDOR_NAMES.get(vendor, vendor)}'s on"
    if row.nested_only and host.hardware.nested is False:
        return "nested virtualization is off on"
    return None
