"""Why a step is wrong, and the line that mends it: single edits, proven at fresh random points."""

from __future__ import annotations

import ast
import functools
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from .edits import (
    Edit,
    after,
    around,
    candidates,
    exchanged,
    instead,
    of_expression,
    rewritten,
    synthesized,
    unshared,
    written,
)
from .edits.line import Line, called, has_word, tight
from .edits.names import swapped
from .edits.products import reductions
from .edits.terms import buffers
from .elsewhere import elsewhere
from .helpers import in_helpers
from .instrument import Patch, Statement
from .locate import Trail, agrees
from .moments import Bench
from .problem import Outcome, Problem
from .reach import reach
from .reasons import Names, change, reasoned
from .scaled import scaled_terms, scaled_texts
from .scope import Scope
from .targets import Healing, Target
from .truth import Look, close, looked, number, rounding

T = TypeVar("T")
MOST_PROVEN = 8  # edits that are proven at all points
FEW_PROVEN = 3  # of them, even where there is no time left
MOST_RUN = 30  # edits that are tried by running the program
AT_LEAST = 0.5  # seconds for a statement


@dataclass
class Diagnosis:
    """The proven edits of a statement, the best first, and the cause if all agree on it."""

    healing: Healing
    edits: list[Edit] = field(default_factory=list[Edit])
    cause: str | None = None
    mended: frozenset[str] = frozenset()
    complete: bool = False  # whether all gradients are right then

    @property
    def edit(self) -> Edit | None:
        """The one to show."""
        return self.edits[0] if self.edits else None


class _Best:
    """The edits that mend most so far: later ones have to mend more."""

    def __init__(self) -> None:
        self.healing: Healing | None = None
        self.edits: list[Edit] = []
        self.count: int = 0

    def add(self, healing: Healing, edits: list[Edit], count: int) -> None:
        """More edits, which make so many gradients right."""
        if count > self.count:
            self.healing, self.edits, self.count = healing, edits, count


class Doctor:
    """Finds the edits of statements that make gradients right at all points."""

    def __init__(self, problem: Problem, looks: Sequence[Look], deadline: float) -> None:
        self.problem: Problem = problem
        self.looks: Sequence[Look] = looks
        self.deadline: float = deadline
        self.all: int = sum(len(look.true) for look in looks)

    def diagnose(self, trail: Trail, healing: Healing, known: Sequence[Patch]) -> Diagnosis:
        """Try the edits of the statement of a healing: the near ones first, then others."""
        self.deadline = max(self.deadline, time.thread_time() + AT_LEAST)
        bench = Bench(self.problem, trail, healing)
        if not np.any(bench.target):
            return Diagnosis(healing, mended=healing.mended)  # anything times 0 would do
        scope = reach(trail, healing, bench)
        best = _Best()
        for edits, there in self._tried(trail, healing, bench, scope):
            best.add(there, *self._proven(there, edits, known))
            if best.count == self.all:
                break
        derived = functools.partial(self._derived, trail, healing)
        for edits in (derived, self._made, self._after, self._around) if not best.edits else ():
            best.add(healing, *self._proven(healing, edits(bench, scope), known))
            if best.edits:
                break
        proven, cause = reasoned(trail, healing, self.looks, bench, scope, best.edits)
        return Diagnosis(best.healing or healing, proven, cause, healing.mended, best.count == self.all)

    def at_once(self, trail: Trail, several: Sequence[Healing]) -> Diagnosis | None:
        """The line of a function that several wrong steps call, if it mends all of them."""
        statements = self.problem.program.statements
        names = [
            {called(n) for n in ast.walk(statements[h.statement].expression) if isinstance(n, ast.Call)}
            for h in several
        ]
        users = {statement.function for statement in statements}
        if not set.intersection(*names) & users:
            return None
        first = min(several, key=lambda healing: healing.order)  # what it is given is right
        healing = replace(first, mended=frozenset(trail.look.wrong))
        bench = Bench(self.problem, trail, healing)
        edits = self._in_helpers(trail, healing, bench)
        edits, count = self._proven(healing, edits, ())
        if count < self.all:
            return None
        proven, cause = reasoned(trail, healing, self.looks, bench, reach(trail, healing, bench), edits)
        return Diagnosis(healing, proven, cause, healing.mended, True)

    def where_used(self, edit: Edit) -> Edit | None:
        """The same edit of a value that is right, in the only line that uses it."""
        own, found = edit.statement, list[Edit]()
        beside = [s for s in self.problem.program.statements if s.origin is own.origin and s.number > own.number]
        users = [s for s in beside if has_word(own.name, s.text)]
        alone = len({s.at for s in users}) == 1 and users[0].kind != "return"
        if edit.expression is None or own.text not in edit.expression or not alone:
            return None
        line = Line(users[0].text)
        for node in line.nodes:
            if isinstance(node, ast.Name) and node.id == own.name:
                new = line.replaced(
                    node, edit.expression.replace(f"({own.text})", own.text).replace(own.text, own.name)
                )
                found.append(of_expression(users[0], new, edit.why))
        return next(filter(self._mends_all, found), None)

    def of_loss(self) -> Edit | None:
        """A term of the loss with another factor, with which all is right."""
        scope = Scope(self.looks[0].plain.run.locals)
        for statement, factor, is_penalty in scaled_terms(self.problem, self.looks):
            names = Names(self.problem, np.array([factor, 1]), np.array([1, 1 / factor]), scope)
            name = "regulariser-scale" if is_penalty else names.factor_name
            for text in scaled_texts(statement.text, factor, scope.sizes):
                edit = of_expression(statement, text, name)
                if self._right_anew(edit.patch):
                    return edit
        return None

    def _tried(
        self, trail: Trail, healing: Healing, bench: Bench, scope: Scope
    ) -> Iterator[tuple[list[Edit], Healing]]:
        """Edits of the statement and of others that make the same value, then of what they call."""
        final = trail.is_final(healing)
        places = [(healing, bench)]
        yield self._near(bench, scope, final), healing
        for other in elsewhere(self.problem, trail, healing, bench):
            there = Bench(self.problem, trail, other)
            places.append((other, there))
            yield self._near(there, reach(trail, other, there), final), other
        for other, there in places:
            yield self._in_helpers(trail, other, there), healing

    # --- which edits ---

    def _near(self, bench: Bench, scope: Scope, final: bool) -> list[Edit]:
        """Edits of the statement itself."""
        statement = bench.statement
        expressions = (of_expression(statement, *found) for found in candidates(statement.text, scope, final))
        return self._best(bench, itertools.chain(instead(statement, scope), expressions), bench.fits)

    def _in_helpers(self, trail: Trail, healing: Healing, bench: Bench) -> list[Edit]:
        """Edits of the functions that the statement calls."""
        found = self._in_time(in_helpers(self.problem, trail, healing, bench))
        return self._sorted(edit for edit, fits in found if fits())

    def _derived(self, trail: Trail, healing: Healing, bench: Bench, scope: Scope) -> list[Edit]:
        """What the gradient's own graph says that the statement should be, by the names in reach."""
        texts: list[str | None] = []
        for place in bench.some:  # in one run of a loop a part may be 0 that is not in another
            there = scope if place == bench.telling else scope.at(bench.space_at(place))
            texts += [written(node, bench.statement.text, there) for node in trail.derived(healing, place)]
        edits = (of_expression(bench.statement, text, None) for text in dict.fromkeys(texts) if text)
        return self._best(bench, edits, bench.fits)

    def _made(self, bench: Bench, scope: Scope) -> list[Edit]:
        """Expressions that are made anew."""
        statement = bench.statement
        found = synthesized(bench.target, statement.text, scope, self.deadline)
        return self._best(bench, (of_expression(statement, *text) for text in found), bench.fits)

    def _after(self, bench: Bench, scope: Scope) -> list[Edit]:
        """One more line behind a loop."""
        edits = after(bench.statement, scope)
        return self._best(bench, edits, lambda edit: bench.becomes(edit.expression or ""))

    def _around(self, bench: Bench, scope: Scope) -> list[Edit]:
        """The bounds of loops, and conditions; of loops in which the function is called."""
        own = sorted(around(bench.statement), key=lambda edit: len(edit.text))
        code: Any = getattr(self.problem.f, "__code__", None)
        outer = self.problem.program.sources.get(code)
        calls = around(bench.statement, outer) if outer is not None and outer is not bench.statement.origin else ()
        return [*own, *sorted(calls, key=lambda edit: len(edit.text))][:MOST_RUN]

    def _best(self, bench: Bench, edits: Iterable[Edit], fits: Callable[[Edit], bool]) -> list[Edit]:
        """Those that leave what the statement should leave, the best first."""
        return self._sorted(filter(fits, self._in_time(edits)))

    def _in_time(self, found: Iterable[T]) -> Iterator[T]:
        """What is found before the deadline."""
        return itertools.takewhile(lambda _: time.thread_time() < self.deadline, found)

    def _sorted(self, edits: Iterable[Edit]) -> list[Edit]:
        """Those that change least, each once: with a cause, if it has one."""
        found: dict[str, Edit] = {}
        for edit in edits:
            if tight(edit.expression or "") == edit.statement.name and edit.statement.kind == "=":
                continue  # `x = x` says nothing
            if edit.text not in found or found[edit.text].cause is None:
                found[edit.text] = edit
        return sorted(found.values(), key=lambda edit: change(edit.statement.source, edit.text))[:MOST_PROVEN]

    # --- which are right ---

    def _proven(self, healing: Healing, edits: Iterable[Edit], known: Sequence[Patch]) -> tuple[list[Edit], int]:
        """Those that are right at all points, the ones that mend most, and how many gradients are right then."""
        found: list[tuple[Edit, int]] = []
        for i, edit in enumerate(edits):
            if time.thread_time() > self.deadline and i >= FEW_PROVEN:  # what was found is not lost
                break
            if mended := self.mended(healing.mended, [*known, edit.patch]):
                found.append((edit, mended))
        most = max((count for _, count in found), default=0)
        return [edit for edit, count in found if count == most], most

    def anywhere(self, trail: Trail) -> Diagnosis | None:
        """The line that mends everything, whichever step it is: found by running the program with each edit."""
        self.deadline = max(self.deadline, time.thread_time() + AT_LEAST)
        benches: list[tuple[Healing, Bench]] = []
        for statement, records in trail.steps.items():
            values = {records[-1].place: records[-1].value}
            healing = Healing(statement, Target(tuple(values.values()), ("",)), values, frozenset(trail.look.wrong))
            benches.append((healing, Bench(self.problem, trail, healing)))
        for kinds in (self._written_otherwise, self._around):
            found: list[tuple[Healing, Edit]] = []
            for healing, bench in self._in_time(benches):
                edits, count = self._proven(healing, kinds(bench, reach(trail, healing, bench)), ())
                found += [(healing, edit) for edit in edits if count == self.all]
            if found:
                healing, edit = found[0]  # what is around several is no nearer to one of them
                if kinds == self._written_otherwise:
                    healing, edit = min(found, key=lambda one: change(one[1].statement.source, one[1].text))
                return Diagnosis(healing, [edit], edit.cause, healing.mended, True)
        return None

    def _written_otherwise(self, bench: Bench, scope: Scope) -> list[Edit]:
        """A statement that writes otherwise, or to another place, or to an array of its own."""
        statement = bench.statement
        return [*rewritten(statement, scope), *unshared(statement, self.looks[0].plain.run.changing)]

    def returning(self, statement: Statement) -> Edit | None:
        """What a function should return in the place of a global variable: one of its own names."""
        nodes = list(ast.walk(statement.origin.tree))
        names = [node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
        for name in dict.fromkeys([*names, *(node.arg for node in nodes if isinstance(node, ast.arg))]):
            edit = of_expression(statement, name, "function-returns-global")
            if self._right_anew(edit.patch):
                return edit
        return None

    def exchanging(self, statement: Statement) -> Edit | None:
        """A `return` with two of its values the other way round, or else what is returned, or given names."""
        line = Line(statement.source.removeprefix("return"))
        texts = (f"return{text}" for text, _ in swapped(line, Scope({}), True))
        edits = (Edit(statement, text, statement.replaced(text)) for text in texts)
        several = [s for s in self.problem.program.statements if s.number != statement.number and "," in s.source]
        others = (edit for other in several for edit in exchanged(other))
        mends = (e for e in self._in_time(itertools.chain(edits, others)) if self._mends_all(e))
        return next(mends, None)

    def _mends_all(self, edit: Edit) -> bool:
        return self.mended(self.problem.parameters, [edit.patch]) == self.all

    def fitting(self, statement: Statement) -> Edit | None:
        """A statement of the loss in which rows and columns go together."""
        line = Line(statement.text)
        for node in line.nodes:
            text = line.of(node)
            turned = [f"{tight(text)}.ravel()", f"{tight(text)}[:, None]", f"{tight(text)}[:, 0]"]
            if isinstance(node, ast.Subscript):
                turned.insert(0, line.of(node.value))
            elif isinstance(node, ast.Call) and called(node) == "reshape" and isinstance(node.func, ast.Attribute):
                turned.insert(0, line.of(node.func.value))
            elif not isinstance(node, (ast.Name, ast.Attribute)) or line.is_function(node):
                continue
            for new in turned:
                for whole in dict.fromkeys((line.replaced(node, new), statement.text.replace(text, new))):
                    edit = of_expression(statement, whole, "accidental-broadcast")
                    if self._right_anew(edit.patch):
                        return edit
        return None

    def along_another_axis(self) -> Edit | None:
        """A softmax of the forward pass along another axis, with which the derivation is right."""
        of_softmax = (s for s in self.problem.program.statements if "axis" in s.text and "exp" in s.origin.text)
        edits = (
            of_expression(statement, text, "softmax-wrong-axis")
            for statement in of_softmax
            for text, cause in reductions(Line(statement.text), Scope({}), False)
            if cause in ("softmax-wrong-axis", "bias-wrong-axis", "reduced-too-early", None)
            if text.count("axis") == statement.text.count("axis")
        )
        return next((edit for edit in itertools.islice(edits, MOST_RUN) if self._right_anew(edit.patch)), None)

    def of_floats(self) -> Edit | None:
        """The line that makes an array of floats where integers cut something off, with which all is right."""
        for statement in self.problem.program.statements:
            line = Line(statement.text)
            for text, cause in buffers(line, Scope({}), True):
                if cause == "integer-dtype" and text != f"{tight(line.text)}.astype(float)":
                    edit = of_expression(statement, text, cause)
                    if self.mended(self.problem.parameters, [edit.patch]):
                        return edit
        return None

    def unsharing(self) -> Edit | None:
        """The line that works on its own arrays, with which all is right; nothing else is wrong then."""
        changing = self.looks[0].plain.run.changing
        edits = (edit for statement in self.problem.program.statements for edit in unshared(statement, changing))
        for edit in itertools.islice(edits, MOST_RUN):
            if self.mended(self.problem.parameters, [edit.patch]) or self._right_anew(edit.patch):
                return edit
        return None

    def _right_anew(self, patch: Patch) -> bool:
        """Whether the gradients are those of the loss, where a patch changes that, too."""
        program = self.problem.program
        try:
            self.problem.program = program.patched([patch])
            return not any(looked(self.problem, look.point).wrong for look in self.looks)
        except Exception:  # an edited program may do anything
            return False
        finally:
            self.problem.program = program

    def mended(self, wanted: Iterable[str], patches: Sequence[Patch]) -> int:
        """How many gradients are right, over all points, with some patches; 0 where one is not that should be."""
        try:
            program = self.problem.program.patched(patches, seen=self.problem.assigns)
        except SyntaxError:
            return 0
        count, wanted = 0, set(wanted)
        for look in self.looks:
            outcome = self.problem.run(look.point, program=program, record=False)
            if outcome.error is not None or not _same_loss(outcome, look):
                return 0
            right = {name for name in look.true if agrees(look, name, outcome.gradients[name])}
            if not right >= {name for name in look.true if name in wanted or name not in look.wrong}:
                return 0
            count += len(right)
        return count


def _same_loss(outcome: Outcome, look: Look) -> bool:
    """Whether an edited program has the same loss: the true gradient is that of the user's."""
    return close(number(outcome.loss), number(look.plain.loss), rounding(look.plain))
