"""내일 비가 올까?  기말 숙제 - 행렬곱 안 쓰고 반복문으로만 짠 신경망

입력 3개(기온, 습도, 기압) -> 은닉층1 시그모이드 5개 -> 은닉층2 렐루 4개 -> 출력 1개(비 올 확률)
손실은 교차 엔트로피 평균 + L2 (가중치만, 편향은 빼고)
"""

import math

람다 = 0.03


def 시그모이드(x):
    return 1 / (1 + math.exp(-x))


def 한바퀴(자료, 정답, 가1, 편1, 가2, 편2, 가3, 편3):
    """자료를 처음부터 끝까지 한 번 돌면서 손실과 기울기를 구한다."""
    표본수 = len(자료)
    입력수 = len(가1)
    은닉1 = len(편1)
    은닉2 = len(편2)

    # 기울기를 담을 그릇 (전부 0에서 시작)
    기1 = [[0.0] * 은닉1 for _ in range(입력수)]
    기2 = [[0.0] * 은닉2 for _ in range(은닉1)]
    기3 = [0.0] * 은닉2
    기편1 = [0.0] * 은닉1
    기편2 = [0.0] * 은닉2
    기편3 = 0.0
    손실 = 0.0

    for n in range(표본수):
        x = 자료[n]
        t = 정답[n]

        # ---- 순전파 ----
        z1 = [0.0] * 은닉1
        a1 = [0.0] * 은닉1
        for j in range(은닉1):
            z1[j] = 편1[j]
            for i in range(입력수):
                z1[j] += x[i] * 가1[i][j]
            a1[j] = 시그모이드(z1[j])
        z2 = [0.0] * 은닉2
        a2 = [0.0] * 은닉2
        for k in range(은닉2):
            z2[k] = 편2[k]
            for j in range(은닉1):
                z2[k] += a1[j] * 가2[j][k]
            if z2[k] > 0:
                a2[k] = z2[k]
        z3 = 편3
        for k in range(은닉2):
            z3 += a2[k] * 가3[k]
        y = 시그모이드(z3)
        손실 += -(t * math.log(y) + (1 - t) * math.log(1 - y)) / 표본수

        # ---- 역전파 ----
        d3 = (y - t) / 표본수
        기편3 += d3
        d2 = [0.0] * 은닉2
        for k in range(은닉2):
            기3[k] += d3 * a2[k]
            if z2[k] > 0:
                d2[k] = d3 * 가3[k]
            기편2[k] += d2[k]
            for j in range(은닉1):
                기2[j][k] += d2[k] * a1[j]
        d1 = [0.0] * 은닉1
        for j in range(은닉1):
            전달 = 0.0
            for k in range(은닉2):
                전달 += d2[k] * 가2[j][k]
            d1[j] = 전달 * a1[j] * (1 - a1[j])
            기편1[j] += d1[j]
            for i in range(입력수):
                기1[i][j] += d1[j] * x[i]

    # ---- 규제항 ----
    for j in range(은닉1):
        for i in range(입력수):
            손실 += 람다 / 2 * 가1[i][j] ** 2
            기1[i][j] += 람다 * 가1[i][j]
        for k in range(은닉2):
            손실 += 람다 / 2 * 가2[j][k] ** 2
            기2[j][k] += 람다 * 가2[j][k]
    for k in range(은닉2):
        손실 += 람다 / 2 * 가3[k] ** 2
        기3[k] += 람다 * 가3[k]

    return 손실, (기1, 기편1, 기2, 기편2, 기3, 기편3)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    number, inputs, first, second = 6, 3, 5, 4
    data, truth = rng.normal(size=(number, inputs)).tolist(), rng.integers(0, 2, size=number).tolist()
    weights = [rng.normal(size=(inputs, first)), 0.5 * rng.normal(size=first), rng.normal(size=(first, second))]
    weights += [0.5 * rng.normal(size=second), rng.normal(size=second)]
    names = ("가1", "편1", "가2", "편2", "가3", "편3")
    return call(user.한바퀴, data, truth, *(w.tolist() for w in weights), float(0.5 * rng.normal()), wrt=names)


D1 = "            d1[j] = 전달 * a1[j] * (1 - a1[j])\n"
D3 = "        d3 = (y - t) / 표본수\n"
PASS = "            전달 = 0.0\n            for k in range(은닉2):\n                전달 += d2[k] * 가2[j][k]\n"
G1 = "            기편1[j] += d1[j]\n            for i in range(입력수):\n                기1[i][j] += d1[j] * x[i]\n"
MASK = "            if z2[k] > 0:\n                d2[k] = d3 * 가3[k]\n"

RIGHT = [
    Right(D3, "        오차 = t - y\n        d3 = -오차 / 표본수\n"),
    Right(PASS + D1, "            전달 = sum(d2[k] * 가2[j][k] for k in range(은닉2))\n            d1[j] = 전달 * math.exp(-z1[j]) / (1 + math.exp(-z1[j])) ** 2\n"),
    Right(MASK, "            d2[k] = d3 * 가3[k] if a2[k] != 0 else 0.0\n"),
    Right(G1, "            for i, 값 in enumerate(x):\n                기1[i][j] = 기1[i][j] + 값 * d1[j]\n            기편1[j] -= -d1[j]\n"),
    Right(
        "    for k in range(은닉2):\n        손실 += 람다 / 2 * 가3[k] ** 2\n        기3[k] += 람다 * 가3[k]\n",
        "    손실 += 람다 / 2 * sum(w * w for w in 가3)\n    기3 = [g + 람다 * w for g, w in zip(기3, 가3)]\n",
    ),
]

MISTAKES = [
    Mistake(("sign", "wrong-loss-derivative"), "d3", D3, "        d3 = (t - y) / 표본수\n"),
    Mistake(("activation-derivative-twice", "wrong-loss-derivative"), "d3", D3, "        d3 = (y - t) * y * (1 - y) / 표본수\n"),
    Mistake(("factor-N", "wrong-loss-derivative"), ("d3", "손실"), D3, "        d3 = y - t\n"),
    Mistake("missing-activation-derivative", ("d1[j]", "d1"), D1, "            d1[j] = 전달\n"),
    Mistake(("output-form-on-preactivation", "wrong-local-derivative", "wrong-tensor-in-delta"), ("d1[j]", "d1"), D1, "            d1[j] = 전달 * z1[j] * (1 - z1[j])\n"),
    Mistake(("activation-derivative-at-activation", "wrong-local-derivative"), ("d1[j]", "d1"), D1, "            d1[j] = 전달 * 시그모이드(a1[j]) * (1 - 시그모이드(a1[j]))\n"),
    Mistake("overwritten-not-accumulated", ("기1[i][j]", "기1"), "                기1[i][j] += d1[j] * x[i]\n", "                기1[i][j] = d1[j] * x[i]\n"),
    Mistake(("overwritten-not-accumulated", "missing-branch"), "전달", "                전달 += d2[k] * 가2[j][k]\n", "                전달 = d2[k] * 가2[j][k]\n"),
    Mistake(("accumulated-twice", None), "전달", "        for j in range(은닉1):\n            전달 = 0.0\n", "        전달 = 0.0\n        for j in range(은닉1):\n", fix=False),
    Mistake(("off-by-one-index", "missing-branch"), "전달", PASS, "            전달 = 0.0\n            for k in range(1, 은닉2):\n                전달 += d2[k] * 가2[j][k]\n"),
    Mistake(("relu-mask-from-wrong-tensor", "activation-derivative-of-wrong-layer"), ("d2[k]", "d2"), MASK, "            if 가3[k] > 0:\n                d2[k] = d3 * 가3[k]\n"),
    Mistake(("missing-activation-derivative", "skipped-layer"), ("d2[k]", "d2"), MASK, "            d2[k] = d3 * 가3[k]\n"),
    Mistake(("missing-weight-factor", "skipped-layer"), ("d2[k]", "d2"), MASK, "            if z2[k] > 0:\n                d2[k] = d3\n"),
    Mistake("wrong-tensor-in-weight-gradient", ("기2[j][k]", "기2"), "기2[j][k] += d2[k] * a1[j]", "기2[j][k] += d2[k] * z1[j]"),
    Mistake(("aliasing", "accumulated-twice"), ("기1", "기1[i][j]"), "    기1 = [[0.0] * 은닉1 for _ in range(입력수)]\n", "    기1 = [[0.0] * 은닉1] * 입력수\n"),
    Mistake(("accumulated-twice", "factor-const"), ("기편1[j]", "기편1"), G1, "            for i in range(입력수):\n                기1[i][j] += d1[j] * x[i]\n                기편1[j] += d1[j]\n"),
    Mistake(("forward-differs", "missing-branch", None), ("z2[k]", "z2", "기편2[k]", "기편2"), "            z2[k] = 편2[k]\n", "            z2[k] = 0.0\n"),
    Mistake(("missing-branch", "detached-branch", "bias-not-reduced", None), "기편3", "        기편3 += d3\n", "", fix=False),
    Mistake(("off-by-one-index", "wrong-tensor-in-weight-gradient", None), ("기1[i][j]", "기1"), "                기1[i][j] += d1[j] * x[i]\n", "                기1[i][j] += d1[k] * x[i]\n"),
    Mistake(("regulariser-forgotten", "regulariser-on-wrong-parameter"), ("기2[j][k]", "기2", "손실"), "            기2[j][k] += 람다 * 가2[j][k]\n", "", fix=False),
    Mistake(("regulariser-scale", "factor-half"), ("기3[k]", "기3", "손실"), "        기3[k] += 람다 * 가3[k]\n", "        기3[k] += 람다 / 2 * 가3[k]\n"),
    Mistake(("wrong-tensor-in-weight-gradient", "accumulated-twice", "wrong-tensor-in-delta", None), ("기3[k]", "기3"), "            기3[k] += d3 * a2[k]\n", "            기3[k] += 기편3 * a2[k]\n"),
]
