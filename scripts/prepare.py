"""Prepares a clone: the Debian packages and the virtual environment of a target; quick when nothing is missing."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
ENVIRONMENT = CHECKOUT / ".venv"
STAMP = ENVIRONMENT / "stamp"
# Two targets at once wait for each other.
LOCK = CHECKOUT / ".setup.lock"
SECONDS = 1800

# What each group's packages are for is said when they have to be installed.
BOOT = "to boot a machine with KVM and Hyper-V in QEMU's TCG"
DEMO: Mapping[str, tuple[str, ...]] = {
    BOOT: ("qemu-system-x86", "linux-image-amd64", "busybox-static", "zstd", "util-linux")
}
TEST = {
    **DEMO,
    "to unpack a second Debian release": ("mmdebstrap", "uidmap", "debian-archive-keyring", "tar"),
    "for the tests with libvirt": ("libvirt-daemon", "libvirt-daemon-driver-qemu", "libvirt-clients"),
    "to compile libvirt-python": ("libvirt-dev", "pkg-config", "gcc", "libc6-dev"),
    "to build the probe guest": ("binutils", "gcc"),
    "for the README's Windows 11 installation": ("ovmf", "swtpm", "swtpm-tools", "qemu-utils", "virtinst", "procps"),
    "to check the man pages": ("mandoc", "man-db", "groff"),
    "to look at the HTML pages": ("chromium", "fonts-dejavu-core"),
    "to apply a printed difference": ("patch",),
    "for the tests that make a repository": ("git",),
}


@dataclass(frozen=True)
class Level:
    """What a target needs; each level holds the ones before it."""

    packages: Mapping[str, tuple[str, ...]]
    requirements: tuple[str, ...]


LEVELS = {
    "demo": Level(DEMO, ("--editable", ".")),
    "lint": Level({}, ("--editable", ".", "--group", "dev")),
    "test": Level(TEST, ("--editable", ".[libvirt]", "--group", "dev")),
}


@dataclass(frozen=True)
class Stamp:
    """What an environment was made for: the Python and the place, the files that say what is in it, the level."""

    base: str
    inputs: str
    level: str


class SetupFailed(Exception):
    """A message for the person at the terminal."""


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0] not in LEVELS:
        print(f"usage: scripts/setup {'|'.join(LEVELS)}", file=sys.stderr)
        return 2
    try:
        install_packages(LEVELS[arguments[0]].packages)
        make_environment(arguments[0])
    except SetupFailed as error:
        print(f"setup: {error}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        return 130
    return 0


def say(text: str) -> None:
    print(f"setup: {text}", file=sys.stderr, flush=True)


def install_packages(reasons: Mapping[str, tuple[str, ...]]) -> None:
    wanted = {reason: missing(packages) for reason, packages in reasons.items()}
    packages = [name for names in wanted.values() for name in names]
    if not packages:
        return
    for reason, names in wanted.items():
        if names:
            say(f"missing {reason}: {' '.join(names)}")
    get = [*as_root(packages), "apt-get", "--quiet", "--quiet", "--assume-yes"]
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    install = [*get, "install", "--no-install-recommends", *packages]
    say("installing them with apt-get")
    # Without lists, or with old ones, the first try fails; with good lists an update would only cost time.
    if not known_to_apt(packages) or run(install, environment) != 0:
        run([*get, "update"], environment)
        if run(install, environment) != 0:
            raise SetupFailed(f"the packages could not be installed; try it by hand:\n    {' '.join(install)}")


def missing(packages: tuple[str, ...]) -> list[str]:
    """Those of `packages` that dpkg does not call installed."""
    if not shutil.which("dpkg-query"):
        raise SetupFailed("this is no Debian: the tests and the demo use Debian's kernel and QEMU packages")
    asked = subprocess.run(
        ["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\n", *packages],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        timeout=60,
    )
    installed = {line.split()[0] for line in asked.stdout.splitlines() if line.endswith(" installed")}
    return [name for name in packages if name not in installed]


def known_to_apt(packages: list[str]) -> bool:
    command = ["apt-cache", "show", "--no-all-versions", *packages]
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60).returncode == 0


def as_root(packages: list[str]) -> list[str]:
    """What comes before apt-get."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo"):
        # Without a terminal sudo cannot ask for a password and must not wait for one.
        return (
            ["sudo", "DEBIAN_FRONTEND=noninteractive"]
            if sys.stdin.isatty()
            else ["sudo", "-n", "DEBIAN_FRONTEND=noninteractive"]
        )
    raise SetupFailed(
        f"Debian packages are missing and this is not root. As root:\n    apt-get install {' '.join(packages)}"
    )


def make_environment(name: str) -> None:
    """The environment for `name`; one that is there is brought up to date and keeps what a higher level gave it."""
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        base, inputs = hash_of(), hash_of("pyproject.toml", "constraints.txt")
        have = read_stamp()
        usable = have is not None and have.base == base and python_works()
        levels = list(LEVELS)
        if have is None or not usable:
            say(f"making the virtual environment {ENVIRONMENT.name}")
            create_environment()
        else:
            name = max(name, have.level, key=levels.index)
            if have == Stamp(base, inputs, name):
                return
        install(LEVELS[name].requirements)
        STAMP.write_text(f"{base} {inputs} {name}\n")


def install(requirements: tuple[str, ...]) -> None:
    constraints = ["--constraint", "constraints.txt"]
    pip("install", *constraints, "--upgrade", "pip")
    # What builds a package comes from an environment of its own, with constraints of its own.
    constraints += ["--build-constraint", "constraints.txt"]
    say("installing from the package index with pip")
    pip("install", *constraints, *requirements)


def read_stamp() -> Stamp | None:
    words = STAMP.read_text().split() if STAMP.exists() else []
    return Stamp(*words) if len(words) == 3 and words[2] in LEVELS else None


def hash_of(*names: str) -> str:
    """Of files, the Python and the place: an environment does not work where it was moved to."""
    digest = hashlib.sha256(f"{CHECKOUT}\n{sys.version}\n".encode())
    for name in names:
        digest.update((CHECKOUT / name).read_bytes())
    return digest.hexdigest()


def python_works() -> bool:
    try:
        return subprocess.run([ENVIRONMENT / "bin/python", "-c", ""], timeout=60).returncode == 0
    except OSError:
        return False


def create_environment() -> None:
    try:
        import ensurepip  # noqa: F401
    except ImportError:
        # Debian has it in a package of its own.
        install_packages({"to make a virtual environment": ("python3-venv",)})
    if ENVIRONMENT.exists():
        shutil.rmtree(ENVIRONMENT)
    # A copy of this process, since ensurepip may have come just now.
    if run([sys.executable, "-m", "venv", str(ENVIRONMENT)], dict(os.environ)) != 0:
        raise SetupFailed(f"{sys.executable} -m venv failed; on Debian: apt-get install python3-venv")


def pip(*arguments: str) -> None:
    command = [str(ENVIRONMENT / "bin/python"), "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]
    if run([*command, *arguments], dict(os.environ)) != 0:
        raise SetupFailed("pip failed; its messages stand above. Run the same again when the reason is gone.")


def run(command: list[str], environment: dict[str, str]) -> int:
    # What programs say belongs to stderr here: stdout is the target's own.
    done = subprocess.run(command, cwd=CHECKOUT, env=environment, stdout=sys.stderr, timeout=SECONDS, check=False)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
