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

from hvctl.catalog import roles
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity
from hvctl.text.problems import quoted

SEVERITY = Severity.ERROR
ROWS = roles.NAMES


def check(context: Context) -> Findings:
    for setting in context.on(ROWS):
        most = setting.row.maximum
        if setting.text is None or most is None:
            continue
        long = len(setting.text.encode("utf-8", "surrogateescape")) > most
        if not long and ("," not in setting.text or setting.argument):
            continue
        fault = f"is longer than {most} bytes" if long else "has a comma"
        message = f"the text {quoted(setting.text)} {fault}"
        instead = f"write at most {most} bytes without a comma, or leave it out"
        less = Severity.WARNING if setting.argument else None
        yield context.finding(setting, message, instead, severity=less)
