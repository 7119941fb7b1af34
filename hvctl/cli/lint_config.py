"""The configuration of `hvctl lint`: hvctl.toml, or [tool.hvctl.lint] of a pyproject.toml."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from hvctl.errors import InputError, UsageError
from hvctl.lint.settings import PathSettings, Settings, check
from hvctl.model.finding import Severity
from hvctl.model.span import Problem, Span

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAME, _PROJECT = "hvctl.toml", "pyproject.toml"
_TABLE = ("tool", "hvctl", "lint")
_MOST_BYTES = 1 << 20
_KEYS = ("select", "ignore", "severity", "hosts", "profile", "paths")
_PATH_KEYS = ("select", "ignore", "profile")


def find_config(paths: Sequence[str]) -> str | None:
    """The configuration for these paths: the nearest above all of them, not beyond the repository's root."""
    folder = _common(paths)
    while True:
        named = os.path.join(folder, _NAME)
        if os.path.isfile(named):
            return _short(named)
        project = os.path.join(folder, _PROJECT)
        if os.path.isfile(project) and _section(_parse(project), project) is not None:
            return _short(project)
        above = os.path.dirname(folder)
        if above == folder or os.path.exists(os.path.join(folder, ".git")):
            return None
        folder = above


def _short(path: str) -> str:
    """The path as from the current folder, where it is below that."""
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative


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
    table = _section(_parse(path), path)
    if table is None:
        raise UsageError(f"{path} has no table [tool.hvctl.lint]", "add it, or name another file")
    reader = _Reader(path)
    settings = reader.settings(table)
    if reader.problems:
        raise InputError(reader.problems)
    check(settings, f"{path}: ")
    return settings


def _section(content: dict[str, Any], path: str) -> dict[str, Any] | None:
    if os.path.basename(path) != _PROJECT:
        return content
    for key in _TABLE:
        inner = content.get(key)
        if not isinstance(inner, dict):
            return None
        content = inner
    return content


def _parse(path: str) -> dict[str, Any]:
    import tomllib

    try:
        text = _text(path)
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError([Problem(f"{path} is not TOML: {error}")]) from error
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{path} cannot be read: {reason}") from error


def _text(path: str) -> str:
    with open(path, "rb") as stream:
        data = stream.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise ValueError(f"it is larger than {_MOST_BYTES >> 20} MiB")
    return data.decode()


class _Reader:
    """Reads one file's table, and collects every mistake."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.folder = os.path.dirname(path)
        self.problems: list[Problem] = []

    def settings(self, table: dict[str, Any]) -> Settings:
        self.known(table, _KEYS)
        profile = self.text(table, "profile")
        return Settings(
            select=self.words(table, "select"),
            ignore=self.words(table, "ignore") or (),
            severity=self.severities(table),
            hosts=tuple(os.path.join(self.folder, host) for host in self.words(table, "hosts") or ()),
            profile=self.profile(profile),
            paths=self.paths(table),
        )

    def known(self, table: dict[str, Any], keys: Sequence[str]) -> None:
        from hvctl.formats.profile_problems import did_you_mean, quoted

        for key in table:
            if key not in keys:
                hint = did_you_mean(key, keys) or f"the keys are {', '.join(keys)}"
                self.problem(f"no key is called {quoted(key)}", key, hint)

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
        from hvctl.formats.profile_problems import quoted

        value = table.get("severity", {})
        words = [one.value for one in Severity]
        write = f"write RULE = {' or '.join(map(repr, words))}"
        if not isinstance(value, dict):
            self.problem("severity is a table of rules", "severity", write)
            return ()
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
            select, ignore = self.words(inner, "select"), self.words(inner, "ignore") or ()
            found.append(PathSettings(pattern, ignore, select, self.profile(self.text(inner, "profile"))))
        return tuple(found)

    def problem(self, message: str, key: str, hint: str) -> None:
        self.problems.append(Problem(message, self.place(key), hint))

    def place(self, key: str) -> Span | None:
        """The first line that begins with the key: tomllib keeps no places."""
        for number, line in enumerate(_text(self.path).splitlines(), 1):
            column = len(line) - len(line.lstrip()) + 1
            bare = line.strip().lstrip("[\"'")
            if bare.startswith(key):
                column = line.index(key, column - 1) + 1
                return Span(self.path, number, column, number, column + len(key), line)
        return None
