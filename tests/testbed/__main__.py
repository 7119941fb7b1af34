"""`python -m tests.testbed run [--world W] -- COMMAND...`: one command in a world, with its output and exit code; and
`prepare`: what the worlds need is built, once."""

import argparse
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from tests.testbed.bochs import ready_bochs
from tests.testbed.bochs_machine import ready_disk
from tests.testbed.boot import Watch, boot
from tests.testbed.errors import TestbedError
from tests.testbed.machine import Job
from tests.testbed.process import interrupt_on_terminate
from tests.testbed.progress import Progress, copier
from tests.testbed.world import AMD, WORLDS, chosen, find_world

# The codes of timeout(1) and the shell's, apart from those of the command.
ENVIRONMENT = 3
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    interrupt_on_terminate()
    try:
        return int(options.work(options))
    except TestbedError as error:
        print(f"testbed: {error}", file=sys.stderr)
        return ENVIRONMENT
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.testbed", description=__doc__)
    commands = parser.add_subparsers(required=True)
    run = commands.add_parser("run", help="run one command in a world")
    run.add_argument("--world", choices=tuple(WORLDS), default=AMD[0])
    run.add_argument("--timeout", type=float, default=600, metavar="S", help="seconds for boot and command (600)")
    run.add_argument("--out", type=Path, metavar="DIR", help="writable folder, HVCTL_TESTBED_OUT in the world")
    run.add_argument("--quiet", action="store_true", help="no progress on stderr")
    run.add_argument("command", nargs="+", metavar="COMMAND")
    run.set_defaults(work=_run)
    prepare = commands.add_parser("prepare", help="build what the worlds of HVCTL_WORLDS need, the tests' by default")
    prepare.set_defaults(work=_prepare)
    return parser


def _prepare(_: argparse.Namespace) -> int:
    stop = threading.Event()
    for name in chosen():
        world = find_world(name, _say, stop)
        if world.processor:
            ready_bochs(_say, stop)
            ready_disk(world.root, _say)
    return 0


def _say(text: str) -> None:
    print(f"testbed: {text}", file=sys.stderr, flush=True)


def _run(options: argparse.Namespace) -> int:
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
    show = sys.stderr.isatty() and not options.quiet
    progress = Progress(options.world, show)
    world = find_world(options.world, progress.say)
    job = Job(tuple(options.command), out=options.out)
    watch = Watch(progress.started, copier(sys.stdout.buffer), copier(sys.stderr.buffer), progress.tick)
    result = boot(world, job, timeout=options.timeout, watch=watch)
    progress.say(
        f"{world.name}: exit code {result.exit_code}, "
        f"booted in {result.boot_seconds:.1f} s, {result.seconds:.1f} s in all"
    )
    return result.exit_code


if __name__ == "__main__":
    sys.exit(main())
