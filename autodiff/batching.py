"""`vmap`: a function of one sample, applied to all samples at once.

The function is recorded for the first sample. Its graph is then computed again with a batch in the place of what
belongs to a sample, node by node: elementwise rows broadcast, rows with an `axis` count it from the first axis of a
sample, rows that move elements keep the batch in front. Any other row is called sample by sample.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .composition import tensor_of
from .errors import ShapeError, TracedValueError
from .forward import evaluated
from .graph import Graph, Node, Variable, leaf
from .modes import resumed, traced
from .rules import activation, indexing, shape
from .rules.engine import part
from .storage import Stored
from .structures import leaves, mapped

Axis = int | None


def vmap(f: Callable[..., Any], in_axes: Any = 0, out_axes: int = 0) -> Callable[..., Any]:
    """The function of a batch that f, a function of one sample, stands for.

    `in_axes` says which axis of the arguments is the batch: one for all, or a tuple with one for each; None for what
    all samples share. `out_axes` is where the batch stands in the results. A function that decides by the values of a
    sample (`if x > 0`) is called sample by sample.

    >>> from autodiff import grad
    >>> loss = lambda w, x, y: (x @ w - y) ** 2
    >>> vmap(grad(loss), (None, 0, 0))(np.array([1.0, 2.0]), np.eye(2), np.zeros(2))
    array([[2., 0.],
           [0., 4.]])
    """

    @functools.wraps(f)
    def batched(*arguments: Any) -> Any:
        axes = in_axes if isinstance(in_axes, tuple) else (in_axes,) * len(arguments)
        if len(axes) != len(arguments):
            raise ShapeError(f"vmap: in_axes has {len(axes)} entries, and there are {len(arguments)} arguments")
        batches = [
            argument if axis is None else mapped(argument, functools.partial(_in_front, axis=axis))
            for argument, axis in zip(arguments, axes, strict=True)
        ]
        sizes = {
            x.shape[0] for batch, axis in zip(batches, axes, strict=True) if axis is not None for x in leaves(batch)
        }
        if len(sizes) != 1:
            raise ShapeError(f"vmap: batches of one size are wanted, in_axes={in_axes} gives {sorted(sizes)}")
        try:
            results = _at_once(f, batches, axes, sizes.pop())
        except TracedValueError:
            results = _one_by_one(f, batches, axes)
        return mapped(results, lambda x: np.moveaxis(x, 0, out_axes))

    return batched


def _in_front(x: Any, axis: int) -> Any:
    x = x if hasattr(x, "dtype") else np.asarray(x)
    if not -len(x.shape) <= axis < len(x.shape):
        raise ShapeError(f"vmap: an array of shape {x.shape} has no axis {axis}")
    return np.moveaxis(x, axis, 0)


def _one_by_one(f: Callable[..., Any], batches: Sequence[Any], axes: Sequence[Axis]) -> Any:
    size = next(len(x) for batch, axis in zip(batches, axes, strict=True) if axis is not None for x in leaves(batch))
    each = [
        f(*(_sample(b, i) if a is not None else b for b, a in zip(batches, axes, strict=True))) for i in range(size)
    ]
    flat = [[_plain(x) for x in leaves(result)] for result in each]
    stacked = iter([np.stack(column) for column in zip(*flat, strict=True)])
    return mapped(each[0], lambda _: next(stacked))


def _sample(batch: Any, i: int) -> Any:
    """One of the batch, as Tensors, as the function has seen the first."""
    return mapped(batch, lambda x: x[i] if hasattr(x, "_node") else Stored._plain(x[i]))


def _plain(x: Any) -> Any:
    return x._read() if isinstance(x, Stored) and not x._node.needs else x


def _at_once(f: Callable[..., Any], batches: Sequence[Any], axes: Sequence[Axis], size: int) -> Any:
    known: dict[Node, Any] = {}

    def first(x: Any) -> Any:
        value = x._read() if isinstance(x, Stored) else x
        sample = value[0] if size else np.zeros(value.shape[1:], value.dtype)
        node = leaf(sample, Variable(tracer=True), sample.dtype.kind in "fc")
        known[node] = x
        return Stored._of(node, sample)

    places = [mapped(batch, first) if axis is not None else batch for batch, axis in zip(batches, axes, strict=True)]
    with resumed(), traced():
        output = f(*places)
    nodes = [t._current()[1] for t in leaves(output) if isinstance(t, Stored)]
    values = _computed(nodes, known, size)
    for node in known:
        node.variable.closed = True  # type: ignore[union-attr]

    def result(t: Any) -> Any:
        value, is_batch = values[t._node] if isinstance(t, Stored) else (np.asarray(t), False)
        return value if is_batch else np.broadcast_to(value, (size, *value.shape)).copy()

    return mapped(output, result)


def _computed(outputs: Sequence[Node], known: Mapping[Node, Any], size: int) -> dict[Node, tuple[Any, bool]]:
    """The value of every node, and whether it is a batch."""
    found: dict[Node, tuple[Any, bool]] = {node: (batch, True) for node, batch in known.items()}
    with resumed():
        for node in Graph(outputs).nodes:
            if node not in found:
                found[node] = _one(node, found, size)
    return found


def _one(node: Node, found: Mapping[Node, tuple[Any, bool]], size: int) -> tuple[Any, bool]:
    if node.is_leaf:
        outer = node.needs and node.variable and not node.variable.closed  # an enclosing differentiation asks for it
        return (tensor_of(node, node.value) if outer else node.value), False
    pairs = [found[x] if isinstance(x, Node) else (x, False) for x in node.inputs]
    values, batched = [value for value, _ in pairs], [flag for _, flag in pairs]
    if not any(batched):
        return evaluated(node.primitive, values, node.keywords), False
    return _batched(node, values, batched, size), True


# --- one node, of a batch -------------------------------------------------------------------------------------------


def _batched(node: Node, values: list[Any], batched: list[bool], size: int) -> Any:
    row, ndims = node.primitive, [len(x.shape) if isinstance(x, Node) else 0 for x in node.inputs]
    if row.kind in ("elementwise", "selecting") or (isinstance(row.function, np.ufunc) and not row.function.signature):
        return evaluated(row, _aligned(values, batched, ndims), node.keywords)
    rule = _RULES.get(row.function) or (_along_axis if "axis" in row.formula.keywords and len(values) == 1 else None)
    result = rule(node, values, batched, size) if rule else None
    return _each(node, values, batched, size) if result is None else result


def _each(node: Node, values: list[Any], batched: list[bool], size: int) -> Any:
    """Sample by sample: always right."""
    samples = [[v[i] if b else v for v, b in zip(values, batched, strict=True)] for i in range(size)]
    results = [evaluated(node.primitive, sample, node.keywords) for sample in samples]
    if not results:
        return np.zeros((0, *node.shape), node.dtype)
    if isinstance(results[0], tuple):
        return tuple(np.stack(column) for column in zip(*results, strict=True))
    return np.stack(results)


def _aligned(values: list[Any], batched: list[bool], ndims: list[int]) -> list[Any]:
    """Batches whose samples have equally many axes."""
    most = max(ndims)
    return [
        np.reshape(v, (v.shape[0], *[1] * (most - n), *v.shape[1:])) if b and n < most else v
        for v, b, n in zip(values, batched, ndims, strict=True)
    ]


def _shifted(axis: Any) -> Any:
    """An axis of a sample, as one of the batch."""
    return tuple(map(_shifted, axis)) if isinstance(axis, tuple) else axis + 1 if axis >= 0 else axis


def _along_axis(node: Node, values: list[Any], batched: list[bool], size: int) -> Any:
    (x,), keywords = values, dict(node.keywords)
    axis = keywords.get("axis", node.primitive.formula.keywords["axis"])
    if axis is None and node.primitive.function not in _WHOLE:
        return None
    keywords["axis"] = tuple(range(1, len(x.shape))) if axis is None else _shifted(axis)
    return evaluated(node.primitive, [x], keywords)


def _reshaped(node: Node, values: list[Any], batched: list[bool], size: int) -> Any:
    return np.reshape(values[0], (size, *node.shape)) if node.keywords.get("order", "C") == "C" else None


def _transposed(node: Node, values: list[Any], batched: list[bool], size: int) -> Any:
    axes = node.keywords.get("axes")
    n = len(node.shape)
    return np.transpose(values[0], (0, *(range(n, 0, -1) if axes is None else [axis % n + 1 for axis in axes])))


def _moved(*names: str) -> Callable[..., Any]:
    def rule(node: Node, values: list[Any], batched: list[bool], size: int) -> Any:
        keywords = {**node.keywords, **{name: _shifted(node.keywords[name]) for name in names}}
        return evaluated(node.primitive, values, keywords)

    return rule


def _broadcast(node: Node, values: list[Any], batched: list[bool], size: int) -> Any:
    (x,) = values
    ones = len(node.shape) - len(x.shape) + 1
    return np.broadcast_to(np.reshape(x, (size, *[1] * ones, *x.shape[1:])), (size, *node.shape))


def _same(node: Node, values: list[Any], batched: list[bool], size: int) -> Any:
    return evaluated(node.primitive, values, node.keywords)


def _joined(node: Node, values: list[Any], batched: list[bool], size: int) -> Any:
    axis = node.keywords.get("axis", 0)
    if axis is None:
        return None
    full = [v if b else np.broadcast_to(v, (size, *v.shape)) for v, b in zip(values, batched, strict=True)]
    return evaluated(node.primitive, full, {**node.keywords, "axis": _shifted(axis)})


def _product(node: Node, values: list[Any], batched: list[bool], size: int) -> Any:
    ndims = [len(x.shape) if isinstance(x, Node) else 0 for x in node.inputs]
    if 0 in ndims:
        return np.multiply(*_aligned(values, batched, ndims))
    if node.primitive.function is np.dot and max(ndims) > 2:
        return None
    x, y = values
    x, y = x[..., None, :] if ndims[0] == 1 else x, y[..., None] if ndims[1] == 1 else y
    out = np.matmul(*_aligned([x, y], batched, [max(n, 2) for n in ndims]))
    return np.reshape(out, (size, *node.shape))


def _indexed(node: Node, values: list[Any], batched: list[bool], size: int) -> Any:
    """`x[index]` and its like: slices of each sample, or single elements of each."""
    arrays_from = node.primitive.formula.arrays.index(node.primitive.formula.starred)
    index, arrays = node.keywords.get("index", ()), values[arrays_from:]
    parts = index if isinstance(index, tuple) else (index,)
    keywords = dict(node.keywords)
    if "shape" in keywords:
        keywords["shape"] = (size, *keywords["shape"])
    elif not batched[0]:
        values = [np.broadcast_to(values[0], (size, *values[0].shape)), *values[1:]]
    if not arrays:
        keywords["index"] = (slice(None), *parts)
    elif all(part is indexing.ARRAY for part in parts) and not any(a.dtype.kind == "b" for a in arrays):
        ndims = [len(x.shape) for x in node.inputs[arrays_from:]]
        most = max(ndims)
        arrays = _aligned(arrays, batched[arrays_from:], ndims)
        keywords["index"] = (indexing.ARRAY, *parts)
        arrays = [np.arange(size).reshape(size, *[1] * most), *arrays]
    else:
        return None
    if arrays_from == 2 and len(node.inputs[1].shape if isinstance(node.inputs[1], Node) else ()):  # put: y broadcasts
        values[1] = _aligned([values[1]], [batched[1]], [len(node.inputs[1].shape)])[0]
    return evaluated(node.primitive, [*values[:arrays_from], *arrays], keywords)


def _part(node: Node, values: list[Any], batched: list[bool], size: int) -> Any:
    return values[0][node.keywords["index"]]


# Where axis=None means all axes (and not, as np.cumsum, np.argmax and np.roll have it, that they are made one).
_WHOLE = {np.sum, np.mean, np.prod, np.max, np.min, np.var, np.std, np.all, np.any, np.count_nonzero, np.flip}
_WHOLE |= {activation.logsumexp, activation.softmax, activation.log_softmax}
_RULES: dict[Any, Callable[..., Any]] = {
    **dict.fromkeys((np.reshape, np.ravel, np.squeeze, np.expand_dims), _reshaped),
    **dict.fromkeys((np.copy, shape.cast, shape.identity), _same),
    **dict.fromkeys((np.concatenate, np.stack), _joined),
    **dict.fromkeys((np.matmul, np.dot), _product),
    **dict.fromkeys((indexing.getitem, indexing.scatter), _indexed),
    np.transpose: _transposed,
    np.swapaxes: _moved("axis1", "axis2"),
    np.moveaxis: _moved("source", "destination"),
    np.broadcast_to: _broadcast,
    part: _part,
}
