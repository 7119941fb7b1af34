"""What lint finds: one fault in a file, its place, why it matters, and what would fix it."""

from enum import StrEnum
from typing import NamedTuple

from hvctl.errors import Span
from hvctl.model.guest import Edit


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    """The guest does not start, or what is written does not count."""
    WARNING = "warning"
    """It works, and is slow, cannot migrate, or endangers something."""
    INFO = "info"
    """It could be better."""

    @property
    def rank(self) -> int:
        """A larger number for what is worse."""
        return (Severity.INFO, Severity.WARNING, Severity.ERROR).index(self)


class Safety(StrEnum):
    """What a fix may change."""

    SAFE = "safe"
    """The guest is what it was meant to be: what keeps it from starting is added, what does nothing is dropped."""
    UNSAFE = "unsafe"
    """The guest sees another machine than before."""


class Fix(NamedTuple):
    """How a finding can be fixed. `edits` do not overlap, and are empty where they were not asked for."""

    title: str
    safety: Safety
    edits: tuple[Edit, ...] = ()


class Finding(NamedTuple):
    """One fault.

    `rule` is a rule's id. `why` says in a sentence why it matters, `instead` what to write; both may be empty.
    """

    rule: str
    severity: Severity
    message: str
    span: Span
    why: str = ""
    instead: str = ""
    fix: Fix | None = None
    related: tuple[tuple[str, Span], ...] = ()


class Skipped(NamedTuple):
    """A rule that could not judge, and what it lacked."""

    rule: str
    reason: str


class Unchecked(NamedTuple):
    """A file that could not be judged, and why."""

    path: str
    reason: str
