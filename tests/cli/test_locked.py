"""`hvctl gen --lock` and `--locked`, `hvctl launch --locked`, as processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hvctl.host.host_file import dump_host
from hvctl.model.host import Host
from hvctl.plan_file.reader import read_lock
from hvctl.profile.source import shipped_names
from tests.cli.run import hvctl, inside
from tests.cli.test_launch import hyperv_here
from tests.made_hosts import made_amd_host, made_libvirt, made_qemu
from tests.paths import HOSTS

DEBIAN_12 = str(HOSTS / "debian-12.json")
DEBIAN_13 = str(HOSTS / "debian-13.json")
NO_HYPERV = str(HOSTS / "no-hyperv.json")


def host_file(folder: Path, host: Host) -> str:
    path = folder / f"{host.name}.host"
    path.write_text(dump_host(host))
    return str(path)


def folded(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A lock of windows-11 for both, and what gen printed with it."""
    path = tmp_path_factory.mktemp("lock") / "w.json"
    done = hvctl("gen", "windows-11", "--host", DEBIAN_12, "--both", "--name", "a & b", "--lock", str(path))
    return str(path), done.stdout


def test_the_same_bytes_again(both: tuple[str, str]) -> None:
    path, printed = both
    locked = ("gen", "--locked", path, "--host", DEBIAN_12)
    assert hvctl(*locked).stdout == hvctl(*locked, "--both").stdout == printed
    line, xml = hvctl(*locked, "--qemu").stdout, hvctl(*locked, "--libvirt").stdout
    assert line + xml == printed
    assert "<name>a &amp; b</name>" in xml
    document = json.loads(hvctl(*locked, "--format", "json").stdout)
    assert document["xml"] == xml
    assert hvctl(*locked, "--qemu", "-0").stdout == "".join(f"{word}\0" for word in document["argv"])
    assert document["plan"]["refusals"] == []
    assert document["leaves"][0]["leaf"] == "0x40000000"


@pytest.mark.parametrize("form", ["--qemu", "--libvirt", "--both"])
def test_every_shipped_profile_comes_back(form: str, tmp_path: Path) -> None:
    """In one process each way: what is printed for all profiles, and what their locks give."""
    script = (
        "import sys; from hvctl.cli import run\n"
        "names, form, host, folder = sys.argv[1].split(','), *sys.argv[2:]\n"
        "for name in names:\n"
        "    a, b, f = (f'{folder}/{name}.{kind}' for kind in 'abf')\n"
        "    first = run(['gen', name, form, '--host', host, '--lock', f, '-o', a, '-q'])\n"
        "    if first == 0:\n"
        "        assert run(['gen', '--locked', f, '--host', host, '-o', b, '-q']) == 0, name\n"
        "        assert open(a).read() == open(b).read(), name\n"
    )
    words = [sys.executable, "-c", script, ",".join(shipped_names()), form, DEBIAN_13, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert len(list(tmp_path.glob("*.b"))) > 5


def test_a_feature_may_have_any_of_its_names(tmp_path: Path) -> None:
    path, lock = tmp_path / "mine.yaml", str(tmp_path / "lock")
    path.write_text("version: 1\nextends: windows-11\ncpu: {features: {sse3: on, sse4_1: on, i64: on, lahf_lm: on}}\n")
    first = hvctl("gen", str(path), "--host", DEBIAN_12, "--both", "--lock", lock).stdout
    assert "pni=on,sse4.1=on,lm=on,lahf-lm=on" in first
    assert 'name="lahf_lm"' in first
    assert hvctl("gen", "--locked", lock, "--host", DEBIAN_12, "--both").stdout == first


def test_a_lock_is_written_the_same_twice_and_says_what_it_is(both: tuple[str, str], tmp_path: Path) -> None:
    again = tmp_path / "again.json"
    hvctl("gen", "windows-11", "--host", DEBIAN_12, "--both", "--name", "a & b", "--lock", str(again))
    assert again.read_text() == Path(both[0]).read_text()
    assert read_lock(str(again)).plan.profile == "windows-11"


def test_a_lock_can_be_piped(both: tuple[str, str]) -> None:
    script = (
        f"{sys.executable} -m hvctl gen windows-11 --host {DEBIAN_12} --both --name 'a & b' --lock - -o /dev/null"
        f" | {sys.executable} -m hvctl gen --locked - --host {DEBIAN_12}"
    )
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == both[1]


@pytest.fixture(scope="module")
def made_lock(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("made")
    host = host_file(folder, made_amd_host())
    hvctl("gen", "windows-11", "--both", "--host", host, "--lock", str(folder / "w.json"))
    return str(folder / "w.json")


class TestLacking:
    """What a host lacks is named, with the host and the layer, and nothing is printed."""

    @pytest.mark.parametrize(
        ("host", "said"),
        [
            (
                made_amd_host("old", qemu=(made_qemu(newest="7.2"),)),
                "machine: refused: QEMU /usr/bin/qemu-system-x86_64 has no",
            ),
            (made_amd_host("old", qemu=(made_qemu(unknown=("hv-xmm-input",)),)), "(old, qemu); use QEMU 7.1 or newer"),
            (
                made_amd_host("old", libvirt=made_libvirt(without=("xmm_input",))),
                "xmm-input: refused: its libvirt does not know xmm_input (old, libvirt)",
            ),
            (
                made_amd_host("fast", tsc=3_000_000_000),
                "the TSC frequencies of the hosts of the plan file and fast differ",
            ),
        ],
        ids=["machine", "qemu", "libvirt", "tsc"],
    )
    def test_one_thing(self, made_lock: str, host: Host, said: str, tmp_path: Path) -> None:
        out = tmp_path / "out"
        words = ("gen", "--locked", made_lock, "--host", host_file(tmp_path, host), "-o", str(out))
        done = inside(*words, code=1)
        assert said in folded(done.stderr)
        assert "profile windows-11 is refused" in done.stderr
        assert not out.exists()
        assert max(map(len, done.stderr.splitlines())) <= 80

    def test_json_says_so_too(self, made_lock: str, tmp_path: Path) -> None:
        path = host_file(tmp_path, made_amd_host("fast", tsc=3_000_000_000))
        done = inside("gen", "--locked", made_lock, "--host", path, "--format", "json", code=1)
        document = json.loads(done.stdout)
        assert (document["argv"], document["xml"], document["leaves"]) == (None, None, [])
        assert [one["id"] for one in document["plan"]["refusals"]] == ["tsc-frequency"]

    def test_libvirt_does_not_matter_to_qemu(self, made_lock: str, tmp_path: Path) -> None:
        path = host_file(tmp_path, made_amd_host("old", libvirt=made_libvirt(without=("xmm_input",))))
        assert inside("gen", "--locked", made_lock, "--host", path, "--qemu").stdout.startswith("-machine")

    def test_several_hosts(self, made_lock: str, tmp_path: Path) -> None:
        good = host_file(tmp_path, made_amd_host("good"))
        assert hvctl(
            "gen", "--locked", made_lock, "--host", good, "--host", host_file(tmp_path, made_amd_host("b"))
        ).stdout
        bad = inside("gen", "--locked", made_lock, "--host", good, "--host", NO_HYPERV, code=1)
        assert "kvm: refused: its KVM has no Hyper-V emulation (no-hyperv, kernel)" in folded(bad.stderr)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["windows-11", "--locked", "{lock}"], "a PROFILE and --locked do not go together"),
        (["--locked", "{lock}", "--name", "x"], "--name: not with --locked"),
        (["--locked", "{lock}", "--memory", "1"], "--memory: not with --locked"),
        (["--locked", "{lock}", "--machine", "q35"], "--machine: not with --locked"),
        (["--locked", "{lock}", "--metadata"], "--metadata: not with --locked"),
        (["--locked", "{lock}", "--fragment"], "--fragment: not with --locked"),
        (["--locked", "{lock}", "--lock", "{folder}/x"], "--lock: not with --locked"),
        (["--locked", "{lock}", "-0"], "-0 goes with --qemu and --format text only"),
        (["--locked", "{lock}", "-o", "{folder}/./w.json"], "--locked and -o name the same file"),
        (["--locked", "-", "--host", "-"], "stdin can be read once"),
        (["--locked", "{folder}/gone"], "gone cannot be read: no such file"),
        (["--locked", "{folder}"], "cannot be read: it is a directory"),
        (["--locked", DEBIAN_12], "is a host file, not a plan file"),
        (["minimal", "--host", "{lock}"], "is a plan file, not a host file"),
        (["minimal", "--lock", "-"], "--lock - would mix the plan file with the result"),
        (["minimal", "--lock", "{folder}/x", "-o", "{folder}/./x"], "--lock and -o name the same file"),
        (["minimal", "--lock", "{folder}/no/x"], "cannot be written"),
        (["minimal", "--lock", "{folder}"], "cannot be written"),
        ([], "a PROFILE is missing"),
    ],
)
def test_usage(words: list[str], message: str, both: tuple[str, str]) -> None:
    before = Path(both[0]).read_text()
    folder = str(Path(both[0]).parent)
    given = [word.format(lock=both[0], folder=folder) for word in words]
    hosts = [] if "--host" in given else ["--host", DEBIAN_12]
    done = inside("gen", *given, *hosts, code=2)
    assert message in folded(done.stderr)
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert Path(both[0]).read_text() == before
    assert os.listdir(folder) == ["w.json"]


@pytest.mark.parametrize(("form", "other"), [("--qemu", "libvirt"), ("--libvirt", "qemu")])
def test_what_was_not_locked_is_not_given(form: str, other: str, tmp_path: Path) -> None:
    path = str(tmp_path / "w.json")
    inside("gen", "minimal", "--host", DEBIAN_12, form, "--lock", path)
    assert inside("gen", "--locked", path, "--host", DEBIAN_12).stdout
    for asked in (f"--{other}", "--both"):
        done = inside("gen", "--locked", path, "--host", DEBIAN_12, asked, code=2)
        assert f"{path} was not locked for {other}" in folded(done.stderr)
        assert "--both --lock FILE" in folded(done.stderr)


def test_nothing_is_written_for_a_refused_profile(tmp_path: Path) -> None:
    profile = tmp_path / "p.yaml"
    profile.write_text("version: 1\nname: p\nenlightenments: {tlbflush-ext: on}\n")
    words = ("gen", str(profile), "--host", DEBIAN_12, "--lock", str(tmp_path / "lock"))
    inside(*words, code=1)
    inside(*words, "--format", "json", code=1)
    assert os.listdir(tmp_path) == ["p.yaml"]


def test_a_changed_lock_is_refused(both: tuple[str, str], tmp_path: Path) -> None:
    path = tmp_path / "w.json"
    path.write_text(Path(both[0]).read_text().replace("hv_relaxed=on,", ""))
    done = hvctl("gen", "--locked", str(path), "--host", DEBIAN_12, code=2)
    assert "the file was changed since hvctl wrote it" in folded(done.stderr)
    assert f"{path}:" in done.stderr


class TestLaunch:
    """launch asks the machine that it runs on."""

    def test_a_machine_without_hyperv_prevents_it(self, both: tuple[str, str]) -> None:
        words = [sys.executable, "-m", "hvctl", "launch", "--locked", both[0], "--dry-run"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
        if hyperv_here():
            # Whatever this machine is, it is not that of the plan, or exactly like it.
            assert done.returncode in (0, 1)
        else:
            assert (done.returncode, done.stdout) == (3, "")
            assert "KVM" in done.stderr

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["windows-11", "--locked", "{lock}"], "'windows-11': a PROFILE and --locked do not go together"),
            (["--locked", "{folder}/gone"], "gone cannot be read"),
            (["--locked", "-", "--also-host", "-"], "stdin can be read once"),
            (["--locked", DEBIAN_12, "--dry-run"], "is a host file, not a plan file"),
        ],
    )
    def test_usage(self, words: list[str], message: str, both: tuple[str, str]) -> None:
        given = [word.format(lock=both[0], folder=Path(both[0]).parent) for word in words]
        assert message in folded(inside("launch", *given, code=2).stderr)

    def test_a_plan_for_libvirt_alone_is_none_for_qemu(self, tmp_path: Path) -> None:
        path = str(tmp_path / "w.json")
        hvctl("gen", "minimal", "--host", DEBIAN_12, "--libvirt", "--lock", path)
        assert "was not locked for qemu" in folded(hvctl("launch", "--locked", path, code=2).stderr)


def virsh(*words: str) -> str:
    done = subprocess.run(
        ["virsh", "-c", "test:///default", *words], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_metadata_is_valid_and_travels_with_the_domain(tmp_path: Path) -> None:
    path, lock = tmp_path / "w.xml", tmp_path / "w.json"
    words = ("gen", "windows-11", "--host", DEBIAN_12, "--libvirt", "--name", "win", "--metadata")
    hvctl(*words, "-o", str(path), "--lock", str(lock))
    kept = read_lock(str(lock))
    assert kept.xml == path.read_text()
    # One virsh: what the test driver defines lives as long as the connection.
    shown = virsh(f"define --validate {path}; dumpxml win; metadata win urn:hvctl:domain:1.0")
    digest = json.loads(lock.read_text())["digest"]
    assert shown.count(f'<hvctl:plan profile="windows-11" digest="{digest}">') + shown.count(digest) >= 2
    assert 'xmlns:hvctl="urn:hvctl:domain:1.0"' in shown
    for decision in kept.plan.enabled():
        assert f'enlightenment id="{decision.id}"' in shown.replace("'", '"')


def test_the_digest_in_the_domain_is_the_locks() -> None:
    words = ("gen", "minimal", "--host", DEBIAN_12, "--libvirt")
    plain, marked = inside(*words).stdout, inside(*words, "--metadata").stdout
    assert "urn:hvctl" not in plain
    assert marked.replace("\n", "").count("sha256:") == 1
    assert "--metadata: only with" in hvctl("gen", "minimal", "--host", DEBIAN_12, "--metadata", code=2).stderr
