"""A plan put into an object that exists: what the plan decides is set by splices, every other byte stays."""

import re
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from hvctl.catalog import BY_ID
from hvctl.catalog.kubevirt import PANIC, field_of, preferred
from hvctl.catalog.placement import PanicDevice
from hvctl.errors import InputError, Problem
from hvctl.guest.kubevirt.changes import MachineChanges
from hvctl.guest.kubevirt.machine import FALSE, TRUE, Machine
from hvctl.guest.kubevirt.manifest import Options, domain_fields
from hvctl.guest.kubevirt.reader import read_machines
from hvctl.model.guest import HOST_MODELS, Edit
from hvctl.model.plan import UNNAMED, Plan
from hvctl.text.yaml_edit import Tree
from hvctl.text.yaml_tree import Items, Mapping, Scalar

# A text that is written as it is would be read as another thing.
_WORDS = (*TRUE, *FALSE, "null")


class Edited(NamedTuple):
    """A text after it was edited, what is no longer on in it by the reasons for that, and what it cannot say."""

    text: str
    removed: tuple[tuple[str, str], ...]
    lost: tuple[str, ...]


def find_machine(text: str, path: str) -> Machine:
    """The one VirtualMachine of a file, else its one preference.

    Raises:
        InputError: it is not YAML, has none or several, is wrong, or has parts that stand for several places.
    """
    found = read_machines(text, path)
    if len(found) != 1 or not found[0].homes:
        what = "more than one guest" if len(found) > 1 else "no VirtualMachine with a domain, and no preference"
        raise InputError([Problem(f"{path} has {what}", None, "give a file with one VirtualMachine or one preference")])
    machine = found[0].check()
    if not machine.editable:
        remedy = "write them out, or use `hvctl gen PROFILE --for kubevirt`, which writes a patch"
        raise InputError([Problem(f"{path} has aliases or parameters of a template, and is not edited", None, remedy)])
    return machine


def edit_machine(machine: Machine, plan: Plan, options: Options, *, keep_others: bool = False) -> Edited:
    """Put a usable plan into a machine's text."""
    changes = MachineChanges(machine)
    home = machine.homes[0]
    fields, lost = domain_fields(plan, options._replace(kind="preference" if home.is_preference else "patch"))
    for path, value in fields:
        if home.is_preference and preferred(path) is None:
            lost.append(f"{path}: preferences have no field for it")
        elif path.startswith("cpu.") and "vcpus" in machine.unknown:
            # KubeVirt refuses a VirtualMachine that says it beside its instance type.
            lost.append(f"{path}: the CPU is the instance type's")
        elif path == PANIC:
            _panic(machine, changes, value)
        elif path == "cpu.features":
            _features(machine, changes, value)
        elif _decides(machine, plan, options, path):
            changes.put(home, path, {} if value == {} else _written(value))
    if machine.offset is not None and options.timezone is None:
        lost = [one for one in lost if not one.startswith("clock ")]
    removed = tuple(_remove(machine, changes, plan, {path for path, _ in fields}, keep_others=keep_others))
    return Edited(_applied(machine.text, changes.edits()), removed, tuple(lost))


def _decides(machine: Machine, plan: Plan, options: Options, path: str) -> bool:
    """Whether a field is set: not the clock's offset, the CPU's model and the machine type that the text has chosen."""
    match path:
        case "clock.utc":
            return machine.offset is None or (options.timezone is not None and machine.offset == "utc")
        case "cpu.model":
            return plan.cpu.model not in HOST_MODELS
        case "machine.type":
            return "." in options.machine
    return True


def _written(value: Any) -> str | None:
    """A scalar as YAML 1.1 reads it back."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, int):
        return None if value is None else str(value)
    text = str(value)
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_./-]*", text) and text.lower() not in _WORDS:
        return text
    return "'" + text.replace("'", "''") + "'"


def _panic(machine: Machine, changes: MachineChanges, value: list[Tree]) -> None:
    rows = [BY_ID[row_id] for row_id in machine.on]
    if any(isinstance(row.libvirt, PanicDevice) for row in rows):
        return
    home = machine.homes[0]
    changes.put(home, PANIC, value[0]["model"] if home.is_preference else value)


def _features(machine: Machine, changes: MachineChanges, value: list[Tree]) -> None:
    """Features of the CPU by their names: another policy, or items that are added."""
    home = machine.homes[0]
    field = home.find("cpu.features")
    written: dict[str, Mapping] = {}
    items = field.entry.value if field else None
    for item in items.items if isinstance(items, Items) else ():
        name = item.find("name") if isinstance(item, Mapping) else None
        if isinstance(item, Mapping) and name and isinstance(name.value, Scalar):
            written[name.value.text] = item
    for one in value:
        if one["name"] in written:
            changes.item(written[one["name"]], {"policy": one["policy"]})
    if added := [one for one in value if one["name"] not in written]:
        changes.put(home, "cpu.features", added)


def _remove(
    machine: Machine, changes: MachineChanges, plan: Plan, written: Collection[str], *, keep_others: bool
) -> Iterator[tuple[str, str]]:
    """Drop what is on and the plan does not have, unless it is written as off; its id and the reason."""
    decisions = {decision.id: decision for decision in plan.decisions}
    on = {decision.id for decision in plan.enabled()}
    gone = [
        setting
        for setting in machine.in_order()
        if setting.on and setting.id not in on and setting.id not in machine.implied
        if not (keep_others and decisions[setting.id].reason == UNNAMED)
    ]
    fields = {field_of(setting.row) for setting in gone}
    for setting in gone:
        field = field_of(setting.row)
        if field.rpartition(".")[0] not in fields and not {f"{field}.enabled", f"{field}.present"} & set(written):
            changes.drop(setting)
        yield setting.id, decisions[setting.id].reason


def _applied(text: str, edits: tuple[Edit, ...]) -> str:
    data, at, parts = text.encode("utf-8", "surrogateescape"), 0, []
    for edit in edits:
        parts += [data[at : edit.start], edit.text.encode()]
        at = edit.end
    return b"".join([*parts, data[at:]]).decode("utf-8", "surrogateescape")
