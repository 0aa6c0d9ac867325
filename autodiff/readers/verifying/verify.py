"""`verify`: is a gradient derived by hand right, and if not, where it first goes wrong, why, and what mends it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...errors import AutodiffError
from .diagnose import Diagnosis, Doctor
from .findings import Findings, Mistake
from .instrument import Statement
from .locate import Healing, Trail, agrees, first_wrong
from .problem import Problem
from .program import Edit
from .report import Report
from .truth import UNKNOWN, Look, largest, looked, measured, nearby, points, rounding, start

BUDGET = 2.5  # seconds to locate and explain a mistake, at most


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
        or a dict by their names. A loss that is no scalar is summed.
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
    problem = Problem(step, arguments, by_hand, wrt, loss, gradients)
    return Report(_Examination(problem, points, seed).findings())


class _Examination:
    """One derivation, looked at from several points."""

    def __init__(self, problem: Problem, count: int, seed: int) -> None:
        self.problem, self.count, self.seed = problem, count, seed
        self.notes: list[str] = []
        self.deadline = time.monotonic() + BUDGET
        self.looks: list[Look] = []
        self.fresh: list[Look] = []  # of random points
        self.untraced: str | None = None

    def findings(self) -> Findings:
        self._look()
        if self.untraced and not self.looks:
            return self._told("cannot tell")
        self._notes()
        if not any(look.wrong for look in self.looks):
            return self._told("right" if self._known() else "cannot tell")
        if self.untraced:
            return self._told("wrong" if self._known() else "cannot tell")
        return self._told("wrong", self._mistakes())

    def _look(self) -> None:
        """At the user's point, and at random ones."""
        look = looked
        try:
            self.looks.append(looked(self.problem, start(self.problem)))
        except AutodiffError as error:
            self.untraced, look = str(error), measured
            with contextlib.suppress(AutodiffError):
                self.looks.append(measured(self.problem, start(self.problem)))
        for point in points(self.problem, self.count + 3, self.seed):
            if len(self.fresh) < self.count and self.looks:
                with contextlib.suppress(Exception):
                    fresh = look(self.problem, point)
                    values = [*fresh.true.values(), *fresh.hand.values(), fresh.plain.loss]
                    if all(np.isfinite(largest(value)) for value in values):
                        self.fresh.append(fresh)
        self.looks += self.fresh
        if self.fresh and self.looks[0].wrong and not any(look.wrong for look in self.fresh):
            self._accept_kinks(self.looks[0])

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
                look.agreement[name].bound = look.agreement[name].error
                self.notes.append(f"your point is a kink: any gradient of {name} between those on its sides is right")

    def _notes(self) -> None:
        plain = self.looks[0].plain
        shape = np.shape(plain.loss)
        if shape != ():
            self.notes.append(f"loss has shape {shape}; its sum was checked")
        for name in sorted(plain.run.changing):
            self.notes.append(f"{name} changes its argument in place; work on a copy")
        changed = (*plain.changed, *self.problem.first.changed)
        self.notes += [f"{name} is changed in place; work on a copy" for name in dict.fromkeys(changed)]
        if self.untraced:
            self.notes.append(f"the loss could not be recorded, and was measured by differences: {self.untraced}")

    def _known(self) -> bool:
        """Whether an error would have shown."""
        return all(
            any(look.agreement[name].resolution < self._threshold(look) for look in self.looks)
            for name in self.problem.parameters
        )

    def _threshold(self, look: Look) -> float:
        return max(UNKNOWN, 2000 * rounding(look.plain))

    # --- mistakes ---

    def _program_cause(self) -> str | None:
        """A mistake of the program rather than of the mathematics: it goes away when nothing is shared."""
        for look in self.looks:
            if look.wrong:
                outcome = self.problem.run(look.point, copies=True, record=False)
                if outcome.error is not None or not all(agrees(look, n, outcome.gradients[n]) for n in look.true):
                    return None
        changing = self.looks[0].plain.run.changing or self.looks[0].plain.changed
        return "input-mutated" if changing else "aliasing"

    def _mistakes(self) -> list[Mistake]:
        """The first wrong step, and those that are wrong for another reason."""
        for name in sorted(self.looks[0].plain.run.returning_globals):
            wrong = tuple(sorted({n for look in self.looks for n in look.wrong}))
            return [Mistake(name, self._return_of(name), cause="function-returns-global", wrong=wrong)]
        look = max(self.looks[1:] or self.looks, key=lambda look: len(look.wrong))
        if not look.wrong:
            look = self.looks[0]
        trail = Trail(self.problem, look, deadline=self.deadline)
        doctor = Doctor(self.problem, self.looks, self.deadline)
        wrong, edits, found = list(look.wrong), [], []
        while wrong and time.monotonic() < self.deadline:
            healings = first_wrong(trail, trail.heal(wrong))
            if not healings:
                break
            diagnosis = self._explained(doctor, trail, healings, edits)
            found.append(self._mistake(trail, diagnosis))
            wrong = [name for name in wrong if name not in diagnosis.healing.mended]
            trail.healed |= diagnosis.healing.values
            if diagnosis.edit:
                edits.append(Edit(diagnosis.healing.statement, diagnosis.edit.text))
        if found and (cause := self._program_cause()):
            found[0] = replace(found[0], cause=cause, fix=None)
        if not found:
            found = [Mistake(name, None, wrong=(name,)) for name in wrong[:1]]
        return found

    def _return_of(self, function: str) -> Statement | None:
        """Some statement of a function: where it stands."""
        return next((s for s in self.problem.program.statements if s.function == function), None)

    def _explained(self, doctor: Doctor, trail: Trail, healings: Sequence[Healing], edits: Sequence[Edit]) -> Diagnosis:
        """The first statement to blame that one edit mends, else the first."""
        first: Diagnosis | None = None
        tried: set[int] = set()
        for healing in healings:
            if healing.statement in tried or len(tried) >= 3:
                continue
            diagnosis = doctor.diagnose(trail, healing, edits)
            tried.add(healing.statement)
            if diagnosis.edit:
                return diagnosis
            first = first or diagnosis
        assert first is not None
        return first

    def _mistake(self, trail: Trail, diagnosis: Diagnosis) -> Mistake:
        statement = self.problem.program.statements[diagnosis.healing.statement]
        place = next(iter(diagnosis.healing.values))
        record = trail.look.plain.run.records[trail.position[place]]
        fix = statement.with_expression(diagnosis.edit.text) if diagnosis.edit else None
        meaning = trail.meaning(diagnosis.healing)
        return Mistake(
            record.name, statement, meaning, diagnosis.cause, "", fix, tuple(sorted(diagnosis.healing.mended))
        )

    # --- telling ---

    def _told(self, verdict: str, mistakes: Sequence[Mistake] = ()) -> Findings:
        worst = (
            {
                name: max(
                    (look.agreement[name] for look in self.looks),
                    key=lambda a: (not a.right, a.resolution, a.error / (a.size or 1)),
                )
                for name in self.problem.parameters
            }
            if self.looks
            else {}
        )
        code = getattr(self.problem.f, "__code__", None) or getattr(
            getattr(self.problem.f, "__func__", None), "__code__", None
        )
        if self.untraced and not self.looks:
            self.notes.append(self.untraced)
        return Findings(
            verdict, getattr(self.problem.f, "__name__", "step"), code.co_filename if code else "", worst,
            mistakes=tuple(mistakes), notes=tuple(self.notes), points=len(self.fresh), located=self.problem.located,
        )  # fmt: skip
