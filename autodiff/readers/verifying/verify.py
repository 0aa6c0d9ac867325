"""`verify`: is a gradient derived by hand right, and if not, where it first goes wrong, why, and what mends it."""

from __future__ import annotations

import contextlib
import functools
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...errors import AutodiffError, GradientError
from .findings import Findings, Mistake, Step
from .locate import Trail
from .mistakes import Search, cut_off
from .problem import Point, Problem
from .progress import Progress
from .quiet import unnoticed
from .report import Report
from .steps import deltas
from .truth import (
    UNKNOWN,
    Agreement,
    Look,
    all_finite,
    largest,
    looked,
    measured,
    nearby,
    number,
    points,
    rounding,
    start,
)
from .witness import Witness, heard

CLEAR = 1e5  # roundings of a gradient
CONFIRMED = 6  # digits to which differences have to confirm a graph that may have lost a part of the loss


def verify(
    step: Callable[..., Any],
    *arguments: Any,
    by_hand: Callable[..., Any] | None = None,
    wrt: Sequence[str] | str | None = None,
    loss: str | None = None,
    gradients: Mapping[str, str] | None = None,
    points: int = 3,
    seed: int = 0,
) -> Report:
    """Hold a gradient that was derived by hand against the true one.

    Parameters
    ----------
    step : callable
        Plain NumPy code, unchanged. `step(*arguments)` returns `(loss, gradients)`; with `by_hand`, it returns the loss
        and `by_hand(*arguments)` the gradients. Gradients are an array, a tuple or list in the order of the arguments,
        or a dict by their names, or those of arrays that a method's object holds. A loss that is no scalar is summed.
    wrt : names of the arguments that the gradients belong to, where not all.
    loss, gradients : for code that keeps them in local names or attributes: the name of the loss, and for each
        parameter (`"self.W1"`) the name of its gradient (`"w1_grad"`).
    points : how many random points are tried, of the shapes of the arguments, beside the given ones.

    It runs on copies: nothing of the user's is changed. Returns a `Report`.

    >>> import numpy as np
    >>> x, y = np.array([[3.0, 5.0], [5.0, 1.0], [10.0, 2.0]]), np.array([[0.75], [0.82], [0.93]])
    >>> def step(w):
    ...     y_hat = 1 / (1 + np.exp(-x.dot(w)))
    ...     loss = np.sum((y - y_hat) ** 2) / 2
    ...     delta = (y_hat - y) * y_hat * (1 - y_hat)
    ...     return loss, x.T.dot(delta)
    >>> verify(step, np.array([[0.1], [-0.2]])).verdict
    'right'
    """
    with unnoticed(), Progress() as progress:
        problem = Problem(step, arguments, by_hand, wrt, loss, gradients, progress.tick)
        return Report(_Examination(problem, points, seed, progress).findings())


class _Examination:
    """One derivation, looked at from several points."""

    def __init__(self, problem: Problem, count: int, seed: int, progress: Progress) -> None:
        self.problem, self.count, self.seed = problem, count, seed
        self.progress = progress
        self.notes: list[str] = []
        self.looks: list[Look] = []
        self.fresh: list[Look] = []  # of random points
        self.witness: Witness = Witness()
        self.untraced: str | None = None  # why the loss is not recorded

    def findings(self) -> Findings:
        self._look()
        if not self.looks:
            self.notes.append(self.untraced or "")
            return self._told("cannot tell")
        self._notes()
        if self.witness.against:
            return self._contradicted()
        if not _is_finite(self.looks[0]):
            self.notes.append("the loss or its gradient is not finite at your point, nor at others")
            return self._told("cannot tell")
        wrong = any(look.wrong for look in self.looks)
        if not self._known() and (self.untraced or not wrong):
            return self._told("cannot tell")
        if wrong and self.untraced:
            return self._told("wrong", cut_off(self.problem, self.looks))
        try:
            if wrong:
                return self._wrong()
            return self._told("right", steps=() if self.untraced else deltas(Trail(self.problem, self.looks[0])))
        except Exception as error:  # the verdict stands
            self.notes.append(f"its steps could not be looked at: {type(error).__name__}: {error}")
            return self._told("wrong" if wrong else "right")

    # --- points ---

    def _look(self) -> None:
        """At the user's point, and at random ones."""
        look = self._recorded
        try:
            first = looked(self.problem, start(self.problem))
            self.witness = heard(self.problem, first, self.seed)
            self.looks.append(self._trusted(first, self.witness))
        except AutodiffError as error:
            self.untraced, look, self.witness = str(error), functools.partial(measured, self.problem), Witness()
            with contextlib.suppress(AutodiffError):
                self.looks.append(look(start(self.problem)))
        usual = all(_is_finite(look, by_hand=True) for look in self.looks)
        self.progress.phase("at random points")
        for point in points(self.problem, self.count + 3, self.seed):
            if self.looks and sum(map(_is_clear, self.fresh)) < self.count:
                with contextlib.suppress(Exception):
                    fresh = look(point)
                    if _is_finite(fresh) and (_is_finite(fresh, by_hand=True) or not usual):
                        self.fresh.append(fresh)
        self.fresh = sorted(self.fresh, key=lambda look: not _is_clear(look))[: self.count]
        if self.fresh and not _is_finite(self.looks[0]):
            self.notes.append("the loss or its gradient is not finite at your point; others were looked at")
            self.looks.clear()
            self.witness = heard(self.problem, self.fresh[0], self.seed) if not self.untraced else Witness()
        if self.witness.against and self.fresh:  # a saturated loss has stairs, but not everywhere
            elsewhere = heard(self.problem, self.fresh[0], self.seed)
            both = tuple(name for name in self.witness.against if name in elsewhere.against)
            self.witness = Witness(None, both) if both else elsewhere
        self.looks += self.fresh
        if self.fresh and self.looks[0].wrong and not any(look.wrong for look in self.fresh):
            self._accept_kinks(self.looks[0])

    def _recorded(self, point: Point) -> Look:
        look = looked(self.problem, point)
        return self._trusted(look, heard(self.problem, look) if look.is_tainted else Witness())

    def _trusted(self, look: Look, witness: Witness) -> Look:
        """A look at a graph that gradients may pass by, only if differences confirm it."""
        if look.is_tainted and (witness.against or (witness.digits or 0) < CONFIRMED):
            raise GradientError("some of its steps turn arrays into numbers that no gradient passes")
        if _is_finite(look, by_hand=True) and math.isfinite(number(look.plain.loss)) and not _is_finite(look):
            raise GradientError("its recorded gradient is not finite where the loss is")
        return look

    def _accept_kinks(self, look: Look) -> None:
        """Where there is no derivative, every value between those beside the point is right."""
        beside = [self.looks[0].true]
        for point in nearby(self.problem, 12, self.seed):
            with contextlib.suppress(Exception):
                beside.append(looked(self.problem, point).true)
        for name in look.wrong:
            values = np.array([true[name] for true in beside])
            spread = 1e-4 * largest(values)
            hand = np.asarray(look.hand[name])
            low, high = values.min(axis=0) - spread, values.max(axis=0) + spread
            if hand.shape == low.shape and np.all((low <= hand) & (hand <= high)) and np.any(high - low > 4 * spread):
                look.agreement[name].bound, look.agreement[name].kink = look.agreement[name].error, True
                self.notes.append(f"your point is a kink: any gradient of {name} between those on its sides is right")

    def _known(self) -> bool:
        """Whether an error would have shown."""
        return all(any(_is_known(look, name) for look in self.looks) for name in self.problem.parameters)

    # --- notes ---

    def _notes(self) -> None:
        plain = self.looks[0].plain
        shape = np.shape(plain.loss)
        if shape != ():
            self.notes.append(f"loss has shape {shape}; its sum was checked")
        for name in sorted(plain.run.changing):
            self.notes.append(f"{name} changes its argument in place; work on a copy")
        changed = (*plain.changed, *self.problem.first.changed)
        self.notes += [f"{name} is changed in place; work on a copy" for name in dict.fromkeys(changed)]
        if not self.untraced:
            unused = [
                name for name in self.problem.parameters if not any(np.any(look.true[name]) for look in self.looks)
            ]
            self.notes += [f"the loss does not change with {name}" for name in unused if self.looks[0].true[name].size]
        else:
            self.notes.append(f"the loss could not be recorded, and was measured by differences: {self.untraced}")

    def _contradicted(self) -> Findings:
        names = ", ".join(self.witness.against)
        self.notes.append(
            f"the recorded gradient of {names} and finite differences of the loss disagree: one of the operations has "
            "a wrong derivative (a `primitive` of your own? then `autodiff.testing.check_rule` says more), or the loss "
            "jumps here"
        )
        return self._told("cannot tell")

    # --- mistakes ---

    def _wrong(self) -> Findings:
        """What is wrong, and each step."""
        self.progress.phase("step by step")
        return self._told("wrong", *Search(self.problem, self.looks, self.notes).results())

    # --- telling ---

    def _told(
        self,
        verdict: str,
        mistakes: Sequence[Mistake] = (),
        steps: Sequence[Step] = (),
        details: Mapping[str, str] | None = None,
    ) -> Findings:
        code = getattr(inspect.unwrap(self.problem.f), "__code__", None)
        return Findings(
            verdict, getattr(self.problem.f, "__name__", "step"), code.co_filename if code else "", self._worst(),
            tuple(steps), tuple(mistakes), tuple(self.notes), len(self.fresh), self.witness.digits,
            self.problem.located, dict(details or {}),
        )  # fmt: skip

    def _worst(self) -> dict[str, Agreement]:
        """By the parameter's name: how its gradient agrees where it does least."""
        found: dict[str, Agreement] = {}
        for name in self.problem.parameters if self.looks else ():
            agreements = [look.agreement[name] for look in self.looks]
            smooth = [agreement for agreement in agreements if not agreement.kink]
            found[name] = max(
                smooth or agreements, key=lambda a: a.resolution if a.right else 1 + a.error / (a.size or 1)
            )
        return found


def _is_known(look: Look, name: str) -> bool:
    """Whether an error of a gradient would have shown, at a point; where it vanishes, one as large as others are."""
    agreement, enough = look.agreement[name], max(UNKNOWN, 2000 * rounding(look.plain))
    largest_of_all = max(other.size for other in look.agreement.values())
    return agreement.resolution < enough or (agreement.vanishes and agreement.bound < enough * largest_of_all)


def _is_clear(look: Look) -> bool:
    """Whether little is lost to rounding: where a loss is saturated, causes cannot be told from each other."""
    return look.resolution < CLEAR * rounding(look.plain)


def _is_finite(look: Look, by_hand: bool = False) -> bool:
    """Whether the loss and its gradient are, or the one that was derived by hand."""
    values = look.hand.values() if by_hand else (*look.true.values(), look.plain.loss)
    return all_finite(values)
