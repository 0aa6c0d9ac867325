"""Each identity holds: of random numbers, to the last bit or to the rounding that is said here; and it is applied."""

import numpy as np
import pytest

import autodiff as ad
from autodiff.graph import Graph
from autodiff.notation import formula, names_of
from autodiff.primitive import dropped, taken
from autodiff.rules.indexing import ARRAY, put
from autodiff.simplify import Simplifier, simplified

from .random_graphs import random_loss

EPS = np.finfo(float).eps


def parameters(seed):
    rng = np.random.default_rng(seed)
    shapes = {"a": (3, 4), "b": (3, 4), "c": (4, 2), "s": (3, 1), "v": (4,), "n": (), "t": (2, 3, 4)}
    made = {
        name: ad.Tensor(rng.uniform(0.1, 2, shape) * rng.choice([-1, 1], shape), name=name)
        for name, shape in shapes.items()
    }
    z = rng.uniform(0.1, 2, (2, 3, 4))
    return made | {"z": ad.Tensor(z[0] + 1j * z[1], name="z")}


EXACT, ROUNDED = 0, 8  # units in the last place of the largest element

IDENTITIES = [
    ("a", lambda a, **_: a * 1, EXACT),
    ("a", lambda a, **_: 1 * a / 1, EXACT),
    ("a", lambda a, **_: a + 0, EXACT),
    ("a", lambda a, **_: a - 0, EXACT),
    ("a", lambda a, **_: a**1, EXACT),
    ("a", lambda a, **_: np.negative(-a), EXACT),
    ("a − b", lambda a, b, **_: a + -b, EXACT),
    ("a + b", lambda a, b, **_: a - -b, EXACT),
    ("b − a", lambda a, b, **_: -a + b, EXACT),
    ("2 · a", lambda a, **_: a + a, EXACT),
    ("−a ⊙ b", lambda a, b, **_: (-a) * b, EXACT),
    ("a ⊙ b", lambda a, b, **_: (-a) * -b, EXACT),
    ("−a / b", lambda a, b, **_: a / -b, EXACT),
    ("a", lambda a, **_: (a * 2) / 2, EXACT),
    ("a ⊙ b", lambda a, b, **_: (a * 4) * (b * 0.25), EXACT),
    ("a / 3", lambda a, **_: a * (1 / 3), ROUNDED),
    ("2 · a / 3", lambda a, **_: 2 * (a / 3), ROUNDED),
    ("a ⊙ b / v", lambda a, b, v, **_: a / v * b, ROUNDED),
    ("a ⊙ b / v", lambda a, b, v, **_: a / (v / b), ROUNDED),
    ("a²", lambda a, **_: a * a, EXACT),
    ("a³", lambda a, **_: a * a * a, ROUNDED),
    ("a⁴", lambda a, **_: a**3.0 * a, ROUNDED),
    ("a³ ⊙ b", lambda a, b, **_: a**2 * b * a, ROUNDED),
    ("abs(a)", lambda a, **_: np.sqrt(np.abs(a)) * np.sqrt(np.abs(a)), ROUNDED),
    ("a / √12", lambda a, **_: a * (1 / np.sqrt(3)) * 0.5, ROUNDED),
    ("a", lambda a, **_: a.T.T, EXACT),
    ("a", lambda a, **_: np.swapaxes(np.swapaxes(a, 0, 1), -1, -2), EXACT),
    ("v", lambda v, **_: v.T, EXACT),
    ("n", lambda n, **_: np.reshape(n, (1, 1))[0, 0], EXACT),
    ("a", lambda a, **_: np.reshape(np.reshape(a, (2, 6)), (3, 4)), EXACT),
    ("a", lambda a, **_: np.reshape(a, (3, 4)), EXACT),
    ("s", lambda s, **_: np.sum(s, axis=1, keepdims=True), EXACT),
    ("reshape(s, shape=(3,))", lambda s, **_: np.sum(s, axis=1), EXACT),
    ("sum(a, axis=1, keepdims=True)", lambda a, **_: np.reshape(np.sum(a, axis=1), (3, 1)), EXACT),
    ("a", lambda a, **_: np.broadcast_to(a, (3, 4)), EXACT),
    ("a ⊙ v", lambda a, v, **_: a * np.broadcast_to(v, (3, 4)), EXACT),
    ("a + v", lambda a, v, **_: a + np.broadcast_to(np.reshape(v, (1, 4)), (3, 4)), EXACT),
    ("a · n", lambda a, n, **_: a * np.broadcast_to(np.reshape(n, (1, 1)), (3, 4)), EXACT),
    ("a", lambda a, **_: a * np.broadcast_to(np.reshape(ad.Tensor._plain(np.array(1.0)), (1, 1)), (3, 4)), EXACT),
    ("−a @ c", lambda a, c, **_: (-a) @ c, EXACT),
    ("(a @ c) / 3", lambda a, c, **_: (a / 3) @ c, ROUNDED),
    ("−Σ₀ a", lambda a, **_: np.sum(-a, axis=0), EXACT),
    ("2 · Σ₀ a", lambda a, **_: np.sum(2 * a, axis=0), EXACT),
    ("cᵀ @ aᵀ", lambda a, c, **_: (a @ c).T, ROUNDED),
    ("a @ v", lambda a, v, **_: (a @ v[..., None])[..., 0], ROUNDED),
    ("v @ c", lambda v, c, **_: (v[None, :] @ c)[..., 0, :], ROUNDED),
    ("outer(v, v)", lambda v, **_: v[:, None] @ v[None, :], EXACT),
    ("a", lambda a, **_: np.moveaxis(np.swapaxes(a, 0, 1), 0, -1), EXACT),
    ("a", lambda a, **_: np.transpose(a, (0, 1)), EXACT),
    ("a", lambda a, **_: a[:, None, :][:, 0], EXACT),
    ("a", lambda a, **_: a[:, ...], EXACT),
    ("aᵀ", lambda a, **_: np.transpose(np.transpose(a.T)), EXACT),
    ("transpose(t, axes=(2, 0, 1))", lambda t, **_: np.swapaxes(np.moveaxis(t, 0, 1), 0, 2)[:, :, :], EXACT),
    ("a[:, ::−1]", lambda a, **_: a[:, ::-1], EXACT),
    ("Σ₁ a", lambda a, **_: np.reshape(np.sum(a, axis=1, keepdims=True), 3), EXACT),
    ("2 · v", lambda v, **_: np.stack([v, 2 * v])[1], EXACT),
    ("put(a, v, index=[0])", lambda a, v, **_: put(put(a, v, (), 0), put(a, v, (), 0)[0], (), 0), EXACT),
    (
        "3 · a[:1]",
        lambda a, **_: np.broadcast_to(np.reshape(ad.Tensor._plain(np.array(3.0)), (1,)), (1, 1)) @ a[:1],
        ROUNDED,
    ),
    ("a", lambda a, **_: a.copy(), EXACT),
    ("a", lambda a, **_: np.conj(np.real(a)), EXACT),
    ("z", lambda z, **_: np.conj(np.conj(z)), EXACT),
    ("conj(z) ⊙ a + Σ conj(z)", lambda z, a, **_: np.conj(z * a + np.sum(z)), EXACT),
    ("conj(z)ᵀ · (−2j)", lambda z, **_: np.conj(z.T * 2j), EXACT),
    ("softmax(a)", lambda a, **_: np.exp(ad.log_softmax(a)), ROUNDED),
    ("σ(a)", lambda a, **_: 1 / (1 + np.exp(-a)), ROUNDED),
    ("σ(a)", lambda a, **_: 1 / (np.exp(-a) + 1), ROUNDED),
    ("σ(−a)", lambda a, **_: 1 / (1 + np.exp(a)), ROUNDED),
    ("σ(a)", lambda a, **_: np.exp(a) / (1 + np.exp(a)), ROUNDED),
    ("σ(a)", lambda a, **_: np.reciprocal(1 + np.exp(-a)), ROUNDED),
    ("σ′(a)", lambda a, **_: np.exp(-a) / np.power(1 + np.exp(-a), 2), ROUNDED),
    ("σ′(a)", lambda a, **_: ad.sigmoid(a) * (1 - ad.sigmoid(a)), EXACT),
    ("b ⊙ σ′(a)", lambda a, b, **_: b * ad.sigmoid(a) * (1 - ad.sigmoid(a)), ROUNDED),
    ("b ⊙ σ(a)", lambda a, b, **_: b * np.exp(a) / (1 + np.exp(a)), ROUNDED),
    ("b ⊙ [a > 0]", lambda a, b, **_: np.where(a > 0, b, 0), EXACT),
    ("b ⊙ [a > 0]", lambda a, b, **_: np.where(a <= 0, 0, b), EXACT),
    ("b ⊙ [a > 0]", lambda a, b, **_: np.where(ad.relu(a) <= 0, 0, b), EXACT),
    ("b ⊙ [a > 0]", lambda a, b, **_: dropped(a <= 0, b), EXACT),
    ("b ⊙ heaviside(a, 0.5)", lambda a, b, **_: np.where(a < 0, 0, np.where(a == 0, b / 2, b)), EXACT),
    ("b ⊙ [a ≥ 0]", lambda a, b, **_: taken(put(np.ones_like(a, dtype=bool), False, [a < 0], ARRAY), b), EXACT),
    ("b ⊙ [a == b]", lambda a, b, **_: np.where((a != b) & (a == a), 0, b), EXACT),
    ("−b ⊙ [a > 0]", lambda a, b, **_: taken(a > 0, -b), EXACT),
    ("abs(a)", lambda a, **_: np.where(np.abs(a) < 0, np.nan, np.abs(np.abs(a))), EXACT),
]


@pytest.mark.parametrize(("printed", "make", "units"), IDENTITIES)
@pytest.mark.parametrize("seed", range(5))
def test_identity(printed, make, units, seed):
    t = make(**parameters(seed))
    node = t._current()[1]
    became = simplified([node])[node]
    assert str(formula(became, names_of([became], []))) == printed
    before, after = Graph([node]).evaluate()[node], Graph([became]).evaluate()[became]
    assert after.shape == before.shape
    assert np.max(np.abs(after - before)) <= units * EPS * np.max(np.abs(before))


def test_what_the_user_wrote_stays_but_for_patterns():
    a = parameters(0)["a"]
    node = (a * 1 + 0 + 1 / (1 + np.exp(-a)))._node
    became = Simplifier().all([node])[node]
    assert str(formula(became, names_of([became], []))) == "a · 1 + 0 + σ(a)"


def test_a_value_to_keep_is_not_looked_into():
    a = parameters(0)["a"]
    e = np.exp(-a)
    node = (1 / (1 + e))._node
    assert Simplifier([e._node]).all([node])[node].primitive.name == "divide"


@pytest.mark.parametrize("seed", range(40))
def test_the_gradients_of_random_graphs(seed):
    """All identities, in any combination: within the rounding of as many operations."""
    loss = random_loss(seed)
    leaves = [ad.Tensor._of(x, x.value) for x in Graph([loss._node]).leaves if x.needs]
    for gradient in ad.gradients(loss, leaves, record=True):
        node = gradient._node
        became = simplified([node])[node]
        before = Graph([node]).evaluate()[node]
        after = Graph([became]).evaluate()[became] if not isinstance(became, float | int) else became
        scale = max(1, np.max(np.abs(before), initial=0))
        assert np.max(np.abs(after - before), initial=0) <= 1e-11 * scale


def test_a_long_product_takes_no_long_time():
    x = ad.Tensor(np.ones(3), name="x")
    y = x
    for _ in range(1000):
        y = y * 1.01 + 0 * x
        y = -y * x
    simplified([y._node])
