"""A plan put into domain files: exactly the plan afterwards, and not a byte of the rest touched."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvctl.errors import InputError
from hvctl.guest.domain.edit import edit_domain, for_domain, keeps_model
from hvctl.guest.domain.reader import find_domain, read_domain
from hvctl.guest.plan import guest_of
from hvctl.host.host_file import read_host
from hvctl.model.plan import EditOptions, Plan
from hvctl.plan.resolve import resolve
from hvctl.profile.reader import load_profile, profile_from_text
from hvctl.profile.source import shipped_names
from hvctl.xml.document import Document, Element
from hvctl.xml.reader import parse
from tests.guest.domain.domains import domains
from tests.paths import HOSTS

HOST = read_host(str(HOSTS / "debian-13.json"))
PLANS = [resolve(load_profile(name), (HOST,), libvirt=True) for name in shipped_names()]
CRASH = resolve(
    profile_from_text("version: 1\nextends: windows-11\nenlightenments: {crash: on, vendor-id: A&B}\n"),
    (HOST,),
    libvirt=True,
)
plans = st.sampled_from([*PLANS, CRASH])
CONCERNED = ("hyperv", "kvm", "cpu", "clock", "panic", "metadata")


def edited(data: bytes, plan: Plan, options: EditOptions | None = None) -> bytes:
    return edit_domain(parse(data, "x"), plan, options or EditOptions())


@given(domains(), plans)
def test_the_domain_is_the_plan_afterwards(data: bytes, plan: Plan) -> None:
    guest, wanted = read_domain(edited(data, plan), "x"), guest_of(plan)
    assert guest.enabled() == wanted.enabled()
    assert (guest.cpu, guest.hidden, guest.tsc_frequency) == (wanted.cpu, wanted.hidden, wanted.tsc_frequency)
    assert dict(wanted.features).items() <= dict(guest.features).items()
    assert not any("not known to hvctl" in doubt for doubt in guest.doubts)


@given(domains(), plans, st.booleans(), st.booleans())
def test_a_second_run_changes_nothing(data: bytes, plan: Plan, keep_others: bool, metadata: bool) -> None:
    options = EditOptions(keep_others=keep_others, metadata=metadata)
    once = edited(data, plan, options)
    assert edited(once, plan, options) == once


@given(domains(), plans, st.booleans())
def test_nothing_else_is_touched(data: bytes, plan: Plan, metadata: bool) -> None:
    """What stands outside of the concerned elements is there afterwards, to the byte and in order."""
    before = parse(data, "x")
    after = edited(data, plan, EditOptions(metadata=metadata))
    at = 0
    for piece in untouched(before):
        found = after.find(piece, at)
        assert found >= 0, piece
        at = found + len(piece)


def untouched(document: Document) -> list[bytes]:
    """The source of every element, comment and text that the plan has nothing to say of; not white space, which is
    added to, and not the tags of parents that get a child."""
    found: list[bytes] = []

    def take(element: Element) -> None:
        for entry in element.content():
            if isinstance(entry, Element):
                if entry.local in CONCERNED:
                    found.extend(comments(entry) if entry.local in ("cpu", "clock") else [])
                elif entry.local in ("features", "devices"):
                    take(entry)
                else:
                    found.append(document.data[entry.start : entry.end])
            elif document.text(entry.start, entry.end).strip():
                found.append(document.data[entry.start : entry.end])

    take(find_domain(document))
    return found


def comments(element: Element) -> list[bytes]:
    document = element.document
    pieces = [entry for entry in element.content() if not isinstance(entry, Element) and entry.kind == "comment"]
    return [document.data[piece.start : piece.end] for piece in pieces]


@given(domains(), plans)
def test_encoding_and_line_ends_stay(data: bytes, plan: Plan) -> None:
    before, after = parse(data, "x"), parse(edited(data, plan), "x")
    assert after.codec == before.codec
    old, new = before.text(0, len(before.data)), after.text(0, len(after.data))
    # What is replaced may have had the file's only line end.
    assert "\r\n" in old or "\r\n" not in new
    if "\r\n" in old:
        assert "\n" not in new.replace("\r\n", "")
    if "\n" not in old:
        assert "\n" not in new


@given(domains(), plans)
def test_with_keep_others_nothing_is_lost(data: bytes, plan: Plan) -> None:
    before = read_domain(data, "x").enabled()
    after = read_domain(edited(data, plan, EditOptions(keep_others=True)), "x").enabled()
    mentioned = {one.id for one in plan.decisions if one.asked}
    assert before.keys() - mentioned <= after.keys()
    assert after.keys() - before.keys() <= plan_ids(plan)
    assert plan_ids(plan) <= after.keys()


def test_with_keep_others_what_cannot_be_had_goes() -> None:
    """The profile mentions it, and the guest would not start with it."""
    plan = resolve(load_profile("windows-11"), (read_host(str(HOSTS / "debian-12.json")),), libvirt=True)
    inside = b"<reset state='on'/><tlbflush state='on'><direct state='on'/></tlbflush>"
    data = b"<domain type='kvm'><features><hyperv>" + inside + b"</hyperv></features></domain>"
    after = read_domain(edited(data, plan, EditOptions(keep_others=True)), "x").enabled()
    assert {"reset", "tlbflush"} <= after.keys()
    assert "tlbflush-direct" not in after


def plan_ids(plan: Plan) -> set[str]:
    return {decision.id for decision in plan.enabled()}


FILE = b"""\
<domain type='kvm'>
  <name>win</name>
  <memory unit='MiB'>64</memory>
  <os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>
  <features>
    <acpi/>
    <hyperv>
      <relaxed state='off'/>  <!-- why? -->
      <vendor_id state="on" value="KVMKVM"/>
      <spinlocks retries='0xfff' state='on'/>
      <stimer state='on'/>
    </hyperv>
  </features>
  <cpu mode='host-passthrough'>
    <topology sockets='1' cores='2' threads='1'/>
  </cpu>
  <clock offset='variable' adjustment='0' basis='utc'>
    <timer name='hpet' present='yes'/>
  </clock>
</domain>
"""
EDITED = b"""\
<domain type='kvm'>
  <name>win</name>
  <memory unit='MiB'>64</memory>
  <os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>
  <features>
    <acpi/>
    <hyperv>
      <relaxed state='on'/>  <!-- why? -->
      <spinlocks retries='8191' state='on'/>
      <vpindex state='on'/>
      <synic state='on'/>
      <stimer state='on'>
        <direct state='on'/>
      </stimer>
    </hyperv>
  </features>
  <cpu mode='host-passthrough'>
    <topology sockets='1' cores='2' threads='1'/>
  </cpu>
  <clock offset='localtime'>
    <timer name='hpet' present='no'/>
    <timer name='rtc' tickpolicy='catchup'/>
    <timer name='pit' tickpolicy='delay'/>
    <timer name='hypervclock' present='yes'/>
  </clock>
</domain>
"""
PROFILE = """\
version: 1
clock: {offset: localtime}
enlightenments: {relaxed: on, spinlocks: 8191, stimer-direct: on}
"""


def test_a_file_is_edited_as_a_person_would() -> None:
    plan = resolve(profile_from_text(PROFILE), (HOST,), libvirt=True)
    assert edited(FILE, plan).decode() == EDITED.decode()


@pytest.mark.parametrize("there", ["lahf_lm", "lahf-lm"])
@pytest.mark.parametrize("wanted", ["lahf_lm", "lahf-lm"])
def test_features_have_libvirts_names(there: str, wanted: str) -> None:
    features = f"{{{wanted}: off, pclmulqdq: on, sse3: on, vmx: off}}"
    text = f"version: 1\ncpu: {{model: host, features: {features}}}\nmigration: none\n"
    plan = resolve(profile_from_text(text), (HOST._replace(qemu=(HOST.qemu[0]._replace(expansion=None),)),))
    written = (
        f"    <feature policy='require' name='{there}'/>\n    <feature policy='disable' name='pni'/>\n    <topology"
    )
    once = edited(FILE.replace(b"    <topology", written.encode()), plan)
    assert b"<feature policy='disable' name='lahf_lm'/>" in once
    assert b"<feature policy='require' name='pclmuldq'/>" in once
    assert b"<feature policy='require' name='pni'/>" in once
    assert once.count(b"<feature ") == 4
    assert edited(once, plan) == once


def test_libvirt_takes_the_edited_file(tmp_path: Path) -> None:
    older = read_host(str(HOSTS / "debian-12.json"))  # as the libvirt of Debian 12
    for number, name in enumerate(shipped_names()):
        plan = resolve(load_profile(name), (older,), libvirt=True)
        path = tmp_path / f"{number}.xml"
        path.write_bytes(edited(FILE, plan, EditOptions(metadata=True)).replace(b"type='kvm'", b"type='test'", 1))
        done = subprocess.run(
            ["virsh", "-q", "-c", "test:///default", "define", "--validate", str(path)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def test_what_has_no_element_goes_through_the_command_line() -> None:
    text = "version: 1\nmigration: none\nenlightenments: {relaxed: on, enforce-cpuid: on, version-id: 10.0.1}\n"
    wanted = profile_from_text(text)
    plan = resolve(wanted, (HOST,), libvirt=True, commandline=True)
    assert not plan.refusals
    assert resolve(wanted, (HOST,), libvirt=True).refusals
    options = EditOptions(commandline=True)
    once = edited(FILE, plan, options)
    assert b"xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'" in once
    assert b"<qemu:arg value='x86_64-cpu.hv-enforce-cpuid=on'/>" in once
    assert read_domain(once, "x").enabled() == guest_of(plan).enabled()
    assert edited(once, plan, options) == once


@pytest.mark.parametrize(
    ("data", "message", "line", "column"),
    [
        (b"<domain type='qemu'/>", "the domain is of type qemu, not kvm: enlightenments do nothing there", 1, 9),
        (b"<domain type='kvm'><features/>\n<features/></domain>", "a second <features> begins here", 2, 1),
        (
            b"<domain type='kvm'><features><hyperv/><hyperv/></features></domain>",
            "a second <hyperv> begins here",
            1,
            39,
        ),
        (b"<network/>", "this is not a libvirt domain, but <network>", 1, 1),
        (b"<domain type='kvm' xmlns='urn:x'/>", "this <domain> is not libvirt's", 1, 1),
    ],
)
def test_what_cannot_be_edited_is_told_with_its_place(data: bytes, message: str, line: int, column: int) -> None:
    with pytest.raises(InputError) as caught:
        edited(data, PLANS[0])
    (problem,) = caught.value.problems
    assert problem.message == message
    assert problem.span
    assert (problem.span.line, problem.span.column) == (line, column)


def test_another_domain_type_is_edited_by_force() -> None:
    data = FILE.replace(b"'kvm'", b"'qemu'")
    assert read_domain(edited(data, PLANS[0], EditOptions(force=True)), "x").enabled() == guest_of(PLANS[0]).enabled()


def test_the_domain_decides_what_the_profile_leaves_open() -> None:
    guest = read_domain(
        FILE.replace(b"host-passthrough'", b"custom'").replace(b"<topo", b"<model>EPYC</model><topo"), "x"
    )
    open_profile = for_domain(load_profile("windows-11"), guest)
    assert (open_profile.cpu.model, open_profile.machine) == ("EPYC", "pc-q35-7.2")
    said = for_domain(profile_from_text("version: 1\ncpu: host\n"), guest)
    assert said.cpu.model == "host"


@pytest.mark.parametrize(("text", "stays"), [("version: 1\n", True), ("version: 1\ncpu: host\n", False)])
def test_a_model_that_libvirt_chooses_stays_unless_the_profile_names_one(text: str, stays: bool) -> None:
    guest = read_domain(b"<domain type='kvm'><cpu mode='host-model'/></domain>", "x")
    assert keeps_model(profile_from_text(text), guest) is stays
    assert not keeps_model(profile_from_text(text), guest.replace(cpu="EPYC"))
