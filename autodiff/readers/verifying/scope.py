# ruff: noqa: E501
"""What a line of a derivation can speak of: the values in reach of it, and what they are."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import numpy as np

from .locate import same


@dataclass(frozen=True)
class Activation:
    """A function that is applied entry by entry, its derivative from the argument z, and from the result a."""

    name: str
    value: Callable[[Any], Any]
    slope: Callable[[Any], Any]
    from_z: str
    from_a: str


def _sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


# fmt: off
ACTIVATIONS = (
    Activation("sigmoid",  _sigmoid,                            lambda z: _sigmoid(z) * (1 - _sigmoid(z)),       "np.exp(-{z}) / (1 + np.exp(-{z}))**2",  "{a} * (1 - {a})"),
    Activation("tanh",     np.tanh,                             lambda z: 1 - np.tanh(z)**2,                     "(1 - np.tanh({z})**2)",                 "(1 - {a}**2)"),
    Activation("relu",     lambda z: np.maximum(z, 0),          lambda z: (z > 0) * 1.0,                         "({z} > 0)",                             "({a} > 0)"),
    Activation("leaky",    lambda z: np.where(z > 0, z, .01*z), lambda z: np.where(z > 0, 1.0, .01),             "np.where({z} > 0, 1, 0.01)",            "np.where({a} > 0, 1, 0.01)"),
    Activation("leaky",    lambda z: np.where(z > 0, z, .1*z),  lambda z: np.where(z > 0, 1.0, .1),              "np.where({z} > 0, 1, 0.1)",             "np.where({a} > 0, 1, 0.1)"),
    Activation("leaky",    lambda z: np.where(z > 0, z, .2*z),  lambda z: np.where(z > 0, 1.0, .2),              "np.where({z} > 0, 1, 0.2)",             "np.where({a} > 0, 1, 0.2)"),
    Activation("softplus", lambda z: np.log1p(np.exp(z)),       _sigmoid,                                        "1 / (1 + np.exp(-{z}))",                "(1 - np.exp(-{a}))"),
    Activation("elu",      lambda z: np.where(z > 0, z, np.exp(z) - 1), lambda z: np.where(z > 0, 1, np.exp(z)), "np.where({z} > 0, 1, np.exp({z}))",     "np.where({a} > 0, 1, {a} + 1)"),
    Activation("silu",     lambda z: z * _sigmoid(z),           lambda z: _sigmoid(z) * (1 + z * (1 - _sigmoid(z))), "(1 + {z} * (1 - 1 / (1 + np.exp(-{z})))) / (1 + np.exp(-{z}))", "{a}"),
    Activation("exp",      np.exp,                              np.exp,                                          "np.exp({z})",                           "{a}"),
    Activation("square",   lambda z: z**2,                      lambda z: 2 * z,                                 "2 * {z}",                               "2 * np.sqrt({a})"),
    Activation("sin",      np.sin,                              np.cos,                                          "np.cos({z})",                           "np.sqrt(1 - {a}**2)"),
)
# fmt: on


@dataclass(frozen=True)
class Applied:
    """An activation that the program applies: to which value, with which result, both as the line can write them."""

    activation: Activation
    z: str | None
    a: str | None
    z_value: Any
    slope: Any  # its derivative, entry by entry
    texts: tuple[str, ...]  # ways to write that derivative, the user's own function first

    @property
    def ways(self) -> tuple[str, ...]:
        """How the user would write it: with functions of his own, if there are some."""
        return self.texts[:-2] or self.texts


class Scope:
    """The variables in reach of a statement, with the values that they had before it ran."""

    def __init__(
        self, variables: Mapping[str, Any], texts: Iterable[str] = (), parameters: Mapping[str, Any] | None = None
    ) -> None:
        self.variables = variables
        self.texts = texts  # items that the function itself speaks of: `hs[t - 1]`
        self.parameters = parameters or {}

    def evaluated(self, text: str) -> Any:
        """The value of an expression here."""
        return eval(f"({text}\n)", dict(self.variables))

    def is_parameter(self, value: Any) -> bool:
        """Whether it is the value of a parameter."""
        return any(same(value, parameter) for parameter in self.parameters.values())

    @functools.cached_property
    def values(self) -> dict[str, Any]:
        """Everything numeric, by the text that reaches it: names, attributes, items of dicts and lists."""
        found: dict[str, Any] = {}
        for name, value in self.variables.items():
            if not name.startswith("__"):
                found.update(_reached(name, value))
        for text in self.texts:
            with contextlib.suppress(Exception):
                value = self.evaluated(text)
                if isinstance(value, (np.ndarray, np.generic)):
                    found[text] = value
        return found

    @functools.cached_property
    def arrays(self) -> dict[str, Any]:
        """Those that are arrays of floats."""
        return {n: v for n, v in self.values.items() if np.ndim(v) and np.asarray(v).dtype.kind in "fiub"}

    @functools.cached_property
    def functions(self) -> dict[str, Any]:
        """The user's functions of one argument, by name."""
        found: dict[str, Any] = {}
        for name, value in self.variables.items():
            if isinstance(value, FunctionType) and _takes_one(value):
                found[name] = value
            elif hasattr(value, "__dict__") and not isinstance(value, type) and name == "self":
                methods = inspect.getmembers(type(value), inspect.isfunction)
                bound = {
                    f"self.{n}": getattr(value, n) for n, m in methods if not n.startswith("__") and _takes_one(m, 2)
                }
                found |= bound
        return found

    @functools.cached_property
    def applied(self) -> list[Applied]:
        """The activations of the program: pairs of values in reach, one a known function of the other."""
        found: list[Applied] = []
        for z, z_value in self.arrays.items():
            if z_value.dtype.kind != "f":
                continue
            with np.errstate(all="ignore"):
                for activation in ACTIVATIONS:
                    expected = activation.value(z_value)
                    for a, a_value in self.arrays.items():
                        if (
                            a != z
                            and a_value.shape == z_value.shape
                            and same(a_value, expected)
                            and not same(a_value, z_value)
                        ):
                            slope = activation.slope(z_value)
                            texts = (
                                *self._own(z, a, slope),
                                activation.from_a.format(a=a),
                                activation.from_z.format(z=z),
                            )
                            found.append(Applied(activation, z, a, z_value, slope, texts))
        return found

    def _own(self, z: str, a: str, slope: Any) -> Iterator[str]:
        """The user's functions that give a derivative."""
        for name, f in self.functions.items():
            for argument in (z, a):
                if (value := self.applied_to(f, argument)) is not None and same(value, slope * 1.0):
                    yield f"{name}({argument})"

    def applied_to(self, f: Callable[[Any], Any], argument: str) -> Any:
        """The value of one of the user's functions at a value in reach; None where it does not take it."""
        try:
            value = np.asarray(f(np.array(self.arrays[argument])))
        except Exception:
            return None
        return value.astype(float) if value.dtype.kind in "fiub" else None

    @functools.cached_property
    def sizes(self) -> dict[int, str]:
        """How to write a size: a name that has it as its value, or the shape of an array."""
        found: dict[int, str] = {}
        for name, value in self.values.items():
            if isinstance(value, (int, np.integer)) and not isinstance(value, bool) and value > 1:
                found.setdefault(int(value), name)
        for name, value in self.arrays.items():
            if name.isidentifier():
                for axis, size in enumerate(value.shape):
                    if size > 1:
                        found.setdefault(size, f"{name}.shape[{axis}]")
        return found

    @functools.cached_property
    def numbers(self) -> dict[str, float]:
        """Constants with a name that are no sizes: rates, strengths."""
        return {n: float(v) for n, v in self.values.items() if isinstance(v, (float, np.floating)) and v not in (0, 1)}


def _reached(name: str, value: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
    if isinstance(value, (np.ndarray, np.generic, int, float)) and not isinstance(value, bool):
        yield name, value
    elif depth < 2 and isinstance(value, dict) and len(value) < 100:
        for key, item in value.items():
            if isinstance(key, str):
                yield from _reached(f'{name}["{key}"]', item, depth + 1)
    elif depth < 2 and isinstance(value, tuple) and len(value) < 30:
        for i, item in enumerate(value):
            yield from _reached(f"{name}[{i}]", item, depth + 1)
    elif name == "self" and hasattr(value, "__dict__"):
        for key, item in vars(value).items():
            yield from _reached(f"{name}.{key}", item, depth + 1)


def _takes_one(function: Any, count: int = 1) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    needed = [p for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return len(needed) == count
