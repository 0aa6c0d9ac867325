"""The table: one row for each primitive, and what a row's text means.

A primitive *is* a NumPy function (or one of our few own, `rules/activation.py`). Its row states how it is called
and how it is differentiated, in Python expressions:

    elementwise(np.tanh,  "tanh(x)",                            "1 - out**2")
    linear(np.sum,        "sum(x, axis=None, keepdims=False)",  "spread(g, x.shape, axis, keepdims)")

The first text is the *formula*: the arrays, called `x`, `y`, `z` in NumPy's order (a `*x` takes any number of them),
then NumPy's keywords with their defaults (`...` where there is none); `x * y` also names an operator. Then one
*derivative* for each array, `None` where there is none. One symbol each, everywhere: `g` the incoming gradient, `out`
the result, `x, y, z` the arrays, keywords by name.

This module knows neither graphs nor Tensors: it turns the texts into functions of arrays.
"""

from __future__ import annotations

import ast
import copy
import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .cotangents import Masked
from .expressions import OPERATORS, Floats, Formula, Metadata, define, names_used, parse, syntax, times_g
from .guards import checked, handed_out
from .sites import __library__  # noqa: F401
from .structures import filled, results

Derivative = str | Callable[..., Any] | None
Interval = tuple[float, float]


class Rule:
    """The derivatives of a row, for one choice of the arrays that need them.

    `saves` names the values, among the arrays and `out`, that the derivatives ask for. `pull(node, saved, g)`, given
    these values in this order, returns pairs of an input and its gradient, for the inputs that need one. Of an
    elementwise row, whose Jacobian is its own transpose, `push(node, saved, tangents)` returns the result's tangent.
    """

    __slots__ = ("_keywords", "_namespace", "_primitive", "_terms", "pull", "push", "saves")

    def __init__(self, primitive: Primitive, needed: tuple[bool, ...]) -> None:
        self.pull: Callable[..., tuple[Any, ...]] = self._compile_and_pull
        self.push: Callable[..., Any] = self._compile_and_push
        self._primitive = primitive
        self._namespace = dict(primitive.namespace)
        self._terms = [
            vector_jacobian(primitive, position, self._namespace) if wanted else None
            for position, wanted in enumerate(needed)
        ]
        used = dict.fromkeys(name for term in self._terms if term for name in names_used(term))
        values = (*primitive.formula.arrays, "out")
        self.saves: tuple[str, ...] = tuple(name for name in used if name in values)
        self._keywords = [name for name in used if name in primitive.formula.keywords and name not in values]

    def _compile_and_pull(self, node: Any, saved: tuple[Any, ...], g: Any) -> tuple[tuple[Any, Any], ...]:
        """Many rules are never asked: each is compiled when it is first."""
        self.pull = self._pull()
        return self.pull(node, saved, g)

    def _compile_and_push(self, node: Any, saved: tuple[Any, ...], tangents: Any) -> Any:
        self.push = self._push()
        return self.push(node, saved, tangents)

    def _pull(self) -> Callable[..., tuple[Any, ...]]:
        """Written as a person would for this row and these arguments."""
        formula, selecting = self._primitive.formula, self._primitive.kind == "selecting"
        lines, pairs = self._unpacked(), []
        for position, (symbol, gradient) in enumerate(zip(formula.arrays, self._gradients(), strict=True)):
            if gradient is not None:
                x = f"node.inputs[{position}]"
                if selecting:
                    lines += [f"    taken, dropped = selectors({x})", f"    g{symbol} = {gradient}"]
                one = f"({x}, g{symbol})" if selecting else f"({x}, {gradient})"
                many = f"*((x, gx) for x, gx in zip(node.inputs[{position}:], {gradient}) if x.needs)"
                pairs.append(many if symbol == formula.starred else one)
        guard = ["    g, saved = handed_out(g), handed_out(saved)"] if self._primitive.foreign else []
        return self._define("pull", "g", [*guard, *lines, f"    return ({', '.join(pairs)},)"])

    def _push(self) -> Callable[..., Any]:
        lines = [*self._unpacked(), "    total = None"]
        for position, gradient in enumerate(self._gradients()):
            if gradient is not None:
                lines += [f"    g = tangents[{position}]", "    if g is not None:"]
                lines += [f"        term = {gradient}", "        total = term if total is None else total + term"]
        guard = ["    saved, tangents = handed_out(saved), handed_out(tangents)"] if self._primitive.foreign else []
        return self._define("push", "tangents", [*guard, *lines, "    return total"])

    def _gradients(self) -> list[str | None]:
        """For each array its gradient, as source."""
        name, metadata = self._primitive.formula.name, Metadata(self._primitive.formula)
        sources = [None if term is None else ast.unparse(metadata.visit(copy.deepcopy(term))) for term in self._terms]
        return [f"checked({s}, {name!r})" if s and self._primitive.foreign else s for s in sources]

    def _unpacked(self) -> list[str]:
        values = [f"    {''.join(f'{name}, ' for name in self.saves)}= saved"] if self.saves else []
        return values + [f"    {name} = node.keywords.get({name!r}, {name}_default)" for name in self._keywords]

    def _define(self, what: str, incoming: str, body: list[str]) -> Callable[..., Any]:
        formula = self._primitive.formula
        name = f"{what}_{formula.name}"
        self._namespace |= {"handed_out": handed_out, "checked": checked}
        self._namespace |= {"selectors": selectors, "taken": taken, "dropped": dropped}
        self._namespace |= {f"{name}_default": formula.keywords[name] for name in self._keywords}
        return define("\n".join([f"def {name}(node, saved, {incoming}):", *body]), name, self._namespace)


def selectors(x: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """How selecting rows choose for the node x: with a mask, unless nothing behind x could make a zero a nan."""
    waiting = [x]
    while waiting:
        node = waiting.pop()
        row = node.primitive
        if row is None:
            if node.variable is not None and node.variable.inner:
                return MASKING
        elif row.passes_on:
            waiting += [x for x in node.inputs if hasattr(x, "primitive")]
        elif row.kind not in ("linear", "special", "constant"):
            return MASKING
    return PLAIN


class Primitive:
    """One row of the table.

    `function` is what the forward pass calls. `kind` says what the derivatives state (`elementwise`: the partial
    derivative, `linear`: the transpose, `selecting` and `special`: a vector-Jacobian product, `constant`: nothing).
    `domain` maps an array's symbol to the open interval of its values, `kinks` points without a derivative to what we
    take there.
    `names` are further names of NumPy's for the arrays; `check` refuses keywords at the door. `method`: NumPy has it as
    a method (of this name, if not its own), too; `title` is what errors call it. `view`: the result may share the
    memory of x; `several`: it is a tuple of arrays. `weak`: Python scalars do not decide the dtype.
    `carries`: the kinds of dtype whose results carry gradient. `forward`: what computes the same bits, but better.
    `foreign`: a user's own.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        formula: str,
        *derivatives: Derivative,
        kind: str,
        namespace: Mapping[str, Any],
        method: bool | str = False,
        view: bool = False,
        several: bool = False,
        foreign: bool = False,
        weak: bool = False,
        carries: str = "fc",
        forward: Callable[..., Any] | None = None,
        names: Mapping[str, str] | None = None,
        check: Callable[..., None] | None = None,
        title: str | None = None,
        kinks: Mapping[tuple[float, ...], tuple[float, ...]] | None = None,
        **domain: Interval,
    ) -> None:
        self.function = function
        self.text = formula
        self.derivatives = derivatives
        self.kind = kind
        self.namespace = namespace
        self.method = method
        self.view = view
        self.several = several
        self.carries = carries
        self.foreign = foreign
        self.forward = forward
        self.weak: bool = weak or kind == "elementwise" or isinstance(function, np.ufunc)
        self.names: Mapping[str, str] = names or {}
        self.check = check
        self._title = title
        self.kinks: Mapping[Any, Any] = kinks or {}
        self.domain = domain

    def __repr__(self) -> str:
        return f"<primitive {self.text}>"

    @property
    def is_operator(self) -> bool:
        """Whether the formula is an operator; known without parsing it."""
        return not self.text.endswith(")")

    @property
    def differentiable(self) -> tuple[bool, ...]:
        """Which of the arrays have a derivative."""
        given = [derivative is not None for derivative in self.derivatives]
        return (*given, *[False] * (len(self.formula.arrays) - len(given)))

    @functools.cached_property
    def passes_on(self) -> bool:
        """Whether it moves or adds elements: no factor comes to a gradient that goes through."""
        if self.kind == "elementwise":
            return all(derivative in (None, "1", "-1") for derivative in self.derivatives)
        factors = {x for x, moves in zip(self.formula.arrays, self.differentiable, strict=True) if moves}
        return self.kind == "linear" and not factors & set(self.rule(self.differentiable).saves)

    @property
    def name(self) -> str:
        """The function's name, as pictures say it."""
        return self.formula.name

    @property
    def title(self) -> str:
        """What an error says was called."""
        return self._title or self.name

    @property
    def call_name(self) -> str:
        """The function's name, as a program says it."""
        module = getattr(self.function, "__module__", None) or "numpy"  # ufuncs have had one only since NumPy 2.1
        ours = hasattr(self.function, "forward") or not module.startswith("numpy")
        return self.name if ours else f"{module.replace('numpy', 'np', 1)}.{self.name}"

    @functools.cached_property
    def formula(self) -> Formula:
        """The parsed call."""
        return parse(self.text, self.function.__name__)

    @property
    def call(self) -> Callable[..., Any]:
        """The forward pass on plain values."""
        symbol = self.formula.operator
        return self.forward or (OPERATORS[symbol] if symbol else getattr(self.function, "forward", self.function))

    def evaluate(self, values: tuple[Any, ...], keywords: Mapping[str, Any]) -> Any:
        """The forward pass, on the values of a node's inputs."""
        if self.formula.starred:
            position = self.formula.arrays.index(self.formula.starred)
            values = (*values[:position], values[position:])
        return self.call(*values, **keywords)

    def rule(self, needed: tuple[bool, ...]) -> Rule:
        """The derivatives for the arrays that are `needed`, as one function."""
        return Rule(self, needed)


# --- the constructors of rows ---------------------------------------------------------------------------------------

TABLE: dict[Callable[..., Any], Primitive] = {}


def _row(kind: str) -> Callable[..., Primitive]:
    def constructor(function: Callable[..., Any], formula: str, *derivatives: Derivative, **options: Any) -> Primitive:
        namespace = sys._getframe(1).f_globals  # a row's expressions see the names of the file that they stand in
        row = Primitive(function, formula, *derivatives, kind=kind, namespace=namespace, **options)
        return TABLE.setdefault(function, row)

    constructor.__name__ = kind
    return constructor


elementwise: Callable[..., Primitive] = _row("elementwise")  # states the partial derivatives
selecting: Callable[..., Primitive] = _row("selecting")  # element by element, states what becomes of g
linear: Callable[..., Primitive] = _row("linear")  # states the transposes, applied to g
special: Callable[..., Primitive] = _row("special")  # states the vector-Jacobian products
constant: Callable[..., Primitive] = _row("constant")  # derivative zero, but still a node


class Composed(Primitive):
    """A function whose derivative is that of an expression in simpler functions, by NumPy's own names of the arguments.

        composed(np.fliplr, "fliplr(m)", "m[:, ::-1]")

    The forward pass is NumPy's function itself; any of its arguments, nested in lists too, may hold Tensors. Without an
    expression it is NumPy's own Python code that runs on Tensors. `inlined`: the expression is recorded in the place of
    the function, not kept for the backward pass: for what returns views, writes in place or calls a user's function.
    """

    inlined = False

    @functools.cached_property
    def formula(self) -> Formula:
        """All arrays are one sequence; where they stand among the arguments is said by the keyword."""
        return Formula(self.text.partition("(")[0], ("x",), "x", {}, {"call": ...}, None)

    @functools.cached_property
    def composition(self) -> Callable[..., Any]:
        """The expression, as a function with NumPy's signature."""
        (expression,) = self.derivatives
        if expression is None:
            return self.function._implementation  # type: ignore[attr-defined]
        if callable(expression):
            return expression
        return define(f"def {self.text}:\n    return {expression}\n", self.name, dict(self.namespace))

    @property
    def differentiable(self) -> tuple[bool, ...]:
        """All of the arrays, or none."""
        return (self.kind == "composed",)

    def evaluate(self, values: tuple[Any, ...], keywords: Mapping[str, Any]) -> Any:
        """The forward pass, on the values of a node's inputs."""
        arguments, options = filled(keywords["call"], values)
        return results(self.call(*arguments, **options))


COMPOSED: dict[Callable[..., Any], Composed] = {}  # of these, also the calls that a row of TABLE does not take


def composed(function: Callable[..., Any], formula: str, expression: Derivative = None, **options: Any) -> Composed:
    """A row that states an equal expression."""
    options = {"kind": "composed", "namespace": sys._getframe(1).f_globals} | options
    return COMPOSED.setdefault(function, Composed(function, formula, expression, **options))


def inlined(function: Callable[..., Any], formula: str, expression: Derivative = None, **options: Any) -> Composed:
    """A row that states the expression to record in the place of the function."""
    row = composed(function, formula, expression, namespace=sys._getframe(1).f_globals, **options)
    row.inlined = True
    return row


def constants(*functions: Callable[..., Any]) -> None:
    """Rows, of any signature, whose results carry no gradient: indices, truth values, counts."""
    for function in functions:
        composed(function, f"{function.__name__}(...)", kind="constant")


def own(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a function of ours, written for arrays, be recorded as NumPy's are: by the protocol of NEP 18."""
    tensor: Any = ()
    record = function

    @functools.wraps(function)
    def dispatch(*arrays: Any, **keywords: Any) -> Any:
        if arrays and isinstance(arrays[0], tensor):
            return record(*arrays, **keywords)
        for array in (*arrays, *keywords.values()):
            kind = type(array)
            if hasattr(kind, "requires_grad"):  # other arrays do not know our functions, which are made of NumPy's
                result = array.__array_function__(dispatch, (kind,), arrays, keywords)
                if result is not NotImplemented:
                    return result
        return function(*arrays, **keywords)

    def shorten(kind: type, recorder: Callable[..., Any]) -> None:
        """Know the type that asks most, and what it answers."""
        nonlocal tensor, record
        tensor, record = kind, recorder

    dispatch.forward, dispatch.shorten = function, shorten  # type: ignore[attr-defined]
    return dispatch


@own
def taken(x: Any, y: Any) -> Any:
    """y where x is true; elsewhere a zero that stays zero, whatever it is multiplied by.

    >>> taken(np.array([True, False]), np.array([1.0, 2.0])) * np.array([3.0, np.inf])
    Masked([3., 0.])
    """
    return Masked.of(np.where(x, y, 0), x, y)


@own
def dropped(x: Any, y: Any) -> Any:
    """y where x is false; elsewhere a zero that stays zero, whatever it is multiplied by.

    >>> dropped(np.array([False, True]), np.array([1.0, 2.0])) * np.array([3.0, np.inf])
    Masked([3., 0.])
    """
    return Masked.of(np.where(x, 0, y), np.logical_not(x), y)


MASKING = (taken, dropped)
PLAIN: tuple[Callable[..., Any], Callable[..., Any]] = (lambda x, y: np.where(x, y, 0), lambda x, y: np.where(x, 0, y))

ALIASES: dict[Callable[..., Any], Callable[..., Any]] = {}  # NumPy's second names of a function
INSPECTS: set[Callable[..., Any]] = set()  # functions that only look at their arguments: shape, allclose, ...
CREATES: set[Callable[..., Any]] = set()  # functions that make new arrays: zeros_like, ...


def vector_jacobian(primitive: Primitive, position: int, namespace: dict[str, Any]) -> ast.expr:
    """The gradient of one array as an expression in g; a derivative that is a function is called by name."""
    derivative = primitive.derivatives[position]
    if callable(derivative):
        name = f"derivative_{position}"
        namespace[name] = derivative
        derivative = f"{name}({', '.join(inspect.signature(derivative).parameters)})"
        expression = syntax(derivative)
    else:
        expression = syntax(str(derivative))
    return times_g(Floats().visit(expression)) if primitive.kind == "elementwise" else expression
