"""A value of an enlightenment, a timer or another setting is invalid.

## What it does
Checks states, numbers, texts and modes that are written against what libvirt and QEMU take. A binary number is a
warning: those that were built with glibc 2.38 or newer take it.

## Why it matters
Who reads it refuses it, as libvirt and QEMU do, or passes over it, as Proxmox VE does. In a domain states are `on` and
`off`: `yes`, `true` and `1` are not.

## Example
```xml
<features>
  <hyperv>
    <relaxed state='yes'/>
  </hyperv>
</features>
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
Safe where the word can mean one thing only; anything else is left to you.

## Sources
- libvirt:src/conf/domain_conf.c:16907-17055
- qemu:qapi/qapi-util.c, qapi_bool_parse()
- C23 (ISO/IEC 9899:2024), 7.24.1.7, strtoull()
"""

from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Fix, Severity
from hvctl.model.guest import Mistake

SEVERITY = Severity.ERROR
OF = "mistakes"

_SEVERITIES = {"value": SEVERITY, "unclear": Severity.WARNING}


def check(context: Context) -> Findings:
    for mistake in context.guest.mistakes:
        if mistake.kind in _SEVERITIES:
            yield context.finding(
                mistake.where,
                mistake.message,
                mistake.instead,
                attribute=mistake.attribute,
                severity=_SEVERITIES[mistake.kind],
                fix=_fix(context, mistake),
            )


def _fix(context: Context, mistake: Mistake) -> Fix | None:
    if mistake.change is None:
        return None
    name, value = mistake.change
    return context.set(mistake.where, name, value, title=f"write {name}='{value}'", safe=True)
