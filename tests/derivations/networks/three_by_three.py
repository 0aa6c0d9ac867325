"""Three samples, three inputs, two hidden layers of three: whatever is multiplied, the shapes agree."""

import numpy as np


class Net:
    def __init__(self, A, B, C):
        self.A, self.B, self.C = A, B, C

    def forward(self, X):
        self.X = X
        self.P = np.matmul(X, self.A)
        self.H = np.tanh(self.P)
        self.Q = np.matmul(self.H, self.B)
        self.G = np.tanh(self.Q)
        self.O = np.matmul(self.G, self.C)
        return self.O

    def loss(self, X, T):
        return 0.5 * np.sum((self.forward(X) - T) ** 2)

    def gradients(self, X, T):
        O = self.forward(X)
        gO = O - T
        gC = np.matmul(self.G.T, gO)
        gG = np.matmul(gO, self.C.T)
        gQ = gG * (1 - self.G ** 2)
        gB = np.matmul(self.H.T, gQ)
        gH = np.matmul(gQ, self.B.T)
        gP = gH * (1 - self.H ** 2)
        gA = np.matmul(self.X.T, gP)
        return gA, gB, gC


def derive(A, B, C, X, T):
    net = Net(A, B, C)
    return net.loss(X, T), net.gradients(X, T)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    return call(user.derive, *rng.normal(size=(5, 3, 3)), wrt=("A", "B", "C"))


RIGHT = [
    Right("gQ = gG * (1 - self.G ** 2)", "gQ = np.multiply(1 - np.tanh(self.Q) ** 2, gG)"),
    Right("gH = np.matmul(gQ, self.B.T)", "gH = np.einsum('nq,hq->nh', gQ, self.B)"),
    Right("gA = np.matmul(self.X.T, gP)", "gA = np.transpose(np.matmul(gP.T, self.X))"),
]

MISTAKES = [
    Mistake(("matmul-for-elementwise", None), "gQ", "gQ = gG * (1 - self.G ** 2)", "gQ = gG @ (1 - self.G ** 2)"),
    Mistake(("matmul-for-elementwise", None), "gP", "gP = gH * (1 - self.H ** 2)", "gP = np.dot(gH, 1 - self.H ** 2)"),
    Mistake(("elementwise-after-matmul", None), "gA", "gA = np.matmul(self.X.T, gP)", "gA = np.matmul(self.X.T, gH) * (1 - self.H ** 2)"),
    Mistake(("elementwise-after-matmul", None), "gB", "gB = np.matmul(self.H.T, gQ)", "gB = np.matmul(self.H.T, gG) * (1 - self.G ** 2)"),
    Mistake(("weight-not-transposed", None), "gG", "np.matmul(gO, self.C.T)", "np.matmul(gO, self.C)"),
    Mistake(("weight-not-transposed", None), "gH", "np.matmul(gQ, self.B.T)", "np.matmul(gQ, self.B)"),
    Mistake(("gradient-transposed", None), "gB", "gB = np.matmul(self.H.T, gQ)", "gB = np.matmul(gQ.T, self.H)"),
    Mistake(("wrong-tensor-in-weight-gradient", "gradient-transposed", None), "gC", "np.matmul(self.G.T, gO)", "np.matmul(self.G, gO)"),
    Mistake(("skipped-layer", None), "gH", "gH = np.matmul(gQ, self.B.T)", "gH = np.matmul(gO, self.C.T)"),
    Mistake(("skipped-layer", "missing-weight-factor", None), "gH", "gH = np.matmul(gQ, self.B.T)", "gH = gQ"),
    Mistake(("wrong-tensor-in-delta", None), "gH", "gH = np.matmul(gQ, self.B.T)", "gH = np.matmul(gQ, self.C.T)"),
    Mistake(("skipped-layer", "missing-activation-derivative"), "gH", "np.matmul(gQ, self.B.T)", "np.matmul(gG, self.B.T)"),
    Mistake("activation-derivative-of-wrong-layer", "gP", "gP = gH * (1 - self.H ** 2)", "gP = gH * (1 - self.G ** 2)"),
    Mistake("output-form-on-preactivation", "gP", "gP = gH * (1 - self.H ** 2)", "gP = gH * (1 - self.P ** 2)"),
    Mistake(("wrong-tensor-in-weight-gradient", None), "gB", "gB = np.matmul(self.H.T, gQ)", "gB = np.matmul(self.X.T, gQ)"),
    Mistake(("wrong-tensor-in-weight-gradient", None), "gC", "np.matmul(self.G.T, gO)", "np.matmul(self.Q.T, gO)"),
    Mistake("updated-weights", ("gG", "self.C"), "        gG =", "        self.C = self.C - 0.1 * gC\n        gG ="),
    Mistake(("sign", None), "gP", "gP = gH *", "gP = -gH *"),
]
