"""`Report`: what `verify` found out, for a person, a test and a notebook."""

from __future__ import annotations

import html
import os
import sys
from collections.abc import Iterator
from typing import TextIO

from ...symbols import padded, width
from .findings import Findings, Mistake
from .telling import WIDTH, Row, Telling, in_lines, notes, told
from .truth import Agreement

REMARKS_UP_TO = 60  # the column of remarks; a line that is longer has its remark after it
PAINT = {"right": "32", "wrong": "31", "cannot tell": "33", "fix": "32", "note": "33", "follows": "2", "aside": "2"}
PAINTED_WHOLE = ("fix", "follows", "aside")

# Each colour is as far from white as from black, so that one page serves light and dark themes.
COLOURS = {"right": "#168a3f", "wrong": "#d6453d", "cannot tell": "#a87000", "fix": "#168a3f", "note": "#a87000"}
FONT = "font-family:ui-monospace,Menlo,Consolas,monospace;font-size:90%"
CELL = "padding:0 1.5em 0 0;text-align:left;background:none;border:none;vertical-align:top;white-space:pre-wrap"


class Report:
    """Whether a derivation is right; where it is not, its first wrong step, why that is wrong, and what mends it.

    `print(report)` tells it in plain text, `show` in colour on a terminal, a notebook as a table. In a condition a
    report is true when the derivation is right.
    """

    def __init__(self, findings: Findings) -> None:
        self._findings = findings

    @property
    def verdict(self) -> str:
        """`"right"`, `"wrong"` or `"cannot tell"`."""
        return self._findings.verdict

    @property
    def ok(self) -> bool:
        """Whether the verdict is right."""
        return self.verdict == "right"

    def __bool__(self) -> bool:
        return self.ok

    @property
    def first_wrong(self) -> str | None:
        """The name of the first wrong step, as the source writes it."""
        return self._first.name if self._first else None

    @property
    def cause(self) -> str | None:
        """Why it is wrong, as one word of a fixed list (`"missing-activation-derivative"`); None where not proven."""
        return self._first.cause if self._first else None

    @property
    def fix(self) -> str | None:
        """The source line that mends it, verified at fresh points."""
        return self._first.fix if self._first else None

    @property
    def notes(self) -> list[str]:
        """What is to be known beside the verdict."""
        return notes(self._findings)

    @property
    def gradients(self) -> dict[str, Agreement]:
        """By the parameter's name: `.digits` that agree with the true gradient, and the largest `.error`."""
        return dict(self._findings.gradients)

    @property
    def _first(self) -> Mistake | None:
        return self._findings.mistakes[0] if self._findings.mistakes else None

    def check(self) -> None:
        """For a test: raise AssertionError, with the report as its message, when the derivation is not right."""
        __tracebackhide__ = True  # pytest shows the test's line, not this one
        if not self.ok:
            raise AssertionError(str(self))

    def show(self, stream: TextIO | None = None) -> None:
        """Print it, in colour where the stream is a terminal and NO_COLOR is not set."""
        out = stream or sys.stdout
        coloured = out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        out.write(_text(told(self._findings), coloured) + "\n")

    def __str__(self) -> str:
        return _text(told(self._findings), coloured=False)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return _page(told(self._findings))


def _text(telling: Telling, coloured: bool) -> str:
    """The report for a terminal."""
    headline = _painted(telling.headline, f"1;{PAINT[telling.verdict]}" if coloured else "")
    facts = "   ".join(telling.facts)
    if width(telling.headline) + 4 + width(facts) <= WIDTH:
        lines = [f"{headline}    {facts}".rstrip()]
    else:
        lines = [headline, *(f"  {line}" for line in in_lines(telling.facts, WIDTH - 2, "   "))]
    remarked = [width(row.text) for row in telling.rows if row.remark]
    column = min(max(remarked, default=0), REMARKS_UP_TO)
    return "\n".join([*lines, *(_line(row, column, coloured) for row in telling.rows)])


def _line(row: Row, column: int, coloured: bool) -> str:
    paint = PAINT.get(row.kind, "") if coloured else ""
    whole = paint if row.kind in PAINTED_WHOLE else ""
    if row.kind == "aside":
        return "  " + _painted(row.text, whole)
    label = f"{row.label:>6}" if row.label.isdecimal() else f"  {row.label:4}"
    text = padded(row.text, column) if row.remark else row.text
    return f"{_painted(label, paint)}  {_painted(text, whole)}    {_painted(row.remark, paint)}".rstrip()


def _painted(text: str, paint: str) -> str:
    return f"\033[{paint}m{text}\033[0m" if paint and text.strip() else text


def _page(telling: Telling) -> str:
    """The report for a notebook."""
    rows = "".join(f'<tr style="background:none">{"".join(_cells(row))}</tr>' for row in telling.rows)
    facts = "".join(f'<span style="margin-left:1.5em">{html.escape(fact)}</span>' for fact in telling.facts)
    headline = f'<b style="color:{COLOURS[telling.verdict]}">{html.escape(telling.headline)}</b>'
    table = f'<table style="border:none;margin:.3em 0">{rows}</table>' if rows else ""
    return f'<div style="{FONT}"><div>{headline}{facts}</div>{table}</div>'


def _cells(row: Row) -> Iterator[str]:
    colour = f";color:{COLOURS[row.kind]}" if row.kind in COLOURS else ""
    faint = ";opacity:.7" if row.kind in ("follows", "aside") else ""
    if row.kind == "aside":
        yield f'<td colspan="3" style="{CELL}{faint}">{html.escape(row.text)}</td>'
        return
    whole = colour if row.kind in PAINTED_WHOLE else ""
    number = ";text-align:right" if row.label.isdecimal() else ""
    for text, style in ((row.label, colour + number), (row.text, whole), (row.remark, colour)):
        yield f'<td style="{CELL}{style}{faint}">{html.escape(text)}</td>'
