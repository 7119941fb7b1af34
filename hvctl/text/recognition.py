"""What kind of file a text is, shown by how it begins and never by its name; and what to do with a misplaced one."""

from __future__ import annotations

import re
from enum import StrEnum

from hvctl.errors import InputError, Problem
from hvctl.text.files import LARGEST_JSON
from hvctl.text.problems import printable


class FileKind(StrEnum):
    """The kinds of files that people give to hvctl, as messages name them."""

    PROFILE = "a profile"
    DOMAIN = "a domain"
    XML = "XML without a domain"
    COMMAND_LINE = "a QEMU command line"
    CPU = "a -cpu value"
    PROXMOX = "a Proxmox VE configuration"
    CPU_MODELS = "a file of Proxmox VE's CPU models"
    SHELL_SCRIPT = "a shell script"
    BATCH_SCRIPT = "a batch script"
    KUBEVIRT = "a KubeVirt object"
    HOST = "a host file"
    RECORD = "a raw record"
    PLAN = "a plan file"
    MEASUREMENT = "a measurement"
    CONFIG = "a lint configuration"
    OUTPUT = "JSON output of hvctl"
    UNKNOWN = "a file of unknown kind"
    GUEST = "a guest"  # what several kinds describe: wanted, never found


RAW_RECORD = "raw record"
"""The word by which a raw record names itself."""

COMMANDS = (FileKind.COMMAND_LINE, FileKind.SHELL_SCRIPT, FileKind.BATCH_SCRIPT)
"""What is read as a QEMU command line."""


# What can be done with each kind: for what was wanted, else in the command that was run, else anywhere.
_TO_PROFILE = "turn it into a profile with `hvctl convert {} --to profile`"
_COMMAND = {
    "": _TO_PROFILE,
    "lint": "check it with `hvctl lint --qemu-args {}`",
    FileKind.DOMAIN: "turn it into domain XML with `hvctl convert {} --to libvirt`",
}
_USES: dict[FileKind, dict[str, str]] = {
    FileKind.PROFILE: {
        "": "resolve it with `hvctl gen {}`",
        "launch": "start a guest from it with `hvctl launch {}`",
        "verify": "verify it with `hvctl verify {}`",
        "lint": "check it with `hvctl profile check {}`",
        FileKind.CONFIG: "check domains against it with `hvctl lint . --profile {}`",
    },
    FileKind.DOMAIN: {
        "": "edit it with `hvctl gen windows-11 --domain {}`",
        "launch": "start it with `hvctl launch windows-11 --connect qemu:///system --domain {}`",
        "verify": "verify it with `hvctl verify --domain {}`",
        "lint": "check it with `hvctl lint {}`",
        "profile": _TO_PROFILE,
    },
    FileKind.COMMAND_LINE: _COMMAND,
    FileKind.SHELL_SCRIPT: _COMMAND,
    FileKind.BATCH_SCRIPT: _COMMAND,
    FileKind.CPU: {**_COMMAND, "lint": _TO_PROFILE},
    FileKind.PROXMOX: {**_COMMAND, "lint": "check it with `hvctl lint {}`"},
    FileKind.CPU_MODELS: {"": "write one with `hvctl gen windows-11 --for proxmox`, and check the guests that have it"},
    FileKind.HOST: {
        "": "resolve a profile for it with `hvctl gen windows-11 --host {}`",
        "launch": "start a guest that may move to it with `hvctl launch windows-11 --also-host {}`",
        "verify": "predict a start on it with `hvctl verify windows-11 --dry-run --host {}`",
        "check-migration": "judge a move to it with `hvctl check-migration windows-11 --to {}`",
        "lint": "check domains for it with `hvctl lint . --host {}`",
    },
    FileKind.RECORD: {
        "": "decode it with `hvctl check-host --raw {} --record host.json`",
        FileKind.PROFILE: "resolve a profile for it with `hvctl gen windows-11 --host {}`",
    },
    FileKind.PLAN: {
        "": "write what it holds with `hvctl gen --locked {}`",
        "launch": "start a guest from it with `hvctl launch --locked {}`",
        "verify": "verify it with `hvctl verify --locked {}`",
    },
    FileKind.KUBEVIRT: {"": _TO_PROFILE, FileKind.DOMAIN: _COMMAND[FileKind.DOMAIN]},
    FileKind.MEASUREMENT: {"": "compare with it using `hvctl bench --compare {}`"},
    FileKind.CONFIG: {"": "apply it with `hvctl lint . --config {}`"},
}
# Where nothing can be done with a file: how one comes by what was wanted.
_SOURCES = {
    FileKind.PROFILE: "choose one from `hvctl profile list`",
    FileKind.DOMAIN: "write one with `hvctl gen windows-11 --libvirt`",
    FileKind.HOST: "record one with `hvctl check-host --record host.json`",
    FileKind.RECORD: "write the program that prints one with `hvctl collector -o hvctl-collect`",
    FileKind.PLAN: "write one with `hvctl gen windows-11 --lock win11.plan.json`",
    FileKind.MEASUREMENT: "write one with `hvctl bench --format json -o bench.json`",
    FileKind.CONFIG: "list the rules that it may name with `hvctl lint --list-rules`",
    FileKind.GUEST: "write one with `hvctl gen windows-11 --libvirt`",
}


class MisplacedError(InputError):
    """A file is of another kind than the one that is read there."""

    def __init__(self, path: str, kind: FileKind, wanted: FileKind, command: str = "") -> None:
        self.path, self.kind, self.wanted = path, kind, wanted
        message = f"{printable(path)} is {kind}, not {wanted}"
        super().__init__([Problem(message, None, hint(path, kind, wanted, command))])

    def within(self, command: str) -> MisplacedError:
        """The same error, with what can be done by that command."""
        return MisplacedError(self.path, self.kind, self.wanted, command)


def hint(path: str, kind: FileKind, wanted: FileKind, command: str = "") -> str:
    """What to do with a file instead: one sentence with a command for the shell."""
    from shlex import quote

    uses = _USES.get(kind, {})
    known = uses.get(wanted) or uses.get(command) or uses.get("") or _SOURCES[wanted]
    return known.format("-" if path == "<stdin>" else quote(path))


def check_kind(text: str | bytes, path: str, wanted: FileKind) -> None:
    """Raise MisplacedError for what is known to be of another kind; for readers that refuse a text anyway."""
    kind = kind_of(text)
    # Other XML in the place of a domain is named by its root, or by what is wrong with it.
    if kind not in (FileKind.UNKNOWN, wanted) and (kind, wanted) != (FileKind.XML, FileKind.DOMAIN):
        raise MisplacedError(path, kind, wanted)


# Patterns are compiled when they are needed: every command imports this, and few need them.
_OPTION = r"(?:^|[\s\0'\"])--?(?:cpu|machine|M|accel|enable-kvm|global)(?:[\s\0'\"]|$)"
# A model and at least one property, and nothing else. QEMU passes over a comma too many, as strtok() does.
_CPU = r"\s*[A-Za-z0-9._-]+(?:,+[^\s,]+(?: [^\s,]+)*)+,*\s*"
# The first key of a mapping, after comments: a profile may speak of options.
_KEY = r"(?:\s|#[^\n]*\n)*(?:---\s|%YAML|[\"']?[A-Za-z][\w-]*[\"']?[ \t]*:(?:\s|$))"
# Keys of Proxmox VE's VMID.conf, and what is in none: keys of its containers, of profiles and of Kubernetes, a level
# below a key, the first line of a script.
_PROXMOX_KEY = (
    r"(?m)^(ostype|bios|scsihw|smbios1|vmgenid|efidisk0|hostpci\d+|cores|sockets|memory|balloon|onboot|boot|bootdisk|numa"
    r"|meta|vga|agent|args|cpu|machine|name|(?:net|scsi|ide|sata|virtio)\d+):[ \t]*\S"
)
_NO_PROXMOX = r"(?m)^(?:(?:rootfs|hostname|unprivileged|version|extends|apiVersion|kind):|[ \t]+[^\s]|---|#!)"
# The first section of cpu-models.conf, after comments.
_CPU_MODELS = r"(?:\s|#[^\n]*\n)*cpu-model:[ \t]*[^\s:]+[ \t]*(?:\n|$)"
# The first line of a configuration, after comments.
_TOML = (
    r"(?:\s|#[^\n]*\n)*(?:\[(?:tool\.hvctl|severity|paths)\b|"
    r"(?:select|ignore|severity|hosts|profile|paths)[\w.\"-]*\s*=)"
)
# An object of KubeVirt's anywhere: in a stream of documents, a list, a template; in JSON too.
_KUBEVIRT = r"""(?m)(?:^|[\s{,"'-])apiVersion["']?[ \t]*:\s*["']?(?:[a-z]+\.)?kubevirt\.io/"""
_SHEBANG = r"\s*#![^\n]*sh\b"
_BATCH = r"(?i)\s*@echo off|[^\0]*\^\r?\n"
# The root, after a prolog. Atomic: else the ends of many comments could be chosen in very many ways.
_ROOT = r"(?s)(?>\s+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^\[>]*(?:\[.*?\]\s*)?>)*+<([\w:.-]+)"
# Those of libvirt's files that hold domains (hvctl.guest.domain.reader).
_DOMAINS = ("domain", "domainsnapshot", "domaincheckpoint", "domstatus")
# JSON by what only one kind has; the first one counts. Output of commands shows by its second key, which hvctl writes.
_PRINTED = "agrees|enlightenments|files|findings|guest|hosts|hyperv|machine|plan|processes|profiles|starts|uri"
_JSON = (
    (FileKind.OUTPUT, rf'\s*\{{\s*"format_version"\s*:\s*\d+\s*,\s*"(?:{_PRINTED})"\s*:'),
    (FileKind.PLAN, r'(?s).*?"kind"\s*:\s*"locked plan"'),
    (FileKind.MEASUREMENT, r'(?s).*?"kind"\s*:\s*"measurement"'),
    (FileKind.RECORD, rf'(?s).*?"kind"\s*:\s*"{RAW_RECORD}"'),
    (FileKind.HOST, r'(?s).*?"kvm"\s*:\s*\{'),
    (FileKind.PROFILE, r"(?s)(?!.*?\"format_version\").*?\bversion[\"']?\s*:"),
)
# A UTF-16 file shows by its first bytes, or by `<` in two of them.
_UTF16 = (b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<")


def kind_of(data: str | bytes) -> FileKind:
    """The kind of a file, by its content."""
    if isinstance(data, bytes) and data.startswith(_UTF16):
        return FileKind.DOMAIN
    text = (data if isinstance(data, str) else data.decode("utf-8", "replace")).removeprefix("\ufeff")
    start = text.lstrip()[:1]
    if start == "<":
        root = re.match(_ROOT, text)
        return FileKind.DOMAIN if root and root[1] in _DOMAINS else FileKind.XML
    if len(text) > LARGEST_JSON:  # to look at it would take hundreds of megabytes, and it is refused anyway
        return FileKind.UNKNOWN
    if "kubevirt.io/" in text and re.search(_KUBEVIRT, text):
        return FileKind.KUBEVIRT
    if start == "{":
        return next((kind for kind, pattern in _JSON if re.match(pattern, text)), FileKind.UNKNOWN)
    if is_proxmox(text):
        return FileKind.PROXMOX
    if re.match(_KEY, text):
        return FileKind.CPU_MODELS if re.match(_CPU_MODELS, text) else FileKind.PROFILE
    if re.match(_TOML, text):
        return FileKind.CONFIG
    if re.match(_SHEBANG, text):
        return FileKind.SHELL_SCRIPT
    if "\0" in text:  # of a process, as /proc has it
        return FileKind.COMMAND_LINE
    if re.search(_OPTION, text):
        return FileKind.BATCH_SCRIPT if re.match(_BATCH, text) else FileKind.COMMAND_LINE
    return FileKind.CPU if re.fullmatch(_CPU, text) else FileKind.UNKNOWN


def is_proxmox(text: str) -> bool:
    """Whether a text is the configuration of a virtual machine of Proxmox VE: the section before all others decides."""
    head = text.partition("\n[")[0]
    keys = {match[1] for match in re.finditer(_PROXMOX_KEY, head)}
    # A profile may have these as well.
    return bool(keys - {"cpu", "machine", "name"}) and len(keys) > 1 and re.search(_NO_PROXMOX, head) is None
