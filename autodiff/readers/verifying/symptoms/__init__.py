"""Why a step is wrong, read from its values: what it computes, held against the graph at several points.

`H` is what the user's line computes where everything before it is right, `T` what it should be: the derivative of the
loss with respect to a value v of the forward pass. Each symptom is a line of a table: the cause, and the equation
that proves it. A cause holds if its equation does, in all entries, wherever the line is wrong, and at all points.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ....tensor import Tensor
from ..compare import ratio, same
from ..locate import Trail
from ..targets import Healing
from ..truth import Look, largest
from .changed import changed_since
from .factors import (
    matmul_for_elements,
    missing_weight,
    reduced_too_early,
    skipped,
    transposed,
    weight_not_transposed,
    wrong_activations,
    wrong_deltas,
)
from .pair import Pair
from .runs import pairs
from .slopes import (
    another_activation,
    diagonal_only,
    mask_inverted,
    mask_of_another,
    missing_slope,
    output_form,
    slope_at_activation,
    slope_of_another_layer,
    slope_twice,
)
from .sums import (
    branch_missing,
    detached,
    epsilon,
    integer,
    missing_target,
    not_reduced,
    overwritten,
    part_of_formula,
    penalty_elsewhere,
    penalty_forgotten,
    penalty_of_another,
    penalty_scale,
    sign_of_a_part,
    target_added,
    twice,
    wrong_axis,
    wrong_loss,
    wrong_shape,
    wrong_slope,
)

# fmt: off
SYMPTOMS: tuple[tuple[str, Callable[[Pair], bool]], ...] = (
    ("integer-dtype",                         integer),               # H is an integer, T is none
    ("detached-branch",                       detached),              # H = 0
    ("wrong-shape",                           wrong_shape),           # H = T, in another shape
    ("gradient-transposed",                   transposed),            # H = T.T
    ("regulariser-forgotten",                 penalty_forgotten),     # H = T - c W
    ("regulariser-scale",                     penalty_scale),         # H = T + c W, and T has a penalty
    ("regulariser-on-wrong-parameter",        penalty_elsewhere),     # H = T + c W, and T has none
    ("regulariser-on-wrong-parameter",        penalty_of_another),    # H = T - c W + c V
    ("missing-activation-derivative",         missing_slope),         # T = H phi'(v)
    ("activation-derivative-twice",           slope_twice),           # H = T phi'(v)
    ("relu-mask-inverted",                    mask_inverted),         # H = da 1[z <= 0]
    ("activation-derivative-at-activation",   slope_at_activation),   # H = da phi'(a)
    ("output-form-on-preactivation",          output_form),           # H = da z (1 - z)
    ("activation-derivative-of-wrong-layer",  slope_of_another_layer),# H = da phi'(z of another layer)
    ("derivative-of-another-activation",      another_activation),    # H = da psi'(z)
    ("relu-mask-from-wrong-tensor",           mask_of_another),       # H = da 1[w > 0]
    ("softmax-diagonal-only",                 diagonal_only),         # H = ds s (1 - s)
    ("missing-target",                        missing_target),        # H = c y_hat
    ("sign",                                  target_added),          # H = c (y_hat + y)
    ("sign",                                  sign_of_a_part),        # H = T with the sign of a term turned
    ("accumulated-twice",                     twice),                 # H = T + one of its terms
    ("overwritten-not-accumulated",           overwritten),           # the same, and the line writes over the others
    ("wrong-local-derivative",                part_of_formula),       # H = T without a term of a product rule
    ("missing-branch",                        branch_missing),        # H = T without some of its terms
    ("matmul-for-elementwise",                matmul_for_elements),   # H = g @ x for g * x
    ("bias-not-reduced",                      not_reduced),           # T = sum of H
    ("bias-wrong-axis",                       wrong_axis),            # H = sum over another axis
    ("weight-not-transposed",                 weight_not_transposed), # H = D W for D W.T
    ("missing-weight-factor",                 missing_weight),        # H = D for D W.T
    ("reduced-too-early",                     reduced_too_early),     # H = sum(A) sum(D) for sum(A D)
    ("wrong-tensor-in-weight-gradient",       wrong_activations),     # H = A.T D for another A
)
# fmt: on
WHOLE = {
    integer,
    detached,
    wrong_shape,
    transposed,
    penalty_forgotten,
    penalty_scale,
    penalty_elsewhere,
    penalty_of_another,
    sign_of_a_part,
    twice,
    overwritten,
    branch_missing,
    part_of_formula,
    not_reduced,
    missing_target,
    target_added,
    skipped,
    epsilon,
    wrong_slope,
}  # of the derivative as a whole; the others are asked of what each use adds to it, too
LAST = (  # named where nothing else is, and no edit either
    ("epsilon-ignored", epsilon),  # H = T, nearly
    ("wrong-loss-derivative", wrong_loss),
    ("skipped-layer", skipped),  # H = the derivative of a later layer
    ("wrong-tensor-in-delta", wrong_deltas),  # H = D W.T for another D or W
    ("wrong-local-derivative", wrong_slope),
)


# --- a step, at several points ---------------------------------------------------------------------------------------


def named(trail: Trail, healing: Healing, looks: Sequence[Look]) -> str | None:
    """The cause that a step's values prove; None where none of the equations holds everywhere."""
    if trail.problem.program.statements[healing.statement].names[0] in trail.look.point:
        return "updated-weights"
    if healing.target.kind == "value":
        statement = trail.problem.program.statements[healing.statement]
        ahead = any(place[0] == healing.statement for place in trail.forward)
        in_place = statement.kind not in ("=", "return", "call") and not ahead
        return "input-mutated" if in_place else None
    return changed_since(trail, healing) or _symptom(trail, healing, looks)


def _symptom(trail: Trail, healing: Healing, looks: Sequence[Look]) -> str | None:
    every = [pair for look in looks for pair in pairs(trail, healing, look)]
    if not every:
        return None
    if healing.target.kind == "slope":
        return _of_slope(every)
    factor = _common_factor(every)
    if factor is not None:
        if all(pair.is_penalty for pair in every):
            return "regulariser-scale"
        return factor_name(factor, trail, every)
    of_loss = all(_holds(wrong_loss, pair) for pair in every)  # behind it there is no layer
    for cause, equation in SYMPTOMS:
        if not (of_loss and cause in OF_LAYERS) and all(_holds(equation, pair) for pair in every):
            return cause
    if of_loss:
        return None
    odd = {frozenset(w for w in pair.weights or () if w != 1.0) for pair in every}
    of_formula = any(map(wrong_slope, every))  # whose terms are no branches
    of_runs = any(len({p.view.places.get(user) for user, _ in p.parts}) == 1 < len(p.parts) for p in every)
    plain = not of_formula and not of_runs
    if plain and len(odd) == 1 and len(only := list(odd.pop())) == 1 and only[0]:  # some terms have a factor
        return factor_name(only[0], trail, every)
    return None


def presumed(trail: Trail, healing: Healing, looks: Sequence[Look]) -> str | None:
    """The cause that is left where neither values nor edits prove one."""
    if healing.target.kind == "slope":
        return "wrong-local-derivative"
    every = [pair for look in looks for pair in pairs(trail, healing, look)]
    adds = trail.problem.program.statements[healing.statement].kind in ("+=", "-=")
    some = (one for one in LAST if every and not (adds and one[1] is skipped))  # pieces are added up as they come
    return next((cause for cause, equation in some if all(_holds(equation, pair) for pair in every)), None)


def _of_slope(pairs: Sequence[Pair]) -> str | None:
    """What is wrong with a line that should be nothing but the derivative of an activation."""
    found = (cause for cause, equation in SYMPTOMS if cause in SLOPES and all(_holds(equation, p) for p in pairs))
    return next(found, None)


OF_LAYERS = (
    "activation-derivative-at-activation", "output-form-on-preactivation", "activation-derivative-of-wrong-layer",
    "derivative-of-another-activation",
)  # fmt: skip
SPREADS = ("var", "std", "sqrt")  # of which there is one where values are normalised
SLOPES = (
    "relu-mask-inverted", "activation-derivative-at-activation", "output-form-on-preactivation",
    "activation-derivative-of-wrong-layer", "derivative-of-another-activation", "relu-mask-from-wrong-tensor",
)  # fmt: skip


def _holds(equation: Callable[[Pair], bool], pair: Pair) -> bool:
    try:
        with np.errstate(all="ignore"):
            return equation(pair) or (equation not in WHOLE and any(map(equation, pair.apart)))
    except (ValueError, TypeError, IndexError, np.linalg.LinAlgError):  # shapes that do not go together
        return False


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
    spreads = any(not u.is_leaf and u.primitive.name in SPREADS for u in trail.look.forward)
    if spreads and any(abs(f * (n - 1) - n) < 1e-6 for n in sizes for f in (factor, 1 / factor) if n > 2):
        return "ddof"
    whole = round(factor) if factor > 1 else round(1 / factor) if factor > 0 else 0
    if whole in sizes and abs((factor if factor > 1 else 1 / factor) - whole) < 1e-6:
        outputs = {size for target in trail.compared for size in target.shape}
        constants = pairs[0].view.constants
        samples = _of_all(constants)
        inputs = {size for array in constants for size in array.shape if not _is_among(array, trail.compared)}
        if whole in outputs and inputs and whole not in inputs and factor > 1:
            return "factor-K"
        if whole not in inner or whole in samples:
            return "factor-N" if factor > 1 else "factor-1/N"
        if not outputs or whole in outputs:
            return "factor-K" if factor > 1 else None
    many = max(pair.true.size for pair in pairs) > 1 or len({id(pair.view) for pair in pairs}) < len(pairs)
    return "factor-const" if many else None  # any two numbers have a ratio


def _is_among(array: Any, arrays: Sequence[Any]) -> bool:
    return any(same(array, other) for other in arrays)


def _of_all(arrays: Sequence[Any]) -> set[int]:
    """The sizes that all given arrays have: the number of samples."""
    shapes = [array.shape for array in arrays if array.size > 1]
    common = set[int].intersection(*map(set, shapes)) if len(shapes) > 1 else set[int]()
    return common if len(common) < 2 else {shapes[0][0]}


def _sizes(value: Any) -> tuple[int, ...]:
    if isinstance(value, (list, tuple)):
        return (len(value),)
    return value.shape if isinstance(value, (np.ndarray, Tensor)) else ()
