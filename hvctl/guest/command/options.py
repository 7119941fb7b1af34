"""QEMU's command line, read as QEMU reads it.

An option may have one dash or two (qemu:softmmu/vl.c lookup_opt: "Treat --foo the same as -foo"). Whether it takes the
next word is fixed by its name alone, so that word is its value whatever it looks like. A word without a dash where an
option could stand is a disk image.
"""

from collections.abc import Sequence
from typing import NamedTuple

# Every option without a value, of QEMU 4.0 to 10.2 (qemu:qemu-options.hx, without HAS_ARG). All others take one.
FLAGS = frozenset(
    {
        "S",
        "alt-grab",
        "async-teardown",
        "audio-help",
        "ctrl-grab",
        "curses",
        "daemonize",
        "enable-fips",
        "enable-kvm",
        "enable-sync-profile",
        "full-screen",
        "h",
        "help",
        "jitdump",
        "mem-prealloc",
        "no-acpi",
        "no-fd-bootchk",
        "no-frame",
        "no-hpet",
        "no-quit",
        "no-reboot",
        "no-shutdown",
        "no-user-config",
        "nodefaults",
        "nodefconfig",
        "nographic",
        "old-param",
        "only-migratable",
        "perfmap",
        "portrait",
        "preconfig",
        "s",
        "sdl",
        "semihosting",
        "singlestep",
        "snapshot",
        "usb",
        "version",
        "virtfs_synth",
        "win2k-hack",
        "xen-attach",
        "xen-domid-restrict",
    }
)


class Option(NamedTuple):
    """One option: its name without dashes, its value, and the words as they were written.

    `name` is empty for a disk image; `value` is None for an option without one, or whose value is missing.
    """

    name: str
    value: str | None
    words: tuple[str, ...]


class Parameter(NamedTuple):
    """One part of a value such as `q35,smm=on`: `key` is empty where there is no `=`."""

    key: str
    value: str

    @property
    def name(self) -> str:
        """The key as QEMU compares it: `_` and `-` are the same (qemu:hw/core/machine.c, machine_set_property)."""
        return self.key.replace("_", "-")

    def text(self) -> str:
        """As it stands in the value, with commas doubled."""
        value = self.value.replace(",", ",,")
        return f"{self.key}={value}" if self.key else value


def scan(words: Sequence[str]) -> tuple[Option, ...]:
    """Split a command line (without the program) into options; the words of all options are the command line."""
    options: list[Option] = []
    rest = iter(words)
    for word in rest:
        if not word.startswith("-"):
            options.append(Option("", word, (word,)))
            continue
        name = word.removeprefix("--") if word.startswith("--") else word[1:]
        value = None if name in FLAGS else next(rest, None)
        options.append(Option(name, value, (word,) if value is None else (word, value)))
    return tuple(options)


def global_property(value: str) -> tuple[str, str, str] | None:
    """Driver, property and value of a `-global`; None for what QEMU refuses.

    It is written `driver.property=value`, or `driver=`, `property=` and `value=` as parameters; only in the second form
    a doubled comma is one (qemu:softmmu/vl.c, qemu_global_option()).
    """
    head, equals, _ = value.partition("=")
    driver, _, name = head.partition(".")
    if equals and driver and name:
        return driver, name, value[len(head) + 1 :]
    keys = {parameter.key: parameter.value for parameter in parameters(value)}
    if not {"driver", "property", "value"} <= keys.keys():
        return None
    return keys["driver"], keys["property"], keys["value"]


def parameters(value: str, implied: str = "") -> tuple[Parameter, ...]:
    """Split a value at its commas; a doubled comma is one comma of the text (qemu:util/keyval.c, util/qemu-option.c).

    Args:
        value: such as `q35,smm=on`.
        implied: the key of a first part without `=`, such as `type`.
    """
    # An argument of a process holds no NUL, so it can stand for the doubled comma.
    found: list[Parameter] = []
    for position, part in enumerate(value.replace(",,", "\0").split(",")):
        key, equals, text = part.replace("\0", ",").partition("=")
        if equals:
            found.append(Parameter(key, text))
        elif part:
            found.append(Parameter(implied if position == 0 else "", key))
    return tuple(found)
