"""What the catalog knows of releases of Windows and of CPU models, and that QEMU says the same of its models."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest

from hvctl.catalog.cpu_features import features_of, known_features
from hvctl.catalog.cpu_models import LEVEL_FEATURES, PLAIN, PROPOSED, lacking, level
from hvctl.catalog.windows import BY_LIBOSINFO, BY_OS, SYSTEMS, named
from hvctl.errors import HostError
from hvctl.host.kvm import probe_kvm

# x86-64 psABI, "Micro-Architecture Levels", by QEMU's names.
LEVELS = {
    2: {"cx16", "lahf-lm", "popcnt", "pni", "sse4.1", "sse4.2", "ssse3"},
    3: {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"},
    4: {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
}
HOSTS_OWN = ("host", "max")


@pytest.mark.parametrize(
    ("name", "release"),
    [
        ("win11", "windows-11"),
        ("Windows-10", "windows-10"),
        ("my-win2019-dc", "windows-server-2019"),
        ("WIN_XP", "windows-xp"),
        ("w2k8r2", "windows-server-2008r2"),
        ("win2012 R2", "windows-server-2012r2"),
        ("win2k3", "windows-server-2003"),
        ("windows server 2025", "windows-server-2025"),
        ("win8.1", "windows-8.1"),
        ("win8", "windows-8"),
        ("win7x64", "windows-7"),
        ("win2016r2", "windows-server-2016"),
        ("windows", None),
        ("win100", None),
        ("darwin11", None),
        ("w2k", None),
        ("", None),
    ],
)
def test_a_name_tells_the_release(name: str, release: str | None) -> None:
    found = named(name)
    assert (found and found.id) == release


def test_the_releases_are_in_their_order() -> None:
    builds = [system.build for system in SYSTEMS if system.build]
    assert builds == sorted(builds)
    assert len(BY_OS) == len(SYSTEMS)
    assert len(BY_LIBOSINFO) == sum(len(system.libosinfo) for system in SYSTEMS)


def test_only_what_is_known_to_be_too_old_lacks_something() -> None:
    assert lacking("qemu64", (), 2) == LEVEL_FEATURES[2] == ("sse4.2", "popcnt")
    assert lacking("qemu64", (("sse4-2", True), ("popcnt", True)), 2) == ()
    assert lacking("Penryn-v1", (("popcnt", True),), 2) == ("sse4.2",)
    for model in ("host", "max", "EPYC-Turin", "a-model-to-come", None, "Nehalem-IBRS"):
        assert lacking(model, (), 2) == ()


# What QEMU changes about a named model with KVM.
ADDED, REMOVED = {"x2apic"}, {"monitor", "npt", "nrip-save", "svm", "svme-addr-chk", "vnmi"}


def models(accelerator: str) -> dict[str, set[str]]:
    """The features that are on in each model of the installed QEMU, whatever this host has."""
    command = [str(shutil.which("qemu-system-x86_64")), "-machine", "none", "-accel", accelerator, "-nodefaults"]
    process = subprocess.Popen(
        [*command, "-display", "none", "-qmp", "stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin
    assert process.stdout

    def ask(name: str, **arguments: Any) -> Any:
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
        process.stdin.flush()
        while "return" not in (reply := json.loads(process.stdout.readline())):
            if "error" in reply:
                return None
        return reply["return"]

    try:
        process.stdout.readline()
        ask("qmp_capabilities")
        names = [model["name"] for model in ask("query-cpu-definitions")]
        answers = {name: ask("query-cpu-model-expansion", type="full", model={"name": name}) for name in names}
    finally:
        process.kill()
        process.wait()
    return {
        name: {key for key, value in answer["model"]["props"].items() if value is True}
        for name, answer in answers.items()
        if answer and name not in HOSTS_OWN
    }


def has_kvm() -> bool:
    try:
        return bool(probe_kvm("/dev/kvm"))
    except HostError:
        return False


@pytest.fixture(scope="module")
def found() -> dict[str, set[str]]:
    return models("tcg")


@pytest.mark.parametrize("accelerator", ["tcg", "kvm"])
def test_qemu_gives_its_models_the_features_of_the_catalog(accelerator: str) -> None:
    if accelerator == "kvm" and not has_kvm():
        accelerator = "tcg"  # again: what KVM changes is then known from QEMU's source alone
    found = models(accelerator)
    if accelerator == "tcg":
        found = {model: (features | ADDED) - REMOVED for model, features in found.items()}
    known = {model: features_of(model) for models in PROPOSED.values() for model in (*models, PLAIN)}
    asked = {model: set(features) for model, features in known.items() if features is not None and model in found}
    assert len(asked) > 20
    assert {model: found[model] & known_features() for model in asked} == asked


def test_a_level_is_known_by_its_features() -> None:
    for models in PROPOSED.values():
        for model in models:
            features, known = features_of(model), level(model)
            if features is not None and known is not None:
                needed = {name for number, names in LEVELS.items() if number <= known for name in names}
                assert needed & known_features() <= features, model


def test_qemu_gives_its_models_the_levels_of_the_catalog(found: dict[str, set[str]]) -> None:
    assert len(found) > 100
    for name, features in found.items():
        reached = 1
        for number, needed in LEVELS.items():
            if reached == number - 1 and needed <= features:
                reached = number
        assert level(name) == reached, name
        assert (set(LEVEL_FEATURES[2]) <= features) is (reached >= 2), name


def test_every_proposed_model_has_a_level_or_is_newer_than_the_catalog() -> None:
    unknown = {model for models in PROPOSED.values() for model in models if level(model) is None}
    assert unknown <= {"EPYC-Turin"}
