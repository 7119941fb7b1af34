"""A resolved plan that is kept with its guest: what a guest was given once, it gets again."""

from typing import NamedTuple

from hvctl.model.host import Host
from hvctl.model.plan import Plan


class Lock(NamedTuple):
    """A locked plan.

    `plan` has a decision for each enabled row and no other. `argv` are QEMU's arguments and `xml` the libvirt domain,
    as they were written when the plan was locked; None for what was not. `pool` are the hosts that the plan was made
    for as far as another host must be like them: processor, TSC and, where the CPU model is `host`, its expansion.
    They have no names, no KVM facts, and exist for guests that migrate only.
    """

    plan: Plan
    argv: tuple[str, ...] | None
    xml: str | None
    pool: tuple[Host, ...] = ()
