"""Where a derivation first goes wrong: heal a step, run again, and see which gradients that mends.

Every step of a derivation is, or should be, a derivative of the loss with respect to some value of the forward pass;
the recorded graph knows them all. So each statement in turn is given true derivatives in the place of its own values,
and what was written below it does the rest. The statement whose healing mends most and breaks nothing is the first
wrong one, with three rules for ties: a right derivative that a later step turns rightly into another is not to blame;
of two steps that want the same derivative the later is; of a step and its input that are off by the same factor the
input is (it mends more). Derivations carry conventions (a minus, a 1/N that comes later): a factor that an earlier,
right step has is allowed.
"""

from __future__ import annotations

import itertools
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...graph import Graph, Node
from ...tensor import Tensor
from .problem import Problem
from .program import Record, node_places
from .truth import Look, compared, largest

Place = tuple[int, int, tuple[Any, ...]]
Values = dict[Place, Any]
EXACT = 1e-9  # how well two values must agree to be one


@dataclass(eq=False)
class Target:
    """What the values of a statement should be: true derivatives, one for each time that it runs."""

    values: tuple[Any, ...]
    nodes: tuple[Any, ...]  # with respect to which values
    kind: str = "adjoint"  # or "final", "value", "use", "row"


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


@dataclass(eq=False)
class Trail:
    """The steps of a derivation at a point, and the graph's values to compare them with."""

    problem: Problem
    look: Look
    healed: Values = field(default_factory=dict)
    deadline: float = 0.0

    def __post_init__(self) -> None:
        seen = [r for r in self.look.traced.run.records if isinstance(r.value, Node)]
        self.nodes: dict[Place, Node] = {r.place: r.value for r in seen}
        ahead = set(Graph([self.look.output]).nodes) | set(self.look.forward)
        self.forward = {place for place, node in self.nodes.items() if node in ahead}
        self.named: dict[Node, str] = {}
        for record in seen:
            if record.value in ahead and self.problem.program.statements[record.statement].kind != "return":
                self.named.setdefault(record.value, record.name)
        for node in self.look.forward:
            if node.is_leaf and node.variable and node.variable.name:
                self.named.setdefault(node, node.variable.name)
        self.groups = self._groups()
        self.steps: dict[int, list[Record]] = defaultdict(list)
        for record in self.look.plain.run.records:
            if record.place not in self.forward:
                self.steps[record.statement].append(record)
        self.position = {r.place: i for i, r in enumerate(self.look.plain.run.records)}

    def _groups(self) -> dict[tuple[Any, ...], list[Node]]:
        """The nodes behind the loss by the place in the program that made them, in loops several."""
        everything = sorted({*self.look.adjoints}, key=lambda node: node.index)
        made = [node for node in everything if not node.is_leaf]
        groups: dict[tuple[Any, ...], list[Node]] = defaultdict(list)
        for node, place in node_places(self.look.traced.run, made).items():
            groups[place].append(node)
        return groups

    # --- which steps matter ---

    def behind(self, name: str) -> set[Place] | None:
        """The steps from which a gradient was computed; None where that is not recorded."""
        tensor = self.look.traced.gradients[name]
        if not isinstance(tensor, Tensor):
            return None
        nodes = set(Graph([tensor._current()[1]]).nodes)
        return {place for place, node in self.nodes.items() if node in nodes}

    def relevant(self, wrong: Iterable[str]) -> list[int]:
        """The statements of the derivation behind wrong gradients, in the order in which they first run."""
        places: set[Place] = set()
        for name in wrong:
            behind = self.behind(name)
            if behind is None:
                places |= set(self.position)
            else:
                places |= {(k, abs(n), path) for k, n, path in behind} | {(k, -abs(n), path) for k, n, path in behind}
        found = [k for k, records in self.steps.items() if any(r.place in places for r in records)]
        return sorted(found, key=lambda k: self.position[self.steps[k][0].place])

    # --- what their values could be ---

    def targets(self, statement: int) -> Iterator[tuple[list[Record], Target]]:
        """The true values that a statement's could be meant to be, dealt out to the times that it ran."""
        for records in self._instances(statement):
            shapes = [np.shape(r.value) for r in records]
            seen: set[bytes] = set()
            for target in itertools.chain(self._sequences(records, shapes), self._rows(shapes)):
                key = b"".join(np.asarray(v).tobytes() for v in target.values)
                if key not in seen:
                    seen.add(key)
                    yield records, target

    def _instances(self, statement: int) -> list[list[Record]]:
        """The records of a statement that belong together: of each place in what it assigns, each kind of value."""
        apart: dict[Any, list[Record]] = defaultdict(list)
        for record in self.steps[statement]:
            apart[record.path, record.occurrence < 0].append(record)
        return list(apart.values())

    def _sequences(self, records: Sequence[Record], shapes: Sequence[Any]) -> Iterator[Target]:
        n, adjoints = len(records), self.look.adjoints
        if n == 1:
            for node, value in reversed(adjoints.items()):
                if value.shape == shapes[0]:
                    yield Target((value,), (node,))
            for node, value in reversed(adjoints.items()):
                if value.ndim == 2 and value.T.shape == shapes[0] != value.shape:
                    yield Target((value.T,), (node,))
        else:
            for nodes in self.groups.values():
                for chosen in _alignments(nodes, n):
                    values = tuple(adjoints[node] for node in chosen)
                    if [v.shape for v in values] == list(shapes):
                        yield Target(values, chosen)
        yield from self._uses(records, shapes)
        yield from self._forward_values(records, shapes)

    def _uses(self, records: Sequence[Record], shapes: Sequence[Any]) -> Iterator[Target]:
        """What comes to a value from one of its several uses."""
        if len(records) == 1:
            for (node, _), value in self.uses.items():
                if value.shape == shapes[0]:
                    yield Target((value,), (node,), "use")
            return
        by_group: dict[Any, list[Any]] = defaultdict(list)
        for (node, consumer), value in self.uses.items():
            if consumer in self.places:
                by_group[self.places[consumer], node.shape].append((consumer.index, node, value))
        for found in by_group.values():
            found.sort(key=lambda item: item[0])
            for chosen in _alignments(found, len(records)):
                values = tuple(value for _, _, value in chosen)
                if [v.shape for v in values] == list(shapes):
                    yield Target(values, tuple(node for _, node, _ in chosen), "use")

    @property
    def places(self) -> dict[Node, Any]:
        """The group of each node."""
        return {node: place for place, nodes in self.groups.items() for node in nodes}

    @property
    def uses(self) -> dict[tuple[Node, Node], Any]:
        """For each value that is used more than once, what comes from each use."""
        if not hasattr(self, "_found_uses"):
            parts: dict[tuple[Node, Node], Any] = {}
            count: dict[Node, int] = defaultdict(int)
            for consumer in self.look.forward:
                if consumer.is_leaf or consumer not in self.look.adjoints or consumer.saved is None:
                    continue
                for x, gx in consumer.rule.pull(consumer, consumer.saved, self.look.adjoints[consumer]):
                    gx = np.asarray(gx)
                    if gx.shape == x.shape:
                        parts[x, consumer] = parts[x, consumer] + gx if (x, consumer) in parts else gx
                        count[x] += 1
            self._found_uses = {key: value for key, value in parts.items() if count[key[0]] > 1}
        return self._found_uses

    def _forward_values(self, records: Sequence[Record], shapes: Sequence[Any]) -> Iterator[Target]:
        """The values of the forward pass of the same name, where a derivation computes them again."""
        names = {record.name.split(".")[-1] for record in records}
        nodes = [node for node, name in self.named.items() if name.split(".")[-1] in names]
        for chosen in _alignments(nodes, len(records)):
            values = tuple(np.asarray(self.look.values[node]) for node in chosen if node in self.look.values)
            if [v.shape for v in values] == list(shapes):
                yield Target(values, chosen, "value")

    def _rows(self, shapes: Sequence[Any]) -> Iterator[Target]:
        """Samples one by one, of a forward pass that has them all at once."""
        n = len(shapes)
        if n < 2:
            return
        for node, value in self.look.adjoints.items():
            for axis in range(value.ndim):
                if value.shape[axis] == n:
                    rows = [np.take(value, i, axis) for i in range(n)]
                    for order in (rows, rows[::-1]):
                        if all(row.size == np.prod(s, dtype=int) for row, s in zip(order, shapes, strict=True)):
                            yield Target(tuple(row.reshape(s) for row, s in zip(order, shapes, strict=True)), (node,), "row")

    # --- healing ---

    def heal(self, wrong: Sequence[str]) -> list[Healing]:
        """All healings that mend some of the wrong gradients and break none."""
        right = [name for name in self.look.true if name not in wrong]
        found: list[Healing] = []
        attested = {1.0}
        for order, statement in enumerate(self.relevant(wrong)):
            for records, target in self.targets(statement):
                if time.monotonic() > self.deadline:
                    return found
                for factor in attested:
                    values = {r.place: v * factor for r, v in zip(records, target.values, strict=True)}
                    if target.kind != "value" or factor == 1.0:
                        healing = self._tried(statement, target, values, wrong, right, order)
                        if healing:
                            healing.factor = factor
                            found.append(healing)
            attested |= self._factors(statement)
        return found + self._finals(wrong, right)

    def _tried(
        self, statement: int, target: Target, values: Values, wrong: Sequence[str], right: Sequence[str], order: int
    ) -> Healing | None:
        if all(same(self._value(place), value) for place, value in values.items()):
            return None
        outcome = self.problem.run(self.look.point, heal={**self.healed, **values}, record=False)
        if outcome.error is not None:
            return None
        mended = frozenset(name for name in wrong if self.agrees(name, outcome.gradients[name]))
        if not mended or any(not self.agrees(name, outcome.gradients[name]) for name in right):
            return None
        return Healing(statement, target, values, mended, order=order)

    def _value(self, place: Place) -> Any:
        return self.look.plain.run.records[self.position[place]].value

    def agrees(self, name: str, hand: Any) -> bool:
        """Whether a gradient is the true one."""
        return agrees(self.look, name, hand)

    def _finals(self, wrong: Sequence[str], right: Sequence[str]) -> list[Healing]:
        """The statements that assigned the wrong gradients themselves, which the true ones heal."""
        found: list[Healing] = []
        for name in wrong:
            hand, true = self.look.plain.gradients[name], self.look.true[name]
            for record in reversed(self.look.plain.run.records):
                if record.place not in self.forward and same(record.value, np.asarray(hand)):
                    shaped = true if np.shape(record.value) != true.shape else true.reshape(np.shape(record.value))
                    target = Target((shaped,), (name,), "final")
                    healing = self._tried(record.statement, target, {record.place: shaped}, wrong, right, 10_000)
                    if healing:
                        healing.order = self.position[record.place] + 1000
                        found.append(healing)
                        break
        return found

    def _factors(self, statement: int) -> set[float]:
        """The constant factors between a statement's values and true derivatives."""
        found: set[float] = set()
        for records, target in self.targets(statement):
            if target.kind in ("adjoint", "row") and (factor := ratio(records[0].value, target.values[0])) is not None:
                if all(same(r.value, factor * v) for r, v in zip(records, target.values, strict=True)):
                    found.add(factor)
        return {f for f in found if f != 1.0 and abs(f) > 1e-6}

    def exact(self, statement: int) -> list[Any]:
        """The nodes whose true derivatives a statement's values are."""
        return [
            target.nodes[0]
            for records, target in self.targets(statement)
            if target.kind == "adjoint" and all(same(r.value, v) for r, v in zip(records, target.values, strict=True))
        ]

    def meaning(self, healing: Healing) -> str:
        """`∂L/∂z1`, of what a statement should compute."""
        node = healing.target.nodes[0]
        name = node if isinstance(node, str) else self.named.get(node)
        if name is None:
            return ""
        return name if healing.target.kind == "value" else f"∂L/∂{name}"


def agrees(look: Look, name: str, hand: Any) -> bool:
    """Whether a gradient is the true one at a point."""
    agreement = look.agreement[name]
    return compared(hand, look.true[name], max(agreement.bound, EXACT * agreement.size)).right


def first_wrong(trail: Trail, healings: Sequence[Healing]) -> list[Healing]:
    """The healings in the order in which their statements are to blame."""
    if not healings:
        return []
    most = max(len(h.mended) for h in healings)
    best = [h for h in healings if len(h.mended) == most]
    exact = {h.statement: bool(trail.exact(h.statement)) for h in best}
    later = {k for k in exact if exact[k] and _turned_right(trail, k)}
    kept = [h for h in best if h.statement not in later] or best
    last: dict[Any, int] = {}
    for h in kept:
        node = (h.target.nodes[0], h.target.kind == "value", h.factor)
        last[node] = max(last.get(node, -1), h.order)
    kept = [h for h in kept if last[h.target.nodes[0], h.target.kind == "value", h.factor] == h.order]
    return sorted(kept, key=lambda h: (h.order, h.factor != 1.0)) + [h for h in best if h not in kept]


def _turned_right(trail: Trail, statement: int) -> bool:
    """Whether a later step makes another right derivative of a statement's values."""
    own = {trail.nodes.get(r.place) for r in trail.steps[statement]} - {None}
    mine = set(trail.exact(statement))
    for other, records in trail.steps.items():
        if other == statement or trail.position[records[0].place] < trail.position[trail.steps[statement][0].place]:
            continue
        node = trail.nodes.get(records[0].place)
        if node is not None and not node.is_leaf and own & set(node.inputs) and set(trail.exact(other)) - mine:
            return True
    return False


def _alignments(items: Sequence[Any], n: int) -> Iterator[tuple[Any, ...]]:
    """Ways to deal out the values of a loop to the n runs of another: in its order, or backwards, one or two left out."""
    extra = len(items) - n
    if n == 0 or extra < 0 or extra > 2:
        return
    for start in {0, extra}:
        chosen = tuple(items[start : start + n])
        yield chosen
        if n > 1:
            yield chosen[::-1]


def same(a: Any, b: Any) -> bool:
    """Whether two values are one, but for rounding."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or a.dtype.kind not in "fiub":
        return False
    return largest(a * 1.0 - b) <= EXACT * max(largest(b), 1e-300)


def ratio(a: Any, b: Any) -> float | None:
    """The constant c with a = c b, None where there is none."""
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if a.shape != b.shape or not a.size or not np.any(b):
        return None
    where = np.unravel_index(np.argmax(np.abs(b)), b.shape)
    factor = float(a[where] / b[where])
    factor = round(factor, 12) if abs(factor) > 1e-3 else factor
    return factor if factor and same(a, factor * b) else None


