"""A surveyed pool for programs."""

from typing import Any

from hvctl.model.host import HostClass, Pool
from hvctl.model.plan import Decision
from hvctl.plan.pool import Common, Survey
from hvctl.plan.support import Judged
from hvctl.report.pool import Gain, letter


def pool_json(survey: Survey, gain: Gain | None) -> dict[str, Any]:
    """The object that `pool --format json` prints."""
    return {
        "hosts": sum(len(group.members) for group in survey.pool.classes),
        "classes": [
            {
                "id": letter(position),
                "hosts": [{"name": member.name, "tsc_hz": member.tsc_hz} for member in group.members],
                "facts": _facts_json(group),
                "enlightenments": {one.row.id: _judged_json(one) for one in rows if not one.row.experimental},
            }
            for position, (group, rows) in enumerate(zip(survey.pool.classes, survey.judged, strict=True))
        ],
        "common": {"qemu": _common_json(survey, survey.qemu), "libvirt": _common_json(survey, survey.libvirt)},
        "machines": dict(survey.machines),
        "cpu": _cpu_json(survey),
        "tsc": _tsc_json(survey.pool),
        "obstacles": [_decision_json(one) for one in survey.obstacles],
        "unusable": [_decision_json(one) for one in survey.unusable],
        "without": _gain_json(gain) if gain else None,
    }


def _facts_json(group: HostClass) -> dict[str, Any]:
    """What tells the classes apart, in short; null where it is not known."""
    host, hardware = group.facts, group.facts.hardware
    return {
        "kernel": host.kvm.release,
        "hyperv": host.kvm.hyperv,
        "vendor": hardware.vendor,
        "processor": hardware.model_name,
        "nested": hardware.nested,
        "tsc_hz": list(group.frequencies) if group.frequencies else None,
        "tsc_scaling": hardware.tsc_scaling,
        "qemu": {"path": host.qemu[0].path, "version": host.qemu[0].version} if host.qemu else None,
        "libvirt": {"version": host.libvirt.version} if host.libvirt else None,
    }


def _cpu_json(survey: Survey) -> dict[str, Any]:
    vendors = {group.facts.hardware.vendor for group in survey.pool.classes}
    return {
        "vendors": sorted(vendor for vendor in vendors if vendor is not None),
        "vendor_unknown": None in vendors,
        "host_differs": survey.cpu_apart or None,
        "model": survey.cpu_model,
        "models": [
            {"name": one.model, "level": one.level, "lacks": None if one.lacks is None else list(one.lacks)}
            for one in survey.cpu_models
        ],
    }


def _tsc_json(pool: Pool) -> dict[str, Any]:
    """`every_host_scales` is null where no host is known not to, and one is not known to."""
    scaling = {group.facts.hardware.tsc_scaling for group in pool.classes}
    ends = [end for group in pool.classes for end in group.frequencies or ()]
    return {
        "hz": [min(ends), max(ends)] if ends else None,
        "every_host_scales": False if False in scaling else None if None in scaling else True,
    }


def _judged_json(judged: Judged) -> dict[str, Any]:
    layers = {
        str(answer.layer): {"state": str(answer.state), "reason": answer.reason, "remedy": answer.remedy}
        for answer in judged.answers
    }
    return {"state": str(judged.verdict.state), "layers": layers}


def _common_json(survey: Survey, common: Common) -> dict[str, Any]:
    return {
        "enlightenments": list(common.ids),
        "removed": [
            {
                "id": one.id,
                "class": None if one.group is None else letter(one.group),
                "host": None if one.group is None else survey.pool.classes[one.group].members[0].name,
                "layer": str(one.answer.layer),
                "state": str(one.answer.state),
                "reason": one.answer.reason,
                "remedy": one.answer.remedy,
            }
            for one in common.removals
        ],
    }


def _gain_json(gain: Gain) -> dict[str, Any]:
    return {
        "hosts": list(gain.hosts),
        "gained": {"qemu": gain.ids(libvirt=False), "libvirt": gain.ids(libvirt=True)},
        "machines": dict(gain.without.machines),
        "cpu": _cpu_json(gain.without),
        "tsc": _tsc_json(gain.without.pool),
        "obstacles": [_decision_json(one) for one in gain.without.obstacles],
        "unusable": [_decision_json(one) for one in gain.without.unusable],
    }


def _decision_json(decision: Decision) -> dict[str, Any]:
    return {
        "id": decision.id,
        "host": decision.host,
        "layer": str(decision.layer),
        "reason": decision.reason,
        "remedy": decision.remedy or None,
    }
