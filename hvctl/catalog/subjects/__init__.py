"""Pages on what is not an enlightenment but decides with them: clocks, hiding, nesting, saving, machine and CPU.

Data only. What is known from a document or a source says where; what users report is marked so, with the thread.
"""

import re

from hvctl.catalog.subjects import clocks, hiding, machine, nesting, releases
from hvctl.catalog.types import Subject
from hvctl.catalog.windows import plain

SUBJECTS: tuple[Subject, ...] = (
    *(*clocks.SUBJECTS, *hiding.SUBJECTS, *machine.SUBJECTS, *nesting.SUBJECTS),
    *releases.SUBJECTS,
)
# What may stand behind the name of a release.
_EDITION = r"(?<=\d)-(?:home|pro|professional|enterprise|education|ltsc|standard|datacenter|n)$"
_BY_WORD = {word: subject for subject in SUBJECTS for word in (subject.id, *subject.words)}


def find_subject(name: str) -> Subject | None:
    """The page that any of its words names; case is ignored, and `_` and spaces are `-`."""
    return _BY_WORD.get(re.sub(_EDITION, "", plain(name.strip())))


def subject_words() -> tuple[str, ...]:
    """Every word that `find_subject` understands."""
    return tuple(_BY_WORD)
