"""Supervises a QEMU as `hvctl launch` does: `python -m tests.run.supervised RESULT STDIO POWERDOWN QUIT PROGRAM...`.

RESULT is a file for the ending as JSON; STDIO is 1 where the arguments use standard input.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from hvctl.run.ending import verdict
from hvctl.run.spawn import started


def main(words: list[str]) -> None:
    result, stdio, powerdown, quit_, *argv = words

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    with started(argv, stdio=stdio == "1") as child:
        from hvctl.run.supervise import Patience, watch

        ending = watch(child, say, Patience(float(powerdown), float(quit_)))
    said = {"status": ending.status, "started": ending.started, "killed": ending.killed, "code": ending.exit_code}
    Path(result).write_text(json.dumps({**said, "stderr": ending.stderr, "verdict": verdict(ending)}))


if __name__ == "__main__":
    main(sys.argv[1:])
