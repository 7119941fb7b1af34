"""A profile as YAML: parents merged, defaults written out, enlightenments by their ids. What it gives decodes to the
same profile."""

from __future__ import annotations

import re

from yaml.resolver import Resolver

from hvctl.model.profile import Profile, Wish

_BARE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def to_yaml(profile: Profile) -> str:
    """The YAML text of a profile, without comments."""
    lines = ["version: 1", f"name: {_word(profile.name)}"]
    if profile.description:
        lines.append(f"description: {_quoted(profile.description)}")
    lines += ["guest:", f"  os: {profile.os}"]
    if profile.uses:
        lines.append(f"  uses: [{', '.join(profile.uses)}]")
    lines += [f"migration: {profile.migration}", f"machine: {_word(profile.machine)}", *_cpu(profile)]
    if profile.tsc_frequency is not None:
        lines.append(f"tsc-frequency: {profile.tsc_frequency}")
    lines += ["vcpus:", f"  pinned: {_switch(profile.pinned)}"]
    if profile.wishes:
        lines.append("enlightenments:")
        for wish in profile.wishes:
            lines += _wish(wish)
    return "\n".join((*lines, *_clock(profile))) + "\n"


def _cpu(profile: Profile) -> list[str]:
    cpu = profile.cpu
    lines = ["cpu:", f"  model: {_word(cpu.model)}", f"  hidden: {_switch(cpu.hidden)}"]
    if cpu.features:
        lines += ["  features:", *(f"    {_word(name)}: {_switch(on)}" for name, on in cpu.features)]
    return lines


def _wish(wish: Wish) -> list[str]:
    if wish.value is None:
        return [f"  {wish.id}: {wish.ask}"]
    value = wish.value if isinstance(wish.value, int) else wish.value if wish.value == "on" else _word(wish.value)
    return [f"  {wish.id}:", f"    state: {wish.ask}", f"    value: {value}"]


def _clock(profile: Profile) -> list[str]:
    clock = profile.clock
    timers = (f"hpet: {_switch(clock.hpet)}", f"rtc: {clock.rtc}", f"pit: {clock.pit}")
    return ["clock:", f"  offset: {clock.offset}", "  timers:", *(f"    {timer}" for timer in timers)]


def _switch(on: bool) -> str:
    return "on" if on else "off"


def _word(text: str) -> str:
    """A text without quotes, if YAML takes it for text then."""
    resolvers = Resolver.yaml_implicit_resolvers.get(text[:1], ())
    if _BARE.fullmatch(text) and not any(pattern.match(text) for _tag, pattern in resolvers):
        return text
    return _quoted(text)


def _quoted(text: str) -> str:
    escapes = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}
    return (
        '"'
        + "".join(escapes.get(char) or (char if char.isprintable() else f"\\U{ord(char):08x}") for char in text)
        + '"'
    )
