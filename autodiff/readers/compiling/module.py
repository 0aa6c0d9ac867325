"""The module that a program for numba is written to: `step`, and where steps can follow steps, the loops around it."""

from __future__ import annotations

from collections.abc import Sequence

from .lines import Line
from .machine import Machine

HELPERS: dict[str, tuple[str, ...]] = {  # by the module of this folder where they are
    "matrices": ("gemm32", "gemm64", "tiled"),
    "native": (
        "OPTIONS", "exp32", "exp64", "tanh32", "tanh64", "total", "row_sums", "row_maxima", "column_sums", "part",
        "local",
    ),
}  # fmt: skip

REPEAT = """\


@njit(**OPTIONS)
def repeat(losses, {names}):
    for e in range(losses.size):
        found = step({names})
        losses[e] = {loss}
{update}    return found
"""

SWEEP = """\


@njit(**OPTIONS)
def sweep(losses, order, all_{X}, all_{y}, {names}):
    from_{X}, to_{X} = part(all_{X}, 0, all_{X}.size), part({X}, 0, {X}.size)
    from_{y}, to_{y} = part(all_{y}, 0, all_{y}.size), part({y}, 0, {y}.size)
    for e in range(losses.size):
        for i in range({rows}):
            row = order[e * {rows} + i]
            for j in range({X_width}):
                to_{X}[i * {X_width} + j] = from_{X}[row * {X_width} + j]
            for j in range({y_width}):
                to_{y}[i * {y_width} + j] = from_{y}[row * {y_width} + j]
        found = step({names})
        losses[e] = {loss}
{update}    return found
"""

CHECK = """\
if {X}.shape != {X_shape} or {y}.shape != {y_shape}:
    raise ValueError("this program is for X and y of other shapes")
"""


def module_text(machine: Machine, moving: int | None, definitions: Sequence[str] = ()) -> str:
    """The module, with the functions that the program calls as NumPy does.

    `step` takes what there is to work in and constants, then the inputs, last those that are others in each step.
    """
    body = "\n".join(machine.body)
    inputs = [x for x in (*machine.inputs[moving or 0 :], *machine.inputs[: moving or 0]) if x not in machine.inside]
    names = ", ".join([*(f"work_{kind}" for kind in machine.work), *machine.constants, *(x.name or "" for x in inputs)])
    loops = _loops(machine, names) if machine.renewed else ""
    if moving is not None:
        X, y = machine.inputs[:2]
        body = CHECK.format(X=X.name, y=y.name, X_shape=X.shape, y_shape=y.shape) + body
    head = ["import math", "", "import numpy as np", "from numba import njit, objmode", ""]
    for part, names_there in HELPERS.items():
        used = [name for name in names_there if f"{name}(" in body + loops or name == "OPTIONS"]
        if used:
            head.append(f"from autodiff.readers.compiling.{part} import {', '.join(used)}")
    head += ["", *definitions, ""]
    lines = [*head, "@njit(**OPTIONS)", f"def step({names}):", *(f"    {text}" for text in body.splitlines())]
    text = "\n".join(lines) + "\n" + loops
    return text.replace("**OPTIONS", '**OPTIONS | {"nogil": False}') if machine.fallbacks else text


def _loops(machine: Machine, names: str) -> str:
    """`repeat`, many steps on the same data, and `sweep`, one on each minibatch; nothing where steps cannot follow."""
    results = [x for x in machine.outputs if x not in machine.written]
    given = {x: machine.renewed[x].name for x in results if x.dtype is None and x in machine.renewed}
    if not results or results[0].shape != () or any(x not in given for x in results[1:]):
        return ""
    data = machine.inputs[:2]
    if len(data) < 2 or not all(line.shape and line.size for line in data):
        return ""
    update = "".join(f"        {given[x]} = found[{i}]\n" for i, x in enumerate(results) if x in given)
    X, y = data
    loss = "found" if machine.single else "found[0]"
    widths = {"X_width": _width(X), "y_width": _width(y), "rows": X.shape[0]}
    return (REPEAT + SWEEP).format(names=names, loss=loss, update=update, X=X.name, y=y.name, **widths)


def _width(line: Line) -> int:
    return line.size // line.shape[0]
