"""
Tugas Besar Pengenalan Pola: CNN dari nol untuk klasifikasi jenis daun (gambar kecil, skala abu-abu)
konvolusi - relu - konvolusi - pooling rata-rata - tanh - ratakan - dense - softmax
NIM 13519xxx. Tidak boleh pakai library selain numpy, jadi semuanya pakai for :(
"""
import numpy as np


def konvolusi(x, kernel, bias):
    n, _, tinggi, lebar = x.shape
    f, _, kt, kl = kernel.shape
    hasil = np.zeros((n, f, tinggi - kt + 1, lebar - kl + 1))
    for s in range(n):
        for k in range(f):
            for i in range(hasil.shape[2]):
                for j in range(hasil.shape[3]):
                    jendela = x[s, :, i:i+kt, j:j+kl]
                    hasil[s, k, i, j] = np.sum(jendela * kernel[k]) + bias[k]
    return hasil


def konvolusi_mundur(dhasil, x, kernel):
    n, f, to, lo = dhasil.shape
    _, _, kt, kl = kernel.shape
    dx = np.zeros(x.shape)
    dkernel = np.zeros(kernel.shape)
    dbias = np.zeros(f)
    for s in range(n):
        for k in range(f):
            for i in range(to):
                for j in range(lo):
                    g = dhasil[s, k, i, j]
                    dkernel[k] += g * x[s, :, i:i+kt, j:j+kl]
                    dx[s, :, i:i+kt, j:j+kl] += g * kernel[k]
                    dbias[k] += g
    return dx, dkernel, dbias


def pool_rata(x, p):
    n, c, tinggi, lebar = x.shape
    hasil = np.zeros((n, c, tinggi // p, lebar // p))
    for i in range(tinggi // p):
        for j in range(lebar // p):
            hasil[:, :, i, j] = x[:, :, i*p:(i+1)*p, j*p:(j+1)*p].mean(axis=(2, 3))
    return hasil


def pool_rata_mundur(dhasil, bentuk, p):
    dx = np.zeros(bentuk)
    for i in range(dhasil.shape[2]):
        for j in range(dhasil.shape[3]):
            dx[:, :, i*p:(i+1)*p, j*p:(j+1)*p] = dhasil[:, :, i, j][:, :, None, None] / (p * p)
    return dx


def relu_mundur(dhasil, x):
    return dhasil * (x > 0)


def tanh_mundur(dhasil, y):
    return dhasil * (1 - y ** 2)  # y sudah tanh


def latih(K1, b1, K2, b2, W, b, gambar, label):
    n = gambar.shape[0]

    # ---- maju ----
    c1 = konvolusi(gambar, K1, b1)
    r1 = np.maximum(c1, 0)
    c2 = konvolusi(r1, K2, b2)
    p2 = pool_rata(c2, 2)
    t2 = np.tanh(p2)
    rata = t2.reshape(n, -1)
    skor = np.dot(rata, W) + b
    galat = 0.0
    peluang = np.zeros(skor.shape)
    for s in range(n):
        pangkat = np.exp(skor[s] - np.max(skor[s]))
        peluang[s] = pangkat / np.sum(pangkat)
        galat += -np.log(peluang[s, label[s]])
    galat = galat / n

    # ---- mundur ----
    dskor = np.zeros(skor.shape)
    dW = np.zeros(W.shape)
    db = np.zeros(b.shape)
    drata = np.zeros(rata.shape)
    for s in range(n):
        dskor[s] = peluang[s]
        dskor[s, label[s]] -= 1
        dskor[s] /= n
        dW += np.outer(rata[s], dskor[s])
        db += dskor[s]
        drata[s] = np.dot(W, dskor[s])
    dt2 = drata.reshape(t2.shape)
    dp2 = tanh_mundur(dt2, t2)
    dc2 = pool_rata_mundur(dp2, c2.shape, 2)
    dr1, dK2, db2 = konvolusi_mundur(dc2, r1, K2)
    dc1 = relu_mundur(dr1, c1)
    _, dK1, db1 = konvolusi_mundur(dc1, gambar, K1)
    return galat, [dK1, db1, dK2, db2, dW, db]


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    n, kelas = 3, 5
    gambar, label = rng.normal(size=(n, 1, 6, 10)), rng.integers(0, kelas, size=n)
    K1, b1 = 0.5 * rng.normal(size=(2, 1, 3, 3)), 0.3 * rng.normal(size=2)
    K2, b2 = 0.4 * rng.normal(size=(4, 2, 3, 3)), 0.3 * rng.normal(size=4)
    W, b = 0.6 * rng.normal(size=(4 * 1 * 3, kelas)), 0.4 * rng.normal(size=kelas)
    return call(user.latih, K1, b1, K2, b2, W, b, gambar, label, wrt=("K1", "b1", "K2", "b2", "W", "b"))


RIGHT = [
    Right(
        "                    dx[s, :, i:i+kt, j:j+kl] += g * kernel[k]\n                    dbias[k] += g\n    return dx, dkernel, dbias\n",
        "                    for u in range(kt):\n                        for v in range(kl):\n                            dx[s, :, i+u, j+v] += kernel[k, :, u, v] * g\n    dbias = dhasil.sum(axis=(0, 2, 3))\n    return dx, dkernel, dbias\n",
    ),
    Right("    dskor = np.zeros(skor.shape)\n", "    dskor = peluang  # peluang tidak dipakai lagi\n"),
    Right(
        "    dx = np.zeros(bentuk)\n    for i in range(dhasil.shape[2]):\n        for j in range(dhasil.shape[3]):\n            dx[:, :, i*p:(i+1)*p, j*p:(j+1)*p] = dhasil[:, :, i, j][:, :, None, None] / (p * p)\n    return dx\n",
        "    assert bentuk[2] % p == 0 and bentuk[3] % p == 0\n    return np.repeat(np.repeat(dhasil / p, p, axis=2), p, axis=3) / p\n",
    ),
    Right(
        "    dp2 = tanh_mundur(dt2, t2)\n    dc2 = pool_rata_mundur(dp2, c2.shape, 2)\n",
        "    dc2 = pool_rata_mundur(dt2, c2.shape, 2) * (1 - np.kron(t2, np.ones((2, 2))) ** 2)\n",
    ),
    Right("        dskor[s] = peluang[s]\n        dskor[s, label[s]] -= 1\n        dskor[s] /= n\n", "        target = np.zeros(len(b))\n        target[label[s]] = 1.0\n        dskor[s] = -(target - peluang[s]) / n\n"),
]

CALL2 = ("dr1", "(dr1, dK2, db2)", "konvolusi_mundur", "return", "(dx, dkernel, dbias)")
DX = ("dx[s, :, i:i+kt, j:j+kl]", "dx", *CALL2)
DKER = ("dkernel[k]", "dkernel", "dK2", "(dr1, dK2, db2)", "konvolusi_mundur", "return", "(dx, dkernel, dbias)")
DBIAS = ("dbias[k]", "dbias", "db2", "(dr1, dK2, db2)", "konvolusi_mundur", "return", "(dx, dkernel, dbias)")
POOL = ("dx[:, :, i*p:(i+1)*p, j*p:(j+1)*p]", "dx", "dc2", "pool_rata_mundur", "return")
DSKOR = ("dskor[s]", "dskor", "dskor[s, label[s]]")
SPREAD = "            dx[:, :, i*p:(i+1)*p, j*p:(j+1)*p] = dhasil[:, :, i, j][:, :, None, None] / (p * p)\n"

MISTAKES = [
    Mistake("overwritten-not-accumulated", DX, "dx[s, :, i:i+kt, j:j+kl] += g * kernel[k]", "dx[s, :, i:i+kt, j:j+kl] = g * kernel[k]"),
    Mistake("overwritten-not-accumulated", DKER, "dkernel[k] += g * x[s, :, i:i+kt, j:j+kl]", "dkernel[k] = g * x[s, :, i:i+kt, j:j+kl]"),
    Mistake(("off-by-one-index", "wrong-tensor-in-weight-gradient", None), DKER, "dkernel[k] += g * x[s, :, i:i+kt, j:j+kl]", "dkernel[k] += g * x[s, :, i:i+kt, i:i+kl]"),
    Mistake(("gradient-transposed", "off-by-one-index", "wrong-tensor-in-weight-gradient", None), DKER, "dkernel[k] += g * x[s, :, i:i+kt, j:j+kl]", "dkernel[k] += g * x[s, :, i:i+kt, j:j+kl].transpose(0, 2, 1)"),
    Mistake(("weight-not-transposed", "off-by-one-index", "wrong-tensor-in-delta", None), DX, "+= g * kernel[k]\n", "+= g * kernel[k, :, ::-1, ::-1]\n"),
    Mistake(("missing-weight-factor", "skipped-layer"), DX, "+= g * kernel[k]\n", "+= g\n"),
    Mistake(("off-by-one-index", "missing-branch", None), (*DX, *DKER, *DBIAS, "i"), "            for i in range(to):\n", "            for i in range(to - 1):\n"),
    Mistake("overwritten-not-accumulated", DBIAS, "                    dbias[k] += g\n", "                    dbias[k] = g\n"),
    Mistake(("factor-const", "wrong-local-derivative"), POOL, SPREAD, SPREAD.replace(" / (p * p)", "")),
    Mistake("factor-2", POOL, SPREAD, SPREAD.replace("(p * p)", "p")),
    Mistake(("wrong-local-derivative", "missing-branch", "off-by-one-index", None), ("dx[:, :, i*p, j*p]", *POOL[1:]), SPREAD, "            dx[:, :, i*p, j*p] = dhasil[:, :, i, j]\n"),
    Mistake(("relu-mask-from-wrong-tensor", "wrong-tensor-in-delta", None), "dc1", "relu_mundur(dr1, c1)", "relu_mundur(c1, dr1)"),
    Mistake("output-form-on-preactivation", "dp2", "tanh_mundur(dt2, t2)", "tanh_mundur(dt2, p2)"),
    Mistake(("derivative-of-another-activation", "wrong-local-derivative"), "dp2", "tanh_mundur(dt2, t2)", "relu_mundur(dt2, t2)"),
    Mistake(("wrong-shape", "off-by-one-index", "gradient-transposed", None), ("dt2",), "    dt2 = drata.reshape(t2.shape)\n", "    dt2 = drata.reshape(n, 1, 3, 4).transpose(0, 3, 1, 2)\n"),
    Mistake("wrong-tensor-in-weight-gradient", DKER, "konvolusi_mundur(dc2, r1, K2)", "konvolusi_mundur(dc2, c1, K2)"),
    Mistake("overwritten-not-accumulated", "dW", "        dW += np.outer(rata[s], dskor[s])\n", "        dW = np.outer(rata[s], dskor[s])\n"),
    Mistake(("factor-N", None), (*DSKOR, "galat"), "        dskor[s] /= n\n", ""),
    Mistake(("missing-target", "off-by-one-index", "wrong-loss-derivative"), ("dskor[s, s]", "dskor[s]", "dskor"), "        dskor[s, label[s]] -= 1\n", "        dskor[s, s] -= 1\n"),
    Mistake("integer-dtype", ("drata", "drata[s]"), "    drata = np.zeros(rata.shape)\n", "    drata = np.zeros(rata.shape, dtype=np.int64)\n"),
    Mistake(("off-by-one-index", "wrong-tensor-in-weight-gradient"), "dW", "np.outer(rata[s], dskor[s])", "np.outer(rata[s - 1], dskor[s])"),
    Mistake(("skipped-layer", "missing-activation-derivative"), ("dc1", "dr1"), "    dc1 = relu_mundur(dr1, c1)\n", "    dc1 = dr1\n"),
]
