"""Single-head self-attention on one sequence: the softmax of every row has its Jacobian, weights square and not."""

import numpy as np


def softmax(x):
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


class Attention:
    def __init__(self, d_model, d_head, rng):
        self.scale = 1 / np.sqrt(d_head)
        self.Wq = rng.normal(size=(d_model, d_head))
        self.Wk = rng.normal(size=(d_model, d_head))
        self.Wv = rng.normal(size=(d_model, d_head))
        self.Wo = rng.normal(size=(d_head, d_model))

    def forward(self, X):
        self.X = X
        self.Q = X @ self.Wq
        self.K = X @ self.Wk
        self.V = X @ self.Wv
        self.S = self.Q @ self.K.T * self.scale
        self.A = softmax(self.S)
        self.C = self.A @ self.V
        return self.C @ self.Wo

    def backward(self, dO):
        self.dWo = self.C.T @ dO
        dC = dO @ self.Wo.T
        dA = dC @ self.V.T
        dV = self.A.T @ dC
        dS = self.softmax_backward(dA)
        dQ = dS @ self.K * self.scale
        dK = dS.T @ self.Q * self.scale
        self.dWq = self.X.T @ dQ
        self.dWk = self.X.T @ dK
        self.dWv = self.X.T @ dV

    def softmax_backward(self, dA):
        inner = np.sum(dA * self.A, axis=-1, keepdims=True)
        return self.A * (dA - inner)

    def train_on(self, X, target):
        out = self.forward(X)
        loss = np.mean((out - target) ** 2)
        self.backward(2 * (out - target) / out.size)
        return loss


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    T, D, H = 7, 5, 3
    layer = user.Attention(D, H, rng)
    X, target = rng.normal(size=(T, D)), rng.normal(size=(T, D))
    return call(
        layer.train_on, X, target, loss="loss",
        gradients={f"self.{name}": f"self.d{name}" for name in ("Wq", "Wk", "Wv", "Wo")},
    )  # fmt: skip


SOFTMAX = "        inner = np.sum(dA * self.A, axis=-1, keepdims=True)\n        return self.A * (dA - inner)\n"

RIGHT = [
    Right(SOFTMAX, "        dS = np.zeros_like(dA)\n        for t in range(len(dA)):\n            p = self.A[t].reshape(-1, 1)\n            dS[t] = (np.diagflat(p) - p @ p.T) @ dA[t]\n        return dS\n"),
    Right(SOFTMAX, "        J = np.einsum('ti,ij->tij', self.A, np.eye(self.A.shape[1])) - np.einsum('ti,tj->tij', self.A, self.A)\n        return np.einsum('tij,tj->ti', J, dA)\n"),
    Right("dK = dS.T @ self.Q * self.scale", "dK = (self.Q.T @ dS * self.scale).T"),
    Right("    e = np.exp(x - np.max(x, axis=-1, keepdims=True))\n    return e / e.sum(axis=-1, keepdims=True)", "    z = x - x.max(axis=1)[:, np.newaxis]\n    return np.exp(z - np.log(np.sum(np.exp(z), axis=1))[:, np.newaxis])"),
]

MISTAKES = [
    Mistake("softmax-diagonal-only", ("dS", "softmax_backward"), SOFTMAX, "        return self.A * (1 - self.A) * dA\n"),
    Mistake("softmax-wrong-axis", ("inner", "dS", "softmax_backward"), "np.sum(dA * self.A, axis=-1, keepdims=True)", "np.sum(dA * self.A, axis=0, keepdims=True)"),
    Mistake("softmax-wrong-axis", ("self.A", "dS", "inner", "softmax"), "self.A = softmax(self.S)", "self.A = softmax(self.S.T).T"),
    Mistake(("missing-branch", "softmax-diagonal-only", None), ("dS", "softmax_backward"), "return self.A * (dA - inner)", "return self.A * dA"),
    Mistake(("missing-activation-derivative", "skipped-layer"), "dS", "dS = self.softmax_backward(dA)", "dS = dA"),
    Mistake("gradient-transposed", "self.dWo", "self.dWo = self.C.T @ dO", "self.dWo = dO.T @ self.C"),
    Mistake(("weight-not-transposed", "gradient-transposed", None), "dV", "dV = self.A.T @ dC", "dV = self.A @ dC"),
    Mistake(("weight-not-transposed", "gradient-transposed", None), "dK", "dK = dS.T @ self.Q", "dK = dS @ self.Q"),
    Mistake(("missing-weight-factor", "factor-const"), "dQ", "dQ = dS @ self.K * self.scale", "dQ = dS @ self.K"),
    Mistake("factor-const", "dK", "self.Q * self.scale", "self.Q * self.scale**2"),
    Mistake(("wrong-tensor-in-delta", None), "dQ", "dQ = dS @ self.K", "dQ = dS @ self.V"),
    Mistake(("wrong-tensor-in-delta", None), "dA", "dA = dC @ self.V.T", "dA = dC @ self.K.T"),
    Mistake("wrong-tensor-in-weight-gradient", "self.dWo", "self.C.T @ dO", "self.V.T @ dO"),
    Mistake(("wrong-tensor-in-delta", "wrong-tensor-in-weight-gradient"), "self.dWk", "self.dWk = self.X.T @ dK", "self.dWk = self.X.T @ dQ"),
    Mistake("factor-K", ("dO", "loss", "self.dWo"), "/ out.size)", "/ len(out))"),
    Mistake("sign", ("dO", "self.dWo"), "2 * (out - target)", "2 * (target - out)"),
    Mistake("updated-weights", ("dC", "self.Wo"), "        dC = dO", "        self.Wo = self.Wo - 0.1 * self.dWo\n        dC = dO"),
    Mistake(("stale-forward-values", "forward-differs", None), ("self.K", "dQ"), "        dA = dC", "        self.K = self.X @ (self.Wk + 0.1)\n        dA = dC", fix=False),
]
