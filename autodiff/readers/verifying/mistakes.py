"""The mistakes of a derivation that is wrong: where it first goes wrong, and where for another reason again."""

from __future__ import annotations

import functools
import itertools
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ParamSpec, TypeVar

import numpy as np

from .blame import first_wrong, says_what_it_is
from .diagnose import Diagnosis, Doctor
from .edits import Edit
from .findings import Mistake, Step
from .healing import Healer
from .instrument import Patch, Statement
from .locate import Trail, agrees
from .problem import Problem
from .reasons import change
from .scaled import common_factor, loss_statements, negated_losses, other_losses
from .steps import steps
from .targets import Healing
from .truth import Look, number

P = ParamSpec("P")
T = TypeVar("T")
BUDGET = 6.0  # seconds of computing to locate and explain a mistake: what else the machine does changes nothing
RUNS = 150  # of a program that takes long: so many may be needed,
AT_MOST = 20.0  # but no more seconds than that
LARGE = 10_000  # weights, of which a run takes long: half of that
ALIGNED = 2  # ways to deal out the values of a loop, where the sum is one: forwards and backwards
SMALL = 8  # words and signs that an edit changes
KNOWN = 1e-3  # of a gradient: what is known less well is like many others


class Search:
    """Looks for the mistakes of one derivation, with what it gives at several points."""

    def __init__(self, problem: Problem, looks: Sequence[Look], notes: list[str]) -> None:
        self.problem: Problem = problem
        self.looks: Sequence[Look] = looks
        self.notes: list[str] = notes
        large = sum(np.size(value) for value in problem.parameters.values()) > LARGE
        start = time.thread_time()
        problem.run(looks[0].point, record=False)
        now = time.thread_time()
        budget = BUDGET / 2 if large else max(BUDGET, min(RUNS * (now - start), AT_MOST))
        self.deadline: float = now + budget

    def results(self) -> tuple[list[Mistake], Sequence[Step], dict[str, str]]:
        """The mistakes, the steps around them, and what else is to be told."""
        if names := sorted(self.looks[0].plain.run.returning_globals):
            wrong = _wrong_anywhere(self.looks)
            statement = self._return_of(names[0])
            doctor = self._doctor()
            fix = doctor.returning(statement) if statement is not None else None
            mistake = Mistake(names[0], statement, cause="function-returns-global", wrong=wrong)
            return [replace(mistake, fix=fix.text) if fix is not None else mistake], (), {}
        look = max(self.looks[1:] or self.looks, key=lambda look: (len(look.wrong), -look.resolution))
        trail = Trail(self.problem, look if look.wrong else self.looks[0], deadline=self.deadline)
        if statements := trail.careless_loss():
            statement = statements[0]
            wrong = tuple(trail.look.wrong)
            doctor = self._doctor()
            edit = next(filter(None, map(doctor.fitting, statements)), None)
            mistake = Mistake(statement.name, statement, cause="accidental-broadcast", wrong=wrong)
            return [replace(mistake, fix=edit.text if edit else None)], (), {}
        if exchanged := self._exchanged():
            return exchanged, (), {}
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
        return found, steps(trail, blamed) if blamed else (), details

    def _doctor(self) -> Doctor:
        return Doctor(self.problem, self.looks, self.deadline)

    def _exchanged(self) -> list[Mistake]:
        """Two gradients that are given back in each other's places."""
        wrong = _wrong_anywhere(self.looks)
        statement = self._return_of(getattr(self.problem.f, "__name__", ""))
        for pair in itertools.permutations(wrong, 2):
            ways = [(look, a, b) for look in self.looks for a, b in (pair, pair[::-1])]
            known = all(look.agreement[a].resolution < KNOWN for look, a, _ in ways)
            if statement is not None and known and all(agrees(look, a, look.hand[b]) for look, a, b in ways):
                edit = self._doctor().exchanging(statement)
                meaning = f"the gradients of {pair[0]} and {pair[1]} the other way round"
                statement = edit.statement if edit else statement
                name = "return" if statement.kind == "return" or edit is None else _first_renamed(edit)
                return [Mistake(name, statement, meaning, fix=edit.text if edit else None, wrong=pair)]
        return []

    def _of_softmax(self, mistake: Mistake) -> Mistake:
        """The mistake, if it is that the forward pass goes along the wrong axis: there."""
        edit = self._doctor().along_another_axis()
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
            several = not found and firsts[0].mended < set(wrong) and not self.program_cause
            if several and (one := self._attempted(self._at_once, trail, firsts)):
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
        unmended = len(found) < 2 and not any(mistake.fix for mistake in found.values())
        if unmended and (diagnosis := self._attempted(self._doctor().anywhere, trail)):
            return [self._mistake(trail, diagnosis)], {diagnosis.healing.statement}
        independent = all(mistake.fix for mistake in found.values())  # each by itself, as is proven: in their order
        mistakes = [found[position] for position in (sorted(found) if independent else found)]
        named = {mistake.cause for mistake in mistakes} <= {"input-mutated", "aliasing"} and len(mistakes) > 1
        unclear = len(mistakes) == 1 and None in (mistakes[0].fix, mistakes[0].cause)
        if unclear and len(trail.look.wrong) == len(trail.look.true):
            mistakes = [self._of_softmax(mistakes[0])]
        cause = self.program_cause or (mistakes[0].cause if named else None) if mistakes else None
        shared = cause or (self._changes() and not any(mistake.fix for mistake in mistakes))
        if shared and (one := self._of_program(mistakes, cause)):
            return [one], {one.statement.number} if one.statement else set()
        return mistakes or [Mistake(name, None, wrong=(name,)) for name in wrong[:1]], blamed

    def _of_program(self, mistakes: Sequence[Mistake], cause: str | None) -> Mistake | None:
        """One mistake of the program, whatever it makes wrong: an array that is shared."""
        edit = self._doctor().unsharing()
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
        doctor = self._doctor()
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
        """The first statement to blame that one edit mends, else the first. `alone`: there is no other mistake.

        What can be written anew further on, from what the graph says, does not clear the first.
        """
        first: Diagnosis | None = None
        anew: Diagnosis | None = None
        tried = Counter[int]()
        for healing in healings:
            if tried[healing.statement] >= ALIGNED or (healing.statement not in tried and len(tried) >= 3):
                continue
            diagnosis = self._attempted(doctor.diagnose, trail, healing, edits)
            diagnosis = diagnosis or Diagnosis(healing, mended=healing.mended)
            tried[healing.statement] += 1
            if diagnosis.complete or (diagnosis.edit and not alone):
                if first is None or _is_small(diagnosis):
                    return diagnosis
                anew = anew or diagnosis
            first = diagnosis if first is None or (diagnosis.edit and not (first.edit or anew)) else first
        assert first is not None
        return replace(first, edits=anew.edits) if anew and not first.edit else first

    def _attempted(self, way: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T | None:
        """What a way to look for the reason finds; None, with a note, where it fails: what is known is not lost."""
        try:
            return way(*arguments, **keywords)
        except Exception as error:
            self.notes.append(f"why could not be looked at: {type(error).__name__}: {error}")
            return None

    def _mistake(self, trail: Trail, diagnosis: Diagnosis) -> Mistake:
        statement = self.problem.program.statements[diagnosis.healing.statement]
        place = next(iter(diagnosis.healing.values))
        record = trail.look.plain.run.records[trail.position[place]]
        fix = diagnosis.edit.text if diagnosis.edit else None
        meaning = trail.meaning(diagnosis.healing)
        mended = tuple(sorted(diagnosis.healing.mended))
        if diagnosis.edit and diagnosis.complete and says_what_it_is(trail, statement.number):
            used = self._doctor().where_used(diagnosis.edit)
            if used is not None:
                name = next((name for name in used.statement.names if name != "_"), used.statement.name)
                return Mistake(name, used.statement, "", diagnosis.cause, "", used.text, wrong=mended)
        name = trail.called(record)
        if fix and statement.names[0] == name and name.endswith("]") and not fix.lstrip("# ").startswith(name):
            name = name.split("[")[0]  # it is written to the wrong part
        return Mistake(name, statement, meaning, diagnosis.cause, "", fix, wrong=mended)

    @functools.cached_property
    def program_cause(self) -> str | None:
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


def cut_off(problem: Problem, looks: Sequence[Look]) -> list[Mistake]:
    """An array of integers that cuts off fractions: then nothing is recorded, but the line that mends it tells."""
    edit = Doctor(problem, looks, time.thread_time() + BUDGET).of_floats()
    if edit is None:
        return []
    wrong = _wrong_anywhere(looks)
    return [Mistake(edit.statement.name, edit.statement, cause="integer-dtype", fix=edit.text, wrong=wrong)]


def _is_small(diagnosis: Diagnosis) -> bool:
    """Whether the line that mends it is nearly what the user wrote."""
    edit = diagnosis.edit
    return edit is not None and change(edit.statement.source, edit.text)[0] <= SMALL


def _first_renamed(edit: Edit) -> str:
    """The first of the names that a statement gives and an edit gives to something else."""
    new = [name.strip() for name in edit.text.partition("=")[0].split(",")]
    given = zip(edit.statement.names, new, strict=False)
    return next((name for name, other in given if name != other), edit.statement.name)


def _wrong_anywhere(looks: Sequence[Look]) -> tuple[str, ...]:
    """The parameters whose gradients are wrong at one point at least."""
    return tuple(sorted({name for look in looks for name in look.wrong}))


def _fraction(factor: float) -> str:
    """`2`, `1/3`, `-1`"""
    whole = round(1 / factor) if 0 < abs(factor) < 1 else 0
    return f"1/{whole}" if whole > 1 and abs(1 / whole - factor) < 1e-9 * factor else f"{factor:.6g}".replace("-", "−")
