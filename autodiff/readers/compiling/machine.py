"""Printing lines for numba: elementwise chains as one loop, products of matrices by BLAS, all in one function.

Arrays are flat and in C order. What has no form here is called as NumPy does, from within.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .elements import REDUCED, form, scalar
from .fusion import Schedule
from .lines import Line, Operand, literal

TINY = 4096  # multiplications of a product up to which loops are faster than a call of BLAS,
SMALL = 1 << 20  # and up to which tiles are
LITTLE = 1 << 14  # elements of an input up to which it is put where there is to work
LOCAL = 1024  # elements of small values together that live on the stack
SHORT = 64  # elements up to which a sum is a loop that is written out


class Unsupported(Exception):
    """A program that cannot be machine code, and why."""


class Machine:
    """A program as the body of one function for numba.

    `work` is how many elements of each dtype it needs to work in, `constants` are arrays that it takes beside its
    inputs; `fallbacks` are the calls of NumPy in it. Results that are new values of inputs are `written` to their
    arrays where that may be, and not returned. Inputs that are small and `steady`, the same ones in many calls, are
    `inside` what there is to work in: each argument of a call takes its time.
    """

    def __init__(
        self,
        inputs: Sequence[Line],
        lines: Sequence[Line],
        outputs: Sequence[Line],
        renewed: Mapping[Line, Line],
        steady: Sequence[Line] = (),
        tile: tuple[int, int] = (6, 32),
    ) -> None:
        self.tile: tuple[int, int] = tile  # the rows, and the bytes of each, a product in tiles has at least
        self.inputs: list[Line] = list(inputs)
        self.outputs: list[Line] = list(outputs)
        self.renewed: dict[Line, Line] = dict(renewed)
        computed = [line for line in lines if line.value is None and line not in set(inputs)]
        for line in computed:
            if not isinstance(line.shape, tuple):
                raise Unsupported(f"{line.template} has several results")
        self.schedule: Schedule = Schedule(computed, self.outputs, renewed)
        self.written: dict[Line, Line] = self.schedule.written
        self.local: int = 0  # elements that live on the stack, where nothing else can point to
        self.constants: dict[str, Any] = {}
        self.work: dict[str, int] = {}
        self.body: list[str] = []
        self.fallbacks: list[str] = []
        self.home: dict[Line, tuple[str, int]] = {}
        self.free: dict[tuple[str, int], list[int]] = {}
        self.inside: dict[Line, tuple[str, int]] = {
            x: self._new_home(x) for x in steady if 0 < x.size <= LITTLE and x.shape
        }
        self._print()

    # --- memory -------------------------------------------------------------------------------------------------------

    def _last_uses(self) -> dict[Line, int]:
        last: dict[Line, int] = {}
        for i, group in enumerate(self.schedule.groups):
            for line in group:
                for x in line.inputs:
                    last[self.schedule.owner(x)] = i
        for x in self.outputs:
            last[self.schedule.owner(x)] = len(self.schedule.groups)
        return last

    def _allocate(self, line: Line) -> None:
        """Where a value lives: the array of an input, a result of its own, or a part of what there is to work in."""
        name = line.name
        if line in self.written:
            self.body.append(f"{name}_ = {self.written[line].name}_")
            return
        if any(self.schedule.owner(x) is line for x in self.outputs):
            self.body.append(f"{name} = np.empty({line.shape}, {literal(line.dtype)})")
            self.body.append(f"{name}_ = part({name}, 0, {line.size})")
            return
        if self.local + line.size <= LOCAL and line.dtype.kind != "b":
            self.local += line.size
            self.body.append(f"{name}_ = local(np.{line.dtype.name}, {line.size})")
            return
        slots = self.free.get((line.dtype.name, line.size))
        self.home[line] = kind, start = (line.dtype.name, slots.pop()) if slots else self._new_home(line)
        self.body.append(f"{name}_ = part(work_{kind}, {start}, {line.size})")

    def _new_home(self, line: Line) -> tuple[str, int]:
        """A new part of what there is to work in."""
        kind = line.dtype.name
        start = self.work.get(kind, 0)
        self.work[kind] = start + -(-line.size // 16) * 16
        return kind, start

    def _release(self, i: int, last: Mapping[Line, int], used: Iterable[Line]) -> None:
        """Memory of values that nobody looks at after a group is free again."""
        for x in dict.fromkeys(map(self.schedule.owner, used)):
            if last.get(x, i) == i:
                self._free(x)

    def _free(self, x: Line) -> None:
        if x in self.home:
            kind, start = self.home.pop(x)
            self.free.setdefault((kind, x.size), []).append(start)

    # --- what is printed ----------------------------------------------------------------------------------------------

    def _print(self) -> None:
        last = self._last_uses()
        for line in self.inputs:
            if line.dtype is not None and line.shape != ():
                kind, start = self.inside.get(line, ("", 0))
                self.body.append(f"{line.name}_ = part({f'work_{kind}' if kind else line.name}, {start}, {line.size})")
        for i, group in enumerate(self.schedule.groups):
            first = group[0]
            if self.schedule.elementwise(first):
                self._loop(group, i, last)
            elif first in self.schedule.place:
                continue
            else:
                self._single(first)
            self._release(i, last, [x for line in group for x in [*line.inputs, line]])
        results = [self._result(x) for x in self.outputs if x not in self.written]
        self.single: bool = len(results) == 1  # then it is no tuple
        self.body.append(
            f"return {results[0]}" if self.single else f"return ({', '.join(results)}{',' * bool(results)})"
        )

    def _result(self, x: Line) -> str:
        """A result, in memory of its own."""
        if x.value is not None:
            return f"{self._constant(x.value)}.copy()" if x.shape != () else self._number(x)
        owner = self.schedule.owner(x)
        if owner.shape == ():
            return str(owner.name)
        views = [f"{view}.copy()" if view == ".T" else view for view in reversed(self.schedule.views(x))]
        shared = owner in self.inputs or [self.schedule.owner(v) for v in self.outputs].count(owner) > 1
        if owner in self.inside:
            return f"{owner.name}_.reshape({owner.shape}).copy(){''.join(views)}"
        return f"{owner.name}{'.copy()' * shared}{''.join(views)}"

    def _loop(self, group: Sequence[Line], i: int, last: Mapping[Line, int]) -> None:
        inside = set(group)
        shape = group[0].shape
        kept = [line for line in group if last.get(line, -1) > i or line in self.written]
        operands = dict.fromkeys(x for line in group for x in line.inputs if x not in inside)  # a set has no order
        elsewhere = {self.schedule.owner(x) for x in operands if self.schedule.index(x, shape) != "k"}
        self._release(i, last, [x for x in operands if self.schedule.owner(x) not in elsewhere])  # it is read before
        for line in kept:
            self._allocate(line)
        indices = {self.schedule.index(x, shape) for x in operands}
        rows, columns = math.prod(shape[:-1]), shape[-1]
        inner: list[str] = []
        for x in operands:
            index = self.schedule.index(x, shape)
            if index != "":
                inner.append(f"{self._value(x)} = {self._name(x)}_[{index}]")
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

    def _element(self, x: Operand) -> str:
        if isinstance(x, Line) and x.number is None and x.shape != ():
            return self._value(x)
        return self._number(x)

    def _number(self, x: Operand) -> str:
        if not isinstance(x, Line):
            return literal(x).replace("np.inf", "math.inf").replace("np.nan", "math.nan")
        if x.value is None:
            return x.name or ""
        if x.dtype.kind not in "fib":
            raise Unsupported(f"a constant of {x.dtype}")
        number = x.value.flat[0].item()
        return repr(number) if x.dtype.kind == "b" else f"np.{x.dtype.name}({self._number(number)})"

    def _value(self, x: Line) -> str:
        """The name of one element of a value."""
        return f"{x.name or self._name(x)}_v"

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
        (m, k), n = x.shape, y.shape[1]
        places = [self._matrix(v) for v in (x, y)]
        if None in places or not m * k * n:
            return False
        (x_memory, tx), (y_memory, ty) = [place for place in places if place]
        self._allocate(line)
        out = f"{line.name}_"
        if m >= self.tile[0] and n * line.dtype.itemsize >= self.tile[1] and m * n * k <= SMALL:
            right = self._turned(y_memory, n, k, line) if ty else y_memory
            self.body.append(f"tiled({int(tx)}, {m}, {n}, {k}, {x_memory}, {right}, {out})")
            return True
        if m * n * k <= TINY:
            left = f"{x_memory}[{{p}} * {m} + i]" if tx else f"{x_memory}[i * {k} + {{p}}]"
            right = f"{y_memory}[j * {k} + {{p}}]" if ty else f"{y_memory}[{{p}} * {n} + j]"
            self.body += [
                f"for i in range({m}):",
                f"    for j in range({n}):",
                f"        {out}[i * {n} + j] = {left.format(p=0)} * {right.format(p=0)}",
                f"    for p in range(1, {k}):",
                f"        for j in range({n}):",
                f"            {out}[i * {n} + j] += {left.format(p='p')} * {right.format(p='p')}",
            ]
            return True
        kind = "32" if line.dtype.itemsize == 4 else "64"
        sizes = f"{n}, {m}, {k}, {y_memory}, {k if ty else n}, {x_memory}, {m if tx else k}, {out}, {n}"
        self.body.append(f"gemm{kind}({int(ty)}, {int(tx)}, {sizes})")
        return True

    def _turned(self, memory: str, m: int, n: int, line: Line) -> str:
        """The transpose of a matrix, in memory that is free again after the next call."""
        copy = Line("", shape=(n, m), dtype=line.dtype)
        copy.name = f"{line.name}_turned_"  # no line of a program has such a name
        self._allocate(copy)
        self.body += [f"for i in range({n}):", f"    for j in range({m}):"]
        self.body.append(f"        {copy.name}_[i * {m} + j] = {memory}[j * {n} + i]")
        self._free(copy)
        return f"{copy.name}_"

    def _matrix(self, x: Line) -> tuple[str, bool] | None:
        """The memory of a matrix in C order, and whether it is to be transposed; None where it is in another order."""
        flipped = x in self.schedule.place and x.template == "{0}.T"
        x = self.schedule.place[x] if flipped else x
        return None if self.schedule.transposed(x) else (f"{self._name(x)}_", flipped)

    def _reduction(self, line: Line) -> bool:
        found = REDUCED.fullmatch(line.template)
        if not found or line.dtype.kind != "f" or len(line.operands) != 1:
            return False
        (x,) = line.operands
        owner = self.schedule.owner(x)
        if x.value is not None or x.shape == () or x.dtype != line.dtype or not x.size or self.schedule.transposed(x):
            return False
        if line.dtype.itemsize not in (4, 8):
            return False
        name, axis = found[1], found[2]
        if axis in (None, "None") or line.shape == ():
            if name == "max" or line.shape != ():
                return False
            mean = f" / {x.size}" if name == "mean" else ""
            total = f"total({owner.name}_)"
            if x.size <= SHORT:
                total = f"{line.name}_v"
                loop = [f"for k in range({x.size}):", f"    {total} += {owner.name}_[k]"]
                self.body += [f"{total} = 0.0", *loop]
            self.body.append(f"{line.name} = np.{line.dtype.name}({total}{mean})")
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

    def _picked(self, line: Line) -> bool:
        """`x[np.arange(n), labels]`, and numbers put there."""
        write = line.before[-1] if line.before else ""
        reads = line.template == "{0}[{1}, {2}]" and not line.before
        if not reads and write != "{out}[{1}, {2}] = {0}":
            return False
        x, rows, labels = line.operands
        if not (isinstance(rows, Line) and rows.template.startswith("np.arange(") and labels.dtype.kind in "iu"):
            return False
        if len(rows.shape) != 1 or labels.shape != rows.shape or rows.value[0] != 0:
            return False
        if isinstance(x, Line) and (x.dtype != line.dtype or self.schedule.transposed(x)):
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
                f"{self.schedule.owner(x).name}_[k]"
                if isinstance(x, Line) and x.value is None and x.shape
                else self._number(x)
            )
            pick.append(f"{line.name}_[k * {columns} + j] = {value}")
        self.body += [f"for k in range({rows.size}):", *(f"    {text}" for text in pick)]
        return True

    def _fallback(self, line: Line) -> None:
        """NumPy's own call, from within."""
        if line.dtype.kind not in "fiubc" or line.dtype.itemsize > 16 or line.dtype.name in ("float16", "longdouble"):
            raise Unsupported(f"{line.template} gives {line.dtype}")
        *before, last = line.before or (f"{{out}} = {line.template}",)
        if last.lstrip().startswith("raise "):  # a check of what the line before has made: it is made here, too
            *before, last, _ = before
        self.fallbacks.append(last)
        names = [self._argument(x) for x in line.operands]
        inner = [text.format(*names, out="found") for text in [*before, last]]
        kind = {"bool": "boolean"}.get(line.dtype.name, line.dtype.name)
        if line.shape == ():
            self.body += [f'with objmode({line.name}="{kind}"):', *(f"    {text}" for text in inner)]
            self.body.append(f"    {line.name} = np.{line.dtype.name}(found)")
            return
        self._allocate(line)
        found = f"found_{line.name}"
        self.body += [f'with objmode({found}="{kind}[::1]", fits="boolean"):', *(f"    {text}" for text in inner)]
        self.body.append(f"    fits = found.shape == {line.shape}")
        self.body.append(f"    {found} = np.ascontiguousarray(found, np.{line.dtype.name}).reshape(found.size)")
        self.body += [
            "if not fits:",
            f'    raise ValueError("this program is for a result of shape {line.shape} here")',
        ]
        self.body += [f"for k in range({line.size}):", f"    {line.name}_[k] = {found}[k]"]

    def _argument(self, x: Operand) -> str:
        """An operand as NumPy takes it."""
        if not isinstance(x, Line) or x.dtype is None:
            return self._number(x)
        if x.value is not None:
            return self._constant(x.value)
        if x.shape == ():
            return f"np.{x.dtype.name}({x.name})"
        owner = self.schedule.owner(x)
        return f"{owner.name}_.reshape({owner.shape}){''.join(reversed(self.schedule.views(x)))}"

    def _name(self, x: Line) -> str:
        """The name of the memory that a value is in, with an underscore its flat form."""
        owner = self.schedule.owner(x)
        if owner.name is None:
            owner.name = self._constant(owner.value)
            self.body.append(f"{owner.name}_ = part({owner.name}, 0, {owner.size})")
        return owner.name

    def _constant(self, value: Any) -> str:
        for name, known in self.constants.items():
            if known is value:
                return name
        name = f"constant{len(self.constants)}"
        self.constants[name] = value
        return name
