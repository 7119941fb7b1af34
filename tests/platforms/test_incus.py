"""What `gen --for incus` writes, given to Incus's own daemon."""

from __future__ import annotations

import re

import pytest
import yaml

from hvctl.catalog.incus import KEY
from hvctl.profile.source import shipped_names
from tests.cli.run import inside
from tests.paths import HOSTS, ROOT
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


def test_the_commands_of_the_guide(incus: Incus) -> None:
    """On a container: for a machine Incus demands a kernel module. It is never started."""
    incus.asked("storage", "create", "default", "dir")
    incus.asked("init", "--empty", "win11", "--storage", "default")
    lines = re.findall(r"^ {4}incus (profile .*)$", (ROOT / "docs" / "incus.md").read_text(), re.MULTILINE)
    lines += re.findall(r"`incus (config .*?)`", (ROOT / "docs" / "incus.md").read_text())
    assert [line.split()[:2] for line in lines] == [
        ["profile", "create"],
        ["profile", "add"],
        ["config", "set"],
        ["config", "show"],
    ]
    for line in lines:
        shown_text = incus.asked(*line.partition("#")[0].partition("<")[0].split(), given=written("windows-11"))
    config = yaml.safe_load(shown_text)["config"]
    assert (config[KEY], config["image.os"]) == (yaml.safe_load(written("windows-11"))["config"][KEY], "Windows")


def test_which_of_several_counts(incus: Incus) -> None:
    """What a note says: they are not joined. What a machine has itself a container cannot have."""
    incus.asked("storage", "create", "other", "dir")
    incus.asked("init", "--empty", "several", "--storage", "other")
    for name in ("minimal", "windows-10"):
        incus.asked("profile", "create", f"{name}-of-several", given=written(name))
        incus.asked("profile", "add", "several", f"{name}-of-several")
    expanded = yaml.safe_load(incus.asked("config", "show", "several", "--expanded"))
    assert expanded["config"][KEY] == yaml.safe_load(written("windows-10"))["config"][KEY]
