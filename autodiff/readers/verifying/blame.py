"""Which of the steps whose healing mends most is the first wrong one.

The first in the order of the program, but for four rules: a right derivative that a later step needs just so is not
to blame; of two steps that want the same derivative the later is; and a step that is what its name promises is not, nor
one that is what it should be when an earlier one is.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import Any

from ...graph import Node
from .compare import same, telling_factor
from .locate import Trail
from .targets import Healing
from .truth import is_piece


def first_wrong(trail: Trail, healings: Sequence[Healing]) -> list[Healing]:
    """The healings in the order in which their statements are to blame."""
    if not healings:
        return []
    most = max(len(h.mended) for h in healings)
    best = [h for h in healings if len(h.mended) == most]
    best = [h for h in best if h.penalty == min(h.penalty for h in best) or h.penalty == 2]
    right = [h for h in best if _is_innocent(trail, h, best)]
    innocent = {h.statement for h in best if h in right or _makes(trail, h, right)}
    named = innocent | {h.statement for h in best if says_what_it_is(trail, h.statement)}
    kept = [h for h in best if h.statement not in named] or [h for h in best if h.statement not in innocent] or best
    kept = [h for h in kept if not _is_part(trail, h, kept) and not _is_given(trail, h, kept)]
    kept = [h for h in kept if not _cleared(trail, h, kept)]
    kept = [h for h in kept if not _follows(trail, h, kept)]
    first = {frozenset(h.values): h.order for h in sorted(kept, key=lambda h: -h.order)}

    def rank(h: Healing) -> tuple[Any, ...]:
        fits = _fits_name(trail, h.statement, h.target.nodes[0])
        return h.penalty, not fits, first[frozenset(h.values)], h.factor != 1.0, _changed(trail, h)

    return sorted(kept, key=rank) + [h for h in best if h not in kept]


def _changed(trail: Trail, healing: Healing) -> int:
    """How many of its values a healing changes: they may be dealt out to the runs of a loop in several ways."""
    return sum(not same(trail.hand(place), value) for place, value in healing.values.items())


def _is_innocent(trail: Trail, healing: Healing, others: Sequence[Healing]) -> bool:
    """Whether a step is a right derivative, and a later one to blame for what it makes of it.

    That is so where the later step needs just this derivative; where it is another step that should have the one that
    healing gives to this; and where yet another step makes something right of it.
    """
    meanings = [(n, f) for n, f in trail.meanings(healing.statement) if f in trail.conventions]
    own = [node for node, factor in meanings if factor == 1.0 or not is_piece(node)]  # a gradient carries no factor
    mine = [h for h in others if h.statement == healing.statement and h.target.kind == "adjoint"]
    promised = [h.target.nodes[0] for h in mine if h.target.nodes[0] not in own]
    if any(_fits_name(trail, healing.statement, node) for node in promised):
        return False  # it is called after another value
    later = [h for h in others if h.order > healing.order and h.statement != healing.statement]
    if any(tells(trail, healing, later) for tells in (_was_right, _is_renamed, _is_addend)):
        return True
    if not own or trail.repeats(healing.statement):
        return False
    wished = [node for node in healing.target.nodes[:1] if isinstance(node, Node)]
    return (
        any(trail.is_made_of(h.target.nodes[0], node) for h in later for node in own)
        or (bool(later) and any(trail.is_there(node, healing.statement) for node in wished))
        or _turned_right(trail, healing.statement)
    )


def _makes(trail: Trail, healing: Healing, right: Sequence[Healing]) -> bool:
    """Whether what a step leaves is only given a name by a later one that is right."""
    own = trail.values_of(healing.statement)
    return any(h.order > healing.order and own & trail.values_of(h.statement) for h in right)


def _is_renamed(trail: Trail, healing: Healing, later: Sequence[Healing]) -> bool:
    """Whether a later step only gives another name to what is right at first: there something was forgotten."""
    record = trail.look.plain.run.records[trail.position[next(iter(healing.values))]]
    if not trail.meanings_of(record, counted=True):
        return False
    statements = trail.problem.program.statements
    names = (h.statement for h in later if isinstance(statements[h.statement].expression, ast.Name))
    return any(trail.values_of(healing.statement) & trail.values_of(statement) for statement in names)


def _is_addend(trail: Trail, healing: Healing, later: Sequence[Healing]) -> bool:
    """Whether a step is just what comes from one use of a value, and a later one should be the whole derivative."""
    own, right = [record.value for record in trail.steps[healing.statement]], {1.0, *trail.conventions}
    parts = (node for (node, _), part in trail.targets.uses.each.items() if telling_factor(own, [part]) in right)
    wholes = [trail.look.adjoints[node] for node in parts if node in trail.look.adjoints]
    adding = [h for h in later if not trail.goes_through(h.statement)]
    return any(telling_factor(list(h.values.values()), [whole]) is not None for h in adding for whole in wholes)


def _is_part(trail: Trail, healing: Healing, others: Sequence[Healing]) -> bool:
    """Whether a step is only what a function gives to the formula of a line that can be to blame itself."""
    statements = trail.problem.program.statements
    own = statements[healing.statement]
    lines = (statements[h.statement].expression for h in others if h.mended >= healing.mended)
    formulas = [tree for tree in lines if not isinstance(tree, (ast.Call, ast.Tuple, ast.Dict))]
    called = (node.func for tree in formulas for node in ast.walk(tree) if isinstance(node, ast.Call))
    return own.kind == "return" and any(ast.unparse(function).split(".")[-1] == own.function for function in called)


def _is_given(trail: Trail, healing: Healing, others: Sequence[Healing]) -> bool:
    """Whether a step of a function only holds what the function was given by another that can be to blame."""
    own = [trail.hand(place) for place in healing.values]
    depth = len(trail.steps[healing.statement][0].stack)
    outer = (h for h in others if h.order < healing.order and len(trail.steps[h.statement][0].stack) < depth)
    givers = (h for h in outer if len(h.values) == len(own))
    return any(all(same(a, trail.hand(p)) for a, p in zip(own, h.values, strict=True)) for h in givers)


def _was_right(trail: Trail, healing: Healing, later: Sequence[Healing]) -> bool:
    """Whether a step of a loop is right when it first runs, and wrong only after a later one went wrong."""
    _, _, path = next(iter(healing.values))
    first, *again = [record for record in trail.steps[healing.statement] if record.path == path]
    if not again or isinstance(trail.problem.program.statements[healing.statement].expression, ast.Name):
        return False  # to give a name is no step
    until = trail.position[again[0].place]
    between = [h.target.nodes[0] for h in later if h.order < until]
    return any(trail.is_made_of(made, node) for node in trail.meanings_of(first) for made in between)


def _cleared(trail: Trail, healing: Healing, others: Sequence[Healing]) -> bool:
    """Whether a later step wants the same derivative, and this one is another, right one when the later is mended."""
    wishes = [h.target for h in others if h.statement == healing.statement]
    promised = _fits_name(trail, healing.statement, healing.target.nodes[0])  # the whole derivative
    for other in others:
        if trail.repeats(healing.statement):
            return False
        later = other.order > healing.order and other.statement != healing.statement
        if later and not trail.goes_through(other.statement) and _same_wish(healing, other):
            values = trail.held_when(other.values)
            for records, target in trail.targets.all(healing.statement):
                wanted = any(telling_factor(target.values, wish.values) is not None for wish in wishes)
                if target.kind != "value" and not wanted and not (promised and target.kind == "use"):
                    now = [trail.view.own(values[r.place]) if r.place in values else None for r in records]
                    if telling_factor(now, target.values) in trail.conventions:
                        return True
    return False


def _follows(trail: Trail, healing: Healing, others: Sequence[Healing]) -> bool:
    """Whether a step is what it should be as soon as an earlier one is."""
    for other in others:
        if other.order < healing.order and other.statement != healing.statement and other.mended >= healing.mended:
            values = trail.held_when(other.values)
            own = trail.view.own  # in the user's precision
            if all(place in values and same(own(values[place]), own(true)) for place, true in healing.values.items()):
                return True
    return False


def _same_wish(a: Healing, b: Healing) -> bool:
    return telling_factor(list(a.values.values()), list(b.values.values())) is not None


def _turned_right(trail: Trail, statement: int) -> bool:
    """Whether a later step makes another right derivative of a statement's values."""
    own = {trail.nodes.get(r.place) for r in trail.steps[statement]} - {None}
    mine = set(trail.exact(statement))
    for other, records in trail.steps.items():
        if other == statement or trail.position[records[0].place] < trail.position[trail.steps[statement][0].place]:
            continue
        node = trail.nodes.get(records[0].place)
        if node is not None and not node.is_leaf and own & set(node.inputs) and set(trail.exact(other)) - mine:
            return True
    return False


def says_what_it_is(trail: Trail, statement: int) -> bool:
    """Whether a step is exactly the derivative that its name promises."""
    return any(_fits_name(trail, statement, node) for node in trail.exact(statement))


def _fits_name(trail: Trail, statement: int, node: Any) -> bool:
    """Whether a step is called after a value, as dz1 and z1_grad after z1."""
    names = [node] if isinstance(node, str) else trail.known_as.get(node, [])
    own = bare(trail.problem.program.statements[statement].names[0])
    return own in {re.sub(r".*\.|.*\[[\"']|[\[\"'\]]", "", name) for name in names}


def bare(name: str) -> str:
    """`z1` of `dz1`, `self.dz1`, `grad_z1`, `z1_grad`, `dL_dz1` and `grads["dz1"]`."""
    word = re.sub(r".*\.|.*\[[\"']|[\"'\]]", "", name)
    word = re.sub(r"^d_?(L|l|[lL]oss|J|E|C|[cC]ost|[eE]rr(?:or)?)_*d_?(?=\w)", "", word)
    return re.sub(r"^(d|D|g|grad|nabla|delta)_?(?=.)|_?(grad|gred|gradient)$", "", word)
