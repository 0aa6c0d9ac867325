"""Derivatives from values alone, with an error that is admitted: a witness that knows no rule of this package.

`derivative` takes central differences of t -> f(x + t v) on a ladder of steps, since somewhere on it both truncation
(steps too large) and rounding (too small) are small. Each row is extrapolated from those before it as Richardson does
(Phil. Trans. A 210, 1911), in the triangle of Ridders (Adv. Eng. Softw. 4, 1982), who trusts the entry that differs
least from its neighbours. But neighbours agree by chance, share their rounding, or lie on both sides of a kink: in
every second case the error is larger than he claims. So here an entry carries

    truncation      what its last extrapolation has moved,
    rounding        the noise of f by the step, where noise is what extrapolation leaves of this row and the next two,
    asymmetry       (f(h) - 2 f(0) + f(-h)) / 2 h, extrapolated to h = 0: half the jump of the slope at a kink,
    contradiction   what it is off from an entry of a finer row, beyond what that one carries;

and the bound is three times the least sum. Where the first ladder, of near steps, does not settle it to 9 digits,
there are a second of wider steps and a third far below, for what is too narrow for the others. A smooth f that is
narrower than all of them, and 0 at x, is not seen.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Table = list[list[float]]

REACH = 0.48  # the largest step, of the scale of x
NARROW, WIDE = 2.2, 2.2**2  # ratios of steps: no powers of 2, whose multiples are rounded alike
ROWS, FINE, FINEST = range(7), range(4, 9), range(12, 15)  # powers of NARROW; of WIDE, unless the first are sharp
SHARP = 1e-9  # so small is an error beside the value then
COLUMNS = 6
CAUTION = 3.0
EPS, TINY = float(np.finfo(float).eps), 1e-290


class Estimate(NamedTuple):
    """A derivative, how far off it may be (inf where that is not known), and how often f was evaluated."""

    value: float
    bound: float
    evaluations: int


def derivative(f: Callable[[Array], Any], x: Any, v: Any, *, eps: float = 0.0, reach: float = REACH) -> Estimate:
    """d f(x + t v) / dt at t = 0, from 15 values of f, or 31 if they do not agree to 9 digits.

    `f` takes a float64 array of the shape of x, each time a new one, and returns a number. `eps`: the rounding of f,
    if that is known to be coarser than the type of what f returns tells, as of float32 inside. `reach`: the largest
    step, relative to the scale of x; smaller where it would cross a kink.

    >>> slope = derivative(lambda x: np.sum(np.sin(x)), np.zeros(2), np.array([1.0, 2.0]))
    >>> f"{slope.value:.10f}", slope.bound < 1e-10
    ('3.0000000000', True)
    """
    x, v = np.array(x, float), np.array(v, float)
    start = f(x.copy())
    dtype = np.asarray(start).dtype
    start, eps = float(start), max(EPS, eps, float(np.finfo(dtype).eps) if dtype.kind == "f" else 0.0)
    if not np.any(v):
        return Estimate(0.0, 0.0, 1)
    if not math.isfinite(start) or not TINY < (largest := reach * scale(x, v)) < math.inf:
        return Estimate(math.nan, math.inf, 1)
    first = [_sample(f, x, v, largest / NARROW**k) for k in ROWS]
    value, error = _best([_Ladder(start, eps, first, NARROW)])
    if error <= SHARP * abs(value):
        return Estimate(value, CAUTION * error, 1 + 2 * len(first))
    fine, finest = ([_sample(f, x, v, largest / WIDE**k) for k in powers] for powers in (FINE, FINEST))
    ladders = [(first, NARROW), (first[::2] + fine, WIDE), (finest, WIDE)]
    value, error = _best([_Ladder(start, eps, samples, ratio) for samples, ratio in ladders])
    return Estimate(value, CAUTION * error, 1 + 2 * len(first + fine + finest))


def complex_step(f: Callable[[Array], Any], x: Any, v: Any) -> Estimate:
    """The same of an analytic f, from 5 of its values at complex numbers (Squire and Trapp, SIAM Rev. 40, 1998).

    There is no difference, and no rounding of one. Where f is not analytic (abs, max, comparisons, conj, real buffers)
    the value is silently wrong: ask `derivative` in some direction first. The bound is from how derivatives nearby lie
    on a line.

    >>> complex_step(lambda x: np.sum(np.sin(x)), np.zeros(2), np.array([1.0, 2.0])).value
    3.0
    """
    x, v = np.array(x, float), np.array(v, float)
    if not np.any(v):
        return Estimate(0.0, 0.0, 0)
    size = scale(x, v)
    h = 1e-30 * size

    def at(t: float) -> float:
        with np.errstate(all="ignore"):
            return float(np.imag(f(x + t * size * v + 1j * h * v)) / h)

    value = at(0.0)
    near = [(at(t) - value) + (at(-t) - value) for t in (1e-9, 7.3e-9)]
    error = max(map(abs, near)) + EPS * abs(value) + TINY / h
    return Estimate(value, 10 * error if math.isfinite(error) else math.inf, 5)


def scale(x: Array, v: Array) -> float:
    """The t for which t v is about as large as x, where small entries count as a tenth of the largest."""
    sizes = np.maximum(np.abs(x), 0.1 * np.max(np.abs(x)))
    unit = v / np.max(np.abs(v))
    with np.errstate(all="ignore"):
        relative = unit / np.where(sizes > 0, sizes, 1.0)
        return float(np.linalg.norm(unit) / np.linalg.norm(unit * relative) / np.max(np.abs(v)))


class _Sample(NamedTuple):
    """f at a step and at its opposite; `blur` is the relative error of the step, by the rounding of x."""

    step: float
    above: float
    below: float
    blur: float


def _sample(f: Callable[[Array], Any], x: Array, v: Array, step: float) -> _Sample:
    with np.errstate(all="ignore"):
        above, below = x + step * v, x - step * v
        blur = np.max(np.abs((above - below) / (2 * step) - v)) / np.max(np.abs(v))
    return _Sample(step, _far(f, above), _far(f, below), float(blur))


def _far(f: Callable[[Array], Any], x: Array) -> float:
    """f at a place that nobody asked for: nan where it is not defined there."""
    with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
        try:
            return float(f(x))
        except (ArithmeticError, ValueError):  # of `math`, of `np.linalg`
            return math.nan


class _Ladder:
    """Differences and their extrapolations: rows of steps that fall by a ratio."""

    def __init__(self, start: float, eps: float, samples: list[_Sample], ratio: float) -> None:
        self.start, self.eps, self.samples = start, eps, samples
        odd = [(above - below) / (2 * h) for h, above, below, _ in samples]
        even = [((above - start) + (below - start)) / (2 * h) for h, above, below, _ in samples]
        self.slopes = _extrapolated(odd, ratio, 2)  # with errors of the orders h^2, h^4, ...
        self.jumps = _extrapolated(even, ratio, 1)  # h, h^3, ...

    def entries(self, quantum: float) -> Iterator[tuple[float, float, float]]:
        """Of each row that has finer ones: its step, its best value, and the error of that."""
        noise = [max(quantum, self._noise(k)) for k in range(1, len(self.samples))]
        for k, sample in enumerate(self.samples[1:-1], 1):
            size = TINY + self.eps * max(abs(sample.above), abs(sample.below))
            rounding = (max(noise[k - 1 : k + 2]) + size) / sample.step + sample.blur * abs(self.slopes[k][0])
            yield sample.step, *self._best_of_row(k, rounding)

    def _best_of_row(self, k: int, rounding: float) -> tuple[float, float]:
        slopes = self.slopes[k]
        moves = [abs(slopes[0] - self.slopes[k - 1][0]), *(abs(b - a) for a, b in itertools.pairwise(slopes))]
        jumps = _steady(map(abs, self.jumps[k]))
        errors = [move + max(jump, rounding) for move, jump in zip(moves, jumps, strict=True)]
        known = ((error, value) for error, value in zip(errors, slopes, strict=True) if math.isfinite(error))
        error, value = min(known, default=(math.inf, 0.0))
        return value, error

    def _noise(self, k: int) -> float:
        """How far the values of row k are off a smooth function: what extrapolation leaves of them."""
        odd = _steady(abs(b - a) for a, b in zip(self.slopes[k - 1], self.slopes[k], strict=False))
        even = _steady(map(abs, self.jumps[k]))
        return self.samples[k].step * max(min(odd), min(even))


def _best(ladders: list[_Ladder]) -> tuple[float, float]:
    """The entry of the least error that no finer one contradicts, and that error."""
    changes = {abs(x - ladder.start) for ladder in ladders for s in ladder.samples for x in (s.above, s.below)}
    stairs = 0.0 in changes  # where f changes in large steps and not in small ones, it may have stairs
    quantum = min((change for change in changes if 0 < change < math.inf), default=0.0) if stairs else 0.0
    entries = sorted(entry for ladder in ladders for entry in ladder.entries(quantum))
    judged: list[tuple[float, float]] = []
    for i, (_, value, error) in enumerate(entries):
        contradiction = max((abs(value - other) - admitted for _, other, admitted in entries[:i]), default=0.0)
        judged.append((max(error, contradiction), value))
    error, value = min(judged)
    return value, error


def _extrapolated(first: list[float], ratio: float, order: int) -> Table:
    """Rows that begin with numbers whose error goes like h**order: each column eliminates the next power but one."""
    table: Table = []
    for number in first:
        row = [number]
        for j, coarser in enumerate(table[-1][: COLUMNS - 1] if table else ()):
            row.append(row[-1] + (row[-1] - coarser) / (ratio ** (order + 2 * j) - 1))
        table.append(row)
    return table


def _steady(errors: Iterable[float]) -> list[float]:
    """Each error, or that of the next column, if that is larger: one by itself may be small by chance."""
    known = [math.inf if math.isnan(error) else error for error in errors]
    return [max(pair) for pair in itertools.pairwise([*known, *known[-2:-1]])] or known
