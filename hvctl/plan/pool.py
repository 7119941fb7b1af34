"""What all hosts of a pool can give, and which host and layer takes away what they cannot."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hvctl.catalog import ORDER, ROWS, machines
from hvctl.catalog.roles import enclosing
from hvctl.catalog.types import Row
from hvctl.model.host import Host, Pool
from hvctl.model.plan import Decision, Layer, Machine
from hvctl.plan.cpu import Candidate, apart, candidates, difference, vendors_apart
from hvctl.plan.resolve import choose_machine, unusable
from hvctl.plan.support import Answer, Judged, State, judge, verdict


class Removal(NamedTuple):
    """Why a row falls out. `group` is the position of the class that removes it; None for a missing requirement."""

    id: str
    group: int | None
    answer: Answer


class Common(NamedTuple):
    """The ids that every host can give, closed under requirements, and what takes the others away."""

    ids: tuple[str, ...]
    removals: tuple[Removal, ...]


class Survey(NamedTuple):
    """A pool, judged.

    `judged` has the rows of each class, in the order of the pool's classes. `qemu` is what the hosts have in common
    without libvirt, `libvirt` with it. `machines` is the newest common type of each family. `cpu_apart` says why CPU
    model `host` does not migrate in this pool, `cpu_models` are the named ones that every host can
    give, the best first.
    `obstacles` are what keeps a guest from moving whichever enlightenments and CPU model it has, `unusable` the hosts
    on which no plan can be had at all.
    """

    pool: Pool
    judged: tuple[tuple[Judged, ...], ...]
    qemu: Common
    libvirt: Common
    machines: tuple[tuple[str, str | None], ...]
    cpu_apart: str
    cpu_models: tuple[Candidate, ...]
    obstacles: tuple[Decision, ...]
    unusable: tuple[Decision, ...]

    @property
    def cpu_model(self) -> str | None:
        """The best named CPU model."""
        return self.cpu_models[0].model if self.cpu_models else None


def survey(pool: Pool) -> Survey:
    """Judge a pool of at least one host."""
    hosts = pool.representatives()
    judged = tuple(judge(group.facts, group.facts.qemu[0] if group.facts.qemu else None) for group in pool.classes)
    nothing = [why for group in pool.classes if (why := unusable(group.host(group.members[0])))]
    comparable = all(host.qemu for host in hosts)
    return Survey(
        pool=pool,
        judged=judged,
        qemu=_common(judged, libvirt=False),
        libvirt=_common(judged, libvirt=True),
        machines=_machines(hosts) if comparable else (),
        cpu_apart=difference(hosts) if comparable else "not every host has a QEMU that could be asked",
        cpu_models=candidates(hosts) if comparable else (),
        obstacles=(*vendors_apart(hosts), *apart(hosts)) if _moves(pool) else (),
        unusable=tuple(nothing),
    )


def _moves(pool: Pool) -> bool:
    """Whether there is another host to move to."""
    return sum(len(group.members) for group in pool.classes) > 1


def _common(judged: Sequence[Sequence[Judged]], *, libvirt: bool) -> Common:
    removals = [
        Removal(one.row.id, group, answer)
        for rows in zip(*judged, strict=True)
        for group, one in enumerate(rows)
        if not one.row.experimental and (answer := verdict(one.answers, libvirt=libvirt)).state is not State.YES
    ]
    out: dict[str, State] = {}
    for removal in removals:
        out[removal.id] = State.NO if State.NO in (removal.answer.state, out.get(removal.id)) else State.UNKNOWN
    left = [row for row in ROWS if row.id not in out and not row.experimental]
    while lacking := {row.id: why for row in left if (why := _requirement(row, out, libvirt=libvirt))}:
        removals += [Removal(row_id, None, answer) for row_id, answer in lacking.items()]
        out |= {row_id: answer.state for row_id, answer in lacking.items()}
        left = [row for row in left if row.id not in out]
    return Common(tuple(row.id for row in left), tuple(sorted(removals, key=lambda removal: ORDER[removal.id])))


def _requirement(row: Row, out: Mapping[str, State], *, libvirt: bool) -> Answer | None:
    """Why a row that every host can give falls out after those in `out`; None if it does not."""
    needed = [one for one in row.requires if one in out]
    if needed:
        return Answer(Layer.REQUIREMENT, _worst(needed, out), f"it requires {' and '.join(needed)}")
    outer = enclosing(row) if libvirt else None
    around = [outer.id] if outer and outer.id in out else []
    if around:
        return Answer(Layer.LIBVIRT, _worst(around, out), f"libvirt writes it only inside {' and '.join(around)}")
    return None


def _worst(ids: Sequence[str], out: Mapping[str, State]) -> State:
    return State.NO if any(out[row_id] is State.NO for row_id in ids) else State.UNKNOWN


def _machines(hosts: Sequence[Host]) -> tuple[tuple[str, str | None], ...]:
    found = [(family, choose_machine(family, hosts)) for family in machines.FAMILIES]
    return tuple((family, kind.type if isinstance(kind, Machine) else None) for family, kind in found)
