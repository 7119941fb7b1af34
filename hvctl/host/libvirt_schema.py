"""What the installed libvirt knows, from its schema: no daemon is needed, and no program is run.

domaincommon.rng is a RELAX NG grammar of 230 to 300 kB; only the definitions that matter are parsed.
"""

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any

from hvctl.catalog import rank
from hvctl.model.host import Libvirt
from hvctl.text.files import UnreadableError, read
from hvctl.text.json_fields import is_line

SCHEMA = "usr/share/libvirt/schemas/domaincommon.rng"
_MOST_BYTES = 8 * 1024 * 1024
_MOST_ELEMENTS = 1000
_DEEPEST_REFERENCE = 8
# libvirt 12's needs 40 definitions and 1,000 steps; that of a record may have been made to cost time.
_MOST_DEFINITIONS, _MOST_STEPS = 1000, 100_000
# meson.build of libvirt names its library libvirt.so.0.(1000 * major + minor).micro
_LIBRARY_NAME = r"libvirt\.so\.0\.([0-9]{1,6})\.([0-9]{1,6})"
_END = b"</define>"
_LIBRARY_PLACES = ("usr/lib64/libvirt.so.0", "usr/lib/libvirt.so.0")


class SchemaError(Exception):
    """The schema is not one that is understood; the message says why."""


def read_libvirt(root: str) -> Libvirt | None:
    """What the libvirt installed below `root` knows; None where there is none.

    Raises:
        SchemaError: the schema is there but cannot be used.
    """
    try:
        text = read(os.path.join(root, SCHEMA), _MOST_BYTES, pipe=False)
    except UnreadableError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise SchemaError(error.reason) from error
    return decode_libvirt(_libraries(root), text)


def unusable(error: SchemaError) -> str:
    """The note on a schema that cannot be used."""
    return f"/{SCHEMA} cannot be used: {error}"


def decode_libvirt(libraries: Sequence[str], schema: bytes) -> Libvirt:
    """What the answers mean, whoever read them.

    Args:
        libraries: the names of the files that links to the library lead to.
        schema: a domaincommon.rng, or the definitions of it that matter.

    Raises:
        SchemaError: it is no such schema.
    """
    found = (re.fullmatch(_LIBRARY_NAME, name) for name in libraries)
    version = next((f"{int(name[1]) // 1000}.{int(name[1]) % 1000}.{int(name[2])}" for name in found if name), None)
    return Libvirt(version, schema_elements(schema))


def schema_elements(text: bytes) -> tuple[str, ...]:
    """The paths that a domaincommon.rng knows, as the catalog writes them, in its order.

    Raises:
        SchemaError: it is no such schema.
    """
    grammar = _Grammar(text)
    found = {f"@{name}" for name in grammar.attributes("hyperv")}
    for element, children in grammar.elements("hyperv"):
        found.add(element)
        found.update(f"{element}/{child}" for child in children)
    found.update(f"timer:{name}" for name in grammar.values("timer", "name"))
    found.update(f"panic:{name}" for name in grammar.values("panic", "model"))
    if len(found) > _MOST_ELEMENTS:
        raise SchemaError("it has too many elements")
    return tuple(sorted(filter(is_line, found), key=rank))


class _Grammar:
    """The definitions of a RELAX NG grammar, each parsed when it is asked for."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._known: dict[str, Any] = {}
        self._steps = 0

    def _define(self, name: str) -> Any:
        """The definition as nested (tag, attributes, children) with text among the children; None if there is none."""
        if name not in self._known:
            if len(self._known) > _MOST_DEFINITIONS:
                raise SchemaError("it has too many definitions")
            start = self._text.find(f'<define name="{name}"'.encode())
            end = self._text.find(_END, start)
            self._known[name] = _parse(self._text[start : end + len(_END)]) if 0 <= start < end else None
        return self._known[name]

    def _element(self, name: str) -> Any:
        define = self._define(name)
        for node in self._walk(define, 0):
            if node[0] == "element" and node[1].get("name") == name:
                return node
        raise SchemaError(f"it defines no element '{name}'")

    def _walk(self, node: Any, depth: int) -> Iterator[Any]:
        """The element and attribute patterns directly below `node`, through references and groups."""
        for child in node[2] if node else ():
            if isinstance(child, str):
                continue
            self._steps += 1
            if self._steps > _MOST_STEPS:
                raise SchemaError("its definitions refer to each other too often")
            if child[0] in ("element", "attribute"):
                yield child
            elif child[0] == "ref" and depth < _DEEPEST_REFERENCE:
                yield from self._walk(self._define(child[1].get("name", "")), depth + 1)
            else:
                yield from self._walk(child, depth)

    def elements(self, name: str) -> Iterator[tuple[str, list[str]]]:
        """The child elements of the element `name`, each with its own children."""
        for child in self._walk(self._element(name), 0):
            if child[0] == "element" and "name" in child[1]:
                below = (node for node in self._walk(child, 0) if node[0] == "element")
                yield child[1]["name"], [node[1]["name"] for node in below if "name" in node[1]]

    def attributes(self, name: str) -> list[str]:
        """The attributes of the element `name`."""
        nodes = (node for node in self._walk(self._element(name), 0) if node[0] == "attribute")
        return [node[1]["name"] for node in nodes if "name" in node[1]]

    def values(self, element: str, attribute: str) -> Iterator[str]:
        """The literal values that the schema allows for an attribute of an element."""
        for node in self._walk(self._element(element), 0):
            if node[0] == "attribute" and node[1].get("name") == attribute:
                yield from _literals(node)


def _literals(node: Any) -> Iterator[str]:
    for child in node[2]:
        if isinstance(child, str):
            continue
        if child[0] == "value":
            yield "".join(part for part in child[2] if isinstance(part, str)).strip()
        else:
            yield from _literals(child)


def _parse(text: bytes) -> Any:
    # expat and not lxml: a fifth of the start-up time, and a slice without a DTD has nothing to fetch or expand.
    from xml.parsers import expat

    stack: list[tuple[str, dict[str, str], list[Any]]] = [("", {}, [])]

    def start(tag: str, attributes: dict[str, str]) -> None:
        node: tuple[str, dict[str, str], list[Any]] = (tag, attributes, [])
        stack[-1][2].append(node)
        if len(stack) > 100:
            raise SchemaError("it is nested too deeply")
        stack.append(node)

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _tag: stack.pop()
    parser.CharacterDataHandler = lambda data: stack[-1][2].append(data)
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise SchemaError(f"it is not well-formed: {error}") from error
    return stack[0][2][0]


def _libraries(root: str) -> list[str]:
    try:
        multiarch = [f"usr/lib/{name}/libvirt.so.0" for name in os.listdir(os.path.join(root, "usr/lib"))]
    except OSError:
        multiarch = []
    found = []
    for place in (*_LIBRARY_PLACES, *sorted(name for name in multiarch if "-linux-gnu" in name)):
        with contextlib.suppress(OSError):
            found.append(os.path.basename(os.readlink(os.path.join(root, place))))
    return found
