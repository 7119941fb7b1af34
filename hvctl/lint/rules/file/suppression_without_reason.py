"""A finding is suppressed without a reason.

## What it does
Looks at `<!-- hvctl: ignore[RULE] reason -->` and at `<hvctl:ignore rule='RULE' reason='...'/>` in `<metadata>`.

## Why it matters
The next reader does not know whether the suppression is intended.

## Example
```xml
<features>
  <hyperv>
    <relaxed state='on'/>
    <!-- hvctl: ignore[reset-pointless] -->
    <reset state='on'/>
  </hyperv>
</features>
```

## Use instead
```xml
<features>
  <hyperv>
    <relaxed state='on'/>
    <!-- hvctl: ignore[reset-pointless] our installer asks for it -->
    <reset state='on'/>
  </hyperv>
</features>
```

## Fix safety
There is no fix: the reason is yours.

## Sources
- hvctl's own
"""

from hvctl.model.finding import Severity

SEVERITY = Severity.WARNING
