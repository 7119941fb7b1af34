"""The clock of a KubeVirt guest has a field that KubeVirt does not have.

## What it does
Looks at the keys in `clock` of a VirtualMachine, where the schema lets everything pass, and of a preference.

## Why it matters
The API server takes any key there, such as `localtime`, and KubeVirt's webhook refuses the object, or the guest has a
clock in UTC.

## Example
```yaml
        clock:
          localtime: {}
```

## Use instead
```yaml
        clock:
          timezone: Europe/Berlin
```

## Fix safety
There is no fix: which zone the guest is in, nothing says.

## Sources
- kubevirt:staging/src/kubevirt.io/api/core/v1/schema.go, Clock; the CRD has x-kubernetes-preserve-unknown-fields there
- kubevirt issues 8507 and 8519, PR 9587 (localtime)
"""

from hvctl.guest.kubevirt.machine import Machine
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.ERROR
GUESTS = (Machine,)


def check(context: Context) -> Findings:
    guest = context.guest
    assert isinstance(guest, Machine), "GUESTS says so"
    for field in guest.ignored:
        instead = f"write {guest.syntax_of('offset', '')}, or `{guest.path_of('clock.utc')}: {{}}`"
        yield context.finding(field, f"KubeVirt has no field {field.path}", instead)
