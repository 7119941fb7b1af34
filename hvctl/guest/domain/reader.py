"""A libvirt domain becomes a Guest, read as libvirt reads it; what is wrong with it becomes mistakes."""

from collections.abc import Callable

from hvctl.catalog import roles
from hvctl.catalog.cpu_models import PLAIN
from hvctl.catalog.windows import BY_LIBOSINFO, BY_OS, MICROSOFT, has_keys, looks_like, named
from hvctl.errors import InputError, Problem
from hvctl.guest.domain.cpu import count, one_of, read_cpu
from hvctl.guest.domain.domain import Domain
from hvctl.guest.domain.hyperv import read_hyperv
from hvctl.guest.domain.identity import libosinfo_id
from hvctl.model.guest import Device, Firmware, Mistake, Setting, Switch, Timer
from hvctl.text.c_numbers import decimal_number
from hvctl.text.problems import quoted, short
from hvctl.xml.document import Document, Element
from hvctl.xml.reader import parse

# Snapshots, checkpoints and the state files in /run/libvirt/qemu hold the domains they are about.
AROUND = ("domainsnapshot", "domaincheckpoint", "domstatus")
_INSIDE = ("domain", "inactiveDomain")
_PRESENT = {"on": "yes", "true": "yes", "1": "yes", "off": "no", "false": "no", "0": "no"}
_YES = {"yes": True, "no": False}
_ACCELERATORS = {"qemu": "tcg"}
_X86 = ("x86_64", "i686")
# x86_cpuid_set_tsc_freq, qemu:target/i386/cpu.c
_HIGHEST_FREQUENCY = (1 << 63) - 1
# Elements of <features> that become properties of QEMU's CPU, with an attribute where that is not their state.
_SWITCHES = {"apic": ("kvm-pv-eoi", "eoi"), "pvspinlock": ("kvm-pv-unhalt",), "pmu": ("pmu",)}
_KVM = ("hint-dedicated", "poll-control", "pv-ipi")
_OFFSETS = ("utc", "localtime", "timezone", "variable", "absolute")
_TIMERS = ("rtc", "pit", "hpet", "tsc", "kvmclock", "hypervclock", "platform", "armvtimer")
_TICKS = ("delay", "catchup", "merge", "discard")
_IRQCHIPS = {"kvm": "on", "qemu": "split"}


def domains_in(document: Document) -> tuple[Element, ...]:
    """The `<domain>`s of a file: its root, or those in one of libvirt's files around them."""
    root = document.root
    if root.tag == "domain" and root.namespace is None:
        return (root,)
    if root.tag in AROUND:
        return tuple([child for child in root.below if child.tag in _INSIDE])
    return ()


def find_domain(document: Document) -> Element:
    """The one `<domain>` of a file; the running one where a snapshot has both. Raises InputError if there is none."""
    found = [element for element in domains_in(document) if element.tag == "domain"]
    if len(found) == 1:
        return found[0]
    root = document.root
    span = document.span(root.start, root.start + document.width(f"<{root.tag}"))
    name = f"<{short(root.tag)}>"
    if root.local == "domain":
        problem = Problem(f"this {name} is not libvirt's", span, "libvirt's has no namespace and no prefix")
    elif len(found) > 1:
        second = document.span(found[1].start, found[1].start + document.width("<domain"))
        problem = Problem("a second domain begins here", second, "a file holds one")
    else:
        problem = Problem(f"this is not a libvirt domain, but {name}", span, "pass what virsh dumpxml prints")
    raise InputError([problem])


def read_domain(data: bytes, path: str) -> Domain:
    """The guest that a domain XML describes.

    Args:
        data: the whole file.
        path: its name, for messages and spans.

    Raises:
        InputError: it is not XML, not a domain, or libvirt would refuse what it says; with every mistake and its place.
    """
    return guest_of(find_domain(parse(data, path))).check()


def guest_of(element: Element) -> Domain:
    """Read a `<domain>`; its label is its name, or the path where it has none."""
    domain = Domain(element)
    kind = element.get("type")
    domain.accelerator = kind and _ACCELERATORS.get(kind, kind)
    domain.kvm = kind == "kvm"
    if kind is not None:
        domain.places["accelerator"] = element
    domain.cpu = PLAIN
    for child in element.below:
        read = _READERS.get(child.tag)
        if read is not None:
            # What has a namespace is not libvirt's. Only the element's own is looked at: to find any other takes long.
            if not child.written.values.get("xmlns"):
                read(domain, child)
        elif child.tag.endswith("commandline") and child.local == "commandline":
            domain.commandlines.append(child)
    if domain.arch not in _X86:
        domain.other = True
        domain.doubt(f"the architecture is {quoted(domain.arch)}: hvctl knows the enlightenments of x86", "arch")
    if domain.arch != _X86[0] and "cpu" not in domain.places:
        domain.cpu = None
    domain.pinned = domain.pins > 0 and domain.pins >= (domain.vcpus or 1)
    if domain.commandlines:
        from hvctl.guest.domain.commandline import read_commandlines

        read_commandlines(domain)
    _system(domain)
    domain.finish()
    return domain


def _features(domain: Domain, element: Element) -> None:
    domain.features_element = domain.features_element or element
    for child in element.below:
        tag = child.local
        if tag == "hyperv":
            read_hyperv(domain, child)
        elif tag == "kvm":
            _kvm(domain, child)
        elif tag in _SWITCHES:
            _switch(domain, child, *_SWITCHES[tag])
        elif tag == "ioapic" and (driver := child.get("driver")):
            domain.irqchip, domain.places["irqchip"] = _IRQCHIPS.get(driver, driver), child


def _kvm(domain: Domain, element: Element) -> None:
    for child in element.below:
        if child.local == "hidden":
            state = one_of(domain, child, "state", ("on", "off"))
            if child.get("state") is None:
                domain.wrong("<hidden> has no state", child, "write state='on' or state='off'")
            domain.hidden, domain.places["hidden"] = state == "on", child
        elif child.local in _KVM:
            _switch(domain, child, f"kvm-{child.local}")


def _switch(domain: Domain, element: Element, name: str, attribute: str = "state") -> None:
    """Read what libvirt writes into `-cpu` and is no `<feature>`; without a state it is on."""
    state = one_of(domain, element, attribute, ("on", "off"))
    if state or attribute == "state":
        domain.switches[name] = Switch(name, state != "off", element)


def _devices(domain: Domain, element: Element) -> None:
    for child in element.below:
        if child.tag == "panic" and (row := roles.PANIC_DEVICES.get(child.get("model") or "")):
            domain.settings[row.id] = Setting(row, True, None, child, attribute="model")
        elif child.tag == "interface" and child.get("type") == "hostdev":
            domain.devices.append(Device("pci", _address(child), child, network=True))
        elif child.tag == "hostdev" and child.get("type") in ("pci", "mdev"):
            domain.devices.append(Device(child.get("type") or "", _address(child), child))


def _address(hostdev: Element) -> str:
    """The address of a PCI device as lspci writes it, the UUID of a mediated one; empty where it is not written."""
    for address in (one for source in hostdev.named("source") for one in source.named("address")):
        if uuid := address.get("uuid"):
            return uuid
        parts = [(address.get(name) or "0x0").removeprefix("0x") for name in ("domain", "bus", "slot", "function")]
        return f"{parts[0].zfill(4)}:{parts[1].zfill(2)}:{parts[2].zfill(2)}.{parts[3]}"
    return ""


def _os(domain: Domain, element: Element) -> None:
    kind = element.get("firmware")
    if kind is not None:
        domain.firmware, domain.places["firmware"] = Firmware("uefi" if kind == "efi" else kind), element
    for child in element.below:
        if child.tag == "type" and "machine" not in domain.places:
            domain.places["machine"] = child
            domain.machine = child.get("machine") or None
            domain.arch = child.get("arch") or domain.arch
        elif child.tag == "loader":
            _loader(domain, child)
        elif child.tag == "firmware" and domain.firmware:
            for feature in child.named("feature"):
                if feature.get("name") == "secure-boot":
                    domain.firmware = domain.firmware._replace(secure=_YES.get(feature.get("enabled") or ""))


def _loader(domain: Domain, element: Element) -> None:
    path = element.text()
    secure = _YES.get(element.get("secure") or "")
    if secure is None and has_keys(path):
        secure = True
    kind = domain.firmware.kind if domain.firmware else "uefi" if element.get("type") == "pflash" or secure else None
    if kind is None:
        domain.unknown["firmware"] = f"the kind of {quoted(path)} is not known"
    else:
        if secure is None and domain.firmware:
            secure = domain.firmware.secure
        domain.firmware, domain.places["firmware"] = Firmware(kind, secure), element


def _vcpu(domain: Domain, element: Element) -> None:
    domain.places["vcpus"] = element
    most, current = count(domain, element, element.text()), element.get("current")
    domain.vcpus = most if current is None else count(domain, element, current, "current") or most
    domain.most_vcpus = most if most != domain.vcpus else None


def _cputune(domain: Domain, element: Element) -> None:
    # Several CPUs for one vCPU, or one for several of them, promise nothing.
    single = {pin.get("vcpu"): cpu for pin in element.below if pin.tag == "vcpupin" and (cpu := _one_cpu(pin))}
    domain.pins = len(set(single.values()))


def _one_cpu(pin: Element) -> str:
    """The CPU that a vCPU is pinned to; empty where it is not one."""
    text = (pin.get("cpuset") or "").strip()
    return text if text.isdecimal() else ""


def _name(domain: Domain, element: Element) -> None:
    domain.name = element.text().strip()
    domain.label = domain.name or domain.label


def _metadata(domain: Domain, element: Element) -> None:
    domain.metadata = element


def _clock(domain: Domain, element: Element) -> None:
    if domain.clock is None:
        # Of several the first counts; the timers are those of all (observed with libvirt 9.0).
        domain.clock = element
        one_of(domain, element, "offset", _OFFSETS)
        domain.offset, domain.places["offset"] = element.get("offset"), element
        shift = element.get("adjustment")
        if shift not in (None, "reset", "0") and domain.offset in (None, "utc", "localtime"):
            domain.doubt(f"the clock's adjustment={short(shift)}: libvirt works out a date when the guest starts")
    for timer in element.below:
        if timer.tag != "timer":
            continue
        said = timer.written.values
        name, text, policy = said.get("name", ""), said.get("present"), said.get("tickpolicy")
        present = None
        if name not in _TIMERS and one_of(domain, timer, "name", _TIMERS) is None and not name:
            domain.wrong("<timer> has no name", timer, "write name='...'")
        if policy is not None and policy not in _TICKS:
            one_of(domain, timer, "tickpolicy", _TICKS)
        if text is not None and (present := _YES.get(text)) is None:
            domain.mistakes.append(mistake := _not_present(timer, text))
            # The rest is judged as it is meant.
            present = _YES[mistake.change[1]] if mistake.change else None
        domain.timers[name] = Timer(timer, policy, present, said.get("mode"), said.get("track"))
        if name == "tsc":
            _frequency(domain, timer)
        row = roles.CLOCK_TIMERS.get(name)
        # Absent is no (observed with libvirt 9.0), and one yes of several is enough: libvirt writes a flag for each.
        if row and (present or row.id not in domain.settings):
            domain.settings[row.id] = Setting(row, bool(present), None, timer, attribute="present")


def _not_present(timer: Element, text: str) -> Mistake:
    """A timer says neither yes nor no."""
    meant = _PRESENT.get(text.lower())
    instead = f"write present='{meant}'" if meant else "write present='yes' or present='no'"
    change = ("present", meant) if meant else None
    return Mistake("value", f"present of <timer> cannot be {quoted(text)}", timer, instead, "present", change)


def _frequency(domain: Domain, timer: Element) -> None:
    """The TSC's frequency in Hz; of several QEMU takes the last, and 0 is none."""
    text = timer.get("frequency")
    if text is None:
        return
    hertz = decimal_number(text)
    if hertz is None or hertz > _HIGHEST_FREQUENCY:
        instead = f"write a whole number from 0 to {_HIGHEST_FREQUENCY}"
        domain.wrong(f"frequency of <timer> cannot be {quoted(text)}", timer, instead, "frequency")
    elif hertz:
        domain.tsc_frequency, domain.places["tsc_frequency"] = hertz, timer


def _system(domain: Domain) -> None:
    """Whether the domain holds Windows.

    libosinfo's word counts where there is one. Else a name such as `win11` or `windows-dc1` tells, and a firmware with
    Microsoft's keys beside a clock in local time. Windows on another processor than x86 has other clocks and timers.
    """
    known = libosinfo_id(domain.metadata) if domain.metadata and domain.metadata.below else ""
    if known:
        domain.system, domain.places["system"] = known, domain.metadata
        windows = known.startswith(MICROSOFT)
        domain.release = BY_OS.get(BY_LIBOSINFO.get(known, ""))
    else:
        secure = domain.firmware is not None and domain.firmware.secure is True
        windows = looks_like(domain.name) or (domain.offset == "localtime" and secure)
        domain.release = named(domain.name) if windows else None
    domain.windows = windows and not domain.other
    domain.other = domain.other or (known != "" and not windows)


_READERS: dict[str, Callable[[Domain, Element], None]] = {
    "features": _features,
    "cpu": read_cpu,
    "clock": _clock,
    "devices": _devices,
    "os": _os,
    "vcpu": _vcpu,
    "cputune": _cputune,
    "name": _name,
    "metadata": _metadata,
}
"""What reads a child of `<domain>`, by its name."""
