"""The rules of lint as pages: for a terminal, as JSON, as a list, as a man page."""

from collections.abc import Iterator
from typing import Any

from hvctl.guest.command.line import CommandLine
from hvctl.guest.domain.domain import Domain
from hvctl.lint.rule import Rule, all_rules
from hvctl.report.console import paragraph
from hvctl.text.json_document import dump


def listing_json() -> str:
    """Every rule with its page, as JSON."""
    return dump({"rules": [as_json(rule) for rule in all_rules()]})


def listing() -> str:
    """Every rule in a line, by group."""
    lines: list[str] = []
    group = None
    width = max(len(rule.id) for rule in all_rules())
    for rule in all_rules():
        if rule.group is not group:
            lines += ([""] if lines else []) + [str(rule.group)]
            group = rule.group
        head = f"  {rule.id:{width}}  {rule.severity.value:7}  "
        lines.append(paragraph(f"{head}{rule.summary}", following=len(head)))
    return "\n".join(lines) + "\n"


def as_json(rule: Rule) -> dict[str, Any]:
    """A rule with its page."""
    return {
        "id": rule.id,
        "severity": rule.severity.value,
        "group": rule.group.name.lower(),
        "needs": [need.value for need in rule.needs],
        "guests": [kind.syntax_name for kind in (Domain, CommandLine) if issubclass(kind, rule.guests)],
        "summary": rule.summary,
        "page": rule.page,
    }


def text(rule: Rule, *, width: int = 80) -> str:
    """The page of one rule for a terminal."""
    lines = [paragraph(f"{rule.id} ({rule.severity.value}): {rule.summary}", width, 0, 2)]
    for heading, body in rule.sections.items():
        lines += ["", heading]
        for kind, block in parts(body):
            lines += (
                [f"    {line}" for line in block.split("\n")] if kind == "code" else [paragraph(block, width, 2, 2)]
            )
    return "\n".join(line.rstrip() for line in lines) + "\n"


def parts(body: str) -> Iterator[tuple[str, str]]:
    """The pieces of a section: `code`, `item` and `text`, each without its markup."""
    waiting: list[str] = []
    code = False
    kind = "text"

    def taken() -> Iterator[tuple[str, str]]:
        if waiting:
            yield kind, "\n".join(waiting) if kind == "code" else " ".join(" ".join(waiting).split())
        waiting.clear()

    for line in body.split("\n"):
        if line.startswith("```"):
            yield from taken()
            code = not code
            kind = "code" if code else "text"
        elif code:
            waiting.append(line)
        elif not line.strip():
            yield from taken()
            kind = "text"
        elif line.startswith("- "):
            yield from taken()
            kind = "item"
            waiting.append(line)
        else:
            waiting.append(line)
    yield from taken()
