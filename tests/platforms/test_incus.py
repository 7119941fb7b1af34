"""What `gen --for incus` writes, given to Incus's own daemon."""

from __future__ import annotations

import pytest
import yaml

from hvctl.profile.source import shipped_names
from tests.cli.run import inside
from tests.paths import HOSTS
from tests.platforms.incus import Incus

POOLS = ("debian-12.json", "debian-13.json", "debian-12-intel.json")


def written(profile: str, host: str = POOLS[1]) -> str:
    return inside("gen", profile, "--for", "incus", "--host", str(HOSTS / host)).stdout


@pytest.mark.parametrize("profile", shipped_names())
def test_every_profile_is_taken(profile: str, incus: Incus) -> None:
    for host in POOLS:
        text = written(profile, host)
        name = f"{profile}-{host.removesuffix('.json')}"
        incus.asked("profile", "create", name, given=text)
        assert shown(incus, name) == yaml.safe_load(text)
        incus.asked("profile", "edit", name, given=text)
        assert shown(incus, name) == yaml.safe_load(text)


def shown(incus: Incus, name: str) -> dict[str, object]:
    found = yaml.safe_load(incus.asked("profile", "show", name))
    return {key: found[key] for key in ("config", "description", "devices")}


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("raw.qemu:", "raw.qemux:", "Unknown configuration key: raw.qemux"),
        ("security.csm: 'true'", "security.csm: 'perhaps'", "Invalid value"),
        ("security.csm: 'true'", "image.os: Windows", "Image keys can only be set on instances"),
        ("devices: {}", "devices: []", "cannot unmarshal"),
    ],
)
def test_a_broken_profile_is_refused(right: str, wrong: str, said: str, incus: Incus) -> None:
    text = written("windows-7")
    assert right in text
    done = incus.client("profile", "edit", "default", given=text.replace(right, wrong))
    assert done.returncode != 0
    assert said in done.stderr
