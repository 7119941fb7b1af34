"""Domains with what rules look for: wrong values, unknown names, repeated parts, arguments of QEMU, any machine."""

from __future__ import annotations

from hypothesis import strategies as st

from hvctl.catalog import ROWS
from tests.guest.domain.domains import attributes, encoded, wrapped

PATHS = [row.libvirt.path for row in ROWS if row.libvirt and not any(mark in row.libvirt.path for mark in ":/@")]
NAMES = [*PATHS, "vendor-id", "hv-relaxed", "xmm-input", "stimer-direct", "time", "nothing", "tlbflush_direct"]
STATES = ["on", "on", "on", "off", "yes", "1", "", "maybe"]
RETRIES = ["100", "4095", "8191", "0xffffffff", "3000000000", "99999999999", "many", "-1"]
VENDORS = ["Microsoft Hv", "KVM", "a,b", "NotMicrosoftHv", ""]
ARGUMENTS = [
    *("x86_64-cpu.hv-relaxed=on", "x86_64-cpu.hv-enforce-cpuid=on", "host-x86_64-cpu.hv-synic=on", "cpu.hv-what=on"),
    *("x86_64-cpu.hv-no-nonarch-coresharing=on", "x86_64-cpu.hv-no-nonarch-coresharing=auto", "kvm-pit.x=1"),
    *("x86_64-cpu.hv-spinlocks=many", "x86_64-cpu.tsc-frequency=1000000000", "x86_64-cpu.hv-syndbg=on"),
]
PROCESSORS = [
    *("host,hv-passthrough,-hv-evmcs,hv-crash=off", "host,hv_synic,+hv-vpindex,hv-stimer", "host,+hv_relaxed,hv-what"),
    *("host,hv-reset,hv_vendor_id=none,hv_crash,-hypervisor", "host,x-hv-synic-kvm-only=on,hv-synic,hv-time=maybe"),
]
QEMU = (("xmlns:qemu", "http://libvirt.org/schemas/domain/qemu/1.0"),)


@st.composite
def child(draw: st.DrawFn) -> list[str]:
    name = draw(st.sampled_from(NAMES))
    pairs = [("state", draw(st.sampled_from(STATES)))] if draw(st.integers(0, 9)) else []
    if name == "spinlocks" and draw(st.integers(0, 9)):
        pairs.append(("retries", draw(st.sampled_from(RETRIES))))
    if name in ("vendor_id", "vendor-id") and draw(st.integers(0, 9)):
        pairs.append(("value", draw(st.sampled_from(VENDORS))))
    written = draw(attributes(*pairs))
    inner = draw(st.lists(st.sampled_from(["direct", "extended", "other"]), max_size=2))
    if name not in ("stimer", "tlbflush") or not inner:
        return [f"<{name}{written}/>"]
    lines = [f"<{one} state='{draw(st.sampled_from(STATES))}'/>" for one in inner]
    return [f"<{name}{written}>", *(f"  {line}" for line in lines), f"</{name}>"]


@st.composite
def hyperv(draw: st.DrawFn) -> list[str]:
    lines = [line for one in draw(st.lists(child(), max_size=6)) for line in one]
    mode = draw(
        st.sampled_from(["", "", "", " mode='custom'", " mode='passthrough'", " mode='host-model'", " mode='x'"])
    )
    return draw(wrapped("hyperv", lines, mode))


@st.composite
def odd_domains(draw: st.DrawFn) -> bytes:
    """A whole file."""
    machine = draw(st.sampled_from([" machine='q35'", " machine='pc'", "", " machine='pc-q35-3.0'"]))
    kind = draw(st.sampled_from(["kvm", "kvm", "kvm", "qemu", "xen"]))
    name = draw(st.sampled_from(["win11", "linux"]))
    hypervs = [line for one in draw(st.lists(hyperv(), max_size=2)) for line in one]
    features = draw(st.lists(st.sampled_from(["invtsc", "hv-relaxed", "hv_time", "svm", "hv-nothing"]), max_size=3))
    timers = draw(st.lists(st.sampled_from(["hypervclock", "hpet", "rtc", "pit", "tsc"]), max_size=4))
    presents = [
        "",
        " present='yes'",
        " present='no'",
        " present='on'",
        " tickpolicy='merge'",
        " frequency='1000000000'",
    ]
    clock = [f"<timer name='{one}'{draw(st.sampled_from(presents))}/>" for one in timers]
    arguments = draw(st.lists(st.sampled_from(ARGUMENTS), max_size=3, unique=True))
    cpu = [f"<feature policy='require' name='{one}'/>" for one in dict.fromkeys(features)]
    lines = [
        f"<name>{name}</name>",
        f"<os><type arch='x86_64'{machine}>hvm</type></os>",
        *(draw(wrapped("features", hypervs)) if draw(st.booleans()) else []),
        *(["<features>", *hypervs[:0], "</features>"] if draw(st.integers(0, 9)) == 0 else []),
        *draw(wrapped("cpu", cpu, " mode='host-passthrough'")),
        *(
            draw(wrapped("clock", clock, draw(st.sampled_from([" offset='utc'", " offset='localtime'", ""]))))
            if clock
            else []
        ),
        *draw(st.sampled_from([[], ["<devices>", "  <panic model='hyperv'/>", "</devices>"], ["<devices/>"]])),
    ]
    if arguments:
        lines += ["<qemu:commandline>"]
        for one in draw(st.lists(st.sampled_from(PROCESSORS), max_size=2)):
            lines += ["  <qemu:arg value='-cpu'/>", f"  <qemu:arg value='{one}'/>"]
        for one in arguments:
            lines += ["  <qemu:arg value='-global'/>", f"  <qemu:arg value='{one}'/>"]
        lines += ["</qemu:commandline>"]
    root = "".join(f" {key}='{value}'" for key, value in QEMU) if arguments else ""
    return draw(encoded([f"<domain type='{kind}'{root}>", *(f"  {line}" for line in lines), "</domain>"]))
