"""What tells recorded functions apart: where signatures are equal the program is the same, and need not be made again.

Networks of one shape, as a search for good settings makes many, are recorded each, and planned once.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

import numpy as np

from ...graph import Node
from ...operands import Number
from .abreast import MANY
from .lines import literal
from .lower import in_order
from .trace import Trace

LARGE = 1 << 12  # bytes of a constant up to which it is compared


def signature(trace: Trace) -> tuple[Any, ...] | None:
    """All that lines are made from; None of large graphs, and where no source can say it, as of random numbers."""
    given, nodes = [*trace.inputs, *trace.captured], trace.graph.nodes
    if trace.draws or trace.tape.guards or len(nodes) > MANY:
        return None
    place = {id(x): i for i, x in enumerate([*given, *nodes])}
    inputs, indices = {id(x) for x in given}, [node.index for node in nodes]
    derivatives = [bisect_left(indices, end) for ends in trace.tape.gradients for end in ends]

    def operand(x: Any) -> Any:
        if (known := place.get(id(x))) is not None:
            return known
        if isinstance(x, Number):
            template, operands = x.made
            return template, *map(operand, operands)
        return type(x), literal(x)

    def call(node: Node) -> Any:
        if node.primitive is None:
            return None if id(node) in inputs else _constant(node.value)
        said = [(name, literal(value)) for name, value in node.keywords.items()]
        return node.primitive, node.shape, node.dtype, *said, *map(operand, node.inputs)

    try:
        return (
            *trace.names, *(node.name for node in trace.captured), ...,
            *((operand(x), x.shape, x.dtype, in_order(x.value)) if isinstance(x, Node) else operand(x) for x in given),
            ..., *map(call, nodes), ..., *map(operand, trace.outputs), ..., *derivatives,
        )  # fmt: skip
    except ValueError:  # of `literal`
        return None


def _constant(value: Any) -> tuple[Any, ...]:
    if not isinstance(value, (np.ndarray, np.generic)) or value.nbytes > LARGE or value.dtype.hasobject:
        raise ValueError("this takes too long to compare")
    return type(value), value.shape, value.dtype, in_order(value), value.tobytes()
