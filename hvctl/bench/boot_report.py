"""The measuring guest's report: bytes that a guest printed become a Boot, or are refused. See probe/PROTOCOL.md."""

from __future__ import annotations

from hvctl.model.bench import Boot, Took
from hvctl.verify.probe_report import ReportError, read_lines

VERSION = "hvctl-bench 1"
FIELDS = {"cpus": "ww", "took": "wwnnnnn", "missing": "w", "lost": "w"}


def read_boot(data: bytes) -> Boot:
    """What a guest measured; any bytes are harmless.

    Raises:
        ReportError: it is no whole and intact report of this version, or says that the guest could not go on.
    """
    found = {
        name: [tuple(field or 0 for field in row) for row in rows]
        for name, rows in read_lines(data, VERSION, FIELDS).items()
    }
    if len(found.get("cpus", ())) != 1 or len(found.get("lost", ())) > 1:
        raise ReportError("does not say once how many vCPUs it has")
    wanted, started = found["cpus"][0]
    took = tuple(Took(row[0], row[1], row[2:]) for row in found.get("took", ()))
    if len({one.id for one in took}) != len(took) or not all(one.operations and all(one.cycles) for one in took):
        raise ReportError("measured a thing twice, or in no time")
    missing = tuple(row[0] for row in found.get("missing", ()))
    return Boot(wanted, started, took, missing, found["lost"][0][0] if "lost" in found else 0)
