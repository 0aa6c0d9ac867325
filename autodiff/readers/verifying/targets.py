"""What the values of a step could be meant to be: the true derivatives of the loss, and other things that steps are.

A statement in a loop runs several times, and so does what the forward pass computes there: the derivatives by its
values are dealt out to the runs of the statement.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...derivative import pull
from ...graph import Graph, Node
from .alignments import alignments
from .problem import Problem
from .program import Record
from .truth import Look, source
from .uses import Uses
from .view import Applied

if TYPE_CHECKING:
    from .locate import Trail

Place = tuple[int, int, tuple[Any, ...]]
Values = dict[Place, Any]
LOOP = 6  # values that one line makes in a loop: not each is a candidate for each step
SCALARS = 60  # numbers of which the derivatives by others are asked


def flat(values: Iterable[Any]) -> Any:
    """The entries of several arrays, one after the other."""
    return np.concatenate([np.ravel(value) for value in values])


@dataclass(eq=False)
class Target:
    """What the values of a statement should be: true derivatives, one for each time that it runs."""

    values: tuple[Any, ...]
    nodes: tuple[Any, ...]  # with respect to which values
    kind: str = "adjoint"  # or "final", "value", "use", "row", "slope", "local"
    ends: tuple[Any, ...] = ()  # of which values, where not of the loss

    @functools.cached_property
    def key(self) -> bytes:
        """What is equal for targets of the same values."""
        return b"".join(np.asarray(v).tobytes() for v in self.values)

    @functools.cached_property
    def flat(self) -> Any:
        """The entries of all values, one after the other."""
        return flat(self.values)


@dataclass(eq=False)
class Healing:
    """A statement, what its values should be, and which gradients that mends."""

    statement: int
    target: Target
    values: Values
    mended: frozenset[str]
    factor: float = 1.0
    order: int = 0
    penalty: int = 0


class Targets:
    """The targets of the statements of a trail."""

    def __init__(self, trail: Trail) -> None:
        self.trail: Trail = trail
        self.problem: Problem = trail.problem
        self.look: Look = trail.look
        self.nodes: dict[Place, Node] = trail.nodes
        self.steps: dict[int, list[Record]] = trail.steps
        self.groups: dict[tuple[Any, ...], list[Node]] = trail.groups
        self.places: dict[Node, Any] = trail.places
        self.known_as: dict[Node, list[str]] = trail.known_as
        self.named: dict[Node, str] = trail.named
        self._known: dict[Any, _Remembered] = {}
        self.uses: Uses = Uses(trail.look, trail.problem.program, trail.places, trail.groups)

    def derivatives(self, statement: int) -> Iterator[tuple[list[Record], Target]]:
        """The derivatives of the loss that a statement's values could be meant to be, dealt out to when it ran.

        What the last run of a loop hands on may go to what nobody differentiates by.
        """
        for records in self._instances(statement):
            shapes = tuple(np.shape(r.value) for r in records)
            for kind in (self._adjoints, self._rows, self._piled):
                yield from ((records, target) for target in self._remembered(kind, shapes))
            but_one = records[:-1]
            for target in self._remembered(self._adjoints, shapes[:-1]) if but_one else ():
                yield but_one, target

    def _remembered(self, kind: Callable[[Any], Iterator[Target]], shapes: tuple[Any, ...]) -> Iterable[Target]:
        """The targets of some shapes, which are the same for all statements."""
        key = kind.__name__, shapes
        if key not in self._known:
            self._known[key] = _Remembered(kind(shapes))
        return self._known[key]

    def all(self, statement: int) -> Iterator[tuple[list[Record], Target]]:
        """All that a statement's values could be meant to be, each once."""
        yield from _once(itertools.chain(self.derivatives(statement), self._others(statement)))

    def _others(self, statement: int) -> Iterator[tuple[list[Record], Target]]:
        """What comes from single uses, values of the forward pass, derivatives of activations."""
        for records in self._instances(statement):
            shapes = tuple(np.shape(r.value) for r in records)
            for some in (records, records[:-1]) if len(records) > 1 else (records,):
                own = shapes[: len(some)]
                found = itertools.chain(self._remembered(self._uses, own), self._forward_values(some, own))
                yield from ((some, target) for target in found)
            if not self._is_derivative(records):
                kind = self.problem.program.statements[statement].kind
                if kind not in ("return", "argument", "+=", "-="):  # what a helper is given may be wrong, too
                    yield from ((records, target) for target in self._remembered(self._slopes, shapes))

    def of_numbers(self, statement: int) -> Iterator[tuple[list[Record], Target]]:
        """Of a step that computes numbers: derivatives of one by another."""
        for records in self._instances(statement):
            if not any(np.shape(record.value) for record in records):
                yield from ((records, target) for target in self._locals(len(records)))

    def _locals(self, n: int) -> Iterator[Target]:
        """The derivatives of numbers by numbers, which a derivation without arrays is made of: ∂h/∂w."""
        groups = [nodes for nodes in self.groups.values() if len(nodes) == n and all(u.shape == () for u in nodes)]
        numbers = [node for node in self.look.forward if node.is_leaf and node.shape == ()]
        starts = [*groups, *([node] * n for node in numbers)]
        for ends in groups[:SCALARS]:
            found: list[dict[Any, Any]] = [
                pull(u, np.float64(1), {source(v) for vs in starts for v in vs}) for u in ends
            ]
            for chosen in starts:
                values = [slopes.get(source(v)) for slopes, v in zip(found, chosen, strict=True)]
                if ends is not chosen and all(value is not None for value in values):
                    yield Target(tuple(values), tuple(chosen), "local", tuple(ends))

    def _slopes(self, shapes: Sequence[Any]) -> Iterator[Target]:
        """The derivatives of activations, entry by entry, which some derivations compute in a line of their own."""
        if not any(shapes):
            return
        by_place: dict[Any, list[Applied]] = defaultdict(list)
        for shape in set(shapes):
            for applied in self.trail.view.of_shape(shape):
                if applied.slope.shape == shape:
                    by_place[self.places.get(applied.node), applied.activation].append(applied)
        for found in by_place.values():
            found.sort(key=lambda applied: applied.node.index)
            for chosen in alignments(found, len(shapes)):
                if [x.slope.shape for x in chosen] == list(shapes):
                    yield Target(tuple(x.slope for x in chosen), tuple(x.node for x in chosen), "slope")

    def _is_derivative(self, records: Sequence[Record]) -> bool:
        """Whether what the loss compares with, or a derivative of it, is behind the values: then they are no slopes."""
        nodes = [self.nodes[r.place] for r in records[:1] if r.place in self.nodes]
        given = (x.value for x in Graph(nodes).leaves if not x.needs)
        known = not self.made_of_derivatives.isdisjoint(nodes)
        return known or any(np.size(value) > 1 and _contents(value) in self.compared for value in given)

    @functools.cached_property
    def made_of_derivatives(self) -> set[Node]:
        """What is made of right derivatives of the loss, and these themselves."""
        places = {place for k in self.steps for one in self.trail.told(k) for place in one.places}
        found = {self.nodes[place] for place in places if place in self.nodes}
        for node in Graph(list(self.nodes.values())).nodes:  # what it is made of comes first
            if any(x in found for x in node.inputs):
                found.add(node)
        return found

    def of_the_next(self, statement: int) -> Iterator[tuple[list[Record], Target]]:
        """Of a step that only repeats an earlier one: the derivatives that are made of that, of whatever shape."""
        records = self.steps[statement]
        if len(records) == 1 and self.trail.repeats(statement):
            for node in {
                x: None for own, _ in self.trail.meanings(statement) for x in own.inputs if isinstance(x, Node)
            }:
                value = self.look.adjoints.get(node)
                if value is not None and value.shape != np.shape(records[0].value):
                    yield records, Target((value,), (node,))

    def of_other_shapes(self, statement: int) -> Iterator[tuple[list[Record], Target]]:
        """Derivatives for which broadcasting takes a step's values: a sum too many, or rows with columns."""
        if not self.trail.meanings(statement):
            yield from _once(self._taken_for(statement))

    def _taken_for(self, statement: int) -> Iterator[tuple[list[Record], Target]]:
        for records in self._instances(statement):
            shapes = [np.shape(record.value) for record in records]
            for nodes in self.groups.values() if len(shapes) > 1 else ([node] for node in self.single):
                for chosen in alignments(nodes, len(shapes)):
                    values = tuple(self.look.adjoints[node] for node in chosen)
                    if all(_is_taken_for(shape, value.shape) for shape, value in zip(shapes, values, strict=True)):
                        yield records, Target(values, chosen)

    def _instances(self, statement: int) -> list[list[Record]]:
        """The records of a statement that belong together: of each place in what it assigns, each kind of value.

        Of a loop, also just what it leaves in the end.
        """
        apart: dict[Any, list[Record]] = defaultdict(list)
        for record in self.steps.get(statement, ()):
            apart[record.path, record.occurrence < 0].append(record)
        found = list(apart.values())
        for records in apart.values():
            left = [record for record in records if record.place in self.left]
            if 0 < len(left) < len(records):
                found.append(left)
        items = [record for record in self.steps.get(statement, ()) if record.path and record.path != ("base",)]
        if len(apart) > 1 and len(self.problem.program.statements[statement].names) == 1 < len(items):
            found.append(items)  # of lists
        return found

    @functools.cached_property
    def compared(self) -> set[Any]:
        """The arrays that the loss compares with."""
        return {_contents(value) for value in self.trail.compared}

    @functools.cached_property
    def left(self) -> set[Place]:
        """The values after which another statement writes to the name, or none."""
        last: dict[tuple[str, bool], Record] = {}
        found: set[Place] = set()
        for record in self.look.plain.run.records:
            key = record.name, record.occurrence < 0
            if key in last and last[key].statement != record.statement:
                found.add(last[key].place)
            last[key] = record
            other = record.name, not key[1]
            if other in last and last[other].statement != record.statement:
                found.add(last.pop(other).place)
        return found | {record.place for record in last.values()}

    def _adjoints(self, shapes: Sequence[Any]) -> Iterator[Target]:
        n, adjoints = len(shapes), self.look.adjoints
        if n == 1:
            for node in self.single:
                if adjoints[node].shape == shapes[0]:
                    yield Target((adjoints[node],), (node,))
            for node in self.single:
                value = adjoints[node]
                if value.ndim == 2 and value.T.shape == shapes[0] != value.shape:
                    yield Target((value.T,), (node,))
        else:
            for nodes in sorted(self.groups.values(), key=lambda nodes: nodes[0] not in self.known_as):
                for chosen in alignments(nodes, n):
                    for values in _oriented([adjoints[node] for node in chosen], shapes):
                        yield Target(values, chosen)

    def _uses(self, shapes: Sequence[Any]) -> Iterator[Target]:
        """What comes to a value from one of its several uses, or from all others: what a loop carries on."""
        if len(shapes) == 1:
            for (node, _), values in self.uses.parts.items():
                parts = itertools.chain.from_iterable(_oriented([value], shapes) for value in values.values())
                yield from (Target(part, (node,), "use") for part in parts)
            return
        for group in self.uses.groups:
            for chosen in alignments(group, len(shapes)):
                for values in _oriented([part.value for part in chosen], shapes):
                    yield Target(values, tuple(part.node for part in chosen), "use")

    @functools.cached_property
    def single(self) -> list[Node]:
        """The values whose derivative a step may be, the last first; of a long loop the first and the last."""
        apart = ("anywhere", "named")  # no loops
        loops = [nodes for key, nodes in self.groups.items() if len(nodes) > LOOP and key[0] not in apart]
        left_out = {node for nodes in loops for node in nodes[1:-1]}
        nodes = [node for node in reversed(self.look.adjoints) if node not in left_out and not self._is_turned(node)]
        return sorted(nodes, key=lambda node: node not in self.known_as)

    def _is_turned(self, node: Node) -> bool:
        """Whether it is the `-z` inside a formula: a derivation speaks of z."""
        return getattr(node.primitive, "name", "") == "negative" and node not in self.known_as

    def _forward_values(self, records: Sequence[Record], shapes: Sequence[Any]) -> Iterator[Target]:
        """The values of the forward pass of the same name, where a derivation computes them again."""
        names = {record.name.split(".")[-1] for record in records}
        nodes = [node for node, name in self.named.items() if name.split(".")[-1] in names]
        own = self.problem.program.statements[records[0].statement] if records else None
        if own is not None and (own.kind in ("+=", "-=") or (own.kind == "=" and own.name in own.text)):
            nodes += [x for x in self.look.forward if x.is_leaf and x not in nodes]  # weights that are updated
        for chosen in alignments(nodes, len(records)):
            values = tuple(np.asarray(self.look.values[node]) for node in chosen if node in self.look.values)
            if [v.shape for v in values] == list(shapes):
                yield Target(values, chosen, "value")

    def _rows(self, shapes: Sequence[Any]) -> Iterator[Target]:
        """Samples one by one, of a forward pass that has them all at once."""
        n = len(shapes)
        if n < 2:
            return
        if not any(shapes):
            yield from self._entries(n)
        for node, value in self.look.adjoints.items():
            for axis in range(value.ndim):
                if value.shape[axis] == n:
                    rows = [np.take(value, i, axis) for i in range(n)]
                    for order in (rows, rows[::-1]):
                        if all(row.size == np.prod(s, dtype=int) for row, s in zip(order, shapes, strict=True)):
                            yield Target(
                                tuple(row.reshape(s) for row, s in zip(order, shapes, strict=True)), (node,), "row"
                            )

    def _piled(self, shapes: Sequence[Any]) -> Iterator[Target]:
        """All runs of a loop of the forward pass at once: the derivatives by what it computes, piled up."""
        if len(shapes) == 1 and shapes[0]:
            for nodes in self.groups.values():
                values = [self.look.adjoints[node] for node in nodes]
                sizes = {value.shape for value in values}
                whole = (len(values), *sizes.pop()) if len(sizes) == 1 < len(values) else None
                if whole is not None and _without_ones(whole) == _without_ones(shapes[0]):
                    for order in (values, values[::-1]):
                        yield Target((np.reshape(np.stack(order), shapes[0]),), (nodes[0],), "row")

    def _entries(self, n: int) -> Iterator[Target]:
        """Entries one by one, of arrays that the forward pass has made whole, one for each sample or one for all."""
        arrays = ([node] for node in self.look.adjoints if node.shape)
        for nodes in itertools.chain(arrays, self.groups.values()):
            if sum(self.look.adjoints[node].size for node in nodes) == n and nodes[0].shape:
                for order in dict.fromkeys((tuple(nodes), tuple(nodes[::-1]))):
                    yield Target(tuple(x for node in order for x in self.look.adjoints[node].flat), (nodes[0],), "row")


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)


class _Remembered:
    """What an iterator gives, as often as one asks; only as much of it as was asked for is made."""

    def __init__(self, rest: Iterator[Target]) -> None:
        self.found: list[Target] = []
        self.rest: Iterator[Target] = rest

    def __iter__(self) -> Iterator[Target]:
        for i in itertools.count():
            if i == len(self.found):
                if (following := next(self.rest, None)) is None:
                    return
                self.found.append(following)
            yield self.found[i]


def _once(targets: Iterable[tuple[list[Record], Target]]) -> Iterator[tuple[list[Record], Target]]:
    """Each target but those of the same values for the same runs."""
    seen: set[tuple[tuple[Place, ...], bytes]] = set()
    last, places = list[Record](), tuple[Place, ...]()
    for records, target in targets:
        if records is not last:
            last, places = records, tuple(record.place for record in records)
        key = places, target.key
        if key not in seen:
            seen.add(key)
            yield records, target


def _oriented(values: Sequence[Any], shapes: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """Values that have some shapes; transposed, and as they are, where the shapes are those of their transposes."""
    if [value.shape for value in values] == list(shapes):
        yield tuple(values)
    elif all(value.ndim == 2 and value.T.shape == shape for value, shape in zip(values, shapes, strict=True)):
        yield tuple(value.T for value in values)
        yield tuple(values)


def _is_taken_for(shape: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether one shape is broadcast silently where another belongs."""
    if shape == other or math.prod(other) < 2:
        return False
    with contextlib.suppress(ValueError):
        return np.broadcast_shapes(shape, other) in (shape, other)
    return False


def _contents(array: Any) -> tuple[Any, bytes]:
    """What is equal for equal arrays, of whatever kind of number."""
    return np.shape(array), np.asarray(array, dtype=np.float64).tobytes()
