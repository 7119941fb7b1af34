"""That what is measured of a process, or said to be wrong with it, is its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.paths import ROOT

# Each is in a process of its own, since it adopts orphans.
_BEGIN = """
import sys
from pathlib import Path
from tests.torture.execute import Around, execute
from tests.torture.kinds import Kind, good
from tests.torture.processes import adopt_orphans, start
from tests.torture.runs import Put, Run, output_of
adopt_orphans()
place = Path(sys.argv[1])
"""
_LARGE = """
held = b"x" * (400 << 20)
for run in (Run("large", ("--version",)), Run("large", ("--version",), stdin=b"x", terminal=True)):
    ended = start(run, place)
    print(ended.code, b"hvctl" in ended.out, ended.left, ended.megabytes)
"""
# What of libvirt 9.0 wants memory for 4294967295 vCPUs.
_DEATHS = """
def died(file, *prefix):
    run = Run("died", ("show", "--connect", "test://{cwd}/a.libvirt"), (Put("cwd/a.libvirt", file),))
    outcome = execute(run, place, place / "failures", Around(prefix))
    print(outcome.code < 0, [what for what, _ in outcome.wrong])
(file, *_) = good(Kind.LIBVIRT)
died(file)
died(file, "bash", "-c", "kill -SEGV $$")
died(file.replace(b"<vcpu>2<", b"<vcpu>-1<"), "prlimit", "--as=8589934592")
"""
_HELP = """
for line in ("explain -h --format json", "pool --help --format json", "explain --format json"):
    words = tuple(line.split())
    outcome = execute(Run("help", words, stdout=output_of(words)), place, place / "failures")
    print(outcome.code, outcome.wrong)
"""


def _told(script: str, place: Path) -> list[str]:
    command = [sys.executable, "-c", _BEGIN + script, str(place)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=True)
    return done.stdout.splitlines()


def test_the_memory_of_a_run_is_not_that_of_the_driver(tmp_path: Path) -> None:
    for name in ("cwd", "home", "tmp"):
        (tmp_path / name).mkdir()
    told = [line.rpartition(" ") for line in _told(_LARGE, tmp_path)]
    assert [said for said, _, _ in told] == ["0 True ()"] * 2
    assert all(5 < float(megabytes) < 100 for _, _, megabytes in told)


def test_only_libvirts_own_death_is_no_failure(tmp_path: Path) -> None:
    alive, killed, parsed = _told(_DEATHS, tmp_path)
    assert (alive, killed) == ("False []", "True ['other exit codes']")
    # A later libvirt may refuse such a file.
    assert parsed in ("True ['died in libvirt']", "False []")


def test_help_is_no_json(tmp_path: Path) -> None:
    assert _told(_HELP, tmp_path) == ["0 ()"] * 3
