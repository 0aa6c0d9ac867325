"""Which of NumPy's functions differentiate: the table, read as a page. `autodiff/COVERAGE.md` is made from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ..primitive import ALIASES, COMPOSED, CREATES, INSPECTS, TABLE
from ..rules import activation

# Rules that compute from `out`, or from a difference: they are right to the size of the largest derivative.
ABSOLUTE: set[Callable[..., Any]] = {np.tanh, activation.sigmoid, np.logaddexp, np.logaddexp2, np.sinc}

# What PyTorch 2.13 and JAX 0.10 give at the points where a row states what it takes; a test asks them again.
ELSEWHERE: dict[tuple[str, str], tuple[str, str]] = {
    ("abs", "0"): ("0", "1"),
    ("fabs", "0"): ("0", "1"),
    ("copysign", "(0, 1)"): ("(0, 0)", "(1, 0)"),
    ("relu", "0"): ("0", "0"),
    ("maximum", "(1, 1)"): ("(0.5, 0.5)", "(0.5, 0.5)"),
    ("minimum", "(1, 1)"): ("(0.5, 0.5)", "(0.5, 0.5)"),
    ("fmax", "(1, 1)"): ("(1, 0)", "(0, 1)"),
    ("fmin", "(1, 1)"): ("(1, 0)", "(0, 1)"),
    ("clip", "(-1, -1, 1)"): ("(1, 0, 0)", "(0.5, 0.5, 0)"),
    ("clip", "(1, -1, 1)"): ("(1, 0, 0)", "(0.5, 0, 0.5)"),
    ("clip", "(5, 1, 1)"): ("(0, 0, 1)", "(0, 0, 1)"),
    ("hypot", "(0, 0)"): ("(nan, nan)", "(0.5, 0.5)"),
    ("heaviside", "(0, 1)"): ("refused", "(0, 1)"),
    ("max", "(1, 1)"): ("(0.5, 0.5)", "(0.5, 0.5)"),
    ("min", "(1, 1)"): ("(0.5, 0.5)", "(0.5, 0.5)"),
    ("std", "(1, 1)"): ("(0, 0)", "(nan, nan)"),
    ("norm", "(0, 0)"): ("(0, 0)", "(nan, nan)"),
    ("vector_norm", "(0, 0)"): ("(0, 0)", "(nan, nan)"),
}

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


_HEAD = """\
# Which functions differentiate

Of {functions} functions of NumPy and ours, gradients flow through {flowing}: by plain `import numpy as np`, in reverse
and in forward mode, any number of times. This page is `autodiff.coverage().page`; a test keeps it so.

- *elementwise*, *linear*, *selecting elements*, *vector-Jacobian product*: a row of the table states the derivative.
- *composed*: a row states an equal expression in simpler functions: NumPy gives the value, that the derivative.
- *recorded as simpler functions*: what returns views, writes in place or calls a user's function.
- *derivative zero*: still a node of the graph, since the result depends on data.
- *accuracy*: of the derivative, in units in the last place; or, where it is computed from the result or from a
  difference, of the largest derivative. Others are as accurate as the NumPy functions that they are made of.
- *kinks*: the points that have no derivative, what is taken there, and what others take.
"""


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
    def page(self) -> str:
        """As a page in Markdown."""
        flowing = sum(entry.differentiates for entry in self)
        return f"{_HEAD.format(flowing=flowing, functions=len(self))}\n{self.markdown}"

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
    return Entry(name, KINDS[kind], "all", accuracy, "; ".join(_kinks(row)), _note(row))


def _kinks(row: Any) -> Iterator[str]:
    for point, values in row.kinks.items():
        others = ELSEWHERE.get((row.name, _shown(point)))
        said = f" (PyTorch {others[0]}, JAX {others[1]})" if others else ""
        yield f"at {_shown(point)}: {_shown(values)}{said}"


def _shown(values: tuple[Any, ...]) -> str:
    """One number, or the elements of one array, or one number for each argument."""
    return str(values[0]) if len(values) == 1 else f"({', '.join(map(str, values))})"


def _note(row: Any) -> str:
    if row.kind == "composed":
        return ""
    fixed = [name for name, given in zip(row.formula.arrays, row.differentiable, strict=True) if not given]
    return f"no gradient in {', '.join(fixed)}" if fixed else ""


def _reason(function: Any) -> str:
    if isinstance(function, np.ufunc) or hasattr(function, "_implementation"):
        return "not a function of real numbers"
    return "NumPy lets no other array in here (use `like=`, or the Tensor's own methods)"
