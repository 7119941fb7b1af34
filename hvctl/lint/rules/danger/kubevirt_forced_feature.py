"""KubeVirt requires a feature of the CPU for an enlightenment, and it is not written.

## What it does
Looks at the enlightenments for which KubeVirt adds `vmx` to the CPU with the policy require, even where another policy
is written.

## Why it matters
The guest then starts only on Intel nodes with nested virtualization on, and elsewhere stays unschedulable. What is
written does not show that.

## Example
```yaml
        features:
          hyperv:
            evmcs: {}
```

## Use instead
```yaml
        cpu:
          features:
          - name: vmx
            policy: require
        features:
          hyperv:
            evmcs: {}
```

## Fix safety
Unsafe: the enlightenment goes.

## Sources
- kubevirt:pkg/defaults/hyperv.go, setEVMCSDependency()
"""

from hvctl.guest.kubevirt.machine import Machine
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.INFO
GUESTS = (Machine,)
OF = "forced"


def check(context: Context) -> Findings:
    guest = context.guest
    assert isinstance(guest, Machine), "GUESTS says so"
    for feature, setting, where in guest.forced:
        written = ((f"{feature} has another policy here", where),) if where is not None else ()
        path = guest.path_of("cpu.features")
        instead = f"write `{{name: {feature}, policy: require}}` in {path}, or {context.leave_out(setting)}"
        message = f"{guest.name_of(setting.row)} is on, for which KubeVirt requires the CPU feature {feature}"
        yield context.finding(setting.where, message, instead, fix=context.drop(setting), related=written)
