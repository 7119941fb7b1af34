"""A name in `<hyperv>`, or an hv- property, that nobody knows.

## What it does
Compares the elements of `<hyperv>` with those that libvirt knows (up to 12.8, and those of the hosts that are given),
and properties of the CPU that begin with `hv-` with QEMU's (up to 11.1).

## Why it matters
libvirt refuses to define the domain ("unsupported HyperV Enlightenment feature"), QEMU to start ("Property not
found").

## Example
```xml
<features>
  <hyperv>
    <vendor-id state='on' value='Other'/>
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
Safe where the name is another spelling of one that exists: as it is, the domain cannot be defined.

## Sources
- libvirt:src/conf/domain_conf.c:199-218
- qemu:target/i386/cpu.c:8805-8920
"""

from __future__ import annotations

from collections.abc import Iterator

from hvctl.catalog import find, roles
from hvctl.catalog.types import Row
from hvctl.guest.domain.elements import named
from hvctl.guest.guest import Kind, Mistake
from hvctl.lint.rule import Context
from hvctl.lint.rules.speed.recommended_missing import everywhere
from hvctl.model.finding import Finding, Fix, Severity
from hvctl.text.problems import did_you_mean, quoted
from hvctl.xml.source import Element

SEVERITY = Severity.ERROR


def check(context: Context) -> Iterator[Finding]:
    """Every name that is not known."""
    known = {element for host in context.hosts if host.libvirt for element in host.libvirt.elements}
    properties = {name for host in context.hosts for qemu in host.qemu for name, _ in qemu.properties}
    for mistake in context.guest.mistakes:
        if mistake.kind != "unknown" or mistake.name in known or mistake.name in properties:
            continue
        if context.guest.kind is Kind.COMMAND_LINE or mistake.attribute:
            yield _property(context, mistake)
        else:
            yield _element(context, mistake)


def _property(context: Context, mistake: Mistake) -> Finding:
    row = find(mistake.name)
    guess = f"write {row.properties[0].name}" if row else did_you_mean(mistake.name, roles.PROPERTIES)
    message = f"QEMU knows no property {quoted(mistake.name)}"
    return context.finding(mistake.where, message, mistake.instead or guess, attribute=mistake.attribute)


def _element(context: Context, mistake: Mistake) -> Finding:
    row = find(mistake.name.replace("/", "-"))
    within = mistake.name.rpartition("/")[0] or "hyperv"
    message = f"libvirt knows no {named(mistake.where.tag)} in {named(within)}"
    if row is not None and row.libvirt is not None:
        return context.finding(
            mistake.where,
            message,
            f"write {context.guest.syntax(row)}",
            fix=_renamed(context, mistake, row),
        )
    guess = did_you_mean(mistake.name, [path for path in roles.PLACES if ":" not in path and "@" not in path])
    return context.finding(mistake.where, message, guess or "take it away")


def _renamed(context: Context, mistake: Mistake, row: Row) -> Fix | None:
    """The fix that puts the right name in the place of another spelling, where nothing else is wrong with it then."""
    path = row.libvirt.path if row.libvirt else ""
    plain = not any(mark in path for mark in ":@/") and "/" not in mistake.name and not mistake.where.children
    if not plain or path in context.guest.elements() or not _right(row, mistake.where):
        return None
    if context.guest.kvm is False:  # as a name that nobody knows it does as much
        return None
    if not context.guest.can_have(row) or not everywhere(context, row):
        return None
    return context.safe(f"write <{path}>", lambda changes: changes.rename(mistake.where, path))


def _right(row: Row, element: Element) -> bool:
    """Whether what an element says would be right under the name of a row."""
    if element.get("state") not in ("on", "off"):
        return False
    if row.libvirt is None or not row.libvirt.attribute:
        return True
    text = element.get(row.libvirt.attribute) or ""
    return row in roles.NAMES and bool(text) and "," not in text and len(text.encode()) <= (row.maximum or 0)
