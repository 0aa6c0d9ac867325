"""Heal a step, run again, and see which gradients that mends.

Each statement behind a wrong gradient is given its targets in the place of its own values, and what was written below
it does the rest. Derivations carry conventions (a minus, a 1/N that comes later): a factor that an earlier, right step
has is allowed.
"""

from __future__ import annotations

import ast
import contextlib
import itertools
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ...graph import Graph
from .compare import EXACT, ratio, same
from .locate import Trail, is_parameter
from .problem import Problem
from .program import Record
from .response import Response
from .targets import Healing, Place, Target, Targets, Values
from .truth import Look, is_piece

SHARE = 2  # of the time that a statement has where all take the same
ALL_AT_ONCE = 2 / 3  # of the time: what mends all that is wrong is looked for first
AT_ONCE = 50  # targets, until the clock is asked again
ENTRIES = 1000  # of a gradient that is looked for entry by entry


Kind = Callable[[int], Iterator[tuple[list[Record], Target]]]  # of targets, for a statement


class Healer:
    """Looks for healings of the statements of a trail."""

    def __init__(self, trail: Trail) -> None:
        self.trail: Trail = trail
        self.targets: Targets = trail.targets
        self.problem: Problem = trail.problem
        self.look: Look = trail.look

    def heal(self, wrong: Sequence[str]) -> list[Healing]:
        """Healings that mend as many of the wrong gradients as one can, and break none."""
        right = [name for name in self.look.true if name not in wrong]
        telling = [name for name in right if not self.look.agreement[name].vanishes]  # 0 is any factor times 0
        relevant = self.trail.relevant(wrong)
        attested = {1.0}.union(*(self._factors(k) for k in self.trail.relevant(telling) if k not in relevant))
        self.trail.conventions = self._conventions(telling)
        usual = (self.targets.all, self.targets.of_the_next, self.targets.of_numbers)
        for kinds in (usual, (self.targets.of_other_shapes,)) if len(wrong) > 1 else ():
            now = time.thread_time()
            until = now + ALL_AT_ONCE * (self.trail.deadline - now)
            found = self._search(self.trail.relevant(wrong, to_all=True), kinds, attested, wrong, [wrong], until)
            if any(len(healing.mended) == len(wrong) for healing in found):
                return found
        found = self._search(relevant, usual, attested, wrong, [[name] for name in wrong], self.trail.deadline)
        return found + self._finals(wrong, right)

    def _search(
        self,
        relevant: Sequence[int],
        kinds: Sequence[Kind],
        attested: set[float],
        wrong: Sequence[str],
        groups: Sequence[Sequence[str]],
        deadline: float,
    ) -> list[Healing]:
        """Healings of statements that mend one of some groups of gradients at least."""
        found: list[Healing] = []
        attested, right = set(attested), [name for name in self.look.true if name not in wrong]
        self.response: Response = Response(self.problem, self.look, self.trail.healed, groups)
        for i, statement in enumerate(relevant):
            if self._is_start(statement):
                continue
            now = time.thread_time()
            until = min(now + SHARE * (deadline - now) / (len(relevant) - i), deadline)
            targets = itertools.chain.from_iterable(kind(statement) for kind in kinds)
            last, places = list[Record](), tuple[Place, ...]()
            looked_at = 0  # since the clock was asked
            for records, target in targets:
                if not looked_at and time.thread_time() > until:
                    break
                looked_at = (looked_at + 1) % AT_ONCE
                if records is not last:
                    last, places = records, tuple(record.place for record in records)
                for factor in attested if target.kind not in ("value", "local") else (1.0,):
                    if not self._may_mend(target, places, factor):
                        continue
                    values = {r.place: v * factor for r, v in zip(records, target.values, strict=True)}
                    healing, looked_at = self._tried(statement, target, values, wrong, right), 0
                    if healing:
                        healing.factor *= factor
                        if is_parameter(target.nodes[0]):
                            healing.penalty = 2
                        found.append(healing)
            if not any(healing.statement == statement for healing in found):
                attested |= self._factors(statement)
        return found

    def _tried(
        self,
        statement: int,
        target: Target,
        values: Values,
        wrong: Sequence[str],
        right: Sequence[str],
        again: bool = True,
    ) -> Healing | None:
        differing = [
            self.trail.position[place] for place, value in values.items() if not same(self.trail.hand(place), value)
        ]
        if not differing and not (again and target.kind == "adjoint" and not right):
            return None
        outcome = self.problem.run(self.look.point, heal={**self.trail.healed, **values}, record=False)
        if outcome.error is not None or any(not self.trail.agrees(name, outcome.gradients[name]) for name in right):
            return None
        mended = frozenset(name for name in wrong if self.trail.agrees(name, outcome.gradients[name]))
        if mended and differing:
            return Healing(statement, target, values, mended, order=min(differing))
        factor = self._needed(values, outcome.gradients, wrong) if again and target.kind in ("adjoint", "row") else None
        if factor is None:
            return None
        values = {place: factor * value for place, value in values.items()}
        healing = self._tried(statement, target, values, wrong, right, again=False)
        if healing:
            healing.factor, healing.penalty = factor, int(not self._is_strength(factor))
        return healing

    def _is_strength(self, factor: float) -> bool:
        """Whether a factor is a constant of the user's, no count, that another line multiplies or divides by."""
        values = (v for v in self.look.plain.run.locals.values() if isinstance(v, float) and not float(v).is_integer())
        return any(math.isclose(abs(factor), c, rel_tol=EXACT) for v in values for c in (abs(v), 1 / abs(v)))

    def _may_mend(self, target: Target, places: tuple[Place, ...], factor: float = 1.0) -> bool:
        """Whether values of a step may mend something: what is no derivative, and may be used twice, always may."""
        if target.kind == "value" or (target.kind == "slope" and len(places) > 1):
            return True
        answer = self.response.of(places)
        if answer is None or not answer.pays():
            return True
        if target.flat.size != answer.own.size:  # of another shape, which no array that is written to can take
            return all(occurrence > 0 for _, occurrence, _ in places)
        return answer.may_mend(factor * target.flat, target.kind in ("adjoint", "row"))

    def _needed(self, values: Values, gradients: dict[str, Any], wrong: Sequence[str]) -> float | None:
        """The factor by which a derivation wants its values, for it is linear in them: the same for all gradients."""
        without = {place: np.zeros_like(value) for place, value in values.items()}
        outcome = self.problem.run(self.look.point, heal={**self.trail.healed, **without}, record=False)
        if outcome.error is not None:
            return None
        factors: list[float | None] = []
        entries = 0
        for name in wrong:
            rest = outcome.gradients[name]
            with contextlib.suppress(TypeError, ValueError):
                part = np.asarray(gradients[name]) - rest
                if np.any(part):
                    factors.append(ratio(self.look.true[name] - rest, part))
                    entries += part.size
        first = factors[0] if factors and entries > 1 else None  # a single number is a multiple of any
        agreed = first is not None and all(f is not None and math.isclose(f, first, rel_tol=EXACT) for f in factors)
        return first if agreed else None

    def _is_start(self, statement: int) -> bool:
        """Whether it makes a buffer of zeros that later lines fill."""
        statements = self.problem.program.statements
        own = statements[statement]
        if any(np.any(record.value) for record in self.trail.steps[statement]):
            return False
        fills = (s for s in statements if s.number > own.number and s.function == own.function)
        return any(
            name.startswith(f"{own.name}[")
            or (name == own.name and (s.kind != "=" or own.name in s.text))
            or (len(s.names) > 1 and s.text == own.name)  # which gives its parts names of their own
            for s in fills
            for name in s.names
        )

    def _finals(self, wrong: Sequence[str], right: Sequence[str]) -> list[Healing]:
        """The statements that assigned the wrong gradients themselves, which the true ones heal."""
        found: list[Healing] = []
        made = [record for records in self.trail.steps.values() for record in records]
        made.sort(key=lambda record: self.trail.position[record.place])
        for name in wrong:
            hand, true = np.asarray(self.look.plain.gradients[name]), self.look.true[name]
            for record in sorted(made, key=self._likely):
                if same(record.value, hand):
                    healing = self._as_final(record.statement, name, {record.place: true}, wrong, right)
                    if healing:
                        found.append(healing)
                        break
            else:
                found += self._filled(name, hand, true, wrong, right)
        return found

    def _filled(self, name: str, hand: Any, true: Any, wrong: Sequence[str], right: Sequence[str]) -> list[Healing]:
        """The statement that put a wrong gradient's entries, one by one, into a list."""
        if hand.shape != true.shape or not 0 < hand.size <= ENTRIES:
            return []
        by_value: dict[float, dict[int, Place]] = defaultdict(dict)
        for statement, records in self.trail.steps.items():
            for record in records:
                if not np.ndim(record.value):
                    by_value[float(record.value)][statement] = record.place
        places = [by_value.get(float(entry), {}) for entry in hand.flat]
        for statement in sorted({k for found in places for k in found}, reverse=True):
            values = {place[statement]: t for place, t in zip(places, true.flat, strict=True) if statement in place}
            healing = self._as_final(statement, name, values, wrong, right)
            if healing:
                return [healing]
        return []

    def _as_final(
        self, statement: int, name: str, values: Values, wrong: Sequence[str], right: Sequence[str]
    ) -> Healing | None:
        """The healing of a statement by a true gradient, or by its entries."""
        target = Target(tuple(values.values()), (name,), "final")
        may = self._may_mend(target, tuple(values))
        healing = self._tried(statement, target, values, wrong, right) if may else None
        if healing:
            healing.penalty = 2
        return healing

    def _likely(self, record: Record) -> tuple[bool, bool, int]:
        """Of records of one value, the one that made it: not where it is given back, nor where it is only passed on."""
        position, passed_on = self.trail.position[record.place], self._passes_on(record)
        returned = self.problem.program.statements[record.statement].kind == "return"
        return returned, passed_on, position if passed_on else -position

    def _passes_on(self, record: Record) -> bool:
        """Whether a statement computes nothing, or leaves it to a function that has the value already."""
        expression = self.problem.program.statements[record.statement].expression
        if isinstance(expression, ast.Call):
            inside = (r for records in self.trail.steps.values() for r in records if len(r.stack) > len(record.stack))
            return any(same(r.value, record.value) for r in inside)
        return isinstance(expression, (ast.Name, ast.Attribute, ast.Subscript, ast.Tuple, ast.List, ast.Dict))

    def _factors(self, statement: int) -> set[float]:
        """The constant factors between a statement's values and true derivatives."""
        return {factor for factor in _agreed_on(self.trail.meanings(statement)) if factor != 1.0 and abs(factor) > 1e-6}

    def _behind_pieces(self) -> set[Place]:
        """The places of the values from which a right derivative by a part of a parameter was computed."""
        told = (one for k in self.trail.steps for one in self.trail.told(k))
        pieces = [place for one in told if one.factor == 1.0 and is_piece(one.node) for place in one.places]
        nodes = set(Graph([self.trail.nodes[place] for place in pieces if place in self.trail.nodes]).nodes)
        made = (record.place for records in self.trail.steps.values() for record in records)
        return {place for place in made if self.trail.nodes.get(place) in nodes}

    def _conventions(self, right: Sequence[str]) -> set[float]:
        """The factors that steps carry on the way to right gradients; 1, unless all of them carry another."""
        behind = self.trail.places_behind(right) | self._behind_pieces()
        found: set[float] = set()
        for k in self.trail.steps:
            told = (one for one in self.trail.told(k) if one.places <= behind)
            found |= _agreed_on([(one.node, one.factor) for one in told if not is_piece(one.node)])
        return found if found and not any(abs(factor) == 1.0 for factor in found) else found | {1.0}


def _agreed_on(meanings: Sequence[tuple[Any, float]]) -> set[float]:
    """The factors that a step may carry: but for a sign none, where it is a derivative without."""
    factors = {factor for _, factor in meanings}
    return {factor for factor in factors if abs(factor) == 1.0} or factors
