"""Changes to YAML as splices: what is set, added or removed of a tree; every other character stays as it is.

New keys come after the last one of their mapping, in its style: as lines of their own, or inside its braces.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from hvctl.text.yaml_tree import Entry, Items, Mapping, Node, Scalar

Tree = dict[str, Any]
"""What a mapping is to have: a text is a scalar as it is written, a Tree a mapping, a list items that are added, and
None removes the key."""

_STEP = 2


class Splice(NamedTuple):
    """The characters from `start` up to `end` (exclusive) become `text`."""

    start: int
    end: int
    text: str


class Editor:
    """Works out the splices for one text, of which `lines` are the offsets where lines begin."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.newline = "\r\n" if "\r\n" in text else "\n"
        self.lines = [0]
        at = 0
        while at < len(text):
            if text[at] == "\r" and text[at + 1 : at + 2] == "\n":
                at += 1
            if text[at] in "\r\n":
                self.lines.append(at + 1)
            at += 1
        # JSON is YAML, and wants its keys in quotes.
        self.quoted = text.lstrip()[:1] == "{"

    def at(self, line: int, column: int) -> int:
        """The offset of a place, both counted from 1."""
        return self.lines[line - 1] + column - 1

    def place(self, offset: int) -> tuple[int, int]:
        """The line and column of an offset."""
        line = bisect_right(self.lines, offset)
        return line, offset - self.lines[line - 1] + 1

    def change(self, mapping: Mapping, tree: Tree) -> Iterator[Splice]:
        """The splices that give a mapping what a tree says."""
        own = {entry.key.text: entry for entry in mapping.entries}
        removed = [entry for key, entry in own.items() if key in tree and tree[key] is None]
        added = {key: value for key, value in tree.items() if value is not None and key not in own}
        for key, value in tree.items():
            if value is not None and key in own:
                yield from self._set(own[key], value)
        flow = self._is_flow(mapping)
        if len(removed) == len(own) and not added and removed and not flow:
            yield self._emptied(removed)
            return
        for entry in removed:
            yield self._without(mapping, entry, removed) if flow else self._without_lines(mapping, entry)
        if added:
            kept = [entry for entry in mapping.entries if entry not in removed]
            yield self._in_braces(mapping, kept, added) if flow else self._as_lines(mapping, kept, added)

    def _set(self, entry: Entry, value: Any) -> Iterator[Splice]:
        node = entry.value
        if isinstance(value, dict) and isinstance(node, Mapping):
            yield from self.change(node, value)
        elif isinstance(value, list) and isinstance(node, Items) and node.items:
            yield self._appended(node, value)
        elif _is_empty(node):
            end, colon = self._key_end(entry)
            yield Splice(end, end, f"{colon} {self._flow(value)}")
        else:
            start = self.at(node.span.line, node.span.column)
            yield Splice(start, self._end(node, start), self._flow(value))

    def _is_flow(self, node: Mapping | Items) -> bool:
        span = node.span
        start = self.text[self.at(span.line, span.column)]
        return start in "{[" or (start in "&!" and self.text[self.at(span.end_line, span.end_column) - 1] in "}]")

    def _end(self, node: Node, after: int) -> int:
        """The offset where a node ends that begins at or after another one: an alias's node is elsewhere."""
        span = node.span
        if self.at(span.line, span.column) < after:
            return self._line_end(after)
        if isinstance(node, Mapping) and node.entries and not self._is_flow(node):
            return self._entry_end(node.entries[-1])
        if isinstance(node, Items) and node.items and not self._is_flow(node):
            return self._end(node.items[-1], after)
        end = self.at(span.end_line, span.end_column)
        # A text that is written as a block ends where the next line begins.
        return end - len(self.newline) if span.end_column == 1 and span.end_line > span.line else end

    def _entry_end(self, entry: Entry) -> int:
        key = entry.key.span
        return max(self._end(entry.value, self.at(key.line, key.column)), self.at(key.end_line, key.end_column) + 1)

    def _line_end(self, offset: int) -> int:
        """The end of a line, without its line break."""
        line, _ = self.place(offset)
        end = self.lines[line] if line < len(self.lines) else len(self.text)
        return offset + len(self.text[offset:end].rstrip("\r\n"))

    def _as_lines(self, mapping: Mapping, kept: Sequence[Entry], added: Tree) -> Splice:
        first = mapping.entries[0].key.span if mapping.entries else mapping.span
        indent = " " * (first.column - 1)
        lines = [f"{indent}{line}" for key, value in added.items() for line in self._block(key, value)]
        if not kept:
            start = self.lines[first.line - 1]
            return Splice(start, start, "".join(f"{line}{self.newline}" for line in lines))
        return self._below(min(self._entry_end(kept[-1]), len(self.text)), lines)

    def _below(self, offset: int, lines: Sequence[str]) -> Splice:
        """Lines that are added below the one of an offset, which may be removed itself."""
        end = self._line_end(offset)
        if not self._break(end):
            return Splice(end, end, "".join(f"{self.newline}{line}" for line in lines))
        end += self._break(end)
        return Splice(end, end, "".join(f"{line}{self.newline}" for line in lines))

    def _block(self, key: str, value: Any) -> Iterator[str]:
        if isinstance(value, dict) and value:
            yield f"{key}:"
            for name, one in value.items():
                yield from (f"{' ' * _STEP}{line}" for line in self._block(name, one))
        elif isinstance(value, list):
            yield f"{key}:"
            yield from (f"{' ' * _STEP}{line}" for one in value for line in self._item(one))
        else:
            yield f"{key}: {self._flow(value)}"

    def _item(self, value: Tree) -> Iterator[str]:
        lines = [line for key, one in value.items() for line in self._block(key, one)]
        yield f"- {lines[0]}"
        yield from (f"  {line}" for line in lines[1:])

    def _flow(self, value: Any) -> str:
        if isinstance(value, dict):
            pairs = (f"{self._key(key)}: {self._flow(one)}" for key, one in value.items())
            return f"{{{', '.join(pairs)}}}"
        if isinstance(value, list):
            return f"[{', '.join(map(self._flow, value))}]"
        text = str(value)
        return f'"{text}"' if self.quoted and not _is_bare(text) else text

    def _key(self, key: str) -> str:
        return f'"{key}"' if self.quoted else key

    def _in_braces(self, mapping: Mapping, kept: Sequence[Entry], added: Tree) -> Splice:
        text = self._flow(added)[1:-1]
        if kept:
            end = self._last(kept[-1])
            # Not every reader ends a key at `:,`.
            return Splice(end, end, f"{' ' * (self.text[end - 1] == ':')}, {text}")
        end = self.at(mapping.span.end_line, mapping.span.end_column) - 1
        return Splice(end, end, text)

    def _last(self, entry: Entry) -> int:
        """The end of an entry between braces, which may be a key alone."""
        if not _is_empty(entry.value):
            return self._entry_end(entry)
        end, _ = self._key_end(entry)
        while self.text[end : end + 1] == " ":
            end += 1
        return end

    def _key_end(self, entry: Entry) -> tuple[int, str]:
        """The end of a key with its colon, and what it lacks: between braces it may have none."""
        end = self.at(entry.key.span.end_line, entry.key.span.end_column)
        blank = re.compile(r"[ \t]*:").match(self.text, end)
        return (blank.end(), "") if blank else (end, ":")

    def _appended(self, items: Items, value: Sequence[Tree]) -> Splice:
        end = self._end(items.items[-1], self.at(items.span.line, items.span.column))
        if self._is_flow(items):
            return Splice(end, end, "".join(f", {self._flow(one)}" for one in value))
        indent = " " * (items.span.column - 1)
        return self._below(end, [f"{indent}{line}" for one in value for line in self._item(one)])

    def _without_lines(self, mapping: Mapping, entry: Entry) -> Splice:
        """An entry of its own lines, with them; of one that begins on another's line what is up to the next."""
        start = self.at(entry.key.span.line, entry.key.span.column)
        line = self.lines[entry.key.span.line - 1]
        end = self._line_end(self._entry_end(entry))
        if not self.text[line:start].strip():
            return Splice(line, min(end + self._break(end), len(self.text)), "")
        after = mapping.entries[mapping.entries.index(entry) + 1 :]
        return Splice(start, self.at(after[0].key.span.line, after[0].key.span.column) if after else end, "")

    def _break(self, offset: int) -> int:
        """The length of the line break at an offset; 0 where the text ends there."""
        rest = self.text[offset : offset + 2]
        return 2 if rest == "\r\n" else int(rest[:1] in ("\r", "\n"))

    def _emptied(self, removed: Sequence[Entry]) -> Splice:
        """Nothing is left of a mapping of lines: `{}`, after the key that it belongs to."""
        start = self.at(removed[0].key.span.line, removed[0].key.span.column)
        before = self.text[:start].rstrip(" \r\n")
        plain = before.endswith((":", "-"))
        end = self._entry_end(removed[-1])
        return Splice(len(before) if plain else start, end, " {}" if plain else "{}")

    def _without(self, mapping: Mapping, entry: Entry, removed: Sequence[Entry]) -> Splice:
        """An entry between braces, with the comma before it, or after it where nothing before it stays."""
        at = mapping.entries.index(entry)
        start = self.at(entry.key.span.line, entry.key.span.column)
        if any(one not in removed for one in mapping.entries[:at]):
            return Splice(self._last(mapping.entries[at - 1]), self._last(entry), "")
        if at + 1 < len(mapping.entries):
            following = mapping.entries[at + 1].key.span
            return Splice(start, self.at(following.line, following.column), "")
        return Splice(start, self._last(entry), "")


def _is_empty(node: Node) -> bool:
    """Whether nothing is written as a value."""
    return isinstance(node, Scalar) and node.plain and not node.text


def _is_bare(text: str) -> bool:
    return text in ("true", "false", "null") or text.isdecimal()
