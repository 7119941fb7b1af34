"""Whether a guest can move to another host, and why not."""

from enum import StrEnum
from typing import NamedTuple

from hvctl.model.guest import Guest
from hvctl.model.host import Host
from hvctl.model.plan import Layer


class Effect(StrEnum):
    """What comes of a migration that should not be."""

    REFUSED = "refused"
    """QEMU, or libvirt, refuses at the source: nothing happens."""
    FAILS = "fails"
    """The destination does not start, or gives up; the source goes on."""
    LOST = "lost"
    """The destination dies while the source reports the migration completed: the guest is lost."""
    CHANGES = "changes"
    """It succeeds, and the running guest is another one than before: QEMU does not compare."""
    UNKNOWN = "unknown"
    """It cannot be told."""


class Reason(NamedTuple):
    """One thing that is against a move.

    `id` is a catalog row's, or what else it is about: `cpu`, `machine`, `tsc-frequency`. `error` is what QEMU says, as
    far as that is known; empty where it says nothing.
    """

    effect: Effect
    id: str
    text: str
    layer: Layer
    remedy: str = ""
    error: str = ""


class Answer(StrEnum):
    """The verdict on one target."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Move(NamedTuple):
    """The verdict for some targets that it is the same for, by their names."""

    targets: tuple[str, ...]
    reasons: tuple[Reason, ...]

    @property
    def answer(self) -> Answer:
        """No where anything is known to go wrong, unknown where something could."""
        if any(reason.effect is not Effect.UNKNOWN for reason in self.reasons):
            return Answer.NO
        return Answer.UNKNOWN if self.reasons else Answer.YES


class Journey(NamedTuple):
    """A guest on its source; `incoming` is what waits for it on the targets, None where that is the same."""

    guest: Guest
    source: Host
    incoming: Guest | None = None

    @property
    def arriving(self) -> Guest:
        """The configuration on the targets."""
        return self.incoming or self.guest
