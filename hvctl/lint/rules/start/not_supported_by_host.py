"""A host of the pool cannot give an enlightenment that is on.

## What it does
Asks the recorded facts of each host: what KVM reports, and which properties its QEMU knows. A KVM without Hyper-V
emulation is one finding for the whole guest.

## Why it matters
QEMU refuses to start the guest there, or, on a kernel without Hyper-V emulation, ignores most of what is asked for.

## Example
```xml
<features>
  <hyperv>
    <vpindex state='on'/>
    <tlbflush state='on'>
      <extended state='on'/>
    </tlbflush>
  </hyperv>
</features>
```

## Use instead
```xml
<features>
  <hyperv>
    <vpindex state='on'/>
    <tlbflush state='on'/>
  </hyperv>
</features>
```

## Fix safety
Unsafe: dropping it changes what the guest sees.

## Sources
- qemu:target/i386/kvm/kvm.c:1496-1516
- linux:arch/x86/kvm/hyperv.c, kvm_get_hv_cpuid()
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hvctl.lint.rule import Context, Fact, Findings
from hvctl.lint.rules.start.evmcs_without_nested_intel import unfit
from hvctl.model.finding import Severity
from hvctl.model.guest import Setting
from hvctl.model.host import Host, and_more

if TYPE_CHECKING:
    from hvctl.plan.support import Answer

SEVERITY = Severity.ERROR
NEEDS = (Fact.HOSTS,)


def check(context: Context) -> Findings:
    from hvctl.plan.support import NO_HYPERV

    guest = context.guest
    if guest.kvm is False or not guest.on:
        return
    without = [host for host in context.hosts if host.kvm.hyperv is False]
    if without and guest.enlightened:
        where = next(iter(guest.on.values())).where
        reason = NO_HYPERV.reason.replace("its KVM", f"the KVM of {and_more(without)}")
        yield context.finding(where, f"{reason}: nothing of this works there", NO_HYPERV.remedy)
        return
    for setting in guest.on.values():
        yield from _lacking(context, setting)


def _lacking(context: Context, setting: Setting) -> Findings:
    from hvctl.model.plan import Layer
    from hvctl.plan.support import Answer, State, support

    row = setting.row
    if any(unfit(row, host) for host in context.hosts):
        return
    counted = (Layer.KERNEL, Layer.QEMU)
    # What its libvirt lacks, too: so that no other finding waits behind this one.
    layers = (*counted, Layer.LIBVIRT) if context.guest.libvirt and not setting.argument else counted
    found: dict[Answer, list[Host]] = {}
    for host in context.hosts:
        for answer in support(host, row, host.qemu[0] if host.qemu else None):
            if answer.layer in layers and answer.state is not State.YES:
                found.setdefault(answer, []).append(host)
    lacks = {answer: hosts for answer, hosts in found.items() if answer.state is State.NO}
    reasons = [
        f"{and_more(hosts)} cannot give it: {one.reason}" for one, hosts in lacks.items() if one.layer in counted
    ]
    if reasons:
        message = f"{context.guest.name_of(row)} is on, and {'; '.join(reasons)}"
        yield context.finding(
            setting.where, message, _instead(lacks, context.leave_out(setting)), fix=context.drop(setting)
        )
        return
    for answer, hosts in found.items():
        if answer.state is State.UNKNOWN and answer.layer in counted:
            context.skip(f"{and_more(hosts)}: {row.id}: {answer.reason}")
            return


def _instead(lacks: Mapping["Answer", Sequence[Host]], leave_out: str) -> str:
    """What each host needs, or to leave it out."""
    from hvctl.plan.support import ONLY

    if never := next((one.remedy for one in lacks if one.remedy.startswith(ONLY)), ""):
        return f"{leave_out}: {never}"
    needed = {one.remedy: and_more(hosts) for one, hosts in lacks.items() if one.remedy}
    if not needed:
        return leave_out
    if len(set(needed.values())) == 1:
        return f"{' and '.join(needed)} there, or {leave_out}"
    return f"{', '.join(f'{remedy} on {hosts}' for remedy, hosts in needed.items())}; or {leave_out}"
