"""Generated C, the floor for machine code: loops as gcc vectorises them, products by the BLAS that comes with SciPy."""

import ctypes
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from scipy.linalg import cython_blas

from tests.benchmarks.workloads import Array, Problem

HEAD = """
#include <math.h>
typedef void product(const char *, const char *, const int *, const int *, const int *, const T *, const T *,
                     const int *, const T *, const int *, const T *, T *, const int *);
static product *gemm;
static T *X, *y, *W[LAYERS], rate;

void given(product *blas, T *X_, T *y_, T **W_, double rate_) {
    gemm = blas, X = X_, y = y_, rate = rate_;
    for (int l = 0; l < LAYERS; l++) W[l] = W_[l];
}

static void dot(int tx, int ty, int m, int n, int k, const T *x, const T *y, T *out) {
    const T one = 1, zero = 0;
    gemm(ty ? "T" : "N", tx ? "T" : "N", &n, &m, &k, &one, y, ty ? &k : &n, x, tx ? &m : &k, &zero, out, &n);
}
"""
FORWARD = """
    dot(0, 0, {batch}, {n}, {m}, {before}, W[{l}], a{l});
    for (int i = 0; i < {batch} * {n}; i++) a{l}[i] = 1 / (1 + EXP(-a{l}[i]));"""
LOSS = """
    for (int i = 0; i < {batch} * {n}; i++) {{
        const T e = a{l}[i] - y[i];
        loss += e * e;
        d{l}[i] = e * a{l}[i] * (1 - a{l}[i]);
    }}"""
BACK = """
    dot(0, 1, {batch}, {m}, {n}, d{l}, W[{l}], d{k});
    for (int i = 0; i < {batch} * {m}; i++) d{k}[i] *= a{k}[i] * (1 - a{k}[i]);"""
UPDATE = """
    dot(1, 0, {m}, {n}, {batch}, {before}, d{l}, gradient);
    for (int i = 0; i < {m} * {n}; i++) W[{l}][i] -= rate * gradient[i];"""


def program(batch: int, shapes: list[tuple[int, ...]]) -> str:
    """`update`, and `updates`, which has the loop inside."""
    last = len(shapes) - 1
    places = [
        {"l": i, "k": i - 1, "m": m, "n": n, "batch": batch, "before": f"a{i - 1}" if i else "X"}
        for i, (m, n) in enumerate(shapes)
    ]
    memory = "".join("static T a{l}[{batch} * {n}], d{l}[{batch} * {n}];\n".format(**place) for place in places)
    memory += f"static T gradient[{max(m * n for m, n in shapes)}];\n"
    body = "".join(FORWARD.format(**place) for place in places) + LOSS.format(**places[last])
    for place in reversed(places):
        body += (BACK if place["l"] else "").format(**place) + UPDATE.format(**place)
    step = f"double update(void) {{\n    T loss = 0;{body}\n    return loss / 2;\n}}\n"
    return HEAD + memory + step + "void updates(int n) { while (n--) update(); }\n"


class C:
    def __init__(self, problem: Problem) -> None:
        self.X, self.y, self.W, rate = problem
        number, letter, exp = ("double", "d", "exp") if self.X.dtype == np.float64 else ("float", "s", "expf")
        with tempfile.TemporaryDirectory() as folder:
            source, library = Path(folder, "step.c"), Path(folder, "step.so")
            source.write_text(program(len(self.X), [W.shape for W in self.W]))
            definitions = [f"-DT={number}", f"-DEXP={exp}", f"-DLAYERS={len(self.W)}"]
            options = ["-O3", "-march=native", "-ffast-math", "-shared", "-fPIC"]
            subprocess.run(["cc", *options, *definitions, source, "-o", library, "-lm"], check=True)
            code = ctypes.CDLL(str(library))
        pointers = (ctypes.c_void_p * len(self.W))(*(W.ctypes.data for W in self.W))
        address = [ctypes.c_void_p(self.X.ctypes.data), ctypes.c_void_p(self.y.ctypes.data)]
        code.given(_address(f"{letter}gemm"), *address, pointers, ctypes.c_double(rate))
        self.step = code.update
        self.step.restype = ctypes.c_double
        self.loop = code.updates

    def weights(self) -> list[Array]:
        return self.W


class Loop(C):
    def steps(self, n: int) -> None:
        self.loop(n)


def _address(name: str) -> ctypes.c_void_p:
    """Where a function of SciPy's BLAS is."""
    capsule = cython_blas.__pyx_capi__[name]
    api = ctypes.pythonapi
    api.PyCapsule_GetName.restype, api.PyCapsule_GetName.argtypes = ctypes.c_char_p, [ctypes.py_object]
    api.PyCapsule_GetPointer.restype = ctypes.c_void_p
    api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    return ctypes.c_void_p(api.PyCapsule_GetPointer(capsule, api.PyCapsule_GetName(capsule)))
