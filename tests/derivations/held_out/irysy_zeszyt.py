"""Zeszyt 3: sieć neuronowa od zera. Trzy warstwy, wszędzie sigmoid, błąd kwadratowy. Uczę się, proszę się nie śmiać :)"""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def sigmoid_prime(z):
    return sigmoid(z) * (1 - sigmoid(z))


def jeden_krok(X, y, w1, b1, w2, b2, w3, b3):
    m = X.shape[0]
    # w przód
    z1 = X.dot(w1) + b1
    a1 = sigmoid(z1)
    z2 = a1.dot(w2) + b2
    a2 = sigmoid(z2)
    z3 = a2.dot(w3) + b3
    a3 = sigmoid(z3)
    blad = np.sum((a3 - y) ** 2) / (2 * m)

    # wstecz
    delta3 = (a3 - y) / m * sigmoid_prime(z3)
    w3_grad = a2.T.dot(delta3)
    b3_grad = np.sum(delta3, axis=0)
    delta2 = delta3.dot(w3.T) * sigmoid_prime(z2)
    w2_grad = a1.T.dot(delta2)
    b2_grad = np.sum(delta2, axis=0)
    delta1 = delta2.dot(w2.T) * sigmoid_prime(z1)
    w1_grad = X.T.dot(delta1)
    b1_grad = np.sum(delta1, axis=0)
    return blad, (w1_grad, b1_grad, w2_grad, b2_grad, w3_grad, b3_grad)


def ucz(X, y, wagi, ile=1000, tempo=0.5):
    for i in range(ile):
        blad, grady = jeden_krok(X, y, *wagi)
        wagi = [w - tempo * g for w, g in zip(wagi, grady)]
        if i % 100 == 0:
            print(i, blad)
    return wagi


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    X, y = rng.normal(size=(6, 4)), np.eye(3)[rng.integers(0, 3, size=6)]
    w1, w2, w3 = rng.normal(size=(4, 5)), rng.normal(size=(5, 5)), rng.normal(size=(5, 3))
    b1, b2, b3 = rng.normal(size=5), rng.normal(size=5), rng.normal(size=3)
    return call(user.jeden_krok, X, y, w1, b1, w2, b2, w3, b3, wrt=("w1", "b1", "w2", "b2", "w3", "b3"))


import numpy as np

RIGHT = [
    Right("    return sigmoid(z) * (1 - sigmoid(z))\n", "    return np.exp(-z) / (1 + np.exp(-z)) ** 2\n"),
    Right("    delta3 = (a3 - y) / m * sigmoid_prime(z3)\n", "    roznica = y - a3\n    delta3 = -roznica * a3 * (1 - a3) / m\n"),
    Right(
        "    delta1 = delta2.dot(w2.T) * sigmoid_prime(z1)\n    w1_grad = X.T.dot(delta1)\n    b1_grad = np.sum(delta1, axis=0)\n",
        "    delta1 = a1 * (a1 - 1) * w2.dot(delta2.T).T\n    w1_grad = -(delta1.T.dot(X)).T\n    b1_grad = -np.ones(m).dot(delta1)\n",
    ),
    Right(
        "    w3_grad = a2.T.dot(delta3)\n    b3_grad = np.sum(delta3, axis=0)\n    delta2 = delta3.dot(w3.T) * sigmoid_prime(z2)\n    w2_grad = a1.T.dot(delta2)\n    b2_grad = np.sum(delta2, axis=0)\n",
        "    w3_grad = sum(np.outer(a2[i], delta3[i]) for i in range(m))\n    b3_grad = delta3.mean(axis=0) * m\n    blad2 = delta3.dot(w3.T)\n    delta2 = blad2 * a2 - blad2 * a2 ** 2\n    w2_grad = np.einsum('ni,nj->ij', a1, delta2)\n    b2_grad = delta2.T.sum(axis=1)\n",
    ),
]

D3 = "delta3 = (a3 - y) / m * sigmoid_prime(z3)"
D1 = "delta1 = delta2.dot(w2.T) * sigmoid_prime(z1)"
PRIME = ("return", "sigmoid_prime", "delta3")

MISTAKES = [
    Mistake("sign", "delta3", D3, "delta3 = (y - a3) / m * sigmoid_prime(z3)"),
    Mistake("missing-activation-derivative", "delta3", D3, "delta3 = (a3 - y) / m"),
    Mistake(("activation-derivative-at-activation", "wrong-tensor-in-delta"), "delta3", D3, "delta3 = (a3 - y) / m * sigmoid_prime(a3)"),
    Mistake(("factor-N", "wrong-loss-derivative"), ("delta3", "blad"), D3, "delta3 = (a3 - y) * sigmoid_prime(z3)"),
    Mistake(("factor-2", "wrong-loss-derivative"), ("delta3", "blad"), D3, "delta3 = 2 * (a3 - y) / m * sigmoid_prime(z3)"),
    Mistake(("factor-const", "wrong-loss-derivative", None), ("blad", "delta3"), "blad = np.sum((a3 - y) ** 2) / (2 * m)", "blad = np.mean((a3 - y) ** 2)"),
    Mistake(("factor-1/N", "wrong-loss-derivative"), ("blad", "delta3"), "np.sum((a3 - y) ** 2) / (2 * m)", "0.5 * np.sum((a3 - y) ** 2)"),
    Mistake(("output-form-on-preactivation", "wrong-local-derivative"), PRIME, "    return sigmoid(z) * (1 - sigmoid(z))\n", "    return z * (1 - z)\n"),
    Mistake(("wrong-local-derivative", "derivative-of-another-activation", None), PRIME, "    return sigmoid(z) * (1 - sigmoid(z))\n", "    return 1 - sigmoid(z) ** 2\n"),
    Mistake(("activation-derivative-of-wrong-layer", "wrong-tensor-in-delta"), "delta1", D1, "delta1 = delta2.dot(w2.T) * sigmoid_prime(z2)"),
    Mistake("weight-not-transposed", "delta1", D1, "delta1 = delta2.dot(w2) * sigmoid_prime(z1)"),
    Mistake(("missing-weight-factor", "skipped-layer"), "delta1", D1, "delta1 = delta2 * sigmoid_prime(z1)"),
    Mistake(("activation-derivative-twice", None), "delta1", D1, "delta1 = delta2.dot(w2.T) * sigmoid_prime(z1) * a1 * (1 - a1)"),
    Mistake("gradient-transposed", "w2_grad", "w2_grad = a1.T.dot(delta2)", "w2_grad = delta2.T.dot(a1)"),
    Mistake("wrong-tensor-in-weight-gradient", "w2_grad", "w2_grad = a1.T.dot(delta2)", "w2_grad = z1.T.dot(delta2)"),
    Mistake(("wrong-tensor-in-weight-gradient", "off-by-one-index"), "w3_grad", "w3_grad = a2.T.dot(delta3)", "w3_grad = a1.T.dot(delta3)"),
    Mistake(("bias-wrong-axis", "wrong-shape"), "b2_grad", "b2_grad = np.sum(delta2, axis=0)", "b2_grad = np.sum(delta2, axis=1)"),
    Mistake(("factor-1/N", "bias-wrong-axis"), "b1_grad", "b1_grad = np.sum(delta1, axis=0)", "b1_grad = np.mean(delta1, axis=0)"),
    Mistake(("bias-not-reduced", "wrong-shape"), "b3_grad", "b3_grad = np.sum(delta3, axis=0)", "b3_grad = delta3"),
    Mistake("updated-weights", ("delta1", "w2"), "    " + D1 + "\n", "    w2 = w2 - 0.5 * w2_grad\n    " + D1 + "\n"),
    Mistake(("wrong-tensor-in-weight-gradient", "wrong-shape", "off-by-one-index", None), ("return", "b1_grad", "b2_grad"), "    return blad, (w1_grad, b1_grad, w2_grad, b2_grad", "    return blad, (w1_grad, b1_grad, w2_grad, b1_grad"),
]
