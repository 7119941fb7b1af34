"""A plan put into a domain XML that is there: only what the plan decides is touched.

Where the file already says what the plan says, nothing changes, so that a second run changes nothing either.
"""

from hvctl.catalog import BY_ID, ORDER, roles
from hvctl.catalog.cpu_models import HYPERVISOR
from hvctl.catalog.windows import GPU, System, system_of
from hvctl.errors import InputError, Problem
from hvctl.guest.domain import NAMESPACE
from hvctl.guest.domain.changes import child_of, last_before, only
from hvctl.guest.domain.commandline import NAMESPACE as QEMU_NAMESPACE
from hvctl.guest.domain.edit_cpu import edit_cpu, edit_hidden
from hvctl.guest.domain.edit_hyperv import Edit, edit_hyperv
from hvctl.guest.domain.reader import find_domain
from hvctl.guest.domain.writer import metadata_node, qemu_arguments
from hvctl.model.guest import Guest
from hvctl.model.plan import Decision, EditOptions, Plan
from hvctl.model.profile import Ask, Profile, Wish
from hvctl.xml import Node
from hvctl.xml.document import Document, Element

# Not <devices>: libvirt takes ./devices/disk and the like of all of them (libvirt:src/conf/domain_conf.c,
# virDomainDefParseXML()), and OpenNebula and CloudStack write several.
_ONCE = frozenset(("features", "cpu", "clock", "metadata", "hyperv", "kvm"))
# What stands beside another offset and means nothing beside the plan's (libvirt:docs/formatdomain.rst, "Time keeping").
_OTHER_OFFSETS = ("adjustment", "basis", "timezone", "start")


def edit_domain(document: Document, plan: Plan, options: EditOptions = EditOptions()) -> bytes:  # noqa: B008 - immutable
    """The file with a plan put in.

    Args:
        document: a parsed domain XML.
        plan: resolved for libvirt, without refusals.
        options: how.

    Raises:
        InputError: it is not one domain, is not of type kvm, or has twice what may be there once.
    """
    domain = find_domain(document)
    check_editable(domain, force=options.force)
    return _Edit(document, domain, plan, options).result()


def check_editable(domain: Element, *, force: bool) -> None:
    """Raise InputError for a domain that cannot be edited, with everything that is in the way."""
    problems = []
    if domain.get("type") != "kvm" and not force:
        kind = f"type {domain.get('type')}" if domain.get("type") else "no type"
        problems.append(
            Problem(
                f"the domain is of {kind}, not kvm: enlightenments do nothing there",
                domain.attribute_span("type"),
                "write type='kvm', or use --force to edit it all the same",
            )
        )
    for parent in (domain, *[child for child in domain.below if child.tag == "features"]):
        if len({child.tag for child in parent.below}) == len(parent.below):
            continue
        first: dict[str, Element] = {}
        for child in parent.below:
            if child.tag in _ONCE and first.setdefault(child.tag, child) is not child:
                before = (("the first is here", first[child.tag].span),)
                problems.append(
                    Problem(f"a second <{child.tag}> begins here", child.span, "leave one of them out", before)
                )
    if problems:
        raise InputError(problems)


def check_visible(guest: Guest, plan: Plan, *, force: bool) -> None:
    """Raise InputError for a domain whose CPU hides the hypervisor, and a plan with enlightenments: the guest would not
    look for them, and who hides it on purpose (quickemu, guides to anti-cheat programs) wants none to be seen."""
    hidden = dict(plan.cpu.features).get(HYPERVISOR) is False and guest.without_hypervisor_bit
    if force or not hidden or not any(BY_ID[one.id].enables_hyperv for one in plan.enabled()):
        return
    where = guest.switches[HYPERVISOR].where
    problem = Problem(
        f"the CPU has no {HYPERVISOR} bit: the guest does not look for the enlightenments of profile {plan.profile}",
        guest.span(where, "name"),
        f"remove <feature policy='disable' name='{HYPERVISOR}'/> first, leave the domain as it is where this is meant, "
        "or use --force to edit it all the same",
    )
    raise InputError([problem])


class _Edit(Edit):
    def result(self) -> bytes:
        if self.options.metadata:
            self.metadata()
        edit_hyperv(self)
        edit_hidden(self.editor, self.domain, self.plan)
        edit_cpu(self.editor, self.domain, self.plan, keep_model=self.options.keep_model)
        self.clock()
        self.panic()
        if self.options.commandline:
            self.commandline()
        return self.editor.result()

    def clock(self) -> None:
        clock = only(self.domain, "clock")
        timers = self.timers()
        if clock is None:
            nodes = tuple(
                Node("timer", (("name", name), *attributes)) for name, attributes in timers.items() if attributes
            )
            node = Node("clock", (("offset", self.plan.clock.offset),), nodes)
            self.editor.insert(self.domain, node, last_before(self.domain, "clock"))
            return
        if clock.get("offset") != self.plan.clock.offset:
            self.editor.set(clock, "offset", self.plan.clock.offset)
            for name in _OTHER_OFFSETS:
                self.editor.drop(clock, name)
        last = clock.below[-1] if clock.below else None
        there: dict[str | None, list[Element]] = {}
        for timer in clock.named("timer"):
            there.setdefault(timer.get("name"), []).append(timer)
        for name, attributes in timers.items():
            found = there.get(name, [])
            for timer in found:
                if not attributes:
                    self.editor.remove(timer)
                for attribute, value in attributes:
                    if timer.get(attribute) != value:
                        self.editor.set(timer, attribute, value)
            if not found and attributes:
                self.editor.insert(clock, Node("timer", (("name", name), *attributes)), last)

    def timers(self) -> dict[str, tuple[tuple[str, str], ...]]:
        """What the timers must say by their names; nothing for one that must not be there."""
        clock = self.plan.clock
        found: dict[str, tuple[tuple[str, str], ...]] = {
            "rtc": (("tickpolicy", clock.rtc),),
            "pit": (("tickpolicy", clock.pit),),
            "hpet": (("present", "yes" if clock.hpet else "no"),),
        }
        for name, row in roles.CLOCK_TIMERS.items():
            if row.id in self.enabled:
                found[name] = (("present", "yes"),)
            elif self.goes(row.id):
                found[name] = ()
        if self.plan.cpu.tsc_frequency is not None:
            found["tsc"] = (("frequency", str(self.plan.cpu.tsc_frequency)),)
        return found

    def panic(self) -> None:
        devices = only(self.domain, "devices")
        panics = [one for element in self.domain.named("devices") for one in element.named("panic")]
        for model, row in roles.PANIC_DEVICES.items():
            found = [one for one in panics if one.get("model") == model]
            if row.id in self.enabled and not found:
                node = Node("panic", (("model", model),))
                child_of(self.editor, self.domain, devices, "devices", node)
            elif found and self.goes(row.id):
                for element in found:
                    self.editor.remove(element)

    def metadata(self) -> None:
        metadata = only(self.domain, "metadata")
        node = metadata_node(self.plan)
        ours = [child for child in metadata.children if child.namespace == NAMESPACE] if metadata else []
        if not ours:
            child_of(self.editor, self.domain, metadata, "metadata", node)
            return
        plan = [child for child in ours[0].children if child.local == "plan"]
        (inner,) = node.children
        prefix = ours[0].tag.rpartition(":")[0]
        inner = _prefixed(inner, prefix)
        if plan and not _same(plan[0], inner):
            self.editor.replace(plan[0], inner)
        elif not plan:
            self.editor.insert(ours[0], inner, ours[0].children[-1] if ours[0].children else None)

    def commandline(self) -> None:
        """`-global` for each row that libvirt has no element for, behind what the user has there."""
        words = qemu_arguments([one for one in self.enabled.values() if BY_ID[one.id].libvirt is None])
        element = next((child for child in self.domain.children if child.namespace == QEMU_NAMESPACE), None)
        has = [child.get("value") for child in element.children] if element else []
        missing = [word for word in words if word not in has]
        if not missing:
            return
        prefix = element.tag.rpartition(":")[0] if element else "qemu"
        arguments = tuple(Node(f"{prefix}:arg", (("value", value),)) for word in missing for value in ("-global", word))
        if element:
            for node in arguments:
                self.editor.insert(element, node, element.children[-1] if element.children else None)
            return
        root = (("xmlns:qemu", QEMU_NAMESPACE),)
        node = Node(f"{prefix}:commandline", root, arguments)
        self.editor.insert(self.domain, node, self.domain.children[-1] if self.domain.children else None)


def _prefixed(node: Node, prefix: str) -> Node:
    """A node of hvctl's with the prefix that the file has for its namespace."""
    tag = node.tag.rpartition(":")[2]
    return node._replace(
        tag=f"{prefix}:{tag}" if prefix else tag, children=tuple(_prefixed(child, prefix) for child in node.children)
    )


def _same(element: Element, node: Node) -> bool:
    """Whether an element says what a node says."""
    return (
        element.tag == node.tag
        and tuple((one.name, one.value) for one in element.attributes()) == node.attributes
        and len(element.children) == len(node.children)
        and all(_same(child, other) for child, other in zip(element.children, node.children, strict=True))
    )


def decisions_without_element(plan: Plan) -> list[Decision]:
    """What a plan has on and libvirt no element for."""
    return [decision for decision in plan.enabled() if BY_ID[decision.id].libvirt is None]


def keeps_model(profile: Profile, guest: Guest) -> bool:
    """Whether the domain's CPU model stays though it is not known: libvirt chooses it when the guest starts."""
    return guest.cpu is None and all(path != "cpu.model" for path, _ in profile.spans)


def for_domain(profile: Profile, guest: Guest) -> Profile:
    """The profile with the domain's machine type and release, and with its CPU as far as the profile does not say one.

    Beside an assigned device that may be a graphics card, or where one is to come, the hypervisor's name stays, too,
    unless the profile turns it `on` or `off`: drivers of some refuse to start without it.

    Args:
        profile: its `spans` tell what is written in it and what is a default.
        guest: the domain as it is. Where its CPU model is not known (host-model), the plan is made for the profile's;
            see `keeps_model`.
    """
    written = {path for path, _ in profile.spans}
    cpu = profile.cpu
    if "cpu.model" not in written and guest.cpu is not None:
        cpu = cpu._replace(model=guest.cpu)
    if "cpu.hidden" not in written:
        cpu = cpu._replace(hidden=guest.hidden)
    cpu = cpu._replace(features=tuple({**dict(guest.features), **dict(cpu.features)}.items()))
    system = release_of(profile, guest)
    wishes = _asked_of(profile, system)
    return profile._replace(
        os=system.id,
        harmed=guest.replace(release=guest.release or system).harmed,
        cpu=cpu,
        machine=guest.machine or profile.machine,
        tsc_frequency=profile.tsc_frequency or guest.tsc_frequency,
        wishes=_with_names(wishes, guest) if guest.may_have_gpu or GPU in profile.uses else wishes,
    )


def release_of(profile: Profile, guest: Guest) -> System:
    """The system that a plan for a domain is made for: libosinfo's id in it is surer than the profile; its name, which
    is a guess, decides only where enlightenments would hang what it names."""
    system = system_of(profile.os)
    known = guest.release if guest.system or guest.harmed else None
    if known is None or (not system.libosinfo and known.id == system.profile):
        return system  # libosinfo has one id for several
    return known


def of_another_release(profile: Profile, guest: Guest) -> str:
    """What to know where a profile for one Windows is put into a domain of another, as a sentence; empty where not."""
    system, used = system_of(profile.os), release_of(profile, guest)
    right = used.profile or used.id
    if system.build is None or right in (profile.os, system.profile):
        return ""
    by = f"by its libosinfo id {guest.system}" if guest.system else "by its name"
    return (
        f"the domain is {used.title} {by}, and profile {profile.name} is for {system.title}: what {used.title} does "
        f"not use is left out; profile {right} is for it, and where it is not {used.title}, write its libosinfo id"
    )


def _asked_of(profile: Profile, system: System) -> tuple[Wish, ...]:
    """The wishes; what is demanded for another Windows is preferred where this one is not known to use it."""
    if system_of(profile.os).build is None or system.id == profile.os:
        return profile.wishes
    build = system.build or 0
    return tuple(
        wish._replace(ask=Ask.PREFER) if wish.ask is Ask.ON and BY_ID[wish.id].windows_build > build else wish
        for wish in profile.wishes
    )


def _with_names(wishes: tuple[Wish, ...], guest: Guest) -> tuple[Wish, ...]:
    """Wishes with the texts that a guest has; not where all is to be the host's, which has its own."""
    found = {wish.id: wish for wish in wishes}
    if any(row.id in found and found[row.id].ask is not Ask.OFF for row in roles.EVERYTHING):
        return wishes
    for row in roles.NAMES:
        if row.id in guest.on and (row.id not in found or found[row.id].ask is Ask.PREFER):
            found[row.id] = Wish(row.id, Ask.PREFER, guest.on[row.id].value)
    return tuple(sorted(found.values(), key=lambda wish: ORDER[wish.id]))
