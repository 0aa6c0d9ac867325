"""What verify says of derivations that are written in odd ways, or not to be recorded, or not to be judged at all."""

import functools
import io
import math
from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import autodiff as ad
from autodiff.errors import GradientError
from tests.benchmarks.verifying import CASES as TIMES
from tests.benchmarks.verifying import milliseconds

rng = np.random.default_rng(0)
X, Y, W = rng.normal(size=(5, 3)), rng.normal(size=(5, 2)), rng.normal(size=(3, 2))
w, y = rng.normal(size=3), rng.normal(size=5)


def plain(W):
    r = X @ W - Y
    return np.sum(r**2) / 2, X.T @ r


def doubled(W):
    r = X @ W - Y
    g = 2 * X.T @ r
    return np.sum(r**2) / 2, g


# The witness


def test_finite_differences_agree():
    report = ad.verify(plain, W)
    assert report.ok
    assert "finite differences agree to 1" in str(report)


def test_a_wrong_rule_is_not_the_truth():
    """A mistake in a rule of ours, or of the user's own primitive: then neither verdict would be honest."""
    square = ad.primitive(lambda x: x**2, "g * x")

    def by_that_rule(W):
        r = X @ W - Y
        return np.sum(square(r)) / 2, X.T @ r / 2

    def right(W):
        r = X @ W - Y
        return np.sum(square(r)) / 2, X.T @ r

    for step in (by_that_rule, right):
        report = ad.verify(step, W)
        assert report.verdict == "cannot tell"
        assert "disagree" in report.notes[-1]
        assert "W" in report.notes[-1]


@pytest.mark.parametrize("factor", [1, 2])
@pytest.mark.parametrize(
    "loss",
    [
        lambda r: float(np.sum(r**2) / 2),
        lambda r: sum(v * v for v in r.tolist()) / 2,
        lambda r: math.fsum(v * v for v in r) / 2,
        lambda r: np.sum(np.vectorize(lambda v: v * v)(r)) / 2,
        lambda r: np.sum([float(f"{v:.17g}") ** 2 for v in r]) / 2,
    ],
)
def test_a_loss_that_cannot_be_recorded_is_measured(loss, factor):
    def step(w):
        r = X @ w - y
        return loss(r), factor * X.T @ r

    report = ad.verify(step, w)
    assert report.verdict == ("right" if factor == 1 else "wrong")
    assert "measured by differences" in " ".join(report.notes)


@pytest.mark.parametrize("factor", [1, 2])
def test_a_loss_that_is_recorded_in_part_is_never_judged_wrongly(factor):
    def by_list(w):
        r = X @ w - y
        far = r[3:].tolist()
        return np.sum(r[:3] ** 2) / 2 + sum(v * v for v in far) / 2, factor * X.T @ r

    def by_number(w):
        r = X @ w - y
        return np.sum(r[:3] ** 2) / 2 + float(f"{np.sum(r[3:] ** 2) / 2:.17g}"), factor * X.T @ r

    right = "right" if factor == 1 else "wrong"
    assert ad.verify(by_list, w).verdict == right
    assert ad.verify(by_number, w).verdict in (right, "cannot tell")


def test_numbers_that_are_only_looked_at_are_no_obstacle():
    def step(w):
        r = X @ w - y
        loss = np.sum(r**2) / 2
        seen = [float(loss), loss.item(), r.tolist(), f"{loss:.3f}", round(float(loss), 3)]
        assert seen
        delta = 2 * r
        return loss, X.T @ delta

    report = ad.verify(step, w)
    assert (report.verdict, report.first_wrong, report.fix) == ("wrong", "delta", "delta = r")


def test_many_parameters_that_cannot_be_recorded_are_measured_in_some_directions():
    A, b = rng.normal(size=(7, 90)), rng.normal(size=7)

    def step(w):
        r = A @ w - b
        return sum(v * v for v in r.tolist()) / 2, A.T @ r

    def wrong(w):
        g = step(w)[1]
        g[17] *= 1.001
        return step(w)[0], g

    assert ad.verify(step, rng.normal(size=90)).ok
    assert ad.verify(wrong, rng.normal(size=90)).verdict == "wrong"


# Several mistakes


def three_layers(W1, W2, W3):
    z1 = X @ W1
    a1 = np.tanh(z1)
    z2 = a1 @ W2
    a2 = np.tanh(z2)
    z3 = a2 @ W3
    loss = np.sum((z3 - Y) ** 2) / 2
    d3 = z3 - Y
    dW3 = a2.T @ d3
    d2 = d3 @ W3.T * (1 - a2**2)
    dW2 = a1.T @ d2
    d1 = d2 @ W2.T * (1 - a1**2)
    dW1 = X.T @ d1
    return loss, (dW1, dW2, dW3)


def two_mistakes(W1, W2, W3):
    z1 = X @ W1
    a1 = np.tanh(z1)
    z2 = a1 @ W2
    a2 = np.tanh(z2)
    z3 = a2 @ W3
    loss = np.sum((z3 - Y) ** 2) / 2
    d3 = z3 - Y
    dW3 = a2.T @ d3
    d2 = d3 @ W3.T
    dW2 = a1.T @ d2
    d1 = d2 @ W2.T * (1 + a1**2)
    dW1 = X.T @ d1
    return loss, (dW1, dW2, dW3)


def three_mistakes(W1, W2, W3):
    z1 = X @ W1
    a1 = np.tanh(z1)
    z2 = a1 @ W2
    a2 = np.tanh(z2)
    z3 = a2 @ W3
    loss = np.sum((z3 - Y) ** 2) / 2
    d3 = z3 - Y
    dW3 = 2 * a2.T @ d3
    d2 = d3 @ W3.T
    dW2 = a1.T @ d2
    d1 = -(d2 @ W2.T) * (1 - a1**2)
    dW1 = X.T @ d1
    return loss, (dW1, dW2, dW3)


def finals_only(W1, W2, W3):
    loss, (dW1, dW2, dW3) = three_layers(W1, W2, W3)
    dW1 = dW1 / 3
    dW3 = -dW3
    return loss, (dW1, dW2, dW3)


@pytest.mark.parametrize(
    ("step", "names"),
    [
        (three_layers, []),
        (two_mistakes, ["d2", "d1"]),
        (three_mistakes, ["dW3", "d2", "d1"]),
        (finals_only, ["dW1", "dW3"]),
    ],
)
def test_independent_mistakes_are_all_found(step, names):
    weights = [np.random.default_rng(3).normal(size=shape) for shape in ((3, 4), (4, 6), (6, 2))]
    report = ad.verify(step, *weights)
    found = report._findings.mistakes
    assert sorted(mistake.name for mistake in found) == sorted(names)
    assert all(mistake.fix for mistake in found)
    for name in names:
        assert f"    {name} = " in str(report).replace("  fix   ", "    ") or name in str(report)


# What is told


def test_every_gradient_off_by_one_factor_is_told_of_the_loss():
    def step(W1, W2):
        z1 = X @ W1
        a1 = np.tanh(z1)
        r = a1 @ W2 - Y
        loss = np.sum(r**2) / 2 / 2
        delta2 = r
        dW2 = a1.T @ delta2
        delta1 = delta2 @ W2.T * (1 - a1**2)
        dW1 = X.T @ delta1
        return loss, (dW1, dW2)

    report = ad.verify(step, rng.normal(size=(3, 4)), rng.normal(size=(4, 2)))
    assert report.cause == "factor-2"
    assert "every gradient is exactly 2 × the gradient of `loss`" in str(report)
    assert "  or    loss = np.sum(r**2) / 2" in str(report)


def test_steps_of_a_right_derivation_are_named_up_to_their_convention():
    def step(W):
        r = X @ W - Y
        loss = np.sum(r**2) / 2 / len(X)
        e = Y - X @ W
        delta = -e
        g = X.T @ delta / len(X)
        return loss, g

    said = str(ad.verify(step, W))
    assert "delta = 5 ∂L/∂r" in said
    assert "e = -5 ∂L/∂r" in said or "e = 5" not in said


# How people write functions

Pair = namedtuple("Pair", "W b")


@dataclass
class Weights:
    W: Any
    b: Any


def affine(W, b):
    r = X @ W + b - Y
    return np.sum(r**2) / 2, X.T @ r, r.sum(0)


def starred(*weights):
    loss, dW, db = affine(*weights)
    return loss, (dW, db)


def in_a_dict(p):
    loss, dW, db = affine(p["layers"][0]["W"], p["layers"][0]["b"])
    return loss, {"layers": [{"W": dW, "b": db}]}


def in_a_dataclass(p):
    loss, dW, db = affine(p.W, p.b)
    return loss, Weights(W=dW, b=db)


def in_a_named_tuple(p):
    loss, dW, db = affine(p.W, p.b)
    return loss, Pair(dW, db)


def with_keywords(W, b, *, scale=1.0, **others):
    loss, dW, db = affine(W, b)
    return scale * loss, (scale * dW, scale * db)


def written_in_korean(가중치, 편향):
    잔차 = X @ 가중치 + 편향 - Y
    손실 = np.sum(잔차**2) / 2
    기울기 = X.T @ 잔차
    return 손실, (기울기, 잔차.sum(0))


def sequence(W, b):
    loss, *gradients = affine(W, b)
    return loss, gradients


b = rng.normal(size=2)


@pytest.mark.parametrize(
    ("step", "arguments"),
    [
        (starred, (W, b)),
        (in_a_dict, ({"layers": [{"W": W, "b": b}]},)),
        (in_a_dataclass, (Weights(W, b),)),
        (in_a_named_tuple, (Pair(W, b),)),
        (with_keywords, (W, b)),
        (functools.partial(with_keywords, scale=0.5), (W, b)),
        (written_in_korean, (W, b)),
        (sequence, (W, b)),
        (lambda W, b: (affine(W, b)[0], affine(W, b)[1:]), (W, b)),
    ],
)
def test_it_is_right_in_any_structure(step, arguments):
    report = ad.verify(step, *arguments)
    assert report.ok, str(report)
    assert len(report.gradients) == 2


def test_gradients_in_the_structure_of_a_dataclass_are_steps():
    def step(p):
        r = X @ p.W + p.b - Y
        return np.sum(r**2) / 2, Weights(W=X.T @ r, b=2 * r.sum(0))

    report = ad.verify(step, Weights(W, b))
    assert (report.verdict, report.first_wrong) == ("wrong", "b")


@pytest.mark.parametrize("value", [1.5, np.float64(1.5), np.array(1.5), np.array([1.5]), np.array([[1.5]])])
def test_one_number(value):
    assert ad.verify(lambda w: (np.sum((w - 3) ** 2), 2 * (w - 3)), value).ok
    assert ad.verify(lambda w: (np.sum((w - 3) ** 2), w - 3), value).verdict == "wrong"


def test_empty_arrays():
    step = lambda v, w: (np.sum(v**2) + np.sum(w**2), (2 * v, 2 * w))  # noqa: E731
    assert ad.verify(step, np.ones(2), np.zeros((0, 3))).ok


def test_a_wrapper_is_part_of_the_function():
    def doubling(step):
        @functools.wraps(step)
        def inner(*arguments):
            loss, g = step(*arguments)
            return loss, 2 * g

        return inner

    assert ad.verify(doubling(plain), W).verdict == "wrong"
    assert ad.verify(functools.lru_cache(lambda: plain)(), W).ok


def test_without_a_source_there_is_a_verdict():
    space = {"np": np, "X": X, "Y": Y}
    exec("def step(W):\n    r = X @ W - Y\n    return np.sum(r**2) / 2, 2 * X.T @ r", space)
    for step in (space["step"], lambda W: (plain(W)[0], 2 * plain(W)[1]), functools.partial(space["step"])):
        report = ad.verify(step, W)
        assert (report.verdict, report.first_wrong) in (("wrong", None), ("wrong", "W"))
        assert "source" in report.notes[-1]


def test_the_global_that_a_function_fills():
    grads = {}
    global buffer
    buffer = np.zeros((3, 2))

    def step(W):
        r = X @ W - Y
        buffer[:] = X.T @ r
        grads["W"] = buffer
        return np.sum(r**2) / 2, grads["W"]

    assert ad.verify(step, W).ok
    assert grads == {}
    assert not buffer.any()


def test_a_loss_of_several_results_on_the_way():
    def step(W):
        s = np.linalg.svd(X @ W, compute_uv=False)
        u, _, vt = np.linalg.svd(X @ W, full_matrices=False)
        return np.sum(s), X.T @ (u @ vt)

    assert ad.verify(step, W).ok


# Kinks, precision, what is not finite


@pytest.mark.parametrize(("at_zero", "verdict"), [(0.0, "right"), (0.5, "right"), (1.0, "right"), (1.5, "wrong")])
def test_at_a_kink_any_value_between_the_slopes_is_right(at_zero, verdict):
    def step(v):
        return np.sum(np.maximum(v, 0)), np.where(v > 0, 1.0, np.where(v == 0, at_zero, 0.0))

    report = ad.verify(step, np.array([0.0, 1.0, -1.0]))
    assert report.verdict == verdict
    if at_zero == 1:
        assert "kink" in report.notes[-1]


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "right"), (1.001, "wrong")])
def test_float32_is_judged_by_its_own_rounding(factor, verdict):
    X32, Y32, W32 = (a.astype(np.float32) for a in (X, Y, W))

    def step(W):
        r = X32 @ W - Y32
        return np.sum(r * r) / 2, X32.T @ r * np.float32(factor)

    report = ad.verify(step, W32)
    assert report.verdict == verdict


def test_gradients_that_are_not_finite_are_wrong():
    def step(W):
        r = X @ W - Y
        g = X.T @ r
        g = g / 0 * 0
        return np.sum(r**2) / 2, g

    with np.errstate(all="ignore"):
        report = ad.verify(step, W)
    assert (report.verdict, report.first_wrong) == ("wrong", "g")
    assert "not finite" in str(report)


def test_a_loss_that_is_not_finite_says_nothing():
    report = ad.verify(lambda W: (np.sum(np.log(-np.abs(W))), 1 / W), W)
    assert report.verdict == "cannot tell"
    assert "not finite" in report.notes[0]


def test_a_loss_that_is_not_finite_at_the_users_point_is_looked_at_elsewhere():
    def step(v):
        return np.sum(v**2 * np.log(v**2)), 2 * v * np.log(v**2) + 2 * v

    report = ad.verify(step, np.array([0.0, 1.0]))
    assert report.ok
    assert "not finite at your point" in report.notes[0]


# What cannot be


@pytest.mark.parametrize(
    ("step", "arguments", "said"),
    [
        (lambda W: np.sum(W**2), (W,), "must return (loss, gradients), and returned float64"),
        (lambda W: (np.sum(W**2), None), (W,), "returned no gradients"),
        (lambda W: None, (W,), "returned NoneType"),
        (lambda W: (yield 1), (W,), "returned generator"),
        (lambda n: (float(n), 2 * n), (3,), "n is int"),
        (lambda W: (np.sum(np.abs(W) ** 2), 2 * W), (W + 1j,), "W is complex128"),
        (lambda W, b: (np.sum(W), (W, b, b)), (W, b), "say which with wrt="),
        (lambda W, *, k: (np.sum(W), W), (W,), "does not take these arguments"),
        (lambda W: (np.sum(W), W), (), "does not take these arguments"),
        (3, (W,), "not a callable"),
    ],
)
def test_what_is_no_derivation_is_refused(step, arguments, said):
    with pytest.raises(GradientError) as raised:
        ad.verify(step, *arguments)
    assert said in str(raised.value)
    assert str(raised.value).startswith("verify: ")


def test_the_users_own_error_is_the_users():
    def step(W):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        ad.verify(step, W)


# While it takes long


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_line_of_progress_on_a_terminal_only(monkeypatch):
    import autodiff.readers.verifying.progress as progress

    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    for stream in (Terminal(), io.StringIO()):
        monkeypatch.setattr("sys.stderr", stream)
        assert ad.verify(plain, W).ok
        assert ("runs" in stream.getvalue()) == stream.isatty()
        assert stream.getvalue().endswith("\r" if stream.isatty() else "")  # and it is gone at the end


def test_within_a_second_nothing_is_shown(monkeypatch):
    monkeypatch.setattr("sys.stderr", stream := Terminal())
    assert ad.verify(plain, W).ok
    assert stream.getvalue().strip() == ""


def test_an_error_of_the_search_does_not_take_the_verdict_away(monkeypatch):
    def fail(*_, **__):
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr("autodiff.readers.verifying.mistakes.first_wrong", fail)
    report = ad.verify(doubled, W)
    assert report.verdict == "wrong"
    assert "ZeroDivisionError" in report.notes[-1]


def test_where_the_users_error_was_raised():
    def step(W):
        r = X @ W
        return np.sum(r) / 0, [].pop()

    with pytest.raises(IndexError) as raised:
        ad.verify(step, W)
    line = step.__code__.co_firstlineno + 2
    assert raised.value.__notes__ == [f"raised at {__file__}:{line}, in step"]


def test_a_loss_that_does_not_change_with_a_parameter():
    report = ad.verify(lambda V, W: (np.sum(W**2), (np.zeros(2), 2 * W)), np.ones(2), W)
    assert report.ok
    assert "the loss does not change with V" in report.notes
    assert ad.verify(lambda W: (np.sum(np.sign(W)), W), W).verdict == "wrong"


def test_as_many_points_as_are_asked_for():
    assert "12 points" in str(ad.verify(plain, W, points=12))
    assert "your point only" in str(ad.verify(plain, W, points=0))


def test_a_saturated_loss_is_worse_to_differentiate_than_to_derive_by_hand():
    """Where 1 - p has lost its digits, so has the gradient of log(1 - p), and differences meet stairs."""

    def step(w):
        p = 1 / (1 + np.exp(-(X @ w)))
        loss = -np.sum(np.log(1 - p))
        return loss, X.T @ p

    def wrong(w):
        p = 1 / (1 + np.exp(-(X @ w)))
        loss = -np.sum(np.log(1 - p))
        return loss, X.T @ (p * 1.01)

    far = 30 * np.linalg.lstsq(X[:3], np.ones(3), rcond=None)[0]
    assert ad.verify(step, far).ok
    assert ad.verify(wrong, far).verdict == "wrong"


def test_weights_that_are_not_finite_are_looked_at_elsewhere():
    report = ad.verify(plain, np.full((3, 2), np.nan))
    assert report.ok
    assert "not finite" in report.notes[0]


@pytest.mark.exhaustive
@pytest.mark.parametrize("case", TIMES, ids=lambda case: case[0])
def test_a_verdict_does_not_take_long(case):
    """On a quiet machine."""
    _, step, weights, verdict, goal = case
    assert milliseconds(step, weights, verdict) <= goal


def test_a_gradient_that_vanishes_is_known_to():
    """A bias before a batch norm: its gradient is 0 but for rounding, by hand and by machine."""

    def step(b, W):
        z = X @ W + b
        mean, inv = z.mean(axis=0), 1 / np.sqrt(z.var(axis=0) + 0.1)
        hat = (z - mean) * inv
        r = hat - Y
        g = r * inv
        dz = g - g.mean(axis=0) - hat * (r * hat).mean(axis=0) * inv
        return np.sum(r**2) / 2, (dz.sum(axis=0), X.T @ dz)

    report = ad.verify(step, rng.normal(size=2), W)
    assert report.verdict == "right", str(report)
    assert "0 but for rounding" in str(report)


def test_parameters_in_a_dict_that_is_an_attribute():
    class Model:
        def __init__(self):
            self.params = {"W": W.copy(), "b": np.zeros(2)}

        def backward(self, scale):
            r = X @ self.params["W"] + self.params["b"] - Y
            loss = np.sum(r**2) / 2
            self.grads = {"W": scale * X.T @ r, "b": r.sum(axis=0)}
            return loss

    names = {"self.params": "self.grads"}
    assert ad.verify(Model().backward, 1.0, loss="loss", gradients=names).verdict == "right"
    report = ad.verify(Model().backward, 3.0, loss="loss", gradients=names)
    assert (report.verdict, report.cause) == ("wrong", "factor-const")
    assert list(report.gradients) == ['self.params["W"]', 'self.params["b"]']


def test_saturated_probabilities_are_no_mistake():
    """log(1 - p) where p is nearly 1 is known to few digits; (p - y) knows better."""

    def step(w):
        p = 1 / (1 + np.exp(-(X @ w)))
        t = np.array([0, 1, 0, 0, 1])
        loss = -np.sum(t * np.log(p) + (1 - t) * np.log(1 - p))
        return loss, X.T @ (p - t)

    for scale in (1, 5, 9):
        assert ad.verify(step, scale * np.array([1.0, -2.0, 1.5])).verdict == "right"


@pytest.mark.parametrize("key", ["{}", "d{}", "self.{}"])
def test_gradients_by_the_names_of_what_an_object_holds(key):
    class Model:
        def __init__(self, scale):
            self.W, self.b, self.scale = W.copy(), np.zeros(2), scale

        def step(self, X, Y):
            r = X @ self.W + self.b - Y
            return np.sum(r**2) / 2, {key.format("W"): self.scale * X.T @ r, key.format("b"): r.sum(axis=0)}

    report = ad.verify(Model(1).step, X, Y)
    assert (report.verdict, list(report.gradients)) == ("right", ["self.W", "self.b"])
    assert ad.verify(Model(3).step, X, Y).verdict == "wrong"


def test_a_saturated_loss_hides_no_cause():
    """Of random points those are looked at where rounding leaves enough digits to tell causes from each other."""

    def step(w, v):
        a = np.maximum(X @ w, 0)
        p = 1 / (1 + np.exp(-(a @ v)))
        t = np.array([0, 1, 0, 0, 1])
        loss = -np.sum(t * np.log(p) + (1 - t) * np.log(1 - p))
        d = p - t
        da = np.outer(d, v) * (a <= 0)
        return loss, (X.T @ da, a.T @ d)

    report = ad.verify(step, 4 * rng.normal(size=(3, 4)), 4 * rng.normal(size=4))
    assert (report.first_wrong, report.cause) == ("da", "relu-mask-inverted")
    assert report.fix == "da = np.outer(d, v) * (a > 0)"


def test_a_parameter_that_is_written_to_under_another_name():
    def bare(V):
        M = V
        M[-1] = 0
        return M

    def step(V):
        penalty = np.sum(bare(V) ** 2) / 2
        r = X @ V - Y
        return np.sum(r**2) / 2 + penalty, X.T @ r + bare(V)

    report = ad.verify(step, W)
    assert (report.verdict, report.cause) == ("wrong", "input-mutated")
    assert report.fix in ("M = V.copy()", "penalty = np.sum(bare(V.copy()) ** 2) / 2")


def test_a_vanishing_gradient_does_not_hide_the_step_that_mends_the_others():
    def step(b, W, c):
        z = X @ W + b
        hat = z - z.mean(axis=0)
        r = hat * c - Y
        d = 3 * r
        dhat = d * c
        dz = dhat - dhat.mean(axis=0)
        return np.sum(r**2) / 2, (dz.sum(axis=0), X.T @ dz, (d * hat).sum(axis=0))

    report = ad.verify(step, rng.normal(size=2), W, rng.normal(size=2))
    assert (report.first_wrong, report.cause, report.fix) == ("d", "factor-const", "d = r")


def test_a_term_of_the_loss_is_to_blame_for_all_that_comes_from_it():
    def step(W, V):
        r = X @ W - Y
        s = X @ V - Y
        penalty = np.sum(W**2) + np.sum(V**2)
        return np.sum(r**2) / 2 + np.sum(s**2) / 2 + penalty, (X.T @ r + W, X.T @ s + V)

    report = ad.verify(step, W, 2 * W)
    assert (report.first_wrong, report.cause) == ("penalty", "regulariser-scale")
    assert report.fix == "penalty = (np.sum(W**2) + np.sum(V**2)) / 2"


def test_a_function_is_to_blame_for_all_that_calls_it():
    def prime(a):
        return a * (2 - a)

    def step(W, V):
        a = 1 / (1 + np.exp(-(X @ W)))
        b = 1 / (1 + np.exp(-(a @ V)))
        db = (b - Y) * prime(b)
        da = (db @ V.T) * prime(a)
        return np.sum((b - Y) ** 2) / 2, (X.T @ da, a.T @ db)

    report = ad.verify(step, rng.normal(size=(3, 4)), rng.normal(size=(4, 2)))
    assert report.verdict == "wrong"
    assert report.fix == "return a * (1 - a)"


def test_where_no_step_explains_it_statements_are_tried_written_otherwise():
    """Each sample's part is right by itself, and written over the last one's."""

    def step(P):
        loss, rows = 0.0, [np.zeros(2) for _ in range(3)]
        for i, j in ((0, 1), (1, 2), (2, 1), (3, 0)):
            r = P[j] - Y[i]
            loss += np.sum(r**2) / 2
            rows[j] = r
        return loss, np.array(rows)

    report = ad.verify(step, W)
    assert (report.first_wrong, report.cause) == ("rows[j]", "overwritten-not-accumulated")
    assert report.fix == "rows[j] += r"


def test_operations_of_several_results():
    """A value used twice, once by what gives a sign and a logarithm."""

    def step(A):
        K = A @ A.T + np.eye(3)
        loss = np.linalg.slogdet(K)[1] + np.sum(K**2)
        G = np.linalg.inv(K) + K
        return loss, 2 * G @ A

    report = ad.verify(step, W)
    assert (report.first_wrong, report.fix) == ("G", "G = np.linalg.inv(K) + 2 * K"), str(report)
