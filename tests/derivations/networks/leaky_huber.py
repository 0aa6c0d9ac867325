"""Leaky ReLU, Huber loss, L2 on the weights, two heads of which one is compared with integer targets."""

import numpy as np

SLOPE, DELTA, LAMBDA = 0.2, 0.7, 0.03


def leaky(v):
    return np.where(v > 0, v, SLOPE * v)


def huber(r):
    small = np.abs(r) <= DELTA
    return np.where(small, r**2 / 2, DELTA * (np.abs(r) - DELTA / 2))


def forward_pass(data, p):
    v1 = data["x"] @ p["K"] + p["kb"]
    s1 = leaky(v1)
    left = s1 @ p["L"]
    right = s1 @ p["R"]
    return v1, s1, left, right


def objective(p, data):
    v1, s1, left, right = forward_pass(data, p)
    n = len(data["x"])
    e1 = left - data["y"]
    e2 = right - data["count"]
    penalty = LAMBDA * sum(np.sum(p[k] ** 2) for k in ("K", "L", "R"))
    return (huber(e1).sum() + 0.5 * (e2**2).sum()) / n + penalty


def gradient(p, data):
    """By hand."""
    v1, s1, left, right = forward_pass(data, p)
    n = len(data["x"])
    e1 = left - data["y"]
    e2 = right - data["count"]
    g = {}

    d_left = np.clip(e1, -DELTA, DELTA)
    d_right = e2
    g["L"] = s1.T @ d_left / n + 2 * LAMBDA * p["L"]
    g["R"] = s1.T @ d_right / n + 2 * LAMBDA * p["R"]

    d_s1 = d_left @ p["L"].T
    d_s1 = d_s1 + d_right @ p["R"].T
    slope = np.ones_like(v1)
    slope[v1 < 0] = SLOPE
    d_v1 = d_s1 * slope
    g["kb"] = d_v1.sum(axis=0) / n
    g["K"] = data["x"].T @ d_v1 / n + 2 * LAMBDA * p["K"]
    return (g,)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    N, I, H, A, B = 11, 3, 7, 2, 5
    p = {"K": rng.normal(size=(I, H)), "kb": rng.normal(size=H), "L": rng.normal(size=(H, A)), "R": rng.normal(size=(H, B))}
    data = {"x": rng.normal(size=(N, I)), "y": rng.normal(size=(N, A)), "count": rng.integers(0, 4, size=(N, B))}
    return call(user.objective, p, data, by_hand=user.gradient, wrt=("p",))


RIGHT = [
    Right("d_left = np.clip(e1, -DELTA, DELTA)", "d_left = np.where(np.abs(e1) < DELTA, e1, DELTA * np.sign(e1))"),
    Right("d_left = np.clip(e1, -DELTA, DELTA)", "d_left = e1 * np.minimum(1, DELTA / np.abs(e1))"),
    Right("    slope = np.ones_like(v1)\n    slope[v1 < 0] = SLOPE\n", "    slope = SLOPE + (1 - SLOPE) * (s1 >= 0)\n"),
    Right('    d_s1 = d_s1 + d_right @ p["R"].T\n', '    d_s1 += d_right @ p["R"].T\n'),
    Right("np.where(v > 0, v, SLOPE * v)", "np.maximum(v, SLOPE * v)"),
]

MISTAKES = [
    Mistake(("wrong-loss-derivative", None), "d_left", "d_left = np.clip(e1, -DELTA, DELTA)", "d_left = e1"),
    Mistake("wrong-loss-derivative", "d_left", "d_left = np.clip(e1, -DELTA, DELTA)", "d_left = np.sign(e1)"),
    Mistake(("wrong-loss-derivative", "factor-const", None), "d_left", "np.clip(e1, -DELTA, DELTA)", "np.clip(e1, -1, 1)"),
    Mistake("sign", "d_right", "d_right = e2", "d_right = -e2"),
    Mistake("factor-2", "d_right", "d_right = e2", "d_right = 2 * e2"),
    Mistake("missing-target", ("e2", "d_right"), 'right - data["count"]\n    g = {}', "right\n    g = {}"),
    Mistake("missing-branch", "d_s1", '    d_s1 = d_s1 + d_right @ p["R"].T\n', ""),
    Mistake(("overwritten-not-accumulated", "missing-branch"), "d_s1", 'd_s1 = d_s1 + d_right @ p["R"].T', 'd_s1 = d_right @ p["R"].T'),
    Mistake(("relu-mask-inverted", "wrong-local-derivative"), ("slope", "slope[v1 > 0]"), "slope[v1 < 0] = SLOPE", "slope[v1 > 0] = SLOPE"),
    Mistake("relu-mask-from-wrong-tensor", ("slope", "slope[d_s1 < 0]"), "slope[v1 < 0] = SLOPE", "slope[d_s1 < 0] = SLOPE"),
    Mistake(("wrong-local-derivative", "derivative-of-another-activation"), ("slope", "slope[v1 < 0]", "d_v1"), "slope[v1 < 0] = SLOPE", "slope[v1 < 0] = 0"),
    Mistake("missing-activation-derivative", "d_v1", "d_v1 = d_s1 * slope", "d_v1 = d_s1"),
    Mistake("regulariser-scale", "g['L']", '/ n + 2 * LAMBDA * p["L"]', '/ n + LAMBDA * p["L"]'),
    Mistake("regulariser-scale", "g['R']", 's1.T @ d_right / n + 2 * LAMBDA * p["R"]', '(s1.T @ d_right + 2 * LAMBDA * p["R"]) / n'),
    Mistake("regulariser-forgotten", "g['K']", '/ n + 2 * LAMBDA * p["K"]', "/ n"),
    Mistake("regulariser-on-wrong-parameter", "g['kb']", "d_v1.sum(axis=0) / n", 'd_v1.sum(axis=0) / n + 2 * LAMBDA * p["kb"]'),
    Mistake("factor-N", "g['kb']", "d_v1.sum(axis=0) / n", "d_v1.sum(axis=0)"),
    Mistake(("bias-wrong-axis", "factor-const", None), "g['kb']", "d_v1.sum(axis=0) / n", "d_v1.sum() / n"),
    Mistake(("forward-differs", "stale-forward-values", None), ("data", "v1", "(v1, s1, left, right)", "s1", "e1", "g['L']"), '    """By hand."""\n', '    """By hand."""\n    data = {**data, "x": data["x"] - data["x"].mean(axis=0)}\n', fix=False),
    Mistake("integer-dtype", "d_right", "d_right = e2", 'd_right = e2.astype(data["count"].dtype)'),
    Mistake(("integer-dtype", "forward-differs"), "e2", 'right - data["count"]\n    g = {}', 'right.astype(int) - data["count"]\n    g = {}'),
]
