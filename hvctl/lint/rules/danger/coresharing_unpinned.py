"""hv-no-nonarch-coresharing is on, and the vCPUs are not pinned.

## What it does
Finds it in domains in which not every vCPU is pinned to a CPU of its own, or whose CPU has no `<topology>`. A command
line alone does not show this.

## Why it matters
QEMU checks nothing, and the guest takes vCPUs for safe from each other that it does not see as threads of one core:
without pinning they can share one, and one can attack the other.

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
    <qemu:arg value='x86_64-cpu.hv-no-nonarch-coresharing=on'/>
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
Unsafe: dropping it changes what the guest sees.

## Sources
- qemu:docs/system/i386/hyperv.rst:187-199, 300-301
- qemu:target/i386/kvm/kvm.c:1604-1609
"""

from hvctl.catalog import roles
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.ERROR
ROWS = roles.PROMISES


def check(context: Context) -> Findings:
    guest = context.guest
    pinned = guest.pinned or (context.profile is not None and context.profile.pinned)
    for setting in context.on(ROWS):
        if setting.value == "auto":
            continue
        if guest.pinned is None and not pinned:
            context.skip("a command line does not show whether its vCPUs are pinned")
            continue
        threads = guest.topology is not None and guest.topology.threads
        lacks = "the vCPUs are not pinned" if not pinned else "" if threads else "the CPU has no <topology>"
        if lacks and not (pinned and guest.pinned is None):
            message = f"{setting.row.properties[0].name}=on only holds when vCPUs are pinned: {lacks}"
            fix = context.drop(setting)
            yield context.finding(setting, message, "pin each vCPU, with a topology to match, or leave it out", fix=fix)
