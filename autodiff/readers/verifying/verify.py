"""`verify`: is a gradient derived by hand right, and if not, where it first goes wrong, why, and what mends it."""

from __future__ import annotations

import contextlib
import functools
import inspect
import itertools
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...errors import AutodiffError, GradientError
from .blame import first_wrong
from .diagnose import Diagnosis, Doctor
from .findings import Findings, Mistake, Step
from .healing import Healer
from .instrument import Patch, Statement
from .locate import Trail, agrees
from .problem import Point, Problem
from .progress import Progress
from .quiet import unnoticed
from .report import Report
from .scaled import common_factor, loss_statements, negated_losses, other_losses
from .steps import deltas, steps
from .targets import Healing
from .truth import UNKNOWN, Agreement, Look, largest, looked, measured, nearby, number, points, rounding, start
from .witness import Witness, heard

BUDGET = 5.0  # seconds of computing to locate and explain a mistake: what else the machine does changes nothing
LARGE = 10_000  # weights, of which a run takes long: half of that
ALIGNED = 2  # ways to deal out the values of a loop, where the sum is one: forwards and backwards
KNOWN = 1e-3  # of a gradient: what is known less well is like many others
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
        self.deadline: float = 0.0
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
            return self._told("wrong", self._cut_off())
        try:
            if wrong:
                return self._wrong()
            return self._told("right", steps=() if self.untraced else deltas(self._trail(self.looks[0])))
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

    def _trail(self, look: Look) -> Trail:
        return Trail(self.problem, look, deadline=self.deadline)

    def _wrong(self) -> Findings:
        """What is wrong, and each step."""
        self.progress.phase("step by step")
        large = sum(np.size(value) for value in self.problem.parameters.values()) > LARGE
        self.deadline = time.thread_time() + BUDGET / (1 + large)
        if names := sorted(self.looks[0].plain.run.returning_globals):
            wrong = tuple(sorted({n for look in self.looks for n in look.wrong}))
            statement = self._return_of(names[0])
            doctor = Doctor(self.problem, self.looks, self.deadline)
            fix = doctor.returning(statement) if statement is not None else None
            mistake = Mistake(names[0], statement, cause="function-returns-global", wrong=wrong)
            return self._told("wrong", [replace(mistake, fix=fix.text) if fix is not None else mistake])
        look = max(self.looks[1:] or self.looks, key=lambda look: (len(look.wrong), -look.resolution))
        trail = self._trail(look if look.wrong else self.looks[0])
        if statements := trail.careless_loss():
            statement = statements[0]
            wrong = tuple(trail.look.wrong)
            doctor = Doctor(self.problem, self.looks, self.deadline)
            edit = next(filter(None, map(doctor.fitting, statements)), None)
            mistake = Mistake(statement.name, statement, cause="accidental-broadcast", wrong=wrong)
            return self._told("wrong", [replace(mistake, fix=edit.text if edit else None)])
        if exchanged := self._exchanged():
            return self._told("wrong", exchanged)
        found, blamed = self._mistakes(trail)
        details: dict[str, str] = {}
        factor = common_factor(self.looks)
        if factor is not None and len(look.true) > 1:
            details["headline"] = f"every gradient is exactly {_fraction(factor)} × the gradient of {self._loss_name()}"
            line = next(other_losses(self.problem, self.looks, factor), None) if factor > 0 else None
            alone = found[0].fix if len(found) == 1 else None
            found = found[:1] if line is not None else found
            found[0] = replace(found[0], fix=alone or line or found[0].fix, otherwise=line if alone else None)
            if factor == -1.0 and all(number(look.plain.loss) < 0 for look in self.looks):  # losses are not
                found = [self._turned_loss(found[0])]
        return self._told("wrong", found, steps(trail, blamed) if blamed else (), details)

    def _exchanged(self) -> list[Mistake]:
        """Two gradients that are given back in each other's places."""
        wrong = sorted({name for look in self.looks for name in look.wrong})
        statement = self._return_of(getattr(self.problem.f, "__name__", ""))
        for pair in itertools.permutations(wrong, 2):
            ways = [(look, a, b) for look in self.looks for a, b in (pair, pair[::-1])]
            known = all(look.agreement[a].resolution < KNOWN for look, a, _ in ways)
            if statement is not None and known and all(agrees(look, a, look.hand[b]) for look, a, b in ways):
                edit = Doctor(self.problem, self.looks, self.deadline).exchanging(statement)
                meaning = f"the gradients of {pair[0]} and {pair[1]} the other way round"
                return [Mistake("return", statement, meaning, fix=edit.text if edit else None, wrong=pair)]
        return []

    def _of_softmax(self, mistake: Mistake) -> Mistake:
        """The mistake, if it is that the forward pass goes along the wrong axis: there."""
        edit = Doctor(self.problem, self.looks, self.deadline).along_another_axis()
        if edit is None:
            return mistake
        statement = edit.statement
        name = statement.name if statement.kind != "return" else statement.function
        return replace(mistake, name=name, statement=statement, meaning="", cause="softmax-wrong-axis", fix=edit.text)

    def _turned_loss(self, mistake: Mistake) -> Mistake:
        """The mistake, if the loss has lost its sign: at the statement of the loss, if there is a line for that."""
        line, statement = next(negated_losses(self.problem, self.looks), (None, None))
        if statement is None:
            return mistake
        return replace(mistake, name=statement.name, statement=statement, meaning="", cause="sign", fix=line)

    def _mistakes(self, trail: Trail) -> tuple[list[Mistake], set[int]]:
        """The first wrong step and those that are wrong for another reason, and their statements."""
        wrong, edits, found, blamed = list(trail.look.wrong), list[Patch](), dict[int, Mistake](), set[int]()
        while wrong and (chain := self._located(trail, wrong)):
            firsts = [healings[0] for healings in chain]
            several = not found and firsts[0].mended < set(wrong) and not self._program_cause()
            if several and (one := self._at_once(trail, firsts)):
                return one
            for i, healings in enumerate(chain):
                now = time.thread_time()
                doctor = Doctor(self.problem, self.looks, now + (self.deadline - now) / (len(chain) - i))
                if edits and doctor.mended(healings[0].mended, edits):  # what mends the earlier ones mends this, too
                    wrong = [name for name in wrong if name not in healings[0].mended]
                    continue
                diagnosis = self._explained(doctor, trail, healings, edits, alone=not found and len(chain) == 1)
                if found and diagnosis.edit and diagnosis.complete and not edits:  # this one line mends all of them
                    first = next(iter(found))
                    found, wrong = {first: replace(found[first], fix=diagnosis.edit.text)}, []
                    break
                found[trail.position[next(iter(diagnosis.healing.values))]] = self._mistake(trail, diagnosis)
                blamed.add(diagnosis.healing.statement)
                wrong = [name for name in wrong if name not in diagnosis.healing.mended]
                trail.healed |= diagnosis.healing.values
                if diagnosis.edit:
                    edits.append(diagnosis.edit.patch)
        if not any(mistake.fix for mistake in found.values()) and len(found) < 2:
            doctor = Doctor(self.problem, self.looks, self.deadline)
            if diagnosis := doctor.anywhere(trail):
                return [self._mistake(trail, diagnosis)], {diagnosis.healing.statement}
        independent = all(mistake.fix for mistake in found.values())  # each by itself, as is proven: in their order
        mistakes = [found[position] for position in (sorted(found) if independent else found)]
        named = {mistake.cause for mistake in mistakes} <= {"input-mutated", "aliasing"} and len(mistakes) > 1
        unclear = len(mistakes) == 1 and None in (mistakes[0].fix, mistakes[0].cause)
        if unclear and len(trail.look.wrong) == len(trail.look.true):
            mistakes = [self._of_softmax(mistakes[0])]
        cause = self._program_cause() or (mistakes[0].cause if named else None) if mistakes else None
        shared = cause or (self._changes() and not any(mistake.fix for mistake in mistakes))
        if shared and (one := self._of_program(mistakes, cause)):
            return [one], {one.statement.number} if one.statement else set()
        return mistakes or [Mistake(name, None, wrong=(name,)) for name in wrong[:1]], blamed

    def _of_program(self, mistakes: Sequence[Mistake], cause: str | None) -> Mistake | None:
        """One mistake of the program, whatever it makes wrong: an array that is shared."""
        edit = Doctor(self.problem, self.looks, self.deadline).unsharing()
        wrong = tuple(self.looks[0].wrong)
        if cause:
            return replace(mistakes[0], cause=cause, fix=edit.text if edit else None, meaning="", wrong=wrong)
        if edit is None:
            return None
        return Mistake(edit.statement.name, edit.statement, cause="input-mutated", fix=edit.text, wrong=wrong)

    def _changes(self) -> bool:
        """Whether arguments are written to."""
        plain = self.looks[0].plain
        return bool(plain.run.changing or plain.changed or self.problem.first.changed)

    def _at_once(self, trail: Trail, several: Sequence[Healing]) -> tuple[list[Mistake], set[int]] | None:
        """The one mistake behind several wrong steps: of a function that they call, of the loss, or of a loop."""
        doctor = Doctor(self.problem, self.looks, self.deadline)
        if len({healing.statement for healing in several}) == 1 < len(several):  # of a function that is called again
            diagnosis = doctor.diagnose(trail, several[0], ())
            if diagnosis.complete:
                return [self._mistake(trail, diagnosis)], {several[0].statement}
        if diagnosis := doctor.at_once(trail, several):
            trail.healed = {place: value for healing in several for place, value in healing.values.items()}
            return [self._mistake(trail, diagnosis)], {healing.statement for healing in several}
        if edit := doctor.of_loss():
            statement, wrong = edit.statement, tuple(trail.look.wrong)
            return [Mistake(statement.name, statement, "", edit.cause, "", edit.text, wrong=wrong)], set()
        if len(several) > 1 and (diagnosis := doctor.anywhere(trail)):
            return [self._mistake(trail, diagnosis)], {diagnosis.healing.statement}
        return None

    def _located(self, trail: Trail, wrong: Sequence[str]) -> list[list[Healing]]:
        """For each independent mistake the ways to heal it, those before it healed: to find it takes less than why."""
        found: list[list[Healing]] = []
        before = dict(trail.healed)
        while wrong and time.thread_time() < self.deadline:
            healings = first_wrong(trail, Healer(trail).heal(wrong))
            if not healings:
                break
            found.append(healings)
            trail.healed |= healings[0].values
            wrong = [name for name in wrong if name not in healings[0].mended]
        trail.healed = before
        return found

    def _explained(
        self, doctor: Doctor, trail: Trail, healings: Sequence[Healing], edits: Sequence[Patch], alone: bool
    ) -> Diagnosis:
        """The first statement to blame that one edit mends, else the first. `alone`: there is no other mistake."""
        first: Diagnosis | None = None
        tried = Counter[int]()
        for healing in healings:
            if tried[healing.statement] >= ALIGNED or (healing.statement not in tried and len(tried) >= 3):
                continue
            try:
                diagnosis = doctor.diagnose(trail, healing, edits)
            except Exception as error:  # where it goes wrong is known
                self.notes.append(f"why could not be looked at: {type(error).__name__}: {error}")
                diagnosis = Diagnosis(healing, mended=healing.mended)
            tried[healing.statement] += 1
            if diagnosis.complete or (diagnosis.edit and not alone):
                return diagnosis
            first = diagnosis if first is None or (diagnosis.edit and not first.edit) else first
        assert first is not None
        return first

    def _mistake(self, trail: Trail, diagnosis: Diagnosis) -> Mistake:
        statement = self.problem.program.statements[diagnosis.healing.statement]
        place = next(iter(diagnosis.healing.values))
        record = trail.look.plain.run.records[trail.position[place]]
        fix = diagnosis.edit.text if diagnosis.edit else None
        meaning = trail.meaning(diagnosis.healing)
        mended = tuple(sorted(diagnosis.healing.mended))
        name = record.name
        if fix and statement.names[0] == name and name.endswith("]") and not fix.lstrip("# ").startswith(name):
            name = name.split("[")[0]  # it is written to the wrong part
        return Mistake(name, statement, meaning, diagnosis.cause, "", fix, wrong=mended)

    def _cut_off(self) -> list[Mistake]:
        """An array of integers that cuts off fractions: then nothing is recorded, but the line that mends it tells."""
        edit = Doctor(self.problem, self.looks, time.thread_time() + BUDGET).of_floats()
        if edit is None:
            return []
        wrong = tuple(sorted({name for look in self.looks for name in look.wrong}))
        return [Mistake(edit.statement.name, edit.statement, cause="integer-dtype", fix=edit.text, wrong=wrong)]

    def _program_cause(self) -> str | None:
        """A mistake of the program rather than of the mathematics: it goes away when nothing is shared."""
        for look in self.looks:
            if look.wrong:
                outcome = self.problem.run(look.point, copies=True, record=False)
                if outcome.error is not None or not all(agrees(look, n, outcome.gradients[n]) for n in look.true):
                    return None
        return "input-mutated" if self._changes() else "aliasing"

    def _return_of(self, function: str) -> Statement | None:
        """The last `return` of a function."""
        returns = [s for s in self.problem.program.statements if s.function == function and s.kind == "return"]
        return returns[-1] if returns else None

    def _loss_name(self) -> str:
        named = [s.name for s in loss_statements(self.problem, self.looks[0]) if s.kind != "return"]
        return f"`{named[-1]}`" if named else "the loss"

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
    return all(np.isfinite(largest(value)) for value in values)


def _fraction(factor: float) -> str:
    """`2`, `1/3`, `-1`"""
    whole = round(1 / factor) if 0 < abs(factor) < 1 else 0
    return f"1/{whole}" if whole > 1 and abs(1 / whole - factor) < 1e-9 * factor else f"{factor:.6g}".replace("-", "−")
