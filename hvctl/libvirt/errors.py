"""What goes wrong with a libvirt, each with its own sentence. The errors of libvirt-python come in; none gets out."""

import errno
import functools
import importlib
from typing import Any

from hvctl.errors import HostError, RefusedError
from hvctl.text.problems import printable

_DENIED = (errno.EACCES, errno.EPERM)
_LONGEST = 1000  # characters: an error of libvirt's can have 4 MiB
_WHO = "is this user allowed to use libvirt there (group libvirt, polkit, SASL, the ssh key)?"


@functools.cache
def load(name: str = "libvirt") -> Any:
    """A module of libvirt-python.

    Raises:
        HostError: it is not installed.
    """
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        hint = "pip install 'hvctl[libvirt]'; it is compiled against libvirt's headers (libvirt-dev, libvirt-devel)"
        raise HostError("libvirt-python is not installed", hint) from error
    if name == "libvirt":
        # It prints every error on stderr unless it has a handler; the exceptions say the same.
        module.registerErrorHandler(_silent, None)
    return module


def _silent(_context: Any, _error: Any) -> None:
    """The exception says it."""


def not_opened(uri: str, error: Any) -> HostError:
    """Why there is no connection."""
    said = text(error)
    system = error.get_error_code() == load().VIR_ERR_SYSTEM_ERROR
    # Of its own errors ssh's text is all that comes through: `user@host: Permission denied (publickey,password).`
    by_ssh = "denied (" in said or "Host key verification failed" in said
    if by_ssh or is_refusal(error) or (system and error.get_int1() in _DENIED):
        return HostError(f"{uri}: access was refused: {said}", _WHO)
    hint = "write a URI as virsh takes it, as qemu:///system" if _is_wrong(error) else ""
    return HostError(f"{uri}: libvirt cannot be reached: {said}", hint or "is libvirtd or virtqemud running there?")


def _is_wrong(error: Any) -> bool:
    """Whether libvirt makes nothing of the URI: it cannot be parsed, or names no driver or transport."""
    libvirt = load()
    codes = (libvirt.VIR_ERR_NO_CONNECT, libvirt.VIR_ERR_INVALID_ARG)
    return error.get_error_code() in codes or error.get_error_domain() == libvirt.VIR_FROM_URI


def failed(uri: str, what: str, error: Any, refusal: str) -> HostError | RefusedError:
    """Why a call failed on a connection that is there; `refusal` as in `Connection.ask`."""
    if is_refusal(error):
        return HostError(f"{uri}: access was refused: {what}: {text(error)}", _WHO)
    return RefusedError(f"{refusal}: {text(error)}") if refusal else HostError(f"{uri}: {what}: {text(error)}")


def is_refusal(error: Any) -> bool:
    """Whether libvirt does not let this user do it."""
    libvirt = load()
    return error.get_error_code() in (
        libvirt.VIR_ERR_AUTH_FAILED,
        libvirt.VIR_ERR_AUTH_CANCELLED,
        libvirt.VIR_ERR_AUTH_UNAVAILABLE,
        libvirt.VIR_ERR_ACCESS_DENIED,
        libvirt.VIR_ERR_OPERATION_DENIED,
    )


def late(uri: str, what: str, seconds: float) -> HostError:
    """The error of a call that was given up."""
    return HostError(
        f"{uri}: no answer within {seconds:g} s: {what}",
        "if it is only slow, give it more time: apply, check-host, launch, show, verify have --timeout SECONDS",
    )


# How libvirt-python fails at text that is not UTF-8: of answers, and of errors.
UNREADABLE = (UnicodeDecodeError, SystemError)


def unreadable(uri: str, what: str) -> HostError:
    """The error of an answer that libvirt-python cannot read."""
    return HostError(f"{uri}: the answer cannot be read, it is not UTF-8: {what}")


def lost(uri: str, said: str) -> HostError:
    """The error of a connection that broke."""
    return HostError(f"{uri}: the connection was lost: {said}")


def text(error: Any) -> str:
    """What libvirt says, in one printable line; of a long one the beginning."""
    said = str(error)
    line = printable(" ".join(said[:_LONGEST].split()))
    return f"{line}…" if len(said) > _LONGEST else line or "it does not say why"
