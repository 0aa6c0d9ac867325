"""How the gradients of a derivation answer to the values of its steps.

A derivation passes derivatives on, and so what comes out is linear in what any of its steps computes. Random mixtures
of the gradients, numbers, are pulled back through the derivation's own graph to a step: then to know what other values
there would make of the gradients costs a product, where to run the program costs thousands of times that.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...derivative import pull
from ...graph import Graph, Node
from ...tensor import Tensor
from .problem import Problem
from .targets import flat
from .truth import Look

MIXTURES = 2  # of each group of gradients: one alone is a multiple of any other number
CLOSE = 1e-6  # of what is added up: runs of the program have the last word
FAITHFUL = 1e-4  # the same, of the derivation on Tensors, each value apart, and the user's


class Response:
    """The derivation at a point, with some steps healed.

    `groups` are the gradients that are to be mended together; all others are to stay right.
    """

    def __init__(
        self, problem: Problem, look: Look, healed: Mapping[Any, Any], groups: Sequence[Sequence[str]]
    ) -> None:
        traced = problem.run(look.point, traced=True, heal=healed, apart=True)
        start = time.thread_time()
        plain = problem.run(look.point, heal=healed, record=False)
        self.run_costs: float = time.thread_time() - start
        self.pull_costs: float = 0.0  # as far as is known
        self.nodes: dict[Any, Node] = {r.place: r.value for r in traced.run.records if isinstance(r.value, Node)}
        self.mixtures: list[_Mixture | None] = []
        named = {name for group in groups for name in group}
        rest = [name for name in look.true if name not in named]
        self.groups: list[Sequence[str]] = [*groups, *([rest] if rest else [])]
        self.wrong: int = len(groups)
        rng = np.random.default_rng(0)
        known = traced.error is None is plain.error
        for group in self.groups:
            for _ in range(MIXTURES):
                found = [
                    _mixed(traced.gradients[name], plain.gradients[name], look, name, rng) if known else None
                    for name in group
                ]
                self.mixtures.append(functools.reduce(_together, found))
        self._answers: dict[Any, Answer | None] = {}

    def of(self, places: tuple[Any, ...]) -> Answer | None:
        """How the gradients answer to the values at some places; None where that is not known."""
        if places not in self._answers:
            nodes = [self.nodes[place] for place in places if place in self.nodes]
            known = len({node for node in nodes if node.needs}) == len(places) and None not in self.mixtures
            self._answers[places] = Answer(self, nodes) if known else None
        return self._answers[places]

    @functools.cached_property
    def values(self) -> dict[Node, Any]:
        """The values behind the mixtures."""
        return Graph([m.node for m in self.mixtures if m is not None and m.node is not None]).evaluate()


@dataclass(frozen=True)
class _Mixture:
    """Gradients as one number: its node in the graph of the derivation, what it is, and what it should be."""

    node: Node | None  # None where nothing is made of the parameters
    value: float
    true: float
    slack: float  # how far rounding alone moves it


def _mixed(traced: Any, plain: Any, look: Look, name: str, rng: np.random.Generator) -> _Mixture | None:
    """The sum of a gradient's entries, each with a random weight; None where the graph has not the user's value."""
    true = look.true[name]
    weights = rng.standard_normal(true.shape)
    if not isinstance(traced, Tensor) or traced.size != true.size or np.size(plain) != true.size:
        return None
    total: Any = np.sum(np.reshape(traced, true.shape) * weights)
    value, own = float(total.numpy()), np.reshape(plain, true.shape) * weights
    slack = look.agreement[name].bound * float(np.sum(np.abs(weights)))
    if not abs(value - np.sum(own)) <= FAITHFUL * np.sum(np.abs(own)) + slack:
        return None
    return _Mixture(total._node if total._node.needs else None, value, float(np.sum(true * weights)), slack)


def _together(a: _Mixture | None, b: _Mixture | None) -> _Mixture | None:
    """The sum of two mixtures."""
    if a is None or b is None:
        return None
    tensors = [Tensor._of(x.node, np.float64(x.value)) for x in (a, b) if x.node is not None]
    total: Any = tensors[0] + tensors[1] if len(tensors) == 2 else tensors[0] if tensors else None
    node = total._node if total is not None else None
    return _Mixture(node, a.value + b.value, a.true + b.true, a.slack + b.slack)


class Answer:
    """How the mixtures answer to the values of a step; each is asked when it is needed."""

    def __init__(self, response: Response, nodes: Sequence[Node]) -> None:
        self.response: Response = response
        self.nodes: Sequence[Node] = nodes
        self.own: Any = flat(response.values.get(node, np.zeros(node.shape)) for node in nodes)
        self._rows: dict[int, tuple[Any, float]] = {}
        self._runs: int = 0  # of the program, in its stead

    def pays(self) -> bool:
        """Whether to ask costs no more than the runs of the program that were made in its stead; one is, if not."""
        asked = bool(self._rows) or self._runs * self.response.run_costs >= self.response.pull_costs
        self._runs += not asked
        return asked

    def may_mend(self, values: Any, scaled: bool) -> bool:
        """Whether with other values a wrong group is right, and nothing is broken; `scaled`: or a multiple of them."""
        groups = range(len(self.response.groups))
        for group in groups[: self.response.wrong]:
            new = values * self._factor(group, values) if scaled else values
            if all(self._is_right(one, new) for one in (group, *groups[self.response.wrong :])):
                return True
        return False

    def _factor(self, group: int, values: Any) -> float:
        """The multiple of the values with which the first mixture of a group is right, if one is."""
        slopes, rest = self._row(MIXTURES * group)
        added = float(slopes @ values)
        return (self._mixture(MIXTURES * group).true - rest) / added if added else 1.0

    def _is_right(self, group: int, values: Any) -> bool:
        """Whether the mixtures of a group are what they should be."""
        for i in range(MIXTURES * group, MIXTURES * (group + 1)):
            (slopes, rest), mixture = self._row(i), self._mixture(i)
            added = float(slopes @ values)
            sizes = abs(rest) + abs(added) + abs(mixture.true)
            if not abs(rest + added - mixture.true) <= CLOSE * sizes + mixture.slack:
                return False
        return True

    def _row(self, i: int) -> tuple[Any, float]:
        """What a mixture adds for each entry of the values, and what it is without them."""
        if i not in self._rows:
            mixture, found = self._mixture(i), dict[Node, Any]()
            if mixture.node is not None:
                start = time.thread_time()
                found = dict[Any, Any](pull(mixture.node, np.float64(1), set(self.nodes), within=True))
                self.response.pull_costs = max(self.response.pull_costs, time.thread_time() - start)
            slopes = flat(found.get(node, np.zeros(node.shape)) for node in self.nodes)
            self._rows[i] = slopes, mixture.value - float(slopes @ self.own)
        return self._rows[i]

    def _mixture(self, i: int) -> _Mixture:
        mixture = self.response.mixtures[i]
        assert mixture is not None
        return mixture
