"""The line that mends a derivation: each kind of edit, proven before it is shown, and written as a person would."""

import ast
import inspect
import textwrap

import numpy as np
import pytest

import autodiff as ad
from autodiff.readers.verifying.edits import candidates
from autodiff.readers.verifying.edits.line import Line, product
from autodiff.readers.verifying.edits.synthesis import synthesized
from autodiff.readers.verifying.scope import Scope

rng = np.random.default_rng(0)
X, Y, W = rng.normal(size=(7, 3)), rng.normal(size=(7, 5)), rng.normal(size=(3, 5))
V, LABELS, STRENGTH = rng.normal(size=(5, 2)), np.array([0, 4, 1, 2, 4, 3, 0]), 0.3


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def sigmoid_prime(z):
    return sigmoid(z) * (1 + sigmoid(z))


def summed_with_equals(W):
    dW = np.zeros_like(W)
    loss = 0.0
    for x, y in zip(X, Y, strict=True):
        r = x @ W - y
        loss += 0.5 * np.sum(r**2)
        dW = np.outer(x, r)
    return loss, dW


def another_index(W):
    n = len(X)
    dW = np.zeros_like(W)
    loss = 0.0
    for i in range(n):
        scores = X[i] @ W
        loss += np.log(np.sum(np.exp(scores))) - scores[LABELS[i]]
        p = np.exp(scores) / np.sum(np.exp(scores))
        p[LABELS[i - 1]] -= 1
        dW += np.outer(X[i], p)
    return loss, dW


def sign_of_one_column(W):
    dW = np.zeros_like(W)
    loss = 0.0
    for i in range(len(X)):
        scores = X[i] @ W
        for j in range(5):
            margin = scores[j] - scores[LABELS[i]] + 1
            if j != LABELS[i] and margin > 0:
                loss += margin
                dW[:, j] += X[i]
                dW[:, LABELS[i]] += X[i]
    return loss / len(X), dW / len(X)


def a_loop_that_ends_early(W):
    dW = np.zeros_like(W)
    loss = 0.0
    for i in range(len(X)):
        loss += 0.5 * np.sum((X[i] @ W - Y[i]) ** 2)
    for i in range(len(X) - 1):
        dW += np.outer(X[i], X[i] @ W - Y[i])
    return loss, dW


def added_twice(W):
    r = X @ W - Y
    dW = np.zeros_like(W)
    dW += X.T @ r
    dW += X.T @ r
    return 0.5 * np.sum(r**2), dW


def a_line_is_missing(W):
    r = X @ W - Y
    dW = np.zeros_like(W)
    for i in range(len(X)):
        dW += np.outer(X[i], r[i])
    return 0.5 * np.sum(r**2) / len(X), dW


def penalty_is_missing(W):
    r = X @ W - Y
    dW = X.T @ r
    return 0.5 * np.sum(r**2) + 0.5 * STRENGTH * np.sum(W**2), dW


def in_a_function(W, V):
    z = X @ W
    a = sigmoid(z)
    s = a @ V
    out = sigmoid(s)
    ds = out * sigmoid_prime(s)
    dV = a.T @ ds
    dz = ds @ V.T * sigmoid_prime(z)
    return 0.5 * np.sum(out**2), (X.T @ dz, dV)


def what_is_missing_is_made(W):
    z = X @ W
    centred = z - z.mean(axis=0)
    dcentred = centred**3
    dz = dcentred
    return 0.25 * np.sum(centred**4), X.T @ dz


def a_factor_upstream(W, V):
    z = X @ W
    a = np.tanh(z)
    slope = 1 - a
    da = a @ V @ V.T
    dz = da * slope
    dV = a.T @ (a @ V)
    return 0.5 * np.sum((a @ V) ** 2), (X.T @ dz, dV)


FIXES = [
    (summed_with_equals, "dW += np.outer(x, r)"),
    (another_index, "p[LABELS[i]] -= 1"),
    (sign_of_one_column, "dW[:, LABELS[i]] -= X[i]"),
    (a_loop_that_ends_early, "for i in range(len(X)):"),
    (added_twice, None),
    (a_line_is_missing, None),
    (penalty_is_missing, "dW = X.T @ r + STRENGTH * W"),
    (in_a_function, "return sigmoid(z) * (1 - sigmoid(z))"),
    (what_is_missing_is_made, None),
    (a_factor_upstream, None),
]


@pytest.mark.parametrize(("step", "fix"), FIXES, ids=lambda value: getattr(value, "__name__", ""))
def test_a_line_mends_it(step, fix):
    report = ad.verify(step, *(W, V)[: len(inspect.signature(step).parameters)])
    assert report.verdict == "wrong"
    assert report.fix is not None
    if fix is not None:
        assert ast.dump(ast.parse(_alone(report.fix))) == ast.dump(ast.parse(_alone(fix)))


def _alone(line):
    return f"{line} pass" if line.endswith(":") else line


@pytest.mark.parametrize("text", ["a * (b + c)", "-a @ b", "f(a, b)[0]", "np.where(a > 0, b, 0)", "가중치.T @ 델타"])
def test_every_part_of_a_line_is_found_in_it(text):
    line = Line(text)
    for node in line.nodes:
        assert ast.dump(ast.parse(line.of(node), mode="eval").body) == ast.dump(node)
        assert line.replaced(node, line.of(node)).replace("(", "").replace(")", "") == text.replace("(", "").replace(
            ")", ""
        )


def test_brackets_stand_where_they_have_to():
    line = Line("a * b")
    left, right = line.tree.left, line.tree.right
    assert line.replaced(left, "c + d") == "(c + d) * b"
    assert line.replaced(right, "c[0]") == "a * c[0]"
    assert Line("f(a)").replaced(Line("f(a)").tree.args[0], "a + b") == "f(a + b)"
    assert product("a @ b") == "(a @ b)"
    assert product("a * b") == "a * b"


def test_no_edit_is_the_line_itself_or_comes_twice():
    scope = Scope({"np": np, "a": np.ones((2, 3)), "b": np.ones((2, 3)), "n": 2, "eps": 1e-5})
    found = [candidate.text for candidate in candidates("a * b / n", scope, True)]
    assert len(found) == len(set(found))
    assert "a * b / n" not in found
    assert "a * b" in found


@pytest.mark.parametrize(
    "made", ["np.sum(a * b, axis=0)", "np.dot(a.T, b)", "a - np.sum(a, axis=0) / n", "2 * a * b", "np.outer(c, d)"]
)
def test_an_expression_is_made_of_its_value(made):
    values = {"np": np, "a": X, "b": np.cos(X), "c": X[0], "d": Y[0], "n": 7}
    target = eval(made, values)
    found = [text for text, _ in synthesized(target, "a", Scope(values), float("inf"))]
    assert found
    for text in found:
        np.testing.assert_allclose(eval(text, values), target, rtol=1e-6)


def test_a_fix_is_right_wherever_it_is_put_in():
    """What is shown is a whole line: in the place of the one that it mends, the report is right."""
    report = ad.verify(penalty_is_missing, W)
    source = textwrap.dedent(inspect.getsource(penalty_is_missing))
    assert "dW = X.T @ r\n" in source
    assert report.fix.startswith("dW = X.T @ r")
