"""A gated recurrent unit over four steps: a way back per step, in a list of closures; parameters in a tuple."""

import numpy as np


def expit(a):
    return np.exp(a) / (1 + np.exp(a))


def unroll(params, seq, goal):
    Wz, Wr, Wh = params
    n, hidden = seq.shape[1], Wz.shape[1]
    ways_back = []

    def advance(h, x):
        hx = np.column_stack((h, x))
        z = expit(hx @ Wz)
        r = expit(hx @ Wr)
        rx = np.column_stack((r * h, x))
        cand = np.tanh(rx @ Wh)
        h_next = (1 - z) * h + z * cand

        def back(gh_next, total):
            gz = gh_next * (cand - h)
            gcand = gh_next * z
            gh = gh_next * (1 - z)
            gcand_pre = gcand * (1 - cand * cand)
            total[2] += rx.T @ gcand_pre
            grx = gcand_pre @ Wh.T
            gr = grx[:, :hidden] * h
            gh = gh + grx[:, :hidden] * r
            gz_pre = gz * z * (1 - z)
            gr_pre = gr * r * (1 - r)
            total[0] += hx.T @ gz_pre
            total[1] += hx.T @ gr_pre
            ghx = gz_pre @ Wz.T + gr_pre @ Wr.T
            gh = gh + ghx[:, :hidden]
            return gh

        ways_back.append(back)
        return h_next

    h = np.zeros((n, hidden))
    for x in seq:
        h = advance(h, x)
    err = h - goal
    value = np.linalg.norm(err) ** 2 / n

    total = [np.zeros_like(w) for w in params]
    gh = 2 * err / n
    for back in ways_back[::-1]:
        gh = back(gh, total)
    return value, (tuple(total),)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    T, N, D, H = 4, 5, 2, 3
    params = tuple(rng.normal(size=(H + D, H)) for _ in range(3))
    return call(user.unroll, params, rng.normal(size=(T, N, D)), rng.uniform(-0.5, 0.5, size=(N, H)), wrt=("params",))


RIGHT = [
    Right("            gz_pre = gz * z * (1 - z)\n", "            gz_pre = gz * (z - z * z)\n"),
    Right("            gh = gh + ghx[:, :hidden]\n", "            gh += ghx[:, :hidden]\n"),
    Right("np.linalg.norm(err) ** 2 / n", "np.vdot(err, err) / n"),
    Right("            total[0] += hx.T @ gz_pre\n", "            np.add(total[0], hx.T @ gz_pre, out=total[0])\n"),
]

MISTAKES = [
    Mistake("sign", "gz", "gz = gh_next * (cand - h)", "gz = gh_next * (h - cand)"),
    Mistake("missing-branch", "gz", "gz = gh_next * (cand - h)", "gz = gh_next * cand"),
    Mistake(("missing-branch", "detached-branch"), "gh", "            gh = gh + ghx[:, :hidden]\n", ""),
    Mistake(("missing-branch", "detached-branch"), "gh", "            gh = gh + grx[:, :hidden] * r\n", ""),
    Mistake(("overwritten-not-accumulated", "missing-branch"), "gh", "gh = gh + grx[:, :hidden] * r", "gh = grx[:, :hidden] * r"),
    Mistake("overwritten-not-accumulated", "total[1]", "total[1] += hx.T @ gr_pre", "total[1] = hx.T @ gr_pre"),
    Mistake(("wrong-tensor-in-delta", None), "gh", "gh = gh_next * (1 - z)", "gh = gh_next * z"),
    Mistake(("missing-weight-factor", "missing-branch", None), "gr", "gr = grx[:, :hidden] * h\n", "gr = grx[:, :hidden]\n"),
    Mistake("missing-activation-derivative", "gcand_pre", "gcand_pre = gcand * (1 - cand * cand)", "gcand_pre = gcand"),
    Mistake("derivative-of-another-activation", "gcand_pre", "(1 - cand * cand)", "cand * (1 - cand)"),
    Mistake("activation-derivative-of-wrong-layer", "gr_pre", "gr * r * (1 - r)", "gr * z * (1 - z)"),
    Mistake("missing-activation-derivative", "gz_pre", "gz_pre = gz * z * (1 - z)", "gz_pre = gz"),
    Mistake("wrong-tensor-in-weight-gradient", "total[2]", "total[2] += rx.T @", "total[2] += hx.T @"),
    Mistake(("wrong-tensor-in-delta", "off-by-one-index", None), "total[1]", "total[1] += hx.T @ gr_pre", "total[1] += hx.T @ gz_pre"),
    Mistake(("wrong-tensor-in-delta", None), "ghx", "gr_pre @ Wr.T", "gr_pre @ Wz.T"),
    Mistake("off-by-one-index", "gr", "gr = grx[:, :hidden] * h\n", "gr = grx[:, 1:hidden+1] * h\n"),
    Mistake("off-by-one-time", ("gh", "back"), "for back in ways_back[::-1]:", "for back in ways_back[-2::-1]:"),
    Mistake("off-by-one-time", ("gh", "back"), "for back in ways_back[::-1]:", "for back in ways_back:"),
    Mistake("factor-half", ("gh", "value"), "gh = 2 * err / n", "gh = err / n"),
    Mistake("aliasing", "total", "total = [np.zeros_like(w) for w in params]", "total = [np.zeros_like(Wz)] * 3", fix=False),
]
