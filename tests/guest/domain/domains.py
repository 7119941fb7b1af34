"""Domain files as people and programs write them: any indentation, quotes, line ends, encoding, order, and comments."""

from __future__ import annotations

from hypothesis import strategies as st

from hvctl.catalog import ROWS
from hvctl.catalog.placement import HypervElement

COMMENTS = ("<!-- ours -->", "<!-- état: ok -->", "<!-- a\n   b -->")
STATES = st.sampled_from(["on", "off"])
PLACES = [row.libvirt for row in ROWS if isinstance(row.libvirt, HypervElement)]
TOP = [place for place in PLACES if "/" not in place.path]
VALUES = {"retries": ["4095", "8191", "0x1fff"], "value": ["Other Vendor", "KVM"]}


@st.composite
def attributes(draw: st.DrawFn, *pairs: tuple[str, str]) -> str:
    """Attributes in any order, with any quotes and spaces."""
    texts = []
    for name, value in draw(st.permutations(pairs)):
        quote = draw(st.sampled_from("'\""))
        space = draw(st.sampled_from([" ", "  ", "\n      "]))
        texts.append(f"{space}{name}{draw(st.sampled_from(['=', ' = ']))}{quote}{value}{quote}")
    return "".join(texts)


@st.composite
def enlightenment(draw: st.DrawFn, path: str, attribute: str) -> list[str]:
    """The lines of one child of `<hyperv>`."""
    state = draw(STATES)
    pairs = [("state", state)]
    if attribute and state == "on":
        pairs.append((attribute, draw(st.sampled_from(VALUES[attribute]))))
    written = draw(attributes(*pairs))
    inner = [place.path.partition("/")[2] for place in PLACES if place.path.startswith(f"{path}/")]
    inner = [name for name in inner if draw(st.booleans())] if state == "on" else []
    behind = draw(st.sampled_from(["", "", " <!-- why -->"]))
    if not inner:
        return [f"<{path}{written}{draw(st.sampled_from(['/>', ' />', f'></{path}>']))}{behind}"]
    return [
        f"<{path}{written}>",
        *(f"  <{name}{draw(attributes(('state', draw(STATES))))}/>" for name in inner),
        f"</{path}>{behind}",
    ]


@st.composite
def hyperv(draw: st.DrawFn) -> list[str]:
    """The lines of a `<hyperv>`, in any order."""
    lines: list[str] = []
    for place in draw(st.permutations(TOP)):
        if draw(st.integers(0, 2)) == 0:
            lines += draw(enlightenment(place.path, place.attribute))
        if draw(st.integers(0, 8)) == 0:
            lines.append(COMMENTS[0])
    if draw(st.integers(0, 5)) == 0:
        lines.append("<future state='on'/>")
    if not lines:
        return draw(st.sampled_from([["<hyperv/>"], ["<hyperv></hyperv>"], []]))
    mode = draw(st.sampled_from(["", " mode='custom'"]))
    return [f"<hyperv{mode}>", *(f"  {line}" for line in lines), "</hyperv>"]


@st.composite
def features(draw: st.DrawFn) -> list[str]:
    lines = draw(st.lists(st.sampled_from(["<acpi/>", "<apic/>", *COMMENTS[:2]]), max_size=3, unique=True))
    lines += draw(hyperv())
    lines += draw(st.sampled_from([[], ["<kvm><hidden state='off'/></kvm>"], ["<vmport state='off'/>"]]))
    return draw(wrapped("features", lines))


@st.composite
def wrapped(draw: st.DrawFn, name: str, lines: list[str], written: str = "") -> list[str]:
    if not lines:
        return draw(st.sampled_from([[f"<{name}{written}/>"], [f"<{name}{written}>", f"</{name}>"]]))
    return [f"<{name}{written}>", *(f"  {line}" for line in lines), f"</{name}>"]


@st.composite
def clock(draw: st.DrawFn) -> list[str]:
    offset = draw(
        st.sampled_from(
            [
                (("offset", "utc"),),
                (("offset", "localtime"),),
                (("offset", "timezone"), ("timezone", "Europe/Paris")),
                (("offset", "variable"), ("adjustment", "3600"), ("basis", "utc")),
            ]
        )
    )
    timers = [
        "<timer name='rtc' tickpolicy='delay'/>",
        '<timer  tickpolicy="delay"  name="pit"/>',
        "<timer name='hpet' present='yes'/>",
        "<timer name='hypervclock' present='no'/>",
        "<timer name='kvmclock' present='no'/>",
        COMMENTS[0],
    ]
    chosen = draw(st.lists(st.sampled_from(timers), max_size=4, unique=True))
    return draw(wrapped("clock", chosen, draw(attributes(*offset))))


@st.composite
def cpu(draw: st.DrawFn) -> list[str]:
    topology = "<topology sockets='1' cores='2' threads='2'/>"
    inner = draw(st.sampled_from([[], [topology], ["<feature policy='disable' name='x2apic'/>", COMMENTS[0]]]))
    written = draw(attributes(("mode", "host-passthrough"), ("check", "none")))
    return draw(wrapped("cpu", inner, written))


@st.composite
def domains(draw: st.DrawFn) -> bytes:
    """A whole file."""
    parts = [
        ["<name>windows é</name>"],
        ["<memory unit='KiB'>1048576</memory>"],
        ["<os>", "  <type arch='x86_64' machine='pc-q35-7.2'>hvm</type>", "</os>"],
        draw(features()) if draw(st.integers(0, 5)) else [],
        draw(cpu()) if draw(st.integers(0, 3)) else ["<cpu mode='host-passthrough'/>"],
        draw(clock()) if draw(st.integers(0, 5)) else [],
        ["<on_poweroff>destroy</on_poweroff>"],
        ["<devices>", "  <emulator>/usr/bin/qemu &amp; co</emulator>", *draw(panics()), "</devices>"],
    ]
    lines: list[str] = []
    for part in parts:
        lines += part
        if draw(st.integers(0, 4)) == 0:
            lines.append(draw(st.sampled_from(COMMENTS)))
    return draw(encoded(["<domain type='kvm'>", *(f"  {line}" for line in lines), "</domain>"]))


@st.composite
def panics(draw: st.DrawFn) -> list[str]:
    return draw(st.sampled_from([[], ["  <panic model='isa'/>"], ["  <panic model='hyperv'/>"]]))


@st.composite
def encoded(draw: st.DrawFn, lines: list[str]) -> bytes:
    step = draw(st.sampled_from(["  ", "    ", "\t", " "]))
    flat = draw(st.integers(0, 7)) == 0
    indented = [line.strip() if flat else _stepped(line, step) for line in lines]
    text = ("" if flat else "\n").join(indented) + draw(st.sampled_from(["", "\n"]))
    codec, name = draw(
        st.sampled_from([("utf-8", ""), ("utf-8", "utf-8"), ("utf-16", "utf-16"), ("latin-1", "iso-8859-1")])
    )
    if name:
        text = f'<?xml version="1.0" encoding="{name}"?>\n{text}'
    return text.replace("\n", draw(st.sampled_from(["\n", "\n", "\r\n"]))).encode(codec)


def _stepped(line: str, step: str) -> str:
    body = line.lstrip(" ")
    return step * ((len(line) - len(body)) // 2) + body
