"""libvirt itself: it takes what hvctl writes, and makes the same flags of it."""

from __future__ import annotations

import os
import random
import shlex
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest

from hvctl.catalog import BY_ID
from hvctl.guest.command.reader import read_command_line
from hvctl.guest.command.writer import arguments, cpu
from hvctl.guest.convert import to_libvirt, to_qemu
from hvctl.guest.domain.reader import read_domain
from hvctl.guest.domain.writer import domain
from hvctl.guest.plan import guest_of
from hvctl.model.guest import Guest, Timer, Topology
from hvctl.model.plan import Plan
from hvctl.model.profile import Ask, CpuChoice, Migration, Profile, Wish
from hvctl.plan.resolve import resolve
from hvctl.profile.reader import load_profile
from hvctl.profile.source import shipped_names
from tests.realkvm.real import SETTINGS, add_libvirt_user, hvctl, in_time, this_host
from tests.realkvm.test_oracle import MACHINES, random_set

SECONDS = 25.0
# Plans that one virsh translates: it asks QEMU once, which takes longer than a plan.
BATCH = 20


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The embedded QEMU driver: no daemon, one process a call."""
    add_libvirt_user()
    folder = tmp_path_factory.mktemp("libvirt")
    (folder / "etc").mkdir()
    (folder / "etc" / "qemu.conf").write_text(SETTINGS)
    return f"qemu:///embed?root={folder}"


def virsh(uri: str, *lines: str) -> str:
    """Several commands of one virsh: what is defined in the embedded driver is seen by the same process."""
    done = subprocess.run(
        ["virsh", "-q", "-c", uri],
        input="\n".join([*lines, ""]),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "error:" not in done.stderr, done.stderr
    return done.stdout


def flags(cpu: str) -> set[str]:
    """The hv-* flags of a -cpu value as libvirt or hvctl writes them, with numbers as numbers."""
    found = set()
    for word in cpu.split(","):
        name, _, value = word.partition("=")
        if name.replace("_", "-").startswith("hv-"):
            number = str(int(value, 0)) if value.startswith("0x") else value or "on"
            found.add(f"{name.replace('_', '-')}={number}")
    return found


@pytest.mark.world("amd", "debian-12-intel", "debian-13-intel")
def test_libvirt_defines_every_profile_and_gives_the_flags_of_its_plan(uri: str, tmp_path: Path) -> None:
    plans = {name: resolve(load_profile(name), (this_host(),), libvirt=True) for name in shipped_names()}
    assert all(flags(cpu(guest_of(plan))) for plan in plans.values() if plan.enabled())
    assert native_flags(uri, tmp_path, plans.values()) == [flags(cpu(guest_of(plan))) for plan in plans.values()]


def native_flags(uri: str, folder: Path, plans: Iterable[Plan]) -> list[set[str]]:
    """The hv-* flags that libvirt makes of each plan's domain, once it has defined it."""
    lines = []
    for number, plan in enumerate(plans):
        path = folder / f"{number}.xml"
        path.write_text(domain(plan, name=f"plan-{number}"))
        lines += [f"define --validate --file {path}", f"domxml-to-native qemu-argv --xml {path}"]
        lines += [f"undefine plan-{number}"]
    native = [shlex.split(line) for line in virsh(uri, *lines).splitlines() if " -cpu " in line]
    return [flags(words[words.index("-cpu") + 1]) for words in native]


def test_libvirt_knows_the_features_by_the_names_that_it_is_given(uri: str, tmp_path: Path) -> None:
    wanted = (("lahf-lm", False), ("pclmulqdq", False), ("sse4.1", False), ("tsc-adjust", False), ("sse3", False))
    profile = Profile("features", cpu=CpuChoice("host", features=wanted), migration=Migration.NONE)
    plan = resolve(profile, (this_host(),), libvirt=True)
    assert not plan.refusals
    path = tmp_path / "features.xml"
    path.write_text(domain(plan))
    (line,) = [line for line in virsh(uri, f"domxml-to-native qemu-argv --xml {path}").splitlines() if " -cpu " in line]
    words = shlex.split(line)
    switches = words[words.index("-cpu") + 1].split(",")
    assert {"lahf-lm=off", "pclmulqdq=off", "sse4.1=off", "tsc-adjust=off", "pni=off"} <= set(switches)


def random_plan(dice: random.Random) -> Plan:
    """What `gen --both` makes of random wishes; its domain and its arguments have the same set."""
    machines = [machine for machine in MACHINES if machine in {kind.name for kind in this_host().qemu[0].machines}]
    wishes = tuple(
        Wish(row_id, dice.choice([Ask.PREFER, Ask.PREFER, Ask.PREFER, Ask.OFF]), value)
        for row_id, value in random_set(dice, this_host()).items()
    )
    profile = Profile("random", wishes=wishes, machine=dice.choice(machines), migration=Migration.NONE)
    plan = resolve(profile, (this_host(),), libvirt=True)
    assert not plan.refusals, wishes
    return plan


@pytest.mark.world("amd", "debian-13-intel")
def test_the_oracle_libvirt_gives_the_flags_of_random_plans(
    uri: str, tmp_path: Path, note: Callable[[str], None], testbed_world: str
) -> None:
    count = int(os.environ.get("HVCTL_ORACLE_COUNT", "0"))
    seed = int(os.environ.get("HVCTL_ORACLE_SEED", "0")) or random.SystemRandom().randint(1, 10**9)
    dice, end = random.Random(seed), time.monotonic() + in_time(SECONDS, testbed_world)
    done, rows = 0, set()
    while done < count if count else time.monotonic() < end:
        plans = [random_plan(dice) for _ in range(BATCH)]
        for plan, native in zip(plans, native_flags(uri, tmp_path, plans), strict=True):
            assert native == flags(cpu(guest_of(plan))), (seed, done, arguments(plan))
            rows |= {decision.id for decision in plan.enabled()}
            done += 1
    note(f"libvirt: seed={seed} count={done}, {len(rows)} of {len(BY_ID)} rows")
    assert done


def random_guest(dice: random.Random) -> Guest:
    """A random plan's guest with any clock, timers, interrupt controller and topology."""
    guest = guest_of(random_plan(dice), libvirt=True)
    guest.timers = {}
    if policy := dice.choice(["catchup", "delay", ""]):
        guest.timers["rtc"] = Timer(None, policy)
    if policy := dice.choice(["delay", "discard", ""]):
        guest.timers["pit"] = Timer(None, policy)
    if (present := dice.choice([True, False, None])) is not None:
        guest.timers["hpet"] = Timer(None, None, present)
    guest.offset = dice.choice(["utc", "localtime", None])
    guest.irqchip = dice.choice(["on", None])
    guest.hidden = dice.random() < 0.3
    guest.vcpus, guest.topology = dice.choice([(None, None), (4, Topology(1, None, 2, 2)), (2, Topology(2, 1, 1, 1))])
    return guest


def gist(words: Sequence[str]) -> tuple[object, ...]:
    """What a command line says of CPU and clock; what is not written is what QEMU does then."""
    guest = read_command_line(shlex.join(words), "argv")
    rtc, pit, hpet = (guest.timers.get(name) for name in ("rtc", "pit", "hpet"))
    cpu_facts = (guest.cpu, guest.enabled(), guest.hidden, guest.migratable, dict(guest.features), guest.tsc_frequency)
    clock = (guest.offset or "utc", rtc.policy if rtc else "delay", pit.policy if pit else "delay")
    # QEMU gives an HPET unless it is turned off; libvirt 9.0 leaves it unwritten then, 11.3 does not.
    return (*cpu_facts, *clock, hpet is None or hpet.present is not False)


@pytest.mark.world("amd", "debian-13-intel")
def test_the_oracle_libvirt_makes_the_same_arguments_of_random_domains(
    uri: str, tmp_path: Path, note: Callable[[str], None], testbed_world: str
) -> None:
    """`convert --to qemu` of a domain says what libvirt passes to QEMU."""
    count = int(os.environ.get("HVCTL_ORACLE_COUNT", "0"))
    seed = int(os.environ.get("HVCTL_ORACLE_SEED", "0")) or random.SystemRandom().randint(1, 10**9)
    dice, end = random.Random(seed), time.monotonic() + in_time(SECONDS / 2, testbed_world)
    done = 0
    while done < count if count else time.monotonic() < end:
        texts = []
        for number in range(BATCH):
            own = f"<name>domain-{number}</name><memory>1048576</memory><os>"
            texts.append(to_libvirt(random_guest(dice)).text.replace("<os>", own))
            (tmp_path / f"{number}.xml").write_text(texts[-1])
        lines = [f"domxml-to-native qemu-argv --xml {tmp_path / f'{number}.xml'}" for number in range(BATCH)]
        natives = [shlex.split(line) for line in virsh(uri, *lines).splitlines() if " -cpu " in line]
        for text, native in zip(texts, natives, strict=True):
            assert gist(native) == gist(to_qemu(read_domain(text.encode(), "x")).words), (seed, done, text)
            done += 1
    note(f"libvirt: seed={seed} count={done} domains")
    assert done


def test_the_command_writes_the_same_domain(tmp_path: Path) -> None:
    both = hvctl("gen", "windows-11", "--both", "-o", str(tmp_path / "both"))
    plan = resolve(load_profile("windows-11"), (this_host(),), libvirt=True)
    assert both.stdout == ""
    line, _, xml = (tmp_path / "both").read_text().partition("\n")
    assert xml == domain(plan)
    assert shlex.split(line) == list(arguments(plan))
