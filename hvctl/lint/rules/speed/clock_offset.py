"""The clock of a Windows guest is in UTC.

## What it does
Looks at the offset of `<clock>`, or the base of `-rtc`, of guests that are Windows. `variable` and `timezone` are
left alone.

## Why it matters
Windows takes the hardware's clock for local time, and is hours wrong until it is corrected over the network.

## Example
```xml
<name>win11</name>
<features>
  <hyperv>
    <relaxed state='on'/>
  </hyperv>
</features>
<clock offset='utc'/>
```

## Use instead
```xml
<name>win11</name>
<features>
  <hyperv>
    <relaxed state='on'/>
  </hyperv>
</features>
<clock offset='localtime'/>
```

## Fix safety
Unsafe: the guest's clock jumps, and a Windows with RealTimeIsUniversal set wants UTC.

## Sources
- libvirt:docs/formatdomain.rst, "Time keeping"
- truenas/middleware PR 19459, kubevirt issue 8507
"""

from __future__ import annotations

from collections.abc import Iterator

from hvctl.guest.guest import Kind
from hvctl.lint.rule import Context
from hvctl.model.finding import Finding, Fix, Severity

SEVERITY = Severity.WARNING


def check(context: Context) -> Iterator[Finding]:
    """UTC, written or by default."""
    guest = context.guest
    if not guest.windows or guest.offset not in (None, "utc") or (guest.partial and not guest.offset):
        return
    profile = context.profile
    if profile is not None and profile.clock.offset == "utc":
        return
    where = guest.root if guest.offset_where is None else guest.offset_where
    message = "the clock of this Windows guest is in UTC" + ("" if guest.offset else ", which is the default")
    command = guest.kind is Kind.COMMAND_LINE
    instead = "write -rtc base=localtime" if command else "write <clock offset='localtime'>"
    yield context.finding(where, message, instead, attribute="offset", fix=_fix(context))


def _fix(context: Context) -> Fix | None:
    if not context.guest.can_set_offset():
        return None
    return context.unsafe("set the clock to local time", lambda changes: changes.set_offset("localtime"))
