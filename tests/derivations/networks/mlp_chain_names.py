"""The textbook's class with every factor of the chain rule under a name of its own: d_loss__d_a_out, d_a_out__d_z_out."""

import numpy as np


def sigmoid(z):
    return 1. / (1. + np.exp(-z))


def int_to_onehot(y, num_labels):
    ary = np.zeros((y.shape[0], num_labels))
    for i, val in enumerate(y):
        ary[i, val] = 1
    return ary


class NeuralNetMLP:

    def __init__(self, weight_1, bias_1, weight_2, bias_2, weight_out, bias_out):
        # hidden, hidden, output
        self.num_classes = weight_out.shape[0]
        self.weight_1 = weight_1
        self.bias_1 = bias_1
        self.weight_2 = weight_2
        self.bias_2 = bias_2
        self.weight_out = weight_out
        self.bias_out = bias_out

    def forward(self, x):
        # input dim: [n_examples, n_features] dot [n_hidden, n_features].T
        z_1 = np.dot(x, self.weight_1.T) + self.bias_1
        a_1 = np.log1p(np.exp(z_1))      # softplus
        z_2 = np.dot(a_1, self.weight_2.T) + self.bias_2
        a_2 = sigmoid(z_2)
        z_out = np.dot(a_2, self.weight_out.T) + self.bias_out
        a_out = sigmoid(z_out)
        return z_1, a_1, a_2, a_out

    def mse(self, a_out, y):
        return np.mean((int_to_onehot(y, self.num_classes) - a_out)**2)

    def backward(self, x, z_1, a_1, a_2, a_out, y):
        #########################
        ### Output layer weights
        #########################
        y_onehot = int_to_onehot(y, self.num_classes)

        # Part 1: dLoss/dOutWeights
        ## = dLoss/dOutAct * dOutAct/dOutNet * dOutNet/dOutWeight
        d_loss__d_a_out = 2. * (a_out - y_onehot) / y_onehot.size
        d_a_out__d_z_out = a_out * (1. - a_out)
        delta_out = d_loss__d_a_out * d_a_out__d_z_out      # "delta (rule) placeholder"
        d_z_out__dw_out = a_2
        d_loss__dw_out = np.dot(delta_out.T, d_z_out__dw_out)
        d_loss__db_out = np.sum(delta_out, axis=0)

        # Part 2: dLoss/dHiddenWeights, second hidden layer
        d_z_out__a_2 = self.weight_out
        d_loss__a_2 = np.dot(delta_out, d_z_out__a_2)
        d_a_2__d_z_2 = a_2 * (1. - a_2)
        d_z_2__d_w_2 = a_1
        d_loss__d_w_2 = np.dot((d_loss__a_2 * d_a_2__d_z_2).T, d_z_2__d_w_2)
        d_loss__d_b_2 = np.sum((d_loss__a_2 * d_a_2__d_z_2), axis=0)

        # Part 3: first hidden layer
        d_z_2__a_1 = self.weight_2
        d_loss__a_1 = np.dot(d_loss__a_2 * d_a_2__d_z_2, d_z_2__a_1)
        d_a_1__d_z_1 = sigmoid(z_1)
        d_z_1__d_w_1 = x
        d_loss__d_w_1 = np.dot((d_loss__a_1 * d_a_1__d_z_1).T, d_z_1__d_w_1)
        d_loss__d_b_1 = np.sum((d_loss__a_1 * d_a_1__d_z_1), axis=0)

        return (d_loss__dw_out, d_loss__db_out, d_loss__d_w_2, d_loss__d_b_2,
                d_loss__d_w_1, d_loss__d_b_1)


def minibatch_step(X_mini, y_mini, weight_1, bias_1, weight_2, bias_2, weight_out, bias_out):
    model = NeuralNetMLP(weight_1, bias_1, weight_2, bias_2, weight_out, bias_out)
    z_1, a_1, a_2, a_out = model.forward(X_mini)
    loss = model.mse(a_out, y_mini)
    return loss, model.backward(X_mini, z_1, a_1, a_2, a_out, y_mini)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    N, D, H, L, K = 11, 2, 7, 5, 3
    weights = []
    for out, inp in ((H, D), (L, H), (K, L)):
        weights += [rng.normal(size=(out, inp)), rng.normal(size=out)]
    X, y = rng.normal(size=(N, D)), rng.integers(0, K, size=N)
    wrt = ("weight_out", "bias_out", "weight_2", "bias_2", "weight_1", "bias_1")
    return call(user.minibatch_step, X, y, *weights, wrt=wrt)


RIGHT = [
    Right("        d_a_1__d_z_1 = sigmoid(z_1)\n", "        d_a_1__d_z_1 = 1. - np.exp(-a_1)\n"),
    Right("        d_loss__dw_out = np.dot(delta_out.T, d_z_out__dw_out)\n", "        d_loss__dw_out = np.dot(d_z_out__dw_out.T, delta_out).T\n"),
    Right("    ary = np.zeros((y.shape[0], num_labels))\n    for i, val in enumerate(y):\n        ary[i, val] = 1\n    return ary\n", "    return (y[:, None] == np.arange(num_labels)).astype(float)\n"),
    Right("        d_loss__d_b_2 = np.sum((d_loss__a_2 * d_a_2__d_z_2), axis=0)\n", "        d_loss__d_b_2 = np.einsum('nj,nj->j', d_loss__a_2, d_a_2__d_z_2)\n"),
    Right("        d_z_2__a_1 = self.weight_2\n", "        d_z_2__a_1 = self.weight_2.copy()\n"),
    Right("d_loss__d_a_out = 2. * (a_out - y_onehot) / y_onehot.size", "d_loss__d_a_out = -2. * (y_onehot - a_out) / (y.shape[0] * self.num_classes)"),
]

MISTAKES = [
    Mistake(("factor-K", None), ("d_loss__d_a_out", "loss", "return"), "2. * (a_out - y_onehot) / y_onehot.size", "2. * (a_out - y_onehot) / y.shape[0]"),
    Mistake("factor-half", ("d_loss__d_a_out", "loss", "return"), "2. * (a_out - y_onehot) / y_onehot.size", "(a_out - y_onehot) / y_onehot.size"),
    Mistake("sign", "d_loss__d_a_out", "2. * (a_out - y_onehot)", "2. * (y_onehot - a_out)"),
    Mistake(("missing-target", "wrong-loss-derivative"), "d_loss__d_a_out", "2. * (a_out - y_onehot)", "2. * a_out"),
    Mistake(("accidental-broadcast", "missing-target", "wrong-loss-derivative", None), ("d_loss__d_a_out", "y_onehot"), "2. * (a_out - y_onehot)", "2. * (a_out - y[:, None])"),
    Mistake("missing-activation-derivative", "delta_out", "delta_out = d_loss__d_a_out * d_a_out__d_z_out ", "delta_out = d_loss__d_a_out "),
    Mistake("wrong-local-derivative", ("d_a_out__d_z_out", "delta_out"), "d_a_out__d_z_out = a_out * (1. - a_out)", "d_a_out__d_z_out = a_out * (a_out - 2.)"),
    Mistake(("sign", "wrong-local-derivative"), ("d_a_2__d_z_2", "d_loss__d_w_2"), "d_a_2__d_z_2 = a_2 * (1. - a_2)", "d_a_2__d_z_2 = a_2 * (a_2 - 1.)"),
    Mistake(("derivative-of-another-activation", "wrong-local-derivative"), ("d_a_2__d_z_2", "d_loss__d_w_2"), "d_a_2__d_z_2 = a_2 * (1. - a_2)", "d_a_2__d_z_2 = 1. - a_2**2"),
    Mistake("activation-derivative-at-activation", ("d_a_1__d_z_1", "d_loss__d_w_1"), "d_a_1__d_z_1 = sigmoid(z_1)", "d_a_1__d_z_1 = sigmoid(a_1)"),
    Mistake(("derivative-of-another-activation", "wrong-local-derivative", "activation-derivative-at-activation", "output-form-on-preactivation"), ("d_a_1__d_z_1", "d_loss__d_w_1"), "d_a_1__d_z_1 = sigmoid(z_1)", "d_a_1__d_z_1 = a_1 * (1. - a_1)"),
    Mistake(("derivative-of-another-activation", "wrong-local-derivative", "activation-derivative-twice"), ("d_a_1__d_z_1", "d_loss__d_w_1"), "d_a_1__d_z_1 = sigmoid(z_1)", "d_a_1__d_z_1 = sigmoid(z_1) * (1. - sigmoid(z_1))"),
    Mistake(("derivative-of-another-activation", "wrong-local-derivative"), ("d_a_1__d_z_1", "d_loss__d_w_1"), "d_a_1__d_z_1 = sigmoid(z_1)", "d_a_1__d_z_1 = (z_1 > 0).astype(float)"),
    Mistake(("skipped-layer", "missing-activation-derivative"), "d_loss__a_1", "np.dot(d_loss__a_2 * d_a_2__d_z_2, d_z_2__a_1)", "np.dot(d_loss__a_2, d_z_2__a_1)"),
    Mistake("wrong-tensor-in-weight-gradient", ("d_z_2__d_w_2", "d_loss__d_w_2"), "d_z_2__d_w_2 = a_1", "d_z_2__d_w_2 = z_1"),
    Mistake("gradient-transposed", "d_loss__d_w_1", "np.dot((d_loss__a_1 * d_a_1__d_z_1).T, d_z_1__d_w_1)", "np.dot(d_z_1__d_w_1.T, d_loss__a_1 * d_a_1__d_z_1)"),
    Mistake(("missing-activation-derivative", "wrong-tensor-in-delta", "skipped-layer"), "d_loss__d_b_2", "np.sum((d_loss__a_2 * d_a_2__d_z_2), axis=0)", "np.sum(d_loss__a_2, axis=0)"),
    Mistake("bias-wrong-axis", "d_loss__db_out", "d_loss__db_out = np.sum(delta_out, axis=0)", "d_loss__db_out = np.sum(delta_out, axis=1)"),
    Mistake("updated-weights", ("self.weight_out", "d_z_out__a_2", "d_loss__a_2"), "        d_z_out__a_2 = self.weight_out\n", "        self.weight_out = self.weight_out - 0.5 * d_loss__dw_out\n        d_z_out__a_2 = self.weight_out\n"),
    Mistake(("wrong-tensor-in-delta", "updated-weights"), ("d_z_out__a_2", "d_loss__a_2"), "d_z_out__a_2 = self.weight_out\n", "d_z_out__a_2 = d_loss__dw_out\n"),
    Mistake(("off-by-one-index", "wrong-tensor-in-weight-gradient", "wrong-shape", None), ("return", "d_loss__d_b_2", "d_loss__d_w_2", "backward", "minibatch_step"), "d_loss__d_w_2, d_loss__d_b_2,\n", "d_loss__d_w_2, d_loss__d_b_1,\n"),
]
