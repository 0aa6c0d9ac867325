"""Calls of each function of the table, drawn by hypothesis.

There is a module for each file of rules, with `ARGUMENTS`: for each function what makes the strategy of its calls, and
`COMPLEX`: functions whose arrays may as well be complex, where the strategy does not say it.
Elementwise rows need nothing. Any other row without an entry fails the tests.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from autodiff.primitive import TABLE

from ..gradcheck import Call
from . import (
    activation,
    creation,
    elementwise,
    engine,
    fft,
    indexing,
    inspection,
    linalg,
    polynomial,
    product,
    reduction,
    selection,
    shape,
    statistics,
    ufunc,
    writing,
)
from .common import Factory, Strategy, made_complex
from .common import elementwise as each_element

TOPICS = (
    activation, creation, elementwise, engine, fft, indexing, inspection, linalg, polynomial, product, reduction,
    selection, shape, statistics, ufunc, writing,
)  # fmt: skip

ARGUMENTS: dict[Callable[..., Any], Factory] = {}
COMPLEX: set[Callable[..., Any]] = set().union(*(getattr(topic, "COMPLEX", ()) for topic in TOPICS))
for topic in TOPICS:
    twice = ARGUMENTS.keys() & topic.ARGUMENTS.keys()
    assert not twice, f"{topic.__name__}: others have arguments of {twice}, too"
    ARGUMENTS |= topic.ARGUMENTS


def calls(function: Callable[..., Any]) -> Strategy:
    """Calls of the function of a row, which NumPy accepts."""
    return every_call(function).filter(lambda call: call.accepted)


def every_call(function: Callable[..., Any]) -> Strategy:
    row = TABLE.get(function)
    if function in ARGUMENTS:
        strategy = ARGUMENTS[function](function)
    elif row and (row.kind == "elementwise" or (isinstance(function, np.ufunc) and function.signature is None)):
        strategy = each_element(function)
    else:
        raise NotImplementedError(f"tests/rules/arguments has no arguments for {function}: add an entry to ARGUMENTS")
    return strategy | strategy | strategy.flatmap(made_complex) if function in COMPLEX else strategy


COUNT = 400 if settings().max_examples > 1000 else 48  # calls of each function, of these
BATCH = 16  # in one test case: hypothesis varies calls more within a case than between cases


@cache
def examples(function: Callable[..., Any], count: int = COUNT) -> list[Call]:
    """Calls, the same at each time, the smallest first."""
    found: list[Call] = []
    for number in range(count):
        found += [call for call in batch(function, number) if call.accepted]
        if len(found) >= count:
            break
    assert found, f"NumPy accepts none of the arguments of {function}"
    return sorted(found, key=lambda call: sum(x.size for x in call.arrays))


@cache
def batch(function: Callable[..., Any], number: int) -> tuple[Call, ...]:
    """Some calls, drawn independently of each other and of other batches."""
    drawn: list[tuple[Call, ...]] = []
    several = st.tuples(*[every_call(function)] * BATCH)
    nothing_first = st.integers(0, 999).flatmap(lambda n: several if n else st.just(()))  # the simplest is tried first

    @seed(number)
    @settings(max_examples=2, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(nothing_first)
    def collect(calls: tuple[Call, ...]) -> None:
        drawn.append(calls)

    collect()
    return drawn[-1]
