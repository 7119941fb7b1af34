"""A guest of Proxmox VE, read from the command line that PVE makes of its configuration."""

from collections.abc import Callable, Sequence

from hvctl.catalog import proxmox
from hvctl.catalog.types import Row
from hvctl.catalog.windows import BY_OS
from hvctl.guest.command.line import CommandLine
from hvctl.guest.proxmox.config import Kind, Models, Section, properties
from hvctl.guest.proxmox.cpu import Facts, facts_of
from hvctl.guest.proxmox.made import Made, origin
from hvctl.model.guest import Guest, Place, Setting
from hvctl.model.host import Host
from hvctl.text.shell_words import Word

KEYS = {"offset": "localtime", "rtc.policy": "tdf"}
"""The keys of facts that are switches."""
_LINES = {
    ("offset", "localtime"): "localtime: 1",
    ("offset", "utc"): "localtime: 0",
    ("rtc.policy", "catchup"): "tdf: 1",
}


def flags_in(flags: Sequence[str]) -> str:
    """Flags, and where they are written: those that `cpu:` does not take are in a custom model."""
    if all(flag[1:] in proxmox.VM_FLAGS for flag in flags):
        return f"{';'.join(flags)} in flags= of cpu:"
    return f"{';'.join(flags)} in flags of a custom CPU model in cpu-models.conf"


class ProxmoxGuest(CommandLine):
    """One section of a VMID.conf.

    `section` and `models` are what it was read from, `added` the `-cpu` that PVE makes, None where it is not known.
    `cpu_counts` is whether `cpu:` is written and not ignored, `cpu_arguments` has each `-cpu` of `args:` and its value.
    `own_changes` is PVE's part of the machine type, such as `+pve1`. `read` reads the section again with other facts.
    `pending` says that changes wait for the next start.
    """

    syntax_name = "Proxmox VE configuration"
    __slots__ = ("added", "cpu_arguments", "cpu_counts", "facts", "models", "own_changes", "pending", "read", "section")

    def __init__(self, text: str, path: str, section: Section, models: Models, facts: Facts) -> None:
        root = section.values.get("ostype") or next(iter(section.values.values()), None)
        super().__init__(text, path, root if root is not None else Word("", [section.start, section.start]))
        self.label = f"{path} [{section.name}]" if section.name else path
        self.section = section
        self.models = models
        self.facts = facts
        self.added: Made | None = None
        self.cpu_counts = False
        self.cpu_arguments: list[tuple[Word, Word]] = []
        self.own_changes = ""
        self.pending = False
        self.read: Callable[[ProxmoxGuest, Facts], ProxmoxGuest]

    @property
    def by_args(self) -> bool:
        """Whether `args:` has the -cpu that counts."""
        return self.cpu_word is not None and not isinstance(self.cpu_word, Made)

    def origin(self, where: Place) -> str:
        return origin(where)

    def leave_out(self, settings: Sequence[Setting]) -> str:
        """What Proxmox VE adds goes by a flag with `-`, which QEMU reads after it. With `_` QEMU knows no such property
        (qemu:target/i386/cpu.c, x86_cpu_parse_featurestr(); observed with QEMU 7.2)."""
        added = [one for one in settings if self.origin(one.where)]
        if not added:
            return super().leave_out(settings)
        return f"write {flags_in([f'-{self.name_of(one.row)}' for one in settings])}"

    def on_hosts(self, hosts: Sequence[Host]) -> Guest:
        facts = facts_of(hosts)
        return self if facts == self.facts else self.read(self, facts)

    @property
    def way_to_hyperv(self) -> str:
        """Proxmox VE adds them where it is told of Windows."""
        kind = self.section.values.get("ostype", "other")
        if self.by_args or kind not in proxmox.OS_TYPES or proxmox.OS_TYPES[kind].windows:
            return super().way_to_hyperv
        release = proxmox.RELEASES[self.release.id] if self.release else "win11"
        return f"write ostype: {release}, or that of its release: Proxmox VE then adds them"

    @property
    def fixable(self) -> bool:
        return self.section.kind is not Kind.SNAPSHOT

    @property
    def platforms_own(self) -> tuple[str, ...]:
        found = ["[PENDING]: the next start applies it"] if self.pending else []
        if self.own_changes:
            found.append(f"machine type {self.machine}{self.own_changes}: {self.own_changes} is Proxmox VE's own")
        kind = str(self.section.values.get("ostype", ""))
        system = proxmox.OS_TYPES.get(kind)
        if system and system.several:
            found.append(f"ostype {kind} is {system.title}: {BY_OS[system.release].title} is written")
        return tuple(found)

    @property
    def hyperv_place(self) -> Place:
        """Where the CPU is chosen: what turns Hyper-V on is PVE's."""
        return self.cpu_word if self.by_args else self.section.values.get("cpu", self.root)

    def syntax(self, row: Row) -> str:
        return self.syntax_all((row,))

    def syntax_all(self, rows: Sequence[Row]) -> str:
        if self.by_args:
            return ", ".join(super(ProxmoxGuest, self).syntax(row) for row in rows)
        return flags_in([f"+{row.properties[0].name}" for row in rows])

    def cpu_syntax(self, model: str, features: Sequence[str] = ()) -> str:
        if self.by_args:
            return super().cpu_syntax(model, features)
        flags = ";".join(f"+{name}" for name in features)
        if not flags:
            return f"cpu: {model}"
        if all(name in proxmox.VM_FLAGS for name in features):
            return f"cpu: {model},flags={flags}"
        return f"a custom CPU model with reported-model {model} and flags {flags}"

    def syntax_of(self, fact: str, value: str) -> str:
        if fact == "machine":
            return f"machine: {value}"
        return _LINES.get((fact, value)) or f"args: {super().syntax_of(fact, value)}"

    def can_turn_on(self, row: Row) -> bool:
        if self.by_args:
            return super().can_turn_on(row)
        return self.cpu_counts and self.cpu_word is not None and row.properties[0].name in proxmox.VM_FLAGS

    def can_set(self, fact: str) -> bool:
        if fact == "machine":
            value = self.section.values.get("machine")
            return value is not None and "type" in properties(value, "type")
        return fact in ("offset", "rtc.policy") and KEYS[fact] in self.section.values
