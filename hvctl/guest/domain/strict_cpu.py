"""The CPU of a libvirt domain: model, features, TSC frequency.

Observed with libvirt 9.0, in the arguments that it makes: without a model the guest gets QEMU's default, qemu64; only
the first `<cpu>` and the first `<model>` count; with `match='minimum'` the model that is written is not the guest's.
"""

from typing import TYPE_CHECKING, NamedTuple

from hvctl.catalog.cpu_features import called_otherwise, qemu_name, unknown_to_libvirt
from hvctl.guest.command.cpu_properties import PREFIXES
from hvctl.model.guest import HOST_MODELS
from hvctl.text.problems import quoted

if TYPE_CHECKING:
    from hvctl.guest.domain.strict_reading import Reading
    from hvctl.xml.source import Element

_MODELS = {"host-passthrough": "host", "maximum": "max"}
_POLICIES = {"force": True, "require": True, "optional": None, "disable": False, "forbid": False}
# x86_cpuid_set_tsc_freq, qemu:target/i386/cpu.c
_HIGHEST_FREQUENCY = (1 << 63) - 1


class Cpu(NamedTuple):
    """A guest's CPU, in the words of a Guest."""

    model: str | None
    migratable: bool = True
    enforce: bool = False
    features: tuple[tuple[str, bool], ...] = ()


def read_cpu(domain: "Element", plain: str | None, reading: "Reading") -> Cpu:
    """The CPU of a `<domain>`; `plain` is the model of a guest that names none."""
    found = domain.named("cpu")
    if not found:
        return Cpu(plain)
    element = found[0]
    mode = reading.word(element, "mode", ("custom", "host-model", *_MODELS))
    match = reading.word(element, "match", ("exact", "strict", "minimum"))
    check = reading.word(element, "check", ("none", "partial", "full"))
    if mode in _MODELS:
        model: str | None = _MODELS[mode]
    elif mode == "host-model":
        model = None
        reading.doubt("<cpu mode='host-model'>: libvirt chooses the CPU model when the guest starts")
    else:
        named = _named(element, reading)
        model = named or plain
        if not named and (features := element.named("feature")):
            reading.problems.add("features need a model in this CPU mode", features[0].span, "write <model>...</model>")
        if match == "minimum":
            model = None
            reading.doubt("<cpu match='minimum'>: libvirt chooses the CPU model when the guest starts")
    return Cpu(model, _migratable(element, mode, reading), check == "full", _features(element, reading))


def read_hidden(domain: "Element", reading: "Reading") -> bool:
    """Whether KVM is hidden from the guest; the last word counts."""
    hidden = False
    for features in domain.named("features"):
        for kvm in features.children:
            for element in kvm.children if kvm.local == "kvm" else ():
                if element.local == "hidden":
                    hidden = bool(reading.state(element))
    return hidden


def read_tsc_frequency(domain: "Element", reading: "Reading") -> int | None:
    """The TSC frequency in Hz; of several QEMU takes the last, and 0 is none."""
    frequency = None
    for clock in domain.named("clock"):
        for timer in clock.named("timer"):
            if timer.get("name") == "tsc":
                frequency = reading.number(timer, "frequency", 0, _HIGHEST_FREQUENCY, decimal=True) or frequency
    return frequency


def _named(element: "Element", reading: "Reading") -> str:
    models = element.named("model")
    text = models[0].text() if models else ""
    if text in HOST_MODELS:
        mode = next(mode for mode, model in _MODELS.items() if model == text)
        reading.problems.add(f"libvirt knows no CPU model {text}", models[0].span, f"write <cpu mode='{mode}'/>")
    return text


def _migratable(element: "Element", mode: str | None, reading: "Reading") -> bool:
    word = reading.word(element, "migratable", ("on", "off"))
    if word is not None and mode not in _MODELS:
        hint = f"leave it out, or write mode='{next(iter(_MODELS))}'"
        reading.problems.add("migratable is not for this CPU mode", element.attribute_span("migratable"), hint)
    return word != "off"


def _not_libvirts(name: str) -> str | None:
    """What else there is to say of a name that libvirt takes for no feature; None where it may."""
    if name.replace("_", "-").startswith(PREFIXES):
        return ""
    if right := called_otherwise(name):
        return f": it is called {right}"
    why = unknown_to_libvirt(name)
    return why and f": {why}"


def _features(element: "Element", reading: "Reading") -> tuple[tuple[str, bool], ...]:
    found: dict[str, bool | None] = {}
    for feature in element.named("feature"):
        policy = reading.word(feature, "policy", tuple(_POLICIES))
        name = feature.get("name")
        if not name:
            reading.problems.add("<feature> has no name", feature.span, "write name='...'")
        elif qemu_name(name) in found:
            message = f"CPU feature {quoted(name)} stands here twice"
            reading.problems.add(message, feature.value_span("name"), "libvirt refuses that; leave one out")
        elif (instead := _not_libvirts(name)) is not None:
            reading.doubt(f"libvirt knows no CPU feature {quoted(name)}, and will not start the guest{instead}")
        else:
            found[qemu_name(name)] = _POLICIES[policy or "require"]
    for name in [name for name, on in found.items() if on is None]:
        reading.doubt(f"CPU feature {quoted(name)} is optional: libvirt decides when the guest starts")
    return tuple((name, on) for name, on in found.items() if on is not None)
