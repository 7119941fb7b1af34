"""`hvctl gen --for kubevirt`: what is written is what the API takes; what it has no field for follows the state."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
import yaml

from hvctl.guest.kubevirt.manifest import Kind
from hvctl.profile.source import shipped_names
from tests.cli.run import inside
from tests.kubevirt_crds import NEW, OLD, crds, schemas, strict
from tests.paths import HOSTS

POOLS = ("debian-12.json", "debian-13.json", "debian-12-intel.json")
HOST = str(HOSTS / "debian-13.json")
API_KINDS = {
    "patch": "VirtualMachine",
    "vm": "VirtualMachine",
    "preference": "VirtualMachinePreference",
    "cluster-preference": "VirtualMachineClusterPreference",
}


def generate(*words: str, host: str = HOST, code: int = 0) -> Any:
    return yaml.safe_load(inside("gen", *words, "--for", "kubevirt", "--host", host, code=code).stdout)


def refuse(manifest: Any, version: str) -> str:
    """What the schema of an API, as strict as kubectl asks the server to be, says against an object."""
    schema = strict(schemas(version)[manifest["kind"]])
    # A patch is merged into an object that has its devices.
    if manifest["kind"] == "VirtualMachine":
        manifest["spec"]["template"]["spec"]["domain"].setdefault("devices", {})
    validator = jsonschema.Draft202012Validator(schema)
    return "\n".join(f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(manifest))


def written(profile: str, kind: str, host: str, *more: str) -> Any:
    path = str(HOSTS / host)
    words = ["gen", profile, "--for", "kubevirt", "--kind", kind, "--name", "x", "--host", path, *more]
    found = json.loads(inside(*words, "--format", "json", code=None).stdout)
    return found["manifest"], found


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("profile", shipped_names())
def test_every_profile_is_an_object_of_the_newest_api(profile: str, kind: str) -> None:
    for host in POOLS:
        manifest, found = written(profile, kind, host)
        if manifest is None:
            assert found["plan"]["refusals"]
            continue
        assert manifest["kind"] == API_KINDS[kind]
        assert refuse(manifest, NEW) == ""


@pytest.fixture(scope="module")
def old_crds(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("old") / "crd.json"
    path.write_text(crds(OLD))
    return str(path)


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("profile", shipped_names())
def test_every_profile_is_an_object_of_an_old_api(profile: str, kind: str, old_crds: str) -> None:
    for host in POOLS:
        manifest, found = written(profile, kind, host, "--crd", old_crds)
        assert manifest is None or refuse(manifest, OLD) == ""
        assert (manifest is None) == bool(found["plan"]["refusals"])


@pytest.mark.parametrize("kind", get_args(Kind))
def test_an_old_api_gets_what_it_has(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "crd.json"
    path.write_text(crds(OLD))
    manifest, found = written("windows-11", kind, "debian-13.json", "--crd", str(path))
    assert refuse(manifest, OLD) == ""
    left = {one["id"]: one for one in found["plan"]["decisions"] if one["layer"] == "kubevirt"}
    assert left["tlbflush-direct"]["state"] == "off"
    assert left["tlbflush-direct"]["reason"] == "the CRD has no features." + (
        "preferredHyperv.tlbflush.direct" if "preference" in kind else "hyperv.tlbflush.direct"
    )
    newest, _ = written("windows-11", kind, "debian-13.json")
    assert "direct" in refuse(newest, OLD), "so the check can fail"


def test_a_wrong_field_is_refused() -> None:
    manifest = generate("windows-11")
    manifest["spec"]["template"]["spec"]["domain"]["features"]["hyperv"]["relaxd"] = {"enabled": True}
    assert "relaxd" in refuse(manifest, NEW)


def test_what_has_no_field_follows_the_state(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    text = "version: 1\nname: mine\nenlightenments:\n  relaxed: on\n  vapic: on\n  xmm-input: {}\n"
    path.write_text(text.format("prefer"))
    done = inside("gen", str(path), "--for", "kubevirt", "--host", HOST)
    assert "xmm-input: left out: KubeVirt has no field for it (kubevirt)" in done.stderr
    path.write_text(text.format("on"))
    done = inside("gen", str(path), "--for", "kubevirt", "--host", HOST, code=1)
    assert done.stdout == ""
    assert "xmm-input: refused: KubeVirt has no field for it (kubevirt)" in done.stderr


def test_what_the_profile_turns_off_is_off_in_a_patch(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("version: 1\nname: mine\nenlightenments: {relaxed: on, stimer: off, time: off, crash: off}\n")
    domain = generate(str(path))["spec"]["template"]["spec"]["domain"]
    assert domain["features"] == {"hyperv": {"relaxed": {"enabled": True}, "synictimer": {"enabled": False}}}
    assert domain["clock"]["timer"]["hyperv"] == {"present": False}
    preference = generate(str(path), "--kind", "preference")["spec"]
    assert preference["features"] == {"preferredHyperv": {"relaxed": {"enabled": True}}}


def test_the_clock() -> None:
    done = inside("gen", "windows-11", "--for", "kubevirt", "--host", HOST)
    assert "Windows shows the wrong time" in " ".join(done.stderr.split())
    assert yaml.safe_load(done.stdout)["spec"]["template"]["spec"]["domain"]["clock"]["utc"] == {}
    zone = "Europe/Berlin"
    done = inside("gen", "windows-11", "--for", "kubevirt", "--host", HOST, "--timezone", zone, "--kind", "preference")
    assert "wrong time" not in " ".join(done.stderr.split())
    assert yaml.safe_load(done.stdout)["spec"]["clock"]["preferredClockOffset"] == {"timezone": zone}
    patch = generate("windows-11", "--timezone", zone)["spec"]["template"]["spec"]["domain"]["clock"]
    assert (patch["timezone"], patch["utc"]) == (zone, None), "KubeVirt takes utc where both are there"


def test_a_whole_machine() -> None:
    words = ("--kind", "vm", "--name", "win", "--memory", "8192", "--vcpus", "4")
    machine = generate("windows-11", *words)
    assert machine["metadata"] == {"name": "win"}
    domain = machine["spec"]["template"]["spec"]["domain"]
    assert domain["memory"] == {"guest": "8192Mi"}
    assert domain["cpu"] == {"model": "host-passthrough", "sockets": 1, "cores": 4, "threads": 1}
    assert refuse(machine, NEW) == ""


def test_a_preference_names_what_it_cannot_say() -> None:
    done = inside("gen", "windows-11", "--for", "kubevirt", "--kind", "preference", "--host", HOST)
    assert "not written: cpu.model: preferences have no field for it" in done.stderr


def test_selectors() -> None:
    own = generate("windows-11", "--select", "kubevirt")["spec"]["template"]["spec"]["nodeSelector"]
    assert own["hyperv.node.kubevirt.io/synictimer"] == "true"
    labels = generate("windows-11", "--select", "nfd")["spec"]["template"]["spec"]["nodeSelector"]
    assert labels["feature.node.kubernetes.io/hvctl-stimer-direct"] == "true"
    assert all(len(label.partition("/")[2]) <= 63 for label in (*own, *labels))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--libvirt",), "--for does not go with"),
        (("--kind", "preference", "--select", "nfd"), "a preference selects no nodes"),
        (("--timezone", "a b"), "--timezone cannot be"),
        (("--name", "A_b"), "no object can have the name"),
        (("--memory", "10"), "only with --kind vm"),
        (("--fragment",), "not with --for kubevirt"),
        (("--crd", "/dev/null/x"), "cannot be read"),
    ],
)
def test_what_does_not_go_together(words: tuple[str, ...], said: str) -> None:
    done = inside("gen", "windows-11", "--for", "kubevirt", "--host", HOST, *words, code=2)
    assert said in done.stderr


def test_the_other_platforms_are_the_old_options() -> None:
    for platform in ("qemu", "libvirt"):
        one = inside("gen", "windows-11", "--for", platform, "--host", HOST).stdout
        assert one == inside("gen", "windows-11", f"--{platform}", "--host", HOST).stdout
    assert "only with --for kubevirt" in inside("gen", "windows-11", "--kind", "vm", "--host", HOST, code=2).stderr
