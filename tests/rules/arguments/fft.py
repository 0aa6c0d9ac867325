"""Fourier transforms: lengths that cut and fill up, even and odd ones, all norms, repeated axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ..gradcheck import Call
from .common import FLAG, Factory, any_axes, axes, axis, numbers, optional, shapes, single

REAL = {np.fft.rfft, np.fft.rfft2, np.fft.rfftn, np.fft.ihfft}  # take real arrays only
ALONG_ONE = {np.fft.fft, np.fft.ifft, np.fft.rfft, np.fft.irfft, np.fft.hfft, np.fft.ihfft}
IN_TWO = {np.fft.fft2, np.fft.ifft2, np.fft.rfft2, np.fft.irfft2}
IN_ANY = {np.fft.fftn, np.fft.ifftn, np.fft.rfftn, np.fft.irfftn}

LENGTHS = st.integers(1, 5)
REPEATED = np.lib.NumpyVersion(np.__version__) >= "2.1.0"  # before, rfftn took axes that repeat in another order
NORMS = st.sampled_from((None, "backward", "ortho", "forward"))


@st.composite
def transforming(draw: Any, function: Callable[..., Any]) -> Call:
    size = draw(shapes(2 if function in IN_TWO else 1, sizes=st.integers(1, 4)))
    x = draw(numbers(size, complex=function not in REAL and draw(FLAG)))
    if function in ALONG_ONE:
        return Call(function, (x,), draw(optional(n=LENGTHS, axis=axis, norm=NORMS)(size)))
    keywords = draw(optional(norm=NORMS)(size))
    different = axes(size, min_size=1).map(list)
    along = draw(different | st.lists(axis(size), min_size=1, max_size=3) if REPEATED else different)
    match draw(st.sampled_from(("default", "axes", "lengths"))):
        case "axes":
            keywords["axes"] = tuple(along)
        case "lengths":
            keywords |= {"axes": along, "s": [draw(LENGTHS | st.just(-1)) for _ in along]}
    return Call(function, (x,), keywords)


ARGUMENTS: dict[Callable[..., Any], Factory] = {
    **dict.fromkeys((*ALONG_ONE, *IN_TWO, *IN_ANY), transforming),
    **dict.fromkeys((np.fft.fftshift, np.fft.ifftshift), single(optional(axes=any_axes))),
}
COMPLEX = {np.fft.fftshift, np.fft.ifftshift}
