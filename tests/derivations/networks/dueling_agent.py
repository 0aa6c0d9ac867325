"""A deep Q agent in camelCase: value and advantage heads, a frozen target network, Huber on the TD error, priorities."""

import numpy as np


class DuelingAgent:
    GAMMA = 0.95

    def __init__(self, online, frozen):
        self.wHidden, self.bHidden, self.wValue, self.bValue, self.wAdv, self.bAdv = online
        self.frozen = frozen  # copy of the weights from some time ago

    @staticmethod
    def softsign(z):
        return z / (1 + np.abs(z))

    @staticmethod
    def huber(e):
        return np.where(np.abs(e) < 1, 0.5 * e**2, np.abs(e) - 0.5)

    def targetQ(self, nextStates):
        wHidden, bHidden, wValue, bValue, wAdv, bAdv = self.frozen
        hidden = self.softsign(nextStates @ wHidden + bHidden)
        advantage = hidden @ wAdv + bAdv
        return hidden @ wValue + bValue + advantage - advantage.mean(axis=1, keepdims=True)

    def replay(self, states, actions, rewards, nextStates, done, importance):
        batchSize = states.shape[0]
        rows = np.arange(batchSize)
        # what the network thinks
        zHidden = states @ self.wHidden + self.bHidden
        hidden = self.softsign(zHidden)
        value = hidden @ self.wValue + self.bValue
        advantage = hidden @ self.wAdv + self.bAdv
        qValues = value + advantage - advantage.mean(axis=1, keepdims=True)
        qTaken = qValues[rows, actions]
        # what it should think (Bellman)
        bestNext = self.targetQ(nextStates).max(axis=1)
        target = rewards + self.GAMMA * bestNext * (1 - done)
        tdError = qTaken - target
        loss = np.mean(importance * self.huber(tdError))

        # gradients
        gradTaken = importance * np.clip(tdError, -1, 1) / batchSize
        gradQ = np.zeros_like(qValues)
        gradQ[rows, actions] = gradTaken
        gradValue = gradQ.sum(axis=1, keepdims=True)
        gradAdv = gradQ - gradQ.mean(axis=1, keepdims=True)
        self.gradWValue = hidden.T @ gradValue
        self.gradBValue = gradValue.sum(axis=0)
        self.gradWAdv = hidden.T @ gradAdv
        self.gradBAdv = gradAdv.sum(axis=0)
        gradHidden = gradValue @ self.wValue.T + gradAdv @ self.wAdv.T
        gradZ = gradHidden / (1 + np.abs(zHidden)) ** 2
        self.gradWHidden = states.T @ gradZ
        self.gradBHidden = gradZ.sum(axis=0)
        return loss


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    N, D, H, A = 7, 3, 5, 4

    def weights():
        return [rng.normal(size=s) for s in ((D, H), (H,), (H, 1), (1,), (H, A), (A,))]

    agent = user.DuelingAgent(weights(), weights())
    states, nextStates = rng.normal(size=(2, N, D))
    rewards, done = rng.normal(size=N), rng.permutation([0.0, 0, 0, 0, 0, 1, 1])
    names = "wHidden", "bHidden", "wValue", "bValue", "wAdv", "bAdv"
    gradients = {f"self.{n}": f"self.grad{n[0].upper()}{n[1:]}" for n in names}
    actions = rng.permutation([0, 1, 2, 3, 0, 1, 2])
    return call(agent.replay, states, actions, rewards, nextStates, done, rng.uniform(0.3, 1.0, size=N), loss="loss", gradients=gradients)


import numpy as np

RIGHT = [
    Right("gradHidden / (1 + np.abs(zHidden)) ** 2", "gradHidden * (1 - np.abs(hidden)) ** 2"),
    Right("        gradValue = gradQ.sum(axis=1, keepdims=True)\n", "        gradValue = gradTaken.reshape(-1, 1)\n"),
    Right("np.clip(tdError, -1, 1) / batchSize", "np.where(np.abs(tdError) < 1, tdError, np.sign(tdError)) / batchSize"),
    Right("        gradAdv = gradQ - gradQ.mean(axis=1, keepdims=True)\n", "        nActions = qValues.shape[1]\n        gradAdv = gradQ @ (np.eye(nActions) - np.full((nActions, nActions), 1 / nActions))\n"),
    Right("        qValues = value + advantage - advantage.mean(axis=1, keepdims=True)\n", "        advantage -= advantage.mean(axis=1, keepdims=True)\n        qValues = value + advantage\n"),
]

TAKEN = ("gradTaken", "gradQ[rows, actions]", "gradQ")

MISTAKES = [
    Mistake("sign", ("tdError", "gradTaken"), "tdError = qTaken - target", "tdError = target - qTaken"),
    Mistake(("wrong-loss-derivative", "derivative-of-another-activation", None), ("gradTaken", "loss"), "importance * np.clip(tdError, -1, 1) / batchSize", "importance * tdError / batchSize"),
    Mistake(("wrong-loss-derivative", None, "wrong-local-derivative"), ("gradTaken",), "importance * np.clip(tdError, -1, 1) / batchSize", "importance * np.sign(tdError) / batchSize"),
    Mistake(("wrong-loss-derivative", "missing-weight-factor", None), ("gradTaken", "loss"), "gradTaken = importance * np.clip", "gradTaken = np.clip"),
    Mistake("factor-2", ("gradTaken", "loss"), "gradTaken = importance * np", "gradTaken = 2 * importance * np"),
    Mistake("factor-N", ("gradTaken", "loss"), "np.clip(tdError, -1, 1) / batchSize", "np.clip(tdError, -1, 1)"),
    Mistake(("missing-target", "wrong-loss-derivative"), "gradTaken", "np.clip(tdError, -1, 1)", "np.clip(qTaken, -1, 1)"),
    Mistake(("off-by-one-index", "wrong-tensor-in-delta", None), ("gradQ[rows, actions - 1]", "gradQ"), "gradQ[rows, actions] = gradTaken", "gradQ[rows, actions - 1] = gradTaken"),
    Mistake(("accidental-broadcast", "off-by-one-index", "overwritten-not-accumulated", None), ("gradQ[:, actions]", "gradQ"), "gradQ[rows, actions] = gradTaken", "gradQ[:, actions] = gradTaken"),
    Mistake(("missing-branch", "detached-branch", "wrong-local-derivative"), "gradAdv", "gradAdv = gradQ - gradQ.mean(axis=1, keepdims=True)", "gradAdv = gradQ"),
    Mistake(("bias-wrong-axis", "wrong-local-derivative", "softmax-wrong-axis", None), "gradAdv", "gradQ - gradQ.mean(axis=1, keepdims=True)", "gradQ - gradQ.mean(axis=0, keepdims=True)"),
    Mistake(("wrong-local-derivative", "sign", None), "gradAdv", "gradAdv = gradQ - gradQ.mean", "gradAdv = gradQ + gradQ.mean"),
    Mistake(("factor-K", "factor-const", "wrong-local-derivative", None), "gradAdv", "gradQ - gradQ.mean(axis=1, keepdims=True)", "gradQ - gradQ.sum(axis=1, keepdims=True)"),
    Mistake(("factor-const", "factor-K", "factor-1/N", "bias-wrong-axis", None), "gradValue", "gradValue = gradQ.sum(axis=1, keepdims=True)", "gradValue = gradQ.mean(axis=1, keepdims=True)"),
    Mistake(("wrong-tensor-in-delta", "wrong-tensor-in-weight-gradient"), "self.gradWAdv", "self.gradWAdv = hidden.T @ gradAdv", "self.gradWAdv = hidden.T @ gradQ"),
    Mistake("wrong-tensor-in-weight-gradient", "self.gradWValue", "self.gradWValue = hidden.T @", "self.gradWValue = zHidden.T @"),
    Mistake("missing-branch", "gradHidden", "gradValue @ self.wValue.T + gradAdv @ self.wAdv.T", "gradAdv @ self.wAdv.T"),
    Mistake("wrong-local-derivative", "gradZ", "(1 + np.abs(zHidden)) ** 2", "(1 + np.abs(zHidden))"),
    Mistake("activation-derivative-at-activation", "gradZ", "(1 + np.abs(zHidden)) ** 2", "(1 + np.abs(hidden)) ** 2"),
    Mistake(("input-mutated", "activation-derivative-at-activation", "aliasing", "stale-forward-values"), ("z", "zHidden", "hidden", "gradZ", "return", "softsign"), "        return z / (1 + np.abs(z))\n", "        z /= 1 + np.abs(z)\n        return z\n", fix=False),
    Mistake("updated-weights", ("self.wAdv", "gradHidden"), "        gradHidden = gradValue", "        self.wAdv = self.wAdv - 0.1 * self.gradWAdv\n        gradHidden = gradValue"),
]
