"""Known messages in any text: places, counts, spellings, and time that grows with the text alone."""

from __future__ import annotations

import re
import time
from pathlib import Path
from re import _parser  # type: ignore[attr-defined]  # Python has no other way to say how long a match can be

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hvctl.catalog.messages import MESSAGES
from hvctl.catalog.messages.types import Message
from hvctl.text.diagnosis import LONG_SLOTS, Found, diagnose, lower, near, pattern, plain, reach
from tests.catalog.test_messages import example

EVMCS = "Hyper-V enlightened VMCS (hv-evmcs) is not supported by kernel"
TEXTS = [one["text"] for one in yaml.safe_load((Path(__file__).parents[1] / "catalog" / "messages.yaml").read_text())]
# Of processor time. A slow machine takes a tenth of it; a search that goes over a text for each of its places takes
# minutes.
SECONDS = 30


def only(text: str) -> Found:
    found = diagnose(text, "a").found
    assert len(found) == 1
    return found[0]


def test_a_message_has_its_place() -> None:
    said = f"first\n\n  qemu-system-x86_64: {EVMCS}\nlast"
    span = only(said).span
    assert (span.path, span.line, span.column, span.end_column) == ("a", 3, 23, 23 + len(EVMCS))
    assert span.excerpt == f"  qemu-system-x86_64: {EVMCS}"
    assert diagnose(said, "a").lines == {3}


def test_a_repeated_message_is_one_with_a_count() -> None:
    found = only(f"{EVMCS}\n" * 1000)
    assert (found.times, found.span.line) == (1000, 1)


def test_one_about_another_enlightenment_is_another() -> None:
    ipi = "Hyper-V paravirtualized IPI (hv-ipi) is not supported by kernel"
    found = diagnose(f"{ipi}\n{EVMCS}\n{ipi}", "a").found
    assert [(one.rows[0].id, one.times, one.span.line) for one in found] == [("ipi", 2, 1), ("evmcs", 1, 2)]


def test_an_enlightenment_that_is_not_known_is_named_as_written() -> None:
    found = only("Hyper-V something new (hv-something-new) is not supported by kernel")
    assert (found.rows, "hv-something-new (not known to hvctl)" in found.cause) == ((), True)


def test_a_misspelt_name_gets_a_guess() -> None:
    found = only("Property 'host-x86_64-cpu.hv-stimmer' not found")
    assert "did you mean 'hv-stimer'" in found.remedy


def test_what_repeated_lines_name_is_listed() -> None:
    lines = [f"warning: host doesn't support requested feature: CPUID.01H:ECX.f{number} [bit 1]" for number in range(9)]
    assert "The CPU model has f0, f1, f2, f3, f4 and others," in only("\n".join(lines)).cause


@pytest.mark.parametrize(
    "text",
    [
        EVMCS.replace(" ", "\n    ", 2),
        EVMCS.upper(),
        f'{{"msg":"{EVMCS}"}}',
        f"\x1b[31m{EVMCS}\x1b[0m",
        "\x1b[1;31mHyper-V \x1b[Kenlightened VMCS (hv-evmcs) is not\x1b[0m supported by kernel\r\n",
        f"\x1b]0;title\x07{EVMCS}",
    ],
)
def test_spellings(text: str) -> None:
    assert only(plain(text.encode())).rows[0].id == "evmcs"


@pytest.mark.parametrize(
    "text",
    [
        "guest CPU doesn't match specification: missing features: vmx",
        "guest CPU doesn’t match specification: missing features: vmx",
        "''guest CPU doesn''t match\n   specification: missing features: vmx''",
    ],
)
def test_apostrophes(text: str) -> None:
    found = only(text)
    assert found.message.id == "guest-cpu-not-as-written"
    assert "in vmx." in found.cause


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(codec: str) -> None:
    assert only(plain(EVMCS.encode(codec))).span.column == 1


def test_bytes_that_are_no_text_do_no_harm() -> None:
    said = plain(b"\xff\x00\x80" + EVMCS.encode() + b"\xc3")
    assert only(said).rows[0].id == "evmcs"
    assert plain(b"\xff\xfe\x00") == "�"


def test_what_is_shown_of_a_text_can_be_printed() -> None:
    found = only("Parameter 'hv-spinlocks' expects \x1b[31muint\x9b64")
    assert found.cause.isprintable()
    assert found.remedy.isprintable()


def test_a_sentence_may_go_on_in_the_next_line() -> None:
    said = "My Windows guest does nothing at all, and yet while it is idle\nthe host's CPU has a high load.\n"
    found = only(said)
    assert (found.message.id, found.span.line) == ("high-idle-cpu", 1)


def test_a_symptom_gives_way_to_a_message_in_its_line() -> None:
    said = "it cannot migrate: 'hv-passthrough' CPU flag prevents migration, use explicit set of hv-* flags instead"
    assert only(said).message.id == "flag-blocks-migration"


def worst_texts(size: int) -> dict[str, str]:
    """What might make a search run away: the beginnings of messages, without an end."""
    beginnings = {re.split(r"\{", text)[0] for message in MESSAGES for text in message.texts}
    units = {
        "newlines": "\n",
        "spaces": " ",
        "characters": "x",
        "quotes": "'",
        "parentheses": "(",
        "escapes": "\x1b[",
        "titles": "\x1b]",
        "words": "idle cpu high clock migrate cannot ",
        "sentences": "It does nothing at all but it idles, the whole day and the whole night\n",
        "surrogates": "\udcff",
        "names": "hv-",
        "features": "a,",
        "dots": "a.",
        "messages": f"{EVMCS}\n",
        "many": "".join(sorted(beginnings)),
        "doors": "".join(f"{beginning}\n" for beginning in sorted(beginnings)),
    }
    return {name: unit * (size // len(unit) + 1) for name, unit in units.items()}


@pytest.mark.parametrize("name", worst_texts(1))
def test_time_grows_with_the_text_alone(name: str) -> None:
    data = worst_texts(512 << 10)[name].encode("utf-8", "surrogateescape")
    begun = time.process_time()
    diagnose(plain(data), "a")
    assert time.process_time() - begun < SECONDS


@pytest.mark.parametrize("text", ["x" * (4 << 20), f"{EVMCS}\n" * 66_000], ids=["one line", "repeated"])
def test_the_largest_texts(text: str) -> None:
    begun = time.process_time()
    assert [found.times for found in diagnose(text, "a").found] == ([] if "x" * 99 in text else [66_000])
    assert time.process_time() - begun < SECONDS


def test_the_largest_text_with_all_messages() -> None:
    lines = [example(text) for message in MESSAGES for text in message.texts]
    text = "\n".join(lines)
    begun = time.process_time()
    assert len(diagnose("\n".join([text] * ((4 << 20) // len(text))), "a").found) > len(MESSAGES) // 2
    assert time.process_time() - begun < SECONDS


def test_a_place_is_found_whatever_is_around_it() -> None:
    """Only what is near a message's longest word is looked at: places beside each other, and just as far as that."""
    wordings = [text for message in MESSAGES for text in message.texts]
    for gap in (1, 300, 900, 3000):
        said = (" " + "." * gap + " ").join(example(text) for text in wordings)
        for wording in wordings[:: 1 + gap // 200]:
            spans = [match.span() for match in near(wording, said, lower(said))]
            assert spans == [match.span() for match in pattern(wording).finditer(said)], (wording, gap)


def test_no_place_is_longer_than_what_is_looked_at() -> None:
    for message in MESSAGES:
        for wording in message.texts:
            if not any(f"{{{slot}}}" in wording for slot in LONG_SLOTS):
                _, longest = _parser.parse(pattern(wording).pattern, re.IGNORECASE).getwidth()
                assert longest < reach(wording), wording


def test_lower_case_leaves_every_character_at_its_place() -> None:
    assert all(len(lower(chr(code))) == 1 for code in range(0x110000))
    assert lower("A\u0130B") == "aib"


@pytest.mark.parametrize("message", [one for one in MESSAGES if one.texts], ids=lambda message: message.id)
def test_no_part_of_a_message_runs_away(message: Message) -> None:
    """Each wording's parts repeated: every slot meets what fits it, and never what has to follow."""
    begun = time.process_time()
    for text in message.texts[:10]:
        parts = {part for part in re.split(r"\{\w+\}", text) if part}
        for unit in (*parts, re.sub(r"\{\w+\}", "hv-a.0x4", text)[:-1]):
            diagnose(unit * (8192 // len(unit)), "a")
    assert time.process_time() - begun < SECONDS


@given(st.binary(max_size=300), st.sampled_from(TEXTS), st.binary(max_size=300))
def test_any_bytes(before: bytes, text: str, after: bytes) -> None:
    said = plain(before + text.encode() + after)
    lines = said.count("\n") + 1
    for found in diagnose(said, "a").found:
        assert 1 <= found.span.line <= lines
        assert found.span.excerpt[found.span.column - 1 :] or not found.span.excerpt
        assert found.cause.isprintable()
        assert found.remedy.isprintable()
