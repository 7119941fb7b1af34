"""Verdicts as text and as JSON: every reason with what it leads to, lines of a terminal, and last what works."""

from __future__ import annotations

import json

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hvctl.migration.differences import Answer, Effect, Journey, Move, Reason
from hvctl.migration.verdict import judge_pool
from hvctl.model.host import Host
from hvctl.model.plan import Layer
from hvctl.report.migration import EFFECTS, moves_json, moves_text, working
from hvctl.text.json_document import dump
from tests.migration.test_verdict import journeys, targets
from tests.model.test_host import pool_of
from tests.paths import schema

SCHEMA = schema("check-migration")
MOVES = (
    Move(("a", "b"), ()),
    Move(
        ("c",),
        (
            Reason(Effect.UNKNOWN, "guest", "a doubt", Layer.PROFILE),
            Reason(
                Effect.FAILS, "synic", "KVM does not report HV_SYNIC_AVAILABLE", Layer.KERNEL, "use a newer kernel", "E"
            ),
            Reason(Effect.LOST, "reenlightenment", "without tsc-frequency", Layer.QEMU),
            Reason(Effect.NOTE, "cpu", "too old", Layer.GUEST),
            Reason(Effect.CHANGES, "cpu", "another CPU", Layer.HARDWARE),
            Reason(Effect.REFUSED, "passthrough", "QEMU does not migrate a guest with it", Layer.QEMU),
        ),
    ),
    Move(("d",), (Reason(Effect.UNKNOWN, "qemu", "no QEMU is known there", Layer.QEMU),)),
)

TEXT = """\
w.json, from node1

yes: a, b

no: c
  refused at the source, the guest goes on there:
    passthrough: QEMU does not migrate a guest with it (qemu)
  fails on the destination, the source goes on:
    synic: KVM does not report HV_SYNIC_AVAILABLE (kernel); use a newer kernel
"""


def test_the_text() -> None:
    text = moves_text("w.json", "node1", MOVES)
    assert text.startswith(TEXT)
    assert text.endswith("\n    qemu: no QEMU is known there (qemu)\n\ntargets that work: a, b\n")
    assert "\ncannot tell: d\n  cannot be told:\n" in text
    folded = " ".join(text.split())
    positions = [folded.index(f"{EFFECTS[effect]}:") for effect in Effect]
    assert positions == sorted(positions)


def test_where_nothing_works() -> None:
    assert moves_text("g", "s", MOVES[1:]).endswith("\ntargets that work: none\n")
    assert moves_text("g", "s", ()).endswith("\ntargets that work: none\n")
    assert working(MOVES) == ["a", "b"]


def test_colours_are_of_the_answers_and_nothing_else_changes() -> None:
    plain, coloured = (moves_text("g", "s", MOVES, color=color) for color in (False, True))
    for code in ("\x1b[1m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[0m"):
        assert code in coloured
        coloured = coloured.replace(code, "")
    assert coloured == plain
    assert "\x1b" not in plain


def test_many_targets_are_counted_unless_all_names_are_wanted() -> None:
    many = (Move(tuple(f"host{number}" for number in range(50)), ()),)
    assert "host49" not in moves_text("g", "s", many)
    assert "host49" in moves_text("g", "s", many, all_names=True)
    assert moves_json("g", "s", many)["works"] == [f"host{number}" for number in range(50)]


@settings(max_examples=50)
@given(journeys(), targets(), st.sampled_from([40, 60, 80, 100]))
def test_lines_fit_and_json_is_as_the_schema_says(journey: Journey, those: list[Host], width: int) -> None:
    moves = judge_pool(journey, pool_of(*those))
    text = moves_text(journey.guest.label, journey.source.label, moves, width=width)
    for line in text.splitlines():
        # A word stays whole, and so does what stands between backquotes.
        assert len(line) <= width or "`" in line or len(max(line.split(), key=len)) > width - 10
        assert line == line.rstrip()
    document = json.loads(dump(moves_json(journey.guest.label, journey.source.label, moves)))
    jsonschema.validate(document, SCHEMA, jsonschema.Draft7Validator)
    assert document["works"] == [
        name for one in document["verdicts"] if one["answer"] == "yes" for name in one["targets"]
    ]
    folded = " ".join(text.split())
    assert all(" ".join(reason.text.split()) in folded for move in moves for reason in move.reasons)


def test_the_schema_knows_every_word() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    reason = SCHEMA["definitions"]["reason"]["properties"]
    assert reason["effect"]["enum"] == [str(effect) for effect in Effect]
    assert reason["layer"]["enum"] == [str(layer) for layer in Layer]
    assert SCHEMA["definitions"]["verdict"]["properties"]["answer"]["enum"] == [str(answer) for answer in Answer]
    document = json.loads(dump(moves_json("g", "s", MOVES)))
    assert list(document) == list(SCHEMA["properties"])
    assert list(document["verdicts"][1]["reasons"][0]) == list(reason)


@pytest.mark.parametrize("effect", list(Effect))
def test_every_effect_has_its_sentence(effect: Effect) -> None:
    assert EFFECTS[effect]
    assert not EFFECTS[effect].endswith((".", ":"))
