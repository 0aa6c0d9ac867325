"""Trabalho da disciplina: classificar séries curtas.

Duas camadas recorrentes empilhadas (a de cima tem fuga, como num reservatório), atenção sobre os instantes, softmax.
Tudo em listas, um vetor por instante; vetores são colunas, logo W @ x.
"""

import numpy as np

ALFA = 0.6  # fuga da camada de cima


def softmax(u):
    e = np.exp(u - np.max(u))
    return e / np.sum(e)


def custo_e_grad(serie, classe, Wx, Wr, br, Ux, Ur, bu, v, Q, bq):
    T = len(serie)
    n1, n2 = len(br), len(bu)

    # ---- ida ----
    baixo, cand, alto = [], [], []
    h1, h2 = np.zeros(n1), np.zeros(n2)
    for x in serie:
        h1 = np.tanh(Wx @ x + Wr @ h1 + br)
        novo = np.tanh(Ux @ h1 + Ur @ h2 + bu)
        h2 = (1 - ALFA) * h2 + ALFA * novo
        baixo.append(h1)
        cand.append(novo)
        alto.append(h2)
    notas = np.array([v @ h for h in alto])
    peso = softmax(notas)
    resumo = sum(p * h for p, h in zip(peso, alto))
    prob = softmax(Q @ resumo + bq)
    custo = -np.log(prob[classe])

    # ---- volta ----
    d_saida = prob.copy()
    d_saida[classe] -= 1
    dQ = np.outer(d_saida, resumo)
    dbq = d_saida
    d_resumo = Q.T @ d_saida
    d_peso = np.array([d_resumo @ h for h in alto])
    d_notas = peso * (d_peso - peso @ d_peso)
    dv = sum(g * h for g, h in zip(d_notas, alto))
    d_alto = [peso[t] * d_resumo + d_notas[t] * v for t in range(T)]

    dWx, dWr, dbr = np.zeros_like(Wx), np.zeros_like(Wr), np.zeros_like(br)
    dUx, dUr, dbu = np.zeros_like(Ux), np.zeros_like(Ur), np.zeros_like(bu)
    vem1, vem2 = np.zeros(n1), np.zeros(n2)
    for t in range(T - 1, -1, -1):
        antes1 = baixo[t - 1] if t > 0 else np.zeros(n1)
        antes2 = alto[t - 1] if t > 0 else np.zeros(n2)
        g2 = d_alto[t] + vem2
        r2 = ALFA * g2 * (1 - cand[t] ** 2)
        dUx += np.outer(r2, baixo[t])
        dUr += np.outer(r2, antes2)
        dbu += r2
        vem2 = (1 - ALFA) * g2 + Ur.T @ r2
        g1 = Ux.T @ r2 + vem1
        r1 = g1 * (1 - baixo[t] ** 2)
        dWx += np.outer(r1, serie[t])
        dWr += np.outer(r1, antes1)
        dbr += r1
        vem1 = Wr.T @ r1
    return custo, (dWx, dWr, dbr, dUx, dUr, dbu, dv, dQ, dbq)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    T, D, n1, n2, K = 5, 2, 4, 6, 3
    serie = [rng.normal(size=D) for _ in range(T)]
    weights = [0.7 * rng.normal(size=shape) for shape in [(n1, D), (n1, n1), n1, (n2, n1), (n2, n2), n2, n2, (K, n2), K]]
    return call(user.custo_e_grad, serie, int(rng.integers(K)), *weights, wrt=("Wx", "Wr", "br", "Ux", "Ur", "bu", "v", "Q", "bq"))


RIGHT = [
    Right("    d_notas = peso * (d_peso - peso @ d_peso)\n", "    J = np.diag(peso) - np.outer(peso, peso)\n    d_notas = J @ d_peso\n"),
    Right(
        "    d_saida = prob.copy()\n    d_saida[classe] -= 1\n    dQ = np.outer(d_saida, resumo)\n    dbq = d_saida\n    d_resumo = Q.T @ d_saida\n",
        "    erro = np.eye(len(bq))[classe] - prob\n    dQ = -np.outer(erro, resumo)\n    dbq = -erro\n    d_resumo = dbq @ Q\n",
    ),
    Right(
        "        g2 = d_alto[t] + vem2\n        r2 = ALFA * g2 * (1 - cand[t] ** 2)\n",
        "        g2 = d_alto[t]\n        g2 += vem2\n        r2 = g2 * ALFA\n        r2 = r2 * (1 + cand[t]) * (1 - cand[t])\n",
    ),
    Right(
        "        dWx += np.outer(r1, serie[t])\n        dWr += np.outer(r1, antes1)\n        dbr += r1\n        vem1 = Wr.T @ r1\n",
        "        entrada = np.concatenate([serie[t], antes1, [1.0]])\n        tudo = r1[:, None] * entrada[None, :]\n        D = len(serie[t])\n        dWx = dWx + tudo[:, :D]\n        dWr = dWr + tudo[:, D:-1]\n        dbr = dbr + tudo[:, -1]\n        vem1 = (r1[None, :] @ Wr).ravel()\n",
    ),
    Right(
        "    d_alto = [peso[t] * d_resumo + d_notas[t] * v for t in range(T)]\n",
        "    # a parte da media e tirada dentro: sum(d_notas) = 0\n    d_alto = []\n    for p, h in zip(peso, alto):\n        d_alto.append(p * (d_resumo + (d_resumo @ (h - resumo)) * v))\n",
    ),
]

MISTAKES = [
    Mistake(("softmax-diagonal-only", "missing-branch", None), "d_notas", "d_notas = peso * (d_peso - peso @ d_peso)", "d_notas = peso * (1 - peso) * d_peso"),
    Mistake(("missing-activation-derivative", "skipped-layer"), "d_notas", "d_notas = peso * (d_peso - peso @ d_peso)", "d_notas = d_peso"),
    Mistake(("missing-branch", "detached-branch"), "d_alto", "[peso[t] * d_resumo + d_notas[t] * v for t in range(T)]", "[peso[t] * d_resumo for t in range(T)]"),
    Mistake(("missing-weight-factor", "wrong-tensor-in-delta", "missing-branch", None), "d_alto", "[peso[t] * d_resumo + d_notas[t] * v for t in range(T)]", "[d_resumo + d_notas[t] * v for t in range(T)]"),
    Mistake(("factor-const", "missing-branch", "wrong-local-derivative", "missing-weight-factor", None), "r2", "r2 = ALFA * g2 * (1 - cand[t] ** 2)", "r2 = g2 * (1 - cand[t] ** 2)"),
    Mistake(("activation-derivative-at-activation", "activation-derivative-of-wrong-layer", "wrong-tensor-in-delta", None), "r2", "r2 = ALFA * g2 * (1 - cand[t] ** 2)", "r2 = ALFA * g2 * (1 - alto[t] ** 2)"),
    Mistake(("missing-branch", "detached-branch"), "vem2", "vem2 = (1 - ALFA) * g2 + Ur.T @ r2", "vem2 = Ur.T @ r2"),
    Mistake(("factor-const", "wrong-local-derivative", None), "vem2", "vem2 = (1 - ALFA) * g2 + Ur.T @ r2", "vem2 = ALFA * g2 + Ur.T @ r2"),
    Mistake("weight-not-transposed", "vem2", "vem2 = (1 - ALFA) * g2 + Ur.T @ r2", "vem2 = (1 - ALFA) * g2 + Ur @ r2"),
    Mistake(("off-by-one-time", "wrong-tensor-in-weight-gradient", "off-by-one-index"), "dUr", "dUr += np.outer(r2, antes2)", "dUr += np.outer(r2, alto[t])"),
    Mistake(("off-by-one-time", "wrong-tensor-in-weight-gradient", "off-by-one-index"), "dUx", "dUx += np.outer(r2, baixo[t])", "dUx += np.outer(r2, antes1)"),
    Mistake(("wrong-tensor-in-weight-gradient", "stale-forward-values"), "dUr", "dUr += np.outer(r2, antes2)", "dUr += np.outer(r2, cand[t - 1] if t else antes2)"),
    Mistake(("missing-branch", "detached-branch"), "g1", "g1 = Ux.T @ r2 + vem1", "g1 = Ux.T @ r2"),
    Mistake(("missing-activation-derivative", "wrong-tensor-in-delta", "skipped-layer"), "vem1", "vem1 = Wr.T @ r1", "vem1 = Wr.T @ g1"),
    Mistake(("gradient-transposed", "off-by-one-index", None), "dWr", "dWr += np.outer(r1, antes1)", "dWr += np.outer(antes1, r1)"),
    Mistake(("off-by-one-time", "off-by-one-index", "wrong-tensor-in-weight-gradient"), "dWx", "dWx += np.outer(r1, serie[t])", "dWx += np.outer(r1, serie[t - 1])"),
    Mistake("overwritten-not-accumulated", "dbu", "        dbu += r2\n", "        dbu = r2\n"),
    Mistake(
        ("aliasing", "stale-forward-values", "input-mutated"), ("h2", "alto", "d_alto", "antes2"),
        "        h2 = (1 - ALFA) * h2 + ALFA * novo\n", "        h2 *= 1 - ALFA\n        h2 += ALFA * novo\n",
    ),
    Mistake(("stale-forward-values", "wrong-tensor-in-weight-gradient", "off-by-one-time", "overwritten-not-accumulated", None), "dv", "dv = sum(g * h for g, h in zip(d_notas, alto))", "dv = sum(g * h2 for g in d_notas)"),
    Mistake(("wrong-tensor-in-delta", "wrong-tensor-in-weight-gradient", None), "dv", "dv = sum(g * h for g, h in zip(d_notas, alto))", "dv = sum(g * h for g, h in zip(d_peso, alto))"),
    Mistake(("missing-target", "wrong-loss-derivative", "missing-branch"), ("d_saida", "d_saida[classe]"), "    d_saida[classe] -= 1\n", "", fix=False),
    Mistake(("off-by-one-time", "detached-branch", "off-by-one-index", "missing-branch", "overwritten-not-accumulated", None), ("g2", "vem2", "t", "dUx", "dUr", "dbu"), "    for t in range(T - 1, -1, -1):\n", "    for t in range(T):\n"),
]
