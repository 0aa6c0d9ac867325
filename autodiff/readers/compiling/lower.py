"""From a recorded graph to lines: each node once, equal ones shared, what is constant computed, masks made visible.

What a row of the table is written as follows from the row itself; `rows` says it for our own few functions, which NumPy
lacks. The numbers stay those of eager code, to the bit.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ...cotangents import SEVERAL
from ...graph import Node
from ...operands import Number
from ...structures import Slot
from .draws import Draw
from .identities import simplified
from .lines import Line, Operand, escaped, literal, needed
from .masks import masked

SMALL = 16  # elements of a constant that is written out


class Lowering:
    """The lines of some nodes. `given`: lines for leaves that are inputs. `expand`: our own functions line by line."""

    def __init__(
        self, given: Iterable[tuple[Node | Number, Line]], expand: bool, gradients: Sequence[tuple[int, int]] = ()
    ) -> None:
        self.found: dict[Node, Line] = {x: line for x, line in given if isinstance(x, Node)}
        self.numbers: dict[int, Line] = {id(x): line for x, line in given if not isinstance(x, Node)}
        self.expand: bool = expand
        self.gradients: Sequence[tuple[int, int]] = gradients  # from and up to which index nodes are of derivatives
        self.lines: list[Line] = []
        self.shared: dict[Any, Line] = {}
        self.bound: dict[str, Any] = {}  # what only Python can say: users' functions, large constants
        self.helpers: dict[str, str] = {}  # functions of ours that the source defines
        self.node: Any = None  # whose lines are being made
        self.gradient: bool = False  # and whether it belongs to a derivative

    def run(self, nodes: Iterable[Node], outputs: Iterable[Node | Number]) -> list[Line]:
        """The lines of the outputs among some nodes, which are in order."""
        for node in nodes:
            if node not in self.found:
                self.node, self.gradient = node, bool([1 for a, b in self.gradients if a <= node.index < b])
                self.found[node] = self.constant(node.value) if node.is_leaf else self._lower(node)
        return [self.found[node] if isinstance(node, Node) else self.number(node) for node in outputs]

    def number(self, x: Any) -> Operand:
        """A Python number: a line where it differs from call to call."""
        if not isinstance(x, Number):
            return x
        if id(x) not in self.numbers:
            template, operands = x.made
            self.numbers[id(x)] = self.call(template, *map(self.number, operands), shape=(), dtype=None)
        return self.numbers[id(x)]

    def guard(self, node: Node, value: Any) -> Line:
        """The check of what a rule decided by."""
        found = self.found[node]
        kind = type(value).__name__
        message = f"this program is for a value that is {value} here"
        test = f"{'not ' * bool(value)}{{0}}" if kind == "bool" else f"{kind}({{0}}) != {value}"
        before = (f"if {test}:", f'    raise ValueError("{message}")')
        return self.call("", found, shape=(), dtype=np.dtype(bool), before=before)

    def live(self, outputs: Iterable[Line]) -> list[Line]:
        """What the outputs need, in order."""
        used = needed(outputs)
        return [line for line in self.lines if line in used]

    # --- making lines -------------------------------------------------------------------------------------------------

    def add(self, line: Line) -> Line:
        """A line, or the one that computes the same."""
        known = self.shared.setdefault(line.key(), line)
        if known is line:
            line.node, line.gradient = self.node, self.gradient
            self.lines.append(line)
        return known

    def call(self, template: str, *operands: Operand, shape: Any, dtype: Any, **options: Any) -> Line:
        """A call of any kind."""
        return self.add(Line(template, operands, shape=shape, dtype=dtype, **options))

    def ufunc(self, ufunc: np.ufunc, *operands: Operand, shape: Any, dtype: Any, template: str | None = None) -> Line:
        """A call of a ufunc, element by element."""
        line = Line(template or _template(ufunc, len(operands)), operands, shape=shape, dtype=dtype, ufunc=ufunc)
        line.ordered = not [x for x in line.inputs if not x.ordered and x.shape != ()]
        return self.add(line)

    def constant(self, value: Any) -> Line:
        """A value that is the same in each call."""
        line = Line("", (), shape=value.shape, dtype=value.dtype, value=value, ordered=in_order(value))
        line.template = self._constant_text(line)
        known = self.shared.setdefault(("constant", line.template, value.dtype, value.shape), line)
        if known is line:
            line.node = None
            self.lines.append(line)
        return known

    def _constant_text(self, line: Line) -> str:
        value = line.value
        if isinstance(value, np.generic):
            return escaped(literal(value))
        dtype = "" if value.dtype == np.float64 else f", {literal(value.dtype)}"
        if not value.size:
            return f"np.empty({value.shape}{dtype})"
        if line.number is not None and value.size > 1:
            number = line.number
            if number in (0, 1) and not (number == 0 and np.signbit(value).any()):
                return f"np.{'ones' if number else 'zeros'}({value.shape}{dtype})"
            return escaped(f"np.full({value.shape}, {literal(number)}{dtype})")
        if value.ndim == 1 and value.size > 3 and value.dtype == np.intp and (np.diff(value) == 1).all():
            return f"np.arange({value.size})" if value[0] == 0 else f"np.arange({value[0]}, {value[-1] + 1})"
        if value.size <= SMALL and value.dtype.kind in "fiub" and np.isfinite(value).all() and in_order(value):
            short = value.dtype in (np.float64, np.intp, np.bool_)
            return escaped(f"np.array({value.tolist()}{'' if short else f', {literal(value.dtype)}'})")
        return self.bind("constant", value)

    def bind(self, name: str, value: Any) -> str:
        """The name under which the program finds a value that no source can say."""
        for known, held in self.bound.items():
            if held is value:
                return known
        unique = name if name not in self.bound else f"{name}_{len(self.bound)}"
        self.bound[unique] = value
        return unique

    def say(self, value: Any) -> str:
        """A keyword's value as source that can stand in a template."""
        try:
            return escaped(literal(value))
        except ValueError:
            return self.bind("option", value)

    # --- one node -----------------------------------------------------------------------------------------------------

    def _lower(self, node: Node) -> Line:
        row = node.primitive
        operands = [self.found[x] if isinstance(x, Node) else self.number(x) for x in node.inputs]
        if isinstance(row, Draw):
            return self._draw(node)
        if operands and not [x for x in operands if isinstance(x, Line) and x.value is None]:
            folded = self._folded(node, operands)
            if folded is not None:
                return folded
        special = self.special(row, node)
        if special is not None:
            return special(self, node, operands)
        if "call" in node.keywords:
            return self._composed(node, operands)
        plain = isinstance(row.function, np.ufunc) and not node.keywords and row.function.signature is None
        if plain and node.shape is not SEVERAL:
            return self._elementwise(node, operands)
        return self._general(node, operands)

    def special(self, row: Any, node: Node) -> Callable[..., Line] | None:
        """How one of our own functions is written."""
        if "call" in node.keywords:
            return CALLS.get(row.function)
        expand = self.expand or row.function not in HELPED or 0 in node.shape
        return EXPANSIONS[row.function] if expand and row.function in EXPANSIONS else ROWS.get(row.function)

    def _folded(self, node: Node, operands: Sequence[Operand]) -> Line | None:
        """The value of a call of constants, if that is short."""
        if node.shape is SEVERAL or node.primitive.foreign or node.dtype.kind not in "fiub":
            return None
        numbers = all(not isinstance(x, Line) or x.number is not None or x.size <= SMALL for x in operands)
        if not numbers:
            return None
        with np.errstate(all="ignore"):
            values = tuple(x.value if isinstance(x, Line) else x for x in operands)
            return self.constant(node.primitive.evaluate(values, node.keywords))

    def _elementwise(self, node: Node, operands: Sequence[Operand]) -> Line:
        row, shape, dtype = node.primitive, node.shape, node.dtype
        weak = [self._weakened(x, operands, dtype) for x in operands]
        if [x for x in weak if isinstance(x, Line) and x.mask is not None]:
            found = masked(self, row.function, weak, shape, dtype)
            if found is not None:
                return found
        return simplified(self, row.function, weak, shape, dtype)

    @staticmethod
    def _weakened(operand: Operand, others: Sequence[Operand], dtype: Any) -> Operand:
        """A constant that is one number everywhere, as that number, where another operand decides shape and dtype."""
        if not isinstance(operand, Line) or operand.value is None or operand.dtype != dtype:
            return operand
        if operand.number is None or dtype.kind not in "fc":
            return operand
        rest = [x for x in others if isinstance(x, Line) and x is not operand and x.number is None]
        decides = any(x.dtype == dtype and _covers(x.shape, operand.shape) for x in rest)
        return operand.number if decides else operand

    def _general(self, node: Node, operands: Sequence[Operand]) -> Line:
        """`np.name(x, y, keyword=value)`, or the operator."""
        row = node.primitive
        formula = row.formula
        places = [f"{{{i}}}" for i in range(len(operands))]
        if formula.starred:
            fixed = formula.arrays.index(formula.starred)
            places = [*places[:fixed], f"[{', '.join(places[fixed:])}]"]
        texts = [*places, *(f"{name}={self.say(value)}" for name, value in node.keywords.items())]
        name = self.bind(row.name, row.call) if row.foreign or not _says_numpy(row) else row.call_name
        return self.call(f"{name}({', '.join(texts)})", *operands, shape=node.shape, dtype=node.dtype, view=row.view)

    def _composed(self, node: Node, operands: Sequence[Operand]) -> Line:
        """A call of any form, with the arrays in their places again."""
        row = node.primitive
        arguments, options = node.keywords["call"]
        texts = [self._argument(x) for x in arguments]
        texts += [f"{name}={self._argument(x)}" for name, x in options.items()]
        call = f"{self._composed_name(row)}({', '.join(texts)})"
        if node.shape is SEVERAL:
            call = f"[x for x in {call} if hasattr(x, 'dtype')]"
        return self.call(call, *operands, shape=node.shape, dtype=node.dtype, view=True)

    def _draw(self, node: Node) -> Line:
        """Random numbers: each draw is one, though its text be that of another."""
        row = node.primitive
        arguments, options = node.keywords["call"]
        texts = [*map(self._argument, arguments), *(f"{name}={self._argument(x)}" for name, x in options.items())]
        call = f"{self.bind('rng', row.generator)}.{row.name}({', '.join(texts)})"
        line = Line(call, (), shape=node.shape, dtype=node.dtype, ordered=True)
        self.shared[line] = line  # by identity: it is no other's
        line.node = node
        self.lines.append(line)
        return line

    def _composed_name(self, row: Any) -> str:
        function = row.function
        ufunc = getattr(function, "func", None) or getattr(function, "__self__", None)
        if isinstance(ufunc, np.ufunc):  # np.add with where=, np.add.reduce
            method = getattr(function, "__name__", "")
            return f"np.{ufunc.__name__}" + (f".{method}" if method in UFUNC_METHODS else "")
        return row.call_name if row.forward is None and _says_numpy(row) else self.bind(row.name, row.call)

    def _argument(self, argument: Any) -> str:
        if isinstance(argument, Slot):
            return f"{{{int(argument)}}}"
        if isinstance(argument, (list, tuple)) and type(argument) in (list, tuple):
            inner = ", ".join(self._argument(x) for x in argument)
            return f"[{inner}]" if isinstance(argument, list) else f"({inner}{',' * (len(argument) == 1)})"
        if isinstance(argument, dict):
            return "{{" + ", ".join(f"{self.say(k)}: {self._argument(v)}" for k, v in argument.items()) + "}}"
        return self.say(argument)


UFUNC_METHODS = ("reduce", "accumulate", "outer", "reduceat", "at")
# Filled by `rows`, by function:
ROWS: dict[Any, Callable[..., Line]] = {}  # how a call is written
CALLS: dict[Any, Callable[..., Line]] = {}  # how one of any form is
EXPANSIONS: dict[Any, Callable[..., Line]] = {}  # how one of ours is, line by line
HELPED: set[Any] = set()  # those of ours that the source defines, and calls by name

SYMBOLS: dict[Any, str] = {
    np.add: "+", np.subtract: "-", np.multiply: "*", np.divide: "/", np.floor_divide: "//", np.remainder: "%",
    np.less: "<", np.less_equal: "<=", np.greater: ">", np.greater_equal: ">=", np.equal: "==", np.not_equal: "!=",
    np.bitwise_and: "&", np.bitwise_or: "|", np.bitwise_xor: "^",
}  # fmt: skip
UNARY: dict[Any, str] = {np.negative: "-{0}", np.positive: "+{0}", np.invert: "~{0}"}


@functools.cache
def _template(ufunc: np.ufunc, count: int) -> str:
    """A call of a ufunc with so many operands."""
    places = [f"{{{i}}}" for i in range(count)]
    symbol = SYMBOLS.get(ufunc)
    return UNARY.get(ufunc) or (f" {symbol} ".join(places) if symbol else f"np.{ufunc.__name__}({', '.join(places)})")


def _says_numpy(row: Any) -> bool:
    return row.call_name.startswith("np.") and row.function is not operator.pow


def _covers(shape: Any, other: Any) -> bool:
    """Whether an array of one shape broadcasts with another to itself."""
    try:
        return np.broadcast_shapes(shape, other) == shape
    except ValueError:
        return False


def in_order(value: Any) -> bool:
    """Whether a value is in C order."""
    return not isinstance(value, np.ndarray) or value.flags.c_contiguous
