"""What Linux says of the processor and the KVM modules in /proc and /sys, below any root directory; unknown is None.

And what it does to a child whose parent has died, and to a parent at Ctrl-C.
"""

import contextlib
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import NamedTuple

from hvctl.model.host import Hardware

_MOST_BYTES = 64 * 1024
_MOST_CHARACTERS = 200
_VENDORS = {"GenuineIntel": "intel", "AuthenticAMD": "amd"}
# The parameter that turns the hardware's virtual APIC on: Intel APICv, AMD AVIC.
_MODULES = {"kvm_intel": "enable_apicv", "kvm_amd": "avic"}
_MODULE_OF = {"intel": "kvm_intel", "amd": "kvm_amd"}
_YES_NO = {"Y": True, "y": True, "1": True, "N": False, "n": False, "0": False}


class FileAnswers(NamedTuple):
    """The words of /proc and /sys as they are; what is not there is missing, or empty.

    `cpu` are the fields of /proc/cpuinfo's first processor, `modules` the parameters of each KVM module that is loaded.
    """

    cpu: Mapping[str, str]
    modules: Mapping[str, Mapping[str, str]]
    release: str
    smt: str
    clocksource: str


class HostFiles(NamedTuple):
    """The answers of /proc and /sys. `module` is the KVM module; `virtual` whether this host is itself a guest."""

    hardware: Hardware
    release: str | None
    module: str | None
    virtual: bool | None


def read_host_files(root: str) -> HostFiles:
    """Read what is below `root`; what is missing, unreadable or not understood is None."""
    modules = {}
    for name in (*_MODULES, "kvm"):
        folder = os.path.join(root, "sys/module", name)
        if os.path.isdir(folder):
            wanted = ("nested", *filter(None, [_MODULES.get(name)]))
            modules[name] = {word: _read(os.path.join(folder, "parameters", word)) for word in wanted}
    devices = os.path.join(root, "sys/devices/system")
    answers = FileAnswers(
        cpu=_first_processor(_read(os.path.join(root, "proc/cpuinfo"), until=b"\n\n")),
        modules=modules,
        release=_read(os.path.join(root, "proc/sys/kernel/osrelease")),
        smt=_read(os.path.join(devices, "cpu/smt/control")),
        clocksource=_read(os.path.join(devices, "clocksource/clocksource0/current_clocksource")),
    )
    return decode_files(answers)


def decode_files(answers: FileAnswers) -> HostFiles:
    """What the words of /proc and /sys mean, whoever read them."""
    cpu = answers.cpu
    vendor = _line(cpu.get("vendor_id"))
    vendor = _VENDORS.get(vendor, vendor) if vendor else vendor
    module = _module(answers.modules, vendor)
    parameters = answers.modules.get(module or "kvm", {})
    hardware = Hardware(
        vendor=vendor or None,
        model_name=_line(cpu.get("model name")),
        family=_number(_line(cpu.get("cpu family"))),
        model=_number(_line(cpu.get("model"))),
        stepping=_number(_line(cpu.get("stepping"))),
        nested=_YES_NO.get(parameters.get("nested", "").strip()),
        apicv=_YES_NO.get(parameters.get(_MODULES[module], "").strip()) if module else None,
        smt=clean(answers.smt) or None,
        clocksource=clean(answers.clocksource) or None,
    )
    flags = cpu.get("flags")
    virtual = "hypervisor" in flags.split() if flags else None
    return HostFiles(hardware, clean(answers.release) or None, module, virtual)


def _first_processor(text: str) -> dict[str, str]:
    block = text.partition("\n\n")[0]
    fields = (line.partition(":") for line in block.splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, _, value in fields}


def _module(loaded: Collection[str], vendor: str | None) -> str | None:
    """The loaded module; both can be in the kernel's image, then the vendor's own counts."""
    own = _MODULE_OF.get(vendor or "")
    return own if own in loaded else next((name for name in _MODULES if name in loaded), None)


def _line(text: str | None) -> str | None:
    return None if text is None else clean(text)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 10 else None


def clean(text: str) -> str:
    """Foreign text as one printable line of bounded length."""
    line = " ".join(text[: 8 * _MOST_CHARACTERS].split())
    return "".join(character for character in line if character.isprintable())[:_MOST_CHARACTERS]


def _read(path: str, until: bytes = b"") -> str:
    """At most 64 KiB of a file, or as much as holds `until`: /proc/cpuinfo of a large host is slow to read."""
    data = b""
    try:
        # O_NONBLOCK: below --root there can be a FIFO.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except (OSError, ValueError):
        return ""
    try:
        while len(data) < _MOST_BYTES and not (until and until in data):
            part = os.read(descriptor, _MOST_BYTES - len(data))
            if not part:
                break
            data += part
    except OSError:
        return ""
    finally:
        os.close(descriptor)
    return data.decode("utf-8", "replace")


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let the first Ctrl-C raise KeyboardInterrupt in the block, which has something to clean up.

    Elsewhere it ends hvctl, and so does a second one.
    """
    import signal  # as ctypes below

    old = signal.getsignal(signal.SIGINT)

    def interrupt(*_: object) -> None:
        signal.signal(signal.SIGINT, old)
        raise KeyboardInterrupt

    with contextlib.suppress(ValueError):  # another thread than the main one, which gets no signals
        if callable(old):  # not ignored
            signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            signal.signal(signal.SIGINT, old)


PR_SET_PDEATHSIG = 1  # linux:include/uapi/linux/prctl.h


def die_with_parent(number: int = 9) -> Callable[[], None]:
    """What a child calls between fork and exec, to get a signal (SIGKILL) when the thread that started it ends.

    The signal outlives exec (prctl(2)), but a parent that died before is not told of: then the child has another parent
    already. Nothing is imported and no lock taken after the fork.
    """
    import ctypes  # takes as long as all else that is read here, and most commands start no child

    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def setup() -> None:
        prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return setup
