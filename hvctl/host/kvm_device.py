"""The boundary to the kernel: /dev/kvm, its ioctls, and one clear sentence for each way in which they fail.

Numbers and structures: linux:include/uapi/linux/kvm.h.
"""

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from hvctl.errors import NoKvmError

API_VERSION = 12
REQUESTS = {
    "KVM_GET_API_VERSION": 0xAE00,
    "KVM_CREATE_VM": 0xAE01,
    "KVM_GET_MSR_INDEX_LIST": 0xC004AE02,
    "KVM_CHECK_EXTENSION": 0xAE03,
    "KVM_CREATE_VCPU": 0xAE41,
    "KVM_CREATE_IRQCHIP": 0xAE60,
    "KVM_ENABLE_CAP": 0x4068AEA3,
    "KVM_GET_TSC_KHZ": 0xAEA3,
    "KVM_GET_SUPPORTED_HV_CPUID": 0xC008AEC1,
}
_LOAD = (
    "load the module: 'sudo modprobe kvm_intel' on Intel, 'sudo modprobe kvm_amd' on AMD. If that fails, turn "
    "virtualization (VT-x, AMD-V/SVM) on in the firmware, or nested virtualization where this is a virtual machine"
)
_INTERRUPTIONS = 16


class KvmDevice(Protocol):
    """A KVM to talk to. Descriptors are plain numbers; what goes wrong is an OSError, in `open` a NoKvmError."""

    @property
    def path(self) -> str:
        """The node's path, for messages."""

    def open(self) -> int:
        """A descriptor of the device itself."""

    def ioctl(self, descriptor: int, request: int, argument: int | bytearray) -> int:
        """One ioctl on the device, a VM or a vCPU; a bytearray is changed in place."""

    def close(self, descriptor: int) -> None:
        """Give a descriptor back."""


class IoctlError(NoKvmError):
    """An ioctl failed that has to work; `errno` says how."""

    def __init__(self, path: str, name: str, error: OSError) -> None:
        super().__init__(
            f"{path}: the ioctl {name} failed: {os.strerror(error.errno or 0)} "
            f"({errno.errorcode.get(error.errno or 0, error.errno)})",
            _HINTS.get(error.errno or 0, "look for KVM's own message in the kernel log ('sudo dmesg')"),
        )
        self.errno = error.errno


_HINTS = {
    errno.EBUSY: "another hypervisor (VirtualBox, VMware) uses the processor's virtualization; stop it",
    errno.EPERM: "a sandbox or security module forbids it; run hvctl outside of it",
    errno.EACCES: "a sandbox or security module forbids it; run hvctl outside of it",
    errno.ENOMEM: "free some memory, or raise the limit of the control group",
}


class LinuxKvm:
    """The KVM of the running kernel, behind the device node at `path`."""

    def __init__(self, path: str) -> None:
        self.path = path

    def open(self) -> int:
        """Open the node.

        Raises:
            NoKvmError: it is missing, forbidden, without a driver, or no character device.
        """
        try:
            # O_NONBLOCK: below --root there can be a FIFO.
            descriptor = os.open(self.path, os.O_RDWR | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
        except IsADirectoryError as error:
            raise _not_kvm(self.path, "it is a directory") from error
        except PermissionError as error:
            raise _forbidden(self.path) from error
        except FileNotFoundError as error:
            raise NoKvmError(f"there is no {self.path}: this kernel offers no KVM", _LOAD) from error
        except OSError as error:
            raise _unusable(self.path, error) from error
        if not stat.S_ISCHR(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise _not_kvm(self.path, "it is not a character device")
        return descriptor

    def ioctl(self, descriptor: int, request: int, argument: int | bytearray) -> int:
        """See `KvmDevice`; an interrupted call is made again, as QEMU does for KVM_CREATE_VM."""
        for _ in range(_INTERRUPTIONS):
            try:
                return fcntl.ioctl(descriptor, request, argument)
            except InterruptedError:
                continue
        raise InterruptedError(errno.EINTR, os.strerror(errno.EINTR))

    def close(self, descriptor: int) -> None:
        """See `KvmDevice`."""
        os.close(descriptor)


def ask(device: KvmDevice, descriptor: int, name: str, argument: int | bytearray = 0) -> int:
    """One ioctl by its name.

    Raises:
        IoctlError: it failed.
    """
    try:
        return device.ioctl(descriptor, REQUESTS[name], argument)
    except OSError as error:
        raise IoctlError(device.path, name, error) from error


@contextmanager
def opened(device: KvmDevice) -> Iterator[int]:
    """The device's descriptor, once it has proven to be a KVM.

    Raises:
        NoKvmError: see `LinuxKvm.open`; or what is there is not a KVM.
    """
    descriptor = device.open()
    try:
        _check_version(device, descriptor)
        yield descriptor
    finally:
        device.close(descriptor)


@contextmanager
def throw_away_vcpu(device: KvmDevice, descriptor: int, *, irqchip: bool) -> Iterator[int]:
    """A vCPU of a VM that exists for this question only.

    Raises:
        IoctlError: it cannot be made.
    """
    vm = ask(device, descriptor, "KVM_CREATE_VM")
    try:
        if irqchip:
            ask(device, vm, "KVM_CREATE_IRQCHIP")
        vcpu = ask(device, vm, "KVM_CREATE_VCPU")
        try:
            yield vcpu
        finally:
            device.close(vcpu)
    finally:
        device.close(vm)


def _check_version(device: KvmDevice, descriptor: int) -> None:
    try:
        version = device.ioctl(descriptor, REQUESTS["KVM_GET_API_VERSION"], 0)
    except OSError as error:
        raise _not_kvm(device.path, f"KVM_GET_API_VERSION: {os.strerror(error.errno or 0)}") from error
    if version != API_VERSION:
        raise _not_kvm(device.path, f"it answers KVM_GET_API_VERSION with {version}, not with {API_VERSION}")


def _not_kvm(path: str, why: str) -> NoKvmError:
    return NoKvmError(
        f"{path} is not a KVM: {why}", "remove it and load the KVM module again, or give the right --root"
    )


def _unusable(path: str, error: OSError) -> NoKvmError:
    text = os.strerror(error.errno or 0)
    if error.errno in (errno.ENODEV, errno.ENXIO):
        return NoKvmError(f"no driver answers at {path} ({text})", _LOAD)
    return NoKvmError(f"{path} cannot be opened: {text}", "check what this path is")


def _forbidden(path: str) -> NoKvmError:
    message = f"no permission to use {path}"
    try:
        node = os.stat(path)
    except OSError:
        return NoKvmError(message, "check the permissions of its parent directories")
    group = _group_name(node.st_gid)
    if node.st_gid and node.st_mode & 0o060 == 0o060:
        return NoKvmError(
            f"{message}: it belongs to the group '{group}'",
            f"become a member: 'sudo usermod -aG {group} \"$USER\"', then log in again",
        )
    return NoKvmError(
        f"{message}: its owner alone may (group '{group}', mode {stat.S_IMODE(node.st_mode):04o})",
        'let this user in: \'sudo setfacl -m "u:$USER:rw" ' + f"{path}'",
    )


def _group_name(number: int) -> str:
    import grp

    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
