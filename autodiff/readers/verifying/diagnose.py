"""Why a step is wrong, and the line that mends it: single edits, proven at fresh random points."""

from __future__ import annotations

import ast
import difflib
import functools
import itertools
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ...graph import Node
from .compare import ratio, same
from .edits import Edit, after, around, candidates, instead, of_expression, rewritten, synthesized, unshared, written
from .edits.line import Line, called, evaluated, is_target, parsed, product, tight
from .edits.names import swapped
from .edits.products import reductions
from .edits.terms import buffers
from .elsewhere import elsewhere
from .helpers import in_helpers
from .instrument import Patch, Statement
from .locate import Trail, agrees
from .moments import Bench
from .problem import Outcome, Problem
from .scaled import scaled_terms, scaled_texts
from .scope import Scope
from .symptoms import is_of_loss, named, presumed
from .targets import Healing, Target
from .truth import Look, close, looked, number, rounding

MOST_PROVEN = 8  # edits that are proven at all points
SIZES = ("factor-N", "factor-1/N", "factor-K")
MOST_TERMS = 4
FEW_PROVEN = 3  # of them, even where there is no time left
MOST_ITEMS = 40  # items of lists that may be meant
NEAR = 4  # words and signs more than the least that an edit has to change
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
        scope = self._scope(trail, healing, bench)
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
        proven, cause = self._named(trail, healing, bench, scope, best.edits)
        return Diagnosis(best.healing or healing, proven, cause, healing.mended, best.count == self.all)

    def _named(
        self, trail: Trail, healing: Healing, bench: Bench, scope: Scope, edits: Sequence[Edit]
    ) -> tuple[list[Edit], str | None]:
        """The edits with what each would prove, and the cause that the step's values and they agree on."""
        names = _Names(self.problem, bench.own, bench.target, scope)
        proven = [replace(edit, cause=names.resolved(edit.cause)) for edit in edits]
        cause, agreed = named(trail, healing, self.looks), _agreed(proven)
        nearest = proven[0].cause if proven else None
        if cause is not None and cause != nearest and _says_more(nearest, cause, proven, trail.is_final(healing)):
            cause = nearest if nearest is not None else "factor-2"
        if cause == "overwritten-not-accumulated" and proven and all(edit.cause != cause for edit in proven):
            cause = "missing-branch"  # to add to what was there does not mend it
        if cause == "ddof" and proven and not any(map(_counts, (proven[0].text, bench.statement.source))):
            cause = "factor-const"
        if cause == "factor-const" and agreed in SIZES:
            cause = agreed  # the line that mends it knows which constant
        cause = (
            cause or (nearest if nearest == "missing-target" else _of_forward(healing, bench.target, scope)) or agreed
        )
        cause = cause or (_by_terms(bench.own, proven[0].expression, scope) if proven else None)
        cause = cause or presumed(trail, healing, self.looks)
        if cause in ("wrong-local-derivative", "wrong-tensor-in-delta") and healing.target.kind == "adjoint":
            itself = not proven or proven[0].statement is bench.statement
            of_loss = cause == "wrong-local-derivative" and is_of_loss(trail, healing, self.looks)
            if of_loss or (itself and _speaks_of_targets(trail, healing, bench, scope)):
                cause = "wrong-loss-derivative"
        return proven, cause

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
        edits = self._sorted(in_helpers(self.problem, trail, healing, bench))
        edits, count = self._proven(healing, edits, ())
        if count < self.all:
            return None
        proven, cause = self._named(trail, healing, bench, self._scope(trail, healing, bench), edits)
        return Diagnosis(healing, proven, cause, healing.mended, True)

    def of_loss(self) -> Edit | None:
        """A term of the loss with another factor, with which all is right."""
        scope = Scope(self.looks[0].plain.run.locals)
        for statement, factor, is_penalty in scaled_terms(self.problem, self.looks):
            names = _Names(self.problem, np.array([factor, 1]), np.array([1, 1 / factor]), scope)
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
            yield self._near(there, self._scope(trail, other, there), final), other
        for other, there in places:
            yield self._sorted(in_helpers(self.problem, trail, other, there)), healing

    def _scope(self, trail: Trail, healing: Healing, bench: Bench) -> Scope:
        statement = bench.statement
        counters, behind = _counters(statement), trail.activated(healing, bench.telling)
        scope = Scope(bench.space, self._texts(statement), trail.look.point, counters, bench.varying, behind)
        scope.varying |= self._computed(statement)
        scope.compared, scope.deltas = trail.compared, trail.deltas
        scope.slopes = [(applied.z, applied.slope) for applied in trail.view.every]
        scope.repeats = len(bench.moments) > 1
        scope.updates = _updates(self.problem.program.statements, statement)
        return scope

    def _computed(self, statement: Statement) -> set[str]:
        """The names that a function assigns something to that is no literal."""
        beside = [s for s in self.problem.program.statements if s.origin is statement.origin]
        return {name for s in beside if not isinstance(s.expression, ast.Constant) for name in s.names}

    # --- which edits ---

    def _near(self, bench: Bench, scope: Scope, final: bool) -> list[Edit]:
        """Edits of the statement itself."""
        statement = bench.statement
        expressions = (of_expression(statement, *found) for found in candidates(statement.text, scope, final))
        return self._best(bench, itertools.chain(instead(statement, scope), expressions), bench.fits)

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
        found: list[Edit] = []
        for edit in edits:
            if time.thread_time() > self.deadline:
                break
            if fits(edit):
                found.append(edit)
        return self._sorted(found)

    def _sorted(self, edits: Iterable[Edit]) -> list[Edit]:
        """Those that change least."""
        return sorted(edits, key=lambda edit: _change(edit.statement.source, edit.text))[:MOST_PROVEN]

    def _texts(self, statement: Statement) -> list[str]:
        """The items and attributes that the function speaks of; items of its lists at this statement's indices."""
        found, lists, indices = set[str](), set[str](), dict[str, bool]()
        for other in self.problem.program.statements:
            if other.function == statement.function:
                for tree in (other.expression, *map(parsed, other.names)):
                    for node in ast.walk(tree) if tree else ():
                        if isinstance(node, (ast.Subscript, ast.Attribute)):
                            found.add(ast.unparse(node))
                        if isinstance(node, ast.Subscript) and not isinstance(node.slice, (ast.Slice, ast.Tuple)):
                            lists.add(ast.unparse(node.value))
                            index = ast.unparse(node.slice)
                            indices[index] = indices.get(index, False) or other is statement
        ordered = sorted(indices, key=lambda index: (not indices[index], index))  # the statement's own first
        pairs = (f"{values}[{index}]" for index in ordered for values in sorted(lists))
        own = sorted(found, key=lambda text: (text not in statement.text, text))
        return own + [text for text in itertools.islice(pairs, MOST_ITEMS) if text not in found]

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
            for healing, bench in benches:
                edits, count = self._proven(healing, kinds(bench, self._scope(trail, healing, bench)), ())
                found += [(healing, edit) for edit in edits if count == self.all]
            if found:
                healing, edit = min(found, key=lambda one: _change(one[1].statement.source, one[1].text))
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
        """A `return` with two of its values the other way round."""
        line = Line(statement.source.removeprefix("return"))
        for text, cause in swapped(line, Scope({}), True):
            edit = Edit(statement, f"return{text}", statement.replaced(f"return{text}"), cause)
            if self.mended(self.problem.parameters, [edit.patch]) == self.all:
                return edit
        return None

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
            program = self.problem.program.patched(patches)
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


def _updates(statements: Sequence[Statement], statement: Statement) -> dict[str, str]:
    """For what the function updates, `w -= step`, how to write the value that it had before."""
    found: dict[str, str] = {}
    opposite = {"-=": "+", "+=": "-"}
    for other in statements:
        if other.origin is statement.origin and len(other.names) == 1:
            name, tree = other.names[0], other.expression
            if other.kind in opposite:
                found[name] = f"{name} {opposite[other.kind]} {product(other.text)}"
            elif other.kind == "=" and isinstance(tree, ast.BinOp) and isinstance(tree.op, (ast.Add, ast.Sub)):
                line = Line(other.text)
                if line.of(line.tree.left) == name:  # type: ignore[attr-defined]
                    sign = "+" if isinstance(tree.op, ast.Sub) else "-"
                    found[name] = f"{name} {sign} {product(line.of(line.tree.right))}"  # type: ignore[attr-defined]
    return found


def _counters(statement: Statement) -> set[str]:
    """The names that the loops of a function count with."""
    loops = [node.target for node in ast.walk(statement.origin.tree) if isinstance(node, (ast.For, ast.comprehension))]
    return {node.id for target in loops for node in ast.walk(target) if isinstance(node, ast.Name)}


def _speaks_of_targets(trail: Trail, healing: Healing, bench: Bench, scope: Scope) -> bool:
    """Whether a line behind which there is only the loss computes with what that compares with."""
    node = healing.target.nodes[0]
    words = scope.words(bench.statement.text) & set(scope.arrays)
    tail = isinstance(node, Node) and trail.view.is_tail(node)
    return tail and any(scope.is_compared(scope.arrays[word]) for word in words)


def _by_terms(own: Any, expression: str | None, scope: Scope) -> str | None:
    """What is wrong with a value that lacks terms of what it should be, or has some with another sign."""
    line = Line(expression or "0")
    terms = [evaluated(line.of(term), scope) for term in line.terms]
    if not 1 < len(terms) <= MOST_TERMS or not np.shape(own):
        return None
    right, wrong = _signs(evaluated(line.text, scope), terms), _signs(own, terms)
    masked = any(isinstance(node, ast.Compare) for node in line.nodes)  # pieces of one formula
    if right is None or wrong is None or not any(wrong) or masked:
        return None
    if any(w not in (0, r) for w, r in zip(wrong, right, strict=True)):
        return "sign" if all(wrong) else None
    missing = [i for i, weight in enumerate(wrong) if not weight]
    if all(any(map(is_target, scope.words(line.of(line.terms[i])))) for i in missing):
        return "missing-target"
    weights = [value for value in scope.arrays.values() if scope.is_parameter(value)]
    penalties = (any(ratio(terms[i], value) is not None for value in weights) for i in missing)
    return "regulariser-forgotten" if all(penalties) else "missing-branch"


def _signs(value: Any, terms: Sequence[Any]) -> tuple[int, ...] | None:
    """The sign of each term in a value that is a sum of them, 0 where one is not in it."""
    if any(np.shape(term) != np.shape(value) for term in terms):
        return None
    ways = itertools.product((1, -1, 0), repeat=len(terms))
    return next((s for s in ways if same(value, sum(k * t for k, t in zip(s, terms, strict=True)))), None)


def _counts(text: str) -> bool:
    """Whether a line speaks of a count less one, or of a spread."""
    return re.search(r"- 1\b|ddof|(std|var)\(", text) is not None


def _of_forward(healing: Healing, target: Any, scope: Scope) -> str | None:
    """The cause where a value of the forward pass, computed again, is another one."""
    if healing.target.kind != "value":
        return None
    return "updated-weights" if scope.is_parameter(target) else "forward-differs"


def _says_more(nearest: str | None, cause: str, proven: Sequence[Edit], final: bool) -> bool:
    """Whether the line that mends a step tells better than its values what was wrong: how it was written."""
    if nearest == "overwritten-not-accumulated":
        return cause in ("detached-branch", "missing-branch", "missing-target")
    if cause == "accumulated-twice":  # or one that has a factor
        return bool(proven) and nearest in (None, "factor-2")
    if nearest == "missing-target":
        return cause in ("forward-differs", "missing-branch")
    if nearest in ("off-by-one-index", "off-by-one-time"):
        of_layer = "activation-derivative-of-wrong-layer" if nearest == "off-by-one-time" else None
        others = "wrong-tensor-in-weight-gradient", "wrong-tensor-in-delta", "overwritten-not-accumulated"
        return cause in (*others, of_layer)
    passes = ("missing-activation-derivative", "activation-derivative-twice", "skipped-layer", "missing-target")
    return final and nearest in ("wrong-tensor-in-weight-gradient", "wrong-tensor-in-delta") and cause in passes


@functools.lru_cache(4096)
def _tokens(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\w+|[^\w\s]", text))


def _change(old: str, new: str) -> tuple[float, int]:
    """How much of a statement an edit changes: words and signs put in, or taken out (half as much); its length."""
    parts = difflib.SequenceMatcher(None, _tokens(old), _tokens(new), autojunk=False).get_opcodes()
    changes = [(i2 - i1, j2 - j1) for kind, i1, i2, j1, j2 in parts if kind != "equal"]
    return sum(more + max(0, less - more) / 2 for less, more in changes), len(new)


class _Names:
    """What the factor between a value and the right one is called."""

    def __init__(self, problem: Problem, own: Any, target: Any, scope: Scope) -> None:
        self.factor = ratio(own, target)
        self.scope, self.shape = scope, np.shape(target)
        self.off = own - target if np.shape(own) == self.shape else None
        self.counts: set[int] = {size for value in scope.arrays.values() for size in value.shape}
        self.counts |= {size for size, text in scope.sizes.items() if text.startswith("len(") or text.isidentifier()}
        self.outputs = {size for target in scope.compared for size in target.shape}
        self.inner = {size for value in problem.parameters.values() for size in np.shape(value)}

    def resolved(self, cause: str | None) -> str | None:
        """A factor is called by what it is, not by how it was mended."""
        if cause is None:
            return None
        if cause.startswith("term:"):
            return self._factor(float(cause.removeprefix("term:")))
        if self.factor is None and cause.startswith(("factor", "size", "ratio")) and self._regularises():
            return "regulariser-scale"
        if self.factor is not None and (
            cause.startswith(("factor", "size", "ratio", "mean", "sum"))
            or cause == "sign"
            or (cause == "wrong-local-derivative" and self.shape not in ((), (1,)))
        ):
            return self.factor_name
        if cause.startswith(("size", "ratio", "mean", "sum")):
            return None
        return cause

    @property
    def factor_name(self) -> str | None:
        """The cause, where nothing but a factor is between them."""
        return self._factor(self.factor) if self.factor is not None else None

    def _regularises(self) -> bool:
        """Whether what is too much is a multiple of a parameter."""
        arrays = (v for v in self.scope.arrays.values() if self.off is not None and np.shape(v) == self.shape)
        return any(ratio(self.off, value) is not None for value in arrays if self.scope.is_parameter(value))

    def _factor(self, factor: float) -> str:
        named = {-1.0: "sign", 2.0: "factor-2", 0.5: "factor-half"}
        for value, name in named.items():
            if abs(factor - value) < 1e-9:
                return name
        for inverse, text in ((False, "factor-{}"), (True, "factor-1/{}")):
            size = 1 / factor if inverse else factor
            if size > 1 and abs(size - round(size)) < 1e-6 and round(size) in self.counts:
                if round(size) not in self.inner:
                    return text.format("N")
                if not inverse and (not self.outputs or round(size) in self.outputs):
                    return "factor-K"
        return "factor-const"


PRECEDENCE = (
    "activation-derivative-at-activation", "output-form-on-preactivation", "activation-derivative-of-wrong-layer",
    "activation-derivative-twice", "derivative-of-another-activation", "missing-activation-derivative",
    "relu-mask-from-wrong-tensor", "relu-mask-inverted", "softmax-wrong-axis", "bias-not-reduced", "bias-wrong-axis",
    "off-by-one-time", "off-by-one-index", "updated-weights", "ddof", "regulariser-scale",
    "overwritten-not-accumulated",
)  # fmt: skip


def _agreed(edits: Sequence[Edit]) -> str | None:
    """The cause that the nearest edits prove: the one that they agree on, or the most special one."""
    changes = [_change(edit.statement.source, edit.text)[0] for edit in edits]
    near = [edit for edit, change in zip(edits, changes, strict=True) if change <= min(changes) + NEAR]
    named = list(dict.fromkeys(edit.cause for edit in near if edit.cause is not None))
    nearest = {edit.cause for edit, change in zip(edits, changes, strict=True) if change == min(changes)} - {None}
    if len(named) == 1 or len(nearest) == 1:
        return named[0] if len(named) == 1 else nearest.pop()
    return next((cause for cause in PRECEDENCE if cause in named), None)
