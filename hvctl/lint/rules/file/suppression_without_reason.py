"""A finding is suppressed, and nothing says why.

## What it does
Looks at `<!-- hvctl: ignore[RULE] reason -->` and at `<hvctl:ignore rule='RULE' reason='...'/>` in `<metadata>`.

## Why it matters
Who reads the file next cannot tell whether the finding is meant so or was in the way.

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

from __future__ import annotations

from collections.abc import Iterator

from hvctl.lint.rule import Context
from hvctl.model.finding import Finding, Severity

SEVERITY = Severity.WARNING


def check(context: Context) -> Iterator[Finding]:  # noqa: ARG001 - suppressions are not a guest's
    """Nothing: the engine makes the findings, when all rules have been asked."""
    yield from ()
