"""checkpoint: the same values and gradients, in less memory; or an error."""

import tracemalloc

import numpy as np
import pytest

import autodiff as ad
import nn

X = np.random.default_rng(0).normal(size=(5, 4))


def gradients_of(model, call):
    for parameter in model.parameters():
        parameter.zero_grad()
    np.sum(call(ad.constant(X)) ** 2).backward()
    return [parameter.grad for parameter in model.parameters()]


def test_a_module_gives_the_same_gradients_to_the_bit():
    model = nn.MLP([4, 8, 8, 2], rng=0)
    for one, other in zip(gradients_of(model, model), gradients_of(model, ad.checkpoint(model)), strict=True):
        assert one.tobytes() == other.tobytes()


def test_several_results_and_second_order():
    f = ad.checkpoint(lambda x, y: {"a": np.sin(x) * y, "b": x * y})
    plain = lambda x: np.sum(np.sin(x) * x * (x * x))  # noqa: E731
    checked = lambda x: np.sum(f(x, x)["a"] * f(x, x)["b"])  # noqa: E731
    x = np.array([1.0, 2.0])
    assert set(f(ad.Tensor(x), x)) == {"a", "b"}
    np.testing.assert_allclose(ad.grad(checked)(x), ad.grad(plain)(x), rtol=1e-14)
    np.testing.assert_allclose(ad.hessian(checked)(x), ad.hessian(plain)(x), rtol=1e-13)
    np.testing.assert_allclose(ad.jvp(checked, (x,), (x,))[1], ad.jvp(plain, (x,), (x,))[1], rtol=1e-14)


def test_checkpoints_in_a_row_that_share_a_parameter():
    """The derivative of the second one ends at what the first one gave it: what lies behind that is the first one's."""
    W, x = np.random.default_rng(0).normal(size=(2, 4, 4))

    def gradients(wrap):
        w = ad.Tensor(W)
        f = wrap(lambda x: np.tanh(x @ w))
        h = f(ad.Tensor(x))
        h.on_gradient(lambda g: 2 * g)
        np.sum(f(h)).backward()
        return w.grad

    np.testing.assert_allclose(gradients(ad.checkpoint), gradients(lambda f: f), rtol=1e-14)


def test_nothing_inside_is_kept():
    """Ten blocks of twenty arrays each: kept are the ten results, and in the backward pass one block."""

    def block(x):
        for _ in range(20):
            x = np.tanh(x)
        return x

    def peak(call):
        x = ad.Tensor(np.ones(100_000))
        tracemalloc.start()
        y = x
        for _ in range(10):
            y = call(y)
        np.sum(y).backward()
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(ad.checkpoint(block)) < peak(block) / 4


def test_what_needs_no_gradient_is_recorded_as_it_is():
    c = ad.constant(X)
    assert not ad.checkpoint(np.tanh)(c).requires_grad
    with ad.no_grad():
        assert not ad.checkpoint(np.tanh)(ad.Tensor(X)).requires_grad


def test_a_second_backward_and_a_graph_that_goes_on():
    w = ad.Tensor([1.0, 2.0])
    inner = w * 3
    loss = np.sum(ad.checkpoint(lambda: inner**2)() * w)
    loss.backward()
    loss.backward()
    np.testing.assert_array_equal(w.grad, 2 * 27 * np.array([1.0, 4.0]))


def test_a_parameter_that_was_updated_in_between_is_an_error():
    w = ad.Tensor([1.0], name="w")
    loss = np.sum(ad.checkpoint(lambda: np.exp(w))())
    with ad.no_grad():
        w -= 0.5
    with pytest.raises(ad.errors.InPlaceError, match="written to before the backward pass"):
        loss.backward()


def test_a_function_that_draws_random_numbers_is_an_error():
    rng, w = np.random.default_rng(0), ad.Tensor([1.0, 2.0])
    loss = np.sum(ad.checkpoint(lambda w: w * rng.random(2))(w))
    with pytest.raises(ad.errors.GradientError, match="another value"):
        loss.backward()
