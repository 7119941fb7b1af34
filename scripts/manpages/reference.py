"""hvctl-enlightenments(7) and hvctl-rules(7), from the catalog and the rules of lint."""

from __future__ import annotations

from collections.abc import Sequence

from hvctl.catalog import ROWS
from hvctl.catalog.subjects import SUBJECTS
from hvctl.lint.output.rules import parts
from hvctl.lint.rule import Group, Rule, all_rules
from hvctl.report.explain import Section, sections, subject_sections
from scripts.manpages.roff import section, see_also, text, title, verbatim

_DESCRIPTION = """\
hvctl lint asks each rule about each domain XML and QEMU command line that it is given. `hvctl explain RULE` prints the
page of one. A rule that needs to know the hosts is skipped where none is given.

An error is what keeps the guest from starting, or does not count as it is written; a warning is what is slow, cannot
migrate or endangers something; an info finding is what could be better. --select and --ignore take rules and the groups
file, start, migrate, slow and danger; the configuration, hvctl.toml or [tool.hvctl.lint] of pyproject.toml, has the
keys select, ignore, severity, hosts, profile, and paths."""

_CONFIGURATION = """\
ignore = ["reset-pointless"]
hosts = ["hosts/"]
profile = "windows-11"

[severity]
hpet-on = "error"

[paths."legacy/*.xml"]
ignore = ["slow"]
profile = "windows-7"
"""

_SUPPRESSION = """\
A comment suppresses rules for the element after it, and must give a reason. libvirt drops comments: a suppression that
must stay with the domain goes into its metadata, and applies to all of it. In a shell script a comment applies to the
whole file."""

_SUPPRESSED = """\
<!-- hvctl: ignore[reset-pointless] our installer asks for it -->
<reset state='on'/>

<metadata>
  <hvctl:guest xmlns:hvctl='urn:hvctl:domain:1.0'>
    <hvctl:ignore rule='reset-pointless' reason='our installer asks for it'/>
  </hvctl:guest>
</metadata>
"""


def enlightenments_page() -> str:
    """hvctl-enlightenments(7)."""
    lines = [
        title("HVCTL-ENLIGHTENMENTS", 7, "Hyper-V enlightenments of KVM"),
        *section("NAME"),
        "hvctl-enlightenments \\- the Hyper\\-V enlightenments of KVM, QEMU and libvirt",
        *section("DESCRIPTION"),
        text(
            "An enlightenment is a feature of Hyper-V that KVM emulates, so that Windows treats the virtual "
            "machine as one of "
            "Hyper-V's and leaves out what is slow there. QEMU turns each on by a CPU property, libvirt by an "
            "element of the domain."
        ),
        ".PP",
        text(
            "A KVM whose kernel lacks CONFIG_KVM_HYPERV, and QEMU's TCG, accept most of these flags and ignore them. "
            "`hvctl check-host` shows what a host really supports."
        ),
        *section("ENLIGHTENMENTS"),
    ]
    for row in ROWS:
        lines += _page(row.id, row.title, sections(row))
    lines += section("SUBJECTS")
    for subject in SUBJECTS:
        lines += _page(subject.id, subject.title, subject_sections(subject))
    return "\n".join([*lines, *see_also("hvctl(1)", "hvctl-profile(5)", "qemu(1)"), ""])


def _page(name: str, about: str, parts_of_it: Sequence[Section]) -> list[str]:
    lines = [f".SS {text(name)} \\- {text(about)}"]
    for heading, paragraphs in parts_of_it:
        lines += [".TP", f".B {text(heading)}"]
        for number, paragraph in enumerate(paragraphs):
            lines += ([".br"] if number else []) + [text(paragraph)]
    return lines


def rules_page() -> str:
    """hvctl-rules(7)."""
    lines = [
        title("HVCTL-RULES", 7, "Rules of hvctl lint"),
        *section("NAME"),
        "hvctl-rules \\- what hvctl lint finds in domain XML and QEMU command lines",
        *section("DESCRIPTION"),
        *_paragraphs(_DESCRIPTION),
        *section("CONFIGURATION"),
        *_kept(_CONFIGURATION),
        *section("SUPPRESSION"),
        text(_SUPPRESSION),
        ".PP",
        *_kept(_SUPPRESSED),
    ]
    group: Group | None = None
    for rule in all_rules():
        if rule.group is not group:
            group = rule.group
            lines += section(text(group.upper()))
        lines += _rule(rule)
    return "\n".join([*lines, *see_also("hvctl(1)", "hvctl-enlightenments(7)"), ""])


def _rule(rule: Rule) -> list[str]:
    lines = [f".SS {text(rule.id)} ({rule.severity.value})", text(f"{rule.summary}.")]
    for heading, body in rule.sections.items():
        lines += [".TP", f".B {text(heading)}"]
        for number, (kind, part) in enumerate(parts(body)):
            if kind == "code":
                lines += _kept(part)
            else:
                lines += ([".br"] if number else []) + [text(part.removeprefix("- "))]
    return lines


def _paragraphs(said: str) -> list[str]:
    lines = [line for part in said.split("\n\n") for line in (".PP", text(part))]
    return lines[1:]


def _kept(block: str) -> list[str]:
    # An empty line is a break of its own in roff.
    return [".nf", *(verbatim(line) if line else ".sp" for line in block.rstrip("\n").split("\n")), ".fi"]
