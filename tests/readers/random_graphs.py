"""Random programs of NumPy, on Tensors: what a derivation is printed of, and what identities are tried on."""

import numpy as np

import autodiff as ad


def written_to(v):
    """Parts of it, by a mask and by an index, hold something else."""
    w = v * 1.5
    w[w < 0] = 0
    w[0] *= 2
    return w


UNARY = [
    np.tanh, np.exp, np.sin, np.square, ad.sigmoid, ad.relu, ad.softplus, np.negative, np.abs, np.cos,
    lambda v: 1 / (1 + np.exp(-v)), lambda v: np.log(1 + v * v), lambda v: np.sqrt(1 + np.square(v)),
    lambda v: np.maximum(v, 0), lambda v: np.minimum(v, 0.3), lambda v: np.where(v > 0.1, v, 0.5 * v),
    lambda v: v**3, lambda v: 2 * v, lambda v: v / 4, lambda v: 0.1 - v, lambda v: np.negative(-v), lambda v: v * 1,
    lambda v: v.T, lambda v: v.T.T, lambda v: np.reshape(v, v.shape[::-1]), lambda v: v[::-1],
    lambda v: v[1:] if len(v) > 1 else v,
    lambda v: np.swapaxes(v, 0, 1), lambda v: np.copy(v), lambda v: np.concatenate([v, -v]),
    lambda v: v - np.mean(v, axis=0), lambda v: v / (1 + np.sum(np.square(v), axis=1, keepdims=True)),
    lambda v: np.exp(v) / np.sum(np.exp(v), axis=1, keepdims=True), lambda v: ad.softmax(v, axis=0),
    lambda v: v - np.max(v, axis=1, keepdims=True), lambda v: np.cumsum(v, axis=0), lambda v: np.roll(v, 1, axis=0),
    lambda v: np.moveaxis(v, 0, 1), lambda v: v[:, None, :][:, 0], lambda v: np.clip(v, -0.5, 0.5), written_to,
    lambda v: (v[0] @ v[0]) * v, lambda v: np.outer(v[0], v[:, 0]), lambda v: np.split(v, len(v))[0] + v,
    lambda v: np.stack([v[0], 2 * v[-1]]), lambda v: np.exp(ad.log_softmax(v)), lambda v: np.reshape(v @ v[0], (-1, 1)),
    lambda v: np.var(v, axis=0, keepdims=True) + v, lambda v: np.sum(v, axis=0)[None, :] * v, lambda v: v + v,
]  # fmt: skip


def joined(rng, a, b):
    """Two values as one: element by element where they broadcast, else as matrices, whichever way fits."""
    ways = []
    if any(m == n or 1 in (m, n) for m, n in zip(a.shape, b.shape, strict=True)):
        try:
            np.broadcast_shapes(a.shape, b.shape)
            ways += [
                lambda: a + b,
                lambda: a - b,
                lambda: a * b,
                lambda: a / (2 + np.square(b)),
                lambda: np.hypot(a, b + 2),
            ]
        except ValueError:
            pass
    if a.shape[1] == b.shape[0]:
        ways += [lambda: a @ b, lambda: np.dot(a, b)] * 2
    if a.shape[1] == b.shape[1]:
        ways += [lambda: a @ b.T]
    if a.shape[0] == b.shape[0]:
        ways += [lambda: a.T @ b, lambda: np.concatenate([a, b], axis=1)]
    if not ways:
        return a + np.sum(b)
    return ways[rng.integers(len(ways))]()


def random_loss(seed):
    """A scalar of a few parameters and constants; they are found behind it."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 4, 3)
    values = [ad.Tensor(rng.uniform(-1, 1, rng.choice(sizes, 2)), name=f"W{i}") for i in range(1, 4)]
    values.append(ad.constant(rng.uniform(-1, 1, rng.choice(sizes, 2)), name="X"))
    total = np.sum(values[0]) / 3
    for step in range(rng.integers(3, 9)):
        if rng.random() < 0.5:
            value = UNARY[rng.integers(len(UNARY))](values[rng.integers(len(values))])
        else:
            i, k = rng.integers(len(values), size=2)
            value = joined(rng, values[i], values[k])
        if value.size > 40 or value.ndim != 2 or not np.all(np.abs(value.numpy()) < 50):
            continue
        if rng.random() < 0.4:
            value.name = f"v{step}"
        values.append(value)
    for value in values[4:] or values[:3]:
        total = total + np.sum(value * np.cos(0.3 * value))
    return total
