"""Libvirts that lie, each as what libvirt_server.py answers; the other end is the real libvirt-python."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import chain, repeat

from tests.libvirt.libvirt_server import (
    AUTH_LIST,
    CAPABILITIES,
    CLOSE,
    CREATE,
    CREATE_XML,
    DEFINE,
    DEREGISTER,
    DEREGISTER_QEMU,
    DESTROY,
    DOMAIN_CAPABILITIES,
    DOMAINS,
    FRIENDLY,
    GET_TYPE,
    HOSTNAME,
    IS_PERSISTENT,
    IS_SAVED,
    LIBVIRT_VERSION,
    LIFECYCLE,
    LOOKUP_BY_NAME,
    LOOKUP_BY_UUID,
    MONITOR,
    OPEN,
    QEMU_EVENT,
    REGISTER,
    REGISTER_QEMU,
    STATE,
    SUPPORTS_FEATURE,
    VERSION,
    XML,
    Act,
    Answer,
    Refusal,
    Then,
    xdr,
)

Answers = dict[int, Answer]
LARGEST = 4 << 20  # bytes of a string (libvirt:src/remote/remote_protocol.x, REMOTE_STRING_MAX)
BAD = b"\xff\xfe\xc3("
SURROGATE = b"\xed\xa0\x80"
CONTROLS = "\x1b[2J\x9b\u202e\u2066 x"
_UUID = b"\x11" * 16
_CALLBACKS = 14  # libvirt:src/libvirt_internal.h, VIR_DRV_FEATURE_REMOTE_EVENT_CALLBACK
_SUSPENDED, _STOPPED = 3, 5


def number(value: int) -> bytes:
    return struct.pack(">i", value)


def long(value: int) -> bytes:
    return struct.pack(">Q", value & (1 << 64) - 1)


def domain(name: str | bytes = "win11", uuid: bytes = _UUID, ident: int = -1) -> bytes:
    return xdr(name) + uuid + number(ident)


def listed(*domains: bytes) -> bytes:
    return number(len(domains)) + b"".join(domains) + number(len(domains))


DEFINITION = """\
<domain type='kvm'>
  <name>win11</name>
  <uuid>11111111-1111-1111-1111-111111111111</uuid>
  <memory unit='KiB'>4194304</memory>
  <vcpu>2</vcpu>
  <os>
    <type arch='x86_64' machine='pc-q35-7.2'>hvm</type>
  </os>
  <features>
    <acpi/>
    <apic/>
  </features>
  <cpu mode='host-passthrough'/>
  <clock offset='localtime'/>
  <devices>
  </devices>
</domain>
"""
WITHOUT_KVM = DEFINITION.replace("'kvm'", "'qemu'").replace("<cpu mode='host-passthrough'/>", "")
"""For verify, which then asks no KVM."""
HOST = """\
<capabilities><host><cpu><arch>x86_64</arch><vendor>Intel</vendor></cpu></host>
<guest><arch name='x86_64'><machine>pc-q35-7.2</machine><domain type='kvm'/></arch></guest></capabilities>
"""
GUESTS = """\
<domainCapabilities><path>/usr/bin/qemu-system-x86_64</path><domain>kvm</domain><arch>x86_64</arch>
<features><hyperv supported='yes'><enum name='features'><value>relaxed</value><value>vapic</value></enum></hyperv>
</features></domainCapabilities>
"""
# A domain that is defined, and another one that is started and has stopped.
_SHUT_OFF, _PAUSED = number(5) + number(0), number(3) + number(0)
HONEST: Answers = {
    **FRIENDLY,
    SUPPORTS_FEATURE: lambda sent: number(int(sent == number(_CALLBACKS))),
    CLOSE: b"",
    GET_TYPE: xdr("QEMU"),
    HOSTNAME: xdr("host"),
    VERSION: long(7_002_000),
    LIBVIRT_VERSION: long(9_000_000),
    CAPABILITIES: xdr(HOST),
    DOMAIN_CAPABILITIES: xdr(GUESTS),
    DOMAINS: listed(domain()),
    LOOKUP_BY_NAME: domain(),
    LOOKUP_BY_UUID: domain(),
    XML: xdr(DEFINITION),
    IS_PERSISTENT: number(1),
    STATE: _SHUT_OFF,
    IS_SAVED: number(0),
    DEFINE: domain(),
    CREATE: b"",
    CREATE_XML: domain(ident=5),
    DESTROY: b"",
    REGISTER: number(1),
    DEREGISTER: b"",
    REGISTER_QEMU: number(2),
    DEREGISTER_QEMU: b"",
}


def stopped(uuid: bytes = _UUID, event: int = _STOPPED) -> tuple[int, bytes]:
    """The event of its end, or another one of its life."""
    return LIFECYCLE, number(1) + domain(uuid=uuid, ident=5) + number(event) + number(0)


def panic(details: bytes) -> tuple[int, bytes]:
    """QEMU's event of a guest that crashed."""
    kind = xdr("GUEST_PANICKED") + struct.pack(">qI", 1, 1)
    return QEMU_EVENT, number(2) + domain(ident=5) + kind + number(1) + xdr(details)


def _events(*events: tuple[int, bytes]) -> Answers:
    return {CREATE_XML: Then(domain(ident=5), events)}


def _paused(answer: Answer) -> Answers:
    """A guest that is paused, then stopped; nobody but its QEMU knows why."""
    return {STATE: _PAUSED, MONITOR: answer, **_events(stopped(event=_SUSPENDED), stopped())}


def _flood(_sent: bytes) -> Answer:
    """Half a gigabyte of panics."""
    return Then(domain(ident=5), chain(repeat(panic(b"x" * 100_000), 5_000), [stopped()]))


def _with(old: str, new: str, text: str = DEFINITION) -> bytes:
    assert old in text
    return xdr(text.replace(old, new, 1))


def _silences() -> Iterator[tuple[str, Answers]]:
    names = {
        "sign-on": AUTH_LIST,
        "open": OPEN,
        "close": CLOSE,
        "driver": GET_TYPE,
        "list": DOMAINS,
        "lookup": LOOKUP_BY_NAME,
        "xml": XML,
        "capabilities": CAPABILITIES,
        "domain-capabilities": DOMAIN_CAPABILITIES,
        "define": DEFINE,
        "start": CREATE_XML,
        "events": REGISTER,
        "no-more-events": DEREGISTER,
        "state": STATE,
    }
    for name, procedure in names.items():
        yield f"silence-{name}", {procedure: Act.SILENCE}
        yield f"hang-up-{name}", {procedure: Act.HANG_UP}


def _errors() -> Iterator[tuple[str, Answers]]:
    messages: dict[str, str | bytes | None] = {
        "of-4-mb": "e" * (LARGEST - 4),
        "of-control-characters": "\x1b\n" * (LARGEST // 2 - 2),
        "not-utf-8": BAD,
        "surrogate": SURROGATE,
        "controls": CONTROLS,
        "without-message": None,
        "empty": "",
    }
    for name, message in messages.items():
        refusal = Refusal(1, message)
        yield f"error-{name}", dict.fromkeys((DOMAINS, LOOKUP_BY_NAME, DOMAIN_CAPABILITIES, CREATE_XML), refusal)
        yield f"sign-on-error-{name}", {AUTH_LIST: refusal}
    yield "error-at-close", {CLOSE: Refusal(1, BAD)}
    yield "error-of-success", {DOMAINS: Refusal(0, "no error")}
    yield "error-of-no-kind", {DOMAINS: Refusal(-5, "odd")}


_FLAT = f"<domain type='kvm'><name>win11</name>{'<a/>' * (LARGEST // 4 - 20)}</domain>"
_TEXT = _with("<devices>", f"<metadata>{'x' * (LARGEST - 2000)}</metadata><devices>")
_ATTRIBUTES = " ".join(f"a{at}='1'" for at in range(LARGEST // 13 - 400))
_PARTS: dict[str, Answers] = {
    "honest": {},
    "name-not-utf-8": {DOMAINS: listed(domain(BAD)), LOOKUP_BY_NAME: domain(BAD)},
    "name-surrogate": {DOMAINS: listed(domain(SURROGATE)), LOOKUP_BY_NAME: domain(SURROGATE)},
    "name-controls": {DOMAINS: listed(domain(CONTROLS))},
    "name-empty": {DOMAINS: listed(domain("")), LOOKUP_BY_NAME: domain("")},
    "name-4-mb": {DOMAINS: listed(domain("n" * (LARGEST - 4))), LOOKUP_BY_NAME: domain("n" * (LARGEST - 4))},
    "another-domain": {LOOKUP_BY_NAME: domain("other", b"\x22" * 16)},
    "uuid-zero": {DOMAINS: listed(domain(uuid=bytes(16)))},
    "list-repeats": {DOMAINS: listed(*[domain()] * 2000)},
    "list-endless": {DOMAINS: struct.pack(">I", 1 << 31) + domain()},
    "list-negative": {DOMAINS: number(-1)},
    "list-cut": {DOMAINS: number(3) + domain()[:9]},
    "list-of-4-mb-each": {DOMAINS: listed(*(domain(f"d{at}") for at in range(100))), XML: _TEXT},
    "xml-not-utf-8": {XML: xdr(DEFINITION.encode().replace(b"<acpi/>", b"<!-- " + BAD + b" -->"))},
    "xml-surrogate": {XML: xdr(DEFINITION.encode().replace(b"<acpi/>", b"<!-- " + SURROGATE + b" -->"))},
    "xml-controls": {XML: _with("<acpi/>", "<acpi a='\x9b\u202e'/><relaxed\u202e/>")},
    "xml-empty": {XML: xdr("")},
    "xml-none": {XML: xdr("no XML")},
    "xml-other": {XML: xdr("<network><name>default</name></network>")},
    "xml-entity": {XML: xdr("<!DOCTYPE d [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><domain>&a;</domain>")},
    "xml-4-mb-of-elements": {XML: xdr(_FLAT)},
    "xml-4-mb-of-text": {XML: _TEXT},
    "xml-4-mb-of-attributes": {XML: _with("<acpi/>", f"<acpi {_ATTRIBUTES}/>")},
    "xml-4-mb-deep": {XML: xdr(f"<domain type='kvm'>{'<a>' * 500_000}")},
    "xml-too-long": {XML: xdr("x" * (LARGEST + 4))},
    "xml-wrong-length": {XML: struct.pack(">I", (1 << 32) - 1) + b"abc\0"},
    "domain-vanishes": {XML: Refusal(42, "Domain not found")},
    "capabilities-none": {CAPABILITIES: xdr("no XML")},
    "capabilities-other": {CAPABILITIES: xdr("<domain/>")},
    "capabilities-not-utf-8": {CAPABILITIES: xdr(BAD)},
    "capabilities-4-mb": {CAPABILITIES: xdr(f"<capabilities>{'<a/>' * (LARGEST // 4 - 20)}</capabilities>")},
    "domain-capabilities-none": {DOMAIN_CAPABILITIES: xdr("no XML")},
    "domain-capabilities-other": {DOMAIN_CAPABILITIES: xdr("<domain/>")},
    "domain-capabilities-controls": {DOMAIN_CAPABILITIES: _with("/usr/bin/", "/usr/\x9b\u202e/", GUESTS)},
    "host-name-not-utf-8": {HOSTNAME: xdr(BAD)},
    "host-name-4-mb": {HOSTNAME: xdr("h" * (LARGEST - 4))},
    "versions-huge": {VERSION: long(-1), LIBVIRT_VERSION: long(1 << 63)},
    "versions-zero": {VERSION: long(0), LIBVIRT_VERSION: long(0)},
    "driver-not-utf-8": {GET_TYPE: xdr(BAD)},
    "driver-4-mb": {GET_TYPE: xdr("Q" * (LARGEST - 4))},
    "events-never": {},
    "stuck": _paused(xdr('{"return": {"status": "internal-error"}}')),
    "stuck-without-event": {STATE: _PAUSED, MONITOR: xdr('{"return": {"status": "internal-error"}}')},
    "paused": _paused(xdr('{"return": {"status": "paused"}}')),
    "paused-silence": _paused(Act.SILENCE),
    "paused-error": _paused(Refusal(38, "no monitor")),
    "paused-not-utf-8": _paused(xdr(BAD)),
    "paused-nested": _paused(xdr("[" * 100_000)),
    "paused-other": _paused(xdr('{"return": ["status"]}')),
    "paused-4-mb": _paused(xdr("7" * (LARGEST - 4))),
    "events-of-another": _events(stopped(b"\x22" * 16)),
    "events-honest": _events(panic(b'{"info": {}}'), stopped()),
    "events-odd": _events(*(panic(text) for text in (b"[" * 100_000, b"7", b"x" * (LARGEST - 4), BAD)), stopped()),
    "events-cut": _events((LIFECYCLE, bytes(2)), stopped()),
    "events-flood": {CREATE_XML: _flood},
    "hang-up-when-it-runs": {CREATE_XML: Then(domain(ident=5), hang_up=True)},
}
LIES: dict[str, Answers] = {name: {**HONEST, **part} for name, part in (*_PARTS.items(), *_silences(), *_errors())}
