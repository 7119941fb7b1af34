"""All facts of this machine, each group with where it comes from; and which QEMU binaries it has.

Asking QEMU costs two starts of it; gen and launch need the answer every time. check-host always asks again. For the
others the answer is kept until the binary, the kernel or KVM's answers change: as a host file under XDG_CACHE_HOME,
after a line that names all it depends on; whatever is odd about that file makes it worthless and no error. In a
directory that others can write to, or in another user's home (`sudo -E`), nothing is read and nothing is made.
"""

import contextlib
import os
import stat
from collections.abc import Sequence

from hvctl import __version__
from hvctl.errors import HostError, HvctlError, NoKvmError, NoQmpError
from hvctl.host.composition import NO_QEMU, Parts, compose
from hvctl.host.hostfs import read_host_files
from hvctl.host.kvm import NO_HYPERV, probe_kvm
from hvctl.model.host import Host, Libvirt, Qemu
from hvctl.text.files import base_directory, distrust, distrust_own, read
from hvctl.text.problems import printable

_NAMES = ("qemu-system-x86_64", "qemu-kvm")
# RHEL, CentOS and SUSE keep it off the PATH.
_PLACES = ("/usr/bin/qemu-system-x86_64", "/usr/libexec/qemu-kvm", "/usr/bin/qemu-kvm", "/usr/lib/qemu-kvm")
# Debian's and Ubuntu's is a script around qemu-system-x86_64 that adds -enable-kvm: only if there is nothing else.
_LAST = "/usr/bin/kvm"


def probe_host(
    root: str | None = None,
    qemu: Sequence[str] | None = None,
    *,
    with_qemu: bool = True,
    with_libvirt: bool = True,
    name: str | None = None,
) -> Host:
    """Probe this machine.

    Args:
        root: a directory to take /dev/kvm, /proc, /sys and libvirt's schema from instead of `/`; QEMU is then not asked
            with KVM, since it would use the machine's own.
        qemu: binaries to ask instead of those that are found.
        with_qemu: whether to start QEMU at all.
        with_libvirt: whether to read libvirt's schema.
        name: how messages shall call this host.

    Raises:
        HostError: `root` does not exist, or there is no usable KVM. A KVM without Hyper-V is no error here.
    """
    folder = "/" if root is None else root
    if not os.path.isdir(folder):
        raise HostError(f"no directory {folder}", "give --root a directory that holds dev, proc and sys")
    answers = probe_kvm(os.path.join(folder, "dev/kvm"))
    files = read_host_files(folder)
    notes: list[str] = []
    binaries = _qemu(qemu, notes, kvm=root is None) if with_qemu else ()
    libvirt = _libvirt(folder, notes) if with_libvirt else None
    return compose(name, Parts(answers, files, binaries, libvirt, notes, schema=with_libvirt))


def this_host(
    qemu: Sequence[str] | None = None, *, libvirt: bool = True, option: str = "--qemu", hyperv: bool = True
) -> Host:
    """This machine, probed, with the first QEMU only: the one that would be started.

    Args:
        qemu: binaries to ask instead of those that are found.
        libvirt: whether to look at the installed libvirt.
        option: the command's option that names a binary, for messages.
        hyperv: whether a KVM without Hyper-V emulation is an error.

    Raises:
        HostError: no usable KVM, a KVM without Hyper-V emulation, or no QEMU.
    """
    host = probe_host(with_qemu=False, with_libvirt=libvirt)
    if hyperv and not host.kvm.hyperv:
        raise NoKvmError(*NO_HYPERV)
    paths = named_binaries(qemu) if qemu else find_binaries()
    answer, notes = ask_first(paths, host)
    if answer is None:
        found = "; ".join(notes) or "none was found on PATH or in the usual places"
        raise HostError(f"no QEMU: {found}", f"install qemu-system-x86, or name a binary with {option}")
    return host._replace(qemu=(answer,), notes=(*host.notes, *notes))


def _qemu(named: Sequence[str] | None, notes: list[str], *, kvm: bool) -> tuple[Qemu, ...]:
    paths = named_binaries(named) if named else find_binaries()
    if not paths:
        notes.append(NO_QEMU)
        return ()
    # asyncio and qemu.qmp cost more than all the rest of a check without QEMU.
    try:
        from hvctl.host.qemu import probe_qemus
    except NoQmpError as error:
        notes.append(f"{error.message}; {error.hint}")
        return ()
    answers = probe_qemus(paths, kvm=kvm)
    notes += answers.notes
    return answers.qemu


def _libvirt(folder: str, notes: list[str]) -> Libvirt | None:
    from hvctl.host.libvirt_schema import SchemaError, read_libvirt, unusable

    try:
        return read_libvirt(folder)
    except SchemaError as error:
        notes.append(unusable(error))
        return None


def find_binaries() -> tuple[str, ...]:
    """The absolute paths of the QEMU binaries to be found, the one to be used first in front, each file once."""
    found = [path for path in (*map(_on_path, _NAMES), *_PLACES) if path and os.access(path, os.X_OK)]
    return _once(found) or _once([_LAST] if os.access(_LAST, os.X_OK) else [])


def named_binaries(names: Sequence[str]) -> tuple[str, ...]:
    """Absolute paths for what a user named; a name without a slash is looked up on PATH."""
    return _once([(None if "/" in name else _on_path(name)) or name for name in names])


def emulator_of_file(named: str, hint: str) -> str:
    """The real path of a program that a file names, if nobody but root and the caller can have put it there.

    The file may be a stranger's: to look at it must not run what he likes. Links may change later, the real path not.

    Raises:
        HostError: the program is not there, or not to be trusted; `hint` is what to do instead.
    """
    why = "it is not an absolute path"
    if os.path.isabs(named):
        try:
            real = os.path.realpath(named, strict=True)
            why = distrust(real, stat.S_IWGRP | stat.S_IWOTH) if os.path.isfile(real) else "it is not a file"
        except (OSError, ValueError):
            why = "it is not on this machine"
        if not why:
            return real
    raise HostError(f"the domain's emulator {printable(named)} is not started: {why}", hint)


def _on_path(name: str) -> str | None:
    # Not shutil.which: shutil imports every compression module there is.
    places = [os.path.join(directory, name) for directory in os.get_exec_path()]
    return next((path for path in places if os.path.isfile(path) and os.access(path, os.X_OK)), None)


def _once(paths: Sequence[str]) -> tuple[str, ...]:
    by_file = {os.path.realpath(path): os.path.abspath(path) for path in reversed(paths)}
    return tuple(reversed(by_file.values()))


LARGEST = 1 << 20


def ask_first(paths: Sequence[str], host: Host) -> tuple[Qemu | None, tuple[str, ...]]:
    """The first of these binaries that is a QEMU, and notes on those before it.

    Args:
        paths: absolute paths, the preferred one first.
        host: this machine, without QEMU: what the answer with KVM depends on.
    """
    notes: list[str] = []
    for path in paths:
        key = _key(path, host)
        qemu = _read(path, key)
        if qemu is None:
            from hvctl.host.qemu import probe_qemus

            answers = probe_qemus([path])
            notes += answers.notes
            qemu = answers.qemu[0] if answers.qemu else None
            # An answer that lacks what KVM should have told may be better next time.
            if qemu and qemu.expansion is not None:
                _write(path, key, host._replace(qemu=(qemu,)))
        if qemu:
            return qemu, tuple(notes)
    return None, tuple(notes)


def _key(path: str, host: Host) -> str:
    """One line with all that decides the answer: hvctl, the file, the kernel, KVM and the processor."""
    try:
        real = os.path.realpath(path)
        status = os.stat(real)
    except OSError:
        return ""
    file = (real, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return repr((__version__, file, host.kvm, host.hardware._replace(tsc_hz=None))).replace("\n", " ")


def _place(path: str) -> str | None:
    """Where the answer of a binary is kept; None without a directory that is the caller's alone, or can be made so."""
    base = base_directory("XDG_CACHE_HOME", ".cache")
    if base is None or distrust_own(folder := os.path.join(base, "hvctl")):
        return None
    return os.path.join(folder, "qemu" + path.replace("%", "%25").replace("/", "%"))


def _read(path: str, key: str) -> Qemu | None:
    place = _place(path)
    if not place or not key:
        return None
    from hvctl.host.host_file import load_host  # with json, which no check without QEMU needs

    try:
        text = read(place, LARGEST, pipe=False, owner=os.geteuid()).decode()
        first, _, rest = text.partition("\n")
        qemu = load_host(rest, place).qemu[0]
        # What is started is the binary that was asked for, whatever a file names.
        return qemu if first == key and qemu.path == path else None
    except (ValueError, HvctlError, IndexError):
        return None


def _write(path: str, key: str, host: Host) -> None:
    place = _place(path)
    if not place or not key:
        return
    from hvctl.host.host_file import dump_host
    from hvctl.text.writing import create

    try:
        os.makedirs(os.path.dirname(place), mode=0o700, exist_ok=True)
        if _place(path):  # still: another user may have made the directory meanwhile
            with contextlib.suppress(FileNotFoundError):
                os.unlink(place)
            create(place, f"{key}\n{dump_host(host)}".encode())
    except (OSError, HvctlError):
        return  # a cache that cannot be written is only slow
