"""backend="numba": the text of programs, run by Python itself for every row; and as machine code, for some of them."""

import contextlib
import warnings
from types import ModuleType

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import autodiff as ad
from autodiff.errors import BackendError, TracedValueError
from autodiff.readers.compiling import build
from autodiff.readers.compiling.lines import Line
from tests.readers.test_compile import EVERY, UNTRACED, near, outputs_and_gradients, programs, reached
from tests.rules.gradcheck import plain
from tests.rules.test_rows import name_of

pytest.importorskip("numba")

from autodiff.readers.compiling import matrices, native


def gemm(ty, tx, n, m, k, y, _ldy, x, _ldx, out, _ldout):
    """What BLAS does, seen in C order."""
    left = x.reshape(k, m).T if tx else x.reshape(m, k)
    right = y.reshape(n, k).T if ty else y.reshape(k, n)
    out.reshape(m, n)[...] = left @ right


def tiled(tx, m, n, k, x, y, out):
    left = x.reshape(k, m).T if tx else x.reshape(m, k)
    out.reshape(m, n)[...] = left @ y.reshape(k, n)


MACHINE = {
    "njit": lambda **options: lambda function: function,
    "objmode": lambda **types: contextlib.nullcontext(),
    "part": lambda array, start, size: np.asarray(array).reshape(-1)[start : start + size],
    "local": lambda number, size: np.empty(size, number),
    "gemm32": gemm,
    "gemm64": gemm,
    "tiled": tiled,
}
MACHINE |= {f"{name}{bits}": getattr(np, name) for name in ("exp", "tanh") for bits in (32, 64)}
MACHINE |= {name: getattr(native, name).py_func for name in ("total", "row_sums", "row_maxima", "column_sums")}


def interpreted(text):
    """The module of a program as Python understands it."""
    module = ModuleType("step")
    head, _, body = text.partition("\n@njit")
    imports = [line for line in head.splitlines() if not line.startswith("from autodiff.")]
    names = vars(module) | MACHINE | {"OPTIONS": {}}
    exec("\n".join(line for line in imports if "numba" not in line) + "\n@njit" + body, names)
    for name in ("step", "repeat", "sweep"):
        if name in names:
            names[name].overloads = ["all"]
            setattr(module, name, names[name])
    return module


@pytest.fixture
def by_python(monkeypatch):
    """Programs for numba run as Python."""
    monkeypatch.setattr(build.kept, "load", interpreted)


def assert_near(found, expected, scale=1):
    """Equal to rounding, relative to the largest element, or to 1: what is small may be a difference."""
    found, expected = np.asarray(plain(found)), np.asarray(plain(expected))
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    if expected.dtype.kind not in "fc":
        np.testing.assert_array_equal(found, expected)
        return
    tolerance = scale * {2: 1e-3, 4: 1e-5}.get(expected.real.dtype.itemsize, 1e-13)
    size = np.max(np.abs(expected[np.isfinite(expected)]), initial=1)
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * size)


def check(call):
    """A call's values and gradients, at inputs that were not traced."""
    eager = outputs_and_gradients(call)
    compiled = ad.compile(eager, backend="numba")
    with np.errstate(all="ignore"):
        compiled(*call.arrays)
        for k in range(2):
            arrays = [near(x, k) for x in call.arrays]
            found, expected = compiled(*arrays), eager(*arrays)
            assert len(found) == len(expected)
            for one, other in zip(found, expected, strict=True):
                assert_near(one, other)


@pytest.mark.usefixtures("by_python")
@pytest.mark.parametrize("function", EVERY, ids=name_of)
def test_each_row(function, request):
    for call in reached(function)[:: 1 if request.config.getoption("--exhaustive") else 15]:
        try:
            check(call)
        except TracedValueError:
            assert name_of(function) in UNTRACED
        except BackendError:  # it has several results
            continue


@pytest.mark.usefixtures("by_python")
@settings(max_examples=max(40, settings().max_examples), suppress_health_check=list(HealthCheck))
@given(programs())
def test_random_programs(f):
    compare(f)


def compare(f):
    """A program and its gradient, at points that were not traced."""
    both = ad.value_and_grad(f)
    compiled = ad.compile(both, backend="numba")
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            compiled(np.array([0.5, -1.5, 2.0]))
        except (TracedValueError, BackendError):
            return
        for point in (np.array([0.25, 1.0, -2.0]), np.array([-1.0, 0.5, 0.125])):
            (value, gradient), (expected, slope) = compiled(point), both(point)
            assert_near(value, expected, scale=10)
            assert_near(gradient, slope, scale=10)


@st.composite
def layered(draw):
    """A program of what has a form of its own in machine code: elements, products, sums, choices."""
    number = st.sampled_from([0.5, -1.5, 2.0])
    steps = draw(
        st.lists(
            st.sampled_from(
                [
                    lambda v, W, a: np.tanh(v) * a,
                    lambda v, W, a: 1 / (1 + np.exp(-v)),
                    lambda v, W, a: np.maximum(v, 0.1) - a,
                    lambda v, W, a: np.where(v > a, v, 0.5 * v),
                    lambda v, W, a: v @ W,
                    lambda v, W, a: np.tanh(v) @ W.T + v,
                    lambda v, W, a: v - np.mean(v, axis=1, keepdims=True),
                    lambda v, W, a: v / (1 + np.sum(v * v, axis=0)),
                    lambda v, W, a: ad.softmax(v),
                    lambda v, W, a: np.sqrt(1 + np.square(v)) + np.abs(v),
                    lambda v, W, a: v.T.reshape(v.shape) * a,
                    lambda v, W, a: ad.sigmoid(v) + np.sum(v),
                ]
            ),
            min_size=3,
            max_size=20,
        )
    )
    numbers = [draw(number) for _ in steps]

    def function(x):
        W = np.outer(x, np.cos(x)) / 3
        v = x * np.arange(1.0, 6.0)[:, None] / 4
        for step, a in zip(steps, numbers, strict=True):
            v = np.tanh(step(v, W, a)) if np.size(v) > 1 else step(v, W, a)
        return np.sum(v * v)

    return function


@settings(
    max_examples=2 if settings().max_examples < 1000 else 60,  # each takes a second or more to compile
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(layered())
def test_random_programs_as_machine_code(f):
    compare(f)


@pytest.mark.usefixtures("by_python")
def test_the_text_of_a_program_is_the_same_in_each_process(monkeypatch):
    """It names what is kept on disk, so nothing in it may follow the addresses of objects, as sets of them do."""

    def deep(x, *weights):
        for W in weights:
            x = ad.sigmoid(x @ W)
        return np.sum(x * x)

    texts = set()
    for seed in range(1, 8):
        monkeypatch.setattr(Line, "__hash__", lambda line, seed=seed: hash((id(line), seed)))
        step = ad.compile(ad.value_and_grad(deep, (1, 2, 3, 4, 5)), backend="numba")
        step(np.ones((40, 40)), *[np.eye(40)] * 5)
        texts.add(step.program)
    assert len(texts) == 1


# --- arguments of every kind ------------------------------------------------------------------------------------------

HARD = {
    "float32": (np.array([[0.5, -1.0, 2.0], [0.0, 3.0, -0.25]], np.float32), np.array([1.0, 2.0, -3.0], np.float32)),
    "nothing": (np.empty((0, 3)), np.empty((3,))),
    "a scalar": (np.array(1.5), np.array(-0.5)),
    "broadcast": (np.array([[1.0], [2.0]]), np.array([[3.0, np.inf, np.nan, -1.0]])),
    "integers": (np.array([[1, -2, 7]]), np.array([[3], [4]])),
    "small integers": (np.array([100, 200], np.uint8), np.array([100, 1], np.uint8)),
    "booleans": (np.array([True, False, True]), np.array([True, True, False])),
    "transposed": (np.arange(6.0).reshape(2, 3).T, np.arange(6.0).reshape(3, 2)),
}


def hard(x, y):
    return x + y, x * y + x, x > y, np.maximum(x, y), np.sum(x + y), np.mean(x * y), x


def check_hard(name):
    """A program is right for values that it was not made for."""
    x, y = HARD[name]
    compiled = ad.compile(hard, backend="numba")
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compiled(np.ones_like(x), np.ones_like(y))
        for one, other in zip(compiled(x, y), hard(x, y), strict=True):
            assert_near(one, other)


@pytest.mark.usefixtures("by_python")
@pytest.mark.parametrize("name", HARD)
def test_hard_arguments(name):
    check_hard(name)


# --- what machine code is made of -------------------------------------------------------------------------------------


@native.njit
def each_product(shapes, x, y, out):
    end = 0
    for i in range(len(shapes)):
        flipped, m, n, k = shapes[i]
        matrices.tiled(flipped, m, n, k, x, y, out[end : end + m * n])
        end += m * n
    return end


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_in_tiles(dtype):
    """Of every remainder of rows and columns; what lies beyond the result stays as it is."""
    least = matrices.VECTOR // np.dtype(dtype).itemsize
    sizes = [(m, n, k) for m in range(6, 13) for n in (*range(least, 4 * least, 3), 4 * least) for k in (0, 1, 2, 7)]
    shapes = [(flipped, *size) for flipped in (0, 1) for size in sizes]
    x, y = (np.random.default_rng(0).normal(size=1000).astype(dtype) for _ in range(2))
    out = np.full(sum(m * n for _, m, n, _ in shapes) + 1, 7, dtype)
    end = each_product(np.array(shapes), x, y, out)
    assert end == out.size - 1
    assert out[-1] == 7
    for flipped, m, n, k in shapes:
        left = x[: m * k].reshape(k, m).T if flipped else x[: m * k].reshape(m, k)
        found, out = out[: m * n].reshape(m, n), out[m * n :]
        np.testing.assert_allclose(found, left @ y[: k * n].reshape(k, n), rtol=1e-5, atol=1e-5)


@native.njit
def elements(x, exp, tanh):
    for k in range(x.size):
        if x.itemsize == 4:
            exp[k], tanh[k] = native.exp32(x[k]), native.tanh32(x[k])
        else:
            exp[k], tanh[k] = native.exp64(x[k]), native.tanh64(x[k])


@pytest.mark.parametrize(("dtype", "ulps"), [(np.float32, 2), (np.float64, 4)])
def test_exp_and_tanh(dtype, ulps):
    """Of the whole range to rounding, of what is beyond it right in the limit; a denormal result is 0."""
    limits = np.finfo(dtype)
    largest = np.nextafter(np.log(limits.max), dtype(0))
    smallest = np.nextafter(np.log(limits.smallest_normal), dtype(0))
    inside = np.concatenate([np.linspace(smallest, largest, 20001), np.linspace(-9, 9, 20001), [0.0, 1e-30, -1e-30]])
    beyond = [-np.inf, smallest * 1.01, -limits.max, np.inf, largest * 1.01, limits.max, np.nan]
    x = np.concatenate([inside, beyond]).astype(dtype)
    exp, tanh = np.empty_like(x), np.empty_like(x)
    elements(x, exp, tanh)
    n = len(inside)
    tolerance = ulps * limits.eps
    np.testing.assert_allclose(exp[:n], np.exp(x[:n].astype(np.longdouble)), rtol=tolerance)
    np.testing.assert_allclose(tanh[:n], np.tanh(x[:n].astype(np.longdouble)), rtol=tolerance)
    np.testing.assert_array_equal(exp[n:], [0, 0, 0, np.inf, np.inf, np.inf, np.nan])
    np.testing.assert_array_equal(tanh[n:], [-1, -1, -1, 1, 1, 1, np.nan])


slow = pytest.mark.exhaustive  # each call of NumPy from within takes a second to compile


@pytest.mark.parametrize("name", [n if n in ("float32", "broadcast") else pytest.param(n, marks=slow) for n in HARD])
def test_hard_arguments_as_machine_code(name):
    check_hard(name)
