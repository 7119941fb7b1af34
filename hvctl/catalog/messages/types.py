"""What a row of the table of known messages is."""

from enum import StrEnum
from typing import NamedTuple


class Layer(StrEnum):
    """Whose words a message is."""

    QEMU = "qemu"
    KVM = "kvm"
    LIBVIRT = "libvirt"
    KUBEVIRT = "kubevirt"
    WINDOWS = "windows"
    SYMPTOM = "symptom"
    """A user's own: what the guest does."""


class Message(NamedTuple):
    """One message, with what it means and what to do about it.

    `texts` are its wordings, in which `{slot}` stands for what differs; the slots are in `hvctl.text.diagnosis`. A
    symptom has `words` instead: groups of words, of each of which a sentence must have one. `row` is the enlightenment
    that it is about, where it names none; `rules` are the rules of lint that find its cause in a guest's configuration,
    the likeliest first. `cause` and `remedy` may use what the slots matched and what is known of the row. `vague` marks
    one that only says that something went wrong, and counts where nothing else tells what.
    """

    id: str
    layer: Layer
    cause: str
    remedy: str
    source: str
    texts: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    row: str = ""
    rules: tuple[str, ...] = ()
    vague: bool = False
