"""The catalog against the installed QEMU and the installed libvirt: neither knows anything that it lacks."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from lxml import etree

from hvctl.catalog import ROWS
from hvctl.catalog.cpu_models import called_otherwise, libvirt_name, qemu_name, unknown_to_libvirt

SCHEMA = "/usr/share/libvirt/schemas/domaincommon.rng"
FEATURES = "/usr/share/libvirt/cpu_map/x86_features.xml"
# Of the CPU's other switches those that a domain has elsewhere.
OTHERS = {"check", "enforce", "kvm", "migratable"}
# libvirt 11.3 knows none of these, and 12.8 all.
LATE = {"bhi-no", "xstore", "xstore-en", "xcrypt", "xcrypt-en", "ace2", "ace2-en", "phe", "phe-en", "pmm", "pmm-en"}
RNG = "{http://relaxng.org/ns/structure/1.0}"


def qmp(*commands: dict[str, Any]) -> list[Any]:
    """Ask the installed QEMU, by its standard input and output."""
    words = [
        "qemu-system-x86_64",
        "-machine",
        "none",
        "-accel",
        "tcg",
        "-nodefaults",
        "-display",
        "none",
        "-qmp",
        "stdio",
    ]
    lines = [{"execute": "qmp_capabilities"}, *commands, {"execute": "quit"}]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    done = subprocess.run(words, input=text, capture_output=True, text=True, timeout=60, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    return [answer["return"] for answer in answers if "return" in answer][1:]


def test_qemu_has_no_hyperv_property_that_the_catalog_lacks_or_types_otherwise() -> None:
    (listed, _) = qmp({"execute": "device-list-properties", "arguments": {"typename": "max-x86_64-cpu"}})
    found = {entry["name"]: entry for entry in listed if entry["name"].startswith(("hv-", "x-hv-"))}
    assert len(found) > 25
    known = {one.name: one for row in ROWS for one in row.properties}
    aliases = {name: row.properties[0] for row in ROWS for name in row.property_aliases}
    for name, entry in found.items():
        column = known.get(name) or aliases[name]
        assert column.type == {"str": "string"}.get(entry["type"], entry["type"]), name
        # QEMU computes the vendor id's default only when the CPU is realized.
        assert entry.get("default-value", column.default) == column.default, name


def test_libvirt_has_no_hyperv_element_that_the_catalog_lacks_and_the_order_is_its_own() -> None:
    schema = etree.parse(SCHEMA)
    (define,) = schema.iterfind(f".//{RNG}define[@name='hyperv']")
    elements = [one.get("name") for one in define.iterfind(f".//{RNG}element") if one.get("name") != "hyperv"]
    paths = {row.libvirt.path: row for row in ROWS if row.libvirt}
    leaves = {path.rpartition("/")[2] for path in paths}
    assert set(elements) <= leaves
    ours = [path for path in paths if "/" not in path and ":" not in path and path in elements]
    theirs = [name for name in elements if name in ours]
    assert ours == theirs


def test_every_switch_of_qemus_cpu_is_a_feature_of_libvirts_or_known_to_be_none() -> None:
    (listed, _) = qmp({"execute": "device-list-properties", "arguments": {"typename": "max-x86_64-cpu"}})
    switches = {entry["name"] for entry in listed if entry["type"] == "bool" and "hv-" not in entry["name"]} - OTHERS
    known = {one.get("name") for one in etree.parse(FEATURES).iter("feature")}
    assert len(switches) > 200
    assert len(known) > 200
    features = {name for name in switches if unknown_to_libvirt(name) is None}
    # Of these libvirt 9.0 knows none, and its successors all.
    wanted = {name for name in map(libvirt_name, features) if not name.startswith("vmx-")}
    assert wanted - LATE <= known
    assert known.isdisjoint(switches - features - LATE)


def test_the_names_of_cpu_features_are_those_of_libvirts_map() -> None:
    count = 0
    for feature in etree.parse(FEATURES).iter("feature"):
        name = str(feature.get("name"))
        assert called_otherwise(name) is None
        assert libvirt_name(qemu_name(name)) == name
        for alias in [str(one.get("name")) for one in feature.iter("alias")]:
            count += 1
            assert called_otherwise(alias) == name
            assert qemu_name(alias) == qemu_name(name)
    assert count > 20
