"""What every part of a domain's edit needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hvctl.model.plan import Outcome
from hvctl.xml.edit import Editor

if TYPE_CHECKING:
    from hvctl.model.plan import Plan
    from hvctl.xml.source import Document, Element


class Options(NamedTuple):
    """How to edit.

    `keep_others`: enlightenments that the profile does not mention stay as they are. `commandline`: what libvirt has
    no element for goes into `<qemu:commandline>`. `metadata`: the plan's identity goes into `<metadata>`. `force`: edit
    a domain that is not of type kvm. `keep_model`: the CPU model is libvirt's to choose when the guest starts, and
    stays so.
    """

    keep_others: bool = False
    commandline: bool = False
    metadata: bool = False
    force: bool = False
    keep_model: bool = False


class Edit:
    """One edit of a domain: the editor, the plan, and which of its rows are on."""

    def __init__(self, document: Document, domain: Element, plan: Plan, options: Options) -> None:
        self.domain = domain
        self.plan = plan
        self.options = options
        self.editor = Editor(document)
        on = Outcome.ON  # looked up once: an enumeration takes its time to find it
        self.enabled = {one.id: one for one in plan.decisions if one.state is on}

    def goes(self, row_id: str) -> bool:
        """Whether what the file has of a row that is not on is taken away: `off`, and `prefer` that cannot be had."""
        if row_id in self.enabled:
            return False
        return not self.options.keep_others or any(one.id == row_id and one.asked for one in self.plan.decisions)
