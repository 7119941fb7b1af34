"""The hypervisor's vendor id is set.

## What it does
Finds hv-vendor-id and `<vendor_id>`, but not where a PCI or mediated device is assigned that may be a graphics card,
or where the profile has `uses: [gpu-passthrough]` or a vendor id of its own.

## Why it matters
It helps against the drivers of some graphics cards only, and no device is assigned here. Windows looks at the interface
id in the next leaf; Linux looks for "Microsoft Hv", and no longer sees Hyper-V.

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
- linux:arch/x86/kernel/cpu/mshyperv.c, ms_hyperv_platform()
- kubevirt issue 3285; mroboff/vm-curator pull request 74 (users' words)
"""

from hvctl.catalog import roles
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity
from hvctl.text.problems import quoted

SEVERITY = Severity.INFO
ROWS = roles.NAMES


def check(context: Context) -> Findings:
    if context.may_have_gpu or context.is_open():
        return
    for setting in context.on(ROWS):
        if setting.text is None or context.asked(setting.row):
            continue
        default = setting.row.properties[0].default
        same = setting.text == default
        message = f"the vendor id is set to {quoted(setting.text)}" + (", which is the default" if same else "")
        fix = context.drop(setting, safe=same)
        yield context.finding(setting, message, f"{context.leave_out(setting)}: the default is {default}", fix=fix)
