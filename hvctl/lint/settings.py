"""Which rules are asked about which file: the command line's words, and those of a configuration file."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from typing import NamedTuple

from hvctl.errors import UsageError
from hvctl.lint.engine import choose
from hvctl.lint.rule import Chosen, Group, Rule, all_rules, find_rule
from hvctl.model.finding import Severity
from hvctl.text.problems import did_you_mean, quoted

GROUPS = {
    "file": Group.FILE,
    "start": Group.START,
    "migrate": Group.MIGRATION,
    "slow": Group.SPEED,
    "danger": Group.DANGER,
}
"""The groups by the words that select them."""


class PathSettings(NamedTuple):
    """What holds for the files whose paths match a pattern, beside what holds for all."""

    pattern: str
    ignore: tuple[str, ...] = ()
    select: tuple[str, ...] | None = None
    profile: str | None = None


class Settings(NamedTuple):
    """`select` is None for all rules; `severity` changes what rules say of themselves.

    Of the patterns in `paths` that fit a file, the last that says something wins.
    """

    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    severity: tuple[tuple[str, Severity], ...] = ()
    hosts: tuple[str, ...] = ()
    profile: str | None = None
    paths: tuple[PathSettings, ...] = ()


def rules_named(words: Sequence[str]) -> list[Rule]:
    """The rules that words mean: ids, groups (`slow`), or `all`.

    Raises:
        UsageError: words mean nothing.
    """
    unknown = {word: guess for word in words if (guess := guess_of(word))}
    if unknown:
        names = " or ".join(map(quoted, unknown))
        raise UsageError(f"no rule is called {names}", "; ".join(dict.fromkeys(unknown.values())))
    return [rule for word in words for rule in _meant(word) or ()]


def guess_of(word: str) -> str:
    """What may be meant by a word that is no rule's and no group's; empty for one that is."""
    if _meant(word) is not None:
        return ""
    names = [*(one.id for one in all_rules()), *GROUPS, "all"]
    return did_you_mean(word, names) or "`hvctl lint --list-rules` lists them"


def _meant(word: str) -> Sequence[Rule] | None:
    if word == "all":
        return all_rules()
    if word in GROUPS:
        return [one for one in all_rules() if one.group is GROUPS[word]]
    rule = find_rule(word)
    return None if rule is None else (rule,)


def chosen(settings: Settings, path: str) -> tuple[Chosen, ...]:
    """The rules that are asked about a file, by its path relative to the configuration file."""
    fitting = [one for one in settings.paths if matches(one.pattern, path)]
    select = settings.select
    ignore = list(settings.ignore)
    for one in fitting:
        select = one.select if one.select is not None else select
        ignore += one.ignore
    wanted = {rule.id for rule in rules_named(select if select is not None else ("all",))}
    wanted -= {rule.id for rule in rules_named(ignore)}
    return choose((rule for rule in all_rules() if rule.id in wanted), _severities(settings))


def _severities(settings: Settings) -> dict[str, Severity]:
    """The severities by rule: what is said of a rule counts more than what is said of its group."""
    said = [(rules_named([name]), severity) for name, severity in settings.severity]
    said.sort(key=lambda one: -len(one[0]))
    return {rule.id: severity for rules, severity in said for rule in rules}


def profile_of(settings: Settings, path: str) -> str | None:
    """The profile that a file's guest is to have."""
    named = [one.profile for one in settings.paths if one.profile and matches(one.pattern, path)]
    return named[-1] if named else settings.profile


def matches(pattern: str, path: str) -> bool:
    """Whether a path is meant by a pattern: `win*.xml` in any folder, `legacy/` with all below it."""
    if pattern.endswith("/"):
        return path.startswith(pattern) or f"/{pattern}" in f"/{path}"
    name = path.rpartition("/")[2]
    return fnmatch.fnmatchcase(path, pattern) or ("/" not in pattern and fnmatch.fnmatchcase(name, pattern))
