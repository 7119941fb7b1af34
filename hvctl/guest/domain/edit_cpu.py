"""The CPU of a plan put into a domain XML: only what the plan has otherwise."""

from hvctl.catalog.cpu_models import PLAIN, libvirt_name, qemu_name
from hvctl.guest.domain.changes import child_of, last_before, only
from hvctl.guest.domain.cpu import read_cpu
from hvctl.guest.domain.domain import Domain
from hvctl.guest.domain.writer import MODES, feature_node, new_cpu, policy
from hvctl.guest.plan import guest_of
from hvctl.model.guest import HOST_MODELS
from hvctl.model.plan import Plan
from hvctl.model.profile import Migration
from hvctl.xml import Node
from hvctl.xml.document import Element
from hvctl.xml.edit import Editor


def edit_cpu(editor: Editor, domain: Element, plan: Plan, *, keep_model: bool = False) -> None:
    """Give the domain the plan's CPU model and features; what else its `<cpu>` says (topology, NUMA) stays.

    `keep_model`: the features alone.
    """
    element = only(domain, "cpu")
    if element is None and plan.cpu.model == PLAIN and not plan.cpu.features:
        return
    if element is None:
        node = new_cpu(guest_of(plan, libvirt=True))
        editor.insert(domain, node, last_before(domain, "cpu"))
        return
    has = Domain(domain)
    read_cpu(has, element)
    if has.cpu != plan.cpu.model and not keep_model:
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
            editor.set(features[name], "policy", policy(on=on))
        else:
            behind = next((child for child in reversed(element.children) if child.tag not in ("numa",)), None)
            editor.insert(element, feature_node(name, on=on), behind)


def edit_hidden(editor: Editor, domain: Element, plan: Plan) -> None:
    """Hide KVM from the guest, or show it, where the domain does not do so."""
    state = "on" if plan.cpu.hidden else "off"
    features = only(domain, "features")
    kvm = only(features, "kvm")
    hidden = kvm.named("hidden") if kvm else []
    if state == (hidden[-1].get("state") if hidden else "off"):
        return
    for element in hidden:
        editor.set(element, "state", state)
    node = Node("hidden", (("state", state),))
    if kvm is not None and not hidden:
        editor.insert(kvm, node, None)
    elif kvm is None:
        child_of(editor, domain, features, "features", Node("kvm", (), (node,)))


def _set_model(editor: Editor, element: Element, plan: Plan) -> None:
    models = element.named("model")
    if mode := MODES.get(plan.cpu.model):
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
