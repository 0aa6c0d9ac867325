"""The blog's neural network in a dozen lines: errors are y - l2, so the updates, not the gradients, come out plus."""

import numpy as np

X = np.array([[0,0,1],[0,1,1],[1,0,1],[1,1,1]])
y = np.array([[0],[1],[1],[0]])


def nonlin(x, deriv=False):
    if(deriv==True):
        return x*(1-x)
    return 1/(1+np.exp(-x))


def iterate(syn0, syn1):
    l0 = X
    l1 = nonlin(np.dot(l0,syn0))
    l2 = nonlin(np.dot(l1,syn1))

    # how much did we miss?
    l2_error = y - l2
    loss = (l2_error**2).sum() / 2

    # in what direction is the target value?
    l2_delta = l2_error*nonlin(l2,deriv=True)

    # how much did each l1 value contribute to the l2 error?
    l1_error = l2_delta.dot(syn1.T)
    l1_delta = l1_error * nonlin(l1,deriv=True)

    update1 = l1.T.dot(l2_delta)
    update0 = l0.T.dot(l1_delta)
    return loss, (-update0, -update1)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    return call(user.iterate, rng.normal(size=(3, 7)), rng.normal(size=(7, 1)))


ORDER = "    update1 = l1.T.dot(l2_delta)\n    update0"

RIGHT = [
    Right("return x*(1-x)", "return x - x*x"),
    Right("loss = (l2_error**2).sum() / 2", "loss = 0.5 * l2_error.T.dot(l2_error)"),
    Right("    return loss, (-update0, -update1)", "    update0 *= -1\n    update1 *= -1\n    return loss, (update0, update1)"),
    Right("l2_delta = l2_error*nonlin(l2,deriv=True)", "l2_delta = l2_error; l2_delta = l2_delta * l2; l2_delta = l2_delta * (1 - l2)"),
]

MISTAKES = [
    Mistake("sign", ("return", "update0", "syn0"), "(-update0, -update1)", "(update0, -update1)"),
    Mistake("sign", ("l2_error", "l2_delta", "return"), "    l2_error = y - l2", "    l2_error = l2 - y"),
    Mistake("sign", ("return", "l2_delta", "l2_error", "update1"), "(-update0, -update1)", "(update0, update1)"),
    Mistake("output-form-on-preactivation", "l1_delta", "l1_error * nonlin(l1,deriv=True)", "l1_error * nonlin(np.dot(l0,syn0),deriv=True)"),
    Mistake("output-form-on-preactivation", "l2_delta", "nonlin(l2,deriv=True)", "nonlin(np.dot(l1,syn1),deriv=True)"),
    Mistake("activation-derivative-of-wrong-layer", "l1_delta", "l1_error * nonlin(l1,deriv=True)", "l1_error * nonlin(l2,deriv=True)"),
    Mistake("missing-activation-derivative", "l1_delta", "l1_error * nonlin(l1,deriv=True)", "l1_error"),
    Mistake("missing-activation-derivative", "l1_error", "l1_error = l2_delta.dot(syn1.T)", "l1_error = l2_error.dot(syn1.T)"),
    Mistake(("derivative-of-another-activation", "wrong-local-derivative", None), "l2_delta", "nonlin(l2,deriv=True)", "nonlin(l2)"),
    Mistake("updated-weights", ("l1_error", "syn1"), "    # how much did each l1 value", "    syn1 = syn1 + l1.T.dot(l2_delta)\n    # how much did each l1 value"),
    Mistake("updated-weights", ("l1_error", "syn1"), "    # how much did each l1 value", "    syn1 = syn1 + 0.01 * l1.T.dot(l2_delta)\n    # how much did each l1 value"),
    Mistake(("wrong-tensor-in-delta", "wrong-tensor-in-weight-gradient", "missing-activation-derivative"), "update1", "update1 = l1.T.dot(l2_delta)", "update1 = l1.T.dot(l2_error)"),
    Mistake(("wrong-tensor-in-delta", "wrong-tensor-in-weight-gradient", "missing-activation-derivative"), "update0", "update0 = l0.T.dot(l1_delta)", "update0 = l0.T.dot(l1_error)"),
    Mistake(("factor-2", "factor-half"), ("loss", "l2_delta", "l2_error"), "loss = (l2_error**2).sum() / 2", "loss = (l2_error**2).sum()"),
    Mistake("factor-N", ("loss", "l2_delta", "l2_error"), "loss = (l2_error**2).sum() / 2", "loss = (l2_error**2).mean() / 2"),
    Mistake("wrong-loss-derivative", ("loss", "l2_delta", "l2_error"), "loss = (l2_error**2).sum() / 2", "loss = np.abs(l2_error).sum()"),
    Mistake("missing-weight-factor", "l1_error", "l1_error = l2_delta.dot(syn1.T)", "l1_error = l2_delta"),
    Mistake("integer-dtype", ("l2_error", "l2_error[:]"), "    l2_error = y - l2\n    loss = (l2_error**2).sum() / 2\n", "    loss = ((y - l2)**2).sum() / 2\n    l2_error = np.zeros_like(y)\n    l2_error[:] = y - l2\n"),
    Mistake(("input-mutated", "aliasing", "stale-forward-values", "wrong-tensor-in-weight-gradient", None), ("l1", "update1"), ORDER, "    l1 *= 1 - l1\n" + ORDER, fix=False),
]
