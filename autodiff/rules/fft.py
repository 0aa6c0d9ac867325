"""Discrete Fourier transforms: numpy.fft.

    linear(function, formula, the transpose applied to g)        composed(function, signature, an equal expression)

The matrix of a transform is symmetric: its transpose is the transform itself. Where `n` cuts, the transpose fills up with
zeros, and where it fills up, it cuts. Of the gradient of a real argument the engine takes the real part.
"""
# ruff: noqa: E501

from __future__ import annotations

from typing import Any

import numpy as np

from ..primitive import composed, linear
from .indexing import scatter

OPPOSITE: dict[Any, str] = {None: "forward", "backward": "forward", "ortho": "ortho", "forward": "backward"}


def fitted(g: Any, shape: tuple[int, ...]) -> Any:
    """g, cut or filled up with zeros."""
    common = tuple(slice(min(sizes)) for sizes in zip(g.shape, shape, strict=True))
    return g if g.shape == shape else scatter(g[common], (), shape=shape, index=common)


def counted(g: Any, n: int, axis: int) -> Any:
    """Half a spectrum, times how often each of its frequencies stands in the whole of length n: 1, 2, ..., 2 (, 1)."""
    frequency, half = np.arange(g.shape[axis]), np.swapaxes(g, axis, -1)
    return np.swapaxes(np.where((frequency > 0) & (2 * frequency < n), 2 * half, half), axis, -1)


def over_axes(rest: Any, last: Any, a: Any, s: Any, axes: Any, norm: Any, order: int = -1) -> Any:
    """Transforms along one axis after the other, in NumPy's order: it matters where an axis repeats."""
    axes = range(-len(a.shape if s is None else s), 0) if axes is None else axes
    functions = [rest] * (len(axes) - 1) + [last]
    sizes = [-1] * (len(axes) - 1) + [None] if s is None else s
    sizes = [a.shape[axis] if n == -1 else n for n, axis in zip(sizes, axes, strict=False)]
    for function, n, axis in list(zip(functions, sizes, axes, strict=False))[::order]:
        a = function(a, n, axis, norm)
    return a


# fmt: off
linear(np.fft.fft,       "fft(x, n=None, axis=-1, norm=None, out=None)",    "fitted(np.fft.fft(g, axis=axis, norm=norm), x.shape)")
linear(np.fft.ifft,      "ifft(x, n=None, axis=-1, norm=None, out=None)",   "fitted(np.fft.ifft(g, axis=axis, norm=norm), x.shape)")
linear(np.fft.rfft,      "rfft(x, n=None, axis=-1, norm=None, out=None)",   "fitted(np.fft.fft(g, n or x.shape[axis], axis, norm), x.shape)")
linear(np.fft.irfft,     "irfft(x, n=None, axis=-1, norm=None, out=None)",  "fitted(counted(np.fft.ihfft(g, axis=axis, norm=norm), g.shape[axis], axis), x.shape)")
linear(np.fft.fftshift,  "fftshift(x, axes=None)",                          "np.fft.ifftshift(g, axes)")
linear(np.fft.ifftshift, "ifftshift(x, axes=None)",                         "np.fft.fftshift(g, axes)")

composed(np.fft.hfft,    "hfft(a, n=None, axis=-1, norm=None, out=None)",           "np.fft.irfft(np.conj(a), n, axis, OPPOSITE[norm])")
composed(np.fft.ihfft,   "ihfft(a, n=None, axis=-1, norm=None, out=None)",          "np.conj(np.fft.rfft(a, n, axis, OPPOSITE[norm]))")
composed(np.fft.fft2,    "fft2(a, s=None, axes=(-2, -1), norm=None, out=None)",     "over_axes(np.fft.fft, np.fft.fft, a, s, axes, norm)")
composed(np.fft.ifft2,   "ifft2(a, s=None, axes=(-2, -1), norm=None, out=None)",    "over_axes(np.fft.ifft, np.fft.ifft, a, s, axes, norm)")
composed(np.fft.rfft2,   "rfft2(a, s=None, axes=(-2, -1), norm=None, out=None)",    "over_axes(np.fft.fft, np.fft.rfft, a, s, axes, norm)")
composed(np.fft.irfft2,  "irfft2(a, s=None, axes=(-2, -1), norm=None, out=None)",   "over_axes(np.fft.ifft, np.fft.irfft, a, s, axes, norm, 1)")
composed(np.fft.fftn,    "fftn(a, s=None, axes=None, norm=None, out=None)",         "over_axes(np.fft.fft, np.fft.fft, a, s, axes, norm)")
composed(np.fft.ifftn,   "ifftn(a, s=None, axes=None, norm=None, out=None)",        "over_axes(np.fft.ifft, np.fft.ifft, a, s, axes, norm)")
composed(np.fft.rfftn,   "rfftn(a, s=None, axes=None, norm=None, out=None)",        "over_axes(np.fft.fft, np.fft.rfft, a, s, axes, norm)")
composed(np.fft.irfftn,  "irfftn(a, s=None, axes=None, norm=None, out=None)",       "over_axes(np.fft.ifft, np.fft.irfft, a, s, axes, norm, 1)")
# fmt: on
