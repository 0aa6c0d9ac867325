"""The picture as plain data: cards, arrows and boxes, with all their words. What writes it needs nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["parameter", "data", "value", "loss", "output", "layer", "hidden"]


@dataclass(frozen=True)
class Card:
    """One value, with the operation that made it; or a folded layer; or a sign that cards are left out.

    `gradient` is the size of the gradient (None before a backward pass), `rule` how it is computed, where no arrow says
    it; `times`: how many equal cards it stands for. `path`: the boxes that it stands in, from the outermost.
    """

    key: str
    kind: Kind
    name: str
    formula: str
    shape: str
    extent: str
    gradient: float | None = None
    rule: str = ""
    times: int = 1
    path: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """`z2 = X @ W1`, or what there is of it."""
        return " = ".join(filter(None, (self.name, self.formula)))


@dataclass(frozen=True)
class Arrow:
    """From a value to one computed from it. If it carries gradient, `rule` says what flows back.

    `beside`: the source stands beside the target, not above it.
    """

    source: Card
    target: Card
    carries: bool
    beside: bool
    rule: str = ""


@dataclass(frozen=True)
class Box:
    """A layer: its cards have its `path`. `key` is that of the card that it folds to."""

    key: str
    path: tuple[str, ...]
    title: str
    note: str


@dataclass(frozen=True)
class Picture:
    """Cards in the order of the computation, arrows between them, boxes around them, outer before inner.

    `title` and `notes` stand above it; `remark` says what became of the graph, `banner` what is not shown. `letter`:
    what the rules call the output, as in ∂L.
    """

    letter: str
    title: str
    notes: tuple[str, ...]
    cards: tuple[Card, ...]
    arrows: tuple[Arrow, ...]
    boxes: tuple[Box, ...]
    remark: str = ""
    banner: str = ""
    differentiated: bool = False
