"""The steps of a derivation, one by one: which derivative each is, which are wrong, and what follows from those."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np

from ...graph import Node
from .compare import ratio, same
from .findings import Step
from .locate import Trail
from .program import Record
from .truth import largest

MANY = 60  # times that a step runs: no more are compared one by one
UNITS = {1.0: "", -1.0: "-"}


def steps(trail: Trail, wrong: Collection[int] = ()) -> tuple[Step, ...]:
    """The steps in the order in which they ran; `wrong` are the statements to blame, which `trail` has healed."""
    statements = trail.problem.program.statements
    follows = _following(trail) if wrong else set[int]()
    found: list[Step] = []
    for number, records in sorted(trail.steps.items(), key=lambda item: trail.position[item[1][0].place]):
        statement, name = statements[number], records[0].name
        if number in wrong:
            first = next((record for record in records if record.place in trail.healed), records[0])
            found.append(Step(trail.called(first), statement.line, "", "wrong"))
            continue
        meaning, digits = _meaning(trail, records)
        if statement.kind == "return":
            continue  # it has its name where it is called
        state = "right" if digits is not None else "follows" if number in follows else "unknown"
        found.append(Step(name, statement.line, meaning, state, digits))
    return tuple(found)


def deltas(trail: Trail) -> tuple[Step, ...]:
    """The right steps on the way to the gradients, and which derivatives they are."""
    finals = {f"∂L/∂{name}" for name in trail.look.true}
    return tuple(step for step in steps(trail) if step.meaning and step.meaning not in finals)


def _following(trail: Trail) -> set[int]:
    """The statements whose values are others when the wrong steps are healed."""
    healed = trail.held_when({})
    return {
        number
        for number, records in trail.steps.items()
        for record in records
        if record.place not in trail.healed
        and (record.place not in healed or not same(record.value, healed[record.place]))
    }


def _meaning(trail: Trail, records: Sequence[Record]) -> tuple[str, float | None]:
    """Of the values of a step: which derivative they are, and to how many digits; "" and None where none is found."""
    if len(records) > MANY:
        return "", None
    found: list[dict[str, float]] = []
    for record in records:
        found.append(dict(_matches(trail, record)))
        if not found[-1]:
            return "", None
    common = [text for text in found[0] if all(text in one for one in found)]
    digits = min(max(one.values()) for one in found) if not common else min(one[common[0]] for one in found)
    return (common[0] if common else ""), digits


def _matches(trail: Trail, record: Record) -> Iterator[tuple[str, float]]:
    """The derivatives that a value is, but for a convention's factor, and the digits to which it is that."""
    value, wrong = np.asarray(record.value), set(trail.look.wrong)
    for turned in (lambda a: a, lambda a: a.T):  # columns for rows
        for node, name in _candidates(trail, record.name):
            true = turned(trail.look.adjoints[node])
            factor = ratio(value, true) if true.shape == value.shape else None
            if factor is None or (factor != 1 and name in wrong):
                continue
            if _is_conventional(factor, value.size):
                yield _written(factor, name), _digits(value, factor * true)
        if value.ndim != 2 or value.shape[0] == value.shape[1]:
            break


def _is_conventional(factor: float, size: int) -> bool:
    """Whether it is a minus, an N or 1/N that is made up for later; of one number everything is a multiple."""
    whole = max(abs(factor), 1 / abs(factor))
    return factor in UNITS or (size > 1 and whole < 1e4 and math.isclose(whole, round(whole), rel_tol=1e-9))


def _candidates(trail: Trail, name: str) -> list[tuple[Node, str]]:
    """The values of the forward pass that have a name: first that after which a step is called, then the latest."""
    named = [(node, label) for node, label in trail.named.items() if node in trail.look.adjoints]
    return sorted(named, key=lambda item: (item[1] not in name, -item[0].index))


def _written(factor: float, name: str) -> str:
    """`∂L/∂z`, `-∂L/∂z`, `3 ∂L/∂z`, `∂L/∂z / 3`"""
    derivative = f"∂L/∂{name}"
    if factor in UNITS:
        return UNITS[factor] + derivative
    size = abs(factor)
    sign = "-" if factor < 0 else ""
    if size < 1 and math.isclose(1 / size, round(1 / size)):
        return f"{sign}{derivative} / {round(1 / size)}"
    return f"{factor:.4g} {derivative}"


def _digits(value: Any, true: Any) -> float:
    size, error = largest(true), largest(value - true)
    return 16.0 if not error or not size else -math.log10(error / size)
