"""Many files judged together come out as each alone; and what is not read of a file changes nothing."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvctl.cli.lint.files import File
from hvctl.cli.lint.run import Judge, Outcome, Plan, run
from hvctl.guest.syntax import COMMAND_LINE, DOMAIN
from hvctl.lint import engine
from hvctl.lint.engine import Job, Text, choose, lint, lint_all
from hvctl.lint.output.json import JsonWriter
from hvctl.lint.rule import all_rules
from hvctl.lint.settings import PathSettings, Settings
from hvctl.model.finding import Safety, Severity, Unchecked
from hvctl.xml import reader
from hvctl.xml.reader import parse_all
from tests.lint.odd_domains import odd_domains

JOBS = [Job(choose(all_rules()), with_edits=edits) for edits in (False, True)]
FILES = sorted(Path(__file__).parent.parent.rglob("*.xml"))
SUPPRESSED = b"<domain type='kvm'><!-- hvctl: ignore[reset-pointless] meant --><features><hyperv><reset state='on'/>"
SUPPRESSED += b"</hyperv></features></domain>"

DEVICES = [
    "<devices><disk><source file='a'/></disk></devices>",
    "<devices><panic model='hyperv'/></devices>",
    "<devices><!-- hvctl: ignore[hpet-on] x --><disk/></devices>",
    "<devices><disk><metadata/><features/></disk></devices>",
    "<devices>\n</devices>",
]
texts = st.one_of(
    st.builds(Text, odd_domains(), st.sampled_from(["a.xml", "b.xml"]), st.just(DOMAIN)),
    st.builds(Text, st.binary(max_size=20), st.just("c.xml"), st.sampled_from([DOMAIN, COMMAND_LINE])),
    st.sampled_from(
        [
            Text(b"<network/>", "n.xml", DOMAIN),
            Text(b"<domain", "o.xml", DOMAIN),
            Text(b"qemu-system-x86_64 -cpu host,hv_stimer", "q.args", COMMAND_LINE),
            Text(SUPPRESSED, "s.xml", DOMAIN),
        ]
    ),
)


@given(st.lists(texts, max_size=6), st.sampled_from(JOBS), st.booleans())
def test_together_as_alone(texts: list[Text], job: Job, many: bool) -> None:
    assert lint_all(texts, job, many=many) == [lint(*text, job) for text in texts]


def whole(data: bytes, path: str) -> engine.Result:
    """A file judged with all of it read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "parse_all", lambda files, **options: parse_all(files, **{**options, "shallow": False}))
        return lint(data, path, DOMAIN, JOBS[1])


@given(odd_domains(), st.sampled_from(DEVICES))
def test_what_is_not_read_changes_nothing(data: bytes, devices: str) -> None:
    if b"devices" not in data:
        data = data.replace(b"</domain>", devices.encode() + b"</domain>")
    assert lint(data, "a.xml", DOMAIN, JOBS[1]) == whole(data, "a.xml")


def test_the_same_of_real_files() -> None:
    assert len(FILES) > 50
    for path in FILES:
        data = path.read_bytes()
        assert lint(data, path.name, DOMAIN, JOBS[1]) == whole(data, path.name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """More files than one handful, and than makes processes worth while; some of them odd."""
    for number in range(230):
        hpet = "yes" if number % 5 == 0 else "no"
        clock = f"<clock offset='utc'><timer name='hpet' present='{hpet}'/>"
        text = f"<domain type='kvm'><name>win11-{number}</name>{clock}"
        (tmp_path / f"{number:03}.xml").write_text(text + "</clock></domain>" * (number % 50 != 1))
    (tmp_path / "100.xml").write_bytes(b"<a>" + b" " * (1 << 20) + b"</a>")
    (tmp_path / "101.xml").unlink()
    return tmp_path


class Told(NamedTuple):
    """What is said of files, in its order, and sums."""

    said: list[str | Unchecked | tuple[str, str]]
    counts: Counter[Severity | Safety]
    files: int


def told(folder: Path, jobs: int) -> Told:
    """What comes of files in so many processes; one by one for 0."""
    found = outcomes(folder, jobs)
    said = [one for outcome in found for one in (*outcome.shown, outcome.unchecked, outcome.note) if one]
    counts = Counter[Severity | Safety]()
    for outcome in found:
        counts.update(dict((*outcome.counts, *outcome.fixes)))
    return Told(said, counts, sum(outcome.files for outcome in found))


def outcomes(folder: Path, jobs: int) -> list[Outcome]:
    settings = Settings(paths=(PathSettings("*7.xml", ignore=("clock-offset",)),))
    plan = Plan(settings, (), {}, str(folder / "hvctl.toml"), JsonWriter(), qemu_args=False)
    files = [File(str(folder / f"{number:03}.xml"), f"{number:03}.xml") for number in range(230)]
    if jobs:
        return list(run(files, plan, jobs))
    judge = Judge(plan)
    return [outcome for file in files for outcome in judge([file])]


def test_the_order_is_that_of_the_files(folder: Path) -> None:
    """However many are judged at once, by whichever rules, in however many processes."""
    one_by_one = told(folder, 0)
    assert told(folder, 1) == one_by_one
    # This process may have other threads, beside which run() makes no processes.
    with ProcessPoolExecutor(1, get_context("spawn")) as fresh:
        assert fresh.submit(told, folder, 2).result() == one_by_one
    assert len(one_by_one.said) == one_by_one.files == 230
    rules: dict[str, set[str]] = {}
    for one in one_by_one.said:
        findings = json.loads(f"[{one}]") if isinstance(one, str) else []
        name = findings[0]["path"] if findings else Path(one[0]).name
        assert all(finding["path"] == name for finding in findings)
        rules[name] = {finding["rule"] for finding in findings}
    assert list(rules) == sorted(rules)
    assert rules["100.xml"] == rules["101.xml"] == set()
    assert "clock-offset" in rules["008.xml"]
    assert "clock-offset" not in rules.get("007.xml", ())
    assert "not-well-formed" in rules["151.xml"]
