"""The caller's QEMU arguments beside the generated ones: merged, or refused where they would undo the plan.

What hvctl has no opinion of is passed through untouched and in order.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from hvctl.catalog import BY_ID, find, machines
from hvctl.errors import InputError, Problem
from hvctl.guest.command.cpu import ON
from hvctl.guest.command.options import Option, Parameter, global_property, parameters, scan
from hvctl.model.host import Qemu
from hvctl.model.plan import Plan

# A CPU's driver name is MODEL-x86_64-cpu or MODEL-i386-cpu (qemu:target/i386/cpu-qom.h, X86_CPU_TYPE_SUFFIX).
CPU_DRIVER = "-cpu"
HV_PREFIXES = ("hv-", "hv_", "x-hv-", "x-hv_")
# `-rtc driftfix=` is sugar for this property (qemu:softmmu/rtc.c, configure_rtc).
DRIFTFIX = "mc146818rtc.lost_tick_policy"


class Target(NamedTuple):
    """What the caller's arguments must not contradict.

    `machine` is the plan's type and `aliases` its other names; `hpet` whether the guest gets one; `irqchip` the ids of
    the enabled rows that need the in-kernel APIC; `supervised` whether hvctl stays to watch QEMU.
    """

    machine: str
    aliases: tuple[str, ...] = ()
    hpet: bool = False
    irqchip: tuple[str, ...] = ()
    supervised: bool = True


def target(plan: Plan, qemu: Qemu, *, supervised: bool) -> Target:
    """What a plan asks of the caller's arguments, with the names that this QEMU has for its machine type."""
    machine = plan.machine.type
    families = [family for family, prefix in machines.FAMILIES.items() if machine.startswith(prefix)]
    known = [known.alias for known in qemu.machines if known.name == machine and known.alias]
    irqchip = tuple(decision.id for decision in plan.enabled() if BY_ID[decision.id].irqchip)
    return Target(machine, tuple(dict.fromkeys((*families, *known))), plan.clock.hpet, irqchip, supervised)


def merge(generated: Sequence[str], caller: Sequence[str], to: Target) -> tuple[str, ...]:
    """One command line, without the program.

    Args:
        generated: the words of `render.qemu.arguments`.
        caller: the words after `--`.
        to: what the caller must leave alone.

    Returns:
        The generated options with the caller's -machine, -accel and -rtc parameters added, then the caller's others.

    Raises:
        InputError: with one problem for each argument that cannot stay.
    """
    merging = _Merging(generated, to)
    for option in scan(caller):
        merging.take(option)
    if merging.problems:
        raise InputError(merging.problems)
    return merging.words()


class _Merging:
    def __init__(self, generated: Sequence[str], to: Target) -> None:
        self.to = to
        self.options = scan(generated)
        self.extra: dict[str, list[Parameter]] = {"machine": [], "accel": [], "rtc": []}
        self.rest: list[str] = []
        self.problems: list[Problem] = []
        self.handlers: dict[str, Callable[[Option], None]] = {
            "machine": self.machine,
            "M": self.machine,
            "accel": self.accel,
            "enable-kvm": self.enable_kvm,
            "rtc": self.rtc,
            "global": self.global_property,
            "runas": self.credentials,
            "run-with": self.credentials,
        }

    def take(self, option: Option) -> None:
        refused = REFUSED.get(option.name)
        if refused and not (refused.supervised_only and not self.to.supervised):
            self.problem(f"-{option.name} {refused.why}", refused.hint)
        elif option.name in self.handlers and (option.value is not None or option.name == "enable-kvm"):
            self.handlers[option.name](option)
        else:
            self.rest += option.words

    def problem(self, message: str, hint: str) -> None:
        self.problems.append(Problem(message, None, hint))

    def words(self) -> tuple[str, ...]:
        """The accelerator first, the generated options in their order, then the caller's."""
        found: list[str] = []
        for option in (*scan(("-accel", "kvm")), *self.options):
            extra = [parameter.text() for parameter in self.extra.get(option.name, ())]
            found += [option.words[0], ",".join([*option.words[1:], *extra])]
        return (*found, *self.rest)

    def machine(self, option: Option) -> None:
        for parameter in parameters(option.value or "", "type"):
            match parameter.name:
                case "type":
                    self.machine_type(parameter.value)
                case "accel":
                    self.accelerator(parameter.value)
                case "hpet":
                    self.hpet(parameter.value)
                case _:
                    self.irqchip(parameter)
                    self.extra["machine"].append(parameter)

    def machine_type(self, name: str) -> None:
        if name not in (self.to.machine, *self.to.aliases):
            self.problem(
                f"the machine type {name} is not the plan's, {self.to.machine}",
                "write only the options, as in -machine smm=on, or choose the type with `machine:` in the profile",
            )

    def accelerator(self, name: str) -> None:
        if name != "kvm":
            self.problem(
                f"the accelerator {name} is not KVM",
                "leave it out: hvctl starts KVM alone, since other accelerators accept hv_* and ignore most of it",
            )

    def hpet(self, value: str) -> None:
        if (value in ON) != self.to.hpet:
            self.problem(
                f"hpet={value} is against the plan, which says {'on' if self.to.hpet else 'off'}",
                "leave it out, or change `clock.timers.hpet` in the profile",
            )

    def irqchip(self, parameter: Parameter) -> None:
        if parameter.name == "kernel-irqchip" and parameter.value == "off" and self.to.irqchip:
            self.problem(
                f"kernel-irqchip=off cannot go with {', '.join(self.to.irqchip)}, which need KVM's own APIC",
                "write kernel-irqchip=split or on, or turn these off in the profile",
            )

    def accel(self, option: Option) -> None:
        for parameter in parameters(option.value or "", "accel"):
            if parameter.key == "accel":
                self.accelerator(parameter.value)
            else:
                self.irqchip(parameter)
                self.extra["accel"].append(parameter)

    def enable_kvm(self, _option: Option) -> None:
        """Dropped: beside -accel kvm QEMU 7.2 says 'The -accel and "-machine accel=" options are incompatible'."""

    def rtc(self, option: Option) -> None:
        for parameter in parameters(option.value or ""):
            if parameter.key in ("base", "driftfix"):
                self.problem(
                    f"-rtc {parameter.text()} is the plan's to decide",
                    "leave it out, or change `clock` in the profile; other keys, as clock=, may stay",
                )
            else:
                self.extra["rtc"].append(parameter)

    def global_property(self, option: Option) -> None:
        driver, name, _ = global_property(option.value or "") or ("", "", "")
        # The class above all of them is `cpu` itself.
        if f"-{driver}".endswith(CPU_DRIVER) and name.startswith(HV_PREFIXES):
            row = find(name)
            self.problem(
                f"-global {option.value} changes an enlightenment of the plan",
                f"write `{row.id if row else name}` under `enlightenments` in the profile",
            )
        elif f"{driver}.{name}" in self.settled():
            self.problem(
                f"-global {option.value} is the plan's to decide", "leave it out, or change `clock` in the profile"
            )
        else:
            self.rest += option.words

    def settled(self) -> set[str]:
        """The properties that generated options set, as `driver.property`."""
        written = [global_property(option.value or "") for option in self.options if option.name == "global"]
        return {*(f"{driver}.{name}" for driver, name, _ in filter(None, written)), DRIFTFIX}

    def credentials(self, option: Option) -> None:
        """prctl(2): a change of the effective user clears the signal that ends QEMU with hvctl."""
        changes = option.name == "runas" or any(part.key == "user" for part in parameters(option.value or ""))
        if changes and self.to.supervised:
            self.problem(
                f"-{option.name} {option.value} would let QEMU outlive hvctl: the kernel forgets who its parent is",
                "start hvctl itself as that user, or use --exec",
            )
        else:
            self.rest += option.words


class _Refusal(NamedTuple):
    why: str
    hint: str
    supervised_only: bool = False


REFUSED = {
    "cpu": _Refusal("is what hvctl writes", "leave it out; model and features are `cpu` in the profile"),
    "no-hpet": _Refusal("is a part of the plan", "leave it out; `clock.timers.hpet` in the profile decides it"),
    "readconfig": _Refusal(
        "cannot be checked against the plan", "write what the file says as arguments: they are merged and checked"
    ),
    "daemonize": _Refusal(
        "leaves nothing to supervise", "leave it out, or use --exec to hand over to QEMU altogether", True
    ),
}
