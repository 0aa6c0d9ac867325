# ruff: noqa: E501
"""The activations that derivations are known to use, and their derivatives, in both forms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Activation:
    """A function that is applied entry by entry, its derivative from the argument z, and from the result a.

    One that is not in the table but was found in a graph has no texts.
    """

    name: str
    value: Callable[[Any], Any]
    slope: Callable[[Any], Any]
    from_z: str = ""
    from_a: str = ""

    def of_output(self, a: Any) -> Any:
        """Its derivative as a formula in the result, `a * (1 - a)`, of any value; nan where none is known."""
        if not self.from_a:
            return np.full(np.shape(a), np.nan)
        return eval(self.from_a.format(a="a"), {"np": np}, {"a": a}) * 1.0


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
    Activation("arctan",   np.arctan,                           lambda z: 1 / (1 + z**2),                        "1 / (1 + {z}**2)",                      "np.cos({a})**2"),
    Activation("exp",      np.exp,                              np.exp,                                          "np.exp({z})",                           "{a}"),
    Activation("square",   lambda z: z**2,                      lambda z: 2 * z,                                 "2 * {z}",                               "2 * np.sqrt({a})"),
    Activation("sin",      np.sin,                              np.cos,                                          "np.cos({z})",                           "np.sqrt(1 - {a}**2)"),
)
# fmt: on

PARTS = ("exp", "square", "sin")  # what other activations, and losses, are made of
SMOOTH = tuple(a for a in ACTIVATIONS if a.name in ("sigmoid", "tanh", "softplus"))  # one number tells them
