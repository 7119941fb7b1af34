"""A QEMU command line becomes a Guest, read as QEMU reads it: alone in a text, or the commands of a script.

See cpu for the properties of its CPU, options for the form of options.
"""

import json
import re
from collections.abc import Sequence
from math import prod
from typing import Any, TypeVar

from hvctl.catalog.cpu_models import is_name
from hvctl.catalog.windows import looks_like, named
from hvctl.errors import InputError, Problem
from hvctl.guest.command import DRIFTFIX, RTC_CLOCKS
from hvctl.guest.command.cpu import Assignment, assignments, boolean, drivers, set_properties
from hvctl.guest.command.line import CommandLine, RunningCommand
from hvctl.guest.command.options import Option, global_property, parameters, scan
from hvctl.guest.command.script import is_batch, qemu_commands
from hvctl.model.guest import Device, Firmware, Guest, Replaced, Timer, Topology
from hvctl.text.c_numbers import binary_number, whole_number
from hvctl.text.problems import quoted, short
from hvctl.text.shell_words import Word, place, split

Command = TypeVar("Command", bound=CommandLine)

DEFAULT_CPU = "qemu64"
_PROGRAM = re.compile(r"(?:^[@(]?|[/\\])qemu-system-(\w+?)w?$")
# Of QEMU's programs, by the ends of their names: libvirt's name of the architecture, and QEMU's default model.
_ARCHITECTURES = {"x86_64": ("x86_64", DEFAULT_CPU), "i386": ("i686", "qemu32")}
_ENUMERATIONS: dict[str, tuple[str, ...]] = {"kernel-irqchip": ("on", "off", "split")}
# Of options the parts whose values are words, and those that QEMU takes.
_WORDS: dict[str, dict[str, tuple[str, ...]]] = {
    "machine": _ENUMERATIONS,
    "M": _ENUMERATIONS,
    "accel": _ENUMERATIONS,
    "rtc": {"driftfix": tuple(DRIFTFIX.values()), "clock": ("host", "rt", "vm")},
}
# More than any machine type takes.
_MOST_VCPUS = 1 << 16
_PERHAPS = re.compile("qemu|kvm")
# Of `-global kvm-pit.lost_tick_policy=delay` the timer, and the property.
_PIT = ("kvm-pit", "lost-tick-policy")
_SECURE = ("cfi.pflash01", "secure")
# What -rtc driftfix= sets (qemu:softmmu/rtc.c), and its values as policies of libvirt's.
_RTC = ("mc146818rtc", "lost-tick-policy")
_LOST_TICKS = {"slew": "catchup", "discard": "delay"}
_UEFI = re.compile("OVMF|edk2|efi", re.IGNORECASE)
# Options in whose place or value a shell may put what changes the CPU, and what changes the machine.
_OPEN, _PARTIAL = ("cpu", "", "global"), ("", "machine", "M", "rtc")
_POLICIES = {word: policy for policy, word in DRIFTFIX.items()}
_TRACKS = {word: track for track, word in RTC_CLOCKS.items()}
# Of -smp what a Topology has no place for (qemu:hw/core/machine-smp.c).
_OTHER_SIZES = ("clusters", "modules", "books", "drawers")


def read_command_lines(text: str, path: str) -> list[CommandLine]:
    """The QEMU commands of a text; empty where it has none.

    Raises:
        InputError: a quotation has no end.
    """
    if not (_PERHAPS.search(text) or text.lstrip().startswith("-")):
        return []  # whatever it is, and whether or not its quotations end
    return [_read(command, text, path) for command in qemu_commands(text, path)]


def read_command_line(text: str, path: str) -> CommandLine:
    """The one guest of a QEMU command line.

    Args:
        text: as written for a shell, or as in /proc/PID/cmdline. A program of another name counts as QEMU.
        path: its file, for messages.

    Raises:
        InputError: QEMU would not take a value, there is no QEMU option at all, or there are several commands.
    """
    commands = list(qemu_commands(text, path))
    if len(commands) > 1:
        second = place(text, path, commands[1][0])
        raise InputError([Problem("a second QEMU command begins here", second, "give one; `hvctl lint` takes several")])
    if not commands:
        words = split(text, path, batch=is_batch(text))
        start = next((number for number, word in enumerate(words) if word.startswith("-")), None)
        if start is None:
            raise InputError([Problem(f"{path}: this is no QEMU command line: it has no option")])
        commands = [words[max(start - 1, 0) :] if start else [words[0], *words]]
        guest = _read(commands[0], text, path)
        for word in words[1:start]:
            _expansion(guest, word)
        return guest.check()
    return _read(commands[0], text, path).check()


def read_cpu(text: str, path: str) -> CommandLine:
    """The guest of a `-cpu` value alone; raises as `read_command_line`."""
    word = Word(text.strip(), range(len(text) - len(text.lstrip()), len(text) + 1))
    return _read([word, Word("-cpu", word.offsets), word], text, path).check()


def read_process(text: str, path: str) -> RunningCommand:
    """The guest of a process that is a QEMU, however its first argument names that.

    Args:
        text: its arguments, as in /proc/PID/cmdline.
        path: how messages name it.
    """
    words = split(text, path)
    return _fill(RunningCommand(text, path, words[0]), words, accelerator="tcg")


def _read(words: Sequence[Word], text: str, path: str) -> CommandLine:
    return _fill(CommandLine(text, path, words[0]), words)


def _fill(command: Command, words: Sequence[Word], accelerator: str | None = None) -> Command:
    """Read a command: its program, or its first option twice, then its options. `accelerator` is the default where the
    program's name says none: of what does not run yet it is not known which QEMU that will be."""
    program = "" if words[0].startswith("-") else words[0].removesuffix(".exe")
    # qemu:softmmu/vl.c, configure_accelerators(): the default, by the name of the program.
    default = "kvm" if program.endswith(("kvm", "kvm-spice")) else accelerator
    _expansion(command, words[0])
    named = _PROGRAM.search(program)
    command.arch, model = _ARCHITECTURES["x86_64"] if named is None else _ARCHITECTURES.get(named[1], (named[1], None))
    if model is None:
        command.other = True
        command.doubt(f"the architecture is {short(command.arch)}: hvctl knows the enlightenments of x86", "arch")
    read_words(command, words[1:], model, default)
    return command


def read_words(command: CommandLine, words: Sequence[Word], model: str | None, accelerator: str | None = None) -> None:
    """Read the options of a command, and work out what follows; `model` is the CPU without a -cpu, `accelerator` what
    counts where none is written."""
    read_options(command, words)
    command.accelerator = command.accelerator or accelerator
    _cpu(command, model)
    command.kvm = None if command.accelerator is None else command.accelerator == "kvm"
    # What may be there turns more on, and does not say that the guest sees Hyper-V.
    may_be, command.open = command.open, False
    command.finish()
    command.open = may_be or command.takes_all


def read_options(command: CommandLine, words: Sequence[Word]) -> None:
    """Read what options say, but for the CPU's properties."""
    for option in scan(words):
        _option(command, option)


def _option(command: CommandLine, option: Option) -> None:
    value = option.value
    if option.name == "enable-kvm":
        command.accelerator = command.accelerator or "kvm"
        command.places.setdefault("accelerator", option.words[0])
    elif option.name == "no-hpet":
        command.timers["hpet"] = Timer(option.words[0], None, False)
    if not isinstance(value, Word):
        return
    if value.expands:
        # In the place of a disk image a shell may put options.
        command.open = command.open or option.name in _OPEN
        command.partial = command.partial or option.name in _PARTIAL
        if option.name in (*_OPEN, *_PARTIAL, "accel"):
            _expansion(command, value, "options" if option.name in _OPEN else "")
    for name, words in _WORDS.get(option.name, {}).items():
        text = _parts(value).get(name)
        if text is not None and text not in words:
            command.wrong(f"-{option.name} {name}={short(text)}: no such value", value, f"write {' or '.join(words)}")
    match option.name:
        case "cpu":
            _replace_cpu(command, value)
        case "machine" | "M":
            _machine(command, value)
        case "accel":
            _accelerator(command, value)
        case "global":
            _global(command, option, value)
        case "rtc":
            _rtc(command, value)
        case "smp":
            _smp(command, value)
        case "name":
            name = _parts(value, "guest").get("guest", "")
            command.windows = looks_like(name)
            command.release = named(name) if command.windows else None
        case "device":
            _device(command, value)
        case "bios" | "pflash" | "drive" | "blockdev":
            _firmware(command, option.name, value)
        case "readconfig":
            command.doubt(f"-readconfig {short(value)} was not read")


def _expansion(guest: Guest, word: Word, fact: str = "") -> None:
    if word.expands:
        guest.doubt(f"what a shell puts for {short(word)} is not known", fact)


def _from_shell(whole: Word, part: str) -> bool:
    """Whether a shell replaces a part of a word, so that nobody can say what it will be."""
    return whole.expands and any(mark in part for mark in "$`%")


def _parts(value: Word, implied: str = "") -> dict[str, str]:
    """The parts of a value by their names, without those that a shell replaces; of JSON those that are texts."""
    if value.startswith("{"):
        try:
            found = json.loads(value)
        except (ValueError, RecursionError):
            found = {}
        return {name: text for name, text in found.items() if isinstance(text, str)}
    return {part.name: part.value for part in parameters(value, implied) if not _from_shell(value, part.value)}


def _replace_cpu(command: CommandLine, value: Word) -> None:
    """QEMU takes the last `-cpu` whole (qemu:system/vl.c: `cpu_option = optarg`)."""
    if command.cpu_word is not None:
        before = Guest("")
        before.cpu = str(command.cpu_word.partition(",")[0])
        set_properties(before, assignments(_features(command.cpu_word)))
        before.finish()
        command.replaced.append(Replaced(command.cpu_word, before.qemu_names))
    command.cpu_word = value


def _features(cpu: Word) -> list[Word]:
    """What follows the model. A doubled comma is none here: QEMU takes the value apart with strtok()."""
    return [part for part in list(cpu.split_at(","))[1:] if part and not _from_shell(cpu, part)]


def _machine(command: CommandLine, value: Word) -> None:
    command.options["machine"] = value
    for name, text in _parts(value, "type").items():
        match name:
            case "type":
                command.machine, command.places["machine"] = text, value
            case "accel":
                command.accelerator, command.places["accelerator"] = text.partition(":")[0], value
            case "hpet":
                command.timers["hpet"] = Timer(value, None, boolean(text))
            case "kernel-irqchip":
                command.irqchip, command.places["irqchip"] = text, value
            case "pflash0" | "pflash1":
                command.firmware, command.places["firmware"] = Firmware("uefi"), value


def _accelerator(command: CommandLine, value: Word) -> None:
    named = _parts(value, "accel")
    if command.accelerator is None and "accel" in named:
        command.accelerator, command.places["accelerator"] = named["accel"], value
    if "kernel-irqchip" in named:
        command.irqchip, command.places["irqchip"] = named["kernel-irqchip"], value


def _global(command: CommandLine, option: Option, value: Word) -> None:
    found = global_property(value)
    if found is None and not value.expands:
        command.wrong(
            f"-global {value}: it is written driver.property=value", value, "write -global driver.property=value"
        )
    elif found is not None and not _from_shell(value, value):
        driver, name, text = found
        command.globals[value.offsets[0]] = option.words[0]
        if (driver, name.replace("_", "-")) == _PIT:
            command.timers["pit"] = Timer(value, text)
        elif (driver, name.replace("_", "-")) == _RTC:
            _set_rtc(command, value, policy=_LOST_TICKS.get(text, text))
        elif (driver, name) == _SECURE:
            command.firmware = Firmware("uefi", boolean(text))
        command.assigned.append((driver, Assignment(name, text, value)))


def _rtc(command: CommandLine, value: Word) -> None:
    command.options["rtc"] = value
    named = _parts(value)
    if "base" in named:
        command.offset, command.places["offset"] = named["base"], value
    if "driftfix" in named:
        _set_rtc(command, value, policy=_POLICIES.get(named["driftfix"], named["driftfix"]))
    if "clock" in named:
        _set_rtc(command, value, track=_TRACKS.get(named["clock"], named["clock"]))


def _set_rtc(command: CommandLine, where: Word, **said: Any) -> None:
    command.timers["rtc"] = command.timers.get("rtc", Timer(where))._replace(where=where, **said)


def _smp(command: CommandLine, value: Word) -> None:
    """Several -smp are one (qemu:softmmu/vl.c, machine_merge_property()). What is 0 counts as not written."""
    numbers = command.sizes
    for name, text in _parts(value, "cpus").items():
        binary = binary_number(text)
        number = whole_number(text) if binary is None else binary
        if number is None or not 0 <= number < _MOST_VCPUS:
            command.wrong(f"-smp {short(name)}={short(text)} is no number of vCPUs", value, "write a whole number")
            continue
        if binary is not None:
            command.unclear(f"-smp {short(name)}={short(text)}", binary, value)
        if number:
            numbers[name] = number
    command.places["vcpus"] = value
    shape = Topology(*(numbers.get(name) for name in Topology._fields))
    if shape != Topology():
        command.topology, command.places["topology"] = shape, value
    known = prod(numbers.get(name, 1) for name in (*Topology._fields, *_OTHER_SIZES))
    whole = numbers.get("maxcpus") or numbers.get("cpus") or known
    command.vcpus = numbers.get("cpus", whole)
    command.most_vcpus = whole if whole != command.vcpus else None
    if others := [f"{name}={numbers[name]}" for name in _OTHER_SIZES if numbers.get(name, 1) > 1]:
        command.topology = None
        command.doubt(f"a topology with {' and '.join(others)} was not read", "topology")


def _device(command: CommandLine, value: Word) -> None:
    named = _parts(value, "driver")
    if named.get("driver", "").startswith("vfio-pci"):
        kind = "mdev" if "sysfsdev" in named else "pci"
        command.devices.append(Device(kind, named.get("host") or named.get("sysfsdev") or "", value))


def _firmware(command: CommandLine, option: str, value: Word) -> None:
    """A flash chip is UEFI's; a file given as -bios may be either, and its name is a guess."""
    named = _parts(value)
    flash = option == "pflash" or named.get("if") == "pflash"
    if flash or (option == "bios" and _UEFI.search(value)):
        secure = command.firmware.secure if command.firmware else None
        command.firmware, command.places["firmware"] = Firmware("uefi", secure), value
    elif option == "bios":
        command.unknown["firmware"] = f"the kind of {value} is not known"


def _cpu(command: CommandLine, model: str | None) -> None:
    """The CPU's model, what `-global` sets of it, then what follows the model."""
    word = command.cpu_word
    command.cpu = model
    if word is None and (reason := command.unknown.get("options")):
        command.cpu, command.unknown["cpu"] = None, reason
    elif word is not None:
        model = word.partition(",")[0]
        if _from_shell(word, model):
            command.cpu, command.unknown["cpu"] = None, f"what a shell puts for {short(model)} is not known"
        elif model and not is_name(model):
            command.cpu = None
            command.doubt(f"no CPU model has the name {quoted(model)}", "cpu")
        else:
            command.cpu, command.places["cpu"] = str(model), word
        if not model:
            command.wrong(f"-cpu {short(word)}: there is no CPU model", word, "name a CPU model")
    reached = drivers(command.cpu, command.arch)
    # The class of another model does not reach this CPU, and QEMU does not report that.
    of_globals = [one for driver, one in command.assigned if driver in reached]
    own = () if word is None else assignments(_features(word))
    set_properties(command, (*of_globals, *own))
