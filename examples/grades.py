"""Grades from hours of study and sleep: the notebook that this project grew from, with autodiff in it.

공부시간과 수면시간으로 성적을 예측하는 신경망. Three students, two numbers each, and a network of sigmoids that learns
their grades. The notebook derived its backpropagation by hand; that derivation stands here as it was written, and at
every step of the training it is held against the one that autodiff makes by itself.

    python examples/grades.py
    python examples/grades.py --plot plots --seed 3
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import autodiff as ad
import nn

X = np.array([[3, 5], [5, 1], [10, 2]])  # 공부시간, 수면시간
y = np.array([[0.75], [0.82], [0.93]])  # 성적
EPOCHS = 100
LEARNING_RATE = 1


# The notebook's derivation, step 3: plain NumPy, every line by hand.


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def sigmoid_prime(z):
    return np.exp(-z) / np.power(1 + np.exp(-z), 2)


def one_hidden_layer(W1, W2):
    z2 = X.dot(W1)
    a2 = sigmoid(z2)
    z3 = a2.dot(W2)
    y_hat = sigmoid(z3)

    delta1 = np.multiply(-(y - y_hat), sigmoid_prime(z3))
    w2_grad = np.dot(a2.T, delta1)

    delta2 = np.multiply(np.dot(delta1, W2.T), sigmoid_prime(z2))
    w1_grad = np.dot(X.T, delta2)
    return w1_grad, w2_grad


# Its two exercises: one more hidden layer, and relu in the place of the hidden sigmoids. The notebook's relu wrote into
# its argument, which was the data, and returned a variable of another cell; these two make new arrays.


def relu(z):
    return np.maximum(z, 0)


def relu_prime(z):
    return np.where(z > 0, 1, 0)


def two_hidden_layers(W1, W2, W3, f=sigmoid, f_prime=sigmoid_prime):
    z1 = X.dot(W1)
    a1 = f(z1)
    z2 = a1.dot(W2)
    a2 = f(z2)
    z3 = a2.dot(W3)
    y_hat = sigmoid(z3)

    delta1 = (y_hat - y) * sigmoid_prime(z3)
    w3_grad = a2.T.dot(delta1)

    delta2 = np.dot(delta1, W3.T) * f_prime(z2)
    w2_grad = np.dot(a1.T, delta2)

    delta3 = np.dot(delta2, W2.T) * f_prime(z1)
    w1_grad = np.dot(X.T, delta3)
    return w1_grad, w2_grad, w3_grad


def two_hidden_layers_of_relu(W1, W2, W3):
    return two_hidden_layers(W1, W2, W3, relu, relu_prime)


# The same by autodiff: only the model and the loss are stated.


@dataclass
class Training:
    """What came of training one model."""

    model: nn.Module
    losses: list[float]  # before the first step, after the first, ... after the last
    before: np.ndarray
    after: np.ndarray
    disagreement: dict[str, float]  # by weight: the largest difference of a step, relative to the largest gradient


def train(model: nn.Module, derivation: Callable[..., Sequence[np.ndarray]]) -> Training:
    """Gradient descent by autodiff; at every step the derivation is asked for its gradients too."""
    weights = list(model.parameters())
    optimizer = nn.SGD(weights, lr=LEARNING_RATE)
    losses = []
    difference = dict.fromkeys((W.name for W in weights), 0.0)
    largest = difference.copy()
    before = model(X).numpy()
    for _ in range(EPOCHS):
        loss = nn.squared_error(model(X), y)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        for W, by_hand in zip(weights, derivation(*(W.numpy() for W in weights)), strict=True):
            difference[W.name] = max(difference[W.name], np.abs(W.grad - by_hand).max())
            largest[W.name] = max(largest[W.name], np.abs(by_hand).max())
        optimizer.step()
    after = model(X)
    losses.append(nn.squared_error(after, y).item())
    disagreement = {name: difference[name] / (largest[name] or 1) for name in difference}
    return Training(model, losses, before, after.numpy(), disagreement)


def notebook(seed: int) -> dict[str, Training]:
    """The notebook from top to bottom: its network, and its two exercises."""
    network = nn.MLP([2, 4, 1], output="sigmoid", bias=False, rng=seed)
    deeper = nn.MLP([2, 4, 4, 1], output="sigmoid", bias=False, rng=seed)
    with_relu = nn.MLP([2, 4, 4, 1], activation="relu", output="sigmoid", bias=False, rng=seed)
    return {
        "one hidden layer": train(network, one_hidden_layer),
        "two hidden layers": train(deeper, two_hidden_layers),
        "two hidden layers of relu": train(with_relu, two_hidden_layers_of_relu),
    }


# The account of it.


def report(trainings: dict[str, Training]) -> None:
    network = trainings["one hidden layer"]

    heading("Grades from hours of study and sleep", "공부시간과 수면시간으로 성적을 예측하기")
    print(f"    A 2-4-1 network of sigmoids, {EPOCHS} epochs of gradient descent, learning rate {LEARNING_RATE}.\n")
    print("    study   sleep   grade     before    after")
    for (study, sleep), grade, before, after in zip(X, y, network.before, network.after, strict=True):
        print(f"    {study:3} h   {sleep:3} h    {grade.item():.2f}      {before.item():.3f}    {after.item():.3f}")

    heading("The loss", "손실 Σ (y - ŷ)²/2")
    for name, training in trainings.items():
        before, after = training.losses[0], training.losses[-1]
        course = sparkline(training.losses) if after < before else "nothing learned: a relu at 0 passes no gradient"
        print(f"    {name:<26}  {before:.5f} -> {after:.5f}   {course}")

    heading("The derivation by hand, held against autodiff", "역전파")
    print("    The gradients after the training, by hand on the left and by autodiff on the right:\n")
    print_side_by_side(network.model)
    print(f"\n    The largest difference at any of the {EPOCHS} steps, relative to the largest gradient:\n")
    for name, training in trainings.items():
        errors = (f"{weight} {error:.0e}" for weight, error in training.disagreement.items())
        print(f"    {name:<26}", *errors, sep="  ")

    heading("The graph", "계산 그래프: read it down for the values, up for the gradients")
    print(ad.draw(last_loss(network.model)))

    heading("What was learned", "∂ŷ/∂x")
    print("    What one hour more is worth to each student:\n")
    print("    study   sleep    + 1 h study   + 1 h sleep")
    for (study, sleep), (per_study, per_sleep) in zip(X, worth_of_an_hour(network.model), strict=True):
        print(f"    {study:3} h   {sleep:3} h        {per_study:+.4f}       {per_sleep:+.4f}")
    print()


def print_side_by_side(model: nn.Module) -> None:
    """The gradients of the loss at the model's weights, in rows of four: by hand, by autodiff."""
    weights = list(model.parameters())
    by_hand = one_hidden_layer(*(W.numpy() for W in weights))
    by_autodiff = ad.gradients(nn.squared_error(model(X), y), weights)
    for W, left, right in zip(weights, by_hand, by_autodiff, strict=True):
        for row, same_row in zip(left.reshape(-1, 4), right.reshape(-1, 4), strict=True):
            numbers = ["  ".join(f"{entry:+.6f}" for entry in entries) for entries in (row, same_row)]
            print(f"    ∂L/∂{W.name}", *numbers, sep="   ")


def last_loss(model: nn.Module) -> ad.Tensor:
    """The loss after the training, differentiated: the graph that is drawn."""
    y_hat = model(X)
    loss = nn.squared_error(y_hat, y)
    model.zero_grad()
    loss.backward()
    return loss


def worth_of_an_hour(model: nn.Module) -> np.ndarray:
    """The slope of the learned grade along each student's hours: any Tensor has a gradient, not only a weight."""
    hours = ad.Tensor(X)
    (slope,) = ad.gradients(np.sum(model(hours)), [hours])
    return slope


def heading(text: str, gloss: str) -> None:
    bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
    print(f"\n{bold}{text}{plain}   {gloss}\n")


def sparkline(losses: Sequence[float], width: int = 25) -> str:
    """The curve of the losses, on a logarithmic scale, in one line of text."""
    heights = np.log([losses[i] for i in np.linspace(0, len(losses) - 1, width).astype(int)])
    levels = (heights - heights.min()) / (np.ptp(heights) or 1) * 7
    return "".join("▁▂▃▄▅▆▇█"[level] for level in np.rint(levels).astype(int))


def plot(trainings: dict[str, Training], folder: Path) -> None:
    """Saves the loss curves, the notebook's picture (sigmoid, and the derivative that is found for it), the graph."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        sys.exit("--plot needs matplotlib: pip install matplotlib")
    folder.mkdir(parents=True, exist_ok=True)

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    for name, training in trainings.items():
        axes.semilogy(training.losses, label=name)
    axes.set(title="Learning grades", xlabel="epoch", ylabel=r"loss $\sum (y - \hat y)^2 / 2$")
    axes.legend(frameon=False)
    figure.savefig(folder / "loss.png", dpi=150)

    z = ad.Tensor(np.linspace(-10, 10, 401))
    out = ad.sigmoid(z)
    (derivative,) = ad.gradients(np.sum(out), [z])
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.plot(z.numpy(), out.numpy(), label=r"$f(z) = 1 / (1 + e^{-z})$")
    axes.plot(z.numpy(), derivative, label="$f'(z)$, by autodiff")
    axes.set(title="Sigmoid and its derivative", xlabel="$z$")
    axes.legend(frameon=False)
    figure.savefig(folder / "sigmoid.png", dpi=150)
    for kind in ("svg", "html"):
        ad.draw(last_loss(trainings["one hidden layer"].model)).save(folder / f"graph.{kind}")
    print(f"Saved loss.png, sigmoid.png, graph.svg and graph.html, which steps through the graph, in {folder}.")


def main(argv=None):
    parser = argparse.ArgumentParser(description="Learn grades from hours of study and sleep.")
    parser.add_argument("--seed", type=int, default=0, help="of the first weights (default: 0)")
    parser.add_argument("--plot", type=Path, metavar="DIR", help="save pictures: loss curves, sigmoid, graph")
    arguments = parser.parse_args(argv)
    trainings = notebook(arguments.seed)
    report(trainings)
    if arguments.plot:
        plot(trainings, arguments.plot)


if __name__ == "__main__":
    main()
