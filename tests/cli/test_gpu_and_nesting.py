"""Guests with a graphics card, that hide, that run a hypervisor or are to be saved: reduced from public reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hvctl.host.host_file import dump_host
from tests.cli.run import inside
from tests.made_hosts import made_amd_host, made_intel_host

CARD = """\
    <hostdev mode='subsystem' type='pci' managed='yes'>
      <source>
        <address domain='0x0000' bus='0x03' slot='0x00' function='0x0'/>
      </source>
    </hostdev>
"""
NETWORK_CARD = """\
    <interface type='hostdev' managed='yes'>
      <source>
        <address type='pci' domain='0x0000' bus='0x04' slot='0x10' function='0x0'/>
      </source>
    </interface>
"""
MEDIATED = (
    "<hostdev mode='subsystem' type='mdev' model='vfio-pci'><source><address uuid='c2177883'/></source></hostdev>"
)
GPU_GUEST = f"""\
<domain type='kvm'>
  <name>win11</name>
  <memory unit='GiB'>16</memory>
  <vcpu>8</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <features>
    <hyperv mode="custom">
      <relaxed state="on"/>
      <vapic state="on"/>
      <spinlocks state="on" retries="8191"/>
      <vpindex state="on"/>
      <synic state="on"/>
      <stimer state="on"/>
      <reenlightenment state="on"/>
    </hyperv>
  </features>
  <cpu mode='host-passthrough' check='none' migratable='off'>
    <topology sockets='1' cores='8' threads='1'/>
    <feature policy='require' name='invtsc'/>
  </cpu>
  <clock offset='localtime'>
    <timer name='rtc' tickpolicy='catchup'/>
    <timer name='hpet' present='no'/>
    <timer name='hypervclock' present='yes'/>
  </clock>
  <devices>
{CARD}  </devices>
</domain>
"""
AGAINST_MIGRATION = {"invtsc-without-frequency", "reenlightenment-without-frequency", "unversioned-machine"}
GAMING = """\
version: 1
name: gaming
extends: windows-11
migration: none
guest:
  os: windows-11
  uses: [gpu-passthrough]
"""
HIDING = f"""\
<domain type='kvm'>
  <name>win11</name>
  <memory unit='GiB'>16</memory>
  <vcpu>8</vcpu>
  <os firmware='efi'>
    <type arch='x86_64' machine='pc-q35-9.2'>hvm</type>
  </os>
  <features>
    <acpi/>
    <apic/>
    <hyperv mode="custom">
      <relaxed state="on"/>
      <vapic state="on"/>
      <spinlocks state="on" retries="8191"/>
      <vpindex state="on"/>
      <runtime state="on"/>
      <synic state="on"/>
      <stimer state="on"/>
      <vendor_id state="on" value="123456789ab"/>
      <frequencies state="on"/>
      <tlbflush state="on"/>
      <ipi state="on"/>
    </hyperv>
    <kvm>
      <hidden state="on"/>
    </kvm>
  </features>
  <cpu mode='host-passthrough' check='none' migratable='on'>
    <topology sockets='1' cores='8' threads='1'/>
  </cpu>
  <clock offset='localtime'>
    <timer name='rtc' tickpolicy='catchup'/>
    <timer name='pit' tickpolicy='delay'/>
    <timer name='hpet' present='no'/>
    <timer name='hypervclock' present='yes'/>
  </clock>
  <devices>
{CARD}  </devices>
</domain>
"""
NO_MIGRATION = "version: 1\nname: n\nextends: windows-11\nmigration: none\n"


@pytest.fixture
def amd(tmp_path: Path) -> str:
    return written(tmp_path, "amd.json", dump_host(made_amd_host()))


@pytest.fixture
def intel(tmp_path: Path) -> str:
    return written(tmp_path, "intel.json", dump_host(made_intel_host()))


def written(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def lint(folder: Path, text: str, *words: str) -> dict[str, str]:
    """The severities of what is found, by the rule."""
    path = written(folder, "g.xml" if text.startswith("<") else "g.args", text)
    done = inside("lint", path, "--no-config", "--format", "json", *words, code=None)
    return {one["rule"]: one["severity"] for one in json.loads(done.stdout)["findings"]}


def verdict(*words: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(inside("check-migration", *words, "--format", "json", code=None).stdout)
    return document


class TestMigration:
    """What is said of it where a device is assigned, or the profile says that the guest never migrates."""

    def test_findings_are_infos_beside_an_assigned_device(self, tmp_path: Path) -> None:
        found = lint(tmp_path, GPU_GUEST)
        assert {rule: found[rule] for rule in AGAINST_MIGRATION} == dict.fromkeys(AGAINST_MIGRATION, "info")

    @pytest.mark.parametrize("device", ["", MEDIATED, NETWORK_CARD])
    def test_of_any_kind(self, device: str, tmp_path: Path) -> None:
        found = lint(tmp_path, GPU_GUEST.replace(CARD, device))
        assert {found[rule] for rule in AGAINST_MIGRATION} == {"info" if device else "warning"}

    def test_a_profile_with_a_card_is_like_a_card(self, tmp_path: Path) -> None:
        profile = written(tmp_path, "p.yaml", GAMING.replace("migration: none\n", ""))
        found = lint(tmp_path, GPU_GUEST.replace(CARD, ""), "--profile", profile)
        assert {found[rule] for rule in AGAINST_MIGRATION} == {"info"}

    @pytest.mark.parametrize("text", [GPU_GUEST, GPU_GUEST.replace(CARD, "")], ids=["card", "none"])
    @pytest.mark.parametrize("profile", [GAMING, NO_MIGRATION], ids=["gaming", "none"])
    def test_a_profile_that_never_migrates_is_silent_about_it(self, profile: str, text: str, tmp_path: Path) -> None:
        found = lint(tmp_path, text, "--profile", written(tmp_path, "p.yaml", profile))
        assert not AGAINST_MIGRATION & set(found)

    def test_a_configured_severity_counts(self, tmp_path: Path) -> None:
        config = written(tmp_path, "hvctl.toml", '[severity]\ninvtsc-without-frequency = "error"\n')
        path = written(tmp_path, "g.xml", GPU_GUEST)
        done = inside("lint", path, "--config", config, "--format", "json", code=1)
        found = {one["rule"]: one["severity"] for one in json.loads(done.stdout)["findings"]}
        assert found["invtsc-without-frequency"] == "error"

    def test_a_device_is_named_by_check_migration(self, tmp_path: Path, amd: str) -> None:
        found = verdict(written(tmp_path, "g.xml", HIDING), "--from", amd, "--to", amd)
        (one,) = found["verdicts"]
        assert one["answer"] == "unknown"
        assert [(reason["id"], reason["effect"]) for reason in one["reasons"]] == [("device", "unknown")]
        assert "0000:03:00.0" in one["reasons"][0]["text"]

    @pytest.mark.parametrize("save", [False, True])
    def test_so_is_the_card_of_a_profile(self, save: bool, tmp_path: Path, amd: str) -> None:
        profile = written(tmp_path, "p.yaml", GAMING)
        found = verdict(profile, "--from", amd, *(["--save"] if save else ["--to", amd]))
        assert found["works"] == []
        assert "guest.uses: [gpu-passthrough]" in found["verdicts"][0]["reasons"][0]["text"]


class TestHiding:
    """The hypervisor's name, KVM hidden, and no hypervisor at all."""

    def test_a_vendor_id_is_not_pointless_beside_a_card(self, tmp_path: Path) -> None:
        assert lint(tmp_path, HIDING) == {}
        assert "vendor-id-pointless" in lint(tmp_path, HIDING.replace(CARD, ""))
        assert "vendor-id-pointless" in lint(tmp_path, HIDING.replace(CARD, NETWORK_CARD))
        assert lint(tmp_path, HIDING.replace(CARD, MEDIATED)) == {}

    @pytest.mark.parametrize(
        ("options", "quiet"),
        [("", False), ("-device vfio-pci,host=03:00.0", True), ("$MORE", True), ("-device virtio-net", False)],
    )
    def test_on_a_command_line(self, options: str, quiet: bool, tmp_path: Path) -> None:
        text = f"qemu-system-x86_64 -accel kvm -M pc-q35-9.2 -cpu host,kvm=off,hv_relaxed,hv_vendor_id=none {options}\n"
        assert ("vendor-id-pointless" not in lint(tmp_path, text)) is quiet

    def test_nor_where_the_profile_says_so(self, tmp_path: Path) -> None:
        profile = written(tmp_path, "p.yaml", GAMING)
        assert "vendor-id-pointless" not in lint(tmp_path, HIDING.replace(CARD, ""), "--profile", profile)
        profile = written(tmp_path, "q.yaml", "version: 1\nextends: windows-11\nenlightenments: {vendor-id: abc}\n")
        assert "vendor-id-pointless" not in lint(tmp_path, HIDING.replace(CARD, ""), "--profile", profile)

    def gen(self, folder: Path, profile: str, text: str, host: str) -> tuple[str, str]:
        """The domain after, and what was said, in one line."""
        done = inside("gen", profile, "--domain", written(folder, "g.xml", text), "--host", host)
        return done.stdout, " ".join(done.stderr.split())

    @pytest.mark.parametrize("profile", ["windows-11", "all", "minimal"])
    def test_both_are_kept_beside_a_card_and_that_is_said(self, profile: str, tmp_path: Path, amd: str) -> None:
        after, said = self.gen(tmp_path, profile, HIDING, amd)
        assert '<vendor_id state="on" value="123456789ab"/>' in after
        assert '<hidden state="on"/>' in after
        assert "assigned device 0000:03:00.0 may be a GPU" in said
        assert "kept for its driver: vendor-id, kvm hidden" in said

    def test_without_a_card_the_profile_decides(self, tmp_path: Path, amd: str) -> None:
        after, said = self.gen(tmp_path, "windows-11", HIDING.replace(CARD, ""), amd)
        assert "vendor_id" not in after
        assert '<hidden state="on"/>' in after
        assert "GPU" not in said

    @pytest.mark.parametrize(
        ("line", "gone"),
        [
            ("enlightenments: {vendor-id: off}", "vendor-id"),
            ("enlightenments: {vendor-id: other}", "vendor-id"),
            ("cpu: {hidden: off}", "kvm hidden"),
            ("migration: none\nenlightenments: {passthrough: on}", "vendor-id"),
        ],
    )
    def test_what_a_profile_says_counts_and_is_named(self, line: str, gone: str, tmp_path: Path, amd: str) -> None:
        profile = written(tmp_path, "p.yaml", f"version: 1\nname: mine\nextends: windows-11\n{line}\n")
        after, said = self.gen(tmp_path, profile, HIDING, amd)
        assert f"profile mine changes or removes: {gone}" in said
        assert ("123456789ab" in after) is (gone == "kvm hidden")

    WITHOUT = HIDING.replace("<topology", "<feature policy='disable' name='hypervisor'/><topology").replace(CARD, "")
    HYPERV = WITHOUT[WITHOUT.index("    <hyperv") : WITHOUT.index("    <kvm>")]
    ALONE = WITHOUT.replace(HYPERV, "").replace("    <timer name='hypervclock' present='yes'/>\n", "")

    def test_to_hide_on_purpose_is_one_info(self, tmp_path: Path, amd: str) -> None:
        for words in ((), ("--host", amd)):
            assert lint(tmp_path, self.ALONE, *words) == {"hypervisor-hidden": "info"}
        line = (
            "qemu-system-x86_64 -name win11 -accel kvm -M pc-q35-9.2 -cpu host,kvm=off,-hypervisor -rtc base=localtime"
        )
        assert lint(tmp_path, line) == {"hypervisor-hidden": "info"}

    def test_what_is_not_looked_at_need_not_be_complete(self, tmp_path: Path, intel: str) -> None:
        """No rule asks for more of what another asks to leave out."""
        text = self.WITHOUT.replace('      <stimer state="on"/>\n', "").replace('      <vapic state="on"/>\n', "")
        text = text.replace('      <vendor_id state="on" value="123456789ab"/>\n', "")
        assert lint(tmp_path, text, "--host", intel) == {"hypervisor-hidden": "warning"}


VBS = "version: 1\nname: v\nextends: windows-server-2022\nguest: {os: windows-server-2022, uses: [vbs]}\n"
SPLIT = (
    "qemu-system-x86_64 -machine q35,accel=kvm,smm=on,kernel-irqchip=split -cpu host,+vmx -m 8G -smp 1 "
    "-drive if=pflash,format=raw,readonly=on,file=OVMF_CODE_4M.secboot.fd -drive file=server-2022.qcow2\n"
)
HVCI = (
    "qemu-system-x86_64 -name win11-hvci -machine type=q35,accel=kvm,usb=on -device intel-iommu "
    "-cpu Skylake-Client-v3,hv_stimer,hv_synic,hv_relaxed,hv_spinlocks=0xfff,hv_vpindex,hv_vapic,hv_time,"
    "hv_frequencies,hv_runtime,+kvm_pv_unhalt,+vmx --enable-kvm -m 8G -smp 8,sockets=1,cores=8,threads=1 "
    "-nodefaults -rtc base=localtime\n"
)


class TestNesting:
    """Hypervisors inside the guest."""

    @pytest.mark.parametrize("cpu", ["host,+vmx", "host"])
    def test_the_io_apic_in_qemu(self, cpu: str, tmp_path: Path, intel: str, amd: str) -> None:
        profile, text = written(tmp_path, "p.yaml", VBS), SPLIT.replace("host,+vmx", cpu)
        assert lint(tmp_path, text, "--host", intel, "--profile", profile)["split-irqchip-nested"] == "warning"
        on = text.replace("kernel-irqchip=split", "kernel-irqchip=on")
        assert "split-irqchip-nested" not in lint(tmp_path, on, "--host", intel, "--profile", profile)
        without_vmx = text.replace(cpu, "host,vmx=off")
        assert "split-irqchip-nested" not in lint(tmp_path, without_vmx, "--host", intel, "--profile", profile)
        if cpu == "host":
            assert "split-irqchip-nested" not in lint(tmp_path, text, "--host", amd, "--profile", profile)
            assert "split-irqchip-nested" not in lint(tmp_path, text, "--host", intel)

    def test_where_windows_is_not_known_it_is_an_info(self, tmp_path: Path) -> None:
        assert lint(tmp_path, SPLIT)["split-irqchip-nested"] == "info"

    def test_in_a_domain(self, tmp_path: Path) -> None:
        text = HIDING.replace("<apic/>", "<apic/><ioapic driver='qemu'/>").replace(
            "<topology", "<feature policy='require' name='vmx'/><topology"
        )
        assert lint(tmp_path, text)["split-irqchip-nested"] == "warning"
        said = inside("lint", written(tmp_path, "g.xml", text), "--no-config", code=None).stdout
        assert "write <ioapic driver='kvm'/> in <features>" in " ".join(said.split())
        assert "split-irqchip-nested" not in lint(tmp_path, text.replace("driver='qemu'", "driver='kvm'"))

    def test_timers_that_are_not_direct_need_no_host_to_be_found(self, tmp_path: Path) -> None:
        assert lint(tmp_path, HVCI)["nested-incomplete"] == "info"
        said = inside("lint", written(tmp_path, "g.args", HVCI), "--no-config", code=None).stdout
        assert "lacks hv-stimer-direct" in said
        for other in (HVCI.replace("hv_stimer,", "hv_stimer,hv_stimer_direct,"), HVCI.replace(",+vmx", "")):
            assert "nested-incomplete" not in lint(tmp_path, other)

    def test_nothing_is_said_of_vbs_where_it_cannot_be(self, tmp_path: Path, intel: str) -> None:
        profile, off = written(tmp_path, "p.yaml", VBS), HVCI.replace("+vmx", "vmx=off,svm=off")
        for words in ((), ("--host", intel)):
            assert "nested-incomplete" not in lint(tmp_path, off, "--profile", profile, *words)

    @pytest.mark.parametrize(
        ("line", "hinted"),
        [
            ("", True),
            ("cpu: {features: {vmx: off}}", False),
            ("cpu: Skylake-Server", False),
            ("cpu: {hidden: on}", True),
        ],
    )
    def test_nor_by_gen(self, line: str, hinted: bool, tmp_path: Path, intel: str) -> None:
        profile = written(tmp_path, "p.yaml", f"version: 1\nextends: windows-11\n{line}\n")
        said = " ".join(inside("gen", profile, "--host", intel).stderr.split())
        assert ("virtualization-based security" in said) is hinted
        assert ("evmcs" in said or "nested" in said) is False

    def test_words_that_people_type(self, tmp_path: Path, intel: str) -> None:
        by_profile = written(
            tmp_path,
            "p.yaml",
            "version: 1\nname: windows-11\nextends: windows-11\nguest: {uses: [WSL2, Credential Guard]}\n",
        )
        expected = inside("gen", by_profile, "--host", intel).stdout
        assert "hv_evmcs=on" in expected
        for uses in (("wsl2,vbs",), ("Docker Desktop", "--uses", "memory_integrity"), ("HVCI,WSL",)):
            assert inside("gen", "windows-11", "--host", intel, "--uses", *uses).stdout == expected

    @pytest.mark.parametrize("word", ["Hyper-V", "windows sandbox", "core isolation", "NESTED-HYPERV"])
    def test_more_of_them(self, word: str, intel: str) -> None:
        assert "hv_evmcs=on" in inside("gen", "windows-10", "--host", intel, "--uses", word).stdout

    def test_others_are_errors_with_a_suggestion(self, intel: str, tmp_path: Path) -> None:
        done = inside("gen", "windows-11", "--host", intel, "--uses", "wls2", code=2)
        assert "unknown use 'wls2'" in done.stderr
        assert "did you mean 'wsl2'" in done.stderr
        profile = written(tmp_path, "p.yaml", "version: 1\nguest: {uses: [credential-gard]}\n")
        assert "did you mean 'credential-guard'" in " ".join(
            inside("gen", profile, "--host", intel, code=2).stderr.split()
        )
        off = written(tmp_path, "q.yaml", "version: 1\nextends: windows-11\ncpu: {features: {vmx: off, svm: off}}\n")
        done = inside("gen", off, "--host", intel, "--uses", "vbs", code=2)
        assert "guest.uses has vbs, which needs one of the CPU features" in " ".join(done.stderr.split())
        lock = str(tmp_path / "w.json")
        inside("gen", "windows-11", "--host", intel, "--lock", lock)
        assert (
            "--uses: not with --locked"
            in inside("gen", "--locked", lock, "--host", intel, "--uses", "vbs", code=2).stderr
        )

    def test_into_a_domain(self, tmp_path: Path, intel: str) -> None:
        path = written(tmp_path, "g.xml", HIDING)
        assert "<evmcs" not in inside("gen", "windows-11", "--domain", path, "--host", intel).stdout
        assert "<evmcs" in inside("gen", "windows-11", "--domain", path, "--host", intel, "--uses", "hyper-v").stdout


class TestSaving:
    """`check-migration --save`."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            (HIDING.replace(CARD, ""), []),
            (HIDING, [("unknown", "device")]),
            (HIDING.replace(CARD, "").replace("migratable='on'", "migratable='off'"), [("unknown", "cpu")]),
            (GPU_GUEST, [("refused", "cpu.features.invtsc"), ("lost", "reenlightenment"), ("unknown", "device")]),
            (
                "qemu-system-x86_64 -enable-kvm -machine pc-q35-5.1 -cpu host,kvm=off,hv_time,hv_relaxed -m 8G\n",
                [("changes", "cpu.hidden")],
            ),
            ("-accel kvm -M pc-q35-9.2 -cpu host,hv_passthrough\n", [("refused", "passthrough")]),
        ],
    )
    def test_no_host_need_be_known(self, text: str, expected: list[tuple[str, str]], tmp_path: Path) -> None:
        path = written(tmp_path, "g.xml" if text.startswith("<") else "g", text)
        found = verdict(path, "--save")
        (one,) = found["verdicts"]
        assert found["saved"] is True
        assert sorted((reason["effect"], reason["id"]) for reason in one["reasons"]) == sorted(expected)
        inside("check-migration", path, "--save", code=1 if expected else 0)

    def test_the_text_is_about_saving(self, tmp_path: Path) -> None:
        path = written(tmp_path, "g.xml", GPU_GUEST)
        said = " ".join(inside("check-migration", path, "--save", code=1).stdout.split())
        assert said.startswith(
            "win11, saved on its host no: its host refused: nothing is saved, and the guest goes on:"
        )
        assert "(virsh save, managed save, snapshot with memory)" in said
        assert "is saved, and cannot be loaded" in said

    def test_on_other_hosts(self, tmp_path: Path, amd: str, intel: str) -> None:
        path = written(tmp_path, "g.xml", HIDING.replace(CARD, ""))
        same = verdict(path, "--save", "--from", amd, "--to", amd)
        assert (same["works"], same["saved"]) == (["made-amd"], True)
        assert verdict(path, "--save", "--from", amd, "--to", intel)["works"] == []
        assert verdict(path, "--from", amd, "--to", amd)["saved"] is False

    def test_of_a_profile_on_its_host(self, amd: str) -> None:
        assert verdict("windows-11", "--save", "--from", amd)["works"] == ["made-amd"]
        assert verdict("passthrough", "--save", "--from", amd)["verdicts"][0]["answer"] == "no"

    def test_without_it_a_target_is_needed(self, tmp_path: Path) -> None:
        done = inside("check-migration", written(tmp_path, "g.xml", HIDING), code=2)
        assert "--to is missing" in done.stderr
        assert "--save" in done.stderr


def test_a_domains_vendor_id_stays_where_a_graphics_card_is_to_come(tmp_path: Path) -> None:
    hidden = "<vendor_id state='on' value='KVM Hv'/>\n    </hyperv><kvm><hidden state='on'/></kvm>"
    path = tmp_path / "ve.xml"
    path.write_text(GPU_GUEST.replace(CARD, "").replace("</hyperv>", hidden))
    host = tmp_path / "host.json"
    host.write_text(dump_host(made_amd_host()))
    words = ("gen", "windows-11", "--domain", str(path), "--host", str(host))
    done = inside(*words, "--uses", "gpu")
    assert "<vendor_id state='on' value='KVM Hv'/>" in done.stdout
    assert "<hidden state='on'/>" in done.stdout
    assert "vendor-id" not in done.stderr.replace("vendor id", "")
    assert "<vendor_id" not in inside(*words).stdout
