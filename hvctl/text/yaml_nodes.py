"""YAML text to a tree of nodes that know their place in the text.

Values stay source text: what YAML 1.1 makes of a bare `on` or `0x1fff` is decided by the reader of the tree, not here.
The tree is built from the parser's events, so that nesting is bounded before anything recurses, and what a
configuration file has no use for (anchors, aliases, tags, merge keys, several documents) is reported where it stands.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeGuard

import yaml

from hvctl.errors import Span
from hvctl.text.problems import Problems, quoted
from hvctl.text.yaml_tree import Broken, Entry, Items, Mapping, Node, Scalar

DEEPEST = 32

# libyaml where PyYAML was built with it: ten times as fast. Both give the same events and marks.
_LOADER = getattr(yaml, "CLoader", yaml.Loader)
_BREAK = re.compile("\r\n|\r|\n")
# Of a comment above a key, so that a file of comments costs no more than its size.
_COMMENT_LINES, _COMMENT_WIDTH = 12, 200


def parse(text: str, path: str, problems: Problems) -> Node | None:
    """Build the tree of the only document in a text.

    Args:
        text: the file's content, without a byte order mark.
        path: the name of the file for spans.
        problems: where mistakes are added that leave a tree.

    Returns:
        The root; None where the file holds nothing but comments.

    Raises:
        InputError: no tree can be built: syntax, control characters, nesting deeper than `DEEPEST`.
    """
    builder = _Builder(path, _BREAK.split(text), problems)
    _build(builder, text)
    return builder.root


def parse_stream(text: str, path: str, problems: Problems) -> list[Node]:
    """The trees of all documents in a text, with what files of Kubernetes may have: anchors, aliases, tags, merge keys.

    An alias is the node itself, so that nothing is copied. Arguments and errors are those of `parse`.
    """
    builder = _Stream(path, _BREAK.split(text), problems)
    _build(builder, text)
    return builder.roots


def _build(builder: "_Builder", text: str) -> None:
    builder.refuse_unprintable(text)
    try:
        builder.build(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        builder.syntax(error)
    except yaml.YAMLError as error:
        builder.problems.add(f"this is not YAML: {quoted(str(error))}", builder.span(0, 0, 0, 1))
        builder.problems.stop()


class _Open(NamedTuple):
    """A collection whose end has not been seen yet."""

    mapping: bool
    span: Span
    children: list[Node]
    anchor: str | None = None


class _Builder:
    deepest = DEEPEST

    def __init__(self, path: str, lines: Sequence[str], problems: Problems) -> None:
        self.path = path
        self.lines = lines
        self.problems = problems
        self.open: list[_Open] = []
        self.root: Node | None = None
        self.documents = 0

    def build(self, events: Iterator[yaml.Event]) -> None:
        for event in events:
            if isinstance(event, yaml.ScalarEvent):
                self.refuse_properties(event)
                self.add(Scalar(event.value, event.implicit[0], self.of(event)))
            elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
                self.refuse_properties(event)
                self.start(isinstance(event, yaml.MappingStartEvent), self.of(event))
            elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                self.end()
            elif isinstance(event, yaml.AliasEvent):
                self.problems.add("aliases are not supported", self.of(event), "write the value again")
                self.add(Broken(self.of(event)))
            elif isinstance(event, yaml.DocumentStartEvent) and self.another_document(event):
                return

    def start(self, mapping: bool, span: Span) -> None:
        self.open.append(_Open(mapping, span, []))
        if len(self.open) > self.deepest:
            self.problems.add(f"nested more than {self.deepest} levels deep", span)
            self.problems.stop()

    def end(self) -> None:
        done = self.open.pop()
        if done.mapping:
            self.add(Mapping(self.entries(done.children), done.span))
        else:
            self.add(Items(tuple(done.children), done.span))

    def add(self, node: Node) -> None:
        if self.open:
            self.open[-1].children.append(node)
        else:
            self.root = node

    def entries(self, children: list[Node]) -> tuple[Entry, ...]:
        """Pair keys with values; what cannot be a key, or was one before, is reported and left out."""
        found: dict[str, Entry] = {}
        for key, value in zip(children[::2], children[1::2], strict=True):
            if not isinstance(key, Scalar):
                if not isinstance(key, Broken):
                    self.problems.add("a key is one word, not a list or a mapping", key.span)
            elif key.text in found:
                first = found[key.text].key.span
                self.problems.add(f"duplicate key {quoted(key.text)}", key.span, "", ("first here", first))
            elif key.plain and key.text == "<<":
                self.problems.add(
                    "merge keys are not supported", key.span, "use `extends` for what profiles have in common"
                )
            else:
                found[key.text] = Entry(key, value, self.comment(key.span.line - 1))
        return tuple(found.values())

    def comment(self, line: int) -> tuple[str, ...]:
        """The lines of comment that stand right above a line; of many, or of long ones, the last and the beginning."""
        found: list[str] = []
        while line and len(found) < _COMMENT_LINES:
            text = self.lines[line - 1][:_COMMENT_WIDTH].lstrip()
            if not text.startswith("#"):
                break
            found.append(text.lstrip("#").strip())
            line -= 1
        return tuple(reversed(found))

    def refuse_properties(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.anchor is not None:
            self.problems.add("anchors are not supported", self.of(event), f"leave out '&{event.anchor[:40]}'")
        if event.tag is not None:
            self.problems.add("tags are not supported", self.of(event), "leave the word with '!' out")

    def another_document(self, event: yaml.Event) -> bool:
        self.documents += 1
        if self.documents > 1:
            self.problems.add("a second document begins here", self.of(event), "a file holds one profile")
        return self.documents > 1

    def refuse_unprintable(self, text: str) -> None:
        if all(_printable(char) for char in set(text)):
            return
        for line, content in enumerate(self.lines):
            for column, char in enumerate(content):
                if not _printable(char):
                    message = f"the character U+{ord(char):04X} is not allowed here"
                    self.problems.add(message, self.span(line, column, line, column + 1))
        self.problems.check()

    def syntax(self, error: yaml.MarkedYAMLError) -> None:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line, mark.column) if mark else (0, 0)
        if line >= len(self.lines) or (line == len(self.lines) - 1 and not self.lines[line] and line):
            # The end of the file: show the last line that has something on it.
            line = max((at for at, content in enumerate(self.lines) if content.strip()), default=0)
            column = len(self.lines[line])
        message, hint = _explained(error, self.lines[line][column : column + 1])
        related: tuple[tuple[str, Span], ...] = ()
        begun = error.context_mark
        if begun and error.context and (begun.line, begun.column) < (line, column):
            related = ((error.context, self.span(begun.line, begun.column, begun.line, begun.column + 1)),)
        self.problems.add(message, self.span(line, column, line, column + 1), hint, *related)
        self.problems.stop()

    def of(self, event: yaml.Event) -> Span:
        start, end = event.start_mark, event.end_mark
        assert start is not None
        assert end is not None
        return self.span(start.line, start.column, end.line, end.column)

    def span(self, line: int, column: int, end_line: int, end_column: int) -> Span:
        """A span from the 0-based lines and columns of marks."""
        excerpt = self.lines[line] if line < len(self.lines) else ""
        return Span(self.path, line + 1, column + 1, end_line + 1, end_column + 1, excerpt)


class _Stream(_Builder):
    """Any number of documents; `anchors` are the nodes of the one at hand by their names."""

    deepest = 100

    def __init__(self, path: str, lines: Sequence[str], problems: Problems) -> None:
        super().__init__(path, lines, problems)
        self.roots: list[Node] = []
        self.anchors: dict[str, Node] = {}

    def build(self, events: Iterator[yaml.Event]) -> None:
        for event in events:
            if isinstance(event, yaml.ScalarEvent):
                self.named(event.anchor, Scalar(event.value, event.implicit[0], self.of(event)))
            elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
                self.start(isinstance(event, yaml.MappingStartEvent), self.of(event))
                self.open[-1] = self.open[-1]._replace(anchor=event.anchor)
            elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                self.close(event)
            elif isinstance(event, yaml.AliasEvent):
                self.alias(event)
            elif isinstance(event, yaml.DocumentStartEvent):
                self.root, self.anchors = None, {}
            elif isinstance(event, yaml.DocumentEndEvent) and self.root is not None:
                self.roots.append(self.root)

    def named(self, anchor: str | None, node: Node) -> None:
        self.add(node)
        if anchor is not None:
            self.anchors[anchor] = node

    def close(self, event: yaml.Event) -> None:
        done, end = self.open.pop(), self.of(event)
        span = done.span._replace(end_line=end.end_line, end_column=end.end_column)
        if done.mapping:
            self.named(done.anchor, Mapping(self.entries(done.children), span, self.merges(done.children)))
        else:
            self.named(done.anchor, Items(tuple(done.children), span))

    def alias(self, event: yaml.AliasEvent) -> None:
        node = self.anchors.get(event.anchor or "")
        if node is None:
            self.problems.add(f"there is no anchor {quoted(event.anchor or '')} before this", self.of(event))
        self.add(Broken(self.of(event)) if node is None else node)

    def entries(self, children: list[Node]) -> tuple[Entry, ...]:
        kept = [
            node for pair in zip(children[::2], children[1::2], strict=True) if not _merges(pair[0]) for node in pair
        ]
        return super().entries(kept)

    def merges(self, children: list[Node]) -> tuple[Mapping, ...]:
        found: list[Mapping] = []
        for key, value in zip(children[::2], children[1::2], strict=True):
            if _merges(key):
                found += [one for one in (value.items if isinstance(value, Items) else (value,)) if _is_mapping(one)]
        return tuple(found)

    def comment(self, line: int) -> tuple[str, ...]:  # noqa: ARG002 - nothing reads them here
        return ()


def _merges(key: Node) -> bool:
    return isinstance(key, Scalar) and key.plain and key.text == "<<"


def _is_mapping(node: Node) -> TypeGuard[Mapping]:
    return isinstance(node, Mapping)


def _explained(error: yaml.MarkedYAMLError, at: str) -> tuple[str, str]:
    problem = error.problem or "unknown error"
    if at == "\t":
        return "a tab cannot indent in YAML", "use spaces"
    if at and at in "@`%" and "cannot start any token" in problem:
        return f"a bare word cannot begin with {at}", "put it in quotes"
    if "unexpected end of stream" in problem and "quoted" in (error.context or ""):
        return "a quote is not closed", "end the text with the same quote"
    if "hexdecimal number" in problem or "unknown escape" in problem:
        return "this is no escape that YAML knows", "write \\\\ for a backslash, or use single quotes"
    if "mapping values are not allowed" in problem:
        return "a second `:` on this line, or a wrong indentation", "put text that holds `: ` in quotes"
    return f"not YAML: {problem}", ""


def _printable(char: str) -> bool:
    """YAML's printable characters but for its line breaks NEL, LS and PS, which no editor counts as lines.

    Written out, because the same as a regular expression takes 6 ms to compile.
    """
    if char < "\x7f":
        return char >= " " or char in "\t\n\r"
    if char > "\uffff":
        return True
    return "\xa0" <= char <= "\ufffd" and not "\ud800" <= char <= "\udfff" and char not in "\u2028\u2029\ufeff"
