"""The CPU hides the hypervisor from the guest.

## What it does
Finds the CPU feature hypervisor that is turned off: a warning in a guest with enlightenments, an info in a Windows
without any, which is a choice that can be meant. Other rules then ask for no enlightenment.

## Why it matters
A guest looks for Hyper-V only where CPUID leaf 1 shows a hypervisor: without that bit it uses no enlightenment.

## Example
```xml
<features>
  <hyperv>
    <relaxed state='on'/>
  </hyperv>
</features>
<cpu mode='host-passthrough'>
  <feature policy='disable' name='hypervisor'/>
</cpu>
```

## Use instead
```xml
<features>
  <hyperv>
    <relaxed state='on'/>
  </hyperv>
</features>
<cpu mode='host-passthrough'>
</cpu>
```

## Fix safety
Unsafe: the guest sees another machine, and programs that refuse virtual machines see one. No fix where a device is
assigned that may be a graphics card, whose driver may be one of them.

## Sources
- linux:arch/x86/kernel/cpu/mshyperv.c, ms_hyperv_platform()
- Hypervisor Top Level Functional Specification, "Feature and Interface Discovery"
- quickemu and guides to anti-cheat programs write such a CPU
"""

from hvctl.catalog.cpu_models import HYPERVISOR
from hvctl.guest.domain.domain import Domain
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.WARNING


def check(context: Context) -> Findings:
    guest = context.guest
    if not guest.without_hypervisor_bit:
        return
    where = guest.switches[HYPERVISOR].where
    if guest.enlightened:
        message = f"the CPU has no {HYPERVISOR} bit: the guest does not look for its enlightenments"
        # An argument in a domain is one of two elements.
        plain = not isinstance(guest, Domain) or where.tag == "feature"
        fix = context.unsafe("drop it", lambda changes: changes.remove(where)) if plain else None
        instead = "leave it on, or leave the enlightenments out"
        # It may be hidden from the driver of a graphics card.
        if context.may_have_gpu:
            instead, fix = "leave the enlightenments out, or leave it on if the graphics card's driver bears it", None
        yield context.finding(where, message, instead, attribute="name", fix=fix)
    elif guest.windows:
        message = f"the CPU has no {HYPERVISOR} bit, and no enlightenment is on: Windows is hidden, and slower for it"
        yield context.finding(where, message, attribute="name", severity=Severity.INFO)
