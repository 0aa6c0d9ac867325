"""A few exact identities on a graph, so that a gradient reads as a person would have written it.

    simplified(outputs, keep)        # a node, or a number, for each node behind the outputs

No `* 1`, no double minus, no transpose of a transpose, no sum over an axis of one element; numbers of a product are
one; `1 / (1 + exp(-z))` is σ(z), and `σ(z) (1 - σ(z))` is σ'(z). An identity holds for all finite numbers, up to the
rounding of the operations that it merges: a few units in the last place of the largest term.

Of what the user wrote only patterns are recognised, σ; identities are for what rules made of it (`derivative`).
Nodes are immutable: where nothing changes they are taken over, else made again. Nodes to `keep`, those that a reader
shows by name, are values of their own: no identity looks into them, but for what says of its argument what it is, σ'.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Collection, Iterable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from .composition import RULE as COMPOSED_RULE
from .graph import NOTHING, Graph, Node, node_of
from .identities import IDENTITIES, PATTERNS, SIGMOID_PRIME, sigmoid_prime
from .moves import repeats
from .primitive import TABLE, Composed, Primitive
from .products import Operand, Product, as_number, is_a_root, is_real, shape_of
from .rules.activation import sigmoid
from .rules.indexing import getitem


def simplified(outputs: Iterable[Node], keep: Collection[Node] = ()) -> dict[Node, Operand]:
    """What each node of a gradient's graph has become: a node, or a number."""
    simplifier = Simplifier(keep)
    simplifier.derivative = True
    return simplifier.all(outputs)


@functools.cache
def _rule(row: Primitive, needed: tuple[bool, ...]) -> Any:
    return row.rule(needed)


class Simplifier:
    """Makes nodes, each of them once, and as simple as the identities say."""

    def __init__(self, keep: Collection[Node] = (), primes: bool = True, copies: bool = False) -> None:
        self.keep: set[Node] = set(keep)
        self._primes = primes
        self._copies = copies  # whether nodes that carry gradient are made again, so that nothing is kept in the old
        self.derivative = False  # whether what comes now was made by rules, not by the user
        self.became: dict[Node, Operand] = {}
        self._made: dict[Any, Node] = {}
        self._products: dict[Node, Product] = {}

    def all(self, outputs: Iterable[Node]) -> dict[Node, Operand]:
        """Go through what lies behind some nodes, inputs first."""
        for node in Graph(list(outputs)).nodes:
            if node not in self.became:
                self.became[node] = self._one(node)
        return self.became

    def within(self, inside: Sequence[Node], ends: Iterable[Node]) -> Operand:
        """What the last of some nodes has become, of which the `ends` are behind, as they are."""
        self.became.update({x: x for x in ends})
        self.keep.update(ends)
        for node in inside:
            self.became[node] = self._one(node)
        return self.became[inside[-1]]

    def _one(self, node: Node) -> Operand:
        if node.is_leaf:
            return node if node in self.keep else self._only(node)
        inputs = tuple(self.became[x] if isinstance(x, Node) else x for x in node.inputs)
        moves = self.derivative and node.primitive.function in (np.reshape, np.broadcast_to, getitem)
        if node.primitive.kind == "elementwise" or moves:
            inputs = tuple(as_number(x) for x in inputs)
        new = again(node, inputs) if inputs != node.inputs or (self._copies and node.needs) else node
        found = self._settled(new)
        if node in self.keep:
            if self.derivative and (found in self.keep or self._is_a_number(found)):
                return found  # a gradient may be another value, or 1; what the user made is a value of its own
            own = found if isinstance(found, Node) and found.shape == node.shape and found not in self.keep else new
            self.keep.add(own)
            self._products[own] = Product(factors=(own,))
            return own
        return found

    def _is_a_number(self, x: Operand) -> bool:
        """Whether x is a number, or one that is repeated."""
        return not isinstance(x, Node) or (self.sees(x, np.broadcast_to) and not isinstance(x.inputs[0], Node))

    def make(self, function: Any, inputs: Sequence[Operand], like: Node, of: Any = None, **keywords: Any) -> Operand:
        """A node, simplified; elementwise where no shape is said."""
        row = SIGMOID_PRIME if function is sigmoid_prime else TABLE[function]
        node = node_of(row, tuple(inputs), keywords or NOTHING, None)
        node.shape = np.broadcast_shapes(*map(shape_of, inputs)) if of is None else of
        node.dtype = like.dtype
        _connect(node)
        return self._settled(node)

    def _settled(self, node: Node) -> Operand:
        for _ in range(100):  # each identity makes it smaller
            if not isinstance(node, Node) or node.is_leaf:
                return node
            for rewrite in (IDENTITIES if self.derivative else PATTERNS).get(node.primitive.function, ()):
                found = rewrite(self, node)
                if found is not None and found is not node:
                    break
            else:
                break
            node = found
        return self._shared(node)

    def _shared(self, node: Node) -> Node:
        """The node that was made of the same call before."""
        keywords = tuple((name, _hashable(value)) for name, value in sorted(node.keywords.items()))
        try:
            key = (node.primitive, tuple((type(x), x) for x in node.inputs), keywords, node.shape, node.dtype)
            return self._made.setdefault(key, node)
        except TypeError:  # a call with lists in it
            return node

    def _only(self, leaf: Node) -> Node:
        """The one leaf of copies of one operand."""
        if leaf.variable is not None or not isinstance(leaf.value, np.ndarray):
            return leaf
        key = (leaf.shape, leaf.dtype, leaf.name, leaf.value.tobytes())
        return self._made.setdefault(key, leaf)

    def sees(self, x: Any, function: Any) -> bool:
        """Whether x is a call of a function that an identity may look into."""
        return isinstance(x, Node) and not x.is_leaf and x not in self.keep and x.primitive.function is function

    # --- products ----------------------------------------------------------------------------------------------------

    def product(self, x: Operand) -> Product:
        """x as numbers, factors and divisors."""
        x = as_number(x)
        if not isinstance(x, Node):
            return Product.of_number(x) if is_real(x) else Product(factors=(x,))
        found = self._products.get(x)
        if found is None:
            found = self._products[x] = self._product(x)
        return found

    def _product(self, x: Node) -> Product:
        if self.sees(x, np.multiply):
            a, b = (self.product(y) for y in x.inputs)
        elif self.sees(x, np.divide):
            a, b = self.product(x.inputs[0]), self.product(x.inputs[1]).inverse()
        elif self.sees(x, np.negative):
            a, b = self.product(x.inputs[0]), Product(Fraction(-1))
        elif many := self._exponent(x):
            a = self.product(x.inputs[0])
            b = functools.reduce(Product.times, [a] * (many - 1))
        elif repeats(self, x):
            return self.product(x.inputs[0])  # the other factors, or at last `rebuilt`, repeat it
        else:
            return Product(factors=(x,))
        merged = a.times(b)
        return merged if len(merged.factors) + len(merged.divisors) <= 12 else Product(factors=(x,))

    def _exponent(self, x: Node) -> int:
        """2, 3 or 4 for such a power, else 0."""
        if self.sees(x, np.square):
            return 2
        power = self.sees(x, operator.pow) or self.sees(x, np.power)
        return int(x.inputs[1]) if power and x.inputs[1] in (2, 3, 4) else 0

    def rebuilt(self, product: Product, like: Node) -> Operand:
        """The simplest node of a product, of the shape of `like`."""
        product = self._logistic_in(product, like)
        factors = self._recognised([*product.factors], like)
        over, under = abs(product.ratio.numerator), product.ratio.denominator
        number: Any = over if product.scale == 1 else abs(over / under * product.scale)
        divisors = [*product.divisors] if product.scale != 1 or under == 1 else [under, *product.divisors]
        if isinstance(number, float) and is_a_root(1 / number):
            number, divisors = 1, [math.sqrt(round(1 / number**2)), *divisors]
        factors, divisors = self._powers(factors, like), self._powers(divisors, like)
        if not factors:
            result: Operand = number
        else:
            result = functools.reduce(lambda a, b: self._plain(np.multiply, (a, b), like), factors)
            if number != 1:
                result = self._plain(np.multiply, (number, result), like)
        if divisors:
            divisor = functools.reduce(lambda a, b: self._plain(np.multiply, (a, b), like), divisors)
            result = number / divisor if not isinstance(divisor, Node) and not isinstance(result, Node) else (
                self._plain(np.divide, (result, divisor), like))  # fmt: skip
        negative = (product.ratio < 0) != (product.scale < 0)
        if negative:
            result = self._plain(np.negative, (result,), like) if isinstance(result, Node) else -result
        if shape_of(result) != like.shape:
            result = self._plain(np.broadcast_to, (result,), like, like.shape, shape=like.shape)
        return result

    def _powers(self, factors: Sequence[Operand], like: Node) -> list[Operand]:
        """Equal factors as a power; the square of a root as what is under it."""
        found: list[Operand] = []
        for x in dict.fromkeys(factors):
            many = sum(x is y for y in factors) if isinstance(x, Node) else 1
            if many % 2 == 0 and self.sees(x, np.sqrt):
                x, many = x.inputs[0], many // 2
            if many == 2:
                x = self._plain(np.square, (x,), like)
            elif many > 2:
                x = self._plain(operator.pow, (x, many), like)
            found.append(x)
        return found

    def _plain(self, function: Any, inputs: Sequence[Operand], like: Node, of: Any = None, **keywords: Any) -> Node:
        """A node as it is."""
        node = node_of(TABLE[function], tuple(inputs), keywords or NOTHING, None)
        node.shape = np.broadcast_shapes(*map(shape_of, inputs)) if of is None else of
        node.dtype = like.dtype
        _connect(node)
        return self._shared(node)

    def _short(self, s: Node) -> bool:
        """Whether σ'(z) is shorter than a(1 - a), where a is σ(z)."""
        z = s.inputs[0]
        return s not in self.keep or z in self.keep or z.is_leaf

    def _logistic_in(self, product: Product, like: Node) -> Product:
        """exp(z) / (1 + exp(z)) among factors and divisors is σ(z)."""
        for d in product.divisors:
            if self.sees(d, np.add) and (1 in d.inputs):
                e = d.inputs[1 - d.inputs.index(1)]
                if self.sees(e, np.exp) and e in product.factors and e.inputs[0].shape == e.shape:
                    share = self.make(sigmoid, e.inputs, like)
                    factors, divisors = [*product.factors], [*product.divisors]
                    factors[factors.index(e)] = share
                    divisors.remove(d)
                    return Product(product.ratio, product.scale, factors, divisors)
        return product

    def _recognised(self, factors: list[Operand], like: Node) -> list[Operand]:
        """σ(z) and 1 - σ(z) among the factors are σ'(z)."""
        for i, s in enumerate(factors if self._primes else []):
            if isinstance(s, Node) and not s.is_leaf and s.primitive.function is sigmoid and self._short(s):
                for k, rest in enumerate(factors):
                    if self.sees(rest, np.subtract) and rest.inputs[0] == 1 and rest.inputs[1] is s:
                        prime = self.make(sigmoid_prime, s.inputs, like)
                        kept = [x for n, x in enumerate(factors) if n not in (i, k)]
                        kept.insert(min(i, k), prime)
                        return self._recognised(kept, like)
        return factors


def _hashable(value: Any) -> Any:
    """An argument as a key: slices are none before Python 3.12."""
    if isinstance(value, tuple):
        return tuple(map(_hashable, value))
    return (slice, value.start, value.stop, value.step) if isinstance(value, slice) else value


def again(node: Node, inputs: tuple[Operand, ...]) -> Node:
    """The call of a node, of other inputs."""
    new = node_of(node.primitive, inputs, node.keywords, None)
    new.shape, new.dtype, new.name, new.site = node.shape, node.dtype, node.name, node.site
    if node.needs:  # the sign of a real number, say, needs nothing of it
        own = getattr(node.rule, "rule", node.rule)  # without the functions that look at gradients
        _connect(new, _Remade(own, node, inputs) if own.push is None else None)
    return new


class _Remade:
    """The rule of a checkpoint, which knows the nodes that it was made of."""

    push = None

    def __init__(self, rule: Any, node: Node, inputs: tuple[Operand, ...]) -> None:
        self._rule, self._node, self._inputs = rule, node, inputs
        self.saves: Sequence[str] = rule.saves

    def pull(self, node: Node, saved: tuple[Any, ...], g: Any) -> list[tuple[Node, Any]]:
        places = dict(zip(self._node.inputs, self._inputs, strict=True))
        return [(places[x], gx) for x, gx in self._rule.pull(self._node, saved, g)]


def _connect(node: Node, rule: Any = None) -> None:
    """Give a new node its rule, where gradient flows through it."""
    row = node.primitive
    needs = [isinstance(x, Node) and x.needs for x in node.inputs]
    if isinstance(row, Composed):
        rule = COMPOSED_RULE if row.kind == "composed" and any(needs) else None
    elif rule is None:
        n = len(row.formula.arrays)
        starred = [any(needs[n - 1 :])] if row.formula.starred else needs[n - 1 :]
        needed = tuple(a and b for a, b in zip([*needs[: n - 1], *starred], row.differentiable, strict=False))
        rule = _rule(row, needed) if any(needed) else None
    if rule is not None:
        node.needs, node.rule, node.saved = True, rule, None
