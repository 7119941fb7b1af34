"""One hostile run of hvctl as data: its words, the files that it meets, and what it may change.

`made(seed, number)` draws one from the seed alone, so that a run can be made again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import pairwise
from random import Random
from typing import Literal, NamedTuple

import click

from hvctl.cli import cli
from tests.torture.kinds import GUESTS, Kind, good, hostile
from tests.torture.mutate import ODD_TOKENS, mutated
from tests.torture.templates import SPECIAL, TEMPLATES, WORDS

Stdout = Literal["text", "json", "exact"]
"""What a terminal may be shown, JSON, or bytes that may be anybody's."""


class Put(NamedTuple):
    """What is made before the run, below its own directory. `data` is a file's content, or what a link leads to."""

    path: str
    data: bytes = b""
    form: Literal["file", "link", "fifo", "directory", "socket"] = "file"
    mode: int = 0o640


class Run(NamedTuple):
    """A run. Of its own directory, `cwd` is where it begins, `home` its HOME and `tmp` its TMPDIR.

    `{cwd}` in a word is the whole path of that, `{pipe0}` that of a pipe with the first of `pipes`.
    """

    name: str
    words: tuple[str, ...]
    puts: tuple[Put, ...] = ()
    stdin: bytes | None = None
    pipes: tuple[bytes, ...] = ()
    stdout: Stdout = "text"
    terminal: bool = False
    edits: bool = False
    makes: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()


TEST = "test:///default"
# The folder in which apply keeps what it replaces of the test driver's domain.
STATE = "home/.local/state/hvctl/domains/6695eb01-f6a4-8304-79aa-97f2502e193f-"
STATE += blake2b(TEST.encode(), digest_size=4).hexdigest()

_SPECIAL_PUTS = (
    Put("cwd/fifo", form="fifo"),
    Put("cwd/dangling", b"nowhere", "link"),
    Put("cwd/loop", b"loop", "link"),
    Put("cwd/socket", form="socket"),
    Put("cwd/directory/a", b"x"),
)
_ENDINGS = {
    Kind.COMMAND: ".sh",
    Kind.PROFILE: ".yaml",
    Kind.DOMAIN: ".xml",
    Kind.CPU: ".args",
    Kind.PROXMOX: ".conf",
    Kind.KUBEVIRT: ".yaml",
    Kind.CONFIG: ".toml",
}
_ROOT = {
    "proc/cpuinfo": Kind.CPUINFO,
    "proc/sys/kernel/osrelease": None,
    "sys/module/kvm_amd/parameters/nested": None,
    "sys/module/kvm_amd/parameters/avic": None,
    "sys/devices/system/cpu/smt/control": None,
    "sys/devices/system/clocksource/clocksource0/current_clocksource": None,
}
_EXACT = ("gen", "convert", "profile", "launch")
_LANGUAGES = ("C.UTF-8", "C.UTF-8", "C", "en_US.ISO-8859-1")


class _Maker:
    """What a run is drawn into."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.puts: dict[str, Put] = {}
        self.stdin: bytes | None = None
        self.pipes: list[bytes] = []
        self.makes: list[str] = []

    def word(self, word: str) -> Iterator[str]:
        """What a word of a template becomes."""
        before, brace, rest = word.partition("{")
        name, _, after = rest.partition("}")
        if word == "%":
            yield self._odd()
        elif word == "{words}":
            yield from self._split(self.content(self.random.choice((Kind.COMMAND, Kind.CPU))))
        elif brace:
            wanted = self.random.choice(GUESTS) if name == "guest" else Kind(name)
            # libvirt's test driver takes absolute paths, and takes them apart as a URI.
            given = "{cwd}/" + self.file(wanted) if before else self.given(wanted)
            yield before + given + after
        elif word.startswith("@"):
            kind = Kind(word[1:])
            yield self._put(f"good.{kind}{_ENDINGS.get(kind, '')}", good(kind)[0])
        elif word.startswith(">"):
            self.makes.append(f"cwd/{word[1:]}")
            if self.random.random() < 0.3:
                self._put(word[1:], b"old\n")
            yield word[1:]
        else:
            yield word

    def content(self, kind: Kind) -> bytes:
        """A hostile input: mutated, made by hand, or good and of another kind."""
        chance = self.random.random()
        if chance < 0.06:
            kind = self.random.choice(list(Kind))
        return self.random.choice(hostile(kind)) if chance > 0.85 else mutated(kind, self.random)

    def given(self, kind: Kind) -> str:
        """A hostile input by one of the ways in which a file can be given."""
        chance = self.random.random()
        if chance < 0.05:
            self.puts.update((put.path, put) for put in _SPECIAL_PUTS)
            return self.random.choice(SPECIAL).replace("\0", "")
        if chance < 0.15 and self.stdin is None:
            self.stdin = self.content(kind)
            return self.random.choice(("-", "-", "/dev/stdin"))
        if chance < 0.25:
            self.pipes.append(self.content(kind))
            return f"{{pipe{len(self.pipes) - 1}}}"
        return self.file(kind)

    def file(self, kind: Kind) -> str:
        """A hostile input as a file, seldom under an odd name."""
        name = f"{len(self.puts)}.{kind}{_ENDINGS.get(kind, '')}"
        if self.random.random() < 0.03:
            name = self.random.choice(("a b'\"$x", "\x1b[31m", "\udcff", "\u202ea", "-x", "n\nl", "ü", "\x9b")) + name
        return self._put(name, self.content(kind))

    def _put(self, name: str, data: bytes) -> str:
        self.puts[f"cwd/{name}"] = Put(f"cwd/{name}", data)
        return f"./{name}" if name.startswith("-") else name

    def _odd(self) -> str:
        if self.random.random() < 0.7:
            return self.random.choice(WORDS)
        return os.fsdecode(b"".join(self.random.choices(ODD_TOKENS, k=2)).replace(b"\0", b""))

    def _split(self, data: bytes) -> list[str]:
        return [os.fsdecode(word)[:100_000] for word in data.replace(b"\0", b" ").split()[:1000]] or [""]


def made(seed: str, number: int) -> Run:
    """The run of a number; the same for the same seed."""
    random = Random(f"{seed}/{number}")
    template = TEMPLATES[number % len(TEMPLATES)].split()
    maker = _Maker(random)
    words = [made for word in template for made in maker.word(word)]
    _surround(maker, template)
    split = words.index("--") if "--" in words else len(words)
    words[split:split] = _more(template[0], random)
    return Run(
        f"{number:05}",
        tuple(words),
        tuple(maker.puts.values()),
        maker.stdin,
        tuple(maker.pipes),
        output_of(words),
        random.random() < 0.1,
        bool({"--in-place", "--fix", "--unsafe-fixes"} & set(words)),
        tuple(maker.makes),
        (("LANG", random.choice(_LANGUAGES)),),
    )


def output_of(words: Sequence[str]) -> Stdout:
    """What a command prints on stdout."""
    formats = [after for word, after in pairwise(words) if word == "--format"]
    form = formats[-1] if formats else ""
    # Help is text, whatever else is asked for.
    if {"--list-rules", "-h", "--help"} & set(words):
        return "text"
    if form in ("json", "sarif") and words[0] != "gen":
        return "json"
    return "exact" if words[0] in _EXACT or "--diff" in words or form == "junit" else "text"


def _surround(maker: _Maker, template: list[str]) -> None:
    """What a command finds without being given it: a configuration, a cache, kept definitions, directories."""
    random = maker.random

    def put(path: str, kind: Kind, *, special: float = 0.1) -> None:
        if random.random() < special:
            form = random.choice(("fifo", "link", "socket"))
            maker.puts[path] = Put(path, random.choice((b"/dev/zero", b"nowhere", b"fifo")), form)  # type: ignore[arg-type]
        else:
            maker.puts[path] = Put(path, maker.content(kind))

    if "root" in template:
        for path, kind in _ROOT.items():
            data = maker.content(kind) if kind else random.choice((b"Y\n", b"1\n", *ODD_TOKENS))
            maker.puts[f"cwd/root/{path}"] = Put(f"cwd/root/{path}", data)
    if "hosts" in template:
        for number in range(3):
            put(f"cwd/hosts/{number}.json", Kind.HOST)
        maker.puts["cwd/hosts/good.json"] = Put("cwd/hosts/good.json", good(Kind.HOST)[0])
    if template[:2] == ["lint", "."]:
        for name, kind in (("a.xml", Kind.DOMAIN), ("b/c.sh", Kind.COMMAND), ("b/d.xml", Kind.DOMAIN)):
            put(f"cwd/{name}", kind)
        put("cwd/hvctl.toml" if random.random() < 0.5 else "cwd/pyproject.toml", Kind.CONFIG)
    if template in (["check-host"], ["gen", "{profile}", "--qemu-binary", "%"]):
        put("home/.cache/hvctl/qemu%usr%bin%qemu-system-x86_64", Kind.HOST)
    if "--undo" in template:
        for name in ("0001-before.xml", "0001-after.xml", "0002-before.xml"):
            put(f"{STATE}/{name}", Kind.DOMAIN)


def _more(command: str, random: Random) -> list[str]:
    """A switch or a choice that the command has, drawn from click's own list."""
    if random.random() > 0.3:
        return []
    found = cli.commands.get(command) or cli.get_command(click.Context(cli), command)
    if found is None or isinstance(found, click.Group):
        return []
    options = [one for one in found.params if isinstance(one, click.Option)]
    chosen = random.choice([one for one in options if one.is_flag or one.count or isinstance(one.type, click.Choice)])
    if isinstance(chosen.type, click.Choice):
        return [chosen.opts[-1], random.choice(list(map(str, chosen.type.choices)))]
    return [chosen.opts[-1]]
