"""Apêndice B da dissertação: um bloco "tipo LLaMA" de uma cabeça, com o retropasso escrito à mão.

pre-RMSNorm -> atenção causal -> resíduo -> pre-RMSNorm -> SwiGLU -> resíduo -> logits com o embedding amarrado.
Índices do einsum: b lote, t/u tempo, d modelo, c cabeça, f mlp, v vocabulário.
"""
import numpy as np


def bloco(tok, alvo, E, g1, Wq, Wk, Wv, Wo, g2, Wa, Wb, Wc, eps=0.01):
    B, T = tok.shape
    C = Wq.shape[1]
    iB, iT = np.arange(B)[:, None], np.arange(T)[None, :]

    # ---------- ida ----------
    x = E[tok]
    r1 = 1 / np.sqrt((x * x).mean(-1, keepdims=True) + eps)
    n1 = x * r1
    u1 = n1 * g1
    q, k, v = u1 @ Wq, u1 @ Wk, u1 @ Wv
    s = np.einsum("btc,buc->btu", q, k) / np.sqrt(C)
    s = np.where(np.tri(T, dtype=bool), s, -1e9)
    P = np.exp(s - s.max(-1, keepdims=True))
    P = P / P.sum(-1, keepdims=True)
    o = P @ v
    x2 = x + o @ Wo
    r2 = 1 / np.sqrt((x2 * x2).mean(-1, keepdims=True) + eps)
    n2 = x2 * r2
    u2 = n2 * g2
    a, b = u2 @ Wa, u2 @ Wb
    sg = 1 / (1 + np.exp(-a))
    m = a * sg * b
    x3 = x2 + m @ Wc
    l = x3 @ E.T
    l = l - l.max(-1, keepdims=True)
    logp = l - np.log(np.exp(l).sum(-1, keepdims=True))
    custo = -logp[iB, iT, alvo].mean()

    # ---------- volta ----------
    dl = np.exp(logp)
    dl[iB, iT, alvo] -= 1
    dl /= B * T
    dE = np.einsum("btv,btd->vd", dl, x3)
    dx3 = dl @ E
    # mlp
    dWc = np.einsum("btf,btd->fd", m, dx3)
    dm = dx3 @ Wc.T
    da = dm * b * (sg + a * sg * (1 - sg))
    db = dm * a * sg
    dWa = np.einsum("btd,btf->df", u2, da)
    dWb = np.einsum("btd,btf->df", u2, db)
    du2 = da @ Wa.T + db @ Wb.T
    dg2 = (du2 * n2).sum((0, 1))
    dn2 = du2 * g2
    dx2 = dx3 + r2 * (dn2 - n2 * (dn2 * n2).mean(-1, keepdims=True))
    # atenção
    dWo = np.einsum("btc,btd->cd", o, dx2)
    do = dx2 @ Wo.T
    dP = np.einsum("btc,buc->btu", do, v)
    dv = np.einsum("btu,btc->buc", P, do)
    ds = P * (dP - (dP * P).sum(-1, keepdims=True)) / np.sqrt(C)
    dq = np.einsum("btu,buc->btc", ds, k)
    dk = np.einsum("btu,btc->buc", ds, q)
    dWq = np.einsum("btd,btc->dc", u1, dq)
    dWk = np.einsum("btd,btc->dc", u1, dk)
    dWv = np.einsum("btd,btc->dc", u1, dv)
    du1 = dq @ Wq.T + dk @ Wk.T + dv @ Wv.T
    dg1 = (du1 * n1).sum((0, 1))
    dn1 = du1 * g1
    dx = dx2 + r1 * (dn1 - n1 * (dn1 * n1).mean(-1, keepdims=True))
    np.add.at(dE, tok, dx)
    return custo, dict(E=dE, g1=dg1, Wq=dWq, Wk=dWk, Wv=dWv, Wo=dWo, g2=dg2, Wa=dWa, Wb=dWb, Wc=dWc)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    B, T, D, C, F, V = 2, 4, 6, 3, 7, 5
    tok, alvo = rng.integers(0, V, size=(B, T)), rng.integers(0, V, size=(B, T))
    alvo[0, 0] = (tok[0, 0] + 1) % V
    E, g1, g2 = rng.normal(size=(V, D)), rng.uniform(0.5, 1.5, size=D), rng.uniform(0.5, 1.5, size=D)
    Wq, Wk, Wv, Wo = 0.7 * rng.normal(size=(D, C)), 0.7 * rng.normal(size=(D, C)), 0.6 * rng.normal(size=(D, C)), 0.6 * rng.normal(size=(C, D))
    Wa, Wb, Wc = 0.5 * rng.normal(size=(D, F)), 0.5 * rng.normal(size=(D, F)), 0.5 * rng.normal(size=(F, D))
    return call(user.bloco, tok, alvo, E, g1, Wq, Wk, Wv, Wo, g2, Wa, Wb, Wc)


DA = "    da = dm * b * (sg + a * sg * (1 - sg))\n"
DX2 = "    dx2 = dx3 + r2 * (dn2 - n2 * (dn2 * n2).mean(-1, keepdims=True))\n"
DX = "    dx = dx2 + r1 * (dn1 - n1 * (dn1 * n1).mean(-1, keepdims=True))\n"
DS = "    ds = P * (dP - (dP * P).sum(-1, keepdims=True)) / np.sqrt(C)\n"
DU1 = "    du1 = dq @ Wq.T + dk @ Wk.T + dv @ Wv.T\n"
DL = "    dl[iB, iT, alvo] -= 1\n"

RIGHT = [
    Right(DA, "    silu = a * sg\n    da = dm * b * (silu + sg * (1 - silu))\n"),
    Right(DX2, "    dx2 = dx3\n    dx2 += r2 * dn2\n    dx2 -= x2 * r2 ** 3 * (dn2 * x2).sum(-1, keepdims=True) / x2.shape[-1]\n"),
    Right(DS, "    do_o = (do * o).sum(-1, keepdims=True)\n    ds = P * (dP - do_o) * C ** -0.5\n"),
    Right("    np.add.at(dE, tok, dx)\n", "    um = np.eye(E.shape[0])[tok]\n    dE = dE + np.tensordot(um, dx, axes=([0, 1], [0, 1]))\n"),
    Right(
        "    dWq = np.einsum(\"btd,btc->dc\", u1, dq)\n    dWk = np.einsum(\"btd,btc->dc\", u1, dk)\n    dWv = np.einsum(\"btd,btc->dc\", u1, dv)\n" + DU1,
        "    dqkv = np.concatenate([dq, dk, dv], -1)\n    dW = u1.reshape(B * T, -1).T @ dqkv.reshape(B * T, -1)\n    dWq, dWk, dWv = np.split(dW, 3, axis=1)\n    du1 = dqkv @ np.concatenate([Wq, Wk, Wv], 1).T\n",
    ),
]

MISTAKES = [
    Mistake(("overwritten-not-accumulated", "missing-branch"), ("dE", "dE[tok]"), "    np.add.at(dE, tok, dx)\n", "    dE[tok] += dx\n"),
    Mistake(("missing-branch", "detached-branch"), "dE", '    dE = np.einsum("btv,btd->vd", dl, x3)\n', "    dE = np.zeros_like(E)\n"),
    Mistake(("missing-branch", "detached-branch", "skipped-layer"), "dx2", DX2, "    dx2 = r2 * (dn2 - n2 * (dn2 * n2).mean(-1, keepdims=True))\n"),
    Mistake(("wrong-tensor-in-delta", "missing-branch", "skipped-layer"), "dx", DX, "    dx = dx3 + r1 * (dn1 - n1 * (dn1 * n1).mean(-1, keepdims=True))\n"),
    Mistake(("factor-const", "wrong-local-derivative"), "ds", DS, "    ds = P * (dP - (dP * P).sum(-1, keepdims=True))\n"),
    Mistake("softmax-diagonal-only", "ds", DS, "    ds = P * (1 - P) * dP / np.sqrt(C)\n"),
    Mistake("softmax-wrong-axis", "ds", DS, "    ds = P * (dP - (dP * P).sum(1, keepdims=True)) / np.sqrt(C)\n"),
    Mistake("wrong-tensor-in-delta", "dq", 'dq = np.einsum("btu,buc->btc", ds, k)', 'dq = np.einsum("btu,buc->btc", ds, q)'),
    Mistake(("gradient-transposed", "weight-not-transposed", "wrong-tensor-in-delta"), "dk", 'dk = np.einsum("btu,btc->buc", ds, q)', 'dk = np.einsum("btu,buc->btc", ds, q)'),
    Mistake(("weight-not-transposed", "gradient-transposed", "wrong-tensor-in-delta"), "dv", 'dv = np.einsum("btu,btc->buc", P, do)', "dv = P @ do"),
    Mistake(("missing-branch", "detached-branch"), "du1", DU1, "    du1 = dq @ Wq.T + dk @ Wk.T\n"),
    Mistake(("wrong-local-derivative", "derivative-of-another-activation"), "da", DA, "    da = dm * b * sg * (1 - sg)\n"),
    Mistake(("wrong-local-derivative", "missing-branch", "wrong-tensor-in-delta", None), "db", "    db = dm * a * sg\n", "    db = dm * a\n"),
    Mistake("wrong-tensor-in-weight-gradient", "dg2", "dg2 = (du2 * n2).sum((0, 1))", "dg2 = (du2 * x2).sum((0, 1))"),
    Mistake(("missing-weight-factor", "skipped-layer"), "dn1", "    dn1 = du1 * g1\n", "    dn1 = du1\n"),
    Mistake(("wrong-local-derivative", "missing-branch", "detached-branch"), "dx", DX, "    dx = dx2 + r1 * dn1\n"),
    Mistake(("bias-wrong-axis", "wrong-local-derivative", None), "dx2", DX2, "    dx2 = dx3 + r2 * (dn2 - n2 * (dn2 * n2).mean(1, keepdims=True))\n"),
    Mistake(("aliasing", "input-mutated", "forward-differs"), ("n1", "x", "x2", "dx"), "    n1 = x * r1\n", "    n1 = x\n    n1 *= r1\n"),
    Mistake(("factor-const", "wrong-loss-derivative", None), ("dl", "custo"), "    dl /= B * T\n", "    dl /= B\n"),
    Mistake(("wrong-tensor-in-weight-gradient", "missing-branch"), "dWo", 'dWo = np.einsum("btc,btd->cd", o, dx2)', 'dWo = np.einsum("btc,btd->cd", o, dx3)'),
    Mistake(("wrong-tensor-in-weight-gradient", None), ("return", "dWq", "dWk"), "Wq=dWq, Wk=dWk", "Wq=dWk, Wk=dWq"),
    Mistake(("missing-target", "wrong-loss-derivative", "off-by-one-time"), ("dl", "dl[iB, iT, tok]"), DL, "    dl[iB, iT, tok] -= 1\n"),
    Mistake(("gradient-transposed", "wrong-shape"), "dWb", 'dWb = np.einsum("btd,btf->df", u2, db)', 'dWb = np.einsum("btd,btf->fd", u2, db)'),
]
