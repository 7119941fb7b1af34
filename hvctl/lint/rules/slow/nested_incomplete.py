"""A guest that runs a hypervisor itself lacks what makes that fast.

## What it does
Takes a guest for one where its CPU is required to have vmx or svm, or where the profile says so (`uses:
[nested-hyperv]`, vbs, wsl2) and the CPU is not written without them. It names what is made for such a guest (evmcs,
stimer-direct, emsr-bitmap, tlbflush-direct) as far as all hosts have it; without hosts stimer-direct alone.

## Why it matters
Hyper-V, virtualization-based security and WSL2 inside the guest are slow or freeze without. A Hyper-V can use no
synthetic timers but direct ones there.

## Example
```xml
<features>
  <hyperv>
    <vapic state='on'/>
  </hyperv>
</features>
<cpu mode='host-passthrough'>
  <feature policy='require' name='svm'/>
</cpu>
```

## Use instead
```xml
<features>
  <hyperv>
    <vapic state='on'/>
    <vpindex state='on'/>
    <synic state='on'/>
    <stimer state='on'>
      <direct state='on'/>
    </stimer>
    <tlbflush state='on'>
      <direct state='on'/>
    </tlbflush>
    <emsr_bitmap state='on'/>
  </hyperv>
</features>
<cpu mode='host-passthrough'>
  <feature policy='require' name='svm'/>
</cpu>
<clock offset='localtime'>
  <timer name='hypervclock' present='yes'/>
</clock>
```

## Fix safety
There is no fix: `hvctl gen PROFILE --domain FILE` writes the whole set.

## Sources
- qemu:docs/system/i386/hyperv.rst:159-178, 228-257
- Proxmox forum 184178, microsoft/WSL issues 7876 and 40820
"""

from hvctl.catalog import roles
from hvctl.catalog.types import Advice
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.INFO


def check(context: Context) -> Findings:
    guest = context.guest
    if context.is_open() or not guest.alive or guest.kvm is False or not context.nests:
        return
    if not context.hosts:
        context.skip("no host is given (--host)")
    # Without hosts only what every Windows is advised to have.
    able = [row for row in roles.FOR_NESTED if all(map(context.supported, context.with_all(row)))]
    rows = [row for row in able if context.hosts or row.advice is Advice.ON]
    if missing := [row for row in rows if row.id not in guest.on and guest.uses(row)]:
        names = ", ".join(guest.name_of(row) for row in missing)
        message = f"the guest runs a hypervisor itself, and lacks {names}"
        yield context.finding(guest.hyperv_place, message, context.write(*context.with_controllers(missing)))
