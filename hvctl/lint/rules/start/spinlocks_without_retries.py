"""The spinlock retries are on, and no number is written.

## What it does
Finds `<spinlocks state='on'/>` without `retries`.

## Why it matters
libvirt before 11.9 refuses to define the domain; a newer one takes "never", so that the element does nothing.

## Example
```xml
<features>
  <hyperv>
    <relaxed state='on'/>
    <spinlocks state='on'/>
  </hyperv>
</features>
```

## Use instead
```xml
<features>
  <hyperv>
    <relaxed state='on'/>
    <spinlocks state='on' retries='8191'/>
  </hyperv>
</features>
```

## Fix safety
Unsafe: a newer libvirt gives the guest another number than now.

## Sources
- libvirt:src/conf/domain_conf.c:17013-17016
- libvirt:docs/formatdomain.rst:2143
- observed with libvirt 9.0: "Missing required attribute 'retries' in element 'spinlocks'"
"""

from hvctl.catalog import roles
from hvctl.guest.domain.domain import Domain
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Fix, Severity

SEVERITY = Severity.WARNING
GUESTS = (Domain,)
ROWS = roles.NUMBERS


def check(context: Context) -> Findings:
    number = str(roles.ADVISED_NUMBER)
    for setting in context.on(ROWS):
        if not setting.argument and setting.text is None:
            message = f"{context.guest.name_of(setting.row)} is on, and has no {setting.attribute}"
            instead = f"write {setting.attribute}='{number}', or leave it out"
            fix: Fix | None = context.set(setting.where, setting.attribute, number)
            if not context.guest.uses(setting.row):
                instead, fix = context.leave_out(setting), context.drop(setting)
            yield context.finding(setting.where, message, instead, fix=fix)
