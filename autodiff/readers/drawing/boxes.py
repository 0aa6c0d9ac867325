"""Which layer a value belongs to: the boxes of a picture.

- A parameter with a dotted name, `encoder.0.weight`, belongs to that module, and so do the values computed from it and
  all that is recorded between two uses of the module's parameters. Modules stand inside each other.
- A plain parameter begins a layer, numbered in order, where the formula that uses it holds a product, as of matrices,
  and it is used in no other product.
- Elementwise operations on nothing but values of one box stand in it, too.
- What comes after all boxes is the loss.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, pairwise, takewhile

from .values import Value

Path = tuple[str, ...]
LOSS: Path = ("loss",)
DEEPEST = 6  # parts of a dotted name that are looked at


def put_in_boxes(values: list[Value]) -> None:
    """Set `path` of every value. Of the leaves of a value, those outside its box come first then."""
    users: dict[Value, list[Value]] = {value: [] for value in values}
    for value in values:
        for x in value.inputs:
            users[x].append(value)
    computed = [value for value in values if not value.is_leaf]
    _put_layers(computed, users)
    _put_what_is_between(computed)
    _put_followers(computed)
    _put_loss(computed, users)
    for value in values:
        if value.is_leaf:
            value.path = _place(value, users[value])
    _join_single_boxes(values)
    runs = [[*run] for _, run in groupby(values, key=lambda value: value.is_leaf)]
    values[:] = [value for run in runs for value in sorted(run, key=lambda x: len(x.path) if x.is_leaf else 0)]


def common(paths: Iterable[Path]) -> Path:
    """The innermost box that all these stand in."""
    found = [*paths]
    both = zip(min(found, default=()), max(found, default=()), strict=False)
    return tuple(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], both))


def title_of(path: Path) -> str:
    """What stands on a box."""
    return f"layer {path[-1]}" if path[-1].isdigit() else path[-1].rstrip("\u200b")


def _put_layers(computed: Sequence[Value], users: dict[Value, list[Value]]) -> None:
    """The values that parameters are used for."""
    number = 0
    for value in computed:
        parameters = [x for x in value.inputs if x.is_parameter]
        modules = [path for x in parameters if (path := _module(x))]
        if modules:
            value.path = common(modules)
        elif value.has_product and any(sum(user.has_product for user in users[x]) == 1 for x in parameters):
            number += 1
            value.path = (f"layer {number}",)


def _module(parameter: Value) -> Path:
    name = parameter.node.name or ""
    return tuple(name.split(".")[:DEEPEST][:-1]) if "." in name else ()


def _put_what_is_between(computed: Sequence[Value]) -> None:
    """What is recorded between two uses of a module's parameters belongs to it, if no others are used there."""
    uses = [i for i, value in enumerate(computed) if value.path]
    whole = _uninterrupted([computed[i].path for i in uses])
    for i, j in pairwise(uses):
        shared = common([computed[i].path, computed[j].path])
        inside = max((box for box in prefixes(shared) if box in whole), default=(), key=len)
        for value in computed[i + 1 : j]:
            value.path = inside


def prefixes(path: Path) -> Iterator[Path]:
    """The boxes that it names, from the outermost."""
    return (path[: i + 1] for i in range(len(path)))


def _uninterrupted(paths: Sequence[Path]) -> set[Path]:
    """The boxes whose uses follow on each other, without others between them."""
    places: dict[Path, list[int]] = {}
    for place, path in enumerate(paths):
        for box in prefixes(path):
            places.setdefault(box, []).append(place)
    return {box for box, found in places.items() if found[-1] - found[0] + 1 == len(found)}


def _put_followers(computed: Sequence[Value]) -> None:
    for value in computed:
        if value.is_elementwise:
            boxes = {x.path for x in value.inputs if not x.is_leaf}
            data = any(x.is_leaf and (not x.is_parameter or _module(x)) for x in value.inputs)
            if boxes and not data:
                value.path = max(value.path, common(boxes) if len(boxes) > 1 else boxes.pop(), key=len)


def _put_loss(computed: Sequence[Value], users: dict[Value, list[Value]]) -> None:
    """What no box uses, if there are boxes."""
    needed: set[Value] = set()
    for value in reversed(computed):
        if value.path or any(user in needed for user in users[value]):
            needed.add(value)
    if needed:
        for value in computed:
            if value not in needed:
                value.path = LOSS


def _place(leaf: Value, users: Sequence[Value]) -> Path:
    """A leaf stands with its users; data that a computation begins with stand before it."""
    if leaf.is_parameter:  # a penalty of its size is a part of the loss, not of the layer
        return common([user.path for user in users if user.path != LOSS] or [LOSS] * bool(users))
    begins = any(all(x.is_leaf for x in user.inputs) for user in users)
    return () if begins else common(user.path for user in users)


def _join_single_boxes(values: Sequence[Value]) -> None:
    """A box that holds nothing but one other box is that box."""
    inside: dict[Path, set[Path]] = {}
    for path in {value.path for value in values}:
        inside.setdefault(path, set()).add(path)
        for outer, inner in pairwise(prefixes(path)):
            inside.setdefault(outer, set()).add(inner)
    for value in values:
        if len(value.path) > 1:
            kept = (box for box in prefixes(value.path) if len(box) == 1 or len(inside[box[:-1]]) > 1)
            value.path = tuple(box[-1] for box in kept)
