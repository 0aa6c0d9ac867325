"""Companion code for the post "A transformer block you can hold in your head, part 3: all the backward, one page".

One block, one head, one sequence. Pre-norm with RMSNorm, SwiGLU feed-forward, embedding tied to the output head.
d_foo always has the shape of foo.
"""

import numpy as np

RMS_EPS = 1e-3


def block_loss(tokens, targets, emb, pos, g_attn, wq, wk, wv, wo, g_mlp, w_gate, w_up, w_down, g_out):
    T = len(tokens)
    scale = 1.0 / np.sqrt(wq.shape[1])
    causal = np.tril(np.ones((T, T), dtype=bool))

    # ---------------------------------------------------------------- forward
    x0 = emb[tokens] + pos[:T]

    inv0 = 1.0 / np.sqrt((x0 * x0).mean(-1, keepdims=True) + RMS_EPS)
    n0 = x0 * inv0
    h0 = n0 * g_attn
    q, k, v = h0 @ wq, h0 @ wk, h0 @ wv
    scores = np.where(causal, scale * (q @ k.T), -1e9)
    att = np.exp(scores - scores.max(-1, keepdims=True))
    att = att / att.sum(-1, keepdims=True)
    ctx = att @ v
    x1 = x0 + ctx @ wo  # residual 1

    inv1 = 1.0 / np.sqrt((x1 * x1).mean(-1, keepdims=True) + RMS_EPS)
    n1 = x1 * inv1
    h1 = n1 * g_mlp
    gate, up = h1 @ w_gate, h1 @ w_up
    sig = 1.0 / (1.0 + np.exp(-gate))
    act = gate * sig  # SiLU
    hid = act * up
    x2 = x1 + hid @ w_down  # residual 2

    inv2 = 1.0 / np.sqrt((x2 * x2).mean(-1, keepdims=True) + RMS_EPS)
    n2 = x2 * inv2
    h2 = n2 * g_out
    logits = h2 @ emb.T  # tied
    logits = logits - logits.max(-1, keepdims=True)
    probs = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    loss = -np.log(probs[np.arange(T), targets]).mean()

    # --------------------------------------------------------------- backward
    d_logits = probs.copy()
    d_logits[np.arange(T), targets] -= 1.0
    d_logits /= T
    d_h2 = d_logits @ emb
    d_n2 = d_h2 * g_out
    d_x2 = inv2 * (d_n2 - n2 * (d_n2 * n2).mean(-1, keepdims=True))

    d_hid = d_x2 @ w_down.T
    d_act = d_hid * up
    d_up = d_hid * act
    d_gate = d_act * sig * (1.0 + gate * (1.0 - sig))
    d_h1 = d_gate @ w_gate.T + d_up @ w_up.T
    d_n1 = d_h1 * g_mlp
    d_x1 = d_x2 + inv1 * (d_n1 - n1 * (d_n1 * n1).mean(-1, keepdims=True))

    d_ctx = d_x1 @ wo.T
    d_att = d_ctx @ v.T
    d_v = att.T @ d_ctx
    d_scores = att * (d_att - (d_att * att).sum(-1, keepdims=True))
    d_q = scale * d_scores @ k
    d_k = scale * d_scores.T @ q
    d_h0 = d_q @ wq.T + d_k @ wk.T + d_v @ wv.T
    d_n0 = d_h0 * g_attn
    d_x0 = d_x1 + inv0 * (d_n0 - n0 * (d_n0 * n0).mean(-1, keepdims=True))

    # every parameter in one place
    d_emb = d_logits.T @ h2
    np.add.at(d_emb, tokens, d_x0)
    d_pos = np.zeros_like(pos)
    d_pos[:T] = d_x0
    grads = {
        "emb": d_emb,
        "pos": d_pos,
        "g_attn": (d_h0 * n0).sum(0),
        "wq": h0.T @ d_q,
        "wk": h0.T @ d_k,
        "wv": h0.T @ d_v,
        "wo": ctx.T @ d_x1,
        "g_mlp": (d_h1 * n1).sum(0),
        "w_gate": h1.T @ d_gate,
        "w_up": h1.T @ d_up,
        "w_down": hid.T @ d_x2,
        "g_out": (d_h2 * n2).sum(0),
    }
    return loss, grads


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    T, V, D, A, F, longest = 7, 5, 4, 3, 6, 9
    tokens, targets = rng.integers(0, V, size=T), rng.integers(0, V, size=T)
    emb, pos = 0.7 * rng.normal(size=(V, D)), 0.4 * rng.normal(size=(longest, D))
    g_attn, g_mlp, g_out = (rng.uniform(0.6, 1.5, size=D) for _ in range(3))
    wq, wk, wv = (0.6 * rng.normal(size=(D, A)) for _ in range(3))
    wo = 0.6 * rng.normal(size=(A, D))
    w_gate, w_up, w_down = 0.6 * rng.normal(size=(D, F)), 0.6 * rng.normal(size=(D, F)), 0.6 * rng.normal(size=(F, D))
    names = ("emb", "pos", "g_attn", "wq", "wk", "wv", "wo", "g_mlp", "w_gate", "w_up", "w_down", "g_out")
    return call(user.block_loss, tokens, targets, emb, pos, g_attn, wq, wk, wv, wo, g_mlp, w_gate, w_up, w_down, g_out, wrt=names)


RIGHT = [
    Right("    np.add.at(d_emb, tokens, d_x0)\n", "    onehot = np.eye(len(emb))[tokens]\n    d_emb += onehot.T @ d_x0\n"),
    Right(
        "    d_x2 = inv2 * (d_n2 - n2 * (d_n2 * n2).mean(-1, keepdims=True))\n",
        "    d_inv2 = (d_n2 * x2).sum(-1, keepdims=True)\n    d_ms2 = d_inv2 * -0.5 * inv2**3\n    d_x2 = d_n2 * inv2 + d_ms2 * 2.0 * x2 / x2.shape[-1]\n",
    ),
    Right("    d_gate = d_act * sig * (1.0 + gate * (1.0 - sig))\n", "    d_gate = d_act * (act + sig * (1.0 - act))\n"),
    Right(
        "    d_q = scale * d_scores @ k\n    d_k = scale * d_scores.T @ q\n",
        "    d_scores[~causal] = 0.0  # already zero, but it reads better\n    d_scores *= scale  # from here on: adjoint of q @ k.T\n    d_q = d_scores @ k\n    d_k = (q.T @ d_scores).T\n",
    ),
    Right(
        "    d_h1 = d_gate @ w_gate.T + d_up @ w_up.T\n",
        "    d_h1 = np.concatenate([d_gate, d_up], axis=1) @ np.concatenate([w_gate, w_up], axis=1).T\n",
    ),
]

D_X1 = "d_x1 = d_x2 + inv1 * (d_n1 - n1 * (d_n1 * n1).mean(-1, keepdims=True))"
D_X0 = "d_x0 = d_x1 + inv0 * (d_n0 - n0 * (d_n0 * n0).mean(-1, keepdims=True))"
D_X2 = "d_x2 = inv2 * (d_n2 - n2 * (d_n2 * n2).mean(-1, keepdims=True))"
D_SCORES = "d_scores = att * (d_att - (d_att * att).sum(-1, keepdims=True))"
D_GATE = "d_gate = d_act * sig * (1.0 + gate * (1.0 - sig))"
D_H0 = "d_h0 = d_q @ wq.T + d_k @ wk.T + d_v @ wv.T"
AT_LOGITS = ("d_logits", "d_logits[np.arange(T), targets]")

MISTAKES = [
    Mistake(("overwritten-not-accumulated", "missing-branch"), ("d_emb", "d_emb[tokens]"), "np.add.at(d_emb, tokens, d_x0)", "d_emb[tokens] += d_x0"),
    Mistake(("missing-branch", "overwritten-not-accumulated", "detached-branch"), "d_emb", "d_emb = d_logits.T @ h2", "d_emb = np.zeros_like(emb)"),
    Mistake(("missing-branch", "detached-branch"), ("d_emb", "grads", 'grads["emb"]'), "    np.add.at(d_emb, tokens, d_x0)\n", ""),
    Mistake(("off-by-one-index", "off-by-one-time"), ("d_pos", "d_pos[1:T + 1]"), "d_pos[:T] = d_x0", "d_pos[1:T + 1] = d_x0"),
    Mistake(("missing-branch", "detached-branch"), "d_x1", D_X1, "d_x1 = inv1 * (d_n1 - n1 * (d_n1 * n1).mean(-1, keepdims=True))"),
    Mistake(("wrong-tensor-in-delta", "missing-branch", "skipped-layer"), "d_x0", D_X0, "d_x0 = d_x2 + inv0 * (d_n0 - n0 * (d_n0 * n0).mean(-1, keepdims=True))"),
    Mistake(("aliasing", "input-mutated"), ("d_x1", "d_x2", "grads", 'hid.T @ d_x2'), D_X1, "d_x1 = d_x2\n    d_x1 += inv1 * (d_n1 - n1 * (d_n1 * n1).mean(-1, keepdims=True))"),
    Mistake(("wrong-tensor-in-delta", "stale-forward-values", "wrong-local-derivative", None), "d_x1", D_X1, "d_x1 = d_x2 + inv0 * (d_n1 - n1 * (d_n1 * n1).mean(-1, keepdims=True))"),
    Mistake(("factor-const", "factor-K", "wrong-local-derivative", None), "d_x2", D_X2, "d_x2 = inv2 * (d_n2 - n2 * (d_n2 * n2).sum(-1, keepdims=True))"),
    Mistake(("wrong-tensor-in-delta", "wrong-local-derivative", None), "d_x2", D_X2, "d_x2 = inv2 * (d_n2 - x2 * (d_n2 * x2).mean(-1, keepdims=True))"),
    Mistake(("missing-weight-factor", "skipped-layer"), "d_n1", "d_n1 = d_h1 * g_mlp", "d_n1 = d_h1"),
    Mistake("softmax-diagonal-only", "d_scores", D_SCORES, "d_scores = d_att * att * (1.0 - att)"),
    Mistake(("softmax-wrong-axis", "wrong-local-derivative"), "d_scores", D_SCORES, "d_scores = att * (d_att - (d_att * att).sum(0, keepdims=True))"),
    Mistake(("factor-const", "missing-weight-factor"), "d_q", "d_q = scale * d_scores @ k", "d_q = d_scores @ k"),
    Mistake(("gradient-transposed", "weight-not-transposed", "wrong-tensor-in-delta"), "d_k", "d_k = scale * d_scores.T @ q", "d_k = scale * d_scores @ q"),
    Mistake(("weight-not-transposed", "wrong-tensor-in-delta"), "d_v", "d_v = att.T @ d_ctx", "d_v = att @ d_ctx"),
    Mistake(("missing-branch", "detached-branch"), "d_h0", D_H0, "d_h0 = d_q @ wq.T + d_k @ wk.T"),
    Mistake(("wrong-tensor-in-delta", None), "d_h0", D_H0, "d_h0 = d_q @ wk.T + d_k @ wq.T + d_v @ wv.T"),
    Mistake(("derivative-of-another-activation", "wrong-local-derivative"), "d_gate", D_GATE, "d_gate = d_act * sig * (1.0 - sig)"),
    Mistake(("wrong-tensor-in-delta", "wrong-local-derivative", None), ("d_act", "d_up"), "    d_act = d_hid * up\n    d_up = d_hid * act\n", "    d_act = d_hid * act\n    d_up = d_hid * up\n", fix=False),
    Mistake("wrong-tensor-in-weight-gradient", ("grads", 'grads["g_attn"]', "(d_h0 * h0).sum(0)"), '"g_attn": (d_h0 * n0).sum(0)', '"g_attn": (d_h0 * h0).sum(0)'),
    Mistake("wrong-tensor-in-weight-gradient", ("grads", 'grads["w_up"]', "h0.T @ d_up"), '"w_up": h1.T @ d_up', '"w_up": h0.T @ d_up'),
    Mistake("factor-N", (*AT_LOGITS, "loss", "d_h2"), "    d_logits /= T\n", ""),
    Mistake(("missing-target", "wrong-loss-derivative"), AT_LOGITS, "    d_logits[np.arange(T), targets] -= 1.0\n", ""),
]
