"""What comes back to a value from its several uses: from each, from those of one function, from the next run of a loop.

A derivation need not have the whole derivative of a value in one line: it adds up what comes one way after
another, and what a loop carries on comes back in the next run.
"""

from __future__ import annotations

import functools
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...cotangents import SEVERAL
from ...derivative import unbroadcast
from ...graph import Graph, Node
from .program import Program
from .truth import Look


class Part(NamedTuple):
    """A part of the derivative by a value, and when what it comes from was computed."""

    order: int
    node: Node
    value: Any


class Uses:
    """The uses of the values of a forward pass that are used more than once."""

    def __init__(
        self,
        look: Look,
        program: Program,
        places: Mapping[Node, Any],
        made: Mapping[Any, Sequence[Node]],
    ) -> None:
        self.look: Look = look
        self.program: Program = program
        self.places: Mapping[Node, Any] = places
        self.made: Mapping[Any, Sequence[Node]] = made  # the values that one line of a loop makes

    @functools.cached_property
    def each(self) -> dict[tuple[Node, Node], Any]:
        """For each value that is used more than once, what comes from each use."""
        parts: dict[tuple[Node, Node], Any] = {}
        count: dict[Node, int] = defaultdict(int)
        for consumer in self.look.forward:
            if consumer.is_leaf or consumer not in self.look.adjoints or consumer.saved is None:
                continue
            for x, gx in consumer.rule.pull(consumer, consumer.saved, self.look.adjoints[consumer]):
                if x.shape is not SEVERAL:
                    gx = np.asarray(unbroadcast(np.asarray(gx), x.shape))
                    parts[x, consumer] = parts[x, consumer] + gx if (x, consumer) in parts else gx
                    count[x] += 1
        return {key: value for key, value in parts.items() if count[key[0]] > 1}

    @functools.cached_property
    def users(self) -> dict[Node, list[Node]]:
        """The operations by which each value that is used more than once is used."""
        found: dict[Node, list[Node]] = defaultdict(list)
        for node, user in self.each:
            found[node].append(user)
        return found

    @functools.cached_property
    def parts(self) -> dict[tuple[Node, Node], dict[str, Any]]:
        """The same for each use: what comes from it, and what comes from the others where they are several."""
        count = Counter(node for node, _ in self.each)
        adjoints = self.look.adjoints
        found: dict[tuple[Node, Node], dict[str, Any]] = {}
        for key, value in self.each.items():
            others = {"others": adjoints[key[0]] - value} if count[key[0]] > 2 and key[0] in adjoints else {}
            found[key] = {"own": value, **others, **dict(_once_for_all(value))}
        return found

    @functools.cached_property
    def groups(self) -> list[list[Part]]:
        """The parts that belong together, as a line of a loop computes them: by where they come from."""
        return [*self._of_lines(), *self._of_functions(), *self._of_states()]

    def _of_lines(self) -> Iterator[list[Part]]:
        """What comes from one line, or from all others; of a function, wherever it is called."""
        found: dict[Any, list[Part]] = defaultdict(list)
        for (node, user), values in self.parts.items():
            if user in self.places:
                operand = next(i for i, x in enumerate(user.inputs) if x is node)
                here = self.places[user]
                for place, (kind, value) in itertools.product(dict.fromkeys((here, here[-2:])), values.items()):
                    found[place, operand, kind].append(Part(user.index, node, value))
        yield from (sorted(group, key=lambda part: part.order) for group in found.values())

    def _of_functions(self) -> Iterator[list[Part]]:
        """What comes from the uses within one function, of several there and others elsewhere: for each time of it."""
        found: dict[Any, list[Part]] = defaultdict(list)
        statements = self.program.statements
        for node, users in self.users.items():
            inside: dict[Any, list[Node]] = defaultdict(list)
            for user in users:
                *stack, number, _ = self.places.get(user, (-1, None))
                if number >= 0:  # where a value is made, not what is given to a function
                    inside[(*stack, statements[number].function)].append(user)
            for some in inside.values():
                if 1 < len(some) < len(users):
                    total = sum((self.each[node, user] for user in some), np.zeros(node.shape))
                    found[tuple(self.places[user] for user in some)].append(Part(node.index, node, total))
        yield from (sorted(group, key=lambda part: part.order) for group in found.values())

    def _of_states(self) -> Iterator[list[Part]]:
        """Of what a loop carries on and uses elsewhere: what comes from there, and what the next run gives back."""
        for nodes in self.made.values():
            several = [node for node in nodes if len(self.users[node]) > 2]
            directs, carried = list[Part](), list[Part]()
            for node, following in itertools.pairwise(nodes) if len(several) > 1 else ():
                behind = set(Graph([following]).nodes)
                parts = [self.each[node, user] for user in self.users[node] if user in behind]
                back = sum(parts, np.zeros(node.shape))
                directs.append(Part(node.index, node, self.look.adjoints[node] - back))
                carried.append(Part(node.index, node, back))
            if any(np.any(part.value) for part in carried) and any(np.any(part.value) for part in directs):
                last = nodes[-1]
                yield [*directs, Part(last.index, last, self.look.adjoints[last])]
                yield carried


def _once_for_all(value: Any) -> Iterator[tuple[str, Any]]:
    """What is the same all along an axis, as the derivative of a mean is: once, as a line of a derivation has it."""
    for axis in range(value.ndim):
        once = value.take([0], axis)
        if value.shape[axis] > 1 and np.any(once) and np.array_equal(np.broadcast_to(once, value.shape), value):
            yield f"along {axis}", once
            yield f"without {axis}", once.squeeze(axis)
