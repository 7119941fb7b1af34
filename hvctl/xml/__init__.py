from typing import NamedTuple


class Node(NamedTuple):
    """A new element: its tag, attributes, children or text."""

    tag: str
    attributes: tuple[tuple[str, str], ...] = ()
    children: "tuple[Node, ...]" = ()
    text: str = ""
