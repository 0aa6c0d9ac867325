"""What gradients do not show of functions that move elements: whose memory results are, and large or odd arrays."""

import numpy as np
import pytest

import autodiff as ad

X = np.arange(1.0, 7.0).reshape(2, 3)

VIEWS = {
    "fliplr": np.fliplr,
    "flipud": np.flipud,
    "rot90": np.rot90,
    "rot90 by 0": lambda x: np.rot90(x, 0),
    "rot90 by 2": lambda x: np.rot90(x, 2),
    "rot90 by 3": lambda x: np.rot90(x, 3, (1, 0)),
    "rollaxis": lambda x: np.rollaxis(x, 1),
    "matrix_transpose": np.matrix_transpose,
    "atleast_1d": np.atleast_1d,
    "atleast_2d": lambda x: np.atleast_2d(x[0]),
    "atleast_3d": np.atleast_3d,
    "one of several": lambda x: np.atleast_3d(x[0], x)[1],
    "meshgrid": lambda x: np.meshgrid(x[0], x[1], copy=False, sparse=True)[0],
    "split": lambda x: np.split(x, 3, axis=1)[1],
    "array_split": lambda x: np.array_split(x, 2, axis=-1)[0],
    "hsplit": lambda x: np.hsplit(x, 3)[2],
    "vsplit": lambda x: np.vsplit(x, 2)[1],
    "dsplit": lambda x: np.dsplit(x[None], [1])[0],
    "trim_zeros": lambda x: np.trim_zeros(x[0]),
    "a chain": lambda x: np.hsplit(np.rot90(x), 2)[1].T,
}
COPIES = {
    "meshgrid": lambda x: np.meshgrid(x[0], x[1], sparse=True)[0],
    "roll": lambda x: np.roll(x, 1),
    "tile": lambda x: np.tile(x, 1),
    "repeat": lambda x: np.repeat(x, 1),
    "resize": lambda x: np.resize(x, (2, 3)),
    "block": np.block,
    "sort": np.sort,
    "take": lambda x: np.take(x, [0, 1], axis=0),
    "delete": lambda x: np.delete(x, []),
    "diagflat": np.diagflat,
    "a diagonal that is written": lambda x: np.diag(x[0]),
}
if hasattr(np, "unstack"):
    VIEWS["unstack"] = lambda x: np.unstack(x, axis=1)[0]
    VIEWS["astype"] = lambda x: np.astype(x, float, copy=False)
    VIEWS["reshape"] = lambda x: np.reshape(x.T, 6, order="F", copy=False)
    COPIES["astype"] = lambda x: np.astype(x, float)
    COPIES["reshape"] = lambda x: np.reshape(x, 6, copy=True)


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_a_write_to_a_view_reaches_the_array_and_its_gradient(view):
    plain = X.copy()
    view(plain)[...] = 0
    t, w = ad.Tensor(X), ad.Tensor(0.0)
    x = t * 1
    view(x)[...] = w
    np.testing.assert_array_equal(x.numpy(), plain)
    np.sum(x * X).backward()
    np.testing.assert_array_equal(t.grad, np.where(plain == 0, 0, X))
    assert w.grad == X[plain == 0].sum()


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_a_view_sees_what_is_written_to_the_array(view):
    x = ad.Tensor(X) * 1
    seen = view(x)
    x *= 2
    np.testing.assert_array_equal(seen.numpy(), view(2 * X))


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)
def test_a_write_to_a_copy_does_not(copy):
    x = ad.Tensor(X) * 1
    copy(x)[...] = 0
    np.testing.assert_array_equal(x.numpy(), X)


@pytest.mark.parametrize("read", [np.diagonal, np.diag, lambda x: np.broadcast_to(x, (2, 2, 3))])
def test_what_numpy_lets_nobody_write_to(read):
    x = ad.Tensor(X) * 1
    with pytest.raises(ValueError, match="read-only"):
        read(x)[...] = 0


def test_an_array_that_has_the_axes_already_is_itself():
    x = ad.Tensor(X)
    assert np.atleast_1d(x) is x
    assert np.atleast_2d(x) is x


@pytest.mark.skipif(not hasattr(np, "unstack"), reason="NumPy 2.1")
def test_reshape_says_that_it_would_have_to_copy():
    with pytest.raises(ValueError, match="copy"):
        np.reshape(ad.Tensor(X).T, 6, copy=False)


@pytest.mark.parametrize(("trim", "kept"), [("fb", [0, 1, 1, 1, 0]), ("f", [0, 1, 1, 1, 1]), ("b", [1, 1, 1, 1, 0])])
def test_trimmed_zeros_get_no_gradient(trim, kept):
    x = ad.Tensor([0.0, 2.0, 0.0, 3.0, 0.0])
    np.sum(np.trim_zeros(x, trim)).backward()
    np.testing.assert_array_equal(x.grad, kept)


def test_nothing_but_zeros():
    x = ad.Tensor([0.0, 0.0])
    assert np.trim_zeros(x).shape == (0,)


def test_partition_of_an_array_that_argpartition_orders_otherwise():
    """NumPy's faster ways through large arrays leave what is on either side in different orders."""
    x = np.random.default_rng(0).permutation(5000).astype(float)
    t = ad.Tensor(x)
    out = np.partition(t, 1000)
    np.sum(out * out.numpy()).backward()
    np.testing.assert_array_equal(t.grad, x)


@pytest.mark.parametrize("function", [np.append, np.insert])
def test_a_list_of_tensors_is_an_array(function):
    t, u = ad.Tensor([1.0, 2.0]), ad.Tensor(3.0)
    values = [u, u * u, 4.0]
    out = np.append(t, values) if function is np.append else np.insert(t, 1, values)
    assert sorted(out.tolist()) == [1.0, 2.0, 3.0, 4.0, 9.0]
    np.sum(out).backward()
    assert u.grad == 7
