"""A guest that runs a hypervisor itself lacks what makes that fast.

## What it does
Takes a guest for one where the profile says so (`uses: [nested-hyperv]`, vbs, wsl2), or where its CPU is required to
have vmx or svm; and names what is made for it (evmcs, stimer-direct, emsr-bitmap, tlbflush-direct) as far as all
hosts have it.

## Why it matters
Hyper-V, virtualization-based security and WSL2 inside the guest are slow or freeze without.

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
from hvctl.catalog.cpu_models import NESTED_FEATURE
from hvctl.catalog.windows import USES
from hvctl.lint.rule import Context, Fact, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.INFO
NEEDS = (Fact.HOSTS,)


def check(context: Context) -> Findings:
    guest = context.guest
    if context.is_open() or not guest.alive or guest.kvm is False or not _nests(context):
        return
    rows = [row for row in roles.FOR_NESTED if row.id not in guest.on and context.supported(row)]
    if rows:
        names = ", ".join(guest.name_of(row) for row in rows)
        message = f"the guest runs a hypervisor itself, and lacks {names}"
        yield context.finding(guest.hyperv_place, message, context.write(*rows))


def _nests(context: Context) -> bool:
    uses = context.profile.uses if context.profile else ()
    if any(use.nested and use.id in uses for use in USES):
        return True
    switches = [context.guest.switches.get(name) for name in NESTED_FEATURE.values()]
    return any(switch is not None and switch.on for switch in switches)
