"""A plan as the lines of a Vagrantfile for vagrant-libvirt."""

from collections.abc import Iterator

from hvctl.catalog import ROWS
from hvctl.catalog.cpu_models import libvirt_name
from hvctl.catalog.vagrant import FEATURES, TIMERS
from hvctl.model.guest import HOST_MODELS
from hvctl.model.plan import Layer, Plan, Platform

PLATFORM = Platform(
    Layer.VAGRANT,
    {
        row.id: ("vagrant-libvirt has no option that can write it", "")
        for row in ROWS
        if row.id not in (*FEATURES, *TIMERS)
    },
)
"""vagrant-libvirt as a layer."""


def lines(plan: Plan) -> tuple[str, ...]:
    """The lines of a usable plan, for a block whose parameter is `libvirt`."""
    return tuple(f"libvirt.{line}" for line in (*_cpu(plan), *_features(plan), *_clock(plan)))


def lost(plan: Plan) -> tuple[str, ...]:
    """Sentences about what of a plan a Vagrantfile cannot say."""
    if plan.cpu.model not in HOST_MODELS or not plan.cpu.features:
        return ()
    # vagrant-libvirt lib/vagrant-libvirt/config.rb, validate()
    names = ", ".join(name for name, _ in plan.cpu.features)
    return (f"CPU features {names}: vagrant-libvirt takes them only beside a named CPU model",)


def _cpu(plan: Plan) -> Iterator[str]:
    yield f"machine_type = {_ruby(plan.machine.type)}"
    if plan.cpu.model in HOST_MODELS:
        yield 'cpu_mode = "host-passthrough"'
    else:
        yield 'cpu_mode = "custom"'
        yield f"cpu_model = {_ruby(plan.cpu.model)}"
        yield 'cpu_fallback = "forbid"'
        for name, on in plan.cpu.features:
            yield f"cpu_feature name: {_ruby(libvirt_name(name))}, policy: {_ruby('require' if on else 'disable')}"
    if plan.cpu.hidden:
        yield "kvm_hidden = true"


def _features(plan: Plan) -> Iterator[str]:
    for decision in plan.enabled():
        if decision.id in FEATURES:
            value = "" if decision.value is None else f", retries: {_ruby(str(decision.value))}"
            yield f'hyperv_feature name: {_ruby(FEATURES[decision.id])}, state: "on"{value}'


def _clock(plan: Plan) -> Iterator[str]:
    clock = plan.clock
    yield f"clock_offset = {_ruby(clock.offset)}"
    yield f'clock_timer name: "rtc", tickpolicy: {_ruby(clock.rtc)}'
    yield f'clock_timer name: "pit", tickpolicy: {_ruby(clock.pit)}'
    yield f'clock_timer name: "hpet", present: {_ruby("yes" if clock.hpet else "no")}'
    for decision in plan.enabled():
        if decision.id in TIMERS:
            yield f'clock_timer name: {_ruby(TIMERS[decision.id])}, present: "yes"'
    if plan.cpu.tsc_frequency is not None:
        yield f'clock_timer name: "tsc", frequency: "{plan.cpu.tsc_frequency}"'


def _ruby(text: str) -> str:
    """A string of Ruby: `#` begins no interpolation in it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("#", "\\#")
    return f'"{escaped}"'
