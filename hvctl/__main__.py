"""The command `hvctl`, and `python -m hvctl`. Nothing is imported before Ctrl-C is looked after."""

import gc
import os


def main() -> None:
    """Run the command line and end the process with its exit code."""
    try:
        # Imports make many objects and little garbage: to collect among them costs more than a command can win back.
        gc.set_threshold(100_000)
        from hvctl.cli import command_line

        code = command_line()
        # Python's own end would take every module apart, a twentieth of gen's time; wait for a libvirt that does not
        # answer any more; and show a traceback at Ctrl-C. Output is flushed, files are closed, children have ended.
        os._exit(code)
    except KeyboardInterrupt:
        os.write(2, b"interrupted\n")
        os._exit(130)


if __name__ == "__main__":
    main()
