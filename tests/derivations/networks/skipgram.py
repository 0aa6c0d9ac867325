"""word2vec with a full softmax and with negative samples: rows of an embedding, collected where words repeat."""

import numpy as np


def softmax(x):
    x = x - np.max(x)
    p = np.exp(x)
    return p / p.sum()

def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def naiveSoftmaxLossAndGradient(centerWordVec, outsideWordIdx, outsideVectors):
    scores = outsideVectors @ centerWordVec
    y_hat = softmax(scores)
    loss = -np.log(y_hat[outsideWordIdx])
    delta = y_hat.copy()
    delta[outsideWordIdx] -= 1
    gradCenterVec = outsideVectors.T @ delta
    gradOutsideVecs = np.outer(delta, centerWordVec)
    return loss, gradCenterVec, gradOutsideVecs


def negSamplingLossAndGradient(centerWordVec, outsideWordIdx, outsideVectors, negSampleWordIndices):
    gradOutside = np.zeros(outsideVectors.shape)
    u_o = outsideVectors[outsideWordIdx]
    z_o = sigmoid(u_o @ centerWordVec)
    loss = -np.log(z_o)
    gradCenter = (z_o - 1) * u_o
    gradOutside[outsideWordIdx] += (z_o - 1) * centerWordVec
    for k in negSampleWordIndices:
        u_k = outsideVectors[k]
        z_k = sigmoid(-u_k @ centerWordVec)
        loss -= np.log(z_k)
        gradCenter += (1 - z_k) * u_k
        gradOutside[k] += (1 - z_k) * centerWordVec
    return loss, gradCenter, gradOutside


def skipgram(V, U, corpus, window):
    loss = 0.0
    gradV = np.zeros_like(V)
    gradU = np.zeros_like(U)
    for t, center in enumerate(corpus):
        for s in range(max(0, t - window), min(len(corpus), t + window + 1)):
            if s == t:
                continue
            l1, gc1, go1 = naiveSoftmaxLossAndGradient(V[center], corpus[s], U)
            l2, gc2, go2 = negSamplingLossAndGradient(V[center], corpus[s], U, [(center + 1) % len(V), 0, 0])
            loss += l1 + l2
            gradV[center] += gc1 + gc2
            gradU += go1 + go2
    return loss, (gradV, gradU)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    words, dim = 5, 3
    corpus = [2, 4, 1, 2, 3, 0]
    return call(user.skipgram, rng.normal(size=(words, dim)), rng.normal(size=(words, dim)), corpus, 1, wrt=("V", "U"))


RIGHT = [
    Right("            gradV[center] += gc1 + gc2\n", "            np.add.at(gradV, [center, center], [gc1, gc2])\n"),
    Right("    gradOutsideVecs = np.outer(delta, centerWordVec)\n", "    gradOutsideVecs = delta.reshape(-1, 1) @ centerWordVec.reshape(1, -1)\n"),
    Right("    delta = y_hat.copy()\n    delta[outsideWordIdx] -= 1\n", "    y = np.zeros(len(y_hat)); y[outsideWordIdx] = 1\n    delta = y_hat - y\n"),
    Right("gradCenter += (1 - z_k) * u_k", "gradCenter = gradCenter - (z_k - 1) * u_k"),
]

MISTAKES = [
    Mistake("missing-target", ("delta", "delta[outsideWordIdx]"), "    delta[outsideWordIdx] -= 1\n", ""),
    Mistake("sign", ("delta[outsideWordIdx]", "delta"), "delta[outsideWordIdx] -= 1", "delta[outsideWordIdx] += 1"),
    Mistake(("off-by-one-index", None), ("delta[outsideWordIdx]", "delta[outsideWordIdx - 1]", "delta"), "    delta[outsideWordIdx] -= 1", "    delta[outsideWordIdx - 1] -= 1"),
    Mistake("overwritten-not-accumulated", ("gradV[center]", "gradV"), "gradV[center] += gc1 + gc2", "gradV[center] = gc1 + gc2"),
    Mistake("overwritten-not-accumulated", ("gradOutside[k]", "gradOutside"), "gradOutside[k] += (1 - z_k)", "gradOutside[k] = (1 - z_k)"),
    Mistake("missing-branch", "gradU", "gradU += go1 + go2", "gradU += go1"),
    Mistake("missing-branch", ("gradV[center]", "gradV"), "gradV[center] += gc1 + gc2", "gradV[center] += gc2"),
    Mistake(("off-by-one-index", "off-by-one-time", None), ("gradV[s - 1]", "gradV[corpus[s]]", "gradV"), "gradV[center] += gc1 + gc2", "gradV[corpus[s]] += gc1 + gc2"),
    Mistake("sign", "gradCenter", "gradCenter = (z_o - 1) * u_o", "gradCenter = (1 - z_o) * u_o"),
    Mistake(("sign", "missing-target", None), "gradCenter", "gradCenter = (z_o - 1) * u_o", "gradCenter = z_o * u_o"),
    Mistake("sign", ("gradOutside[k]", "gradOutside"), "gradOutside[k] += (1 - z_k)", "gradOutside[k] -= (1 - z_k)"),
    Mistake(("wrong-local-derivative", None), "gradCenter", "gradCenter += (1 - z_k) * u_k", "gradCenter += z_k * u_k"),
    Mistake("activation-derivative-twice", "gradCenter", "gradCenter += (1 - z_k) * u_k", "gradCenter += (1 - z_k) * (1 - z_k) * z_k * u_k"),
    Mistake(("wrong-tensor-in-delta", None), "gradCenter", "gradCenter += (1 - z_k) * u_k", "gradCenter += (1 - z_k) * u_o"),
    Mistake(("wrong-tensor-in-weight-gradient", None), ("gradOutside[outsideWordIdx]", "gradOutside"), "+= (z_o - 1) * centerWordVec", "+= (z_o - 1) * u_o"),
    Mistake(("wrong-tensor-in-weight-gradient", None), "gradOutsideVecs", "np.outer(delta, centerWordVec)", "np.outer(delta, gradCenterVec)"),
    Mistake("accumulated-twice", "gradU", "            gradU += go1 + go2\n", "            gradU += go1 + go2\n            gradU += go2\n"),
]
