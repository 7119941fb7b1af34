"""What `gen --for vagrant` writes, in a Vagrantfile that Debian's Vagrant and vagrant-libvirt make a domain of."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lxml import etree

from hvctl import api
from hvctl.catalog import BY_ID, ROWS
from hvctl.catalog.placement import HypervElement
from hvctl.catalog.vagrant import FEATURES
from hvctl.profile.source import shipped_names
from tests.cli.run import inside
from tests.paths import HOSTS
from tests.platforms.tools import in_debian

POOLS = ("debian-12.json", "debian-13.json", "debian-12-intel.json")
PROGRAM = Path(__file__).with_name("vagrant_domain.rb")
RICH = """version: 1
name: rich
guest: {os: windows-10}
migration: none
cpu: {model: SandyBridge, hidden: on, features: {vmx: on, smep: off}}
clock: {offset: utc, timers: {rtc: delay, pit: discard, hpet: on}}
tsc-frequency: auto
enlightenments: {time: on, spinlocks: 4096}
"""


def made(tmp_path: Path, blocks: Sequence[Sequence[str]]) -> list[Any]:
    """What Vagrant says of Vagrantfiles whose libvirt blocks have these lines, and the domains."""
    shutil.copy(PROGRAM, tmp_path)
    for number, lines in enumerate(blocks):
        place = tmp_path / str(number)
        place.mkdir()
        block = "\n".join(f"    {line}" for line in lines)
        head = (
            'Vagrant.configure("2") do |config|\n  config.vm.box = "box"\n  config.vm.provider :libvirt do |libvirt|\n'
        )
        (place / "Vagrantfile").write_text(f"{head}{block}\n  end\nend\n")
    places = " ".join(f"/mnt/{number}" for number in range(len(blocks)))
    done = in_debian(f"ruby vagrant_domain.rb {places}", tmp_path)
    assert done.returncode == 0, done.stderr
    answers: list[Any] = json.loads(done.stdout)
    return answers


def judge(plan: Any, answer: Any) -> None:
    """The domain is the plan's."""
    assert answer["errors"] == []
    guest = api.read_text(answer["xml"]).guest
    assert guest is not None
    guest.check()
    assert guest.enabled() == {one["id"]: one["value"] for one in plan["decisions"] if one["state"] == "on"}
    cpu, clock = plan["companions"]["cpu"], plan["companions"]["clock"]
    assert (guest.machine, guest.cpu, guest.hidden) == (plan["machine"], cpu["model"], cpu["hidden"])
    assert guest.tsc_frequency == cpu["tsc_frequency"]
    assert dict(guest.features) == (cpu["features"] if cpu["model"] != "host" else {})
    ticks = (guest.offset, guest.timers["rtc"].policy, guest.timers["pit"].policy, guest.timers["hpet"].present)
    assert ticks == (clock["offset"], clock["rtc"], clock["pit"], clock["hpet"])


def test_vagrant_makes_the_domain_of_each_plan(tmp_path: Path) -> None:
    (tmp_path / "rich.yaml").write_text(RICH)
    asked = [(name, host) for name in shipped_names() for host in POOLS]
    found = []
    for name, host in (*asked, (str(tmp_path / "rich.yaml"), POOLS[2])):
        words = ("gen", name, "--for", "vagrant", "--host", str(HOSTS / host), "--format", "json")
        found.append(json.loads(inside(*words, code=None).stdout))
    usable = [one for one in found if not one["plan"]["refusals"]]
    assert len(usable) > 30
    assert found[-1] in usable, found[-1]["plan"]["refusals"]
    for one, answer in zip(usable, made(tmp_path, [one["vagrantfile"] for one in usable]), strict=True):
        judge(one["plan"], answer)


def test_the_catalog_has_what_the_template_can_write(tmp_path: Path) -> None:
    """Each element is asked for with all that libvirt gives it: those of the catalog come out as they are."""
    places = {row.id: row.libvirt for row in ROWS if isinstance(row.libvirt, HypervElement) and not row.libvirt.inside}
    value = {row_id: "8191" if BY_ID[row_id].kind == "number" else "Microsoft Hv" for row_id in places}
    lines = [
        f'libvirt.hyperv_feature name: "{place.name}", state: "on", retries: "8191", value: "{value[row_id]}"'
        for row_id, place in places.items()
    ]
    (answer,) = made(tmp_path, [lines])
    written = {one.tag: dict(one.attrib) for one in etree.fromstring(answer["xml"]).iterfind("features/hyperv/*")}
    whole = {
        row_id for row_id, place in places.items() if {"state", place.attribute or "state"} <= set(written[place.name])
    }
    assert whole == set(FEATURES)


def test_vagrant_refuses_what_is_wrong(tmp_path: Path) -> None:
    """So the others can fail: features of a CPU beside host-passthrough, which is why they are left out."""
    lines = ['libvirt.cpu_mode = "host-passthrough"', 'libvirt.cpu_feature name: "invtsc", policy: "require"']
    (answer,) = made(tmp_path, [lines])
    assert answer["errors"] == [
        "cannot set cpu_features with cpu_model unset, please set a model or skip setting features."
    ]
