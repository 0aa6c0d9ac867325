"""Forms: how mathematics writes each operation, in Unicode for the terminal and in LaTeX; see `notation`.

`FORMS` has those that have a sign of their own; all others are called by NumPy's name: `concatenate([a, b], axis=1)`.
Places in a form say what may stand there without brackets: `{x:first} + {y:addend}`.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from types import BuiltinMethodType
from typing import Any, Protocol

import numpy as np

from .graph import Node
from .identities import sigmoid_prime
from .moves import swaps_the_last
from .primitive import Composed, dropped, taken
from .rules.activation import relu, sigmoid, softplus
from .rules.engine import part
from .rules.indexing import ARRAY, getitem, put, scatter
from .rules.reduction import axes_of
from .sites import __library__  # noqa: F401
from .structures import Slot
from .symbols import escaped, is_one

# What binds tighter has the higher level. MATRIX stands below PRODUCT: `(a @ b) ⊙ c` has brackets, `-a @ b` has none.
COMPARISON, SUM, NEGATIVE, MATRIX, PRODUCT, POWER, ATOM = range(7)
LARGEST = 100  # rows of a unit matrix that is looked for
FEW = 6  # numbers of an array, which are written out
LONG = 2000  # characters: a formula that would be longer is cut


class Named(Protocol):
    """What knows the names of nodes."""

    def text(self, node: Any, style: str = ...) -> str | None: ...


class Text(str):
    """A formula, and how tightly its outermost operation binds. A place formats it, in brackets where it needs them."""

    __slots__ = ("level", "style", "under")

    level: int
    style: str
    under: int  # of what has a minus before it, how tightly that binds

    def __new__(cls, text: str, level: int = ATOM, style: str = "unicode", under: int | None = None) -> Text:
        if len(text) > LONG:
            text = f"{text[:LONG]}…" if style == "unicode" else r"\ldots"
        made = super().__new__(cls, text)
        made.level, made.style, made.under = level, style, level if under is None else under
        return made

    def __format__(self, place: str) -> str:
        if not place or PLACES[place](self):
            return str(self)
        return f"({self})" if self.style == "unicode" else f"\\left({self}\\right)"


PLACES: dict[str, Callable[[Text], bool]] = {
    "first": lambda t: t.level >= SUM,
    "addend": lambda t: t.level >= SUM and not t.startswith(("−", "-")),
    "term": lambda t: t.level >= MATRIX,
    "factor": lambda t: t.level >= PRODUCT,
    "leading": lambda t: t.level >= PRODUCT or (t.level == NEGATIVE and t.under >= PRODUCT),
    "matrix": lambda t: t.level in (MATRIX, POWER, ATOM),
    "power": lambda t: t.level >= POWER,
    "atom": lambda t: t.level >= ATOM,
}

Form = tuple[int, str, str]  # how tightly it binds; in Unicode; in LaTeX

# fmt: off
FORMS: dict[Any, Form] = {
    np.add:           (SUM,        "{x:first} + {y:addend}",      "{x:first} + {y:addend}"),
    np.subtract:      (SUM,        "{x:first} − {y:term}",        "{x:first} - {y:term}"),
    np.negative:      (NEGATIVE,   "−{x:term}",                   "-{x:term}"),
    np.multiply:      (PRODUCT,    "{x:leading} ⊙ {y:factor}",    r"{x:term} \odot {y:term}"),
    np.divide:        (PRODUCT,    "{x:leading} / {y:power}",     r"\frac{{{x}}}{{{y}}}"),
    np.matmul:        (MATRIX,     "{x:matrix} @ {y:power}",      r"{x:matrix} {y:power}"),
    operator.pow:     (POWER,      "{x:atom}**{y:atom}",          "{x:atom}^{{{y}}}"),
    np.power:         (POWER,      "{x:atom}**{y:atom}",          "{x:atom}^{{{y}}}"),
    np.float_power:   (POWER,      "{x:atom}**{y:atom}",          "{x:atom}^{{{y}}}"),
    np.square:        (POWER,      "{x:atom}²",                   "{x:atom}^{{2}}"),
    np.reciprocal:    (PRODUCT,    "1 / {x:power}",               r"\frac{{1}}{{{x}}}"),
    np.sqrt:          (ATOM,       "√{x:bracket}",                r"\sqrt{{{x}}}"),
    np.abs:           (ATOM,       "abs({x})",                    r"\left|{x}\right|"),
    np.exp:           (ATOM,       "exp({x})",                    "e^{{{x}}}"),  # in LaTeX a power
    np.log:           (ATOM,       "log({x})",                    r"\log\left({x}\right)"),
    np.sin:           (ATOM,       "sin({x})",                    r"\sin\left({x}\right)"),
    np.cos:           (ATOM,       "cos({x})",                    r"\cos\left({x}\right)"),
    np.tan:           (ATOM,       "tan({x})",                    r"\tan\left({x}\right)"),
    np.arcsin:        (ATOM,       "arcsin({x})",                 r"\arcsin\left({x}\right)"),
    np.arccos:        (ATOM,       "arccos({x})",                 r"\arccos\left({x}\right)"),
    np.arctan:        (ATOM,       "arctan({x})",                 r"\arctan\left({x}\right)"),
    np.sinh:          (ATOM,       "sinh({x})",                   r"\sinh\left({x}\right)"),
    np.cosh:          (ATOM,       "cosh({x})",                   r"\cosh\left({x}\right)"),
    np.tanh:          (ATOM,       "tanh({x})",                   r"\tanh\left({x}\right)"),
    np.conjugate:     (ATOM,       "conj({x})",                   r"\overline{{{x}}}"),
    np.outer:         (MATRIX,     "outer({x}, {y})",             r"{x:power} \otimes {y:power}"),
    np.maximum:       (ATOM,       "maximum({x}, {y})",           r"\max\left({x}, {y}\right)"),
    np.minimum:       (ATOM,       "minimum({x}, {y})",           r"\min\left({x}, {y}\right)"),
    np.floor:         (ATOM,       "floor({x})",                  r"\left\lfloor {x} \right\rfloor"),
    np.ceil:          (ATOM,       "ceil({x})",                   r"\left\lceil {x} \right\rceil"),
    np.less:          (COMPARISON, "{x:first} < {y:first}",       "{x:first} < {y:first}"),
    np.less_equal:    (COMPARISON, "{x:first} ≤ {y:first}",       r"{x:first} \leq {y:first}"),
    np.greater:       (COMPARISON, "{x:first} > {y:first}",       "{x:first} > {y:first}"),
    np.greater_equal: (COMPARISON, "{x:first} ≥ {y:first}",       r"{x:first} \geq {y:first}"),
    np.equal:         (COMPARISON, "{x:first} == {y:first}",      "{x:first} = {y:first}"),
    np.not_equal:     (COMPARISON, "{x:first} ≠ {y:first}",       r"{x:first} \neq {y:first}"),
    taken:            (PRODUCT,    "{y:leading} ⊙ [{x}]",         r"{y:term} \odot \left[{x}\right]"),
    dropped:          (PRODUCT,    "{y:leading} ⊙ [¬({x})]",      r"{y:term} \odot \left[\neg\left({x}\right)\right]"),
    sigmoid:          (ATOM,       "σ({x})",                      r"\sigma\left({x}\right)"),
    softplus:         (ATOM,       "softplus({x})",               r"\operatorname{{softplus}}\left({x}\right)"),
    sigmoid_prime:    (ATOM,       "σ′({x})",                     r"\sigma'\left({x}\right)"),
    relu:             (ATOM,       "relu({x})",                   r"\operatorname{{ReLU}}\left({x}\right)"),
    part:             (ATOM,       "{x:power}[{index}]",          r"{x:power}\left[{index}\right]"),
}
# fmt: on
SCALED: Form = (PRODUCT, "{x:leading} · {y:factor}", r"{x:term} \, {y:term}")
TRANSPOSED: Form = (POWER, "{x:atom}ᵀ", r"{x:atom}^{{\top}}")
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_LOWERED = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
PLACES["bracket"] = lambda t: t.level >= ATOM and t.isalnum()


def expression(node: Node, names: Named, style: str = "unicode") -> Text:
    """What a node's value is, in terms of the named ones behind it; of a leaf its name, or its numbers."""
    if node.is_leaf:
        return _leaf(node, names, style)
    texts: dict[Any, Text] = {}
    stack = [node]
    while stack:
        now = stack[-1]
        waiting = [x for x in now.inputs if isinstance(x, Node) and x not in texts]
        for x in waiting:
            name = names.text(x, style)
            if name is not None:
                texts[x] = named(name, style)
            elif x.is_leaf:
                texts[x] = _leaf(x, names, style)
            else:
                stack.append(x)
        if stack[-1] is now:
            stack.pop()
            texts[now] = _written(
                now, [texts[x] if isinstance(x, Node) else number(x, style) for x in now.inputs], style
            )
    return texts[node]


def named(name: str, style: str = "unicode") -> Text:
    """A name as a part of formulas: `∂L/∂z` is squared in brackets."""
    if isinstance(name, Text):
        return name
    if name.startswith("∂") or "^" in name:
        return Text(name, POWER, style)
    return Text(name, ATOM if style != "unicode" or is_one(name) else COMPARISON, style)


def _leaf(node: Node, names: Named, style: str) -> Text:
    name = names.text(node, style)
    if name is not None:
        return named(name, style)
    value = node.value
    if node.shape == ():
        return number(value.item() if hasattr(value, "item") else value, style)
    size = math.prod(node.shape)
    if size > FEW:
        return Text(_pattern(value, style), ATOM, style)
    return Text(_argument(np.asarray(value).tolist(), (), style), ATOM, style)


def _pattern(value: Any, style: str) -> str:
    """An array of more numbers than are written out: `eye(3)`, `zeros((3, 4))`, else only its sizes."""
    shape, first = tuple(value.shape), value.flat[0] if isinstance(value, np.ndarray) else None
    square = first == 1 and len(shape) == 2 and shape[0] == shape[1] <= LARGEST
    if square and np.array_equal(value, np.eye(shape[0])):
        called, arguments = "eye", [str(shape[0])]
    elif first in (0, 1) and (value == first).all():
        called, arguments = ("ones" if first else "zeros"), [str(shape)]
    else:
        sizes = ("×" if style == "unicode" else r" \times ").join(map(str, shape))
        return f"⟨{sizes}⟩" if style == "unicode" else rf"\langle {sizes} \rangle"
    if value.dtype.kind == "b":
        arguments.append(f"{_escape('dtype', style)}={_escape('bool', style)}")
    return _call_text(called, arguments, style)


CONSTANTS = {math.pi: ("π", r"\pi"), math.log(2): ("log(2)", r"\log 2"), math.log(10): ("log(10)", r"\log 10")}


def number(value: Any, style: str = "unicode") -> Text:
    """A Python number.

    >>> [str(number(x)) for x in (2.0, -0.5, 1e-05, float("inf"))]
    ['2', '−0.5', '1e-05', '∞']
    """
    if isinstance(value, complex):
        sign = "+" if math.copysign(1, value.imag) > 0 else "−" if style == "unicode" else "-"
        real, size = number(value.real, style), number(abs(value.imag), style)
        if value.real != 0 or not size.replace(".", "").isdigit():
            return Text(f"({real} {sign} {size}j)", ATOM, style)
        return Text(f"{size}j", ATOM, style) if sign == "+" else Text(f"{sign}{size}j", NEGATIVE, style, ATOM)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return Text(_escape(str(value), style), ATOM, style)
    if value < 0 or (value == 0 and math.copysign(1, value) < 0):
        return Text(f"{'−' if style == 'unicode' else '-'}{number(-value, style)}", NEGATIVE, style, ATOM)
    if value in CONSTANTS:
        return Text(CONSTANTS[value][style != "unicode"], ATOM, style)
    if value == math.inf:
        return Text("∞" if style == "unicode" else r"\infty", ATOM, style)
    near = Fraction(value).limit_denominator(10**4) if len(repr(value)) > 12 and 1e-4 < value < 1e4 else None
    if near is not None and float(near) == value:
        form = "{} / {}" if style == "unicode" else r"\frac{{{}}}{{{}}}"
        return Text(form.format(near.numerator, near.denominator), PRODUCT, style)
    squared = round(value * value) if 1 < value < 100 else 0
    if len(repr(value)) > 12 and math.sqrt(squared) == value:
        return Text(f"√{squared}" if style == "unicode" else rf"\sqrt{{{squared}}}", ATOM, style)
    below = round(1 / value**2) if 0.01 < value < 1 else 0
    if below and len(repr(value)) > 12 and value in (1 / math.sqrt(below), math.sqrt(1 / below)):
        form = "1 / √{}" if style == "unicode" else r"\frac{{1}}{{\sqrt{{{}}}}}"
        return Text(form.format(below), PRODUCT, style)
    whole = math.isfinite(value) and value == int(value) and value < 1e16
    text = str(int(value)) if whole else repr(value)
    if style == "unicode" or "e" not in text:
        return Text(text if text != "nan" else _escape(text, style), ATOM, style)
    digits, _, exponent = text.partition("e")
    power = f"10^{{{int(exponent)}}}"
    return Text(power if digits == "1" else rf"{digits} \cdot {power}", PRODUCT, style)


def _written(node: Node, inputs: Sequence[Text], style: str) -> Text:
    """The operation of one node, of its inputs as they are written."""
    row = node.primitive
    if isinstance(row, Composed) and not (row.function in FORMS and len(inputs) == 2):
        return _composed(node, inputs, style)
    form = _form(node, inputs)
    if form is None:
        return _call(node, inputs, style)
    level, *templates = form
    parts = dict(zip("xyz", inputs, strict=False))
    text = templates[style != "unicode"].format(**parts, **_keywords(node))
    if style != "unicode" and row.function is np.exp:
        level = POWER
    under = inputs[0].level if row.function is np.negative else level
    if MATRIX <= level <= PRODUCT and text.startswith(("−", "-")):
        level = NEGATIVE
    return Text(text, level, style, under)


def _keywords(node: Node) -> dict[str, Any]:
    return {key: value for key, value in node.keywords.items() if key not in ("call", "x", "y", "z")}


def _form(node: Node, inputs: Sequence[Text]) -> Form | None:
    """How mathematics writes an operation; None where it has no sign for it."""
    function, keywords = node.primitive.function, node.keywords
    shapes = [x.shape if isinstance(x, Node) else () for x in node.inputs]
    if function is np.add and type(node.inputs[0]) is int and node.inputs[0] == 0:  # with which `sum` begins
        return inputs[1].level, "{y}", "{y}"
    if function is np.multiply and () in shapes:
        return (
            SCALED if not (len(inputs) == 2 and inputs[1][:1].isdigit()) else (*SCALED[:2], r"{x:term} \cdot {y:term}")
        )
    if function is np.dot and max(map(len, shapes)) <= 2:
        return FORMS[np.matmul] if () not in shapes else SCALED
    if function in (taken, dropped) and inputs[1] == "1":
        return ATOM, FORMS[function][1].rpartition(" ")[2], FORMS[function][2].partition(r"\odot ")[2]
    if function in (operator.pow, np.power) and inputs[1].isdigit() and inputs[1].level == ATOM:
        return POWER, "{x:atom}" + inputs[1].translate(_RAISED), "{x:atom}^{{{y}}}"
    if function in (np.transpose, np.swapaxes, np.moveaxis) and swaps_the_last(node):
        return TRANSPOSED
    if function is np.sum and set(keywords) <= {"axis"}:
        axes = axes_of(shapes[0], keywords.get("axis"))
        if len(axes) == len(shapes[0]):
            return POWER, "Σ {x:power}", r"\sum {x:power}"
        if axes and max(axes) < 10:
            label = "".join(map(str, axes))
            return POWER, f"Σ{label.translate(_LOWERED)} {{x:power}}", rf"\sum_{{{{{label}}}}} {{x:power}}"
    if function is np.broadcast_to and inputs[0] == "1":
        return ATOM, "ones({shape})", r"\operatorname{{ones}}{shape}"
    return FORMS.get(function)


def _call(node: Node, inputs: Sequence[Text], style: str) -> Text:
    """`name(x, y, axis=0)`: what has no sign of its own."""
    row, keywords = node.primitive, node.keywords
    formula = row.formula
    if row.function is getitem:
        index = index_text(keywords.get("index", ()), inputs[1:], style)
        return Text(
            f"{inputs[0]:atom}[{index}]" if style == "unicode" else rf"{inputs[0]:atom}\left[{index}\right]",
            ATOM,
            style,
        )
    fixed = len(formula.arrays) - (formula.starred is not None)
    arguments = [str(text) for text in inputs[:fixed]]
    options = {key: value for key, value in keywords.items() if not _same(value, formula.keywords.get(key, ...))}
    if row.function in (scatter, put):
        options["index"] = f"[{index_text(options.pop('index', ()), inputs[fixed:], style)}]"
    elif formula.starred is not None:
        arguments.append("[" + ", ".join(inputs[fixed:]) + "]")
    if row.function is np.sum and node.inputs[0].dtype.kind == "b":
        options.pop("dtype", None)  # how many hold: a number is a number
    if isinstance(options.get("axis"), tuple) and len(options["axis"]) == 1:
        (options["axis"],) = options["axis"]
    given = [
        f"{_escape(key, style)}={value if key == 'index' else _argument(value, (), style)}"
        for key, value in options.items()
    ]
    return Text(_called(row, [*arguments, *given], style), ATOM, style)


def _same(value: Any, default: Any) -> bool:
    return value is default or (type(value) is type(default) and value == default)


def _composed(node: Node, inputs: Sequence[Text], style: str) -> Text:
    """A call of any form, its arrays in their places."""
    arguments, options = node.keywords["call"]
    given = [_argument(item, inputs, style) for item in arguments]
    given += [f"{_escape(key, style)}={_argument(value, inputs, style)}" for key, value in options.items()]
    return Text(_called(node.primitive, given, style), ATOM, style)


def _called(row: Any, arguments: Iterable[str], style: str) -> str:
    method = row.title if isinstance(row.function, BuiltinMethodType) else row.call_name  # np.add.reduce
    return _call_text(method.removeprefix("np."), arguments, style)


def _call_text(name: str, arguments: Iterable[str], style: str) -> str:
    if style == "unicode":
        return f"{name}({', '.join(arguments)})"
    return rf"\operatorname{{{escaped(name)}}}\left({', '.join(arguments)}\right)"


def _argument(value: Any, inputs: Sequence[Text], style: str) -> str:
    """An argument that is no array of the graph, or holds some."""
    if isinstance(value, Slot):
        return str(inputs[value])
    if isinstance(value, (list, tuple)):
        items = [_argument(item, inputs, style) for item in value]
        if isinstance(value, list):
            return f"[{', '.join(items)}]"
        return f"({', '.join(items)}{',' * (len(items) == 1)})"
    if isinstance(value, slice):
        return _slice(value, style)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(number(value, style))
    if isinstance(value, (type, np.dtype)):
        return _escape(np.dtype(value).name if value in (float, int, complex, bool) or not isinstance(value, type)
                       or issubclass(value, np.generic) else value.__name__, style)  # fmt: skip
    return _escape(getattr(value, "__name__", None) or repr(value), style)


def index_text(index: Any, arrays: Sequence[str], style: str = "unicode") -> str:
    """An index as it stands in brackets.

    >>> index_text((slice(1, None), 0, ..., None), ())
    '1:, 0, ..., None'
    """
    rest = iter(arrays)
    parts = index if isinstance(index, tuple) else (index,)
    return ", ".join(str(next(rest)) if p is ARRAY else _place(p, style) for p in parts) or "()"


def _place(part: Any, style: str) -> str:
    """One part of an index."""
    if isinstance(part, slice):
        return _slice(part, style)
    if isinstance(part, (int, np.integer)) and not isinstance(part, bool):
        return str(number(int(part), style))
    return "..." if part is ... else _escape(str(part), style)


def _slice(part: slice, style: str) -> str:
    start, stop, step = ("" if x is None else str(number(x, style)) for x in (part.start, part.stop, part.step))
    return f"{start}:{stop}:{step}" if step else f"{start}:{stop}"


def _escape(text: str, style: str) -> str:
    return text if style == "unicode" else rf"\mathrm{{{escaped(text)}}}"
