"""Printing lines as the program that runs: with buffers that are planned, reused, and kept from call to call."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from .lines import Line, Operand, literal

UFUNCS = frozenset(name for name, function in vars(np).items() if isinstance(function, np.ufunc))
LARGE = 1 << 14  # bytes from which on a value is deleted as soon as it is dead


class Plan:
    """The text of a program, and what it wants: constants, made once, and buffers, of which each call has its own.

    A value that a ufunc or a product makes goes into a buffer: that of an operand which is not needed any more, or one
    that is free, or a new one. Results are never in buffers; but those that `written` names go into the arrays of
    inputs, which the caller gives away.
    """

    def __init__(
        self,
        name: str,
        inputs: Sequence[Line],
        lines: Sequence[Line],
        outputs: Sequence[Line],
        written: Mapping[Line, Line],
    ) -> None:
        self.name, self.inputs, self.lines, self.outputs = name, inputs, lines, outputs
        self.buffers: list[tuple[str, Any, Any]] = []
        self.constants: dict[str, str] = {}
        self.body: list[str] = []
        self.storage: dict[Line, Line] = {}  # the line that owns the memory of a value
        self.buffer: dict[Line, str] = {}  # which buffer a line owns
        self.allocated: set[Line] = set()  # lines whose memory NumPy gives
        self.free: dict[tuple[Any, Any], list[str]] = {}
        self.last = self._last_uses()
        self.written = {line: x for line, x in written.items() if self._may_overwrite(line, x)}
        self.arrays = {line: dtype for line in inputs if (dtype := self._array_dtype(line)) is not None}
        self._print()

    @property
    def text(self) -> str:
        """A function that makes the function: `step(X, W)`, with buffers of its own."""
        body = "\n".join(self.body)
        ufuncs = sorted({name for name in re.findall(r"\bnp\.(\w+)\(", body) if name in UFUNCS})
        body = re.sub(r"\bnp\.(\w+)\(", lambda found: found[0][3 * (found[1] in UFUNCS) :], body)
        head = [f"from numpy import {', '.join(ufuncs)}\n"] if ufuncs else []
        head += [f"{name} = {text}" for name, text in self.constants.items()]
        made = [f"    {name} = np.empty({shape}, {literal(dtype)})" for name, shape, dtype in self.buffers]
        parameters = ", ".join(line.name or "" for line in self.inputs)
        inner = [f"    def {self.name}({parameters}):", *(f"        {line}" for line in body.splitlines())]
        lines = ["import numpy as np", *head, "", "", "def with_buffers():", *made, ""]
        return "\n".join([*lines, *inner, "", f"    return {self.name}", ""])

    # --- which memory -------------------------------------------------------------------------------------------------

    def _last_uses(self) -> dict[Line, int]:
        """For each line that owns memory, the last line that looks at it."""
        last: dict[Line, int] = {}
        for i, line in enumerate(self.lines):
            owner = line
            first = line.operands[0] if line.operands else None
            if line.view and isinstance(first, Line):
                owner = self.storage.get(first, first)
            self.storage[line] = owner
            last[owner] = i
            for x in line.inputs:
                last[self.storage.get(x, x)] = i
        for output in self.outputs:
            last[self.storage.get(output, output)] = len(self.lines)
        return last

    def _may_overwrite(self, line: Line, x: Line) -> bool:
        """Whether a result may go into the array of an input: nobody looks at that later, and it is not a result."""
        if line not in self.storage or line.value is not None or self.storage[line] is not line or not line.ufunc:
            return False
        same = (line.shape, line.dtype) == (x.shape, x.dtype) and line.ordered and x.ordered and line.shape != ()
        return same and self.outputs.count(line) == 1 and self.last.get(x, -1) <= self.lines.index(line)

    def _array_dtype(self, line: Line) -> Any:
        """The dtype as which NumPy takes a Python number among the inputs, if it is the same in all calls."""
        if line.dtype is not None or line in self.outputs:
            return None
        uses = [user for user in self.lines if line in user.operands]
        if not uses or not all(user.ufunc and user.shape and _weak_in(user) for user in uses):
            return None
        dtypes = {user.dtype for user in uses}
        return dtypes.pop() if len(dtypes) == 1 else None

    def _place(self, line: Line, i: int) -> str | None:
        """The buffer for a line's value, None where NumPy allocates."""
        if line in self.written:
            return self.written[line].name
        if not (line.ordered and line.shape and line.size > 0 and (line.ufunc or line.into)):
            return None
        if self.storage[line] is not line or self.last[line] == len(self.lines):
            return None
        kind = (line.shape, line.dtype)
        if line.ufunc is not None and line.dtype.kind != "c":  # whose products NumPy rounds otherwise in place
            for x in line.inputs:
                dies = self.storage.get(x, x) is x and self.last[x] == i and x in self.buffer
                if dies and (x.shape, x.dtype) == kind:
                    return self.buffer.pop(x)
        free = self.free.get(kind)
        if free:
            return free.pop()
        name = f"buffer{len(self.buffers)}"
        self.buffers.append((name, *kind))
        return name

    # --- what is printed ----------------------------------------------------------------------------------------------

    def _print(self) -> None:
        for i, line in enumerate(self.lines):
            if line.value is None:
                place = self._place(line, i)
                if place is None:
                    self.allocated.add(line)
                elif line not in self.written:
                    self.buffer[line] = place
                self._statement(line, place)
                self._release(line, i)
        self.body.append(f"return {self._results()}")

    def _statement(self, line: Line, place: str | None) -> None:
        names = [self._operand(x, line) for x in line.operands]
        target = line.name or ""
        if line.before:
            self.body += [text.format(*names, out=target) for text in line.before]
        elif place is not None and line.ufunc is not None:
            place = f"out={place}" if line.ufunc in (np.maximum, np.minimum) else place  # NumPy wants it so
            self.body.append(f"{target} = np.{line.ufunc.__name__}({', '.join([*names, place])})")
        elif line.into and line.shape == () and ".reduce(" in line.into:
            self.body.append(f"{target} = {line.into.format(*names, out=None)}")  # what np.sum calls in the end
        elif place is not None:
            assert line.into
            self.body.append(f"{target} = {line.into.format(*names, out=place)}")
        else:
            self.body.append(f"{target} = {line.template.format(*map(bracketed, names))}")

    def _release(self, line: Line, i: int) -> None:
        """Buffers whose values are dead are free again; large values are given back."""
        dead = dict.fromkeys(self.storage.get(x, x) for x in [line, *line.inputs])
        for owner in dead:
            if self.last.get(owner) == i:
                if owner in self.buffer:
                    self.free.setdefault((owner.shape, owner.dtype), []).append(self.buffer.pop(owner))
                elif owner in self.allocated and owner.size * _itemsize(owner) >= LARGE:
                    self.body.append(f"del {owner.name}")

    def _operand(self, x: Operand, line: Line) -> str:
        if isinstance(x, Line):
            if x.value is None:
                return x.name or ""
            return self._constant(x.template.replace("{{", "{").replace("}}", "}"))
        if line.ufunc is not None and type(x) in (int, float) and line.shape and _weak_in(line) and np.isfinite(x):
            return self._constant(f"np.array({literal(x)}, {literal(line.dtype)})")
        return literal(x)

    def _constant(self, text: str) -> str:
        """A name for a constant: NumPy takes a 0-d array faster than a Python number."""
        for name, known in self.constants.items():
            if known == text:
                return name
        name = f"constant{len(self.constants)}"
        self.constants[name] = text
        return name

    def _results(self) -> str:
        """Fresh arrays: not an argument, not a view, none twice."""
        texts: list[str] = []
        seen: set[Line] = set()
        for output in self.outputs:
            owner = self.storage.get(output, output)
            name = self._operand(output, output) if output.value is not None else output.name or ""
            kept = output.value is not None or owner is not output or output in self.inputs
            kept = (kept or output in seen or bool(output.view)) and output.dtype is not None
            texts.append(f"np.array({name})" if kept else name)
            seen.add(output)
        return f"({', '.join(texts)}{',' * (len(texts) == 1)})"


def early(lines: Sequence[Line], written: Mapping[Line, Line]) -> list[Line]:
    """Lines in an order in which what comes after the gradients, updates, comes as soon as it can: its operands die.

    A result that is `written` to an input comes after the gradients that read it.
    """
    last = max((i for i, line in enumerate(lines) if line.gradient), default=len(lines))
    position: dict[Line, float] = {line: i for i, line in enumerate(lines[: last + 1])}
    readers = {x: i for i, line in enumerate(lines[: last + 1]) for x in line.inputs}
    for i, line in enumerate(lines[last + 1 :]):
        after = [position.get(x, -1) for x in line.inputs]
        if line in written:
            after.append(readers.get(written[line], -1))
        position[line] = max(after, default=last) + 1e-6 * (i + 1) if after else last
    return sorted(lines, key=position.__getitem__)


def _itemsize(line: Line) -> int:
    return getattr(line.dtype, "itemsize", 0)


def _weak_in(line: Line) -> bool:
    """Whether a Python number among the operands becomes one of the result's dtype: it is weak beside such an array."""
    return line.dtype.kind == "f" and any(x.dtype == line.dtype for x in line.inputs)


def bracketed(text: str) -> str:
    """An operand as it stands beside an operator."""
    return f"({text})" if text.startswith("-") else text


def names_given(lines: Sequence[Line], taken: Collection[str | None]) -> None:
    """Give a name to each line that has none."""
    used = {line.name for line in lines} | set(taken)
    number = 0
    for line in lines:
        if line.name is None and line.value is None:
            while f"t{number}" in used:
                number += 1
            line.name = f"t{number}"
            number += 1
