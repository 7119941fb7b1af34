"""CPUID leaves."""

from typing import NamedTuple


class CpuidLeaf(NamedTuple):
    """What CPUID answers for one leaf (subleaf 0): four 32-bit registers."""

    leaf: int
    eax: int = 0
    ebx: int = 0
    ecx: int = 0
    edx: int = 0

    def register(self, name: str) -> int:
        """The value of `eax`, `ebx`, `ecx` or `edx`."""
        value: int = getattr(self, name)
        return value
