"""A name in `<hyperv>`, or an hv- property, is unknown.

## What it does
Compares the elements of `<hyperv>` with libvirt's (up to 12.8, and those of the hosts that are given),
and properties of the CPU that begin with `hv-` with QEMU's (up to 11.1).

## Why it matters
libvirt refuses to define the domain ("unsupported HyperV Enlightenment feature"), QEMU to start ("Property not found").

## Example
```xml
<features>
  <hyperv>
    <xmm-input state='on'/>
  </hyperv>
</features>
```

## Use instead
```xml
<features>
  <hyperv>
    <xmm_input state='on'/>
  </hyperv>
</features>
```

## Fix safety
Safe where the name is another spelling of one that exists: as it is, the domain cannot be defined.

## Sources
- libvirt:src/conf/domain_conf.c:199-218
- qemu:target/i386/cpu.c:8805-8920
"""

from hvctl.catalog import find, roles
from hvctl.catalog.placement import HypervElement
from hvctl.catalog.types import Row
from hvctl.guest.domain.domain import Domain
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Finding, Fix, Severity
from hvctl.model.guest import Mistake
from hvctl.text.problems import did_you_mean, quoted
from hvctl.xml.document import Element, named

SEVERITY = Severity.ERROR
OF = "mistakes"
# Each takes a millisecond, and a hostile file can have a hundred thousand.
_MOST_GUESSES = 100


def check(context: Context) -> Findings:
    known = {element for host in context.hosts if host.libvirt for element in host.libvirt.elements}
    properties = {name for host in context.hosts for qemu in host.qemu for name, _ in qemu.properties}
    for number, mistake in enumerate(context.guest.mistakes):
        if mistake.kind not in ("unknown", "name") or mistake.name in known or mistake.name in properties:
            continue
        if mistake.kind == "unknown" and mistake.message:  # of a syntax with names of its own
            yield context.finding(mistake.where, mistake.message, mistake.instead)
        elif mistake.attribute or not isinstance(context.guest, Domain):
            yield _property(context, mistake, guess=number < _MOST_GUESSES)
        else:
            yield _element(context, mistake, guess=number < _MOST_GUESSES)


def _property(context: Context, mistake: Mistake, *, guess: bool) -> Finding:
    row, uses = find(mistake.name), context.guest.uses
    used = (name for name, one in roles.PROPERTIES.items() if uses(one))
    meant = did_you_mean(mistake.name, used) if guess and not row else ""
    if row:
        meant = f"write {row.properties[0].name}" if uses(row) else "leave it out"
    message = f"QEMU knows no property {quoted(mistake.name)}"
    return context.finding(mistake.where, message, mistake.instead or meant, attribute=mistake.attribute)


def _element(context: Context, mistake: Mistake, *, guess: bool) -> Finding:
    row = find(mistake.name.replace("/", "-"))
    within = mistake.name.rpartition("/")[0] or "hyperv"
    message = f"libvirt knows no {named(mistake.where.tag)} in {named(within)}"
    uses = context.guest.uses
    if row is not None and row.libvirt is not None and uses(row):
        return context.finding(mistake.where, message, context.write(row), fix=_renamed(context, mistake, row))
    used = (path for path, one in roles.ELEMENTS.items() if uses(one))
    meant = did_you_mean(mistake.name, used) if guess and row is None else ""
    return context.finding(mistake.where, message, meant or "take it away")


def _renamed(context: Context, mistake: Mistake, row: Row) -> Fix | None:
    """The fix that puts the right name in the place of another spelling, where nothing else is wrong with it then."""
    place = row.libvirt
    if not isinstance(place, HypervElement) or place.inside or "/" in mistake.name or mistake.where.children:
        return None
    # Beside an argument that says something of the row an element of that name would be another fault.
    if row.id in context.guest.settings or not context.guest.can_turn_on(row) or not _right(row, mistake.where):
        return None
    if context.guest.kvm is False:  # as a name that nobody knows it does as much
        return None
    if not (context.guest.can_have(row) and context.supported(row)):
        return None
    return context.safe(f"write <{place.name}>", lambda changes: changes.rename(mistake.where, place.name))


def _right(row: Row, element: Element) -> bool:
    """Whether what an element says would be right under the name of a row."""
    if element.get("state") not in ("on", "off"):
        return False
    if not isinstance(row.libvirt, HypervElement) or not row.libvirt.attribute:
        return True
    text = element.get(row.libvirt.attribute) or ""
    return row in roles.NAMES and bool(text) and "," not in text and len(text.encode()) <= (row.maximum or 0)
