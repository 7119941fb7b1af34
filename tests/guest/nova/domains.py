"""Domains that nova 34.0.0 made, by its own test case (tests/platforms/test_nova.py compares them with nova's)."""

import re
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent


class Domain(NamedTuple):
    """A domain, and what nova was asked for it."""

    name: str
    question: dict[str, Any]

    @property
    def path(self) -> Path:
        return HERE / f"{self.name}.xml"


DOMAINS = (
    # What somebody gets who says no more than that it is Windows.
    Domain("plain", {"image": {"os_type": "windows"}, "flavor": {}, "libvirt": {}}),
    # What `hvctl gen windows-11 --for nova` writes.
    Domain(
        "windows-11",
        {
            "image": {"os_type": "windows", "hw_machine_type": "pc-q35-10.0", "hw_time_hpet": "false"},
            "flavor": {},
            "libvirt": {"cpu_mode": "host-passthrough"},
        },
    ),
    Domain(
        "hidden",
        {
            "image": {"os_type": "windows", "hw_time_hpet": "true", "img_hide_hypervisor_id": "true"},
            "flavor": {},
            "libvirt": {"cpu_mode": "custom", "cpu_models": "SandyBridge", "cpu_model_extra_flags": "+invtsc, -smep"},
        },
    ),
    Domain("not-windows", {"image": {}, "flavor": {}, "libvirt": {}}),
)


def steady(xml: str) -> str:
    """A domain without what is another in each run."""
    xml = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "00000000-0000-4000-8000-000000000000", xml)
    xml = re.sub(r"nic[0-9a-f]{8}-[0-9a-f]{2}", "nic00000000-00", xml)
    xml = re.sub(r"<nova:creationTime>.*?</", "<nova:creationTime>2026-11-28 12:00:00</", xml)
    return re.sub(r"/tmp/[^/'\"]+/[^/'\"]+/", "/var/lib/nova/instances/", xml)
