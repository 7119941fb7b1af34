"""The arguments of a guest as the probe guest needs them: what makes machine, CPU and clock, and no device or disk."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hvctl.catalog import BY_ID
from hvctl.guest.command.options import Option, global_property, parameters, scan

MACHINE = ("machine", "M")
ACCELERATOR = ("accel", "enable-kvm")
KEPT = frozenset({*MACHINE, *ACCELERATOR, "cpu", "smp", "rtc", "global", "no-hpet", "no-acpi", "no-user-config"})
# What the probe guest brings itself.
SILENT = frozenset({"nodefaults", "no-reboot"})
# Values that name something else on the command line (qemu:hw/core/machine.c, hw/i386/pc_sysfw.c).
REFERENCES = ("memory-backend", "memory-encryption", "confidential-guest-support", "pflash0", "pflash1")
CPU_DRIVER, PIT = "-cpu", "kvm-pit"
ALL_DEVICES = ("device", "object")
DEFAULT_VCPUS = 2


class Essential(NamedTuple):
    """What is left of a command line, and the names of the options that are not, each once."""

    words: tuple[str, ...]
    dropped: tuple[str, ...]


def essential(caller: Sequence[str]) -> Essential:
    """A command line, without the program, less all that is no part of machine, accelerator, CPU and clock."""
    words: list[str] = []
    dropped: list[str] = []
    for option in scan(caller):
        if option.name in MACHINE and option.value is not None:
            words += _without(option, REFERENCES)
        elif option.name in KEPT and (option.name != "global" or _is_cpu(option.value or "")):
            words += option.words
        elif option.name not in SILENT:
            dropped.append(f"-{option.name}" if option.name else option.words[0])
    return Essential(tuple(words), tuple(dict.fromkeys(dropped)))


def with_vcpus(words: Sequence[str], number: int | None) -> tuple[str, ...]:
    """The words with this number of vCPUs; None leaves what they say, or the default."""
    others = [option for option in scan(words) if option.name != "smp"]
    if number is None and len(others) < len(scan(words)):
        return tuple(words)
    return (*_words(others), "-smp", str(number or DEFAULT_VCPUS))


def with_accelerator(words: Sequence[str], name: str) -> tuple[str, ...]:
    """The words with this accelerator alone. TCG has no CPU model `host`, for which `max` stands, and not KVM's PIT."""
    kept: list[str] = ["-accel", name]
    for option in scan(words):
        if option.name in ACCELERATOR:
            continue
        if option.name in MACHINE and option.value is not None:
            kept += _without(option, ("accel",))
        elif name == "tcg" and option.name == "cpu" and option.value is not None:
            model, comma, rest = option.value.partition(",")
            kept += [option.words[0], ("max" if model == "host" else model) + comma + rest]
        elif not (name == "tcg" and option.name == "global" and _driver(option.value or "") == PIT):
            kept += option.words
    return tuple(kept)


def without_rows(words: Sequence[str], ids: Iterable[str]) -> tuple[str, ...]:
    """The words less these rows' properties of the CPU."""
    names = {known.name for row_id in ids for known in BY_ID[row_id].properties}
    names |= {alias for row_id in ids for alias in BY_ID[row_id].property_aliases}
    kept: list[str] = []
    for option in scan(words):
        if option.name == "cpu" and option.value is not None:
            parts = option.value.split(",")
            own = [part for part in parts if part.lstrip("+-").partition("=")[0].replace("_", "-") not in names]
            kept += [option.words[0], ",".join(own)]
        else:
            kept += option.words
    return tuple(kept)


def plain(words: Sequence[str]) -> tuple[str, ...]:
    """The words without any enlightenment, and with the HPET that the machine has then."""
    kept: list[str] = []
    for option in scan(without_rows(words, BY_ID)):
        kept += _without(option, ("hpet",)) if option.name in MACHINE else option.words
    return tuple(kept)


def userspace_apic(words: Sequence[str]) -> bool:
    """Whether kernel-irqchip=off is written: the APIC is then QEMU's and not KVM's."""
    for option in scan(words):
        for part in parameters(option.value or "") if option.name in (*MACHINE, "accel") else ():
            if part.name == "kernel-irqchip" and part.value == "off":
                return True
    return False


def _words(options: Sequence[Option]) -> list[str]:
    return [word for option in options for word in option.words]


def _without(option: Option, names: Sequence[str]) -> tuple[str, ...]:
    """A -machine less these parameters; as it is where it has none of them, and nothing where it has no other."""
    all_parts = parameters(option.value or "", "type")
    kept = [part for part in all_parts if part.name not in names]
    if len(kept) == len(all_parts):
        return option.words
    return (option.words[0], ",".join(part.text() for part in kept)) if kept else ()


def _is_cpu(value: str) -> bool:
    """Whether a -global is about the CPU or KVM's timer: those of devices would have nothing to work on.

    It is for every object of a class or one derived from it (qemu:qom/object.c, object_apply_global_props): the model's
    own class, max's for host, x86_64-cpu, cpu, and what all devices are. What QEMU refuses is left to it.
    """
    driver = _driver(value)
    return driver is None or f"-{driver}".endswith(CPU_DRIVER) or driver in (PIT, *ALL_DEVICES)


def _driver(value: str) -> str | None:
    """The class that a -global is about; None where it is about none."""
    found = global_property(value)
    return found[0] if found else None
