"""推薦システム演習：暗黙的フィードバックの BPR。

利用者ベクトル = 本人の p_u + 過去に見た作品の y_j の平均（SVD++ 風）。作品ベクトル q は射影 M を通してから比べる。
三つ組 (u, 見た作品 i, 見ていない作品 j) について -log σ(s_ui - s_uj) を最小化する。
"""

import numpy as np

正則化 = 0.04


def シグモイド(x):
    return 1.0 / (1.0 + np.exp(-x))


def 履歴行列(履歴, 作品数):
    """行 u は、u が見た作品のところが 1/件数"""
    R = np.zeros((len(履歴), 作品数))
    for u, 作品 in enumerate(履歴):
        R[u, 作品] = 1 / len(作品)
    return R


def bpr損失と勾配(P, Y, Q, M, b, 履歴, 三つ組):
    """P:(利用者,次元)  Y:(作品,次元)  Q:(作品,特徴)  M:(特徴,次元)  b:(作品,)"""
    u, i, j = 三つ組.T
    件数 = len(u)
    R = 履歴行列(履歴, len(b))

    # 順方向
    U = P + R @ Y
    V = Q @ M
    Uu, Vi, Vj = U[u], V[i], V[j]
    差 = b[i] - b[j] + np.sum(Uu * (Vi - Vj), axis=1)
    損失 = np.mean(np.logaddexp(0, -差))
    損失 += 正則化 / 2 * (np.sum(P**2) + np.sum(Y**2) + np.sum(Q**2))
    損失 += 正則化 * np.sum(b**2)

    # 逆方向
    g差 = -シグモイド(-差) / 件数
    gb = np.zeros_like(b)
    np.add.at(gb, i, g差)
    np.add.at(gb, j, -g差)
    gU = np.zeros_like(U)
    np.add.at(gU, u, g差[:, None] * (Vi - Vj))
    gV = np.zeros_like(V)
    np.add.at(gV, i, g差[:, None] * Uu)
    np.add.at(gV, j, -g差[:, None] * Uu)
    gP = gU + 正則化 * P
    gY = R.T @ gU + 正則化 * Y
    gQ = gV @ M.T + 正則化 * Q
    gM = Q.T @ gV
    gb += 2 * 正則化 * b
    return 損失, (gP, gY, gQ, gM, gb)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    人, 作品, 次元, 特徴 = 5, 8, 3, 4
    履歴 = [np.sort(rng.permutation(作品)[: 2 + n % 3]) for n in range(人)]
    三つ組 = []
    for n in range(13):
        u = n % 人
        見ていない = np.setdiff1d(np.arange(作品), 履歴[u])
        三つ組.append((u, 履歴[u][n % len(履歴[u])], rng.choice(見ていない)))
    weights = [0.8 * rng.normal(size=shape) for shape in [(人, 次元), (作品, 次元), (作品, 特徴), (特徴, 次元), 作品]]
    return call(user.bpr損失と勾配, *weights, 履歴, np.array(三つ組), wrt=("P", "Y", "Q", "M", "b"))


RIGHT = [
    Right(
        "    np.add.at(gb, i, g差)\n    np.add.at(gb, j, -g差)\n",
        "    for k in range(件数):\n        gb[i[k]] += g差[k]\n        gb[j[k]] -= g差[k]\n",
    ),
    Right(
        "    gV = np.zeros_like(V)\n    np.add.at(gV, i, g差[:, None] * Uu)\n    np.add.at(gV, j, -g差[:, None] * Uu)\n",
        "    # one-hot の差を行列にして一度に\n    E = np.eye(len(b))\n    gV = (E[i] - E[j]).T @ np.diag(g差) @ Uu\n",
    ),
    Right("    g差 = -シグモイド(-差) / 件数\n", "    g差 = (シグモイド(差) - 1) / 件数\n"),
    Right(
        "    gY = R.T @ gU + 正則化 * Y\n",
        "    gY = 正則化 * Y\n    for 人, 作品 in enumerate(履歴):\n        gY[作品] += gU[人] / len(作品)\n",
    ),
    Right(
        "    g差 = -シグモイド(-差) / 件数\n    gb = np.zeros_like(b)\n    np.add.at(gb, i, g差)\n    np.add.at(gb, j, -g差)\n    gU = np.zeros_like(U)\n    np.add.at(gU, u, g差[:, None] * (Vi - Vj))\n",
        "    g差 = 1 / (1 + np.exp(差)) / 件数  # 上る向き\n    gb = np.bincount(j, g差, len(b)) - np.bincount(i, g差, len(b))\n    gU = np.zeros_like(U)\n    np.subtract.at(gU, u, g差[:, None] * (Vi - Vj))\n    g差 = -g差\n",
    ),
]

GD = "    g差 = -シグモイド(-差) / 件数\n"
POS = "    np.add.at(gV, i, g差[:, None] * Uu)\n"
NEG = "    np.add.at(gV, j, -g差[:, None] * Uu)\n"
USER = "    np.add.at(gU, u, g差[:, None] * (Vi - Vj))\n"
PENALTY = "    損失 += 正則化 * np.sum(b**2)\n"

MISTAKES = [
    Mistake(("sign", "wrong-loss-derivative"), "g差", GD, "    g差 = シグモイド(-差) / 件数\n"),
    Mistake(("wrong-loss-derivative", "sign", None), "g差", GD, "    g差 = -シグモイド(差) / 件数\n"),
    Mistake(("factor-N", "wrong-loss-derivative"), "g差", GD, "    g差 = -シグモイド(-差)\n"),
    Mistake(("activation-derivative-twice", "wrong-loss-derivative", None), "g差", GD, "    g差 = -シグモイド(-差) * シグモイド(差) / 件数\n"),
    Mistake(("missing-activation-derivative", "wrong-loss-derivative"), "g差", GD, "    g差 = -np.ones_like(差) / 件数\n"),
    Mistake("overwritten-not-accumulated", ("gU", "gU[u]"), USER, "    gU[u] += g差[:, None] * (Vi - Vj)\n"),
    Mistake("overwritten-not-accumulated", ("gV", "gV[i]"), POS, "    gV[i] += g差[:, None] * Uu\n"),
    Mistake(("overwritten-not-accumulated", None), ("gb", "gb[j]"), "    np.add.at(gb, j, -g差)\n", "    gb[j] = -g差\n"),
    Mistake(("missing-branch", "detached-branch"), "gV", NEG, "", fix=False),
    Mistake(("sign", None), ("gV", "np.add.at(gV, j, g差[:, None] * Uu)"), NEG, "    np.add.at(gV, j, g差[:, None] * Uu)\n"),
    Mistake(("off-by-one-index", "wrong-tensor-in-delta", "accumulated-twice", None), "gV", NEG, "    np.add.at(gV, i, -g差[:, None] * Uu)\n"),
    Mistake(("wrong-tensor-in-delta", "missing-branch", None), "gU", USER, "    np.add.at(gU, u, g差[:, None] * Vi)\n"),
    Mistake(("wrong-tensor-in-delta", "missing-branch", "stale-forward-values", None), "gV", POS, "    np.add.at(gV, i, g差[:, None] * P[u])\n"),
    Mistake(("aliasing", "input-mutated", "accumulated-twice"), ("gP", "gY", "gU"), "    gP = gU + 正則化 * P\n", "    gP = gU\n    gP += 正則化 * P\n"),
    Mistake(("missing-weight-factor", "wrong-tensor-in-delta", "factor-const", None), "gY", "gY = R.T @ gU + 正則化 * Y", "gY = (R > 0).T @ gU + 正則化 * Y"),
    Mistake(("missing-branch", "detached-branch"), "gY", "gY = R.T @ gU + 正則化 * Y", "gY = 正則化 * Y"),
    Mistake(("regulariser-on-wrong-parameter", None), "gP", "gP = gU + 正則化 * P", "gP = gU + 正則化 * U"),
    Mistake("regulariser-forgotten", "gQ", "gQ = gV @ M.T + 正則化 * Q", "gQ = gV @ M.T"),
    Mistake("regulariser-on-wrong-parameter", "gM", "gM = Q.T @ gV", "gM = Q.T @ gV + 正則化 * M"),
    Mistake("regulariser-scale", ("gb", "損失"), PENALTY, "    損失 += 正則化 / 2 * np.sum(b**2)\n"),
    Mistake(("regulariser-scale", "sign"), "gb", "    gb += 2 * 正則化 * b\n", "    gb -= 2 * 正則化 * b\n"),
    Mistake(("updated-weights", "input-mutated"), ("M", "gQ", "gM"), "    gQ = gV @ M.T + 正則化 * Q\n    gM = Q.T @ gV\n", "    gM = Q.T @ gV\n    M = M - 0.1 * gM\n    gQ = gV @ M.T + 正則化 * Q\n"),
    Mistake(("updated-weights", "wrong-tensor-in-weight-gradient", "stale-forward-values"), ("gM", "Q"), "    gM = Q.T @ gV\n", "    Q = Q - 0.1 * gQ\n    gM = Q.T @ gV\n"),
]
