"""Why a step is wrong: what its values prove, and what the lines that mend it say.

The values have the first word (`symptoms`), but for what only the writing can tell; where they prove nothing, the edits
that are nearest to what the user wrote.
"""

from __future__ import annotations

import ast
import difflib
import functools
import itertools
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...graph import Node
from .activations import PARTS
from .compare import penalises, ratio, same
from .edits import Edit
from .edits.line import Line, evaluated, has_word
from .locate import Trail
from .moments import Bench
from .problem import Problem
from .scope import Scope
from .symptoms import named, presumed
from .symptoms.changed import broadcasts
from .targets import Healing
from .truth import Look

SIZES = ("factor-N", "factor-1/N", "factor-K")
MOST_TERMS = 4
NEAR = 4  # words and signs more than the least that an edit has to change


def reasoned(
    trail: Trail, healing: Healing, looks: Sequence[Look], bench: Bench, scope: Scope, edits: Sequence[Edit]
) -> tuple[list[Edit], str | None]:
    """The edits with what each would prove, and the cause that the step's values and they agree on."""
    names = Names(trail.problem, bench.own, bench.target, scope)
    proven = [replace(edit, why=names.resolved(edit.cause)) for edit in edits]
    cause, agreed = named(trail, healing, looks), _agreed(proven)
    nearest = proven[0].cause if proven else None
    if cause is not None and cause != nearest and _says_more(nearest, cause, proven, trail.is_final(healing)):
        cause = nearest if nearest is not None else "factor-2"
    if cause == "overwritten-not-accumulated" and proven and all(edit.cause != cause for edit in proven):
        cause = "missing-branch"  # to add to what was there does not mend it
    if cause == "ddof" and proven and not any(map(_counts, (proven[0].text, proven[0].statement.source))):
        cause = "factor-const"
    if cause == "missing-branch" and proven and _adds_to_itself(proven[0]):
        cause = "overwritten-not-accumulated"
    if cause == "factor-const" and agreed in SIZES:
        cause = agreed  # the line that mends it knows which constant
    cause = cause or ("accidental-broadcast" if broadcasts(trail, healing) else None)
    cause = (
        cause
        or (nearest if nearest in ("missing-target", "epsilon-ignored") else _of_forward(healing, bench.target, scope))
        or agreed
    )
    cause = cause or (_by_terms(bench.own, proven[0].expression, scope, _is_tail(trail, healing)) if proven else None)
    cause = cause or presumed(trail, healing, looks)
    if cause == "factor-2" and _is_sum_of_same(bench, scope):
        cause = "accumulated-twice"
    if cause in ("factor-2", "factor-half"):
        is_root = trail.view.has_constant(2.0 if cause == "factor-2" else 0.5)  # of a size, in the forward pass
        some = ((bench.computed[place], true) for place, true in bench.wanted.items() if np.any(true))
        now_and_then = any(bench.alike(own, true) for own, true in some)
        cause = "factor-const" if is_root or now_and_then else cause
    itself = not proven or proven[0].statement is bench.statement
    local = cause == "wrong-local-derivative" and _is_compared(trail, healing)
    passes_on = cause in ("wrong-tensor-in-delta", "skipped-layer")
    of_loss = local or (passes_on and _speaks_of_targets(trail, healing, bench, scope))
    if itself and of_loss and _starts(trail, healing, bench, scope):
        cause = "wrong-loss-derivative"
    return proven, cause


def _is_sum_of_same(bench: Bench, scope: Scope) -> bool:
    """Whether a line adds a value to one that is the same."""
    line = Line(bench.statement.text)
    terms = [evaluated(line.of(term), scope) for term in line.terms]
    return len(terms) == 2 and np.size(bench.target) > 1 and all(same(term, bench.target) for term in terms)


def _adds_to_itself(edit: Edit) -> bool:
    """Whether a line that wrote over a name adds to what that was."""
    own = edit.statement
    return own.kind == "=" and not has_word(own.name, own.text) and has_word(own.name, edit.expression or "")


def _is_compared(trail: Trail, healing: Healing) -> bool:
    """Whether the loss is made of the value that a step is about: no activation is in between."""
    node = healing.target.nodes[0]
    if not isinstance(node, Node):
        return False
    compares = any(map(trail.view.compares, (node, *trail.view.users[node])))
    return compares or all(x.activation.name in ("", *PARTS) for x in trail.view.activated(node))


def _speaks_of_targets(trail: Trail, healing: Healing, bench: Bench, scope: Scope) -> bool:
    """Whether a line behind which there is only the loss computes with what that compares with."""
    words = scope.words(bench.statement.text) & set(scope.arrays)
    return _is_tail(trail, healing) and any(scope.is_compared(scope.arrays[word]) for word in words)


def _starts(trail: Trail, healing: Healing, bench: Bench, scope: Scope) -> bool:
    """Whether a step, no gradient yet, passes no derivative on: it is made of values of the forward pass alone."""
    if healing.target.kind != "adjoint" or trail.is_final(healing) or bench.statement.kind in ("+=", "-="):
        return False
    words, statements = scope.words(bench.statement.text) & set(scope.arrays), trail.problem.program.statements
    deltas = {name for number in trail.steps if trail.meanings(number) for name in statements[number].names}
    return not words & deltas and all(scope.delta_of(scope.arrays[word]) is None for word in words)


def _is_tail(trail: Trail, healing: Healing) -> bool:
    """Whether there is only the loss behind the value that a step is about."""
    node = healing.target.nodes[0]
    return isinstance(node, Node) and trail.view.is_tail(node)


def _by_terms(own: Any, expression: str | None, scope: Scope, is_tail: bool) -> str | None:
    """What is wrong with a value that lacks terms of what it should be, or has some with another sign."""
    line = Line(expression or "0")
    terms = [evaluated(line.of(term), scope) for term in line.terms]
    if not 1 < len(terms) <= MOST_TERMS or not np.shape(own) or any(term is None for term in terms):
        return None  # another line's names
    right, wrong = _signs(evaluated(line.text, scope), terms), _signs(own, terms)
    masked = any(isinstance(node, ast.Compare) for node in line.nodes)  # pieces of one formula
    if right is None or wrong is None or not any(wrong) or masked:
        return None
    if any(w not in (0, r) for w, r in zip(wrong, right, strict=True)):
        return "sign" if all(wrong) else None
    missing = [i for i, weight in enumerate(wrong) if not weight]
    if is_tail and all(scope.has_target(line.of(line.terms[i])) for i in missing):
        return "missing-target"
    weights = [value for value in scope.arrays.values() if scope.is_parameter(value)]
    penalties = (any(penalises(terms[i], value) for value in weights) for i in missing)
    return "regulariser-forgotten" if all(penalties) else "missing-branch"


def _signs(value: Any, terms: Sequence[Any]) -> tuple[int, ...] | None:
    """The sign of each term in a value that is a sum of them, 0 where one is not in it."""
    if any(np.shape(term) != np.shape(value) for term in terms):
        return None
    ways = itertools.product((1, -1, 0), repeat=len(terms))
    return next((s for s in ways if same(value, sum(k * t for k, t in zip(s, terms, strict=True)))), None)


def _counts(text: str) -> bool:
    """Whether a line speaks of a count less one, and not of an index, or of a spread."""
    return re.search(r"-\s*1\b|ddof|(std|var)\(", re.sub(r"\[[^\]]*\]", "", text)) is not None


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
        return bool(proven) and nearest in (None, "factor-2") and all(edit.cause != cause for edit in proven)
    if nearest == "missing-target":
        return cause in ("forward-differs", "missing-branch")
    if nearest == "sign":  # of a part of a number
        return cause == "factor-const"
    if nearest in ("off-by-one-index", "off-by-one-time"):
        of_layer = "activation-derivative-of-wrong-layer" if nearest == "off-by-one-time" else None
        others = "wrong-tensor-in-weight-gradient", "wrong-tensor-in-delta", "overwritten-not-accumulated"
        return cause in (*others, of_layer)
    passes = ("missing-activation-derivative", "activation-derivative-twice", "skipped-layer", "missing-target")
    return final and nearest in ("wrong-tensor-in-weight-gradient", "wrong-tensor-in-delta") and cause in passes


@functools.lru_cache(4096)
def _tokens(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\w+|[^\w\s]", text))


def change(old: str, new: str) -> tuple[float, int]:
    """How much of a statement an edit changes: words and signs put in, or taken out (half as much); its length."""
    parts = difflib.SequenceMatcher(None, _tokens(old), _tokens(new), autojunk=False).get_opcodes()
    changes = [(i2 - i1, j2 - j1) for kind, i1, i2, j1, j2 in parts if kind != "equal"]
    return sum(more + max(0, less - more) / 2 for less, more in changes), len(new)


class Names:
    """What the factor between a value and the right one is called."""

    def __init__(self, problem: Problem, own: Any, target: Any, scope: Scope) -> None:
        self.factor: float | None = ratio(own, target)
        self.scope: Scope = scope
        self.shape: tuple[int, ...] = np.shape(target)
        self.off: Any = own - target if np.shape(own) == self.shape else None
        self.counts: set[int] = {size for value in scope.arrays.values() for size in value.shape}
        self.counts |= {size for size, text in scope.sizes.items() if text.startswith("len(") or text.isidentifier()}
        self.outputs: set[int] = {size for target in scope.compared for size in target.shape}
        self.inner: set[int] = {size for value in problem.parameters.values() for size in np.shape(value)}

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
            return cause if cause == "sign" and self.factor_name == "factor-const" else self.factor_name
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
    changes = [change(edit.statement.source, edit.text)[0] for edit in edits]
    near = [edit for edit, change in zip(edits, changes, strict=True) if change <= min(changes) + NEAR]
    named = list(dict.fromkeys(edit.cause for edit in near if edit.cause is not None))
    nearest = {edit.cause for edit, change in zip(edits, changes, strict=True) if change == min(changes)} - {None}
    if len(named) == 1 or len(nearest) == 1:
        return named[0] if len(named) == 1 else nearest.pop()
    return next((cause for cause in PRECEDENCE if cause in named), None)
