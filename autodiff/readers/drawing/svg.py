"""Graphviz's SVG, made ready to be shown: with words for those who do not see it, and in the dark."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from .dot import COLOURS
from .picture import Picture
from .safe import plain

Element = ElementTree.Element
FAMILY = "Arial,Helvetica,sans-serif"
NAMESPACE = "http://www.w3.org/2000/svg"


def dark(scope: str) -> str:
    """The rules of a style sheet that give each colour of a picture its counterpart on a dark ground."""
    return "".join(
        f'{scope} [{part}="{light}"]{{{part}:{night}}}'
        for light, night in COLOURS.items()
        for part in ("fill", "stroke")
    )


def parsed(svg: bytes) -> Element:
    """The SVG that Graphviz wrote, without its namespace, comments and the machine-made names of its parts."""
    root = ElementTree.fromstring(svg)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        for name in [name for name in element.attrib if name.startswith("{")]:
            del element.attrib[name]
        element.tail = None
        if "font-family" in element.attrib:
            element.set("font-family", FAMILY)
        if element.tag == "g":
            element.text = None
    return root


def picture_file(svg: bytes, picture: Picture) -> bytes:
    """The SVG as a file of its own: what cards say is in their titles, and it is dark where its reader's screen is."""
    root = parsed(svg)
    titles = {card.key: plain(f"{card.title}  {card.shape}  {card.extent}", 200) for card in picture.cards}
    for group in root.iter("g"):
        title = group.find("title")
        if title is not None:
            said = titles.get(group.get("id") or "")
            if said:
                title.text = said
            else:
                group.remove(title)
    root.set("xmlns", NAMESPACE)
    root.set("class", "autodiff")
    root.set("role", "img")
    root.set("aria-label", plain(picture.title))
    style = ElementTree.Element("style")
    style.text = f"@media (prefers-color-scheme: dark){{{dark('svg.autodiff')}}}"
    root.insert(0, style)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="utf-8")


# --- in small, for the page -------------------------------------------------------------------------------------------

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_SHORT = re.compile(r"(-?\d+\.\d)\d+")


def compact(group: Element) -> str:
    """A part of the picture as text, in which nothing is said twice."""
    for shape in [*group]:
        if shape.tag == "title" or (shape.tag == "text" and not (shape.text or "").strip()):
            group.remove(shape)
        elif shape.tag == "path" and shape.get("d", "").count("C") == 1 and shape.get("d", "").count(" ") > 20:
            _rectangle(shape)
    _join_borders(group)
    for part in group.iter():
        part.attrib.pop("font-family", None)
        if part.get("text-anchor") == "start":
            del part.attrib["text-anchor"]
        for name in ("stroke", "fill"):
            if part.get(name) in ("transparent", "none"):
                part.set(name, "none")
        for name in part.attrib.keys() & {"d", "points", "x", "y", "width", "height", "rx", "font-size"}:
            part.set(name, _SHORT.sub(r"\1", part.attrib[name]).replace(".0 ", " ").removesuffix(".0"))
    return ElementTree.tostring(group, encoding="unicode").replace(" />", "/>")


def _rectangle(path: Element) -> None:
    """Graphviz writes a rectangle with round corners as twelve curves."""
    numbers = [float(number) for number in _NUMBER.findall(path.attrib.pop("d"))]
    xs, ys = numbers[::2], numbers[1::2]
    x, y = min(xs), min(ys)
    path.tag = "rect"
    path.attrib |= {"x": f"{x}", "y": f"{y}", "width": f"{max(xs) - x:.1f}", "height": f"{max(ys) - y:.1f}", "rx": "10"}


def _join_borders(group: Element) -> None:
    """A ground and its border as one."""
    grounds = {(r.get("x"), r.get("y")): r for r in group.findall("rect") if r.get("fill") != "none"}
    for border in group.findall("rect"):
        ground = grounds.get((border.get("x"), border.get("y")))
        if ground is not None and border.get("fill") == "none":
            ground.attrib |= {name: border.attrib[name] for name in ("stroke", "stroke-width") if name in border.attrib}
            group.remove(border)


def compact_arrow(group: Element) -> str:
    """An arrow, or the rule that stands in it: its colours are those of its class."""
    for part in group.iter():
        width = part.attrib.pop("stroke-width", None)
        for name in ("fill", "stroke"):
            part.attrib.pop(name, None)
        if width and group.get("class", "").startswith("back"):
            group.set("stroke-width", width)
    return compact(group)
