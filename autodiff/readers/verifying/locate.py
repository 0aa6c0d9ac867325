"""Where a derivation goes wrong: its steps, and what each of them is.

Every step of a derivation is, or should be, a derivative of the loss with respect to some value of the forward pass;
the recorded graph knows them all (`targets`). So each statement in turn is given true derivatives in the place of its
own values (`healing`). Which of the steps that mend most is to blame, `blame` says.
"""

from __future__ import annotations

import ast
import functools
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ...composition import tensor_of
from ...cotangents import SEVERAL
from ...derivative import pull
from ...graph import Graph, Node
from ...rules.shape import identity
from ...tensor import Tensor
from .compare import EXACT, direction, same, telling_factor
from .instrument import Statement
from .problem import Problem
from .program import Record
from .targets import Healing, Place, Targets, Values
from .truth import Look, compared, is_piece, source
from .view import Applied, View

ACTIVATION = 6  # operations that one may be written in


class Told(NamedTuple):
    """That values of a statement are derivatives by values of a loop, of which `node` is the first."""

    node: Node
    factor: float
    places: frozenset[Place]


@dataclass(eq=False)
class Trail:
    """The steps of a derivation at a point, and the graph's values to compare them with."""

    problem: Problem
    look: Look
    healed: Values = field(default_factory=dict)
    deadline: float = 0.0
    conventions: set[float] = field(default_factory=lambda: {1.0})  # factors that steps behind right gradients carry
    _told: dict[int, list[Told]] = field(default_factory=dict[int, list[Told]])
    _behind: dict[str, set[Place] | None] = field(default_factory=dict[str, set[Place] | None])
    _repeats: dict[int, bool] = field(default_factory=dict[int, bool])
    _views: list[View] = field(default_factory=list[View])

    def __post_init__(self) -> None:
        seen = [r for r in self.look.traced.run.records if isinstance(r.value, Node)]
        self.nodes: dict[Place, Node] = {r.place: r.value for r in seen}
        ahead = set(Graph([self.look.output]).nodes) | set(self.look.forward)
        self.forward: set[Place] = self._computed_ahead(ahead, seen)
        self.known_as: dict[Node, list[str]] = defaultdict(list)
        for record in sorted(seen, key=lambda record: len(record.stack)):
            if record.value in ahead and self.problem.program.statements[record.statement].kind != "return":
                self.known_as[record.value].append(_item(record))
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
        self.targets: Targets = Targets(self)

    def _groups(self) -> dict[tuple[Any, ...], list[Node]]:
        """The nodes behind the loss by the place in the program that made them, in loops several."""
        groups: dict[tuple[Any, ...], list[Node]] = defaultdict(list)
        for node, place in self.view.places.items():
            groups[place].append(node)
        again: dict[tuple[Any, ...], list[Node]] = defaultdict(list)  # by a function, wherever it is called
        within: dict[tuple[Any, ...], list[Node]] = defaultdict(list)  # for each item of a list that one line makes
        for place, nodes in groups.items():
            again[place[-2:]] += nodes
            if place[0] != "end" and self.goes_through(place[-2]) and not is_piece(nodes[0]):
                within[(*place[:-1], place[-1][0])] += nodes
        self.places: dict[Node, Any] = {node: place for place, nodes in groups.items() for node in nodes}
        wider = (nodes for nodes in again.values() if any(self.places[x] != self.places[nodes[0]] for x in nodes))
        wider = (*wider, *within.values())
        groups.update((("anywhere", i), sorted(nodes, key=lambda x: x.index)) for i, nodes in enumerate(wider))
        known = {tuple(nodes) for nodes in groups.values()}
        groups.update((key, list(nodes)) for key, nodes in self._named_at_once() if nodes not in known)
        return groups

    def goes_through(self, number: int) -> bool:
        """Whether a statement goes through something by itself: it makes a list."""
        expression = self.problem.program.statements[number].expression if number >= 0 else None
        return expression is not None and any(isinstance(x, ast.comprehension) for x in ast.walk(expression))

    def _named_at_once(self) -> Iterator[tuple[tuple[Any, ...], tuple[Node, ...]]]:
        """The nodes to which one statement gives a name, whatever made them: a list's items, or of several layers."""
        named: dict[int, dict[Node, None]] = defaultdict(dict)
        for (statement, _, path), node in self.nodes.items():
            one = not path or len(self.problem.program.statements[statement].names) == 1
            if one and node in self.look.adjoints:
                named[statement][node] = None
        yield from ((("named", statement), tuple(nodes)) for statement, nodes in named.items() if len(nodes) > 1)

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
        parts = Counter((r.statement, r.occurrence, self._identity(r)) for r in records if r.path)
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
                and parts[record.statement, record.occurrence, key] < 2  # one of two names may want another value
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

    def values_of(self, statement: int) -> set[Any]:
        """What is equal for two statements that only give a value another name."""
        return {self._identity(record) for record in self.steps[statement]}

    def _identity(self, record: Record) -> Any:
        """What is equal for a value and its aliases."""
        node = self.nodes.get(record.place)
        return node if node is not None else (record.value.shape, record.value.tobytes())

    def called(self, record: Record) -> str:
        """What a value is called: what a function returns as its caller calls it, that of the outermost `return`."""
        statements, records = self.problem.program.statements, self.look.plain.run.records
        if (statements[record.statement].kind, record.name) != ("return", statements[record.statement].function):
            return record.name
        later = (r for r in records[self.position[record.place] + 1 :] if len(r.stack) < len(record.stack))
        same_value = itertools.takewhile(lambda r: self._identity(r) == self._identity(record), later)
        names = (r.name for r in same_value if statements[r.statement].kind != "return")
        return next(names, record.name) if record.stack else "return"

    def derived(self, healing: Healing, telling: Any) -> Iterator[Node]:
        """The gradient's own graph for what a step should be in one of its runs."""
        node = self._node(healing, telling)
        if node is not None and healing.target.kind in ("adjoint", "final", "use"):
            by, start = source(node), Tensor._plain(np.float64(healing.factor))
            found: Any = pull(self.look.output, start, {by}, record=tensor_of).get(by)
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
        if name not in self._behind:
            tensor = self.look.traced.gradients[name]
            nodes = set(Graph([tensor._current()[1]]).nodes) if isinstance(tensor, Tensor) else None
            places = None if nodes is None else {place for place, node in self.nodes.items() if node in nodes}
            self._behind[name] = places
        return self._behind[name]

    def places_behind(self, names: Iterable[str]) -> set[Place]:
        """The places of the values from which gradients were computed, and of what was written over there."""
        places: set[Place] = set()
        for name in names:
            behind = self.behind(name)
            if behind is None:
                places |= set(self.position)
            else:
                places |= {(k, abs(n), path) for k, n, path in behind} | {(k, -abs(n), path) for k, n, path in behind}
        return places

    def relevant(self, wrong: Iterable[str], to_all: bool = False) -> list[int]:
        """The statements behind wrong gradients, or behind all of them, in the order in which they first run."""
        behind = [self.places_behind([name]) for name in wrong]
        ways = all if to_all else any
        found = [k for k, made in self.steps.items() if ways(any(r.place in places for r in made) for places in behind)]
        return sorted(found, key=lambda k: self.position[self.steps[k][0].place])

    # --- what the graph says ---

    @functools.cached_property
    def compared(self) -> list[Any]:
        """The arrays that come into the loss where no parameter does any more."""
        tail = [u for u in self.look.forward if u.shape != () and self.view.compares(u) and self.view.is_tail(u)]
        ends = [x for u in tail for x in u.inputs if isinstance(x, Node) and not x.needs]
        values = (self.look.values[x] for x in Graph(ends).leaves)
        return [np.asarray(value) for value in values if np.size(value) > 1]

    @functools.cached_property
    def deltas(self) -> dict[Any, tuple[Any, int]]:
        """The derivatives by values of the forward pass, but for a factor, and the positions of these values there.

        No multiples of values.
        """
        forward = {direction(self.look.values[node])[0] for node in self.look.forward if node in self.look.values}
        found: dict[Any, tuple[Any, int]] = {}
        for node, g in self.look.adjoints.items():
            if g.size > 1 and (key := direction(g)[0]) not in forward:
                found.setdefault(key, (g, self.index[node]))
        return found

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

    @functools.cached_property
    def index(self) -> dict[Node, int]:
        """The position of each value of the forward pass: the same at another point."""
        return {node: i for i, node in enumerate(self.look.forward)}

    # --- what a step is ---

    def is_final(self, healing: Healing) -> bool:
        """Whether a step should be the gradient of a parameter, or a part of it."""
        node, kind = healing.target.nodes[0], self.problem.program.statements[healing.statement].kind
        adds = kind in ("+=", "-=") and len(healing.mended) == 1
        return adds or isinstance(node, str) or is_piece(node)

    def hand(self, place: Place) -> Any:
        """What the user's program computes there."""
        return self.look.plain.run.records[self.position[place]].value

    def held_when(self, values: Values) -> Values:
        """What every step holds when some are given these values, beside those that are healed already."""
        run = self.problem.run(self.look.point, heal={**self.healed, **values}).run
        return {record.place: record.value for record in run.records}

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

    def told(self, statement: int) -> list[Told]:
        """The values whose derivatives some of a statement's values are, each but for a constant factor."""
        if statement not in self._told:
            pairs = (
                (records, target, [r.value for r in records]) for records, target in self.targets.derivatives(statement)
            )
            factors = ((records, target, telling_factor(own, target.values)) for records, target, own in pairs)
            self._told[statement] = [
                Told(target.nodes[0], factor, frozenset(record.place for record in records))
                for records, target, factor in factors
                if factor is not None
            ]
        return self._told[statement]

    def meanings(self, statement: int) -> list[tuple[Node, float]]:
        """The same, without where."""
        return [(told.node, told.factor) for told in self.told(statement)]

    def meanings_of(self, record: Record, counted: bool = False) -> list[Node]:
        """The values whose derivatives one value of a step is, but for a convention's factor, or for any count."""
        same_shape = ((node, g) for node, g in self.look.adjoints.items() if g.shape == np.shape(record.value))
        factors = [(node, telling_factor([record.value], [g])) for node, g in same_shape]
        conventions = {*self.conventions, *(f for _, f in factors if counted and f and f > 2 and f.is_integer())}
        return [node for node, factor in factors if factor is not None and factor in conventions]

    def is_made_of(self, later: Node | str, node: Node) -> bool:
        """Whether a derivative is made of another in one step: back through an operation, or an activation's."""
        inputs = [x for x in node.inputs if isinstance(x, Node)]
        inputs += [y for x in inputs if is_parameter(x) for y in x.inputs if isinstance(y, Node)]
        if isinstance(later, str):
            return later in {x.variable.name for x in inputs if x.is_leaf and x.variable}
        chain = {node}
        for _ in range(ACTIVATION):
            chain |= {x for u in chain for x in u.inputs if isinstance(x, Node) and x.shape == node.shape}
        return later in inputs or later in chain - {node}

    def repeats(self, statement: int) -> bool:
        """Whether a step is what an earlier one was already."""
        if statement not in self._repeats:
            earlier = itertools.takewhile(lambda k: k != statement, self.relevant(list(self.look.true)))
            own = set(self.meanings(statement))
            self._repeats[statement] = any(own & set(self.meanings(k)) for k in earlier)
        return self._repeats[statement]

    def is_there(self, node: Node, other_than: int) -> bool:
        """Whether another step is the derivative by a value."""
        return any(
            mine is node and factor in self.conventions
            for k in self.steps
            if k != other_than
            for mine, factor in self.meanings(k)
        )

    def exact(self, statement: int) -> list[Node]:
        """The nodes whose true derivatives a statement's values are."""
        return [node for node, factor in self.meanings(statement) if factor == 1.0]

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
        if not name:
            return ""
        if healing.target.kind == "slope":
            return f"∂{name}"
        if healing.target.kind == "local":
            of = self.named.get(healing.target.ends[0])
            return f"∂{of}/∂{name}" if of else ""
        return name if healing.target.kind == "value" else f"∂L/∂{name}"


def _item(record: Record) -> str:
    """The name of a value, with its key where it is an item of a dict."""
    key = record.path[0] if record.path else None
    return f'{record.name}["{key}"]' if isinstance(key, str) and key != "base" else record.name


def is_parameter(node: Any) -> bool:
    """Whether it is a parameter itself, or the copy of it that the program works on."""
    return isinstance(node, Node) and (node.is_leaf or (node.primitive.function is identity))


def is_careless(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """Whether shapes are (n,) and (n, 1): a row and a column, by mistake."""
    return len(a) == 1 and a[0] > 1 and b == (a[0], 1)


def agrees(look: Look, name: str, hand: Any) -> bool:
    """Whether a gradient is the true one at a point."""
    agreement = look.agreement[name]
    return compared(hand, look.true[name], max(agreement.bound, EXACT * agreement.size)).right
