"""Forward mode of every row: the product of what comes in with a tangent is the same, whichever way it is formed."""

import numpy as np

import autodiff as ad

from .arguments import examples
from .gradcheck import cotangent, cotangents, inner, pulled
from .test_rows import each_function


@each_function
def test_forward_equals_reverse(function):
    for call in examples(function)[::4]:
        check_forward(call)


def check_forward(call):
    positions = call.differentiable
    if not positions or call.written:
        return
    arrays = [call.arrays[i] for i in positions]
    tangents = [cotangent(x.shape, x.dtype, seed=5 + k) for k, x in enumerate(arrays)]

    def outputs(*tensors):
        return call.outputs(dict(zip(positions, tensors, strict=True)))

    try:
        _, moved = ad.jvp(outputs, arrays, tangents)
    except ad.errors.GradientError:
        if call.dispatches(positions):
            raise
        return
    g = cotangents(call.outputs())
    tensors = call.tensors(positions)
    gradients = pulled(call.outputs(tensors), [*tensors.values()], g)
    forward = sum(map(inner, g, moved))
    reverse = sum(map(inner, gradients, tangents))
    size = sum(np.sum(np.abs(gradient * v)) for gradient, v in zip(gradients, tangents, strict=True))
    assert abs(forward - reverse) <= 1e-12 * (1 + size) * 10, f"{call}: forward {forward}, reverse {reverse}"
