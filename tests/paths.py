"""Where the checkout has what tests need."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
HOSTS = ROOT / "tests" / "hosts"
RECORDS = ROOT / "tests" / "records"
COLLECTOR = ROOT / "hvctl" / "data" / "hvctl-collect"
PROFILES = ROOT / "profiles"
RULE_CASES = ROOT / "tests" / "rules"


def schema(name: str) -> Any:
    """One of hvctl's JSON Schemas, such as `host`."""
    return json.loads((ROOT / "hvctl" / "schemas" / f"{name}.schema.json").read_text())
