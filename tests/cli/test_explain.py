"""`hvctl explain`."""

from __future__ import annotations

import json
import re

import pytest

from hvctl.catalog import ROWS, find
from hvctl.catalog.subjects import SUBJECTS, find_subject
from hvctl.catalog.types import Row, Subject
from hvctl.catalog.windows import plain
from hvctl.lint.rule import find_rule
from tests.cli.run import hvctl, inside


def test_without_a_name_all_rows_and_subjects_are_listed() -> None:
    text = hvctl("explain").stdout
    rows, subjects = (part.splitlines() for part in text.split("\n\n"))
    assert [line.split()[0] for line in rows] == [row.id for row in ROWS]
    assert [line.split()[0] for line in subjects] == [subject.id for subject in SUBJECTS]
    assert max(map(len, text.splitlines())) <= 80
    answer = json.loads(inside("explain", "--format", "json").stdout)
    assert [one["id"] for one in answer["subjects"]] == [subject.id for subject in SUBJECTS]


@pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
def test_every_row_has_a_page_with_its_facts(row: Row) -> None:
    from hvctl.report.explain import text

    page = text(row)
    flat = " ".join(page.split())
    assert page.startswith(f"{row.id}: {row.title}\n")
    assert all(known.name.replace("-", "_") in flat for known in row.properties)
    assert all(source in flat for source in row.sources)
    assert all(needed in flat for needed in row.requires)
    assert all(name in flat for bits in row.checks for name in bits.names)
    assert " ".join(row.does.split()) in flat


@pytest.mark.parametrize("name", ["hv_stimer_direct", "stimer/direct", "STIMER-DIRECT", "hv-stimer-direct"])
def test_any_name_will_do(name: str) -> None:
    assert hvctl("explain", name).stdout.startswith("stimer-direct: ")


def test_json() -> None:
    answer = json.loads(hvctl("explain", "hypervclock", "--format", "json").stdout)
    (entry,) = answer["enlightenments"]
    assert entry["id"] == "time"
    assert entry["required_by"] == ["stimer"]


@pytest.mark.parametrize("subject", SUBJECTS, ids=[subject.id for subject in SUBJECTS])
def test_every_subject_has_a_page(subject: Subject) -> None:
    page = inside("explain", subject.id).stdout
    assert page.startswith(f"{subject.id}: {subject.title}\n")
    flat = " ".join(page.split())
    assert len(subject.sections) >= 2
    for heading, paragraphs in subject.sections:
        assert f"\n\n{heading}\n  " in page
        assert paragraphs
        assert all(" ".join(said.split()) in flat for said in paragraphs)
    assert "\n\nSources\n" in page
    # A page names rules, rows and other pages that exist.
    named = re.findall(r"see (?:the rule )?([a-z-]+)", flat)
    assert all(find(name) or find_subject(name) or find_rule(name) for name in named), named
    (one,) = json.loads(inside("explain", subject.id, "--format", "json").stdout)["subjects"]
    assert [section["heading"] for section in one["sections"]][-1] == "Sources"


def test_no_word_names_two_subjects_or_hides_one() -> None:
    words = [word for subject in SUBJECTS for word in (subject.id, *subject.words)]
    assert len(words) == len(set(words))
    assert {word for word in words if find(word)} == set()
    assert all(word == plain(word) for word in words)


@pytest.mark.parametrize(
    ("words", "subject"),
    [
        (("Credential", "Guard"), "vbs"),
        (("memory integrity",), "vbs"),
        (("HVCI",), "vbs"),
        (("core_isolation",), "vbs"),
        (("Docker", "Desktop"), "wsl2"),
        (("Windows", "Sandbox"), "nested-hyperv"),
        (("Hyper-V",), "nested-hyperv"),
        (("kvm=off",), "kvm-hidden"),
        (("hypervisor=off",), "hypervisor-bit"),
        (("virsh", "save"), "snapshots"),
        (("hibernation",), "snapshots"),
        (("code", "43"), "gpu-passthrough"),
        (("q35",), "machine-types"),
        (("split",), "kernel-irqchip"),
        (("tsc",), "tsc-frequency"),
        (("x86-64-v3",), "cpu-models"),
        (("live", "migration"), "snapshots"),
        (("sockets",), "topology"),
        (("secure boot",), "firmware"),
        (("TPM",), "firmware"),
        (("time drift",), "rtc"),
        (("PM timer",), "hpet"),
        (("24H2",), "windows-11"),
        (("23H2",), "windows-11-23h2"),
        (("Windows 2012 R2",), "windows-server-2012r2"),
        (("w2k3",), "windows-server-2003"),
    ],
)
def test_a_subject_is_found_by_common_words(words: tuple[str, ...], subject: str) -> None:
    assert inside("explain", *words).stdout.startswith(f"{subject}: ")


def test_several_pages_in_the_order_in_which_they_are_named() -> None:
    page = inside("explain", "snapshots", "stimer", "hpet-on", "vbs").stdout
    found = [
        page.index(f"{name}: ") if name != "hpet-on" else page.index("hpet-on")
        for name in ("snapshots", "stimer", "hpet-on", "vbs")
    ]
    assert found == sorted(found)


def test_what_pages_say_of_the_most_asked_subjects() -> None:
    gpu = " ".join(inside("explain", "gpu-passthrough").stdout.split())
    assert all(
        word in gpu for word in ("465", "9070 XT", "SR-IOV", "hypervisor=off", "users report", "last -cpu whole")
    )
    snapshots = " ".join(inside("explain", "snapshots").stdout.split())
    assert all(
        word in snapshots for word in ("QEMU issue 1887", "stimer", "hv-time", "virsh domtime", "check-migration")
    )
    for name in ("vbs", "wsl2", "nested-hyperv"):
        page = inside("explain", name).stdout
        assert all(f"\n{heading}\n" in page for heading in ("Make it fast", "Keep it out", "Profile"))
    assert "MBEC" in inside("explain", "evmcs").stdout


def test_unknown_names_are_errors_with_suggestions() -> None:
    done = hvctl("explain", "stimmer", "relaxed", code=2)
    assert done.stdout == ""
    assert "did you mean 'stimer'" in done.stderr
    done = inside("explain", "snapshto", "credential", code=2)
    assert "did you mean 'snapshot' for 'snapshto'?" in " ".join(done.stderr.split())
    done = inside("explain", "Windows Server", code=2)
    assert "name one: windows-server-2003, windows-server-2008, " in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("word", "title", "said", "unsaid"),
    [
        (
            "windows-11",
            "Windows 11",
            ["stimer-direct", "sse4.2 and popcnt", "see vbs", "Pro uses 2, Home uses 1, Pro for Workstations uses 4"],
            ["harms"],
        ),
        (
            "win7",
            "Windows 7",
            [
                "Not known to be of use to it: synic, stimer",
                "it hangs at a black screen",
                "on Windows uses relaxed, ",
                "a name such as win7.",
            ],
            ["sse4.2"],
        ),
        ("Windows Server 2008 R2", "Windows Server 2008 R2", ["Standard uses 4", "is the TSC where it can"], ["vbs"]),
        ("win-xp", "Windows XP", ["No enlightenment: it does not look", "hvctl does not know; see hpet"], ["relaxed"]),
        ("windows-server-2022", "Windows Server 2022", ["see vbs", "`hvctl gen windows-server-2022`"], ["sockets"]),
        ("Windows 10 Pro", "Windows 10", ["xmm-input"], ["sse4.2"]),
        ("win11 23H2", "Windows 11 up to 23H2", ["take every Windows 11 for 24H2"], ["sse4.2"]),
        ("server 2019", "Windows Server 2019", ["tlbflush-ext"], ["socket"]),
    ],
)
def test_each_release_of_windows_has_a_page(word: str, title: str, said: list[str], unsaid: list[str]) -> None:
    text = " ".join(hvctl("explain", *word.split()).stdout.split())
    assert f": {title} as a guest " in text
    assert [one for one in said if one not in text] == []
    assert [one for one in unsaid if one in text] == []


@pytest.mark.parametrize("words", [("stimr", "win11"), ("relaxed", "windows", "11"), ("win11", "nosuch")])
def test_no_word_is_dropped_beside_a_release(words: tuple[str, ...]) -> None:
    assert "unknown enlightenment or subject" in hvctl("explain", *words, code=2).stderr
