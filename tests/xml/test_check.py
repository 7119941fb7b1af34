"""Two parsers that say whether a file is well-formed: libxml2 takes none that expat does not."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hvctl.errors import InputError
from hvctl.xml.check import DEEPEST, _expat_takes, _libxml2_takes
from hvctl.xml.document import Document
from hvctl.xml.reader import parse_all
from tests.lint.odd_domains import odd_domains
from tests.xml.test_document import FILES

# What parsers have thought differently of, or is wrong at most places.
ODD = [
    *(b"<", b">", b"&", b"'", b'"', b"/", b"=", b" ", b"\t", b"\r", b"\n", b"\0", b"\x01", b"\x0c", b"\x7f", b":"),
    *(b"--", b"<!--", b"-->", b"<!-- - -->", b"<!---->", b"<![CDATA[", b"]]>", b"<!", b"<!DOCTYPE a>", b"<!ENTITY"),
    *(b"<?a?>", b"<?xml version='1.0'?>", b"&amp;", b"&lt", b"&a;", b"&#0;", b"&#x20;", b"&#xD800;", b"&#xFFFE;"),
    *(b"&#x110000;", b"&#99999999999;", b"&#;", b"&#x;", b"<a>", b"</a>", b"<a/>", b"<a/ >", b"< a>", b"<a:b:c/>"),
    *(b"<:a/>", b"<b:/>", b"<-a/>", b"<a a='1'a='1'/>", b"<a b='1' b='2'/>", b"<a b='<'/>", b"<a b=1/>", b"<a b/>"),
    *(b" xmlns='u'", b" xmlns:p='u'", b" xmlns:p=''", b" xmlns:xml='u'", b" p:a='1'", b" xml:space='no'", b" a='&b;'"),
    *(b"\xc3\xa4", b"\xff", b"\xef\xbb\xbf"),
]


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """A file with some of its bytes taken away, doubled, or something odd between them."""
    data = draw(st.one_of(odd_domains(), FILES.map(lambda file: "".join(file).encode())))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.sampled_from([start, start, start + 1, start + 5]))
        data = data[:start] + draw(st.sampled_from([b"", data[start:end] * 2, *ODD])) + data[end:]
    return data


@given(spoilt())
@example(b"<a/>\0<b>")
@example(b"<a>]]></a>")
@example(b"<p:a></p:a>>")
@example(b"<a xml:lang='b' xml:lang='c'/>")
@example(b"<a p:b='1' p:b='2'/>")
def test_libxml2_takes_nothing_that_expat_refuses(data: bytes) -> None:
    if _libxml2_takes(data):
        assert _expat_takes(Document(data, "f.xml"))


@given(st.lists(spoilt(), max_size=4))
@example([b"<a>" * (DEEPEST + 1) + b"</a>" * (DEEPEST + 1)])
def test_among_many_files_the_same_is_found(files: list[bytes]) -> None:
    few, many = (parse_all([(data, "f.xml") for data in files], many=many, shallow=False) for many in (False, True))
    assert [told(one) for one in few] == [told(one) for one in many]


def told(found: Document | InputError) -> object:
    if isinstance(found, InputError):
        return found.problems
    return [(one.tag, one.values, one.start, one.close_start) for one in found.root.walk()]


@pytest.mark.parametrize(
    ("data", "takes"),
    [
        (b"<domain type='kvm'>\n  <a b=\"&lt;\">&#65;</a><!-- c --><![CDATA[<]]>\n</domain>\n", True),
        (b"<domain><a></domain>", False),
        ("<domain>ä</domain>".encode(), False),
        (b"<?xml version='1.0' encoding='koi8-r'?><domain/>", False),
        (b"<!DOCTYPE a><a/>", False),
        (b"<a><p:b/></a>", False),  # its prefix is not declared; expat is asked
    ],
)
def test_what_is_left_to_expat(data: bytes, takes: bool) -> None:
    assert _libxml2_takes(data) is takes
