"""Measurements as files: what is written is read again, and what is damaged is told with its place."""

from __future__ import annotations

import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvctl.bench.compare import GROUPS, Gain
from hvctl.bench.file import Bench, HostState, load_bench
from hvctl.errors import InputError
from hvctl.report.bench import bench_json
from tests.made_bench import made_bench
from tests.paths import schema

SCHEMA = schema("bench")
TEXT = bench_json(made_bench())


def test_what_is_written_is_read_again() -> None:
    assert load_bench(TEXT, "a.json") == made_bench()
    unknown = made_bench(host=HostState(1))._replace(tsc_hz=None, missing=(0x11, 0x14))
    assert load_bench(bench_json(unknown), "a.json") == unknown


def test_files_of_a_version_without_sets_are_read() -> None:
    document = json.loads(TEXT)
    assert not document.pop("sets")
    assert document.pop("release") is None
    assert not any("set" in value for value in document["values"])
    assert load_bench(json.dumps(document), "a.json") == made_bench()


def test_it_has_what_the_measurements_say_too() -> None:
    document = json.loads(bench_json(made_bench(), made_bench(factor=2)))
    assert document["answers"][0]["ways"][3]["title"] == "reference TSC page"
    assert document["answers"][0]["ways"][3]["gain"] == "faster"
    assert document["since"][0]["gain"] == "faster"
    assert json.loads(TEXT)["since"] is None


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ('"format_version": 1', '"format_version": 2', "format_version 1, not 2"),
        ('"kind": "measurement"', '"kind": "other"', '"kind" is one of measurement'),
        ('"runs": 7', '"runs": "7"', '"runs" must be a whole number'),
        ('"cpus": 8', '"cpus": -8', '"cpus" must not be negative'),
        ('"guest": "windows-11"', '"guest": "a\\u001b[31m"', "printable"),
        ('"vcpus": 8', '"vcpus": null', '"vcpus" must be a whole number'),
        ('"millicycles": 5200000', '"millicycles": 0', "nothing takes no time"),
        ('"virtual": false', '"virtual": 0', '"virtual" must be true or false'),
        ('"sets": []', '"sets": [{"id": "a", "rows": [{}]}]', '"id" is missing'),
        ('"release": null', '"release": 11', '"release" must be a string or null'),
    ],
)
def test_mistakes_are_told(before: str, after: str, says: str) -> None:
    assert before in TEXT
    with pytest.raises(InputError) as caught:
        load_bench(TEXT.replace(before, after), "a.json")
    assert says in caught.value.message
    assert caught.value.problems[0].span is not None


@given(
    st.one_of(st.text(max_size=50), st.recursive(st.none() | st.booleans() | st.integers(), st.lists).map(json.dumps))
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        load_bench(text, "a.json")


@pytest.mark.parametrize("runs", [1, 7])
def test_all_of_it_is_as_the_schema_says(runs: int) -> None:
    schema = SCHEMA
    validator = jsonschema.Draft7Validator(schema)
    unknown = Bench("minimal", ("clock",), runs, None, HostState(1), (), (0x14,))
    for bench, before in (
        (made_bench(runs=runs), None),
        (made_bench(runs=runs), made_bench(factor=2)),
        (unknown, unknown),
    ):
        document = json.loads(bench_json(bench, before))
        validator.validate(document)
        # Nothing is in it that the schema does not tell of.
        assert set(document) == set(schema["properties"])
    assert schema["definitions"]["group"]["enum"] == list(GROUPS)
    assert schema["definitions"]["gain"]["enum"] == [str(gain) for gain in Gain]
