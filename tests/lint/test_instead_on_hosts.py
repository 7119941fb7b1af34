"""As test_instead.py, of what is found only with hosts: each alternative is done, to the guest or to the hosts.

Each row of the catalog is written with what it requires, as a domain and as a command line, for hosts that lack much.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

import pytest
from lxml import etree

from hvctl.catalog import BY_ID, ROWS, find, roles
from hvctl.catalog.types import Kind, Row
from hvctl.guest.command.reader import read_command_line
from hvctl.guest.convert import to_libvirt
from hvctl.guest.syntax import COMMAND_LINE, DOMAIN, KUBEVIRT, Reading, Syntax
from hvctl.host.host_file import read_host
from hvctl.lint.engine import Job, choose, lint
from hvctl.lint.rule import Chosen, Facts, all_rules
from hvctl.model.finding import Finding
from hvctl.model.guest import Changes, Guest
from hvctl.model.host import Host, Libvirt
from hvctl.plan.support import State, support, verdict
from tests.lint.test_instead import ELEMENTS, kinds, write_elements
from tests.made_hosts import made_amd_host, made_intel_host, made_kvm
from tests.paths import HOSTS, RULE_CASES
from tests.plan.test_remedies import POOR, on_all
from tests.plan_file.test_locking import hardware

# Of a rule that gives way to another one nothing is seen but where that is not asked.
EVERY = choose(all_rules())
GIVING_WAY = tuple(one for one in EVERY if one.rule.after and one.rule.needs)
POOLS: dict[str, tuple[Host, ...]] = {
    **{name: (host,) for name, host in POOR.items()},
    "two": (POOR["amd"], POOR["nothing"]._replace(name="poor")),
    "two-poor": (POOR["kernel-without-bits"], POOR["qemu-without-properties"]._replace(name="poor")),
    "able": (hardware(made_amd_host(), apicv=True),),
    "no-vpindex": (made_amd_host(kvm=made_kvm(features=0xAAFF & ~(1 << 6))),),
    "no-synic": (made_intel_host(kvm=made_kvm(features=0xAAFF & ~(1 << 2))),),
    "libvirt-9": (made_amd_host(libvirt=Libvirt("9.0.0", ())),),
    "no-tsc": (hardware(made_intel_host(), tsc_hz=None),),
    "debian": tuple(read_host(str(HOSTS / f"debian-{number}.json")) for number in (12, 13)),
}
LEAVE_OUT = re.compile(r"(or )?leave it(?: and ([\w, -]+))? out\b")
MORE = {
    "recommended-missing",
    "no-stimer",
    "no-hypervclock",
    "vapic-missing",
    "synic-without-avic",
    "nested-incomplete",
}
MORE |= {"windows-without-hyperv", "synic-without-stimer"}
# What a guest was spared by the row that is left out: Windows counts the RTC's ticks again, or has nothing; and a clock
# that stimer lacked is still missing.
NOT_HERE = ("not-well-formed", "repeated-element", "written-twice", "suppression-unused", "suppression-without-reason")
WITHOUT = {"timer-policy", "windows-without-hyperv", "no-hypervclock"}
VALUES = {Kind.NUMBER: "8191", Kind.STRING: "KVM", Kind.VERSION: "10", Kind.ON_OFF_AUTO: "on"}


def judge(
    data: bytes, syntax: Syntax, hosts: tuple[Host, ...], rules: tuple[Chosen, ...] = EVERY
) -> tuple[Finding, ...]:
    return lint(data, "x", syntax, Job(rules, Facts(hosts))).findings


def guest_in(data: bytes, syntax: Syntax) -> Guest:
    (reading,) = syntax.read_all([(data, "x")])
    assert isinstance(reading, Reading)
    (guest,) = reading.guests
    return guest


def changes_of(guest: Guest, syntax: Syntax) -> Changes:
    assert syntax.change is not None
    return syntax.change(guest)


def changed(data: bytes, changes: Changes) -> bytes:
    for edit in sorted(changes.edits(), key=lambda edit: edit.start, reverse=True):
        data = data[: edit.start] + edit.text.encode() + data[edit.end :]
    return data


def dropped(data: bytes, syntax: Syntax, ids: list[str]) -> bytes:
    """A guest without some rows, by hvctl's own changer."""
    for row_id in ids:
        guest = guest_in(data, syntax)
        if row_id in guest.settings:  # else it was inside another one
            changes = changes_of(guest, syntax)
            changes.drop(guest.settings[row_id])
            data = changed(data, changes)
    return data


def about(data: bytes, syntax: Syntax, finding: Finding) -> str:
    """The row that is written at a finding's place."""
    guest = guest_in(data, syntax)
    return next(
        setting.id
        for setting in guest.settings.values()
        if finding.span[1:3] in {guest.span(setting.where, name)[1:3] for name in ("", setting.attribute)}
    )


def rows_of(sentence: str) -> list[Row]:
    fields = re.findall(r"`([\w.]+)\.(?:enabled|present): true`", sentence)
    return [
        *(row for name in re.findall(r"hv-[\w-]+", sentence) if (row := find(name))),
        *(row for row in ROWS if row.kubevirt in fields),
    ]


def written(data: bytes, syntax: Syntax, sentence: str) -> bytes:
    """What a sentence says to write, in the guest."""
    if syntax is DOMAIN and ELEMENTS.search(sentence):
        root = etree.fromstring(data)
        write_elements(sentence)(root, root)
        return etree.tostring(root)
    if machine := re.fullmatch(r"write (?:-machine )?(pc-[\w.-]+)", sentence):
        return re.sub(rb"q35|\bpc\b", machine[1].encode(), data, count=1)
    rows = rows_of(sentence)
    assert rows, f"what does {sentence!r} mean?"
    changes = changes_of(guest_in(data, syntax), syntax)
    changes.turn_on(rows)
    return changed(data, changes)


def lacks(host: Host, row: Row) -> bool:
    return verdict(support(host, row, host.qemu[0] if host.qemu else None), libvirt=True).state is State.NO


def named(data: bytes, syntax: Syntax, hosts: tuple[Host, ...]) -> bytes:
    """What the guest should get, as the hosts can give it, and no mode."""
    data = data.replace(b" mode='host-model'", b"")
    if syntax is KUBEVIRT:
        data = dropped(data, syntax, [row.id for row in ROWS if row.takes_all])
    for row in (*roles.RECOMMENDED, *roles.HARDWARE_APIC):
        guest = guest_in(data, syntax)
        if row.id not in guest.on and not any(lacks(host, one) for host in hosts for one in guest.with_needs(row)):
            changes = changes_of(guest, syntax)
            changes.turn_on([row])
            data = changed(data, changes)
    return data


def obeyed(
    data: bytes, syntax: Syntax, hosts: tuple[Host, ...], finding: Finding
) -> Iterator[tuple[bytes, tuple[Host, ...]]]:
    """The guest and the hosts after each alternative of a finding's advice."""
    sentence = finding.instead
    if sentence.startswith("write "):
        yield written(data, syntax, sentence), hosts
        return
    if leave_out := LEAVE_OUT.search(sentence):
        guest, names = guest_in(data, syntax), (leave_out[2] or "").split(", ")
        also = [row.id for row in ROWS if guest.name_of(row) in names]
        assert not leave_out[2] or len(also) == len(names), sentence
        yield dropped(data, syntax, [*also, about(data, syntax, finding)]), hosts
        sentence = sentence[: leave_out.start()].rstrip(" ,;")
    if sentence.startswith("name what the guest should get"):
        yield named(data, syntax, hosts), hosts
        sentence = sentence.partition(", or ")[2]
    if not sentence:
        return
    done = hosts
    for remedy in re.split(r" there$| and (?=boot|use|load)| on [\w., -]+?(?:, (?=boot|use|load)|$)", sentence):
        if remedy:
            (done,) = on_all(done, remedy)
    yield data, done


@functools.cache
def found_alone(data: bytes, syntax: Syntax, rules: tuple[Chosen, ...]) -> set[tuple[str, str]]:
    """What is found without hosts, for which test_instead.py is."""
    return {(one.rule, one.message) for one in judge(data, syntax, (), rules)}


def check(data: bytes, syntax: Syntax, hosts: tuple[Host, ...], rules: tuple[Chosen, ...]) -> set[str]:
    """Obey all that is found because of the hosts; returns the rules that found it."""
    alone = found_alone(data, syntax, rules)
    before = judge(data, syntax, hosts, rules)
    seen = set()
    for finding in before:
        if (finding.rule, finding.message) in alone:
            continue
        for number, (then, there) in enumerate(obeyed(data, syntax, hosts, finding)):
            which = f"{finding.rule}, {number}: {finding.message}: {finding.instead}"
            after = judge(then, syntax, there, rules)
            assert (finding.rule, finding.message) not in {(one.rule, one.message) for one in after}, which
            # Better hosts could give more than the guest has.
            allowed = WITHOUT if there is hosts else MORE
            new = [one for one in after if one.rule not in allowed]
            assert kinds(tuple(new)) <= kinds(before), (which, [one.message for one in after])
        seen.add(finding.rule)
    return seen


def command_line(row: Row) -> str:
    needed = list(dict.fromkeys((BY_ID["relaxed"], BY_ID["vapic"], row)))
    for one in needed:  # it grows
        needed += [BY_ID[other] for other in one.requires if BY_ID[other] not in needed]
    words = [f"{one.properties[0].name}={VALUES.get(one.kind, 'on')}" for one in needed]
    machine = "-accel kvm -machine pc-q35-7.2,hpet=off"
    return f"qemu-system-x86_64 {machine} -cpu host,{','.join(words)} -rtc base=localtime,driftfix=slew\n"


def texts() -> Iterator[tuple[str, bytes, Syntax]]:
    for row in ROWS:
        text = command_line(row)
        yield row.id, text.encode(), COMMAND_LINE
        domain = to_libvirt(read_command_line(text, "x")).text
        yield row.id, domain.encode(), DOMAIN
    for path in sorted(RULE_CASES.glob("*/fires.*")):
        # Of what is there twice only one is at the place of a finding.
        if path.parent.name not in NOT_HERE:
            yield (
                path.parent.name,
                path.read_bytes(),
                {".xml": DOMAIN, ".yaml": KUBEVIRT}.get(path.suffix, COMMAND_LINE),
            )


TEXTS = list(texts())


@pytest.mark.parametrize("pool", POOLS.values(), ids=POOLS)
def test_what_is_advised_of_hosts_is_clean_afterwards(pool: tuple[Host, ...]) -> None:
    for _, data, syntax in TEXTS:
        check(data, syntax, pool, EVERY)


def test_every_rule_that_needs_hosts_is_obeyed() -> None:
    found: set[str] = set()
    gives_way = {one.rule.id for one in GIVING_WAY}
    for of, data, syntax in TEXTS:
        for name in ("two", "able", "debian", "intel-not-nested", "no-tsc"):
            if of in gives_way:
                found |= check(data, syntax, POOLS[name], GIVING_WAY)
            found |= {one.rule for one in judge(data, syntax, POOLS[name])}
    assert {rule.id for rule in all_rules() if rule.needs} <= found
