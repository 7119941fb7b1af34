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

from hvctl.lint.rule import Context, Fact, Findings
from hvctl.lint.rules.start.evmcs_without_nested_intel import unfit
from hvctl.model.finding import Severity
from hvctl.model.guest import Setting

SEVERITY = Severity.ERROR
NEEDS = (Fact.HOSTS,)


def check(context: Context) -> Findings:
    from hvctl.plan.support import NO_HYPERV

    guest = context.guest
    if guest.kvm is False or not guest.on:
        return
    for host in context.hosts:
        if host.kvm.hyperv is False and guest.enlightened:
            where = next(iter(guest.on.values())).where
            message = f"{NO_HYPERV.reason.replace('its KVM', f'the KVM of {host.label}')}: nothing of this works there"
            yield context.finding(where, message, NO_HYPERV.remedy)
            return
    for setting in guest.on.values():
        yield from _lacking(context, setting)


def _lacking(context: Context, setting: Setting) -> Findings:
    from hvctl.plan.support import State, support

    unknown = None
    for host in context.hosts:
        if unfit(setting.row, host):
            return
        answers = support(host, setting.row, host.qemu[0] if host.qemu else None)
        for answer in (answers[0], answers[2]):
            if answer.state is State.NO:
                name = context.guest.name_of(setting.row)
                message = f"{name} is on, and {host.label} cannot give it: {answer.reason}"
                yield context.finding(setting.where, message, answer.remedy, fix=context.drop(setting))
                return
            if answer.state is State.UNKNOWN and unknown is None:
                unknown = f"{host.label}: {setting.row.id}: {answer.reason}"
    if unknown:
        context.skip(unknown)
