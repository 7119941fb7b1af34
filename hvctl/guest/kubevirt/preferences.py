"""Preferences by kind and name: those of a machine's own file, and those of other files that are read with it."""

from collections.abc import Callable, Iterable, Sequence

from hvctl.errors import InputError
from hvctl.guest.kubevirt.objects import KubeObject, objects
from hvctl.text.problems import Problems, quoted
from hvctl.text.yaml_nodes import parse_stream

Preferences = dict[tuple[str, str], list[KubeObject]]
Elsewhere = Callable[[], Preferences]
"""The preferences of other files, worked out when the first machine asks for one."""

# All kinds end in it; a file without the word is not parsed.
_KIND = b"Preference"


def by_name(found: Iterable[KubeObject]) -> Preferences:
    """The preferences among objects."""
    known: Preferences = {}
    for one in found:
        if one.is_preference:
            known.setdefault((one.kind, one.name), []).append(one)
    return known


def preferences_in(files: Iterable[tuple[bytes, str]]) -> Preferences:
    """The preferences of whole files, each with its name; one that is no YAML has none, and is reported elsewhere."""
    return by_name(one for data, path in files if _KIND in data for one in _objects(data, path))


def _objects(data: bytes, path: str) -> Sequence[KubeObject]:
    try:
        return list(objects(parse_stream(data.decode("utf-8", "surrogateescape"), path, Problems())))
    except InputError:
        return ()


def preference_of(machine: KubeObject, own: Preferences, elsewhere: Elsewhere) -> tuple[KubeObject | None, str]:
    """The preference that a machine has, of its own file before those of others; or why it is not known."""
    wanted = machine.wanted_preference
    if wanted is None:
        return None, ""
    for known in (own, elsewhere()):
        found = [one for one in known.get(wanted, ()) if one.reaches(machine)]
        if len(found) > 1 and known is not own:
            places = ", ".join(f"{one.root.span.path}:{one.root.span.line}" for one in found)
            return None, f"there are several preferences {quoted(wanted[1])}: {places}"
        if found:
            return found[-1], ""
    return None, f"what the preference {quoted(wanted[1])} adds is not known"
