"""Each time that a line runs and is wrong, at the points at which that can be compared."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ....graph import Node
from ....rules.shape import identity
from ..compare import same
from ..locate import Trail
from ..targets import Healing
from ..truth import Look
from ..view import View
from .pair import Pair


def pairs(trail: Trail, healing: Healing, look: Look) -> Iterator[Pair]:
    """Each time that the line runs and is wrong, at a point; none where the point cannot be compared."""
    view = trail.view_of(look)
    found: list[tuple[Any, Any, Node | None, Any]] = []
    for (place, true), node in zip(healing.values.items(), _spread(healing), strict=True):
        there, true = (node, true) if look is trail.look else _elsewhere(trail, healing, node, true, look)
        if true is None:
            return
        found.append((place, np.asarray(true), there, node))
    heal = {**(trail.healed if look is trail.look else {}), **{place: true for place, true, _, _ in found}}
    run = trail.problem.run(look.point, heal=heal, record=False).run
    earlier = _overwritten_values(trail, healing, look)
    for place, true, node, _ in found:
        hand = run.computed.get(place)
        if hand is None or (same(hand, true) and np.shape(hand) == true.shape):
            continue
        own = view.own(np.asarray(hand) * 1.0)
        pair = Pair(own, view.own(true), _resolved(view, node, look), view, hand, earlier, healing.factor)
        if healing.target.kind == "slope":
            pair.applied = [replace(x, arriving=np.ones_like(x.slope)) for x in view.every if x.node is node]
        if healing.target.kind == "local":
            ends = {end for end, start in zip(healing.target.ends, healing.target.nodes, strict=True) if start is node}
            pair.applied = [replace(x, arriving=true / x.slope) for x in view.every if x.node in ends]
        yield pair


def _overwritten_values(trail: Trail, healing: Healing, look: Look) -> Any:
    """The values that other lines of the same call gave the name before; ... for a line that runs again and again."""
    own = trail.problem.program.statements[healing.statement]
    if own.kind != "=":
        return None
    if any(isinstance(node, ast.Name) and node.id == own.name for node in ast.walk(own.expression)):
        return None  # it goes on with what was there
    records = look.plain.run.records
    mine = [record for record in records if record.statement == own.number]
    root = own.names[0].split("[")[0]
    others = [
        record
        for record in records[: records.index(mine[0])]
        if record.name.split("[")[0] == root and record.stack == mine[0].stack and record.statement != own.number
    ]
    if not others:
        return None
    again = sum(record.stack == mine[0].stack for record in mine) > 1
    if again and len(healing.values) > 1:
        return None  # a value in each run, of which none is a total
    return ... if again else [record.value for record in others]


def _spread(healing: Healing) -> list[Any]:
    """The value of the forward pass for each place."""
    nodes = list(healing.target.nodes)
    return nodes if len(nodes) == len(healing.values) else nodes[:1] * len(healing.values)


def _elsewhere(trail: Trail, healing: Healing, node: Any, true: Any, look: Look) -> tuple[Any, Any]:
    """The same value of the forward pass at another point, and the derivative there."""
    if isinstance(node, str):
        return node, look.true[node].reshape(np.shape(true))
    here, there = trail.look.forward, look.forward
    if healing.target.kind != "adjoint" or len(here) != len(there) or trail.healed:
        return None, None
    position = trail.index.get(node)
    other = there[position] if position is not None else None
    if other is None or other.shape != node.shape or other not in look.adjoints:
        return None, None
    value = healing.factor * look.adjoints[other]
    return other, value.T if value.shape != np.shape(true) else value


def _resolved(view: View, node: Any, look: Look) -> Node | None:
    """The node that the forward pass uses: a parameter's is the copy of it that the program works on."""
    if isinstance(node, str):
        node = next((n for n in look.forward if n.is_leaf and n.variable and n.variable.name == node), None)
    if isinstance(node, Node) and node.is_leaf:
        users = view.users[node]
        if len(users) == 1 and users[0].primitive.function is identity:
            return users[0]
    return node
