"""The line that a machine would derive: a value of the gradient's own graph, written by the names in reach.

A value that the line can speak of is written by its name, the derivative of an activation as the user writes it, and
so is a product of two factors of a product; any other value as the NumPy call that made it, of values that are written
in turn. Terms that are nothing but rounding are left out.
"""

from __future__ import annotations

import functools
import itertools
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np

from ....forms import index_text
from ....graph import Graph, Node
from ....identities import sigmoid_prime
from ....primitive import dropped, taken
from ....rules.activation import relu, sigmoid, softplus
from ....rules.indexing import getitem
from ....rules.shape import cast, identity
from ....simplify import simplified
from ..compare import ratio, same
from ..scope import Scope
from ..truth import largest
from .line import has_word, product, tight
from .synthesis import scaled

LONGEST = 200  # characters: a longer line is no help
MOST = 40  # calls
NOTHING = 1e-12  # of the other terms: a term so small is rounding
UNSEEN = (identity, cast, np.broadcast_to)  # what NumPy does by itself
OPPOSITES = {">": "<=", ">=": "<", "<": ">=", "<=": ">", "==": "!=", "!=": "=="}
COMPARISONS = {"greater": ">", "greater_equal": ">=", "less": "<", "less_equal": "<=", "equal": "==", "not_equal": "!="}
OWN: dict[Any, str] = {  # functions that NumPy lacks
    sigmoid: "1 / (1 + np.exp(-{}))",
    sigmoid_prime: "np.exp(-{0}) / (1 + np.exp(-{0}))**2",
    softplus: "np.logaddexp({}, 0)",
    relu: "np.maximum({}, 0)",
}
USUAL = ("order", "C")  # as it is without
Factor = tuple[Any, Any, bool]  # a text or a node, its value, and whether it stands below the line


class Unwritten(Exception):
    """A value that cannot be written in a line."""


def written(node: Node, own: str, scope: Scope) -> str | None:
    """The value of a node as an expression, in the place of a line's own; None where it cannot be written."""
    try:
        text = _Writer(node, own, scope).all()
    except Unwritten:
        return None
    return text if len(text) <= LONGEST else None


class _Writer:
    """Texts for the nodes of a graph."""

    def __init__(self, node: Node, own: str, scope: Scope) -> None:
        self.own, self.scope = own, scope
        raw = Graph([node])
        values = raw.evaluate()
        keep = [x for x in raw.nodes if x is not node and not x.is_leaf and self._named(values[x])]
        self.root: Any = simplified([node], keep)[node]
        self.values: dict[Any, Any] = Graph([self.root]).evaluate() if isinstance(self.root, Node) else {}
        self.calls = 0

    def all(self) -> str:
        """The text of the whole."""
        return self.text(self.root)

    # --- values that have a name ---

    @functools.cached_property
    def known(self) -> dict[tuple[int, ...], list[tuple[str, Any]]]:
        """The values in reach by their shapes, first those that the line speaks of."""
        named = [(name, value) for name, value in self.scope.arrays.items() if np.size(value) > 1]
        named.sort(key=lambda item: (not has_word(item[0], self.own), len(item[0]), item[0]))
        turned = [(f"{tight(name)}.T", value.T) for name, value in named if np.ndim(value) == 2]
        slopes = [(applied.ways[0], np.asarray(applied.slope) * 1.0) for applied in self.scope.applied]
        found: dict[tuple[int, ...], list[tuple[str, Any]]] = defaultdict(list)
        for name, value in (*named, *turned, *slopes):
            found[np.shape(value)].append((name, value))
        return found

    def _named(self, value: Any, computed: bool = False) -> tuple[float, str] | None:
        """A value by one of the names in reach, and how many times that it is; a `computed` number, only if equal."""
        if computed and np.size(value) == 1:
            equal = (name for name, other in self.scope.floats.items() if other.size == 1 and same(value, other))
            return next(((1.0, name) for name in equal), None)
        if isinstance(value, tuple) or np.size(value) < 2 or _number(value) is not None:
            return None
        factors = ((ratio(value, other), name) for name, other in self.known.get(np.shape(value), ()))
        return next(((factor, name) for factor, name in factors if factor is not None), None)

    # --- all others ---

    def text(self, x: Any) -> str:
        """A node, or a number, as an expression."""
        value = self._value(x)
        if (named := self._named(value, _is_computed(x))) is not None:
            return scaled(*named, self.scope)
        if not _is_computed(x) and (number := _number(value)) is not None:
            return scaled(number, "1", self.scope)
        self.calls += 1
        if self.calls > MOST or x.is_leaf or isinstance(value, tuple):
            raise Unwritten
        row = x.primitive
        if row.function in UNSEEN:
            return self.text(x.inputs[0])
        if row.name in ("multiply", "divide", "negative") or row.function in (taken, dropped, np.where):
            return self._product(x)
        if row.name in ("add", "subtract"):
            return self._sum([(t, False, minus) for t, minus in self._terms(x, False)])
        return self._call(x)

    def _value(self, x: Any) -> Any:
        return self.values[x] if isinstance(x, Node) else x

    def _is_open(self, x: Any) -> bool:
        """Whether a node has no name, so that one looks into it."""
        return isinstance(x, Node) and not x.is_leaf and not self._named(self._value(x), _is_computed(x))

    def _call(self, node: Node) -> str:
        row, (first, *others) = node.primitive, node.inputs
        if row.function is np.transpose:
            return self._transposed(first, node.keywords.get("axes"))
        if row.function is np.einsum and isinstance(how := node.keywords["call"][0][0], str):
            return f"np.einsum({how!r}, {', '.join(map(self.text, node.inputs))})"
        if row.function is getitem:
            index = index_text(node.keywords.get("index", ()), [self.text(x) for x in others])
            return f"{tight(self.text(first))}[{index}]"
        if row.formula.operator == "**" or row.name == "power":
            exponent = _number(self._value(others[0]))
            power = tight(self.text(others[0])) if exponent is None else f"{exponent:g}"
            return f"{tight(self.text(first))}**{power}"
        if row.name == "matmul":
            return f"{tight(self.text(first))} @ {tight(self.text(others[0]))}"
        if row.name in COMPARISONS:
            return self._comparison(node, COMPARISONS[row.name])
        if row.function in OWN:
            return OWN[row.function].format(tight(self.text(first)))
        if not row.call_name.startswith("np.") or row.formula.starred:
            raise Unwritten
        return f"{row.call_name}({', '.join([*map(self.text, node.inputs), *_options(node)])})"

    def _transposed(self, x: Any, axes: Any) -> str:
        last = tuple(range(np.ndim(self._value(x))))
        if axes is not None and tuple(axes) == last:
            return self.text(x)
        if axes is None or tuple(axes) == last[::-1]:
            return f"{tight(self.text(x))}.T"
        return f"np.transpose({self.text(x)}, {tuple(axes)})"

    def _comparison(self, node: Node, sign: str) -> str:
        left, right = map(self.text, node.inputs)
        return f"({left} {sign} {right})"

    # --- sums ---

    def _sum(self, terms: list[tuple[Any, Any, bool]]) -> str:
        """A sum, without the terms that are rounding. A term is a node, or a text and its value."""
        terms = [(x, self._value(x) if value is False else value, minus) for x, value, minus in terms]
        size = max(largest(value) for _, value, _ in terms)
        signed: list[tuple[bool, str]] = []
        for x, value, minus in terms:
            if largest(value) > NOTHING * size:
                new = x if isinstance(x, str) else self.text(x)
                minus, new = (not minus, new[1:]) if new.startswith("-") else (minus, new)
                signed.append((minus, product(new) if minus else new))
        signed.sort(key=lambda term: term[0])  # one that is added comes first
        text = "".join(f" {'-' if minus else '+'} {new}" for minus, new in signed)
        return text.removeprefix(" + ").replace(" - ", "-", 1) if text.startswith(" - ") else text.removeprefix(" + ")

    def _terms(self, x: Any, minus: bool) -> Iterator[tuple[Any, bool]]:
        if self._is_open(x) and x.primitive.name in ("add", "subtract"):
            yield from self._terms(x.inputs[0], minus)
            yield from self._terms(x.inputs[1], minus ^ (x.primitive.name == "subtract"))
        else:
            yield x, minus

    # --- products ---

    def _product(self, node: Node) -> str:
        """A product, of sums written out if that is shorter."""
        factors = list(self._factors(node, False))
        if [x for x, _, _ in factors] == [node]:  # a choice between two values
            return self._call(node)
        ways = [self._joined(factors)]
        for i, (x, _, below) in enumerate(factors):
            if not below and self._is_open(x) and x.primitive.name in ("add", "subtract"):
                rest = factors[:i] + factors[i + 1 :]
                terms: list[tuple[Any, Any, bool]] = []
                for term, minus in self._terms(x, False):
                    every = [*self._factors(term, False), *rest]
                    terms.append((self._joined(every), _multiplied(every), minus))
                ways.append(self._sum(terms))
        return min(ways, key=len)

    def _joined(self, factors: list[Factor]) -> str:
        """Factors as one text: a number, what is above the line, and what is below."""
        number, named = 1.0, list[Factor]()
        for x, value, below in factors:
            if not _is_computed(x) and (plain := _number(value)) is not None:
                number *= (1 / plain if below else plain) if plain else 0.0
            else:
                named.append((x, value, below))
        while (pair := self._pair(named)) is not None:
            i, j, value, (times, name) = pair
            number *= times
            named = [(name, value / times, False) if k == i else f for k, f in enumerate(named) if k != j]
        above, below = ([self._factor(x) for x, _, under in named if under == side] for side in (False, True))
        text = " * ".join(above) or "1"
        for divisor in below:
            text = f"{text} / {tight(divisor)}"
        return scaled(number, text, self.scope)

    def _factor(self, x: Any) -> str:
        return product(x if isinstance(x, str) else self.text(x))

    def _factors(self, x: Any, below: bool) -> Iterator[Factor]:
        """The factors of a value, those of a sum among them that are the same for all that it adds."""
        if self._is_open(x):
            row, inputs = x.primitive, x.inputs
            if row.name in ("multiply", "divide") or row.function is taken:
                yield from self._factors(inputs[0], below)
                yield from self._factors(inputs[1], below ^ (row.name == "divide"))
                return
            if row.name == "negative" or row.function in UNSEEN:
                yield from [(-1.0, -1.0, False)] * (row.name == "negative")
                yield from self._factors(inputs[0], below)
                return
            if row.function is np.where and _is_one(mask := self._value(inputs[0])):  # no ties, say
                yield from self._factors(inputs[1 if np.any(mask) else 2], below)
                return
            if row.function is dropped and (opposite := self._opposite(inputs[0])):
                yield opposite, 1.0 - self._value(inputs[0]), below
                yield from self._factors(inputs[1], below)
                return
            if row.function is np.sum and (x.keywords.get("keepdims") or x.shape == ()):
                yield from self._summed(x, below)
                return
        if (named := self._named(value := self._value(x), _is_computed(x))) is not None:
            times, name = named
            yield times, times, below
            yield name, value / times, below
        else:
            yield x, value, below

    def _opposite(self, mask: Any) -> str | None:
        """Where a mask is false."""
        name = getattr(getattr(mask, "primitive", None), "name", None)
        if name in COMPARISONS:
            return self._comparison(mask, OPPOSITES[COMPARISONS[name]])
        named = self._named(self._value(mask))
        return f"~{tight(named[1])}" if named and np.asarray(self._value(mask)).dtype.kind == "b" else None

    def _summed(self, x: Node, below: bool) -> Iterator[Factor]:
        """A sum of products: the factors that go before it, and the sum of the others."""
        shape, axes = x.inputs[0].shape, x.keywords.get("axis")
        axes = range(len(shape)) if axes is None else (axes,) if isinstance(axes, int) else axes
        inside: list[Factor] = []
        for factor in self._factors(x.inputs[0], False):
            each = np.shape(factor[1])
            if len(each) == len(shape) and any(each[axis] > 1 for axis in axes):
                inside.append(factor)
            else:
                yield factor[0], factor[1], factor[2] ^ below
        if not inside:
            raise Unwritten
        value = np.sum(_multiplied(inside), axis=tuple(axes), keepdims=x.shape != ())
        yield f"np.sum({', '.join([self._joined(inside), *(_options(x) if x.shape else ())])})", value, below

    def _pair(self, factors: list[Factor]) -> tuple[int, int, Any, tuple[float, str]] | None:
        """Two factors whose product has a name."""
        arrays = ((i, factor) for i, factor in enumerate(factors) if np.size(factor[1]) > 1)
        for (i, a), (j, b) in itertools.combinations(arrays, 2):
            value = _multiplied([a, b])
            if (named := self._named(value)) is not None:
                return i, j, value, named
        return None


def _is_computed(x: Any) -> bool:
    """Whether a value, or its text, is of the parameters: a number in its place would be right at one point alone."""
    return isinstance(x, str) or (isinstance(x, Node) and x.needs)


def _multiplied(factors: list[Factor]) -> Any:
    """The value of a product."""
    value: Any = 1.0
    for _, each, below in factors:
        value = value / each if below else value * each
    return value


def _options(node: Node) -> list[str]:
    """The keywords of a call; an axis alone is no tuple."""
    found = {name: value for name, value in node.keywords.items() if value is not None and (name, value) != USUAL}
    return [
        f"{name}={value[0] if isinstance(value, tuple) and len(value) == 1 else value!r}"
        for name, value in found.items()
    ]


def _number(value: Any) -> float | None:
    """The number that all entries of a value are."""
    if isinstance(value, tuple) or not np.size(value) or np.asarray(value).dtype.kind not in "fiu":
        return None
    flat = np.ravel(value)
    return float(flat[0]) if np.all(flat == flat[0]) else None


def _is_one(mask: Any) -> bool:
    """Whether a mask is the same everywhere."""
    return bool(np.all(mask) or not np.any(mask))
