"""What gen writes lints clean on the same host: every profile, every host, both syntaxes."""

from __future__ import annotations

import shlex

import pytest

from hvctl import api
from hvctl.guest.syntax import COMMAND_LINE, DOMAIN
from hvctl.host.host_file import read_host
from hvctl.lint.engine import Job, choose, lint
from hvctl.lint.rule import Facts, all_rules
from hvctl.model.host import Host
from hvctl.model.profile import Profile
from hvctl.profile.reader import load_profile
from hvctl.profile.source import shipped_names
from tests.made_hosts import made_amd_host, made_no_hyperv_host, made_old_kernel_host
from tests.paths import HOSTS


def made_avic_host() -> Host:
    """An AMD host whose KVM has AVIC active."""
    host = made_amd_host("made-amd-avic")
    return host._replace(hardware=host.hardware._replace(apicv=True))


RECORDED = [read_host(str(path)) for path in sorted(HOSTS.glob("*.json"))]
MADE = [made_amd_host(), made_avic_host(), made_no_hyperv_host(), made_old_kernel_host()]
ALL_HOSTS = pytest.mark.parametrize("host", [*RECORDED, *MADE], ids=lambda host: host.label)
EVERY = choose(all_rules())
# Those that are for a Windows that uses all that is advised in general.
COMPLETE = [name for name in shipped_names() if name.startswith(("windows-1", "windows-server-202"))]


def findings(profile: Profile, host: Host, facts: Facts, *, libvirt: bool) -> list[tuple[str, str]]:
    """The rules and messages for what is written; none where the host is refused."""
    plan = api.resolve(profile, (host,), libvirt=libvirt)
    if plan.refusals:
        return []
    text = api.domain(plan) if libvirt else f"qemu-system-x86_64 -accel kvm {shlex.join(api.arguments(plan))}\n"
    result = lint(text.encode(), "x", DOMAIN if libvirt else COMMAND_LINE, Job(EVERY, facts))
    return [(finding.rule, finding.message) for finding in result.findings]


@ALL_HOSTS
@pytest.mark.parametrize("libvirt", [False, True], ids=["qemu", "libvirt"])
@pytest.mark.parametrize("name", shipped_names())
def test_with_its_profile(name: str, libvirt: bool, host: Host) -> None:
    profile = load_profile(name)
    assert findings(profile, host, Facts((host,), profile), libvirt=libvirt) == []


@ALL_HOSTS
@pytest.mark.parametrize("libvirt", [False, True], ids=["qemu", "libvirt"])
@pytest.mark.parametrize("name", COMPLETE)
def test_without_a_profile(name: str, libvirt: bool, host: Host) -> None:
    assert findings(load_profile(name), host, Facts((host,)), libvirt=libvirt) == []


@ALL_HOSTS
@pytest.mark.parametrize("libvirt", [False, True], ids=["qemu", "libvirt"])
@pytest.mark.parametrize("uses", [("vbs",), ("wsl2", "gpu-passthrough")], ids="-".join)
def test_with_uses(uses: tuple[str, ...], libvirt: bool, host: Host) -> None:
    profile = load_profile("windows-11")._replace(uses=uses)
    assert findings(profile, host, Facts((host,), profile), libvirt=libvirt) == []
