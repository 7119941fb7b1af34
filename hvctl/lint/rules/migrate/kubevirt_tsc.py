"""A KubeVirt guest needs the TSC's frequency to migrate, and a host's is not known.

## What it does
Looks at enlightenments for which KubeVirt gives the guest the frequency of a node's TSC, and at the hosts that are
given.

## Why it matters
Without a frequency that the cluster exposes, KubeVirt calls the guest not live-migratable: "HyperV Reenlightenment VMIs
cannot migrate when TSC Frequency is not exposed on the cluster".

## Example
```yaml
        features:
          hyperv:
            relaxed: {}
            reenlightenment: {}
```

## Use instead
```yaml
        features:
          hyperv:
            relaxed: {}
```

## Fix safety
Unsafe: the enlightenment goes.

## Sources
- kubevirt:pkg/virt-controller/watch/topology/tsc.go, GetTscFrequencyRequirement()
- kubevirt issue 10181
"""

from hvctl.catalog import roles
from hvctl.guest.kubevirt.machine import Machine
from hvctl.lint.rule import Context, Fact, Findings
from hvctl.model.finding import Severity
from hvctl.model.host import and_more

SEVERITY = Severity.WARNING
GUESTS = (Machine,)
NEEDS = (Fact.HOSTS,)
ROWS = roles.TIED_TO_THE_TSC


def check(context: Context) -> Findings:
    without = [host for host in context.hosts if host.hardware.tsc_hz is None]
    for setting in context.on(ROWS) if without else ():
        message = (
            f"{context.guest.name_of(setting.row)} is on, and the TSC frequency of {and_more(without)} is not known"
        )
        instead = f"{context.leave_out(setting)}, unless the nodes have labels cpu-timer.node.kubevirt.io/tsc-frequency"
        yield context.finding(setting.where, message, instead, fix=context.drop(setting))
