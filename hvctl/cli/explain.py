"""`hvctl explain`: what an enlightenment does, needs and costs, and pages on what decides with them."""

from collections.abc import Sequence
from typing import assert_never

import click

from hvctl.catalog import ROWS, find
from hvctl.catalog import names as known
from hvctl.catalog.subjects import SUBJECTS, find_subject, subject_words
from hvctl.catalog.types import Row, Subject
from hvctl.catalog.windows import plain
from hvctl.cli.options import Format, common, no_such, output_format
from hvctl.lint.rule import Rule, all_rules, find_rule

Page = Row | Subject | Rule


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@output_format(Format)
@common
def command(names: tuple[str, ...], output_format: Format) -> int:
    """Explain an enlightenment, a subject beside them, or what a rule of lint finds, and why.

    NAME is an id or any other name of an enlightenment: QEMU's (hv-stimer, hv_stimer), libvirt's (stimer/direct,
    hypervclock), KubeVirt's (synictimer); a subject, by any common word for it (snapshots, code-43, docker desktop,
    memory integrity, kvm=off); or a rule of `hvctl lint` (requirement-missing). Without a NAME, all enlightenments and
    subjects are listed; `hvctl lint --list-rules` lists the rules.
    """
    pages: list[Page] = _pages(names) if names else [*ROWS, *SUBJECTS]
    match output_format:
        case "text":
            from hvctl.report import explain

            text = "\n".join([_text(page) for page in pages]) if names else explain.listing(ROWS, SUBJECTS)
        case "json":
            text = _json(pages)
        case _:
            assert_never(output_format)
    click.echo(text, nl=False)
    return 0


def _pages(names: Sequence[str]) -> list[Page]:
    """What names mean, all of them as one or each alone; raises UsageError for those that mean nothing."""
    if whole := find_subject(" ".join(names)):
        return [whole]
    found = {name: find(name) or find_subject(name) for name in names}
    # To find a rule loads them all.
    pages = {name: page or find_rule(name) for name, page in found.items()}
    if unknown := [name for name, page in pages.items() if page is None]:
        words = (*known(), *subject_words(), *(rule.id for rule in all_rules()))
        error = no_such("enlightenment or subject", unknown, words)
        longer = [one.id for one in SUBJECTS if one.id.startswith(tuple(f"{plain(name)}-" for name in unknown))]
        hint = f"name one: {', '.join(longer)};" if longer else error.hint or ""
        error.hint = f"{hint} `hvctl explain` lists all of them".lstrip()
        raise error
    return [page for name in names if (page := pages[name])]


def _text(page: Page) -> str:
    from hvctl.report import explain

    match page:
        case Row():
            return explain.text(page)
        case Subject():
            return explain.subject_text(page)
        case Rule():
            from hvctl.lint.output.rules import text

            return text(page)


def _json(pages: Sequence[Page]) -> str:
    from hvctl.report import explain
    from hvctl.text.json_document import dump

    subjects = [explain.subject_json(page) for page in pages if isinstance(page, Subject)]
    rules = [page for page in pages if isinstance(page, Rule)]
    document: dict[str, object] = {"enlightenments": [explain.as_json(page) for page in pages if isinstance(page, Row)]}
    if subjects:
        document["subjects"] = subjects
    if rules:
        from hvctl.lint.output.rules import as_json

        document["rules"] = [as_json(rule) for rule in rules]
    return dump(document)
