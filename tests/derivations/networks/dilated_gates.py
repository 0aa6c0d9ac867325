"""Gated dilated convolutions over time with a residual path, as in WaveNet; the gradients by windows."""

import numpy as np


def conv(x, w, b, dilation):
    """x (N, C, L), w (O, C, K), b (O,): only full windows, so the output is shorter."""
    taps = w.shape[2]
    length = x.shape[2] - (taps - 1) * dilation
    out = np.zeros((x.shape[0], w.shape[0], length))
    for k in range(taps):
        start = k * dilation
        out = out + np.einsum("oc,ncl->nol", w[:, :, k], x[:, :, start:start + length])
    return out + b[None, :, None]


def conv_grads(dout, x, w, dilation):
    taps, length = w.shape[2], dout.shape[2]
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for k in range(taps):
        start = k * dilation
        window = x[:, :, start:start + length]
        dw[:, :, k] = np.einsum("nol,ncl->oc", dout, window)
        dx[:, :, start:start + length] += np.einsum("oc,nol->ncl", w[:, :, k], dout)
    db = dout.sum(axis=(0, 2))
    return dx, dw, db


def training_step(series, future, w_in, b_in, w_filter, b_filter, w_gate, b_gate, mix, read):
    # first layer
    hidden = conv(series, w_in, b_in, 1)

    # gated block
    filt_pre = conv(hidden, w_filter, b_filter, 2)
    gate_pre = conv(hidden, w_gate, b_gate, 2)
    filt = np.tanh(filt_pre)
    gate = 1 / (1 + np.exp(-gate_pre))
    gated = filt * gate
    crop = hidden.shape[2] - gated.shape[2]
    block = np.einsum("cd,ndl->ncl", mix, gated) + hidden[:, :, crop:]

    # read out the prediction
    pred = np.einsum("c,ncl->nl", read, block)
    diff = pred - future
    loss = np.mean(diff ** 2)

    # backward
    d_pred = 2 * diff / diff.size
    d_read = np.einsum("nl,ncl->c", d_pred, block)
    d_block = read[None, :, None] * d_pred[:, None, :]
    d_mix = np.einsum("ncl,ndl->cd", d_block, gated)
    d_gated = np.einsum("cd,ncl->ndl", mix, d_block)
    d_filt_pre = d_gated * gate * (1 - filt ** 2)
    d_gate_pre = d_gated * filt * gate * (1 - gate)
    d_hidden_f, d_w_filter, d_b_filter = conv_grads(d_filt_pre, hidden, w_filter, 2)
    d_hidden_g, d_w_gate, d_b_gate = conv_grads(d_gate_pre, hidden, w_gate, 2)
    d_hidden = d_hidden_f + d_hidden_g
    d_hidden[:, :, crop:] += d_block
    _, d_w_in, d_b_in = conv_grads(d_hidden, series, w_in, 1)

    grads = (d_w_in, d_b_in, d_w_filter, d_b_filter, d_w_gate, d_b_gate, d_mix, d_read)
    return loss, grads


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    N, C, M, L = 5, 2, 3, 9
    weights = (
        0.7 * rng.normal(size=(M, C, 2)), 0.5 * rng.normal(size=M), 0.7 * rng.normal(size=(4, M, 2)), 0.5 * rng.normal(size=4),
        0.7 * rng.normal(size=(4, M, 2)), 0.5 * rng.normal(size=4), rng.normal(size=(M, 4)), rng.normal(size=M),
    )  # fmt: skip
    names = ("w_in", "b_in", "w_filter", "b_filter", "w_gate", "b_gate", "mix", "read")
    return call(user.training_step, rng.normal(size=(N, C, L)), rng.normal(size=(N, L - 3)), *weights, wrt=names)


RIGHT = [
    Right("    d_pred = 2 * diff / diff.size\n", "    n, l = diff.shape\n    d_pred = (pred - future) / (0.5 * n * l)\n"),
    Right("d_gated * filt * gate * (1 - gate)", "d_gated * gated * (1 - gate)"),
    Right("    db = dout.sum(axis=(0, 2))\n", "    db = np.einsum('nol->o', dout)\n"),
    Right(
        "    d_hidden = d_hidden_f + d_hidden_g\n    d_hidden[:, :, crop:] += d_block\n",
        "    d_hidden = np.pad(d_block, ((0, 0), (0, 0), (crop, 0)))\n    d_hidden += d_hidden_f\n    d_hidden += d_hidden_g\n",
    ),
    Right("        dw[:, :, k] = np.einsum(\"nol,ncl->oc\", dout, window)\n", "        dw[:, :, k] = np.tensordot(dout, window, axes=([0, 2], [0, 2]))\n"),
]

CALL_F, CALL_G = "(d_hidden_f, d_w_filter, d_b_filter)", "(d_hidden_g, d_w_gate, d_b_gate)"
D_X = ("dx", "dx[:, :, start:start + length]", "conv_grads", "return", "d_hidden_f", CALL_F)
D_W = ("dw", "dw[:, :, k]", "conv_grads", "return", "d_w_filter", CALL_F)
D_B = ("db", "conv_grads", "return", "d_b_filter", CALL_F)
D_X_LINE = 'dx[:, :, start:start + length] += np.einsum("oc,nol->ncl", w[:, :, k], dout)'

MISTAKES = [
    Mistake("overwritten-not-accumulated", D_X, "dx[:, :, start:start + length] += np", "dx[:, :, start:start + length] = np"),
    Mistake(("missing-branch", "detached-branch"), "d_hidden", "    d_hidden[:, :, crop:] += d_block\n", "", fix=False),
    Mistake(("missing-branch", "detached-branch"), "d_hidden", "d_hidden = d_hidden_f + d_hidden_g", "d_hidden = d_hidden_f"),
    Mistake(("off-by-one-time", "off-by-one-index", "wrong-tensor-in-delta", None), ("d_hidden[:, :, :-crop]", "d_hidden"), "d_hidden[:, :, crop:] += d_block", "d_hidden[:, :, :-crop] += d_block"),
    Mistake(("overwritten-not-accumulated", "missing-branch"), ("d_hidden[:, :, crop:]", "d_hidden"), "d_hidden[:, :, crop:] += d_block", "d_hidden[:, :, crop:] = d_block"),
    Mistake(("off-by-one-index", "off-by-one-time", "wrong-tensor-in-weight-gradient", None), ("window", *D_W), "window = x[:, :, start:start + length]", "window = x[:, :, k:k + length]"),
    Mistake(("off-by-one-index", "wrong-tensor-in-delta", "weight-not-transposed", None), D_X, 'np.einsum("oc,nol->ncl", w[:, :, k], dout)', 'np.einsum("oc,nol->ncl", w[:, :, taps - 1 - k], dout)'),
    Mistake("missing-activation-derivative", "d_filt_pre", "d_gated * gate * (1 - filt ** 2)", "d_gated * gate"),
    Mistake(("missing-weight-factor", "missing-branch"), "d_filt_pre", "d_gated * gate * (1 - filt ** 2)", "d_gated * (1 - filt ** 2)"),
    Mistake("derivative-of-another-activation", "d_gate_pre", "d_gated * filt * gate * (1 - gate)", "d_gated * filt * (1 - gate ** 2)"),
    Mistake(("missing-weight-factor", "missing-branch"), "d_gate_pre", "d_gated * filt * gate * (1 - gate)", "d_gated * gate * (1 - gate)"),
    Mistake("output-form-on-preactivation", "d_filt_pre", "1 - filt ** 2", "1 - filt_pre ** 2"),
    Mistake(("wrong-tensor-in-delta", "wrong-local-derivative", "missing-activation-derivative", None), "d_filt_pre", "d_gated * gate * (1 - filt ** 2)", "d_gated * gate_pre * (1 - filt ** 2)"),
    Mistake("wrong-tensor-in-weight-gradient", "d_mix", '"ncl,ndl->cd", d_block, gated', '"ncl,ndl->cd", d_block, filt'),
    Mistake(("wrong-tensor-in-delta", "skipped-layer", "missing-weight-factor", "off-by-one-index", None), (*D_X, "d_hidden"), "conv_grads(d_filt_pre, hidden, w_filter, 2)", "conv_grads(d_filt_pre, hidden, w_gate, 2)"),
    Mistake(("factor-K", "factor-const"), ("d_pred", "loss"), "2 * diff / diff.size", "2 * diff / len(diff)"),
    Mistake(("factor-half", "wrong-loss-derivative"), ("d_pred", "loss"), "2 * diff / diff.size", "diff / diff.size"),
    Mistake(("bias-wrong-axis", "bias-not-reduced", "wrong-shape", None), D_B, "db = dout.sum(axis=(0, 2))", "db = dout.sum(axis=0)"),
    Mistake(("factor-1/N", "factor-const", "bias-wrong-axis", None), D_B, "db = dout.sum(axis=(0, 2))", "db = dout.mean(axis=0).sum(axis=1)"),
]
