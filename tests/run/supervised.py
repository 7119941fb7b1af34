"""Supervises a QEMU as `hvctl launch` does: `python -m tests.run.supervised RESULT STDIO POWERDOWN QUIT PROGRAM...`.

RESULT is a file for the ending as JSON, and the most memory that was used, in MiB; STDIO is 1 where the arguments use
standard input.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from hvctl.run.ending import verdict
from hvctl.run.spawn import started
from hvctl.run.supervise import Patience, watch


def main(words: list[str]) -> None:
    result, stdio, powerdown, quit_, *argv = words

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    with started(argv, stdio=stdio == "1") as child:
        ending = watch(child, say, Patience(float(powerdown), float(quit_)))
    said = {"status": ending.status, "started": ending.started, "killed": ending.killed, "code": ending.exit_code}
    # Not ru_maxrss, in which Linux counts what the process was before exec.
    peak = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) // 1024
    said |= {"crashes": len(ending.crashes), "peak": peak}
    Path(result).write_text(json.dumps({**said, "stderr": ending.stderr, "verdict": verdict(ending)}))


if __name__ == "__main__":
    main(sys.argv[1:])
