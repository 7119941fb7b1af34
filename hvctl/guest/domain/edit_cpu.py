"""The CPU of a plan put into a domain XML: only what the plan has otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hvctl.catalog.cpu_features import libvirt_name, qemu_name
from hvctl.catalog.cpu_models import PLAIN
from hvctl.guest.domain.order import child_of, last_before, only
from hvctl.guest.domain.strict_cpu import read_cpu, read_hidden
from hvctl.guest.domain.strict_reading import Reading
from hvctl.model.guest import HOST_MODELS
from hvctl.model.profile import Migration
from hvctl.xml.edit import Node

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hvctl.model.plan import Plan
    from hvctl.xml.edit import Editor
    from hvctl.xml.source import Element

_MODES = {"host": "host-passthrough", "max": "maximum"}


def edit_cpu(editor: Editor, domain: Element, plan: Plan, *, keep_model: bool = False) -> None:
    """Give the domain the plan's CPU model and features; what else its `<cpu>` says (topology, NUMA) stays.

    `keep_model`: the features alone.
    """
    element = only(domain, "cpu")
    if element is None and plan.cpu.model == PLAIN and not plan.cpu.features:
        return
    if element is None:
        node = new_cpu(plan, migratable=plan.migration is Migration.REQUIRED or None)
        editor.insert(domain, node, last_before(domain, "cpu"))
        return
    has = read_cpu(domain, None, Reading())
    if has.model != plan.cpu.model and not keep_model:
        _set_model(editor, element, plan)
    elif plan.cpu.model in HOST_MODELS and plan.migration is Migration.REQUIRED and not has.migratable:
        editor.set(element, "migratable", "on")
    if not plan.cpu.features:
        return
    features = {qemu_name(feature.get("name") or ""): feature for feature in element.named("feature")}
    known = dict(has.features)
    for name, on in plan.cpu.features:
        if known.get(name) is on:
            continue
        if name in features:
            editor.set(features[name], "name", libvirt_name(name))
            editor.set(features[name], "policy", _policy(on=on))
        else:
            behind = next((child for child in reversed(element.children) if child.tag not in ("numa",)), None)
            editor.insert(element, _feature(name, on=on), behind)


def edit_hidden(editor: Editor, domain: Element, plan: Plan) -> None:
    """Hide KVM from the guest, or show it, where the domain does not do so."""
    if read_hidden(domain, Reading()) == plan.cpu.hidden:
        return
    state = "on" if plan.cpu.hidden else "off"
    features = only(domain, "features")
    kvm = only(features, "kvm")
    hidden = kvm.named("hidden") if kvm else []
    for element in hidden:
        editor.set(element, "state", state)
    node = Node("hidden", (("state", state),))
    if kvm is not None and not hidden:
        editor.insert(kvm, node, None)
    elif kvm is None:
        child_of(editor, domain, features, "features", Node("kvm", (), (node,)))


def _set_model(editor: Editor, element: Element, plan: Plan) -> None:
    models = element.named("model")
    mode = _MODES.get(plan.cpu.model)
    if mode:
        editor.set(element, "mode", mode)
        editor.drop(element, "match")
        for model in models:
            editor.remove(model)
        if plan.migration is Migration.REQUIRED and element.get("migratable") not in (None, "on"):
            editor.set(element, "migratable", "on")
        return
    editor.set(element, "mode", "custom")
    editor.set(element, "match", "exact")
    editor.drop(element, "migratable")
    node = Node("model", (("fallback", "forbid"),), (), plan.cpu.model)
    if models:
        editor.replace(models[0], node)
    else:
        editor.insert(element, node, None)


def new_cpu(plan: Plan, *, migratable: bool | None) -> Node:
    """A `<cpu>` for a plan; `migratable` is None where libvirt's default will do."""
    features = feature_nodes(plan.cpu.features)
    mode = _MODES.get(plan.cpu.model)
    if mode is None:
        model = Node("model", (("fallback", "forbid"),), (), plan.cpu.model)
        return Node("cpu", (("mode", "custom"), ("match", "exact"), ("check", "none")), (model, *features))
    said = () if migratable is None else (("migratable", "on" if migratable else "off"),)
    return Node("cpu", (("mode", mode), ("check", "none"), *said), features)


def feature_nodes(features: Iterable[tuple[str, bool]]) -> tuple[Node, ...]:
    """The `<feature>`s of a `<cpu>`."""
    return tuple(_feature(name, on=on) for name, on in features)


def _feature(name: str, *, on: bool) -> Node:
    return Node("feature", (("policy", _policy(on=on)), ("name", libvirt_name(name))))


def _policy(*, on: bool) -> str:
    return "require" if on else "disable"
