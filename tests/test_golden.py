"""Every shipped profile on recorded hosts: the arguments and the domain, beside each other in tests/golden/PROFILE/.

HVCTL_GOLDEN=write (`make golden`) writes what hvctl says now; look at the difference before it is committed.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hvctl.guest.command.writer import arguments
from hvctl.guest.domain.writer import domain
from hvctl.host.host_file import read_host
from hvctl.plan.resolve import resolve
from hvctl.profile.reader import load_profile
from hvctl.profile.source import shipped_names
from hvctl.report.plan import explanation
from tests.paths import HOSTS

FOLDER = Path(__file__).parent / "golden"
RECORDED = ("debian-12", "debian-13", "debian-13-intel")


def outputs(profile: str, host: str) -> dict[str, str]:
    """File name to text."""
    wanted = load_profile(profile)
    pool = (read_host(str(HOSTS / f"{host}.json")),)
    plan = resolve(wanted, pool)
    for_libvirt = resolve(wanted, pool, libvirt=True)
    assert not plan.refusals
    assert not for_libvirt.refusals
    return {
        f"{host}.args": "\n".join(arguments(plan)) + "\n",
        f"{host}.xml": domain(for_libvirt),
        f"{host}.explain": explanation(plan),
    }


@pytest.mark.parametrize("host", RECORDED)
@pytest.mark.parametrize("profile", shipped_names())
def test_golden(profile: str, host: str) -> None:
    for name, text in outputs(profile, host).items():
        path = FOLDER / profile / name
        if os.environ.get("HVCTL_GOLDEN") == "write":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        assert path.read_text() == text
