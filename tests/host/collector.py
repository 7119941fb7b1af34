"""The collector as a module, and its records."""

from __future__ import annotations

import json
import runpy
from typing import Any

from tests.paths import COLLECTOR, RECORDS

RECORDED = sorted(RECORDS.glob("*.json"))
TEXT = (RECORDS / "debian-13.json").read_text()


def loaded() -> dict[str, Any]:
    """The collector's names, a new list each time: tests change some."""
    return runpy.run_path(str(COLLECTOR))


def document() -> Any:
    """A record, to be changed."""
    return json.loads(TEXT)


def written(changed: Any) -> str:
    """The text of a record as the collector writes it."""
    return str(loaded()["lines"](changed))
