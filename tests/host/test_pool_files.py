"""Many host files read at once: what they hold is what each of them holds alone, in whatever form it is written."""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hvctl.errors import InputError
from hvctl.host.host_file import dump_host, host_json, load_host, read_host
from hvctl.host.pool_files import read_pool
from hvctl.model.host import TSC_HZ, Host, Pool
from tests.host.test_host_file import hosts as any_hosts
from tests.made_hosts import made_amd_host, made_intel_host

MADE = made_amd_host("node1")
TEXT = dump_host(MADE)
NAME, TSC = '"name": "node1"', '"tsc_hz": 2500000000'
assert TEXT.count(NAME) == TEXT.count(TSC) == 1


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], str]:
    """Writes a file of the test's folder and gives its path."""

    def written(name: str, content: str | bytes) -> str:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return written


Write = Callable[[str, str | bytes], str]


def named(name: str, text: str = TEXT) -> str:
    return text.replace(NAME, f'"name": {json.dumps(name)}')


def in_order(host: Host) -> Host:
    """The host as a member of a pool: less where its facts come from, and with sorted keys."""
    qemu = tuple(
        one._replace(
            properties=tuple(sorted(one.properties)),
            expansion=None if one.expansion is None else tuple(sorted(one.expansion, key=lambda pair: pair[0])),
        )
        for one in host.qemu
    )
    return host._replace(how=(), notes=(), qemu=qemu, kvm=host.kvm._replace(caps=tuple(sorted(host.kvm.caps))))


def facts(host: Host) -> Host:
    return in_order(host)._replace(name=None, hardware=host.hardware._replace(tsc_hz=None))


def by_itself(path: str) -> Host | list[str]:
    """What a file holds, as a member of a pool; or what is wrong with it."""
    try:
        return in_order(read_host(path))
    except InputError as error:
        return [problem.message for problem in error.problems]


def in_a_pool(paths: list[str]) -> Host | list[str]:
    """The last host of a pool of alike files; or what is wrong with them."""
    try:
        return list(read_pool(paths).hosts())[-1]
    except InputError as error:
        return [problem.message for problem in error.problems]


def problems(*paths: str) -> list[str]:
    with pytest.raises(InputError) as raised:
        read_pool(paths)
    return [problem.message for problem in raised.value.problems]


by_name = attrgetter("label")
ODD: list[dict[str, Any]] = [
    {},
    {},
    {"future": {"name": "not this one", "tsc_hz": 5}},
    {"future": [{"tsc_hz": 2_000_000_000, "x": {"name": None}}], "more": '"name": "in a text", "tsc_hz": 7'},
    {'a "name': "x", "tsc_hz": 3_000_000_000},
]
layouts = st.fixed_dictionaries(
    {
        "indent": st.sampled_from([None, None, 0, 2, "\t"]),
        "sort_keys": st.booleans(),
        "separators": st.sampled_from([None, (",", ":"), (" ,", "\t:\r\n ")]),
        "ensure_ascii": st.booleans(),
    }
)
documents = st.tuples(
    st.integers(0, 2),
    st.none()
    | st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), max_size=8).filter(str.isprintable),
    st.none() | st.integers(*TSC_HZ),
    layouts,
    st.sampled_from(ODD),
    st.booleans(),
)


def document(host: Host, odd: dict[str, Any], *, last: bool) -> dict[str, Any]:
    """The host's JSON with keys that a newer hvctl may have added, before or after the known ones."""
    known = host_json(host)
    return {**known, **{key: odd[key] for key in odd if key not in known}} if last else {**odd, **known}


@settings(max_examples=60)
@given(st.lists(any_hosts, min_size=3, max_size=3), st.lists(documents, min_size=1, max_size=8), st.booleans())
def test_a_pool_holds_what_each_file_holds(kinds: list[Host], files: list[Any], marked: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, (kind, name, hz, layout, odd, last) in enumerate(files):
            host = kinds[kind]
            host = host._replace(
                name=None if name is None else f"{number}{name}", hardware=host.hardware._replace(tsc_hz=hz)
            )
            text = json.dumps(document(host, odd, last=last), **layout)
            paths.append(f"{folder}/file{number}.json")
            Path(paths[-1]).write_text("\ufeff" * marked + text, encoding="utf-8")
        alone = [read_host(path) for path in paths]
        pool = read_pool(paths)
    assert sorted(pool.hosts(), key=by_name) == sorted((in_order(host) for host in alone), key=by_name)
    assert [group.facts for group in pool.classes] == list(dict.fromkeys(facts(host) for host in alone))
    for group in pool.classes:
        assert [member.name for member in group.members] == [host.name for host in alone if facts(host) == group.facts]


NAMES = (
    *('""', "null", '"node2"', '"a\\u0062\\/"', '"\\u00e9\\ud83d\\ude00"', '"é"', '"x\\"tsc_hz\\": 5"', '"</script>"'),
    *('"\\ud800"', '"a\\nb"', '"\\u001b[31m"', '"\\x"', '"a\tb"', '"unterminated', '"\\', '"x" "y"', '"x": "y"'),
    *("5", '["x"]', "NaN", "nul", "", f'"{"x" * 1001}"', f'"{"x" * 1000}"', '"not node1"', '"x", "name": "y"'),
)
TSCS = (
    *("null", "2500000001", " 2600000000 ", "1000000", "100000000000", "0", "999999", "100000000001", "-2500000000"),
    *("1.5", "1e9", "2500000000.0", "2500000000E0", "007", "02500000000", "2500000000 1", "2_500_000_000"),
    *('"2500000000"', "true", "NaN", "Infinity", "-Infinity", "[2500000000]", "", "nul", "9" * 5000),
    *('2500000000, "tsc_hz": 2500000000', '{"tsc_hz": 2500000000}'),
)


@pytest.mark.parametrize(
    ("old", "new"),
    [*((NAME, f'"name": {value}') for value in NAMES), *((TSC, f'"tsc_hz": {value}') for value in TSCS)],
    ids=[*(f"name {value[:30]}" for value in NAMES), *(f"tsc {value[:30]}" for value in TSCS)],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_a_value_is_judged_as_in_a_file_of_its_own(write: Write, old: str, new: str, encoding: str) -> None:
    known = [write(f"known{number}.json", named(f"known{number}").encode(encoding)) for number in range(3)]
    path = write("odd.json", TEXT.replace(old, new).encode(encoding))
    assert in_a_pool([*known, path]) == by_itself(path)


@pytest.mark.parametrize("bad", [b'"\xff"', b'"\xed\xa0\x80"', b'"a\x00b"', b'"\\\x00"', b"\x00name"])
def test_bytes_that_are_no_text_are_found_in_a_known_file_too(write: Write, bad: bytes) -> None:
    known = [write(f"known{number}.json", named(f"known{number}")) for number in range(3)]
    path = write("odd.json", TEXT.encode().replace(b'"node1"', bad))
    assert in_a_pool([*known, path]) == by_itself(path)
    assert isinstance(by_itself(path), list)


@pytest.mark.parametrize("name", ["a", "b", "not " * 25, "x" * 1000])
@pytest.mark.parametrize(
    "before",
    ['"future": {"name": "%s"}', '"future": "%s", "future2": {"x\\"name": "%s"}'],
    ids=["an unknown key", "a text"],
)
def test_a_name_elsewhere_is_never_taken_for_the_hosts(write: Write, name: str, before: str) -> None:
    texts = [
        "{" + before.replace("%s", other) + "," + named(name).lstrip()[1:] for other in ("first", "second", "third")
    ]
    paths = [write(f"file{number}.json", text) for number, text in enumerate(texts)]
    found = list(read_pool(paths).names())
    assert found[0] == name
    assert all(other.startswith(name) and "odd" not in other for other in found)


def test_alike_files_are_decoded_once(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = []

    def counted(text: str, path: str) -> Host:
        decoded.append(path)
        return load_host(text, path)

    monkeypatch.setattr("hvctl.host.pool_files.load_host", counted)
    paths = [
        write(f"{number}.json", named(f"n{number}").replace(TSC, f'"tsc_hz": {2_500_000_000 + number}'))
        for number in range(50)
    ]
    (group,) = read_pool(paths).classes
    assert [(member.name, member.tsc_hz) for member in group.members] == [
        (f"n{n}", 2_500_000_000 + n) for n in range(50)
    ]
    # The first file, the second, and the second with other values.
    assert len(decoded) == 3


def test_where_facts_come_from_and_the_order_of_keys_make_no_class(write: Write) -> None:
    base = json.loads(TEXT)
    paths = [
        write("a.json", TEXT),
        write("b.json", json.dumps({**base, "name": "b", "how": {"kvm": "asked"}, "notes": ["a note"], "hvctl": "9"})),
        write("c.json", json.dumps({**base, "name": "c"}, sort_keys=True)),
    ]
    assert [list(Pool((group,)).names()) for group in read_pool(paths).classes] == [["node1", "b", "c"]]


def test_any_other_fact_makes_a_class(write: Write) -> None:
    base = json.loads(TEXT)
    others: list[dict[str, Any]] = [
        {"kvm": {**base["kvm"], "release": "6.13"}},
        {"hardware": {**base["hardware"], "tsc_scaling": True}},
        {"qemu": []},
        {"libvirt": None},
    ]
    paths = [write(f"{number}.json", json.dumps({**base, **other})) for number, other in enumerate([{}, *others])]
    assert len(read_pool(paths).classes) == 5


def test_two_recordings_of_one_name_are_told_apart(write: Write) -> None:
    paths = [write("a.json", TEXT), write("b.json", TEXT), write("c.json", dump_host(made_intel_host("node1")))]
    a, b, c = paths
    assert list(read_pool([a, b, b, c]).names()) == ["node1", f"node1 ({b})", f"node1 ({b}) 2", f"node1 ({c})"]


def test_names_that_come_from_files_can_be_printed(write: Write) -> None:
    nameless = dump_host(MADE._replace(name=None))
    odd = [
        write(os.fsdecode(name), nameless) for name in (b"a\x1b[31mb.json", b"\xff.json", b"plain.json", b"a\nb.json")
    ]
    copies = [write(os.fsdecode(name), TEXT) for name in (b"copy.json", b"\x1b.json")]
    found = list(read_pool([*odd, *copies]).names())
    assert all(name.isprintable() for name in found)
    assert len(set(found)) == len(found)
    assert found[0].endswith("a\\x1b[31mb.json")
    assert found[2] == "plain"


def test_the_problems_of_all_files_are_told_at_once(write: Write) -> None:
    paths = [
        write("good.json", TEXT),
        write("bad.json", TEXT.replace(TSC, '"tsc_hz": 0')),
        "/no/such/file.json",
        write("empty.json", ""),
    ]
    assert [message.partition(":")[0] for message in problems(*paths)] == [
        '"tsc_hz" must be null or from 1000000 to 100000000000, not 0',
        "host file /no/such/file.json cannot be read",
        "the file ends in the middle of its JSON",
    ]


@pytest.mark.parametrize(
    ("bad", "told"), [(20, []), (21, ["not looked at: 1 more file"]), (45, ["not looked at: 25 more files"])]
)
def test_the_number_of_problems_is_bounded(write: Write, bad: int, told: list[str]) -> None:
    found = problems(*(write(f"{number}.json", "[]") for number in range(bad)))
    assert len(found) == 20 + len(told)
    assert found[20:] == told


def test_one_file_can_have_too_many_problems(write: Write) -> None:
    many = write("many.json", json.dumps({**json.loads(TEXT), "notes": list(range(50))}))
    assert len(problems(write("few.json", "[]"), many, write("more.json", "[]"))) == 21


def test_a_pool_from_stdin(monkeypatch: pytest.MonkeyPatch, write: Write) -> None:
    text = dump_host(MADE._replace(name=None))
    for form in ([], [write("a.json", TEXT)], [write("a.json", TEXT), write("b.json", TEXT)]):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        assert list(read_pool([*form, "-"]).names())[-1] == "stdin"


def test_memory_grows_with_the_classes_only(write: Write) -> None:
    paths = [write(f"{number}.json", named(f"n{number}")) for number in range(4)]
    assert len({id(host.kvm) for host in read_pool(paths).hosts()}) == 1
    other = json.loads(TEXT)
    other["hardware"]["nested"] = False
    pool = read_pool([*paths, write("other.json", json.dumps(other))])
    assert len(pool.classes) == 2
    assert len({id(group.facts.qemu[0]) for group in pool.classes}) == 1
