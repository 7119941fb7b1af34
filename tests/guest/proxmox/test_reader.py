"""Configurations of Proxmox VE as guests: sections, places, mistakes, and what they become."""

from __future__ import annotations

import pytest

from hvctl import api
from hvctl.api import Described
from hvctl.errors import InputError
from hvctl.guest.proxmox.config import NO_MODELS, Models, read_models
from hvctl.guest.proxmox.cpu import Facts
from hvctl.guest.proxmox.guest import ProxmoxGuest
from hvctl.guest.proxmox.reader import read_guests
from hvctl.model.guest import Topology
from tests.made_hosts import made_amd_host

TEXT = """\
# a guest of ours
bios: ovmf
cores: 4
cpu: host,flags=+hv-tlbflush;+aes
hostpci0: 0000:01:00,pcie=1
machine: pc-q35-9.2+pve1
memory: 8192
name: win11
ostype: win11
sockets: 2
vcpus: 6
"""
MODELS = """\
# comments count for nothing
cpu-model: plain
    reported-model host
    flags +hv-frequencies;-hv-reset
    hidden 1

cpu-model: older
    flags +hv_frequencies
"""


INTEL = Facts("intel", (11, 0))


def read(text: str, models: Models = NO_MODELS, facts: Facts = INTEL) -> ProxmoxGuest:
    return read_guests(text, "100.conf", models, facts)[0]


def test_facts_and_their_places() -> None:
    guest = read(TEXT)
    assert guest.mistakes == []
    assert (guest.machine, guest.cpu, guest.accelerator, guest.kvm) == ("pc-q35-9.2", "host", "kvm", True)
    assert guest.topology == Topology(2, None, 4, None)
    assert (guest.vcpus, guest.most_vcpus) == (6, 8)
    assert guest.firmware is not None
    assert guest.firmware.kind == "uefi"
    assert (guest.offset, guest.system) == ("localtime", "http://microsoft.com/win/11")
    assert [(one.kind, one.name) for one in guest.devices] == [("pci", "0000:01:00")]
    flush, relaxed = guest.settings["tlbflush"], guest.settings["relaxed"]
    assert guest.span(flush.where)[1:5] == (4, 17, 4, 29)
    assert guest.origin(flush.where) == ""
    assert guest.span(relaxed.where)[1:5] == (9, 9, 9, 14)
    assert guest.origin(relaxed.where) == "added by Proxmox VE"
    assert guest.span(guest.switches["aes"].where)[1:3] == (4, 30)


@pytest.mark.parametrize("name", ["win2019", "srv-2022", "w2k25"])
def test_a_name_tells_the_release(name: str) -> None:
    guest = read(f"cores: 1\nname: {name}\nostype: win11\n")
    assert (guest.release is None) == (name == "srv-2022")


def test_the_release_is_open_where_several_have_an_ostype() -> None:
    guest = read("cores: 1\nostype: win10\n")
    assert guest.windows
    assert guest.release is None


def test_pending_changes_and_snapshots_are_guests_too() -> None:
    text = (
        "cpu: host\nlocaltime: 0\nmemory: 1\nostype: win11\n\n"
        "[PENDING]\ncpu: host,flags=+hv-tlbflush\ndelete: localtime\n\n"
        "[before]\n#a description\ncpu: kvm64\nmemory: 1\nostype: win10\nsnaptime: 1\n\n"
        "[special:fleecing]\nfleecing-images: local:1\n"
    )
    main, pending, before = read_guests(text, "100.conf")
    assert [guest.label for guest in (main, pending, before)] == ["100.conf", "100.conf [PENDING]", "100.conf [before]"]
    assert (main.offset, "tlbflush" in main.on) == (None, False)
    assert (pending.offset, "tlbflush" in pending.on) == ("localtime", True)
    assert pending.span(pending.settings["tlbflush"].where).line == 7
    assert pending.span(pending.root).line == 4
    assert before.cpu == "kvm64"
    assert before.span(before.places["cpu"]).line == 12
    assert main.platforms_own[0] == "[PENDING]: the next start applies it"


def test_a_snapshot_with_memory_has_the_cpu_that_ran() -> None:
    text = (
        "cpu: host\nmemory: 1\nostype: win11\n[ab]\ncpu: host\nmemory: 1\nostype: win11\n"
        "runningcpu: kvm64,hv_relaxed,+sep\nrunningmachine: pc-q35-8.1+pve0\n"
    )
    _, snapshot = read_guests(text, "100.conf")
    assert (snapshot.cpu, snapshot.machine, list(snapshot.on)) == ("kvm64", "pc-q35-8.1", ["relaxed"])


def test_args_come_last() -> None:
    guest = read(
        "args: -cpu 'host,kvm=off' -machine hpet=on -rtc base=utc\nmachine: pc-q35-9.2\nostype: win11\nmemory: 1\n"
    )
    assert guest.hidden
    assert guest.on == {}
    assert (guest.offset, guest.timers["hpet"].present, guest.machine) == ("utc", True, "pc-q35-9.2")
    assert guest.span(guest.places["cpu"])[1:5] == (1, 13, 1, 26)
    assert guest.doubts == ()


def test_args_are_not_for_a_shell() -> None:
    guest = read("args: -cpu host,hv_vendor_id=$x # -cpu max\nostype: l26\nmemory: 1\n")
    assert guest.cpu == "max"
    assert not guest.open


def test_a_custom_model() -> None:
    models = read_models(MODELS, "cpu-models.conf")
    guest = read("cpu: custom-plain,hidden=0\nmachine: pc-q35-9.2\nmemory: 1\nostype: win11\n", models)
    assert (guest.cpu, guest.hidden) == ("host", False)
    assert "frequencies" in guest.on
    assert "reset" not in guest.on
    assert guest.origin(guest.settings["frequencies"].where) == "custom model plain, cpu-models.conf:4"
    assert guest.span(guest.settings["frequencies"].where)[1:3] == (1, 6)


def test_models_are_read_as_proxmox_reads_them() -> None:
    """An empty line ends a section, a header in one is passed over, and the first of two properties counts."""
    text = (
        "noise\ncpu-model: a\n    reported-model host\n    flags +aes\n    flags +pcid\ncpu-model: b\n  hidden 1\n"
        "noise\n\nother: c\n    flags +ssbd\n\ncpu-model: custom-d\n\n"
    )
    assert {name: dict(model) for name, model in read_models(text, "m").models.items()} == {
        "a": {"reported-model": ("host", 3), "flags": ("+aes", 4), "hidden": ("1", 7)},
        "custom-d": {},
    }


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("flags +aes;pcid", "pcid is no flag: Proxmox VE ignores all flags of it (custom model a, m:3)"),
        ("flags", "nothing is no flag: Proxmox VE ignores all flags of it (custom model a, m:3)"),
        ("hv-vendor-id a-b", "a-b is no vendor id: Proxmox VE ignores it (custom model a, m:3)"),
    ],
)
def test_what_proxmox_ignores_of_a_model(line: str, message: str) -> None:
    models = read_models(f"cpu-model: a\n    reported-model host\n    {line}\n", "m")
    guest = read("cpu: custom-a\nmachine: pc-q35-9.2\nmemory: 1\nostype: l26\n", models)
    assert [(one.message, guest.span(one.where).column) for one in guest.mistakes] == [(message, 6)]
    assert not {"aes", "pcid"} & dict(guest.features).keys()


def test_what_is_false_in_a_model_counts_for_nothing() -> None:
    models = read_models("cpu-model: a\n    reported-model host\n    hidden 0\n", "m")
    text = "cpu: custom-a{}\nhostpci0: 01:00,x-vga=1\nmachine: pc-q35-9.2\nmemory: 1\nostype: l26\n"
    assert read(text.format(""), models).hidden
    assert not read(text.format(",hidden=0"), models).hidden


def test_a_model_that_proxmox_may_not_have() -> None:
    models = read_models("cpu-model: a\n    reported-model EPYC-Venice\n", "m")
    (doubt,) = read("cpu: custom-a\nmachine: pc-q35-9.2\nmemory: 1\nostype: l26\n", models).doubts
    assert doubt == "whether Proxmox VE has a CPU model 'EPYC-Venice' is not known (custom model a, m:2)"


@pytest.mark.parametrize(
    ("ostype", "machine", "present"),
    [("l26", "10.0", None), ("l26", "10.1", False), ("other", "10.1", None), ("win7", "5.1", False)],
)
def test_the_hpet(ostype: str, machine: str, present: bool | None) -> None:
    guest = read(f"machine: pc-q35-{machine}\nmemory: 1\nostype: {ostype}\n")
    hpet = guest.timers.get("hpet")
    assert (hpet.present if hpet else None) is present


def test_a_flag_that_qemu_would_refuse() -> None:
    """`_` is `-` in name=value only."""
    models = read_models(MODELS, "cpu-models.conf")
    guest = read("cpu: custom-older\nmachine: pc-q35-9.2\nmemory: 1\nostype: win11\n", models)
    (mistake,) = guest.mistakes
    assert mistake.message == "QEMU knows no property hv_frequencies"


def test_an_unknown_custom_model() -> None:
    text = "cpu: custom-x\nmachine: pc-q35-9.2\nmemory: 1\nostype: win11\n"
    guest = read(text)
    assert guest.cpu is None
    assert guest.open
    assert guest.doubts == ("the custom model x is not known: cpu-models.conf is not known",)
    missing = read(text, read_models(MODELS, "cpu-models.conf"))
    assert missing.mistakes[0].message == "cpu-models.conf has no model 'x': Proxmox VE ignores the line"


@pytest.mark.parametrize(
    ("line", "message", "column"),
    [
        ("cpu: host,flags=+avx", "cpu: takes no flag +avx: Proxmox VE ignores the line", 17),
        ("cpu: host,flags=aes", "aes is no flag: Proxmox VE ignores the line", 17),
        ("cpu: host,hidden=maybe", "hidden=maybe is no switch: Proxmox VE ignores the line", 18),
        ("cpu: host,hv-vendor-id=a-b", "hv-vendor-id=a-b is no vendor id: Proxmox VE ignores the line", 24),
        ("cpu: host,flagz=+aes", "cpu: has no property 'flagz': Proxmox VE ignores the line", 17),
        ("cpu: hots", "Proxmox VE has no CPU model 'hots': it ignores the line", 6),
        ("cpu: epyc-rome", "Proxmox VE has no CPU model 'epyc-rome': it ignores the line", 6),
        ("cpu: flags=+aes", "cpu: flags=+aes names no CPU model: Proxmox VE ignores the line", 6),
        ("machine: pc-q35", "pc-q35 is no machine type of Proxmox VE, which ignores the line", 10),
        ("cores: many", "cores: many is no number of vCPUs", 8),
        ("kvm: perhaps", "kvm: perhaps is no switch: Proxmox VE ignores the line", 6),
        ("bios: efi", "bios: 'efi' is no firmware of Proxmox VE's", 7),
        ("args: -cpu 'host", "a quotation in args: has no end: Proxmox VE passes none of it on", 7),
        ("What is this?", "Proxmox VE cannot parse this line: What is this?", 1),
        (
            "args: -cpu host,hv_spinlocks=many",
            "hv-spinlocks=many: the value is a whole number that fits into uint32",
            17,
        ),
    ],
)
def test_mistakes_have_places(line: str, message: str, column: int) -> None:
    guest = read(f"memory: 1\nostype: win11\n{line}\n")
    (mistake,) = [one for one in guest.mistakes if one.kind == "value"]
    assert mistake.message == message
    assert guest.span(mistake.where, mistake.attribute)[1:3] == (3, column)


def test_all_mistakes_are_raised_at_once() -> None:
    with pytest.raises(InputError) as caught:
        api.read_text("cores: x\nmemory: 1\nostype: win12\nkvm: 2\n", "100.conf")
    assert [problem.span and problem.span.line for problem in caught.value.problems] == [1, 3, 4]


def test_too_many_sections() -> None:
    with pytest.raises(InputError, match="more than 1000 sections"):
        read_guests("memory: 1\ncores: 1\n" + "[ab]\n" * 1001, "100.conf")


def test_conversion_names_what_is_proxmoxs_own() -> None:
    guest = read(TEXT)
    text, lost = api.convert(Described(guest), "libvirt")
    assert 'machine="pc-q35-9.2"' in text
    assert "machine type pc-q35-9.2+pve1: +pve1 is Proxmox VE's own" in lost
    assert "ostype win11 is Windows 11, Server 2022 or 2025: Windows 11 is written" in lost


def test_what_it_becomes_is_read_again() -> None:
    guest = read(TEXT)
    again = api.read_text(api.convert(Described(guest), "qemu").text).guest
    assert again is not None
    assert again.enabled() == guest.enabled()
    assert again.features == guest.features


def test_a_host_settles_what_is_open() -> None:
    guest = read_guests("cpu: host\nmachine: pc-q35-11.0+pve2\nmemory: 1\nostype: win11\n", "100.conf")[0]
    assert guest.doubts
    on = guest.on_hosts([made_amd_host()])
    assert on.doubts == ()
    assert "evmcs" not in on.on
