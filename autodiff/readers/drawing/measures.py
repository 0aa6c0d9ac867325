"""What the values of a graph are, and how large their gradients: numbers, and their words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ...derivative import pull
from ...graph import SEVERAL, Graph, Node, Variable
from ...tensor import Tensor

SMALLEST, LARGEST = 1e-6, 1e2  # the gradients whose bars are empty and full


class Measures:
    """The values of a graph, computed again as they were when it was recorded, and the sizes of their gradients.

    `released`: whether `backward` freed what the graph had saved. `differentiated`: whether there are gradients.
    """

    def __init__(self, graph: Graph, outputs: Sequence[Tensor], targets: Iterable[Node]) -> None:
        self.released: bool = any(map(_is_released, graph.nodes))
        with np.errstate(all="ignore"):
            self._values = graph.evaluate()
            self._gradients = _gradients(graph, outputs, targets)
        self.differentiated: bool = bool(self._gradients)

    def extent(self, nodes: Iterable[Node]) -> str:
        """From the least to the largest element of some values together."""
        return extent([self._values[node] for node in nodes])

    def size(self, nodes: Iterable[Node]) -> float | None:
        """The Euclidean norm of the gradients of some values together, or None where none has one."""
        found = [self._gradients[key] for node in nodes if (key := _source(node)) in self._gradients]
        return math.hypot(*found) if found else None


# --- gradients --------------------------------------------------------------------------------------------------------


def _gradients(graph: Graph, outputs: Sequence[Tensor], targets: Iterable[Node]) -> dict[Any, float]:
    """The size of the gradient of each target, by its node or variable; none if `backward` was never called.

    The gradients are those of the outputs that were differentiated, together. Of one that is no scalar nobody knows any
    more what came in to it: then only leaves have one, their `.grad`.
    """
    found: dict[Any, Any] = {}
    wanted = {_source(node) for node in targets if node.needs and node.shape is not SEVERAL}
    variables = [node.variable for node in graph.leaves if node.needs and node.variable is not None]
    for output in outputs:
        node = output._current()[1]
        if not node.needs or node.is_leaf or node.shape != () or node.dtype.kind != "f":
            continue
        freed = _is_released(node)
        if freed or all(variable.grad is not None for variable in variables):
            pulled = pull(node, output._incoming(None), wanted, release=freed)
            if freed or _was_added(pulled, variables):
                found |= {key: found[key] + g if key in found else g for key, g in pulled.items()}
    if not found and any(map(_is_released, graph.outputs)):
        found = {variable: variable.grad for variable in variables if variable.grad is not None}
    return {key: norm(g) for key, g in found.items() if isinstance(g, (np.ndarray, np.generic))}


def _was_added(pulled: dict[Any, Any], variables: Iterable[Variable]) -> bool:
    """Whether these gradients are what `.grad` of the leaves holds.

    Then `backward` was called, though what it had freed is there again, since somebody asked for more derivatives.
    """
    return all(x in pulled and np.allclose(x.grad, np.conj(pulled[x]), equal_nan=True) for x in variables)


def _is_released(node: Node) -> bool:
    return node.saved is None


def _source(node: Node) -> Node | Variable:
    """What `pull` knows a node by."""
    return node.variable if node.is_leaf and node.variable is not None else node


def norm(gradient: Any) -> float:
    """The Euclidean norm."""
    wide = np.asarray(gradient, np.complex128 if gradient.dtype.kind == "c" else np.float64).ravel()
    with np.errstate(all="ignore"):
        return math.sqrt(np.vdot(wide, wide).real)


def fraction(gradient: float) -> float:
    """How much of a bar is full, on a logarithmic scale."""
    if not gradient > 0:
        return 0.0
    full = math.log(gradient / SMALLEST) / math.log(LARGEST / SMALLEST)
    return min(max(full, 0.03), 1.0)


# --- words ------------------------------------------------------------------------------------------------------------


def extent(values: Sequence[Any]) -> str:
    """From the least to the largest element of some values, and what is not finite.

    >>> extent([np.array([0.5, -2.25, 10.0])]), extent([np.array(0.64712)]), extent([np.array([1, 10])])
    ('−2.2 … 10', '0.647', '1 … 10')
    """
    arrays = [value for value in values if isinstance(value, (np.ndarray, np.generic))]
    if len(arrays) < len(values):
        return "several values" if any(isinstance(value, (tuple, list)) for value in values) else "not computed"
    flat = [np.ravel(array) for array in arrays]
    elements = flat[0] if len(flat) == 1 else np.concatenate(flat)
    if not elements.size:
        return "empty"
    if elements.dtype.kind == "b":
        return str(elements[0]) if elements.size == 1 else f"{np.count_nonzero(elements)} of {elements.size} true"
    if elements.dtype.kind not in "iufc":
        return str(elements.dtype)
    return number(elements[0], 3) if elements.size == 1 else _range(elements)


def _range(elements: Any) -> str:
    sizes = np.abs(elements) if elements.dtype.kind == "c" else elements
    finite = sizes[np.isfinite(sizes)]
    words = " … ".join(dict.fromkeys((number(finite.min()), number(finite.max())))) if finite.size else ""
    if elements.dtype.kind == "c" and words:
        words = f"|·| {words}"
    missing = elements.size - finite.size
    return ", ".join(filter(None, [words, f"{missing:,} of {elements.size:,} not finite" if missing else ""]))


def number(x: Any, digits: int = 2) -> str:
    """A number with some significant digits, as a person writes it.

    >>> [number(x) for x in (-0.541, 9.0, 123.4, 1.8e-5, 0.0, np.int64(7))]
    ['−0.54', '9.0', '123', '1.8e-05', '0', '7']
    """
    if isinstance(x, (complex, np.complexfloating)):
        sign = "−" if x.imag < 0 else "+"
        return f"{number(x.real, digits)} {sign} {number(abs(x.imag), digits)}i"
    if not math.isfinite(x):
        return {math.inf: "∞", -math.inf: "−∞"}.get(float(x), "nan")
    if isinstance(x, (int, np.integer)) or x == 0:
        return f"{int(x)}".replace("-", "−")
    magnitude = math.floor(math.log10(abs(x)))
    if -3 <= magnitude <= 5:
        return f"{x:.{max(digits - 1 - magnitude, 0)}f}".replace("-", "−")
    text = f"{x:.{digits - 1}e}"
    return text.replace("-", "−", 1) if x < 0 else text


def brief(x: float) -> str:
    """The size of a gradient.

    >>> [brief(x) for x in (0.6412, 1.0, 1.8e-5, 0.0)]
    ['0.64', '1', '1.8e-05', '0']
    """
    return number(int(x) if math.isfinite(x) and x == round(x) and abs(x) < 1e6 else x)


def shape(node: Node, scalar: str = "scalar") -> str:
    """A shape in words: `3 × 4`, `scalar`."""
    if node.shape is SEVERAL:
        return "several"
    return " × ".join(map(str, node.shape)) if node.shape else scalar
