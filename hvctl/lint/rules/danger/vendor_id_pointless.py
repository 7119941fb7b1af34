"""The hypervisor's vendor id is set.

## What it does
Finds hv-vendor-id and `<vendor_id>`.

## Why it matters
Guests look at the interface id in the next leaf; NVIDIA's drivers, for which people set it, run in guests since
version 465.

## Example
```xml
<features>
  <hyperv>
    <relaxed state='on'/>
    <vendor_id state='on' value='1234567890ab'/>
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
Safe where the text is QEMU's default, else unsafe: the guest can read it.

## Sources
- qemu:docs/system/i386/hyperv.rst:124-130, 302-305
- kubevirt issue 3285
"""

from hvctl.catalog import roles
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity
from hvctl.text.problems import quoted

SEVERITY = Severity.INFO
ROWS = roles.NAMES


def check(context: Context) -> Findings:
    for setting in context.on(ROWS):
        if setting.text is None or context.guest.has(roles.EVERYTHING):
            continue
        default = setting.row.properties[0].default
        same = setting.text == default
        message = f"the vendor id is set to {quoted(setting.text)}" + (", which is the default" if same else "")
        fix = context.drop(setting, safe=same)
        yield context.finding(setting, message, f"leave it out: the default is {default}", fix=fix)
