"""TrainStep, fit and History."""

import contextlib
import gc
import io
import subprocess
import sys
import textwrap
import weakref
from pathlib import Path

import numpy as np
import pytest

import autodiff as ad
import nn

X = np.array([[3.0, 5.0], [5.0, 1.0], [10.0, 2.0]])
Y = np.array([[0.75], [0.82], [0.93]])


def network(**options):
    return nn.MLP(**{"sizes": [2, 4, 1], "output": "sigmoid", "rng": 0} | options)


def sgd(model, lr=1.0):
    return nn.SGD(model.parameters(), lr)


def fit(model=None, x=X, y=Y, **options):
    model = model or network()
    defaults = {"loss": nn.squared_error, "optimizer": sgd(model), "epochs": 3}
    return nn.fit(model, x, y, **defaults | options)


def line(n=10):
    """y = 2 x + 1, and a model that can say so."""
    x = np.linspace(-1, 1, n)[:, None]
    return nn.Linear(1, 1, rng=0), x, 2 * x + 1


class Probe(nn.Module):
    """A parameter, and a note of each call: the first column of x, and the mode."""

    def __init__(self):
        self.w = nn.Parameter(0.0)
        self.calls = []

    def forward(self, x):
        self.calls.append((np.ravel(x.numpy()).tolist(), self.training))
        return self.w * x


# --- TrainStep --------------------------------------------------------------------------------------------------------


def test_a_step_is_forward_backward_update_and_gives_the_loss_before():
    model, twin = network(), network()
    step = nn.TrainStep(model, nn.squared_error, sgd(model))
    for _ in range(3):
        loss = nn.squared_error(twin(X), Y)
        twin.zero_grad()
        loss.backward()
        with ad.no_grad():
            for p in twin.parameters():
                p -= 1.0 * p.grad
        value = step(X, Y)
        assert type(value) is float
        assert value == loss.item()
    for one, other in zip(model.parameters(), twin.parameters(), strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_a_step_equals_the_seeds_backpropagation():
    model = network(bias=False)
    W1, W2 = (p.numpy().copy() for p in model.parameters())
    a2 = 1 / (1 + np.exp(-(X @ W1)))
    y_hat = 1 / (1 + np.exp(-(a2 @ W2)))
    delta1 = (y_hat - Y) * y_hat * (1 - y_hat)
    delta2 = delta1 @ W2.T * a2 * (1 - a2)
    loss = nn.TrainStep(model, "squared_error", sgd(model))(X, Y)
    np.testing.assert_allclose(loss, np.sum((Y - y_hat) ** 2) / 2, rtol=1e-12)
    np.testing.assert_allclose(model[0].weight.grad, X.T @ delta2, rtol=1e-12)
    np.testing.assert_allclose(model[2].weight.grad, a2.T @ delta1, rtol=1e-12)
    np.testing.assert_allclose(model[0].weight.numpy(), W1 - X.T @ delta2, rtol=1e-12)


def test_a_step_copies_no_data_and_keeps_none():
    held, seen = {"X": X.copy()}, []

    class Spy(nn.Linear):
        def forward(self, x):
            seen.append((x.name, x.requires_grad, np.shares_memory(x.numpy(), held["X"])))
            return super().forward(x)

    model = Spy(2, 1)
    nn.TrainStep(model, nn.mse, sgd(model, 0.01))(held["X"], Y)
    assert seen == [("X", False, True)]
    assert held["X"].flags.writeable
    alive = weakref.ref(held["X"])
    del held["X"]
    assert alive() is None


def test_the_graph_is_dropped_without_the_garbage_collector():
    model = network()
    graphs = []

    def loss(prediction, target):
        graphs.append(weakref.ref(prediction))
        return nn.mse(prediction, target)

    step = nn.TrainStep(model, loss, sgd(model))
    gc.disable()
    try:
        for _ in range(3):
            step(X, Y)
        assert all(graph() is None for graph in graphs)
    finally:
        gc.enable()


def test_a_step_takes_lists_integers_and_tensors():
    def losses(x):
        model = network()
        step = nn.TrainStep(model, nn.mse, sgd(model))
        return [step(x, Y), step(x, Y)]

    for x in (X.tolist(), X.astype(int), ad.constant(X), ad.Tensor(X)):
        assert losses(x) == losses(X)


def test_float32_stays_float32():
    model = network(dtype=np.float32)
    step = nn.TrainStep(model, nn.mse, nn.Adam(model.parameters()))
    step(X.astype(np.float32), Y.astype(np.float32))
    assert {p.numpy().dtype for p in model.parameters()} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"model": np.tanh}, TypeError, "model must be a Module, not <ufunc 'tanh'>"),
        ({"optimizer": nn.SGD}, TypeError, r"optimizer must be one such as SGD\(model.parameters\(\), lr=0.1\)"),
        ({"optimizer": "adam"}, TypeError, "optimizer must be one such as"),
        ({"optimizer": sgd(network())}, ValueError, "none of this model's parameters: make it from model.parameters"),
        ({"loss": "mes"}, ValueError, "unknown loss 'mes': known are 'binary_cross_entropy', 'cross_entropy', 'mse'"),
        ({"loss": None}, ValueError, "unknown loss None"),
    ],
)
def test_a_step_refuses_bad_arguments(change, error, message):
    model = network()
    with pytest.raises(error, match=message):
        nn.TrainStep(**{"model": model, "loss": nn.mse, "optimizer": sgd(model)} | change)


def test_a_loss_must_depend_on_the_parameters():
    model = network()
    with pytest.raises(TypeError, match="the loss is a float, not a Tensor"):
        nn.TrainStep(model, lambda p, y: 1.0, sgd(model))(X, Y)
    with pytest.raises(ad.errors.GradientError, match="carries no gradient"):
        nn.TrainStep(model, lambda p, y: nn.mse(p.detach(), y), sgd(model))(X, Y)
    with pytest.raises(ad.errors.GradientError, match="no scalar"):
        nn.TrainStep(model, lambda p, y: p - y, sgd(model))(X, Y)


def test_the_wrong_shape_of_y_is_an_error_and_changes_nothing():
    model = network()
    before = model.state_dict()
    with pytest.raises(ad.errors.ShapeError, match=r"prediction \(3, 1\) and target \(3,\) .* target.reshape\(3, 1\)"):
        nn.TrainStep(model, nn.mse, sgd(model))(X, Y[:, 0])
    np.testing.assert_equal(model.state_dict(), before)


def test_repr_of_a_step():
    model = nn.Linear(2, 1)
    assert repr(nn.TrainStep(model, "mse", sgd(model, 0.1))) == (
        "TrainStep(loss=mse, optimizer=SGD(lr=0.1, weight_decay=0.0, momentum=0.0, nesterov=False) of 3 parameters)"
    )


# --- fit --------------------------------------------------------------------------------------------------------------


def test_fit_of_whole_epochs_is_a_step_each():
    model, twin = network(), network()
    step = nn.TrainStep(twin, nn.squared_error, sgd(twin))
    history = fit(model, epochs=5)
    assert history.loss == [step(X, Y) for _ in range(5)]
    assert history.validation_loss == []
    np.testing.assert_equal(model.state_dict(), twin.state_dict())


def test_fit_learns_a_line():
    model, x, y = line()
    history = nn.fit(model, x, y, loss="mse", optimizer=sgd(model, 0.3), epochs=100, batch_size=4, rng=0)
    assert history.loss[-1] < 1e-12 < history.loss[0]
    np.testing.assert_allclose([model.weight.item(), model.bias.item()], [2, 1], rtol=1e-5)


def test_minibatches_take_every_sample_once_in_a_new_order():
    model = Probe()
    x = np.arange(1.0, 11.0)
    nn.fit(model, x, x, loss=nn.mse, optimizer=sgd(model, 0.001), epochs=2, batch_size=4, rng=0)
    batches = [batch for batch, _ in model.calls]
    assert [len(batch) for batch in batches] == [4, 4, 2] * 2
    first, second = sum(batches[:3], []), sum(batches[3:], [])  # noqa: RUF017
    assert sorted(first) == sorted(second) == x.tolist()
    assert len({tuple(first), tuple(second), tuple(x)}) == 3


def test_x_and_y_are_shuffled_together():
    pairs = []

    def loss(prediction, target):
        pairs.extend(zip(model.calls[-1][0], np.ravel(target.numpy()).tolist(), strict=True))
        return nn.mse(prediction, target)

    model, x = Probe(), np.arange(10.0)
    nn.fit(model, x, 3 * x, loss=loss, optimizer=sgd(model, 0.001), epochs=3, batch_size=3, rng=0)
    assert len(pairs) == 30
    assert all(b == 3 * a for a, b in pairs)


def test_the_seed_decides_the_order():
    def losses(rng):
        model, x, y = line()
        return nn.fit(model, x, y, loss=nn.mse, optimizer=sgd(model, 0.1), epochs=3, batch_size=3, rng=rng).loss

    assert losses(0) == losses(0) == losses(np.random.default_rng(0))
    assert losses(0) != losses(1)


@pytest.mark.parametrize("loss", [nn.mse, nn.squared_error])
def test_the_loss_of_an_epoch_is_that_of_all_samples(loss):
    """With a learning rate of 0 each minibatch sees the same weights."""
    model, x, y = line()
    whole = loss(model(x), y).item()
    history = nn.fit(model, x, y, loss=loss, optimizer=sgd(model, 0.0), epochs=2, batch_size=4, rng=0)
    np.testing.assert_allclose(history.loss, whole, rtol=1e-14)


def test_a_batch_of_all_or_more_is_the_whole_in_order():
    for size in (None, 10, 11):
        model = Probe()
        x = np.arange(10.0)
        nn.fit(model, x, x, loss=nn.mse, optimizer=sgd(model, 0.001), epochs=2, batch_size=size, rng=0)
        assert [batch for batch, _ in model.calls] == [x.tolist()] * 2


def test_the_data_are_not_written():
    x, y = X.copy(), Y.copy()
    x.setflags(write=False)
    y.setflags(write=False)
    fit(x=x, y=y, batch_size=2)
    fit(x=x, y=y)
    np.testing.assert_array_equal(x, X)


def test_fit_takes_lists_and_constants():
    expected = fit().loss
    assert fit(x=X.tolist(), y=Y.tolist()).loss == expected
    assert fit(x=ad.constant(X), y=ad.constant(Y)).loss == expected


def test_no_epochs_train_nothing():
    model = network()
    before = model.state_dict()
    history = fit(model, epochs=0)
    assert (history.loss, history.validation_loss, history.interrupted) == ([], [], False)
    assert repr(history) == "History(0 epochs)"
    np.testing.assert_equal(model.state_dict(), before)


def test_validation_follows_each_epoch_in_eval_mode():
    model = Probe()
    x, x_held = np.arange(4.0), np.arange(10.0, 13.0)
    history = nn.fit(
        model, x, x, loss=nn.mse, optimizer=sgd(model, 0.01), epochs=2, batch_size=2, validation=(x_held, x_held), rng=0
    )
    assert [training for _, training in model.calls] == [True, True, False] * 2
    assert [batch for batch, training in model.calls if not training] == [x_held.tolist()] * 2
    assert len(history.validation_loss) == 2
    np.testing.assert_allclose(history.validation_loss[-1], nn.mse(model.w.item() * x_held, x_held), rtol=1e-15)
    assert all(type(value) is float for value in history.loss + history.validation_loss)


def test_validation_records_nothing_and_updates_nothing():
    recorded = []

    class Spy(nn.Linear):
        def forward(self, x):
            out = super().forward(x)
            recorded.append(out.requires_grad)
            return out

    model = Spy(2, 1)
    fit(model, optimizer=sgd(model, 0.0), validation=(X, Y), epochs=2)
    assert recorded == [True, False, True, False]


def test_every_module_keeps_its_mode():
    model = nn.Sequential(nn.Linear(2, 1), nn.Sigmoid()).eval()
    model[1].train()
    fit(model, validation=(X, Y))
    assert [module.training for module in model.modules()] == [False, False, True]
    with pytest.raises(ad.errors.ShapeError):
        fit(model, y=Y[:, 0])
    assert [module.training for module in model.modules()] == [False, False, True]


def test_callbacks_see_each_epoch_and_may_end_the_training():
    seen = []

    def note(epoch, history):
        seen.append((epoch, len(history.loss), len(history.validation_loss)))

    history = fit(epochs=10, validation=(X, Y), callbacks=[lambda epoch, history: epoch == 2, note])
    assert seen == [(0, 1, 1), (1, 2, 2), (2, 3, 3)]
    assert len(history.loss) == 3
    assert not history.interrupted
    assert len(fit(epochs=10, callbacks=[lambda epoch, history: history.loss[-1] < np.float64(1e9)]).loss) == 1


def test_an_error_in_a_callback_comes_out():
    with pytest.raises(ZeroDivisionError):
        fit(callbacks=[lambda epoch, history: 1 / 0])


@pytest.mark.parametrize("where", ["callback", "forward", "validation"])
def test_ctrl_c_loses_nothing(where):
    def interrupt(epoch, history):
        if epoch == 2:
            raise KeyboardInterrupt

    class Interrupted(nn.Linear):
        calls = 0

        def forward(self, x):
            Interrupted.calls += 1
            if Interrupted.calls == (7 if where == "forward" else 6):  # two calls an epoch
                raise KeyboardInterrupt
            return super().forward(x)

    model = nn.Linear(2, 1, rng=0) if where == "callback" else Interrupted(2, 1, rng=0)
    callbacks = [interrupt] if where == "callback" else []
    history = fit(model, optimizer=sgd(model, 0.001), epochs=10, validation=(X, Y), callbacks=callbacks)
    assert history.interrupted
    assert len(history.loss) == 3
    assert len(history.validation_loss) == (2 if where == "validation" else 3)
    assert repr(history).endswith("interrupted)")
    assert model.training
    assert (model.weight * 1).requires_grad


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"y": Y[:2]}, ValueError, "X and y hold 3 and 2 samples"),
        ({"x": X[:0], "y": Y[:0]}, ValueError, r"at least one sample, not \(0, 2\) and \(0, 1\)"),
        ({"x": np.ma.masked_array(X, X > 5)}, TypeError, r"would lose its mask; fill it first: array.filled\(0\)"),
        ({"x": 1.0}, ValueError, r"at least one sample, not \(\) and \(3, 1\)"),
        ({"epochs": -1}, ValueError, "epochs must be at least 0, not -1"),
        ({"epochs": 1.5}, TypeError, "epochs must be a whole number, not 1.5"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1, not 0"),
        ({"batch_size": "all"}, TypeError, "batch_size must be a whole number, not 'all'"),
        ({"validation": X}, TypeError, "validation is a pair of arrays"),
        ({"validation": (X, Y[:2])}, ValueError, "the validation X and y hold 3 and 2 samples"),
        ({"callbacks": print}, TypeError, r"write callbacks=\[callback\]"),
        ({"callbacks": [1]}, TypeError, "1 cannot be called"),
        ({"rng": 0.5}, TypeError, "rng must be None, an int seed or"),
        ({"loss": "l2"}, ValueError, "unknown loss 'l2'"),
        ({"optimizer": nn.Adam}, TypeError, "optimizer must be one such as"),
    ],
)
def test_fit_refuses_bad_arguments_before_it_begins(change, error, message):
    model = network()
    before = model.state_dict()
    with pytest.raises(error, match=message):
        fit(model, **change)
    np.testing.assert_equal(model.state_dict(), before)


# --- the progress bar -------------------------------------------------------------------------------------------------


def run(script):
    """What a fresh interpreter writes to stdout and to stderr."""
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(nn.__file__).parents[1])
    return done.stdout, done.stderr


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_bar_is_quiet_where_there_is_no_terminal():
    script = """
        import nn
        model = nn.Linear(1, 1)
        history = nn.fit(model, [[1.0]], [[2.0]], loss="mse", optimizer=nn.SGD(model.parameters(), 0.1), epochs=20)
        assert len(history.loss) == 20
        """
    assert run(script) == ("", "")


def test_the_bar_shows_in_a_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    history = fit(epochs=4, batch_size=2, validation=(X, Y))
    last = terminal.getvalue().split("\r")[-1]
    assert "epoch 4/4: 100%" in last
    assert "8/8" in last
    assert f"loss={history.loss[-1]:.4g}, validation={history.validation_loss[-1]:.4g}" in last


def test_a_notebook_decides_for_itself_whether_to_show_the_bar(monkeypatch):
    """Its stdout is no terminal, and tqdm's bar for notebooks shows unless `disable` is True."""
    import tqdm.auto

    bars = []
    monkeypatch.setattr(tqdm.auto, "tqdm", lambda **options: bars.append(options) or tqdm.std.tqdm(**options))
    fit()
    fit(progress=False)
    assert [bar["disable"] for bar in bars] == [None, True]


def test_the_bar_may_be_switched_off(monkeypatch):
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    fit(progress=False)
    assert terminal.getvalue() == ""


def test_the_bar_stands_still_where_training_ended(monkeypatch):
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    fit(epochs=10, callbacks=[lambda epoch, history: epoch == 3])
    assert "4/10" in terminal.getvalue().split("\r")[-1]


def test_importing_nn_loads_neither_tqdm_nor_matplotlib():
    assert run("import sys, nn; print({'tqdm', 'matplotlib'} & set(sys.modules))") == ("set()\n", "")


# --- History ----------------------------------------------------------------------------------------------------------


def test_history_says_how_it_went():
    assert repr(nn.History([0.5, 0.123456], [0.25])) == (
        "History(2 epochs, loss 0.5 to 0.1235, validation loss 0.25 to 0.25)"
    )


@pytest.fixture
def pyplot():
    matplotlib = pytest.importorskip("matplotlib")
    import matplotlib.pyplot as plt

    with matplotlib.rc_context(), contextlib.suppress(ImportError):
        plt.switch_backend("agg")
        yield plt
    plt.close("all")


def test_history_plots_itself(pyplot):
    ax = nn.History([4.0, 2.0, 1.0], [5.0, 3.0]).plot()
    training, validation = ax.get_lines()
    np.testing.assert_array_equal(training.get_xydata(), [[1, 4], [2, 2], [3, 1]])
    np.testing.assert_array_equal(validation.get_xydata(), [[1, 5], [2, 3]])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["training", "validation"]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_yscale()) == ("epoch", "loss", "log")


def test_history_plots_into_given_axes_and_bears_zero_and_nothing(pyplot):
    _, ax = pyplot.subplots()
    assert nn.History([1.0, 0.0]).plot(ax) is ax
    assert ax.get_yscale() == "linear"
    assert ax.get_legend() is None
    assert len(nn.History().plot().get_lines()) == 0


def test_plotting_without_matplotlib_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install matplotlib"):
        nn.History([1.0]).plot()
