"""Threads and async tasks do not disturb each other: all at the same time, they find the bits of one after another.

`pytest tests/engine/test_threads.py --exhaustive` runs 1,000 rounds instead of 30.
"""

import asyncio
import contextlib
import hashlib
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import settings

import autodiff as ad
import nn

from .measures import assert_same, bits

EXHAUSTIVE = settings().max_examples > 1000
ROUNDS, STARTS = (1000, 30) if EXHAUSTIVE else (30, 2)
THREADS = 16


@pytest.fixture(autouse=True)
def eager_switches():
    """Threads take turns after a microsecond, not after five milliseconds."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def together(works):
    """The results of functions that are called at once, each in a thread of its own."""
    results, errors, start = [None] * len(works), [], threading.Barrier(len(works))

    def run(k, work):
        start.wait()
        try:
            results[k] = work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


def records():
    return (ad.Tensor(1.0) * 2).requires_grad


# --- each does its own ------------------------------------------------------------------------------------------------


def network(w, x):
    return np.sum(np.tanh(x @ w) ** 2) + np.mean(ad.softmax(w, axis=0) * np.exp(-w * w))


def training(w, x):
    w = ad.Tensor(w)
    for _ in range(3):
        network(w, x).backward()
        with ad.no_grad():
            w -= 0.1 * w.grad
        w.zero_grad()
    return w.numpy()


def quiet(w, x):
    """no_grad() inside no_grad(), and recording again after it."""
    w = ad.Tensor(w)
    for depth in range(4):
        with contextlib.ExitStack() as stack:
            for _ in range(depth):
                stack.enter_context(ad.no_grad())
            assert network(w, x).requires_grad == records() == (depth == 0)
    assert records()
    return network(w, x).item()


def written(w, x):
    """Views and writes."""
    w = ad.Tensor(w)
    z = w * 1.0
    rows = z[1:].T
    z[0] = w[1] ** 2
    rows *= w[0, 0]
    z[z < 0] *= 0.5
    np.sum(rows * x[:1, :1] + z[1:].T).backward()
    return w.grad


def watched(w, x):
    with ad.anomaly():
        (gradient,) = ad.gradients(network(t := ad.Tensor(w), x), [t])
        with ad.anomaly(), pytest.raises(ad.errors.AnomalyError), np.errstate(all="ignore"):
            np.log(t * 0.0)
    return gradient


def twice(w, x):
    w = ad.Tensor(w)
    (gradient,) = ad.gradients(network(w, x), [w], record=True)
    return ad.gradients(np.sum(gradient * gradient), [w])[0]


def hooked(w, x):
    w = ad.Tensor(w)
    z = np.tanh(w)
    z.on_gradient(lambda g: g * 0.5)
    network(z, x).backward()
    return w.grad


def module(w, x):
    model = nn.MLP([4, 5, 1], rng=0)
    step = nn.TrainStep(model, "squared_error", nn.Adam(model.parameters(), lr=0.1))
    return [step(x, np.sum(x, axis=1, keepdims=True)) for _ in range(3)]


WORKS = {
    "training": training,
    "no_grad": quiet,
    "writes": written,
    "anomaly": watched,
    "record=True": twice,
    "on_gradient": hooked,
    "a module": module,
    "grad": lambda w, x: ad.grad(network)(w, x),
    "hessian": lambda w, x: ad.hessian(lambda v: network(v, x))(w),
    "hvp": lambda w, x: ad.hvp(lambda v: network(v, x), (w,), (np.cos(w),))[0],
    "vmap": lambda w, x: ad.vmap(ad.grad(network), (None, 0))(w, x),
    "checkpoint": lambda w, x: ad.grad(ad.checkpoint(network))(w, x),
    "composed rows": lambda w, x: ad.grad(lambda v: np.linalg.norm(np.kron(v, x)) + np.median(np.add.reduce(v, 0)))(w),
}


def data(seed):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((4, 3)), rng.standard_normal((5, 4))


def test_threads_give_the_serial_bits():
    """16 threads at once, each time with other neighbours."""
    works = list(WORKS.values())
    alone = [[bits(work(*data(seed))) for work in works] for seed in range(THREADS)]
    for turn in range(ROUNDS):
        mine = [(works[(seed + turn) % len(works)], seed) for seed in range(THREADS)]
        found = together([lambda work=work, seed=seed: bits(work(*data(seed))) for work, seed in mine])
        for (work, seed), result in zip(mine, found, strict=True):
            assert result == alone[seed][works.index(work)], f"{work} in round {turn}"


def test_async_tasks_give_the_serial_bits():
    async def train(seed, turns):
        w, x = data(seed)
        w = ad.Tensor(w)
        for turn in range(turns):
            loss = network(w, x)
            await asyncio.sleep(0)
            loss.backward()
            for depth in range(seed % 3):
                with ad.no_grad(), ad.no_grad():
                    await asyncio.sleep(0)
                    assert not records(), depth
            with ad.no_grad():
                await asyncio.sleep(0)
                w -= 0.1 * w.grad
            with ad.anomaly():
                await asyncio.sleep(0)
                assert records()
            await asyncio.to_thread(w.zero_grad)
            assert records(), turn
        return bits(w)

    async def all_at_once():
        return await asyncio.gather(*[train(seed, turns) for seed in range(THREADS)])

    async def one_by_one():
        return [await train(seed, turns) for seed in range(THREADS)]

    turns = ROUNDS // 10
    assert asyncio.run(all_at_once()) == asyncio.run(one_by_one())


# --- what they share --------------------------------------------------------------------------------------------------


def test_one_graph_that_some_release_and_others_read():
    w = ad.Tensor(data(0)[0])
    loss = network(w, data(0)[1])
    (expected,) = ad.gradients(loss, [w])

    def read():
        return ad.gradients(loss, [w])[0]

    for _ in range(ROUNDS):
        for gradient in together([loss.backward, read, lambda: ad.grad(network)(w, data(0)[1])] * 5):
            if gradient is not None:
                assert_same(gradient, expected)


def test_a_leaf_that_all_add_to():
    """Integers, whose sum does not depend on the order; so many that NumPy lets other threads run while it adds."""
    w = ad.Tensor(np.ones((50, 60)))
    for _ in range(ROUNDS):
        together([lambda k=k: np.sum(w * k).backward() for k in range(THREADS)])
        assert_same(w.grad, np.full((50, 60), float(sum(range(THREADS)))))
        w.zero_grad()


@pytest.mark.parametrize("exposed", [False, True], ids=["", "data"])
def test_a_view_that_all_read(exposed):
    """After its root was written, the first who reads it makes it again, and there are 16 of them."""
    w = ad.Tensor(np.arange(6.0).reshape(2, 3))
    view = w.T[1:]
    if exposed:
        w.data[...] *= 1.0

    def read():
        return ad.gradients(np.sum(view**2 * view.T[0, 0]), [w])[0]

    for turn in range(ROUNDS):
        with ad.no_grad():
            w[...] = w - 0.5
        for gradient in together([read] * THREADS):
            v = w.numpy().T[1:]
            expected = np.zeros((3, 2))
            expected[1:] = 2 * v * v[0, 0]
            expected[1, 0] += np.sum(v**2)
            np.testing.assert_array_equal(gradient, expected.T, err_msg=f"round {turn}")


@pytest.mark.parametrize("context", [ad.no_grad, ad.anomaly])
def test_one_context_that_all_enter(context):
    shared = context()

    def enter():
        for _ in range(10):
            with shared, shared:
                assert records() == (context is ad.anomaly)
            assert records()
        return ad.Tensor(1.0)._node.index

    for _ in range(ROUNDS):
        assert len(set(together([enter] * THREADS))) == THREADS


def test_the_users_own_function_that_all_call():
    cube = ad.primitive(lambda x: x**3, "g * 3 * x**2")
    works = [lambda k=k: ad.grad(lambda x: np.sum(cube(x)))(np.full(3, float(k))) for k in range(THREADS)]
    for k, gradient in enumerate(together(works)):
        assert_same(gradient, np.full(3, 3.0 * k**2))


# --- from a cold start ------------------------------------------------------------------------------------------------

COLD = """
import hashlib, sys, threading, warnings
warnings.simplefilter("error")
sys.setswitchinterval(1e-6)
start = threading.Barrier(int(sys.argv[1]))

def work(k):
    start.wait()
    import numpy as np
    import autodiff as ad
    import nn
    from autodiff.primitive import TABLE

    x = (np.sin(np.arange(1.0, 13) ** 2).reshape(3, 4) + 2) / 3
    found = []
    for f in (
        lambda t: -t + t * 2 - 1 / t + t**2 / (1 + t),
        lambda t: t @ t.T,
        lambda t: t.sum(0) + t.mean(axis=0) + t.max(0),
        lambda t: np.exp(np.sin(t)) * np.tanh(t),
        lambda t: np.where(t > 0.5, np.sqrt(t), t),
        lambda t: t[1:].T.reshape(-1),
        lambda t: ad.softmax(t, axis=1) + ad.relu(t) + ad.sigmoid(t) + ad.logsumexp(t),
        lambda t: np.linalg.inv(t[:, :3] + np.eye(3)),
        lambda t: np.abs(np.fft.fft(t)),
        lambda t: np.einsum("ij,kj->ik", t, t),
        lambda t: np.concatenate([t, t]) + np.sort(t)[0],
        lambda t: np.add.reduce(t, 1, where=x > 0.2),
        lambda t: np.linalg.svd(t)[1],
        lambda t: np.median(t, axis=0),
        lambda t: t.cumsum(0) + t.std() + t.var(),
        lambda t: t.copy().swapaxes(0, 1),
        lambda t: np.pad(t, 1, mode="reflect"),
    ):
        t = ad.Tensor(x)
        with ad.anomaly():
            out = f(t)
        (gradient,) = ad.gradients(np.sum(out * out), [t], record=True)
        found += [out, *ad.gradients(np.sum(gradient * gradient), [t])]
        found.append(ad.jvp(f, (x,), (x,))[1])
    z = ad.Tensor(x) * 1
    z += 1; z -= 0.5; z *= 2; z /= 3; z[z > 1] = 0.5; z[0] @= np.eye(4)
    np.copyto(z[0], 0.25)
    np.add.at(z, [0, 0], 1.0)
    found += [z, ad.vmap(ad.grad(lambda v: np.sum(np.tanh(v) ** 2)))(x)]
    model = nn.MLP([4, 3, 1], rng=0)
    found += [nn.TrainStep(model, nn.mse, nn.Adam(model.parameters(), lr=0.1))(x, x[:, :1])]
    arrays = [a.numpy() if isinstance(a, ad.Tensor) else np.asarray(a) for a in found]
    results[k] = hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest()

results = [None] * int(sys.argv[1])
threads = [threading.Thread(target=work, args=(k,)) for k in range(len(results))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(*results)
"""


def cold(threads):
    """What threads find in a fresh interpreter, where nothing has been generated yet."""
    done = subprocess.run([sys.executable, "-c", COLD, str(threads)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout.split()


def test_first_uses_at_once():
    """The import, recording functions, methods, rules: each is made when it is first asked for, here by 16 at once."""
    alone = cold(1)
    assert len(alone[0]) == len(hashlib.sha256().hexdigest())
    for _ in range(STARTS):
        assert cold(THREADS) == alone * THREADS
