"""Bytecode: what the user's code does with a value that an instruction made, and where it took its operands from."""

from __future__ import annotations

import bisect
import dis
import functools
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

import numpy as np


def stored_name(site: tuple[Any, ...], part: int | None = None) -> str | None:
    """The variable that takes the result of the instruction at a site; of a function's result that of its caller."""
    code, at, caller, caller_at = site
    if is_library(code):
        return None
    stores = following(code, at)
    if caller is not None and is_returned(code, at) and not is_library(caller):
        outer = following(caller, caller_at)
        if stores is RETURNED or isinstance(outer, tuple):
            stores = outer
    if not isinstance(stores, tuple) or (len(stores) > 1) != (part is not None):
        return None
    name = stores[part or 0] if (part or 0) < len(stores) else ""
    return name if name.isidentifier() and not name.startswith("_") else None


def is_library(code: CodeType) -> bool:
    """Whether the variables of a code are a library's."""
    file = code.co_filename
    ours = file.startswith((_HERE, _NUMPY, "<autodiff", "<__array_function__"))
    return ours or file in _library_files(len(sys.modules))


_HERE, _NUMPY = f"{Path(__file__).parent}", f"{Path(np.__file__).parent}"


@functools.lru_cache(maxsize=1)
def _library_files(_: int) -> set[str | None]:
    modules = [*sys.modules.values()]
    return {getattr(module, "__file__", None) for module in modules if "__library__" in getattr(module, "__dict__", {})}


RETURNED = object()


class Step(NamedTuple):
    """One instruction: what it does, with what, and by how much the stack grows."""

    name: str
    argument: Any
    operand: int | None
    effect: int | None
    offset: int


@functools.lru_cache(maxsize=1024)
def _steps(code: CodeType) -> tuple[list[Step], list[int]]:
    """The instructions of a code, two in the place of one that does two steps; and their offsets."""
    steps: list[Step] = []
    for step in dis.get_instructions(code):
        names = _FAST.findall(step.opname)
        if len(names) == 2 and isinstance(step.argval, tuple):
            pairs = zip(names, step.argval, strict=True)
            steps += [Step(name, x, None, 1 if name[0] == "L" else -1, step.offset) for name, x in pairs]
        elif step.opname not in _NO_STEP:
            subscript = step.opname == "BINARY_OP" and step.argrepr == "[]"
            name = "BINARY_SUBSCR" if subscript else step.opname  # since Python 3.14
            steps.append(Step(name, step.argval, step.arg, _effect(step), step.offset))
    return steps, [step.offset for step in steps]


_FAST = re.compile(r"(?:LOAD|STORE)_FAST(?:_BORROW|_CHECK)?")  # STORE_FAST_LOAD_FAST is two, since Python 3.13
_NO_STEP = {"CACHE", "PRECALL", "KW_NAMES", "EXTENDED_ARG", "NOP", "RESUME"}
_PASSED = {"COPY", "DUP_TOP", "JUMP_FORWARD"}
_NOT_NAMES = {"STORE_SUBSCR", "STORE_SLICE", "STORE_ATTR"}


def _effect(step: dis.Instruction) -> int | None:
    try:
        return dis.stack_effect(step.opcode, step.arg, jump=False)
    except ValueError:
        return None


@functools.lru_cache(maxsize=4096)
def following(code: CodeType, at: int) -> Any:
    """What becomes of the result of an instruction: the names that store it, RETURNED, or None."""
    steps, offsets = _steps(code)
    i = bisect.bisect_right(offsets, at)  # a frame may stand in the cache behind its instruction
    if steps[i - 1].name.startswith("STORE_"):  # z[z < 0] = 0
        name = _written_to(steps, i - 1)
        return name and (name,)
    while i < len(steps) and steps[i].name in _PASSED:  # a = b = ..., (a := ...), a = b if c else d
        i = bisect.bisect_left(offsets, steps[i].argument) if steps[i].name == "JUMP_FORWARD" else i + 1
    if i >= len(steps):
        return None
    name, argument = steps[i][:2]
    if name == "RETURN_VALUE":
        return RETURNED
    if name == "UNPACK_SEQUENCE":
        stores = steps[i + 1 : i + 1 + argument]
        found = [str(x.argument) for x in stores if x.name.startswith("STORE_") and x.name not in _NOT_NAMES]
        return tuple(found) if len(found) == argument else None
    if name.startswith("STORE_") and name not in _NOT_NAMES:
        return (str(argument),)
    while steps[i].name.startswith("LOAD_") and i + 1 < len(steps):  # self.z2 = ..., grads["W1"] = ...
        i += 1
        if steps[i].name == "STORE_ATTR":
            return (str(steps[i].argument),)
        if steps[i].name == "STORE_SUBSCR":
            key = _key(steps[i - 1])
            return None if key is None else (key,)
    return None


def is_returned(code: CodeType, at: int) -> bool:
    """Whether the result of an instruction is returned, at once or by the next line, `out = ...` and `return out`."""
    stores = following(code, at)
    if stores is RETURNED or not isinstance(stores, tuple):
        return stores is RETURNED
    steps, offsets = _steps(code)
    for store, load, end in zip(*(steps[bisect.bisect_right(offsets, at) + k :] for k in range(3)), strict=False):
        if store.name.startswith("STORE_"):
            back = load.name.startswith("LOAD_FAST") and load.argument == store.argument
            return back and store.name.startswith("STORE_FAST") and end.name == "RETURN_VALUE"
    return False


def _written_to(steps: Sequence[Step], i: int) -> str | None:
    """The variable to a part of which an instruction writes."""
    entries = _entries(steps, i - 1, 2)[0] if steps[i].name == "STORE_SUBSCR" else None
    return _loaded(steps, entries[0]) if entries else None


def _entries(steps: Sequence[Step], i: int, count: int) -> tuple[list[int] | None, int]:
    """The instructions that pushed the last entries of the stack, up to instruction i; and the one before these."""
    found: list[int] = []
    for _ in range(count):
        found.insert(0, i)
        missing = 1
        while missing > 0 and i >= 0:
            effect = steps[i].effect
            if effect is None:
                return None, i
            missing, i = missing - effect, i - 1
    return found, i


def _key(step: Step) -> str | None:
    """The name that a constant key is."""
    key = step.argument
    return key if step.name == "LOAD_CONST" and isinstance(key, str) and key.isidentifier() else None


def is_call(code: CodeType, at: int) -> bool:
    """Whether an instruction calls a function: what an operator made there, that function made, as `sum` does."""
    steps, offsets = _steps(code)
    return steps[bisect.bisect_right(offsets, at) - 1].name.startswith("CALL")


@functools.lru_cache(maxsize=4096)
def operands(code: CodeType, at: int, count: int, name: str, operator: bool) -> tuple[str | None, ...]:
    """The variables from which the operands of an operator, or of a call of a function of this name, were loaded."""
    steps, offsets = _steps(code)
    i = bisect.bisect_right(offsets, at) - 1
    calls, none = steps[i].name.startswith("CALL"), (None,) * count
    if calls:
        pushed = steps[i].operand or 0
    elif operator and steps[i].name.startswith(("BINARY_OP", "COMPARE_OP")):
        pushed = 2
    else:
        return none
    entries, i = _entries(steps, i - 1, pushed)
    if entries is None:
        return none
    found = [_loaded(steps, last) for last in entries]
    if calls:
        i -= steps[i].name == "PUSH_NULL"
        if i < 1 or steps[i].argument != name:  # the function that was called made other calls
            return none
        if len(found) == count - 1:  # X.dot(W): X came before the method
            found.insert(0, _loaded(steps, i - 1) if steps[i].name in ("LOAD_METHOD", "LOAD_ATTR") else None)
    return tuple(found) if len(found) == count else none


def _loaded(steps: Sequence[Step], i: int) -> str | None:
    """The variable, attribute or key that an instruction loads."""
    name, value = steps[i].name, steps[i].argument
    if name.startswith(("LOAD_NAME", "LOAD_FAST", "LOAD_GLOBAL", "LOAD_DEREF")) or name == "LOAD_ATTR":
        said = isinstance(value, str) and value not in ("T", "mT", "real", "imag", "data")
        return value.strip("_") or None if said else None
    if name == "BINARY_SUBSCR" and i > 1:
        if steps[i - 1].name == "LOAD_CONST":
            return _key(steps[i - 1])
        if steps[i - 1].name.startswith("LOAD_"):  # x[t] is one of several x
            return _loaded(steps, i - 2)
    return None
