"""A class with batch normalisation in its short form, leaky ReLU, squared hinge loss over labels of -1 and 1, and L2."""

import numpy as np


class NormedClassifier:
    """in -> W1 -> batch norm -> leaky ReLU -> W2, b2. No bias before the norm: it would be subtracted again."""

    eps = 0.05
    leak = 0.2

    def __init__(self, n_in, n_hidden, n_out, reg=0.03):
        self.W1 = np.random.randn(n_in, n_hidden) * np.sqrt(2 / n_in)
        self.gamma = np.ones(n_hidden)
        self.beta = np.zeros(n_hidden)
        self.W2 = np.random.randn(n_hidden, n_out) * np.sqrt(2 / n_hidden)
        self.b2 = np.zeros(n_out)
        self.reg = reg
        self.running_mean = np.zeros(n_hidden)

    def _normalise(self, s):
        mean = s.mean(axis=0)
        std = np.sqrt(s.var(axis=0) + self.eps)
        self.running_mean = 0.9 * self.running_mean + 0.1 * mean
        return (s - mean) / std, std

    def _normalise_grad(self, dxhat, xhat, std):
        centre = dxhat.mean(axis=0)
        spread = (dxhat * xhat).mean(axis=0)
        return (dxhat - centre - xhat * spread) / std

    def _leaky(self, n):
        return np.where(n > 0, n, self.leak * n)

    def _leaky_grad(self, n):
        return np.where(n > 0, 1.0, self.leak)

    def _penalty(self):
        return 0.5 * self.reg * (np.sum(self.W1 ** 2) + np.sum(self.W2 ** 2))

    def fit_batch(self, X, Y):
        N = X.shape[0]
        s = X @ self.W1
        xhat, std = self._normalise(s)
        n = self.gamma * xhat + self.beta
        a = self._leaky(n)
        scores = a @ self.W2 + self.b2
        slack = np.maximum(0, 1 - Y * scores)
        loss = np.sum(slack ** 2) / N + self._penalty()

        grads = {}
        dscores = -2 * Y * slack / N
        grads["W2"] = a.T @ dscores + self.reg * self.W2
        grads["b2"] = dscores.sum(axis=0)
        da = dscores @ self.W2.T
        dn = da * self._leaky_grad(n)
        grads["gamma"] = np.sum(dn * xhat, axis=0)
        grads["beta"] = dn.sum(axis=0)
        ds = self._normalise_grad(dn * self.gamma, xhat, std)
        grads["W1"] = X.T @ ds + self.reg * self.W1
        return loss, grads


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    N, D, H, K = 7, 2, 5, 3
    model = user.NormedClassifier(D, H, K)
    model.W1, model.gamma, model.beta = rng.normal(size=(D, H)), rng.uniform(0.5, 2, H), rng.normal(size=H)
    model.W2, model.b2 = rng.normal(size=(H, K)), rng.normal(size=K)
    names = "W1", "gamma", "beta", "W2", "b2"
    return call(
        model.fit_batch, rng.normal(size=(N, D)), rng.choice([-1.0, 1.0], size=(N, K)),
        loss="loss", gradients={f"self.{name}": f"grads['{name}']" for name in names},
    )


import numpy as np

RIGHT = [
    Right("        return (dxhat - centre - xhat * spread) / std\n", "        N = len(dxhat)\n        dvar = np.sum(dxhat * xhat * std, axis=0) * -0.5 * std ** -3\n        dmean = -np.sum(dxhat / std, axis=0)\n        return dxhat / std + 2 * xhat * std * dvar / N + dmean / N\n"),
    Right("        return (dxhat - centre - xhat * spread) / std\n", "        N = len(dxhat)\n        return (N * dxhat - dxhat.sum(0) - xhat * np.einsum('nh,nh->h', dxhat, xhat)) / (N * std)\n"),
    Right("        ds = self._normalise_grad(dn * self.gamma, xhat, std)\n", "        ds = self.gamma * self._normalise_grad(dn, xhat, std)\n"),
    Right("        dscores = -2 * Y * slack / N\n", "        dscores = np.where(Y * scores < 1, 2 * (scores - Y), 0.0)   # Y * Y is 1\n        dscores /= N\n"),
    Right("        dn = da * self._leaky_grad(n)\n", "        dn = da.copy()\n        dn[n <= 0] *= self.leak\n"),
    Right("        grads[\"W1\"] = X.T @ ds + self.reg * self.W1\n", "        grads[\"W1\"] = self.reg * self.W1\n        grads[\"W1\"] += (ds.T @ X).T\n"),
]

NORM = ("ds", "_normalise_grad", "self._normalise_grad", "return")
FORWARD = ("_normalise", "std", "xhat", "(xhat, std)", "self._normalise")

MISTAKES = [
    Mistake("ddof", (*FORWARD, *NORM), "s.var(axis=0) + self.eps", "s.var(axis=0, ddof=1) + self.eps"),
    Mistake("ddof", (*NORM, "spread"), "spread = (dxhat * xhat).mean(axis=0)", "spread = (dxhat * xhat).sum(axis=0) / (len(xhat) - 1)"),
    Mistake(("ddof", "factor-const"), NORM, "return (dxhat - centre - xhat * spread) / std", "return (dxhat - centre - xhat * spread) / (std * np.sqrt(len(xhat) / (len(xhat) - 1)))"),
    Mistake("epsilon-ignored", ("ds", "std"), "ds = self._normalise_grad(dn * self.gamma, xhat, std)", "ds = self._normalise_grad(dn * self.gamma, xhat, s.std(axis=0))"),
    Mistake(("epsilon-ignored", "stale-forward-values", "forward-differs"), ("std", "ds", "_normalise", "return", "(xhat, std)"), "return (s - mean) / std, std", "return (s - mean) / std, np.sqrt(s.var(axis=0))"),
    Mistake(("missing-branch", "detached-branch"), NORM, "(dxhat - centre - xhat * spread)", "(dxhat - centre)"),
    Mistake(("missing-branch", "detached-branch"), NORM, "(dxhat - centre - xhat * spread)", "(dxhat - xhat * spread)"),
    Mistake("detached-branch", ("ds", *NORM), "return (dxhat - centre - xhat * spread) / std", "return dxhat / std"),
    Mistake(("sign", "missing-branch", None), NORM, "(dxhat - centre - xhat * spread)", "(dxhat - centre + xhat * spread)"),
    Mistake("missing-weight-factor", ("ds", "dn"), "self._normalise_grad(dn * self.gamma, xhat, std)", "self._normalise_grad(dn, xhat, std)"),
    Mistake(("bias-wrong-axis", None), ("centre", *NORM), "centre = dxhat.mean(axis=0)", "centre = dxhat.mean(axis=1, keepdims=True)"),
    Mistake(("wrong-tensor-in-weight-gradient", "wrong-tensor-in-delta", None), "grads['gamma']", "np.sum(dn * xhat, axis=0)", "np.sum(dn * n, axis=0)"),
    Mistake(("reduced-too-early", None), "grads['gamma']", "np.sum(dn * xhat, axis=0)", "dn.sum(axis=0) * xhat.sum(axis=0)"),
    Mistake(("skipped-layer", "missing-activation-derivative", "wrong-tensor-in-delta", None), "grads['beta']", "grads[\"beta\"] = dn.sum(axis=0)", "grads[\"beta\"] = da.sum(axis=0)"),
    Mistake(("relu-mask-from-wrong-tensor", "activation-derivative-of-wrong-layer"), "dn", "self._leaky_grad(n)\n        grads", "self._leaky_grad(s)\n        grads"),
    Mistake(("relu-mask-inverted", None), ("dn", "_leaky_grad", "self._leaky_grad", "return"), "return np.where(n > 0, 1.0, self.leak)", "return np.where(n > 0, self.leak, 1.0)"),
    Mistake(("derivative-of-another-activation", "wrong-local-derivative", None), ("dn", "_leaky_grad", "self._leaky_grad", "return"), "return np.where(n > 0, 1.0, self.leak)", "return np.where(n > 0, 1.0, 0.0)"),
    Mistake(("wrong-local-derivative", None), ("dn", "_leaky_grad", "self._leaky_grad", "return"), "return np.where(n > 0, 1.0, self.leak)", "return np.where(n > 0, 1.0, -self.leak)"),
    Mistake("sign", ("dscores", "slack", "loss"), "dscores = -2 * Y * slack / N", "dscores = 2 * Y * slack / N"),
    Mistake("missing-target", ("dscores", "slack", "loss"), "dscores = -2 * Y * slack / N", "dscores = -2 * slack / N"),
    Mistake("wrong-loss-derivative", ("dscores", "slack", "loss"), "dscores = -2 * Y * slack / N", "dscores = -Y * (slack > 0) / N"),
    Mistake("regulariser-scale", ("grads['W2']", "loss", "_penalty", "self._penalty"), "a.T @ dscores + self.reg * self.W2", "a.T @ dscores + 2 * self.reg * self.W2"),
    Mistake("regulariser-forgotten", "grads['W1']", "X.T @ ds + self.reg * self.W1", "X.T @ ds"),
    Mistake("regulariser-on-wrong-parameter", "grads['W1']", "X.T @ ds + self.reg * self.W1", "X.T @ ds + self.reg * self.gamma"),
    Mistake(("regulariser-forgotten", "regulariser-on-wrong-parameter"), ("loss", "_penalty", "self._penalty", "return", "grads['b2']"), "np.sum(self.W1 ** 2) + np.sum(self.W2 ** 2)", "np.sum(self.W1 ** 2) + np.sum(self.W2 ** 2) + np.sum(self.b2 ** 2)", fix=False),
    Mistake("regulariser-on-wrong-parameter", "grads['b2']", "grads[\"b2\"] = dscores.sum(axis=0)", "grads[\"b2\"] = dscores.sum(axis=0) + self.reg * self.b2"),
    Mistake(("forward-differs", "stale-forward-values"), ("n", "dn"), "        dn = da * self._leaky_grad(n)\n", "        n = self.gamma * xhat\n        dn = da * self._leaky_grad(n)\n"),
]
