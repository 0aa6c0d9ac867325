"""Recording: one function turns a row of the table into the function that calls NumPy and remembers the call.

The function is generated for its row, as a person would write it for this operation alone: no look-up of rules, and of
the values nothing kept but what the derivative asks for. For `np.multiply` it reads

    def multiply(x, y):
        <load x>; <load y>                          # their values and nodes, and whether they need a gradient
        try: _out = x_value * y_value
        except Exception as _error: ...             # say it in the user's names
        if _state() > ...: return _plain(_out)      # inside no_grad()
        ...
        _node.site = ...                            # the user's line, by two code objects
        if x_needs and y_needs: _node.rule = _rule_11; _node.saved = (y_value, x_value)
        elif x_needs:           _node.rule = _rule_10; _node.saved = (y_value,)
        ...
        return _result

All names of its own begin with an underscore: a user's keyword may have any other.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from .errors import GradientError, explained
from .expressions import define
from .graph import NOTHING, Node, next_index, node_of
from .modes import ANONYMOUS, NO_GRAD, mode
from .operands import Number, constant_operand, plain_operand, starred_operands
from .primitive import TABLE, Primitive
from .watch import watch_over

RECORDERS: dict[Callable[..., Any], Callable[..., Any]] = {}  # the recording functions that have been made


def recorder(function: Callable[..., Any], tensor: type) -> Callable[..., Any]:
    """The recording function of a NumPy function, made when it is first asked for."""
    found = RECORDERS.get(function)
    if found is None:
        found = RECORDERS[function] = generate(TABLE[function], tensor)
    return found


@functools.cache
def keyword_names(primitive: Primitive) -> dict[str, str]:
    """The keywords that a recording function takes, by NumPy's name: `np.sum(a=t)` is a call, too."""
    formula = primitive.formula
    ours = {name: name for name in (*formula.arrays, *formula.keywords)}
    try:
        parameters = list(inspect.signature(primitive.function).parameters)
    except ValueError:  # written in C without a signature: positional only
        parameters = []
    return dict(zip(parameters, formula.arrays, strict=False)) | ours | dict(primitive.names)


# --- the parts that a recording function is put together from -------------------------------------------------------

_LOAD = """\
    if isinstance({x}, _Tensor):
        {x}_value = {x}._value
        if {x}_value is None:
            {x}_value = {x}._settle()
        {x}_node = {x}._node
        {x}_needs = {x}_node.needs
    else:
        {x}_needs = False
        _kind = type({x})
        if _kind is float or _kind is int:
            {x}_value = {x}_node = {x}
        else:
            {x}_value = {x} if _kind is _ndarray else _plain_operand({x}, _name{other})
            {x}_node = {x} if _kind is _Number else None
"""

_STRONG = """\
    if type({x}) is float or type({x}) is int:
        {x} = _asarray({x})
"""

_LOAD_STARRED = """\
    {x}_value, {x}_node, {x}_needs = _starred_operands({x}, _name, _Tensor)
"""

_CALL = """\
    try:
        _out = {call}
    except Exception as _error:
        raise _explained(_error, _name, ({operands},)) from None
"""

_COMPLEX = """\
    if type(_out) is complex:
        _out = _complex128(_out)
"""

_MODE = """\
    _mode = _state()
    if _mode and _mode != _ANONYMOUS:
        if _mode < _NO_GRAD:
            return _watched()({arguments})
        {paused}
"""

_WATCH = """\
    _watch(_node, _out, ({operands},))
"""

_INTO = "{result} if _target is None else _into(_target, {result}, _call_name)"

_CONSTANT = """\
    if {x}_node is None:
        {x}_value, {x}_node = _constant_operand({x}_value, _name)
"""

_INTEGERS = """\
    if _out.dtype.kind not in "{kinds}":
        {needs} = False
"""

_NODE = """\
    _result = _new(_Tensor)
    _result._node = _node = _Node()
    _node.primitive = _primitive
    _node.inputs = ({nodes},)
    _node.keywords = {keywords}
    _node.shape = {shape}
    _node.dtype = _out.dtype
    _node.name = None
    _node.index = _next_index()
"""

_NODE_SEVERAL = """\
    _node = _node_of(_primitive, ({nodes},), {keywords}, _out)
"""

_SITE = """\
    if _mode:
        _node.site = None
    else:
        _frame = _getframe(1)
        while "__library__" in _frame.f_globals and _frame.f_back is not None:
            _frame = _frame.f_back
        _caller = _frame.f_back
        while _caller is not None and "__library__" in _caller.f_globals:
            _caller = _caller.f_back
        if _caller is None:
            _node.site = (_frame.f_code, _frame.f_lasti, None, 0)
        else:
            _node.site = (_frame.f_code, _frame.f_lasti, _caller.f_code, _caller.f_lasti)
"""

_RULE = """\
    {otherwise}if {needed}:
        _node.needs = True
        _node.rule = {rule}
        _node.saved = ({saved})
"""

_NO_RULE = """\
    {otherwise}:
        _node.needs = False
        _node.rule = None
        _node.saved = ()
"""

_RETURN = """\
    _result._value = _out
    return {result}
"""

_RETURN_SEVERAL = """\
    return _unpacked(_node, _out)
"""

_RETURN_VIEW = """\
    return _view(_result, _out, x, x_value)
"""


def generate(primitive: Primitive, tensor: Any, watch: bool = False, reflected: bool = False) -> Callable[..., Any]:
    """Write and compile the recording function of a row; one that watches over what it computes, for `anomaly`; of an
    operator also the `reflected` one, which takes y first."""
    formula, several = primitive.formula, primitive.several
    namespace: dict[str, Any] = {
        "__library__": True, "__name__": __name__, "_ANONYMOUS": ANONYMOUS, "_NOTHING": NOTHING, "_Node": Node,
        "_Tensor": tensor, "_NO_GRAD": NO_GRAD, "_Number": Number, "_asarray": np.asarray, "_call": primitive.call,
        "_call_name": primitive.call_name, "_check": primitive.check, "_complex128": np.complex128,
        "_constant_operand": constant_operand, "_explained": explained, "_frozen": frozen, "_getframe": sys._getframe,
        "_into": tensor._into, "_name": primitive.title, "_ndarray": np.ndarray, "_new": object.__new__,
        "_next_index": next_index, "_node_of": node_of, "_otherwise": functools.partial(_otherwise, primitive, tensor),
        "_plain": tensor._plain, "_plain_operand": plain_operand, "_plainly": tensor._plainly, "_primitive": primitive,
        "_starred_operands": starred_operands, "_state": mode.get, "_unpacked": tensor._unpacked,
        "_view": tensor._view_of, "_watch": watch_over,
        "_watched": functools.cache(functools.partial(generate, primitive, tensor, watch=True)),
    }  # fmt: skip
    fixed = [symbol for symbol in formula.arrays if symbol != formula.starred]
    nodes = ["*" * (symbol == formula.starred) + f"{symbol}_node" for symbol in formula.arrays]
    shape = "x_node.shape" if primitive.kind == "elementwise" and formula.arrays == ("x",) else "_out.shape"
    may_not_carry = primitive.foreign or "dtype" in formula.keywords or primitive.carries != "fc"
    into = _INTO if "out" in formula.keywords else "{result}"
    plain = "return " + ("_plainly(_out)" if several else into.format(result="_plain(_out)"))
    returned = _RETURN_SEVERAL if several else _RETURN_VIEW if primitive.view else _RETURN
    operands = ", ".join(formula.arrays)
    other = ", y_value" if formula.operator and len(fixed) == 2 else ""
    modes = _MODE.format(
        arguments=", ".join([operands, *(f"{n}={'_target' if n == 'out' else n}" for n in formula.keywords)]),
        paused="x_needs = False" if primitive.view else plain,
    )
    source = [
        f"def {formula.name}({'y, x' if reflected else _signature(primitive, namespace)}):\n",
        *(_STRONG.format(x=symbol) for symbol in fixed if not primitive.weak),
        *(_LOAD.format(x=symbol, other=other if symbol == "x" else "") for symbol in reversed(fixed)),
        _LOAD_STARRED.format(x=formula.starred) if formula.starred else "",
        *_gather_keywords(primitive),
        _CALL.format(call=_call(primitive), operands=operands),
        _COMPLEX if primitive.is_operator else "",
        "    _mode = 0\n" if watch else modes,
        *(_CONSTANT.format(x=symbol) for symbol in fixed),
        (_NODE_SEVERAL if several else _NODE).format(
            nodes=", ".join(nodes), shape=shape, keywords="_keywords" if formula.keywords else "_NOTHING"
        ),
        _SITE,
        *(
            _INTEGERS.format(needs=f"{symbol}_needs", kinds=primitive.carries)
            for symbol in formula.arrays
            if may_not_carry
        ),
        *_rules(primitive, namespace),
        _WATCH.format(operands=operands) if watch else "",
        returned.format(result=into.format(result="_result")),
    ]
    return define("".join(source), formula.name, namespace)


def _signature(primitive: Primitive, namespace: dict[str, Any]) -> str:
    """The parameters, in NumPy's order; arrays that may be left out have their defaults."""
    formula = primitive.formula
    parts = [symbol for symbol in formula.arrays if symbol not in formula.defaults]
    for name, default in {**formula.defaults, **formula.keywords}.items():
        namespace[f"{name}_default"] = default
        parts.append(name if default is ... else f"{name}={name}_default")
    return ", ".join([*parts, *["**_unknown"] * bool(formula.keywords)])


def _gather_keywords(primitive: Primitive) -> list[str]:
    """Pass on just the keywords that differ from NumPy's defaults."""
    names = primitive.formula.keywords
    if not names:
        return []
    arrays = "".join(
        f"*{name}, " if name == primitive.formula.starred else f"{name}, " for name in primitive.formula.arrays
    )
    given = ", ".join(f"{name}={name}" for name in names)
    check = ["    _check(**_keywords)\n"] * bool(primitive.check)
    lines = [
        f"    if _unknown:\n        return _otherwise(({arrays}), dict({given}), _unknown)\n",
        "    _keywords = {}\n",
    ]
    for name in names:
        store = "_target = out" if name == "out" else f"_keywords[{name!r}] = _frozen({name}, {name!r}, _call_name)"
        lines.append(f"    if {name} is not {name}_default:\n        {store}\n")
    return [*lines[:1], *["    _target = None\n"] * ("out" in names), *lines[1:], *check]


def frozen(value: Any, keyword: str, call_name: str) -> Any:
    """A keyword as the graph keeps it: what the user may still write to is copied, what carries gradient is refused."""
    if hasattr(value, "requires_grad"):
        if value.requires_grad:
            raise GradientError(f"{call_name}: a Tensor that carries gradient cannot be the keyword {keyword}")
        value = value.numpy()
    if isinstance(value, np.ndarray):
        value = value.tolist()
    return tuple(frozen(item, keyword, call_name) for item in value) if isinstance(value, list) else value


def _otherwise(primitive: Primitive, tensor: Any, arrays: tuple[Any, ...], given: Any, unknown: Any) -> Any:
    """A call with keywords that this row does not take."""
    defaults = primitive.formula.keywords
    keywords = {name: value for name, value in given.items() if value is not defaults[name]}
    return tensor._otherwise(primitive.function, arrays, keywords | unknown)


def _call(primitive: Primitive) -> str:
    """The forward pass: an operator where that is one, or the method that NumPy's function wraps, which is faster."""
    formula = primitive.formula
    first, *rest = [f"{symbol}_value" for symbol in formula.arrays]
    if formula.operator and not primitive.forward:
        return f"{first} {formula.operator} {rest[0]}" if rest else formula.operator.replace("x", first)
    call = f"_call({', '.join([first, *rest])})"
    if primitive.method is True:
        call = f"{first}.{formula.name}({', '.join(rest)}) if type({first}) is _ndarray else {call}"
    return f"_call({', '.join([first, *rest])}, **_keywords) if _keywords else {call}" if formula.keywords else call


def _rules(primitive: Primitive, namespace: dict[str, Any]) -> list[str]:
    """One branch for each choice of the arrays that need a gradient: which rule, and what it saves."""
    arrays = primitive.formula.arrays
    branches: list[str] = []
    choices = [[True, False] if differentiable else [False] for differentiable in primitive.differentiable]
    for needed in itertools.product(*choices):
        if any(needed):
            rule = primitive.rule(needed)
            label = "_rule_" + "".join("01"[wanted] for wanted in needed)
            namespace[label] = rule
            tests = [f"{symbol}_needs" for symbol, wanted in zip(arrays, needed, strict=True) if wanted]
            saved = "".join("_out, " if symbol == "out" else f"{symbol}_value, " for symbol in rule.saves)
            otherwise = "el" if branches else ""
            branches.append(_RULE.format(otherwise=otherwise, needed=" and ".join(tests), rule=label, saved=saved))
    return [*branches, _NO_RULE.format(otherwise="else" if branches else "if True")]
