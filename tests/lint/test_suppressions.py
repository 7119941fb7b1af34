"""Suppressions in the file: what they concern, and those that are findings themselves."""

from __future__ import annotations

import pytest

from hvctl.guest.syntax import COMMAND_LINE
from hvctl.guest.syntax import DOMAIN as DOMAIN_SYNTAX
from hvctl.lint.engine import Job, choose, lint
from hvctl.lint.rule import all_rules, find_rule

DOMAIN = """\
<domain type='kvm'>
  <name>guest</name>{metadata}
  <os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>
  {features}<features>
    {hyperv}<hyperv>
      <relaxed state='on'/>
      {reset}<reset state='on'/>{behind}
    </hyperv>
  </features>
</domain>
"""
JOB = Job(choose(rule for rule in all_rules() if rule.id.startswith(("reset", "suppression"))))
GOOD = "<!-- hvctl: ignore[reset-pointless] we need it -->"


def found(*jobs: Job, **parts: str) -> list[tuple[str, int, int]]:
    empty = dict.fromkeys(("metadata", "features", "hyperv", "reset", "behind"), "")
    data = DOMAIN.format(**{**empty, **parts}).encode()
    return [
        (one.rule, one.span.line, one.span.column) for one in lint(data, "x", DOMAIN_SYNTAX, *jobs or (JOB,)).findings
    ]


@pytest.mark.parametrize("where", ["reset", "hyperv", "features"])
def test_a_comment_concerns_what_is_behind_it(where: str) -> None:
    assert found(**{where: GOOD}) == []


@pytest.mark.parametrize(
    ("comment", "rest"),
    [
        ("<!-- hvctl: ignore[reset-pointless] -->", [("suppression-without-reason", 7, 7)]),
        ("<!--hvctl:ignore[reset_pointless]:x-->", []),
        ("<!-- hvctl: ignore[hpet-on, reset-pointless] both -->", []),
        (GOOD + GOOD.replace("we", "they"), []),
        (GOOD + "<!-- another -->", []),
        ("<!-- ours -->" + GOOD, []),
        ("<!-- hvctl: ignore[] x -->", [("suppression-unused", 7, 7), ("reset-pointless", 7, 33)]),
        ("<!-- hvctl: ignore x -->", [("suppression-unused", 7, 7), ("reset-pointless", 7, 31)]),
        ("<!-- hvctl: ignore[reset] x -->", [("suppression-unused", 7, 7), ("reset-pointless", 7, 38)]),
        ("<!-- hvctl is good -->", [("reset-pointless", 7, 29)]),
    ],
)
def test_forms(comment: str, rest: list[tuple[str, int, int]]) -> None:
    assert found(reset=comment) == rest


def test_nothing_else_is_concerned() -> None:
    assert found(behind=GOOD) == [("reset-pointless", 7, 7), ("suppression-unused", 7, 26)]


def test_the_names_of_unknown_rules_are_guessed() -> None:
    data = DOMAIN.format(metadata="", features="", hyperv="", reset=GOOD.replace("pointless", "pointles"), behind="")
    (unused, _) = lint(data.encode(), "x", DOMAIN_SYNTAX, JOB).findings
    assert (unused.message, unused.instead) == ("unknown rule 'reset-pointles'", "did you mean 'reset-pointless'?")


def test_a_rule_that_is_not_asked_leaves_its_suppressions_alone() -> None:
    rules = [rule for rule in (find_rule("suppression-unused"), find_rule("not-kvm")) if rule]
    assert found(Job(choose(rules)), reset=GOOD) == []


def test_of_several_rules_each_must_find_something() -> None:
    job = Job(choose(all_rules()))
    beside = "<!-- hvctl: ignore[hpet-on, {}reset-pointless, no-stimer] x -->"
    for more, message in (("", "hpet-on, no-stimer find nothing here"), ("hpet-no, ", "unknown rule 'hpet-no'")):
        data = DOMAIN.format(metadata="", features="", hyperv="", reset=beside.format(more), behind="").encode()
        (unused,) = [one for one in lint(data, "x", DOMAIN_SYNTAX, job).findings if one.rule == "suppression-unused"]
        assert unused.message == message


METADATA = """
  <metadata>
    <hvctl:guest xmlns:hvctl='urn:hvctl:domain:1.0'>
      <hvctl:ignore rule='{rule}' reason='{reason}'/>
    </hvctl:guest>
  </metadata>"""


@pytest.mark.parametrize(
    ("rule", "reason", "rest"),
    [
        ("reset-pointless", "we need it", []),
        ("reset-pointless", "", [("suppression-without-reason", 5, 7)]),
        ("hpet-on, reset-pointless", "both", []),
        ("reset", "x", [("suppression-unused", 5, 7), ("reset-pointless", 12, 7)]),
        ("Reset_Pointless", "x", []),
        ("reset-pointless, resets-pointless", "x", [("suppression-unused", 5, 7)]),
    ],
)
def test_in_metadata(rule: str, reason: str, rest: list[tuple[str, int, int]]) -> None:
    assert found(metadata=METADATA.format(rule=rule, reason=reason)) == rest


COMMAND = "{}\nqemu-system-x86_64 -accel kvm -M pc-q35-7.2 -cpu host,hv_relaxed,hv_reset # {}\n"


@pytest.mark.parametrize(
    ("comment", "rest"),
    [
        ("# hvctl: ignore[reset-pointless] we need it", []),
        ("#hvctl:ignore[reset-pointless]", ["suppression-without-reason"]),
        ("# hvctl: ignore[hpet-on] x", ["reset-pointless"]),
        ("# hvctl", ["reset-pointless"]),
    ],
)
def test_in_a_shell_script(comment: str, rest: list[str]) -> None:
    for text in (COMMAND.format(comment, ""), COMMAND.format("", comment[1:])):
        result = lint(text.encode(), "x", COMMAND_LINE, JOB)
        assert [one.rule for one in result.findings] == rest


def test_in_utf_16() -> None:
    text = DOMAIN.format(metadata="", features="", hyperv="", reset=GOOD, behind="")
    assert lint(text.encode("utf-16"), "x", DOMAIN_SYNTAX, JOB).findings == ()
    said = METADATA.format(rule="reset-pointless", reason="é")
    inside = DOMAIN.format(metadata=said, features="", hyperv="", reset="", behind="")
    assert lint(inside.encode("utf-16"), "x", DOMAIN_SYNTAX, JOB).findings == ()
