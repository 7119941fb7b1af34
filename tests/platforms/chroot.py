"""Commands in another Debian's root directory, which end with us, and so does all that they start and mount."""

import os
from pathlib import Path

# $1: the root, $2: what runs in it, then pairs of directories: of this machine, and where it is in the root.
SCRIPT = """
root=$1 script=$2
shift 2
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
while [ $# != 0 ]; do
    mount --bind "$1" "$root$2"
    shift 2
done
exec chroot "$root" /bin/sh -euc "$script"
"""


def entered(root: Path, script: str, *options: str, directories: tuple[tuple[Path, str], ...] = ()) -> list[str]:
    """A shell's commands in namespaces of their own, with more of unshare's options."""
    # Who is not root is so in a namespace of users.
    own = () if os.geteuid() == 0 else ("--map-root-user",)
    shared = [str(word) for pair in directories for word in pair]
    names = ("--mount", "--pid", "--fork", "--kill-child", *own, *options)
    return ["unshare", *names, "--", "sh", "-euc", SCRIPT, "sh", str(root), script, *shared]
