"""Measurements as JSON, to be kept and compared with later ones."""

from __future__ import annotations

from typing import Any

from hvctl.model.bench import Bench, HostState, Series
from hvctl.text.json_document import decode, load, read_bytes
from hvctl.text.json_fields import Fields, Form

FORM = Form("measurement", 1, "measurements are written by 'hvctl bench --format json -o FILE'", 4 << 20)
_KINDS = 1000


def content(bench: Bench) -> dict[str, Any]:
    """The document without what can be computed from it. Cycles are counted in thousandths, as whole numbers."""
    host = bench.host
    return {
        "format_version": FORM.version,
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
            }
            for one in bench.series
            for run, cycles in enumerate(one.cycles)
        ],
    }


def read_bench(path: str) -> Bench:
    """Read a measurement; `-` is stdin.

    Raises:
        InputError: it cannot be read, or is no measurement.
    """
    return load_bench(decode(read_bytes(path, FORM), path, FORM), path)


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
    )


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
    values: dict[tuple[int, bool, int], list[float]] = {}
    for record in root.records("values"):
        key = (_number(record, "id"), bool(record.flag("enlightened")), _number(record, "vcpus"))
        if key not in values and len(values) == _KINDS:
            record.wrong("id", f"a measurement has at most {_KINDS} things")
            break
        values.setdefault(key, []).append(_number(record, "millicycles") / 1000)
    return tuple(Series(*key, tuple(cycles)) for key, cycles in values.items())


def _number(fields: Fields, key: str) -> int:
    return fields.number(key, optional=False) or 0
