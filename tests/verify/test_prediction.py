"""prediction: a command line's words reach the same answer as the plan that they were written from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvctl.catalog import BY_ID, ROWS
from hvctl.catalog.types import Kind
from hvctl.guest.command.writer import cpu
from hvctl.guest.plan import guest_of
from hvctl.host.host_file import read_host
from hvctl.model.profile import Value
from hvctl.plan.cpuid import kvm_leaves, predict
from hvctl.plan.start import Circumstances, predict_start
from hvctl.verify.compare import predict_command
from tests.made_hosts import made_qemu
from tests.paths import HOSTS
from tests.plan.test_start import raw_plan

NAMES = ("debian-12", "debian-13", "debian-12-intel", "debian-13-intel", "no-hyperv")
RECORDED = {name: read_host(str(HOSTS / f"{name}.json")) for name in NAMES}
MISSING = "Property 'host-x86_64-cpu.{}' not found"


def value(row_id: str) -> st.SearchStrategy[Value | None]:
    return {
        Kind.FLAG: st.none(),
        Kind.NUMBER: st.integers(4095, 0x7FFFFFFF),
        Kind.STRING: st.sampled_from(["Microsoft Hv", "KVM", "x y"]),
        Kind.ON_OFF_AUTO: st.sampled_from(["on", "auto"]),
        Kind.VERSION: st.just("10.0.20348"),
    }[BY_ID[row_id].kind]


ENABLED = st.sets(st.sampled_from([row.id for row in ROWS if not row.experimental])).flatmap(
    lambda ids: st.fixed_dictionaries({row_id: value(row_id) for row_id in ids})
)


@given(
    ENABLED,
    st.sampled_from(sorted(RECORDED)),
    st.sampled_from(["pc-q35-7.2", "pc-i440fx-3.0", "pc-q35-6.1", "q35"]),
    st.sampled_from(["host", "qemu64"]),
    st.booleans(),
    st.sampled_from(["on", "split", "off"]),
    st.sampled_from([None, 2_596_150_000, 1_000_000_000]),
)
def test_words_are_predicted_as_their_plan(
    enabled: dict[str, Value | None],
    host: str,
    machine: str,
    model: str,
    hidden: bool,
    irqchip: str,
    frequency: int | None,
) -> None:
    plan = raw_plan(enabled, machine, model=model, hidden=hidden, tsc_frequency=frequency)
    words = ("-machine", f"{machine},kernel-irqchip={irqchip}", "-cpu", cpu(guest_of(plan)))
    found = predict_command(words, "test", RECORDED[host])
    expected = predict_start(plan, RECORDED[host], Circumstances(irqchip=irqchip))
    assert found == expected
    if found.starts and host != "no-hyperv":
        leaves = (*predict(plan, RECORDED[host]), *kvm_leaves(plan, RECORDED[host], irqchip=irqchip))
        assert found.leaves == tuple(leaf for leaf in leaves if any(leaf[1:]))


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("-cpu host,hv-nosuch", f"can't apply global host-x86_64-cpu.hv-nosuch=on: {MISSING.format('hv-nosuch')}"),
        ("-cpu host,hv_nosuch=1", f"can't apply global host-x86_64-cpu.hv-nosuch=1: {MISSING.format('hv-nosuch')}"),
        ("-cpu host,+nosuch,hv-synic", MISSING.format("nosuch")),
        # The properties of -global come first, wherever they are.
        (
            "-cpu host,hv-b=on -global x86_64-cpu.hv-a=off",
            f"can't apply global x86_64-cpu.hv-a=off: {MISSING.format('hv-a')}",
        ),
        ("-cpu host,hv-nosuch -cpu host", None),
        ("-cpu host -global qemu64-x86_64-cpu.hv-nosuch=on", None),
        ("-accel kvm -cpu host,hv-relaxed,hv-apicv,kvm=off,migratable=off,tsc-freq=2.59615G", None),
    ],
)
def test_each_form_of_a_property(words: str, error: str | None) -> None:
    found = predict_command(words.split(), "test", RECORDED["debian-12"])
    assert (found.starts, found.error) == (error is None, error)


def test_an_enlightenment_that_only_qemu_knows_cannot_be_told() -> None:
    host = RECORDED["debian-12"]
    qemu = host.qemu[0]
    newer = host._replace(qemu=(qemu._replace(properties=(*qemu.properties, ("hv-new", "bool"))),))
    found = predict_command(("-cpu", "host,hv-new=on"), "test", newer)
    assert (found.starts, found.error) == (None, None)
    assert "hv-new" in (found.why or "")


def test_an_alias_is_the_machine_type_that_it_names() -> None:
    host = RECORDED["debian-12"]
    old = made_qemu().machines[0]._replace(name="pc-q35-3.0", alias="q35")
    aged = host._replace(qemu=(host.qemu[0]._replace(machines=(old,)),))
    words = ("-machine", "q35", "-cpu", "host,hv-synic")
    assert predict_command(words, "test", aged).starts
    assert predict_command(words, "test", host).starts is False
