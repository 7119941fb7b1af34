"""The house's own rules: who may import whom, what may stand where, and generated files that are up to date."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from hvctl.catalog import ROWS
from hvctl.lint.rule import all_rules
from tests.paths import ROOT

PACKAGE = ROOT / "hvctl"

# Everything may import hvctl.errors; a package may import itself. No permission is listed that is not used.
MAY_IMPORT = {
    "catalog": set(),
    "model": {"catalog"},
    "text": {"model", "catalog"},
    "xml": {"text"},
    "profile": {"model", "catalog", "text"},
    "plan": {"model", "catalog"},
    "host": {"model", "catalog", "text", "xml"},
    "guest": {"model", "catalog", "text", "xml"},
    "migration": {"model", "catalog", "plan", "guest"},
    "plan_file": {"model", "catalog", "text", "xml", "plan", "host", "guest"},
    "lint": {"model", "catalog", "text", "xml", "plan", "guest", "report"},
    "run": {"model", "catalog", "text", "host", "guest"},
    "libvirt": {"text", "xml", "run"},
    "verify": {"model", "catalog", "text", "xml", "plan", "host", "guest", "run", "libvirt", "probe_guest"},
    "bench": {"model", "catalog", "text", "host", "verify", "probe_guest"},
    "report": {"model", "catalog", "text", "plan", "guest", "migration", "verify", "bench"},
}
PURE = ("catalog", "model", "text", "xml", "profile", "plan", "guest", "migration", "plan_file", "lint", "report")
IMPURE_MODULES = {"os", "subprocess", "socket", "time", "asyncio", "click", "signal", "fcntl", "tempfile", "random"}

MODULES = sorted(PACKAGE.rglob("*.py"))
in_every_module = pytest.mark.parametrize("path", MODULES, ids=[str(path.relative_to(PACKAGE)) for path in MODULES])


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Every module that a file imports, also inside functions and for type checking."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def rooms(path: Path) -> set[str]:
    """Every room of hvctl that a file imports from, also as `from hvctl import x`; not `__version__` and the like."""
    ours = {name.split(".")[1] for name in imports(path) if name.startswith("hvctl.")}
    return ours & {room(module) for module in MODULES}


def test_every_form_of_an_import_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    for line, found in (
        ("from hvctl import run, __version__", {"run"}),
        ("from hvctl.run import merge", {"run"}),
        ("def f():\n    import hvctl.run.merge", {"run"}),
        ("import os", set()),
    ):
        path.write_text(line)
        assert rooms(path) == found


@pytest.mark.parametrize("name", MAY_IMPORT)
def test_no_permission_is_wider_than_its_use(name: str) -> None:
    used = {other for path in MODULES if room(path) == name for other in rooms(path)}
    assert MAY_IMPORT[name] <= used


@in_every_module
def test_import_direction(path: Path) -> None:
    allowed = MAY_IMPORT.get(room(path))
    if allowed is None:
        return
    assert rooms(path) <= {room(path), "errors", *allowed}


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def test_nothing_imports_the_edges() -> None:
    """The interface and the commands are the edge: nothing else imports them."""
    for path in MODULES:
        if room(path) not in ("api", "cli", "__main__"):
            assert not rooms(path) & {"api", "cli"}, path
    assert "cli" not in rooms(PACKAGE / "api.py")


def test_no_imports_go_round_in_a_circle() -> None:
    """Of modules, wherever an import is: at the top, in a function, or for type checking."""
    names = {module_name(path): path for path in MODULES}
    graph = {
        name: {
            imported if imported in names else imported.rpartition(".")[0]
            for imported in imports(path)
            if imported.startswith("hvctl.")
        }
        for name, path in names.items()
    }
    assert len(graph) > 100
    TopologicalSorter({name: found & names.keys() for name, found in graph.items()}).prepare()


@pytest.mark.parametrize("path", [path for path in MODULES if room(path) in PURE], ids=lambda path: path.stem)
def test_the_core_touches_neither_machine_nor_terminal(path: Path) -> None:
    files = IMPURE_MODULES if path in (PACKAGE / "text/files.py", PACKAGE / "text/writing.py") else set()
    assert not {name.split(".")[0] for name in imports(path)} & IMPURE_MODULES - files


@in_every_module
def test_only_the_catalog_names_an_enlightenment(path: Path) -> None:
    if room(path) == "catalog":
        return
    ids = {row.id for row in ROWS} - COMMON_WORDS - THE_KERNELS_WORDS.get(str(path.relative_to(PACKAGE)), set())
    literals = {
        node.value
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert not {text for text in literals if re.sub("^(hv|x-hv)[-_]", "", text).replace("_", "-") in ids}


# Ids that are also ordinary words of keys and options.
COMMON_WORDS = {"time", "crash", "reset", "passthrough", "runtime"}
# A parameter of kvm_amd, and a line of /proc/cpuinfo.
THE_KERNELS_WORDS = {"host/hostfs.py": {"avic", "vendor-id"}}


def test_man_pages_are_up_to_date(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "scripts.manpages", str(tmp_path)], check=True, timeout=120, cwd=ROOT)
    for made in sorted(tmp_path.iterdir()):
        assert (ROOT / "man" / made.name).read_text() == made.read_text(), f"run `make generated`: {made.name}"


@pytest.mark.parametrize("page", ["hvctl.1", "hvctl-profile.5", "hvctl-enlightenments.7", "hvctl-rules.7"])
@pytest.mark.parametrize(
    "command", [["mandoc", "-T", "lint", "-W", "warning"], ["groff", "-man", "-ww", "-Tutf8", "-z"]], ids=lambda c: c[0]
)
def test_man_pages_render_without_a_warning(page: str, command: list[str]) -> None:
    done = subprocess.run([*command, str(ROOT / "man" / page)], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout + done.stderr, done.returncode) == ("", 0)


# Rooms that may import anything, or have no imports to check.
FREE = {"cli", "data", "probe_guest", "schemas"}
DOCUMENTS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted(
    (ROOT / "docs").rglob("*.md")
)
each_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)


def test_the_design_describes_every_room() -> None:
    described = re.findall(r"^\| `([a-z_]+)/` \|", (ROOT / "docs" / "design.md").read_text(), re.MULTILINE)
    # A checkout keeps the caches of rooms that are gone.
    files = [path.relative_to(PACKAGE).parts for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    there = {parts[0] for parts in files if len(parts) > 1}
    assert sorted(described) == sorted(there) == sorted({*MAY_IMPORT, *FREE})


@each_document
def test_links_lead_to_files(path: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text())
    assert [link for link in links if "://" not in link and not (path.parent / link).exists()] == []


@each_document
def test_files_that_documents_name_exist(path: Path) -> None:
    """As from the root or from hvctl/; `<rule_id>` may be anything. A user's directory is `domains/`."""
    named = re.findall(r"`([a-z_]+/[\w./<>*-]*)`", path.read_text())
    patterns = [re.sub(r"<[^>]+>", "*", name) for name in named if name != "domains/"]
    assert [name for name in patterns if not any(any(base.glob(name)) for base in (ROOT, PACKAGE))] == []


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"^\| \[\d+\]\((.+?)\)", (folder / "README.md").read_text(), re.MULTILINE)
    assert listed == sorted(path.name for path in folder.glob("[0-9]*.md"))


def test_the_numbers_of_rules_and_enlightenments() -> None:
    for name in ("README.md", "CHANGELOG.md"):
        text = (ROOT / name).read_text()
        assert f"{len(all_rules())} rules" in text
        assert f"all {len(ROWS)}" in text
