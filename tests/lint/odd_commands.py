"""QEMU command lines with what rules look for: quoted or not, with options that are missing, repeated or a shell's."""

from __future__ import annotations

from hypothesis import strategies as st

from hvctl.catalog import ROWS

NAMES = [known.name for row in ROWS for known in row.properties if not row.experimental]
VALUES = ["", "=on", "=on", "=off", "=auto", "=0x1fff", "=abc", "=maybe", "=$VALUE"]
OPTIONS = [
    *("-M q35", "-M pc-q35-7.2", "-machine pc,hpet=on", "-machine hpet=off,type=q35", "-M pc-q35-3.0", "-machine $M"),
    *("-rtc base=utc", "-rtc base=localtime,driftfix=slew", "-rtc driftfix=none", "-rtc ''", "-rtc clock=host"),
    *("-global kvm-pit.lost_tick_policy=slew", "-global cpu.hv-reset=on", "-global x86_64-cpu.hv-synic=off"),
    *("-global driver=cpu,property=hv-crash,value=on", "-global $X", "-name win11", "-name linux", "-accel kvm"),
    *("-accel tcg", "-enable-kvm", "-no-hpet", "$MORE", "-m 4G", "-drive file=a,,b.qcow2", "-accel $ACCEL"),
    *("-machine q35,hpet=$HPET", "-rtc base=$BASE,driftfix=none", "-global x86_64-cpu.hv-reset=$X", "-cpu help"),
    *("-global x86_64-cpu.x-hv-synic-kvm-only=on", "-global kvm-pit.lost_tick_policy=$POLICY"),
]


def _quoted(draw: st.DrawFn, word: str) -> str:
    mark = draw(st.sampled_from(["", "", "'", '"']))
    return f"{mark}{word}{mark}"


@st.composite
def odd_commands(draw: st.DrawFn) -> bytes:
    """A shell script with one command, or a process's arguments."""
    parts = [draw(st.sampled_from(["host", "max", "EPYC", "$CPU"]))]
    for name in draw(st.lists(st.sampled_from([*NAMES, "hypervisor", "invtsc", "svm", "tsc-freq"]), max_size=8)):
        spelt = draw(st.sampled_from([name, name.replace("-", "_")]))
        signed = draw(st.sampled_from(["", "", "", "+", "-"]))
        parts.append(f"{signed}{name}" if signed else spelt + draw(st.sampled_from(VALUES)))
    cpu = [] if draw(st.integers(0, 9)) == 0 else ["-cpu", _quoted(draw, ",".join(parts))]
    words = []
    for option in draw(st.lists(st.sampled_from(OPTIONS), max_size=6)):
        name, _, value = option.partition(" ")
        words.append([name, _quoted(draw, value)] if value and value != "''" else [name, value] if value else [name])
    words.insert(draw(st.integers(0, len(words))), cpu)
    program = draw(st.sampled_from(["kvm", "/usr/bin/qemu-system-x86_64"]))
    flat = [program, *(word for group in words for word in group)]
    if draw(st.integers(0, 4)) == 0:
        return "".join(f"{word}\0" for word in flat).encode()
    before, behind = draw(
        st.sampled_from([("", ""), ("", ";"), ("if ", "; then echo; fi"), ("", "& wait"), ("sudo ", "")])
    )
    between = draw(st.sampled_from([" ", " \\\n  ", " \\\r\n  "]))
    return (before + between.join(flat) + behind + "\n").encode()
