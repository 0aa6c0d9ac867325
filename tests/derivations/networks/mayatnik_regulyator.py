# Лабораторная работа № 4. Маятник с приводом, регулятор - маленькая сеть u = v * tanh(W x + c).
# Градиент функционала J по параметрам регулятора и объекта методом сопряжённых переменных,
# дискретный вариант (сначала дискретизация, потом сопряжённая система).
import numpy as np

G = 9.81
DT = 0.08
Q = np.array([2.0, 0.3])  # штраф за отклонение угла и скорости
QK = 5.0  # терминальный штраф
R = 0.4  # штраф за управление
LAM = 0.05  # регуляризация W


def regulyator(x, W, c, v):
    h = np.tanh(W @ x + c)
    return v @ h, h


def pravaya_chast(x, u, tren, dlina):
    """x = (угол, угловая скорость)"""
    return np.array([x[1], -G / dlina * np.sin(x[0]) - tren * x[1] + u])


def yakobian(x, tren, dlina):
    """df/dx"""
    A = np.array([[0.0, 1.0], [-G / dlina * np.cos(x[0]), -tren]])
    return A


def progon(x0, T, W, c, v, tren, dlina):
    """Метод Эйлера, T шагов."""
    X = np.zeros((T + 1, 2))
    U = np.zeros(T)
    H = np.zeros((T, len(c)))
    X[0] = x0
    for t in range(T):
        U[t], H[t] = regulyator(X[t], W, c, v)
        X[t + 1] = X[t] + DT * pravaya_chast(X[t], U[t], tren, dlina)
    return X, U, H


def funktsional(X, U, W, tsel):
    tekuschiy = 0.5 * DT * np.sum(Q * (X[:-1] - tsel) ** 2)
    upravlenie = 0.5 * DT * R * np.sum(U**2)
    konechnyy = 0.5 * QK * np.sum((X[-1] - tsel) ** 2)
    return tekuschiy + upravlenie + konechnyy + 0.5 * LAM * np.sum(W**2)


def gradient(x0, tsel, T, W, c, v, tren, dlina):
    X, U, H = progon(x0, T, W, c, v, tren, dlina)
    J = funktsional(X, U, W, tsel)

    dW = LAM * W
    dc = np.zeros_like(c)
    dv = np.zeros_like(v)
    dtren = 0.0
    ddlina = 0.0

    psi = QK * (X[T] - tsel)  # условие трансверсальности
    for t in reversed(range(T)):
        # параметры объекта
        dtren -= DT * psi[1] * X[t, 1]
        ddlina += DT * psi[1] * G / dlina**2 * np.sin(X[t, 0])
        # регулятор
        du = DT * psi[1] + DT * R * U[t]
        dv += du * H[t]
        dz = du * v * (1 - H[t] ** 2)
        dW += np.outer(dz, X[t])
        dc += dz
        # сопряжённая система: назад на один шаг
        A = yakobian(X[t], tren, dlina)
        psi = psi + DT * (A.T @ psi) + W.T @ dz + DT * Q * (X[t] - tsel)
    return J, (psi, dW, dc, dv, dtren, ddlina)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    n = 5
    x0, tsel = rng.normal(size=2), np.array([0.4, 0.1])
    W, c, v = 0.6 * rng.normal(size=(n, 2)), 0.3 * rng.normal(size=n), rng.normal(size=n)
    tren, dlina = rng.uniform(0.2, 0.6), rng.uniform(0.8, 1.5)
    return call(user.gradient, x0, tsel, 7, W, c, v, tren, dlina, wrt=("x0", "W", "c", "v", "tren", "dlina"))


RIGHT = [
    Right(
        "        A = yakobian(X[t], tren, dlina)\n        psi = psi + DT * (A.T @ psi) + W.T @ dz + DT * Q * (X[t] - tsel)\n",
        "        F = np.eye(2) + DT * yakobian(X[t], tren, dlina)\n        psi = psi @ F + dz @ W\n        psi += DT * Q * (X[t] - tsel)\n",
    ),
    Right(
        "        A = yakobian(X[t], tren, dlina)\n        psi = psi + DT * (A.T @ psi) + W.T @ dz + DT * Q * (X[t] - tsel)\n",
        "        p_ugol = psi[0] - DT * G / dlina * np.cos(X[t, 0]) * psi[1]\n        p_skor = psi[1] + DT * (psi[0] - tren * psi[1])\n        psi = np.array([p_ugol, p_skor]) + W.T @ dz + DT * Q * (X[t] - tsel)\n",
    ),
    Right(  # по Понтрягину: psi = -dJ/dx
        """    psi = QK * (X[T] - tsel)  # условие трансверсальности
    for t in reversed(range(T)):
        # параметры объекта
        dtren -= DT * psi[1] * X[t, 1]
        ddlina += DT * psi[1] * G / dlina**2 * np.sin(X[t, 0])
        # регулятор
        du = DT * psi[1] + DT * R * U[t]
        dv += du * H[t]
        dz = du * v * (1 - H[t] ** 2)
        dW += np.outer(dz, X[t])
        dc += dz
        # сопряжённая система: назад на один шаг
        A = yakobian(X[t], tren, dlina)
        psi = psi + DT * (A.T @ psi) + W.T @ dz + DT * Q * (X[t] - tsel)
    return J, (psi, dW, dc, dv, dtren, ddlina)
""",
        """    psi = -QK * (X[T] - tsel)  # условие трансверсальности
    for t in reversed(range(T)):
        # параметры объекта
        dtren += DT * psi[1] * X[t, 1]
        ddlina -= DT * psi[1] * G / dlina**2 * np.sin(X[t, 0])
        # производная гамильтониана по управлению
        Hu = DT * psi[1] - DT * R * U[t]
        dv -= Hu * H[t]
        dz = Hu * v * (1 - H[t] ** 2)
        dW -= np.outer(dz, X[t])
        dc -= dz
        # сопряжённая система: назад на один шаг
        A = yakobian(X[t], tren, dlina)
        psi = psi + DT * (A.T @ psi) + W.T @ dz - DT * Q * (X[t] - tsel)
    return J, (-psi, dW, dc, dv, dtren, ddlina)
""",
    ),
    Right("    for t in reversed(range(T)):\n        # параметры объекта\n", "    t = T\n    while t > 0:\n        t -= 1\n        # параметры объекта\n"),
    Right("        du = DT * psi[1] + DT * R * U[t]\n        dv += du * H[t]\n", "        B = np.array([0.0, 1.0])\n        du = DT * (B @ psi + R * U[t])\n        dv = dv + H[t] * du\n"),
]

PSI = "psi = psi + DT * (A.T @ psi) + W.T @ dz + DT * Q * (X[t] - tsel)"
DU = "du = DT * psi[1] + DT * R * U[t]"
DZ = "dz = du * v * (1 - H[t] ** 2)"
JAC = "A = np.array([[0.0, 1.0], [-G / dlina * np.cos(x[0]), -tren]])"

MISTAKES = [
    Mistake(("weight-not-transposed", "gradient-transposed"), "psi", PSI, "psi = psi + DT * (A @ psi) + W.T @ dz + DT * Q * (X[t] - tsel)"),
    Mistake(("missing-branch", "detached-branch"), "psi", PSI, "psi = psi + DT * (A.T @ psi) + DT * Q * (X[t] - tsel)"),
    Mistake(("missing-branch", "detached-branch"), "psi", PSI, "psi = psi + DT * (A.T @ psi) + W.T @ dz"),
    Mistake(("missing-branch", "detached-branch"), "psi", PSI, "psi = DT * (A.T @ psi) + W.T @ dz + DT * Q * (X[t] - tsel)"),
    Mistake(("factor-const", "wrong-local-derivative", None), "psi", PSI, "psi = psi + DT * (A.T @ psi) + W.T @ dz + Q * (X[t] - tsel)"),
    Mistake(("off-by-one-time", "off-by-one-index"), "psi", PSI, "psi = psi + DT * (A.T @ psi) + W.T @ dz + DT * Q * (X[t + 1] - tsel)"),
    Mistake(("factor-const", "wrong-loss-derivative"), "psi", "psi = QK * (X[T] - tsel)", "psi = X[T] - tsel"),
    Mistake(("factor-2", "wrong-loss-derivative"), "psi", "psi = QK * (X[T] - tsel)", "psi = 2 * QK * (X[T] - tsel)"),
    Mistake(("off-by-one-time", "off-by-one-index"), "psi", "psi = QK * (X[T] - tsel)", "psi = QK * (X[T - 1] - tsel)"),
    Mistake(("off-by-one-time", "off-by-one-index", "missing-branch", None), ("psi", "dW", "dc", "dv", "dtren", "ddlina", "t"), "for t in reversed(range(T)):", "for t in range(T - 1, 0, -1):"),
    Mistake(("missing-branch", "detached-branch", "regulariser-forgotten"), "du", DU, "du = DT * psi[1]"),
    Mistake(("factor-const", "wrong-local-derivative", None), "du", DU, "du = psi[1] + DT * R * U[t]"),
    Mistake(("off-by-one-index", "wrong-tensor-in-delta"), "du", DU, "du = DT * psi[0] + DT * R * U[t]"),
    Mistake("missing-activation-derivative", "dz", DZ, "dz = du * v"),
    Mistake(("output-form-on-preactivation", "activation-derivative-of-wrong-layer", "wrong-tensor-in-delta", "wrong-local-derivative"), "dz", DZ, "dz = du * v * (1 - U[t] ** 2)"),
    Mistake(("off-by-one-time", "off-by-one-index", "wrong-tensor-in-weight-gradient"), "dW", "dW += np.outer(dz, X[t])", "dW += np.outer(dz, X[t + 1])"),
    Mistake("overwritten-not-accumulated", "dc", "dc += dz", "dc = dz"),
    Mistake("sign", "dtren", "dtren -= DT * psi[1] * X[t, 1]", "dtren += DT * psi[1] * X[t, 1]"),
    Mistake(("wrong-local-derivative", "factor-const", None), "ddlina", "G / dlina**2 * np.sin(X[t, 0])", "G / dlina * np.sin(X[t, 0])"),
    Mistake(("wrong-local-derivative", "derivative-of-another-activation"), "A", JAC, "A = np.array([[0.0, 1.0], [-G / dlina * np.sin(x[0]), -tren]])"),
    Mistake(("wrong-local-derivative", "wrong-tensor-in-delta", None), "A", "A = yakobian(X[t], tren, dlina)", "A = yakobian(X[t], dlina, tren)"),
    Mistake("aliasing", ("dc", "dv"), "    dc = np.zeros_like(c)\n    dv = np.zeros_like(v)\n", "    dc = dv = np.zeros_like(c)\n"),
    Mistake("regulariser-forgotten", "dW", "dW = LAM * W", "dW = np.zeros_like(W)"),
    Mistake(("factor-half", "factor-const", "wrong-loss-derivative", "regulariser-scale", None), ("du", "upravlenie", "J"), "upravlenie = 0.5 * DT * R * np.sum(U**2)", "upravlenie = DT * R * np.sum(U**2)"),
]
