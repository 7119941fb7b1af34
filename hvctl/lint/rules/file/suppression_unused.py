"""A suppression that suppresses nothing.

## What it does
Finds suppressions of rules that find nothing there, or that do not exist; where one names several, each must find
something. A rule that is not asked (`--select`, `--ignore`) is not counted.

## Why it matters
It hides the next fault of that kind, which nobody meant.

## Example
```xml
<features>
  <hyperv>
    <!-- hvctl: ignore[reset-pointless] our installer asks for it -->
    <relaxed state='on'/>
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
There is no fix.

## Sources
- hvctl's own
"""

from hvctl.model.finding import Severity

SEVERITY = Severity.WARNING
