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
from hvctl.model.host import and_more

SEVERITY = Severity.ERROR
NEEDS = (Fact.HOSTS,)
AFTER = ("not-supported-by-host",)
GUESTS = (Domain,)

_HOST_MODEL_SINCE = (11, 9)


def check(context: Context) -> Findings:
    from hvctl.plan.support import State, support

    for setting in context.guest.settings.values():
        if setting.argument or setting.row.libvirt is None:
            continue
        answers = [(host, support(host, setting.row, None)[3]) for host in context.hosts if host.libvirt]
        hosts = [host for host, answer in answers if answer.state is State.NO]
        if hosts:
            message = f"the libvirt of {and_more(hosts)} does not know {setting.row.libvirt.path}"
            instead = f"use libvirt {setting.row.libvirt.since} or newer there, or {context.leave_out(setting)}"
            fix = None if setting.row.takes_all else context.drop(setting)
            yield context.finding(setting.where, message, instead, fix=fix)
    if isinstance(context.guest, Domain) and context.guest.mode == HOST_MODEL:
        yield from _mode(context)


def _mode(context: Context) -> Findings:
    """The mode that libvirt chooses by, where one does not know it."""
    hosts = [host for host in context.hosts if host.libvirt and _before_host_model(host.libvirt.version)]
    if hosts:
        message = f"the libvirt of {and_more(hosts)} does not know mode='{HOST_MODEL}'"
        since = ".".join(map(str, _HOST_MODEL_SINCE))
        remedy = f"name what the guest should get, or use libvirt {since} or newer there"
        yield context.finding(context.guest.hyperv_place, message, remedy, attribute="mode")


def _before_host_model(version: str | None) -> bool:
    parts = (version or "").split(".")[:2]
    known = len(parts) == 2 and all(part.isascii() and part.isdecimal() and len(part) < 6 for part in parts)
    return known and tuple(map(int, parts)) < _HOST_MODEL_SINCE
