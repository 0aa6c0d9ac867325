"""밑바닥 스터디 6장 복습 (서연) - He 초기값 + 배치 정규화 + 가중치 감소를 넣은 3층 신경망

책을 덮고 혼자 다시 써 봤다. 계층 클래스를 잇는 대신 gradient() 안에서 끝까지 손으로 미분한다.
Affine 뒤에 바로 배치 정규화가 오니까 b1, b2는 두지 않았다 (평균을 빼면 어차피 사라짐).
"""

import numpy as np


def relu(x):
    return np.maximum(0, x)


def softmax(x):
    x = x - np.max(x, axis=1, keepdims=True)  # 오버플로 방지
    exp_x = np.exp(x)
    return exp_x / np.sum(exp_x, axis=1, keepdims=True)


def cross_entropy_error(y, t):
    """t는 원-핫"""
    batch_size = y.shape[0]
    return -np.sum(t * np.log(y)) / batch_size


class BatchNorm:
    """훈련할 때만 쓰는 배치 정규화. 이동 평균은 다음 주에..."""

    def __init__(self, eps=1e-3):
        self.eps = eps

    def forward(self, x, gamma, beta):
        self.gamma = gamma
        self.xc = x - x.mean(axis=0)
        self.var = np.mean(self.xc**2, axis=0)
        self.xn = self.xc / np.sqrt(self.var + self.eps)
        return gamma * self.xn + beta

    def backward(self, dout):
        N = dout.shape[0]
        istd = 1.0 / np.sqrt(self.var + self.eps)
        dbeta = dout.sum(axis=0)
        dgamma = np.sum(dout * self.xn, axis=0)
        dxn = dout * self.gamma
        dvar = np.sum(dxn * self.xc, axis=0) * -0.5 * istd**3
        dxc = dxn * istd + 2.0 * self.xc * dvar / N
        dmu = -np.sum(dxc, axis=0)
        dx = dxc + dmu / N
        return dx, dgamma, dbeta


class ThreeLayerNet:
    def __init__(self, input_size, hidden_size, output_size, weight_decay=0.1):
        self.weight_decay = weight_decay
        self.params = {}
        sizes = [input_size, hidden_size, hidden_size, output_size]
        for i in range(1, 4):
            he = np.sqrt(2.0 / sizes[i - 1])
            self.params['W' + str(i)] = he * np.random.randn(sizes[i - 1], sizes[i])
        for i in (1, 2):
            self.params['gamma' + str(i)] = np.ones(hidden_size)
            self.params['beta' + str(i)] = np.zeros(hidden_size)
        self.params['b3'] = np.zeros(output_size)
        self.bn1 = BatchNorm()
        self.bn2 = BatchNorm()

    def gradient(self, x, t):
        p = self.params
        batch_size = x.shape[0]

        # ---- 순전파 ----
        a1 = np.dot(x, p['W1'])
        n1 = self.bn1.forward(a1, p['gamma1'], p['beta1'])
        z1 = relu(n1)
        a2 = np.dot(z1, p['W2'])
        n2 = self.bn2.forward(a2, p['gamma2'], p['beta2'])
        z2 = relu(n2)
        a3 = np.dot(z2, p['W3']) + p['b3']
        y = softmax(a3)

        loss = cross_entropy_error(y, t)
        for key in ('W1', 'W2', 'W3'):
            loss += 0.5 * self.weight_decay * np.sum(p[key] ** 2)

        # ---- 역전파 ----
        grads = {}
        da3 = (y - t) / batch_size
        grads['W3'] = np.dot(z2.T, da3)
        grads['b3'] = np.sum(da3, axis=0)

        dz2 = np.dot(da3, p['W3'].T)
        dn2 = dz2 * (n2 > 0)
        da2, grads['gamma2'], grads['beta2'] = self.bn2.backward(dn2)
        grads['W2'] = np.dot(z1.T, da2)

        dz1 = np.dot(da2, p['W2'].T)
        dn1 = dz1 * (n1 > 0)
        da1, grads['gamma1'], grads['beta1'] = self.bn1.backward(dn1)
        grads['W1'] = np.dot(x.T, da1)

        # 가중치 감소
        for key in ('W1', 'W2', 'W3'):
            grads[key] += self.weight_decay * p[key]
        return loss, grads


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    N, D, H, K = 8, 4, 5, 3
    net = user.ThreeLayerNet(D, H, K)
    x, t = rng.normal(size=(N, D)), np.eye(K)[rng.integers(0, K, size=N)]
    for key, value in net.params.items():
        net.params[key] = value + 0.3 * rng.normal(size=value.shape)
    return call(net.gradient, x, t, loss="loss", gradients={"self.params": "grads"})


import numpy as np

RIGHT = [
    Right(
        "        dvar = np.sum(dxn * self.xc, axis=0) * -0.5 * istd**3\n        dxc = dxn * istd + 2.0 * self.xc * dvar / N\n        dmu = -np.sum(dxc, axis=0)\n        dx = dxc + dmu / N\n",
        "        # 종이에 정리해 보니 한 줄\n        dx = istd / N * (N * dxn - dbeta * self.gamma - self.xn * dgamma * self.gamma)\n",
    ),
    Right("        da3 = (y - t) / batch_size\n", "        da3 = y.copy()\n        da3[np.arange(batch_size), t.argmax(axis=1)] -= 1\n        da3 /= batch_size\n"),
    Right("        dn2 = dz2 * (n2 > 0)\n", "        mask = n2 <= 0\n        dn2 = dz2.copy()\n        dn2[mask] = 0\n"),
    Right("            grads[key] += self.weight_decay * p[key]\n", "            grads[key] = grads[key] - self.weight_decay * -p[key]\n"),
    Right("        dvar = np.sum(dxn * self.xc, axis=0) * -0.5 * istd**3\n        dxc = dxn * istd + 2.0 * self.xc * dvar / N\n", "        std = np.sqrt(self.var + self.eps)\n        dstd = -np.sum(dxn * self.xc / std**2, axis=0)\n        dvar = 0.5 * dstd / std\n        dxc = dxn / std\n        dxc += 2.0 / N * self.xc * dvar\n"),
]

BN2 = ("da2", "self.bn2.backward", "BatchNorm.backward", "backward", "(da2, grads['gamma2'], grads['beta2'])")
BN = tuple(name for name in BN2 if not name.startswith(("BatchNorm", "self")))
DVAR = "        dvar = np.sum(dxn * self.xc, axis=0) * -0.5 * istd**3\n"
DXC = "        dxc = dxn * istd + 2.0 * self.xc * dvar / N\n"
DECAY = "        for key in ('W1', 'W2', 'W3'):\n            grads[key] += self.weight_decay * p[key]\n"
W2, W3 = "grads['W2']", "grads['W3']"

MISTAKES = [
    Mistake(("factor-N", "factor-const"), "da3", "da3 = (y - t) / batch_size", "da3 = y - t"),
    Mistake("sign", "da3", "da3 = (y - t) / batch_size", "da3 = (t - y) / batch_size"),
    Mistake(("activation-derivative-twice", "wrong-loss-derivative", "softmax-diagonal-only"), "da3", "da3 = (y - t) / batch_size", "da3 = (y - t) * y * (1 - y) / batch_size"),
    Mistake("wrong-tensor-in-weight-gradient", ("dgamma", "grads['gamma2']", *BN), "dgamma = np.sum(dout * self.xn, axis=0)", "dgamma = np.sum(dout * self.xc, axis=0)"),
    Mistake(("missing-weight-factor", "skipped-layer"), ("dxn", *BN), "        dxn = dout * self.gamma\n", "        dxn = dout\n"),
    Mistake("wrong-local-derivative", ("dvar", *BN), DVAR, "        dvar = np.sum(dxn * self.xc, axis=0) * -0.5 * istd**2\n"),
    Mistake(("missing-branch", "detached-branch"), ("dxc", *BN), DXC, "        dxc = dxn * istd\n"),
    Mistake(("missing-branch", "detached-branch"), ("dx", "return", *BN), "        dx = dxc + dmu / N\n", "        dx = dxc\n"),
    Mistake(("factor-N", "factor-const", None), ("dxc", *BN), DXC, "        dxc = dxn * istd + 2.0 * self.xc * dvar\n"),
    Mistake(("epsilon-ignored", "forward-differs"), ("istd", *BN), "istd = 1.0 / np.sqrt(self.var + self.eps)", "istd = 1.0 / np.sqrt(self.var)"),
    Mistake(("ddof", "wrong-local-derivative", "factor-const"), ("dxc", "dvar", "self.var", *BN), "self.var = np.mean(self.xc**2, axis=0)", "self.var = x.var(axis=0, ddof=1)"),
    Mistake("relu-mask-from-wrong-tensor", "dn2", "dn2 = dz2 * (n2 > 0)", "dn2 = dz2 * (a2 > 0)"),
    Mistake("relu-mask-from-wrong-tensor", "dn1", "dn1 = dz1 * (n1 > 0)", "dn1 = dz1 * (dz1 > 0)"),
    Mistake(("missing-activation-derivative", "skipped-layer"), ("dn1", "da1", "(da1, grads['gamma1'], grads['beta1'])"), "        dn1 = dz1 * (n1 > 0)\n        da1, grads['gamma1'], grads['beta1'] = self.bn1.backward(dn1)\n", "        da1, grads['gamma1'], grads['beta1'] = self.bn1.backward(dz1)\n"),
    Mistake("weight-not-transposed", "dz1", "np.dot(da2, p['W2'].T)", "np.dot(da2, p['W2'])"),
    Mistake("gradient-transposed", W2, "np.dot(z1.T, da2)", "np.dot(da2.T, z1)"),
    Mistake(("wrong-tensor-in-weight-gradient", "missing-activation-derivative"), W3, "np.dot(z2.T, da3)", "np.dot(n2.T, da3)"),
    Mistake(("wrong-tensor-in-weight-gradient", "missing-activation-derivative", "skipped-layer"), W2, "np.dot(z1.T, da2)", "np.dot(z1.T, dn2)"),
    Mistake(("factor-1/N", "bias-wrong-axis", "factor-const"), "grads['b3']", "np.sum(da3, axis=0)", "np.mean(da3, axis=0)"),
    Mistake("regulariser-forgotten", (W3, "grads[key]"), DECAY, DECAY.replace(", 'W3'", "")),
    Mistake(("regulariser-scale", "factor-2", "factor-const"), "grads[key]", "grads[key] += self.weight_decay * p[key]", "grads[key] += 2 * self.weight_decay * p[key]"),
    Mistake(("regulariser-on-wrong-parameter", None), ("grads[key]", "grads['b3']"), DECAY, DECAY.replace("'W3')", "'W3', 'b3')")),
    Mistake(("stale-forward-values", "aliasing", "wrong-tensor-in-delta", "wrong-tensor-in-weight-gradient", None), ("self.bn2", "istd", "dgamma", "grads['gamma1']", "da1", "backward", "(da1, grads['gamma1'], grads['beta1'])", "n2"), "        self.bn2 = BatchNorm()\n", "        self.bn2 = self.bn1\n", fix=False),
    Mistake(("stale-forward-values", "wrong-tensor-in-delta", None), (*BN, "grads['gamma2']", "istd", "dgamma", "dxn"), "= self.bn2.backward(dn2)", "= self.bn1.backward(dn2)"),
    Mistake(("softmax-wrong-axis", "forward-differs"), ("softmax", "y", "return", "da3"), "    return exp_x / np.sum(exp_x, axis=1, keepdims=True)\n", "    return exp_x / np.sum(exp_x, axis=0)\n"),
]
