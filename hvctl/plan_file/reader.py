"""Plan files: saved plans as JSON. The same plan gives the same bytes, and a file that was changed by hand is noticed.

What is kept beside the plan, QEMU's arguments and a domain, is what will be started: it must say what the plan says.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from hvctl.catalog import BY_ID, parse_version
from hvctl.catalog.types import Kind
from hvctl.catalog.windows import USES
from hvctl.errors import InputError
from hvctl.guest.command.options import global_property, parameters, scan
from hvctl.guest.domain.identity import checksum, content, digest
from hvctl.guest.plan import guest_of
from hvctl.host.host_file import TSC_HZ, decode_hardware
from hvctl.migration.differences import in_effect
from hvctl.model.guest import Guest
from hvctl.model.host import Host, Kvm, Qemu
from hvctl.model.plan import CpuPlan, Decision, Layer, Machine, Outcome, Plan, SavedPlan
from hvctl.model.profile import ClockChoice, Migration, Value
from hvctl.text.files import decode
from hvctl.text.json_document import load, read_bytes, write
from hvctl.text.json_fields import FORMAT_VERSION, Fields, Form
from hvctl.text.recognition import FileKind
from hvctl.xml.document import Element

KIND = "locked plan"  # the word in the file, which stays
FORM = Form("plan file", "write one with 'hvctl gen PROFILE --lock FILE'", 1 << 20, FileKind.PLAN)
_REASON = "locked"
_FACTS = ("vendor", "family", "model", "stepping", "tsc_hz", "tsc_scaling")
# The elements that hvctl.guest.domain.writer writes at the top, and of those below whose others would matter.
_ELEMENTS = {"name", "metadata", "memory", "os", "features", "cpu", "clock", "devices"}
_FEATURES = {"acpi", "apic", "hyperv", "kvm"}
_DEVICES = {"panic"}
_TICK_POLICIES = ("rtc", "pit")


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
        if lock.argv is not None and not says_argv(lock.argv, lock.plan):
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


def says_argv(argv: Sequence[str], plan: Plan) -> bool:
    """Whether these are the arguments of a plan, each option once and none besides.

    They are read and compared, not written again: another hvctl may write the same plan in other words.
    """
    from shlex import join

    from hvctl.guest.command.reader import read_command_line

    options = scan(argv)
    values = {option.name: option.value or "" for option in options}
    if [option.name for option in options] != ["machine", "cpu", "rtc", "global"]:
        return False
    hpet = {"hpet": "on" if plan.clock.hpet else "off"} if plan.machine.hpet_option else {}
    driftfix = {"driftfix": "slew"} if plan.clock.rtc == "catchup" else {}
    try:
        guest = read_command_line(join(argv), "argv")
    except InputError:
        return False
    return (
        dict(parameters(values["machine"], "type")) == {"type": plan.machine.type, **hpet}
        and dict(parameters(values["rtc"])) == {"base": plan.clock.offset, **driftfix}
        and global_property(values["global"]) == ("kvm-pit", "lost_tick_policy", plan.clock.pit)
        and not (guest.enforce or guest.properties or guest.doubts)
        and _comparable(guest) == _comparable(guest_of(plan))
    )


def says_xml(xml: str, plan: Plan) -> bool:
    """Whether this is the domain of a plan, but for its name and memory, and no more than that."""
    from hvctl.guest.domain.reader import read_domain
    from hvctl.xml.reader import parse

    try:
        root = parse(xml.encode(), "xml").root
        guest = read_domain(xml.encode(), "xml")
    except InputError:
        return False
    return (
        _below(root) <= _ELEMENTS
        and {name for features in root.named("features") for name in _below(features)} <= _FEATURES
        and {name for devices in root.named("devices") for name in _below(devices)} <= _DEVICES
        and _domain_clock(root)
        == [plan.clock.offset, plan.clock.rtc, plan.clock.pit, "yes" if plan.clock.hpet else "no"]
        and not guest.enforce
        # What is written beside the mode that takes all is a doubt in itself: not every libvirt writes it.
        and (guest.takes_all or not guest.doubts)
        and _comparable(guest) == _comparable(guest_of(plan, libvirt=True))
    )


def _below(element: Element) -> set[str]:
    return {child.tag for child in element.children}


def _domain_clock(root: Element) -> list[str | None]:
    """The offset, the tick policies and whether there is an HPET."""
    found: list[str | None] = []
    for clock in root.named("clock"):
        timers = {timer.get("name"): timer for timer in clock.named("timer")}
        found.append(clock.get("offset"))
        found += [timers[name].get("tickpolicy") if name in timers else None for name in _TICK_POLICIES]
        found.append(timers["hpet"].get("present") if "hpet" in timers else None)
    return found


def _comparable(guest: Guest) -> tuple[object, ...]:
    # QEMU takes `_` for `-` in a feature's name.
    features = {name.replace("_", "-"): on for name, on in guest.features}
    cpu = (guest.cpu, guest.migratable, guest.hidden, features, guest.tsc_frequency)
    return guest.machine, *cpu, set(guest.enabled()), in_effect(guest)
