"""Labels of a node: what its KVM is known to give, never where KubeVirt's own are, in the forms that NFD reads."""

from __future__ import annotations

import re

import jsonschema
import pytest
import yaml

from hvctl import api
from hvctl.catalog import BY_ID, ROWS
from hvctl.catalog.kubevirt import NODE_LABEL, label_of
from hvctl.catalog.nova import trait_of
from hvctl.errors import HostError
from hvctl.guest.kubevirt.crd import NEWEST, platform
from hvctl.guest.kubevirt.manifest import Options, manifest
from hvctl.host.host_file import dump_host, load_host, read_host
from hvctl.host.libvirt_capabilities import with_launcher
from hvctl.plan.support import support
from hvctl.report.labels import labels, nfd_text, node_feature, nova_provider, traits
from tests.kubevirt_crds import NEW, schemas, strict
from tests.paths import HOSTS, ROOT

NODES = {path.stem: read_host(str(path)) for path in sorted(HOSTS.glob("*.json"))}
DOMAIN_CAPABILITIES = (ROOT / "tests" / "host" / "libvirt" / "domcapabilities-11.3.xml").read_text()


def read_features(text: str) -> tuple[dict[str, str], dict[str, str]]:
    """As NFD's source `local` does: the labels, and the features that are none."""
    found: tuple[dict[str, str], dict[str, str]] = ({}, {})
    raw = False
    for line in text.splitlines():
        if line == "# +no-label":
            raw = True
        elif line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found[raw][name] = value
            raw = False
    return found


@pytest.mark.parametrize("name", NODES)
def test_the_object_is_one_of_node_feature_discovery(name: str) -> None:
    validator = jsonschema.Draft202012Validator(strict(schemas(NEW)["NodeFeature"]))
    tree = yaml.safe_load(node_feature(NODES[name], "node-1", launcher=False))
    assert [error.message for error in validator.iter_errors(tree)] == []
    tree["spec"]["label"] = {}
    assert "'label' was unexpected" in next(validator.iter_errors(tree)).message


@pytest.mark.parametrize("name", NODES)
def test_the_forms_say_the_same(name: str) -> None:
    host = NODES[name]
    text = nfd_text(host, launcher=False)
    written, raw = read_features(text)
    tree = yaml.safe_load(node_feature(host, "node-1", launcher=False))
    assert tree["spec"]["labels"] == written == dict.fromkeys(labels(host, launcher=False), "true")
    assert tree["metadata"]["labels"] == {"nfd.node.kubernetes.io/node-name": "node-1"}
    assert {
        f"hvctl.{key}": value for key, value in tree["spec"]["features"]["attributes"]["hvctl.host"]["elements"].items()
    } == raw
    assert NODE_LABEL not in text
    assert len(text.encode()) < 64 << 10
    assert bool(written) is bool(host.kvm.hyperv)


def test_every_label_is_one() -> None:
    for row in ROWS:
        prefix, _, name = label_of(row.id).partition("/")
        assert prefix == "feature.node.kubernetes.io"
        assert re.fullmatch("[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?", name)


@pytest.mark.parametrize("name", [name for name, host in NODES.items() if host.kvm.hyperv])
def test_a_node_has_the_labels_that_a_plan_for_it_selects(name: str) -> None:
    host = NODES[name]
    plan = api.resolve(api.load_profile("windows-11"), [host], platform=platform(NEWEST, preference=False))
    if plan.refusals:
        return
    tree = manifest(plan, Options(select="nfd")).tree
    assert set(tree["spec"]["template"]["spec"]["nodeSelector"]) <= set(labels(host, launcher=False))


def test_virt_launcher_s_qemu_takes_labels_away() -> None:
    node = with_launcher(NODES["debian-13"], DOMAIN_CAPABILITIES, "x")
    without = DOMAIN_CAPABILITIES.replace("<value>ipi</value>", "")
    poorer = with_launcher(NODES["debian-13"], without, "x")
    assert set(labels(node, launcher=True)) - set(labels(poorer, launcher=True)) == {label_of("ipi")}
    assert label_of("time") in labels(node, launcher=True), "which no domain capabilities list"


@pytest.mark.parametrize(
    ("version", "lacks", "unknown"),
    [
        ("11.3", "", {"stimer-direct", "tlbflush-direct", "tlbflush-ext"}),
        ("11.3", "stimer", {"time", "stimer", "stimer-direct", "tlbflush-direct", "tlbflush-ext"}),
        ("made-like-12.8", "", set()),
    ],
)
def test_what_the_launcher_does_not_tell_is_unknown(version: str, lacks: str, unknown: set[str]) -> None:
    """However new what it lists is; but what a listed one requires is there."""
    text = (ROOT / "tests" / "host" / "libvirt" / f"domcapabilities-{version}.xml").read_text()
    node = with_launcher(NODES["debian-13"], text.replace(f"<value>{lacks}</value>", ""), "x")
    wanted = [BY_ID[name] for name in ("time", "stimer", "stimer-direct", "tlbflush-direct", "tlbflush-ext")]
    states = {row.id: [str(one.state) for one in support(node, row, node.qemu[0])[2:]] for row in wanted}
    assert {row_id for row_id, known in states.items() if "unknown" in known} == unknown
    assert {row_id for row_id, known in states.items() if known == ["yes", "yes"]} == set(states) - unknown


def test_the_launcher_s_layer_counts_in_a_plan_and_can_be_recorded() -> None:
    node = with_launcher(NODES["debian-13"], DOMAIN_CAPABILITIES.replace("<value>ipi</value>", ""), "x")
    assert load_host(dump_host(node), "x") == node
    plan = api.resolve(api.load_profile("windows-11"), [node], platform=platform(NEWEST, preference=False))
    assert plan.refusals == ()
    left = {one.id: one for one in plan.decisions}["ipi"]
    assert (str(left.state), str(left.layer)) == ("off", "qemu")


@pytest.mark.parametrize("text", ["", "<a/>", DOMAIN_CAPABILITIES.replace("<domain>kvm", "<domain>qemu")])
def test_what_are_no_domain_capabilities(text: str) -> None:
    with pytest.raises(HostError):
        with_launcher(NODES["debian-13"], text, "x")


@pytest.mark.parametrize("name", NODES)
def test_a_provider_file_has_custom_traits_only(name: str) -> None:
    host = NODES[name]
    for who, said in ((None, {"uuid": "$COMPUTE_NODE"}), ("node: 1", {"name": "node: 1"})):
        tree = yaml.safe_load(nova_provider(host, who))
        assert tree == {
            "meta": {"schema_version": "1.0"},
            "providers": [{"identification": said, "traits": {"additional": list(traits(host))}}],
        }
    assert all(re.fullmatch("CUSTOM_HVCTL_[A-Z0-9_]{1,200}", one) for one in traits(host))
    assert bool(traits(host)) is bool(host.kvm.hyperv)


def test_a_trait_is_of_what_all_layers_are_known_to_give() -> None:
    node = with_launcher(NODES["debian-13"], DOMAIN_CAPABILITIES.replace("<value>ipi</value>", ""), "x")
    gone = set(traits(NODES["debian-13"])) - set(traits(node))
    assert trait_of("ipi") in gone
    assert trait_of("vpindex") not in gone
