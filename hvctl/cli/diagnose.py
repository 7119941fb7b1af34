"""`hvctl diagnose`: what an error message means, why it came, and what to do."""

import re
import sys
from collections.abc import Sequence

import click

from hvctl.catalog.types import Row
from hvctl.cli.options import Format, common, output_format
from hvctl.cli.output import echo, say, use_color
from hvctl.errors import Span
from hvctl.guest.embedded import Embedded, embedded
from hvctl.lint.engine import MOST_FINDINGS, Job, choose, lint
from hvctl.lint.output.diagnosis import Told, as_json, text
from hvctl.lint.rule import all_rules
from hvctl.model.finding import Finding
from hvctl.text.diagnosis import Found, diagnose, plain
from hvctl.text.files import name_of, read

_LARGEST = 4 << 20
_MOST_GUESTS = 50
_MOST_UNKNOWN = 1000


@click.command()
@click.argument("file", default="-", metavar="[FILE|-]")
@output_format(Format)
@common
def command(file: str, output_format: Format) -> int:
    """Say what an error message means, why it came, and what to do.

    FILE, or stdin, is any text of up to 4 MiB: what QEMU or virsh printed, a libvirt log, lines of dmesg or of the
    journal, a KubeVirt event, a Windows stop code, or a sentence such as "high idle CPU". A QEMU command line, a
    domain XML or a KubeVirt object in it is checked as by `hvctl lint`, and the finding that explains a message comes
    first.

    \b
    Exit codes: 0 something was recognized; 1 nothing was; 2 FILE cannot be
    read.

    \b
    Examples:
      hvctl diagnose /var/log/libvirt/qemu/win11.log
      virsh start win11 2>&1 | hvctl diagnose
      echo "Windows shows CLOCK_WATCHDOG_TIMEOUT" | hvctl diagnose
    """
    if file == "-" and sys.stdin is not None and sys.stdin.isatty():
        say("paste the text, then press Ctrl-D")
    said, name = plain(read(file, _LARGEST)), name_of(file)
    diagnosis = diagnose(said, name)
    guests = list(embedded(said))
    lines = said.split("\n")
    findings = in_order(_findings(guests[-_MOST_GUESTS:], name, lines), diagnosis.found)
    known = {line for guest in guests for line in range(guest.first, guest.last + 1)} | diagnosis.lines
    unknown = [line for line, one in enumerate(lines, 1) if line not in known and one.strip()]
    if len(unknown) > _MOST_UNKNOWN and output_format == "json":
        say(f"only the first {_MOST_UNKNOWN} of {len(unknown)} unknown lines are listed")
        unknown = unknown[:_MOST_UNKNOWN]
    begun = max(said.rfind("<domain "), said.rfind("<domain>"))
    if begun > said.rfind("</domain>"):
        say(f"a domain XML begins in line {said.count(chr(10), 0, begun) + 1} and has no end: it is not checked")
    if len(guests) > _MOST_GUESTS:
        say(f"only the last {_MOST_GUESTS} of {len(guests)} command lines and domains are checked")
    told = Told(diagnosis.found, len(guests), findings, unknown)
    match output_format:
        case "text":
            echo(text(told, name, color=use_color(sys.stdout)))
        case "json":
            from hvctl.text.json_document import dump

            click.echo(dump(as_json(told)), nl=False)
    return 0 if diagnosis.found or guests else 1


def in_order(findings: Sequence[Finding], found: Sequence[Found]) -> list[Finding]:
    """Findings, with those first that explain a message: of its rules, the ones about most of its enlightenments."""
    places = {
        rule: (place, [_names(row) for row in one.rows])
        for one in reversed(found)
        for place, rule in reversed(list(enumerate(one.message.rules)))
    }

    def rank(finding: Finding) -> tuple[bool, int, int, int]:
        place, rows = places.get(finding.rule, (0, []))
        said = set(re.findall(r"[\w/-]+", finding.message))
        named = sum(not names.isdisjoint(said) for names in rows)
        return finding.rule not in places, -named, place, -finding.severity.rank

    return sorted(findings, key=rank)


def _names(row: Row) -> set[str]:
    """How a finding may name a row."""
    names = {row.id, *(one.name for one in row.properties)}
    return names | {row.libvirt.path.rpartition(":")[2]} if row.libvirt else names


def _findings(guests: Sequence[Embedded], name: str, lines: Sequence[str]) -> list[Finding]:
    """What lint finds, each thing once: a log has the same command line for each start."""
    if not guests:
        return []
    job = Job(choose(all_rules()))
    kept: dict[tuple[str, str, str], Finding] = {}
    for guest in guests:
        for finding in lint(guest.data, name, guest.syntax, job).findings:
            moved = _moved(finding, guest.first - 1, lines)
            kept[finding.rule, finding.message, moved.span.excerpt] = moved
    return list(kept.values())[:MOST_FINDINGS]


def _moved(finding: Finding, first: int, lines: Sequence[str]) -> Finding:
    """A finding at its place in the whole text, where nothing can be fixed."""

    def moved(span: Span) -> Span:
        line = span.line + first
        return span._replace(line=line, end_line=span.end_line + first, excerpt=lines[line - 1])

    related = tuple((label, moved(span)) for label, span in finding.related)
    return finding._replace(span=moved(finding.span), related=related, fix=None)
