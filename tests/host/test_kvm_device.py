"""The ways in which /dev/kvm cannot be used, each with its own sentence: on real files."""

import grp
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hvctl.errors import HostError
from hvctl.host.kvm_device import LinuxKvm, opened

NOBODY = 65534


def refusal(path: Path) -> HostError:
    with pytest.raises(HostError) as raised, opened(LinuxKvm(str(path))):
        pass
    assert raised.value.exit_code == 3
    return raised.value


# A user id belongs to a process with all its threads, and those of pytest look after the testbed meanwhile.
AS_NOBODY = """\
import grp, json, os, sys  # grp, since nobody may not read this Python's folders
from hvctl.errors import HostError
from hvctl.host.kvm_device import LinuxKvm, opened
if os.geteuid() == 0:
    os.seteuid(int(sys.argv[2]))
try:
    with opened(LinuxKvm(sys.argv[1])):
        pass
except HostError as error:
    json.dump([error.message, error.hint], sys.stdout)
"""


def refusal_to_nobody(path: Path) -> HostError:
    """The same as nobody, where the tests run as root: root may open everything."""
    command = [sys.executable, "-c", AS_NOBODY, str(path), str(NOBODY)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return HostError(*json.loads(done.stdout))


def test_missing(tmp_path: Path) -> None:
    error = refusal(tmp_path / "kvm")
    assert error.message == f"there is no {tmp_path}/kvm: this kernel offers no KVM"
    assert "modprobe kvm_intel" in error.hint
    assert "firmware" in error.hint


def test_a_regular_file_is_no_kvm(tmp_path: Path) -> None:
    (tmp_path / "kvm").touch()
    assert refusal(tmp_path / "kvm").message == f"{tmp_path}/kvm is not a KVM: it is not a character device"


def test_a_folder_is_no_kvm(tmp_path: Path) -> None:
    assert refusal(tmp_path).message == f"{tmp_path} is not a KVM: it is a directory"


def test_another_device_is_no_kvm() -> None:
    message = "/dev/null is not a KVM: KVM_GET_API_VERSION: Inappropriate ioctl for device"
    assert refusal(Path("/dev/null")).message == message


def test_a_loop_of_links(tmp_path: Path) -> None:
    (tmp_path / "kvm").symlink_to(tmp_path / "kvm")
    assert "cannot be opened: Too many levels of symbolic links" in refusal(tmp_path / "kvm").message


@pytest.fixture
def forbidden(tmp_path: Path) -> Path:
    """A file that this user may not open: permission is refused before its type is looked at."""
    node = tmp_path / "kvm"
    node.touch()
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)
    return node


def test_no_permission_names_the_group_and_how_to_join_it(forbidden: Path) -> None:
    group = grp.getgrgid(1 if os.geteuid() == 0 else os.getegid())
    os.chown(forbidden, -1, group.gr_gid)
    forbidden.chmod(0o060)
    error = refusal_to_nobody(forbidden)
    assert error.message == f"no permission to use {forbidden}: it belongs to the group '{group.gr_name}'"
    assert f"'sudo usermod -aG {group.gr_name} \"$USER\"'" in error.hint


def test_no_permission_where_the_group_has_none(forbidden: Path) -> None:
    forbidden.chmod(0)
    error = refusal_to_nobody(forbidden)
    assert error.message.startswith(f"no permission to use {forbidden}: its owner alone may")
    assert "mode 0000" in error.message
    assert f"'sudo setfacl -m \"u:$USER:rw\" {forbidden}'" in error.hint


def test_no_permission_for_a_folder_above(forbidden: Path) -> None:
    forbidden.parent.chmod(0)
    error = refusal_to_nobody(forbidden)
    forbidden.parent.chmod(0o755)
    assert error.message == f"no permission to use {forbidden}"
    assert "parent directories" in error.hint


def test_a_fifo_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "kvm")
    assert "not a character device" in refusal(tmp_path / "kvm").message


LEFT_OPEN = """\
import os
from hvctl.errors import HostError
from hvctl.host.kvm_device import LinuxKvm, opened
before = os.listdir("/proc/self/fd")
try:
    with opened(LinuxKvm("/dev/null")):
        print("opened")
except HostError:
    print(sorted({*os.listdir("/proc/self/fd")} ^ {*before}))
"""


def test_nothing_stays_open() -> None:
    # A process of its own: the threads of pytest that look after the testbed open and close files meanwhile.
    done = subprocess.run([sys.executable, "-c", LEFT_OPEN], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")
