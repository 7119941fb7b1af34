"""`python -m tests.fuzz [--seconds S] [READER...]`: every reader, or some, under atheris, with coverage.

What is found is kept in a directory that is named. Made small, it belongs into tests/fuzz/corpus/READER, which is
tested. Exit code 1 if anything is found.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.paths import ROOT

CORPUS = ROOT / "tests" / "fuzz" / "corpus"
_MEGABYTES, _SECONDS_EACH = 2048, 20


def main(words: list[str]) -> int:
    """Let each reader have its time; the exit code."""
    from tests.fuzz.readers import LONGEST, READERS

    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=600, help="for each reader (default 600)")
    parser.add_argument("readers", nargs="*", metavar="READER", default=list(READERS), help=", ".join(READERS))
    asked = parser.parse_args(words)
    if unknown := set(asked.readers) - READERS.keys():
        parser.error(f"unknown reader {', '.join(unknown)}: they are {', '.join(READERS)}")
    finds = Path(tempfile.mkdtemp(prefix="hvctl-fuzz-"))
    for name in asked.readers:
        seeds = finds / f"{name}-seeds"
        seeds.mkdir()
        for number, data in enumerate(READERS[name].seeds()):
            if len(data) <= LONGEST:
                (seeds / str(number)).write_bytes(data)
        options = {
            "max_total_time": asked.seconds,
            "max_len": LONGEST,
            "timeout": _SECONDS_EACH,
            "rss_limit_mb": _MEGABYTES,
            "artifact_prefix": f"{finds}/{name}-",
            "print_final_stats": 1,
        }
        corpus = [path for path in (seeds, CORPUS / name) if path.is_dir()]
        command = [sys.executable, "-m", "tests.fuzz.one", name, *corpus]
        done = subprocess.run([*command, *(f"-{key}={value}" for key, value in options.items())], cwd=ROOT, check=False)
        print(f"{name}: {'clean' if done.returncode == 0 else 'something was found'}", flush=True)
    found = [path for path in finds.iterdir() if path.is_file()]
    print(f"{len(found)} found", *found, sep="\n")
    if not found:
        shutil.rmtree(finds)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
