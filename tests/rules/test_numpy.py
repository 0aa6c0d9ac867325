"""Every name of NumPy that has a derivative, by plain `np`: values to the bit, NumPy's errors, methods, `out=`.

`differentiable.txt` lists the 269 names of NumPy 2.4. Eight of them NumPy does not dispatch, but with `like=`.
"""

import inspect
import operator
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

import autodiff as ad
from autodiff.primitive import ALIASES

from .arguments import examples
from .arguments.common import listed
from .gradcheck import assert_close, assert_same, cotangents, kind, leaves, pulled, read_only

pytestmark = pytest.mark.filterwarnings("ignore:.*row_stack:DeprecationWarning")

UNREACHED = {
    "array", "asarray", "asanyarray", "asarray_chkfinite", "ascontiguousarray", "asfortranarray", "require", "full",
}  # fmt: skip
LISTED = (Path(__file__).parent / "differentiable.txt").read_text().split()


def function_of(name):
    return operator.attrgetter(name)(np)


def there_is(name):
    try:
        return bool(function_of(name))
    except AttributeError:  # in a newer NumPy
        return False


NAMES = [name for name in LISTED if name not in UNREACHED and there_is(name)]
EACH = 1 if settings().max_examples > 1000 else 5  # all calls, 100,000, or some 2,000

each_name = pytest.mark.parametrize("name", NAMES)


def calls_of(function):
    """Some calls of a function, or of the one that it is another name of, that NumPy tells Tensors of."""
    found = [replace(call, function=function) for call in examples(ALIASES.get(function, function))[::EACH]]
    return [call for call in found if call.reached]


def as_tensors(call, positions=None):
    """Tensors for these arrays, by default all; constants where they are not floating."""
    positions = range(len(call.arrays)) if positions is None else positions
    return {i: (ad.Tensor if i in call.floating else ad.constant)(call.arrays[i]) for i in positions}


def test_there_are_269_names():
    assert len(LISTED) == 269
    assert len(set(LISTED) - UNREACHED) == 261


@each_name
def test_it_carries_gradient(name):
    found = []
    for call in calls_of(function_of(name)):
        if call.dispatches(call.floating):
            outputs = call.outputs(tensors := as_tensors(call, call.floating))
            found += pulled(outputs, [*tensors.values()], cotangents(outputs))
    assert any(np.any(np.isfinite(gradient) & (gradient != 0)) for gradient in found)


@each_name
def test_values_are_numpys_to_the_bit(name):
    """Whichever of its arrays are Tensors, and with lists in the places of others."""
    rng = np.random.default_rng(0)
    for call in calls_of(function_of(name)):
        chosen = [i for i in range(len(call.arrays)) if rng.random() < 0.7]
        positions = chosen if call.dispatches(chosen) and (0 in chosen or not call.written) else None
        assert_same(call.evaluate(as_tensors(call, positions)), call.evaluate(), call, "Tensors:", chosen)
        lists = {i: x.tolist() for i, x in enumerate(call.arrays) if i not in chosen and not (i == 0 and call.written)}
        other = call.at(lists)
        expected, error = outcome(other.evaluate)
        if lists and error is None and other.reached:
            actual, error = outcome(other.evaluate, as_tensors(other))
            assert error is None, f"{other} raises {error!r}"
            assert_same(actual, expected, other)


@each_name
def test_a_list_of_tensors_is_their_array_or_refused(name):
    """In value and gradient, where another argument tells NumPy of Tensors."""
    for call in calls_of(function_of(name)):
        for i in call.floating:
            if call.arrays[i].size == 0 or call.arrays[i].ndim == 0 or (i == 0 and call.written):
                continue
            rows = listed(call.arrays[i])
            other = call.at({i: rows})
            if other.accepted and other.reached and the_same(other, call):
                check_list(call, i, other, range(i, i + len(rows)))


def the_same(other, call):
    """Whether this call gives what that gives: np.block reads lists in another way."""
    return [(x.shape, x.tobytes()) for x in other.outputs()] == [(x.shape, x.tobytes()) for x in call.outputs()]


def check_list(call, i, other, positions):
    tensor, tensors, g = as_tensors(call), as_tensors(other), cotangents(call.outputs())
    try:
        assert_same(other.evaluate(tensors), other.evaluate(), other)
        parts = pulled(other.outputs(tensors), [tensors[k] for k in positions], g)
    except ad.errors.GradientError:
        return
    (whole,) = pulled(call.outputs(tensor), [tensor[i]], g)
    for part, same in zip(parts, whole, strict=True):
        assert_close(part, same, "gradient of", other, relative=1e-12, absolute=1e-12)


@each_name
def test_errors_are_numpys(name):
    for call in calls_of(function_of(name)):
        for bad in spoiled(call):
            expected, error = outcome(bad.evaluate)
            actual, ours = outcome(bad.evaluate, as_tensors(bad))
            if error is None:
                assert ours is None, f"{bad} raises {ours!r}, and NumPy does not"
                assert_same(actual, expected, bad)
            else:
                assert isinstance(ours, type(error)), f"{bad} raises {ours!r} instead of {error!r}"


def spoiled(call):
    """Calls that are most probably wrong. (Of np.clip we take one bound, as its method does.)"""
    yield replace(call, keywords=call.keywords | {"axis": 17})
    yield replace(call, keywords=call.keywords | {"axis": "first"})
    yield replace(call, keywords=call.keywords | {"no_such": 1})
    yield replace(call, arguments=(*call.arguments, *[None] * 12))
    if len(call.arguments) > 1 and call.function is not np.clip:
        yield replace(call, arguments=call.arguments[:-1])
    for i, x in enumerate(call.arrays):
        yield call.at({i: read_only(np.ones((5, *x.shape), x.dtype))})
        yield call.at({i: read_only(np.ones(7, x.dtype))})


def outcome(function, *arguments):
    """What comes out of it, or the error."""
    with warnings.catch_warnings(action="ignore"):
        try:
            return function(*arguments), None
        except Exception as error:
            return None, error


def takes_out(function):
    try:
        return isinstance(function, np.ufunc) or "out" in inspect.signature(function).parameters
    except ValueError:  # written in C, and NumPy does not tell
        return False


@pytest.mark.parametrize("name", [name for name in NAMES if takes_out(function_of(name))])
def test_out(name):
    for call in calls_of(function_of(name)):
        expected, tensors = call.evaluate(), as_tensors(call)
        several = isinstance(expected, tuple)
        buffers = [ad.constant(np.zeros_like(x)).copy() for x in leaves(expected)]
        if any(buffer.shape == () for buffer in buffers):  # an array, where NumPy gives a scalar
            continue
        into = replace(call, keywords=call.keywords | {"out": tuple(buffers) if several else buffers[0]})
        result = into.evaluate(tensors)
        for x, buffer, value in zip(leaves(result), buffers, leaves(call.evaluate(tensors)), strict=True):
            assert x is buffer
            assert_same(x, value.numpy(), into)
            assert x.requires_grad == value.requires_grad, f"{into}"


# --- methods ----------------------------------------------------------------------------------------------------------

# Of memory, not of numbers; and what a Tensor has no use for.
WITHOUT = {
    "base", "byteswap", "ctypes", "data", "device", "dump", "dumps", "flags", "flat", "getfield", "itemset", "itemsize",
    "nbytes", "newbyteorder", "ptp", "resize", "setfield", "setflags", "strides", "tobytes", "to_device", "tofile",
    "tostring", "view",
}  # fmt: skip


def test_every_method_of_an_array_is_one_of_a_tensor():
    public = {name for name in dir(np.ndarray) if not name.startswith("_")}
    assert public - set(dir(ad.Tensor)) <= WITHOUT


METHODS = [name for name in dir(np.ndarray) if not name.startswith("_") and callable(getattr(np, name, None))]
METHODS = set(METHODS) - WITHOUT - {"dtype", "ndim", "shape", "size"}


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_method_does_what_it_does_to_an_array(name):
    for call in calls_of(getattr(np, name)):
        tensors = as_tensors(call)
        (x, *rest), keywords = call.arguments, call.keywords
        (t, *tensors_rest), tensor_keywords = call.filled(tensors)
        if not isinstance(x, np.ndarray):
            continue
        x, t = x.copy(), t.copy()  # some methods write
        expected, error = outcome(by_method, x, name, rest, keywords)
        if error is None:
            actual = by_method(t, name, tensors_rest, tensor_keywords)
            assert_same(actual, expected, "method of", call)
            assert_same(t, x, "method of", call)
            if kind(expected) in "fc" and kind(by_function := call.evaluate(tensors)) in "fc":
                assert actual.requires_grad == by_function.requires_grad, f"method of {call}"


def by_method(x, name, arguments, keywords):
    method = getattr(x, name)
    return method(*arguments, **keywords) if callable(method) else method


# --- what NumPy does not dispatch -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(UNREACHED))
def test_what_numpy_does_not_dispatch_is_refused_with_the_remedy(name):
    t = ad.Tensor([1.0, 2.0])
    with pytest.raises(TypeError, match=r"np\.stack|\.numpy\(\)"):
        np.full((3, 2), t) if name == "full" else function_of(name)(t)


@pytest.mark.parametrize("name", sorted(UNREACHED - {"asarray_chkfinite"}))
def test_with_like_it_is_differentiated(name):
    t = ad.Tensor([1.0, 2.0])
    out = np.full((3, 2), t, like=t) if name == "full" else function_of(name)(t, like=t)
    assert_same(out, np.full((3, 2), t.numpy()) if name == "full" else t.numpy(), name)
    g = np.arange(1.0, 1 + out.size).reshape(out.shape)
    (gradient,) = pulled([out], [t], [g])
    np.testing.assert_array_equal(gradient, g.sum(axis=0) if name == "full" else g)


@pytest.mark.parametrize("name", ["array", "asarray", "asanyarray"])
def test_lists_of_tensors_with_like(name):
    a, b = ad.Tensor(2.0), ad.Tensor(3.0)
    out = function_of(name)([[a, 1.0], [b, a]], like=a)
    assert_same(out, np.array([[2.0, 1], [3, 2]]), name)
    np.testing.assert_array_equal(pulled([out], [a, b], [np.array([[1.0, 2], [3, 4]])]), [5, 3])
