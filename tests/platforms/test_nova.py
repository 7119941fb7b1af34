"""What `gen --for nova` and `check-host --format nova-provider` write, given to nova 34 itself: its own test case makes
the domain as nova-compute does, and its validators judge the rest."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hvctl import api
from hvctl.catalog.nova import GIVEN, GIVEN_HIDDEN
from hvctl.host.host_file import read_host
from hvctl.profile.source import shipped_names
from hvctl.report.labels import nova_provider, traits
from tests.cli.run import inside
from tests.guest.nova import domains
from tests.paths import HOSTS
from tests.platforms.nova_environment import ask

POOLS = ("debian-12.json", "debian-13.json", "debian-12-intel.json")
RICH = """version: 1
name: rich
guest: {os: windows-10}
migration: none
cpu: {model: SandyBridge, hidden: on, features: {invtsc: on, vmx: on, smep: off}}
enlightenments: {time: on}
"""


def written(profile: str, host: str) -> Any:
    words = ("gen", profile, "--for", "nova", "--host", str(HOSTS / host), "--select", "traits", "--format", "json")
    return json.loads(inside(*words, code=None).stdout)


def question(found: Any) -> Any:
    return {"image": found["image"], "flavor": found["flavor"], "libvirt": found["nova_conf"]["libvirt"]}


def judge(found: Any, answer: Any) -> None:
    """The guest that nova makes is the plan's."""
    assert "error" not in answer, answer
    guest = api.read_text(answer["xml"]).guest
    assert guest is not None
    guest.check()
    assert guest.enabled() == {one["id"]: one["value"] for one in found["plan"]["decisions"] if one["state"] == "on"}
    companions = found["plan"]["companions"]
    assert guest.machine == found["plan"]["machine"]
    assert guest.hidden == companions["cpu"]["hidden"]
    assert guest.cpu == companions["cpu"]["model"]
    assert dict(guest.features) == companions["cpu"]["features"]
    assert guest.timers["hpet"].present == companions["clock"]["hpet"]
    said = {"rtc": guest.timers["rtc"].policy, "pit": guest.timers["pit"].policy, "clock": guest.offset}
    for name, has in said.items():
        wanted = companions["clock"]["offset" if name == "clock" else name]
        assert (f"{name} {wanted}: nova writes {has}" in found["left_out"]) is (wanted != has)


def test_nova_makes_the_guest_of_each_plan(tmp_path: Any) -> None:
    (tmp_path / "rich.yaml").write_text(RICH)
    plans = [(name, host) for name in shipped_names() for host in POOLS]
    found = [written(name, host) for name, host in (*plans, (str(tmp_path / "rich.yaml"), POOLS[2]))]
    usable = [one for one in found if not one["plan"]["refusals"]]
    assert len(usable) > 30
    assert found[-1] in usable
    for one, answer in zip(usable, ask([question(one) for one in usable]), strict=True):
        judge(one, answer)


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"image": {"os_typ": "windows"}, "flavor": {}, "libvirt": {}}, "os_typ"),
        ({"image": {}, "flavor": {"trait:CUSTOM_X": "requird"}, "libvirt": {}}, "requird"),
        ({"image": {}, "flavor": {}, "libvirt": {"cpu_mode": "maximum"}}, "maximum"),
        ({"provider": nova_provider(read_host(str(HOSTS / POOLS[1])), None).replace("CUSTOM_", "")}, "only custom"),
        ({"provider": "meta: {schema_version: '1.0'}\nproviders: [{identification: {}}]\n"}, "identification"),
    ],
)
def test_nova_refuses_what_is_wrong(asked: Any, error: str) -> None:
    """So the others can fail."""
    assert error in ask([asked])[0]["error"]


def test_nova_takes_the_provider_file_of_each_host() -> None:
    hosts = {path.stem: read_host(str(path)) for path in sorted(HOSTS.glob("*.json"))}
    asked = [(host, name) for host in hosts.values() for name in (None, host.label)]
    answers = ask([{"provider": nova_provider(host, name)} for host, name in asked])
    for (host, name), answer in zip(asked, answers, strict=True):
        if not host.kvm.hyperv:
            assert answer["providers"] == [], "nova passes over one without traits"
            continue
        (provider,) = answer["providers"]
        assert provider["identification"] == ({"name": name} if name else {"uuid": "$COMPUTE_NODE"})
        assert provider["traits"]["additional"] == list(traits(host))


def test_what_is_linted_elsewhere_is_what_nova_makes() -> None:
    """tests/guest/nova/ has its domains, without what changes from run to run."""
    answers = ask([one.question for one in domains.DOMAINS])
    for one, answer in zip(domains.DOMAINS, answers, strict=True):
        assert domains.steady(answer["xml"]) == one.path.read_text()


def test_the_catalog_has_what_nova_writes() -> None:
    image = {"os_type": "windows"}
    asked = [
        {"image": {**image, **more}, "flavor": {}, "libvirt": {}} for more in ({}, {"img_hide_hypervisor_id": "true"})
    ]
    for answer, rows in zip(ask(asked), (GIVEN, (*GIVEN, *GIVEN_HIDDEN)), strict=True):
        guest = api.read_text(answer["xml"]).guest
        assert guest is not None
        assert guest.enabled() == {member.id: member.value for member in rows}
