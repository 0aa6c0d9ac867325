"""Training steps equal PyTorch's: its numbers are recorded in pytorch.json, and recorded again where it is installed.

After a change of CASES, with PyTorch installed: `python tests/nn/test_pytorch.py` writes the file anew.
"""

import json
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

RECORDED = Path(__file__).with_name("pytorch.json")
STEPS = 10
SIZES = [3, 5, 4, 2]

# name: activation, loss, optimizer, its settings
CASES = {
    "sigmoid, squared error, SGD": ("sigmoid", "squared_error", "SGD", {"lr": 0.1}),
    "tanh, mse, momentum": ("tanh", "mse", "SGD", {"lr": 0.1, "momentum": 0.9}),
    "softplus, binary, nesterov": (
        "softplus", "binary_cross_entropy", "SGD", {"lr": 0.1, "momentum": 0.8, "nesterov": True},
    ),
    "relu, cross-entropy, decay": ("relu", "cross_entropy", "SGD", {"lr": 0.2, "weight_decay": 0.05}),
    "tanh, cross-entropy, all of SGD": (
        "tanh", "cross_entropy", "SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    ),
    "sigmoid, mse, decay and momentum": ("sigmoid", "mse", "SGD", {"lr": 0.3, "momentum": 0.5, "weight_decay": 0.1}),
    "tanh, mse, Adam": ("tanh", "mse", "Adam", {"lr": 0.01}),
    "relu, binary, Adam": ("relu", "binary_cross_entropy", "Adam", {"lr": 0.02, "betas": (0.8, 0.95), "eps": 1e-6}),
    "softplus, cross-entropy, Adam, decay": ("softplus", "cross_entropy", "Adam", {"lr": 0.01, "weight_decay": 0.1}),
}  # fmt: skip
each_case = pytest.mark.parametrize("case", CASES)


def spread(*shape, start):
    """Numbers between -1 and 1 that every machine makes alike."""
    return ((np.arange(np.prod(shape)) * 37 + start) % 101 - 50).reshape(shape) / 50


def weights():
    """[(W1, b1), (W2, b2), (W3, b3)], our way around: (n_in, n_out)."""
    return [(spread(n, m, start=7 * n), spread(m, start=11 * m) / 2) for n, m in pairwise(SIZES)]


def data(loss):
    X = spread(6, SIZES[0], start=3)
    targets = {
        "cross_entropy": np.arange(6) % 2,
        "binary_cross_entropy": (spread(6, SIZES[-1], start=5) > 0).astype(float),
    }
    return X, targets.get(loss, spread(6, SIZES[-1], start=5))


def train_here(case, dtype=float):
    """The losses of ten steps, and the parameters after them."""
    import nn

    activation, loss, optimizer, settings = CASES[case]
    model = nn.MLP(SIZES, activation=activation, dtype=dtype)
    arrays = [array for pair in weights() for array in pair]
    model.load_state_dict(dict(zip(model.state_dict(), arrays, strict=True)))
    step = nn.TrainStep(model, loss, getattr(nn, optimizer)(model.parameters(), **settings))
    X, y = data(loss)
    X, y = X.astype(dtype), y if loss == "cross_entropy" else y.astype(dtype)
    losses = [step(X, y) for _ in range(STEPS)]
    return {"losses": np.array(losses)} | {p.name: p.numpy() for p in model.parameters()}


def train_there(case):
    """The same by PyTorch."""
    import torch
    import torch.nn.functional as F

    activation, loss, optimizer, settings = CASES[case]
    phi = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu, "softplus": F.softplus}[activation]
    criterion = {
        "squared_error": lambda prediction, target: F.mse_loss(prediction, target, reduction="sum") / 2,
        "mse": F.mse_loss,
        "cross_entropy": F.cross_entropy,
        "binary_cross_entropy": F.binary_cross_entropy_with_logits,
    }[loss]
    layers = []
    for W, b in weights():
        layer = torch.nn.Linear(*W.shape, dtype=torch.float64)
        layer.weight.data, layer.bias.data = torch.tensor(W.T), torch.tensor(b)
        layers.append(layer)
    parameters = [p for layer in layers for p in (layer.weight, layer.bias)]
    update = getattr(torch.optim, optimizer)(parameters, **settings)
    X, y = map(torch.tensor, data(loss))
    losses = []
    for _ in range(STEPS):
        update.zero_grad()
        out = layers[2](phi(layers[1](phi(layers[0](X)))))
        value = criterion(out, y)
        value.backward()
        update.step()
        losses.append(value.item())
    result = {"losses": np.array(losses)}
    for number, layer in enumerate(layers, start=1):
        result |= {f"W{number}": layer.weight.detach().numpy().T, f"b{number}": layer.bias.detach().numpy()}
    return result


def recorded(case):
    def array(values):
        return np.array([array(row) for row in values]) if isinstance(values, list) else float.fromhex(values)

    return {name: array(values) for name, values in json.loads(RECORDED.read_text())[case].items()}


def assert_equal(ours, theirs, tolerance):
    assert list(ours) == list(theirs)
    for name in ours:
        assert ours[name].shape == theirs[name].shape
        error = np.max(np.abs(ours[name] - theirs[name])) / np.max(np.abs(theirs[name]))
        assert error <= tolerance, f"{name} differs by {error:.1e}"


@each_case
def test_ten_steps_equal_the_recorded(case):
    assert_equal(train_here(case), recorded(case), 1e-12)


@each_case
def test_the_recorded_are_pytorchs(case):
    pytest.importorskip("torch")
    with warnings.catch_warnings():  # the import of PyTorch's optimizers leaves filters behind
        assert_equal(train_there(case), recorded(case), 1e-12)


@each_case
def test_ten_steps_in_float32_are_close_and_stay_float32(case):
    ours = train_here(case, np.float32)
    assert {ours[name].dtype for name in ours if name != "losses"} == {np.dtype(np.float32)}
    assert_equal(ours, recorded(case), 1e-4)


def test_the_cases_differ():
    finals = [recorded(case)["W1"] for case in CASES]
    for i, one in enumerate(finals):
        assert np.max(np.abs(one - weights()[0][0])) > 1e-3
        assert all(np.max(np.abs(one - other)) > 1e-4 for other in finals[:i])


if __name__ == "__main__":

    def hexadecimal(values):
        return [hexadecimal(row) for row in values] if isinstance(values, list) else values.hex()

    everything = {
        case: {name: hexadecimal(values.tolist()) for name, values in train_there(case).items()} for case in CASES
    }
    RECORDED.write_text(json.dumps(everything, indent=1) + "\n")
