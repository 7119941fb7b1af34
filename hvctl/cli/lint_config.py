"""The configuration of `hvctl lint`: hvctl.toml, or [tool.hvctl.lint] of a pyproject.toml."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from typing import Any

from hvctl.cli.lint_files import from_here
from hvctl.errors import InputError, UsageError
from hvctl.lint.settings import PathSettings, Settings, guess_of
from hvctl.model.finding import Severity
from hvctl.model.span import Problem, Span
from hvctl.text.problems import did_you_mean, quoted

_NAME, _PROJECT = "hvctl.toml", "pyproject.toml"
_MOST_BYTES = 1 << 20
_AT = r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)"
_KEYS = ("select", "ignore", "severity", "hosts", "profile", "paths")
_PATH_KEYS = ("select", "ignore", "profile")


def find_config(paths: Sequence[str]) -> str | None:
    """The configuration for these paths: the nearest above all of them, not beyond the repository's root."""
    folder = _common(paths)
    while True:
        named = os.path.join(folder, _NAME)
        if os.path.isfile(named):
            return from_here(named)
        project = os.path.join(folder, _PROJECT)
        if os.path.isfile(project) and _section(_parse(from_here(project)), project):
            return from_here(project)
        above = os.path.dirname(folder)
        if above == folder or os.path.exists(os.path.join(folder, ".git")):
            return None
        folder = above


def _common(paths: Sequence[str]) -> str:
    folders = []
    for path in paths:
        if path == "-":
            folders.append(os.getcwd())
        else:
            whole = os.path.abspath(path)
            folders.append(whole if os.path.isdir(whole) else os.path.dirname(whole))
    return os.path.commonpath(folders) if folders else os.getcwd()


def read_config(path: str) -> Settings:
    """Read a configuration file.

    Raises:
        UsageError: it cannot be read, or has no section for hvctl.
        InputError: it is no TOML, or has keys or values that mean nothing; with every mistake.
    """
    section = _section(_parse(path), path)
    if not section and _is_project(path):
        raise UsageError(f"{path} has no table [tool.hvctl.lint]", "add it, or name another file")
    reader = _Reader(path)
    settings = reader.settings(reader.lint_of(section) if _is_project(path) else section)
    if reader.problems:
        raise InputError(reader.problems)
    return settings


def _section(content: dict[str, Any], path: str) -> Any:
    """What a file says for hvctl: all of it, or of a project's whatever stands for `tool.hvctl`."""
    tools = content.get("tool")
    if not _is_project(path):
        return content
    return tools.get("hvctl") if isinstance(tools, dict) else None


def _is_project(path: str) -> bool:
    return os.path.basename(path) == _PROJECT


def _parse(path: str) -> dict[str, Any]:
    import tomllib

    try:
        text = _text(path)
        try:
            return tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise InputError([_not_toml(text, path, str(error))]) from error
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{path} cannot be read: {reason}") from error


def _text(path: str) -> str:
    with open(path, "rb") as stream:
        data = stream.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise ValueError(f"it is larger than {_MOST_BYTES >> 20} MiB")
    return data.decode()


def _not_toml(text: str, path: str, said: str) -> Problem:
    """The problem with its place, which tomllib puts into its message."""
    lines = text.split("\n")
    found = re.fullmatch(_AT, said, re.DOTALL)
    if found is None:
        return Problem(f"{path} is not TOML: {said}")
    line, column = (int(found[2]), int(found[3])) if found[2] else (len(lines), len(lines[-1]) + 1)
    span = Span(path, line, column, line, column + 1, lines[line - 1].rstrip("\r"))
    return Problem(f"this is not TOML: {found[1][:1].lower()}{found[1][1:]}", span)


class _Reader:
    """Reads one file's table, and collects every mistake."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.folder = os.path.dirname(path)
        self.problems: list[Problem] = []

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
        profile = self.text(table, "profile")
        return Settings(
            select=self.rules(table, "select"),
            ignore=self.rules(table, "ignore") or (),
            severity=self.severities(table),
            hosts=tuple(os.path.join(self.folder, host) for host in self.words(table, "hosts") or ()),
            profile=self.profile(profile),
            paths=self.paths(table),
        )

    def known(self, table: dict[str, Any], keys: Sequence[str]) -> None:
        for key in table:
            if key not in keys:
                hint = did_you_mean(key, keys) or f"the keys are {', '.join(keys)}"
                self.problem(f"no key is called {quoted(key)}", key, hint)

    def rules(self, table: dict[str, Any], key: str) -> tuple[str, ...] | None:
        words = self.words(table, key)
        self.are_rules(words or ())
        return words

    def are_rules(self, words: Iterable[str]) -> None:
        for word in words:
            if guess := guess_of(word):
                self.problem(f"no rule is called {quoted(word)}", word, guess)

    def words(self, table: dict[str, Any], key: str) -> tuple[str, ...] | None:
        value = table.get(key)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            self.problem(f"{key} is a list of texts", key, f'write {key} = ["..."]')
            return None
        return tuple(value)

    def text(self, table: dict[str, Any], key: str) -> str | None:
        value = table.get(key)
        if value is None or isinstance(value, str):
            return value
        self.problem(f"{key} is a text", key, f'write {key} = "..."')
        return None

    def profile(self, name: str | None) -> str | None:
        """A profile's name, or the path of its file, beside the configuration."""
        if name is None:
            return None
        beside = os.path.join(self.folder, name)
        return beside if os.path.isfile(beside) else name

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
            found.append(PathSettings(pattern, ignore, select, self.profile(self.text(inner, "profile"))))
        return tuple(found)

    def problem(self, message: str, key: str, hint: str) -> None:
        self.problems.append(Problem(message, self.place(key), hint))

    def place(self, key: str) -> Span | None:
        """The first line that begins with a word, or else has it: tomllib keeps no places."""
        word = rf"(?<![\w-]){re.escape(key)}(?![\w-])"
        lines = [line.rstrip("\r") for line in _text(self.path).split("\n")]
        for before in (r"[\s\[\"']*", r"[^#]*?"):
            for number, line in enumerate(lines, 1):
                if found := re.match(f"{before}({word})", line):
                    return Span(self.path, number, found.start(1) + 1, number, found.end(1) + 1, line)
        return None
