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

from __future__ import annotations

from collections.abc import Iterator

from hvctl.lint.rule import Context
from hvctl.model.finding import Finding, Severity

SEVERITY = Severity.WARNING


def check(context: Context) -> Iterator[Finding]:  # noqa: ARG001 - suppressions are not a guest's
    """Nothing: the engine makes the findings, when all rules have been asked."""
    yield from ()
