"""The tree from one pass over the tags, beside the one that expat's call backs give; and what may be left out of it."""

from __future__ import annotations

import re
from typing import NamedTuple
from xml.parsers import expat

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from hvctl.errors import InputError
from hvctl.text.files import LARGEST_XML, UnreadableError
from hvctl.xml.check import DEEPEST
from hvctl.xml.document import Document, Element
from hvctl.xml.reader import MOST_ELEMENTS, parse, parse_all
from tests.lint.odd_domains import odd_domains
from tests.xml.test_document import ENCODINGS, FILES, FORMS, PIECES

DECLARED = "<?xml version='1.0' encoding='{}'?>"


class Heard(NamedTuple):
    """One element as expat tells it: its name, attributes, depth, and the offsets of its tags."""

    tag: str
    attributes: list[tuple[str, str]]
    depth: int
    start: int
    close_start: int


def heard(data: bytes) -> list[Heard]:
    """The elements of a file, from a call back for each tag."""
    found: list[Heard] = []
    path: list[int] = []
    parser = expat.ParserCreate()
    parser.ordered_attributes = True

    def start(tag: str, pairs: list[str]) -> None:
        path.append(len(found))
        attributes = list(zip(pairs[::2], pairs[1::2], strict=True))
        found.append(Heard(tag, attributes, len(path), parser.CurrentByteIndex, -1))

    def end(_: str) -> None:
        place = path.pop()
        found[place] = found[place]._replace(close_start=parser.CurrentByteIndex)

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.Parse(data, True)
    return found


def read(element: Element, depth: int = 1) -> list[Heard]:
    found = [Heard(element.tag, list(element.values.items()), depth, element.start, element.close_start)]
    return found + [one for child in element.below for one in read(child, depth + 1)]


def agrees(data: bytes) -> None:
    """The tree is what expat tells, and each element knows its parent."""
    document = parse(data, "f.xml")
    assert read(document.root) == heard(data)
    assert document.root.parent is None
    for element in document.root.walk():
        assert all(child.parent is element for child in element.below)


@given(FILES, FORMS)
@example(("", "<a b='>' c=\"/>\"><d e='</a>'/></a>".replace("</a>'", "&lt;/a>'"), ""), "utf-8")
@example(("", "<a><!-- <b> --><![CDATA[</a>]]><?c <d> ?></a>", ""), "utf-16")
@example(("", "<a b='\U0001f600'><c d='\U0001f600e'/>\U0001f600</a>", ""), "utf-16-le")
@example(("", "<a\tb = 'c\r\nd\te&#10;'\n></a >", ""), "utf-8")
def test_the_tree_is_the_one_that_expat_tells(file: tuple[str, str, str], encoding: str) -> None:
    agrees("".join(file).encode(encoding))


@given(FILES, st.sampled_from(["iso-8859-1", "windows-1252", "koi8-r", "us-ascii"]))
def test_the_same_of_eight_bits(file: tuple[str, str, str], encoding: str) -> None:
    data = (DECLARED.format(encoding) + file[1]).encode(encoding, "xmlcharrefreplace")
    try:
        heard(data)
    except expat.ExpatError:
        assume(False)  # a reference in a name
    agrees(data)


@given(odd_domains())
def test_the_same_of_domains(data: bytes) -> None:
    agrees(data)


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join), FORMS)
def test_what_expat_refuses_is_refused(text: str, encoding: str) -> None:
    data = text.encode(encoding, "replace")
    try:
        elements = heard(data)
    except (expat.ExpatError, LookupError, ValueError):
        elements = []
    try:
        document = parse(data, "f.xml")
    except InputError:
        assert not elements or "<!DOCTYPE" in text
    else:
        assert read(document.root) == elements


def test_tags_of_one_file_are_not_taken_for_those_of_another() -> None:
    """The same bytes are other characters in another encoding."""
    for _ in range(2):
        for encoding in ("iso-8859-1", "koi8-r", "utf-8", "windows-1251"):
            root = parse(DECLARED.format(encoding).encode() + b"<a b='\xc3\xa9'/>", "f.xml").root
            assert root.get("b") == b"\xc3\xa9".decode(encoding)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_half_a_character_is_refused(encoding: str) -> None:
    data = "<a>\n ö\ud83d<b/></a>".encode(encoding, "surrogatepass")
    with pytest.raises(InputError) as caught:
        parse(data, "f.xml")
    (problem,) = caught.value.problems
    assert problem.message == "this is half a character of UTF-16"
    assert problem.span is not None
    assert (problem.span.line, problem.span.column) == (2, 3)


# What is left out.

DISKS = "<disk><source a='b'/></disk>" * 3


def shallow(text: str, encoding: str = "utf-8") -> Document:
    return parse(text.encode(encoding), "f.xml", shallow=True)


@pytest.mark.parametrize(
    "text",
    [
        f"<domain><name>a</name><devices>{DISKS}</devices><b/></domain>",
        f"<!-- <devices --><domain><!-- a -->\n<devices>{DISKS}</devices></domain>",
        f"<domain><x:devices xmlns:x='y'/><devices>{DISKS}</devices></domain>",
    ],
)
def test_devices_are_left_out(text: str) -> None:
    if text.startswith("<!--"):
        text = text.replace("<devices -->", "devices -->")
    document = shallow(text)
    (devices,) = document.root.named("devices")
    assert devices.below == []
    assert document.text(devices.open_end, devices.close_start) == DISKS
    whole = parse(text.encode(), "f.xml").root
    assert [one.start for one in document.root.children] == [one.start for one in whole.children]
    assert [one.end for one in document.root.children] == [one.end for one in whole.children]


@pytest.mark.parametrize(
    "text",
    [
        "<domain><devices><panic model='hyperv'/></devices></domain>",
        "<domain><devices><a><![CDATA[</devices>]]></a></devices></domain>",
        "<domain><devices><!-- </devices> --></devices></domain>",
        "<domain><!-- <devices> --><devices></devices></domain>",
        "<domain><?a <devices>?><devices></devices></domain>",
        "<domain><devices><devices a=''><b/></devices></devices ></domain>",
        "<domain><devices><devices/></devices></domain>",
        "<domain><devices><a/></devices ><b><devices2></devices2></b></domain>",
        "<domain><devices><a/></devices><devices><b/></devices></domain>",
        "<domain><devices a='b'><c/></devices></domain>",
        "<domain><devices/></domain>",
        "<domain></domain>",
    ],
)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_what_cannot_be_told_is_read(text: str, encoding: str) -> None:
    data = text.encode(encoding)
    assert read(parse(data, "f.xml", shallow=True).root) == heard(data)


@given(odd_domains(), st.data())
def test_what_is_left_out_is_inside_of_devices(data: bytes, draw: st.DataObject) -> None:
    for _ in range(draw.draw(st.integers(0, 3))):
        at = draw.draw(st.sampled_from([match.start() for match in re.finditer(b"<", data)] or [0]))
        piece = draw.draw(
            st.sampled_from(
                [b"<!-- <devices> -->", b"<devices>", b"</devices>", b"<devices/>", b"<devices ></devices >", b"<a>"]
            )
        )
        data = data[:at] + piece + data[at:]
    found = parse_all([(data, "f.xml")], shallow=False), parse_all([(data, "f.xml")])
    (document,), (less,) = found
    if isinstance(document, InputError):
        assert isinstance(less, InputError)
        assert less.problems == document.problems
        return
    assert isinstance(less, Document)
    whole, part = read(document.root), read(less.root)
    devices = [one for one in whole if one.tag == "devices"]
    left_out = [one for one in whole if one not in part]
    assert [one for one in whole if one in part] == part
    assert all(any(two.start < one.start < two.close_start for two in devices) for one in left_out)


# Bounds, comments, and many files.


def test_elements_are_counted() -> None:
    data = b"<a>" + b"<b/>" * 9 + b"</a>"
    assert len(parse(data, "f.xml", most=10).root.below) == 9
    large = b"<a>" + b"<b/>" * 100_000 + b"</a>"
    for text, most in ((data, 9), (large, 100_000)):
        with pytest.raises(InputError) as caught:
            parse(text, "f.xml", most=most)
        (problem,) = caught.value.problems
        assert (problem.message, problem.span) == (f"f.xml cannot be read: it has more than {most} elements", None)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<a>" + b" " * LARGEST_XML + b"</a>", "it is larger than 4 MiB"),
        (b"<a>" + b"<b/>" * MOST_ELEMENTS + b"</a>", f"it has more than {MOST_ELEMENTS} elements"),
        (b"<a>" + b"\r" * 400_001 + b"</a>", "it has more than 400000 line ends"),
    ],
)
def test_what_no_domain_has_is_not_read(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        parse(data, "f.xml")
    assert caught.value.reason == reason


def test_depth_is_bounded_where_nothing_is_kept() -> None:
    """expat remembers each tag that is open: a file of them would take much memory."""
    deep = b"<domain><devices>" + b"<a>" * 200_000 + b"</a>" * 200_000 + b"</devices></domain>"
    with pytest.raises(InputError) as caught:
        parse(deep, "f.xml", shallow=True)
    assert caught.value.problems[0].message == f"nested more than {DEEPEST} levels deep"


def test_the_first_problem_counts() -> None:
    """A file that is nested too deeply, and then ends, is nested too deeply."""
    for text in (b"<a>" * 300, b"<a>" * 200 + b"<a/>" + b"</a>" * 200):
        with pytest.raises(InputError) as caught:
            parse(text, "f.xml")
        assert "nested" in caught.value.problems[0].message


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_comments_that_are_asked_for(encoding: str) -> None:
    text = "<a><!-- m: ö --><!--n: no--><b/><!--m:😀--><!-- m: 2 --><c><!-- m: 3\r\n--></c></a><!--m: 4-->"
    document = parse(text.encode(encoding), "f.xml", mark="m:")
    found = [(one.text, one.element and one.element.tag) for one in document.comments]
    assert found == [("m: ö", "b"), ("m:😀", "c"), ("m: 2", "c"), ("m: 3", None)]
    for one in document.comments:
        assert document.text(one.start, len(document.data)).startswith("<!--")
    assert parse(text.encode(encoding), "f.xml").comments == ()


def test_what_is_wrong_with_one_file_stands_in_its_place() -> None:
    files = [b"<a/>", b"<a>", b"<b/>", b"<a><a/></a>", b""]
    found = parse_all([(data, f"{number}") for number, data in enumerate(files)], most=1)
    tags = [one.root.tag if isinstance(one, Document) else one.problems[0].message for one in found]
    many = "3 cannot be read: it has more than 1 elements"
    assert tags == ["a", "the file ends inside <a>", "b", many, "the file is empty"]
    spans = [one.problems[0].span for one in found if isinstance(one, InputError)]
    assert [span and span.path for span in spans] == ["1", None, "4"]
