"""An affine layer, batch normalisation in nine small steps with each step's gradient, ReLU, squared error."""

import numpy as np

eps = 1e-1


def batchnorm_forward(x, gamma, beta):
    N, D = x.shape

    #step1: calculate mean
    mu = 1./N * np.sum(x, axis = 0)

    #step2: subtract mean vector of every training example
    xmu = x - mu

    #step3: following the lower branch - calculation denominator
    sq = xmu ** 2

    #step4: calculate variance
    var = 1./N * np.sum(sq, axis = 0)

    #step5: add eps for numerical stability, then sqrt
    sqrtvar = np.sqrt(var + eps)

    #step6: invert sqrtwar
    ivar = 1./sqrtvar

    #step7: execute normalization
    xhat = xmu * ivar

    #step8: nor the two transformation steps
    gammax = gamma * xhat

    #step9
    out = gammax + beta

    #store intermediate
    cache = (xhat,gamma,xmu,ivar,sqrtvar,var)
    return out, cache


def batchnorm_backward(dout, cache):
    #unfold the variables stored in cache
    xhat,gamma,xmu,ivar,sqrtvar,var = cache
    N,D = dout.shape

    #step9
    dbeta = np.sum(dout, axis=0)
    dgammax = dout

    #step8
    dgamma = np.sum(dgammax*xhat, axis=0)
    dxhat = dgammax * gamma

    #step7
    divar = np.sum(dxhat*xmu, axis=0)
    dxmu1 = dxhat * ivar

    #step6
    dsqrtvar = -1. /(sqrtvar**2) * divar

    #step5
    dvar = 0.5 * 1. /np.sqrt(var+eps) * dsqrtvar

    #step4
    dsq = 1. /N * np.ones((N,D)) * dvar

    #step3
    dxmu2 = 2 * xmu * dsq

    #step2
    dx1 = (dxmu1 + dxmu2)
    dmu = -1 * np.sum(dxmu1+dxmu2, axis=0)

    #step1
    dx2 = 1. /N * np.ones((N,D)) * dmu

    #step0
    dx = dx1 + dx2

    return dx, dgamma, dbeta


def net(X, y, W, gamma, beta, V):
    s = X.dot(W)
    n, cache = batchnorm_forward(s, gamma, beta)
    r = np.maximum(n, 0)
    p = r.dot(V)
    loss = np.square(p - y).mean()

    dp = 2.0 * (p - y) / y.size
    dV = r.T.dot(dp)
    dr = dp.dot(V.T)
    dn = dr * (r > 0)
    ds, dgamma, dbeta = batchnorm_backward(dn, cache)
    dW = X.T.dot(ds)
    return loss, {'W': dW, 'gamma': dgamma, 'beta': dbeta, 'V': dV}


# Cases
from pathlib import Path

from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    N, I, D, K = 11, 2, 5, 3
    weights = rng.normal(size=(I, D)), rng.uniform(0.5, 2, D), rng.normal(size=D), rng.normal(size=(D, K))
    return call(user.net, rng.normal(size=(N, I)), rng.normal(size=(N, K)), *weights)


STEPS_7_TO_0 = Path(__file__).read_text(encoding="utf-8").split("    #step7\n")[1].split("    return dx, dgamma")[0]
SIMPLIFIED = """    # on paper: one line for all of the steps
    dx = ivar / N * (N * dxhat - dxhat.sum(0) - xhat * (dxhat * xhat).sum(0))

"""

RIGHT = [
    Right("    #step7\n" + STEPS_7_TO_0, SIMPLIFIED),
    Right("    dvar = 0.5 * 1. /np.sqrt(var+eps) * dsqrtvar", "    dvar = np.sum(dxhat * xmu, axis=0) * -0.5 * (var + eps)**-1.5"),
    Right("    dx1 = (dxmu1 + dxmu2)\n    dmu = -1 * np.sum(dxmu1+dxmu2, axis=0)\n", "    dx1 = (dxmu1 + dxmu2)\n    dmu = -np.sum(dxmu1, axis=0)  # the other sum is zero\n"),
    Right("    dsq = 1. /N * np.ones((N,D)) * dvar", "    dsq = np.tile(dvar / N, (N, 1))"),
    Right("var = 1./N * np.sum(sq, axis = 0)", "var = np.var(x, axis=0)"),
    Right("    dn = dr * (r > 0)\n", "    dn = np.array(dr, copy=True)\n    dn[r <= 0] = 0\n"),
]

MISTAKES = [
    Mistake("missing-branch", "dx", "dx = dx1 + dx2", "dx = dx1"),
    Mistake(("missing-branch", "detached-branch"), "dx1", "dx1 = (dxmu1 + dxmu2)\n    dmu = -1 * np.sum(dxmu1+dxmu2, axis=0)", "dx1 = dxmu1\n    dmu = -1 * np.sum(dxmu1, axis=0)"),
    Mistake("sign", "dmu", "dmu = -1 * np.sum(", "dmu = np.sum("),
    Mistake("factor-half", "dxmu2", "dxmu2 = 2 * xmu * dsq", "dxmu2 = xmu * dsq"),
    Mistake("factor-2", "dvar", "dvar = 0.5 * 1. /np.sqrt", "dvar = 1. /np.sqrt"),
    Mistake("factor-N", "dsq", "dsq = 1. /N * np.ones", "dsq = np.ones"),
    Mistake("factor-N", "dx2", "dx2 = 1. /N * np.ones", "dx2 = np.ones"),
    Mistake("ddof", ("var", "dsq"), "var = 1./N * np.sum(sq, axis = 0)", "var = 1./(N-1) * np.sum(sq, axis = 0)"),
    Mistake("ddof", ("dsq", "var"), "dsq = 1. /N * np.ones", "dsq = 1. /(N-1) * np.ones"),
    Mistake("epsilon-ignored", "dvar", "0.5 * 1. /np.sqrt(var+eps)", "0.5 * 1. /np.sqrt(var)"),
    Mistake("epsilon-ignored", "dsqrtvar", "-1. /(sqrtvar**2) * divar", "-1. /var * divar"),
    Mistake(("wrong-local-derivative", None), "dsqrtvar", "-1. /(sqrtvar**2) * divar", "-1. /sqrtvar * divar"),
    Mistake(("missing-weight-factor", None), "dxhat", "dxhat = dgammax * gamma", "dxhat = dgammax"),
    Mistake(("wrong-tensor-in-weight-gradient", None), "dgamma", "np.sum(dgammax*xhat, axis=0)", "np.sum(dgammax*xmu, axis=0)"),
    Mistake("bias-not-reduced", "dbeta", "dbeta = np.sum(dout, axis=0)", "dbeta = dout"),
    Mistake(("factor-1/N", "bias-wrong-axis"), "dbeta", "dbeta = np.sum(dout, axis=0)", "dbeta = np.mean(dout, axis=0)"),
    Mistake("detached-branch", "divar", "    divar = np.sum(dxhat*xmu, axis=0)", "    divar = np.zeros(D)"),
    Mistake(("missing-branch", "detached-branch"), "dx2", "dx2 = 1. /N * np.ones((N,D)) * dmu", "dx2 = 0"),
    Mistake(("skipped-layer", "missing-branch", None), ("ds", "dx"), "    dx = dx1 + dx2\n", "    dx = dout\n"),
    Mistake("relu-mask-from-wrong-tensor", "dn", "dn = dr * (r > 0)", "dn = dr * (s > 0)"),
    Mistake(("reduced-too-early", None), "divar", "np.sum(dxhat*xmu, axis=0)", "np.sum(dxhat, axis=0)*np.sum(xmu, axis=0)"),
    Mistake("factor-K", ("dp", "loss"), "/ y.size", "/ len(y)"),
    Mistake("factor-half", ("dp", "loss"), "dp = 2.0 * (p - y)", "dp = (p - y)"),
    Mistake("factor-1/N", "dxmu1", "dxmu1 = dxhat * ivar", "dxmu1 = dxhat * ivar / N"),
]
