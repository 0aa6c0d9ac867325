"""One Block At A Time, part 3: "No autograd was harmed".

The complete code of the post. A pre-norm transformer block on (batch, time, d_model) arrays, then a linear read-out
to a vocabulary. Every `*_fwd` returns its output and a cache, every `*_bwd` takes the upstream gradient and that cache
and returns gradients in the order of the inputs. einsum letters: b batch, t/s time (query/key), h head, k per-head
size, d model, f feed-forward, v vocabulary.
"""

import math

import numpy as np

EPS = 1e-2


def rmsnorm_fwd(x, gain):
    rms = np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + EPS)
    xhat = x / rms
    return gain * xhat, (xhat, rms, gain)


def rmsnorm_bwd(dy, cache):
    xhat, rms, gain = cache
    dgain = np.einsum("btd,btd->d", dy, xhat)
    dxhat = dy * gain
    dx = (dxhat - xhat * np.mean(dxhat * xhat, axis=-1, keepdims=True)) / rms
    return dx, dgain


def gelu_fwd(u):
    c = math.sqrt(2 / math.pi)
    th = np.tanh(c * (u + 0.044715 * u**3))
    return 0.5 * u * (1 + th), (u, th, c)


def gelu_bwd(dout, cache):
    u, th, c = cache
    dinner = c * (1 + 3 * 0.044715 * u**2)
    return dout * (0.5 * (1 + th) + 0.5 * u * (1 - th**2) * dinner)


def attention_fwd(x, wq, wk, wv, wo):
    T, scale = x.shape[1], 1 / math.sqrt(wq.shape[-1])
    q = np.einsum("btd,dhk->bhtk", x, wq)
    k = np.einsum("bsd,dhk->bhsk", x, wk)
    v = np.einsum("bsd,dhk->bhsk", x, wv)
    s = scale * np.einsum("bhtk,bhsk->bhts", q, k)
    s = np.where(np.tril(np.ones((T, T), dtype=bool)), s, -1e9)
    a = np.exp(s - s.max(axis=-1, keepdims=True))
    a = a / a.sum(axis=-1, keepdims=True)
    o = np.einsum("bhts,bhsk->bhtk", a, v)
    y = np.einsum("bhtk,hkd->btd", o, wo)
    return y, (x, q, k, v, a, o, wq, wk, wv, wo, scale)


def attention_bwd(dy, cache):
    x, q, k, v, a, o, wq, wk, wv, wo, scale = cache
    dwo = np.einsum("bhtk,btd->hkd", o, dy)
    do = np.einsum("btd,hkd->bhtk", dy, wo)
    da = np.einsum("bhtk,bhsk->bhts", do, v)
    dv = np.einsum("bhts,bhtk->bhsk", a, do)
    ds = a * (da - np.sum(a * da, axis=-1, keepdims=True))
    dq = scale * np.einsum("bhts,bhsk->bhtk", ds, k)
    dk = scale * np.einsum("bhts,bhtk->bhsk", ds, q)
    dwq = np.einsum("btd,bhtk->dhk", x, dq)
    dwk = np.einsum("bsd,bhsk->dhk", x, dk)
    dwv = np.einsum("bsd,bhsk->dhk", x, dv)
    dx = np.einsum("bhtk,dhk->btd", dq, wq)
    dx += np.einsum("bhsk,dhk->bsd", dk, wk)
    dx += np.einsum("bhsk,dhk->bsd", dv, wv)
    return dx, dwq, dwk, dwv, dwo


def mlp_fwd(x, w_in, b_in, w_out, b_out):
    u = np.einsum("btd,df->btf", x, w_in) + b_in
    g, gelu_cache = gelu_fwd(u)
    y = np.einsum("btf,fd->btd", g, w_out) + b_out
    return y, (x, g, gelu_cache, w_in, w_out)


def mlp_bwd(dy, cache):
    x, g, gelu_cache, w_in, w_out = cache
    dw_out = np.einsum("btf,btd->fd", g, dy)
    db_out = np.einsum("btd->d", dy)
    dg = np.einsum("btd,fd->btf", dy, w_out)
    du = gelu_bwd(dg, gelu_cache)
    dw_in = np.einsum("btd,btf->df", x, du)
    db_in = np.einsum("btf->f", du)
    dx = np.einsum("btf,df->btd", du, w_in)
    return dx, dw_in, db_in, dw_out, db_out


def next_token_loss(params, x, targets):
    B, T, _ = x.shape
    n1, c_n1 = rmsnorm_fwd(x, params["gain1"])
    att, c_att = attention_fwd(n1, *params["attn"])
    x1 = x + att
    n2, c_n2 = rmsnorm_fwd(x1, params["gain2"])
    ff, c_ff = mlp_fwd(n2, *params["mlp"])
    x2 = x1 + ff
    logits = np.einsum("btd,dv->btv", x2, params["head"])
    z = logits - logits.max(axis=-1, keepdims=True)
    logp = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))
    picked = np.take_along_axis(logp, targets[:, :, None], axis=-1)
    loss = -picked.mean()

    grads = {}
    onehot = np.eye(logits.shape[-1])[targets]
    dlogits = (np.exp(logp) - onehot) / (B * T)
    grads["head"] = np.einsum("btd,btv->dv", x2, dlogits)
    dx2 = np.einsum("btv,dv->btd", dlogits, params["head"])
    dn2, *grads["mlp"] = mlp_bwd(dx2, c_ff)
    dx1, grads["gain2"] = rmsnorm_bwd(dn2, c_n2)
    dx1 = dx1 + dx2
    dn1, *grads["attn"] = attention_bwd(dx1, c_att)
    dx, grads["gain1"] = rmsnorm_bwd(dn1, c_n1)
    dx = dx + dx1
    return loss, dx, grads


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    B, T, D, H, K, F, V = 2, 4, 5, 2, 3, 7, 6
    draw = lambda *shape: 0.6 * rng.normal(size=shape)
    params = {
        "gain1": rng.uniform(0.5, 1.5, size=D), "gain2": rng.uniform(0.5, 1.5, size=D), "head": draw(D, V),
        "attn": [draw(D, H, K), draw(D, H, K), draw(D, H, K), draw(H, K, D)],
        "mlp": [draw(D, F), draw(F), draw(F, D), draw(D)],
    }
    x, targets = rng.normal(size=(B, T, D)), rng.integers(0, V, size=(B, T))
    return call(user.next_token_loss, params, x, targets, loss="loss", gradients={"x": "dx", "params": "grads"})


RIGHT = [
    Right("    ds = a * (da - np.sum(a * da, axis=-1, keepdims=True))\n", "    jac = np.einsum(\"bhts,su->bhtsu\", a, np.eye(a.shape[-1])) - np.einsum(\"bhts,bhtu->bhtsu\", a, a)\n    ds = np.einsum(\"bhtsu,bhtu->bhts\", jac, da)\n"),
    Right(
        "    dq = scale * np.einsum(\"bhts,bhsk->bhtk\", ds, k)\n    dk = scale * np.einsum(\"bhts,bhtk->bhsk\", ds, q)\n",
        "    ds *= scale\n    dq = ds @ k\n    dk = ds.swapaxes(-1, -2) @ q\n",
    ),
    Right(
        "    dx = (dxhat - xhat * np.mean(dxhat * xhat, axis=-1, keepdims=True)) / rms\n",
        "    x = xhat * rms\n    drms = -np.sum(dxhat * x, axis=-1, keepdims=True) / rms**2\n    dx = dxhat / rms + drms * x / (x.shape[-1] * rms)\n",
    ),
    Right("    return dout * (0.5 * (1 + th) + 0.5 * u * (1 - th**2) * dinner)\n", "    sig = 0.5 * (1 + th)  # tanh is a stretched sigmoid\n    return dout * sig * (1 + 2 * u * (1 - sig) * dinner)\n"),
    Right("    dx1, grads[\"gain2\"] = rmsnorm_bwd(dn2, c_n2)\n    dx1 = dx1 + dx2\n", "    through_mlp, grads[\"gain2\"] = rmsnorm_bwd(dn2, c_n2)\n    dx1 = dx2\n    dx1 += through_mlp\n"),
]

NORM = ("dx", "rmsnorm_bwd", "return", "(dx, dgain)", "dx1", "(dx1, grads['gain2'])")
GAIN = ("dgain", "rmsnorm_bwd", "return", "(dx, dgain)", "(dx1, grads['gain2'])", "grads['gain2']")
GELU = ("return", "gelu_bwd", "du")
DX1 = ("dx1", "(dx1, grads['gain2'])")

MISTAKES = [
    Mistake(("softmax-diagonal-only", None), "ds", "ds = a * (da - np.sum(a * da, axis=-1, keepdims=True))", "ds = a * (1 - a) * da"),
    Mistake("softmax-wrong-axis", "ds", "np.sum(a * da, axis=-1, keepdims=True)", "np.sum(a * da, axis=-2, keepdims=True)"),
    Mistake(("missing-weight-factor", "factor-const", None), "dk", "dk = scale * np.einsum(\"bhts,bhtk->bhsk\", ds, q)", "dk = np.einsum(\"bhts,bhtk->bhsk\", ds, q)"),
    Mistake(("gradient-transposed", "off-by-one-index", "wrong-tensor-in-delta", "weight-not-transposed", None), "dk", "np.einsum(\"bhts,bhtk->bhsk\", ds, q)", "np.einsum(\"bhst,bhtk->bhsk\", ds, q)"),
    Mistake(("wrong-tensor-in-delta", "missing-weight-factor"), "dq", "np.einsum(\"bhts,bhsk->bhtk\", ds, k)", "np.einsum(\"bhts,bhsk->bhtk\", ds, q)"),
    Mistake(("gradient-transposed", "weight-not-transposed", "wrong-tensor-in-delta", "off-by-one-index", None), "dv", "np.einsum(\"bhts,bhtk->bhsk\", a, do)", "np.einsum(\"bhts,bhsk->bhtk\", a, do)"),
    Mistake(("wrong-tensor-in-delta", "missing-weight-factor"), "da", "np.einsum(\"bhtk,bhsk->bhts\", do, v)", "np.einsum(\"bhtk,bhsk->bhts\", do, k)"),
    Mistake(("missing-branch", "detached-branch"), "dx", "    dx += np.einsum(\"bhsk,dhk->bsd\", dv, wv)\n", ""),
    Mistake(("overwritten-not-accumulated", "missing-branch"), "dx", "    dx += np.einsum(\"bhsk,dhk->bsd\", dk, wk)\n", "    dx = np.einsum(\"bhsk,dhk->bsd\", dk, wk)\n"),
    Mistake(("wrong-tensor-in-delta", "missing-weight-factor"), "dx", "np.einsum(\"bhsk,dhk->bsd\", dv, wv)", "np.einsum(\"bhsk,dhk->bsd\", dv, wk)"),
    Mistake("wrong-tensor-in-weight-gradient", "dwk", "dwk = np.einsum(\"bsd,bhsk->dhk\", x, dk)", "dwk = np.einsum(\"bsd,bhsk->dhk\", x, dv)"),
    Mistake(("missing-branch", None), NORM, "    dx = (dxhat - xhat * np.mean(dxhat * xhat, axis=-1, keepdims=True)) / rms\n", "    dx = dxhat / rms\n"),
    Mistake(("wrong-local-derivative", "factor-N", "factor-const", None), NORM, "xhat * np.mean(dxhat * xhat, axis=-1, keepdims=True)", "xhat * np.sum(dxhat * xhat, axis=-1, keepdims=True)"),
    Mistake(("wrong-tensor-in-delta", "missing-weight-factor", None), NORM, "np.mean(dxhat * xhat, axis=-1, keepdims=True)", "np.mean(dy * xhat, axis=-1, keepdims=True)"),
    Mistake(("wrong-local-derivative", "missing-branch", None), GELU, "0.5 * u * (1 - th**2) * dinner)", "0.5 * u * (1 - th**2))"),
    Mistake(("wrong-local-derivative", None), (*GELU, "dinner"), "dinner = c * (1 + 3 * 0.044715 * u**2)", "dinner = c * (1 + 0.044715 * u**2)"),
    Mistake(("output-form-on-preactivation", "wrong-tensor-in-delta", "wrong-local-derivative"), GELU, "0.5 * u * (1 - th**2) * dinner", "0.5 * u * (1 - u**2) * dinner"),
    Mistake(("missing-branch", "skipped-layer"), DX1, "    dx1 = dx1 + dx2\n", ""),
    Mistake(("missing-branch", "skipped-layer", "detached-branch"), ("dx", "(dx, grads['gain1'])"), "    dx = dx + dx1\n", ""),
    Mistake(("accumulated-twice", None), "dx1", "    dn2, *grads[\"mlp\"] = mlp_bwd(dx2, c_ff)\n    dx1, grads[\"gain2\"] = rmsnorm_bwd(dn2, c_n2)\n", "    dn2, *grads[\"mlp\"] = mlp_bwd(dx2, c_ff)\n    dx1, grads[\"gain2\"] = rmsnorm_bwd(dn2, c_n2)\n    dx1 = dx1 + dx2\n"),
    Mistake(("wrong-tensor-in-delta", "stale-forward-values", "wrong-tensor-in-weight-gradient", None), ("dx1", "(dx1, grads['gain2'])", "grads['gain2']"), "rmsnorm_bwd(dn2, c_n2)", "rmsnorm_bwd(dn2, c_n1)"),
    Mistake(("factor-2", "factor-N", "factor-const"), ("dlogits", "loss"), "    dlogits = (np.exp(logp) - onehot) / (B * T)\n", "    dlogits = (np.exp(logp) - onehot) / T\n"),
    Mistake(("bias-wrong-axis", "bias-not-reduced", "wrong-shape"), ("db_in", "mlp_bwd", "(dn2, *grads['mlp'])", "return"), "db_in = np.einsum(\"btf->f\", du)", "db_in = np.einsum(\"btf->tf\", du)"),
]
