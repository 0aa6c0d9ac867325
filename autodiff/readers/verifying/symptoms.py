"""Why a step is wrong, read from its values: what it computes, held against the graph at several points.

`H` is what the user's line computes where everything before it is right, `T` what it should be: the derivative of the
loss with respect to a value v of the forward pass. Each symptom is a line of a table: the cause, and the equation
that proves it. A cause holds if its equation does, in all entries, wherever the line is wrong, and at all points.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any, NamedTuple

import numpy as np

from ...graph import Node
from ...rules.shape import identity
from ...tensor import Tensor
from .activations import ACTIVATIONS
from .compare import ratio, same
from .locate import Healing, Trail, is_careless, is_piece
from .truth import Look, largest
from .view import Applied, View

PRODUCTS = ("matmul", "dot", "multiply", "inner", "outer", "einsum")


@dataclass(eq=False)
class Pair:
    """One time that a line runs: what it computes, what it should, and the value whose derivative that is."""

    hand: Any
    true: Any
    node: Node | None
    view: View
    computed: Any = None  # as the line gave it: of its own kind of number
    earlier: Any = None  # what stood there before the line wrote over it, ... for its own values
    factor: float = 1.0  # that the derivation carries along

    @property
    def is_parameter(self) -> bool:
        """Whether the value is a parameter."""
        return self.node is not None and is_piece(self.node)

    @property
    def is_penalty(self) -> bool:
        """Whether the derivative is that of a penalty: the parameter itself, but for a constant."""
        value = self.view.values.get(self.node) if self.node is not None else None
        return self.is_parameter and value is not None and value.size > 1 and ratio(self.true, value) is not None

    @functools.cached_property
    def applied(self) -> list[Applied]:
        found = self.view.activated(self.node) if self.node is not None else []
        k = self.factor
        return [replace(x, arriving=k * x.arriving) for x in found]

    @functools.cached_property
    def parts(self) -> list[tuple[Node, Any]]:
        """What each use of the value adds to its derivative."""
        if self.node is None:
            return []
        found = self.view.contributions(self.node)
        return [(user, self.factor * part) for user, part in found if part.shape == np.shape(self.true)]

    @functools.cached_property
    def apart(self) -> list[Pair]:
        """For each use of the value: what the line adds for it, where it is right in all others."""
        if not 1 < len(self.parts) <= 4 or np.shape(self.hand) != self.true.shape:
            return []
        new = [
            Pair(self.hand - (self.true - part), part, self.node, self.view, factor=self.factor)
            for _, part in self.parts
        ]
        for pair in new:
            pair.parts = []
        return new

    def times(self, factors: Callable[[Applied], Iterator[Any]]) -> bool:
        """Whether the line computes what arrives at the activation, times one of some factors."""
        with np.errstate(all="ignore"):
            return any(same(self.hand, x.arriving * factor) for x in self.applied for factor in factors(x))

    @functools.cached_property
    def weights(self) -> list[float] | None:
        """How often each use is counted, where the line computes a sum of them."""
        parts = [part.ravel() for _, part in self.parts]
        if not 1 < len(parts) <= 400 or np.shape(self.hand) != np.shape(self.true) or not parts[0].size:
            return None
        columns = np.array(parts).T
        hand = np.ravel(self.hand)
        if columns.shape[0] < columns.shape[1]:
            return self._counted(columns, hand)
        solution, _, rank, _ = np.linalg.lstsq(columns, hand, rcond=None)
        if rank < len(parts) or not same(columns @ solution, hand):
            return None
        return [float(round(c)) if abs(c - round(c)) < 1e-7 else float(c) for c in solution]

    def _counted(self, columns: Any, hand: Any) -> list[float] | None:
        """As `weights`, where uses are more than entries: one left out or counted twice, or only the last ones."""
        total, n = columns.sum(axis=1), columns.shape[1]
        upto = np.cumsum(columns, axis=1)
        for k in range(n):
            for count in (0.0, 2.0):
                if same(total + (count - 1) * columns[:, k], hand):
                    return [count if i == k else 1.0 for i in range(n)]
            if k < n - 1 and np.any(hand):
                if same(total - upto[:, k], hand):
                    return [float(i > k) for i in range(n)]
                if same(upto[:, k], hand):
                    return [float(i <= k) for i in range(n)]
        return None


# --- the equations ---------------------------------------------------------------------------------------------------


def _integer(p: Pair) -> bool:
    return np.asarray(p.computed).dtype.kind in "iu" and not same(np.round(p.true), p.true)


def _detached(p: Pair) -> bool:
    return not np.any(p.hand) and np.shape(p.hand) in ((), np.shape(p.true))


def _missing_slope(p: Pair) -> bool:
    if any(same(p.hand * x.slope, p.true) for x in p.applied if not same(x.slope, np.ones_like(x.slope))):
        return True
    return _through(p, lambda x: x.arriving) or _unknown_slope(p)


def _unknown_slope(p: Pair) -> bool:
    """What arrives at the end of a formula of the value alone, whatever that is."""
    if p.node is None or p.true.size < 2 or p.is_parameter:
        return False
    ends = (p.view.adjoints.get(u) for u in p.view.of_itself(p.node))
    return any(g is not None and same(p.hand, p.factor * g) for g in ends) and not same(p.hand, p.true)


def _slope_twice(p: Pair) -> bool:
    return any(same(p.hand, p.true * x.slope) for x in p.applied) or _through(p, lambda x: x.arriving * x.slope**2)


def _through(p: Pair, changed: Callable[[Applied], Any]) -> bool:
    """Whether the derivative that the line multiplies by a matrix is another one than that before the activation."""
    for product in _products(p):
        for x in p.view.activated(product.user):
            wrong, right = p.factor * changed(x), p.factor * x.arriving * x.slope
            changes = same(right, product.arriving) and not same(wrong, right)
            if changes and any(same(p.hand, dot * product.slope) for dot in _dots(wrong, product.other)):
                return True
    return False


def _slope_at_activation(p: Pair) -> bool:
    return p.times(lambda x: iter([x.activation.slope(x.a) * 1.0]))


def _output_form(p: Pair) -> bool:
    return p.times(lambda x: iter([x.activation.of_output(x.z)]))


def _slope_of_another_layer(p: Pair) -> bool:
    def factors(x: Applied) -> Iterator[Any]:
        for other in p.view.every:
            if not same(other.z, x.z):
                slopes = other.slope, x.activation.slope(other.z) * 1.0
                yield from (slope for slope in slopes if _fits(slope, x.slope))

    return p.times(factors)


def _fits(a: Any, b: Any) -> bool:
    try:
        return np.broadcast_shapes(a.shape, b.shape) == b.shape
    except ValueError:
        return False


def _another_activation(p: Pair) -> bool:
    def factors(x: Applied) -> Iterator[Any]:
        for activation in ACTIVATIONS:
            if activation.name not in (x.activation.name, "square"):
                yield activation.slope(x.z) * 1.0
                if activation.name not in ("silu", "exp"):
                    yield activation.of_output(x.a)

    return p.times(factors)


def _is_relu(x: Applied) -> bool:
    return x.activation.name == "relu"


def _mask_inverted(p: Pair) -> bool:
    return p.times(lambda x: iter([(x.z <= 0) * 1.0, (x.z < 0) * 1.0] if _is_relu(x) else []))


def _mask_of_another(p: Pair) -> bool:
    """What arrives, let through at other entries than those where z > 0."""
    for x in p.applied:
        if _is_relu(x) and np.shape(p.hand) == x.arriving.shape:
            passed = (np.asarray(p.hand) != 0) & (x.arriving != 0)
            if same(p.hand, x.arriving * passed) and not passed[x.arriving != 0].all():
                return True
    return False


def _diagonal_only(p: Pair) -> bool:
    """s(1 - s) for softmax."""
    if p.node is None or p.true.ndim == 0:
        return False
    for u in p.view.along(p.node):
        s, arriving = p.view.values.get(u), p.view.adjoints.get(u)
        if s is None or arriving is None or s.ndim == 0:
            continue
        sums = [s.sum(axis=axis) for axis in range(s.ndim)]
        if any(same(total, np.ones_like(total)) for total in sums):
            k = p.factor
            if same(p.hand, k * arriving * s * (1 - s)) or same(p.hand, k * arriving * s):
                return True
    return False


def _transposed(p: Pair) -> bool:
    return p.true.ndim == 2 and same(p.hand, p.true.T) and not same(p.true, p.true.T)


def _weight_not_transposed(p: Pair) -> bool:
    """D @ W for D @ W.T, with or without the local derivative."""
    return any(
        same(p.hand, wrong * slope)
        for product in _products(p)
        if product.other.ndim == 2 and product.other.shape[0] == product.other.shape[1] and not p.is_parameter
        for wrong in _dots(product.arriving, product.other)
        for slope in (1.0, product.slope)
    )


def _dots(a: Any, b: Any) -> Iterator[Any]:
    for x, y in ((a, b), (b, a), (a, b.T), (b.T, a)):
        if 0 < x.ndim < 3 and 0 < y.ndim < 3 and x.shape[-1] == y.shape[0]:
            yield x @ y


class Product(NamedTuple):
    """A product that uses a value, or what an activation makes of it: what arrives there, and the other factor."""

    user: Node
    arriving: Any
    other: Any
    is_data: bool  # whether the other factor is given
    slope: Any  # of the activation in between


def _products(p: Pair) -> Iterator[Product]:
    nodes = {p.node: 1.0, **{x.node: x.slope for x in p.applied}} if p.node is not None else {}
    for node, slope in nodes.items():
        for user in p.view.users[node]:
            if user.primitive.name in PRODUCTS and len(user.inputs) == 2 and user in p.view.adjoints:
                arriving = p.factor * p.view.adjoints[user]
                for x in user.inputs:
                    if isinstance(x, Node) and x is not node:
                        yield Product(user, arriving, p.view.values[x], not x.needs, slope)


def _missing_weight(p: Pair) -> bool:
    """The other factor of a product is left out."""
    return any(_left_out(p, product) for product in _products(p))


def _left_out(p: Pair, product: Product) -> bool:
    for whole in (product.arriving, product.arriving * product.slope):
        if _fits(whole, p.true) and same(p.hand, np.broadcast_to(whole, p.true.shape)):
            return True
        if same(p.hand, whole):
            return True
    return False


def _skipped(p: Pair) -> bool:
    """The derivative of a value of a later layer, with the local derivative of this one or without."""
    slopes = [1.0, *(x.slope for x in p.applied)]
    if p.node is None or p.view.is_tail(p.node):
        return False
    here = {p.node, *(x.node for x in p.applied)}
    later = [g for n, g in p.view.adjoints.items() if n not in here and g.shape == np.shape(p.hand) and g.size > 1]
    return any(same(p.hand, p.factor * g * slope) for g in later for slope in slopes)


def _not_reduced(p: Pair) -> bool:
    """The rows of a derivative that should be added up."""
    hand = np.asarray(p.hand)
    if hand.size <= p.true.size or hand.dtype.kind != "f":
        return False
    axes = [a for n in range(1, hand.ndim + 1) for a in itertools.combinations(range(hand.ndim), n)]
    return any(same(np.ravel(hand.sum(axis=a)), p.true.ravel()) for a in axes)


def _wrong_axis(p: Pair) -> bool:
    """The sum over another axis of that of which it should be the sum."""
    if p.node is None or not p.is_parameter:
        return False
    hand = np.ravel(p.hand)
    for user in p.view.users[p.node]:
        arriving = p.view.adjoints.get(user)
        if arriving is None or arriving.ndim < 2 or arriving.size == p.true.size:
            continue
        arriving = p.factor * arriving
        reductions = [arriving.sum(axis=a) for a in range(arriving.ndim)] + [arriving.sum()]
        if any(same(np.ravel(r), p.true.ravel()) for r in reductions):
            return any(
                same(np.broadcast_to(np.ravel(r), hand.shape) if np.size(r) == 1 else np.ravel(r), hand)
                for r in reductions
            )
    return False


def _wrong_shape(p: Pair) -> bool:
    hand = np.asarray(p.hand)
    return hand.shape != p.true.shape and hand.size == p.true.size and same(hand.ravel(), p.true.ravel())


def _of_prediction(p: Pair, rest: Any) -> bool:
    """Whether something is a constant times the prediction, with or without a local derivative."""
    if p.node is None or p.true.size < 2:
        return False
    slopes = [1.0, *(x.slope for x in p.applied)]
    nodes = [p.node, *p.view.along(p.node, p.view.compares)]
    values = [p.view.values[u] for u in nodes if u in p.view.values]
    return any(ratio(rest, value * slope) is not None for value in values for slope in slopes)


def _missing_target(p: Pair) -> bool:
    """What is left is a multiple of the prediction alone."""
    if p.node is None or p.view.compares(p.node):
        return False  # the target is in the value already
    if p.view.is_tail(p.node) and any(product.is_data and _left_out(p, product) for product in _products(p)):
        return True
    return _of_prediction(p, p.hand) and not _of_prediction(p, p.true)


def _target_added(p: Pair) -> bool:
    """Prediction plus target, for prediction minus target."""
    return _of_prediction(p, p.hand + p.true) and not _of_prediction(p, p.true) and not _of_prediction(p, p.hand)


def _twice(p: Pair) -> bool:
    return p.weights is not None and set(p.weights) <= {1.0, 2.0} and 2.0 in p.weights and 1.0 in p.weights


def _overwritten(p: Pair) -> bool:
    """The line writes over what an earlier one has put there: in a loop, over its own."""
    if p.earlier is None or not _branch_missing(p):
        return False
    return p.earlier is ... or any(same(p.true - p.hand, value) for value in p.earlier)


def _sign_of_a_part(p: Pair) -> bool:
    return p.weights is not None and set(p.weights) == {1.0, -1.0}


def _branch_missing(p: Pair) -> bool:
    return p.weights is not None and set(p.weights) == {0.0, 1.0}


def _regularised(p: Pair) -> tuple[list[float], list[float]] | None:
    """How often a penalty on the parameter itself is counted, and how often everything else."""
    weights, value = p.weights, p.view.values.get(p.node) if p.node is not None else None
    if weights is None or value is None or value.size < 2 or not p.is_parameter:
        return None
    own = [np.sum(part != 0) > 1 and ratio(part[part != 0], value[part != 0]) is not None for _, part in p.parts]
    penalty = [w for w, mine in zip(weights, own, strict=True) if mine]
    return (penalty, [w for w, mine in zip(weights, own, strict=True) if not mine]) if penalty else None


def _penalty_forgotten(p: Pair) -> bool:
    found = _regularised(p)
    return found is not None and set(found[0]) == {0.0} and set(found[1]) == {1.0}


def _penalty_scale(p: Pair) -> bool:
    found = _regularised(p)
    return found is not None and set(found[1]) == {1.0} and not set(found[0]) & {0.0, 1.0}


def _penalty_elsewhere(p: Pair) -> bool:
    value = p.view.values.get(p.node) if p.node is not None else None
    if value is None or value.size < 2 or np.shape(p.hand) != p.true.shape:
        return False
    if any(user.primitive.name in ("getitem", "reshape", "ravel") for user in p.view.users[p.node]):
        return False  # several parameters in one
    return _regularised(p) is None and ratio(p.hand - p.true, value) is not None


def _reduced_too_early(p: Pair) -> bool:
    """A product of sums for the sum of products."""
    if p.node is None or p.true.ndim == 0:
        return False
    for _, arriving, a in _products(p):
        for x, y in ((a, arriving), (a.T, arriving.T)):
            sums = [(x.sum(axis=i), y.sum(axis=i)) for i in range(min(x.ndim, y.ndim)) if x.shape[i] == y.shape[i]]
            for left, right in sums:
                if any(
                    ratio(np.ravel(p.hand), np.ravel(r)) is not None
                    for r in (
                        np.outer(left, right),
                        np.outer(right, left),
                        left * right if left.shape == right.shape else left,
                    )
                ):
                    return not same(p.hand, p.true)
    return False


def _wrong_loss(p: Pair) -> bool:
    """Anything else, where the loss compares the value with the targets."""
    if p.node is None or p.is_parameter or p.true.size < 2 or np.shape(p.hand) != p.true.shape:
        return False
    return p.view.is_tail(p.node) and all(map(p.view.compares, p.view.users[p.node]))


def _wrong_activations(p: Pair) -> bool:
    """A.T @ D, of another A than it should be."""
    return p.is_parameter and any(
        same(p.hand, dot) for product in _products(p) for m in p.view.matrices for dot in _dots(product.arriving, m)
    )


def _wrong_deltas(p: Pair) -> bool:
    """A.T @ D or D @ W.T, of another D than it should be, or another W."""
    for product in _products(p):
        factors = [(p.factor * m, product.other) for m in p.view.matrices]
        factors += [] if p.is_parameter else [(product.arriving, m) for m in p.view.matrices]
        if any(same(p.hand, dot * product.slope) for a, b in factors for dot in _dots(a, b)):
            return True
    return False


# fmt: off
SYMPTOMS: tuple[tuple[str, Callable[[Pair], bool]], ...] = (
    ("integer-dtype",                         _integer),               # H is an integer, T is none
    ("detached-branch",                       _detached),              # H = 0
    ("wrong-shape",                           _wrong_shape),           # H = T, in another shape
    ("gradient-transposed",                   _transposed),            # H = T.T
    ("regulariser-forgotten",                 _penalty_forgotten),     # H = T - c W
    ("regulariser-scale",                     _penalty_scale),         # H = T + c W, and T has a penalty
    ("regulariser-on-wrong-parameter",        _penalty_elsewhere),     # H = T + c W, and T has none
    ("missing-activation-derivative",         _missing_slope),         # T = H phi'(v)
    ("activation-derivative-twice",           _slope_twice),           # H = T phi'(v)
    ("relu-mask-inverted",                    _mask_inverted),         # H = da 1[z <= 0]
    ("activation-derivative-at-activation",   _slope_at_activation),   # H = da phi'(a)
    ("output-form-on-preactivation",          _output_form),           # H = da z (1 - z)
    ("activation-derivative-of-wrong-layer",  _slope_of_another_layer),# H = da phi'(z of another layer)
    ("derivative-of-another-activation",      _another_activation),    # H = da psi'(z)
    ("relu-mask-from-wrong-tensor",           _mask_of_another),       # H = da 1[w > 0]
    ("softmax-diagonal-only",                 _diagonal_only),         # H = ds s (1 - s)
    ("missing-target",                        _missing_target),        # H = c y_hat
    ("sign",                                  _target_added),          # H = c (y_hat + y)
    ("sign",                                  _sign_of_a_part),        # H = T with the sign of a term turned
    ("accumulated-twice",                     _twice),                 # H = T + one of its terms
    ("overwritten-not-accumulated",           _overwritten),           # the same, and the line writes over the others
    ("missing-branch",                        _branch_missing),        # H = T without some of its terms
    ("bias-not-reduced",                      _not_reduced),           # T = sum of H
    ("bias-wrong-axis",                       _wrong_axis),            # H = sum over another axis
    ("weight-not-transposed",                 _weight_not_transposed), # H = D W for D W.T
    ("missing-weight-factor",                 _missing_weight),        # H = D for D W.T
    ("reduced-too-early",                     _reduced_too_early),     # H = sum(A) sum(D) for sum(A D)
    ("wrong-tensor-in-weight-gradient",       _wrong_activations),     # H = A.T D for another A
)
# fmt: on
WHOLE = {
    _integer,
    _detached,
    _wrong_shape,
    _transposed,
    _penalty_forgotten,
    _penalty_scale,
    _penalty_elsewhere,
    _sign_of_a_part,
    _twice,
    _overwritten,
    _branch_missing,
    _not_reduced,
    _missing_target,
    _target_added,
    _skipped,
}  # of the derivative as a whole; the others are asked of what each use adds to it, too
LAST = (  # named where nothing else is, and no edit either
    ("wrong-loss-derivative", _wrong_loss),
    ("skipped-layer", _skipped),  # H = the derivative of a later layer
    ("wrong-tensor-in-delta", _wrong_deltas),  # H = D W.T for another D or W
)


# --- a step, at several points ---------------------------------------------------------------------------------------


def named(trail: Trail, healing: Healing, looks: Sequence[Look]) -> str | None:
    """The cause that a step's values prove; None where none of the equations holds everywhere."""
    if healing.target.kind == "value":
        statement = trail.problem.program.statements[healing.statement]
        in_place = statement.kind not in ("=", "return", "call")
        return "input-mutated" if in_place else None
    return _changed_since(trail, healing) or _symptom(trail, healing, looks)


def _symptom(trail: Trail, healing: Healing, looks: Sequence[Look]) -> str | None:
    sights = [pairs for look in looks if (pairs := list(_pairs(trail, healing, look)))]
    every = [pair for pairs in sights for pair in pairs]
    if not every:
        return None
    if healing.target.kind == "slope":
        return _of_slope(every)
    factor = _common_factor(every)
    if factor is not None:
        if all(pair.is_penalty for pair in every):
            return "regulariser-scale"
        return factor_name(factor, trail, every)
    for cause, equation in SYMPTOMS:
        if all(_holds(equation, pair) for pair in every):
            return cause
    odd = {tuple(w for w in pair.weights or () if w != 1.0) for pair in every}
    if len(odd) == 1 and len(only := odd.pop()) == 1:  # one of the terms has a factor
        return factor_name(only[0], trail, every)
    return None


def presumed(trail: Trail, healing: Healing, looks: Sequence[Look]) -> str | None:
    """The cause that is left where neither values nor edits prove one."""
    if _broadcasts(trail, healing):
        return "accidental-broadcast"
    every = [pair for look in looks for pair in _pairs(trail, healing, look)]
    return next((cause for cause, equation in LAST if every and all(_holds(equation, pair) for pair in every)), None)


def _broadcasts(trail: Trail, healing: Healing) -> bool:
    """Whether a line brings (n,) and (n, 1) together."""
    statement = trail.problem.program.statements[healing.statement]
    operations = [node for node in ast.walk(statement.expression) if isinstance(node, ast.BinOp)]
    found: list[bool] = []

    def watch(running: int, frame: FrameType) -> None:
        if running == statement.number and not found:
            found.append(False)
            for node in operations:
                with contextlib.suppress(Exception), np.errstate(all="ignore"):
                    sides = (node.left, node.right)
                    a, b = (np.shape(eval(ast.unparse(x), frame.f_globals, dict(frame.f_locals))) for x in sides)
                    found[0] |= not isinstance(node.op, ast.MatMult) and (is_careless(a, b) or is_careless(b, a))

    trail.problem.run(trail.look.point, heal=trail.healed, watch=watch)
    return any(found)


def _of_slope(pairs: Sequence[Pair]) -> str:
    """What is wrong with a line that should be nothing but the derivative of an activation."""
    for cause, equation in SYMPTOMS:
        if cause in SLOPES and all(_holds(equation, pair) for pair in pairs):
            return cause
    return "wrong-local-derivative"


SLOPES = (
    "relu-mask-inverted", "activation-derivative-at-activation", "output-form-on-preactivation",
    "activation-derivative-of-wrong-layer", "derivative-of-another-activation", "relu-mask-from-wrong-tensor",
)  # fmt: skip


def _changed_since(trail: Trail, healing: Healing) -> str | None:
    """The cause, where a line is right with the value that one of its names had in the forward pass."""
    statement = trail.problem.program.statements[healing.statement]
    wrong = [(place, true) for place, true in healing.values.items() if not same(trail.hand(place), true)]
    (number, occurrence, path), true = wrong[0]
    earlier = trail.earlier_values()
    found: list[str | None] = []
    count = 0

    def watch(running: int, frame: FrameType) -> None:
        nonlocal count
        count += running == number
        if running == number and count == abs(occurrence) and not found:
            variables = {**frame.f_globals, **frame.f_locals}
            found.append(None)
            for text in _mentioned(statement.expression):
                for before, cause in earlier.get(text, ()):
                    with contextlib.suppress(Exception), np.errstate(all="ignore"):
                        now = eval(text, dict(variables))
                        if np.shape(now) == np.shape(before) and not same(now, before):
                            tree = ast.fix_missing_locations(_Put(text).visit(copy.deepcopy(statement.expression)))
                            code = compile(ast.Expression(tree), "<verify>", "eval")
                            value = eval(code, {**variables, _BEFORE: np.array(before)})
                            for key in path if occurrence > 0 else ():
                                value = value[key]
                            if same(value, true):
                                found[0] = cause

    trail.problem.run(trail.look.point, heal=trail.healed, watch=watch)
    return found[0] if found else None


_BEFORE = "__before__"


class _Put(ast.NodeTransformer):
    """Puts an earlier value in the place of a name."""

    def __init__(self, text: str) -> None:
        self.text: str = text

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)) and ast.unparse(node) == self.text:
            return ast.Name(_BEFORE, ast.Load())
        return self.generic_visit(node)


def _mentioned(expression: ast.expr) -> list[str]:
    """The names, attributes and items that an expression speaks of."""
    kinds = (ast.Name, ast.Attribute, ast.Subscript)
    return list(dict.fromkeys(ast.unparse(node) for node in ast.walk(expression) if isinstance(node, kinds)))


def _holds(equation: Callable[[Pair], bool], pair: Pair) -> bool:
    try:
        with np.errstate(all="ignore"):
            return equation(pair) or (equation not in WHOLE and any(map(equation, pair.apart)))
    except (ValueError, TypeError, IndexError, np.linalg.LinAlgError):  # shapes that do not go together
        return False


def _pairs(trail: Trail, healing: Healing, look: Look) -> Iterator[Pair]:
    """Each time that the line runs and is wrong, at a point; none where the point cannot be compared."""
    view = View(look)
    found: list[tuple[Any, Any, Node | None, Any]] = []
    for (place, true), node in zip(healing.values.items(), _spread(healing), strict=True):
        there, true = (node, true) if look is trail.look else _elsewhere(trail, healing, node, true, look)
        if true is None:
            return
        found.append((place, np.asarray(true), there, node))
    heal = {**(trail.healed if look is trail.look else {}), **{place: true for place, true, _, _ in found}}
    run = trail.problem.run(look.point, heal=heal, record=False).run
    earlier = _overwritten_values(trail, healing, look)
    for place, true, node, _ in found:
        hand = run.computed.get(place)
        if hand is None or (same(hand, true) and np.shape(hand) == true.shape):
            continue
        own = view.own(np.asarray(hand) * 1.0)
        pair = Pair(own, view.own(true), _resolved(view, node, look), view, hand, earlier, healing.factor)
        if healing.target.kind == "slope":
            pair.applied = [replace(x, arriving=np.ones_like(x.slope)) for x in view.every if x.node is node]
        yield pair


def _overwritten_values(trail: Trail, healing: Healing, look: Look) -> Any:
    """The values that other lines of the same call gave the name before; ... for a line that runs again and again."""
    own = trail.problem.program.statements[healing.statement]
    if own.kind != "=":
        return None
    records = look.plain.run.records
    mine = [record for record in records if record.statement == own.number]
    root = own.names[0].split("[")[0]
    others = [
        record
        for record in records[: records.index(mine[0])]
        if record.name.split("[")[0] == root and record.stack == mine[0].stack and record.statement != own.number
    ]
    if not others:
        return None
    again = sum(record.stack == mine[0].stack for record in mine) > 1
    return ... if again else [record.value for record in others]


def _spread(healing: Healing) -> list[Any]:
    """The value of the forward pass for each place."""
    nodes = list(healing.target.nodes)
    return nodes if len(nodes) == len(healing.values) else nodes[:1] * len(healing.values)


def _elsewhere(trail: Trail, healing: Healing, node: Any, true: Any, look: Look) -> tuple[Any, Any]:
    """The same value of the forward pass at another point, and the derivative there."""
    if isinstance(node, str):
        return node, look.true[node].reshape(np.shape(true))
    here, there = trail.look.forward, look.forward
    if healing.target.kind != "adjoint" or len(here) != len(there) or trail.healed:
        return None, None
    position = trail.index.get(node)
    other = there[position] if position is not None else None
    if other is None or other.shape != node.shape or other not in look.adjoints:
        return None, None
    value = healing.factor * look.adjoints[other]
    return other, value.T if value.shape != np.shape(true) else value


def _resolved(view: View, node: Any, look: Look) -> Node | None:
    """The node that the forward pass uses: a parameter's is the copy of it that the program works on."""
    if isinstance(node, str):
        node = next((n for n in look.forward if n.is_leaf and n.variable and n.variable.name == node), None)
    if isinstance(node, Node) and node.is_leaf:
        users = view.users[node]
        if len(users) == 1 and users[0].primitive.function is identity:
            return users[0]
    return node


def _common_factor(pairs: Sequence[Pair]) -> float | None:
    """The constant c with H = c T, wherever the line runs."""
    factors = [ratio(pair.hand, pair.true) for pair in pairs]
    first = factors[0]
    if first is None or any(f is None or abs(f - first) > 1e-9 * abs(first) for f in factors):
        return None
    return first if sum(largest(pair.true) > 0 for pair in pairs) else None


def factor_name(factor: float, trail: Trail, pairs: Sequence[Pair]) -> str | None:
    """What a constant factor is called: by what it is, not by how it is mended."""
    if factor in (-1.0, 2.0, 0.5):
        return {-1.0: "sign", 2.0: "factor-2", 0.5: "factor-half"}[factor]
    inner = {size for value in trail.problem.parameters.values() for size in np.shape(value)}
    held = [*trail.problem.arguments, *trail.look.plain.run.locals.values()]
    sizes = {size for value in (*pairs[0].view.values.values(), *held) for size in _sizes(value)}
    if any(abs(f * (n - 1) - n) < 1e-6 for n in sizes for f in (factor, 1 / factor) if n > 2):
        return "ddof"
    whole = round(factor) if factor > 1 else round(1 / factor) if factor > 0 else 0
    if whole in sizes and abs((factor if factor > 1 else 1 / factor) - whole) < 1e-6:
        if whole not in inner:
            return "factor-N" if factor > 1 else "factor-1/N"
        return "factor-K" if factor > 1 else None
    many = max(pair.true.size for pair in pairs) > 1 or len({id(pair.view) for pair in pairs}) < len(pairs)
    return "factor-const" if many else None  # any two numbers have a ratio


def _sizes(value: Any) -> tuple[int, ...]:
    if isinstance(value, (list, tuple)):
        return (len(value),)
    return value.shape if isinstance(value, (np.ndarray, Tensor)) else ()
