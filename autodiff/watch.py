"""What `anomaly` looks at: values and gradients that are not finite, and the user's line that made them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .errors import AnomalyError, describe, user_line
from .graph import Node
from .structures import leaves


def watch_over(node: Node, out: Any, operands: Sequence[Any]) -> None:
    """Raise where the result of an operation is not finite; watch its rule."""
    site = user_line()
    given = " and ".join(_ranged(x) for x in leaves(list(operands)) if hasattr(x, "shape"))
    _check([out], f"{node.primitive.title} of {given}", "values", site)
    if node.needs:
        node.rule = _Watched(node.rule, f"{node.primitive.title} of {given}", site)


class _Watched:
    """A rule whose gradients are looked at."""

    def __init__(self, rule: Any, operation: str, site: str) -> None:
        self.rule, self.operation, self.site = rule, operation, site
        self.saves: tuple[str, ...] = rule.saves
        self.push: Any = rule.push

    def pull(self, node: Node, saved: tuple[Any, ...], g: Any) -> Any:
        pairs = tuple(self.rule.pull(node, saved, g))
        _check([gx for _, gx in pairs], f"the gradient of {self.operation}", "gradients", self.site)
        return pairs


def _check(found: Iterable[Any], operation: str, what: str, site: str) -> None:
    for array in leaves(list(found)):
        value = np.asarray(array._read() if hasattr(array, "_read") else array)
        if value.dtype.kind in "fc" and not np.isfinite(value).all():
            wrong = value[~np.isfinite(value)]
            kinds = ", ".join(sorted({str(number) for number in wrong.ravel()[:1000]}))
            raise AnomalyError(f"{operation}: {wrong.size} of {value.size} {what} not finite ({kinds}), at {site}")


def _ranged(operand: Any) -> str:
    """`x (2,) [0.0 ... 1.0]`"""
    value = np.asarray(operand._read() if hasattr(operand, "_read") else operand)
    if not value.size or value.dtype.kind not in "fiu":
        return describe(operand)
    with np.errstate(invalid="ignore"):
        return f"{describe(operand)} [{value.min()} ... {value.max()}]"
