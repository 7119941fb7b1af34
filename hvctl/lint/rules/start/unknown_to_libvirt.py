"""An element is written that the libvirt of a host does not know.

## What it does
Compares the elements with those in the schema of each host's libvirt, as `hvctl check-host --record` reads it, and the
mode host-model with its version.

## Why it matters
That libvirt refuses to define the domain, and to take it in by a migration.

## Example
```xml
<features>
  <hyperv>
    <relaxed state='on'/>
    <xmm_input state='on'/>
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
Unsafe: dropping it changes what the guest sees.

## Sources
- libvirt:docs/formatdomain.rst:2141-2157 (since when each element is there)
- observed with libvirt 9.0 and 11.3: "Invalid value for attribute 'mode' in element 'hyperv': 'host-model'"
"""

from hvctl.guest.domain.domain import HOST_MODEL, Domain
from hvctl.lint.rule import Context, Fact, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.ERROR
NEEDS = (Fact.HOSTS,)
GUESTS = (Domain,)

_HOST_MODEL_SINCE = (11, 9)


def check(context: Context) -> Findings:
    from hvctl.plan.support import State, support

    for setting in context.guest.settings.values():
        if setting.argument or setting.row.libvirt is None:
            continue
        for host in context.hosts:
            answer = support(host, setting.row, None)[3]
            if host.libvirt is not None and answer.state is State.NO:
                message = f"the libvirt of {host.label} does not know {setting.row.libvirt.path}"
                fix = None if setting.row.takes_all else context.drop(setting)
                yield context.finding(setting.where, message, answer.remedy, fix=fix)
                break
    if isinstance(context.guest, Domain) and context.guest.mode == HOST_MODEL:
        yield from _mode(context)


def _mode(context: Context) -> Findings:
    """The mode that libvirt chooses by, on the first host where it does not know it."""
    host = next((host for host in context.hosts if host.libvirt and _before_host_model(host.libvirt.version)), None)
    if host is not None:
        message = f"the libvirt of {host.label} does not know mode='{HOST_MODEL}'"
        remedy = f"name what the guest should get: it came with libvirt {'.'.join(map(str, _HOST_MODEL_SINCE))}"
        yield context.finding(context.guest.hyperv_place, message, remedy, attribute="mode")


def _before_host_model(version: str | None) -> bool:
    parts = (version or "").split(".")[:2]
    known = len(parts) == 2 and all(part.isascii() and part.isdecimal() and len(part) < 6 for part in parts)
    return known and tuple(map(int, parts)) < _HOST_MODEL_SINCE
