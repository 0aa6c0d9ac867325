"""From a graph to pictures of it, with more or fewer of its layers folded."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from ...graph import Graph, Node
from ...sites import __library__  # noqa: F401
from ...tensor import Tensor
from . import measures
from .boxes import Path, prefixes, put_in_boxes, title_of
from .folding import CUT_FROM, Cell, boxes_of, cells_of, folded
from .measures import Measures
from .picture import Arrow, Box, Card, Kind, Picture
from .values import Value, values_of
from .wording import Words

NAMED = 1000  # values: of more, only those that are drawn get names of ours, and have their gradients measured
OFFERED = 100  # boxes: of more, a page folds all or none


class Sketch:
    """What all pictures of a graph share: the values that are drawn, their boxes, numbers and words.

    `fold`: the boxes that are folded at first.
    """

    def __init__(self, outputs: Sequence[Tensor], fold: bool | None = None) -> None:
        self.fold: frozenset[Path] = frozenset()
        self._outputs: list[Node] = [output._current()[1] for output in outputs]
        self._graph: Graph = Graph(self._outputs)
        self._words: Words = Words(self._outputs)
        cells = self._choose(self._words.named, fold)
        if len(cells) >= CUT_FROM:  # names of what is computed element by element give way
            cells = self._choose(lambda node: node.is_leaf, fold)
        self._cells = {self.fold: cells}
        if len(self._values) <= NAMED:
            for value in self._values:
                self._words.name(value)  # in this order, whatever is folded
        self._measures = Measures(self._graph, outputs, self._measured(cells))

    def _choose(self, named: Callable[[Node], bool], fold: bool | None) -> list[Cell]:
        """Choose the values that are drawn, and what is folded."""
        self._values = values_of(self._graph, named)
        put_in_boxes(self._values)
        self._uses = Counter(x for value in self._values if value.node.needs for x in value.inputs)
        self._boxes = boxes_of(self._values)
        if fold is None:
            self.fold, cells = folded(self._values, self._boxes)
            return cells
        self.fold = frozenset(self._boxes if fold else ())
        return cells_of(self._values, self._boxes, self.fold)

    def _measured(self, cells: Sequence[Cell]) -> Iterator[Node]:
        """The nodes whose gradients are said: of large graphs only those of the cells that are drawn at first."""
        if len(self._values) <= NAMED:
            return (value.node for value in self._values)
        values = (value for cell in cells for value in (cell.values if cell.kind == "box" else cell.values[-1:]))
        return (value.node for value in values)

    def picture(self, fold: frozenset[Path]) -> Picture:
        """The picture with these boxes folded."""
        cells = self._cells.get(fold) or cells_of(self._values, self._boxes, fold)
        uses = Counter(x for cell in cells for x in cell.inputs)
        cards = {cell: self._card(cell) for cell in cells}
        return Picture(
            letter=self._words.letter,
            title=self._title(),
            notes=tuple(self._notes()),
            cards=tuple(cards.values()),
            arrows=tuple(self._arrows(cards, uses)),
            boxes=tuple(self._opened(cells)),
            remark="freed by backward: its values were computed again" if self._measures.released else "",
            banner=next((f"{card.name} are not shown" for card in cards.values() if card.kind == "hidden"), ""),
            differentiated=self._measures.differentiated,
        )

    def folds(self) -> list[frozenset[Path]]:
        """The ways to fold that a page offers, the first at first: none, all, each box alone, all but each."""
        boxes = list(self._boxes) if len(self._boxes) <= OFFERED else []
        every = frozenset(self._boxes)
        under = [frozenset(other for other in boxes if other[: len(box)] == box) for box in boxes]
        return list(dict.fromkeys([self.fold, frozenset[Path](), every, *(every - own for own in under), *under]))

    # --- cards and arrows ---------------------------------------------------------------------------------------------

    def _card(self, cell: Cell) -> Card:
        if cell.kind == "hidden":
            return Card(cell.key, "hidden", f"{cell.times:,} cards", "", "", "not shown", path=cell.path)
        if cell.kind == "box":
            return self._layer(cell)
        value = cell.value
        return Card(
            key=cell.key,
            kind=self._kind(value),
            name=self._words.name(value),
            formula=self._words.formula(value),
            shape=measures.shape(value.node),
            extent=self._measures.extent([one.node for one in cell.values]),
            gradient=self._measures.size([value.node]),
            times=cell.times,
            path=cell.path,
        )

    def _kind(self, value: Value) -> Kind:
        if value.is_leaf:
            return "parameter" if value.node.needs else "data"
        if value.node in self._outputs:
            return "output" if value.node.shape else "loss"
        return "value"

    def _layer(self, cell: Cell) -> Card:
        """A box that is folded: what it computes, and how large the gradient of its parameters is."""
        parameters = [value.node for value in cell.values if value.is_parameter]
        last = next(value for value in reversed(cell.values) if not value.is_leaf)
        titles = dict.fromkeys(title_of(path[: len(cell.box)]) for path in (cell.box, last.path))
        return Card(
            key=cell.key,
            kind="layer",
            name=" … ".join(titles),
            formula=self._words.layer(cell.last_round),
            shape=_sizes(parameters) or measures.shape(last.node),
            extent=self._measures.extent([last.node]),
            gradient=self._measures.size(parameters or [last.node]),
            times=cell.times,
            path=cell.path,
        )

    def _arrows(self, cards: dict[Cell, Card], uses: Counter[Cell]) -> Iterator[Arrow]:
        for cell, card in cards.items():
            for x in cell.inputs:
                carries = self._measures.differentiated and cards[x].gradient is not None and card.kind != "hidden"
                rule = self._rule(cell, x) if carries and cell.kind == x.kind == "value" else ""
                yield Arrow(cards[x], card, carries, _stands_beside(x, cell, uses), rule)

    def _rule(self, user: Cell, source: Cell) -> str:
        """What flows back; of a repetition, that of the last round to what each round uses is one of several terms."""
        rule = self._words.rule(user.value, source.value, self._uses[source.value] > 1)
        return f"{rule} + …" if rule and user.rounds > source.rounds else rule

    # --- boxes --------------------------------------------------------------------------------------------------------

    def _opened(self, cells: Sequence[Cell]) -> Iterator[Box]:
        paths = dict.fromkeys(box for cell in cells for box in prefixes(cell.path))
        for number, path in enumerate(paths):
            inside = [value for cell in cells if cell.path[: len(path)] == path for value in cell.values]
            parameters = list(dict.fromkeys(value.node for value in inside if value.is_parameter))
            yield Box(self._boxes.get(path, f"t{number}"), path, title_of(path), _note(parameters))

    # --- what stands above --------------------------------------------------------------------------------------------

    def _title(self) -> str:
        if len(self._outputs) > 1:
            return f"{len(self._outputs)} outputs"
        (node,) = self._outputs
        name = self._words.names.text(node) or "output"
        return (
            f"{name} = {self._measures.extent([node])}" if node.shape == () else f"{name}, shape {measures.shape(node)}"
        )

    def _notes(self) -> Iterator[str]:
        parameters = [leaf for leaf in self._graph.leaves if leaf.needs]
        if parameters:
            yield f"{_count_of(parameters)} in {counted(len(parameters), 'tensor')}"
        data = {leaf.shape[0] for leaf in self._graph.leaves if not leaf.needs and len(leaf.shape) > 1}
        if len(data) == 1 and data != {1}:
            yield counted(data.pop(), "sample")


def _note(parameters: Sequence[Node]) -> str:
    """`2 → 4, 8 parameters`."""
    return ",  ".join(filter(None, [_sizes(parameters, " → "), _count_of(parameters)]))


def _sizes(parameters: Sequence[Node], joint: str = " × ") -> str:
    """The sizes of the first matrix among some parameters."""
    return next((joint.join(map(str, node.shape)) for node in parameters if len(node.shape) == 2), "")


def _count_of(parameters: Sequence[Node]) -> str:
    return counted(sum(math.prod(node.shape) for node in parameters), "parameter") if parameters else ""


def counted(number: int, noun: str) -> str:
    """`1 parameter`, `12 parameters`."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _stands_beside(leaf: Cell, user: Cell, uses: Counter[Cell]) -> bool:
    """Whether a leaf stands beside its only user: not where the computation begins with it."""
    if not leaf.is_leaf or uses[leaf] > 1 or leaf.path != user.path:
        return False
    others = [x for x in user.inputs if x is not leaf]
    begins = leaf.is_parameter and any(not x.is_parameter for x in others)
    return begins or any(not x.is_leaf for x in others)
