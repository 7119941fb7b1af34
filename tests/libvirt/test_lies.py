"""No lie of a libvirt makes hvctl hang, fail with a traceback, take much memory, or say nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.libvirt.libvirt_server import serving
from tests.libvirt.lies import DEFINITION, LIES, WITHOUT_KVM
from tests.paths import ROOT

HOST = str(ROOT / "tests/hosts/debian-12.json")
WITH = ("--timeout", "1")
COMMANDS = {
    "show": ("show", "--connect", "URI", *WITH),
    "show-one": ("show", "win11", "--connect", "URI", *WITH, "--format", "json"),
    "lint": ("lint", "--connect", "URI", "--no-config"),
    "check-host": ("check-host", "--connect", "URI", *WITH),
    "apply": ("apply", "windows-11", "win11", "--yes", "--connect", "URI", *WITH, "--host", HOST),
    "launch": ("launch", "minimal", "--domain", "./guest.xml", "--connect", "URI", *WITH, "--also-host", HOST),
    # Of a guest without KVM, so that none is asked.
    "verify": ("verify", "--domain", "./tcg.xml", "--connect", "URI", *WITH),
    "convert": ("convert", "URI#win11", "--to", "qemu"),
}
GONE = "the connection was lost"
NOT_UTF_8 = "the answer cannot be read, it is not UTF-8"
NO_ANSWER = "no answer within 1 s"
NO_END = "win11 does not run any more, and libvirt has not reported why"
# The most that a run may take: seconds with the libvirt's own ten, where no --timeout is, and MiB.
MOST_SECONDS, MOST_MEMORY = 60, 300
_RUN = """
import os, sys
leave = os._exit
def measured(code):
    with open("/proc/self/status") as status:
        print(status.read().partition("VmHWM:")[2].split()[0], file=sys.stderr, flush=True)
    leave(code)
os._exit = measured
if sys.argv[1] == "launch":
    from hvctl.libvirt import events
    events._PATIENCE = events._LAST = 0.2
if sys.argv[1] == "verify":
    from hvctl.libvirt import connection
    from hvctl.verify import libvirt_run
    connection.SECONDS, libvirt_run.SLOW_SECONDS = 1.0, 2.0
from hvctl.__main__ import main
main()
"""
TOLD = [
    ("honest", "show", 0, "win11 off"),
    ("honest", "lint", 1, "1 file"),
    ("honest", "check-host", 0, "relaxed yes"),
    ("honest", "apply", 0, "redefined win11"),
    ("honest", "verify", 3, "the probe guest did not finish"),
    ("honest", "convert", 0, "-machine pc-q35-7.2"),
    ("events-honest", "launch", 1, "win11 stopped"),
    ("silence-sign-on", "show", 3, NO_ANSWER),
    ("silence-open", "apply", 3, NO_ANSWER),
    ("silence-list", "show", 3, f"{NO_ANSWER}: the list of domains"),
    ("silence-lookup", "apply", 3, f"{NO_ANSWER}: the domain win11"),
    ("silence-xml", "show-one", 3, f"{NO_ANSWER}: the XML of the domains"),
    ("silence-domain-capabilities", "check-host", 3, f"{NO_ANSWER}: domain capabilities"),
    ("silence-define", "apply", 3, "0001-before.xml has the definition of win11 as it was"),
    ("silence-events", "launch", 3, f"{NO_ANSWER}: events"),
    ("silence-start", "launch", 3, f"{NO_ANSWER}: to start ./guest.xml"),
    ("silence-open", "verify", 3, f"{NO_ANSWER}: the connection"),
    ("silence-driver", "verify", 3, f"{NO_ANSWER}: its driver"),
    ("silence-capabilities", "verify", 3, "no answer within 2 s: capabilities"),
    ("silence-start", "verify", 3, "no answer within 2 s: to start the probe guest"),
    ("silence-state", "launch", 3, f"{NO_ANSWER}: whether win11 runs"),
    ("stuck", "launch", 3, "hvctl: KVM could not run the guest any further"),
    ("stuck-without-event", "launch", 3, "hvctl: KVM could not run the guest any further"),
    *((f"paused{name}", "launch", 0, "win11 paused hvctl: win11 stopped")
      for name in ("", "-error", "-nested", "-other", "-4-mb")),
    ("paused-silence", "launch", 3, f"{NO_ANSWER}: why win11 is paused"),
    ("paused-not-utf-8", "launch", 3, NOT_UTF_8),
    ("silence-no-more-events", "launch", 3, NO_END),
    ("silence-close", "show", 0, "win11 off"),
    ("silence-close", "show-one", 0, '"name": "win11"'),
    ("silence-close", "lint", 1, "1 file"),
    ("silence-close", "check-host", 0, "relaxed yes"),
    ("silence-close", "apply", 0, "redefined win11"),
    ("silence-close", "launch", 3, NO_END),
    ("silence-close", "verify", 3, "the probe guest did not finish"),
    ("silence-close", "convert", 0, "-machine pc-q35-7.2"),
    ("hang-up-open", "show", 3, "libvirt cannot be reached"),
    ("hang-up-list", "lint", 3, f"{GONE}: the list of domains"),
    ("hang-up-xml", "apply", 3, f"{GONE}: the XML of win11"),
    ("hang-up-start", "verify", 3, f"{GONE}: to start the probe guest"),
    ("hang-up-state", "launch", 3, "win11 may go on without hvctl"),
    ("hang-up-when-it-runs", "launch", 3, "win11 may go on without hvctl"),
    ("hang-up-close", "show", 0, "win11 off"),
    ("error-at-close", "show", 0, "win11 off"),
    *((f"error-{name}", "show", 3, said) for name, said in (
        ("of-4-mb", "e…"),
        ("of-control-characters", r"\x1b \x1b"),
        ("not-utf-8", NOT_UTF_8),
        ("surrogate", NOT_UTF_8),
        ("controls", r"\x1b[2J\x9b\u202e\u2066 x"),
        ("without-message", "the list of domains: "),
        ("empty", "the list of domains: "),
        ("of-success", "the list of domains: "),
        ("of-no-kind", "the list of domains: "),
    )),
    ("error-of-control-characters", "check-host", 3, r"domain capabilities: \x1b \x1b"),
    ("error-of-4-mb", "verify", 1, "libvirt cannot start the probe guest: eee"),
    ("error-not-utf-8", "launch", 3, NOT_UTF_8),
    ("error-not-utf-8", "apply", 3, NOT_UTF_8),
    ("sign-on-error-of-4-mb", "lint", 3, "libvirt cannot be reached: eee"),
    ("sign-on-error-not-utf-8", "show", 3, f"{NOT_UTF_8}: the connection"),
    ("name-not-utf-8", "show", 3, f"{NOT_UTF_8}: the list of domains"),
    ("name-not-utf-8", "apply", 3, f"{NOT_UTF_8}: the domain win11"),
    ("name-surrogate", "lint", 3, NOT_UTF_8),
    ("name-controls", "show", 0, r"\x1b[2J\x9b\u202e"),
    ("name-controls", "lint", 1, r"\x1b[2J\x9b\u202e\u2066 x"),
    ("name-empty", "show-one", 3, "has a domain whose name has 0 characters"),
    ("name-4-mb", "show", 3, "has a domain whose name has 4194300 characters"),
    ("name-4-mb", "apply", 3, "has a domain whose name has 4194300 characters"),
    ("another-domain", "apply", 3, "was asked for the domain win11, and answers with other"),
    ("uuid-zero", "show", 0, "win11 off"),
    ("list-repeats", "lint", 3, "lists the domain win11 twice"),
    ("list-endless", "show", 3, "the list of domains: "),
    ("list-negative", "show", 3, "the list of domains: "),
    ("list-cut", "show", 3, "the list of domains: "),
    ("list-of-4-mb-each", "show", 3, "the XML of its domains has more than 64 MiB"),
    ("list-of-4-mb-each", "lint", 3, "the XML of its domains has more than 64 MiB"),
    ("xml-not-utf-8", "show", 3, f"{NOT_UTF_8}: the XML of the domains"),
    ("xml-not-utf-8", "apply", 3, f"{NOT_UTF_8}: the XML of win11"),
    ("xml-surrogate", "lint", 3, NOT_UTF_8),
    ("xml-controls", "convert", 2, r"\u202e"),
    ("xml-empty", "convert", 2, "the file is empty"),
    ("xml-none", "show", 0, "win11 off ? ?"),
    ("xml-other", "apply", 2, "<network>"),
    ("xml-entity", "lint", 1, "a document type declaration is refused"),
    *((f"xml-4-mb-{name}", command, None, "") for name in ("of-elements", "of-text", "of-attributes", "deep")
      for command in ("show", "lint", "apply", "convert")),
    ("xml-too-long", "show", 3, "the XML of the domains: "),
    ("xml-wrong-length", "convert", 3, "the XML of win11: "),
    ("domain-vanishes", "show", 0, "domain state"),
    ("domain-vanishes", "apply", 3, "the XML of win11: Domain not found"),
    ("capabilities-none", "check-host", 3, "libvirt's capabilities cannot be read"),
    ("capabilities-none", "verify", 3, "libvirt's capabilities cannot be read"),
    ("capabilities-other", "check-host", 3, "it is not what libvirt prints"),
    ("capabilities-not-utf-8", "check-host", 3, f"{NOT_UTF_8}: capabilities"),
    ("capabilities-4-mb", "check-host", 3, ""),
    ("domain-capabilities-none", "check-host", 3, "libvirt's domainCapabilities cannot be read"),
    ("domain-capabilities-other", "check-host", 3, "it is not what libvirt prints"),
    ("domain-capabilities-controls", "check-host", 0, "relaxed yes"),
    ("host-name-not-utf-8", "check-host", 3, f"{NOT_UTF_8}: the host's name"),
    ("host-name-4-mb", "check-host", 0, "qemu+unix:///system"),
    ("versions-huge", "check-host", 3, "QEMU's version: "),
    ("versions-zero", "check-host", 0, "relaxed yes"),
    ("driver-not-utf-8", "verify", 3, f"{NOT_UTF_8}: its driver"),
    ("driver-4-mb", "verify", 3, "has no QEMU, but libvirt's driver 'QQQ"),
    ("events-never", "launch", 3, NO_END),
    ("events-of-another", "launch", 3, NO_END),
    ("events-odd", "launch", 1, "win11 stopped"),
    ("events-cut", "launch", 0, "win11 stopped"),
    ("events-flood", "launch", 1, "win11 stopped"),
]  # fmt: skip


@pytest.mark.parametrize(("lie", "command", "code", "said"), TOLD, ids=[f"{told[0]}-{told[1]}" for told in TOLD])
def test_a_lie(tmp_path: Path, lie: str, command: str, code: int | None, said: str) -> None:
    (tmp_path / "guest.xml").write_text(DEFINITION)
    (tmp_path / "tcg.xml").write_text(WITHOUT_KVM)
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state"), "TMPDIR": str(tmp_path), "COLUMNS": "80"}
    begin = time.monotonic()
    with serving(tmp_path, LIES[lie]) as uri:
        done = subprocess.run(
            [sys.executable, "-c", _RUN, *(word.replace("URI", uri) for word in COMMANDS[command])],
            capture_output=True,
            timeout=MOST_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
            cwd=tmp_path,
            env=environment,
        )
    assert time.monotonic() - begin < MOST_SECONDS
    err, _, memory = done.stderr.decode().rstrip().rpartition("\n")
    everything = " ".join((done.stdout.decode() + err).split())
    assert done.returncode in ((0, 1, 2, 3) if code is None else (code,)), everything[:2000]
    assert said in everything
    assert everything
    assert "Traceback" not in err
    assert not re.search("[^\n\t\x20-\x7e\xa0-\u2029\u2030-\u2065\u2070-\U0010ffff]", done.stdout.decode() + err)
    assert len(err) < 5000 or lie == "events-flood"
    assert int(memory) < MOST_MEMORY << 10
