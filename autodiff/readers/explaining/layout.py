"""How a derivation is set: lines that repeat with another index are said once; columns are aligned."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...sites import __library__  # noqa: F401
from ...symbols import padded, width

WIDTH = 110
REPEATS = 3  # from how many on lines are said once
PERIOD = 8  # lines, at most, that repeat together
STEP = 12  # by how much an index moves at most
_LOWERED = str.maketrans("0123456789+-k", "₀₁₂₃₄₅₆₇₈₉₊₋ₖ")
_NUMBERS = {
    "unicode": re.compile(r"(?<!Σ)(?<![₀-₉])[₀₁₂₃₄₅₆₇₈₉]+|\b\d+(?=\.[^\W\d])"),
    "latex": re.compile(r"(?<!\\sum)_\{(\d+)\}|\b\d+(?=\.[^\W\d])"),
}
_DIGITS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")


@dataclass
class Row:
    """The cells of a line: what it is, what it equals, of what it is the gradient, its shape; and its rules."""

    left: str
    right: str
    meaning: str
    shape: str
    rules: list[str]

    @property
    def cells(self) -> tuple[str, ...]:
        """What may hold an index."""
        return (self.left, self.right, self.meaning, *self.rules)


def folded(rows: Sequence[Row], style: str) -> list[tuple[list[Row], str]]:
    """Rows in groups; a group that stands for many rows says for which k."""
    parsed = [[_parsed(cell, style) for cell in row.cells] for row in rows]
    groups: list[tuple[list[Row], str]] = []
    i = 0
    while i < len(rows):
        found = None
        for period in range(1, PERIOD + 1):
            count = _repetitions(parsed, i, period)
            if count >= REPEATS and (found is None or count * period > found[0] * found[1]):
                found = count, period
        if found is None:
            groups.append(([rows[i]], ""))
            i += 1
            continue
        count, period = found
        groups.append(_said_once(rows, parsed, i, period, count, style))
        i += count * period
    return groups


Parsed = tuple[tuple[str, ...], tuple[int, ...]]


def _parsed(text: str, style: str) -> Parsed:
    """A text without its indices, and the indices."""
    pieces: list[str] = []
    numbers: list[int] = []
    end = 0
    for match in _NUMBERS[style].finditer(text):
        digits = match.group(match.lastindex or 0)
        start, stop = match.span(match.lastindex or 0)
        pieces.append(text[end:start] + ("↓" if digits != digits.translate(_DIGITS) else ""))
        numbers.append(int(digits.translate(_DIGITS)))
        end = stop
    return (*pieces, text[end:]), tuple(numbers)


def _repetitions(parsed: Sequence[list[Parsed]], start: int, period: int) -> int:
    """How often the rows from `start` on repeat, each index moving by a constant step."""
    step: Any = None
    count = 1
    while start + (count + 1) * period <= len(parsed):
        moves: list[int] = []
        for k in range(period):
            a, b = parsed[start + (count - 1) * period + k], parsed[start + count * period + k]
            if len(a) != len(b) or any(x[0] != y[0] or len(x[1]) != len(y[1]) for x, y in zip(a, b, strict=True)):
                return count
            moves += [m - n for x, y in zip(a, b, strict=True) for n, m in zip(x[1], y[1], strict=True)]
        if any(abs(move) > STEP for move in moves) or not any(moves) or (step is not None and moves != step):
            return count
        step = moves
        count += 1
    return count


def _said_once(
    rows: Sequence[Row], parsed: Sequence[list[Parsed]], start: int, period: int, count: int, style: str
) -> tuple[list[Row], str]:
    first = 0
    own: list[Row] = []
    for k in range(period):
        a, b = parsed[start + k], parsed[start + period + k]
        if k == 0:
            moving = [n for x, y in zip(a, b, strict=True) for n, m in zip(x[1], y[1], strict=True) if m - n == 1]
            first = moving[0] if moving else 1  # k is the first index that counts up
        cells = [_indexed(x, y, first, style) for x, y in zip(a, b, strict=True)]
        shapes = {rows[start + i * period + k].shape for i in range(count)}
        shape = shapes.pop() if len(shapes) == 1 else ""
        own.append(Row(cells[0], cells[1], cells[2], shape, cells[3:]))
    dots = "…" if style == "unicode" else r"\ldots"
    return own, f"k = {first}, {dots}, {first + count - 1}"


def _indexed(a: Parsed, b: Parsed, first: int, style: str) -> str:
    """A text with k in the place of the indices that move."""
    pieces, text = a[0], ""
    for piece, n, m in zip(pieces, a[1], b[1], strict=False):
        lowered = piece.endswith("↓")
        text += piece.removesuffix("↓")
        index = str(n) if n == m else _in_k(n - (m - n) * first, m - n)
        text += (
            index.translate(_LOWERED)
            if lowered
            else index
            if style != "unicode"
            else f"{{{index}}}"
            if n != m
            else index
        )
    return text + pieces[-1]


def _in_k(offset: int, step: int) -> str:
    """`k`, `2k-1`, `11-k`."""
    k = "k" if abs(step) == 1 else f"{abs(step)}k"
    if step < 0:
        return f"{offset}-{k}"
    return k if offset == 0 else f"{k}{offset:+d}"


def in_columns(texts: Sequence[str]) -> list[str]:
    """Short texts beside each other, in aligned columns."""
    for columns in range(min(4, len(texts)), 0, -1):
        widths = [max(map(width, texts[i::columns])) for i in range(columns)]
        if sum(widths) + 4 * (columns - 1) <= WIDTH or columns == 1:
            rows = [texts[i : i + columns] for i in range(0, len(texts), columns)]
            return ["    ".join(padded(t, w) for t, w in zip(row, widths, strict=False)).rstrip() for row in rows]
    return []
