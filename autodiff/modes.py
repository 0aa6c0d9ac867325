"""Whether operations are recorded, watched, or recorded for other values: in this thread, or this async task, alone."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar, cast

from .errors import GradientError, TracedValueError
from .graph import Graph, Node

P = ParamSpec("P")
R = TypeVar("R")

# How many anomaly() are open, and how many no_grad(): in one number, so that the hot path asks once.
mode: ContextVar[int] = ContextVar("mode", default=0)
WATCHED, NO_GRAD = 1, 1 << 20


def paused() -> bool:
    """Whether a no_grad() is open in this thread or task."""
    return mode.get() >= NO_GRAD


def watching() -> bool:
    """Whether an anomaly() is open in this thread or task, and no no_grad()."""
    return 0 < mode.get() < NO_GRAD


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
        if _tracing.get():
            raise TracedValueError("no_grad() inside vmap would take values out of the program: use .detach()")
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


_tracing: ContextVar[int] = ContextVar("tracing", default=0)  # how many functions are being recorded for other values


@contextmanager
def traced() -> Generator[None]:
    """A context in which a program is recorded that will be computed again, for other values."""
    token = _tracing.set(_tracing.get() + 1)
    try:
        yield
    finally:
        _tracing.reset(token)


def tracing() -> bool:
    """Whether a function is being recorded for other values."""
    return _tracing.get() > 0


def may_leave(node: Node, action: str) -> None:
    """Raise where a value that stands for others would be taken out of the program that is being recorded."""
    if _tracing.get() and any(x.variable and x.variable.tracer and not x.variable.closed for x in Graph([node]).leaves):
        raise TracedValueError(f"{action} of a value that differs from call to call: inside vmap use np.where")


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
        if mode.get() % NO_GRAD:
            mode.set(mode.get() - WATCHED)
