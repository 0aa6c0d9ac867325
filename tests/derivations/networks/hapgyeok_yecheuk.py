# 합격 예측하기 (행렬 없이 for문으로만!)
# 입력: 공부시간, 수면시간, 출석, 모의고사 -> 은닉층 2개 -> 합격 확률
# 유튜브 보고 따라 만든 것. 역전파 부분은 종이에 직접 미분해서 옮김.
import math

람다 = 0.03  # 가중치 감쇠


def 시그모이드(x):
    return 1 / (1 + math.exp(-x))


def 역전파(자료, 정답, w1, b1, w2, b2, w3, b3):
    개수 = len(자료)
    입력수 = len(w1[0])
    은닉1 = len(w1)
    은닉2 = len(w2)

    # 기울기 모으는 곳 (0으로 시작)
    dw1 = [[0.0] * 입력수 for j in range(은닉1)]
    db1 = [0.0] * 은닉1
    dw2 = [[0.0] * 은닉1 for k in range(은닉2)]
    db2 = [0.0] * 은닉2
    dw3 = [0.0] * 은닉2
    db3 = 0.0
    손실 = 0.0

    for n in range(개수):
        x = 자료[n]
        t = 정답[n]

        # ----- 순전파 -----
        z1 = [0.0] * 은닉1
        a1 = [0.0] * 은닉1
        for j in range(은닉1):
            z1[j] = b1[j]
            for i in range(입력수):
                z1[j] += w1[j][i] * x[i]
            a1[j] = math.tanh(z1[j])

        z2 = [0.0] * 은닉2
        a2 = [0.0] * 은닉2
        for k in range(은닉2):
            z2[k] = b2[k]
            for j in range(은닉1):
                z2[k] += w2[k][j] * a1[j]
            a2[k] = 시그모이드(z2[k])

        z3 = b3
        for k in range(은닉2):
            z3 += w3[k] * a2[k]
        y = 시그모이드(z3)
        손실 += -(t * math.log(y) + (1 - t) * math.log(1 - y)) / 개수

        # ----- 역전파 -----
        delta3 = (y - t) / 개수
        db3 += delta3
        for k in range(은닉2):
            dw3[k] += delta3 * a2[k]

        delta2 = [0.0] * 은닉2
        for k in range(은닉2):
            delta2[k] = delta3 * w3[k] * a2[k] * (1 - a2[k])
            db2[k] += delta2[k]
            for j in range(은닉1):
                dw2[k][j] += delta2[k] * a1[j]

        for j in range(은닉1):
            합 = 0.0
            for k in range(은닉2):
                합 += delta2[k] * w2[k][j]
            delta1 = 합 * (1 - a1[j] ** 2)
            db1[j] += delta1
            for i in range(입력수):
                dw1[j][i] += delta1 * x[i]

    # 가중치 감쇠 (첫 번째 층만)
    for j in range(은닉1):
        for i in range(입력수):
            손실 += 람다 * w1[j][i] ** 2
            dw1[j][i] += 2 * 람다 * w1[j][i]

    return 손실, (dw1, db1, dw2, db2, dw3, db3)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    samples, n_in, n1, n2 = 5, 4, 3, 2
    data = rng.normal(size=(samples, n_in)).tolist()
    answers = [0, 1, 1, 0, 1]
    w1, b1 = (0.6 * rng.normal(size=(n1, n_in))).tolist(), (0.4 * rng.normal(size=n1)).tolist()
    w2, b2 = rng.normal(size=(n2, n1)).tolist(), (0.4 * rng.normal(size=n2)).tolist()
    w3, b3 = rng.normal(size=n2).tolist(), float(0.4 * rng.normal())
    return call(user.역전파, data, answers, w1, b1, w2, b2, w3, b3, wrt=("w1", "b1", "w2", "b2", "w3", "b3"))


RIGHT = [
    Right("        delta3 = (y - t) / 개수\n", "        dy = -(t / y) + (1 - t) / (1 - y)\n        delta3 = dy * y * (1 - y) / 개수\n"),
    Right(
        """            합 = 0.0
            for k in range(은닉2):
                합 += delta2[k] * w2[k][j]
            delta1 = 합 * (1 - a1[j] ** 2)
""",
        """            delta1 = sum(d * w[j] for d, w in zip(delta2, w2)) / math.cosh(z1[j]) ** 2
""",
    ),
    Right("            delta2[k] = delta3 * w3[k] * a2[k] * (1 - a2[k])\n", "            s = 시그모이드(z2[k])\n            delta2[k] = (s - s * s) * w3[k] * delta3\n"),
    Right(  # 부호 반대: 오차 = t - y
        "        delta3 = (y - t) / 개수\n        db3 += delta3\n        for k in range(은닉2):\n            dw3[k] += delta3 * a2[k]\n",
        "        오차 = t - y\n        delta3 = -오차 / 개수\n        db3 -= 오차 / 개수\n        for k in range(은닉2):\n            dw3[k] -= 오차 * a2[k] / 개수\n",
    ),
    Right("            손실 += 람다 * w1[j][i] ** 2\n            dw1[j][i] += 2 * 람다 * w1[j][i]\n", "            감쇠 = 람다 * w1[j][i]\n            손실 += 감쇠 * w1[j][i]\n            dw1[j][i] += 감쇠\n            dw1[j][i] += 감쇠\n"),
]

D2 = "delta2[k] = delta3 * w3[k] * a2[k] * (1 - a2[k])"
D1 = "delta1 = 합 * (1 - a1[j] ** 2)"
SUM = "합 += delta2[k] * w2[k][j]"

MISTAKES = [
    Mistake("sign", "delta3", "delta3 = (y - t) / 개수", "delta3 = (t - y) / 개수"),
    Mistake("factor-N", ("delta3", "손실"), "delta3 = (y - t) / 개수", "delta3 = y - t"),
    Mistake(("activation-derivative-twice", "wrong-loss-derivative"), "delta3", "delta3 = (y - t) / 개수", "delta3 = (y - t) * y * (1 - y) / 개수"),
    Mistake("overwritten-not-accumulated", "db3", "db3 += delta3", "db3 = delta3"),
    Mistake("overwritten-not-accumulated", ("dw3[k]", "dw3"), "dw3[k] += delta3 * a2[k]", "dw3[k] = delta3 * a2[k]"),
    Mistake("wrong-tensor-in-weight-gradient", ("dw3[k]", "dw3"), "dw3[k] += delta3 * a2[k]", "dw3[k] += delta3 * z2[k]"),
    Mistake("missing-activation-derivative", ("delta2[k]", "delta2"), D2, "delta2[k] = delta3 * w3[k]"),
    Mistake("output-form-on-preactivation", ("delta2[k]", "delta2"), D2, "delta2[k] = delta3 * w3[k] * z2[k] * (1 - z2[k])"),
    Mistake(("activation-derivative-at-activation", "stale-forward-values"), ("delta2[k]", "delta2"), D2, "delta2[k] = delta3 * w3[k] * 시그모이드(a2[k]) * (1 - 시그모이드(a2[k]))"),
    Mistake("activation-derivative-of-wrong-layer", ("delta2[k]", "delta2"), D2, "delta2[k] = delta3 * w3[k] * y * (1 - y)"),
    Mistake(("missing-weight-factor", "skipped-layer"), ("delta2[k]", "delta2"), D2, "delta2[k] = delta3 * a2[k] * (1 - a2[k])"),
    Mistake(("off-by-one-index", "missing-branch"), ("합", "delta1"), "            for k in range(은닉2):\n                합 += delta2[k] * w2[k][j]\n", "            for k in range(은닉2 - 1):\n                합 += delta2[k] * w2[k][j]\n"),
    Mistake(("overwritten-not-accumulated", "missing-branch"), "합", SUM, "합 = delta2[k] * w2[k][j]"),
    Mistake(("weight-not-transposed", "off-by-one-index", None), ("합", "delta1"), SUM, "합 += delta2[k] * w2[k][k]"),
    Mistake(("accumulated-twice", "wrong-tensor-in-delta", None), ("합", "delta1"), "        for j in range(은닉1):\n            합 = 0.0\n", "        합 = 0.0\n        for j in range(은닉1):\n", fix=False),
    Mistake("missing-activation-derivative", "delta1", D1, "delta1 = 합"),
    Mistake(("derivative-of-another-activation", "wrong-local-derivative"), "delta1", D1, "delta1 = 합 * a1[j] * (1 - a1[j])"),
    Mistake(("wrong-local-derivative", "derivative-of-another-activation"), "delta1", D1, "delta1 = 합 * (1 - a1[j])"),
    Mistake(("wrong-tensor-in-delta", "missing-activation-derivative"), ("db1[j]", "db1"), "db1[j] += delta1", "db1[j] += 합"),
    Mistake(("wrong-tensor-in-weight-gradient", "off-by-one-index"), ("dw1[j][i]", "dw1"), "dw1[j][i] += delta1 * x[i]", "dw1[j][i] += delta1 * x[j]"),
    Mistake("aliasing", "dw1", "dw1 = [[0.0] * 입력수 for j in range(은닉1)]", "dw1 = [[0.0] * 입력수] * 은닉1"),
    Mistake("aliasing", ("db2", "dw3"), "    dw3 = [0.0] * 은닉2\n", "    dw3 = db2\n"),
    Mistake(("regulariser-scale", "factor-half"), ("dw1[j][i]", "dw1", "손실"), "dw1[j][i] += 2 * 람다 * w1[j][i]", "dw1[j][i] += 람다 * w1[j][i]"),
    Mistake(("regulariser-scale", "accumulated-twice", "factor-N", None), ("dw1[j][i]", "dw1"), "                dw1[j][i] += delta1 * x[i]\n", "                dw1[j][i] += delta1 * x[i] + 2 * 람다 * w1[j][i]\n"),
    Mistake(("updated-weights", "input-mutated"), ("w2[k][j]", "w2", "합"), "                dw2[k][j] += delta2[k] * a1[j]\n", "                dw2[k][j] += delta2[k] * a1[j]\n                w2[k][j] -= 0.1 * dw2[k][j]\n", fix=False),
]
