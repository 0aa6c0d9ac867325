"""Fitting a line and a parabola with Python floats, point by point: no arrays of weights at all."""

points = [(0.5, 1.2), (1.0, 1.9), (1.7, 2.2), (2.4, 3.9), (3.1, 4.1)]


def predict(m, b, q, x):
    return m * x + b + q * x ** 2


def step_gradient(b_current, m_current, q_current):
    b_gradient = 0
    m_gradient = 0
    q_gradient = 0
    totalError = 0
    N = float(len(points))
    for i in range(0, len(points)):
        x, y = points[i]
        residual = y - predict(m_current, b_current, q_current, x)
        totalError += residual ** 2
        b_gradient += -(2/N) * residual
        m_gradient += -(2/N) * x * residual
        q_gradient += -(2/N) * x ** 2 * residual
    return totalError / N, [b_gradient, m_gradient, q_gradient]


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    user.points[:] = [(float(x), float(y)) for x, y in rng.normal(1, 1, size=(7, 2))]
    return call(user.step_gradient, *map(float, rng.normal(size=3)))


RIGHT = [
    Right("b_gradient += -(2/N) * residual", "b_gradient = b_gradient - 2 * residual / N"),
    Right("m_gradient += -(2/N) * x * residual", "m_gradient += (2/N) * x * (predict(m_current, b_current, q_current, x) - y)"),
    Right("    for i in range(0, len(points)):\n        x, y = points[i]\n", "    for x, y in points:\n"),
]

MISTAKES = [
    Mistake("sign", "m_gradient", "m_gradient += -(2/N) * x * residual", "m_gradient += (2/N) * x * residual"),
    Mistake("sign", "residual", "residual = y - predict(m_current, b_current, q_current, x)", "residual = predict(m_current, b_current, q_current, x) - y"),
    Mistake("factor-half", "b_gradient", "b_gradient += -(2/N) * residual", "b_gradient += -(1/N) * residual"),
    Mistake("factor-N", "m_gradient", "m_gradient += -(2/N) * x", "m_gradient += -2 * x"),
    Mistake("factor-2", ("totalError", "return", "b_gradient"), "return totalError / N", "return totalError / (2 * N)"),
    Mistake("factor-1/N", ("totalError", "return", "b_gradient"), "return totalError / N", "return totalError"),
    Mistake(("missing-weight-factor", "wrong-tensor-in-weight-gradient", "wrong-local-derivative"), "m_gradient", "m_gradient += -(2/N) * x * residual", "m_gradient += -(2/N) * residual"),
    Mistake(("wrong-local-derivative", "wrong-tensor-in-weight-gradient", None), "q_gradient", "q_gradient += -(2/N) * x ** 2 * residual", "q_gradient += -(2/N) * x * residual"),
    Mistake(("wrong-local-derivative", "wrong-tensor-in-weight-gradient", None), "q_gradient", "q_gradient += -(2/N) * x ** 2 * residual", "q_gradient += -(2/N) * 2 * x * residual"),
    Mistake("overwritten-not-accumulated", "b_gradient", "b_gradient += -(2/N)", "b_gradient = -(2/N)"),
    Mistake("overwritten-not-accumulated", "q_gradient", "q_gradient += -(2/N)", "q_gradient = -(2/N)"),
    Mistake(("off-by-one-index", "missing-branch", "off-by-one-time"), ("b_gradient", "m_gradient", "totalError"), "        b_gradient += -(2/N) * residual\n        m_gradient", "        b_gradient += -(2/N) * residual if i > 0 else 0\n        m_gradient"),
    Mistake("wrong-loss-derivative", "m_gradient", "m_gradient += -(2/N) * x * residual", "m_gradient += -(2/N) * x * residual ** 2"),
    Mistake(("missing-target", None), "b_gradient", "b_gradient += -(2/N) * residual", "b_gradient += (2/N) * (y - residual)"),
    Mistake("updated-weights", ("m_gradient", "b_current", "residual"), "        b_gradient += -(2/N) * residual\n", "        b_gradient += -(2/N) * residual\n        b_current = b_current + 0.01 * (2/N) * residual\n", fix=True),
    Mistake("accumulated-twice", "m_gradient", "m_gradient += -(2/N)", "m_gradient += m_gradient - (2/N)"),
]
