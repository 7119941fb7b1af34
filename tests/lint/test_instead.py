"""Whoever does what a finding says to do instead gets a file without it, and without a new finding.

What is written as XML is put into the file by what the sentence says; of the other sentences each alternative is done
by hand here. A sentence that is neither, of a new rule, fails.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree

from hvctl.guest.syntax import COMMAND_LINE, DOMAIN, Syntax
from hvctl.lint.engine import Job, choose, lint
from hvctl.lint.rule import all_rules
from hvctl.model.finding import Finding
from tests.paths import RULE_CASES

Change = Callable[[etree._Element, etree._Element], object]
JOB = Job(choose(all_rules()))
# `<relaxed state='on'/> in <hyperv>`, several with commas.
ELEMENTS = re.compile(r"(<[^<>]+/>) in <(\w+)>")
ATTRIBUTE = re.compile(r"write (\w+)='([^']*)'")
PARENTS = {
    "hyperv": "features/hyperv",
    "clock": "clock",
    "stimer": "features/hyperv/stimer",
    "tlbflush": "features/hyperv/tlbflush",
}
FREQUENCY = "<timer name='tsc' frequency='2500000000'/>"


def judge(data: bytes, syntax: Syntax = DOMAIN) -> tuple[Finding, ...]:
    return lint(data, "guest", syntax, JOB).findings


def below(root: etree._Element, path: str) -> etree._Element:
    """The element of a path, made where it is missing."""
    element = root
    for name in path.split("/"):
        found = element.find(name)
        element = etree.SubElement(element, name) if found is None else found
    return element


def put(root: etree._Element, text: str, path: str) -> None:
    """Write an element into another one, over one of its name; of timers, `<arg>`s and features, over its like."""
    new = etree.fromstring(text)
    parent = below(root, path)
    for old in parent.findall(new.tag):
        if old.get("name") == new.get("name"):
            old.attrib.update(new.attrib)
            return
    parent.append(new)


def write_elements(sentence: str) -> Change:
    def change(root: etree._Element, _: etree._Element) -> None:
        for text, parent in ELEMENTS.findall(sentence):
            put(root, text, PARENTS[parent])

    return change


def write_attribute(name: str, value: str) -> Change:
    def change(_: etree._Element, element: etree._Element) -> None:
        element.set(name, value)

    return change


def remove(path: str = "") -> Change:
    def change(root: etree._Element, element: etree._Element) -> None:
        for found in root.findall(path) if path else [element]:
            parent = found.getparent()
            assert parent is not None
            parent.remove(found)

    return change


def write(text: str, path: str) -> Change:
    return lambda root, _: put(root, text, path)


def text_of(path: str, text: str) -> Change:
    def change(root: etree._Element, _: etree._Element) -> None:
        below(root, path).text = text

    return change


def in_order(*changes: Change) -> Change:
    def change(root: etree._Element, element: etree._Element) -> None:
        for one in changes:
            one(root, element)

    return change


def attribute_gone(name: str) -> Change:
    def change(_: etree._Element, element: etree._Element) -> None:
        del element.attrib[name]

    return change


def argument_gone(root: etree._Element, _: etree._Element) -> None:
    """The whole `<qemu:commandline>`: the cases have one argument each."""
    for found in root.findall("{*}commandline"):
        root.remove(found)


HYPERV = in_order(remove("features/hyperv"), remove("clock/timer[@name='hypervclock']"))
NAMED = in_order(
    HYPERV,
    *(write(f"<{name} state='on'/>", "features/hyperv") for name in ("relaxed", "vapic", "vpindex", "synic", "stimer")),
    write("<timer name='hypervclock' present='yes'/>", "clock"),
)
LEFT_OUT = {
    "leave it out",
    "leave it out unless something reads the event",
    "leave it out where each vCPU has a CPU of its own",
    "leave it out: the default is Microsoft Hv",
}
# By hand: each alternative of a sentence.
BY_HAND: dict[str, tuple[Change, ...]] = {
    "write <clock offset='localtime'>": (lambda root, _: below(root, "clock").set("offset", "localtime"),),
    "pin each vCPU, with a topology to match, or leave it out": (
        in_order(
            text_of("vcpu", "2"),
            write("<topology sockets='1' cores='2' threads='1'/>", "cpu"),
            lambda root, _: [
                etree.SubElement(below(root, "cputune"), "vcpupin", vcpu=str(cpu), cpuset=str(cpu)) for cpu in range(2)
            ],
        ),
        argument_gone,
    ),
    "write a model from Nehalem or EPYC on, or host": (
        text_of("cpu/model", "Nehalem"),
        text_of("cpu/model", "EPYC"),
        in_order(remove("cpu"), write("<cpu mode='host-passthrough' migratable='on'/>", ".")),
    ),
    "leave all of them out, or give it BIOS firmware or one vCPU": (HYPERV, remove("os/loader"), text_of("vcpu", "1")),
    "name what the guest should get": (NAMED,),
    "leave it on, or leave the enlightenments out": (remove("cpu/feature"), HYPERV),
    "write the frequency of the hosts' TSC in Hz, or leave the feature out": (
        write(FREQUENCY, "clock"),
        remove("cpu/feature"),
    ),
    "write one socket with all cores": (write("<topology sockets='1' cores='4' threads='1'/>", "cpu"),),
    "leave migratable on, or turn invtsc off": (
        write_attribute("migratable", "on"),
        write("<feature policy='disable' name='invtsc'/>", "cpu"),
    ),
    "use KVM, or leave the enlightenments out": (lambda root, _: root.set("type", "kvm"), HYPERV),
    "remove them, or the mode": (
        remove("features/hyperv/*"),
        lambda root, _: below(root, "features/hyperv").attrib.pop("mode"),
    ),
    "leave it out, or write the frequency that all hosts have or can scale to, in Hz": (
        remove("features/hyperv/reenlightenment"),
        write(FREQUENCY, "clock"),
    ),
    "write it once": (remove(),),
    "write a number from 4095 to 2147483647": (
        write_attribute("retries", "4095"),
        write_attribute("retries", "2147483647"),
    ),
    "write retries='8191', or leave it out": (write_attribute("retries", "8191"), remove()),
    "leave present out": (attribute_gone("present"),),
    "take it away": (argument_gone,),
    "write one with a version that all hosts have, such as pc-q35-7.2": (write_attribute("machine", "pc-q35-7.2"),),
    "write at most 12 bytes without a comma, or leave it out": (write_attribute("value", "KVMKVMKVM"), remove()),
}
# Of these what is written stands instead of the element itself.
REPLACED = ("hv-cpu-feature", "unknown-enlightenment")
# Of comments: lxml has no place for them. And what only gen can write, which a test of its own lints.
NOT_HERE = {
    "remove it",
    "write the reason after the ]",
    "let `hvctl gen PROFILE` write those that your hosts can give",
    "",
}


def changes_for(sentence: str) -> tuple[Change, ...]:
    if sentence in BY_HAND:
        return BY_HAND[sentence]
    if sentence in LEFT_OUT:
        return (remove(),)
    if ELEMENTS.search(sentence):
        alternative = re.search(r"; or remove <(\w+)>$", sentence)
        return (write_elements(sentence), *([remove()] if alternative else []))
    match = ATTRIBUTE.fullmatch(sentence)
    assert match, f"what does {sentence!r} mean?"
    return (write_attribute(*match.groups()),)


def key(finding: Finding) -> tuple[str, str]:
    return finding.rule, finding.severity


def kinds(findings: tuple[Finding, ...]) -> set[str]:
    return {finding.rule for finding in findings}


CASES = sorted(RULE_CASES.glob("*/fires.xml")) + sorted(RULE_CASES.glob("*/fixed.xml"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_is_advised_is_clean_afterwards(path: Path) -> None:
    data = path.read_bytes()
    before = judge(data)
    for finding in before:
        if finding.instead in NOT_HERE:
            continue
        for number, change in enumerate(changes_for(finding.instead)):
            root = etree.fromstring(data)
            element = next(one for one in root.iter("{*}*") if str(one.sourceline) == str(finding.span.line))
            change(root, element)
            if finding.rule in REPLACED:
                remove()(root, element)
            after = judge(etree.tostring(root))
            check(finding, before, after, f"{finding.rule}, {number}: {finding.instead}")


def check(finding: Finding, before: tuple[Finding, ...], after: tuple[Finding, ...], which: str) -> None:
    # A guest that hides itself on purpose keeps an info.
    was, left = ([one for one in some if key(one) == key(finding)] for some in (before, after))
    assert len(left) < len(was), which
    assert kinds(after) <= kinds(before), (which, [one.message for one in after])


BASIC = "hv_relaxed,hv_vapic,hv_vpindex,hv_time,hv_synic,hv_stimer"
# Of command lines: what each alternative replaces, by what.
COMMANDS = {
    "write on where the vCPUs are pinned, else leave it out": ((",hv_no_nonarch_coresharing=auto", ""),),
    "leave it out": ((",hv_enforce_cpuid=on", ""),),
    "name what the guest should get, without hv-passthrough": (("hv-passthrough,-hv-evmcs", BASIC),),
    "name what the guest should get": (("hv-passthrough,-hv-evmcs", BASIC),),
    "write kernel-irqchip=on, or leave them out": (
        ("kernel-irqchip=off", "kernel-irqchip=on"),
        (",hv_vpindex,hv_time,hv_synic,hv_stimer", ""),
    ),
    "use machine type 5.2 or later, or leave KVM visible": (("q35-5.1", "q35-5.2"), (",kvm=off", "")),
    "write one -cpu with all that the guest should get": ((" \\\n  -cpu host,kvm=off", ",kvm=off"),),
    "write one with a version that all hosts have, such as pc-i440fx-7.2": ((" -cpu", " -machine pc-i440fx-7.2 -cpu"),),
    "write kernel-irqchip=on, unless interrupt remapping by an emulated IOMMU needs it": (("=split", "=on"),),
}


def replacements(sentence: str, text: str) -> tuple[tuple[str, str], ...]:
    if sentence in COMMANDS:
        return COMMANDS[sentence]
    if option := re.fullmatch(r"write (-\w+ \S+)", sentence):
        return ((" -cpu", f" {option[1]} -cpu"),)
    names = re.findall(r"(hv-[^ ,]+) in -cpu", sentence)
    assert names, f"what does {sentence!r} mean?"
    (value,) = re.findall(r"-cpu \S+", text)
    return ((value, ",".join((value, *names))),)


@pytest.mark.parametrize("path", sorted(RULE_CASES.glob("*/fires.sh")), ids=lambda path: path.parent.name)
def test_what_is_advised_of_a_command_line_is_clean_afterwards(path: Path) -> None:
    text = path.read_text()
    before = judge(text.encode(), COMMAND_LINE)
    for finding in before:
        for old, new in replacements(finding.instead, text):
            assert old in text, finding.instead
            after = judge(text.replace(old, new, 1).encode(), COMMAND_LINE)
            check(finding, before, after, f"{finding.rule}: {finding.instead}")
