"""Six weights and three biases with names of their own, partial derivatives multiplied out by hand, one sample a time."""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))

def deriv_sigmoid(x):
    # f'(x) = f(x) * (1 - f(x))
    fx = sigmoid(x)
    return fx * (1 - fx)


def one_sample(w1, w2, w3, w4, w5, w6, b1, b2, b3, x, y_true):
    sum_h1 = w1 * x[0] + w2 * x[1] + b1
    h1 = sigmoid(sum_h1)
    sum_h2 = w3 * x[0] + w4 * x[1] + b2
    h2 = sigmoid(sum_h2)
    sum_o1 = w5 * h1 + w6 * h2 + b3
    o1 = sigmoid(sum_o1)
    y_pred = o1
    L = (y_true - y_pred) ** 2

    # --- Naming: d_L_d_w1 represents "partial L / partial w1"
    d_L_d_ypred = -2 * (y_true - y_pred)

    # Neuron o1
    d_ypred_d_w5 = h1 * deriv_sigmoid(sum_o1)
    d_ypred_d_w6 = h2 * deriv_sigmoid(sum_o1)
    d_ypred_d_b3 = deriv_sigmoid(sum_o1)
    d_ypred_d_h1 = w5 * deriv_sigmoid(sum_o1)
    d_ypred_d_h2 = w6 * deriv_sigmoid(sum_o1)

    # Neuron h1
    d_h1_d_w1 = x[0] * deriv_sigmoid(sum_h1)
    d_h1_d_w2 = x[1] * deriv_sigmoid(sum_h1)
    d_h1_d_b1 = deriv_sigmoid(sum_h1)

    # Neuron h2
    d_h2_d_w3 = x[0] * deriv_sigmoid(sum_h2)
    d_h2_d_w4 = x[1] * deriv_sigmoid(sum_h2)
    d_h2_d_b2 = deriv_sigmoid(sum_h2)

    # --- chain rule
    d_w1 = d_L_d_ypred * d_ypred_d_h1 * d_h1_d_w1
    d_w2 = d_L_d_ypred * d_ypred_d_h1 * d_h1_d_w2
    d_b1 = d_L_d_ypred * d_ypred_d_h1 * d_h1_d_b1
    d_w3 = d_L_d_ypred * d_ypred_d_h2 * d_h2_d_w3
    d_w4 = d_L_d_ypred * d_ypred_d_h2 * d_h2_d_w4
    d_b2 = d_L_d_ypred * d_ypred_d_h2 * d_h2_d_b2
    d_w5 = d_L_d_ypred * d_ypred_d_w5
    d_w6 = d_L_d_ypred * d_ypred_d_w6
    d_b3 = d_L_d_ypred * d_ypred_d_b3
    return L, (d_w1, d_w2, d_w3, d_w4, d_w5, d_w6, d_b1, d_b2, d_b3)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    names = ("w1", "w2", "w3", "w4", "w5", "w6", "b1", "b2", "b3")
    return call(user.one_sample, *rng.normal(size=9), rng.normal(size=2), 1, wrt=names)


RIGHT = [
    Right("d_L_d_ypred = -2 * (y_true - y_pred)", "d_L_d_ypred = 2 * y_pred - 2 * y_true"),
    Right("d_ypred_d_w5 = h1 * deriv_sigmoid(sum_o1)", "d_ypred_d_w5 = h1 * o1 * (1 - o1)"),
    Right("    d_w1 = d_L_d_ypred * d_ypred_d_h1 * d_h1_d_w1\n", "    d_L_d_h1 = d_L_d_ypred * d_ypred_d_h1\n    d_w1 = d_L_d_h1 * d_h1_d_w1\n"),
]

MISTAKES = [
    Mistake("sign", "d_L_d_ypred", "-2 * (y_true - y_pred)", "2 * (y_true - y_pred)"),
    Mistake("factor-half", ("d_L_d_ypred", "L"), "-2 * (y_true - y_pred)", "-(y_true - y_pred)"),
    Mistake("activation-derivative-at-activation", "d_ypred_d_w5", "d_ypred_d_w5 = h1 * deriv_sigmoid(sum_o1)", "d_ypred_d_w5 = h1 * deriv_sigmoid(o1)"),
    Mistake("activation-derivative-of-wrong-layer", "d_ypred_d_h1", "d_ypred_d_h1 = w5 * deriv_sigmoid(sum_o1)", "d_ypred_d_h1 = w5 * deriv_sigmoid(sum_h1)"),
    Mistake("activation-derivative-of-wrong-layer", "d_h2_d_w3", "d_h2_d_w3 = x[0] * deriv_sigmoid(sum_h2)", "d_h2_d_w3 = x[0] * deriv_sigmoid(sum_h1)"),
    Mistake("missing-activation-derivative", "d_ypred_d_b3", "d_ypred_d_b3 = deriv_sigmoid(sum_o1)", "d_ypred_d_b3 = 1"),
    Mistake("missing-activation-derivative", "d_h1_d_w2", "d_h1_d_w2 = x[1] * deriv_sigmoid(sum_h1)", "d_h1_d_w2 = x[1]"),
    Mistake(("off-by-one-index", "wrong-tensor-in-weight-gradient"), "d_h1_d_w2", "d_h1_d_w2 = x[1]", "d_h1_d_w2 = x[0]"),
    Mistake(("wrong-tensor-in-delta", None), "d_ypred_d_h1", "d_ypred_d_h1 = w5", "d_ypred_d_h1 = w6"),
    Mistake("missing-weight-factor", "d_ypred_d_h2", "d_ypred_d_h2 = w6 * deriv", "d_ypred_d_h2 = deriv"),
    Mistake(("missing-branch", "missing-weight-factor", "skipped-layer", None), "d_w3", "d_w3 = d_L_d_ypred * d_ypred_d_h2 * d_h2_d_w3", "d_w3 = d_L_d_ypred * d_h2_d_w3"),
    Mistake(("wrong-tensor-in-delta", "off-by-one-index", None), "d_w4", "d_ypred_d_h2 * d_h2_d_w4", "d_ypred_d_h1 * d_h2_d_w4"),
    Mistake("wrong-tensor-in-weight-gradient", "d_ypred_d_w6", "d_ypred_d_w6 = h2 *", "d_ypred_d_w6 = h1 *"),
    Mistake("wrong-tensor-in-weight-gradient", "d_ypred_d_w6", "d_ypred_d_w6 = h2 *", "d_ypred_d_w6 = sum_h2 *"),
    Mistake("output-form-on-preactivation", "d_ypred_d_b3", "d_ypred_d_b3 = deriv_sigmoid(sum_o1)", "d_ypred_d_b3 = sum_o1 * (1 - sum_o1)"),
    Mistake(("off-by-one-index", None), ("return", "d_w5", "d_w6"), "d_w5, d_w6, d_b1", "d_w6, d_w5, d_b1"),
    Mistake("updated-weights", ("d_ypred_d_h1", "w5"), "    d_ypred_d_h1 =", "    w5 = w5 - 0.1 * d_L_d_ypred * d_ypred_d_w5\n    d_ypred_d_h1 ="),
    Mistake(None, "d_ypred_d_h1", "d_ypred_d_h1 = w5 * deriv_sigmoid(sum_o1)", "d_ypred_d_h1 = -w6 * deriv_sigmoid(h2)", fix=False),
]
