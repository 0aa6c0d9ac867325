"""Recording: one function turns a row of the table into the function that calls NumPy and remembers the call.

The function is generated for its row, as a person would write it for this operation alone: no look-up of rules, and of
the values nothing kept but what the derivative asks for. For `np.multiply` it reads

    def multiply(x, y):
        <load x>; <load y>                          # their values and nodes, and whether they need a gradient
        try: out = x_value * y_value
        except Exception as error: ...              # say it in the user's names
        if paused(): return plain(out)
        ...
        if x_needs and y_needs: node.rule = rule_11; node.saved = (y_value, x_value)
        elif x_needs:           node.rule = rule_10; node.saved = (y_value,)
        ...
        return result
"""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np

from .errors import GradientError, TracedValueError, explained
from .expressions import define
from .graph import NOTHING, Graph, Node, next_index, node_of
from .operands import constant_operand, plain_operand, starred_operands
from .primitive import TABLE, Primitive
from .watch import watch_over

P = ParamSpec("P")
R = TypeVar("R")

# In this thread or task: 2 for each no_grad() that is open, and 1 if an anomaly() is. Both, so that the hot path asks once.
_mode: ContextVar[int] = ContextVar("mode", default=0)
WATCHED, NO_GRAD = 1, 2


def paused() -> bool:
    """Whether a no_grad() is open in this thread or task."""
    return _mode.get() >= NO_GRAD


def watching() -> bool:
    """Whether an anomaly() is open in this thread or task, and no no_grad()."""
    return _mode.get() == WATCHED


class no_grad:
    """A context, or a decorator, in which nothing is recorded: for updates and for evaluation.

    Holds for its thread and its async task alone.

    >>> import autodiff as ad
    >>> w = ad.Tensor([1.0])
    >>> with ad.no_grad():
    ...     w -= 0.25
    >>> w
    Tensor([0.75])
    """

    def __init__(self, function: None = None) -> None:
        if function is not None:
            raise TypeError("no_grad is called first: write `@no_grad()`, or `with no_grad():`")

    def __enter__(self) -> None:
        if _tracing.get():
            raise TracedValueError("no_grad() inside vmap would take values out of the program: use .detach()")
        _mode.set(_mode.get() + NO_GRAD)

    def __exit__(self, *exception: object) -> None:
        if paused():  # a generator may be closed in another task than it was opened in
            _mode.set(_mode.get() - NO_GRAD)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        if inspect.isasyncgenfunction(function):
            raise GradientError(f"no_grad cannot decorate {function.__name__}: write `with no_grad():` inside it")
        if inspect.isgeneratorfunction(function):
            return cast(Callable[P, R], _steps_without_grad(function))
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def call_async(*arguments: P.args, **keywords: P.kwargs) -> Any:
                with no_grad():
                    return await function(*arguments, **keywords)

            return cast(Callable[P, R], call_async)

        @functools.wraps(function)
        def call(*arguments: P.args, **keywords: P.kwargs) -> R:
            with no_grad():
                return function(*arguments, **keywords)

        return call


def _steps_without_grad(function: Callable[P, Generator[Any, Any, Any]]) -> Callable[P, Generator[Any, Any, Any]]:
    """A generator whose body runs inside no_grad(), and whoever consumes it does not."""

    @functools.wraps(function)
    def steps(*arguments: P.args, **keywords: P.kwargs) -> Generator[Any, Any, Any]:
        generator = function(*arguments, **keywords)
        resume = functools.partial(generator.send, None)
        while True:
            try:
                with no_grad():
                    item = resume()
            except StopIteration as stop:
                return stop.value
            try:
                resume = functools.partial(generator.send, (yield item))
            except GeneratorExit:
                generator.close()
                raise
            except BaseException as error:  # thrown in by the consumer: the generator's to handle
                resume = functools.partial(generator.throw, error)

    return steps


@contextmanager
def resumed(paused_now: int = 0) -> Generator[None]:
    """A context in which recording goes on, whatever no_grad() is open outside."""
    token = _mode.set(_mode.get() % NO_GRAD + NO_GRAD * paused_now)
    try:
        yield
    finally:
        _mode.reset(token)


_tracing: ContextVar[int] = ContextVar("tracing", default=0)  # how many functions are being recorded for other values


@contextmanager
def traced() -> Generator[None]:
    """A context in which a program is recorded that will be computed again, for other values."""
    token = _tracing.set(_tracing.get() + 1)
    try:
        yield
    finally:
        _tracing.reset(token)


def tracing() -> bool:
    """Whether a function is being recorded for other values."""
    return _tracing.get() > 0


def may_leave(node: Node, action: str) -> None:
    """Raise where a value that stands for others would be taken out of the program that is being recorded."""
    if _tracing.get() and any(x.variable and x.variable.tracer and not x.variable.closed for x in Graph([node]).leaves):
        raise TracedValueError(f"{action} of a value that differs from call to call: inside vmap use np.where")


class anomaly:
    """A context that raises at the first operation whose value or gradient is not finite, and says where it stands.

    Values are looked at as they are computed; gradients in the backward pass of what was computed in the context.

    >>> import autodiff as ad
    >>> x = ad.Tensor([1.0, 0.0], name="x")
    >>> with ad.anomaly(), np.errstate(divide="ignore"):
    ...     np.log(x)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    autodiff.errors.AnomalyError: log of x (2,) [0.0 ... 1.0]: 1 of 2 values not finite (-inf), at ...
    """

    def __enter__(self) -> None:
        self._token = _mode.set(_mode.get() | WATCHED)

    def __exit__(self, *exception: object) -> None:
        _mode.reset(self._token)


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
            {x}_value = {x} if kind is ndarray else plain_operand({x}, name)
            {x}_node = None
"""

_STRONG = """\
    if type({x}) is float or type({x}) is int:
        {x} = asarray({x})
"""

_LOAD_STARRED = """\
    {x}_value, {x}_node, {x}_needs = starred_operands({x}, name, Tensor)
"""

_CALL = """\
    try:
        out = {call}
    except Exception as error:
        raise explained(error, name, ({operands},)) from None
"""

_COMPLEX = """\
    if type(out) is complex:
        out = complex128(out)
"""

_MODE = """\
    if state():
        if state() == WATCHED:
            return watched()({arguments})
        {paused}
"""

_WATCH = """\
    watch(node, out, ({operands},))
"""

_INTO = "{result} if target is None else into(target, {result}, call_name)"

_CONSTANT = """\
    if {x}_node is None:
        {x}_value, {x}_node = constant_operand({x}_value, name)
"""

_INTEGERS = """\
    if out.dtype.kind not in "{kinds}":
        {needs} = False
"""

_NODE = """\
    result = new(Tensor)
    result._node = node = Node()
    node.primitive = primitive
    node.inputs = ({nodes},)
    node.keywords = {keywords}
    node.shape = {shape}
    node.dtype = out.dtype
    node.name = None
    node.index = next_index()
"""

_NODE_SEVERAL = """\
    node = node_of(primitive, ({nodes},), {keywords}, out)
"""

_RULE = """\
    {otherwise}if {needed}:
        node.needs = True
        node.rule = {rule}
        node.saved = ({saved})
"""

_NO_RULE = """\
    {otherwise}:
        node.needs = False
        node.rule = None
        node.saved = ()
"""

_RETURN = """\
    result._value = out
    return {result}
"""

_RETURN_SEVERAL = """\
    return unpacked(node, out)
"""

_RETURN_VIEW = """\
    return view(result, out, x, x_value)
"""


def generate(primitive: Primitive, tensor: Any, watch: bool = False) -> Callable[..., Any]:
    """Write and compile the recording function of a row; one that watches over what it computes, for `anomaly`."""
    formula, several = primitive.formula, primitive.several
    namespace: dict[str, Any] = {
        "Node": Node, "NOTHING": NOTHING, "Tensor": tensor, "WATCHED": WATCHED, "__name__": __name__,
        "asarray": np.asarray, "call": primitive.call, "call_name": primitive.call_name, "check": primitive.check,
        "complex128": np.complex128, "constant_operand": constant_operand, "explained": explained, "frozen": frozen, "into": tensor._into,
        "state": _mode.get, "name": primitive.title, "ndarray": np.ndarray, "new": object.__new__,
        "next_index": next_index, "node_of": node_of, "otherwise": functools.partial(_otherwise, primitive, tensor),
        "plain": tensor._plain, "plain_operand": plain_operand, "plainly": tensor._plainly, "primitive": primitive,
        "starred_operands": starred_operands, "unpacked": tensor._unpacked, "view": tensor._view_of, "watch": watch_over,
        "watched": functools.cache(functools.partial(generate, primitive, tensor, watch=True)),
    }  # fmt: skip
    fixed = [symbol for symbol in formula.arrays if symbol != formula.starred]
    nodes = ["*" * (symbol == formula.starred) + f"{symbol}_node" for symbol in formula.arrays]
    shape = "x_node.shape" if primitive.kind == "elementwise" and formula.arrays == ("x",) else "out.shape"
    may_not_carry = primitive.foreign or "dtype" in formula.keywords or primitive.carries != "fc"
    into = _INTO if "out" in formula.keywords else "{result}"
    plain = "return " + ("plainly(out)" if several else into.format(result="plain(out)"))
    returned = _RETURN_SEVERAL if several else _RETURN_VIEW if primitive.view else _RETURN
    operands = ", ".join(formula.arrays)
    mode = _MODE.format(
        arguments=", ".join([operands, *(f"{n}={'target' if n == 'out' else n}" for n in formula.keywords)]),
        paused="x_needs = False" if primitive.view else plain,
    )
    source = [
        f"def {formula.name}({_signature(primitive, namespace)}):\n",
        *(_STRONG.format(x=symbol) for symbol in fixed if not primitive.weak),
        *(_LOAD.format(x=symbol) for symbol in fixed),
        _LOAD_STARRED.format(x=formula.starred) if formula.starred else "",
        *_gather_keywords(primitive),
        _CALL.format(call=_call(primitive), operands=operands),
        _COMPLEX if primitive.is_operator else "",
        "" if watch else mode,
        *(_CONSTANT.format(x=symbol) for symbol in fixed),
        (_NODE_SEVERAL if several else _NODE).format(
            nodes=", ".join(nodes), shape=shape, keywords="keywords" if formula.keywords else "NOTHING"
        ),
        *(_INTEGERS.format(needs=f"{symbol}_needs", kinds=primitive.carries) for symbol in formula.arrays if may_not_carry),
        *_rules(primitive, namespace),
        _WATCH.format(operands=operands) if watch else "",
        returned.format(result=into.format(result="result")),
    ]
    return define("".join(source), formula.name, namespace)


def _signature(primitive: Primitive, namespace: dict[str, Any]) -> str:
    """The parameters, in NumPy's order; arrays that may be left out have their defaults."""
    formula = primitive.formula
    parts = [symbol for symbol in formula.arrays if symbol not in formula.defaults]
    for name, default in {**formula.defaults, **formula.keywords}.items():
        namespace[f"{name}_default"] = default
        parts.append(name if default is ... else f"{name}={name}_default")
    return ", ".join([*parts, *["**unknown"] * bool(formula.keywords)])


def _gather_keywords(primitive: Primitive) -> list[str]:
    """Pass on just the keywords that differ from NumPy's defaults."""
    names = primitive.formula.keywords
    if not names:
        return []
    arrays = "".join(f"*{name}, " if name == primitive.formula.starred else f"{name}, " for name in primitive.formula.arrays)
    given = ", ".join(f"{name}={name}" for name in names)
    check = ["    check(**keywords)\n"] * bool(primitive.check)
    lines = [f"    if unknown:\n        return otherwise(({arrays}), dict({given}), unknown)\n", "    keywords = {}\n"]
    for name in names:
        store = "target = out" if name == "out" else f"keywords[{name!r}] = frozen({name}, {name!r}, call_name)"
        lines.append(f"    if {name} is not {name}_default:\n        {store}\n")
    return [*lines[:1], *["    target = None\n"] * ("out" in names), *lines[1:], *check]


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
    call = f"call({', '.join([first, *rest])})"
    if primitive.method is True:
        call = f"{first}.{formula.name}({', '.join(rest)}) if type({first}) is ndarray else {call}"
    return f"call({', '.join([first, *rest])}, **keywords) if keywords else {call}" if formula.keywords else call


def _rules(primitive: Primitive, namespace: dict[str, Any]) -> list[str]:
    """One branch for each choice of the arrays that need a gradient: which rule, and what it saves."""
    arrays = primitive.formula.arrays
    branches: list[str] = []
    choices = [[True, False] if differentiable else [False] for differentiable in primitive.differentiable]
    for needed in itertools.product(*choices):
        if any(needed):
            rule = primitive.rule(needed)
            label = "rule_" + "".join("01"[wanted] for wanted in needed)
            namespace[label] = rule
            tests = [f"{symbol}_needs" for symbol, wanted in zip(arrays, needed, strict=True) if wanted]
            saved = "".join("out, " if symbol == "out" else f"{symbol}_value, " for symbol in rule.saves)
            otherwise = "el" if branches else ""
            branches.append(_RULE.format(otherwise=otherwise, needed=" and ".join(tests), rule=label, saved=saved))
    return [*branches, _NO_RULE.format(otherwise="else" if branches else "if True")]
