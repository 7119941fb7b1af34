"""Measurements for programs, and for keeping: `hvctl bench --compare` reads them again."""

from __future__ import annotations

from typing import Any

from hvctl.bench.compare import Answered, answers
from hvctl.bench.file import content
from hvctl.bench.since import changes
from hvctl.model.bench import Bench
from hvctl.report.bench import doubts
from hvctl.text.json_document import write


def bench_json(bench: Bench, before: Bench | None = None) -> str:
    """The object that `bench --format json` prints, with a final newline: what was measured, and what that says."""
    answered = [_answered(one) for one in answers(bench)]
    since = None if before is None else [change._asdict() for change in changes(before, bench)]
    return write({**content(bench), "doubts": doubts(bench), "answers": answered, "since": since}) + "\n"


def _answered(answered: Answered) -> dict[str, Any]:
    return {
        "group": answered.group,
        "title": answered.title,
        "vcpus": answered.vcpus,
        "ways": [
            {
                "title": line.title,
                "enlightened": line.enlightened,
                "median": _rounded(line.median),
                "low": _rounded(line.low),
                "high": _rounded(line.high),
                "ratio": _rounded(line.ratio),
                "gain": str(line.gain),
            }
            for line in answered.lines
        ],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
