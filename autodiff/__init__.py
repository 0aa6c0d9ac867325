"""Reverse-mode automatic differentiation whose language is NumPy itself.

    import numpy as np
    import autodiff as ad

    W = ad.Tensor(np.random.randn(2, 4), name="W")
    loss = np.sum(np.tanh(X @ W) ** 2)
    loss.backward()
    W.grad

The map of the house, from the ground up (imports run downwards in this order):

    sites         where in the user's code a value was made
    bytecode      what the user's code does with it there
    symbols       how mathematics writes a name
    errors        the errors that a user can meet, each with its remedy
    structures    arrays in lists, tuples, dicts and dataclasses
    expressions   reading the texts of rows, and writing functions from them
    guards        what a user's own function is given, and gives back
    cotangents    what comes in to a rule where it is no plain array: masks, parts
    primitive     the table, and what the text of a row means
    rules/        the rows: elementwise, reduction, shape, indexing, product, linalg, fft, ...
    graph         nodes, leaves, and Graph: what lies behind a value
    derivative    pull: a gradient, back through a graph; un-broadcasting and dtype, once
    modes         no_grad, anomaly: what is recorded now, and how
    operands      what is taken in: copies that no later write can reach
    watch         what anomaly looks at
    record        from a row, the function that calls NumPy and remembers the call
    storage       values, views and writes, on arrays that are never written
    composition   calls of any form: functions that are differentiated as an equal expression is
    forward       push: tangents, forward through a graph
    batching      vmap
    checkpoint    checkpoint
    methods       the operators and methods of Tensor, from the table
    tensor        Tensor, constant, and NumPy's two protocols
    transforms    gradients, grad, value_and_grad, vjp, jvp, hvp, jacobian, hessian
    custom        primitive: a user's own differentiable function
    differences   derivatives from values alone, with an honest error
    products      products, taken apart
    moves         equal, simpler expressions of what only moves elements
    identities    equal, simpler expressions
    simplify      a few exact identities on a graph
    forms         how mathematics writes each operation
    naming        what the user calls the values of a graph
    notation      what a value is, and its derivative, as mathematics writes them
    readers/      what reads the table and graphs: coverage, draw, explain, compile, verify
    testing/      for tests: problems, a fixture that verifies, rules that are checked
    __main__      the command line

To understand the engine, read primitive, rules/elementwise and derivative.
"""

import importlib
from typing import TYPE_CHECKING, Any

from . import errors
from .batching import vmap
from .checkpoint import checkpoint
from .custom import primitive
from .modes import anomaly, anonymous, no_grad
from .rules.activation import log_softmax, logsumexp, relu, sigmoid, softmax, softplus
from .sites import __library__  # noqa: F401
from .tensor import Tensor, constant
from .transforms import grad, gradients, hessian, hvp, jacobian, jvp, value_and_grad, vjp

if TYPE_CHECKING:
    from .readers.compiling import compile
    from .readers.config import show_config
    from .readers.coverage import coverage
    from .readers.draw import Drawing, draw
    from .readers.explain import explain
    from .readers.verifying.notebook import load_ipython_extension as load_ipython_extension
    from .readers.verifying.report import Report
    from .readers.verifying.verify import verify

__version__ = "0.1.0"

__all__ = [
    "Drawing", "Report", "Tensor", "anomaly", "anonymous", "checkpoint", "compile", "constant", "coverage", "draw",
    "errors", "explain", "grad", "gradients", "hessian", "hvp", "jacobian", "jvp", "log_softmax", "logsumexp",
    "no_grad", "primitive", "relu", "show_config", "sigmoid", "softmax", "softplus", "value_and_grad", "verify", "vjp",
    "vmap",
]  # fmt: skip

_READERS = {
    "compile":                "compiling",
    "show_config":            "config",
    "coverage":               "coverage",
    "Drawing":                "draw",
    "draw":                   "draw",
    "explain":                "explain",
    "load_ipython_extension": "verifying.notebook",
    "Report":                 "verifying.report",
    "verify":                 "verifying.verify",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """A reader, imported when it is first asked for: most programs need none."""
    if name not in _READERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f".readers.{_READERS[name]}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
