"""A name may be anything: pictures, DOT and pages that hold it are whole, and say it."""

import html.parser
import json
import re
import subprocess
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import autodiff as ad
from autodiff.errors import MissingProgramError
from autodiff.readers.drawing import layout
from autodiff.readers.drawing.safe import LONGEST, markup, plain

HOSTILE = [
    '"quoted"', "'", "<b>bold</b>", "a<b", "\\N", "\\", "\\G\\E\\T\\H\\L", "a\\", "&sigma;", "&amp;sigma;", "&#60;",
    "&", "javascript:alert(1)", "\0", "a\nb\r\nc", "\t", "x" * 10_000, "🦊" * 70, "שלום", "abc\u202edef", "\ud800",
    "\x1b[31m", "</script><script>alert(1)</script>", "]]>", "-->", "<!--", "<>", "<table>", "{x|y}", "%s {0} ${y}",
    "성적", "\ufffe", "a -> b", "digraph", "cluster_b0", "c0", "[]", ";", "=", "= 1", "", " ", "\u2028", "\x85",
    "a.b.c.d", ".", "]", "[", "a" + ".a" * 50,
]  # fmt: skip
texts = st.one_of(st.sampled_from(HOSTILE), st.text(), st.lists(st.sampled_from(HOSTILE)).map("".join))


def drawing_of(names, product=np.matmul):
    """Layers: data, parameters and results of hostile names."""
    h = ad.constant(np.ones((2, 2)), name=names[0])
    for name, other in pairwise([*names, names[0]]):
        z = product(h, ad.Tensor(np.ones((2, 2)), name=other))
        z.name = name
        h = np.tanh(z)
    loss = np.sum(h)
    loss.name = names[0]
    loss.backward()
    return ad.draw(loss)


FEW = 4  # layers: more would fold


def hostile(test):
    """Every hostile name, several in a picture, and others at random."""
    for start in range(0, len(HOSTILE), FEW):
        test = example(HOSTILE[start : start + FEW])(test)
    several = st.lists(texts, min_size=1, max_size=FEW)
    return settings(max_examples=max(5, settings().max_examples // 10))(given(several)(test))


@pytest.fixture(autouse=True, scope="module")
def graphviz():
    try:
        layout.rendered("digraph {}", "svg")
    except MissingProgramError as error:
        pytest.skip(str(error))


def read_back(dot):
    """The nodes that Graphviz reads from a DOT: the label's tree of each."""
    (command, *_), *_ = layout.commands()
    done = subprocess.run([command, "-q", "-Tjson0"], input=dot.encode(), capture_output=True, check=True)
    assert done.stderr == b""
    objects = json.loads(done.stdout)["objects"]
    labels = {one["name"]: one["label"] for one in objects if one["name"][0] == "c" and "label" in one}
    return {name: ElementTree.fromstring(f"<label>{label}</label>") for name, label in labels.items()}


def said(tree):
    """The bold text of a label: what the card is called."""
    return ["".join(bold.itertext()) for bold in tree.iter("b")]


@hostile
def test_dot_reads_back(names):
    drawing = drawing_of(names)
    cards = {card.key: card for card in drawing._picture.cards}
    nodes = read_back(drawing.source)
    assert {key for key in nodes if not key.startswith("cluster")} == set(cards)
    for key, card in cards.items():
        doubled = [text.replace("\\\\", "\\") for text in said(nodes[key])]
        assert doubled == [plain(card.name) if plain(card.name).strip() else "\N{NO-BREAK SPACE}"]


def blanks(text):
    return (text or "").replace("\N{NO-BREAK SPACE}", " ")


@hostile
def test_the_svg_shows_what_it_is_called(names):
    drawing = drawing_of(names)
    root = ElementTree.fromstring(drawing.svg)
    bold = [element for element in root.iter("{http://www.w3.org/2000/svg}text") if element.get("font-weight")]
    shown = {blanks(element.text) for element in bold}  # Graphviz writes two blanks as a blank and a wider one
    for card in drawing._picture.cards:
        assert blanks(plain(card.name)) in shown or not plain(card.name).strip(), card.name
    assert not [
        element for element in root.iter() if element.tag.endswith("script") or "href" in "".join(element.keys())
    ]


class Page(html.parser.HTMLParser):
    """What a browser would see of a page."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.attributes, self.scripts = [], set(), []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        if self.tags and self.tags[-1] == "script":
            self.scripts.append(data)


TAGS = {
    *("html", "head", "meta", "title", "style", "body", "header", "div", "button", "p", "main", "h1", "small", "span"),
    *("svg", "g", "rect", "path", "polygon", "text", "details", "summary", "pre", "script"),
}


@hostile
def test_the_page_is_whole(names):
    source = drawing_of(names, np.multiply)._page().decode()  # has few ways to fold
    page = Page(source)
    assert set(page.tags) <= TAGS
    assert page.tags.count("script") == 2
    assert not [attribute for attribute in page.attributes if attribute.startswith("on") or "href" in attribute]
    data = json.loads(page.scripts[0])
    assert all("\0" not in words for words in data["words"])
    assert len(source) < 200_000


@hostile
def test_the_text_is_one_line_for_each_card(names):
    drawing = drawing_of(names)
    lines = str(drawing).splitlines()
    opened = [line for line in lines if re.match("[ │]*┌ ", line)]  # a module that is used again is opened again
    assert len(lines) == 3 + len(drawing._picture.cards) + len(opened)
    assert len(opened) >= len(drawing._picture.boxes)
    assert "\x1b" not in str(drawing)
    assert "\u202e" not in str(drawing)


@given(st.text())
def test_plain_text_is_printable_and_short(text):
    shown = plain(text)
    assert len(shown) <= LONGEST
    ElementTree.fromstring(f"<a>{markup(text)}</a>")
    assert shown.encode().decode() == shown
