"""Changes to a VMID.conf: flags of `cpu:`, lines of their own, and `args:` as a command line."""

from collections.abc import Sequence

from hvctl.catalog.types import Row
from hvctl.guest.command.line import CommandChanges
from hvctl.guest.proxmox.config import properties
from hvctl.guest.proxmox.guest import KEYS, ProxmoxGuest
from hvctl.guest.proxmox.made import origin
from hvctl.model.guest import Place, Setting
from hvctl.text.shell_words import Word


class ProxmoxChanges(CommandChanges):
    """Changes to one section."""

    def __init__(self, guest: ProxmoxGuest) -> None:
        super().__init__(guest)
        self.guest = guest

    def turn_on(self, rows: Sequence[Row]) -> None:
        if self.guest.by_args:
            super().turn_on(rows)
            return
        value = self.guest.section.values["cpu"]
        flags = properties(value, "cputype").get("flags")
        names = [row.properties[0].name for row in rows]
        kept = [flag for flag in flags.split(";") if flag[1:] not in names] if flags is not None else []
        text = ";".join([*kept, *(f"+{name}" for name in names)])
        if flags is None:
            self.after(value, f",flags={text}")
        else:
            self._put(flags, text)

    def drop(self, setting: Setting) -> None:
        self.remove(setting.where)

    def remove(self, where: Place) -> None:
        """Remove a flag of `cpu:`, with the `;` before or after it, or `flags=` with its only one; else as in a command
        line."""
        if origin(where):
            return
        value = self.guest.section.values.get("cpu")
        flags = properties(value, "cputype").get("flags") if value is not None else None
        start = where.offsets[0]
        if flags is None or start not in flags.offsets[:-1]:
            super().remove(where)
            return
        first, after = flags.offsets[0], flags.offsets[-1]
        end = start + len(where)
        if start > first:
            self.replace(start - 1, end, "")
        elif end < after:
            self.replace(start, end + 1, "")
        elif value is not None:
            comma = first - len("flags=")
            self.replace(comma - (comma > value.offsets[0]), end, "")

    def set_fact(self, fact: str, value: str) -> None:
        values = self.guest.section.values
        if fact == "machine":
            self._put(properties(values["machine"], "type")["type"], value)
        else:
            self._put(values[KEYS[fact]], "0" if value == "utc" else "1")

    def choose_cpu(self, value: str) -> None:
        """Write `cpu:`, and remove each `-cpu` from `args:`, which goes where nothing else is in it."""
        guest, arguments = self.guest, self.guest.section.values["args"]
        spans = [(option.offsets[0], word.offsets[-1]) for option, word in guest.cpu_arguments]
        rest = _without(guest.text, arguments.offsets[0], arguments.offsets[-1], spans)
        start, end = self._line(arguments)
        old = guest.section.values.get("cpu")
        new = "" if old is not None else f"cpu: {value}\n"
        if rest:
            self.replace(start, start, new)
            self.replace(arguments.offsets[0], arguments.offsets[-1], rest)
        else:
            self.replace(start, end, new)
            for key, earlier in guest.section.replaced:
                if key == "args":  # it would count again
                    self.replace(*self._line(earlier), "")
        if old is not None:
            self._put(old, value)

    def _line(self, word: Word) -> tuple[int, int]:
        """Where the line of a value begins, and where the next one does."""
        text, end = self.guest.text, self.guest.text.find("\n", word.offsets[-1])
        return text.rfind("\n", 0, word.offsets[0]) + 1, len(text) if end < 0 else end + 1

    def _put(self, word: Word, text: str) -> None:
        self.replace(word.offsets[0], word.offsets[-1], text)


def _without(text: str, start: int, end: int, spans: Sequence[tuple[int, int]]) -> str:
    """A part of a text without smaller ones, and without the space that they leave."""
    parts, at = [], start
    for first, last in spans:
        parts.append(text[at:first].rstrip())
        at = last
    return " ".join(part for part in (*parts, text[at:end].strip()) if part)
