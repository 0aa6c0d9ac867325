"""Equal calls on small arrays as one call, on memory that lies side by side.

    t1 = 1 - a1                                  wide0 = a1 and a2, wide1 = t1 and t2
    t2 = 1 - a2          becomes                 subtract(1, wide0, wide1)

A call of a ufunc takes as long as a few hundred elements: so the updates of all layers' weights are one, and so are the
slopes of their activations. Each element is computed as before, by operations that are rounded exactly.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from .lines import Line

SMALL = 1 << 13  # elements of one array
MANY = 1000  # lines of a program up to which it is worth the time
EXACT: set[Any] = {np.add, np.subtract, np.multiply, np.divide, np.negative, np.square, np.sqrt, np.reciprocal}


class Wide:
    """Memory for several values of one dtype, each in C order, one after the other."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.lines: tuple[Line, ...] = tuple(lines)
        self.size: int = sum(line.size for line in lines)
        self.dtype: Any = lines[0].dtype
        self.name: str = ""

    def places(self) -> list[tuple[Line, int, int]]:
        """Each value with where its memory begins and ends."""
        ends = [*accumulate(line.size for line in self.lines)]
        return [(line, end - line.size, end) for line, end in zip(self.lines, ends, strict=True)]


class Group:
    """Lines that are one call: `operands` are numbers, single values, or `Wide` ones."""

    def __init__(self, lines: Sequence[Line], operands: Sequence[Any], result: Wide) -> None:
        self.lines: tuple[Line, ...] = tuple(lines)
        self.operands: list[Any] = list(operands)
        self.result: Wide = result


class Abreast:
    """Which lines of a program are one call with others; `wide`: for a line that lies beside others, the memory.

    `written`: results that go into the arrays of inputs. `fixed`: inputs whose arrays may be laid side by side.
    `placed` says of a line whether its value goes where it is told to.
    """

    def __init__(
        self,
        lines: Sequence[Line],
        written: Mapping[Line, Line],
        fixed: Collection[Line],
        placed: Callable[[Line], bool],
    ) -> None:
        self.written: Mapping[Line, Line] = written
        self.fixed: set[Line] = set(fixed)
        self.placed: Callable[[Line], bool] = placed
        self.wide: dict[Line, Wide] = {}
        self.group: dict[Line, Group] = {}
        self.lines: list[Line] = list(lines)
        buckets = self._buckets() if len(lines) <= MANY else {}
        if any(len(bucket) > 1 for bucket in buckets.values()):
            self._needs = self._dependencies()
            for bucket in buckets.values():
                self._grouped(bucket)
            if self.group:
                self.lines = self._ordered()

    def _buckets(self) -> dict[Any, list[Line]]:
        """Lines that make the same call, but for the arrays in it."""
        found: dict[Any, list[Line]] = {}
        for line in self.lines:
            if line.ufunc in EXACT and 0 < line.size <= SMALL and self._own(line) and line.dtype.kind == "f":
                found.setdefault(self._call(line), []).append(line)
        return found

    def _own(self, line: Line) -> bool:
        """Whether a value's place in memory is ours to say."""
        return line.ordered and (line in self.written or self.placed(line))

    @staticmethod
    def _call(line: Line) -> Any:
        operands = [
            (x.dtype if x.shape == line.shape else id(x)) if isinstance(x, Line) else (type(x), x)
            for x in line.operands
        ]
        return line.ufunc, line.dtype, *operands

    # --- what depends on what, as sets of bits ------------------------------------------------------------------------

    def _dependencies(self) -> dict[Line, int]:
        """For each line a number whose bits are the lines that come before it, itself too."""
        self._bit: dict[Line, int] = {line: 1 << i for i, line in enumerate(self.lines)}
        needs: dict[Line, int] = {}
        readers: dict[Line, int] = dict.fromkeys(self.written.values(), 0)  # with all that they need
        for line in self.lines:
            mask = self._bit[line]
            for x in line.inputs:
                mask |= needs.get(x, 0)
            if line in self.written:  # after all that reads the input
                mask |= readers[self.written[line]]
            needs[line] = mask
            for x in line.inputs:
                if (owner := x.base or x) in readers:
                    readers[owner] |= mask
        return needs

    def _grouped(self, bucket: Sequence[Line]) -> None:
        """Groups of a bucket's lines, of which none needs another."""
        rest = list(bucket)
        while len(rest) > 1:
            first, *others = rest
            chosen, before, bits = [first], self._needs[first], self._bit[first]
            for line in others:
                needs = self._needs[line]
                if not needs & bits and not before & self._bit[line]:
                    chosen, before, bits = [*chosen, line], before | needs, bits | self._bit[line]
            rest = [line for line in rest if line not in chosen]
            if len(chosen) > 1 and self._laid(chosen):
                for line, needs in self._needs.items():
                    if needs & bits:
                        self._needs[line] = needs | before

    def _laid(self, lines: Sequence[Line]) -> bool:
        """Lay the operands and results of some lines side by side, if they can be."""
        written = [self.written.get(line) for line in lines]
        columns = [*zip(*(line.operands for line in lines), strict=True), written if all(written) else lines]
        if any(written) and not all(written):
            return False
        wide: dict[Line, Wide] = {}
        found: list[Any] = []
        for column in columns:
            alike = isinstance(column[0], Line) and column[0].shape
            found.append(self._beside(column, wide) if alike else column[0])
            if found[-1] is None:
                return False
        self.wide |= wide
        *operands, result = found
        group = Group(lines, operands, result)
        self.group |= dict.fromkeys(lines, group)
        return True

    def _beside(self, lines: Sequence[Any], new: dict[Line, Wide]) -> Wide | None:
        """The memory in which some values lie side by side, if they do or can."""
        known = [new.get(x) or self.wide.get(x) for x in lines]
        if any(known):
            return known[0] if known[0] is not None and known[0].lines == tuple(lines) else None
        may = all(x in self.fixed or (self._own(x) and x not in self.written) for x in lines)
        alike = all(x.dtype == lines[0].dtype and 0 < x.size <= SMALL for x in lines)
        if not may or not alike or len(set(lines)) < len(lines):
            return None
        found = Wide(lines)
        new |= dict.fromkeys(lines, found)
        return found

    def _ordered(self) -> list[Line]:
        """The lines in an order in which groups stand together, each as early as it can."""
        bits, needs = dict(self._bit), dict(self._needs)
        for group in {*self.group.values()}:
            bits |= dict.fromkeys(group.lines, sum(self._bit[line] for line in group.lines))
            needs |= dict.fromkeys(group.lines, functools.reduce(operator.or_, [self._needs[x] for x in group.lines]))
        done, found, waiting = 0, list[Line](), list(self.lines)
        while waiting:
            later: list[Line] = []
            for line in waiting:
                if needs[line] & ~(done | bits[line]):
                    later.append(line)
                elif not bits[line] & done:
                    found += self.group[line].lines if line in self.group else (line,)
                    done |= bits[line]
            waiting = later
        return found
