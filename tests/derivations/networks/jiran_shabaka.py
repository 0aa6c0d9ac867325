# شبكة عصبية على البيانات الجزيئية: كل جزيء رسم بياني، والهدف خاصيتان حقيقيتان لكل جزيء
# المعادلات مكتوبة يدوياً، numpy فقط. الأسماء: jiran = الجيران، awzan = الأوزان، mayl = الميل (التدرج)
import numpy as np

EPSILON = 0.01


def jiran_mutawassit(A):
    """متوسط الجيران: تقسيم كل صف على درجته، من دون العقدة نفسها"""
    daraja = A.sum(axis=1, keepdims=True)
    return A / np.maximum(daraja, 1)


def tatbi3(x, gamma, beta):
    """layer norm لكل عقدة"""
    wasat = x.mean(axis=1, keepdims=True)
    markaz = x - wasat
    tabayun = (markaz * markaz).mean(axis=1, keepdims=True)
    maqlub = (tabayun + EPSILON) ** -0.5
    x_hat = markaz * maqlub
    return gamma * x_hat + beta, (x_hat, maqlub, gamma)


def tatbi3_khalf(dy, makhzan):
    x_hat, maqlub, gamma = makhzan
    dgamma = (dy * x_hat).sum(axis=0)
    dbeta = dy.sum(axis=0)
    dx_hat = dy * gamma
    d1 = dx_hat.mean(axis=1, keepdims=True)
    d2 = (dx_hat * x_hat).mean(axis=1, keepdims=True)
    dx = maqlub * (dx_hat - d1 - x_hat * d2)
    return dx, dgamma, dbeta


def khatwa(awzan, A, sifat, fihris, hadaf):
    """
    A      (n, n)   مصفوفة الجوار لكل الجزيئات معاً (كتل على القطر)
    sifat  (n, f)   صفات العقد
    fihris (n,)     رقم الجزيء الذي تنتمي إليه كل عقدة
    hadaf  (g, k)   الهدف
    """
    P = jiran_mutawassit(A)
    g = hadaf.shape[0]
    tajmi3 = (fihris[None, :] == np.arange(g)[:, None]).astype(float)
    tajmi3 = tajmi3 / tajmi3.sum(axis=1, keepdims=True)      # mean pooling

    # ---- الأمام ----
    h = sifat @ awzan['dakhil']
    sijill = []
    for tabaqa in awzan['tabaqat']:
        u, makhzan = tatbi3(h, tabaqa['gamma'], tabaqa['beta'])
        rasail = P @ u
        z = u @ tabaqa['dhat'] + rasail @ tabaqa['jar'] + tabaqa['inhiyaz']
        r = np.maximum(z, 0)
        sijill.append((u, makhzan, rasail, z))
        h = h + r                                             # residual
    jam3 = tajmi3 @ h
    tawaqqu3 = jam3 @ awzan['kharij'] + awzan['inhiyaz']
    farq = tawaqqu3 - hadaf
    khasara = 0.5 * np.sum(farq ** 2) / g

    # ---- الخلف ----
    mayl = {'tabaqat': []}
    dt = farq / g
    mayl['kharij'] = jam3.T @ dt
    mayl['inhiyaz'] = dt.sum(axis=0)
    dh = tajmi3.T @ (dt @ awzan['kharij'].T)
    for tabaqa, (u, makhzan, rasail, z) in zip(reversed(awzan['tabaqat']), reversed(sijill)):
        dz = dh * (z > 0)
        ddhat = u.T @ dz
        djar = rasail.T @ dz
        dinhiyaz = dz.sum(axis=0)
        drasail = dz @ tabaqa['jar'].T
        du = dz @ tabaqa['dhat'].T + P.T @ drasail
        dfar3, dgamma, dbeta = tatbi3_khalf(du, makhzan)
        dh = dh + dfar3
        mayl['tabaqat'].insert(0, {'gamma': dgamma, 'beta': dbeta, 'dhat': ddhat, 'jar': djar, 'inhiyaz': dinhiyaz})
    mayl['dakhil'] = sifat.T @ dh
    return khasara, mayl


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    f, m, k, sizes = 3, 5, 2, (3, 2, 4)
    n = sum(sizes)
    fihris = np.repeat(np.arange(3), sizes)
    A = np.triu((fihris[:, None] == fihris) & (rng.uniform(size=(n, n)) < 0.5), 1) + 0.0
    for i in range(n - 1):
        A[i, i + 1] = fihris[i] == fihris[i + 1]
    A = A + A.T
    tabaqa = lambda: {
        "gamma": rng.uniform(0.6, 1.4, size=m),
        "beta": 0.4 * rng.normal(size=m),
        "dhat": 0.6 * rng.normal(size=(m, m)),
        "jar": 0.6 * rng.normal(size=(m, m)),
        "inhiyaz": 0.4 * rng.normal(size=m),
    }
    awzan = {
        "dakhil": 0.8 * rng.normal(size=(f, m)),
        "tabaqat": [tabaqa(), tabaqa()],
        "kharij": 0.7 * rng.normal(size=(m, k)),
        "inhiyaz": 0.5 * rng.normal(size=k),
    }
    return call(user.khatwa, awzan, A, rng.normal(size=(n, f)), fihris, rng.normal(size=(3, k)), loss="khasara", gradients={"awzan": "mayl"})


import numpy as np

RIGHT = [
    Right(
        "    d1 = dx_hat.mean(axis=1, keepdims=True)\n    d2 = (dx_hat * x_hat).mean(axis=1, keepdims=True)\n    dx = maqlub * (dx_hat - d1 - x_hat * d2)\n",
        "    m = dy.shape[1]\n    dmaqlub = (dx_hat * x_hat).sum(axis=1, keepdims=True) / maqlub\n    dtabayun = -0.5 * dmaqlub * maqlub ** 3\n    dmarkaz = dx_hat * maqlub + 2 / m * dtabayun * (x_hat / maqlub)\n    dx = dmarkaz - dmarkaz.sum(axis=1, keepdims=True) / m\n",
    ),
    Right(
        "        drasail = dz @ tabaqa['jar'].T\n        du = dz @ tabaqa['dhat'].T + P.T @ drasail\n",
        "        wazn = np.vstack([tabaqa['dhat'], tabaqa['jar']])\n        mamzuj = np.hstack([dz, P.T @ dz])\n        m = dz.shape[1]\n        du = mamzuj[:, :m] @ wazn[:m].T\n        du += mamzuj[:, m:] @ wazn[m:].T\n",
    ),
    Right(
        "    dh = tajmi3.T @ (dt @ awzan['kharij'].T)\n",
        "    djam3 = dt @ awzan['kharij'].T\n    dh = djam3[fihris] / np.bincount(fihris)[fihris][:, None]\n",
    ),
    Right(
        "        dz = dh * (z > 0)\n        ddhat = u.T @ dz\n        djar = rasail.T @ dz\n",
        "        dz = np.where(z < 0, 0, dh)\n        ddhat = np.einsum('ni,nj->ij', u, dz)\n        djar = u.T @ (P.T @ dz)\n",
    ),
    Right("        dfar3, dgamma, dbeta = tatbi3_khalf(du, makhzan)\n        dh = dh + dfar3\n", "        dfar3, dgamma, dbeta = tatbi3_khalf(du, makhzan)\n        dh += dfar3\n"),
]

DX = "    dx = maqlub * (dx_hat - d1 - x_hat * d2)\n"
DU = "        du = dz @ tabaqa['dhat'].T + P.T @ drasail\n"
DZ = "        dz = dh * (z > 0)\n"
DH0 = "    dh = tajmi3.T @ (dt @ awzan['kharij'].T)\n"
RES = "        dh = dh + dfar3\n"

MISTAKES = [
    Mistake(("weight-not-transposed", "wrong-tensor-in-delta"), "du", DU, "        du = dz @ tabaqa['dhat'].T + P @ drasail\n"),
    Mistake(("missing-weight-factor", "skipped-layer"), "du", DU, "        du = dz @ tabaqa['dhat'].T + drasail\n"),
    Mistake(("missing-branch", "detached-branch"), "du", DU, "        du = dz @ tabaqa['dhat'].T\n"),
    Mistake("weight-not-transposed", "du", DU, "        du = dz @ tabaqa['dhat'] + P.T @ drasail\n"),
    Mistake("weight-not-transposed", "drasail", "        drasail = dz @ tabaqa['jar'].T\n", "        drasail = dz @ tabaqa['jar']\n"),
    Mistake(("wrong-tensor-in-delta", None), "drasail", "        drasail = dz @ tabaqa['jar'].T\n", "        drasail = dz @ tabaqa['dhat'].T\n"),
    Mistake(("missing-branch", "detached-branch", "overwritten-not-accumulated", "skipped-layer"), "dh", RES, "        dh = dfar3\n"),
    Mistake(("wrong-tensor-in-delta", "skipped-layer"), "dh", RES, "        dh = dh + du\n"),
    Mistake(("missing-branch", "detached-branch", "skipped-layer"), ("dh", "mayl['dakhil']"), RES, "", fix=False),
    Mistake(("factor-const", "missing-weight-factor", "wrong-tensor-in-delta", "forward-differs", "accidental-broadcast", None), "dh", DH0, "    dh = (dt @ awzan['kharij'].T)[fihris]\n"),
    Mistake("factor-N", ("dt", "khasara"), "    dt = farq / g\n", "    dt = farq\n"),
    Mistake(("factor-half", "wrong-loss-derivative"), ("khasara", "dt"), "    khasara = 0.5 * np.sum(farq ** 2) / g\n", "    khasara = np.sum(farq ** 2) / g\n"),
    Mistake(("relu-mask-from-wrong-tensor", "wrong-tensor-in-delta"), "dz", DZ, "        dz = dh * (h > 0)\n"),
    Mistake("relu-mask-from-wrong-tensor", "dz", DZ, "        dz = dh * (dh > 0)\n"),
    Mistake("missing-activation-derivative", "dz", DZ, "        dz = dh\n"),
    Mistake(("aliasing", "input-mutated", "overwritten-not-accumulated"), ("dz", "dh", "dz[z <= 0]"), DZ, "        dz = dh\n        dz[z <= 0] = 0\n"),
    Mistake(("wrong-tensor-in-weight-gradient", "skipped-layer", "missing-weight-factor"), "djar", "        djar = rasail.T @ dz\n", "        djar = u.T @ dz\n"),
    Mistake(("gradient-transposed",), "ddhat", "        ddhat = u.T @ dz\n", "        ddhat = dz.T @ u\n"),
    Mistake(("missing-branch", "detached-branch", "wrong-local-derivative"), ("dx", "tatbi3_khalf", "dfar3"), DX, "    dx = maqlub * (dx_hat - x_hat * d2)\n"),
    Mistake(("missing-weight-factor", "wrong-local-derivative", "missing-branch", None), ("dx", "tatbi3_khalf", "dfar3"), DX, "    dx = maqlub * (dx_hat - d1 - d2)\n"),
    Mistake(("wrong-tensor-in-delta", "missing-weight-factor", "wrong-local-derivative"), ("d2", "dx"), "    d2 = (dx_hat * x_hat).mean(axis=1, keepdims=True)\n", "    d2 = (dy * x_hat).mean(axis=1, keepdims=True)\n"),
    Mistake("ddof", ("tabayun", "dx", "tatbi3", "tatbi3_khalf", "d2"), "    tabayun = (markaz * markaz).mean(axis=1, keepdims=True)\n", "    tabayun = x.var(axis=1, keepdims=True, ddof=1)\n"),
    Mistake(("bias-wrong-axis", "wrong-local-derivative", "reduced-too-early", None), ("d1", "dx"), "    d1 = dx_hat.mean(axis=1, keepdims=True)\n", "    d1 = dx_hat.mean(axis=0, keepdims=True)\n"),
    Mistake(("wrong-local-derivative", "wrong-tensor-in-weight-gradient", "factor-const", None), ("dgamma", "tatbi3_khalf"), "    dgamma = (dy * x_hat).sum(axis=0)\n", "    dgamma = (dy * gamma * x_hat).sum(axis=0)\n"),
    Mistake(("off-by-one-index", "off-by-one-time", "stale-forward-values", "wrong-tensor-in-delta", "wrong-tensor-in-weight-gradient", None), ("dz", "ddhat", "u", "z", "(tabaqa, (u, makhzan, rasail, z))"), "zip(reversed(awzan['tabaqat']), reversed(sijill))", "zip(reversed(awzan['tabaqat']), sijill)"),
    Mistake(("off-by-one-index", "wrong-tensor-in-weight-gradient", None), ("mayl['tabaqat']", "mayl", "return"), "        mayl['tabaqat'].insert(0, {", "        mayl['tabaqat'].append({"),
]
