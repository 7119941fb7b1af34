"""Windows reports its crash to QEMU, and does not write its dump.

## What it does
Finds `<panic model='hyperv'/>` and hv-crash, unless the profile asks for it.

## Why it matters
Windows then leaves five numbers with the hypervisor, and QEMU by default (`-action panic=shutdown`) stops it before
it writes its memory dump.

## Example
```xml
<features>
  <hyperv>
    <relaxed state='on'/>
  </hyperv>
</features>
<devices>
  <panic model='hyperv'/>
</devices>
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
Unsafe: something may read the event GUEST_PANICKED.

## Sources
- qemu:docs/system/i386/hyperv.rst:68-75, 306-308
- qemu:qapi/run-state.json:500-552
"""

from hvctl.catalog import roles
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.WARNING
ROWS = roles.CRASH_REPORT


def check(context: Context) -> Findings:
    for setting in context.on(ROWS):
        if context.asked(setting.row):
            continue
        message = f"{setting.row.title} are on: Windows writes no crash dump of its own"
        fix = context.drop(setting)
        yield context.finding(setting, message, "leave it out unless something reads the event", fix=fix)
