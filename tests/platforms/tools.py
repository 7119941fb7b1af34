"""Packer, Vagrant with vagrant-libvirt, and Groovy of Debian 12, in a root directory of their own."""

import subprocess
import sys
import threading
from pathlib import Path

from tests.platforms.chroot import entered
from tests.testbed.tree import Tree, ready_tree

TREE = Tree("tools", "bookworm", ("packer", "vagrant-libvirt", "groovy"))
SECONDS = 250


def in_debian(script: str, shared: Path) -> subprocess.CompletedProcess[str]:
    """A shell's commands there, in a directory of this machine's; all that they start and mount goes with them."""
    root = ready_tree(TREE, lambda text: print(text, file=sys.stderr, flush=True), threading.Event())
    command = entered(root, f"cd /mnt; {script}", "--net", directories=((shared, "/mnt"),))
    environment = {"PATH": "/mnt:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/mnt", "LANG": "C.UTF-8"}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, env=environment, stdin=subprocess.DEVNULL
    )
