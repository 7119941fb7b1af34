"""A page for each release of Windows, made of what the catalog knows of it."""

from hvctl.catalog import ROWS
from hvctl.catalog.cpu_models import LEVEL_FEATURES
from hvctl.catalog.roles import RECOMMENDED
from hvctl.catalog.types import Row, Subject
from hvctl.catalog.windows import MICROSOFT, SYSTEMS, System

_SOURCES = (
    "`hvctl explain NAME` has those of each enlightenment",
    "libosinfo; Microsoft Learn, Windows processor requirements, Compare Windows editions",
)


def _subject(system: System) -> Subject:
    words = tuple(f"win{short}" for short in system.libosinfo)
    return Subject(system.id, f"what {system.title} uses and needs", words, "\n".join(_page(system)), _SOURCES)


def _page(system: System) -> list[str]:
    used = [row for row in RECOMMENDED if _uses(system, row)]
    lines = ["## What it uses"]
    if used:
        lines += [f"{_ids(used)}; each where the host can give it.", ""]
    else:
        lines += ["No enlightenment: it looks for no hypervisor.", ""]
    if used and (rest := [row for row in RECOMMENDED if row not in used]):
        lines += [f"Not known to be used by it: {_ids(rest)}.", ""]
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
    needs = _needs(system)
    if needs:
        lines += ["## What it needs", *needs]
    lines += ["## How", f"`hvctl gen {system.profile or system.id}`, or with --domain FILE to change a domain."]
    if system.libosinfo:
        ids = " or ".join(f"{MICROSOFT}{short}" for short in system.libosinfo)
        lines += [
            "",
            f"lint and gen know it by libosinfo's id in the domain ({ids}), by the profile, or by a name as win11.",
        ]
    return lines


def _needs(system: System) -> list[str]:
    lines = []
    if names := LEVEL_FEATURES.get(system.level):
        cpu = f"A CPU with {' and '.join(names)} (x86-64-v{system.level}): host, or a model from Nehalem or EPYC on."
        lines += [f"{cpu} It does not boot on qemu64 or kvm64.", ""]
    if system.sockets:
        (edition, most), (other, others) = system.sockets
        few = f"Few sockets: {edition} uses {most}, {other} {others}. Without a topology libvirt makes one of each vCPU"
        lines += [f"{few}; `hvctl gen PROFILE --libvirt --vcpus N` writes one socket.", ""]
    return lines


def _uses(system: System, row: Row) -> bool:
    return system.build is not None and system.build >= row.windows_build


def _ids(rows: list[Row]) -> str:
    return ", ".join(row.id for row in rows)


SUBJECTS = tuple(_subject(system) for system in SYSTEMS if system.build is not None)
