"""hvctl-rules(7): the rules of lint, as roff with the man macros."""

from __future__ import annotations

from hvctl.lint.output.rules import parts
from hvctl.lint.rule import Group, Rule, all_rules
from hvctl.report.roff import section, see_also, text, title, verbatim

_DESCRIPTION = """\
hvctl lint asks each rule about each domain XML and QEMU command line that it is given. `hvctl explain RULE` prints the
page of one. A rule that needs to know the hosts is skipped where none is given.

An error is what keeps the guest from starting, or does not count as it is written; a warning is what is slow, cannot
migrate or endangers something; an information is what could be better. --select and --ignore take rules and the groups
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
A comment silences rules for the element behind it, and must say why. libvirt drops comments: what is to stay with the
domain stands in its metadata, and holds for all of it. In a shell script a comment holds for the whole file."""

_SUPPRESSED = """\
<!-- hvctl: ignore[reset-pointless] our installer asks for it -->
<reset state='on'/>

<metadata>
  <hvctl:guest xmlns:hvctl='urn:hvctl:domain:1.0'>
    <hvctl:ignore rule='reset-pointless' reason='our installer asks for it'/>
  </hvctl:guest>
</metadata>
"""


def rules_page() -> str:
    """The page."""
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
