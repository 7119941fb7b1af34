"""The whole host: provenance, notes, and what stops it."""

from pathlib import Path

import pytest

from hvctl.errors import HostError
from hvctl.host.probe import probe_host


def test_a_root_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(HostError) as raised:
        probe_host(str(tmp_path / "missing"))
    assert raised.value.message == f"there is no folder {tmp_path}/missing"
    assert raised.value.exit_code == 3


def test_a_root_without_kvm(tmp_path: Path) -> None:
    with pytest.raises(HostError, match=f"there is no {tmp_path}/dev/kvm"):
        probe_host(str(tmp_path))


def test_kvm_is_taken_from_below_the_root(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/kvm").symlink_to("/dev/null")
    with pytest.raises(HostError, match="is not a KVM"):
        probe_host(str(tmp_path))
