"""Predict crop yields together with their uncertainty.

A tiny torch-like stack: every module keeps what its backward() needs. GELU (tanh form), a Swish with one learnable beta
per unit, a skip connection round the second block, and a Gaussian negative log-likelihood whose variance is a softplus.
"""

import numpy as np

SQRT_2_PI = np.sqrt(2 / np.pi)
CUBIC = 0.044715
MIN_VAR = 0.05


def expit(x):
    return 0.5 * (1 + np.tanh(0.5 * x))


class Dense:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, grad):
        self.dW = self.x.T @ grad
        self.db = grad.sum(axis=0)
        return grad @ self.W.T


class GELU:
    def forward(self, x):
        self.x = x
        self.t = np.tanh(SQRT_2_PI * (x + CUBIC * x**3))
        return 0.5 * x * (1 + self.t)

    def backward(self, grad):
        inner = SQRT_2_PI * (1 + 3 * CUBIC * self.x**2)
        dt = (1 - self.t**2) * inner
        return grad * (0.5 * (1 + self.t) + 0.5 * self.x * dt)


class Swish:
    def __init__(self, beta):
        self.beta = beta

    def forward(self, x):
        self.x = x
        self.gate = expit(self.beta * x)
        return self.x * self.gate

    def backward(self, grad):
        dgate = grad * self.x
        dpre = dgate * self.gate * (1 - self.gate)
        self.dbeta = (dpre * self.x).sum(axis=0)
        return grad * self.gate + dpre * self.beta


class GaussianNLL:
    """Two linear heads on the same features: the mean, and what softplus turns into a variance."""

    def __init__(self, mean_head, var_head):
        self.mean_head, self.var_head = mean_head, var_head

    def forward(self, h, target):
        self.n = len(target)
        self.resid = target - self.mean_head.forward(h)
        self.raw = self.var_head.forward(h)
        self.var = np.logaddexp(0, self.raw) + MIN_VAR
        return 0.5 * np.sum(np.log(self.var) + self.resid**2 / self.var) / self.n

    def backward(self):
        dmean = -self.resid / self.var / self.n
        dvar = 0.5 * (1 / self.var - self.resid**2 / self.var**2) / self.n
        draw = dvar * expit(self.raw)
        dh = self.mean_head.backward(dmean)
        dh += self.var_head.backward(draw)
        return dh


def fit_batch(params, x, target, lr=0.01):
    dense1 = Dense(params["W1"], params["b1"])
    gelu = GELU()
    dense2 = Dense(params["W2"], params["b2"])
    swish = Swish(params["beta"])
    criterion = GaussianNLL(Dense(params["Wm"], params["bm"]), Dense(params["Wv"], params["bv"]))

    h = gelu.forward(dense1.forward(x))
    features = h + swish.forward(dense2.forward(h))
    nll = criterion.forward(features, target)

    dfeatures = criterion.backward()
    dblock = dense2.backward(swish.backward(dfeatures))
    dh = dfeatures + dblock
    dense1.backward(gelu.backward(dh))

    grads = {
        "W1": dense1.dW, "b1": dense1.db,
        "W2": dense2.dW, "b2": dense2.db, "beta": swish.dbeta,
        "Wm": criterion.mean_head.dW, "bm": criterion.mean_head.db,
        "Wv": criterion.var_head.dW, "bv": criterion.var_head.db,
    }
    return nll, grads


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    N, D, H, K = 5, 4, 7, 3
    params = {"W1": 0.6 * rng.normal(size=(D, H)), "b1": 0.4 * rng.normal(size=H), "W2": 0.5 * rng.normal(size=(H, H)), "b2": 0.4 * rng.normal(size=H)}
    params |= {"beta": rng.uniform(0.6, 1.6, size=H), "Wm": 0.6 * rng.normal(size=(H, K)), "bm": rng.normal(size=K), "Wv": 0.4 * rng.normal(size=(H, K)), "bv": rng.normal(size=K)}
    return call(user.fit_batch, params, rng.normal(size=(N, D)), rng.normal(size=(N, K)), loss="nll", gradients={"params": "grads"})


RIGHT = [
    Right(
        "        inner = SQRT_2_PI * (1 + 3 * CUBIC * self.x**2)\n        dt = (1 - self.t**2) * inner\n        return grad * (0.5 * (1 + self.t) + 0.5 * self.x * dt)\n",
        "        # 0.5 * (1 + tanh(u)) = expit(2u)\n        s = 0.5 + 0.5 * self.t\n        du = SQRT_2_PI + 3 * SQRT_2_PI * CUBIC * self.x * self.x\n        return grad * s * (1 + 2 * self.x * (1 - s) * du)\n",
    ),
    Right(
        "        dgate = grad * self.x\n        dpre = dgate * self.gate * (1 - self.gate)\n        self.dbeta = (dpre * self.x).sum(axis=0)\n        return grad * self.gate + dpre * self.beta\n",
        "        out = self.x * self.gate\n        self.dbeta = np.einsum('nh,nh,nh->h', grad, out, self.x - out)\n        return grad * (self.beta * out + self.gate * (1 - self.beta * out))\n",
    ),
    Right(
        "        dvar = 0.5 * (1 / self.var - self.resid**2 / self.var**2) / self.n\n        draw = dvar * expit(self.raw)\n",
        "        z = self.resid / np.sqrt(self.var)\n        dlogvar = (1 - z**2) / (2 * self.n)\n        draw = dlogvar / self.var / (1 + np.exp(-self.raw))\n",
    ),
    Right("        dh = self.mean_head.backward(dmean)\n        dh += self.var_head.backward(draw)\n        return dh\n", "        return self.var_head.backward(draw) + self.mean_head.backward(dmean)\n"),
    Right(
        "    dblock = dense2.backward(swish.backward(dfeatures))\n    dh = dfeatures + dblock\n    dense1.backward(gelu.backward(dh))\n",
        "    dh = dfeatures\n    for module in (swish, dense2):\n        dh = module.backward(dh)\n    dh = dh + dfeatures\n    for module in (gelu, dense1):\n        dh = module.backward(dh)\n",
    ),
]

GELU = "        return grad * (0.5 * (1 + self.t) + 0.5 * self.x * dt)\n"
SWISH = "        return grad * self.gate + dpre * self.beta\n"
BACK = ("return", "backward")
DVAR = "0.5 * (1 / self.var - self.resid**2 / self.var**2) / self.n"

MISTAKES = [
    Mistake(("wrong-local-derivative", "factor-const", None), ("inner", "dt"), "inner = SQRT_2_PI * (1 + 3 * CUBIC * self.x**2)", "inner = 1 + 3 * CUBIC * self.x**2"),
    Mistake(("wrong-local-derivative", None), "inner", "inner = SQRT_2_PI * (1 + 3 * CUBIC * self.x**2)", "inner = SQRT_2_PI * (1 + CUBIC * self.x**2)"),
    Mistake(("wrong-local-derivative", "missing-branch", None), BACK, GELU, "        return grad * 0.5 * (1 + self.t)\n"),
    Mistake(("wrong-local-derivative", None), "dt", "dt = (1 - self.t**2) * inner", "dt = (1 - self.t)**2 * inner"),
    Mistake(("activation-derivative-at-activation", "wrong-local-derivative", None), "dt", "dt = (1 - self.t**2) * inner", "dt = (1 - np.tanh(self.t)**2) * inner"),
    Mistake(("missing-weight-factor", "wrong-local-derivative", None), BACK, SWISH, "        return grad * self.gate + dpre\n"),
    Mistake(("missing-branch", "derivative-of-another-activation", "wrong-local-derivative"), BACK, SWISH, "        return dpre * self.beta\n"),
    Mistake(("wrong-tensor-in-weight-gradient", "wrong-tensor-in-delta", None), "self.dbeta", "self.dbeta = (dpre * self.x).sum(axis=0)", "self.dbeta = (dgate * self.x).sum(axis=0)"),
    Mistake(("factor-1/N", "bias-wrong-axis"), "self.dbeta", "self.dbeta = (dpre * self.x).sum(axis=0)", "self.dbeta = (dpre * self.x).mean(axis=0)"),
    Mistake(("reduced-too-early", "accidental-broadcast", None), "self.dbeta", "self.dbeta = (dpre * self.x).sum(axis=0)", "self.dbeta = dpre.sum(axis=0) * self.x.sum(axis=0)"),
    Mistake(("input-mutated", "aliasing", "stale-forward-values"), ("x", "self.x", "forward", "return", "self.dbeta", "dgate"), "        return self.x * self.gate\n", "        x *= self.gate\n        return x\n", fix=False),
    Mistake("sign", "dmean", "dmean = -self.resid / self.var / self.n", "dmean = self.resid / self.var / self.n"),
    Mistake(("wrong-loss-derivative", "missing-weight-factor", None), "dmean", "dmean = -self.resid / self.var / self.n", "dmean = -self.resid / self.n"),
    Mistake(("wrong-loss-derivative", "missing-branch", None), "dvar", DVAR, "0.5 / self.var / self.n"),
    Mistake(("wrong-loss-derivative", None), "dvar", DVAR, "0.5 * (1 / self.var - self.resid**2 / self.var) / self.n"),
    Mistake(("factor-N", "wrong-loss-derivative"), "dvar", DVAR, "0.5 * (1 / self.var - self.resid**2 / self.var**2)"),
    Mistake(("missing-activation-derivative", "skipped-layer"), "draw", "draw = dvar * expit(self.raw)", "draw = dvar"),
    Mistake(("activation-derivative-at-activation", "wrong-tensor-in-delta"), "draw", "draw = dvar * expit(self.raw)", "draw = dvar * expit(self.var)"),
    Mistake(("epsilon-ignored", "wrong-local-derivative"), "draw", "draw = dvar * expit(self.raw)", "draw = dvar * (1 - np.exp(-self.var))"),
    Mistake(("derivative-of-another-activation", "wrong-local-derivative"), "draw", "draw = dvar * expit(self.raw)", "draw = dvar * expit(self.raw) * (1 - expit(self.raw))"),
    Mistake(("missing-branch", "overwritten-not-accumulated"), "dh", "        dh += self.var_head.backward(draw)\n", "        dh = self.var_head.backward(draw)\n"),
    Mistake(("missing-branch", "detached-branch"), "dh", "    dh = dfeatures + dblock\n", "    dh = dblock\n"),
    Mistake(("missing-activation-derivative", "skipped-layer"), ("dense1.dW", "grads", "dense1.db", "dense1.backward(dh)", "self.dW", "self.db", "backward", "dh"), "    dense1.backward(gelu.backward(dh))\n", "    dense1.backward(dh)\n"),
    Mistake(("updated-weights", "input-mutated"), ("return", "backward", "self.W"), "        return grad @ self.W.T\n", "        self.W = self.W - 0.1 * self.dW\n        self.b = self.b - 0.1 * self.db\n        return grad @ self.W.T\n"),
    Mistake(("wrong-tensor-in-weight-gradient", "off-by-one-index", "bias-wrong-axis", None), "grads", '"bm": criterion.mean_head.db', '"bm": criterion.var_head.db'),
]
