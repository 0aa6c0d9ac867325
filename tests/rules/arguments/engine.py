"""The engine's own rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from autodiff.rules import engine

from ..gradcheck import Call, read_only
from .common import Factory, elementwise


@st.composite
def taking(draw: Any, function: Callable[..., Any]) -> Call:
    """taken: a condition, and a gradient."""
    condition, g = draw(elementwise(function).filter(lambda call: len(call.arrays) == 2)).arguments
    return Call(function, (read_only(condition > 0), g))


ARGUMENTS: dict[Callable[..., Any], Factory] = {engine.taken: taking, engine.dropped: taking}
COMPLEX = set(ARGUMENTS)
