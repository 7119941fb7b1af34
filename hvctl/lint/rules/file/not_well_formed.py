"""The file is not well-formed, or hvctl does not read such XML.

## What it does
Shows where the parser stopped: at a tag that is not closed, a character that is not allowed there, a document type
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

from hvctl.model.finding import Severity

SEVERITY = Severity.ERROR
