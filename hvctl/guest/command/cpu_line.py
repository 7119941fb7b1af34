"""What `-cpu` and `-global` set of a CPU, in the order in which QEMU sets it.

Source: qemu:target/i386/cpu.c, x86_cpu_parse_featurestr() and x86_cpu_expand_features(): `_` is `-` but behind `+` and
`-`, whose words come after all `name=value`; the last one wins; `-global` comes before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hvctl.guest.command.cpu_properties import OFF, ON
from hvctl.model.guest import HOST_MODELS
from hvctl.text.c_numbers import metric_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SUFFIX = "-x86_64-cpu"
TSC_FREQUENCY = "tsc-frequency"
# The classes above every x86 CPU's own, which is MODEL-x86_64-cpu (qemu:target/i386/cpu-qom.h).
_BASES = ("cpu", "x86_64-cpu")
_TSC_FREQ = "tsc-freq"


class Assignment(NamedTuple):
    """A property and its value, the word it comes from, and whether that word has a sign."""

    name: str
    value: str
    word: str
    signed: bool


def drivers(model: str | None) -> frozenset[str]:
    """What a `-global` can name to reach a CPU of a model: the classes it is derived from (host from max)."""
    models = HOST_MODELS if model == HOST_MODELS[0] else (model,) if model else ()
    return frozenset((*_BASES, *(f"{one}{SUFFIX}" for one in models)))


def assignments(words: Iterable[str]) -> Iterator[Assignment]:
    """The features behind the model, as QEMU sets them one after the other."""
    signs: dict[str, list[str]] = {"+": [], "-": []}
    for word in words:
        if word[:1] in signs:
            signs[word[0]].append(word)
            continue
        name, equals, value = word.partition("=")
        name = name.replace("_", "-")
        value = value if equals else ON[0]
        if name == _TSC_FREQ:
            name, value = TSC_FREQUENCY, _hertz(value)
        yield Assignment(name, value, word, signed=False)
    for sign, value in (("+", ON[0]), ("-", OFF[0])):
        yield from (Assignment(word[1:], value, word, signed=True) for word in signs[sign])


def _hertz(text: str) -> str:
    """tsc-freq, the older name of tsc-frequency, takes a unit (qemu:util/cutils.c, qemu_strtosz_metric())."""
    number = metric_number(text)
    return text if number is None else str(number)
