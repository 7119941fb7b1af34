"""Host files: the round trip, the recorded ones, and everything that can be wrong with one."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvctl.errors import InputError, Problem
from hvctl.host.host_file import dump_host, load_host, read_host
from hvctl.model.host import TSC_HZ, CpuidLeaf, Hardware, Host, Kvm, Libvirt, MachineType, Qemu
from hvctl.profile.keys import ROOT, Number
from hvctl.text.files import LARGEST_JSON
from tests.made_hosts import made_amd_host, made_no_hyperv_host, made_old_kernel_host
from tests.paths import HOSTS, schema

RECORDED = sorted((HOSTS).glob("*.json"))
SCHEMA = schema("host")
MADE = (made_amd_host(), made_no_hyperv_host(), made_old_kernel_host())

line = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=20).filter(str.isprintable)
lines = st.lists(line, max_size=4).map(tuple)
maybe_line = st.none() | line
count = st.integers(0, (1 << 64) - 1)
maybe_count = st.none() | count
maybe_flag = st.none() | st.booleans()
maybe_tsc_hz = st.none() | st.integers(*TSC_HZ)
register = st.integers(0, (1 << 32) - 1)


def mapping(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.dictionaries(line, values, max_size=4).map(lambda items: tuple(items.items()))


leaves = st.dictionaries(register, st.tuples(register, register, register, register), max_size=4).map(
    lambda items: tuple(CpuidLeaf(leaf, *registers) for leaf, registers in sorted(items.items()))
)
kvms = st.builds(Kvm, maybe_line, line, mapping(count), leaves, lines)
hardware = st.builds(
    Hardware,
    *(maybe_line, maybe_line, maybe_count, maybe_count, maybe_count, maybe_flag, maybe_flag),
    *(maybe_tsc_hz, maybe_flag, maybe_line, maybe_line),
)
machine_types = st.builds(MachineType, line, maybe_line, maybe_flag)
scalars = st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | line
qemus = st.builds(
    Qemu,
    *(line, maybe_line, mapping(line), lines, st.lists(machine_types, max_size=3).map(tuple)),
    *(st.none() | mapping(scalars), st.none() | lines, st.none() | lines, st.booleans()),
)
hosts = st.builds(
    Host,
    *(maybe_line, kvms, hardware, st.lists(qemus, max_size=2).map(tuple)),
    *(st.none() | st.builds(Libvirt, maybe_line, lines, st.booleans()), mapping(line), lines),
)


@given(hosts)
def test_what_is_written_is_read_back(host: Host) -> None:
    text = dump_host(host)
    assert load_host(text, "x") == host._replace(alike=0)
    jsonschema.validate(json.loads(text), SCHEMA)


@pytest.mark.parametrize("host", MADE, ids=lambda host: host.label)
def test_made_hosts_are_read_back(host: Host) -> None:
    assert load_host(dump_host(host), "x") == host


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_recorded_hosts_are_in_the_present_form(path: Path) -> None:
    text = path.read_text()
    jsonschema.validate(json.loads(text), SCHEMA)
    host = read_host(str(path))
    assert host.name == path.stem
    written = json.loads(dump_host(host))
    assert {**written, "hvctl": ""} == {**json.loads(text), "hvctl": ""}
    assert list(written) == list(json.loads(text))


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)


def test_bytes_are_stable_and_made_for_comparing() -> None:
    text = dump_host(MADE[0])
    assert text == dump_host(load_host(text, "x"))
    assert text.endswith("}\n")
    assert '      "0x40000003": {"eax": "0x0000aaff", "ebx": "0x00100830", "ecx": "0x00000000"' in text
    assert max(len(row) for row in text.splitlines()) <= 110


def document(**changes: Any) -> dict[str, Any]:
    return {**json.loads(dump_host(MADE[0])), **changes}


def problems(text: str) -> tuple[Problem, ...]:
    with pytest.raises(InputError) as raised:
        load_host(text, "host.json")
    assert raised.value.exit_code == 2
    return raised.value.problems


def place(problem: Problem) -> tuple[int, int]:
    assert problem.span
    return problem.span.line, problem.span.column


def test_unknown_keys_are_passed_over() -> None:
    text = json.dumps(document(future={"a": [1.5, None]}))
    assert load_host(text, "x") == MADE[0]


GOOD = """\
{
  "format_version": 1,
  "kvm": {"how": "system-ioctl", "caps": {"KVM_CAP_HYPERV": 1}, "leaves": {}},
  "hardware": {},
  "qemu": []
}
"""


def test_the_least_that_a_host_file_holds() -> None:
    host = load_host(GOOD, "x")
    assert host.kvm.hyperv
    assert host == Host(None, Kvm(None, "system-ioctl", (("KVM_CAP_HYPERV", 1),), ()), Hardware())
    jsonschema.validate(json.loads(GOOD), SCHEMA)


@pytest.mark.parametrize(
    ("old", "new", "at", "message"),
    [
        ("1,\n", "2,\n", (2, 21), "this hvctl reads host files of format_version 1, not 2"),
        ("1,\n", '"1",\n', (2, 21), "format_version is a whole number, not a string"),
        ("1,\n", "true,\n", (2, 21), "format_version is a whole number, not true or false"),
        ('  "format_version": 1,\n', "", (1, 1), 'this is not a host file: it has no "format_version"'),
        (': 1}, "leaves"', ': "1"}, "leaves"', (3, 61), '"KVM_CAP_HYPERV" must be a whole number, not a string'),
        (': 1}, "leaves"', ': true}, "leaves"', (3, 61), '"KVM_CAP_HYPERV" must be a whole number, not true or false'),
        (': 1}, "leaves"', ': -1}, "leaves"', (3, 61), '"KVM_CAP_HYPERV" must not be negative'),
        (': 1}, "leaves"', ': 1.5}, "leaves"', (3, 61), "not a number with a fraction"),
        (': 1}, "leaves"', f': {1 << 64}}}, "leaves"', (3, 61), '"KVM_CAP_HYPERV" does not fit into 64 bits'),
        ('"system-ioctl"', "null", (3, 18), '"how" must be a string, not null'),
        ('"system-ioctl"', '"a\\u001b[31mb"', (3, 18), '"how" must be one printable line of at most 1000 characters'),
        ('"system-ioctl"', '"\\ud800"', (3, 18), '"how" must be one printable line of at most 1000 characters'),
        ('"leaves": {}', '"leaves": {"0x4": {}}', (3, 83), 'a CPUID leaf is written like "0x40000003", not "0x4"'),
        ('"leaves": {}', '"leaves": []', (3, 75), '"leaves" must be an object, not a list'),
        (', "leaves": {}', "", (3, 10), '"leaves" is missing'),
        ('"hardware": {}', '"hardware": {"nested": 1}', (4, 26), '"nested" must be true or false or null'),
        ('"qemu": []', '"qemu": [7]', (5, 12), '"qemu" holds objects, not a whole number'),
        (
            '"qemu": []',
            '"qemu": [{"path": 1, "properties": {}, "options": [], "machines": []}]',
            (5, 21),
            '"path" must',
        ),
        ('"qemu": []', '"qemu": [], "notes": ["a", 2]', (5, 30), '"notes" holds strings, not a whole number'),
        ('"qemu": []', '"qemu": [], "qemu": []', (5, 15), '"qemu" is there twice'),
        ('"qemu": []', '"qemu": [], "x": NaN', (5, 20), "NaN is not a value that a host file can hold"),
        ('"qemu": []\n}', '"qemu": [', (6, 1), "the file ends in the middle of its JSON"),
        ('"qemu": []\n}\n', '"qem', (5, 3), "the file ends in the middle of its JSON"),
        (GOOD, "[1]", (1, 1), "a host file holds an object, not a list"),
        (GOOD, "", (1, 1), "the file ends in the middle of its JSON"),
        (GOOD, "null", (1, 1), "a host file holds an object, not null"),
    ],
)
def test_a_mistake_is_told_with_its_place(old: str, new: str, at: tuple[int, int], message: str) -> None:
    assert old in GOOD
    found = problems(GOOD.replace(old, new))
    assert message in found[0].message
    assert place(found[0]) == at
    assert len(found) == 1


def test_a_comma_too_much() -> None:
    (problem,) = problems(GOOD.replace('"qemu": []', '"qemu": [],'))
    assert "this is not JSON" in problem.message
    # From Python 3.13 on it is found itself, before that what follows.
    assert place(problem) in {(5, 13), (6, 1)}


def test_all_mistakes_are_told_in_the_order_of_the_file() -> None:
    text = GOOD.replace("{},\n", '{"family": "x", "smt": 3},\n').replace('"system-ioctl"', "4")
    found = problems(text)
    assert [place(problem) for problem in found] == [(3, 18), (4, 26), (4, 38)]
    assert found[1].span
    assert found[1].span.excerpt == '  "hardware": {"family": "x", "smt": 3},'


def test_the_number_of_problems_is_bounded() -> None:
    text = GOOD.replace('"qemu": []', f'"qemu": [], "notes": [{", ".join("1" * 500)}]')
    assert len(problems(text)) == 20


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 200_000, "nested too deeply"),
        ('{"a":' * 200_000, "nested too deeply"),
        ('{"format_version": ' + "9" * 5000 + "}", "a number that is too long"),
    ],
    ids=["lists", "objects", "digits"],
)
def test_attacks_on_the_parser(text: str, message: str) -> None:
    assert message in problems(text)[0].message


@given(st.text(max_size=200) | st.text('{}[]",:0123456789truefalsnE-+. \n\\', max_size=200))
def test_any_text_gives_a_host_or_an_input_error(text: str) -> None:
    problems(text)


@given(st.data())
def test_any_change_of_a_file_gives_a_host_or_an_input_error(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(GOOD)))
    end = data.draw(st.integers(start, len(GOOD)))
    text = GOOD[:start] + data.draw(st.text(max_size=5)) + GOOD[end:]
    try:
        load_host(text, "x")
    except InputError as error:
        for problem in error.problems:
            if problem.span:
                assert 1 <= problem.span.line <= text.count("\n") + 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{\xff}", "the byte 0xff is not UTF-8"),
        (b" " * (LARGEST_JSON + 1), "host.json cannot be read: it is larger than 1 MiB"),
    ],
    ids=["encoding", "size"],
)
def test_files_that_are_no_text_or_too_large(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "host.json").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_host(str(tmp_path / "host.json"))


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert read_host(str(tmp_path / "host.json")).kvm.hyperv


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or directory"):
        read_host(str(tmp_path / "missing"))
    with pytest.raises(InputError, match="it is a directory"):
        read_host(str(tmp_path))


def test_a_host_without_a_name_is_called_by_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nameless = MADE[0]._replace(name=None)
    text = dump_host(nameless)
    path = tmp_path / "node1.json"
    path.write_text(text)
    assert read_host(str(path)).label == "node1"
    assert load_host(text, str(path)) == nameless
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".hidden").write_text(text)
    assert read_host(".hidden").label == ".hidden"
    (tmp_path / "a\x01b.json").write_text(text)
    assert read_host("a\x01b.json").label == "this host"


def test_a_closed_stdin_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(InputError, match="<stdin> cannot be read: it is closed"):
        read_host("-")


def test_whether_only_libvirt_was_asked_is_written_only_where_it_is_so() -> None:
    partial = MADE[0].qemu[0]._replace(partial=True)
    host = MADE[0]._replace(qemu=(partial, MADE[0].qemu[0]), libvirt=Libvirt("11.3.0", ("relaxed",), partial=True))
    assert load_host(dump_host(host), "x") == host
    assert dump_host(host).count('"partial": true') == 2
    assert '"partial"' not in dump_host(MADE[0])
    changed = document(libvirt={"version": None, "elements": [], "partial": "yes"})
    (problem,) = problems(json.dumps(changed, indent=1))
    assert problem.message == '"partial" must be true or false or null, not a string'
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(changed, SCHEMA)


@pytest.mark.parametrize("hz", [0, TSC_HZ[0] - 1, TSC_HZ[1] + 1])
def test_a_tsc_frequency_is_one_that_a_processor_can_have(hz: int) -> None:
    changed = document(hardware={**document()["hardware"], "tsc_hz": hz})
    (problem,) = problems(json.dumps(changed, indent=1))
    assert problem.message == f'"tsc_hz" must be null or from 1000000 to 100000000000, not {hz}'
    assert place(problem)[0] > 1
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(changed, SCHEMA)


def test_hosts_and_profiles_agree_on_tsc_frequencies() -> None:
    key = ROOT.keys["tsc-frequency"]
    assert isinstance(key, Number)
    assert (key.minimum, key.maximum) == TSC_HZ
