"""The methods of ufuncs, and the keywords that all of them take."""

from __future__ import annotations

import operator
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autodiff as ad
from autodiff.primitive import TABLE, Primitive
from autodiff.rules.ufunc import ufunc_row

from .arguments.common import FLAG, any_axes, axis, narrowed, numbers, shapes
from .gradcheck import Call, assert_same, check_call, pulled

BINARY = [f for f, row in TABLE.items() if isinstance(f, np.ufunc) and f.nin == 2 and f.nout == 1 and not f.signature]
JUMPING = {np.remainder, np.fmod, np.copysign, np.heaviside, np.ldexp, np.nextafter}
SMOOTH = [f for f in BINARY if any(TABLE[f].differentiable) and f not in JUMPING]
FOLDED = [np.add, np.multiply, np.subtract, np.maximum, np.minimum, np.logaddexp, np.hypot, np.fmax, np.float_power]

each_ufunc = pytest.mark.parametrize("ufunc", SMOOTH, ids=lambda f: f.__name__)
each_folded = pytest.mark.parametrize("ufunc", FOLDED, ids=lambda f: f.__name__)
few = settings(max_examples=max(3, settings().max_examples // 10))


@dataclass(frozen=True)
class Method(Call):
    """A call of a ufunc's method, or of the ufunc with keywords."""

    ufunc: np.ufunc = np.add
    method: str = "__call__"

    @property
    def row(self) -> Primitive:
        return ufunc_row(self.ufunc, self.method)


def method_call(ufunc, method, arguments, keywords, **options):
    function = ufunc if method == "__call__" else getattr(ufunc, method)
    return Method(function, arguments, keywords, ufunc=ufunc, method=method, **options)


def positive(size, part=0):
    return numbers(size, part, low=0.4, high=2)


@each_folded
@few
@given(data=st.data())
def test_reduce(ufunc, data):
    size = data.draw(shapes(1))
    x = data.draw(positive(size))
    reorderable = ufunc not in (np.subtract, np.float_power)
    keywords = {"axis": data.draw(any_axes(size) if reorderable else axis(size)), "keepdims": data.draw(FLAG)}
    if reorderable and data.draw(FLAG):
        keywords["initial"] = data.draw(st.sampled_from((0.5, 3.0)))
        if data.draw(FLAG):
            keywords["where"] = data.draw(positive(data.draw(narrowed(size)))) > 1
    call = method_call(ufunc, "reduce", (x,), keywords)
    if call.accepted:
        check_call(call)


@each_folded
@few
@given(data=st.data())
def test_accumulate(ufunc, data):
    size = data.draw(shapes(1))
    check_call(method_call(ufunc, "accumulate", (data.draw(positive(size)),), {"axis": data.draw(axis(size))}))


@each_ufunc
@few
@given(data=st.data())
def test_outer(ufunc, data):
    x, y = data.draw(positive(data.draw(shapes(max_dims=2)))), data.draw(positive(data.draw(shapes(max_dims=2)), 1))
    check_call(method_call(ufunc, "outer", (x, y), {}))


@each_folded
@few
@given(data=st.data())
def test_reduceat(ufunc, data):
    size = data.draw(shapes(1, sizes=st.sampled_from((1, 2, 3, 4))))
    along = data.draw(axis(size))
    indices = data.draw(st.lists(st.integers(0, size[along] - 1), min_size=1, max_size=4))
    check_call(method_call(ufunc, "reduceat", (data.draw(positive(size)), indices), {"axis": along}))


@pytest.mark.parametrize("ufunc", [f for f in SMOOTH if f is not np.float_power], ids=lambda f: f.__name__)
@few
@given(data=st.data())
def test_at(ufunc, data):
    size = data.draw(shapes(1, sizes=st.sampled_from((1, 2, 3))))
    index = data.draw(st.lists(st.integers(-size[0], size[0] - 1), max_size=4))
    part = data.draw(narrowed((len(index), *size[1:])))
    x, y = data.draw(positive(size)), data.draw(positive(part, 1))
    check_call(method_call(ufunc, "at", (x, np.array(index, int), y), {}, written=True))


@each_ufunc
@few
@given(data=st.data())
def test_dtype(ufunc, data):
    size = data.draw(shapes())
    x, y = data.draw(positive(size)), data.draw(positive(data.draw(narrowed(size)), 1))
    check_call(method_call(ufunc, "__call__", (x, y), {"dtype": np.float64, "casting": "same_kind"}))


@each_ufunc
@few
@given(data=st.data())
def test_where_with_out(ufunc, data):
    """What is not computed stays what `out` was: its gradient too."""
    size = data.draw(shapes(1))
    x, y, old = (data.draw(positive(size, part)) for part in range(3))
    where = data.draw(positive(data.draw(narrowed(size)))) > 1
    a, b, start = map(ad.Tensor, (x, y, old))
    out = start * 1
    assert ufunc(a, b, out=out, where=where) is out
    expected = old.copy()
    ufunc(x, y, out=expected, where=where)
    assert_same(out.numpy(), expected, "value")
    gradients = pulled([out], [a, b, start], [np.ones(size)])
    same = pulled([np.where(where, ufunc(a, b), start)], [a, b, start], [np.ones(size)])
    for gradient, other in zip(gradients, same, strict=True):
        np.testing.assert_array_equal(gradient, other)


def test_where_without_out_has_no_gradient_where_nothing_is_computed():
    x = ad.Tensor([1.0, 4.0])
    root = np.sqrt(x, where=np.array([False, True]))
    np.testing.assert_array_equal(ad.gradients(root[1:], [x], gradient=np.ones(1))[0], [0, 0.25])


CORES = {
    "axes": ((3, 2, 4), (4, 5, 2), {"axes": [(0, 2), (0, 1), (2, 0)]}, np.matmul),
    "axes of matrices": ((2, 3), (2, 4), {"axes": [(1, 0), (0, 1), (0, 1)]}, np.matmul),
    "axis": ((3, 2), (3, 2), {"axis": 0}, np.vecdot),
    "keepdims": ((3, 2), (3, 2), {"axis": 0, "keepdims": True}, np.vecdot),
}


@pytest.mark.parametrize("name", CORES)
def test_generalized_ufuncs_along_other_axes(name):
    x, y, keywords, ufunc = CORES[name]
    rng = np.random.default_rng(0)
    check_call(method_call(ufunc, "__call__", (rng.random(x), rng.random(y)), keywords))


@pytest.mark.parametrize("method", ["reduce", "reduceat"])
def test_a_fold_that_numpy_itself_gets_wrong_is_refused(method):
    assert np.power.reduce([2.0, 3.0, 2.0]) in (4, 64)  # NumPy 2.4 skips the 3
    with pytest.raises(ad.errors.MissingRuleError, match=f"np.power.{method}"):
        getattr(np.power, method)(ad.Tensor([2.0, 3.0, 2.0]), *[[0]] * (method == "reduceat"))


def test_two_results_into_two_outs():
    x = ad.Tensor([1.25, -2.5])
    fraction, whole = x * 0, x * 0
    assert np.modf(x, out=(fraction, whole))[0] is fraction
    assert_same(fraction.numpy(), np.array([0.25, -0.5]), "fraction")
    assert_same(whole.numpy(), np.array([1.0, -2.0]), "whole")


def test_at_of_a_plain_array_would_lose_the_gradient():
    with pytest.raises(ad.errors.GradientError, match="plain array"):
        np.add.at(np.zeros(2), [0, 1], ad.Tensor([1.0, 2.0], name="t"))


def test_operators_that_divide_with_remainder():
    x, y = ad.Tensor([7.5, -7.5]), ad.Tensor([2.0, 2.0])
    for found in (divmod(x, y), np.divmod(x, y), (operator.floordiv(x, y), x % y)):
        assert_same(found[0].numpy(), np.array([3.0, -4.0]), "quotient")
        np.testing.assert_array_equal(pulled([found[1]], [x, y], [np.ones(2)]), [[1, 1], [-3, 4]])
