"""One element of an elementwise call, as numba takes it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .lines import Line, Operand

INFIX = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "less": "<", "less_equal": "<=", "greater": ">",
    "greater_equal": ">=", "equal": "==", "not_equal": "!=", "bitwise_and": "&", "bitwise_or": "|", "bitwise_xor": "^",
}  # fmt: skip
COMPARE = frozenset({"less", "less_equal", "greater", "greater_equal", "equal", "not_equal"})
CALLS = {  # of one element; {t} is the dtype's constructor, {k} 32 or 64
    "negative": "-{0}", "positive": "{0}", "square": "{0} * {0}", "abs": "abs({0})", "absolute": "abs({0})",
    "fabs": "abs({0})", "exp": "exp{k}({0})", "tanh": "tanh{k}({0})", "sqrt": "{t}(math.sqrt({0}))",
    "reciprocal": "{t}(1) / {0}", "log": "{t}(math.log({0}))", "log1p": "{t}(math.log1p({0}))",
    "expm1": "{t}(math.expm1({0}))", "sin": "{t}(math.sin({0}))", "cos": "{t}(math.cos({0}))",
    "floor": "np.floor({0})", "ceil": "np.ceil({0})",
    "maximum": "({0} if {0} >= {1} or {0} != {0} else {1})", "minimum": "({0} if {0} <= {1} or {0} != {0} else {1})",
    "power": "{t}({0} ** {1})", "logical_not": "not {0}", "logical_and": "({0} and {1})", "logical_or": "({0} or {1})",
    "invert": "not {0}", "sign": "({t}(1) if {0} > 0 else {t}(-1) if {0} < 0 else {0})",
    "hypot": "{t}(math.hypot({0}, {1}))", "arctan": "{t}(math.atan({0}))", "isnan": "({0} != {0})",
    "logaddexp": "({0} + {t}(math.log(2.0)) if {0} == {1} else "
    "max({0}, {1}) + {t}(math.log1p(exp{k}(-abs({0} - {1})))))",
}  # fmt: skip
BITWISE = frozenset({"bitwise_and", "bitwise_or", "bitwise_xor"})
SIZES = (4, 8)  # bytes of the numbers that machine code computes with
LOGICAL = frozenset({"logical_not", "logical_and", "logical_or", "invert"})
WHERE = re.compile(r"np\.where\((\{0\}|\w+), (.+), (.+)\)")
MASKED = re.compile(r"np\.(\w+)\((.*), out=\{out\}, where=\{(\d)\}\)")
COPIED = re.compile(r"np\.full\(\(.*\), \{0\}\)|np\.broadcast_to\(\{0\}, \(.*\)\)")
REDUCED = re.compile(r"np\.(sum|max|mean)\(\{0\}(?:, axis=(-?\d+|None))?(?:, keepdims=(True|False))?\)")


def form(line: Line) -> str | None:
    """What kind of elementwise call it is, None where it has no form."""
    if not _known(line.dtype) or not all(_known(x.dtype) for x in line.inputs if x.dtype is not None):
        return None
    if line.ufunc is not None:
        return _ufunc(line.ufunc.__name__, line.dtype.kind)
    if line.before:
        found = MASKED.fullmatch(line.before[-1])
        return "masked" if found and _ufunc(found[1], line.dtype.kind) else None
    if WHERE.fullmatch(line.template):
        return "where"
    if re.fullmatch(r"\{0\}\.astype\(.*\)", line.template):
        return "astype" if line.dtype.kind == "f" or line.operands[0].dtype.kind != "f" else None
    if COPIED.fullmatch(line.template) or (line.template.startswith("{0}.reshape(") and line.operands[0].size == 1):
        return "copied"
    return "power" if line.template == "{0} ** {1}" and line.dtype.kind == "f" else None


def _known(dtype: Any) -> bool:
    """Whether numba computes with numbers of this dtype as NumPy does."""
    return (
        dtype is not None and dtype.isnative and (dtype.kind == "b" or (dtype.kind in "fi" and dtype.itemsize in SIZES))
    )


def _ufunc(name: str, kind: str) -> str | None:
    """The name of a ufunc that has a form for results of a kind."""
    if kind == "b":
        return name if name in COMPARE | LOGICAL | BITWISE or name == "isnan" else None
    if kind == "i":
        return name if name in INFIX else None
    return name if name in INFIX or (name in CALLS and name not in LOGICAL) else None


def scalar(line: Line, element: Callable[[Operand], str]) -> str:
    """One element of an elementwise call."""
    kind = form(line)
    dtype = line.dtype

    def cast(x: Operand, to: Any) -> str:
        text = element(x)
        if isinstance(x, Line) and x.dtype == to:
            return text
        return f"np.{to.name}({text})" if to.kind != "b" else f"({text} != 0)"

    def computed(name: str, texts: list[str]) -> str:
        text = _apply(name, texts, dtype)
        return f"np.int32({text})" if dtype == np.int32 else text  # numba computes with 64 bits

    if kind in ("astype", "copied"):
        return cast(line.operands[0], dtype)
    if kind == "where":
        found = WHERE.fullmatch(line.template)
        assert found
        choices = [cast(_placed(line, text), dtype) for text in found.groups()[1:]]
        return f"({choices[0]} if {cast(_placed(line, found[1]), np.dtype(bool))} else {choices[1]})"
    if kind == "masked":
        found = MASKED.fullmatch(line.before[-1])
        assert found
        mask = line.operands[int(found[3])]
        inner = computed(found[1], [cast(x, dtype) for x in line.operands[: int(found[3])]])
        return f"({inner} if {element(mask)} else np.{dtype.name}(0))"
    name = kind or ""
    if name in COMPARE:
        kinds = [x.dtype if isinstance(x, Line) and x.dtype is not None else x for x in line.operands]
        common = np.result_type(*kinds)
        return _apply(name, [cast(x, common) for x in line.operands], dtype)
    if name in LOGICAL:
        return _apply(name, [cast(x, np.dtype(bool)) for x in line.operands], dtype)
    if name == "isnan":
        return _apply(name, [element(line.operands[0])], line.operands[0].dtype)
    return computed(name, [cast(x, dtype) for x in line.operands])


def _placed(line: Line, text: str) -> Operand:
    """What stands at `{1}`, or the number that is written there."""
    place = re.fullmatch(r"\{(\d)\}", text)
    if place:
        return line.operands[int(place[1])]
    return {"True": True, "False": False}[text] if text in ("True", "False") else float(text)


def _apply(name: str, texts: Sequence[str], dtype: Any) -> str:
    if name in INFIX:
        return f"({texts[0]} {INFIX[name]} {texts[1]})"
    kind = "32" if dtype == np.float32 else "64"
    return CALLS[name].format(*texts, t=f"np.{dtype.name}", k=kind)
