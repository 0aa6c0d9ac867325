"""`draw`: what a picture says, what it does not, and where it is saved."""

import re
import shutil
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import autodiff as ad
import nn
from autodiff.errors import GradientError, MissingProgramError
from autodiff.readers.drawing import layout

X = ad.constant([[3, 5], [5, 1], [10, 2]], name="X")
y = ad.constant([[0.75], [0.82], [0.93]], name="y")


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def seed():
    """The seed's network, as its notebook writes it, and all that it computes."""
    rng = np.random.default_rng(0)
    W1 = ad.Tensor(rng.standard_normal((2, 4)))
    W2 = ad.Tensor(rng.standard_normal((4, 1)))
    z2 = X @ W1
    a2 = sigmoid(z2)
    z3 = a2 @ W2
    y_hat = sigmoid(z3)
    e = y - y_hat
    h = e**2 / 2
    loss = np.sum(h)
    return loss, {"W1": W1, "W2": W2, "z2": z2, "a2": a2, "z3": z3, "y_hat": y_hat, "e": e, "h": h}


BEFORE = """\
loss = 0.647    12 parameters in 2 tensors    3 samples    no backward pass yet
                 shape  values
   X   data      3 × 2  1 … 10
 ┌ layer 1   2 → 4,  8 parameters
 │ W₁  param     2 × 4  −0.54 … 1.3
 │ z₂ = X @ W₁   3 × 4  −2.3 … 9.0
 │ a₂ = σ(z₂)    3 × 4  0.091 … 1.00
 ┌ layer 2   4 → 1,  4 parameters
 │ W₂  param     4 × 1  −1.3 … 0.041
 │ z₃ = a₂ @ W₂  3 × 1  −1.7 … −1.4
 │ ŷ = σ(z₃)     3 × 1  0.16 … 0.20
 ┌ loss
 │ y   data      3 × 1  0.75 … 0.93
 │ e = y − ŷ     3 × 1  0.59 … 0.73
 │ h = e² / 2    3 × 1  0.17 … 0.27
 │ loss = Σ h    ()     0.647"""

RULES = """\
∂L/∂W₁ = Xᵀ @ ∂L/∂z₂
∂L/∂z₂ = ∂L/∂a₂ ⊙ a₂ ⊙ (1 − a₂)
∂L/∂a₂ = ∂L/∂z₃ @ W₂ᵀ
∂L/∂W₂ = a₂ᵀ @ ∂L/∂z₃
∂L/∂z₃ = ∂L/∂ŷ ⊙ ŷ ⊙ (1 − ŷ)
∂L/∂ŷ = −∂L/∂e
∂L/∂e = ∂L/∂h ⊙ e
∂L/∂h = 1""".splitlines()


def test_the_seed_before_a_backward_pass():
    loss, _ = seed()
    assert str(ad.draw(loss)) == BEFORE
    assert "∂" not in ad.draw(loss).source


def test_the_seed_after_a_backward_pass():
    loss, values = seed()
    loss.backward()
    text = str(ad.draw(loss))
    assert re.findall(r"∂L/∂\S+ = .*", text) == RULES
    assert text.splitlines()[1] == "freed by backward: its values were computed again"
    gradients = ad.gradients(loss, list(values.values()))
    for name, g in zip(("W₁", "W₂", "z₂", "a₂", "z₃", "ŷ", "e", "h"), gradients, strict=True):
        (line,) = (line for line in text.splitlines() if re.match(rf" │ {name} ", line))
        assert f" {np.linalg.norm(g):.2g} " in line


def test_the_picture_is_that_of_the_time_of_recording():
    """`backward` frees values, and the optimizer replaces weights: neither changes the picture."""
    loss, values = seed()
    shown = {tuple(line.split("  ")[:3]) for line in str(ad.draw(loss)).splitlines()[2:]}
    loss.backward()
    before = str(ad.draw(loss))
    nn.SGD([values["W1"], values["W2"]], lr=1.0).step()
    assert str(ad.draw(loss)) == before
    assert {tuple(line.split("  ")[:3]) for line in before.splitlines()[3:]} == shown
    loss.backward()
    assert str(ad.draw(loss)) == before


def test_drawing_leaves_no_trace():
    loss, values = seed()
    loss.backward()
    node, grad = loss._node, values["W1"].grad.copy()
    str(ad.draw(loss))
    assert node.saved is None
    np.testing.assert_array_equal(values["W1"].grad, grad)


def test_a_gradient_of_another_loss_is_none_of_this_one():
    loss, values = seed()
    loss.backward()
    other = np.sum((X @ values["W1"]) ** 2)
    assert "|grad|" not in str(ad.draw(other))


def test_derivatives_asked_for_later_hide_no_gradient():
    loss, values = seed()
    loss.backward()
    ad.gradients(loss, [values["W1"]])
    assert "|grad|" in str(ad.draw(loss))


def test_of_an_output_that_is_no_scalar_leaves_show_what_they_hold():
    W = ad.Tensor([[1.0, 2.0]], name="W")
    z = np.tanh(W * 3)
    z.backward(np.full((1, 2), 1e3))
    text = str(ad.draw(z))
    (line,) = (line for line in text.splitlines() if "W  param" in line)
    assert f"{np.linalg.norm(W.grad):.2g}" in line
    assert text.count("█") == line.count("█")


def test_a_network_of_nn():
    model = nn.MLP([2, 4, 1], output="sigmoid", rng=0)
    loss = nn.squared_error(model(X), y)
    loss.backward()
    text = str(ad.draw(loss))
    assert "┌ layer 1   2 → 4,  12 parameters" in text
    assert "z₁ = X @ W₁ + b₁" in text
    assert "∂L/∂b₁ = Σ₀ ∂L/∂z₁" in text
    assert "loss = Σ (ŷ − y)² / 2" in text


def test_modules_are_boxes():
    model = nn.Sequential(nn.Sequential(nn.Linear(2, 3, rng=0), nn.Tanh(), nn.Linear(3, 3, rng=1)), nn.Linear(3, 1))
    text = str(ad.draw(np.sum(model(X))))
    boxes = [line for line in text.splitlines() if "┌" in line]
    assert [box.split("   ")[0] for box in boxes] == [
        " ┌ layer 0",
        " │ ┌ layer 0",
        " │ ┌ layer 2",
        " ┌ layer 1",
        " ┌ loss",
    ]


def test_what_is_used_twice_is_added_to():
    w = ad.Tensor([1.0, 2.0], name="w")
    a = np.tanh(w)
    loss = np.sum(a * np.exp(w))
    loss.backward()
    assert str(ad.draw(loss)).count("∂L/∂w += ") == 1 or "+=" in ad.draw(loss).source


def test_several_outputs():
    loss, values = seed()
    text = str(ad.draw(loss, values["a2"]))
    assert text.startswith("2 outputs")
    assert str(ad.draw([loss, values["a2"]])) == text


def test_a_leaf_alone():
    assert "W  param  2      1.0 … 2.0" in str(ad.draw(ad.Tensor([1.0, 2.0], name="W")))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (np.array([1.0, np.nan, np.inf]), "1.0, 2 of 3 not finite"),
        (np.array([np.nan]), "nan"),
        (np.zeros((0, 3)), "empty"),
        (np.array([3.0 + 4.0j, 0.0]), "|·| 0 … 5.0"),
        (np.array([1e300, -1e-300]), "−1.0e-300 … 1.0e+300"),
        (np.array(2.5, np.float16), "2.50"),
    ],
)
def test_values_of_every_kind(value, said):
    drawing = ad.draw(ad.Tensor(value, name="x") * 1.0)
    assert said in str(drawing)


def test_masks_integers_and_parts():
    x = ad.Tensor([[2.0, 1.0], [1.0, 3.0]], name="x")
    w, v = np.linalg.eigh(x)
    mask = x > 1.5
    loss = np.sum(np.where(mask, x, 0)) + np.sum(w) + np.sum(v[0])
    loss.backward()
    text = str(ad.draw(loss))
    assert "mask = x > 1.5" in text
    assert "2 of 4 true" in text
    assert "several" in text


@pytest.mark.parametrize("what", [3.0, "W", [1.0], None])
def test_only_tensors_are_drawn(what):
    with pytest.raises(GradientError, match=r"draw: takes Tensors, got"):
        ad.draw(what)
    with pytest.raises(GradientError, match=r"draw: takes Tensors, got none"):
        ad.draw()


def rules(drawing):
    """The backward rule of each card, by its name."""
    return dict(re.findall(r"∂[^/ ]+/∂(\S+) \+?= (.*)", str(drawing)))


def test_a_sigmoid_has_its_sign():
    """A helper that is given a product: the card before σ is the product."""
    W1 = ad.Tensor(np.ones((2, 1)))
    yHat = sigmoid(X @ W1)
    loss = np.sum(np.exp(-yHat))
    text = str(ad.draw(loss))
    assert "z₁ = X @ W₁ " in text
    assert "ŷ = σ(z₁) " in text
    assert "loss = Σ exp(−ŷ) " in text


def test_rules_are_called_by_the_name_of_the_output():
    """As `explain` does."""
    w = ad.Tensor([1.0, 2.0])
    h = np.tanh(w)
    J = np.sum(h)
    J.backward()
    assert rules(ad.draw(J)) == {"w": "∂J/∂h ⊙ (1 − h²)", "h": "1"}
    assert "∂L/∂w = ∂L/∂h" in str(ad.draw(J, h))


def test_what_carries_no_gradient_is_in_no_rule():
    x = ad.Tensor([1.0, -2.0])
    loss = np.sum(np.sign(x) * x)
    loss.backward()
    assert rules(ad.draw(loss)) == {"x": "sign(x)"}


def test_a_rule_of_a_repetition_is_one_of_several_terms():
    w = ad.Tensor(0.5)
    x = 1.0
    for _ in range(500):
        x = x * w + 0.1
    x.backward()
    assert rules(ad.draw(x))["w"] == "∂x₅₀₀/∂x₁ + x₄₉₉ + …"


def test_leaves_outside_a_box_do_not_cut_it_in_two():
    W, x = ad.Tensor(np.eye(2)), ad.constant([1.0, 2.0], name="x")
    h = np.tanh(W @ x)
    loss = h @ h
    loss.backward()
    drawing = ad.draw(loss)
    assert str(drawing).count("┌ layer 1") == 1
    assert rules(drawing)["h"] == "2 · h"


def test_a_penalty_takes_no_parameter_out_of_its_layer():
    W = ad.Tensor(np.ones((2, 1)))
    p = X @ W
    loss = np.sum((p - y) ** 2) + 0.1 * np.sum(W**2)
    lines = str(ad.draw(loss)).splitlines()
    (box,) = (i for i, line in enumerate(lines) if "┌ layer 1" in line)
    assert lines[box + 1].startswith(" │ W  param")


def test_parameters_of_a_list_are_numbered_as_their_layers():
    weights = [ad.Tensor(np.ones((2, 2))) for _ in range(3)]
    a = np.ones((1, 2))
    for W in weights:
        z = a @ W
        a = np.tanh(z)
    loss = np.sum(a)
    text = str(ad.draw(loss))
    assert "z₁ = a₀ @ W₁" in text
    assert "z₃ = a₂ @ W₃" in text


def test_rules_of_matrices_checkpoints_complex_values_and_parts():
    x = ad.Tensor(np.eye(2) * 2, name="x")
    d = np.linalg.det(x)
    i = np.linalg.inv(x)
    loss = d * 3 + np.sum(i)
    loss.backward()
    assert rules(ad.draw(loss))["x"].endswith(" − iᵀ @ ∂L/∂i @ iᵀ")
    w = ad.Tensor(np.eye(2), name="w")
    f = ad.checkpoint(lambda h: np.tanh(h @ w))
    h = f(f(ad.Tensor([[1.0, 2.0]], name="v")))
    loss = np.sum(h)
    loss.backward()
    assert rules(ad.draw(loss))["v"] == "(∂L/∂z₁ ⊙ (1 − tanh(v @ w)²)) @ wᵀ"
    z = ad.Tensor([1.0 + 2j], name="z")
    u = np.exp(1j * z)
    loss = np.sum(np.real(u))
    loss.backward()
    assert rules(ad.draw(loss))["z"] == "∂L/∂u ⊙ conj(u) · (−1j)"
    a, b = np.split(ad.Tensor([1.0, 2.0], name="c"), 2)
    loss = np.sum(a * b)
    loss.backward()
    assert rules(ad.draw(loss))["a"] == "b"


# --- files ------------------------------------------------------------------------------------------------------------

ENGINES = {"dot": shutil.which("dot"), "graphviz-pure": next((c[0] for c in layout.commands() if "pure" in c[0]), None)}
engines = pytest.mark.parametrize("engine", ENGINES)


@pytest.fixture
def only(monkeypatch):
    def only(engine):
        if ENGINES[engine] is None:
            pytest.skip(f"{engine} is not installed")
        monkeypatch.setattr(layout, "commands", lambda: [[ENGINES[engine], "-q"]])

    return only


STARTS = {
    "svg": b"<?xml",
    "png": b"\x89PNG",
    "pdf": b"%PDF",
    "html": b"<!DOCTYPE html>",
    "dot": b"digraph",
    "txt": b"loss",
}


@engines
@pytest.mark.parametrize("suffix", STARTS)
def test_every_kind_of_file(engine, suffix, only, tmp_path):
    only(engine)
    loss, _ = seed()
    loss.backward()
    path = tmp_path / f"성적.{suffix}"
    if (engine, suffix) == ("graphviz-pure", "pdf"):
        with pytest.raises(MissingProgramError, match="a pdf needs the system's Graphviz"):
            ad.draw(loss).save(path)
        assert not list(tmp_path.iterdir())
        return
    ad.draw(loss).save(str(path))
    assert path.read_bytes().startswith(STARTS[suffix])
    assert list(tmp_path.iterdir()) == [path]


@engines
def test_the_svg_says_it_all(engine, only):
    only(engine)
    loss, _ = seed()
    loss.backward()
    root = ElementTree.fromstring(ad.draw(loss).svg)
    said = "".join(text.text or "" for text in root.iter("{http://www.w3.org/2000/svg}text"))
    for words in ("X @ W₁", "3 × 4", "−2.3 … 9.0", "‖∂‖ 0.054", "parameter", "data", "layer 1", "∂L/∂W₁ = Xᵀ @ ∂L/∂z₂"):
        assert words in said.replace("\N{NO-BREAK SPACE}", " ")
    assert {element.get("aria-label") for element in root.iter()} >= {"loss = 0.647"}


def test_kinds_are_told_apart_by_more_than_colour():
    loss, _ = seed()
    loss.backward()
    cards = {card.name: card for card in ad.draw(loss)._picture.cards}
    assert [cards[name].kind for name in ("W₁", "X", "a₂", "loss")] == ["parameter", "data", "value", "loss"]
    labels = dict(re.findall(r"(c\d+) \[label=<(.*)> id=", ad.draw(loss).source))
    for name, word, border in (("W₁", "parameter", 3), ("X", "data", 1), ("loss", "loss", 3)):
        assert f">{word}</font>" in labels[cards[name].key]
        assert f'<table border="{border}"' in labels[cards[name].key]


def test_arrows_back_are_thicker_where_the_gradient_is_larger():
    x = ad.Tensor([1.0], name="x")
    small = x * 1e-5
    out = np.tanh(small) * 10
    out.name, small.name = "out", "small"
    loss = np.sum(np.exp(out))
    loss.backward()
    widths = dict(re.findall(r"id=\"back-(c\d+)-\d+\" penwidth=(\d)", ad.draw(loss).source))
    by_name = {card.name: int(widths[card.key]) for card in ad.draw(loss)._picture.cards if card.key in widths}
    assert by_name["x"] < by_name["out"] or by_name["x"] < by_name["small"]


def test_a_file_is_there_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "graph.txt"
    path.write_text("before")
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        ad.draw(seed()[0]).save(path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_wrong_path_is_refused_at_the_door(tmp_path):
    drawing = ad.draw(seed()[0])
    with pytest.raises(ValueError, match=r"'g.jpeg' has to end in one of .svg, .png, .pdf, .html, .dot, .txt"):
        drawing.save("g.jpeg")
    with pytest.raises(ValueError, match="'graph' has to end in"):
        drawing.save(tmp_path / "graph")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        drawing.save(tmp_path / "none" / "g.svg")
    drawing.save(tmp_path / "G.TXT")


def test_without_graphviz_text_and_dot_still_work(monkeypatch, tmp_path):
    monkeypatch.setattr(layout, "commands", list)
    loss, _ = seed()
    drawing = ad.draw(loss)
    with pytest.raises(MissingProgramError, match="pip install graphviz-pure"):
        drawing.save(tmp_path / "g.svg")
    drawing.save(tmp_path / "g.dot")
    drawing.save(tmp_path / "g.txt")
    assert drawing._repr_mimebundle_() == {"text/plain": BEFORE}
    assert loss._repr_mimebundle_() == {"text/plain": repr(loss)}


def test_graphviz_pure_is_found_beside_python(monkeypatch):
    """In a virtual environment that was not activated no PATH leads to it."""
    if ENGINES["graphviz-pure"] is None:
        pytest.skip("graphviz-pure is not installed")
    monkeypatch.setenv("PATH", "")
    assert [Path(command[0]).stem for command in layout.commands()] == ["graphviz-pure"]


def test_a_broken_graphviz_gives_way_to_another(monkeypatch, tmp_path):
    if ENGINES["graphviz-pure"] is None:
        pytest.skip("graphviz-pure is not installed")
    broken = [sys.executable, "-c", "raise SystemExit('no plugin')"]
    monkeypatch.setattr(layout, "commands", lambda: [broken, [ENGINES["graphviz-pure"], "-q"]])
    ad.draw(seed()[0]).save(tmp_path / "g.svg")
    monkeypatch.setattr(layout, "commands", lambda: [broken])
    with pytest.raises(MissingProgramError, match="no plugin"):
        ad.draw(seed()[0]).save(tmp_path / "g.svg")


# --- notebooks --------------------------------------------------------------------------------------------------------


def test_a_notebook_shows_svg_and_text():
    loss, values = seed()
    for shown in (ad.draw(loss), loss, values["z2"], values["W1"]):
        bundle = shown._repr_mimebundle_(include=None, exclude=None)
        assert set(bundle) == {"image/svg+xml", "text/plain"}
        assert ElementTree.fromstring(bundle["image/svg+xml"]).get("class") == "autodiff"
        assert bundle["image/svg+xml"].startswith("<svg")
    assert loss._repr_mimebundle_()["text/plain"] == repr(loss)


def test_a_repr_never_raises(monkeypatch):
    loss, _ = seed()
    assert repr(ad.draw(loss)) == "<drawing of loss = 0.647: 11 cards>"
    monkeypatch.setattr("autodiff.readers.draw.draw", lambda *_: 1 / 0)
    assert loss._repr_mimebundle_() == {"text/plain": repr(loss)}


def test_the_text_adds_up_what_comes_from_several_uses():
    w = ad.Tensor([1.0, 2.0], name="w")
    a = np.tanh(w)
    b = np.exp(w)
    loss = np.sum(a - b)
    loss.backward()
    assert "∂L/∂w = ∂L/∂a ⊙ (1 − a²) + ∂L/∂b ⊙ b" in str(ad.draw(loss))
    assert "∂L/∂w += ∂L/∂b ⊙ b" in ad.draw(loss).source
