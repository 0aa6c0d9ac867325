"""Reverse mode: `pull` a gradient back through a graph.

What no rule mentions, broadcasting and dtype, is undone here, once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from heapq import heappop, heappush
from typing import Any

import numpy as np

from .cotangents import Masked
from .errors import ShapeError, describe
from .graph import Graph, Node, Variable, source_of
from .guards import read_only

Source = Node | Variable


def pull(
    output: Node,
    gradient: Any,
    targets: Collection[Source] | None = None,
    record: Callable[[Node, Any], Any] | None = None,
    release: bool = False,
    note: Callable[[Node, Any], None] | None = None,
    within: bool = False,
) -> dict[Source, Any]:
    """The gradients of `output` with respect to `targets` (nodes, or the variables of leaves), by default every leaf.

    Visits each node once, the latest first, and so after all that use it. With `record`, which makes a Tensor of a node
    and its value, the rules run on Tensors, and the gradients are graphs themselves. With `release`, what the nodes had
    saved is dropped on the way; `note` is told the gradient that came to each node. With `within`, no gradient flows on
    from a target to what it was made of. Returned arrays are no views and nobody else's.
    """
    found: dict[Source, Any] = {}
    if output.is_leaf:
        source: Source = output.variable or output
        return {source: gradient} if targets is None or source in targets else {}

    partial = targets is not None
    horizon = min((target.index for target in targets or ()), default=0)  # what is older leads to no target
    node, g = output, gradient
    waiting: dict[Node, Any] = {}  # nodes that have gradient, in `heap` the latest first ...
    heap: list[tuple[int, Node]] = []
    only: Node | None = None  # ... unless there is only one, as in any chain: then it is here,
    only_g: Any = None  # and its gradient
    while True:
        if partial and node.index < horizon:
            return found
        saved: Any = node.saved
        rule = node.rule
        while saved is None:  # released, perhaps by another thread, and perhaps again
            Graph([node]).restore()
            saved = node.saved
        if partial:
            if within and node in targets:
                rule = _END
            if type(rule) is Hooked:
                g, rule = seen(rule.hooks, g), rule.rule
            if node in targets:
                found[node] = g if record else g.copy()
                if node.index == horizon:
                    return found
            if note:
                note(node, g)
            if record:
                saved = recorded(node, saved, record)
        for x, gx in rule.pull(node, saved, g) if type(g) is not Masked else _quietly(rule, node, saved, g):
            if gx.shape != x.shape:
                gx = _fitted(gx, x.shape, node)
            if gx.dtype is not x.dtype:
                gx = _cast(gx, x.dtype)
            if x.primitive is None:
                source = x.variable
                if source in found:
                    found[source] = found[source] + gx
                elif not partial or source in targets:
                    if record is None and (gx is g or getattr(gx, "base", None) is not None or node.primitive.foreign):
                        gx = gx.copy()  # somebody else may hold it
                    found[source] = gx
            elif x is only:
                only_g = only_g + gx
            elif only is None and not heap:
                only, only_g = x, gx
            elif x in waiting:
                waiting[x] = waiting[x] + gx
            else:
                if only is not None:
                    waiting[only] = only_g
                    heappush(heap, (-only.index, only))
                    only = None
                waiting[x] = gx
                heappush(heap, (-x.index, x))
        if release:
            node.saved = None
        if only is not None:
            node, g, only = only, only_g, None
        elif heap:
            node = heappop(heap)[1]
            g = waiting.pop(node)
        else:
            return found


class _End:
    """The rule of a value beyond which nobody asks."""

    saves = ()

    @staticmethod
    def pull(node: Node, saved: tuple[Any, ...], g: Any) -> tuple[()]:
        return ()


_END = _End()


def _quietly(rule: Any, node: Node, saved: tuple[Any, ...], g: Any) -> Any:
    """A rule without warnings: what is infinite or undefined in a branch that was not taken does not count."""
    with np.errstate(all="ignore"):
        return rule.pull(node, saved, g)


class Hooked:
    """A rule whose incoming gradient users' functions see, or replace."""

    def __init__(self, rule: Any) -> None:
        self.rule = rule
        self.hooks: tuple[Callable[[Any], Any], ...] = ()
        self.saves: tuple[str, ...] = rule.saves
        self.push: Any = rule.push

    def pull(self, node: Node, saved: tuple[Any, ...], g: Any) -> Any:
        return self.rule.pull(node, saved, seen(self.hooks, g))


def seen(hooks: Iterable[Callable[[Any], Any]], gradient: Any) -> Any:
    """A cogradient, after users' functions had a look at the gradient that it is."""
    for hook in hooks:
        shown = ascent(gradient)
        found = hook(read_only(shown))
        if found is not None:
            if getattr(found, "shape", None) != shown.shape:
                remedy = f"a gradient of shape {shown.shape} cannot be replaced by {describe(found)}"
                raise ShapeError(f"on_gradient: {remedy}")
            gradient = ascent(found if found.dtype == shown.dtype else found.astype(shown.dtype))
    return gradient


def unbroadcast(gradient: Any, shape: tuple[int, ...]) -> Any:
    """Sum a gradient over the axes along which its value was broadcast, or spread one that was left unexpanded.

    >>> unbroadcast(np.ones((4, 3)), (1, 3))
    array([[4., 4., 4.]])
    """
    extra = len(gradient.shape) - len(shape)
    if extra < 0 or any(size != 1 and size != have for size, have in zip(shape, gradient.shape[extra:], strict=True)):
        gradient = np.broadcast_to(gradient, np.broadcast_shapes(gradient.shape, shape))
        return gradient if gradient.shape == shape else unbroadcast(gradient, shape)
    axes = tuple(i + extra for i, size in enumerate(shape) if size == 1 and gradient.shape[i + extra] != 1)
    return gradient.sum(axis=(*range(extra), *axes)).reshape(shape)


def _fitted(gradient: Any, shape: tuple[int, ...], node: Node) -> Any:
    """`unbroadcast`, or an error that names the operation whose derivative is wrong."""
    try:
        return unbroadcast(gradient, shape)
    except ValueError:
        gave = f"its derivative gave a gradient of shape {gradient.shape} for an argument of shape {shape}"
        raise ShapeError(f"{node.primitive.name}: {gave}") from None


def _cast(gradient: Any, dtype: Any) -> Any:
    """A gradient has the dtype of its value; along a real value only the real part changes anything."""
    if gradient.dtype.kind == "c" and dtype.kind != "c":
        gradient = np.real(gradient)
    return gradient if gradient.dtype == dtype else gradient.astype(dtype)


def ascent(gradient: Any) -> Any:
    """A cogradient as users know it, or the reverse: of complex values its conjugate, the direction of steepest ascent.

    Rules are written without conjugates, for dL = Re(sum(g * d out)): for holomorphic functions they read as for reals.
    """
    if gradient.dtype.kind == "c":
        gradient = np.conj(gradient)
    return np.array(gradient) if isinstance(gradient, Masked) else gradient


def recorded(node: Node, saved: tuple[Any, ...], record: Callable[[Node, Any], Any]) -> tuple[Any, ...]:
    """What a rule needs, as Tensors that remember where it came from."""
    sources = [source_of(node, name) for name in node.rule.saves]
    return tuple(_tensors(source, value, record) for source, value in zip(sources, saved, strict=True))


def _tensors(origin: Any, value: Any, record: Callable[[Node, Any], Any]) -> Any:
    if isinstance(origin, tuple):
        return tuple(_tensors(x, v, record) for x, v in zip(origin, value, strict=True))
    return record(origin, value) if isinstance(origin, Node) else origin
