"""The picture in the language of Graphviz, which lays it out: cards are its HTML-like labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from graphviz import Digraph  # type: ignore[import-untyped]

from .boxes import common
from .measures import brief, fraction
from .picture import Arrow, Box, Card, Picture
from .safe import label

FONT = "Arial"  # one name: of a list Graphviz would not know how wide the letters are
INK, GREY, LINE, GROUND, EMPTY = "#1b2330", "#5b6575", "#8a94a6", "#ffffff", "#e4e7ec"
BACK, BAR, FAINT = "#b4430f", "#d98b50", "#2f6db5"
BOX, BOX_LINE, LAYER_LINE = "#f6f8fa", "#d3d9e0", "#aab3c0"
PARAMETER, PARAMETER_LINE = "#fff1d0", "#c27c02"
DATA, DATA_LINE = "#dcedfa", "#0f74b0"
LOSS, LOSS_LINE = "#d9f2e6", "#0b7a55"
VANISHING = 1e-3  # gradients below are blue

# The ground, the border and its width: kinds are told apart by these, and by their words.
LOOKS: Mapping[str, tuple[str, str, int]] = {
    "parameter": (PARAMETER, PARAMETER_LINE, 3),
    "data": (DATA, DATA_LINE, 1),
    "value": (GROUND, LINE, 1),
    "loss": (LOSS, LOSS_LINE, 3),
    "output": (LOSS, LOSS_LINE, 3),
    "layer": (BOX, LAYER_LINE, 1),
    "hidden": (GROUND, LINE, 1),
}
COLOURS: Mapping[str, str] = {  # each with its counterpart on a dark ground
    INK: "#e8ecf2", GREY: "#a3adbb", LINE: "#7d8899", GROUND: "#14181f", EMPTY: "#39414d",
    BACK: "#ff9a5c", BAR: "#d98b51", FAINT: "#6aa7ec",
    BOX: "#1b212b", BOX_LINE: "#39424f", LAYER_LINE: "#566070",
    PARAMETER: "#3d2f0f", PARAMETER_LINE: "#e5a50a", DATA: "#12303f", DATA_LINE: "#4fb0ea",
    LOSS: "#0f3a2c", LOSS_LINE: "#37c795",
}  # fmt: skip
COLUMNS = (132, 62)  # the least widths of the two columns of a card: below them leave the arrows of each direction
LAYER_COLUMNS = (70, 110, 50, 80)  # of a folded layer: name, formula, sizes, gradient
BAR_WIDTH = 110
GAP = '<font point-size="10">&#160;&#160;</font>'
BARE, SPACED = 'border="0" cellpadding="0"', 'border="0" cellpadding="2"'
CROWDED = 200  # arrows
LONGEST_RULE = 70
LONG = 28  # characters: a longer formula has a line of its own
LAYOUT = {
    "fontname": FONT, "fontcolor": INK, "bgcolor": GROUND, "nodesep": "0.4", "ranksep": "0.22", "pad": "0.2",
}  # fmt: skip


def dot_of(picture: Picture, heading: bool = True) -> str:
    """The DOT of a picture. Node names are machine-made; all that users named stands in escaped labels.

    Arrows and rules have the `id` "forward-KEY-NUMBER" of the card that they lead to, "back-KEY-NUMBER". Of very many
    arrows none says its rule: nobody could read it, and the layout would take long.
    """
    crowded = len(picture.arrows) > CROWDED
    graph = Digraph("autodiff", graph_attr=LAYOUT, node_attr={"shape": "plain", "fontname": FONT})
    if heading:
        graph.attr(label=_heading(picture), labelloc="t", labeljust="l")
    graph.attr("edge", arrowsize="0.7", color=LINE)
    graphs = {(): graph, **{box.path: _cluster(box) for box in picture.boxes}}
    rules = {arrow.source: arrow.rule for arrow in picture.arrows if arrow.beside}
    for card in picture.cards:
        graphs[card.path].node(card.key, _label(card, rules.get(card, "")), id=card.key)
    beside: dict[Card, list[tuple[int, Arrow]]] = {}
    for number, arrow in enumerate(picture.arrows):
        if arrow.beside:
            beside.setdefault(arrow.target, []).append((number, arrow))
        else:
            _draw(graphs[common([arrow.source.path, arrow.target.path])], number, arrow, "" if crowded else arrow.rule)
    for card, arrows in beside.items():
        _put_beside(graphs[card.path], arrows)
    for box in sorted(picture.boxes, key=lambda box: -len(box.path)):
        graphs[box.path[:-1]].subgraph(graphs[box.path])
    return graph.source


def _heading(picture: Picture) -> str:
    """What stands above the cards."""
    notes = [*picture.notes, picture.remark]
    title = f"<b>{label(picture.title)}</b>{GAP}{GAP}{_font(label('   '.join(notes), 200), GREY, 11)}"
    legend = _font("grey: values, forward", GREY, 10)
    if picture.differentiated:
        legend += f"{GAP}{GAP}{_font('orange: gradients, backward (thickness and bar: log size)', BACK, 10)}"
        legend += f"{GAP}{GAP}{_font('blue: below 1e-3', FAINT, 10)}"
    lines = [title, legend, *[_font(label(picture.banner, 200), BACK, 12)] * bool(picture.banner)]
    return f"<{_table([_cell(line) for line in lines], SPACED)}>"


def _cluster(box: Box) -> Digraph:
    note = _font(f"&#160;&#160; {label(box.note, 80)}", GREY, 11) if box.note else ""
    return Digraph(f"cluster_{box.key}", graph_attr={
        "label": f"<<b>{label(box.title)}</b>{note}>", "labeljust": "l", "style": "rounded,filled", "margin": "12",
        "fillcolor": BOX, "color": BOX_LINE, "fontsize": "12",
    })  # fmt: skip


def _put_beside(graph: Digraph, arrows: Sequence[tuple[int, Arrow]]) -> None:
    """Leaves on the rank of their user: the first at its left, the others at its right."""
    rank = Digraph(graph_attr={"rank": "same"})
    for place, (number, arrow) in enumerate(arrows):
        leaf, user = arrow.source.key, arrow.target.key
        left, right = (leaf, user) if place == 0 else (user, leaf)
        rank.edge(left, right, style="invis")
        forward, back = _looks(arrow, number)
        _flat(rank, leaf, user, place == 0, "f", forward)
        if arrow.carries:
            _flat(rank, user, leaf, place > 0, "b", back)
    graph.subgraph(rank)


def _flat(rank: Digraph, tail: str, head: str, to_right: bool, way: str, look: Mapping[str, str]) -> None:
    """An arrow between neighbours. It leaves their order to another: Graphviz 2 draws `dir=back` wrong here."""
    out, into = ("r:e", "l:w") if to_right else ("l:w", "r:e")
    rank.edge(f"{tail}:{way}{out}", f"{head}:{way}{into}", constraint="false", **look)


def _draw(graph: Digraph, number: int, arrow: Arrow, rule: str) -> None:
    """Forward at the left, and, if it carries gradient, backward at the right, through a node that holds its rule."""
    tail, head = arrow.source.key, arrow.target.key
    forward, back = _looks(arrow, number)
    graph.edge(f"{tail}:fb:s", f"{head}:ft:n", weight="400", **forward)
    if not arrow.carries:
        return
    back["weight"] = "200"
    if not rule:
        graph.edge(f"{tail}:bb:s", f"{head}:bt:n", dir="back", **back)
        return
    line = _cell("", f'port="p" width="{max(2, int(back["penwidth"]))}" height="16" fixedsize="true" bgcolor="{BACK}"')
    said = _cell(f"&#160;{_font(label(rule, LONGEST_RULE), BACK, 10)}")
    middle = f"r{number}"
    graph.node(middle, f"<{_table([line + said], BARE)}>", id=f"{back['id']}r")
    graph.edge(f"{tail}:bb:s", f"{middle}:p:n", dir="back", **back)
    back["id"] += "b"
    graph.edge(f"{middle}:p:s", f"{head}:bt:n", dir="none", **back)


def _looks(arrow: Arrow, number: int) -> tuple[dict[str, str], dict[str, str]]:
    """The attributes of an arrow's two ways."""
    full = fraction(arrow.source.gradient or 0)
    thickness = 1 if full < 0.25 else 2 if full < 0.62 else 4
    forward = {"id": f"forward-{arrow.target.key}-{number}", "color": LINE, "penwidth": "1.2"}
    return forward, {"id": f"back-{arrow.source.key}-{number}", "color": BACK, "penwidth": f"{thickness}"}


# --- cards ------------------------------------------------------------------------------------------------------------


def _label(card: Card, rule: str) -> str:
    ground, line, border = LOOKS[card.kind]
    rows = [_layer_row(card)] if card.kind == "layer" else list(_rows(card, rule))
    inside = _cell(_table(rows), 'colspan="4"')
    look = f'border="{border}" style="rounded" color="{line}" bgcolor="{ground}" cellpadding="0"'
    margin = (sum(LAYER_COLUMNS) + BAR_WIDTH - sum(COLUMNS)) // 2 if card.kind == "layer" else 0
    return f"<{_table([_ports('t', margin), inside, _ports('b', margin)], look)}>"


def _ports(side: str, margin: int) -> str:
    """The row of cells above or below which arrows end: forward, backward; as far apart in wide cards as in others."""
    empty = _cell("", f'width="{margin}"')
    ways = [_cell("", f'port="{way}{side}" width="{size}" height="4"') for way, size in zip("fb", COLUMNS, strict=True)]
    return "".join([empty, *ways, empty])


def _rows(card: Card, rule: str) -> Iterator[str]:
    """What a card says, row by row. The ports of the first two are where arrows from leaves beside it end."""
    short = len(card.title) <= LONG
    title = f"<b>{label(card.name)}</b>{f'&#160;= {label(card.formula)}' * (short and bool(card.formula))}"
    yield _left(_font(title, INK, 13) + _times(card), 'port="fl"') + _right(_font(label(card.shape), GREY, 11), "fr")
    if card.formula and not short:
        yield _left(_font(f"= {label(card.formula)}", INK, 11) + GAP, 'colspan="2"')
    tag = _font(card.kind, LOOKS[card.kind][1], 10) if card.kind in ("parameter", "data", "loss", "output") else ""
    yield _left(_font(label(card.extent), GREY, 10), 'port="bl"') + _right(tag, "br")
    if card.gradient is not None:
        yield _bar(card.gradient) + _right(_size(card.gradient))
    if rule:
        yield _left(_font(label(rule, LONGEST_RULE), BACK, 10) + GAP, 'colspan="2"')


def _layer_row(card: Card) -> str:
    """What a folded layer computes, and the gradient of its parameters."""
    title = _font(f"<b>{label(card.name)}</b>", INK, 13) + _times(card)
    said = (title, _font(label(card.formula), INK, 11), _font(label(card.shape), GREY, 10))
    row = "".join(_left(text, f'width="{size}"') for text, size in zip(said, LAYER_COLUMNS, strict=False))
    if card.gradient is None:
        return row
    return row + _bar(card.gradient) + _left(_size(card.gradient), f'width="{LAYER_COLUMNS[-1]}"')


def _times(card: Card) -> str:
    return _font(f" × {card.times:,}", BACK, 12) if card.times > 1 else ""


def _size(gradient: float) -> str:
    return _font(f"‖∂‖ {brief(gradient)}", FAINT if gradient < VANISHING else BACK, 10)


def _bar(gradient: float) -> str:
    """A cell with a bar that is as full as the gradient is large."""
    full = round(fraction(gradient) * BAR_WIDTH)
    parts = [(full, FAINT if gradient < VANISHING else BAR), (BAR_WIDTH - full, EMPTY)]
    cells = [_cell("", 'width="6" height="5" fixedsize="true"')]
    cells += [_cell("", f'width="{size}" height="5" fixedsize="true" bgcolor="{c}"') for size, c in parts if size]
    return _cell(_table(["".join(cells)], f'{BARE} align="left" fixedsize="true" width="{BAR_WIDTH + 6}" height="5"'))


def _left(content: str, look: str = "") -> str:
    """A cell whose left edge is that of the card."""
    return _cell(f"{GAP}{content}", f'align="left" {look}')


def _right(content: str, port: str = "") -> str:
    return _cell(f"{GAP}{content}{GAP}", f'align="right"{f" port={chr(34)}{port}{chr(34)}" if port else ""}')


def _table(rows: Sequence[str], look: str = 'border="0" cellpadding="1"') -> str:
    return f'<table {look} cellborder="0" cellspacing="0">{"".join(f"<tr>{row}</tr>" for row in rows)}</table>'


def _cell(content: str, look: str = 'align="left"') -> str:
    return f"<td {look}>{content}</td>"


def _font(text: str, colour: str, size: int) -> str:
    return f'<font color="{colour}" point-size="{size}">{text}</font>' if text else ""
