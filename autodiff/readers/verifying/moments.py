"""What a statement would compute if it read otherwise: each time that it runs, from the values that it meets there.

Most edits of a line are no good, and to run the program with each of them would take too long. So the program runs
once, healed, and keeps the variables as they are whenever it comes to the statement; there an edited statement is
tried. What it leaves is held against what it should leave.
"""

from __future__ import annotations

import ast
import copy
import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any

import numpy as np

from .compare import ratio
from .edits import Edit
from .edits.statements import is_scatter
from .instrument import HOOK, Statement, compiled, evaluated
from .locate import Trail
from .problem import Problem
from .program import Run
from .targets import Healing
from .truth import largest, rounding

MOST_LOOKED_AT = 40  # runs of a statement in which a value is compared
MOST_KEPT = 600  # runs of a statement that make a total

Others = Callable[[Mapping[str, Any]], Mapping[str, Any]]  # what other variables there are beside those of a moment


@dataclass
class Moment:
    """One run of a statement: the variables just before it, and what was written to, before and after."""

    occurrence: int
    space: dict[str, Any]
    before: Any = None
    after: Any = None
    goes_on: bool = False  # with what the run before has left


class Bench:
    """The runs of a statement in the healed program, and what they should leave."""

    def __init__(self, problem: Problem, trail: Trail, healing: Healing) -> None:
        self.statement: Statement = problem.program.statements[healing.statement]
        self.wanted: dict[Any, Any] = {place[1:]: value for place, value in healing.values.items()}
        self.alone: bool = healing.mended >= set(trail.look.wrong)  # nothing else is wrong
        self.tolerance: float = max(1e-9, 1e3 * rounding(trail.look.plain))
        target = _target(self.statement)
        self.name: str = ast.unparse(target) if target is not None else ""
        self.base: str = ast.unparse(target.value) if isinstance(target, ast.Subscript) else self.name
        self.moments: list[Moment] = []
        self._originals: list[Any] = []
        run = self._run(problem, trail, healing)
        self._follow(run)
        own = {place: run.computed.get((healing.statement, *place)) for place in self.wanted}
        self.computed: dict[Any, Any] = own
        differing = [place for place, value in self.wanted.items() if not self.alike(own[place], value)]
        self.telling: Any = max(differing or self.wanted, key=lambda place: largest(self.wanted[place]))
        self.own: Any = own[self.telling]
        self.target: Any = self.wanted[self.telling]

    def _run(self, problem: Problem, trail: Trail, healing: Healing) -> Run:
        count = 0
        memory: dict[str, Any] = {}

        def watch(number: int, frame: FrameType) -> None:
            nonlocal count
            if number == self.statement.number:
                count += 1
                if count <= MOST_KEPT or count in looked_at:
                    self._keep(count, frame, memory)

        looked_at = {abs(occurrence) for occurrence, _ in self.wanted}
        run = problem.run(trail.look.point, heal={**trail.healed, **healing.values}, watch=watch).run
        run.rest()
        for moment in self.moments:
            run.lend(moment.space)
        return run

    def _keep(self, count: int, frame: FrameType, memory: dict[str, Any]) -> None:
        space = {**frame.f_globals, **frame.f_locals}
        moment = Moment(count, space)
        if self.base:
            before = evaluated(self.base, space)
            if self.base != self.name and isinstance(before, (list, dict)):  # whose items are arrays of their own
                self.base = self.name
                before = evaluated(self.base, space)
            moment.goes_on = before is not None and bool(self._originals) and before is self._originals[-1]
            self._originals.append(before)
            moment.before = _kept(before)
        for name, value in space.items():
            if name != HOOK and not name.startswith("__"):
                space[name] = memory[name] = _same_or_kept(memory.get(name), value)
        self.moments.append(moment)

    def _follow(self, run: Run) -> None:
        """What each run has left, and whether the next one goes on with that."""
        left = {(r.occurrence, r.path): r.value for r in run.records if r.statement == self.statement.number}
        last: Moment | None = None
        for moment in self.moments:
            k = moment.occurrence
            for place in ((-k, ("base",)), (-k, ()), (k, ())):
                if place in left:
                    moment.after = left[place]
                    break
            parts = [left[k, (i,)] for i in range(len(left)) if (k, (i,)) in left]
            if moment.after is None and parts:
                moment.after = parts
            if last is not None and not moment.goes_on and last.after is not None and moment.before is not None:
                moment.goes_on = _equal(last.after, moment.before)
            last = moment

    @property
    def space(self) -> dict[str, Any]:
        """The variables in the run that is most wrong."""
        return self.space_at(self.telling)

    def space_at(self, place: Any) -> dict[str, Any]:
        """The variables in one of the runs."""
        return next((m.space for m in self.moments if m.occurrence == abs(place[0])), {})

    @property
    def some(self) -> list[Any]:
        """The run that is most wrong, the one in the middle of a loop, and the last."""
        places = list(self.wanted)
        return list(dict.fromkeys([self.telling, places[len(places) // 2], places[-1]]))

    @property
    def varying(self) -> set[str]:
        """The numbers that are not the same in all runs."""
        if not self.moments:
            return set()
        first, *others = [moment.space for moment in self.moments]
        numbers = [name for name, value in first.items() if isinstance(value, (float, np.floating))]
        return {name for name in numbers if any(space.get(name) != first[name] for space in others)}

    # --- trying ---

    def alike(self, value: Any, target: Any) -> bool:
        """Whether two values are one, but for rounding."""
        if np.shape(value) != np.shape(target) or np.asarray(value).dtype.kind not in "fiub":
            return False
        if np.shape(value) == ():
            return bool(abs(value - target) <= self.tolerance * max(abs(target), 1e-300))
        return largest(np.asarray(value) * 1.0 - target) <= self.tolerance * max(largest(target), 1e-300)

    def becomes(self, expression: str) -> bool:
        """Whether an expression, after the last run, is what should be left."""
        last = self.moments[-1]
        if not self.base or -last.occurrence not in {occurrence for occurrence, _ in self.wanted}:
            return False
        target = next(value for place, value in self.wanted.items() if place[0] == -last.occurrence)
        own = self.computed[-last.occurrence, next(path for k, path in self.wanted if k == -last.occurrence)]
        try:
            with np.errstate(all="ignore"):
                return self.alike(eval(compiled(expression), {**last.space, self.base: own}), target)
        except Exception:
            return False

    def fits(self, edit: Edit, others: Others | None = None) -> bool:
        """Whether an edited statement leaves what it should, wherever that is known; with other variables, too."""
        with np.errstate(all="ignore"):
            try:
                if edit.expression is not None and all(occurrence > 0 for occurrence, _ in self.wanted):
                    if self._values_fit(edit.expression, others or _none):
                        return True
                    if self.statement.kind not in ADDING and self.base not in edit.expression:
                        return False
                return bool(self.name) and self._left_fits(edit.text, others or _none)
            except Exception:
                return False

    def _values_fit(self, expression: str, others: Others) -> bool:
        """Whether an expression has the values that it should have; first where it is most wrong."""
        code = compiled(expression)
        for moment in self.looked_at:
            value = eval(code, {**moment.space, **others(moment.space)})
            for place, target in self.wanted.items():
                if place[0] == moment.occurrence and not self.alike(_at(value, place[1]), target):
                    return False
        return True

    def needed(self, name: str, moment: Moment) -> Any:
        """The value of a variable with which the statement would be right; None if it is no factor of it."""
        target = self.wanted.get((moment.occurrence, ()))
        code = compiled(self.statement.text)
        value: Any = moment.space.get(name)
        counts = np.ndim(value) == 0 and isinstance(value, float) and float(value).is_integer()
        if target is None or counts or not isinstance(value, (np.ndarray, np.floating, float)):
            return None
        with np.errstate(all="ignore"):
            try:
                own = eval(code, dict(moment.space))
                factor = ratio(target, own)
                if factor is not None:
                    wanted = value * factor
                else:  # entry by entry, in whatever shape
                    shift = np.random.default_rng(0).uniform(1, 2, np.shape(value)) * (largest(value) or 1.0)
                    moved, off = _in_shape_of(
                        value, eval(code, {**moment.space, name: value + shift}) - own, target - own
                    )
                    wanted = value + np.divide(off * shift, moved, out=np.zeros(np.shape(value)), where=moved != 0)
                right = self.alike(eval(code, {**moment.space, name: wanted}), target)
            except Exception:
                return None
        return wanted if right and np.all(np.isfinite(wanted)) else None

    @functools.cached_property
    def looked_at(self) -> list[Moment]:
        """Some runs in which the value is known, the most telling one first."""
        known = {abs(occurrence) for occurrence, _ in self.wanted}
        moments = [m for m in self.moments if m.occurrence in known]
        some = moments[:: -(-len(moments) // MOST_LOOKED_AT)]
        return sorted(some, key=lambda m: m.occurrence != abs(self.telling[0]))

    def _left_fits(self, text: str, others: Others) -> bool:
        """Whether a statement leaves in the end what it should: what it adds to that passes from run to run."""
        code = compiled(self._on_base(text.strip()), "exec")
        drift: Any = None
        known = {occurrence for occurrence, _ in self.wanted}
        for moment, following in zip(self.moments, [*self.moments[1:], None], strict=True):
            after = self._left(code, moment, drift, others)
            drift = _less(after, moment.after)
            healed = {-moment.occurrence, moment.occurrence * (self.statement.kind == "=")} & known
            if healed or (self.alone and (following is None or not following.goes_on)):
                if not all(self.alike(a, b) for a, b in self._held(after, moment)):
                    return False
                drift = None
        return True

    def _held(self, after: Any, moment: Moment) -> Iterator[tuple[Any, Any]]:
        """What is left, and what should be: of a list, the parts for which that is known."""
        if not isinstance(after, (list, tuple)):
            yield after, moment.after
        for i, pair in enumerate(zip(after, moment.after, strict=True)) if isinstance(after, (list, tuple)) else ():
            if (moment.occurrence, (i,)) in self.wanted:
                yield pair

    def _left(self, code: CodeType, moment: Moment, drift: Any, others: Others) -> Any:
        """What is left after a run, where the earlier ones have left something else, too."""
        before = _plus(moment.before, drift) if moment.goes_on and drift is not None else moment.before
        space = {
            **moment.space,
            **others(moment.space),
            BASE: before.copy() if isinstance(before, np.ndarray) else before,
        }
        if self.base.isidentifier() and before is not None:
            space[self.base] = space[BASE]
        exec(code, space)
        return space[self.base] if self.base.isidentifier() else space[BASE]

    def _on_base(self, text: str) -> str:
        """The text, with a name for what is written to where that has none."""
        if self.base.isidentifier():
            return text
        for base in (self.base, self.statement.names[0]):  # as Python writes it, and as the user does
            if text.startswith(base) and (base == self.base or self.base == self.name):
                return text.replace(base, BASE, 1)
        return text


def _none(space: Mapping[str, Any]) -> Mapping[str, Any]:
    return {}


BASE = "__base__"
ADDING = ("+=", "-=")


def _in_shape_of(value: Any, *arrays: Any) -> list[Any]:
    """Arrays that have the entries of a value in another shape, in its own: of what was broadcast the largest."""
    wide = arrays[0].shape
    narrow = (1,) * (len(wide) - np.ndim(value)) + np.shape(value)
    for axis in (i for i, (n, m) in enumerate(zip(wide, narrow, strict=True)) if n > 1 == m):
        where = np.argmax(np.abs(arrays[0]), axis, keepdims=True)
        arrays = tuple(np.take_along_axis(array, where, axis) for array in arrays)
    turned = np.shape(arrays[0]) == np.shape(value)[::-1] != np.shape(value)
    return [np.reshape(array.T if turned else array, np.shape(value)) for array in arrays]


def _flat(value: Any) -> list[Any]:
    """The arrays of a list, or the one that it is."""
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _less(a: Any, b: Any) -> Any:
    """What a has more than b, in lists part by part."""
    return [x - y for x, y in zip(a, b, strict=True)] if isinstance(a, (list, tuple)) else a - b


def _plus(a: Any, b: Any) -> Any:
    return [x + y for x, y in zip(a, b, strict=True)] if isinstance(a, (list, tuple)) else a + b


def _equal(a: Any, b: Any) -> bool:
    a, b = _flat(a), _flat(b)
    return len(a) == len(b) and all(map(np.array_equal, a, b))


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def _target(statement: Statement) -> Any:
    """The tree of what a statement assigns, where that is one thing."""
    if len(statement.names) != 1 or (statement.kind in ("return", "call", "argument") and not is_scatter(statement)):
        return None
    return ast.parse(statement.names[0], mode="eval").body


def _same_or_kept(last: Any, value: Any) -> Any:
    """A copy of a value; the last one, where it has not changed."""
    arrays = isinstance(value, np.ndarray) and isinstance(last, np.ndarray)
    if arrays and last.dtype == value.dtype and np.array_equal(last, value):
        return last
    return _kept(value)


def _kept(value: Any, depth: int = 3) -> Any:
    """A value as it is now."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if type(value) in (list, tuple) and depth and len(value) < 200:
        return type(value)(_kept(item, depth - 1) for item in value)
    if isinstance(value, dict) and depth and len(value) < 200:
        new = copy.copy(value)
        new.update({key: _kept(item, depth - 1) for key, item in value.items()})
        return new
    if depth and hasattr(value, "__dict__") and not callable(value) and type(value).__module__ != "builtins":
        new = copy.copy(value)
        for name, item in vars(value).items():
            object.__setattr__(new, name, _kept(item, depth - 1))
        return new
    return value
