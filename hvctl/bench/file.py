"""What the measuring guest took for things that an enlightenment makes cheaper; and as JSON, to be compared later."""

from statistics import median
from typing import Any, NamedTuple

from hvctl.text.files import decode
from hvctl.text.json_document import load, read_bytes
from hvctl.text.json_fields import FORMAT_VERSION, Fields, Form
from hvctl.text.recognition import FileKind


class Took(NamedTuple):
    """One thing in one boot: its number, the operations of a batch, and the TSC cycles of each batch."""

    id: int
    operations: int
    cycles: tuple[int, ...]

    @property
    def each(self) -> float:
        """The cycles of one operation: the middle of the batches."""
        return median(self.cycles) / self.operations


class Boot(NamedTuple):
    """One boot. `missing` is what this guest has not; `lost` answers of other vCPUs did not come in time."""

    wanted: int
    vcpus: int
    took: tuple[Took, ...]
    missing: tuple[int, ...] = ()
    lost: int = 0


class Series(NamedTuple):
    """One thing in one kind of guest, with so many vCPUs: the cycles of an operation, one value for each run.

    `set` is the platform whose set the guest had; empty for the profile's plan, and without enlightenments.
    """

    id: int
    enlightened: bool
    vcpus: int
    cycles: tuple[float, ...]
    set: str = ""


class SetGuest(NamedTuple):
    """A platform's set for one release on this host: its rows with their values as text, in the catalog's order.

    `same_as` is the set with the same rows that was measured in its stead, `refused` why the guest does not start or
    run with it.
    """

    id: str
    rows: tuple[tuple[str, str | None], ...]
    same_as: str = ""
    refused: str = ""


class HostState(NamedTuple):
    """What the measurements depend on beside KVM. None is unknown.

    `load` is how many tasks beside hvctl wanted a CPU just before the start, `steal` the percentage of time that this
    host's own host took from it meanwhile. `virtual` is whether this host is a virtual machine itself.
    """

    cpus: int
    processor: str | None = None
    kernel: str | None = None
    qemu: str | None = None
    clocksource: str | None = None
    governor: str | None = None
    load: float | None = None
    steal: float | None = None
    virtual: bool | None = None


class Bench(NamedTuple):
    """All of it. `tsc_hz` turns cycles into time, None where it is not known. `groups` are those asked for.

    `sets` are the profile's plan and what was compared with it, those that platforms give the Windows `release`; empty
    where nothing was.
    """

    guest: str
    groups: tuple[str, ...]
    runs: int
    tsc_hz: int | None
    host: HostState
    series: tuple[Series, ...]
    missing: tuple[int, ...] = ()
    release: str = ""
    sets: tuple[SetGuest, ...] = ()


FORM = Form("measurement", "measurements are written by 'hvctl bench --format json -o FILE'", FileKind.MEASUREMENT)
_KINDS = 1000
PLAN = "plan"
"""What the profile's own plan is named among the sets."""


def content(bench: Bench) -> dict[str, Any]:
    """The document without what can be computed from it. Cycles are counted in thousandths, as whole numbers."""
    host = bench.host
    return {
        "format_version": FORMAT_VERSION,
        "kind": FORM.name,
        "guest": bench.guest,
        "groups": list(bench.groups),
        "runs": bench.runs,
        "tsc_hz": bench.tsc_hz,
        "host": {
            "cpus": host.cpus,
            "processor": host.processor,
            "kernel": host.kernel,
            "qemu": host.qemu,
            "clocksource": host.clocksource,
            "governor": host.governor,
            "load_percent": None if host.load is None else round(100 * host.load),
            "steal_permille": None if host.steal is None else round(10 * host.steal),
            "virtual": host.virtual,
        },
        "missing": [{"id": number} for number in bench.missing],
        "values": [
            {
                "id": one.id,
                "enlightened": one.enlightened,
                "vcpus": one.vcpus,
                "run": run,
                "millicycles": round(1000 * cycles),
                **({"set": one.set} if one.set else {}),
            }
            for one in bench.series
            for run, cycles in enumerate(one.cycles)
        ],
        "release": bench.release or None,
        "sets": [set_content(one) for one in bench.sets],
    }


def set_content(one: SetGuest) -> dict[str, Any]:
    rows = [{"id": row_id, **({} if value is None else {"value": value})} for row_id, value in one.rows]
    return {"id": one.id, "rows": rows, "same_as": one.same_as or None, "refused": one.refused or None}


def read_bench(path: str) -> Bench:
    """Read a measurement; `-` is stdin.

    Raises:
        InputError: it cannot be read, or is no measurement.
    """
    return load_bench(decode(read_bytes(path, FORM), path), path)


def load_bench(text: str, path: str) -> Bench:
    """The measurement of a file's text; raises as `read_bench`."""
    return load(text, path, FORM, _decode)


def _decode(root: Fields) -> Bench | None:
    root.word("kind", [FORM.name])
    if root.mistakes:
        return None
    return Bench(
        guest=root.text("guest") or "",
        groups=root.texts("groups"),
        runs=_number(root, "runs"),
        tsc_hz=root.number("tsc_hz"),
        host=_host(root.fields("host")),
        series=_series(root),
        missing=tuple(_number(record, "id") for record in root.records("missing")),
        release=root.text("release", optional=True) or "",
        sets=tuple(_set(record) for record in root.records("sets", needed=False)),
    )


def _set(record: Fields) -> SetGuest:
    rows = tuple((row.text("id") or "", row.text("value", optional=True)) for row in record.records("rows"))
    same_as, refused = (record.text(key, optional=True) or "" for key in ("same_as", "refused"))
    return SetGuest(record.text("id") or "", rows, same_as, refused)


def _host(fields: Fields) -> HostState:
    load_percent, steal_permille = fields.number("load_percent"), fields.number("steal_permille")
    return HostState(
        cpus=_number(fields, "cpus"),
        processor=fields.text("processor", optional=True),
        kernel=fields.text("kernel", optional=True),
        qemu=fields.text("qemu", optional=True),
        clocksource=fields.text("clocksource", optional=True),
        governor=fields.text("governor", optional=True),
        load=None if load_percent is None else load_percent / 100,
        steal=None if steal_permille is None else steal_permille / 10,
        virtual=fields.flag("virtual"),
    )


def _series(root: Fields) -> tuple[Series, ...]:
    values: dict[tuple[int, bool, int, str], list[float]] = {}
    for record in root.records("values"):
        kind = (_number(record, "id"), bool(record.flag("enlightened")), _number(record, "vcpus"))
        key = (*kind, record.text("set", optional=True) or "")
        if key not in values and len(values) == _KINDS:
            record.wrong("id", f"a measurement has at most {_KINDS} things")
            break
        cycles = _number(record, "millicycles")
        if not cycles:
            record.wrong("millicycles", "nothing takes no time")
        values.setdefault(key, []).append(cycles / 1000)
    return tuple(
        Series(number, enlightened, vcpus, tuple(cycles), name)
        for (number, enlightened, vcpus, name), cycles in values.items()
    )


def _number(fields: Fields, key: str) -> int:
    return fields.number(key, optional=False) or 0
