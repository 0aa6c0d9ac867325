"""Reverse-mode automatic differentiation whose language is NumPy itself.

    import numpy as np
    import autodiff as ad

    W = ad.Tensor(np.random.randn(2, 4), name="W")
    loss = np.sum(np.tanh(X @ W) ** 2)
    loss.backward()
    W.grad

The map of the house, from the ground up (imports run downwards in this order):

    errors        the errors that a user can meet, each with its remedy
    expressions   reading the texts of rows, and writing functions from them
    guards        what a user's own function is given, and gives back
    primitive     the table, and what the text of a row means
    rules/        the rows: elementwise, reduction, shape, indexing, product, activation
    graph         nodes, leaves, and Graph: what lies behind a value
    derivative    pull: a gradient, back through a graph; un-broadcasting and dtype, once
    operands      what is taken in: copies that no later write can reach
    record        from a row, the function that calls NumPy and remembers the call; no_grad
    storage       values, views and writes, on arrays that are never written
    methods       the operators and methods of Tensor, from the table
    tensor        Tensor, constant, and NumPy's two protocols
    transforms    gradients, grad, value_and_grad, vjp, primitive

To understand the engine, read primitive, rules/elementwise and derivative.
"""

from . import errors
from .batching import vmap
from .checkpoint import checkpoint
from .custom import primitive
from .modes import anomaly, no_grad
from .readers.coverage import coverage
from .rules.activation import log_softmax, logsumexp, relu, sigmoid, softmax, softplus
from .tensor import Tensor, constant
from .transforms import grad, gradients, hessian, hvp, jacobian, jvp, value_and_grad, vjp

__version__ = "0.1.0"

__all__ = [
    "Tensor", "anomaly", "checkpoint", "constant", "coverage", "errors", "grad", "gradients", "hessian", "hvp", "jacobian", "jvp", "log_softmax",
    "logsumexp", "no_grad", "primitive", "relu", "sigmoid", "softmax", "softplus", "value_and_grad", "vjp",
    "vmap",
]  # fmt: skip
