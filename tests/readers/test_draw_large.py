"""Large graphs: layers and chains fold, repetitions are drawn once, the rest is cut, and none of it takes long."""

import re

import numpy as np
import pytest

import autodiff as ad
import nn
from autodiff.graph import Graph
from autodiff.readers.drawing.values import values_of


def cards(drawing):
    return drawing._picture.cards


def deep(layers, X=None):
    X = ad.constant(np.ones((3, 2)), name="X") if X is None else X
    model = nn.MLP([2, *[4] * (layers - 1), 1], rng=0)
    loss = nn.mse(model(X), np.zeros((3, 1)))
    loss.backward()
    return loss, model


def test_a_deep_network_folds_by_itself():
    loss, model = deep(10)
    drawing = ad.draw(loss)
    lines = str(drawing).splitlines()
    folded = [line for line in lines if "folded" in line]
    assert len(folded) == 10
    assert "layer 3   folded  σ(· @ W₃ + b₃)" in folded[2]
    gradient = np.hypot(*(np.linalg.norm(w.grad) for w in (model[4].weight, model[4].bias)))
    assert f" {gradient:.1e}"[:5] in folded[2] or f"{gradient:.2g}" in folded[2]


def test_folding_can_be_chosen():
    loss, _ = deep(10)
    assert "folded" not in str(ad.draw(loss, fold=False))
    small, _ = deep(2)
    assert "folded" not in str(ad.draw(small))
    assert str(ad.draw(small, fold=True)).count("folded") == 2


def test_a_chain_of_elementwise_operations_is_one_card():
    x = ad.Tensor([1.0, 2.0], name="x")
    h = np.exp(-np.sin(x) * 2 + np.tanh(x - 1))
    loss = np.sum(np.sqrt(h + 1))
    assert [card.title for card in cards(ad.draw(loss))] == [
        "x",
        "h = exp(−sin(x) · 2 + tanh(x − 1))",
        "loss = Σ √(h + 1)",
    ]


def test_a_long_chain_says_how_long_it_is():
    h = ad.Tensor(1.0, name="x")
    for _ in range(100):
        h = np.tanh(h)
    h.name = "out"
    (_, card) = cards(ad.draw(sum_of([h])))[:2]
    assert "tanh" in card.formula


def sum_of(tensors):
    return np.sum(np.stack(tensors))


def test_unnamed_chains_have_one_card_whatever_their_length():
    x = ad.Tensor(1.0)
    node = x
    for _ in range(50):
        node = node * 1.5
    values = values_of(Graph([node._node]), lambda node: False)
    assert [len(value.inside) for value in values] == [1, 50]


def test_what_repeats_itself_is_drawn_once():
    """12 blocks of several modules each."""

    class Block(nn.Module):
        def __init__(self):
            for name in ("q", "k", "v", "o", "up", "down"):
                setattr(self, name, nn.Linear(4, 4, rng=0))

        def forward(self, x):
            scores = ad.softmax(self.q(x) @ self.k(x).T)
            x = x + self.o(scores @ self.v(x))
            return x + self.down(np.maximum(self.up(x), 0))

    model = nn.Sequential(*[Block() for _ in range(12)])
    loss = np.sum(model(ad.constant(np.ones((3, 4)), name="X")) ** 2)
    loss.backward()
    text = str(ad.draw(loss))
    assert len(text.splitlines()) < 40
    assert re.search(r"× 12|layer 11", text)


def test_a_recurrent_network_is_drawn_once_round():
    W, U = ad.Tensor(np.eye(2) / 2, name="W"), ad.Tensor(np.ones((2, 2)), name="U")
    h = np.zeros((1, 2))
    for _ in range(100):
        z = np.ones((1, 2)) @ U + h @ W
        h = np.tanh(z)
    loss = np.sum(h)
    loss.backward()
    drawing = ad.draw(loss)
    assert re.search(r"┌ × \d\d", str(drawing))
    assert len(cards(drawing)) < 15


def test_a_parameter_used_often_is_drawn_beside_each_use():
    W = ad.Tensor(np.eye(2), name="W")
    rng = np.random.default_rng(0)
    operations = [np.tanh, np.sin, np.cos, np.exp, np.negative]
    h = ad.constant(np.ones((2, 2)), name="X")
    for k in rng.integers(0, 5, 20):
        product = h @ W
        h = operations[k](product)
    loss = np.sum(h)
    drawing = ad.draw(loss)
    uses = [arrow for arrow in drawing._picture.arrows if arrow.source.name == "W"]
    assert len(uses) == 20
    assert len({arrow.source.key for arrow in uses}) == 20
    assert all(arrow.beside for arrow in uses)


def tangle(n):
    """Values that use each other without any order."""
    rng = np.random.default_rng(0)
    found = [ad.Tensor(float(i), name=f"x{i}") for i in range(20)]
    for i in range(n):
        a, b = (found[k] for k in rng.integers(max(0, len(found) - 200), len(found), 2))
        found.append(np.tanh(a) * b if i % 3 else np.maximum(a, b))
    return sum_of(found[-30:])


def test_what_is_left_is_cut_and_the_banner_says_so(tmp_path):
    drawing = ad.draw(tangle(4000))
    assert len(cards(drawing)) <= 300
    (hidden,) = (card for card in cards(drawing) if card.kind == "hidden")
    (banner,) = re.findall(r"[\d,]+ cards are not shown", str(drawing))
    assert banner.startswith(hidden.name)
    assert banner in drawing.source
    drawing.save(tmp_path / "cut.svg")


def drawn(nodes, backward, path):
    """The picture of a chain."""
    h = ad.Tensor(np.ones(3), name="x")
    for _ in range(nodes // 2):
        h = h * 0.999
        h = np.tanh(h)
    loss = np.sum(h)
    if backward:
        loss.backward()
    drawing = ad.draw(loss)
    drawing.save(path / "g.svg")
    return drawing


@pytest.mark.parametrize(
    "nodes", [20_000, pytest.param(100_000, marks=pytest.mark.exhaustive)], ids=lambda nodes: f"{nodes}"
)
@pytest.mark.parametrize("backward", [False, True])
def test_a_long_chain_stays_a_small_picture(nodes, backward, tmp_path):
    assert len(drawn(nodes, backward, tmp_path).source) < 20_000
    assert (tmp_path / "g.svg").exists()


@pytest.mark.exhaustive
def test_a_million_nodes_do_not_crash():
    h = ad.Tensor(1.0, name="x")
    for _ in range(1_000_000):
        h = h * 0.9999999
    assert "1,000,000" in str(ad.draw(h))
