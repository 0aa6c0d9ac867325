"""Prognos för fjärrvärmelast: LSTM-kodare över historiken, samma cell som avkodare med teacher forcing.

Tre kvantiler per timme (pinball-förlust). Vikterna Wf, Wi, Wo, Wg verkar på [h, x], där x = [last, väder].
    historik  (T, B)      last bakåt i tiden, normerad
    framtid   (S, B)      facit
    väder     (T + S, B, V)
"""

import numpy as np

KVANTILER = np.array([0.1, 0.5, 0.9])


def sigm(a):
    return 1.0 / (1.0 + np.exp(-a))


class Lastprognos:
    def __init__(self, dolda, vader, rng):
        n = dolda + 1 + vader
        for grind in "fiog":
            setattr(self, "W" + grind, rng.normal(0, 0.5, (n, dolda)))
            setattr(self, "b" + grind, rng.normal(0, 0.3, dolda))
        self.V = rng.normal(0, 0.7, (dolda, len(KVANTILER)))
        self.v = rng.normal(0, 0.3, len(KVANTILER))
        self.dolda = dolda

    def cell(self, x, h, c):
        u = np.concatenate([h, x], axis=1)
        f = sigm(u @ self.Wf + self.bf)
        i = sigm(u @ self.Wi + self.bi)
        o = sigm(u @ self.Wo + self.bo)
        g = np.tanh(u @ self.Wg + self.bg)
        c_ny = f * c + i * g
        h_ny = o * np.tanh(c_ny)
        return h_ny, c_ny, (u, f, i, o, g, c, c_ny)

    def cell_bak(self, dh, dc, minne):
        u, f, i, o, g, c_forra, c_ny = minne
        th = np.tanh(c_ny)
        do = dh * th
        dc = dc + dh * o * (1 - th**2)
        df, di, dg = dc * c_forra, dc * g, dc * i
        daf = df * f * (1 - f)
        dai = di * i * (1 - i)
        dao = do * o * (1 - o)
        dag = dg * (1 - g**2)
        self.dWf += u.T @ daf
        self.dWi += u.T @ dai
        self.dWo += u.T @ dao
        self.dWg += u.T @ dag
        self.dbf += daf.sum(axis=0)
        self.dbi += dai.sum(axis=0)
        self.dbo += dao.sum(axis=0)
        self.dbg += dag.sum(axis=0)
        du = daf @ self.Wf.T + dai @ self.Wi.T + dao @ self.Wo.T + dag @ self.Wg.T
        return du[:, : self.dolda], dc * f

    def nollstall(self):
        for namn in ("Wf", "Wi", "Wo", "Wg", "bf", "bi", "bo", "bg", "V", "v"):
            setattr(self, "d" + namn, np.zeros_like(getattr(self, namn)))

    def traningssteg(self, historik, framtid, vader):
        T, B = historik.shape
        S = len(framtid)
        h, c = np.zeros((B, self.dolda)), np.zeros((B, self.dolda))
        minnen, tillstand = [], []

        # kodare
        for t in range(T):
            x = np.column_stack([historik[t], vader[t]])
            h, c, minne = self.cell(x, h, c)
            minnen.append(minne)

        # avkodare: facit från timmen innan som indata
        kostnad = 0.0
        fel = np.zeros((S, B, len(KVANTILER)))
        for s in range(S):
            forra = historik[-1] if s == 0 else framtid[s - 1]
            x = np.column_stack([forra, vader[T + s]])
            h, c, minne = self.cell(x, h, c)
            minnen.append(minne)
            tillstand.append(h)
            fel[s] = framtid[s][:, None] - (h @ self.V + self.v)
            kostnad += np.sum(np.maximum(KVANTILER * fel[s], (KVANTILER - 1) * fel[s]))
        kostnad /= S * B

        # bakåt genom avkodaren
        self.nollstall()
        dh, dc = np.zeros((B, self.dolda)), np.zeros((B, self.dolda))
        for s in reversed(range(S)):
            dy = np.where(fel[s] > 0, -KVANTILER, 1 - KVANTILER) / (S * B)
            self.dV += tillstand[s].T @ dy
            self.dv += dy.sum(axis=0)
            dh = dh + dy @ self.V.T
            dh, dc = self.cell_bak(dh, dc, minnen[T + s])

        # ... och kodaren
        for t in reversed(range(T)):
            dh, dc = self.cell_bak(dh, dc, minnen[t])
        return kostnad


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    T, S, B, V = 4, 3, 5, 2
    modell = user.Lastprognos(6, V, rng)
    data = rng.normal(size=(T, B)), rng.normal(size=(S, B)), rng.normal(size=(T + S, B, V))
    names = ("Wf", "Wi", "Wo", "Wg", "bf", "bi", "bo", "bg", "V", "v")
    return call(modell.traningssteg, *data, loss="kostnad", gradients={f"self.{k}": f"self.d{k}" for k in names})


RIGHT = [
    Right("            dy = np.where(fel[s] > 0, -KVANTILER, 1 - KVANTILER) / (S * B)\n", "            dy = ((fel[s] < 0) - KVANTILER) / (S * B)\n"),
    Right(
        "        df, di, dg = dc * c_forra, dc * g, dc * i\n        daf = df * f * (1 - f)\n        dai = di * i * (1 - i)\n",
        "        df = (c_ny - i * g) * dc  # f * c_forra = c_ny - i * g\n        dg = dc * i\n        daf = df * (1 - f)\n        dai = dg * g * (1 - i)\n",
    ),
    Right(
        "        for t in reversed(range(T)):\n            dh, dc = self.cell_bak(dh, dc, minnen[t])\n",
        "        minnen = minnen[:T]\n        while minnen:\n            dh, dc = self.cell_bak(dh, dc, minnen.pop())\n",
    ),
    Right(
        "        du = daf @ self.Wf.T + dai @ self.Wi.T + dao @ self.Wo.T + dag @ self.Wg.T\n        return du[:, : self.dolda], dc * f\n",
        "        n = self.dolda\n        dh_forra = sum(d @ W[:n].T for d, W in [(daf, self.Wf), (dai, self.Wi), (dao, self.Wo), (dag, self.Wg)])\n        return dh_forra, f * dc\n",
    ),
    Right(
        "            self.dV += tillstand[s].T @ dy\n            self.dv += dy.sum(axis=0)\n            dh = dh + dy @ self.V.T\n",
        "            self.dV -= np.einsum(\"bd,bk->dk\", tillstand[s], -dy)\n            self.dv += np.ones(B) @ dy\n            dh += (self.V @ dy.T).T\n",
    ),
]

GATES = ("df", "(df, di, dg)")
BACK = ("return", "cell_bak", "dh", "dc", "(dh, dc)")
DC = "        dc = dc + dh * o * (1 - th**2)\n"
DY = "            dy = np.where(fel[s] > 0, -KVANTILER, 1 - KVANTILER) / (S * B)\n"

MISTAKES = [
    Mistake(("missing-branch", "overwritten-not-accumulated", "detached-branch"), "dc", DC, "        dc = dh * o * (1 - th**2)\n"),
    Mistake(("missing-activation-derivative", "wrong-local-derivative"), "dc", DC, "        dc = dc + dh * o\n"),
    Mistake(("output-form-on-preactivation", "wrong-local-derivative"), "dc", DC, "        dc = dc + dh * o * (1 - c_ny**2)\n"),
    Mistake(("off-by-one-time", "wrong-tensor-in-delta", "stale-forward-values", "activation-derivative-of-wrong-layer"), ("th", "do"), "        th = np.tanh(c_ny)\n", "        th = np.tanh(c_forra)\n"),
    Mistake(("off-by-one-time", "wrong-tensor-in-delta"), GATES, "dc * c_forra, dc * g, dc * i", "dc * c_ny, dc * g, dc * i"),
    Mistake(("wrong-tensor-in-delta", None), ("di", "dg", "(df, di, dg)"), "dc * c_forra, dc * g, dc * i", "dc * c_forra, dc * i, dc * g", fix=True),
    Mistake("missing-activation-derivative", "dai", "        dai = di * i * (1 - i)\n", "        dai = di\n"),
    Mistake(("wrong-local-derivative", None), "daf", "daf = df * f * (1 - f)", "daf = df * f * (1 - f**2)"),
    Mistake(("derivative-of-another-activation", "wrong-local-derivative"), "dag", "dag = dg * (1 - g**2)", "dag = dg * g * (1 - g)"),
    Mistake(("activation-derivative-of-wrong-layer", "wrong-tensor-in-delta"), "dao", "dao = do * o * (1 - o)", "dao = do * i * (1 - i)"),
    Mistake("overwritten-not-accumulated", "self.dWo", "self.dWo += u.T @ dao", "self.dWo = u.T @ dao"),
    Mistake(("wrong-tensor-in-weight-gradient", "wrong-tensor-in-delta"), "self.dbi", "self.dbi += dai.sum(axis=0)", "self.dbi += daf.sum(axis=0)"),
    Mistake(("missing-branch", "detached-branch"), "du", " + dao @ self.Wo.T + dag @ self.Wg.T", " + dag @ self.Wg.T"),
    Mistake(("wrong-tensor-in-delta", "missing-weight-factor"), "du", "dai @ self.Wi.T", "dai @ self.Wf.T"),
    Mistake(("missing-weight-factor", "wrong-local-derivative", "skipped-layer", "missing-branch"), BACK, "dolda], dc * f\n", "dolda], dc\n"),
    Mistake(("off-by-one-index", "wrong-tensor-in-delta", None), BACK, "du[:, : self.dolda]", "du[:, -self.dolda :]"),
    Mistake(("wrong-tensor-in-weight-gradient", "off-by-one-time", "stale-forward-values"), "self.dV", "self.dV += tillstand[s].T @ dy", "self.dV += h.T @ dy"),
    Mistake(("sign", "wrong-loss-derivative"), "dy", DY, DY.replace("-KVANTILER, 1 - KVANTILER", "KVANTILER, KVANTILER - 1")),
    Mistake(("wrong-loss-derivative", "relu-mask-inverted", None), "dy", DY, DY.replace("fel[s] > 0", "fel[s] < 0")),
    Mistake(("factor-const", "factor-N"), ("dy", "kostnad"), DY, DY.replace("(S * B)", "B")),
    Mistake(("missing-branch", "overwritten-not-accumulated", "detached-branch"), "dh", "            dh = dh + dy @ self.V.T\n", "            dh = dy @ self.V.T\n"),
    Mistake(("off-by-one-time", "off-by-one-index", "stale-forward-values"), ("(dh, dc)", "dh", "dc"), "minnen[T + s])", "minnen[T + s - 1])"),
    Mistake(("missing-branch", "detached-branch", "skipped-layer", None), ("dc", "dh", "(dh, dc)"), "        # ... och kodaren\n", "        # ... och kodaren, som bara matar in h\n        dc = np.zeros_like(dc)\n"),
]
