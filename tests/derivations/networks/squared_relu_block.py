"""A feed-forward block with a squared ReLU, a dropout mask that is given, a residual and layer normalisation after it."""

import numpy as np

EPS = 0.05
KEEP = 0.75


def block_loss(x, targets, mask, w_up, b_up, w_down, b_down, gain, shift, w_out):
    n, d = x.shape

    # --- forward ---
    up = x @ w_up + b_up
    act = np.maximum(up, 0) ** 2
    dropped = act * mask / KEEP
    resid = x + dropped @ w_down + b_down

    mean = resid.mean(axis=1, keepdims=True)
    centred = resid - mean
    var = (centred ** 2).mean(axis=1, keepdims=True)
    inv_std = 1 / np.sqrt(var + EPS)
    normed = centred * inv_std
    scaled = gain * normed + shift

    logits = scaled @ w_out
    probs = 1 / (1 + np.exp(-logits))
    loss = -np.mean(targets * np.log(probs) + (1 - targets) * np.log(1 - probs))

    # --- backward ---
    g_logits = (probs - targets) / targets.size
    g_w_out = scaled.T @ g_logits
    g_scaled = g_logits @ w_out.T

    g_gain = (g_scaled * normed).sum(axis=0)
    g_shift = g_scaled.sum(axis=0)
    g_normed = g_scaled * gain
    g_inv_std = (g_normed * centred).sum(axis=1, keepdims=True)
    g_var = g_inv_std * -0.5 * (var + EPS) ** -1.5
    g_centred = g_normed * inv_std + 2 / d * centred * g_var
    g_resid = g_centred - g_centred.mean(axis=1, keepdims=True)

    g_w_down = dropped.T @ g_resid
    g_b_down = g_resid.sum(axis=0)
    g_dropped = g_resid @ w_down.T
    g_act = g_dropped * mask / KEEP
    g_up = g_act * 2 * np.maximum(up, 0)
    g_w_up = x.T @ g_up
    g_b_up = g_up.sum(axis=0)

    return loss, dict(
        w_up=g_w_up, b_up=g_b_up, w_down=g_w_down, b_down=g_b_down, gain=g_gain, shift=g_shift, w_out=g_w_out
    )


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    n, d, h, k = 7, 4, 6, 3
    weights = (
        0.7 * rng.normal(size=(d, h)), 0.5 * rng.normal(size=h), 0.5 * rng.normal(size=(h, d)), 0.5 * rng.normal(size=d),
        rng.uniform(0.5, 2, d), 0.5 * rng.normal(size=d), rng.normal(size=(d, k)),
    )  # fmt: skip
    mask = (rng.random((n, h)) < user.KEEP) * 1.0
    return call(user.block_loss, rng.normal(size=(n, d)), rng.uniform(0.1, 0.9, size=(n, k)), mask, *weights)


RIGHT = [
    Right("g_var = g_inv_std * -0.5 * (var + EPS) ** -1.5", "g_var = -0.5 * g_inv_std * inv_std ** 3"),
    Right("g_up = g_act * 2 * np.maximum(up, 0)", "g_up = 2 * g_act * up * (up > 0)"),
    Right("g_up = g_act * 2 * np.maximum(up, 0)", "g_up = 2 * np.sqrt(act) * g_act"),
    Right(
        "    g_centred = g_normed * inv_std + 2 / d * centred * g_var\n    g_resid = g_centred - g_centred.mean(axis=1, keepdims=True)\n",
        "    a = g_normed - g_normed.mean(axis=1, keepdims=True)\n    g_resid = inv_std * (a - normed * (g_normed * normed).mean(axis=1, keepdims=True))\n",
    ),
    Right("    g_w_out = scaled.T @ g_logits\n", "    g_w_out = (g_logits.T @ scaled).T\n"),
]

G_VAR, G_CENTRED = "g_inv_std * -0.5 * (var + EPS) ** -1.5", "g_normed * inv_std + 2 / d * centred * g_var"

MISTAKES = [
    Mistake("epsilon-ignored", "g_var", G_VAR, "g_inv_std * -0.5 * var ** -1.5"),
    Mistake("ddof", ("var", "g_centred"), "var = (centred ** 2).mean(axis=1, keepdims=True)", "var = (centred ** 2).sum(axis=1, keepdims=True) / (d - 1)"),
    Mistake(("ddof", "factor-const", None), ("g_centred", "var"), "2 / d * centred", "2 / (d - 1) * centred"),
    Mistake(("missing-branch", "detached-branch"), "g_centred", G_CENTRED, "g_normed * inv_std"),
    Mistake(("missing-branch", "detached-branch"), "g_resid", "g_resid = g_centred - g_centred.mean(axis=1, keepdims=True)", "g_resid = g_centred"),
    Mistake(("sign", None), "g_resid", "g_centred - g_centred.mean", "g_centred + g_centred.mean"),
    Mistake(("bias-wrong-axis", "softmax-wrong-axis", None), "g_resid", "g_centred.mean(axis=1", "g_centred.mean(axis=0"),
    Mistake(("wrong-local-derivative", None), "g_var", "(var + EPS) ** -1.5", "(var + EPS) ** -0.5"),
    Mistake("sign", "g_var", "g_inv_std * -0.5 *", "g_inv_std * 0.5 *"),
    Mistake(("missing-weight-factor", "skipped-layer", "missing-branch"), "g_normed", "g_normed = g_scaled * gain", "g_normed = g_scaled"),
    Mistake(("wrong-tensor-in-weight-gradient", "wrong-tensor-in-delta", None), "g_gain", "(g_scaled * normed).sum", "(g_scaled * centred).sum"),
    Mistake(("missing-weight-factor", "missing-branch", "skipped-layer", None), "g_act", "g_act = g_dropped * mask / KEEP", "g_act = g_dropped"),
    Mistake("factor-const", "g_act", "g_act = g_dropped * mask / KEEP", "g_act = g_dropped * mask"),
    Mistake("wrong-tensor-in-weight-gradient", "g_w_down", "dropped.T @ g_resid", "act.T @ g_resid"),
    Mistake(("derivative-of-another-activation", "wrong-local-derivative"), "g_up", "g_up = g_act * 2 * np.maximum(up, 0)", "g_up = g_act * (up > 0)"),
    Mistake(("wrong-local-derivative", "missing-activation-derivative", "output-form-on-preactivation", "relu-mask-from-wrong-tensor", "missing-branch", None), "g_up", "g_up = g_act * 2 * np.maximum(up, 0)", "g_up = g_act * 2 * up"),
    Mistake("factor-half", "g_up", "g_act * 2 * np.maximum(up, 0)", "g_act * np.maximum(up, 0)"),
    Mistake(("activation-derivative-at-activation", "output-form-on-preactivation"), "g_up", "np.maximum(up, 0)\n    g_w_up", "act\n    g_w_up"),
    Mistake(("factor-K", "factor-const"), ("g_logits", "loss"), "(probs - targets) / targets.size", "(probs - targets) / n"),
    Mistake(("missing-target", "wrong-loss-derivative"), "g_logits", "(probs - targets) / targets.size", "probs / targets.size"),
    Mistake(("reduced-too-early", None), "g_gain", "(g_scaled * normed).sum(axis=0)", "g_scaled.sum(axis=0) * normed.mean(axis=0)"),
]
