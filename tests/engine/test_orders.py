"""Every order, both modes: jvp, hvp, jacobian, hessian, nested grad; third derivatives are JAX's.

The numbers of JAX are recorded in orders.json, and recorded again where it is installed:
`python tests/engine/test_orders.py` writes the file anew.
"""

import asyncio
import dataclasses
import importlib.util
import json
import subprocess
import sys
import threading
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

import autodiff as ad

RECORDED = Path(__file__).with_name("orders.json")
POINT = np.array([0.3, 0.7, 1.1])
STEP = 1e-3

# Each is a function of three numbers and of the module to write it with.
FUNCTIONS = {
    "sin": lambda x, xp: xp.sum(xp.sin(x)),
    "cubic": lambda x, xp: x[0] ** 2 * x[1] + x[1] ** 3 * x[2],
    "tanh": lambda x, xp: xp.sum(xp.tanh(x) * x[::-1]),
    "exp of a product": lambda x, xp: xp.exp(x[0] * x[1] * x[2]),
    "log": lambda x, xp: xp.log(x[0] + x[1] ** 2) * x[2],
    "quotient": lambda x, xp: x[0] / (1 + x[1] * x[2]),
    "power": lambda x, xp: x[0] ** x[1] + x[2] ** 2.5,
    "sqrt": lambda x, xp: xp.sqrt(xp.sum(x**2)),
    "prod": lambda x, xp: xp.prod(x) * xp.sum(x),
    "matmul": lambda x, xp: xp.sum((xp.outer(x, x) @ x) ** 2),
    "logaddexp": lambda x, xp: xp.logaddexp(x[0] * 2, x[1]) * x[2],
    "arctan2": lambda x, xp: xp.arctan2(x[0], x[1]) * x[2],
    "var": lambda x, xp: xp.var(x) ** 2,
    "cumsum": lambda x, xp: xp.sum(xp.sin(xp.cumsum(x))),
    "where": lambda x, xp: xp.sum(xp.where(x > 0.5, x**3, xp.sin(x))),
    "max": lambda x, xp: xp.max(x) ** 3 + xp.min(x) ** 4,
    "norm": lambda x, xp: xp.linalg.norm(x) ** 3,
    "det": lambda x, xp: xp.linalg.det(xp.outer(x, x) + xp.diag(x) + xp.eye(3)),
    "inv": lambda x, xp: xp.sum(xp.linalg.inv(xp.outer(x, x) + 2 * xp.eye(3))),
    "sort": lambda x, xp: xp.sum(xp.sort(x)[::-1] ** 3 * xp.arange(3)),
    "sinc": lambda x, xp: xp.sum(xp.sinc(x)),
    "fft": lambda x, xp: xp.sum(xp.abs(xp.fft.fft(x**2)) ** 2),
}


def third(f):
    return ad.jacobian(ad.hessian(lambda x: f(x, np)))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_third_derivatives_are_those_of_jax(name):
    expected = np.array(json.loads(RECORDED.read_text())[name])
    found = third(FUNCTIONS[name])(POINT)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-10 * (1 + np.abs(expected).max()))


@pytest.mark.exhaustive
def test_the_recorded_numbers_are_those_of_the_jax_that_is_installed(tmp_path):
    if importlib.util.find_spec("jax") is None:
        pytest.skip("compares with JAX where it is installed")
    again = tmp_path / "orders.json"
    subprocess.run([sys.executable, __file__, again], check=True, cwd=Path(__file__).parents[2])
    recorded = json.loads(RECORDED.read_text())
    for name, numbers in json.loads(again.read_text()).items():
        np.testing.assert_allclose(numbers, recorded[name], rtol=1e-9, atol=1e-9)


def record():
    import jax

    jax.config.update("jax_enable_x64", True)
    found = {}
    for name, f in FUNCTIONS.items():
        derivative = jax.jacfwd(jax.jacfwd(jax.jacrev(lambda x, f=f: f(x, jax.numpy))))
        found[name] = np.asarray(derivative(jax.numpy.asarray(POINT))).tolist()
    return found


# --- both modes -------------------------------------------------------------------------------------------------------


def network(x, w):
    return np.sum(np.tanh(x @ w) ** 2) + np.sum(np.maximum(x, w.T))


X, W = np.random.default_rng(0).normal(size=(2, 3, 4)), np.random.default_rng(1).normal(size=(4, 3))
X, V = X[0], X[1]


def test_jvp_is_the_slope_along_a_direction():
    value, slope = ad.jvp(network, (X, W), (V, V.T))
    assert value == network(X, W)
    expected = (network(X + STEP * V, W + STEP * V.T) - network(X - STEP * V, W - STEP * V.T)) / (2 * STEP)
    assert abs(slope - expected) < 1e-4
    along = [np.sum(g * v) for g, v in zip(ad.grad(network, (0, 1))(X, W), (V, V.T), strict=True)]
    assert abs(slope - sum(along)) < 1e-12


def test_hvp_is_the_slope_of_the_gradient():
    found = ad.hvp(network, (X, W), (V, V.T))
    gradient = ad.grad(network, (0, 1))
    ahead, behind = gradient(X + STEP * V, W + STEP * V.T), gradient(X - STEP * V, W - STEP * V.T)
    for h, a, b in zip(found, ahead, behind, strict=True):
        np.testing.assert_allclose(h, (a - b) / (2 * STEP), atol=1e-4)


@pytest.mark.parametrize("f", [lambda x: x[:1] * x[1], lambda x: np.outer(x, x) * x, lambda x: x.sum()])
def test_jacobian_has_the_shapes_of_result_and_argument(f):
    x = np.array([1.0, 2.0, 3.0])
    found = ad.jacobian(f)(x)
    assert found.shape == f(x).shape + x.shape
    columns = [(f(x + STEP * e) - f(x - STEP * e)) / (2 * STEP) for e in np.eye(3)]
    np.testing.assert_allclose(found, np.moveaxis(columns, 0, -1), atol=1e-5)


def test_jacobian_of_nothing_and_of_what_does_not_depend():
    assert ad.jacobian(lambda x: x * 2)(np.zeros(0)).shape == (0, 0)
    np.testing.assert_array_equal(ad.jacobian(lambda x: np.ones(2))(np.zeros(3)), np.zeros((2, 3)))


def test_hessian_is_symmetric_and_right():
    found = ad.hessian(lambda w: network(X, w))(W)
    assert found.shape == W.shape + W.shape
    np.testing.assert_allclose(found, np.transpose(found, (2, 3, 0, 1)), atol=1e-12)
    (product,) = ad.hvp(lambda w: network(X, w), (W,), (V.T,))
    np.testing.assert_allclose(np.tensordot(found, V.T, 2), product, atol=1e-12)


def test_hessian_of_several_arguments_has_their_structure():
    blocks = ad.hessian(lambda p: p["a"] * np.sum(p["b"] ** 2))({"a": np.array(2.0), "b": np.array([1.0, 3.0])})
    assert blocks["a"]["a"] == 0
    np.testing.assert_array_equal(blocks["a"]["b"], [2, 6])
    np.testing.assert_array_equal(blocks["b"]["b"], 4 * np.eye(2))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_forward_mode_keeps_the_dtype(dtype):
    value, slope = ad.jvp(lambda x: np.tanh(x) / 3 + x**2, (X.astype(dtype),), (V.astype(dtype),))
    assert value.dtype == slope.dtype == dtype


def test_forward_mode_of_complex_functions_is_their_derivative_along_a_direction():
    z, v = np.array([1 + 2j, 3 - 1j]), np.array([1j, 1 - 1j])
    for f in (np.abs, np.conj, np.real, np.angle, np.exp, lambda z: np.abs(z) ** 2 * z, np.fft.fft):
        _, slope = ad.jvp(f, (z,), (v,))
        np.testing.assert_allclose(slope, (f(z + STEP * v) - f(z - STEP * v)) / (2 * STEP), atol=1e-5)


def test_bad_tangents_are_refused():
    with pytest.raises(ad.errors.ShapeError, match=r"jvp.*\(3,\)"):
        ad.jvp(np.sin, (np.ones(3),), (np.ones(2),))
    with pytest.raises(ad.errors.GradientError, match="1 arrays in xs, 2 in vs"):
        ad.jvp(np.sin, (np.ones(3),), (np.ones(3), np.ones(3)))


# --- perturbations are not confused (Siskind and Pearlmutter, 2008) ---------------------------------------------------


def reverse(f, x):
    return ad.grad(f)(x)


def forward(f, x):
    return ad.jvp(f, (x,), (np.ones(()),))[1]


MODES = [(a, b) for a in (forward, reverse) for b in (forward, reverse)]


def classic(outer, inner):
    assert outer(lambda x: x * inner(lambda y: x + y, 1.0), 1.0) == 1
    assert outer(lambda x: x * inner(lambda y: x * y, 2.0), 3.0) == 6
    assert outer(lambda x: inner(lambda y: x**2 * y**3, x), 2.0) == 3 * 4 * 8  # d/dx 3 x**4
    assert outer(lambda x: inner(lambda _: x, 1.0) + x, 1.0) == 1


@pytest.mark.parametrize(("outer", "inner"), MODES)
def test_perturbation_confusion(outer, inner):
    classic(outer, inner)


def test_perturbation_confusion_in_threads():
    failures = []

    def work():
        try:
            for _ in range(5):
                for pair in MODES:
                    classic(*pair)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_perturbation_confusion_in_async_tasks():
    async def work(outer, inner):
        for _ in range(3):
            classic(outer, inner)
            await asyncio.sleep(0)

    async def all_of_them():
        await asyncio.gather(*(work(*pair) for pair in MODES * 3))

    asyncio.run(all_of_them())


def test_an_inner_derivative_of_an_outer_closure():
    """d/dx of d/dy (x y)^2 at y = 1 is 4 x, times 1."""
    for outer, inner in MODES:
        assert outer(lambda x, inner=inner: inner(lambda y: (x * y) ** 2, 1.0), 3.0) == 12


def test_grad_to_the_fifth():
    f = np.sin
    for _ in range(5):
        f = ad.grad(f)
    assert abs(f(0.3) - np.cos(0.3)) < 1e-15


# --- structures -------------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Layer:
    W: object
    b: object
    name: str = "layer"


Pair = namedtuple("Pair", "first second")


def test_a_dataclass_gives_its_gradient():
    layer = Layer(np.ones((2, 2)), np.zeros(2))
    found = ad.grad(lambda p: np.sum((np.ones(2) @ p.W + p.b) ** 2))(dataclasses.replace(layer, name=np.array(0.0)))
    assert isinstance(found, Layer)
    np.testing.assert_array_equal(found.b, [4, 4])


def test_named_tuples_lists_and_dicts():
    pair = Pair(np.array([1.0]), {"a": [np.array(2.0), np.array(3.0)]})
    found = ad.grad(lambda p: np.sum(p.first) * p.second["a"][0] * p.second["a"][1])(pair)
    assert type(found) is Pair
    assert found.first == 6
    assert found.second["a"] == [3, 2]
    _, moved = ad.jvp(lambda p: p.first * p.second["a"][0], (pair,), (pair,))
    assert moved == 4


def test_aux_comes_with_the_gradient():
    def f(w, x):
        prediction = x * w
        return np.sum(prediction**2), {"prediction": prediction, "note": "as it is"}

    (loss, aux), gradient = ad.value_and_grad(f, has_aux=True)(np.array([2.0]), np.array([3.0]))
    assert loss == 36
    assert aux["note"] == "as it is"
    assert type(aux["prediction"]) is np.ndarray
    np.testing.assert_array_equal(gradient, [36])
    again, same = ad.grad(f, has_aux=True)(np.array([2.0]), np.array([3.0]))
    np.testing.assert_array_equal(again, [36])
    np.testing.assert_array_equal(same["prediction"], [6])
    with pytest.raises(ad.errors.GradientError, match="pair"):
        ad.grad(lambda w: np.sum(w), has_aux=True)(np.ones(2))


if __name__ == "__main__":
    Path(*sys.argv[1:2] or [RECORDED]).write_text(json.dumps(record(), indent=1) + "\n")
