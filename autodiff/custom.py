"""`primitive`: a user's own differentiable function."""

from __future__ import annotations

import builtins
import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from .expressions import Formula, names_in
from .guards import checked, read_only
from .primitive import TABLE, Primitive, own


def primitive(function: Callable[..., Any], *derivatives: Any, kind: str = "special") -> Callable[..., Any]:
    """A user's own differentiable function: what it computes, and its derivative, in three lines.

    `function` takes arrays, one for each derivative, then keywords with defaults, and is called with read-only arrays.
    Each derivative is the vector-Jacobian product, an expression or a function of `g` (the incoming gradient), `out`
    (the result), the arrays and the keywords by the names that `function` gives them; None where there is none. With
    `kind="elementwise"` it is the partial derivative. Written with NumPy functions it can be differentiated again.
    A wrong derivative is not noticed here: compare it with differences.

    >>> from autodiff import grad
    >>> cube = primitive(lambda x: x**3, "g * 3 * x**2")
    >>> grad(lambda x: np.sum(cube(x)))(np.array([2.0]))
    array([12.])
    """
    if kind not in ("elementwise", "special", "linear"):
        raise ValueError(f"primitive: kind must be 'elementwise', 'linear' or 'special', got {kind!r}")
    parameters = list(inspect.signature(function).parameters.values())
    if not 0 < len(derivatives) <= len(parameters):
        given = f"{len(parameters)} arguments, and {len(derivatives)} derivatives were given"
        raise ValueError(f"primitive: {_name(function)} takes {given}")
    arrays, keywords = parameters[: len(derivatives)], parameters[len(derivatives) :]
    if bare := [keyword.name for keyword in keywords if keyword.default is keyword.empty]:
        raise ValueError(f"primitive: give {', '.join(bare)} of {_name(function)} a derivative (or None), or a default")
    name = function.__name__ if function.__name__.isidentifier() else "function"

    @functools.wraps(function)
    def guarded(*values: Any, **options: Any) -> Any:
        return checked(function(*map(read_only, values), **options), name)

    dispatch = own(guarded)
    enclosing = inspect.getclosurevars(function).nonlocals if inspect.isfunction(function) else {}
    namespace = {"np": np, **getattr(function, "__globals__", {}), **enclosing}
    row = Primitive(dispatch, f"{name}(...)", *derivatives, kind=kind, namespace=namespace, foreign=True)
    defaults = {keyword.name: keyword.default for keyword in keywords}
    row.formula = Formula(name, tuple(array.name for array in arrays), None, {}, defaults, None)
    for derivative in derivatives:
        _check_derivative(derivative, row)
    TABLE[dispatch] = row
    return dispatch


def _check_derivative(derivative: Any, row: Primitive) -> None:
    """Refuse here, where it is defined, what could not be called in a backward pass."""
    offered = {"g", "out", *row.formula.arrays, *row.formula.keywords}
    if derivative is None:
        return
    if callable(derivative):
        unknown = inspect.signature(derivative).parameters.keys() - offered
    elif isinstance(derivative, str):
        try:
            unknown = names_in(derivative) - offered - row.namespace.keys() - vars(builtins).keys()
        except SyntaxError:
            raise ValueError(f"primitive: the derivative {derivative!r} of {row.name} is no expression") from None
    else:
        raise TypeError(f"primitive: {derivative!r}, a derivative of {row.name}, is neither expression nor function")
    if unknown:
        asked, known = ", ".join(sorted(unknown)), ", ".join(sorted(offered))
        raise ValueError(f"primitive: a derivative of {row.name} asks for {asked}; there are {known}")


def _name(f: Callable[..., Any]) -> str:
    return getattr(f, "__name__", type(f).__name__)
