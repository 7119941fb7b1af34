"""The CPU of a libvirt domain: model, features, topology.

Observed with libvirt 9.0, in the arguments that it makes: without a model the guest gets QEMU's default, qemu64; only
the first `<cpu>` and the first `<model>` count; with `match='minimum'` the model that is written is not the guest's.
"""

from hvctl.catalog.cpu_models import CPU_MODES, called_otherwise, is_name, qemu_name, unknown_to_libvirt
from hvctl.catalog.roles import PREFIXES
from hvctl.guest.domain.domain import Domain
from hvctl.model.guest import HOST_MODELS, Switch, Topology
from hvctl.text.c_numbers import decimal_number
from hvctl.text.problems import quoted
from hvctl.xml.document import Element

POLICIES = {"force": True, "require": True, "optional": None, "disable": False, "forbid": False}
# libvirt keeps the number in 16 bits (libvirt:src/conf/domain_conf.c, virDomainDefParseCPUCount()).
_MOST_VCPUS = 1 << 16
_COUNTS = Topology._fields
# What most say.
_FEW = frozenset(map(str, range(1, 129)))
_STATES = {"on": True, "off": False}
# Of elements in <cpu> the properties of QEMU's, by their mode.
_PROPERTIES: dict[str, dict[str, tuple[tuple[str, str], ...]]] = {
    "cache": {
        "emulate": (("l3-cache", "on"), ("host-cache-info", "off")),
        "passthrough": (("host-cache-info", "on"), ("l3-cache", "off")),
        "disable": (("l3-cache", "off"), ("host-cache-info", "off")),
    },
    "maxphysaddr": {
        "emulate": (("phys-bits", "{bits}"),),
        "passthrough": (("host-phys-bits", "on"), ("host-phys-bits-limit", "{limit}")),
    },
}


def read_cpu(domain: Domain, element: Element) -> None:
    """Read the first `<cpu>` into a domain, whose `cpu` is the model of a guest that names none."""
    if domain.cpu_element is not None:
        return
    domain.cpu_element = element
    domain.places["cpu"] = element
    mode = one_of(domain, element, "mode", ("custom", "host-model", *CPU_MODES))
    match = one_of(domain, element, "match", ("exact", "strict", "minimum"))
    check = one_of(domain, element, "check", ("none", "partial", "full"))
    migratable = one_of(domain, element, "migratable", ("on", "off"))
    if migratable is not None:
        domain.migratable = migratable != "off"
        domain.places["migratable"] = element
        if mode not in CPU_MODES:
            instead = f"leave it out, or write mode='{next(iter(CPU_MODES))}'"
            domain.wrong("migratable is not for this CPU mode", element, instead, "migratable")
    domain.enforce = check == "full"
    features: list[Element] = []
    model: Element | None = None
    for child in element.below:
        if child.tag == "feature":
            features.append(child)
        elif child.tag == "model" and model is None:
            model = child
        elif child.tag == "topology":
            said = child.values
            counts = [count(domain, child, said[name], name) if name in said else None for name in _COUNTS]
            domain.topology = Topology(*counts)
            domain.places["topology"] = child
        elif child.tag in _PROPERTIES:
            _properties(domain, child)
    if mode in CPU_MODES:
        domain.cpu = CPU_MODES[mode]
    elif mode == "host-model":
        domain.cpu = None
        domain.doubt("<cpu mode='host-model'>: libvirt chooses the CPU model when the guest starts", "cpu")
    else:
        _named_model(domain, model, features)
        if match == "minimum":
            domain.cpu = None
            domain.doubt("<cpu match='minimum'>: libvirt chooses the CPU model when the guest starts", "cpu")
    for feature in features:
        _feature(domain, feature)


def _properties(domain: Domain, element: Element) -> None:
    """Read an element that libvirt writes into `-cpu` as properties (libvirt:src/qemu/qemu_command.c,
    qemuBuildCpuCommandLine())."""
    for name, value in _PROPERTIES[element.tag].get(element.get("mode") or "", ()):
        # A value in braces is an attribute's.
        text = element.get(value[1:-1]) if value.startswith("{") else value
        if text in _STATES:
            domain.switches[name] = Switch(name, _STATES[text], element)
        elif text:
            domain.properties = (*domain.properties, (name, text))


def _named_model(domain: Domain, model: Element | None, features: list[Element]) -> None:
    text = model.text().strip() if model is not None else ""
    if text and not is_name(text):
        domain.wrong(f"libvirt knows no CPU model {quoted(text)}", model, "write the name of a model")
        return
    if text in HOST_MODELS:
        mode = next(mode for mode, known in CPU_MODES.items() if known == text)
        domain.wrong(f"libvirt knows no CPU model {text}", model, f"write <cpu mode='{mode}'/>")
    if text:
        domain.cpu = text
    elif features:
        domain.wrong("features need a model in this CPU mode", features[0], "write <model>...</model>")


def _feature(domain: Domain, element: Element) -> None:
    policy = one_of(domain, element, "policy", tuple(POLICIES))
    name = element.get("name")
    if not name:
        domain.wrong("<feature> has no name", element, "write name='...'")
        return
    switch = Switch(name, POLICIES[policy or "require"], element)
    domain.cpu_features.append(switch)
    key = qemu_name(name)
    if key in domain.switches:
        domain.wrong(f"duplicate CPU feature {quoted(name)}", element, "leave one out: libvirt refuses both", "name")
    elif (instead := _not_libvirts(name)) is not None:
        domain.doubt(f"libvirt knows no CPU feature {quoted(name)}, and will not start the guest{instead}")
    else:
        domain.switches[key] = switch
        if switch.on is None:
            domain.doubt(f"CPU feature {quoted(name)} is optional: libvirt decides when the guest starts")


def _not_libvirts(name: str) -> str | None:
    """What else there is to say of a name that libvirt takes for no feature; None where it may."""
    if name.replace("_", "-").startswith(PREFIXES):
        return ""
    if right := called_otherwise(name):
        return f": its name is {right}"
    why = unknown_to_libvirt(name)
    return why and f": {why}"


def count(domain: Domain, element: Element, text: str, attribute: str = "") -> int | None:
    """A number of vCPUs, or of sockets and the like; None where it is wrong, which is a mistake."""
    number = int(text) if text in _FEW else decimal_number(text.strip())
    if not (number and number < _MOST_VCPUS):
        what = attribute if attribute in _COUNTS else "vCPUs"
        domain.wrong(f"{quoted(text)} is no number of {what}", element, "write a whole number from 1", attribute)
        return None
    return number


def one_of(domain: Domain, element: Element, name: str, words: tuple[str, ...]) -> str | None:
    """An attribute's value if it is one of the words; None where it is not there, or wrong, which is a mistake."""
    text = element.written.values.get(name)
    if text is None or text in words:
        return text
    domain.wrong(f"{name} of <{element.tag}> cannot be {quoted(text)}", element, f"write {' or '.join(words)}", name)
    return None
