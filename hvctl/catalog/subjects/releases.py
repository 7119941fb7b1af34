"""A page for each release of Windows, made of what the catalog knows of it."""

from collections.abc import Iterator

from hvctl.catalog import ROWS
from hvctl.catalog.cpu_models import LEVEL_FEATURES
from hvctl.catalog.roles import RECOMMENDED
from hvctl.catalog.types import Row, Subject
from hvctl.catalog.windows import MICROSOFT, SYSTEMS, System, plain

_OLDER_11 = "windows-11-23h2"
# libosinfo has one id for all of Windows 11.
_HALVES = {_OLDER_11: ("21h2", "22h2", "23h2"), "windows-11": ("24h2", "25h2")}
_SOURCES = (
    "`hvctl explain NAME` has those of each enlightenment",
    "Microsoft Learn, Acquiring high-resolution time stamps; its KB 895980 of Windows Server 2003",
    "libosinfo; Microsoft Learn, Windows processor requirements, Compare Windows editions",
)


def _subject(system: System) -> Subject:
    words = tuple(word for word in dict.fromkeys(_words(system)) if word != system.id)
    return Subject(system.id, f"{system.title} as a guest", words, "\n".join(_page(system)), _SOURCES)


def _words(system: System) -> Iterator[str]:
    """What people type: win11, windows-server-2008-r2, server-2019, 2k22, xp, ..."""
    title = plain(system.title)
    names = [title, *(text.removeprefix("windows-") for text in (system.id, title)), *system.libosinfo]
    names.append(system.id.removeprefix("windows-server-"))
    names.append(title.removeprefix("windows-server-"))
    yield from (f"w{short}" for short in system.libosinfo if short.startswith("2k"))
    if halves := _HALVES.get(system.id):
        names = [*(names if system.libosinfo else ()), *(f"11-{half}" for half in halves)]
        yield from halves
    for name in names:
        yield from (f"win{name}", f"win-{name}", f"windows-{name}")
        if not name.isdecimal():
            yield name


def _page(system: System) -> list[str]:
    used = [row for row in RECOMMENDED if _uses(system, row)]
    lines = ["## What is recommended for it"]
    if used:
        unknown = [row for row in used if not row.windows_source]
        lines += [f"{_ids(used)}; each where the host can give it.", ""]
        lines += [f"No source found says from which release on Windows uses {_ids(unknown)}.", ""]
    else:
        lines += ["No enlightenment: it does not look for a hypervisor.", ""]
    if used and (rest := [row for row in RECOMMENDED if row not in used]):
        lines += [f"Not known to be of use to it: {_ids(rest)}.", ""]
    inside = [row for row in ROWS if row.for_nested and row not in RECOMMENDED and _uses(system, row)]
    if system.vbs_default:
        security = (
            "Virtualization-based security is on after an installation on capable hardware, and runs a hypervisor"
        )
        lines += [f"{security} inside. {_ids(inside)} make that fast, where the host has them; see vbs.", ""]
    if system.harmed_by_uefi:
        lines += [
            "## What harms it",
            "With UEFI firmware and several vCPUs any enlightenment: it hangs at a black screen.",
        ]
        lines += ["Give it BIOS firmware or one vCPU, or no enlightenment.", ""]
    counter = f"Without Hyper-V its performance counter is {system.counter}"
    if not system.counter:
        counter = "What its performance counter is without Hyper-V, hvctl does not know"
    lines += [
        "## Its clocks",
        "It takes the RTC for local time, which is offset='localtime' and `-rtc base=localtime`; see rtc.",
        f"{counter}; see hpet and time.",
        "",
    ]
    needs = _needs(system)
    if needs:
        lines += ["## What it needs", *needs]
    lines += ["## How", f"`hvctl gen {system.profile or system.id}`, or with --domain FILE to change a domain."]
    if system.id == _OLDER_11:
        lines += ["", "lint and gen take every Windows 11 for 24H2 or later: libosinfo has one id for all."]
    if system.libosinfo:
        ids = " or ".join(f"{MICROSOFT}{short}" for short in system.libosinfo)
        name = f"win{system.libosinfo[0]}"
        lines += ["", f"lint and gen know it by libosinfo's id ({ids}), the profile, or a name such as {name}."]
    return lines


def _needs(system: System) -> list[str]:
    lines = []
    if names := LEVEL_FEATURES.get(system.level):
        cpu = f"A CPU with {' and '.join(names)} (x86-64-v{system.level}): host, or a model from Nehalem or EPYC on."
        lines += [f"{cpu} It does not boot on qemu64 or kvm64.", ""]
    if system.sockets:
        used = ", ".join(f"{edition} uses {most}" for edition, most in system.sockets)
        profile = system.profile or system.id
        few = f"All vCPUs in one socket: {used}, and without a topology libvirt makes a socket of each."
        lines += [f"{few} `hvctl gen {profile} --libvirt --vcpus N` writes one.", ""]
    return lines


def _uses(system: System, row: Row) -> bool:
    return system.build is not None and system.build >= row.windows_build


def _ids(rows: list[Row]) -> str:
    return ", ".join(row.id for row in rows)


SUBJECTS = tuple(_subject(system) for system in SYSTEMS if system.build is not None)
