"""Pages on what is not an enlightenment but decides with them: clocks, hiding, nesting, saving, machine and CPU.

Data only. What is known from a document or a source says where; what users report is marked so, with the thread.
"""

from hvctl.catalog.subjects import clocks, hiding, machine, nesting, releases
from hvctl.catalog.types import Subject
from hvctl.catalog.windows import named, plain

SUBJECTS: tuple[Subject, ...] = (
    *(*clocks.SUBJECTS, *hiding.SUBJECTS, *machine.SUBJECTS, *nesting.SUBJECTS),
    *releases.SUBJECTS,
)
_BY_WORD = {word: subject for subject in SUBJECTS for word in (subject.id, *subject.words)}


def find_subject(name: str) -> Subject | None:
    """The page that any of its words names; case is ignored, and `_` and spaces are `-`."""
    word = plain(name.strip())
    if (known := _BY_WORD.get(word)) is not None:
        return known
    release = named(word)
    return _BY_WORD.get(release.id) if release else None


def subject_words() -> tuple[str, ...]:
    """Every word that `find_subject` understands."""
    return tuple(_BY_WORD)
