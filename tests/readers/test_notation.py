"""Names, formulas, local rules: of the user's variables, and of every row of the table."""

import functools

import numpy as np
import pytest
from hypothesis import settings

import autodiff as ad
from autodiff.graph import Graph
from autodiff.notation import formula, names_of, rule_formula, terms, written
from autodiff.primitive import COMPOSED, TABLE
from autodiff.rules import engine

from ..rules.arguments import BATCH, examples

X = np.array([[3.0, 5.0], [5.0, 1.0], [10.0, 2.0]])


def named(*tensors):
    """The names of all that is behind some Tensors, by their nodes' plain formula."""
    nodes = [t._current()[1] for t in tensors]
    names = names_of(nodes, [])
    return {name: node for node in Graph(nodes).nodes if (name := names.of(node)) is not None}


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def test_names_come_from_the_line_that_stored_the_value():
    W1 = ad.Tensor(np.ones((2, 4)))
    z2 = X @ W1
    a2 = sigmoid(z2)
    self = type("Self", (), {})()
    self.z3 = np.sum(a2, axis=1)
    grads = {}
    grads["d"] = self.z3 * 2
    first = second = grads["d"] + 1
    (walrus := first - second)
    total = np.sum(walrus)
    q, r = np.linalg.qr(ad.constant(X) @ W1[:, :2])
    found = named(total, q, r)
    assert {"W1", "X", "z2", "a2", "z3", "d", "first", "walrus", "total", "q", "r"} <= set(found)


def test_a_helper_s_own_names_are_not_the_caller_s():
    def layer(x, W):
        z = x @ W
        out = np.tanh(z)
        return out  # noqa: RET504

    W = ad.Tensor(np.eye(2))
    h = layer(layer(X, W), W)
    assert {"z1", "z2", "out", "h"} <= set(named(h))
    assert names_of([h._node]).of(h._node) == "h"
    for _ in range(2):
        h = layer(h, W)
    assert {"out", "h1", "h2", "h3"} <= set(named(h))


def test_values_that_are_written_to():
    z = ad.Tensor(np.ones((3, 2))) * 1.0
    z[z < 0] = 0
    z += X
    best = z if z[0, 0].item() > 0 else X
    scaled = 2 * best if best is z else -best
    assert [name for name in named(np.sum(scaled)) if name[0] in "sz"] == ["z1", "z2", "z3", "scaled"]


def test_python_s_sum_makes_one_value():
    total = sum(ad.Tensor([1.0, 2.0]) for _ in range(5))
    assert named(total) == {"total": total._node}
    for _ in range(2):
        total = total + 1
    assert {"total1", "total2", "total3"} == set(named(total))


def test_private_attributes_and_modules_in_modules():
    self = type("Self", (), {})()
    self._W = ad.Tensor(np.eye(2))
    h = X @ self._W
    assert set(named(h)) == {"X", "W", "h"}
    names = ("0.0.weight", "1.norm.weight", "encoder.0.weight", "what", "z_dot", "vBar2")
    assert [written(name) for name in names] == [
        "weight₀.₀", "norm.weight₁", "encoder.0.weight", "what", "ż", "v̄₂",
    ]  # fmt: skip
    assert written("0.1.weight", "latex") == r"\mathrm{weight}_{0.1}"


def test_lambdas_and_functions_that_return_at_once():
    square = lambda x: x * x  # noqa: E731
    x = ad.Tensor([1.0, 2.0])
    y = square(x)
    assert named(y)["y"] is y._node


def test_time_steps_are_numbered():
    U = ad.Tensor(np.eye(2))
    h = np.zeros(2)
    for x in X:
        h = np.tanh(h @ U + x)
    assert [name for name in named(h) if name.startswith("h")] == ["h0", "h1", "h2", "h3"]


def test_names_survive_an_update():
    W = ad.Tensor(np.eye(2), name="weights")
    V = ad.Tensor(np.eye(2))
    loss = np.sum(X @ W @ V)
    loss.backward()
    with ad.no_grad():
        W -= 0.1 * W.grad
        V -= 0.1 * V.grad
    names = names_of([loss._node])
    leaves = [names.of(x) for x in Graph([loss._node]).leaves]
    assert set(leaves) == {"weights", "V", "X"}


def test_variables_that_are_alive():
    def made():
        return [ad.Tensor([1.0])][0] * 2

    double = [made()][0]
    assert names_of([double._node]).of(double._node) == "double"


def test_korean_names():
    가중치 = ad.Tensor(np.ones((2, 1)))
    점수 = X @ 가중치
    assert str(formula(점수._node, names_of([점수._node]))) == "X @ 가중치"


def test_anonymous_values_have_no_site():
    w = ad.Tensor(2.0)
    with ad.anonymous():
        product = w * w
    assert names_of([product._node], []).of(product._node) is None


def test_a_site_keeps_no_frame_alive():
    import gc
    import weakref

    class Big:
        pass

    def f():
        big = Big()
        return weakref.ref(big), ad.Tensor(1.0) * 2

    reference, t = f()
    gc.collect()
    assert reference() is None
    assert t._node.site is not None


@pytest.mark.parametrize(
    ("name", "unicode", "latex"),
    [
        ("W1", "W₁", "W_{1}"), ("w12", "w₁₂", "w_{12}"), ("y_hat", "ŷ", r"\hat{y}"),
        ("delta1", "δ₁", r"\delta_{1}"),
        ("x_bar", "x̄", r"\bar{x}"), ("loss", "loss", r"\mathrm{loss}"), ("0.weight", "weight₀", r"\mathrm{weight}_{0}"),
        ("x_train", "x_train", r"\mathrm{x\_train}"), ("z2_1", "z₂⁽¹⁾", "z_{2}^{(1)}"),
        ("성적", "성적", r"\mathrm{성적}"),
        ("layers.0.bias", "layers.0.bias", r"\mathrm{layers.0.bias}"), ("mu", "μ", r"\mu"), ("θ", "θ", r"\theta"),
    ],
)  # fmt: skip
def test_how_names_are_written(name, unicode, latex):
    assert (written(name), written(name, "latex")) == (unicode, latex)


def test_names_that_would_be_written_alike_stay_as_they_are():
    W1, W_1 = ad.Tensor(1.0, name="W1"), ad.Tensor(2.0, name="W_1")
    product = W1 * W_1
    names = names_of([product._node], [])
    assert str(formula(product._node, names)) == "W1 · W_1"
    assert str(formula(product._node, names, "latex")) == r"\mathrm{W1} \, \mathrm{W\_1}"


a, b, c = (ad.Tensor(np.full((2, 2), value), name=name) for value, name in ((0.2, "a"), (0.3, "b"), (0.4, "c")))


@pytest.mark.parametrize(
    ("make", "unicode", "latex"),
    [
        (lambda: a + b * c, "a + b ⊙ c", r"a + b \odot c"),
        (lambda: (a + b) * c, "(a + b) ⊙ c", r"\left(a + b\right) \odot c"),
        (lambda: a - (b - c), "a − (b − c)", r"a - \left(b - c\right)"),
        (lambda: a - b - c, "a − b − c", "a - b - c"),
        (lambda: a @ b * c, "(a @ b) ⊙ c", r"a b \odot c"),
        (lambda: a @ (b * c), "a @ (b ⊙ c)", r"a \left(b \odot c\right)"),
        (lambda: a @ b @ c, "a @ b @ c", "a b c"),
        (lambda: a / (b * c), "a / (b ⊙ c)", r"\frac{a}{b \odot c}"),
        (lambda: a / b / c, "a / b / c", r"\frac{\frac{a}{b}}{c}"),
        (lambda: -(a**2), "−a²", "-a^{2}"),
        (lambda: (-a) ** 2, "(−a)²", r"\left(-a\right)^{2}"),
        (lambda: a * -b, "a ⊙ (−b)", r"a \odot \left(-b\right)"),
        (lambda: 2 * a, "2 · a", r"2 \, a"),
        (lambda: 2**a, "2**a", "2^{a}"),
        (lambda: a.T @ b, "aᵀ @ b", r"a^{\top} b"),
        (lambda: (a @ b).T, "(a @ b)ᵀ", r"\left(a b\right)^{\top}"),
        (lambda: np.sum(a * b) / 2, "Σ (a ⊙ b) / 2", r"\frac{\sum \left(a \odot b\right)}{2}"),
        (lambda: np.sum(a, axis=0), "Σ₀ a", r"\sum_{0} a"),
        (lambda: np.sum(a, axis=1, keepdims=True), "sum(a, axis=1, keepdims=True)",
         r"\operatorname{sum}\left(a, \mathrm{axis}=1, \mathrm{keepdims}=\mathrm{True}\right)"),
        (lambda: np.exp(a) ** 2, "exp(a)²", r"\left(e^{a}\right)^{2}"),
        (lambda: np.sqrt(a + b), "√(a + b)", r"\sqrt{a + b}"),
        (lambda: 1 / (1 + np.exp(-a)), "σ(a)", r"\sigma\left(a\right)"),
        (lambda: np.where(a > b, a, 0), "where(a > b, a, 0)", r"\operatorname{where}\left(a > b, a, 0\right)"),
        (lambda: a[1:, 0], "a[1:, 0]", r"a\left[1:, 0\right]"),
        (lambda: np.concatenate([a, b], axis=1), "concatenate([a, b], axis=1)",
         r"\operatorname{concatenate}\left([a, b], \mathrm{axis}=1\right)"),
    ],
)  # fmt: skip
def test_brackets(make, unicode, latex):
    t = make()
    names = names_of([t._node], [])
    assert (str(formula(t._node, names)), str(formula(t._node, names, "latex"))) == (unicode, latex)


@pytest.mark.parametrize(
    ("make", "rules"),
    [
        (lambda: ad.sigmoid(a), {"a": "∂L/∂out ⊙ out ⊙ (1 − out)"}),
        (lambda: 1 / (1 + np.exp(-a)), {"a": "∂L/∂out ⊙ out ⊙ (1 − out)"}),
        (lambda: np.tanh(a), {"a": "∂L/∂out ⊙ (1 − out²)"}),
        (lambda: a @ b, {"a": "∂L/∂out @ bᵀ", "b": "aᵀ @ ∂L/∂out"}),
        (lambda: a - b, {"a": "∂L/∂out", "b": "−∂L/∂out"}),
        (lambda: a * b, {"a": "∂L/∂out ⊙ b", "b": "∂L/∂out ⊙ a"}),
        (lambda: a + ad.Tensor([1.0, 2.0], name="v"), {"v": "Σ₀ ∂L/∂out"}),
        (lambda: ad.relu(a), {"a": "∂L/∂out ⊙ [a > 0]"}),
        (lambda: a.T, {"a": "(∂L/∂out)ᵀ"}),
        (lambda: np.exp(-a), {"a": "−∂L/∂out ⊙ out"}),
        (lambda: (a - b) ** 2 / 2, {"a": "∂L/∂out ⊙ (a − b)", "b": "−∂L/∂out ⊙ (a − b)"}),
        (lambda: np.reshape(a, 4), {"a": "reshape(∂L/∂out, shape=(2, 2))"}),
    ],
)
def test_local_rules(make, rules):
    out = make()
    out.name = "out"
    names = names_of([out._node], [])
    found = {names.of(x): str(rule_formula(out._node, x, names)) for x in terms(out._node, names)}
    assert {name: found[name] for name in rules} == rules


def test_the_last_value_s_rule():
    loss = np.sum((a - b) ** 2) / 2
    names = names_of([loss._node])
    nodes = {names.of(x): x for x in terms(loss._node, names)}
    assert str(rule_formula(loss._node, nodes["b"], names, "1")) == "−(a − b)"


def test_local_rules_of_large_arrays_are_made_of_small_ones():
    x, w = ad.Tensor(np.zeros((2000, 3000)), name="x"), ad.Tensor(np.zeros((3000, 10)), name="w")
    out = ad.sigmoid(x @ w)
    names = names_of([out._node])
    assert str(rule_formula(out._node, x._node, names, "g")) == "(g ⊙ out ⊙ (1 − out)) @ wᵀ"


def test_a_deep_formula_is_cut_and_no_recursion():
    x = ad.Tensor([1.0], name="x")
    with ad.anonymous():
        y = functools.reduce(lambda total, _: np.sin(total), range(20_000), x)
    assert str(formula(y._node, names_of([y._node], []))).endswith("…")


# --- every row -------------------------------------------------------------------------------------------------------


def tensors(function):
    """What a call of a row returns, on Tensors, for some of the calls that the rules' own tests make."""
    for call in examples(function)[:20] if EXHAUSTIVE else examples(function, BATCH)[:1]:
        positions = [i for i in call.floating if call.reached]
        if not call.dispatches(positions):
            continue
        outputs = call.outputs(call.tensors(positions))
        yield from (t for t in outputs if isinstance(t, ad.Tensor))


def compiles(latex):
    """Whether LaTeX's own grammar, as matplotlib knows it, takes a formula."""
    from matplotlib.mathtext import MathTextParser

    for line in latex.removeprefix("\\begin{aligned}").removesuffix("\\end{aligned}").split("\\\\\n"):
        line = line.strip().replace("&", "")
        MathTextParser("path").parse(f"${line}$")


EXHAUSTIVE = settings().max_examples > 1000
FUNCTIONS = [
    f
    for f in dict.fromkeys([*TABLE, *COMPOSED])
    if f not in (engine.part, engine.detached) and not (f in TABLE and TABLE[f].foreign)
]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: (TABLE.get(f) or COMPOSED[f]).name)
def test_every_row_is_written(function):
    """In both styles; the LaTeX compiles, and in an exhaustive run that of its gradient."""
    for t in tensors(function):
        node = t._current()[1]
        names = names_of([node], [])
        assert formula(node, names)
        compiles(str(formula(node, names, "latex")))
        if node.needs and node.dtype.kind == "f" and EXHAUSTIVE:
            compiles(ad.explain(np.sum(t)).latex)
