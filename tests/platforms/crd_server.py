"""Kubernetes' CRD server, built from Debian's Go packages, with the etcd and the kubectl of the same release.

The packages are in no release but sid, which moves: what is built once stays as it is until `make clean-cache`.
"""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

from tests.platforms.chroot import entered
from tests.testbed.apt import run
from tests.testbed.cache import built, named
from tests.testbed.tree import Tree, unpack

SOURCE = Path(__file__).with_name("crdserver.go")
PACKAGES = ("golang-go", "golang-k8s-apiextensions-apiserver-dev", "etcd-server", "kubectl")
TREE = Tree("crdserver", "sid", PACKAGES)
# Without cgo the server needs no libraries, and Debian's programs only the C library of their release. Debian keeps the
# sources of its Go packages in a GOPATH, without modules.
BUILD = f"""
export HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin
cd /root
GO111MODULE=off GOPATH=/usr/share/gocode CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /programs ./crdserver
cp /usr/bin/etcd /usr/bin/kubectl /programs
mkdir /programs/lib
cp /lib64/ld-linux-x86-64.so.2 /lib/x86_64-linux-gnu/libc.so.6 /programs/lib
dpkg-query --show {" ".join(PACKAGES)} > /programs/versions
"""


def place() -> Path:
    """Where they are: the name holds what they are made of, but for what sid has that day."""
    return named(TREE.name, TREE.suite, *PACKAGES, SOURCE.read_text(), BUILD)


def ready_programs(say: Callable[[str], None], stop: threading.Event) -> Path:
    """The directory with crdserver, etcd and kubectl, and with the versions of the packages."""

    def build(part: Path) -> Path:
        say("crdserver: building Kubernetes' API server from Debian's Go packages, some minutes, once")
        return _build(part, stop)

    return built(place(), build)


def _build(part: Path, stop: threading.Event) -> Path:
    root = unpack(TREE, part, stop)
    (root / "programs").mkdir()
    (root / "root/crdserver").mkdir()
    shutil.copy(SOURCE, root / "root/crdserver/main.go")
    run(entered(root, BUILD), part, stop)
    return root / "programs"
