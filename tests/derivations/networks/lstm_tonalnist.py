"""
Тональність відгуків: LSTM на голому numpy, без фреймворків.

Послідовність векторів слів x[t] (пакет N штук) -> LSTM -> середнє прихованих станів -> softmax.
Усі чотири вентилі лежать в одній матриці par['W'], порядок стовпців: вхід, забування, вихід, кандидат.
"""
import numpy as np


def sigma(x):
    return 1.0 / (1.0 + np.exp(-x))


def lstm_krok_i_hradienty(par, x, mitky, lam):
    kilkist_krokiv, N, _ = x.shape
    n = par['V'].shape[0]

    # ---------- прямий прохід ----------
    h = {-1: np.zeros((N, n))}
    c = {-1: np.zeros((N, n))}
    z, vhid, zab, vyh, kand, tc = {}, {}, {}, {}, {}, {}
    for t in range(kilkist_krokiv):
        z[t] = np.concatenate((h[t - 1], x[t]), axis=1)
        a = np.dot(z[t], par['W']) + par['b']
        vhid[t] = sigma(a[:, :n])
        zab[t] = sigma(a[:, n:2 * n])
        vyh[t] = sigma(a[:, 2 * n:3 * n])
        kand[t] = np.tanh(a[:, 3 * n:])
        c[t] = zab[t] * c[t - 1] + vhid[t] * kand[t]
        tc[t] = np.tanh(c[t])
        h[t] = vyh[t] * tc[t]

    ser = sum(h[t] for t in range(kilkist_krokiv)) / kilkist_krokiv
    ocinky = np.dot(ser, par['V']) + par['d']
    e = np.exp(ocinky - ocinky.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    vtraty = -np.mean(np.log(p[range(N), mitky]))
    vtraty += 0.5 * lam * np.sum(par['W'] ** 2)

    # ---------- зворотний прохід ----------
    hrad = {k: np.zeros_like(v) for k, v in par.items()}
    dp = p.copy()
    dp[range(N), mitky] -= 1
    dp /= N
    hrad['V'] = np.dot(ser.T, dp)
    hrad['d'] = dp.sum(axis=0)
    dser = np.dot(dp, par['V'].T)

    dh_dali = np.zeros((N, n))   # те, що приходить із кроку t+1
    dc_dali = np.zeros((N, n))
    for t in reversed(range(kilkist_krokiv)):
        dh = dser / kilkist_krokiv + dh_dali
        dvyh = dh * tc[t]
        dc = dc_dali + dh * vyh[t] * (1 - tc[t] ** 2)
        dvhid = dc * kand[t]
        dkand = dc * vhid[t]
        dzab = dc * c[t - 1]
        dc_dali = dc * zab[t]
        # через нелінійності
        da = np.empty((N, 4 * n))
        da[:, :n] = dvhid * vhid[t] * (1 - vhid[t])
        da[:, n:2 * n] = dzab * zab[t] * (1 - zab[t])
        da[:, 2 * n:3 * n] = dvyh * vyh[t] * (1 - vyh[t])
        da[:, 3 * n:] = dkand * (1 - kand[t] ** 2)
        hrad['W'] += np.dot(z[t].T, da)
        hrad['b'] += da.sum(axis=0)
        dz = np.dot(da, par['W'].T)
        dh_dali = dz[:, :n]
    hrad['W'] += lam * par['W']
    return vtraty, hrad


def navchannia(par, pakety, epoh=10, shvydkist=0.1, lam=1e-4):
    for epoha in range(epoh):
        suma = 0.0
        for x, mitky in pakety:
            vtraty, hrad = lstm_krok_i_hradienty(par, x, mitky, lam)
            suma += vtraty
            for k in par:
                par[k] -= shvydkist * np.clip(hrad[k], -5, 5)
        print('епоха', epoha, 'втрати', suma / len(pakety))


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    T, N, D, n, K = 4, 5, 2, 3, 6
    par = {
        "W": 0.6 * rng.normal(size=(n + D, 4 * n)),
        "b": 0.4 * rng.normal(size=4 * n),
        "V": rng.normal(size=(n, K)),
        "d": 0.3 * rng.normal(size=K),
    }
    x, mitky = rng.normal(size=(T, N, D)), rng.integers(0, K, size=N)
    return call(user.lstm_krok_i_hradienty, par, x, mitky, 0.03, loss="vtraty", gradients={"par": "hrad"})


RIGHT = [
    Right(
        "        da[:, :n] = dvhid * vhid[t] * (1 - vhid[t])\n        da[:, n:2 * n] = dzab * zab[t] * (1 - zab[t])\n        da[:, 2 * n:3 * n] = dvyh * vyh[t] * (1 - vyh[t])\n",
        "        usi = np.hstack((vhid[t], zab[t], vyh[t]))\n        da[:, :3 * n] = np.hstack((dvhid, dzab, dvyh)) * (usi - usi ** 2)\n",
    ),
    Right(
        "    dh_dali = np.zeros((N, n))   # те, що приходить із кроку t+1\n    dc_dali = np.zeros((N, n))\n    for t in reversed(range(kilkist_krokiv)):\n        dh = dser / kilkist_krokiv + dh_dali\n",
        "    dser /= kilkist_krokiv\n    dh_dali, dc_dali = 0, 0\n    for k in range(kilkist_krokiv):\n        t = kilkist_krokiv - 1 - k\n        dh = dh_dali + dser\n",
    ),
    Right("        hrad['W'] += np.dot(z[t].T, da)\n", "        hrad['W'][:n] += np.dot(h[t - 1].T, da)\n        hrad['W'][n:] += np.dot(x[t].T, da)\n"),
    Right("        dz = np.dot(da, par['W'].T)\n        dh_dali = dz[:, :n]\n", "        dh_dali = np.dot(par['W'][:n], da.T).T\n"),
    Right("    hrad = {k: np.zeros_like(v) for k, v in par.items()}\n", "    hrad = {k: np.zeros_like(v) for k, v in par.items()}\n    hrad['W'] = lam * par['W'] - hrad['W']\n    lam = 0\n"),
]

DC = "        dc = dc_dali + dh * vyh[t] * (1 - tc[t] ** 2)\n"
DH = "        dh = dser / kilkist_krokiv + dh_dali\n"
DP = ("dp", "dp[range(N), mitky]")
TIME = ("off-by-one-time", "off-by-one-index", "wrong-tensor-in-delta")

MISTAKES = [
    Mistake(("missing-branch", "detached-branch"), ("dh", "dh_dali"), DH, "        dh = dser / kilkist_krokiv\n"),
    Mistake(("missing-branch", None), "dh", DH, "        dh = dh_dali\n        if t == kilkist_krokiv - 1:\n            dh = dser / kilkist_krokiv\n"),
    Mistake(("factor-const", "wrong-local-derivative", "missing-weight-factor", None), ("dh", "dser", "ser"), DH, "        dh = dser + dh_dali\n"),
    Mistake(("missing-branch", "detached-branch"), ("dc", "dc_dali"), DC, "        dc = dh * vyh[t] * (1 - tc[t] ** 2)\n"),
    Mistake(("activation-derivative-at-activation", "wrong-local-derivative", "wrong-tensor-in-delta", None), "dc", DC, "        dc = dc_dali + dh * vyh[t] * (1 - np.tanh(tc[t]) ** 2)\n"),
    Mistake(("output-form-on-preactivation", "wrong-local-derivative", "wrong-tensor-in-delta"), "dc", DC, "        dc = dc_dali + dh * vyh[t] * (1 - c[t] ** 2)\n"),
    Mistake(("missing-activation-derivative", "wrong-local-derivative"), "dc", DC, "        dc = dc_dali + dh * vyh[t]\n"),
    Mistake(TIME, "dzab", "        dzab = dc * c[t - 1]\n", "        dzab = dc * c[t]\n"),
    Mistake(("missing-weight-factor", "skipped-layer", "missing-branch"), "dc_dali", "        dc_dali = dc * zab[t]\n", "        dc_dali = dc\n"),
    Mistake(TIME, "dc_dali", "        dc_dali = dc * zab[t]\n", "        dc_dali = dc * zab[t - 1] if t else 0\n"),
    Mistake(("wrong-tensor-in-delta", "wrong-local-derivative"), "dvyh", "        dvyh = dh * tc[t]\n", "        dvyh = dh * c[t]\n"),
    Mistake(("wrong-tensor-in-delta", "wrong-local-derivative", None), ("dvhid", "dkand"), "        dvhid = dc * kand[t]\n        dkand = dc * vhid[t]\n", "        dvhid = dc * vhid[t]\n        dkand = dc * kand[t]\n", fix=False),
    Mistake(("derivative-of-another-activation", "wrong-local-derivative"), ("da[:, 3 * n:]", "da"), "        da[:, 3 * n:] = dkand * (1 - kand[t] ** 2)\n", "        da[:, 3 * n:] = dkand * kand[t] * (1 - kand[t])\n"),
    Mistake(("activation-derivative-of-wrong-layer", "wrong-tensor-in-delta", "wrong-local-derivative"), ("da[:, n:2 * n]", "da"), "dzab * zab[t] * (1 - zab[t])\n", "dzab * zab[t] * (1 - vhid[t])\n"),
    Mistake(("forward-differs", "off-by-one-index", "wrong-tensor-in-delta", None), ("da", "vyh[t]", "zab[t]", "da[:, n:2 * n]"), "        zab[t] = sigma(a[:, n:2 * n])\n        vyh[t] = sigma(a[:, 2 * n:3 * n])\n", "        vyh[t] = sigma(a[:, n:2 * n])\n        zab[t] = sigma(a[:, 2 * n:3 * n])\n", fix=False),
    Mistake("overwritten-not-accumulated", ("hrad['b']", "hrad"), "        hrad['b'] += da.sum(axis=0)\n", "        hrad['b'] = da.sum(axis=0)\n"),
    Mistake(("off-by-one-index", "wrong-tensor-in-delta", None), "dh_dali", "        dh_dali = dz[:, :n]\n", "        dh_dali = dz[:, -n:]\n"),
    Mistake(("regulariser-scale", "accumulated-twice"), ("hrad['W']", "hrad"), "        dh_dali = dz[:, :n]\n    hrad['W'] += lam * par['W']\n", "        dh_dali = dz[:, :n]\n        hrad['W'] += lam * par['W']\n"),
    Mistake(("off-by-one-time", "off-by-one-index", "missing-branch", "detached-branch"), ("hrad['W']", "hrad", "dh", "t", "dh_dali"), "    for t in reversed(range(kilkist_krokiv)):\n", "    for t in range(kilkist_krokiv - 1, 0, -1):\n"),
    Mistake(("regulariser-scale", "factor-2"), ("hrad['W']", "hrad", "vtraty"), "    hrad['W'] += lam * par['W']\n", "    hrad['W'] += 2 * lam * par['W']\n"),
    Mistake(("wrong-tensor-in-weight-gradient", "off-by-one-time"), ("hrad['V']", "hrad"), "np.dot(ser.T, dp)", "np.dot(h[t].T, dp)"),
    Mistake(("factor-N", "wrong-loss-derivative"), (*DP, "vtraty", "hrad['V']"), "    dp /= N\n", "    dp = 1.0 * dp\n"),
]
