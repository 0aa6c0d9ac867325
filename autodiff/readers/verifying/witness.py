"""The independent witness: differences of the user's own loss, which know no rule of this package.

If a rule of ours were wrong, or the graph had lost a part of the loss, the recorded gradient would differ from them. A
derivative along one random direction in each parameter tells that; where there are many parameters, several share one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...cotangents import SEVERAL
from ...differences import REACH
from .problem import Problem
from .truth import ROUNDING, Look, along, largest, rounding

DIRECTIONS = 4  # that are measured, at most
SECONDS = 0.4  # of computing that it takes, about, but at least one direction is: a busy machine changes nothing
TICK = 1e-6  # seconds: some clocks of a thread stand still for longer than a run takes
RUNS = 31  # of the program, for one direction
PIECEWISE = ("selecting", "constant")  # kinds of operations that decide something
NEAREST = 1e-6  # of the scale of the parameters: differences over less are rounded too much
VAGUE = 1e-3  # of the derivative: what is known less well settles nothing


@dataclass(frozen=True)
class Witness:
    """To how many digits differences agree with the recorded gradient, and in which parameters they do not."""

    digits: float | None = None  # None where they settle nothing
    against: tuple[str, ...] = ()


def heard(problem: Problem, look: Look, seed: int = 0) -> Witness:
    """What differences of the loss say of the recorded gradient at a point."""
    names = [name for name, value in look.point.items() if np.size(value)]
    affordable = int(SECONDS / max(RUNS * _seconds(problem, look), TICK))
    count = max(1, min(DIRECTIONS, len(names), affordable))
    digits: list[float] = []
    against: list[str] = []
    for group in (names[i::count] for i in range(count if names else 0)):
        found, differs = _compared(problem, look, group, seed)
        if differs:  # a bound is honest in all cases but one of a thousand: other directions have to agree
            against += [name for name in group if all(_compared(problem, look, [name], seed + k)[1] for k in (1, 2))]
        elif found is not None:
            digits.append(found)
    return Witness(min(digits, default=None), tuple(against))


def _seconds(problem: Problem, look: Look) -> float:
    """How long a run computes."""
    before = time.thread_time()
    problem.run(look.point, record=False)
    return time.thread_time() - before


def _reach(look: Look) -> float:
    """How far to go: with many kinks, of relu or of comparisons, one is near."""
    made = [node for node in look.values if node.primitive and node.shape is not SEVERAL]
    kinks = [node for node in made if node.primitive.kind in PIECEWISE or node.primitive.name == "abs"]
    return max(REACH / max(sum(math.prod(node.shape) for node in kinks), 1), NEAREST)


def _compared(problem: Problem, look: Look, names: Sequence[str], seed: int) -> tuple[float | None, bool]:
    """The digits that are proven along a random direction in some parameters, and whether it is another derivative."""
    rng = np.random.default_rng(seed)
    starts = {name: np.asarray(look.point[name], dtype=np.float64) for name in names}
    moves = {name: rng.standard_normal(start.shape) * (largest(start) or 1.0) for name, start in starts.items()}
    parts = np.concatenate([np.ravel(look.true[name] * move) for name, move in moves.items()])
    eps, size = rounding(look.plain), float(np.linalg.norm(parts))
    estimate = along(problem, look.point, moves, eps, _reach(look))
    admitted = estimate.bound + ROUNDING * eps * size
    error = abs(estimate.value - float(np.sum(parts)))
    if not math.isfinite(error) or not math.isfinite(admitted):
        return None, False
    if error > admitted:
        return None, True
    if not size or max(error, admitted) > VAGUE * size:
        return None, False
    return -math.log10(max(error, estimate.bound, eps * size) / size), False
