"""The platforms that `hvctl gen --for` writes for, beside QEMU and libvirt: a module each, with a function `write`."""

import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple, get_args

from hvctl.cli.editing import Target
from hvctl.cli.inputs.plans import Wanted
from hvctl.cli.options import Format
from hvctl.errors import UsageError
from hvctl.guest.kubevirt.manifest import Select

OPTIONS: dict[str, tuple[str, ...]] = {
    "incus": (),
    "kubevirt": ("kind", "crd", "timezone", "select", "into"),
    "proxmox": ("ostype", "bios", "vmid", "how"),
    "nova": ("select",),
    "packer": (),
    "vagrant": (),
}
"""The platforms, each with the options that `gen` has for it."""

SELECTS: dict[str, tuple[str, ...]] = {"kubevirt": get_args(Select), "nova": ("none", "traits")}
"""What --select may be for a platform."""


class Request(NamedTuple):
    """What is asked of a platform's writer. `own` are all platforms' options, `target` the file that is to be edited,
    None where one is to be written."""

    profile: str | None
    wanted: Wanted
    own: Mapping[str, Any]
    explain: bool
    output_format: Format
    output: str | None
    target: Target | None


def check(platform: str | None, own: Mapping[str, Any]) -> None:
    """Raise UsageError for options of other platforms."""
    for name, value in own.items():
        takers = [one for one, options in OPTIONS.items() if name in options]
        if value is not None and platform not in takers:
            raise UsageError(f"--{name.replace('_', '-')}: only with --for {' or '.join(takers)}")
    if platform is not None and own["select"] is not None and own["select"] not in SELECTS[platform]:
        raise UsageError(
            f"--select {own['select']}: not with --for {platform}", f"one of {', '.join(SELECTS[platform])}"
        )


def upstream(platform: str | None, machine: str | None) -> str | None:
    """A machine type as QEMU has it: Proxmox VE numbers changes of its own, as in `pc-q35-9.2+pve1`."""
    if platform != "proxmox" or machine is None:
        return machine
    return re.sub(r"\+pve\d{1,4}$", "", machine)


def write(platform: str, request: Request) -> int:
    """Write what a platform takes; the exit code.

    Raises:
        UsageError: options that do not go together, or values that the platform cannot have.
        InputError: the profile, a host file or a file of the platform's is wrong.
        RefusedError: a host, or the platform, cannot give what the profile demands.
    """
    return int(import_module(f"{__name__}.{platform}").write(request))
