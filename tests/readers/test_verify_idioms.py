"""A wrong step is found whatever stands before or behind it: the ways in which people write a sigmoid and `x.T @ d`."""

import importlib.util
import sys
import textwrap

import numpy as np
import pytest

import autodiff as ad

IDIOMS = {
    "dot": "g = x.T @ d",
    "array of list": "g = np.array([x[:, j] @ d for j in range(4)])",
    "array of list of floats": "g = np.array([float(x[:, j] @ d) for j in range(4)])",
    "asarray": "g = np.asarray([np.sum(x[:, j] * d) for j in range(4)])",
    "append": "g = np.array([])\nfor j in range(4):\n    g = np.append(g, x[:, j] @ d)",
    "list append": "g = []\nfor j in range(4):\n    g.append(x[:, j] @ d)\ng = np.array(g)",
    "concatenate": "g = np.concatenate([[x[:, 0] @ d], x[:, 1:].T @ d])",
    "r_": "g = np.r_[x[:, 0] @ d, x[:, 1:].T @ d]",
    "hstack": "g = np.hstack([x[:, 0] @ d, x[:, 1:].T @ d])",
    "sum of generator": "g = sum(x[i] * d[i] for i in range(5))",
    "np.sum of list": "g = np.sum([x[i] * d[i] for i in range(5)], axis=0)",
    "zip": "g = sum(di * xi for di, xi in zip(d, x))",
    "tolist": "dl = d.tolist()\ng = sum(np.array(x[i]) * dl[i] for i in range(5))",
    "add.at": "g = np.zeros(4)\nfor i in range(5):\n    np.add.at(g, np.arange(4), x[i] * d[i])",
    "out": "g = np.empty(4)\nnp.dot(x.T, d, out=g)",
    "multiply out": "t = np.empty((5, 4))\nnp.multiply(x, d[:, None], out=t)\ng = t.sum(axis=0)",
    "add.reduce": "g = np.add.reduce(x * d[:, None], axis=0)",
    "outer": "g = np.multiply.outer(d, np.ones(4)).T\ng = np.einsum('ji,ij->j', g, x)",
    "einsum": "g = np.einsum('i,ij->j', d, x)",
    "tensordot": "g = np.tensordot(d, x, axes=1)",
    "copyto": "g = np.zeros(4)\nnp.copyto(g, x.T @ d)",
    "nditer": (
        "g = np.zeros(4)\n"
        "it = np.nditer(g, flags=['multi_index'])\n"
        "while not it.finished:\n"
        "    j = it.multi_index\n"
        "    g[j] = x[:, j[0]] @ d\n"
        "    it.iternext()"
    ),
    "ndenumerate": "g = np.zeros(4)\nfor (i,), di in np.ndenumerate(d):\n    g += x[i] * di",
    "ndindex": "g = np.zeros(4)\nfor (i, j) in np.ndindex(5, 4):\n    g[j] += x[i, j] * d[i]",
    "fill_diagonal": "D = np.zeros((5, 5))\nnp.fill_diagonal(D, d)\ng = (D @ x).sum(axis=0)",
    "diag": "g = (np.diag(d) @ x).sum(axis=0)",
    "vectorize": "f = np.vectorize(lambda t: t * 1.0)\ng = x.T @ f(d)",
    "apply_along_axis": "g = np.apply_along_axis(lambda c: c @ d, 0, x)",
    "map": "g = np.array(list(map(lambda j: x[:, j] @ d, range(4))))",
    "fromiter": "g = np.fromiter((x[:, j] @ d for j in range(4)), dtype=float)",
    "reduce": "import functools\ng = functools.reduce(np.add, [x[i] * d[i] for i in range(5)])",
    "reduce2": "import functools, operator\ng = functools.reduce(operator.add, [x[i] * d[i] for i in range(5)])",
    "astype": "g = (x.T @ d).astype(float)",
    "reshape": "g = (x.T @ d.reshape(-1, 1)).reshape(4)",
    "squeeze": "g = np.squeeze(x.T @ d[:, np.newaxis])",
    "dict": "c = {'d': d}\ng = x.T @ c['d']",
    "math.fsum": "import math\ng = np.array([math.fsum(x[i, j] * d[i] for i in range(5)) for j in range(4)])",
    "math.prod": "g = np.array([sum(x[i, j] * float(d[i]) for i in range(5)) for j in range(4)])",
    "np.float64": "g = np.zeros(4)\nfor i in range(5):\n    s = np.float64(d[i])\n    g += x[i] * s",
    "item": "g = np.zeros(4)\nfor i in range(5):\n    g += x[i] * d[i].item()",
    "bincount": "g = np.bincount(np.tile(np.arange(4), 5), weights=(x * d[:, None]).ravel(), minlength=4)",
    "insert": "g = np.insert(x[:, 1:].T @ d, 0, x[:, 0] @ d)",
    "block": "g = np.block([x[:, 0] @ d, x[:, 1:].T @ d])",
    "stack": "g = np.stack([x[:, j] @ d for j in range(4)])",
    "column_stack": "g = np.column_stack([x[:, j] * d for j in range(4)]).sum(axis=0)",
    "full": "g = np.zeros(4)\nfor i in range(5):\n    g += x[i] * np.full(4, d[i])",
    "full_like": "g = np.zeros(4)\nfor i in range(5):\n    g += np.full_like(g, d[i]) * x[i]",
    "broadcast_to": "g = (np.broadcast_to(d[:, None], (5, 4)) * x).sum(0)",
    "repeat": "g = (np.repeat(d, 4).reshape(5, 4) * x).sum(0)",
    "tile": "g = (np.tile(d, (4, 1)) * x.T).sum(1)",
    "where": "g = x.T @ np.where(d > 1e9, 0, d)",
    "clip": "g = x.T @ np.clip(d, -1e9, 1e9)",
    "cumsum": "g = np.cumsum(x * d[:, None], axis=0)[-1]",
    "matmul list": "g = np.dot([di for di in d], x)",
    "list times": (
        "dd = [di for di in d]\n"
        "g = np.zeros(4)\n"
        "for i in range(5):\n"
        "    for j in range(4):\n"
        "        g[j] += dd[i] * x[i, j]"
    ),
    "pure lists": "g = [0.0] * 4\nfor i in range(5):\n    for j in range(4):\n        g[j] += d[i] * x[i][j]",
    "iadd view": "g = np.zeros(4)\nv = g[:]\nv += x.T @ d",
    "ravel view": "G = np.zeros((2, 2))\nr = G.ravel()\nr += x.T @ d\ng = G.ravel()",
    "np.average": "g = np.average(x * d[:, None], axis=0) * 5",
    "np.mean": "g = np.mean(x * d[:, None], axis=0) * 5",
    "linalg.multi_dot": "g = np.linalg.multi_dot([d, x, np.eye(4)])",
    "inner": "g = np.inner(x.T, d)",
    "vdot": "g = np.array([np.vdot(x[:, j], d) for j in range(4)])",
    "convolve": "g = x.T @ np.convolve(d, [1.0], mode='same')",
    "nan_to_num": "g = x.T @ np.nan_to_num(d)",
    "copy": "import copy\ng = x.T @ copy.deepcopy(d)",
    "copy method": "g = x.T @ d.copy()",
    "np.array copy": "g = x.T @ np.array(d)",
    "namedtuple": "import collections\nP = collections.namedtuple('P', 'd')\ng = x.T @ P(d).d",
    "class": "class B: pass\nb = B()\nb.d = d\ng = x.T @ b.d",
    "deque": "import collections\nq = collections.deque()\nq.append(d)\ng = x.T @ q.pop()",
    "defaultdict": "import collections\nq = collections.defaultdict(lambda: 0)\nq['g'] += x.T @ d\ng = q['g']",
    "enumerate": "g = np.zeros(4)\nfor i, di in enumerate(d):\n    g += di * x[i]",
    "reversed": "g = np.zeros(4)\nfor i, di in reversed(list(enumerate(d))):\n    g += di * x[i]",
    "assert": "assert d.shape == (5,) and np.all(np.isfinite(d))\ng = x.T @ d",
    "isinstance": "assert isinstance(d, np.ndarray)\ng = x.T @ d",
    "type check": "if type(d) is not np.ndarray: raise TypeError\ng = x.T @ d",
    "dtype": "g = np.zeros(4, dtype=d.dtype)\ng += x.T @ d",
    "abs max": "m = max(abs(v) for v in d)\ng = x.T @ (d / m) * m",
    "norm clip": "n = np.linalg.norm(d)\ng = x.T @ (d if n < 1e9 else d / n)",
    "pow": "g = x.T @ (np.sign(d) * abs(d) ** 1)",
    "round": "k = round(float(d[0]))\ng = x.T @ d",
    "int": "k = int(d[0])\ng = x.T @ d",
    "sorted": "k = sorted(d)\ng = x.T @ d",
    "argsort": "k = np.argsort(d)\ng = x[k].T @ d[k]",
    "max key": "k = max(range(5), key=lambda i: d[i])\ng = x.T @ d",
    "np.matmul.T": "g = np.transpose(np.matmul(np.transpose(d[:, None]), x))[:, 0]",
    "swapaxes": "g = np.swapaxes(x, 0, 1) @ d",
    "moveaxis": "g = np.moveaxis(x, 0, -1) @ d",
    "put": "g = np.zeros(4)\nnp.put(g, range(4), x.T @ d)",
    "putmask": "g = np.zeros(4)\nnp.putmask(g, np.ones(4, bool), x.T @ d)",
    "place": "g = np.zeros(4)\ng[np.ones(4, bool)] = x.T @ d",
    "take": "g = np.take(x, range(5), axis=0).T @ np.take(d, range(5))",
    "errstate": "with np.errstate(all='ignore'):\n    g = x.T @ d",
    "try": "try:\n    g = x.T @ d\nexcept ValueError:\n    g = None",
    "lambda": "h = lambda v: x.T @ v\ng = h(d)",
    "nested def": "def h(v):\n    return x.T @ v\ng = h(d)",
    "generator fn": "def h(v):\n    for i in range(5):\n        yield x[i] * v[i]\ng = sum(h(d))",
    "walrus": "g = x.T @ (e := d)",
    "star": "parts = [d[:2], d[2:]]\ng = x.T @ np.concatenate([*parts])",
    "slice assign": "e = np.empty(5)\ne[:2] = d[:2]\ne[2:] = d[2:]\ng = x.T @ e",
    "global rng": "np.random.rand()\ng = x.T @ d",
    "empty_like": "g = np.empty_like(w)\ng[:] = x.T @ d",
    "ones": "g = np.ones(5) @ (x * d[:, None])",
    "einsum out": "g = np.empty(4)\nnp.einsum('i,ij->j', d, x, out=g)",
    "sum out": "g = np.empty(4)\nnp.sum(x * d[:, None], axis=0, out=g)",
    "np.negative": "g = -np.negative(x.T @ d)",
    "list mult": "g = np.array([a for a in (x.T @ d)])",
    "sum start": "g = sum([x[i] * d[i] for i in range(5)], np.zeros(4))",
    "itertools": (
        "import itertools\n"
        "g = np.zeros(4)\n"
        "for i, j in itertools.product(range(5), range(4)):\n"
        "    g[j] += x[i, j] * d[i]"
    ),
    "np.select": "g = x.T @ np.select([d > 1e9, d <= 1e9], [0 * d, d])",
    "np.piecewise": "g = x.T @ np.piecewise(d, [d > 1e9], [0, lambda v: v])",
    "split": "a, b = np.split(x * d[:, None], [2])\ng = a.sum(0) + b.sum(0)",
    "array_split": "g = sum(p.sum(0) for p in np.array_split(x * d[:, None], 2))",
    "np.vstack": "g = np.vstack([x[i] * d[i] for i in range(5)]).sum(axis=0)",
    "kron": "g = np.kron(d, np.ones(4)).reshape(5, 4)\ng = (g * x).sum(0)",
    "np.ix_": "g = x[np.ix_(range(5), range(4))].T @ d",
    "ufunc.reduceat": "g = np.add.reduceat(x * d[:, None], [0], axis=0)[0]",
    "object array": "o = np.empty(1, dtype=object)\no[0] = d\ng = x.T @ o[0]",
    "list of arrays": "ds = np.array([d, d])\ng = x.T @ ds[0]",
    "setattr": "class B: pass\nb = B()\nsetattr(b, 'd', d)\ng = x.T @ getattr(b, 'd')",
    "vars": "c = dict(d=d)\nc.update(g=x.T @ d)\ng = c['g']",
    "comprehension dict": "c = {k: x[:, k] @ d for k in range(4)}\ng = np.array([c[k] for k in range(4)])",
    "np.array dict values": "c = {k: x[:, k] @ d for k in range(4)}\ng = np.array(list(c.values()))",
    "np.real": "g = np.real(x.T @ d)",
    "fft": "g = x.T @ np.real(np.fft.ifft(np.fft.fft(d)))",
}
EVERYDAY = {
    "concatenate",
    "copy",
    "fromiter",
    "full",
    "hstack",
    "math.fsum",
    "matmul list",
    "ndenumerate",
    "pure lists",
    "tolist",
    "type check",
    "vectorize",
}
FORWARD = {
    "list": "p = np.array([1 / (1 + np.exp(-zi)) for zi in z])",
    "math": "import math\np = np.array([1 / (1 + math.exp(-zi)) for zi in z])",
    "vectorize": "import math\nsig = np.vectorize(lambda t: 1 / (1 + math.exp(-t)))\np = sig(z)",
    "vectorize deco": (
        "@np.vectorize\n"
        "def sig(t):\n"
        "    return 1 / (1 + np.exp(-t)) if t >= 0 else np.exp(t) / (1 + np.exp(t))\n"
        "p = sig(z)"
    ),
    "mask assign": (
        "p = np.empty_like(z)\n"
        "pos = z >= 0\n"
        "p[pos] = 1 / (1 + np.exp(-z[pos]))\n"
        "e = np.exp(z[~pos])\n"
        "p[~pos] = e / (1 + e)"
    ),
    "scipy": "from scipy.special import expit\np = expit(z)",
    "scipy logsumexp": (
        "from scipy.special import logsumexp\np = np.exp(z - logsumexp(np.stack([z, np.zeros(5)]), axis=0))"
    ),
    "scipy softmax": "from scipy.special import softmax\np = softmax(np.stack([np.zeros(5), z], 1), axis=1)[:, 1]",
    "loop": "p = np.zeros(5)\nfor i in range(5):\n    p[i] = 1 / (1 + np.exp(-z[i]))",
    "out": "p = np.empty(5)\nnp.exp(-z, out=p)\np += 1\nnp.reciprocal(p, out=p)",
    "inplace": "p = -z\nnp.exp(p, p)\np += 1\np = 1 / p",
    "class": "class S:\n    def __call__(self, t):\n        return 1 / (1 + np.exp(-t))\np = S()(z)",
    "static": "class S:\n    @staticmethod\n    def f(t):\n        return 1 / (1 + np.exp(-t))\np = S.f(z)",
    "classmethod": ("class S:\n    @classmethod\n    def f(cls, t):\n        return 1 / (1 + np.exp(-t))\np = S.f(z)"),
    "property": (
        "class S:\n"
        "    def __init__(self, t): self.t = t\n"
        "    @property\n"
        "    def v(self):\n"
        "        return 1 / (1 + np.exp(-self.t))\n"
        "p = S(z).v"
    ),
    "dict of functions": "act = {'s': lambda t: 1 / (1 + np.exp(-t))}\np = act['s'](z)",
    "partial": "import functools\nf = functools.partial(lambda k, t: 1 / (1 + np.exp(-k * t)), 1.0)\np = f(z)",
    "wraps": (
        "import functools\n"
        "def deco(f):\n"
        "    @functools.wraps(f)\n"
        "    def g(*a, **k):\n"
        "        return f(*a, **k)\n"
        "    return g\n"
        "@deco\n"
        "def s(t):\n"
        "    return 1 / (1 + np.exp(-t))\n"
        "p = s(z)"
    ),
    "softmax c_": "s = np.c_[np.zeros(5), z]\np = (np.exp(s) / np.exp(s).sum(axis=1, keepdims=True))[:, 1]",
    "logaddexp reduce": "p = np.exp(z - np.logaddexp.reduce(np.stack([z, np.zeros(5)]), axis=0))",
    "piecewise": (
        "p = np.piecewise(z, [z < 0, z >= 0], [lambda t: np.exp(t) / (1 + np.exp(t)), lambda t: 1 / (1 + np.exp(-t))])"
    ),
    "max list": "m = max(z)\ne = [np.exp(t - m) for t in z]\np = np.array([a / (a + np.exp(-m)) for a in e])",
    "float": "p = np.array([1 / (1 + np.exp(-float(t))) for t in z])",
    "recursion": "def s(t, k):\n    return 1 / (1 + np.exp(-t)) if k == 0 else s(t, k - 1)\np = s(z, 3)",
    "nonlocal": "p = None\ndef f():\n    nonlocal p\n    p = 1 / (1 + np.exp(-z))\nf()",
    "global keyword": "global P\nP = 1 / (1 + np.exp(-z))\np = P",
    "dataclass": ("import dataclasses\n@dataclasses.dataclass\nclass C:\n    z: object\np = 1 / (1 + np.exp(-C(z).z))"),
    "np.vectorize 2 args": "f = np.vectorize(lambda t, k: 1 / (1 + np.exp(-k * t)))\np = f(z, 1.0)",
    "exec": "ns = {'z': z, 'np': np}\nexec('p = 1 / (1 + np.exp(-z))', ns)\np = ns['p']",
    "starred": "p, *_ = [1 / (1 + np.exp(-z)), 2]",
}
STEP = """
import numpy as np

x, y = np.random.default_rng(1).normal(size=(5, 4)), np.array([1.0, 0.0, 1.0, 1.0, 0.0])

def step(w):
    z = x @ w
{forward}
    loss = -np.sum(y * np.log(p) + (1 - y) * np.log(1 - p))
    d = {delta}
{backward}
    return loss, g
"""


def report(path, delta, monkeypatch, forward="p = 1 / (1 + np.exp(-z))", backward="g = x.T @ d"):
    forward, backward = (textwrap.indent(text, "    ") for text in (forward, backward))
    path.write_text(STEP.format(delta=delta, forward=forward, backward=backward), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, path.stem, module)  # where dataclasses look
    spec.loader.exec_module(module)
    return ad.verify(module.step, np.random.default_rng(3).normal(size=4))


def everyday(names, always=()):
    """Each sixth of them, and some; all others in an exhaustive run."""
    marks = [() if name in always or i % 6 == 0 else pytest.mark.exhaustive for i, name in enumerate(names)]
    return [pytest.param(name, marks=mark) for name, mark in zip(names, marks, strict=True)]


@pytest.mark.parametrize("name", everyday(IDIOMS, EVERYDAY))
def test_what_is_behind_a_wrong_step_does_not_hide_it(name, tmp_path, monkeypatch):
    check(tmp_path, monkeypatch, backward=IDIOMS[name])


@pytest.mark.parametrize("name", everyday(FORWARD, ("vectorize deco", "classmethod", "property", "scipy softmax")))
def test_what_is_before_a_wrong_step_does_not_hide_it(name, tmp_path, monkeypatch):
    check(tmp_path, monkeypatch, forward=FORWARD[name])


def check(folder, monkeypatch, **idiom):
    assert report(folder / "right.py", "p - y", monkeypatch, **idiom).verdict == "right"
    wrong = report(folder / "wrong.py", "(p - y) * p * (1 - p)", monkeypatch, **idiom)
    assert (wrong.verdict, wrong.first_wrong) == ("wrong", "d"), str(wrong)
    assert wrong.fix is not None
    assert wrong.cause in ("activation-derivative-twice", "wrong-loss-derivative")
