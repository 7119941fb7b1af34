"""The clock of a Windows guest is in UTC.

## What it does
Looks at the offset of `<clock>`, or the base of `-rtc`, of guests that are Windows. `variable` and `timezone` are
left alone. KubeVirt has no local time: there it is the guest's zone.

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

from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.WARNING
AFTER = ("kubevirt-clock",)


def check(context: Context) -> Findings:
    guest = context.guest
    if not guest.windows or guest.offset not in (None, "utc") or (guest.partial and not guest.offset):
        return
    if context.profile is not None and context.profile.clock.offset == "utc":
        return
    message = "the clock of this Windows guest is in UTC" + ("" if guest.offset else ", which is the default")
    instead = f"write {guest.syntax_of('offset', 'localtime')}"
    fix = context.set_fact("offset", "localtime", "set the clock to local time")
    where = guest.places.get("offset") or guest.clock_place
    yield context.finding(where, message, instead, attribute="offset", fix=fix)
