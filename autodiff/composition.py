"""Calls of any form: of functions that are differentiated as an expression in simpler ones is.

A node of such a call keeps the call itself, a `Slot` in the place of each array. The backward pass evaluates the row's
expression on Tensors, and pulls the gradient back through the graph that this gives.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .cotangents import SEVERAL, Parts
from .derivative import pull
from .errors import AutodiffError, GradientError, MissingRuleError, ShapeError, explained
from .graph import Node, Variable, leaf, node_of
from .modes import current_site, paused, resumed, watching
from .operands import constant_operand, plain_operand, snapshot
from .primitive import COMPOSED, TABLE, Composed
from .record import recorder
from .rules.engine import part
from .rules.shape import identity
from .sites import __library__  # noqa: F401
from .storage import Stored
from .structures import Slot, filled, leaves, mapped, results
from .watch import watch_over


def record_call(row: Composed, arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> Any:
    """Call NumPy's function, and remember the call."""
    given = {key: value for key, value in keywords.items() if value is not np._NoValue}  # as NumPy's own code passes on
    arguments, options, out = _without_out(row, arguments, given)
    if row.inlined:
        result = row.composition(*arguments, **options)
        if not any(isinstance(item, Stored) for item in leaves((arguments, options))):  # `like=` asked for a Tensor
            result = mapped(result, lambda x: Stored._plain(snapshot(x, row.title)) if isinstance(x, np.ndarray) else x)
        return result if out is None else Stored._into(out, result, row.call_name)
    operands: list[tuple[Any, Any]] = []
    call = mapped((arguments, options), lambda item: _taken_out(item, operands, row.title))
    values = tuple(value for value, _ in operands)
    plain_arguments, plain_options = filled(call, values)
    try:
        result = row.call(*plain_arguments, **plain_options)
    except Exception as error:
        arrays = tuple(x for x in leaves((arguments, options)) if hasattr(x, "shape") and not isinstance(x, type))
        raise explained(error, row.title, arrays) from None
    if _shared(result, values):  # writes have to reach the argument
        return _into(out, row.composition(*arguments, **options), row)
    if paused():
        return _into(out, plainly(result), row)
    nodes = tuple(constant_operand(value, row.title)[1] if node is None else node for value, node in operands)
    if hasattr(result, "__array__") and not hasattr(result, "dtype"):  # such as np.poly1d
        raise MissingRuleError(f"{row.call_name} gives a {type(result).__name__}, which cannot carry gradient")
    node = node_of(row, nodes, {"call": call}, result)
    node.site = current_site()
    if row.kind == "composed" and any(x.needs for x in nodes) and _has_floats(result):
        node.needs, node.rule, node.saved = True, RULE, (values,)
    if watching():
        watch_over(node, result, list(leaves((arguments, options))))
    return _into(out, unpacked(node, result), row)


def _without_out(row: Composed, arguments: Any, keywords: dict[str, Any]) -> tuple[Any, dict[str, Any], Any]:
    """The call without `out`, and where the result goes."""
    out = keywords.pop("out", None)
    if out is None and ("out=None" in row.text) and len(arguments) > 1:
        bound = inspect.signature(row.function).bind(*arguments, **keywords)
        if bound.arguments.get("out") is not None:
            out = bound.arguments.pop("out")
            return bound.args, bound.kwargs, out
    return arguments, keywords, out


def _taken_out(item: Any, operands: list[tuple[Any, Any]], operation: str) -> Any:
    """The slot of an array, whose value and node are put among the operands; all else stays in the call."""
    if isinstance(item, Stored):
        operands.append(item._current())
    elif isinstance(item, np.ndarray):
        operands.append((plain_operand(item, operation), None))
    else:
        return item
    return Slot(len(operands) - 1)


def _shared(result: Any, values: tuple[Any, ...]) -> bool:
    """Whether a result looks at the memory of an argument."""
    arrays = [value for value in values if isinstance(value, np.ndarray)]
    return any(np.may_share_memory(x, y) for x in leaves(result) if isinstance(x, np.ndarray) for y in arrays)


def _has_floats(result: Any) -> bool:
    return any(getattr(item, "dtype", np.dtype(bool)).kind in "fc" for item in leaves(result))


def plainly(result: Any) -> Any:
    """The result with Tensors without gradient in the places of arrays."""
    return mapped(result, lambda item: Stored._plain(item) if hasattr(item, "dtype") else item)


def _into(out: Any, result: Any, row: Composed) -> Any:
    return result if out is None else Stored._into(out, result, row.call_name)


def unpacked(node: Node, result: Any) -> Any:
    """The result with Tensors in the places of arrays; each of several is a part of the node's."""
    if hasattr(result, "dtype"):
        return Stored._of(node, result)
    parts = iter(parts_of(node, results(result)))
    return mapped(result, lambda item: next(parts) if hasattr(item, "dtype") else item)


def parts_of(node: Node, values: tuple[Any, ...]) -> tuple[Any, ...]:
    """A Tensor for each of a node's several results."""
    made: list[Any] = []
    for index, value in enumerate(values):
        one = node_of(TABLE[part], (node,), {"index": index, "count": len(values)}, value)
        one.site = node.site
        if node.needs and value.dtype.kind in "fc":
            one.needs, one.rule = True, _PART
        made.append(Stored._of(one, value))
    return tuple(made)


def tensor_of(node: Node, value: Any) -> Any:
    """The Tensor of a node and its value; of a node with several results a tuple."""
    return parts_of(node, value) if node.shape is SEVERAL else Stored._of(node, value)


class _Rule:
    """The derivative of a composed call: pulled back through the graph of its expression."""

    saves: tuple[str, ...] = ("x",)
    push: None = None  # forward mode goes through the expression

    @staticmethod
    def pull(node: Node, saved: tuple[Any, ...], g: Any) -> list[tuple[Node, Any]]:
        (values,) = saved
        recording = any(isinstance(item, Stored) for item in (*values, *leaves(g)))
        inputs = [x for x in node.inputs if x.needs]
        stand_ins, outputs = expressed(node, values)
        sources = [t._source for t, x in zip(stand_ins, node.inputs, strict=True) if x.needs]
        pairs = zip(outputs, g, strict=True) if isinstance(g, Parts) else [(outputs, g)]
        found: list[tuple[Node, Any]] = []
        for output, gradient in pairs:
            if gradient is not None and isinstance(output, Stored) and output._current()[1].needs:
                if output._node.shape != gradient.shape:
                    got = f"its expression has shape {output._node.shape}, the result {gradient.shape}"
                    raise ShapeError(f"{node.primitive.title}: no derivative for this call: {got}")
                pulled = pull(output._node, gradient, set(sources), record=tensor_of if recording else None)
                found += [(x, pulled[s]) for x, s in zip(inputs, sources, strict=True) if s in pulled]
        return found


RULE = _Rule()
_PART = TABLE[part].rule((True,))


def expressed(node: Node, values: tuple[Any, ...]) -> tuple[list[Any], Any]:
    """The expression of a composed call, evaluated on Tensors in the places of its arrays; these, and its results."""
    with resumed():
        inputs = [as_leaf(value, x.needs) for value, x in zip(values, node.inputs, strict=True)]
        arguments, options = filled(node.keywords["call"], inputs)
        try:
            return inputs, results(node.primitive.composition(*arguments, **options))
        except (AttributeError, RecursionError, TypeError) as error:
            if isinstance(error, AutodiffError):
                raise
            remedy = "if Tensors stand in a list there, np.stack them first"
            raise GradientError(
                f"{node.primitive.title}: no derivative for this form of call ({error}); {remedy}"
            ) from error


def as_leaf(value: Any, needs: bool) -> Any:
    """An array as a leaf of the expression's graph; what is recorded stays connected."""
    if not isinstance(value, Stored):
        return Stored._of(leaf(value, Variable(inner=True) if needs else None, needs), value)
    return recorder(identity, Stored._kind)(value) if needs else value


def otherwise(function: Callable[..., Any], arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> Any:
    """A call that the fast recording function of a row does not take."""
    row = COMPOSED.get(function)
    if row is None:
        unknown = ", ".join(sorted(keywords))
        raise MissingRuleError(f"{TABLE[function].call_name} with {unknown}= has no rule yet")
    return record_call(row, arguments, keywords)
