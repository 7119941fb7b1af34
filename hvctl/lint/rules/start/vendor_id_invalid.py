"""The vendor id is longer than twelve bytes, or has a comma.

## What it does
Checks the text against what libvirt takes and what CPUID has room for. On a QEMU command line a longer one is a
warning: QEMU cuts it.

## Why it matters
libvirt refuses to define the domain; QEMU writes "hv-vendor-id truncated to 12 characters" and goes on with less.

## Example
```xml
<features>
  <hyperv>
    <vendor_id state='on' value='NotMicrosoftHv'/>
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
There is no fix: leave the element out, QEMU's default is what Windows expects.

## Sources
- libvirt:src/conf/domain_conf.c, virDomainFeaturesHyperVDefParse()
- qemu:target/i386/cpu.c:8041-8056
"""

from __future__ import annotations

from collections.abc import Iterator

from hvctl.catalog import roles
from hvctl.lint.rule import Context
from hvctl.model.finding import Finding, Severity
from hvctl.text.problems import quoted

SEVERITY = Severity.ERROR
ROWS = roles.NAMES


def check(context: Context) -> Iterator[Finding]:
    """Texts that do not fit."""
    for row in roles.NAMES:
        entry = context.guest.on.get(row.id)
        if entry is None or entry.text is None or row.maximum is None:
            continue
        long = len(entry.text.encode("utf-8", "surrogateescape")) > row.maximum
        if not long and ("," not in entry.text or entry.argument):
            continue
        fault = f"is longer than {row.maximum} bytes" if long else "has a comma"
        message = f"the text {quoted(entry.text)} {fault}"
        instead = f"write at most {row.maximum} bytes without a comma, or leave it out"
        less = Severity.WARNING if entry.argument else None
        yield context.finding(entry.where, message, instead, attribute=entry.attribute, severity=less)
