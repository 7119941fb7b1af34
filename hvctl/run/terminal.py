"""The terminal that a guest borrows from hvctl, as a job does from its shell: foreground group, modes, file flags.

Whether a guest uses it is read from QEMU's arguments. QEMU makes a monitor of its own unless one is named, and hvctl's
control connection counts as one: what QEMU would have made is then asked for by name, so that a supervised guest has
the devices it has without hvctl.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import termios
from collections.abc import Sequence
from types import FrameType

from hvctl.guest.command.options import Option, parameters, scan

STANDARD_FDS = (0, 1, 2)
Modes = list[int | list[bytes | int]]
# Options whose value names a character device in the old way (qemu:chardev/char.c, qemu_chr_parse_compat).
_DEVICES = ("serial", "parallel", "monitor", "qmp", "qmp-pretty", "debugcon", "gdb")
# qemu:softmmu/vl.c: each of these sets default_monitor = 0, and so does a device with `mon:` before it.
_MONITORS = ("monitor", "qmp", "qmp-pretty", "mon")


class Terminal:
    """Standard input, output and error as hvctl found them.

    A context manager: at its end all is as it was, even if QEMU was killed before it could tidy up. SIGTTOU is ignored
    meanwhile, since hvctl is then a background job that changes the terminal.
    """

    def __init__(self) -> None:
        self.tty = _controlling_tty()
        self.lent = False
        self._modes: Modes | None = None
        self._guest_modes: Modes | None = None
        self._flags: dict[int, int] = {}
        self._old_handler: object = None

    def __enter__(self) -> Terminal:
        self._old_handler = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        if self.tty is not None:
            self._modes = termios.tcgetattr(self.tty)
        for fd in STANDARD_FDS:
            # QEMU sets O_NONBLOCK, which belongs to the open file: the shell's too (qemu:chardev/char-stdio.c).
            with contextlib.suppress(OSError):
                self._flags[fd] = fcntl.fcntl(fd, fcntl.F_GETFL)
        return self

    def __exit__(self, *_exception: object) -> None:
        self.take()
        for fd, flags in self._flags.items():
            with contextlib.suppress(OSError):
                fcntl.fcntl(fd, fcntl.F_SETFL, flags)
        signal.signal(signal.SIGTTOU, self._handler())

    def lendable(self) -> bool:
        """Whether hvctl is the terminal's foreground job, so that it has something to lend."""
        try:
            return self.tty is not None and os.tcgetpgrp(self.tty) == os.getpgrp()
        except OSError:
            return False

    def lend(self, group: int) -> None:
        """Make `group` the foreground job, with the modes it had when the terminal was last taken from it."""
        if self.tty is None or not self.lendable():
            return
        with contextlib.suppress(OSError, termios.error):
            os.tcsetpgrp(self.tty, group)
            self.lent = True
            if self._guest_modes is not None:
                termios.tcsetattr(self.tty, termios.TCSANOW, self._guest_modes)

    def take(self) -> None:
        """Make hvctl the foreground job again, with the modes it found; nothing if the terminal is not lent."""
        if self.tty is None or not self.lent:
            return
        self.lent = False
        # A terminal that was hung up has nothing to be restored.
        with contextlib.suppress(OSError, termios.error):
            self._guest_modes = termios.tcgetattr(self.tty)
            os.tcsetpgrp(self.tty, os.getpgrp())
            if self._modes is not None:
                termios.tcsetattr(self.tty, termios.TCSANOW, self._modes)

    def lend_in_child(self, lend: bool) -> None:
        """Between fork and exec: the child becomes a job of its own, and the foreground one where `lend` says so."""
        os.setpgid(0, 0)
        if lend and self.tty is not None:
            with contextlib.suppress(OSError):
                os.tcsetpgrp(self.tty, os.getpgrp())
        signal.signal(signal.SIGTTOU, self._handler())

    def _handler(self) -> signal.Handlers:
        return signal.SIG_IGN if self._old_handler == signal.SIG_IGN else signal.SIG_DFL


def _controlling_tty() -> int | None:
    """Standard input, if it is the terminal that controls this session; None otherwise."""
    try:
        os.tcgetpgrp(0)
    except OSError:
        return None
    return 0


class Inbox:
    """Signals, collected from before QEMU starts until it is gone; a context manager.

    A signal that hvctl was started with as ignored (nohup, a job of a script) stays ignored. `fd` becomes readable with
    each signal: one that arrives just before an event loop goes to sleep would else be noticed only when it wakes
    (Python runs its handlers between instructions; signal.set_wakeup_fd).
    """

    def __init__(self, *signals: signal.Signals) -> None:
        self._wanted = signals
        self._old: dict[signal.Signals, object] = {}
        self._arrived: list[signal.Signals] = []
        self.fd = self._write = self._old_fd = -1

    def __enter__(self) -> Inbox:
        self.fd, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._old_fd = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in self._wanted:
            old = signal.getsignal(number)
            if old is not signal.SIG_IGN:
                self._old[number] = old
                signal.signal(number, self._arrive)
        return self

    def __exit__(self, *_exception: object) -> None:
        for number, old in self._old.items():
            signal.signal(number, old if callable(old) else signal.SIG_DFL)
        signal.set_wakeup_fd(self._old_fd)
        os.close(self.fd)
        os.close(self._write)

    def take(self) -> list[signal.Signals]:
        """What has arrived since the last call."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.fd, 4096)
        arrived, self._arrived = self._arrived, []
        return arrived

    def _arrive(self, number: int, _frame: FrameType | None) -> None:
        self._arrived.append(signal.Signals(number))


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
