"""Verdicts on migrations for a terminal and for programs."""

from collections.abc import Sequence
from typing import Any

from hvctl.migration.differences import Answer, Effect, Move, Reason
from hvctl.report.console import BOLD, GREEN, RED, YELLOW, Paint, wrapped
from hvctl.report.pool import names_text
from hvctl.text.problems import printable

EFFECTS = {
    Effect.REFUSED: "refused at the source, the guest goes on there",
    Effect.FAILS: "fails on the destination, the source goes on",
    Effect.LOST: "the destination dies while the source reports completed: the guest is lost (only `cont` at the "
    "source, whose QEMU is still there, brings it back; with return-path on, as under libvirt, it goes on there)",
    Effect.CHANGES: "succeeds, but the running guest is changed under way (QEMU never compares)",
    Effect.UNKNOWN: "cannot be told",
    Effect.NOTE: "does not stand in the way, and is wrong on either host",
}
# The same of a guest that is saved, and loaded again.
_SAVED = {
    Effect.REFUSED: "refused: nothing is saved, and the guest goes on",
    Effect.FAILS: "cannot be loaded there; the saved state stays",
    Effect.LOST: "is saved, and cannot be loaded: what the guest was doing is lost",
    Effect.CHANGES: "is loaded, but the guest is changed under way (QEMU never compares)",
    Effect.UNKNOWN: EFFECTS[Effect.UNKNOWN],
    Effect.NOTE: EFFECTS[Effect.NOTE],
}
_WORDS = {Answer.YES: ("yes", GREEN), Answer.NO: ("no", RED), Answer.UNKNOWN: ("cannot tell", YELLOW)}


def moves_text(
    guest: str,
    source: str,
    moves: Sequence[Move],
    *,
    saved: bool = False,
    width: int = 80,
    color: bool = False,
    all_names: bool = False,
) -> str:
    """The verdict on every target, and last the targets that work; ends in a newline. `saved`: of a saved state."""
    paint = Paint(color)
    title = f"{guest}, saved on {source}" if saved else f"{guest}, from {source}"
    lines = [paint(line, BOLD) for line in wrapped(printable(title), width)]
    for move in moves:
        word, code = _WORDS[move.answer]
        head = wrapped(f"{word}: {names_text(move.targets, all_names=all_names)}", width, 0, 4)
        lines += ["", head[0].replace(word, paint(word, code), 1), *head[1:]]
        for effect in Effect:
            meaning = (_SAVED if saved else EFFECTS)[effect]
            lines += _reasons(meaning, [reason for reason in move.reasons if reason.effect is effect], width)
    works = working(moves)
    label = "hosts that load it" if saved else "targets that work"
    last = f"{label}: {names_text(works, all_names=all_names) if works else 'none'}"
    return "\n".join([*lines, "", *wrapped(last, width)]) + "\n"


def working(moves: Sequence[Move]) -> list[str]:
    """The names of the targets to which the guest can move."""
    return [name for move in moves if move.answer is Answer.YES for name in move.targets]


def _reasons(meaning: str, reasons: Sequence[Reason], width: int) -> list[str]:
    if not reasons:
        return []
    lines = wrapped(f"{meaning}:", width, 2, 4)
    for reason in reasons:
        remedy = f"; {reason.remedy}" if reason.remedy else ""
        lines += wrapped(f"{reason.id}: {reason.text} ({reason.layer}){remedy}", width, 4, 6)
    return lines


def moves_json(guest: str, source: str, moves: Sequence[Move], *, saved: bool = False) -> dict[str, Any]:
    """The object that `check-migration --format json` prints."""
    return {
        "guest": printable(guest),
        "source": printable(source),
        "saved": saved,
        "verdicts": [
            {
                "answer": str(move.answer),
                "targets": list(move.targets),
                "reasons": [
                    _reason_json(reason, (_SAVED if saved else EFFECTS)[reason.effect]) for reason in move.reasons
                ],
            }
            for move in moves
        ],
        "works": working(moves),
    }


def _reason_json(reason: Reason, meaning: str) -> dict[str, Any]:
    return {
        "effect": str(reason.effect),
        "meaning": meaning,
        "id": reason.id,
        "layer": str(reason.layer),
        "text": reason.text,
        "remedy": reason.remedy or None,
        "error": reason.error or None,
    }
