"""libvirt's schema: the installed one, and small grammars of the forms that libvirt has had."""

from pathlib import Path

import pytest

from hvctl.catalog import ROWS
from hvctl.host.libvirt_schema import SCHEMA, SchemaError, read_libvirt, schema_elements
from hvctl.model.host import Libvirt

GRAMMAR = """<?xml version="1.0" encoding="UTF-8"?>
<grammar xmlns="http://relaxng.org/ns/structure/1.0">
  <define name="features"><element name="features"><ref name="hyperv"/></element></define>
  <define name="hyperv">
    <element name="hyperv">
      <optional><attribute name="mode"><value>passthrough</value></attribute></optional>
      <interleave>
        <optional><element name="relaxed"><ref name="featurestate"/></element></optional>
        <optional><element name="stimer"><ref name="stimer"/></element></optional>
        <ref name="more"/>
      </interleave>
    </element>
  </define>
  <define name="more">
    <optional><element name="tlbflush">
      <interleave><element name="direct"/><element name="extended"/></interleave>
    </element></optional>
  </define>
  <define name="stimer">
    <ref name="featurestate"/>
    <optional><element name="direct"><ref name="featurestate"/></element></optional>
  </define>
  <define name="featurestate"><attribute name="state"/></define>
  <define name="timer">
    <element name="timer"><choice>
      <group><attribute name="name"><choice><value>rtc</value><value> pit </value></choice></attribute></group>
      <group><attribute name="name"><value>hypervclock</value></attribute><attribute name="mode"/></group>
    </choice></element>
  </define>
  <define name="panic">
    <element name="panic"><attribute name="model"><choice><value>isa</value></choice></attribute></element>
  </define>
</grammar>
"""


def test_paths_are_written_as_in_the_catalog() -> None:
    assert schema_elements(GRAMMAR.encode()) == (
        "relaxed",
        "timer:hypervclock",
        "stimer",
        "stimer/direct",
        "tlbflush",
        "tlbflush/direct",
        "tlbflush/extended",
        "@mode",
        "panic:isa",
        "timer:pit",
        "timer:rtc",
    )


def test_the_installed_schema_has_what_libvirt_9_had() -> None:
    found = read_libvirt("/")
    assert found
    assert found.version
    old = {row.libvirt.path for row in ROWS if row.libvirt and int(row.libvirt.since.partition(".")[0]) < 9}
    assert old <= set(found.elements)


def test_where_there_is_no_libvirt(tmp_path: Path) -> None:
    assert read_libvirt(str(tmp_path)) is None


def installed(root: Path, schema: bytes, library: str | None, folder: str = "usr/lib64") -> Libvirt | None:
    (root / SCHEMA).parent.mkdir(parents=True)
    (root / SCHEMA).write_bytes(schema)
    (root / folder).mkdir(parents=True, exist_ok=True)
    if library:
        (root / folder / "libvirt.so.0").symlink_to(library)
    return read_libvirt(str(root))


@pytest.mark.parametrize(
    ("library", "folder", "version"),
    [
        ("libvirt.so.0.9000.0", "usr/lib/x86_64-linux-gnu", "9.0.0"),
        ("/usr/lib64/libvirt.so.0.11003.2", "usr/lib64", "11.3.2"),
        ("libvirt.so.0.x", "usr/lib", None),
        (None, "usr/lib", None),
    ],
)
def test_the_version_is_in_the_name_of_the_library(
    tmp_path: Path, library: str | None, folder: str, version: str | None
) -> None:
    found = installed(tmp_path, GRAMMAR.encode(), library, folder)
    assert found
    assert found.version == version


ENDLESS = '<define name="hyperv"><ref name="hyperv"/></define>'
DEEP = f'<define name="hyperv">{"<group>" * 5000}{"</group>" * 5000}</define>'


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ("", "defines no element 'hyperv'"),
        ("not XML at all \x00", "defines no element 'hyperv'"),
        ('<define name="hyperv"><element name="hyperv"></define>', "not well-formed"),
        (ENDLESS, "defines no element 'hyperv'"),
        (DEEP, "nested too deeply"),
        ('<define name="hyperv"><!DOCTYPE x [<!ENTITY a "aaaa">]></define>', "not well-formed"),
        (" " * (8 * 1024 * 1024 + 1), "larger than"),
    ],
    ids=["empty", "binary", "broken", "a circle", "deep", "entities", "large"],
)
def test_a_schema_that_cannot_be_used(tmp_path: Path, schema: str, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        installed(tmp_path, schema.encode(), None)


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    (tmp_path / SCHEMA).mkdir(parents=True)
    with pytest.raises(SchemaError, match="directory"):
        read_libvirt(str(tmp_path))
