"""The daemon of Incus, of Debian 13, in its own root directory, without a network."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.platforms.chroot import entered
from tests.testbed.errors import NoAnswer, TestbedError
from tests.testbed.process import bound_to_us, end
from tests.testbed.tree import Tree

TREE = Tree("incus", "trixie", ("incus-base", "incus-client"))
START_SECONDS = 60
SECONDS = 60
STATE = "/var/lib/incus"
# The tree is shared by all clones, and stays as it is.
SCRIPT = f"""
for directory in /run /tmp /var/log /var/cache; do mount -t tmpfs tmpfs "$directory"; done
mkdir -p /run/incus /var/log/incus /var/cache/incus
ip link set lo up 2>/dev/null || :
export HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin INCUS_DIR={STATE}
exec /usr/libexec/incus/incusd --group root
"""


class Incus:
    """A daemon that answers."""

    def __init__(self, root: Path, folder: Path) -> None:
        self._root, self._folder = root, folder

    def client(self, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """What `incus` says, with something on its stdin."""
        libraries = self._root / "usr/lib/x86_64-linux-gnu"
        linker = [str(libraries / "ld-linux-x86-64.so.2"), "--library-path", str(libraries)]
        environment = {"HOME": str(self._folder), "INCUS_DIR": str(self._folder / "state"), "PATH": os.defpath}
        return subprocess.run(
            [*linker, str(self._root / "usr/bin/incus"), *words],
            input=given,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            env=environment,
            check=False,
        )

    def asked(self, *words: str, given: str = "") -> str:
        """The same where it must succeed."""
        done = self.client(*words, given=given)
        assert done.returncode == 0, f"incus {' '.join(words)}: {done.stderr}"
        return done.stdout


@contextmanager
def daemon(root: Path, folder: Path) -> Iterator[Incus]:
    """A daemon while the block runs."""
    if os.geteuid() != 0:
        raise TestbedError("Incus's daemon is root's", "run this as root")
    state = folder / "state"
    state.mkdir()
    command = entered(root, SCRIPT, "--net", directories=((state, STATE),))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(bound_to_us(command, "KILL"), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    incus = Incus(root, folder)
    try:
        deadline = time.monotonic() + START_SECONDS
        while incus.client("query", "/1.0").returncode:
            if process.poll() is not None or time.monotonic() > deadline:
                tail = "\n".join((folder / "log").read_text(errors="replace").splitlines()[-15:])
                raise NoAnswer(f"incusd {'does not answer' if process.poll() is None else 'ended'}:\n{tail}")
            time.sleep(0.2)
        yield incus
        incus.client("admin", "shutdown")
    finally:
        end(process)
