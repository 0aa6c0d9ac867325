"""표본 하나씩, 클래스 하나씩: 은닉층이 하나인 소프트맥스 분류기를 반복문으로. (Loops over samples and classes.)"""

import math

import numpy as np

규제 = 0.05


def 소프트맥스(점수):
    최대 = max(점수)
    지수 = [math.exp(s - 최대) for s in 점수]
    합 = sum(지수)
    return [e / 합 for e in 지수]


def 학습_한번(가중치1, 편향1, 가중치2, 편향2, 입력들, 정답들):
    특징수, 은닉수 = 가중치1.shape
    클래스수 = 가중치2.shape[1]
    개수 = len(입력들)

    손실 = 0.0
    d가중치1 = np.zeros((특징수, 은닉수))
    d편향1 = np.zeros(은닉수)
    d가중치2 = np.zeros((은닉수, 클래스수))
    d편향2 = np.zeros(클래스수)

    for 입력, 정답 in zip(입력들, 정답들):
        # 순전파
        은닉 = np.zeros(은닉수)
        for j in range(은닉수):
            은닉[j] = max(0.0, np.dot(입력, 가중치1[:, j]) + 편향1[j])
        점수 = [np.dot(은닉, 가중치2[:, k]) + 편향2[k] for k in range(클래스수)]
        확률 = 소프트맥스(점수)
        손실 -= math.log(확률[정답])

        # 역전파
        d은닉 = np.zeros(은닉수)
        for k in range(클래스수):
            오차 = 확률[k] - (1 if k == 정답 else 0)
            d편향2[k] += 오차
            for j in range(은닉수):
                d가중치2[j, k] += 오차 * 은닉[j]
                d은닉[j] += 오차 * 가중치2[j, k]
        for j in range(은닉수):
            if 은닉[j] > 0:
                d편향1[j] += d은닉[j]
                for i in range(특징수):
                    d가중치1[i, j] += d은닉[j] * 입력[i]

    # 평균과 규제
    손실 /= 개수
    손실 += 0.5 * 규제 * (np.sum(가중치1 ** 2) + np.sum(가중치2 ** 2))
    d가중치1 = d가중치1 / 개수 + 규제 * 가중치1
    d편향1 = d편향1 / 개수
    d가중치2 = d가중치2 / 개수 + 규제 * 가중치2
    d편향2 = d편향2 / 개수
    return 손실, (d가중치1, d편향1, d가중치2, d편향2)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    N, D, H, C = 5, 2, 4, 3
    weights = rng.normal(size=(D, H)), rng.uniform(0.2, 1.5, size=H), rng.normal(size=(H, C)), rng.normal(size=C)
    return call(user.학습_한번, *weights, rng.normal(size=(N, D)), [0, 2, 1, 1, 2], wrt=("가중치1", "편향1", "가중치2", "편향2"))


RIGHT = [
    Right("            오차 = 확률[k] - (1 if k == 정답 else 0)\n", "            오차 = 확률[k]\n            if k == 정답:\n                오차 -= 1\n"),
    Right("            if 은닉[j] > 0:\n                d편향1[j] += d은닉[j]\n", "            if not 은닉[j] > 0:\n                continue\n            else:\n                d편향1[j] += d은닉[j]\n"),
    Right("                for i in range(특징수):\n                    d가중치1[i, j] += d은닉[j] * 입력[i]\n", "                d가중치1[:, j] += d은닉[j] * 입력\n"),
    Right("            for j in range(은닉수):\n                d가중치2[j, k] += 오차 * 은닉[j]\n                d은닉[j] += 오차 * 가중치2[j, k]\n", "            d가중치2[:, k] -= -오차 * 은닉\n            d은닉 = d은닉 + 오차 * 가중치2[:, k]\n"),
    Right("    d가중치1 = d가중치1 / 개수 + 규제 * 가중치1\n", "    d가중치1 /= 개수\n    d가중치1 += 규제 * 가중치1\n"),
    Right("        손실 -= math.log(확률[정답])\n", "        손실 += math.log(sum(math.exp(s) for s in 점수)) - 점수[정답]\n"),
]

W1 = ("d가중치1[i, j]", "d가중치1")
B1 = ("d편향1[j]", "d편향1")
W2 = ("d가중치2[j, k]", "d가중치2")
B2 = ("d편향2[k]", "d편향2")

MISTAKES = [
    Mistake("missing-target", ("오차",), "오차 = 확률[k] - (1 if k == 정답 else 0)", "오차 = 확률[k]"),
    Mistake("sign", ("오차",), "오차 = 확률[k] - (1 if k == 정답 else 0)", "오차 = (1 if k == 정답 else 0) - 확률[k]"),
    Mistake(("off-by-one-index", "missing-target"), ("오차",), "(1 if k == 정답 else 0)", "(1 if k + 1 == 정답 else 0)"),
    Mistake(("wrong-loss-derivative", "activation-derivative-twice"), ("오차",), "오차 = 확률[k] - (1 if k == 정답 else 0)", "오차 = (확률[k] - (1 if k == 정답 else 0)) * 확률[k] * (1 - 확률[k])"),
    Mistake(("softmax-diagonal-only", "missing-branch"), ("오차",), "오차 = 확률[k] - (1 if k == 정답 else 0)", "오차 = (확률[k] - 1) if k == 정답 else 0"),
    Mistake("overwritten-not-accumulated", ("d은닉[j]", "d은닉"), "d은닉[j] += 오차 *", "d은닉[j] = 오차 *"),
    Mistake("overwritten-not-accumulated", B2, "d편향2[k] += 오차", "d편향2[k] = 오차"),
    Mistake("missing-weight-factor", ("d은닉[j]", "d은닉"), "d은닉[j] += 오차 * 가중치2[j, k]", "d은닉[j] += 오차"),
    Mistake("off-by-one-index", ("d은닉[j]", "d은닉"), "d은닉[j] += 오차 * 가중치2[j, k]", "d은닉[j] += 오차 * 가중치2[j, k - 1]"),
    Mistake("missing-activation-derivative", (*B1, *W1), "            if 은닉[j] > 0:\n", "            if 은닉[j] >= 0:\n"),
    Mistake("relu-mask-inverted", (*B1, *W1), "            if 은닉[j] > 0:\n", "            if 은닉[j] <= 0:\n"),
    Mistake("relu-mask-from-wrong-tensor", (*B1, *W1), "            if 은닉[j] > 0:\n", "            if d은닉[j] > 0:\n"),
    Mistake("wrong-tensor-in-weight-gradient", W2, "d가중치2[j, k] += 오차 * 은닉[j]", "d가중치2[j, k] += 오차 * 확률[k]"),
    Mistake(("off-by-one-index", "missing-branch"), W1, "                for i in range(특징수):\n", "                for i in range(1, 특징수):\n"),
    Mistake("integer-dtype", ("d은닉", "d은닉[j]"), "d은닉 = np.zeros(은닉수)\n        for k", "d은닉 = np.array([0] * 은닉수)\n        for k"),
    Mistake(("wrong-tensor-in-weight-gradient", "off-by-one-index", None), W1, "d가중치1[i, j] += d은닉[j] * 입력[i]", "d가중치1[i, j] += d은닉[i] * 입력[i]", fix=False),
    Mistake("factor-N", B1, "    d편향1 = d편향1 / 개수\n", "", fix=False),
    Mistake("factor-1/N", "d편향2", "d편향2 = d편향2 / 개수\n", "d편향2 = d편향2 / 개수 / 개수\n"),
    Mistake("factor-K", ("손실", "오차"), "    손실 /= 개수\n", "    손실 /= 개수 * 클래스수\n"),
    Mistake("regulariser-forgotten", "d가중치2", "d가중치2 = d가중치2 / 개수 + 규제 * 가중치2", "d가중치2 = d가중치2 / 개수"),
    Mistake("regulariser-scale", ("d가중치1",), "d가중치1 = d가중치1 / 개수 + 규제 * 가중치1", "d가중치1 = (d가중치1 + 규제 * 가중치1) / 개수"),
    Mistake(("regulariser-scale", "sign", None), "d가중치2", "d가중치2 / 개수 + 규제 * 가중치2", "d가중치2 / 개수 - 규제 * 가중치2"),
    Mistake("detached-branch", (*W1, *B1, "d은닉", "d은닉[j]"), "        for j in range(은닉수):\n            if 은닉[j] > 0:\n", "        for j in range(은닉수):\n            d은닉[j] = 0.0\n            if 은닉[j] > 0:\n"),
    Mistake(None, ("d은닉[j]", "d은닉"), "d은닉[j] += 오차 * 가중치2[j, k]", "d은닉[j] += math.exp(오차) * abs(가중치2[j, k])", fix=False),
]
