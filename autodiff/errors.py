"""The errors that a user can meet. Each message names the operation, the argument, the shapes and the remedy."""

from __future__ import annotations

import re
import sys
from types import FrameType
from typing import Any


class AutodiffError(Exception):
    """The base of every error raised by this package."""


class ShapeError(AutodiffError, ValueError):
    """Operands whose shapes do not fit together."""


class GradientError(AutodiffError, TypeError, RuntimeError):
    """A derivative that cannot be given, or a use that would lose one silently."""


class InPlaceError(GradientError, ValueError):
    """A write that would corrupt a derivative."""


class AnomalyError(AutodiffError, FloatingPointError):
    """A value or a gradient that is not finite, found inside `anomaly()`."""


class TracedValueError(GradientError):
    """A decision by a value that will be another one when the recorded program runs."""


class BackendError(GradientError, NotImplementedError):
    """A program that a backend of `compile` has no form of."""


class MissingRuleError(GradientError, NotImplementedError):
    """A function, or one of its keywords, that has no rule in the table."""


class MissingProgramError(AutodiffError, RuntimeError):
    """A program that draws, and is not installed."""


def leaves_the_graph(name: str, action: str, remedy: str) -> GradientError:
    """The error for a call through which a derivative would be lost without a word."""
    return GradientError(f"{action} of {name}, which carries gradient, would leave the graph: write {remedy}")


_INNER_SIZES = (
    re.compile(r"size (?P<right>\d+) is different from (?P<left>\d+)"),  # np.matmul
    re.compile(r"not aligned: (?P<left>\d+) .* != (?P<right>\d+)"),  # np.dot
)


def explained(error: Exception, operation: str, operands: tuple[Any, ...]) -> Exception:
    """NumPy's error, told in the user's names: `matmul: X (3, 2) and W1 (4, 3): inner sizes 2 and 4 differ`.

    A shape error becomes a `ShapeError`; any other keeps its type and gains a note that names the operation.
    """
    described = " and ".join(describe(operand) for operand in operands if not _absent(operand))
    if isinstance(error, ValueError) and (reason := _mismatch(str(error), operands)):
        return ShapeError(f"{operation}: {described}: {reason}")
    error.add_note(f"in {operation} of {described}")
    return error


def _absent(operand: Any) -> bool:
    return operand is None or (isinstance(operand, (list, tuple)) and not operand)


def describe(operand: Any, fallback: str = "array") -> str:
    """`W1 (4, 3)`: the name that the user knows an operand by, and its shape."""
    if isinstance(operand, (list, tuple)):
        return "[" + ", ".join(describe(item) for item in operand) + "]"
    if not hasattr(operand, "shape"):
        return repr(operand)
    name = getattr(operand, "name", None) or _variable_name(operand) or fallback
    return f"{name} {tuple(operand.shape)}"


def _mismatch(message: str, operands: tuple[Any, ...]) -> str | None:
    for pattern in _INNER_SIZES:
        if found := pattern.search(message):
            return f"inner sizes {found['left']} and {found['right']} differ"
    if "broadcast" in message:
        shapes = [tuple(operand.shape) for operand in operands if hasattr(operand, "shape")]
        first = -3 if "remapped" in message else -1  # np.matmul broadcasts all but the last two axes
        for axis in range(first, -1 - max(map(len, shapes), default=0), -1):
            sizes = sorted({shape[axis] for shape in shapes if len(shape) >= -axis} - {1})
            if len(sizes) > 1:
                return f"sizes {sizes[0]} and {sizes[1]} of axis {axis} differ, and neither is 1"
    return None


def user_frame() -> FrameType | None:
    """The nearest frame outside this package, and outside NumPy, which calls us back."""
    frame = sys._getframe(1)
    packages = (__name__.partition(".")[0], "numpy")
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in packages:
        frame = frame.f_back
    return frame


def user_line() -> str:
    """Where that frame is."""
    frame = user_frame()
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else "an unknown line"


def _variable_name(value: Any) -> str | None:
    """The name of the variable that holds `value` in the nearest frame outside this package."""
    frame = user_frame()
    if frame is None:
        return None
    for variables in (frame.f_locals, frame.f_globals):
        for name, held in variables.items():
            if held is value and not name.startswith("_"):
                return name
    return None
