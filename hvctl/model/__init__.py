"""The nouns of hvctl: immutable records with no behaviour beyond looking up their own parts.

They are `NamedTuple`s: immutable, slotted and typed like frozen dataclasses, but a class costs 0.2 ms to
define instead of 1.1 ms (CPython 3.11), and every command pays for these at its start. Their modules have no
`from __future__ import annotations`, since typing would compile each field's annotation from its text.
"""
