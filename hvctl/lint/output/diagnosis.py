"""A diagnosis written: for people as lint writes its findings, and as JSON."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from hvctl.catalog.messages import LAYER_NAMES, MESSAGES
from hvctl.catalog.messages.types import Layer
from hvctl.lint.output import TextWriter, note_line
from hvctl.lint.output.json import finding_json
from hvctl.model.finding import Finding
from hvctl.report.console import BOLD, painted, paragraph
from hvctl.report.problems import located
from hvctl.text.diagnosis import Found
from hvctl.text.json_fields import FORMAT_VERSION
from hvctl.text.problems import counted, printable

_COLOR = "1;35"
_MOST_SHOWN = 5


class Told(NamedTuple):
    """What a diagnosis found in a text: messages, findings in `guests` guests, and the numbers of the other lines."""

    found: Sequence[Found]
    guests: int
    findings: Sequence[Finding]
    unknown: Sequence[int]


def text(told: Told, path: str, *, color: bool) -> str:
    """Each message with its place, what it means and what to do; the findings; the lines that are not known."""
    found, guests, findings, unknown = told
    shown = "".join(f"{_block(one, color)}\n" for one in found) + TextWriter(color).part(findings)
    name = printable(path)
    if not found and not guests:
        return paragraph(f"{name}: nothing is known of this text. {_looked_for()}", following=0) + "\n"
    if guests and not findings:
        shown += (
            paragraph(f"{name}: {counted(guests, 'guest is', 'guests are')} checked: nothing found", following=0) + "\n"
        )
    if unknown:
        numbers = _ranges(unknown)
        more = ", ..." if len(numbers) > _MOST_SHOWN else ""
        said = f"{counted(len(unknown), 'line is', 'lines are')} not known: {', '.join(numbers[:_MOST_SHOWN])}{more}"
        shown += paragraph(f"{name}: {said}", following=0) + "\n"
    return shown


def as_json(told: Told) -> dict[str, Any]:
    """The object of `diagnose --format json`; its schema is diagnose.schema.json."""
    return {
        "format_version": FORMAT_VERSION,
        "messages": [
            {
                "line": one.span.line,
                "id": one.message.id,
                "layer": one.message.layer.value,
                "cause": one.cause,
                "remedy": one.remedy,
                "source": one.message.source,
            }
            for one in told.found
        ],
        "findings": [finding_json(finding) for finding in told.findings],
        "unknown": list(told.unknown),
    }


def _block(found: Found, color: bool) -> str:
    message, span = found.message, found.span
    said = printable(span.excerpt[span.column - 1 : span.end_column - 1])
    head = painted(f"{message.layer}[{message.id}]", _COLOR, color)
    places, gutter = located(span, (), color)
    notes = [
        ("cause", found.cause),
        ("remedy", found.remedy),
        ("source", message.source),
        ("count", f"on {found.times} lines; this is the first" if found.times > 1 else ""),
        ("see", ", ".join(f"`hvctl explain {row.id}`" for row in found.rows)),
    ]
    lines = "".join(note_line(gutter, name, value, color) for name, value in notes if value)
    return f"{head}: {painted(_short(said), BOLD, color)}\n{places}{lines}"


def _short(said: str) -> str:
    return said if len(said) <= 200 else f"{said[:199]}…"


def _looked_for() -> str:
    counts = [(LAYER_NAMES[layer], sum(one.layer is layer for one in MESSAGES)) for layer in Layer]
    kinds = ", ".join(f"{name} ({count})" for name, count in counts)
    return (
        f"Looked for were {len(MESSAGES)} messages and symptoms that concern enlightenments, CPU, clocks, nesting and "
        f"migration, of {kinds}; a KubeVirt object; a QEMU command line; and a domain XML. Paste the whole "
        "message, with the lines before it: the end of /var/log/libvirt/qemu/NAME.log, QEMU's stderr, or `dmesg`."
    )


def _ranges(lines: Sequence[int]) -> list[str]:
    """`3-7`, `9`."""
    found: list[list[int]] = []
    for line in lines:
        if found and found[-1][1] == line - 1:
            found[-1][1] = line
        else:
            found.append([line, line])
    return [f"{first}-{last}" if last > first else f"{first}" for first, last in found]
