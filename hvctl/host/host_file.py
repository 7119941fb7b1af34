"""Host files: the facts of one machine as JSON, written and read. The same facts give the same bytes."""

from typing import Any

from hvctl.model.host import TSC_HZ, CpuidLeaf, Hardware, Host, Kvm, Libvirt, MachineType, Qemu
from hvctl.text.files import decode
from hvctl.text.json_document import load, read_bytes, write
from hvctl.text.json_fields import FORMAT_VERSION, Fields, Form
from hvctl.text.recognition import RAW_RECORD, FileKind, kind_of

RECORD_FORM = Form("raw record", "the program that 'hvctl collector' writes prints one", FileKind.RECORD)
FORM = Form("host file", "host files are written by 'hvctl check-host --record FILE'", FileKind.HOST)


def dump_host(host: Host) -> str:
    """The host file's text: keys in a fixed order, ends in a newline."""
    return write(host_json(host)) + "\n"


def host_json(host: Host) -> dict[str, Any]:
    """The host as the object that a host file holds."""
    from hvctl import __version__

    return {
        "format_version": FORMAT_VERSION,
        "hvctl": __version__,
        "name": host.name,
        "kvm": {
            **host.kvm._asdict(),
            "caps": dict(host.kvm.caps),
            "leaves": {_hexadecimal(leaf.leaf): _registers(leaf) for leaf in sorted(host.kvm.leaves)},
        },
        "hardware": host.hardware._asdict(),
        "qemu": [_qemu_json(qemu) for qemu in host.qemu],
        "libvirt": _marked(host.libvirt._asdict()) if host.libvirt else None,
        "how": dict(host.how),
        "notes": host.notes,
    }


def read_host(path: str) -> Host:
    """Read a host file or a raw record; `-` is stdin.

    A host without a name gets its file's: messages must tell hosts apart.

    Raises:
        InputError: it cannot be read, or is not a host file.
    """
    host = load_host(decode(read_bytes(path, FORM), path), path)
    return host if host.name else host._replace(name=stem(path))


def read_record(path: str) -> Host:
    """Read a raw record, and nothing else; a host without a name has none. Raises as `read_host`."""
    return load(decode(read_bytes(path, RECORD_FORM), path), path, RECORD_FORM, _record)


def stem(path: str) -> str | None:
    """A file's name without its suffix; None where it could not be printed."""
    if path == "-":
        return "stdin"
    name = path.rpartition("/")[2]
    stem = name.rpartition(".")[0] or name
    return stem if stem.isprintable() else None


def load_host(text: str, path: str) -> Host:
    """The host that the text of a host file or a raw record describes; `path` is for messages.

    Raises InputError as `json_document.load`.
    """
    return load(text, path, RECORD_FORM if is_raw(text) else FORM, decode_host)


def is_raw(text: str) -> bool:
    """Whether a text is a raw record, or a part of one."""
    return f'"{RAW_RECORD}"' in text and kind_of(text) is FileKind.RECORD  # the first look is the quicker one


def _hexadecimal(value: int) -> str:
    return f"{value:#010x}"


def _registers(leaf: CpuidLeaf) -> dict[str, str]:
    return {name: _hexadecimal(value) for name, value in leaf._asdict().items() if name != "leaf"}


def _marked(record: dict[str, Any]) -> dict[str, Any]:
    """The key `partial` only where it says something: it came later than the format."""
    return {name: value for name, value in record.items() if name != "partial" or value}


def _qemu_json(qemu: Qemu) -> dict[str, Any]:
    return {
        **_marked(qemu._asdict()),
        "properties": dict(qemu.properties),
        "machines": [machine._asdict() for machine in qemu.machines],
        "expansion": None if qemu.expansion is None else dict(qemu.expansion),
    }


def is_frequency(value: Any) -> bool:
    """Whether a number can be a TSC frequency in Hz."""
    return type(value) is int and TSC_HZ[0] <= value <= TSC_HZ[1]


def decode_host(root: Fields) -> Host:
    """The host, of a raw record too; what is wrong with it is in the fields' mistakes."""
    if root.says("kind", RAW_RECORD):
        from hvctl.host.raw_record import decode_record  # with all that asks a machine

        return decode_record(root)
    return Host(
        name=root.text("name", optional=True),
        kvm=_kvm(root.fields("kvm")),
        hardware=decode_hardware(root.fields("hardware")),
        qemu=tuple(_qemu(fields) for fields in root.records("qemu")),
        libvirt=_libvirt(root.fields("libvirt", optional=True)),
        how=root.fields("how", needed=False).text_items(),
        notes=root.texts("notes", needed=False),
    )


def _record(root: Fields) -> Host | None:
    root.word("kind", [RAW_RECORD])
    return None if root.mistakes else decode_host(root)


def _libvirt(libvirt: Fields | None) -> Libvirt | None:
    if libvirt is None:
        return None
    partial = bool(libvirt.flag("partial"))
    return Libvirt(libvirt.text("version", optional=True), libvirt.texts("elements"), partial)


def _kvm(kvm: Fields) -> Kvm:
    return Kvm(
        release=kvm.text("release", optional=True),
        how=kvm.text("how") or "",
        caps=kvm.fields("caps").number_items(),
        leaves=kvm.fields("leaves").leaf_items(),
        unseen=kvm.texts("unseen", needed=False),
    )


def decode_hardware(hardware: Fields) -> Hardware:
    """The processor's facts."""
    return Hardware(
        vendor=hardware.text("vendor", optional=True),
        model_name=hardware.text("model_name", optional=True),
        family=hardware.number("family"),
        model=hardware.number("model"),
        stepping=hardware.number("stepping"),
        nested=hardware.flag("nested"),
        apicv=hardware.flag("apicv"),
        tsc_hz=hardware.number("tsc_hz", limits=TSC_HZ),
        tsc_scaling=hardware.flag("tsc_scaling"),
        smt=hardware.text("smt", optional=True),
        clocksource=hardware.text("clocksource", optional=True),
    )


def _qemu(qemu: Fields) -> Qemu:
    expansion = qemu.fields("expansion", optional=True)
    return Qemu(
        path=qemu.text("path") or "",
        version=qemu.text("version", optional=True),
        properties=qemu.fields("properties").text_items(),
        options=qemu.texts("options"),
        machines=tuple(
            MachineType(machine.text("name") or "", machine.text("alias", optional=True), machine.flag("hpet"))
            for machine in qemu.records("machines")
        ),
        expansion=None if expansion is None else expansion.scalar_items(),
        passthrough=qemu.texts_or_none("passthrough"),
        models=qemu.texts_or_none("models"),
        partial=bool(qemu.flag("partial")),
    )
