"""The JSON Schema of profiles: it is the committed one, and it accepts and rejects what the decoder does.

Compared is data: documents are made as data, and written with `on` and `off` for the booleans that YAML 1.1 makes of
them. Conflicts between keys, duplicates and what `extends` names are the decoder's alone, and not made here.
"""

from __future__ import annotations

import json
import operator
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvctl import catalog
from hvctl.catalog.types import Row
from hvctl.catalog.windows import SYSTEMS, USE_WORDS, plain
from hvctl.errors import InputError
from hvctl.profile.reader import decode_text
from hvctl.profile.schema import schema, text, up_to
from hvctl.profile.source import shipped_names
from hvctl.text.problems import Problems
from tests.paths import PROFILES

VALIDATOR = jsonschema.Draft7Validator(schema())


def test_the_committed_schema_is_the_generated_one() -> None:
    committed = (PROFILES / "profile.schema.json").read_text()
    assert committed == text(), "run `hvctl schema profile > profiles/profile.schema.json`"


def test_it_is_a_schema() -> None:
    jsonschema.Draft7Validator.check_schema(schema())


def test_every_row_is_described_for_editors() -> None:
    definitions = schema()["definitions"]
    for row in catalog.ROWS:
        assert (row.id in definitions) is not row.experimental
        if not row.experimental:
            assert row.does in definitions[row.id]["description"]
            assert row.advice_text in definitions[row.id]["description"]


@pytest.mark.parametrize("name", shipped_names())
def test_shipped_profiles_are_valid_as_editors_read_them(name: str) -> None:
    import yaml

    VALIDATOR.validate(yaml.safe_load((PROFILES / f"{name}.yaml").read_text()))


@pytest.mark.parametrize("maximum", [1, 9, 10, 99, 100, 255, 65535, 16777215])
def test_the_pattern_of_a_range_of_numbers(maximum: int) -> None:
    import re

    pattern = re.compile(up_to(maximum))
    near = {0, 1, 9, 10, 11, 99, 100, 101, 199, 200, maximum // 2, maximum - 1, maximum}
    assert all(pattern.fullmatch(str(number)) for number in near if number <= maximum)
    assert not any(pattern.fullmatch(str(maximum + more)) for more in (1, 2, 10, 1000, maximum))
    assert not pattern.fullmatch("00")


def dump(data: Any) -> str:
    """Data as flow YAML: booleans as the words on and off, strings in double quotes."""
    match data:
        case bool():
            return "on" if data else "off"
        case None:
            return "null"
        case int() | float():
            return str(data)
        case str():
            escaped = (char if char.isalnum() and char.isascii() else f"\\U{ord(char):08x}" for char in data)
            return f'"{"".join(escaped)}"'
        case list():
            return f"[{', '.join(dump(item) for item in data)}]"
        case dict():
            return "{" + ", ".join(f"{dump(key)}: {dump(value)}" for key, value in data.items()) + "}"
    raise AssertionError(data)


def decoder_accepts(data: Any) -> bool:
    problems = Problems()
    try:
        decode_text(dump(data), "p.yaml", problems)
    except InputError:
        return False
    return not problems.found


STRINGS = st.one_of(
    st.sampled_from(
        ["on", "off", "prefer", "auto", "yes", "True", "null", "", "q35", "pc", "host", "none", "10.0.14393", "8191"]
    ),
    st.sampled_from(["pc-q35-9.1", "pc-q35-", "pc-i440fx-rhel7.6.0", "host\n", "a b", "a,b", "ON", "Prefer", "x" * 13]),
    st.sampled_from(["1.2.3.4-5-6", "65536.0.0", "0.0.4294967296", "0.0.0.0-256-0", "0.0.0.0-255-16777216", "01.2.3"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=15),
)
NUMBERS = st.one_of(
    st.sampled_from([0, 1, 2, -1, 4094, 4095, 8191, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1.0, 8191.0, 1.5, 10**40]),
    st.sampled_from([999_000, 1_000_000, 1_000_001, 2_400_000_000, 100_000_000_000, 100_000_001_000, 2.4e9]),
    st.integers(),
)
SCALARS = st.one_of(STRINGS, NUMBERS, st.booleans(), st.none())
JUNK = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(STRINGS, inner, max_size=3))

SWITCH = st.sampled_from([True, False, "on", "off"])
STATE = st.sampled_from([True, False, "on", "off", "prefer"])


def table(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional={name.replace("_", "-"): value for name, value in keys.items()})


def sometimes_wrong(value: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(value, value, value, JUNK)


WISH = st.one_of(
    STATE,
    SCALARS,
    st.fixed_dictionaries({"state": STATE}),
    st.fixed_dictionaries({"state": STATE, "value": SCALARS}),
    st.fixed_dictionaries({}, optional={"state": sometimes_wrong(STATE), "value": JUNK, "stat": SCALARS}),
)


@st.composite
def wishes(draw: st.DrawFn) -> dict[str, Any]:
    """Entries for some rows, each by one of its names: the same row twice is the decoder's to refuse."""
    names: dict[str, list[str]] = {}
    for name in catalog.names():
        row = catalog.find(name)
        assert row
        names.setdefault(row.id, []).extend([name, name.replace("-", "_"), name.upper()])
    rows = draw(st.lists(st.sampled_from(catalog.ROWS), max_size=4, unique_by=lambda row: row.id))
    return {draw(st.sampled_from(names[row.id])): draw(WISH) for row in rows}


FEATURES = st.dictionaries(
    st.sampled_from(
        ["vmx", "sse4.1", "3dnow", "hv-time", "hv_x", "x-hv-y", "kvm", "kvm-pv-eoi", "migratable", "A", "a b"]
    )
    | STRINGS.map(lambda text: text.replace("_", "-")),
    sometimes_wrong(SWITCH),
    max_size=3,
)
SPACED = operator.methodcaller("replace", "-", " ")
DOCUMENTS = st.fixed_dictionaries(
    {"version": st.one_of(st.just(1), st.just(1), st.just(1), JUNK)},
    optional={
        "name": sometimes_wrong(st.sampled_from(["a", "windows-11.x", "_"])),
        "description": sometimes_wrong(STRINGS),
        "extends": sometimes_wrong(st.sampled_from(["windows-11", "./x.yaml"])),
        "guest": sometimes_wrong(
            table(
                os=sometimes_wrong(st.sampled_from([guest.id for guest in SYSTEMS])),
                uses=sometimes_wrong(
                    st.lists(
                        st.sampled_from([form(word) for word in USE_WORDS for form in (str, str.upper, SPACED)]),
                        max_size=3,
                        unique_by=lambda word: USE_WORDS[plain(word)],
                    )
                ),
            )
        ),
        "migration": sometimes_wrong(st.sampled_from(["required", "none"])),
        "machine": sometimes_wrong(STRINGS),
        "cpu": sometimes_wrong(
            table(model=STRINGS, hidden=sometimes_wrong(SWITCH), features=sometimes_wrong(FEATURES)) | STRINGS
        ),
        "tsc-frequency": sometimes_wrong(NUMBERS | st.just("auto")),
        "vcpus": sometimes_wrong(table(pinned=sometimes_wrong(SWITCH))),
        "enlightenments": sometimes_wrong(wishes()),
        "clock": sometimes_wrong(
            table(
                offset=sometimes_wrong(st.sampled_from(["localtime", "utc"])),
                timers=sometimes_wrong(
                    table(
                        hpet=sometimes_wrong(SWITCH),
                        rtc=sometimes_wrong(st.sampled_from(["catchup", "delay"])),
                        pit=sometimes_wrong(st.sampled_from(["delay", "discard"])),
                    )
                ),
            )
        ),
    },
)


def compare(data: Any) -> None:
    errors = [error.message for error in VALIDATOR.iter_errors(data)]
    assert decoder_accepts(data) is not bool(errors), (dump(data), errors[:3])


@given(DOCUMENTS)
def test_schema_and_decoder_agree(data: dict[str, Any]) -> None:
    compare(data)


@given(wishes())
def test_they_agree_on_enlightenments(data: dict[str, Any]) -> None:
    compare({"version": 1, "enlightenments": data})


@given(st.sampled_from(catalog.ROWS), WISH)
def test_they_agree_on_one_enlightenment(row: Row, wish: Any) -> None:
    compare({"version": 1, "enlightenments": {row.id: wish}})


@given(st.dictionaries(STRINGS, JUNK, max_size=3) | JUNK)
def test_they_agree_on_junk(data: Any) -> None:
    compare(data)


@given(STRINGS | NUMBERS | st.booleans())
def test_they_agree_on_every_text(text: Any) -> None:
    for key in ("name", "description", "machine", "cpu", "tsc-frequency"):
        compare({"version": 1, key: text})
    for row in catalog.ROWS:
        compare({"version": 1, "enlightenments": {row.id: text}})
        compare({"version": 1, "enlightenments": {row.id: {"state": "prefer", "value": text}}})


def test_generation_is_deterministic() -> None:
    assert text() == text()
    assert json.loads(text()) == schema()
