"""Recording a function once, for values that will be others when it runs.

Arrays among the arguments stand for others; so do Tensors that the function finds outside (a model's weights), plain
arrays that somebody else holds and may write to, and what random generators draw. All else is part of the program.
"""

from __future__ import annotations

import contextlib
import inspect
import itertools
import keyword
import pickle
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...errors import GradientError, TracedValueError
from ...graph import Graph, Node, Variable, leaf
from ...modes import Tape, resumed, traced
from ...operands import Number
from ...sites import __library__  # noqa: F401
from ...storage import Stored
from ...structures import Slot, leaves, mapped
from ...tensor import Tensor
from .draws import Draw, recording
from .shaped import Shaped, trusted, worth_it

Array = Any


class Trace:
    """What one call of f, with these arguments, was recorded as.

    `inputs`: leaves that stand for the arrays of the arguments, in order; `captured`: for leaves that stand for what f
    finds outside, how to get their present values. `results`: what f returned, with a Slot for each of `outputs`.
    `graph`: what lies behind these, and behind what rules decided by and what was drawn.
    """

    def __init__(
        self,
        f: Callable[..., Any],
        arguments: Sequence[Any],
        keywords: Mapping[str, Any],
        signature: inspect.Signature | None,
        numbers: Sequence[bool] = (),
        values: bool = True,
    ) -> None:
        self.values: bool = values  # whether they are computed, or just shapes and dtypes
        self.inputs: list[Node | Number] = []
        self.names: list[str] = []
        self.captured: dict[Node, Any] = {}
        names, told = iter(_names(signature, arguments, keywords)), iter(numbers or itertools.repeat(False))
        taken, options = mapped((tuple(arguments), dict(keywords)), lambda x: self._tracer(x, next(names), next(told)))
        places: list[Any] = [list(taken), options]
        before = _legacy_state()
        with resumed(), np.errstate(all="ignore"), recording(f, places) as (draws, tensors), traced("compile") as tape:
            found = f(*places[0], **places[1])
        if _legacy_state() != before:
            raise TracedValueError(
                f"compile: {_called(f)} draws from np.random, whose numbers would be the same in each call: "
                "draw from a generator, rng = np.random.default_rng(seed)"
            )
        self.tape: Tape = tape
        self.draws: list[Draw] = draws
        self.outputs: list[Node | Number] = []
        self.results: Any = mapped(found, self._output)
        decided, drawn = [node for node, _ in tape.guards], [row.node for row in draws]
        self.graph: Graph = Graph([x for x in (*self.outputs, *decided, *drawn) if isinstance(x, Node)])
        self._find_captured(tape, {tensor._node: tensor for tensor in tensors})
        for node in self.inputs:
            if isinstance(node, Node):
                node.variable.closed = True  # type: ignore[union-attr]

    def _tracer(self, argument: Any, name: str, number: bool) -> Any:
        if number and type(argument) in (int, float):
            found = Number.of(argument, "")
        elif isinstance(argument, (np.ndarray, np.generic)):
            if not self.values and isinstance(argument, np.ndarray) and argument.ndim:
                argument = argument.view(Shaped)
            found = tracer(argument, name)
        else:
            return argument
        self.inputs.append(found)
        self.names.append(name)
        return Stored._of(found, argument) if isinstance(found, Node) else found

    def _output(self, item: Any) -> Any:
        if isinstance(item, Stored):
            self.outputs.append(item._current()[1])
            return Slot(len(self.outputs) - 1)
        if isinstance(item, Number):
            self.outputs.append(item)
            return Slot(len(self.outputs) - 1)
        return item

    def forget(self) -> None:
        """Let go of the graph."""
        self.outputs, self.inputs, self.captured, self.graph = [], [], {}, Graph([])
        self.tape = Tape("compile")
        for row in self.draws:
            row.node = None

    def _find_captured(self, tape: Tape, known: Mapping[Node, Any]) -> None:
        """Whose values may change from outside: Tensors that somebody holds, and arrays that somebody else does."""
        own = {node for node in self.inputs if isinstance(node, Node)}
        operands = dict(tape.operands)
        for node in self.graph.leaves:
            if node in own:
                continue
            if node.variable is None:
                original = operands.get(node)
                if isinstance(original, np.ndarray) and _held_elsewhere(original):
                    self.captured[node] = original
            elif not node.variable.immutable:
                holder = known[node] if node in known else _holder(node)
                if holder is not None:
                    self.captured[node] = holder


def recorded(
    f: Callable[..., Any],
    arguments: Sequence[Any],
    keywords: Mapping[str, Any],
    signature: inspect.Signature | None,
    numbers: Sequence[bool],
) -> Trace:
    """The trace of a call; of large arguments without computing what does not matter."""
    if worth_it(leaves((arguments, keywords))):
        try:
            trace = Trace(f, arguments, keywords, signature, numbers, values=False)
            if trusted(trace.graph.nodes) and not trace.tape.guards:
                return trace
        except Exception:
            pass
    return Trace(f, arguments, keywords, signature, numbers)


def tracer(value: Array, name: str | None) -> Node:
    """A leaf that stands for other values than its own."""
    return leaf(value, Variable(name, tracer=True), value.dtype.kind in "fc")


def present(source: Any) -> Array:
    """The present value of what was captured."""
    return source._read() if isinstance(source, Stored) else source


def _holder(node: Node) -> Any:
    """The Tensor that a leaf is the value of; None where it is nobody's any more."""
    import gc

    return next((t for t in gc.get_referrers(node) if isinstance(t, Tensor) and t._node is node), None)


def _held_elsewhere(array: np.ndarray) -> bool:
    """Whether somebody beside the tape could write to an array, or to what it is a view of."""
    while array.base is not None and isinstance(array.base, np.ndarray):
        array = array.base
        if sys.getrefcount(array) > 3:
            return True
    return sys.getrefcount(array) > 5 or array.base is not None


def _names(signature: inspect.Signature | None, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> list[str]:
    """A name for each item among the arguments: `W`, `params_W`, `layers_0`."""
    pairs = [*((f"x{i}", x) for i, x in enumerate(arguments)), *keywords.items()]
    if signature is not None:
        with contextlib.suppress(TypeError):
            bound = signature.bind(*arguments, **keywords).arguments
            many = {name for name, x in signature.parameters.items() if x.kind is inspect.Parameter.VAR_KEYWORD}
            pairs = [pair for name, x in bound.items() for pair in (x.items() if name in many else [(name, x)])]
    found: list[str] = []
    for name, value in pairs:
        found += _paths(name, value)
    count = len(leaves((arguments, keywords)))
    return found if len(found) == count else [f"x{i}" for i in range(count)]


def _paths(name: str, value: Any) -> list[str]:
    items: Any = None
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, (list, tuple)):
        keys = getattr(type(value), "_fields", None) or range(len(value))
        items = zip(keys, value, strict=True)
    elif hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
        items = ((key, getattr(value, key)) for key in value.__dataclass_fields__)
    if items is None:
        return [name]
    return [path for key, item in items for path in _paths(f"{name}_{key}", item)]


def identifier(name: str) -> str:
    """A name that Python accepts for a variable."""
    name = re.sub(r"\W+", "_", name).strip("_") or "x"
    name = f"_{name}" if name[0].isdigit() else name
    return f"{name}_" if keyword.iskeyword(name) or name in ("np", "print") else name


def _legacy_state() -> bytes:
    """Where np.random's own generator stands."""
    return pickle.dumps(np.random.get_state(legacy=False))


def _called(f: Any) -> str:
    return getattr(f, "__name__", type(f).__name__)


def refuse_tensors(items: Any) -> bool:
    """Whether any is a Tensor that carries gradient: then an enclosing differentiation wants to see what f does."""
    return any(isinstance(x, Stored) and x._current()[1].needs for x in items)


__all__ = ["GradientError", "Trace", "identifier", "present", "refuse_tensors", "tracer"]
