"""The kinds of files that hvctl reads: good ones of each, from the tests, and hostile ones that were thought up."""

from __future__ import annotations

import functools
import json
import re
import shlex
from collections.abc import Iterator
from enum import StrEnum

import yaml

from hvctl.bench.file import content
from hvctl.guest.command.writer import arguments
from hvctl.guest.domain.writer import domain
from hvctl.guest.kubevirt.crd import NEWEST, platform
from hvctl.guest.kubevirt.manifest import Options, manifest, to_yaml
from hvctl.host.host_file import dump_host
from hvctl.plan.resolve import resolve
from hvctl.plan_file.locking import lock
from hvctl.plan_file.reader import dump_lock
from hvctl.profile.reader import load_profile
from tests.kubevirt_crds import NEW, OLD, crds
from tests.lint.test_hostile import BROKEN, FINE
from tests.made_bench import made_bench
from tests.made_hosts import made_amd_host, made_intel_host, made_no_hyperv_host, made_old_kernel_host
from tests.paths import HOSTS, PROFILES, RECORDS, ROOT, RULE_CASES


class Kind(StrEnum):
    """What a file is to be."""

    DOMAIN = "domain"
    COMMAND = "command"
    CPU = "cpu"
    PROXMOX = "proxmox"
    KUBEVIRT = "kubevirt"
    CRD = "crd"  # of a cluster's KubeVirt
    PROFILE = "profile"
    HOST = "host"
    RECORD = "record"
    PLAN = "plan"
    BENCH = "bench"
    CONFIG = "config"
    PROJECT = "project"
    LIBVIRT = "libvirt"  # of libvirt's test driver, test:///PATH
    CPUINFO = "cpuinfo"
    LOG = "log"  # what diagnose takes


GUESTS = (Kind.DOMAIN, Kind.COMMAND, Kind.CPU, Kind.PROXMOX, Kind.KUBEVIRT, Kind.PROFILE, Kind.PLAN)
"""What `convert` and `check-migration` take."""

LIMITS = {
    Kind.DOMAIN: (4 << 20, 16 << 20),
    Kind.COMMAND: (128 << 10, 256 << 10, 1 << 20),
    Kind.CPU: (128 << 10, 1 << 20),
    Kind.PROXMOX: (256 << 10, 1 << 20),
    Kind.KUBEVIRT: (1 << 20, 4 << 20),
    Kind.CRD: (4 << 20,),
    Kind.PROFILE: (1 << 20,),
    Kind.HOST: (4 << 20,),
    Kind.RECORD: (1 << 20, 4 << 20),
    Kind.PLAN: (1 << 20,),
    Kind.BENCH: (4 << 20,),
    Kind.CONFIG: (1 << 20,),
    Kind.PROJECT: (1 << 20,),
    Kind.LIBVIRT: (1 << 20,),
    Kind.CPUINFO: (1 << 20,),
    Kind.LOG: (4 << 20,),
}
"""The sizes in bytes at which a reader changes its mind."""

MESSAGES = ROOT / "tests" / "catalog" / "messages.yaml"
_PROXMOX = """\
#notes of a guest
args: -S
bios: ovmf
cores: 4
cpu: host,flags=+hv-tlbflush;-aes
machine: pc-q35-9.2+pve1
memory: 8192
name: win11
ostype: win11

[PENDING]
cpu: kvm64
delete: args

[before]
memory: 4096
ostype: win10
runningcpu: kvm64,hv_relaxed
"""
_KUBEVIRT = """\
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: win11, labels: {vm.kubevirt.io/os: windows}}
spec:
  preference: {name: windows.11}
  template:
    spec:
      domain:
        clock: {utc: {}, timer: {hyperv: {present: true}, hpet: {present: false}}}
        cpu: {cores: 4, features: [{name: vmx, policy: disable}]}
        features:
          # hvctl: ignore[no-stimer] a test
          hyperv: &hyperv
            relaxed: {}
            spinlocks: {spinlocks: 8191}
            evmcs: {enabled: true}
          hypervPassthrough: {enabled: false}
        devices: {gpus: [{deviceName: a/b}], panicDevices: [{model: hyperv}]}
---
apiVersion: instancetype.kubevirt.io/v1beta1
kind: VirtualMachineClusterPreference
metadata: {name: windows.11}
spec:
  clock: {preferredTimer: {rtc: {tickPolicy: catchup}}}
  features: {preferredHyperv: {<<: *hyperv, synictimer: {direct: {}}}}
"""
_CONFIG = """\
select = ["start", "slow", "hpet-on"]
ignore = ["hpet_on"]
hosts = ["host.json"]
profile = "windows-11"
[severity]
hpet-on = "error"
[paths."*.xml"]
ignore = ["clock-offset"]
profile = "minimal"
"""
_CPUINFO = """\
processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 25
model\t\t: 1
model name\t: A processor of a test
stepping\t: 1
flags\t\t: fpu svm hypervisor
"""
_LIBVIRT = """\
<node><domain type='test'><name>test</name><uuid>6695eb01-f6a4-8304-79aa-97f2502e193f</uuid>
  <memory>8388608</memory><vcpu>2</vcpu><os><type arch='x86_64'>hvm</type></os>
  <features><acpi/><hyperv mode='custom'><relaxed state='on'/><spinlocks state='on' retries='8191'/></hyperv></features>
  <clock offset='localtime'><timer name='hypervclock' present='yes'/></clock>
</domain><network><name>default</name></network></node>
"""


@functools.cache
def good(kind: Kind) -> tuple[bytes, ...]:
    """Files of a kind; commands take the first without a complaint."""
    return tuple(text if isinstance(text, bytes) else text.encode() for text in _good(kind))


def _good(kind: Kind) -> Iterator[str | bytes]:
    match kind:
        case Kind.DOMAIN:
            paths = (ROOT / "tests" / "golden").glob("*/*.xml"), RULE_CASES.glob("*/*.xml")
            yield (ROOT / "tests" / "golden" / "windows-11" / "debian-12.xml").read_bytes()
            yield from (path.read_bytes() for some in paths for path in sorted(some))
        case Kind.COMMAND:
            yield from _commands()
            yield from (path.read_bytes() for path in sorted(RULE_CASES.glob("*/*.sh")))
        case Kind.CPU:
            for command in _commands():
                words = shlex.split(command)
                yield words[words.index("-cpu") + 1]
        case Kind.PROXMOX:
            yield _PROXMOX
            yield from (path.read_bytes() for path in sorted(RULE_CASES.glob("*/*.conf")))
        case Kind.KUBEVIRT:
            plan = resolve(load_profile("windows-11"), (made_amd_host(),), platform=platform(NEWEST, preference=False))
            yield to_yaml(manifest(plan, Options("vm")).tree)
            yield _KUBEVIRT
            yield json.dumps(manifest(plan, Options("preference")).tree)
            yield from (path.read_bytes() for path in sorted(RULE_CASES.glob("*/*.yaml")))
        case Kind.CRD:
            yield from (crds(NEW), crds(OLD))
        case Kind.PROFILE:
            yield from (path.read_bytes() for path in sorted(PROFILES.glob("*.yaml")))
        case Kind.HOST:
            yield (HOSTS / "debian-12.json").read_bytes()
            yield from (path.read_bytes() for path in sorted(HOSTS.glob("*.json")))
            for host in (made_amd_host(), made_intel_host(), made_no_hyperv_host(), made_old_kernel_host()):
                yield dump_host(host)
        case Kind.RECORD:
            yield from (path.read_bytes() for path in sorted(RECORDS.glob("*.json")))
        case Kind.PLAN:
            yield from _plans()
        case Kind.BENCH:
            yield from (json.dumps(content(made_bench(runs=runs)), indent=2) for runs in (7, 1))
        case Kind.CONFIG:
            yield from (_CONFIG, 'select = ["danger"]\n')
        case Kind.PROJECT:
            yield "[tool.hvctl.lint]\n" + re.sub(r"^\[", "[tool.hvctl.lint.", _CONFIG, flags=re.MULTILINE)
        case Kind.LIBVIRT:
            yield _LIBVIRT
        case Kind.CPUINFO:
            yield _CPUINFO
        case Kind.LOG:
            texts = [entry["text"] for entry in yaml.safe_load(MESSAGES.read_text())]
            yield "\n".join(texts)
            yield from texts
            yield from (path.read_bytes() for path in sorted((ROOT / "tests" / "logs").iterdir()))


def _commands() -> Iterator[str]:
    for path in sorted((ROOT / "tests" / "golden").glob("*/*.args")):
        yield f"qemu-system-x86_64 -accel kvm {path.read_text().strip()} -m 4G\n"


def _plans() -> Iterator[str]:
    for name, libvirt in (("windows-11", True), ("minimal", False), ("all", False)):
        hosts = (made_amd_host(),)
        plan = resolve(load_profile(name), hosts, libvirt=libvirt)
        yield dump_lock(lock(plan, hosts, argv=arguments(plan), xml=domain(plan) if libvirt else None))


@functools.cache
def hostile(kind: Kind) -> tuple[bytes, ...]:
    """Files that were made by hand to be wrong in ways that have brought down readers of such files."""
    return tuple(text if isinstance(text, bytes) else text.encode() for text in (*_ANYTHING, *_hostile(kind)))


_ANYTHING: tuple[str | bytes, ...] = (
    "",
    "\n",
    " \t\r\n" * 1000,
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xef\xbb\xbf\n",
    b"\x7fELF\x02\x01\x01" + bytes(200),
    bytes(range(256)) * 16,
    b"\x80" * 5000,
    "\x1b[2J\x1b]0;x\x07\u202e\u2066\x9b31m",
    "\u2028\u2029\x85\x0b\x0c",
    "\ufeff\ufeff{}",
    "a" * 200_000,
    "9" * 200_000,
    "'" * 1000,
    "<" * 100_000,
    "[" * 100_000,
    "{" * 100_000,
    '{"a":' * 50_000,
    "- " * 50_000,
    "(" * 100_000,
    "\\\n" * 50_000,
    "%s%s%s%n ${x} $(x) `x` {{x}} {0.__class__}",
    "null",
    "true",
    "0",
    "[]",
    "{}",
    '""',
)
_LAUGHS = "<!DOCTYPE domain [<!ENTITY a '&b;&b;'><!ENTITY b '{}'>]><domain type='kvm'><name>&a;</name></domain>"
_DEEP = "<domain type='kvm'>" + "<features>" * 150 + "</features>" * 150 + "</domain>"


def _hostile(kind: Kind) -> Iterator[str | bytes]:
    match kind:
        case Kind.DOMAIN | Kind.LIBVIRT:
            yield from (text for text, _ in BROKEN.values())
            yield from FINE.values()
            yield from (_LAUGHS.format("a" * 1000), _LAUGHS.format("&a;"), _DEEP)
            yield "<!DOCTYPE domain SYSTEM 'http://127.0.0.1:1/x.dtd'><domain type='kvm'/>"
            yield "<domain xmlns:xi='http://www.w3.org/2001/XInclude'><xi:include href='/etc/passwd'/></domain>"
            yield "<domain type='kvm'>" + "".join(f"<a{n} b{n}='{n}'/>" for n in range(20_000)) + "</domain>"
            yield "<domain " + " ".join(f"a{n}=''" for n in range(50_000)) + "/>"
            yield "<domain type='kvm'><name>a&#x9b;&#x202e;b</name><vcpu>99999999999999999999</vcpu></domain>"
            yield "<domain type='kvm'><cpu><topology sockets='-1' cores='1e9' threads='0x10'/></cpu></domain>"
        case Kind.COMMAND | Kind.CPU:
            yield "qemu-system-x86_64 -cpu host" + ",hv_relaxed" * 20_000
            yield "qemu-system-x86_64" + " -cpu host,hv_time" * 5000
            yield "qemu-system-x86_64 -cpu host,hv_spinlocks=" + "9" * 5000
            yield "qemu-system-x86_64 -machine pc-q35-" + "9" * 5000
            yield "qemu-system-x86_64 -smp " + ",".join(f"cores={n}" for n in range(5000))
            yield "host" + ",+" * 30_000
            yield "qemu-system-x86_64 -cpu host \\\n" * 3000
            yield "#!/bin/sh\n" + "if true; then\n" * 3000 + "qemu-system-x86_64 -cpu host\n"
            yield "#!/bin/sh\ncat <<A\n" * 3000
            yield "x=" + "$(" * 20_000
            yield b"qemu-system-x86_64\0-cpu\0host,hv_\xff\x9b\0-name\0\xe2\x80\xae"
            yield "@echo off\r\nqemu-system-x86_64.exe -cpu host,hv_time ^\r\n" * 1000
            yield "qemu-system-x86_64 -readconfig /dev/zero -cpu host"
        case Kind.KUBEVIRT:
            head = "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nspec: &s\n  template: {spec: {domain: &d {"
            yield f"{head}}}}}}}\n---\n" * 2000
            yield head + "features: {hyperv: {" + ", ".join(f"x{n}: {{}}" for n in range(10_000)) + "}}}}}\n"
            yield f"{head}features: {{hyperv: {{spinlocks: {{spinlocks: {'9' * 5000}}}}}}}}}}}}}\n"
            yield f"{head}cpu: {{cores: 0x{'f' * 5000}, sockets: -1, threads: 1e9}}}}}}}}\n"
            yield head + "cpu: {features: [" + "{name: a, policy: b}, " * 5000 + "]}}}}\n"
            yield head + "<<: *d, features: *d, clock: {timer: *d}}}}\n"
            yield head + "features: " + "{hyperv: " * 90 + "1" + "}" * 90 + "}}}\n"
            yield head + "}}}\na: &a [x]\n" + "".join(f"b{n}: &b{n} [*a, *a]\n" for n in range(1000))
            yield head + "}}}\n" + "".join(f"m{n}: &m{n} {{<<: [*s, *s]}}\n" for n in range(1000))
            yield "apiVersion: v1\nkind: List\nitems: " + "[{apiVersion: v1, kind: List, items: " * 40 + "x" + "}]" * 40
            yield "# hvctl: ignore[all] x\n" * 20_000 + head + "}}}\n"
            yield "kind: VirtualMachine\napiVersion: kubevirt.io/v1\nmetadata: {name: '\\e[2J\\u202e'}\n"
            yield 'apiVersion: kubevirt.io/v1\nkind: !!python/object/apply:os.system ["touch /tmp/torture-was-here"]\n'
            yield _KUBEVIRT.replace("\n", "\r\n").encode("utf-16")
        case Kind.CRD:
            properties = '{"properties": {"spec": ' * 500 + "{}" + "}}" * 500
            yield f'{{"spec": {{"names": {{"kind": "VirtualMachine"}}, "versions": [{{"schema": {properties}}}]}}}}'
            yield crds(OLD).replace("properties", "items")
            yield crds(OLD).replace('"type"', '"x-kubernetes-preserve-unknown-fields": true, "type"')
            yield '{"items": [' + '{"spec": {"versions": [1, null, {}], "names": []}}, ' * 20_000 + "null]}"
        case Kind.PROFILE:
            yield "version: 1\n" + "a: &a [x]\n" + "".join(f"b{n}: &b{n} [*a, *a]\n" for n in range(1000))
            yield "a: &a {b: *a}\n"
            yield "version: 1\n<<: {version: 1}\n<<: &x [*x]\n"
            yield "!!python/object/apply:os.system ['touch /tmp/torture-was-here']\n"
            yield "version: !!float 1e999\nenlightenments: {spinlocks: 0x" + "f" * 5000 + "}\n"
            yield "version: 1\nenlightenments:\n" + "".join(f"  k{n}: on\n" for n in range(16_000))
            yield "version: 1\nname: '\x9b'\n".encode("latin-1")
            yield 'version: 1\nname: "\\e[31m\\u202e\\x9b"\nenlightenments: {"\\e": on}\n'
            yield "extends: ./p.yaml\n"
            yield "extends: /dev/zero\n"
            yield "extends: [" + "windows-11, " * 5000 + "]\n"
            yield "extends: ../../../../../../etc/passwd\n"
            yield "--- {version: 1}\n" * 5000
            yield "? [[[[{}]]]]\n: 1\n" * 2000
            yield "a: " + "|\n" * 3 + "  x\n" * 50_000
        case Kind.HOST | Kind.RECORD | Kind.PLAN | Kind.BENCH:
            yield from ("NaN", "[1e999]", '"\\ud800"', '{"format_version": 1e3}', '{"format_version": ' + "9" * 5000)
            yield '{"format_version": 1, ' + ",".join(f'"k{n}": {n}' for n in range(50_000)) + "}"
            yield '{"format_version": 1, ' * 200 + "1" + "}" * 200
            yield '{"format_version": 1' + ', "name": "a"' * 20_000 + "}"
            yield '{"format_version": 1, "name": "\\u001b[31m\\u202e\\u009b"}'
            first = good(kind)[0].decode()
            yield first.replace(":", ': "\\u009b",', 1)
            yield first + first
            yield first.replace('"', "'")
            yield first.replace("1", "1" + "0" * 400)
            yield first.replace("[", "[" + "[" * 500)
            yield first.encode("utf-16")
            yield first.encode("utf-32")
        case Kind.CONFIG | Kind.PROJECT:
            yield "".join(f"k{n} = {n}\n" for n in range(16_000))
            yield "".join(f"[severity.a{n}]\n" for n in range(16_000))
            yield "[a" + ".a" * 10_000 + "]\n"
            yield "a" + ".a" * 5000 + " = 1\n"
            yield "select = [" + '"hpet-on",' * 50_000 + "]\n"
            yield "[paths]\n" + "".join(f'"{"*" * (n % 50)}a{n}" = {{}}\n' for n in range(5000))
            yield '[paths."' + "*a" * 5000 + '"]\nignore = ["hpet-on"]\n'
            yield 'hosts = ["/dev/zero", "/proc/kmsg", "fifo"]\n'
            yield 'profile = "/dev/zero"\n'
            yield "a = 9999999999999999999999\nb = 1e999\nc = 9999-99-99\n"
            yield 'select = ["\\u001B[31m\\u202e"]\n'
            yield "x = " + "[" * 5000 + "]" * 5000
            yield "x = " + "{a=" * 300 + "1" + "}" * 300
            yield "x = 0x" + "f" * 20_000
        case Kind.LOG:
            words = " ".join(good(kind)[0].decode().split())
            yield words * 20
            yield "\n".join(sorted(words.split())) * 20
            yield good(kind)[0] * 60
            yield "qemu-system-x86_64: -cpu host,hv-" + "x" * 200_000 + ": Property not found"
            yield "0x" + "0" * 100_000 + "9f 0x9F (0x1,0x2,0x3,0x4)\n" * 1000
            yield "LC_ALL=C \\\n" * 2000 + "/usr/bin/qemu-system-x86_64 \\\n-cpu host,hv-time \\\n" * 2000
            yield "<domain type='kvm'>" * 2000 + "error: internal error: qemu unexpectedly closed the monitor"
            yield "Hyper-V " * 100_000 + "requires"
        case Kind.CPUINFO:
            yield "flags\t: " + "vmx " * 200_000
            yield "model\t: " + "9" * 5000 + "\n"
            yield "processor\t: 0\n" * 50_000
