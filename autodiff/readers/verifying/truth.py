"""The true gradient at a point, from the recorded graph, and how well a hand derivation agrees with it."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...cotangents import SEVERAL
from ...derivative import pull
from ...differences import REACH, Estimate, derivative
from ...errors import AutodiffError, GradientError
from ...graph import Graph, Node
from ...tensor import Tensor
from .problem import Outcome, Point, Problem
from .program import Run, node_places

ROUNDING = 100  # roundings that a derivation may differ by, in the size of its largest ones
DOUBLE = float(np.finfo(np.float64).eps)
NOISY = 2  # runs with other roundings
ENTRIES = 50  # of a parameter that are measured one by one, where nothing is recorded; of a larger one
DIRECTIONS = 5  # so many random directions
FLIPPED = 1e-6  # of a gradient: what moves by more than that is not rounded, but decided otherwise
UNKNOWN = 1e-6  # of the gradient: what is known less well than that is not known


@dataclass
class Agreement:
    """How a gradient derived by hand compares with the true one."""

    error: float  # the largest difference
    bound: float  # what rounding explains
    size: float  # the largest entry
    note: str = ""
    kink: bool = False  # at a point without a derivative, where this is one of those beside it
    in_double: Agreement | None = None  # of what it is in float64, where rounding in float32 tells too little

    @property
    def right(self) -> bool:
        """Whether nothing but rounding is between them."""
        return self.error <= self.bound and (self.in_double is None or self.in_double.right)

    @property
    def vanishes(self) -> bool:
        """Whether the gradient is 0, but for rounding: that of a bias which a batch norm takes away, say."""
        return 0 < self.size <= self.bound

    @property
    def digits(self) -> float:
        """How many leading digits agree, of the largest entry."""
        if self.error == 0:
            return 16.0
        return max(0.0, -math.log10(self.error / self.size)) if self.size and math.isfinite(self.error) else 0.0

    @property
    def resolution(self) -> float:
        """The smallest error that would have shown, relative to the gradient."""
        if self.in_double is not None:
            return self.in_double.resolution
        return self.bound / self.size if self.size else self.bound


@dataclass
class Look:
    """The derivation at one point: what it gives, what is true, and how they compare."""

    point: Point
    plain: Outcome
    traced: Outcome
    hand: dict[str, Any]
    true: dict[str, Any]
    agreement: dict[str, Agreement] = field(default_factory=dict)

    @property
    def wrong(self) -> list[str]:
        """The parameters whose gradients are wrong here."""
        return [name for name, found in self.agreement.items() if not found.right]

    @property
    def resolution(self) -> float:
        """The smallest relative error that would have shown in every gradient but those that vanish."""
        return max((found.resolution for found in self.agreement.values() if not found.vanishes), default=0.0)

    @functools.cached_property
    def output(self) -> Node:
        """The node of the loss."""
        return summed(self.traced.loss)._node

    @property
    def is_tainted(self) -> bool:
        """Whether gradient may have been lost on the way to the loss; what is lost behind it does not matter."""
        return self.traced.run.tainted < self.output.index

    @functools.cached_property
    def forward(self) -> tuple[Node, ...]:
        """The values behind the loss through which gradient flows, in the order of computation."""
        return Graph([self.output], carrying=True).nodes

    @functools.cached_property
    def adjoints(self) -> dict[Node, Any]:
        """The derivative of the loss with respect to each of them."""
        with np.errstate(all="ignore"):
            whole = [node for node in self.forward if node.shape is not SEVERAL]
            wanted = {source(node) for node in whole}
            found: Any = pull(self.output, np.float64(1), wanted) if wanted else {}
        return {node: np.asarray(found[source(node)]) for node in whole if source(node) in found}

    @functools.cached_property
    def values(self) -> dict[Node, Any]:
        """The value of each node behind the loss."""
        return Graph([self.output]).evaluate()


def source(node: Node) -> Any:
    """What a gradient is asked for by."""
    return (node.variable or node) if node.is_leaf else node


def summed(loss: Any) -> Tensor:
    """The loss as a scalar."""
    if not isinstance(loss, Tensor):
        raise GradientError(f"verify: the loss is {type(loss).__name__}, not computed from the parameters")
    return loss if loss.shape == () else np.sum(loss)  # type: ignore[return-value]


def number(loss: Any) -> float:
    """The loss of a plain run, its entries added up."""
    try:
        return float(np.sum(np.asarray(loss, dtype=np.float64)))
    except (TypeError, ValueError):
        return math.nan


def looked(problem: Problem, point: Point) -> Look:
    """The derivation at a point. Raises an AutodiffError where its loss cannot be recorded."""
    plain = problem.run(point)
    if plain.error is not None:
        raise plain.error
    look = _traced(problem, point, plain)
    if not all_finite(look.true.values()) and math.isfinite(number(plain.loss)) and not problem.bounded:
        problem.bounded = True  # 0 times infinity, perhaps, as of sigmoid at -inf
        again = _traced(problem, point, plain)
        problem.bounded = all_finite(again.true.values())
        look = again if problem.bounded else look
    look.agreement = agreements(problem, look)
    return look


def _traced(problem: Problem, point: Point, plain: Outcome) -> Look:
    """A look at what is recorded, with the true gradient."""
    traced = problem.run(point, traced=True)
    if traced.error is not None:
        raise traced.error if isinstance(traced.error, AutodiffError) else GradientError(str(traced.error))
    if not close(number(plain.loss), float(np.sum(summed(traced.loss).numpy())), rounding(plain)):
        if number(problem.run(point).loss) != number(plain.loss):
            raise GradientError("it is another one in each run; give its random numbers a seed")
        raise GradientError("it is another one when it is computed on Tensors")
    look = Look(point, plain, traced, dict(plain.gradients), {})
    _unite_pieces(look.output, traced.run)
    look.true = _recorded(look)
    return look


def _unite_pieces(output: Node, run: Run) -> None:
    """What is cut out of a parameter in two places is one value: `W1, b1 = split(theta)` in each of two functions."""
    first: dict[Any, Node] = {}
    same: dict[Node, Node] = {}
    nodes = Graph([output], carrying=True).nodes
    places = node_places(run, [node for node in nodes if not node.is_leaf])
    for node in nodes:
        if any(x in same for x in node.inputs if isinstance(x, Node)):
            node.inputs = tuple(same.get(x, x) if isinstance(x, Node) else x for x in node.inputs)
        if not node.is_leaf and is_piece(node):
            one = first.setdefault((node.primitive, node.inputs, repr(node.keywords)), node)
            if places[one][:-1] != places[node][:-1]:  # no loop's
                same[node] = one


def is_piece(node: Node, looked_up: bool = False) -> bool:
    """Whether it is a parameter, or cut out of a vector of all of them; or `looked_up` in it as in a table."""
    while not node.is_leaf and node.primitive.name in ("getitem", "reshape", "transpose", "swapaxes", "identity"):
        first, *others = node.inputs
        if others and not looked_up:
            return False
        node = first
    return node.is_leaf and node.needs


def all_finite(values: Iterable[Any]) -> bool:
    """Whether there is no infinity in some arrays, and nothing that is no number."""
    return all(np.isfinite(largest(value)) for value in values)


def _recorded(look: Look) -> dict[str, Any]:
    """The gradient by the recorded graph: 0 for what is not in it."""
    leaves = {node.variable.name: node for node in look.forward if node.is_leaf and node.variable}
    zeros = {name: np.zeros(np.shape(value)) for name, value in look.point.items()}
    return {name: look.adjoints.get(leaves[name], zero) if name in leaves else zero for name, zero in zeros.items()}


def measured(problem: Problem, point: Point) -> Look:
    """The derivation at a point where the loss cannot be recorded: against difference quotients of it."""
    plain = problem.run(point)
    if plain.error is not None:
        raise plain.error
    look = Look(point, plain, plain, dict(plain.gradients), {})
    for name, value in point.items():
        by_entry = np.size(value) <= ENTRIES
        look.agreement[name] = (_by_entry if by_entry else _by_direction)(problem, look, name, rounding(plain))
    return look


def _by_entry(problem: Problem, look: Look, name: str, eps: float) -> Agreement:
    """A gradient by hand against differences in each of its entries."""
    shape = np.shape(look.point[name])
    units = np.eye(math.prod(shape)).reshape(-1, *shape)
    estimates = [along(problem, look.point, {name: unit}, eps) for unit in units]
    look.true[name] = np.reshape([e.value for e in estimates], shape)
    bound = max((e.bound for e in estimates), default=0.0) + ROUNDING * eps * largest(look.true[name])
    return compared(look.hand[name], look.true[name], bound)


def _by_direction(problem: Problem, look: Look, name: str, eps: float) -> Agreement:
    """The same in random directions, where there are many entries."""
    shape, hand, rng = np.shape(look.point[name]), np.asarray(look.hand[name]), np.random.default_rng(0)
    unlike = compared(hand, np.zeros(shape), 0.0)
    if not math.isfinite(unlike.error):
        return unlike
    hand = hand.reshape(shape)
    error = bound = size = 0.0
    for _ in range(DIRECTIONS):
        move = rng.standard_normal(shape)
        move /= np.linalg.norm(move)
        slope, unknown, _ = along(problem, look.point, {name: move}, eps)
        error = max(error, abs(float(np.sum(hand * move)) - slope))
        bound = max(bound, unknown + ROUNDING * eps * float(np.linalg.norm(hand * move)))
        size = max(size, abs(slope))
    return Agreement(math.inf if math.isnan(error) else error, bound, size, unlike.note)


def along(problem: Problem, point: Point, moves: Mapping[str, Any], eps: float, reach: float = REACH) -> Estimate:
    """The derivative of the loss, by differences, where some parameters move, each in its direction."""
    places = np.cumsum([np.size(move) for move in moves.values()])[:-1]

    def loss(flat: Any) -> float:
        moved: dict[str, Any] = {}
        for (name, move), part in zip(moves.items(), np.split(flat, places), strict=True):
            array = part.reshape(np.shape(move))
            moved[name] = array if isinstance(point[name], np.ndarray) else array[()]
        return number(problem.run({**point, **moved}, record=False).loss)

    start = np.concatenate([np.ravel(np.asarray(point[name], dtype=np.float64)) for name in moves])
    direction = np.concatenate([np.ravel(move) for move in moves.values()])
    return derivative(loss, start, direction, eps=eps, reach=reach)


def agreements(problem: Problem, look: Look) -> dict[str, Agreement]:
    """Compare, with a bound from what rounding does to this very program."""
    eps = rounding(look.plain)
    spread = _spreads(problem, look, look.point, eps)
    if any(spread[name] > FLIPPED * largest(true) for name, true in look.true.items()):
        # a comparison came out otherwise (`x == x.max()`): so much is no rounding
        rng = np.random.default_rng(0)
        beside = {n: v * (1 + 10 * eps * rng.uniform(-1, 1, np.shape(v))) for n, v in look.point.items()}
        spread = _spreads(problem, look, beside, 0.0)
    found = _bounded(look, spread, eps)
    if any(not agreement.right for agreement in found.values()):  # by rounding of the true one, perhaps
        ours = _spreads_of_truth(problem, look)
        found = _bounded(look, {name: spread[name] + ours[name] for name in spread}, eps)
    if eps > DOUBLE:
        _ask_double(problem, look, [a for a in found.items() if a[1].resolution > max(UNKNOWN, 2000 * eps)])
    return found


def _ask_double(problem: Problem, look: Look, vague: Iterable[tuple[str, Agreement]]) -> None:
    """Gradients of a derivation in float32 that is unstable there, as it computes them in float64."""
    values = [(name, agreement, look.traced.gradients[name]) for name, agreement in vague]
    ours = _spreads_of_truth(problem, look) if values else {}
    for name, agreement, value in values:
        if isinstance(value, Tensor):
            bound = ROUNDING * (ours[name] + DOUBLE * largest(look.true[name]))
            agreement.in_double = compared(value.numpy(), look.true[name], bound)


def _bounded(look: Look, spread: Mapping[str, float], eps: float) -> dict[str, Agreement]:
    """The gradients compared, with bounds from how far rounding moves them."""
    return {
        name: compared(look.hand[name], true, ROUNDING * (spread[name] + eps * largest(true)))
        for name, true in look.true.items()
    }


def _spreads_of_truth(problem: Problem, look: Look) -> dict[str, float]:
    """How far the recorded gradient moves by rounding: a loss may be worse to differentiate than to derive by hand."""
    spread = dict.fromkeys(look.true, 0.0)
    for seed in range(NOISY):
        traced = problem.run(look.point, traced=True, noise=DOUBLE, seed=seed, record=False)
        if traced.error is None and isinstance(traced.loss, Tensor):
            for name, value in _recorded(Look(look.point, look.plain, traced, {}, {})).items():
                spread[name] = max(spread[name], largest(difference(value, look.true[name])))
    return spread


def _spreads(problem: Problem, look: Look, point: Point, noise: float) -> dict[str, float]:
    """How far gradients move by rounding: where each value on the way is rounded otherwise, or the parameters are."""
    spread = dict.fromkeys(look.true, 0.0)
    for seed in range(NOISY if noise else 1):
        noisy = problem.run(point, noise=noise, seed=seed, record=False)
        for name, value in noisy.gradients.items():
            spread[name] = max(spread[name], largest(difference(value, look.hand[name])))
    return spread


def compared(hand: Any, true: Any, bound: float) -> Agreement:
    """A gradient by hand against the true one: its values, and that an update keeps the parameter's shape."""
    hand, size = np.asarray(hand), largest(true)
    if hand.dtype.kind not in "fiub":
        return Agreement(math.inf, bound, size, f"is {hand.dtype}, not numbers")
    note = ""
    if hand.shape != true.shape:
        note = f"has shape {hand.shape}, its parameter {true.shape}"
        if not _keeps_shape(hand, true):
            return Agreement(math.inf, bound, size, note)
        hand = hand.reshape(true.shape)
    error = largest(hand * 1.0 - true)
    return Agreement(math.inf if math.isnan(error) else error, bound, size, note)


def _keeps_shape(hand: Any, true: Any) -> bool:
    """Whether `w - gradient` has the shape of w, entry by entry."""
    return hand.size == true.size and (hand.size == 1 or np.broadcast_shapes(*_fit(hand, true)) == true.shape)


def _fit(hand: Any, true: Any) -> tuple[Any, Any]:
    try:
        np.broadcast_shapes(hand.shape, true.shape)
    except ValueError:
        return (), (0,)
    return hand.shape, true.shape


def difference(a: Any, b: Any) -> Any:
    """a - b, infinite where they cannot be compared."""
    try:
        return np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    except (TypeError, ValueError):
        return np.array(np.inf)


def largest(array: Any) -> float:
    """The largest magnitude."""
    array = np.asarray(array)
    return float(np.abs(array).max()) if array.size else 0.0


def close(a: float, b: float, eps: float) -> bool:
    """Whether two losses are one, but for rounding; where one is not finite, both are."""
    return a == b or (math.isnan(a) and math.isnan(b)) or abs(a - b) <= 1e6 * eps * max(abs(a), abs(b), 1e-30)


def rounding(outcome: Outcome) -> float:
    """The rounding unit of the least precise values that were computed with."""
    values = [outcome.loss, *outcome.gradients.values(), *(record.value for record in outcome.run.records)]
    kinds = {value.dtype for value in values if getattr(value, "dtype", None) is not None}
    floats = [np.finfo(kind).eps for kind in kinds if kind.kind == "f"]
    return float(max([np.finfo(np.float64).eps, *floats]))


def points(problem: Problem, count: int, seed: int = 0) -> Iterable[Point]:
    """Random points of the user's shapes, moving only the parameters: spread like them, and none of them special."""
    rng = np.random.default_rng(seed)
    sizes = [size for value in problem.parameters.values() if (size := _spread(value))]
    usual = float(np.median(sizes)) if sizes else 1.0
    for scale in itertools.islice(itertools.cycle((1.0, 0.5, 0.7, 0.3, 0.1, 0.02, 0.005)), count):
        yield {name: _moved(value, usual, scale, rng) for name, value in problem.parameters.items()}


def nearby(problem: Problem, count: int, seed: int = 0) -> Iterable[Point]:
    """Points so near that only a kink lies between them and the user's."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        yield {
            name: value + 1e-7 * (_spread(value) or 1.0) * rng.standard_normal(np.shape(value))
            for name, value in problem.parameters.items()
        }


def _spread(value: Any) -> float:
    array = np.asarray(value, dtype=np.float64)
    array = array[np.isfinite(array)]
    return float(np.sqrt(np.mean(np.square(array)))) if array.size else 0.0


def _moved(value: Any, usual: float, scale: float, rng: np.random.Generator) -> Any:
    array = np.asarray(value)
    dtype = array.dtype if array.dtype.kind == "f" else np.float64
    moved = (
        0.3 * np.where(np.isfinite(array), array, 0)
        + scale * (_spread(array) or usual) * rng.standard_normal(array.shape)
    ).astype(dtype)
    return float(moved) if isinstance(value, float) and not isinstance(value, np.generic) else moved


def start(problem: Problem) -> Mapping[str, Any]:
    """The user's own point."""
    return dict(problem.parameters)
