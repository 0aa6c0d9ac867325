"""Two convolutions by im2col, ReLU after each, max-pooling, one dense layer, softmax. Every layer a pair of functions."""

import numpy as np


def imageToColumns(images, filterSize):
    """(N, C, H, W) to (N, outH * outW, C * f * f), one row for every place of the filter."""
    numImages, _, height, width = images.shape
    outHeight, outWidth = height - filterSize + 1, width - filterSize + 1
    patches = [
        images[:, :, row:row + filterSize, col:col + filterSize].reshape(numImages, -1)
        for row in range(outHeight)
        for col in range(outWidth)
    ]
    return np.stack(patches, axis=1)


def columnsToImage(columns, imageShape, filterSize):
    numImages, numChannels, height, width = imageShape
    outHeight, outWidth = height - filterSize + 1, width - filterSize + 1
    images = np.zeros(imageShape)
    place = 0
    for row in range(outHeight):
        for col in range(outWidth):
            patch = columns[:, place].reshape(numImages, numChannels, filterSize, filterSize)
            images[:, :, row:row + filterSize, col:col + filterSize] += patch
            place += 1
    return images


def convForward(images, filters, bias):
    numFilters, _, filterSize, _ = filters.shape
    columns = imageToColumns(images, filterSize)
    flatFilters = filters.reshape(numFilters, -1)
    out = columns @ flatFilters.T + bias
    outHeight = images.shape[2] - filterSize + 1
    featureMaps = out.transpose(0, 2, 1).reshape(len(images), numFilters, outHeight, -1)
    return featureMaps, columns


def convBackward(gradMaps, columns, images, filters):
    numFilters, _, filterSize, _ = filters.shape
    gradOut = gradMaps.reshape(len(images), numFilters, -1).transpose(0, 2, 1)
    gradBias = gradOut.sum(axis=(0, 1))
    gradFilters = np.tensordot(gradOut, columns, axes=((0, 1), (0, 1))).reshape(filters.shape)
    gradColumns = gradOut @ filters.reshape(numFilters, -1)
    gradImages = columnsToImage(gradColumns, images.shape, filterSize)
    return gradImages, gradFilters, gradBias


def relu(x):
    return np.maximum(0, x)


def reluBackward(grad, x):
    return grad * (x > 0)


def maxPool(maps):
    numImages, numMaps, height, width = maps.shape
    blocks = maps.reshape(numImages, numMaps, height // 2, 2, width // 2, 2)
    pooled = blocks.max(axis=(3, 5))
    winners = blocks == pooled[:, :, :, None, :, None]
    return pooled, winners


def maxPoolBackward(gradPooled, winners, maps):
    gradBlocks = winners * gradPooled[:, :, :, None, :, None]
    return gradBlocks.reshape(maps.shape)


def convNet(images, labels, filters1, bias1, filters2, bias2, denseWeights, denseBias):
    batchSize = len(images)
    maps1, columns1 = convForward(images, filters1, bias1)
    active1 = relu(maps1)
    maps2, columns2 = convForward(active1, filters2, bias2)
    active2 = np.logaddexp(0, maps2)      # a smooth one, so that the pool has one winner
    pooled, winners = maxPool(active2)
    flat = pooled.reshape(batchSize, -1)
    scores = flat @ denseWeights + denseBias
    expScores = np.exp(scores - scores.max(axis=1, keepdims=True))
    probs = expScores / expScores.sum(axis=1, keepdims=True)
    loss = -np.log(probs[range(batchSize), labels]).sum() / batchSize

    gradScores = probs.copy()
    gradScores[range(batchSize), labels] -= 1
    gradScores /= batchSize
    gradDenseWeights = flat.T @ gradScores
    gradDenseBias = gradScores.sum(axis=0)
    gradFlat = gradScores @ denseWeights.T
    gradPooled = gradFlat.reshape(pooled.shape)
    gradActive2 = maxPoolBackward(gradPooled, winners, active2)
    gradMaps2 = gradActive2 / (1 + np.exp(-maps2))
    gradActive1, gradFilters2, gradBias2 = convBackward(gradMaps2, columns2, active1, filters2)
    gradMaps1 = reluBackward(gradActive1, maps1)
    _, gradFilters1, gradBias1 = convBackward(gradMaps1, columns1, images, filters1)
    return loss, (gradFilters1, gradBias1, gradFilters2, gradBias2, gradDenseWeights, gradDenseBias)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    N, C, H, W, F1, F2, K = 3, 1, 6, 4, 5, 2, 3
    weights = rng.normal(size=(F1, C, 2, 2)), rng.normal(size=F1), rng.normal(size=(F2, F1, 2, 2)), rng.normal(size=F2), rng.normal(size=(F2 * 2, K)), rng.normal(size=K)
    return call(
        user.convNet, rng.normal(size=(N, C, H, W)), np.array([2, 0, 1]), *weights,
        wrt=("filters1", "bias1", "filters2", "bias2", "denseWeights", "denseBias"),
    )


import numpy as np

RIGHT = [
    Right("            images[:, :, row:row + filterSize, col:col + filterSize] += patch\n", "            window = images[:, :, row:row + filterSize, col:col + filterSize]\n            window += patch\n"),
    Right("    return grad * (x > 0)\n", "    gradX = grad.copy()\n    gradX[x <= 0] = 0\n    return gradX\n"),
    Right("    gradFilters = np.tensordot(gradOut, columns, axes=((0, 1), (0, 1))).reshape(filters.shape)\n", "    gradFilters = sum(gradOut[n].T @ columns[n] for n in range(len(images))).reshape(filters.shape)\n"),
    Right("    gradMaps2 = gradActive2 / (1 + np.exp(-maps2))\n", "    gradMaps2 = gradActive2 * (1 - np.exp(-active2))\n"),
    Right("    gradBlocks = winners * gradPooled[:, :, :, None, :, None]\n    return gradBlocks.reshape(maps.shape)\n", "    spread = gradPooled.repeat(2, axis=2).repeat(2, axis=3)\n    return winners.reshape(maps.shape) * spread\n"),
    Right("    gradScores = probs.copy()\n    gradScores[range(batchSize), labels] -= 1\n    gradScores /= batchSize\n", "    gradScores = (probs - (labels[:, None] == np.arange(len(denseBias)))) / batchSize\n"),
]

CONV = ("convBackward", "columnsToImage", "gradColumns", "gradImages", "images", "gradActive1", "(gradActive1, gradFilters2, gradBias2)", "gradActive1, gradFilters2, gradBias2",
        "images[:, :, row:row + filterSize, col:col + filterSize]")
POOL = ("maxPoolBackward", "gradBlocks", "gradActive2")
RELU = ("reluBackward", "gradMaps1", "return")
SCORES = ("gradScores", "gradScores[range(batchSize), labels]")

MISTAKES = [
    Mistake("overwritten-not-accumulated", CONV, "col:col + filterSize] += patch", "col:col + filterSize] = patch"),
    Mistake(("off-by-one-index", None), (*CONV, "patch", "place"), "            place += 1\n", "        place += 1\n", fix=False),
    Mistake(("off-by-one-index", "missing-branch", None), (*CONV, "row", "patch"), "    place = 0\n    for row in range(outHeight):\n        for col in range(outWidth):\n            patch", "    place = 0\n    for row in range(outHeight - 1):\n        for col in range(outWidth):\n            patch"),
    Mistake(("wrong-tensor-in-delta", "wrong-local-derivative", "weight-not-transposed", None), CONV, "gradColumns = gradOut @ filters.reshape(numFilters, -1)", "gradColumns = gradOut @ filters[:, :, ::-1, ::-1].reshape(numFilters, -1)"),
    Mistake(("wrong-shape", "gradient-transposed", None), ("gradOut", "convBackward", "gradFilters", "gradBias", "gradColumns", "(gradActive1, gradFilters2, gradBias2)"), "gradOut = gradMaps.reshape(len(images), numFilters, -1).transpose(0, 2, 1)", "gradOut = gradMaps.reshape(len(images), -1, numFilters)", fix=False),
    Mistake("factor-1/N", ("gradFilters", "convBackward", "gradFilters2", "(gradActive1, gradFilters2, gradBias2)", "(_, gradFilters1, gradBias1)"), "(0, 1))).reshape(filters.shape)", "(0, 1))).reshape(filters.shape) / len(images)"),
    Mistake(("bias-not-reduced", "bias-wrong-axis"), ("gradBias", "convBackward", "(gradActive1, gradFilters2, gradBias2)", "gradBias2", "(_, gradFilters1, gradBias1)"), "gradBias = gradOut.sum(axis=(0, 1))", "gradBias = gradOut.sum(axis=0)"),
    Mistake(("bias-wrong-axis", "factor-const", "reduced-too-early", None), ("gradBias", "convBackward", "(gradActive1, gradFilters2, gradBias2)", "gradBias2", "(_, gradFilters1, gradBias1)"), "gradBias = gradOut.sum(axis=(0, 1))", "gradBias = gradOut.mean(axis=(0, 1))"),
    Mistake("relu-mask-inverted", RELU, "return grad * (x > 0)", "return grad * (x < 0)"),
    Mistake("relu-mask-from-wrong-tensor", RELU, "return grad * (x > 0)", "return grad * (grad > 0)"),
    Mistake("derivative-of-another-activation", "gradMaps2", "gradMaps2 = gradActive2 / (1 + np.exp(-maps2))", "gradMaps2 = reluBackward(gradActive2, maps2)"),
    Mistake("activation-derivative-at-activation", "gradMaps2", "gradActive2 / (1 + np.exp(-maps2))", "gradActive2 / (1 + np.exp(-active2))"),
    Mistake("activation-derivative-twice", "gradMaps2", "gradActive2 / (1 + np.exp(-maps2))", "gradActive2 / (1 + np.exp(-maps2)) ** 2"),
    Mistake("missing-activation-derivative", ("gradMaps1", "gradActive1"), "gradMaps1 = reluBackward(gradActive1, maps1)", "gradMaps1 = gradActive1"),
    Mistake(("missing-weight-factor", "accumulated-twice", "wrong-local-derivative", "missing-activation-derivative", None), POOL, "gradBlocks = winners * gradPooled[:, :, :, None, :, None]", "gradBlocks = np.ones(winners.shape) * gradPooled[:, :, :, None, :, None]"),
    Mistake(("factor-const", "wrong-local-derivative", None), POOL, "gradBlocks = winners * gradPooled[:, :, :, None, :, None]", "gradBlocks = winners * gradPooled[:, :, :, None, :, None] / 4"),
    Mistake("off-by-one-index", SCORES, "gradScores[range(batchSize), labels] -= 1", "gradScores[range(batchSize), labels - 1] -= 1"),
    Mistake(("factor-N", "missing-weight-factor"), SCORES, "    gradScores /= batchSize\n", ""),
    Mistake("detached-branch", ("gradActive1", "gradMaps1", "reluBackward"), "    gradMaps1 = reluBackward(gradActive1, maps1)\n", "    gradMaps1 = reluBackward(np.zeros_like(gradActive1), maps1)\n"),
    Mistake("wrong-tensor-in-weight-gradient", ("(gradActive1, gradFilters2, gradBias2)", "gradFilters2", "convBackward", "gradFilters"), "convBackward(gradMaps2, columns2, active1, filters2)", "convBackward(gradMaps2, imageToColumns(maps1, 2), active1, filters2)"),
    Mistake(("stale-forward-values", "input-mutated", "aliasing"), ("active1", "maps1", "maps1[:]", "gradMaps1", "gradFilters2", "(gradActive1, gradFilters2, gradBias2)", "columns2", "active2", "maps2"), "    gradMaps1 = reluBackward", "    maps1 -= maps1.max()  # for the picture\n    gradMaps1 = reluBackward"),
]
