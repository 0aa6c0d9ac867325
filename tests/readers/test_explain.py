"""`explain`: what it prints reads back into NumPy, and gives the gradient; and it reads as a person would write it."""

import re

import numpy as np
import pytest

import autodiff as ad
import nn
from autodiff.graph import Graph
from autodiff.readers.explain import explain

from .random_graphs import random_loss
from .reading import evaluated
from .test_notation import compiles

X = np.array([[3.0, 5.0], [5.0, 1.0], [10.0, 2.0]])
y = np.array([[0.75], [0.82], [0.93]])


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def weights(*shapes, seed=0):
    rng = np.random.default_rng(seed)
    return [ad.Tensor(rng.standard_normal(shape)) for shape in shapes]


def reads_back(t, wrt=None, rtol=1e-9):
    """The printed lines, evaluated, are the gradient."""
    explanation = explain(t, wrt)
    d = explanation._derivation
    leaves = {d.text(x): x.value for x in Graph([d.output]).leaves if d.text(x) is not None}
    leaves |= {d.text(x): x.value for x in d.wrt if x.is_leaf}
    with np.errstate(all="ignore"):
        values = evaluated(str(explanation), leaves)
    targets = [ad.Tensor._of(x, None) for x in d.wrt]
    total = ad.Tensor._of(d.output, d.output.dtype.type(0))
    expected = ad.gradients(total, targets)
    for x, gradient in zip(d.wrt, expected, strict=True):
        found = values[f"∂{d.letter_in('unicode')}/∂{d.text(x)}"]
        np.testing.assert_allclose(
            np.broadcast_to(found, gradient.shape), gradient, rtol=rtol, atol=rtol, err_msg=str(explanation)
        )
    return str(explanation)


def test_the_seed_network():
    W1, W2 = weights((2, 4), (4, 1))
    z2 = X @ W1
    a2 = sigmoid(z2)
    z3 = a2 @ W2
    y_hat = sigmoid(z3)
    loss = np.sum((y - y_hat) ** 2) / 2
    assert reads_back(loss) == (
        "z₂ = X @ W₁    a₂ = σ(z₂)    z₃ = a₂ @ W₂    ŷ = σ(z₃)\n"
        "loss = Σ (y − ŷ)² / 2\n"
        "\n"
        "δ₁ = −(y − ŷ) ⊙ σ′(z₃)      = ∂L/∂z₃    (3, 1)\n"
        "∂L/∂W₂ = a₂ᵀ @ δ₁                       (4, 1)\n"
        "δ₂ = (δ₁ @ W₂ᵀ) ⊙ σ′(z₂)    = ∂L/∂z₂    (3, 4)\n"
        "∂L/∂W₁ = Xᵀ @ δ₂                        (2, 4)"
    )


def mlp(*sizes, **options):
    return nn.MLP(sizes, rng=0, **options)


def lines(text):
    """The lines by what stands on the left, without the columns."""
    found = {}
    for line in text.splitlines():
        for cell in re.split(r" {4,}", line):
            left, equals, right = cell.partition(" = ")
            if equals and not cell.startswith("= "):
                found[left] = right
    return found


@pytest.mark.parametrize(
    ("model", "loss", "y", "delta"),
    [
        (mlp(2, 4, 1, output="sigmoid", bias=False), nn.squared_error, y, "(ŷ − y) ⊙ σ′(z₂)"),
        (mlp(2, 4, 4, 1, output="sigmoid", bias=False), nn.squared_error, y, "(ŷ − y) ⊙ σ′(z₃)"),
        (mlp(2, 4, 4, 1, activation="relu", output="sigmoid"), nn.squared_error, y, "(ŷ − y) ⊙ σ′(z₃)"),
        (mlp(2, 16, 16, 1, activation="tanh"), nn.binary_cross_entropy, np.round(y), None),
        (mlp(64, 64, 10, activation="relu"), nn.cross_entropy, np.array([0, 3, 4]), None),
        (mlp(2, 3, 3, activation="softplus", output="softmax"), nn.mse, np.eye(3), None),
        (mlp(2, 3, 3, output="log_softmax"), nn.mse, np.eye(3), None),
    ],
)
def test_networks_of_the_examples(model, loss, y, delta):
    X = np.random.default_rng(0).standard_normal((3, len(model[0].weight)))
    value = loss(model(X), y)
    found = lines(reads_back(value))
    assert found["z₁"].startswith("X @ W₁")
    assert found["∂value/∂W₁"] == f"Xᵀ @ δ{'₃' if 'z₃' in str(found) else '₂'}"
    if delta:
        assert found["δ₁"] == delta


def test_relu_is_where_it_is_positive():
    W1, W2 = weights((2, 4), (4, 1))
    z = X @ W1
    a = ad.relu(z)
    loss = np.sum(a @ W2)
    assert lines(reads_back(loss))["δ₂"] == "(δ₁ @ W₂ᵀ) ⊙ [z > 0]"
    a = np.maximum(z, 0)
    loss = np.sum(a @ W2)
    assert lines(reads_back(loss))["δ₂"] == "(δ₁ @ W₂ᵀ) ⊙ heaviside(z, 0.5)"


def test_ten_layers_are_said_once():
    model = mlp(2, *[8] * 9, 1, activation="tanh")
    loss = nn.mse(model(X), y)
    assert reads_back(loss) == (
        "z₁ = X @ W₁ + b₁    aₖ = tanh(zₖ)   (k = 1, …, 8)    zₖ₊₁ = aₖ @ Wₖ₊₁ + bₖ₊₁   (k = 1, …, 8)\n"
        "a₉ = tanh(z₉)       ŷ = a₉ @ W₁₀ + b₁₀\n"
        "loss = mean((ŷ − y)²)\n"
        "\n"
        "δ₁ = 2 · (ŷ − y) / 3                   = ∂L/∂ŷ        (3, 1)\n"
        "∂L/∂W₁₁₋ₖ = a₁₀₋ₖᵀ @ δₖ                               k = 1, …, 9\n"
        "∂L/∂b₁₁₋ₖ = Σ₀ δₖ                                     k = 1, …, 9\n"
        "δₖ₊₁ = (δₖ @ W₁₁₋ₖᵀ) ⊙ (1 − a₁₀₋ₖ²)    = ∂L/∂z₁₀₋ₖ    (3, 8)    k = 1, …, 9\n"
        "∂L/∂W₁ = Xᵀ @ δ₁₀                                     (2, 8)\n"
        "∂L/∂b₁ = Σ₀ δ₁₀                                       (8,)"
    )


def test_batch_normalisation():
    gamma, beta, W = weights((4,), (4,), (2, 4))
    z = X @ W
    mu = z.mean(axis=0)
    var = z.var(axis=0)
    x_hat = (z - mu) / np.sqrt(var + 1e-5)
    out = gamma * x_hat + beta
    loss = np.mean((out - y) ** 2)
    found = lines(reads_back(loss))
    assert (found["x̂"], found["∂L/∂out"]) == ("(z − μ) / √(var + 1e-05)", "(out − y) / 6")
    assert (found["∂L/∂γ"], found["∂L/∂β"]) == ("Σ₀ (∂L/∂out ⊙ x̂)", "Σ₀ ∂L/∂out")
    assert found["∂L/∂x̂"] == "∂L/∂out ⊙ γ"
    centred = z - np.mean(z, axis=0)
    var = np.mean(centred**2, axis=0)
    out = gamma * centred / np.sqrt(var + 1e-5) + beta
    loss = np.sum(np.tanh(out))
    assert lines(reads_back(loss))["δ₁"] == "∂L/∂centred − Σ₀ ∂L/∂centred / 3"


def test_attention():
    rng = np.random.default_rng(0)
    tokens = rng.standard_normal((5, 4))
    Wq, Wk, Wv = weights((4, 3), (4, 3), (4, 3))
    q = tokens @ Wq
    k = tokens @ Wk
    v = tokens @ Wv
    scores = q @ k.T / np.sqrt(3)
    attention = ad.softmax(scores)
    out = attention @ v
    loss = np.sum(out**2)
    found = lines(reads_back(loss))
    assert found["scores"] == "(q @ kᵀ) / √3"
    assert found["δ₃"] == "((∂L/∂scores)ᵀ @ q) / √3"
    e = np.exp(scores - np.max(scores, axis=1, keepdims=True))
    attention = e / np.sum(e, axis=1, keepdims=True)
    loss = np.mean(np.abs(attention @ v))
    reads_back(loss)


@pytest.mark.parametrize("shape", [(3,), (2, 3)])
def test_five_recurrent_steps(shape):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((5, *shape[:-1], 2))
    W, U, b, V = weights((2, 3), (3, 3), (3,), (3, 1))
    h = np.zeros(shape)
    for t in range(5):
        h = np.tanh(x[t] @ W + h @ U + b)
    y_hat = h @ V
    loss = np.sum((y_hat - 1) ** 2)
    text = reads_back(loss)
    assert text.startswith("hₖ = tanh(xₖ @ W + hₖ₋₁ @ U + b)   (k = 1, …, 5)    ŷ = h₅ @ V\nloss = Σ (ŷ − 1)²\n")
    assert lines(text)["δₖ"] == "(δₖ₋₁ @ Uᵀ) ⊙ (1 − h₇₋ₖ²)"


def test_the_notebook_s_class():
    class Network:
        def __init__(self):
            self.W1, self.W2 = weights((2, 4), (4, 1))

        def forward(self, X):
            self.z2 = np.dot(X, self.W1)
            self.a2 = self.sigmoid(self.z2)
            self.z3 = np.dot(self.a2, self.W2)
            y_hat = self.sigmoid(self.z3)
            return y_hat  # noqa: RET504

        def sigmoid(self, z):
            return 1 / (1 + np.exp(-z))

        def MSE(self, y, y_hat):
            return np.power(y - y_hat, 2) / 2

    model = Network()
    y_hat = model.forward(X)
    loss = model.MSE(y, y_hat)
    assert str(explain(loss, [model.W1, model.W2])) == (
        "z₂ = X @ W₁            a₂ = σ(z₂)    z₃ = a₂ @ W₂    ŷ = σ(z₃)\n"
        "loss = (y − ŷ)² / 2\n"
        "L = Σ loss\n"
        "\n"
        "δ₁ = −(y − ŷ) ⊙ σ′(z₃)      = ∂L/∂z₃    (3, 1)\n"
        "∂L/∂W₂ = a₂ᵀ @ δ₁                       (4, 1)\n"
        "δ₂ = (δ₁ @ W₂ᵀ) ⊙ σ′(z₂)    = ∂L/∂z₂    (3, 4)\n"
        "∂L/∂W₁ = Xᵀ @ δ₂                        (2, 4)"
    )


def test_rules_in_words():
    W1, W2 = weights((2, 4), (4, 1))
    z2 = X @ W1
    a2 = sigmoid(z2)
    loss = np.sum(a2 @ W2)
    text = str(explain(loss, rules=True))
    assert (
        "a₂ @ W₂: the derivative of a matrix product in its left factor: "
        "what comes in, times the right factor transposed" in text
    )
    assert "a₂ = σ(z₂): the derivative of σ: what comes in, times a₂ ⊙ (1 − a₂)" in text
    assert "the left factor transposed, times what comes in" in text


def test_a_gradient_that_was_not_asked_for_has_no_line():
    W1, W2 = weights((2, 4), (4, 1))
    loss = np.sum(np.tanh(X @ W1) @ W2)
    assert "∂L/∂W₂" not in str(explain(loss, W1))
    assert lines(reads_back(loss, W2))["∂L/∂W₂"] == "tanh(X @ W₁)ᵀ @ δ₁"


def test_what_does_not_depend_on_it_has_gradient_zero():
    a, b = weights((2,), (2,))
    loss = np.sum(a * a)
    assert "∂L/∂b = 0" in str(explain(loss, [a, b]))


def test_complex_values_have_the_gradient_of_steepest_ascent():
    z = ad.Tensor([1.0 + 2j, 3.0 - 1j])
    loss = np.sum(np.abs(z * (1 + 1j) - 2) ** 2)
    reads_back(loss)
    w = np.exp(1j * z)
    loss = np.sum(np.real(w))
    assert lines(reads_back(loss))["∂L/∂z"] == "conj(w) · (−1j)"


def test_interior_tensors():
    W = weights((2, 3))[0]
    z = X @ W
    loss = np.sum(np.tanh(z) ** 2)
    assert lines(reads_back(loss, z))["∂L/∂z"] == "2 · tanh(z) ⊙ (1 − tanh(z)²)"


def test_after_backward_and_a_step():
    model = mlp(2, 4, 1, output="sigmoid")
    optimizer = nn.SGD(model.parameters(), lr=0.1)
    loss = nn.squared_error(model(X), y)
    before = str(explain(loss))
    loss.backward()
    assert str(explain(loss)) == before
    optimizer.step()
    assert str(explain(loss)) == before
    assert str(explain(loss, list(model.parameters()))) == before


def test_a_released_graph_stays_released():
    W = weights((2, 3))[0]
    z = X @ W
    loss = np.sum(np.tanh(z))
    loss.backward()
    explain(loss)
    assert all(node.saved is None for node in Graph([loss._node]).nodes if node.needs and not node.is_leaf)


def test_functions_that_see_gradients_are_not_called():
    W = weights((2, 3))[0]
    z = X @ W
    z.on_gradient(lambda g: pytest.fail("it was called"))
    loss = np.sum(np.tanh(z))
    assert "δ₁ = 1 − tanh(z)²" in str(explain(loss))


def test_checkpoints_and_compositions():
    W = weights((2, 3))[0]
    z = ad.checkpoint(lambda W: np.tanh(X @ W))(W)
    loss = np.sum(np.outer(z[0], z[1]))
    assert "∂L/∂W" in str(explain(loss))
    assert "∂t/∂W" in reads_back(np.sum(np.kron(W, W)))
    W = weights((2, 2))[0]
    layer = ad.checkpoint(lambda h: np.tanh(h @ W))
    loss = np.sum(layer(layer(np.ones((1, 2)))))
    last = str(explain(loss)).splitlines()[-1]
    assert last.startswith("∂L/∂W = checkpoint([W])ᵀ @ t₁ + [[1, 1]]ᵀ @ ((t₁ @ Wᵀ) ⊙ ")
    assert last.count("+") == 1


def test_latex_and_the_notebook():
    W1, W2 = weights((2, 4), (4, 1))
    z2 = X @ W1
    a2 = sigmoid(z2)
    z3 = a2 @ W2
    y_hat = sigmoid(z3)
    loss = np.sum((y - y_hat) ** 2) / 2
    explanation = explain(loss)
    assert r"\delta_{2} &= \delta_{1} W_{2}^{\top} \odot \sigma'\left(z_{2}\right)" in explanation.latex
    assert explanation._repr_latex_() == f"$\\displaystyle {explanation.latex}$"
    compiles(explanation.latex)


def test_the_smallest_derivation():
    x = ad.Tensor(2.0)
    assert str(explain(x)) == "∂x/∂x = 1        ()"


def test_one_dimensional_products():
    W = weights((3, 2))[0]
    x = np.array([1.0, 2.0])
    h = np.tanh(W @ x)
    loss = h @ h
    found = lines(reads_back(loss))
    assert (found["δ₁"], found["∂L/∂W"]) == ("2 · h ⊙ (1 − h²)", "outer(δ₁, x)")


def test_a_gradient_is_differentiated_again():
    x = ad.Tensor([1.0, 2.0], name="x")
    y = np.sum(x**3)
    (g,) = ad.gradients(y, [x], record=True)
    loss = np.sum(g**2)
    assert reads_back(loss).endswith("∂L/∂x = 12 · g ⊙ x        (2,)")


def test_steps_that_are_collected():
    W, U = weights((2, 3), (3, 3))
    xs = np.random.default_rng(0).standard_normal((5, 1, 2))
    h = np.zeros((1, 3))
    states = []
    for x in xs:
        h = np.tanh(x @ W + h @ U)
        states.append(h)
    loss = np.sum(np.stack(states) ** 2)
    found = lines(reads_back(loss))
    assert found["δₖ"] == "(2 · h₆₋ₖ + δₖ₋₁ @ Uᵀ) ⊙ (1 − h₆₋ₖ²)"


def test_a_parameter_of_100_uses():
    w = ad.Tensor(0.5)
    x = 1.0
    for _ in range(100):
        x = x * w + 0.1
    text = reads_back(x)
    assert len(text.splitlines()) == 9
    assert "tₖ₊₂ = tₖ₊₁ + ∂x₁₀₀/∂x₉₈₋ₖ · x₉₇₋ₖ        ()    k = 1, …, 96" in text


def test_a_sum_of_python_s():
    values = [ad.Tensor(float(i)) for i in range(4)]
    total = sum(x**2 for x in values)
    text = reads_back(total)
    assert text.startswith("total = x₁² + x₂² + x₃² + x₄²\n")
    assert "∂total/∂xₖ = 2 · xₖ        ()    k = 1, …, 4" in text


def test_what_is_written_to():
    x = ad.Tensor([0.5, -1.0, 2.0], name="x")
    z = 2 * x
    z[z < 0] = 0
    loss = np.sum(z**2)
    found = lines(reads_back(loss))
    assert found["z₂"] == "put(z₁, 0, index=[z₁ < 0])"
    assert found["∂L/∂x"] == "4 · z₂ ⊙ [z₁ ≥ 0]"


def test_split_svd_and_inverse():
    x = ad.Tensor(np.random.default_rng(0).standard_normal((3, 3)) + 3 * np.eye(3), name="x")
    a, b, c = np.split(x, 3)
    loss = np.sum(a * b) + np.sum(c) + np.sum(np.linalg.inv(x)) + np.linalg.det(x)
    assert lines(reads_back(loss, rtol=1e-7))["a"] == "x[0:1]"


def test_long_numbers_are_given_a_name():
    W = weights((3, 1))[0]
    p = np.random.default_rng(0).random((1, 3)) @ W
    q = [[1.0, 0.0, 2.0]] @ W
    with ad.anonymous():
        loss = np.sum(p) + np.sum(np.sqrt([0.1, 0.2]) * W[0]) + np.sum(q)
    text = reads_back(loss)
    assert "x₁ @ W" in text
    assert "[[1, 0, 2]] @ W" in text


def test_any_name_is_one_line_and_one_term():
    a, b = ad.Tensor([1.0, 2.0], name="a + b"), ad.Tensor([1.0, 2.0], name="c\nd\x1b[31m\u202e\0")
    text = str(explain(np.sum(a * b)))
    assert "(a + b) ⊙ c␊d␛[31m�␀" in text
    assert "∂L/∂(a + b) = " in text
    assert len(text.splitlines()) == 4


def test_errors_say_what_to_write():
    with pytest.raises(ad.errors.GradientError, match="takes a Tensor, got ndarray"):
        explain(X)
    with pytest.raises(ad.errors.GradientError, match="carries no gradient"):
        explain(ad.constant(X))
    for wrt in ([X], X, 3, "W", [3]):
        with pytest.raises(ad.errors.GradientError, match="wrt holds Tensors"):
            explain(np.sum(weights((2,))[0]), wrt)


def test_a_thousand_layers():
    W = weights((3, 3))[0]
    x = ad.constant(np.ones((1, 3)))
    for _ in range(1000):
        x = np.tanh(x @ W)
    loss = np.sum(x)
    assert "k = 1, …, 1000" in str(explain(loss))


@pytest.mark.parametrize("seed", range(60))
def test_random_graphs(seed):
    reads_back(random_loss(seed), rtol=1e-7)


@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", range(60, 3000))
def test_many_random_graphs(seed):
    reads_back(random_loss(seed), rtol=1e-7)
