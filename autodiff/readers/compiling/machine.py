"""Printing lines for numba: elementwise chains as one loop, products of matrices by BLAS, all in one function.

Arrays are flat and in C order. What has no form here is called as NumPy does, from within.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .elements import REDUCED, form, scalar
from .lines import Line, Operand, literal

SMALL = 4096  # multiplications of a product up to which loops are faster than a call of BLAS


class Unsupported(Exception):
    """A program that cannot be machine code, and why."""


class Machine:
    """A program as the body of one function for numba.

    `work` is how many elements of each dtype it needs to work in, `constants` are arrays that it takes beside its
    inputs; `fallbacks` are the calls of NumPy in it.
    """

    def __init__(
        self, inputs: Sequence[Line], lines: Sequence[Line], outputs: Sequence[Line], renewed: Mapping[Line, Line]
    ) -> None:
        self.inputs, self.outputs = list(inputs), list(outputs)
        self.lines = [line for line in lines if line.value is None and line not in set(inputs)]
        self.place: dict[Line, Line] = {}  # views: what they look at
        self.renewed = dict(renewed)  # results that are new values of inputs; of arrays, written to their memory
        self.written = {line: x for line, x in renewed.items() if self._may_overwrite(line, x)}
        self.constants: dict[str, Any] = {}
        self.work: dict[str, int] = {}
        self.body: list[str] = []
        self.fallbacks: list[str] = []
        self.home: dict[Line, tuple[str, int]] = {}
        self.free: dict[tuple[str, int], list[int]] = {}
        self.flat: set[Line] = set()
        self.steps = self._fused()
        self._check_writes()
        self._print()

    # --- which lines are one loop -------------------------------------------------------------------------------------

    def _fused(self) -> list[list[Line]]:
        """Groups of lines: elementwise ones of equal shape together, in an order that computes before it uses."""
        groups: list[list[Line]] = []
        for line in self.lines:
            if line.shape == "several" or not isinstance(line.shape, tuple):
                raise Unsupported(f"{line.template} has several results")
            if self._views_memory(line):
                self.place[line] = line.operands[0]
            if line in self.place or line.shape == ():
                groups.insert(self._before(groups, line), [line])
            elif self._elementwise(line):
                group = self._joined(groups, line)
                if group is None:
                    groups.append([line])
                else:
                    group.append(line)
            else:
                groups.insert(self._before(groups, line), [line])
        return groups

    @staticmethod
    def _views_memory(line: Line) -> bool:
        """Whether a value is another look at an array that is there."""
        x = line.operands[0] if line.operands else None
        if not isinstance(x, Line) or x.value is not None or () in (x.shape, line.shape):
            return False
        return line.template == "{0}.T" or (line.template.startswith("{0}.reshape(") and x.ordered)

    def _check_writes(self) -> None:
        """A result is written to an input's memory after all that reads it; else it gets memory of its own."""
        position = {line: i for i, group in enumerate(self.steps) for line in group}
        for line, x in list(self.written.items()):
            reads = [
                i
                for i, group in enumerate(self.steps)
                for user in group
                if any(self._owner(v) is x for v in user.inputs)
            ]
            if any(i > position[line] for i in reads):
                del self.written[line]

    def _joined(self, groups: list[list[Line]], line: Line) -> list[Line] | None:
        """The loop that an elementwise line can be part of: of its shape, and nothing after it is used."""
        uses = set(line.inputs)
        for group in reversed(groups):
            if self._elementwise(group[0]) and group[0].shape == line.shape:
                return group
            if line in self.written or any(self._owner(x) in uses or x in uses for x in group):
                return None
        return None

    def _before(self, groups: list[list[Line]], line: Line) -> int:
        """Where a line may stand: before the last loop, if it does not use what that computes."""
        if groups and len(groups[-1]) and not any(x in groups[-1] for x in line.inputs):
            uses = set(line.inputs)
            if not any(x in uses for x in groups[-1]):
                return (
                    len(groups) - 1 if self._elementwise(groups[-1][0]) and groups[-1][0].shape != () else len(groups)
                )
        return len(groups)

    def _elementwise(self, line: Line) -> bool:
        if line in self.place or line.shape == () or not line.size:
            return False
        if form(line) is None:
            return False
        return all(not isinstance(x, Line) or self._index(x, line.shape) is not None for x in line.operands)

    def _index(self, x: Line, shape: tuple[int, ...]) -> str | None:
        """Where an operand is read in a loop over rows i and columns j, whose elements are numbered k."""
        if x.dtype is None or x.shape == () or x.number is not None:
            return ""
        if x.template == "{0}.T" and len(x.shape) > 1:
            return None
        if x.shape == shape:
            return "k"
        if x.size == 1:
            return "0"
        columns = shape[-1:]
        if x.shape[-1:] == columns and x.size == columns[0]:
            return "j"
        if len(x.shape) == len(shape) and x.shape == (*shape[:-1], 1):
            return "i"
        return None

    def _may_overwrite(self, line: Line, x: Line) -> bool:
        """Whether a result may go into the array of an input: nobody looks at that later."""
        if line.dtype is None or line.value is not None or line not in self.lines or not self._elementwise(line):
            return False
        later = self.lines[self.lines.index(line) + 1 :]
        same = (line.shape, line.dtype) == (x.shape, x.dtype) and self.outputs.count(line) == 1
        return same and not any(x in user.operands for user in later)

    # --- memory -------------------------------------------------------------------------------------------------------

    def _owner(self, x: Line) -> Line:
        while x in self.place:
            x = self.place[x]
        return x

    def _last_uses(self) -> dict[Line, int]:
        last: dict[Line, int] = {}
        for i, group in enumerate(self.steps):
            for line in group:
                for x in line.inputs:
                    last[self._owner(x)] = i
        for x in self.outputs:
            last[self._owner(x)] = len(self.steps)
        return last

    def _allocate(self, line: Line) -> None:
        """Where a value lives: the array of an input, a result of its own, or a part of what there is to work in."""
        name = line.name
        if line in self.written:
            self.body.append(f"{name}_ = {self.written[line].name}_")
            return
        if any(self._owner(x) is line for x in self.outputs):
            self.body.append(f"{name} = np.empty({literal(line.shape)}, {literal(line.dtype)})")
            self.body.append(f"{name}_ = {name}.reshape({line.size})")
            return
        kind = line.dtype.name
        slots = self.free.get((kind, line.size))
        if slots:
            start = slots.pop()
        else:
            start = self.work.get(kind, 0)
            self.work[kind] = start + -(-line.size // 16) * 16
        self.home[line] = (kind, start)
        self.body.append(f"{name}_ = work_{kind}[{start}:{start + line.size}]")

    def _release(self, i: int, last: Mapping[Line, int], group: Sequence[Line]) -> None:
        for x in dict.fromkeys(self._owner(x) for line in group for x in [*line.inputs, line]):
            if x in self.home and last.get(x, i) == i:
                kind, start = self.home.pop(x)
                self.free.setdefault((kind, x.size), []).append(start)

    # --- what is printed ----------------------------------------------------------------------------------------------

    def _print(self) -> None:
        last = self._last_uses()
        for line in self.inputs:
            if line.dtype is not None and line.shape != ():
                self.body.append(f"{line.name}_ = {line.name}.reshape({line.size})")
        for i, group in enumerate(self.steps):
            first = group[0]
            if self._elementwise(first):
                self._loop(group, i, last)
            elif first in self.place:
                continue
            else:
                self._single(first)
            self._release(i, last, group)
        results = [self._result(x) for x in self.outputs if x not in self.written]
        self.body.append(f"return ({', '.join(results)}{',' * bool(results)})")

    def _result(self, x: Line) -> str:
        if x.value is not None:
            return self._constant(x.value)
        owner = self._owner(x)
        if owner in self.inputs:
            return f"{owner.name}.copy()" + self._viewed(x, owner) if owner.shape != () else str(owner.name)
        return f"{owner.name}{self._viewed(x, owner)}"

    def _viewed(self, x: Line, owner: Line) -> str:
        """The views between a value and its memory."""
        chain: list[str] = []
        while x is not owner:
            chain.append(x.template.removeprefix("{0}"))
            x = self.place[x]
        return "".join(f"{text}.copy()" if text == ".T" else text for text in reversed(chain))

    def _loop(self, group: Sequence[Line], i: int, last: Mapping[Line, int]) -> None:
        inside = set(group)
        shape = group[0].shape
        kept = [line for line in group if last.get(line, -1) > i or line in self.written]
        self._prune(group, kept)
        for line in kept:
            self._allocate(line)
        operands = {x for line in group for x in line.inputs if x not in inside}
        indices = {self._index(x, shape) for x in operands}
        rows, columns = math.prod(shape[:-1]), shape[-1]
        inner: list[str] = []
        for x in [line for line in dict.fromkeys(x for g in group for x in g.inputs) if line in operands]:
            index = self._index(x, shape)
            if index == "":
                continue
            self._name(x)
            text = f"{x.name}_v = {self._owner(x).name}_[{index}]"
            inner.append(text)
        for line in group:
            inner.append(f"{line.name}_v = {scalar(line, lambda x: self._element(x))}")
            if line in kept:
                inner.append(f"{line.name}_[k] = {line.name}_v")
        if indices <= {"", "k", "0"}:
            self.body.append(f"for k in range({rows * columns}):")
            self.body += [f"    {text}" for text in inner]
        else:
            self.body += [
                f"for i in range({rows}):",
                f"    for j in range({columns}):",
                f"        k = i * {columns} + j",
            ]
            self.body += [f"        {text}" for text in inner]

    @staticmethod
    def _prune(group: Sequence[Line], kept: Sequence[Line]) -> None:
        """(Every line of a loop is used: dead ones were removed before.)"""

    def _element(self, x: Operand) -> str:
        if isinstance(x, Line) and x.number is None and x.shape != ():
            return f"{x.name}_v"
        return self._number(x)

    def _number(self, x: Operand) -> str:
        if not isinstance(x, Line):
            return literal(x).replace("np.inf", "math.inf").replace("np.nan", "math.nan")
        if x.value is not None:
            return f"np.{x.dtype.name}({x.number!r})" if x.dtype.kind in "fi" else repr(bool(x.value.flat[0]))
        return x.name or ""

    # --- calls that are no loops --------------------------------------------------------------------------------------

    def _single(self, line: Line) -> None:
        if not line.template and line.before:  # a check
            test, error = line.before
            self.body += [test.format(self._number(line.operands[0])), error]
        elif line.dtype is None:  # a Python number
            self.body.append(f"{line.name} = {line.template.format(*map(self._number, line.operands))}")
        elif not (self._product(line) or self._reduction(line) or self._picked(line) or self._scalar_line(line)):
            self._fallback(line)

    def _scalar_line(self, line: Line) -> bool:
        if line.shape != () or form(line) is None:
            return False
        if any(isinstance(x, Line) and x.shape != () for x in line.operands):
            return False
        self.body.append(f"{line.name} = np.{line.dtype.name}({scalar(line, self._number)})")
        return True

    def _product(self, line: Line) -> bool:
        if line.into is None or (".dot(" not in line.into and "matmul" not in line.into):
            return False
        x, y = line.operands
        tx, ty = (v.template == "{0}.T" for v in (x, y))
        xo, yo = (self.place[v] if t else v for v, t in ((x, tx), (y, ty)))
        if any(v in self.place and v.template == "{0}.T" for v in (xo, yo)):
            return False
        (m, k), n = x.shape, y.shape[1]
        self._allocate(line)
        names = [self._name(xo), self._name(yo), line.name]
        if 0 < m * n * k <= SMALL:
            strides = (*((1, m) if tx else (k, 1)), *((1, k) if ty else (n, 1)))
            self.body.append(
                f"dot_small({names[0]}_, {names[1]}_, {m}, {n}, {k}, {', '.join(map(str, strides))}, {names[2]}_)"
            )
        else:
            kind = "32" if line.dtype == np.float32 else "64"
            addresses = [f"{name}_.ctypes.data" for name in names]
            left, right = xo.shape[1], yo.shape[1]
            self.body.append(
                f"gemm{kind}(blas{kind}, {int(ty)}, {int(tx)}, {n}, {m}, {k}, {addresses[1]}, {right}, {addresses[0]}, "
                f"{left}, {addresses[2]}, {n})"
            )
        return True

    def _reduction(self, line: Line) -> bool:
        found = REDUCED.fullmatch(line.template)
        if not found or line.dtype.kind != "f":
            return False
        (x,) = [v for v in line.operands if isinstance(v, Line)]
        owner = self._owner(x)
        if x.value is not None or x.shape == () or x.dtype != line.dtype or not x.size or "{0}.T" in self._views(x):
            return False
        name, axis = found[1], found[2]
        if axis in (None, "None"):
            if name == "max" or line.shape != ():
                return False
            mean = f" / {x.size}" if name == "mean" else ""
            self.body.append(f"{line.name} = np.{line.dtype.name}(total({owner.name}_){mean})")
            return True
        last = int(axis) % len(x.shape) == len(x.shape) - 1
        if not last and (int(axis) % len(x.shape) or name != "sum"):
            return False
        self._allocate(line)
        rows, columns = (math.prod(x.shape[:-1]), x.shape[-1]) if last else (x.shape[0], math.prod(x.shape[1:]))
        function = {"sum": "row_sums" if last else "column_sums", "max": "row_maxima", "mean": "row_sums"}[name]
        self.body.append(f"{function}({owner.name}_, {rows}, {columns}, {line.name}_)")
        if name == "mean":
            self.body += [f"for k in range({rows}):", f"    {line.name}_[k] /= np.{line.dtype.name}({columns})"]
        return True

    def _views(self, x: Line) -> list[str]:
        found: list[str] = []
        while x in self.place:
            found.append(x.template)
            x = self.place[x]
        return found

    def _picked(self, line: Line) -> bool:
        """`x[np.arange(n), labels]`, and numbers put there."""
        write = line.before[-1] if line.before else ""
        reads = line.template == "{0}[{1}, {2}]" and not line.before
        if not reads and write != "{out}[{1}, {2}] = {0}":
            return False
        x, rows, labels = line.operands
        if not (isinstance(rows, Line) and rows.template.startswith("np.arange(") and labels.dtype.kind in "iu"):
            return False
        if len(rows.shape) != 1 or labels.shape != rows.shape or rows.value[0] != 0 or labels.template == "{0}.T":
            return False
        columns = x.shape[1] if reads else line.shape[1]
        self._allocate(line)
        source = self._name(labels)
        pick = [
            f"j = {source}_[k]",
            f"if j < -{columns} or j >= {columns}:",
            '    raise IndexError("index out of bounds")',
        ]
        pick += [f"if j < 0:\n            j += {columns}"]
        if reads:
            pick.append(f"{line.name}_[k] = {self._name(x)}_[k * {columns} + j]")
        else:
            self.body += [f"for k in range({line.size}):", f"    {line.name}_[k] = 0"]
            value = (
                f"{self._owner(x).name}_[k]" if isinstance(x, Line) and x.value is None and x.shape else self._number(x)
            )
            pick.append(f"{line.name}_[k * {columns} + j] = {value}")
        self.body += [f"for k in range({rows.size}):", *(f"    {text}" for text in pick)]
        return True

    def _fallback(self, line: Line) -> None:
        """NumPy's own call, from within."""
        if line.dtype.kind not in "fibc":
            raise Unsupported(f"{line.template} gives {line.dtype}")
        self.fallbacks.append(line.template if not line.before else line.before[-1])
        names: list[str] = []
        for x in line.operands:
            if not isinstance(x, Line) or x.dtype is None:
                names.append(self._number(x))
            elif x.shape == () and x.value is None:
                names.append(f"np.{x.dtype.name}({x.name})")
            elif x.value is not None:
                names.append(self._constant(x.value))
            else:
                owner = self._owner(x)
                views = [
                    f".reshape({literal(owner.shape)})",
                    *(v.removeprefix("{0}") for v in reversed(self._views(x))),
                ]
                names.append(f"{owner.name}_{''.join(views)}")
        kind = {"bool": "boolean"}.get(line.dtype.name, line.dtype.name)
        inner = [text.format(*names, out="found") for text in line.before] or [
            f"found = {line.template.format(*names)}"
        ]
        if line.shape == ():
            self.body += [f'with objmode({line.name}="{kind}"):', *(f"    {text}" for text in inner)]
            self.body.append(f"    {line.name} = np.{line.dtype.name}(found)")
            return
        self._allocate(line)
        self.body += [f'with objmode(found_{line.name}="{kind}[::1]"):', *(f"    {text}" for text in inner)]
        self.body.append(f"    found_{line.name} = np.ascontiguousarray(found).reshape({line.size})")
        self.body += [f"for k in range({line.size}):", f"    {line.name}_[k] = found_{line.name}[k]"]

    def _name(self, x: Line) -> str:
        """The name of the memory that a value is in, with an underscore its flat form."""
        owner = self._owner(x)
        if owner.name is None:
            owner.name = self._constant(owner.value)
            self.body.append(f"{owner.name}_ = {owner.name}.reshape({owner.size})")
        return owner.name

    def _constant(self, value: Any) -> str:
        for name, known in self.constants.items():
            if known is value:
                return name
        name = f"constant{len(self.constants)}"
        self.constants[name] = value
        return name
