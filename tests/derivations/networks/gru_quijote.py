# gru_quijote.py -- modelo de lenguaje letra a letra con una GRU, entrenado con BPTT truncado.
#
# Todo son funciones sueltas. Los pesos van en una tupla P, siempre en este orden:
#     Wz Uz bz   Wr Ur br   Wn Un bn   V c
# Las letras son enteros: Wz[letra] es lo mismo que (vector one-hot) @ Wz.
# El estado h con que empieza un tramo llega del tramo anterior y se toma como constante (truncado).

import numpy as np


def sigm(a):
    return 1 / (1 + np.exp(-a))


def paso(letra, h_ant, P):
    Wz, Uz, bz, Wr, Ur, br, Wn, Un, bn, V, c = P
    z = sigm(Wz[letra] + h_ant @ Uz + bz)            # puerta de actualización
    r = sigm(Wr[letra] + h_ant @ Ur + br)            # puerta de reinicio
    q = r * h_ant
    n = np.tanh(Wn[letra] + q @ Un + bn)             # candidato
    h = z * h_ant + (1 - z) * n
    y = h @ V + c
    e = np.exp(y - y.max())
    p = e / e.sum()
    return h, p, (h_ant, z, r, q, n, h)


def tramo(P, entrada, objetivo, h0):
    """Pérdida media por letra de un tramo, sus gradientes y el estado final."""
    T = len(entrada)
    h, perdida = h0, 0.0
    memoria, probs = [], []
    for t in range(T):
        h, p, m = paso(entrada[t], h, P)
        memoria.append(m)
        probs.append(p)
        perdida += -np.log(p[objetivo[t]]) / T
    h_final = h

    Wz, Uz, bz, Wr, Ur, br, Wn, Un, bn, V, c = P
    G = tuple(np.zeros_like(w) for w in P)
    dWz, dUz, dbz, dWr, dUr, dbr, dWn, dUn, dbn, dV, dc = G
    dh_sig = np.zeros_like(h0)
    for t in reversed(range(T)):
        h_ant, z, r, q, n, h = memoria[t]
        letra = entrada[t]

        # salida
        dy = probs[t] / T
        dy[objetivo[t]] -= 1 / T
        dV += np.outer(h, dy)
        dc += dy
        dh = V @ dy + dh_sig

        # candidato
        dn = dh * (1 - z)
        an = dn * (1 - n**2)
        dWn[letra] += an
        dUn += np.outer(q, an)
        dbn += an
        dq = Un @ an

        # puertas
        dr = dq * h_ant
        ar = dr * r * (1 - r)
        dWr[letra] += ar
        dUr += np.outer(h_ant, ar)
        dbr += ar
        dz = dh * (h_ant - n)
        az = dz * z * (1 - z)
        dWz[letra] += az
        dUz += np.outer(h_ant, az)
        dbz += az

        # lo que baja al instante anterior
        dh_sig = dh * z + dq * r + Ur @ ar + Uz @ az
    return perdida, G, h_final


def entrenar(P, texto, largo=25, paso_lr=0.05, vueltas=10):
    for _ in range(vueltas):
        h = np.zeros(len(P[2]))
        for i in range(0, len(texto) - largo, largo):
            perdida, G, h = tramo(P, texto[i : i + largo], texto[i + 1 : i + largo + 1], h)
            P = tuple(w - paso_lr * np.clip(g, -5, 5) for w, g in zip(P, G))
    return P


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    A, H, T = 6, 4, 7
    texto = rng.integers(0, A, size=T + 1)
    texto[4], texto[T - 1] = texto[1], texto[2]
    texto[3] = (texto[2] + 1) % A
    texto[0] = (texto[1] + 2) % A
    puerta = lambda: (0.8 * rng.normal(size=(A, H)), 0.7 * rng.normal(size=(H, H)), 0.4 * rng.normal(size=H))
    P = (*puerta(), *puerta(), *puerta(), rng.normal(size=(H, A)), 0.5 * rng.normal(size=A))
    h0 = rng.uniform(-0.9, 0.9, size=H)
    return call(user.tramo, P, texto[:-1], texto[1:], h0, loss="perdida", gradients={"P": "G"})


RIGHT = [
    Right("        dh_sig = dh * z + dq * r + Ur @ ar + Uz @ az\n", "        dh_sig = np.concatenate([ar, az]) @ np.vstack([Ur.T, Uz.T])\n        dh_sig += r * dq\n        dh_sig += z * dh\n"),
    Right("        dy = probs[t] / T\n        dy[objetivo[t]] -= 1 / T\n", "        p = probs[t]\n        dp = np.zeros_like(p)\n        dp[objetivo[t]] = -1 / (T * p[objetivo[t]])\n        dy = p * (dp - dp @ p)\n"),
    Right("        dWz[letra] += az\n        dUz += np.outer(h_ant, az)\n        dbz += az\n", "        uno = np.eye(len(Wz))[letra]\n        dWz += uno[:, None] * az\n        dUz -= h_ant[:, None] * -az\n        dbz += uno.sum() * az\n"),
    Right("        dz = dh * (h_ant - n)\n        az = dz * z * (1 - z)\n", "        az = (z - z * z) * dh * h_ant - dn * n * z\n"),
    Right("        dr = dq * h_ant\n        ar = dr * r * (1 - r)\n", "        ar = dq * q * (1 - r)  # q ya lleva r * h_ant\n"),
]

SIG = "        dh_sig = dh * z + dq * r + Ur @ ar + Uz @ az\n"
AZ = "        az = dz * z * (1 - z)\n"
VUELTA = "    for t in reversed(range(T)):\n"

MISTAKES = [
    Mistake(("missing-branch", "detached-branch"), "dh", "        dh = V @ dy + dh_sig\n", "        dh = V @ dy\n"),
    Mistake(("missing-branch", "detached-branch"), "dh_sig", SIG, "        dh_sig = dq * r + Ur @ ar + Uz @ az\n"),
    Mistake(("missing-branch", "detached-branch"), "dh_sig", SIG, "        dh_sig = dh * z + Ur @ ar + Uz @ az\n"),
    Mistake(("missing-branch", "detached-branch"), "dh_sig", SIG, "        dh_sig = dh * z + dq * r + Uz @ az\n"),
    Mistake(("skipped-layer", "wrong-local-derivative", "missing-weight-factor", "missing-activation-derivative"), "dh_sig", SIG, "        dh_sig = dh * z + dq + Ur @ ar + Uz @ az\n"),
    Mistake(("accumulated-twice", None), "dh_sig", SIG, SIG.replace("dh_sig =", "dh_sig +=")),
    Mistake("sign", "dz", "dz = dh * (h_ant - n)", "dz = dh * (n - h_ant)"),
    Mistake(("wrong-local-derivative", "wrong-tensor-in-delta"), "dn", "dn = dh * (1 - z)", "dn = dh * z"),
    Mistake("wrong-local-derivative", "an", "an = dn * (1 - n**2)", "an = dn * (1 - n)"),
    Mistake(("derivative-of-another-activation", "wrong-local-derivative"), "ar", "ar = dr * r * (1 - r)", "ar = dr * (1 - r**2)"),
    Mistake("missing-activation-derivative", "az", AZ, "        az = dz\n"),
    Mistake(("activation-derivative-at-activation", "wrong-local-derivative"), "az", AZ, "        az = dz * sigm(z) * (1 - sigm(z))\n"),
    Mistake(("activation-derivative-of-wrong-layer", "wrong-tensor-in-delta"), "az", AZ, "        az = dz * r * (1 - r)\n"),
    Mistake("weight-not-transposed", "dq", "dq = Un @ an", "dq = an @ Un"),
    Mistake(("wrong-tensor-in-delta", None), "dq", "dq = Un @ an", "dq = Ur @ an"),
    Mistake("wrong-tensor-in-weight-gradient", "dUn", "np.outer(q, an)", "np.outer(h_ant, an)"),
    Mistake(("off-by-one-time", "wrong-tensor-in-weight-gradient"), "dUz", "np.outer(h_ant, az)", "np.outer(h, az)"),
    Mistake("gradient-transposed", "dUr", "np.outer(h_ant, ar)", "np.outer(ar, h_ant)"),
    Mistake("overwritten-not-accumulated", ("dWr[letra]", "dWr"), "dWr[letra] += ar", "dWr[letra] = ar"),
    Mistake(("off-by-one-time", "off-by-one-index", "wrong-tensor-in-weight-gradient"), ("dWn[objetivo[t]]", "dWn"), "dWn[letra] += an", "dWn[objetivo[t]] += an"),
    Mistake("wrong-tensor-in-weight-gradient", "dbr", "dbr += ar", "dbr += dr"),
    Mistake(("off-by-one-time", "off-by-one-index", "missing-target", "wrong-loss-derivative", None), ("dy[letra]", "dy"), "dy[objetivo[t]] -= 1 / T", "dy[letra] -= 1 / T"),
    Mistake(("factor-const", "factor-N", "wrong-loss-derivative", None), ("dy", "dy[objetivo[t]]"), "        dy = probs[t] / T\n", "        dy = probs[t].copy()\n"),
    Mistake(("off-by-one-time", "off-by-one-index", "missing-branch", None), ("dV", "dh", "dWz", "dc", "dh_sig", "dUn", "dWn", "dbn", "dWn[letra]", "G"), VUELTA, "    for t in range(T - 1, 0, -1):\n"),
    Mistake(("off-by-one-time", "off-by-one-index", "missing-branch", None), ("dh", "dh_sig"), VUELTA, "    for t in range(T):\n"),
    Mistake(("input-mutated", "aliasing", "stale-forward-values"), ("h_ant", "h", "memoria", "paso", "dV", "dz", "dr", "return", "m", "(h, p, m)", "(h_ant, z, r, q, n, h)"), "    h = z * h_ant + (1 - z) * n\n", "    h_ant *= z  # sin copias, que va más rápido\n    h = h_ant + (1 - z) * n\n", fix=False),
    Mistake(("forward-differs", "wrong-local-derivative", None), ("h", "dn", "dz", "paso", "(h, p, m)"), "    h = z * h_ant + (1 - z) * n\n", "    h = (1 - z) * h_ant + z * n\n"),
]
