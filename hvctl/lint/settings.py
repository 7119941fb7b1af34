"""Which rules are run on which file: by a configuration file, and by the words of the command line."""

import fnmatch
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from hvctl.errors import Span, UsageError
from hvctl.lint.engine import choose
from hvctl.lint.rule import Chosen, Group, Rule, all_rules, find_rule
from hvctl.model.finding import Severity
from hvctl.text.files import STDIN
from hvctl.text.problems import Problems, did_you_mean, quoted

PROJECT = "pyproject.toml"
_KEYS = ("select", "ignore", "severity", "hosts", "profile", "paths")
_PATH_KEYS = ("select", "ignore", "profile")

GROUPS = {
    "file": Group.FILE,
    "start": Group.START,
    "migrate": Group.MIGRATE,
    "slow": Group.SLOW,
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


def has_settings(content: dict[str, Any], path: str) -> bool:
    """Whether a configuration file says anything for hvctl."""
    return bool(_section(content, path))


def read_settings(content: dict[str, Any], text: str, path: str) -> Settings:
    """What a configuration file says; hosts and profiles are as written there.

    Args:
        content: the file as TOML.
        text: the whole file, for excerpts.
        path: its path, for spans; one named pyproject.toml has hvctl's settings in a table of their own.

    Raises:
        UsageError: it has no section for hvctl.
        InputError: it has keys or values that mean nothing; with every mistake.
    """
    section = _section(content, path)
    if not section and _is_project(path):
        raise UsageError(f"{path} has no table [tool.hvctl.lint]", "add it, or name another file")
    reader = _Reader(text, path)
    settings = reader.settings(reader.lint_of(section) if _is_project(path) else section)
    reader.problems.check()
    return settings


def rules_named(words: Sequence[str]) -> list[Rule]:
    """The rules that words mean: ids, groups (`slow`), or `all`.

    Raises:
        UsageError: words mean nothing.
    """
    unknown = {word: guess for word in words if (guess := guess_of(word))}
    if unknown:
        names = " or ".join(map(quoted, unknown))
        raise UsageError(f"unknown rule {names}", "; ".join(dict.fromkeys(unknown.values())))
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


def _section(content: dict[str, Any], path: str) -> Any:
    """What a file says for hvctl: all of it, or of a project's whatever stands for `tool.hvctl`."""
    tools = content.get("tool")
    if not _is_project(path):
        return content
    return tools.get("hvctl") if isinstance(tools, dict) else None


def _is_project(path: str) -> bool:
    return path.rpartition("/")[2] == PROJECT


class _Reader:
    """Reads one file's table, and collects every mistake."""

    def __init__(self, text: str, path: str) -> None:
        self.toml = text
        self.path = path
        self.problems = Problems()

    def lint_of(self, section: Any) -> dict[str, Any]:
        """The table of lint in what a project's file says for hvctl."""
        write = "write [tool.hvctl.lint]"
        if not isinstance(section, dict):
            self.problem("tool.hvctl is a table", "hvctl", write)
            return {}
        for key in section:
            if key != "lint":
                self.problem(f"tool.hvctl has no {quoted(key)}", key, write)
        table = section.get("lint", {})
        if isinstance(table, dict):
            return table
        self.problem("tool.hvctl.lint is a table", "lint", write)
        return {}

    def settings(self, table: dict[str, Any]) -> Settings:
        self.known(table, _KEYS)
        return Settings(
            select=self.rules(table, "select"),
            ignore=self.rules(table, "ignore") or (),
            severity=self.severities(table),
            hosts=self.files(table, "hosts"),
            profile=self.profile(table),
            paths=self.paths(table),
        )

    def known(self, table: dict[str, Any], keys: Sequence[str]) -> None:
        for key in table:
            if key not in keys:
                hint = did_you_mean(key, keys) or f"the keys are {', '.join(keys)}"
                self.problem(f"unknown key {quoted(key)}", key, hint)

    def rules(self, table: dict[str, Any], key: str) -> tuple[str, ...] | None:
        words = self.words(table, key)
        self.are_rules(words or ())
        return words

    def are_rules(self, words: Iterable[str]) -> None:
        for word in words:
            if guess := guess_of(word):
                self.problem(f"unknown rule {quoted(word)}", word, guess)

    def words(self, table: dict[str, Any], key: str) -> tuple[str, ...] | None:
        value = table.get(key)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            self.problem(f"{key} is a list of texts", key, f'write {key} = ["..."]')
            return None
        return tuple(value)

    def files(self, table: dict[str, Any], key: str) -> tuple[str, ...]:
        words = self.words(table, key) or ()
        for word in words:
            self.is_no_stdin(key, word)
        return words

    def profile(self, table: dict[str, Any]) -> str | None:
        value = table.get("profile")
        if isinstance(value, str):
            self.is_no_stdin("profile", value)
            return value
        if value is not None:
            self.problem("profile is a text", "profile", 'write profile = "..."')
        return None

    def is_no_stdin(self, key: str, word: str) -> None:
        if word in STDIN:
            self.problem(f"{key} cannot be stdin", key, "name a file")

    def severities(self, table: dict[str, Any]) -> tuple[tuple[str, Severity], ...]:
        value = table.get("severity", {})
        words = [one.value for one in Severity]
        write = f"write RULE = {' or '.join(map(repr, words))}"
        if not isinstance(value, dict):
            self.problem("severity is a table of rules", "severity", write)
            return ()
        self.are_rules(value)
        for rule, word in value.items():
            if word not in words:
                self.problem(f"the severity of {quoted(rule)} cannot be {quoted(str(word))}", rule, write)
        return tuple((rule, Severity(word)) for rule, word in value.items() if word in words)

    def paths(self, table: dict[str, Any]) -> tuple[PathSettings, ...]:
        value = table.get("paths", {})
        if not isinstance(value, dict) or not all(isinstance(one, dict) for one in value.values()):
            self.problem("paths is a table of tables", "paths", 'write [paths."PATTERN"]')
            return ()
        found = []
        for pattern, inner in value.items():
            self.known(inner, _PATH_KEYS)
            select, ignore = self.rules(inner, "select"), self.rules(inner, "ignore") or ()
            found.append(PathSettings(pattern, ignore, select, self.profile(inner)))
        return tuple(found)

    def problem(self, message: str, key: str, hint: str) -> None:
        self.problems.add(message, self.place(key), hint)

    def place(self, key: str) -> Span | None:
        """The first line that begins with a word, or else has it: tomllib keeps no places."""
        from hvctl.text.json_document import span_at  # a configuration is seldom wrong

        word = rf"(?<![\w-])({re.escape(key)})(?![\w-])"
        found = (re.search(f"(?m)^{before}{word}", self.toml) for before in (r"[ \t\[\"']*", r"[^#\n]*?"))
        return next((span_at(self.toml, self.path, *one.span(1)) for one in found if one), None)
