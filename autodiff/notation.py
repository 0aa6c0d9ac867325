"""Notation: what the value of a node is, and its derivative, as mathematics writes them.

    names = names_of([loss_node])                 # see `naming`
    formula(node, names)                          # "σ(z₂)": the right-hand side, in terms of the values that have names
    formula(node, names, "latex")                 # "\\sigma\\left(z_{2}\\right)"
    terms(node, names)                            # the nodes that it is written in
    rule_formula(node, term, names, "∂L/∂a₂")     # "∂L/∂a₂ ⊙ a₂ ⊙ (1 − a₂)": what goes back to one of them

One convention: `@` is the product of matrices (in LaTeX, as in books, nothing: `X W_{1}`), `⊙` that of arrays element
by element, `·` that with a single number; `ᵀ` swaps the last two axes; `Σ` sums all elements, `Σ₀` those along axis
0; `[a > 0]` is 1 where that holds, else 0. All else is called by NumPy's name. So a formula in Unicode reads back
into NumPy without doubt.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np

from .composition import tensor_of
from .cotangents import SEVERAL
from .derivative import ascent, pull
from .forms import PRODUCT, Text, expression, index_text, named, number
from .graph import Graph, Node, Variable, leaf, source_of
from .identities import PATTERNS
from .modes import anonymous, resumed
from .moves import repeats
from .naming import Names, inside_of, live_variables, names_of, terms
from .primitive import TABLE, Composed
from .simplify import Simplifier, again
from .sites import __library__  # noqa: F401
from .storage import Stored
from .symbols import is_one, written

__all__ = [
    "Names", "Text", "formula", "index_text", "live_variables", "named", "names_of", "number", "rule_formula", "terms",
    "written",
]  # fmt: skip


def formula(node: Node, names: Any, style: str = "unicode") -> Text:
    """What a node's value is, in terms of the named ones behind it; of a leaf its name, or its numbers."""
    return expression(_folded(node, names), names, style)


def _folded(node: Node, names: Any) -> Node:
    """The node, patterns between it and its terms recognised."""
    if node.is_leaf or node.primitive.function not in PATTERNS:
        inside = [] if node.is_leaf else inside_of(node, terms(node, names))
        if not any(x.primitive.function in PATTERNS for x in inside):
            return node
    found = terms(node, names)
    return Simplifier().within(inside_of(node, found), found)


def rule_formula(
    node: Node, term: Node | int, names: Any, incoming: str | None = None, style: str = "unicode"
) -> Text | None:
    """What goes back from a value to one of the `terms` it is written in (or to the input at a position).

    `incoming` is the gradient that came to the value: `∂L/∂a₂` if it is not said, "1" for the last value of all. The
    formula is that of the graph that the rules of the table make of stand-ins. None where no gradient goes back.
    """
    own = names.text(node, style)
    if isinstance(term, Node):
        node = _folded(node, names)
    found = terms(node, names) if isinstance(term, Node) else tuple(x for x in node.inputs if isinstance(x, Node))
    target = term if isinstance(term, Node) else node.inputs[term]
    if (
        not isinstance(target, Node)
        or target not in (*found, node)
        or target.dtype is SEVERAL
        or target.dtype.kind not in "fc"
    ):
        return None
    if incoming is None:
        incoming = partial(own or f"({expression(node, names, style)})", style)
    if node is target:  # what only its shape was changed of, and changed back
        return named(incoming, style)
    rule = _local_rule(node, found, target, incoming == "1")
    if rule is None:
        if incoming == "1":
            return None
        own, other = (names.text(x, style) or expression(x, names, style) for x in (node, target))
        both = f"∂{own}/∂{other}" if style == "unicode" else rf"\frac{{\partial {own}}}{{\partial {other}}}"
        return Text(f"{incoming} · {both}" if style == "unicode" else rf"{incoming} \cdot {both}", PRODUCT, style)
    result, stand_ins = rule
    if result is None:
        return None
    said = {stand_ins[0]: incoming, stand_ins[1]: own if own is not None else f"({expression(node, names, style)})"}
    for stand_in, x in zip(stand_ins[2:], found, strict=True):
        name = names.text(x, style)
        said[stand_in] = name if name is not None else expression(x, names, style)
    if not isinstance(result, Node):
        return number(result, style)
    return as_said(result, said, names, style)


def partial(name: str, style: str = "unicode", of: str = "L") -> str:
    """`∂L/∂a₂`."""
    if style == "unicode" and not name.startswith("(") and not is_one(name):
        name = f"({name})"
    return f"∂{of}/∂{name}" if style == "unicode" else rf"\frac{{\partial {of}}}{{\partial {name}}}"


class _Said:
    """Names, and what was said for some nodes."""

    def __init__(self, said: dict[Node, str], names: Any) -> None:
        self._said, self._names = said, names

    def text(self, node: Any, style: str = "unicode") -> str | None:
        said = self._said.get(node)
        return self._names.text(node, style) if said is None else said


def as_said(node: Node, said: dict[Node, str], names: Any, style: str) -> Text:
    """The formula of a node, others called as is said."""
    if node in said:
        return named(said[node], style)
    return expression(node, _Said(said, names), style)


# --- the graph of a local rule ---------------------------------------------------------------------------------------

_RULES: OrderedDict[Any, Any] = OrderedDict()  # the rules that have been asked for, by the shape of the question
_REMEMBERED = 512
LARGE = 64


def _local_rule(node: Node, found: Sequence[Node], target: Node, last: bool) -> tuple[Any, list[Node]] | None:
    """The simplified gradient at `target` of a node, from stand-ins for what comes in, the node and its terms."""
    inside = inside_of(node, found)
    place = {x: i for i, x in enumerate((*found, *inside))}
    key = tuple(
        (
            x.primitive,
            tuple(place.get(y, y) if isinstance(y, Node) else (type(y), y) for y in x.inputs),
            repr(x.keywords),
        )
        for x in inside
    )
    key = (key, last, place[target], tuple((x.shape, x.dtype) for x in place))
    if key in _RULES:
        return _RULES[key]
    try:
        with resumed(), anonymous(), np.errstate(all="ignore"):
            rule = _made(inside, found, target, last)
    except Exception:  # a rule that cannot be run on stand-ins: its formula is not known
        rule = None
    if all(isinstance(x.primitive, Composed) or x.primitive.function in TABLE for x in inside):
        _RULES[key] = rule  # others, as of a checkpoint, may hold values
    if len(_RULES) > _REMEMBERED:
        _RULES.popitem(last=False)
    return rule


def _made(
    inside: Sequence[Node], found: Sequence[Node], target: Node, last: bool, shrink: bool = True
) -> tuple[Any, list[Node]]:
    """Run the rules on stand-ins, of small sizes where the formula does not depend on them."""
    sizes = _small_sizes([*inside, *found]) if shrink and all(map(_shrinks, inside)) else {}
    copies, values = _copied(inside, found, target, sizes)
    root, source = copies[inside[-1]], copies[target].variable
    assert source is not None
    if not root.needs:
        return None, []
    incoming = leaf(values[root], Variable(), False)
    pulled = pull(root, ascent(Stored._of(incoming, values[root])), {source}, record=tensor_of)
    stand_ins = [incoming, root, *(copies[x] for x in found)]
    if source not in pulled:
        return None, stand_ins
    result = _simple(ascent(pulled[source])._node, stand_ins, last)
    if sizes and isinstance(result, Node) and _says_sizes(result):
        return _made(inside, found, target, last, shrink=False)
    return result, stand_ins


def _copied(
    inside: Sequence[Node], found: Sequence[Node], target: Node, sizes: dict[int, int]
) -> tuple[dict[Node, Node], dict[Node, Any]]:
    """Some nodes and their terms again, and values for them: the target alone is a parameter."""
    values: dict[Node, Any] = {}
    copies: dict[Node, Node] = {}
    for x in found:
        value = _filler(x, sizes)
        copies[x] = leaf(value, Variable(), x is target)
        values[copies[x]] = value
    for x in inside:
        copy = copies[x] = again(x, tuple(copies.get(y, y) if isinstance(y, Node) else y for y in x.inputs))
        if x.shape is SEVERAL:
            values[copy] = x.primitive.evaluate(tuple(values.get(y, y) for y in copy.inputs), x.keywords)
        else:
            values[copy] = _filler(x, sizes)
            copy.shape = np.shape(values[copy])
        copy.saved = tuple(_saved(copy, symbol, values) for symbol in copy.rule.saves) if copy.needs else ()
    return copies, values


def _simple(gradient: Node, stand_ins: Sequence[Node], last: bool) -> Any:
    """The gradient as a person would write it, between what came in, the value and its terms."""
    incoming, root = stand_ins[:2]
    simplifier = Simplifier(stand_ins[last:], primes=False)
    simplifier.derivative = True
    simplifier.became |= {x: x for x in Graph([root]).nodes}
    if last:
        one = simplifier.make(np.broadcast_to, (1,), root, root.shape, shape=root.shape)
        simplifier.became[incoming] = one if root.shape else 1
    result = simplifier.all([gradient])[gradient]
    if simplifier.sees(result, np.broadcast_to):  # what a sum gives back to each of its terms
        while repeats(simplifier, result):
            result = result.inputs[0]
    return result


def _says_sizes(result: Node) -> bool:
    return any({*x.keywords} - {"axis", "keepdims", "axes"} for x in Graph([result]).nodes)


def _saved(node: Node, symbol: str, values: dict[Node, Any]) -> Any:
    source = source_of(node, symbol)
    if isinstance(source, tuple):
        return tuple(values.get(x, x) for x in source)
    return values.get(source, source) if isinstance(source, Node) else source


def _filler(node: Node, sizes: dict[int, int]) -> Any:
    """An array of a node's shape and dtype; its values are in no formula. A large one takes no memory, and a small
    square one has an inverse."""
    value = node.dtype.type(0.5 if node.dtype.kind in "fc" else 0)
    shape: Any = tuple(sizes.get(size, size) for size in node.shape)
    square = len(shape) > 1 and shape[-1] == shape[-2] < LARGE and node.dtype.kind in "fc"
    return np.broadcast_to(value + np.eye(shape[-1], dtype=node.dtype) if square else value, shape)


def _shrinks(node: Node) -> bool:
    """Whether the formula of a node's rule is the same for smaller arrays."""
    row = node.primitive
    return row.kind in ("elementwise", "selecting") or row.function in (np.matmul, np.dot, np.sum)


def _small_sizes(nodes: Sequence[Node]) -> dict[int, int]:
    """Different small sizes in the place of different sizes."""
    different = sorted({size for x in nodes for size in x.shape if size > 1})
    return {size: small for small, size in enumerate(different, start=2)}
