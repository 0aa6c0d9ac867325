"""Causal self-attention over a batch in float32: einsum throughout, the gradients in a dictionary."""

import numpy as np
from numpy import einsum

f4 = np.float32


def softmax(S):
    E = np.exp(S - S.max(axis=-1, keepdims=True))
    return E / E.sum(axis=-1, keepdims=True)


def causal(T):
    """Minus a lot where a position would look ahead."""
    return f4(-1e9) * np.triu(np.ones((T, T), f4), k=1)


def loss_grad(Wq, Wk, Wv, Wo, bo, X, Y):
    """X (batch, time, channels), Y (batch, time, outputs)."""
    B, T, C = X.shape
    Q = einsum('btc,cd->btd', X, Wq)
    K = einsum('btc,cd->btd', X, Wk)
    V = einsum('btc,ce->bte', X, Wv)
    rd = np.sqrt(f4(Q.shape[-1]))
    S = einsum('bid,bjd->bij', Q, K) / rd + causal(T)
    A = softmax(S)
    Z = einsum('bij,bje->bie', A, V)
    O = einsum('bie,eo->bio', Z, Wo) + bo
    R = O - Y
    L = np.mean(R * R)

    G = {}
    dO = 2 * R / f4(R.size)
    G['bo'] = dO.sum(axis=(0, 1))
    G['Wo'] = einsum('bie,bio->eo', Z, dO)
    dZ = einsum('bio,eo->bie', dO, Wo)
    dV = einsum('bij,bie->bje', A, dZ)
    dA = einsum('bie,bje->bij', dZ, V)
    dS = A * (dA - einsum('bij,bij->bi', A, dA)[..., None])
    dQ = einsum('bij,bjd->bid', dS, K) / rd
    dK = einsum('bij,bid->bjd', dS, Q) / rd
    G['Wq'] = einsum('btc,btd->cd', X, dQ)
    G['Wk'] = einsum('btc,btd->cd', X, dK)
    G['Wv'] = einsum('btc,bte->ce', X, dV)
    return L, G


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call

FLOAT32 = True


def problem(user, rng):
    B, T, C, D, E, O = 3, 5, 4, 2, 7, 6
    draw = lambda *shape: rng.normal(size=shape).astype("float32")
    return call(user.loss_grad, draw(C, D), draw(C, D), draw(C, E), draw(E, O), draw(O), draw(B, T, C), draw(B, T, O))


RIGHT = [
    Right("    dS = A * (dA - einsum('bij,bij->bi', A, dA)[..., None])\n", "    J = einsum('bij,jk->bijk', A, np.eye(T, dtype=f4)) - einsum('bij,bik->bijk', A, A)\n    dS = einsum('bijk,bik->bij', J, dA)\n"),
    Right("    dS = A * (dA - einsum('bij,bij->bi', A, dA)[..., None])\n", "    dS = A * dA\n    dS -= A * dS.sum(axis=-1, keepdims=True)\n"),
    Right("    dS = A * (dA - einsum('bij,bij->bi', A, dA)[..., None])\n", "    delta = (dZ * Z).sum(-1, keepdims=True)  # as flash attention has it\n    dS = A * (dA - delta)\n"),
    Right("    dK = einsum('bij,bid->bjd', dS, Q) / rd\n", "    dK = np.swapaxes(dS, 1, 2) @ (Q / rd)\n"),
    Right("    G['Wv'] = einsum('btc,bte->ce', X, dV)\n", "    G['Wv'] = np.tensordot(X, dV, axes=((0, 1), (0, 1)))\n"),
    Right("    G['Wo'] = einsum('bie,bio->eo', Z, dO)\n", "    G['Wo'] = Z.reshape(B * T, -1).T @ dO.reshape(B * T, -1)\n"),
]

MISTAKES = [
    Mistake("softmax-diagonal-only", "dS", "A * (dA - einsum('bij,bij->bi', A, dA)[..., None])", "A * (1 - A) * dA"),
    Mistake(("softmax-diagonal-only", None), "dS", "A * (dA - einsum('bij,bij->bi', A, dA)[..., None])", "A * dA"),
    Mistake("softmax-wrong-axis", "dS", "einsum('bij,bij->bi', A, dA)[..., None]", "einsum('bij,bij->bj', A, dA)[:, None, :]"),
    Mistake(("softmax-wrong-axis", "forward-differs", None), ("dS", "A", "softmax", "E", "return"), "E.sum(axis=-1, keepdims=True)", "E.sum(axis=1, keepdims=True)"),
    Mistake(("wrong-tensor-in-delta", "wrong-local-derivative", "reduced-too-early", None), "dS", "einsum('bij,bij->bi', A, dA)[..., None]", "dA.sum(axis=-1, keepdims=True)"),
    Mistake(("sign", None), "dS", "A * (dA - einsum", "A * (dA + einsum"),
    Mistake("matmul-for-elementwise", "dS", "A * (dA - einsum", "A @ (dA - einsum"),
    Mistake(("factor-const", "missing-weight-factor", "skipped-layer", None), "dQ", "dQ = einsum('bij,bjd->bid', dS, K) / rd", "dQ = einsum('bij,bjd->bid', dS, K)"),
    Mistake(("factor-const", "factor-half", None), "dK", "einsum('bij,bid->bjd', dS, Q) / rd", "einsum('bij,bid->bjd', dS, Q) / rd ** 2"),
    Mistake("weight-not-transposed", "dV", "einsum('bij,bie->bje', A, dZ)", "einsum('bij,bje->bie', A, dZ)"),
    Mistake(("weight-not-transposed", "gradient-transposed", "wrong-tensor-in-delta", None), "dK", "einsum('bij,bid->bjd', dS, Q)", "einsum('bij,bjd->bid', dS, Q)"),
    Mistake(("wrong-tensor-in-delta", None), "dK", "einsum('bij,bid->bjd', dS, Q)", "einsum('bij,bid->bjd', dS, K)"),
    Mistake("skipped-layer", "dQ", "dQ = einsum('bij,bjd->bid', dS, K)", "dQ = einsum('bij,bjd->bid', dA, K)"),
    Mistake(("wrong-tensor-in-weight-gradient", "wrong-tensor-in-delta", None), "G['Wk']", "G['Wk'] = einsum('btc,btd->cd', X, dK)", "G['Wk'] = einsum('btc,btd->cd', X, dQ)"),
    Mistake(("wrong-tensor-in-weight-gradient", None), "G['Wo']", "einsum('bie,bio->eo', Z, dO)", "einsum('bie,bio->eo', V, dO)"),
    Mistake(("gradient-transposed", "wrong-shape"), "G['Wq']", "'btc,btd->cd', X, dQ", "'btc,btd->dc', X, dQ"),
    Mistake(("reduced-too-early", None), "G['Wv']", "einsum('btc,bte->ce', X, dV)", "einsum('bc,be->ce', X.sum(1), dV.mean(1))", fix=False),
    Mistake(("bias-not-reduced", "bias-wrong-axis"), "G['bo']", "dO.sum(axis=(0, 1))", "dO.sum(axis=0)"),
    Mistake("bias-wrong-axis", "G['bo']", "dO.sum(axis=(0, 1))", "dO.sum(axis=(1, 2))"),
    Mistake("factor-K", ("dO", "L"), "dO = 2 * R / f4(R.size)", "dO = 2 * R / f4(B * T)"),
    Mistake("factor-half", ("dO", "L"), "dO = 2 * R / f4(R.size)", "dO = R / f4(R.size)"),
    Mistake("wrong-loss-derivative", ("dO", "L"), "dO = 2 * R / f4(R.size)", "dO = 2 * np.abs(R) / f4(R.size)"),
    Mistake("missing-target", ("dO",), "dO = 2 * R / f4(R.size)", "dO = 2 * O / f4(R.size)"),
    Mistake(("forward-differs", "stale-forward-values"), ("A", "dV", "dS"), "    dV = einsum", "    A = softmax(S - causal(T))  # to look at the weights\n    dV = einsum", fix=False),
    Mistake("integer-dtype", ("G['bo']", "G['bo'][:]"), "    G['bo'] = dO.sum(axis=(0, 1))\n", "    G['bo'] = np.zeros(bo.shape, int)\n    G['bo'][:] = dO.sum(axis=(0, 1))\n"),
]
