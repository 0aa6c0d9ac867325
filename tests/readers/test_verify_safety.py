"""What verify runs changes nothing: no array, no variable, no class, no random state; also when it fails midway."""

import functools
import random
import sys
import threading
import types
import warnings

import numpy as np
import pytest

import autodiff as ad
from autodiff.readers.verifying.pure import only_computes

X = np.arange(15.0).reshape(5, 3) / 7
Y = np.cos(np.arange(10.0)).reshape(5, 2)
W = np.sin(np.arange(6.0)).reshape(3, 2)
CALLS = []
TOTAL = 0
STATE = {"runs": 0, "last": None, "deep": {"list": [1, 2]}}
GENERATOR = np.random.default_rng(1)
LOSSES: list = []


class Model:
    """Weights in attributes, and habits that nobody should have."""

    runs = 0
    history = []  # noqa: RUF012
    cache = np.zeros(3)
    rng = np.random.default_rng(5)

    def __init__(self, W):
        self.W = W.copy()
        self.log = []

    def step(self, X, Y):
        type(self).runs += 1
        Model.history.append(1)
        Model.cache[:] = 7
        Model.rng.normal()
        Model.new = "made on the way"
        self.log.append(1)
        r = X @ self.W - Y
        loss = np.sum(r**2) / 2
        dW = X.T @ r
        self.W -= 0.1 * dW
        return loss, dW


def plain(W):
    r = X @ W - Y
    return np.sum(r**2) / 2, X.T @ r


def writes_arguments(W):
    loss, g = plain(W)
    W -= g
    return loss, g


def writes_globals(W):
    global TOTAL
    TOTAL += 1
    CALLS.append(1)
    STATE["runs"] += 1
    STATE["deep"]["list"].append(3)
    STATE["last"] = W
    X[0] += 0
    loss, g = plain(W)
    X[:] = 0
    return loss, g


def draws_numbers(W):
    np.random.normal(size=3)
    random.random()
    GENERATOR.normal(size=2)
    np.random.seed(3)
    return plain(W)


def with_a_default(W, seen=[], table=np.ones(2), *, more={}):  # noqa: B006, B008
    seen.append(1)
    table += 1
    more["x"] = 1
    return plain(W)


def changes_switches(W):
    np.seterr(all="raise")
    warnings.simplefilter("error")
    return plain(W)


def made_closure():
    count, kept = 0, []

    def step(W):
        nonlocal count
        count += 1
        kept.append(W)
        return plain(W)

    return step


class Made:
    """An object that is made on the way, whose constructor runs as it is."""

    made = 0

    def __init__(self):
        global TOTAL
        TOTAL += 1
        Made.made += 1
        STATE["runs"] += 1


def makes_objects(W):
    Made()
    return plain(W)


def failing(step):
    """The same, but for an error at its end."""

    @functools.wraps(step)
    def fails(W):
        step(W)
        raise RuntimeError("midway")

    return fails


STEPS = [plain, writes_arguments, writes_globals, draws_numbers, with_a_default, changes_switches, makes_objects]


def everything():
    """All that the functions above could change."""
    return repr(
        (
            [array.tolist() for array in (X, Y, W, Model.cache)],
            (CALLS, TOTAL, STATE, LOSSES, Model.runs, Model.history, Made.made, hasattr(Model, "new")),
            (with_a_default.__defaults__, with_a_default.__kwdefaults__),
            [str(rng.bit_generator.state) for rng in (GENERATOR, Model.rng)],
            (str(np.random.get_state()), random.getstate(), np.geterr(), warnings.filters),
        )
    )


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("step", [*STEPS, made_closure()], ids=lambda step: getattr(step, "__name__", None))
def test_nothing_is_changed(step, fails):
    before = everything()
    if fails:
        with pytest.raises(RuntimeError, match="midway"):
            ad.verify(failing(step), W)
    else:
        assert ad.verify(step, W).ok
    assert everything() == before
    if step.__closure__:
        assert [cell.cell_contents for cell in step.__closure__] == [0, []]


def test_an_object_and_its_class_are_left_as_they_were():
    model = Model(W)
    before = everything(), model.W.tolist(), model.log
    report = ad.verify(model.step, X, Y, loss="loss", gradients={"self.W": "dW"})
    assert report.verdict in ("right", "wrong")
    assert (everything(), model.W.tolist(), model.log) == before


def test_a_module_is_left_as_it_was():
    helpers = types.ModuleType("users_helpers")
    source = (
        "count = 0\nseen = []\ndef add(a, b):\n    global count\n    count += 1\n    seen.append(1)\n    return a + b\n"
    )
    exec(source, vars(helpers))
    sys.modules["users_helpers"] = helpers
    try:

        def step(W):
            helpers.flag = True
            helpers.seen.append(2)
            r = helpers.add(X @ W, -Y)
            return np.sum(r**2) / 2, X.T @ r

        assert ad.verify(step, W).ok
        assert (helpers.count, helpers.seen, hasattr(helpers, "flag")) == (0, [], False)
    finally:
        del sys.modules["users_helpers"]


def test_without_the_source_nothing_is_changed_either():
    space = {"np": np, "X": X, "Y": Y, "n": 0, "kept": [], "plain": plain}
    exec("def step(W):\n    global n\n    n += 1\n    kept.append(1)\n    print('seen')\n    return plain(W)\n", space)
    assert ad.verify(space["step"], W).ok
    assert (space["n"], space["kept"]) == (0, [])


def test_read_only_arrays_are_no_obstacle():
    locked = W.copy()
    locked.flags.writeable = False
    assert ad.verify(plain, locked).ok


def test_prints_do_not_appear(capsys):
    def step(W):
        print("loss", end="")  # noqa: T201
        print("to stderr", file=sys.stderr)  # noqa: T201
        loss, g = plain(W)
        return loss, g

    assert ad.verify(step, W).ok
    said = capsys.readouterr()
    assert said.out == said.err == ""


def test_other_threads_may_print_and_verify_meanwhile(capsys):
    stop = threading.Event()

    def talk():
        count = 0
        while not stop.is_set() and count < 10_000:
            count += 1
            print(f"line {count}")  # noqa: T201
        print("total", count)  # noqa: T201

    talker = threading.Thread(target=talk)
    verdicts = []
    verifiers = [threading.Thread(target=lambda: verdicts.append(ad.verify(plain, W).verdict)) for _ in range(3)]
    before = list(warnings.filters), np.geterr()
    for thread in (talker, *verifiers):
        thread.start()
    for thread in verifiers:
        thread.join()
    stop.set()
    talker.join()
    *lines, total = capsys.readouterr().out.splitlines()
    assert verdicts == ["right"] * 3
    assert lines == [f"line {i}" for i in range(1, int(total.split()[1]) + 1)]
    assert (list(warnings.filters), np.geterr()) == before


def test_random_numbers_are_the_same_in_every_run():
    def dropout(W):
        mask = np.random.random((5, 3)) < 0.5
        noise = GENERATOR.normal(size=(5, 2))
        r = (X * mask) @ W - Y - noise
        return np.sum(r**2) / 2, (X * mask).T @ r

    assert ad.verify(dropout, W).ok


def test_only_what_was_passed_is_executed():
    ran = []

    class Trap:
        def __getattr__(self, name):
            if name.startswith("__"):
                raise AttributeError(name)
            ran.append(name)
            return lambda *a: ran.append(name)

    trap, other = Trap(), lambda *a: ran.append("other")

    def step(W, trap=trap, other=other):
        return plain(W)

    assert ad.verify(step, W).ok
    assert ran == []


# A line that mends a derivation may call a function of the user's: one that only computes


class Silent:
    slope = 0.01

    def send(self, z):
        open("sent", "w").close()
        return z

    def deploy(self, z):
        return self.send(z)

    def prime(self, z):
        return np.where(z > 0, 1, self.slope) * sigmoid(z)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def sigmoid_prime(z):
    if z.ndim > 5:
        raise ValueError("too many axes")
    return sigmoid(z) * (1 - sigmoid(z))


def mask(z):
    z = z.copy()
    z[z < 0] = 0
    return z


def save(z):
    np.save("saved", z)
    return z


def log(z):
    LOSSES.append(z)
    open("log", "w").close()
    return z


def imports(z):
    import os

    os.remove("nothing")
    return z


def says(z):
    print(z)  # noqa: T201
    return z


@pytest.mark.parametrize("function", [sigmoid, sigmoid_prime, mask, Silent().prime, lambda z: z**2])
def test_functions_that_only_compute(function):
    assert only_computes(function)


@pytest.mark.parametrize("function", [save, log, imports, says, Silent().deploy, Silent().send, made_closure()])
def test_functions_that_may_do_more(function):
    assert not only_computes(function)


def test_functions_that_nobody_called_are_not_tried_if_they_may_do_more(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def step(W1, W2):
        a = sigmoid(X @ W1)
        r = a @ W2 - Y
        delta = r @ W2.T
        return np.sum(r**2) / 2, (X.T @ delta, a.T @ r)

    report = ad.verify(step, np.ones((3, 4)) / 3, np.ones((4, 2)) / 5)
    assert (report.verdict, report.first_wrong) == ("wrong", "delta")
    assert report.fix
    assert list(tmp_path.iterdir()) == []
