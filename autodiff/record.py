"""Recording: one function turns a row of the table into the function that calls NumPy and remembers the call.

The function is generated for its row, as a person would write it for this operation alone: no loop over arguments, no
look-up of rules, and of the values nothing kept but what the derivative asks for. For `np.multiply` it reads

    def multiply(x, y):
        <load x>; <load y>                          # their values and nodes, and whether they need a gradient
        try:
            out = call(x_value, y_value)
        except Exception as error: ...              # say it in the user's names
        ...
        if x_needs and y_needs: node.rule = rule_11; node.saved = (x_value, y_value)
        elif x_needs:           node.rule = rule_10; node.saved = (y_value,)
        ...

"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import numpy as np

from .errors import GradientError, explained
from .graph import Node, leaf, next_index
from .primitive import TABLE, Primitive, define

recording: ContextVar[bool] = ContextVar("recording", default=True)

_LOAD = """\
    if isinstance({x}, Tensor):
        {x}_value = {x}._value
        if {x}_value is None:
            {x}_value = {x}._settle()
        {x}_node = {x}._node
        {x}_needs = {x}_node.needs
    else:
        {x}_needs = False
        kind = type({x})
        if kind is float or kind is int:
            {x}_value = {x}_node = {x}
        else:
            {x}_value = {x} if kind is ndarray else plain_operand({x}, {name!r})
            {x}_node = None
"""

_LOAD_STARRED = """\
    {x}_value, {x}_node, {x}_needs = starred_operands({x}, {name!r}, Tensor)
"""

_CALL = """\
    try:
        out = {call}
    except Exception as error:
        raise explained(error, {name!r}, ({operands},)) from None
"""

_NO_GRAD = """\
    if not recording():
        return plain(out)
"""

_CONSTANT = """\
    if {x}_node is None:
        {x}_value, {x}_node = constant_operand({x}_value, {name!r})
"""

_NODE = """\
    result = new(Tensor)
    result._node = node = Node()
    node.primitive = primitive
    node.inputs = ({nodes},)
    node.keywords = {keywords}
    node.shape = out.shape
    node.dtype = out.dtype
    node.name = None
    node.index = next_index()
"""

_NO_RULE = """\
        node.needs = False
        node.rule = None
        node.saved = ()
"""


def recorder(function: Callable[..., Any], tensor: type) -> Callable[..., Any]:
    """The recording function of a NumPy function, made when it is first called."""
    found = _RECORDERS.get(function)
    if found is None:
        found = _RECORDERS[function] = generate(TABLE[function], tensor)
    return found


_RECORDERS: dict[Callable[..., Any], Callable[..., Any]] = {}


def generate(primitive: Primitive, tensor: type) -> Callable[..., Any]:
    """Write and compile the recording function of a row."""
    formula = primitive.formula
    name = formula.name
    namespace: dict[str, Any] = {
        "Tensor": tensor, "Node": Node, "new": object.__new__, "primitive": primitive, "call": primitive.call,
        "recording": recording.get, "next_index": next_index, "plain": tensor._plain, "explained": explained,
        "constant_operand": constant_operand, "plain_operand": plain_operand, "ndarray": np.ndarray, "starred_operands": starred_operands, "NOTHING": {}, "__name__": __name__, "link": tensor._view,
    }  # fmt: skip
    fixed = [symbol for symbol in formula.arrays if symbol != formula.starred]
    source = [
        f"def record_{name}({_signature(primitive, namespace)}):\n",
        *(_LOAD.format(x=symbol, name=name) for symbol in fixed),
        _LOAD_STARRED.format(x=formula.starred, name=name) if formula.starred else "",
        _gather_keywords(primitive, namespace),
        _CALL.format(call=_call(primitive), name=name, operands=", ".join(formula.arrays)),
        "    x_needs = x_needs and recording()\n" if primitive.view else _NO_GRAD,
        *(_CONSTANT.format(x=symbol, name=name) for symbol in fixed),
        _NODE.format(
            nodes=", ".join("*" * (symbol == formula.starred) + f"{symbol}_node" for symbol in formula.arrays),
            keywords="keywords" if formula.keywords else "NOTHING",
        ),
        *_rules(primitive, namespace),
        _NO_RULE,
        "    return link(result, out, x, x_value)\n" if primitive.view else "    result._value = out\n    return result\n",
    ]
    record = define("".join(source), f"record_{name}", namespace)
    record.names = _numpy_names(primitive)
    record.accepts = {*formula.arrays, *formula.keywords}
    return record


def _numpy_names(primitive: Primitive) -> dict[str, str]:
    """What NumPy calls our x, y, z: `np.sum(a=t)` is a call, too."""
    try:
        parameters = list(inspect.signature(primitive.function).parameters)
    except ValueError:  # a ufunc, or written in C: positional only
        parameters = []
    return dict(zip(parameters, primitive.formula.arrays)) | dict(primitive.names)


def _call(primitive: Primitive) -> str:
    """The forward pass: NumPy's function, or the method that it wraps, which is faster."""
    first, *rest = [f"{symbol}_value" for symbol in primitive.formula.arrays]
    symbol = primitive.formula.operator
    if symbol and symbol not in ("**", "@"):
        return f"{first} {symbol} {rest[0]}" if rest else symbol.replace("x", first)
    plain = f"call({', '.join([first, *rest])})"
    if primitive.method:
        plain = f"{first}.{primitive.name}({', '.join(rest)}) if type({first}) is ndarray else {plain}"
    if not primitive.formula.keywords:
        return plain
    return f"call({', '.join([first, *rest])}, **keywords) if keywords else {plain}"


def _signature(primitive: Primitive, namespace: dict[str, Any]) -> str:
    """The parameters, in NumPy's order; arrays that may be left out have their defaults."""
    formula = primitive.formula
    parts = [symbol for symbol in formula.arrays if symbol not in formula.defaults]
    for name, default in (formula.defaults | formula.keywords).items():
        namespace[f"{name}_default"] = default
        parts.append(f"{name}={name}_default")
    return ", ".join(parts)


def _gather_keywords(primitive: Primitive, namespace: dict[str, Any]) -> str:
    """Pass on just the keywords that differ from NumPy's defaults."""
    lines = ["    keywords = {}\n"] if primitive.formula.keywords else []
    for name in primitive.formula.keywords:
        lines.append(f"    if {name} is not {name}_default:\n        keywords[{name!r}] = {name}\n")
    return "".join(lines)


def _rules(primitive: Primitive, namespace: dict[str, Any]) -> list[str]:
    """One branch for each choice of the arrays that need a gradient: which rule, and what it saves."""
    formula = primitive.formula
    differentiable = [derivative is not None for derivative in primitive.derivatives]
    differentiable += [False] * (len(formula.arrays) - len(differentiable))
    branches = []
    for needed in itertools.product(*([True, False] if possible else [False] for possible in differentiable)):
        if not any(needed):
            continue
        rule = primitive.rule(needed)
        label = "rule_" + "".join("01"[wanted] for wanted in needed)
        namespace[label] = rule
        test = " and ".join(f"{symbol}_needs" for symbol, wanted in zip(formula.arrays, needed, strict=True) if wanted)
        saved = "".join("out, " if symbol == "out" else f"{symbol}_value, " for symbol in rule.saves)
        branches.append(
            f"    {'elif' if branches else 'if'} {test}:\n"
            f"        node.needs = True\n        node.rule = {label}\n        node.saved = ({saved})\n"
        )
    return [*branches, "    else:\n" if branches else "    if True:\n"]


# --- operands that are no Tensors -----------------------------------------------------------------------------------------


_WEAK = (float, int, bool, complex, type(None))  # Python scalars keep NumPy's weak promotion: they stay what they are


def plain_operand(operand: Any, operation: str) -> Any:
    """An operand that is neither Tensor, array nor float, as NumPy will take it; refused where it could go wrong silently."""
    if type(operand) in _WEAK or isinstance(operand, np.generic):
        return operand
    if isinstance(operand, np.ma.MaskedArray):
        raise GradientError(f"{operation}: a masked array would lose its mask; fill it first: array.filled(0)")
    if isinstance(operand, np.ndarray):
        return operand.view(np.ndarray)
    return operand if hasattr(operand, "__array_function__") else np.asarray(operand)  # CuPy's, Dask's: never coerced


def constant_operand(value: Any, operation: str) -> tuple[Any, Any]:
    """The value and node of a plain operand; an array is copied, so that no later write is seen."""
    if type(value) in _WEAK:
        return value, value
    value = snapshot(value, operation)
    return value, leaf(value, None, False)


def starred_operands(operands: Any, operation: str, tensor: type) -> tuple[tuple[Any, ...], list[Any], bool]:
    """The values and nodes of a sequence of operands."""
    pairs = [
        x._version() if isinstance(x, tensor) else constant_operand(plain_operand(np.asarray(x), operation), operation)
        for x in operands
    ]
    nodes = [node for _, node in pairs]
    return tuple(value for value, _ in pairs), nodes, any(node.needs for node in nodes)


def snapshot(array: Any, operation: str = "Tensor") -> Any:
    """A private copy with the same strides (so that NumPy takes the same path through it, to the same bits)."""
    if type(array) is not np.ndarray:
        if isinstance(array, np.generic):
            return array
        array = plain_operand(array, operation)
        if not isinstance(array, np.ndarray):
            return array.copy()
    if array.dtype.kind not in "fiubc":
        raise GradientError(f"{operation}: an array of dtype {array.dtype} cannot be differentiated; use numbers")
    copy = array.copy("K")
    return copy if array.base is None or copy.strides == array.strides else _strided_copy(array)


def _strided_copy(array: np.ndarray) -> np.ndarray:
    steps = [(size - 1) * stride for size, stride in zip(array.shape, array.strides, strict=True)]
    low = -sum(step for step in steps if step < 0)
    if array.size == 0:
        return array.copy()
    memory = np.empty(low + sum(step for step in steps if step > 0) + array.itemsize, np.uint8)
    copy = np.ndarray(array.shape, array.dtype, memory, low, array.strides)
    copy[...] = array
    return copy
