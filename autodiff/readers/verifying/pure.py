"""Which of the user's functions may be tried although nobody has called them: those that can only compute.

A line that mends a derivation is best written with the user's own `sigmoid_prime`. But verify runs what it was given,
and nothing else that may write a file or send a message. So a function is only tried if its code speaks of nothing but
numbers, arrays, NumPy, `math`, and functions of the user's of which the same is true.
"""

from __future__ import annotations

import builtins
import dis
import math
from collections.abc import Iterator
from types import CodeType, FunctionType, MethodType
from typing import Any

import numpy as np

from .instrument import HOOK

FORBIDDEN = ("STORE_GLOBAL", "STORE_ATTR", "STORE_NAME", "STORE_DEREF", "DELETE", "IMPORT")  # how instructions begin
BUILTINS = {
    "abs", "bool", "enumerate", "float", "int", "len", "list", "max", "min", "pow", "range", "reversed", "round", "sum",
    "tuple", "zip",
}  # fmt: skip
HOOKS = {HOOK, "locals", "call", "step", "left", "looks", "after", "base", "filled", "joined"}  # that we put in
OUTSIDE = {
    "dump", "dumps", "fromfile", "genfromtxt", "load", "loads", "loadtxt", "memmap", "random", "save", "savetxt",
    "savez", "savez_compressed", "seterr", "seterrcall", "setbufsize", "set_printoptions", "test", "tofile",
}  # fmt: skip
MODULES = (np, np.linalg, math)


def only_computes(function: Any, owner: Any = None, seen: tuple[CodeType, ...] = ()) -> bool:
    """Whether a function's code speaks only of what computes; `owner` is what its `self` is."""
    if isinstance(function, MethodType):
        function, owner = function.__func__, function.__self__
    if not isinstance(function, FunctionType) or function.__code__ in seen:
        return isinstance(function, FunctionType)
    seen = (*seen, function.__code__)
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    for instruction in _instructions(function.__code__):
        name, operation = instruction.argval, instruction.opname
        if operation.startswith(FORBIDDEN):
            return False
        if operation == "LOAD_GLOBAL" and not _may_be_named(name, function.__globals__, seen):
            return False
        if operation in ("LOAD_ATTR", "LOAD_METHOD") and not _may_be_attribute(name, owner, seen):
            return False
        if operation == "LOAD_DEREF" and name in cells and not _computes(cells[name].cell_contents, seen):
            return False
    return True


def _instructions(code: CodeType) -> Iterator[dis.Instruction]:
    """Those of a function and of the functions inside it."""
    yield from dis.get_instructions(code)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _instructions(constant)


def _may_be_named(name: str, variables: dict[str, Any], seen: tuple[CodeType, ...]) -> bool:
    if name not in variables or name in HOOKS:
        return (
            name in HOOKS
            or name in BUILTINS
            or (isinstance(getattr(builtins, name, None), type) and name.endswith("Error"))
        )
    return _computes(variables[name], seen)


def _may_be_attribute(name: str, owner: Any, seen: tuple[CodeType, ...]) -> bool:
    if name in OUTSIDE or name in HOOKS:
        return name in HOOKS
    if owner is not None and hasattr(owner, name):
        return _computes(getattr(owner, name), seen)
    return hasattr(np.ndarray, name) or name == "linalg" or any(hasattr(module, name) for module in MODULES)


def _computes(value: Any, seen: tuple[CodeType, ...]) -> bool:
    """Whether it is a number, an array, a module of numbers, or a function that only computes."""
    if isinstance(value, (FunctionType, MethodType)):
        numpys = getattr(value, "__module__", "").split(".")[0] == "numpy"
        return value.__name__ not in OUTSIDE if numpys else only_computes(value, seen=seen)
    if isinstance(value, (list, tuple)):
        return all(_computes(item, seen) for item in value)
    numbers = (int, float, str, np.ndarray, np.generic, np.ufunc, type(None))
    return (
        isinstance(value, numbers) or any(value is module for module in MODULES) or value in (int, float, bool, range)
    )
