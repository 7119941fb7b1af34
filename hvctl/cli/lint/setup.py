"""What `hvctl lint` is asked to do: its words and its configuration, checked, before any file is read."""

import os
import sys
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, assert_never

from hvctl.cli.inputs.hosts import read_hosts
from hvctl.cli.lint.files import File, Unreadable, find_config, find_files, read_config, read_objects
from hvctl.cli.lint.run import Plan, Texts
from hvctl.cli.options import check_stdin
from hvctl.cli.output import say, use_color
from hvctl.errors import UsageError
from hvctl.guest.syntax import DOMAIN, PROCESS, kubevirt_among
from hvctl.lint.output import ConciseWriter, Format, TextWriter, Writer
from hvctl.lint.settings import Settings, rules_named
from hvctl.model.finding import Safety, Severity
from hvctl.model.profile import Profile
from hvctl.text.problems import printable

_STDIN_NAME = "<stdin>"


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
        raise UsageError(f"cannot find the current directory: {error.strerror}") from error
    _check(paths, options)
    settings, config = _settings(paths, options)
    hosts = read_hosts(settings.hosts).representatives() if settings.hosts else ()
    profiles = _profiles(settings)
    files, texts = _sources(paths, options)
    plan = Plan(
        settings=settings,
        hosts=hosts,
        profiles=profiles,
        config=config,
        writer=_writer(options),
        qemu_args=options["qemu_args"],
        allowed=_allowed(options),
        write=not options["diff"],
        texts=texts,
        kubevirt=kubevirt_among(lambda: read_objects(paths)),
    )
    return files, plan, options["jobs"] or len(os.sched_getaffinity(0))


def _sources(paths: tuple[str, ...], options: Mapping[str, Any]) -> tuple[Iterator[File | Unreadable], Texts | None]:
    """What is checked, and the texts of what is no file."""
    if not (options["connect"] or options["running"]):
        return find_files(paths, options["stdin_filename"] or _STDIN_NAME), None
    texts, unread = _processes() if options["running"] else (Texts(DOMAIN, _domains(options["connect"])), [])
    return chain((File(name, name) for name in texts.by_name), unread), texts


def _check(paths: tuple[str, ...], options: Mapping[str, Any]) -> None:
    given = [*(["PATH"] if paths else []), *(f"--{name}" for name in ("connect", "running") if options[name])]
    if len(given) != 1:
        what = f"{' and '.join(given)} do not go together" if given else "name a PATH, or a libvirt with --connect"
        raise UsageError(what, "check the files below the current directory with `hvctl lint .`")
    if options["running"] and (options["fix"] or options["unsafe_fixes"] or options["diff"]):
        remedy = "change what starts the guest"
        raise UsageError("--fix, --unsafe-fixes and --diff need files: a running QEMU cannot be changed", remedy)
    check_stdin(*paths, *options["hosts"])
    writes = (options["fix"] or options["unsafe_fixes"]) and not options["diff"]
    if writes and ("-" in paths or options["connect"]):
        raise UsageError("--fix needs files: stdin and --connect cannot be changed", "use --diff to see the fixes")
    for path in paths if options["output"] else ():
        if _same(path, options["output"]):
            raise UsageError(f"{path} is read, and the result would take its place", "name another file with -o")
    if options["fix"] and options["unsafe_fixes"]:
        raise UsageError("--fix and --unsafe-fixes do not go together", "use --unsafe-fixes for both kinds")
    if options["config"] and options["no_config"]:
        raise UsageError("--config and --no-config do not go together", "name one of them")
    if options["diff"] and options["output_format"] not in ("text", "concise"):
        raise UsageError("--diff has a form of its own", "leave --format out")


def _same(path: str, other: str) -> bool:
    try:
        return os.path.isfile(other) and os.path.samefile(path, other)
    except OSError:
        return False  # it is read, and reported, later


def _allowed(options: Mapping[str, Any]) -> tuple[Safety, ...]:
    if options["unsafe_fixes"]:
        return (Safety.SAFE, Safety.UNSAFE)
    return (Safety.SAFE,) if options["fix"] or options["diff"] else ()


def _settings(paths: tuple[str, ...], options: Mapping[str, Any]) -> tuple[Settings, str | None]:
    """The settings, and the configuration that they are from, which is named: it may be found far above the files."""
    config: str | None = options["config"]
    if not (config or options["no_config"]):
        config, passed = find_config(_places(paths, options["stdin_filename"]))
        for note in passed:
            say(f"note: {printable(note)}")
    settings = Settings()
    if config:
        settings = read_config(config)
        say(f"configuration: {printable(config)}")
    select, ignore = _words(options["select"]), _words(options["ignore"])
    settings = settings._replace(
        select=select or settings.select,
        ignore=(*settings.ignore, *ignore),
        hosts=options["hosts"] or settings.hosts,
        profile=options["profile"] or settings.profile,
    )
    rules_named((*select, *ignore))
    return settings, config


def _places(paths: tuple[str, ...], stdin_name: str | None) -> list[str]:
    """The files that the configuration is for: stdin stands for the one that it is named after."""
    return [stdin_name or path if path == "-" else path for path in paths]


def _words(words: tuple[str, ...]) -> tuple[str, ...]:
    """`--select a,b --select c` names three."""
    return tuple(part.strip() for word in words for part in word.split(",") if part.strip())


def _profiles(settings: Settings) -> dict[str, Profile]:
    names = {name for name in (settings.profile, *(one.profile for one in settings.paths)) if name}
    if not names:
        return {}
    from hvctl import api

    return {name: api.load_profile(name) for name in sorted(names)}


def _processes() -> tuple[Texts, list[Unreadable]]:
    """The arguments of every QEMU that runs, and what of them is not known."""
    from hvctl.cli.inputs.processes import running_guests

    found = running_guests()
    by_name = {one.title: one.process.text.encode("utf-8", "surrogateescape") for one in found.guests}
    if not by_name:
        say("note: no QEMU process was found")
    unread = [Unreadable(f"pid {one.pid}", one.reason) for one in found.unread]
    return Texts(PROCESS, by_name), [*unread, *(Unreadable("/proc", doubt) for doubt in found.doubts)]


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


def _writer(options: Mapping[str, Any]) -> Writer:
    """The writer of a form; no other one is imported."""
    form: Format = options["output_format"]
    color = use_color(sys.stdout) and options["output"] in (None, "-")
    match form:
        case "text":
            return TextWriter(color)
        case "concise":
            return ConciseWriter(color)
        case "json":
            from hvctl.lint.output.json import JsonWriter

            return JsonWriter()
        case "sarif":
            from hvctl.lint.output.json import SarifWriter

            return SarifWriter()
        case "github":
            from hvctl.lint.output.ci import GithubWriter

            return GithubWriter()
        case "junit":
            from hvctl.lint.output.ci import JunitWriter

            fail_on = options["fail_on"]
            return JunitWriter(None if fail_on == "never" else Severity(fail_on))
        case _:
            assert_never(form)
