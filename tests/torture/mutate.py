"""Good files made bad: at the level of bytes, of tokens, of structure, of the encoding and of the size."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from random import Random
from typing import Any

from lxml import etree

from hvctl.model.plan import checksum
from tests.torture.kinds import LIMITS, Kind, good
from tests.torture.odd_json import change, change_gently

_LONGEST_TOKEN = 1 << 20
_TOKEN = re.compile(rb"[A-Za-z0-9_-]+|\s+|.", re.DOTALL)
_ODD_TOKENS = (
    *(b"", b"0", b"-1", b"1e999", b"NaN", b"0x", b"0" * 40, b"9" * 5000, b"null", b"true", b"on", b"off", b"prefer"),
    *("\x1b[31m", "\u202e", "\x9b", "\u2028", "\0", "\ufeff", "\U0010ffff", "é"),
    *(b"\xff", b"\x9b", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"),
    *(b"<", b">", b"&", b"&amp;", b"&#x9b;", b"<!--", b"-->", b"<![CDATA[", b"]]>", b"<?xml?>", b"'", b'"', b"\\"),
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
        b",",
        b"=",
        b"\n",
        b"\r",
        b"\t",
        b"#",
        b"---",
        b"&a ",
        b"*a",
        b"!!int ",
        b"$(",
        b"`",
    ),
    *(
        b"host",
        b"hv_relaxed",
        b"hv-passthrough",
        b"spinlocks",
        b"a" * 5000,
        b"../",
        b"/dev/zero",
        b"%s",
        b"{{",
        b"\\u009b",
    ),
)
ODD_TOKENS = tuple(token.encode() if isinstance(token, str) else token for token in _ODD_TOKENS)
_BRACKETS = (b"<a>", b"</a>"), (b"[", b"]"), (b'{"a":', b"}"), (b"'", b"'"), (b"(", b")"), (b"<!--", b"-->")
_JSON = (Kind.HOST, Kind.PLAN, Kind.BENCH, Kind.CRD)
_XML = (Kind.DOMAIN, Kind.LIBVIRT)
_SUMMED = ("profile", "os", "uses", "migration", "machine", "cpu", "clock", "enlightenments")


def mutated(kind: Kind, random: Random) -> bytes:
    """A file of a kind after one to four mutations; the same for the same state of `random`."""
    data = random.choice(good(kind))
    if random.random() < 0.35:
        return _gently(data, random, kind)
    if random.random() < 0.4:
        data = _structured(data, random, kind)
    for _ in range(random.choice((0, 0, 1, 1, 1, 2, 4))):
        data = random.choice((_bytes, _tokens, _tokens, _lines, _splice))(data, random, kind)
    if random.random() < 0.1:
        data = _encoding(data, random)
    if random.random() < 0.04:
        data = _grown(data, random, kind)
    return data


def again(kind: Kind, data: bytes, random: Random) -> bytes:
    """One mutation of anything; that of a kind's structure, half of the time, where it has one."""
    if random.random() < 0.5:
        return _structured(data, random, kind)
    return random.choice((_bytes, _tokens, _tokens, _lines, _splice))(data, random, kind)


def _gently(data: bytes, random: Random, kind: Kind) -> bytes:
    """One change after which it may still be right: a line more or less, or another word or number of its own."""
    if kind in _JSON:
        document = json.loads(data)
        change_gently(document, random)
        return json.dumps(_sealed(document) if kind is Kind.PLAN else document, indent=2).encode()
    if kind in _XML and random.random() < 0.5:
        return _structured(data, random, kind)
    if random.random() < 0.4:
        return _lines(data, random, kind)
    words = list(re.finditer(rb"[A-Za-z0-9_.-]+", data))
    one, other = random.choice(words), random.choice(words)
    word = random.choice((other[0], one[0] + b"0", b"1", b"on", b"off", b"prefer", b""))
    return data[: one.start()] + word + data[one.end() :]


def _structured(data: bytes, random: Random, kind: Kind) -> bytes:
    """A change of what a text is made of, or of its lines where it is not even that."""
    way = _json if kind in _JSON else _tree if kind in _XML else _lines
    try:
        return way(data, random, kind)
    except (ValueError, RecursionError, TypeError, etree.LxmlError):
        return _lines(data, random, kind)


def _place(data: bytes, random: Random, most: int = 200) -> tuple[int, int]:
    start = random.randint(0, len(data))
    return start, min(len(data), start + random.randint(0, random.choice((1, 8, most))))


def _bytes(data: bytes, random: Random, _kind: Kind) -> bytes:
    start, end = _place(data, random)
    match random.randrange(5):
        case 0:
            return data[:start] + random.randbytes(random.choice((1, 2, 9))) + data[end:]
        case 1:
            return data[:start] + data[end:]
        case 2:
            return data[:start] + data[start:end] * random.choice((2, 3, 50)) + data[end:]
        case 3:
            return data[:start]
        case _:
            changed = bytearray(data)
            for at in range(start, end):
                changed[at] ^= 1 << random.randrange(8)
            return bytes(changed)


def _tokens(data: bytes, random: Random, _kind: Kind) -> bytes:
    tokens = _TOKEN.findall(data)
    for _ in range(random.choice((1, 1, 2, 5))):
        if not tokens:
            break
        at = random.randrange(len(tokens))
        match random.randrange(5):
            case 0:
                tokens[at] = random.choice(ODD_TOKENS)
            case 1:
                tokens[at] = random.choice(tokens)
            case 2:
                tokens.insert(at, random.choice(ODD_TOKENS))
            case 3:
                del tokens[at]
            case _:
                tokens[at] = (tokens[at] * random.choice((2, 10, 1000)))[:_LONGEST_TOKEN]
    return b"".join(tokens)


def _lines(data: bytes, random: Random, _kind: Kind) -> bytes:
    """Repeat, delete, swap and nest lines."""
    lines = data.splitlines(keepends=True) or [b""]
    first, second = (random.randrange(len(lines)) for _ in range(2))
    low, high = sorted((first, second))
    match random.randrange(5):
        case 0:
            lines[low:high] = lines[low:high] * random.choice((2, 3, 20))
        case 1:
            del lines[low:high]
        case 2:
            lines[first], lines[second] = lines[second], lines[first]
        case 3:
            lines.insert(first, b"  " + lines[second])
        case _:
            before, after = random.choice(_BRACKETS)
            times = random.choice((1, 3, 150, 250, 1000))
            lines[low:high] = [before * times, *lines[low:high], after * times]
    return b"".join(lines)


def _splice(data: bytes, random: Random, kind: Kind) -> bytes:
    """Part of another file, also of another kind, in the middle of this."""
    other = random.choice(good(random.choice((kind, kind, random.choice(list(Kind))))))
    (start, end), (first, last) = _place(data, random), _place(other, random, 2000)
    return data[:start] + other[first:last] + data[end:]


def _json(data: bytes, random: Random, kind: Kind) -> bytes:
    document = json.loads(data)
    way = random.choice((change, change, change_gently))
    for _ in range(random.choice((1, 1, 2, 4))):
        way(document, random)
    if kind is Kind.PLAN and random.random() < 0.8:
        document = _sealed(document)
    return json.dumps(document, ensure_ascii=random.random() < 0.8, indent=random.choice((None, 2))).encode(
        "utf-8", "surrogatepass"
    )


def _sealed(document: Any) -> Any:
    """The checksums that fit: someone knew what he did."""
    if not isinstance(document, dict):
        return document
    changed = {key: value for key, value in document.items() if key != "checksum"}
    try:
        changed["digest"] = checksum({key: document.get(key) for key in _SUMMED})
        return {**changed, "checksum": checksum(changed)}
    except (TypeError, ValueError):
        return document


def _tree(data: bytes, random: Random, _kind: Kind) -> bytes:
    """Repeat, delete, swap, move and rename elements, and change their attributes."""
    root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, huge_tree=True))
    for _ in range(random.choice((1, 1, 2, 5))):
        elements = [one for one in root.iter() if isinstance(one.tag, str)]
        one, other = (random.choice(elements) for _ in range(2))
        _change_element(one, other, random)
    return etree.tostring(root, encoding="unicode").encode(random.choice(("utf-8", "utf-8", "utf-16")))


def _change_element(one: etree._Element, other: etree._Element, random: Random) -> None:
    parent = one.getparent()
    match random.randrange(6):
        case 0 if parent is not None:
            parent.remove(one)
        case 1 if parent is not None:
            for _ in range(random.choice((1, 3, 30))):
                parent.append(etree.fromstring(etree.tostring(one)))
        case 2 if parent is not None:
            other.append(etree.fromstring(etree.tostring(one)))
        case 3:
            one.tag = random.choice(("a", "domain", "hyperv", "timer", str(other.tag)))
        case 4:
            one.text = random.choice(("", "9" * 5000, "\u202e\x85", "-1", "on", str(other.text)))
        case _:
            name = random.choice((*map(str, one.keys()), "state", "value", "mode", "name", "type"))
            values = ("", "on", "off", "-1", "9" * 5000, "\u202e", "0x1fff", "maybe", *map(str, other.values()))
            one.set(name, random.choice(values))


def _encoding(data: bytes, random: Random) -> bytes:
    text = data.decode("utf-8", "replace")
    make: Callable[[], bytes] = random.choice(
        (
            lambda: text.encode("utf-16"),
            lambda: text.encode("utf-16-be"),
            lambda: text.encode("utf-32"),
            lambda: b"\xef\xbb\xbf" + data,
            lambda: text.replace("i", "é").encode("latin-1", "replace"),
            lambda: text.replace("\n", "\r").encode(),
            lambda: text.replace("\n", "\r\n").encode(),
            lambda: text.replace("\n", "\u2028").encode(),
            lambda: data.replace(b"\n", b"\0"),
            lambda: text.encode("utf-7"),
            lambda: text.replace("e", "\x9b").encode(),
            lambda: text.encode("cp037", "replace"),
        )
    )
    return make()


def _grown(data: bytes, random: Random, kind: Kind) -> bytes:
    """As large as a limit, or a byte more, by more of what is in it."""
    size = random.choice(LIMITS[kind]) + random.choice((-1000, -1, 0, 1, 1 << 20))
    if kind in _XML:
        tags = list(re.finditer(rb"<[A-Za-z][^<>]*/>", data))
    elif kind in _JSON:
        tags = list(re.finditer(rb'\{[^{}]*\},|"[^"]*",', data))
    else:
        tags = list(re.finditer(rb"[^\n]*\n|,[^,\n]*", data))
    found = random.choice(tags) if tags else None
    start, end = found.span() if found else _place(data, random)
    chunk = data[start:end] or b" "
    chunk = random.choice((chunk, chunk, b" ", b"\n", b"x"))
    return data[:start] + chunk * max(0, (size - len(data)) // len(chunk)) + data[start:]
