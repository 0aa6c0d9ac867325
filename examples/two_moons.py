"""Two moons: which of two half circles, each in the other's arms, does a point belong to?

No straight line parts them. A small network of tanh finds the curve that does, and the curve is drawn: as text, or by
matplotlib into a picture.

    python examples/two_moons.py
    python examples/two_moons.py --plot plots
"""

import argparse
import sys
from pathlib import Path

import numpy as np

import autodiff as ad
import nn


def two_moons(n, rng, noise=0.15):
    """n noisy points, half of them on each moon, and their labels 0 and 1."""
    angle = rng.uniform(0, np.pi, n)
    label = np.arange(n) % 2
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    lower = np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], axis=1)
    points = np.where(label[:, None] == 0, upper, lower)
    return points + noise * rng.standard_normal((n, 2)), label[:, None]


def train(seed):
    """A trained model, its history, and the points that it has not seen."""
    rng = np.random.default_rng(seed)
    points, labels = two_moons(400, rng)
    model = nn.MLP([2, 16, 16, 1], activation="tanh", rng=rng)
    history = nn.fit(
        model,
        points,
        labels,
        loss=nn.binary_cross_entropy,
        optimizer=nn.Adam(model.parameters(), lr=0.01),
        epochs=100,
        batch_size=40,
        rng=rng,
    )
    return model, history, two_moons(400, rng)


@ad.no_grad()
def probability(model, points):
    """How sure the model is, between 0 and 1, that each point lies on the second moon."""
    return ad.sigmoid(model(points)).numpy()[:, 0]


def plane(columns, rows):
    """The part of the plane where the moons are, as a grid of points, the uppermost row first."""
    x, y = np.meshgrid(np.linspace(-1.6, 2.6, columns), np.linspace(1.5, -1.0, rows))
    return x, y, np.stack([x.ravel(), y.ravel()], axis=1)


def draw_text(model, points, labels, columns=72, rows=24):
    """The plane in letters: the points as o and x, and dots where the model expects an x."""
    x, y, grid = plane(columns, rows)
    canvas = np.where(probability(model, grid).reshape(rows, columns) > 0.5, "·", " ")
    column = np.abs(points[:, :1] - x[0]).argmin(axis=1)
    row = np.abs(points[:, 1:] - y[:, 0]).argmin(axis=1)
    canvas[row, column] = np.where(labels[:, 0] == 0, "o", "x")
    return "\n".join("    " + "".join(line).rstrip() for line in canvas)


def draw_picture(model, points, labels, file):
    """The same as a picture: the model's certainty as colour, its decision as a line."""
    from matplotlib.figure import Figure

    x, y, grid = plane(420, 250)
    certainty = probability(model, grid).reshape(x.shape)
    extent = (x[0, 0], x[0, -1], y[-1, 0], y[0, 0])
    figure = Figure(figsize=(7, 4.4), layout="constrained")
    axes = figure.subplots()
    axes.imshow(certainty, extent=extent, cmap="RdBu", vmin=-1, vmax=2)  # beyond 0 and 1, so that colours stay pale
    axes.contour(x, y, certainty, levels=[0.5], colors="black", linewidths=1)
    for label, colour in ((0, "firebrick"), (1, "royalblue")):
        axes.scatter(*points[labels[:, 0] == label].T, s=14, color=colour, edgecolors="white", linewidths=0.4)
    axes.set(title="Two moons, and the curve between them", xticks=[], yticks=[])
    figure.savefig(file, dpi=150)


def main(argv=None):
    parser = argparse.ArgumentParser(description="Learn the curve between two moons.")
    parser.add_argument("--seed", type=int, default=0, help="of the points and the first weights (default: 0)")
    parser.add_argument("--plot", type=Path, metavar="DIR", help="save the drawing as a picture (needs matplotlib)")
    arguments = parser.parse_args(argv)

    model, history, (points, labels) = train(arguments.seed)
    right = np.mean((probability(model, points) > 0.5) == labels[:, 0])
    print(f"Loss {history.loss[0]:.4f} -> {history.loss[-1]:.4f}.")
    print(f"Of {len(points)} points that it has not seen, {right:.1%} are put on their own moon:")
    print()

    if arguments.plot:
        arguments.plot.mkdir(parents=True, exist_ok=True)
        file = arguments.plot / "two_moons.png"
        try:
            draw_picture(model, points, labels, file)
            print(f"Saved {file}.")
            return
        except ImportError:
            print("(A picture needs matplotlib: pip install matplotlib. Here it is in letters.)\n", file=sys.stderr)
    print(draw_text(model, points, labels))


if __name__ == "__main__":
    main()
