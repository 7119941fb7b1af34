"""The enlightenments of a guest: those that its objects turn on, and those that KubeVirt adds for them."""

from collections.abc import Iterator, Sequence

from hvctl.catalog import BY_ID, ROWS
from hvctl.catalog.kubevirt import FORCED, HYPERV, LEAST_NUMBER, PANIC, TURNED_ON, field_of, value_key
from hvctl.catalog.placement import PanicDevice
from hvctl.catalog.types import Kind, Row
from hvctl.guest.kubevirt.machine import Field, Home, Machine
from hvctl.guest.kubevirt.values import is_on, is_parameter, read_boolean, read_number, read_text
from hvctl.model.guest import Mistake, Setting, Switch
from hvctl.text.problems import did_you_mean
from hvctl.text.yaml_tree import Items, Mapping, Scalar


def read_features(machine: Machine) -> None:
    """The fields of `features`: enlightenments, what passes all of them through, and whether KVM is hidden."""
    hidden = machine.find("features.kvm.hidden")
    if hidden is not None:
        machine.hidden, machine.places["hidden"] = bool(read_boolean(machine, hidden)), hidden
    passthrough = machine.homes[0].find("features.hypervPassthrough") if machine.homes else None
    takes_all = passthrough is not None and is_on(machine, passthrough) is True
    for row in ROWS:
        field = field_of(row)
        if row.takes_all and passthrough is not None and field:
            machine.settings[row.id] = Setting(row, takes_all, None, passthrough)
        elif field.startswith(f"{HYPERV}.") and field.count(".") == HYPERV.count(".") + 1:
            found = counting(machine, field, machine.homes[:1] if takes_all else machine.homes)
            for home in machine.homes:
                if (written := home.find(field)) is not None:
                    _setting(machine, row, written, counts=found is not None and written.entry is found.entry)
    for home in machine.homes:
        _unknown(machine, home, HYPERV)


def counting(machine: Machine, field: str, homes: Sequence[Home]) -> Field | None:
    """The field that counts of those that are written: the VirtualMachine's, whatever is in it."""
    found = [written for home in homes if (written := home.find(field))]
    if len(found) > 1:
        machine.shadowed.append((found[0], found[1]))
    return found[0] if found else None


def _setting(machine: Machine, row: Row, field: Field, *, counts: bool) -> None:
    """Read a row's field; of one that does not count only what is wrong in it, which the CRD refuses all the same."""
    if field.mapping is None:
        if not is_parameter(machine, field):
            machine.wrong(f"{field.path} is a mapping", field, f"write `{field.tag}: {{enabled: true}}`")
        return
    on = is_on(machine, field)
    if on is None:
        return
    value: int | str | None = None
    written = None
    if row.kind in (Kind.NUMBER, Kind.STRING):
        key = value_key(field_of(row))
        written = field.child(key)
        value = read_number(machine, written) if row.kind is Kind.NUMBER else read_text(machine, written)
        if row.kind is Kind.NUMBER and written is None:
            value = LEAST_NUMBER
    text = written.entry.value.text if written and isinstance(written.entry.value, Scalar) else None
    attribute = value_key(field_of(row)) if written else ""
    if counts:
        machine.settings[row.id] = Setting(row, on, value, field, text, attribute=attribute)
    for inner in ROWS:
        if inner.kubevirt.rpartition(".")[0] == row.kubevirt:
            child = field.child(value_key(inner.kubevirt))
            if child is not None:
                _setting(machine, inner, child, counts=counts and on)


def _unknown(machine: Machine, home: Home, branch: str) -> None:
    around = home.find(branch)
    known = {field_of(row) for row in ROWS}
    for field in around.children() if around else ():
        if f"{branch}.{field.tag}" in known:
            continue
        guess = did_you_mean(field.tag, [one.rpartition(".")[2] for one in known if one.startswith(f"{branch}.")])
        machine.mistakes.append(
            Mistake("unknown", f"KubeVirt has no field {field.path}", field, guess or "leave it out", name=field.tag)
        )


def read_panic(machine: Machine) -> None:
    """The panic devices that are enlightenments."""
    field = machine.find(PANIC)
    for model in _models(field):
        for row in ROWS:
            if isinstance(row.libvirt, PanicDevice) and row.libvirt.model == model:
                machine.settings[row.id] = Setting(row, True, None, field)


def _models(field: Field | None) -> Iterator[str]:
    value = field.entry.value if field else None
    if isinstance(value, Scalar):
        yield value.text
    for item in value.items if isinstance(value, Items) else ():
        entry = item.find("model") if isinstance(item, Mapping) else None
        if entry and isinstance(entry.value, Scalar):
            yield entry.value.text


def add_implied(machine: Machine) -> None:
    """What KubeVirt turns on, and requires of the CPU, for what is on."""
    for row_id, needed in TURNED_ON:
        setting = machine.settings.get(row_id)
        if setting is not None and setting.on and needed not in machine.settings:
            machine.settings[needed] = Setting(BY_ID[needed], True, None, setting.where)
            machine.implied[needed] = row_id
    for row_id, feature in FORCED.items():
        setting = machine.settings.get(row_id)
        if setting is not None and setting.on:
            written = machine.switches.get(feature)
            if written is None or not written.on:
                machine.forced.append((feature, setting, written and written.where))
                machine.switches[feature] = Switch(feature, True, setting.where)
