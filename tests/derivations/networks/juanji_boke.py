"""
纯 numpy 手写卷积神经网络（博客第 4 篇）：im2col + 最大池化 + dropout

结构：  conv1 -> relu -> conv2 -> relu -> maxpool(2x2) -> dropout -> 全连接 -> softmax
形状一律 (N, C, H, W)。dropout 的 mask 由外面传进来，方便做梯度检查。
"""
import numpy as np


# ---------------------------------------------------------------- im2col
def get_index(C, H, W, k, pad):
    """返回取出所有 k*k 小块用的三个下标数组"""
    out_h, out_w = H + 2 * pad - k + 1, W + 2 * pad - k + 1
    i0 = np.tile(np.repeat(np.arange(k), k), C)
    j0 = np.tile(np.arange(k), k * C)
    i1 = np.repeat(np.arange(out_h), out_w)
    j1 = np.tile(np.arange(out_w), out_h)
    c = np.repeat(np.arange(C), k * k)[:, None]
    return c, i0[:, None] + i1, j0[:, None] + j1


def im2col(x, k, pad):
    _, C, H, W = x.shape
    x_pad = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    c, i, j = get_index(C, H, W, k, pad)
    return x_pad[:, c, i, j]                      # (N, C*k*k, L)


def col2im(col, shape, k, pad):
    N, C, H, W = shape
    x_pad = np.zeros((N, C, H + 2 * pad, W + 2 * pad))
    c, i, j = get_index(C, H, W, k, pad)
    np.add.at(x_pad, (slice(None), c, i, j), col)
    return x_pad[:, :, pad:pad + H, pad:pad + W]


# ---------------------------------------------------------------- 各层
def conv_forward(x, W, b, pad):
    N, F, k = len(x), W.shape[0], W.shape[2]
    col = im2col(x, k, pad)
    out = W.reshape(F, -1) @ col + b[:, None]     # (N, F, L)
    out = out.reshape(N, F, x.shape[2] + 2 * pad - k + 1, -1)
    return out, (x.shape, col, W, pad)


def conv_backward(dout, cache):
    shape, col, W, pad = cache
    N, F = dout.shape[:2]
    dout = dout.reshape(N, F, -1)
    db = dout.sum(axis=(0, 2))
    dW = np.matmul(dout, col.transpose(0, 2, 1)).sum(axis=0).reshape(W.shape)
    dcol = W.reshape(F, -1).T @ dout
    dx = col2im(dcol, shape, W.shape[2], pad)
    return dx, dW, db


def relu_forward(z):
    return np.where(z > 0, z, 0), z


def relu_backward(da, z):
    dz = da * (z > 0)
    return dz


def pool_forward(x):
    N, C, H, W = x.shape
    win = x.reshape(N, C, H // 2, 2, W // 2, 2).transpose(0, 1, 2, 4, 3, 5)
    win = win.reshape(N, C, H // 2, W // 2, 4)
    idx = win.argmax(axis=-1)
    return win.max(axis=-1), (x.shape, idx)


def pool_backward(dout, cache):
    (N, C, H, W), idx = cache
    dwin = np.zeros(idx.shape + (4,))
    np.put_along_axis(dwin, idx[..., None], dout[..., None], axis=-1)
    dwin = dwin.reshape(N, C, H // 2, W // 2, 2, 2)
    dx = dwin.transpose(0, 1, 2, 4, 3, 5).reshape(N, C, H, W)
    return dx


def softmax_loss(s, t):
    N = len(t)
    e = np.exp(s - s.max(axis=1, keepdims=True))
    prob = e / e.sum(axis=1, keepdims=True)
    loss = -np.log(prob[np.arange(N), t]).mean()
    ds = prob.copy()
    ds[np.arange(N), t] -= 1
    ds = ds / N
    return loss, ds


# ---------------------------------------------------------------- 整个网络
def train_step(net, x, t, mask, keep=0.8, reg=0.02):
    # 前向
    z1, cache1 = conv_forward(x, net["W1"], net["b1"], pad=0)
    a1, r1 = relu_forward(z1)
    z2, cache2 = conv_forward(a1, net["W2"], net["b2"], pad=1)
    a2, r2 = relu_forward(z2)
    p, cache_p = pool_forward(a2)
    h = p.reshape(len(x), -1)
    d = h * mask / keep                           # 注意要除以 keep
    s = d @ net["W3"] + net["b3"]
    data_loss, ds = softmax_loss(s, t)
    loss = data_loss + 0.5 * reg * sum(np.sum(net[w] ** 2) for w in ("W1", "W2", "W3"))

    # 反向
    g = {}
    g["W3"] = d.T @ ds + reg * net["W3"]
    g["b3"] = ds.sum(axis=0)
    dd = ds @ net["W3"].T
    dh = dd * mask / keep
    dp = dh.reshape(p.shape)
    da2 = pool_backward(dp, cache_p)
    dz2 = relu_backward(da2, r2)
    da1, g["W2"], g["b2"] = conv_backward(dz2, cache2)
    g["W2"] += reg * net["W2"]
    dz1 = relu_backward(da1, r1)
    _, g["W1"], g["b1"] = conv_backward(dz1, cache1)
    g["W1"] += reg * net["W1"]
    return loss, g


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    N, C, H, W, F1, F2, K = 4, 2, 5, 7, 3, 5, 6
    x, t = rng.normal(size=(N, C, H, W)), np.array([3, 0, 5, 2])
    D = F2 * (H - 1) // 2 * (W - 1) // 2
    net = {"W1": 0.5 * rng.normal(size=(F1, C, 2, 2)), "b1": 0.3 + 0.3 * rng.normal(size=F1)}
    net |= {"W2": 0.3 * rng.normal(size=(F2, F1, 3, 3)), "b2": 0.3 * rng.normal(size=F2)}
    net |= {"W3": 0.4 * rng.normal(size=(D, K)), "b3": 0.3 * rng.normal(size=K)}
    mask = (rng.uniform(size=(N, D)) < 0.8).astype(float)
    return call(user.train_step, net, x, t, mask, loss="loss", gradients={"net": "g"})


import numpy as np

RIGHT = [
    Right("    return np.where(z > 0, z, 0), z\n", "    a = np.maximum(z, 0, out=z)   # 原地操作，省内存；a>0 与 z>0 等价\n    return a, a\n"),
    Right("    dW = np.matmul(dout, col.transpose(0, 2, 1)).sum(axis=0).reshape(W.shape)\n", "    dW = np.zeros((F, col.shape[1]))\n    for n in range(N):\n        dW += dout[n] @ col[n].T\n    dW = dW.reshape(W.shape)\n"),
    Right("    np.add.at(x_pad, (slice(None), c, i, j), col)\n", "    L = W + 2 * pad - k + 1\n    col = col.reshape(N, C, k, k, -1, L)\n    for u in range(k):\n        for v in range(k):\n            x_pad[:, :, u:u + col.shape[4], v:v + L] += col[:, :, u, v]\n"),
    Right("    dwin = np.zeros(idx.shape + (4,))\n    np.put_along_axis(dwin, idx[..., None], dout[..., None], axis=-1)\n", "    dwin = (np.arange(4) == idx[..., None]) * dout[..., None]\n"),
    Right("    dd = ds @ net[\"W3\"].T\n    dh = dd * mask / keep\n", "    dh = ds @ net[\"W3\"].T\n    dh[mask == 0] = 0\n    dh /= keep\n"),
]

CONV2 = ("da1", 'g["W2"]', 'g["b2"]', "conv_backward", "return", '(da1, g["W2"], g["b2"])')
DX = ("dx", "da1", "conv_backward", "return", '(da1, g["W2"], g["b2"])')
COL2IM = ("x_pad", "col2im", *DX)
POOL = ("dx", "da2", "pool_backward", "return")
DS = ("ds", "softmax_loss", "return", "(data_loss, ds)")

MISTAKES = [
    Mistake("overwritten-not-accumulated", ("x_pad[:, c, i, j]", *COL2IM), "    np.add.at(x_pad, (slice(None), c, i, j), col)\n", "    x_pad[:, c, i, j] += col\n"),
    Mistake(("off-by-one-index", None), COL2IM, "    return x_pad[:, :, pad:pad + H, pad:pad + W]\n", "    return x_pad[:, :, :H, :W]\n"),
    Mistake(("factor-1/N", "factor-const", "wrong-loss-derivative"), ("loss", "data_loss", "prob", *DS), "    loss = -np.log(prob[np.arange(N), t]).mean()\n", "    loss = -np.log(prob[np.arange(N), t]).sum()\n"),
    Mistake(("weight-not-transposed", None), ("dcol", *DX), "    dcol = W.reshape(F, -1).T @ dout\n", "    dcol = W[:, :, ::-1, ::-1].reshape(F, -1).T @ dout\n"),
    Mistake(("factor-1/N", "factor-const", None), ("dW", 'g["W2"]', 'g["W1"]', *CONV2), ".sum(axis=0).reshape(W.shape)", ".mean(axis=0).reshape(W.shape)"),
    Mistake(("gradient-transposed", "wrong-shape", None), ("dW", *CONV2), "    dW = np.matmul(dout, col.transpose(0, 2, 1)).sum(axis=0).reshape(W.shape)\n", "    dW = np.matmul(col, dout.transpose(0, 2, 1)).sum(axis=0).reshape(W.shape)\n"),
    Mistake(("factor-1/N", "factor-const", "bias-wrong-axis", None), ("db", *CONV2), "    db = dout.sum(axis=(0, 2))\n", "    db = dout.sum(axis=2).mean(axis=0)\n"),
    Mistake(("bias-wrong-axis", "bias-not-reduced", "wrong-shape"), ("db", *CONV2), "    db = dout.sum(axis=(0, 2))\n", "    db = dout.sum(axis=0)\n"),
    Mistake("relu-mask-inverted", ("dz", "dz2", "relu_backward", "return"), "    dz = da * (z > 0)\n", "    dz = da * (z <= 0)\n"),
    Mistake("relu-mask-from-wrong-tensor", ("dz", "dz[dz <= 0]", "dz2", "relu_backward", "return"), "    dz = da * (z > 0)\n", "    dz = da.copy()\n    dz[dz <= 0] = 0\n"),
    Mistake(("missing-activation-derivative", "skipped-layer"), ("dz1", '(_, g["W1"], g["b1"])', 'g["W1"]'), "    dz1 = relu_backward(da1, r1)\n    _, g[\"W1\"], g[\"b1\"] = conv_backward(dz1, cache1)\n", "    _, g[\"W1\"], g[\"b1\"] = conv_backward(da1, cache1)\n"),
    Mistake(("wrong-local-derivative", "missing-activation-derivative", None), ("dwin", *POOL), "    np.put_along_axis(dwin, idx[..., None], dout[..., None], axis=-1)\n", "    dwin += dout[..., None] / 4\n"),
    Mistake(("wrong-local-derivative", "missing-activation-derivative", "factor-const", None), ("dwin", *POOL), "    np.put_along_axis(dwin, idx[..., None], dout[..., None], axis=-1)\n", "    dwin += dout[..., None]\n"),
    Mistake(("wrong-shape", "gradient-transposed", "off-by-one-index", "wrong-tensor-in-delta", None), ("dx", *POOL), "    dx = dwin.transpose(0, 1, 2, 4, 3, 5).reshape(N, C, H, W)\n", "    dx = dwin.reshape(N, C, H, W)\n"),
    Mistake(("missing-weight-factor", "skipped-layer", "missing-activation-derivative", "missing-branch"), "dh", "    dh = dd * mask / keep\n", "    dh = dd / keep\n"),
    Mistake(("factor-const", "forward-differs"), "dh", "    dh = dd * mask / keep\n", "    dh = dd * mask\n"),
    Mistake("wrong-tensor-in-weight-gradient", 'g["W3"]', "d.T @ ds", "h.T @ ds"),
    Mistake("factor-N", ("ds", "softmax_loss", "(data_loss, ds)", "return"), "    ds = ds / N\n    return loss, ds\n", "    return loss, ds\n", fix=False),
    Mistake(("off-by-one-index", "missing-target", "wrong-loss-derivative", None), ("ds[np.arange(N), t - 1]", *DS), "    ds[np.arange(N), t] -= 1\n", "    ds[np.arange(N), t - 1] -= 1  # 标签从 1 开始\n"),
    Mistake(("softmax-wrong-axis", "forward-differs"), ("prob", "ds", "softmax_loss", "return", "(data_loss, ds)"), "prob = e / e.sum(axis=1, keepdims=True)", "prob = e / e.sum(axis=0, keepdims=True)"),
    Mistake("regulariser-forgotten", ('g["W2"]', '(da1, g["W2"], g["b2"])'), "    g[\"W2\"] += reg * net[\"W2\"]\n", "", fix=False),
    Mistake(("regulariser-scale", "factor-2", "factor-const"), 'g["W3"]', '+ reg * net["W3"]', '+ 2 * reg * net["W3"]'),
    Mistake(("overwritten-not-accumulated", "missing-branch"), 'g["W1"]', 'g["W1"] += reg * net["W1"]', 'g["W1"] = reg * net["W1"]'),
    Mistake("updated-weights", ('net["W3"]', "dd"), '    dd = ds @ net["W3"].T\n', '    net["W3"] = net["W3"] - 0.1 * g["W3"]\n    dd = ds @ net["W3"].T\n'),
]
