"""Contradictions inside a profile: what is one, what is none, and which two lines are named."""

from __future__ import annotations

import pytest

from hvctl.catalog import BY_ID, ROWS
from hvctl.catalog.types import blocked
from hvctl.errors import InputError
from hvctl.model.profile import Ask, Migration, Profile, Wish
from hvctl.profile.conflicts import conflicts
from hvctl.profile.reader import profile_from_text


def found(text: str) -> list[tuple[str, int, list[tuple[str, int]]]]:
    """Message, line, and the related places with their lines, of every conflict in a profile's text."""
    try:
        profile_from_text(f"version: 1\n{text}", "p.yaml")
    except InputError as error:
        return [
            (
                problem.message,
                problem.span.line if problem.span else 0,
                [(said, at.line) for said, at in problem.related],
            )
            for problem in error.problems
        ]
    return []


CONFLICTS: list[tuple[str, list[tuple[str, int, list[tuple[str, int]]]]]] = [
    (
        "enlightenments:\n  stimer: on\n  time: off\n",
        [("stimer is on and requires time, which is off", 3, [("time is off here", 4)])],
    ),
    (
        "enlightenments:\n  vpindex: off\n  stimer: on\n",
        [("stimer is on and requires vpindex (through synic), which is off", 4, [("vpindex is off here", 3)])],
    ),
    (
        # stimer is on itself and speaks for its requirements.
        "enlightenments:\n  time: off\n  stimer: on\n  stimer-direct: on\n",
        [("stimer is on and requires time, which is off", 4, [("time is off here", 3)])],
    ),
    (
        "enlightenments:\n  time: off\n  stimer: prefer\n  stimer-direct: on\n",
        [("stimer-direct is on and requires time (through stimer), which is off", 5, [("time is off here", 3)])],
    ),
    (
        "enlightenments:\n  vapic: off\n  evmcs: on\n  tlbflush-direct: on\n",
        [
            ("evmcs is on and requires vapic, which is off", 4, [("vapic is off here", 3)]),
            ("tlbflush-direct is on and requires vapic, which is off", 5, [("vapic is off here", 3)]),
        ],
    ),
    (
        "migration: required\nenlightenments:\n  passthrough: on\n",
        [(f"passthrough is on: {blocked('it')}", 4, [("migration is required here", 2)])],
    ),
    (
        # required is the default: there is no line to name.
        "enlightenments: {no-nonarch-coresharing: auto}\n",
        [(f"no-nonarch-coresharing is on: {blocked('the value auto')}", 2, [])],
    ),
    (
        "enlightenments: {reenlightenment: on}\n",
        [("reenlightenment is on: without tsc-frequency a migration or a saved state can lose the guest", 2, [])],
    ),
    (
        "migration: required\nenlightenments: {syndbg: on}\n",
        [("syndbg is on: a migration loses its state", 3, [("migration is required here", 2)])],
    ),
    (
        "vcpus:\n  pinned: off\nenlightenments: {no-nonarch-coresharing: on}\n",
        [
            (
                "no-nonarch-coresharing is on without vcpus.pinned: it only holds when vCPUs are pinned",
                4,
                [("vcpus.pinned is off here", 3)],
            )
        ],
    ),
    (
        "migration: none\nenlightenments:\n  passthrough: on\n  vendor-id: KVM\n  relaxed: on\n",
        [("vendor-id is on, but passthrough takes KVM's own value for it", 5, [("passthrough is on here", 4)])],
    ),
    (
        "migration: required\ncpu: {features: {invtsc: on}}\n",
        [(f"invtsc is on: {blocked('it and without tsc-frequency')}", 3, [("migration is required here", 2)])],
    ),
    (
        "guest:\n  uses: [gpu-passthrough, vbs, wsl2]\ncpu:\n  features:\n    vmx: off\n    svm: off\n",
        [
            (
                "guest.uses has vbs and wsl2, which needs one of the CPU features vmx and svm, and both are off",
                3,
                [("vmx is off here", 6), ("svm is off here", 7)],
            )
        ],
    ),
    (
        "migration: none\nenlightenments:\n  passthrough: on\n  evmcs: off\n  syndbg: off\n",
        [
            (
                "evmcs is off, but passthrough turns on all that the host has; QEMU takes nothing back",
                5,
                [("passthrough is on here", 4)],
            )
        ],
    ),
]


@pytest.mark.parametrize(("text", "expected"), CONFLICTS, ids=[expected[0][0][:50] for _, expected in CONFLICTS])
def test_conflict(text: str, expected: object) -> None:
    assert found(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "enlightenments: {stimer: prefer, time: off}",
        "enlightenments: {stimer: on}",
        "migration: none\nenlightenments: {syndbg: on, stimer: off, vapic: off, runtime: off, time: off}",
        "enlightenments: {tlbflush-direct: on, tlbflush: off}",
        "migration: none\nenlightenments: {passthrough: on}",
        "enlightenments: {passthrough: prefer, time: off}",
        "migration: none\nenlightenments: {no-nonarch-coresharing: auto}",
        "vcpus: {pinned: on}\nenlightenments: {no-nonarch-coresharing: on}",
        "enlightenments: {no-nonarch-coresharing: {state: prefer, value: auto}}",
        "tsc-frequency: auto\nenlightenments: {reenlightenment: on}\ncpu: {features: {invtsc: on}}",
        "migration: none\nenlightenments: {reenlightenment: on}\ncpu: {features: {invtsc: on}}",
        "enlightenments: {reenlightenment: prefer}",
        "guest: {uses: [vbs]}\ncpu: {features: {vmx: off}}",
        "guest: {uses: [gpu-passthrough]}\ncpu: {features: {vmx: off, svm: off}}",
        # Up to 3.0, QEMU uses the first SynIC of KVM, which asks for no VP index.
        "machine: pc-i440fx-3.0\nenlightenments: {synic: on, vpindex: off}",
    ],
)
def test_no_conflict(text: str) -> None:
    assert found(text) == []


def test_newer_machine_types_waive_nothing() -> None:
    assert found("machine: pc-i440fx-3.1\nenlightenments: {synic: on, vpindex: off}\n")
    assert found("machine: pc\nenlightenments: {synic: on, vpindex: off}\n")


def test_conflicts_are_told_in_file_order() -> None:
    text = """\
enlightenments:
  reenlightenment: on
  stimer: on
  time: off
guest: {uses: [vbs]}
cpu: {features: {svm: off, vmx: off}}
"""
    assert [line for _, line, _ in found(text)] == [3, 4, 6]


@pytest.mark.parametrize("row", [row for row in ROWS if row.requires], ids=lambda row: row.id)
def test_each_requirement_of_each_row(row: object) -> None:
    assert isinstance(row, type(ROWS[0]))
    for needed in row.requires:
        wishes = (Wish(needed, Ask.OFF), Wish(row.id, Ask.ON))
        profile = Profile("p", migration=Migration.NONE, wishes=wishes)
        assert [problem.message for problem in conflicts(profile)] == [
            f"{row.id} is on and requires {BY_ID[needed].id}, which is off"
        ]
