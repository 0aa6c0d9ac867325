"""Gradients that are exactly zero where a branch was not taken, whatever they are multiplied by.

Eager code carries the mask along with the array (`cotangents.Masked`). A program has it as a value of its own, and
multiplies with `where=`: elements that were not taken are not computed, and stay zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...primitive import dropped
from .lines import Line, Operand, literal

if TYPE_CHECKING:
    from ...graph import Node
    from .lower import Lowering

BOOL = np.dtype(bool)
SUMS = (np.add, np.subtract)
FACTORS = (np.multiply, np.divide, np.negative, np.positive, np.conjugate)


def where_taken(low: Lowering, node: Node, operands: Sequence[Operand]) -> Line:
    """`taken` and `dropped`: a gradient where a condition says so, else a zero that stays zero."""
    condition, g = operands
    if not isinstance(condition, Line):
        condition = low.constant(np.full(node.shape, condition))
    out = node.primitive.function is dropped
    texts = ("{0}", "0", "{1}") if out else ("{0}", "{1}", "0")
    line = low.call(f"np.where({', '.join(texts)})", condition, g, shape=node.shape, dtype=node.dtype)
    line.ordered = all(not isinstance(x, Line) or x.ordered or x.shape == () for x in operands)
    line.into = chosen("~{0}" if out else "{0}", "{1}", condition, g, line)
    mask = low.ufunc(np.logical_not, condition, shape=condition.shape, dtype=BOOL) if out else condition
    if isinstance(g, Line) and g.mask is not None:
        mask = low.ufunc(np.logical_and, mask, g.mask, shape=node.shape, dtype=BOOL)
    line.mask = spread(low, mask, node.shape)
    return line


def chosen(condition: str, text: str, mask: Line, x: Operand, line: Line) -> str | None:
    """x where a mask says so, else 0, as a product of integers (its bits times 1 or 0), which has no branches."""
    if line.dtype.char not in "fd" or not isinstance(x, Line) or (x.shape, x.dtype) != (line.shape, line.dtype):
        return None
    if mask.dtype != BOOL:
        return None
    bits = f".view(np.int{8 * line.dtype.itemsize})"
    return f"np.multiply({text}{bits}, {condition}, {{out}}{bits}).view({literal(line.dtype)})"


def spread(low: Lowering, mask: Line, shape: Any) -> Line:
    """A mask in the shape of what it masks."""
    if mask.shape == shape:
        return mask
    return low.call(f"np.broadcast_to({{0}}, {shape})", mask, shape=shape, dtype=BOOL, view=True)


def masked(low: Lowering, ufunc: np.ufunc, operands: Sequence[Operand], shape: Any, dtype: Any) -> Line | None:
    """An elementwise call of masked values; None where it sees zeros as zeros."""
    masks = [x.mask for x in operands if isinstance(x, Line) and x.mask is not None]
    if ufunc in SUMS and len(masks) == len(operands):
        line = low.ufunc(ufunc, *operands, shape=shape, dtype=dtype)
        line.mask = low.ufunc(np.logical_or, *masks, shape=shape, dtype=BOOL)
        return line
    if ufunc not in FACTORS:
        return None
    mask = masks[0] if len(masks) == 1 else low.ufunc(np.logical_and, *masks, shape=shape, dtype=BOOL)
    places = ", ".join(f"{{{i}}}" for i in range(len(operands)))
    zeros = f"{{out}} = np.zeros({shape}, {literal(dtype)})"
    write = f"np.{ufunc.__name__}({places}, out={{out}}, where={{{len(operands)}}})"
    line = low.call("{out}", *operands, mask, shape=shape, dtype=dtype, before=(zeros, write), ordered=True)
    line.mask = spread(low, mask, shape)
    return line


def moved(low: Lowering, node: Node, operands: Sequence[Operand], line: Line) -> Line:
    """What moves elements moves the mask as well."""
    x = operands[0]
    if isinstance(x, Line) and x.mask is not None and x is not line:
        line.mask = low.call(line.template, x.mask, shape=line.shape, dtype=BOOL, view=line.view)
    return line
