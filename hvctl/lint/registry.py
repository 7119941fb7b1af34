"""All rules: the modules below `hvctl.lint.rules`, so that a new file there is a new rule."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from typing import TYPE_CHECKING

from hvctl.lint import rules
from hvctl.lint.rule import Group, rule_of

if TYPE_CHECKING:
    from hvctl.lint.rule import Rule

_GROUPS = list(Group)


@functools.cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule, by group and id."""
    modules = pkgutil.walk_packages(rules.__path__, f"{rules.__name__}.")
    found = [rule_of(importlib.import_module(module.name)) for module in modules if not module.ispkg]
    return tuple(sorted(found, key=lambda rule: (_GROUPS.index(rule.group), rule.id)))


def find_rule(name: str) -> Rule | None:
    """The rule of an id; `_` counts as `-`."""
    wanted = name.strip().lower().replace("_", "-")
    return next((rule for rule in all_rules() if rule.id == wanted), None)
