"""What the catalog knows of a row, as sections that text, JSON and man pages share."""

from collections.abc import Sequence
from typing import Any, assert_never

from hvctl.catalog import ROWS
from hvctl.catalog.cpu_models import VENDOR_NAMES
from hvctl.catalog.placement import ClockTimer, HypervElement, HypervMode, PanicDevice, Placement
from hvctl.catalog.types import Advice, Blocks, Kind, Need, Release, Row, Subject, blocked
from hvctl.catalog.windows import USES, Use
from hvctl.report.console import paragraph

Section = tuple[str, tuple[str, ...]]

SOURCES = "Linux 7.2, QEMU 10.0, libvirt 11.3"
"""The source trees that the catalog's file:line references are of."""

ADVICE = {
    Advice.ON: "on",
    Advice.NESTED: "nested only",
    Advice.CONDITIONAL: "conditional",
    Advice.LEAVE: "default",
    Advice.OFF: "off",
}

_NEEDS = {
    Need.APICV: "Intel APICv (kvm_intel enable_apicv=1) or AMD AVIC (kvm_amd avic=1), active on every host.",
    Need.TSC_FREQUENCY: "A guest that must migrate needs tsc-frequency; hvctl leaves it out without one.",
    Need.PINNED: "vCPUs pinned to CPUs (`vcpus: {pinned: on}` in the profile).",
}


def sections(row: Row) -> list[Section]:
    """Everything about a row: (heading, paragraphs), only those that have something to say."""
    found: list[tuple[str, list[str]]] = [
        ("What it does", [row.does]),
        ("Advice", [row.advice_text]),
        ("QEMU", _qemu(row)),
        ("libvirt", _libvirt(row)),
        ("Profile", [_profile(row)]),
        ("Requires", _requires(row)),
        ("Hardware", _hardware(row)),
        ("Migration", _migration(row)),
        ("Cost", [row.cost]),
        ("When not to use it", [row.avoid]),
        ("What the guest sees", _guest(row)),
        ("Since", [_since(row)]),
        (f"Sources ({SOURCES})", list(row.sources)),
    ]
    return [(heading, tuple(text for text in texts if text)) for heading, texts in found if any(texts)]


def libvirt_xml(place: Placement) -> str:
    """The element that turns the row on, on one line."""
    match place:
        case HypervElement(name, inside=inside, attribute=attribute):
            said = f" {attribute}='...'" if attribute else ""
            element = f"<{name} state='on'{said}/>"
            if inside:
                element = f"<{inside} state='on'>{element}</{inside}>"
            return f"<hyperv>{element}</hyperv>"
        case HypervMode(name):
            return f"<hyperv mode='{name}'/>"
        case ClockTimer(name):
            return f"<clock><timer name='{name}' present='yes'/></clock>"
        case PanicDevice(model):
            return f"<devices><panic model='{model}'/></devices>"
        case _:
            assert_never(place)


def text(row: Row, *, width: int = 80) -> str:
    """The page of one row for a terminal."""
    return _page(row.id, row.title, sections(row), width)


def subject_sections(subject: Subject) -> list[Section]:
    """Everything about a subject, with what it does as a word of `guest.uses`."""
    use = next((use for use in USES if use.id == subject.id), None)
    profile = [("Profile", (_use(use),))] if use else []
    return [*subject.sections, *profile, ("Sources", subject.sources)]


def subject_text(subject: Subject, *, width: int = 80) -> str:
    """The page of one subject for a terminal."""
    return _page(subject.id, subject.title, subject_sections(subject), width)


def _page(name: str, title: str, found: Sequence[Section], width: int) -> str:
    lines = [f"{name}: {title}"]
    for heading, paragraphs in found:
        lines += ["", heading]
        lines += [paragraph(said, width, 2, 2) for said in paragraphs]
    return "\n".join(lines) + "\n"


def listing(rows: Sequence[Row], subjects: Sequence[Subject]) -> str:
    """One line a row: id, advice, title; then one line a subject: id, title."""
    ids = max(len(row.id) for row in rows)
    advice = max(len(word) for word in ADVICE.values())
    lines = [f"{row.id:{ids}}  {ADVICE[row.advice]:{advice}}  {row.title}" for row in rows]
    lines += ["", *(f"{subject.id:{ids}}  {subject.title}" for subject in subjects)]
    return "\n".join(lines) + "\n"


def _use(use: Use) -> str:
    if not use.nested:
        return (
            f"`guest: {{uses: [{use.id}]}}` writes nothing: neither another vendor id nor a hidden KVM is implied. It "
            "tells lint and check-migration of the card."
        )
    names = ", ".join(row.id for row in ROWS if row.for_nested)
    return f"`guest: {{uses: [{use.id}]}}` needs vmx or svm in the guest's CPU, and makes these `prefer`: {names}."


def subject_json(subject: Subject) -> dict[str, Any]:
    """The subject as the object that `explain --format json` prints."""
    return {
        "id": subject.id,
        "title": subject.title,
        "words": list(subject.words),
        "sections": [{"heading": heading, "paragraphs": list(texts)} for heading, texts in subject_sections(subject)],
    }


def as_json(row: Row) -> dict[str, Any]:
    """The row as the object that `explain --format json` prints."""
    return {
        "id": row.id,
        "title": row.title,
        "advice": str(row.advice),
        "aliases": list(row.aliases),
        "properties": [{"name": known.name, "type": known.type} for known in row.properties],
        "requires": list(row.requires),
        "required_by": [other.id for other in ROWS if row.id in other.requires],
        "libvirt": libvirt_xml(row.libvirt) if row.libvirt else None,
        "sections": [{"heading": heading, "paragraphs": list(texts)} for heading, texts in sections(row)],
    }


def _qemu(row: Row) -> list[str]:
    lines = [f"-cpu ...,{known.name.replace('-', '_')}={_example(row, known.type)}" for known in row.properties]
    lines += [f"({name} is another name of it.)" for name in row.property_aliases]
    if not row.enables_hyperv and not row.experimental:
        lines.append("Alone it turns nothing on: some enlightenment must be on beside it.")
    if row.irqchip:
        lines.append("Needs the interrupt controller in the kernel (not kernel-irqchip=off).")
    return lines


def _example(row: Row, kind: str) -> str:
    if kind == "OnOffAuto":
        return "on|auto"
    if kind == "bool":
        return "on"
    return f"({kind}, default {row.properties[0].default})" if len(row.properties) == 1 else f"({kind})"


def _libvirt(row: Row) -> list[str]:
    if row.libvirt is None:
        if row.experimental:
            return ["No element."]
        name = row.properties[0].name
        return [
            f"No element. Only <qemu:commandline> with -global x86_64-cpu.{name}=..., which libvirt does not check."
        ]
    lines = [libvirt_xml(row.libvirt)]
    if isinstance(row.libvirt, HypervElement) and row.libvirt.minimum is not None:
        lines.append(f"libvirt refuses values below {row.libvirt.minimum}.")
    return lines


def _profile(row: Row) -> str:
    if row.experimental:
        return "Not accepted: hvctl never writes it."
    if row.kind is Kind.NUMBER:
        return f"{row.id}: {row.minimum} (a number from {row.minimum} to {row.maximum}; never notifying is off)"
    if row.kind is Kind.STRING:
        return f"{row.id}: text ({row.minimum} to {row.maximum} printable ASCII characters, no comma)"
    if row.kind is Kind.VERSION:
        return f"{row.id}: MAJOR.MINOR.BUILD or MAJOR.MINOR.BUILD.SPACK-SBRANCH-SNUMBER"
    return f"{row.id}: {'on | off | prefer | auto' if row.kind is Kind.ON_OFF_AUTO else 'on | off | prefer'}"


def _requires(row: Row) -> list[str]:
    lines = []
    if row.requires:
        lines.append(f"{', '.join(row.requires)} (QEMU refuses to start without)")
    if row.requires_unless:
        lines.append(f"Not with {row.requires_unless}, which machine types up to 3.0 set.")
    lines += [
        f"Advised: {other.id}{f' on {VENDOR_NAMES[other.vendor]}' if other.vendor else ''}"
        f"{f' beside {other.beside}' if other.beside else ''}: {other.reason}."
        for other in row.recommends
    ]
    dependents = [other.id for other in ROWS if row.id in other.requires]
    if dependents:
        lines.append(f"Required by {', '.join(dependents)}.")
    return lines


def _hardware(row: Row) -> list[str]:
    lines = [_NEEDS[need] for need in row.needs]
    if len(row.vendors) == 1:
        lines.append(f"Exists on {VENDOR_NAMES[row.vendors[0]]} processors only.")
    if row.nested_only:
        lines.append("Of use only to a guest that runs a hypervisor itself (nested virtualization).")
    return lines


def _migration(row: Row) -> list[str]:
    blocks = {
        Blocks.ALWAYS: f"{blocked('it')}.",
        Blocks.AUTO: f"{blocked('the value auto')}.",
        Blocks.LOST: "Its state is lost in a live migration.",
        Blocks.NEVER: "",
    }[row.blocks_migration]
    carried = f"Its state is carried in vmstate {row.vmstate}." if row.vmstate else ""
    return [blocks, row.migration, carried]


def _guest(row: Row) -> list[str]:
    lines = [
        f"CPUID {bits.leaf:#010x}.{bits.register.upper()} bit {bit}: {name}"
        + (f" (unless {bits.unless})" if bits.unless else "")
        for bits in (*row.checks, *row.adds)
        for bit, name in zip(bits.bits, bits.names, strict=True)
    ]
    for known in row.properties:
        if known.field:
            end = known.field.shift + min(known.field.width, 32) - 1
            span = "" if known.field.width >= 32 else f"[{end}:{known.field.shift}]"
            registers = "EBX, ECX, EDX" if known.field.width > 32 else known.field.register.upper()
            lines.append(f"CPUID {known.field.leaf:#010x}.{registers}{span}: the value of {known.name}")
    if row.msrs:
        spans = [f"{low:#x}" if low == high else f"{low:#x}-{high:#x}" for low, high in row.msrs]
        lines.append(f"MSRs {', '.join(spans)}")
    if row.hypercalls:
        lines.append(f"Hypercalls {', '.join(row.hypercalls)}")
    return lines


def _since(row: Row) -> str:
    libvirt = f"libvirt {row.libvirt.since}" if row.libvirt else ""
    return ", ".join(
        word for word in (_release("Linux", row.since_kvm), _release("QEMU", row.since_qemu), libvirt) if word
    )


def _release(what: str, release: Release | None) -> str:
    if release is None:
        return ""
    return f"{what} {release.version}" + ("" if release.certain else " (not certain)")
