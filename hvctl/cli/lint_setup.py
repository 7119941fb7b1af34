"""What `hvctl lint` is asked to do: its words and its configuration, checked, before any file is read."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from hvctl.cli.hosts import check_stdin, read_hosts
from hvctl.cli.lint import STDIN_NAME
from hvctl.cli.lint_files import File, find_files
from hvctl.cli.lint_run import Plan
from hvctl.errors import UsageError
from hvctl.lint.engine import lacking
from hvctl.lint.settings import Settings, rules_named
from hvctl.model.finding import Safety

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hvctl.cli.lint_files import Unreadable
    from hvctl.model.host import Host
    from hvctl.model.profile import Profile

Files = "Iterator[File | Unreadable]"


def prepare(paths: tuple[str, ...], options: Mapping[str, Any]) -> tuple[Iterator[File | Unreadable], Plan, int]:
    """The files, how they are judged, and in how many processes.

    Raises:
        UsageError: words that do not go together, or name what does not exist.
        InputError: the configuration, a host file or a profile is wrong.
        HostError: libvirt cannot be asked.
    """
    try:
        os.getcwd()
    except OSError as error:
        raise UsageError(f"the current folder cannot be found: {error.strerror}") from error
    _check(paths, options)
    settings, folder = _settings(paths, options)
    hosts = _hosts(settings.hosts)
    profiles = _profiles(settings)
    texts = _domains(options["connect"]) if options["connect"] else {}
    plan = Plan(
        settings=settings,
        hosts=hosts,
        profiles=profiles,
        folder=folder,
        form=options["output_format"],
        color=_color(options),
        qemu_args=options["qemu_args"],
        allowed=_allowed(options),
        write=not options["diff"],
        texts=texts,
    )
    files = (File(name, name, named=False) for name in texts) if texts else find_files(paths, options["stdin_filename"])
    return iter(files), plan, options["jobs"] or _cpus()


def _check(paths: tuple[str, ...], options: Mapping[str, Any]) -> None:
    if bool(paths) == bool(options["connect"]):
        what = "PATH and --connect do not go together" if paths else "name a PATH, or a libvirt with --connect"
        raise UsageError(what, "`hvctl lint .` looks at all *.xml below this folder")
    check_stdin(*paths, *options["hosts"])
    writes = (options["fix"] or options["unsafe_fixes"]) and not options["diff"]
    if writes and ("-" in paths or options["connect"]):
        raise UsageError("what is not a file cannot be mended", "use --diff to see what would be")
    for path in paths if options["output"] else ():
        if _same(path, options["output"]):
            raise UsageError(f"{path} is read, and the result would take its place", "name another file with -o")
    if options["fix"] and options["unsafe_fixes"]:
        raise UsageError("--fix and --unsafe-fixes do not go together", "--unsafe-fixes mends both kinds")
    if options["config"] and options["no_config"]:
        raise UsageError("--config and --no-config do not go together", "name one of them")
    if options["diff"] and options["output_format"] not in ("text", "concise"):
        raise UsageError("--diff has a form of its own", "leave --format out")


def _same(path: str, other: str) -> bool:
    try:
        return os.path.isfile(other) and os.path.samefile(path, other)
    except OSError:
        return False  # it is read, and told, later


def _allowed(options: Mapping[str, Any]) -> tuple[Safety, ...]:
    if options["unsafe_fixes"]:
        return (Safety.SAFE, Safety.UNSAFE)
    return (Safety.SAFE,) if options["fix"] or options["diff"] else ()


def _settings(paths: tuple[str, ...], options: Mapping[str, Any]) -> tuple[Settings, str]:
    settings, folder = Settings(), ""
    if not options["no_config"]:
        from hvctl.cli.lint_config import find_config, read_config

        named = options["config"] or find_config(_places(paths, options["stdin_filename"]))
        if named:
            settings = read_config(named)
            folder = os.path.dirname(os.path.abspath(named))
    select, ignore = _words(options["select"]), _words(options["ignore"])
    settings = settings._replace(
        select=select or settings.select,
        ignore=(*settings.ignore, *ignore),
        hosts=options["hosts"] or settings.hosts,
        profile=options["profile"] or settings.profile,
    )
    rules_named((*select, *ignore))
    return settings, folder


def _places(paths: tuple[str, ...], stdin_name: str) -> list[str]:
    """The files that the configuration is for: stdin stands for the one that it is named after."""
    known = "" if stdin_name == STDIN_NAME else stdin_name
    return [known or path if path == "-" else path for path in paths]


def _words(words: tuple[str, ...]) -> tuple[str, ...]:
    """`--select a,b --select c` names three."""
    return tuple(part.strip() for word in words for part in word.split(",") if part.strip())


def _hosts(paths: tuple[str, ...]) -> tuple[Host, ...]:
    return read_hosts(paths).representatives() if paths else ()


def _profiles(settings: Settings) -> dict[str, Profile]:
    names = {name for name in (settings.profile, *(one.profile for one in settings.paths)) if name}
    if not names:
        return {}
    from hvctl.profile.reader import load_profile

    return {name: load_profile(name) for name in sorted(names)}


def _domains(uri: str) -> dict[str, bytes]:
    from hvctl.libvirt.connection import connected

    with connected(uri) as connection:
        domains = connection.domains()
        texts = connection.xmls(domains, definition=True)
    return {
        f"{uri}#{domain.name}": text.encode()
        for domain, text in zip(domains, texts, strict=True)
        if text is not None  # gone meanwhile
    }


def _color(options: Mapping[str, Any]) -> bool:
    from hvctl.cli import use_color

    return use_color(sys.stdout) and options["output"] in (None, "-")


def _cpus() -> int:
    return len(os.sched_getaffinity(0))


def lacks(plan: Plan) -> tuple[Any, ...]:
    """The rules that cannot judge any file."""
    from hvctl.lint.rule import Facts
    from hvctl.lint.settings import chosen

    return lacking(chosen(plan.settings, ""), Facts(plan.hosts))
