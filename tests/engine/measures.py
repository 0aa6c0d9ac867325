"""What the tests of the engine measure with: equality to the bit, central differences, and the words of an error."""

import numpy as np

import autodiff as ad


def bits(value):
    """All that NumPy knows of a value: dtype, shape and bytes, so that -0.0 is not 0.0 and nan is nan."""
    array = value.numpy() if isinstance(value, ad.Tensor) else np.asarray(value)
    padded = array.dtype.char in "gG"  # a longdouble has bytes that nobody sets
    return array.dtype.str, array.shape, [repr(x) for x in array.flat] if padded else array.tobytes()


def assert_same(actual, expected):
    """Equal to the bit; shows the arrays where they are not."""
    if bits(actual) != bits(expected):
        raise AssertionError(f"not equal to the bit:\n{actual!r}\n{expected!r}")


def node_of(tensor):
    """The node behind a Tensor, a view brought up to date."""
    return tensor._current()[1]


def differences(f, x, step=1e-6):
    """The gradient of a scalar function of one array by central differences: no rule of ours is asked."""
    x = np.array(x, dtype=float)
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        ends = []
        for sign in (1, -1):
            moved = x.copy()
            moved[index] += sign * step
            ends.append(float(f(moved)))
        gradient[index] = (ends[0] - ends[1]) / (2 * step)
    return gradient


def said(error):
    """All that an error tells its reader: its message, its notes, and those of the error that caused it."""
    words = [str(error), *getattr(error, "__notes__", ())]
    if error.__cause__ is not None:
        words.append(said(error.__cause__))
    return "\n".join(words)


def owned(gradient):
    """Whether a gradient is an array of its own: writable, and a view of nothing."""
    flags = gradient.flags
    return type(gradient) is np.ndarray and gradient.base is None and flags.owndata and flags.writeable
