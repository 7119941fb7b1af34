"""The one reader of the user's files: bounded in size and in time; and files replaced whole or not at all."""

from __future__ import annotations

import fcntl
import io
import os
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from hvctl.errors import InputError
from hvctl.text import files, writing
from hvctl.text.files import UnreadableError, decode, read
from hvctl.text.writing import UnwritableError, create, replace
from tests.cli.run import hvctl
from tests.paths import HOSTS

MOST = 1 << 20
DEBIAN = HOSTS / "debian-13.json"


def reason(path: str | Path, **options: bool | int) -> str:
    with pytest.raises(UnreadableError) as caught:
        read(str(path), MOST, **options)  # type: ignore[arg-type]
    assert caught.value.message == f"{path} cannot be read: {caught.value.problems[0].message.partition(': ')[2]}"
    return caught.value.reason


def test_a_file_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "f"
    for data in (b"", b"a\r\n\0\xff", b"x" * MOST):
        path.write_bytes(data)
        assert read(str(path), MOST) == data
    assert read(str(path), MOST, owner=os.geteuid()) == data
    assert read("/proc/self/status", MOST).startswith(b"Name:\t")


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with open(tmp_path / "large", "wb") as stream:
        stream.truncate(1 << 40)
    (tmp_path / "loop").symlink_to("loop")
    assert reason(tmp_path / "large") == "it is larger than 1 MiB"
    assert reason(tmp_path) == "it is a directory; name a file in it"
    assert reason("/dev/zero") == "it is not a regular file; pass it on stdin, as `-`"
    assert reason(tmp_path / "none") == "no such file or directory"
    assert reason(tmp_path / "loop") == "too many levels of symbolic links"
    assert reason("/proc/self/mem") == "input/output error"
    assert reason("/proc/self/status", owner=os.geteuid() + 1) == "it belongs to another user"
    with pytest.raises(UnreadableError, match=r"null (byte|character)"):
        read("a\0b", MOST)


def test_a_message_names_the_thing_and_what_to_do() -> None:
    with pytest.raises(UnreadableError, match=r"^the plan cannot be read: no such") as caught:
        read("/none", MOST, name="the plan", hint="make one")
    assert caught.value.problems[0].hint == "make one"
    with pytest.raises(UnreadableError) as caught:
        read("/dev/zero", MOST, hint="make one")
    assert caught.value.problems[0].hint == "pass it on stdin, as `-`"


@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
def test_stdin(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for data in (b"x\r\n", b"x" * MOST):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        assert read(name, MOST) == data
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"x" * (MOST + 1))))
    with pytest.raises(UnreadableError, match="it is larger than 1 MiB"):
        read(name, MOST)
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UnreadableError, match="it is closed"):
        read(name, MOST)


def test_a_byte_that_is_not_utf_8_has_its_place() -> None:
    assert decode(b"\xef\xbb\xbfa", "f") == "a"
    with pytest.raises(InputError) as caught:
        decode("\ufeffa\r\nä".encode() + b"\xff\n", "f")
    (problem,) = caught.value.problems
    assert problem.span is not None
    assert (problem.span.line, problem.span.column, problem.message) == (2, 2, "the byte 0xff is not UTF-8")
    with pytest.raises(UnreadableError, match="it is UTF-16"):
        decode("a".encode("utf-16"), "f")


class Pipe:
    """A pipe whose writer is a thread that writes some parts, each after a while; `path` is its reading end."""

    def __init__(self, *parts: bytes, pause: float = 0.0, named: Path | None = None) -> None:
        ends = None
        if named:
            os.mkfifo(named)
            self.path = str(named)
        else:
            ends = os.pipe()
            self.path = f"/dev/fd/{ends[0]}"

        def write() -> None:
            end = ends[1] if ends else os.open(self.path, os.O_WRONLY)
            try:
                for part in parts:
                    time.sleep(pause)
                    os.write(end, part)
            except BrokenPipeError:
                pass
            finally:
                os.close(end)

        self.thread = threading.Thread(target=write, daemon=True)
        self.thread.start()
        self.ends = ends

    def close(self) -> None:
        if self.ends:
            os.close(self.ends[0])
        self.thread.join(10)
        assert not self.thread.is_alive()


@pytest.mark.parametrize("parts", [(), (b"",), (b"a",), (b"a", b"b" * 3000, b"c"), (b"x" * 60_000,) * 17])
@pytest.mark.parametrize("pause", [0.0, 0.02])
def test_a_pipe_is_read_to_its_end(parts: tuple[bytes, ...], pause: float, tmp_path: Path) -> None:
    for named in (None, tmp_path / "pipe"):
        pipe = Pipe(*parts, pause=pause, named=named)
        assert read(pipe.path, MOST) == b"".join(parts)
        pipe.close()


def test_a_pipe_is_read_no_further_than_it_may_be_long() -> None:
    pipe = Pipe(*(b"x" * 50_000 for _ in range(1000)))
    assert reason(pipe.path) == "it is larger than 1 MiB"
    pipe.close()


def test_no_pipe_is_waited_for_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    begun = time.monotonic()
    assert reason(tmp_path / "pipe") == "nothing writes to this pipe; pass it on stdin, as `-`"
    assert reason(tmp_path / "pipe", pipe=False) == "it is not a regular file; pass it on stdin, as `-`"
    monkeypatch.setattr(files, "FOR_THE_END", 1.0)
    both = os.open(tmp_path / "pipe", os.O_RDWR)
    os.write(both, b"the beginning")
    assert reason(tmp_path / "pipe") == "the pipe has no end within 1 s; pass it on stdin, as `-`"
    os.close(both)
    drip = Pipe(*[b"x"] * 300, pause=0.01)
    assert reason(drip.path) == "the pipe has no end within 1 s; pass it on stdin, as `-`"
    drip.close()
    assert time.monotonic() - begun < 10


def test_many_silent_pipes_take_no_longer_than_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "FOR_THE_END", 1.0)
    pipes = [tmp_path / str(number) for number in range(20)]
    both = []
    for pipe in pipes:
        os.mkfifo(pipe)
        both.append(os.open(pipe, os.O_RDWR))
    begun = time.monotonic()
    for pipe in pipes:
        assert reason(pipe).startswith("the pipe has no end within 1 s")
    assert time.monotonic() - begun < 5
    for end in both:
        os.close(end)


GUEST = "<domain type='kvm'><features><hyperv><relaxed state='on'/></hyperv></features></domain>"
OPTIONS = {
    "gen --host": ("gen", "minimal", "--host", "{}"),
    "gen --locked": ("gen", "--locked", "{}"),
    "gen --domain": ("gen", "minimal", "--host", str(DEBIAN), "--domain", "{}"),
    "gen PROFILE": ("gen", "{}", "--host", str(DEBIAN)),
    "pool": ("pool", "{}"),
    "lint --config": ("lint", str(DEBIAN), "--config", "{}"),
    "lint --profile": ("lint", str(DEBIAN), "--profile", "{}"),
    "lint --host": ("lint", str(DEBIAN), "--host", "{}"),
    "bench --compare": ("bench", "--compare", "{}"),
    "check-migration --to": ("check-migration", "minimal", "--from", str(DEBIAN), "--to", "{}"),
    "check-migration GUEST": ("check-migration", "{}", "--from", str(DEBIAN), "--to", str(DEBIAN)),
    "convert": ("convert", "{}"),
}


@pytest.mark.parametrize("words", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_no_input_holds_a_command_up(words: tuple[str, ...], kind: str, tmp_path: Path) -> None:
    path = "/dev/zero"
    if kind == "pipe":
        path = str(tmp_path / "pipe")
        os.mkfifo(path)
    begun = time.monotonic()
    done = hvctl(*(word.format(path) for word in words), code=2)
    assert time.monotonic() - begun < 10
    said = " ".join(done.stderr.split())
    assert f"{path} cannot be read: " in said
    assert ("nothing writes to this pipe" if kind == "pipe" else "it is not a regular file") in said


@pytest.mark.parametrize(
    "script",
    [
        'hvctl gen minimal --host <(sleep 0.5; cat "$HOST") --format json',
        'hvctl gen <(echo "version: 1") --host "$HOST"',
        'cat "$HOST" | hvctl gen minimal --host /dev/stdin',
        'cat "$HOST" | hvctl gen minimal --host -',
        'hvctl gen minimal --host /dev/stdin < "$HOST"',
        'mkfifo pipe; { sleep 0.3; cat "$HOST"; } > pipe & hvctl gen minimal --host pipe',
        'hvctl convert <(echo "$GUEST") --to qemu',
        'hvctl check-migration <(echo "version: 1") --from "$HOST" --to "$HOST"',
        'hvctl lint <(echo "$GUEST") --no-config --fail-on never',
    ],
)
def test_the_pipes_of_a_shell_are_read(script: str, tmp_path: Path) -> None:
    script = f'hvctl() {{ "$PYTHON" -m hvctl "$@"; }}\n{script}'
    environment = {**os.environ, "HOST": str(DEBIAN), "GUEST": GUEST, "PYTHON": sys.executable}
    command = ["bash", "-c", script]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "f"
    link = tmp_path / "link"
    link.symlink_to("f")
    replace(str(link), b"new")
    assert link.is_symlink()
    mask = os.umask(0)
    os.umask(mask)
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"new", 0o666 & ~mask)
    path.chmod(0o640)
    replace(str(path), b"newer")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"newer", 0o640)
    assert sorted(tmp_path.iterdir()) == [path, link]


def test_what_is_no_regular_file_is_written_in_place() -> None:
    reading, writing = os.pipe()
    try:
        replace(f"/dev/fd/{writing}", b"x")
        assert os.read(reading, 10) == b"x"
    finally:
        os.close(reading)
        os.close(writing)


ACL, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"
USER = 1000


def acl(*entries: tuple[int, int, int]) -> bytes:
    """linux:include/uapi/linux/posix_acl_xattr.h: tag, permissions, who."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


# The owner and one user may read and write, the group and others nothing; the mask shows as the group's bits.
PRIVATE = acl((1, 6, 0xFFFFFFFF), (2, 6, USER), (4, 0, 0xFFFFFFFF), (16, 6, 0xFFFFFFFF), (32, 0, 0xFFFFFFFF))


def test_acl_and_attributes_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    os.setxattr(path, ACL, PRIVATE)
    os.setxattr(path, "user.note", b"mine")
    mode = stat.S_IMODE(path.stat().st_mode)
    assert mode == 0o660
    replace(str(path), b"new", was=b"old")
    assert path.read_bytes() == b"new"
    assert (os.getxattr(path, ACL), os.getxattr(path, "user.note")) == (PRIVATE, b"mine")
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_directory_adds_nothing_to_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    path.chmod(0o664)
    os.setxattr(tmp_path, DEFAULT, PRIVATE)
    replace(str(path), b"new")
    assert ACL not in os.listxattr(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o664
    replace(str(tmp_path / "made"), b"new")
    assert os.getxattr(tmp_path / "made", ACL) == PRIVATE


IN_A_CHILD = "import sys; from hvctl.text.writing import replace; replace(sys.argv[1], b'x' * int(sys.argv[2]))"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file what its owner cannot")
def test_an_attribute_that_cannot_be_kept() -> None:
    """A file's owner may not set its capabilities."""
    code = (
        "import os, sys\n"
        "from hvctl.text import writing\n"
        "os.setuid(65534)\n"
        "try: writing.replace(sys.argv[1], b'new')\n"
        "except writing.UnwritableError as error: print(error.message)\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "f")
        path.write_bytes(b"old")
        for made in (Path(folder), path):
            os.chown(made, 65534, -1)
        os.setxattr(path, "security.capability", struct.pack("<5I", 0x02000000, 1 << 10, 0, 0, 0))
        done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
        assert done.stdout == (
            f"{path} cannot be written: its attribute security.capability would be lost (operation not permitted)\n"
        )
        assert (os.listdir(folder), path.read_bytes()) == (["f"], b"old")


def test_hard_links_are_not_parted(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    os.link(path, tmp_path / "other")
    with pytest.raises(UnwritableError, match="it has 2 hard links"):
        replace(str(path), b"new")
    assert path.read_bytes() == (tmp_path / "other").read_bytes() == b"old"
    assert path.samefile(tmp_path / "other")
    assert len(os.listdir(tmp_path)) == 2


@pytest.mark.parametrize("change", ["written", "exchanged", "removed", "pipe"])
def test_what_was_changed_meanwhile_is_not_overwritten(change: str, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    was = path.stat()
    if change == "written":
        path.write_bytes(b"1ld")
        os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))  # only its bytes tell
    else:
        path.unlink()
    if change == "exchanged":
        path.write_bytes(b"another")
    elif change == "pipe":
        os.mkfifo(path)
    with pytest.raises(UnwritableError, match="not a regular file" if change == "pipe" else "changed by someone else"):
        replace(str(path), b"new", was=b"old")
    assert os.listdir(tmp_path) == ([] if change == "removed" else ["f"])
    if path.is_file():
        assert path.read_bytes() in (b"1ld", b"another")


def test_what_is_created_replaces_nothing(tmp_path: Path) -> None:
    path = tmp_path / "f"
    create(str(path), b"one")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        create(str(path), b"two")
    assert path.read_bytes() == b"one"
    assert os.listdir(tmp_path) == ["f"]


def kill_while_it_writes(path: Path, number: signal.Signals) -> int:
    """The exit status of a process that got a signal while it wrote 64 MiB."""
    with subprocess.Popen([sys.executable, "-c", IN_A_CHILD, str(path), str(64 << 20)]) as process:
        while process.poll() is None and len(os.listdir(path.parent)) < 2:
            time.sleep(0.0005)
        process.send_signal(number)
        return process.wait(60)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_no_signal_leaves_a_temporary_file(number: signal.Signals, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    for _ in range(3):
        assert kill_while_it_writes(path, number) in (-number, 0)
        assert os.listdir(tmp_path) == ["f"]


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    assert kill_while_it_writes(path, signal.SIGKILL) == -signal.SIGKILL
    (left,) = set(os.listdir(tmp_path)) - {"f"}
    assert path.read_bytes() == b"old"
    written = ".g." + left.removeprefix(".f.")
    foreign = (".f.swp", "f.hvctl-tmp", ".f.0123.hvctl-tmp")
    for name in (written, *foreign):
        (tmp_path / name).touch()
    with open(tmp_path / written) as living:
        fcntl.flock(living, fcntl.LOCK_EX)
        subprocess.run([sys.executable, "-c", IN_A_CHILD, str(tmp_path / "other"), "1"], check=True, timeout=60)
    assert sorted(os.listdir(tmp_path)) == sorted(("f", "other", written, *foreign))


def test_a_pipe_is_written_to_if_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "FOR_A_WRITER", 0.3)
    monkeypatch.setattr(writing, "FOR_THE_END", 0.3)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="nothing reads from it"):
        replace(str(pipe), b"x")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    replace(str(pipe), b"x" * 300_000)
    reader.join(10)
    assert got == [b"x" * 300_000]
    silent = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(OSError, match="nothing was read from it"):
            replace(str(pipe), b"x" * 300_000)
    finally:
        os.close(silent)


def test_a_file_that_cannot_be_replaced_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="symbolic links"):
        replace(str(tmp_path / "loop"), b"x")
    with pytest.raises(IsADirectoryError):
        replace(str(tmp_path), b"x")
    with pytest.raises(FileNotFoundError):
        replace(str(tmp_path / "none" / "f"), b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["loop"]
