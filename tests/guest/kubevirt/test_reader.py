"""What a VirtualMachine is read as: every fact with its place, and what is not there by what KubeVirt makes of it."""

from __future__ import annotations

import pytest
import yaml

from hvctl.guest.kubevirt.machine import Machine
from hvctl.guest.kubevirt.reader import read_machine, read_machines
from hvctl.model.guest import Firmware, Known, Topology

SPEC = """\
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata:
  name: db1
  labels:
    os.template.kubevirt.io/win2k22: "true"
spec:
  template:
    spec:
      architecture: amd64
      domain:
        clock:
          timezone: Europe/Berlin
          timer:
            hpet: {present: false}
            hyperv: {}
            kvm: {present: false}
            pit: {tickPolicy: delay}
            rtc: {tickPolicy: catchup, track: wall}
        cpu:
          model: Skylake-Server
          sockets: 1
          cores: 4
          threads: 2
          dedicatedCpuPlacement: true
          features:
            - name: svm
              policy: disable
            - name: invtsc
        devices:
          gpus:
            - {name: gpu1, deviceName: nvidia.com/TU104GL}
          panicDevices:
            - model: hyperv
        features:
          kvm: {hidden: true}
          hyperv:
            spinlocks: {}
            vendorid: {vendorid: KVMKVMKVM}
            tlbflush: {direct: {}, extended: {enabled: false}}
        firmware:
          bootloader:
            efi: {secureBoot: false}
        machine:
          type: pc-q35-rhel9.6.0
"""


def test_every_fact() -> None:
    guest = read_machine(SPEC, "vm.yaml")
    assert (guest.label, guest.arch, guest.accelerator, guest.libvirt) == ("db1", "x86_64", "kvm", True)
    assert (guest.cpu, guest.machine, guest.offset) == ("Skylake-Server", "pc-q35-rhel9.6.0", "timezone")
    assert (guest.hidden, guest.pinned, guest.vcpus) == (True, True, 8)
    assert guest.topology == Topology(1, None, 4, 2)
    assert guest.features == (("svm", False), ("invtsc", True))
    assert guest.firmware == Firmware("uefi", False)
    assert guest.release is not None
    assert guest.release.id == "windows-server-2022"
    assert [device.name for device in guest.devices] == ["nvidia.com/TU104GL"]
    assert {name: (timer.present, timer.policy) for name, timer in guest.timers.items()} == {
        "hpet": (False, None),
        "kvmclock": (False, None),
        "pit": (None, "delay"),
        "rtc": (None, "catchup"),
    }
    plain = dict.fromkeys(("vpindex", "crash", "time", "tlbflush", "tlbflush-direct"))
    assert guest.enabled() == {"spinlocks": 4096, "vendor-id": "KVMKVMKVM", **plain}
    assert guest.implied == {"vpindex": "tlbflush"}
    assert guest.known("tsc_frequency") is Known.UNKNOWN
    for fact, line in {"offset": 13, "cpu": 21, "firmware": 43, "machine": 45, "hidden": 36}.items():
        assert guest.span(guest.places[fact]).line == line, fact


def test_what_is_not_written() -> None:
    text = "apiVersion: kubevirt.io/v1\nkind: VirtualMachineInstance\nspec:\n  domain:\n    devices: {}\n"
    guest = read_machine(text, "x")
    assert (guest.machine, guest.cpu, guest.offset, guest.vcpus) == ("q35", None, None, None)
    assert guest.mistakes == []
    assert guest.settings == {}


@pytest.mark.parametrize("key", ["features", "hyperv", "synictimer", "clock", "timer", "domain", "spec", "template"])
@pytest.mark.parametrize("value", [None, [], {}, "text", 1, [{}], [None], {"a": {"b": 1}}])
def test_nothing_odd_is_a_traceback(key: str, value: object) -> None:
    def put(node: object) -> object:
        if isinstance(node, dict):
            return {name: value if name == key else put(one) for name, one in node.items()}
        return [put(one) for one in node] if isinstance(node, list) else node

    tree = yaml.safe_load(SPEC)
    tree["spec"]["template"]["spec"]["domain"]["features"]["hyperv"]["synictimer"] = {}
    for guest in read_machines(yaml.safe_dump(put(tree)), "x"):
        assert isinstance(guest, Machine)
        for mistake in guest.mistakes:
            assert guest.span(mistake.where).line > 0


@pytest.mark.parametrize("feature", ["{}", '{name: ""}', "{name: ~}", "{name: []}", "{policy: require}"])
def test_a_cpu_feature_without_a_name(feature: str) -> None:
    head = "apiVersion: kubevirt.io/v1\nkind: VirtualMachineInstance\nspec:\n  domain:\n    devices: {}\n"
    guest = read_machine(f"{head}    cpu:\n      features:\n      - {feature}\n", "x")
    assert [mistake.message for mistake in guest.mistakes] == ["a CPU feature has no name"]
    assert guest.features == ()
