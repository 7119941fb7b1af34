"""Profile YAML: what is accepted and what it means; what is refused, where, and with which words."""

from __future__ import annotations

import pytest

from hvctl.catalog import ROWS, names
from hvctl.catalog.types import Kind
from hvctl.catalog.windows import SYSTEMS
from hvctl.errors import InputError
from hvctl.model.profile import Ask, ClockChoice, CpuChoice, Migration, Profile, Wish
from hvctl.profile.reader import profile_from_text

FLAGS = [row for row in ROWS if row.kind is Kind.FLAG and not row.experimental]


def profile(text: str) -> Profile:
    """The profile of some lines after `version: 1`."""
    return profile_from_text(f"version: 1\n{text}", "p.yaml")


def wishes(text: str) -> list[tuple[str, str, object]]:
    return [(wish.id, str(wish.ask), wish.value) for wish in profile(f"enlightenments: {{{text}}}").wishes]


def problems(text: str) -> list[str]:
    """Every problem as `line:column message (hint)`."""
    with pytest.raises(InputError) as caught:
        profile_from_text(text, "p.yaml")
    return [
        f"{found.span.line}:{found.span.column} {found.message}" + (f" ({found.hint})" if found.hint else "")
        for found in caught.value.problems
        if found.span
    ]


def test_the_least_profile_has_all_defaults() -> None:
    found = profile("")
    assert found._replace(spans=()) == Profile(name="p", clock=ClockChoice(offset="utc"))
    assert (found.machine, found.cpu.model, found.migration) == ("q35", "host", Migration.REQUIRED)


def test_every_key() -> None:
    found = profile("""\
name: mine
description: "two: words"
guest: {os: windows-11, uses: [vbs, gpu-passthrough]}
migration: none
machine: pc-q35-9.1
cpu: {model: EPYC-Milan, hidden: on, features: {svm: on, sse4_2: off}}
tsc-frequency: 2400000000
vcpus: {pinned: on}
enlightenments: {time: prefer, relaxed: on}
clock: {offset: utc, timers: {hpet: on, rtc: delay, pit: discard}}
""")
    assert found._replace(spans=(), wishes=()) == Profile(
        name="mine",
        description="two: words",
        os="windows-11",
        uses=("vbs", "gpu-passthrough"),
        migration=Migration.NONE,
        machine="pc-q35-9.1",
        cpu=CpuChoice("EPYC-Milan", True, (("svm", True), ("sse4.2", False))),
        tsc_frequency=2_400_000_000,
        pinned=True,
        clock=ClockChoice("utc", True, "delay", "discard"),
    )
    assert [wish._replace(span=None) for wish in found.wishes] == [Wish("relaxed", Ask.ON), Wish("time", Ask.PREFER)]


@pytest.mark.parametrize("guest", SYSTEMS, ids=lambda guest: guest.id)
def test_the_guest_decides_machine_and_clock(guest: object) -> None:
    assert isinstance(guest, type(SYSTEMS[0]))
    found = profile(f"guest: {{os: {guest.id}}}")
    assert (found.machine, found.clock.offset) == (guest.machine, guest.offset)


def test_spans_are_where_keys_were_written() -> None:
    found = dict(profile("machine: pc\ncpu: {features: {invtsc: off}}\nenlightenments:\n  hv_time: on\n").spans)
    assert {path: (span.line, span.column, span.end_column) for path, span in found.items()} == {
        "version": (1, 1, 11),
        "machine": (2, 1, 12),
        "cpu.features.invtsc": (3, 18, 29),
        "enlightenments.time": (5, 3, 14),
    }


@pytest.mark.parametrize("row", FLAGS, ids=lambda row: row.id)
@pytest.mark.parametrize("state", ["on", "'on'", '"on"', "prefer", "off", "'off'", "{state: on}", "{state: prefer}"])
def test_a_flag_is_on_prefer_or_off(row: object, state: str) -> None:
    assert isinstance(row, type(ROWS[0]))
    word = state.removeprefix("{state: ").strip("'\"}")
    found = profile(f"migration: none\nenlightenments: {{{row.id}: {state}}}").wishes
    assert [(wish.id, str(wish.ask), wish.value) for wish in found] == [(row.id, word, None)]


@pytest.mark.parametrize("name", [name for name in names() if not name.startswith("x-")])
@pytest.mark.parametrize("separator", "-_")
def test_every_alias_means_its_row(name: str, separator: str) -> None:
    found = profile(f'enlightenments: {{"{name.replace("-", separator)}": off}}').wishes
    assert len(found) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("spinlocks: 8191", ("spinlocks", "on", 8191)),
        ("spinlocks: 0x1fff", ("spinlocks", "on", 8191)),
        ("spinlocks: 4095", ("spinlocks", "on", 4095)),
        ("spinlocks: 2147483647", ("spinlocks", "on", 2147483647)),
        ("spinlocks: off", ("spinlocks", "off", None)),
        ("spinlocks: {state: prefer, value: 8191}", ("spinlocks", "prefer", 8191)),
        ("spinlocks: {state: off}", ("spinlocks", "off", None)),
        ("vendor-id: Microsoft Hv", ("vendor-id", "on", "Microsoft Hv")),
        ("vendor-id: {state: on, value: 'on'}", ("vendor-id", "on", "on")),
        ("vendor-id: '1234'", ("vendor-id", "on", "1234")),
        ("vendor_id: 'a =!~\"'", ("vendor-id", "on", 'a =!~"')),
        ("no-nonarch-coresharing: {state: prefer, value: on}", ("no-nonarch-coresharing", "prefer", "on")),
        ("no-nonarch-coresharing: prefer", ("no-nonarch-coresharing", "prefer", "on")),
        ("no-nonarch-coresharing: off", ("no-nonarch-coresharing", "off", None)),
        ("no-nonarch-coresharing: {state: prefer, value: auto}", ("no-nonarch-coresharing", "prefer", "auto")),
        ("version-id: 10.0.14393", ("version-id", "on", "10.0.14393")),
        ("version-id: 65535.65535.4294967295.4294967295-255-16777215", None),
        ("version-id: {state: prefer, value: 6.1.7100.0-0-0}", ("version-id", "prefer", "6.1.7100.0-0-0")),
    ],
)
def test_values(text: str, expected: tuple[str, str, object] | None) -> None:
    name, _, value = text.partition(": ")
    assert wishes(text) == [expected or (name, "on", value)]


def test_auto_alone_means_on_with_auto() -> None:
    found = profile("migration: none\nenlightenments: {no-nonarch-coresharing: auto}").wishes[0]
    assert (found.ask, found.value) == (Ask.ON, "auto")


REFUSED_VALUES = [
    ("relaxed: yes", "relaxed cannot be 'yes' (write on or off: here, on)"),
    ("relaxed: NO", "relaxed cannot be 'NO' (write on or off: here, off)"),
    ("relaxed: true", "relaxed cannot be 'true' (write on or off: here, on)"),
    ("relaxed: 'False'", "relaxed cannot be 'False' (write on or off: here, off)"),
    ("relaxed: ON", "relaxed cannot be 'ON' (write on or off: here, on)"),
    ("relaxed: perfer", "relaxed cannot be 'perfer' (did you mean 'prefer'?)"),
    ("relaxed: 1", "relaxed cannot be '1' (write on, off or prefer)"),
    ("relaxed: ''", "relaxed cannot be '' (write on, off or prefer)"),
    ("relaxed: ", "relaxed is empty (write on, off or prefer, or leave the key out)"),
    ("relaxed: [on]", "relaxed is not a list (write on, off or prefer)"),
    ("spinlocks: 4094", "spinlocks cannot be 4094 (write a whole number from 4095 to 2147483647)"),
    ("spinlocks: -1", "spinlocks cannot be -1 (write a whole number from 4095 to 2147483647)"),
    (
        "spinlocks: 4294967295",
        "spinlocks cannot be 4294967295 (QEMU takes this number for not set, which means never: write off)",
    ),
    (
        "spinlocks: 0xffffffff",
        "spinlocks cannot be 4294967295 (QEMU takes this number for not set, which means never: write off)",
    ),
    ("spinlocks: '8191'", "spinlocks cannot be '8191' (write the number without quotes)"),
    (
        "spinlocks: 8_191",
        (
            "spinlocks cannot be '8_191' (write a whole number from 4095 to 2147483647, in decimal or as 0x…, without "
            "underscores and leading zeros)"
        ),
    ),
    ("spinlocks: many", "spinlocks cannot be 'many' (write a whole number from 4095 to 2147483647)"),
    ("vendor-id: thirteen char", "vendor-id has 13 characters (at most 12 fit into CPUID)"),
    ("vendor-id: 'a,b'", "vendor-id cannot be 'a,b' (write 1 to 12 printable ASCII characters without comma)"),
    ("vendor-id: é", "vendor-id cannot be 'é' (write 1 to 12 printable ASCII characters without comma)"),
    ("vendor-id: ''", "vendor-id cannot be '' (write 1 to 12 printable ASCII characters without comma)"),
    ("vendor-id: 1234", "vendor-id is text, and YAML reads '1234' as something else (quote it)"),
    ("vendor-id: no", "vendor-id cannot be 'no' (write on or off: here, off)"),
    ("version-id: 10.0", "version-id is text, and YAML reads '10.0' as something else (quote it)"),
    (
        "version-id: '10.0'",
        (
            "version-id cannot be '10.0' (a version is written MAJOR.MINOR.BUILD or "
            "MAJOR.MINOR.BUILD.SPACK-SBRANCH-SNUMBER)"
        ),
    ),
    ("version-id: 65536.0.1", "version-id cannot be '65536.0.1' (the part major is 65536, and at most 65535)"),
    ("version-id: 1.0.1.0-256-0", "version-id cannot be '1.0.1.0-256-0' (the part sbranch is 256, and at most 255)"),
    (
        "version-id: 1.0.1.0-0-16777216",
        "version-id cannot be '1.0.1.0-0-16777216' (the part snumber is 16777216, and at most 16777215)",
    ),
    ("version-id: 1.00.1", "version-id cannot be '1.00.1' (00 is not a number without leading zeros)"),
    ("no-nonarch-coresharing: atuo", "no-nonarch-coresharing cannot be 'atuo' (did you mean 'auto'?)"),
]


@pytest.mark.parametrize(("text", "expected"), REFUSED_VALUES, ids=[text for text, _ in REFUSED_VALUES])
def test_a_wrong_value_is_marked_where_it_stands(text: str, expected: str) -> None:
    column = text.index(": ") + 5 if not text.endswith(": ") else len(text) + 2
    assert problems(f"version: 1\nenlightenments:\n  {text}\n") == [f"3:{column} {expected}"]


REFUSED_ENTRIES = [
    ("relaxd: on", ["3:3 no enlightenment 'relaxd' (did you mean 'relaxed'?)"]),
    ("Relaxed: on", ["3:3 no enlightenment 'Relaxed' (did you mean 'relaxed'?)"]),
    ("zzzzzz: on", ["3:3 no enlightenment 'zzzzzz' (`hvctl explain` lists them)"]),
    ("x-hv-max-vps: 64", ["3:3 x-hv-max-vps is experimental (hvctl never writes it; leave it out)"]),
    ("spinlocks: on", ["3:3 spinlocks: on needs a whole number from 4095 to 2147483647 (write `spinlocks: 4095`)"]),
    (
        "spinlocks: prefer",
        [
            (
                "3:3 spinlocks: prefer needs a whole number from 4095 to 2147483647 "
                "(write `spinlocks: {state: prefer, value: 4095}`)"
            )
        ],
    ),
    (
        "vendor-id: on",
        ["3:3 vendor-id: on needs 1 to 12 printable ASCII characters without comma (write `vendor-id: Microsoft Hv`)"],
    ),
    (
        "version-id: on",
        [
            (
                "3:3 version-id: on needs a version, MAJOR.MINOR.BUILD or MAJOR.MINOR.BUILD.SPACK-SBRANCH-SNUMBER "
                "(write `version-id: 10.0.14393`)"
            )
        ],
    ),
    ("relaxed: {state: on, value: 1}", ["3:24 relaxed takes no value (leave `value` out)"]),
    (
        "spinlocks: {state: off, value: 8191}",
        ["3:27 spinlocks: a value says nothing beside `state: off` (leave one of them out)"],
    ),
    ("spinlocks: {value: 8191}", ["3:14 spinlocks: the key `state` is missing (add state: on, off or prefer)"]),
    (
        "spinlocks: {sate: on, value: 1}",
        [
            "3:14 spinlocks: the key `state` is missing (add state: on, off or prefer)",
            "3:15 spinlocks: no key 'sate' here (did you mean 'state'?)",
            "3:32 spinlocks: value cannot be 1 (write a whole number from 4095 to 2147483647)",
        ],
    ),
    ("relaxed: on\n  hv_relaxed: off", ["4:3 'hv_relaxed' is relaxed again (leave one of them out)"]),
    ("relaxed: on\n  relaxed: on", ["4:3 duplicate key 'relaxed'"]),
]


@pytest.mark.parametrize(("text", "expected"), REFUSED_ENTRIES, ids=[text for text, _ in REFUSED_ENTRIES])
def test_a_wrong_entry(text: str, expected: list[str]) -> None:
    assert problems(f"version: 1\nenlightenments:\n  {text}\n") == expected


REFUSED_KEYS = [
    ("migratoin: none", "2:1 no key 'migratoin' (did you mean 'migration'?)"),
    ("guest: {os: windows-12}", "2:13 guest.os cannot be 'windows-12' (did you mean 'windows-11'?)"),
    ("guest: {uses: [vsb]}", "2:16 guest.uses cannot be 'vsb' (did you mean 'vbs'?)"),
    ("guest: {uses: vbs}", "2:15 guest.uses is a list (write it as [nested-hyperv])"),
    ("guest: {uses: [vbs, vbs]}", "2:21 guest.uses has 'vbs' twice"),
    ("guest:", "2:7 guest is empty (leave the key out)"),
    ("migration: no", "2:12 migration cannot be 'no' (did you mean 'none'?)"),
    ("vcpus: {pinned: true}", "2:17 vcpus.pinned cannot be 'true' (write on or off: here, on)"),
    ("tsc-frequency: 2400000001", "2:16 tsc-frequency is a multiple of 1000 (write 2400000000, or 2400001000)"),
    (
        "tsc-frequency: 2400",
        "2:16 tsc-frequency cannot be 2400 (write auto or a whole number from 1000000 to 100000000000)",
    ),
    (
        "machine: microvm",
        (
            "2:10 machine cannot be 'microvm' (write q35, pc, or a type of these families such as pc-q35-9.1; others "
            "(microvm, isapc) are not supported)"
        ),
    ),
    ("cpu: 486", "2:6 cpu.model is text, and YAML reads '486' as something else (quote it)"),
    (
        "cpu: host,hv-time=on",
        (
            "2:6 cpu.model cannot be 'host,hv-time=on' "
            "(write a CPU model of QEMU's, without features; for max and base write host)"
        ),
    ),
    ("cpu: {features: [vmx]}", "2:17 cpu.features is a mapping (write `key: value` lines)"),
    (
        "cpu: {features: {hv_time: on}}",
        "2:18 'hv_time' is not allowed in cpu.features (write it under `enlightenments`, without `hv-`)",
    ),
    (
        "cpu: {features: {kvm: off}}",
        "2:18 'kvm' is not allowed in cpu.features (write `hidden: on` under cpu to hide KVM)",
    ),
    (
        "cpu: {features: {tsc_frequency: on}}",
        "2:18 'tsc_frequency' is not allowed in cpu.features (write the key `tsc-frequency` at the top level)",
    ),
    (
        "cpu: {features: {migratable: on}}",
        (
            "2:18 'migratable' is not allowed in cpu.features "
            "(hvctl writes it; say `migration: required` or `migration: none`)"
        ),
    ),
    ("cpu: {features: {sse4_1: on, sse4-1: on}}", "2:30 'sse4-1' is the same as 'sse4_1' (leave one of them out)"),
    ("clock: {timers: {rtc: slew}}", "2:23 clock.timers.rtc cannot be 'slew' (write catchup or delay)"),
    ("name: a b", "2:7 name cannot be 'a b' (write letters, digits, `.`, `_` and `-`)"),
    ("name: &n a", "2:7 anchors are not supported (leave out '&n')"),
    ("name: !!str a", "2:7 tags are not supported (leave the word with '!' out)"),
    ("name: *n", "2:7 aliases are not supported (write the value again)"),
    ("<<: {name: a}", "2:1 merge keys are not supported (use `extends` for what profiles have in common)"),
    ("[a]: b", "2:1 a key is one word, not a list or a mapping"),
    ("name: a\nname: b", "3:1 duplicate key 'name'"),
    ("name: a\n---\nname: b", "3:1 a second document begins here (a file holds one profile)"),
    ("name: @a", "2:7 a bare word cannot begin with @ (put it in quotes)"),
    ("\tname: a", "2:1 a tab cannot indent in YAML (use spaces)"),
    ("name: a: b", "2:8 a second `:` on this line, or a wrong indentation (put text that holds `: ` in quotes)"),
    ("name: 'a", "2:9 a quote is not closed (end the text with the same quote)"),
    ("name: a\x07", "2:8 the character U+0007 is not allowed here"),
    ("name: a\0", "2:8 the character U+0000 is not allowed here"),
    ("description: a\u2028b", "2:15 the character U+2028 is not allowed here"),
    ("description: a\ufeff", "2:15 the character U+FEFF is not allowed here"),
    ("x: " + "[" * 40, f"2:{35} nested more than 32 levels deep"),
]


@pytest.mark.parametrize(("text", "expected"), REFUSED_KEYS, ids=[ascii(text)[:40] for text, _ in REFUSED_KEYS])
def test_a_wrong_key_or_value(text: str, expected: str) -> None:
    assert problems(f"version: 1\n{text}\n") == [expected]


WHOLE_FILES = [
    ("", "1:1 p.yaml is empty (begin with `version: 1`)"),
    ("# only a comment\n", "1:1 p.yaml is empty (begin with `version: 1`)"),
    ("- version: 1\n", "1:1 a profile is a mapping (write `key: value` lines)"),
    ("name: a\n", "1:1 the key `version` is missing (begin with `version: 1`)"),
    ("version: 2\n", "1:10 version cannot be 2 (write 1)"),
    ("version: '1'\n", "1:10 version cannot be '1' (write the number without quotes)"),
]


@pytest.mark.parametrize(("text", "expected"), WHOLE_FILES, ids=[ascii(text)[:20] for text, _ in WHOLE_FILES])
def test_a_wrong_file(text: str, expected: str) -> None:
    assert problems(text) == [expected]


def test_all_mistakes_are_told_at_once_in_file_order() -> None:
    found = problems("version: 1\nmachine: isapc\nenlightenments: {relaxed: yes, foo: on}\nmigraton: none\n")
    assert [line.split(" ")[0] for line in found] == ["2:10", "3:27", "3:32", "4:1"]


def test_columns_count_code_points() -> None:
    assert problems('version: 1\nguest: {"日本😀e\u0301": on, os: x}\n')[1].startswith("2:26 guest.os")


def test_a_byte_order_mark_moves_no_column() -> None:
    assert problems("\ufeffverison: 1\n")[0].startswith("1:1 no key 'verison'")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=ascii)
def test_lines_end_in_any_way(end: str) -> None:
    assert problems(f"version: 1{end}name: a{end}os: b{end}")[0].startswith("3:1 no key 'os'")


def test_the_excerpt_is_the_whole_line() -> None:
    with pytest.raises(InputError) as caught:
        profile_from_text("version: 1\r\nname:   a b # c\r\n", "p.yaml")
    span = caught.value.problems[0].span
    assert span == ("p.yaml", 2, 9, 2, 12, "name:   a b # c")


def test_a_file_full_of_mistakes_is_cut_off() -> None:
    with pytest.raises(InputError) as caught:
        profile_from_text("version: 1\n" + "".join(f"k{number}: 1\n" for number in range(5000)), "p.yaml")
    assert len(caught.value.problems) == 100
    assert caught.value.hint == "only the first 100 problems are shown"
