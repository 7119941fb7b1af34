"""The `-cpu` that Proxmox VE makes of a configuration, flag by flag, with where each comes from.

Source: proxmox/qemu-server:src/PVE/QemuServer/CPUConfig.pm, get_cpu_options(). PVE compares flags by their names as
they are spelt, and the last one counts; QEMU reads the result.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from hvctl.catalog import proxmox
from hvctl.catalog.cpu_models import NESTED_FEATURE
from hvctl.catalog.proxmox import Added, Version
from hvctl.guest.proxmox.config import CUSTOM, Models, Property, boolean, properties
from hvctl.guest.proxmox.made import BY_PROXMOX, Made, Piece, made
from hvctl.model.guest import Guest
from hvctl.model.host import Host
from hvctl.text.problems import did_you_mean, quoted, short
from hvctl.text.shell_words import Word

_TYPE = "cputype"
# Written after the flags, in this order.
_BITS = ("guest-phys-bits", "phys-bits")


class Facts(NamedTuple):
    """What the node says that a guest runs on: the processor's vendor, and QEMU's version; None where not known."""

    vendor: str | None = None
    qemu: tuple[int, int] | None = None


def facts_of(hosts: Sequence[Host]) -> Facts:
    """What hosts have in common: their processors' vendor, and the oldest QEMU."""
    vendors = {host.hardware.vendor for host in hosts}
    versions = [_version(host) for host in hosts]
    known = [one for one in versions if one is not None]
    return Facts(vendors.pop() if len(vendors) == 1 else None, min(known) if len(known) == len(hosts) > 0 else None)


def _version(host: Host) -> tuple[int, int] | None:
    found = re.match(r"(\d{1,4})\.(\d{1,4})", (host.qemu[0].version or "") if host.qemu else "")
    return (int(found[1]), int(found[2])) if found else None


class Machine(NamedTuple):
    """What of a guest decides about what PVE adds; None for what is not known."""

    system: str
    windows: int
    version: Version | None
    uefi: bool
    kvm: bool
    gpu: bool
    facts: Facts


class Choice(NamedTuple):
    """What `cpu:` and a custom model say; `model` is QEMU's, None where it is not known. `flags` are lists of them, of
    which the last one counts."""

    model: str | None
    place: Word
    origin: str
    flags: tuple[tuple[Piece, ...], ...]
    rest: Mapping[str, Piece]


def cpu_word(guest: Guest, value: Word | None, cause: Word, machine: Machine, models: Models) -> Made | None:
    """The value of `-cpu`; None where the model is not known, which the guest then says.

    Args:
        guest: gets mistakes and doubts.
        value: that of `cpu:`, None where it is not written.
        cause: the place of what makes PVE add something.
        machine: what else decides.
        models: the custom ones.
    """
    default = proxmox.DEFAULT_CPU if machine.kvm else proxmox.DEFAULT_CPU_TCG
    choice = _choice(guest, value, models) if value is not None else None
    if choice is None:
        choice = Choice(default, cause, BY_PROXMOX, (), {})
    if choice.model is None:
        return None
    flags: dict[str, Piece] = {}
    for piece in _all_flags(guest, choice, cause, machine):
        for one in _nested(guest, piece, machine.facts):
            flags[one.text.lstrip("+-").partition("=")[0]] = one
    head = [Piece(choice.model, choice.place, choice.origin)]
    head += [choice.rest["level"]] if "level" in choice.rest else []
    bits = [choice.rest[name] for name in _BITS if name in choice.rest]
    return made([*head, *(flags[name] for name in sorted(flags)), *bits])


def _all_flags(guest: Guest, choice: Choice, cause: Word, machine: Machine) -> Iterator[Piece]:
    """Flags in the order in which PVE sets them."""
    model = choice.model or ""
    yield from _added(guest, proxmox.ADDED, model, cause, machine)
    vendor_id = choice.rest.get(proxmox.VENDOR_ID_KEY)
    if machine.kvm and proxmox.adds_any(machine.windows, uefi=machine.uefi):
        if vendor_id or machine.gpu:
            yield vendor_id or Piece(f"{proxmox.VENDOR_ID}={proxmox.DEFAULT_VENDOR_ID}", cause)
        yield from _added(guest, proxmox.ENLIGHTENMENTS, model, cause, machine)
    for flags in choice.flags:
        yield from flags
    if model != "host" and machine.kvm:
        yield Piece("enforce", choice.place)
    hidden = choice.rest.get("hidden")
    if hidden.text == "1" if hidden else machine.gpu:
        yield (hidden or Piece("", cause))._replace(text="kvm=off")
    if vendor := proxmox.VENDORS.get(model):
        yield Piece(f"vendor={vendor}", choice.place)


def _added(guest: Guest, rows: Iterable[Added], model: str, cause: Word, machine: Machine) -> Iterator[Piece]:
    perhaps: dict[str, list[str]] = {}
    for row in rows:
        if not row.fits(machine.windows, machine.version) or (row.kvm and not machine.kvm):
            continue
        if (row.models and not re.fullmatch(row.models, model)) or row.system not in ("", machine.system):
            continue
        unknown = _unknown(row, machine)
        if unknown:
            perhaps.setdefault(" and ".join(unknown), []).append(row.flag)
        elif row.vendor in (None, machine.facts.vendor) and _new_enough(row, machine):
            yield Piece(row.flag, cause)
    for reason, flags in perhaps.items():
        guest.doubt(f"Proxmox VE may add {', '.join(flags)}: that depends on {reason}")


def _new_enough(row: Added, machine: Machine) -> bool:
    """Whether QEMU has the version that a row is for; a machine type needs one of its own version."""
    if row.qemu is None:
        return True
    at = (machine.version or (0, 0))[:2]
    return max(machine.facts.qemu or (0, 0), (at[0], at[1])) >= row.qemu


def _unknown(row: Added, machine: Machine) -> list[str]:
    """What would have to be known to tell whether a row is added."""
    facts, at = machine.facts, machine.version
    found = []
    if row.vendor is not None and facts.vendor is None:
        found.append("the processor's vendor, which --host gives")
    if row.qemu is not None and facts.qemu is None and (at is None or at[:2] < row.qemu):
        found.append("QEMU's version, which --host gives")
    if at is None and row.before is not None:
        found.append("the machine type")
    return found


def _nested(guest: Guest, piece: Piece, facts: Facts) -> Iterator[Piece]:
    """A flag; for PVE's word for nested virtualization that of the processor's vendor."""
    if piece.text[1:] != proxmox.NESTED:
        yield piece
    elif facts.vendor in NESTED_FEATURE:
        yield piece._replace(text=piece.text[0] + NESTED_FEATURE[facts.vendor], origin=piece.origin or piece.text)
    else:
        names = " or ".join(NESTED_FEATURE.values())
        guest.doubt(f"{piece.text} is {names}: it depends on the processor's vendor, which --host gives")


def _choice(guest: Guest, value: Word, models: Models) -> Choice | None:
    """What `cpu:` says; None where PVE ignores the line."""
    parts = properties(value, _TYPE)
    name = parts.get(_TYPE)
    if name is None or not _checked(guest, parts, value):
        if name is None:
            guest.wrong(f"cpu: {short(value)} names no CPU model: Proxmox VE ignores the line", value, "name a model")
        return None
    flags = [_list(parts["flags"], "")] if "flags" in parts else []
    rest = {key: _rest(key, part, part, "") for key, part in parts.items()}
    if name.startswith(CUSTOM):
        return _custom(guest, name, models, flags, rest)
    model, origin = str(name), ""
    if name in proxmox.MODELS:
        model, built_in = proxmox.MODELS[name]
        origin = f"a part of {name}"
        flags.insert(0, tuple(Piece(flag, name, origin) for flag in built_in.split(";")))
    elif model not in proxmox.VENDORS:
        if hint := _right_spelling(model):
            guest.wrong(f"Proxmox VE has no CPU model {quoted(model)}: it ignores the line", name, hint)
            return None
        guest.doubt(f"whether Proxmox VE has a CPU model {quoted(model)} is not known")
    return Choice(proxmox.RENAMED.get(model, model), name, origin, tuple(flags), rest)


def _right_spelling(model: str) -> str:
    """What is meant by a model that is not known, as a sentence; empty for one that a later PVE may have."""
    for known in (*proxmox.VENDORS, *proxmox.MODELS):
        if known.lower() == model.lower():
            return f"did you mean '{known}'?"
    return did_you_mean(model, [one for one, vendor in proxmox.VENDORS.items() if not vendor])


def _custom(guest: Guest, name: Word, models: Models, flags: list[tuple[Piece, ...]], rest: dict[str, Piece]) -> Choice:
    """A custom model, of which what the guest itself says counts more."""
    key = str(name).removeprefix(CUSTOM)
    unknown = Choice(None, name, "", (), {})
    if models.problem:
        guest.doubt(f"the custom model {short(key)} is not known: {models.problem}", "cpu")
        guest.unknown["options"] = f"the custom model {short(key)} is not known"
        return unknown
    if key not in models.models:
        hint = did_you_mean(key, sorted(models.models)) or f"define it in {models.path}, or name another model"
        guest.wrong(f"{models.path} has no model {quoted(key)}: Proxmox VE ignores the line", name, hint)
        guest.unknown["cpu"] = "its custom model does not exist"
        return unknown
    model = models.models[key]
    read = {one: said for one, said in model.items() if _is_read(guest, one, said, name, models.origin(key, said.line))}
    if "flags" in read:
        said = read.pop("flags")
        origin = models.origin(key, said.line)
        flags.insert(0, tuple(Piece(flag, name, origin) for flag in said.value.split(";")))
    reported = read.pop("reported-model", None)
    merged = {one: _rest(one, said.value, name, models.origin(key, said.line)) for one, said in read.items()} | rest
    base = reported.value if reported else proxmox.DEFAULT_CPU
    where = models.origin(key, reported.line) if reported else f"custom model {key}"
    return Choice(proxmox.RENAMED.get(base, base), name, where, tuple(flags), merged)


def _is_read(guest: Guest, key: str, said: Property, name: Word, origin: str) -> bool:
    """Whether PVE takes a property of a custom model: it passes over one that is wrong, and over what is false, such as
    `hidden 0` (get_custom_model())."""
    if key == "flags" and (wrong := [one for one in said.value.split(";") if not proxmox.FLAG.fullmatch(one)]):
        message = f"{short(wrong[0]) or 'nothing'} is no flag: Proxmox VE ignores all flags of it ({origin})"
        guest.wrong(message, name, "write +FLAG or -FLAG, with ; between them")
    elif key == proxmox.VENDOR_ID_KEY and not proxmox.VENDOR_ID_TEXT.fullmatch(said.value):
        message = f"{short(said.value)} is no vendor id: Proxmox VE ignores it ({origin})"
        guest.wrong(message, name, "write 1 to 12 letters and digits")
    elif key == "reported-model" and said.value not in proxmox.VENDORS:
        guest.doubt(f"whether Proxmox VE has a CPU model {quoted(said.value)} is not known ({origin})")
        return True
    else:
        return key not in ("hidden", "level") or said.value != "0"
    return False


def _rest(key: str, text: str, where: Word, origin: str) -> Piece:
    """What is written beside the flags, in QEMU's words."""
    if key == proxmox.VENDOR_ID_KEY:
        text = f"{proxmox.VENDOR_ID}={text}"
    elif key == "hidden":
        text = "1" if boolean(text) else "0"
    elif key in (*_BITS, "level"):
        text = "host-phys-bits=true" if text == "host" else f"{key}={text}"
    return Piece(text, where, origin)


def _list(value: Word, origin: str) -> tuple[Piece, ...]:
    return tuple(Piece(str(flag), flag, origin) for flag in value.split_at(";") if flag)


def _checked(guest: Guest, parts: Mapping[str, Word], value: Word) -> bool:
    """Whether PVE takes what `cpu:` says; it ignores a line of which it does not."""
    known = (_TYPE, "flags", "hidden", proxmox.VENDOR_ID_KEY, "level", *_BITS)
    ignored = "Proxmox VE ignores the line"
    before = len(guest.mistakes)
    for key, part in parts.items():
        if key not in known:
            guest.wrong(f"cpu: has no property {quoted(key)}: {ignored}", part or value, did_you_mean(key, known))
        elif key == "hidden" and boolean(part) is None:
            guest.wrong(f"hidden={short(part)} is no switch: {ignored}", part or value, "write 1 or 0")
        elif key == proxmox.VENDOR_ID_KEY and not proxmox.VENDOR_ID_TEXT.fullmatch(part):
            hint = "write 1 to 12 letters and digits"
            guest.wrong(f"{key}={short(part)} is no vendor id: {ignored}", part or value, hint)
    for flag in dict.fromkeys(parts["flags"].split_at(";")) if "flags" in parts else ():
        if not proxmox.FLAG.fullmatch(flag):
            what = f"{short(flag)} is no flag" if flag else "a flag is empty"
            guest.wrong(f"{what}: {ignored}", flag or value, "write +FLAG or -FLAG, with a semicolon between two")
        elif flag[1:] not in proxmox.VM_FLAGS:
            message = f"cpu: takes no flag {short(flag)}: {ignored}"
            guest.wrong(message, flag, f"write it into `flags` of a custom model in cpu-models.conf; here it may be "
                        f"{', '.join(proxmox.VM_FLAGS)}")  # fmt: skip
    return len(guest.mistakes) == before
