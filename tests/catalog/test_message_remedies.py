"""Whoever does what `hvctl diagnose` says of a message does not get it again, and no other one.

What is an edit of QEMU's command line is done here, each alternative, and judged by what hvctl predicts of QEMU's
start and of a migration, and by lint. What is none is of one of a few kinds; a new message fails until it is in one of
the tables.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import pytest

from hvctl.catalog import BY_ID, ROWS
from hvctl.catalog.messages import MESSAGES
from hvctl.catalog.messages.types import Layer
from hvctl.catalog.types import Row
from hvctl.errors import InputError
from hvctl.guest.command.reader import read_command_line
from hvctl.guest.syntax import COMMAND_LINE
from hvctl.host.host_file import read_host
from hvctl.lint.engine import Job, choose, lint
from hvctl.lint.rule import all_rules
from hvctl.migration.differences import Journey
from hvctl.migration.verdict import judge_save
from hvctl.model.finding import Severity
from hvctl.text.diagnosis import diagnose
from hvctl.verify.compare import predict_command
from tests.made_hosts import made_intel_host
from tests.paths import HOSTS

HOST = read_host(str(HOSTS / "debian-12.json"))
KVM = "-accel kvm -machine pc-q35-7.2 -cpu host"
TSC = f"tsc-frequency={HOST.hardware.tsc_hz}"
GIVING = made_intel_host()
Edits = tuple[tuple[str, str], ...]
IRQCHIP = "-accel kvm -machine pc-q35-7.2,kernel-irqchip=off -cpu host,hv-vpindex,hv-synic"

# Of each message command lines that provoke it, and what the alternatives of the remedy replace in them, by what.
CARRIED: dict[str, tuple[tuple[str, Edits], ...]] = {
    "not-supported-by-kernel": (
        (f"{KVM},hv-vapic,hv-evmcs", ((",hv-evmcs", ""),)),
        (f"{KVM},hv-vpindex,hv-tlbflush,hv-tlbflush-ext", ((",hv-tlbflush-ext", ""),)),
    ),
    "requirement-missing": (
        (f"{KVM},hv-stimer", ((",hv-stimer", ",hv-vpindex,hv-time,hv-synic,hv-stimer"), (",hv-stimer", ""))),
    ),
    "synic-without-irqchip": ((IRQCHIP, (("kernel-irqchip=off", "kernel-irqchip=on"), (",kernel-irqchip=off", ""))),),
    "unknown-property": ((f"{KVM},hv-nosuch=on", ((",hv-nosuch=on", ""),)),),
    "wrong-value": ((f"{KVM},hv-relaxed,hv-spinlocks=abc", (("=abc", "=8191"),)),),
    "vendor-id-cut": (
        (
            f"{KVM},hv-relaxed,hv-vendor-id=ThisIsMuchTooLong",
            (("ThisIsMuchTooLong", "KVMKVMKVM"), (",hv-vendor-id=ThisIsMuchTooLong", "")),
        ),
    ),
    "tsc-cannot-be-scaled": (
        (f"{KVM},tsc-frequency=1000000000", ((",tsc-frequency=1000000000", ""), ("tsc-frequency=1000000000", TSC))),
    ),
    "flag-blocks-migration": (
        (f"{KVM},hv-passthrough", (("hv-passthrough", "hv-relaxed,hv-vapic"),)),
        (
            f"{KVM},hv-relaxed,hv-no-nonarch-coresharing=auto",
            (("=auto", "=on"), (",hv-no-nonarch-coresharing=auto", "")),
        ),
    ),
    "invtsc-blocks-migration": ((f"{KVM},invtsc=on", ((",invtsc=on", ""), ("invtsc=on", f"invtsc=on,{TSC}"))),),
    "reenlightenment-loses-the-guest": (
        (
            f"{KVM},hv-time,hv-frequencies,hv-reenlightenment",
            ((",hv-reenlightenment", ""), ("hv-reenlightenment", f"hv-reenlightenment,{TSC}")),
        ),
    ),
    "host-model-needs-kvm": (("-accel tcg -cpu host", (("-accel tcg", "-accel kvm"),)),),
    "unknown-cpu-model": (("-accel kvm -cpu nosuch", (("nosuch", "EPYC"),)),),
    "unknown-machine": (("-accel kvm -machine pc-q35-99.0 -cpu host", (("pc-q35-99.0", "pc-q35-7.2"),)),),
    "enforced-features-missing": ((f"{KVM},enforce,+avx512f", ((",enforce", ""), (",+avx512f", ""))),),
    "plus-with-underscore": (
        (f"{KVM},+hv_relaxed", (("+hv_relaxed", "hv-relaxed=on"), ("+hv_relaxed", "+hv-relaxed"))),
    ),
    "unknown-cpu-property": ((f"{KVM},nosuch=on", ((",nosuch=on", ""),)),),
}

# What lint finds in the domain or the command line, with what to write.
BY_LINT = {
    "libvirt-requirement-missing", "retries-too-few", "retries-missing", "state-missing", "migratable-misplaced",
    "vendor-id-refused", "timer-refused", "enlightenment-as-cpu-feature", "unknown-libvirt-cpu-feature",
    "libvirt-invtsc-blocks-migration", "cpu-mode-needs-kvm", "unknown-element", "unknown-mode",
    "emulator-lacks-feature",
    "no-such-accelerator", "option-removed", "clock-hours-off", "no-userspace-apic", "high-idle-cpu",
    "host-lacks-feature",
    "enforce-cpuid-not-enabled", "clock-drifts", "slow-guest", "guest-cpu-not-as-written",
    "machine-type-differs", "timer-period-limited", "clock-watchdog",
}  # fmt: skip
# What no edit of a command line that hvctl can predict does, by what it is.
NO_EDIT = {
    "the host's kernel, modules, firmware or processor": {
        "vpindex-not-settable", "evmcs-version", "hyperv-msr-refused", "vmx-msr-refused", "other-msr-refused",
        "slow-signal-event", "emulation-failure", "entry-failed", "nested-state-refused", "no-access-to-kvm",
        "kvm-busy",
        "virtualization-off", "no-virtualization", "hyperv-msr-unhandled", "msr-unhandled", "host-tsc-unstable",
        "tsc-scaling-refused", "split-lock", "avic-forced", "no-kvm-here", "host-tsc-unusable", "irql-on-epyc",
        "hypervisor-error", "secure-kernel-error", "vmbus-handler-refused",
    },
    "another message, or another command of hvctl, is to be looked at": {
        "vcpu-not-made", "kvm-not-initialized", "guest-crashed", "qemu-ended", "migration-refused", "cannot-migrate",
        "cannot-snapshot", "crash-data-malformed", "msr-assertion",
        "exception-at-boot", "hal-initialization", "black-screen",
    },
    "devices, topology and disks, of which no command of hvctl judges": {
        "vmbus-without-synic", "vmbus-without-stimer", "device-blocks-migration", "assigned-device-blocks-migration",
        "hostdev-blocks-migration", "firmware-variables-block-snapshots", "pflash-blocks-snapshots",
        "panic-device-refused",
        "vp-index-differs", "vcpus-differ", "too-few-processors", "remapping-with-full-irqchip",
        "many-vcpus-need-x2apic", "hyperv-not-for-this-guest", "global-needs-a-class",
    },
    "a CPU model or feature that depends on the host": {
        "requested-feature-missing", "host-cpu-too-small", "cpu-differs", "unsupported-processor",
        "no-nested-virtualization", "slow-with-vbs", "xsavec-without-xsaves", "gpu-code-43", "machine-detected",
        "cpu-model-not-for-emulator",
    },
    "both ends of a migration: tests/migration/test_remedies.py": {
        "tsc-frequency-differs", "synic-missing-at-the-destination", "device-missing-at-the-destination",
        "state-not-loaded", "definitions-differ", "panic-devices-differ", "clock-differs",
    },
    "nothing, to wait, or in Windows": {
        "migration-under-way", "msr-ignored", "vendor-module-loaded", "hypervisor-detected", "guest-sleeps",
        "clock-after-resume", "does-not-wake",
        "power-state-failure",
    },
    "KubeVirt's objects, which hvctl does not read": {
        message.id for message in MESSAGES if message.layer is Layer.KUBEVIRT
    },
}  # fmt: skip


def complaints(words: str, rules: tuple[str, ...]) -> set[str]:
    """The messages that are predicted of a command line, whether it is not known to start, errors and some findings."""
    try:
        found = predict_command(shlex.split(words), "x", HOST)
        guest = read_command_line(words, "x")
    except InputError:
        return {"start"}
    said = [found.error or "", *(reason.error for reason in judge_save(Journey(guest, HOST)).reasons)]
    ids = {one.message.id for text in said for one in diagnose(text, "a").found if not one.message.vague}
    findings = lint(words.encode(), "x", COMMAND_LINE, Job(choose(all_rules()))).findings
    ids |= {one.rule for one in findings if one.severity is Severity.ERROR or one.rule in rules}
    return ids if found.starts else ids | {"start"}


def cases() -> Iterator[tuple[str, str, Edits]]:
    for message_id, some in CARRIED.items():
        for words, edits in some:
            yield message_id, words, edits


@pytest.mark.parametrize(("message_id", "words", "edits"), list(cases()))
def test_what_is_advised_of_a_command_line_is_clean_afterwards(message_id: str, words: str, edits: Edits) -> None:
    message = next(one for one in MESSAGES if one.id == message_id)
    before = complaints(words, message.rules)
    about = {message_id, *message.rules, "start"} & before
    assert about, before
    for old, new in edits:
        assert old in words
        after = complaints(words.replace(old, new), message.rules)
        assert not {message_id, "start"} & after, (old, new, after)
        assert about & after < about, (old, new, after)
        assert after <= before, (old, new, after)


@pytest.mark.parametrize("row", [row for row in ROWS if row.requires and row.qemu_name], ids=lambda row: row.id)
def test_what_a_row_is_said_to_need_is_enough(row: Row) -> None:
    """By a host that gives everything: of what it lacks another message tells."""
    words = f"{KVM},{row.properties[0].name}"
    before = predict_command(shlex.split(words), "x", GIVING)
    (found,) = diagnose(before.error or "", "a").found
    assert (found.message.id, found.rows[0]) == ("requirement-missing", row)
    needs = re.split(r", | and ", found.remedy.removeprefix("Turn on ").partition(", or leave")[0])
    after = predict_command(
        shlex.split(f"{words},{','.join(BY_ID[one].properties[0].name for one in needs)}"), "x", GIVING
    )
    assert after.starts, after.error


def test_every_message_is_in_one_table() -> None:
    """Whoever adds one decides what its remedy is."""
    tables = [*CARRIED, *BY_LINT, *(one for some in NO_EDIT.values() for one in some)]
    assert sorted(tables) == sorted(message.id for message in MESSAGES)


@pytest.mark.parametrize("message_id", sorted(BY_LINT))
def test_what_lint_says_better_has_its_rule(message_id: str) -> None:
    """tests/lint/test_instead.py carries out what these rules say."""
    assert next(one for one in MESSAGES if one.id == message_id).rules
