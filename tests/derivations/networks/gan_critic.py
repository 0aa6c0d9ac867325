"""The discriminator's step of a GAN: a real and a fake batch through the same layers, smoothed labels, a drift penalty."""

import numpy as np


def leaky_relu(x, alpha=0.2):
    return np.where(x > 0, x, alpha * x)


def dleaky_relu(x, alpha=0.2):
    dx = np.ones_like(x)
    dx[x < 0] = alpha
    return dx


def sigmoid(x):
    return 1. / (1. + np.exp(-x))


class GAN:
    def __init__(self, generator_weights, discriminator_layers, smooth=0.9, drift=0.02):
        self.G = generator_weights
        self.D = discriminator_layers          # [{"w": ..., "b": ...}, ...]
        self.smooth = smooth
        self.drift = drift

    def generate(self, z):
        a = z
        for w in self.G[:-1]:
            a = np.tanh(a.dot(w))
        return a.dot(self.G[-1])

    def discriminate(self, img):
        activations, preacts = [img], []
        for i, layer in enumerate(self.D):
            preacts.append(activations[-1].dot(layer["w"]) + layer["b"])
            if i < len(self.D) - 1:
                activations.append(leaky_relu(preacts[-1]))
        return preacts[-1], activations, preacts

    def backward_discriminator(self, dlogit, activations, preacts, grads):
        delta = dlogit
        for i in range(len(self.D) - 1, -1, -1):
            grads[i]["w"] += activations[i].T.dot(delta)
            grads[i]["b"] += delta.sum(axis=0)
            if i > 0:
                delta = delta.dot(self.D[i]["w"].T)
                delta = delta * dleaky_relu(preacts[i - 1])

    def discriminator_step(self, real, z):
        fake = self.generate(z)
        logit_real, acts_real, pre_real = self.discriminate(real)
        logit_fake, acts_fake, pre_fake = self.discriminate(fake)
        p_real = sigmoid(logit_real)
        p_fake = sigmoid(logit_fake)

        loss_real = -np.mean(self.smooth * np.log(p_real) + (1 - self.smooth) * np.log(1 - p_real))
        loss_fake = -np.mean(np.log(1 - p_fake))
        penalty = self.drift * np.mean(logit_real ** 2)
        d_loss = loss_real + loss_fake + penalty

        dlogit_real = (p_real - self.smooth) / len(real)
        dlogit_real += 2 * self.drift * logit_real / len(real)
        dlogit_fake = p_fake / len(fake)

        grads = [{"w": np.zeros_like(layer["w"]), "b": np.zeros_like(layer["b"])} for layer in self.D]
        self.backward_discriminator(dlogit_real, acts_real, pre_real, grads)
        self.backward_discriminator(dlogit_fake, acts_fake, pre_fake, grads)
        return d_loss, grads


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    sizes = 3, 7, 4, 1
    layers = [{"w": rng.normal(size=(a, b)), "b": rng.normal(size=b)} for a, b in zip(sizes, sizes[1:])]
    gan = user.GAN([rng.normal(size=(2, 6)), rng.normal(size=(6, 3))], layers)
    real, z = rng.normal(size=(5, 3)) + 0.4, rng.normal(size=(11, 2))
    return call(gan.discriminator_step, real, z, loss="d_loss", gradients={"self.D": "grads"})


import numpy as np

RIGHT = [
    Right("    dx = np.ones_like(x)\n    dx[x < 0] = alpha\n    return dx\n", "    return np.where(x > 0, 1, alpha)\n"),
    Right("        dlogit_fake = p_fake / len(fake)\n", "        dp_fake = 1 / (1 - p_fake) / len(fake)\n        dlogit_fake = dp_fake * p_fake * (1 - p_fake)\n"),
    Right("        dlogit_real += 2 * self.drift * logit_real / len(real)\n", "        dlogit_real = dlogit_real + self.drift * np.mean(2 * logit_real, axis=1, keepdims=True) / len(real)\n"),
    Right("                delta = delta.dot(self.D[i][\"w\"].T)\n                delta = delta * dleaky_relu(preacts[i - 1])\n", "                delta = delta.dot(self.D[i][\"w\"].T) * dleaky_relu(activations[i])\n"),
    Right("        self.backward_discriminator(dlogit_real, acts_real, pre_real, grads)\n        self.backward_discriminator(dlogit_fake, acts_fake, pre_fake, grads)\n", "        stack = lambda a, b: [np.concatenate(pair) for pair in zip(a, b)]\n        self.backward_discriminator(np.concatenate([dlogit_real, dlogit_fake]), stack(acts_real, acts_fake), stack(pre_real, pre_fake), grads)\n"),
    Right("            grads[i][\"b\"] += delta.sum(axis=0)\n", "            grads[i][\"b\"] = grads[i][\"b\"] + np.ones(len(delta)).dot(delta)\n"),
]

GW, GB = ("grads[i]['w']", "grads", "grads[i]"), ("grads[i]['b']", "grads", "grads[i]")

MISTAKES = [
    Mistake("sign", ("dlogit_fake", "delta"), "dlogit_fake = p_fake / len(fake)", "dlogit_fake = -p_fake / len(fake)"),
    Mistake("sign", ("dlogit_real", "delta"), "dlogit_real = (p_real - self.smooth)", "dlogit_real = (self.smooth - p_real)"),
    Mistake(("wrong-loss-derivative", "forward-differs", "missing-target", None), ("dlogit_real", "loss_real"), "dlogit_real = (p_real - self.smooth)", "dlogit_real = (p_real - 1)"),
    Mistake(("wrong-loss-derivative", "missing-target", None), ("dlogit_fake",), "dlogit_fake = p_fake / len(fake)", "dlogit_fake = (p_fake - 1) / len(fake)"),
    Mistake(("activation-derivative-twice", "wrong-loss-derivative"), "dlogit_fake", "dlogit_fake = p_fake / len(fake)", "dlogit_fake = p_fake * p_fake * (1 - p_fake) / len(fake)"),
    Mistake(("factor-const", "factor-N", "factor-1/N", None), ("dlogit_fake", "loss_fake"), "dlogit_fake = p_fake / len(fake)", "dlogit_fake = p_fake / len(real)"),
    Mistake("factor-N", ("dlogit_fake", "loss_fake"), "dlogit_fake = p_fake / len(fake)", "dlogit_fake = p_fake"),
    Mistake(("regulariser-forgotten", "missing-branch", "detached-branch"), ("dlogit_real", "penalty", "d_loss"), "        dlogit_real += 2 * self.drift * logit_real / len(real)\n", "", fix=False),
    Mistake(("regulariser-scale", "factor-half"), ("dlogit_real", "penalty"), "dlogit_real += 2 * self.drift", "dlogit_real += self.drift"),
    Mistake(("regulariser-on-wrong-parameter", "wrong-tensor-in-delta", "regulariser-scale", None), "dlogit_real", "2 * self.drift * logit_real / len(real)", "2 * self.drift * p_real / len(real)"),
    Mistake(("overwritten-not-accumulated", "missing-branch"), "dlogit_real", "dlogit_real += 2 * self.drift", "dlogit_real = 2 * self.drift"),
    Mistake("overwritten-not-accumulated", GW, "grads[i][\"w\"] += activations", "grads[i][\"w\"] = activations"),
    Mistake("overwritten-not-accumulated", GB, "grads[i][\"b\"] += delta", "grads[i][\"b\"] = delta"),
    Mistake(("missing-branch", "detached-branch", "overwritten-not-accumulated"), ("grads", "dlogit_fake", "grads[i]['w']", "return"), "        self.backward_discriminator(dlogit_fake, acts_fake, pre_fake, grads)\n", "", fix=False),
    Mistake(("accumulated-twice", "wrong-tensor-in-delta", "stale-forward-values", None), ("dlogit_real", "dlogit_fake", "grads", "delta", "acts_fake", *GW[:1]), "self.backward_discriminator(dlogit_fake, acts_fake, pre_fake, grads)", "self.backward_discriminator(dlogit_real, acts_real, pre_real, grads)"),
    Mistake(("activation-derivative-of-wrong-layer", "off-by-one-index", "relu-mask-from-wrong-tensor", "accidental-broadcast"), "delta", "delta * dleaky_relu(preacts[i - 1])", "delta * dleaky_relu(preacts[-1])"),
    Mistake("missing-activation-derivative", "delta", "                delta = delta * dleaky_relu(preacts[i - 1])\n", "", fix=False),
    Mistake("relu-mask-from-wrong-tensor", "delta", "delta * dleaky_relu(preacts[i - 1])", "delta * dleaky_relu(delta)"),
    Mistake(("wrong-local-derivative", "derivative-of-another-activation", "relu-mask-from-wrong-tensor", "forward-differs"), ("dx", "dx[x < 0]", "delta", "dleaky_relu"), "dx[x < 0] = alpha", "dx[x < 0] = 0"),
    Mistake("relu-mask-inverted", ("dx", "dx[x > 0]", "delta", "dleaky_relu"), "dx[x < 0] = alpha", "dx[x > 0] = alpha"),
    Mistake("updated-weights", ("self.D[i]['w']", "delta", "self.D[i]"), "                delta = delta.dot(self.D[i][\"w\"].T)\n", "                self.D[i][\"w\"] = self.D[i][\"w\"] - 0.2 * grads[i][\"w\"]\n                delta = delta.dot(self.D[i][\"w\"].T)\n"),
]
