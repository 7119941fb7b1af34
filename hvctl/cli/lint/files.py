"""The files of `hvctl lint`, with their bytes: never a wait, never more than may be read; and its configuration."""

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from hvctl.errors import InputError, Problem, Span, UsageError
from hvctl.guest import syntax
from hvctl.guest.syntax import COMMAND_LINE, DOMAIN, KUBEVIRT, PROXMOX, Syntax
from hvctl.lint.settings import PROJECT, Settings, has_settings, read_settings
from hvctl.text.files import (
    LARGEST_JSON,
    LARGEST_TEXT,
    LARGEST_XML,
    UnreadableError,
    check_size,
    decode,
    distrust,
    read,
    reason_of,
)
from hvctl.text.recognition import COMMANDS, FileKind, check_kind, hint, kind_of

_SUFFIX = ".xml"
_COMMANDS = (".args", ".sh", ".bat", ".cmd")
# Most of these are nobody's kind, and are passed over.
_CONF = ".conf"
_OBJECTS = (".yaml", ".yml", ".json")
_ANYTHING = (_CONF, *_OBJECTS)
_DEEPEST = 100
_CONFIG = "hvctl.toml"
_TOML_PLACE = r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)"


class File(NamedTuple):
    """One file: `path` to open it (`-` is stdin), `name` for messages; `named` is whether the user named it."""

    path: str
    name: str
    named: bool = True


class Unreadable(NamedTuple):
    """A folder that cannot be read, in the place of the files in it."""

    path: str
    reason: str


def find_files(paths: Sequence[str], stdin_name: str) -> Iterator[File | Unreadable]:
    """What was named, and what has a known ending below the directories among it: by name, each file once."""
    files = _find(paths, stdin_name)
    return _once(files) if len(paths) > 1 else files


def _once(files: Iterable[File | Unreadable]) -> Iterator[File | Unreadable]:
    seen: set[str] = set()
    for file in files:
        whole = os.path.abspath(file.path) if file.path != "-" else "-"
        if whole not in seen:
            seen.add(whole)
            yield file


def _find(paths: Sequence[str], stdin_name: str) -> Iterator[File | Unreadable]:
    seen: set[tuple[int, int]] = set()
    for path in paths:
        if path == "-":
            yield File(path, stdin_name)
        elif os.path.isdir(path):
            yield from _below(path, seen, 0)
        else:
            yield File(path, name_of(path))


def _below(folder: str, seen: set[tuple[int, int]], depth: int) -> Iterator[File | Unreadable]:
    try:
        status = os.stat(folder)
        # A link may lead back to a parent directory.
        if (status.st_dev, status.st_ino) in seen:
            return
        if depth > _DEEPEST:
            yield Unreadable(name_of(folder), f"it is more than {_DEEPEST} directories deep")
            return
        seen.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as entries:
            inside = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        yield Unreadable(name_of(folder), reason_of(error))
        return
    for entry in inside:
        if _is_folder(entry):
            yield from _below(entry.path, seen, depth + 1)
        elif entry.name.endswith((_SUFFIX, *_COMMANDS, *_ANYTHING)):
            yield File(entry.path, name_of(entry.path), named=False)


def name_of(path: str) -> str:
    """A path as GitHub and GitLab take it, from the repository's root on: without `./`."""
    return path[2:].lstrip("/") if path.startswith("./") else path


def from_here(path: str) -> str:
    """An absolute path as from the current folder, where it is below that."""
    if not path.startswith("/"):
        return path
    relative = os.path.relpath(path)
    return path if relative == ".." or relative.startswith("../") else relative


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def read_file(file: File) -> bytes:
    """The bytes of a file; raises UnreadableError. A pipe is read where the user named it."""
    return read(file.path, LARGEST_XML, pipe=file.named)


def read_objects(paths: Sequence[str]) -> Iterator[tuple[bytes, str]]:
    """The files that may have KubeVirt's objects, read again. What cannot be is reported where it is judged."""
    for file in find_files([path for path in paths if path != "-"], ""):
        if isinstance(file, File) and (file.named or file.name.endswith(_OBJECTS)):
            with contextlib.suppress(UnreadableError):
                yield read(file.path, LARGEST_JSON, pipe=False), file.name


def check_length(file: File, data: bytes, kind: Syntax) -> None:
    """Raise UnreadableError for what is too long for a command line, or for YAML."""
    if kind in (COMMAND_LINE, PROXMOX):
        check_size(data, LARGEST_TEXT, file.name)
    elif kind is KUBEVIRT:
        check_size(data, LARGEST_JSON, file.name)


def syntax_of(file: File, data: bytes, *, qemu_args: bool) -> Syntax | None:
    """What a file is taken for: by its name, of a named one of another name by its content; None where it is passed
    over, which is said of none that is named.

    `qemu_args` is whether all that are named are command lines. Raises UnreadableError for a file of another kind.
    """
    if (qemu_args and file.named) or file.name.endswith(_COMMANDS):
        return COMMAND_LINE
    if not file.named and file.name.endswith(_ANYTHING):
        found = syntax.syntax_of(kind_of(data))
        return found if found in (PROXMOX, KUBEVIRT) else None
    if not file.named or (file.name.endswith(_SUFFIX) and data[:80].lstrip().startswith(b"<")):
        return DOMAIN
    kind = kind_of(data)
    if kind in (*COMMANDS, FileKind.CPU) and file.name.endswith(_SUFFIX):
        return DOMAIN
    if kind is FileKind.UNKNOWN and file.name.endswith(_CONF):
        return PROXMOX
    if kind not in (*syntax.KINDS, FileKind.XML, FileKind.UNKNOWN):
        raise UnreadableError(file.name, f"it is {kind}", hint(file.path, kind, FileKind.GUEST, "lint"))
    return syntax.syntax_of(kind)


def find_config(paths: Sequence[str]) -> tuple[str | None, list[str]]:
    """The configuration for these paths, and of nearer ones why they are not used.

    It is the nearest above all of them that only root and the caller can have put there, or that is in a repository of
    theirs: who can write above the files could otherwise silence findings. The search ends at the root of a repository,
    at the home directory, and where a file system begins.
    """
    directory = _common(paths)
    passed: list[str] = []
    while True:
        for path in _configs(directory):
            why = distrust(path)
            if not why or _in_own_repository(directory):
                return from_here(path), passed
            passed.append(f"{from_here(path)} is not used: {why}; use it with --config")
        if _is_last(directory):
            return None, passed
        directory = os.path.dirname(directory)


def _configs(directory: str) -> Iterator[str]:
    """What in a directory says something for hvctl; a project's file that is not used may be as wrong as it likes."""
    named = os.path.join(directory, _CONFIG)
    if os.path.isfile(named):
        yield named
    project = os.path.join(directory, PROJECT)
    if os.path.isfile(project):
        try:
            if has_settings(_toml(_text(project), project), project):
                yield project
        except (InputError, UsageError):
            if not distrust(project) or _in_own_repository(directory):
                raise


def _in_own_repository(directory: str) -> bool:
    """Whether a directory is in a repository that is root's or the caller's, whoever wrote the files in it."""
    while not os.path.lexists(git := os.path.join(directory, ".git")):
        if directory == (directory := os.path.dirname(directory)):
            return False
    return all(os.lstat(place).st_uid in (0, os.geteuid()) for place in (directory, git))


def _is_last(directory: str) -> bool:
    """Whether nothing above a directory is its configuration."""
    above = os.path.dirname(directory)
    if above == directory or os.path.lexists(os.path.join(directory, ".git")):
        return True
    try:
        home = os.path.realpath(directory) == os.path.realpath(os.path.expanduser("~"))
        return home or os.stat(directory).st_dev != os.stat(above).st_dev
    except OSError:  # of what is not there
        return False


def read_config(path: str) -> Settings:
    """What a configuration file says, with hosts and profiles by paths that can be opened from here.

    Raises:
        UsageError: it has no section for hvctl.
        InputError: it cannot be read, is no TOML, or has keys or values that mean nothing; with every mistake.
    """
    text = _text(path)
    settings = read_settings(_toml(text, path), text, path)
    directory = os.path.dirname(path)

    def beside(profile: str | None) -> str | None:
        """A profile's name, or the path of its file, beside the configuration."""
        file = os.path.join(directory, profile or "")
        return file if profile and os.path.isfile(file) else profile

    return settings._replace(
        hosts=tuple(os.path.join(directory, host) for host in settings.hosts),
        profile=beside(settings.profile),
        paths=tuple(one._replace(profile=beside(one.profile)) for one in settings.paths),
    )


def _common(paths: Sequence[str]) -> str:
    directories = []
    for path in paths:
        if path == "-":
            directories.append(os.getcwd())
        else:
            whole = os.path.abspath(path)
            directories.append(whole if os.path.isdir(whole) else os.path.dirname(whole))
    return os.path.commonpath(directories) if directories else os.getcwd()


def _text(path: str) -> str:
    return decode(read(path, LARGEST_TEXT, name=from_here(path)), from_here(path))


def _toml(text: str, path: str) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        check_kind(text, path, FileKind.CONFIG)
        raise InputError([_not_toml(text, path, str(error))]) from error
    except (ValueError, RecursionError) as error:  # a number, date or nesting beyond Python's
        raise UsageError(f"{path} cannot be read: {error}") from error


def _not_toml(text: str, path: str, said: str) -> Problem:
    """The problem with its place, which tomllib puts into its message."""
    lines = text.split("\n")
    found = re.fullmatch(_TOML_PLACE, said, re.DOTALL)
    if found is None:
        return Problem(f"{path} is not TOML: {said}")
    line, column = (int(found[2]), int(found[3])) if found[2] else (len(lines), len(lines[-1]) + 1)
    span = Span(path, line, column, line, column + 1, lines[line - 1].rstrip("\r"))
    return Problem(f"this is not TOML: {found[1][:1].lower()}{found[1][1:]}", span)
