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
Safe: the one that does not count is dropped. There is none where it has elements inside: libvirt reads those of every
`<stimer>`.

## Sources
- libvirt:src/conf/domain_conf.c:16907-17055, virDomainFeaturesHyperVDefParse()
- libvirt:src/conf/schemas/domaincommon.rng
- observed with libvirt 9.0
"""

from hvctl.guest.domain.domain import Domain
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Fix, Severity
from hvctl.model.guest import Setting
from hvctl.xml.document import named

SEVERITY = Severity.WARNING
GUESTS = (Domain,)
OF = "repeated"


def check(context: Context) -> Findings:
    guest = context.domain
    for first, second in guest.repeated:
        tag = named(first.where.tag)
        fix = None if first.where.children else _fix(context, first)
        yield context.finding(
            first.where,
            f"{tag} is written again, and this one does not count",
            "write it once",
            fix=fix,
            related=((f"this {tag} counts", second.where),),
        )


def _fix(context: Context, first: Setting) -> Fix:
    return context.safe("drop this one", lambda changes: changes.drop(first))
