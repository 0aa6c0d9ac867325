"""Which of NumPy's functions differentiate: the table, read as a page. `autodiff/COVERAGE.md` is made from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ..primitive import ALIASES, COMPOSED, CREATES, INSPECTS, TABLE
from ..rules import activation

# What comes of rounding: a rule that computes from `out`, or from a difference, is right to the size of the largest derivative.
ABSOLUTE: set[Callable[..., Any]] = {np.tanh, np.tan, activation.sigmoid}

# At the points of `kinks`, the same gradients by PyTorch 2.13 and JAX 0.10 (None: it has no such function, or refuses).
ELSEWHERE: dict[Any, dict[str, tuple[Any, Any]]] = {}

KINDS = {
    "elementwise": "elementwise",
    "linear": "linear",
    "selecting": "selecting elements",
    "special": "vector-Jacobian product",
    "composed": "composed",
    "inlined": "recorded as simpler functions",
    "constant": "derivative zero",
    "inspects": "plain answer",
    "creates": "new array, no gradient",
    "refused": "refused",
}


class Entry(NamedTuple):
    """One function of NumPy's (or ours): how it differentiates."""

    name: str
    kind: str
    orders: str
    accuracy: str
    kinks: str
    note: str

    @property
    def differentiates(self) -> bool:
        """Whether a gradient flows through it."""
        return self.orders == "all"


class Coverage(tuple[Entry, ...]):
    """The entries of all functions: `str()` is a table in text, `.markdown` one for a page."""

    __slots__ = ()

    @property
    def markdown(self) -> str:
        """As a table in Markdown."""
        heads = ("function", "kind of row", "orders", "accuracy of the derivative", "at kinks", "note")
        lines = [heads, ("---",) * len(heads), *((f"`{entry.name}`", *entry[1:]) for entry in self)]
        return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)

    def __str__(self) -> str:
        width = max((len(entry.name) for entry in self), default=0)
        return "\n".join(f"{e.name:{width}}  {e.kind}{'; ' * bool(e.note)}{e.note}" for e in self)


def coverage() -> Coverage:
    """How each function of `numpy`, `numpy.linalg`, `numpy.fft` and each of ours differentiates.

    >>> from autodiff import coverage
    >>> next(entry for entry in coverage() if entry.name == "np.tanh")[1:4]
    ('elementwise', 'all', '4 eps of the largest')
    """
    entries = [_entry(name, function) for name, function in _functions()]
    return Coverage(sorted(entries, key=lambda entry: entry.name.lower()))


def _functions() -> Iterator[tuple[str, Any]]:
    for prefix, module in (("np", np), ("np.linalg", np.linalg), ("np.fft", np.fft)):
        for name in module.__all__:
            function: Any = getattr(module, name)
            if callable(function) and not isinstance(function, type):
                yield f"{prefix}.{name}", function
    for function in TABLE:
        if function.__module__ == activation.__name__:
            yield f"autodiff.{function.__name__}", function


def _entry(name: str, function: Any) -> Entry:
    function = ALIASES.get(function, function)
    row = TABLE.get(function) or COMPOSED.get(function)
    if row is None:
        kind = "inspects" if function in INSPECTS else "creates" if function in CREATES else "refused"
        return Entry(name, KINDS[kind], "", "", "", _reason(function) if kind == "refused" else "")
    kind = "inlined" if getattr(row, "inlined", False) else row.kind
    if row.kind == "constant" or not any(row.differentiable):
        return Entry(name, KINDS["constant"], "zero", "exact", "", "")
    accuracy = ""
    if row.kind == "elementwise" or isinstance(function, np.ufunc):
        accuracy = "4 eps of the largest" if function in ABSOLUTE else "4 ulp"
    return Entry(name, KINDS[kind], "all", accuracy, "; ".join(_kinks(function, row)), _note(row))


def _kinks(function: Any, row: Any) -> Iterator[str]:
    for point, values in row.kinks.items():
        others = ELSEWHERE.get(function, {}).get(str(point))
        said = f" (PyTorch {others[0]}, JAX {others[1]})" if others else ""
        yield f"{_shown(point)} → {_shown(values)}{said}"


def _shown(values: tuple[Any, ...]) -> str:
    return ", ".join(map(str, values)) if len(values) == 1 else f"({', '.join(map(str, values))})"


def _note(row: Any) -> str:
    fixed = [name for name, d in zip(row.formula.arrays, row.derivatives, strict=False) if d is None and row.kind != "composed"]
    return f"no gradient in {', '.join(fixed)}" if fixed else ""


def _reason(function: Any) -> str:
    if isinstance(function, np.ufunc) or hasattr(function, "_implementation"):
        return "not a function of real numbers"
    return "NumPy lets no other array in here (use `like=`, or the Tensor's own methods)"
