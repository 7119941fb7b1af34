"""Words, switches, numbers and texts of a profile, from the source text of YAML scalars."""

import re
from collections.abc import Sequence

from yaml.resolver import Resolver

from hvctl.catalog.windows import plain
from hvctl.profile.keys import Number, Switch, Text, Word, Words, shaped
from hvctl.text.problems import Problems, did_you_mean, quoted
from hvctl.text.yaml_tree import Broken, Items, Mapping, Node, Scalar

# YAML 1.1 and 1.2 agree on these. JSON Schema counts 8191.0 as an integer (draft-07, 6.1.1), and so does this.
_DECIMAL = r"(?a)-?(?:0|[1-9][0-9]*)(?:\.0*)?"
_HEX = r"(?a)0x[0-9a-fA-F]+"
_NUMBER_LIKE = r"(?a)[-+]?[0-9][0-9a-fA-FxXo_:.]*"
_LONGEST_NUMBER = 30

SWITCH_WORDS = {"yes": "on", "true": "on", "on": "on", "no": "off", "false": "off", "off": "off"}


def scalar(node: Node, path: str, wanted: str, problems: Problems) -> Scalar | None:
    """The node, if it is a scalar that is not empty; else a problem that says what is wanted."""
    match node:
        case Scalar():
            if node.text or not node.plain:
                return node
            problems.add(f"{path} is empty", node.span, f"write {wanted}, or leave the key out")
        case Mapping():
            problems.add(f"{path} is not a mapping", node.span, f"write {wanted}")
        case Items():
            problems.add(f"{path} is not a list", node.span, f"write {wanted}")
        case Broken():
            pass
    return None


def read_word(key: Word, node: Node, path: str, problems: Problems) -> str | None:
    """One of the key's words."""
    found = scalar(node, path, _choice(key.words), problems)
    if found is None or found.text in key.words:
        return found and found.text
    hint = did_you_mean(found.text, key.words) or f"write {_choice(key.words)}"
    problems.add(f"{path} cannot be {quoted(found.text)}", found.span, hint)
    return None


def read_switch(_key: Switch, node: Node, path: str, problems: Problems) -> bool | None:
    """`on` or `off`."""
    found = scalar(node, path, "on or off", problems)
    if found is None or found.text in ("on", "off"):
        return found and found.text == "on"
    not_a_state(found, path, ("on", "off"), problems)
    return None


def not_a_state(found: Scalar, path: str, words: Sequence[str], problems: Problems) -> None:
    """Report what stands where `on` or `off` should; YAML's other booleans get their translation."""
    meant = SWITCH_WORDS.get(found.text.lower())
    hint = f"write on or off: here, {meant}" if meant else did_you_mean(found.text, words) or f"write {_choice(words)}"
    problems.add(f"{path} cannot be {quoted(found.text)}", found.span, hint)


def read_text(key: Text, node: Node, path: str, problems: Problems) -> str | None:
    """Text of the key's shape."""
    found = scalar(node, path, key.shape, problems)
    if found is None or not is_text(found, path, problems):
        return None
    if shaped(key, found.text):
        return found.text
    if len(found.text) > key.longest:
        problems.add(f"{path} is longer than {key.longest} characters", found.span)
    else:
        problems.add(f"{path} cannot be {quoted(found.text)}", found.span, f"write {key.shape}")
    return None


def is_text(found: Scalar, path: str, problems: Problems) -> bool:
    """Whether every YAML reader takes a scalar for text; a problem if it would be a number, boolean, date or null."""
    if not found.plain or yaml_takes_for_text(found.text):
        return True
    problems.add(f"{path} is text, and YAML reads {quoted(found.text)} as something else", found.span, "quote it")
    return False


def yaml_takes_for_text(word: str) -> bool:
    """Whether a word without quotes is text for every YAML reader."""
    resolvers = Resolver.yaml_implicit_resolvers.get(word[:1], ())
    return not any(pattern.match(word) for _tag, pattern in resolvers)


def read_number(key: Number, node: Node, path: str, problems: Problems) -> int | str | None:
    """A number in the key's range, or one of its words."""
    wanted = _choice((*key.words, _range(key.minimum, key.maximum)))
    found = scalar(node, path, wanted, problems)
    if found is None or found.text in key.words:
        return found and found.text
    number = integer(found, path, wanted, problems)
    if number is None:
        return None
    if not key.minimum <= number <= key.maximum:
        problems.add(f"{path} cannot be {number}", found.span, f"write {wanted}")
        return None
    if number % key.multiple:
        near = max(key.minimum, number // key.multiple * key.multiple)
        problems.add(f"{path} is a multiple of {key.multiple}", found.span, f"write {near}, or {near + key.multiple}")
        return None
    return number


def integer(found: Scalar, path: str, wanted: str, problems: Problems) -> int | None:
    """A whole number, decimal or 0x…, as bare word; else a problem."""
    text = found.text
    if found.plain and len(text) <= _LONGEST_NUMBER:
        if re.fullmatch(_DECIMAL, text):
            return int(text.partition(".")[0])
        if re.fullmatch(_HEX, text):
            return int(text, 16)
    if len(text) <= _LONGEST_NUMBER and (re.fullmatch(_DECIMAL, text) or re.fullmatch(_HEX, text)):
        hint = "write the number without quotes"
    elif re.fullmatch(_NUMBER_LIKE, text):
        hint = f"write {wanted}, in decimal or as 0x…, without underscores and leading zeros"
    else:
        hint = f"write {wanted}"
    problems.add(f"{path} cannot be {quoted(text)}", found.span, hint)
    return None


def read_words(key: Words, node: Node, path: str, problems: Problems) -> tuple[str, ...] | None:
    """A list of the key's words."""
    if not isinstance(node, Items):
        if not isinstance(node, Broken):
            problems.add(f"{path} is a list", node.span, f"write it as [{key.words[0]}]")
        return None
    found: dict[str, Scalar] = {}
    for item in node.items:
        said = scalar(item, path, _choice(key.words), problems)
        if said is None:
            continue
        one = key.names.get(plain(said.text))
        if one is None:
            hint = did_you_mean(plain(said.text), key.names) or f"write {_choice(key.words)}"
            problems.add(f"{path} cannot be {quoted(said.text)}", said.span, hint)
            continue
        if one in found:
            problems.add(f"{path} has {quoted(one)} twice", said.span, "", ("first here", found[one].span))
        found.setdefault(one, said)
    return tuple(found)


def _choice(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _range(minimum: int, maximum: int) -> str:
    return str(minimum) if minimum == maximum else f"a whole number from {minimum} to {maximum}"
