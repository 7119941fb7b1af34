"""cpuid: the leaves that the guest of a plan will see."""

from __future__ import annotations

from typing import Any

import pytest

from hvctl.catalog import BY_ID, ROWS
from hvctl.model.host import CpuidLeaf, Host
from hvctl.model.plan import Outcome
from hvctl.model.profile import Ask, CpuChoice, Migration, Profile, Wish
from hvctl.plan.cpuid import predict
from hvctl.plan.resolve import resolve
from tests.made_hosts import made_amd_host, made_intel_host, made_kvm, made_qemu
from tests.plan.test_resolve import wish

MICROSOFT_HV = (0x7263694D, 0x666F736F, 0x76482074)


def leaves(*wishes: Wish, host: Host | None = None, **changes: Any) -> dict[int, CpuidLeaf]:
    """What the guest of these wishes sees, by leaf number."""
    host = host or made_amd_host()
    profile = Profile("test", wishes=wishes, migration=Migration.NONE)._replace(**changes)
    plan = resolve(profile, (host,))
    assert not plan.refusals
    return {leaf.leaf: leaf for leaf in predict(plan, host)}


def test_relaxed_alone() -> None:
    # Seen by a guest in the testbed: 3: 20/0/0/8, 4: 20/ffffffff.
    assert leaves(wish("relaxed")) == {
        0x40000000: CpuidLeaf(0x40000000, 0x40000005, *MICROSOFT_HV),
        0x40000001: CpuidLeaf(0x40000001, 0x31237648),
        0x40000002: CpuidLeaf(0x40000002, 0x3839, 0x000A0000),
        0x40000003: CpuidLeaf(0x40000003, 0x20, 0, 0, 8),
        0x40000004: CpuidLeaf(0x40000004, 0x20, 0xFFFFFFFF),
        0x40000005: CpuidLeaf(0x40000005, 0xFFFFFFFF, 0x40),
        0x40000100: CpuidLeaf(0x40000100, 0x40000101, 0x4B4D564B, 0x564B4D56, 0x4D),
    }


def test_nothing_on_leaves_kvms_own_signature() -> None:
    assert leaves() == {0x40000000: CpuidLeaf(0x40000000, 0x40000001, 0x4B4D564B, 0x564B4D56, 0x4D)}
    assert leaves(cpu=CpuChoice(hidden=True)) == {}


def test_hidden_kvm_has_no_leaf_of_its_own() -> None:
    assert 0x40000100 not in leaves(wish("relaxed"), cpu=CpuChoice(hidden=True))


def test_a_nested_feature_raises_the_highest_leaf_and_fills_the_gap() -> None:
    found = leaves(wish("emsr-bitmap"))
    assert found[0x40000000].eax == 0x4000000A
    assert [found[leaf] for leaf in range(0x40000006, 0x4000000A)] == [
        CpuidLeaf(leaf) for leaf in range(0x40000006, 0x4000000A)
    ]
    assert found[0x4000000A] == CpuidLeaf(0x4000000A, 1 << 19)


def test_evmcs_has_its_version_in_the_nested_leaf() -> None:
    assert leaves(wish("evmcs"), host=made_intel_host())[0x4000000A].eax == 0x101


def test_avic_takes_the_recommendation_of_the_virtual_apic_away() -> None:
    with_vapic = leaves(wish("vapic"), host=made_intel_host())
    with_both = leaves(wish("vapic"), wish("avic"), host=made_intel_host())
    assert with_vapic[0x40000004].eax & (1 << 3)
    assert not with_both[0x40000004].eax & (1 << 3)


def test_values_stand_in_their_fields() -> None:
    found = leaves(
        wish("relaxed"),
        wish("spinlocks", value=8191),
        wish("vendor-id", value="KVM"),
        wish("version-id", value="1.2.3.4-5-6"),
    )
    assert found[0x40000004].ebx == 8191
    assert found[0x40000000][2:] == (0x4D564B, 0, 0)
    assert found[0x40000002] == CpuidLeaf(0x40000002, 3, 1 << 16 | 2, 4, 5 << 24 | 6)


def test_old_machine_types_change_version_synic_and_limits() -> None:
    found = leaves(wish("synic"), machine="pc-q35-2.10")
    assert found[0x40000002] == CpuidLeaf(0x40000002, 0x1BBC, 6 << 16 | 1)
    assert found[0x40000003].ebx == 0
    assert found[0x40000005].eax == 64
    assert leaves(wish("synic"))[0x40000003].ebx == 0x30


def test_syndbg_adds_its_leaves() -> None:
    found = leaves(wish("syndbg"))
    assert found[0x40000000].eax == 0x40000082
    assert found[0x40000081].eax == 0x31235356
    assert found[0x40000082].eax == 2


@pytest.mark.parametrize(("hints", "bit"), [(0xE2C, 0), (0x40E2C, 1 << 18)])
def test_coresharing_auto_is_the_hosts_bit(hints: int, bit: int) -> None:
    host = made_amd_host(kvm=made_kvm(hints=hints))
    asked = Wish("no-nonarch-coresharing", Ask.ON, "auto")
    assert leaves(wish("relaxed"), asked, host=host)[0x40000004].eax & (1 << 18) == bit


def test_passthrough_takes_kvms_identity_and_limits() -> None:
    # Seen in the testbed on Linux 6.12: "Linux KVM Hv", 3: 2aff/30/0/84518, 4: e24/fff, 5: 1000/40, A: a0000.
    found = leaves(wish("passthrough"))
    assert found[0x40000000] == CpuidLeaf(0x40000000, 0x4000000A, 0x756E694C, 0x564B2078, 0x7648204D)
    assert found[0x40000003] == CpuidLeaf(0x40000003, 0x2AFF, 0x30, 0, 0x84518)
    assert found[0x40000004] == CpuidLeaf(0x40000004, 0xE24, 0xFFF)
    assert found[0x40000005] == CpuidLeaf(0x40000005, 0x1000, 0x40)
    assert found[0x4000000A] == CpuidLeaf(0x4000000A, 0xA0000)


def test_passthrough_follows_what_qemu_said_about_syndbg() -> None:
    every = tuple(row.id for row in ROWS if row.in_passthrough and row.vendors != ("intel",))
    syndbg = next(row.id for row in ROWS if row.leaves)
    host = made_amd_host(qemu=(made_qemu()._replace(passthrough=(*every, syndbg)),))
    found = leaves(wish("passthrough"), host=host)
    assert found[0x40000000].eax == 0x40000082
    assert found[0x40000003].edx == 0x84D18


@pytest.mark.parametrize("row", [row for row in ROWS if row.checks], ids=lambda row: row.id)
def test_every_row_that_is_on_shows_its_bits_and_every_row_that_is_off_does_not(row: object) -> None:
    row = next(one for one in ROWS if one is row)
    host = made_intel_host()
    plan = resolve(Profile("test", wishes=(wish(row.id),), migration=Migration.NONE), (host,))
    assert not plan.refusals
    seen = {leaf.leaf: leaf for leaf in predict(plan, host)}
    on = {one.id for one in plan.decisions if one.state is Outcome.ON}
    wanted = {(bits.leaf, bits.register, bit) for one in on for bits in BY_ID[one].checks for bit in bits.bits}
    for other in ROWS:
        for bits in other.checks:
            for bit in bits.bits:
                value = seen[bits.leaf].register(bits.register) if bits.leaf in seen else 0
                assert bool(value & (1 << bit)) == ((bits.leaf, bits.register, bit) in wanted)
