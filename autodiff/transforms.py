"""Functions of functions: from f, its gradient. They see a graph only through `pull`."""

from __future__ import annotations

import builtins
import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import numpy as np

from .composition import tensor_of
from .cotangents import unmasked
from .derivative import ascent, pull
from .errors import GradientError, describe
from .expressions import Formula, names_in
from .graph import Graph, Variable
from .guards import checked, read_only
from .primitive import TABLE, Primitive, own
from .record import resumed
from .rules.shape import identity
from .structures import mapped
from .tensor import Tensor, plain_value


def gradients(output: Tensor, wrt: Iterable[Tensor], *, gradient: Any = None, record: bool = False) -> list[Any]:
    """d output / d w for each w of `wrt`, leaves or not; touches no `.grad`.

    Arrays of the shape and dtype of each w, zeros where the output does not depend on it; Tensors with `record=True`,
    which can be differentiated again. A non-scalar output needs `gradient`, of its shape.

    >>> x = Tensor([1.0, 2.0])
    >>> y = x**2
    >>> gradients(np.sum(y * y), [x, y])
    [array([ 4., 32.]), array([2., 8.])]
    """
    several = isinstance(wrt, Iterable) and not isinstance(wrt, Tensor)
    tensors = list(wrt) if several else []
    if not several or not all(isinstance(w, Tensor) for w in tensors):
        raise GradientError("gradients: wrt holds Tensors, in a list such as [W1, W2]")
    if not isinstance(output, Tensor):
        raise GradientError(f"gradients: output is a {type(output).__name__}, not a Tensor")
    for w in tensors:
        if not w._node.needs:
            raise GradientError(f"gradients: {describe(w, 'a Tensor of wrt')} carries no gradient")
    start = output._incoming(gradient, "gradients")
    if record and not isinstance(start, Tensor):
        start = Tensor._plain(start)
    elif isinstance(start, Tensor) and not record:
        start = start._read()
    targets = [w._source for w in tensors]
    with resumed():
        found = pull(output._node, start, set(targets), record=tensor_of if record else None)
    results = [_found(found, target, w) for target, w in zip(targets, tensors, strict=True)]
    if record:
        return results
    plain = [np.asarray(plain_value(result)) for result in results]
    return [array.copy() if any(array is other for other in plain[:i]) else array for i, array in enumerate(plain)]


def _found(found: dict[Any, Any], target: Any, w: Tensor) -> Any:
    """The gradient of w, zeros where the output does not depend on it."""
    if target in found:
        gradient = ascent(found[target])
        return Tensor._of(gradient._node, unmasked(gradient._read())) if isinstance(gradient, Tensor) else gradient
    if w._was_written():
        name = describe(w, "a Tensor of wrt")
        raise GradientError(
            f"gradients: {name} was written to, and the output was computed from its old value, or not from it"
        )
    return np.zeros_like(w)  # type: ignore[call-overload]


def grad(f: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """The function that returns the gradient of a scalar f with respect to the argument (or arguments) `argnums`.

    Arguments are arrays, or nested tuples, lists and dicts of them; the gradient has the same structure. Nests freely.

    >>> grad(lambda x: np.sum(x**3))(np.array([1.0, 2.0]))
    array([ 3., 12.])
    >>> float(grad(grad(lambda x: x**3))(2.0))
    12.0
    """
    both = value_and_grad(f, argnums)

    @functools.wraps(f)
    def gradient(*arguments: Any, **keywords: Any) -> Any:
        return both(*arguments, **keywords)[1]

    return gradient


def value_and_grad(f: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """As `grad`, returning `(f(...), gradient)`.

    >>> value_and_grad(lambda w: np.sum(w * w))(np.array([3.0]))
    (array(9.), array([6.]))
    """
    numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    if not all(isinstance(n, int) for n in numbers):
        raise TypeError(f"grad: argnums is the position of an argument, or a tuple of them, not {argnums!r}")

    @functools.wraps(f)
    def both(*arguments: Any, **keywords: Any) -> tuple[Any, Any]:
        if any(not -len(arguments) <= n < len(arguments) for n in numbers):
            raise GradientError(f"grad: argnums={argnums}, but {_name(f)} was given {len(arguments)} arguments")
        lifted, leaves, spans = list(arguments), [], {}
        for n in {n % len(arguments) for n in numbers}:
            before = len(leaves)
            lifted[n] = _lift(arguments[n], leaves)
            spans[n] = slice(before, len(leaves))
        with resumed():
            output = f(*lifted, **keywords)
        if not isinstance(output, Tensor) or output.shape != ():
            what = f"a Tensor of shape {output.shape}" if isinstance(output, Tensor) else type(output).__name__
            raise GradientError(f"grad: {_name(f)} must return a scalar Tensor, not {what}: np.sum it, or use vjp")
        record = _depends_on_others(output, leaves)
        found = gradients(output, leaves, record=record) if output.requires_grad else _zeros(leaves)
        restored = tuple(_restore(arguments[n], iter(found[spans[n % len(arguments)]])) for n in numbers)
        return (output if record else _array(output)), restored[0] if isinstance(argnums, int) else restored

    return both


def vjp(f: Callable[..., Any], *arguments: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """`f(*arguments)`, and the function that pulls a gradient of it back to the arguments.

    >>> y, back = vjp(lambda x, w: x * w, np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    >>> back(np.array([1.0, 10.0]))
    (array([ 3., 40.]), array([ 1., 20.]))
    """
    leaves: list[Tensor] = []
    lifted = [_lift(argument, leaves) for argument in arguments]
    with resumed():
        output = f(*lifted)
    if not isinstance(output, Tensor):
        raise GradientError(f"vjp: {_name(f)} must return a Tensor, and returned {type(output).__name__}")
    record = _depends_on_others(output, leaves)

    def back(gradient: Any) -> tuple[Any, ...]:
        again = record or isinstance(gradient, Tensor)
        gradient = output._gradient("vjp", gradient)
        found = gradients(output, leaves, gradient=gradient, record=again) if output.requires_grad else _zeros(leaves)
        restored = iter(found)
        return tuple(_restore(argument, restored) for argument in arguments)

    return (output if record else _array(output)), back


def primitive(function: Callable[..., Any], *derivatives: Any, kind: str = "special") -> Callable[..., Any]:
    """A user's own differentiable function: what it computes, and its derivative, in three lines.

    `function` takes arrays, one for each derivative, then keywords with defaults, and is called with read-only arrays.
    Each derivative is the vector-Jacobian product, an expression or a function of `g` (the incoming gradient), `out`
    (the result), the arrays and the keywords by the names that `function` gives them; None where there is none. With
    `kind="elementwise"` it is the partial derivative. Written with NumPy functions it can be differentiated again.
    A wrong derivative is not noticed here: compare it with differences.

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


# --- nested structures of arrays ------------------------------------------------------------------------------------


def _lift(argument: Any, leaves: list[Tensor]) -> Any:
    """The structure with a fresh Tensor for each array, appended to `leaves`; an outer Tensor stays connected."""

    def fresh(array: Any) -> Tensor:
        outer = isinstance(array, Tensor) and array.requires_grad
        leaves.append(identity(array) if outer else Tensor(array))
        return leaves[-1]

    return mapped(argument, fresh)


def _restore(argument: Any, found: Iterator[Any]) -> Any:
    """The structure with the gradients that were found in the places of its arrays."""
    return mapped(argument, lambda _: next(found))


def _depends_on_others(output: Tensor, leaves: list[Tensor]) -> bool:
    """Whether an enclosing differentiation sees this one: then its results must stay in the graph."""
    for leaf in leaves:
        if leaf.is_leaf:
            cast(Variable, leaf._node.variable).closed = True
    return any(leaf.needs and not cast(Variable, leaf.variable).closed for leaf in Graph([output._current()[1]]).leaves)


def _zeros(leaves: list[Tensor]) -> list[Any]:
    return [np.zeros(leaf.shape, leaf.dtype) for leaf in leaves]


def _array(output: Tensor) -> Any:
    return np.array(output._read())


def _name(f: Callable[..., Any]) -> str:
    return getattr(f, "__name__", type(f).__name__)
