"""VMID.conf becomes Guests: the command line that Proxmox VE makes of each section, read as QEMU reads it.

Source: proxmox/qemu-server:src/PVE/QemuServer.pm, config_to_command(); Cfg2Cmd/Timer.pm; Machine.pm, get_vm_machine();
PCI.pm, print_hostpci_devices().
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from hvctl.catalog import proxmox
from hvctl.catalog.windows import BY_OS, MICROSOFT, looks_like, named
from hvctl.errors import InputError, Problem
from hvctl.guest.command.options import scan
from hvctl.guest.command.reader import read_words
from hvctl.guest.proxmox.config import NO_MODELS, Kind, Models, Section, boolean, properties, sections, with_pending
from hvctl.guest.proxmox.cpu import Facts, Machine, cpu_word
from hvctl.guest.proxmox.guest import ProxmoxGuest
from hvctl.guest.proxmox.made import BY_PROXMOX, Piece, made
from hvctl.model.guest import X86, Device, Firmware
from hvctl.text.problems import did_you_mean, quoted, short
from hvctl.text.shell_words import Word, split_plain

# A guest for each section; a file with more is hardly PVE's, which takes 1 MiB.
_MOST_SECTIONS = 1000
NOTHING_KNOWN = Facts()
_DEFAULT_MACHINE = "pc"
_FAMILIES = {"pc": "pc-i440fx", "q35": "pc-q35"}
_MACHINE = re.compile(r"pc|q35|virt|(?:pc(?:-i440fx|-q35)?|virt)-\d+(?:\.\d+)+(?:\+pve\d+)?(?:\.pxe)?")
_OWN_CHANGES = re.compile(r"(\+pve\d+)?(?:\.pxe)?$")
_PCI = re.compile(r"hostpci\d+")
_NUMBERS = ("sockets", "cores", "vcpus", "smp")
_MOST = 1 << 16


def read_guests(text: str, path: str, models: Models = NO_MODELS, facts: Facts = NOTHING_KNOWN) -> list[ProxmoxGuest]:
    """The guests of a VMID.conf: as it is, as the next start makes it if changes are pending, and as each snapshot
    has it.

    Raises:
        InputError: it has too many sections.
    """
    found = sections(text)
    if len(found) > _MOST_SECTIONS:
        raise InputError([Problem(f"{path} has more than {_MOST_SECTIONS} sections")])
    guests = [_read(text, path, section, models, facts) for section in _effective(found)]
    guests[0].pending = any(section.kind is Kind.PENDING and section.values for section in found)
    return guests


def read_guest(text: str, path: str, models: Models = NO_MODELS, facts: Facts = NOTHING_KNOWN) -> ProxmoxGuest:
    """The guest of the main section; raises InputError as `read_guests`, and with every mistake."""
    return read_guests(text, path, models, facts)[0].check()


def command_line(guest: ProxmoxGuest) -> list[str]:
    """The words that decide about a guest, as PVE writes them; without those of `args:`."""
    return [str(word) for word in _words(guest, kvm=_switch(guest, "kvm", default=True))]


def _again(guest: ProxmoxGuest, facts: Facts) -> ProxmoxGuest:
    new = _read(guest.text, guest.path, guest.section, guest.models, facts)
    new.pending = guest.pending
    return new


def _effective(found: Sequence[Section]) -> Iterator[Section]:
    main, *others = found
    yield main
    # Of several the last one counts.
    pending = next((section for section in reversed(others) if section.kind is Kind.PENDING), None)
    for section in others:
        if section is pending:
            yield with_pending(main, section)
        elif section.kind is Kind.SNAPSHOT:
            yield section


def _read(text: str, path: str, section: Section, models: Models, facts: Facts) -> ProxmoxGuest:
    guest = ProxmoxGuest(text, path, section, models, facts)
    guest.read = _again
    values = section.values
    for line in section.unread:
        guest.wrong(f"Proxmox VE cannot parse this line: {short(line)}", line, "write KEY: VALUE")
    kvm = _switch(guest, "kvm", default=True)
    _set_system(guest)
    arguments = _arguments(guest, values["args"]) if "args" in values else []
    guest.cpu_arguments = [
        (option.words[0], option.value)
        for option in scan(arguments)
        if option.name == "cpu" and isinstance(option.words[0], Word) and isinstance(option.value, Word)
    ]
    words = [*_words(guest, kvm=kvm), *arguments]
    # PVE runs /usr/bin/kvm.
    read_words(guest, words, proxmox.DEFAULT_CPU if kvm else proxmox.DEFAULT_CPU_TCG, accelerator="kvm")
    if guest.added is None and not guest.by_args:
        guest.cpu = None
        guest.open = True
    _set_rest(guest)
    return guest


def _words(guest: ProxmoxGuest, *, kvm: bool) -> Iterator[Word]:
    """The options that PVE makes, before those of `args:`."""
    values = guest.section.values
    cause = values.get("ostype", guest.root)
    windows = proxmox.OS_TYPES[guest.section.values["ostype"]].windows if _has_known_system(guest) else 0
    machine, version = _machine(guest, windows)
    yield from _option("-machine", machine)
    if not kvm:
        yield from _option("-machine", Piece("accel=tcg", values["kvm"], ""))
    yield from _smp(guest)
    system = str(values.get("ostype", ""))
    at = Machine(system, windows, version, values.get("bios") == "ovmf", kvm, _has_gpu(guest), guest.facts)
    if not proxmox.keeps_hpet(system, version):
        yield from _option("-machine", Piece("hpet=off", cause))
    if windows >= proxmox.LEAST_WINDOWS:
        yield from _option("-global", Piece("kvm-pit.lost_tick_policy=discard", cause))
    running = values.get("runningcpu") if guest.section.kind is Kind.SNAPSHOT else None
    if running:  # a snapshot with memory goes on with the CPU that it had
        guest.added = made([Piece(str(running), running, "")])
    elif guest.arch == X86:
        known, mistakes = (guest.doubts, dict(guest.unknown)), len(guest.mistakes)
        guest.added = cpu_word(guest, values.get("cpu"), cause, at, guest.models)
        guest.cpu_counts = "cpu" in values and len(guest.mistakes) == mistakes
        if guest.cpu_arguments:  # it is thrown away, and nothing of it need be known
            guest.doubts, guest.unknown = known
    if guest.added is not None:
        yield Word("-cpu", guest.added.offsets)
        yield guest.added
    yield from _clock(guest, windows, cause)


def _option(name: str, *pieces: Piece) -> Iterator[Word]:
    value = made(pieces)
    yield Word(name, value.offsets)
    yield value


def _has_known_system(guest: ProxmoxGuest) -> bool:
    return guest.section.values.get("ostype", "") in proxmox.OS_TYPES


def _machine(guest: ProxmoxGuest, windows: int) -> tuple[Piece, proxmox.Version | None]:
    """The machine type as QEMU has it, and its version as PVE counts it; that of Windows is pinned."""
    values = guest.section.values
    value = values.get("runningmachine") if guest.section.kind is Kind.SNAPSHOT else None
    part = value or (properties(values["machine"], "type").get("type") if "machine" in values else None)
    if part is not None and not _MACHINE.fullmatch(part):
        message = f"{short(part)} is no machine type of Proxmox VE, which ignores the line"
        guest.wrong(message, part if part else values["machine"], "write pc, q35, or one such as pc-q35-9.2+pve1")
        part = None
    text = str(part) if part is not None else _DEFAULT_MACHINE
    where, by = (part, "") if part is not None else (guest.root, BY_PROXMOX)
    if text in _FAMILIES and windows:
        pinned = _pinned(values)
        text, by = f"{_FAMILIES[text]}-{pinned[0]}.{pinned[1]}", BY_PROXMOX
    own = _OWN_CHANGES.search(text)
    guest.own_changes = own[1] or "" if own else ""
    return Piece(f"type={_OWN_CHANGES.sub('', text)}", where, by), proxmox.parse_version(text)


def _pinned(values: Mapping[str, Word]) -> tuple[int, int]:
    meta = properties(values["meta"], "") if "meta" in values else {}
    created = re.match(r"(\d{1,4})\.(\d{1,4})", meta.get("creation-qemu", ""))
    version = (int(created[1]), int(created[2])) if created else proxmox.PINNED
    return version if version >= proxmox.PINNED_TO_CREATION else proxmox.PINNED


def _smp(guest: ProxmoxGuest) -> Iterator[Word]:
    values = guest.section.values
    numbers = {key: _number(guest, key) for key in _NUMBERS}
    sockets, cores = numbers["sockets"] or numbers["smp"] or 1, numbers["cores"] or 1
    most = sockets * cores
    first = next((values[key] for key in _NUMBERS if key in values), None)
    if first is not None:
        text = f"{numbers['vcpus'] or most},sockets={sockets},cores={cores},maxcpus={most}"
        yield from _option("-smp", Piece(text, first, ""))
    else:
        yield from _option("-smp", Piece("1,sockets=1,cores=1,maxcpus=1", guest.root))


def _number(guest: ProxmoxGuest, key: str) -> int | None:
    value = guest.section.values.get(key)
    if value is None:
        return None
    if not (value.isascii() and value.isdecimal() and len(value) < 6 and 0 < int(value) < _MOST):
        guest.wrong(f"{key}: {short(value)} is no number of vCPUs", value, "write a whole number")
        return None
    return int(value)


def _switch(guest: ProxmoxGuest, key: str, *, default: bool) -> bool:
    value = guest.section.values.get(key)
    if value is None:
        return default
    read = boolean(value)
    if read is None:
        guest.wrong(f"{key}: {short(value)} is no switch: Proxmox VE ignores the line", value, "write 1 or 0")
    return default if read is None else read


def _clock(guest: ProxmoxGuest, windows: int, cause: Word) -> Iterator[Word]:
    values = guest.section.values
    is_windows = windows >= 5
    if _switch(guest, "tdf", default=is_windows and _switch(guest, "acpi", default=True)):
        yield from _option("-rtc", _written(values, "tdf", "driftfix=slew", cause))
    start = values.get("startdate")
    if start is not None and start != "now":
        yield from _option("-rtc", Piece(f"base={start}", start, ""))
    elif _switch(guest, "localtime", default=is_windows):
        yield from _option("-rtc", _written(values, "localtime", "base=localtime", cause))


def _written(values: Mapping[str, Word], key: str, text: str, cause: Word) -> Piece:
    return Piece(text, values[key], "") if key in values else Piece(text, cause)


def _has_gpu(guest: ProxmoxGuest) -> bool:
    return any(boolean(properties(value, "host").get("x-vga", "0")) for _, value in _assigned(guest))


def _assigned(guest: ProxmoxGuest) -> Iterator[tuple[str, Word]]:
    return ((key, value) for key, value in guest.section.values.items() if _PCI.fullmatch(key))


def _arguments(guest: ProxmoxGuest, value: Word) -> list[Word]:
    try:
        words = split_plain(value, guest.path)
    except InputError:
        guest.wrong("a quotation in args: has no end: Proxmox VE passes none of it on", value, "end the quotation")
        return []
    start = value.offsets[0]
    return [Word(word, [start + offset for offset in word.offsets]) for word in words]


def _set_system(guest: ProxmoxGuest) -> None:
    """The operating system: what `ostype` says, and of several releases that the one that the name tells."""
    values = guest.section.values
    name = str(values.get("name", ""))
    kind = values.get("ostype")
    if (arch := values.get("arch")) is not None and arch != X86:
        guest.arch, guest.other = str(arch), True
        guest.doubt(f"the architecture is {short(arch)}: hvctl knows the enlightenments of x86", "arch")
    if kind is None or kind == "other":
        guest.windows = looks_like(name)
        guest.release = named(name) if guest.windows else None
        return
    if kind not in proxmox.OS_TYPES:
        hint = did_you_mean(kind, sorted(proxmox.OS_TYPES)) or f"write one of {', '.join(proxmox.OS_TYPES)}"
        guest.wrong(f"ostype: {quoted(kind)} is none of Proxmox VE's", kind, hint)
        return
    system = proxmox.OS_TYPES[kind]
    guest.windows, guest.other = system.windows > 0, system.windows == 0
    if not system.release:
        return
    guest.places["system"] = kind
    release = BY_OS[system.release]
    told = named(name)
    one = BY_OS.get(system.judged) if system.several else release
    guest.release = told if told is not None else one
    if release.libosinfo:
        guest.system = f"{MICROSOFT}{release.libosinfo[0]}"


def _set_rest(guest: ProxmoxGuest) -> None:
    """What the command line that is read does not have: firmware and devices."""
    values = guest.section.values
    bios = values.get("bios")
    if bios is not None and bios not in ("ovmf", "seabios"):
        guest.wrong(f"bios: {quoted(bios)} is no firmware of Proxmox VE's", bios, "write seabios or ovmf")
    if guest.firmware is None:
        guest.firmware = Firmware("uefi" if bios == "ovmf" else "bios")
        if bios is not None:
            guest.places["firmware"] = bios
    for _, value in _assigned(guest):
        parts = properties(value, "host")
        name = parts.get("host") or parts.get("mapping") or ""
        guest.devices.append(Device("mdev" if "mdev" in parts else "pci", str(name), value))
