"""What `gen --for kubevirt` and `check-host --format nodefeature` write, given to Kubernetes' own server.

It has the CRDs of live clusters. A cluster also has KubeVirt's webhooks, which no package has.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import pytest
import yaml

from hvctl.guest.kubevirt.manifest import Kind
from hvctl.host.host_file import read_host
from hvctl.profile.source import shipped_names
from hvctl.report.labels import node_feature
from tests.cli.run import inside
from tests.kubevirt_crds import NEW, NODE_GROUPS, OLD, crds
from tests.paths import HOSTS
from tests.platforms.cluster import Cluster

POOLS = ("debian-12.json", "debian-13.json", "debian-12-intel.json")
APPLY = ("apply", "--server-side", "--dry-run=server", "--validate=strict", "--field-manager=hvctl")
MACHINE = {
    "apiVersion": "kubevirt.io/v1",
    "kind": "VirtualMachine",
    "spec": {
        "runStrategy": "Halted",
        "template": {
            "spec": {
                "domain": {
                    "cpu": {"cores": 4},
                    "memory": {"guest": "8Gi"},
                    "features": {"acpi": {}, "smm": {"enabled": True}},
                    "devices": {"disks": [{"name": "root", "disk": {"bus": "sata"}}]},
                },
                "volumes": [{"name": "root", "persistentVolumeClaim": {"claimName": "root"}}],
            }
        },
    },
}
"""A guest that somebody has, for patches."""

every_profile = pytest.mark.parametrize("profile", shipped_names())
every_kind = pytest.mark.parametrize("kind", get_args(Kind))


def written(profile: str, kind: str, *more: str) -> dict[str, str]:
    """The object for each pool, by its name; none where the plan is refused, and says so."""
    found = {}
    for host in POOLS:
        name = f"{profile}-{kind}-{host.removesuffix('.json')}"
        words = ("gen", profile, "--for", "kubevirt", "--kind", kind, "--name", name, "--host", str(HOSTS / host))
        done = inside(*words, *more, code=None)
        if done.returncode:
            assert (done.returncode, done.stdout) == (1, "")
            assert "refused" in done.stderr
        else:
            found[name] = done.stdout
    return found


def make_guests(cluster: Cluster, *names: str) -> None:
    """Store guests that are to be patched."""
    guests = [{**MACHINE, "metadata": {"name": name}} for name in names]
    cluster.asked("apply", "--server-side", "--validate=strict", "-f", "-", given=yaml.safe_dump_all(guests))


@pytest.fixture(params=[NEW, OLD], ids=["new", "old"])
def api(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Cluster, tuple[str, ...]]:
    """A server with an API, and hvctl's options for it."""
    cluster: Cluster = request.getfixturevalue("newest" if request.param == NEW else "older")
    path = tmp_path / "crd.json"
    path.write_text(crds(request.param))
    return cluster, ("--crd", str(path))


@every_kind
@every_profile
def test_every_object_is_taken(profile: str, kind: str, api: tuple[Cluster, tuple[str, ...]]) -> None:
    cluster, options = api
    objects = written(profile, kind, *options)
    if kind == "patch":
        make_guests(cluster, *objects)
    if not objects:
        assert (profile, "preference" in kind) == ("passthrough", True), "every other plan is possible"
        return
    result = json.loads(cluster.asked(*APPLY, "-o", "json", "-f", "-", given="---\n".join(objects.values())))
    taken = result["items"] if result["kind"] == "List" else [result]
    assert [one["metadata"]["name"] for one in taken] == list(objects)
    for one, text in zip(taken, objects.values(), strict=True):
        assert holds(one["spec"], yaml.safe_load(text)["spec"])
        if kind == "patch":
            assert holds(one["spec"], MACHINE["spec"]), "what the guest had it has still"


@every_profile
def test_every_patch_is_taken_as_one(profile: str, newest: Cluster) -> None:
    for name, text in written(profile, "patch").items():
        make_guests(newest, name)
        words = ("patch", "virtualmachine", name, "--type", "merge", "--patch-file", "/dev/stdin")
        found = json.loads(newest.asked(*words, "--dry-run=server", "-o", "json", given=text))["spec"]
        assert holds(found, yaml.safe_load(text)["spec"])
        assert holds(found, MACHINE["spec"])


def holds(whole: object, part: object) -> bool:
    """Whether all that is in a part of an object is in the whole; null is what is not there."""
    if isinstance(whole, dict) and isinstance(part, dict):
        return all(
            whole.get(key) is None if value is None else holds(whole.get(key), value) for key, value in part.items()
        )
    return whole == part


@pytest.mark.parametrize("kind", get_args(Kind))
def test_what_the_old_api_lacks_it_refuses(kind: str, older: Cluster, tmp_path: Path) -> None:
    path = tmp_path / "crd.json"
    path.write_text(crds(OLD))
    host = str(HOSTS / POOLS[1])
    words = ("gen", "windows-11", "--for", "kubevirt", "--kind", kind, "--name", f"old-{kind}", "--host", host)
    asked = inside(*words, "--crd", str(path))
    said = " ".join(asked.stderr.split())
    assert re.search(r"tlbflush-direct: left out: the CRD has no features\.\w+\.tlbflush\.direct \(kubevirt\)", said)
    if kind == "patch":
        make_guests(older, "old-patch")
    older.asked(*APPLY, "-f", "-", given=asked.stdout)
    refused = older.kubectl(*APPLY, "-f", "-", given=inside(*words).stdout)
    assert refused.returncode == 1
    assert re.search(r"\.tlbflush\.(direct|extended): field not declared in schema", refused.stderr)


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("relaxed:", "relaxd:", ".hyperv.relaxd: field not declared in schema"),
        ("spinlocks: 8191", "spinlocks: 4294967295", "must be of type integer with format int32"),
        ("spinlocks: 8191", "spinlocks: many", ".spinlocks.spinlocks: expected numeric (int or float), got string"),
        ("enabled: true", "enabled: 1", ".relaxed.enabled: expected boolean, got "),
    ],
)
def test_a_wrong_object_is_refused(right: str, wrong: str, said: str, newest: Cluster) -> None:
    text = written("windows-11", "vm")["windows-11-vm-debian-13"]
    assert right in text
    done = newest.kubectl(*APPLY, "-f", "-", given=text.replace(right, wrong, 1))
    assert done.returncode == 1
    assert said in done.stderr


@pytest.mark.parametrize("group", NODE_GROUPS)
@pytest.mark.parametrize("host", POOLS)
def test_the_object_of_a_node(host: str, group: str, newest: Cluster) -> None:
    text = node_feature(read_host(str(HOSTS / host)), "node-1", group, launcher=False)
    taken = json.loads(newest.asked(*APPLY, "-o", "json", "-f", "-", given=text))
    assert taken["spec"] == yaml.safe_load(text)["spec"]
    done = newest.kubectl(*APPLY, "-f", "-", given=text.replace("labels:\n    feature", "label:\n    feature"))
    assert "spec.label: field not declared in schema" in done.stderr
