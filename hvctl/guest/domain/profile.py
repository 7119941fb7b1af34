"""A profile for a domain that is there: what the profile leaves open, the domain decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hvctl.model.guest import Guest
    from hvctl.model.profile import Profile


def keeps_model(profile: Profile, guest: Guest) -> bool:
    """Whether the domain's CPU model stays though it is not known: libvirt chooses it when the guest starts."""
    return guest.cpu is None and all(path != "cpu.model" for path, _ in profile.spans)


def for_domain(profile: Profile, guest: Guest) -> Profile:
    """The profile with the domain's machine type, and with its CPU as far as the profile does not say one.

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
    return profile._replace(
        cpu=cpu,
        machine=guest.machine or profile.machine,
        tsc_frequency=profile.tsc_frequency or guest.tsc_frequency,
    )
