"""The probe guest's files with a libvirt that is made up: who may open them, and when they go. Real: tests/realkvm."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hvctl.errors import HostError, RefusedError
from hvctl.libvirt.connection import connected
from hvctl.probe_guest import firmware
from hvctl.verify.libvirt_run import PREFIX, DomainProbe, start
from tests.libvirt.libvirt_server import CAPABILITIES, CREATE_XML, Act, Answer, Refusal, serving, xdr
from tests.libvirt.lies import HONEST, HOST, domain

QEMU, STRANGER = 64055, 12345
REPORT = b"hvctl-probe 1\nend 1 0\n"
root = pytest.mark.skipif(os.geteuid() != 0, reason="other users are root's to become")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory for temporary files as /tmp is; those of the test itself, which others may not enter, come first."""
    del tmp_path
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o1777)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    shutil.rmtree(folder)


def left(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir() if path.name.startswith(PREFIX))


def capabilities(user: int | None) -> bytes:
    model = f"<secmodel><model>dac</model><doi>0</doi><baselabel type='kvm'>+{user}:+109</baselabel></secmodel>"
    return xdr(HOST.replace("</host>", f"{model if user is not None else ''}</host>"))


def as_user(user: int, work: Callable[[], object]) -> bool:
    """Whether another user can do something; in a process of its own."""
    child = os.fork()
    if not child:
        code = 1
        with contextlib.suppress(BaseException):
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
            work()
            code = 0
        os._exit(code)
    return os.waitpid(child, 0)[1] == 0


class Libvirt:
    """Starts what it is asked to with a QEMU that is a few lines of Python, and remembers what it saw before."""

    def __init__(self, user: int | None, before: Callable[[Path], object] = lambda _: None) -> None:
        self.user = os.geteuid() if user is None else user
        self.before = before
        self.folder = Path("/nonexistent")
        self.answers: dict[int, Answer] = {**HONEST, CAPABILITIES: capabilities(user), CREATE_XML: self._create}

    def _create(self, sent: bytes) -> Answer:
        (size,) = struct.unpack_from(">I", sent)
        pipe, image = (
            re.findall(text, sent[4 : 4 + size].decode())[0] for text in ('path="([^"]*)"', "[^<>]*/firmware")
        )
        self.folder, wanted = Path(pipe).parent, firmware()
        self.before(self.folder)

        def qemu() -> None:
            assert Path(image).read_bytes() == wanted
            os.open(f"{pipe}.in", os.O_RDWR)
            os.write(os.open(f"{pipe}.out", os.O_RDWR), REPORT)

        works = as_user(self.user, qemu)
        return domain(ident=5) if works else Refusal(38, "QEMU: Permission denied")


@contextlib.contextmanager
def started(libvirt: Libvirt, folder: Path) -> Iterator[DomainProbe]:
    with (
        serving(folder, libvirt.answers) as uri,
        connected(uri, write=True) as connection,
        start(connection, xml) as probe,
    ):
        yield probe


def xml(name: str, image: str, pipe: str) -> str:
    return f'<domain><name>{name}</name><loader>{image}</loader><source path="{pipe}"/></domain>'


def test_files_of_the_same_user(place: Path, tmp_path: Path) -> None:
    seen: dict[str, str] = {}

    def look(folder: Path) -> None:
        for path in (folder, *folder.iterdir()):
            seen[path.name if path != folder else ""] = stat.filemode(path.stat().st_mode)
            assert not os.listxattr(path)

    libvirt = Libvirt(None, look)
    with started(libvirt, tmp_path) as probe:
        assert left(place) == []
        assert probe.finish(5).output == REPORT
    assert seen == {"": "drwx------", "firmware": "-r--r--r--", "console.in": "prw-------", "console.out": "prw-------"}
    assert libvirt.folder.parent == place
    assert re.fullmatch(f"{PREFIX}[0-9a-f]{{32}}", libvirt.folder.name)


@root
@pytest.mark.parametrize("owners", [True, False], ids=["libvirt-sets-owners", "libvirt-leaves-owners"])
def test_nobody_but_qemus_user_gets_at_the_files(place: Path, tmp_path: Path, owners: bool) -> None:
    able: list[str] = []

    def spoil(folder: Path) -> None:
        pipes = [folder / "console.in", folder / "console.out"]
        for path in pipes if owners else []:
            os.chown(path, QEMU, 109)
        works: dict[str, Callable[[], object]] = {
            "list": lambda: os.listdir(folder),
            "write": lambda: os.write(os.open(pipes[1], os.O_RDWR), b"spoiled"),
            "read": lambda: os.open(pipes[0], os.O_RDONLY | os.O_NONBLOCK),
            "image": lambda: os.open(folder / "firmware", os.O_RDONLY),
            "make": lambda: (folder / "new").touch(),
        }
        able.extend(name for name, work in works.items() if as_user(STRANGER, work))
        able.extend(f"QEMU: {name}" for name in ("list", "make") if as_user(QEMU, works[name]))

    with started(Libvirt(QEMU, spoil), tmp_path) as probe:
        assert left(place) == []
        assert probe.finish(5).output == REPORT
    assert able == []


@root
def test_a_file_system_without_acls(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOTSUP, "no ACLs here")

    def chown(folder: Path) -> None:
        out = folder / "console.out"
        assert not as_user(STRANGER, lambda: os.open(out, os.O_RDWR))
        for path in (folder / "console.in", out):
            os.chown(path, QEMU, 109)
        assert not as_user(STRANGER, lambda: os.open(out, os.O_RDWR))

    monkeypatch.setattr(os, "setxattr", refuse)
    with started(Libvirt(QEMU, chown), tmp_path) as probe:
        assert probe.finish(5).output == REPORT
    assert left(place) == []


def test_nothing_is_left_where_libvirt_refuses(place: Path, tmp_path: Path) -> None:
    libvirt = Libvirt(None)
    libvirt.answers[CREATE_XML] = Refusal(38, "no")
    with pytest.raises(RefusedError, match="libvirt cannot start the probe guest: no"), started(libvirt, tmp_path):
        pass
    assert left(place) == []


def test_no_room_for_the_files(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "mkfifo", refuse)
    with (
        pytest.raises(HostError, match="files cannot be made: No space left on device"),
        started(Libvirt(None), tmp_path),
    ):
        pass
    assert left(place) == []


CHILD = """
import sys
from hvctl.libvirt.connection import connected
from hvctl.verify.libvirt_run import start
with connected(sys.argv[1], write=True) as connection, start(connection, lambda *words: "<domain/>"):
    pass
"""


@contextlib.contextmanager
def waiting(place: Path, uri: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that waits for libvirt to start its probe guest."""
    known = left(place)
    environment = {**os.environ, "TMPDIR": str(place)}
    with subprocess.Popen([sys.executable, "-c", CHILD, uri], stderr=subprocess.DEVNULL, env=environment) as child:
        try:
            end = time.monotonic() + 60
            while not any((place / name / "console.out").exists() for name in left(place) if name not in known):
                assert time.monotonic() < end
                assert child.poll() is None
                time.sleep(0.02)
            yield child
        finally:
            child.kill()


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[str]:
    with serving(tmp_path, {**HONEST, CREATE_XML: Act.SILENCE}) as uri:
        yield uri


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_leave_nothing(place: Path, silent: str, number: signal.Signals) -> None:
    with waiting(place, silent) as child:
        child.send_signal(number)
        assert child.wait(60) == -number
    assert left(place) == []


def test_the_next_start_removes_what_sigkill_left(place: Path, silent: str, tmp_path: Path) -> None:
    with waiting(place, silent) as child:
        child.kill()
        child.wait(60)
    assert len(left(place)) == 1
    (tmp_path / "a").mkdir()
    with waiting(place, silent):
        # What another one that lives uses is not touched; nor another user's, nor what a link names.
        (lives,) = left(place)
        kept = [lives, f"{PREFIX}link"]
        (place / kept[1]).symlink_to(tmp_path)
        if os.geteuid() == 0:
            kept.append(f"{PREFIX}other")
            (place / kept[2]).mkdir()
            os.chown(place / kept[2], STRANGER, STRANGER)
        (place / f"{PREFIX}old").mkdir()
        with started(Libvirt(None), tmp_path / "a"):
            assert left(place) == sorted(kept)
