"""Why a step is wrong, in words."""

from __future__ import annotations

CAUSES = {
    "sign": "{name} has the wrong sign",
    "factor-2": "{name} is twice as large as it should be",
    "factor-half": "{name} is half as large as it should be",
    "factor-N": "{name} is N times too large: the mean over the N samples is missing",
    "factor-1/N": "{name} is N times too small: it is divided by the number of samples once too often",
    "factor-K": "{name} is off by the factor K, the number of outputs",
    "factor-const": "{name} is off by a constant factor",
    "missing-activation-derivative": "the derivative of the activation is missing",
    "activation-derivative-at-activation": "the derivative of the activation is taken at its output, not at its input",
    "output-form-on-preactivation": "a(1 - a) and the like want the output of the activation, and are given its input",
    "activation-derivative-of-wrong-layer": "the derivative of the activation is that of another layer",
    "activation-derivative-twice": "the derivative of the activation is multiplied in twice",
    "derivative-of-another-activation": "the derivative belongs to another activation than the forward pass computes",
    "wrong-local-derivative": "the derivative of this operation has the wrong formula",
    "weight-not-transposed": "the weights must be transposed on the way back",
    "gradient-transposed": "the gradient is transposed",
    "updated-weights": "the weights were updated before their old values had been used",
    "missing-weight-factor": "the weights of the next layer are missing",
    "skipped-layer": "a layer is skipped on the way back",
    "wrong-tensor-in-weight-gradient": "the gradient of the weights is made with the wrong activations or deltas",
    "wrong-tensor-in-delta": "{name} is made of the wrong array",
    "bias-not-reduced": "the gradient of the bias must be summed over the samples",
    "bias-wrong-axis": "the gradient of the bias is summed over the wrong axis",
    "reduced-too-early": "a sum or mean is taken before what depends on the sample has been multiplied in",
    "softmax-diagonal-only": "s(1 - s) is only the diagonal of softmax's derivative",
    "softmax-wrong-axis": "softmax runs along the wrong axis",
    "missing-target": "the target is missing",
    "wrong-loss-derivative": "this is not the derivative of this loss",
    "input-mutated": "an argument is changed in place, and its old values are needed later",
    "aliasing": "two names share one array: a write to one of them changes the other",
    "function-returns-global": "the function returns a global variable, not what it computed",
    "stale-forward-values": "the values are left over from another forward pass",
    "forward-differs": "the forward pass is computed again here, and differs from the one behind the loss",
    "accidental-broadcast": "two shapes that do not belong together were broadcast silently",
    "integer-dtype": "an integer array cuts off the fractions",
    "wrong-shape": "{name} has the wrong shape",
    "matmul-for-elementwise": "a product of matrices stands where one of elements belongs",
    "elementwise-after-matmul": "the product of elements belongs inside the product of matrices, not after it",
    "missing-branch": "one of the ways that lead to the loss is missing",
    "overwritten-not-accumulated": "what comes from several ways must be added up: = stands where += belongs",
    "accumulated-twice": "one of the ways that lead to the loss is counted twice",
    "detached-branch": "nothing flows back along one of the ways that lead to the loss",
    "off-by-one-index": "an index is off by one",
    "off-by-one-time": "the time step is off by one",
    "regulariser-forgotten": "the loss has a penalty on the weights, and the gradient has not",
    "regulariser-scale": "the gradient of the penalty on the weights has the wrong factor",
    "regulariser-on-wrong-parameter": "the penalty is on other parameters than the loss says",
    "relu-mask-from-wrong-tensor": "relu's mask is taken from the wrong array",
    "relu-mask-inverted": "relu's mask is inverted: it lets through what it should stop",
    "epsilon-ignored": "the small constant that the forward pass adds is ignored",
    "ddof": "the variance divides by N - 1 in one place and by N in the other",
}


def in_words(cause: str, name: str) -> str:
    """A cause, said to a person, of the step of this name.

    >>> in_words("sign", "delta1")
    'delta1 has the wrong sign'
    """
    return CAUSES[cause].format(name=name)
