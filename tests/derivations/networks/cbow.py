"""word2vec, the CBOW variant: guess the word in the middle from the mean of the words around it."""

import numpy as np


class CBOW:

    def __init__(self, vocab_size, dim, decay=0.05, seed=0):
        rng = np.random.RandomState(seed)
        self.decay = decay
        self.emb = rng.randn(vocab_size, dim)   # word vectors
        self.out = rng.randn(vocab_size, dim)   # output vectors, one row per word as well

    def softmax(self, scores):
        e = np.exp(scores - scores.max())
        return e / e.sum()

    def loss_and_grads(self, contexts, centers):
        """contexts: a list of lists of word ids (shorter at the ends of a sentence), centers: word ids."""
        n = len(centers)
        loss = 0.5 * self.decay * np.sum(self.out ** 2)
        d_emb = np.zeros_like(self.emb)
        d_out = np.zeros_like(self.out)

        for context, center in zip(contexts, centers):
            h = np.zeros(self.emb.shape[1])
            for w in context:
                h += self.emb[w]
            h /= len(context)
            probs = self.softmax(self.out.dot(h))
            loss -= np.log(probs[center]) / n

            d_scores = probs / n
            d_scores[center] -= 1 / n
            d_out += np.outer(d_scores, h)
            d_h = self.out.T.dot(d_scores)
            for w in context:
                d_emb[w] += d_h / len(context)

        d_out += self.decay * self.out
        return loss, {"self.emb": d_emb, "self.out": d_out}

    def train(self, contexts, centers, lr=0.5, epochs=100):
        for epoch in range(epochs):
            loss, grads = self.loss_and_grads(contexts, centers)
            self.emb -= lr * grads["self.emb"]
            self.out -= lr * grads["self.out"]
        return loss


# Cases
import numpy as np

from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    model = user.CBOW(7, 4, seed=int(rng.integers(1000)))
    text = [int(w) for w in rng.integers(0, 7, size=9)]
    contexts, centers = [[text[1], text[1], text[2]]], [text[0]]  # a word twice around it
    for i in range(9):
        contexts.append(text[max(0, i - 2) : i] + text[i + 1 : i + 3])
        centers.append(text[i])
    return call(model.loss_and_grads, contexts, centers)


RIGHT = [
    Right("            for w in context:\n                d_emb[w] += d_h / len(context)\n", "            np.add.at(d_emb, context, d_h / len(context))\n"),
    Right("            h = np.zeros(self.emb.shape[1])\n            for w in context:\n                h += self.emb[w]\n            h /= len(context)\n", "            h = self.emb[context].mean(axis=0)\n"),
    Right("            d_scores = probs / n\n            d_scores[center] -= 1 / n\n", "            d_scores = (probs - np.eye(len(probs))[center]) / n\n"),
    Right("            d_h = self.out.T.dot(d_scores)\n", "            d_h = np.zeros(len(h))\n            for k, row in enumerate(self.out):\n                d_h += d_scores[k] * row\n"),
    Right("            h /= len(context)\n", "            h = h * (1.0 / len(context))\n"),
]

DE = ("d_emb[w]", "d_emb")
DS = ("d_scores", "d_scores[center]")

MISTAKES = [
    Mistake(("overwritten-not-accumulated", None), (*DE, "d_emb[context]"), "            for w in context:\n                d_emb[w] += d_h / len(context)\n", "            d_emb[context] += d_h / len(context)\n"),
    Mistake("overwritten-not-accumulated", DE, "d_emb[w] += d_h / len(context)", "d_emb[w] = d_h / len(context)"),
    Mistake("overwritten-not-accumulated", "d_out", "            d_out += np.outer(d_scores, h)", "            d_out = np.outer(d_scores, h)"),
    Mistake(("factor-const", "factor-N", None, "factor-K"), DE, "d_emb[w] += d_h / len(context)", "d_emb[w] += d_h"),
    Mistake(("factor-const", "factor-half", None), DE, "d_emb[w] += d_h / len(context)", "d_emb[w] += d_h / 4  # window of two on each side"),
    Mistake((None, "off-by-one-index"), ("d_emb[center]", "d_emb"), "            for w in context:\n                d_emb[w] += d_h / len(context)\n", "            d_emb[center] += d_h\n", fix=False),
    Mistake("aliasing", ("d_emb", "d_out"), "        d_emb = np.zeros_like(self.emb)\n        d_out = np.zeros_like(self.out)\n", "        d_emb = d_out = np.zeros_like(self.emb)\n"),
    Mistake(("missing-target", "missing-branch"), DS, "            d_scores[center] -= 1 / n\n", "", fix=False),
    Mistake(("wrong-loss-derivative", None), DS, "            d_scores[center] -= 1 / n\n", "            d_scores[center] -= 1\n"),
    Mistake(("off-by-one-index", "missing-target", None), ("d_scores", "d_scores[center - 1]"), "            d_scores[center] -= 1 / n\n", "            d_scores[center - 1] -= 1 / n\n"),
    Mistake(("sign", "wrong-loss-derivative", "missing-target", None), DS, "            d_scores[center] -= 1 / n\n", "            d_scores[center] += 1 / n\n"),
    Mistake(("wrong-tensor-in-weight-gradient", "missing-target", "wrong-tensor-in-delta", None), "d_out", "np.outer(d_scores, h)", "np.outer(probs, h)"),
    Mistake(("wrong-tensor-in-delta", None), "d_h", "d_h = self.out.T.dot(d_scores)", "d_h = self.emb.T.dot(d_scores)"),
    Mistake(("missing-branch", "softmax-diagonal-only", "reduced-too-early", None), "d_h", "d_h = self.out.T.dot(d_scores)", "d_h = self.out[center] * d_scores[center]"),
    Mistake(("regulariser-forgotten", "missing-branch"), ("d_out", "loss"), "        d_out += self.decay * self.out\n", "", fix=False),
    Mistake("regulariser-scale", ("d_out", "loss"), "        d_out += self.decay * self.out\n", "        d_out += 2 * self.decay * self.out\n"),
    Mistake(("regulariser-scale", "accumulated-twice"), ("d_out", "loss"), "                d_emb[w] += d_h / len(context)\n\n        d_out +=", "                d_emb[w] += d_h / len(context)\n\n            d_out +="),
    Mistake(("regulariser-on-wrong-parameter", "regulariser-forgotten", None), ("d_out", "d_emb", "loss"), "        d_out += self.decay * self.out\n", "        d_emb += self.decay * self.emb\n", fix=False),
    Mistake(("updated-weights", "input-mutated", "forward-differs", None), ("d_h", "self.out", "probs", "loss", "d_scores", "d_out"), "            d_h = self.out.T.dot(d_scores)\n", "            self.out -= 0.5 * np.outer(d_scores, h)\n            d_h = self.out.T.dot(d_scores)\n", fix=False),
    Mistake(("input-mutated", "aliasing"), ("h", "self.emb[w]", "self.emb[context[0]]", "d_emb[w]", "d_emb"), "            h = np.zeros(self.emb.shape[1])\n            for w in context:\n                h += self.emb[w]\n", "            h = self.emb[context[0]]\n            for w in context[1:]:\n                h += self.emb[w]\n"),
]
