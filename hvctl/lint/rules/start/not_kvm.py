"""Enlightenments are on, and the guest does not run by KVM.

## What it does
Looks at the domain's type, or at the accelerator of a command line. Xen and other hypervisors have enlightenments of
their own and are left alone.

## Why it matters
QEMU's own emulation (TCG) accepts the flags and gives the guest nothing, without a word.

## Example
```xml
<domain type='qemu'>
  <name>windows</name>
  <os>
    <type arch='x86_64' machine='pc-q35-7.2'>hvm</type>
  </os>
  <features>
    <hyperv>
      <relaxed state='on'/>
    </hyperv>
  </features>
</domain>
```

## Use instead
```xml
<domain type='kvm'>
  <name>windows</name>
  <os>
    <type arch='x86_64' machine='pc-q35-7.2'>hvm</type>
  </os>
  <features>
    <hyperv>
      <relaxed state='on'/>
    </hyperv>
  </features>
</domain>
```

## Fix safety
There is no fix: which accelerator is there is for you to say.

## Sources
- qemu:target/i386/kvm/kvm.c:857-862, hyperv_enabled()
- observed with QEMU 7.2 and `-accel tcg`
"""

from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.ERROR


def check(context: Context) -> Findings:
    guest = context.guest
    if guest.kvm is not False or not guest.enlightened or guest.foreign:
        return
    kind = f" ({guest.accelerator})" if guest.accelerator else ""
    message = f"the guest does not use KVM{kind}: its enlightenments do nothing"
    instead = "use KVM, or leave the enlightenments out"
    yield context.finding(context.place("accelerator"), message, instead, attribute="type")
