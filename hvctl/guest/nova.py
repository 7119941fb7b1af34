"""A plan for OpenStack nova: properties of an image, extra specs of a flavor, and nova.conf of the compute nodes."""

import shlex
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from hvctl.catalog import BY_ID, ROWS
from hvctl.catalog.cpu_models import libvirt_name
from hvctl.catalog.nova import CPU_TRAITS, GIVEN, GIVEN_HIDDEN, OFFSETS, PIT, RTC, trait_of
from hvctl.catalog.sets import Member
from hvctl.model.guest import HOST_MODELS
from hvctl.model.plan import Decision, Layer, Outcome, Plan, Platform
from hvctl.model.profile import Ask, Profile, Wish

_ALWAYS = "nova turns it on for every guest with os_type=windows"


class Specs(NamedTuple):
    """What is set where, and sentences about what of the plan cannot be set."""

    image: Mapping[str, str]
    flavor: Mapping[str, str]
    libvirt: Mapping[str, str]
    lost: tuple[str, ...]


def _is_windows(profile: Profile) -> bool:
    """Whether the profile wants any enlightenment: only os_type=windows gives some."""
    return any(wish.ask is not Ask.OFF for wish in profile.wishes)


def _given(profile: Profile) -> dict[str, Member]:
    members = (*GIVEN, *(GIVEN_HIDDEN if profile.cpu.hidden else ())) if _is_windows(profile) else ()
    return {member.id: member for member in members}


def platform(profile: Profile) -> Platform:
    """Nova as a layer: what it turns on for no guest."""
    given = _given(profile)
    lacking = {row.id: ("nova has no switch for it", "") for row in ROWS if row.id not in given}
    return Platform(Layer.NOVA, lacking)


def as_given(profile: Profile) -> Profile:
    """A profile that demands what nova gives anyway, with nova's values."""
    given = _given(profile)
    own = {wish.id: wish for wish in profile.wishes}
    wishes = []
    for row in ROWS:
        wish = own.get(row.id)
        if row.id in given and (wish is None or wish.ask is not Ask.OFF):
            wish = Wish(row.id, Ask.ON, given[row.id].value, wish and wish.span, _ALWAYS)
        if wish is not None:
            wishes.append(wish)
    return profile._replace(wishes=tuple(wishes))


def judged(plan: Plan, profile: Profile) -> Plan:
    """The plan, refused where nova gives what a host cannot, or what the profile turns off."""
    given = _given(profile)
    off = {wish.id for wish in profile.wishes if wish.ask is Ask.OFF}
    refusals = [one._replace(reason=f"{one.reason}; {_ALWAYS}") if one.id in given else one for one in plan.refusals]
    for row_id in given:
        if row_id in off:
            remedy = "leave it out of the profile"
            refusals.append(Decision(row_id, Outcome.REFUSED, None, _ALWAYS, Layer.NOVA, None, "off", remedy))
    return plan._replace(refusals=tuple(refusals))


def specs(plan: Plan, profile: Profile, *, traits: bool = False) -> Specs:
    """What a usable plan is for nova, resolved of `as_given(profile)`; with `traits` the flavor selects hosts, too."""
    image = {"os_type": "windows"} if _is_windows(profile) else {}
    image |= {"hw_machine_type": plan.machine.type, "hw_time_hpet": str(plan.clock.hpet).lower()}
    if plan.cpu.hidden:
        image["img_hide_hypervisor_id"] = "true"
    flavor = {f"trait:{name}": "required" for name in _traits(plan)} if traits else {}
    return Specs(image, flavor, _cpu(plan), tuple(_lost(plan, profile)))


def _traits(plan: Plan) -> Iterator[str]:
    for decision in plan.enabled():
        yield trait_of(decision.id)
    for name, on in plan.cpu.features:
        if on and name in CPU_TRAITS:
            yield CPU_TRAITS[name]


def _cpu(plan: Plan) -> dict[str, str]:
    """The keys below [libvirt] in nova.conf."""
    cpu = plan.cpu
    host = cpu.model == HOST_MODELS[0]
    found = {"cpu_mode": "host-passthrough"} if host else {"cpu_mode": "custom", "cpu_models": cpu.model}
    if cpu.features:
        flags = (f"{'+' if on else '-'}{libvirt_name(name)}" for name, on in cpu.features)
        found["cpu_model_extra_flags"] = ", ".join(flags)
    return found


def _lost(plan: Plan, profile: Profile) -> Iterator[str]:
    given = _given(profile)
    for wish in profile.wishes:
        if wish.id in given and wish.ask is not Ask.OFF and wish.value not in (None, given[wish.id].value):
            yield f"{wish.id} {wish.value}: nova writes {given[wish.id].value}"
    clock = plan.clock
    offset = OFFSETS[_is_windows(profile)]
    for name, wanted, has in (("clock", clock.offset, offset), ("rtc", clock.rtc, RTC), ("pit", clock.pit, PIT)):
        if wanted != has:
            yield f"{name} {wanted}: nova writes {has}"
    if plan.cpu.tsc_frequency is not None:
        yield "tsc-frequency: nova has no field for it"


def to_shell(found: Specs) -> str:
    """The commands for a shell that has the names in IMAGE and FLAVOR, and nova.conf's keys as comments."""
    lines = [_command("image", found.image)]
    if found.flavor:
        lines.append(_command("flavor", found.flavor))
    lines += ["# No image or flavor chooses the CPU: in nova.conf of each compute node", "# [libvirt]"]
    lines += [f"# {key} = {value}" for key, value in found.libvirt.items()]
    return "\n".join(lines) + "\n"


def _command(what: str, properties: Mapping[str, str]) -> str:
    words = [f"--property {shlex.quote(f'{key}={value}')}" for key, value in properties.items()]
    return " \\\n    ".join((f"openstack {what} set", *words, f'"${what.upper()}"'))


def given_only(plan: Plan, profile: Profile) -> tuple[str, ...]:
    """The rows that are on only because nova turns them on."""
    asked = {wish.id for wish in profile.wishes}
    return tuple(decision.id for decision in plan.enabled() if BY_ID[decision.id].id not in asked)
