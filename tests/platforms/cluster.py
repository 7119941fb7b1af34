"""Kubernetes' API as far as CRDs go: etcd and the CRD server on the loopback interface, and kubectl to ask them."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.testbed.errors import Missing, NoAnswer
from tests.testbed.process import bound_to_us, end

START_SECONDS = 60
KUBECTL_SECONDS = 60
# What needs the rest of a cluster, which is not there.
WITHOUT = (
    *("NamespaceLifecycle", "MutatingAdmissionWebhook", "ValidatingAdmissionWebhook"),
    *("ValidatingAdmissionPolicy", "MutatingAdmissionPolicy"),
)
KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{{name: here, cluster: {{server: "https://127.0.0.1:{port}", certificate-authority: {certificate}}}}}]
users: [{{name: me, user: {{client-certificate: {certificate}, client-key: {key}}}}}]
contexts: [{{name: here, context: {{cluster: here, user: me, namespace: default}}}}]
current-context: here
"""


class Cluster:
    """A server that answers; `folder` has its logs."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs, self.folder = programs, folder
        self._environment = {**os.environ, "HOME": str(folder), "KUBECONFIG": str(folder / "kubeconfig")}

    def kubectl(self, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """What kubectl says, with something on its stdin."""
        return subprocess.run(
            [*program(self.programs, "kubectl"), *words],
            input=given,
            capture_output=True,
            text=True,
            timeout=KUBECTL_SECONDS,
            env=self._environment,
            check=False,
        )

    def asked(self, *words: str, given: str = "") -> str:
        """The same where it must succeed, and warn of nothing."""
        done = self.kubectl(*words, given=given)
        assert (done.returncode, done.stderr) == (0, ""), f"kubectl {' '.join(words)}: {done.stderr}"
        return done.stdout

    def define(self, crds: str) -> None:
        """Have it serve the kinds of some CRDs."""
        names = self.asked("apply", "--server-side", "--validate=false", "-o", "name", "-f", "-", given=crds).split()
        self.asked("wait", "--for=condition=Established", "--timeout=30s", *names)


def program(programs: Path, name: str) -> list[str]:
    """The command of one that Debian built, by the dynamic linker of its release."""
    libraries = programs / "lib"
    return [str(libraries / "ld-linux-x86-64.so.2"), "--library-path", str(libraries), str(programs / name)]


@contextmanager
def running(programs: Path, folder: Path) -> Iterator[Cluster]:
    """A cluster while the block runs."""
    certificate, key = _certificate(folder)
    store, peers, port = _free_ports(3)
    config = folder / "kubeconfig"
    config.write_text(KUBECONFIG.format(port=port, certificate=certificate, key=key))
    urls = [f"http://127.0.0.1:{number}" for number in (store, peers)]
    etcd = [
        *program(programs, "etcd"),
        *("--data-dir", str(folder / "etcd"), "--unsafe-no-fsync", "--log-level", "error"),
        *("--listen-client-urls", urls[0], "--advertise-client-urls", urls[0], "--listen-peer-urls", urls[1]),
        *("--initial-advertise-peer-urls", urls[1], "--initial-cluster", f"default={urls[1]}"),
    ]
    server = [
        str(programs / "crdserver"),
        *("--etcd-servers", urls[0], "--bind-address", "127.0.0.1", "--secure-port", str(port)),
        *("--tls-cert-file", str(certificate), "--tls-private-key-file", str(key)),
        *("--client-ca-file", str(certificate), "--authentication-skip-lookup"),
        *("--authentication-kubeconfig", str(config), "--authorization-kubeconfig", str(config)),
        *("--kubeconfig", str(config), "--disable-admission-plugins", ",".join(WITHOUT)),
        "--enable-priority-and-fairness=false",
    ]
    with ExitStack() as stack:
        processes = [stack.enter_context(_process(command, folder)) for command in (etcd, server)]
        cluster = Cluster(programs, folder)
        _wait(cluster, processes)
        yield cluster


@contextmanager
def _process(command: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            bound_to_us(command, "KILL"), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder
        )
    try:
        yield process
    finally:
        end(process)


def _wait(cluster: Cluster, processes: list[subprocess.Popen[bytes]]) -> None:
    """Until it answers. It is never ready: for that it waits for what a cluster has."""
    deadline = time.monotonic() + START_SECONDS
    while cluster.kubectl("get", "--raw", "/livez").stdout != "ok":
        ended = [process for process in processes if process.poll() is not None]
        if ended or time.monotonic() > deadline:
            tail = "\n".join((cluster.folder / "log").read_text(errors="replace").splitlines()[-15:])
            raise NoAnswer(f"the CRD server {'ended' if ended else 'does not answer'}:\n{tail}")
        time.sleep(0.2)


def _certificate(folder: Path) -> tuple[Path, Path]:
    """One for all: the server's, the client's, who is in the group of administrators, and the authority of both."""
    if not shutil.which("openssl"):
        raise Missing("openssl", "openssl")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"),
            *("-days", "2", "-subj", "/O=system:masters/CN=tests", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return certificate, key


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
