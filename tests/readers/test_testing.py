"""The tools for tests: what is drawn is of use, and every planted mistake in a rule is caught."""

import importlib.util
import math
import sys
import types

import numpy as np
import pytest
from hypothesis import find, given, settings

import autodiff as ad
from autodiff import primitive
from autodiff.testing import check_rule, problem
from autodiff.testing.problems import PRIMES

pytest_plugins = ["autodiff.testing"]

# --- problems ---------------------------------------------------------------------------------------------------------


@given(problem(X="N D", y="N K", W1="D H", b1="H", W2="H K", lr=""))
def test_letters_are_pairwise_different_sizes(p):
    (n, d), (h, k) = p.X.shape, p.W2.shape
    assert len({n, d, h, k}) == 4
    assert {n, d, h, k} <= {*PRIMES}
    assert (p.y.shape, p.W1.shape, p.b1.shape, p.lr.shape) == ((n, k), (d, h), (h,), ())
    assert {x.dtype for x in p} == {np.dtype(float)}


@given(problem(X="N D", W="D 3"))
def test_numbers_are_of_either_sign_and_away_from_zero_and_from_each_other(p):
    for x in p:
        sizes = np.sort(np.abs(x).ravel())
        assert sizes[0] > 0.2
        assert np.min(np.diff(sizes)) > 0.1 / x.size
    assert {-1, 1} == {*np.sign(np.concatenate([p.X.ravel(), p.W.ravel()]))}


@given(problem(y="N in K", Y="N K one-hot", p="N K positive", z="N in 2", dtype=np.float32))
def test_other_kinds_of_array(p):
    n, k = p.Y.shape
    assert (p.y.shape, p.y.dtype.kind) == ((n,), "i")
    assert 0 <= p.y.min() <= p.y.max() < k
    assert p.z.max() < 2
    assert np.all(np.sum(p.Y, axis=1) == 1)
    assert {*np.unique(p.Y)} == {0, 1}
    assert p.p.min() > 0
    assert p.Y.dtype == p.p.dtype == np.float32


@given(problem(X="N D", W="D K", N=1, K=range(2, 4), D=[4, 5]))
def test_sizes_are_fixed_or_chosen_from(p):
    assert p.X.shape[0] == 1
    assert p.W.shape[0] in (4, 5)
    assert p.W.shape[1] in (2, 3)


def test_a_problem_unpacks_in_order_into_arguments():
    p = find(problem(X="N D", W="D K"), lambda p: True)
    X, W = p
    assert X is p.X
    assert W is p.W
    assert p._fields == ("X", "W")
    assert (p.X @ p.W).shape == (3, 7)


def test_what_shrinks_are_the_sizes():
    p = find(problem(X="N D", W="D D"), lambda p: p.X.size > 30, settings=settings(max_examples=200))
    assert sorted(p.X.shape) in ([3, 11], [5, 7])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "name the arrays"),
        ({"N": 3}, "name the arrays"),
        ({"X": "N D", "M": 3}, "M: no array has this size"),
        ({"X": "N x D!"}, "'D!' is no size"),
        ({"y": "N in"}, "after `in` comes"),
        ({"y": "one-hot"}, "the last size"),
        ({"X": " ".join("ABCDEFGHIJKLMNOP")}, "too many"),
    ],
)
def test_what_cannot_be_read_is_refused(arrays, message):
    with pytest.raises(ValueError, match=message):
        problem(**arrays)


def test_without_hypothesis_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(ImportError, match="pip install hypothesis"):
        problem(X="N")


# --- the fixture ------------------------------------------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch):
    """A stand-in for `autodiff.verify`, which returns what it was asked."""
    monkeypatch.setattr(ad, "verify", lambda *arguments, **options: (arguments, options), raising=False)


@pytest.mark.usefixtures("asked")
class TestFixture:
    def test_it_verifies_at_more_points(self, verify):
        assert verify("step", 1, wrt="W") == (("step", 1), {"wrt": "W", "points": 3})
        assert verify("step", points=5)[1] == {"points": 5}

    @pytest.mark.parametrize("verify", [10], indirect=True)
    def test_a_test_may_ask_for_their_number(self, verify):
        assert verify("step")[1] == {"points": 10}


def test_without_pytest_there_is_no_fixture_and_all_else(monkeypatch):
    monkeypatch.setitem(sys.modules, "pytest", None)
    spec = importlib.util.find_spec("autodiff.testing")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert isinstance(module, types.ModuleType)
    assert module.check_rule is check_rule
    assert not hasattr(module, "_verify")


# --- rules that are right ---------------------------------------------------------------------------------------------

RIGHT = {
    "cube": primitive(lambda x: x**3, "g * 3 * x**2"),
    "elementwise": primitive(lambda x, y: np.hypot(x, y), "x / out", "y / out", kind="elementwise"),
    "with a keyword": primitive(lambda x, scale=2.0: scale * np.sin(x), "g * scale * np.cos(x)"),
    "numbers above 0": primitive(lambda x: np.log(x), "g / x"),
    "numbers above 1": primitive(lambda x: np.arccosh(x), "g / np.sqrt(x**2 - 1)"),
    "matrices": primitive(lambda A, B: A @ B, "g @ B.T", "A.T @ g"),
    "linear": primitive(lambda x: 2 * x, "2 * g", kind="linear"),
    "softmax": primitive(
        lambda x: np.exp(x) / np.sum(np.exp(x), -1, keepdims=True), "out * (g - np.sum(g * out, -1, keepdims=True))"
    ),
    "derivative zero": primitive(lambda x: np.sign(x), "0 * g"),
    "of a user": lambda x, y: np.sum(x * ad.sigmoid(y), axis=0),
    "several results": lambda x: {"sum": np.sum(x), "parts": [x[0], 3]},
    "of no array": lambda x: 1.0,
    "of NumPy": np.arctan2,
}


@pytest.mark.parametrize("f", RIGHT.values(), ids=RIGHT)
def test_a_right_rule_passes(f):
    check_rule(f)


def test_a_right_rule_passes_at_examples_and_in_third_order():
    rng = np.random.default_rng(0)
    check_rule(RIGHT["matrices"], (rng.normal(size=(2, 3)), rng.normal(size=(3, 4))), orders=3)
    check_rule(RIGHT["matrices"], (rng.normal(size=(3, 3)), rng.normal(size=(3, 3))))
    check_rule(RIGHT["cube"], 2.0, np.array([0.5, -1]), orders=3)


def test_arguments_that_are_not_floating_are_left_alone():
    rows = primitive(lambda x, index: x[index], lambda g, x, index: np.eye(len(x))[index].T.astype(g.dtype) @ g, None)
    check_rule(rows, (np.random.default_rng(0).normal(size=(4, 3)), np.array([2, 0, 2])), orders=1)


def test_only_what_is_asked_is_differentiated():
    product = primitive(lambda x, y: x * y, "g * y", "g * 5")
    check_rule(product, wrt=[0], orders=1)
    with pytest.raises(AssertionError, match="in y"):
        check_rule(product)


# --- planted mistakes -------------------------------------------------------------------------------------------------


def outside(g, x):
    """The right derivative, by functions that nobody can differentiate."""
    return g * np.vectorize(math.cos, otypes=[x.dtype])(x)


def frozen(g, x):
    """The right derivative, whose own derivative is lost."""
    return g * np.cos(x.detach() if isinstance(x, ad.Tensor) else x)


def in_order(g, x):
    """Right for contiguous arrays only."""
    return g * 2 * (x if isinstance(x, ad.Tensor) or x.flags.c_contiguous or x.flags.f_contiguous else x + 1)


def in_place(g, x):
    x *= 2
    return g * x


WRONG = {
    "factor": (primitive(lambda x: x**3, "g * x**2"), r"<lambda>\(x\): reverse mode, in x, along entry"),
    "sign": (primitive(lambda x, y: x - y, "g", "g"), "reverse mode, in y"),
    "not linear in g": (primitive(lambda x: x**2, "g**2 * 2 * x"), "reverse mode"),
    "None": (primitive(lambda x, y: x * y, "g * y", None), "in y: its derivative is None, and by differences it is"),
    "second derivative lost": (primitive(lambda x: np.sin(x), frozen), "order 2 .*: reverse mode, in x"),
    "second derivative outside": (primitive(lambda x: np.sin(x), outside), "order 2 .*: reverse mode: GradientError"),
    "upcast": (
        primitive(lambda x: x**3, "np.float64(3) * x**2 * g"),
        "of float32: the derivative in x returns float64",
    ),
    "upcast, elementwise": (
        primitive(lambda x: x**3, "np.float64(3) * x**2", kind="elementwise"),
        "of float32: the derivative in x returns float64",
    ),
    "upcast of the value": (primitive(lambda x: np.float64(3) * x, "3 * g"), "of float32: the value is float64"),
    "broadcasting": (
        primitive(lambda x, y: x * y, "(g * y).reshape(x.shape)", "(g * x).reshape(y.shape)"),
        r"x broadcast from \(\)",
    ),
    "broadcasting, values": (
        primitive(lambda x, y: x + y, "g", "g if y.shape == g.shape else 2 * g"),
        "y broadcast from .*: reverse mode, in y",
    ),
    "summed": (primitive(lambda x, y: x * y, "g * y", "np.sum(g * x)"), "reverse mode, in y"),
    "0-d": (primitive(lambda x: x**2, "g * 2 * x if x.shape else g * x"), "of 0-d arrays"),
    "empty": (
        primitive(lambda x: x**2, "g * 2 * x * np.max(x) / np.max(x)"),
        "of empty arrays: reverse mode: ValueError",
    ),
    "memory layout": (primitive(lambda x: x**2, in_order), "of non-contiguous arrays"),
    "written": (primitive(lambda x: x**2, in_place), "read-only"),
}


@pytest.mark.parametrize(("f", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_rule_is_caught(f, message):
    with pytest.raises(AssertionError, match=f"check_rule: .*{message}"):
        check_rule(f)


@pytest.mark.parametrize("name", ["second derivative lost", "second derivative outside"])
def test_of_a_derivative_that_is_not_made_to_be_differentiated_the_first_order_is_checked(name):
    check_rule(WRONG[name][0], orders=1)


def test_a_value_that_is_another_with_tensors_is_caught():
    def f(x):
        return 2 * x if isinstance(x, ad.Tensor) else 3 * x

    with pytest.raises(AssertionError, match="the value of Tensors is"):
        check_rule(f)


def test_the_message_has_both_numbers():
    with pytest.raises(AssertionError, match=r"the derivative is 5\.5\d+, and by differences 16\.6\d+ ± \d"):
        check_rule(WRONG["factor"][0], np.array([2.0]))


def test_at_a_kink_another_example_is_asked_for():
    with pytest.raises(AssertionError, match="is there a kink"):
        check_rule(np.abs, np.array([0.0, 1.0]))


def test_where_nothing_fits_examples_are_asked_for():
    with pytest.raises(ValueError, match=r"check_rule\(solve, \(x, y\)\)"):
        check_rule(primitive(solve, "g", "g"))


def solve(x, y):
    return np.linalg.solve(np.reshape(x, (4, 4)), np.reshape(y, (4, 1)))
