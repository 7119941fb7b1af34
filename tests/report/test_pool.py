"""The report on a pool: at 80 columns, with and without colour, and as JSON."""

import json
import re
from itertools import chain
from typing import Any

import jsonschema
import pytest

from hvctl.catalog import ROWS
from hvctl.host.host_file import read_host
from hvctl.model.host import Host, Pool
from hvctl.plan.pool import survey
from hvctl.report.pool import Gain, companions, gains, letter, losses, names_text, pool_text
from hvctl.report.pool_json import pool_json
from hvctl.text.json_document import dump
from tests.made_hosts import (
    made_amd_host,
    made_intel_host,
    made_kvm,
    made_libvirt,
    made_no_hyperv_host,
    made_old_kernel_host,
    made_qemu,
)
from tests.model.test_host import pool_of, with_frequencies
from tests.paths import HOSTS, schema

RECORDED = [read_host(str(HOSTS / f"{name}.json")) for name in ("debian-12", "debian-13")]
SCHEMA = schema("pool")
IDS = [row.id for row in ROWS if not row.experimental]


def hardware(host: Host, **changes: Any) -> Host:
    return host._replace(hardware=host.hardware._replace(**changes))


def releases(count: int) -> list[Host]:
    """As many classes, which differ in their kernels' releases."""
    made = made_amd_host()
    return [
        made._replace(name=f"node{number}", kvm=made.kvm._replace(release=f"6.{number}")) for number in range(count)
    ]


POOLS = {
    "recorded": pool_of(*RECORDED),
    "one": pool_of(made_amd_host()),
    "every kind": pool_of(
        made_amd_host(),
        made_intel_host(),
        made_old_kernel_host(),
        made_no_hyperv_host(),
        made_amd_host("no-qemu", qemu=()),
        made_amd_host("no-libvirt", libvirt=None),
        hardware(made_amd_host("bare"), tsc_hz=None, tsc_scaling=None, vendor=None, model_name=None),
    ),
    "alike": pool_of(*with_frequencies([2_500_000_000 + number for number in range(100)])),
    "many classes": pool_of(*releases(30)),
    "long names": pool_of(*(made_amd_host(f"node{number:02}.rack4.example.org") for number in range(30))),
}
every_pool = pytest.mark.parametrize("pool", POOLS.values(), ids=list(POOLS))


def gain_of(pool: Pool, *names: str) -> Gain:
    return Gain(names, survey(pool), survey(pool.without(frozenset(names))))


def without_first(pool: Pool) -> Gain | None:
    first = next(iter(pool.names()))
    return gain_of(pool, first) if len(list(pool.names())) > 1 else None


@every_pool
@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("all_names", [False, True])
def test_lines_fit(pool: Pool, width: int, all_names: bool) -> None:
    text = pool_text(survey(pool), without_first(pool), width=width, all_names=all_names)
    assert text.endswith("\n")
    for line in text.splitlines():
        assert len(line) <= width
        assert line == line.rstrip()


@every_pool
def test_colour_changes_nothing_but_colour(pool: Pool) -> None:
    plain, colored = (pool_text(survey(pool), without_first(pool), color=color) for color in (False, True))
    assert re.sub(r"\x1b\[\d+m", "", colored) == plain
    assert "\x1b" not in plain
    assert "\x1b" in colored


@every_pool
def test_json_is_as_its_schema_says(pool: Pool) -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    for gain in (None, without_first(pool)):
        text = dump(pool_json(survey(pool), gain))
        assert text == dump(pool_json(survey(pool), gain))
        found = json.loads(text)
        jsonschema.validate(found, SCHEMA)
        assert list(found) == SCHEMA["required"] == list(SCHEMA["properties"])
        assert found["hosts"] == sum(len(group["hosts"]) for group in found["classes"])
        assert all(list(group["enlightenments"]) == IDS for group in found["classes"])
        assert (found["without"] is None) == (gain is None)


def strict(schema: Any) -> bool:
    """Whether every object of a schema names its keys, all of which are required."""
    if isinstance(schema, list):
        return all(map(strict, schema))
    if not isinstance(schema, dict):
        return True
    named = schema.get("properties")
    closed = not isinstance(named, dict) or (
        schema.get("additionalProperties") is False and set(schema["required"]) == set(named)
    )
    return closed and all(map(strict, schema.values()))


def test_the_schema_lets_nothing_pass_that_is_not_printed() -> None:
    assert strict(SCHEMA)


TWO = """\
2 hosts in 2 classes of equal facts

A: new
   kernel     Linux 6.12.0-made
   processor  Made EPYC
   TSC        2500.000 MHz, no scaling
   QEMU       10.0.0
   libvirt    11.3.0

B: old
   kernel     Linux 6.12.0-made
   processor  Made EPYC
   TSC        2400.000 MHz, no scaling
   QEMU       7.2.0
   libvirt    11.3.0

enlightenment           A          B
relaxed                 yes        yes
vapic                   yes        yes
spinlocks               yes        yes
vpindex                 yes        yes
runtime                 yes        yes
crash                   yes        yes
time                    yes        yes
synic                   yes        yes
stimer                  yes        yes
stimer-direct           yes        yes
reset                   yes        yes
vendor-id               yes        yes
frequencies             yes        yes
reenlightenment         yes        yes
tlbflush                yes        yes
tlbflush-direct         yes        yes
tlbflush-ext            yes        kernel
ipi                     yes        yes
evmcs                   kernel,hw  kernel,hw
avic                    hw         hw
emsr-bitmap             yes        yes
xmm-input               yes        yes
no-nonarch-coresharing  libvirt    libvirt
version-id              libvirt    libvirt
enforce-cpuid           libvirt    libvirt
syndbg                  libvirt    libvirt
passthrough             yes        yes
no: the layers that cannot; `?`: cannot tell; libvirt counts with libvirt only

Every host can give
  relaxed, vapic, spinlocks, vpindex, runtime, crash, time, synic, stimer,
  stimer-direct, reset, vendor-id, frequencies, reenlightenment, tlbflush,
  tlbflush-direct, ipi, emsr-bitmap, xmm-input, no-nonarch-coresharing,
  version-id, enforce-cpuid, syndbg, passthrough
  With libvirt all of these but: no-nonarch-coresharing, version-id,
    enforce-cpuid, syndbg

What falls out, and why
  tlbflush-ext: old, kernel: KVM does not report
    HV_EXT_GVA_RANGES_FLUSH_AVAILABLE; boot Linux 6.2 or newer
  evmcs: new and 1 more, kernel: KVM does not offer
    KVM_CAP_HYPERV_ENLIGHTENED_VMCS; use hosts with Intel processors for guests
    that need it
  avic: new and 1 more, hardware: APICv/AVIC is not active; use a processor with
    APICv/AVIC, and kvm_intel enable_apicv=1 or kvm_amd avic=1

A guest that moves among these hosts
  machine types pc-q35-7.2, pc-i440fx-7.2
  CPU vendor    AMD
  CPU host      is the same CPU on all of them
  CPU model     EPYC (x86-64-v3) lacks, of what every host has: pcid, svm
  TSC           2400.000 to 2500.000 MHz; none can scale it
  but           the TSC frequencies of old and new differ, and not every host
                can scale; write `tsc-frequency` where all hosts but those of
                that frequency can scale, or leave hosts out

Without old
  gained: tlbflush-ext
  machine type pc-q35-10.0 instead of pc-q35-7.2
  machine type pc-i440fx-10.0 instead of pc-i440fx-7.2
  no more: the TSC frequencies of old and new differ, and not every host can
    scale
"""


def test_a_small_pool_in_full() -> None:
    old = made_amd_host("old", tsc=2_400_000_000, kvm=made_kvm(misc=0x80D12), qemu=(made_qemu(newest="7.2"),))
    pool = pool_of(made_amd_host("new"), old)
    assert pool_text(survey(pool), gain_of(pool, "old")) == TWO


def said(pool: Pool, gain: Gain | None = None, **options: Any) -> str:
    """The report without its line breaks."""
    return " ".join(pool_text(survey(pool), gain, **options).split())


def cells(text: str) -> dict[str, list[list[str]]]:
    """The rows of each block of the matrix, by what stands in their first column."""
    found: dict[str, list[list[str]]] = {}
    for line in text.splitlines():
        name, *words = line.split() or [""]
        if name in {"enlightenment", *IDS} and not line.startswith(" ") and "," not in name:
            found.setdefault(name, []).append(words)
    return found


def test_a_cell_names_the_layers_that_cannot_or_that_nobody_knows() -> None:
    blocks = cells(pool_text(survey(POOLS["every kind"]), None))
    rows = {name: list(chain(*found)) for name, found in blocks.items()}
    assert rows["enlightenment"] == list("ABCDEFG")
    assert rows["relaxed"] == ["yes", "yes", "yes", "kernel", "?qemu", "yes", "yes"]
    assert rows["stimer-direct"][2] == "?kernel"
    assert rows["avic"] == ["hw", "yes", "?kernel,hw", "kernel,hw", "hw,?qemu", "hw", "hw"]
    assert rows["version-id"] == [*["libvirt"] * 3, "kernel,libvirt", "?qemu,libvirt", *["libvirt"] * 2]


def test_a_wide_matrix_is_told_in_blocks_and_its_end_in_json_and_html() -> None:
    text = pool_text(survey(POOLS["many classes"]), None)
    rows = cells(text)
    assert list(chain(*rows["enlightenment"])) == [letter(position) for position in range(26)]
    assert len(rows["enlightenment"]) > 1
    assert {len(blocks) for blocks in rows.values()} == {len(rows["enlightenment"])}
    assert "4 more classes: see --format json or html" in text
    assert "AD: node29" in text
    assert "more class" not in pool_text(survey(pool_of(*releases(26))), None)
    assert "1 more class: see" in pool_text(survey(pool_of(*releases(27))), None)


def test_letters_are_those_of_a_spreadsheet() -> None:
    assert [letter(position) for position in (0, 25, 26, 27, 51, 52, 701, 702)] == [
        *("A", "Z", "AA", "AB", "AZ", "BA", "ZZ", "AAA")
    ]


@pytest.mark.parametrize(
    ("count", "all_names", "end"),
    [(20, False, "h19"), (21, False, "h19 and 1 more"), (100, False, "h19 and 80 more"), (100, True, "h99")],
)
def test_at_most_20_names_are_shown(count: int, all_names: bool, end: str) -> None:
    text = names_text([f"h{number}" for number in range(count)], all_names=all_names)
    assert text.endswith(end)
    assert text.count(",") == min(count, 100 if all_names else 20) - 1
    pool = pool_of(*with_frequencies([2_500_000_000] * count))
    assert f"A ({count}): {text} kernel" in said(pool, all_names=all_names)


def test_json_names_every_host() -> None:
    found = pool_json(survey(POOLS["alike"]), None)
    assert found["classes"][0]["hosts"][99] == {"name": "h99", "tsc_hz": 2_500_000_099}
    assert found["classes"][0]["facts"]["tsc_hz"] == found["tsc"]["hz"] == [2_500_000_000, 2_500_000_099]


def test_a_reason_is_told_once_with_all_that_it_takes_away() -> None:
    (every, *_) = losses(survey(pool_of(made_amd_host(), made_no_hyperv_host())).qemu.removals)
    assert (every.ids, every.groups) == (tuple(IDS), (1,))
    alike = with_frequencies([2_500_000_000] * 3)
    text = said(pool_of(*alike, made_amd_host("old", kvm=made_kvm(features=0xAAFF & ~4))))
    assert "avic: h0 and 3 more, hardware: APICv/AVIC is not active; use a processor" in text
    assert "synic: old, kernel: KVM does not report HV_SYNIC_AVAILABLE" in text
    assert "stimer, syndbg: requirement: it requires synic" in text


def test_what_is_not_known_is_not_said_to_be_missing() -> None:
    text = said(pool_of(made_old_kernel_host()))
    assert "made-4.19, kernel: not known: this kernel has no way to tell (before 5.0); use a newer kernel" in text


@pytest.mark.parametrize(
    ("hosts", "told"),
    [
        ([made_amd_host()], "With libvirt all of these but: no-nonarch-coresharing, version-id"),
        ([made_amd_host(libvirt=None)], "With libvirt: not known, since A has none recorded"),
        (
            [made_amd_host(libvirt=None), made_intel_host(libvirt=None)],
            "With libvirt: not known, since A, B have none recorded",
        ),
        ([made_no_hyperv_host()], "Every host can give nothing With libvirt the same"),
    ],
)
def test_what_libvirt_adds_to_the_answer(hosts: list[Host], told: str) -> None:
    assert told in said(pool_of(*hosts))


def companion(pool: Pool, name: str) -> list[str]:
    return [text for what, text in companions(survey(pool)) if what == name]


def test_what_else_the_hosts_have_in_common() -> None:
    pool = POOLS["every kind"]
    assert companion(pool, "no plan") == [
        "made-no-hyperv: its KVM has no Hyper-V emulation; boot a kernel built with CONFIG_KVM_HYPERV=y",
        "no-qemu: no QEMU is known there; record the host again where QEMU is installed, or name a QEMU binary",
    ]
    assert companion(pool, "machine types") == []
    assert companion(pool, "CPU vendor") == ["AMD, Intel, unknown"]
    assert companion(pool, "TSC") == ["2500.000 to 2600.000 MHz; not every host can scale it"]
    assert len(companion(pool, "but")) == 2
    assert companion(POOLS["recorded"], "machine types") == ["pc-q35-7.2, pc-i440fx-7.2"]
    apart = pool_of(made_amd_host("a"), made_amd_host("b", qemu=(made_qemu()._replace(machines=()),)))
    assert companion(apart, "machine types") == ["no common q35, no common pc"]


@pytest.mark.parametrize(
    ("scaling", "words", "every"),
    [
        ([True, True], "all can scale it", True),
        ([False, False], "none can scale it", False),
        ([None, None], "whether they can scale it is not known", None),
        ([True, False], "not every host can scale it", False),
        ([False, None], "not every host can scale it", False),
    ],
)
def test_tsc_scaling_of_the_pool(scaling: list[bool | None], words: str, every: bool | None) -> None:
    hosts = [hardware(made_amd_host(f"h{at}"), tsc_scaling=can) for at, can in enumerate(scaling)]
    assert companion(pool_of(*hosts), "TSC") == [f"2500.000 MHz; {words}"]
    assert pool_json(survey(pool_of(*hosts)), None)["tsc"]["every_host_scales"] is every


def test_scaling_that_some_have_and_nobody_knows_of_others() -> None:
    hosts = [hardware(made_amd_host(f"h{at}"), tsc_scaling=can) for at, can in enumerate([True, None])]
    assert pool_json(survey(pool_of(*hosts)), None)["tsc"]["every_host_scales"] is None


@pytest.mark.parametrize(
    ("frequencies", "told"),
    [
        ([None, None], "frequency unknown, no scaling"),
        ([2_500_000_000, None], "2500.000 MHz where known, no scaling"),
        ([2_500_000_000, 2_500_100_000], "2500.000 to 2500.100 MHz, no scaling"),
    ],
)
def test_the_frequencies_of_a_class(frequencies: list[int | None], told: str) -> None:
    assert f"TSC {told} QEMU" in said(pool_of(*with_frequencies(frequencies)))


OLD = made_amd_host("old", kvm=made_kvm(features=0xAAFF & ~4), libvirt=made_libvirt(without=("relaxed",)))


def test_what_leaving_a_host_out_gains() -> None:
    assert gains(gain_of(pool_of(made_amd_host(), OLD), "old")) == [
        "gained: synic, stimer, stimer-direct, syndbg",
        "gained with libvirt: relaxed",
    ]
    assert gains(gain_of(pool_of(made_amd_host("a"), made_amd_host("b")), "b")) == ["nothing would be gained"]
    assert "gained: a plan that holds for every host" in gains(
        gain_of(pool_of(made_amd_host(), made_no_hyperv_host()), "made-no-hyperv")
    )


def test_machine_types_and_cpus_are_gained_too() -> None:
    poor = made_qemu(newest="7.2")._replace(models=("qemu64",))
    odd = hardware(made_amd_host("odd", qemu=(poor,)), model=99)
    assert gains(gain_of(pool_of(made_amd_host("a"), made_amd_host("b"), odd), "odd")) == [
        "machine type pc-q35-10.0 instead of pc-q35-7.2",
        "machine type pc-i440fx-10.0 instead of pc-i440fx-7.2",
        "CPU model host is the same CPU on all of them",
        "CPU model EPYC instead of qemu64",
    ]
    no_qemu = gains(gain_of(pool_of(made_amd_host("a"), made_amd_host("b", qemu=())), "b"))
    assert {"machine type pc-q35-10.0", "CPU model EPYC instead of none"} <= set(no_qemu)


def test_an_obstacle_that_stays_for_other_hosts_is_not_gone() -> None:
    a, b, c = with_frequencies([2_000_000_000, 2_500_000_000, 3_000_000_000])
    intel = hardware(made_intel_host(), tsc_hz=3_500_000_000, tsc_scaling=False)
    found = gains(gain_of(pool_of(a, b, c, intel), "made-intel"))
    assert [one for one in found if one.startswith("no more")] == [
        "no more: the processors are from AMD and Intel, and no CPU model hides that from a guest that migrates"
    ]
    unknown = hardware(made_amd_host("unknown"), tsc_hz=None)
    assert gains(gain_of(pool_of(a, unknown), "unknown")) == ["no more: unknown: its TSC frequency is not known"]


def test_the_names_that_are_left_out_are_shown() -> None:
    pool = POOLS["alike"]
    names = [f"h{number}" for number in range(30)]
    assert "h19 and 10 more nothing would be gained" in said(pool, gain_of(pool, *names))
    assert pool_json(survey(pool), gain_of(pool, *names))["without"]["hosts"] == names


def test_a_model_that_is_too_old_alone_is_named_with_what_it_needs() -> None:
    text = dict(companions(survey(pool_of(*RECORDED))))["CPU model"]
    assert "write `cpu: {model: qemu64, features: {sse4.2: on, popcnt: on}}` in the profile" in text
    assert "cannot boot" not in text
