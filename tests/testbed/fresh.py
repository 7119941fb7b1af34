"""`make fresh`: the README's commands in bare Debian systems, which have nothing but git and make."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.testbed.errors import TestbedError
from tests.testbed.process import bound_to_us, contained, interrupt_on_terminate, run_logged
from tests.testbed.tree import Tree, apt_options, mirror, ready_tree
from tests.testbed.world import CHECKOUT

APT = "DEBIAN_FRONTEND=noninteractive apt-get -qq --assume-yes install --no-install-recommends"
INSTALLED = "~/.local/bin/hvctl"
STEPS = {
    "set-up": "scripts/setup test",
    "tests": ".venv/bin/python -m pytest -q -p no:cacheprovider --ignore tests/realkvm",
    "pipx install": f"{APT} pipx && pipx install . && {INSTALLED} gen windows-11 --host tests/hosts/debian-12.json",
    "pipx install, with libvirt": f"{APT} python3-libvirt && pipx install --force --system-site-packages . && "
    f"{INSTALLED} show --connect test:///default",
}
FULL = bool(os.environ.get("FULL"))
if FULL:
    STEPS |= {"make demo": "make demo", "make test": "make test"}
STEP_SECONDS = 1800
TAIL_LINES = 100
STOP = threading.Event()
# What decides how a system reaches the package index.
PASSED = re.compile(r"PIP_.*|SSL_.*|.*_CA_BUNDLE|.*_proxy|.*_PROXY")
PIP_SETTINGS = (Path("/etc/pip.conf"), Path.home() / ".config/pip/pip.conf", Path.home() / ".pip/pip.conf")
# $1: the tree, $2: a directory for what is written, $3: the step; then the directories that pip's settings name.
SCRIPT = """
tree=$1 step=$3
cd "$2"
mkdir -p lower work root
mount --bind "$tree" lower
mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work overlay root
mount -t proc proc root/proc
mount -t sysfs -o ro sysfs root/sys
mount --rbind /dev root/dev
shift 3
for directory; do
    mkdir -p "root$directory"
    mount --bind -o ro "$directory" "root$directory"
done
# Not chroot alone, in which mmdebstrap of a user who is not root could make no namespace.
mkdir -p root/mnt
cd root
pivot_root . mnt
chroot mnt umount -l /
exec chroot . /bin/sh -euc "cd /root/hvctl; $step"
"""


@dataclass(frozen=True, slots=True)
class System:
    """One bare Debian in the making: `written` takes what the steps write."""

    suite: str
    tree: Path
    written: Path

    @property
    def log(self) -> Path:
        return self.written / "log"

    def prepare(self) -> None:
        """The clone, and from this machine what decides how a system reaches the network."""
        upper = self.written / "upper"
        subprocess.run(["git", "clone", "--quiet", str(CHECKOUT), str(upper / "root/hvctl")], check=True)
        options = "".join(f"{option};\n" for option in apt_options())
        texts = {
            "etc/apt/apt.conf.d/99mmdebstrap": options,
            "etc/dpkg/dpkg.cfg.d/fresh": "force-unsafe-io\n",
            "etc/resolv.conf": Path("/etc/resolv.conf").read_text(),
            "etc/hosts": Path("/etc/hosts").read_text(),
        }
        for site in mirror():  # else the tree has mmdebstrap's default
            texts["etc/apt/sources.list"] = f"deb {site} {self.suite} main\n"
        for path in filter(Path.exists, PIP_SETTINGS):
            inner = Path("/root") / path.relative_to(Path.home()) if path.is_relative_to(Path.home()) else path
            texts[str(inner.relative_to("/"))] = path.read_text()
        for name, text in texts.items():
            (upper / name).parent.mkdir(parents=True, exist_ok=True)
            (upper / name).write_text(text)
        # Not mounted: the package ca-certificates writes there.
        bundle = Path("/etc/ssl/certs/ca-certificates.crt")
        if bundle.exists():
            for name in ("etc/ssl/certs/ca-certificates.crt", "usr/local/share/ca-certificates/machine.crt"):
                (upper / name).parent.mkdir(parents=True, exist_ok=True)
                (upper / name).write_bytes(bundle.read_bytes())

    def run(self, step: str) -> int:
        kept = {name: value for name, value in os.environ.items() if PASSED.fullmatch(name)}
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8", **kept}
        words = ["sh", "-euc", SCRIPT, "sh", str(self.tree), str(self.written), step, *pip_directories()]
        command = bound_to_us(contained(words), "KILL")
        return run_logged(command, self.log, environment, seconds=STEP_SECONDS, stop=STOP)


def pip_directories() -> list[str]:
    """The directories of this machine that pip's settings name, where it finds packages."""
    settings = [path.read_text() for path in PIP_SETTINGS if path.exists()]
    settings += [value for name, value in os.environ.items() if name.startswith("PIP_")]
    named = {Path(word) for text in settings for word in re.findall(r"(?:^|[\s=]|file://)(/[^\s,]+)", text)}
    # The pages of an index ROOT/simple link to files elsewhere in ROOT.
    return sorted({str(path.parent if path.name == "simple" else path) for path in named if path.is_dir()})


def steps(suite: str) -> Iterator[tuple[str, float, str]]:
    """Name and seconds of each step that is done; of the one that failed also the end of what it said."""
    tree = ready_tree(Tree(f"bare-{suite}", suite, ("git", "make")), print, STOP)
    with tempfile.TemporaryDirectory(prefix="hvctl-fresh-") as name:
        system = System(suite, tree, Path(name))
        system.prepare()
        for title, step in STEPS.items():
            begin = time.monotonic()
            code = system.run(step)
            said = system.log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
            failure = f"ended with {code}:\n" + "\n".join(said) if code else ""
            if code:
                kept = Path(tempfile.gettempdir()) / f"hvctl-fresh-{suite}.log"
                shutil.copy(system.log, kept)
                failure += f"\nall of it is in {kept}"
            yield title, time.monotonic() - begin, failure
            if code:
                return


def check(suite: str) -> bool:
    try:
        for title, seconds, failure in steps(suite):
            print(f"{suite}: {title}: {failure or f'{seconds:.0f} s'}", flush=True)
            if failure:
                return False
    except (TestbedError, OSError, subprocess.SubprocessError) as error:
        print(f"{suite}: {error}", flush=True)
        return False
    return True


def main(suites: list[str]) -> int:
    if os.geteuid() != 0:
        print("fresh: only root can mount and enter another system", file=sys.stderr)
        return 3
    interrupt_on_terminate()
    changed = ["git", "-C", str(CHECKOUT), "status", "--porcelain", "--untracked-files=no"]
    if subprocess.run(changed, check=True, stdout=subprocess.PIPE).stdout:
        print("fresh: what is not committed is not tried", file=sys.stderr)
    # Emulated machines of two systems at once would be too slow for their time limits.
    with ThreadPoolExecutor(1 if FULL else len(suites)) as pool:
        try:
            return 0 if all(list(pool.map(check, suites))) else 1
        except KeyboardInterrupt:
            STOP.set()
            return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
