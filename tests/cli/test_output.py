"""The sign of life, on a terminal only and gone afterwards; and that no name can command a terminal."""

import io
import json
import os
import pty
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import pytest

from hvctl.cli import COMMANDS
from hvctl.cli.output import spinner
from hvctl.text.problems import visible
from tests.cli.run import inside
from tests.libvirt.libvirt_server import FRIENDLY, OPEN, Refusal, serving
from tests.paths import HOSTS


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_it_turns_on_a_terminal_and_leaves_nothing() -> None:
    stream = Terminal()
    with spinner("asking", stream):
        time.sleep(0.35)
    assert stream.getvalue().startswith("\r| asking\r/ asking")
    assert stream.getvalue().endswith("\r\x1b[K")


def test_it_is_erased_when_the_work_fails() -> None:
    stream = Terminal()
    with pytest.raises(KeyError), spinner("asking", stream):
        _fail_after(0.15)
    assert stream.getvalue().endswith("\r\x1b[K")


@pytest.mark.parametrize(("stream", "quiet"), [(io.StringIO(), False), (Terminal(), True)], ids=["a file", "quiet"])
def test_elsewhere_it_writes_nothing(stream: io.StringIO, quiet: bool) -> None:
    with spinner("asking", stream, quiet=quiet):
        time.sleep(0.15)
    assert stream.getvalue() == ""


def _fail_after(seconds: float) -> None:
    time.sleep(seconds)
    raise KeyError


# CSI and NEL of C1, an override, an isolate and a mark of the bidirectional algorithm, DEL: XML and paths take all.
EVIL = "e\u009b31m\u0085\u202e\u2066\u200f\x7fx"
WORD = EVIL.replace("\u0085", "").replace("\x7f", "")  # YAML takes no more
DOMAIN = (
    f"<domain type='kvm'><name>{EVIL}</name><title>{EVIL}</title><memory>1048576</memory><os>"
    "<type arch='x86_64' machine='q35'>hvm</type></os><features><hyperv><relaxed state='on'/>"
    f"<spinlocks state='{EVIL}'/></hyperv></features><cpu mode='host-passthrough'/></domain>"
)
GOOD = DOMAIN.replace(f"<spinlocks state='{EVIL}'/>", "")
NODE = f"<node>{GOOD.replace('kvm', 'test')}</node>"
PROFILE = f"name: {WORD}\ndescription: '{WORD}'\nguest: {{os: windows-11}}\n"
FILES = {"bad.xml": DOMAIN, "good.xml": GOOD, "node.xml": NODE, "p.yaml": PROFILE, "bad.yaml": f"{WORD}: {WORD}\n"}
HOST = str(HOSTS / "debian-12.json")
URI = "test://{d}/node.xml"
COMMAND_LINES = [
    *([name, option, EVIL] for name in COMMANDS for option in ("--", f"--{EVIL}")),
    [EVIL],
    ["profile", EVIL],
    ["profile", "list", EVIL],
    ["profile", "check", EVIL, "{d}/p.yaml", "{d}/bad.yaml"],
    ["profile", "check", "--format", "json", EVIL, "{d}/bad.yaml"],
    ["gen", "{d}/p.yaml", "--host", HOST, "--explain", "--format", "json"],
    ["gen", "{d}/bad.yaml", "--host", HOST],
    ["gen", "windows-11", "--host", HOST, "--domain", "{d}/good.xml", "--diff"],
    ["gen", "windows-11", "--host", HOST, "--domain", "{d}/bad.xml", "--diff"],
    ["gen", "windows-11", "--host", "{d}/bad.xml"],
    ["gen", "windows-11", "--host", HOST, "--machine", EVIL],
    ["check-migration", "{d}/good.xml", "--from", HOST, "--to", HOST],
    ["check-migration", "{d}/good.xml", "--from", HOST, "--to", HOST, "--format", "json"],
    ["check-migration", "{d}/bad.xml", "--from", HOST, "--to", HOST],
    ["check-migration", f"{URI}#{EVIL}", "--from", HOST, "--to", HOST],
    ["check-migration", "windows-11", "--from", "{d}/host.json", "--to", "{d}/host.json", "--color", "always"],
    ["check-migration", EVIL, "--to", HOST],
    ["convert", "{d}/good.xml", "--to", "qemu"],
    ["convert", "{d}/bad.xml", "--to", "libvirt"],
    ["convert", f"host,hv_relaxed,hv_{EVIL}=1,{EVIL}", "--to", "libvirt", "-o", "{d}/out"],
    ["show", "--connect", URI],
    ["show", "--connect", URI, "--format", "json"],
    ["show", "--connect", f"test://{EVIL}"],
    ["apply", "windows-11", EVIL, "--connect", URI, "--host", HOST, "--force", "--dry-run"],
    ["apply", "windows-11", f"{EVIL}2", "--connect", URI, "--host", HOST, "--force", "--dry-run"],
    ["launch", "{d}/p.yaml", "--connect", URI, "--domain", EVIL, "--host", HOST, "--dry-run"],
    ["verify", "--dry-run", "--host", HOST, "--domain", "{d}/good.xml"],
    ["verify", "--dry-run", "--host", HOST, "--domain", "{d}/bad.xml"],
    ["verify", "--dry-run", "--host", HOST, "--format", "json", "--", "-cpu", EVIL, "-machine", EVIL],
    ["verify", "--domain", "{d}/emulator.xml"],
    ["verify", "--", EVIL, "-cpu", "max"],
    ["pool", "{d}/host.json", "--without", EVIL],
    ["pool", "{d}/host.json", HOST],
    *(["lint", "{d}/bad.xml", "--format", form] for form in ("text", "json", "sarif", "github", "junit", "concise")),
    ["lint", "{d}/bad.xml", "--color", "always", "--config", "{d}/bad.yaml"],
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path = tmp_path / EVIL
    path.mkdir()
    for name, text in FILES.items():
        (path / name).write_text(text)
    emulator = f"</features><devices><emulator>/{EVIL}</emulator></devices>"
    (path / "emulator.xml").write_text(GOOD.replace("</features>", emulator))
    host = json.loads((HOSTS / "debian-12.json").read_text())
    del host["name"]
    (path / "host.json").write_text(json.dumps(host))
    return path


def commands(text: str) -> set[str]:
    """The characters that a terminal would obey or hide, but hvctl's own colours."""
    for code in ("0", "1", "31", "32", "33", "34", "36", "1;31", "1;34"):
        text = text.replace(f"\x1b[{code}m", "")
    return {char for char in text if unicodedata.category(char) in ("Cc", "Cf", "Cs") and char not in "\n\t"}


@pytest.mark.parametrize("words", COMMAND_LINES, ids=lambda words: " ".join(words).encode("unicode_escape").decode())
def test_no_name_reaches_people_as_it_is(words: list[str], folder: Path) -> None:
    done = inside(*(word.replace("{d}", str(folder)) for word in words), code=None)
    assert done.returncode != 70
    assert done.stdout + done.stderr
    assert commands(done.stdout) == commands(done.stderr) == set()


def test_what_libvirt_replies(tmp_path: Path) -> None:
    with serving(tmp_path, {**FRIENDLY, OPEN: Refusal(1, f"no {EVIL}")}) as uri:
        done = inside("show", "--connect", uri, code=3)
    assert commands(done.stderr) == set()


EXACT = [
    ["profile", "show", "{d}/p.yaml"],
    ["gen", "windows-11", "--host", HOST, "--domain", "{d}/good.xml"],
    ["lint", "{d}/good.xml", "--diff", "--unsafe-fixes"],
]


@pytest.mark.parametrize("words", EXACT, ids=lambda words: words[0])
def test_what_programs_read_is_exact_in_a_pipe_and_visible_on_a_terminal(words: list[str], folder: Path) -> None:
    words = [word.replace("{d}", str(folder)) for word in words]
    piped = inside(*words, code=None).stdout
    assert WORD in piped.replace("\u0085", "").replace("\x7f", "")
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", 0) as screen:
        command = [sys.executable, "-m", "hvctl", *words, "--color", "never"]
        process = subprocess.Popen(command, stdout=theirs, stderr=subprocess.DEVNULL)
        os.close(theirs)
        shown = b""
        try:
            while part := screen.read(4096):
                shown += part
        except OSError:
            pass  # EIO: the other end is closed
        assert process.wait(60) in (0, 1)
    text = shown.decode().replace("\r\n", "\n")
    assert commands(text) == set()
    assert text == visible(piped)
