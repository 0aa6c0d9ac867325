"""compile: the program gives what eager code gives, to the bit, at inputs that it was not recorded with."""

import functools
import subprocess
import sys
import threading
import types
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import autodiff as ad
from autodiff.errors import MissingRuleError, TracedValueError
from autodiff.primitive import COMPOSED
from autodiff.readers.compiling import buffered, plan, program
from tests.engine.test_batching import COUNT
from tests.rules.arguments import examples
from tests.rules.gradcheck import cotangents, plain, pulled
from tests.rules.test_rows import FUNCTIONS, name_of

X = np.array([[3.0, 5.0], [5.0, 1.0], [10.0, 2.0]])
y = np.array([[0.75], [0.82], [0.93]])
rng = np.random.default_rng(0)
W1, W2 = rng.normal(size=(2, 4)), rng.normal(size=(4, 1))
EVERY = list(dict.fromkeys([*FUNCTIONS, *COMPOSED]))


def same(found, expected):
    """Equal to the bit, but for the sign of a zero."""
    found, expected = np.asarray(plain(found)), np.asarray(plain(expected))
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    np.testing.assert_array_equal(found, expected)


def all_same(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        same(one, other)


# --- the seed's network -----------------------------------------------------------------------------------------------


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def cost(W1, W2, X, y):
    z2 = X @ W1
    a2 = sigmoid(z2)
    z3 = a2 @ W2
    y_hat = sigmoid(z3)
    loss = np.sum(np.power(y - y_hat, 2) / 2)
    return loss  # noqa: RET504 (the source has its name)


SEED = """\
import numpy as np


def cost(W1, W2, X, y):
    # layer 1
    z2 = X @ W1
    t0 = np.exp(-z2)
    t1 = 1 + t0
    a2 = 1 / t1
    # layer 2
    z3 = a2 @ W2
    t2 = np.exp(-z3)
    t3 = 1 + t2
    y_hat = 1 / t3
    # loss
    t4 = y - y_hat
    loss = np.sum(np.power(t4, 2) / 2)
    # gradient of layer 2
    z3_grad = -(t4 * (y_hat / t3) * t2)
    a2_grad = z3_grad.dot(W2.T)
    W2_grad = a2.T.dot(z3_grad)
    # gradient of layer 1
    z2_grad = a2_grad * (a2 / t1) * t0
    W1_grad = X.T.dot(z2_grad)
    return loss, W1_grad, W2_grad
"""


def seed_step():
    step = ad.compile(ad.value_and_grad(cost, (0, 1)))
    step(np.zeros_like(W1), np.ones_like(W2), X, y)
    return step


def test_the_source_of_the_seed():
    assert seed_step().source == SEED


def test_the_seeds_step_is_that_of_eager_code():
    loss, gradients = seed_step()(W1, W2, X, y)
    expected_loss, expected = ad.value_and_grad(cost, (0, 1))(W1, W2, ad.constant(X), y)
    all_same([loss, *gradients], [expected_loss, *expected])


def test_the_source_and_the_program_give_the_same_bits():
    step = seed_step()
    namespace = {}
    exec(step.source, namespace)
    loss, gradients = step(W1, W2, X, y)
    all_same(namespace["cost"](W1, W2, X, y), [loss, *gradients])
    exec(step.program, namespace)
    all_same(namespace["with_buffers"]()(W1, W2, X, y), [loss, *gradients])


def ruff(folder):
    """What ruff finds in the files of a folder."""
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "E,F,W,I,UP", "--line-length", "120"]
    found = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=False)
    if "No module named ruff" in found.stderr:
        pytest.skip("ruff is not installed")
    return found.stdout.replace("All checks passed!", "").strip()


def test_sources_run_alone_and_pass_ruff(tmp_path, request):
    """Of every row: the gradients too, with nothing but NumPy."""
    (tmp_path / "seed.py").write_text(seed_step().source)
    for function in SMOOTH[:: 1 if request.config.getoption("--exhaustive") else 6]:
        for call in reached(function)[:1]:
            compiled = ad.compile(outputs_and_gradients(call))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                results = [x for x in compiled(*call.arrays) if isinstance(x, np.ndarray)]
                if len(compiled.latest.captured) or len(compiled.latest.trace.outputs) != len(results):
                    continue
                namespace = {}
                exec(compiled.source, namespace)
                found = namespace["function"](*call.arrays, *compiled.latest.code.outside.values())
            all_same(found if isinstance(found, tuple) else (found,), results)
            (tmp_path / f"source_{name_of(function)}.py").write_text(compiled.source)
    assert not ruff(tmp_path)


# --- every row --------------------------------------------------------------------------------------------------------


def outputs_and_gradients(call):
    """The call's outputs and the gradients of all that has one, as a function of its arrays."""
    wanted = call.differentiable

    def function(*arrays):
        tensors = {i: x if isinstance(x, ad.Tensor) else (ad.Tensor if i in wanted else ad.constant)(x) for i, x in
                   enumerate(arrays)}  # fmt: skip
        outputs = call.outputs(tensors)
        return [*outputs, *pulled(outputs, [tensors[i] for i in wanted], cotangents(outputs))] if wanted else outputs

    return function


def reached(function):
    """Calls of a function that are recorded."""
    calls = [call for call in examples(function, COUNT) if call.reached]
    return [call for call in calls if call.dispatches(call.differentiable or range(len(call.arrays)))]


def near(x, k):
    """The array a little moved, in the same memory layout."""
    if x.dtype.kind not in "fc":
        return x
    moved = np.copy(x, order="K")
    moved *= 1 + 0.002 * k * np.random.default_rng(k).uniform(-1, 1, x.shape).astype(x.real.dtype)
    return moved


# What no program can do: its shape depends on data in a way that rules decide by.
UNTRACED = {"trim_zeros", "piecewise", "polymul", "real_if_close", "histogram", "histogram2d", "histogramdd"}
UNTRACED |= {"histogram_bin_edges", "repeat", "place", "polyfit"}


@pytest.mark.parametrize("function", EVERY, ids=name_of)
def test_each_row(function):
    """Value and gradients, at inputs that were not traced."""
    for call in reached(function)[::3]:
        eager = outputs_and_gradients(call)
        compiled = ad.compile(eager)
        try:
            compiled(*call.arrays)
        except TracedValueError:
            assert name_of(function) in UNTRACED
            continue
        for k in range(2):
            arrays = [near(x, k) for x in call.arrays]
            found, expected = compiled(*arrays), eager(*arrays)
            assert len(found) == len(expected)
            for one, other in zip(found, expected, strict=True):
                if np.asarray(plain(other)).dtype.kind == "c":  # scalars of these NumPy rounds otherwise than arrays
                    np.testing.assert_allclose(plain(one), plain(other), rtol=1e-14, atol=1e-14)
                else:
                    same(one, other)


# --- random programs --------------------------------------------------------------------------------------------------

SMOOTH = [f for f in EVERY if name_of(f) not in UNTRACED]


@functools.cache
def moving(function):
    """Calls of a function that can be moved, and which of their arrays are."""
    pairs = [(call, [i for i in call.differentiable if call.arrays[i].dtype == np.float64])
             for call in examples(function, COUNT) if call.reached and not call.written]  # fmt: skip
    return [(call, positions) for call, positions in pairs if positions and call.dispatches(positions)]


@st.composite
def programs(draw):
    """A function of one vector through calls drawn from the whole table, each moved by what came before."""
    functions = draw(st.lists(st.sampled_from(SMOOTH).filter(moving), min_size=1, max_size=7))
    calls = [draw(st.sampled_from(moving(function))) for function in functions]

    def function(x):
        total = np.sum(np.tanh(x))
        for call, positions in calls:
            moved = {i: call.arrays[i] * (1 + 0.001 * np.tanh(total)) for i in positions}
            for out in call.outputs(moved):
                if np.asarray(out.shape).prod() and out.dtype.kind == "f":
                    total = total + np.tanh(np.sum(out))
        return total * np.sum(x)

    return function


@settings(max_examples=max(300, settings().max_examples), suppress_health_check=list(HealthCheck))
@given(programs())
def test_random_programs(f):
    both = ad.value_and_grad(f)
    compiled = ad.compile(both)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compiled(np.array([0.5, -1.5, 2.0]))
        except TracedValueError:
            return
        for point in (np.array([0.25, 1.0, -2.0]), np.array([-1.0, 0.5, 0.125])):
            (value, gradient), (expected, slope) = compiled(point), both(point)
            same(value, expected)
            same(gradient, slope)


# --- what a program never does ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "leave",
    [
        lambda x: x if x.sum() > 0 else -x,
        lambda x: x * x.item(0),
        lambda x: x * float(x[0]),
        lambda x: x * x.numpy(),
        lambda x: x * x.tolist()[0],
        lambda x: x * np.asarray(x.detach()),
        lambda x: x * x.data,
        lambda x: [x for _ in range(int(x[0]))],
    ],
)
def test_a_value_that_decides_or_escapes_raises(leave):
    with pytest.raises((TracedValueError, ad.errors.GradientError)):
        ad.compile(leave)(np.array([1.0, 2.0]))


def test_a_branch_names_its_line():
    def f(x):
        return x if np.sum(x) > 0 else -x

    with pytest.raises(TracedValueError, match=r"test_compile\.py:\d+"):
        ad.compile(f)(np.ones(2))


def test_a_function_without_a_rule_names_its_line():
    other = np.frompyfunc(lambda x: x, 1, 1)
    for backend in ("numpy", "numba"):
        with pytest.raises(MissingRuleError, match=r"no rule, at .*test_compile\.py:\d+"):
            ad.compile(lambda x: other(x), backend=backend)(np.ones(2))


def test_backward_inside_raises():
    def f(x):
        w = ad.Tensor(np.ones(2))
        (x * w).sum().backward()
        return w.grad

    with pytest.raises(TracedValueError, match="backward"):
        ad.compile(f)(np.ones(2))


def test_legacy_random_numbers_are_refused():
    state = np.random.get_state()
    try:
        with pytest.raises(TracedValueError, match="default_rng"):
            ad.compile(lambda x: x * np.random.rand(2))(np.ones(2))
    finally:
        np.random.set_state(state)


def test_what_depends_on_data_is_computed_again():
    def f(x, i):
        mask = x > 0
        return np.where(mask, np.sqrt(np.where(mask, x, 1)), 0)[np.argsort(x)][i] * np.argmax(x)

    compiled = ad.compile(f)
    compiled(np.array([1.0, -2.0, 3.0]), np.array([0, 1]))
    for x, i in ((np.array([-1.0, 5.0, 3.0]), np.array([2, 1])), (np.array([4.0, -5.0, -3.0]), np.array([0, 2]))):
        same(compiled(x, i), f(x, i))


def test_a_shape_that_depends_on_data():
    compiled = ad.compile(lambda x: np.sum(x[x > 0] ** 2) / 2)
    for x in ([1.0, -2.0, 3.0], [1.0, 2.0, 3.0], [-1.0, -2.0, 3.0]):
        same(compiled(np.array(x)), np.sum(np.array(x)[np.array(x) > 0] ** 2) / 2)


def test_a_branch_not_taken_adds_exactly_nothing():
    gradient = ad.compile(ad.grad(lambda x: np.sum(np.where(x > 0, np.sqrt(x) ** 3, 0))))
    gradient(np.array([1.0, 4.0, 2.0]))
    same(gradient(np.array([0.0, 4.0, 0.0])), np.array([0.0, 3.0, 0.0]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("f", [lambda m, x: np.where(m, x, 0), lambda m, x: np.where(m, 0, x)])
def test_a_choice_of_zero_is_to_the_bit(f, dtype):
    """It is a product of integers: of what is not finite, too, and of a negative zero."""
    compiled = ad.compile(lambda m, x: np.tanh(f(m, x * 1.5)) + 0)
    x = np.array([np.nan, -np.nan, np.inf, -np.inf, -0.0, 3.0, -2.5, 1e-40], dtype)
    for mask in (x > 0, ~(x > 0)):
        found, expected = compiled(mask, x), np.tanh(f(mask, x * dtype(1.5))) + 0
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))
    assert ".view(" in compiled.program


def test_writes_in_place():
    def relu(z, x):
        z = z * 1
        z[z < 0] = 0
        z[1:] += x[:-1]
        return np.sum(z * z)

    both = ad.value_and_grad(relu)
    compiled = ad.compile(both)
    compiled(np.array([1.0, -2.0, 3.0]), np.ones(3))
    point = np.array([-1.0, 2.0, -3.0]), np.array([1.0, 5.0, 7.0])
    value, gradient = compiled(*point)
    expected, slope = both(*point)
    same(value, expected)
    same(gradient, slope)


# --- results, arguments, threads --------------------------------------------------------------------------------------


def test_results_are_fresh():
    compiled = ad.compile(lambda x: (x, x, x.T, np.tanh(x), np.zeros(2)))
    x = np.arange(4.0).reshape(2, 2)
    first = compiled(x)
    kept = [np.array(a) for a in first]
    for i, a in enumerate(first):
        assert not any(np.shares_memory(a, b) for b in (x, *first[:i]))
        a[...] = 7
    for a, b in zip(compiled(x), kept, strict=True):
        np.testing.assert_array_equal(a, b)


def test_structures_names_and_scalars():
    def f(params, x, *, scale=2):
        return {"out": x @ params["W"] * scale + params["b"], "n": 3, "loss": (x @ params["W"]).sum()}

    compiled = ad.compile(f)
    params = {"W": rng.normal(size=(2, 3)), "b": rng.normal(size=3)}
    compiled(params, X, scale=3)
    assert "params_W" in compiled.source
    for scale in (2, 3, 0.5):
        found, expected = compiled(params, X, scale=scale), f(params, X, scale=scale)
        assert found["n"] == 3
        same(found["out"], expected["out"])
        same(found["loss"], expected["loss"])


def test_a_program_for_each_shape_dtype_and_order_and_not_too_many():
    compiled = ad.compile(lambda x: np.tanh(x) * 2)
    for x in (np.ones(3), np.ones(4), np.ones((2, 2), np.float32), np.ones((2, 3)).T, np.arange(3)):
        same(compiled(x), np.tanh(x) * 2)
    for n in range(100):
        compiled(np.ones(n))
    assert len(compiled.programs) <= 32


def test_equal_functions_are_planned_once(monkeypatch):
    """Also functions with weights and numbers of their own; one with another constant, name or order is another."""
    plans = []
    monkeypatch.setattr(program, "KNOWN", {})
    monkeypatch.setattr(buffered, "Plan", lambda *given: plans.append(plan.Plan(*given)) or plans[-1])

    def function(weight, power=2, zero=0.0, order="C"):
        w = ad.Tensor(weight, name="w")

        def f(x, rate):
            return np.sum(np.reshape(x, -1, order=order) ** power * w * rate * np.array([zero, 1.5]))

        return ad.value_and_grad(f)

    def both(f, x, rate, many):
        compiled = ad.compile(f, numbers=("rate",))
        all_same(compiled(x, rate), f(x, rate))
        all_same(compiled(x + 1, rate + 1), f(x + 1, rate + 1))
        assert len(plans) == many
        return compiled

    x, ones = np.array([[1.0], [2.0]]), np.ones(2)
    first = both(function(ones), x, 0.25, 1)
    second = both(function(ones * 3), x * 2, 0.5, 1)
    assert first.latest.code.idle is not second.latest.code.idle
    both(function(ones, power=3), x, 0.25, 2)
    both(function(ones, power=2.0), x, 0.25, 3)
    both(function(ones, zero=-0.0), x, 0.25, 4)
    both(function(ones, order="F"), x, 0.25, 5)
    both(function(ones), np.ones((2, 2))[:, :1], 0.25, 6)
    both(function(ones.astype(np.float32)), x, 0.25, 7)


def test_tensors_found_outside_are_read_at_each_call():
    w, scale = ad.Tensor(np.ones(2), name="w"), np.array([1.0, 2.0])
    compiled = ad.compile(lambda x: np.sum(x * w * scale))
    x = np.array([3.0, 4.0])
    assert compiled(x) == 11
    w.data = np.array([2.0, 1.0])
    assert compiled(x) == 14
    scale[:] = 1
    assert compiled(x) == 10


def test_a_view_of_an_array_found_outside_is_read_at_each_call():
    table = np.array([1.0, 2.0, 3.0])
    compiled = ad.compile(lambda x: np.sum(x * table[1:]) + np.sum(np.arange(4).reshape(2, 2) * x))
    x = np.array([1.0, 1.0])
    assert compiled(x) == 11
    table[1] = 4
    assert compiled(x) == 13


def test_a_method():
    class Scale:
        factor = 2

        @ad.compile
        def __call__(self, x):
            return np.tanh(x) * self.factor

    same(Scale()(np.ones(2)), np.tanh(np.ones(2)) * 2)


def test_inside_a_differentiation_it_is_the_function_itself():
    compiled = ad.compile(lambda x: np.sum(x**3))
    compiled(np.ones(2))
    same(ad.grad(compiled)(np.array([1.0, 2.0])), np.array([3.0, 12.0]))


def test_second_derivatives():
    hessian = ad.hessian(lambda x: np.sum(np.sin(x) ** 2) * x[0])
    compiled = ad.compile(hessian)
    compiled(np.ones(3))
    x = np.array([0.3, -1.0, 2.0])
    np.testing.assert_allclose(compiled(x), hessian(x), rtol=1e-14)


def test_random_numbers_are_drawn_afresh_in_eager_order():
    generators = np.random.default_rng(1), np.random.default_rng(1)

    def dropout(rng):
        def f(x):
            mask = rng.random(x.shape) < 0.5
            return x * mask / 0.5 + rng.normal(size=2)

        return f

    eager, compiled = dropout(generators[0]), ad.compile(dropout(generators[1]))
    for k in range(4):
        same(compiled(np.full(2, k + 1.0)), eager(np.full(2, k + 1.0)))
    assert "rng.random" in compiled.source


class Noisy:
    __slots__ = ("rng",)

    def __init__(self):
        self.rng = np.random.default_rng(5)

    def __call__(self, x):
        return self.noise(x) + x

    def noise(self, x):
        return NOISE.normal(size=x.shape) + 0 * self.rng.random()


NOISE, OTHER = map(np.random.default_rng, (3, 4))


def test_generators_are_found_wherever_they_are():
    inner = Noisy()
    for _ in range(12):
        inner = types.SimpleNamespace(inner=[inner])

    def f(x, thing=inner):
        while isinstance(thing, types.SimpleNamespace):
            (thing,) = thing.inner
        return thing(x)

    compiled, x = ad.compile(lambda x, also=OTHER: f(x) + 0 * also.random()), np.zeros(2)
    state = NOISE.bit_generator.state
    found = [compiled(x) for _ in range(3)]
    NOISE.bit_generator.state = state
    all_same(found, [NOISE.normal(size=2) for _ in range(3)])
    for f in (lambda x, pair=(NOISE, 1): x * pair[0].random(), lambda x, draw=NOISE.random: x * draw()):
        state = NOISE.bit_generator.state
        with pytest.raises(TracedValueError, match="in a tuple"):
            ad.compile(f)(x)
        assert NOISE.bit_generator.state == state


def test_threads():
    compiled = ad.compile(lambda x: np.tanh(np.tanh(np.tanh(x) * 2) * 3))
    compiled(np.ones(1000))
    wrong = []

    def work(seed):
        x = np.random.default_rng(seed).normal(size=1000)
        expected = np.tanh(np.tanh(np.tanh(x) * 2) * 3)
        wrong.extend(k for k in range(200) if not np.array_equal(compiled(x), expected))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_users_primitive():
    cube = ad.primitive(lambda x: x**3, "g * 3 * x**2")
    both = ad.value_and_grad(lambda x: np.sum(cube(x)))
    compiled = ad.compile(both)
    compiled(np.ones(2))
    x = np.array([2.0, -1.0])
    all_same(compiled(x), both(x))


def test_numbers_that_change():
    compiled = ad.compile(lambda x, rate: x * rate, numbers=("rate",))
    x = np.array([1.0, 2.0], np.float32)
    for rate in (0.1, 0.2, 3.0):
        same(compiled(x, rate), x * rate)
    assert len(compiled.programs) == 1
    with pytest.raises(TracedValueError):
        ad.compile(lambda x, rate: x if rate > 0 else -x, numbers=("rate",))(x, 1.0)


def test_before_the_first_call_there_is_no_program():
    with pytest.raises(RuntimeError, match="not called yet"):
        _ = ad.compile(np.tanh).source
