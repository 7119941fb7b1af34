"""`hvctl schema` as a process."""

from __future__ import annotations

import json

import jsonschema
import pytest

from hvctl.cli.schema import FILES
from tests.cli.run import hvctl
from tests.paths import ROOT


def test_the_schema_of_profiles_is_the_shipped_one() -> None:
    assert hvctl("schema", "profile").stdout == (ROOT / "profiles" / "profile.schema.json").read_text()


@pytest.mark.parametrize("name", FILES)
def test_the_schema_of_each_other_name(name: str) -> None:
    shown = hvctl("schema", name).stdout
    assert shown == (ROOT / "hvctl" / "schemas" / f"{name}.schema.json").read_text()
    jsonschema.Draft7Validator.check_schema(json.loads(shown))


def test_an_unknown_format() -> None:
    assert "'profile', 'host', 'record', 'plan'" in hvctl("schema", "domain", code=2).stderr
