"""A -cpu in `args:` throws away what Proxmox VE adds.

## What it does
Finds `args: -cpu ...` in a VMID.conf of Proxmox VE, where it lacks enlightenments that Proxmox VE writes for this
guest and its Windows may gain from. A guest that hides its hypervisor has no use for them.

## Why it matters
QEMU takes the last `-cpu` whole, and what `args:` has comes last: the enlightenments that Proxmox VE adds for Windows
are gone, and nothing reports it. `cpu:` and custom CPU models keep them, and say nearly all that a `-cpu` says.

## Example
```conf
args: -cpu host,kvm=off
cores: 4
machine: pc-q35-9.2+pve1
memory: 8192
ostype: win11
```

## Use instead
```conf
cores: 4
cpu: host,hidden=1
machine: pc-q35-9.2+pve1
memory: 8192
ostype: win11
```

## Fix safety
Unsafe: the guest sees another machine. There is no fix where a custom model is needed, which is another file, or where
Proxmox VE has no word for a part of the `-cpu`.

## Sources
- proxmox/qemu-server:src/PVE/QemuServer.pm, config_to_command(): `args` is appended at the end
- proxmox/qemu-server:src/PVE/QemuServer/CPUConfig.pm, get_hyperv_enlightenments(), resolve_cpu_flags()
- qemu:system/vl.c, qemu_init(): `case QEMU_OPTION_cpu: cpu_option = optarg`
"""

from collections.abc import Sequence

from hvctl.catalog import roles
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Fix, Severity
from hvctl.model.guest import Changes, Guest

SEVERITY = Severity.ERROR
OF = "replaced"


def check(context: Context) -> Findings:
    # Each lint imports all rules, and these take longer than all of them: they are imported where a guest has two -cpu.
    from hvctl.guest.proxmox.guest import ProxmoxGuest

    guest = context.guest
    if (
        not isinstance(guest, ProxmoxGuest)
        or guest.added is None
        or not guest.by_args
        or guest.takes_all
        or guest.without_hypervisor_bit
    ):
        return
    if gone := [name for name in guest.replaced[0].names if name not in guest.qemu_names and _is_of_use(guest, name)]:
        from hvctl.guest.proxmox.writer import instead_of_arguments

        message = f"this -cpu replaces the one that Proxmox VE writes, and {', '.join(gone)} with it"
        cpu, section, unsaid = instead_of_arguments(guest)
        fix = None if section or unsaid else _fix(context, cpu)
        instead = _instead(cpu, section, unsaid)
        yield context.finding(context.place("cpu"), message, instead, attribute="value", fix=fix)


def _is_of_use(guest: Guest, name: str) -> bool:
    row = roles.PROPERTIES.get(name)
    return row is None or (row not in roles.POINTLESS and guest.uses(row))


def _instead(cpu: str, section: str, unsaid: Sequence[str]) -> str:
    """The lines to write, and what they cannot say."""
    text = f"remove -cpu from args: and write `cpu: {cpu}`"
    if section:
        header, *rest = (line.strip() for line in section.splitlines())
        text += f", with `{header}` and in it {', '.join(f'`{line}`' for line in rest)} in cpu-models.conf"
    return f"{text} (lost is {'; '.join(unsaid)})" if unsaid else text


def _fix(context: Context, cpu: str) -> Fix:
    def change(changes: Changes) -> None:
        from hvctl.guest.proxmox.changes import ProxmoxChanges

        assert isinstance(changes, ProxmoxChanges), "the guest is one of Proxmox VE's"
        changes.choose_cpu(cpu)

    return context.unsafe(f"write cpu: {cpu}", change)
