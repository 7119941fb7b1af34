"""`hvctl show` on libvirt's test driver: what domains have, beside what was applied or is advised."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import libvirt
import pytest

from hvctl.catalog import ROWS
from hvctl.catalog.placement import HypervElement
from hvctl.catalog.windows import SYSTEMS
from hvctl.guest.domain.brief import brief
from hvctl.guest.domain.identity import read_identity
from hvctl.guest.domain.reader import read_domain
from hvctl.guest.domain.writer import domain as render
from hvctl.plan.resolve import resolve
from hvctl.profile.reader import load_profile
from hvctl.report.show import advised
from hvctl.xml.reader import parse
from tests.cli.in_process import Hvctl
from tests.made_hosts import made_amd_host

LIBOSINFO = (
    "<libosinfo:libosinfo xmlns:libosinfo='http://libosinfo.org/xmlns/libvirt/domain/1.0'>"
    "<libosinfo:os id='http://{}'/></libosinfo:libosinfo>"
)
OTHERS = "<nova:instance xmlns:nova='http://openstack.org/nova'><nova:name>{}</nova:name></nova:instance>"
Node = Callable[..., str]


@pytest.fixture
def hvctl(capsys: pytest.CaptureFixture[str]) -> Hvctl:
    return Hvctl(capsys)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """`node(**domains)` is the URI of a libvirt with these domains, by what stands in each beside its name."""

    def make(**domains: str) -> str:
        path = tmp_path / "node.xml"
        with path.open("w") as stream:
            stream.write("<node>\n")
            for name, inside in domains.items():
                known = f"<name>{name}</name><uuid>{uuid.uuid5(uuid.NAMESPACE_DNS, name)}</uuid>"
                stream.write(f"<domain type='test'>{known}<memory>1024</memory>{inside}</domain>\n")
            stream.write("</node>\n")
        return f"test://{path}"

    return make


def inside(
    *elements: str, system: str = "", metadata: str = "", time: bool = True, retries: int = 8191, more: str = ""
) -> str:
    """A domain's elements: the named ones of <hyperv>, and hypervclock."""
    known = (LIBOSINFO.format(system) if system else "") + metadata
    about = f"<metadata>{known}</metadata>" if known else ""
    spin = f"<spinlocks state='on' retries='{retries}'/>" if retries else ""
    hyperv = spin + "".join(f"<{name} state='on'/>" for name in elements)
    timer = "<timer name='hypervclock' present='yes'/>" if time else ""
    return (
        f"{about}<os><type arch='x86_64'>hvm</type></os><features><acpi/><hyperv>{hyperv}</hyperv></features>"
        f"<clock offset='localtime'>{timer}</clock><devices>{more}</devices>"
    )


def of_profile(name: str, *without: str) -> tuple[str, ...]:
    """The direct elements of what a shipped profile turns on or prefers, as libvirt 9.0 knows them."""
    known = [row for row in ROWS if row.id in advised(load_profile(name)) and row.id not in without]
    places = [place for row in known if isinstance(place := row.libvirt, HypervElement) and not place.inside]
    return tuple(place.path for place in places if not place.attribute and float(place.since[:3]) < 9.0)


def shown(hvctl: Hvctl, uri: str, *words: str) -> dict[str, Any]:
    document = json.loads(hvctl("show", "--connect", uri, "--format", "json", *words).out)
    assert document["format_version"] == 1
    assert document["uri"] == uri
    return {one["name"]: one for one in document["domains"]}


def test_the_advice_for_the_release(hvctl: Hvctl, node: Node) -> None:
    uri = node(
        whole=inside(*of_profile("windows-7"), system="microsoft.com/win/7"),
        poor=inside(*of_profile("windows-7", "vapic", "ipi"), "reset", system="microsoft.com/win/7", retries=4095),
        linux=inside("relaxed", system="debian.org/debian/12", retries=0, time=False),
        nobody=inside("relaxed", retries=0, time=False),
    )
    lines = hvctl("show", "--connect", uri).out.splitlines()
    assert lines[0] == "domain  state  Windows        on  beside"
    assert lines[1:5] == [
        "linux   on     debian/12       1  not KVM; no advice",
        "nobody  on     -               1  not KVM; no advice: its system is not said",
        "poor    on     7               6  not KVM; advice: -vapic -ipi and 2 more",
        "whole   on     7               7  not KVM; advice: the same",
    ]
    found = shown(hvctl, uri)
    assert found["whole"]["beside"] == {"same": True, "lacks": [], "beside": [], "differs": []}
    poor = found["poor"]
    assert (poor["release"], poor["advised"], poor["accelerator"], poor["problem"]) == (
        "windows-7",
        "windows-7",
        "test",
        None,
    )
    assert poor["beside"] == {
        "same": False,
        "lacks": ["vapic", "ipi"],
        "beside": ["reset"],
        "differs": [{"id": "spinlocks", "value": 4095, "wanted": 8191}],
    }
    assert {"id": "spinlocks", "value": 4095} in poor["enlightenments"]
    assert found["linux"]["system"] == "http://debian.org/debian/12"
    assert found["linux"]["beside"] is None


@pytest.mark.parametrize("guest", [guest for guest in SYSTEMS if guest.libosinfo], ids=lambda guest: guest.id)
def test_every_release_has_its_advice(hvctl: Hvctl, node: Node, guest: Any) -> None:
    uri = node(**{f"a{short}": inside(system=f"microsoft.com/win/{short}") for short in guest.libosinfo})
    for one in shown(hvctl, uri).values():
        profile = guest.profile or guest.id
        assert one["advised"] == profile
        assert set(one["beside"]["lacks"]) == advised(load_profile(profile)).keys() - {"time", "spinlocks"}


def test_what_was_applied_counts_before_any_advice(hvctl: Hvctl, node: Node) -> None:
    plan = resolve(load_profile("windows-7"), (made_amd_host(),), libvirt=True)
    text = render(plan, metadata=True)
    metadata = text[text.index("<hvctl:guest") : text.index("</metadata>")].strip()
    uri = node(
        kept=inside(*of_profile("windows-7"), metadata=metadata),
        both=inside(*of_profile("windows-7"), system="microsoft.com/win/7", metadata=metadata),
        changed=inside(*of_profile("windows-7", "ipi"), "reset", system="microsoft.com/win/10", metadata=metadata),
        value=inside(*of_profile("windows-7"), metadata=metadata, retries=5000),
    )
    out = hvctl("show", "--connect", uri).out
    assert "both     on     7               7  not KVM; applied: the same" in out
    assert "changed  on     10              7  not KVM; applied windows-7: -ipi +reset" in out
    assert "kept     on     -               7  not KVM; applied windows-7: the same" in out
    assert "value    on     -               9  not KVM; applied windows-7: and 1 more" not in out
    found = shown(hvctl, uri)
    assert found["kept"]["applied"]["profile"] == "windows-7"
    assert found["kept"]["applied"]["digest"].startswith("sha256:")
    assert found["value"]["beside"]["differs"] == [{"id": "spinlocks", "value": 5000, "wanted": 8191}]


@pytest.mark.parametrize(
    "inner", ["", "<h:plan/>", "<h:plan profile='a' digest=''><h:enlightenment id='of the future' value='3'/></h:plan>"]
)
def test_odd_metadata_do_no_harm(hvctl: Hvctl, node: Node, inner: str) -> None:
    uri = node(odd=inside("relaxed", metadata=f"<h:guest xmlns:h='urn:hvctl:domain:1.0'>{inner}</h:guest>"))
    assert shown(hvctl, uri)["odd"]["problem"] is None


def test_passthrough_lacks_nothing_that_it_brings(hvctl: Hvctl, node: Node) -> None:
    metadata = f"<metadata>{LIBOSINFO.format('microsoft.com/win/10')}</metadata>"
    features = "<features><hyperv mode='passthrough'/></features>"
    found = shown(hvctl, node(all=f"{metadata}<os><type arch='x86_64'>hvm</type></os>{features}"))["all"]
    assert [one["id"] for one in found["enlightenments"]] == ["passthrough"]
    assert found["beside"]["lacks"] == ["spinlocks"]


def test_named_domains_and_mistakes(hvctl: Hvctl, node: Node) -> None:
    uri = node(a=inside(), b=inside(), c=inside())
    out = hvctl("show", "--connect", uri, "c", "a").out
    assert [line.split()[0] for line in out.splitlines()[1:3]] == ["c", "a"]
    assert f"{uri} has no domain nosuch" in hvctl("show", "--connect", uri, "nosuch", code=3).err
    assert len(shown(hvctl, uri)) == 3


def test_no_domains_at_all(hvctl: Hvctl, node: Node) -> None:
    uri = node()
    assert hvctl("show", "--connect", uri).out.splitlines()[0].startswith("domain")
    assert shown(hvctl, uri) == {}


def test_running_domains_and_their_definitions(hvctl: Hvctl) -> None:
    driver = libvirt.open("test:///default")
    text = driver.lookupByName("test").XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    driver.defineXML(text.replace("<clock", "<features><hyperv><relaxed state='on'/></hyperv></features><clock"))
    assert shown(hvctl, "test:///default")["test"]["enlightenments"] == []
    assert shown(hvctl, "test:///default", "--inactive")["test"]["enlightenments"] == [{"id": "relaxed", "value": None}]
    driver.lookupByName("test").destroy()
    found = shown(hvctl, "test:///default")["test"]
    assert (found["running"], len(found["enlightenments"])) == (False, 1)
    assert "test    off" in hvctl("show", "--connect", "test:///default").out
    driver.close()


def test_every_line_fits_and_names_what_it_can(node: Node) -> None:
    names = {f"a-domain-with-a-long-name-{number:03}": inside(system="microsoft.com/win/2k25") for number in range(30)}
    uri = node(**names)
    done = subprocess.run(
        [sys.executable, "-m", "hvctl", "show", "--connect", uri],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert max(len(line) for line in done.stdout.splitlines()) <= 80
    assert len(done.stdout.splitlines()) == 1 + 30 + 4
    for line in done.stdout.splitlines()[1:31]:
        assert "more" in line or line.endswith("differ")


def test_what_is_left_out_of_the_xml_says_nothing(node: Node) -> None:
    """The short form that show reads once for many domains says the same as the whole."""
    panic = "<panic model='hyperv'/><panic model='isa'><address type='isa' iobase='0x505'/></panic>"
    bodies = {
        "plain": inside("relaxed"),
        "metadata": inside("relaxed", system="microsoft.com/win/11", metadata=OTHERS.format("a")),
        "panic": inside("relaxed", more=panic),
        "nothing": "<os><type arch='x86_64'>hvm</type></os>",
        "devil": inside("vapic", metadata=OTHERS.format("\n  &lt;features>\n  &lt;/metadata>")),
        "nested": inside("vapic", metadata="<x:guest xmlns:x='urn:other'><libosinfo/>\n  <features/></x:guest>"),
        "other": inside(
            metadata=LIBOSINFO.format("microsoft.com/win/10").replace("libosinfo:", "o:").replace(":libosinfo=", ":o=")
        ),
        "title": "<description>\n  &lt;features>&lt;hyperv></description>" + inside("ipi"),
    }
    connection = libvirt.open(node(**bodies))
    for domain in connection.listAllDomains():
        for flags in (0, libvirt.VIR_DOMAIN_XML_INACTIVE):
            xml = domain.XMLDesc(flags)
            short = brief(xml)
            assert short is not None, domain.name()
            assert len(short) < len(xml)
            whole, less = (parse(text.encode(), "") for text in (xml, short))
            assert read_identity(whole.root) == read_identity(less.root), domain.name()
            one, other = (read_domain(text.encode(), "") for text in (xml, short))
            assert (one.enabled(), one.accelerator, one.doubts) == (other.enabled(), other.accelerator, other.doubts)
    connection.close()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<domain/>",
        "<domain type='kvm'>",
        "<?xml version='1.0'?>\n<domain type='kvm'>\n</domain>\n",
        "<domain type='kvm'>\n  <features><hyperv><relaxed state='on'/>\n</hyperv></features></domain>\n",
    ],
)
def test_another_layout_is_read_whole(text: str) -> None:
    assert brief(text) is None


def test_domains_that_differ_in_nothing_that_counts_are_read_once(node: Node) -> None:
    disk = "<disk type='file' device='disk'><source file='/{0}'/><target dev='vda' bus='virtio'/></disk>"
    bodies = {
        f"d{number}": inside(
            "relaxed", system="microsoft.com/win/11", metadata=OTHERS.format(number), more=disk.format(number)
        )
        for number in range(20)
    }
    connection = libvirt.open(node(**bodies))
    assert len({brief(domain.XMLDesc()) for domain in connection.listAllDomains()}) == 1
    connection.close()
