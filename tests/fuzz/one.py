"""`python -m tests.fuzz.one READER CORPUS... [libFuzzer's options]`: one reader under atheris."""

from __future__ import annotations

import sys
from random import Random

import atheris

with atheris.instrument_imports(include=["hvctl"]):
    from tests.fuzz.readers import READERS
    from tests.torture.mutate import again

if __name__ == "__main__":
    name = sys.argv.pop(1)
    reader = READERS[name]

    def mutate(data: bytes, longest: int, seed: int) -> bytes:
        """By what coverage suggests, or by what the kind of text is made of."""
        random = Random(seed)
        if random.random() < 0.5:
            return bytes(atheris.Mutate(data, longest))
        return again(reader.kind, data, random)[:longest]

    atheris.Setup(sys.argv, reader.read, custom_mutator=mutate)
    atheris.Fuzz()
