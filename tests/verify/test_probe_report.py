"""The probe guest's report: what is read, what is refused, and that no bytes from a guest do harm."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hvctl.model.host import CpuidLeaf
from hvctl.model.verification import LARGEST, MOST_VCPUS, Observation, Vcpu
from hvctl.verify.probe_report import FIELDS, REPEATED, VERSION, ReportError, is_complete, read_report
from tests.made_observation import made_observation, printed, sealed

LEAVES = (
    CpuidLeaf(0x40000000, 0x40000005, 0x7263694D, 0x666F736F, 0x76482074),
    CpuidLeaf(0x40000001, 0x31237648),
    CpuidLeaf(0x40000003, 0x20, 0, 0, 8),
)
WHOLE = made_observation(LEAVES)
LINES = printed(WHOLE).decode().splitlines()[:-1]


def last(word: str) -> Callable[[str], str]:
    """Puts a word in the place of a line's last one."""
    return lambda line: f"{line.rpartition(' ')[0]} {word}"


DAMAGES: dict[str, Callable[[str], str]] = {
    "a field more": lambda line: line + " 0",
    "a field less": lambda line: line.rpartition(" ")[0],
    "two spaces": lambda line: line.replace(" ", "  ", 1),
    "space at the end": lambda line: line + " ",
    "carriage return": lambda line: line + "\r",
    "another name": str.upper,
    "leading zero": last("00"),
    "minus": last("-1"),
    "prefix": last("0x1"),
    "upper case": last("A"),
    "underscore": last("1_0"),
    "too wide": last("10000000000000000"),
    "foreign digit": last("\u0661"),
}


def without(name: str) -> list[str]:
    return [line for line in LINES if line.split()[0] != name]


def changed(line: str, to: str) -> bytes:
    assert line in LINES
    return sealed([to if old == line else old for old in LINES])


@pytest.mark.parametrize("vcpus", [1, 2, MOST_VCPUS])
def test_what_is_printed_is_read(vcpus: int) -> None:
    seen = made_observation(LEAVES, vcpus=vcpus)
    assert read_report(printed(seen)) == seen._replace(reset=None, crash=None)


def test_a_vcpu_has_its_own_leaves_and_the_first_ones_others() -> None:
    first, second = WHOLE.vcpus
    other = tuple(leaf._replace(eax=7) if leaf.leaf == 0x40000004 else leaf for leaf in second.leaves)
    seen = WHOLE._replace(vcpus=(first, second._replace(leaves=other)))
    assert read_report(printed(seen)).vcpus[1].leaves == other


def test_what_was_not_tried_is_none() -> None:
    bare = Observation(1, (Vcpu(0, 3, None, WHOLE.vcpus[0].leaves),), ())
    assert read_report(printed(bare)) == bare


def test_an_answer_may_be_an_exception() -> None:
    assert read_report(changed("call 8 0", "call 8 fault")).calls[1].result is None
    with pytest.raises(ReportError, match="where a number is expected"):
        read_report(changed("call 8 0", "call fault 0"))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "printed nothing"),
        (b"SeaBIOS (version 1.16.2)\n", "something else than a report"),
        (b"hvctl-probe 1\nend 1 0\n", "something else than a report"),
        (sealed(["hvctl-probe 3", "nolongmode"]), "no 64-bit mode"),
        (sealed(["hvctl-probe 3", "cpus 1 1", "died d 0 8123"]), r"died of exception 13 \(error 0x0\) at .* 0x8123"),
        (sealed(["hvctl-probe 3"]), "does not say how many vCPUs"),
        (sealed(["hvctl-probe 3", "cpus 1 0"]), "another number of vCPUs"),
        (b"hvctl-probe 3\n" + b"msr 1 1 0\n" * LARGEST, "printed more than"),
    ],
)
def test_what_is_no_report_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(ReportError, match=says):
        read_report(data)


@pytest.mark.parametrize("line", sorted({line.split()[0]: line for line in LINES[1:]}.values()))
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_line_is_refused_even_with_a_good_checksum(line: str, damage: Callable[[str], str]) -> None:
    with pytest.raises(ReportError):
        read_report(changed(line, damage(line)))


def test_a_number_of_32_bits_is_no_longer() -> None:
    with pytest.raises(ReportError, match="where a number is expected"):
        read_report(changed("cpus 2 2", "cpus 100000000 2"))


@pytest.mark.parametrize("name", sorted(set(FIELDS) - set(REPEATED)))
def test_what_is_said_once_is_not_said_twice(name: str) -> None:
    line = next(line for line in LINES if line.split()[0] == name)
    with pytest.raises(ReportError, match="twice"):
        read_report(sealed([*LINES, line]))


@pytest.mark.parametrize(
    "lines",
    [
        without("same"),
        [*LINES, "same 1 1"],
        [*LINES, "same 2 1"],
        [line.replace("same 1 10", "same 1 f") for line in LINES],
        [*LINES, "leaf 0 40000001 0 0 0 0"],
        [*LINES, "leaf 7 40000001 0 0 0 0"],
        [*(line.replace("same 1 10", "same 1 f") for line in LINES), "leaf 1 80000000 0 0 0 0"],
        [*LINES, "cpu 2 2 2"],
        [line.replace("cpu 1 1 1", "cpu 5 1 1") for line in LINES],
        ["hvctl-probe 3", "cpus 64 64", *(f"cpu {number:x} 0 0" for number in range(MOST_VCPUS + 1))],
        [*LINES, "msr 40000000 40000000 0"],
        [*LINES, "message 0 1 0 80000010 0 0"],
        [*without("message"), "message 2 1 0 80000010 0 0"],
        [*LINES, "direct 1 1 0"],
        [*without("direct"), "direct 40 1 0"],
        [*LINES, "msr 40000200 400001ff 0"],
    ],
    ids=str,
)
def test_numbers_that_do_not_fit_together_are_refused(lines: list[str]) -> None:
    with pytest.raises(ReportError):
        read_report(sealed(lines))


def test_a_range_of_msrs_is_never_counted_out() -> None:
    seen = read_report(sealed([*without("msr"), "msr 0 ffffffff 7"]))
    assert (run := seen.run(0x40000118)) is not None
    assert run.value == 7


@pytest.mark.parametrize("end", range(0, len(printed(WHOLE)), 13))
def test_a_report_that_is_cut_is_refused(end: int) -> None:
    cut = printed(WHOLE)[:end]
    assert not is_complete(cut)
    with pytest.raises(ReportError):
        read_report(cut)


def test_nothing_comes_after_the_last_line() -> None:
    assert is_complete(printed(WHOLE))
    for more in (b"\n", b"x", printed(WHOLE)):
        with pytest.raises(ReportError):
            read_report(printed(WHOLE) + more)


@given(st.binary(max_size=2000))
def test_any_bytes_are_harmless(data: bytes) -> None:
    with pytest.raises(ReportError):
        read_report(data)


@given(st.data())
@settings(max_examples=300)
def test_any_change_is_noticed(data: st.DataObject) -> None:
    whole = bytearray(printed(WHOLE))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ReportError):
        read_report(bytes(whole))


WORDS = st.one_of(
    st.integers(0, (1 << 64) - 1).map(lambda number: f"{number:x}"),
    st.integers(0, 70).map(lambda number: f"{number:x}"),
    st.sampled_from(["fault", "", "0x1", "ffffffff", "40000001"]),
    st.text(max_size=8),
)
LIES = st.builds(
    lambda name, words: " ".join([name, *words]),
    st.sampled_from([*FIELDS, "died", "end", VERSION, "x"]),
    st.lists(WORDS, max_size=8),
)


@given(st.lists(st.one_of(st.sampled_from(LINES), LIES), max_size=80))
@settings(max_examples=300)
def test_a_hostile_guest_with_a_good_checksum_is_refused_or_read(lines: list[str]) -> None:
    said = ""
    try:
        assert len(read_report(sealed([LINES[0], *(line.replace("\n", "") for line in lines)])).vcpus) <= MOST_VCPUS
    except ReportError as error:
        said = str(error)
    assert said.isprintable()
