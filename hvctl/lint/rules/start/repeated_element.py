"""An element of `<hyperv>` is written more than once.

## What it does
Finds enlightenments that are repeated, in one `<hyperv>` or in several.

## Why it matters
libvirt takes the last one without a word, so that the guest may get what is not meant; checked by the schema
(`virt-xml-validate`, `virsh define --validate`), the domain is refused.

## Example
```xml
<features>
  <hyperv>
    <vpindex state='off'/>
    <relaxed state='on'/>
    <vpindex state='on'/>
  </hyperv>
</features>
```

## Use instead
```xml
<features>
  <hyperv>
    <relaxed state='on'/>
    <vpindex state='on'/>
  </hyperv>
</features>
```

## Fix safety
Safe: the one that does not count is dropped. There is none where elements stand inside of it: libvirt reads those of
every `<stimer>`.

## Sources
- libvirt:src/conf/domain_conf.c:16907-17055, virDomainFeaturesHyperVDefParse()
- libvirt:src/conf/schemas/domaincommon.rng
- observed with libvirt 9.0
"""

from __future__ import annotations

from collections.abc import Iterator

from hvctl.guest.domain.elements import named
from hvctl.guest.domain.reader import Domain
from hvctl.guest.guest import Entry, Kind
from hvctl.lint.rule import Context
from hvctl.model.finding import Finding, Fix, Severity

SEVERITY = Severity.WARNING
GUESTS = (Kind.DOMAIN,)


def check(context: Context) -> Iterator[Finding]:
    """Each element that a later one takes the place of."""
    guest = context.guest
    assert isinstance(guest, Domain), "the rule is for domains"
    for first, second in guest.repeated:
        tag = named(first.where.tag)
        fix = None if first.where.children else _fix(context, first)
        yield context.finding(
            first.where,
            f"{tag} is written once more, and this one does not count",
            "write it once",
            fix=fix,
            related=((f"this {tag} counts", second.where),),
        )


def _fix(context: Context, first: Entry) -> Fix:
    return context.safe("drop this one", lambda changes: changes.drop(first))
