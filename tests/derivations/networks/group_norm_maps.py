"""Feature maps by loops with stride and padding, as the course's assignment has them; group norm, softplus, mean pooling."""

import numpy as np


def conv_forward_naive(x, w, b, conv_param):
    """
    - x: Input data of shape (N, C, H, W)
    - w: Filter weights of shape (F, C, HH, WW)
    - b: Biases, of shape (F,)
    """
    stride, pad = conv_param['stride'], conv_param['pad']
    N, C, H, W = x.shape
    F, _, HH, WW = w.shape
    H_out = 1 + (H + 2 * pad - HH) // stride
    W_out = 1 + (W + 2 * pad - WW) // stride
    x_pad = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    out = np.zeros((N, F, H_out, W_out))
    for f in range(F):
        for i in range(H_out):
            for j in range(W_out):
                window = x_pad[:, :, i*stride:i*stride+HH, j*stride:j*stride+WW]
                out[:, f, i, j] = np.sum(window * w[f], axis=(1, 2, 3)) + b[f]
    cache = (x, x_pad, w, b, conv_param)
    return out, cache


def conv_backward_naive(dout, cache):
    x, x_pad, w, b, conv_param = cache
    stride, pad = conv_param['stride'], conv_param['pad']
    N, C, H, W = x.shape
    F, _, HH, WW = w.shape
    _, _, H_out, W_out = dout.shape
    dx_pad = np.zeros_like(x_pad)
    dw = np.zeros_like(w)
    db = dout.sum(axis=(0, 2, 3))
    for f in range(F):
        for i in range(H_out):
            for j in range(W_out):
                window = x_pad[:, :, i*stride:i*stride+HH, j*stride:j*stride+WW]
                d = dout[:, f, i, j].reshape(N, 1, 1, 1)
                dw[f] += np.sum(d * window, axis=0)
                dx_pad[:, :, i*stride:i*stride+HH, j*stride:j*stride+WW] += d * w[f]
    dx = dx_pad[:, :, pad:pad+H, pad:pad+W]
    return dx, dw, db


def spatial_groupnorm_forward(x, gamma, beta, G, eps=0.1):
    N, C, H, W = x.shape
    xg = x.reshape(N, G, -1)
    mean = xg.mean(axis=2, keepdims=True)
    var = xg.var(axis=2, keepdims=True)
    std = np.sqrt(var + eps)
    xhat = ((xg - mean) / std).reshape(N, C, H, W)
    out = gamma * xhat + beta
    return out, (xhat, std, gamma, G)


def spatial_groupnorm_backward(dout, cache):
    xhat, std, gamma, G = cache
    N, C, H, W = dout.shape
    dgamma = np.sum(dout * xhat, axis=(0, 2, 3), keepdims=True)
    dbeta = np.sum(dout, axis=(0, 2, 3), keepdims=True)
    dxhat = (dout * gamma).reshape(N, G, -1)
    xhat = xhat.reshape(N, G, -1)
    dx = dxhat - dxhat.mean(axis=2, keepdims=True) - xhat * np.mean(dxhat * xhat, axis=2, keepdims=True)
    dx = (dx / std).reshape(N, C, H, W)
    return dx, dgamma, dbeta


def softmax_loss(scores, y):
    shifted = scores - scores.max(axis=1, keepdims=True)
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    N = scores.shape[0]
    loss = -np.sum(log_probs[np.arange(N), y]) / N
    dscores = np.exp(log_probs)
    dscores[np.arange(N), y] -= 1
    dscores /= N
    return loss, dscores


def loss_fn(X, y, W1, b1, gamma, beta, W2, b2, W3, b3, reg=0.05):
    # conv - groupnorm - softplus - conv - mean pool - affine - softmax
    conv1 = {'stride': 2, 'pad': 1}
    conv2 = {'stride': 1, 'pad': 0}
    a1, conv1_cache = conv_forward_naive(X, W1, b1, conv1)
    n1, gn_cache = spatial_groupnorm_forward(a1, gamma, beta, G=2)
    h1 = np.logaddexp(0, n1)
    a2, conv2_cache = conv_forward_naive(h1, W2, b2, conv2)
    pooled = a2.mean(axis=(2, 3))
    scores = pooled.dot(W3) + b3
    data_loss, dscores = softmax_loss(scores, y)
    loss = data_loss + 0.5 * reg * (np.sum(W1 * W1) + np.sum(W2 * W2) + np.sum(W3 * W3))

    grads = {}
    grads['W3'] = pooled.T.dot(dscores) + reg * W3
    grads['b3'] = dscores.sum(axis=0)
    dpooled = dscores.dot(W3.T)
    da2 = np.ones_like(a2) * dpooled[:, :, None, None] / (a2.shape[2] * a2.shape[3])
    dh1, dW2, grads['b2'] = conv_backward_naive(da2, conv2_cache)
    grads['W2'] = dW2 + reg * W2
    dn1 = dh1 / (1 + np.exp(-n1))
    da1, grads['gamma'], grads['beta'] = spatial_groupnorm_backward(dn1, gn_cache)
    _, dW1, grads['b1'] = conv_backward_naive(da1, conv1_cache)
    grads['W1'] = dW1 + reg * W1
    return loss, grads


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    N, C, F, M, K = 7, 2, 4, 3, 5
    X, y = rng.normal(size=(N, C, 4, 5)), rng.integers(0, K, size=N)
    weights = [
        rng.normal(size=(F, C, 3, 2)), rng.normal(size=F), rng.normal(size=(1, F, 1, 1)), rng.normal(size=(1, F, 1, 1)),
        rng.normal(size=(M, F, 1, 2)), rng.normal(size=M), rng.normal(size=(M, K)), rng.normal(size=K),
    ]
    return call(user.loss_fn, X, y, *weights)


RIGHT = [
    Right("                dw[f] += np.sum(d * window, axis=0)\n", "                dw[f] += np.tensordot(dout[:, f, i, j], window, axes=1)\n"),
    Right("    dn1 = dh1 / (1 + np.exp(-n1))\n", "    dn1 = dh1 * (1 - np.exp(-h1))\n"),
    Right("    dx = dxhat - dxhat.mean(axis=2, keepdims=True) - xhat * np.mean(dxhat * xhat, axis=2, keepdims=True)\n    dx = (dx / std).reshape(N, C, H, W)\n", "    m = xhat.shape[2]\n    dx = (m * dxhat - dxhat.sum(axis=2, keepdims=True) - xhat * np.sum(dxhat * xhat, axis=2, keepdims=True)) / (m * std)\n    dx = dx.reshape(N, C, H, W)\n"),
    Right("    da2 = np.ones_like(a2) * dpooled[:, :, None, None] / (a2.shape[2] * a2.shape[3])\n", "    da2 = np.broadcast_to(dpooled[:, :, None, None] / a2[0, 0].size, a2.shape)\n"),
    Right("    db = dout.sum(axis=(0, 2, 3))\n", "    db = np.array([dout[:, k].sum() for k in range(F)])\n"),
]

DX = ("dx_pad[:, :, i*stride:i*stride+HH, j*stride:j*stride+WW]", "dx_pad")

MISTAKES = [
    Mistake("overwritten-not-accumulated", (*DX, "dx", "dh1"), "j*stride:j*stride+WW] += d * w[f]", "j*stride:j*stride+WW] = d * w[f]"),
    Mistake("overwritten-not-accumulated", ("dw[f]", "dw"), "dw[f] += np.sum", "dw[f] = np.sum"),
    Mistake(("off-by-one-index", None), ("window", "dw[f]", "dw", "dW1"), "                window = x_pad[:, :, i*stride:i*stride+HH, j*stride:j*stride+WW]\n                d =", "                window = x_pad[:, :, i:i+HH, j:j+WW]\n                d ="),
    Mistake(("factor-1/N", "factor-const", "bias-wrong-axis", None), "db", "db = dout.sum(axis=(0, 2, 3))", "db = dout.mean(axis=(2, 3)).sum(axis=0)"),
    Mistake(("factor-1/N", "bias-wrong-axis"), "db", "db = dout.sum(axis=(0, 2, 3))", "db = dout.sum(axis=(2, 3)).mean(axis=0)"),
    Mistake((None, "weight-not-transposed", "gradient-transposed", "wrong-tensor-in-delta", "off-by-one-index"), (*DX, "dx", "dh1"), "j*stride:j*stride+WW] += d * w[f]", "j*stride:j*stride+WW] += d * w[f, :, ::-1, ::-1]"),
    Mistake(("missing-weight-factor", "wrong-local-derivative"), ("dxhat", "dx", "da1"), "dxhat = (dout * gamma).reshape(N, G, -1)", "dxhat = dout.reshape(N, G, -1)"),
    Mistake("missing-branch", ("dx", "da1"), " - xhat * np.mean(dxhat * xhat, axis=2, keepdims=True)\n", "\n"),
    Mistake("missing-branch", ("dx", "da1"), "dx = dxhat - dxhat.mean(axis=2, keepdims=True) - xhat", "dx = dxhat - xhat"),
    Mistake(("missing-branch", None, "wrong-local-derivative"), ("dx", "da1"), "dx = dxhat - dxhat.mean(axis=2, keepdims=True) - xhat * np.mean(dxhat * xhat, axis=2, keepdims=True)", "dx = dxhat"),
    Mistake(("wrong-local-derivative", "sign"), ("dx", "da1"), "- xhat * np.mean(dxhat * xhat,", "+ xhat * np.mean(dxhat * xhat,"),
    Mistake(("wrong-local-derivative", "missing-weight-factor"), ("dx", "da1"), "dx = (dx / std).reshape(N, C, H, W)", "dx = dx.reshape(N, C, H, W)"),
    Mistake(("factor-const", "factor-N", "wrong-local-derivative", None), ("dx", "da1"), "- xhat * np.mean(dxhat * xhat, axis=2, keepdims=True)", "- xhat * np.sum(dxhat * xhat, axis=2, keepdims=True)"),
    Mistake(("wrong-tensor-in-weight-gradient", "missing-weight-factor"), ("dgamma", "grads['gamma']"), "dgamma = np.sum(dout * xhat, axis", "dgamma = np.sum(dout * gamma, axis"),
    Mistake(("sign",), ("dscores[np.arange(N), y]", "dscores"), "dscores[np.arange(N), y] -= 1", "dscores[np.arange(N), y] += 1"),
    Mistake("factor-N", ("dscores", "loss", "data_loss"), "    dscores /= N\n", ""),
    Mistake(("factor-const", "factor-K", "factor-N", None), "da2", " / (a2.shape[2] * a2.shape[3])", ""),
    Mistake(("factor-2", "factor-const", None), "da2", "/ (a2.shape[2] * a2.shape[3])", "/ a2.shape[3]"),
    Mistake(("missing-activation-derivative"), "dn1", "dn1 = dh1 / (1 + np.exp(-n1))", "dn1 = dh1"),
    Mistake("activation-derivative-at-activation", "dn1", "dn1 = dh1 / (1 + np.exp(-n1))", "dn1 = dh1 / (1 + np.exp(-h1))"),
    Mistake(("activation-derivative-of-wrong-layer", "stale-forward-values"), "dn1", "dn1 = dh1 / (1 + np.exp(-n1))", "dn1 = dh1 / (1 + np.exp(-a1))"),
    Mistake(("regulariser-scale",), ("grads['W2']", "loss"), "grads['W2'] = dW2 + reg * W2", "grads['W2'] = dW2 + 2 * reg * W2"),
    Mistake("regulariser-forgotten", "grads['W1']", "grads['W1'] = dW1 + reg * W1", "grads['W1'] = dW1"),
    Mistake("regulariser-on-wrong-parameter", "grads['b3']", "grads['b3'] = dscores.sum(axis=0)", "grads['b3'] = dscores.sum(axis=0) + reg * b3"),
]
