"""POS tagger for one sentence: an Elman network from left to right, another from right to left, both seen by a softmax.

State T of either direction is the zero state, so that h_right[t - 1] works at t = 0 as well.
"""

import numpy as np


def sentence_loss(words, tags, U_right, V_right, c_right, U_left, V_left, c_left, Y, c_out):
    T, H = len(words), len(c_right)

    # ---------------------------------------------------------------- forward
    h_right = np.zeros((T + 1, H))
    for t in range(T):
        h_right[t] = np.tanh(words[t] @ U_right + h_right[t - 1] @ V_right + c_right)
    h_left = np.zeros((T + 1, H))
    for t in reversed(range(T)):
        h_left[t] = np.tanh(words[t] @ U_left + h_left[t + 1] @ V_left + c_left)
    both = np.hstack([h_right[:T], h_left[:T]])
    logits = both @ Y + c_out
    logits = logits - logits.max(axis=1, keepdims=True)
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    loss = -sum(log_p[t, tags[t]] for t in range(T)) / T

    # --------------------------------------------------------------- backward
    g_logits = np.exp(log_p)
    for t in range(T):
        g_logits[t, tags[t]] -= 1
    g_logits = g_logits / T
    g_Y = both.T @ g_logits
    g_c_out = g_logits.sum(axis=0)
    g_both = g_logits @ Y.T
    g_h_right, g_h_left = g_both[:, :H], g_both[:, H:]

    g_U_right, g_V_right, g_c_right = np.zeros_like(U_right), np.zeros_like(V_right), np.zeros_like(c_right)
    carry = np.zeros(H)
    for t in reversed(range(T)):
        g_pre = (g_h_right[t] + carry) * (1 - h_right[t] ** 2)
        g_U_right += np.outer(words[t], g_pre)
        g_V_right += np.outer(h_right[t - 1], g_pre)
        g_c_right += g_pre
        carry = V_right @ g_pre

    g_U_left, g_V_left, g_c_left = np.zeros_like(U_left), np.zeros_like(V_left), np.zeros_like(c_left)
    carry_left = np.zeros(H)
    for t in range(T):
        g_act = (g_h_left[t] + carry_left) * (1 - h_left[t] ** 2)
        g_U_left += np.outer(words[t], g_act)
        g_V_left += np.outer(h_left[t + 1], g_act)
        g_c_left += g_act
        carry_left = V_left @ g_act

    return loss, {
        "U_right": g_U_right, "V_right": g_V_right, "c_right": g_c_right,
        "U_left": g_U_left, "V_left": g_V_left, "c_left": g_c_left,
        "Y": g_Y, "c_out": g_c_out,
    }


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    T, D, H, K = 5, 3, 4, 6
    words, tags = rng.normal(size=(T, D)), rng.integers(0, K, size=T)
    one = lambda: (0.7 * rng.normal(size=(D, H)), 0.7 * rng.normal(size=(H, H)), 0.5 * rng.normal(size=H))
    return call(user.sentence_loss, words, tags, *one(), *one(), rng.normal(size=(2 * H, K)), rng.normal(size=K))


RIGHT = [
    Right("    g_h_right, g_h_left = g_both[:, :H], g_both[:, H:]\n", "    g_h_right, g_h_left = np.split(g_both, 2, axis=1)\n"),
    Right(
        "        g_pre = (g_h_right[t] + carry) * (1 - h_right[t] ** 2)\n        g_U_right += np.outer(words[t], g_pre)\n        g_V_right += np.outer(h_right[t - 1], g_pre)\n        g_c_right += g_pre\n        carry = V_right @ g_pre\n",
        "        g_h_right[t] += carry\n        g_pre = g_h_right[t] - g_h_right[t] * h_right[t] * h_right[t]\n        g_U_right += words[t][:, None] * g_pre\n        if t > 0:\n            g_V_right += h_right[t - 1][:, None] * g_pre\n        g_c_right += g_pre\n        carry = g_pre @ V_right.T\n",
    ),
    Right("        g_U_left += np.outer(words[t], g_act)\n        g_V_left += np.outer(h_left[t + 1], g_act)\n", "        g_U_left -= np.outer(-words[t], g_act)\n        g_V_left = g_V_left + np.outer(g_act, h_left[t + 1]).T\n"),
    Right("    g_logits = np.exp(log_p)\n    for t in range(T):\n        g_logits[t, tags[t]] -= 1\n    g_logits = g_logits / T\n", "    g_logits = (np.exp(log_p) - np.eye(len(c_out))[tags]) / T\n"),
]

PRE = "        g_pre = (g_h_right[t] + carry) * (1 - h_right[t] ** 2)\n"
ACT = "        g_act = (g_h_left[t] + carry_left) * (1 - h_left[t] ** 2)\n"
LOGITS = ("g_logits", "g_logits[t, tags[t]]")

MISTAKES = [
    Mistake(("off-by-one-time", "wrong-tensor-in-weight-gradient", "off-by-one-index"), "g_V_right", "np.outer(h_right[t - 1], g_pre)", "np.outer(h_right[t], g_pre)"),
    Mistake(("off-by-one-time", "wrong-tensor-in-weight-gradient", "off-by-one-index"), "g_V_left", "np.outer(h_left[t + 1], g_act)", "np.outer(h_left[t - 1], g_act)"),
    Mistake(("missing-branch", "detached-branch"), ("g_pre", "carry"), PRE, "        g_pre = g_h_right[t] * (1 - h_right[t] ** 2)\n"),
    Mistake(("missing-branch", "overwritten-not-accumulated", "detached-branch", None), "g_act", ACT, "        g_act = (carry_left if t else g_h_left[t]) * (1 - h_left[t] ** 2)\n"),
    Mistake(("missing-activation-derivative", "missing-branch", None), "g_act", ACT, "        g_act = g_h_left[t] * (1 - h_left[t] ** 2) + carry_left\n"),
    Mistake("missing-activation-derivative", "g_pre", PRE, "        g_pre = g_h_right[t] + carry\n"),
    Mistake(("off-by-one-time", "activation-derivative-of-wrong-layer", "off-by-one-index", "wrong-tensor-in-delta"), "g_pre", PRE, "        g_pre = (g_h_right[t] + carry) * (1 - h_right[t - 1] ** 2)\n"),
    Mistake(("wrong-local-derivative", None), "g_act", ACT, "        g_act = (g_h_left[t] + carry_left) * (1 - h_left[t])\n"),
    Mistake(("wrong-tensor-in-delta", "activation-derivative-of-wrong-layer"), "g_act", ACT, "        g_act = (g_h_left[t] + carry_left) * (1 - h_right[t] ** 2)\n"),
    Mistake("weight-not-transposed", "carry", "        carry = V_right @ g_pre\n", "        carry = g_pre @ V_right\n"),
    Mistake(("wrong-tensor-in-delta", "missing-weight-factor", None), "carry_left", "        carry_left = V_left @ g_act\n", "        carry_left = V_right @ g_act\n"),
    Mistake(("missing-weight-factor", "skipped-layer"), "carry", "        carry = V_right @ g_pre\n", "        carry = g_pre\n"),
    Mistake(("gradient-transposed", None), "g_V_right", "np.outer(h_right[t - 1], g_pre)", "np.outer(g_pre, h_right[t - 1])"),
    Mistake("overwritten-not-accumulated", "g_U_left", "        g_U_left += np.outer(words[t], g_act)\n", "        g_U_left = np.outer(words[t], g_act)\n"),
    Mistake(("accumulated-twice", None), ("carry", "g_pre"), "        carry = V_right @ g_pre\n", "        carry += V_right @ g_pre\n"),
    Mistake(("off-by-one-index", "wrong-tensor-in-delta", None), ("g_h_right", "g_h_left", "(g_h_right, g_h_left)"), "    g_h_right, g_h_left = g_both[:, :H], g_both[:, H:]\n", "    g_h_left, g_h_right = g_both[:, :H], g_both[:, H:]\n"),
    Mistake(("off-by-one-time", "off-by-one-index", "missing-branch", None), ("g_act", "carry_left"), "    for t in range(T):\n        g_act", "    for t in reversed(range(T)):\n        g_act", fix=False),
    Mistake(("aliasing", "wrong-tensor-in-weight-gradient", "accumulated-twice", "input-mutated", "off-by-one-index", None), ("g_c_left", "g_c_right", "return", "(g_U_left, g_V_left, g_c_left)"), "np.zeros_like(U_left), np.zeros_like(V_left), np.zeros_like(c_left)", "np.zeros_like(U_left), np.zeros_like(V_left), g_c_right"),
    Mistake(("missing-target", "wrong-loss-derivative", None), LOGITS, "    for t in range(T):\n        g_logits[t, tags[t]] -= 1\n", "", fix=False),
    Mistake(("factor-const", "factor-N", None), ("g_logits", "loss", "g_Y"), "    g_logits = g_logits / T\n", "", fix=False),
    Mistake(("bias-wrong-axis", "wrong-shape"), "g_c_out", "g_c_out = g_logits.sum(axis=0)", "g_c_out = g_logits.sum(axis=1)"),
]
