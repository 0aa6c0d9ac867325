"""The expression of a statement, and texts with one part of it replaced."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ..scope import Scope

LOW = (ast.BinOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.UnaryOp, ast.Lambda)
UNARY = ("exp", "log", "sqrt", "square", "tanh", "abs", "sign", "cosh", "sin", "cos")  # functions of one value
REDUCTIONS = ("sum", "mean", "max", "average")
PLAIN = (
    *REDUCTIONS, "dot", "reshape", "transpose", "copy", "array", "asarray", "float", "multiply", "matmul", "outer",
    "where", "ravel", "flatten", "divide", "add", "subtract", "concatenate", "stack", "hstack", "vstack", "einsum",
)  # fmt: skip


Cause = str | None | Callable[[], str | None]  # to be asked of what is right only, where it takes long


class Candidate(NamedTuple):
    """An edited expression, and the cause that it would prove (None: several are possible)."""

    text: str
    cause: Cause


class Chain(NamedTuple):
    """A product `a * b * c`, and its factors."""

    node: Any
    factors: list[Any]


class Line:
    """The expression of a statement: its text, its tree, and texts with one part replaced."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tree: ast.expr = ast.parse(f"({text}\n)", mode="eval").body
        self.parents: dict[ast.AST, ast.AST] = {
            child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)
        }
        self.lines: list[str] = f"({text}\n)".splitlines(keepends=True)

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
        if node is self.tree:
            return new
        start, end = self.span(node)
        bare = start > 0 and self.text[start - 1] == "(" and self.text[end : end + 1] == ")"
        parent = self.parents.get(node)
        alone = isinstance(parent, (ast.Call, ast.keyword)) and node is not getattr(parent, "func", None)
        alone = alone or (isinstance(parent, ast.Subscript) and node is parent.slice)
        alone = alone or (isinstance(parent, ast.BinOp) and not _is_power(parent) and _is_power(parsed(new)))
        if not bare and not alone and _loose(new):
            new = f"({new})"
        elif bare and _bracketed(new):
            new = new[1:-1]
        elif bare and not _loose(new) and not re.match(r"[\w)\]]", self.text[start - 2 : start - 1]):
            start, end = start - 1, end + 1
        return self.text[:start] + new + self.text[end:]

    @functools.cached_property
    def nodes(self) -> list[Any]:
        """All expressions in it."""
        return [node for node in ast.walk(self.tree) if isinstance(node, ast.expr)]

    @functools.cached_property
    def values(self) -> list[Any]:
        """Its names, attributes and items, each as a whole, but for what is called."""
        kinds = (ast.Name, ast.Attribute, ast.Subscript)
        return [node for node in self.nodes if isinstance(node, kinds) and not self.is_function(node)]

    @functools.cached_property
    def linear(self) -> list[Any]:
        """The line, and the values in it that are no argument of a function or a comparison."""
        return [self.tree, *(node for node in self.values if node is not self.tree and not self._applied(node))]

    def is_index(self, node: Any) -> bool:
        """Whether a node stands between the brackets of an item."""
        parent: Any = self.parents.get(node)
        while parent is not None and not (isinstance(parent, ast.Subscript) and node is parent.slice):
            node, parent = parent, self.parents.get(parent)
        return parent is not None

    def is_in_sum(self, node: Any) -> bool:
        """Whether a node is a part of a term."""
        return any(isinstance(x, ast.BinOp) and isinstance(x.op, (ast.Add, ast.Sub)) for x in self.above(node))

    def above(self, node: Any) -> Iterator[Any]:
        """What a node is a part of, from the inside out."""
        while (node := self.parents.get(node)) is not None:
            yield node

    def _applied(self, node: Any) -> bool:
        """Whether something other than products and sums is made of a value."""
        return any(
            isinstance(x, ast.Compare) or (isinstance(x, ast.Call) and called(x) not in PLAIN) for x in self.above(node)
        )

    @functools.cached_property
    def factors(self) -> list[Any]:
        """The operands of products and quotients."""
        found: list[Any] = []
        for node in self.nodes:
            if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div)):
                found += [node.left, node.right]
            elif isinstance(node, ast.Call) and called(node) in ("multiply", "divide") and len(node.args) == 2:
                found += node.args
        return found

    def words(self, node: Any) -> list[str]:
        """The names, attributes and items that are factors of a product, however deep in it."""
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div)):
            return self.words(node.left) + self.words(node.right)
        return [self.of(node)] if node in self.values else []

    @functools.cached_property
    def terms(self) -> list[Any]:
        """The terms of the line, where it is a sum."""
        found, left = list[Any](), self.tree
        while isinstance(left, ast.BinOp) and isinstance(left.op, (ast.Add, ast.Sub)):
            found.append(left.right)
            left = left.left
        return [*found, left] if found else []

    @functools.cached_property
    def chains(self) -> list[Chain]:
        """The products of more than two factors."""
        found: list[Chain] = []
        for node in self.nodes:
            if _multiplies(node) and not _multiplies(self.parents.get(node)):
                inner: Any = node
                parts: list[Any] = []
                while _multiplies(inner):
                    parts.append(inner.right)
                    inner = inner.left
                if len(parts) > 1:
                    found.append(Chain(node, [inner, *parts[::-1]]))
        return found

    def put(self, node: Any, new: str) -> str:
        """The text with another part in the place of a node that needs no brackets there."""
        start, end = self.span(node)
        return self.text[:start] + new + self.text[end:]

    def without(self, factor: Any) -> str:
        """The text without a factor."""
        parent: Any = self.parents[factor]
        if isinstance(parent, ast.BinOp):
            other = parent.right if factor is parent.left else parent.left
            inverse = isinstance(parent.op, ast.Div) and factor is parent.left
            return self.replaced(parent, f"1 / {self.of(other)}" if inverse else self.of(other))
        other = next(argument for argument in parent.args if argument is not factor)
        return self.replaced(parent, self.of(other))

    def is_divisor(self, factor: Any) -> bool:
        """Whether a factor stands below the line."""
        parent = self.parents[factor]
        return isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Div) and factor is parent.right

    def is_function(self, node: Any) -> bool:
        """Whether a node is what is called, or a part of its name."""
        parent = self.parents.get(node)
        if isinstance(parent, ast.Attribute):
            return self.of(node) in ("np", "numpy", "self", "math")
        return isinstance(parent, ast.Call) and parent.func is node


def _is_power(node: Any) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow)


def _multiplies(node: Any) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)


@functools.lru_cache(8192)
def _loose(text: str) -> bool:
    """Whether a text needs brackets inside another."""
    return isinstance(parsed(text), LOW) and not _bracketed(text)


def _bracketed(text: str) -> bool:
    """Whether all of a text stands in brackets."""
    return text.startswith("(") and text.endswith(")") and parsed(text[1:-1]) is not None


@functools.lru_cache(8192)
def parsed(text: str) -> ast.expr | None:
    """The tree of an expression, None where it is none."""
    try:
        return ast.parse(f"({text}\n)", mode="eval").body
    except SyntaxError:  # `*arrays`, or a generator that shares its brackets with a call
        return None


def product(text: str) -> str:
    """A text as a factor."""
    tree = parsed(text)
    strong = isinstance(tree, ast.BinOp) and isinstance(tree.op, (ast.Mult, ast.Pow, ast.Div))
    return text if strong or not _loose(text) else f"({text})"


def tight(text: str) -> str:
    """A text before a dot."""
    return f"({text})" if _loose(text) or text[:1].isdigit() else text


def called(node: Any) -> str:
    """The last name of what is called."""
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def is_numpy(node: Any) -> bool:
    """Whether a call is one of a function of NumPy."""
    return isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") in ("np", "numpy")


def operands(node: Any) -> tuple[Any, Any] | None:
    """The two sides of a product, of elements or of matrices."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.MatMult)):
        return node.left, node.right
    if isinstance(node, ast.Call) and called(node) in ("dot", "matmul", "multiply", "outer"):
        if len(node.args) == 2:
            return node.args[0], node.args[1]
        if len(node.args) == 1 and isinstance(node.func, ast.Attribute):
            return node.func.value, node.args[0]
    return None


def is_matrix(node: Any) -> bool:
    """Whether a product is one of matrices."""
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.MatMult)
    return called(node) in ("dot", "matmul", "outer")


def has_word(name: str, text: str) -> bool:
    """Whether a name stands in a text, as a word."""
    return bool(re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", text))


def evaluated(text: str, scope: Scope) -> Any:
    """The value of a part of a line, None where it has none."""
    try:
        with np.errstate(all="ignore"):
            value = scope.evaluated(text)
    except Exception:
        return None
    return value if isinstance(value, (np.ndarray, np.generic, int, float)) else None
