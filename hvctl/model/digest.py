"""The digest by which a guest's plan is known again."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from hvctl.model.plan import Plan


def content(plan: Plan) -> dict[str, Any]:
    """What makes a plan the same plan: all that the guest can tell, by names that stay."""
    return {
        "profile": plan.profile,
        "os": plan.os,
        "uses": list(plan.uses),
        "migration": str(plan.migration),
        "machine": {"type": plan.machine.type, "hpet_option": plan.machine.hpet_option},
        "cpu": {
            "model": plan.cpu.model,
            "hidden": plan.cpu.hidden,
            "features": dict(plan.cpu.features),
            "tsc_frequency": plan.cpu.tsc_frequency,
        },
        "clock": plan.clock._asdict(),
        "enlightenments": {
            decision.id: True if decision.value is None else decision.value for decision in plan.enabled()
        },
    }


def digest(plan: Plan) -> str:
    """`sha256:` and 64 hexadecimal digits over the plan's content."""
    return checksum(content(plan))


def checksum(value: Any) -> str:
    """`sha256:` and 64 hexadecimal digits over a JSON value; the order of keys does not count."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
