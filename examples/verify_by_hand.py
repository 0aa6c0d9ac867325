"""Verify by hand: the notebook's derivation of backpropagation, and the mistakes that were made in it, each found.

손으로 유도한 역전파의 검증. A derivation is pasted as it was written, in plain NumPy. `ad.verify` runs it, holds its
gradients against the true ones, and says which step is the first wrong one, why, and which line mends it.

    python examples/verify_by_hand.py
    python examples/verify_by_hand.py --plot plots
    python -m autodiff verify examples/verify_by_hand.py::forgotten
"""

import argparse
import html
import sys
from pathlib import Path

import numpy as np

import autodiff as ad

x = np.array([[3, 5], [5, 1], [10, 2]])  # 공부시간, 수면시간
y = np.array([[0.75], [0.82], [0.93]])  # 성적
rng = np.random.default_rng(0)
w1 = rng.standard_normal((2, 4))
w2 = rng.standard_normal((4, 1))


def MSE(y, y_hat):
    return np.power((y - y_hat), 2) / 2


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def sigmoid_prime(z):
    return np.exp(-z) / np.power(1 + np.exp(-z), 2)


def one_hidden_layer(w1, w2):
    z1 = x.dot(w1)
    a1 = sigmoid(z1)
    z2 = a1.dot(w2)
    y_hat = sigmoid(z2)
    loss = MSE(y, y_hat)

    delta1 = (y_hat - y) * sigmoid_prime(z2)
    w2_gred = a1.T.dot(delta1)

    delta2 = np.dot(delta1, w2.T) * sigmoid_prime(z1)
    w1_gred = np.dot(x.T, delta2)
    return loss, (w1_gred, w2_gred)


def halved_twice(w1, w2):
    z1 = x.dot(w1)
    a1 = sigmoid(z1)
    z2 = a1.dot(w2)
    y_hat = sigmoid(z2)
    loss = MSE(y, y_hat) / 2

    delta1 = (y_hat - y) * sigmoid_prime(z2)
    w2_gred = a1.T.dot(delta1)

    delta2 = np.dot(delta1, w2.T) * sigmoid_prime(z1)
    w1_gred = np.dot(x.T, delta2)
    return loss, (w1_gred, w2_gred)


def forgotten(w1, w2):
    z1 = x.dot(w1)
    a1 = sigmoid(z1)
    z2 = a1.dot(w2)
    y_hat = sigmoid(z2)
    loss = MSE(y, y_hat)

    delta1 = (y_hat - y) * sigmoid_prime(z2)
    w2_gred = a1.T.dot(delta1)

    delta2 = np.dot(delta1, w2.T)
    w1_gred = np.dot(x.T, delta2)
    return loss, (w1_gred, w2_gred)


# The notebook's exercises: another hidden layer, and relu in the place of the hidden sigmoids.

z1 = np.full((3, 4), 0.5)  # what an earlier cell left behind


def leru(z):
    z[z < 0] = 0
    return z1


def leru_prime(z):
    z[z < 0] = 0
    z[z > 0] = 1
    return z


def another_cells_variable(w1, w2, w3):
    z1 = x.dot(w1)
    a1 = leru(z1)
    z2 = a1.dot(w2)
    a2 = leru(z2)
    z3 = a2.dot(w3)
    y_hat = sigmoid(z3)
    loss = MSE(y, y_hat)

    delta1 = (y_hat - y) * sigmoid_prime(z3)
    w3_gred = a2.T.dot(delta1)

    delta2 = np.dot(delta1, w3.T) * leru_prime(z2)
    w2_gred = np.dot(a1.T, delta2)

    delta3 = np.dot(delta2, w2.T) * leru_prime(z1)
    w1_gred = np.dot(x.T, delta3)
    return loss, (w1_gred, w2_gred, w3_gred)


def leru_mended(z):
    z[z < 0] = 0
    return z


def deltas_first(w1, w2, w3):
    z1 = x.dot(w1)
    a1 = leru_mended(z1)
    z2 = a1.dot(w2)
    a2 = leru_mended(z2)
    z3 = a2.dot(w3)
    y_hat = sigmoid(z3)
    loss = MSE(y, y_hat)

    delta1 = (y_hat - y) * sigmoid_prime(z3)
    delta2 = np.dot(delta1, w3.T) * leru_prime(z2)
    delta3 = np.dot(delta2, w2.T) * leru_prime(z1)

    w3_gred = a2.T.dot(delta1)
    w2_gred = np.dot(a1.T, delta2)
    w1_gred = np.dot(x.T, delta3)
    return loss, (w1_gred, w2_gred, w3_gred)


def data_of_ones(w1, w2):
    leru_prime(x)
    return one_hidden_layer(w1, w2)


STORIES = {
    one_hidden_layer: "The derivation of the notebook's third step",
    halved_twice: "Its step code: MSE halves already, and the loss is halved again",
    forgotten: "Its delta2, with sigmoid_prime(z1) left out",
    another_cells_variable: "Its leru returns z1, whatever it is given: the z1 of an earlier cell",
    deltas_first: "Its leru_prime writes into its argument, which is the layer's output, too",
    data_of_ones: "Its call leru_prime(x), made to look at the result: afterwards the data are ones",
}


def reports():
    """What verify says of each, by its story."""
    deep = (w1, np.random.default_rng(1).standard_normal((4, 4)), w2)
    weights = {another_cells_variable: deep, deltas_first: deep}
    return {story: ad.verify(f, *weights.get(f, (w1, w2))) for f, story in STORIES.items()}


def save(told, folder):
    """The reports as a page, as a notebook shows them."""
    parts = [f"<h2>{html.escape(story)}</h2>{report._repr_html_()}" for story, report in told.items()]
    head = '<!doctype html><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>Verified</title>'
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "verified.html").write_text(head + "\n".join(parts), encoding="utf-8")
    print(f"\nSaved {folder / 'verified.html'}.")


def main(argv=None):
    parser = argparse.ArgumentParser(description="The notebook's backpropagation, derived by hand, and verified.")
    parser.add_argument("--plot", type=Path, metavar="DIR", help="save the reports as a page")
    arguments = parser.parse_args(argv)
    told = reports()
    bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
    for story, report in told.items():
        print(f"\n{bold}{story}{plain}\n")
        report.show()
    if arguments.plot:
        save(told, arguments.plot)


if __name__ == "__main__":
    main()
