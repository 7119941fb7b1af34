"""Of a domain's XML as libvirt prints it, the parts that say which enlightenments it has, and what for.

They are a small part of the text, and domains of one template have them in common byte for byte: what is read of one
need not be read again of the next.
"""

import re

# libvirt indents by two spaces, and a `<` in a text or an attribute is always an entity: so a word at such a place
# begins an element directly below <domain>, once <metadata>, whose content is anyone's, is out of the way.
_METADATA = ("\n  <metadata>", "\n  </metadata>")
_PARTS = (
    ("\n  <features>", "</features>"),
    ("\n  <clock ", "</clock>"),
    ("\n  <qemu:commandline>", "</qemu:commandline>"),
)
_TYPE = "\n    <type "
_PANIC = re.compile(r"\n    <panic\b(?:[^>]*/>|.*?</panic>)", re.DOTALL)
# The elements of <metadata> that identity reads, by the names that their namespaces' owners give them.
_IDENTITY = re.compile(r"\n    <((?:[\w.-]+:)?(?:libosinfo|guest))(?=[\s>]).*?</\1>", re.DOTALL)
_NAMESPACES = re.compile(r"http://libosinfo\.org/|urn:hvctl:")
# The number of a running domain: each has its own.
_ID = re.compile(r" id='[0-9]+'")
_BREAK = "\n"
_END = "</domain>\n"


def brief(xml: str) -> str | None:
    """A domain with these parts alone; None where the text is not laid out as libvirt does it."""
    if not xml.startswith("<domain ") or not xml.endswith(_END):
        return None
    at = xml.find(">") + 1
    found = [_ID.sub("", xml[:at], count=1)]
    start, end = xml.find(_METADATA[0]), xml.rfind(_METADATA[1])
    if 0 <= start < end:
        at = end + len(_METADATA[1])
        found.append(xml[start:at] if _NAMESPACES.search(found[0]) else _metadata(xml[start:at]))
    start = xml.find(_TYPE, at)
    if start >= 0:
        found.append(f"\n  <os>{xml[start : xml.find(_BREAK, start + 1)]}\n  </os>")
    for begins, close in _PARTS:
        start = xml.find(begins, at)
        if start >= 0:
            stop = _end(xml, close, start)
            if stop is None:
                return None
            found.append(xml[start:stop])
    if xml.find("<panic", at) >= 0:
        found += ["\n  <devices>", *_PANIC.findall(xml, at), "\n  </devices>"]
    return "".join((*found, "\n", _END))


def _metadata(text: str) -> str:
    """The metadata without what others keep there; whole where it is not certain what that is."""
    known = [match[0] for match in _IDENTITY.finditer(text)]
    named = len(_NAMESPACES.findall(text))
    if sum(len(_NAMESPACES.findall(one)) for one in known) != named:
        return text
    return "".join((_METADATA[0], *known, _METADATA[1])) if named else ""


def _end(xml: str, close: str, start: int) -> int | None:
    """Where an element ends that begins a line of its own; None where it does not end as libvirt writes it."""
    tag = xml.find(">", start)
    if xml[tag - 1] == "/":
        return tag + 1
    end = xml.find(f"\n  {close}", tag)
    return end + len(f"\n  {close}") if end >= 0 else None
