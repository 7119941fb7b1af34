"""KubeVirt's objects become Guests, read as KubeVirt's webhooks and virt-launcher read them.

Sources: kubevirt:pkg/defaults/defaults.go, pkg/defaults/hyperv.go, pkg/instancetype/preference/apply/,
pkg/virt-launcher/virtwrap/converter/compute/.
"""

from collections.abc import Iterator, Sequence
from math import prod

from hvctl.catalog import BY_ID, ROWS, roles
from hvctl.catalog.cpu_models import INVARIANT_TSC, is_name, qemu_name
from hvctl.catalog.kubevirt import (
    BY_FIELD,
    FORCED,
    HYPERV,
    LEAST_NUMBER,
    PANIC,
    TIMER,
    TURNED_ON,
    field_of,
    preferred,
    value_key,
)
from hvctl.catalog.machines import FAMILIES
from hvctl.catalog.placement import PanicDevice
from hvctl.catalog.types import Kind, Row
from hvctl.catalog.windows import looks_like, named
from hvctl.errors import InputError, Problem
from hvctl.guest.domain.cpu import POLICIES
from hvctl.guest.kubevirt.machine import Field, Home, Machine, is_null
from hvctl.guest.kubevirt.objects import KubeObject, objects
from hvctl.model.guest import Device, Firmware, Mistake, Setting, Switch, Timer, Topology
from hvctl.text.problems import Problems, did_you_mean, quoted
from hvctl.text.yaml_nodes import parse_stream
from hvctl.text.yaml_tree import Broken, Items, Mapping, Scalar

_TRUE, _FALSE = ("true", "yes", "on", "y"), ("false", "no", "off", "n")
_TICKS = ("delay", "catchup", "merge", "discard")
_TIMERS = {"hpet": "hpet", "kvm": "kvmclock", "pit": "pit", "rtc": "rtc"}
_TRACKS = ("guest", "wall")
_MOST_VCPUS = 1 << 16
_INT32 = (1 << 31) - 1
_ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64", "s390x": "s390x", "ppc64le": "ppc64"}
# What KubeVirt makes of a guest without a word (kubevirt:pkg/virt-config, DefaultAMD64MachineType).
_MACHINE = "q35"


def read_machines(text: str, path: str) -> list[Machine]:
    """The guests that a file describes: each VirtualMachine with its preference where that is there, too, and each
    preference that none of them has.

    Raises:
        InputError: it is not YAML.
    """
    problems = Problems()
    documents = parse_stream(text, path, problems)
    found = list(objects(documents))
    preferences = {(one.kind, one.name): one for one in found if one.preference}
    machines, used = [], set[tuple[str, str]]()
    for one in found:
        if one.preference:
            continue
        wanted = one.wanted_preference
        used.update([wanted] if wanted in preferences else [])
        machines.append(_machine(one, preferences.get(wanted) if wanted else None, text, path))
    machines += [_machine(one, None, text, path) for key, one in preferences.items() if key not in used]
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


def _machine(one: KubeObject, preference: KubeObject | None, text: str, path: str) -> Machine:
    machine = Machine(path, text, one.root)
    machine.label = one.name or path
    machine.homes = [Home(known.home, known.preference) for known in (one, preference) if known and known.home]
    if one.preference:
        machine.partial = True
    elif one.wanted_preference and preference is None:
        machine.open = machine.partial = machine.unseen = True
        reason = f"what the preference {quoted(one.wanted_preference[1])} adds is not known"
        machine.doubt(reason, "options")
    _arch(machine, one)
    _features(machine)
    _clock(machine)
    _panic(machine)
    _cpu(machine, one)
    _machine_type(machine, one)
    _firmware(machine)
    _devices(machine)
    _implied(machine)
    _frequency(machine)
    _system(machine, one, preference)
    may_be, machine.open = machine.open, False
    machine.finish()
    machine.open = may_be or machine.takes_all
    return machine


def _arch(machine: Machine, one: KubeObject) -> None:
    name = one.text("architecture")
    if name is not None:
        machine.arch = _ARCHITECTURES.get(name, name)
        machine.other = machine.arch != "x86_64"


def _features(machine: Machine) -> None:
    hidden = machine.find("features.kvm.hidden")
    if hidden is not None:
        machine.hidden, machine.places["hidden"] = bool(_boolean(machine, hidden)), hidden
    passthrough = machine.homes[0].find("features.hypervPassthrough") if machine.homes else None
    takes_all = passthrough is not None and _enabled(machine, passthrough) is True
    for row in ROWS:
        field = field_of(row)
        if row.takes_all and passthrough is not None and field:
            machine.settings[row.id] = Setting(row, takes_all, None, passthrough)
        elif field.startswith(f"{HYPERV}.") and field.count(".") == HYPERV.count(".") + 1:
            found = _counting(machine, field, one=machine.homes[:1] if takes_all else machine.homes)
            if found is not None:
                _setting(machine, row, found)
    for home in machine.homes:
        _unknown(machine, home, HYPERV)


def _counting(machine: Machine, field: str, *, one: Sequence[Home]) -> Field | None:
    """The field that counts of those that are written: the VirtualMachine's, whatever is in it."""
    found = [written for home in one if (written := home.find(field))]
    if len(found) > 1:
        machine.shadowed.append((found[0], found[1]))
    return found[0] if found else None


def _setting(machine: Machine, row: Row, field: Field) -> None:
    if field.mapping is None:
        if not _open_text(machine, field):
            machine.wrong(f"{field.path} is a mapping", field, f"write `{field.tag}: {{enabled: true}}`")
        return
    on = _enabled(machine, field)
    if on is None:
        return
    value: int | str | None = None
    written = None
    if row.kind in (Kind.NUMBER, Kind.STRING):
        key = value_key(field_of(row))
        written = field.child(key)
        value = _number(machine, written) if row.kind is Kind.NUMBER else _text(machine, written)
        if row.kind is Kind.NUMBER and written is None:
            value = LEAST_NUMBER
    text = written.entry.value.text if written and isinstance(written.entry.value, Scalar) else None
    attribute = value_key(field_of(row)) if written else ""
    machine.settings[row.id] = Setting(row, on, value, field, text, attribute=attribute)
    for inner in ROWS:
        if on and inner.kubevirt.rpartition(".")[0] == row.kubevirt:
            child = field.child(value_key(inner.kubevirt))
            if child is not None:
                _setting(machine, inner, child)


def _unknown(machine: Machine, home: Home, branch: str) -> None:
    around = home.find(branch)
    known = {field_of(row) for row in ROWS}
    for field in around.children() if around else ():
        if f"{branch}.{field.tag}" in known:
            continue
        guess = did_you_mean(field.tag, [one.rpartition(".")[2] for one in known if one.startswith(f"{branch}.")])
        machine.mistakes.append(
            Mistake("unknown", f"KubeVirt has no field {field.path}", field, guess or "leave it out", name=field.tag)
        )


def _enabled(machine: Machine, field: Field) -> bool | None:
    """Whether a feature is on, which it is without a word; None where that is not known."""
    child = field.child("enabled")
    return True if child is None else _boolean(machine, child)


def _open_text(machine: Machine, field: Field) -> bool:
    """Whether a value is a template's parameter."""
    value = field.entry.value
    if isinstance(value, Scalar) and "${" in value.text:
        machine.doubt(f"{field.path}: {quoted(value.text)} is a parameter of the template")
        return True
    return False


def _boolean(machine: Machine, field: Field) -> bool | None:
    value = field.entry.value
    if _open_text(machine, field):
        return None
    if isinstance(value, Scalar):
        word = value.text.lower()
        if value.plain and word in (*_TRUE, *_FALSE):
            return word in _TRUE
        meant = "true" if word in (*_TRUE, "1") else "false" if word in (*_FALSE, "0") else ""
        if meant:
            message, instead = f"{field.path} is true or false, and {quoted(value.text)} is a text", f"write {meant}"
            machine.mistakes.append(Mistake("value", message, field, instead, "", ("", meant)))
            return meant == "true"
    machine.wrong(f"{field.path} is true or false", field, "write true or false")
    return None


def _number(machine: Machine, field: Field | None) -> int | None:
    if field is None or _open_text(machine, field):
        return None
    value = field.entry.value
    text = value.text.replace("_", "") if isinstance(value, Scalar) and value.plain and len(value.text) < 20 else ""
    try:
        return int(text, 0)
    except ValueError:
        machine.wrong(f"{field.path} is a whole number", field, f"write {roles.ADVISED_NUMBER}")
        return None


def _text(machine: Machine, field: Field | None) -> str | None:
    if field is None or _open_text(machine, field):
        return None
    value = field.entry.value
    if isinstance(value, Scalar):
        return value.text
    machine.wrong(f"{field.path} is a text", field, "write one")
    return None


def _clock(machine: Machine) -> None:
    for home in machine.homes:
        clock = home.written("clock")
        utc, zone = home.find("clock.utc"), home.find("clock.timezone")
        if machine.offset is None and (found := utc or zone):
            # KubeVirt takes utc where both are there.
            machine.offset, machine.places["offset"] = "utc" if utc else "timezone", found
            if utc and (shift := utc.child("offsetSeconds")) and _number(machine, shift):
                machine.doubt("the clock's offsetSeconds: libvirt works out a date when the guest starts")
        known = {"utc", "timezone", "timer", "preferredClockOffset", "preferredTimer"}
        machine.ignored += [field for field in (clock.children() if clock else ()) if field.tag not in known]
        if machine.ignored and machine.offset is None:
            machine.places["offset"] = machine.ignored[0]
    timers = _counting(machine, TIMER, one=machine.homes)
    for field in timers.children() if timers and not is_null(timers.entry.value) else ():
        _timer(machine, field)


def _timer(machine: Machine, field: Field) -> None:
    row = BY_FIELD.get(f"{TIMER}.{field.tag}")
    if is_null(field.entry.value):
        return
    if field.mapping is None or (row is None and field.tag not in _TIMERS):
        if not _open_text(machine, field):
            known = ", ".join(sorted([*_TIMERS, *(value_key(one.kubevirt) for one in roles.CLOCK)]))
            machine.wrong(f"KubeVirt has no {field.path}", field, f"write one of {known}, each with `present`")
        return
    child = field.child("present")
    present = True if child is None else _boolean(machine, child)
    if row is not None:
        if present is not None:
            machine.settings[row.id] = Setting(row, present, None, field, attribute="present" if child else "")
        return
    policy, track = (_word(machine, field, key, words) for key, words in (("tickPolicy", _TICKS), ("track", _TRACKS)))
    machine.timers[_TIMERS[field.tag]] = Timer(field, policy, present if child else None, None, track)


def _word(machine: Machine, field: Field, name: str, words: tuple[str, ...]) -> str | None:
    child = field.child(name)
    text = _text(machine, child)
    if text is None or text in words:
        return text
    machine.wrong(f"{child.path if child else name} cannot be {quoted(text)}", child, f"write {' or '.join(words)}")
    return None


def _panic(machine: Machine) -> None:
    for home in machine.homes:
        path = preferred(PANIC) if home.preference else PANIC
        field = home.written(path) if path else None
        for model in _models(field):
            for row in ROWS:
                if isinstance(row.libvirt, PanicDevice) and row.libvirt.model == model:
                    machine.settings[row.id] = Setting(row, True, None, field)
        if field is not None:
            return


def _models(field: Field | None) -> Iterator[str]:
    value = field.entry.value if field else None
    if isinstance(value, Scalar):
        yield value.text
    for item in value.items if isinstance(value, Items) else ():
        entry = item.find("model") if isinstance(item, Mapping) else None
        if entry and isinstance(entry.value, Scalar):
            yield entry.value.text


def _cpu(machine: Machine, one: KubeObject) -> None:
    model = machine.homes[0].find("cpu.model") if machine.homes and not one.preference else None
    text = _text(machine, model)
    if model is not None:
        machine.places["cpu"] = model
    if text == "host-passthrough":
        machine.cpu = "host"
    elif text and text != "host-model" and is_name(text):
        machine.cpu = text
    elif one.preference or one.instancetype:
        machine.unknown["cpu"] = "the CPU model is the instance type's"
    else:
        machine.doubt("cpu.model host-model: libvirt chooses the CPU model when the guest starts", "cpu")
    for home in machine.homes:
        path = preferred("cpu.features") if home.preference else "cpu.features"
        field = home.written(path) if path else None
        value = field.entry.value if field else None
        for item in value.items if isinstance(value, Items) else ():
            if field is not None and isinstance(item, Mapping):
                _cpu_feature(machine, field, item)
    if not one.preference:
        _vcpus(machine, one)


def _cpu_feature(machine: Machine, field: Field, item: Mapping) -> None:
    said = {entry.key.text: entry for entry in item.entries}
    name = said.get("name")
    if name is None or not isinstance(name.value, Scalar):
        machine.wrong("a CPU feature has no name", item, "write `name: ...`")
        return
    policy = said.get("policy")
    word = policy.value.text if policy and isinstance(policy.value, Scalar) and not is_null(policy.value) else "require"
    key = qemu_name(name.value.text)
    if word not in POLICIES:
        where = Field(policy, field.home, field.path) if policy else field
        machine.wrong(f"the policy of a CPU feature cannot be {quoted(word)}", where, f"write {' or '.join(POLICIES)}")
    elif key not in machine.switches:  # a preference's does not count beside the VirtualMachine's
        machine.switches[key] = Switch(name.value.text, POLICIES[word], name)


def _vcpus(machine: Machine, one: KubeObject) -> None:
    if one.instancetype:
        reason = "the vCPUs are the instance type's"
        machine.unknown.update(vcpus=reason, topology=reason)
        return
    home = machine.homes[0] if machine.homes else None
    fields = {name: home.find(f"cpu.{name}") if home else None for name in ("sockets", "cores", "threads")}
    sizes = {name: _size(machine, field) for name, field in fields.items() if field}
    if any(sizes.values()):
        machine.topology = Topology(sizes.get("sockets") or 1, None, sizes.get("cores") or 1, sizes.get("threads") or 1)
        machine.places["topology"] = machine.places["vcpus"] = next(field for field in fields.values() if field)
        machine.vcpus = prod(size for size in machine.topology if size)
    elif home and (field := home.find("resources.limits.cpu") or home.find("resources.requests.cpu")):
        value = field.entry.value
        if isinstance(value, Scalar) and value.text.isdecimal() and 0 < int(value.text[:6]) < _MOST_VCPUS:
            machine.vcpus, machine.places["vcpus"] = int(value.text[:6]), field
            machine.topology = Topology(machine.vcpus, None, 1, 1)
    dedicated = home.find("cpu.dedicatedCpuPlacement") if home else None
    machine.pinned = bool(dedicated and _boolean(machine, dedicated))


def _size(machine: Machine, field: Field) -> int | None:
    number = _number(machine, field)
    if number is None or 0 <= number < _MOST_VCPUS:
        return number or None
    machine.wrong(f"{field.path} cannot be {number}", field, "write a whole number from 1")
    return None


def _machine_type(machine: Machine, one: KubeObject) -> None:
    field = machine.find("machine.type")
    text = _text(machine, field)
    if text:
        machine.machine, machine.places["machine"] = text, field
    elif not one.preference:
        machine.machine = _MACHINE
    if machine.machine in FAMILIES:
        # Clusters' own types have other names than QEMU's, and a migration carries the one that the guest began with.
        machine.unknown["machine"] = "which version it is, virt-launcher's QEMU decides"


def _firmware(machine: Machine) -> None:
    for home in machine.homes:
        loader = home.written("firmware" if home.preference else "firmware.bootloader")
        for name, kind in _LOADERS:
            if machine.firmware is None and loader and (field := loader.child(name)):
                child = field.child("secureBoot")
                # kubevirt:pkg/virt-launcher/virtwrap/converter/compute/os.go: on without a word.
                secure = _boolean(machine, child) if child else True
                machine.firmware = Firmware(kind, secure if kind == "uefi" else None)
                machine.places["firmware"] = field

        old = loader.child("preferredUseEfi") if loader else None
        if machine.firmware is None and old is not None and _boolean(machine, old):
            boot = loader.child("preferredUseSecureBoot") if loader else None
            machine.firmware = Firmware("uefi", _boolean(machine, boot) if boot else True)
            machine.places["firmware"] = old


_LOADERS = (("efi", "uefi"), ("preferredEfi", "uefi"), ("bios", "bios"))


def _devices(machine: Machine) -> None:
    if not machine.homes or machine.homes[0].preference:
        return
    for path in ("devices.gpus", "devices.hostDevices"):
        field = machine.homes[0].written(path)
        value = field.entry.value if field else None
        for item in value.items if isinstance(value, Items) else ():
            entry = item.find("deviceName") if isinstance(item, Mapping) else None
            if entry and isinstance(entry.value, Scalar):
                machine.devices.append(Device("pci", entry.value.text, entry))


def _implied(machine: Machine) -> None:
    """What KubeVirt turns on, and requires of the CPU, for what is on."""
    for row_id, needed in TURNED_ON:
        setting = machine.settings.get(row_id)
        if setting is not None and setting.on and needed not in machine.settings and not machine.foreign:
            machine.settings[needed] = Setting(BY_ID[needed], True, None, setting.where)
            machine.implied[needed] = row_id
    for row_id, feature in FORCED.items():
        setting = machine.settings.get(row_id)
        if setting is not None and setting.on:
            written = machine.switches.get(feature)
            if written is None or not written.on:
                machine.forced.append((feature, setting, written and written.where))
                machine.switches[feature] = Switch(feature, True, setting.where)


def _frequency(machine: Machine) -> None:
    """KubeVirt writes the TSC's frequency itself (kubevirt:pkg/virt-controller/watch/topology/tsc.go)."""
    invariant = machine.switches.get(INVARIANT_TSC)
    if any(machine.settings[row.id].on for row in roles.TIED_TO_THE_TSC if row.id in machine.settings) or (
        invariant is not None and invariant.on
    ):
        machine.doubt("KubeVirt gives the guest the frequency of a node's TSC when it starts", "tsc_frequency")


def _system(machine: Machine, one: KubeObject, preference: KubeObject | None) -> None:
    """Whether it is Windows, by what names it: annotations and labels of templates, the preference, its own name."""
    said = [*one.system_names, *([one.wanted_preference[1]] if one.wanted_preference else []), one.name]
    said += preference.system_names if preference else []
    for name in (text.lower().replace("windows.", "windows-") for text in said):
        if looks_like(name) and not machine.other:
            machine.windows = True
            machine.release = machine.release or named(name)
