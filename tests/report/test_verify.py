"""What is said of a verification: in 80 columns, without colour, and as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvctl.model.host import CpuidLeaf
from hvctl.model.profile import Value
from hvctl.model.verification import (
    Apic,
    Call,
    Counter,
    Direct,
    Evmcs,
    Flushed,
    Inner,
    Message,
    MsrRun,
    Nested,
    Observation,
    Sent,
    TscPage,
    Vcpu,
    Verdict,
    Verification,
    Vmcs,
    VmxControls,
    Written,
)
from hvctl.report.verify import Run, headline, verify_json, verify_text
from hvctl.verify.compare import verify
from tests.made_observation import made_observation
from tests.paths import schema
from tests.verify.test_compare import EVERYTHING, leaves_of

SCHEMA = schema("verify")
ARGV = ("/usr/bin/qemu-system-x86_64", "-accel", "kvm")
RUN = Run("windows-11", ARGV, "kvm", 1.25, ("qemu: warning: about something",))
ASKED = {"relaxed": None, "vapic": None, "spinlocks": 8191, "emsr-bitmap": None}


def result(*, got: Mapping[str, Value | None] | None = None, vcpus: int = 2) -> Verification:
    leaves = leaves_of(ASKED)
    seen = leaves if got is None else leaves_of(got)
    made = made_observation((*seen, CpuidLeaf(0x40000101, 0x1007AFB)), vcpus=vcpus)
    return verify(leaves, ASKED, made._replace(vmcs=None, nested=None))


AGREES = """\
windows-11: all 4 enlightenments asked for are there, and work where that could
  be tried
  /usr/bin/qemu-system-x86_64 with KVM, 2 vCPUs, 1.2 s
  CPUID: 12 leaves, bit for bit as predicted
  leaf 0x40000101 (01007afb 00000000 00000000 00000000) is KVM's own business,
      and not compared
  the hypercall page works

relaxed                 there      the guest sees it; there is nothing to try
vapic                   works      4 MSRs; TPR, ICR and EOI
spinlocks               works      1 hypercall
emsr-bitmap             unchecked  not checked here: the guest's CPU has neither
                                   vmx nor svm, so it can run no guest of its
                                   own
"""

DIFFERS = """\
windows-11: 2 of 4 enlightenments are not as asked for, and 1 came unasked
  /usr/bin/qemu-system-x86_64 with KVM, 2 vCPUs, 1.2 s
  CPUID: 0x40000003.EAX is 00000060, predicted 00000030: lacks
      HV_APIC_ACCESS_AVAILABLE; has also HV_VP_INDEX_AVAILABLE
  CPUID: 0x40000004.EAX is 00000020, predicted 00000028: lacks
      HV_APIC_ACCESS_RECOMMENDED
  CPUID: 0x40000004.EBX is ffffffff, predicted 00001fff
  leaf 0x40000101 (01007afb 00000000 00000000 00000000) is KVM's own business,
      and not compared
  the hypercall page works

relaxed                 there      the guest sees it; there is nothing to try
vapic                   missing    dropped without a word:
                                   HV_APIC_ACCESS_AVAILABLE
spinlocks               missing    hv-spinlocks is 0xffffffff, expected 0x1fff
vpindex                 extra      announced, though not asked for
emsr-bitmap             unchecked  not checked here: the guest's CPU has neither
                                   vmx nor svm, so it can run no guest of its
                                   own
"""


def test_what_agrees() -> None:
    assert verify_text(result(), RUN._replace(warnings=())) == AGREES


def test_what_differs() -> None:
    got = {"relaxed": None, "vpindex": None, "emsr-bitmap": None}
    assert verify_text(result(got=got), RUN._replace(warnings=())) == DIFFERS


LIMITED = """\
  evmcs leaves a hypervisor in the guest 2 of 4 VMX controls; missing are
      PIN_BASED_POSTED_INTR, SECONDARY_EXEC_SHADOW_VMCS
"""


def test_hidden_vmx_controls_are_listed() -> None:
    names = (
        "PIN_BASED_NMI_EXITING",
        "PIN_BASED_POSTED_INTR",
        "SECONDARY_EXEC_ENABLE_EPT",
        "SECONDARY_EXEC_SHADOW_VMCS",
    )
    limited = result()._replace(vmx=VmxControls("evmcs", names[::2], names))
    text = verify_text(limited, RUN)
    assert LIMITED in text
    assert text.replace(LIMITED, "") == verify_text(result(), RUN)
    document = json.loads(verify_json(limited, RUN))
    jsonschema.validate(document, SCHEMA)
    assert document["vmx_controls"] == {
        "limited_by": "evmcs",
        "lost": list(names[1::2]),
        "with": list(names[::2]),
        "without": list(names),
    }
    assert json.loads(verify_json(result(), RUN))["vmx_controls"] is None
    whole = verify_text(result()._replace(vmx=VmxControls("evmcs", names, names)), RUN)
    assert "evmcs leaves a hypervisor in the guest 4 of 4 VMX controls\n" in whole


def test_a_guest_without_hyperv_is_told_once() -> None:
    text = verify_text(verify(leaves_of(ASKED), ASKED, made_observation(())), RUN)
    assert text.startswith("windows-11: 4 of 4 enlightenments are not as asked for\n")
    assert text.count("the guest sees no Hyper-V interface") == 1
    assert "KVM's own" not in text
    assert re.search(r"^relaxed +missing +dropped without a word$", text, re.MULTILINE)


@pytest.mark.parametrize("width", [40, 80, 100])
def test_every_line_fits(width: int) -> None:
    leaves = leaves_of(EVERYTHING)
    for seen in (leaves, leaves_of({"relaxed": None}), ()):
        text = verify_text(verify(leaves, EVERYTHING, made_observation(seen)), RUN, width=width)
        longest = max(text.splitlines(), key=len)
        assert len(longest) <= max(width, 80), longest
        assert "\x1b" not in text


def test_colour_takes_no_room() -> None:
    coloured = verify_text(result(), RUN, color=True)
    assert "\x1b[32mworks\x1b[0m" in coloured
    assert re.sub(r"\x1b\[\d+m", "", coloured) == verify_text(result(), RUN)


def test_the_headline_is_the_answer() -> None:
    leaves = leaves_of(EVERYTHING)
    seen = made_observation(leaves)
    assert headline(verify(leaves, EVERYTHING, seen._replace(wanted=4))) == "only 2 of 4 vCPUs started"
    assert headline(verify(leaves_of({}), (), made_observation(leaves_of({})))).startswith("no enlightenment was asked")
    one = verify(leaves_of({"relaxed": None}), ["relaxed"], made_observation(()))
    assert headline(one) == "1 of 1 enlightenments is not as asked for"
    one = verify(leaves_of({"relaxed": None}), ["relaxed"], made_observation(leaves_of({"relaxed": None})))
    assert headline(one) == "the enlightenment asked for is there, and works"
    planted = (leaves[0], leaves[1]._replace(ebx=1), *leaves[2:])
    assert headline(verify(planted, EVERYTHING, seen)) == "CPUID is not as predicted"


def test_json_has_all_of_it() -> None:
    document = json.loads(verify_json(result(), RUN))
    assert list(document) == [
        "format_version",
        "agrees",
        "guest",
        "connect",
        "argv",
        "accelerator",
        "seconds",
        "vcpus",
        "hyperv",
        "leaves",
        "differences",
        "kvm_features",
        "hypercall_page",
        "enlightenments",
        "warnings",
        "vmx_controls",
    ]
    assert document["agrees"] is True
    assert document["argv"] == list(ARGV)
    assert document["connect"] is None
    assert document["kvm_features"]["eax"] == "0x01007afb"
    assert {"id": "spinlocks", "asked": True, "verdict": "works", "text": "1 hypercall"} in document["enlightenments"]
    assert {"id": "time", "asked": False, "verdict": "off", "text": ""} in document["enlightenments"]


def test_all_of_it_is_as_the_schema_says() -> None:
    schema = SCHEMA
    validator = jsonschema.Draft7Validator(schema)
    for found in (result(), result(got={"relaxed": None}), result(got={"spinlocks": 3}, vcpus=1), result(got={})):
        for run in (RUN, RUN._replace(argv=(), uri="qemu:///system")):
            document = json.loads(verify_json(found, run))
            validator.validate(document)
            # Nothing is in it that the schema does not tell of.
            assert set(document) == set(schema["properties"])
    verdicts = schema["definitions"]["enlightenment"]["properties"]["verdict"]["enum"]
    assert verdicts == [str(verdict) for verdict in Verdict]


def test_what_libvirt_ran() -> None:
    """Of which QEMU's arguments are not known."""
    ran = RUN._replace(argv=(), uri="qemu:///system")
    assert "  libvirt at qemu:///system with KVM, " in verify_text(result(), ran)
    document = json.loads(verify_json(result(), ran))
    assert (document["connect"], document["argv"]) == ("qemu:///system", [])


def test_json_of_a_difference() -> None:
    document = json.loads(verify_json(result(got={"relaxed": None}), RUN))
    assert document["agrees"] is False
    assert document["differences"][1] == {
        "leaf": "0x40000003",
        "register": "eax",
        "predicted": "0x00000030",
        "seen": "0x00000020",
        "vcpus": [0, 1],
        "lacks": ["HV_APIC_ACCESS_AVAILABLE"],
        "has_also": [],
    }


ANSWER = st.one_of(st.none(), st.integers(0, (1 << 64) - 1))
NUMBER = st.one_of(st.integers(0, 3), st.integers(0, (1 << 64) - 1))
SMALL = st.one_of(st.integers(0, 3), st.integers(0, (1 << 32) - 1))
LEAF = st.builds(CpuidLeaf, st.sampled_from([0x40000000, 0x40000001, 0x40000003]), SMALL, SMALL, SMALL, SMALL)
CODE = st.one_of(st.sampled_from([2, 3, 8, 0xB, 0x13, 0x14, 0x15, 0x5C, 0x5D, 0x3FFF]), SMALL)


@given(st.data())
def test_whatever_a_guest_says_can_be_told(data: st.DataObject) -> None:
    """The numbers of a report are the guest's: any of them may be anything."""
    leaves = leaves_of(EVERYTHING)
    seen = made_observation(data.draw(st.sampled_from([(), leaves])))
    vcpus = st.builds(Vcpu, SMALL, SMALL, ANSWER, st.one_of(st.just(seen.vcpus[0].leaves), st.lists(LEAF).map(tuple)))
    lies = Observation(
        data.draw(SMALL),
        data.draw(st.lists(vcpus, min_size=1, max_size=4).map(tuple)),
        data.draw(st.one_of(st.just(seen.msrs), st.lists(st.builds(MsrRun, SMALL, SMALL, ANSWER)).map(tuple))),
        data.draw(st.lists(st.builds(Written, SMALL, NUMBER, ANSWER)).map(tuple)),
        data.draw(ANSWER),
        data.draw(st.one_of(st.just(seen.calls), st.lists(st.builds(Call, CODE, ANSWER)).map(tuple))),
        data.draw(st.builds(Counter, NUMBER, NUMBER, NUMBER, NUMBER, NUMBER, NUMBER)),
        data.draw(st.builds(TscPage, SMALL, NUMBER, NUMBER, SMALL, NUMBER, NUMBER)),
        data.draw(st.tuples(ANSWER, ANSWER)),
        data.draw(st.builds(Apic, ANSWER, SMALL, SMALL, SMALL)),
        data.draw(st.lists(st.builds(Message, SMALL, ANSWER, NUMBER, SMALL, SMALL, NUMBER)).map(tuple)),
        data.draw(st.lists(st.builds(Direct, SMALL, ANSWER, NUMBER)).map(tuple)),
        data.draw(st.lists(st.builds(Sent, CODE, SMALL, ANSWER, SMALL, SMALL)).map(tuple)),
        data.draw(st.lists(st.builds(Flushed, CODE, SMALL, ANSWER, SMALL, SMALL, SMALL, SMALL)).map(tuple)),
        data.draw(st.one_of(st.none(), st.builds(Vmcs, ANSWER, ANSWER))),
        data.draw(st.one_of(st.none(), st.builds(Evmcs, ANSWER, ANSWER, ANSWER))),
        data.draw(st.one_of(st.none(), st.builds(Nested, ANSWER, ANSWER, ANSWER))),
        data.draw(st.one_of(st.none(), st.builds(Inner, ANSWER, NUMBER, ANSWER))),
        data.draw(st.one_of(st.none(), st.booleans())),
        data.draw(st.one_of(st.none(), st.lists(NUMBER, max_size=5).map(tuple))),
    )
    told = verify(leaves, EVERYTHING, lies)
    assert verify_text(told, RUN).isascii()
    assert json.loads(verify_json(told, RUN))["agrees"] == told.agrees
