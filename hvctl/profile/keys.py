"""The keys of a profile, as data: decoder and JSON Schema are both derived from this table, so they cannot disagree.

Enlightenments are not listed here: they are the catalog's rows.
"""

import re
from typing import NamedTuple

from hvctl.catalog.machines import FAMILIES
from hvctl.catalog.windows import SYSTEMS, USE_WORDS, USES
from hvctl.model.profile import Migration


class Word(NamedTuple):
    """One of a few words."""

    words: tuple[str, ...]
    help: str


class Switch(NamedTuple):
    """`on` or `off`."""

    help: str


class Text(NamedTuple):
    """Text that a pattern describes; `shape` says the same to a person."""

    pattern: str
    shape: str
    longest: int
    help: str


class Number(NamedTuple):
    """A whole number, or one of a few words."""

    minimum: int
    maximum: int
    help: str
    multiple: int = 1
    words: tuple[str, ...] = ()


class Words(NamedTuple):
    """A list of words, none twice; `names` has every name of each, in small letters and with `-`, and is read in any
    case, with `_` or spaces."""

    words: tuple[str, ...]
    names: dict[str, str]
    help: str


class Features(NamedTuple):
    """CPU features: a name of QEMU's to `on` or `off`."""

    help: str


class Enlightenments(NamedTuple):
    """Catalog rows, by any of their names, to what is wanted of them."""

    help: str


class Table(NamedTuple):
    """A mapping with known keys. Where `short` is set, that key's value alone may stand for the whole."""

    keys: dict[str, "Key"]
    help: str
    short: str = ""
    required: tuple[str, ...] = ()


Key = Word | Switch | Text | Number | Words | Features | Enlightenments | Table

# A word that begins with a letter or digit and needs no quoting in a shell, a QEMU option or a file name.
NAME = "[A-Za-z0-9][A-Za-z0-9._-]*"
# QEMU expands max and base from the host as well, but under other names than the checks of a pool know.
_MODEL = f"(?!(?:max|base)$){NAME}"
_NO_CONTROLS = "[^\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f]*"

FEATURE = "[a-z0-9._-]+"
LONGEST_FEATURE = 100
# QEMU takes `_` for `-` in a feature's name; these have a key of their own, or are hvctl's to write.
RESERVED_FEATURES = {
    "kvm": "write `hidden: on` under cpu to hide KVM",
    "tsc-frequency": "write the key `tsc-frequency` at the top level",
    "enforce": "it is not a feature of the CPU",
    "check": "it is not a feature of the CPU",
    "realized": "it is not a feature of the CPU",
    "hotplugged": "it is not a feature of the CPU",
    "migratable": "hvctl writes it; say `migration: required` or `migration: none`",
}
RESERVED_PREFIXES = {
    "hv-": "write it under `enlightenments`, without `hv-`",
    "x-hv-": "these are QEMU's own compatibility switches; hvctl never writes them",
}

ROOT = Table(
    {
        "version": Number(1, 1, "The version of this file format."),
        "name": Text(NAME, "letters, digits, `.`, `_` and `-`", 64, "The profile's name; default: the file's."),
        "description": Text(_NO_CONTROLS, "text without control characters", 4000, "One or two sentences."),
        "extends": Text(
            "[^\\u0000-\\u001f\\u007f]+",
            "the name of a shipped profile or the path of a file",
            4096,
            "One parent, by the name of a shipped profile, or by the path of a file (with a `/`, or ending in .yaml), "
            "relative to this file. What this file says wins, key by key; name and description are not inherited.",
        ),
        "guest": Table(
            {
                "os": Word(tuple(guest.id for guest in SYSTEMS), "What runs in the guest."),
                "uses": Words(
                    tuple(use.id for use in USES),
                    USE_WORDS,
                    "What the guest is used for beyond that: "
                    + "; ".join(f"{use.id}: {use.title} (also {', '.join(use.words)})" for use in USES)
                    + ".",
                ),
            },
            "The guest operating system.",
        ),
        "migration": Word(tuple(Migration), "Whether the guest must be able to migrate live; default: required."),
        "machine": Text(
            "(?:" + "|".join((*FAMILIES, *(prefix + NAME for prefix in FAMILIES.values()))) + ")",
            f"{', '.join(FAMILIES)}, or a type of these families such as pc-q35-9.1; others (microvm, isapc) are not "
            "supported",
            100,
            "The machine type: a family, or a versioned type. Default: q35; pc for Windows 7 and Server 2008 R2.",
        ),
        "cpu": Table(
            {
                "model": Text(
                    _MODEL,
                    "a CPU model of QEMU's, without features; for max and base write host",
                    100,
                    "The CPU model; default: host.",
                ),
                "hidden": Switch("Hide KVM's own signature from the guest (QEMU's kvm=off)."),
                "features": Features("CPU features of QEMU's to turn on or off."),
            },
            "The guest's CPU: a model, or a mapping.",
            short="model",
        ),
        "tsc-frequency": Number(
            1_000_000,
            100_000_000_000,
            "The guest's TSC frequency in Hz, a multiple of 1000; auto: that of the first host.",
            multiple=1000,
            words=("auto",),
        ),
        "vcpus": Table({"pinned": Switch("Each vCPU is pinned to CPUs of its own.")}, "The guest's virtual CPUs."),
        "enlightenments": Enlightenments("What the guest should get, by enlightenment. See `hvctl explain`."),
        "clock": Table(
            {
                "offset": Word(
                    ("localtime", "utc"), "What the RTC shows; default: localtime for Windows, utc for other guests."
                ),
                "timers": Table(
                    {
                        "hpet": Switch("Whether there is a HPET; default: off."),
                        "rtc": Word(("catchup", "delay"), "What happens to missed RTC ticks; default: catchup."),
                        "pit": Word(("delay", "discard"), "What happens to missed PIT ticks; default: delay."),
                    },
                    "Clocks beside the enlightenments.",
                ),
            },
            "The guest's clock.",
        ),
    },
    "A profile of hvctl: the Hyper-V enlightenments that a guest should get from KVM.",
    required=("version",),
)


def shaped(key: Text, text: str) -> bool:
    """Whether a text is what its key wants."""
    return len(text) <= key.longest and re.fullmatch(key.pattern, text) is not None
