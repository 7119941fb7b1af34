"""What a guest is configured with, as a domain XML, a QEMU command line, a running QEMU or a plan says it.

Beside a Profile, which wishes, and a Plan, which is resolved: a Guest states what is written down, right or wrong.
"""

from typing import NamedTuple

from hvctl.model.profile import Value
from hvctl.model.span import Span

HOST_MODELS = ("host", "max")


class Setting(NamedTuple):
    """One enlightenment that is written down. `value` is as in a Decision: None for a plain on."""

    id: str
    on: bool
    value: Value | None = None
    span: Span | None = None


class Guest(NamedTuple):
    """A configured guest.

    `label` is how messages call it. `machine` is a type, or an alias such as `q35`; None is QEMU's default. `cpu` is
    the model by QEMU's name (`host`, `max`, `EPYC`), None where it is not known; `migratable` is that property of the
    models `host` and `max`, which is on by default. `enforce` is whether QEMU refuses to start without a CPU feature
    that is asked for. `tsc_frequency` is in Hz. `settings` are in the catalog's order, each id at most once.
    `accelerator` is None where it is not said. `libvirt` is whether libvirt writes the command line. `doubts` are
    sentences about what is there and could not be read: they make a yes uncertain. `blockers` are what a running QEMU
    itself says against a migration. `properties` are the CPU's others that are written, neither switches nor
    enlightenments, as text. `seen` is None for a guest that was read from what is written. A running QEMU does not tell
    that, but what its CPU has become: `seen` is then all else that its CPU has, by QEMU's names and as text, `features`
    and `properties` are empty, and with KVM `tsc_frequency` is not known.
    """

    label: str
    machine: str | None = None
    cpu: str | None = None
    migratable: bool = True
    enforce: bool = False
    hidden: bool = False
    features: tuple[tuple[str, bool], ...] = ()
    tsc_frequency: int | None = None
    settings: tuple[Setting, ...] = ()
    accelerator: str | None = "kvm"
    libvirt: bool = False
    doubts: tuple[str, ...] = ()
    blockers: tuple[str, ...] = ()
    properties: tuple[tuple[str, str], ...] = ()
    seen: tuple[tuple[str, str], ...] | None = None

    def enabled(self) -> dict[str, Value | None]:
        """The ids that are on, with their values."""
        return {setting.id: setting.value for setting in self.settings if setting.on}
