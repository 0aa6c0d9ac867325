"""Single edits of a line, each with the mistake that it would mend.

An edit is another text for the expression that a statement assigns; the rest of the user's line stays as it is. Most
are made at a node of the expression's syntax tree: the text there is replaced. Which of them are right is found out by
computing them.
"""

from __future__ import annotations

import ast
import functools
import itertools
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from .locate import same
from .scope import ACTIVATIONS, Applied, Scope

LOW = (ast.BinOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.UnaryOp, ast.Lambda)


class Candidate(NamedTuple):
    """An edited expression, and the cause that it would prove (None: several are possible)."""

    text: str
    cause: str | None


class Line:
    """The expression of a statement: its text, its tree, and texts with one part replaced."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tree: ast.expr = ast.parse(f"({text}\n)", mode="eval").body
        self.parents = {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}
        self.lines = f"({text}\n)".splitlines(keepends=True)

    def span(self, node: Any) -> tuple[int, int]:
        """Where a node stands in the text."""
        return self._offset(node.lineno, node.col_offset), self._offset(node.end_lineno, node.end_col_offset)

    def _offset(self, line: int, column: int) -> int:
        return sum(map(len, self.lines[: line - 1])) + len(self.lines[line - 1].encode()[:column].decode()) - 1

    def of(self, node: Any) -> str:
        """The text of a node."""
        start, end = self.span(node)
        return self.text[start:end]

    def replaced(self, node: Any, new: str) -> str:
        """The text with another part in the place of a node, in brackets where it needs them."""
        start, end = self.span(node)
        bare = start > 0 and self.text[start - 1] == "(" and self.text[end : end + 1] == ")"
        whole = node is self.tree
        if not whole and not bare and _loose(new):
            new = f"({new})"
        return self.text[:start] + new + self.text[end:]

    def nodes(self) -> list[Any]:
        """All expressions in it."""
        return [node for node in ast.walk(self.tree) if isinstance(node, ast.expr)]


def _loose(text: str) -> bool:
    """Whether a text needs brackets inside another."""
    return isinstance(_parsed(text), LOW)


@functools.lru_cache(4096)
def _parsed(text: str) -> ast.expr | None:
    try:
        return ast.parse(f"({text}\n)", mode="eval").body
    except SyntaxError:  # `*arrays`, or a generator that shares its brackets with a call
        return None


def product(text: str) -> str:
    """A text as a factor."""
    tree = _parsed(text)
    tight = not isinstance(tree, LOW) or (
        isinstance(tree, ast.BinOp) and isinstance(tree.op, (ast.Mult, ast.Pow, ast.MatMult, ast.Div))
    )
    return text if tight else f"({text})"


def candidates(text: str, scope: Scope, final: bool) -> Iterator[Candidate]:
    """All single edits of an expression. `final`: it is the gradient of a parameter, not a step on the way."""
    line = Line(text)
    for edit in (
        _signs,
        _slopes,
        _factors,
        _renamed,
        _transposed,
        _products,
        _reductions,
        _literals,
        _masks,
        _terms,
        _others,
    ):
        yield from edit(line, scope, final)


# --- each kind of edit ----------------------------------------------------------------------------------------------


def _signs(line: Line, scope: Scope, final: bool) -> Iterator[Candidate]:
    for node in line.nodes():
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            yield Candidate(line.replaced(node, line.of(node.operand)), "sign")
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
            left, right = line.of(node.left), line.of(node.right)
            other = "+" if isinstance(node.op, ast.Sub) else "-"
            if isinstance(node.op, ast.Sub):
                yield Candidate(line.replaced(node, f"{right} - {product(left)}"), "sign")
            local = isinstance(node.left, ast.Constant)  # 1 + a**2
            cause = "wrong-local-derivative" if local else "sign"
            yield Candidate(line.replaced(node, f"{left} {other} {product(right)}"), cause)
    yield Candidate(f"-{product(line.text)}" if not isinstance(line.tree, ast.BinOp) else f"-({line.text})", "sign")


def _slopes(line: Line, scope: Scope, final: bool) -> Iterator[Candidate]:
    """The derivative of an activation: forgotten, twice, of another one, at another value."""
    for factor in _product_factors(line):
        value = evaluated(line.of(factor), scope)
        role = _role(value, scope)
        dropped = line.replaced(*_without(line, factor))
        if role is not None or _mentions_slope(line.of(factor)):
            yield Candidate(dropped, "activation-derivative-twice")
        if value is None or not isinstance(line.parents.get(factor), ast.BinOp | ast.Call):
            continue
        for applied in scope.applied:
            if applied.slope.shape == np.shape(value):
                cause = _slope_cause(line.of(factor), value, applied, scope)
                for text in applied.ways:
                    yield Candidate(line.replaced(factor, product(text)), cause)
    places = [
        line.tree,
        *[n for n in line.nodes() if n is not line.tree and isinstance(n, (ast.Name, ast.Attribute, ast.Subscript))],
    ]
    for node in places:
        for applied in scope.applied:
            for text in applied.ways:
                yield Candidate(
                    line.replaced(node, f"{product(line.of(node))} * {product(text)}"), "missing-activation-derivative"
                )


def _mentions_slope(text: str) -> bool:
    return bool(re.search(r"prime|deriv|grad|_d\b|\bd_", text))


def _slope_cause(text: str, value: Any, applied: Applied, scope: Scope) -> str | None:
    """What is wrong with a factor that stands where an activation's derivative should."""
    with np.errstate(all="ignore"):
        for other in scope.applied:
            if other is not applied and same(value, other.slope) and not same(applied.slope, other.slope):
                return "activation-derivative-of-wrong-layer"
        if applied.a is not None and same(value, applied.activation.slope(scope.arrays[applied.a])):
            return "activation-derivative-at-activation"
        if applied.z is not None and same(value, _output_form(applied, scope.arrays[applied.z])):
            return "output-form-on-preactivation"
        for activation in ACTIVATIONS:
            if activation.name != applied.activation.name and any(
                same(value, form) for form in _forms(activation, applied, scope)
            ):
                return "derivative-of-another-activation"
    words = set(re.findall(r"[A-Za-z_]\w*", text))
    if {applied.a, applied.z} & words or any(w in text for w in (applied.a or "\0", applied.z or "\0")):
        return "wrong-local-derivative"
    return None


def _output_form(applied: Applied, a: Any) -> Any:
    return eval(applied.activation.from_a.format(a="a"), {"np": np}, {"a": a})


def _forms(activation: Any, applied: Applied, scope: Scope) -> Iterator[Any]:
    yield activation.slope(applied.z_value) * 1.0
    if applied.a is not None:
        yield eval(activation.from_a.format(a="a"), {"np": np}, {"a": scope.arrays[applied.a]}) * 1.0
        yield activation.slope(scope.arrays[applied.a]) * 1.0


def _role(value: Any, scope: Scope) -> Applied | None:
    """The activation whose derivative a value is."""
    if value is None:
        return None
    return next((applied for applied in scope.applied if same(value, applied.slope)), None)


def _is_slope(text: str, scope: Scope) -> bool:
    """Whether a text is the derivative of an activation, of values in reach or of any of them."""
    value = evaluated(text, scope)
    if value is None or _role(value, scope):
        return value is not None
    names = [name for name in scope.arrays if name in text and np.shape(scope.arrays[name]) == np.shape(value)]
    return any(
        same(value, form)
        for name in names
        for form in (scope.arrays[name] * (1 - scope.arrays[name]), 1 - scope.arrays[name] ** 2)
    )


def _factors(line: Line, scope: Scope, final: bool) -> Iterator[Candidate]:
    """A constant: 2, 1/2, a size, a strength."""
    text = product(line.text)
    yield Candidate(f"2 * {text}", "factor-half")
    yield Candidate(f"{text} / 2", "factor-2")
    for size, name in scope.sizes.items():
        yield Candidate(f"{text} / {name}", f"size:{size}*")
        yield Candidate(f"{text} * {name}", f"size:{size}/")
    for number, name in {value: name for name, value in scope.numbers.items()}.items():
        if number not in (2.0, 0.5):
            learned = any(np.ndim(p) == 0 and float(p) == number for p in scope.parameters.values())
            cause = "missing-weight-factor" if learned else "factor-const"
            yield Candidate(f"{text} / {name}", cause)
            yield Candidate(f"{name} * {text}", cause)
    for factor in _product_factors(line):
        if line.parents.get(factor) is None:
            continue
        value = evaluated(line.of(factor), scope)
        parent, kept = _without(line, factor)
        cause = None
        if value is not None and np.size(value) == 1:
            number, divided = float(np.ravel(value)[0]), _is_divisor(line, factor)
            cause = _constant_cause(number, divided, scope)
        elif value is not None:
            cause = "activation-derivative-twice" if _role(value, scope) else None
        yield Candidate(line.replaced(parent, kept), cause)


def _constant_cause(number: float, divided: bool, scope: Scope) -> str:
    """What a constant factor too many makes of a gradient."""
    if number in (2.0, 0.5):
        return "factor-half" if (number == 2.0) == divided else "factor-2"
    if number == int(number) and int(number) in scope.sizes:
        return f"size:{int(number)}{'/' if divided else '*'}"
    return "sign" if number == -1 else "factor-const"


def _product_factors(line: Line) -> list[Any]:
    """The operands of products and quotients."""
    found: list[Any] = []
    for node in line.nodes():
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div)):
            found += [node.left, node.right]
        elif isinstance(node, ast.Call) and _called(node) in ("multiply", "divide") and len(node.args) == 2:
            found += node.args
    return found


def _without(line: Line, factor: Any) -> tuple[Any, str]:
    """The product that a factor stands in, and its text without the factor."""
    parent: Any = line.parents[factor]
    if isinstance(parent, ast.BinOp):
        other = parent.right if factor is parent.left else parent.left
        inverse = isinstance(parent.op, ast.Div) and factor is parent.left
        return parent, f"1 / {line.of(other)}" if inverse else line.of(other)
    other: Any = next(argument for argument in parent.args if argument is not factor)
    return parent, line.of(other)


def _is_divisor(line: Line, factor: Any) -> bool:
    parent = line.parents[factor]
    return isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Div) and factor is parent.right


def _renamed(line: Line, scope: Scope, final: bool) -> Iterator[Candidate]:
    """Another value in the place of one; of all of the same name in a factor, too."""
    for node in line.nodes():
        if not isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)) or _is_function(line, node):
            continue
        old = line.of(node)
        value = evaluated(old, scope)
        if not isinstance(value, (np.ndarray, np.generic, float, int)):
            continue
        for new, other in scope.arrays.items() if np.ndim(value) else scope.values.items():
            if new != old and not new.startswith("_") and not same(value, other):
                yield Candidate(line.replaced(node, new), _rename_cause(line, node, new, value, other, scope, final))
        if isinstance(node, ast.Subscript):
            yield from _shifted(line, node)
    for factor in [*_product_factors(line), line.tree]:
        names = {line.of(n) for n in ast.walk(factor) if isinstance(n, (ast.Name, ast.Attribute, ast.Subscript))}
        for old in names & set(scope.arrays):
            for new in scope.arrays:
                if new != old and line.of(factor).count(old) > 1:
                    text = re.sub(rf"(?<![\w.]){re.escape(old)}(?!\w)", new, line.of(factor))
                    yield Candidate(line.replaced(factor, text), _form_cause(old, new, scope))


def _rename_cause(line: Line, node: Any, new: str, value: Any, other: Any, scope: Scope, final: bool) -> str | None:
    if isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Constant):
        base, index = line.of(node.value), line.of(node.slice)
        if new.startswith(f"{base}["):
            return "off-by-one-time" if re.search(r"\bt\b|time", index) else "off-by-one-index"
    around = _enclosing(line, node)
    for applied in scope.applied:
        if (
            same(other, applied.z_value)
            and applied.a is not None
            and same(value, scope.arrays[applied.a])
            and around in ("call", "factor")
        ):
            return "activation-derivative-at-activation"
        if (
            applied.a is not None
            and same(other, scope.arrays[applied.a])
            and same(value, applied.z_value)
            and around in ("call", "factor")
        ):
            return "output-form-on-preactivation"
    if around == "mask":
        return "relu-mask-from-wrong-tensor"
    if around in ("call", "factor") and any(
        same(value, x.z_value) or (x.a and same(value, scope.arrays[x.a])) for x in scope.applied
    ):
        return "activation-derivative-of-wrong-layer"
    if scope.is_parameter(other) and np.shape(other) == np.shape(value) and _near(value, other):
        return "updated-weights"
    return "wrong-tensor-in-weight-gradient" if final else "wrong-tensor-in-delta"


def _near(a: Any, b: Any) -> bool:
    """Whether one is the other after a small step."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    return float(np.linalg.norm(a - b)) < 0.9 * float(np.linalg.norm(b))


def _form_cause(old: str, new: str, scope: Scope) -> str | None:
    for applied in scope.applied:
        if (old, new) == (applied.z, applied.a):
            return "output-form-on-preactivation"
        if (old, new) == (applied.a, applied.z):
            return "activation-derivative-at-activation"
    if any(old in (x.z, x.a) for x in scope.applied) and any(new in (x.z, x.a) for x in scope.applied):
        return "activation-derivative-of-wrong-layer"
    return None


def _enclosing(line: Line, node: Any) -> str:
    """What a value is used for: inside a user's function of one argument, a comparison, a factor a(1-a)."""
    parent = line.parents.get(node)
    while parent is not None:
        if isinstance(parent, ast.Compare):
            return "mask"
        if (
            isinstance(parent, ast.Call)
            and _called(parent) not in _LINEAR
            and (len(parent.args) == 1 or not _is_numpy(parent))
        ):
            return "call"
        if isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Sub) and isinstance(parent.left, ast.Constant):
            return "factor"
        parent = line.parents.get(parent)
    return ""


_LINEAR = {
    "sum",
    "mean",
    "dot",
    "reshape",
    "transpose",
    "copy",
    "array",
    "asarray",
    "float",
    "len",
    "multiply",
    "matmul",
}


def _shifted(line: Line, node: ast.Subscript) -> Iterator[Candidate]:
    """The neighbour in a list or in time."""
    index = line.of(node.slice)
    if isinstance(node.slice, (ast.Slice, ast.Tuple)):
        return
    base = line.of(node.value)
    time = bool(re.search(r"\bt\b|time", index))
    cause = "off-by-one-time" if time else "off-by-one-index"
    if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, int):
        yield Candidate(line.replaced(node, f"{base}[{node.slice.value + 1}]"), cause)
        yield Candidate(line.replaced(node, f"{base}[{node.slice.value - 1}]"), cause)
        return
    plain = re.sub(r"\s*[+-]\s*1$", "", index)
    for new in {plain, f"{plain} + 1", f"{plain} - 1", f"{index} + 1", f"{index} - 1"} - {index}:
        yield Candidate(line.replaced(node, f"{base}[{new}]"), cause)


def _transposed(line: Line, scope: Scope, final: bool) -> Iterator[Candidate]:
    for node in line.nodes():
        cause = "gradient-transposed" if node is line.tree else "weight-not-transposed"
        if isinstance(line.parents.get(node), (ast.Call, ast.Attribute)) and (
            "sum" in line.text or "mean" in line.text
        ):
            cause = "bias-wrong-axis"
        if isinstance(node, ast.Attribute) and node.attr == "T":
            yield Candidate(line.replaced(node, line.of(node.value)), cause)
        elif isinstance(node, ast.Call) and _called(node) == "transpose":
            inner = node.args[0] if node.args else node.func.value if isinstance(node.func, ast.Attribute) else None
            if inner is not None:
                yield Candidate(line.replaced(node, line.of(inner)), cause)
        elif not _is_function(line, node) and np.ndim(evaluated(line.of(node), scope)) == 2:
            text = line.of(node)
            yield Candidate(line.replaced(node, f"{_tight(text)}.T"), cause)


def _products(line: Line, scope: Scope, final: bool) -> Iterator[Candidate]:
    """Matrix products and elementwise ones, their order, and a factor that is missing."""
    for node in line.nodes():
        parts = _operands(node)
        if parts is None:
            continue
        left, right, matrix = (*map(line.of, parts), _is_matrix(node))
        if matrix:
            yield Candidate(line.replaced(node, f"{product(left)} * {product(right)}"), "matmul-for-elementwise")
            for a, b in (
                (right, left),
                (f"{_tight(right)}.T", f"{_tight(left)}.T"),
                (f"{_tight(left)}.T", right),
                (left, f"{_tight(right)}.T"),
            ):
                yield Candidate(
                    line.replaced(node, f"np.dot({a}, {b})"),
                    "gradient-transposed" if a != left else "weight-not-transposed",
                )
        else:
            for a, b in ((left, right), (right, left), (left, f"{_tight(right)}.T"), (f"{_tight(left)}.T", right)):
                yield Candidate(
                    line.replaced(node, f"np.dot({a}, {b})"),
                    "elementwise-after-matmul" if final else "matmul-for-elementwise",
                )
            yield from _regrouped(line, node, parts)
        yield Candidate(line.replaced(node, left), None)
        yield Candidate(line.replaced(node, right), None)
    places = [line.tree, *(n for n in line.nodes() if isinstance(n, ast.Name) and not _is_function(line, n))]
    for node in places:
        text = line.of(node)
        for name, value in scope.arrays.items():
            if value.ndim == 2:
                cause = "missing-weight-factor"
                yield Candidate(line.replaced(node, f"np.dot({text}, {name}.T)"), cause)
                yield Candidate(line.replaced(node, f"np.dot({name}.T, {text})"), cause)
                yield Candidate(line.replaced(node, f"np.dot({text}, {name})"), cause)
                yield Candidate(line.replaced(node, f"np.dot({name}, {text})"), cause)
            if name != text:
                yield Candidate(line.replaced(node, f"{product(text)} * {name}"), None)
                yield Candidate(line.replaced(node, f"{product(text)} / {name}"), None)


def _regrouped(line: Line, node: Any, parts: tuple[Any, Any]) -> Iterator[Candidate]:
    """`aT @ d * s`, read as `aT @ (d * s)`."""
    inner = _operands(parts[0])
    if inner is not None and _is_matrix(parts[0]):
        a, d, s = line.of(inner[0]), line.of(inner[1]), line.of(parts[1])
        yield Candidate(line.replaced(node, f"np.dot({a}, {product(d)} * {product(s)})"), "elementwise-after-matmul")


def _operands(node: Any) -> tuple[Any, Any] | None:
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.MatMult)):
        return node.left, node.right
    if isinstance(node, ast.Call) and _called(node) in ("dot", "matmul", "multiply", "outer"):
        if len(node.args) == 2:
            return node.args[0], node.args[1]
        if len(node.args) == 1 and isinstance(node.func, ast.Attribute):
            return node.func.value, node.args[0]
    return None


def _is_matrix(node: Any) -> bool:
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.MatMult)
    return _called(node) in ("dot", "matmul", "outer")


def _tight(text: str) -> str:
    return f"({text})" if _loose(text) or text[:1].isdigit() else text


def _reductions(line: Line, scope: Scope, final: bool) -> Iterator[Candidate]:
    """Sums: forgotten, along another axis, a mean in their place."""
    whole = _tight(line.text)
    for axis, keep in itertools.product((0, 1, -1, (0, 1), None), (False, True)):
        keeps = ", keepdims=True" * keep
        yield Candidate(f"np.sum({line.text}, axis={axis}{keeps})", "bias-not-reduced")
    for node in line.nodes():
        if not isinstance(node, ast.Call) or _called(node) not in ("sum", "mean", "max", "average"):
            continue
        array = node.args[0] if _is_numpy(node) else node.func.value  # type: ignore[attr-defined]
        inner = line.of(array)
        name = _called(node)
        keeps = any(k.arg == "keepdims" for k in node.keywords)
        softmax = "exp" in line.text
        for axis, keep in itertools.product((0, 1, -1, (0, 1), None), (keeps, not keeps)):
            text = f"np.{name}({inner}{'' if axis is None else f', axis={axis}'}{', keepdims=True' * keep})"
            yield Candidate(line.replaced(node, text), "softmax-wrong-axis" if softmax else "bias-wrong-axis")
        if name == "mean":
            yield Candidate(line.replaced(node, line.of(node).replace("mean", "sum", 1)), "mean")
        if name == "sum":
            yield Candidate(line.replaced(node, line.of(node).replace("sum", "mean", 1)), "sum")
        yield Candidate(line.replaced(node, inner), "reduced-too-early")
    yield Candidate(f"{whole}.T.sum(axis=0)", "bias-wrong-axis")


def _literals(line: Line, scope: Scope, final: bool) -> Iterator[Candidate]:
    for node in line.nodes():
        if not isinstance(node, ast.Constant) or not isinstance(node.value, (int, float)) or node.value is True:
            continue
        value: Any = node.value
        parent = line.parents.get(node)
        counts = isinstance(parent, (ast.Subscript, ast.Slice, ast.Tuple, ast.keyword, ast.Compare))
        for new in (0, 1, 2, 3, 0.5, -0.5, 1.5, -1.5, -1, -2, 1e-5, 1e-8, 1e-7):
            if new != value and (new or counts) and (abs(new) > 1e-3 or 0 < abs(value) < 1e-3 or counts):
                text = repr(new) if new >= 0 else f"({new})"
                yield Candidate(line.replaced(node, text), _literal_cause(line, node, parent, scope))


def _literal_cause(line: Line, node: Any, parent: Any, scope: Scope) -> str | None:
    if isinstance(parent, ast.keyword) and parent.arg == "ddof":
        return "ddof"
    if isinstance(parent, (ast.Subscript, ast.Slice, ast.Tuple)):
        return "off-by-one-index"
    base = _powered(line, parent)
    if base is not None:
        if _is_slope(base, scope):
            return "activation-derivative-twice"
        aims = any(_is_target(word) for word in re.findall(r"\w+", base))
        return "wrong-loss-derivative" if aims else "wrong-local-derivative"
    return "ratio"


def _powered(line: Line, node: Any) -> str | None:
    """The base of a power."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        return line.of(node.left)
    return line.of(node.args[0]) if isinstance(node, ast.Call) and _called(node) == "power" else None


def _masks(line: Line, scope: Scope, final: bool) -> Iterator[Candidate]:
    for node in line.nodes():
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            left, right = line.of(node.left), line.of(node.comparators[0])
            for sign in ("<", ">", "<=", ">="):
                yield Candidate(line.replaced(node, f"{left} {sign} {right}"), "relu-mask-inverted")
        if isinstance(node, ast.Call) and _called(node) == "where" and len(node.args) == 3:
            c, a, b = map(line.of, node.args)
            yield Candidate(line.replaced(node, f"np.where({c}, {b}, {a})"), "relu-mask-inverted")


def _terms(line: Line, scope: Scope, final: bool) -> Iterator[Candidate]:
    """A term: forgotten, or too much."""
    for node in line.nodes():
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
            left, right = node.left, node.right
            yield Candidate(line.replaced(node, line.of(left)), _dropped_cause(line.of(right), scope))
            if isinstance(node.op, ast.Add):
                yield Candidate(line.replaced(node, line.of(right)), _dropped_cause(line.of(left), scope))
    places = [
        line.tree,
        *(n for n in line.nodes() if isinstance(n, (ast.Name, ast.Attribute)) and not _is_function(line, n)),
    ]
    for node in places[:12]:
        text, value = line.of(node), evaluated(line.of(node), scope)
        for name, other in scope.arrays.items():
            if np.shape(other) != np.shape(value) or name in text or same(other, value):
                continue
            for sign in "+-":
                cause = _added_cause(sign, name, value, other, scope)
                yield Candidate(line.replaced(node, f"{text} {sign} {name}"), cause)
            if scope.is_parameter(other):
                for number, size in itertools.product(scope.numbers, ("", *scope.sizes.values())):
                    for factor in (number, f"2 * {number}", f"{number} / 2"):
                        over = f" / {size}" * bool(size)
                        yield Candidate(
                            line.replaced(node, f"{text} + {factor}{over} * {name}"), "regulariser-forgotten"
                        )


def _added_cause(sign: str, name: str, value: Any, other: Any, scope: Scope) -> str:
    total = value + other if sign == "+" else value - other
    if scope.is_parameter(total):
        return "updated-weights"
    return "missing-target" if sign == "-" and _is_target(name) else "missing-branch"


def _is_target(name: str) -> bool:
    return bool(re.match(r"^(y|Y|t|T|target|label|labels|onehot|y_true|Y_true|targets)\w*$", name.split(".")[-1]))


def _dropped_cause(text: str, scope: Scope) -> str | None:
    if any(re.search(rf"\b{re.escape(number.split('.')[-1])}\b", text) for number in scope.numbers) and "*" in text:
        return "regulariser-on-wrong-parameter"
    return "accumulated-twice"


def _others(line: Line, scope: Scope, final: bool) -> Iterator[Candidate]:
    """Functions in the place of others, copies, shapes, kinds of number."""
    for node in line.nodes():
        if isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords:
            argument, called = line.of(node.args[0]), line.of(node.func)
            if called in scope.functions or _called(node) in _UNARY:
                for name in (*scope.functions, *(f"np.{f}" for f in _UNARY)):
                    if name != called:
                        yield Candidate(line.replaced(node, f"{name}({argument})"), _function_cause(called, name))
                yield Candidate(line.replaced(node, argument), None)
        if isinstance(node, ast.Name) and not _is_function(line, node) and np.ndim(evaluated(node.id, scope)):
            yield Candidate(line.replaced(node, f"{node.id}.copy()"), "aliasing")
    whole = _tight(line.text)
    yield Candidate(f"{whole}.copy()", "aliasing")
    yield Candidate(f"{whole}.astype(float)", "integer-dtype")
    if re.search(r"dtype=\s*(np\.)?int\w*|astype\(\s*(np\.)?int\w*\s*\)", line.text):
        yield Candidate(re.sub(r"(np\.)?\bint\w*", "float", line.text), "integer-dtype")
    for like in re.findall(r"np\.(?:zeros|empty|ones)_like\((\w+)\)", line.text):
        yield Candidate(line.text.replace(f"_like({like})", f"_like({like}, dtype=float)"), "integer-dtype")


def _function_cause(old: str, new: str) -> str | None:
    derivative = [bool(re.search(r"prime|deriv|grad|^d|_d|back", name.split(".")[-1])) for name in (old, new)]
    return "derivative-of-another-activation" if all(derivative) else None


_UNARY = ("exp", "log", "sqrt", "square", "tanh", "abs", "sign", "negative", "cosh", "sin", "cos")


# --- reading expressions --------------------------------------------------------------------------------------------


def _called(node: Any) -> str:
    """The last name of what is called."""
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _is_numpy(node: Any) -> bool:
    return (
        isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in ("np", "numpy")
    )


def _is_function(line: Line, node: Any) -> bool:
    """Whether a node is what is called, or a part of its name."""
    parent = line.parents.get(node)
    if isinstance(parent, ast.Attribute):
        grand = line.parents.get(parent)
        return (isinstance(grand, ast.Call) and grand.func is parent and line.of(node) in ("np", "numpy")) or line.of(
            node
        ) in ("np", "numpy", "self", "math")
    return isinstance(parent, ast.Call) and parent.func is node


def evaluated(text: str, scope: Scope) -> Any:
    """The value of a part of a line, None where it has none."""
    try:
        with np.errstate(all="ignore"):
            value = scope.evaluated(text)
    except Exception:
        return None
    return value if isinstance(value, (np.ndarray, np.generic, int, float)) else None
