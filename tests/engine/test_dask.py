"""Tensors that hold Dask arrays: the same rows, lazily, in chunks, in threads and in other processes.

What an array of another kind cannot do is refused, and so are kinds that would go wrong without a word.
"""

import numpy as np
import pytest

import autodiff as ad
import nn

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
distributed = pytest.importorskip("distributed")

RNG = np.random.default_rng(0)
X, Y = RNG.random((4, 6)) + 0.5, RNG.random((4, 6)) + 0.6


def chunked(x):
    return da.from_array(x, chunks=tuple(size // 2 + 1 for size in x.shape))


def refuse(*_, **__):
    raise AssertionError("something was computed")


def recording():
    """A context in which nothing may be computed."""
    return dask.config.set(scheduler=refuse)


def threads():
    return dask.config.set(scheduler="threads")


@pytest.fixture(scope="module")
def processes():
    """A context in which two worker processes compute."""
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster, set_as_default=False) as client:
        yield lambda: dask.config.set(scheduler=client)


def written(x, y):
    z = x * 1
    z[z > 1] = 0
    z[0] = y[1] * 2
    z[:, 1] = z[:, 1] * y[:, 0]
    z += x
    return z


FUNCTIONS = {
    "arithmetic": lambda x, y: x * y - x / y + y**2 - (-x),
    "power": lambda x, y: x**y,
    "exp, log": lambda x, y: np.exp(np.log(x) - np.log1p(y)) + np.expm1(x),
    "sin, cos": lambda x, y: np.sin(x) * np.cos(y),
    "tanh": lambda x, y: np.tanh(x),
    "sqrt": lambda x, y: np.sqrt(x) + np.square(y),
    "absolute": lambda x, y: np.absolute(x - 1),
    "hypot, arctan2": lambda x, y: np.hypot(x, y) + np.arctan2(x, y),
    "logaddexp": lambda x, y: np.logaddexp(x, y),
    "maximum": lambda x, y: np.maximum(x, y) - np.minimum(x, 1),
    "where": lambda x, y: np.where(np.logical_and(x > 0.7, x < y), x * y, y),
    "clip": lambda x, y: np.clip(x, 0.7, 1.2),
    "sum": lambda x, y: np.sum(x, axis=0) + y.sum(),
    "mean": lambda x, y: np.mean(x, axis=1, keepdims=True) * y,
    "var, std": lambda x, y: np.var(x, axis=0) + np.std(y),
    "max, min": lambda x, y: np.max(x, axis=1) * y.min(),
    "prod": lambda x, y: np.prod(x, axis=0),
    "cumsum": lambda x, y: np.cumsum(x, axis=1),
    "cumprod": lambda x, y: np.cumprod(x, axis=0),
    "average": lambda x, y: np.average(x, axis=0),
    "nansum": lambda x, y: np.nansum(x, axis=0),
    "matmul": lambda x, y: x @ y.T,
    "matrix and vector": lambda x, y: x @ y[0],
    "vectors": lambda x, y: x[0] @ y[0],
    "dot": lambda x, y: np.dot(x, y.T),
    "tensordot": lambda x, y: np.tensordot(x, y, axes=([0], [0])),
    "einsum": lambda x, y: np.einsum("ij,kj->ik", x, y),
    "outer": lambda x, y: np.outer(x[0], y[0]),
    "transpose": lambda x, y: x.T + np.swapaxes(y, 0, 1) * np.moveaxis(x, 0, 1),
    "reshape": lambda x, y: x.reshape(-1) * np.ravel(y),
    "new axes": lambda x, y: x[:, None] * np.expand_dims(y, 0) - np.squeeze(x[:1]),
    "broadcast_to": lambda x, y: np.broadcast_to(x, (2, 4, 6)),
    "concatenate": lambda x, y: np.concatenate([x, y, np.ones((2, 6))]),
    "stack": lambda x, y: np.stack([x, y]),
    "slices": lambda x, y: x[1:, ::2] + y[-1, 3:],
    "a list as an index": lambda x, y: x[[0, 2, 2]] * y[:, [1, -1, 1, 0, 0, 2]][:3],
    "take": lambda x, y: np.take(x, [0, 2, 0], axis=1),
    "flip, roll": lambda x, y: np.flip(x, 0) * np.roll(y, 2, axis=1),
    "split": lambda x, y: np.split(x, 2)[1],
    "pad": lambda x, y: np.pad(x, 1),
    "diff": lambda x, y: np.diff(x, axis=1),
    "diagonal": lambda x, y: np.diagonal(x) + np.trace(y),
    "tril": lambda x, y: np.tril(x),
    "argmax": lambda x, y: x * np.argmax(y, axis=1)[:, None],
    "astype": lambda x, y: (x.astype(np.float32) * 2).astype(np.float64) * y,
    "sigmoid": lambda x, y: ad.sigmoid(x) + ad.softplus(y) + ad.relu(x - 1),
    "softmax": lambda x, y: ad.softmax(x, axis=1) * ad.log_softmax(y) + ad.logsumexp(x),
    "writes": written,
    "out=": lambda x, y: np.add(x, y, out=x * 1),
    "checkpoint": lambda x, y: ad.checkpoint(lambda x: np.tanh(x) * 2)(x),
}


def derived(f, x, y):
    """The value and the gradients."""
    a, b = ad.Tensor(x), ad.Tensor(y)
    out = f(a, b)
    weights = np.cos(np.arange(float(out.size)).reshape(out.shape))
    return [out.numpy(), *ad.gradients(np.sum(out * weights), [a, b])]


def further(f, x, y):
    """A directional derivative and a Hessian-vector product."""
    return [ad.jvp(f, (x, y), (y, x))[1], *ad.hvp(lambda a, b: np.sum(f(a, b) ** 2), (x, y), (y, x))]


def assert_close(found, expected):
    for x, right in zip(found, expected, strict=True):
        assert x.dtype == right.dtype
        assert x.shape == right.shape
        np.testing.assert_allclose(x, right, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("derive", [derived, pytest.param(further, marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize("f", FUNCTIONS.values(), ids=FUNCTIONS)
def test_a_function_of_chunked_arrays(f, derive):
    with recording():
        found = derive(f, chunked(X), chunked(Y))
        assert isinstance(found[0], da.Array)
    with threads():
        assert_close(dask.compute(*found), derive(f, X, Y))


def test_functions_in_two_worker_processes(processes):
    assert len(FUNCTIONS) >= 30
    with recording():
        found = [derived(f, chunked(X), chunked(Y)) for f in FUNCTIONS.values()]
    with processes():
        found = dask.compute(found)[0]
    for f, each in zip(FUNCTIONS.values(), found, strict=True):
        assert_close(each, derived(f, X, Y))


# --- training ---------------------------------------------------------------------------------------------------------

DATA, TARGET = RNG.standard_normal((24, 6)), RNG.random((24, 2))


def by_hand(data, target, compute):
    """The loop, written out."""
    rng = np.random.default_rng(1)
    W1, b1, W2 = (ad.Tensor(rng.standard_normal(shape)) for shape in ((6, 8), (8,), (8, 2)))
    losses = []
    for _ in range(5):
        loss = np.mean((np.tanh(data @ W1 + b1) @ W2 - target) ** 2)
        value, *gradients = compute(loss.numpy(), *ad.gradients(loss, [W1, b1, W2]))
        with ad.no_grad():
            for w, gradient in zip((W1, b1, W2), gradients, strict=True):
                w -= 0.1 * gradient
        losses.append(value)
    assert losses[-1] < losses[0]
    return [np.array(losses), W1.numpy(), b1.numpy(), W2.numpy()]


def by_step(optimizer, data, target):
    model = nn.MLP([6, 8, 2], rng=0)
    step = nn.TrainStep(model, nn.mse, optimizer(model.parameters()))
    losses = [step(data, target) for _ in range(2)]
    return [np.array(losses), *(parameter.numpy() for parameter in model.parameters())]


OPTIMIZERS = {
    "SGD": lambda p: nn.SGD(p, lr=0.1),
    "momentum": lambda p: nn.SGD(p, lr=0.1, momentum=0.9),
    "Adam": lambda p: nn.Adam(p),
}


def test_training_in_threads():
    with threads():
        data, target = chunked(DATA), chunked(TARGET)
        assert_close(by_hand(data, target, dask.compute), by_hand(DATA, TARGET, lambda *values: values))
        for optimizer in OPTIMIZERS.values():
            assert_close(by_step(optimizer, data, target), by_step(optimizer, DATA, TARGET))


def test_training_in_two_worker_processes(processes):
    with processes():
        data, target = chunked(DATA), chunked(TARGET)
        assert_close(by_hand(data, target, dask.compute), by_hand(DATA, TARGET, lambda *values: values))
        assert_close(by_step(OPTIMIZERS["Adam"], data, target), by_step(OPTIMIZERS["Adam"], DATA, TARGET))


# --- laziness ---------------------------------------------------------------------------------------------------------


def test_nothing_is_computed_that_was_not_asked_for():
    with recording():
        x = ad.Tensor(chunked(X), name="x")
        np.sum(x**2).backward()
        np.sum(x).backward()
        assert isinstance(x.grad, da.Array)
        with ad.no_grad():
            x -= 0.1 * x.grad
        assert x.is_leaf
        x.data -= 1.0
        z = x * 2
        z.on_gradient(lambda gradient: gradient * 0.5)
        assert "dask.array" in repr(x)
        assert "from=multiply" in repr(z)
        assert "dask.array" in str(z)
        (gradient,) = ad.gradients(np.sum(z), [x])
        (second,) = ad.gradients(np.sum(ad.gradients(np.sum(x**3), [x], record=True)[0]), [x])
        each = ad.vmap(ad.grad(lambda row: np.sum(row**2)))(chunked(X))
    np.testing.assert_allclose(x.numpy(), X - 0.1 * (2 * X + 1) - 1)
    np.testing.assert_allclose(gradient, np.ones((4, 6)))
    np.testing.assert_allclose(second, 6 * x.numpy())
    np.testing.assert_allclose(each, 2 * X)


def test_asking_computes():
    with threads():
        x = ad.Tensor(chunked(X))
        assert np.sum(x).item() == pytest.approx(X.sum())
        assert bool(np.max(x) > 1)
        assert x[0, 0].item() == X[0, 0]
        np.testing.assert_array_equal(np.asarray(x.detach()), X)
        np.testing.assert_array_equal(np.add(x.detach(), 1, out=np.zeros((4, 6))), X + 1)
        with ad.anomaly(), pytest.raises(ad.errors.AnomalyError, match="24 of 24"), np.errstate(invalid="ignore"):
            np.sqrt(-x)


# --- what is refused --------------------------------------------------------------------------------------------------


def updated_part(x):
    x[1:] += 1.0


def write_through_a_view(x):
    v = x.T
    v[0] = 1.0


def read_a_view_after_the_write(x):
    v = x[1:]
    x[0] = 1.0
    return v * 2


REFUSED = {
    "a mask as an index": (lambda x: x[x > 1], "np.where"),
    "a part in place": (updated_part, r"t\[i\] = t\[i\] \+ x"),
    "a write through a view": (write_through_a_view, r"\.copy\(\)"),
    "a view from before the write": (read_a_view_after_the_write, "after that"),
}


@pytest.mark.parametrize(("write", "remedy"), REFUSED.values(), ids=REFUSED)
def test_what_another_kind_of_array_cannot_do_is_refused(write, remedy):
    """A Dask array has no views: never a number that differs from NumPy's."""
    with recording(), pytest.raises(ad.errors.GradientError, match=remedy):
        write(ad.Tensor(chunked(X)) * 1)


def test_a_copy_is_its_own():
    x = ad.Tensor(chunked(X)) * 1
    for copy in (x[1:].copy(), x[[1, 2, 3]], np.tanh(x[1:]) * 0):
        copy[0] = 1.0
        x[0] = 0.0
        np.testing.assert_array_equal(copy.numpy()[0], np.ones(6))


KINDS = {
    "np.matrix": (lambda: np.matrix([[1.0, 2.0]]), "np.asarray"),
    "a masked array": (lambda: np.ma.array([1.0, 2.0], mask=[True, False]), "filled"),
    "a sparse matrix": (lambda: pytest.importorskip("scipy.sparse").eye(2).tocsr(), r"\.toarray\(\)"),
    "objects": (lambda: np.array([1.0, None]), "numbers|in multiply"),
    "texts": (lambda: np.array(["1", "2"]), "numbers|in multiply"),
    "dates": (lambda: np.array(["2020-01-01"], dtype="M8[D]"), "numbers|in multiply"),
    "records": (lambda: np.zeros(2, [("a", float)]), "numbers|in multiply"),
}
USES = {"Tensor": ad.Tensor, "constant": ad.constant, "multiplied": lambda x: ad.Tensor([1.0, 2.0]) * x}


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize(("make", "remedy"), KINDS.values(), ids=KINDS)
def test_an_array_that_is_refused_says_why(make, remedy, use):
    with pytest.raises(TypeError, match=remedy):
        use(make())


def test_what_only_converts_is_copied():
    """Such as a torch tensor or a pandas series: an array of NumPy's is made of it."""

    class Series:
        def __array__(self, dtype=None, copy=None):
            return X.copy()

    for t in (ad.Tensor(Series()), ad.Tensor(X) * 0 + Series()):
        np.testing.assert_array_equal(t.numpy(), X)
