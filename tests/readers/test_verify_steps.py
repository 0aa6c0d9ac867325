"""What counts as a step of a derivation, in which order steps are blamed, and what a machine would write instead."""

import itertools

import numpy as np
import pytest

import autodiff as ad
from autodiff.readers.verifying import locate
from autodiff.readers.verifying.diagnose import Doctor
from autodiff.readers.verifying.edits.derived import written
from autodiff.readers.verifying.problem import Problem
from autodiff.readers.verifying.response import Response
from autodiff.readers.verifying.scope import Scope
from autodiff.readers.verifying.truth import looked, start

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
W1, W2 = rng.normal(size=(3, 4)), rng.normal(size=(4, 2))
LABELS = np.array([0, 1, 1, 0, 1])
SEQUENCE = rng.normal(size=(4, 5, 3))


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


# Steps


def backward(a1, W1, W2, delta):
    d1 = (delta @ W2.T) * a1 * (1 - a1)
    return X.T @ d1, a1.T @ delta


def passed_on(W1, W2):
    a1 = sigmoid(X @ W1)
    out = a1 @ W2
    return np.sum((out - Y) ** 2) / 2, backward(a1, W1, W2, 2 * (out - Y))


def exchanged(W1, V1):
    a = sigmoid(X @ W1)
    r = a * (X @ V1) - 1
    dW, dV = X.T @ (r * (X @ V1) * a * (1 - a)), X.T @ (r * a)
    return np.sum(r**2) / 2, (dV, dW)


def numbers(w, v):
    x, t = 0.7, 0.3
    z = w * x
    h = 1 / (1 + np.exp(-z))
    p = v * h
    loss = (p - t) ** 2 / 2
    d_p = p - t
    p_h = v
    h_w = x * h
    return loss, (d_p * p_h * h_w, d_p * h)


class Affine:
    def __init__(self, W):
        self.W = W

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, grad):
        self.dW = self.x.T @ grad
        return grad @ self.W.T


class Tanh:
    def forward(self, x):
        self.out = np.tanh(x)
        return self.out

    def backward(self, grad):
        return grad * (1 - self.out)


class Cube:
    def forward(self, x):
        self.x = x
        return x + x**3

    def backward(self, grad):
        return grad


def layers(W1, W2, kind):
    net = [Affine(W1), kind(), Affine(W2)]
    out = X
    for layer in net:
        out = layer.forward(out)
    grad = out - Y
    for layer in reversed(net):
        grad = layer.backward(grad)
    return np.sum((out - Y) ** 2) / 2, (net[0].dW, net[2].dW)


def with_tanh(W1, W2):
    return layers(W1, W2, Tanh)


def with_cube(W1, W2):
    return layers(W1, W2, Cube)


def through_time(Wx, Wh):
    hs = [np.zeros((5, 4))]
    for x in SEQUENCE:
        hs.append(np.tanh(x @ Wx + hs[-1] @ Wh))
    loss = np.sum(hs[-1] ** 2) / 2
    dWx, dWh, dh = np.zeros_like(Wx), np.zeros_like(Wh), hs[-1]
    for t in range(3, -1, -1):
        dz = dh * (1 - hs[t + 1])
        dWx += SEQUENCE[t].T @ dz
        dWh += hs[t].T @ dz
        dh = dz @ Wh.T
    return loss, (dWx, dWh)


WEIGHTS = (rng.normal(size=(3, 4)), rng.normal(size=(4, 4)) / 2)


def one_by_one(V):
    loss, dV = 0.0, np.zeros_like(V)
    for x, label in zip(X, LABELS, strict=True):
        scores = [x @ V[:, k] for k in range(2)]
        e = [np.exp(score) for score in scores]
        p = [value / sum(e) for value in e]
        loss -= np.log(p[label]) / 5
        for k in range(2):
            error = (k == label) - p[k]
            dV[:, k] += error * x / 5
    return loss, dV


def looked_up(E):
    left, right = np.array([0, 2, 1, 0]), np.array([1, 1, 2, 2])
    a, b = E[left], E[right]
    loss = np.sum(np.tanh(a - b) ** 2)
    d = 2 * np.tanh(a - b) * (1 - np.tanh(a - b) ** 2)
    dE = np.zeros_like(E)
    np.add.at(dE, left, d)
    np.add.at(dE, left, -d)
    return loss, dE


def read_out(Wh, v):
    hs = [np.ones(4)]
    for _ in range(3):
        hs.append(0.4 * hs[-1] + np.tanh(Wh @ hs[-1]))
    loss = sum((v @ h - 1) ** 2 for h in hs[1:]) / 2
    d_out = [(v @ h - 1) * v * 2 for h in hs[1:]]
    dv = sum((v @ h - 1) * h for h in hs[1:])
    dWh, carried = np.zeros_like(Wh), np.zeros(4)
    for t in range(2, -1, -1):
        dh = d_out[t] + carried
        dz = dh * (1 - np.tanh(Wh @ hs[t]) ** 2)
        dWh += np.outer(dz, hs[t])
        carried = 0.4 * dh + Wh.T @ dz
    return loss, (dWh, dv)


def in_order(cuts, w):
    ends = np.concatenate([[-np.inf], cuts, [np.inf]])
    eta = X @ w
    upper, lower = sigmoid(ends[LABELS + 1] - eta), sigmoid(ends[LABELS] - eta)
    p = upper - lower
    loss = -np.sum(np.log(p))
    d_upper, d_lower = -upper * (1 - upper) / p, lower * (1 - lower) / p
    d_eta = d_upper + d_lower
    d_cuts = d_upper[LABELS == 0].sum() + d_lower[LABELS == 1].sum()
    return loss, (np.array([d_cuts]), X.T @ d_eta)


def at_once(w):
    z = [x @ w for x in X]
    p = [sigmoid(value) for value in z]
    loss = -sum(label * np.log(q) + (1 - label) * np.log(1 - q) for q, label in zip(p, LABELS, strict=True))
    d = np.array(p) + LABELS
    return loss, X.T @ d


def spread_out(W, b):
    a = [np.tanh(W @ x + b) for x in X]
    loss = sum(np.sum((value - 1) ** 2) for value in a)
    dW, db = np.zeros_like(W), np.zeros_like(b)
    for x, value in zip(X, a, strict=True):
        d = 2 * (value - 1) @ (1 - value**2)
        dW += np.outer(d, x)
        db += d
    return loss, (dW, db)


@pytest.mark.parametrize(
    ("step", "arguments", "first", "cause", "fix"),
    [
        (passed_on, (W1, W2), "delta", "factor-2", "return np.sum((out - Y) ** 2) / 2, backward(a1, W1, W2, out - Y)"),
        (exchanged, (rng.normal(size=(3, 2)), rng.normal(size=(3, 2))), "return", None,
         "return np.sum(r**2) / 2, (dW, dV)"),
        (numbers, (0.4, -1.3), "h_w", "wrong-local-derivative", "h_w = x * (h * (1 - h))"),
        (with_tanh, (W1, W2), "grad", "wrong-local-derivative", "return grad * (1 - self.out**2)"),
        (with_cube, (W1, W2), "grad", "missing-activation-derivative", None),
        (through_time, WEIGHTS, "dz", "wrong-local-derivative", "dz = dh * (1 - hs[t + 1]**2)"),
        (one_by_one, (rng.normal(size=(3, 2)),), "error", "sign", None),
        (looked_up, (rng.normal(size=(3, 2)),), "dE", "off-by-one-index", "np.add.at(dE, right, -d)"),
        (read_out, (rng.normal(size=(4, 4)), rng.normal(size=4)), "d_out", "factor-2", None),
        (in_order, (np.array([0.2]), rng.normal(size=3)), "d_eta", "sign", None),
        (at_once, (rng.normal(size=3),), "d", "sign", "d = np.array(p) - LABELS"),
        (spread_out, (rng.normal(size=(4, 3)), rng.normal(size=4)), "d", "matmul-for-elementwise", None),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)  # fmt: skip
def test_a_step_is_found_wherever_it_is_written(step, arguments, first, cause, fix):
    report = ad.verify(step, *arguments)
    assert report.verdict == "wrong"
    assert report.first_wrong == first, str(report)
    assert report.cause == cause, str(report)
    assert fix is None or report.fix == fix


def test_the_loop_of_a_caller_is_mended():
    def back(dh, h, before, total, Wh):
        dz = dh * (1 - h**2)
        total += before.T @ dz
        return dz @ Wh.T

    def step(Wh):
        hs = [np.ones((2, 3))]
        for _ in range(3):
            hs.append(np.tanh(hs[-1] @ Wh))
        total, dh, tape = np.zeros_like(Wh), hs[-1], list(itertools.pairwise(hs))
        for before, h in tape:
            dh = back(dh, h, before, total, Wh)
        return np.sum(hs[-1] ** 2) / 2, total

    report = ad.verify(step, rng.normal(size=(3, 3)))
    assert report.verdict == "wrong"
    assert report.cause == "off-by-one-time", str(report)
    assert report.fix == "for before, h in tape[::-1]:"


def test_what_float32_hides_is_asked_in_float64():
    mask = np.float32(-1e9) * np.triu(np.ones((4, 4), np.float32), 1)
    A = rng.normal(size=(4, 3)).astype(np.float32)

    def derivation(scale):
        def step(w):
            s = (A * w) @ A.T + mask
            e = np.exp(s - s.max(axis=1, keepdims=True))
            p = e / e.sum(axis=1, keepdims=True)
            loss = np.sum(p**2)
            dp = 2 * p
            ds = p * (dp - (dp * p).sum(axis=1, keepdims=True))
            return loss, scale * np.einsum("ij,ik,jk->k", ds, A, A)

        return step

    w = rng.normal(size=3).astype(np.float32)
    assert ad.verify(derivation(np.float32(1)), w).verdict == "right"
    assert ad.verify(derivation(np.float32(1.5)), w).verdict == "wrong"


# How gradients answer to a step


def test_what_a_response_foretells_is_what_a_run_gives():
    """A true derivative in the place of any step: whether that mends is known without running the program."""
    problem = Problem(through_time, WEIGHTS)
    look = looked(problem, start(problem))
    trail = locate.Trail(problem, look, deadline=float("inf"))
    response = Response(problem, look, {}, [[name] for name in look.true])
    seen = set()
    for statement in trail.relevant(look.wrong):
        for records, target in trail.targets.derivatives(statement):
            values = {r.place: v for r, v in zip(records, target.values, strict=True)}
            answer = response.of(tuple(values))
            assert answer is not None
            gradients = problem.run(look.point, heal=values, record=False).gradients
            mends = any(trail.agrees(name, gradients[name]) for name in look.true)
            foretold = answer.may_mend(np.concatenate([np.ravel(v) for v in values.values()]), scaled=False)
            assert foretold == mends
            seen.add(mends)
    assert seen == {False, True}


def test_few_runs_find_a_step_in_a_loop(monkeypatch):
    runs = []
    run = Problem.run
    monkeypatch.setattr(Problem, "run", lambda self, *args, **options: runs.append(1) or run(self, *args, **options))
    monkeypatch.setattr(Doctor, "diagnose", lambda self, *args: pytest.skip("located") if len(runs) < 120 else None)
    with pytest.raises(pytest.skip.Exception, match="located"):
        ad.verify(through_time, *WEIGHTS)


# The line that a machine would derive


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return {"p": p}, np.sum((p - Y) ** 2)


def huber(z):
    return {}, np.mean(np.where(np.abs(z) <= 0.5, z**2 / 2, 0.5 * (np.abs(z) - 0.25)))


def normed(z):
    mean, var = z.mean(axis=1, keepdims=True), z.var(axis=1, keepdims=True)
    inv = 1 / np.sqrt(var + 0.1)
    hat = (z - mean) * inv
    return {"mean": mean, "var": var, "inv": inv, "hat": hat}, np.sum(hat**3)


def swish(z):
    return {}, np.sum(z / (1 + np.exp(-z)))


def clipped(z):
    return {}, np.sum(np.maximum(z, 0.2) ** 2)


@pytest.mark.parametrize("function", [softmax, huber, normed, swish, clipped], ids=lambda f: f.__name__)
def test_a_derived_line_is_the_derivative_at_other_values_too(function):
    def gradient_node(z):
        t = ad.Tensor(z, name="z")
        named, loss = function(t)
        (found,) = ad.gradients(loss, [t], record=True)
        return found._current()[1], {"z": z, "Y": Y, **{name: value.numpy() for name, value in named.items()}}

    z, other = rng.normal(size=(5, 2)), rng.normal(size=(5, 2))
    node, variables = gradient_node(z)
    text = written(node, "z", Scope({**variables, "np": np}))
    assert text is not None
    _, elsewhere = gradient_node(other)
    expected = ad.grad(lambda z: function(z)[1])(other)
    np.testing.assert_allclose(eval(text, {"np": np, **elsewhere}) + 0 * other, expected, rtol=1e-9, atol=1e-12)


def test_a_derived_line_speaks_of_what_is_there():
    z, d = ad.Tensor(rng.normal(size=(5, 2))), rng.normal(size=(5, 2))
    p = np.exp(z) / np.sum(np.exp(z), axis=1, keepdims=True)
    (found,) = ad.gradients(np.sum(p * d), [z], record=True)
    scope = Scope({"z": z.numpy(), "p": p.numpy(), "dp": d, "np": np})
    assert written(found._current()[1], "", scope) == "dp * p - p * np.sum(dp * p, axis=1, keepdims=True)"
