"""An assignment's layer functions: affine, batch norm, relu, dropout by a given mask, softmax of integer labels."""

import numpy as np


def affine_forward(x, w, b):
    return x.dot(w) + b, (x, w)


def affine_backward(dout, cache):
    x, w = cache
    dx = dout.dot(w.T)
    dw = x.T.dot(dout)
    db = dout.sum(axis=0)
    return dx, dw, db


def batchnorm_forward(x, gamma, beta, eps=0.05):
    mu = np.mean(x, axis=0)
    xmu = x - mu
    var = np.mean(xmu ** 2, axis=0)
    ivar = 1.0 / np.sqrt(var + eps)
    xhat = xmu * ivar
    return gamma * xhat + beta, (xhat, gamma, xmu, ivar)


def batchnorm_backward(dout, cache):
    xhat, gamma, xmu, ivar = cache
    n = len(dout)
    dbeta = dout.sum(axis=0)
    dgamma = (dout * xhat).sum(axis=0)
    dxhat = dout * gamma
    divar = (dxhat * xmu).sum(axis=0)
    dvar = -0.5 * divar * ivar ** 3
    dxmu = dxhat * ivar + xmu * dvar * 2.0 / n
    dmu = -dxmu.sum(axis=0)
    dx = dxmu + dmu / n
    return dx, dgamma, dbeta


def relu_forward(x):
    return np.maximum(x, 0), x


def relu_backward(dout, cache):
    x = cache
    dx = np.where(x > 0, dout, 0)
    return dx


def softmax_loss(scores, y):
    n = len(y)
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    loss = -np.log(p[range(n), y]).mean()
    dscores = p.copy()
    dscores[range(n), y] -= 1
    return loss, dscores / n


def network(w1, b1, gamma, beta, w2, b2, x, y, mask, keep=0.6):
    s1, affine1 = affine_forward(x, w1, b1)
    s2, norm = batchnorm_forward(s1, gamma, beta)
    s3, rectified = relu_forward(s2)
    s4 = s3 * mask / keep
    scores, affine2 = affine_forward(s4, w2, b2)
    loss, dscores = softmax_loss(scores, y)

    ds4, dw2, db2 = affine_backward(dscores, affine2)
    ds3 = ds4 * mask / keep
    ds2 = relu_backward(ds3, rectified)
    ds1, dgamma, dbeta = batchnorm_backward(ds2, norm)
    dx, dw1, db1 = affine_backward(ds1, affine1)
    return loss, dict(w1=dw1, b1=db1, gamma=dgamma, beta=dbeta, w2=dw2, b2=db2)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    N, D, H, K = 7, 2, 5, 3
    weights = rng.normal(size=(D, H)), rng.normal(size=H), rng.normal(1, 0.3, size=H), rng.normal(0, 0.3, size=H), rng.normal(size=(H, K)), rng.normal(size=K)
    mask = np.ones(N * H)
    mask[rng.permutation(N * H)[:12]] = 0
    return call(user.network, *weights, rng.normal(size=(N, D)), rng.integers(0, K, size=N), mask.reshape(N, H))


import numpy as np

NORM, SOFTMAX = ("batchnorm_backward", "ds1"), ("softmax_loss", "dscores")
SIMPLE = """    divar = (dxhat * xmu).sum(axis=0)
    dvar = -0.5 * divar * ivar ** 3
    dxmu = dxhat * ivar + xmu * dvar * 2.0 / n
    dmu = -dxmu.sum(axis=0)
    dx = dxmu + dmu / n
"""

RIGHT = [
    Right(SIMPLE, "    dx = ivar / n * (n * dxhat - dxhat.sum(axis=0) - xhat * (dxhat * xhat).sum(axis=0))\n"),
    Right("    dmu = -dxmu.sum(axis=0)\n", "    dmu = -dxmu.sum(axis=0) + dvar * np.mean(-2 * xmu, axis=0)   # the last is zero\n"),
    Right("    dx = np.where(x > 0, dout, 0)\n", "    dout[x <= 0] = 0\n    dx = dout\n"),
    Right("ds3 = ds4 * mask / keep", "ds3 = np.where(mask == 0, 0.0, ds4 / keep)"),
    Right("    s3, rectified = relu_forward(s2)\n    s4 = s3 * mask / keep\n", "    s3, rectified = relu_forward(s2)\n    mask = mask / keep   # inverted dropout\n    s4 = s3 * mask\n    keep = 1\n"),
    Right("    dscores = p.copy()\n    dscores[range(n), y] -= 1\n    return loss, dscores / n\n", "    hot = np.zeros_like(p)\n    hot[np.arange(n), y] = 1.0\n    return loss, -(hot - p) / n\n"),
]

MISTAKES = [
    Mistake("missing-branch", ("dx", *NORM), "    dx = dxmu + dmu / n\n", "    dx = dxmu\n"),
    Mistake(("missing-branch", "detached-branch"), ("dxmu", *NORM), "dxmu = dxhat * ivar + xmu * dvar * 2.0 / n", "dxmu = dxhat * ivar"),
    Mistake("ddof", ("var", "batchnorm_forward", "dxmu", *NORM), "var = np.mean(xmu ** 2, axis=0)", "var = x.var(axis=0, ddof=1)"),
    Mistake(("ddof", "factor-const"), ("dxmu", *NORM), "xmu * dvar * 2.0 / n", "xmu * dvar * 2.0 / (n - 1)"),
    Mistake(("epsilon-ignored", None), ("dvar", *NORM), "divar * ivar ** 3", "divar * xmu.var(axis=0) ** -1.5"),
    Mistake(("epsilon-ignored", None), ("dxmu", *NORM), "dxmu = dxhat * ivar +", "dxmu = dxhat / xmu.std(axis=0) +"),
    Mistake("wrong-local-derivative", ("dvar", *NORM), "ivar ** 3", "ivar ** 2"),
    Mistake("sign", ("dvar", *NORM), "dvar = -0.5", "dvar = 0.5"),
    Mistake("sign", ("dmu", *NORM), "dmu = -dxmu.sum(axis=0)", "dmu = dxmu.sum(axis=0)"),
    Mistake(
        ("aliasing", "input-mutated", "stale-forward-values"), ("xhat", "xmu", "batchnorm_forward", "divar", *NORM),
        "    xhat = xmu * ivar\n", "    xhat = xmu\n    xhat *= ivar\n", fix=False,
    ),
    Mistake(("missing-activation-derivative", "missing-branch", "missing-weight-factor", None), "ds3", "ds3 = ds4 * mask / keep", "ds3 = ds4"),
    Mistake("factor-const", "ds3", "ds3 = ds4 * mask / keep", "ds3 = ds4 * mask"),
    Mistake("relu-mask-from-wrong-tensor", ("dx", "relu_backward", "ds2"), "np.where(x > 0, dout, 0)", "np.where(dout > 0, dout, 0)"),
    Mistake(("relu-mask-from-wrong-tensor", "wrong-tensor-in-delta", "forward-differs"), ("ds2", "dx", "rectified", "relu_forward", "relu_backward"), "s3, rectified = relu_forward(s2)", "s3, rectified = np.maximum(s2, 0), s1"),
    Mistake("missing-target", SOFTMAX, "    dscores[range(n), y] -= 1\n", ""),
    Mistake("factor-N", SOFTMAX, "    return loss, dscores / n\n", "    return loss, dscores\n"),
    Mistake("softmax-wrong-axis", ("p", *SOFTMAX), "    dscores = p.copy()\n", "    dscores = e / e.sum(axis=0, keepdims=True)\n"),
    Mistake(("bias-wrong-axis", "wrong-shape"), ("dbeta", *NORM), "dbeta = dout.sum(axis=0)", "dbeta = dout.sum(axis=1)"),
    Mistake("wrong-tensor-in-weight-gradient", ("dgamma", *NORM), "dgamma = (dout * xhat)", "dgamma = (dout * xmu)"),
    Mistake("matmul-for-elementwise", ("dvar", *NORM), "-0.5 * divar * ivar ** 3", "-0.5 * np.dot(divar, ivar ** 3)"),
    Mistake("missing-weight-factor", ("dxhat", *NORM), "dxhat = dout * gamma", "dxhat = dout"),
]
