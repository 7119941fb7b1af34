"""What the README shows for pre-commit, GitHub and GitLab: each valid for its reader, and run as that would run it.

pre-commit itself runs, and installs hvctl into an environment that it makes. GitHub and GitLab are not here: their
steps run in the order and with the shell that their documents name, but for those that install hvctl.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from lxml import etree

from tests.lint.test_outputs import SARIF
from tests.paths import ROOT

PRE_COMMIT, GITHUB, GITLAB = ".pre-commit-config.yaml", ".github/workflows/hvctl.yaml", ".gitlab-ci.yml"
BAD = """\
<domain type='kvm'>
  <name>win: 100%, "quoted"</name>
  <os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>
  <features><hyperv>
    <ipi state='on'/><reset state='on'/>
  </hyperv></features>
</domain>
"""
GOOD = "<domain type='kvm'><name>linux</name></domain>\n"
CONFIGURATION = "args: -cpu host\ncores: 2\nmemory: 2048\nostype: win11\n"
ARGUMENTS = "qemu-system-x86_64 -accel kvm -M pc-q35-7.2 -cpu host,hv_ipi\n"


def shown(name: str) -> str:
    """The file of that name in the README."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    (found,) = [block for block in blocks if block.startswith(f"# {name}\n")]
    return str(found)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a domain that is wrong, one that is right, XML of another kind, a command line, and a
    configuration of Proxmox VE."""
    folder = tmp_path / "repository"
    (folder / "domains").mkdir(parents=True)
    files = {"domains/bad, 100%.xml": BAD, "domains/good.xml": GOOD, "pom.xml": "<project/>\n", "guest.args": ARGUMENTS}
    files |= {"100.conf": CONFIGURATION, "nginx.conf": "server {}\n"}
    for name, text in files.items():
        (folder / name).write_text(text)
    commit(folder)
    return folder


def commit(folder: Path) -> None:
    who = ["-c", "user.name=tests", "-c", "user.email=tests@example.org", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q"], ["add", "-A"], [*who, "commit", "-q", "-m", "x"], ["tag", "v0.1.0"]):
        subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, timeout=60)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """This process's, with `hvctl` on the PATH."""
    program = tmp_path / "bin" / "hvctl"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m hvctl "$@"\n')
    program.chmod(0o755)
    path = f"{program.parent}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}


def run(script: str, folder: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a script as both do: by bash, until the first command that fails."""
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script],
        cwd=folder,
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(("name", "schema"), [(GITHUB, "vendor.github-workflows"), (GITLAB, "vendor.gitlab-ci")])
def test_the_readers_take_the_file(name: str, schema: str, tmp_path: Path) -> None:
    path = tmp_path / Path(name).name
    path.write_text(shown(name))
    words = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout


def steps(folder: Path, environment: Mapping[str, str]) -> Iterator[tuple[dict[str, Any], str]]:
    """Run the steps as GitHub does: after one that fails only those with `if: always()`. Yields each and its stdout."""
    (job,) = yaml.safe_load(shown(GITHUB))["jobs"].values()
    failed = False
    for step in job["steps"]:
        if failed and step.get("if") != "always()":
            continue
        done = None
        if "run" in step and not step["run"].startswith("pipx install git+https://git.example.org/hvctl@"):
            done = run(step["run"], folder, environment)
            assert done.returncode in (0, 1), done.stderr
        failed = failed or bool(done and done.returncode)
        yield step, done.stdout if done else ""
    assert failed, "the pull request is not red"


# "Workflow commands for GitHub Actions": ::notice file={name},line={line},endLine={endLine},title={title}::{message}
COMMAND = re.compile(r"::(error|warning|notice) ((?:\w+=[^,:\r\n]*)(?:,\w+=[^,:\r\n]*)*)::([^\r\n]+)")
PARAMETERS = {"file", "line", "endLine", "col", "endColumn", "title"}


def unescaped(text: str) -> str:
    """What GitHub's runner makes of an escaped value (actions/runner, ActionCommand.cs)."""
    for code, char in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(code, char)
    return text


def test_github_annotates_and_uploads(repository: Path, environment: dict[str, str]) -> None:
    ran = list(steps(repository, environment))
    texts = [text for step, text in ran if "--format github" in step.get("run", "")]
    found = [COMMAND.fullmatch(line) for line in texts[0].splitlines()]
    assert len(texts) == 1
    assert all(found)
    levels = {match[1] for match in found if match}
    assert levels == {"error", "warning", "notice"}
    for match in found:
        assert match
        pairs = dict(pair.split("=", 1) for pair in match[2].split(","))
        assert set(pairs) <= PARAMETERS
        assert (repository / unescaped(pairs["file"])).is_file()
        assert 1 <= int(pairs["line"]) <= int(pairs["endLine"]) <= len(BAD.splitlines())
        assert unescaped(pairs["title"]).startswith("hvctl ")
    (upload,) = [step for step, _ in ran if step.get("uses", "").startswith("github/codeql-action/upload-sarif@")]
    document = json.loads((repository / upload["with"]["sarif_file"]).read_text())
    jsonschema.validate(document, json.loads(SARIF.read_text()))
    assert len(document["runs"][0]["results"]) == len(found)
    assert yaml.safe_load(shown(GITHUB))["permissions"]["security-events"] == "write"


def test_gitlab_shows_the_findings_as_failed_tests(repository: Path, environment: dict[str, str]) -> None:
    job = yaml.safe_load(shown(GITLAB))["hvctl"]
    install, *script = job["script"]
    assert install.startswith("pip install git+https://git.example.org/hvctl@")
    done = run("\n".join(script), repository, environment)
    assert done.returncode == 1, done.stderr
    assert job["artifacts"]["when"] == "always", "the report of a job that failed is kept"
    root = etree.parse(str(repository / job["artifacts"]["reports"]["junit"]))
    etree.RelaxNG(etree.parse(str(Path(__file__).parent / "junit.rng"))).assertValid(root)
    failed = [str(case.get("name")) for case in root.iter("testcase") if len(case)]
    assert "domains/bad, 100%.xml:5:5 requirement-missing" in failed
    assert all(name.startswith("domains/bad, 100%.xml:") for name in failed)


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of hvctl as it is here, with a tag."""
    folder = tmp_path_factory.mktemp("hooks") / "hvctl"
    for name in ("hvctl", "profiles", "man"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml"):
        shutil.copy(ROOT / name, folder / name)
    commit(folder)
    return folder


@pytest.fixture(scope="module")
def pre_commit_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """pip builds hvctl by the hatchling that is here, and takes what hvctl imports from here: no index is asked."""
    folder = tmp_path_factory.mktemp("pre-commit")
    packages = folder / "packages"
    packages.mkdir()
    for path in Path(yaml.__file__).parents[1].iterdir():
        if not re.match(r"_*(hvctl|editable|pip|setuptools|virtualenv)", path.name):
            (packages / path.name).symlink_to(path)
    pip = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_CONFIG_FILE": os.devnull}
    places = {"PRE_COMMIT_HOME": str(folder / "home"), "PYTHONPATH": str(packages), "PRE_COMMIT_COLOR": "never"}
    return {**os.environ, **pip, **places}


def pre_commit(
    *words: str, folder: Path, environment: Mapping[str, str], code: int = 0
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", *words],
        cwd=folder,
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_pre_commit_takes_the_hooks(tmp_path: Path, pre_commit_environment: dict[str, str]) -> None:
    (tmp_path / PRE_COMMIT).write_text(shown(PRE_COMMIT))
    settings: dict[str, Any] = {"folder": tmp_path, "environment": pre_commit_environment}
    pre_commit("validate-config", PRE_COMMIT, **settings)
    pre_commit("validate-manifest", str(ROOT / ".pre-commit-hooks.yaml"), **settings)


def test_pre_commit_finds_what_is_wrong(repository: Path, hooks: Path, pre_commit_environment: dict[str, str]) -> None:
    (repository / PRE_COMMIT).write_text(shown(PRE_COMMIT).replace("https://git.example.org/hvctl", str(hooks)))
    settings: dict[str, Any] = {"folder": repository, "environment": pre_commit_environment}
    said = pre_commit("run", "--all-files", code=1, **settings).stdout
    assert said.count("Failed") == 3
    assert "--> 100.conf:1:12" in said
    assert "--> domains/bad, 100%.xml:5:5" in said
    assert "--> guest.args:1:" in said
    assert "good.xml" not in said
    (repository / "domains" / "bad, 100%.xml").write_text(GOOD)
    (repository / "guest.args").unlink()
    said = pre_commit("run", "--files", "domains/bad, 100%.xml", "domains/good.xml", "pom.xml", **settings).stdout
    assert "Passed" in said
    assert "no files to check" in said
