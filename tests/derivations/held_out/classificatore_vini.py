"""Classificatore dei vini: una classe, due strati nascosti con relu, softmax, penalità L2 sui pesi (non sui bias)."""

import numpy as np


class ReteVini:
    def __init__(self, n_ingressi, n1, n2, n_classi, lam=0.05, seme=0):
        gen = np.random.default_rng(seme)
        self.lam = lam
        self.P1 = gen.normal(size=(n_ingressi, n1))
        self.c1 = gen.normal(size=n1)
        self.P2 = gen.normal(size=(n1, n2))
        self.c2 = gen.normal(size=n2)
        self.P3 = gen.normal(size=(n2, n_classi))
        self.c3 = gen.normal(size=n_classi)

    def avanti(self, X):
        self.S1 = X @ self.P1 + self.c1
        self.H1 = np.maximum(0, self.S1)
        self.S2 = self.H1 @ self.P2 + self.c2
        self.H2 = np.maximum(0, self.S2)
        punteggi = self.H2 @ self.P3 + self.c3
        punteggi = punteggi - punteggi.max(axis=1, keepdims=True)
        esp = np.exp(punteggi)
        return esp / esp.sum(axis=1, keepdims=True)

    def allena(self, X, y, epoche=1, passo=0.1):
        n = X.shape[0]
        for epoca in range(epoche):
            prob = self.avanti(X)
            perdita = -np.log(prob[np.arange(n), y]).mean()
            perdita += 0.5 * self.lam * (np.sum(self.P1**2) + np.sum(self.P2**2) + np.sum(self.P3**2))

            # all'indietro
            dS3 = prob.copy()
            dS3[np.arange(n), y] -= 1
            dS3 /= n
            self.dP3 = self.H2.T @ dS3 + self.lam * self.P3
            self.dc3 = dS3.sum(axis=0)
            dH2 = dS3 @ self.P3.T
            dS2 = dH2 * (self.S2 > 0)
            self.dP2 = self.H1.T @ dS2 + self.lam * self.P2
            self.dc2 = dS2.sum(axis=0)
            dH1 = dS2 @ self.P2.T
            dS1 = dH1 * (self.S1 > 0)
            self.dP1 = X.T @ dS1 + self.lam * self.P1
            self.dc1 = dS1.sum(axis=0)

            # discesa
            self.P3 = self.P3 - passo * self.dP3
            self.c3 = self.c3 - passo * self.dc3
            self.P2 = self.P2 - passo * self.dP2
            self.c2 = self.c2 - passo * self.dc2
            self.P1 = self.P1 - passo * self.dP1
            self.c1 = self.c1 - passo * self.dc1
        return perdita


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    rete = user.ReteVini(4, 7, 5, 3, seme=int(rng.integers(10**6)))
    X, y = rng.normal(size=(6, 4)), rng.integers(0, 3, size=6)
    names = ("P1", "c1", "P2", "c2", "P3", "c3")
    return call(rete.allena, X, y, loss="perdita", gradients={f"self.{k}": f"self.d{k}" for k in names})


RIGHT = [
    Right("            dS3 = prob.copy()\n", "            dS3 = prob\n"),
    Right("            dS3 = prob.copy()\n            dS3[np.arange(n), y] -= 1\n            dS3 /= n\n", "            obiettivo = np.equal.outer(y, np.arange(prob.shape[1]))\n            dS3 = -(obiettivo - prob) / n\n"),
    Right("            dS2 = dH2 * (self.S2 > 0)\n", "            dS2 = np.where(self.H2 == 0, 0.0, dH2)\n"),
    Right(
        "            self.dP1 = X.T @ dS1 + self.lam * self.P1\n            self.dc1 = dS1.sum(axis=0)\n",
        "            con_uno = np.hstack([X, np.ones((n, 1))])\n            insieme = con_uno.T @ dS1\n            self.dP1, self.dc1 = insieme[:-1], insieme[-1]\n            self.dP1 = self.dP1 + self.P1 * self.lam\n",
    ),
]

DS3 = ("dS3", "dS3[np.arange(n), y]")

MISTAKES = [
    Mistake("regulariser-forgotten", "self.dP2", "self.H1.T @ dS2 + self.lam * self.P2", "self.H1.T @ dS2"),
    Mistake("regulariser-scale", "self.dP3", "self.H2.T @ dS3 + self.lam * self.P3", "self.H2.T @ dS3 + 2 * self.lam * self.P3"),
    Mistake("regulariser-scale", "self.dP1", "X.T @ dS1 + self.lam * self.P1", "X.T @ dS1 + self.lam / n * self.P1"),
    Mistake(("regulariser-scale", "sign"), "self.dP1", "X.T @ dS1 + self.lam * self.P1", "X.T @ dS1 - self.lam * self.P1"),
    Mistake("regulariser-on-wrong-parameter", "self.dc2", "self.dc2 = dS2.sum(axis=0)", "self.dc2 = dS2.sum(axis=0) + self.lam * self.c2"),
    Mistake(("regulariser-on-wrong-parameter", "regulariser-forgotten", "regulariser-scale"), ("perdita", "self.dP1"), "(np.sum(self.P1**2) + np.sum(self.P2**2) + np.sum(self.P3**2))", "(np.sum(self.P2**2) + np.sum(self.P3**2))"),
    Mistake("relu-mask-inverted", "dS2", "dS2 = dH2 * (self.S2 > 0)", "dS2 = dH2 * (self.S2 < 0)"),
    Mistake(("relu-mask-from-wrong-tensor", "activation-derivative-of-wrong-layer", "wrong-tensor-in-delta"), "dS1", "dS1 = dH1 * (self.S1 > 0)", "dS1 = dH1 * (dH1 > 0)"),
    Mistake(("missing-activation-derivative", "skipped-layer"), "dS1", "dS1 = dH1 * (self.S1 > 0)", "dS1 = dH1"),
    Mistake(("wrong-local-derivative", "derivative-of-another-activation", "activation-derivative-at-activation", "wrong-tensor-in-delta", None), "dS2", "dS2 = dH2 * (self.S2 > 0)", "dS2 = dH2 * self.H2"),
    Mistake(("missing-target", "missing-branch"), DS3, "            dS3[np.arange(n), y] -= 1\n", "", fix=False),
    Mistake(("missing-target", "wrong-loss-derivative", "off-by-one-index", None), ("dS3", "dS3[np.arange(n), y - 1]"), "dS3[np.arange(n), y] -= 1", "dS3[np.arange(n), y - 1] -= 1"),
    Mistake(("accidental-broadcast", "wrong-loss-derivative", "missing-target", "off-by-one-index", None), ("dS3", "dS3[:, y]"), "dS3[np.arange(n), y] -= 1", "dS3[:, y] -= 1"),
    Mistake(("factor-N", None), (*DS3, "self.dP3", "perdita"), "            dS3 /= n\n", "", fix=False),
    Mistake("updated-weights", ("dH2", "self.P3"), "            dH2 = dS3 @ self.P3.T\n", "            self.P3 = self.P3 - passo * self.dP3\n            dH2 = dS3 @ self.P3.T\n"),
    Mistake(("stale-forward-values", "wrong-tensor-in-weight-gradient", "forward-differs", "input-mutated", None), ("self.dP3", "self.H1", "self.H2", "self.S1", "self.S2", "avanti", "precisione"), "            # all'indietro\n", "            precisione = np.mean(self.avanti(X[::-1]).argmax(axis=1) == y[::-1])\n            # all'indietro\n", fix=False),
    Mistake("wrong-tensor-in-weight-gradient", "self.dP3", "self.dP3 = self.H2.T @ dS3", "self.dP3 = self.S2.T @ dS3"),
    Mistake(("aliasing", "input-mutated", "wrong-tensor-in-weight-gradient", "stale-forward-values"), ("self.dP2", "acceso", "acceso[acceso > 0]", "self.H1"), "            dS2 = dH2 * (self.S2 > 0)\n", "            dS2 = dH2 * (self.S2 > 0)\n            acceso = self.H1\n            acceso[acceso > 0] = 1\n"),
    Mistake(("bias-wrong-axis", "reduced-too-early", "wrong-shape"), "self.dc3", "self.dc3 = dS3.sum(axis=0)", "self.dc3 = dS3.sum()"),
    Mistake(("softmax-wrong-axis", "forward-differs", "wrong-loss-derivative", None), ("return", "prob", "dS3", "dS3[np.arange(n), y]", "perdita", "avanti"), "return esp / esp.sum(axis=1, keepdims=True)", "return esp / esp.sum(axis=0, keepdims=True)", fix=False),
]
