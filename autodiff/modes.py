"""Whether operations are recorded, watched, or recorded for other values: in this thread, or this async task, alone."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar, cast

from .errors import GradientError, TracedValueError, user_line
from .graph import Graph, Node
from .sites import Site, site

P = ParamSpec("P")
R = TypeVar("R")

# Whether an anonymous() is open, how many anomaly() are, and no_grad(): in one number, so that the hot path asks once.
mode: ContextVar[int] = ContextVar("mode", default=0)
ANONYMOUS, WATCHED, NO_GRAD = 1, 2, 1 << 20


def paused() -> bool:
    """Whether a no_grad() is open in this thread or task."""
    return mode.get() >= NO_GRAD


def watching() -> bool:
    """Whether an anomaly() is open in this thread or task, and no no_grad()."""
    return ANONYMOUS < mode.get() < NO_GRAD


class no_grad:
    """A context, or a decorator, in which nothing is recorded: for updates and for evaluation.

    Holds for its thread and its async task alone.

    >>> import autodiff as ad
    >>> w = ad.Tensor([1.0])
    >>> with ad.no_grad():
    ...     w -= 0.25
    >>> w
    Tensor([0.75])
    """

    def __init__(self, function: None = None) -> None:
        if function is not None:
            raise TypeError("no_grad is called first: write `@no_grad()`, or `with no_grad():`")

    def __enter__(self) -> None:
        if tape := _tape.get():
            raise TracedValueError(
                f"no_grad() inside {tape.reader} would take values out of the program: use .detach()"
            )
        mode.set(mode.get() + NO_GRAD)

    def __exit__(self, *exception: object) -> None:
        if paused():  # a generator may be closed in another task than it was opened in
            mode.set(mode.get() - NO_GRAD)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        if inspect.isasyncgenfunction(function):
            raise GradientError(f"no_grad cannot decorate {function.__name__}: write `with no_grad():` inside it")
        if inspect.isgeneratorfunction(function):
            return cast(Callable[P, R], _steps_without_grad(function))
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def call_async(*arguments: P.args, **keywords: P.kwargs) -> Any:
                with no_grad():
                    return await function(*arguments, **keywords)

            return cast(Callable[P, R], call_async)

        @functools.wraps(function)
        def call(*arguments: P.args, **keywords: P.kwargs) -> R:
            with no_grad():
                return function(*arguments, **keywords)

        return call


def _steps_without_grad(function: Callable[P, Generator[Any, Any, Any]]) -> Callable[P, Generator[Any, Any, Any]]:
    """A generator whose body runs inside no_grad(), and whoever consumes it does not."""

    @functools.wraps(function)
    def steps(*arguments: P.args, **keywords: P.kwargs) -> Generator[Any, Any, Any]:
        generator = function(*arguments, **keywords)
        resume = functools.partial(generator.send, None)
        while True:
            try:
                with no_grad():
                    item = resume()
            except StopIteration as stop:
                return stop.value
            try:
                resume = functools.partial(generator.send, (yield item))
            except GeneratorExit:
                generator.close()
                raise
            except BaseException as error:  # thrown in by the consumer: the generator's to handle
                resume = functools.partial(generator.throw, error)

    return steps


@contextmanager
def resumed(paused_now: int = 0) -> Generator[None]:
    """A context in which recording goes on, whatever no_grad() is open outside."""
    token = mode.set(mode.get() % NO_GRAD + NO_GRAD * paused_now)
    try:
        yield
    finally:
        mode.reset(token)


class Tape:
    """What is known about a program that is being recorded for other values, by `vmap` or `compile`.

    `operands`: plain arrays that it took, each with its node. `cotangents`: nodes, each with the gradient that came to
    it. `gradients`: from which index on, up to which, nodes belong to gradients. `guards`: values that a rule of ours
    decided by, each with what it was.
    """

    def __init__(self, reader: str) -> None:
        self.reader = reader
        self.guarding: bool = reader == "compile"
        self.operands: list[tuple[Node, Any]] = []
        self.cotangents: list[tuple[Node, Any]] = []
        self.gradients: list[tuple[int, int]] = []
        self.guards: list[tuple[Node, Any]] = []

    def note(self, node: Node, gradient: Any) -> None:
        """Remember the gradient that came to a node."""
        self.cotangents.append((node, gradient))


_tape: ContextVar[Tape | None] = ContextVar("tape", default=None)


@contextmanager
def traced(reader: str = "vmap") -> Generator[Tape]:
    """A context in which a program is recorded that will be computed again, for other values."""
    tape = Tape(reader)
    token = _tape.set(tape)
    try:
        yield tape
    finally:
        _tape.reset(token)


def tracing() -> Tape | None:
    """The tape of a function that is being recorded for other values; None where none is."""
    return _tape.get()


def decided(node: Node, value: Any, action: str) -> Any:
    """A value that code decides by, which may do so: of a recorded program the rules alone, which `compile` guards."""
    tape = _tape.get()
    if tape and tape.guarding and sys._getframe(2).f_globals.get("__name__", "").startswith(_RULES):
        tape.guards.append((node, value))
    else:
        may_leave(node, action)
    return value


_RULES = f"{__name__.rpartition('.')[0]}.rules."


def varies(node: Node) -> bool:
    """Whether a value depends on one that stands for others."""
    return any(x.variable and x.variable.tracer and not x.variable.closed for x in Graph([node]).leaves)


def may_leave(node: Node, action: str) -> None:
    """Raise where a value that stands for others would be taken out of the program that is being recorded."""
    tape = _tape.get()
    if tape and varies(node):
        remedy = f"inside {tape.reader} use np.where, or .detach() for .numpy()"
        raise TracedValueError(f"{action} of a value that differs from call to call, at {user_line()}: {remedy}")


class anomaly:
    """A context that raises at the first operation whose value or gradient is not finite, and says where it stands.

    Values are looked at as they are computed; gradients in the backward pass of what was computed in the context.

    >>> import autodiff as ad
    >>> import numpy as np
    >>> x = ad.Tensor([1.0, 0.0], name="x")
    >>> with ad.anomaly(), np.errstate(divide="ignore"):
    ...     np.log(x)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    autodiff.errors.AnomalyError: log of x (2,) [0.0 ... 1.0]: 1 of 2 values not finite (-inf), at ...
    """

    def __enter__(self) -> None:
        mode.set(mode.get() + WATCHED)

    def __exit__(self, *exception: object) -> None:
        if mode.get() % NO_GRAD > ANONYMOUS:
            mode.set(mode.get() - WATCHED)


class anonymous:
    """A context in which values do not remember the user's line: for graphs that nobody will look at.

    Recording is a little faster; `draw` and `explain` show such values by formulas, not by the names of variables.

    >>> import autodiff as ad
    >>> w = ad.Tensor(3.0)
    >>> with ad.anonymous():
    ...     (w * w).backward()
    >>> w.grad
    array(6.)
    """

    __slots__ = ("_opened",)

    def __enter__(self) -> None:
        state = mode.get()
        self._opened = not state & ANONYMOUS
        if self._opened:
            mode.set(state + ANONYMOUS)

    def __exit__(self, *exception: object) -> None:
        if self._opened and mode.get() & ANONYMOUS:
            mode.set(mode.get() - ANONYMOUS)


def current_site() -> Site | None:
    """Where the user's code is, None inside anonymous()."""
    return None if mode.get() & ANONYMOUS else site()
