"""Every command that writes files, as runs that succeed; for kills and odd environments."""

from __future__ import annotations

import functools

from tests.torture.kinds import Kind, good
from tests.torture.runs import STATE, TEST, Put, Run

_HOST = Put("cwd/host.json", good(Kind.HOST)[0])
_DOMAIN = Put("cwd/domain.xml", good(Kind.DOMAIN)[0])
_OLD = b"old\n"
_FIXABLE = (
    b"<domain type='kvm'><features><hyperv>\n<vapic state='on'/><ipi state='on'/>\n</hyperv></features></domain>\n"
)
_LONG = b"<!-- %s -->\n" % (b"x" * (3 << 20))
_MANY = 250  # files, for which lint starts other processes
CACHE = "home/.cache/hvctl/qemu%usr%bin%qemu-system-x86_64"


def _run(name: str, command: str, *puts: Put, makes: tuple[str, ...] = (), edits: bool = False) -> Run:
    old = tuple(Put(path, _OLD) for path in makes if path.startswith("cwd/"))
    return Run(name, tuple(command.split()), (*puts, *old), stdout="exact", makes=makes, edits=edits)


@functools.cache
def writers() -> tuple[Run, ...]:
    """The runs; what each writes is its `makes`, and with `edits` what it was given."""
    gen, apply = "gen windows-11 --host host.json", f"test --connect {TEST} --yes"
    many = (Put(f"cwd/{number}.xml", _FIXABLE) for number in range(_MANY))
    return (
        _run("gen -o", f"{gen} --libvirt -o out.xml", _HOST, makes=("cwd/out.xml",)),
        _run("gen --lock", f"{gen} --lock plan.json", _HOST, makes=("cwd/plan.json",)),
        _run("gen --in-place", f"{gen} --domain domain.xml --in-place", _HOST, _edited(), edits=True),
        _run("lint --fix", "lint domain.xml --fix --no-config", Put("cwd/domain.xml", _FIXABLE + _LONG), edits=True),
        _run("lint --fix of many", "lint . --fix --no-config --jobs 2 -q", *many, edits=True),
        _run("lint -o", "lint domain.xml --format sarif -o out.sarif", _DOMAIN, makes=("cwd/out.sarif",)),
        _run("apply", f"apply windows-11 {apply} --host host.json --force", _HOST, Put(STATE, form="directory")),
        _run("apply --undo", f"apply --undo {apply}", Put(f"{STATE}/0001-before.xml", _kept())),
        _run("check-host --record", "check-host --no-qemu --record out.json --name a", makes=("cwd/out.json",)),
        _run("check-host", "check-host", makes=(CACHE,)),
        _run("convert -o", "convert domain.xml --to profile -o out.yaml", _DOMAIN, makes=("cwd/out.yaml",)),
        _run("pool -o", "pool host.json --format html -o out.html", _HOST, makes=("cwd/out.html",)),
        _run("bench -o", "bench --runs 1 --only exit --format json -o out.json", makes=("cwd/out.json",)),
    )


def _edited() -> Put:
    """A domain that gen changes, so large that to write it takes a moment."""
    return Put("cwd/domain.xml", _DOMAIN.data.replace(b"localtime", b"utc") + _LONG)


def _kept() -> bytes:
    """An older definition of the test driver's domain."""
    import libvirt  # no other run needs it in this process

    connection = libvirt.open(TEST)
    flags = libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE
    text = str(connection.lookupByName("test").XMLDesc(flags))
    return text.replace("  <memory ", "  <title>older</title>\n  <memory ", 1).encode()
