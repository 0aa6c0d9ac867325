"""movies comp - v3: two towers on top of plain MF (+ biases), huber loss because the ratings are noisy af

no framework, all by hand so it runs in the kaggle kernel w/o gpu.
user tower:  tanh(P[u] @ A)                 item tower:  tanh(Q[i] @ B + genres[i] @ G)
pred = mu + bu[u] + bi[i] + <user tower, item tower>

TODO: side info for users, learning rate schedule, blend with lightgbm
"""
import numpy as np


class TwoTowers:
    def __init__(self, n_users, n_items, genres, k=4, m=4, delta=0.5, reg=0.05, seed=42):
        r = np.random.RandomState(seed)
        self.genres = genres                      # (n_items, n_genres), multi-hot
        self.delta, self.reg = delta, reg
        self.P = r.normal(0, 0.7, (n_users, k))
        self.Q = r.normal(0, 0.7, (n_items, k))
        self.A = r.normal(0, 0.7, (k, m))
        self.B = r.normal(0, 0.7, (k, m))
        self.G = r.normal(0, 0.4, (genres.shape[1], m))
        self.bu = r.normal(0, 0.3, n_users)
        self.bi = r.normal(0, 0.3, n_items)
        self.mu = np.array([3.5])

    def huber(self, e):
        a = np.abs(e)
        return np.where(a <= self.delta, 0.5 * e ** 2, self.delta * (a - 0.5 * self.delta))

    def huber_grad(self, e):
        return np.clip(e, -self.delta, self.delta)

    def batch(self, u, i, y):
        """u, i: user / item ids of the minibatch (with repeats!), y: ratings. returns loss + dict of grads"""
        n = len(y)

        # gather
        pu, qi, gi = self.P[u], self.Q[i], self.genres[i]
        ut = np.tanh(pu @ self.A)
        it = np.tanh(qi @ self.B + gi @ self.G)
        pred = self.mu + self.bu[u] + self.bi[i] + np.sum(ut * it, axis=1)
        err = pred - y
        l2_rows = np.sum(pu ** 2) + np.sum(qi ** 2)          # only what's in the batch, like everyone does
        l2_dense = np.sum(self.A ** 2) + np.sum(self.B ** 2)
        loss = np.mean(self.huber(err)) + 0.5 * self.reg * (l2_rows / n + l2_dense)

        # backprop
        ge = self.huber_grad(err) / n
        gmu = np.array([ge.sum()])
        gbu = np.zeros_like(self.bu)
        gbi = np.zeros_like(self.bi)
        np.add.at(gbu, u, ge)
        np.add.at(gbi, i, ge)

        gut = ge[:, None] * it
        git = ge[:, None] * ut
        gzu = gut * (1 - ut ** 2)
        gzi = git * (1 - it ** 2)

        # user side
        gpu = gzu @ self.A.T + self.reg * pu / n
        gA = pu.T @ gzu + self.reg * self.A
        gP = np.zeros_like(self.P)
        np.add.at(gP, u, gpu)

        # item side
        gqi = gzi @ self.B.T + self.reg * qi / n
        gB = qi.T @ gzi + self.reg * self.B
        gG = gi.T @ gzi
        gQ = np.zeros_like(self.Q)
        np.add.at(gQ, i, gqi)

        return loss, dict(P=gP, Q=gQ, A=gA, B=gB, G=gG, bu=gbu, bi=gbi, mu=gmu)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call

import numpy as np


def problem(user, rng):
    users, items, n = 5, 7, 11
    genres = rng.integers(0, 2, size=(items, 3)).astype(float)
    genres[:2] = [[1, 0, 1], [0, 1, 1]]
    model = user.TwoTowers(users, items, genres, seed=int(rng.integers(10_000)))
    u, i = rng.integers(0, users, size=n), rng.integers(0, items, size=n)
    u[:5], i[:5] = [0, 1, 1, 2, 0], [1, 4, 0, 1, 6]
    y = model.mu + model.bu[u] + model.bi[i] + np.where(np.arange(n) % 2, 0.15, 1.0) * rng.normal(size=n)
    y[0], y[1] = y[0] + 9, y[1] - 9
    own = {"P": "gP", "Q": "gQ", "A": "gA", "B": "gB", "G": "gG", "bu": "gbu", "bi": "gbi", "mu": "gmu"}
    return call(model.batch, u, i, y, loss="loss", gradients={f"self.{name}": grad for name, grad in own.items()})


RIGHT = [
    Right("        np.add.at(gbu, u, ge)\n        np.add.at(gbi, i, ge)\n", "        gbu += np.bincount(u, weights=ge, minlength=len(gbu))\n        for row, g in zip(i, ge):\n            gbi[row] += g\n"),
    Right("        return np.clip(e, -self.delta, self.delta)\n", "        small = np.abs(e) <= self.delta\n        return small * e + ~small * self.delta * np.sign(e)\n"),
    Right("        gP = np.zeros_like(self.P)\n        np.add.at(gP, u, gpu)\n", "        onehot = np.eye(len(self.P))[u]\n        gP = onehot.T @ gpu\n"),
    Right("        gzi = git * (1 - it ** 2)\n", "        git *= 1 - it ** 2\n        gzi = git\n"),
    Right("        gqi = gzi @ self.B.T + self.reg * qi / n\n", "        gqi = np.einsum(\"nm,km->nk\", gzi, self.B)\n        gqi += self.reg / n * qi\n"),
]

GE = ("ge", "huber_grad", "self.huber_grad", "return")

MISTAKES = [
    Mistake("overwritten-not-accumulated", ("gP[u]", "gP"), "        np.add.at(gP, u, gpu)\n", "        gP[u] += gpu\n"),
    Mistake("overwritten-not-accumulated", ("gbi[i]", "gbi"), "        np.add.at(gbi, i, ge)\n", "        gbi[i] = ge\n"),
    Mistake(("off-by-one-index", "wrong-tensor-in-weight-gradient", None), "gbi", "        np.add.at(gbi, i, ge)\n", "        np.add.at(gbi, u, ge)\n"),
    Mistake(("accumulated-twice", "detached-branch", "off-by-one-index", "missing-branch", None), ("gbu", "gbi"), "        np.add.at(gbi, i, ge)\n", "        np.add.at(gbu, u, ge)\n"),
    Mistake(("factor-1/N", "factor-const", "bias-wrong-axis"), "gmu", "gmu = np.array([ge.sum()])", "gmu = np.array([ge.mean()])"),
    Mistake("wrong-loss-derivative", GE, "        return np.clip(e, -self.delta, self.delta)\n", "        return e\n"),
    Mistake("wrong-loss-derivative", GE, "        return np.clip(e, -self.delta, self.delta)\n", "        return np.where(np.abs(e) <= self.delta, e, np.sign(e))\n"),
    Mistake("wrong-loss-derivative", GE, "        return np.clip(e, -self.delta, self.delta)\n", "        return np.where(np.abs(e) <= self.delta, e, self.delta)\n"),
    Mistake(("factor-const", "wrong-loss-derivative", "factor-half", "forward-differs", None), ("huber", "self.huber", "loss", *GE), "np.where(a <= self.delta, 0.5 * e ** 2,", "np.where(a <= self.delta, e ** 2,"),
    Mistake(("factor-N", "factor-const"), "ge", "ge = self.huber_grad(err) / n", "ge = self.huber_grad(err)"),
    Mistake("sign", "ge", "ge = self.huber_grad(err) / n", "ge = self.huber_grad(y - pred) / n"),
    Mistake(("wrong-tensor-in-delta", None), "gut", "gut = ge[:, None] * it", "gut = ge[:, None] * ut"),
    Mistake(("missing-weight-factor", "skipped-layer", None), "git", "git = ge[:, None] * ut", "git = ge[:, None] * np.ones_like(ut)"),
    Mistake("missing-activation-derivative", "gzu", "gzu = gut * (1 - ut ** 2)", "gzu = gut"),
    Mistake("activation-derivative-of-wrong-layer", "gzi", "gzi = git * (1 - it ** 2)", "gzi = git * (1 - ut ** 2)"),
    Mistake(("derivative-of-another-activation", "wrong-local-derivative"), "gzi", "gzi = git * (1 - it ** 2)", "gzi = git * it * (1 - it)"),
    Mistake("weight-not-transposed", "gpu", "gzu @ self.A.T", "gzu @ self.A"),
    Mistake(("wrong-tensor-in-delta", None), "gqi", "gzi @ self.B.T", "gzi @ self.A.T"),
    Mistake("gradient-transposed", "gA", "gA = pu.T @ gzu + self.reg * self.A", "gA = gzu.T @ pu + self.reg * self.A"),
    Mistake(("wrong-tensor-in-weight-gradient", "missing-activation-derivative"), "gB", "gB = qi.T @ gzi", "gB = qi.T @ git"),
    Mistake(("off-by-one-index", "wrong-tensor-in-weight-gradient", None), "gG", "gG = gi.T @ gzi", "gG = self.genres[u].T @ gzi"),
    Mistake("regulariser-forgotten", "gqi", "gzi @ self.B.T + self.reg * qi / n", "gzi @ self.B.T"),
    Mistake(("regulariser-scale", "factor-N", "factor-const"), "gpu", "self.reg * pu / n", "self.reg * pu"),
    Mistake(("regulariser-on-wrong-parameter", None), "gG", "gG = gi.T @ gzi", "gG = gi.T @ gzi + self.reg * self.G"),
    Mistake(("regulariser-on-wrong-parameter", None), "gB", "gB = qi.T @ gzi + self.reg * self.B", "gB = qi.T @ gzi + self.reg * self.A"),
    Mistake("updated-weights", ("self.B", "gqi"), "        # item side\n", "        # item side (B first, it converges slowest)\n        self.B = self.B - 0.1 * (qi.T @ gzi + self.reg * self.B)\n"),
    Mistake(("input-mutated", "aliasing"), ("gpu", "pu", "gA"), "        gpu = gzu @ self.A.T + self.reg * pu / n\n", "        gpu = pu\n        gpu *= self.reg / n\n        gpu += gzu @ self.A.T\n", fix=True),
    Mistake(("off-by-one-index", "wrong-tensor-in-weight-gradient", None), "gQ", "        np.add.at(gQ, i, gqi)\n", "        np.add.at(gQ, u, gqi)\n"),
]
