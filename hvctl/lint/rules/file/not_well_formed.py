"""The file is not XML, or not such that hvctl reads it.

## What it does
Tells where the parser stopped: at a tag that is not closed, a character that may not stand there, a document type
declaration, or more than 200 elements inside each other. A quotation without an end in a shell script counts too.

## Why it matters
libvirt refuses it, and nothing else in the file can be judged.

## Example
```text
<domain type='kvm'>
  <name>windows</name>
  <os>
    <type arch='x86_64' machine='pc-q35-7.2'>hvm</type>
  </os>
</domian>
```

## Use instead
```text
<domain type='kvm'>
  <name>windows</name>
  <os>
    <type arch='x86_64' machine='pc-q35-7.2'>hvm</type>
  </os>
</domain>
```

## Fix safety
There is no fix.

## Sources
- Extensible Markup Language (XML) 1.0, "Well-Formed XML Documents"
- POSIX, "Shell Command Language" 2.2
"""

from __future__ import annotations

from collections.abc import Iterator

from hvctl.lint.rule import Context
from hvctl.model.finding import Finding, Severity

SEVERITY = Severity.ERROR


def check(context: Context) -> Iterator[Finding]:  # noqa: ARG001 - what is read is well-formed
    """Nothing: the engine makes the finding, where reading fails."""
    yield from ()
