"""Functions of functions: grad, value_and_grad, vjp, their structures and their nesting; and primitive."""

import math
from collections import OrderedDict, namedtuple

import numpy as np
import pytest

import autodiff as ad
from autodiff import errors

from .measures import assert_same, bits, differences, owned

X = np.array([0.5, -1.25, 0.8])


# --- grad and value_and_grad ------------------------------------------------------------------------------------------


def test_grad_of_an_array():
    got = ad.grad(lambda x: np.sum(np.sin(x) * x))(X)
    assert owned(got)
    np.testing.assert_allclose(got, np.cos(X) * X + np.sin(X), rtol=1e-14)


@pytest.mark.parametrize("x", [3.0, 3, np.float64(3), np.array(3.0), np.array(3), np.int64(3)])
def test_grad_of_numbers_of_every_kind(x):
    got = ad.grad(lambda x: x**2)(x)
    assert type(got) is np.ndarray
    assert_same(got, np.array(6.0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_grad_keeps_the_dtype(dtype):
    value, gradient = ad.value_and_grad(lambda x: np.sum(x * 2.5) / 3)(X.astype(dtype))
    assert (value.dtype, gradient.dtype) == (dtype, dtype)


def test_value_and_grad_are_plain_arrays():
    value, gradient = ad.value_and_grad(lambda x: np.sum(x**2))(X)
    assert type(value) is np.ndarray
    assert_same(value, np.array(np.sum(X**2)))
    assert_same(gradient, 2 * X)
    assert gradient.flags.writeable
    assert value.flags.writeable


def test_the_arguments_are_copied_and_never_written():
    x = X.copy()

    def f(t):
        z = t * 1
        z[0] = 9
        return np.sum(z * t)

    gradient = ad.grad(f)(x)
    assert_same(x, X)
    assert not np.shares_memory(gradient, x)
    x.setflags(write=False)
    assert_same(ad.grad(f)(x), gradient)


def test_an_argument_is_a_leaf_that_carries_gradient():
    """So that writing to it says what to do, as to any leaf."""

    def f(x):
        x += 1
        return np.sum(x)

    with pytest.raises(errors.InPlaceError):
        ad.grad(f)(X)


@pytest.mark.parametrize(
    ("argnums", "expected"),
    [(0, 12.0), (1, 8.0), (-1, 8.0), (-2, 12.0), ((0,), (12.0,)), ((0, 1), (12.0, 8.0)), ((1, 0), (8.0, 12.0)),
     ((0, 0), (12.0, 12.0)), ((0, -2), (12.0, 12.0)), ([0, 1], (12.0, 8.0))],
)  # fmt: skip
def test_argnums(argnums, expected):
    got = ad.grad(lambda x, y: x * y * 4, argnums)(2.0, 3.0)
    if isinstance(expected, tuple):
        assert type(got) is tuple
        assert tuple(map(float, got)) == expected
    else:
        assert float(got) == expected


def test_what_is_not_differentiated_is_passed_as_it_is():
    marker = object()

    def f(x, other, *, flag, scale=1.0):
        assert other is marker
        assert flag == "yes"
        return np.sum(x * scale)

    assert_same(ad.grad(f)(X, marker, flag="yes", scale=3.0), np.full(3, 3.0))


def test_the_function_keeps_its_name_and_words():
    def loss(w):
        """Of w."""
        return np.sum(w)

    for made in (ad.grad(loss), ad.value_and_grad(loss)):
        assert (made.__name__, made.__doc__) == ("loss", "Of w.")


def test_methods_and_callables():
    class Model:
        def __call__(self, x):
            return np.sum(x**2)

        def loss(self, x):
            return np.sum(x**2)

    assert_same(ad.grad(Model())(X), 2 * X)
    assert_same(ad.grad(Model().loss)(X), 2 * X)


def test_an_argument_that_is_not_used_has_zeros():
    assert_same(ad.grad(lambda x, y: np.sum(x), (0, 1))(X, X)[1], np.zeros(3))
    assert_same(ad.grad(lambda x: np.sum(np.sign(x)))(X), np.zeros(3))


def test_no_grad_outside_does_not_silence_a_transform():
    """Asked for a gradient, it gives one: zeros would be silently wrong."""
    with ad.no_grad():
        assert_same(ad.grad(lambda x: np.sum(x**2))(X), 2 * X)
        assert_same(ad.value_and_grad(lambda x: np.sum(x**2))(X)[1], 2 * X)
        _, pull = ad.vjp(lambda x: x**2, X)
        assert_same(pull(np.ones(3))[0], 2 * X)
        assert not (ad.Tensor(1.0) * 2).requires_grad
    _, pull = ad.vjp(lambda x: x**2, X)
    with ad.no_grad():
        assert_same(pull(np.ones(3))[0], 2 * X)


def test_no_grad_inside_cuts():
    def f(x):
        with ad.no_grad():
            weight = x * x
        return np.sum(weight * x)

    assert_same(ad.grad(f)(X), X * X)


# --- structures -------------------------------------------------------------------------------------------------------

Layer = namedtuple("Layer", "weight bias")


def loss_of(parameters):
    return sum(np.sum(layer.weight**2 * layer.bias) for layer in parameters["layers"]) + parameters["scale"][0] * 2


def test_nested_structures_come_back_as_they_went():
    parameters = {
        "layers": [Layer(np.ones((2, 3)), np.full(3, 2.0)), Layer(weight=np.full((3, 1), 3.0), bias=1)],
        "scale": (0.5, []),
    }
    value, gradient = ad.value_and_grad(loss_of)(parameters)
    assert float(value) == 12 + 27 + 1
    assert list(gradient) == ["layers", "scale"]
    first, second = gradient["layers"]
    assert type(gradient["layers"]) is list
    assert type(gradient["scale"]) is tuple
    assert type(first) is type(second) is Layer
    assert_same(first.weight, np.full((2, 3), 4.0))
    assert_same(first.bias, np.full(3, 2.0))
    assert_same(second.weight, np.full((3, 1), 6.0))
    assert_same(second.bias, np.array(27.0))
    assert_same(gradient["scale"][0], np.array(2.0))
    assert gradient["scale"][1] == []


@pytest.mark.parametrize("empty", [(), [], {}, ((), [])])
def test_an_empty_structure(empty):
    assert ad.grad(lambda x, y: np.sum(y), 0)(empty, ad.Tensor(X)) == empty


def test_an_ordered_dict_stays_one():
    gradient = ad.grad(lambda d: np.sum(d["b"] * d["a"]))(OrderedDict(b=X, a=2 * X))
    assert isinstance(gradient, OrderedDict)
    assert list(gradient) == ["b", "a"]


def test_the_structure_that_was_passed_in_is_not_changed():
    parameters = {"w": X.copy()}

    def f(p):
        p["w"] = p["w"] * 2
        p["new"] = 1
        return np.sum(p["w"])

    assert_same(ad.grad(f)(parameters)["w"], np.full(3, 2.0))
    assert list(parameters) == ["w"]
    assert_same(parameters["w"], X)


def test_one_array_at_two_places_has_two_gradients():
    first, second = ad.grad(lambda pair: np.sum(pair[0] * 2 + pair[1] * 3))((X, X))
    assert_same(first, np.full(3, 2.0))
    assert_same(second, np.full(3, 3.0))


def test_data_that_is_no_number_says_so():
    for data in ({"w": X, "name": "encoder"}, [X, None], "abc"):
        with pytest.raises(errors.GradientError, match="numbers"):
            ad.grad(lambda p: np.sum(X))(data)


# --- nesting ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", range(6))
def test_grad_nests_freely(order):
    f = np.sin
    for _ in range(order):
        f = ad.grad(f)
    exact = [math.sin, math.cos, lambda x: -math.sin(x), lambda x: -math.cos(x)][order % 4](0.7)
    assert float(f(0.7)) == pytest.approx(exact, rel=1e-12)


def test_an_inner_grad_sees_outer_variables():
    """d/dx (x * d/dy (x * y**2) at y = x) = d/dx (2 x**3)."""

    def outer(x):
        return x * ad.grad(lambda y: x * y**2)(x)

    assert float(ad.grad(outer)(3.0)) == 2 * 3 * 9.0


def test_perturbations_are_not_confused():
    """Siskind and Pearlmutter's example: d/dx (x * d/dy (x + y) at y = 1) is 1, not 2."""
    assert float(ad.grad(lambda x: x * ad.grad(lambda y: x + y)(1.0))(1.0)) == 1.0
    assert float(ad.grad(lambda x: x * ad.grad(lambda y: x)(1.0))(1.0)) == 0.0
    assert float(ad.grad(lambda x: ad.grad(lambda y: x * y)(x) * ad.grad(lambda y: x * y)(2 * x))(3.0)) == 6.0


def test_a_grad_in_the_middle_of_three():
    def f(x):
        return ad.grad(lambda y: ad.grad(lambda z: x * y**2 * z**3)(y) * x)(x)

    # z = y: 3 x y**4, times x; d/dy: 12 x**2 y**3; y = x: 12 x**5
    assert float(f(2.0)) == 12 * 2.0**5
    assert float(ad.grad(f)(2.0)) == pytest.approx(60 * 2.0**4)


def test_value_and_grad_inside_grad():
    def penalised(x):
        value, gradient = ad.value_and_grad(lambda y: np.sum(np.tanh(y) * y))(x)
        return value + np.sum(gradient**2)

    def numpys(x):
        return np.sum(np.tanh(x) * x) + np.sum((np.tanh(x) + x * (1 - np.tanh(x) ** 2)) ** 2)

    np.testing.assert_allclose(ad.grad(penalised)(X), differences(numpys, X), rtol=1e-7)


def test_vjp_inside_grad():
    def f(x):
        y, pull = ad.vjp(lambda z: z**2 * x, x)
        return np.sum(y + pull(x)[0])

    np.testing.assert_allclose(ad.grad(f)(X), differences(lambda x: np.sum(x**3 + 2 * x**3), X), rtol=1e-7)


def stale_scalar(x, y):
    z = np.zeros(2, like=y)
    v = z[0, ...]
    z[0] = x * y**2  # v is made again only when it is looked at
    return v


def test_an_inner_function_that_returns_a_view_that_was_written():
    """d/dx of d/dy (x y**2) at y = 2 is 4: the result of the inner grad stays in the graph of the outer."""
    assert float(ad.grad(lambda x: x * 0.0 + ad.grad(lambda y: stale_scalar(x, y))(2.0))(3.0)) == 4.0
    assert float(ad.grad(lambda x: x * 0.0 + ad.vjp(lambda y: stale_scalar(x, y), 2.0)[1](1.0)[0])(3.0)) == 4.0
    assert float(ad.grad(lambda y: stale_scalar(5.0, y))(2.0)) == 20.0


def test_structures_inside_grad():
    def f(x):
        found = ad.grad(lambda p: np.sum(p["a"] ** 2 * p["b"][0]))({"a": x, "b": (x * 2,)})
        return np.sum(found["a"] + found["b"][0])

    np.testing.assert_allclose(ad.grad(f)(X), differences(lambda x: np.sum(2 * x * 2 * x + x**2), X), rtol=1e-7)


def test_a_hessian_by_rows():
    def f(x):
        return np.sum(x[0] ** 2 * x[1]) + np.prod(x)

    rows = [ad.grad(lambda x, i=i: ad.grad(f)(x)[i])(X) for i in range(3)]
    a, b, c = X
    np.testing.assert_allclose(rows, [[2 * b, 2 * a + c, b], [2 * a + c, 0, a], [b, a, 0]], rtol=1e-14)


def test_a_tensor_outside_stays_connected():
    """A leaf that the function closes over, or is given, is seen by an enclosing backward."""
    w = ad.Tensor(X)
    g = ad.grad(lambda x: np.sum(x**2 * w))(X)
    assert isinstance(g, ad.Tensor)
    np.sum(g).backward()
    assert_same(w.grad, 2 * X)
    w.zero_grad()
    h = ad.grad(lambda x: np.sum(x**3))(w)
    assert_same(h, 3 * X**2)
    assert w.grad is None
    np.sum(h).backward()
    np.testing.assert_allclose(w.grad, 6 * X, rtol=1e-14)


def test_a_constant_tensor_as_argument_gives_plain_arrays():
    g = ad.grad(lambda x: np.sum(x**2))(ad.constant(X))
    assert type(g) is np.ndarray
    assert_same(g, 2 * X)


def test_grad_touches_no_grad_of_leaves_outside():
    w = ad.Tensor(X)
    ad.grad(lambda x: np.sum(x * w.numpy()))(X)
    ad.grad(lambda x: np.sum(x * w))(X)
    assert w.grad is None


# --- errors of the transforms -----------------------------------------------------------------------------------------

WRONG = {
    "a vector": (lambda x: x * 2, r"loss must return a scalar Tensor.*shape \(3,\).*np\.sum"),
    "a vector of one": (lambda x: x[:1], r"shape \(1,\)"),
    "a number": (lambda x: 3.0, "float"),
    "None": (lambda x: None, "NoneType"),
    "a tuple": (lambda x: (np.sum(x), 1), "tuple"),
    "an array": (lambda x: np.sum(x.numpy()), "float64"),
}


@pytest.mark.parametrize(("loss", "words"), WRONG.values(), ids=WRONG)
def test_a_function_that_returns_no_scalar_tensor(loss, words):
    loss.__name__ = "loss"
    for transform in (ad.grad, ad.value_and_grad):
        with pytest.raises(errors.GradientError, match=words):
            transform(loss)(X)


@pytest.mark.parametrize("argnums", [2, -3, (0, 2)])
def test_argnums_out_of_range(argnums):
    with pytest.raises(errors.GradientError, match=r"argnums=.*given 2 arguments"):
        ad.grad(lambda x, y: x * y, argnums)(1.0, 2.0)


def test_an_argument_given_by_name_is_not_found_by_number():
    with pytest.raises(errors.GradientError, match="given 0 arguments"):
        ad.grad(lambda x: x * 2)(x=1.0)


@pytest.mark.parametrize("argnums", ["x", 1.5, None])
def test_argnums_that_are_no_numbers(argnums):
    with pytest.raises(TypeError):
        ad.grad(lambda x, y: x * y, argnums)(1.0, 2.0)


def test_an_error_of_the_function_comes_through():
    def broken(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        ad.grad(broken)(X)
    assert (ad.Tensor(1.0) * 2).requires_grad


# --- vjp --------------------------------------------------------------------------------------------------------------


def test_vjp_pulls_back_any_gradient_any_number_of_times():
    y, pull = ad.vjp(lambda x, w: np.tanh(x) * w, X, 2.0)
    assert type(y) is np.ndarray
    assert_same(y, np.tanh(X) * 2)
    for g in (np.ones(3), X, [1, 0, 0]):
        x, w = pull(g)
        np.testing.assert_allclose(x, np.asarray(g) * (1 - np.tanh(X) ** 2) * 2, rtol=1e-14)
        assert w.shape == ()
        np.testing.assert_allclose(w, np.sum(np.asarray(g) * np.tanh(X)), rtol=1e-12)
        assert owned(x)


def test_vjp_of_a_matrix_gives_the_jacobian_by_rows():
    A = np.arange(6.0).reshape(2, 3)
    _, pull = ad.vjp(lambda x: A @ x, X)
    assert_same(np.stack([pull(row)[0] for row in np.eye(2)]), A)


def test_vjp_of_structures():
    _, pull = ad.vjp(lambda p, q: p["a"] * p["b"] + q[0], {"a": X, "b": 2.0}, [X])
    p, q = pull(np.ones(3))
    assert_same(p["a"], np.full(3, 2.0))
    np.testing.assert_allclose(p["b"], X.sum(), rtol=1e-14)
    assert_same(q[0], np.ones(3))


def test_vjp_of_a_function_without_arguments_that_matter():
    y, pull = ad.vjp(lambda x: ad.constant([1.0, 2.0]), X)
    assert_same(y, np.array([1.0, 2.0]))
    assert_same(pull(np.ones(2))[0], np.zeros(3))


def test_the_gradient_of_vjp_must_fit():
    _, pull = ad.vjp(lambda x: x * 2, X)
    for g in (np.ones(2), 1.0, np.ones((1, 3))):
        with pytest.raises(errors.ShapeError):
            pull(g)
    _, pull = ad.vjp(lambda x: ad.constant([1.0, 2.0]), X)
    with pytest.raises(errors.ShapeError):
        pull(np.ones(7))


def test_vjp_of_what_returns_no_tensor():
    for f in (lambda x: (x, x), lambda x: 1.0):
        with pytest.raises(errors.GradientError, match="must return a Tensor"):
            ad.vjp(f, X)


def test_vjp_of_a_vjp_with_respect_to_its_gradient():
    """Pulling back a Tensor records: so forward mode comes of two reverse passes."""
    _, pull = ad.vjp(lambda x: x**3, X)
    v = ad.Tensor(np.ones(3))
    (g,) = pull(v)
    assert isinstance(g, ad.Tensor)
    (forward,) = ad.gradients(g, [v], gradient=X)
    np.testing.assert_allclose(forward, 3 * X**2 * X, rtol=1e-14)


# --- primitive --------------------------------------------------------------------------------------------------------


def softsign(x):
    """x / (1 + |x|)."""
    return x / (1 + abs(x))


def of_softsign(g, x):
    return g / (1 + np.abs(x)) ** 2


THREE_LINES = {
    "a string": ad.primitive(softsign, "g / (1 + abs(x))**2"),
    "a function": ad.primitive(softsign, of_softsign),
    "a lambda": ad.primitive(softsign, lambda g, x: g / (1 + np.abs(x)) ** 2),
    "of out": ad.primitive(softsign, "g * (1 - abs(out))**2"),
    "elementwise": ad.primitive(softsign, "1 / (1 + abs(x))**2", kind="elementwise"),
    "elementwise function": ad.primitive(softsign, lambda x: 1 / (1 + np.abs(x)) ** 2, kind="elementwise"),
    "names of this file": ad.primitive(softsign, "of_softsign(g, x)"),
}


@pytest.mark.parametrize("own", THREE_LINES.values(), ids=THREE_LINES)
def test_a_function_of_the_users_in_three_lines(own):
    assert own.__name__ == "softsign"
    assert own.__doc__ == "x / (1 + |x|)."
    assert_same(own(X), softsign(X))  # a plain array stays one
    w = ad.Tensor(X)
    y = own(w)
    assert_same(y, softsign(X))
    assert "softsign" in repr(y)
    np.sum(y**2).backward()
    np.testing.assert_allclose(w.grad, differences(lambda x: np.sum(softsign(x) ** 2), X), rtol=1e-7)
    np.testing.assert_allclose(ad.grad(lambda x: np.sum(own(x)))(2.0), 1 / 9, rtol=1e-14)


@pytest.mark.parametrize("own", THREE_LINES.values(), ids=THREE_LINES)
def test_its_second_order(own):
    first = ad.grad(lambda x: np.sum(own(x) * X))
    second = ad.grad(lambda x: np.sum(first(x)))(X)
    np.testing.assert_allclose(second, -2 * np.sign(X) / (1 + abs(X)) ** 3 * X, rtol=1e-12)


@pytest.mark.parametrize("own", THREE_LINES.values(), ids=THREE_LINES)
def test_its_dtype_and_its_broadcasting(own):
    w, v = ad.Tensor(X, dtype=np.float32), ad.Tensor(np.ones((2, 1), np.float32))
    z = own(w + v)
    assert z.dtype == np.float32
    np.sum(z).backward()
    assert (w.grad.dtype, w.grad.shape, v.grad.shape) == (np.float32, (3,), (2, 1))
    for shape in ((), (0,), (2, 0)):
        w = ad.Tensor(np.ones(shape))
        np.sum(own(w)).backward()
        assert_same(w.grad, np.full(shape, 0.25))


def test_a_primitive_of_two_arrays_and_a_keyword():
    blend = ad.primitive(lambda a, b, share=0.5: a * share + b * (1 - share), "g * share", "g * (1 - share)")
    w, v = ad.Tensor(X), ad.Tensor(2.0)
    np.sum(blend(w, v)).backward()
    assert_same(w.grad, np.full(3, 0.5))
    assert_same(v.grad, np.array(1.5))
    w.zero_grad()
    v.zero_grad()
    np.sum(blend(w, v, share=0.25)).backward()
    assert_same(w.grad, np.full(3, 0.25))
    assert_same(v.grad, np.array(2.25))
    assert_same(blend(X, 1.0, share=0.0), np.ones(3))


def test_arrays_of_a_primitive_by_name():
    """`scale(x=t)` is `scale(t)`: its derivative is asked, not that of what it is made of."""
    rounded = ad.primitive(lambda x: np.round(x), "g")
    assert float(ad.grad(lambda x: rounded(x=x))(2.6)) == 1.0
    product = ad.primitive(lambda a, b: a * b, "g * b * 10", "g * a * 10")
    assert float(ad.grad(lambda b: product(a=3.0, b=b))(2.0)) == 30.0
    assert float(ad.grad(lambda b: product(3.0, b=b))(2.0)) == 30.0
    assert float(ad.grad(lambda a: product(a, b=2.0))(3.0)) == 20.0


def test_a_keyword_of_a_primitive_takes_no_tensor():
    """It has no derivative there: the gradient would be gone without a word."""
    scaled = ad.primitive(lambda x, by=1.0: x * by, "g * by")
    with pytest.raises(TypeError, match="by"):
        np.sum(scaled(ad.Tensor(X), by=ad.Tensor(X))).backward()
    for by in (ad.constant(X), X):
        w = ad.Tensor(X)
        try:
            np.sum(scaled(w, by=by)).backward()
        except TypeError:
            assert isinstance(by, ad.Tensor)
            continue
        assert type(w.grad) is np.ndarray
        assert_same(w.grad, X)


def test_a_primitive_without_a_derivative_in_one_array():
    pick = ad.primitive(lambda x, mask: np.where(mask, x, 0), "np.where(mask, g, 0)", None)
    w = ad.Tensor(X)
    np.sum(pick(w, X > 0) * 3).backward()
    assert_same(w.grad, np.where(X > 0, 3.0, 0.0))
    v = ad.Tensor(X)
    assert not pick(X, v).requires_grad


def test_a_primitive_is_called_with_plain_arrays():
    seen = []

    def f(x, y):
        seen.append((type(x), type(y)))
        return np.multiply(x, y)

    own = ad.primitive(f, "g * y", "g * x")
    own(ad.Tensor(X), ad.constant([1, 2, 3]))
    own(ad.Tensor(X)[0], 2.0)
    np.sum(own(ad.Tensor(X), X)).backward()
    assert not any(issubclass(kind, ad.Tensor) for kinds in seen for kind in kinds)


def test_a_straight_through_estimator():
    """The derivative that somebody wants need not be the derivative that there is."""
    rounded = ad.primitive(np.round, "g")
    assert_same(ad.grad(lambda x: np.sum(rounded(x) * 2))(X), np.full(3, 2.0))


def test_a_primitive_of_a_function_of_pythons_math():
    """It gives a float where NumPy would give a scalar: taken as one, or refused with words."""
    own = ad.primitive(math.sin, "g * np.cos(x)")
    assert float(ad.grad(own)(0.5)) == pytest.approx(math.cos(0.5))


def test_a_primitive_of_a_ufunc():
    assert float(ad.grad(ad.primitive(np.sinh, "g * np.cosh(x)"))(1.0)) == pytest.approx(math.cosh(1))


def test_primitives_of_one_name_are_two():
    twice, thrice = ad.primitive(lambda x: 2 * x, "2 * g"), ad.primitive(lambda x: 3 * x, "3 * g")
    assert float(ad.grad(lambda x: twice(x) * thrice(x))(1.0)) == 12.0


def test_a_primitive_inside_no_grad_and_on_constants():
    own = THREE_LINES["a string"]
    with ad.no_grad():
        assert not own(ad.Tensor(X)).requires_grad
    assert not own(ad.constant(X)).requires_grad
    assert_same(own(ad.constant(X)), softsign(X))


def test_a_primitive_that_returns_its_argument():
    """The graph's array and the user's are then one: nobody may write it."""
    reverse = ad.primitive(lambda x: x, "-g")
    x = X.copy()
    w = ad.Tensor(x)
    y = reverse(w)
    loss = np.sum(y * w)
    y_plain = reverse(x)
    y_plain[:] = 9
    w.data[:] = 9
    loss.backward()
    assert_same(w.grad, X - X)


def test_gradients_of_a_primitive_belong_to_nobody_else():
    both = ad.primitive(lambda x, y: x + y, "g", "g")
    w, v = ad.Tensor(X), ad.Tensor(X)
    kept = []
    keep = ad.primitive(lambda x: x * 1, lambda g: kept.append(g) or g)
    np.sum(keep(both(w, v))).backward()
    assert owned(w.grad)
    assert owned(v.grad)
    assert not np.shares_memory(w.grad, v.grad)
    assert not any(np.shares_memory(w.grad, g) for g in kept)


def test_a_derivative_may_return_the_same_buffer_each_time():
    buffer = np.zeros(3)

    def derivative(g):
        buffer[:] = g * 2
        return buffer

    own = ad.primitive(lambda x: 2 * x, derivative)
    w, v = ad.Tensor(X), ad.Tensor(X)
    np.sum(own(w * 1.0) * X + own(v * 1.0) * 3).backward()
    assert_same(w.grad, 2 * X)
    assert_same(v.grad, np.full(3, 6.0))


def test_a_wrong_derivative_is_a_matter_for_differences():
    wrong = ad.primitive(lambda x: x**2, "g * x")
    got = ad.grad(lambda x: np.sum(wrong(x)))(X)
    assert bits(got) != bits(2 * X)
    assert not np.allclose(got, differences(lambda x: np.sum(x**2), X))


WRONG_USES = {
    "no derivative": (lambda: ad.primitive(lambda x: x), "0 derivatives"),
    "too many derivatives": (lambda: ad.primitive(lambda x: x, "g", "g"), "takes 1 arguments, and 2 derivatives"),
    "a kind that there is not": (lambda: ad.primitive(lambda x: x, "g", kind="nonlinear"), "kind must be"),
    "no Python": (lambda: ad.primitive(lambda x: x, "g * ("), r"g \* \("),
    "a name that there is not": (lambda: ad.primitive(lambda x: x, "g * q"), "q"),
    "a function whose arguments are unknown": (lambda: ad.primitive(max, "g"), "max"),
    "no function": (lambda: ad.primitive(3, "g"), "callable"),
    "a derivative with an unknown argument": (lambda: ad.primitive(lambda x: x, lambda g, q: g), "q"),
    "a derivative that is a number": (lambda: ad.primitive(lambda x: 2 * x, 2), "derivative"),
}


@pytest.mark.parametrize(("define", "words"), WRONG_USES.values(), ids=WRONG_USES)
def test_a_wrong_definition_is_refused_where_it_stands(define, words):
    """Not at the first backward pass, far away in another file."""
    with pytest.raises((ValueError, TypeError, SyntaxError, NameError), match=words):
        define()


def local_names():
    factor = 3.0
    return ad.primitive(lambda x, y: factor * x * y, "g * factor * y", None)


FORGIVABLE = {
    "a local name": local_names,
    "the names of the forward function": lambda: ad.primitive(lambda a, b: 3 * a * b, "g * 3 * b", "g * 3 * a"),
    "an array after those with derivatives": lambda: ad.primitive(lambda x, y: 3 * x * y, "g * 3 * y"),
}


@pytest.mark.parametrize("define", FORGIVABLE.values(), ids=FORGIVABLE)
def test_a_definition_that_one_may_understand_is_right_or_refused_where_it_stands(define):
    try:
        own = define()
    except (ValueError, TypeError, NameError):
        return
    assert float(ad.grad(own)(5.0, 7.0)) == 21.0


WRONG_GRADIENTS = {
    "another shape": (lambda x: 2 * x, "np.ones(7)", r"\(7,\)"),
    "None": (lambda x: 2 * x, lambda g: None, "NoneType|None"),
    "a list": (lambda x: 2 * x, lambda g: [1.0, 2.0], "list"),
    "a forward function that returns None": (lambda x: None, "g", "NoneType|None"),
    "a forward function that returns a tuple": (lambda x: (x, x), "g", "tuple"),
    "a forward function that returns strings": (lambda x: np.array(["a"]), "g", "dtype"),
}


@pytest.mark.parametrize(("forward", "derivative", "words"), WRONG_GRADIENTS.values(), ids=WRONG_GRADIENTS)
def test_what_a_primitive_must_not_return(forward, derivative, words):
    """The error names the user's function, and what it returned."""

    def squash(x):
        return forward(x)

    own = ad.primitive(squash, derivative)
    with pytest.raises((errors.AutodiffError, TypeError, ValueError), match=words) as caught:
        np.sum(own(ad.Tensor(X))).backward()
    assert "squash" in str(caught.value)


def test_an_error_inside_a_primitive_comes_through_with_its_name():
    def fragile(x):
        raise FloatingPointError("mine")

    with pytest.raises(FloatingPointError, match="mine") as caught:
        ad.primitive(fragile, "g")(ad.Tensor(X))
    assert any("fragile" in note for note in caught.value.__notes__)
