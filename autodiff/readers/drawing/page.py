"""The picture as a page: one file that steps through the computation, forward and backward, and folds layers.

Graphviz lays out each way to fold; the page holds every card once, and for each way its places and the arrows. Nothing
is loaded from anywhere, and a content security policy says so: only this style sheet and this script run, by their
hashes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from importlib import resources
from typing import Any

from .dot import dot_of
from .layout import rendered
from .measures import brief
from .picture import Arrow, Card, Picture
from .safe import markup, plain
from .sketch import Sketch
from .svg import Element, compact, compact_arrow, dark, parsed
from .text import text_of

LARGEST = 60_000  # characters of layouts: no further ways to fold are offered
MOST = 24  # ways to fold
OFFERED = 120  # cards: larger pictures are no further way
LONGEST = 200
LEGEND = (
    ' <span class="back">orange: gradients, backward (thickness and bar: log size)</span>'
    ' <span class="faint">blue: below 1e-3</span>'
)
BUTTON = {"role": "button", "tabindex": "0", "aria-expanded": "true"}


def page_of(sketch: Sketch) -> str:
    """The page, as HTML."""
    page = Page()
    for fold in sketch.folds():
        if len(page.ways) >= MOST or page.size > LARGEST:
            break
        picture = sketch.picture(fold)
        if not page.ways or len(picture.cards) <= OFFERED:
            page.add(picture, parsed(rendered(dot_of(picture, heading=False), "svg")))
    return page.html(sketch.picture(sketch.fold))


class Page:
    """A page in the making: its cards, its ways to fold and its words."""

    def __init__(self) -> None:
        self.ways: list[dict[str, Any]] = []
        self._cards: dict[tuple[str, str], tuple[str, Element]] = {}
        self._layers: list[str] = []
        self._words: dict[str, int] = {}

    @property
    def size(self) -> int:
        """How many characters the layouts take."""
        return sum(map(len, self._layers))

    def add(self, picture: Picture, root: Element) -> None:
        """A further way to fold."""
        graph = root.find("g")
        assert graph is not None
        cards = {card.key: card for card in picture.cards}
        drawn: dict[str, str] = {}
        places: dict[str, tuple[float, float]] = {}
        parts: list[str] = []
        for group in graph.findall("g"):
            name = group.get("id", "")
            if name in cards:
                drawn[name], place = self._card(cards[name], group)
                places[drawn[name]] = place
            else:
                parts.append(self._box(group) if group.get("class") == "cluster" else self._arrow(group, name))
        hidden = ' display="none"' if self.ways else ""
        self._layers.append(f'<g class="way"{hidden}>{"".join(parts)}</g>')
        self.ways.append({
            "view": _view(root, graph),
            "open": [box.key for box in picture.boxes if box.key.startswith("b")],
            "cards": places,
            "steps": [[way, drawn[key], key, self._word(words)] for way, key, words in _steps(picture)],
        })  # fmt: skip

    def _card(self, card: Card, group: Element) -> tuple[str, tuple[float, float]]:
        """The id of a card's drawing, the same wherever it says the same, and how far it is from where it was drawn."""
        said = "\n".join(text.text or "" for text in group.iter("text"))
        if (card.key, said) not in self._cards:
            self._cards[card.key, said] = f"{card.key}-{len(self._cards)}", group
        name, first = self._cards[card.key, said]
        group.attrib |= {"id": name, "class": f"card {card.kind}", "role": "img", "aria-label": _description(card)}
        if card.kind == "layer":
            group.attrib |= {"data-box": card.key, **BUTTON, "aria-expanded": "false"}
        (x, y), (x0, y0) = _place(group), _place(first)
        return name, (round(x - x0, 1), round(y - y0, 1))

    def _box(self, group: Element) -> str:
        title = group.find("title")
        assert title is not None
        assert title.text is not None
        key = title.text.removeprefix("cluster_")
        words = "".join(text.text or "" for text in group.iter("text"))
        group.attrib.clear()
        if key.startswith("b"):  # the loss and repetitions stay as they are
            group.attrib |= {"class": "box", "data-box": key, "aria-label": f"fold {words}", **BUTTON}
        return compact(group)

    @staticmethod
    def _arrow(group: Element, name: str) -> str:
        way, key, part = name.split("-")
        group.attrib.clear()
        group.attrib |= {"class": f"{way} rule" if part.endswith("r") else way, "data-of": key}
        return compact_arrow(group)

    def _word(self, words: str) -> int:
        return self._words.setdefault(words, len(self._words))

    def html(self, picture: Picture) -> str:
        """The whole page."""
        style = _part("page.css") + dark(":root[data-theme=dark]")
        script = _part("page.js")
        data = {"ways": self.ways, "words": list(self._words)}
        for name, group in self._cards.values():
            if name not in self.ways[0]["cards"]:
                group.set("display", "none")
        svg = "".join(self._layers) + "".join(compact(group) for _, group in self._cards.values())
        return _part("page.html").format(
            policy=f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
            "base-uri 'none'; form-action 'none'",
            title=markup(picture.title),
            notes=markup("   ".join([*picture.notes, picture.remark]), LONGEST),
            legend=LEGEND if picture.differentiated else "",
            banner=markup(picture.banner, LONGEST),
            view=" ".join(map(str, self.ways[0]["view"])),
            style=style,
            svg=svg,
            text=markup_lines(text_of(picture)),
            data=json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"),
            script=script,
        )


def _part(name: str) -> str:
    return resources.files(__package__ or "").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _place(group: Element) -> tuple[float, float]:
    """Where a card is: its first text."""
    text = next(group.iter("text"))
    return float(text.attrib["x"]), float(text.attrib["y"])


def _view(root: Element, graph: Element) -> list[float]:
    """The part of the plane that a layout fills."""
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    moved = _MOVED.search(graph.attrib["transform"])
    assert moved is not None
    x, y = map(float, moved.groups())
    return [-x, -y, width, height]


_MOVED = re.compile(r"translate\(([-\d.]+)[ ,]+([-\d.]+)\)")


# --- the words --------------------------------------------------------------------------------------------------------


def _description(card: Card) -> str:
    """A card for those who do not see it."""
    gradient = f", size of the gradient {brief(card.gradient)}" if card.gradient is not None else ""
    return plain(f"{card.kind} {card.title}, {card.shape}, {card.extent}{gradient}", LONGEST)


def _steps(picture: Picture) -> Iterator[tuple[str, str, str]]:
    """Which way, the key of the card, and the words: all cards forward, then those that have gradient backward."""
    for card in picture.cards:
        yield "forward", card.key, f"forward: {_forward(card)}"
    back: dict[Card, list[Arrow]] = {}
    for arrow in picture.arrows:
        if arrow.carries:
            back.setdefault(arrow.source, []).append(arrow)
    for card in reversed(picture.cards):
        if card.gradient is not None:
            yield "back", card.key, f"backward: {_backward(card, back.get(card, []), plain(picture.letter))}"


def _forward(card: Card) -> str:
    numbers = plain(f"{card.shape}, {card.extent}", LONGEST)
    name = plain(card.name)
    match card.kind:
        case "data":
            return f"{name} is given: {numbers}."
        case "parameter":
            return f"{name} is a parameter: {numbers}."
        case "hidden":
            return f"{name} are not shown."
        case "layer":
            return f"{name} computes {plain(card.formula)}: {plain(card.extent)}."
        case _:
            return f"{plain(card.title, LONGEST)}: {numbers}."


def _backward(card: Card, arrows: Sequence[Arrow], letter: str) -> str:
    size = brief(card.gradient or 0)
    if card.kind == "loss":
        return f"it begins at {plain(card.name)}, with ∂{letter}/∂{letter} = {size}."
    rules = " and ".join(plain(arrow.rule, LONGEST) for arrow in arrows if arrow.rule)
    words = f"{rules or f'the gradient of {plain(card.name)}'}. Its size is {size}"
    arrived = arrows[0].target.gradient if len(arrows) == 1 else None
    if arrived and card.kind == "value" and card.gradient is not None:
        share = card.gradient / arrived
        words += f", {share:.0%} of the {brief(arrived)} that came in" + ": little passes" * (share < 0.25)
    return f"{words}."


def markup_lines(text: str) -> str:
    """Lines of text for HTML."""
    return "\n".join(markup(line, 1000) for line in text.splitlines())
