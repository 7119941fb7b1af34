"""XML with places: where each part of a file stands, and what is said of a file that is none."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree

from hvctl.errors import InputError, Span
from hvctl.report.problems import render_error
from hvctl.xml.check import DEEPEST
from hvctl.xml.document import Document, Element, unescaped
from hvctl.xml.reader import parse

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]
CRLF = b'<a>\r\n\t<b c="d"/>\r\n</a>\r\n'


def value_span(element: Element, name: str) -> Span:
    found = element.attribute(name)
    assert found is not None
    return element.document.span(found.value_start, found.value_end)


def places(span: Span) -> tuple[int, int, int, int]:
    return span.line, span.column, span.end_line, span.end_column


def shown(span: Span) -> str:
    """What a caret stands under, where the span is on one line."""
    return span.excerpt[span.column - 1 : span.end_column - 1]


def first(document: Document) -> Element:
    return document.root.children[0] if document.root.children else document.root


def source(element: Element) -> bytes:
    """The element put together from its parts."""
    data, found = element.document.data, [element.document.data[element.start : element.open_end]]
    for part in element.content():
        found.append(source(part) if isinstance(part, Element) else data[part.start : part.end])
    return b"".join(found) + data[element.close_start : element.end]


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ('<a b="c"/>', (1, 4, 1, 5), (1, 7, 1, 8)),
        ("<a b='c'/>", (1, 4, 1, 5), (1, 7, 1, 8)),
        ("<a\n\tx='1'\r\n  b = \n'c'></a>", (3, 3, 3, 4), (4, 2, 4, 3)),
        ('<a x=">/>" b="c"/>', (1, 12, 1, 13), (1, 15, 1, 16)),
        ("<a x='\"' b='c'/>", (1, 10, 1, 11), (1, 13, 1, 14)),
        ('<a x=" b=\'no\' " b="c"/>', (1, 17, 1, 18), (1, 20, 1, 21)),
        ('<a x="&amp;&#10;" b="&#99;"/>', (1, 19, 1, 20), (1, 22, 1, 27)),
        ('<a x="\n" b="c"/>', (2, 3, 2, 4), (2, 6, 2, 7)),
        ('<a x="\r" b="c"/>', (2, 3, 2, 4), (2, 6, 2, 7)),
        ('<a ä="😀" b="c"/>', (1, 10, 1, 11), (1, 13, 1, 14)),
        ('<a b:b="x" b="c"/>', (1, 12, 1, 13), (1, 15, 1, 16)),
        ('<!-- <a b="x"> --><a b="c">x="y"</a>', (1, 22, 1, 23), (1, 25, 1, 26)),
    ],
)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_attributes(text: str, name: tuple[int, ...], value: tuple[int, ...], encoding: str) -> None:
    element = parse(text.encode(encoding), "f.xml").root
    found = element.attribute("b")
    assert found is not None
    assert element.get("b") == found.value == "c"
    assert places(element.document.span(found.name_start, found.name_end)) == name
    assert places(value_span(element, "b")) == value
    whole = element.attribute_span("b")
    assert places(whole) == (*name[:2], value[2], value[3] + 1)


def test_the_bytes_of_an_attribute_are_those_of_the_file() -> None:
    for encoding in ENCODINGS:
        data = '<ä ö="ü">é</ä>'.encode(encoding)
        root = parse(data, "f.xml").root
        (found,) = root.attributes()
        assert data[found.name_start : found.name_end].decode(encoding.removesuffix("-sig")).lstrip("\ufeff") == "ö"
        changed = data[: found.value_start] + root.document.data[found.name_start : found.name_end]
        changed += data[found.value_end :]
        assert parse(changed, "f.xml").root.get("ö") == "ö"


@pytest.mark.parametrize("encoding", ["iso-8859-1", "windows-1252", "koi8-r", "us-ascii"])
def test_eight_bits(encoding: str) -> None:
    letter = bytes([0x41 if encoding == "us-ascii" else 0xC4])
    data = b'<?xml version="1.0" encoding="' + encoding.encode() + b'"?>\n<' + letter + b' b="' + 3 * letter + b'"/>'
    root = parse(data, "f.xml").root
    assert root.tag == letter.decode(encoding)
    assert root.get("b") == 3 * root.tag
    assert shown(value_span(root, "b")) == 3 * root.tag
    assert places(value_span(root, "b")) == (2, 7, 2, 10)


def test_a_declared_encoding_counts_behind_a_byte_order_mark() -> None:
    root = parse(b'\xef\xbb\xbf<?xml version="1.0" encoding="ISO-8859-1"?><a b="\xe4"/>', "f.xml").root
    assert root.get("b") == "ä"
    assert places(root.span) == (1, 44, 1, 54)


def test_the_line_is_shown_without_its_end_and_mark() -> None:
    for text in (CRLF, b"\xef\xbb\xbf" + CRLF, CRLF.replace(b"\r\n", b"\r"), CRLF.decode().encode("utf-16")):
        span = value_span(first(parse(text, "f.xml")), "c")
        assert span == Span("f.xml", 2, 8, 2, 9, '\t<b c="d"/>')
        root = parse(text, "f.xml").root
        assert root.span == Span("f.xml", 1, 1, 1, 4, "<a>")


def test_lines_of_utf_16_are_not_seen_in_halves_of_characters() -> None:
    # U+0A0D, U+0D0A and their neighbours hold the bytes of line ends.
    for encoding in ("utf-16-le", "utf-16-be"):
        data = '<a b="\u0a0d\u0d0a\u0a00\u000a\u0d00" c="d"/>'.encode(encoding)
        assert places(value_span(parse(data, "f.xml").root, "c")) == (2, 7, 2, 8)


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("<a/>", (4, 4, 4)),
        ("<a />", (5, 5, 5)),
        ("<a></a>", (3, 3, 7)),
        ("<a ></a >", (4, 4, 9)),
        ("<a>/></a>", (3, 5, 9)),
        ("<a><b/></a>", (3, 7, 11)),
        ("<a x='/>'></a\n>", (10, 10, 15)),
        ("<a x='/'/>", (10, 10, 10)),
    ],
)
def test_tags(text: str, ends: tuple[int, int, int]) -> None:
    for encoding, width in (("utf-8", 1), ("utf-16-be", 2)):
        root = parse(text.encode(encoding), "f.xml").root
        assert (root.open_end, root.close_start, root.end) == tuple(width * end for end in ends)
        assert root.self_closing == (ends[0] == ends[2])


def test_content_in_order() -> None:
    data = b"<a>one<!-- <b> --><b/>t&amp;wo<![CDATA[<c>]]><?p <d> ?>\n<e>f</e></a>"
    root = parse(data, "f.xml").root
    found = [(part.tag, "") if isinstance(part, Element) else (part.kind, data[part.start : part.end].decode())
             for part in root.content()]  # fmt: skip
    assert found == [
        ("text", "one"),
        ("comment", "<!-- <b> -->"),
        ("b", ""),
        ("text", "t&amp;wo"),
        ("cdata", "<![CDATA[<c>]]>"),
        ("instruction", "<?p <d> ?>"),
        ("text", "\n"),
        ("e", ""),
    ]
    assert root.text() == "onet&wo<c>\n"
    assert [element.tag for element in root.walk()] == ["a", "b", "e"]
    assert root.children[1].parent is root


def test_text_is_what_a_reader_takes() -> None:
    root = parse(b"<a>\r\nx\ry&#13;&#x41;&lt;&amp;lt;<![CDATA[&amp;\r\n]]></a>", "f.xml").root
    assert root.text() == "\nx\ny\rA<&lt;&amp;\n"


def test_namespaces() -> None:
    root = parse(
        b"<domain xmlns:q='urn:q' xmlns:xmlnsx='urn:no'>"
        b"<q:a/><b xmlns='urn:b'><c/><q:d xmlns:q='urn:e'/><f xmlns=''/></b><g:h/><xml:i/><k/></domain>",
        "f.xml",
    ).root
    found = {element.tag: element.namespace for element in root.walk()}
    assert found == {
        "domain": None,
        "q:a": "urn:q",
        "b": "urn:b",
        "c": "urn:b",
        "q:d": "urn:e",
        "f": None,
        "g:h": None,
        "xml:i": "http://www.w3.org/XML/1998/namespace",
        "k": None,
    }
    assert [element.local for element in root.children] == ["a", "b", "h", "i", "k"]
    assert [len(root.named(name)) for name in ("k", "b", "q:a", "a")] == [1, 0, 0, 0]


LESS = "write &lt; in a text or value, or close the tag or quote before it"


@pytest.mark.parametrize(
    ("data", "place", "message", "hint"),
    [
        (b"", (1, 1), "the file is empty", ""),
        (b" \n\n", (1, 1), "the file is empty", ""),
        (b"<!-- a -->\n\n", (1, 11), "there is no element in this file", ""),
        (b"text", (1, 1), "this is not XML", ""),
        (b"<a>\n  <b>\n\n", (2, 6), "the file ends inside <b>", ""),
        (b"<a>\n<b></a></b>", (2, 6), "found '</a>', expected '</b>'", ""),
        (b"<a/>\n<b/>", (2, 1), "content after the end of <a>", "write one element per file"),
        (b"<a>\n <b", (2, 2), "unclosed tag, comment or quote", "close it"),
        (b'<a>\n <b c="/>', (2, 2), "unclosed tag, comment or quote", "close it"),
        (b"<a><![CDATA[ </a>", (1, 18), "unclosed CDATA section", "end it with ]]>"),
        (b'<a b="1" b="2"/>', (1, 10), "duplicate attribute", ""),
        (b"<a b=1/>", (1, 6), "'1' is not allowed here", "put the attribute's value in quotes"),
        (b'<a b="<"/>', (1, 7), "'<' is not allowed here", LESS),
        (b"<a>b & c</a>", (1, 6), "unescaped &", "write &amp; for &"),
        (b"<a b='&x'/>", (1, 7), "unescaped &", "write &amp; for &"),
        (b"<a>&nbsp;</a>", (1, 4), "undefined reference", "write &amp; for &"),
        (b"<a>&#xd800;</a>", (1, 4), "invalid character reference", ""),
        (b"<a>]]></a>", (1, 6), "'>' is not allowed here", "write ]]&gt;"),
        (b"<!-- a -- b --><a/>", (1, 10), "' ' is not allowed here", "remove -- from the comment"),
        (b"<a>\n\0</a>", (2, 1), "the character U+0000 is not allowed here", ""),
        ("<a>ö\x1b</a>".encode(), (1, 5), "the character U+001B is not allowed here", ""),
        (b"<a>\n  caf\xe9</a>", (2, 6), "the byte 0xe9 is not UTF-8", "save the file as UTF-8"),
        (b"<a>\xed\xa0\x80</a>", (1, 4), "the byte 0xed is not UTF-8", "save the file as UTF-8"),
        (b"\n<?xml version='1.0'?><a/>", (2, 1), "the XML declaration is not at the beginning of the file",
         "remove everything before it"),
        (b"<?xml version='1.0' x='y'?><a/>", (1, 21), "the XML declaration is wrong",
         'write <?xml version="1.0" encoding="UTF-8"?>, or leave it out'),
        ("<a>\r\n\tä &".encode("utf-16"), (2, 4), "unclosed tag, comment or quote", "close it"),
        ("<a>\r\n\tä\0".encode("utf-16-be"), (2, 3), "the character U+0000 is not allowed here", ""),
        (b"\xef\xbb\xbf<>", (1, 2), "'>' is not allowed here", ""),
        (b"<a>\xc3", (1, 4), "the file ends in the middle of a character", ""),
    ],
)  # fmt: skip
def test_what_is_not_well_formed(data: bytes, place: tuple[int, int], message: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(data, "f.xml")
    (problem,) = caught.value.problems
    assert problem.span is not None
    assert (problem.message, problem.hint) == (message, hint)
    assert (problem.span.path, problem.span.line, problem.span.column) == ("f.xml", *place)
    assert problem.span.end_column > problem.span.column


def test_an_element_that_does_not_end_is_shown() -> None:
    for data in (b"<a>\n <b x='y'>\n", b"<a>\n <b></c>\n</a>"):
        with pytest.raises(InputError) as caught:
            parse(data, "f.xml")
        ((label, span),) = caught.value.problems[0].related
        assert (label, span.line, shown(span)) == ("begun here", 2, "<b")


@pytest.mark.parametrize(
    "encoding", ["foo", "hex", "rot13", "idna", "utf-7", "shift_jis", "UTF-16", "UTF-8 ", "undefined"]
)
def test_encodings_that_cannot_be_read(encoding: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(f"<?xml version='1.0' encoding='{encoding}'?><a/>".encode(), "f.xml")
    (problem,) = caught.value.problems
    assert problem.message in ("unsupported or wrong encoding declaration", "the XML declaration is wrong")
    assert problem.span is not None
    assert problem.span.line == 1


BOMB = "<!DOCTYPE a [" + "".join(
    f"<!ENTITY e{number} '{f'&e{number - 1};' * 50 if number else 'e'}'>" for number in range(12)
)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("<!DOCTYPE domain><domain/>", (1, 1)),
        ("<!DOCTYPE domain SYSTEM 'file:///etc/passwd'><domain/>", (1, 1)),
        ("<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>", (1, 1)),
        ("<?xml version='1.0'?>\n<!-- <!DOCTYPE a> -->\n\t<!DOCTYPE\na><a/>", (3, 2)),
        (f"{BOMB}]><a>&e11;</a>", (1, 1)),
        (f"{BOMB}]><a b='&e11;'/>", (1, 1)),
    ],
)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_document_types_are_refused(text: str, place: tuple[int, int], encoding: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text.encode(encoding), "f.xml")
    (problem,) = caught.value.problems
    assert problem.span is not None
    assert problem.message == "a document type declaration is refused"
    assert (problem.span.line, problem.span.column, shown(problem.span)) == (*place, "<!DOCTYPE")


def test_depth_is_bounded() -> None:
    assert parse(b"<a>" * DEEPEST + b"</a>" * DEEPEST, "f.xml").root.tag == "a"
    for depth in (DEEPEST + 1, 10_000, 500_000):
        with pytest.raises(InputError) as caught:
            parse(b"<a>" * depth + b"</a>" * depth, "f.xml")
        (problem,) = caught.value.problems
        assert problem.message == "nested more than 200 levels deep"
        assert problem.span is not None
        assert (problem.span.line, problem.span.column) == (1, 3 * DEEPEST + 1)


def test_much_of_everything() -> None:
    names = [f"ä{number}" for number in range(20_000)]
    data = ("<a " + "\n".join(f"{name}='&amp;'" for name in names) + ">" + "<b/>" * 20_000 + "</a>").encode()
    root = parse(data, "f.xml").root
    assert [found.name for found in root.attributes()] == names
    assert places(value_span(root, names[-1])) == (20_000, 9, 20_000, 14)
    assert len(list(root.walk())) == 20_001
    assert root.end == len(data)


def test_a_long_line_costs_no_more_than_its_length() -> None:
    data = ("<a>" + "ö" * 1_000_000 + "<b c='d'/>" * 5_000 + "</a>").encode()
    spans = [value_span(element, "c") for element in parse(data, "f.xml").root.children]
    assert [(span.line, span.column) for span in spans] == [(1, 1_000_010 + 10 * number) for number in range(5_000)]


# Random trees.

SPACE = st.sampled_from([" ", "\n", "\t", "\r\n", "  "])
NAMES = st.sampled_from(["a", "b", "q:c", "ä", "_", "x.y-z", "日"])
LETTERS = st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs", "Cc"]) | st.sampled_from(
    "\t\n"
)
TEXTS = st.text(LETTERS.filter(lambda char: char not in "\ufffe\uffff"), max_size=8)
ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;", "\t": "&#9;", "\n": "&#xA;"}


def escaped(text: str) -> str:
    return "".join(ESCAPES.get(char, char) for char in text)


@st.composite
def start_tags(draw: st.DrawFn) -> tuple[str, str]:
    name = draw(NAMES)
    tag = f"<{name}"
    for attribute in draw(st.lists(NAMES.filter(lambda name: ":" not in name), max_size=3, unique=True)):
        quote = draw(st.sampled_from("\"'"))
        equals = draw(st.sampled_from(["=", " = ", "\n=\t"]))
        tag += draw(SPACE) + attribute + equals + quote + escaped(draw(TEXTS)) + quote
    return name, tag + draw(st.sampled_from(["", " ", "\n"]))


@st.composite
def trees(draw: st.DrawFn, depth: int = 3) -> str:
    name, tag = draw(start_tags())
    if draw(st.booleans()):
        return f"{tag}/>"
    parts = st.one_of(
        TEXTS.map(escaped),
        st.sampled_from(["<!-- < -->", "<![CDATA[<&]]>", "<?p q?>", "/>", "\r", "\r\n", "<!---->", "<![CDATA[]]>"]),
        *([trees(depth=depth - 1)] if depth else []),
    )
    return f"{tag}>{''.join(draw(st.lists(parts, max_size=4)))}</{name}{draw(st.sampled_from(['', ' ']))}>"


FILES = st.tuples(st.sampled_from(["", "<!-- é -->\n", "\r\n\t"]), trees(), st.sampled_from(["", "\n", "<!-- e -->"]))
FORMS = st.sampled_from(ENCODINGS)


@given(st.lists(st.text("aé€\U0001f600\n", max_size=3), min_size=1, max_size=4), st.integers(0, 5000), FORMS)
def test_columns_of_long_lines_are_code_points(texts: list[str], count: int, encoding: str) -> None:
    """Whatever is counted in steps, and wherever a step ends."""
    before = "".join(text * count for text in texts)
    document = parse(f"<a>{before}<b/></a>".encode(encoding), "f.xml")
    span = first(document).span
    lines = f"<a>{before}".split("\n")
    assert (span.line, span.column, span.end_column) == (len(lines), len(lines[-1]) + 1, len(lines[-1]) + 5)


@given(FILES, FORMS)
@example(("", "<a>/></a>", ""), "utf-8")
@example(("", "<b><b/></b>", ""), "utf-16")
def test_the_parts_make_the_file(file: tuple[str, str, str], encoding: str) -> None:
    before, text, after = file
    data = "".join(file).encode(encoding)
    document = parse(data, "f.xml")
    start = len(before.encode(encoding)) if before or not encoding.endswith(("-sig", "16")) else document.root.start
    assert document.root.start == start
    assert source(document.root) == data[document.root.start : document.root.end]
    assert document.text(document.root.start, document.root.end) == text
    assert document.text(document.root.end, len(data)) == after


@given(FILES, FORMS)
def test_the_places_of_attributes(file: tuple[str, str, str], encoding: str) -> None:
    document = parse("".join(file).encode(encoding), "f.xml")
    lines = "".join(file).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for element in document.root.walk():
        for found in element.attributes():
            written = document.text(found.value_start, found.value_end)
            assert unescaped(written) == found.value == element.get(found.name)
            assert document.text(found.name_start, found.name_end) == found.name
            assert shown(document.span(found.name_start, found.name_end)) == found.name
            span = document.span(found.value_start, found.value_end)
            assert shown(span) == written
            assert lines[span.line - 1] == span.excerpt


def same(element: Element, other: etree._Element) -> None:
    prefix = f"{other.prefix}:" if other.prefix else ""
    assert element.tag == prefix + etree.QName(other).localname
    assert element.namespace == etree.QName(other).namespace
    assert [(found.name, found.value) for found in element.attributes() if not found.name.startswith("xmlns")] == [
        (str(name), str(value)) for name, value in other.attrib.items()
    ]
    children = [child for child in other if isinstance(child.tag, str)]
    assert element.text() == "".join([other.text or "", *(child.tail or "" for child in other)])
    assert len(element.children) == len(children)
    for one, two in zip(element.children, children, strict=True):
        same(one, two)


@given(trees(), FORMS)
def test_it_is_read_as_libxml2_reads_it(text: str, encoding: str) -> None:
    text = f"<r xmlns:q='urn:q' xmlns='urn:d'>{text}</r>"
    if encoding in ("utf-16-le", "utf-16-be"):
        text = "\ufeff" + text  # libxml2 does not see it without
    data = text.encode(encoding)
    same(parse(data, "f.xml").root, etree.fromstring(data, etree.XMLParser(huge_tree=True)))


# Anything.


def parsed(data: bytes) -> Document | InputError:
    try:
        return parse(data, "f.xml")
    except InputError as error:
        return error


def accepts_or_explains(data: bytes) -> None:
    document = parsed(data)
    if isinstance(document, InputError):
        (problem,) = document.problems
        assert problem.span is not None
        assert problem.span.line >= 1 <= problem.span.column
        assert all(render_error(document, color).endswith("\n") for color in (False, True))
        return
    assert source(document.root) == data[document.root.start : document.root.end]
    for element in document.root.walk():
        assert element.namespace is None or element.namespace
        element.text()
        for found in element.attributes():
            assert document.text(found.name_start, found.name_end) == found.name


PIECES = [
    *"<>/&;!?-[]='\"# \n\r\tax:\0\x1b\x85\ufeff\ufffeä😀",
    "<a>",
    "</a>",
    "<a b='c'",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<?xml version='1.0' encoding='",
    "utf-8",
    "utf-16",
    "latin-1",
    "windows-1252",
    "'?>",
    "<!DOCTYPE a [",
    "<!ENTITY a 'b'>",
    "&a;",
    "&#60;",
    "&amp;",
    "xmlns='",
    "xmlns:a='b'",
]


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join), FORMS)
def test_pieces_of_xml(text: str, encoding: str) -> None:
    accepts_or_explains(text.encode(encoding, "replace"))


@given(st.binary(max_size=100))
@example(b"\xff\xfe")
@example(b"\0<")
@example(b"<?xml version='1.0' encoding='hex'?><\xe4/>")
@example(b"\xff\xfe<\0a\0 \0b\0=\0'\0\0\xd8A\0'\0/\0>\0")
def test_any_bytes(data: bytes) -> None:
    accepts_or_explains(data)


@given(trees(), FORMS, st.data())
def test_damaged_files(text: str, encoding: str, draw: st.DataObject) -> None:
    data = bytearray(text.encode(encoding))
    for _ in range(draw.draw(st.integers(1, 3))):
        at = draw.draw(st.integers(0, len(data) - 1)) if data else 0
        data[at : at + draw.draw(st.integers(0, 3))] = draw.draw(st.binary(max_size=3))
    accepts_or_explains(bytes(data))
