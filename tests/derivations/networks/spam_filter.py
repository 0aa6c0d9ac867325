"""A spam filter as a class: weights, cache and gradients in dicts, relu in place, errors weighted by sample."""

import numpy as np

prob = np.linspace(0.2, 0.8, 7)  # of the first batch, kept for the plot


def relu_(z):
    z[z < 0] = 0  # in place, saves memory
    return z


def sigmoid(score):
    prob = 1 / (1 + np.exp(-score))
    return prob


class SpamFilter:
    def __init__(self, params, decay=0.05):
        self.params = params
        self.decay = decay
        self.cache = {}
        self.grads = {}

    def predict(self, X):
        p = self.params
        a1 = relu_(X @ p["W1"] + p["b1"])
        a2 = relu_(a1 @ p["W2"] + p["b2"])
        score = a2 @ p["w3"] + p["b3"]
        self.cache = {"a1": a1, "a2": a2, "score": score}
        return sigmoid(score)

    def compute_gradients(self, X, y, weight):
        p, decay = self.params, self.decay
        prob = self.predict(X)
        label = y.ravel()
        cost = -np.sum(weight * (label * np.log(prob) + (1 - label) * np.log(1 - prob)))
        cost += 0.5 * decay * sum(np.sum(p[name] ** 2) for name in ("W1", "W2", "w3"))

        c, g = self.cache, {}
        dscore = weight * (prob - label)
        g["w3"] = dscore @ c["a2"] + decay * p["w3"]
        g["b3"] = np.sum(dscore)
        da2 = np.outer(dscore, p["w3"])
        da2[c["a2"] <= 0] = 0
        g["W2"] = c["a1"].T @ da2 + decay * p["W2"]
        g["b2"] = da2.sum(axis=0)
        da1 = da2 @ p["W2"].T
        da1[c["a1"] <= 0] = 0
        g["W1"] = X.T @ da1 + decay * p["W1"]
        g["b1"] = da1.sum(axis=0)
        self.grads = g
        return cost


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    N, D, H1, H2 = 7, 3, 5, 4
    params = {
        "W1": rng.normal(size=(D, H1)), "b1": 0.5 * rng.normal(size=H1), "W2": rng.normal(size=(H1, H2)),
        "b2": 0.5 + 0.3 * rng.normal(size=H2), "w3": rng.normal(size=H2), "b3": np.float64(rng.normal()),
    }  # fmt: skip
    y = rng.permutation([0, 1, 1, 0, 1, 0, 1]).reshape(-1, 1)
    model = user.SpamFilter(params)
    return call(model.compute_gradients, rng.normal(size=(N, D)), y, rng.uniform(0.5, 2, size=N), loss="cost", gradients={"self.params": "self.grads"})


import numpy as np

DA1 = '        da1 = da2 @ p["W2"].T\n        da1[c["a1"] <= 0] = 0\n'
MASK1, MASK2 = '        da1[c["a1"] <= 0] = 0\n', '        da2[c["a2"] <= 0] = 0\n'

RIGHT = [
    Right("    z[z < 0] = 0  # in place, saves memory\n", "    np.maximum(z, 0, out=z)\n"),
    Right('        da2 = np.outer(dscore, p["w3"])\n' + MASK2, '        da2 = dscore[:, None] * p["w3"] * np.sign(c["a2"])\n'),
    Right(DA1, '        alive = c["a1"] > 0\n        da1 = c["a1"].copy()\n        da1[...] = np.dot(da2, p["W2"].T)\n        da1 *= alive\n'),
    Right("        dscore = weight * (prob - label)\n", "        sign = 2 * label - 1\n        dscore = -weight * sign * np.abs(label - prob)\n"),
    Right("        c, g = self.cache, {}\n", '        self.grads = g = {name: np.empty_like(value) for name, value in p.items()}\n        c = self.cache\n'),
    Right('        g["b3"] = np.sum(dscore)\n', '        g["b3"] = weight @ prob - weight @ label\n'),
]

FORWARD = ("a1", "a2", "score", "self.cache", "predict", "g['w3']", "c['a1']", "c['a2']")

MISTAKES = [
    Mistake("function-returns-global", ("sigmoid", "prob", "return"), "    prob = 1 / (1 + np.exp(-score))\n", "    out = 1 / (1 + np.exp(-score))\n"),
    Mistake(
        ("aliasing", "input-mutated", "relu-mask-from-wrong-tensor"), ("da1", "da1[:]", "da1[c['a1'] <= 0]"), DA1,
        '        da1 = c["a1"]   # reuse the memory\n        da1[:] = da2 @ p["W2"].T\n        da1[c["a1"] <= 0] = 0\n', fix=False,
    ),
    Mistake(
        ("input-mutated", "aliasing", "stale-forward-values", "wrong-tensor-in-weight-gradient"), ("slope[slope > 0]", "slope", "c['a1']", "g['W2']"), MASK2,
        MASK2 + '        slope = c["a1"]\n        slope[slope > 0] = 1\n', fix=False,
    ),
    Mistake(("stale-forward-values", "forward-differs"), (*FORWARD, "half"), "        c, g = self.cache, {}\n", "        half = self.predict(X / 2)   # how robust?\n        c, g = self.cache, {}\n", fix=False),
    Mistake(("stale-forward-values", "updated-weights", "forward-differs", "input-mutated"), ("p['b1']", *FORWARD), "        c, g = self.cache, {}\n", '        p["b1"] -= 0.5\n        prob = self.predict(X)\n        c, g = self.cache, {}\n', fix=False),
    Mistake("relu-mask-inverted", ("da2", "da2[c['a2'] > 0]"), MASK2, '        da2[c["a2"] > 0] = 0\n'),
    Mistake("relu-mask-from-wrong-tensor", ("da1", "da1[da1 <= 0]"), MASK1, "        da1[da1 <= 0] = 0\n"),
    Mistake("missing-activation-derivative", "da1", MASK1, "", fix=False),
    Mistake(("accidental-broadcast", "factor-N", None), "g['b3']", 'g["b3"] = np.sum(dscore)', 'g["b3"] = np.sum(weight * (prob - y))'),
    Mistake(("accidental-broadcast", "forward-differs", "wrong-loss-derivative", None), ("label", "cost", "dscore"), "np.sum(weight * (label * np.log(prob) + (1 - label) * np.log(1 - prob)))", "np.sum(weight * (y * np.log(prob) + (1 - y) * np.log(1 - prob)))"),
    Mistake("wrong-tensor-in-delta", "da2", 'np.outer(dscore, p["w3"])', 'np.outer(prob, p["w3"])'),
    Mistake(("factor-const", "wrong-loss-derivative", "missing-weight-factor", None), "dscore", "dscore = weight * (prob - label)", "dscore = prob - label"),
    Mistake(("activation-derivative-twice", "wrong-loss-derivative"), "dscore", "weight * (prob - label)", "weight * (prob - label) * prob * (1 - prob)"),
    Mistake("regulariser-forgotten", "g['W2']", 'c["a1"].T @ da2 + decay * p["W2"]', 'c["a1"].T @ da2'),
    Mistake("regulariser-on-wrong-parameter", "g['b1']", 'g["b1"] = da1.sum(axis=0)', 'g["b1"] = da1.sum(axis=0) + decay * p["b1"]'),
    Mistake(("regulariser-scale", "factor-2"), ("g['w3']", "cost"), 'decay * p["w3"]', '2 * decay * p["w3"]'),
    Mistake(("reduced-too-early", None), "g['W1']", "X.T @ da1 + decay", "np.outer(X.sum(axis=0), da1.mean(axis=0)) + decay"),
    Mistake("updated-weights", ("p['W2']", "da1"), DA1, '        p["W2"] = p["W2"] - 0.3 * g["W2"]\n' + DA1),
    Mistake("bias-wrong-axis", "g['b2']", 'g["b2"] = da2.sum(axis=0)', 'g["b2"] = da2.sum(axis=1)'),
    Mistake(("reduced-too-early", "bias-wrong-axis", "wrong-shape", "accidental-broadcast"), "g['b1']", 'g["b1"] = da1.sum(axis=0)', 'g["b1"] = da1.sum() * np.ones(len(p["b1"]))'),
]
