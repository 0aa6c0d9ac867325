"""vmap: equal to the function called sample by sample, on every row of the table."""

import numpy as np
import pytest
from hypothesis import settings

import autodiff as ad
from autodiff.errors import ShapeError
from tests.rules.arguments import examples
from tests.rules.gradcheck import cotangent
from tests.rules.test_rows import FUNCTIONS, name_of

SIZE = 3
COUNT = max(8, min(settings().max_examples // 10, 60))
rng = np.random.default_rng(0)
X = rng.normal(size=(7, 5))
W1, b1, W2 = rng.normal(size=(5, 4)), rng.normal(size=4), rng.normal(size=(4, 3))
LABELS = rng.integers(0, 3, 7)


def by_hand(f, in_axes, *arguments):
    """Sample by sample."""
    size = next(np.shape(x)[a] for x, a in zip(arguments, in_axes, strict=True) if a is not None)
    each = [
        f(*(x if a is None else np.take(x, i, a) for x, a in zip(arguments, in_axes, strict=True))) for i in range(size)
    ]
    if isinstance(each[0], tuple):
        return tuple(np.stack(column) for column in zip(*each, strict=True))
    return np.stack(each)


def network(W1, b1, W2, x, label):
    scores = ad.relu(x @ W1 + b1) @ W2
    return ad.logsumexp(scores) - scores[label]


def same(found, expected):
    for one, other in zip(np.atleast_1d(found) if not isinstance(found, tuple) else found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


def test_per_sample_gradients():
    gradient, axes = ad.grad(network, (0, 1, 2)), (None, None, None, 0, 0)
    same(ad.vmap(gradient, axes)(W1, b1, W2, X, LABELS), by_hand(gradient, axes, W1, b1, W2, X, LABELS))


PROGRAMS = {
    "elementwise": lambda x: np.tanh(x) * 2,
    "sum": np.sum,
    "sum along an axis": lambda x: np.sum(np.outer(x, x), axis=0),
    "mean, negative axis": lambda x: np.mean(np.outer(x, x), axis=-1, keepdims=True),
    "reshape": lambda x: x.reshape(5, 1) * x,
    "transpose": lambda x: np.outer(x, x[:2]).T,
    "slice": lambda x: x[1:-1][::-1],
    "element": lambda x: x[2] * x[-1],
    "fancy index": lambda x: x[np.array([0, 0, 3])],
    "write": lambda x: np.where(x > 0, x, 0) + np.concatenate([x[:2], x[:3]]),
    "sort": np.sort,
    "cumsum": np.cumsum,
    "argmax": np.argmax,
    "norm": np.linalg.norm,
    "inverse": lambda x: np.linalg.inv(np.outer(x, x) + np.eye(5)),
    "several results": lambda x: (x.sum(), x * 2),
    "a captured array": lambda x: x @ W1,
    "stack": lambda x: np.stack([x, x * 2, np.ones(5)], axis=1),
    "constant result": lambda x: np.ones(2),
    "softmax": ad.softmax,
    "loop": lambda x: sum(x[i] * i for i in range(5)),
    "decides by the value": lambda x: x if x.sum() > 0 else -x,
    "nested gradient": ad.grad(lambda x: np.sum(np.sin(x) ** 2)),
    "hessian": ad.hessian(lambda x: np.sum(np.sin(x)) * np.sum(x)),
    "forward mode": lambda x: ad.jvp(np.sin, (x,), (np.ones(5),))[1],
    "gradient of a class chosen by the value": ad.grad(lambda x: x[np.argmax(x)] ** 2),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name):
    f = PROGRAMS[name]
    found = ad.vmap(f)(X)
    same(found, by_hand(f, (0,), X))


@pytest.mark.parametrize("function", FUNCTIONS, ids=name_of)
def test_rows(function):
    """A batch of calls of one shape, through the batching rule of the row."""
    for call in examples(function, COUNT):
        positions = [i for i in call.floating if call.arrays[i].dtype.kind == "f"]
        if not positions or call.written or not call.dispatches(positions):
            continue
        arrays = [call.arrays[i] for i in positions]
        spread = [0.01 * np.abs(cotangent((SIZE, *x.shape), seed=k)) for k, x in enumerate(arrays)]
        batches = [x + d for x, d in zip(arrays, spread, strict=True)]

        def f(*samples, call=call, positions=positions):
            return tuple(call.outputs(dict(zip(positions, samples, strict=True))))

        found, expected = ad.vmap(f)(*batches), by_hand(f, [0] * len(batches), *batches)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9, err_msg=str(call))


@pytest.mark.parametrize(("in_axes", "out_axes"), [((1, None), 0), ((1, None), 1), ((-1, None), -1), ((None, 0), 1)])
def test_axes(in_axes, out_axes):
    x, y = rng.normal(size=(5, 7)), rng.normal(size=(7, 5) if in_axes[1] == 0 else 5)
    x = x if in_axes[0] is not None else x[:, 0]
    found = ad.vmap(np.multiply, in_axes, out_axes)(x, y)
    np.testing.assert_array_equal(np.moveaxis(found, out_axes, 0), by_hand(np.multiply, in_axes, x, y))


def test_vmap_of_vmap_is_an_outer_product():
    found = ad.vmap(ad.vmap(np.multiply, (None, 0)), (0, None))(np.arange(3.0), np.arange(4.0))
    np.testing.assert_array_equal(found, np.outer(np.arange(3), np.arange(4)))


def test_the_gradient_of_a_vmap():
    found = ad.grad(lambda w: np.sum(ad.vmap(lambda x: np.tanh(x @ w))(X)))(W1)
    np.testing.assert_allclose(found, ad.grad(lambda w: np.sum(np.tanh(X @ w)))(W1), rtol=1e-12)


def test_structures_and_an_empty_batch():
    found = ad.vmap(lambda p: {"sum": p["a"] + p["b"][0]})({"a": X, "b": [X]})
    np.testing.assert_array_equal(found["sum"], 2 * X)
    assert ad.vmap(lambda x: np.tanh(x).sum())(np.zeros((0, 5))).shape == (0,)


def test_the_function_is_called_once():
    calls = []
    ad.vmap(lambda x: calls.append(1) or np.tanh(x))(X)
    assert len(calls) == 1


def test_no_value_of_the_first_sample_is_baked_in():
    x = np.array([1.0, -1.0])
    for leave in (
        lambda t: t * t.detach(), lambda t: t * t.numpy(), lambda t: t * t.item(), lambda t: t * float(t.detach()),
        lambda t: t * np.asarray(t.detach()), lambda t: t if t > 0 else -t, lambda t: t * np.sign(t),
    ):  # fmt: skip
        np.testing.assert_array_equal(ad.vmap(leave)(x), [1, 1])


def test_what_does_not_fit_is_refused():
    with pytest.raises(ShapeError, match="in_axes has 1 entries, and there are 2"):
        ad.vmap(np.add, (0,))(X, X)
    with pytest.raises(ShapeError, match="one size"):
        ad.vmap(np.add)(X, X[:2])
    with pytest.raises(ShapeError, match="no axis 2"):
        ad.vmap(np.sin, 2)(X)
