"""`python -m tests.lint.fuzz CORPUS [libFuzzer's options]`: lint under atheris, with coverage.

atheris is no dependency of hvctl: install it beside. What it finds goes to tests/lint/fuzz/corpus, which is a test.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["hvctl.lint", "hvctl.formats", "hvctl.render"]):
    from tests.lint.fuzz.target import one_input

if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
