"""Training: `TrainStep` is one update, `fit` is many, and `History` tells how they went."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from autodiff import Tensor, anonymous, constant, no_grad
from nn._check import plain, whole
from nn.compiled import CompiledStep
from nn.init import Seed, generator
from nn.losses import SUMS, Loss, find_loss
from nn.module import Module
from nn.optim import Optimizer

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class TrainStep:
    """One update as a function: `step(X, y)` runs forward, backward and the optimizer, and returns the loss before it.

    `loss` is a function of (prediction, target) that gives a scalar, or a name of `nn.losses.LOSSES`. X and y are
    adopted without a copy, so no other thread may write to them during the call; nothing refers to them afterwards.
    With `compile="numpy"` it runs as one program, the same bits, whose text is `.source`; with "numba" as machine code
    (`pip install "autodiff[fast]"`), equal up to rounding; then `.grad` is not touched.
    Errors: `TypeError` for arguments of another kind, `ValueError` for an optimizer of another model's parameters.

    >>> import numpy as np, nn
    >>> model = nn.Linear(1, 1, rng=0)
    >>> step = TrainStep(model, nn.mse, nn.SGD(model.parameters(), lr=0.1))
    >>> X, y = np.array([[0.0], [1.0]]), np.array([[1.0], [3.0]])
    >>> losses = [step(X, y) for _ in range(200)]
    >>> losses[-1] < 1e-3 * losses[0]
    True
    """

    def __init__(
        self, model: Module, loss: str | Loss, optimizer: Optimizer, compile: Literal["numpy", "numba"] | None = None
    ) -> None:
        if not isinstance(model, Module):
            raise TypeError(f"model must be a Module, not {model!r}")
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"optimizer must be one such as SGD(model.parameters(), lr=0.1), not {optimizer!r}")
        own = {id(parameter) for parameter in model.parameters()}
        if not any(id(parameter) in own for parameter in optimizer.parameters):
            raise ValueError("the optimizer updates none of this model's parameters: make it from model.parameters()")
        self.model: Module = model
        self.loss: Loss = find_loss(loss)
        self.optimizer: Optimizer = optimizer
        self.compiled: CompiledStep | None = CompiledStep(model, self.loss, optimizer, compile) if compile else None

    def __call__(self, X: ArrayLike | Tensor, y: ArrayLike | Tensor) -> float:
        if self.compiled is not None:
            return self.compiled.step(X, y)
        self.optimizer.zero_grad()
        with anonymous():  # nobody sees this graph
            loss = self.loss(self.model(_data(X, "X")), _data(y, "y"))
        if not isinstance(loss, Tensor):
            raise TypeError(f"the loss is a {type(loss).__name__}, not a Tensor: it does not depend on the parameters")
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def run(
        self, X: ArrayLike | Tensor, y: ArrayLike | Tensor, epochs: int, batch_size: int | None = None, rng: Seed = None
    ) -> list[float]:
        """Many updates in one call: an epoch takes every sample once, as in `fit`. Returns the loss of each epoch."""
        epochs = whole("epochs", epochs, 0)
        X, y = _samples(X, y, "X and y")
        size = len(X) if batch_size is None else whole("batch_size", batch_size, 1)
        if self.compiled and size >= len(X):
            return self.compiled.repeat(X, y, epochs)
        rng = generator(rng)
        if self.compiled:
            return self.compiled.run(X, y, epochs, size, rng, self.loss in SUMS)
        return [_epoch(self, X, y, size, rng, lambda: None) for _ in range(epochs)]

    @property
    def source(self) -> str:
        """The program of the latest step, as readable NumPy."""
        return self._compiled("source").compiled.source

    @property
    def program(self) -> str:
        """The program of the latest step, as it runs: the same operations, with buffers."""
        return self._compiled("program").compiled.program

    def _compiled(self, what: str) -> CompiledStep:
        if self.compiled is None:
            raise AttributeError(f"{what} is a compiled step's: TrainStep(model, loss, optimizer, compile='numpy')")
        return self.compiled

    def __repr__(self) -> str:
        return f"TrainStep(loss={_name(self.loss)}, optimizer={self.optimizer})"


@dataclass
class History:
    """How a training went: one number an epoch, in `loss` and, where there was validation, in `validation_loss`.

    `interrupted` says that it was ended from the keyboard.

    >>> History(loss=[0.5, 0.25])
    History(2 epochs, loss 0.5 to 0.25)
    """

    loss: list[float] = field(default_factory=list[float])
    validation_loss: list[float] = field(default_factory=list[float])
    interrupted: bool = False

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the losses over the epochs, on a logarithmic scale where they allow one; returns the matplotlib axes.

        Errors: `ImportError` where matplotlib is missing: `pip install matplotlib`.
        """
        if ax is None:
            try:
                import matplotlib.pyplot as plt
            except ImportError as error:
                raise ImportError("plotting needs matplotlib: pip install matplotlib") from error
            _, ax = plt.subplots()
        for label, losses in (("training", self.loss), ("validation", self.validation_loss)):
            if losses:
                ax.plot(range(1, len(losses) + 1), losses, label=label, marker="." if len(losses) < 30 else "")
        if self.loss and min(self.loss + self.validation_loss) > 0:
            ax.set_yscale("log")
        ax.set(xlabel="epoch", ylabel="loss")
        if self.validation_loss:
            ax.legend()
        return ax

    def __repr__(self) -> str:
        def course(losses: list[float]) -> str:
            return f"{losses[0]:.4g} to {losses[-1]:.4g}"

        parts = [f"{len(self.loss)} epochs"]
        parts += [f"loss {course(self.loss)}"] if self.loss else []
        parts += [f"validation loss {course(self.validation_loss)}"] if self.validation_loss else []
        parts += ["interrupted"] if self.interrupted else []
        return f"History({', '.join(parts)})"


Callback = Callable[[int, History], Any]


def fit(
    model: Module,
    X: ArrayLike | Tensor,
    y: ArrayLike | Tensor,
    *,
    loss: str | Loss,
    optimizer: Optimizer,
    epochs: int,
    batch_size: int | None = None,
    validation: tuple[ArrayLike | Tensor, ArrayLike | Tensor] | None = None,
    callbacks: Iterable[Callback] = (),
    progress: bool = True,
    compile: Literal["numpy", "numba"] | None = None,
    rng: Seed = None,
) -> History:
    """Train `model` on X (N, ...) and y (N, ...) for a number of epochs; returns their losses.

    An epoch takes every sample once: all at a time and in order, or in minibatches of `batch_size` that `rng` shuffles
    anew, the last one smaller where they do not divide N. `history.loss` is of the epoch's minibatches, each before its
    update: their mean weighted by size, or for `squared_error` their sum. `validation` is a pair (X, y), evaluated
    after each epoch in `eval()` mode; afterwards every module is in the mode in which it came.

    Each of `callbacks` is called as `callback(epoch, history)` after epoch 0, 1, ...; one that returns True ends the
    training. So does Ctrl-C: the history so far is returned, `interrupted`. The progress bar shows in a terminal or
    a notebook, and nowhere else.

    Errors: as `TrainStep`; `ValueError` for X and y of different length, no samples, numbers out of range.

    >>> import numpy as np, nn
    >>> X = np.array([[3.0, 5.0], [5.0, 1.0], [10.0, 2.0]])
    >>> y = np.array([[0.75], [0.82], [0.93]])
    >>> model = nn.MLP([2, 4, 1], output="sigmoid", rng=0)
    >>> history = fit(model, X, y, loss="squared_error", optimizer=nn.SGD(model.parameters(), lr=1.0), epochs=100)
    >>> len(history.loss), history.loss[-1] < history.loss[0]
    (100, True)
    """
    step = TrainStep(model, loss, optimizer, compile)
    epochs, rng = whole("epochs", epochs, 0), generator(rng)
    X, y = _samples(X, y, "X and y")
    size = len(X) if batch_size is None else whole("batch_size", batch_size, 1)
    held_out = _samples(*_pair(validation), "the validation X and y") if validation is not None else None
    callbacks = _functions(callbacks)
    history = History()
    with _mode(model, True), _bar(epochs * math.ceil(len(X) / size), progress) as bar:
        try:
            for epoch in range(epochs):
                bar.set_description(f"epoch {epoch + 1}/{epochs}", refresh=False)
                history.loss.append(_epoch(step, X, y, size, rng, bar.update))
                if held_out:
                    history.validation_loss.append(_evaluate(step, *held_out))
                bar.set_postfix_str(_latest(history), refresh=False)
                verdicts = [callback(epoch, history) for callback in callbacks]
                if any(verdicts):
                    break
        except KeyboardInterrupt:
            history.interrupted = True
    return history


def _epoch(
    step: TrainStep, X: NDArray[Any], y: NDArray[Any], size: int, rng: np.random.Generator, done: Callable[[], Any]
) -> float:
    """Every sample once; returns the epoch's loss."""
    if size >= len(X):
        loss = step(X, y)
        done()
        return loss
    total = 0.0
    order = rng.permutation(len(X))
    for start in range(0, len(X), size):
        batch = order[start : start + size]
        weight = 1.0 if step.loss in SUMS else len(batch) / len(X)
        total += weight * step(X[batch], y[batch])
        done()
    return total


def _evaluate(step: TrainStep, X: NDArray[Any], y: NDArray[Any]) -> float:
    """The loss of the model as it is, in `eval()` mode."""
    with _mode(step.model, False), no_grad():
        return float(step.loss(step.model(_data(X, "X")), _data(y, "y")).item())


@contextmanager
def _mode(model: Module, training: bool) -> Generator[None]:
    """`model.train(training)`, undone afterwards for each module."""
    before = [(module, module.training) for module in model.modules()]
    model.train(training)
    try:
        yield
    finally:
        for module, mode in before:
            module.training = mode


def _bar(steps: int, progress: bool) -> Any:
    """A tqdm bar on standard output, which a terminal and a notebook show, and a file or a pipe never see."""
    from tqdm.auto import tqdm

    return tqdm(total=steps, unit="step", file=sys.stdout, disable=None if progress else True)


def _latest(history: History) -> str:
    text = f"loss={history.loss[-1]:.4g}"
    return f"{text}, validation={history.validation_loss[-1]:.4g}" if history.validation_loss else text


def _data(values: ArrayLike | Tensor, name: str) -> Tensor:
    return values if isinstance(values, Tensor) else constant(values, name, copy=False)


def _samples(X: ArrayLike | Tensor, y: ArrayLike | Tensor, names: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """X and y as arrays of samples, as many of the one as of the other."""
    arrays = [plain(X), plain(y)]
    if any(array.ndim == 0 or len(array) == 0 for array in arrays):
        raise ValueError(f"{names} are arrays of at least one sample, not {arrays[0].shape} and {arrays[1].shape}")
    if len(arrays[0]) != len(arrays[1]):
        raise ValueError(f"{names} hold {len(arrays[0])} and {len(arrays[1])} samples: give one target for each sample")
    return arrays[0], arrays[1]


def _pair(validation: Any) -> tuple[Any, Any]:
    if not isinstance(validation, (tuple, list)) or len(validation) != 2:
        raise TypeError("validation is a pair of arrays: validation=(X_validation, y_validation)")
    return validation[0], validation[1]


def _functions(callbacks: Iterable[Callback]) -> list[Callback]:
    if callable(callbacks):
        raise TypeError("callbacks is a sequence of functions: write callbacks=[callback]")
    functions = list(callbacks)
    for function in functions:
        if not callable(function):
            raise TypeError(f"a callback is called as callback(epoch, history), and {function!r} cannot be called")
    return functions


def _name(function: Any) -> str:
    return getattr(function, "__name__", repr(function))
