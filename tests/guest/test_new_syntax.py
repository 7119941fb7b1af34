"""A syntax that exists nowhere, with three keys: one reader, and lint, convert and check-migration work for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hvctl.catalog import find
from hvctl.errors import InputError, Span
from hvctl.guest.convert import to_libvirt, to_qemu
from hvctl.guest.syntax import Reading, Syntax
from hvctl.lint.engine import Job, choose, lint
from hvctl.lint.rule import all_rules
from hvctl.migration.differences import Effect, Journey
from hvctl.migration.verdict import judge
from hvctl.model.guest import Guest, Place, Setting
from tests.made_hosts import made_amd_host

TEXT = """\
machine = pc-q35-9.2
cpu = host
hyperv = relaxed, stimer, reenlightenment
"""


class MadeUp(Guest):
    """Its places are lines with the columns from and to which something is written."""

    def span(self, where: Place, attribute: str = "") -> Span:  # noqa: ARG002 - there are no attributes
        line, start, end = where
        return Span("x.made-up", line, start, line, end)


def read(files: Iterable[tuple[bytes, str]], *, many: bool = False) -> Sequence[Reading | InputError]:  # noqa: ARG001
    return [Reading([read_guest(data.decode())]) for data, _ in files]


def read_guest(text: str) -> Guest:
    guest = MadeUp("made-up")
    guest.accelerator, guest.kvm, guest.root = "kvm", True, (1, 1, 2)
    for number, line in enumerate(text.splitlines(), 1):
        key, _, value = (part.strip() for part in line.partition("="))
        match key:
            case "machine":
                guest.machine, guest.places["machine"] = value, (number, 1, len(line) + 1)
            case "cpu":
                guest.cpu = value
            case "hyperv":
                for name in value.split(", "):
                    row, start = find(name), line.index(name) + 1
                    assert row is not None
                    guest.settings[row.id] = Setting(row, True, None, (number, start, start + len(name)))
    guest.finish()
    return guest


def test_lint() -> None:
    found = lint(TEXT.encode(), "x.made-up", Syntax("made-up", read), Job(choose(all_rules()))).findings
    places = {(one.rule, one.span.line, one.span.column) for one in found}
    assert ("requirement-missing", 3, 19) in places
    assert ("reenlightenment-without-frequency", 3, 27) in places


def test_convert() -> None:
    words, lost = to_qemu(read_guest(TEXT))
    assert words[:2] == ("-machine", "pc-q35-9.2")
    assert words[5] == "host,hv_relaxed=on,hv_stimer=on,hv_reenlightenment=on"
    assert lost == ()
    assert '<stimer state="on"/>' in to_libvirt(read_guest(TEXT)).text


def test_check_migration() -> None:
    guest, source = read_guest(TEXT), made_amd_host()
    reasons = judge(Journey(guest, source), made_amd_host("other"))
    assert {reason.id for reason in reasons if reason.effect is Effect.LOST} == {"reenlightenment"}
