"""The CPU is not limited to what can migrate (migratable=off).

## What it does
Finds `migratable='off'`, and `migratable=off` in -cpu, without a frequency of the TSC and without invtsc being written:
where that is on, invtsc-without-frequency finds it.

## Why it matters
The CPU then has invtsc where the processor has it, and QEMU refuses to migrate the guest, to save it (`virsh save`,
managedsave) and to take a snapshot with its memory: "State blocked by non-migratable CPU device (invtsc flag)".

## Example
```xml
<cpu mode='host-passthrough' migratable='off'/>
```

## Use instead
```xml
<cpu mode='host-passthrough' migratable='on'/>
```

## Fix safety
There is no fix: the guest may need what cannot migrate.

## Sources
- qemu:target/i386/cpu.c, x86_cpu_enable_features(); target/i386/kvm/kvm.c, kvm_arch_init_vcpu()
"""

from hvctl.catalog.cpu_models import INVARIANT_TSC
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity
from hvctl.model.guest import HOST_MODELS

SEVERITY = Severity.WARNING


def check(context: Context) -> Findings:
    guest = context.guest
    if guest.migratable or guest.cpu not in HOST_MODELS or guest.tsc_frequency or guest.kvm is False:
        return
    switch = guest.switches.get(INVARIANT_TSC)
    # Where it is written as on, invtsc-without-frequency says the same of it.
    if switch is None or switch.on is None:
        message = f"migratable is off, so the CPU can have {INVARIANT_TSC}: no migration, no save, no memory snapshot"
        instead = f"leave migratable on, or turn {INVARIANT_TSC} off"
        yield context.finding(guest.places["migratable"], message, instead, attribute="migratable")
