"""lint on KubeVirt's objects: what KubeVirt makes of them is judged, and whoever obeys gets a clean result."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from hvctl.guest.syntax import KUBEVIRT
from hvctl.lint.engine import Job, choose, lint
from hvctl.lint.fixes import apply_fixes
from hvctl.lint.rule import all_rules
from hvctl.model.finding import Finding, Safety
from tests.cli.run import inside
from tests.paths import HOSTS

JOB = Job(choose(all_rules()))
FULL = "relaxed: {}, vapic: {}, vpindex: {}, runtime: {}, synic: {}, synictimer: {}"
CLOCK = "timezone: Europe/Berlin, timer: {hyperv: {}, hpet: {present: false}}"


def machine(hyperv: str = FULL, clock: str = CLOCK, name: str = "win11", more: str = "", above: str = "") -> str:
    return (
        f"apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {{name: {name}}}\nspec:\n{above}"
        f"  template:\n    spec:\n      domain:\n        clock: {{{clock}}}\n        features:\n"
        f"          hyperv: {{{hyperv}}}\n{more}        devices: {{}}\n"
    )


def found(text: str) -> tuple[Finding, ...]:
    return lint(text.encode(), "vm.yaml", KUBEVIRT, JOB).findings


def rules(text: str) -> list[str]:
    return [finding.rule for finding in found(text)]


def test_what_is_right_is_clean() -> None:
    assert rules(machine()) == []


PREFERENCE = """---
apiVersion: instancetype.kubevirt.io/v1beta1
kind: VirtualMachineClusterPreference
metadata: {name: windows.11}
spec:
  clock: {preferredTimer: {hyperv: {}, hpet: {present: false}}, preferredClockOffset: {timezone: Europe/Berlin}}
  features:
    preferredHyperv: {HYPERV}
"""


def with_preference(hyperv: str, clock: str = "", preferred: str = FULL) -> str:
    above = "  preference: {name: windows.11}\n"
    return machine(hyperv, clock, "any", above=above) + PREFERENCE.replace("{HYPERV}", f"{{{preferred}}}")


# What is wrong, the rule that finds it and where, and each way of doing what it says.
OFF_HPET = "hpet: {present: false}"
ZONE = "timezone: Europe/Berlin"
CASES = {
    "stimer-without-hypervclock": (machine(clock=f"{ZONE}, timer: {{{OFF_HPET}}}"), "hpet: {", "hyperv: {}, hpet: {"),
    "requirement-missing": (machine(FULL.replace("vpindex: {}", "vpindex: {enabled: no}")), "enabled: no", ""),
    "kubevirt-clock": (machine(clock=CLOCK.replace(ZONE, "localtime: {}")), "localtime: {}", ZONE),
    "spinlocks-out-of-range": (machine(f"{FULL}, spinlocks: {{spinlocks: 4095}}"), "4095", "4096"),
    "clock-offset": (machine(clock=CLOCK.replace(ZONE, "utc: {}")), "utc: {}", ZONE),
    "kubevirt-forced-feature": (
        machine(f"{FULL}, evmcs: {{}}"),
        "devices: {}",
        "cpu: {features: [{name: vmx}]}\n        devices: {}",
    ),
    "kubevirt-passthrough": (
        machine(more="          hypervPassthrough: {enabled: true}\n"),
        "          hypervPassthrough: {enabled: true}\n",
        "",
    ),
    "kubevirt-preference-hidden": (
        with_preference("synictimer: {}", preferred=FULL.replace("synictimer: {}", "synictimer: {direct: {}}")),
        "{synictimer: {}}",
        "{}",
    ),
    "invalid-value": (machine(FULL.replace("vapic: {}", "vapic: {enabled: 'true'}")), "'true'", "true"),
    "unknown-enlightenment": (machine(f"{FULL}, relaxd: {{}}"), ", relaxd: {}", ""),
    "hpet-on": (machine(clock=f"{ZONE}, timer: {{hyperv: {{}}}}"), "hyperv: {}", f"hyperv: {{}}, {OFF_HPET}"),
}


@pytest.mark.parametrize("rule", CASES)
def test_whoever_obeys_gets_a_clean_result(rule: str) -> None:
    text, old, new = CASES[rule]
    before = rules(text)
    assert rule in before
    assert old in text
    after = rules(text.replace(old, new, 1))
    assert rule not in after
    assert set(after) <= set(before) - {rule}


@pytest.mark.parametrize("rule", CASES)
def test_fixes_are_yaml_without_the_finding(rule: str) -> None:
    text = CASES[rule][0]
    fixed = apply_fixes(text.encode(), "vm.yaml", KUBEVIRT, JOB, tuple(Safety)).data.decode()
    assert all(isinstance(one, dict) for one in yaml.safe_load_all(fixed))
    has = any(one.rule == rule and one.fix for one in lint(text.encode(), "x", KUBEVIRT, JOB.editing()).findings)
    assert (rule in rules(fixed)) is not has


def test_above_int32_the_crd_refuses() -> None:
    (finding,) = found(machine(f"{FULL}, spinlocks: {{spinlocks: 4294967295}}"))
    assert finding.severity == "error"
    assert finding.message == "features.hyperv.spinlocks.spinlocks is 4294967295, and KubeVirt takes at most 2147483647"
    assert (finding.span.line, finding.span.excerpt[finding.span.column - 1 :][:21]) == (10, "spinlocks: 4294967295")


def test_what_kubevirt_turns_on_itself_is_not_missing() -> None:
    """kubevirt:pkg/defaults/hyperv.go: synictimer brings synic, that brings vpindex."""
    text = machine("relaxed: {}, vapic: {}, synictimer: {}")
    assert "requirement-missing" not in rules(text)
    assert "requirement-missing" in rules(text.replace("synictimer", "synic: {enabled: no}, synictimer"))


def test_a_preference_that_is_not_there_leaves_much_open() -> None:
    text = machine("relaxed: {}", "", above="  preference: {name: windows.11}\n")
    result = lint(text.encode(), "x", KUBEVIRT, JOB)
    assert result.findings == ()
    assert {one.reason for one in result.skipped} == {"what the preference 'windows.11' adds is not known"}


def test_a_preference_is_merged() -> None:
    assert rules(with_preference("")) == []
    assert rules(with_preference("vpindex: {enabled: false}")) == ["requirement-missing"]
    # One timer hides all of the preference's.
    text = with_preference("", "timer: {pit: {tickPolicy: delay}}")
    assert sorted(rules(text)) == [
        *("hpet-on", "kubevirt-preference-hidden", "stimer-without-hypervclock", "timer-policy")
    ]


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("VirtualMachineInstance", ("spec",)),
        ("VirtualMachineInstanceReplicaSet", ("spec", "template", "spec")),
        ("VirtualMachinePool", ("spec", "virtualMachineTemplate", "spec", "template", "spec")),
    ],
)
@pytest.mark.parametrize("wrap", [None, "items", "objects"])
@pytest.mark.parametrize("dump", [yaml.safe_dump, json.dumps])
def test_every_kind_is_read(kind: str, path: tuple[str, ...], wrap: str | None, dump: object) -> None:
    spec = yaml.safe_load(machine("synic: {enabled: false}, synictimer: {}"))["spec"]["template"]["spec"]
    tree = spec
    for name in reversed(path):
        tree = {name: tree}
    group = "pool.kubevirt.io/v1beta1" if "Pool" in kind else "kubevirt.io/v1"
    tree = {"apiVersion": group, "kind": kind, "metadata": {"name": "win11"}, **tree}
    if wrap:
        tree = {"apiVersion": "v1", "kind": "List", wrap: [{"apiVersion": "v1", "kind": "ConfigMap"}, tree]}
    text = dump(tree)  # type: ignore[operator]
    assert "requirement-missing" in rules(text)


def test_a_template_s_parameters_are_not_known() -> None:
    text = machine(
        "relaxed: {enabled: '${RELAXED}'}, vapic: {}",
        more="        cpu: {cores: ${{CORES}}}\n".replace("${{", '"${{').replace("}}}", '}}"}'),
    )
    assert "invalid-value" not in rules(text)


def test_anchors_and_merge_keys_are_followed_and_never_changed() -> None:
    text = (
        machine()
        .replace("metadata:", "x: &x {enabled: false}\nmetadata:", 1)
        .replace("vpindex: {}", "vpindex: {<<: *x}")
    )
    assert "requirement-missing" in rules(text)
    assert apply_fixes(text.encode(), "x", KUBEVIRT, JOB, tuple(Safety)).data == text.encode()


def test_a_bomb_of_aliases_is_read_at_once() -> None:
    lines = ["a0: &a0 {b: 1}"] + [f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}, *a{n - 1}]}}" for n in range(1, 60)]
    text = machine(f"{FULL}, <<: *a59").replace("metadata:", "\n".join([*lines, "metadata:"]), 1)
    assert rules(text) == []


def test_mistakes_in_yaml_are_found_at_their_place() -> None:
    text = machine().replace("synic: {}", "synic: {}, synic: {}")
    (finding,) = found(text)
    assert (finding.rule, finding.message, finding.span.line) == ("invalid-value", "duplicate key 'synic'", 10)
    broken = lint(b"apiVersion: kubevirt.io/v1\nkind: {", "x", KUBEVIRT, JOB).findings
    assert [one.rule for one in broken] == ["not-well-formed"]


# Comments.
LOCAL = "        clock:\n          # hvctl: ignore[clock-offset] the image has RealTimeIsUniversal\n          utc: {}\n"


def block(clock: str) -> str:
    return machine(clock="XX").replace("        clock: {XX}\n", clock)


def test_a_comment_suppresses_what_is_below_the_key_after_it() -> None:
    rest = "          timer: {hyperv: {}, hpet: {present: false}}\n"
    assert rules(block(LOCAL + rest)) == []
    assert rules(block(LOCAL.replace(" the image has RealTimeIsUniversal", "") + rest)) == [
        "suppression-without-reason"
    ]
    other = LOCAL.replace("clock-offset", "hpet-on") + rest
    assert sorted(rules(block(other))) == ["clock-offset", "suppression-unused"]
    beside = "        clock:\n          utc: {}  # hvctl: ignore[clock-offset] told so\n" + rest
    assert rules(block(beside)) == []


def test_a_comment_before_all_is_about_the_document() -> None:
    text = "# hvctl: ignore[clock-offset, hpet-on] a lab\n" + machine(clock="timer: {hyperv: {}}")
    assert rules(text) == []
    assert rules(f"{text}---\n{machine(clock='timer: {hyperv: {}}')}") == ["clock-offset", "hpet-on"]


def test_directories(tmp_path: Path) -> None:
    (tmp_path / "vm.yaml").write_text(machine(clock=""))
    (tmp_path / "vm.yml").write_text(machine(clock=""))
    (tmp_path / "vm.json").write_text(json.dumps(yaml.safe_load(machine())))
    (tmp_path / "profile.yaml").write_text("version: 1\nname: a\n")
    (tmp_path / "map.yml").write_text("apiVersion: v1\nkind: ConfigMap\n")
    (tmp_path / "bad.yaml").write_text("{")
    done = inside("lint", str(tmp_path), "--no-config", "--format", "concise", code=1)
    assert {line.partition(":")[0].rpartition("/")[2] for line in done.stdout.splitlines()} == {"vm.yaml", "vm.yml"}
    done = inside("lint", str(tmp_path), "--no-config", code=1)
    assert "3 other files passed over (-v names them)" in done.stderr
    assert "map.yml" not in done.stderr
    assert "map.yml" in inside("lint", str(tmp_path), "--no-config", "-v", code=1).stderr
    for name in ("vm.yaml", "vm.yml"):
        (tmp_path / name).unlink()
    inside("lint", str(tmp_path), "--no-config", code=0)


def test_other_commands(tmp_path: Path) -> None:
    path = tmp_path / "vm.yaml"
    path.write_text(machine(f"{FULL}, spinlocks: {{spinlocks: 8191}}, vendorid: {{vendorid: KVMKVMKVM}}"))
    xml = inside("convert", str(path), "--to", "libvirt").stdout
    assert '<spinlocks state="on" retries="8191"/>' in xml
    assert '<vendor_id state="on" value="KVMKVMKVM"/>' in xml
    words = inside("convert", str(path), "--to", "qemu").stdout
    assert "hv_stimer=on" in words
    assert "hpet=off" in words
    profile = yaml.safe_load(inside("convert", str(path), "--to", "profile").stdout)
    assert profile["enlightenments"]["stimer"] is True or profile["enlightenments"]["stimer"] == "on"
    host = str(HOSTS / "debian-13.json")
    done = inside("check-migration", str(path), "--from", host, "--to", host, code=None)
    assert "host-model" in " ".join((done.stdout + done.stderr).split())
    done = inside("check-migration", str(path), "--from", host, "--to", host.replace("13", "12"), code=None)
    assert "versioned machine type" not in " ".join(done.stdout.split())
    assert "virt-launcher's QEMU decides" in " ".join(done.stdout.split())
    inside("diagnose", str(path), code=0)
    shown = inside("show", str(path)).stdout
    assert "win11" in shown
    assert "beside profile windows-11: it lacks " in shown
    assert json.loads(inside("show", str(path), "--format", "json").stdout)["guests"][0]["release"] == "windows-11"
    inside("show", str(path), "win11", code=2)


def test_one_guest_is_demanded_where_one_is_converted(tmp_path: Path) -> None:
    path = tmp_path / "vm.yaml"
    path.write_text(f"{machine()}---\n{machine(name='b')}")
    done = inside("convert", str(path), code=2)
    assert "a second guest begins here" in done.stderr
    path.write_text("apiVersion: kubevirt.io/v1\nkind: KubeVirt\n")
    assert "has no VirtualMachine" in inside("convert", str(path), code=2).stderr


def test_what_gen_writes_is_clean(tmp_path: Path) -> None:
    path = tmp_path / "out.yaml"
    host = str(HOSTS / "debian-13.json")
    for kind in ("patch", "vm", "preference"):
        words = ("--for", "kubevirt", "--kind", kind, "--timezone", "Europe/Berlin", "--name", "win11")
        inside("gen", "windows-11", "--host", host, *words, "-o", str(path))
        inside("lint", str(path), "--no-config", "--host", host, "--fail-on", "info")


class TestPreferenceOfAnotherFile:
    """A machine and its preference in two files of one run."""

    ABOVE = "  preference: {name: windows.11}\n"

    def write(self, folder: Path, preferred: str = FULL, hyperv: str = "relaxed: {}") -> None:
        (folder / "vm.yaml").write_text(machine(hyperv, "", "any", above=self.ABOVE))
        text = PREFERENCE.removeprefix("---\n").replace("{HYPERV}", f"{{{preferred}}}")
        (folder / "preference.yaml").write_text(text)

    def found(self, *words: str, code: int | None = None) -> list[str]:
        done = inside("lint", *words, "--no-config", "--format", "concise", code=code)
        return done.stdout.splitlines()

    def test_it_counts(self, tmp_path: Path) -> None:
        self.write(tmp_path)
        assert self.found(str(tmp_path), code=0) == []
        both = [str(tmp_path / name) for name in ("vm.yaml", "preference.yaml")]
        assert self.found(*both, code=0) == self.found(*reversed(both), code=0) == []
        done = inside("lint", both[0], "--no-config", code=0)
        assert "what the preference 'windows.11' adds is not known" in " ".join(done.stderr.split())

    def test_what_it_adds_is_found_where_the_machine_names_it(self, tmp_path: Path) -> None:
        self.write(tmp_path, f"{FULL}, spinlocks: {{spinlocks: 100}}")
        path = tmp_path / "preference.yaml"
        line = path.read_text().split("\n").index(next(one for one in path.read_text().split("\n") if "100" in one)) + 1
        own, other = sorted(self.found(str(tmp_path), code=1))
        assert own.startswith(f"{path}:{line}:")
        assert other.startswith(f"{tmp_path}/vm.yaml:5:3: error[spinlocks-out-of-range]")
        assert other.endswith(f"(the preference: {path}:{line})")

    def test_it_is_merged_per_feature(self, tmp_path: Path) -> None:
        preferred = FULL.replace("synictimer: {}", "synictimer: {direct: {}}")
        self.write(tmp_path, preferred, "synictimer: {}")
        (only,) = self.found(str(tmp_path), code=1)
        assert f"{tmp_path}/vm.yaml:" in only
        assert "hides direct of features.preferredHyperv.synictimer" in only

    def test_what_is_wrong_in_it_is_reported_once(self, tmp_path: Path) -> None:
        self.write(tmp_path, f"{FULL}, spinlocks: {{spinlocks: many}}")
        (only,) = self.found(str(tmp_path), code=1)
        assert only.startswith(f"{tmp_path}/preference.yaml:")

    def test_fixes_go_to_the_file_that_has_the_fault(self, tmp_path: Path) -> None:
        self.write(tmp_path, f"{FULL}, spinlocks: {{spinlocks: 100}}")
        before = (tmp_path / "vm.yaml").read_bytes()
        inside("lint", str(tmp_path), "--no-config", "--unsafe-fixes")
        assert (tmp_path / "vm.yaml").read_bytes() == before
        assert "spinlocks: 4096" in (tmp_path / "preference.yaml").read_text()
        assert self.found(str(tmp_path), code=0) == []

    def test_its_timers_are_not_hidden_by_a_fix(self, tmp_path: Path) -> None:
        self.write(tmp_path)
        path = tmp_path / "preference.yaml"
        path.write_text(path.read_text().replace("hyperv: {}, hpet: {present: false}", "hpet: {present: false}"))
        before = (tmp_path / "vm.yaml").read_bytes()
        done = inside("lint", str(tmp_path / "vm.yaml"), str(path), "--no-config", code=1)
        assert "write `clock.preferredTimer.hyperv.present: true` in the preference" in " ".join(done.stdout.split())
        inside("lint", str(tmp_path), "--no-config", "--unsafe-fixes")
        assert (tmp_path / "vm.yaml").read_bytes() == before
        assert self.found(str(tmp_path), code=0) == []

    def test_two_of_one_name(self, tmp_path: Path) -> None:
        self.write(tmp_path)
        (tmp_path / "again.yml").write_bytes((tmp_path / "preference.yaml").read_bytes())
        said = " ".join(inside("lint", str(tmp_path), "--no-config", code=0).stderr.split())
        assert (
            f"there are several preferences 'windows.11': {tmp_path}/again.yml:2, {tmp_path}/preference.yaml:2" in said
        )

    def test_namespaces(self, tmp_path: Path) -> None:
        """A cluster's preference is for all, another one for its namespace, as far as that is written."""
        wanted = "  preference: {name: windows.11, kind: VirtualMachinePreference}\n"
        vm = machine("relaxed: {}", "", "any", above=wanted).replace("{name: any}", "{name: any, namespace: a}")
        (tmp_path / "vm.yaml").write_text(vm)
        text = PREFERENCE.replace("{HYPERV}", f"{{{FULL}}}").replace("ClusterPreference", "Preference")
        for namespace, known in (("", True), (", namespace: a", True), (", namespace: b", False)):
            (tmp_path / "p.yaml").write_text(text.replace("{name: windows.11", f"{{name: windows.11{namespace}"))
            said = inside("lint", str(tmp_path), "--no-config", code=0).stderr
            assert ("adds is not known" not in " ".join(said.split())) == known, namespace

    @pytest.mark.parametrize("jobs", ["1", "2"])
    def test_among_many_files(self, tmp_path: Path, jobs: str) -> None:
        """However far apart they are, and whichever process judges them."""
        self.write(tmp_path, f"{FULL}, spinlocks: {{spinlocks: 100}}")
        for number in range(300):
            (tmp_path / f"x{number:03}.yaml").write_text(machine())
        (tmp_path / "preference.yaml").rename(tmp_path / "z.yaml")
        (tmp_path / "a").mkdir()
        (tmp_path / "vm.yaml").rename(tmp_path / "a" / "vm.yaml")
        found = self.found(str(tmp_path), "--jobs", jobs, code=1)
        assert [line.partition(":")[0] for line in found] == [f"{tmp_path}/a/vm.yaml", f"{tmp_path}/z.yaml"]

    def test_files_that_are_wrong_are_reported_once(self, tmp_path: Path) -> None:
        self.write(tmp_path)
        (tmp_path / "broken.yaml").write_text("apiVersion: instancetype.kubevirt.io/v1beta1\nkind: [Preference\n")
        (only,) = self.found(str(tmp_path), code=1)
        assert only.startswith(f"{tmp_path}/broken.yaml:")
