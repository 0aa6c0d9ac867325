"""How the gradients of a derivation answer to the values of its steps.

A derivation passes derivatives on, and so what comes out is linear in what any of its steps computes. Random mixtures
of each gradient, numbers, are pulled back through the derivation's own graph to a step: then to know what other values
there would make of the gradients costs a product, where to run the program costs thousands of times that.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
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
        parts: dict[tuple[str, int], _Part] = {}
        for key, mixture in self.mixtures.items():
            if mixture is None:
                return None
            found: Any = pull(mixture.node, np.float64(1), targets, within=True) if mixture.node.needs else {}
            slopes = {place: found[node] for place, node in nodes.items() if node in found}
            own = sum(float(np.sum(slope * self.values[place])) for place, slope in slopes.items())
            parts[key] = _Part(mixture.value - own, mixture.true, slopes)
        return Answer(parts)


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


@dataclass(frozen=True)
class _Part:
    """A mixture: what it is without the step, what it should be, and how it answers to the step."""

    rest: float
    true: float
    slopes: Mapping[Any, Any]

    def added(self, values: Mapping[Any, Any]) -> float:
        """What values of the step add."""
        return sum(float(np.sum(slope * values[place])) for place, slope in self.slopes.items())

    def is_right(self, added: float) -> bool:
        """Whether it is what it should be, with what the step adds."""
        return abs(self.rest + added - self.true) <= CLOSE * (abs(self.rest) + abs(added) + abs(self.true))


@dataclass(frozen=True)
class Answer:
    """How the mixtures of each gradient answer to the values of a step."""

    parts: Mapping[tuple[str, int], _Part]

    def may_mend(self, values: Mapping[Any, Any], wrong: Collection[str], scaled: bool) -> bool:
        """Whether with other values a wrong gradient is right, and none is broken; `scaled`: or a multiple of them."""
        added = {key: part.added(values) for key, part in self.parts.items()}
        if self._mends(added, 1.0, wrong):
            return True
        for (name, i), part in self.parts.items() if scaled else ():
            if name in wrong and added[name, i]:  # the first that answers tells the factor
                return self._mends(added, (part.true - part.rest) / added[name, i], wrong)
        return False

    def _mends(self, added: Mapping[tuple[str, int], float], factor: float, wrong: Collection[str]) -> bool:
        differing = {key[0] for key, part in self.parts.items() if not part.is_right(factor * added[key])}
        return differing <= set(wrong) and bool(set(wrong) - differing)
