"""The `enlightenments` of a profile: catalog rows, by any of their names, to what is wanted of them."""

import re
from collections.abc import Sequence

from hvctl import catalog
from hvctl.catalog import VERSION_SHAPE, parse_version
from hvctl.catalog.types import Kind, Row
from hvctl.model.profile import Ask, Value, Wish
from hvctl.profile.keys import Number, Word
from hvctl.profile.values import SWITCH_WORDS, integer, is_text, not_a_state, read_word, scalar
from hvctl.text.problems import Problems, did_you_mean, quoted
from hvctl.text.yaml_tree import Entry, Mapping, Node, Scalar

STATES = (Ask.ON, Ask.OFF, Ask.PREFER)
# Without its comma: QEMU's option parser ends the value there, and writing two of them is not what libvirt does.
TEXT = r"[\x20-\x2b\x2d-\x7e]"
# Ranges of lines in the sources, for who reads the file.
_LINES = r" \[(?:\d+, )*\d+-\d+(?:, \d+(?:-\d+)?)*\]"
# A rule of dashes, an entry that was commented out, a word to a program.
_NO_REASON = r"[-=~#*_]{3,}|[\w-]+:\s*(?:on|off|prefer|\d+|\{.*)?(?:\s*#.*)?$|(?:yamllint|vim?|prettier-ignore)\b"
_LONGEST = 400
# Kinds whose `on` says nothing without a value.
VALUED = (Kind.NUMBER, Kind.STRING, Kind.VERSION)


def read_wishes(node: Mapping, problems: Problems) -> dict[str, Wish]:
    """The wishes of one file, by row id; each with its span."""
    found: dict[str, Wish] = {}
    first: dict[str, Scalar] = {}
    for entry in node.entries:
        row = _row(entry.key, problems)
        if row is None:
            continue
        if row.id in first:
            known = first[row.id]
            message = f"{quoted(entry.key.text)} is {row.id} again"
            if known.text != row.id:
                message += f", like {quoted(known.text)}"
            problems.add(message, entry.key.span, "leave one of them out", ("first here", known.span))
            continue
        first[row.id] = entry.key
        if wish := _wish(row, entry, problems):
            found[row.id] = wish
    return found


def known_name(text: str) -> Row | None:
    """The row of a name as profiles write it: like every key in small letters, with `-` or `_`."""
    return catalog.find(text) if text == text.strip().lower() else None


def _row(key: Scalar, problems: Problems) -> Row | None:
    row = known_name(key.text)
    if row is None:
        other = catalog.find(key.text)
        hint = f"did you mean '{other.id}'?" if other else did_you_mean(key.text.replace("_", "-"), catalog.names())
        problems.add(f"no enlightenment {quoted(key.text)}", key.span, hint or "`hvctl explain` lists them")
    elif row.experimental:
        problems.add(f"{row.id} is experimental", key.span, "hvctl never writes it; leave it out")
        return None
    return row


def _wish(row: Row, entry: Entry, problems: Problems) -> Wish | None:
    before = len(problems.found)
    match entry.value:
        case Mapping():
            ask, value = _long(row, entry.value, problems)
        case _:
            ask, value = _short(row, entry.value, problems)
    if ask is None or len(problems.found) > before:
        return None
    if value is None and ask is not Ask.OFF:
        if row.kind in VALUED:
            problems.add(f"{row.id}: {ask} needs {_value_name(row)}", entry.span, _example(row, ask))
            return None
        if row.kind is Kind.ON_OFF_AUTO:
            value = "on"
    return Wish(row.id, ask, value, entry.span, _reason(entry.comment))


def _reason(comment: Sequence[str]) -> str:
    """The last paragraph of a comment as a reason: without the lines of sources in brackets, and its last dot."""
    last: list[str] = []
    for line in comment:
        last = [] if not line or re.match(_NO_REASON, line) else [*last, line]
    text = re.sub(_LINES, "", " ".join(last)).rstrip(" .")
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1].rstrip()}…"


def _short(row: Row, node: Node, problems: Problems) -> tuple[Ask | None, Value | None]:
    """`on`, `off`, `prefer`; for a row with a value also the value alone, which means on."""
    wanted = "on, off or prefer" if row.kind is Kind.FLAG else f"on, off, prefer or {_value_name(row)}"
    found = scalar(node, row.id, wanted, problems)
    if found is None:
        return None, None
    if found.text in STATES:
        return Ask(found.text), None
    word = found.text.lower()
    if row.kind is Kind.FLAG or word in SWITCH_WORDS or word in STATES:
        not_a_state(found, row.id, STATES, problems)
        return None, None
    return Ask.ON, read_value(row, found, row.id, problems)


def _long(row: Row, node: Mapping, problems: Problems) -> tuple[Ask | None, Value | None]:
    """A mapping with the keys state and value."""
    ask: Ask | None = None
    value: Value | None = None
    entries = {entry.key.text: entry for entry in node.entries}
    for name, entry in entries.items():
        if name not in ("state", "value"):
            hint = did_you_mean(name, ("state", "value")) or "the keys are state and value"
            problems.add(f"{row.id}: no key {quoted(name)} here", entry.key.span, hint)
    if "state" in entries:
        ask = _state(row, entries["state"].value, problems)
    else:
        problems.add(f"{row.id}: the key `state` is missing", node.span, "add state: on, off or prefer")
    if "value" in entries:
        entry = entries["value"]
        if row.kind is Kind.FLAG:
            problems.add(f"{row.id} takes no value", entry.span, "leave `value` out")
        elif ask is Ask.OFF:
            problems.add(f"{row.id}: a value says nothing beside `state: off`", entry.span, "leave one of them out")
        else:
            found = scalar(entry.value, f"{row.id}: value", _value_name(row), problems)
            value = found and read_value(row, found, f"{row.id}: value", problems)
    return ask, value


def _state(row: Row, node: Node, problems: Problems) -> Ask | None:
    path = f"{row.id}: state"
    found = scalar(node, path, "on, off or prefer", problems)
    if found is None or found.text in STATES:
        return found and Ask(found.text)
    not_a_state(found, path, STATES, problems)
    return None


def read_value(row: Row, found: Scalar, path: str, problems: Problems) -> Value | None:
    """The value of a row that takes one; a problem and None if it is not in its range."""
    match row.kind:
        case Kind.NUMBER:
            return _number(row, found, path, problems)
        case Kind.STRING:
            return _string(row, found, path, problems)
        case Kind.VERSION:
            return _version(found, path, problems)
        case Kind.ON_OFF_AUTO:
            return read_word(Word(ON_OFF_AUTO_WORDS, ""), found, path, problems)
        case Kind.FLAG:
            return None


ON_OFF_AUTO_WORDS = ("on", "auto")


def bounds(row: Row) -> Number:
    """The range of a NUMBER row."""
    return Number(row.minimum or 0, row.maximum or 0x7FFFFFFF, row.title)


def _number(row: Row, found: Scalar, path: str, problems: Problems) -> int | None:
    key = bounds(row)
    number = integer(found, path, _value_name(row), problems)
    if number is None or key.minimum <= number <= key.maximum:
        return number
    hint = f"write {_value_name(row)}"
    if number == row.properties[0].default:
        hint = "QEMU takes this number for not set, which means never: write off"
    problems.add(f"{path} cannot be {number}", found.span, hint)
    return None


def _string(row: Row, found: Scalar, path: str, problems: Problems) -> str | None:
    if not is_text(found, path, problems):
        return None
    if re.fullmatch(f"{TEXT}{{{row.minimum},{row.maximum}}}", found.text):
        return found.text
    if len(found.text) > (row.maximum or 0):
        problems.add(f"{path} has {len(found.text)} characters", found.span, f"at most {row.maximum} fit into CPUID")
    else:
        problems.add(f"{path} cannot be {quoted(found.text)}", found.span, f"write {_value_name(row)}")
    return None


def _version(found: Scalar, path: str, problems: Problems) -> str | None:
    if not is_text(found, path, problems):
        return None
    try:
        parse_version(found.text)
    except ValueError as error:
        problems.add(f"{path} cannot be {quoted(found.text)}", found.span, str(error))
        return None
    return found.text


def _value_name(row: Row) -> str:
    match row.kind:
        case Kind.NUMBER:
            return f"a whole number from {bounds(row).minimum} to {bounds(row).maximum}"
        case Kind.STRING:
            return f"{row.minimum} to {row.maximum} printable ASCII characters without comma"
        case Kind.VERSION:
            return f"a version, {VERSION_SHAPE}"
        case Kind.ON_OFF_AUTO | Kind.FLAG:
            return "auto"


def example(row: Row) -> Value:
    """A value that may be written for a row that needs one: QEMU's default where it is in range, else the least."""
    if row.kind is Kind.NUMBER:
        return bounds(row).minimum
    if row.kind is Kind.VERSION:
        return ".".join(str(known.default) for known in row.properties[:3])
    return str(row.properties[0].default)


def _example(row: Row, ask: Ask) -> str:
    if ask is Ask.ON:
        return f"write `{row.id}: {example(row)}`"
    return f"write `{row.id}: {{state: {ask}, value: {example(row)}}}`"
