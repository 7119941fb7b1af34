"""A sign of life on a terminal while something takes seconds; nothing at all elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

_FRAMES = "|/-\\"
_SECONDS = 0.1
_ERASE_LINE = "\r\x1b[K"


@contextmanager
def spinner(text: str, stream: TextIO, *, quiet: bool = False) -> Iterator[None]:
    """Turn beside `text` on `stream` while the block runs, then erase it."""
    if quiet or not stream.isatty():
        yield
        return
    done = threading.Event()
    thread = threading.Thread(target=_turn, args=(text, stream, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _turn(text: str, stream: TextIO, done: threading.Event) -> None:
    frame = 0
    while not done.wait(_SECONDS):
        stream.write(f"\r{_FRAMES[frame % len(_FRAMES)]} {text}")
        stream.flush()
        frame += 1
    if frame:
        stream.write(_ERASE_LINE)
        stream.flush()
