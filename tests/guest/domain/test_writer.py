"""render.libvirt: the domain."""

from __future__ import annotations

from hvctl.guest.domain.writer import domain
from hvctl.model.profile import ClockChoice, CpuChoice, Migration, Profile
from hvctl.plan.resolve import resolve
from tests.made_hosts import made_amd_host, made_intel_host
from tests.plan.test_resolve import wish


def xml(profile: Profile, *, intel: bool = False, fragment: bool = False, name: str | None = None) -> str:
    plan = resolve(profile, (made_intel_host() if intel else made_amd_host(),), libvirt=True)
    assert not plan.refusals
    return domain(plan, fragment=fragment, name=name)


def test_a_whole_domain() -> None:
    wishes = (
        wish("relaxed"),
        wish("spinlocks", value=8191),
        wish("stimer-direct"),
        wish("tlbflush-ext"),
        wish("tlbflush-direct"),
        wish("vendor-id", value="<&'\">"),
        wish("crash"),
    )
    assert xml(Profile("a<b", wishes=wishes, cpu=CpuChoice(hidden=True))) == (
        """\
<domain type="kvm">
  <name>a&lt;b</name>
  <memory unit="MiB">4096</memory>
  <os>
    <type arch="x86_64" machine="pc-q35-10.0">hvm</type>
  </os>
  <features>
    <acpi/>
    <apic/>
    <hyperv>
      <relaxed state="on"/>
      <vapic state="on"/>
      <spinlocks state="on" retries="8191"/>
      <vpindex state="on"/>
      <synic state="on"/>
      <stimer state="on">
        <direct state="on"/>
      </stimer>
      <vendor_id state="on" value="&lt;&amp;'&quot;&gt;"/>
      <tlbflush state="on">
        <direct state="on"/>
        <extended state="on"/>
      </tlbflush>
    </hyperv>
    <kvm>
      <hidden state="on"/>
    </kvm>
  </features>
  <cpu mode="host-passthrough" check="none" migratable="on"/>
  <clock offset="localtime">
    <timer name="rtc" tickpolicy="catchup"/>
    <timer name="pit" tickpolicy="delay"/>
    <timer name="hpet" present="no"/>
    <timer name="hypervclock" present="yes"/>
  </clock>
  <devices>
    <panic model="hyperv"/>
  </devices>
</domain>
"""
    )


def test_a_fragment_has_only_what_the_profile_decides() -> None:
    found = xml(Profile("test", wishes=(wish("relaxed"),)), fragment=True)
    assert "<name>" not in found
    assert "<memory" not in found
    assert "<acpi/>" not in found
    assert '<relaxed state="on"/>' in found


def test_passthrough_is_a_mode() -> None:
    found = xml(Profile("test", wishes=(wish("passthrough"),), migration=Migration.NONE))
    assert '<hyperv mode="passthrough"/>' in found
    assert "migratable" not in found


def test_no_empty_hyperv_element() -> None:
    assert "hyperv" not in xml(Profile("test", wishes=(wish("time", "off"),)), fragment=True)


def test_the_clock() -> None:
    found = xml(Profile("test", clock=ClockChoice("utc", hpet=True, rtc="delay", pit="discard")))
    assert '<clock offset="utc">' in found
    assert '<timer name="rtc" tickpolicy="delay"/>' in found
    assert '<timer name="pit" tickpolicy="discard"/>' in found
    assert '<timer name="hpet" present="yes"/>' in found


def test_a_named_cpu_with_features_and_a_tsc_frequency() -> None:
    choice = CpuChoice("Skylake-Server", features=(("invtsc", True), ("pcid", False)))
    found = xml(Profile("test", cpu=choice, tsc_frequency=2_600_000_000), intel=True)
    assert '<model fallback="forbid">Skylake-Server</model>' in found
    assert '<feature policy="require" name="invtsc"/>' in found
    assert '<feature policy="disable" name="pcid"/>' in found
    assert '<timer name="tsc" frequency="2600000000"/>' in found
