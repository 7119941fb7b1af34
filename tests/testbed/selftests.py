"""KVM's own selftests for Hyper-V, built from the release's kernel source: a witness of the worlds that is not ours."""

import re
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.testbed.apt import fetch_package, run
from tests.testbed.cache import built, named
from tests.testbed.errors import BuildFailed, Missing
from tests.testbed.tree import DEBIAN_12, DEBIAN_13

# By the world's release: the package.
SOURCES = {
    DEBIAN_12.name: (DEBIAN_12.suite, "linux-source-6.1"),
    DEBIAN_13.name: (DEBIAN_13.suite, "linux-source-6.12"),
}
PROGRAMS = (
    *("hyperv_clock", "hyperv_cpuid", "hyperv_evmcs", "hyperv_extended_hypercalls", "hyperv_features", "hyperv_ipi"),
    *("hyperv_svm_test", "hyperv_tlb_flush", "evmcs_test"),  # the last: up to Linux 6.1
)
# What of the source is needed to build them.
PARTS = ("arch/x86", "include", "scripts", "tools", "usr", "Makefile", "Kbuild", "Kconfig")
TOOLS = {"make": "make", "gcc": "gcc", "rsync": "rsync", "xz": "xz-utils", "dpkg-deb": "dpkg"}


def ready_selftests(release: str, say: Callable[[str], None], stop: threading.Event) -> Path:
    """The directory with the programs that the source of a release has, without libraries."""
    suite, package = SOURCES[release]

    def build(part: Path) -> Path:
        say(f"{release}: building KVM's selftests of {package}, once")
        return _build(suite, package, part, stop)

    return built(named(f"{release}-selftests", suite, package, *PROGRAMS), build)


def _build(suite: str, package: str, part: Path, stop: threading.Event) -> Path:
    for tool, needed in TOOLS.items():
        if not shutil.which(tool):
            raise Missing(tool, needed)
    packed = fetch_package(package, suite, part, stop)
    source, programs = part / "source", part / "programs"
    programs.mkdir()
    run(["dpkg-deb", "--extract", str(packed), str(part / "package")], part, stop)
    (archive,) = (part / "package").glob("usr/src/linux-source-*.tar.xz")
    top = archive.name.removesuffix(".tar.xz")
    source.mkdir()
    wanted = [f"{top}/{name}" for name in PARTS]
    run(["tar", "-xf", str(archive), "-C", str(source), "--strip-components=1", *wanted], part, stop)
    run(["make", "headers_install"], part, stop, source)
    folder = source / "tools/testing/selftests/kvm"
    for program in _known(folder):
        # Each has its place in the Makefile: x86_64/ before Linux 6.14.
        run(["make", "LDFLAGS=-static", f"OUTPUT={folder}", str(folder / program)], part, stop, folder)
        shutil.copy(folder / program, programs)
    if not any(programs.iterdir()):
        raise BuildFailed(f"{package} has none of KVM's selftests for Hyper-V")
    return programs


def _known(folder: Path) -> Iterator[str]:
    makefile = "".join(path.read_text() for path in folder.glob("Makefile*"))
    for name in PROGRAMS:
        if found := re.search(rf"\b(?:x86_64|x86)/{name}\b", makefile):
            yield found[0]
