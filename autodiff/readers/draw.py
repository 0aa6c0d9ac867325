"""`draw`: the graph behind Tensors, as a picture."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ..errors import GradientError, MissingProgramError
from ..graph import Graph
from ..sites import __library__  # noqa: F401
from ..tensor import Tensor
from .drawing.dot import dot_of
from .drawing.layout import rendered
from .drawing.page import page_of
from .drawing.picture import Picture
from .drawing.sketch import Sketch
from .drawing.svg import picture_file
from .drawing.text import text_of

SHOWN = 10_000  # nodes: a notebook shows no picture of more unless it is asked to


def draw(*tensors: Tensor | Iterable[Tensor], fold: bool | None = None) -> Drawing:
    """A picture of the graph behind one or several Tensors: a `Drawing`.

    A card for each value says its name, what computes it, its shape and its range; after `backward` also the size of
    its gradient, and arrows back say by which rule it was computed. Values are those of the time of recording. Layers
    fold where a picture would be too large; `fold=True` folds them all, `fold=False` none.

    Errors: `GradientError` for what is no Tensor.

    >>> import numpy as np
    >>> from autodiff import constant
    >>> X, W = constant([[3.0, 5.0]], name="X"), Tensor([[0.5], [0.25]], name="W")
    >>> z = X @ W
    >>> z.name = "z"
    >>> print(draw(z))
    z, shape 1 × 1    2 parameters in 1 tensor    no backward pass yet
                  shape  values
       X  data    1 × 2  3.0 … 5.0
     ┌ layer 1   2 → 1,  2 parameters
     │ W  param   2 × 1  0.25 … 0.50
     │ z = X @ W  1 × 1  2.75
    """
    outputs: list[Any] = []
    for item in tensors:
        outputs += [item] if isinstance(item, Tensor) or not isinstance(item, Iterable) else item
    for item in outputs:
        if not isinstance(item, Tensor):
            raise GradientError(f"draw: takes Tensors, got {type(item).__name__}")
    if not outputs:
        raise GradientError("draw: takes Tensors, got none")
    return Drawing(Sketch(outputs, fold))


class Drawing:
    """A picture of a graph, as it was when `draw` was called. `str()` is its text view; a notebook shows it.

    >>> drawing = draw(Tensor(2.0, name="x") ** 2)
    >>> drawing.source.startswith("digraph")
    True
    """

    def __init__(self, sketch: Sketch) -> None:
        self._sketch: Sketch = sketch
        self._picture: Picture = sketch.picture(sketch.fold)

    @property
    def source(self) -> str:
        """The picture in DOT, the language of Graphviz."""
        return dot_of(self._picture)

    @property
    def svg(self) -> bytes:
        """The picture in SVG; needs Graphviz."""
        return picture_file(rendered(self.source, "svg"), self._picture)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a file of the kind that its suffix says: svg, png, pdf, html, dot or txt.

        The file is there whole or not at all. Errors: `ValueError` for another suffix, `FileNotFoundError` for a folder
        that does not exist, `MissingProgramError` where no Graphviz is installed, which txt and dot do not need.
        """
        path = Path(path)
        kind = path.suffix.lower().removeprefix(".")
        if kind not in WRITERS:
            raise ValueError(f"save: {path.name!r} has to end in one of {', '.join(f'.{k}' for k in WRITERS)}")
        if not path.parent.is_dir():
            raise FileNotFoundError(f"save: there is no folder {str(path.parent)!r}")
        _write(path, WRITERS[kind](self))

    def _page(self) -> bytes:
        return page_of(self._sketch).encode()

    def __str__(self) -> str:
        return text_of(self._picture)

    def __repr__(self) -> str:
        return f"<drawing of {self._picture.title}: {len(self._picture.cards)} cards>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What a notebook shows: the picture where there is a Graphviz, else the text."""
        bundle = {"text/plain": str(self)}
        with contextlib.suppress(MissingProgramError, OSError):
            bundle["image/svg+xml"] = self.svg.decode().partition("\n")[2]  # as a part of a page it has no declaration
        return bundle


WRITERS: Mapping[str, Callable[[Drawing], bytes]] = {
    "svg": lambda drawing: drawing.svg,
    "png": lambda drawing: rendered(drawing.source, "png"),
    "pdf": lambda drawing: rendered(drawing.source, "pdf"),
    "html": lambda drawing: drawing._page(),
    "dot": lambda drawing: drawing.source.encode(),
    "txt": lambda drawing: f"{drawing}\n".encode(),
}


def _in_notebook(tensor: Tensor) -> dict[str, str]:
    """The picture of a Tensor in a notebook; none where that fails or would take long, as in any `repr`."""
    try:
        if len(Graph([tensor._current()[1]])) > SHOWN:
            return {}
        return {kind: shown for kind, shown in draw(tensor)._repr_mimebundle_().items() if kind != "text/plain"}
    except Exception:
        return {}


Tensor._picture = staticmethod(_in_notebook)


def _write(path: Path, content: bytes) -> None:
    """All of it or nothing: a file beside it takes its place."""
    beside = path.with_name(f".{path.name[:100]}.{uuid.uuid4().hex}")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
