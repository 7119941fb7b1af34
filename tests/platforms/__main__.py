"""`python -m tests.platforms`: build what the tests need, once, and say so."""

import sys
import threading

from tests.platforms.crd_server import ready_programs
from tests.platforms.incus import TREE as INCUS
from tests.platforms.nova_environment import ready_nova
from tests.platforms.tools import TREE as TOOLS
from tests.testbed.errors import TestbedError
from tests.testbed.process import interrupt_on_terminate
from tests.testbed.tree import ready_tree


def main() -> int:
    interrupt_on_terminate()
    stop = threading.Event()
    try:
        for tree in (INCUS, TOOLS):
            ready_tree(tree, _say, stop)
        ready_nova()
        ready_programs(_say, stop)
    except TestbedError as error:
        _say(str(error))
        return 3
    except KeyboardInterrupt:
        return 130
    return 0


def _say(text: str) -> None:
    print(f"platforms: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
