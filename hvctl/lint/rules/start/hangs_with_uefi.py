"""Windows 7 or Server 2008 R2 has enlightenments, UEFI firmware and several vCPUs.

## What it does
Finds any enlightenment in a guest whose release is known, by libosinfo's id or its name, to hang with it.

## Why it matters
These two stop at a black screen as they boot: with UEFI and more than one vCPU they cannot bear any enlightenment. With
BIOS firmware, or one vCPU, they can.

## Example
```xml
<features>
  <hyperv>
    <relaxed state='on'/>
    <vapic state='on'/>
  </hyperv>
</features>
```

## Use instead
```xml
<features/>
```

## Fix safety
There is no fix: what is wrong may as well be the firmware.

## Sources
- Red Hat bug 1185253; Launchpad bugs 1456819 and 1593605
- virtinst (virt-install) and Proxmox VE leave the enlightenments out for these guests
"""

from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.ERROR
OF = "release"


def check(context: Context) -> Findings:
    guest = context.guest
    if not guest.hangs:
        return
    assert guest.release, "OF says so"
    message = f"{guest.release.title} hangs at a black screen with enlightenments, UEFI firmware and several vCPUs"
    instead = "leave all of them out, or give it BIOS firmware or one vCPU"
    yield context.finding(guest.hyperv_place, message, instead)
