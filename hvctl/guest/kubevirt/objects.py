"""The objects in a file of Kubernetes' that describe guests, in lists and templates too."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hvctl.text.yaml_tree import Entry, Items, Mapping, Node, Scalar

_GROUPS = ("kubevirt.io", "instancetype.kubevirt.io", "pool.kubevirt.io")
_TEMPLATE = ("template", "spec")
# Where the spec of an instance is in each kind.
_INSTANCES: dict[str, tuple[str, ...]] = {
    "VirtualMachine": ("spec", *_TEMPLATE),
    "VirtualMachineInstance": ("spec",),
    "VirtualMachineInstanceReplicaSet": ("spec", *_TEMPLATE),
    "VirtualMachinePool": ("spec", "virtualMachineTemplate", "spec", *_TEMPLATE),
}
_PREFERENCES = ("VirtualMachinePreference", "VirtualMachineClusterPreference")
_DEFAULT_PREFERENCE = "VirtualMachineClusterPreference"
# Labels and annotations that name the guest's system: those of OpenShift's and Harvester's templates.
_OF_SYSTEM = ("vm.kubevirt.io/os", "vm.kubevirt.io/template", "harvesterhci.io/os")
_OF_SYSTEM_BY_KEY = "os.template.kubevirt.io/"
_DEEPEST = 5


class KubeObject(NamedTuple):
    """One object. `root` is its kind's entry, `spec` the spec of the instance, or of the preference; `home` what the
    guest's fields are below."""

    kind: str
    name: str
    root: Entry
    whole: Mapping
    spec: Mapping | None
    home: Mapping | None

    @property
    def is_preference(self) -> bool:
        """Whether it is a preference."""
        return self.kind in _PREFERENCES

    @property
    def wanted_preference(self) -> tuple[str, str] | None:
        """The kind and name of the preference that it has."""
        found = at(self._above, "preference")
        name = _text(found, "name")
        return (_text(found, "kind") or _DEFAULT_PREFERENCE, name) if name else None

    @property
    def reference(self) -> Entry | None:
        """Where it names its preference."""
        return self._above.find("preference") if self._above else None

    def reaches(self, machine: "KubeObject") -> bool:
        """Whether a preference counts in a machine's namespace, as far as both are written."""
        spaces = {_text(at(one.whole, "metadata"), "namespace") for one in (self, machine)} - {None}
        return self.kind == _DEFAULT_PREFERENCE or len(spaces) < 2

    @property
    def instancetype(self) -> bool:
        """Whether it has an instance type."""
        return at(self._above, "instancetype") is not None

    @property
    def _above(self) -> Mapping | None:
        """The spec of the VirtualMachine."""
        path = _INSTANCES.get(self.kind, ())
        return at(self.whole, *path[: -len(_TEMPLATE)]) if len(path) > len(_TEMPLATE) else None

    @property
    def system_names(self) -> list[str]:
        """What names the guest's system beside the object's name."""
        found: list[str] = []
        for holder in (self.whole, at(self._above, "template")):
            for group in ("labels", "annotations"):
                said = at(holder, "metadata", group)
                for entry in said.entries if said else ():
                    if entry.key.text in _OF_SYSTEM and isinstance(entry.value, Scalar):
                        found.append(entry.value.text)
                    elif entry.key.text.startswith(_OF_SYSTEM_BY_KEY):
                        found.append(entry.key.text.removeprefix(_OF_SYSTEM_BY_KEY))
        return found

    def text(self, key: str) -> str | None:
        """A text in the instance's spec."""
        return _text(self.spec, key)


def objects(documents: Sequence[Node]) -> Iterator[KubeObject]:
    """The objects of guests, in the order of the file."""
    for document in documents:
        yield from _objects(document, 0)


def _objects(node: Node, depth: int) -> Iterator[KubeObject]:
    if not isinstance(node, Mapping) or depth > _DEEPEST:
        return
    root = node.find("kind")
    kind, group = _text(node, "kind") or "", (_text(node, "apiVersion") or "").partition("/")[0]
    for name in ("items", "objects"):
        inside = node.find(name)
        if inside is not None and isinstance(inside.value, Items):
            for item in inside.value.items:
                yield from _objects(item, depth + 1)
    if root is None or group not in _GROUPS or kind not in (*_INSTANCES, *_PREFERENCES):
        return
    spec = at(node, *_INSTANCES.get(kind, ("spec",)))
    home = spec if kind in _PREFERENCES else at(spec, "domain")
    yield KubeObject(kind, _text(at(node, "metadata"), "name") or "", root, node, spec, home)


def at(mapping: Mapping | None, *path: str) -> Mapping | None:
    """The mapping at a path."""
    for name in path:
        entry = mapping.find(name) if mapping is not None else None
        mapping = entry.value if entry is not None and isinstance(entry.value, Mapping) else None
    return mapping


def _text(mapping: Mapping | None, key: str) -> str | None:
    entry = mapping.find(key) if mapping is not None else None
    return entry.value.text if entry is not None and isinstance(entry.value, Scalar) else None
