"""ppo_from_scratch.py -- PPO on CartPole without torch, for my blog.

Only the update is here; the rollout worker fills the batch (obs, actions, old_logp, adv, returns).
Every gradient is checked on paper in notes/ppo_grads.pdf.
"""
import numpy as np


def log_softmax(x):
    x = x - x.max(axis=1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=1, keepdims=True))


class Agent:
    clip_eps = 0.2
    vf_coef = 0.5
    ent_coef = 0.1

    def __init__(self, obs_dim, hidden, n_actions, rng):
        self.n_actions = n_actions
        self.W1 = rng.normal(size=(obs_dim, hidden)) / np.sqrt(obs_dim)
        self.b1 = 0.1 * rng.normal(size=hidden)
        self.Wpi = rng.normal(size=(hidden, n_actions)) / np.sqrt(hidden)
        self.bpi = 0.1 * rng.normal(size=n_actions)
        self.Wv = rng.normal(size=(hidden, 1)) / np.sqrt(hidden)
        self.bv = 0.1 * rng.normal(size=1)

    def forward(self, obs):
        self.obs = obs
        self.pre = obs @ self.W1 + self.b1
        self.h = np.tanh(self.pre)
        self.logits = self.h @ self.Wpi + self.bpi
        self.values = self.h @ self.Wv + self.bv  # (N, 1)
        return self.logits, self.values

    def ppo_loss(self, obs, actions, old_logp, adv, returns):
        N = len(obs)
        idx = np.arange(N)
        logits, values = self.forward(obs)

        # normalise advantages, as everybody does
        A = (adv - adv.mean()) / (adv.std() + 1e-8)

        logp_all = log_softmax(logits)
        probs = np.exp(logp_all)
        logp = logp_all[idx, actions]
        ratio = np.exp(logp - old_logp)
        surr1 = ratio * A
        surr2 = np.clip(ratio, 1 - self.clip_eps, 1 + self.clip_eps) * A
        pi_loss = -np.minimum(surr1, surr2).mean()

        v_err = values - returns[:, None]
        v_loss = np.mean(v_err**2)

        entropy = -(probs * logp_all).sum(axis=1)
        loss = pi_loss + self.vf_coef * v_loss - self.ent_coef * entropy.mean()

        # ---- backward: policy head
        use = surr1 <= surr2
        d_ratio = -A * use / N
        d_logp = d_ratio * ratio
        onehot = np.zeros((N, self.n_actions))
        onehot[idx, actions] = 1
        d_logits = d_logp[:, None] * (onehot - probs)
        d_logits += self.ent_coef / N * probs * (logp_all + entropy[:, None])
        d_Wpi = self.h.T @ d_logits
        d_bpi = d_logits.sum(axis=0)

        # ---- value head
        d_v = 2 * self.vf_coef * v_err / N
        d_Wv = self.h.T @ d_v
        d_bv = d_v.sum(axis=0)

        # ---- shared trunk
        d_h = d_logits @ self.Wpi.T
        d_h += d_v @ self.Wv.T
        d_pre = d_h * (1 - self.h**2)
        d_W1 = obs.T @ d_pre
        d_b1 = d_pre.sum(axis=0)
        return loss, (d_W1, d_b1, d_Wpi, d_bpi, d_Wv, d_bv)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    N, obs_dim, hidden, n_actions = 13, 4, 6, 3
    agent = user.Agent(obs_dim, hidden, n_actions, rng)
    obs, actions = rng.normal(size=(N, obs_dim)), rng.integers(0, n_actions, size=N)
    old_logp = user.log_softmax(agent.forward(obs)[0])[np.arange(N), actions] + 0.35 * rng.normal(size=N)
    adv, returns = 2 * rng.normal(size=N) + 1, rng.normal(size=N)
    names = ("self.W1", "self.b1", "self.Wpi", "self.bpi", "self.Wv", "self.bv")
    return call(agent.ppo_loss, obs, actions, old_logp, adv, returns, wrt=names)


import numpy as np

RIGHT = [
    Right(
        "        use = surr1 <= surr2\n        d_ratio = -A * use / N\n",
        "        clipped = ((A > 0) & (ratio > 1 + self.clip_eps)) | ((A < 0) & (ratio < 1 - self.clip_eps))\n        d_ratio = np.where(clipped, 0.0, -A / N)\n",
    ),
    Right(
        "        d_logits = d_logp[:, None] * (onehot - probs)\n        d_logits += self.ent_coef / N * probs * (logp_all + entropy[:, None])\n",
        "        d_logp_all = d_logp[:, None] * onehot + self.ent_coef / N * probs * (logp_all + 1)\n        d_logits = d_logp_all - probs * d_logp_all.sum(axis=1, keepdims=True)\n        # entropy: probs also depends on the logits, but log p + 1 takes care of it\n",
    ),
    Right(
        "        d_h = d_logits @ self.Wpi.T\n        d_h += d_v @ self.Wv.T\n        d_pre = d_h * (1 - self.h**2)\n",
        "        d_pre = (d_logits @ self.Wpi.T + np.outer(d_v, self.Wv)) / np.cosh(self.pre) ** 2\n",
    ),
    Right("        d_logp = d_ratio * ratio\n", "        d_logp = -np.where(use, surr1, 0) / N\n"),
    Right(
        "        d_v = 2 * self.vf_coef * v_err / N\n        d_Wv = self.h.T @ d_v\n        d_bv = d_v.sum(axis=0)\n",
        "        td = returns[:, None] - values\n        d_v = -self.vf_coef * td * 2 / td.size\n        d_Wv = np.einsum('nh,nk->hk', self.h, d_v)\n        d_bv = np.ones(N) @ d_v\n",
    ),
]

D_RATIO = "d_ratio = -A * use / N"
D_LOGITS = "d_logits = d_logp[:, None] * (onehot - probs)"
D_ENT = "d_logits += self.ent_coef / N * probs * (logp_all + entropy[:, None])"
D_V = "d_v = 2 * self.vf_coef * v_err / N"
D_PRE = "d_pre = d_h * (1 - self.h**2)"

MISTAKES = [
    Mistake("sign", "d_ratio", D_RATIO, "d_ratio = A * use / N"),
    Mistake("factor-N", "d_ratio", D_RATIO, "d_ratio = -A * use"),
    Mistake(("wrong-tensor-in-delta", "stale-forward-values", "wrong-loss-derivative", None), "d_ratio", D_RATIO, "d_ratio = -adv * use / N"),
    Mistake(("missing-activation-derivative", "wrong-local-derivative", "wrong-loss-derivative", None), "d_ratio", D_RATIO, "d_ratio = -A / N"),
    Mistake(("relu-mask-inverted", "wrong-local-derivative", None), "use", "use = surr1 <= surr2", "use = surr1 > surr2"),
    Mistake(("wrong-local-derivative", "relu-mask-from-wrong-tensor", None), "use", "use = surr1 <= surr2", "use = np.abs(ratio - 1) < self.clip_eps"),
    Mistake(("missing-activation-derivative", "skipped-layer", "wrong-local-derivative"), "d_logp", "d_logp = d_ratio * ratio", "d_logp = d_ratio"),
    Mistake(("wrong-local-derivative", "derivative-of-another-activation"), "d_logp", "d_logp = d_ratio * ratio", "d_logp = d_ratio / ratio"),
    Mistake("sign", "d_logits", D_LOGITS, "d_logits = d_logp[:, None] * (probs - onehot)"),
    Mistake(("missing-target", "wrong-local-derivative", "missing-branch", None), ("d_logits", "onehot"), "        onehot[idx, actions] = 1\n", ""),
    Mistake(("aliasing", "input-mutated"), ("d_logits", "probs"), D_LOGITS, "d_logits = probs\n        d_logits *= -d_logp[:, None]\n        d_logits[idx, actions] += d_logp"),
    Mistake(("missing-branch", "regulariser-forgotten", "detached-branch"), ("d_logits", "d_Wpi"), "        d_logits += self.ent_coef / N * probs * (logp_all + entropy[:, None])\n", ""),
    Mistake(("sign", "regulariser-scale"), "d_logits", D_ENT, "d_logits -= self.ent_coef / N * probs * (logp_all + entropy[:, None])"),
    Mistake(("wrong-local-derivative", "softmax-diagonal-only", "missing-branch", None), "d_logits", D_ENT, "d_logits += self.ent_coef / N * probs * (logp_all + 1)"),
    Mistake(("overwritten-not-accumulated", "missing-branch"), "d_logits", D_ENT, "d_logits = self.ent_coef / N * probs * (logp_all + entropy[:, None])"),
    Mistake("factor-half", ("d_v", "v_loss", "loss"), D_V, "d_v = self.vf_coef * v_err / N"),
    Mistake(("factor-2", "factor-const", "wrong-loss-derivative", None), ("d_v", "loss"), D_V, "d_v = 2 * v_err / N"),
    Mistake("accidental-broadcast", ("v_loss", "v_err", "d_v", "loss"), "v_loss = np.mean(v_err**2)", "v_loss = np.mean((values - returns) ** 2)"),
    Mistake(("missing-branch", "detached-branch"), "d_h", "        d_h += d_v @ self.Wv.T\n", ""),
    Mistake("overwritten-not-accumulated", "d_h", "d_h += d_v @ self.Wv.T", "d_h = d_v @ self.Wv.T"),
    Mistake("output-form-on-preactivation", "d_pre", D_PRE, "d_pre = d_h * (1 - self.pre**2)"),
    Mistake(("derivative-of-another-activation", "wrong-local-derivative"), "d_pre", D_PRE, "d_pre = d_h * self.h * (1 - self.h)"),
    Mistake(("wrong-tensor-in-delta", "missing-activation-derivative"), "d_b1", "d_b1 = d_pre.sum(axis=0)", "d_b1 = d_h.sum(axis=0)"),
    Mistake("factor-1/N", "d_bpi", "d_bpi = d_logits.sum(axis=0)", "d_bpi = d_logits.mean(axis=0)"),
    Mistake(("bias-wrong-axis", "reduced-too-early", "wrong-shape"), "d_bpi", "d_bpi = d_logits.sum(axis=0)", "d_bpi = d_logits.sum()"),
]
