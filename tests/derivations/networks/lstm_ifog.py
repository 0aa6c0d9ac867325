"""An LSTM as a class: one matrix for the four gates [i f o g] over [h; x; 1], columns are samples, arrays over time."""

import numpy as np


class LSTM:
    def __init__(self, n_in, n_hid, n_out, seed=0):
        rnd = np.random.RandomState(seed)
        self.H = n_hid
        self.W = rnd.randn(4 * n_hid, n_hid + n_in + 1) / np.sqrt(n_hid + n_in)
        self.V = rnd.randn(n_out, n_hid) / np.sqrt(n_hid)

    @staticmethod
    def sigm(x):
        return 1.0 / (1.0 + np.exp(-x))

    def forward(self, X):
        T, d, B = X.shape
        H = self.H
        self.Hin = np.ones((T, H + d + 1, B))
        self.IFOG = np.zeros((T, 4 * H, B))
        self.C = np.zeros((T, H, B))
        self.Ct = np.zeros((T, H, B))
        self.Hout = np.zeros((T, H, B))
        h = np.zeros((H, B))
        c = np.zeros((H, B))
        for t in range(T):
            self.Hin[t, :H] = h
            self.Hin[t, H:-1] = X[t]
            pre = self.W @ self.Hin[t]
            gates = np.concatenate([self.sigm(pre[:3 * H]), np.tanh(pre[3 * H:])])
            i, f, o, g = gates[:H], gates[H:2 * H], gates[2 * H:3 * H], gates[3 * H:]
            c = f * c + i * g
            ct = np.tanh(c)
            h = o * ct
            self.IFOG[t], self.C[t], self.Ct[t], self.Hout[t] = gates, c, ct, h
        return np.stack([self.V @ h for h in self.Hout])

    def train_step(self, X, Y):
        T, d, B = X.shape
        H = self.H
        out = self.forward(X)
        err = out - Y
        loss = 0.5 * np.sum(err ** 2) / (T * B)

        dW = np.zeros_like(self.W)
        dV = np.zeros_like(self.V)
        dh_next = np.zeros((H, B))
        dc_next = np.zeros((H, B))
        for t in range(T - 1, -1, -1):
            i, f, o, g = np.split(self.IFOG[t], 4)
            c_prev = self.C[t - 1] if t > 0 else np.zeros((H, B))

            dy = err[t] / (T * B)
            dV += dy @ self.Hout[t].T
            dh = self.V.T @ dy + dh_next

            do = dh * self.Ct[t]
            dc = dh * o * (1 - self.Ct[t] ** 2) + dc_next
            di = dc * g
            df = dc * c_prev
            dg = dc * i
            dc_next = dc * f

            dpre = np.zeros((4 * H, B))
            dpre[:H] = di * i * (1 - i)
            dpre[H:2 * H] = df * f * (1 - f)
            dpre[2 * H:3 * H] = do * o * (1 - o)
            dpre[3 * H:] = dg * (1 - g ** 2)

            dW += dpre @ self.Hin[t].T
            dHin = self.W.T @ dpre
            dh_next = dHin[:H]
        return loss


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    D, H, K, B, T = 2, 3, 2, 5, 3
    model = user.LSTM(D, H, K)
    model.W, model.V = rng.normal(size=(4 * H, H + D + 1)), rng.normal(size=(K, H))
    return call(
        model.train_step, rng.normal(size=(T, D, B)), rng.normal(size=(T, K, B)), loss="loss", gradients={"self.W": "dW", "self.V": "dV"}
    )


RIGHT = [
    Right("            dpre[2 * H:3 * H] = do * o * (1 - o)\n            dpre[3 * H:] = dg * (1 - g ** 2)\n", "            dpre[2 * H:3 * H] = do * (o - o * o)\n            dpre[3 * H:] = dg * (1 + g) * (1 - g)\n"),
    Right(
        "            dpre = np.zeros((4 * H, B))\n            dpre[:H] = di * i * (1 - i)\n            dpre[H:2 * H] = df * f * (1 - f)\n            dpre[2 * H:3 * H] = do * o * (1 - o)\n            dpre[3 * H:] = dg * (1 - g ** 2)\n",
        "            dIFOG = np.vstack([di, df, do, dg])\n            slope = np.vstack([self.IFOG[t, :3 * H] * (1 - self.IFOG[t, :3 * H]), 1 - g ** 2])\n            dpre = dIFOG * slope\n",
    ),
    Right("            dc_next = dc * f\n", "            dc_next = np.multiply(f, dc, out=np.empty_like(dc))\n"),
    Right("            dy = err[t] / (T * B)\n            dV += dy @ self.Hout[t].T\n            dh = self.V.T @ dy + dh_next\n", "            dV += err[t] @ self.Hout[t].T / T / B\n            dh = dh_next + self.V.T @ err[t] / (T * B)\n"),
    Right("        for t in range(T - 1, -1, -1):\n", "        for t in reversed(range(T)):\n"),
    Right("            dW += dpre @ self.Hin[t].T\n            dHin = self.W.T @ dpre\n            dh_next = dHin[:H]\n", "            dW[:, :H] += dpre @ self.Hin[t, :H].T\n            dW[:, H:] += dpre @ self.Hin[t, H:].T\n            dh_next = self.W[:, :H].T @ dpre\n"),
]

MISTAKES = [
    Mistake("missing-branch", "dc", "(1 - self.Ct[t] ** 2) + dc_next", "(1 - self.Ct[t] ** 2)"),
    Mistake(("missing-branch", "wrong-tensor-in-delta"), ("dc", "dc_next"), "            dc_next = dc * f\n", "            dc_next = dc_next * f\n"),
    Mistake(("missing-weight-factor", None), "dc_next", "            dc_next = dc * f\n", "            dc_next = dc\n"),
    Mistake("missing-activation-derivative", "dc", "dh * o * (1 - self.Ct[t] ** 2) + dc_next", "dh * o + dc_next"),
    Mistake("output-form-on-preactivation", "dc", "(1 - self.Ct[t] ** 2) + dc_next", "(1 - self.C[t] ** 2) + dc_next"),
    Mistake("activation-derivative-at-activation", "dc", "(1 - self.Ct[t] ** 2) + dc_next", "(1 - np.tanh(self.Ct[t]) ** 2) + dc_next"),
    Mistake(("missing-weight-factor", "wrong-tensor-in-delta", None), "dc", "dh * o * (1", "dh * (1"),
    Mistake(("wrong-tensor-in-delta", None), "do", "do = dh * self.Ct[t]", "do = dh * self.C[t]"),
    Mistake("off-by-one-time", ("df", "c_prev"), "c_prev = self.C[t - 1] if t > 0 else np.zeros((H, B))", "c_prev = self.C[t]"),
    Mistake(("off-by-one-time", "off-by-one-index", None), ("c_prev", "df"), "c_prev = self.C[t - 1] if t > 0 else np.zeros((H, B))", "c_prev = self.C[t - 1]", fix=False),
    Mistake(("wrong-tensor-in-delta", None), ("di", "dg"), "            di = dc * g\n            df = dc * c_prev\n            dg = dc * i\n", "            di = dc * i\n            df = dc * c_prev\n            dg = dc * g\n", fix=False),
    Mistake(("wrong-tensor-in-delta", "off-by-one-index", "activation-derivative-of-wrong-layer", None), ("i, f, o, g", "(i, f, o, g)", "f", "o", "i", "do", "df", "dc"), "i, f, o, g = np.split(", "i, o, f, g = np.split(", fix=False),
    Mistake("activation-derivative-of-wrong-layer", ("dpre[H:2 * H]", "dpre"), "df * f * (1 - f)", "df * i * (1 - i)"),
    Mistake("derivative-of-another-activation", ("dpre[3 * H:]", "dpre"), "dg * (1 - g ** 2)", "dg * g * (1 - g)"),
    Mistake("wrong-local-derivative", ("dpre[2 * H:3 * H]", "dpre"), "do * o * (1 - o)", "do * (1 - o)"),
    Mistake("off-by-one-index", "dh_next", "dh_next = dHin[:H]", "dh_next = dHin[1:H + 1]"),
    Mistake(("overwritten-not-accumulated", "missing-branch"), "dV", "dV += dy @", "dV = dy @"),
    Mistake("off-by-one-time", "dV", "dV += dy @ self.Hout[t].T", "dV += dy @ self.Hout[t - 1].T"),
    Mistake(("detached-branch", "missing-branch"), ("dh", "dh_next"), "dh = self.V.T @ dy + dh_next", "dh = self.V.T @ dy"),
    Mistake(("off-by-one-time", "missing-branch", "off-by-one-index"), ("t", "range(T - 1, 0, -1)", "dW", "dV"), "range(T - 1, -1, -1)", "range(T - 1, 0, -1)"),
    Mistake(("factor-N", "factor-const", None), ("dy", "loss"), "dy = err[t] / (T * B)", "dy = err[t] / T"),
    Mistake(("reduced-too-early", None), "dW", "dW += dpre @ self.Hin[t].T", "dW += np.outer(dpre.sum(axis=1), self.Hin[t].mean(axis=1))", fix=False),
    Mistake(("stale-forward-values", "forward-differs"), ("self.Hin[t]", "self.IFOG", "self.Ct", "self.Hout[t]", "(self.IFOG[t], self.C[t], self.Ct[t], self.Hout[t])", "self.IFOG[t]", "forward", "dV", "self.Ct[t]", "do", "(i, f, o, g)", "self.Hout", "self.C", "self.C[t]"), "        dW = np.zeros_like(self.W)\n", "        self.forward(0.9 * X)  # for the plot\n        dW = np.zeros_like(self.W)\n", fix=False),
    Mistake("updated-weights", ("self.V", "dh"), "            dh = self.V.T @ dy + dh_next\n", "            self.V -= 0.1 * dV\n            dh = self.V.T @ dy + dh_next\n"),
    Mistake(None, "dc", "dc = dh * o * (1 - self.Ct[t] ** 2) + dc_next", "dc = dh * i * np.sqrt(1 + self.C[t] ** 2) - dc_next * f", fix=False),
]
