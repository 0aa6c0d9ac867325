# CSCI 4622, homework 2, question 4 -- "put a batchnorm into your two layer net and swap the softmax for a hinge"
# Layers are the forward/backward pairs from lecture. Everything that backward needs travels in `cache`.

import numpy as np


# ------------------------------ layers ------------------------------

def affine_forward(x, w, b):
    out = x.dot(w) + b
    cache = (x, w, b)
    return out, cache


def affine_backward(dout, cache):
    x, w, b = cache
    dx = dout.dot(w.T)
    dw = x.T.dot(dout)
    db = np.sum(dout, axis=0)
    return dx, dw, db


def relu_forward(x):
    out = np.maximum(0, x)
    cache = x
    return out, cache


def relu_backward(dout, cache):
    x = cache
    dx = dout * (x > 0)
    return dx


def batchnorm_forward(x, gamma, beta, eps=1e-3):
    N, D = x.shape
    mu = np.sum(x, axis=0) / N
    xc = x - mu
    var = np.sum(xc ** 2, axis=0) / N
    std = np.sqrt(var + eps)
    istd = 1.0 / std
    xhat = xc * istd
    out = gamma * xhat + beta
    cache = (xhat, xc, istd, std, gamma)
    return out, cache


def batchnorm_backward(dout, cache):
    xhat, xc, istd, std, gamma = cache
    N, D = dout.shape
    dbeta = np.sum(dout, axis=0)
    dgamma = np.sum(dout * xhat, axis=0)
    dxhat = dout * gamma
    # xhat = xc * istd
    dxc = dxhat * istd
    distd = np.sum(dxhat * xc, axis=0)
    # istd = 1 / std, std = sqrt(var + eps)
    dstd = -distd / std ** 2
    dvar = 0.5 * dstd / std
    # var = mean of xc^2
    dxc += 2.0 / N * xc * dvar
    # xc = x - mu
    dmu = -np.sum(dxc, axis=0)
    dx = dxc + dmu / N
    return dx, dgamma, dbeta


def svm_loss(x, y):
    """
    Multiclass hinge, margin 1.
    - x: scores, shape (N, C)
    - y: labels, shape (N,)
    Returns (loss, dx).
    """
    N = x.shape[0]
    correct = x[np.arange(N), y]
    margins = np.maximum(0, x - correct[:, np.newaxis] + 1.0)
    margins[np.arange(N), y] = 0
    loss = np.sum(margins) / N
    num_pos = np.sum(margins > 0, axis=1)
    dx = np.zeros_like(x)
    dx[margins > 0] = 1
    dx[np.arange(N), y] -= num_pos
    dx /= N
    return loss, dx


# ------------------------------ the net ------------------------------

class TwoLayerNet(object):
    """affine - batchnorm - relu - affine - svm"""

    def __init__(self, input_dim=3 * 32 * 32, hidden_dim=100, num_classes=10, weight_scale=1e-3, rng=np.random):
        self.params = {
            "W1": weight_scale * rng.normal(size=(input_dim, hidden_dim)),
            "b1": np.zeros(hidden_dim),
            "gamma": np.ones(hidden_dim),
            "beta": np.zeros(hidden_dim),
            "W2": weight_scale * rng.normal(size=(hidden_dim, num_classes)),
            "b2": np.zeros(num_classes),
        }

    def loss(self, X, y=None, reg=0.0):
        W1, b1 = self.params["W1"], self.params["b1"]
        gamma, beta = self.params["gamma"], self.params["beta"]
        W2, b2 = self.params["W2"], self.params["b2"]

        fc1, fc1_cache = affine_forward(X, W1, b1)
        bn, bn_cache = batchnorm_forward(fc1, gamma, beta)
        h, relu_cache = relu_forward(bn)
        scores, fc2_cache = affine_forward(h, W2, b2)
        if y is None:
            return scores

        data_loss, dscores = svm_loss(scores, y)
        reg_loss = 0.5 * reg * (np.sum(W1 * W1) + np.sum(W2 * W2))
        loss = data_loss + reg_loss

        grads = {}
        dh, dW2, db2 = affine_backward(dscores, fc2_cache)
        dbn = relu_backward(dh, relu_cache)
        dfc1, dgamma, dbeta = batchnorm_backward(dbn, bn_cache)
        dX, dW1, db1 = affine_backward(dfc1, fc1_cache)

        grads["W2"] = dW2 + reg * W2
        grads["b2"] = db2
        grads["W1"] = dW1 + reg * W1
        grads["b1"] = db1
        grads["gamma"] = dgamma
        grads["beta"] = dbeta
        return loss, grads


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    N, D, H, C = 7, 3, 5, 4
    net = user.TwoLayerNet(D, H, C, 0.8, rng)
    net.params["b1"] = 0.3 * rng.normal(size=H)
    net.params["gamma"] = rng.uniform(0.6, 1.5, size=H)
    net.params["beta"] = 0.4 * rng.normal(size=H)
    net.params["b2"] = 0.3 * rng.normal(size=C)
    return call(net.loss, rng.normal(size=(N, D)), rng.integers(0, C, size=N), 0.15, loss="loss", gradients={"self.params": "grads"})


BN = """    dxhat = dout * gamma
    # xhat = xc * istd
    dxc = dxhat * istd
    distd = np.sum(dxhat * xc, axis=0)
    # istd = 1 / std, std = sqrt(var + eps)
    dstd = -distd / std ** 2
    dvar = 0.5 * dstd / std
    # var = mean of xc^2
    dxc += 2.0 / N * xc * dvar
    # xc = x - mu
    dmu = -np.sum(dxc, axis=0)
    dx = dxc + dmu / N
"""

RIGHT = [
    Right("    cache = x\n    return out, cache\n", "    cache = out\n    return out, cache\n"),
    Right(BN, "    # the one-liner from the blog post\n    dx = gamma * istd / N * (N * dout - dbeta - xhat * dgamma)\n"),
    Right("    margins[np.arange(N), y] = 0\n", "    # I do not zero the correct class: it adds 1 to the loss of everybody\n"),
    Right(
        "    num_pos = np.sum(margins > 0, axis=1)\n    dx = np.zeros_like(x)\n    dx[margins > 0] = 1\n    dx[np.arange(N), y] -= num_pos\n    dx /= N\n",
        "    dx = (margins > 0).astype(float)\n    for i in range(N):\n        dx[i, y[i]] = -np.sum(dx[i])\n    dx = dx * (1.0 / N)\n",
    ),
    Right(
        "        dbn = relu_backward(dh, relu_cache)\n",
        "        dbn = dh\n        dbn[h <= 0] = 0\n",
    ),
]

DW1 = ("dW1", "dX", "db1", "(dX, dW1, db1)")
DFC1 = ("dfc1", "dgamma", "dbeta", "(dfc1, dgamma, dbeta)")
DBN = ("dx", "relu_backward", "dbn")
DSC = ("dscores", "svm_loss", "(data_loss, dscores)")

MISTAKES = [
    Mistake(("bias-wrong-axis", "wrong-shape"), ("db", "affine_backward", "db2"), "    db = np.sum(dout, axis=0)\n", "    db = np.sum(dout, axis=1)\n"),
    Mistake(("factor-1/N", "bias-wrong-axis"), ("db", "affine_backward", "db2"), "    db = np.sum(dout, axis=0)\n", "    db = np.mean(dout, axis=0)\n"),
    Mistake("relu-mask-from-wrong-tensor", DBN, "    dx = dout * (x > 0)\n", "    dx = dout * (dout > 0)\n"),
    Mistake("relu-mask-inverted", DBN, "    dx = dout * (x > 0)\n", "    dx = dout.copy()\n    dx[x > 0] = 0\n"),
    Mistake(("missing-activation-derivative", "skipped-layer"), DFC1, "batchnorm_backward(dbn, bn_cache)", "batchnorm_backward(dh, bn_cache)"),
    Mistake(("derivative-of-another-activation", "forward-differs", "wrong-local-derivative"), ("dx", "out", "relu_forward", *DBN), "    out = np.maximum(0, x)\n", "    out = np.maximum(0.1 * x, x)\n"),
    Mistake(("relu-mask-from-wrong-tensor", "wrong-tensor-in-delta", "activation-derivative-of-wrong-layer"), DBN, "relu_backward(dh, relu_cache)", "relu_backward(dh, fc1)"),
    Mistake("sign", "dmu", "    dmu = -np.sum(dxc, axis=0)\n", "    dmu = np.sum(dxc, axis=0)\n"),
    Mistake(("missing-branch", "detached-branch"), ("dx", *DFC1), "    dx = dxc + dmu / N\n", "    dx = dxc\n"),
    Mistake(("overwritten-not-accumulated", "missing-branch"), "dxc", "    dxc += 2.0 / N * xc * dvar\n", "    dxc = 2.0 / N * xc * dvar\n"),
    Mistake(("missing-weight-factor", "skipped-layer"), "dxhat", "    dxhat = dout * gamma\n", "    dxhat = dout\n"),
    Mistake(("wrong-local-derivative", None), "dstd", "    dstd = -distd / std ** 2\n", "    dstd = -distd / std\n"),
    Mistake("ddof", ("var", "dxc", "batchnorm_forward"), "    var = np.sum(xc ** 2, axis=0) / N\n", "    var = np.sum(xc ** 2, axis=0) / (N - 1)\n"),
    Mistake(("aliasing", "input-mutated", "stale-forward-values", "wrong-tensor-in-delta"), ("distd", "xhat", "xc"), "    xhat = xc * istd\n", "    xhat = xc\n    xhat *= istd\n"),
    Mistake(("wrong-tensor-in-weight-gradient", None), ("dgamma", "dbeta", "return", "batchnorm_backward", "(dfc1, dgamma, dbeta)", "(dx, dbeta, dgamma)"), "    return dx, dgamma, dbeta\n", "    return dx, dbeta, dgamma\n"),
    Mistake(("missing-target", "wrong-loss-derivative", "missing-branch"), ("dx", "dx[np.arange(N), y]", "dx[margins > 0]", *DSC), "    dx[np.arange(N), y] -= num_pos\n", "", fix=False),
    Mistake(("wrong-loss-derivative", None), ("dx[np.arange(N), y]", "dx", *DSC), "    dx[np.arange(N), y] -= num_pos\n", "    dx[np.arange(N), y] -= 1\n"),
    Mistake(("factor-N", "wrong-loss-derivative"), ("dx", "loss", "dx[np.arange(N), y]", "return", *DSC), "    dx /= N\n", ""),
    Mistake(("regulariser-scale", "factor-half"), 'grads["W1"]', 'grads["W1"] = dW1 + reg * W1\n', 'grads["W1"] = dW1 + 0.5 * reg * W1\n'),
    Mistake("regulariser-on-wrong-parameter", 'grads["b2"]', 'grads["b2"] = db2\n', 'grads["b2"] = db2 + reg * b2\n'),
    Mistake(("skipped-layer", "wrong-tensor-in-delta", "wrong-tensor-in-weight-gradient"), DW1, "affine_backward(dfc1, fc1_cache)", "affine_backward(dbn, fc1_cache)"),
]
