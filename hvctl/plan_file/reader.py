"""Locked plans as JSON: the same lock gives the same bytes, and a file that was changed by hand is noticed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hvctl.catalog import BY_ID
from hvctl.catalog.types import Kind
from hvctl.catalog.windows import USES
from hvctl.host.decode import TSC_HZ, decode_hardware
from hvctl.model.digest import checksum, content, digest
from hvctl.model.host import Host, Kvm, Qemu
from hvctl.model.lock import Lock
from hvctl.model.plan import CpuPlan, Decision, Layer, Machine, Outcome, Plan
from hvctl.model.profile import ClockChoice, Migration, Value
from hvctl.model.version_id import parse_version
from hvctl.plan_file.forms import says_argv, says_xml
from hvctl.text.json_document import decode, load, read_bytes, write
from hvctl.text.json_fields import Fields, Form

FORM = Form("locked plan", 1, "locked plans are written by 'hvctl gen PROFILE --lock FILE'", 1 << 20)
_REASON = "locked"
_FACTS = ("vendor", "family", "model", "stepping", "tsc_hz", "tsc_scaling")


def dump_lock(lock: Lock) -> str:
    """The file's text, ending in a newline."""
    from hvctl import __version__

    document = {
        "format_version": FORM.version,
        "kind": FORM.name,
        "hvctl": __version__,
        "digest": digest(lock.plan),
        **content(lock.plan),
        "argv": None if lock.argv is None else list(lock.argv),
        # In lines, so that two files can be compared.
        "xml": None if lock.xml is None else lock.xml.removesuffix("\n").split("\n"),
        "pool": [_pool_json(host) for host in lock.pool],
    }
    return write({**document, "checksum": checksum(document)}) + "\n"


def read_lock(path: str) -> Lock:
    """Read a locked plan; `-` is stdin.

    Raises:
        InputError: it cannot be read, is no locked plan, or was changed since hvctl wrote it.
    """
    return load_lock(decode(read_bytes(path, FORM), path, FORM), path)


def load_lock(text: str, path: str) -> Lock:
    """The lock of a file's text; raises as `read_lock`."""
    return load(text, path, FORM, _lock)


def _pool_json(host: Host) -> dict[str, Any]:
    facts = {name: getattr(host.hardware, name) for name in _FACTS}
    expansion = host.qemu[0].expansion
    return {**facts, "expansion": None if expansion is None else dict(expansion)}


def _lock(root: Fields) -> Lock | None:
    if "kind" not in root.without("checksum"):
        root.wrong("format_version", f'this is not a {FORM.name}: it has no "kind"')
        return None
    if root.text("kind") != FORM.name:
        root.wrong("kind", f'"kind" of this file is "{FORM.name}"')
        return None
    lines = root.texts_or_none("xml", lines=False)
    lock = Lock(
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
