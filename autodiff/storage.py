"""Storage: how Tensors that share memory, as NumPy's views do, live on values that are never written.

A Tensor normally keeps its value and node itself. Two kinds ask each time that they are read, through a link:

- `Exposed`: a leaf whose array the user holds, by `w.data`. He may write to it at any time, so each recording copies it.
- `View`: what `x[1:]`, `x.T` or `x.reshape(...)` made. A write to any member of the family gives the *root* a new value;
  a view that finds another node under its root than it was made from (its `origin`) is made again from there.

So a write never changes an array that a graph holds: it makes new nodes, and gradients flow as the program was written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .graph import Node, leaf
from .record import recorder, recording, snapshot

if TYPE_CHECKING:
    from .tensor import Tensor


class Exposed:
    """A leaf's array in the user's hands."""

    __slots__ = ("array",)

    def __init__(self, array: Any) -> None:
        self.array = array

    def settle(self, tensor: Tensor) -> Any:
        """A copy of the array as it is now, as a new version of the leaf."""
        value = snapshot(self.array)
        old = tensor._node
        tensor._node = leaf(value, old.variable, old.needs)
        return value


class View:
    """A view of `root`, made from the root's node `origin`."""

    __slots__ = ("origin", "root", "value")

    def __init__(self, root: Tensor, origin: Node, value: Any) -> None:
        self.root = root
        self.origin = origin
        self.value = value

    def settle(self, tensor: Tensor) -> Any:
        """The value; made again from the root where that was written since."""
        current = self.root._version()[1]
        if current is not self.origin:
            self._refresh(tensor)
        return self.value

    def path(self, node: Node) -> list[Node]:
        """The view operations from the origin down to `node`."""
        path = []
        while node is not self.origin:
            path.append(node)
            node = node.inputs[0]
        return path[::-1]

    def positions(self, tensor: Tensor) -> Any:
        """For each element of the view, its position in the flattened root."""
        root = self.root
        positions = np.arange(root.size).reshape(root.shape)
        self.settle(tensor)
        for node in self.path(tensor._node):
            assert node.primitive is not None
            positions = node.primitive.evaluate((positions,), node.keywords)
        return positions

    def _refresh(self, tensor: Tensor) -> None:
        kind = type(self.root)
        token = recording.set(tensor._node.needs or not self.origin.needs)
        try:
            made = self.root
            for node in self.path(tensor._node):
                assert node.primitive is not None
                starred = [()] * bool(node.primitive.formula.starred)
                made = recorder(node.primitive.function, kind)(made, *starred, **node.keywords)
        finally:
            recording.reset(token)
        tensor._node, self.origin, self.value = made._node, self.root._node, made._version()[0]
