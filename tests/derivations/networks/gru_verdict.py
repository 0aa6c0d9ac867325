"""A GRU reads a batch of sequences and gives one verdict at the end: cell and cell_back, weights in a dataclass."""

from dataclasses import dataclass, fields

import numpy as np


@dataclass
class Theta:
    Wz: np.ndarray
    Uz: np.ndarray
    bz: np.ndarray
    Wr: np.ndarray
    Ur: np.ndarray
    br: np.ndarray
    Wc: np.ndarray
    Uc: np.ndarray
    bc: np.ndarray
    v: np.ndarray


def σ(a):
    return 1 / (1 + np.exp(-a))


def cell(θ: Theta, x, h):
    z = σ(x @ θ.Wz + h @ θ.Uz + θ.bz)        # update gate
    r = σ(x @ θ.Wr + h @ θ.Ur + θ.br)        # reset gate
    m = r * h
    c = np.tanh(x @ θ.Wc + m @ θ.Uc + θ.bc)  # candidate
    h_new = (1 - z) * h + z * c
    return h_new, (x, h, z, r, m, c)


def cell_back(θ: Theta, g: Theta, dh_new, cache):
    x, h, z, r, m, c = cache
    dz = dh_new * (c - h)
    dc = dh_new * z
    dh = dh_new * (1 - z)

    # candidate
    dac = dc * (1 - c ** 2)
    g.Wc += x.T @ dac
    g.Uc += m.T @ dac
    g.bc += dac.sum(axis=0)
    dm = dac @ θ.Uc.T
    dh = dh + dm * r
    dr = dm * h

    # reset gate
    dar = dr * r * (1 - r)
    g.Wr += x.T @ dar
    g.Ur += h.T @ dar
    g.br += dar.sum(axis=0)
    dh = dh + dar @ θ.Ur.T

    # update gate
    daz = dz * z * (1 - z)
    g.Wz += x.T @ daz
    g.Uz += h.T @ daz
    g.bz += daz.sum(axis=0)
    dh_prev = dh + daz @ θ.Uz.T
    return dh_prev


def bptt(θ: Theta, X, y):
    """X is (time, batch, features), y is (batch,) of zeros and ones."""
    h = np.zeros((X.shape[1], len(θ.bz)))
    tape = []
    for x in X:
        h, cache = cell(θ, x, h)
        tape.append(cache)
    p = σ(h @ θ.v)
    loss = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))

    g = Theta(**{f.name: np.zeros_like(getattr(θ, f.name)) for f in fields(θ)})
    dlogit = (p - y) / len(y)
    g.v += h.T @ dlogit
    dh = np.outer(dlogit, θ.v)
    for cache in reversed(tape):
        dh = cell_back(θ, g, dh, cache)
    return loss, g


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    T, N, D, H = 4, 3, 2, 3  # as many samples as units: a product of the wrong kind still runs
    gate = lambda: (rng.normal(size=(D, H)), rng.normal(size=(H, H)), rng.normal(size=H))
    return call(user.bptt, user.Theta(*gate(), *gate(), *gate(), rng.normal(size=H)), rng.normal(size=(T, N, D)), np.array([0, 1, 1]), wrt=("θ",))


import numpy as np

RIGHT = [
    Right("    dz = dh_new * (c - h)\n", "    dz = dh_new * c - dh_new * h\n"),
    Right("    dh = dh_new * (1 - z)\n", "    dh = dh_new.copy()\n    dh *= 1 - z\n"),
    Right("    dac = dc * (1 - c ** 2)\n    g.Wc += x.T @ dac\n    g.Uc += m.T @ dac\n", "    dac = dc - dc * c * c\n    g.Wc, g.Uc = g.Wc + (dac.T @ x).T, g.Uc + np.einsum('nm,nc->mc', m, dac)\n"),
    Right("    dlogit = (p - y) / len(y)\n    g.v += h.T @ dlogit\n", "    dlogit = np.where(y == 1, p - 1, p) / len(y)\n    g.v += (h * dlogit[:, None]).sum(axis=0)\n"),
    Right("    daz = dz * z * (1 - z)\n", "    daz = -dz * (z - 1) * z\n"),
    Right("    dlogit = (p - y) / len(y)\n", "    dp = -(y / p - (1 - y) / (1 - p)) / len(y)\n    dlogit = dp * p * (1 - p)\n"),
]

BACK = ("cell_back", "dh")

MISTAKES = [
    Mistake("sign", ("dz", *BACK), "dz = dh_new * (c - h)", "dz = dh_new * (h - c)"),
    Mistake(("wrong-tensor-in-delta", "missing-branch"), ("dz", *BACK), "dz = dh_new * (c - h)", "dz = dh_new * c"),
    Mistake(("wrong-tensor-in-delta", "wrong-local-derivative", "forward-differs", None), ("dc", "dh", "cell_back", "h_new", "cell"), "    dc = dh_new * z\n    dh = dh_new * (1 - z)\n", "    dc = dh_new * (1 - z)\n    dh = dh_new * z\n", fix=False),
    Mistake(("missing-weight-factor", "wrong-tensor-in-delta", None), ("dc", *BACK), "    dc = dh_new * z\n", "    dc = dh_new\n"),
    Mistake("missing-activation-derivative", ("dac", *BACK), "dac = dc * (1 - c ** 2)", "dac = dc"),
    Mistake("wrong-local-derivative", ("dac", *BACK), "(1 - c ** 2)", "(1 - c)"),
    Mistake("derivative-of-another-activation", ("dac", *BACK), "(1 - c ** 2)", "c * (1 - c)"),
    Mistake("activation-derivative-of-wrong-layer", ("dar", *BACK), "dar = dr * r * (1 - r)", "dar = dr * z * (1 - z)"),
    Mistake("activation-derivative-twice", ("daz", *BACK), "daz = dz * z * (1 - z)", "daz = dz * z * (1 - z) * z * (1 - z)"),
    Mistake("wrong-tensor-in-weight-gradient", ("g.Uc", "cell_back"), "g.Uc += m.T @ dac", "g.Uc += h.T @ dac"),
    Mistake("wrong-tensor-in-weight-gradient", ("g.Ur", "cell_back"), "g.Ur += h.T @ dar", "g.Ur += m.T @ dar"),
    Mistake(("missing-branch", "missing-weight-factor"), BACK, "dh = dh + dm * r", "dh = dh + dm"),
    Mistake(("missing-branch", "detached-branch"), (*BACK, "dar"), "    dh = dh + dar @ θ.Ur.T\n", ""),
    Mistake(("missing-branch", "overwritten-not-accumulated"), BACK, "dh = dh + dar @ θ.Ur.T", "dh = dar @ θ.Ur.T"),
    Mistake("weight-not-transposed", ("dh_prev", *BACK), "daz @ θ.Uz.T", "daz @ θ.Uz"),
    Mistake(("wrong-tensor-in-delta", None), ("dm", *BACK), "dac @ θ.Uc.T", "dac @ θ.Ur.T"),
    Mistake("matmul-for-elementwise", ("dr", *BACK), "dr = dm * h", "dr = dm @ h"),
    Mistake(("matmul-for-elementwise", None), ("dar", *BACK), "dar = dr * r * (1 - r)", "dar = dr @ (r * (1 - r))"),
    Mistake("elementwise-after-matmul", ("g.Uc", "cell_back"), "g.Uc += m.T @ dac", "g.Uc += (m.T @ dc) * (1 - c ** 2)"),
    Mistake("bias-wrong-axis", ("g.br", "cell_back"), "g.br += dar.sum(axis=0)", "g.br += dar.sum(axis=1)"),
    Mistake("overwritten-not-accumulated", ("g.Wz", "cell_back"), "g.Wz += x.T @ daz", "g.Wz = x.T @ daz"),
    Mistake(("off-by-one-time", None), ("dh", "cache", "tape"), "in reversed(tape):", "in tape:", fix=False),
    Mistake(("off-by-one-time", "missing-branch"), ("dh", "cache", "reversed(tape)", "cell_back", "g"), "in reversed(tape):", "in reversed(tape[1:]):"),
    Mistake("detached-branch", ("dh", "cell_back", "dh_prev"), "        dh = cell_back(θ, g, dh, cache)\n", "        cell_back(θ, g, dh, cache)\n        dh = np.zeros_like(dh)\n"),
    Mistake(("aliasing", "input-mutated"), ("dh", "cell_back", "dc", "dz"), "    dz = dh_new * (c - h)\n    dc = dh_new * z\n    dh = dh_new * (1 - z)\n", "    dh = dh_new\n    dh *= 1 - z\n    dz = dh_new * (c - h)\n    dc = dh_new * z\n"),
    Mistake("factor-N", ("dlogit", "loss"), "dlogit = (p - y) / len(y)", "dlogit = p - y"),
    Mistake("factor-const", BACK, "dh = cell_back(θ, g, dh, cache)", "dh = 0.9 * cell_back(θ, g, dh, cache)"),
    Mistake("factor-2", ("dlogit", "loss"), "dlogit = (p - y) / len(y)", "dlogit = 2 * (p - y) / len(y)"),
]
