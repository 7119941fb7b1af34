"""The JSON Schema (draft-07) of a profile, from the table of keys and the catalog: editors complete and explain by it.

It says the same as the decoder as far as data goes. Editors read YAML 1.1, where a bare `on` is the boolean true: so
the schema takes both, and only the decoder, which sees the source text, refuses `yes` and `true`. Conflicts between
keys, duplicates (also by alias), anchors, tags, size, encoding and what `extends` names are the decoder's alone.
"""

from typing import Any

from hvctl import catalog
from hvctl.catalog import version_limits
from hvctl.catalog.types import Kind, Row
from hvctl.model.profile import Ask
from hvctl.profile import keys
from hvctl.profile.values import SWITCH_WORDS
from hvctl.profile.wishes import ON_OFF_AUTO_WORDS, STATES, TEXT, bounds

Schema = dict[str, Any]

_BOOLEANS = {"on": True, "off": False}


def schema() -> Schema:
    """The schema; keys in a fixed order."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "hvctl profile, version 1",
        **_of(keys.ROOT),
        "definitions": {
            "switch": {"enum": ["on", "off", True, False]},
            **{row.id: _row(row) for row in catalog.ROWS if not row.experimental},
        },
    }


def text() -> str:
    """The schema as it is printed and shipped."""
    import json

    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _of(key: keys.Key) -> Schema:
    match key:
        case keys.Table():
            return _table(key)
        case keys.Word():
            return {"description": key.help, "enum": [str(word) for word in key.words]}
        case keys.Switch():
            return {"description": key.help, "allOf": [{"$ref": "#/definitions/switch"}]}
        case keys.Text():
            shape = {"type": "string", "pattern": whole(key.pattern), "maxLength": key.longest}
            return {"description": key.help, **shape}
        case keys.Number():
            number = {"type": "integer", "minimum": key.minimum, "maximum": key.maximum}
            if key.multiple > 1:
                number["multipleOf"] = key.multiple
            form = {"anyOf": [{"enum": list(key.words)}, number]} if key.words else number
            return {"description": key.help, **form}
        case keys.Words():
            # The ids, for completion; then every name, in any case.
            names = {"type": "string", "pattern": whole("|".join(map(_any_case, key.names)))}
            items = {"anyOf": [{"enum": list(key.words)}, names]}
            return {"description": key.help, "type": "array", "items": items, "uniqueItems": True}
        case keys.Features():
            return _features(key)
        case keys.Enlightenments():
            return _enlightenments(key)


def _table(key: keys.Table) -> Schema:
    properties = {name: _of(inner) for name, inner in key.keys.items()}
    form = _object(properties, *key.required)
    if key.short:
        return {"description": key.help, "anyOf": [properties[key.short], form]}
    return {"description": key.help, **form}


def _features(key: keys.Features) -> Schema:
    reserved = [f"{name}$" for name in keys.RESERVED_FEATURES] + list(keys.RESERVED_PREFIXES)
    barred = "|".join(name.replace("-", "[-_]") for name in reserved)
    name = f"(?!{barred}){keys.FEATURE.removesuffix('+')}{{1,{keys.LONGEST_FEATURE}}}"
    return {
        "description": key.help,
        "type": "object",
        "patternProperties": {whole(name): {"$ref": "#/definitions/switch"}},
        "additionalProperties": False,
    }


def _enlightenments(key: keys.Enlightenments) -> Schema:
    rows = [row for row in catalog.ROWS if not row.experimental]
    spellings: dict[str, list[str]] = {row.id: [] for row in rows}
    for name in catalog.names():
        row = catalog.find(name)
        if row and row.id in spellings:
            # Names are made of letters, digits and -/:@, none of which a pattern reads as anything else.
            spellings[row.id].append(name.replace("-", "[-_]"))
    return {
        "description": key.help,
        "type": "object",
        # The ids, for completion; then every other name, with - or _.
        "properties": {row.id: {"$ref": f"#/definitions/{row.id}"} for row in rows},
        "patternProperties": {
            whole("|".join(names)): {"$ref": f"#/definitions/{row_id}"} for row_id, names in spellings.items()
        },
        "additionalProperties": False,
    }


def _row(row: Row) -> Schema:
    described = f"{row.title[:1].upper()}{row.title[1:]}. {row.does} Advice: {row.advice_text}"
    return {"description": described, "anyOf": _forms(row)}


def _forms(row: Row) -> list[Schema]:
    """The short form and the long one; a value only beside `on` and `prefer`."""
    if row.kind is Kind.FLAG:
        return [_states(*STATES), _object({"state": _states(*STATES)}, "state")]
    off = [_states(Ask.OFF), _object({"state": _states(Ask.OFF)}, "state")]
    wanted = {"state": _states(Ask.ON, Ask.PREFER), "value": _value(row)}
    if row.kind is Kind.ON_OFF_AUTO:
        short = [*(word for word in ON_OFF_AUTO_WORDS if word != Ask.ON), *STATES]
        return [_states(*short), _object(wanted, "state"), off[1]]
    return [_short_value(row), *off, _object(wanted, "state", "value")]


def _value(row: Row) -> Schema:
    match row.kind:
        case Kind.NUMBER:
            return _of(bounds(row))
        case Kind.STRING:
            return {"type": "string", "pattern": whole(f"{TEXT}{{{row.minimum},{row.maximum}}}")}
        case Kind.VERSION:
            major, minor, build, spack, sbranch, snumber = (up_to(limit) for limit in version_limits().values())
            version = rf"{major}\.{minor}\.{build}(?:\.{spack}-{sbranch}-{snumber})?"
            return {"type": "string", "pattern": whole(version)}
        case Kind.ON_OFF_AUTO | Kind.FLAG:
            return _states(*ON_OFF_AUTO_WORDS)


def _short_value(row: Row) -> Schema:
    form = _value(row)
    if row.kind is not Kind.STRING:
        return form
    # As a short form, these are states, or what YAML makes of one: never the text.
    words = dict.fromkeys((*STATES, *SWITCH_WORDS))
    return {**form, "not": {"pattern": whole("|".join(_any_case(word) for word in words))}}


def _any_case(word: str) -> str:
    letters = (f"[{letter.upper()}{letter}]" if letter.isalpha() else letter for letter in word)
    return "".join("[-_ ]" if letter == "-" else letter for letter in letters)


def _states(*words: str) -> Schema:
    """Words as an enumeration, with the booleans that YAML 1.1 makes of on and off."""
    return {"enum": [*(str(word) for word in words), *(_BOOLEANS[word] for word in words if word in _BOOLEANS)]}


def _object(properties: Schema, *required: str) -> Schema:
    form: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**form, "required": list(required)} if required else form


def whole(pattern: str) -> str:
    """A pattern for a whole text. Python's `$` also matches before a last line break, JSON Schema's (ECMA 262) does
    not; the look-ahead makes them equal."""
    return f"^(?:{pattern})$(?!\\n)"


def up_to(maximum: int) -> str:
    """A pattern for the decimal numbers from 0 to a maximum, without leading zeros."""
    digits = str(maximum)
    found = ["[0-9]"] if len(digits) > 1 else []
    if len(digits) > 2:
        found.append(f"[1-9][0-9]{{1,{len(digits) - 2}}}")
    for position, digit in enumerate(digits):
        least = 1 if position == 0 and len(digits) > 1 else 0
        if int(digit) > least:
            rest = len(digits) - position - 1
            found.append(f"{digits[:position]}[{least}-{int(digit) - 1}][0-9]{{{rest}}}")
    return f"(?:{'|'.join((*found, digits))})"
