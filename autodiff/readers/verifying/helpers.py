"""The user's own functions that a statement calls: another line in one of them, and what the statement is then."""

from __future__ import annotations

import ast
import copy
import functools
import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping
from types import FrameType, FunctionType, MethodType
from typing import Any

import numpy as np

from .compare import same
from .edits import Candidate, Edit, candidates, instead, of_expression, written
from .instrument import FILENAME, Source, Statement, code_of, evaluated
from .locate import Trail
from .moments import Bench, Others
from .problem import Problem
from .scope import Scope
from .targets import Healing

MOST = 4  # lines of a function that are tried


def in_helpers(
    problem: Problem, trail: Trail, healing: Healing, bench: Bench
) -> Iterator[tuple[Edit, Callable[[], bool]]]:
    """The edits of functions that a statement calls, and whether it has the right values with them."""
    as_it_is = of_expression(bench.statement, bench.statement.text, None)
    for text, function in _called(bench):
        users: Any = inspect.unwrap(function.__func__ if isinstance(function, MethodType) else function)
        lines = [s for s in problem.program.statements if s.kind in ("=", "return") and s.origin.code is users.__code__]
        lines = [s for s in lines if s.function == users.__name__][-MOST:]
        for statement, scope in _scopes(problem, trail, healing, lines):
            found = itertools.chain(candidates(statement.text, scope, False), _slopes(trail, healing, statement, scope))
            expressions = (of_expression(statement, *candidate) for candidate in found)
            possible = _possible(statement, scope)
            for edit in itertools.chain(instead(statement, scope), filter(possible, expressions)):
                if others := _with(edit, text, users):
                    yield edit, functools.partial(bench.fits, as_it_is, others)


def _possible(statement: Statement, scope: Scope) -> Callable[[Edit], bool]:
    """Whether an edited line has a value of the shape that it has had."""

    def shape(expression: str | None) -> Any:
        with np.errstate(all="ignore"):
            value = evaluated(expression or "", scope.variables)
        return np.shape(value) if isinstance(value, (np.ndarray, np.generic, float, int)) else None

    own = shape(statement.text)
    return lambda edit: own in (None, shape(edit.expression))


def _slopes(trail: Trail, healing: Healing, statement: Statement, scope: Scope) -> Iterator[Candidate]:
    """The derivatives of the activations there, of what the function is given."""
    for applied in trail.activated(healing, next(iter(healing.values))[1:]):
        names = [name for name, value in scope.floats.items() if same(value, applied.z)]
        for name in names[:1] if applied.activation.from_z else ():
            yield Candidate(applied.activation.from_z.format(z=name), "wrong-local-derivative")
        node = trail.view.derivation(applied) if names else None
        if node is not None and (text := written(node, statement.text, scope)):
            yield Candidate(text, "wrong-local-derivative")


def _called(bench: Bench) -> Iterator[tuple[str, Any]]:
    """The user's functions in a statement, as it writes them."""
    seen: set[str] = set()
    for node in ast.walk(bench.statement.expression):
        text = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
        if text and text not in seen:
            seen.add(text)
            function = _value(text, bench.space)
            inner = function.__func__ if isinstance(function, MethodType) else function
            if isinstance(inner, FunctionType) and inner.__code__.co_filename == FILENAME:
                yield text, function


def _value(text: str, space: Mapping[str, Any]) -> Any:
    root, *names = text.split(".")
    return functools.reduce(lambda owner, name: getattr(owner, name, None), names, space.get(root))


def _scopes(
    problem: Problem, trail: Trail, healing: Healing, lines: list[Statement]
) -> Iterator[tuple[Statement, Scope]]:
    """The variables in each line of a function, where it first runs."""
    first: dict[int, dict[str, Any]] = {}
    numbers = {statement.number for statement in lines}

    def watch(number: int, frame: FrameType) -> None:
        if number in numbers and number not in first:
            first[number] = {**frame.f_globals, **frame.f_locals}

    run = problem.run(trail.look.point, heal={**trail.healed, **healing.values}, watch=watch).run
    run.rest()
    for statement in lines:
        if statement.number in first:
            run.lend(first[statement.number])
            yield statement, Scope(first[statement.number], (), trail.look.point)


def _with(edit: Edit, text: str, users: FunctionType) -> Others | None:
    """The variables with which a statement calls the edited function, wherever it called the user's."""
    try:
        source, functions = edit.statement.origin.patched([edit.patch]), dict[int, FunctionType]()
    except SyntaxError:
        return None

    def others(space: Mapping[str, Any]) -> Mapping[str, Any]:
        function = _value(text, space)
        inner: Any = function.__func__ if isinstance(function, MethodType) else function
        if inspect.unwrap(inner) is not users:
            return {}
        if id(inner) not in functions:
            functions[id(inner)] = _made(source, inner)
        return _placed(functions[id(inner)], text, function, space)

    return others


def _placed(made: FunctionType, text: str, function: Any, space: Mapping[str, Any]) -> dict[str, Any]:
    """A function in the place of another: with copies of the objects that have it."""
    new: Any = made
    while "." in text:
        text, _, name = text.rpartition(".")
        owner = copy.copy(_value(text, space))
        bound = new is made and isinstance(function, MethodType)
        object.__setattr__(owner, name, MethodType(made, owner) if bound else new)
        new = owner
    return {text: new}


def _made(source: Source, function: FunctionType) -> FunctionType:
    """A function of another source, in the same world."""
    tree = copy.copy(source.tree)
    tree.decorator_list = []
    code = code_of(source.function, tree)
    assert code is not None
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    closure = tuple(cells[name] for name in code.co_freevars)
    made = FunctionType(code, function.__globals__, None, function.__defaults__, closure)
    made.__kwdefaults__ = function.__kwdefaults__
    return made
