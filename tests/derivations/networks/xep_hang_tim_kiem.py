"""Bài tập lớn: xếp hạng kết quả tìm kiếm (learning to rank).

Mạng: [Linear -> BatchNorm -> ReLU -> Dropout] x (L-1) -> Linear -> một điểm số cho mỗi tài liệu.
Mất mát = ListNet (softmax trên cả danh sách) + ALPHA * RankNet (logistic trên từng cặp) + L2 trên các W.
Linear không có bias vì BatchNorm đã có beta, còn điểm số thì chỉ cần hơn kém nhau.
"""

import numpy as np

GIU_LAI = 0.8     # xác suất giữ của dropout
LAMBDA = 0.03
ALPHA = 0.6
EPS = 0.05


def softmax_hang(S):
    e = np.exp(S - S.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def batchnorm_xuoi(Z, gamma, beta):
    trung_binh = Z.mean(axis=0)
    phuong_sai = Z.var(axis=0)
    do_lech = np.sqrt(phuong_sai + EPS)
    Z_chuan = (Z - trung_binh) / do_lech
    return gamma * Z_chuan + beta, (Z_chuan, gamma, do_lech)


def batchnorm_nguoc(dY, bo_nho):
    Z_chuan, gamma, do_lech = bo_nho
    n = dY.shape[0]
    dgamma = np.sum(dY * Z_chuan, axis=0)
    dbeta = np.sum(dY, axis=0)
    dZ_chuan = dY * gamma
    dZ = (n * dZ_chuan - dZ_chuan.sum(axis=0) - Z_chuan * np.sum(dZ_chuan * Z_chuan, axis=0)) / (n * do_lech)
    return dZ, dgamma, dbeta


def lan_truyen_xuoi(tham_so, X, mat_na):
    so_lop = len(mat_na) + 1
    nho = {"A0": X}
    for l in range(1, so_lop):
        Z = nho[f"A{l - 1}"] @ tham_so[f"W{l}"]
        nho[f"Y{l}"], nho[f"bn{l}"] = batchnorm_xuoi(Z, tham_so[f"gamma{l}"], tham_so[f"beta{l}"])
        nho[f"H{l}"] = np.maximum(0, nho[f"Y{l}"])
        nho[f"A{l}"] = nho[f"H{l}"] * mat_na[l - 1] / GIU_LAI
    diem = nho[f"A{so_lop - 1}"] @ tham_so[f"W{so_lop}"]
    return diem, nho


def tinh_mat_mat(tham_so, diem, nhan):
    so_truy_van, so_tai_lieu = nhan.shape
    S = diem.reshape(nhan.shape)
    danh_sach = -np.sum(softmax_hang(nhan) * np.log(softmax_hang(S))) / so_truy_van
    tong_cap, so_cap = 0.0, 0
    for q in range(so_truy_van):
        for i in range(so_tai_lieu):
            for j in range(so_tai_lieu):
                if nhan[q, i] > nhan[q, j]:
                    tong_cap += np.log(1 + np.exp(S[q, j] - S[q, i]))
                    so_cap += 1
    l2 = 0.0
    for ten in tham_so:
        if ten.startswith("W"):
            l2 += np.sum(tham_so[ten] ** 2)
    return danh_sach + ALPHA * tong_cap / so_cap + LAMBDA / 2 * l2


def dao_ham_diem(diem, nhan):
    so_truy_van, so_tai_lieu = nhan.shape
    S = diem.reshape(nhan.shape)
    dS = (softmax_hang(S) - softmax_hang(nhan)) / so_truy_van
    dcap, so_cap = np.zeros_like(S), 0
    for q in range(so_truy_van):
        for i in range(so_tai_lieu):
            for j in range(so_tai_lieu):
                if nhan[q, i] > nhan[q, j]:
                    g = -1 / (1 + np.exp(S[q, i] - S[q, j]))
                    dcap[q, i] += g
                    dcap[q, j] -= g
                    so_cap += 1
    dS = dS + ALPHA * dcap / so_cap
    return dS.reshape(-1, 1)


def lan_truyen_nguoc(tham_so, nho, mat_na, ddiem):
    so_lop = len(mat_na) + 1
    dao_ham = {}
    dao_ham[f"W{so_lop}"] = nho[f"A{so_lop - 1}"].T @ ddiem + LAMBDA * tham_so[f"W{so_lop}"]
    dA = ddiem @ tham_so[f"W{so_lop}"].T
    for l in range(so_lop - 1, 0, -1):
        dH = dA * mat_na[l - 1] / GIU_LAI
        dY = dH * (nho[f"Y{l}"] > 0)
        dZ, dao_ham[f"gamma{l}"], dao_ham[f"beta{l}"] = batchnorm_nguoc(dY, nho[f"bn{l}"])
        dao_ham[f"W{l}"] = nho[f"A{l - 1}"].T @ dZ + LAMBDA * tham_so[f"W{l}"]
        dA = dZ @ tham_so[f"W{l}"].T
    return dao_ham


def mot_buoc(tham_so, X, nhan, mat_na):
    diem, nho = lan_truyen_xuoi(tham_so, X, mat_na)
    mat_mat = tinh_mat_mat(tham_so, diem, nhan)
    ddiem = dao_ham_diem(diem, nhan)
    return mat_mat, (lan_truyen_nguoc(tham_so, nho, mat_na, ddiem),)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    queries, documents, sizes = 3, 4, (5, 7, 6, 1)
    parameters = {f"W{l}": 0.8 * rng.normal(size=sizes[l - 1 : l + 1]) for l in (1, 2, 3)}
    for l in (1, 2):
        parameters[f"gamma{l}"] = rng.uniform(0.6, 1.4, size=sizes[l])
        parameters[f"beta{l}"] = 0.5 * rng.normal(size=sizes[l])
    labels = np.array([rng.permutation([0.0, 1.0, 1.0, 2.0]) for _ in range(queries)])
    masks = [(rng.uniform(size=(queries * documents, size)) < 0.8) * 1.0 for size in sizes[1:3]]
    return call(user.mot_buoc, parameters, rng.normal(size=(queries * documents, sizes[0])), labels, masks, wrt=("tham_so",))


import numpy as np

BN = "    dZ = (n * dZ_chuan - dZ_chuan.sum(axis=0) - Z_chuan * np.sum(dZ_chuan * Z_chuan, axis=0)) / (n * do_lech)\n"
DH = "        dH = dA * mat_na[l - 1] / GIU_LAI\n"
DY = '        dY = dH * (nho[f"Y{l}"] > 0)\n'
DS = "    dS = (softmax_hang(S) - softmax_hang(nhan)) / so_truy_van\n"
PAIR = "                    g = -1 / (1 + np.exp(S[q, i] - S[q, j]))\n"
ADD = "                    dcap[q, i] += g\n                    dcap[q, j] -= g\n"
DW = '        dao_ham[f"W{l}"] = nho[f"A{l - 1}"].T @ dZ + LAMBDA * tham_so[f"W{l}"]\n'
DW_LAST = '    dao_ham[f"W{so_lop}"] = nho[f"A{so_lop - 1}"].T @ ddiem + LAMBDA * tham_so[f"W{so_lop}"]\n'
W, W_LAST = ('dao_ham[f"W{l}"]', "dao_ham"), ('dao_ham[f"W{so_lop}"]', "dao_ham")
GAMMA_BETA = '        dZ, dao_ham[f"gamma{l}"], dao_ham[f"beta{l}"] = batchnorm_nguoc(dY, nho[f"bn{l}"])\n'

RIGHT = [
    Right(
        BN,
        "    dphuong_sai = -0.5 * np.sum(dZ_chuan * Z_chuan, axis=0) / do_lech ** 2\n    dtrung_binh = -np.sum(dZ_chuan, axis=0) / do_lech\n    dZ = dZ_chuan / do_lech + dphuong_sai * 2 * Z_chuan * do_lech / n + dtrung_binh / n\n",
    ),
    Right(PAIR + ADD, "                    g = 1 / (1 + np.exp(-(S[q, i] - S[q, j]))) - 1\n                    dcap[q] += g * (np.eye(so_tai_lieu)[i] - np.eye(so_tai_lieu)[j])\n"),
    Right(DH + DY, '        dY = np.where(nho[f"A{l}"] > 0, dA / GIU_LAI, 0)\n'),
    Right(DW, '        dao_ham[f"W{l}"] = LAMBDA * tham_so[f"W{l}"]\n        dao_ham[f"W{l}"] += (dZ.T @ nho[f"A{l - 1}"]).T\n'),
    Right('        nho[f"H{l}"] = np.maximum(0, nho[f"Y{l}"])\n', '        nho[f"H{l}"] = np.maximum(0, nho[f"Y{l}"], out=nho[f"Y{l}"])\n'),
]

MISTAKES = [
    Mistake(("factor-const", "wrong-local-derivative"), "dH", DH, "        dH = dA * mat_na[l - 1]\n"),
    Mistake(("missing-activation-derivative", "wrong-local-derivative", "missing-weight-factor", "skipped-layer", "missing-branch", None), "dH", DH, "        dH = dA / GIU_LAI\n"),
    Mistake("relu-mask-from-wrong-tensor", "dY", DY, "        dY = dH * (dH > 0)\n"),
    Mistake(("relu-mask-from-wrong-tensor", "wrong-tensor-in-delta"), "dY", DY, '        dY = dH * (nho[f"bn{l}"][0] > 0)\n'),
    Mistake(("missing-branch", "detached-branch", "wrong-local-derivative"), "dZ", BN, "    dZ = dZ_chuan / do_lech\n"),
    Mistake(("missing-branch", "detached-branch", "wrong-local-derivative"), "dZ", BN, "    dZ = (n * dZ_chuan - Z_chuan * np.sum(dZ_chuan * Z_chuan, axis=0)) / (n * do_lech)\n"),
    Mistake(("wrong-local-derivative", "factor-const", "factor-N", None), "dZ", BN, "    dZ = (dZ_chuan - dZ_chuan.sum(axis=0) - Z_chuan * np.sum(dZ_chuan * Z_chuan, axis=0)) / (n * do_lech)\n"),
    Mistake(("missing-weight-factor", "skipped-layer"), "dZ_chuan", "    dZ_chuan = dY * gamma\n", "    dZ_chuan = dY\n"),
    Mistake(("ddof", "forward-differs"), ("phuong_sai", "dZ"), "phuong_sai = Z.var(axis=0)", "phuong_sai = Z.var(axis=0, ddof=1)"),
    Mistake("epsilon-ignored", ("return", "do_lech", "dZ", "(Z_chuan, gamma, do_lech)", 'nho[f"bn{l}"]', "batchnorm_xuoi"), "beta, (Z_chuan, gamma, do_lech)", "beta, (Z_chuan, gamma, np.sqrt(phuong_sai))"),
    Mistake(("wrong-tensor-in-weight-gradient", None), ("return", 'dao_ham[f"gamma{l}"]', 'dao_ham[f"beta{l}"]', "dgamma", "dbeta"), "    return dZ, dgamma, dbeta\n", "    return dZ, dbeta, dgamma\n"),
    Mistake(("factor-1/N", "bias-wrong-axis"), "dbeta", "    dbeta = np.sum(dY, axis=0)\n", "    dbeta = np.mean(dY, axis=0)\n"),
    Mistake("regulariser-forgotten", W, DW, '        dao_ham[f"W{l}"] = nho[f"A{l - 1}"].T @ dZ\n'),
    Mistake(("regulariser-scale", "factor-2"), W_LAST, DW_LAST, DW_LAST.replace("LAMBDA *", "2 * LAMBDA *")),
    Mistake("regulariser-on-wrong-parameter", ('dao_ham[f"gamma{l}"]', "dao_ham"), GAMMA_BETA, GAMMA_BETA + '        dao_ham[f"gamma{l}"] = dao_ham[f"gamma{l}"] + LAMBDA * tham_so[f"gamma{l}"]\n'),
    Mistake("wrong-tensor-in-weight-gradient", W_LAST, DW_LAST, DW_LAST.replace('nho[f"A{so_lop - 1}"]', 'nho[f"H{so_lop - 1}"]')),
    Mistake(("missing-target", "wrong-loss-derivative"), "dS", DS, "    dS = softmax_hang(S) / so_truy_van\n"),
    Mistake(("wrong-loss-derivative", "missing-target", "forward-differs", None), "dS", DS, "    dS = (softmax_hang(S) - nhan / nhan.sum(axis=1, keepdims=True)) / so_truy_van\n"),
    Mistake(("sign", "wrong-loss-derivative"), "g", PAIR, "                    g = 1 / (1 + np.exp(S[q, i] - S[q, j]))\n"),
    Mistake(("wrong-loss-derivative", "wrong-local-derivative", "sign", None), "g", PAIR, "                    g = -1 / (1 + np.exp(S[q, j] - S[q, i]))\n"),
    Mistake(("missing-branch", "detached-branch"), ("dcap", "dcap[q, i]", "dcap[q, j]", "dS"), ADD, "                    dcap[q, i] += g\n", fix=False),
    Mistake("overwritten-not-accumulated", ("dcap[q, i]", "dcap"), ADD, "                    dcap[q, i] = g\n                    dcap[q, j] -= g\n"),
    Mistake(("gradient-transposed", "wrong-tensor-in-delta", "wrong-shape", None), ("return", "ddiem", "dao_ham_diem"), "    return dS.reshape(-1, 1)\n", "    return dS.T.reshape(-1, 1)\n"),
]
