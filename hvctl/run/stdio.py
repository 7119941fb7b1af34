"""Which of QEMU's devices would use the terminal that hvctl was started from.

QEMU makes a monitor of its own unless one is named, and hvctl's control connection counts as one: what QEMU would have
made is then asked for by name, so that a supervised guest has the devices it has without hvctl.
"""

from __future__ import annotations

from collections.abc import Sequence

from hvctl.guest.command.options import Option, parameters

# Options whose value names a character device in the old way (qemu:chardev/char.c, qemu_chr_parse_compat).
_DEVICES = ("serial", "parallel", "monitor", "qmp", "qmp-pretty", "debugcon", "gdb")
# qemu:softmmu/vl.c: each of these sets default_monitor = 0, and so does a device with `mon:` before it.
_MONITORS = ("monitor", "qmp", "qmp-pretty", "mon")


def uses_stdio(options: Sequence[Option]) -> bool:
    """Whether a device, a monitor or a display reads standard input."""
    return any(_reads(option) for option in (*options, *_made_by_default(options)))


def default_monitor(options: Sequence[Option]) -> tuple[str, ...]:
    """The words that ask for the monitor which QEMU makes by default, empty where it would make none."""
    if not _has_default_monitor(options):
        return ()
    if not _has(options, "nographic"):
        return ("-monitor", "vc")
    if _has_default_serial(options):
        return ("-serial", "mon:stdio")
    return ("-monitor", "stdio")


def _made_by_default(options: Sequence[Option]) -> tuple[Option, ...]:
    from hvctl.guest.command.options import scan

    found = scan(default_monitor(options))
    if _has(options, "nographic") and _has_default_serial(options) and not found:
        found = scan(("-serial", "stdio"))
    return found


def _reads(option: Option) -> bool:
    value = option.value or ""
    if option.name in _DEVICES:
        return value.removeprefix("mon:").partition(",")[0] == "stdio"
    if option.name == "chardev":
        return _first(value, "backend") == "stdio"
    if option.name == "display":
        return _first(value, "type") == "curses"
    return option.name == "curses"


def _first(value: str, key: str) -> str:
    return next((part.value for part in parameters(value, key) if part.key == key), "")


def _has(options: Sequence[Option], *names: str) -> bool:
    return any(option.name in names for option in options)


def _has_default_monitor(options: Sequence[Option]) -> bool:
    muxed = any(option.name in _DEVICES and (option.value or "").startswith("mon:") for option in options)
    return not muxed and not _has(options, "nodefaults", "daemonize", *_MONITORS)


def _has_default_serial(options: Sequence[Option]) -> bool:
    # qemu:softmmu/vl.c default_list: this device on the command line replaces the default serial port.
    named = any(option.name == "device" and _first(option.value or "", "driver") == "isa-serial" for option in options)
    return not named and not _has(options, "nodefaults", "daemonize", "serial")
