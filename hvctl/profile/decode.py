"""The tree of one profile file to its settings, by the table of keys."""

from typing import Any, NamedTuple, assert_never

from hvctl.catalog.cpu_models import qemu_name
from hvctl.errors import Span
from hvctl.profile import keys
from hvctl.profile.values import is_text, read_number, read_switch, read_text, read_word, read_words
from hvctl.profile.wishes import read_wishes
from hvctl.text.problems import Problems, did_you_mean, quoted
from hvctl.text.yaml_tree import Broken, Entry, Mapping, Node, Scalar


class Setting(NamedTuple):
    """A value and where it was written. Its type is that of the key's kind; a Wish for enlightenments, a pair of name
    and bool for CPU features."""

    value: Any
    span: Span


Settings = dict[str, Setting]


def decode(root: Node, problems: Problems) -> Settings:
    """The settings of one file by their key paths (`guest.os`, `cpu.features.invtsc`); mistakes go to `problems`."""
    decoder = _Decoder(problems)
    decoder.table(keys.ROOT, root, "")
    return decoder.settings


class _Decoder:
    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.settings: Settings = {}

    def table(self, table: keys.Table, node: Node, path: str) -> None:
        mapping = self.mapping(node, path)
        if mapping is None:
            return
        for entry in mapping.entries:
            key = table.keys.get(entry.key.text)
            if key is None:
                hint = did_you_mean(entry.key.text, table.keys) or f"the keys here are {', '.join(table.keys)}"
                where = f" in {path}" if path else ""
                self.problems.add(f"no key {quoted(entry.key.text)}{where}", entry.key.span, hint)
            else:
                self.entry(key, entry, f"{path}.{entry.key.text}" if path else entry.key.text)
        present = {entry.key.text for entry in mapping.entries}
        for name in table.required:
            if name not in present:
                self.problems.add(f"the key `{name}` is missing", mapping.span, f"begin with `{name}: 1`")

    def entry(self, key: keys.Key, entry: Entry, path: str) -> None:
        node = entry.value
        match key:
            case keys.Table():
                if key.short and isinstance(node, Scalar):
                    self.entry(key.keys[key.short], entry, f"{path}.{key.short}")
                else:
                    self.table(key, node, path)
            case keys.Enlightenments():
                self.enlightenments(node, path)
            case keys.Features():
                self.features(node, path)
            case _:
                value = self.value(key, node, path)
                if value is not None:
                    self.settings[path] = Setting(value, entry.span)

    def value(self, key: keys.Word | keys.Switch | keys.Text | keys.Number | keys.Words, node: Node, path: str) -> Any:
        match key:
            case keys.Word():
                return read_word(key, node, path, self.problems)
            case keys.Switch():
                return read_switch(key, node, path, self.problems)
            case keys.Text():
                return read_text(key, node, path, self.problems)
            case keys.Number():
                return read_number(key, node, path, self.problems)
            case keys.Words():
                return read_words(key, node, path, self.problems)
            case _:
                assert_never(key)

    def enlightenments(self, node: Node, path: str) -> None:
        if mapping := self.mapping(node, path):
            for row_id, wish in read_wishes(mapping, self.problems).items():
                if wish.span:
                    self.settings[f"{path}.{row_id}"] = Setting(wish, wish.span)

    def features(self, node: Node, path: str) -> None:
        mapping = self.mapping(node, path)
        seen: dict[str, Entry] = {}
        for entry in mapping.entries if mapping else ():
            if not self.feature_name(entry.key, path):
                continue
            name = qemu_name(entry.key.text)
            if name in seen:
                first = ("first here", seen[name].key.span)
                message = f"{quoted(entry.key.text)} is the same as {quoted(seen[name].key.text)}"
                self.problems.add(message, entry.key.span, "leave one of them out", first)
                continue
            seen[name] = entry
            on = read_switch(keys.Switch(""), entry.value, f"{path}.{entry.key.text}", self.problems)
            if on is not None:
                self.settings[f"{path}.{name}"] = Setting((name, on), entry.span)

    def feature_name(self, key: Scalar, path: str) -> bool:
        name = key.text.replace("_", "-")
        for prefix, hint in keys.RESERVED_PREFIXES.items():
            if name.startswith(prefix):
                self.problems.add(f"{quoted(key.text)} is not allowed in {path}", key.span, hint)
                return False
        if name in keys.RESERVED_FEATURES:
            self.problems.add(f"{quoted(key.text)} is not allowed in {path}", key.span, keys.RESERVED_FEATURES[name])
            return False
        if not keys.shaped(keys.Text(keys.FEATURE, "", keys.LONGEST_FEATURE, ""), key.text):
            hint = "small letters, digits, `.`, `_` and `-`, as `qemu-system-x86_64 -cpu help` lists them"
            self.problems.add(f"{quoted(key.text)} is not the name of a CPU feature", key.span, hint)
            return False
        return is_text(key, f"the name {quoted(key.text)}", self.problems)

    def mapping(self, node: Node, path: str) -> Mapping | None:
        if isinstance(node, Mapping):
            return node
        if not isinstance(node, Broken):
            what = path or "a profile"
            empty = isinstance(node, Scalar) and not node.text and node.plain
            hint = "leave the key out" if empty and path else "write `key: value` lines"
            self.problems.add(f"{what} is {'empty' if empty else 'a mapping'}", node.span, hint)
        return None
