"""Every reader of hvctl as a function of bytes that raises only where there is a defect. Without atheris.

What a reader takes goes through what commands do with it, and comes out in every form; what it refuses is an error that
can be shown.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, cast, get_args

from hvctl import api
from hvctl.api import Described, Form
from hvctl.bench.file import load_bench
from hvctl.bench.measuring import VERSION as BENCH_VERSION
from hvctl.bench.measuring import read_boot
from hvctl.cli.lint.files import _toml
from hvctl.errors import HvctlError
from hvctl.guest.domain.identity import Identity
from hvctl.guest.kubevirt.crd import NEWEST, platform, read_crds
from hvctl.guest.kubevirt.manifest import Kind as ObjectKind
from hvctl.guest.kubevirt.manifest import Options, manifest, to_yaml
from hvctl.guest.proxmox import reader as proxmox
from hvctl.guest.proxmox.config import NO_MODELS, read_models
from hvctl.guest.proxmox.cpu import facts_of
from hvctl.guest.proxmox.layer import Target
from hvctl.guest.proxmox.layer import platform as proxmox_layer
from hvctl.guest.proxmox.writer import custom_model, set_arguments
from hvctl.guest.syntax import KUBEVIRT, PROXMOX
from hvctl.host.host_file import dump_host, load_host, read_host
from hvctl.host.libvirt_capabilities import Answers, read_answers
from hvctl.host.qemu import _ask_all
from hvctl.host.qemu_process import Monitor
from hvctl.lint.settings import read_settings
from hvctl.model.guest import Guest
from hvctl.model.plan import EditOptions, Plan
from hvctl.model.profile import Profile
from hvctl.plan_file.locking import lacking
from hvctl.plan_file.reader import dump_lock, load_lock
from hvctl.profile.reader import load_profile, profile_from_text
from hvctl.report.bench import bench_html, bench_json, bench_text
from hvctl.report.guest import guests_text
from hvctl.report.host import host_text
from hvctl.report.problems import render_error
from hvctl.report.show import Seen
from hvctl.run.merge import merge, target
from hvctl.run.running import _ask
from hvctl.text.files import decode
from hvctl.verify.compare import verify
from hvctl.verify.probe_report import VERSION, ReportError, read_report
from hvctl.verify.probe_subject import Boot, arguments, essential, probe_domain
from hvctl.verify.vmx import limits
from hvctl.xml.reader import parse
from tests.fuzz import lint
from tests.guest.proxmox.expected import EXPECTED, MODELS
from tests.host import fake_qemu
from tests.made_hosts import made_amd_host
from tests.made_observation import made_observation, printed
from tests.paths import HOSTS, RECORDS, ROOT, RULE_CASES
from tests.plan_file.test_reader import sealed
from tests.run import test_running
from tests.torture.kinds import Kind, good, hostile

HOST = read_host(str(HOSTS / "debian-12.json"))
POOL = api.load_hosts([str(HOSTS / "debian-13.json")])
AMD = made_amd_host()
WINDOWS = load_profile("windows-11")
LOCK = load_lock(decode(good(Kind.PLAN)[0], "plan"), "plan")


class Reader(NamedTuple):
    """One, with what it is first given, of which what is longer than `LONGEST` is left out, and how that is mutated."""

    read: Callable[[bytes], None]
    seeds: Callable[[], Iterator[bytes]]
    kind: Kind


LONGEST = 20_000


@contextlib.contextmanager
def _refusals_are_shown() -> Iterator[None]:
    try:
        yield
    except HvctlError as error:
        render_error(error.within("convert"), color=False)


def read_any(data: bytes) -> None:
    """A domain, command line, script, -cpu value, plan file or profile, as `convert` and the others tell them apart."""
    with _refusals_are_shown():
        described = api.read_text(data, "x")
        if described.guest:
            _use(described.guest)
        if described.profile:
            _resolve(described.profile)


def _use(guest: Guest) -> None:
    """All that is done with a guest that is right; what it becomes for QEMU and libvirt can be read again."""
    with _refusals_are_shown():
        guest.check()
    if guest.mistakes:
        return
    for form in get_args(Form):
        with _refusals_are_shown():
            _read_again(api.convert(Described(guest), form).text, form)
    with _refusals_are_shown():
        api.judge_migration(guest, HOST, POOL)


def _read_again(text: str, form: Form) -> None:
    # A profile may not have every name of a machine or CPU that a guest may.
    if form in ("qemu", "libvirt"):
        try:
            guest = api.read_text(text, form).guest
            assert guest
            guest.check()
        except HvctlError as error:
            raise AssertionError(f"hvctl cannot read what it writes: {text}") from error


def _resolve(profile: Profile) -> None:
    for libvirt in (False, True):
        plan = api.resolve(profile, (HOST, AMD), libvirt=libvirt)
        with _refusals_are_shown():
            api.check(plan)
            api.arguments(plan) if not libvirt else api.domain(plan, metadata=True)
    for form in get_args(Form):
        with _refusals_are_shown():
            api.convert(Described(profile=profile), form)
    for target_of_proxmox in (Target("win11"), Target("l26", "ovmf", "pc-q35-9.2+pve1")):
        with _refusals_are_shown():
            layer = proxmox_layer(profile, target_of_proxmox)
            _write_proxmox(api.check(api.resolve(profile, (HOST,), platform=layer)), target_of_proxmox)


def _write_proxmox(plan: Plan, wanted: Target) -> None:
    """What is written for Proxmox VE can be read, and the guest has nothing that is not named."""
    found = custom_model(plan, wanted)
    models = read_models(found.section, "m") if found.section else NO_MODELS
    text = f"cpu: {found.cpu}\nmachine: pc-q35-9.2\nmemory: 1\nostype: {wanted.ostype}\n"
    (guest,) = proxmox.read_guests(text, "x", models, facts_of([HOST]))
    assert not guest.mistakes, guest.mistakes
    more = guest.enabled().keys() - {one.id for one in plan.enabled()}
    assert all(f"hv-{row_id}" in " ".join(found.unsaid) for row_id in more), (more, found)
    set_arguments(plan, wanted, None)


def read_domain(data: bytes) -> None:
    """A domain: read, edited twice, and made the probe guest's."""
    read_any(data)
    for options in (EditOptions(), EditOptions(keep_others=True, commandline=True, metadata=True, force=True)):
        with _refusals_are_shown():
            once = api.edit_domain(data, WINDOWS, [HOST], options).after
            assert api.edit_domain(once, WINDOWS, [HOST], options).after == once, "a second edit changes something"
    with _refusals_are_shown():
        document = parse(data, "x")
        words = tuple(word for word in essential(arguments(document)).words if word.isprintable())
        probe_domain(document, Boot("a", "/image", "/pipe", 2, words, "/qemu"))


def read_command(data: bytes) -> None:
    """A command line or a script: read; its words merged with a plan's, and their start predicted."""
    read_any(data)
    words = [word for word in data.decode("utf-8", "surrogateescape").replace("\0", " ").split() if word]
    plan = api.resolve(WINDOWS, (HOST,))
    with _refusals_are_shown():
        merge(api.arguments(plan), words, target(plan, HOST.qemu[0], supervised=True))
    with _refusals_are_shown():
        kept = essential(words).words
        assert essential(kept).words == kept
        api.predict_start(words, HOST)


def read_kubevirt(data: bytes) -> None:
    """KubeVirt's objects: read, judged without and with a host, and fixed."""
    read_any(data)
    for job in lint.JOBS:
        lint.judge(data, KUBEVIRT, job)


def read_crds_file(data: bytes) -> None:
    """A CRD of KubeVirt's: what a profile becomes for it."""
    with _refusals_are_shown():
        fields = read_crds(decode(data, "x"), "x")
        for preference in (False, True):
            layer = platform(fields, preference=preference)
            plan = api.check(api.resolve(WINDOWS, (HOST,), platform=layer))
            to_yaml(manifest(plan, Options("preference" if preference else "vm")).tree)


def read_proxmox(data: bytes) -> None:
    """A configuration of Proxmox VE, after custom models and a NUL: read on two hosts, shown, judged and fixed."""
    models, nul, conf = data.partition(b"\0")
    text = (conf if nul else data).decode("utf-8", "surrogateescape")
    custom = read_models(models.decode("utf-8", "surrogateescape"), "m") if nul else NO_MODELS
    with _refusals_are_shown():
        for guest in proxmox.read_guests(text, "x", custom):
            for one in (guest, guest.on_hosts([HOST]), guest.on_hosts([AMD])):
                guests_text([Seen(one, Identity(), None, None)])
                _use(one)
    for job in lint.JOBS:
        lint.judge(text.encode("utf-8", "surrogateescape"), PROXMOX, job)


def read_profile(data: bytes) -> None:
    """A profile: resolved and written."""
    with _refusals_are_shown():
        _resolve(profile_from_text(decode(data, "x"), "x"))


def read_host_file(data: bytes) -> None:
    """A host file: comes back as it was; a profile is resolved for it."""
    with _refusals_are_shown():
        host = load_host(decode(data, "x"), "x")
        assert load_host(dump_host(host), "x") == host
        _use_host(host)


def read_raw_record(data: bytes) -> None:
    """A raw record: becomes a host file that can be read; a profile is resolved for it."""
    with _refusals_are_shown():
        host = load_host(decode(data, "x"), "x")
        assert load_host(dump_host(host), "x") == host
        _use_host(host)


def _use_host(host: Any) -> None:
    host_text(host)
    for libvirt in (False, True):
        with _refusals_are_shown():
            plan = api.check(api.resolve(WINDOWS, (host, HOST), libvirt=libvirt))
            api.predict_leaves(plan, host)
    with _refusals_are_shown():
        lacking(LOCK, host, libvirt=True)
        api.predict_start(("-cpu", "host,hv-passthrough"), host)


def read_plan(data: bytes) -> None:
    """A plan file, as it is and with the checksums that fit."""
    texts = [data.decode("utf-8", "replace")]
    with contextlib.suppress(ValueError, RecursionError, TypeError):
        texts.append(sealed(json.loads(data)))
    for text in texts:
        with _refusals_are_shown():
            lock = load_lock(text, "x")
            assert dump_lock(load_lock(dump_lock(lock), "x")) == dump_lock(lock)
            lacking(lock, HOST, libvirt=True)
            if lock.argv is not None:
                assert lock.argv == api.arguments(lock.plan)


def read_measurement(data: bytes) -> None:
    """A record of bench: compared, and reported in every form."""
    with _refusals_are_shown():
        bench = load_bench(decode(data, "x"), "x")
        for before in (None, bench):
            bench_text(bench, before)
            bench_html(bench, before)
            assert load_bench(bench_json(bench, before), "x") == bench


def read_config(data: bytes) -> None:
    """hvctl.toml, and pyproject.toml."""
    for path in ("hvctl.toml", "pyproject.toml"):
        with _refusals_are_shown():
            text = decode(data, path)
            read_settings(_toml(text, path), text, path)


def read_probe_report(data: bytes) -> None:
    """What the probe guest and the measuring guest print, as it is and with the end that fits."""
    lines = data.split(b"\n")
    for version in (VERSION, BENCH_VERSION):
        body = b"\n".join([version.encode(), *lines[1:-1], b""])
        whole = body + b"end %x %x\n" % (body.count(b"\n"), zlib.crc32(body))
        for report in (data, whole):
            with contextlib.suppress(ReportError):
                read_boot(report)
            with contextlib.suppress(ReportError):
                seen = read_report(report)
                verify(api.predict_leaves(LOCK.plan, HOST), [one.id for one in LOCK.plan.enabled()], seen)
                limits(seen, seen)


class _Replies:
    """Stands for a monitor: what is asked is looked up in a document."""

    def __init__(self, replies: Mapping[str, Any]) -> None:
        self.replies = replies

    async def ask(self, command: str, **arguments: Any) -> Any:
        reply = self.replies.get(command)
        if command == "qom-get" and isinstance(reply, dict) and arguments:
            return reply.get(arguments["path"] if arguments["path"] == "/machine" else arguments["property"])
        return reply


def read_qmp(data: bytes) -> None:
    """QMP's replies, to what a running QEMU is asked, and one that is started for questions."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return
    if not isinstance(document, dict):
        return
    monitor = cast(Monitor, _Replies(document))
    # As `read_running` and `running` do with what their conversations raise; a KeyError or TypeError is not among it.
    with contextlib.suppress(ValueError, AssertionError, RecursionError):
        _use(asyncio.run(_ask(monitor, "x")))
    with contextlib.suppress(ValueError, AssertionError, RecursionError):
        qemu = asyncio.run(_ask_all(monitor, "/x", []))
        host = HOST._replace(qemu=(qemu,))
        assert load_host(dump_host(host), "x") == host
        _use_host(host)


def read_capabilities(data: bytes) -> None:
    """libvirt's two documents about its host, one after the other."""
    first, _, second = data.decode("utf-8", "replace").partition("\n\n")
    with _refusals_are_shown():
        _use_host(read_answers(Answers(first, second, "9.0.0", "9.0.0"), "x"))


def _lint_seeds() -> Iterator[bytes]:
    for path in sorted(RULE_CASES.rglob("*")):
        if path.suffix in (".xml", ".sh"):
            yield bytes([path.suffix == ".sh"]) + path.read_bytes()


def _configurations() -> Iterator[bytes]:
    for case in EXPECTED:
        yield f"{MODELS}\0{case.conf}".encode()
    for path in sorted(RULE_CASES.rglob("*.conf")):
        yield path.read_bytes()
    main = (
        b"args: -cpu 'host,+aes' -S\ncores: 2\ncpu: kvm64,flags=+hv-evmcs;-aes\nlocaltime: 0\ntdf: no\nostype: w2k8\n"
    )
    yield main + b"[PENDING]\ndelete: args,cpu\nmachine: q35\n\n[snap]\nrunningcpu: host,hv_time\nostype: win7\n"


def _kinds(*kinds: Kind) -> Callable[[], Iterator[bytes]]:
    def seeds() -> Iterator[bytes]:
        for kind in kinds:
            yield from (*good(kind), *hostile(kind))

    return seeds


def _records() -> Iterator[bytes]:
    """Small enough: with a few of each thing."""
    for path in sorted(RECORDS.glob("*.json")):
        document = json.loads(path.read_text())
        yield json.dumps({**document, "qemu": _less(document["qemu"]), "libvirt": {"schema": None}}).encode()
        yield json.dumps({**_less(document), "kvm": document["kvm"], "qemu": []}).encode()
    yield from hostile(Kind.RECORD)


def _less(value: Any) -> Any:
    match value:
        case dict():
            # Of what has names, those that begin with these are looked at.
            kept = [key for key in value if key.startswith("hv-")][:8] + list(value)[:12]
            return {key: _less(entry) for key, entry in value.items() if key in kept}
        case list():
            return [_less(entry) for entry in value[:12]]
    return value


def _reports() -> Iterator[bytes]:
    yield printed(made_observation(api.predict_leaves(LOCK.plan, HOST)))
    lines = (BENCH_VERSION, "cpus 2 2", "took 10 3e8 1 2 3 4 5", "missing 11", "lost 0", "end 5 0")
    yield "".join(f"{line}\n" for line in lines).encode()


def _replies() -> Iterator[bytes]:
    yield json.dumps(
        {**test_running.TRUTH, "qom-get": {**test_running.PROPERTIES, "/machine": "pc-q35-9.0-machine"}}
    ).encode()
    yield json.dumps(fake_qemu.TRUTH).encode()


def _capabilities() -> Iterator[bytes]:
    folder = ROOT / "tests" / "host" / "libvirt"
    for version in ("9.0", "9.0-no-hyperv", "11.3"):
        names = (folder / f"{name}-{version}.xml" for name in ("capabilities", "domcapabilities"))
        yield b"\n\n".join(b" ".join(path.read_bytes().split()) for path in names)


def _kubevirt() -> Iterator[bytes]:
    for path in sorted(RULE_CASES.glob("*/*.yaml")):
        yield path.read_bytes()
    plan = api.resolve(WINDOWS, (HOST,), platform=platform(NEWEST, preference=False))
    for kind in get_args(ObjectKind):
        yield to_yaml(manifest(plan, Options(kind)).tree).encode()
        yield json.dumps(manifest(plan, Options(kind)).tree).encode()


def _crds() -> Iterator[bytes]:
    schema: dict[str, Any] = {}
    for name in ("domain", "spec", "template", "spec"):
        schema = {"properties": {name: schema}}
    spec = {"names": {"kind": "VirtualMachine"}, "versions": [{"storage": True, "schema": {"openAPIV3Schema": schema}}]}
    inner = {"properties": {"hyperv": {"properties": {"relaxed": {"properties": {"enabled": {"type": "boolean"}}}}}}}
    schema["properties"]["spec"]["properties"]["template"]["properties"]["spec"]["properties"]["domain"] = {
        "properties": {"features": inner, "clock": {"x-kubernetes-preserve-unknown-fields": True}}
    }
    yield json.dumps({"items": [{"spec": spec}]}).encode()


READERS = {
    "lint": Reader(lint.one_input, _lint_seeds, Kind.COMMAND),
    "domain": Reader(read_domain, _kinds(Kind.DOMAIN), Kind.DOMAIN),
    "command": Reader(read_command, _kinds(Kind.COMMAND), Kind.COMMAND),
    "kubevirt": Reader(read_kubevirt, _kubevirt, Kind.PROFILE),
    "crd": Reader(read_crds_file, _crds, Kind.HOST),
    "cpu": Reader(read_any, _kinds(Kind.CPU), Kind.CPU),
    "proxmox": Reader(read_proxmox, _configurations, Kind.CONFIG),
    "profile": Reader(read_profile, _kinds(Kind.PROFILE), Kind.PROFILE),
    "host": Reader(read_host_file, _kinds(Kind.HOST), Kind.HOST),
    "record": Reader(read_raw_record, _records, Kind.RECORD),
    "plan": Reader(read_plan, _kinds(Kind.PLAN), Kind.PLAN),
    "bench": Reader(read_measurement, _kinds(Kind.BENCH), Kind.BENCH),
    "config": Reader(read_config, _kinds(Kind.CONFIG, Kind.PROJECT), Kind.CONFIG),
    "report": Reader(read_probe_report, _reports, Kind.CPUINFO),
    "qmp": Reader(read_qmp, _replies, Kind.HOST),
    "capabilities": Reader(read_capabilities, _capabilities, Kind.DOMAIN),
}
"""Each by its name."""
