"""The command `hvctl`, and `python -m hvctl`. Nothing is imported before Ctrl-C is looked after."""

import gc
import os
import sys

# The built-in half of `signal`, which takes no time to import.
from _signal import SIGINT, default_int_handler, getsignal, signal


def main() -> None:
    """Run the command line and end the process with its exit code."""
    if getsignal(SIGINT) is default_int_handler:  # not ignored, as in the background of a script
        signal(SIGINT, _interrupted)
    sys.unraisablehook = _unraisable
    # Imports make many objects and little garbage: to collect among them costs more than a command can win back.
    gc.set_threshold(100_000)
    from hvctl.cli import command_line

    # Python's own end would take every module apart, a twentieth of gen's time; and wait for a libvirt that does not
    # answer any more. Output is flushed, files are closed, children have ended.
    os._exit(command_line())


def _interrupted(*_: object) -> None:
    """End at once at Ctrl-C. A KeyboardInterrupt may be raised anywhere, and so be lost in a destructor, become another
    error in a C library, or be shown by what was not written for it. See `hvctl.host.hostfs.interruptible`."""
    try:
        shows_cursor = b"\x1b[?25h" if os.isatty(2) else b""  # a progress bar may have hidden it
        os.write(2, shows_cursor + b"\ninterrupted\n")
    finally:
        os._exit(130)


def _unraisable(what: "sys.UnraisableHookArgs") -> None:
    if what.exc_type is KeyboardInterrupt:
        _interrupted()
    sys.__unraisablehook__(what)


if __name__ == "__main__":
    main()
