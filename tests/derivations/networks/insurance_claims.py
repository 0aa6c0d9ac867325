"""Claims per insurance policy: Poisson regression with a hidden softplus layer, a class that also updates itself."""

import numpy as np


class ClaimsModel:
    def __init__(self, n_inputs, n_hidden, lr=0.05, lam=0.1):
        rng = np.random.default_rng(42)
        self.W1 = rng.normal(0, 0.1, (n_inputs, n_hidden))
        self.b1 = np.zeros(n_hidden)
        self.W2 = rng.normal(0, 0.1, (n_hidden, 1))
        self.b2 = np.zeros(1)
        self.lr = lr
        self.lam = lam

    def softplus(self, z):
        return np.log1p(np.exp(z))

    def softplus_prime(self, z):
        return 1.0 / (1.0 + np.exp(-z))

    def forward(self, X):
        self.Z1 = X @ self.W1 + self.b1
        self.H = self.softplus(self.Z1)
        self.eta = self.H @ self.W2 + self.b2
        self.rate = np.exp(self.eta)
        return self.rate

    def nll(self, exposure, claims):
        # Poisson, without the constant log(claims!)
        expected = exposure * self.rate
        data_term = np.mean(expected - claims * np.log(expected))
        penalty = 0.5 * self.lam * (np.sum(self.W1 ** 2) + np.sum(self.W2 ** 2))
        return data_term + penalty

    def backward(self, X, exposure, claims):
        n = X.shape[0]
        d_eta = (exposure * self.rate - claims) / n
        self.dW2 = self.H.T @ d_eta + self.lam * self.W2
        self.db2 = d_eta.sum(axis=0)
        dH = d_eta @ self.W2.T
        dZ1 = dH * self.softplus_prime(self.Z1)
        self.dW1 = X.T @ dZ1 + self.lam * self.W1
        self.db1 = dZ1.sum(axis=0)

    def train(self, X, exposure, claims):
        self.forward(X)
        loss = self.nll(exposure, claims)
        self.backward(X, exposure, claims)
        self.W1 -= self.lr * self.dW1
        self.b1 -= self.lr * self.db1
        self.W2 -= self.lr * self.dW2
        self.b2 -= self.lr * self.db2
        return loss


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    N, D, H = 7, 3, 5
    model = user.ClaimsModel(D, H)
    model.W1, model.b1 = 0.7 * rng.normal(size=(D, H)), 0.5 * rng.normal(size=H)
    model.W2, model.b2 = 0.7 * rng.normal(size=(H, 1)), 0.5 * rng.normal(size=1)
    X, exposure, claims = rng.normal(size=(N, D)), rng.uniform(0.3, 1.5, size=(N, 1)), rng.poisson(1.5, size=(N, 1)) + 0.0
    names = ("W1", "b1", "W2", "b2")
    return call(model.train, X, exposure, claims, loss="loss", gradients={f"self.{k}": f"self.d{k}" for k in names})


RIGHT = [
    Right("        d_eta = (exposure * self.rate - claims) / n\n", "        d_rate = (exposure - claims / self.rate) / n\n        d_eta = d_rate * self.rate\n"),
    Right("dH * self.softplus_prime(self.Z1)", "dH * (1 - np.exp(-self.H))"),
    Right("np.mean(expected - claims * np.log(expected))", "np.mean(expected - claims * (self.eta + np.log(exposure)))"),
    Right("        self.db1 = dZ1.sum(axis=0)\n", "        self.db1 = np.ones(n) @ dZ1\n"),
    Right("        dH = d_eta @ self.W2.T\n", "        dH = d_eta * self.W2.ravel()  # one output only\n"),
]

MISTAKES = [
    Mistake(("missing-weight-factor", "wrong-loss-derivative", None), "d_eta", "d_eta = (exposure * self.rate - claims) / n", "d_eta = (self.rate - claims) / n"),
    Mistake("sign", "d_eta", "d_eta = (exposure * self.rate - claims) / n", "d_eta = (claims - exposure * self.rate) / n"),
    Mistake("factor-N", ("d_eta", "data_term"), "(exposure * self.rate - claims) / n", "(exposure * self.rate - claims)"),
    Mistake(("missing-target", "wrong-loss-derivative"), "d_eta", "(exposure * self.rate - claims) / n", "exposure * self.rate / n"),
    Mistake(("activation-derivative-twice", "wrong-loss-derivative"), "d_eta", "(exposure * self.rate - claims) / n", "(exposure * self.rate - claims) / n * self.rate"),
    Mistake(("missing-activation-derivative", "skipped-layer", "wrong-loss-derivative"), "d_eta", "(exposure * self.rate - claims) / n", "(exposure - claims / self.rate) / n"),
    Mistake("regulariser-forgotten", "self.dW1", "self.dW1 = X.T @ dZ1 + self.lam * self.W1", "self.dW1 = X.T @ dZ1"),
    Mistake("regulariser-scale", "self.dW2", "self.H.T @ d_eta + self.lam * self.W2", "self.H.T @ d_eta + 2 * self.lam * self.W2"),
    Mistake(("regulariser-scale", "factor-1/N", "factor-N"), "self.dW1", "X.T @ dZ1 + self.lam * self.W1", "X.T @ dZ1 + self.lam / n * self.W1"),
    Mistake("regulariser-on-wrong-parameter", "self.db1", "self.db1 = dZ1.sum(axis=0)", "self.db1 = dZ1.sum(axis=0) + self.lam * self.b1"),
    Mistake(("regulariser-scale", "sign"), "self.dW1", "X.T @ dZ1 + self.lam * self.W1", "X.T @ dZ1 - self.lam * self.W1"),
    Mistake("missing-activation-derivative", "dZ1", "dZ1 = dH * self.softplus_prime(self.Z1)", "dZ1 = dH"),
    Mistake("activation-derivative-at-activation", "dZ1", "self.softplus_prime(self.Z1)", "self.softplus_prime(self.H)"),
    Mistake("output-form-on-preactivation", "dZ1", "dH * self.softplus_prime(self.Z1)", "dH * (1 - np.exp(-self.Z1))"),
    Mistake(("derivative-of-another-activation", "wrong-local-derivative"), "dZ1", "dH * self.softplus_prime(self.Z1)", "dH * (1 - np.tanh(self.Z1) ** 2)"),
    Mistake("updated-weights", ("dH", "self.W2"), "        dH = d_eta", "        self.W2 = self.W2 - self.lr * self.dW2\n        dH = d_eta"),
    Mistake(("factor-1/N", "bias-wrong-axis"), "self.db2", "d_eta.sum(axis=0)", "d_eta.mean(axis=0)"),
    Mistake("wrong-tensor-in-weight-gradient", "self.dW2", "self.H.T @ d_eta", "self.Z1.T @ d_eta"),
    Mistake(("input-mutated", "aliasing", "activation-derivative-at-activation", "stale-forward-values", None), ("self.H", "self.Z1", "dZ1"), "self.H = self.softplus(self.Z1)", "self.H = np.log1p(np.exp(self.Z1, out=self.Z1), out=self.Z1)", fix=False),
]
