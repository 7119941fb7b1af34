"""hvctl in one page, and its stable Python interface: what is read, decided, written and judged.

The commands are these functions, with options before them and talk after them. Start here and follow the imports. They
are inside the functions, as nowhere else but in `hvctl.cli`, so that `import hvctl.api` and each command start fast.
Errors are `hvctl.errors.HvctlError`s: a sentence, and a hint. The examples run in a checkout.

A profile says what a guest should get; resolved on hosts it is a plan, which is written for QEMU or libvirt:

>>> profile = load_profile("windows-11")
>>> hosts = load_hosts(["tests/hosts/debian-12.json"]).representatives()
>>> plan = check(resolve(profile, hosts))
>>> arguments(plan)[:2]
('-machine', 'pc-q35-7.2,hpet=off')
>>> domain(resolve(profile, hosts, libvirt=True)).splitlines()[0]
'<domain type="kvm">'
>>> edit_domain(b"<domain type='kvm'><name>a</name></domain>", profile, hosts).after[:42]
b"<domain type='kvm'><name>a</name><features"

A guest is what a text of any syntax describes; it is converted, linted, and judged:

>>> guest = read_text("-accel kvm -cpu host,hv_relaxed,hv_spinlocks=0x1fff").guest
>>> guest.enabled()
{'relaxed': None, 'spinlocks': 8191}
>>> convert(Described(guest), "libvirt").text.splitlines()[0]
'<domain type="kvm">'
>>> [finding.rule for finding in lint("tests/rules/not-kvm/fires.xml").findings]
['not-kvm']
>>> [move.answer.value for move in judge_migration(guest, hosts[0], load_hosts(["tests/hosts/no-hyperv.json"]))]
['no']
>>> judge_save(read_text("-accel kvm -cpu host,hv_passthrough").guest).answer.value
'no'
>>> predict_start(["-cpu", "host,hv_synic"], hosts[0]).error
'Hyper-V synthetic interrupt controller (hv-synic) requires Hyper-V VP_INDEX MSR (hv-vpindex)'
>>> hex(predict_leaves(plan, hosts[0])[0].leaf)
'0x40000000'
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:  # so that importing this module costs nothing
    from hvctl.guest.convert import Converted
    from hvctl.lint.engine import Result
    from hvctl.migration.differences import Move
    from hvctl.model.guest import Guest
    from hvctl.model.host import CpuidLeaf, Host, Pool
    from hvctl.model.plan import EditOptions, Plan, Platform, SavedPlan
    from hvctl.model.profile import Profile
    from hvctl.plan.start import Start
    from hvctl.xml.document import Document

MEMORY_MIB = 4096

Form = Literal["qemu", "libvirt", "profile", "json"]
"""What a guest can be converted to."""


class Described(NamedTuple):
    """What a file describes: a guest, of a plan file with its plan; or a profile, which is not a guest yet."""

    guest: Guest | None = None
    profile: Profile | None = None
    lock: SavedPlan | None = None


class Edited(NamedTuple):
    """A domain before and after it was edited, the guest that it was, and the plan that was put in."""

    before: bytes
    after: bytes
    guest: Guest
    plan: Plan


def load_profile(name_or_path: str) -> Profile:
    """A shipped profile, or that of a file (`-` is stdin); raises UsageError, or InputError with every mistake."""
    from hvctl.profile.reader import load_profile

    return load_profile(name_or_path)


def load_hosts(paths: Sequence[str]) -> Pool:
    """The pool of host files, raw records, and directories of them; raises InputError with every mistake."""
    from hvctl.host.pool_files import host_files, read_pool

    return read_pool(host_files(paths))


def this_host(
    qemu: Sequence[str] | None = None, *, libvirt: bool = True, hyperv: bool = True, option: str = "--qemu"
) -> Host:
    """This machine with its first QEMU, or the first of those that are named; raises HostError."""
    from hvctl.host.probe import this_host

    return this_host(qemu, libvirt=libvirt, hyperv=hyperv, option=option)


def resolve(
    profile: Profile,
    hosts: Sequence[Host],
    *,
    libvirt: bool = False,
    machine: str | None = None,
    commandline: bool = False,
    platform: Platform | None = None,
) -> Plan:
    """What a profile becomes on all of the hosts, each decision with its reason; `check` it before it is used."""
    from hvctl.plan.resolve import resolve

    return resolve(profile, tuple(hosts), libvirt=libvirt, machine=machine, commandline=commandline, platform=platform)


def check(plan: Plan) -> Plan:
    """The plan itself; raises RefusedError where a host cannot give what the profile demands."""
    if plan.refusals:
        from hvctl.errors import RefusedError
        from hvctl.report.plan import refusal_text

        raise RefusedError(f"profile {plan.profile} is refused:\n{refusal_text(plan)}")
    return plan


def arguments(plan: Plan) -> tuple[str, ...]:
    """QEMU's arguments for a plan."""
    from hvctl.guest.command.writer import arguments

    return arguments(plan)


def domain(
    plan: Plan,
    *,
    name: str | None = None,
    memory_mib: int = MEMORY_MIB,
    vcpus: int | None = None,
    fragment: bool = False,
    metadata: bool = False,
) -> str:
    """The domain XML for a plan that was resolved for libvirt; as a fragment only what the plan decides."""
    from hvctl.guest.domain.writer import domain

    return domain(plan, name=name, memory_mib=memory_mib, vcpus=vcpus, fragment=fragment, metadata=metadata)


def edit_domain(
    xml: bytes | Document, profile: Profile, hosts: Sequence[Host], options: EditOptions | None = None
) -> Edited:
    """Put a profile into a domain; every byte that it does not decide stays. Raises InputError and RefusedError."""
    from hvctl.catalog import BY_ID
    from hvctl.errors import RefusedError
    from hvctl.guest.domain import edit
    from hvctl.guest.domain.reader import find_domain, guest_of
    from hvctl.model.plan import EditOptions
    from hvctl.xml.reader import parse

    document, options = parse(xml, "<xml>") if isinstance(xml, bytes) else xml, options or EditOptions()
    guest = guest_of(find_domain(document)).check()
    plan = resolve(edit.for_domain(profile, guest), hosts, libvirt=True, commandline=options.commandline)
    try:
        check(plan)
    except RefusedError as error:
        if not options.commandline and any(one.id in BY_ID and not BY_ID[one.id].libvirt for one in plan.refusals):
            error.hint = "--qemu-commandline passes to QEMU what libvirt has no element for"
        raise
    if note := edit.of_another_release(profile, guest):
        plan = plan._replace(notes=(note, *plan.notes))
    edit.check_visible(guest, plan, force=options.force)
    options = options._replace(keep_model=edit.keeps_model(profile, guest))
    return Edited(document.data, edit.edit_domain(document, plan, options), guest, plan)


def read_guest(path: str) -> Described:
    """What a file describes (`-` is stdin), whatever its name; raises InputError. See `read_text`."""
    import os

    from hvctl.text.files import LARGEST_XML, name_of, read
    from hvctl.text.recognition import FileKind, kind_of

    data = read(path, LARGEST_XML)
    # A profile may extend a file beside it; only a regular file can be read twice.
    if data.strip() and os.path.isfile(path) and kind_of(data) is FileKind.PROFILE:
        return Described(profile=load_profile(path))
    return read_text(data, name_of(path))


def read_text(text: str | bytes, name: str = "<text>") -> Described:
    """What a domain XML, a QEMU command line or script, a -cpu value, a VMID.conf, KubeVirt's objects, a plan file or a
    profile describes."""
    from hvctl.errors import InputError, Problem
    from hvctl.text.files import LARGEST_JSON, LARGEST_TEXT, check_size, decode
    from hvctl.text.recognition import COMMANDS, FileKind, MisplacedError, kind_of

    if not text.strip():
        raise InputError([Problem(f"{name} is empty", None, "give a domain XML, a QEMU command line or a profile")])
    kind = kind_of(text)
    if kind in (FileKind.DOMAIN, FileKind.XML):
        from hvctl.guest.domain.reader import read_domain

        return Described(read_domain(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"), name))
    by_hand = kind in (*COMMANDS, FileKind.CPU, FileKind.PROXMOX, FileKind.PROFILE, FileKind.UNKNOWN)
    check_size(text, LARGEST_TEXT if by_hand else LARGEST_JSON, name)
    if isinstance(text, bytes):
        text = decode(text, name)
    if kind in (*COMMANDS, FileKind.CPU):
        from hvctl.guest.command.reader import read_command_line, read_cpu

        return Described((read_cpu if kind is FileKind.CPU else read_command_line)(text, name))
    if kind is FileKind.KUBEVIRT:
        from hvctl.guest.kubevirt.reader import read_machine

        return Described(read_machine(text, name))
    if kind is FileKind.PROXMOX:
        from hvctl.guest.proxmox.models import models_of
        from hvctl.guest.proxmox.reader import read_guest

        return Described(read_guest(text, name, models_of(text, name)))
    if kind is FileKind.PLAN or (kind is FileKind.UNKNOWN and '"format_version"' in text):
        from hvctl.guest.plan import guest_of
        from hvctl.plan_file.reader import load_lock

        lock = load_lock(text, name)
        return Described(guest_of(lock.plan, libvirt=lock.argv is None), lock=lock)
    if kind in (FileKind.PROFILE, FileKind.UNKNOWN):
        from hvctl.profile.reader import profile_from_text

        return Described(profile=profile_from_text(text, name))
    raise MisplacedError(name, kind, FileKind.GUEST)


def convert(described: Described, form: Form) -> Converted:
    """A guest or a profile in another syntax, nothing resolved; and sentences about what has no place there."""
    from hvctl.guest import convert
    from hvctl.guest.plan import guest_of_profile, profile_of_guest

    guest, profile, _ = described
    lost: tuple[str, ...] = ()
    if guest is None:
        assert profile is not None
        guest, lost = guest_of_profile(profile)
    match form:
        case "qemu":
            from shlex import join

            words, more = convert.to_qemu(guest)
            text = f"{join(words)}\n"
        case "libvirt":
            text, more = convert.to_libvirt(guest)
        case "profile":
            from hvctl.profile.reader import to_yaml

            more = ()
            if profile is None:
                profile, more = profile_of_guest(guest)
                more = (*more, *convert.lost_in_profile(guest))
            text = to_yaml(profile)
        case "json":
            from hvctl.text.json_document import dump

            text, more = dump(convert.to_json(guest)), ()
    return convert.Converted(text, (*lost, *more))


def lint(path: str, hosts: Sequence[Host] = (), profile: Profile | None = None) -> Result:
    """The findings of all rules in a file; with hosts and a profile also of those that need them."""
    from hvctl.guest.syntax import syntax_of
    from hvctl.lint import engine
    from hvctl.lint.rule import Facts, all_rules
    from hvctl.text.files import LARGEST_XML, name_of, read
    from hvctl.text.recognition import kind_of

    data = read(path, LARGEST_XML)
    job = engine.Job(engine.choose(all_rules()), Facts(tuple(hosts), profile))
    return engine.lint(data, name_of(path), syntax_of(kind_of(data)), job)


def judge_migration(guest: Guest, source: Host, targets: Pool, incoming: Guest | None = None) -> tuple[Move, ...]:
    """Whether a guest may move, one Move for targets with the same reasons; `incoming` is what waits on them."""
    from hvctl.migration.differences import Journey
    from hvctl.migration.verdict import judge_pool

    return judge_pool(Journey(guest, source, incoming), targets)


def judge_save(guest: Guest, source: Host | None = None, incoming: Guest | None = None) -> Move:
    """Whether a guest may be saved (virsh save, managed save, snapshot with memory) and loaded again on its host, of
    which nothing need be known; `incoming` is what it is loaded into."""
    from hvctl.migration.differences import Journey
    from hvctl.migration.verdict import judge_save
    from hvctl.model.host import Hardware, Host, Kvm

    return judge_save(Journey(guest, source or Host("its host", Kvm(None, "", (), ()), Hardware()), incoming))


def predict_leaves(plan: Plan, host: Host) -> tuple[CpuidLeaf, ...]:
    """The CPUID leaves that the guest of a plan must see on a host."""
    from hvctl.plan.cpuid import predict

    return predict(plan, host)


def predict_start(words: Sequence[str], host: Host, label: str = "<words>", doubts: Sequence[str] = ()) -> Start:
    """Whether QEMU starts with these arguments on a host, its first error if not, and what the guest then sees."""
    from hvctl.verify.compare import predict_command

    return predict_command(words, label, host, doubts)
