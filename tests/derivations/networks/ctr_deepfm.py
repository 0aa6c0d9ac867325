"""Click-through model: wide part + factorization machine + deep tower, sharing one set of embeddings.

Plain numpy re-implementation of our production DeepFM so that we can unit test the gradients. Negatives are
down-sampled upstream, hence the class weight. Dropout masks are drawn by the data loader and passed in.
"""
import numpy as np

FIELDS = ["user_segment", "ad_group", "publisher"]


class DeepFM:
    BN_EPS = 2e-2  # small batches in the unit tests, keras default is 1e-3

    def __init__(self, params, click_weight=4.0, keep_prob=0.75, l2=0.02):
        self.params = params
        self.click_weight = click_weight
        self.keep_prob = keep_prob
        self.l2 = l2
        self.cache = {}

    # ------------------------------------------------------------------ layers
    def batchnorm(self, x, gamma, beta):
        mean = x.mean(axis=0)
        var = x.var(axis=0)
        inv_std = 1.0 / np.sqrt(var + self.BN_EPS)
        x_norm = (x - mean) * inv_std
        return gamma * x_norm + beta, {"x_norm": x_norm, "inv_std": inv_std, "var": var}

    def batchnorm_grad(self, d_out, gamma, bn):
        x_norm, inv_std = bn["x_norm"], bn["inv_std"]
        d_norm = d_out * gamma
        d_gamma = np.sum(d_out * x_norm, axis=0)
        d_beta = np.sum(d_out, axis=0)
        d_x = inv_std * (d_norm - d_norm.mean(axis=0) - x_norm * (d_norm * x_norm).mean(axis=0))
        return d_x, d_gamma, d_beta

    # ----------------------------------------------------------------- forward
    def forward(self, ids, dense, masks):
        p, c = self.params, self.cache
        n = len(dense)

        linear = dense @ p["wide"]["dense"] + p["wide"]["bias"]
        for j, field in enumerate(FIELDS):
            linear = linear + p["wide"][field][ids[:, j]]

        vecs = np.stack([p["emb"][field][ids[:, j]] for j, field in enumerate(FIELDS)], axis=1)  # (n, fields, dim)
        total = vecs.sum(axis=1)
        fm = 0.5 * np.sum(total**2 - np.sum(vecs**2, axis=1), axis=1)

        act = np.concatenate([vecs.reshape(n, -1), dense], axis=1)
        c["layers"] = []
        for layer, mask in zip(p["deep"], masks):
            z = act @ layer["W"]
            normed, bn = self.batchnorm(z, layer["gamma"], layer["beta"])
            c["layers"].append({"input": act, "normed": normed, "bn": bn, "mask": mask})
            act = np.maximum(normed, 0) * mask / self.keep_prob
        c["vecs"], c["total"], c["top"] = vecs, total, act
        return linear + fm + act @ p["out"]["w"]

    # -------------------------------------------------------------------- loss
    def loss_and_grads(self, ids, dense, clicks, masks):
        logit = self.forward(ids, dense, masks)
        weight = np.where(clicks == 1, self.click_weight, 1.0)
        xent = np.logaddexp(0, logit) - clicks * logit
        loss = np.sum(weight * xent) / np.sum(weight)
        for field in FIELDS:
            loss += 0.5 * self.l2 * np.sum(self.params["emb"][field] ** 2)

        p, c = self.params, self.cache
        n = len(dense)
        grads = {"wide": {}, "emb": {}, "deep": [None] * len(p["deep"]), "out": {}}
        prob = 1 / (1 + np.exp(-logit))
        d_logit = weight * (prob - clicks) / np.sum(weight)

        # deep tower
        grads["out"]["w"] = c["top"].T @ d_logit
        d_act = np.outer(d_logit, p["out"]["w"])
        for k in reversed(range(len(p["deep"]))):
            layer, saved = p["deep"][k], c["layers"][k]
            d_relu = d_act * saved["mask"] / self.keep_prob
            d_normed = d_relu * (saved["normed"] > 0)
            d_z, d_gamma, d_beta = self.batchnorm_grad(d_normed, layer["gamma"], saved["bn"])
            grads["deep"][k] = {"W": saved["input"].T @ d_z, "gamma": d_gamma, "beta": d_beta}
            d_act = d_z @ layer["W"].T
        n_emb = c["vecs"][0].size
        d_vecs = d_act[:, :n_emb].reshape(c["vecs"].shape)

        # fm
        d_vecs = d_vecs + d_logit[:, None, None] * (c["total"][:, None, :] - c["vecs"])

        # wide + scatter into the tables
        grads["wide"]["dense"] = dense.T @ d_logit
        grads["wide"]["bias"] = np.sum(d_logit, keepdims=True)
        for j, field in enumerate(FIELDS):
            g_first = np.zeros_like(p["wide"][field])
            np.add.at(g_first, ids[:, j], d_logit)
            g_emb = self.l2 * p["emb"][field]
            np.add.at(g_emb, ids[:, j], d_vecs[:, j])
            grads["wide"][field] = g_first
            grads["emb"][field] = g_emb
        return loss, grads


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    n, dim, numeric, vocab, hidden = 9, 2, 3, (4, 7, 5), (6, 5)
    wide = {field: 0.5 * rng.normal(size=k) for field, k in zip(user.FIELDS, vocab)}
    wide |= {"dense": 0.5 * rng.normal(size=numeric), "bias": 0.3 * rng.normal(size=1)}
    emb = {field: 0.6 * rng.normal(size=(k, dim)) for field, k in zip(user.FIELDS, vocab)}
    sizes = (3 * dim + numeric, *hidden)
    deep = [
        {"W": 0.6 * rng.normal(size=(a, b)), "gamma": rng.uniform(0.5, 1.5, b), "beta": 0.5 + 0.3 * rng.normal(size=b)}
        for a, b in zip(sizes, sizes[1:])
    ]
    model = user.DeepFM({"wide": wide, "emb": emb, "deep": deep, "out": {"w": 0.7 * rng.normal(size=hidden[-1])}})
    ids = np.stack([rng.integers(0, k, size=n) for k in vocab], axis=1)
    masks = [(rng.uniform(size=(n, k)) < 0.75).astype(float) for k in hidden]
    clicks = rng.permutation([1, 0, 0, 1, 0, 1, 0, 0, 1])
    return call(model.loss_and_grads, ids, rng.normal(size=(n, numeric)), clicks, masks, loss="loss", gradients={"self.params": "grads"})


RIGHT = [
    Right(
        "        d_x = inv_std * (d_norm - d_norm.mean(axis=0) - x_norm * (d_norm * x_norm).mean(axis=0))\n        return d_x, d_gamma, d_beta\n",
        "        d_x = gamma * inv_std / len(d_out) * (len(d_out) * d_out - d_beta - x_norm * d_gamma)\n        return d_x, d_gamma, d_beta\n",
    ),
    Right(
        "            g_emb = self.l2 * p[\"emb\"][field]\n            np.add.at(g_emb, ids[:, j], d_vecs[:, j])\n",
        "            hot = np.eye(len(p[\"emb\"][field]))[ids[:, j]]\n            g_emb = hot.T @ d_vecs[:, j] + self.l2 * p[\"emb\"][field]\n",
    ),
    Right("        d_logit = weight * (prob - clicks) / np.sum(weight)\n", "        # d/dz of -log p for a click, of -log(1-p) otherwise\n        d_logit = np.where(clicks == 1, -self.click_weight * (1 - prob), prob)\n        d_logit /= weight.sum()\n"),
    Right(
        "            d_relu = d_act * saved[\"mask\"] / self.keep_prob\n            d_normed = d_relu * (saved[\"normed\"] > 0)\n",
        "            alive = (saved[\"normed\"] > 0) & (saved[\"mask\"] > 0)\n            d_normed = np.where(alive, d_act / self.keep_prob, 0.0)\n",
    ),
    Right(
        "        d_vecs = d_vecs + d_logit[:, None, None] * (c[\"total\"][:, None, :] - c[\"vecs\"])\n",
        "        for a in range(len(FIELDS)):\n            for b in range(len(FIELDS)):\n                if a != b:\n                    d_vecs[:, a] += c[\"vecs\"][:, b] * d_logit[:, None]\n",
    ),
]

DX = ("d_x", "batchnorm_grad", "return", "(d_x, d_gamma, d_beta)", "d_z", "(d_z, d_gamma, d_beta)")
GAMMA = ("d_gamma", "batchnorm_grad", "return", "(d_x, d_gamma, d_beta)", "(d_z, d_gamma, d_beta)")
GEMB = ("g_emb", 'grads["emb"][field]', "grads")
LOGIT = "        d_logit = weight * (prob - clicks) / np.sum(weight)\n"
FM = "        d_vecs = d_vecs + d_logit[:, None, None] * (c[\"total\"][:, None, :] - c[\"vecs\"])\n"
FULL = "inv_std * (d_norm - d_norm.mean(axis=0) - x_norm * (d_norm * x_norm).mean(axis=0))"

MISTAKES = [
    Mistake("overwritten-not-accumulated", ("g_emb[ids[:, j]]", *GEMB), "            np.add.at(g_emb, ids[:, j], d_vecs[:, j])\n", "            g_emb[ids[:, j]] += d_vecs[:, j]\n"),
    Mistake("overwritten-not-accumulated", ("g_first[ids[:, j]]", "g_first", 'grads["wide"][field]'), "            np.add.at(g_first, ids[:, j], d_logit)\n", "            g_first[ids[:, j]] = d_logit\n"),
    Mistake("regulariser-forgotten", GEMB, "g_emb = self.l2 * p[\"emb\"][field]", "g_emb = np.zeros_like(p[\"emb\"][field])"),
    Mistake("regulariser-scale", GEMB, "g_emb = self.l2 * p[\"emb\"][field]", "g_emb = self.l2 * p[\"emb\"][field] / n"),
    Mistake(("off-by-one-index", "wrong-tensor-in-weight-gradient", "wrong-tensor-in-delta"), GEMB, "np.add.at(g_emb, ids[:, j], d_vecs[:, j])", "np.add.at(g_emb, ids[:, j], d_vecs[:, j - 1])"),
    Mistake(("aliasing", "input-mutated", "stale-forward-values", "wrong-tensor-in-weight-gradient"), ("out", "x_norm", "batchnorm", *GAMMA), "        return gamma * x_norm + beta, {", "        out = x_norm\n        out *= gamma\n        out += beta\n        return out, {"),
    Mistake(("missing-branch", "detached-branch"), "d_vecs", FM, ""),
    Mistake(("overwritten-not-accumulated", "missing-branch", "detached-branch"), "d_vecs", FM, FM.replace("d_vecs + ", "")),
    Mistake(("wrong-local-derivative", "missing-branch", None), "d_vecs", FM, FM.replace('(c["total"][:, None, :] - c["vecs"])', 'c["total"][:, None, :]')),
    Mistake(("missing-target", "wrong-loss-derivative"), "d_logit", LOGIT, LOGIT.replace("(prob - clicks)", "prob")),
    Mistake(("missing-weight-factor", "wrong-loss-derivative", None), "d_logit", LOGIT, LOGIT.replace("weight * (", "(")),
    Mistake("factor-const", ("d_logit", "loss"), LOGIT, LOGIT.replace("np.sum(weight)", "n")),
    Mistake(("activation-derivative-twice", "wrong-loss-derivative"), "d_logit", LOGIT, LOGIT.replace("(prob - clicks)", "(prob - clicks) * prob * (1 - prob)")),
    Mistake(("missing-branch", "missing-weight-factor", "wrong-local-derivative", None), "d_relu", "            d_relu = d_act * saved[\"mask\"] / self.keep_prob\n", "            d_relu = d_act / self.keep_prob\n"),
    Mistake(("factor-const", "missing-weight-factor"), "d_relu", "            d_relu = d_act * saved[\"mask\"] / self.keep_prob\n", "            d_relu = d_act * saved[\"mask\"]\n"),
    Mistake(("relu-mask-from-wrong-tensor", "wrong-tensor-in-delta"), "d_normed", "(saved[\"normed\"] > 0)", "(saved[\"bn\"][\"x_norm\"] > 0)"),
    Mistake(("missing-branch", "wrong-local-derivative", None), DX, FULL, "inv_std * d_norm"),
    Mistake(("missing-branch", None), DX, FULL, "inv_std * (d_norm - d_norm.mean(axis=0))"),
    Mistake(("epsilon-ignored", "wrong-local-derivative"), ("inv_std", "(x_norm, inv_std)", *DX), "        x_norm, inv_std = bn[\"x_norm\"], bn[\"inv_std\"]\n", "        x_norm, inv_std = bn[\"x_norm\"], 1 / np.sqrt(bn[\"var\"])\n"),
    Mistake(("ddof", "forward-differs"), ("var", "batchnorm", *DX), "        var = x.var(axis=0)\n", "        var = x.var(axis=0, ddof=1)\n"),
    Mistake(("factor-1/N", "factor-const", "bias-wrong-axis"), ("d_beta", "batchnorm_grad", "return", "(d_x, d_gamma, d_beta)", "(d_z, d_gamma, d_beta)"), "d_beta = np.sum(d_out, axis=0)", "d_beta = np.mean(d_out, axis=0)"),
    Mistake(("wrong-tensor-in-weight-gradient", "wrong-tensor-in-delta"), GAMMA, "d_gamma = np.sum(d_out * x_norm, axis=0)", "d_gamma = np.sum(d_norm * x_norm, axis=0)"),
    Mistake(("off-by-one-index", "wrong-tensor-in-delta", None), "d_vecs", "d_act[:, :n_emb]", "d_act[:, -n_emb:]"),
]
