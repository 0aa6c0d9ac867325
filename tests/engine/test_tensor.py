"""Tensor is a NumPy array to write with: what it is made of, what its operators give, and what no_grad does."""

import asyncio
import contextlib
import contextvars
import copy
import functools
import operator
import pickle
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
import nn

from .measures import assert_same, owned

# --- construction -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (3, np.array(3.0)),
        (True, np.array(1.0)),
        (2.5, np.array(2.5)),
        (1 + 2j, np.array(1 + 2j)),
        ([], np.array([])),
        ([1, 2], np.array([1.0, 2.0])),
        ((True, False), np.array([1.0, 0.0])),
        (range(3), np.array([0.0, 1.0, 2.0])),
        ([[1, 2.5], [3, 4]], np.array([[1, 2.5], [3, 4]])),
        (np.int8(3), np.array(3.0)),
        (np.float32(0.5), np.array(0.5, np.float32)),
        (np.float16([1, 2]), np.array([1, 2], np.float16)),
        (np.longdouble([1, 2]), np.array([1, 2], np.longdouble)),
        (np.complex64([1j]), np.array([1j], np.complex64)),
        (np.uint8([255]), np.array([255.0])),
        (np.zeros((2, 0, 3)), np.zeros((2, 0, 3))),
        (np.arange(3, dtype=">f8"), np.arange(3, dtype=">f8")),
    ],
)
def test_data_of_every_kind(data, expected):
    tensor = ad.Tensor(data)
    assert_same(tensor, expected)
    assert (tensor.shape, tensor.ndim, tensor.size, tensor.dtype) == (
        expected.shape, expected.ndim, expected.size, expected.dtype,
    )  # fmt: skip
    assert tensor.requires_grad
    assert tensor.is_leaf
    assert tensor.grad is None
    assert tensor.name is None


@pytest.mark.parametrize("dtype", [np.float32, "float32", np.dtype("f4"), "f4"])
def test_a_dtype_that_was_asked_for(dtype):
    assert_same(ad.Tensor([1, 2], dtype=dtype), np.array([1, 2], np.float32))
    assert_same(ad.Tensor(np.float64([1, 2]), dtype=dtype), np.array([1, 2], np.float32))


def test_integers_of_a_constant_stay_integers():
    for data in ([1, 2], [True, False], np.uint8([1])):
        assert_same(ad.constant(data), np.asarray(data))


@pytest.mark.parametrize("make", [ad.Tensor, ad.constant])
def test_data_is_copied(make):
    for array in (np.ones((2, 3)), np.ones((2, 3)).T, np.ones((4, 6))[::2, ::-2]):
        tensor = make(array)
        array[...] = 9
        assert_same(tensor, np.ones(array.shape))


def test_a_constant_may_adopt_its_array():
    array = np.arange(3.0)
    assert np.shares_memory(ad.constant(array, copy=False).numpy(), array)


def test_strides_stay_so_that_bits_do():
    """A sum in another order of memory is another sum."""
    array = np.random.default_rng(0).standard_normal((40, 50))[::2, ::-3].T
    assert_same(np.sum(ad.Tensor(array), axis=0), np.sum(array, axis=0))
    assert_same(ad.Tensor(array) @ array.T, array @ array.T)


def test_a_column_of_a_large_array_is_copied_alone():
    """Keeping the strides must not keep the memory between them."""
    import tracemalloc

    large = np.zeros((20_000, 100))
    w = ad.Tensor(2.0)
    tracemalloc.start()
    try:
        kept = w * large[:, 0]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept.requires_grad
    assert peak < 10 * large[:, 0].size * large.itemsize


def test_a_read_only_array_is_data():
    array = np.arange(3.0)
    array.setflags(write=False)
    w = ad.Tensor(array)
    w.data[0] = 5
    assert array[0] == 0
    np.sum(w * array).backward()
    assert_same(w.grad, array)


@pytest.mark.parametrize("name", ["W1", "가중치", "은닉층.편향", "σ", "", "two words", "W\n1"])
def test_names(name):
    tensor = ad.Tensor([1.0], name=name)
    assert tensor.name == name
    np.sum(tensor * 2).backward()
    assert tensor.name == name
    tensor.name = "학습률"
    assert tensor.name == "학습률"
    assert "학습률" in repr(tensor)
    with ad.no_grad():
        tensor -= 1
    assert tensor.name == "학습률"
    tensor.data[0] = 3
    assert (tensor * 2).requires_grad
    assert tensor.name == "학습률"


def test_an_interior_value_can_be_named():
    z = ad.Tensor([1.0]) * 2
    assert z.name is None
    z.name = "z2"
    assert z.name == "z2"
    assert "z2" in repr(z)
    with pytest.raises(ValueError, match=r"z2 \(1,\)"):
        z @ np.ones((3, 2))


def test_a_view_keeps_the_name_it_was_given():
    z = ad.Tensor([1.0, 2.0]) * 2
    v = z[1:]
    v.name = "tail"
    z[:] = 3
    assert_same(v, np.array([3.0]))
    assert v.name == "tail"


def test_requires_grad_freezes_and_thaws():
    w, v = ad.Tensor([1.0], requires_grad=False), ad.Tensor([2.0])
    loss = np.sum(w * v)
    loss.backward()
    assert w.grad is None
    w.requires_grad = True
    assert w.requires_grad
    np.sum(w * v).backward()
    assert_same(w.grad, np.array([2.0]))
    w.requires_grad = False
    w.zero_grad()
    np.sum(w * v).backward()
    assert w.grad is None


# --- values are NumPy's -----------------------------------------------------------------------------------------------

BINARY = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.mod, operator.floordiv,
    operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne,
]  # fmt: skip
DTYPES = [np.float16, np.float32, np.float64, np.complex64, np.complex128, np.longdouble]
SCALARS = [2, 0.5, True, np.float32(1.5), np.float64(1.5), np.int64(3), np.int8(2), 1 + 2j]
ARRAYS = [np.array(dtype([1.5, 2.0, 3.25])) for dtype in (np.float32, np.float64, np.int64, np.int8, np.uint16)]


def result(call, *arguments):
    """What a call gives, or the family of what it raises."""
    try:
        return call(*arguments)
    except (TypeError, ValueError, FloatingPointError) as error:
        return TypeError if isinstance(error, TypeError) else ValueError


@pytest.mark.parametrize("operate", BINARY, ids=lambda operate: operate.__name__)
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.__name__)
def test_operators_and_promotion_are_numpys_to_the_bit(operate, dtype):
    x = np.array([1.25, -2.0, 3.0], dtype)
    t = ad.Tensor(x)
    assert t.dtype == dtype
    with np.errstate(all="ignore"):
        for other in [*SCALARS, *ARRAYS, [1.0, 2.0, 3.0], x[:1]]:
            for ours, numpys in (((t, other), (x, other)), ((other, t), (other, x))):
                expected, got = result(operate, *numpys), result(operate, *ours)
                if isinstance(expected, type):
                    assert got is expected, f"{dtype.__name__} {operate.__name__} {other!r}"
                else:
                    assert isinstance(got, ad.Tensor)
                    assert_same(got, expected)


UNARY = [operator.neg, operator.pos, abs, np.tanh, np.exp, np.sign, np.square, np.isnan, np.floor]


@pytest.mark.parametrize("operate", UNARY, ids=lambda operate: operate.__name__)
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0, 2)])
def test_functions_of_one_argument(operate, shape):
    x = np.linspace(-2, 2, int(np.prod(shape))).reshape(shape)
    assert_same(operate(ad.Tensor(x)), operate(x))
    assert_same(operate(ad.Tensor(x.astype(np.float32))), operate(x.astype(np.float32)))


@given(
    st.sampled_from([(), (1,), (3,), (2, 1), (2, 3), (4, 1, 3), (0, 3)]),
    st.sampled_from([(), (1,), (3,), (2, 1), (2, 3), (4, 1, 3), (0, 3)]),
    st.sampled_from([operator.add, operator.mul, operator.sub, operator.truediv, np.maximum, np.logaddexp, np.hypot]),
)
def test_broadcasting_is_numpys(left, right, operate):
    rng = np.random.default_rng(0)
    x, y = rng.uniform(1, 2, left), rng.uniform(1, 2, right)
    expected = result(operate, x, y)
    got = result(operate, ad.Tensor(x), ad.Tensor(y))
    if isinstance(expected, type):
        assert got is expected
        return
    assert_same(got, expected)
    w, v = ad.Tensor(x), ad.Tensor(y)
    np.sum(operate(w, v)).backward()
    assert (w.grad.shape, v.grad.shape) == (left, right)
    assert owned(w.grad)
    assert owned(v.grad)


M = np.array([[1.5, -2.0, 0.25], [3.0, 0.5, -1.0]])
METHODS = {
    "sum": lambda a: a.sum(),
    "sum axis": lambda a: a.sum(axis=0),
    "sum positional": lambda a: a.sum(-1),
    "sum keepdims": lambda a: a.sum(axis=(0, 1), keepdims=True),
    "mean": lambda a: a.mean(axis=1),
    "max": lambda a: a.max(),
    "min": lambda a: a.min(axis=0),
    "prod": lambda a: a.prod(axis=1),
    "var": lambda a: a.var(ddof=1),
    "std": lambda a: a.std(axis=0, keepdims=True),
    "cumsum": lambda a: a.cumsum(axis=1),
    "cumprod": lambda a: a.cumprod(),
    "argmax": lambda a: a.argmax(axis=1),
    "argmin": lambda a: a.argmin(),
    "all": lambda a: a.all(),
    "any": lambda a: a.any(axis=0),
    "round": lambda a: a.round(1),
    "clip": lambda a: a.clip(-1, 1),
    "clip by name": lambda a: a.clip(max=1),
    "dot": lambda a: a.dot(M.T),
    "T": lambda a: a.T,
    "transpose": lambda a: a.transpose(1, 0),
    "transpose tuple": lambda a: a.transpose((1, 0)),
    "transpose none": lambda a: a.transpose(),
    "reshape": lambda a: a.reshape(3, 2),
    "reshape tuple": lambda a: a.reshape((3, -1)),
    "reshape order": lambda a: a.reshape(-1, order="F"),
    "ravel": lambda a: a.ravel(),
    "flatten": lambda a: a.flatten(),
    "flatten order": lambda a: a.flatten("F"),
    "squeeze": lambda a: a[:1].squeeze(),
    "squeeze axis": lambda a: a[:1].squeeze(axis=0),
    "swapaxes": lambda a: a.swapaxes(0, 1),
    "astype": lambda a: a.astype(np.float32),
    "astype by name": lambda a: a.astype("float32"),
    "copy": lambda a: a.copy(),
    "item": lambda a: np.asarray(a.item(1, 2)),
    "item flat": lambda a: np.asarray(a.item(4)),
    "tolist": lambda a: np.asarray(a.tolist()),
    "np.reshape": lambda a: np.reshape(a, (3, 2)),
    "np.transpose": lambda a: np.transpose(a, [1, 0]),
    "np.expand_dims": lambda a: np.expand_dims(a, 0),
    "np.expand_dims by name": lambda a: np.expand_dims(a, axis=1),
    "np.squeeze": lambda a: np.squeeze(a[None], axis=0),
    "np.swapaxes": lambda a: np.swapaxes(a, 0, 1),
    "np.moveaxis": lambda a: np.moveaxis(a, 0, -1),
    "np.concatenate": lambda a: np.concatenate([a, a, M]),
    "np.concatenate axis": lambda a: np.concatenate((a, M), axis=1),
    "np.stack": lambda a: np.stack([a, M], axis=-1),
    "np.broadcast_to": lambda a: np.broadcast_to(a, (2, 2, 3)),
    "np.clip": lambda a: np.clip(a, -1, 1),
    "np.clip by name": lambda a: np.clip(a, a_min=-1, a_max=None),
    "np.clip by new name": lambda a: np.clip(a, min=-1),
    "np.sum by name": lambda a: np.sum(a=a, axis=1, keepdims=True),
    "np.mean": lambda a: np.mean(a, 0),
    "np.where": lambda a: np.where(a > 0, a, 2 * a),
    "np.zeros_like": lambda a: np.zeros_like(a),
    "np.ones_like": lambda a: np.ones_like(a, dtype=np.float32),
    "np.full_like": lambda a: np.full_like(a, 3.0),
    "np.zeros": lambda a: np.zeros(4, like=a) if isinstance(a, ad.Tensor) else np.zeros(4),
    "np.shape": lambda a: np.asarray(np.shape(a)),
    "np.ndim": lambda a: np.asarray(np.ndim(a)),
    "np.size": lambda a: np.asarray(np.size(a)),
    "np.round": lambda a: np.round(a, 1),
    "np.allclose": lambda a: np.asarray(np.allclose(a, M)),
    "index": lambda a: a[1],
    "index -": lambda a: a[-1, ::-1],
    "index ...": lambda a: a[..., 0],
    "index None": lambda a: a[:, None],
    "index list": lambda a: a[[0, 0, 1]],
    "index arrays": lambda a: a[np.arange(2), np.array([2, 0])],
    "index mask": lambda a: a[a > 0],
    "index own": lambda a: a[a.argmin(axis=0)],
    "index np.int64": lambda a: a[np.int64(1), np.int64(0)],
    "index ()": lambda a: a[()],
    "index np.ix_": lambda a: a[np.ix_([1, 0], [2])],
    "sum of rows": lambda a: sum(row for row in a),
    "max of elements": lambda a: max(a[0]),
    "matmul vector": lambda a: a @ np.arange(3.0),
    "matmul list": lambda a: a @ [1, 2, 3],
    "invert": lambda a: ~(a > 0),
    "logic": lambda a: (a > 0) & (a < 2) | (a == -2) ^ True,
}


@pytest.mark.parametrize("call", METHODS.values(), ids=METHODS)
def test_methods_and_functions_give_numpys_values(call):
    assert_same(call(ad.Tensor(M)), call(M))
    assert_same(call(ad.Tensor(np.asfortranarray(M))), call(np.asfortranarray(M)))


def test_a_gradient_has_its_leafs_dtype():
    for dtype in (dtype for dtype in DTYPES if np.dtype(dtype).kind == "f"):
        w, v = ad.Tensor([1.0, 2.0], dtype=dtype), ad.Tensor(3.0, dtype=np.float64)
        np.sum(abs(w * np.float64(2) * v * [1, 2])).backward()
        assert w.grad.dtype == dtype
        assert v.grad.dtype == np.float64


# --- Python's protocols -----------------------------------------------------------------------------------------------


def test_len_iter_contains():
    t = ad.Tensor([[1.0, 2.0], [3.0, 4.0]])
    assert len(t) == 2
    rows = list(t)
    assert_same(rows[1], np.array([3.0, 4.0]))
    first, second = t
    np.sum(first * second).backward()
    assert_same(t.grad, np.array([[3.0, 4.0], [1.0, 2.0]]))
    assert 3.0 in t
    assert 5.0 not in t
    assert [row.shape for row in reversed(t)] == [(2,), (2,)]
    for call in (lambda: len(ad.Tensor(1.0)), lambda: iter(ad.Tensor(1.0))):
        with pytest.raises(TypeError, match="0-d"):
            call()


def test_bool():
    assert ad.Tensor(1.0)
    assert not ad.Tensor([0.0])
    assert ad.Tensor(1.0) > 0
    assert not (ad.Tensor(1.0) > ad.Tensor(2.0))
    for value in ([1.0, 2.0], []):
        with pytest.raises(ValueError, match="truth value"):
            bool(ad.Tensor(value))


def test_hash_is_identity():
    a, b = ad.Tensor(1.0), ad.Tensor(1.0)
    assert len({a, b, a}) == 2
    assert {a: 1}[a] == 1
    assert hash(a) != hash(b)


def test_item_and_tolist_leave_the_graph_on_purpose():
    t = ad.Tensor([[1.0, 2.0]])
    assert t.tolist() == [[1.0, 2.0]]
    assert type(t.item(0)) is float
    assert np.sum(t).item() == 3.0
    with pytest.raises(ValueError, match="size"):
        t.item()


@pytest.mark.parametrize(
    ("value", "spec", "text"),
    [(1.23456, ".3f", "1.235"), (1.23456, "", "1.23456"), (12345.6, ",.0f", "12,346"), (0.5, ".0%", "50%")],
)
def test_format(value, spec, text):
    for tensor in (ad.Tensor(value), ad.Tensor(value) * 1, ad.constant(value)):
        assert format(tensor, spec) == text


def test_format_of_an_array():
    assert f"{ad.Tensor([1.0, 2.0])}" == "[1. 2.]"
    with pytest.raises((TypeError, ValueError)):
        format(ad.Tensor([1.0, 2.0]), ".3f")


def test_repr_says_what_it_is():
    assert repr(ad.Tensor([1.0, 2.0])) == "Tensor([1., 2.])"
    assert repr(ad.Tensor(1.5, name="lr")) == "Tensor(1.5, name='lr')"
    assert repr(ad.Tensor([1.0], dtype=np.float32)) == "Tensor([1.], dtype=float32)"
    assert repr(ad.constant([1.0], "X")) == "Tensor([1.], name='X', requires_grad=False)"
    assert repr(np.tanh(ad.Tensor([0.0]))) == "Tensor([0.], from=tanh)"
    assert repr(ad.Tensor(np.ones((2, 2)))) == "Tensor([[1., 1.],\n        [1., 1.]])"
    assert str(ad.Tensor([1.0, 2.0])) == "[1. 2.]"
    assert len(repr(ad.Tensor(np.zeros(10**6)))) < 200


def test_repr_of_a_view_that_was_written():
    z = ad.Tensor([1.0, 2.0]) * 1
    v = z[1:]
    z[:] = 5.0
    assert repr(v) == "Tensor([5.], from=getitem)"


# --- detach, copies, pickles ------------------------------------------------------------------------------------------


def test_detach_and_constant_cut_the_gradient():
    w = ad.Tensor([1.0, 2.0])
    z = w * 2
    np.sum(z * z.detach()).backward()
    assert_same(w.grad, 2 * np.array([2.0, 4.0]))
    assert not z.detach().requires_grad
    assert z.detach().is_leaf


def test_deepcopy_of_a_leaf():
    w = ad.Tensor([1.0, 2.0], name="w")
    np.sum(w * w).backward()
    again = copy.deepcopy(w)
    assert_same(again, w.numpy())
    assert_same(again.grad, w.grad)
    assert (again.name, again.requires_grad, again.is_leaf) == ("w", True, True)
    assert not np.shares_memory(again.grad, w.grad)
    again.data[0] = 9
    again.grad[0] = 9
    assert (w[0].item(), w.grad[0]) == (1.0, 2.0)
    np.sum(again).backward()
    assert_same(w.grad, np.array([2.0, 4.0]))


def test_deepcopy_keeps_what_is_one_one():
    w = ad.Tensor([1.0])
    first, second = copy.deepcopy([w, w])
    assert first is second
    assert first is not w


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_of_leaves(protocol):
    w = ad.Tensor(np.arange(6, dtype=np.float32).reshape(2, 3).T, name="가중치")
    np.sum(w).backward()
    again = pickle.loads(pickle.dumps(w, protocol))
    assert_same(again, w.numpy())
    assert_same(again.grad, w.grad)
    assert again.name == "가중치"
    assert again.requires_grad
    np.sum(again * 2).backward()
    assert owned(again.grad)


def test_pickles_of_constants_stay_constant():
    again = pickle.loads(pickle.dumps(ad.constant([1, 2], "X")))
    assert_same(again, np.array([1, 2]))
    assert (again.name, again.requires_grad) == ("X", False)
    with pytest.raises(ad.errors.InPlaceError):
        again[0] = 1


def test_pickles_and_copies_of_parameters_stay_parameters():
    parameter = nn.Parameter([1.0, 2.0])
    for again in (pickle.loads(pickle.dumps(parameter)), copy.deepcopy(parameter)):
        assert type(again) is nn.Parameter
        assert_same(again, np.array([1.0, 2.0]))


def test_pickles_of_a_leaf_whose_data_was_read():
    w = ad.Tensor([1.0, 2.0])
    w.data[0] = 5
    assert_same(pickle.loads(pickle.dumps(w)), np.array([5.0, 2.0]))
    assert_same(copy.deepcopy(w), np.array([5.0, 2.0]))


# --- the style of the notebook ----------------------------------------------------------------------------------------

STUDY = np.array([[3, 5], [5, 1], [10, 2]])
GRADES = np.array([[0.75], [0.82], [0.93]])
STYLES = {
    "X @ W1": lambda W1: STUDY @ W1,
    "np.dot(X, W1)": lambda W1: np.dot(STUDY, W1),
    "np.matmul(X, W1)": lambda W1: np.matmul(STUDY, W1),
    "constant(X).dot(W1)": lambda W1: ad.constant(STUDY).dot(W1),
    "constant(X) @ W1": lambda W1: ad.constant(STUDY, "X") @ W1,
}


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@pytest.mark.parametrize("first_layer", STYLES.values(), ids=STYLES)
@pytest.mark.parametrize("loss_of", [lambda d: np.power(d, 2) / 2, lambda d: d**2 / 2, lambda d: np.square(d) * 0.5])
def test_the_notebooks_network_beside_its_hand_derived_gradients(first_layer, loss_of):
    rng = np.random.default_rng(0)
    w1, w2 = rng.standard_normal((2, 4)), rng.standard_normal((4, 1))
    W1, W2 = ad.Tensor(w1, name="W1"), ad.Tensor(w2, name="W2")
    a2 = sigmoid(first_layer(W1))
    y_hat = sigmoid(a2.dot(W2))
    loss = loss_of(GRADES - y_hat)
    a2_, y_ = sigmoid(STUDY @ w1), sigmoid(sigmoid(STUDY @ w1) @ w2)
    assert_same(y_hat, y_)
    loss.sum().backward()
    delta2 = np.multiply(-(GRADES - y_), y_ * (1 - y_))
    delta1 = np.multiply(np.dot(delta2, w2.T), a2_ * (1 - a2_))
    np.testing.assert_allclose(W2.grad, a2_.T.dot(delta2), rtol=1e-12)
    np.testing.assert_allclose(W1.grad, STUDY.T.dot(delta1), rtol=1e-12)


def test_a_hand_derivation_runs_on_tensors_unchanged():
    """The notebook's own backward pass, on Tensors: `a2.T.dot(d)` and `np.multiply` record as any other call."""
    rng = np.random.default_rng(1)
    w1, w2 = rng.standard_normal((2, 3)), rng.standard_normal((3, 1))

    def by_hand(X, y, W1, W2):
        a2 = sigmoid(X @ W1)
        y_hat = sigmoid(a2.dot(W2))
        delta2 = np.multiply(-(y - y_hat), np.exp(-a2.dot(W2)) / np.power(1 + np.exp(-a2.dot(W2)), 2))
        delta1 = np.dot(delta2, W2.T) * (a2 * (1 - a2))
        return X.T @ delta1, a2.T.dot(delta2)

    for got, expected in zip(
        by_hand(STUDY, GRADES, ad.Tensor(w1), ad.Tensor(w2)), by_hand(STUDY, GRADES, w1, w2), strict=True
    ):
        assert_same(got, expected)


# --- no_grad ----------------------------------------------------------------------------------------------------------


def records():
    return (ad.Tensor(1.0) * 2).requires_grad


def test_no_grad_as_a_context():
    w = ad.Tensor(1.0)
    with ad.no_grad():
        inside = w * 2
        assert not inside.requires_grad
        with ad.no_grad():
            assert not records()
        assert not records()
    assert records()
    assert not inside.requires_grad
    assert w.requires_grad


def test_no_grad_ends_with_an_exception():
    with pytest.raises(KeyError), ad.no_grad():
        raise KeyError
    assert records()


def test_no_grad_as_a_decorator():
    @ad.no_grad()
    def evaluate(x, *, times=1):
        """Its words."""
        return records(), x * times

    assert evaluate(3, times=2) == (False, 6)
    assert records()
    assert (evaluate.__name__, evaluate.__doc__) == ("evaluate", "Its words.")

    @ad.no_grad()
    def countdown(n):
        return [] if n == 0 else [records(), *countdown(n - 1)]

    assert countdown(3) == [False] * 3
    assert records()


def test_no_grad_as_a_decorator_of_a_method():
    class Model:
        @ad.no_grad()
        def predict(self):
            return records()

    assert not Model().predict()


def test_no_grad_as_a_decorator_of_a_coroutine():
    seen = []

    @ad.no_grad()
    async def evaluate(name):
        seen.append((name, records()))
        await asyncio.sleep(0)
        seen.append((name, records()))

    async def train(name):
        for _ in range(4):
            seen.append((name, records()))
            await asyncio.sleep(0)

    async def both():
        await asyncio.gather(train("train"), evaluate("evaluate"), train("train"))

    asyncio.run(both())
    assert len(seen) == 10
    assert all(recorded == (name == "train") for name, recorded in seen)
    assert asyncio.iscoroutinefunction(evaluate)


def test_no_grad_as_a_decorator_of_a_generator():
    """Inside its body nothing is recorded and whoever consumes it is not touched; or it is refused, with the remedy."""
    seen = []

    def batches():
        for _ in range(2):
            seen.append(records())
            yield

    try:
        quiet = ad.no_grad()(batches)
    except ad.errors.GradientError as error:
        assert "with no_grad()" in str(error)  # noqa: PT017 (either will do)
        return
    for _ in quiet():
        assert records()
    assert seen == [False, False]


def test_a_decorated_generator_takes_what_is_thrown_and_sent():
    """So that it can be a contextlib.contextmanager or a test's fixture."""

    def conversation():
        try:
            answer = yield "question"
        except KeyError:
            answer = "thrown"
        yield answer

    try:
        quiet = ad.no_grad()(conversation)
    except ad.errors.GradientError:
        return
    for call, expected in ((lambda talk: talk.send("sent"), "sent"), (lambda talk: talk.throw(KeyError()), "thrown")):
        talk = quiet()
        assert next(talk) == "question"
        assert call(talk) == expected


def test_tasks_that_interleave():
    async def inside(first, second):
        with ad.no_grad():
            first.set()
            await second.wait()
            assert not records()
        assert records()

    async def main():
        one, two = asyncio.Event(), asyncio.Event()
        await asyncio.gather(inside(one, two), inside(two, one))
        assert records()

    asyncio.run(main())


def apart(test):
    """Run a test in a context of its own, so that it leaves nothing behind also when it fails."""

    @functools.wraps(test)
    def run(*arguments, **keywords):
        return contextvars.copy_context().run(test, *arguments, **keywords)

    return run


@apart
def test_exits_that_interleave():
    """As of two generators that are closed in the order in which they were opened."""
    first, second = ad.no_grad(), ad.no_grad()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert not records()
    second.__exit__(None, None, None)
    assert records()


@apart
def test_an_exit_in_another_context():
    """A generator that one task starts is closed by another, or by the collector: that one goes on recording."""

    def quiet():
        with ad.no_grad():
            yield

    started = quiet()
    contextvars.copy_context().run(next, started)
    with contextlib.suppress(ValueError):
        started.close()
    assert records()


def test_one_object_entered_twice():
    once = ad.no_grad()
    with once:
        with once:
            assert not records()
        assert not records()
    assert records()


def in_thread(call):
    found = []

    def run():
        try:
            found.append(call())
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, found


def test_no_grad_is_of_its_thread():
    with ad.no_grad():
        thread, found = in_thread(records)
        thread.join()
    assert found == [True]

    entered, leave = threading.Event(), threading.Event()

    def hold():
        with ad.no_grad():
            entered.set()
            leave.wait(10)
            return records()

    thread, found = in_thread(hold)
    entered.wait(10)
    try:
        assert records()
    finally:
        leave.set()
        thread.join()
    assert found == [False]


@apart
def test_one_object_shared_by_threads():
    """A module's `quiet = no_grad()`, entered by two threads, the first of which leaves first."""
    quiet = ad.no_grad()
    entered, leave = threading.Event(), threading.Event()

    def hold():
        with quiet:
            entered.set()
            leave.wait(10)
        return records()

    thread, found = in_thread(hold)
    entered.wait(10)
    quiet.__enter__()
    leave.set()
    thread.join()
    quiet.__exit__(None, None, None)
    assert records()
    assert found == [True]


def test_threads_differentiate_without_disturbing_each_other():
    def work(seed):
        rng = np.random.default_rng(seed)
        w = ad.Tensor(rng.standard_normal((4, 4)))
        for _ in range(25):
            np.sum(np.tanh(w @ w) ** 2).backward()
            with ad.no_grad():
                w -= 0.01 * w.grad
            w.zero_grad()
        return w.numpy()

    alone = [work(seed) for seed in range(6)]
    threads = [in_thread(lambda seed=seed: work(seed)) for seed in range(6)]
    for (thread, found), expected in zip(threads, alone, strict=True):
        thread.join()
        assert_same(found[0], expected)


def test_two_threads_may_read_one_graph():
    """Both ask for gradients of what one of them recorded; its values are saved once, and nobody's to lose."""
    w = ad.Tensor(np.linspace(-1, 1, 50))
    trunk = np.tanh(w)
    for _ in range(100):
        trunk = np.sin(trunk)
    loss = np.sum(trunk**2)
    (expected,) = ad.gradients(loss, [w])
    threads = [in_thread(lambda: ad.gradients(loss, [w])[0]) for _ in range(4)]
    for thread, found in threads:
        thread.join()
        assert_same(found[0], expected)
