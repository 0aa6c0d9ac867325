"""How our own functions, which NumPy lacks, are written with NumPy's: the one table of exceptions of this reader."""

from __future__ import annotations

import inspect
import math
import operator
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...cotangents import SEVERAL
from ...graph import Node
from ...primitive import COMPOSED, dropped, taken
from ...rules import activation, bessel, engine, indexing, polynomial, reduction, selection, shape
from ...structures import results
from .lines import Line, Operand, literal, subscript
from .lower import CALLS, EXPANSIONS, HELPED, ROWS, Lowering
from .masks import chosen, moved, where_taken

Row = Callable[[Lowering, Node, Sequence[Operand]], Line]


# --- activations, line by line ----------------------------------------------------------------------------------------


def _each(low: Lowering, node: Node) -> Callable[..., Line]:
    """A call of a ufunc that gives what the node does: its shape and dtype."""
    return lambda ufunc, *operands: low.ufunc(ufunc, *operands, shape=node.shape, dtype=node.dtype)


def _sigmoid(low: Lowering, node: Node, operands: Sequence[Operand]) -> Line:
    each = _each(low, node)
    limit, _ = activation._SATURATED.get(node.dtype.char, activation._DOUBLE)
    e = each(np.exp, each(np.minimum, operands[0], float(limit)))
    return each(np.divide, e, each(np.add, e, 1.0))


def _relu(low: Lowering, node: Node, operands: Sequence[Operand]) -> Line:
    return _each(low, node)(np.maximum, operands[0], 0)


def _softplus(low: Lowering, node: Node, operands: Sequence[Operand]) -> Line:
    return _each(low, node)(np.logaddexp, operands[0], 0)


def _shifted(low: Lowering, node: Node, x: Any, axis: Any) -> tuple[Line, Any]:
    """x minus its maximum; and how to reduce over the axis, which stays with one element."""
    kept = reduction.kept(node.shape, axis)
    initial = "" if x.size else ", initial=-np.inf"

    def reduced(name: str, line: Any, ufunc: str) -> Line:
        tail = f"({{0}}, axis={literal(axis)}, keepdims=True{initial if name == 'max' else ''})"
        into = f"np.{ufunc}.reduce({{0}}, {literal(axis)}, None, {{out}}, True)" if not initial else None
        return low.call(f"np.{name}{tail}", line, shape=kept, dtype=line.dtype, into=into, ordered=line.ordered)

    top = reduced("max", x, "maximum")
    return low.ufunc(np.subtract, x, top, shape=node.shape, dtype=node.dtype), reduced


def _floating(low: Lowering, x: Any) -> Any:
    if x.dtype.kind in "fc":
        return x
    return low.call("{0}.astype(np.float64)", x, shape=x.shape, dtype=np.dtype(np.float64), ordered=x.ordered)


def _softmax(low: Lowering, node: Node, operands: Sequence[Operand]) -> Line:
    shifted, reduced = _shifted(low, node, _floating(low, operands[0]), node.keywords.get("axis", -1))
    e = _each(low, node)(np.exp, shifted)
    return _each(low, node)(np.divide, e, reduced("sum", e, "add"))


def _log_softmax(low: Lowering, node: Node, operands: Sequence[Operand]) -> Line:
    shifted, reduced = _shifted(low, node, _floating(low, operands[0]), node.keywords.get("axis", -1))
    total = reduced("sum", _each(low, node)(np.exp, shifted), "add")
    log = low.ufunc(np.log, total, shape=total.shape, dtype=total.dtype)
    return _each(low, node)(np.subtract, shifted, log)


# --- calls of functions that the source defines -----------------------------------------------------------------------


def _helped(function: Any) -> Row:
    def row(low: Lowering, node: Node, operands: Sequence[Operand]) -> Line:
        name = node.primitive.name
        low.helpers[name] = definition(function)
        keywords = "".join(f", {key}={low.say(value)}" for key, value in node.keywords.items())
        places = ", ".join(f"{{{i}}}" for i in range(len(operands)))
        ordered = all(x.ordered for x in operands if isinstance(x, Line))
        return low.call(f"{name}({places}{keywords})", *operands, shape=node.shape, dtype=node.dtype, ordered=ordered)

    return row


def definition(function: Any) -> str:
    """The source of a function of ours, as it can stand by itself."""
    return DEFINITIONS.get(function) or textwrap.dedent(inspect.getsource(function))


DEFINITIONS = {
    activation.sigmoid: '''\
def sigmoid(x):
    e = np.exp(np.minimum(x, {"e": 11.0, "f": 20.0, "d": 40.0, "g": 50.0}[x.dtype.char]))  # beyond, it is 1
    return e / (e + 1)
''',
    activation.softmax: '''\
def softmax(x, axis=-1):
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)
''',
    activation.log_softmax: '''\
def log_softmax(x, axis=-1):
    shifted = x - np.max(x, axis=axis, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))
''',
    activation.logsumexp: '''\
def logsumexp(x, axis=None, keepdims=False):
    top = np.max(x, axis=axis, keepdims=True, **({} if x.size else {"initial": -np.inf}))
    shift = np.where(np.isfinite(top), top, 0)
    with np.errstate(divide="ignore"):
        out = np.log(np.sum(np.exp(x - shift), axis=axis, keepdims=True)) + shift
    return out if keepdims else np.squeeze(out, axis=axis)[()]
''',
    bessel.bessel: '''\
def bessel(x, order=1):
    size = np.minimum(abs(x), 800)
    angles = [np.pi * (k + 0.5) / 144 for k in reversed(range(144))]
    sines = [(float(np.sin(a)), float(np.sin(a / 2))) for a in angles]
    terms = iter([s ** (2 * order) / 144 * np.exp(-2 * h**2 * size) for s, h in sines])
    total = sum(sum(term for _, term in zip(range(12), terms)) for _ in range(12))
    return x**order * (total / float(np.prod(range(1, 2 * order, 2)))) * np.exp(abs(x))
''',
}  # fmt: skip


# --- moving and choosing ----------------------------------------------------------------------------------------------


def _same(low: Lowering, node: Node, operands: Sequence[Operand]) -> Line:
    return operands[0]


def _cast(low: Lowering, node: Node, operands: Sequence[Operand]) -> Line:
    (x,) = operands
    line = low.call(f"{{0}}.astype({literal(node.dtype)})", x, shape=node.shape, dtype=node.dtype, ordered=x.ordered)
    line.mask = x.mask
    return line


def _part(low: Lowering, node: Node, operands: Sequence[Operand]) -> Line:
    return low.call(f"{{0}}[{node.keywords['index']}]", *operands, shape=node.shape, dtype=node.dtype, view=True)


def _getitem(low: Lowering, node: Node, operands: Sequence[Operand]) -> Line:
    """`x[index]`; where a mask chooses, how many it does is part of the program."""
    x, *arrays = operands
    if isinstance(x, Line) and x.shape is SEVERAL:
        return low.call("{0}", x, shape=node.shape, dtype=node.dtype, view=True)
    template = f"{{0}}[{_index(node, 1)}]"
    line = low.call(template, *operands, shape=node.shape, dtype=node.dtype, view=not arrays)
    if isinstance(x, Line) and x.mask is not None:
        line.mask = low.call(template, x.mask, *arrays, shape=node.shape, dtype=np.dtype(bool), view=not arrays)
    return checked(low, line) if any(a.dtype.kind == "b" for a in arrays) else line


def _index(node: Node, first: int) -> str:
    """The index of a node as source, the arrays in it as the places from `first` on."""
    text = subscript(node.keywords.get("index", ()))
    for place in range(text.count("{}")):
        text = text.replace("{}", f"{{{first + place}}}", 1)
    return text


def checked(low: Lowering, line: Line) -> Line:
    """A value whose shape depends on data: all that follows was derived for this one."""
    before = (
        f"{{out}} = {line.template}",
        f"if {{out}}.shape != {line.shape}:",
        f'    raise ValueError("this program is for a result of shape {line.shape} here")',
    )
    made = Line("{out}", line.operands, shape=line.shape, dtype=line.dtype, before=before)
    made.mask = line.mask
    return low.add(made)


def _scatter(low: Lowering, node: Node, operands: Sequence[Operand]) -> Line:
    x, *arrays = operands
    line = _scattered(low, node, x, arrays, node.dtype)
    if not isinstance(x, Line):
        return line
    if x.mask is not None or any(a.dtype.kind == "b" for a in arrays):
        line.mask = _scattered(low, node, True if x.mask is None else x.mask, arrays, np.dtype(bool))
    return line


def _scattered(low: Lowering, node: Node, x: Operand, arrays: Sequence[Any], dtype: Any) -> Line:
    zeros = f"{{out}} = np.zeros({node.keywords['shape']}, {literal(dtype)})"
    index = _index(node, 1)
    if isinstance(x, Line) and x.number is not None:
        x = x.number
    repeats = any(a.dtype.kind != "b" for a in arrays) and not _distinct(arrays)
    write = f"np.add.at({{out}}, {_tupled(node, 1)}, {{0}})" if repeats else f"{{out}}[{index}] = {{0}}"
    return low.call("{out}", x, *arrays, shape=node.shape, dtype=dtype, before=(zeros, write), ordered=True)


def _distinct(arrays: Sequence[Any]) -> bool:
    """Whether an index names no element twice: one of its arrays is counting."""
    same = all(a.shape == arrays[0].shape and len(a.shape) == 1 for a in arrays)
    return same and any(a.template.startswith("np.arange(") for a in arrays)


def _tupled(node: Node, first: int) -> str:
    """The index as a value of its own: `(slice(None), i)`."""
    index = node.keywords.get("index", ())
    places = iter(range(first, 100))
    parts = [
        f"{{{next(places)}}}" if repr(p) == "ARRAY" else literal(p)
        for p in (index if isinstance(index, tuple) else (index,))
    ]
    return f"({', '.join(parts)}{',' * (len(parts) == 1)})" if isinstance(index, tuple) else parts[0]


def _put(low: Lowering, node: Node, operands: Sequence[Operand]) -> Line:
    target = {None: "{out}", "real": "{out}.real", "imag": "{out}.imag"}[node.keywords.get("part")]
    before = ("{out} = np.array({0})", f"{target}[{_index(node, 2)}] = {{1}}")
    return low.call("{out}", *operands, shape=node.shape, dtype=node.dtype, before=before, ordered=operands[0].ordered)


def _on_diagonal(low: Lowering, node: Node, operands: Sequence[Operand]) -> Line:
    keys = node.keywords
    places = ", ".join(str(keys.get(name, default)) for name, default in (("offset", 0), ("axis1", 0), ("axis2", 1)))

    def placed(x: Operand, dtype: Any) -> Line:
        before = (
            f"{{out}} = np.zeros({node.shape}, {literal(dtype)})",
            f"{{out}}_diagonal = np.diagonal({{out}}, {places})",
            "{out}_diagonal.flags.writeable = True",
            "{out}_diagonal[...] = {0}",
        )
        return low.call("{out}", x, shape=node.shape, dtype=dtype, before=before, ordered=True)

    (x,) = operands
    line = placed(x, node.dtype)
    line.mask = placed(x.mask, np.dtype(bool)) if x.mask is not None else None
    return line


def _moved(low: Lowering, node: Node, operands: Sequence[Operand]) -> Line:
    """What moves elements moves the mask as well."""
    (x,), row = operands, node.primitive
    if row.function in RESHAPES and isinstance(x, Line) and node.keywords.get("order", "C") == "C":
        if x.shape == node.shape and row.function is not np.ravel:
            return x
        template = f"{{0}}.reshape({node.shape})"
        line = low.call(template, x, shape=node.shape, dtype=node.dtype, view=True, ordered=x.ordered)
    elif row.function is np.transpose and node.keywords.get("axes") is None:
        line = low.call("{0}.T", x, shape=node.shape, dtype=node.dtype, view=True)
    else:
        line = low._general(node, operands)
    return moved(low, node, operands, line)


RESHAPES = (np.reshape, np.ravel, np.squeeze, np.expand_dims)


def _filled(low: Lowering, node: Node, operands: Sequence[Operand]) -> Line:
    """One number, everywhere: eager code fills an array with it in gradients, which NumPy reads faster than a view."""
    (x,) = operands
    line = low._general(node, operands)
    number = x
    while isinstance(number, Line) and number.shape != () and number.size == 1 and ".reshape(" in number.template:
        number = number.operands[0]
    if line.gradient and isinstance(number, Line) and number.shape == ():
        if number.number is not None:
            return low.constant(np.full(node.shape, number.value, node.dtype))
        template = f"np.full({node.shape}, {{0}})"
        return low.call(template, number, shape=node.shape, dtype=node.dtype, ordered=True)
    return moved(low, node, operands, line)


def _reduced(low: Lowering, node: Node, operands: Sequence[Operand]) -> Line:
    """A reduction; into an array that is there, where one is wanted."""
    (x,), name = operands, node.primitive.name
    axis = node.keywords.get("axis")
    if isinstance(axis, tuple) and len(axis) == 1:
        options = {**node.keywords, "axis": axis[0]}
        texts = "".join(f", {key}={low.say(value)}" for key, value in options.items())
        line = low.call(f"np.{name}({{0}}{texts})", x, shape=node.shape, dtype=node.dtype)
    else:
        line = low._general(node, operands)
    line.ordered = isinstance(x, Line) and x.ordered
    if name in REDUCES and node.keywords.keys() <= {"axis", "keepdims"} and x.dtype == node.dtype:
        axis, keepdims = literal(node.keywords.get("axis")), node.keywords.get("keepdims", False)
        line.into = f"np.{REDUCES[name]}.reduce({{0}}, {axis}, None, {{out}}, {keepdims})"
    if name == "sum" and isinstance(x, Line) and x.mask is not None:
        axes = "".join(f", {k}={literal(v)}" for k, v in node.keywords.items() if k in ("axis", "keepdims"))
        line.mask = low.call(
            f"np.logical_or.reduce({{0}}{axes or ', axis=None'})", x.mask, shape=node.shape, dtype=np.dtype(bool)
        )
    return line


def _mean(low: Lowering, node: Node, operands: Sequence[Operand]) -> Line:
    """A sum and a division, which is what np.mean does, after it has looked at its arguments for a long time."""
    (x,) = operands
    plain = isinstance(x, Line) and x.dtype == node.dtype and node.dtype.char in "fd" and 0 < x.size <= EXACT
    if not plain or not low.expand or not node.keywords.keys() <= {"axis", "keepdims"}:
        return low._general(node, operands)
    axis, keepdims = node.keywords.get("axis"), node.keywords.get("keepdims", False)
    if isinstance(axis, tuple) and len(axis) == 1:
        axis = axis[0]
    tail = f"{literal(axis)}, None, {{out}}, {keepdims}"
    total = low.call(
        f"np.sum({{0}}, axis={literal(axis)}, keepdims={keepdims})", x, shape=node.shape, dtype=node.dtype,
        into=f"np.add.reduce({{0}}, {tail})", ordered=x.ordered,
    )  # fmt: skip
    return low.ufunc(np.divide, total, x.size // math.prod(node.shape), shape=node.shape, dtype=node.dtype)


EXACT = 1 << 24  # up to which each integer is a float32
REDUCES = {"sum": "add", "max": "maximum", "min": "minimum", "prod": "multiply"}


def _product(low: Lowering, node: Node, operands: Sequence[Operand]) -> Line:
    """A product of matrices; of two in C order `@` makes the same call of BLAS as np.dot, which takes less time."""
    x, y = operands
    matrices = all(isinstance(v, Line) and len(v.shape) == 2 for v in operands)
    dot = node.primitive.function is np.dot
    if dot and matrices:
        line = low.call("{0}.dot({1})", x, y, shape=node.shape, dtype=node.dtype, ordered=True)
    elif dot:
        line = low.call("np.dot({0}, {1})", x, y, shape=node.shape, dtype=node.dtype, ordered=True)
    else:
        line = low.call("{0} @ {1}", x, y, shape=node.shape, dtype=node.dtype, ordered=True)
    if matrices and x.dtype == y.dtype == node.dtype and node.dtype.char in "df":
        fast = dot or (x.ordered and y.ordered)
        line.into = "{0}.dot({1}, {out})" if fast else "np.matmul({0}, {1}, {out})"
    return line


def _power(low: Lowering, node: Node, operands: Sequence[Operand]) -> Line:
    """x ** y: of NumPy's scalars by way of arrays, since they take another path; a square is one multiplication."""
    x, y = operands
    if type(y) in (int, float) and isinstance(x, Line) and x.dtype.kind in "fc" and node.shape != ():
        if y == 1 and x.dtype == node.dtype:
            return x
        if y == 2:
            return low.ufunc(np.square, x, shape=node.shape, dtype=node.dtype, template="{0} ** 2")
    texts = [
        f"np.asarray({{{i}}})" if isinstance(v, Line) and v.shape == () else f"{{{i}}}" for i, v in enumerate(operands)
    ]
    return low.call(f"{texts[0]} ** {texts[1]}", *operands, shape=node.shape, dtype=node.dtype)


def _where(low: Lowering, node: Node, operands: Sequence[Operand]) -> Line:
    line = low._general(node, operands)
    line.ordered = all(not isinstance(x, Line) or x.ordered or x.shape == () for x in operands)
    mask, x, y = operands
    if isinstance(mask, Line) and _is_zero(y):
        line.into = chosen("{0}", "{1}", mask, x, line)
    elif isinstance(mask, Line) and _is_zero(x):
        line.into = chosen("~{0}", "{2}", mask, y, line)
    return line


def _is_zero(x: Operand) -> bool:
    number = x.number if isinstance(x, Line) else x
    return number == 0 and not np.signbit(number)


def _ranks(low: Lowering, node: Node, operands: Sequence[Operand]) -> Line:
    kth, axis = low.say(node.keywords["kth"]), low.say(node.keywords.get("axis", -1))
    text = f"np.argsort(np.argsort(np.partition({{0}}, {kth}, {axis}), {axis}), {axis})"
    return low.call(text, *operands, shape=node.shape, dtype=node.dtype)


def _count(low: Lowering, node: Node, operands: Sequence[Operand]) -> Line:
    keywords = "".join(f", {key}={low.say(value)}" for key, value in node.keywords.items())
    return low.call(f"np.asarray(np.count_nonzero({{0}}{keywords}))[()]", *operands, shape=node.shape, dtype=node.dtype)


def _write(low: Lowering, node: Node, operands: Sequence[Operand]) -> Line:
    """np.copyto and its like: of a copy."""
    arguments, _ = node.keywords["call"]
    _, *rest = [low._argument(x) for x in arguments]
    name = node.primitive.name
    before = ("{out} = np.copy({0})", f"np.{name}({{out}}, {', '.join(rest)})")
    return low.call("{out}", *operands, shape=node.shape, dtype=node.dtype, before=before)


def _nested(low: Lowering, node: Node, operands: Sequence[Operand]) -> Line:
    """Results in lists of results."""
    arguments, options = node.keywords["call"]
    texts = [*map(low._argument, arguments), *(f"{k}={low._argument(v)}" for k, v in options.items())]
    text = f"{low.bind('results', results)}(np.{node.primitive.name}({', '.join(texts)}))"
    return low.call(text, *operands, shape=node.shape, dtype=node.dtype, view=True)


EXPANSIONS |= {
    activation.sigmoid: _sigmoid,
    activation.relu: _relu,
    activation.softplus: _softplus,
    activation.softmax: _softmax,
    activation.log_softmax: _log_softmax,
}

HELPED |= {activation.sigmoid, activation.softmax, activation.log_softmax}

MOVES = (
    np.reshape, np.transpose, np.swapaxes, np.moveaxis, np.flip, np.ravel, np.squeeze, np.expand_dims, np.copy, np.real,
    np.roll, np.diagonal,
)  # fmt: skip

ROWS |= {
    **{f: _helped(f) for f in (*HELPED, activation.logsumexp, bessel.bessel)},
    **dict.fromkeys((engine.detached, shape.identity), _same),
    **dict.fromkeys(MOVES, _moved),
    **dict.fromkeys((np.sum, np.max, np.min, np.prod), _reduced),
    np.mean: _mean,
    **dict.fromkeys((np.matmul, np.dot), _product),
    **dict.fromkeys((taken, dropped), where_taken),
    shape.cast: _cast,
    shape.on_diagonal: _on_diagonal,
    np.broadcast_to: _filled,
    engine.part: _part,
    indexing.getitem: _getitem,
    indexing.scatter: _scatter,
    indexing.put: _put,
    selection.partition_ranks: _ranks,
    np.count_nonzero: _count,
    np.where: _where,
}
CALLS |= {np.histogramdd: _nested}
CALLS |= {
    row.function: _write
    for row in COMPOSED.values()
    if row.name in ("copyto", "putmask", "place", "put", "put_along_axis", "fill_diagonal") and not row.inlined
}
ROWS[operator.pow] = _power
ROWS[polynomial.zeros_of] = lambda low, node, operands: low.call(
    "np.roots({0})", *operands, shape=node.shape, dtype=node.dtype
)
