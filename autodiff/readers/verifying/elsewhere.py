"""Other statements that may be to blame for a wrong value: those that it was made by before it got there."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from .compare import ratio, same
from .edits.line import parsed
from .instrument import Statement
from .locate import Trail
from .moments import Bench
from .problem import Problem
from .program import Record
from .targets import Healing

MOST = 4  # other statements that are looked at


def elsewhere(problem: Problem, trail: Trail, healing: Healing, bench: Bench) -> Iterator[Healing]:
    """Healings of other statements that come to the same."""
    yield from _returned(problem, trail, healing)
    yield from _passed_on(problem, trail, healing)
    yield from _collected(problem, trail, healing)
    yield from _used(problem, trail, healing, bench)


def _returned(problem: Problem, trail: Trail, healing: Healing) -> Iterator[Healing]:
    """The `return` of a function, or the line above it, that a value came from."""
    places: dict[int, dict[Any, Any]] = {}
    for place, value in healing.values.items():
        if place[1] < 0:
            return
        found = _origin(problem, trail, place)
        if found is None:
            return
        places.setdefault(found.statement, {})[found.place] = value
    if len(places) == 1:
        statement, values = next(iter(places.items()))
        yield replace(healing, statement=statement, values=values)


def _passed_on(problem: Problem, trail: Trail, healing: Healing) -> Iterator[Healing]:
    """The later statement that gives a value its last name, where it may write over what was there."""
    records, statements = trail.look.plain.run.records, problem.program.statements
    (place, value), *more = healing.values.items()
    if more:
        return
    own = records[trail.position[place]]
    for record in records[trail.position[place] + 1 :][::-1]:
        statement = statements[record.statement]
        given = statement.kind == "=" and base_of(statement) is not None and not record.path
        if given and record.statement != own.statement and same(record.value, own.value):
            yield replace(healing, statement=record.statement, values={record.place: value})
            return


def _origin(problem: Problem, trail: Trail, place: Any) -> Record | None:
    """Where a value was made that a statement was given by a function."""
    records, statements = trail.look.plain.run.records, problem.program.statements
    position = trail.position[place]
    own = records[position]
    if not any(isinstance(node, ast.Call) for node in ast.walk(statements[own.statement].expression)):
        return None
    for record in records[max(0, position - 30) : position][::-1]:
        inside = statements[record.statement].function != statements[own.statement].function
        if inside and same(record.value, own.value):
            return record
    return None


def _collected(problem: Problem, trail: Trail, healing: Healing) -> Iterator[Healing]:
    """Statements that wrote to the same array before: what they left in the end, changed by what is missing."""
    own = problem.program.statements[healing.statement]
    place = max(healing.values, key=lambda place: trail.position[place])
    records = trail.look.plain.run.records
    if base_of(own) is None or not (place[1] < 0 or own.kind == "="):
        return
    total, wanted = records[trail.position[place]].value, healing.values[place]
    last: dict[int, Record] = {}
    for record in records[: trail.position[place]]:
        other = problem.program.statements[record.statement]
        beside = other.number != own.number and other.origin is own.origin and base_of(other) == base_of(own)
        whole = np.shape(record.value) == np.shape(total) and (record.occurrence < 0 or other.kind == "=")
        if beside and whole:
            last[record.statement] = record
    shift = np.random.default_rng(0).standard_normal(np.shape(total)) * (np.max(np.abs(wanted)) or 1.0)
    for record in sorted(last.values(), key=lambda record: -trail.position[record.place])[:MOST]:
        heal = {**trail.healed, record.place: record.value + shift}
        moved = [r for r in problem.run(trail.look.point, heal=heal).run.records if r.place == place]
        factor = ratio(moved[0].value - total, shift) if moved else None
        if factor is not None:
            values = {record.place: record.value + (wanted - total) / factor}
            yield replace(healing, statement=record.statement, values=values, order=trail.position[record.place])


def _used(problem: Problem, trail: Trail, healing: Healing, bench: Bench, depth: int = 2) -> Iterator[Healing]:
    """What the statement computes with: a factor of it that has to be another, or what that is made of."""
    statement, records = bench.statement, trail.look.plain.run.records
    if any(place[1] < 0 for place in healing.values):
        return
    names = {node.id for node in ast.walk(statement.expression) if isinstance(node, ast.Name)}
    found: list[Healing] = []
    for name in names:
        places: dict[int, dict[Any, Any]] = {}
        for moment in bench.looked_at:
            position = next(trail.position[p] for p in healing.values if p[1] == moment.occurrence)
            record = _last(problem, records, name, position)
            wanted = bench.needed(name, moment) if record is not None else None
            if record is None or wanted is None:
                break
            places.setdefault(record.statement, {})[record.place] = wanted
        else:
            if len(places) == 1:
                ((number, values),) = places.items()
                order = max(trail.position[place] for place in values)
                found.append(replace(healing, statement=number, values=values, order=order))
    for other in sorted(found, key=lambda other: -other.order)[:MOST]:
        yield other
        yield from _collected(problem, trail, other)
        if depth > 1:
            yield from _used(problem, trail, other, Bench(problem, trail, other), depth - 1)


def _last(problem: Problem, records: list[Record], name: str, position: int) -> Record | None:
    """The last value of a name, as a whole, before a place in the same function."""
    stack, statements = records[position].stack, problem.program.statements
    for record in records[:position][::-1]:
        statement = statements[record.statement]
        whole = record.path == ("base",) or (not record.path and statement.names == (name,))
        made = whole and (record.occurrence < 0 or statement.kind == "=")
        if made and record.stack == stack and base_of(statement) == name:
            return record
    return None


def base_of(statement: Statement) -> str | None:
    """What a statement writes to, wholly or in part."""
    target = parsed(statement.names[0]) if len(statement.names) == 1 and statement.kind[-1] == "=" else None
    while isinstance(target, ast.Subscript) and not isinstance(target.slice, ast.Constant):
        target = target.value
    return ast.unparse(target) if target is not None else None
