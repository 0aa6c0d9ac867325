"""`checkpoint`: memory for time. The inside of a function is computed again in the backward pass, not kept."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar

import numpy as np

from .composition import tensor_of, unpacked
from .cotangents import Parts
from .derivative import pull
from .errors import GradientError, InPlaceError
from .graph import Node, next_index, node_of
from .modes import current_site, paused, resumed, tracing
from .primitive import Primitive
from .sites import __library__  # noqa: F401
from .storage import Stored
from .structures import leaves, mapped, results

P = ParamSpec("P")
R = TypeVar("R")


def checkpoint(f: Callable[P, R]) -> Callable[P, R]:
    """The same function, of whose inside nothing is kept: the backward pass computes it again (Griewank, 1992).

    f may use Tensors beyond its arguments, such as a module's parameters. It must return the same when it is called
    again: random numbers, or parameters that were updated in between, are an error.

    >>> from autodiff import Tensor
    >>> x = Tensor([1.0, 2.0])
    >>> np.sum(checkpoint(lambda x: np.exp(np.sin(x)))(x)).backward()
    >>> x.grad.round(4)
    array([ 1.2534, -1.0331])
    """

    @functools.wraps(f)
    def call(*arguments: P.args, **keywords: P.kwargs) -> Any:
        if paused() or tracing():  # what is recorded for other values has to be seen whole
            return f(*arguments, **keywords)
        start = next_index()
        again = functools.partial(f, *arguments, **keywords)
        output = again()
        inputs = _outside(output, start)
        if not inputs:
            return output
        plain = mapped(output, lambda t: t._read() if isinstance(t, Stored) else t)
        node = node_of(_Row(f, plain), tuple(inputs), {}, plain)
        node.site = current_site()
        node.needs, node.rule = True, _Recomputed(again, plain)
        node.saved = ()
        return unpacked(node, plain)

    return call


def _outside(output: Any, start: int) -> list[Node]:
    """The nodes that need gradient and were there when f was called, among those that it used."""
    stack = [t._current()[1] for t in leaves(output) if isinstance(t, Stored)]
    seen, found = set(stack), dict[Node, None]()
    while stack:
        node = stack.pop()
        if node.needs and (node.is_leaf or node.index < start):
            found[node] = None
            continue
        new = [x for x in node.inputs if isinstance(x, Node) and x not in seen]
        seen.update(new)
        stack += new
    return sorted(found, key=lambda node: node.index)


class _Row(Primitive):
    """What a checkpoint's node is made by."""

    def __init__(self, f: Callable[..., Any], value: Any) -> None:
        name = getattr(f, "__name__", "checkpoint")
        called = name if name.isidentifier() else "checkpoint"  # of a lambda
        super().__init__(f, f"{called}(*x)", kind="special", namespace={}, title=f"checkpoint of {name}")
        self.value = value

    def evaluate(self, values: tuple[Any, ...], keywords: Mapping[str, Any]) -> Any:
        """The value that f returned, which is kept."""
        return results(self.value)


class _Recomputed:
    """The derivative of a checkpoint: f is called again, and what it makes is differentiated."""

    saves: Sequence[str] = ()
    push = None  # forward mode transposes it

    def __init__(self, again: Callable[[], Any], value: Any) -> None:
        self.again, self.value = again, value

    def pull(self, node: Node, saved: tuple[Any, ...], g: Any) -> list[tuple[Node, Any]]:
        start = next_index()
        with resumed():
            output = self.again()
        self._check(output, node, start)
        outputs = [t for t in leaves(output) if hasattr(t, "dtype")]
        pairs = zip(outputs, g, strict=True) if isinstance(g, Parts) else [(outputs[0], g)]
        sources = {x: x.variable if x.is_leaf and x.variable else x for x in node.inputs}
        found: list[tuple[Node, Any]] = []
        for one, gradient in pairs:
            if gradient is not None and one._current()[1].needs:
                record = tensor_of if isinstance(gradient, Stored) else None
                pulled = pull(one._node, gradient, set(sources.values()), record, within=True)
                found += [(x, pulled[source]) for x, source in sources.items() if source in pulled]
        return found

    def _check(self, output: Any, node: Node, start: int) -> None:
        if _outside(output, start) != list(node.inputs):
            raise InPlaceError(f"{node.primitive.title}: a Tensor that it uses was written to before the backward pass")
        for now, then in zip(leaves(output), leaves(self.value), strict=True):
            compared = isinstance(now, Stored) and isinstance(then, np.ndarray)
            if compared and not np.array_equal(now._read(), then, equal_nan=now._node.needs):
                raise GradientError(f"{node.primitive.title} returned another value when it was called again")
