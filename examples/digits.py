"""Handwritten digits: 1797 of them, 8 x 8 pixels each, bundled with scikit-learn.

A 64-64-10 network learns four fifths of them by cross-entropy, Adam and minibatches, and is then shown the fifth that
it has not seen.

    python examples/digits.py
    python examples/digits.py --plot plots
"""

import argparse
import sys
from pathlib import Path

import numpy as np

import autodiff as ad
import nn


def load():
    """The images, a row of 64 pixels between 0 and 1 each, and the digits that they show."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        sys.exit("The digits come with scikit-learn: pip install scikit-learn")
    images, digits = load_digits(return_X_y=True)
    return images / 16, digits


def train(seed):
    """A trained model, its history, and the fifth of the digits that was held out."""
    rng = np.random.default_rng(seed)
    images, digits = load()
    shuffled = rng.permutation(len(images))
    unseen, seen = np.split(shuffled, [len(images) // 5])
    model = nn.MLP([64, 64, 10], activation="relu", rng=rng)
    history = nn.fit(
        model,
        images[seen],
        digits[seen],
        loss=nn.cross_entropy,
        optimizer=nn.Adam(model.parameters(), lr=0.01),
        epochs=40,
        batch_size=64,
        validation=(images[unseen], digits[unseen]),
        rng=rng,
    )
    return model, history, (images[unseen], digits[unseen])


@ad.no_grad()
def read(model, images):
    """The digit that the model sees in each image."""
    return model(images).numpy().argmax(axis=1)


def in_letters(image):
    """An image as eight lines of text: the darker the ink, the heavier the letter."""
    return ["".join(" .:+*#%@"[min(int(8 * ink), 7)] * 2 for ink in row) for row in image.reshape(8, 8)]


def main(argv=None):
    parser = argparse.ArgumentParser(description="Learn to read handwritten digits.")
    parser.add_argument("--seed", type=int, default=0, help="of the split and the first weights (default: 0)")
    parser.add_argument("--plot", type=Path, metavar="DIR", help="save the loss curves as a picture (needs matplotlib)")
    arguments = parser.parse_args(argv)

    model, history, (images, digits) = train(arguments.seed)
    answers = read(model, images)
    (wrong,) = np.nonzero(answers != digits)
    print(f"Loss {history.loss[0]:.4f} -> {history.loss[-1]:.4f} in {len(history.loss)} epochs.")
    print(f"Of {len(digits)} digits that it has not seen, it reads {np.mean(answers == digits):.1%} right.")

    print("\nSome that it misread:\n")
    some = wrong[:3]
    for lines in zip(*(in_letters(images[i]) for i in some), strict=True):
        print("    " + "        ".join(lines).rstrip())
    print("    " + "        ".join(f"{digits[i]}, read as {answers[i]}".ljust(16) for i in some).rstrip())

    if arguments.plot:
        arguments.plot.mkdir(parents=True, exist_ok=True)
        axes = history.plot()
        axes.set_title("Learning to read digits")
        axes.figure.savefig(arguments.plot / "digits.png", dpi=150)
        print(f"\nSaved {arguments.plot / 'digits.png'}.")


if __name__ == "__main__":
    main()
