"""Losses: functions of (prediction, target) that give one number to minimise.

    mse                   mean((prediction - target)**2)
    squared_error         sum((prediction - target)**2) / 2
    cross_entropy         mean(-log softmax(logits)[label])
    binary_cross_entropy  mean(-target log sigmoid(logits) - (1 - target) log(1 - sigmoid(logits)))

The last two take logits, what the last `Linear` gives, and no softmax or sigmoid before them: so they stay exact and
finite for logits of any size. A target has no gradient; integer targets follow the prediction's dtype.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autodiff import Tensor, constant
from autodiff.errors import ShapeError, TracedValueError
from nn._check import known, plain, shape
from nn.functional import log_softmax, softplus

__library__ = True  # its variables are no names that a user knows

Loss = Callable[[Any, Any], Any]


def mse(prediction: Any, target: Any) -> Tensor:
    """The mean of (prediction - target)**2 over all elements, a scalar.

    The target has the prediction's shape or broadcasts to it; else a `ShapeError`.
    Source: `torch.nn.functional.mse_loss`.

    >>> import autodiff as ad
    >>> mse(ad.Tensor([1.0, 2.0]), [1.0, 4.0]).item()
    2.0
    """
    return np.mean(np.square(prediction - _matching("mse", prediction, target)))


def squared_error(prediction: Any, target: Any) -> Tensor:
    """Half the sum of (prediction - target)**2 over all elements, a scalar: its gradient is prediction - target.

    The target has the prediction's shape or broadcasts to it; else a `ShapeError`.
    Source: Rumelhart, Hinton and Williams (1986), their E; half of PyTorch's `mse_loss(reduction="sum")`.

    >>> import autodiff as ad
    >>> squared_error(ad.Tensor([1.0, 2.0]), [1.0, 4.0]).item()
    2.0
    """
    return np.square(prediction - _matching("squared_error", prediction, target)).sum() / 2


def cross_entropy(logits: Any, labels: Any) -> Tensor:
    """The mean of -log(softmax(logits)[label]): logits (..., K), integer labels (...) from 0 to K - 1, a scalar.

    Errors: `ShapeError` when the shapes do not fit, `TypeError` for labels that are no integers, `ValueError` for
    labels outside the classes. Source: `torch.nn.functional.cross_entropy`, whose classes are axis 1, not the last.

    >>> import autodiff as ad
    >>> round(cross_entropy(ad.Tensor([[0.0, 0.0], [0.0, 1e4]]), [0, 1]).item(), 4)
    0.3466
    """
    labels = _labels(labels, shape(logits))
    log_p = log_softmax(logits, axis=-1)
    if labels.ndim != 1:
        log_p, labels = log_p.reshape(-1, log_p.shape[-1]), labels.reshape(-1)
    return -np.mean(log_p[np.arange(labels.size), labels])


def binary_cross_entropy(logits: Any, target: Any) -> Tensor:
    """The mean of -log(p) where the target is 1 and -log(1 - p) where it is 0, p = sigmoid(logits), a scalar.

    Targets between 0 and 1 mix the two. Errors: `ShapeError` when the target neither has the shape of the logits nor
    broadcasts to it, `ValueError` for a target outside [0, 1].
    Source: `torch.nn.functional.binary_cross_entropy_with_logits`.

    >>> import autodiff as ad
    >>> round(binary_cross_entropy(ad.Tensor([0.0, 1e4]), [1, 1]).item(), 4)
    0.3466
    """
    target = _matching("binary_cross_entropy", logits, target)
    if not _varies(target):
        _probabilities(target, shape(logits))
    # Both terms are positive: nothing cancels, as it would in softplus(logits) - target * logits.
    return np.mean(target * softplus(-logits) + (1 - target) * softplus(logits))


def _probabilities(target: Any, _: tuple[int, ...]) -> None:
    """Refuse targets that are no probabilities."""
    values = plain(target)
    if not np.all((values >= 0) & (values <= 1)):
        raise ValueError(f"binary_cross_entropy: targets lie in [0, 1], not from {values.min()} to {values.max()}")


LOSSES: dict[str, Loss] = {
    "binary_cross_entropy": binary_cross_entropy,
    "cross_entropy": cross_entropy,
    "mse": mse,
    "squared_error": squared_error,
}

SUMS: frozenset[Loss] = frozenset({squared_error})  # the loss of all data is the sum of the minibatches', else the mean


CHECKED: frozenset[Loss] = frozenset({cross_entropy, binary_cross_entropy})  # look at the values of the target


def check(loss: Loss, target: Any, prediction: tuple[int, ...]) -> None:
    """What a loss that looks at the target's values refuses, for a prediction of this shape."""
    if loss is cross_entropy:
        _labels(target, prediction)
    elif loss is binary_cross_entropy:
        _probabilities(target, prediction)


def find_loss(loss: str | Loss) -> Loss:
    """A loss by its name; a function as it is."""
    return loss if callable(loss) else known("loss", loss, LOSSES)


def _matching(name: str, prediction: Any, target: Any) -> Any:
    """The target, ready to be subtracted: it broadcasts to the prediction's shape and leaves its dtype alone."""
    if not hasattr(target, "dtype"):
        target = np.asarray(target)
    expected, given = shape(prediction), target.shape
    if given != expected and not _broadcasts(given, expected):
        raise ShapeError(
            f"{name}: prediction {expected} and target {given} do not match: "
            f"give the target the prediction's shape, {_remedy(given, expected)}"
        )
    if target.dtype.kind in "iub" and isinstance(prediction, Tensor):  # float32 with int64 would be float64
        if _varies(target):
            return target.astype(prediction.dtype)
        target = constant(plain(target).astype(prediction.dtype), getattr(target, "name", None), copy=False)
    return target


def _varies(values: Any) -> bool:
    """Whether these stand for others, in a program that `autodiff.compile` records: then nobody may look at them."""
    if isinstance(values, Tensor):
        try:
            values.numpy()
        except TracedValueError:
            return True
    return False


def _broadcasts(given: tuple[int, ...], expected: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(given, expected) == expected
    except ValueError:
        return False


def _remedy(given: tuple[int, ...], expected: tuple[int, ...]) -> str:
    if np.prod(given) == np.prod(expected):
        return f"target.reshape({', '.join(map(str, expected))})"
    return "or the model's last layer the target's"


def _labels(labels: Any, logits: tuple[int, ...]) -> Any:
    """The labels as a plain integer array that fits logits of this shape."""
    array: Any = labels if _varies(labels) else plain(labels)
    if array.dtype.kind not in "iu":
        raise TypeError(
            f"cross_entropy: labels are integers of shape {logits[:-1]}, not {array.dtype} {array.shape}: "
            "write labels.astype(int), or target.argmax(axis=-1) for one-hot rows"
        )
    if not logits or array.shape != logits[:-1]:
        raise ShapeError(
            f"cross_entropy: logits {logits} and labels {array.shape} do not match: "
            "logits have the shape of the labels and one more axis, the classes"
        )
    if array.size and not isinstance(array, Tensor) and not 0 <= array.min() <= array.max() < logits[-1]:
        raise ValueError(
            f"cross_entropy: labels go from 0 to {logits[-1] - 1} for logits {logits}, "
            f"and these from {array.min()} to {array.max()}"
        )
    return array
