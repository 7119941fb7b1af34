"""The values of fields: true or false, a number, a text. What is none of them is remembered as a mistake."""

from hvctl.catalog import roles
from hvctl.guest.kubevirt.machine import FALSE, TRUE, Field, Machine
from hvctl.model.guest import Mistake
from hvctl.text.problems import quoted
from hvctl.text.yaml_tree import Scalar

MOST_VCPUS = 1 << 16


def is_on(machine: Machine, field: Field) -> bool | None:
    """Whether a feature is on, which it is without a word; None where that is not known."""
    child = field.child("enabled")
    return True if child is None else read_boolean(machine, child)


def read_boolean(machine: Machine, field: Field) -> bool | None:
    """True or false; None where it is neither, or not known."""
    value = field.entry.value
    if is_parameter(machine, field):
        return None
    if isinstance(value, Scalar):
        word = value.text.lower()
        if value.plain and word in (*TRUE, *FALSE):
            return word in TRUE
        meant = "true" if word in (*TRUE, "1") else "false" if word in (*FALSE, "0") else ""
        if meant:
            message, instead = f"{field.path} is true or false, and {quoted(value.text)} is a text", f"write {meant}"
            machine.mistakes.append(Mistake("value", message, field, instead, "", ("", meant)))
            return meant == "true"
    machine.wrong(f"{field.path} is true or false", field, "write true or false")
    return None


def read_number(machine: Machine, field: Field | None) -> int | None:
    """A whole number."""
    if field is None or is_parameter(machine, field):
        return None
    value = field.entry.value
    text = value.text.replace("_", "") if isinstance(value, Scalar) and value.plain and len(value.text) < 20 else ""
    try:
        return int(text, 0)
    except ValueError:
        machine.wrong(f"{field.path} is a whole number", field, f"write {roles.ADVISED_NUMBER}")
        return None


def read_text(machine: Machine, field: Field | None) -> str | None:
    """A text as it is written; a number is one, too."""
    if field is None or is_parameter(machine, field):
        return None
    value = field.entry.value
    if isinstance(value, Scalar):
        return value.text
    machine.wrong(f"{field.path} is a text", field, "write one")
    return None


def read_word(machine: Machine, field: Field, name: str, words: tuple[str, ...]) -> str | None:
    """One of some words, in a key below a field."""
    child = field.child(name)
    text = read_text(machine, child)
    if text is None or text in words:
        return text
    machine.wrong(f"{child.path if child else name} cannot be {quoted(text)}", child, f"write {' or '.join(words)}")
    return None


def read_size(machine: Machine, field: Field) -> int | None:
    """A number of vCPUs or of what they are put together of; None for 0, too, which counts as not written."""
    number = read_number(machine, field)
    if number is None or 0 <= number < MOST_VCPUS:
        return number or None
    machine.wrong(f"{field.path} cannot be {number}", field, "write a whole number from 1")
    return None


def is_parameter(machine: Machine, field: Field) -> bool:
    """Whether a value is a template's parameter."""
    value = field.entry.value
    if isinstance(value, Scalar) and "${" in value.text:
        machine.doubt(f"{field.path}: {quoted(value.text)} is a parameter of the template")
        return True
    return False
