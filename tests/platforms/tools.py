"""Packer, Vagrant with vagrant-libvirt, and Groovy of Debian 12, in a root directory of their own."""

import os
import subprocess
import sys
import threading
from pathlib import Path

from tests.testbed.tree import Tree, ready_tree

TREE = Tree("tools", "bookworm", ("packer", "vagrant-libvirt", "groovy"))
SECONDS = 250
# $1: the root, $2: what is shared with it, as its /mnt, $3: what runs there.
_SCRIPT = """
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
mount --bind "$2" "$1/mnt"
exec chroot "$1" /bin/sh -euc "cd /mnt; $3"
"""


def in_debian(script: str, shared: Path) -> subprocess.CompletedProcess[str]:
    """A shell's commands there, in a directory of this machine's; all that they start and mount goes with them."""
    root = ready_tree(TREE, lambda text: print(text, file=sys.stderr, flush=True), threading.Event())
    own = () if os.geteuid() == 0 else ("--map-root-user",)
    names = (*own, "--mount", "--net", "--pid", "--fork", "--kill-child")
    command = ["unshare", *names, "--", "sh", "-euc", _SCRIPT, "sh", str(root), str(shared), script]
    environment = {"PATH": "/mnt:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/mnt", "LANG": "C.UTF-8"}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, env=environment, stdin=subprocess.DEVNULL
    )
