"""Whoever does what a contradiction in a profile says gets a profile without it, and without a new one.

The advice is in YAML, between backticks: each alternative of a hint is put into the profile as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from hvctl.catalog import BY_ID, ROWS
from hvctl.errors import InputError, Problem
from hvctl.profile.reader import profile_from_text
from tests.made_pools import VALUES
from tests.plan.test_remedies import dumped
from tests.profile.test_conflicts import CONFLICTS

Data = dict[str, Any]


def problems(data: Data) -> dict[str, Problem]:
    try:
        profile_from_text(dumped(data), "p.yaml")
    except InputError as error:
        return {problem.message: problem for problem in error.problems}
    return {}


def parsed(text: str) -> Data:
    data: Data = yaml.safe_load(text)
    return data


def needs(row_id: str) -> Iterator[str]:
    for needed in BY_ID[row_id].requires:
        yield needed
        yield from needs(needed)


def cases() -> Iterator[tuple[str, Data]]:
    for number, (text, _) in enumerate(CONFLICTS):
        yield f"known-{number}", parsed(text)
    for row in ROWS:
        if row.experimental:
            continue
        value = VALUES.get(row.kind, [None])[0]
        wish = {"state": "on", "value": value} if value not in (None, "on") else "on"
        yield row.id, {"enlightenments": {row.id: wish}}
        for needed in dict.fromkeys(needs(row.id)):
            yield f"{row.id}-without-{needed}", {"enlightenments": {row.id: wish, needed: "off"}}
        for everything in (one.id for one in ROWS if one.takes_all and one is not row):
            for state in (wish, "off"):
                yield (
                    f"{everything}-{row.id}-{state}",
                    {"migration": "none", "enlightenments": {everything: "on", row.id: state}},
                )
    yield "auto", {"enlightenments": {"no-nonarch-coresharing": "auto"}}
    yield "auto-pinned", {"vcpus": {"pinned": "on"}, "enlightenments": {"no-nonarch-coresharing": "auto"}}
    yield "of-a-parent", {"extends": "windows-10", "enlightenments": {"vpindex": "off", "synic": "on", "time": "off"}}


def put(data: Data, text: str) -> None:
    """A line of YAML into a profile; an enlightenment has no key around it in the advice."""
    for key, value in yaml.safe_load(text).items():
        if key in BY_ID:
            data.setdefault("enlightenments", {})[key] = value
        elif isinstance(value, dict):
            data.setdefault(key, {}).update(value)
        else:
            data[key] = value


def leave_out(data: Data, text: str) -> None:
    name, _, state = text.partition(": ")
    assert not state or data["enlightenments"][name] in (state, False)
    del data["enlightenments"][name]


def obeyed(data: Data, hint: str) -> Iterator[Data]:
    """A profile after each alternative of a hint."""
    if hint == "leave the one of your processors out":
        for name in ("vmx", "svm"):
            done = parsed(dumped(data))
            del done["cpu"]["features"][name]
            yield done
        return
    for part in hint.split(", or "):
        done, written = parsed(dumped(data)), re.findall("`([^`]+)`", part)
        assert written, f"what does {hint!r} mean?"
        for text in written:
            (leave_out if part.startswith("leave") else put)(done, text)
        yield done


CASES = dict(cases())


@pytest.mark.parametrize("data", CASES.values(), ids=CASES)
def test_what_is_advised_is_no_contradiction(data: Data) -> None:
    data = {"version": 1, **data}
    before = problems(data)
    for message, problem in before.items():
        for number, done in enumerate(obeyed(data, problem.hint)):
            after = problems(done)
            assert message not in after, f"{problem.hint} [{number}]"
            assert after.keys() <= before.keys(), (f"{problem.hint} [{number}]", after)


def test_the_cases_are_contradictions() -> None:
    assert sum(bool(problems({"version": 1, **data})) for data in CASES.values()) > 60
