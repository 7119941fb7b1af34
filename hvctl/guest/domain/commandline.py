"""What a domain's `<qemu:commandline>` changes of the CPU: libvirt passes it to QEMU after its own arguments.

Observed with QEMU 7.2: of several `-cpu` the last counts whole. A `-global` sets what the `-cpu` in force does not, the
last of several wins, its property has dashes, and its class is the model's or one above it.
"""

from collections.abc import Sequence

from hvctl.catalog import BY_ID
from hvctl.guest.command.cpu import SUFFIX, TSC_FREQUENCY, Assignment, assignments, drivers, set_properties, settings_of
from hvctl.guest.command.line import CommandLine
from hvctl.guest.command.options import global_property, scan
from hvctl.guest.command.reader import read_options
from hvctl.guest.domain.domain import Domain
from hvctl.model.guest import HOST_MODELS, Guest, Replaced
from hvctl.text.problems import short
from hvctl.text.shell_words import Word
from hvctl.xml.document import Element, named

NAMESPACE = "http://libvirt.org/schemas/domain/qemu/1.0"
VALUE = "value"
# Options that change the accelerator after libvirt's own, or bring others in.
_BEYOND = ("accel", "enable-kvm", "readconfig")
# What other options set, and QEMU merges with libvirt's own.
_FACTS = ("machine", "irqchip", "offset", "vcpus", "most_vcpus", "topology", "firmware")


def arguments_of(commandline: Element) -> list[Element]:
    """The `<arg>` elements."""
    return [child for child in commandline.below if child.local == "arg" and child.namespace == NAMESPACE]


def read_commandlines(domain: Domain) -> None:
    """Read all `<qemu:commandline>` of a domain, of which all else is read."""
    cpus: list[tuple[str, Element]] = []
    globals_: list[tuple[str, Assignment]] = []
    for commandline in domain.commandlines:
        if commandline.namespace != NAMESPACE:
            domain.ignored.append(commandline)
            domain.doubt(f"libvirt ignores {named(commandline.tag)}: its namespace is not {NAMESPACE}")
            continue
        arguments = arguments_of(commandline)
        for argument in arguments:
            if argument.get(VALUE) is None:
                domain.wrong(f"{named(argument.tag)} has no value", argument, "write value='...'")
        _scan(domain, arguments, cpus, globals_)
        _read_others(domain, arguments)
    if cpus:
        _replace(domain, cpus, globals_)
    elif globals_:
        _add(domain, globals_)


def _scan(
    domain: Domain,
    arguments: Sequence[Element],
    cpus: list[tuple[str, Element]],
    globals_: list[tuple[str, Assignment]],
) -> None:
    position = 0
    for option in scan([argument.get(VALUE) or "" for argument in arguments]):
        position += len(option.words)
        where = arguments[position - 1]
        if option.name in _BEYOND or (option.name in ("machine", "M") and "accel=" in (option.value or "")):
            domain.doubt(f"-{short(option.name)} in <qemu:commandline> was not read")
        elif option.name == "cpu" and option.value:
            cpus.append((option.value, where))
        elif option.name == "global" and option.value and (parts := global_property(option.value)):
            globals_.append((parts[0], Assignment(parts[1], parts[2], where, VALUE)))


def _read_others(domain: Domain, arguments: Sequence[Element]) -> None:
    """Read what other options say than those that set properties of the CPU."""
    values = [argument.get(VALUE) or "" for argument in arguments]
    words = [Word(value, [number] * (len(value) + 1)) for number, value in enumerate(values)]
    if not words:
        return
    command = CommandLine("", "", words[0])
    read_options(command, words)
    for fact in _FACTS:
        place, value = command.places.get(fact.removeprefix("most_")), getattr(command, fact)
        if place is not None and value is not None:
            setattr(domain, fact, value)
            domain.places[fact] = arguments[place.offsets[0]]
    for name, timer in command.timers.items():
        said = {key: value for key, value in timer._asdict().items() if value is not None}
        merged = domain.timers.get(name, timer)._replace(**said)
        domain.timers[name] = merged._replace(where=arguments[timer.where.offsets[0]])
    domain.devices += [device._replace(where=arguments[device.where.offsets[0]]) for device in command.devices]
    domain.mistakes += [
        mistake._replace(where=arguments[mistake.where.offsets[0]], attribute=VALUE) for mistake in command.mistakes
    ]


def _replace(domain: Domain, cpus: list[tuple[str, Element]], globals_: list[tuple[str, Assignment]]) -> None:
    """Put the last `-cpu` in the place of libvirt's; a comma cannot be doubled there."""
    domain.finish()
    domain.replaced.append(Replaced(domain.hyperv[-1] if domain.hyperv else domain.root, domain.qemu_names))
    for value, where in cpus[:-1]:
        domain.replaced.append(Replaced(where, _read_alone(value, where).qemu_names))
    value, domain.cpu_argument = cpus[-1]
    model, *words = [word for word in value.split(",") if word] or [""]
    domain.settings, domain.switches, domain.properties = {}, {}, ()
    domain.open = domain.hidden = domain.enforce = False
    domain.migratable, domain.tsc_frequency = True, None
    domain.cpu, domain.places["cpu"] = model, domain.cpu_argument
    domain.unknown.pop("cpu", None)
    reached = drivers(model)
    own = [one._replace(where=domain.cpu_argument, attribute=VALUE) for one in assignments(words)]
    set_properties(domain, [*(one for driver, one in globals_ if driver in reached), *own])
    domain.finish()
    domain.open = domain.takes_all


def _read_alone(value: str, where: Element) -> Guest:
    guest = Guest("")
    set_properties(guest, [one._replace(where=where) for one in assignments(value.split(",")[1:])])
    guest.finish()
    return guest


def _add(domain: Domain, globals_: list[tuple[str, Assignment]]) -> None:
    """Set what reaches the CPU and libvirt's own `-cpu` does not set."""
    reached = drivers(domain.cpu)
    reaching: dict[str, Assignment] = {}
    for driver, one in globals_:
        if driver in reached:
            reaching[one.name] = one
        elif domain.cpu is None and driver.endswith(SUFFIX):
            domain.doubt(f"-global {short(driver)}.{short(one.name)} was not read: the CPU model is not known")
    domain.arguments = {setting.id: setting for setting in settings_of(reaching, domain.machine or "")}
    fixed = _set_by_libvirt(domain)
    set_properties(domain, [one for name, one in reaching.items() if name not in fixed])
    domain.open = domain.open or any(setting.on and setting.row.takes_all for setting in domain.arguments.values())


def _set_by_libvirt(domain: Domain) -> set[str]:
    """The properties in libvirt's `-cpu`, which no `-global` changes; what is off is not written there."""
    on = [setting.id for setting in domain.settings.values() if setting.on]
    names = {each.name for row_id in on for each in BY_ID[row_id].properties} | set(domain.switches)
    # migratable is written for the model host whether or not the domain mentions it.
    there = (
        ("kvm", domain.hidden),
        (TSC_FREQUENCY, domain.tsc_frequency),
        ("migratable", domain.cpu == HOST_MODELS[0]),
    )
    return names | {name for name, written in there if written}
