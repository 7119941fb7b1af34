"""The CPU model lacks what the guest's Windows needs to boot.

## What it does
Looks at named CPU models of guests whose release is known, by libosinfo's id, the profile or their name. What is
switched on or off beside the model counts; without a model, QEMU's default does.

## Why it matters
Windows 11 24H2 and Server 2025 use SSE4.2 and POPCNT from the first moment: without them they reset as they boot. An
older Windows 11 boots.

## Example
```xml
<cpu mode='custom' match='exact'>
  <model>qemu64</model>
</cpu>
```

## Use instead
```xml
<cpu mode='host-passthrough' migratable='on'/>
```

## Fix safety
There is no fix: the guest may have been meant for hosts that are not given. With hosts the advice names the best model
that every one can give; `hvctl pool` lists all.

## Sources
- Microsoft Learn, "Windows processor requirements"
- query-cpu-model-expansion of QEMU 7.2 and 10.0 for what each model has
"""

from hvctl.catalog.cpu_models import LEVEL_FEATURES, lacking, level, turned_off
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.ERROR
OF = "release"


def check(context: Context) -> Findings:
    guest = context.guest
    system = guest.release
    assert system, "OF says so"
    if guest.kvm is False or system.level not in LEVEL_FEATURES:
        return
    older = " (one older than 24H2 does)" if system.sockets else ""
    # A name is a guess.
    severity = None if guest.system or context.profile else Severity.WARNING
    for name in turned_off(guest.features, system.level) if guest.switches else ():
        message = f"{name} is off: {system.title} does not boot without{older}"
        yield context.finding(guest.switches[name].where, message, "leave it on", severity=severity)
    if guest.cpu is None or (level(guest.cpu) or system.level) >= system.level:
        return
    if missing := lacking(guest.cpu, guest.features, system.level):
        written = f"CPU model {guest.cpu}" if "cpu" in guest.places else f"QEMU's default CPU model, {guest.cpu},"
        message = f"{written} lacks {' and '.join(missing)}: {system.title} does not boot without{older}"
        yield context.finding(context.place("cpu"), message, _instead(context, system.level), severity=severity)


def _instead(context: Context, least: int) -> str:
    """The best model that all hosts are known to give, else which ones have enough."""
    hosts = context.hosts
    if hosts and all(host.qemu for host in hosts):
        # Only where there are hosts: its import takes as long as all the rules.
        from hvctl.plan.cpu import proposal, propose

        if proposal(hosts, least):
            return propose(hosts, least, context.guest.cpu_syntax)
    return "write a model from Nehalem or EPYC on, or host"
