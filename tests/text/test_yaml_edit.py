"""Splices in YAML: the tree is what was asked for, and every line that is not concerned stays."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hvctl.text.problems import Problems
from hvctl.text.yaml_edit import Editor, Tree
from hvctl.text.yaml_nodes import parse_stream
from hvctl.text.yaml_tree import Mapping


def edited(text: str, tree: Tree) -> str:
    problems = Problems()
    (root,) = parse_stream(text, "x", problems)
    problems.check()
    assert isinstance(root, Mapping)
    at, parts = 0, []
    for splice in sorted(Editor(text).change(root, tree)):
        assert splice.start >= at, "two splices overlap"
        parts += [text[at : splice.start], splice.text]
        at = splice.end
    return "".join([*parts, text[at:]])


TEXT = """\
# head
a:
  b: # why
    c: {}   # here
    d: 1
  e: [1, 2]
f: {g: {}, h: 2}
l:
- x: 1
  y: 2 # last
n:
s: |
  text

z: 'q'
"""


@pytest.mark.parametrize(
    ("tree", "old", "new"),
    [
        ({"a": {"b": {"d": "2"}}}, "d: 1", "d: 2"),
        ({"a": {"b": {"c": {"x": "true"}}}}, "c: {}", "c: {x: true}"),
        ({"a": {"b": {"x": {"y": "true"}}}}, "    d: 1\n", "    d: 1\n    x:\n      y: true\n"),
        ({"a": {"b": {"d": None}}}, "    d: 1\n", ""),
        ({"a": {"b": {"c": None, "d": None}}}, "b: # why\n    c: {}   # here\n    d: 1\n", "b: # why\n    {}\n"),
        ({"a": {"b": None}}, "  b: # why\n    c: {}   # here\n    d: 1\n", ""),
        ({"f": {"g": None}}, "{g: {}, h: 2}", "{h: 2}"),
        ({"f": {"h": None}}, "{g: {}, h: 2}", "{g: {}}"),
        ({"f": {"i": "3"}}, "h: 2}", "h: 2, i: 3}"),
        ({"l": [{"x": "3", "y": "4"}]}, "  y: 2 # last\n", "  y: 2 # last\n- x: 3\n  y: 4\n"),
        ({"n": {"x": "1"}}, "n:\n", "n: {x: 1}\n"),
        ({"z": "1"}, "z: 'q'", "z: 1"),
        ({"w": {"x": "1"}}, "z: 'q'\n", "z: 'q'\nw:\n  x: 1\n"),
    ],
)
def test_each_change(tree: Tree, old: str, new: str) -> None:
    assert old in TEXT
    after = edited(TEXT, tree)
    assert after == TEXT.replace(old, new, 1)
    crlf = edited(TEXT.replace("\n", "\r\n"), tree)
    assert crlf.replace("\r\n", "\n") == after
    assert "\n" not in crlf.replace("\r\n", "")


def test_json_stays_json() -> None:
    assert edited('{"a": {"b": 1}}', {"a": {"c": {"d": "x"}}}) == '{"a": {"b": 1, "c": {"d": "x"}}}'


KEYS = st.sampled_from(["a", "b", "c", "d"])
LEAVES = st.sampled_from([1, True, "text", None, "two\nlines\n"])
TREES: Any = st.dictionaries(KEYS, st.recursive(LEAVES, lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=8), min_size=1, max_size=4)  # fmt: skip  # noqa: E501
CHANGES: Any = st.recursive(
    st.sampled_from(["1", "true", None]),
    lambda inner: st.dictionaries(KEYS, inner, min_size=1, max_size=3),
    max_leaves=6,
).filter(lambda value: isinstance(value, dict))


def wanted(before: Any, tree: Any) -> Any:
    """What a tree makes of a mapping."""
    found = dict(before) if isinstance(before, dict) else {}
    for key, value in tree.items():
        if value is None:
            found.pop(key, None)
        elif isinstance(value, dict):
            found[key] = wanted(found.get(key), value)
        else:
            found[key] = yaml.safe_load(value)
    return found


def test_a_key_is_added_where_the_line_before_goes() -> None:
    assert edited("b:\n  a: 1\n  c: 1\n", {"b": {"c": None}, "a": "1"}) == "b:\n  a: 1\na: 1\n"


@settings(max_examples=400, deadline=None)
@given(TREES, CHANGES, st.sampled_from([True, False, None]))
def test_the_tree_is_what_was_asked_for(before: Any, tree: Any, flow: bool | None) -> None:
    text = yaml.safe_dump(before, default_flow_style=flow, sort_keys=False)
    pruned = prune(before, tree)
    after = edited(text, pruned)
    assert yaml.safe_load(after) == wanted(before, pruned), (text, after)


def prune(before: Any, tree: Any) -> Any:
    """A tree that removes nothing of what is not there, as nobody asks for that."""
    found = {}
    for key, value in tree.items():
        inside = before.get(key) if isinstance(before, dict) else None
        if isinstance(value, dict):
            inner = prune(inside, value)
            if inner:
                found[key] = inner
        elif value is not None or (isinstance(before, dict) and key in before):
            found[key] = value
    return found
