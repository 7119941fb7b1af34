"""The nodes of a YAML text, which know their place in it. Apart from what makes them, which takes long to import."""

from typing import NamedTuple

from hvctl.errors import Span


class Scalar(NamedTuple):
    """A word, number or text. `plain` is False where it was quoted or written as a block."""

    text: str
    plain: bool
    span: Span


class Entry(NamedTuple):
    """One key of a mapping and its value; `comment` are the last lines of comment right above it, without their `#`."""

    key: Scalar
    value: "Node"
    comment: tuple[str, ...] = ()

    @property
    def span(self) -> Span:
        """From the key to the end of the value, as far as that is on the key's line."""
        end = self.value.span
        if isinstance(self.value, Scalar) and end.line == end.end_line == self.key.span.line:
            return self.key.span._replace(end_column=end.end_column)
        return self.key.span


class Mapping(NamedTuple):
    """Keys and values in the order of the file; no key twice. `merged` is what merge keys bring, where they may."""

    entries: tuple[Entry, ...]
    span: Span
    merged: tuple["Mapping", ...] = ()

    def find(self, name: str) -> Entry | None:
        """The entry of a key, its own or a merged one."""
        found = next((entry for entry in self.entries if entry.key.text == name), None)
        if found is not None or not self.merged:
            return found
        # Each is looked into once: what merges the same twice over would else be looked into without end.
        waiting, seen = list(self.merged), set[int]()
        for mapping in waiting:  # it grows
            if id(mapping) in seen:
                continue
            seen.add(id(mapping))
            for entry in mapping.entries:
                if entry.key.text == name:
                    return entry
            waiting += mapping.merged
        return None


class Items(NamedTuple):
    """A list."""

    items: tuple["Node", ...]
    span: Span


class Broken(NamedTuple):
    """Where something stood that has been reported already."""

    span: Span


Node = Scalar | Mapping | Items | Broken
