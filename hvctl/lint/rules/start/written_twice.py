"""An enlightenment is written both for libvirt and in `<qemu:commandline>`.

## What it does
Compares the elements with the `-global` and `-cpu` arguments that the domain passes to QEMU.

## Why it matters
What libvirt writes in `-cpu` wins over a `-global`, so that this one does nothing, while a second `-cpu` throws
all of libvirt's away; neither is in libvirt's check before a migration.

## Example
```xml
<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>windows</name>
  <os>
    <type arch='x86_64' machine='pc-q35-7.2'>hvm</type>
  </os>
  <features>
    <hyperv>
      <relaxed state='on'/>
    </hyperv>
  </features>
  <qemu:commandline>
    <qemu:arg value='-global'/>
    <qemu:arg value='x86_64-cpu.hv-relaxed=on'/>
  </qemu:commandline>
</domain>
```

## Use instead
```xml
<features>
  <hyperv>
    <relaxed state='on'/>
  </hyperv>
</features>
```

## Fix safety
Safe for a `-global`, which does nothing beside the element. There is none for a `-cpu`.

## Sources
- observed with QEMU 7.2: a -cpu flag overrides -global, of several -cpu the last counts whole
- libvirt:docs/drvqemu.rst
"""

from hvctl.guest.domain.domain import Domain
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.ERROR
GUESTS = (Domain,)
OF = "arguments"


def check(context: Context) -> Findings:
    guest = context.domain
    for row_id, setting in guest.arguments.items():
        element = guest.settings.get(row_id)
        if element is None or element.argument or not element.on:
            continue
        fix = context.drop(setting, safe=True)
        message = f"{guest.name_of(setting.row)} is written here and as an element, which wins"
        yield context.finding(
            setting, message, "take it away", fix=fix, related=(("the element is here", element.where),)
        )
