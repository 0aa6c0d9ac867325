"""Writing a CNN by hand to understand it: one conv layer, tanh, 2x2 max pooling, softmax. Only loops, slow but clear."""

import numpy as np


def conv_forward(image, filters, conv_bias):
    n_filters, k, _ = filters.shape
    rows = image.shape[0] - k + 1
    cols = image.shape[1] - k + 1
    out = np.zeros((rows, cols, n_filters))
    for i in range(rows):
        for j in range(cols):
            patch = image[i:i + k, j:j + k]
            out[i, j] = np.sum(patch * filters, axis=(1, 2)) + conv_bias
    return out


def conv_backward(d_out, image, filters):
    n_filters, k, _ = filters.shape
    rows, cols, _ = d_out.shape
    d_filters = np.zeros(filters.shape)
    for i in range(rows):
        for j in range(cols):
            patch = image[i:i + k, j:j + k]
            for f in range(n_filters):
                d_filters[f] += d_out[i, j, f] * patch
    d_bias = np.sum(d_out, axis=(0, 1))
    return d_filters, d_bias


def pool_forward(act):
    rows, cols, n_filters = act.shape
    out = np.zeros((rows // 2, cols // 2, n_filters))
    for i in range(rows // 2):
        for j in range(cols // 2):
            out[i, j] = np.max(act[2 * i:2 * i + 2, 2 * j:2 * j + 2], axis=(0, 1))
    return out


def pool_backward(d_pool, act):
    d_act = np.zeros(act.shape)
    rows, cols, n_filters = d_pool.shape
    for i in range(rows):
        for j in range(cols):
            for f in range(n_filters):
                block = act[2 * i:2 * i + 2, 2 * j:2 * j + 2, f]
                for a in range(2):
                    for b in range(2):
                        if block[a, b] == np.max(block):
                            d_act[2 * i + a, 2 * j + b, f] = d_pool[i, j, f]
    return d_act


def softmax(scores):
    e = np.exp(scores - np.max(scores))
    return e / np.sum(e)


def train_on(filters, conv_bias, weights, bias, images, labels):
    loss = 0
    grad_filters = np.zeros(filters.shape)
    grad_conv_bias = np.zeros(conv_bias.shape)
    grad_weights = np.zeros(weights.shape)
    grad_bias = np.zeros(bias.shape)

    for image, label in zip(images, labels):
        conv = conv_forward(image, filters, conv_bias)
        act = np.tanh(conv)
        pool = pool_forward(act)
        flat = pool.flatten()
        probs = softmax(flat @ weights + bias)
        loss += -np.log(probs[label])

        d_scores = probs.copy()
        d_scores[label] -= 1
        grad_weights += np.outer(flat, d_scores)
        grad_bias += d_scores
        d_flat = weights @ d_scores
        d_pool = d_flat.reshape(pool.shape)
        d_act = pool_backward(d_pool, act)
        d_conv = d_act * (1 - act ** 2)
        d_filters, d_bias = conv_backward(d_conv, image, filters)
        grad_filters += d_filters
        grad_conv_bias += d_bias

    n = len(images)
    return loss / n, (grad_filters / n, grad_conv_bias / n, grad_weights / n, grad_bias / n)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    images, labels = rng.normal(size=(2, 6, 8)), rng.integers(0, 4, size=2)
    filters, conv_bias = 0.4 * rng.normal(size=(3, 3, 3)), 0.4 * rng.normal(size=3)
    weights, bias = 0.5 * rng.normal(size=(2 * 3 * 3, 4)), rng.normal(size=4)
    return call(user.train_on, filters, conv_bias, weights, bias, images, labels, wrt=("filters", "conv_bias", "weights", "bias"))


RIGHT = [
    Right("        d_act = pool_backward(d_pool, act)\n", "        d_act = pool_backward(d_pool, conv)  # tanh does not move the maximum\n"),
    Right("            for f in range(n_filters):\n                d_filters[f] += d_out[i, j, f] * patch\n", "            d_filters += d_out[i, j][:, None, None] * patch\n"),
    Right("    d_bias = np.sum(d_out, axis=(0, 1))\n", "    d_bias = d_out.reshape(-1, n_filters).sum(axis=0)\n"),
    Right("        d_scores = probs.copy()\n        d_scores[label] -= 1\n", "        target = np.zeros(len(probs))\n        target[label] = 1\n        d_scores = probs - target\n"),
    Right(
        "                for a in range(2):\n                    for b in range(2):\n                        if block[a, b] == np.max(block):\n"
        "                            d_act[2 * i + a, 2 * j + b, f] = d_pool[i, j, f]\n",
        "                a, b = np.unravel_index(np.argmax(block), (2, 2))\n                d_act[2 * i + a, 2 * j + b, f] += d_pool[i, j, f]\n",
    ),
]

POOLED = ("d_act", "d_act[2 * i + a, 2 * j + b, f]", "pool_backward", "d_conv")
DF = ("d_filters[f]", "d_filters", "conv_backward", "grad_filters")
DS = ("d_scores", "d_scores[label]")

MISTAKES = [
    Mistake("overwritten-not-accumulated", DF, "d_filters[f] += d_out[i, j, f] * patch", "d_filters[f] = d_out[i, j, f] * patch"),
    Mistake("overwritten-not-accumulated", "grad_filters", "grad_filters += d_filters", "grad_filters = d_filters"),
    Mistake(("gradient-transposed", "wrong-tensor-in-weight-gradient", None), DF, "d_filters[f] += d_out[i, j, f] * patch", "d_filters[f] += d_out[i, j, f] * patch.T"),
    Mistake((None, "wrong-tensor-in-weight-gradient", "wrong-local-derivative"), DF, "d_filters[f] += d_out[i, j, f] * patch", "d_filters[f] += d_out[i, j, f] * patch[::-1, ::-1]"),
    Mistake(("off-by-one-index", "missing-branch", "detached-branch"), DF, "    rows, cols, _ = d_out.shape\n    d_filters = np.zeros(filters.shape)\n    for i in range(rows):\n", "    rows, cols, _ = d_out.shape\n    d_filters = np.zeros(filters.shape)\n    for i in range(rows - 1):\n"),
    Mistake(("off-by-one-index", "wrong-tensor-in-weight-gradient", None), DF, "d_filters[f] += d_out[i, j, f] * patch", "d_filters[f] += d_out[i, j, f - 1] * patch"),
    Mistake(("bias-wrong-axis", "reduced-too-early", "wrong-shape"), ("d_bias", "conv_backward", "grad_conv_bias"), "    d_bias = np.sum(d_out, axis=(0, 1))", "    d_bias = np.sum(d_out)"),
    Mistake(("bias-wrong-axis", "factor-const", "factor-1/N", None), ("d_bias", "conv_backward", "grad_conv_bias"), "    d_bias = np.sum(d_out, axis=(0, 1))", "    d_bias = np.mean(d_out, axis=(0, 1))"),
    Mistake(("wrong-local-derivative", "derivative-of-another-activation", None), POOLED, "                        if block[a, b] == np.max(block):\n                            d_act[2 * i + a, 2 * j + b, f] = d_pool[i, j, f]", "                        d_act[2 * i + a, 2 * j + b, f] = d_pool[i, j, f] / 4", fix=False),
    Mistake(("wrong-local-derivative", "relu-mask-from-wrong-tensor", "relu-mask-inverted", None), POOLED, "if block[a, b] == np.max(block):", "if block[a, b] == np.min(block):"),
    Mistake(("off-by-one-index", "wrong-local-derivative", "overwritten-not-accumulated", None), ("d_act", "d_act[i + a, j + b, f]", "pool_backward", "d_conv"), "d_act[2 * i + a, 2 * j + b, f] = d_pool[i, j, f]", "d_act[i + a, j + b, f] = d_pool[i, j, f]"),
    Mistake("missing-activation-derivative", "d_conv", "d_conv = d_act * (1 - act ** 2)", "d_conv = d_act"),
    Mistake("output-form-on-preactivation", "d_conv", "d_conv = d_act * (1 - act ** 2)", "d_conv = d_act * (1 - conv ** 2)"),
    Mistake(("missing-target", "missing-branch"), DS, "        d_scores[label] -= 1\n", "", fix=False),
    Mistake("sign", DS, "        d_scores[label] -= 1\n", "        d_scores[label] -= 1\n        d_scores = -d_scores\n"),
    Mistake("wrong-tensor-in-weight-gradient", "grad_weights", "np.outer(flat, d_scores)", "np.outer(pool_forward(conv).flatten(), d_scores)"),
    Mistake(("missing-target", "wrong-tensor-in-delta"), "grad_bias", "grad_bias += d_scores", "grad_bias += probs"),
    Mistake((None, "wrong-shape", "gradient-transposed"), "d_pool", "d_pool = d_flat.reshape(pool.shape)", "d_pool = d_flat.reshape(pool.shape, order='F')"),
    Mistake(("updated-weights", "input-mutated"), ("d_flat", "weights"), "        d_flat = weights @ d_scores", "        weights = weights - 0.1 * np.outer(flat, d_scores)\n        d_flat = weights @ d_scores"),
    Mistake("factor-N", ("return", "loss", "grad_filters"), "grad_filters / n, grad_conv_bias", "grad_filters, grad_conv_bias"),
]
