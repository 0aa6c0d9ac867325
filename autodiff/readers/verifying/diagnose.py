"""Why a step is wrong, and the line that mends it: single edits, proven at fresh random points."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .edits import Candidate, candidates
from .instrument import Statement
from .locate import Healing, Trail, agrees, ratio, same
from .problem import Problem
from .program import Edit
from .scope import Scope
from .truth import Look

MOST_RUNS = 60  # of the program, for the edits of one statement


@dataclass
class Diagnosis:
    """The proven edits of a statement, the best first, and the cause if all agree on it."""

    healing: Healing
    edits: list[Candidate] = field(default_factory=list)
    cause: str | None = None

    @property
    def edit(self) -> Candidate | None:
        """The one to show."""
        return self.edits[0] if self.edits else None


class Doctor:
    """Finds the edits of statements that make gradients right at all points."""

    def __init__(self, problem: Problem, looks: Sequence[Look], deadline: float) -> None:
        self.problem, self.looks, self.deadline = problem, looks, deadline

    def diagnose(self, trail: Trail, healing: Healing, known: Sequence[Edit]) -> Diagnosis:
        """Try all edits of the statement of a healing."""
        statement = self.problem.program.statements[healing.statement]
        place, target = next(iter(healing.values.items()))
        scope = Scope(self._snapshot(trail, statement, place[1]))
        own = trail._value(place)
        final = (
            healing.target.kind == "final"
            or any(node in self.problem.parameters for node in healing.target.nodes)
            or _of_parameter(healing)
        )
        survivors: list[Candidate] = []
        seen: set[str] = set()
        if not np.any(target):
            return Diagnosis(healing)  # anything times 0 would do
        for candidate in _structural(statement, scope):
            survivors += [candidate] * self._fits(statement, candidate.text, scope, place, target)
        for candidate in candidates(statement.text, statement.kind, scope, final):
            if time.monotonic() > self.deadline:
                break
            if candidate.text not in seen:
                seen.add(candidate.text)
                survivors += [candidate] * self._fits(statement, candidate.text, scope, place, target)
        names = _Names(self.problem, own, target, scope)
        survivors = [Candidate(c.text, names.resolved(c.cause)) for c in survivors]
        survivors.sort(key=lambda c: _distance(statement.text, c.text))
        proven = [c for c in survivors[:MOST_RUNS] if self.proven(healing, [*known, Edit(healing.statement, c.text)])]
        return Diagnosis(healing, proven, _agreed(proven))

    def _fits(self, statement: Statement, text: str, scope: Scope, place: Any, target: Any) -> bool:
        """Whether an expression has the value that the statement should have."""
        try:
            with np.errstate(all="ignore"):
                value = eval(f"({text}\n)", dict(scope.variables))
                if place[1] < 0:
                    value = _updated(statement, scope, value)
                for key in place[2]:
                    value = value[key]
                return same(value, target) and np.shape(value) == np.shape(target)
        except Exception:
            return False

    def _snapshot(self, trail: Trail, statement: Statement, occurrence: int) -> dict[str, Any]:
        """The variables in reach just before a statement ran, for the time that is meant."""
        found: dict[str, Any] = {}
        count = 0

        def watch(number: int, variables: Mapping[str, Any]) -> None:
            nonlocal count
            if number == statement.number:
                count += 1
                if count == abs(occurrence):
                    found.update({name: _kept(value) for name, value in variables.items()})

        self.problem.run(trail.look.point, heal=trail.healed, watch=watch)
        return found

    def proven(self, healing: Healing, edits: Sequence[Edit]) -> bool:
        """Whether the gradients are right at all points with some edits."""
        for look in self.looks:
            outcome = self.problem.run(look.point, edits=edits, record=False)
            if outcome.error is not None:
                return False
            settled = [name for name in look.true if name in healing.mended or name not in look.wrong]
            if not all(agrees(look, name, outcome.gradients[name]) for name in settled):
                return False
        return True


def _of_parameter(healing: Healing) -> bool:
    node = healing.target.nodes[0]
    return getattr(node, "is_leaf", False)


def _structural(statement: Statement, scope: Scope) -> list[Candidate]:
    """`=` for `+=`, and the other way round, said as edits of the expression."""
    name = statement.names[0]
    if statement.kind == "=" and name in scope.values:
        return [Candidate(f"{name} + ({statement.text})", "overwritten-not-accumulated")]
    if statement.kind == "+=" and name in scope.values:
        return [Candidate(f"({statement.text}) - {name}", "accumulated-twice")]
    return []


def _updated(statement: Statement, scope: Scope, value: Any) -> Any:
    before = eval(statement.names[0], dict(scope.variables))
    space = {"a": np.array(before), "b": value}
    return eval(f"a {statement.kind[:-1]} b", space)


def _kept(value: Any) -> Any:
    """A value as it is now."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if type(value) in (list, tuple):
        return type(value)(_kept(item) for item in value)
    if type(value) is dict:
        return {key: _kept(item) for key, item in value.items()}
    return value


class _Names:
    """What the factor between a value and the right one is called."""

    def __init__(self, problem: Problem, own: Any, target: Any, scope: Scope) -> None:
        self.factor = ratio(own, target)
        self.inner = {size for value in problem.parameters.values() for size in np.shape(value)}

    def resolved(self, cause: str | None) -> str | None:
        """A factor is called by what it is, not by how it was mended."""
        if cause is None:
            return None
        if self.factor is not None and (
            cause.startswith(("factor", "size", "ratio", "mean", "sum")) or cause == "sign"
        ):
            return self._factor(self.factor)
        if cause.startswith(("size", "ratio", "mean", "sum")):
            return None
        return cause

    def _factor(self, factor: float) -> str:
        named = {-1.0: "sign", 2.0: "factor-2", 0.5: "factor-half"}
        for value, name in named.items():
            if abs(factor - value) < 1e-9:
                return name
        for inverse, text in ((False, "factor-{}"), (True, "factor-1/{}")):
            size = 1 / factor if inverse else factor
            if size > 1 and abs(size - round(size)) < 1e-6:
                if round(size) not in self.inner:
                    return text.format("N")
                if not inverse:
                    return "factor-K"
        return "factor-const"


def _agreed(edits: Sequence[Candidate]) -> str | None:
    """The cause that the nearest edits prove, if they do not prove another, too."""
    named = [c.cause for c in edits if c.cause is not None]
    if not named:
        return None
    return named[0] if len(set(named)) == 1 else named[0] if named.count(named[0]) * 2 > len(named) else None


def _distance(old: str, new: str) -> int:
    """How much of a line an edit changes: characters that are put in or taken out."""
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    return (len(old) - start - end) + (len(new) - start - end)
