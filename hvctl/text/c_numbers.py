"""Numbers as C reads them: QEMU and libvirt take what strtol(3) takes, and say of the rest that it is no number."""

import re

# strtoull with base 0: white space, a sign, then 0x and hexadecimal, 0 and octal, or decimal digits.
_ANY_BASE = r"(?a)[ \t\n\v\f\r]*([+-]?)(?:0[xX]([0-9a-fA-F]+)|(0[0-7]*)|([1-9][0-9]*))"
# C23's strtoull reads it too: glibc's does from 2.38 on, so that Debian 13's QEMU takes it, and Debian 12's does not.
_BINARY = r"(?a)[ \t\n\v\f\r]*([+-]?)0[bB]([01]{1,64})"
_DECIMAL = r"(?a)[ \t\n\v\f\r]*\+?([0-9]+)"
# qemu:util/cutils.c, do_strtosz() with powers of 1000. Only what has a unit can have a fraction.
_SIZE = r"(?a)[ \t\n\v\f\r]*\+?([0-9]+)(?:([bB])?|(?:\.([0-9]*))?([kKmMgGtTpPeE]))"
_UNITS = "kmgtpe"
_LONGEST = 40


def whole_number(text: str) -> int | None:
    """The number of a text with base 0, so that `0x1000` and `010000` are 4096; None where C finds none, or more."""
    if len(text) <= _LONGEST and text.isdecimal() and text.isascii() and text[0] != "0":
        return int(text)  # most, in a tenth of the time
    match = re.fullmatch(_ANY_BASE, text) if len(text) <= _LONGEST else None
    if match is None:
        return None
    sign, hexadecimal, octal, decimal = match.groups()
    number = int(hexadecimal, 16) if hexadecimal else int(octal, 8) if octal else int(decimal)
    return -number if sign == "-" else number


def binary_number(text: str) -> int | None:
    """The number of a text such as `0b101`, if it has that form: some C libraries read it, others find no number."""
    match = re.fullmatch(_BINARY, text)
    return match and int(f"{match[1]}{match[2]}", 2)


def decimal_number(text: str) -> int | None:
    """The number of a text with base 10 and without a minus, as libvirt's virStrToLong_ullp takes it."""
    if len(text) <= _LONGEST and text.isdecimal() and text.isascii():
        return int(text)  # as above
    match = re.fullmatch(_DECIMAL, text) if len(text) <= _LONGEST else None
    return match and int(match[1])


def metric_number(text: str) -> int | None:
    """The number of a text such as `2.5G`, units being powers of 1000; None where it has another form."""
    if len(text) > _LONGEST:
        return None
    match = re.fullmatch(_SIZE, text)
    if match is None:
        number = whole_number(text)
        return None if number is None or number < 0 else number
    digits, _, fraction, unit = match.groups()
    factor = int("1" + "000" * (_UNITS.index(unit.lower()) + 1)) if unit else 1
    return int(digits) * factor + int(fraction or "0") * factor // int("1" + "0" * len(fraction or ""))
