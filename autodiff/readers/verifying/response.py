"""How the gradients of a derivation answer to the values of its steps.

A derivation passes derivatives on, and so what comes out is linear in what any of its steps computes. Random mixtures
of each gradient, numbers, are pulled back through the derivation's own graph to a step: then to know what other values
there would make of the gradients costs a product, where to run the program costs thousands of times that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...derivative import pull
from ...graph import Node
from ...tensor import Tensor
from .problem import Problem
from .truth import Look

MIXTURES = 2  # of each gradient: one alone is a multiple of any other number
CLOSE = 1e-6  # of what is added up: runs of the program have the last word
FAITHFUL = 1e-4  # the same, of the derivation on Tensors, each value apart, and the user's


class Response:
    """The derivation at a point, with some steps healed."""

    def __init__(self, problem: Problem, look: Look, healed: Mapping[Any, Any]) -> None:
        traced = problem.run(look.point, traced=True, heal=healed, apart=True)
        plain = problem.run(look.point, heal=healed)
        self.nodes: dict[Any, Node] = {r.place: r.value for r in traced.run.records if isinstance(r.value, Node)}
        self.values: dict[Any, Any] = {r.place: r.value for r in plain.run.records}
        self.mixtures: dict[tuple[str, int], _Mixture | None] = {}
        rng = np.random.default_rng(0)
        for name, true in look.true.items():
            for i in range(MIXTURES):
                weights = rng.standard_normal(true.shape)
                known = traced.error is None is plain.error
                mixed = _mixed(traced.gradients[name], plain.gradients[name], true, weights) if known else None
                self.mixtures[name, i] = mixed

    def of(self, places: Collection[Any]) -> Answer | None:
        """How the gradients answer to the values at some places; None where that is not known."""
        nodes = {place: self.nodes.get(place) for place in places}
        targets = {node for node in nodes.values() if node is not None and node.needs}
        if len(targets) < len(places):
            return None
        own = flat(self.values[place] for place in places)
        slopes = np.zeros((len(self.mixtures), own.size))
        rest, true = np.zeros(len(self.mixtures)), np.zeros(len(self.mixtures))
        for i, mixture in enumerate(self.mixtures.values()):
            if mixture is None:
                return None
            found: Any = pull(mixture.node, np.float64(1), targets, within=True) if mixture.node.needs else {}
            slopes[i] = flat(found.get(nodes[place], np.zeros(np.shape(self.values[place]))) for place in places)
            rest[i], true[i] = mixture.value - slopes[i] @ own, mixture.true
        return Answer([name for name, _ in self.mixtures], slopes, rest, true)


def flat(values: Iterable[Any]) -> Any:
    """The entries of several arrays, one after the other."""
    return np.concatenate([np.ravel(value) for value in values])


@dataclass(frozen=True)
class _Mixture:
    """A mixture: its node in the graph of the derivation, what it is, and what it should be."""

    node: Node
    value: float
    true: float


def _mixed(traced: Any, plain: Any, true: Any, weights: Any) -> _Mixture | None:
    """The sum of a gradient's entries, each with a weight; None where the graph has not the user's value."""
    if not isinstance(traced, Tensor) or traced.size != true.size or np.size(plain) != true.size:
        return None
    total: Any = np.sum(np.reshape(traced, true.shape) * weights)
    value, own = float(total.numpy()), np.reshape(plain, true.shape) * weights
    if not abs(value - np.sum(own)) <= FAITHFUL * np.sum(np.abs(own)):
        return None
    return _Mixture(total._node, value, float(np.sum(true * weights)))


@dataclass(frozen=True, eq=False)
class Answer:
    """How the mixtures of each gradient answer to the values of a step: `slopes @ values` is what these add."""

    names: Sequence[str]  # of the gradients
    slopes: Any
    rest: Any  # what they are without the step
    true: Any  # what they should be

    def may_mend(self, values: Any, wrong: Collection[str], scaled: bool) -> bool:
        """Whether with other values a wrong gradient is right, and none is broken; `scaled`: or a multiple of them."""
        added = self.slopes @ values
        if self._mends(added, wrong):
            return True
        answering = [i for i, name in enumerate(self.names) if name in wrong and added[i]] if scaled else []
        if not answering:
            return False
        first = answering[0]  # tells the factor
        return self._mends(added * ((self.true[first] - self.rest[first]) / added[first]), wrong)

    def _mends(self, added: Any, wrong: Collection[str]) -> bool:
        off = np.abs(self.rest + added - self.true)
        differing = off > CLOSE * (np.abs(self.rest) + np.abs(added) + np.abs(self.true))
        names = {self.names[i] for i in np.flatnonzero(differing)}
        return names <= set(wrong) and bool(set(wrong) - names)
