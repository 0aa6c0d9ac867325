"""Compiled training steps: the history and the weights of eager ones."""

import copy
import gc
import os
import pickle
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest

import autodiff as ad
import nn
from autodiff.readers.compiling import build, kept

numba = pytest.importorskip("numba")

rng = np.random.default_rng(0)
X, labels = rng.normal(size=(50, 6)), rng.integers(0, 4, 50)
TARGETS = {nn.cross_entropy: labels, nn.mse: rng.normal(size=(50, 4)), nn.squared_error: rng.normal(size=(50, 4))}
TARGETS[nn.binary_cross_entropy] = rng.integers(0, 2, (50, 4))
OPTIMIZERS = {
    "SGD": lambda p: nn.SGD(p, 0.05),
    "momentum": lambda p: nn.SGD(p, 0.05, momentum=0.9, weight_decay=0.01),
    "nesterov": lambda p: nn.SGD(p, 0.05, momentum=0.9, nesterov=True),
    "Adam": lambda p: nn.Adam(p, 0.01),
    "Adam, decay": lambda p: nn.Adam(p, 0.01, weight_decay=0.1),
}


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("AUTODIFF_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "autodiff-cache"))


def network(activation="tanh", dtype=float, sizes=(6, 5, 4)):
    return nn.MLP(list(sizes), activation=activation, rng=0, dtype=dtype)


def trained(backend, optimizer="SGD", loss=nn.cross_entropy, batch_size=16, dtype=float, activation="tanh", epochs=4):
    model = network(activation, dtype)
    history = nn.fit(
        model, X.astype(dtype), TARGETS[loss].astype(dtype) if loss is not nn.cross_entropy else labels, loss=loss,
        optimizer=OPTIMIZERS[optimizer](model.parameters()), epochs=epochs, batch_size=batch_size, rng=1,
        compile=backend, progress=False, validation=(X[:5].astype(dtype), TARGETS[loss][:5]),
    )  # fmt: skip
    return history, [p.numpy() for p in model.parameters()]


def assert_close(found, expected, dtype=float):
    tolerance = 1e-13 if dtype is float else 1e-5
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance * np.max(np.abs(other)))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("loss", TARGETS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("batch_size", [None, 16])
def test_numpy_is_eager_to_the_bit(optimizer, loss, batch_size):
    (found, weights), (expected, others) = (trained(b, optimizer, loss, batch_size) for b in ("numpy", None))
    assert found.loss == expected.loss
    assert found.validation_loss == expected.validation_loss
    for one, other in zip(weights, others, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("activation", nn.layers.ACTIVATIONS)
@pytest.mark.parametrize("dtype", [float, np.float32])
def test_numpy_with_each_activation(activation, dtype):
    (found, weights), (expected, others) = (
        trained(b, loss=nn.mse, dtype=dtype, activation=activation, epochs=2) for b in ("numpy", None)
    )
    assert found.loss == expected.loss
    for one, other in zip(weights, others, strict=True):
        np.testing.assert_array_equal(one, other)


exhaustive = pytest.mark.exhaustive  # machine code takes a second or more to make


@pytest.mark.parametrize(
    ("optimizer", "loss", "dtype"),
    [
        ("SGD", nn.cross_entropy, np.float32),
        pytest.param("Adam", nn.cross_entropy, np.float32, marks=exhaustive),
        pytest.param("Adam", nn.mse, float, marks=exhaustive),
        pytest.param("nesterov", nn.mse, float, marks=exhaustive),
        pytest.param("nesterov", nn.binary_cross_entropy, np.float32, marks=exhaustive),
    ],
)
def test_numba_is_near(optimizer, loss, dtype):
    (found, weights), (expected, others) = (trained(b, optimizer, loss, 16, dtype, epochs=2) for b in ("numba", None))
    np.testing.assert_allclose(found.loss, expected.loss, rtol=1e-12 if dtype is float else 1e-5)
    for one, other in zip(weights, others, strict=True):
        scale = np.max(np.abs(other))
        np.testing.assert_allclose(one, other, rtol=0, atol=scale * (1e-11 if dtype is float else 2e-4))


@pytest.mark.parametrize("dtype", [np.float32, pytest.param(float, marks=exhaustive)])
@pytest.mark.parametrize(
    "activation",
    [name if name == "sigmoid" else pytest.param(name, marks=exhaustive) for name in nn.layers.ACTIVATIONS],
)
def test_numba_steps_along_a_training(activation, dtype):
    """A hundred steps, each from weights that are equal to the bit; then a loss curve of a thousand."""
    model, other = network(activation, dtype), network(activation, dtype)
    step = nn.TrainStep(model, nn.cross_entropy, nn.SGD(model.parameters(), 0.05), compile="numba")
    eager = nn.TrainStep(other, nn.cross_entropy, nn.SGD(other.parameters(), 0.05))
    x = X.astype(dtype)
    for _ in range(100):
        other.load_state_dict(model.state_dict())
        assert step(x, labels) == pytest.approx(eager(x, labels), rel=1e-13 if dtype is float else 1e-5)
        assert_close([p.numpy() for p in model.parameters()], [p.numpy() for p in other.parameters()], dtype)
    other.load_state_dict(model.state_dict())
    np.testing.assert_allclose(step.run(x, labels, 1000), eager.run(x, labels, 1000), rtol=0.01)


@pytest.mark.parametrize("backend", [None, "numpy", pytest.param("numba", marks=exhaustive)])
@pytest.mark.parametrize("batch_size", [None, 16])
@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_run_is_fit(backend, batch_size, optimizer):
    expected, weights = trained(None, optimizer, batch_size=batch_size)
    model = network()
    step = nn.TrainStep(model, nn.cross_entropy, OPTIMIZERS[optimizer](model.parameters()), compile=backend)
    losses = step.run(X, labels, 4, batch_size=batch_size, rng=1)
    np.testing.assert_allclose(losses, expected.loss, rtol=1e-12 if backend == "numba" else 0)
    assert_close([p.numpy() for p in model.parameters()], weights) if backend != "numba" else None


@pytest.mark.exhaustive
def test_the_loop_inside_machine_code():
    """On all data at once: two programs, the first step's and that of all others."""
    models = [network(sizes=(6, 4)), network(sizes=(6, 4))]
    steps = [
        nn.TrainStep(model, nn.mse, nn.Adam(model.parameters()), compile=backend)
        for model, backend in zip(models, (None, "numba"), strict=True)
    ]
    losses = [step.run(X, TARGETS[nn.mse], 50) for step in steps]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-12)
    assert_close(*([p.numpy() for p in model.parameters()] for model in models))


@pytest.mark.parametrize("backend", ["numpy", pytest.param("numba", marks=exhaustive)])
def test_nothing_that_somebody_holds_is_written(backend):
    model = network()
    step = nn.TrainStep(model, nn.cross_entropy, nn.SGD(model.parameters(), 0.5), compile=backend)
    step(X, labels)
    weight = next(model.parameters())
    view, kept = weight.numpy(), weight.numpy().copy()
    loss = np.sum(weight * weight)
    step(X, labels)
    np.testing.assert_array_equal(view, kept)
    loss.backward()
    np.testing.assert_array_equal(weight.grad, 2 * kept)
    assert not np.array_equal(weight.numpy(), kept)


def test_what_changes_is_seen():
    models = [nn.Sequential(nn.Linear(6, 4, rng=0), nn.Tanh(), nn.Linear(4, 4, rng=1)) for _ in range(2)]
    optimizers = [nn.SGD(model.parameters(), 0.1, momentum=0.5) for model in models]
    steps = [nn.TrainStep(m, "mse", o, compile=c) for m, o, c in zip(models, optimizers, (None, "numpy"), strict=True)]
    y = rng.normal(size=(50, 4))

    def change(do):
        for model, optimizer in zip(models, optimizers, strict=True):
            do(model, optimizer)

    for do in (
        lambda m, o: None,
        lambda m, o: setattr(o, "lr", 0.01),
        lambda m, o: setattr(o, "momentum", 0.9),
        lambda m, o: setattr(m[0].weight, "data", m[0].weight.numpy() * 2),
        lambda m, o: setattr(m[2].weight, "requires_grad", False),
        lambda m, o: setattr(m[2].weight, "requires_grad", True),
        lambda m, o: m.eval(),
        lambda m, o: setattr(m, "layers", (m[0], nn.ReLU(), m[2])),
        lambda m, o: o.load_state_dict(o.state_dict()),
    ):
        change(do)
        for _ in range(2):
            assert steps[0](X, y) == steps[1](X, y)
    for one, other in zip(models[0].parameters(), models[1].parameters(), strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


@pytest.mark.parametrize("backend", ["numpy", pytest.param("numba", marks=exhaustive)])
def test_parameters_are_used_between_steps(backend):
    """A program writes to their arrays, until somebody looks."""
    models = [network(sizes=(6, 4)) for _ in range(2)]
    optimizers = [nn.SGD(model.parameters(), 0.1) for model in models]
    steps = [nn.TrainStep(m, "mse", o, compile=c) for m, o, c in zip(models, optimizers, (None, backend), strict=True)]
    copies, views, y = [], [], TARGETS[nn.mse]

    def keep(model, optimizer):
        views.append((model.weight.numpy(), model.weight.numpy().copy()))

    def in_place(model, optimizer):
        model.weight.data -= 0.5

    def update(model, optimizer):
        with ad.no_grad():
            model.weight *= 2
            model.weight[0] = 1

    for do in (
        lambda m, o: None,
        keep,
        lambda m, o: setattr(m.weight, "data", np.ones((6, 4))),
        in_place,
        update,
        lambda m, o: copies.append(copy.deepcopy(m)),
        lambda m, o: copies.append(pickle.loads(pickle.dumps(m))),
        lambda m, o: m.load_state_dict(m.state_dict()),
        lambda m, o: (o.zero_grad(), nn.squared_error(m(X), y).backward(), o.step()),
        lambda m, o: setattr(o, "lr", 0.01),
    ):
        for model, optimizer in zip(models, optimizers, strict=True):
            do(model.layers[0], optimizer)
        for rows in (50, 50, 20, 50):
            losses = [step(X[:rows], y[:rows]) for step in steps]
            assert losses[1] == (losses[0] if backend == "numpy" else pytest.approx(losses[0], rel=1e-12))
    for one, other in zip(copies[::2], copies[1::2], strict=True):
        assert_close([p.numpy() for p in one.parameters()], [p.numpy() for p in other.parameters()])
    for view, kept_copy in views:
        np.testing.assert_array_equal(view, kept_copy)


def test_labels_are_checked_at_each_call():
    model = network()
    step = nn.TrainStep(model, nn.cross_entropy, nn.SGD(model.parameters(), 0.1), compile="numpy")
    step(X, labels)
    with pytest.raises(ValueError, match="labels go from 0 to 3"):
        step(X, labels + 1)


def test_the_source_of_a_step():
    model = nn.MLP([2, 4, 1], activation="tanh", bias=False, rng=0)
    step = nn.TrainStep(model, nn.squared_error, nn.SGD(model.parameters(), 0.1), compile="numpy")
    with pytest.raises(RuntimeError, match="not called yet"):
        _ = step.source
    step(np.ones((3, 2)), np.ones((3, 1)))
    assert step.source == SOURCE
    assert "W1" in step.program
    with pytest.raises(AttributeError, match="compile='numpy'"):
        _ = nn.TrainStep(model, nn.squared_error, nn.SGD(model.parameters(), 0.1)).source


SOURCE = """\
import numpy as np


def update(X, y, lr, W1, W2):
    # layer 1
    z1 = X @ W1
    a1 = np.tanh(z1)
    # layer 2
    z2 = a1 @ W2
    # loss
    z2_grad = z2 - y
    loss = np.sum(np.square(z2_grad)) / 2
    # gradient of layer 2
    a1_grad = z2_grad.dot(W2.T)
    W2_grad = a1.T.dot(z2_grad)
    # gradient of layer 1
    z1_grad = a1_grad * (1.0 - a1 ** 2)
    W1_grad = X.T.dot(z1_grad)
    # update
    W1 = W1 - lr * W1_grad
    W2 = W2 - lr * W2_grad
    return loss, W1, W2
"""


# --- the cache on disk ------------------------------------------------------------------------------------------------

PROGRAM = """
import numpy as np, autodiff as ad, sys
f = ad.compile(lambda x: np.sum(np.tanh(x) * 2), backend="numba")
x = np.array([0.5, 1.0])
assert abs(f(x) - np.sum(np.tanh(x) * 2)) < 1e-14
print(sum(f.latest.code.module.step.stats.cache_hits.values()))
"""


def process(folder, **variables):
    env = os.environ | {"AUTODIFF_CACHE_DIR": str(folder), "PYTHONPATH": str(Path(__file__).parents[2])} | variables
    return subprocess.Popen([sys.executable, "-c", PROGRAM], env=env, stdout=subprocess.PIPE, text=True)


def hits(running):
    """How many functions a process has found in the cache."""
    found = running.communicate()[0]
    assert running.returncode == 0
    return int(found)


@pytest.mark.exhaustive
def test_the_cache_survives_processes_and_kills(tmp_path):
    for each in [process(tmp_path), process(tmp_path)]:
        hits(each)
    assert hits(process(tmp_path)) == 1
    killed = process(tmp_path)
    killed.kill()
    killed.communicate()
    assert hits(process(tmp_path)) == 1


@pytest.mark.exhaustive
def test_each_kind_of_processor_has_its_own(tmp_path):
    hits(process(tmp_path))
    assert hits(process(tmp_path, NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="")) == 0
    assert hits(process(tmp_path)) == 1


def kept_function(tmp_path, monkeypatch):
    """A function that is compiled, or loaded again from a folder, and what its dispatcher counts."""
    monkeypatch.setenv("AUTODIFF_CACHE_DIR", str(tmp_path))
    kept.load.cache_clear()
    f = ad.compile(lambda x: np.sum(x * 2 + 1), backend="numba")
    assert f(np.array([0.5, 1.0])) == 5
    return f.latest.code.module.step.stats


def test_a_damaged_cache_is_made_again(tmp_path, monkeypatch):
    kept_function(tmp_path, monkeypatch)
    assert kept_function(tmp_path, monkeypatch).cache_hits
    for damage in (lambda data: data[:20], lambda data: data[:-200] + bytes(200), lambda data: b""):
        for file in tmp_path.rglob("*.nb*"):
            file.write_bytes(damage(file.read_bytes()))
        assert not kept_function(tmp_path, monkeypatch).cache_hits
    for file in tmp_path.rglob("step_*.py"):
        file.write_text("raise SystemExit")
    kept_function(tmp_path, monkeypatch)


def test_a_full_disk(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(numba.core.caching.IndexDataCacheFile, "save", full)
    kept_function(tmp_path, monkeypatch)
    monkeypatch.setattr(kept.tempfile, "mkstemp", full)
    kept_function(tmp_path / "other", monkeypatch)


def test_without_a_folder_to_write_to(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_text("no folder")
    kept_function(file, monkeypatch)
    monkeypatch.setattr(numba.core.caching._CacheLocator, "ensure_cache_path", lambda _: 1 / 0)
    monkeypatch.setattr(numba.core.caching.CacheImpl, "_locator_classes", [])
    kept_function(tmp_path, monkeypatch)


def test_who_waits_is_told_why(monkeypatch, capsys):
    """While a program is compiled; not where that is done soon."""
    for patience in (60, 0):
        monkeypatch.setattr(build, "PATIENCE", patience)
        monkeypatch.setattr(build.Native, "_compile", waiting(build.Native._compile))
        ad.compile(lambda x, patience=patience: x * (patience + 0.25), backend="numba")(np.ones(2))
        told = capsys.readouterr().err
        assert ("compiling" in told) == (patience == 0)


def waiting(compile):
    """The same, when all threads had their turn."""

    def wait(*arguments):
        compile(*arguments)
        for thread in threading.enumerate():
            if isinstance(thread, threading.Timer) and thread.interval == 0:
                thread.join()

    return wait


def test_what_numba_lacks_is_called_as_numpy():
    f = ad.compile(lambda x: np.cumsum(np.linalg.inv(x), axis=0) * np.sin(x), backend="numba")
    x = rng.normal(size=(3, 3)) + 3 * np.eye(3)
    f(np.eye(3))
    np.testing.assert_allclose(f(x), np.cumsum(np.linalg.inv(x), axis=0) * np.sin(x), rtol=1e-13)
    assert "objmode" in f.program


def test_what_numba_cannot_do_is_said():
    cube = ad.primitive(lambda x: x**3, "g * 3 * x**2")
    with pytest.raises(ad.errors.BackendError, match=r"numpy"):
        ad.compile(cube, backend="numba")(np.ones(2))
    with pytest.raises(ValueError, match="backend"):
        ad.compile(cube, backend="cuda")


@pytest.mark.parametrize("backend", ["numpy", pytest.param("numba", marks=exhaustive)])
def test_a_model_is_freed_with_its_step(backend):
    model = network()
    step = nn.TrainStep(model, nn.mse, nn.SGD(model.parameters(), 0.5), compile=backend)
    for _ in range(3):
        step(X, TARGETS[nn.mse])
    array = weakref.ref(model.layers[0].weight._link.array)
    del model, step
    gc.collect()
    assert array() is None


def test_memory_of_a_step_is_freed():
    model = network()
    step = nn.TrainStep(model, nn.cross_entropy, nn.SGD(model.parameters(), 0.5), compile="numpy")
    step(X, labels)
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(50):
        step(X, labels)
    assert len(gc.get_objects()) - before < 100


def test_parameters_of_equal_names_and_counters_that_part():
    def two():
        first, second = nn.Parameter(np.ones(3), name="w"), nn.Parameter(np.full(3, 2.0), name="w")

        class Net(nn.Module):
            def __init__(self):
                self.first, self.second, self.both = first, second, True

            def forward(self, x):
                return x * self.first * self.second if self.both else x * self.first

        model = Net()
        return model, nn.Adam(model.parameters(), 0.1)

    x, y = np.array([1.0, 2.0, 3.0]), np.zeros(3)
    weights = []
    for backend in (None, "numpy"):
        model, optimizer = two()
        step = nn.TrainStep(model, "mse", optimizer, compile=backend)
        for both in (True, True, False, False, False, True, True):
            model.both = both
            step(x, y)
        weights.append([p.numpy() for p in model.parameters()])
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("backend", ["numpy", pytest.param("numba", marks=exhaustive)])
def test_dropout_draws_afresh_in_eager_order(backend):
    histories = []
    for each in (None, backend):
        model = nn.Sequential(nn.Linear(6, 5, rng=0), nn.Dropout(0.4, rng=1), nn.Tanh(), nn.Dropout(0.2, rng=2))
        model = nn.Sequential(model, nn.Linear(5, 4, rng=3))
        options = {"epochs": 3, "batch_size": 25, "rng": 4, "progress": False, "compile": each}
        optimizer = nn.SGD(model.parameters(), 0.1)
        histories.append(nn.fit(model, X, labels, loss=nn.cross_entropy, optimizer=optimizer, **options).loss)
    if backend == "numpy":
        assert histories[0] == histories[1]
    np.testing.assert_allclose(histories[1], histories[0], rtol=1e-12)
