"""Practica 2 - Perceptron multicapa desde cero (sin librerias de ML). Regresion y clasificacion con la misma clase."""

import numpy as np


class RedNeuronal:
    """capas = [entradas, ocultas..., salidas]"""

    def __init__(self, capas, lam=0.02, semilla=0):
        azar = np.random.RandomState(semilla)
        self.capas = capas
        self.lam = lam
        self.pesos = []
        self.sesgos = []
        for i in range(len(capas) - 1):
            self.pesos.append(azar.randn(capas[i], capas[i + 1]))
            self.sesgos.append(azar.randn(1, capas[i + 1]))

    def sigmoide(self, x):
        return 1 / (1 + np.exp(-x))

    def derivada(self, s):
        # ojo: s ya es la salida de la sigmoide
        return s * (1 - s)

    def propagar(self, X):
        self.zs = []
        self.salidas = [X]
        for W, b in zip(self.pesos, self.sesgos):
            z = np.dot(self.salidas[-1], W) + b
            self.zs.append(z)
            self.salidas.append(self.sigmoide(z))
        return self.salidas[-1]

    def costo(self, y_pred, y):
        m = y.shape[0]
        error = np.sum((y_pred - y) ** 2) / (2 * m)
        penalizacion = self.lam / 2 * sum(np.sum(W ** 2) for W in self.pesos)
        return error + penalizacion

    def retropropagar(self, y):
        m = y.shape[0]
        n = len(self.pesos)
        grad_pesos = [np.zeros_like(W) for W in self.pesos]
        grad_sesgos = [np.zeros_like(b) for b in self.sesgos]

        error = self.salidas[-1] - y
        delta = error * self.derivada(self.salidas[-1])
        for i in reversed(range(n)):
            grad_pesos[i] = np.dot(self.salidas[i].T, delta) / m + self.lam * self.pesos[i]
            grad_sesgos[i] = np.sum(delta, axis=0, keepdims=True) / m
            if i > 0:
                delta = np.dot(delta, self.pesos[i].T) * self.derivada(self.salidas[i])
        return grad_pesos, grad_sesgos

    def paso(self, X, y):
        y_pred = self.propagar(X)
        J = self.costo(y_pred, y)
        grad_pesos, grad_sesgos = self.retropropagar(y)
        return J, (grad_pesos, grad_sesgos)

    def entrenar(self, X, y, epocas=1000, tasa=0.5):
        for _ in range(epocas):
            J, (gp, gs) = self.paso(X, y)
            for i in range(len(self.pesos)):
                self.pesos[i] = self.pesos[i] - tasa * gp[i]
                self.sesgos[i] = self.sesgos[i] - tasa * gs[i]
        return J


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    red = user.RedNeuronal([3, 6, 4, 2], semilla=int(rng.integers(1000)))
    X, y = rng.normal(size=(7, 3)), rng.uniform(0.1, 0.9, size=(7, 2))
    return call(red.paso, X, y, wrt=("self.pesos", "self.sesgos"))


RIGHT = [
    Right("        return s * (1 - s)", "        return s - s * s"),
    Right(
        "        for i in reversed(range(n)):\n            grad_pesos[i] = np.dot(self.salidas[i].T, delta) / m",
        "        for i in range(n - 1, -1, -1):\n            grad_pesos[i] = np.einsum('mi,mj->ij', self.salidas[i], delta) / m",
    ),
    Right("penalizacion = self.lam / 2 * sum(np.sum(W ** 2) for W in self.pesos)", "penalizacion = 0.5 * self.lam * sum(np.linalg.norm(W) ** 2 for W in self.pesos)"),
    Right(
        "        error = self.salidas[-1] - y\n        delta = error * self.derivada(self.salidas[-1])\n        for i in reversed(range(n)):\n"
        "            grad_pesos[i] = np.dot(self.salidas[i].T, delta) / m + self.lam * self.pesos[i]\n"
        "            grad_sesgos[i] = np.sum(delta, axis=0, keepdims=True) / m\n",
        "        error = y - self.salidas[-1]\n        delta = error * self.derivada(self.salidas[-1])\n        for i in reversed(range(n)):\n"
        "            grad_pesos[i] = -np.dot(self.salidas[i].T, delta) / m + self.lam * self.pesos[i]\n"
        "            grad_sesgos[i] = -np.sum(delta, axis=0, keepdims=True) / m\n",
    ),
    Right("            grad_sesgos[i] = np.sum(delta, axis=0, keepdims=True) / m\n", "            grad_sesgos[i] = delta.mean(0)[np.newaxis]\n"),
]

GP = ("grad_pesos[i]", "grad_pesos[2]", "grad_pesos[n - 1]", "grad_pesos[-1]", "grad_pesos")
GP0 = ("grad_pesos[i]", "grad_pesos[0]", "grad_pesos[1]", "grad_pesos")
GS = ("grad_sesgos[i]", "grad_sesgos[2]", "grad_sesgos[0]", "grad_sesgos")

MISTAKES = [
    Mistake("sign", "error", "        error = self.salidas[-1] - y", "        error = y - self.salidas[-1]"),
    Mistake("factor-half", ("error", "delta", "J", "costo"), "np.sum((y_pred - y) ** 2) / (2 * m)", "np.sum((y_pred - y) ** 2) / m"),
    Mistake(("factor-K", "factor-2"), ("error", "delta", "J", "costo"), "np.sum((y_pred - y) ** 2) / (2 * m)", "np.mean((y_pred - y) ** 2) / 2"),
    Mistake("missing-activation-derivative", "delta", "        delta = error * self.derivada(self.salidas[-1])", "        delta = error"),
    Mistake("missing-activation-derivative", "delta", "np.dot(delta, self.pesos[i].T) * self.derivada(self.salidas[i])", "np.dot(delta, self.pesos[i].T)"),
    Mistake(("activation-derivative-at-activation", "derivative-of-another-activation", "wrong-local-derivative"), ("delta", "derivada", "return"), "        return s * (1 - s)", "        return self.sigmoide(s) * (1 - self.sigmoide(s))"),
    Mistake(("wrong-local-derivative", "derivative-of-another-activation"), ("delta", "derivada", "return"), "        return s * (1 - s)", "        return 1 - s ** 2"),
    Mistake("output-form-on-preactivation", "delta", "np.dot(delta, self.pesos[i].T) * self.derivada(self.salidas[i])", "np.dot(delta, self.pesos[i].T) * self.derivada(self.zs[i - 1])"),
    Mistake("wrong-tensor-in-weight-gradient", GP0, "np.dot(self.salidas[i].T, delta) / m", "np.dot((self.zs[i - 1] if i else self.salidas[0]).T, delta) / m"),
    Mistake(("regulariser-forgotten", "missing-branch"), GP, " / m + self.lam * self.pesos[i]", " / m"),
    Mistake("regulariser-scale", GP, " / m + self.lam * self.pesos[i]", " / m + 2 * self.lam * self.pesos[i]"),
    Mistake("regulariser-scale", GP, " / m + self.lam * self.pesos[i]", " / m + self.lam / m * self.pesos[i]"),
    Mistake(("regulariser-scale", "sign"), GP, " / m + self.lam * self.pesos[i]", " / m - self.lam * self.pesos[i]"),
    Mistake(("regulariser-on-wrong-parameter", "regulariser-scale"), GS, "            grad_sesgos[i] = np.sum(delta, axis=0, keepdims=True) / m\n", "            grad_sesgos[i] = np.sum(delta, axis=0, keepdims=True) / m + self.lam * self.sesgos[i]\n"),
    Mistake("factor-N", GS, "np.sum(delta, axis=0, keepdims=True) / m", "np.sum(delta, axis=0, keepdims=True)"),
    Mistake(("bias-wrong-axis", "wrong-shape", "reduced-too-early"), GS, "np.sum(delta, axis=0, keepdims=True) / m", "np.sum(delta, keepdims=True) / m"),
    Mistake(("updated-weights", "input-mutated"), ("delta", "self.pesos[i]", "self.pesos", "self.pesos[2]"), "            if i > 0:\n", "            self.pesos[i] = self.pesos[i] - 0.3 * grad_pesos[i]\n            if i > 0:\n"),
    Mistake(("missing-target", "wrong-loss-derivative"), ("error", "delta"), "        error = self.salidas[-1] - y\n", "        error = self.salidas[-1]\n"),
    Mistake(("factor-1/N", None), ("delta", *GP0), "                delta = np.dot(delta, self.pesos[i].T)", "                delta = 1 / m * np.dot(delta, self.pesos[i].T)"),
    Mistake(("off-by-one-index", "detached-branch", "missing-branch"), (*GP0, "grad_sesgos[i]", "grad_sesgos[0]", "grad_sesgos"), "in reversed(range(n)):", "in reversed(range(1, n)):"),
]
