"""A shell of one job: `python -m tests.run.job REPORT WORDS...` on a terminal that becomes its own.

It runs the words as the foreground job and says in REPORT how they leave the terminal. Unlike a real shell it repairs
nothing, so that what is found is what the job left.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import termios
from pathlib import Path


def main(report: str, words: list[str]) -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    before = termios.tcgetattr(0)
    flags = fcntl.fcntl(0, fcntl.F_GETFL)
    job = os.fork()
    if job == 0:
        os.setpgid(0, 0)
        os.tcsetpgrp(0, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.execv(words[0], words)
    _, status = os.waitpid(job, 0)
    found = {
        "status": os.waitstatus_to_exitcode(status),
        "foreground": os.tcgetpgrp(0) == job,
        "modes": termios.tcgetattr(0)[:6] == before[:6],
        "flags": fcntl.fcntl(0, fcntl.F_GETFL) == flags,
    }
    Path(report).write_text(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
