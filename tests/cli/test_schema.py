"""`hvctl schema` as a process."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.run import hvctl

ROOT = Path(__file__).parents[2]


def test_the_schema_of_profiles_is_the_shipped_one() -> None:
    assert hvctl("schema", "profile").stdout == (ROOT / "profiles" / "profile.schema.json").read_text()


def test_the_schema_of_host_files() -> None:
    shown = hvctl("schema", "host").stdout
    assert shown == (ROOT / "hvctl" / "formats" / "host.schema.json").read_text()
    assert json.loads(shown)["$schema"]


def test_an_unknown_format() -> None:
    assert "'profile', 'host'" in hvctl("schema", "domain", code=2).stderr
