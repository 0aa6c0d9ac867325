"""Wrong steps where arrays have several names, parameters are cut out twice, and values go from call to call."""

import numpy as np
import pytest

import autodiff as ad

X = np.random.default_rng(0).normal(size=(7, 3))
Y = np.random.default_rng(1).normal(size=(7, 2))


def weights(seed=2):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(3, 4)), rng.normal(size=4), rng.normal(size=(4, 2))


def with_buffers(slope):
    """A derivation that adds up in arrays that have a name of their own and a place in a tuple."""

    def step(W, b, V):
        grads = tuple(np.zeros_like(p) for p in (W, b, V))
        dW, db, dV = grads
        loss = 0.0
        for x, y in zip(X, Y, strict=True):
            a = np.tanh(x @ W + b)
            e = a @ V - y
            loss += 0.5 * np.sum(e**2)
            dV += np.outer(a, e)
            da = V @ e
            dz = da * slope(a)
            dW += np.outer(x, dz)
            db += dz
        return loss, grads

    return step


def test_an_array_with_two_names_is_healed_under_both():
    assert ad.verify(with_buffers(lambda a: 1 - a**2), *weights()).verdict == "right"
    report = ad.verify(with_buffers(lambda a: 1 + a**2), *weights())
    assert (report.verdict, report.first_wrong) == ("wrong", "dz")


def test_names_of_a_chained_assignment_share_an_array():
    def step(W, b, V):
        a = np.tanh(X @ W + b)
        e = a @ V - Y
        dz = (e @ V.T) * (1 - a**2)
        db = dc = np.zeros(4)
        db += dz.sum(axis=0)
        dc += a.sum(axis=0)
        return 0.5 * np.sum(e**2), (X.T @ dz, db, a.T @ e)

    report = ad.verify(step, *weights())
    assert (report.verdict, report.cause) == ("wrong", "aliasing"), str(report)


def cut(theta):
    return theta[:12].reshape(3, 4), theta[12:].reshape(4, 2)


def penalised_elsewhere(theta, lam=0.3):
    """The penalty is computed of weights that are cut out once more."""
    W, V = cut(theta)
    penalty = 0.5 * lam * np.sum(cut(theta)[0] ** 2)
    a = np.tanh(X @ W)
    e = a @ V - Y
    dV = a.T @ e
    dW = X.T @ ((e @ V.T) * (1 - a**2))
    return 0.5 * np.sum(e**2) + penalty, np.concatenate([dW.ravel(), dV.ravel()])


def test_what_is_cut_out_of_a_parameter_twice_is_one_value():
    theta = np.random.default_rng(4).normal(size=20)
    report = ad.verify(penalised_elsewhere, theta, wrt="theta")
    assert (report.first_wrong, report.cause) == ("dW", "regulariser-forgotten"), str(report)
    assert "lam * W" in str(report.fix)


def layer_backward(d, x, w):
    return d @ w.T, x.T @ d, d.sum(axis=0)


def same_shapes(W, U):
    """Two gradients of one shape, given each other's names."""
    a = np.tanh(X @ W)
    e = a + X @ U - np.ones((7, 4))
    dz = e * (1 - a**2)
    dU, dW = X.T @ dz, X.T @ e
    return 0.5 * np.sum(e**2), (dW, dU)


def test_names_given_in_each_others_places_are_mended_where_that_is():
    W = weights()[0]
    report = ad.verify(same_shapes, W, 0.5 * W[::-1].copy())
    assert report.verdict == "wrong"
    assert report.fix in (
        "dW, dU = X.T @ dz, X.T @ e",
        "dU, dW = X.T @ e, X.T @ dz",
        "return 0.5 * np.sum(e**2), (dU, dW)",
    )


def sparse(sign):
    def step(W, V, rho=0.1):
        """What comes through a mean is the same for all samples: the derivation has it once."""
        a = 1 / (1 + np.exp(-(X @ W)))
        mean = a.mean(axis=0)
        e = a @ V - Y
        loss = 0.5 * np.sum(e**2) + np.sum((mean - rho) ** 2)
        s = sign * 2 * (mean - rho) / len(X)
        dz = (e @ V.T + s) * a * (1 - a)
        return loss, (X.T @ dz, a.T @ e)

    return step


def test_what_comes_through_a_mean_is_a_step_of_its_own():
    W, _, V = weights()
    assert ad.verify(sparse(1.0), W, V).verdict == "right"
    report = ad.verify(sparse(-1.0), W, V)
    assert (report.first_wrong, report.cause) == ("s", "sign"), str(report)


def factory():
    scale = 1.0

    def slope(a):
        return scale * (1 + a * a)

    def step(W, b, V):
        a = np.tanh(X @ W + b)
        e = a @ V - Y
        dz = (e @ V.T) * slope(a)
        return 0.5 * np.sum(e**2), (X.T @ dz, dz.sum(axis=0), a.T @ e)

    return step


def test_the_line_of_a_helper_in_a_closure_is_mended():
    report = ad.verify(factory(), *weights())
    assert report.verdict == "wrong"
    assert report.fix is not None, str(report)


def test_a_right_value_is_mended_where_it_is_used():
    """`d_a` is what it is called: that the derivative of tanh is missing is the fault of the call."""

    def step(W, b, V):
        a = np.tanh(X @ W + b)
        e = a @ V - Y
        d_a = e @ V.T
        _, dW, db = layer_backward(d_a, X, W)
        return 0.5 * np.sum(e**2), (dW, db, a.T @ e)

    report = ad.verify(step, *weights())
    assert (report.first_wrong, report.cause) == ("dW", "missing-activation-derivative"), str(report)
    assert str(report.fix).startswith("_, dW, db = layer_backward(d_a * ")


@pytest.mark.parametrize("p", [1.0, -1.0])
def test_a_penalty_of_absolute_values(p):
    def step(W, V):
        a = np.tanh(X @ W)
        e = a @ V - Y
        dW = X.T @ ((e @ V.T) * (1 - a**2))
        return 0.5 * np.sum(e**2) + 0.2 * p * np.sum(np.abs(W)), (dW, a.T @ e)

    W, _, V = weights()
    report = ad.verify(step, W, V)
    assert (report.first_wrong, report.cause) == ("dW", "regulariser-forgotten"), str(report)
