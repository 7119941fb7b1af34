"""Plan files: saved plans as JSON. The same plan gives the same bytes, and a file that was changed by hand is noticed.

What is kept beside the plan, QEMU's arguments and a domain, is what will be started: it must say what the plan says.
"""

from collections.abc import Iterator
from typing import Any

from hvctl.catalog import BY_ID, parse_version
from hvctl.catalog.types import Kind
from hvctl.catalog.windows import USES
from hvctl.errors import InputError
from hvctl.guest.command.writer import arguments
from hvctl.host.host_file import decode_hardware
from hvctl.model.host import TSC_HZ, Host, Kvm, Qemu
from hvctl.model.plan import CpuPlan, Decision, Layer, Machine, Outcome, Plan, SavedPlan, checksum, content, digest
from hvctl.model.profile import ClockChoice, Migration, Value
from hvctl.text.c_numbers import decimal_number
from hvctl.text.files import decode
from hvctl.text.json_document import load, read_bytes, write
from hvctl.text.json_fields import FORMAT_VERSION, Fields, Form
from hvctl.text.recognition import FileKind
from hvctl.xml.document import Element

KIND = "locked plan"  # the word in the file, which stays
FORM = Form("plan file", "write one with 'hvctl gen PROFILE --lock FILE'", FileKind.PLAN)
_REASON = "locked"
_FACTS = ("vendor", "family", "model", "stepping", "tsc_hz", "tsc_scaling")


def dump_lock(lock: SavedPlan) -> str:
    """The file's text, ending in a newline."""
    from hvctl import __version__

    document = {
        "format_version": FORMAT_VERSION,
        "kind": KIND,
        "hvctl": __version__,
        "digest": digest(lock.plan),
        **content(lock.plan),
        "argv": None if lock.argv is None else list(lock.argv),
        # In lines, so that two files can be compared.
        "xml": None if lock.xml is None else lock.xml.removesuffix("\n").split("\n"),
        "pool": [_pool_json(host) for host in lock.pool],
    }
    return write({**document, "checksum": checksum(document)}) + "\n"


def read_lock(path: str) -> SavedPlan:
    """Read a plan file; `-` is stdin.

    Raises:
        InputError: it cannot be read, is not a plan file, or was changed since hvctl wrote it.
    """
    return load_lock(decode(read_bytes(path, FORM), path), path)


def load_lock(text: str, path: str) -> SavedPlan:
    """The lock of a file's text; raises as `read_lock`."""
    return load(text, path, FORM, _lock)


def _pool_json(host: Host) -> dict[str, Any]:
    facts = {name: getattr(host.hardware, name) for name in _FACTS}
    expansion = host.qemu[0].expansion
    return {**facts, "expansion": None if expansion is None else dict(expansion)}


def _lock(root: Fields) -> SavedPlan | None:
    if "kind" not in root.without("checksum"):
        root.wrong("format_version", f'this is not a {FORM.name}: it has no "kind"')
        return None
    if root.text("kind") != KIND:
        root.wrong("kind", f'"kind" of a plan file is "{KIND}"')
        return None
    lines = root.texts_or_none("xml", lines=False)
    lock = SavedPlan(
        _plan(root),
        root.texts_or_none("argv", lines=False),
        None if lines is None else "".join(f"{line}\n" for line in lines),
        tuple(_host(fields) for fields in root.records("pool")),
    )
    if root.mistakes:
        return None
    if root.text("checksum") != checksum(root.without("checksum")):
        root.wrong("checksum", "the file was changed since hvctl wrote it: its checksum is another one")
    elif root.text("digest") != digest(lock.plan):
        root.wrong("digest", "this is not the digest of the plan in this file")
    else:
        # A checksum is no signature: what will be started must say what the plan says, and no more.
        if lock.argv is not None and lock.argv != arguments(lock.plan):
            root.wrong("argv", '"argv" is not what the plan in this file becomes')
        if lock.xml is not None and not says_xml(lock.xml, lock.plan):
            root.wrong("xml", '"xml" is not what the plan in this file becomes')
    return lock


def _plan(root: Fields) -> Plan:
    machine, cpu = root.fields("machine"), root.fields("cpu")
    return Plan(
        profile=root.text("profile") or "",
        os=root.text("os") or "",
        migration=Migration(root.word("migration", tuple(Migration))),
        machine=Machine(machine.text("type") or "", machine.flag("hpet_option")),
        cpu=CpuPlan(
            cpu.text("model") or "",
            bool(cpu.flag("hidden")),
            tuple(_switches(cpu.fields("features"))),
            cpu.number("tsc_frequency", limits=TSC_HZ),
        ),
        clock=_clock(root.fields("clock")),
        decisions=tuple(_decision(row_id, value) for row_id, value in _enabled(root.fields("enlightenments"))),
        uses=tuple(root.word_of("uses", use, tuple(one.id for one in USES)) for use in root.texts("uses")),
    )


def _switches(fields: Fields) -> Iterator[tuple[str, bool]]:
    for name, value in fields.scalar_items():
        if type(value) is not bool:
            fields.wrong(name, f'"{name}" is true or false, not {value!r}')
        yield name, bool(value)


def _clock(clock: Fields) -> ClockChoice:
    return ClockChoice(
        "utc" if clock.word("offset", ("localtime", "utc")) == "utc" else "localtime",
        bool(clock.flag("hpet")),
        "delay" if clock.word("rtc", ("catchup", "delay")) == "delay" else "catchup",
        "discard" if clock.word("pit", ("delay", "discard")) == "discard" else "delay",
    )


def _decision(row_id: str, value: Value | None) -> Decision:
    return Decision(row_id, Outcome.ON, value, _REASON, Layer.PROFILE, None, "on")


def _enabled(fields: Fields) -> list[tuple[str, Value | None]]:
    """The rows in the catalog's order, each with a value that it can have."""
    given = dict(fields.scalar_items())
    for name in given.keys() - BY_ID.keys():
        fields.wrong(name, f'this hvctl knows no enlightenment "{name}"; a newer one may have written the file')
    found: list[tuple[str, Value | None]] = []
    for row in BY_ID.values():
        if row.id not in given:
            continue
        value = given[row.id]
        if not _fits(row.kind, value):
            fields.wrong(row.id, f'"{row.id}" cannot have the value {value!r}')
        found.append((row.id, None if value is True else value))
    return found


def _fits(kind: Kind, value: Value) -> bool:
    match kind:
        case Kind.FLAG:
            return value is True
        case Kind.NUMBER:
            return type(value) is int
        case Kind.ON_OFF_AUTO:
            return value in ("on", "auto")
        case Kind.STRING:
            return isinstance(value, str)
        case Kind.VERSION:
            try:
                return isinstance(value, str) and bool(parse_version(value))
            except ValueError:
                return False


def _host(fields: Fields) -> Host:
    expansion = fields.fields("expansion", optional=True)
    hardware = decode_hardware(fields)
    return Host(
        None,
        Kvm(None, "", (), ()),
        hardware,
        (Qemu("", expansion=None if expansion is None else expansion.scalar_items()),),
    )


def says_xml(xml: str, plan: Plan) -> bool:
    """Whether this is the domain of a plan, element by element and attribute by attribute, in any order and layout.

    Not the plan's are the name, the memory, the number of vCPUs, and whether there is metadata, or a fragment only.
    """
    from hvctl.guest.domain.writer import domain
    from hvctl.xml.reader import parse

    try:
        # JSON can hold half a character, which expat refuses.
        root = parse(xml.encode(errors="surrogatepass"), "xml").root
    except InputError:
        return False
    fragment, metadata = not root.named("name"), bool(root.named("metadata"))
    vcpus = next((decimal_number(one.text()) for one in root.named("vcpu")), None)
    own = domain(plan, vcpus=vcpus, fragment=fragment, metadata=metadata)
    return _shape(root) == _shape(parse(own.encode(), "xml").root)


def _shape(element: Element, depth: int = 0) -> tuple[str, list[tuple[str, str]], str, list[Any]]:
    """An element with all below it; of the domain's name and memory whether they are what `gen` takes."""
    text = element.text().strip(" \t\r\n")
    if depth == 1 and element.tag == "name":
        text = str(bool(text) and text.isprintable() and "/" not in text)
    if depth == 1 and element.tag == "memory":
        text = str(bool(decimal_number(text)))
    below = sorted(_shape(child, depth + 1) for child in element.children)
    return element.tag, sorted(element.values.items()), text, below
