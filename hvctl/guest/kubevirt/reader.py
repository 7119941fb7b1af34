"""KubeVirt's objects become Guests, read as KubeVirt's webhooks and virt-launcher read them.

Sources: kubevirt:pkg/defaults/defaults.go, pkg/defaults/hyperv.go, pkg/instancetype/preference/apply/,
pkg/virt-launcher/virtwrap/converter/compute/.
"""

from hvctl.catalog import roles
from hvctl.catalog.cpu_models import INVARIANT_TSC
from hvctl.catalog.kubevirt import BY_FIELD, TIMER, value_key
from hvctl.catalog.machines import FAMILIES
from hvctl.catalog.windows import looks_like, named
from hvctl.errors import InputError, Problem
from hvctl.guest.kubevirt.cpu import read_cpu
from hvctl.guest.kubevirt.hyperv import add_implied, counting, read_features, read_panic
from hvctl.guest.kubevirt.machine import Field, Home, Machine, is_null
from hvctl.guest.kubevirt.objects import KubeObject, objects
from hvctl.guest.kubevirt.preferences import Elsewhere, by_name, preference_of
from hvctl.guest.kubevirt.values import is_parameter, read_boolean, read_number, read_text, read_word
from hvctl.model.guest import Device, Firmware, Mistake, Setting, Timer
from hvctl.text.problems import Problems
from hvctl.text.yaml_nodes import parse_stream
from hvctl.text.yaml_tree import Broken, Items, Mapping, Scalar

_ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64", "s390x": "s390x", "ppc64le": "ppc64"}
# What KubeVirt makes of a guest without a word (kubevirt:pkg/virt-config, DefaultAMD64MachineType).
_MACHINE = "q35"
_TIMERS = {"hpet": "hpet", "kvm": "kvmclock", "pit": "pit", "rtc": "rtc"}
_KEYS = (("tickPolicy", ("delay", "catchup", "merge", "discard")), ("track", ("guest", "wall")))
_LOADERS = (("efi", "uefi"), ("preferredEfi", "uefi"), ("bios", "bios"))


def read_machines(text: str, path: str, elsewhere: Elsewhere = dict) -> list[Machine]:
    """The guests that a file describes: each VirtualMachine with its preference where that is known, and each
    preference that none of them has.

    Raises:
        InputError: it is not YAML.
    """
    problems = Problems()
    documents = parse_stream(text, path, problems)
    found = list(objects(documents))
    own = by_name(found)
    machines, used = [], list[KubeObject]()
    for one in found:
        if one.is_preference:
            continue
        preference, why = preference_of(one, own, elsewhere)
        used += [preference] if preference else []
        machines.append(_machine(one, preference, why, text, path))
    alone = (one for some in own.values() for one in some if not any(one is other for other in used))
    machines += [_machine(one, None, "", text, path) for one in alone]
    for machine in machines:
        # What stands for several places would change all of them.
        machine.editable = not ("<<" in text or "*" in text or "${" in text) and not problems.found
    if machines:
        for problem in problems.found:
            assert problem.span is not None, "a mistake in YAML has a place"
            machines[0].mistakes.append(Mistake("value", problem.message, Broken(problem.span), problem.hint))
    return machines


def read_machine(text: str, path: str) -> Machine:
    """The one guest that a file describes.

    Raises:
        InputError: it is not YAML, or describes none or several.
    """
    machines = read_machines(text, path)
    if not machines:
        raise InputError([Problem(f"{path} has no VirtualMachine, and nothing else that describes a guest")])
    if len(machines) > 1:
        second = machines[1].span(machines[1].root)
        raise InputError([Problem("a second guest begins here", second, "give a file with one guest")])
    return machines[0]


def _machine(source: KubeObject, preference: KubeObject | None, why: str, text: str, path: str) -> Machine:
    """An object as a guest; `why` is why its preference is not known, if it has one."""
    machine = Machine(path, text, source.root)
    machine.label = source.name or path
    machine.homes = [Home(known.home, known.is_preference) for known in (source, preference) if known and known.home]
    machine.reference = source.reference
    if source.is_preference:
        machine.partial = True
    elif why:
        machine.open = machine.partial = machine.unseen = True
        machine.doubt(why, "options")
    _arch(machine, source)
    read_features(machine)
    _clock(machine)
    read_panic(machine)
    read_cpu(machine, source)
    _machine_type(machine, source)
    _firmware(machine)
    _devices(machine)
    add_implied(machine)
    _frequency(machine)
    _system(machine, source, preference)
    # What is wrong in another file is reported where that is judged.
    machine.mistakes = [mistake for mistake in machine.mistakes if not machine.origin(mistake.where)]
    may_be, machine.open = machine.open, False
    machine.finish()
    machine.open = may_be or machine.takes_all
    return machine


def _arch(machine: Machine, source: KubeObject) -> None:
    name = source.text("architecture")
    if name is not None:
        machine.arch = _ARCHITECTURES.get(name, name)
        machine.other = machine.arch != "x86_64"


def _clock(machine: Machine) -> None:
    for home in machine.homes:
        clock = home.written("clock")
        utc, zone = home.find("clock.utc"), home.find("clock.timezone")
        if machine.offset is None and (found := utc or zone):
            # KubeVirt takes utc where both are there.
            machine.offset, machine.places["offset"] = "utc" if utc else "timezone", found
            if utc and (shift := utc.child("offsetSeconds")) and read_number(machine, shift):
                machine.doubt("the clock's offsetSeconds: libvirt works out a date when the guest starts")
        known = {"utc", "timezone", "timer", "preferredClockOffset", "preferredTimer"}
        machine.ignored += [field for field in (clock.children() if clock else ()) if field.tag not in known]
        if machine.ignored and machine.offset is None:
            machine.places["offset"] = machine.ignored[0]
    timers = counting(machine, TIMER, machine.homes)
    for field in timers.children() if timers and not is_null(timers.entry.value) else ():
        _timer(machine, field)


def _timer(machine: Machine, field: Field) -> None:
    row = BY_FIELD.get(f"{TIMER}.{field.tag}")
    if is_null(field.entry.value):
        return
    if field.mapping is None or (row is None and field.tag not in _TIMERS):
        if not is_parameter(machine, field):
            known = ", ".join(sorted([*_TIMERS, *(value_key(one.kubevirt) for one in roles.CLOCK)]))
            machine.wrong(f"KubeVirt has no {field.path}", field, f"write one of {known}, each with `present`")
        return
    child = field.child("present")
    present = True if child is None else read_boolean(machine, child)
    if row is not None:
        if present is not None:
            machine.settings[row.id] = Setting(row, present, None, field, attribute="present" if child else "")
        return
    policy, track = (read_word(machine, field, key, words) for key, words in _KEYS)
    machine.timers[_TIMERS[field.tag]] = Timer(field, policy, present if child else None, None, track)


def _machine_type(machine: Machine, source: KubeObject) -> None:
    field = machine.find("machine.type")
    text = read_text(machine, field)
    if text:
        machine.machine, machine.places["machine"] = text, field
    elif not source.is_preference:
        machine.machine = _MACHINE
    if machine.machine in FAMILIES:
        # Clusters' own types have other names than QEMU's, and a migration carries the one that the guest began with.
        machine.unknown["machine"] = "which version it is, virt-launcher's QEMU decides"


def _firmware(machine: Machine) -> None:
    for home in machine.homes:
        loader = home.written("firmware" if home.is_preference else "firmware.bootloader")
        for name, kind in _LOADERS:
            if machine.firmware is None and loader and (field := loader.child(name)):
                child = field.child("secureBoot")
                # kubevirt:pkg/virt-launcher/virtwrap/converter/compute/os.go: on without a word.
                secure = read_boolean(machine, child) if child else True
                machine.firmware = Firmware(kind, secure if kind == "uefi" else None)
                machine.places["firmware"] = field

        old = loader.child("preferredUseEfi") if loader else None
        if machine.firmware is None and old is not None and read_boolean(machine, old):
            boot = loader.child("preferredUseSecureBoot") if loader else None
            machine.firmware = Firmware("uefi", read_boolean(machine, boot) if boot else True)
            machine.places["firmware"] = old


def _devices(machine: Machine) -> None:
    if not machine.homes or machine.homes[0].is_preference:
        return
    for path in ("devices.gpus", "devices.hostDevices"):
        field = machine.homes[0].written(path)
        value = field.entry.value if field else None
        for item in value.items if isinstance(value, Items) else ():
            entry = item.find("deviceName") if isinstance(item, Mapping) else None
            if entry and isinstance(entry.value, Scalar):
                machine.devices.append(Device("pci", entry.value.text, entry))


def _frequency(machine: Machine) -> None:
    """KubeVirt writes the TSC's frequency itself (kubevirt:pkg/virt-controller/watch/topology/tsc.go)."""
    invariant = machine.switches.get(INVARIANT_TSC)
    if any(machine.settings[row.id].on for row in roles.TIED_TO_THE_TSC if row.id in machine.settings) or (
        invariant is not None and invariant.on
    ):
        machine.doubt("KubeVirt gives the guest the frequency of a node's TSC when it starts", "tsc_frequency")


def _system(machine: Machine, source: KubeObject, preference: KubeObject | None) -> None:
    """Whether it is Windows, by what names it: annotations and labels of templates, the preference, its own name."""
    said = [*source.system_names, *([source.wanted_preference[1]] if source.wanted_preference else []), source.name]
    said += preference.system_names if preference else []
    for name in (text.lower().replace("windows.", "windows-") for text in said):
        if looks_like(name) and not machine.other:
            machine.windows = True
            machine.release = machine.release or named(name)
