"""Locked plans for gen and launch."""

from __future__ import annotations

from collections.abc import Sequence

from hvctl.errors import UsageError
from hvctl.model.host import Host
from hvctl.model.lock import Lock
from hvctl.model.plan import Plan


def open_lock(path: str, named: str | None) -> tuple[str, Lock]:
    """A locked plan, and what is to be written of it: what is named, else all that it has.

    Raises:
        InputError: the file is no locked plan.
        UsageError: the plan was not locked for what is named.
    """
    from hvctl.plan_file.reader import read_lock

    lock = read_lock(path)
    has = [target for target, form in (("qemu", lock.argv), ("libvirt", lock.xml)) if form is not None]
    wanted = {"qemu": ["qemu"], "libvirt": ["libvirt"], "both": ["qemu", "libvirt"]}.get(named or "", has)
    missing = [target for target in wanted if target not in has]
    if missing or not has:
        raise UsageError(
            f"{path} was not locked for {' and '.join(missing or ['qemu'])}",
            "what QEMU and libvirt can give differs: lock a plan for both by `hvctl gen PROFILE --both --lock FILE`",
        )
    return named or ("both" if len(has) > 1 else has[0]), lock


def locked_plan(lock: Lock, pool: Sequence[Host], *, libvirt: bool) -> Plan:
    """The plan of a lock, with what hosts lack of it as its refusals."""
    from hvctl.plan_file.locking import lacking

    refusals = dict.fromkeys(one for host in pool for one in lacking(lock, host, libvirt=libvirt))
    return lock.plan._replace(refusals=tuple(refusals))
