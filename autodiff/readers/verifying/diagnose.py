"""Why a step is wrong, and the line that mends it: single edits, proven at fresh random points."""

from __future__ import annotations

import ast
import contextlib
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .edits import Candidate, candidates
from .instrument import Statement
from .locate import Healing, Trail, agrees, ratio, same
from .problem import Problem
from .program import Edit
from .scope import Scope
from .truth import Look, largest

MOST_RUNS = 250  # edits of a statement that are tried by running the program
MOST_PROVEN = 12  # edits that are proven at all points


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
        place, target = _telling(trail, healing)
        if not np.any(target):
            return Diagnosis(healing)  # anything times 0 would do
        scope = Scope(self._snapshot(trail, statement, place[1]), self._texts(statement), trail.look.point)
        final = any(ratio(target, trail.look.true[name]) is not None for name in healing.mended)
        first: dict[str, Candidate] = {}
        for candidate in self._candidates(statement, scope, final):
            first.setdefault(candidate.text, candidate)
        tried = list(first.values())
        tried.sort(key=lambda c: _distance(statement.text, c.text))
        if self._is_total(trail, statement, place):
            fitting = tried[:MOST_RUNS]
        else:
            fitting = [c for c in tried if self._fits(statement, c.text, scope, place, target)][:MOST_PROVEN]
        proven: list[Candidate] = []
        for candidate in fitting:
            if time.monotonic() > self.deadline or len(proven) >= MOST_PROVEN:
                break
            if self.proven(healing, [*known, Edit(healing.statement, candidate.text)]):
                proven.append(candidate)
        names = _Names(self.problem, trail._value(place), target, scope)
        proven = [Candidate(c.text, names.resolved(c.cause, c.text)) for c in proven]
        return Diagnosis(healing, proven, _of_forward(healing, target, scope) or _agreed(proven))

    def _candidates(self, statement: Statement, scope: Scope, final: bool) -> Iterator[Candidate]:
        yield from _structural(statement, scope)
        for candidate in candidates(statement.text, scope, final):
            if time.monotonic() > self.deadline:
                return
            with contextlib.suppress(SyntaxError):
                Edit(statement.number, candidate.text)
                yield candidate

    def _texts(self, statement: Statement) -> set[str]:
        """The items and attributes that the function speaks of, and their neighbours."""
        found: set[str] = set()
        for other in self.problem.program.statements:
            if other.function == statement.function:
                for node in ast.walk(other.expression):
                    if isinstance(node, (ast.Subscript, ast.Attribute)):
                        found.add(ast.unparse(node))
                found.update(other.names)
        return found

    def _is_total(self, trail: Trail, statement: Statement, place: Any) -> bool:
        """Whether the value to mend is what several runs of the statement made together."""
        return place[2] == ("base",) or (place[1] < -1 and statement.kind in ("+=", "-="))

    def _fits(self, statement: Statement, text: str, scope: Scope, place: Any, target: Any) -> bool:
        """Whether an expression has the value that the statement should have."""
        try:
            with np.errstate(all="ignore"):
                value = scope.evaluated(text)
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


def _of_forward(healing: Healing, target: Any, scope: Scope) -> str | None:
    """The cause where a value of the forward pass, computed again, is another one."""
    if healing.target.kind != "value":
        return None
    return "updated-weights" if scope.is_parameter(target) else "forward-differs"


def _telling(trail: Trail, healing: Healing) -> tuple[Any, Any]:
    """Of the runs of a statement, the one that is most wrong, and what its value should be."""
    pairs = [(place, value) for place, value in healing.values.items() if not same(trail._value(place), value)]
    return max(pairs, key=lambda pair: largest(pair[1]))


def _structural(statement: Statement, scope: Scope) -> list[Candidate]:
    """`=` for `+=`, and the other way round, said as edits of the expression."""
    name = statement.names[0]
    if statement.kind == "=" and name in scope.values:
        return [Candidate(f"{name} + ({statement.text})", "overwritten-not-accumulated")]
    if statement.kind == "+=" and name in scope.values:
        return [Candidate(f"({statement.text}) - {name}", "accumulated-twice")]
    return []


def _updated(statement: Statement, scope: Scope, value: Any) -> Any:
    before = scope.evaluated(statement.names[0])
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
        self.scope = scope
        self.inner = {size for value in problem.parameters.values() for size in np.shape(value)}

    def resolved(self, cause: str | None, text: str) -> str | None:
        """A factor is called by what it is, not by how it was mended."""
        if cause is None:
            return None
        if self.factor is None and cause.startswith(("factor", "size", "ratio")) and self._regularises(text):
            return "regulariser-scale"
        if self.factor is not None and (
            cause.startswith(("factor", "size", "ratio", "mean", "sum")) or cause == "sign"
        ):
            return self._factor(self.factor)
        if cause.startswith(("size", "ratio", "mean", "sum")):
            return None
        return cause

    def _regularises(self, text: str) -> bool:
        """Whether a line adds a constant times a parameter."""
        names = [name for name, value in self.scope.arrays.items() if self.scope.is_parameter(value)]
        return any(re.search(rf"\*\s*{re.escape(name)}(?!\w)(?!\.)", text) for name in names) and "+" in text

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


PRECEDENCE = (
    "activation-derivative-at-activation", "output-form-on-preactivation", "activation-derivative-of-wrong-layer",
    "activation-derivative-twice", "derivative-of-another-activation", "missing-activation-derivative",
    "relu-mask-from-wrong-tensor", "relu-mask-inverted", "softmax-wrong-axis", "bias-not-reduced", "bias-wrong-axis",
    "off-by-one-time", "off-by-one-index", "updated-weights", "ddof", "regulariser-scale",
)  # fmt: skip


def _agreed(edits: Sequence[Candidate]) -> str | None:
    """The cause that the nearest edits prove: the most special one, or the one that all agree on."""
    named = [c.cause for c in edits[:6] if c.cause is not None]
    if "wrong-tensor-in-weight-gradient" in named[:2]:
        return "wrong-tensor-in-weight-gradient"
    for cause in PRECEDENCE:
        if cause in named:
            return cause
    return named[0] if named and named.count(named[0]) * 2 > len(named) else None


def _distance(old: str, new: str) -> int:
    """How much of a line an edit changes: characters that are put in or taken out."""
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    return (len(old) - start - end) + (len(new) - start - end)
