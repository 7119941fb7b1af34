"""Profile YAML to the model and back: a file and its parents read and merged, the defaults filled in.

What is written has the parents merged, the defaults, and enlightenments by their ids. It decodes to the same profile.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from hvctl import catalog
from hvctl.catalog.types import Kind
from hvctl.catalog.windows import BY_OS
from hvctl.errors import InputError, Span, UsageError
from hvctl.model.profile import ClockChoice, CpuChoice, Migration, Profile, Wish
from hvctl.profile import source as profile_source
from hvctl.profile.decode import Settings, decode
from hvctl.profile.keys import NAME
from hvctl.profile.source import Source, shipped_names
from hvctl.profile.values import yaml_takes_for_text
from hvctl.text.problems import Problems, did_you_mean, quoted
from hvctl.text.recognition import FileKind, check_kind
from hvctl.text.yaml_nodes import parse

MOST_PARENTS = 16
# What a file says of itself, and not for those that extend it.
_OWN = ("version", "name", "description", "extends")


class Layer(NamedTuple):
    """What one file of a chain of parents says. `default_name` is for a profile without the key `name`."""

    default_name: str
    settings: Settings


def load_profile(name_or_path: str) -> Profile:
    """The profile of a shipped name, of a file, or of stdin (`-`).

    Args:
        name_or_path: shipped names go first; a file of such a name is `./NAME`.

    Raises:
        UsageError: it is neither the name of a shipped profile nor a file.
        InputError: the profile, or a parent of it, is wrong; every mistake is in it.
    """
    return _profile(open_source(name_or_path))


def profile_from_text(text: str, path: str = "<text>") -> Profile:
    """The profile of a text; what it extends by path is relative to the working directory. Raises InputError."""
    return _profile(Source(path, text.removeprefix("\ufeff")))


def decode_text(text: str, path: str, problems: Problems) -> Settings:
    """The settings of one file, without its parents; raises InputError where there is no tree to read."""
    root = parse(text, path, problems)
    if root is None:
        problems.add(
            f"{path} is empty", Span(path, 1, 1, 1, 1, text[:80].partition("\n")[0]), "begin with `version: 1`"
        )
        problems.stop()
    return decode(root, problems)


def merged(layers: Sequence[Layer]) -> Profile:
    """One profile of a chain of files, the child first: what a child says wins, key by key; then the defaults."""
    settings: Settings = {}
    for layer in reversed(layers):
        settings = {path: setting for path, setting in settings.items() if path not in _OWN} | layer.settings

    def get(path: str, default: Any = None) -> Any:
        return settings[path].value if path in settings else default

    guest = BY_OS[get("guest.os", "other")]
    features = tuple(value.value for path, value in settings.items() if path.startswith("cpu.features."))
    wishes: list[Wish] = [value.value for path, value in settings.items() if path.startswith("enlightenments.")]
    return Profile(
        name=get("name", layers[0].default_name),
        description=get("description", ""),
        os=guest.id,
        uses=get("guest.uses", ()),
        migration=Migration(get("migration", Migration.REQUIRED)),
        machine=get("machine", guest.machine),
        cpu=CpuChoice(get("cpu.model", "host"), get("cpu.hidden", False), features),
        tsc_frequency=get("tsc-frequency"),
        pinned=get("vcpus.pinned", False),
        wishes=tuple(sorted(wishes, key=lambda wish: catalog.ORDER[wish.id])),
        clock=ClockChoice(
            get("clock.offset", guest.offset),
            get("clock.timers.hpet", False),
            get("clock.timers.rtc", "catchup"),
            get("clock.timers.pit", "delay"),
        ),
        spans=tuple((path, setting.span) for path, setting in settings.items()),
    )


def _profile(source: Source) -> Profile:
    """The profile of a file and its parents, without a mistake in it."""
    from hvctl.profile.conflicts import conflicts

    problems = Problems()
    try:
        profile = merged(_layers(source, problems))
        problems.found += conflicts(profile, partial=bool(problems.found))
        problems.check()
    except InputError:
        check_kind(source.text, source.path, FileKind.PROFILE)
        raise
    return profile


def open_source(name_or_path: str) -> Source:
    """The text that `load_profile` reads for a name; raises as it does."""
    if name_or_path == "-":
        return profile_source.from_file(name_or_path)
    if known := profile_source.from_shipped(name_or_path):
        return known
    if not _is_path(name_or_path) and not profile_source.exists(name_or_path):
        hint = did_you_mean(name_or_path, shipped_names())
        raise UsageError(
            f"no profile {quoted(name_or_path)}: neither a shipped one nor a file",
            f"{hint} see `hvctl profile list`".lstrip(),
        )
    return profile_source.from_file(name_or_path)


def _is_path(text: str) -> bool:
    return "/" in text or text.endswith((".yaml", ".yml"))


def _layers(source: Source, problems: Problems) -> list[Layer]:
    """The settings of a file and of its parents, the child first; stops at the first parent that cannot be had."""
    layers: list[Layer] = []
    chain = {source.identity: source.path}
    while True:
        settings = decode_text(source.text, source.path, problems)
        layers.append(Layer(_name_of(source.path), settings))
        extends = settings.get("extends")
        if extends is None:
            return layers
        parent = _parent(source, extends.value, extends.span, problems)
        if parent is None:
            return layers
        if parent.identity in chain or len(chain) > MOST_PARENTS:
            message = "extends goes round in a circle"
            if parent.identity not in chain:
                message = f"extends goes on for more than {MOST_PARENTS} parents"
            problems.add(f"{message}: {' -> '.join([*chain.values(), parent.path])}", extends.span)
            return layers
        chain[parent.identity] = parent.path
        source = parent


def _parent(child: Source, name: str, span: Span, problems: Problems) -> Source | None:
    try:
        if _is_path(name):
            return profile_source.from_file(profile_source.beside(child, name), pipe=False)
        known = profile_source.from_shipped(name)
        if known is None:
            hint = did_you_mean(name, shipped_names()) or "see `hvctl profile list`; write a file's path with a `/`"
            problems.add(f"extends: no profile {quoted(name)} is shipped", span, hint)
        return known
    except InputError as error:
        for problem in error.problems:
            related = () if problem.span is None else (("extended here", span),)
            problems.add(f"extends: {problem.message}", problem.span or span, problem.hint, *related)
        return None


def _name_of(path: str) -> str:
    """A name for a profile that does not say its own: its file's, without the suffix."""
    stem = path.rpartition("/")[2]
    for suffix in (".yaml", ".yml"):
        stem = stem.removesuffix(suffix)
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:64] or "profile"


def to_yaml(profile: Profile) -> str:
    """The YAML text of a profile, without comments, and so without reasons."""
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
    # `on` of a text is text, and of a switch one.
    plain = isinstance(wish.value, int) or catalog.BY_ID[wish.id].kind is Kind.ON_OFF_AUTO
    value = wish.value if plain else _word(str(wish.value))
    return [f"  {wish.id}:", f"    state: {wish.ask}", f"    value: {value}"]


def _clock(profile: Profile) -> list[str]:
    clock = profile.clock
    timers = (f"hpet: {_switch(clock.hpet)}", f"rtc: {clock.rtc}", f"pit: {clock.pit}")
    return ["clock:", f"  offset: {clock.offset}", "  timers:", *(f"    {timer}" for timer in timers)]


def _switch(on: bool) -> str:
    return "on" if on else "off"


def _word(text: str) -> str:
    """A text without quotes, if YAML takes it for text then."""
    return text if re.fullmatch(NAME, text) and yaml_takes_for_text(text) else _quoted(text)


def _quoted(text: str) -> str:
    escapes = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}
    return (
        '"'
        + "".join(escapes.get(char) or (char if char.isprintable() else f"\\U{ord(char):08x}") for char in text)
        + '"'
    )
