"""Why a step is wrong, and the line that mends it: single edits, proven at fresh random points."""

from __future__ import annotations

import ast
import difflib
import functools
import itertools
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .compare import ratio
from .edits import Edit, after, around, candidates, instead, of_expression, synthesized
from .edits.line import parsed
from .elsewhere import elsewhere
from .helpers import in_helpers
from .instrument import Patch, Statement
from .locate import Healing, Trail, agrees
from .moments import Bench
from .problem import Problem
from .scope import Scope
from .symptoms import named
from .truth import Look

MOST_PROVEN = 8  # edits that are proven at all points
MOST_ITEMS = 100  # items of lists that may be meant
MOST_RUN = 30  # edits that are tried by running the program


AT_LEAST = 0.3  # seconds for a statement


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


class Doctor:
    """Finds the edits of statements that make gradients right at all points."""

    def __init__(self, problem: Problem, looks: Sequence[Look], deadline: float) -> None:
        self.problem, self.looks, self.deadline = problem, looks, deadline
        self.all: int = sum(len(look.true) for look in looks)

    def diagnose(self, trail: Trail, healing: Healing, known: Sequence[Patch]) -> Diagnosis:
        """Try the edits of the statement of a healing: the near ones first, then others."""
        self.deadline = max(self.deadline, time.monotonic() + AT_LEAST)
        bench = Bench(self.problem, trail, healing)
        if not np.any(bench.target):
            return Diagnosis(healing, mended=healing.mended)  # anything times 0 would do
        scope = self._scope(trail, bench)
        final = any(ratio(bench.target, trail.look.true[name]) is not None for name in healing.mended)
        where, (proven, count) = healing, self._proven(healing, self._near(bench, scope, final), known)
        for other in elsewhere(self.problem, trail, healing) if count < self.all else ():
            there = Bench(self.problem, trail, other)
            found = self._proven(other, self._near(there, self._scope(trail, there), final), known)
            if found[1] > count:
                where, (proven, count) = other, found
        if count < self.all:
            there = self._sorted(in_helpers(self.problem, trail, healing, bench))
            found = self._proven(healing, there, known)
            if found[1] > count:
                where, (proven, count) = healing, found
        for edits in (self._made, self._after, self._around) if not proven else ():
            where, (proven, count) = healing, self._proven(healing, edits(bench, scope), known)
            if proven:
                break
        names = _Names(self.problem, bench.own, bench.target, scope)
        proven = [replace(edit, cause=names.resolved(edit.cause, edit.text)) for edit in proven]
        cause = named(trail, healing, self.looks) or _of_forward(healing, bench.target, scope) or _agreed(proven)
        return Diagnosis(where, proven, cause, healing.mended, count == self.all)

    def _scope(self, trail: Trail, bench: Bench) -> Scope:
        statement = bench.statement
        return Scope(bench.space, self._texts(statement), trail.look.point, _counters(statement))

    # --- which edits ---

    def _near(self, bench: Bench, scope: Scope, final: bool) -> list[Edit]:
        """Edits of the statement itself."""
        statement = bench.statement
        expressions = (of_expression(statement, *found) for found in candidates(statement.text, scope, final))
        return self._best(bench, itertools.chain(instead(statement, scope), expressions), bench.fits)

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
        """The bounds of loops, and conditions."""
        return sorted(around(bench.statement), key=lambda edit: len(edit.text))[:MOST_RUN]

    def _best(self, bench: Bench, edits: Iterable[Edit], fits: Callable[[Edit], bool]) -> list[Edit]:
        """Those that leave what the statement should leave, the best first."""
        found: list[Edit] = []
        for edit in edits:
            if time.monotonic() > self.deadline:
                break
            if fits(edit):
                found.append(edit)
        return self._sorted(found)

    def _sorted(self, edits: Iterable[Edit]) -> list[Edit]:
        """Those that change least."""
        return sorted(edits, key=lambda edit: _change(edit.statement.source, edit.text))[:MOST_PROVEN]

    def _texts(self, statement: Statement) -> list[str]:
        """The items and attributes that the function speaks of, and their neighbours."""
        found, lists, indices = set[str](), set[str](), set[str]()
        for other in self.problem.program.statements:
            if other.function == statement.function:
                for tree in (other.expression, *map(parsed, other.names)):
                    for node in ast.walk(tree) if tree else ():
                        if isinstance(node, (ast.Subscript, ast.Attribute)):
                            found.add(ast.unparse(node))
                        if isinstance(node, ast.Subscript) and not isinstance(node.slice, (ast.Slice, ast.Tuple)):
                            lists.add(ast.unparse(node.value))
                            indices.add(ast.unparse(node.slice))
        pairs = itertools.product(sorted(lists), sorted(indices))
        others = [f"{values}[{index}]" for values, index in itertools.islice(pairs, MOST_ITEMS)]
        own = sorted(found, key=lambda text: (text not in statement.text, text))
        return own + [text for text in others if text not in found]

    # --- which are right ---

    def _proven(self, healing: Healing, edits: Iterable[Edit], known: Sequence[Patch]) -> tuple[list[Edit], int]:
        """Those that are right at all points, the ones that mend most, and how many gradients are right then."""
        found: list[tuple[Edit, int]] = []
        for edit in edits:
            if time.monotonic() > self.deadline:
                break
            if mended := self.mended(healing, [*known, edit.patch]):
                found.append((edit, mended))
        most = max((count for _, count in found), default=0)
        return [edit for edit, count in found if count == most], most

    def mended(self, healing: Healing, patches: Sequence[Patch]) -> int:
        """How many gradients are right, over all points, with some patches; 0 where one is not that should be."""
        try:
            program = self.problem.program.patched(patches)
        except SyntaxError:
            return 0
        count = 0
        for look in self.looks:
            outcome = self.problem.run(look.point, program=program, record=False)
            if outcome.error is not None:
                return 0
            right = {name for name in look.true if agrees(look, name, outcome.gradients[name])}
            if not right >= {name for name in look.true if name in healing.mended or name not in look.wrong}:
                return 0
            count += len(right)
        return count


def _counters(statement: Statement) -> set[str]:
    """The names that the loops of a function count with."""
    loops = [node.target for node in ast.walk(statement.origin.tree) if isinstance(node, (ast.For, ast.comprehension))]
    return {node.id for target in loops for node in ast.walk(target) if isinstance(node, ast.Name)}


def _of_forward(healing: Healing, target: Any, scope: Scope) -> str | None:
    """The cause where a value of the forward pass, computed again, is another one."""
    if healing.target.kind != "value":
        return None
    return "updated-weights" if scope.is_parameter(target) else "forward-differs"


@functools.lru_cache(4096)
def _tokens(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\w+|[^\w\s]", text))


def _change(old: str, new: str) -> tuple[int, int]:
    """How much of a statement an edit changes: words and signs that are put in or taken out; then its length."""
    a, b = _tokens(old), _tokens(new)
    blocks = difflib.SequenceMatcher(None, a, b, autojunk=False).get_matching_blocks()
    common = sum(block.size for block in blocks)
    return len(a) + len(b) - 2 * common, len(new)


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


def _agreed(edits: Sequence[Edit]) -> str | None:
    """The cause that the nearest edits prove: the most special one, or the one that all agree on."""
    named = [c.cause for c in edits[:6] if c.cause is not None]
    if "wrong-tensor-in-weight-gradient" in named[:2]:
        return "wrong-tensor-in-weight-gradient"
    for cause in PRECEDENCE:
        if cause in named:
            return cause
    return named[0] if named and named.count(named[0]) * 2 > len(named) else None
