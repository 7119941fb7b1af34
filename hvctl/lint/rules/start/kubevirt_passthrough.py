"""`hypervPassthrough` is on in KubeVirt, and enlightenments are named beside it.

## What it does
Looks for `features.hypervPassthrough` that is on beside anything in `features.hyperv`.

## Why it matters
KubeVirt's webhook refuses both together; without it virt-launcher writes what is named, and the passthrough is lost.

## Example
```yaml
        features:
          hypervPassthrough:
            enabled: true
          hyperv:
            relaxed: {}
```

## Use instead
```yaml
        features:
          hyperv:
            relaxed: {}
```

## Fix safety
Unsafe: which of the two was meant, nothing says. The passthrough goes, which blocks migrations anyway.

## Sources
- kubevirt:staging/src/kubevirt.io/api/core/v1/schema.go, HyperVPassthrough
- kubevirt:pkg/virt-launcher/virtwrap/converter/compute, hypervisor_features.go
"""

from hvctl.catalog.kubevirt import HYPERV
from hvctl.guest.kubevirt.machine import Machine
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.ERROR
GUESTS = (Machine,)
OF = "takes_all"


def check(context: Context) -> Findings:
    guest = context.guest
    assert isinstance(guest, Machine), "GUESTS says so"
    beside = guest.homes[0].find(HYPERV)
    if beside is None or not any(True for _ in beside.children()):
        return
    for setting in guest.on.values():
        if setting.row.takes_all:
            message = f"{setting.where.path} is on beside {beside.path}, and KubeVirt takes one of them only"
            related = (("named here", beside),)
            fix = context.drop(setting)
            yield context.finding(setting.where, message, "leave one of them out", fix=fix, related=related)
