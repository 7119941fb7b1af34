"""Known messages found in any text: each one once, with its first place, what it means, and what to do.

The texts of `hvctl.catalog.messages` become regular expressions that take time proportional to the text's length,
whatever it is: a slot is a class of characters of bounded length. The longest word of a text is looked for first, so
that few expressions are ever compiled.
"""

import functools
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from hvctl.catalog import ORDER, ROWS, find, names
from hvctl.catalog.cpu_models import VENDOR_NAMES
from hvctl.catalog.messages import MESSAGES
from hvctl.catalog.messages.types import Message
from hvctl.catalog.types import Blocks, Release, Row
from hvctl.errors import Span
from hvctl.text.problems import did_you_mean, printable

# A name after `hv-` is an enlightenment's, known or not.
_HV = r"(?:x[-_])?hv[-_]"
_HYPERV_MSR = r"0x40000[01][0-9a-f]{2}(?![0-9a-f])"
_VMX_MSR = r"0x4[89][0-9a-f](?![0-9a-f])"
_NAME = r"[\w./=-]{1,60}+"
# By name: the group that a slot fills, and what it matches, with `(?P<>` around the value where that is not all of it.
# All are bounded.
_SLOTS = {
    "row": ("row", _NAME),
    "needed": ("needed", _NAME),
    "feature": ("row", rf"[^()]{{1,80}}+\((?P<>{_NAME})\)"),
    "other_feature": ("needed", rf"[^()]{{1,80}}+\((?P<>{_NAME})\)"),
    "outer": ("outer", r"[a-z]{1,20}+"),
    "enlightenment": ("name", rf"{_HV}[\w-]{{1,60}}+"),
    "hyphened": ("name", r"(?:x-)?hv-[\w-]{1,60}+"),
    "underscored": ("name", r"(?:x_)?hv_[\w-]{1,60}+"),
    "other_property": ("name", rf"(?!{_HV})[\w.-]{{1,60}}+"),
    "hyperv_msr": ("msr", _HYPERV_MSR),
    "vmx_msr": ("msr", _VMX_MSR),
    "plain_msr": ("msr", rf"(?!{_HYPERV_MSR})0x[0-9a-f]{{1,16}}+"),
    "other_msr": ("msr", rf"(?!{_HYPERV_MSR}|{_VMX_MSR})0x[0-9a-f]{{1,16}}+"),
    "any_msr": ("msr", r"0x[0-9a-f]{1,16}+"),
    "cpu_feature": ("cpu_feature", r"(?:[\w():]{1,20}+\.){0,3}(?P<>[\w:-]{1,60}+)"),
    "features": ("features", r"[\w.-]{1,60}+(?:,\s{0,9}+(?!missing)[\w.-]{1,60}+){0,200}+"),
    "more": ("more", r"[\w.-]{1,60}+(?:,\s{0,9}+(?!missing)[\w.-]{1,60}+){0,200}+"),
    "cpu": ("cpu", r"[\w-]{1,60}+"),
    "number": ("number", r"-?\d{1,20}+"),
    "hex": ("hex", r"(?:0x)?[0-9a-f]{1,16}+"),
    "value": ("value", r"[^\s'\"<>,;]{1,100}+"),
    "type": ("type", r"[^\n;\"]{1,60}+"),
    "reason": ("reason", r"[^\n:'\"]{1,100}+"),
    "words": ("words", r"[^()'\n]{1,80}?"),
    "path": ("path", r"[\w.\[\]-]{0,200}?"),
}
_SLOT = r"\{(\w+)\}"
# As people paste them: lines are folded, YAML doubles an apostrophe, JSON and HTML escape marks.
_MARKS = {
    " ": r"\s{1,200}+",
    "'": r"(?:\\?['\u2018\u2019]){1,2}",
    '"': r"\\{0,3}[\"\u201c\u201d]",
    "<": r"(?:<|&lt;|\\u003c)",
}
_WORD = r"[a-z0-9_]+"
# Characters that a place of a wording may have for each of its own, for each space, for each slot; but for slots that
# take thousands.
_OF_CHARACTER, _OF_SPACE, _OF_SLOT = 6, 200, 250
LONG_SLOTS = ("features", "more")
# Of a symptom: a line of a log has other characters.
# What a sentence says is not so.
_DENIED = r"(?:\b(?:is|are|was|were) not|\b(?:is|are|was|were)n't|\bno longer) [a-z]+|\bnot detected\b"
_SENTENCE = (
    r"(?im)^(?![ \t]{0,80}+(?:\w{0,20}error|warning|info|\w{0,20}reason|message)\b[^:\n]{0,40}:)"
    r"[^\[\]{}<>=\\_|\n]{3,400}$"
)
_MOST_SENTENCES = 2000
_FOLDED = 50  # characters from which on a line of prose may go on in the next
_MOST_VALUES = 5
_LISTED = ("cpu_feature", "msr")
_COLORS = r"\x1b(?:\[[0-?]{0,30}[ -/]{0,5}[@-~]|\][^\x07\x1b\n]{0,500}(?:\x07|\x1b\\)|[()][0-9A-B])|\r(?=\n)"


class Found(NamedTuple):
    """A known message in a text: its first place and how often it is there; what it is about, means and asks for."""

    message: Message
    span: Span
    times: int
    rows: tuple[Row, ...]
    cause: str
    remedy: str


class Diagnosis(NamedTuple):
    """What a text holds: known messages in their order, and the numbers of the lines that they are in."""

    found: tuple[Found, ...]
    lines: frozenset[int]


def plain(data: bytes) -> str:
    """Any bytes as text: UTF-8, or UTF-16 with its mark; without a terminal's colours and carriage returns.

    What is no UTF-8 becomes surrogates, as in file names.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = data.decode("utf-16", "replace")
    else:
        text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    return re.sub(_COLORS, "", text) if "\x1b" in text or "\r" in text else text


def lower(text: str) -> str:
    """In lower case, each character at its place: there is one of which two would come."""
    return text.replace("\u0130", "i").lower()


def diagnose(text: str, path: str) -> Diagnosis:
    """Find all known messages in a text; `path` is its name for spans.

    A message that only says that something went wrong counts where no other is found, and a symptom where its line
    holds no message.
    """
    lowered = lower(text)
    matches = [match for message in MESSAGES for match in _matches(message, text, lowered)]
    lines = {line for match in matches for line in range(match.line, match.last + 1)}
    symptoms = [match for match in _symptoms(text) if match.line not in lines]
    lines.update(match.line for match in symptoms)
    matches += symptoms
    if any(not match.message.vague for match in matches):
        matches = [match for match in matches if not match.message.vague]
    same: dict[tuple[str, tuple[Row, ...]], list[_Match]] = {}
    for match in matches:
        same.setdefault((match.message.id, match.rows), []).append(match)
    ordered = sorted(same.values(), key=lambda group: (group[0].line, group[0].start))
    return Diagnosis(tuple(_found(group, text, path) for group in ordered), frozenset(lines))


class _Match(NamedTuple):
    """One place of a message: its characters and lines, what the slots matched, and the rows that these are."""

    message: Message
    start: int
    end: int
    line: int
    last: int
    values: Mapping[str, str]
    rows: tuple[Row, ...]


def _matches(message: Message, text: str, lowered: str) -> Iterator[_Match]:
    for wording in message.texts:
        if _needle(wording) not in lowered:
            continue
        line, counted = 1, 0
        known: dict[str, tuple[dict[str, str], tuple[Row, ...]]] = {}
        for match in near(wording, text, lowered):
            start, end = match.span()
            line += text.count("\n", counted, start)
            counted = start
            if match[0] not in known:
                values = {name: value for name, value in match.groupdict().items() if value}
                known[match[0]] = values, _rows(message, values)
            yield _Match(message, start, end, line, line + text.count("\n", start, end), *known[match[0]])


def near(wording: str, text: str, lowered: str) -> Iterator[re.Match[str]]:
    """The places of a wording, looked for where its longest word is: in a text with all messages that takes a tenth of
    the time."""
    needle = _needle(wording)
    if any(f"{{{slot}}}" in wording for slot in LONG_SLOTS):
        yield from pattern(wording).finditer(text)
        return
    far = reach(wording)
    at = lowered.find(needle)
    while at >= 0:
        start, end = max(0, at - far), at
        while 0 <= at <= end + far:
            at, end = lowered.find(needle, at + 1), at + far
        yield from pattern(wording).finditer(text, start, end)


def reach(wording: str) -> int:
    """More characters than a place of a wording has, one without long slots."""
    slots, spaces = len(re.findall(_SLOT, wording)), wording.count(" ")
    return _OF_CHARACTER * len(wording) + _OF_SPACE * spaces + _OF_SLOT * slots


@functools.cache
def _needle(wording: str) -> str:
    """The longest word that is written out in a text."""
    words: list[str] = re.findall(_WORD, re.sub(_SLOT, " ", wording).lower())
    return max(words, key=len)


@functools.cache
def pattern(wording: str) -> re.Pattern[str]:
    """What a wording becomes."""
    parts, seen = re.split(_SLOT, wording), set[str]()
    whole = r"(?<![\w-])" if wording[0].isalnum() else ""
    for position, part in enumerate(parts):
        if position % 2 == 0:
            whole += "".join(_MARKS.get(char) or re.escape(char) for char in part)
            continue
        group, matched = _SLOTS[part]
        name = f"?P<{group}>" if group not in seen else "?:"
        seen.add(group)
        # Some say which part of them is the value.
        whole += matched.replace("?P<>", name) if "?P<>" in matched else f"({name}{matched})"
    return re.compile(whole + (r"(?![\w-])" if wording[-1].isalnum() else ""), re.IGNORECASE)


def _symptoms(text: str) -> Iterator[_Match]:
    """What people say in sentences. A sentence may go on in the next line; it is where it begins."""
    known = [(message, [frozenset(group.split()) for group in message.words]) for message in MESSAGES if message.words]
    line, counted = 1, 0
    before: re.Match[str] | None = None
    for match in islice(re.finditer(_SENTENCE, text), _MOST_SENTENCES):
        line += text.count("\n", counted, match.start())
        counted = match.start()
        message, said = _first(known, _spoken(match)), match
        if message is None and before is not None and before.end() + 1 == match.start():
            message, said = _first(known, _spoken(before) | _spoken(match)), before
        if message is not None:
            start = said.start() + len(said[0]) - len(said[0].lstrip())
            at = line - (said is before)
            yield _Match(message, start, said.end(), at, at, {}, _rows(message, {}))
        before = match if message is None and len(match[0]) >= _FOLDED else None


def _spoken(match: re.Match[str]) -> frozenset[str]:
    said = match[0].lower().replace("\u2019", "'").replace("hyper-v", "hyperv")
    return frozenset(re.findall(r"[a-z0-9]+(?:'[a-z]+)?|%", re.sub(_DENIED, " ", said)))


def _first(known: list[tuple[Message, list[frozenset[str]]]], spoken: frozenset[str]) -> Message | None:
    return next((message for message, groups in known if all(group & spoken for group in groups)), None)


def _found(same: list[_Match], text: str, path: str) -> Found:
    """One message of all its places."""
    match = same[0]
    values = dict(match.values)
    for name in _LISTED:
        if name in values:
            distinct = list(dict.fromkeys(one.values[name] for one in same if name in one.values))
            more = " and others" if len(distinct) > _MOST_VALUES else ""
            values[name] = ", ".join(distinct[:_MOST_VALUES]) + more
    facts = _facts(match.rows, values)
    cause, remedy = match.message.cause.format_map(facts), match.message.remedy.format_map(facts)
    count = len({one.line for one in same})
    return Found(match.message, _span(match, text, path), count, match.rows, cause, remedy)


def _span(match: _Match, text: str, path: str) -> Span:
    begin = text.rfind("\n", 0, match.start) + 1
    end = text.find("\n", match.start)
    excerpt = text[begin : end if end >= 0 else len(text)]
    column = match.start - begin + 1
    last = min(match.end - begin + 1, len(excerpt) + 1)
    return Span(path, match.line, column, match.line, max(last, column + 1), excerpt)


def _rows(message: Message, values: Mapping[str, str]) -> tuple[Row, ...]:
    """The rows that a message names, or is about."""
    said = [values[name] for name in ("row", "needed", "name") if name in values]
    if "outer" in values:
        said[0] = f"{values['outer']}/{said[0]}"
    found = [row for name in said if (row := _row(name))]
    if not said and "msr" in values:
        number = int(values["msr"], 16)
        found = [row for row in ROWS if any(first <= number <= last for first, last in row.msrs)][:1]
    if not said and not found and message.row:
        found = [row for row in ROWS if row.id == message.row]
    return tuple(dict.fromkeys(found))


def _row(name: str) -> Row | None:
    """By a name as messages have it: `hv-avic/hv-apicv`, `hv-x=auto`, `stimer/direct`."""
    name = name.partition("=")[0].rstrip(".")
    return find(name) or (find(name.partition("/")[0]) if "/hv-" in name else None)


def _facts(rows: tuple[Row, ...], values: Mapping[str, str]) -> dict[str, str]:
    """What causes and remedies may use."""
    shown = {name: printable(value) for name, value in values.items()}
    row = rows[0] if rows else None
    name = shown.get("name") or shown.get("row") or (row.id if row else "an enlightenment")
    needed = rows[1].id if len(rows) > 1 else shown.get("needed", "")
    return {
        "property": name.replace("_", "-"),
        **shown,
        "row": row.id if row else name,
        "title": row.title if row else "not known to hvctl",
        "name": name,
        "needed": needed,
        "needs": _needs(row, needed),
        "kernel": _kernel(row),
        "qemu": _since("QEMU", row.since_qemu if row else None) or _corrected(name),
        "libvirt": f"Use libvirt {row.libvirt.since} or newer" if row and row.libvirt else _corrected(name),
        "unblock": _unblock(row),
    }


def _needs(row: Row | None, needed: str) -> str:
    """All that a row requires, directly or not; what a message names, where the row is not known."""
    found: list[str] = []
    waiting = list(row.requires) if row else []
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.append(one)
            waiting += next(other.requires for other in ROWS if other.id == one)
    ids = sorted(found, key=ORDER.__getitem__) or [needed or "what it requires"]
    return " and ".join([*([", ".join(ids[:-1])] if len(ids) > 1 else []), ids[-1]])


def _kernel(row: Row | None) -> str:
    """What a host must be to have a row: the beginning of a sentence."""
    if row is not None and row.vendors:
        vendors = " or ".join(row.vendors)
        shown = " or ".join(VENDOR_NAMES[vendor] for vendor in row.vendors)
        return f"Use an {shown} host, and load kvm_{vendors} with nested=1"
    return _since("Linux", row.since_kvm if row else None) or "Boot a newer kernel, built with CONFIG_KVM_HYPERV=y"


def _since(what: str, release: Release | None) -> str:
    if release is None:
        return ""
    verb = "Boot" if what == "Linux" else "Use"
    return f"{verb} {what} {release.version} or newer"


def _corrected(name: str) -> str:
    guess = did_you_mean(name, names())
    return f"Correct the name{f' ({guess[:-1]})' if guess else ''}"


def _unblock(row: Row | None) -> str:
    if row is not None and row.blocks_migration is Blocks.AUTO:
        return f"Write {row.properties[0].name}=on, which must then be true on every host, or leave it out."
    return "Name what the guest should get instead: `hvctl gen` writes it."
