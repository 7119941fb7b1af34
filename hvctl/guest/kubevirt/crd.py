"""Which fields a cluster's KubeVirt has: asked of its CRDs, as `kubectl get crd ... -o json` prints them."""

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from hvctl.catalog import ROWS
from hvctl.catalog.kubevirt import FIELDS, RELEASE, field_of, preferred
from hvctl.errors import InputError, Problem, Span
from hvctl.model.plan import Layer, Platform
from hvctl.text.problems import quoted

MACHINES, PREFERENCES = "VirtualMachine", ("VirtualMachinePreference", "VirtualMachineClusterPreference")
_DOMAIN = ("spec", "template", "spec", "domain")
_DEEPEST = 40
# After a field of which the schema says nothing.
_ANYTHING = ".*"
_HINT = "write it with `kubectl get crd virtualmachines.kubevirt.io -o json`"


class Api(NamedTuple):
    """The fields of a KubeVirt, and where that is known from; `preferences` are those of preferences, None where only
    the VirtualMachine's are known, which they are taken from then."""

    source: str
    machines: Collection[str]
    preferences: Collection[str] | None = None

    def has(self, field: str, *, preference: bool = False) -> bool:
        """Whether there is a field, or fields below it."""
        known = self.machines
        if preference:
            other = preferred(field)
            if other is None:
                return False
            if self.preferences is not None:
                field, known = other, self.preferences
        return any(
            one == field
            or one.startswith((f"{field}.", f"{field}["))
            or (one.endswith(_ANYTHING) and field.startswith(one.removesuffix("*")))
            for one in known
        )


NEWEST = Api(f"KubeVirt {RELEASE}", FIELDS)
"""What is taken where no CRD is given."""


def platform(api: Api, *, preference: bool) -> Platform:
    """KubeVirt as a layer: what it has no field for."""
    lacking = {}
    for row in ROWS:
        if not row.kubevirt:
            lacking[row.id] = ("KubeVirt has no field for it", "")
        elif not api.has(field_of(row), preference=preference):
            field = preferred(field_of(row)) if preference else row.kubevirt
            lacking[row.id] = (
                (f"{api.source} has no {field}", "upgrade to a KubeVirt whose CRD has it")
                if field
                else ("preferences have no field for it", "write it into the VirtualMachine")
            )
    return Platform(Layer.KUBEVIRT, lacking)


def read_crds(text: str, path: str) -> Api:
    """The fields that a CRD has, or a list of CRDs.

    Raises:
        InputError: it is not JSON, or has no CRD of KubeVirt's VirtualMachine.
    """
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        line = text.split("\n")[error.lineno - 1][:200]
        span = Span(path, error.lineno, error.colno, error.lineno, error.colno + 1, line)
        raise InputError([Problem(f"this is not JSON: {error.msg.lower()}", span, _HINT)]) from error
    except (ValueError, RecursionError) as error:
        raise InputError([Problem(f"{path} is not JSON that can be read", None, _HINT)]) from error
    found: dict[str, frozenset[str]] = {}
    for crd in _items(document):
        kind = _at(crd, "spec", "names", "kind")
        schema = _schema(crd)
        if schema is None:
            continue
        if kind == MACHINES:
            found[MACHINES] = frozenset(_leaves(_below(schema, _DOMAIN)))
        elif kind in PREFERENCES:
            found[PREFERENCES[0]] = frozenset(_leaves(_below(schema, ("spec",))))
    if not found.get(MACHINES):
        kind = document.get("kind") if isinstance(document, dict) else None
        said = f", but {quoted(kind)}" if isinstance(kind, str) else ""
        raise InputError([Problem(f"{path} is not the CRD of KubeVirt's VirtualMachine{said}", None, _HINT)])
    return Api("the CRD", found[MACHINES], found.get(PREFERENCES[0]))


def _items(document: Any) -> Iterator[Any]:
    if isinstance(document, list):
        yield from document
    elif isinstance(document, dict) and isinstance(document.get("items"), list):
        yield from document["items"]
    else:
        yield document


def _at(node: Any, *path: str) -> Any:
    for name in path:
        node = node.get(name) if isinstance(node, Mapping) else None
    return node


def _schema(crd: Any) -> Any:
    """The schema of the version that is stored, else of the first that has one."""
    versions = _at(crd, "spec", "versions")
    known = [one for one in versions if _at(one, "schema")] if isinstance(versions, list) else []
    known.sort(key=lambda one: one.get("storage") is not True)
    return _at(known[0], "schema", "openAPIV3Schema") if known else None


def _below(schema: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        schema = _at(schema, "properties", name)
    return schema


def _leaves(schema: Any, prefix: str = "", depth: int = 0) -> Iterator[str]:
    """The paths of all fields that have none below them."""
    if depth > _DEEPEST:
        return
    if isinstance(items := _at(schema, "items"), Mapping):
        yield from _leaves(items, f"{prefix}[]", depth + 1)
    elif isinstance(properties := _at(schema, "properties"), Mapping) and properties:
        for name, one in properties.items():
            yield from _leaves(one, f"{prefix}.{name}" if prefix else str(name), depth + 1)
    elif prefix:
        yield prefix + _ANYTHING if _at(schema, "x-kubernetes-preserve-unknown-fields") is True else prefix
