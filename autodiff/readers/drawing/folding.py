"""How a large graph becomes a small picture: layers fold, repetitions are drawn once, and what is left is cut."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from .boxes import LOSS, Path, common, prefixes, title_of
from .values import Value

FOLDED_FROM = 30  # more cards than these: layers fold, and what repeats itself is drawn once
CUT_FROM = 300  # more, whatever was asked for: the middle is left out
COPIED_FROM = 5  # uses of a leaf: then it is drawn beside each of them
LONGEST_PERIOD = 128

Kind = Literal["value", "box", "hidden"]


class Cell:
    """What one card stands for: a value, a box that is folded, or all that is hidden.

    `values` are in the order of recording; of a repetition those of all its `rounds`. `times`: how many equal cards it
    stands for. `path`: the boxes that it is drawn in; of a folded box `box` is its own. `inputs`: whence arrows come.
    """

    __slots__ = ("box", "inputs", "key", "kind", "path", "rounds", "times", "values")

    def __init__(self, kind: Kind, key: str, values: list[Value], path: Path, box: Path = (), times: int = 1) -> None:
        self.kind: Kind = kind
        self.key: str = key
        self.values: list[Value] = values
        self.path: Path = path
        self.box: Path = box
        self.times: int = times
        self.rounds: int = 1
        self.inputs: list[Cell] = []

    @property
    def value(self) -> Value:
        """The value of a card that shows one: of a repetition, the last."""
        return self.values[-1]

    @property
    def last_round(self) -> list[Value]:
        """The values of a folded box: of a repetition, those of the last."""
        return self.values[-(len(self.values) // self.rounds) :]

    @property
    def is_leaf(self) -> bool:
        """Whether it is one value that was given, not computed."""
        return self.kind == "value" and self.value.is_leaf

    @property
    def is_parameter(self) -> bool:
        """Whether it is a leaf that a gradient is wanted for."""
        return self.kind == "value" and self.value.is_parameter


def boxes_of(values: Sequence[Value]) -> dict[Path, str]:
    """The boxes that can be folded, in their order, outer before inner: all but that of the loss. Each has a key."""
    paths = dict.fromkeys(value.path for value in values)
    boxes = dict.fromkeys(box for path in paths for box in prefixes(path) if box != LOSS)
    return {box: f"b{number}" for number, box in enumerate(boxes)}


def folded(values: Sequence[Value], boxes: Mapping[Path, str]) -> tuple[frozenset[Path], list[Cell]]:
    """The boxes to fold so that not too much is drawn, the innermost if that is enough; and the cells then."""
    if len(values) <= FOLDED_FROM:
        return frozenset(), cells_of(values, boxes, ())
    fold, cells = frozenset[Path](), list[Cell]()
    for depth in reversed(range(max(map(len, boxes), default=1))):
        fold = frozenset(box for box in boxes if len(box) > depth)
        cells = cells_of(values, boxes, fold, FOLDED_FROM)
        if len(cells) <= FOLDED_FROM:
            break
    return fold, cells


def _folded(path: Path, fold: Collection[Path]) -> Path:
    """The outermost folded box that something stands in, () for none."""
    return next((box for box in prefixes(path) if box in fold), ())


def cells_of(
    values: Sequence[Value], boxes: Mapping[Path, str], fold: Collection[Path], most: int = CUT_FROM
) -> list[Cell]:
    """The cells of a picture, each after its inputs; of more than `most`, what repeats itself is drawn once."""
    cells: dict[Any, Cell] = {}
    drawn = {path: _folded(path, fold) for path in {value.path for value in values}}
    for number, value in enumerate(values):
        box = drawn[value.path]
        if not box:
            cells[value] = Cell("value", f"c{number}", [value], value.path)
        elif box in cells:
            cells[box].values.append(value)
        else:
            cells[box] = Cell("box", boxes[box], [value], box[:-1], box)
    found = list(cells.values())
    if len(found) > most:
        found = _repetitions_once(found, most)
    _connect(found)
    found = _leaves_beside_their_uses(found)
    return _cut(found) if len(found) > CUT_FROM else found


def _connect(cells: Sequence[Cell]) -> None:
    """Set the inputs; what one round of a repetition gives to the next is inside it."""
    home = {value: cell for cell in cells for value in cell.values}
    place = {cell: i for i, cell in enumerate(cells)}
    for cell in cells:
        inputs = dict.fromkeys(home[x] for value in cell.values for x in value.inputs)
        cell.inputs = [x for x in inputs if place[x] < place[cell] or (x.is_leaf and x is not cell)]


# --- repetitions ------------------------------------------------------------------------------------------------------


def _repetitions_once(cells: list[Cell], most: int) -> list[Cell]:
    """Draw what repeats itself once, as often as that makes the picture smaller by a fifth."""
    for number in range(8):
        start, period, times = _longest_repetition(cells)
        if len(cells) <= most or times < 3 or (times - 1) * period < len(cells) // 5:
            break
        rounds = cells[start : start + period * times]
        box = _box_of(rounds[:period], rounds[-period:], times, number) if period > 1 else None
        once = [_once(rounds[i::period], box) for i in range(period)]
        cells = [*cells[:start], *once, *cells[start + period * times :]]
    return cells


def _box_of(first: Sequence[Cell], last: Sequence[Cell], times: int, number: int) -> Path:
    """The box of a repetition: `× 12`, with the names of its first and last module, if it has one."""
    outer = common(cell.path for cell in (*first, *last))
    inner = [{title_of(cell.path[: len(outer) + 1]) for cell in cells if len(cell.path) > len(outer)}
             for cells in (first, last)]  # fmt: skip
    names = f"{inner[0].pop()} … {inner[1].pop()}  " if len(inner[0]) == len(inner[1]) == 1 else ""
    return (*outer, f"{names}× {times:,}" + "\u200b" * number)  # equal titles, but not the same box


def _once(cells: Sequence[Cell], box: Path | None) -> Cell:
    """One for all: in the box of the repetition, or, where it is all of it, with their number on it."""
    first = cells[0]
    values = [value for cell in cells for value in cell.values]
    times = first.times if box else first.times * len(cells)
    once = Cell(first.kind, first.key, values, box or first.path, first.box, times)
    once.rounds = first.rounds * len(cells)
    return once


def _longest_repetition(cells: Sequence[Cell]) -> tuple[int, int, int]:
    """Where the repetition begins that saves most cards, its period, and how often it is repeated."""
    numbers: dict[Any, int] = {}
    signs = np.array([numbers.setdefault(_sign(cell), len(numbers)) for cell in cells])
    best, saved = (0, 1, 1), 0
    for period in range(1, min(len(cells) // 3, LONGEST_PERIOD) + 1):
        same = np.concatenate([[False], signs[period:] == signs[:-period], [False]])
        ends = np.flatnonzero(same[1:] != same[:-1]).reshape(-1, 2)
        start, end = max(ends.tolist(), key=lambda run: run[1] - run[0], default=(0, 0))
        times = (end - start) // period + 1
        if (times - 1) * period > saved:
            best, saved = (start, period, times), (times - 1) * period
    return best


def _sign(cell: Cell) -> Any:
    """What two cells have in common that do the same."""
    value = cell.value
    operations = tuple(node.primitive and node.primitive.name for node in value.inside[-8:])
    return cell.kind, cell.times, len(cell.values), operations, value.node.shape, value.is_parameter, len(value.inputs)


# --- what is left out, what is drawn more than once -------------------------------------------------------------------


def _cut(cells: Sequence[Cell]) -> list[Cell]:
    """Leave out the middle: one cell stands for all of it."""
    first, last = CUT_FROM // 3, CUT_FROM - CUT_FROM // 3 - 1
    middle = cells[first:-last]
    hidden = Cell("hidden", "hidden", [], (), times=len(middle))
    kept = [*cells[:first], hidden, *cells[-last:]]
    place = dict.fromkeys(middle, first) | {cell: i for i, cell in enumerate(kept)}
    inputs = dict.fromkeys(x for cell in middle for x in cell.inputs if place[x] < first)
    for cell in kept:
        seen = dict.fromkeys(kept[place[x]] for x in cell.inputs)
        cell.inputs = [x for x in seen if place[x] < place[cell]]
    hidden.inputs = list(inputs)
    return kept


def _leaves_beside_their_uses(cells: Sequence[Cell]) -> list[Cell]:
    """A leaf that is used often is drawn beside each use: its arrows would cross the picture."""
    users: dict[Cell, list[Cell]] = {}
    for cell in cells:
        for x in cell.inputs:
            if x.is_leaf:
                users.setdefault(x, []).append(cell)
    often = {leaf for leaf, found in users.items() if len(found) >= COPIED_FROM}
    for leaf, found in users.items():
        if len(found) == 1 and leaf.is_parameter:
            leaf.path = found[0].path  # in a repetition, where each round uses it
    return [copy for cell in cells if cell not in often for copy in _with_copies(cell, often)]


def _with_copies(cell: Cell, often: Collection[Cell]) -> Iterator[Cell]:
    for i, x in enumerate(cell.inputs):
        if x in often:
            copy = Cell(x.kind, f"{x.key}_{cell.key}", x.values, cell.path, x.box, x.times)
            copy.rounds = x.rounds
            cell.inputs[i] = copy
            yield copy
    yield cell
