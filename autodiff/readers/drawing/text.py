"""The picture as lines of text: one for each card, in the order of the computation, boxes at the margin."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...symbols import width
from .measures import brief, fraction
from .picture import Box, Card, Picture
from .safe import isolated, plain

TAGS = {"parameter": "param", "data": "data", "layer": "folded"}
BAR = 10
NOT_YET = "no backward pass yet"


def text_of(picture: Picture) -> str:
    """The text view.

    X                      3 × 2    1 … 10
    ┌ layer 1   2 → 4,  8 parameters
    │ W₁  param            2 × 4    −0.54 … 1.3    0.64  ████████████░░░  ∂L/∂W₁ = Xᵀ @ ∂L/∂z₂
    """
    rules = _rules(picture)
    names = max((width(plain(card.name)) for card in picture.cards if card.kind in TAGS), default=0)
    rows = [_row(card, rules.get(card, ""), names) for card in picture.cards]
    heads = ("", "shape", "values", "|grad|" * picture.differentiated, "", "backward rule" * bool(rules))
    margins = list(_margins(picture))
    rows = [(margin + row[0], *row[1:]) for (margin, _), row in zip(margins, rows, strict=True)]
    widths = [max(map(width, column)) for column in zip(heads, *rows, strict=True)]
    reads = "forward reads down, backward reads up" if picture.differentiated else NOT_YET * (not picture.remark)
    lines = ["    ".join(plain(part) for part in (picture.title, *picture.notes, reads) if part)]
    lines += [plain(line, 200) for line in (picture.remark, picture.banner) if line]
    lines.append(_line(heads, widths))
    for (_, opened), row in zip(margins, rows, strict=True):
        lines += [*opened, _line(row, widths)]
    return "\n".join(lines)


def _rules(picture: Picture) -> dict[Card, str]:
    """The rule of each card's gradient: of one with several uses their sum."""
    parts: dict[Card, list[str]] = {}
    for arrow in picture.arrows:
        if arrow.rule:
            parts.setdefault(arrow.source, []).append(arrow.rule)
    rules: dict[Card, str] = {}
    for card, (first, *others) in parts.items():
        added = "".join(f" + {rule.partition(' += ')[2]}" for rule in others).replace(" + −", " − ")
        rules[card] = first.replace(" += ", " = ", 1) + added if others else first
    return rules


def _row(card: Card, rule: str, names: int) -> tuple[str, ...]:
    title = plain(card.title)
    if card.kind in TAGS:
        title = f"{_filled(plain(card.name), names)}  {TAGS[card.kind]}  {plain(card.formula)}".rstrip()
    if card.times > 1:
        title += f"  × {card.times:,}"
    shape, extent = plain(card.shape.replace("scalar", "()")), plain(card.extent)
    if card.gradient is None:
        return title, shape, extent, "", "", ""
    full = round(fraction(card.gradient) * BAR)
    return title, shape, extent, brief(card.gradient), "█" * full + "░" * (BAR - full), plain(rule, 200)


def _margins(picture: Picture) -> Iterator[tuple[str, list[str]]]:
    """For each card the lines at its left, and those that open its boxes."""
    boxes = {box.path: box for box in picture.boxes}
    before: tuple[str, ...] = ()
    for card in picture.cards:
        opened: list[str] = []
        for depth in range(len(card.path)):
            path = card.path[: depth + 1]
            if before[: depth + 1] != path:
                opened.append(_opening(boxes[path], depth))
        before = card.path
        yield " " + "│ " * len(card.path) + "  " * (not card.path), opened


def _opening(box: Box, depth: int) -> str:
    return f" {'│ ' * depth}┌ {plain(box.title)}   {plain(box.note)}".rstrip()


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(_filled(cell, size) for cell, size in zip(cells, widths, strict=True)).rstrip()


def _filled(text: str, size: int) -> str:
    return isolated(text) + " " * (size - width(text))
