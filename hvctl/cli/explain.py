"""`hvctl explain`: what an enlightenment does, needs and costs."""

from collections.abc import Mapping, Sequence
from typing import assert_never

import click

from hvctl.catalog import ROWS, find
from hvctl.catalog import names as known
from hvctl.catalog.types import Row
from hvctl.cli.options import Format, common, no_such, output_format
from hvctl.errors import UsageError
from hvctl.lint.rule import Rule, all_rules, find_rule


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@output_format(Format)
@common
def command(names: tuple[str, ...], output_format: Format) -> int:
    """Explain what an enlightenment does, needs and costs, or what a rule of lint finds, and why.

    NAME is an id or any other name of an enlightenment: QEMU's (hv-stimer, hv_stimer), libvirt's (stimer/direct,
    hypervclock), KubeVirt's (synictimer); a word of `guest.uses`; or a rule of `hvctl lint` (requirement-missing).
    Without a NAME, all enlightenments are listed; `hvctl lint --list-rules` lists the rules.
    """
    from hvctl.report import explain

    if not names:
        click.echo(_listing(output_format), nl=False)
        return 0
    rows = [(name, find(name)) for name in names]
    others = [name for name, row in rows if row is None and not explain.use_text(name)]
    rules = _rules(others) if others else {}
    if len(rules) < len(set(others)):
        raise _unknown([name for name in others if name not in rules])
    match output_format:
        case "text":
            text = "\n".join(explain.text(row) if row else _other(name, rules) for name, row in rows)
        case "json":
            text = _json([row for _, row in rows if row], list(rules.values()))
        case _:
            assert_never(output_format)
    click.echo(text, nl=False)
    return 0


def _listing(output_format: Format) -> str:
    from hvctl.report import explain

    match output_format:
        case "text":
            return explain.listing(ROWS)
        case "json":
            return _json(ROWS)


def _rules(names: Sequence[str]) -> dict[str, Rule]:
    """The rules of lint that names mean; to find them loads them all."""
    found = {name: find_rule(name) for name in names}
    return {name: rule for name, rule in found.items() if rule}


def _other(name: str, rules: Mapping[str, Rule]) -> str:
    from hvctl.report import explain

    if name not in rules:
        return explain.use_text(name)
    from hvctl.lint.output.rules import text

    return text(rules[name])


def _json(rows: Sequence[Row], rules: Sequence[Rule] = ()) -> str:
    from hvctl.report import explain
    from hvctl.text.json_document import dump

    document: dict[str, object] = {"enlightenments": [explain.as_json(row) for row in rows]}
    if rules:
        from hvctl.lint.output.rules import as_json

        document["rules"] = [as_json(rule) for rule in rules]
    return dump(document)


def _unknown(names: Sequence[str]) -> UsageError:
    error = no_such("enlightenment", names, (*known(), *(rule.id for rule in all_rules())))
    error.hint = f"{error.hint} `hvctl explain` lists all of them".lstrip()
    return error
