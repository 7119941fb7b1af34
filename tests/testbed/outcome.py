"""One test's result as it travels from L1 to the outer pytest: one JSON line."""

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one test ended inside: `phase` is the one that decided, `text` the failure as pytest
    shows it and `crash` its line in pytest's summary."""

    nodeid: str
    outcome: str
    phase: str
    duration: float
    text: str = ""
    crash: str = ""
    wasxfail: str | None = None
    sections: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    properties: tuple[tuple[str, object], ...] = ()

    def line(self) -> str:
        return json.dumps(asdict(self)) + "\n"


def parse(line: str) -> Outcome:
    fields = json.loads(line)
    for name in ("sections", "properties"):
        fields[name] = tuple((key, value) for key, value in fields[name])
    fields["notes"] = tuple(fields["notes"])
    return Outcome(**fields)
