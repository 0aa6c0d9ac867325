"""Where a derivation goes wrong: heal a step, run again, and see which gradients that mends.

Every step of a derivation is, or should be, a derivative of the loss with respect to some value of the forward pass;
the recorded graph knows them all. So each statement in turn is given true derivatives in the place of its own values,
and what was written below it does the rest. Which of the steps that mend most is to blame, `blame` says. Derivations
carry conventions (a minus, a 1/N that comes later): a factor that an earlier, right step has is allowed.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import itertools
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...composition import tensor_of
from ...cotangents import SEVERAL
from ...derivative import pull
from ...graph import Graph, Node
from ...rules.shape import identity
from ...tensor import Tensor
from .alignments import alignments
from .compare import EXACT, direction, ratio, same, telling_factor
from .instrument import Statement
from .problem import Problem
from .program import Record, node_places
from .response import Response, flat
from .truth import Look, compared, source
from .view import Applied, View, is_piece

Place = tuple[int, int, tuple[Any, ...]]
Values = dict[Place, Any]
LOOP = 6  # values that one line makes in a loop: not each is a candidate for each step
SHARE = 3  # of the time that a statement has where all take the same
SCALARS = 60  # numbers of which the derivatives by others are asked
AT_ONCE = 50  # targets, until the clock is asked again
ENTRIES = 1000  # of a gradient that is looked for entry by entry
ACTIVATION = 6  # operations that one may be written in


@dataclass(eq=False)
class Target:
    """What the values of a statement should be: true derivatives, one for each time that it runs."""

    values: tuple[Any, ...]
    nodes: tuple[Any, ...]  # with respect to which values
    kind: str = "adjoint"  # or "final", "value", "use", "row", "slope", "local"
    ends: tuple[Any, ...] = ()  # of which values, where not of the loss


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
    conventions: set[float] = field(default_factory=lambda: {1.0})  # factors that steps behind right gradients carry
    _meanings: dict[int, list[tuple[Node, float]]] = field(default_factory=dict[int, list[tuple[Node, float]]])
    _views: list[View] = field(default_factory=list[View])

    def __post_init__(self) -> None:
        seen = [r for r in self.look.traced.run.records if isinstance(r.value, Node)]
        self.nodes: dict[Place, Node] = {r.place: r.value for r in seen}
        ahead = set(Graph([self.look.output]).nodes) | set(self.look.forward)
        self.forward: set[Place] = self._computed_ahead(ahead, seen)
        self.known_as: dict[Node, list[str]] = defaultdict(list)
        for record in sorted(seen, key=lambda record: len(record.stack)):
            if record.value in ahead and self.problem.program.statements[record.statement].kind != "return":
                self.known_as[record.value].append(record.name)
        for node in self.look.forward:
            if node.is_leaf and node.variable and node.variable.name:
                self.known_as[node].append(node.variable.name)
        self.named: dict[Node, str] = {node: names[0] for node, names in self.known_as.items()}
        self.groups: dict[tuple[Any, ...], list[Node]] = self._groups()
        self.steps: dict[int, list[Record]] = defaultdict(list)
        for record in self._made():
            if record.place not in self.forward:
                self.steps[record.statement].append(record)
        self.position: dict[Place, int] = {r.place: i for i, r in enumerate(self.look.plain.run.records)}

    def _groups(self) -> dict[tuple[Any, ...], list[Node]]:
        """The nodes behind the loss by the place in the program that made them, in loops several."""
        everything = sorted({*self.look.adjoints}, key=lambda node: node.index)
        made = [node for node in everything if not node.is_leaf]
        groups: dict[tuple[Any, ...], list[Node]] = defaultdict(list)
        for node, place in node_places(self.look.traced.run, made).items():
            groups[place].append(node)
        again: dict[tuple[Any, ...], list[Node]] = defaultdict(list)  # by a function, wherever it is called
        for place, nodes in groups.items():
            again[place[-2:]] += nodes
        self.places: dict[Node, Any] = {node: place for place, nodes in groups.items() for node in nodes}
        wider = (nodes for nodes in again.values() if any(self.places[x] != self.places[nodes[0]] for x in nodes))
        groups.update((("anywhere", i), sorted(nodes, key=lambda x: x.index)) for i, nodes in enumerate(wider))
        return groups

    @staticmethod
    def _computed_ahead(ahead: set[Node], records: Sequence[Record]) -> set[Place]:
        """The steps of the forward pass; a value of it that is given another name later is a step of the derivation."""
        first: dict[Node, int] = {}
        for i, record in enumerate(records):
            if record.value in ahead:
                first.setdefault(record.value, i)
        end = max(first.values(), default=-1)
        return {r.place for i, r in enumerate(records) if r.value in ahead and (i <= end or first[r.value] == i)}

    def _made(self) -> list[Record]:
        """The records of values where they were made: not where a function's result is only passed on."""
        records, statements = self.look.plain.run.records, self.problem.program.statements
        ran = Counter(record.statement for record in records if not record.path)
        passing = self._passing(records)
        last: dict[Any, tuple[int, Record]] = {}
        kept: dict[int, Record] = {}
        for i, record in enumerate(records):
            key = self._identity(record)
            kind, expression = statements[record.statement].kind, statements[record.statement].expression
            earlier = last.get(key)
            if earlier and statements[earlier[1].statement].kind == "return" and kind != "return":
                if record.statement in passing:
                    continue  # it stands for layers of several kinds
                kept.pop(earlier[0], None)  # the name at the caller says more
            elif (
                earlier
                and kind in ("return", "=")
                and isinstance(expression, (ast.Call, ast.Tuple, ast.Dict, ast.List))
                and ran[earlier[1].statement] == 1  # a function that runs again may be given what is wrong
            ):
                continue
            named = isinstance(expression, (ast.Name, ast.Attribute, ast.Subscript))
            if named and record.path and record.path != ("base",):
                continue  # a container that only gets a name
            kept[i] = record
            last[key] = (i, record)
        return list(kept.values())

    def _passing(self, records: Sequence[Record]) -> set[int]:
        """The statements that give a name to what different functions return, as `grad = layer.backward(grad)`."""
        origins: dict[int, set[int]] = defaultdict(set)
        last: dict[Any, Record] = {}
        for record in records:
            key = self._identity(record)
            kinds = [self.problem.program.statements[r.statement].kind for r in (record, last.get(key, record))]
            if kinds[0] != "return" == kinds[1]:
                origins[record.statement].add(last[key].statement)
            last[key] = record
        return {statement for statement, returns in origins.items() if len(returns) > 1}

    def _identity(self, record: Record) -> Any:
        """What is equal for a value and its aliases."""
        node = self.nodes.get(record.place)
        return node if node is not None else (record.value.shape, record.value.tobytes())

    def derived(self, healing: Healing, telling: Any) -> Iterator[Node]:
        """The gradient's own graph for what a step should be in one of its runs."""
        node = self._node(healing, telling)
        if node is not None and healing.target.kind in ("adjoint", "final", "use"):
            source = node.variable if node.is_leaf and node.variable else node
            start = Tensor._plain(np.float64(healing.factor))
            found: Any = pull(self.look.output, start, {source}, record=tensor_of).get(source)
            if isinstance(found, Tensor):
                yield found._current()[1]

    def activated(self, healing: Healing, telling: Any) -> list[Applied]:
        """The activations that a step should be the derivative before."""
        node = self._node(healing, telling)
        return self.view.activated(node) if node is not None and node in self.view.values else []

    def _node(self, healing: Healing, telling: Any) -> Node | None:
        """The value of the forward pass that one run of a step is about."""
        places, nodes = [place[1:] for place in healing.values], healing.target.nodes
        node = nodes[places.index(telling)] if len(nodes) == len(places) else nodes[0]
        if isinstance(node, str):  # a parameter
            return next((n for n in self.look.forward if n.is_leaf and n.variable and n.variable.name == node), None)
        return node

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

    def derivatives(self, statement: int) -> Iterator[tuple[list[Record], Target]]:
        """The derivatives of the loss that a statement's values could be meant to be, dealt out to when it ran.

        What the last run of a loop hands on may go to what nobody differentiates by.
        """
        for records in self._instances(statement):
            shapes = [np.shape(r.value) for r in records]
            for target in itertools.chain(self._adjoints(shapes), self._rows(shapes)):
                yield records, target
            for target in self._adjoints(shapes[:-1]) if len(records) > 1 else ():
                yield records[:-1], target

    def targets(self, statement: int) -> Iterator[tuple[list[Record], Target]]:
        """All that a statement's values could be meant to be, each once."""
        seen: set[tuple[int, bytes]] = set()
        for records, target in itertools.chain(self.derivatives(statement), self._others(statement)):
            key = len(records), b"".join(np.asarray(v).tobytes() for v in target.values)
            if key not in seen:
                seen.add(key)
                yield records, target

    def _others(self, statement: int) -> Iterator[tuple[list[Record], Target]]:
        """What comes from single uses, values of the forward pass, derivatives of activations."""
        for records in self._instances(statement):
            shapes = [np.shape(r.value) for r in records]
            for some in (records, records[:-1]) if len(records) > 1 else (records,):
                own = shapes[: len(some)]
                yield from ((some, target) for target in (*self._uses(own), *self._forward_values(some, own)))
            if not self._knows_targets(records):
                kind = self.problem.program.statements[statement].kind
                yield from ((records, target) for target in self._slopes(shapes, kind))

    def _local_targets(self, statement: int) -> Iterator[tuple[list[Record], Target]]:
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

    def _slopes(self, shapes: Sequence[Any], kind: str) -> Iterator[Target]:
        """The derivatives of activations, entry by entry, which some derivations compute in a line of their own."""
        if not any(shapes) or kind in ("return", "argument", "+=", "-="):  # what a helper is given may be wrong, too
            return
        by_place: dict[Any, list[Applied]] = defaultdict(list)
        for shape in set(shapes):
            for applied in self.view.of_shape(shape):
                if applied.slope.shape == shape:
                    by_place[self.places.get(applied.node), applied.activation].append(applied)
        for found in by_place.values():
            found.sort(key=lambda applied: applied.node.index)
            for chosen in alignments(found, len(shapes)):
                if [x.slope.shape for x in chosen] == list(shapes):
                    yield Target(tuple(x.slope for x in chosen), tuple(x.node for x in chosen), "slope")

    def _knows_targets(self, records: Sequence[Record]) -> bool:
        """Whether what the loss compares with is behind the values: then they are no slopes."""
        nodes = [self.nodes[r.place] for r in records[:1] if r.place in self.nodes]
        given = (x.value for x in Graph(nodes).leaves if not x.needs)
        return any(np.size(value) > 1 and _contents(value) in self._compared for value in given)

    @functools.cached_property
    def compared(self) -> list[Any]:
        """The arrays that come into the loss where no parameter does any more."""
        tail = [u for u in self.look.forward if u.shape != () and self.view.compares(u) and self.view.is_tail(u)]
        ends = [x for u in tail for x in u.inputs if isinstance(x, Node) and not x.needs]
        values = (self.look.values[x] for x in Graph(ends).leaves)
        return [np.asarray(value) for value in values if np.size(value) > 1]

    @functools.cached_property
    def _compared(self) -> set[Any]:
        return {_contents(value) for value in self.compared}

    @functools.cached_property
    def deltas(self) -> set[Any]:
        """The directions of the derivatives by the values of the forward pass."""
        return {direction(value)[0] for value in self.look.adjoints.values() if value.size > 1}

    @property
    def view(self) -> View:
        """The graph, and what one can ask it."""
        return self.view_of(self.look)

    def view_of(self, look: Look) -> View:
        """The graph of any point."""
        found = next((view for view in self._views if view.look is look), None)
        if found is None:
            self._views.append(found := View(look))
        return found

    def _next_targets(self, statement: int) -> Iterator[tuple[list[Record], Target]]:
        """Of a step that only repeats an earlier one: the derivatives that are made of that, of whatever shape."""
        records = self.steps[statement]
        if len(records) == 1 and self.repeats(statement):
            for node in {x: None for own, _ in self.meanings(statement) for x in own.inputs if isinstance(x, Node)}:
                value = self.look.adjoints.get(node)
                if value is not None and value.shape != np.shape(records[0].value):
                    yield records, Target((value,), (node,))

    def _instances(self, statement: int) -> list[list[Record]]:
        """The records of a statement that belong together: of each place in what it assigns, each kind of value.

        Of a loop, also just what it leaves in the end.
        """
        apart: dict[Any, list[Record]] = defaultdict(list)
        for record in self.steps[statement]:
            apart[record.path, record.occurrence < 0].append(record)
        found = list(apart.values())
        for records in apart.values():
            left = [record for record in records if record.place in self.left]
            if 0 < len(left) < len(records):
                found.append(left)
        return found

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
                    values = tuple(adjoints[node] for node in chosen)
                    if [v.shape for v in values] == list(shapes):
                        yield Target(values, chosen)

    def _uses(self, shapes: Sequence[Any]) -> Iterator[Target]:
        """What comes to a value from one of its several uses."""
        if len(shapes) == 1:
            for (node, _), value in self.uses.items():
                if value.shape == shapes[0]:
                    yield Target((value,), (node,), "use")
            return
        by_group: dict[Any, list[Any]] = defaultdict(list)
        for (node, consumer), value in self.uses.items():
            if consumer in self.places:
                operand = next(i for i, x in enumerate(consumer.inputs) if x is node)
                by_group[self.places[consumer], operand].append((consumer.index, node, value))
        for found in by_group.values():
            found.sort(key=lambda item: item[0])
            for chosen in alignments(found, len(shapes)):
                values = tuple(value for _, _, value in chosen)
                if [v.shape for v in values] == list(shapes):
                    yield Target(values, tuple(node for _, node, _ in chosen), "use")

    @functools.cached_property
    def single(self) -> list[Node]:
        """The values whose derivative a step may be, the last first; of a long loop the first and the last."""
        left_out = {node for nodes in self.groups.values() if len(nodes) > LOOP for node in nodes[1:-1]}
        nodes = [node for node in reversed(self.look.adjoints) if node not in left_out and not self._is_turned(node)]
        return sorted(nodes, key=lambda node: node not in self.known_as)

    def _is_turned(self, node: Node) -> bool:
        """Whether it is the `-z` inside a formula: a derivation speaks of z."""
        return getattr(node.primitive, "name", "") == "negative" and node not in self.known_as

    def _is_start(self, statement: int) -> bool:
        """Whether it makes a buffer of zeros that later lines fill."""
        statements = self.problem.program.statements
        own = statements[statement]
        if any(np.any(record.value) for record in self.steps[statement]):
            return False
        fills = (s for s in statements if s.number > own.number and s.function == own.function)
        return any(
            name.startswith(f"{own.name}[") or (name == own.name and (s.kind != "=" or own.name in s.text))
            for s in fills
            for name in s.names
        )

    @functools.cached_property
    def index(self) -> dict[Node, int]:
        """The position of each value of the forward pass: the same at another point."""
        return {node: i for i, node in enumerate(self.look.forward)}

    @functools.cached_property
    def uses(self) -> dict[tuple[Node, Node], Any]:
        """For each value that is used more than once, what comes from each use."""
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
        return {key: value for key, value in parts.items() if count[key[0]] > 1}

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

    def _entries(self, n: int) -> Iterator[Target]:
        """Entries one by one, of arrays that the forward pass has made whole, one for each sample or one for all."""
        arrays = ([node] for node in self.look.adjoints if node.shape)
        for nodes in itertools.chain(arrays, self.groups.values()):
            if sum(self.look.adjoints[node].size for node in nodes) == n and nodes[0].shape:
                for order in dict.fromkeys((tuple(nodes), tuple(nodes[::-1]))):
                    yield Target(tuple(x for node in order for x in self.look.adjoints[node].flat), (nodes[0],), "row")

    # --- healing ---

    def heal(self, wrong: Sequence[str]) -> list[Healing]:
        """Healings that mend as many of the wrong gradients as one can, and break none."""
        right = [name for name in self.look.true if name not in wrong]
        relevant = self.relevant(wrong)
        attested = {1.0}.union(*(self._factors(k) for k in self.relevant(right) if k not in relevant))
        behind = {*self.relevant(right), *self._behind_pieces()}
        self.conventions = {1.0}.union(*(self._inner_factors(k) for k in behind))
        if len(wrong) > 1:
            found = self._search(relevant, attested, wrong, [wrong], (time.thread_time() + self.deadline) / 2)
            if any(len(healing.mended) == len(wrong) for healing in found):
                return found
        found = self._search(relevant, attested, wrong, [[name] for name in wrong], self.deadline)
        return found + self._finals(wrong, right)

    def _search(
        self, relevant: Sequence[int], attested: set[float], wrong: Sequence[str], groups: Any, deadline: float
    ) -> list[Healing]:
        """Healings of statements that mend one of some groups of gradients at least."""
        found: list[Healing] = []
        attested, right = set(attested), [name for name in self.look.true if name not in wrong]
        self.response: Response = Response(self.problem, self.look, self.healed, groups)
        for i, statement in enumerate(relevant):
            if self._is_start(statement):
                continue
            now = time.thread_time()
            until = min(now + SHARE * (deadline - now) / (len(relevant) - i), deadline)
            kinds = (self.targets, self._next_targets, self._local_targets)
            targets = itertools.chain.from_iterable(kind(statement) for kind in kinds)
            for j, (records, target) in enumerate(targets):
                if j % AT_ONCE == 0 and time.thread_time() > until:
                    break
                for factor in attested if target.kind not in ("value", "local") else (1.0,):
                    values = {r.place: v * factor for r, v in zip(records, target.values, strict=True)}
                    healing = self._tried(statement, target, values, wrong, right)
                    if healing:
                        healing.factor *= factor
                        if self._is_parameter(target.nodes[0]):
                            healing.penalty = 2
                        found.append(healing)
            if not any(healing.statement == statement for healing in found):
                attested |= self._factors(statement)
        return found

    def _tried(
        self,
        statement: int,
        target: Target,
        values: Values,
        wrong: Sequence[str],
        right: Sequence[str],
        again: bool = True,
    ) -> Healing | None:
        if again and not self._may_mend(target, values):
            return None
        differing = [self.position[place] for place, value in values.items() if not same(self.hand(place), value)]
        if not differing and not (again and target.kind == "adjoint" and not right):
            return None
        outcome = self.problem.run(self.look.point, heal={**self.healed, **values}, record=False)
        if outcome.error is not None or any(not self.agrees(name, outcome.gradients[name]) for name in right):
            return None
        mended = frozenset(name for name in wrong if self.agrees(name, outcome.gradients[name]))
        if mended and differing:
            return Healing(statement, target, values, mended, order=min(differing))
        factor = self._needed(values, outcome.gradients, wrong) if again and target.kind in ("adjoint", "row") else None
        if factor is None:
            return None
        values = {place: factor * value for place, value in values.items()}
        healing = self._tried(statement, target, values, wrong, right, again=False)
        if healing:
            healing.factor, healing.penalty = factor, 1
        return healing

    def _may_mend(self, target: Target, values: Values) -> bool:
        """Whether values of a step may mend something: what is no derivative, and may be used twice, always may."""
        if target.kind == "value" or (target.kind == "slope" and len(values) > 1):
            return True
        answer = self.response.of(tuple(values))
        new = flat(values.values())
        if answer is None or new.size != answer.slopes.shape[1]:
            return True
        return answer.may_mend(new, target.kind in ("adjoint", "row"))

    def _needed(self, values: Values, gradients: dict[str, Any], wrong: Sequence[str]) -> float | None:
        """The factor by which a derivation wants its values, for it is linear in them: the same for all gradients."""
        without = {place: np.zeros_like(value) for place, value in values.items()}
        outcome = self.problem.run(self.look.point, heal={**self.healed, **without}, record=False)
        if outcome.error is not None:
            return None
        factors: set[float | None] = set()
        entries = 0
        for name in wrong:
            rest = outcome.gradients[name]
            with contextlib.suppress(TypeError, ValueError):
                part = np.asarray(gradients[name]) - rest
                if np.any(part):
                    factors.add(ratio(self.look.true[name] - rest, part))
                    entries += part.size
        return factors.pop() if len(factors) == 1 and entries > 1 else None  # a single number is a multiple of any

    def is_final(self, healing: Healing) -> bool:
        """Whether a step should be the gradient of a parameter, or a part of it."""
        node = healing.target.nodes[0]
        return isinstance(node, str) or is_piece(node)

    @staticmethod
    def _is_parameter(node: Any) -> bool:
        """Whether it is a parameter itself, or the copy of it that the program works on."""
        return isinstance(node, Node) and (node.is_leaf or (node.primitive.function is identity))

    def hand(self, place: Place) -> Any:
        """What the user's program computes there."""
        return self.look.plain.run.records[self.position[place]].value

    def earlier_values(self, place: Place) -> dict[str, list[tuple[Any, str]]]:
        """What names stood for before or in the forward pass, and why a line finds another value there later."""
        found: dict[str, list[tuple[Any, str]]] = defaultdict(list)
        for name, value in self.look.point.items():
            found[name].append((value, "updated-weights"))
        for name, value in zip(self.problem.names, self.problem.arguments, strict=False):
            if isinstance(value, np.ndarray) and name not in self.look.point:
                found[name].append((value, "input-mutated"))
        for record in self._still_meant(place):
            weights = any(same(record.value, value) for value in self.look.point.values())
            again = self._is_made_again(record)
            cause = "updated-weights" if weights else "forward-differs" if again else "input-mutated"
            found[record.name].append((record.value, cause))
        return found

    def _still_meant(self, place: Place) -> list[Record]:
        """The values of the forward pass that a line may mean: of a name in a loop the last one."""
        statements, position = self.problem.program.statements, self.position[place]
        records = self.look.plain.run.records[:position]
        own, ran = statements[place[0]], Counter(record.statement for record in records)
        last = {record.name: record for record in records}
        return [
            record
            for record in records
            if record.place in self.forward and not record.path
            if statements[record.statement].function == own.function or not record.name.isidentifier()
            if ran[record.statement] == 1 or last[record.name] is record
        ]

    def _is_made_again(self, record: Record) -> bool:
        """Whether another line gives the name another value, rather than writing to the array."""
        statements = self.problem.program.statements
        own = statements[record.statement]
        return any(
            s.kind == "=" and record.name in s.names and s.function == own.function and s.number != own.number
            for s in statements
        )

    def agrees(self, name: str, hand: Any) -> bool:
        """Whether a gradient is the true one."""
        return agrees(self.look, name, hand)

    def _finals(self, wrong: Sequence[str], right: Sequence[str]) -> list[Healing]:
        """The statements that assigned the wrong gradients themselves, which the true ones heal."""
        found: list[Healing] = []
        made = [record for records in self.steps.values() for record in records]
        made.sort(key=lambda record: self.position[record.place])
        for name in wrong:
            hand, true = np.asarray(self.look.plain.gradients[name]), self.look.true[name]
            for record in sorted(made, key=self._likely):
                if same(record.value, hand):
                    target = Target((true,), (name,), "final")
                    healing = self._tried(record.statement, target, {record.place: true}, wrong, right)
                    if healing:
                        healing.penalty = 2
                        found.append(healing)
                        break
            else:
                found += self._filled(name, hand, true, wrong, right)
        return found

    def _filled(self, name: str, hand: Any, true: Any, wrong: Sequence[str], right: Sequence[str]) -> list[Healing]:
        """The statement that put a wrong gradient's entries, one by one, into a list."""
        if hand.shape != true.shape or not 0 < hand.size <= ENTRIES:
            return []
        by_value: dict[float, dict[int, Place]] = defaultdict(dict)
        for statement, records in self.steps.items():
            for record in records:
                if not np.ndim(record.value):
                    by_value[float(record.value)][statement] = record.place
        places = [by_value.get(float(entry), {}) for entry in hand.flat]
        for statement in sorted({k for found in places for k in found}, reverse=True):
            values = {place[statement]: t for place, t in zip(places, true.flat, strict=True) if statement in place}
            healing = self._tried(statement, Target(tuple(values.values()), (name,), "final"), values, wrong, right)
            if healing:
                healing.penalty = 2
                return [healing]
        return []

    def _factors(self, statement: int) -> set[float]:
        """The constant factors between a statement's values and true derivatives."""
        return {factor for _, factor in self.meanings(statement) if factor != 1.0 and abs(factor) > 1e-6}

    def _likely(self, record: Record) -> tuple[bool, bool, int]:
        """Of records of one value, the one that made it: not where it is given back, nor where it is only passed on."""
        position, passed_on = self.position[record.place], self._passes_on(record)
        returned = self.problem.program.statements[record.statement].kind == "return"
        return returned, passed_on, position if passed_on else -position

    def _passes_on(self, record: Record) -> bool:
        """Whether a statement computes nothing, or leaves it to a function that has the value already."""
        expression = self.problem.program.statements[record.statement].expression
        if isinstance(expression, ast.Call):
            inside = (r for records in self.steps.values() for r in records if len(r.stack) > len(record.stack))
            return any(same(r.value, record.value) for r in inside)
        return isinstance(expression, (ast.Name, ast.Attribute, ast.Subscript, ast.Tuple, ast.List, ast.Dict))

    def _behind_pieces(self) -> list[int]:
        """The steps from which a right derivative by a part of a parameter was computed."""
        pieces = [
            record.place
            for k, records in self.steps.items()
            for record in records
            if any(factor == 1.0 and is_piece(node) for node, factor in self.meanings(k))
        ]
        nodes = set(Graph([self.nodes[place] for place in pieces if place in self.nodes]).nodes)
        return [k for k, records in self.steps.items() if any(self.nodes.get(r.place) in nodes for r in records)]

    def _inner_factors(self, statement: int) -> set[float]:
        """Those of a step on the way, not of a gradient itself."""
        return {factor for node, factor in self.meanings(statement) if not is_piece(node)}

    def meanings(self, statement: int) -> list[tuple[Node, float]]:
        """The values whose derivatives a statement's values are, each but for a constant factor."""
        if statement not in self._meanings:
            pairs = ((t.nodes[0], [r.value for r in records], t.values) for records, t in self.derivatives(statement))
            factors = ((node, telling_factor(own, values)) for node, own, values in pairs)
            self._meanings[statement] = [(node, factor) for node, factor in factors if factor is not None]
        return self._meanings[statement]

    def is_made_of(self, later: Node | str, node: Node) -> bool:
        """Whether a derivative is made of another in one step: back through an operation, or an activation's."""
        inputs = [x for x in node.inputs if isinstance(x, Node)]
        inputs += [y for x in inputs if self._is_parameter(x) for y in x.inputs if isinstance(y, Node)]
        if isinstance(later, str):
            return later in {x.variable.name for x in inputs if x.is_leaf and x.variable}
        chain = {node}
        for _ in range(ACTIVATION):
            chain |= {x for u in chain for x in u.inputs if isinstance(x, Node) and x.shape == node.shape}
        return later in inputs or later in chain - {node}

    def repeats(self, statement: int) -> bool:
        """Whether a step is what an earlier one was already."""
        earlier = itertools.takewhile(lambda k: k != statement, self.relevant(list(self.look.true)))
        own = set(self.meanings(statement))
        return any(own & set(self.meanings(k)) for k in earlier)

    def is_there(self, node: Node, other_than: int) -> bool:
        """Whether another step is the derivative by a value."""
        return any(
            mine is node and factor in self.conventions
            for k in self.steps
            if k != other_than
            for mine, factor in self.meanings(k)
        )

    def exact(self, statement: int, factor: float = 1.0) -> list[Any]:
        """The nodes whose true derivatives a statement's values are, but for a factor."""
        return [
            target.nodes[0]
            for records, target in self.derivatives(statement)
            if target.kind == "adjoint"
            and all(same(r.value, factor * v) for r, v in zip(records, target.values, strict=True))
        ]

    def careless_loss(self) -> list[Statement]:
        """The statements, from the outside in, in which the loss makes (n, n) of (n,) and (n, 1)."""
        records, statements = self.look.traced.run.records, self.problem.program.statements
        for node in self.look.forward:
            shapes = [x.shape for x in node.inputs if isinstance(x, Node) and x.shape is not SEVERAL]
            if len(node.shape or ()) == 2 and any(is_careless(a, b) for a in shapes for b in shapes):
                later = [r for r in records if r.stamp > node.index]
                outer = [r for r in later if not r.stack][:1]
                return list(dict.fromkeys(statements[r.statement] for r in outer + later[:1] * bool(outer)))
        return []

    def meaning(self, healing: Healing) -> str:
        """`∂L/∂z1`, of what a statement should compute."""
        node = healing.target.nodes[0]
        name = node if isinstance(node, str) else self.named.get(node)
        if name is None:
            return ""
        if healing.target.kind == "slope":
            return f"∂{name}"
        if healing.target.kind == "local":
            of = self.named.get(healing.target.ends[0])
            return f"∂{of}/∂{name}" if of else ""
        return name if healing.target.kind == "value" else f"∂L/∂{name}"


def is_careless(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """Whether shapes are (n,) and (n, 1): a row and a column, by mistake."""
    return len(a) == 1 and a[0] > 1 and b == (a[0], 1)


def _contents(array: Any) -> tuple[Any, bytes]:
    """What is equal for equal arrays, of whatever kind of number."""
    return np.shape(array), np.asarray(array, dtype=np.float64).tobytes()


def agrees(look: Look, name: str, hand: Any) -> bool:
    """Whether a gradient is the true one at a point."""
    agreement = look.agreement[name]
    return compared(hand, look.true[name], max(agreement.bound, EXACT * agreement.size)).right
