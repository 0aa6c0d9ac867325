"""Reading the texts of rows: formulas and derivatives, as Python expressions, and writing functions from them."""

from __future__ import annotations

import ast
import builtins
import itertools
import linecache
import operator
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

SYMBOLS = ("x", "y", "z")
METADATA = frozenset({"shape", "ndim", "size", "dtype"})  # `x.shape` in a rule does not keep x itself alive


class Formula(NamedTuple):
    """How a primitive is called: `x @ y`, `sum(x, axis=None)`, `concatenate(*x, axis=0)`."""

    name: str
    arrays: tuple[str, ...]
    starred: str | None  # the array argument that takes any number of arrays
    defaults: Mapping[str, Any]  # of the arrays that may be left out
    keywords: Mapping[str, Any]
    operator: str | None  # the symbol, where the formula is an operator


_SYMBOLS: dict[type[ast.AST], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
    ast.MatMult: "@", ast.USub: "-x", ast.UAdd: "+x", ast.Invert: "~x", ast.BitAnd: "&", ast.BitOr: "|",
    ast.BitXor: "^", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip


OPERATORS: dict[str, Callable[..., Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "//": operator.floordiv,
    "%": operator.mod, "**": operator.pow, "@": operator.matmul, "-x": operator.neg, "+x": operator.pos,
    "~x": operator.invert, "&": operator.and_, "|": operator.or_, "^": operator.xor, "<": operator.lt,
    "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip


COMPARISONS = frozenset({"<", "<=", ">", ">=", "==", "!="})


_parsing = threading.Lock()  # CPython 3.11 counts the depth of a tree that it makes in one place for all threads


def syntax(text: str) -> ast.expr:
    """The syntax tree of an expression."""
    with _parsing:
        return ast.parse(text, mode="eval").body


def parse(text: str, name: str) -> Formula:
    match syntax(text):
        case ast.BinOp(op=op) | ast.Compare(ops=[op]):
            return Formula(name, ("x", "y"), None, {}, {}, _SYMBOLS[type(op)])
        case ast.UnaryOp(op=op):
            return Formula(name, ("x",), None, {}, {}, _SYMBOLS[type(op)])
        case ast.Call(func=ast.Name(id=called), args=args, keywords=keywords):
            starred = next((ast.unparse(arg.value) for arg in args if isinstance(arg, ast.Starred)), None)
            values = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in keywords}
            optional = {key: value for key, value in values.items() if key in SYMBOLS}
            arrays = (*(ast.unparse(arg).lstrip("*") for arg in args), *optional)
            rest = {key: value for key, value in values.items() if key not in SYMBOLS}
            return Formula(called, arrays, starred, optional, rest, None)
        case _:
            raise ValueError(f"formula {text!r} is neither an operator nor a call")


def times_g(partial: ast.expr) -> ast.expr:
    """g times a partial derivative; no multiplication where that is 1, -1 or 1 / something."""
    g = ast.Name("g", ast.Load())
    match partial:
        case ast.Constant(value=1):
            return g
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=1)):
            return ast.UnaryOp(ast.USub(), g)
        case ast.BinOp(left=ast.Constant(value=1), op=ast.Div(), right=divisor):
            return ast.BinOp(g, ast.Div(), divisor)
        case _:
            return ast.BinOp(g, ast.Mult(), partial)


def names_used(expression: ast.expr) -> Iterator[str]:
    """The names whose values an expression uses; `x.shape` uses no value of x."""
    if isinstance(expression, ast.Attribute) and expression.attr in METADATA and isinstance(expression.value, ast.Name):
        return
    if isinstance(expression, ast.Name):
        yield expression.id
    for child in ast.iter_child_nodes(expression):
        yield from names_used(child)  # type: ignore[arg-type]


class Floats(ast.NodeTransformer):
    """Write 2 * x as 2.0 * x: NumPy takes a Python float faster than an int (exponents stay: x**2 is a square)."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        if not isinstance(node.op, ast.Pow):
            node.left, node.right = self._float(node.left), self._float(node.right)
        return node

    @staticmethod
    def _float(operand: ast.expr) -> ast.expr:
        whole = isinstance(operand, ast.Constant) and type(operand.value) is int
        return ast.Constant(float(ast.literal_eval(operand))) if whole else operand


class Metadata(ast.NodeTransformer):
    """Read `x.shape` from the graph's node, `node.inputs[0].shape`; of a `*x` a list of them."""

    def __init__(self, formula: Formula) -> None:
        self.nodes: dict[str, str] = {"out": "node.{}"}
        for position, symbol in enumerate(formula.arrays):
            one, many = f"node.inputs[{position}].{{}}", f"[x.{{}} for x in node.inputs[{position}:]]"
            self.nodes[symbol] = many if symbol == formula.starred else one

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        self.generic_visit(node)
        symbol = ast.unparse(node.value)
        if symbol not in self.nodes or node.attr not in METADATA:
            return node
        return ast.parse(self.nodes[symbol].format(node.attr), mode="eval").body


def names_in(expression: str) -> set[str]:
    """The names that an expression uses, attributes' owners included."""
    return {node.id for node in ast.walk(ast.parse(expression, mode="eval")) if isinstance(node, ast.Name)}


_generated = itertools.count()


def define(source: str, name: str, namespace: dict[str, Any]) -> Callable[..., Any]:
    """Compile generated source; a traceback through it shows its lines, as through any other file."""
    file = f"<autodiff {name} {next(_generated)}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    exec(builtins.compile(source, file, "exec"), namespace)
    return namespace[name]
