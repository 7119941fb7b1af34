"""Locked plans as files: they come back as they were, and whatever was changed in them is noticed."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from hvctl.errors import InputError
from hvctl.guest.command.writer import arguments
from hvctl.guest.domain.writer import domain
from hvctl.host.host_file import dump_host, load_host
from hvctl.model.plan import SavedPlan, checksum
from hvctl.model.profile import Migration
from hvctl.plan.resolve import resolve
from hvctl.plan_file.locking import lock
from hvctl.plan_file.reader import dump_lock, load_lock, read_lock, says_xml
from hvctl.profile.reader import load_profile
from hvctl.report.problems import render_error
from hvctl.text.files import decode
from tests.made_hosts import made_amd_host
from tests.made_pools import Made, made
from tests.paths import schema
from tests.plan.test_resolve import profile, wish

SCHEMA = schema("plan")
WRITTEN = Path(__file__).parent / "written"
CONTENT = ("profile", "os", "uses", "migration", "machine", "cpu", "clock", "enlightenments")
QEMU = "http://libvirt.org/schemas/domain/qemu/1.0"
Document = dict[str, Any]


def lock_of(given_: Made, *, name: str | None = None, metadata: bool = False) -> SavedPlan:
    argv = arguments(given_.plan)
    xml = domain(given_.plan, name=name, metadata=metadata) if given_.libvirt else None
    return lock(given_.plan, given_.pool, argv=argv, xml=xml)


def windows() -> SavedPlan:
    host = made_amd_host()
    return lock_of(Made(resolve(load_profile("windows-11"), (host,), libvirt=True), (host,), libvirt=True))


TEXT = dump_lock(windows())


@pytest.mark.parametrize("path", sorted(WRITTEN.glob("*.json")), ids=lambda path: path.stem)
def test_what_was_written_once_stays_readable(path: Path) -> None:
    """Each file is of the version that it is named after, and never written again: it must start the guest that it did.

    Where writers change, the arguments that they wrote before must still be taken for the plan's.
    """
    lock = read_lock(str(path))
    assert lock.argv
    assert lock.xml
    assert lock.plan.profile == "windows-11"


def problems(text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        load_lock(text, "w.json")
    assert "Traceback" not in render_error(caught.value, False)
    return [problem.message for problem in caught.value.problems]


def summed(document: Document) -> str:
    """A changed document with the checksum that fits."""
    changed = {key: value for key, value in document.items() if key != "checksum"}
    return json.dumps({**changed, "checksum": checksum(changed)})


def sealed(document: Document) -> str:
    """The same with the digest that fits: someone knew what he did."""
    return summed({**document, "digest": checksum({key: document.get(key) for key in CONTENT})})


@settings(max_examples=50)
@given(made(), st.sampled_from([None, "a <b> & 'c\" \\ \U0001f600 "]), st.booleans())
def test_what_is_written_comes_back(given_: Made, name: str | None, metadata: bool) -> None:
    kept = lock_of(given_, name=name, metadata=metadata)
    text = dump_lock(kept)
    read = load_lock(text, "w.json")
    assert (read.argv, read.xml, read.pool) == (kept.argv, kept.xml, kept.pool)
    assert read.plan._replace(decisions=()) == kept.plan._replace(decisions=())
    assert [(one.id, one.value) for one in read.plan.enabled()] == [(one.id, one.value) for one in kept.plan.enabled()]
    assert dump_lock(read) == text == dump_lock(kept)
    assert text.isascii()
    assert text.endswith("}\n")


@settings(max_examples=40)
@given(made())
def test_every_lock_is_as_the_schema_says(given_: Made) -> None:
    jsonschema.validate(json.loads(dump_lock(lock_of(given_))), SCHEMA, jsonschema.Draft7Validator)


def test_the_schema_is_one_and_knows_every_key() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    document = json.loads(TEXT)
    assert list(document) == list(SCHEMA["properties"])
    assert set(document["pool"][0]) == set(SCHEMA["definitions"]["host"]["properties"])
    for key in ("machine", "cpu", "clock"):
        assert set(document[key]) == set(SCHEMA["properties"][key]["properties"])


def test_keys_of_a_newer_hvctl_are_passed_over() -> None:
    assert load_lock(sealed({**json.loads(TEXT), "new": [1.5, None]}), "w.json").argv == windows().argv


@settings(max_examples=300)
@given(st.integers(0, len(TEXT) - 1), st.integers(1, 255))
def test_any_changed_byte_is_noticed_or_harmless(at: int, change: int) -> None:
    data = bytearray(TEXT.encode())
    data[at] ^= change
    try:
        read = load_lock(decode(bytes(data), "w.json"), "w.json")
    except InputError as error:
        render_error(error, True)
    else:
        assert dump_lock(read) == TEXT
        assert json.loads(data) == json.loads(TEXT)


@pytest.mark.parametrize("cut", range(0, len(TEXT) - 1, 97))
def test_a_lock_that_ends_early_is_none(cut: int) -> None:
    assert problems(TEXT[:cut])


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [path] if path else []
    if isinstance(value, dict | list):
        for key, below in value.items() if isinstance(value, dict) else enumerate(value):
            found += places(below, (*path, key))
    return found


def replaced(document: Any, path: tuple[Any, ...], change: Callable[[Any], Any]) -> Any:
    """A copy with the value at a path changed."""
    if not path:
        return change(document)
    copy = list(document) if isinstance(document, list) else dict(document)
    copy[path[0]] = replaced(copy[path[0]], path[1:], change)
    return copy


ODD = [None, True, False, 0, -1, 1.5, 1 << 70, "", "x", "on", "x" * 2000, "\x1b[31m", [], [1], {}, {"a": None}]


@settings(max_examples=300)
@given(st.sampled_from(places(json.loads(TEXT))), st.sampled_from(ODD), st.booleans())
def test_any_changed_field_is_noticed(path: tuple[str | int, ...], value: Any, seal: bool) -> None:
    document = json.loads(TEXT)
    changed = replaced(document, path, lambda _: value)
    try:
        read = load_lock(sealed(changed) if seal else json.dumps(changed), "w.json")
    except InputError as error:
        render_error(error, False)
        return
    # Whoever makes a checksum that fits may change what no plan says, as the domain's name, or leave a form out.
    assert seal or changed == document
    assert read.argv in (None, windows().argv)
    assert read.xml is None or says_xml(read.xml, windows().plan)


SMUGGLED = {
    "another value": lambda words: [word.replace("hv_spinlocks=0x1fff", "hv_spinlocks=0xfff") for word in words],
    "one more": lambda words: [word.replace("hv_relaxed=on", "hv_relaxed=on,hv_crash=on") for word in words],
    "one less": lambda words: [word.replace(",hv_relaxed=on", "") for word in words],
    "a feature": lambda words: [word.replace("migratable=on", "migratable=on,-svm") for word in words],
    "a property": lambda words: [word.replace("migratable=on", "migratable=on,phys-bits=40") for word in words],
    "enforce": lambda words: [word.replace("migratable=on", "migratable=on,enforce") for word in words],
    "migratable": lambda words: [word.replace("migratable=on", "migratable=off") for word in words],
    "another model": lambda words: [word.replace("host,", "qemu64,") for word in words],
    "another machine": lambda words: [word.replace("pc-q35-10.0", "pc-q35-9.2") for word in words],
    "an option of the machine": lambda words: [word.replace("hpet=off", "hpet=off,smm=on") for word in words],
    "an hpet": lambda words: [word.replace("hpet=off", "hpet=on") for word in words],
    "another clock": lambda words: [word.replace("localtime", "utc") for word in words],
    "another policy": lambda words: [word.replace("=delay", "=discard") for word in words],
    "an option": lambda words: [*words, "-daemonize"],
    "an option twice": lambda words: [*words, *words],
    "a global": lambda words: [*words, "-global", "cpu.hv-crash=on"],
    "a disk": lambda words: [*words, "disk.img"],
    "an expansion": lambda words: [word.replace("host,", "host,$X,") for word in words],
    "a wrong value": lambda words: [word.replace("hv_relaxed=on", "hv_relaxed=maybe") for word in words],
    "nothing": lambda words: words[:0],
    "another order": lambda words: [*words[2:], *words[:2]],
}


@pytest.mark.parametrize("name", SMUGGLED)
def test_arguments_that_say_something_else_are_refused(name: str) -> None:
    document = json.loads(TEXT)
    changed = replaced(document, ("argv",), SMUGGLED[name])
    assert changed != document
    assert problems(sealed(changed)) == ['"argv" is not what the plan in this file becomes']


XML = {
    "another value": ("8191", "4095"),
    "one less": ('<relaxed state="on"/>', ""),
    "one off": ('<relaxed state="on"/>', '<relaxed state="off"/>'),
    "one more": ('<relaxed state="on"/>', '<relaxed state="on"/><reset state="on"/>'),
    "an unknown one": ('<relaxed state="on"/>', '<relaxed state="on"/><nosuch state="on"/>'),
    "another clock": ("localtime", "utc"),
    "another tick policy": ("catchup", "delay"),
    "an hpet": ('name="hpet" present="no"', 'name="hpet" present="yes"'),
    "no hypervclock": ('name="hypervclock" present="yes"', 'name="hypervclock" present="no"'),
    "an emulator": ("</clock>", "</clock><devices><emulator>/bin/sh</emulator></devices>"),
    "hidden": ("<acpi/>", '<acpi/><kvm><hidden state="on"/></kvm>'),
    "a feature of the machine": ("<acpi/>", '<acpi/><smm state="on"/>'),
    "two clocks": ("</clock>", "</clock><clock offset='utc'/>"),
    "another model": ("host-passthrough", "maximum"),
    "not migratable": ('migratable="on"', 'migratable="off"'),
    "a command line": ("</clock>", f'</clock><c:commandline xmlns:c="{QEMU}"><c:arg value="-S"/></c:commandline>'),
    "no KVM": ('type="kvm"', 'type="qemu"'),
    "a kernel": ("</type>", "</type><kernel>/tmp/k</kernel>"),
    "a loader": ("</type>", "</type><loader>/tmp/l</loader>"),
    "an ACPI table": ("</type>", '</type><acpi><table type="slic">/tmp/t</table></acpi>'),
    "foreign metadata": ("<memory", '<metadata><x xmlns="urn:x"/></metadata><memory'),
    "no ACPI": ("<acpi/>", ""),
    "a path as its name": ("windows-11</name>", "../windows-11</name>"),
    "memory in another unit": ('unit="MiB"', 'unit="TiB"'),
    "no memory": (">4096<", ">0<"),
    "no domain": ("domain", "network"),
    "half a character": ("</clock>", "</clock>\ud800"),
    "no XML": ("</domain>", ""),
}


@pytest.mark.parametrize("name", XML)
def test_a_domain_that_says_something_else_is_refused(name: str) -> None:
    document = json.loads(TEXT)
    text = "\n".join(document["xml"])
    old, new = XML[name]
    assert old in text
    changed = {**document, "xml": text.replace(old, new).split("\n")}
    assert problems(sealed(changed)) == ['"xml" is not what the plan in this file becomes']


INSERTED = ("hvm", "/bin/sh", "on", "qemu", "a b")
TAGS = ("kernel", "loader", "table", "metadata", "emulator", "feature", "timer", "smm", "acpi", "hyperv", "type", "x")
ATTRIBUTES = ("type", "state", "present", "enabled", "id", "firmware", "placement", "x", "{urn:x}y")


@settings(max_examples=300)
@given(made().filter(lambda given_: given_.libvirt), st.booleans(), st.data())
def test_whatever_is_inserted_into_a_domain_is_refused(given_: Made, metadata: bool, data: st.DataObject) -> None:
    kept = lock_of(given_, metadata=metadata)
    root = etree.fromstring(kept.xml or "")
    assert says_xml(etree.tostring(root, encoding="unicode", pretty_print=True), kept.plan)
    element = data.draw(st.sampled_from(list(root.iter())), label="where")
    what = data.draw(st.sampled_from(["element", "copy", "attribute", "text", "tail"]))
    if what == "element":
        new = etree.Element(data.draw(st.sampled_from(TAGS)), dict.fromkeys(data.draw(st.sets(st.just("state"))), "on"))
        element.insert(data.draw(st.integers(0, len(element))), new)
    elif what == "copy":
        element.append(copy.deepcopy(data.draw(st.sampled_from(list(root.iter())))))
    elif what == "attribute":
        names = [name for name in ATTRIBUTES if name not in element.attrib]
        element.set(data.draw(st.sampled_from(names)), data.draw(st.sampled_from(INSERTED)))
    elif what == "text":
        # The name is the one thing that is free.
        element = data.draw(st.sampled_from([one for one in root.iter() if one.tag != "name"]))
        element.text = (element.text or "") + data.draw(st.sampled_from(INSERTED))
    else:
        element = data.draw(st.sampled_from(list(root)))
        element.tail = data.draw(st.sampled_from(INSERTED))
    assert not says_xml(etree.tostring(root, encoding="unicode"), kept.plan)


@settings(max_examples=200)
@given(st.data())
def test_whatever_is_inserted_into_arguments_is_refused(data: st.DataObject) -> None:
    document = json.loads(TEXT)
    words = document["argv"]
    at = data.draw(st.integers(0, len(words)))
    part = data.draw(st.sampled_from([*"".join(words).split(","), "", ",", "-S", "0", " "]) | st.text(min_size=1))
    if data.draw(st.booleans()):
        changed = [*words[:at], part, *words[at:]]
    else:
        word = words[at % len(words)]
        place = data.draw(st.integers(0, len(word)))
        changed = replaced(document["argv"], (at % len(words),), lambda _: f"{word[:place]}{part or ','}{word[place:]}")
    assert problems(sealed({**document, "argv": changed}))


def test_a_changed_plan_is_refused_by_what_was_written_for_it() -> None:
    document = json.loads(TEXT)
    changed = replaced(document, ("enlightenments", "spinlocks"), lambda _: 4095)
    assert problems(json.dumps(changed)) == ["the file was changed since hvctl wrote it: its checksum is another one"]
    assert [message[:6] for message in problems(sealed(changed))] == ['"argv"', '"xml" ']
    assert problems(summed(changed)) == ["this is not the digest of the plan in this file"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"enlightenments": {"nosuch": True}},
            'this hvctl knows no enlightenment "nosuch"; a newer one may have written',
        ),
        ({"enlightenments": {"relaxed": False}}, '"relaxed" cannot have the value False'),
        ({"enlightenments": {"relaxed": 1}}, '"relaxed" cannot have the value 1'),
        ({"enlightenments": {"spinlocks": True}}, '"spinlocks" cannot have the value True'),
        ({"enlightenments": {"version-id": "10"}}, "\"version-id\" cannot have the value '10'"),
        ({"enlightenments": {"no-nonarch-coresharing": "off"}}, '"no-nonarch-coresharing" cannot have'),
        ({"format_version": 2}, "this hvctl reads plan files of format_version 1, not 2"),
        ({"format_version": "1"}, "format_version is a whole number, not a string"),
        ({"kind": "host file"}, '"kind" of a plan file is "locked plan"'),
        ({"kind": 1}, '"kind" must be a string, not a whole number'),
        ({"uses": ["gaming"]}, "gaming"),
        ({"migration": "maybe"}, '"migration" is one of required, none, not "maybe"'),
        ({"cpu": {"model": "host", "features": {"svm": "off"}}}, "\"svm\" is true or false, not 'off'"),
        ({"pool": [{"tsc_hz": 5}]}, '"tsc_hz" must be null or from'),
        ({"argv": "x"}, '"argv" must be a list or null, not a string'),
        ({"xml": [1]}, '"xml" holds strings, not a whole number'),
    ],
)
def test_wrong_values_are_told_by_what_is_wrong(change: Document, message: str) -> None:
    found = problems(sealed({**json.loads(TEXT), **change}))
    assert any(message in one for one in found), found


@pytest.mark.parametrize("key", SCHEMA["required"])
def test_what_is_missing_is_told(key: str) -> None:
    document = json.loads(TEXT)
    del document[key]
    if key in ("argv", "xml"):
        # As null is: the plan was not locked for it.
        assert getattr(load_lock(sealed(document), "w.json"), key) is None
        return
    found = problems(json.dumps(document) if key == "checksum" else summed(document))
    assert any(key in message for message in found), found


def test_a_host_file_is_no_lock_and_a_lock_no_host_file() -> None:
    assert problems(dump_host(made_amd_host())) == ["w.json is a host file, not a plan file"]
    with pytest.raises(InputError) as caught:
        load_host(TEXT, "w.json")
    assert str(caught.value) == "w.json is a plan file, not a host file"


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", '{"format_version": NaN}', "[" * 100_000, '{"a": 1, "a": 1}'])
def test_no_locks_at_all(text: str) -> None:
    assert problems(text)


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "w.json"
    path.write_text("\ufeff" + TEXT)
    assert dump_lock(read_lock(str(path))) == TEXT
    path.write_bytes(b"\xff")
    with pytest.raises(InputError, match="the byte 0xff is not UTF-8"):
        read_lock(str(path))
    path.write_bytes(b" " * ((1 << 20) + 1))
    with pytest.raises(InputError, match="it is larger than 1 MiB"):
        read_lock(str(path))
    with pytest.raises(InputError, match="cannot be read: no such file"):
        read_lock(str(tmp_path / "gone"))


def test_what_takes_all_and_something_beside_it() -> None:
    wanted = profile(wish("passthrough"), wish("relaxed"), wish("crash"), migration=Migration.NONE)
    plan = resolve(wanted, (made_amd_host(),), libvirt=True)
    kept = lock_of(Made(plan, (made_amd_host(),), libvirt=True))
    assert load_lock(dump_lock(kept), "w.json").xml == kept.xml


def test_a_guest_that_never_migrates_is_bound_to_no_hosts() -> None:
    plan = resolve(profile(wish("relaxed"), migration=Migration.NONE), (made_amd_host(),))
    assert json.loads(dump_lock(lock(plan, (made_amd_host(),), argv=arguments(plan), xml=None)))["pool"] == []
