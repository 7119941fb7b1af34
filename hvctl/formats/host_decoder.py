"""JSON values to the records of a host, with every mistake noted by its path.

Unknown keys are passed over: a newer hvctl may have added them.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from hvctl.catalog.kvm import REGISTERS
from hvctl.model.cpuid import CpuidLeaf
from hvctl.model.host import Hardware, Host, Kvm, Libvirt, MachineType, Qemu

FORMAT_VERSION = 1
_HEX = re.compile(r"0x[0-9a-f]{8}")
_NAMES = {dict: "an object", list: "a list", str: "a string", int: "a whole number", bool: "true or false"}
_MISSING = object()
_LONGEST_TEXT = 1000
# What a profile's key tsc-frequency takes: one of `auto` is this host's.
TSC_HZ = (1_000_000, 100_000_000_000)
_SMALLEST, _LARGEST = -(1 << 63), (1 << 64) - 1


class Mistake(NamedTuple):
    """What is wrong at a path of the document."""

    path: tuple[str | int, ...]
    message: str


class Decoder:
    """Decodes one document; `mistakes` holds what was found wrong, and is empty where the Host can be used."""

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []

    def host(self, document: Any) -> Host | None:
        """The host; None where the document is not one of this format version at all."""
        if not isinstance(document, dict):
            self._wrong((), f"a host file holds {_NAMES[dict]}, not {_kind(document)}")
            return None
        if not self._version(document):
            return None
        root = _Fields(self, document, ())
        libvirt = root.fields("libvirt", optional=True)
        return Host(
            name=root.text("name", optional=True),
            kvm=self._kvm(root.fields("kvm")),
            hardware=self._hardware(root.fields("hardware")),
            qemu=tuple(self._qemu(fields) for fields in root.records("qemu")),
            libvirt=Libvirt(libvirt.text("version", optional=True), libvirt.texts("elements")) if libvirt else None,
            how=root.fields("how", needed=False).text_items(),
            notes=root.texts("notes", needed=False),
        )

    def _version(self, document: dict[str, Any]) -> bool:
        found = document.get("format_version", _MISSING)
        if found is _MISSING:
            self._wrong((), 'this is not a host file: it has no "format_version"')
        elif type(found) is not int:
            self._wrong(("format_version",), f"format_version is a whole number, not {_kind(found)}")
        elif found != FORMAT_VERSION:
            self._wrong(
                ("format_version",), f"this hvctl reads host files of format_version {FORMAT_VERSION}, not {found}"
            )
        return not self.mistakes

    def _kvm(self, kvm: _Fields) -> Kvm:
        return Kvm(
            release=kvm.text("release", optional=True),
            how=kvm.text("how") or "",
            caps=kvm.fields("caps").number_items(),
            leaves=kvm.fields("leaves").leaf_items(),
            unseen=kvm.texts("unseen", needed=False),
        )

    def _hardware(self, hardware: _Fields) -> Hardware:
        return Hardware(
            vendor=hardware.text("vendor", optional=True),
            model_name=hardware.text("model_name", optional=True),
            family=hardware.number("family"),
            model=hardware.number("model"),
            stepping=hardware.number("stepping"),
            nested=hardware.flag("nested"),
            apicv=hardware.flag("apicv"),
            tsc_hz=hardware.number("tsc_hz", limits=TSC_HZ),
            tsc_scaling=hardware.flag("tsc_scaling"),
            smt=hardware.text("smt", optional=True),
            clocksource=hardware.text("clocksource", optional=True),
        )

    def _qemu(self, qemu: _Fields) -> Qemu:
        expansion = qemu.fields("expansion", optional=True)
        return Qemu(
            path=qemu.text("path") or "",
            version=qemu.text("version", optional=True),
            properties=qemu.fields("properties").text_items(),
            options=qemu.texts("options"),
            machines=tuple(
                MachineType(machine.text("name") or "", machine.text("alias", optional=True), machine.flag("hpet"))
                for machine in qemu.records("machines")
            ),
            expansion=None if expansion is None else expansion.scalar_items(),
            passthrough=qemu.texts_or_none("passthrough"),
            models=qemu.texts_or_none("models"),
        )

    def _wrong(self, path: tuple[str | int, ...], message: str) -> None:
        self.mistakes.append(Mistake(path, message))


class _Fields:
    """One object of the document. A getter notes a wrong or missing value and gives a harmless one instead."""

    def __init__(self, decoder: Decoder, values: dict[str, Any], path: tuple[str | int, ...]) -> None:
        self._decoder = decoder
        self._values = values
        self._path = path

    def _wrong(self, message: str, *path: str | int) -> None:
        self._decoder.mistakes.append(Mistake((*self._path, *path), message))

    def _get(self, key: str, kind: type, *, optional: bool = False, needed: bool = True) -> Any:
        """The value of this exact type; None where it is null, missing or wrong."""
        value = self._values.get(key, _MISSING)
        # `type() is`: bool is an int to isinstance.
        if type(value) is kind:
            return value if self._fits(key, value) else None
        if value is _MISSING:
            if needed and not optional:
                self._wrong(f'"{key}" is missing')
        elif value is not None or not optional:
            or_null = " or null" if optional else ""
            self._wrong(f'"{key}" must be {_NAMES[kind]}{or_null}, not {_kind(value)}', key)
        return None

    def _fits(self, key: str, value: Any) -> bool:
        """Whether a scalar is one that can be printed and counted with: texts reach the terminal."""
        if type(value) is str and not (value.isprintable() and len(value) <= _LONGEST_TEXT):
            self._wrong(f'"{key}" must be one printable line of at most {_LONGEST_TEXT} characters', key)
            return False
        if type(value) is int and not _SMALLEST <= value <= _LARGEST:
            self._wrong(f'"{key}" does not fit into 64 bits', key)
            return False
        return True

    def _keys(self) -> list[str]:
        """The keys that are used as names."""
        for key in self._values:
            if not key.isprintable() or len(key) > _LONGEST_TEXT:
                self._wrong("a key must be printable", key)
        return list(self._values)

    def text(self, key: str, *, optional: bool = False) -> str | None:
        value: str | None = self._get(key, str, optional=optional)
        return value

    def number(self, key: str, *, optional: bool = True, limits: tuple[int, int] | None = None) -> int | None:
        value: int | None = self._get(key, int, optional=optional)
        if value is not None and value < 0:
            self._wrong(f'"{key}" must not be negative', key)
        elif value is not None and limits and not limits[0] <= value <= limits[1]:
            self._wrong(f'"{key}" must be null or from {limits[0]} to {limits[1]}, not {value}', key)
        return value

    def flag(self, key: str) -> bool | None:
        value: bool | None = self._get(key, bool, optional=True)
        return value

    def fields(self, key: str, *, optional: bool = False, needed: bool = True) -> Any:
        """The object under a key; where it is missing an empty one, or None if `optional`."""
        before = len(self._decoder.mistakes)
        value = self._get(key, dict, optional=optional, needed=needed)
        if value is None and optional:
            return None
        if value is None and len(self._decoder.mistakes) > before:
            return _Absent(self._decoder, {}, (*self._path, key))
        return _Fields(self._decoder, value or {}, (*self._path, key))

    def records(self, key: str) -> list[_Fields]:
        values = self._get(key, list) or []
        found = []
        for position, value in enumerate(values):
            if type(value) is dict:
                found.append(_Fields(self._decoder, value, (*self._path, key, position)))
            else:
                self._wrong(f'"{key}" holds objects, not {_kind(value)}', key, position)
        return found

    def texts(self, key: str, *, needed: bool = True) -> tuple[str, ...]:
        return self._strings(key, self._get(key, list, needed=needed) or [])

    def texts_or_none(self, key: str) -> tuple[str, ...] | None:
        values = self._get(key, list, optional=True)
        return None if values is None else self._strings(key, values)

    def _strings(self, key: str, values: list[Any]) -> tuple[str, ...]:
        for position, value in enumerate(values):
            if type(value) is not str:
                self._wrong(f'"{key}" holds strings, not {_kind(value)}', key, position)
            elif not value.isprintable() or len(value) > _LONGEST_TEXT:
                self._wrong(f'"{key}" holds printable lines of at most {_LONGEST_TEXT} characters', key, position)
        return tuple(value for value in values if type(value) is str)

    def text_items(self) -> tuple[tuple[str, str], ...]:
        return tuple((key, self.text(key) or "") for key in self._keys())

    def number_items(self) -> tuple[tuple[str, int], ...]:
        return tuple((key, self.number(key, optional=False) or 0) for key in self._keys())

    def scalar_items(self) -> tuple[tuple[str, bool | int | str], ...]:
        for key in self._keys():
            if type(self._values[key]) not in (bool, int, str):
                what = _kind(self._values[key])
                self._wrong(f'"{key}" must be true, false, a whole number or a string, not {what}', key)
        found = ((key, value) for key, value in self._values.items() if type(value) in (bool, int, str))
        return tuple((key, value) for key, value in found if self._fits(key, value))

    def leaf_items(self) -> tuple[CpuidLeaf, ...]:
        leaves = []
        for key in self._values:
            if not _HEX.fullmatch(key):
                self._wrong(f'a CPUID leaf is written like "0x40000003", not "{key[:40]}"', key)
                continue
            registers = self.fields(key)
            leaves.append(CpuidLeaf(int(key, 16), *(registers.hexadecimal(name) for name in REGISTERS)))
        return tuple(sorted(leaves))

    def hexadecimal(self, key: str) -> int:
        value = self.text(key)
        if value is None:
            return 0
        if not _HEX.fullmatch(value):
            self._wrong(f'"{key}" is written like "0x00002aff", not "{value[:40]}"', key)
            return 0
        return int(value, 16)


class _Absent(_Fields):
    """An object that is not there, which was said once: `_get` is asked as for any other and has nothing to give."""

    def _get(self, key: str, kind: type, *, optional: bool = False, needed: bool = True) -> Any:  # noqa: ARG002
        return None


def _kind(value: Any) -> str:
    return "null" if value is None else _NAMES.get(type(value), "a number with a fraction")
