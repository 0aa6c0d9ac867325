"""Printing lines as the program that runs: with buffers that are planned, reused, and kept from call to call."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from itertools import count
from typing import Any

import numpy as np

from .abreast import Abreast, Group, Wide
from .lines import Line, Operand, literal

UFUNCS = frozenset(name for name, function in vars(np).items() if isinstance(function, np.ufunc))
CHOICES = (np.maximum, np.minimum)
LARGE = 1 << 14  # bytes from which on a value is deleted as soon as it is dead
FULL = (
    1 << 18
)  # elements up to which NumPy's choices are given a number as an array: those of two arrays are vectorised
View = tuple[str, str, str]  # of memory that is always the same: a name, that of the memory, and the view as source


class Plan:
    """The text of a program, and what it wants: constants, made once, and buffers, of which each call has its own.

    A value that a ufunc or a product makes goes into a buffer: that of an operand which is not needed any more, or one
    that is free, or a new one; equal calls on small arrays are one, see `abreast`. Results are never in buffers; but
    those that `written` names go into the arrays of inputs, which the caller gives away: they are not returned.
    Where only the first `moving` inputs change from call to call, the rest is given before.
    """

    def __init__(
        self,
        name: str,
        inputs: Sequence[Line],
        lines: Sequence[Line],
        outputs: Sequence[Line],
        written: Mapping[Line, Line],
        moving: int | None = None,
    ) -> None:
        self.name: str = name
        self.inputs: Sequence[Line] = inputs
        self.lines: Sequence[Line] = lines
        self.outputs: Sequence[Line] = outputs
        self.steady: Sequence[Line] = [] if moving is None else inputs[moving:]
        self.buffers: list[tuple[str, Any, Any]] = []
        self.constants: dict[str, str] = {}  # by text, their names
        self.body: list[str] = []
        self.heads: tuple[list[View], list[View]] = ([], [])  # those of the buffers, and those of given inputs
        self.views: dict[Line, tuple[str, int]] = {x: (x.name or "", 1) for x in self.steady}  # and which of these
        self.buffer: dict[Line, str] = {}  # which buffer a line owns
        self.allocated: set[Line] = set()  # lines whose memory NumPy gives
        self.free: dict[tuple[Any, Any], list[str]] = {}
        self.last: dict[Line, int] = self._last_uses()
        self.written: dict[Line, Line] = {line: x for line, x in written.items() if self._may_overwrite(line, x)}
        fixed = [x for x in self.steady if x.ordered and x in self.written.values()]
        self.abreast: Abreast = Abreast(lines, self.written, fixed, self._may_be_buffered)
        if self.abreast.group:
            self.lines = self.abreast.lines
            self.last = self._last_uses()
        self.arrays: dict[Line, Any] = {
            line: dtype for line in inputs if (dtype := self._array_dtype(line)) is not None
        }
        self._lay_out()
        self._print()

    @property
    def text(self) -> str:
        """A function that makes the function: `step(X, W)`, with buffers of its own."""
        called: set[tuple[str, str]] = set()

        def bare(found: re.Match[str]) -> str:
            name, reduces = found.groups()
            if not reduces and name not in UFUNCS:
                return found[0]
            called.add((name, reduces))
            return f"reduce_by_{name}(" if reduces else f"{name}("

        body = re.sub(r"\bnp\.(\w+)(\.reduce|)\(", bare, "\n".join(self.body))
        ufuncs = [name for name, reduces in sorted(called) if not reduces]
        head = [f"from numpy import {', '.join(ufuncs)}\n"] if ufuncs else []
        head += [f"reduce_by_{name} = np.{name}.reduce" for name, reduces in sorted(called) if reduces]
        head += [f"{name} = {text}" for text, name in self.constants.items()]
        made = [f"{name} = np.empty({shape}, {literal(dtype)})" for name, shape, dtype in self.buffers]
        views = used_of(self.heads, body)
        levels: list[tuple[str, Sequence[Any], Sequence[str]]] = [("with_buffers", [], [*made, *views[0]])]
        if self.steady:
            levels.append(("given", [*self.steady, *self.wide_inputs], views[1]))
        levels.append((self.name, self.inputs[: len(self.inputs) - len(self.steady)], body.splitlines()))
        return "\n".join(["import numpy as np", *head, "", "", *_nested(levels), ""])

    @property
    def wide_inputs(self) -> list[Wide]:
        """Memory in which inputs that are given before lie side by side; it is given, too."""
        return [wide for wide in dict.fromkeys(self.abreast.wide.values()) if wide.lines[0] in self.steady]

    # --- which memory -------------------------------------------------------------------------------------------------

    def _last_uses(self) -> dict[Line, int]:
        """For each line that owns memory, the last line that looks at it."""
        last: dict[Line, int] = {}
        for i, line in enumerate(self.lines):
            last[line.base or line] = i
            for x in line.inputs:
                last[x.base or x] = i
        for output in self.outputs:
            last[output.base or output] = len(self.lines)
        return last

    def _may_overwrite(self, line: Line, x: Line) -> bool:
        """Whether a result may go into the array of an input: nobody looks at that later, and it is not a result."""
        if line.base or not line.ufunc:
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

    def _may_be_buffered(self, line: Line) -> bool:
        """Whether a value goes where it is told to, and is no result."""
        if not (line.ordered and line.shape and line.size > 0 and (line.ufunc or line.into)):
            return False
        return line.base is None and self.last[line] < len(self.lines)

    def _lay_out(self) -> None:
        """The memory of values that lie side by side: it is theirs alone, and that of what is computed in place."""
        for i, wide in enumerate(self.wide_inputs):
            wide.name = f"wide{i}"
        for group in dict.fromkeys(self.abreast.group[line] for line in self.lines if line in self.abreast.group):
            wides = [x for x in (*group.operands, group.result) if isinstance(x, Wide)]
            for wide in [x for x in wides if not x.name]:
                here = self.lines.index(group.lines[-1])
                dying = [x for x in wides if x.name and x not in self.wide_inputs and self._dies(x, here)]
                if wide is group.result and dying:
                    wide.name = dying[0].name
                else:
                    wide.name = f"wide{len(self.buffers) + len(self.wide_inputs)}"
                    self.buffers.append((wide.name, (wide.size,), wide.dtype))
                for line, start, end in wide.places():
                    place = f"{wide.name}[{start}:{end}].reshape({line.shape})"
                    self.heads[0].append((line.name or "", wide.name, place))
                    self.views[line] = line.name or "", 0

    def _dies(self, wide: Wide, here: int) -> bool:
        """Whether nobody looks at values after a line."""
        return all(self.last[line] <= here for line in wide.lines)

    def _place(self, line: Line, i: int) -> str | None:
        """The buffer for a line's value, None where NumPy allocates."""
        if line in self.written:
            return self.written[line].name
        if line in self.abreast.wide:
            return line.name
        if not self._may_be_buffered(line):
            return None
        kind = (line.shape, line.dtype)
        if line.ufunc is not None and line.dtype.kind != "c":  # whose products NumPy rounds otherwise in place
            for x in line.inputs:
                dies = x.base is None and self.last[x] == i and x in self.buffer
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
        ends: dict[int, list[Line]] = {}  # for each line, whose memory nobody looks at any more
        for owner, i in self.last.items():
            ends.setdefault(i, []).append(owner)
        for i, line in enumerate(self.lines):
            if line.value is None:
                group = self.abreast.group.get(line)
                if group is not None:
                    if line is group.lines[-1]:
                        self._together(group)
                elif not self._viewed(line):
                    self._alone(line, i)
            for owner in ends.get(i, ()):
                self._release(owner)
        results = self._results()
        self.body.append(f"return ({', '.join(results)}{',' * (len(results) == 1)})")

    def _together(self, group: Group) -> None:
        """One call for several lines."""
        operands = [x.name if isinstance(x, Wide) else self._operand(x, group.lines[0]) for x in group.operands]
        ufunc = group.lines[0].ufunc
        assert ufunc
        self.body.append(f"np.{ufunc.__name__}({', '.join([*operands, group.result.name])})")
        used = {x for line in self.lines for x in line.inputs} if group.lines[0] in self.written else ()
        self.body += [f"{line.name} = {self.written[line].name}" for line in group.lines if line in used]

    def _viewed(self, line: Line) -> bool:
        """Make a view of memory that is always the same where that memory is made; if it is one."""
        x = line.operands[0] if line.operands else None
        if not isinstance(x, Line) or x not in self.views:
            return False
        if line.template != "{0}.T" and not (line.template.startswith("{0}.reshape(") and x.ordered):
            return False
        memory, level = self.views[x]
        self.heads[level].append((line.name or "", memory, line.template.format(memory)))
        self.views[line] = line.name or "", level
        return True

    def _alone(self, line: Line, i: int) -> None:
        """A line that is a statement."""
        place = self._place(line, i)
        if place is None:
            self.allocated.add(line)
        elif line not in self.written and line not in self.abreast.wide:
            self.buffer[line] = place
            self.views[line] = place, 0
        self._statement(line, place)

    def _statement(self, line: Line, place: str | None) -> None:
        names = [self._operand(x, line) for x in line.operands]
        target = f"{line.name} = " if line not in self.abreast.wide else ""
        if line.before:
            self.body += [text.format(*names, out=line.name) for text in line.before]
        elif place is not None and line.ufunc is not None:
            place = f"out={place}" if line.ufunc in CHOICES else place  # NumPy wants it so
            self.body.append(f"{target}np.{line.ufunc.__name__}({', '.join([*names, place])})")
        elif line.into and line.shape == () and ".reduce({0}, None, " in line.into:  # what np.sum calls in the end
            self.body.append(f"{target}{line.into.format(self._flat(line.operands[0], names[0]), out=None)}")
        elif place is not None:
            assert line.into
            self.body.append(f"{target}{line.into.format(*names, out=place)}")
        else:
            self.body.append(f"{target}{line.template.format(*map(bracketed, names))}")

    def _flat(self, x: Line, name: str) -> str:
        """A name for a value's elements in one row, where its memory is always the same: NumPy adds them faster."""
        memory, level = self.views.get(x, ("", 0))
        if not memory or not x.ordered or len(x.shape) < 2:
            return name
        self.heads[level].append((f"{x.name}_flat", memory, f"{memory}.reshape(-1)"))
        return f"{x.name}_flat"

    def _release(self, owner: Line) -> None:
        """The buffer of a dead value is free again; a large value is given back."""
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
            if line.ufunc in CHOICES and line.size <= FULL:
                return self._constant(f"np.full({line.shape}, {literal(x)}, {literal(line.dtype)})")
            return self._constant(f"np.array({literal(x)}, {literal(line.dtype)})")
        return literal(x)

    def _constant(self, text: str) -> str:
        """A name for a constant: NumPy takes a 0-d array faster than a Python number."""
        return self.constants.setdefault(text, f"constant{len(self.constants)}")

    def _results(self) -> list[str]:
        """Fresh arrays: not an argument, not a view, none twice; and none that is written to an input."""
        texts: list[str] = []
        seen: set[Line] = set()
        for output in [x for x in self.outputs if x not in self.written]:
            owner = output.base or output
            name = self._operand(output, output) if output.value is not None else output.name or ""
            kept = output.value is not None or owner is not output or output in self.inputs
            kept = (kept or output in seen or bool(output.view)) and output.dtype is not None
            texts.append(f"np.array({name})" if kept else name)
            seen.add(output)
        return texts


def _nested(levels: Sequence[tuple[str, Sequence[Any], Sequence[str]]]) -> list[str]:
    """Functions in functions, each of which returns the next one: names, parameters and bodies."""
    (name, parameters, body), *inner = levels
    rest = ["", *_nested(inner), "", f"return {inner[0][0]}"] if inner else []
    lines = [f"    {line}" if line else "" for line in [*body, *rest]]
    return [f"def {name}({', '.join(x.name for x in parameters)}):", *lines]


def used_of(levels: Sequence[Sequence[View]], text: str) -> list[list[str]]:
    """Views on some levels, as assignments: those whose names occur in a text, or are the memory of others."""
    names = set(re.findall(r"\w+", text))
    found: list[list[str]] = []
    for views in reversed(levels):
        used: list[str] = []
        for name, memory, value in reversed(views):
            if name in names:
                used.append(f"{name} = {value}")
                names.add(memory)
        found.append(used[::-1])
    return found[::-1]


def early(lines: Sequence[Line], written: Mapping[Line, Line]) -> list[Line]:
    """Lines in an order in which what comes after the gradients, updates, comes as soon as it can: its operands die.

    What needs no gradient comes with the first line that uses it. A result that is `written` to an input comes after
    the gradients that read it.
    """
    last = max((i for i, line in enumerate(lines) if line.gradient), default=len(lines))
    updates = lines[last + 1 :]
    position: dict[Line, int] = {line: i for i, line in enumerate(lines[: last + 1])}
    readers = {x: i for i, line in enumerate(lines[: last + 1]) for x in line.inputs}
    for line in updates:
        after = [position.get(x, -1) for x in line.inputs]
        if line in written:
            after.append(readers.get(written[line], -1))
        position[line] = max(after, default=-1)
    users: dict[Line, int] = {}
    for line in reversed(updates):
        if position[line] < 0:
            position[line] = users.get(line, last)
        for x in line.inputs:
            users[x] = min(users.get(x, last), position[line])
    return sorted(lines, key=position.__getitem__)  # in this order where the position is the same


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
    used = {line.name for line in lines}.union(taken)
    free = (name for name in map("t{}".format, count()) if name not in used)
    for line in lines:
        if line.name is None and line.value is None:
            line.name = next(free)
