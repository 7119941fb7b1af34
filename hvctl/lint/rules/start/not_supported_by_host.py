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

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from hvctl.lint.rule import Context, Fact, Findings
from hvctl.lint.rules.start.evmcs_without_nested_intel import unfit
from hvctl.model.finding import Severity
from hvctl.model.guest import Setting
from hvctl.model.host import and_more
from hvctl.model.plan import Layer

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
    from hvctl.plan.support import State, support

    row = setting.row
    if any(unfit(row, host) for host in context.hosts):
        return
    counted = (Layer.KERNEL, Layer.QEMU)
    found = [(host, support(host, row, host.qemu[0] if host.qemu else None)) for host in context.hosts]
    lacks = [(host, answers) for host, answers in found if any(one.state is State.NO for one in _of(answers, counted))]
    if lacks:
        first = next(one for one in _of(lacks[0][1], counted) if one.state is State.NO)
        hosts = and_more([host for host, _ in lacks])
        message = f"{context.guest.name_of(row)} is on, and {hosts} cannot give it: {first.reason}"
        # All that has to be done there, so that no other finding waits behind this one.
        layers = (*counted, Layer.LIBVIRT) if context.guest.libvirt and not setting.argument else counted
        remedies = [
            one.remedy for _, answers in lacks for one in _of(answers, layers) if one.state is State.NO and one.remedy
        ]
        fix = context.drop(setting)
        yield context.finding(setting.where, message, _instead(list(dict.fromkeys(remedies))), fix=fix)
        return
    unknown = [(host, one) for host, answers in found for one in _of(answers, counted) if one.state is State.UNKNOWN]
    if unknown:
        host, answer = unknown[0]
        context.skip(f"{host.label}: {row.id}: {answer.reason}")


def _of(answers: Iterable["Answer"], layers: Sequence[Layer]) -> list["Answer"]:
    return [one for one in answers if one.layer in layers]


def _instead(remedies: list[str]) -> str:
    from hvctl.plan.support import ONLY

    never = next((one for one in remedies if one.startswith(ONLY)), "")
    if never or not remedies:
        return f"leave it out{': ' if never else ''}{never}"
    return f"{' and '.join(remedies)} there, or leave it out"
