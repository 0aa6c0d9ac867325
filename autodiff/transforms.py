"""Functions of functions: from f, its derivatives. They see a graph only through `pull` and `push`."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import numpy as np

from .composition import tensor_of
from .cotangents import unmasked
from .derivative import ascent, pull, seen
from .errors import GradientError, describe
from .forward import push
from .graph import Graph, Variable, next_index
from .modes import resumed, tracing, varies
from .operands import own_array
from .rules.shape import identity
from .sites import __library__  # noqa: F401
from .structures import leaves, mapped
from .tensor import Tensor, plain_value

Argnums = int | tuple[int, ...]


def gradients(
    output: Tensor, wrt: Iterable[Tensor], *, gradient: Any = None, record: bool = False, zeros: bool = True
) -> list[Any]:
    """d output / d w for each w of `wrt`, leaves or not; touches no `.grad`.

    Arrays of the shape and dtype of each w, zeros where the output does not depend on it (None with `zeros=False`);
    Tensors with `record=True`, which can be differentiated again. A non-scalar output needs `gradient`, of its shape.

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
    tape, begin = tracing(), next_index()
    record = record or (tape is not None and varies(output._node))
    if record and not isinstance(start, Tensor):
        start = Tensor._plain(start)
    elif isinstance(start, Tensor) and not record:
        start = start._read()
    targets = [w._source for w in tensors]
    with resumed():
        found = pull(
            output._node, start, set(targets), record=tensor_of if record else None, note=tape.note if tape else None
        )
    if tape:
        tape.gradients.append((begin, next_index()))
    pairs = zip(targets, tensors, strict=True)
    results = [_found(found, target, w) if zeros or target in found else None for target, w in pairs]
    if tape:
        tape.cotangents += [(w._node, x) for w, x in zip(tensors, results, strict=True) if isinstance(x, Tensor)]
    if record:
        return results
    plain = [np.array(x) if isinstance(x, np.generic) else x for x in map(plain_value, results)]
    return [
        array.copy() if array is not None and any(array is other for other in plain[:i]) else array
        for i, array in enumerate(plain)
    ]


def _found(found: dict[Any, Any], target: Any, w: Tensor) -> Any:
    """The gradient of w, zeros where the output does not depend on it."""
    if target in found:
        hooks = target.hooks if isinstance(target, Variable) else ()
        gradient = ascent(seen(hooks, found[target]))
        return Tensor._of(gradient._node, unmasked(gradient._read())) if isinstance(gradient, Tensor) else gradient
    if w._was_written():
        name = describe(w, "a Tensor of wrt")
        raise GradientError(
            f"gradients: {name} was written to, and the output was computed from its old value, or not from it"
        )
    return np.zeros_like(w)  # type: ignore[call-overload]


class Trace:
    """A call of f, with fresh Tensors in the places of the arrays to differentiate; an outer Tensor stays connected."""

    def __init__(self, f: Callable[..., Any], arguments: Sequence[Any], argnums: Any, keywords: Any = {}) -> None:  # noqa: B006
        self.name: str = getattr(f, "__name__", type(f).__name__)
        numbers = [argnums] if isinstance(argnums, int) else list(argnums)
        if any(not -len(arguments) <= n < len(arguments) for n in numbers):
            raise GradientError(f"grad: argnums={argnums}, but {self.name} was given {len(arguments)} arguments")
        self.arguments: Sequence[Any] = arguments
        self.one: bool = isinstance(argnums, int)
        self.wrt: list[int] = [n % len(arguments) for n in numbers]
        self.places: list[Any] = [
            mapped(argument, _lifted) if n in self.wrt else argument for n, argument in enumerate(arguments)
        ]
        self.tensors: list[Tensor] = [tensor for n in self.wrt for tensor in leaves(self.places[n])]
        with resumed():
            self.output: Any = f(*self.places, **keywords)

    @functools.cached_property
    def nested(self) -> bool:
        """Whether an enclosing differentiation sees this one: then its results must stay in the graph."""
        for tensor in self.tensors:
            if tensor.is_leaf:
                cast(Variable, tensor._node.variable).closed = True
        outputs = [t._current()[1] for t in leaves(self.output) if isinstance(t, Tensor)]
        variables = [x.variable for x in Graph(outputs).leaves if x.variable and (x.needs or x.variable.tracer)]
        return any(not variable.closed for variable in variables)

    def pulled(self, output: Tensor, gradient: Any = None, record: bool = False) -> list[Any]:
        """The gradients of all arrays."""
        if not output.requires_grad:
            return [np.zeros(tensor.shape, tensor.dtype) for tensor in self.tensors]
        return gradients(output, self.tensors, gradient=gradient, record=record or self.nested)

    def pushed(self, outputs: Sequence[Tensor], tangents: Sequence[Any]) -> list[Any]:
        """The tangents of some outputs."""
        record = self.nested or any(isinstance(t, Tensor) for t in tangents)
        moving = {tensor._source: t for tensor, t in zip(self.tensors, tangents, strict=True)}
        with resumed():
            found = push([output._current()[1] for output in outputs], moving, record)
        return [self._own(t, output, record, tangents) for t, output in zip(found, outputs, strict=True)]

    @staticmethod
    def _own(tangent: Any, output: Tensor, record: bool, given: Sequence[Any]) -> Any:
        """A tangent as an array that nobody else holds; zeros where nothing moves."""
        if tangent is None:
            return np.zeros(output.shape, output.dtype)
        shared = getattr(tangent, "base", None) is not None or any(tangent is v for v in given)
        return tangent if record else own_array(tangent) if shared or tangent.ndim == 0 else tangent

    def restored(self, found: Iterable[Any]) -> Any:
        """The results in the structure of the arguments."""
        rest = iter(found)
        restored = tuple(mapped(self.arguments[n], lambda _: next(rest)) for n in self.wrt)
        return restored[0] if self.one else restored

    def value(self, output: Any) -> Any:
        """What f returned, as users get it."""
        return mapped(output, lambda t: own_array(t._read()) if isinstance(t, Tensor) and not self.nested else t)

    def scalar(self, output: Any) -> Tensor:
        """The output, if it has a gradient."""
        if not isinstance(output, Tensor) or output.shape != ():
            what = f"a Tensor of shape {output.shape}" if isinstance(output, Tensor) else type(output).__name__
            raise GradientError(f"grad: {self.name} must return a scalar Tensor, not {what}: np.sum it, or use vjp")
        return output


def _lifted(array: Any) -> Tensor:
    return identity(array) if isinstance(array, Tensor) and array.requires_grad else Tensor(array)


def _positions(argnums: Any) -> Argnums:
    numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    if not all(isinstance(n, int) for n in numbers):
        raise TypeError(f"grad: argnums is the position of an argument, or a tuple of them, not {argnums!r}")
    return argnums if isinstance(argnums, int) else numbers


def grad(f: Callable[..., Any], argnums: Argnums = 0, *, has_aux: bool = False) -> Callable[..., Any]:
    """The function that returns the gradient of a scalar f with respect to the argument (or arguments) `argnums`.

    Arguments are arrays, or nested tuples, lists, dicts and dataclasses of them; the gradient has the same structure.
    Nests freely. With `has_aux`, f returns `(scalar, anything)`, and what comes back is `(gradient, anything)`.

    >>> grad(lambda x: np.sum(x**3))(np.array([1.0, 2.0]))
    array([ 3., 12.])
    >>> float(grad(grad(lambda x: x**3))(2.0))
    12.0
    """
    both = value_and_grad(f, argnums, has_aux=has_aux)

    @functools.wraps(f)
    def gradient(*arguments: Any, **keywords: Any) -> Any:
        value, found = both(*arguments, **keywords)
        return (found, value[1]) if has_aux else found

    return gradient


def value_and_grad(f: Callable[..., Any], argnums: Argnums = 0, *, has_aux: bool = False) -> Callable[..., Any]:
    """As `grad`, returning `(f(...), gradient)`.

    >>> value_and_grad(lambda w: np.sum(w * w))(np.array([3.0]))
    (array(9.), array([6.]))
    """
    argnums = _positions(argnums)

    @functools.wraps(f)
    def both(*arguments: Any, **keywords: Any) -> tuple[Any, Any]:
        trace = Trace(f, arguments, argnums, keywords)
        output = trace.output
        if has_aux and not (isinstance(output, tuple) and len(output) == 2):
            raise GradientError(f"grad: with has_aux, {trace.name} returns a pair of a scalar and anything")
        found = trace.pulled(trace.scalar(output[0] if has_aux else output))
        return trace.value(output), trace.restored(found)

    return both


def vjp(f: Callable[..., Any], *arguments: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """`f(*arguments)`, and the function that pulls a gradient of it back to the arguments.

    >>> y, back = vjp(lambda x, w: x * w, np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    >>> back(np.array([1.0, 10.0]))
    (array([ 3., 40.]), array([ 1., 20.]))
    """
    trace = Trace(f, arguments, tuple(range(len(arguments))))
    output = trace.output
    if not isinstance(output, Tensor):
        raise GradientError(f"vjp: {trace.name} must return a Tensor, and returned {type(output).__name__}")

    def back(gradient: Any) -> tuple[Any, ...]:
        again = isinstance(gradient, Tensor)
        return trace.restored(trace.pulled(output, output._gradient("vjp", gradient), record=again))

    return trace.value(output), back


def jvp(f: Callable[..., Any], xs: Sequence[Any], vs: Sequence[Any]) -> tuple[Any, Any]:
    """`f(*xs)`, and how fast it moves where its arguments move as `vs` say, of the same structure: forward mode.

    >>> jvp(lambda x, w: x * w, (np.array([1.0, 2.0]), np.array([3.0, 4.0])), (np.ones(2), np.zeros(2)))
    (array([3., 8.]), array([3., 4.]))
    """
    trace = Trace(f, xs, tuple(range(len(xs))))
    outputs = [t for t in leaves(trace.output) if isinstance(t, Tensor)]
    found = iter(trace.pushed(outputs, _tangents(trace, vs)))
    moved = mapped(trace.output, lambda t: next(found) if isinstance(t, Tensor) else np.zeros_like(t))
    return trace.value(trace.output), moved


def hvp(f: Callable[..., Any], xs: Sequence[Any], vs: Sequence[Any]) -> tuple[Any, ...]:
    """The Hessian of a scalar f at `xs` times `vs`: forward mode over reverse mode, at the cost of a few gradients.

    >>> hvp(lambda x: np.sum(x**3), (np.array([1.0, 2.0]),), (np.array([1.0, 10.0]),))
    (array([  6., 120.]),)
    """
    return jvp(grad(f, tuple(range(len(xs)))), xs, vs)[1]


def _tangents(trace: Trace, vs: Sequence[Any]) -> list[Any]:
    """What a user gives, an array for each of the arguments' arrays."""
    tangents = list(leaves(tuple(vs)))
    if len(tangents) != len(trace.tensors):
        raise GradientError(f"jvp: {len(trace.tensors)} arrays in xs, {len(tangents)} in vs")
    pairs = zip(trace.tensors, tangents, strict=True)
    return [v if _like(v, t) else t._gradient("jvp", v) for t, v in pairs]


def _like(v: Any, tensor: Tensor) -> bool:
    """Whether it is an array of a Tensor's shape and dtype: then it need not be copied, since nothing is kept."""
    return type(v) is np.ndarray and v.shape == tensor.shape and v.dtype == tensor.dtype


def jacobian(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """The function that returns all derivatives of an array-valued f: of shape `out.shape + in.shape`.

    Forward mode where there are fewer arguments than results, else reverse mode. Structured arguments give the same
    structure of Jacobians.

    >>> jacobian(lambda x: x[:2] * x[2])(np.array([1.0, 2.0, 3.0]))
    array([[3., 0., 1.],
           [0., 3., 2.]])
    """
    argnums = _positions(argnums)

    @functools.wraps(f)
    def jacobian_of(*arguments: Any, **keywords: Any) -> Any:
        trace = Trace(f, arguments, argnums, keywords)
        return mapped(trace.output, lambda output: trace.restored(_jacobians(trace, output)))

    return jacobian_of


def _jacobians(trace: Trace, output: Any) -> list[Any]:
    """Of one output, with respect to each array."""
    if not isinstance(output, Tensor):
        return [np.zeros(np.shape(output) + tensor.shape) for tensor in trace.tensors]
    if sum(tensor.size for tensor in trace.tensors) >= output.size:
        rows = [trace.pulled(output, row) for row in _basis(output)]
        blocks = zip(*rows, strict=True) if rows else [[] for _ in trace.tensors]
        return [_stacked(block, output.shape + t.shape, t) for block, t in zip(blocks, trace.tensors, strict=True)]
    found: list[Any] = []
    for k, tensor in enumerate(trace.tensors):
        still: list[Any] = [np.zeros(t.shape, t.dtype) for t in trace.tensors]
        columns = [trace.pushed([output], [*still[:k], v, *still[k + 1 :]])[0] for v in _basis(tensor)]
        flat = _stacked(columns, tensor.shape + output.shape, output)
        found.append(np.moveaxis(flat, range(tensor.ndim), range(output.ndim, output.ndim + tensor.ndim)))
    return found


def _basis(tensor: Tensor) -> Iterable[Any]:
    return np.eye(tensor.size, dtype=tensor.dtype).reshape((tensor.size, *tensor.shape))


def _stacked(rows: Sequence[Any], shape: tuple[int, ...], like: Tensor) -> Any:
    return np.stack(rows).reshape(shape) if math.prod(shape) else np.zeros(shape, like.dtype)


def hessian(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """The function that returns all second derivatives of a scalar f: of shape `in.shape + in.shape`.

    >>> hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 2.0]))
    array([[4., 2.],
           [2., 0.]])
    """
    return jacobian(grad(f, argnums), argnums)
