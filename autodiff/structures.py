"""Nested structures: arrays in lists, tuples, dicts and dataclasses, as arguments, results and parameters come."""

from __future__ import annotations

import copy as copying
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any, cast

FIELDS = "__dataclass_fields__"  # what a dataclass has; `is_dataclass` asks longer, and says yes of the class, too


class Slot(int):
    """The place of an array that was taken out of a structure."""

    def __repr__(self) -> str:
        return f"<array {int(self)}>"


def mapped(structure: Any, change: Callable[[Any], Any]) -> Any:
    """The same structure, of the same classes, with `change` of each item in its place."""
    if isinstance(structure, dict):
        changed = copying.copy(cast(Any, structure))
        changed.update({key: mapped(value, change) for key, value in cast(Any, structure).items()})
        return changed
    if isinstance(structure, (list, tuple)):
        kind: Any = type(cast(Any, structure))
        items = [mapped(item, change) for item in cast(Any, structure)]
        return kind(*items) if hasattr(kind, "_fields") else kind(items)
    if hasattr(type(structure), FIELDS):
        return replace(structure, **{f.name: mapped(getattr(structure, f.name), change) for f in fields(structure)})
    return change(structure)


def filled(structure: Any, values: Sequence[Any]) -> Any:
    """The structure with the arrays in their places again."""
    return mapped(structure, lambda item: values[item] if isinstance(item, Slot) else item)


def leaves(structure: Any) -> list[Any]:
    """The items of a structure, in order."""
    found: list[Any] = []
    stack = [structure]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            stack += [*cast(Any, item).values()][::-1]
        elif isinstance(item, (list, tuple)):
            stack += cast(Any, item)[::-1]
        elif hasattr(type(item), FIELDS):
            stack += [getattr(item, field.name) for field in fields(item)][::-1]
        else:
            found.append(item)
    return found


def results(structure: Any) -> Any:
    """What a function returned: one array, or a tuple of all arrays in what it returned."""
    if hasattr(structure, "dtype"):
        return structure
    return tuple(item for item in leaves(structure) if hasattr(item, "dtype"))
