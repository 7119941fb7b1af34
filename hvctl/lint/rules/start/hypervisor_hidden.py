"""The CPU hides the hypervisor from the guest, and enlightenments are on.

## What it does
Finds the CPU feature hypervisor that is turned off, in a guest with enlightenments.

## Why it matters
A guest looks for Hyper-V only where CPUID leaf 1 shows a hypervisor: without that bit it uses none of them.

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
Unsafe: the guest sees another machine, and programs that refuse virtual machines see one.

## Sources
- linux:arch/x86/kernel/cpu/mshyperv.c, ms_hyperv_platform()
- Hypervisor Top Level Functional Specification, "Feature and Interface Discovery"
- quickemu and guides to anti-cheat programs write such a CPU
"""

from hvctl.guest.domain.domain import Domain
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.WARNING

_BIT = "hypervisor"


def check(context: Context) -> Findings:
    guest = context.guest
    switch = guest.switches.get(_BIT)
    if switch is None or switch.on is not False or not guest.alive:
        return
    message = f"the CPU has no {_BIT} bit: the guest does not look for its enlightenments"
    # An argument in a domain is one of two elements.
    plain = not isinstance(guest, Domain) or switch.where.tag == "feature"
    fix = context.unsafe("drop it", lambda changes: changes.remove(switch.where)) if plain else None
    instead = "leave it on, or leave the enlightenments out"
    yield context.finding(switch.where, message, instead, attribute="name", fix=fix)
