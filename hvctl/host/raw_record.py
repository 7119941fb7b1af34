"""Raw records: what `hvctl-collect` printed on a machine, read and decoded as this machine's own answers are.

A record has answers and no meanings, so an old one gains from a newer catalog. Nothing in it is believed unseen.
"""

from collections.abc import Iterator, Mapping

from hvctl.catalog.kvm import KVM_CAPS
from hvctl.host import qemu_replies
from hvctl.host.composition import NO_QEMU, Parts, compose
from hvctl.host.hostfs import FileAnswers, clean, decode_files
from hvctl.host.kvm import KvmAnswers, decode_kvm, method
from hvctl.host.libvirt_schema import SchemaError, decode_libvirt, unusable
from hvctl.host.qemu_replies import ModelReplies, Properties, QemuReplies
from hvctl.model.host import TSC_HZ, CpuidLeaf, Host, Libvirt, Qemu
from hvctl.text.json_fields import Fields, is_line

_ENTRY = 7  # function, index, flags, eax, ebx, ecx, edx
_ASKED = KVM_CAPS["KVM_CAP_SYS_HYPERV_CPUID"] + 1  # at least, to know how KVM was asked
_TSC_KHZ = (TSC_HZ[0] // 1000, TSC_HZ[1] // 1000)
_LEAF_BITS, _PORTION = 1 << 32, 1 << 31
_NO_ACCESS = ("EACCES", "EPERM")
_ABSENT = ("ENOENT", "ENODEV", "ENXIO")


def decode_record(root: Fields) -> Host:
    """The host of a raw record; what is wrong with it is in the fields' mistakes."""
    name = root.text("name", optional=True)
    kvm = _kvm(root.fields("kvm"))
    files = decode_files(_files(root.fields("files")))
    notes: list[str] = []
    qemu = tuple(_qemus(root, notes))
    libvirt = _libvirt(root.fields("libvirt"), notes)
    return compose(name, Parts(kvm, files, qemu, libvirt, notes))


def _kvm(kvm: Fields) -> KvmAnswers:
    error = kvm.fields("error", optional=True)
    if error is not None:
        kvm.wrong("error", _no_kvm(error.raw("call"), error.raw("errno"), error.raw("text")))
        return decode_kvm({}, (), (), None)
    asked = kvm.number("asked", optional=False)
    if asked is not None and asked < _ASKED:
        kvm.wrong("asked", f'"asked" must be at least {_ASKED}, not {asked}')
    values = kvm.fields("extensions")
    caps = {name: values.number(str(number)) or 0 for name, number in KVM_CAPS.items() if number < (asked or 0)}
    leaves = _leaves(kvm) if method(caps) in ("system-ioctl", "vcpu-ioctl") else ()
    msrs = kvm.numbers("msrs", below=_LEAF_BITS) if method(caps) == "synthesis" else ()
    return decode_kvm(caps, leaves, msrs, kvm.number("tsc_khz", limits=_TSC_KHZ))


def _no_kvm(call: str, error: str, text: str) -> str:
    if call == "open" and error in _NO_ACCESS:
        return "/dev/kvm may not be used by who collected this: run hvctl-collect as root, or in the group of /dev/kvm"
    if call == "open" and error in _ABSENT:
        return "this machine has no /dev/kvm: load kvm_intel or kvm_amd there, and run hvctl-collect again"
    return f"this machine's KVM could not be asked: {clean(call)}: {clean(text)}"


def _leaves(kvm: Fields) -> tuple[CpuidLeaf, ...]:
    entries = kvm.rows("cpuid", _ENTRY, below=_LEAF_BITS)
    leaves = sorted(CpuidLeaf(entry[0], *entry[3:]) for entry in entries)
    if len({leaf.leaf for leaf in leaves}) < len(leaves):
        kvm.wrong("cpuid", '"cpuid" has a leaf twice')
    return tuple(leaves)


def _files(files: Fields) -> FileAnswers:
    modules = files.fields("modules")
    return FileAnswers(
        cpu=files.fields("cpuinfo").raw_items(),
        modules={name: modules.fields(name).raw_items() for name in modules.names()},
        release=files.raw("osrelease"),
        smt=files.raw("smt"),
        clocksource=files.raw("clocksource"),
    )


def _qemus(root: Fields, notes: list[str]) -> Iterator[Qemu]:
    """The binaries that could be asked; of the others there is a note."""
    entries = root.records_or_none("qemu")
    if entries == []:
        notes.append(NO_QEMU)
    for entry in entries or ():
        path = entry.raw("path")
        said: list[str] = []
        qemu = _qemu(path, entry.records("starts"), said) if is_line(path) else None
        notes += qemu_replies.notes_on(path, said if is_line(path) else [qemu_replies.UNPRINTABLE])
        if qemu:
            yield qemu


def _qemu(path: str, starts: list[Fields], notes: list[str]) -> Qemu | None:
    """The binary, by the first start that did not fail: a second one is without KVM, of which the first died."""
    for number, start in enumerate(starts, 1):
        kvm = "kvm" in start.texts("accelerators")
        error = start.fields("error", optional=True)
        if error is None:
            return qemu_replies.decode_qemu(path, _replies(start, kvm, notes))
        if error.names() >= {"timeout"}:
            notes.append(_why(error))
            return None
        if error.names() >= {"exit"} and kvm and number < len(starts):
            notes.append(f"{qemu_replies.WITHOUT_KVM}: {_why(error)}")
        else:
            notes[:] = [qemu_replies.unusable(_why(error))]
            return None
    return None


def _why(error: Fields) -> str:
    names = error.names()
    if "exit" in names:
        code = error.signed("exit")
        return qemu_replies.ended(code if abs(code) < _PORTION else 0, error.raw("stderr"))
    if "timeout" in names:
        return qemu_replies.silent(error.number("timeout", optional=False) or 0)
    if "start" in names:
        return f"it cannot be started: {clean(error.raw('start'))}"
    return f"it does not answer as QEMU does: {clean(error.raw('odd'))}"


def _replies(start: Fields, kvm: bool, notes: list[str]) -> QemuReplies:
    enabled = kvm and start.fields("kvm").flag("enabled") is True
    if kvm and not enabled:
        notes.append(qemu_replies.NO_KVM)
    version = start.fields("version")
    options = start.fields("options")
    machines = tuple(
        (entry.text("name") or "", entry.text("alias", optional=True)) for entry in start.records("machines")
    )
    hpet: dict[str, bool | None] = {}
    for group in start.records("machine_properties"):
        hpet.update(dict.fromkeys(group.texts("of"), qemu_replies.has_hpet(group.texts_or_none("names"))))
    return QemuReplies(
        version=(_part(version, "major"), _part(version, "minor"), _part(version, "micro")),
        properties=start.fields("properties").text_items(),
        options=tuple((name, options.texts(name)) for name in sorted(options.names())),
        machines=machines,
        hpet=hpet,
        models=_models(start) if enabled else None,
    )


def _part(version: Fields, key: str) -> int:
    return version.number(key, optional=False) or 0


def _models(start: Fields) -> ModelReplies:
    found: list[tuple[Mapping[str, bool | int | str], Properties | None]] = []
    for entry in start.records("expansions"):
        result = entry.fields("result", optional=True)
        found.append((dict(entry.fields("of").scalar_items()), dict(result.scalar_items()) if result else None))
    models = start.fields("models")
    usable = tuple(name for name in sorted(models.names()) if models.texts_or_none(name) == ())
    return ModelReplies(_of(qemu_replies.MIGRATABLE, found), _of(qemu_replies.ALL_OF_THE_HOST, found), usable)


def _of(
    asked: Mapping[str, bool], found: list[tuple[Mapping[str, bool | int | str], Properties | None]]
) -> Properties | None:
    return next((result for properties, result in found if properties == asked), None)


def _libvirt(libvirt: Fields, notes: list[str]) -> Libvirt | None:
    schema = libvirt.fields("schema", optional=True)
    if schema is None:
        return None
    failure = schema.raw("error")
    try:
        if failure:
            raise SchemaError(clean(failure[:1].lower() + failure[1:]))
        text = "\n".join(schema.texts_or_none("defines", lines=False) or ())
        return decode_libvirt(libvirt.texts("libraries"), text.encode("utf-8", "replace"))
    except SchemaError as error:
        notes.append(unusable(error))
        return None
