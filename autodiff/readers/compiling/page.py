"""Which functions are machine code with `backend="numba"`, and which are called as NumPy from within."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...primitive import COMPOSED, TABLE, Primitive
from .elements import CALLS, INFIX
from .lower import EXPANSIONS
from .rows import MOVES

PRODUCTS: set[Any] = {np.matmul, np.dot}
REDUCTIONS: set[Any] = {np.sum, np.mean, np.max}
MOVED: set[Any] = {np.reshape, np.ravel, np.squeeze, np.expand_dims, np.transpose}


def form(row: Primitive) -> str:
    """How a row is machine code."""
    function = row.function
    if isinstance(function, np.ufunc) and function.__name__ in (*INFIX, *CALLS):
        return "loop"
    if function in EXPANSIONS or row.name in ("pow", "where", "cast", "taken", "dropped", "identity", "detached"):
        return "loop"
    if function in PRODUCTS:
        return "BLAS"
    if function in REDUCTIONS:
        return "loop, along the first or the last axis, or all"
    if function in MOVED and function in (*MOVES, np.transpose):
        return "view"
    if row.name in ("getitem", "scatter"):
        return "loop, for `x[np.arange(n), labels]`"
    return "several results: no program" if row.several else "called as NumPy"


def page() -> str:
    """The page `autodiff/NUMBA.md`."""
    rows = {row.call_name: form(row) for row in TABLE.values() if not row.foreign}
    composed = sorted({row.call_name for row in COMPOSED.values()} - set(rows))
    lines = [
        '# What `compile(f, backend="numba")` makes machine code of',
        "",
        "Chains of loops become one loop; products of two matrices are calls of BLAS. What is called as NumPy costs",
        "some microseconds a call; so is all that is complex. A user's own primitive, and a function with several",
        "results, have no form here: an error says so. `python tests/readers/test_compile_page.py` writes this page.",
        "",
    ]
    lines += ["| function | form |", "|---|---|", *(f"| `{name}` | {text} |" for name, text in sorted(rows.items()))]
    lines += ["", "Called as NumPy, too: " + ", ".join(f"`{name}`" for name in composed) + "."]
    return "\n".join(lines) + "\n"
